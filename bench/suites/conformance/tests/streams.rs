//! Streams under the virtual clock do what TCP does.
#![allow(missing_docs)]

use farlink_conformance::builtin::Builtin;
use farlink_conformance::medium::{Arrival, Door, Happening, Medium, Order};
use farlink_conformance::run::Target;
use farlink_units::{Duration, Instant};

const CONTACT_HEADER: [u8; 6] = *b"dtn!\x04\x00";

/// SESS_INIT of ipn:6.0: keepalive 30, segment MRU 65536, transfer MRU 2^24.
fn sess_init() -> Vec<u8> {
    let mut init = vec![7, 0, 30];
    init.extend_from_slice(&(1u64 << 16).to_be_bytes());
    init.extend_from_slice(&(1u64 << 24).to_be_bytes());
    init.extend_from_slice(&[0, 7]);
    init.extend_from_slice(b"ipn:6.0\0\0\0\0");
    init
}

fn at(milliseconds: i64) -> Instant {
    Instant::ZERO + Duration::from_millis(milliseconds)
}

fn with(judge: impl FnOnce(&mut dyn Medium)) {
    let mut node = Builtin::new(1);
    node.start(0, 1).unwrap();
    judge(node.medium().unwrap());
}

/// Everything up to an instant.
fn all(medium: &mut dyn Medium, until: Instant) -> Vec<Arrival> {
    std::iter::from_fn(|| medium.next(until)).collect()
}

fn order(payload: usize) -> Order {
    Order::Originate {
        door: Door::Tcpcl,
        payload: vec![7; payload],
        lifetime: Duration::from_secs(3600),
        flags: 0,
        anonymous: false,
    }
}

#[test]
fn a_handshake_takes_three_legs_and_octets_one() {
    with(|medium| {
        let stream = medium.connect(Door::Tcpcl).unwrap();
        let arrivals = all(medium, at(1000));
        assert!(arrivals.contains(&Arrival { at: at(1000), what: Happening::Opened { stream } }), "{arrivals:?}");
        medium.write(stream, &CONTACT_HEADER).unwrap();
        let answer = loop {
            let arrival = medium.next(at(5000)).unwrap();
            if let Happening::Octets { stream: on, octets } = &arrival.what {
                assert_eq!((*on, octets.as_slice()), (stream, &CONTACT_HEADER[..]));
                break arrival;
            }
        };
        assert_eq!(answer.at, at(2000));
        medium.finish(stream);
        let rest = all(medium, at(5000));
        let end = rest.iter().find(|arrival| arrival.what == Happening::Finished { stream }).unwrap();
        assert_eq!(end.at, at(3000));
    });
}

#[test]
fn the_node_connects_when_it_is_let_and_pauses_when_not() {
    with(|medium| {
        let refused: Vec<Instant> = all(medium, at(20_000)).iter().map(|arrival| arrival.at).collect();
        // Each attempt is known to have failed one round trip after its begin; pauses of 1, 2, 4 and 8 seconds follow.
        assert_eq!(refused, [500, 2500, 5500, 10_500, 19_500].map(at));
        medium.set_listening(Door::Tcpcl, true);
        let arrivals = all(medium, at(60_000));
        let [Happening::Opened { stream }, Happening::Octets { stream: on, octets }, ..] =
            &arrivals.iter().map(|arrival| arrival.what.clone()).collect::<Vec<_>>()[..]
        else {
            panic!("{arrivals:?}");
        };
        assert!(stream == on && octets.starts_with(&CONTACT_HEADER), "{octets:?}");
    });
}

#[test]
fn who_does_not_read_holds_the_node_up() {
    with(|medium| {
        let stream = medium.connect(Door::Tcpcl).unwrap();
        all(medium, at(1000));
        medium.write(stream, &[&CONTACT_HEADER[..], &sess_init()].concat()).unwrap();
        all(medium, at(4000));
        medium.set_reading(stream, false);
        medium.order(&order(2_000_000)).unwrap();
        let octets = |arrivals: &[Arrival]| -> usize {
            arrivals
                .iter()
                .filter_map(|a| if let Happening::Octets { octets, .. } = &a.what { Some(octets.len()) } else { None })
                .sum()
        };
        assert_eq!(octets(&all(medium, at(10_000))), 0);
        medium.set_reading(stream, true);
        // What was under way comes at once, and after that one window in each round trip.
        assert_eq!(octets(&all(medium, at(10_000))), 1 << 16);
        assert_eq!(octets(&all(medium, at(11_000))), 1 << 16);
        assert!(octets(&all(medium, at(100_000))) > 1_800_000);
    });
}

#[test]
fn a_node_without_a_session_resets_what_is_written_to_it() {
    with(|medium| {
        let stream = medium.connect(Door::Tcpcl).unwrap();
        all(medium, at(1000));
        medium.write(stream, b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let what: Vec<Happening> = all(medium, at(10_000)).into_iter().map(|arrival| arrival.what).collect();
        assert!(what.contains(&Happening::Finished { stream }), "{what:?}");
        medium.write(stream, b"more").unwrap();
        let what: Vec<Happening> = all(medium, at(12_000)).into_iter().map(|arrival| arrival.what).collect();
        assert!(what.contains(&Happening::Reset { stream }), "{what:?}");
    });
}
