//! Bundles for applications at the node, and fragments put together (§5.3, §5.7, §5.9).

use farlink_wire::bpv7::Eid;

use super::flags::{no_report, some_report};
use crate::bundle::{Draft, cbor, flags};
use crate::case::{Case, Suite};
use crate::medium::Order;
use crate::outcome::Finding;
use crate::peer::{Peer, Sent, What, holds};
use crate::tester::Tester;

pub const CASES: &[Case] = &[
    Case::new("BP7-5.3-01", Suite::Bpv7, &["delivery"], delivered_and_kept),
    Case::new("BP7-5.7-01", Suite::Bpv7, &["delivery"], delivered),
    Case::new("BP7-5.7-02", Suite::Bpv7, &["delivery", "reports"], delivery_is_reported),
    Case::new("BP7-5.7-03", Suite::Bpv7, &["delivery"], waits_to_be_asked_for),
    Case::new("BP7-5.7-04", Suite::Bpv7, &["delivery", "fragments"], one_fragment),
    Case::new("BP7-5.7-05", Suite::Bpv7, &["delivery", "hostile"], odd_records),
    Case::new("BP7-5.9-01", Suite::Bpv7, &["delivery", "fragments"], in_any_order),
    Case::new("BP7-5.9-02", Suite::Bpv7, &["delivery", "fragments"], overlapping),
    Case::new("BP7-5.9-03", Suite::Bpv7, &["delivery", "fragments"], apart),
    Case::new("BP7-5.9-04", Suite::Bpv7, &["delivery", "fragments", "hostile"], contradictory),
];

/// Octets that were delivered and not asked for.
fn other_deliveries<'p>(peer: &'p Peer<'_, '_>) -> impl Iterator<Item = &'p [u8]> {
    peer.waiting().iter().filter_map(|came| match &came.what {
        What::Delivered(_, data) => Some(data.as_slice()),
        What::Bundle(..) => None,
    })
}

/// Whether octets begin with something of the data; what came late of another case does not.
fn is_part(data: &[u8], octets: &[u8]) -> bool {
    octets.len() >= MARK && holds(data, &octets[..MARK])
}

/// So many octets at random are found nowhere else.
const MARK: usize = 16;

/// Data is delivered once, at the latest when it is due.
fn once(peer: &mut Peer<'_, '_>, data: &[u8], what: &str) -> Result<(), Finding> {
    let until = peer.due(peer.tester.now());
    if peer.delivered(data, until)?.is_none() {
        let instead = match other_deliveries(peer).next() {
            Some(other) => format!("{} other octets were", other.len()),
            None => "it was not".to_owned(),
        };
        return Err(Finding::silence(format!("{what} is delivered"), instead));
    }
    peer.settle()?;
    match peer.was_delivered(data) {
        true => Err(Finding::deviation(format!("{what} is delivered once"), "it was delivered again")),
        false => Ok(()),
    }
}

fn delivered_and_kept(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let base = peer.local_bundle();
    let sent = peer.send(&base)?;
    once(&mut peer, &sent.payload, "a bundle for an endpoint here")?;
    match peer.came_back(&sent) {
        Some(_) => Err(Finding::deviation("a bundle for an endpoint here goes no further", "it came back")),
        None => Ok(()),
    }
}

fn delivered(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let base = peer.local_bundle();
    let sent = peer.send(&base)?;
    once(&mut peer, &sent.payload, "a bundle for an active registration")
}

fn delivery_is_reported(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let base = peer.local_bundle().flags(flags::DELIVERY);
    let sent = peer.send(&base)?;
    let until = peer.report_due(sent.at);
    let found = peer.report_until(&sent, until, |report| report.delivered().then_some(()))?;
    if found.is_none() {
        return Err(Finding::silence("a status report: delivered", "there is none"));
    }
    if !peer.offers("oracle") {
        return Ok(());
    }
    // The oracle may be slower than the report.
    let until = peer.due(peer.tester.now());
    match peer.delivered(&sent.payload, until)? {
        Some(_) => Ok(()),
        None => Err(Finding::warning("a delivery where one is reported", "there was none")),
    }
}

fn waits_to_be_asked_for(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let passive = peer.node.passive.clone().ok_or_else(|| Finding::unsupported("no passive endpoint is described"))?;
    let base = peer.bundle().to(&passive);
    let sent = peer.send(&base)?;
    peer.settle()?;
    if peer.was_delivered(&sent.payload) {
        return Err(Finding::remark("a bundle for a passive registration waits", "it was delivered at once"));
    }
    peer.tester.order(&Order::Poll)?;
    let until = peer.due(peer.tester.now());
    let outcome = if peer.delivered(&sent.payload, until)?.is_some() { "when asked for" } else { "never" };
    peer.tester.note(format!("the bundle was delivered {outcome}"));
    match peer.came_back(&sent) {
        Some(_) => Err(Finding::remark("a bundle for an endpoint here goes no further", "it came back")),
        None => Ok(()),
    }
}

/// A fragment of data, for an application at the node.
fn fragment(base: &Draft, data: &[u8], from: usize, to: usize) -> Draft {
    base.clone().payload(&data[from..to]).fragment(from as u64, data.len() as u64)
}

fn one_fragment(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let data = peer.random(1000);
    let base = peer.local_bundle().flags(flags::DELIVERY);
    let sent = peer.send(&fragment(&base, &data, 0, 500))?;
    peer.settle()?;
    if other_deliveries(&peer).any(|octets| octets.starts_with(&data[..500])) {
        return Err(Finding::deviation("a fragment is not delivered by itself", "it was"));
    }
    if !peer.offers("sr") {
        return Ok(());
    }
    let until = peer.report_due(sent.at);
    peer.rest_until(until)?;
    match peer.reports_on(&sent).iter().find(|report| report.delivered()) {
        Some(report) => Err(Finding::deviation("no report of a delivery", report.told())),
        None => Ok(()),
    }
}

fn odd_records(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let administrative = peer.node.node.clone();
    let about = (peer.dtn_time(), 1);
    let payloads = [
        cbor::array(&[cbor::uint(99), cbor::bytes(&[0])]),
        cbor::array(&[cbor::uint(1), cbor::text("x")]),
        peer.random(40),
        Vec::new(),
        some_report(about),
    ];
    let mut all: Vec<Sent> = Vec::new();
    for payload in payloads {
        let base = peer.bundle().to(&administrative).flags(flags::RECORD).payload(&payload);
        all.push(peer.send(&base)?);
    }
    peer.settle()?;
    all.iter().try_for_each(|sent| no_report(&mut peer, sent, "the bundle holds an administrative record"))
}

fn in_any_order(tester: &mut Tester<'_>) -> Result<(), Finding> {
    for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
        let mut peer = Peer::new(tester)?;
        let data = peer.random(3000);
        let base = peer.local_bundle();
        for (place, part) in order.iter().enumerate() {
            if place == 2 {
                peer.settle()?;
                if other_deliveries(&peer).any(|octets| is_part(&data, octets)) {
                    return Err(Finding::deviation("nothing is delivered before the last fragment", "something was"));
                }
            }
            peer.send(&fragment(&base, &data, part * 1000, (part + 1) * 1000))?;
        }
        once(&mut peer, &data, "data whose fragments are all there")?;
    }
    Ok(())
}

fn overlapping(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let data = peer.random(3000);
    let base = peer.local_bundle();
    for (from, to) in [(0, 1500), (1000, 2500), (1000, 2500), (2000, 3000)] {
        peer.send(&fragment(&base, &data, from, to))?;
    }
    once(&mut peer, &data, "data whose fragments overlap")
}

fn apart(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let (first, second) = (peer.random(2000), peer.random(2000));
    let one = peer.local_bundle();
    let by_number = peer.local_bundle();
    interleaved(&mut peer, [(&one, &first), (&by_number, &second)])?;
    let (first, second) = (peer.random(2000), peer.random(2000));
    let one = peer.local_bundle();
    let other_source = match &peer.node.tester {
        Eid::Ipn { node, .. } => Eid::ipn(*node, 33),
        Eid::Dtn(name) => Eid::Dtn(format!("{name}other")),
        Eid::None => Eid::ipn(4242, 1),
    };
    let by_source = one.clone().from(&other_source);
    interleaved(&mut peer, [(&one, &first), (&by_source, &second)])
}

fn interleaved(peer: &mut Peer<'_, '_>, both: [(&Draft, &Vec<u8>); 2]) -> Result<(), Finding> {
    for (from, to) in [(0, 1000), (1000, 2000)] {
        for (base, data) in both {
            peer.send(&fragment(base, data, from, to))?;
        }
    }
    for (_, data) in both {
        once(peer, data, "each data unit with its own octets")?;
    }
    Ok(())
}

fn contradictory(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let data = peer.random(1000);
    let base = peer.local_bundle();
    peer.send(&base.clone().payload(&data[..500]).fragment(0, 1000))?;
    peer.send(&base.payload(&data[500..]).fragment(500, 2000))?;
    let mut parts = vec![data.clone()];
    for (offset, length, total) in [(900, 200, 1000), (2000, 100, 1000), (0, 100, 1 << 63), (0, 0, 100)] {
        let payload = peer.random(length);
        parts.push(payload.clone());
        let base = peer.local_bundle().payload(&payload).fragment(offset, total);
        peer.send(&base)?;
    }
    peer.settle()?;
    // Two fragments that differ in the total length still hold the whole of the shorter one.
    let of_these = |octets: &&[u8]| *octets != data && parts.iter().any(|part| is_part(part, octets));
    let wrong = other_deliveries(&peer).find(of_these).map(<[u8]>::len);
    match wrong {
        Some(length) => {
            let expected = "no delivery of what contradictory fragments do not make up";
            Err(Finding::deviation(expected, format!("{length} octets were delivered")))
        }
        None => Ok(()),
    }
}
