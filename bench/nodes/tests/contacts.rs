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
    run_at([rate_bps; 2], 0.0, light_time, [there, back], bytes, end)
}

/// The same at a rate there and a rate back, with bit errors.
fn run_at(
    rates_bps: [u64; 2],
    ber: f64,
    light_time: i64,
    [there, back]: [&[Contact]; 2],
    bytes: usize,
    end: i64,
) -> Vec<Stamped> {
    let (out, into) = (schedule(there, rates_bps[0], light_time), schedule(back, rates_bps[1], light_time));
    let nodes = vec![node(1, 2, out.clone(), into.clone()), node(2, 1, into, out)];
    let channel = |id: u16, contacts: &[Contact]| {
        let intervals = contacts.iter().map(|(start, end)| Interval { start: at(*start), end: at(*end) }).collect();
        Channel::new(ChannelConfig {
            id: ChannelId(id),
            rate: Rate::constant(BitRate::from_bps(rates_bps[usize::from(id)]).unwrap()),
            overhead_bits: 0,
            contacts: Contacts::During(intervals),
            light_time: LightTime::Constant(Duration::from_secs(light_time)),
            errors: Errors::independent(ber, u64::from(id) + 1),
            damaged: Damaged::Drop,
            radio: None,
            queue_bits: 1 << 30,
            seed: 1,
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

/// When the bundle was delivered, in seconds.
fn delivered_at(log: &[Stamped]) -> f64 {
    let delivered = |s: &&Stamped| matches!(&s.event, Event::Bundle { notice: BundleNotice::Delivered, .. });
    log.iter().find(delivered).expect("the bundle is delivered").at.as_secs_f64()
}

#[test]
fn a_slow_link_without_errors_needs_no_retransmission() {
    // At 1 kbit/s a segment takes eleven seconds, far more than the margin.
    let log = run(1000, 1, &[(0, 100_000)], &[(0, 100_000)], 3960, 1000);
    assert_delivered_without_retransmission(&log);
}

#[test]
fn rates_that_differ_by_a_hundred_and_by_a_thousand_are_usable() {
    // IPN architecture 2001 (draft-irtf-ipnrg-arch-00), sections 1.1 and 1.2: 100 kbit/s from Mars and 1 kbit/s to it, in excess
    // of 100:1 and up to 1000:1. 1 MB from 20 light-minutes away.
    const LIGHT_TIME: i64 = 1200;
    const BYTES: usize = 1_000_000;
    let always: &[Contact] = &[(0, 1_000_000)];
    for there in [100_000, 1_000_000] {
        let ideal = 5.0 + 8.0 * BYTES as f64 / there as f64 + LIGHT_TIME as f64;
        let log = run_at([there, 1000], 0.0, LIGHT_TIME, [always; 2], BYTES, 100_000);
        assert_delivered_without_retransmission(&log);
        let clean = delivered_at(&log);
        // Headers, and nothing that waits for the slow way back.
        assert!(clean < ideal + 0.02 * (ideal - 1205.0), "{there} bit/s: {clean} s, ideally {ideal} s");

        let log = run_at([there, 1000], 1e-6, LIGHT_TIME, [always; 2], BYTES, 100_000);
        let again =
            log.iter().filter(|s| matches!(&s.event, Event::Ltp { notice: LtpNotice::Retransmitted { .. }, .. }));
        assert!(again.count() > 0, "a megabyte at 1e-6 does not come through whole");
        // One more round: the report of what is missing, and that again. A report takes seconds at 1 kbit/s.
        let damaged = delivered_at(&log);
        println!("{there} bit/s there, 1000 back: {clean} s without errors, {damaged} s at 1e-6");
        assert!(damaged < clean + 2.0 * LIGHT_TIME as f64 + 60.0, "{there} bit/s: {damaged} s");
    }
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
