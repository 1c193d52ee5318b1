//! What a run delivered, as a capture file.

use std::fs::File;
use std::io;
use std::path::Path;

use farlink_record::capture::CaptureWriter;
use farlink_record::{ChannelInfo, Header, NodeId, NodeInfo, Stamped};

use crate::pair::{DTN_TIME_AT_START_MS, Pair};

/// DTN time 0 (RFC 9171, section 4.2.6) in milliseconds since 1970.
const DTN_EPOCH_UNIX_MS: i64 = 946_684_800_000;
const EPOCH_UNIX_NANOS: i64 = (DTN_EPOCH_UNIX_MS + DTN_TIME_AT_START_MS as i64) * 1_000_000;

/// A capture that is being written.
pub(crate) struct Capture {
    out: CaptureWriter<File>,
}

impl Capture {
    pub(crate) fn create(path: &Path, pair: &Pair, seed: u64) -> io::Result<Self> {
        let node = |name: &str, eid: &str| NodeInfo { name: name.to_owned(), eid: eid.to_owned() };
        let channel = |name: &str, from: u16, rate_bps: u64| ChannelInfo {
            name: name.to_owned(),
            link: "pair".to_owned(),
            from: NodeId(from),
            to: NodeId(1 - from),
            rate_bps,
            rates: Vec::new(),
            ber: pair.ber,
            contacts: Vec::new(),
        };
        let header = Header {
            format: Header::FORMAT.to_owned(),
            version: Header::VERSION,
            farlink: env!("CARGO_PKG_VERSION").to_owned(),
            scenario: "throughput".to_owned(),
            scenario_sha256: String::new(),
            seed,
            epoch: "2026-01-01T00:00:00Z".to_owned(),
            duration: farlink_units::Duration::ZERO.into(),
            clock: "virtual".to_owned(),
            nodes: vec![node("sender", "ipn:10.0"), node("receiver", "ipn:20.0")],
            channels: vec![
                channel("sender→receiver", 0, pair.rate.bps()),
                channel("receiver→sender", 1, pair.rate_back.bps()),
            ],
            traffic: Vec::new(),
        };
        Ok(Capture { out: CaptureWriter::new(File::create(path)?, &header, EPOCH_UNIX_NANOS)? })
    }

    pub(crate) fn event(&mut self, stamped: &Stamped) -> io::Result<()> {
        self.out.event(stamped)
    }

    pub(crate) fn finish(self) -> io::Result<()> {
        self.out.finish().map(drop)
    }
}
