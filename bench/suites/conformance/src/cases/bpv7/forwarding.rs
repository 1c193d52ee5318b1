//! What becomes of a bundle that is for somebody else (§4.3, §5.4, §7.2).

use farlink_units::Duration;
use farlink_wire::bpv7::Eid;

use crate::bundle::{Block, Crc, Width, block_type, content, eid, flags, reason};
use crate::case::{Case, Suite};
use crate::outcome::Finding;
use crate::peer::{Peer, is_of_node};
use crate::tester::Tester;

pub const CASES: &[Case] = &[
    Case::new("BP7-4.3.1-02", Suite::Bpv7, &["forwarder"], primary_stays),
    Case::new("BP7-4.3.1-10", Suite::Bpv7, &["forwarder"], long_lifetimes),
    Case::new("BP7-4.3.2-05", Suite::Bpv7, &["forwarder"], payload_stays),
    Case::new("BP7-5.4-01", Suite::Bpv7, &["forwarder"], forwards),
    Case::new("BP7-5.4-02", Suite::Bpv7, &["forwarder", "extension blocks"], previous_node_goes),
    Case::new("BP7-5.4-03", Suite::Bpv7, &["forwarder", "extension blocks"], previous_node_comes),
    Case::new("BP7-5.4-04", Suite::Bpv7, &["forwarder", "extension blocks"], age_grows),
    Case::new("BP7-5.4-06", Suite::Bpv7, &["forwarder"], no_route),
    Case::new("BP7-5.4.2-01", Suite::Bpv7, &["forwarder", "reports"], failure_is_reported),
    Case::new("BP7-5.4.2-02", Suite::Bpv7, &["forwarder"], goes_back),
    Case::new("BP7-5.6-12", Suite::Bpv7, &["forwarder"], repeated),
    Case::new("BP7-5.10-02", Suite::Bpv7, &["forwarder"], stays_deleted),
    Case::new("BP7-7.2-01", Suite::Bpv7, &["forwarder"], waits_for_the_way).needing(&["route-control"]),
];

fn primary_stays(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let legal = flags::WHOLE | flags::ACKNOWLEDGE | flags::TIME | flags::REPORTS;
    let mut drafts = vec![
        peer.bundle(),
        peer.bundle().flags(legal),
        peer.bundle().primary_crc(Crc::Right(Width::Sixteen)),
        peer.bundle().lifetime(1 << 40),
        peer.bundle().report_to(&Eid::None),
        peer.bundle().from(&Eid::Dtn("//tester/app".to_owned())).report_to(&Eid::Dtn("//tester/reports".to_owned())),
    ];
    if let (true, Some(forward)) = (peer.offers("dtn-scheme"), peer.node.dtn_forward.clone()) {
        drafts.push(peer.bundle().to(&forward));
    }
    for draft in drafts {
        let (sent, bundle) = peer.pass(&draft)?;
        if bundle.head.fragment.is_none() && bundle.head.octets != sent.primary {
            let actual = format!("{:02x?} became {:02x?}", sent.primary, bundle.head.octets);
            return Err(Finding::deviation("the primary block stays octet for octet", actual));
        }
    }
    Ok(())
}

fn long_lifetimes(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    for lifetime in [1 << 53, u64::MAX] {
        let base = peer.bundle().lifetime(lifetime);
        let sent = peer.send(&base)?;
        let until = peer.due(sent.at);
        match peer.forwarded_until(&sent, until)? {
            Some((_, bundle)) if bundle.head.lifetime != lifetime => {
                let actual = bundle.head.lifetime.to_string();
                return Err(Finding::deviation(format!("the lifetime stays {lifetime}"), actual));
            }
            Some(_) => {}
            None => peer.tester.note(format!("the node does not forward a bundle with lifetime {lifetime}")),
        }
    }
    Ok(())
}

/// Payload lengths about the edges of CBOR heads, and a long one.
const LENGTHS: [usize; 9] = [0, 1, 23, 24, 255, 256, 65_535, 65_536, 1 << 20];
/// Room for the blocks around a payload.
const AROUND: usize = 250;

fn payload_stays(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let longest = peer.longest();
    let fits = longest.saturating_sub(AROUND).min(LENGTHS[LENGTHS.len() - 1]);
    for length in LENGTHS.into_iter().chain([fits]) {
        if length + AROUND > longest {
            peer.tester.note(format!("a payload of {length} octets was not tried: the way takes bundles of {longest}"));
            continue;
        }
        let payload = peer.random(length);
        let base = peer.bundle().payload(&payload);
        let (_, bundle) = peer.pass(&base)?;
        if bundle.head.fragment.is_none() && bundle.payload() != payload {
            let actual = format!("{} octets came back, or others", bundle.payload().len());
            return Err(Finding::deviation(format!("the payload of {length} octets stays as it is"), actual));
        }
    }
    Ok(())
}

fn forwards(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let base = peer.bundle();
    peer.pass(&base).map(drop)
}

fn previous_node_goes(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let other = content::previous_node();
    let base = peer.bundle().with(Block::new(block_type::PREVIOUS_NODE, 5, 0, &other));
    let (_, bundle) = peer.pass(&base)?;
    let stays =
        |block: &crate::bundle::EmittedBlock| block.block_type == block_type::PREVIOUS_NODE && block.data == other;
    match bundle.blocks.iter().any(stays) {
        true => Err(Finding::deviation("the Previous Node block is removed", "it names ipn:4242.0 as before")),
        false => Ok(()),
    }
}

fn previous_node_comes(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let without = peer.bundle();
    let with = peer.bundle().with(Block::new(block_type::PREVIOUS_NODE, 5, 0, &content::previous_node()));
    let expected = format!("one Previous Node block that names {}", peer.node.node);
    for draft in [without, with] {
        let (_, bundle) = peer.pass(&draft)?;
        match (bundle.count(block_type::PREVIOUS_NODE), bundle.block(block_type::PREVIOUS_NODE)) {
            (0, _) if !peer.node.names_itself => {}
            (1, Some(block)) if is_of_node(&block.data, &peer.node.node) => {}
            (1, Some(block)) => return Err(Finding::deviation(expected, format!("it is {:02x?}", block.data))),
            (count, _) => return Err(Finding::deviation(expected, format!("there are {count}"))),
        }
    }
    Ok(())
}

/// By how much less than the time at the node an age may grow.
const LESS: Duration = Duration::from_millis(100);
/// By how much more.
const MORE: Duration = Duration::from_secs(1);

fn age_grows(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let base = peer.bundle().with(Block::new(block_type::BUNDLE_AGE, 2, 0, &content::age(5000)));
    let profile = peer.tester.profile();
    let held = peer.offers("route-control");
    if held {
        peer.set_route(false)?;
    }
    let sent = peer.send(&base)?;
    if held {
        let until = peer.due(sent.at) + Duration::from_secs(2);
        peer.rest_until(until)?;
        peer.set_route(true)?;
    } else {
        peer.tester.note("the way could not be closed, so that only an age that falls would show");
    }
    let until = peer.due(peer.tester.now());
    let Some((at, bundle)) = peer.forwarded_until(&sent, until)? else {
        return Err(Finding::silence("the bundle comes back", "it did not"));
    };
    let Some(age) = bundle.age() else {
        return Err(Finding::warning("a Bundle Age block", "it was removed or cannot be read"));
    };
    // What the two ways took is not known better than this.
    let away = at - sent.at;
    let least = (away - profile.round_trip - profile.response - LESS).max(Duration::ZERO).as_millis();
    let most = (away + MORE).as_millis();
    let (least, most) = (5000 + least.unsigned_abs(), 5000 + most.unsigned_abs());
    match (least..=most).contains(&age) {
        true => Ok(()),
        false => Err(Finding::deviation(format!("an age of {least} to {most} ms"), format!("{age} ms"))),
    }
}

fn no_route(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let nowhere = peer.node.unroutable.clone();
    let base = peer.bundle().to(&nowhere);
    let sent = peer.send(&base)?;
    peer.settle()?;
    match peer.came_back(&sent) {
        Some(_) => Err(Finding::deviation("a bundle without a way is not sent here", "it came back")),
        None => Ok(()),
    }
}

fn failure_is_reported(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let nowhere = peer.node.unroutable.clone();
    let base = peer.bundle().to(&nowhere).flags(flags::DELETION);
    let sent = peer.send(&base)?;
    let until = peer.report_due(sent.at);
    let Some((_, _, report)) = peer.report_until(&sent, until, |report| Some(report.clone()))? else {
        peer.tester.note("no report came: the node may hold the bundle");
        return Ok(());
    };
    let expected = "a report of the deletion with reason 5, 6 or 7";
    match report.reason {
        reason::UNAVAILABLE | reason::NO_ROUTE | reason::NO_CONTACT if report.deleted() => Ok(()),
        _ => Err(Finding::deviation(expected, report.told())),
    }
}

fn goes_back(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let nowhere = peer.node.unroutable.clone();
    let neighbour = eid(&peer.node.tester);
    let base = peer.bundle().to(&nowhere).with(Block::new(block_type::PREVIOUS_NODE, 5, 0, &neighbour));
    let sent = peer.send(&base)?;
    peer.settle()?;
    let came = peer.came_back(&sent).map(|(_, bundle)| bundle.cloned());
    let Some(came) = came else {
        peer.tester.note("a bundle without a way is not returned to the previous node");
        return Ok(());
    };
    peer.tester.note("a bundle without a way is returned to the previous node");
    let previous = came.as_ref().and_then(|bundle| bundle.block(block_type::PREVIOUS_NODE));
    match previous.is_some_and(|block| block.data == neighbour) {
        true => Err(Finding::remark("the Previous Node block is removed", "it names the tester as before")),
        false => Ok(()),
    }
}

fn repeated(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let remote = peer.bundle();
    let local = peer.local_bundle();
    let mut sent = Vec::new();
    for draft in [&remote, &local] {
        for _ in 0..3 {
            sent.push(peer.send(draft)?);
        }
    }
    peer.settle()?;
    let until = peer.due(peer.tester.now());
    let (mut forwarded, mut delivered) = (0, 0);
    while peer.forwarded_until(&sent[0], until)?.is_some() {
        forwarded += 1;
    }
    while peer.delivered(&sent[3].payload, until)?.is_some() {
        delivered += 1;
    }
    peer.tester.note(format!("of three alike the node forwards {forwarded} and delivers {delivered}"));
    match forwarded {
        1..=3 => Ok(()),
        other => Err(Finding::remark("one to three of three bundles come back", other.to_string())),
    }
}

fn stays_deleted(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let unknown = peer.node.unknown_blocks[0];
    let base = peer.bundle().with(Block::new(unknown, 2, crate::bundle::block_flags::DELETE, b"x"));
    let sent = peer.send(&base)?;
    peer.settle()?;
    if peer.offers("route-control") {
        peer.set_route(false)?;
        peer.rest(peer.node.forwarding)?;
        peer.set_route(true)?;
    } else {
        peer.tester.note("the way could not be closed and opened again");
    }
    peer.settle()?;
    peer.was_dropped(&sent, "a block that the node cannot process demands it")
}

fn waits_for_the_way(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    peer.set_route(false)?;
    let base = peer.bundle().flags(flags::DELETION);
    let sent = peer.send(&base)?;
    let until = peer.due(sent.at);
    peer.rest_until(until)?;
    peer.set_route(true)?;
    match peer.forwarded(&sent) {
        Ok(_) => Ok(()),
        Err(finding) if peer.reports_on(&sent).iter().any(crate::bundle::Report::deleted) => {
            Err(finding.at_most(crate::Grade::Inform))
        }
        Err(finding) => Err(finding),
    }
}
