//! What a node does when its links open and close (RFC 5326 sections 6.4 to 6.6, RFC 9171 section 5.4).

use farlink_units::{Duration, Instant};
use rand::Rng;

use super::ltp;
use super::ltp::peer::{Heard, Id, Peer, Verdict, conduct};
use crate::case::{Case, Suite};
use crate::medium::{Door, Order};
use crate::outcome::Finding;
use crate::profile::Originate;
use crate::segment::code;
use crate::tester::Tester;

macro_rules! case {
    ($id:literal, [$($tag:literal),*], $judge:path) => {
        Case::new($id, Suite::Contacts, &[$($tag),*], |tester| conduct(tester, $judge))
    };
}

/// The cases of this suite.
pub const CASES: &[&[Case]] = &[&[
    case!("CONTACT-6.4-01", ["sender"], blocks_wait_for_the_contact),
    case!("CONTACT-6.4-02", ["receiver"], reports_wait_for_the_contact),
    case!("CONTACT-6.4-03", ["sender"], retransmissions_wait_for_the_contact),
    case!("CONTACT-6.5-01", ["sender", "timers"], checkpoint_timer_is_suspended),
    case!("CONTACT-6.5-02", ["receiver", "timers"], report_timer_is_suspended),
    case!("CONTACT-6.6-01", ["sender", "timers", "limits"], gaps_use_up_no_retransmissions),
    case!("CONTACT-5.4-01", ["forwarder", "lifetime"], what_expires_in_a_gap_is_not_sent),
]];

/// Whether the node still does what every node of this suite does.
///
/// # Errors
/// It does not.
pub fn alive(tester: &mut Tester<'_>) -> Result<(), Finding> {
    ltp::alive(tester)
}

/// A time without a link, by the clock of the node.
#[derive(Clone, Copy)]
struct Gap {
    closes: Instant,
    opens: Instant,
}

impl Gap {
    /// The next one, with this much time before it and longer than this.
    fn next(us: &Peer<'_, '_>, before: Duration, longer_than: Duration) -> Result<Self, Finding> {
        let contacts = &us.t.profile().contacts;
        let gaps = contacts
            .windows(2)
            .map(|two| Gap { closes: Instant::ZERO + two[0].end, opens: Instant::ZERO + two[1].start });
        let earliest = us.now() + before;
        gaps.into_iter().find(|gap| gap.closes > earliest && gap.opens - gap.closes > longer_than).ok_or_else(|| {
            Finding::unsupported(format!(
                "the node has no further gap between contacts that is longer than {longer_than}"
            ))
        })
    }

    /// An instant at the tester at which something leaves that reaches the node this long before the link closes.
    fn before_it_closes(self, us: &Peer<'_, '_>, early: Duration) -> Instant {
        self.closes - early - one_way(us)
    }
}

fn one_way(us: &Peer<'_, '_>) -> Duration {
    Duration::from_nanos(us.round_trip().as_nanos() / 2)
}

fn half_the_slack(us: &Peer<'_, '_>) -> Duration {
    Duration::from_nanos(us.slack().as_nanos() / 2)
}

fn wait_until(us: &mut Peer<'_, '_>, at: Instant) -> Verdict {
    let wait = at.saturating_since(us.now());
    us.pause(wait)
}

/// Nothing that was heard left the node in the gap.
fn nothing_left_in(us: &Peer<'_, '_>, gap: Gap, mark: usize, wrong: impl Fn(&Heard) -> bool) -> Verdict {
    // What was on its way out when the link closed may have been told to go a moment before.
    let (from, until) = (gap.closes + us.slack() + one_way(us), gap.opens + one_way(us));
    let early = us.since(mark).iter().find(|heard| heard.at > from && heard.at < until && wrong(heard));
    match early {
        None => Ok(()),
        Some(heard) => Err(Finding::deviation(
            "nothing is sent between the contacts",
            format!("{} left {} before the contact", heard.segment.tell(), until - heard.at),
        )),
    }
}

/// How long after the start of a contact what waited may take to come.
fn once_open(us: &Peer<'_, '_>, gap: Gap) -> Duration {
    (gap.opens + us.t_ack() + us.slack()).saturating_since(us.now())
}

fn blocks_wait_for_the_contact(us: &mut Peer<'_, '_>) -> Verdict {
    let gap = Gap::next(us, Duration::ZERO, us.t_ack() + us.t_ack())?;
    wait_until(us, gap.closes + us.slack())?;
    let mark = us.mark();
    us.ask_for(2000)?;
    let within = once_open(us, gap);
    let id = us.first_segment(within)?;
    us.whole_block(id)?;
    us.complete(id)?;
    nothing_left_in(us, gap, mark, |heard| heard.session() == id)
}

fn reports_wait_for_the_contact(us: &mut Peer<'_, '_>) -> Verdict {
    let gap = Gap::next(us, us.t_ack(), us.t_ack() + us.t_ack())?;
    // It reaches the node when the link from the node has closed.
    let late = us.slack() + half_the_slack(us);
    wait_until(us, gap.closes + late - one_way(us))?;
    let mark = us.mark();
    let s = us.open(500);
    let serial = us.serial();
    us.checkpoint(s, code::EOB, 0..500, serial)?;
    wait_until(us, gap.opens + us.t_ack())?;
    nothing_left_in(us, gap, mark, |heard| heard.session() == s.id)?;
    if !us.since(mark).iter().any(|heard| heard.is(code::RS, s.id)) {
        us.t.note("what arrives outside a contact is not heard");
        us.checkpoint(s, code::EOB, 0..500, serial)?;
    }
    us.reported(s, serial).map(drop)
}

/// A session of the node whose block has come, and whose link closes before a report can be answered.
fn block_before(us: &mut Peer<'_, '_>, gap: Gap, length: usize) -> Result<Id, Finding> {
    // Late enough that neither the report nor the checkpoint timer comes before the link closes; where a bundle asks for the
    // block, it is on its way before.
    let asking = match us.t.profile().originate {
        Originate::Relayed => one_way(us) + half_the_slack(us),
        _ => Duration::ZERO,
    };
    wait_until(us, gap.closes - asking - half_the_slack(us))?;
    us.trigger(length)
}

fn retransmissions_wait_for_the_contact(us: &mut Peer<'_, '_>) -> Verdict {
    let early = us.t_ack() + us.t_ack();
    let gap = Gap::next(us, early, us.t_ack() + us.t_ack())?;
    let id = block_before(us, gap, us.several())?;
    let end = us.block_end(id).ok_or_else(|| Finding::inconclusive("a whole block", "its end has not come"))?;
    let (known, mark) = (us.data_of(id).len(), us.mark());
    let late = us.slack() + half_the_slack(us);
    wait_until(us, gap.closes + late - one_way(us))?;
    let checkpoint = us.last_checkpoint(id)?;
    us.rs(id, checkpoint, end, 0, &[(0, 100), (300, end - 300)])?;
    wait_until(us, gap.opens)?;
    let again = us.next_data(id, known, gap.opens + us.t_ack() + us.slack())?;
    nothing_left_in(us, gap, mark, |heard| heard.session() == id)?;
    if again.is_none() {
        us.t.note("a report that arrives outside a contact is not heard");
    }
    us.complete(id).map(drop)
}

fn checkpoint_timer_is_suspended(us: &mut Peer<'_, '_>) -> Verdict {
    let timer = us.node.checkpoint_timer;
    let gap = Gap::next(us, us.t_ack() + us.t_ack(), timer + timer)?;
    let id = block_before(us, gap, 500)?;
    let (known, mark) = (us.data_of(id).len(), us.mark());
    wait_until(us, gap.opens)?;
    nothing_left_in(us, gap, mark, |heard| heard.session() == id)?;
    let repeated = us.next_data(id, known, gap.opens + timer + us.t_ack() + us.slack())?;
    let Some(repeated) = repeated else {
        return Err(Finding::silence("the checkpoint again in the contact, since no report has come", "nothing"));
    };
    // The peer could not answer before the contact opened, so the answer needs at least a round trip from then on.
    let least = gap.opens + us.round_trip();
    us.complete(id)?;
    match repeated.at < least {
        false => Ok(()),
        true => Err(Finding::deviation(
            "the timer goes on from where the contact had closed",
            format!(
                "the checkpoint left {} after the contact opened, when no answer could have come yet",
                repeated.at - one_way(us) - gap.opens
            ),
        )),
    }
}

fn report_timer_is_suspended(us: &mut Peer<'_, '_>) -> Verdict {
    let timer = us.node.report_timer;
    let gap = Gap::next(us, us.t_ack(), timer + timer)?;
    wait_until(us, gap.before_it_closes(us, us.slack() + half_the_slack(us)))?;
    let s = us.open(500);
    let serial = us.serial();
    us.checkpoint(s, code::EOB, 0..500, serial)?;
    let first = us.report(s, serial)?;
    let mark = us.mark();
    wait_until(us, gap.opens)?;
    nothing_left_in(us, gap, mark, |heard| heard.session() == s.id)?;
    let expected = "the report again in the contact, since it was not acknowledged";
    let within = (gap.opens + timer + us.t_ack() + us.slack()).saturating_since(us.now());
    let again = us.expect(expected, within, |heard| heard.report().filter(|_| heard.session() == s.id))?;
    us.ack(s, again.serial)?;
    match again.same(&first) {
        true => Ok(()),
        false => Err(Finding::deviation(format!("the same report as before: {}", first.tell()), again.tell())),
    }
}

fn gaps_use_up_no_retransmissions(us: &mut Peer<'_, '_>) -> Verdict {
    let timer = us.node.checkpoint_timer.saturating_mul(i64::from(us.node.checkpoint_limit) + 1);
    let gap = Gap::next(us, us.t_ack() + us.t_ack(), timer)?;
    let id = block_before(us, gap, 500)?;
    let mark = us.mark();
    wait_until(us, gap.opens + half_the_slack(us))?;
    us.complete(id)?;
    us.pause(us.t_ack())?;
    us.must_not(mark, "no CS after a gap in which no report could come", |heard| heard.is(code::CS, id))
}

fn what_expires_in_a_gap_is_not_sent(us: &mut Peer<'_, '_>) -> Verdict {
    if us.t.profile().originate != Originate::Ordered {
        return Err(Finding::unsupported("the node has no command that sends bundles with a lifetime"));
    }
    let gap = Gap::next(us, Duration::ZERO, us.t_ack() + us.t_ack())?;
    wait_until(us, gap.closes + us.slack())?;
    let short = Duration::from_nanos((gap.opens - us.now()).as_nanos() / 2);
    let payloads: [Vec<u8>; 2] = std::array::from_fn(|_| {
        let mut payload = vec![0; 300];
        us.t.rng.fill_bytes(&mut payload);
        payload
    });
    for (payload, lifetime) in payloads.iter().zip([short, Duration::from_secs(3600)]) {
        let payload = payload.clone();
        us.t.order(&Order::Originate { door: Door::Ltp, payload, lifetime, flags: 0, anonymous: false })?;
    }
    wait_until(us, gap.opens + us.t_ack() + us.slack())?;
    // The case asked for no session, so these are answered as any other.
    let sent = |payload: &Vec<u8>| {
        us.foreign().iter().any(|heard| heard.segment.data().windows(payload.len()).any(|window| window == payload))
    };
    match (sent(&payloads[0]), sent(&payloads[1])) {
        (false, true) => Ok(()),
        (true, _) => Err(Finding::deviation("no bundle whose lifetime is over", "it is sent")),
        (false, false) => Err(Finding::silence("the bundle that is still of use", "it is not sent in the contact")),
    }
}
