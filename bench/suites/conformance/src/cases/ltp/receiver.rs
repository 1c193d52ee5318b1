//! The node receives a block: timers, limits, delivery, acknowledgment of its reports (RFC 5326 sections 6.8 to 6.11, 6.14, 6.22, 8.2,
//! 9.2).

use farlink_engine::ranges::RangeSet;

use super::peer::{Peer, Rs, Verdict};
use super::reports::{next_report, ranges, truthful};
use crate::case::Case;
use crate::catalogue::Grade;
use crate::outcome::{Finding, Kind};
use crate::segment::{Body, Raw, code};

pub(super) const CASES: &[Case] = &[
    case!("LTP-6.8-01", ["receiver", "reports", "timers"], unacknowledged_report_is_repeated),
    case!("LTP-6.8-02", ["receiver", "reports"], repeated_checkpoint_repeats_the_report),
    case!("LTP-6.8-03", ["receiver", "timers", "limits"], report_limit),
    case!("LTP-6.8-04", ["receiver", "timers", "limits"], no_reports_after_cancellation),
    case!("LTP-6.9-01", ["receiver", "delivery"], delivered_when_complete),
    case!("LTP-6.9-02", ["receiver", "delivery"], delivered_once),
    case!("LTP-6.9-03", ["receiver", "delivery"], not_delivered_before_its_end_is_known),
    case!("LTP-6.10-01", ["receiver", "delivery", "green"], green_data_is_delivered),
    case!("LTP-6.11-13", ["receiver", "limits"], reception_problem_limit),
    case!("LTP-6.14-01", ["receiver", "reports", "timers"], acknowledgment_stops_the_report),
    case!("LTP-6.14-02", ["receiver", "reports", "timers"], other_acknowledgment_does_not),
    case!("LTP-6.14-03", ["receiver", "reports"], acknowledgment_for_no_session),
    case!("LTP-6.14-04", ["receiver", "reports"], acknowledged_data_is_kept),
    case!("LTP-6.22-01", ["receiver", "reports"], claims_are_binding),
    case!("LTP-6.22-03", ["receiver", "hostile", "limits"], absurd_block),
    case!("LTP-8.2-01", ["receiver", "green"], green_block_closes),
    case!("LTP-8.2-02", ["receiver", "green"], red_data_after_the_green_end),
    case!("LTP-9.2-01", ["receiver", "replay"], replay_of_a_session),
];

fn unacknowledged_report_is_repeated(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(100);
    let serial = us.serial();
    us.checkpoint(s, code::EOB, 0..100, serial)?;
    let first = us.report(s, serial)?;
    let within = us.node.report_timer + us.slack();
    let again = us.expect(format!("{} again", first.tell()), within, |heard| {
        heard.report().filter(|rs| heard.session() == s.id && rs.same(&first))
    })?;
    us.ack(s, again.serial)
}

fn repeated_checkpoint_repeats_the_report(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(1000);
    let serial = us.serial();
    us.checkpoint(s, code::CHECKPOINT, 0..500, serial)?;
    let first = us.report(s, serial)?;
    us.checkpoint(s, code::CHECKPOINT, 0..500, serial)?;
    // A report by the timer would come later than this.
    let timer = us.node.report_timer;
    let before_timer = farlink_units::Duration::from_nanos(timer.as_nanos() / 16 * 15).min(us.t_ack());
    let expected = format!("{} again in answer to the repeated checkpoint", first.tell());
    let of_checkpoint =
        |heard: &super::peer::Heard| heard.report().filter(|rs| heard.session() == s.id && rs.checkpoint == serial);
    let prompt = us.find(us.now() + before_timer, of_checkpoint)?;
    let found = match prompt {
        Some(rs) if rs.same(&first) => Ok(()),
        Some(rs) => Err(Finding::warning(expected, rs.tell())),
        None => {
            let late = us.find(us.now() + timer + us.t_ack(), of_checkpoint)?;
            match late {
                Some(rs) => Err(Finding::warning(expected, format!("only {} after the report timer", rs.tell()))),
                None => Err(Finding::silence(expected, "no report at all, not even by the report timer")),
            }
        }
    };
    us.ack(s, first.serial)?;
    found
}

/// Never acknowledges a report of an incomplete block. Returns its session and how often the report was repeated before CR.
fn exhaust_reports(us: &mut Peer<'_, '_>) -> Result<(super::peer::Ours, u32), Finding> {
    let s = us.open(1000);
    let serial = us.serial();
    us.checkpoint(s, code::CHECKPOINT, 0..500, serial)?;
    us.report(s, serial)?;
    let mark = us.mark();
    let rounds = i64::from(us.node.report_limit) + 2;
    let within = us.node.report_timer.saturating_mul(rounds) + us.slack();
    us.expect_cr(s, 2, within)?;
    let repeats = us.since(mark).iter().filter(|heard| heard.is(code::RS, s.id)).count();
    Ok((s, u32::try_from(repeats).unwrap_or(u32::MAX)))
}

/// A limit was kept, with the freedom that "exceeds" leaves.
pub(super) fn near_limit(what: &str, limit: u32, repeats: u32) -> Verdict {
    match repeats.abs_diff(limit) <= 1 {
        true => Ok(()),
        false => Err(Finding::deviation(
            format!("{limit} repetitions of the {what}, or one more or less"),
            format!("{repeats}"),
        )),
    }
}

fn report_limit(us: &mut Peer<'_, '_>) -> Verdict {
    let (s, repeats) = exhaust_reports(us)?;
    us.car(s)?;
    near_limit("report", us.node.report_limit, repeats)
}

fn no_reports_after_cancellation(us: &mut Peer<'_, '_>) -> Verdict {
    let (s, _) = exhaust_reports(us)?;
    us.car(s)?;
    let mark = us.mark();
    us.pause(us.node.report_timer + us.node.report_timer)?;
    us.must_not(mark, "no report after the receiver has cancelled", |heard| heard.is(code::RS, s.id))
}

fn delivered_when_complete(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(2000);
    let (serial, payload) = (us.serial(), us.payload(s));
    us.checkpoint(s, code::EOB, 1000..2000, serial)?;
    let rs = us.reported(s, serial)?;
    let soon = us.now() + us.t.profile().response;
    if us.delivered(&payload, soon)? {
        return Err(Finding::deviation("nothing delivered before the block is complete", "it was delivered"));
    }
    us.checkpoint_for(s, code::CHECKPOINT, 0..1000, serial + 1, rs.serial)?;
    must_be_delivered(us, &payload, "the block delivered once it is complete")?;
    us.reported(s, serial + 1).map(drop)
}

fn must_be_delivered(us: &mut Peer<'_, '_>, payload: &[u8], expected: &str) -> Verdict {
    let within = us.t_ack();
    let until = us.now() + within;
    match us.delivered(payload, until)? {
        true => Ok(()),
        false => Err(Finding::silence(expected, format!("no delivery of its {} octets in {within}", payload.len()))),
    }
}

fn delivered_once(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(2000);
    let (serial, payload) = (us.serial(), us.payload(s));
    for _ in 0..3 {
        us.red(s, 0..1000)?;
    }
    for _ in 0..3 {
        us.checkpoint(s, code::EOB, 1000..2000, serial)?;
    }
    us.reported(s, serial)?;
    must_be_delivered(us, &payload, "the block delivered")?;
    let until = us.now() + us.t_ack();
    match us.delivered(&payload, until)? {
        false => Ok(()),
        true => Err(Finding::deviation("the block delivered once", "it was delivered twice")),
    }
}

fn not_delivered_before_its_end_is_known(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(2000);
    let (serial, payload) = (us.serial(), us.payload(s));
    us.checkpoint(s, code::CHECKPOINT, 0..1000, serial)?;
    us.reported(s, serial)?;
    us.checkpoint(s, code::EOB, 1000..2000, serial + 1)?;
    must_be_delivered(us, &payload, "the whole block delivered once its end is known")?;
    us.reported(s, serial + 1).map(drop)
}

fn green_data_is_delivered(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(400);
    let payload = us.payload(s);
    let mark = us.mark();
    us.green(s, code::GREEN_EOB, 0..400)?;
    must_be_delivered(us, &payload, "the green block delivered")?;
    us.sentinel()?;
    us.must_not(mark, "no report of green data", |heard| heard.is(code::RS, s.id))
}

fn reception_problem_limit(us: &mut Peer<'_, '_>) -> Verdict {
    let Some(limit) = us.node.problem_limit else {
        return Err(Finding::unsupported("the node's problem limit is not described"));
    };
    let s = us.open(2000);
    let mut serial = us.serial();
    us.red(s, 0..10)?;
    us.checkpoint(s, code::EOB, 1000..1010, serial)?;
    let expected = format!("CR with reason 0x02 after {limit} rounds");
    for _ in 0..=limit + 2 {
        let until = us.now() + us.t_ack();
        let answer = us.find(until, |heard| {
            let ours = heard.session() == s.id;
            let report = heard.report().filter(|rs| rs.checkpoint == serial).map(|rs| Ok(rs.serial));
            report.or(heard.reason().map(Err)).filter(|_| ours)
        })?;
        match answer {
            Some(Ok(report)) => {
                us.ack(s, report)?;
                serial += 1;
                us.checkpoint_for(s, code::CHECKPOINT, 0..10, serial, report)?;
            }
            Some(Err(2)) => return us.car(s),
            Some(Err(reason)) => return Err(Finding::deviation(expected, format!("CR with reason {reason:#04x}"))),
            None => return Err(Finding::silence(expected, "no report and no CR")),
        }
    }
    Err(Finding::deviation(expected, format!("the session goes on after {} rounds", limit + 2)))
}

fn acknowledgment_stops_the_report(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(100);
    let serial = us.serial();
    us.checkpoint(s, code::EOB, 0..100, serial)?;
    us.reported(s, serial)?;
    let mark = us.mark();
    us.pause(us.node.report_timer.saturating_mul(3))?;
    us.must_not(mark, "no report after its acknowledgment", |heard| heard.is(code::RS, s.id))
}

fn other_acknowledgment_does_not(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(100);
    let serial = us.serial();
    us.checkpoint(s, code::EOB, 0..100, serial)?;
    let first = us.report(s, serial)?;
    us.send(s.door, &Raw::new(code::RA, s.id, Body::ReportAck(first.serial + 1000)))?;
    let within = us.node.report_timer + us.slack();
    let again = next_report(us, s, "the report again: only another one was acknowledged", within)?;
    us.ack(s, again.serial)?;
    us.pause(us.round_trip())?;
    let mark = us.mark();
    us.pause(us.node.report_timer + us.slack())?;
    us.must_not(mark, "no report after its acknowledgment", |heard| heard.is(code::RS, s.id))
}

fn acknowledgment_for_no_session(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(100);
    let unknown = (us.node.engine, s.id.1);
    let mark = us.mark();
    us.ack(s, 1)?;
    us.send(s.door, &Raw::new(code::RA, unknown, Body::ReportAck(1)))?;
    us.sentinel()?;
    us.must_not(mark, "nothing in answer to an RA for a session that does not exist", |heard| {
        heard.session() == s.id || heard.session() == unknown
    })
}

fn acknowledged_data_is_kept(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(2000);
    let (serial, payload) = (us.serial(), us.payload(s));
    us.checkpoint(s, code::CHECKPOINT, 0..1000, serial)?;
    let first = us.reported(s, serial)?;
    us.pause(us.t_ack())?;
    us.checkpoint(s, code::EOB, 1000..2000, serial + 1)?;
    let second = us.reported(s, serial + 1)?;
    let mut claimed = first.claimed();
    for range in second.claimed().within(0..u64::MAX) {
        claimed.insert(range);
    }
    if !claimed.covers(&(0..2000)) {
        return Err(Finding::deviation("reports that together claim 0..2000", second.tell()));
    }
    match us.t.profile().offers("oracle") && !payload.is_empty() {
        true => must_be_delivered(us, &payload, "the 2000 octets delivered"),
        false => Ok(()),
    }
}

fn claims_are_binding(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(1000);
    let serial = us.serial();
    let mut claimed = RangeSet::new();
    // The third and the fifth begin before the end of an earlier report, so that their reports begin at 0.
    for (place, (offset, length)) in [(0, 100), (300, 100), (100, 100), (600, 100), (450, 50)].into_iter().enumerate() {
        let serial = serial + place as u64;
        us.checkpoint(s, code::CHECKPOINT, offset..offset + length, serial)?;
        let reports = match us.whole_report(s, serial, offset + length) {
            Ok(reports) => reports,
            // A node that keeps to the lower bounds that are recommended has no scope to report there.
            Err(finding) if finding.kind == Kind::Silence && matches!(place, 2 | 4) => continue,
            Err(finding) => return Err(finding),
        };
        for rs in reports {
            let now = rs.claimed();
            if let Some(lost) = claimed.within(rs.lower..rs.upper).find(|range| !now.covers(range)) {
                let expected = format!("{lost:?} claimed again, as in an earlier report");
                return Err(Finding::deviation(expected, rs.tell()));
            }
            for range in now.within(0..u64::MAX) {
                claimed.insert(range);
            }
        }
    }
    Ok(())
}

fn absurd_block(us: &mut Peer<'_, '_>) -> Verdict {
    let far = 1 << 40;
    let (first, second) = (us.open(100), us.open(100));
    let serial = us.serial();
    let mark = us.mark();
    us.red(first, far..far + 100)?;
    us.checkpoint(second, code::CHECKPOINT, far..far + 100, serial)?;
    us.sentinel()?;
    us.pause(us.node.defer)?;
    let sent = ranges([(far, 100)]);
    let ours = |heard: &&super::peer::Heard| heard.session() == first.id || heard.session() == second.id;
    let reports: Vec<Rs> = us.since(mark).iter().filter(ours).filter_map(|heard| heard.report()).collect();
    for rs in reports {
        truthful(&rs, &sent)?;
        if rs.upper != far + 100 {
            return Err(Finding::deviation(format!("the upper bound {}", far + 100), rs.tell()));
        }
    }
    us.must_not(mark, "a report, silence, or CR with reason 0x04", |heard| {
        (heard.session() == first.id || heard.session() == second.id) && heard.reason().is_some_and(|r| r != 4)
    })
}

fn green_block_closes(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(800);
    let mark = us.mark();
    us.green(s, code::GREEN, 0..400)?;
    us.green(s, code::GREEN_EOB, 400..800)?;
    us.pause(us.node.report_timer.max(us.t_ack()))?;
    let refuses = !us.t.profile().offers("green-service");
    us.must_not(mark, "neither a report nor CR for a green block", |heard| {
        let unreachable = heard.code() == code::CR && heard.reason() == Some(1);
        heard.session() == s.id && matches!(heard.code(), code::RS | code::CR) && !(refuses && unreachable)
    })
}

fn red_data_after_the_green_end(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(1500);
    let serial = us.serial();
    us.red(s, 0..500)?;
    us.green(s, code::GREEN_EOB, 1000..1500)?;
    us.checkpoint(s, code::EORP, 500..1000, serial)?;
    let rs = us.reported(s, serial)?;
    match rs.is_whole(1000) {
        true => Ok(()),
        false => Err(Finding::deviation("a report of 0..1000 that claims all of it", rs.tell())),
    }
}

fn replay_of_a_session(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(400);
    let (serial, payload) = (us.serial(), us.payload(s));
    let oracle = us.t.profile().offers("oracle") && !payload.is_empty();
    us.red(s, 0..200)?;
    us.checkpoint(s, code::EOB, 200..400, serial)?;
    us.reported(s, serial)?;
    us.pause(us.t_ack())?;
    let first = oracle && us.delivered(&payload, us.now())?;
    let mark = us.mark();
    us.red(s, 0..200)?;
    us.checkpoint(s, code::EOB, 200..400, serial)?;
    us.pause(us.t_ack())?;
    let answers = us.since(mark).iter().filter(|heard| heard.session() == s.id).count();
    let second = oracle && us.delivered(&payload, us.now())?;
    us.t.note(format!("{answers} segments answer the replay of a finished session"));
    match first && second {
        true => Err(Finding::remark("one delivery although the session was replayed", "two").at_most(Grade::Inform)),
        false => Ok(()),
    }
}
