//! Bundles in red blocks of LTP (RFC 5326).

use bytes::Bytes;
use farlink_engine::ltp::{BUNDLE_PROTOCOL, Block, Config, Cue, Engine, Notice, PathInfo, PeerConfig};
use farlink_units::{Duration, Instant};

use super::split;
use crate::medium::{Door, Happening};
use crate::outcome::Finding;
use crate::tester::Tester;

/// How often the tester tries anew while the way to it is closed.
const RETRANSMISSIONS: u32 = 1_000;

/// The tester's engine.
pub struct Blocks {
    engine: Engine,
    door: Door,
    node: u64,
}

impl Blocks {
    pub(super) fn new(tester: &Tester<'_>, door: Door, seed: u64) -> Result<Self, Finding> {
        let ltp = tester.ltp()?;
        let own = match door {
            Door::SecondLtp => ltp
                .second_tester
                .ok_or_else(|| Finding::unsupported("the node knows no second engine of the tester"))?,
            _ => ltp.tester,
        };
        let mut engine = Engine::new(Config::new(own, seed));
        let profile = tester.profile();
        let half = Duration::from_nanos(profile.round_trip.as_nanos() / 2);
        let peer = PeerConfig {
            segment_size: ltp.segment_size,
            response_margin: profile.response + ltp.defer,
            retransmission_limit: RETRANSMISSIONS,
            ..PeerConfig::default()
        };
        engine.add_peer(ltp.engine, peer);
        engine.set_path(ltp.engine, PathInfo { light_time_out: half, light_time_back: half, ..PathInfo::default() });
        engine.handle_cue(tester.now(), ltp.engine, Cue::PeerStarts);
        Ok(Blocks { engine, door, node: ltp.engine })
    }

    pub(super) fn send(&mut self, tester: &mut Tester<'_>, bundle: &[u8]) -> Result<(), Finding> {
        let block = Block::new([Bytes::copy_from_slice(bundle)]);
        let red = block.len();
        if red == 0 {
            return Err(Finding::unsupported("LTP carries no empty block"));
        }
        self.engine
            .send(self.node, BUNDLE_PROTOCOL, block, red)
            .map_err(|error| Finding::bench_error(error.to_string()))?;
        self.pump(tester)
    }

    pub(super) fn take(&mut self, tester: &mut Tester<'_>, what: &Happening) -> Result<Vec<Vec<u8>>, Finding> {
        let Happening::Datagram { door, octets } = what else { return Ok(Vec::new()) };
        if *door != self.door {
            return Ok(Vec::new());
        }
        self.engine.handle_frame(tester.now(), self.node, &Bytes::copy_from_slice(octets));
        let mut bundles = Vec::new();
        while let Some(notice) = self.engine.poll_notice() {
            match notice {
                Notice::RedPart { data, .. } | Notice::GreenBlock { data, .. } => bundles.extend(split(&data)),
                _ => {}
            }
        }
        self.pump(tester)?;
        Ok(bundles)
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.engine.poll_timeout()
    }

    pub(super) fn wake(&mut self, tester: &mut Tester<'_>) -> Result<(), Finding> {
        self.engine.handle_timeout(tester.now());
        while self.engine.poll_notice().is_some() {}
        self.pump(tester)
    }

    fn pump(&mut self, tester: &mut Tester<'_>) -> Result<(), Finding> {
        while let Some(segment) = self.engine.poll_transmit(tester.now(), self.node, usize::MAX) {
            tester.send(self.door, &segment)?;
        }
        Ok(())
    }
}
