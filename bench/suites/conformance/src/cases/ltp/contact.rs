//! What the schedule of the link does to segments and timers (RFC 5326 sections 6.4 to 6.6).

use farlink_units::{Duration, Instant};

use super::peer::{Peer, Verdict};
use crate::case::Case;
use crate::outcome::Finding;
use crate::profile::{ContactProfile, Originate};
use crate::segment::code;

pub(super) const CASES: &[Case] = &[
    case!("LTP-6.4-01", ["contacts", "sender"], nothing_is_sent_in_a_gap),
    case!("LTP-6.5-01", ["contacts", "sender", "timers"], timers_wait_for_the_contact),
];

/// The next gap in the schedule that begins after `from` and is longer than `least`: the contact before it and that after it.
fn gap(us: &Peer<'_, '_>, from: Instant, least: Duration) -> Result<(ContactProfile, ContactProfile), Finding> {
    let contacts = &us.t.profile().contacts;
    let fits = |two: &&[ContactProfile]| {
        Instant::ZERO + two[0].end > from && two[1].start.as_nanos() - two[0].end.as_nanos() > least.as_nanos()
    };
    match contacts.windows(2).find(fits) {
        Some(two) => Ok((two[0], two[1])),
        None => Err(Finding::unsupported(format!("the node has no further gap between contacts longer than {least}"))),
    }
}

fn wait_until(us: &mut Peer<'_, '_>, at: Instant) -> Verdict {
    let wait = at.saturating_since(us.now());
    us.pause(wait)
}

fn nothing_is_sent_in_a_gap(us: &mut Peer<'_, '_>) -> Verdict {
    if us.t.profile().originate != Originate::Ordered {
        return Err(Finding::unsupported("nothing but an order makes the node send while its link is closed"));
    }
    let (before, after) = gap(us, us.now(), us.t_ack() + us.t_ack())?;
    wait_until(us, Instant::ZERO + before.end + us.slack())?;
    us.ask_for(500)?;
    let opens = Instant::ZERO + after.start;
    let within = opens.saturating_since(us.now()) + us.t_ack() + us.slack();
    let id = us.first_segment(within)?;
    let came = us.data_of(id).first().map_or(opens, |heard| heard.at);
    us.whole_block(id)?;
    us.complete(id)?;
    match came < opens {
        false => Ok(()),
        true => {
            let early = opens - came;
            Err(Finding::deviation("no segment before the contact opens", format!("one {early} before")))
        }
    }
}

fn timers_wait_for_the_contact(us: &mut Peer<'_, '_>) -> Verdict {
    let timer = us.node.checkpoint_timer;
    let (before, after) = gap(us, us.now() + us.t_ack(), timer.saturating_mul(5))?;
    let closes = Instant::ZERO + before.end;
    // Early enough that the block leaves, and too late for its report to leave before the contact closes.
    let early = Duration::from_nanos(us.round_trip().as_nanos() / 2 + us.t.profile().response.as_nanos() / 2);
    wait_until(us, closes - early)?;
    let id = us.trigger(500)?;
    let known = us.data_of(id).len();
    let mark = us.mark();
    let opens = Instant::ZERO + after.start;
    wait_until(us, opens)?;
    if let Some(heard) = us.data_of(id).get(known) {
        let expected = "no repetition of the checkpoint while its report cannot come";
        return Err(Finding::deviation(expected, heard.segment.tell()));
    }
    us.must_not(mark, "no CS while no report can come", |heard| heard.is(code::CS, id))?;
    us.complete(id).map(drop)
}
