//! The form of everything that a node sends (§4.1, §4.2.1, §4.2.2, §4.2.8, §4.3).

use super::{every, every_own, own_traffic, traffic};
use crate::bundle::{Block, Crc, Width, block_type, content, rules};
use crate::case::{Case, Suite};
use crate::outcome::Finding;
use crate::peer::Peer;
use crate::tester::Tester;

pub const CASES: &[Case] = &[
    Case::new("BP7-4.1-01", Suite::Bpv7, &["structure"], traffic).watching(|exchange, _| {
        every(exchange, "one indefinite-length array, closed by a break, and nothing after it", rules::outer)
    }),
    Case::new("BP7-4.1-02", Suite::Bpv7, &["structure", "source"], own_traffic).watching(|exchange, profile| {
        every_own(exchange, profile, |bundle| match rules::deterministic(&bundle.octets) {
            Ok(()) => Ok(()),
            Err((true, why)) => Err(Finding::deviation("deterministic encoding", why)),
            Err((false, why)) => Err(Finding::remark("deterministic encoding", why)),
        })
    }),
    Case::new("BP7-4.1-03", Suite::Bpv7, &["structure"], traffic)
        .watching(|exchange, _| every(exchange, "a primary block, then canonical blocks", rules::block_shapes)),
    Case::new("BP7-4.1-04", Suite::Bpv7, &["structure"], traffic)
        .watching(|exchange, _| every(exchange, "one payload block, the last, with number 1", rules::payload_is_last)),
    Case::new("BP7-4.1-05", Suite::Bpv7, &["structure"], block_numbers),
    Case::new("BP7-4.2.1-01", Suite::Bpv7, &["structure", "crc"], traffic)
        .watching(|exchange, _| every(exchange, "CRC type 0, 1 or 2", rules::crc_types)),
    Case::new("BP7-4.2.1-02", Suite::Bpv7, &["structure", "crc"], both_crcs),
    Case::new("BP7-4.2.2-01", Suite::Bpv7, &["structure", "crc"], traffic)
        .watching(|exchange, _| every(exchange, "a CRC exactly if the CRC type is not 0", rules::crc_presence)),
    Case::new("BP7-4.2.8-01", Suite::Bpv7, &["structure", "extension blocks"], standard_blocks)
        .watching(|exchange, profile| every_own(exchange, profile, |bundle| right_content(&bundle.octets))),
    Case::new("BP7-4.3.1-01", Suite::Bpv7, &["structure"], primary_forms)
        .watching(|exchange, _| every(exchange, "8 to 11 elements in the primary block", rules::primary_elements)),
    Case::new("BP7-4.3.1-03", Suite::Bpv7, &["structure", "source", "crc"], own_traffic).watching(
        |exchange, profile| {
            every_own(exchange, profile, |bundle| {
                let integrity = bundle.blocks.iter().filter(|b| b.block_type == block_type::INTEGRITY);
                let targets_primary = integrity.clone().any(|block| names_primary(&block.data));
                match bundle.head.crc_type != 0 || targets_primary {
                    true => Ok(()),
                    false => Err(Finding::deviation(
                        "a CRC on the primary block, or a block integrity block that targets it",
                        "neither is there",
                    )),
                }
            })
        },
    ),
    Case::new("BP7-4.3.1-05", Suite::Bpv7, &["structure", "source", "crc"], own_traffic).watching(
        |exchange, profile| {
            every_own(exchange, profile, |bundle| match bundle.head.crc_is_right {
                Some(false) => Err(Finding::deviation("the right CRC on the primary block", "another one")),
                _ => Ok(()),
            })
        },
    ),
    Case::new("BP7-4.3.1-11", Suite::Bpv7, &["structure", "fragments"], primary_forms).watching(|exchange, _| {
        every(exchange, "offset and total length exactly in fragments", rules::fragment_fields)
    }),
    Case::new("BP7-4.3.2-01", Suite::Bpv7, &["structure"], traffic)
        .watching(|exchange, _| every(exchange, "5 or 6 elements in each block", rules::canonical_elements)),
    Case::new("BP7-4.3.2-02", Suite::Bpv7, &["structure"], traffic)
        .watching(|exchange, _| every(exchange, "data as a byte string of definite length", rules::data_is_definite)),
    Case::new("BP7-4.3.2-04", Suite::Bpv7, &["structure", "crc"], updated_blocks),
];

/// Whether the targets of a security block, the first item of its data (RFC 9172 section 3.6), include the primary block.
fn names_primary(data: &[u8]) -> bool {
    let targets = crate::bundle::cbor::read(data, 0).ok();
    let targets = targets.as_ref().and_then(crate::bundle::cbor::Item::array);
    targets.is_some_and(|targets| targets.iter().any(|target| target.unsigned() == Some(0)))
}

fn block_numbers(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let [x1, x2, x3] = peer.node.unknown_blocks;
    let base = peer
        .bundle()
        .with(Block::new(x1, 2, 0, b"first"))
        .with(Block::new(x2, 3, 0, b"second"))
        .with(Block::new(x3, 7, 0, b"third"));
    let (_, bundle) = peer.pass(&base)?;
    rules::numbers_are_unique(&bundle.octets).map_err(|why| Finding::deviation("unique block numbers", why))?;
    for (block_type, number) in [(x1, 2), (x2, 3), (x3, 7)] {
        if let Some(block) = bundle.block(block_type).filter(|block| block.number != number) {
            let actual = format!("it is {}", block.number);
            return Err(Finding::deviation(
                format!("the block of type {block_type} keeps its number {number}"),
                actual,
            ));
        }
    }
    Ok(())
}

fn both_crcs(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    use Width::{Sixteen, ThirtyTwo};
    for (primary, payload) in [(Sixteen, Sixteen), (ThirtyTwo, ThirtyTwo), (Sixteen, ThirtyTwo), (ThirtyTwo, Sixteen)] {
        let base = peer.bundle().primary_crc(Crc::Right(primary)).payload_crc(Crc::Right(payload));
        let (_, bundle) = peer.pass(&base)?;
        rules::crcs_are_right(&bundle.octets).map_err(|why| Finding::deviation("right CRCs", why))?;
    }
    Ok(())
}

fn standard_blocks(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let base = peer
        .bundle()
        .with(Block::new(block_type::PREVIOUS_NODE, 2, 0, &content::previous_node()))
        .with(Block::new(block_type::BUNDLE_AGE, 3, 0, &content::age(100)))
        .with(Block::new(block_type::HOP_COUNT, 4, 0, &content::hops(30, 0)));
    let (_, bundle) = peer.pass(&base)?;
    right_content(&bundle.octets)
}

fn right_content(octets: &[u8]) -> Result<(), Finding> {
    rules::content(octets).map_err(|why| Finding::deviation("the content that the block type prescribes", why))
}

/// Primary blocks of all four lengths. Whether the node takes one without a CRC is not judged here.
fn primary_forms(tester: &mut Tester<'_>) -> Result<(), Finding> {
    traffic(tester)?;
    let mut peer = Peer::new(tester)?;
    let bare = peer.bundle().primary_crc(Crc::Absent);
    peer.send(&bare)?;
    let bare_fragment = peer.bundle().fragment(500, 2000).primary_crc(Crc::Absent);
    peer.send(&bare_fragment)?;
    let fragment = peer.bundle().fragment(500, 2000);
    peer.pass(&fragment)?;
    peer.settle()
}

fn updated_blocks(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    for width in [Width::Sixteen, Width::ThirtyTwo] {
        let hops = Block::new(block_type::HOP_COUNT, 2, 0, &content::hops(30, 0)).crc(Crc::Right(width));
        let age = Block::new(block_type::BUNDLE_AGE, 3, 0, &content::age(1000)).crc(Crc::Right(width));
        let base = peer.bundle().with(hops).with(age);
        let (_, bundle) = peer.pass(&base)?;
        rules::crcs_are_right(&bundle.octets).map_err(|why| Finding::deviation("right CRCs", why))?;
    }
    Ok(())
}
