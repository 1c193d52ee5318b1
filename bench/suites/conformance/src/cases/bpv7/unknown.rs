//! Extension blocks that the node does not know (§5.6 step 4).

use crate::bundle::{Block, Crc, EmittedBlock, Width, block_flags, flags, reason};
use crate::case::{Case, Suite};
use crate::outcome::Finding;
use crate::peer::Peer;
use crate::tester::Tester;

pub const CASES: &[Case] = &[
    Case::new("BP7-5.6-06", Suite::Bpv7, &["unknown blocks", "reports"], report_on_demand),
    Case::new("BP7-5.6-07", Suite::Bpv7, &["unknown blocks"], delete_on_demand),
    Case::new("BP7-5.6-08", Suite::Bpv7, &["unknown blocks"], discard_on_demand),
    Case::new("BP7-5.6-09", Suite::Bpv7, &["unknown blocks"], kept_otherwise),
    Case::new("BP7-5.6-10", Suite::Bpv7, &["unknown blocks"], deletion_goes_first),
    Case::new("BP7-5.6-11", Suite::Bpv7, &["unknown blocks"], each_by_its_own),
];

fn report_on_demand(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let unknown = peer.node.unknown_blocks[0];
    let base = peer.bundle().with(Block::new(unknown, 2, block_flags::REPORT, b"x"));
    let sent = peer.send(&base)?;
    peer.forwarded(&sent)?;
    let (_, report) = peer.report(&sent, "received", |report| report.received())?;
    match report.reason {
        reason::UNSUPPORTED => Ok(()),
        other => Err(Finding::warning("reason 11, block unsupported", other.to_string())),
    }
}

fn delete_on_demand(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let unknown = peer.node.unknown_blocks[0];
    let block = Block::new(unknown, 2, block_flags::DELETE, b"x");
    let remote = peer.bundle().with(block.clone());
    let remote = peer.send(&remote)?;
    let local = peer.local_bundle().with(block.clone());
    let local = peer.send(&local)?;
    let asking = peer.bundle().flags(flags::DELETION).with(block);
    let asking = peer.send(&asking)?;
    peer.settle()?;
    for sent in [&remote, &local, &asking] {
        peer.was_dropped(sent, "a block that the node cannot process demands it")?;
    }
    if !peer.offers("sr") {
        return Ok(());
    }
    let (_, report) = peer.report(&asking, "deleted", |report| report.deleted())?;
    match report.reason {
        reason::UNSUPPORTED => Ok(()),
        other => Err(Finding::warning("reason 11, block unsupported", other.to_string())),
    }
}

fn discard_on_demand(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let unknown = peer.node.unknown_blocks[0];
    let base = peer.bundle().with(Block::new(unknown, 9, block_flags::DISCARD, b"x"));
    let (sent, bundle) = peer.pass(&base)?;
    if bundle.block(unknown).is_some() {
        return Err(Finding::deviation("the block is removed", "it is still there"));
    }
    if bundle.payload() != sent.payload || (bundle.head.fragment.is_none() && bundle.head.octets != sent.primary) {
        return Err(Finding::deviation("everything else stays", "primary block or payload were changed"));
    }
    crate::bundle::rules::conforms(&bundle.octets).map_err(|why| Finding::deviation("a conforming bundle", why))
}

/// That a block came back as it was sent. §4.4 lets every node remove extension blocks.
fn came_as_sent(found: Option<&EmittedBlock>, sent: &Block) -> Result<(), Finding> {
    match found {
        Some(block) if block.octets == sent.encode() => Ok(()),
        Some(block) => {
            let actual = format!("{:02x?} became {:02x?}", sent.encode(), block.octets);
            Err(Finding::deviation("the block stays octet for octet", actual))
        }
        None => Err(Finding::warning("the block stays", "it was removed")),
    }
}

fn kept_otherwise(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let unknown = peer.node.unknown_blocks[0];
    let mut gone = Ok(());
    for flag in [0, block_flags::REPLICATE] {
        for crc in [Crc::Absent, Crc::Right(Width::Sixteen), Crc::Right(Width::ThirtyTwo)] {
            let data = peer.random(50);
            let block = Block::new(unknown, 2, flag, &data).crc(crc);
            let base = peer.bundle().with(block.clone());
            let (_, bundle) = peer.pass(&base)?;
            match came_as_sent(bundle.block(unknown), &block) {
                Err(finding) if bundle.block(unknown).is_none() => gone = Err(finding),
                other => other?,
            }
        }
    }
    gone
}

fn deletion_goes_first(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let unknown = peer.node.unknown_blocks[0];
    let base = peer.bundle().with(Block::new(unknown, 2, block_flags::DELETE | block_flags::DISCARD, b"x"));
    let sent = peer.send(&base)?;
    peer.settle()?;
    peer.was_dropped(&sent, "a block that the node cannot process demands it")
}

/// A type code that takes three octets, of those that are reserved for future use.
const LONG_TYPE: u64 = 65_000;

fn each_by_its_own(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let [x1, x2, x3] = peer.node.unknown_blocks;
    let kept = Block::new(x2, 3, 0, b"stays");
    let base = peer
        .bundle()
        .with(Block::new(x1, 2, block_flags::DISCARD, b"goes"))
        .with(kept.clone())
        .with(Block::new(x3, 4, block_flags::DISCARD, b"goes"))
        .with(Block::new(LONG_TYPE, 5, block_flags::DISCARD, b"goes"));
    let (_, bundle) = peer.pass(&base)?;
    if let Some(block) = [x1, x3, LONG_TYPE].iter().find_map(|code| bundle.block(*code)) {
        let expected = format!("the block of type {} is removed", block.block_type);
        return Err(Finding::deviation(expected, "it is still there"));
    }
    came_as_sent(bundle.block(x2), &kept)
}
