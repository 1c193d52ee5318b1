//! Bundles in datagrams (RFC 7122 sections 3.1, 3.2 and 3.4).

use farlink_units::Duration;

use crate::bundle::{cbor, rules};
use crate::case::{Case, Suite};
use crate::cases::bpv7::fragments::{as_sent, fragments_of, octets_match, primary_matches};
use crate::exchange::Exchange;
use crate::medium::Door;
use crate::outcome::Finding;
use crate::peer::{Peer, Sent, What};
use crate::profile::Originate;
use crate::tester::Tester;

pub const CASES: &[Case] = &[
    Case::new("UDPCL-3.1-01", Suite::Framing, &["udp", "fragments"], datagrams_fit),
    Case::new("UDPCL-3.2-01", Suite::Framing, &["udp", "sender"], many_bundles)
        .watching(|exchange, _| one_bundle_each(exchange)),
    Case::new("UDPCL-3.2-02", Suite::Framing, &["udp", "fragments"], fragments_are_right),
    Case::new("UDPCL-3.2-03", Suite::Framing, &["udp", "receiver"], each_is_taken),
    Case::new("UDPCL-3.2-04", Suite::Framing, &["udp", "receiver", "hostile"], other_contents),
    Case::new("UDPCL-3.2-05", Suite::Framing, &["udp", "receiver"], long_datagrams),
    Case::new("UDPCL-3.4-01", Suite::Framing, &["udp", "receiver", "keepalive"], keep_alives),
];

/// A datagram that keeps an address mapping alive (section 3.4).
const KEEP_ALIVE: [u8; 4] = [0; 4];
/// Octets of the headers of IPv4 and UDP.
const HEADERS: usize = 28;

/// The neighbour over UDP.
fn peer<'t, 'a>(tester: &'t mut Tester<'a>) -> Result<Peer<'t, 'a>, Finding> {
    match tester.bundles()?.carrier {
        Door::Udp => Peer::over(tester, Door::Udp),
        _ => Err(Finding::unsupported("the endpoints of the profile do not lead over UDP")),
    }
}

fn one_bundle_each(exchange: &Exchange) -> Result<(), Finding> {
    for (_, octets) in exchange.datagrams(Door::Udp) {
        if octets != KEEP_ALIVE {
            let expected = "one whole bundle, or a keep-alive, in each datagram";
            cbor::whole(octets).map_err(|why| Finding::deviation(expected, why))?;
            rules::outer(octets).map_err(|why| Finding::deviation(expected, why))?;
        }
    }
    Ok(())
}

/// Payload that no datagram holds which fits the path.
const LONG: usize = 5000;

/// Has the node send a bundle that is too long for a datagram.
fn long_bundle(peer: &mut Peer<'_, '_>) -> Result<(Sent, Vec<crate::bundle::Emitted>), Finding> {
    let payload = peer.random(LONG.max(3 * peer.node.path_mtu));
    let base = peer.bundle().payload(&payload);
    let sent = peer.send(&base)?;
    let fragments = fragments_of(peer, &sent, 0).map_err(|finding| finding.at_most(crate::Grade::Warn))?;
    Ok((sent, fragments))
}

fn datagrams_fit(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = peer(tester)?;
    let most = peer.node.path_mtu.saturating_sub(HEADERS);
    let (_, fragments) = long_bundle(&mut peer)?;
    match fragments.iter().map(|fragment| fragment.octets.len()).find(|length| *length > most) {
        Some(length) => {
            let expected = format!("datagrams of {most} octets at most, which fit the path");
            Err(Finding::warning(expected, format!("one of {length} octets")))
        }
        None => Ok(()),
    }
}

fn fragments_are_right(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = peer(tester)?;
    let (sent, fragments) = long_bundle(&mut peer)?;
    octets_match(&fragments, &sent, 0)?;
    primary_matches(&fragments, &as_sent(&sent)?, sent.payload.len() as u64)
}

fn many_bundles(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = peer(tester)?;
    for place in 0..10 {
        let length = 100 + place * 100;
        if peer.tester.profile().originate == Originate::Ordered {
            let payload = peer.originate(length, 0, false)?;
            peer.own(&payload)?;
        } else {
            let payload = peer.random(length);
            let base = peer.bundle().payload(&payload);
            peer.pass(&base)?;
        }
    }
    Ok(())
}

fn each_is_taken(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = peer(tester)?;
    let mut missing: Vec<_> = (0..20).map(|_| peer.bundle()).collect();
    // UDP may lose a datagram, and hardly the same one twice.
    for _ in 0..2 {
        let mut sent = Vec::new();
        for draft in missing {
            sent.push((peer.send(&draft)?, draft));
            peer.rest(Duration::from_millis(100))?;
        }
        missing = Vec::new();
        for (sent, draft) in sent {
            let until = peer.due(sent.at);
            if peer.forwarded_until(&sent, until)?.is_none() {
                missing.push(draft);
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
    }
    Err(Finding::deviation("one bundle to a datagram is taken", format!("{} of 20 did not come back", missing.len())))
}

fn other_contents(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = peer(tester)?;
    let (first, second) = (peer.bundle(), peer.bundle());
    let mut octets = first.encode();
    octets.extend(second.encode());
    peer.send_octets(&octets)?;
    let longer = peer.bundle();
    let mut octets = longer.encode();
    octets.extend(peer.random(10));
    peer.send_octets(&octets)?;
    let half = peer.bundle().encode();
    peer.send_octets(&half[..half.len() / 2])?;
    for zeros in [1, 2, 3, 5] {
        peer.send_octets(&vec![0; zeros])?;
    }
    let noise = peer.random(1400);
    peer.send_octets(&noise)?;
    peer.send_octets(&[])?;
    peer.send_octets(b"dtn!\x04\x00")?;
    peer.settle()?;
    let odd = peer.waiting().iter().find_map(|came| match &came.what {
        What::Bundle(octets, _) => rules::conforms(octets).err(),
        What::Delivered(..) => None,
    });
    match odd {
        Some(why) => Err(Finding::deviation("at most whole bundles are taken", why)),
        None => Ok(()),
    }
}

/// Lengths of whole bundles.
const LENGTHS: [usize; 4] = [1400, 9000, 60_000, 65_507];

fn long_datagrams(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = peer(tester)?;
    for length in LENGTHS {
        let local = peer.offers("oracle");
        let base = if local { peer.local_bundle() } else { peer.bundle() };
        let around = base.clone().payload(&vec![0; length - 200]).encode().len() - (length - 200);
        let payload = peer.random(length - around);
        let base = base.payload(&payload);
        let sent = peer.send(&base)?;
        let until = peer.due(sent.at);
        let came = match local {
            true => peer.delivered(&sent.payload, until)?.is_some(),
            false => peer.forwarded_until(&sent, until)?.is_some(),
        };
        if !came {
            peer.tester.note(format!("a datagram of {} octets is not taken", sent.octets.len()));
        }
    }
    Ok(())
}

fn keep_alives(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = peer(tester)?;
    let before = peer.tester.exchange().steps.len();
    for _ in 0..20 {
        peer.send_octets(&KEEP_ALIVE)?;
        peer.rest(Duration::from_millis(100))?;
    }
    peer.settle()?;
    let answers = peer.tester.exchange().since(before);
    let alike = answers.datagrams(Door::Udp).filter(|(_, octets)| *octets == KEEP_ALIVE).count();
    // The node may keep the way open by itself, but not as often (section 3.4).
    match alike {
        0 | 1 => Ok(()),
        more => Err(Finding::deviation("keep-alives are discarded", format!("{more} came back"))),
    }
}
