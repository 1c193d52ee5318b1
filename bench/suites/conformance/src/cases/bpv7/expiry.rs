//! How long bundles live (§4.3.1, §5.5).

use farlink_units::Duration;

use crate::bundle::{Block, Draft, block_type, content, flags, reason};
use crate::case::{Case, Suite};
use crate::outcome::Finding;
use crate::peer::{Peer, Sent};
use crate::tester::Tester;

pub const CASES: &[Case] = &[
    Case::new("BP7-4.3.1-09", Suite::Bpv7, &["expiry", "time"], already_old),
    Case::new("BP7-5.5-01", Suite::Bpv7, &["expiry", "time"], expires_here),
    Case::new("BP7-5.5-02", Suite::Bpv7, &["expiry", "reports"], expiry_is_reported),
    Case::new("BP7-5.5-03", Suite::Bpv7, &["expiry", "extension blocks"], age_counts),
    Case::new("BP7-5.5-04", Suite::Bpv7, &["expiry", "extension blocks"], time_here_counts),
    Case::new("BP7-5.5-05", Suite::Bpv7, &["expiry", "time"], milliseconds),
    Case::new("BP7-5.5-06", Suite::Bpv7, &["expiry", "time", "hostile"], from_the_future),
];

fn already_old(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let (then, number) = (peer.dtn_time().saturating_sub(20_000), peer.next_sequence());
    let base = peer.bundle().created(then, number).lifetime(10_000);
    let sent = peer.send(&base)?;
    peer.settle()?;
    peer.was_dropped(&sent, "it is older than its lifetime").map_err(|finding| finding.at_most(crate::Grade::Warn))
}

/// Sends a bundle of which the life ends while the way is closed, and opens the way afterwards.
fn held_beyond(peer: &mut Peer<'_, '_>, draft: &Draft, left: Duration) -> Result<Sent, Finding> {
    peer.set_route(false)?;
    let sent = peer.send(draft)?;
    let until = sent.at + peer.tester.profile().round_trip + left + peer.node.expiry + peer.node.skew;
    peer.rest_until(until)?;
    peer.set_route(true)?;
    Ok(sent)
}

/// A bundle that lives for so long from now on, whatever the node goes by.
fn lives_for(peer: &mut Peer<'_, '_>, left: Duration) -> Draft {
    let lifetime = left.as_millis().unsigned_abs();
    let base = peer.bundle().lifetime(lifetime);
    match peer.offers("clock") {
        true => base,
        false => {
            let number = peer.next_sequence();
            base.created(0, number).with(Block::new(block_type::BUNDLE_AGE, 2, 0, &content::age(0)))
        }
    }
}

/// Long enough to arrive and to wait.
fn short_life(peer: &Peer<'_, '_>) -> Duration {
    let profile = peer.tester.profile();
    profile.round_trip + profile.response + peer.node.skew + Duration::from_secs(1)
}

fn expires_here(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let left = short_life(&peer);
    let base = lives_for(&mut peer, left);
    let sent = held_beyond(&mut peer, &base, left)?;
    peer.settle()?;
    peer.was_dropped(&sent, "its lifetime ended while the way was closed")
}

fn expiry_is_reported(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let left = short_life(&peer);
    let base = lives_for(&mut peer, left).flags(flags::DELETION);
    let sent = held_beyond(&mut peer, &base, left)?;
    let (_, report) = peer.report(&sent, "deleted", |report| report.deleted())?;
    match report.reason {
        reason::EXPIRED | reason::PARED => Ok(()),
        other => Err(Finding::deviation("reason 1, lifetime expired", other.to_string())),
    }
}

fn age_counts(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let aged = |peer: &mut Peer<'_, '_>, age_ms: u64| {
        let number = peer.next_sequence();
        let age = Block::new(block_type::BUNDLE_AGE, 2, 0, &content::age(age_ms));
        let draft = peer.bundle().created(0, number).lifetime(10_000).with(age);
        peer.send(&draft)
    };
    let old = aged(&mut peer, 20_000)?;
    let young = aged(&mut peer, 100)?;
    peer.forwarded(&young)?;
    peer.settle()?;
    peer.was_dropped(&old, "its age of 20 s exceeds its lifetime of 10 s")
}

fn time_here_counts(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let left = short_life(&peer);
    let left_ms = left.as_millis().unsigned_abs();
    let number = peer.next_sequence();
    let age = Block::new(block_type::BUNDLE_AGE, 2, 0, &content::age(left_ms));
    let base = peer.bundle().created(0, number).lifetime(2 * left_ms).with(age);
    let sent = held_beyond(&mut peer, &base, left + Duration::from_secs(1))?;
    peer.settle()?;
    peer.was_dropped(&sent, "its age came to exceed its lifetime while the way was closed")
}

fn milliseconds(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let fresh = peer.bundle().lifetime(60_000);
    let (then, number) = (peer.dtn_time().saturating_sub(90_000), peer.next_sequence());
    let stale = peer.bundle().created(then, number).lifetime(60_000);
    let stale = peer.send(&stale)?;
    peer.pass(&fresh)?;
    peer.settle()?;
    peer.was_dropped(&stale, "it was created 90 s ago with a lifetime of 60 s")
}

fn from_the_future(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let tomorrow = peer.dtn_time() + 86_400_000;
    for (what, time) in [("a day ahead", tomorrow), ("at 2^63", 1 << 63)] {
        let number = peer.next_sequence();
        let base = peer.bundle().created(time, number);
        let sent = peer.send(&base)?;
        peer.settle()?;
        let outcome = if peer.came_back(&sent).is_some() { "forwards" } else { "keeps or deletes" };
        peer.tester.note(format!("the node {outcome} a bundle that was created {what}"));
    }
    Ok(())
}
