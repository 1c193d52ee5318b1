//! Endpoint IDs, times and creation timestamps (§4.2.5 to §4.2.7, §5.2).

use std::collections::BTreeSet;

use farlink_units::Instant;
use farlink_wire::bpv7::Eid;

use super::{every_own, own_traffic};
use crate::bundle::rules::endpoint;
use crate::bundle::{Emitted, Report, block_type, cbor, eid, flags};
use crate::case::{Case, Suite};
use crate::outcome::{Finding, Kind};
use crate::peer::{Peer, What, is_of_node, is_own};
use crate::profile::Originate;
use crate::tester::Tester;

pub const CASES: &[Case] = &[
    Case::new("BP7-4.2.5-01", Suite::Bpv7, &["names"], names_itself)
        .watching(|exchange, profile| every_own(exchange, profile, |bundle| well_named(bundle, &[1, 2]))),
    Case::new("BP7-4.2.5-02", Suite::Bpv7, &["names"], dtn_names),
    Case::new("BP7-4.2.5-03", Suite::Bpv7, &["names", "source"], own_traffic).watching(
        |exchange, profile| match profile.bundles.as_ref().map(|bundles| &bundles.node) {
            Some(Eid::Ipn { .. }) => every_own(exchange, profile, own_ipn_names),
            _ => Ok(()),
        },
    ),
    Case::new("BP7-4.2.5-05", Suite::Bpv7, &["names", "hostile"], unknown_scheme),
    Case::new("BP7-4.2.5-06", Suite::Bpv7, &["names"], to_nobody),
    Case::new("BP7-4.2.5-07", Suite::Bpv7, &["names"], names_itself).watching(|exchange, profile| {
        let Some(node) = profile.bundles.as_ref() else { return Ok(()) };
        let expected = format!("{} wherever the node names itself", node.node);
        for bundle in exchange.bundles.iter().filter_map(|(_, octets)| Emitted::read(octets)) {
            let previous = bundle.block(block_type::PREVIOUS_NODE).map(|block| &block.data);
            let of_record = (bundle.is_record() && is_own(&bundle, node)).then_some(&bundle.head.source);
            let other = previous.into_iter().chain(of_record).find(|name| **name != eid(&node.node));
            if let Some(other) = other {
                return Err(Finding::warning(expected, format!("{other:02x?}")));
            }
        }
        Ok(())
    }),
    Case::new("BP7-4.2.6-01", Suite::Bpv7, &["time", "source"], times),
    Case::new("BP7-4.2.7-01", Suite::Bpv7, &["time", "source"], creation_timestamps),
    Case::new("BP7-4.2.7-02", Suite::Bpv7, &["time", "source"], no_two_alike),
    Case::new("BP7-4.2.7-03", Suite::Bpv7, &["time", "source"], without_clock),
    Case::new("BP7-5.2-01", Suite::Bpv7, &["names", "source"], sources),
];

fn named(item: &[u8], schemes: &[u64]) -> Result<(), Finding> {
    let expected = "an endpoint ID as an array of scheme code and scheme-specific part";
    let read = cbor::whole(item).map_err(|why| Finding::deviation(expected, why))?;
    endpoint(item, &read).map_err(|why| Finding::deviation(expected, why))?;
    let scheme = read.array().and_then(|pair| pair.first()?.unsigned());
    match scheme.is_some_and(|scheme| schemes.contains(&scheme)) {
        true => Ok(()),
        false => Err(Finding::deviation(expected, format!("scheme code {scheme:?}"))),
    }
}

fn well_named(bundle: &Emitted, schemes: &[u64]) -> Result<(), Finding> {
    [&bundle.head.destination, &bundle.head.source, &bundle.head.report_to]
        .into_iter()
        .try_for_each(|item| named(item, schemes))
}

/// The source of a bundle of an ipn node, and the subject of a report about one, are of the ipn scheme.
fn own_ipn_names(bundle: &Emitted) -> Result<(), Finding> {
    well_named(bundle, &[1, 2])?;
    named(&bundle.head.source, &[2])
}

/// The node forwards, which is where it names itself, and sends what it can by itself.
fn names_itself(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let base = peer.bundle();
    let (_, bundle) = peer.pass(&base)?;
    if let Some(block) = bundle.block(block_type::PREVIOUS_NODE) {
        named(&block.data, &[1, 2])?;
    }
    match peer.own_traffic() {
        Err(finding) if finding.kind == Kind::Unsupported => Ok(()),
        other => other.map(drop),
    }
}

fn dtn_names(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let forward = peer.node.dtn_forward.clone().ok_or_else(|| Finding::unsupported("no dtn endpoint is described"))?;
    let source = Eid::Dtn("//tester/app".to_owned());
    let base = peer.bundle().to(&forward).from(&source);
    let (_, bundle) = peer.pass(&base)?;
    for (what, found, wanted) in
        [("destination", &bundle.head.destination, eid(&forward)), ("source", &bundle.head.source, eid(&source))]
    {
        if *found != wanted {
            return Err(Finding::deviation(format!("the {what} stays as it is"), format!("{found:02x?}")));
        }
    }
    match peer.own_traffic() {
        Err(finding) if finding.kind == Kind::Unsupported => Ok(()),
        Err(finding) => Err(finding),
        Ok(own) => own.iter().try_for_each(|(_, bundle)| well_named(bundle, &[1, 2])),
    }
}

fn unknown_scheme(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let destination = cbor::array(&[cbor::uint(65_536), cbor::text("x")]);
    let numbers = cbor::array(&[cbor::uint(1), cbor::uint(2)]);
    let source = cbor::array(&[cbor::uint(65_537), numbers]);
    let base = peer.bundle().item(3, destination).item(4, source);
    let sent = peer.send(&base)?;
    peer.settle()?;
    let outcome = if peer.came_back(&sent).is_some() { "forwards" } else { "keeps or deletes" };
    peer.tester.note(format!("the node {outcome} a bundle to an unknown scheme"));
    Ok(())
}

fn to_nobody(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let base = peer.bundle().to(&Eid::None);
    let sent = peer.send(&base)?;
    peer.settle()?;
    let outcome = if peer.came_back(&sent).is_some() { "forwards" } else { "keeps or deletes" };
    peer.tester.note(format!("the node {outcome} a bundle to dtn:none"));
    match peer.was_delivered(&sent.payload) {
        true => Err(Finding::deviation("a bundle to dtn:none is not delivered", "it was")),
        false => Ok(()),
    }
}

/// Whether a DTN time lies between two instants, as far as the clocks may differ.
fn is_between(peer: &Peer<'_, '_>, time_ms: u64, from: Instant, to: Instant) -> bool {
    let skew = peer.node.skew.as_millis().unsigned_abs();
    let earliest = peer.dtn_time_at(from).saturating_sub(skew);
    let latest = peer.dtn_time_at(to).saturating_add(skew);
    (earliest..=latest).contains(&time_ms)
}

fn right_time(peer: &Peer<'_, '_>, what: &str, time_ms: u64, from: Instant, to: Instant) -> Result<(), Finding> {
    let unknown = time_ms == 0 && !peer.offers("clock");
    match unknown || is_between(peer, time_ms, from, to) {
        true => Ok(()),
        false => {
            let between = format!("{} to {}", peer.dtn_time_at(from), peer.dtn_time_at(to));
            Err(Finding::deviation(format!("{what} in milliseconds of DTN time: {between}"), time_ms.to_string()))
        }
    }
}

fn times(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let begin = peer.tester.now();
    let own = peer.own_traffic()?;
    for (at, bundle) in &own {
        right_time(&peer, "the creation time", bundle.head.created.0, begin, *at)?;
        if !bundle.is_record() {
            continue;
        }
        let report = Report::read(bundle).map_err(|why| Finding::deviation("a status report", why))?;
        for time in report.items.iter().filter_map(|item| item.time_ms) {
            right_time(&peer, "the time in a report", time, begin, *at)?;
        }
    }
    Ok(())
}

fn creation_timestamps(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    for _ in 0..3 {
        let begin = peer.tester.now();
        for (at, bundle) in peer.own_traffic()? {
            right_time(&peer, "the creation time", bundle.head.created.0, begin, at)?;
        }
    }
    Ok(())
}

/// Bundles that the node is made to send as fast as possible.
const MANY: usize = 200;

fn no_two_alike(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let mut stamps = Vec::new();
    if peer.tester.profile().originate == Originate::Ordered {
        let payloads = (0..MANY).map(|_| peer.originate(40, 0, false)).collect::<Result<Vec<_>, _>>()?;
        for payload in &payloads {
            stamps.push(peer.own(payload)?.1.head.created);
        }
        let falls = stamps.windows(2).find(|pair| pair[0].0 == pair[1].0 && pair[0].1 >= pair[1].1);
        if let Some([before, after]) = falls {
            let actual = format!("{} follows {} at time {}", after.1, before.1, after.0);
            return Err(Finding::deviation("sequence numbers that rise while the time stays", actual));
        }
    } else if peer.offers("sr") {
        for _ in 0..MANY {
            let base = peer.bundle().flags(flags::RECEPTION);
            peer.send(&base)?;
        }
        let until = peer.report_due(peer.tester.now());
        peer.rest_until(until)?;
        stamps.extend(peer.waiting().iter().filter_map(|came| match &came.what {
            What::Bundle(_, Some(bundle)) if is_own(bundle, peer.node) => Some(bundle.head.created),
            _ => None,
        }));
    } else {
        return Err(Finding::unsupported("the node can be made to send no bundle of its own"));
    }
    let distinct: BTreeSet<(u64, u64)> = stamps.iter().copied().collect();
    match stamps.len() - distinct.len() {
        0 => Ok(()),
        twice => Err(Finding::deviation("creation timestamps that differ", format!("{twice} came again"))),
    }
}

fn without_clock(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let mut last = None;
    for round in 0..2 {
        for _ in 0..3 {
            let payload = peer.originate(100, 0, false)?;
            let (_, bundle) = peer.own(&payload)?;
            let (time, sequence) = bundle.head.created;
            if time != 0 {
                return Err(Finding::warning("creation time 0 where the node has no clock", time.to_string()));
            }
            if bundle.block(block_type::BUNDLE_AGE).is_none() {
                return Err(Finding::warning("a Bundle Age block with creation time 0", "there is none"));
            }
            if last.is_some_and(|last| sequence <= last) {
                return Err(Finding::warning(
                    "a sequence number that never falls",
                    format!("{sequence} after {last:?}"),
                ));
            }
            last = Some(sequence);
        }
        if round == 0 {
            match peer.tester.order(&crate::medium::Order::Restart) {
                Ok(()) => {}
                Err(finding) if finding.kind == Kind::Unsupported => {
                    peer.tester.note(format!("the count was not followed over a restart: {}", finding.actual));
                    return Ok(());
                }
                Err(finding) => return Err(finding),
            }
        }
    }
    Ok(())
}

fn sources(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let node = peer.node;
    let expected = format!("dtn:none or a singleton endpoint of {} as source", node.node);
    let own = peer.own_traffic()?;
    for (_, bundle) in own {
        let source = &bundle.head.source;
        let group = source.windows(2).any(|pair| pair == b"/~");
        if *source != eid(&Eid::None) && (!is_of_node(source, &node.node) || group) {
            return Err(Finding::deviation(expected, format!("{source:02x?}")));
        }
    }
    Ok(())
}
