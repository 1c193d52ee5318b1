//! Bundles that wait to go together in one LTP block.

use farlink_engine::routing::Contact;
use farlink_engine::schedule::Window;

use super::*;

const DAY: i64 = 86_400;

fn at(secs: i64) -> Instant {
    Instant::ZERO + Duration::from_secs(secs)
}

fn window(start: i64, end: i64) -> Window {
    Window { start: at(start), end: at(end), rate_bps: 1_000_000, light_time: vec![(at(start), Duration::ZERO)] }
}

/// Node 1, which collects bundles for node 2 for a minute.
fn collecting() -> Config {
    let always = Schedule::new(vec![window(0, DAY)]);
    let alone = Config::new(NodeId(0), 1, 1);
    Config {
        neighbours: vec![Neighbour {
            id: NodeId(1),
            node: Eid::ipn(2, 0),
            engine: 2,
            outgoing: ChannelId(0),
            incoming: ChannelId(1),
            transmit: always.clone(),
            receive: always,
            overhead_bits: 0,
            ltp: PeerConfig::default(),
            reliable: true,
            aggregation: Some((10_000, Duration::from_secs(60))),
        }],
        ..alone
    }
}

fn started(config: Config) -> BuiltinNode {
    let mut node = BuiltinNode::new(config);
    node.handle_timeout(at(0));
    node
}

fn transmit(node: &mut BuiltinNode, byte: u8, lifetime: i64) -> BundleId {
    let payload = Bytes::from(vec![byte; 200]);
    let lifetime = Duration::from_secs(lifetime);
    let transmission = Transmission { lifetime, ..Transmission::new(Eid::ipn(1, 1), Eid::ipn(2, 1), payload) };
    let id = node.transmit(at(0), transmission, None).unwrap();
    assert_eq!(node.poll_transmit(at(0), ChannelId(0)), None, "it waits for others");
    id
}

fn sent(node: &mut BuiltinNode, now: Instant) -> Vec<u8> {
    node.handle_timeout(now);
    std::iter::from_fn(|| node.poll_transmit(now, ChannelId(0))).flatten().collect()
}

fn holds(octets: &[u8], byte: u8) -> bool {
    octets.windows(200).any(|run| run == [byte; 200])
}

#[test]
fn what_expires_or_is_cancelled_while_it_is_collected_is_not_sent() {
    let mut node = started(Config { routes: vec!["* via ipn:2.0".parse().unwrap()], ..collecting() });
    transmit(&mut node, 7, 10);
    transmit(&mut node, 8, DAY);
    let cancelled = transmit(&mut node, 9, DAY);
    assert_eq!(node.cancel(at(1), &cancelled), 1);
    assert!(sent(&mut node, at(20)).is_empty());
    let octets = sent(&mut node, at(60));
    assert!(holds(&octets, 8) && !holds(&octets, 7) && !holds(&octets, 9));
}

#[test]
fn a_block_none_of_whose_bundles_is_of_use_any_more_is_cancelled() {
    let mut node = started(Config { routes: vec!["* via ipn:2.0".parse().unwrap()], ..collecting() });
    let ids = [transmit(&mut node, 7, DAY), transmit(&mut node, 8, DAY)];
    assert!(holds(&sent(&mut node, at(60)), 8));
    assert_eq!(node.cancel(at(61), &ids[0]), 1);
    assert_eq!(node.open_sessions(), (1, 0, 0), "the other is still of use");
    assert_eq!(node.cancel(at(61), &ids[1]), 1);
    assert_eq!(node.open_sessions(), (0, 0, 1));
}

#[test]
fn what_is_collected_takes_another_way_if_the_contact_fails() {
    let contact = |from, to| Contact::new(Eid::ipn(from, 0), Eid::ipn(to, 0), window(0, DAY));
    let later = Contact { window: window(1_000, DAY), ..contact(1, 3) };
    let plan = ContactPlan::of(vec![contact(1, 2), later, contact(3, 2)]).unwrap();
    let mut node = started(Config { plan: Some(plan), ..collecting() });
    transmit(&mut node, 7, DAY);
    assert!(node.contact_failed(at(1), &Eid::ipn(2, 0)));
    assert!(node.has_queued(&Eid::ipn(3, 0)));
    assert!(sent(&mut node, at(60)).is_empty());
}
