//! The node sends a block and is told what has come: acknowledgment, retransmission, end (RFC 5326 sections 6.12, 6.13, 9.3).

use farlink_engine::ranges::RangeSet;

use super::peer::{Heard, Id, Peer, Verdict};
use crate::case::Case;
use crate::outcome::Finding;
use crate::segment::{Body, Raw, code};

pub(super) const CASES: &[Case] = &[
    case!("LTP-6.12-01", ["sender", "reports", "timers"], full_report_ends_the_session),
    case!("LTP-6.12-02", ["sender", "reports", "timers"], claims_add_up),
    case!("LTP-6.13-01", ["sender", "reports"], report_is_acknowledged),
    case!("LTP-6.13-02", ["sender", "reports"], report_for_no_session),
    case!("LTP-6.13-03", ["sender", "reports"], repeated_report),
    case!("LTP-6.13-04", ["sender", "reports"], late_report),
    case!("LTP-6.13-05", ["sender", "reports", "timers"], report_stops_its_checkpoint),
    case!("LTP-6.13-06", ["sender", "reports"], missing_data_is_sent_again),
    case!("LTP-6.13-07", ["sender", "reports", "checkpoints"], last_of_it_is_a_checkpoint),
    case!("LTP-6.13-09", ["sender", "reports"], scope_of_a_report),
    case!("LTP-6.13-10", ["sender", "reports"], asynchronous_report),
    case!("LTP-9.3-03", ["sender", "reports", "hostile"], inconsistent_reports),
    case!("LTP-9.3-04", ["sender", "reports", "hostile"], absurd_claim_counts),
    case!("LTP-9.3-05", ["sender", "hostile"], other_sessions_segments),
];

/// Reports everything but a part as received, in answer to the last checkpoint. Returns the report serial number and how many
/// data segments there were before.
pub(super) fn leave_gap(us: &mut Peer<'_, '_>, id: Id, gap: (u64, u64)) -> Result<(u64, usize), Finding> {
    let checkpoint = us.last_checkpoint(id)?;
    let end = us.red_end(id).unwrap_or(0);
    let known = us.data_of(id).len();
    let claims: Vec<(u64, u64)> =
        [(0, gap.0), (gap.1, end.saturating_sub(gap.1))].into_iter().filter(|(_, length)| *length > 0).collect();
    let serial = us.rs(id, checkpoint, end, 0, &claims)?;
    Ok((serial, known))
}

/// After what is under way has come, nothing more of a session comes for three checkpoint timers.
fn is_over(us: &mut Peer<'_, '_>, id: Id) -> Verdict {
    let mark = us.mark();
    us.pause(us.node.checkpoint_timer.saturating_mul(3))?;
    us.must_not(mark, "nothing more of a session whose red part is claimed whole", |heard| {
        heard.session() == id && (heard.segment.is_data() || heard.code() == code::CS)
    })
}

fn full_report_ends_the_session(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.trigger(length)?;
    us.complete(id)?;
    is_over(us, id)
}

fn claims_add_up(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.trigger(length)?;
    let (checkpoint, end) = (us.last_checkpoint(id)?, us.red_end(id).unwrap_or(0));
    let half = end / 2;
    let first = us.rs(id, 0, half, 0, &[(0, half)])?;
    let second = us.rs(id, checkpoint, end, half, &[(0, end - half)])?;
    us.expect_ra(id, first)?;
    us.expect_ra(id, second)?;
    is_over(us, id)
}

fn report_is_acknowledged(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.trigger(length)?;
    let (serial, known) = leave_gap(us, id, (1000, 2000))?;
    us.expect_ra(id, serial)?;
    us.retransmission(id, known)?;
    us.complete(id).map(drop)
}

fn report_for_no_session(us: &mut Peer<'_, '_>) -> Verdict {
    let id = (us.node.engine, us.open(100).id.1);
    let mark = us.mark();
    us.rs_again(id, 5, 0, 100, 0, &[(0, 100)])?;
    us.expect_ra(id, 5)?;
    us.must_not(mark, "nothing but an RA", |heard| heard.session() == id && heard.code() != code::RA)
}

/// What the segments after the first `known` of a session hold, except the repetitions of a checkpoint.
fn sent_again(us: &Peer<'_, '_>, id: Id, known: usize) -> Vec<Heard> {
    let all = us.data_of(id);
    let repeats = |place: usize, heard: &Heard| {
        heard.segment.checkpoint().is_some_and(|(serial, _)| {
            all[..place].iter().any(|earlier| earlier.segment.checkpoint().is_some_and(|(other, _)| other == serial))
        })
    };
    all.iter()
        .enumerate()
        .skip(known)
        .filter(|(place, heard)| !repeats(*place, heard))
        .map(|(_, h)| h.clone())
        .collect()
}

fn repeated_report(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.trigger(length)?;
    let (checkpoint, end) = (us.last_checkpoint(id)?, us.red_end(id).unwrap_or(0));
    let (serial, known) = leave_gap(us, id, (1000, 2000))?;
    us.pause(farlink_units::Duration::from_millis(50))?;
    us.rs_again(id, serial, checkpoint, end, 0, &[(0, 1000), (2000, end - 2000)])?;
    us.expect_ra(id, serial)?;
    us.expect_ra(id, serial)?;
    us.pause(us.slack())?;
    let mut again = RangeSet::new();
    let mut twice = None;
    for heard in sent_again(us, id, known) {
        let Some(range) = heard.segment.range() else { continue };
        if again.within(range.clone()).next().is_some() {
            twice = Some(heard.segment.tell());
        }
        again.insert(range);
    }
    us.complete(id)?;
    match twice {
        None => Ok(()),
        Some(twice) => Err(Finding::deviation("the missing data sent again once", format!("{twice} once more"))),
    }
}

fn late_report(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.trigger(length)?;
    let (checkpoint, end) = (us.last_checkpoint(id)?, us.red_end(id).unwrap_or(0));
    let serial = us.complete(id)?;
    let known = us.data_of(id).len();
    us.rs_again(id, serial, checkpoint, end, 0, &[(0, end)])?;
    us.expect_ra(id, serial)?;
    match us.data_of(id).get(known) {
        None => Ok(()),
        Some(heard) => Err(Finding::deviation("no data of a completed session", heard.segment.tell())),
    }
}

fn report_stops_its_checkpoint(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.trigger(length)?;
    let answered = us.last_checkpoint(id)?;
    let (_, known) = leave_gap(us, id, (1000, 2000))?;
    let again = us.retransmission(id, known)?;
    let follow_up = again.last().and_then(|heard| heard.segment.checkpoint()).map_or(0, |(serial, _)| serial);
    let until = us.now() + us.node.checkpoint_timer + us.slack();
    let mut at = us.data_of(id).len();
    let mut repeated = false;
    while !repeated {
        let Some(heard) = us.next_data(id, at, until)? else { break };
        repeated = heard.segment.checkpoint().is_some_and(|(serial, _)| serial == follow_up);
        at += 1;
    }
    // Whatever else is repeated comes about now.
    us.pause(us.slack())?;
    let serials: Vec<u64> =
        us.data_of(id)[known..].iter().filter_map(|heard| heard.segment.checkpoint()).map(|(cp, _)| cp).collect();
    us.complete(id)?;
    if serials.contains(&answered) {
        let actual = format!("checkpoints {serials:?}");
        return Err(Finding::deviation(format!("checkpoint {answered}, which was answered, not again"), actual));
    }
    match repeated {
        true => Ok(()),
        false => Err(Finding::silence(format!("checkpoint {follow_up} again"), "it was not repeated")),
    }
}

/// Leaves two gaps, and returns the report serial number, the last checkpoint before, and what came again.
fn two_gaps(us: &mut Peer<'_, '_>, id: Id) -> Result<(u64, u64, Vec<Heard>), Finding> {
    let (checkpoint, end) = (us.last_checkpoint(id)?, us.red_end(id).unwrap_or(0));
    let known = us.data_of(id).len();
    let claims = [(0, 1000), (1500, 1500), (3600, end - 3600)];
    let serial = us.rs(id, checkpoint, end, 0, &claims)?;
    let again = us.retransmission(id, known)?;
    Ok((serial, checkpoint, again))
}

fn holds(again: &[Heard], block: &[u8]) -> Result<RangeSet, Finding> {
    let mut have = RangeSet::new();
    for heard in again {
        let Some(range) = heard.segment.range() else { continue };
        if block.get(range.start as usize..range.end as usize) != Some(heard.segment.data()) {
            let expected = "the same octets as in the first transmission";
            return Err(Finding::deviation(expected, format!("others in {}", heard.segment.tell())));
        }
        have.insert(range);
    }
    Ok(have)
}

fn missing_data_is_sent_again(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.trigger(length)?;
    let block = us.block(id)?;
    let (_, _, again) = two_gaps(us, id)?;
    let have = holds(&again, &block)?;
    us.complete(id)?;
    match have.covers(&(1000..1500)) && have.covers(&(3000..3600)) {
        true => Ok(()),
        false => {
            let actual = format!("{:?}", have.within(0..u64::MAX).collect::<Vec<_>>());
            Err(Finding::deviation("1000..1500 and 3000..3600 sent again", actual))
        }
    }
}

fn last_of_it_is_a_checkpoint(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.trigger(length)?;
    let (report, before, again) = two_gaps(us, id)?;
    us.complete(id)?;
    let last = again.last().and_then(|heard| heard.segment.checkpoint());
    let mut have = RangeSet::new();
    again.iter().filter_map(|heard| heard.segment.range()).for_each(|range| have.insert(range));
    let whole = have.covers(&(1000..1500)) && have.covers(&(3000..3600));
    match last {
        Some(last) if last == (before + 1, report) && whole => Ok(()),
        _ => {
            let actual: Vec<String> = again.iter().map(|heard| heard.segment.tell()).collect();
            let expected =
                format!("both gaps, with a checkpoint in the last segment only: cp {}, report {report}", before + 1);
            Err(Finding::deviation(expected, actual.join("; ")))
        }
    }
}

fn scope_of_a_report(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.trigger(length)?;
    let (checkpoint, end) = (us.last_checkpoint(id)?, us.red_end(id).unwrap_or(0));
    let known = us.data_of(id).len();
    us.rs(id, checkpoint, 3000, 1000, &[(0, 500)])?;
    let again = us.retransmission(id, known)?;
    let mut have = RangeSet::new();
    for heard in &again {
        let Some(range) = heard.segment.range() else { continue };
        if range.end <= 1500 || range.start >= 3000 {
            let expected = "only the missing 1500..3000 of the scope sent again";
            return Err(Finding::deviation(expected, heard.segment.tell()));
        }
        have.insert(range);
    }
    if !have.covers(&(1500..3000)) {
        let actual = format!("{:?}", have.within(0..u64::MAX).collect::<Vec<_>>());
        return Err(Finding::deviation("1500..3000 sent again", actual));
    }
    let follow_up = us.last_checkpoint(id)?;
    let serial = us.rs(id, follow_up, 3000, 1000, &[(0, 2000)])?;
    us.expect_ra(id, serial)?;
    // A session that took what is outside the scope as received would be over by now.
    let known = us.data_of(id).len();
    us.rs(id, 0, end, 3000, &[(1000, end - 4000)])?;
    let again = us.retransmission(id, known)?;
    let mut have = RangeSet::new();
    again.iter().filter_map(|heard| heard.segment.range()).for_each(|range| have.insert(range));
    us.complete(id)?;
    match have.covers(&(3000..4000)) {
        true => Ok(()),
        false => {
            let actual = format!("{:?}", have.within(0..u64::MAX).collect::<Vec<_>>());
            Err(Finding::deviation("3000..4000 sent again, which no report has claimed", actual))
        }
    }
}

fn asynchronous_report(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.trigger(length)?;
    let known = us.data_of(id).len();
    let serial = us.rs(id, 0, 3000, 0, &[(0, 1000), (2000, 1000)])?;
    us.expect_ra(id, serial)?;
    let again = us.retransmission(id, known)?;
    let mut have = RangeSet::new();
    again.iter().filter_map(|heard| heard.segment.range()).for_each(|range| have.insert(range));
    let report = again.last().and_then(|heard| heard.segment.checkpoint()).map(|(_, report)| report);
    us.complete(id)?;
    match have.covers(&(1000..2000)) && report == Some(serial) {
        true => Ok(()),
        false => {
            let actual: Vec<String> = again.iter().map(|heard| heard.segment.tell()).collect();
            let expected = format!("1000..2000 again, with a checkpoint for report {serial} at the end");
            Err(Finding::deviation(expected, actual.join("; ")))
        }
    }
}

/// Whether a session is open: the node sends again what a right report leaves out.
fn is_open(us: &mut Peer<'_, '_>, id: Id, after: &str) -> Verdict {
    let (_, known) = leave_gap(us, id, (0, 200))?;
    us.retransmission(id, known).map(drop).map_err(|finding| Finding {
        expected: format!("{after}, a session that goes on: {}", finding.expected),
        ..finding
    })
}

/// Upper bound, lower bound and claims of a report that contradicts itself, for a red part that ends here.
type Wrong = fn(u64) -> (u64, u64, Vec<(u64, u64)>);

const WRONG_REPORTS: [(&str, Wrong); 4] = [
    ("a report with its lower bound above its upper bound", |end| (0, end, vec![(0, end)])),
    ("a report with an empty claim", |end| (end, 0, vec![(0, 0), (0, end)])),
    ("a report with a claim beyond its upper bound", |end| (1000, 0, vec![(0, end)])),
    ("a report with claims out of order", |end| (end, 0, vec![(500, end - 500), (0, 500)])),
];

fn inconsistent_reports(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    for (what, wrong) in WRONG_REPORTS {
        let id = us.trigger(length)?;
        let (checkpoint, end) = (us.last_checkpoint(id)?, us.red_end(id).unwrap_or(0));
        let (upper, lower, claims) = wrong(end);
        us.rs(id, checkpoint, upper, lower, &claims)?;
        us.sentinel()?;
        is_open(us, id, &format!("after {what}"))?;
        us.complete(id)?;
    }
    let id = us.trigger(500)?;
    let (checkpoint, end) = (us.last_checkpoint(id)?, us.red_end(id).unwrap_or(0));
    let far = end + 1_000_000;
    us.rs(id, checkpoint, far, 0, &[(0, end / 2), (far - 10, 10)])?;
    us.sentinel()?;
    match us.data_of(id).iter().find(|heard| heard.segment.range().is_some_and(|range| range.end > end)) {
        Some(heard) => Err(Finding::deviation("no data beyond the block", heard.segment.tell())),
        None => us.complete(id).map(drop),
    }
}

fn absurd_claim_counts(us: &mut Peer<'_, '_>) -> Verdict {
    let id = us.trigger(500)?;
    let (checkpoint, end) = (us.last_checkpoint(id)?, us.red_end(id).unwrap_or(0));
    for count in [u64::from(u32::MAX), 1 << 63, 0] {
        let body = Body::Report { serial: us.serial(), checkpoint, upper: end, lower: 0, claims: Vec::new() };
        let mut octets = Raw::new(code::RS, id, body).emit();
        octets.pop();
        farlink_wire::sdnv::encode(count, &mut octets);
        if count > 0 {
            farlink_wire::sdnv::encode(0, &mut octets);
            farlink_wire::sdnv::encode(end / 2, &mut octets);
        }
        us.octets(&octets)?;
        us.sentinel()?;
    }
    us.complete(id).map(drop)
}

fn other_sessions_segments(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.trigger(length)?;
    let (checkpoint, end) = (us.last_checkpoint(id)?, us.red_end(id).unwrap_or(0));
    for forged in [(id.0, id.1 + 1), (us.node.tester, id.1)] {
        us.rs_again(forged, 0x1ffe, checkpoint, end, 0, &[(0, end)])?;
        us.send(crate::medium::Door::Ltp, &Raw::new(code::CR, forged, Body::Cancel(0)))?;
    }
    us.sentinel()?;
    is_open(us, id, "after a report and a cancellation of other sessions")?;
    us.complete(id).map(drop)
}
