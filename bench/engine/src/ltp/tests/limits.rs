//! What a hostile or broken peer meets.

use super::*;

#[test]
fn limits_hold_and_what_is_not_accepted_is_not_claimed() {
    let mut config = Config::new(MARS, 1);
    config.receive_limit = 1000;
    config.max_receiving_sessions = 2;
    let mut mars = Engine::new(config);
    mars.add_peer(EARTH, PeerConfig::default());
    mars.handle_frame(Instant::ZERO, EARTH, &from_earth(1, DataKind::Red, BUNDLE_PROTOCOL, 0, &[1; 900]));
    mars.handle_frame(Instant::ZERO, EARTH, &from_earth(1, end_of_block(5), BUNDLE_PROTOCOL, 900, &[1; 200]));
    assert_eq!(mars.discarded().over_limit, 1);
    assert_eq!(mars.poll_transmit(Instant::ZERO, EARTH, usize::MAX), None, "no claim for what was refused");
    assert_eq!(mars.held_bytes(), 964);
    mars.handle_frame(Instant::ZERO, EARTH, &from_earth(2, DataKind::Red, BUNDLE_PROTOCOL, 0, &[]));
    mars.handle_frame(Instant::ZERO, EARTH, &from_earth(3, DataKind::Red, BUNDLE_PROTOCOL, 0, &[]));
    assert_eq!((mars.open_sessions().1, mars.discarded().over_limit), (2, 2));
}

#[test]
fn segments_of_strangers_and_garbage_are_counted() {
    let mut pair = Pair::new();
    let stranger = SessionId { originator: 42, number: 1 };
    let data = Data { kind: DataKind::Red, client_service: 1, offset: 0, data: b"hello" };
    assert_eq!(data.kind.colour(), Colour::Red);
    pair.mars.handle_frame(Instant::ZERO, EARTH, &segment_of(stranger, Content::Data(data)));
    pair.mars.handle_frame(Instant::ZERO, EARTH, &Bytes::from_static(b"\xff\xff\xff"));
    pair.mars.handle_frame(Instant::ZERO, EARTH, &Bytes::from_static(b"\x00"));
    let counts = pair.mars.discarded();
    assert_eq!((counts.unknown_peer, counts.malformed), (1, 2));
    assert_eq!(pair.mars.open_sessions(), (0, 0, 0));
}
