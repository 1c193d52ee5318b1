//! Fragments that a node makes or passes on (§5.8).

use super::worst_of;
use crate::bundle::{Block, Draft, Emitted, block_flags, block_type, content, flags, rules};
use crate::case::{Case, Suite};
use crate::outcome::Finding;
use crate::peer::{Peer, Sent};
use crate::tester::Tester;

pub const CASES: &[Case] = &[
    Case::new("BP7-5.8-01", Suite::Bpv7, &["fragments", "fragmenter"], stays_whole),
    Case::new("BP7-5.8-02", Suite::Bpv7, &["fragments", "fragmenter"], payloads_add_up),
    Case::new("BP7-5.8-03", Suite::Bpv7, &["fragments", "fragmenter"], primary_blocks),
    Case::new("BP7-5.8-04", Suite::Bpv7, &["fragments", "fragmenter"], first_has_all),
    Case::new("BP7-5.8-05", Suite::Bpv7, &["fragments", "fragmenter"], replicated),
    Case::new("BP7-5.8-06", Suite::Bpv7, &["fragments", "fragmenter"], of_a_fragment),
    Case::new("BP7-5.8-07", Suite::Bpv7, &["fragments", "forwarder"], passes_on),
];

/// How many fragments a long bundle needs at least.
const PIECES: usize = 5;

/// The longest bundle that the node sends in one piece.
fn limit(peer: &Peer<'_, '_>) -> Result<usize, Finding> {
    let why = "the profile does not say how long a bundle the node sends";
    peer.node.longest_bundle.ok_or_else(|| Finding::unsupported(why))
}

/// Octets of a payload that does not go in one piece.
fn long_payload(peer: &mut Peer<'_, '_>) -> Result<Vec<u8>, Finding> {
    let length = PIECES * limit(peer)? + 7;
    let longest = peer.longest().saturating_sub(500);
    if longest <= limit(peer)? {
        return Err(Finding::unsupported("the node takes no bundle that is longer than those it sends"));
    }
    Ok(peer.random(length.min(longest)))
}

/// The fragments of a bundle, as they come, until they cover its payload. `begin` is the offset of its first octet.
pub(crate) fn fragments_of(peer: &mut Peer<'_, '_>, sent: &Sent, begin: u64) -> Result<Vec<Emitted>, Finding> {
    let mut fragments: Vec<Emitted> = Vec::new();
    let length = sent.payload.len() as u64;
    loop {
        let until = peer.due(peer.tester.now());
        let Some((_, bundle)) = peer.forwarded_until(sent, until)? else {
            let actual = format!("{} fragments came", fragments.len());
            return Err(Finding::silence("fragments that make up the bundle", actual));
        };
        if bundle.head.fragment.is_none() {
            return Err(Finding::deviation("fragments of a bundle that is too long", "it came in one piece"));
        }
        fragments.push(bundle);
        let mut covered = begin;
        let mut extents: Vec<(u64, u64)> = fragments.iter().filter_map(extent).collect();
        extents.sort_unstable();
        for (from, to) in extents {
            if from <= covered {
                covered = covered.max(to);
            }
        }
        if covered >= begin + length {
            return Ok(fragments);
        }
    }
}

fn extent(bundle: &Emitted) -> Option<(u64, u64)> {
    let (offset, _) = bundle.head.fragment?;
    Some((offset, offset.saturating_add(bundle.payload().len() as u64)))
}

fn long_bundle(peer: &mut Peer<'_, '_>) -> Result<Draft, Finding> {
    let payload = long_payload(peer)?;
    Ok(peer.bundle().payload(&payload))
}

fn stays_whole(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let base = long_bundle(&mut peer)?.flags(flags::WHOLE);
    let sent = peer.send(&base)?;
    peer.settle()?;
    let until = peer.tester.now();
    match peer.forwarded_until(&sent, until)? {
        Some((_, bundle)) if bundle.head.fragment.is_some() => {
            Err(Finding::deviation("a bundle that forbids it is not fragmented", "a fragment came"))
        }
        Some(_) => {
            peer.tester.note("the node sends a bundle that is longer than it should send in one piece");
            Ok(())
        }
        None => Ok(()),
    }
}

/// The octets of fragments are those of the bundle.
pub(crate) fn octets_match(fragments: &[Emitted], sent: &Sent, begin: u64) -> Result<(), Finding> {
    for fragment in fragments {
        let Some((from, to)) = extent(fragment) else { continue };
        let original = from
            .checked_sub(begin)
            .zip(to.checked_sub(begin))
            .and_then(|(from, to)| sent.payload.get(usize::try_from(from).ok()?..usize::try_from(to).ok()?));
        if original != Some(fragment.payload()) {
            let expected = format!("octets {from} to {to} of the data");
            return Err(Finding::deviation(expected, "others, or beyond its end"));
        }
    }
    Ok(())
}

fn payloads_add_up(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let base = long_bundle(&mut peer)?;
    let sent = peer.send(&base)?;
    let fragments = fragments_of(&mut peer, &sent, 0)?;
    octets_match(&fragments, &sent, 0)
}

/// What of the primary block must stay, and what must not.
pub(crate) fn primary_matches(fragments: &[Emitted], original: &Emitted, total: u64) -> Result<(), Finding> {
    for fragment in fragments {
        let (head, whole) = (&fragment.head, &original.head);
        if head.flags != whole.flags | flags::FRAGMENT {
            let expected = format!("flags {:#x}", whole.flags | flags::FRAGMENT);
            return Err(Finding::deviation(expected, format!("{:#x}", head.flags)));
        }
        let same = (&head.destination, &head.source, &head.report_to, head.created, head.lifetime)
            == (&whole.destination, &whole.source, &whole.report_to, whole.created, whole.lifetime);
        if !same {
            return Err(Finding::deviation(
                "endpoints, creation timestamp and lifetime as before",
                "they were changed",
            ));
        }
        if head.fragment.map(|(_, told)| told) != Some(total) {
            let actual = format!("{:?}", head.fragment);
            return Err(Finding::deviation(format!("a total length of {total}"), actual));
        }
        if head.crc_type != whole.crc_type || head.crc_is_right == Some(false) {
            return Err(Finding::deviation("a right CRC of the same type", "another type, or a wrong one"));
        }
        rules::fragment_fields(&fragment.octets)
            .map_err(|why| Finding::deviation("a fragment within its data", why))?;
    }
    Ok(())
}

pub(crate) fn as_sent(sent: &Sent) -> Result<Emitted, Finding> {
    Emitted::read(&sent.octets).ok_or_else(|| Finding::bench_error("what the tester has sent cannot be read"))
}

fn primary_blocks(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let base = long_bundle(&mut peer)?;
    let sent = peer.send(&base)?;
    let fragments = fragments_of(&mut peer, &sent, 0)?;
    primary_matches(&fragments, &as_sent(&sent)?, sent.payload.len() as u64)
}

/// Fragments of a bundle with a block of the first unknown type, one of the second that is to be replicated, and a hop count.
fn with_blocks(peer: &mut Peer<'_, '_>) -> Result<Vec<Emitted>, Finding> {
    let [x1, x2, _] = peer.node.unknown_blocks;
    let base = long_bundle(peer)?
        .with(Block::new(x1, 2, 0, b"in the first"))
        .with(Block::new(x2, 3, block_flags::REPLICATE, b"in each"))
        .with(Block::new(block_type::HOP_COUNT, 4, 0, &content::hops(30, 0)));
    let sent = peer.send(&base)?;
    fragments_of(peer, &sent, 0)
}

/// A block that is missing where it must be. One that is in no fragment may have been removed before the bundle was cut, as §4.4
/// lets every node do.
fn missing(fragments: &[Emitted], code: u64, expected: &str) -> Finding {
    match fragments.iter().any(|fragment| fragment.block(code).is_some()) {
        true => Finding::deviation(expected, format!("the block of type {code} is in others only")),
        false => Finding::warning(expected, format!("the block of type {code} is in none")),
    }
}

fn first_has_all(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let [x1, x2, _] = peer.node.unknown_blocks;
    let fragments = with_blocks(&mut peer)?;
    let first = fragments.iter().find(|fragment| fragment.head.fragment.is_some_and(|(offset, _)| offset == 0));
    let lacks = |code: &u64| first.is_none_or(|fragment| fragment.block(*code).is_none());
    let found: Vec<Finding> = [x1, x2, block_type::HOP_COUNT]
        .into_iter()
        .filter(lacks)
        .map(|code| missing(&fragments, code, "every extension block in the first fragment"))
        .collect();
    worst_of(found)
}

fn replicated(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let replicate = peer.node.unknown_blocks[1];
    let fragments = with_blocks(&mut peer)?;
    in_each(&fragments, replicate)
}

fn in_each(fragments: &[Emitted], code: u64) -> Result<(), Finding> {
    match fragments.iter().all(|fragment| fragment.block(code).is_some()) {
        true => Ok(()),
        false => Err(missing(fragments, code, "each fragment has the block that is to be replicated")),
    }
}

fn of_a_fragment(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let replicate = peer.node.unknown_blocks[1];
    let payload = long_payload(&mut peer)?;
    let begin = payload.len() as u64;
    let total = 4 * begin;
    let base = peer.bundle().payload(&payload).fragment(begin, total).with(Block::new(
        replicate,
        3,
        block_flags::REPLICATE,
        b"in each",
    ));
    let sent = peer.send(&base)?;
    let fragments = fragments_of(&mut peer, &sent, begin)?;
    octets_match(&fragments, &sent, begin)?;
    primary_matches(&fragments, &as_sent(&sent)?, total)?;
    in_each(&fragments, replicate)
}

fn passes_on(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let base = peer.bundle().fragment(500, 2000);
    let (sent, bundle) = peer.pass(&base)?;
    match bundle.head.octets == sent.primary {
        true => Ok(()),
        false => Err(Finding::deviation("the primary block of a fragment stays octet for octet", "it was changed")),
    }
}
