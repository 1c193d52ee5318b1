//! What a receiver has cancelled stays closed.
#![allow(missing_docs)]

use bytes::Bytes;
use farlink_engine::ltp::{Config, Engine, PeerConfig};
use farlink_units::Instant;
use farlink_wire::ltp::{Content, Data, DataKind, Segment, SessionId};

/// The first of two halves of a block.
fn half_a_block(session: SessionId) -> Bytes {
    let data = Data { kind: DataKind::Red, client_service: 1, offset: 0, data: b"Mars" };
    let mut octets = Vec::new();
    Segment::new(session, Content::Data(data)).emit(&mut octets);
    octets.into()
}

/// Were it forgotten, late data would open it anew, and the sender would add up what two receptions claim: it could be told
/// that a block has arrived which nobody has whole.
#[test]
fn a_session_stays_closed_though_there_is_no_room_to_announce_its_cancellation() {
    let mut engine = Engine::new(Config { max_receiving_sessions: 1, ..Config::new(20, 1) });
    engine.add_peer(10, PeerConfig::default());
    let [first, second] = [1, 2].map(|number| SessionId { originator: 10, number });
    for session in [first, second] {
        engine.handle_frame(Instant::ZERO, 10, &half_a_block(session));
        assert_eq!(engine.open_sessions().1, 1, "{session} is open");
        // The cancellation of the first waits for the link, and takes the only place.
        engine.cancel(Instant::ZERO, session);
        assert_eq!(engine.open_sessions().1, 0, "{session} is cancelled");
    }
    for session in [first, second] {
        engine.handle_frame(Instant::ZERO, 10, &half_a_block(session));
        assert_eq!(engine.open_sessions().1, 0, "{session} is open again");
    }
}
