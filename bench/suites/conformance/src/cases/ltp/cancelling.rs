//! Cancellation and limits (RFC 5326 sections 3.2.4, 4.2, 6.7, 6.15 to 6.19, 6.21, 6.22).

use farlink_units::Duration;

use super::format::provoke_unreachable;
use super::peer::{Id, Ours, Peer, Verdict};
use super::receiver::near_limit;
use super::reported::leave_gap;
use super::watch;
use crate::case::Case;
use crate::catalogue::Grade;
use crate::medium::{Door, Order};
use crate::outcome::{Finding, Kind};
use crate::segment::{Body, Raw, code};

pub(super) const CASES: &[Case] = &[
    case!("LTP-3.1.2-03", ["cancellation", "format"], types_of_cancel_segments),
    case!("LTP-3.2.4-01", ["cancellation", "format"], watch::traffic).watching(watch::reasons_assigned),
    case!("LTP-3.2.1-04", ["sender", "checkpoints", "timers"], repeated_checkpoint_is_the_same),
    case!("LTP-4.2-01", ["sender", "cancellation"], client_cancels_sending),
    case!("LTP-4.2-02", ["receiver", "cancellation", "timers"], client_cancels_receiving),
    case!("LTP-6.7-01", ["sender", "timers"], checkpoint_is_repeated),
    case!("LTP-6.7-02", ["sender", "timers", "limits"], checkpoint_limit),
    case!("LTP-6.7-03", ["sender", "timers", "limits"], no_data_after_cancellation),
    case!("LTP-6.13-08", ["sender", "limits"], transmission_problem_limit),
    case!("LTP-6.16-01", ["sender", "cancellation", "timers", "limits"], cs_is_repeated),
    case!("LTP-6.16-02", ["receiver", "cancellation", "timers", "limits"], cr_is_repeated),
    case!("LTP-6.16-03", ["cancellation", "timers", "limits"], cancelled_session_closes),
    case!("LTP-6.17-01", ["receiver", "cancellation"], cs_is_acknowledged),
    case!("LTP-6.17-02", ["receiver", "cancellation"], cs_for_no_session_is_acknowledged),
    case!("LTP-6.17-03", ["sender", "cancellation", "timers"], cr_is_acknowledged),
    case!("LTP-6.17-04", ["sender", "cancellation"], cr_for_a_closed_session_is_acknowledged),
    case!("LTP-6.17-05", ["receiver", "cancellation", "timers"], cs_forgets_what_came),
    case!("LTP-6.17-06", ["receiver", "cancellation", "hostile"], reserved_reasons),
    case!("LTP-6.18-01", ["cancellation", "timers", "limits"], acknowledgment_stops_cancel_segments),
    case!("LTP-6.18-02", ["cancellation", "hostile"], unsolicited_acknowledgments),
    case!("LTP-6.21-01", ["receiver", "cancellation", "green"], red_above_green),
    case!("LTP-6.21-02", ["receiver", "cancellation", "green"], green_below_red),
    case!("LTP-6.21-03", ["receiver", "cancellation", "green"], miscoloured_data_is_not_claimed),
    case!("LTP-6.22-02", ["sender", "limits"], cycle_limit),
    case!("LTP-8.2-03", ["receiver", "cancellation", "green"], red_above_green_at_the_end),
];

fn cr(us: &mut Peer<'_, '_>, id: Id, reason: u8) -> Verdict {
    us.send(Door::Ltp, &Raw::new(code::CR, id, Body::Cancel(reason)))
}

fn expect_car(us: &mut Peer<'_, '_>, id: Id) -> Verdict {
    let within = us.t_ack();
    us.expect(format!("CAR in session ({}, {})", id.0, id.1), within, |heard| heard.is(code::CAR, id).then_some(()))
}

fn types_of_cancel_segments(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(1000);
    us.red(s, 0..500)?;
    us.cancel(s, 0)?;
    us.expect_cas(s)?;
    let s = provoke_unreachable(us)?;
    us.expect_cr(s, 1, us.t_ack())?;
    us.car(s)?;
    let length = us.several();
    let id = us.begin(length)?;
    cr(us, id, 0)?;
    expect_car(us, id)
}

fn repeated_checkpoint_is_the_same(us: &mut Peer<'_, '_>) -> Verdict {
    let id = us.trigger(500)?;
    let known = us.data_of(id).len();
    let Some(first) = us.data_of(id).last().cloned() else { return Ok(()) };
    let until = us.now() + us.node.checkpoint_timer + us.slack();
    let Some(second) = us.next_data(id, known, until)? else {
        return Err(Finding::silence(format!("{} again", first.segment.tell()), "it was not repeated"));
    };
    us.complete(id)?;
    match second.segment == first.segment {
        true => Ok(()),
        false => Err(Finding::deviation(format!("{} again", first.segment.tell()), second.segment.tell())),
    }
}

fn client_cancels_sending(us: &mut Peer<'_, '_>) -> Verdict {
    let id = us.trigger(500)?;
    us.t.order(&Order::CancelSending)?;
    let within = us.t_ack();
    expect_cs(us, id, 0, within)?;
    let known = us.data_of(id).len();
    us.cas(id)?;
    us.pause(us.node.checkpoint_timer + us.slack())?;
    match us.data_of(id).get(known) {
        None => Ok(()),
        Some(heard) => Err(Finding::deviation("no data of a cancelled session", heard.segment.tell())),
    }
}

fn client_cancels_receiving(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(1000);
    us.red(s, 0..500)?;
    // The data must be there before the client can cancel.
    us.pause(us.round_trip() + us.t.profile().response)?;
    us.t.order(&Order::CancelReceiving)?;
    us.expect_cr(s, 0, us.t_ack())?;
    let within = us.node.cancel_timer + us.slack();
    us.expect_cr(s, 0, within)?;
    us.car(s)
}

/// A cancel segment of the node as sender.
fn expect_cs(us: &mut Peer<'_, '_>, id: Id, reason: u8, within: Duration) -> Verdict {
    let what = format!("CS with reason {reason:#04x} in session ({}, {})", id.0, id.1);
    let heard = us.expect(what.clone(), within, |heard| heard.is(code::CS, id).then(|| heard.clone()))?;
    match heard.reason() == Some(reason) {
        true => Ok(()),
        false => Err(Finding::deviation(what, heard.segment.tell())),
    }
}

fn checkpoint_is_repeated(us: &mut Peer<'_, '_>) -> Verdict {
    let id = us.trigger(500)?;
    let known = us.data_of(id).len();
    let Some(first) = us.data_of(id).last().cloned() else { return Ok(()) };
    let latest = us.node.checkpoint_timer + us.slack();
    let serial = first.segment.checkpoint();
    let again = us.next_data(id, known, first.at + latest)?;
    us.complete(id)?;
    let expected = format!("{} again, from {} to {latest} after the first", first.segment.tell(), us.round_trip());
    match again {
        None => Err(Finding::silence(expected, "it was not repeated")),
        Some(heard) if heard.segment.checkpoint() != serial => Err(Finding::deviation(expected, heard.segment.tell())),
        Some(heard) if heard.at - first.at < us.round_trip() => {
            Err(Finding::deviation(expected, format!("again after {}", heard.at - first.at)))
        }
        Some(_) => Ok(()),
    }
}

/// Never answers a block. Returns its session and how often the checkpoint was repeated before CS.
fn exhaust_checkpoints(us: &mut Peer<'_, '_>) -> Result<(Id, u32), Finding> {
    let id = us.trigger(500)?;
    let known = us.data_of(id).len();
    let rounds = i64::from(us.node.checkpoint_limit) + 2;
    let within = us.node.checkpoint_timer.saturating_mul(rounds) + us.slack();
    expect_cs(us, id, 2, within)?;
    let repeats = us.data_of(id).len() - known;
    Ok((id, u32::try_from(repeats).unwrap_or(u32::MAX)))
}

fn checkpoint_limit(us: &mut Peer<'_, '_>) -> Verdict {
    let (id, repeats) = exhaust_checkpoints(us)?;
    us.cas(id)?;
    near_limit("checkpoint", us.node.checkpoint_limit, repeats)
}

fn no_data_after_cancellation(us: &mut Peer<'_, '_>) -> Verdict {
    let (id, _) = exhaust_checkpoints(us)?;
    us.cas(id)?;
    let known = us.data_of(id).len();
    us.pause(us.node.checkpoint_timer + us.node.checkpoint_timer)?;
    match us.data_of(id).get(known) {
        None => Ok(()),
        Some(heard) => Err(Finding::deviation("no data of a cancelled session", heard.segment.tell())),
    }
}

/// Answers the newest checkpoint with a report that leaves the same gap, until the node cancels. Returns the reason, and
/// whether checkpoints were left without a report, so that their own limit may have come first.
fn stubborn(us: &mut Peer<'_, '_>, limit: u32) -> Result<(u8, bool), Finding> {
    let length = us.several();
    let id = us.trigger(length)?;
    let left = us.checkpoints(id).len() > 1;
    let expected = format!("CS after {limit} rounds of report and retransmission");
    for _ in 0..limit + 3 {
        let (_, known) = leave_gap(us, id, (1000, 1500))?;
        let until = us.now() + us.t_ack();
        let mut at = known;
        loop {
            // The cancel segment takes the place of the retransmission.
            let reason =
                |us: &mut Peer<'_, '_>| us.find(us.now(), |heard| heard.reason().filter(|_| heard.is(code::CS, id)));
            if let Some(reason) = reason(us)? {
                us.cas(id)?;
                return Ok((reason, left));
            }
            let step = (us.now() + us.slack()).min(until);
            match us.next_data(id, at, step)? {
                Some(heard) if heard.segment.checkpoint().is_some_and(|(_, report)| report != 0) => break,
                Some(_) => at += 1,
                None if us.now() >= until => {
                    if let Some(reason) = reason(us)? {
                        us.cas(id)?;
                        return Ok((reason, left));
                    }
                    return Err(Finding::silence(expected, "neither a retransmission nor CS"));
                }
                None => {}
            }
        }
    }
    us.complete(id)?;
    Err(Finding::deviation(expected, format!("the session goes on after {} rounds", limit + 3)))
}

fn transmission_problem_limit(us: &mut Peer<'_, '_>) -> Verdict {
    let Some(limit) = us.node.problem_limit else {
        return Err(Finding::unsupported("the node's problem limit is not described"));
    };
    match stubborn(us, limit)? {
        (2, _) => Ok(()),
        (reason, _) => Err(Finding::deviation("CS with reason 0x02", format!("CS with reason {reason:#04x}"))),
    }
}

fn cycle_limit(us: &mut Peer<'_, '_>) -> Verdict {
    let Some(limit) = us.node.cycle_limit else {
        return Err(Finding::unsupported("the node's limit of retransmission cycles is not described"));
    };
    match stubborn(us, limit)? {
        (5, _) => Ok(()),
        (2, left) if left || us.node.problem_limit.is_some_and(|other| other <= limit) => {
            Err(Finding::remark("CS with reason 0x05", "CS with reason 0x02, as another limit came first"))
        }
        (reason, _) => Err(Finding::deviation("CS with reason 0x05", format!("CS with reason {reason:#04x}"))),
    }
}

/// What repeats of a cancel segment came, and that they are the same, each at the cancel timer, until none comes any more.
fn cancel_repeats(us: &mut Peer<'_, '_>, session: Id, kind: u8, reason: u8) -> Result<u32, Finding> {
    let limit = us.node.cancel_limit;
    let within = us.node.cancel_timer + us.slack();
    let mut repeats = 0;
    loop {
        let until = us.now() + within;
        let next = us.find(until, |heard| heard.is(kind, session).then(|| heard.reason()))?;
        match next {
            None => return Ok(repeats),
            Some(other) if other != Some(reason) => {
                let actual = format!("reason {other:02x?}");
                return Err(Finding::deviation(format!("the same reason {reason:#04x} in every repetition"), actual));
            }
            Some(_) => repeats += 1,
        }
        if repeats > limit + 1 {
            let expected = format!("at most {} repetitions of the cancel segment", limit + 1);
            return Err(Finding::deviation(expected, format!("{repeats}")));
        }
    }
}

fn cs_is_repeated(us: &mut Peer<'_, '_>) -> Verdict {
    let (id, _) = exhaust_checkpoints(us)?;
    match cancel_repeats(us, id, code::CS, 2)? {
        0 => Err(Finding::silence("CS again, as it is not acknowledged", "it was not repeated")),
        _ => Ok(()),
    }
}

/// Has the node cancel a session as receiver. A session that it has opened, where it cancels such; otherwise one that it has
/// not.
fn provoke_cr(us: &mut Peer<'_, '_>) -> Result<(Ours, u8, bool), Finding> {
    let s = us.open(2500);
    us.green(s, code::GREEN, 1000..1500)?;
    us.red(s, 2000..2500)?;
    let until = us.now() + us.t_ack();
    match us.find(until, |heard| heard.is(code::CR, s.id).then(|| heard.reason()))? {
        Some(Some(reason)) => Ok((s, reason, true)),
        _ => {
            let s = provoke_unreachable(us)?;
            us.expect_cr(s, 1, us.t_ack())?;
            Ok((s, 1, false))
        }
    }
}

fn cr_is_repeated(us: &mut Peer<'_, '_>) -> Verdict {
    let (s, reason, live) = provoke_cr(us)?;
    match cancel_repeats(us, s.id, code::CR, reason)? {
        0 => {
            let finding = Finding::silence("CR again, as it is not acknowledged", "it was not repeated");
            // A node need not keep a timer for a session that it has never opened.
            Err(if live { finding } else { finding.at_most(Grade::Warn) })
        }
        _ => Ok(()),
    }
}

fn cancelled_session_closes(us: &mut Peer<'_, '_>) -> Verdict {
    let (s, reason, _) = provoke_cr(us)?;
    cancel_repeats(us, s.id, code::CR, reason)?;
    let mark = us.mark();
    us.pause(us.node.cancel_timer + us.node.cancel_timer)?;
    us.must_not(mark, "nothing more of the cancelled session", |heard| heard.session() == s.id)
}

fn cs_is_acknowledged(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(1000);
    us.red(s, 0..500)?;
    us.cancel(s, 0)?;
    us.expect_cas(s)
}

fn cs_for_no_session_is_acknowledged(us: &mut Peer<'_, '_>) -> Verdict {
    let unknown = us.open(100);
    us.cancel(unknown, 2)?;
    us.expect_cas(unknown)?;
    let s = us.open(1000);
    us.red(s, 0..500)?;
    us.cancel(s, 0)?;
    us.expect_cas(s)?;
    us.cancel(s, 0)?;
    us.expect_cas(s)
}

fn cr_is_acknowledged(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.begin(length)?;
    cr(us, id, 1)?;
    expect_car(us, id)?;
    us.pause(us.t_ack())?;
    let known = us.data_of(id).len();
    us.pause(us.node.checkpoint_timer + us.slack())?;
    match us.data_of(id).get(known) {
        None => Ok(()),
        Some(heard) => Err(Finding::deviation("no data of a cancelled session", heard.segment.tell())),
    }
}

fn cr_for_a_closed_session_is_acknowledged(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.begin(length)?;
    cr(us, id, 1)?;
    expect_car(us, id)?;
    let never = (us.node.engine, us.open(100).id.1);
    cr(us, never, 0)?;
    cr(us, id, 1)?;
    expect_car(us, id)?;
    match expect_car(us, never) {
        Err(finding) if finding.kind == Kind::Silence => {
            us.t.note("CR for a session that the node never originated is not acknowledged");
            Ok(())
        }
        other => other,
    }
}

fn cs_forgets_what_came(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(1000);
    let (serial, payload) = (us.serial(), us.payload(s));
    us.checkpoint(s, code::CHECKPOINT, 0..500, serial)?;
    us.report(s, serial)?;
    us.cancel(s, 0)?;
    us.expect_cas(s)?;
    let mark = us.mark();
    us.pause(us.node.report_timer.saturating_mul(3))?;
    us.must_not(mark, "no report of a session that its sender has cancelled", |heard| heard.is(code::RS, s.id))?;
    if us.t.profile().offers("oracle") && !payload.is_empty() && us.delivered(&payload, us.now())? {
        return Err(Finding::deviation("nothing delivered of a cancelled session", "the block was delivered"));
    }
    Ok(())
}

fn reserved_reasons(us: &mut Peer<'_, '_>) -> Verdict {
    for reason in [0x06, 0x7f, 0xff] {
        let s = us.open(1000);
        us.red(s, 0..500)?;
        us.cancel(s, reason)?;
    }
    us.sentinel()
}

fn acknowledgment_stops_cancel_segments(us: &mut Peer<'_, '_>) -> Verdict {
    let (s, ..) = provoke_cr(us)?;
    us.car(s)?;
    // What left before the acknowledgment came there.
    us.pause(us.round_trip())?;
    let mark = us.mark();
    let id = match exhaust_checkpoints(us) {
        Ok((id, _)) => {
            us.cas(id)?;
            us.pause(us.round_trip())?;
            Some(id)
        }
        Err(finding) if finding.kind == Kind::Unsupported => {
            us.t.note("a cancellation by the node as sender was not tried: nothing makes it send");
            None
        }
        Err(finding) => return Err(finding),
    };
    let after = us.mark();
    us.pause(us.node.cancel_timer.saturating_mul(3))?;
    let expected = "no cancel segment after its acknowledgment";
    us.must_not(mark, expected, |heard| heard.is(code::CR, s.id))?;
    us.must_not(after, expected, |heard| id.is_some_and(|id| heard.is(code::CS, id)))
}

fn unsolicited_acknowledgments(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(100);
    let unknown = (us.node.engine, s.id.1);
    let mark = us.mark();
    us.car(s)?;
    us.cas(unknown)?;
    us.sentinel()?;
    us.must_not(mark, "nothing in answer to an acknowledgment of no cancellation", |heard| {
        heard.session() == s.id || heard.session() == unknown
    })?;
    let live = us.open(1000);
    let serial = us.serial();
    us.red(live, 0..500)?;
    us.car(live)?;
    us.checkpoint(live, code::EOB, 500..1000, serial)?;
    match us.trigger(500) {
        // The node may close the session, as the text has it.
        Ok(id) => us.cas(id)?,
        Err(finding) if finding.kind == Kind::Unsupported => {}
        Err(finding) => return Err(finding),
    }
    us.sentinel()
}

/// CR MISCOLORED, which is recommended.
fn expect_miscoloured(us: &mut Peer<'_, '_>, s: Ours) -> Verdict {
    us.expect_cr(s, 3, us.t_ack())?;
    us.car(s)
}

fn red_above_green(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(2500);
    us.green(s, code::GREEN, 1000..1500)?;
    us.red(s, 2000..2500)?;
    expect_miscoloured(us, s)
}

fn green_below_red(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(2000);
    us.red(s, 1000..1500)?;
    us.green(s, code::GREEN, 0..500)?;
    expect_miscoloured(us, s)
}

fn miscoloured_data_is_not_claimed(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(2500);
    let (serial, payload) = (us.serial(), us.payload(s));
    let mark = us.mark();
    us.green(s, code::GREEN, 1000..1500)?;
    us.checkpoint(s, code::EOB, 2000..2500, serial)?;
    us.sentinel()?;
    us.must_not(mark, "no claim of the miscoloured 2000..2500", |heard| {
        let claims = |rs: super::peer::Rs| rs.claimed().within(2000..2500).next().is_some();
        heard.session() == s.id && heard.report().is_some_and(claims)
    })?;
    if us.t.profile().offers("oracle") && !payload.is_empty() && us.delivered(&payload, us.now())? {
        return Err(Finding::deviation("nothing delivered", "the block was delivered"));
    }
    Ok(())
}

fn red_above_green_at_the_end(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(2100);
    let serial = us.serial();
    us.checkpoint(s, code::CHECKPOINT, 0..500, serial)?;
    us.reported(s, serial)?;
    us.green(s, code::GREEN_EOB, 1000..1500)?;
    us.red(s, 2000..2100)?;
    expect_miscoloured(us, s)
}
