//! Previous Node, Bundle Age and Hop Count blocks (§4.4).

use farlink_units::Duration;

use super::{every_own, own_traffic, traffic};
use crate::bundle::{Block, Emitted, block_flags, block_type, content, flags, reason, rules};
use crate::case::{Case, Suite};
use crate::outcome::{Finding, Kind};
use crate::peer::{Peer, is_of_node};
use crate::tester::Tester;

pub const CASES: &[Case] = &[
    Case::new("BP7-4.4-01", Suite::Bpv7, &["extension blocks"], known_blocks),
    Case::new("BP7-4.4-02", Suite::Bpv7, &["extension blocks"], what_changes),
    Case::new("BP7-4.4.1-01", Suite::Bpv7, &["extension blocks"], traffic).watching(|exchange, profile| {
        let Some(node) = &profile.bundles else { return Ok(()) };
        for bundle in exchange.bundles.iter().filter_map(|(_, octets)| Emitted::read(octets)) {
            let previous = bundle.blocks.iter().filter(|block| block.block_type == block_type::PREVIOUS_NODE);
            for block in previous {
                if !is_of_node(&block.data, &node.node) {
                    let expected = format!("a Previous Node block that names {}", node.node);
                    return Err(Finding::deviation(expected, format!("{:02x?}", block.data)));
                }
            }
        }
        Ok(())
    }),
    Case::new("BP7-4.4.1-02", Suite::Bpv7, &["extension blocks", "source"], own_traffic).watching(
        |exchange, profile| {
            every_own(exchange, profile, |bundle| match bundle.block(block_type::PREVIOUS_NODE) {
                Some(_) => {
                    Err(Finding::deviation("no Previous Node block in a bundle of the node's own", "there is one"))
                }
                None => Ok(()),
            })
        },
    ),
    Case::new("BP7-4.4.1-03", Suite::Bpv7, &["extension blocks", "forwarder"], one_previous_node),
    Case::new("BP7-4.4.1-04", Suite::Bpv7, &["extension blocks", "hostile"], |tester| {
        twice(tester, block_type::PREVIOUS_NODE, &content::previous_node())
    }),
    Case::new("BP7-4.4.2-01", Suite::Bpv7, &["extension blocks"], age_is_milliseconds),
    Case::new("BP7-4.4.2-02", Suite::Bpv7, &["extension blocks", "source"], own_traffic).watching(
        |exchange, profile| {
            every_own(exchange, profile, |bundle| match (bundle.head.created.0, bundle.count(block_type::BUNDLE_AGE)) {
                (0, 1) | (1.., _) => Ok(()),
                (0, count) => {
                    Err(Finding::deviation("one Bundle Age block with creation time 0", format!("{count} of them")))
                }
            })
        },
    ),
    Case::new("BP7-4.4.2-03", Suite::Bpv7, &["extension blocks"], no_age),
    Case::new("BP7-4.4.2-04", Suite::Bpv7, &["extension blocks", "hostile"], |tester| {
        twice(tester, block_type::BUNDLE_AGE, &content::age(100))
    }),
    Case::new("BP7-4.4.3-01", Suite::Bpv7, &["extension blocks"], hop_content)
        .watching(|exchange, profile| every_own(exchange, profile, right_hops)),
    Case::new("BP7-4.4.3-02", Suite::Bpv7, &["extension blocks", "forwarder"], |tester| {
        hops(tester, |passed| match passed.count == passed.sent + 1 {
            true => Ok(()),
            false => Err(Finding::warning(format!("hop count {}", passed.sent + 1), passed.count.to_string())),
        })
    }),
    Case::new("BP7-4.4.3-03", Suite::Bpv7, &["extension blocks", "forwarder"], |tester| {
        hops(tester, |passed| match passed.limit == passed.limit_sent {
            true => Ok(()),
            false => Err(Finding::warning(format!("hop limit {}", passed.limit_sent), passed.limit.to_string())),
        })
    }),
    Case::new("BP7-4.4.3-04", Suite::Bpv7, &["extension blocks", "source"], first_count),
    Case::new("BP7-4.4.3-05", Suite::Bpv7, &["extension blocks", "forwarder"], too_many_hops),
    Case::new("BP7-4.4.3-06", Suite::Bpv7, &["extension blocks", "hostile"], |tester| {
        twice(tester, block_type::HOP_COUNT, &content::hops(30, 0))
    }),
];

fn known_blocks(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let base = peer
        .bundle()
        .with(Block::new(block_type::PREVIOUS_NODE, 2, block_flags::DELETE, &content::previous_node()))
        .with(Block::new(block_type::BUNDLE_AGE, 3, block_flags::DELETE, &content::age(100)))
        .with(Block::new(block_type::HOP_COUNT, 4, block_flags::DELETE, &content::hops(30, 0)));
    peer.pass(&base).map(drop)
}

fn what_changes(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let [x1, x2, x3] = peer.node.unknown_blocks;
    let sent = [(x1, 2), (x2, 3), (x3, 7)];
    let base = sent.iter().fold(peer.bundle(), |draft, (code, number)| draft.with(Block::new(*code, *number, 0, b"x")));
    let (_, bundle) = peer.pass(&base)?;
    for (code, _) in sent.iter().filter(|(code, _)| bundle.block(*code).is_none()) {
        peer.tester.note(format!("the node removes a block of the unknown type {code}"));
    }
    let known = |code: u64| code == block_type::PAYLOAD || sent.iter().any(|(sent, _)| *sent == code);
    for block in bundle.blocks.iter().filter(|block| !known(block.block_type)) {
        peer.tester.note(format!("the node adds a block of type {}, number {}", block.block_type, block.number));
        if sent.iter().any(|(_, number)| *number == block.number) {
            return Err(Finding::remark("a new number for a new block", format!("{} was taken", block.number)));
        }
    }
    rules::conforms(&bundle.octets).map_err(|why| Finding::remark("well-formed blocks", why))
}

fn one_previous_node(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let mut missing = false;
    let without = peer.bundle();
    let with = peer.bundle().with(Block::new(block_type::PREVIOUS_NODE, 5, 0, &content::previous_node()));
    for draft in [without, with] {
        let (_, bundle) = peer.pass(&draft)?;
        match bundle.count(block_type::PREVIOUS_NODE) {
            0 => missing = true,
            1 => {}
            more => return Err(Finding::deviation("one Previous Node block", format!("there are {more}"))),
        }
    }
    match missing {
        true => Err(Finding::warning("a Previous Node block in what is forwarded", "there is none")),
        false => Ok(()),
    }
}

/// Two blocks of a type that a bundle may have once: the bundle is deleted, or goes on with one at most.
fn twice(tester: &mut Tester<'_>, block_type: u64, data: &[u8]) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let base = peer.bundle().with(Block::new(block_type, 2, 0, data)).with(Block::new(block_type, 3, 0, data));
    let sent = peer.send(&base)?;
    peer.settle()?;
    let expected = format!("at most one block of type {block_type}");
    match peer.came_back(&sent) {
        Some((_, Some(bundle))) if bundle.count(block_type) > 1 => {
            Err(Finding::deviation(expected, format!("{} came back", bundle.count(block_type))))
        }
        Some((_, None)) => Err(Finding::deviation(expected, "what came back is no bundle")),
        _ => Ok(()),
    }
}

fn age_is_milliseconds(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    // As old by its creation time as by its age: what a node does where the two differ is judged elsewhere.
    let created = (peer.dtn_time().saturating_sub(1000), peer.next_sequence());
    let base = peer.bundle().created(created.0, created.1);
    let base = base.with(Block::new(block_type::BUNDLE_AGE, 2, 0, &content::age(1000)));
    let held = peer.offers("route-control");
    if held {
        peer.set_route(false)?;
    }
    let sent = peer.send(&base)?;
    if held {
        let until = peer.due(sent.at) + Duration::from_secs(1);
        peer.rest_until(until)?;
        peer.set_route(true)?;
    }
    let bundle = peer.forwarded(&sent)?;
    let expected = "a Bundle Age of at least 1000, as an unsigned integer";
    let Some(block) = bundle.block(block_type::BUNDLE_AGE) else {
        // §4.4 lets every node remove extension blocks.
        return Err(Finding::warning(expected, "the block was removed"));
    };
    match bundle.age() {
        Some(age) if age >= 1000 => Ok(()),
        _ => Err(Finding::deviation(expected, format!("{:02x?}", block.data))),
    }
}

fn no_age(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let number = peer.next_sequence();
    let base = peer.bundle().created(0, number);
    let sent = peer.send(&base)?;
    peer.settle()?;
    let outcome = if peer.came_back(&sent).is_some() { "forwards" } else { "deletes" };
    peer.tester.note(format!("the node {outcome} a bundle with creation time 0 and no Bundle Age"));
    Ok(())
}

fn hop_content(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let base = peer.bundle().with(Block::new(block_type::HOP_COUNT, 2, 0, &content::hops(30, 0)));
    let (_, bundle) = peer.pass(&base)?;
    right_hops(&bundle)?;
    match peer.own_traffic() {
        Err(finding) if finding.kind == Kind::Unsupported => Ok(()),
        other => other.map(drop),
    }
}

fn right_hops(bundle: &Emitted) -> Result<(), Finding> {
    match bundle.block(block_type::HOP_COUNT).map(|block| (bundle.hops(), &block.data)) {
        None | Some((Some((1..=255, _)), _)) => Ok(()),
        Some((_, data)) => Err(Finding::deviation("[limit, count] with a limit of 1 to 255", format!("{data:02x?}"))),
    }
}

/// Hop counts before and after.
struct Passed {
    limit_sent: u64,
    sent: u64,
    limit: u64,
    count: u64,
}

fn hops(tester: &mut Tester<'_>, judge: fn(&Passed) -> Result<(), Finding>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    for (limit_sent, sent) in [(30, 0), (30, 7), (255, 200)] {
        let base = peer.bundle().with(Block::new(block_type::HOP_COUNT, 2, 0, &content::hops(limit_sent, sent)));
        let (_, bundle) = peer.pass(&base)?;
        let Some((limit, count)) = bundle.hops() else {
            return Err(Finding::warning("a Hop Count block", "it was removed or cannot be read"));
        };
        judge(&Passed { limit_sent, sent, limit, count })?;
    }
    Ok(())
}

fn first_count(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let own = peer.own_traffic()?;
    for (_, bundle) in own {
        match bundle.hops() {
            None => peer.tester.note("a bundle of the node's own has no Hop Count block"),
            Some((_, count @ 0..=1)) => peer.tester.note(format!("the first hop count is {count}")),
            Some((_, count)) => return Err(Finding::remark("a first hop count of 0 or 1", count.to_string())),
        }
    }
    Ok(())
}

fn too_many_hops(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let hops = Block::new(block_type::HOP_COUNT, 2, 0, &content::hops(3, 4));
    let base = peer.bundle().flags(flags::DELETION).with(hops);
    let sent = peer.send(&base)?;
    peer.settle()?;
    peer.was_dropped(&sent, "its hop count exceeds its limit")?;
    if !peer.offers("sr") {
        return Ok(());
    }
    let (_, report) = peer.report(&sent, "deleted", |report| report.deleted())?;
    match report.reason {
        reason::HOPS => Ok(()),
        other => Err(Finding::warning("reason 9, hop limit exceeded", other.to_string())),
    }
}
