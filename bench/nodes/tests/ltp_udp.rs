//! LTP engines over UDP by the batch: paced, whole, and without loss where the limit on what is unclaimed holds.
#![allow(missing_docs)]

use std::cell::RefCell;
use std::net::SocketAddr;

use bytes::Bytes;
use farlink_engine::ltp::{BUNDLE_PROTOCOL, Block, Config, Discarded, Engine, Notice, PeerConfig};
use farlink_nodes::ltp_udp::{IP_UDP_HEADER, LtpOverUdp, Route, UdpLinkService};
use farlink_ports::udp::UdpPort;
use farlink_ports::udp::batch::{BatchOptions, BatchPort, Frame};
use farlink_units::{BitRate, Duration, Instant};

const EARTH: u64 = 1;
const MARS: u64 = 2;

fn mbit(rate: u64) -> BitRate {
    BitRate::from_bps(rate * 1_000_000).unwrap()
}

fn at(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

fn route(peer: u64, to: SocketAddr, rate: BitRate, config: PeerConfig) -> Route {
    Route { peer, config, to, rate, burst_bytes: 4 * (1360 + IP_UDP_HEADER) }
}

fn service(engine: u64, route: Route) -> UdpLinkService {
    UdpLinkService::new(Engine::new(Config::new(engine, engine)), [route])
}

fn content(length: usize) -> Bytes {
    (0..length).map(|place| (place * 7 + place / 256) as u8).collect()
}

fn send(service: &mut UdpLinkService, peer: u64, data: &Bytes) {
    service.engine().send(peer, BUNDLE_PROTOCOL, Block::from(data.clone()), data.len() as u64).unwrap();
}

fn received(service: &mut UdpLinkService) -> Vec<Bytes> {
    let notices = std::iter::from_fn(|| service.engine().poll_notice());
    notices.filter_map(|n| if let Notice::RedPart { data, .. } = n { Some(data) } else { None }).collect()
}

#[test]
fn segments_leave_at_the_rate_and_the_next_moment_is_told() {
    // 1388 bytes with headers take 1.388 ms.
    let mut earth = service(EARTH, route(MARS, at(1), mbit(8), PeerConfig::default()));
    send(&mut earth, MARS, &content(1_000_000));
    let (mut now, mut departures) = (Instant::ZERO, Vec::new());
    while now < Instant::from_nanos(200_000_000) {
        let sent = earth.transmit(now, |_, segments| Ok(segments.len())).unwrap();
        departures.extend(std::iter::repeat_n(now, sent));
        now = if sent == 0 { earth.poll_timeout().unwrap() } else { now };
    }
    assert_eq!(departures[..4], [Instant::ZERO; 4], "a burst leaves at once");
    assert_eq!(departures[4], Instant::from_nanos(1_388_000));
    assert_eq!(departures.len(), 4 + 200_000_000 / 1_388_000);
    assert_eq!(earth.passed().segments_out, departures.len() as u64);
}

#[test]
fn what_a_full_port_has_not_taken_leaves_later_in_order() {
    let mut earth = service(EARTH, route(MARS, at(1), mbit(8000), PeerConfig::default()));
    let mut mars = service(MARS, route(EARTH, at(2), mbit(8000), PeerConfig::default()));
    let data = content(100_000);
    send(&mut earth, MARS, &data);
    let (mut now, mut calls) = (Instant::ZERO, 0);
    let arrived = RefCell::new(Vec::new());
    while received(&mut mars).is_empty() {
        now += Duration::from_millis(1);
        assert!(now < Instant::from_nanos(1_000_000_000), "all of it is sent in the end");
        earth
            .transmit(now, |_, segments| {
                calls += 1;
                let taken = segments.len().min(calls % 3);
                arrived.borrow_mut().extend(segments[..taken].iter().map(|s| Frame {
                    from: at(1),
                    stamp: None,
                    content: s.clone(),
                }));
                Ok(taken)
            })
            .unwrap();
        if !earth.is_blocked() {
            mars.handle_frames(now, arrived.take());
        }
    }
    assert_eq!(mars.engine().discarded(), Discarded::default(), "nothing came twice");
    assert!(!earth.is_blocked());
}

#[test]
fn keep_alives_are_discarded_and_answers_find_their_way_from_any_address() {
    let mut mars = service(MARS, route(EARTH, at(2), mbit(8), PeerConfig::default()));
    mars.handle_frames(Instant::ZERO, [Frame { from: at(2), stamp: None, content: Bytes::from_static(&[0; 4]) }]);
    assert_eq!((mars.passed().frames_in, mars.engine().discarded().malformed), (0, 0));

    let mut earth = service(EARTH, route(MARS, at(1), mbit(8), PeerConfig::default()));
    send(&mut earth, MARS, &content(100));
    let segments = RefCell::new(Vec::new());
    let take = |_: SocketAddr, some: &[Bytes]| {
        segments.borrow_mut().extend_from_slice(some);
        Ok(some.len())
    };
    earth.transmit(Instant::ZERO, take).unwrap();
    let frames = segments.take().into_iter().map(|content| Frame { from: at(9999), stamp: None, content });
    mars.handle_frames(Instant::ZERO, frames);
    let mut to = None;
    mars.transmit(Instant::ZERO, |at, some| {
        to = Some(at);
        Ok(some.len())
    })
    .unwrap();
    assert_eq!(to, Some(at(2)), "the report goes to the peer, not to where the segment came from");
}

#[test]
fn blocks_cross_real_sockets_whole_and_nothing_is_sent_twice() {
    let open = || {
        let port = UdpPort::open("udp:0".parse().unwrap()).unwrap();
        let at = port.local_address().unwrap().0;
        (BatchPort::new(port, BatchOptions { receive_buffer: 2 << 20, ..BatchOptions::default() }).unwrap(), at)
    };
    let ((earth_port, earth_at), (mars_port, mars_at)) = (open(), open());
    // Far faster than anybody takes it: what is unclaimed finds room in the buffer, so nothing is lost all the same.
    let config = PeerConfig {
        checkpoint_every: Some(100_000),
        unclaimed_limit: Some(500_000),
        response_margin: Duration::from_secs(30),
        ..PeerConfig::default()
    };
    let rate = mbit(100_000);
    let mut earth = LtpOverUdp::new(service(EARTH, route(MARS, mars_at, rate, config.clone())), earth_port);
    let mut mars = LtpOverUdp::new(service(MARS, route(EARTH, earth_at, rate, config)), mars_port);
    let blocks = [content(10_000_000), content(1), content(3_000_000)];
    for block in &blocks {
        send(earth.service(), MARS, block);
    }
    let (mut arrived, mut completed) = (Vec::new(), 0);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while completed < blocks.len() || mars.service().engine().open_sessions() != (0, 0, 0) {
        assert!(std::time::Instant::now() < deadline, "{} of {} blocks came", arrived.len(), blocks.len());
        // The sender has many turns for each of the receiver.
        for _ in 0..20 {
            earth.turn(Duration::ZERO).unwrap();
        }
        mars.turn(Duration::ZERO).unwrap();
        arrived.extend(received(mars.service()));
        while let Some(notice) = earth.service().engine().poll_notice() {
            assert!(!matches!(notice, Notice::Retransmitted { .. }), "{notice:?}");
            completed += usize::from(matches!(notice, Notice::TransmissionCompleted { .. }));
        }
    }
    assert!(arrived == blocks, "what arrived is what was sent");
}
