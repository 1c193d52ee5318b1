//! Built-in nodes and their contacts: what leaves when, and what is never sent twice without need.
#![allow(missing_docs)]

use bytes::Bytes;
use farlink_channel_models::{Errors, Interval, LightTime, Rate};
use farlink_engine::bp::{self, Registration, Transmission};
use farlink_engine::ltp::PeerConfig;
use farlink_engine::schedule::{Schedule, Window};
use farlink_link::{Bench, Channel, ChannelConfig, Contacts, Damaged, Node};
use farlink_nodes::builtin::{BuiltinNode, Config, Neighbour};
use farlink_record::{BundleNotice, ChannelId, Event, LtpNotice, NodeId, Stamped};
use farlink_units::{BitRate, Duration, Instant};
use farlink_wire::bpv7::Eid;

/// Contacts in seconds.
type Contact = (i64, i64);

fn at(secs: i64) -> Instant {
    Instant::ZERO + Duration::from_secs(secs)
}

fn schedule(contacts: &[Contact], rate_bps: u64, light_time: i64) -> Schedule {
    let window = |(start, end): &Contact| Window {
        start: at(*start),
        end: at(*end),
        rate_bps,
        light_time: vec![(at(*start), Duration::from_secs(light_time))],
    };
    Schedule::new(contacts.iter().map(window).collect())
}

fn node(me: u64, other: u64, transmit: Schedule, receive: Schedule) -> BuiltinNode {
    let place = |number: u64| number as u16 - 1;
    let alone = Config::new(NodeId(place(me)), me, me);
    BuiltinNode::new(Config {
        agent: bp::Config { dtn_time_at_zero_ms: 800_000_000_000, ..alone.agent },
        neighbours: vec![Neighbour {
            id: NodeId(place(other)),
            node: Eid::ipn(other, 0),
            engine: other,
            outgoing: ChannelId(place(me)),
            incoming: ChannelId(place(other)),
            transmit,
            receive,
            overhead_bits: 0,
            ltp: PeerConfig::default(),
            reliable: true,
            aggregation: None,
        }],
        endpoints: vec![(Eid::ipn(me, 1), Registration::ACTIVE)],
        routes: vec![format!("* via ipn:{other}.0").parse().unwrap()],
        ..alone
    })
}

fn to_peer(bytes: usize, lifetime: i64) -> Transmission {
    Transmission {
        lifetime: Duration::from_secs(lifetime),
        ..Transmission::new(Eid::ipn(1, 1), Eid::ipn(2, 1), Bytes::from(vec![7; bytes]))
    }
}

/// Sends one bundle at 5 s over channels without errors; returns what happened until `end`.
fn run(rate_bps: u64, light_time: i64, there: &[Contact], back: &[Contact], bytes: usize, end: i64) -> Vec<Stamped> {
    let (out, into) = (schedule(there, rate_bps, light_time), schedule(back, rate_bps, light_time));
    let nodes = vec![node(1, 2, out.clone(), into.clone()), node(2, 1, into, out)];
    let channel = |id, contacts: &[Contact]| {
        let intervals = contacts.iter().map(|(start, end)| Interval { start: at(*start), end: at(*end) }).collect();
        Channel::new(ChannelConfig {
            id: ChannelId(id),
            rate: Rate::constant(BitRate::from_bps(rate_bps).unwrap()),
            overhead_bits: 0,
            contacts: Contacts::During(intervals),
            light_time: LightTime::Constant(Duration::from_secs(light_time)),
            errors: Errors::independent(0.0, 1),
            damaged: Damaged::Drop,
            queue_bits: 1 << 30,
        })
    };
    let channels = vec![(channel(0, there), NodeId(0), NodeId(1)), (channel(1, back), NodeId(1), NodeId(0))];
    let mut bench = Bench::new(nodes, channels);
    let mut log = Vec::new();
    while bench.next_instant().is_some_and(|next| next <= at(5)) {
        bench.step(&mut |stamped| log.push(stamped));
    }
    bench.node_mut(NodeId(0)).transmit(at(5), to_peer(bytes, 100_000), None).unwrap();
    bench.attend_to(at(5), NodeId(0), &mut |stamped| log.push(stamped));
    while bench.next_instant().is_some_and(|next| next <= at(end)) {
        bench.step(&mut |stamped| log.push(stamped));
    }
    log
}

fn assert_delivered_without_retransmission(log: &[Stamped]) {
    let delivered = |s: &Stamped| matches!(&s.event, Event::Bundle { notice: BundleNotice::Delivered, .. });
    assert!(log.iter().any(delivered), "{log:#?}");
    let again: Vec<_> =
        log.iter().filter(|s| matches!(&s.event, Event::Ltp { notice: LtpNotice::Retransmitted { .. }, .. })).collect();
    assert!(again.is_empty(), "nothing was lost, and yet: {again:#?}");
}

#[test]
fn a_slow_link_without_errors_needs_no_retransmission() {
    // At 1 kbit/s a segment takes eleven seconds, far more than the margin.
    let log = run(1000, 1, &[(0, 100_000)], &[(0, 100_000)], 3960, 1000);
    assert_delivered_without_retransmission(&log);
}

#[test]
fn an_answer_at_the_very_start_of_the_next_contact_is_awaited() {
    let log = run(100_000, 600, &[(0, 100_000)], &[(5000, 100_000)], 500, 20_000);
    assert_delivered_without_retransmission(&log);
}

#[test]
fn a_bundle_that_goes_on_in_the_next_contact_needs_no_retransmission() {
    // 20 kB at 10 kbit/s take sixteen seconds, and the contact has ten.
    let contacts = [(0, 15), (500, 515), (1000, 1015)];
    let log = run(10_000, 2, &contacts, &contacts, 20_000, 5000);
    assert_delivered_without_retransmission(&log);
    for stamped in &log {
        assert!(!matches!(stamped.event, Event::FrameLost { .. }), "{stamped:?}");
    }
}

#[test]
fn a_bundle_that_expires_while_the_link_is_closed_is_not_sent_in_the_next_contact() {
    let contacts = schedule(&[(0, 10), (1000, 1010)], 1_000_000, 1);
    for begun in [false, true] {
        let mut node = node(1, 2, contacts.clone(), contacts.clone());
        node.handle_timeout(at(0));
        // 100 µs before the end of the contact twelve bytes fit, and 10 ms before it a segment does.
        let start = at(10) - if begun { Duration::from_millis(15) } else { Duration::from_nanos(100_000) };
        node.handle_timeout(start);
        node.transmit(start, to_peer(3000, 60), None).unwrap();
        assert_eq!(node.poll_transmit(start, ChannelId(0)).is_some(), begun);
        while let Some(next) = node.poll_timeout().filter(|next| *next <= at(1000)) {
            node.handle_timeout(next);
        }
        let sent: usize = std::iter::from_fn(|| node.poll_transmit(at(1000), ChannelId(0))).map(|f| f.len()).sum();
        // What has begun is cancelled, which takes one short segment.
        assert!(if begun { (1..20).contains(&sent) } else { sent == 0 }, "{sent} bytes of a bundle that was deleted");
    }
}
