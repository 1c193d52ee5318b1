//! The node sends a block: its segments, checkpoints and sessions (RFC 5326 sections 3.1, 3.2.1, 3.2.3, 4.1, 9.1).

use super::peer::{Heard, Id, Peer, Verdict};
use super::reported::leave_gap;
use super::reports::looks_random;
use super::watch;
use crate::case::Case;
use crate::outcome::Finding;
use crate::segment::{Body, code, segments};

pub(super) const CASES: &[Case] = &[
    case!("LTP-3.1-02", ["sender", "sessions"], every_block_has_its_session),
    case!("LTP-3.2.1-01", ["sender", "data"], serial_numbers_in_checkpoints_only),
    case!("LTP-3.2.1-02", ["sender", "checkpoints"], first_checkpoint_is_random),
    case!("LTP-3.2.1-03", ["sender", "checkpoints"], checkpoints_count_up),
    case!("LTP-3.2.1-05", ["sender", "checkpoints"], watch::traffic).watching(watch::checkpoints_not_zero),
    case!("LTP-3.2.1-06", ["sender", "checkpoints"], checkpoint_names_its_report),
    case!("LTP-3.2.1-07", ["sender", "checkpoints", "timers"], first_checkpoints_name_no_report),
    case!("LTP-3.2.1-08", ["sender", "data"], data_reassemble),
    case!("LTP-3.2.1-09", ["sender", "data"], one_client_service),
    case!("LTP-3.2.3-01", ["sender", "reports"], acknowledgment_has_a_serial_number_only),
    case!("LTP-4.1-01", ["sender", "data"], one_end_of_block),
    case!("LTP-4.1-02", ["sender", "data", "green"], colours_do_not_mix),
    case!("LTP-4.1-03", ["sender", "data", "green"], green_data_begins_a_segment),
    case!("LTP-4.1-04", ["sender", "data"], one_end_of_red_part),
    case!("LTP-4.1-05", ["sender", "checkpoints"], discretionary_checkpoints),
    case!("LTP-4.1-06", ["sender", "green", "timers"], green_block),
    case!("LTP-9.1-01", ["sender", "sessions"], session_numbers_are_not_counted),
];

fn every_block_has_its_session(us: &mut Peer<'_, '_>) -> Verdict {
    let mut seen: Vec<Id> = Vec::new();
    for _ in 0..64 {
        let id = us.trigger(500)?;
        if seen.contains(&id) || id.0 != us.node.engine {
            let expected = format!("a session of its own for each block, with originator {}", us.node.engine);
            return Err(Finding::deviation(expected, format!("session {id:?}")));
        }
        seen.push(id);
        us.complete(id)?;
    }
    Ok(())
}

/// Nothing has come that is no segment.
fn all_read(us: &Peer<'_, '_>) -> Verdict {
    match us.unread().first() {
        Some(why) => Err(Finding::deviation("datagrams that segments use up", why.clone())),
        None => Ok(()),
    }
}

fn serial_numbers_in_checkpoints_only(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.trigger(length)?;
    us.complete(id)?;
    all_read(us)
}

fn first_checkpoint_is_random(us: &mut Peer<'_, '_>) -> Verdict {
    let mut serials = Vec::new();
    for _ in 0..20 {
        let id = us.trigger(500)?;
        serials.extend(us.checkpoints(id).first().map(|(serial, ..)| *serial));
        us.complete(id)?;
    }
    looks_random("first checkpoint serial numbers", &serials)
}

fn checkpoints_count_up(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.trigger(length)?;
    for _ in 0..3 {
        let (_, known) = leave_gap(us, id, (1000, 2000))?;
        us.retransmission(id, known)?;
    }
    let serials: Vec<u64> = us.checkpoints(id).iter().map(|(serial, ..)| *serial).collect();
    us.complete(id)?;
    match serials.windows(2).all(|two| two[1] == two[0].wrapping_add(1)) {
        true => Ok(()),
        false => Err(Finding::deviation("checkpoint serial numbers that count up by 1", format!("{serials:?}"))),
    }
}

fn checkpoint_names_its_report(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.trigger(length)?;
    let (serial, known) = leave_gap(us, id, (1000, 2000))?;
    let again = us.retransmission(id, known)?;
    us.complete(id)?;
    match again.last().and_then(|heard| heard.segment.checkpoint()) {
        Some((_, report)) if report == serial => Ok(()),
        _ => {
            let actual = again.last().map_or_else(String::new, |heard| heard.segment.tell());
            Err(Finding::deviation(format!("a checkpoint with report serial number {serial}"), actual))
        }
    }
}

fn first_checkpoints_name_no_report(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.trigger(length)?;
    let known = us.data_of(id).len();
    let until = us.now() + us.node.checkpoint_timer + us.slack();
    us.next_data(id, known, until)?;
    let wrong = us.data_of(id).iter().find(|heard| heard.segment.checkpoint().is_some_and(|(_, report)| report != 0));
    let wrong = wrong.map(|heard| heard.segment.tell());
    us.complete(id)?;
    match wrong {
        Some(wrong) => Err(Finding::deviation("report serial number 0, as no report was sent", wrong)),
        None => Ok(()),
    }
}

fn data_reassemble(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.trigger(length)?;
    let block = us.block(id)?;
    let end = us.data_of(id).iter().filter_map(|heard| heard.segment.range()).map(|range| range.end).max();
    us.complete(id)?;
    all_read(us)?;
    match end == Some(block.len() as u64) {
        true => Ok(()),
        false => Err(Finding::deviation(format!("data up to {}", block.len()), format!("data up to {end:?}"))),
    }
}

fn one_client_service(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.trigger(length)?;
    let (_, known) = leave_gap(us, id, (1000, 2000))?;
    us.retransmission(id, known)?;
    us.complete(id)?;
    let wanted = us.node.service;
    let service = |heard: &Heard| match heard.segment.body {
        Body::Data { service, .. } => service,
        _ => wanted,
    };
    match us.data_of(id).iter().map(service).find(|service| *service != wanted) {
        Some(other) => Err(Finding::deviation(format!("client service {wanted}"), format!("client service {other}"))),
        None => Ok(()),
    }
}

fn acknowledgment_has_a_serial_number_only(us: &mut Peer<'_, '_>) -> Verdict {
    let id = us.trigger(500)?;
    let (checkpoint, end) = (us.last_checkpoint(id)?, us.red_end(id).unwrap_or(0));
    us.rs_again(id, 0x1fff, checkpoint, end, 0, &[(0, end)])?;
    us.expect_ra(id, 0x1fff)?;
    for (_, octets) in watch::datagrams(us.t.exchange()).filter(|(_, octets)| octets.first() == Some(&code::RA)) {
        if let Some(Err(why)) = segments(octets).into_iter().find(Result::is_err) {
            return Err(Finding::deviation("nothing behind the serial number of an RA", why));
        }
    }
    Ok(())
}

/// The different data segments of the first transmission: each place of the block once.
fn first_transmission<'x>(us: &'x Peer<'_, '_>, id: Id) -> Vec<&'x Heard> {
    let mut all: Vec<&Heard> = Vec::new();
    for heard in us.data_of(id) {
        if all.iter().all(|other| other.segment.range() != heard.segment.range()) {
            all.push(heard);
        }
    }
    all
}

fn one_end_of_block(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.trigger(length)?;
    us.pause(us.slack())?;
    let all = first_transmission(us, id);
    let ends: Vec<String> = all
        .iter()
        .filter(|heard| matches!(heard.code(), code::EOB | code::GREEN_EOB))
        .map(|heard| heard.segment.tell())
        .collect();
    let last = all.iter().filter_map(|heard| heard.segment.range()).map(|range| range.end).max();
    let right = ends.len() == 1 && us.block_end(id) == last;
    us.complete(id)?;
    match right {
        true => Ok(()),
        false => Err(Finding::deviation(format!("one segment marked EOB, which ends at {last:?}"), ends.join("; "))),
    }
}

fn is_red(heard: &&Heard) -> bool {
    matches!(heard.code(), code::RED..=code::EOB)
}

fn is_green(heard: &&Heard) -> bool {
    matches!(heard.code(), code::GREEN | code::GREEN_EOB)
}

/// Red and green segments of a block of both colours.
fn both_colours(us: &mut Peer<'_, '_>) -> Result<(u64, u64), Finding> {
    let length = us.several();
    let id = us.trigger(length)?;
    us.block(id)?;
    let all = first_transmission(us, id);
    let red = all.iter().copied().filter(is_red).filter_map(|heard| heard.segment.range()).map(|range| range.end).max();
    let green =
        all.iter().copied().filter(is_green).filter_map(|heard| heard.segment.range()).map(|range| range.start).min();
    us.complete(id)?;
    match (red, green) {
        (Some(red), Some(green)) => Ok((red, green)),
        _ => Err(Finding::unsupported("the node sent a block of one colour")),
    }
}

fn colours_do_not_mix(us: &mut Peer<'_, '_>) -> Verdict {
    let (red, green) = both_colours(us)?;
    match red <= green {
        true => Ok(()),
        false => {
            let actual = format!("red data up to {red}, green data from {green}");
            Err(Finding::deviation("all red data below all green data", actual))
        }
    }
}

fn green_data_begins_a_segment(us: &mut Peer<'_, '_>) -> Verdict {
    let (red, green) = both_colours(us)?;
    match red == green {
        true => Ok(()),
        false => {
            Err(Finding::deviation("the first green segment where the last red one ends", format!("{green} and {red}")))
        }
    }
}

fn one_end_of_red_part(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.trigger(length)?;
    us.pause(us.slack())?;
    let all = first_transmission(us, id);
    let ends: Vec<&Heard> =
        all.iter().copied().filter(|heard| matches!(heard.code(), code::EORP | code::EOB)).collect();
    let highest = all.iter().copied().filter(is_red).max_by_key(|heard| heard.segment.range().map(|r| r.start));
    let green = all.iter().copied().any(|heard| is_green(&heard));
    let right = match (&ends[..], highest) {
        ([end], Some(highest)) => end.segment.range() == highest.segment.range() && (green || end.code() == code::EOB),
        (ends, highest) => ends.is_empty() && highest.is_none(),
    };
    let actual: Vec<String> = ends.iter().map(|heard| heard.segment.tell()).collect();
    us.complete(id)?;
    match right {
        true => Ok(()),
        false => Err(Finding::deviation(
            "one segment marked EORP, which is the last red one, and marked EOB if nothing green follows",
            actual.join("; "),
        )),
    }
}

fn discretionary_checkpoints(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.trigger(length)?;
    let serials: Vec<u64> = us.checkpoints(id).iter().map(|(serial, ..)| *serial).collect();
    us.complete(id)?;
    us.t.note(format!("{} of the block's checkpoints are discretionary", serials.len() - 1));
    match serials.windows(2).all(|two| two[1] == two[0].wrapping_add(1)) {
        true => Ok(()),
        false => Err(Finding::deviation("checkpoint serial numbers that count up by 1", format!("{serials:?}"))),
    }
}

fn green_block(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.trigger(length)?;
    let known = us.data_of(id).len();
    let mark = us.mark();
    us.pause(us.node.checkpoint_timer + us.node.checkpoint_timer)?;
    if let Some(red) = us.data_of(id).iter().find(is_red) {
        return Err(Finding::deviation("only segments of the types 4 and 7", red.segment.tell()));
    }
    if us.data_of(id).len() > known {
        return Err(Finding::deviation("green data sent once", us.data_of(id)[known].segment.tell()));
    }
    us.must_not(mark, "no CS for a green block", |heard| heard.is(code::CS, id))
}

fn session_numbers_are_not_counted(us: &mut Peer<'_, '_>) -> Verdict {
    let mut numbers = Vec::new();
    for _ in 0..32 {
        let id = us.trigger(500)?;
        numbers.push(id.1);
        us.complete(id)?;
    }
    match numbers.windows(2).all(|two| two[1] == two[0].wrapping_add(1)) {
        false => Ok(()),
        true => {
            let actual = format!("counted from {} to {}", numbers[0], numbers[numbers.len() - 1]);
            Err(Finding::warning("session numbers of which a part cannot be told beforehand", actual))
        }
    }
}
