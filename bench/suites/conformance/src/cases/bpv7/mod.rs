//! The Bundle Protocol version 7 (RFC 9171).

mod delivery;
mod expiry;
mod extensions;
mod flags;
mod forwarding;
pub(super) mod fragments;
mod hostile;
mod malformed;
mod names;
mod reports;
mod structure;
mod unknown;

use crate::bundle::rules::Rule;
use crate::bundle::{Block, Emitted, block_type, content};
use crate::case::Case;
use crate::catalogue::Grade;
use crate::exchange::Exchange;
use crate::outcome::{Finding, Kind};
use crate::peer::{Peer, is_own};
use crate::profile::Profile;
use crate::tester::Tester;

/// The cases of this suite.
pub const CASES: &[&[Case]] = &[
    structure::CASES,
    malformed::CASES,
    hostile::CASES,
    flags::CASES,
    names::CASES,
    extensions::CASES,
    forwarding::CASES,
    expiry::CASES,
    unknown::CASES,
    delivery::CASES,
    fragments::CASES,
    reports::CASES,
];

/// Whether the node still does what every node of this suite does.
///
/// # Errors
/// It does not.
pub fn alive(tester: &mut Tester<'_>) -> Result<(), Finding> {
    Peer::new(tester)?.alive()
}

/// What every bundle of an exchange must keep.
fn every(exchange: &Exchange, expected: &str, rule: Rule) -> Result<(), Finding> {
    exchange.bundles.iter().try_for_each(|(_, octets)| rule(octets).map_err(|why| Finding::deviation(expected, why)))
}

/// What every bundle of an exchange must keep that the node has made.
fn every_own(
    exchange: &Exchange,
    profile: &Profile,
    rule: impl Fn(&Emitted) -> Result<(), Finding>,
) -> Result<(), Finding> {
    let Some(node) = &profile.bundles else { return Ok(()) };
    let all = exchange.bundles.iter().filter_map(|(_, octets)| Emitted::read(octets));
    all.filter(|bundle| is_own(bundle, node)).try_for_each(|bundle| rule(&bundle))
}

/// Bundles of every kind: one that is forwarded with the blocks that every node knows and one that it does not, and what the
/// node can be made to send by itself.
fn traffic(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let unknown = peer.node.unknown_blocks[0];
    let base = peer
        .bundle()
        .with(Block::new(block_type::BUNDLE_AGE, 2, 0, &content::age(100)))
        .with(Block::new(block_type::HOP_COUNT, 3, 0, &content::hops(30, 0)))
        .with(Block::new(unknown, 7, 0, b"what others know"));
    peer.pass(&base)?;
    match peer.own_traffic() {
        Err(finding) if finding.kind == Kind::Unsupported => Ok(()),
        other => other.map(drop),
    }
}

/// Makes the node send bundles of its own.
fn own_traffic(tester: &mut Tester<'_>) -> Result<(), Finding> {
    Peer::new(tester)?.own_traffic().map(drop)
}

/// The gravest of what was found.
fn worst_of(found: Vec<Finding>) -> Result<(), Finding> {
    let grave = |finding: &&Finding| finding.outcome(Grade::Fail).is_failure(false);
    match found.iter().find(grave).or(found.first()) {
        Some(finding) => Err(finding.clone()),
        None => Ok(()),
    }
}
