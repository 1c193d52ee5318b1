//! A small run that the tests record.

use bytes::Bytes;
use farlink_record::{
    ChannelId, ChannelInfo, ContactInfo, DurationNanos, Event, Header, NodeId, NodeInfo, Stamped, TrafficInfo,
};
use farlink_units::Instant;

/// Two nodes, a channel each way, one item.
pub fn header() -> Header {
    let channel = |name: &str, from, to, ber| ChannelInfo {
        name: name.into(),
        link: "trunk".into(),
        from: NodeId(from),
        to: NodeId(to),
        rate_bps: 256_000,
        ber,
        contacts: vec![ContactInfo { start: Instant::ZERO, end: at(60_000_000_000) }],
    };
    Header {
        format: Header::FORMAT.into(),
        version: Header::VERSION,
        farlink: "0.1.0".into(),
        scenario: "two nodes".into(),
        scenario_sha256: "ab".repeat(32),
        seed: u64::MAX,
        epoch: "2027-03-01T12:00:00Z".into(),
        duration: DurationNanos(60_000_000_000),
        clock: "virtual".into(),
        nodes: [("lander", "ipn:10.0"), ("station", "ipn:30.0")]
            .map(|(name, eid)| NodeInfo { name: name.into(), eid: eid.into() })
            .into(),
        // The second has no short decimal: it must come back to the last bit.
        channels: vec![channel("lander→station", 0, 1, 1e-6), channel("station→lander", 1, 0, 0.1 + 0.2)],
        traffic: vec![TrafficInfo { name: "photo".into(), from: NodeId(0), to: NodeId(1), bytes: 1 << 40 }],
    }
}

/// An instant.
pub fn at(nanos: i64) -> Instant {
    Instant::from_nanos(nanos)
}

/// A frame that arrived.
#[allow(dead_code, reason = "not every test captures")]
pub fn delivered(nanos: i64, channel: u16, frame: u64, damaged_bits: u32, content: &[u8]) -> Stamped {
    let bytes = content.len() as u32;
    let content = Bytes::copy_from_slice(content);
    let event =
        Event::FrameDelivered { channel: ChannelId(channel), frame, bytes, damaged_bits, delays: None, content };
    Stamped { at: at(nanos), event }
}
