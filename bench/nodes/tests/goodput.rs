//! How fast LTP brings a block across, beside what theory allows: over distance, bit errors and the ratio of the rates.
//!
//! # What is measured
//! One block of 1 MB, all red, in segments of 1360 bytes, from the first bit that leaves to the last bit that completes it at
//! the receiver, over channels that drop damaged frames. Each cell of the table is the mean time of several blocks with errors
//! of their own; everything is drawn from fixed seeds.
//!
//! # The bound
//! With a bit error ratio `b`, a segment of `L` bits is lost with `p = 1 − (1 − b)^L`. A block has `N` segments of `t` seconds
//! each on the way out; `d` is the one-way light time.
//! - After `k` rounds a segment is still missing with probability `p^k`. Round `k` is needed with `1 − (1 − p^(k−1))^N`.
//! - The data of round `k` takes `N·p^(k−1)·t` to leave; over all rounds that is `N·t/(1 − p)`.
//! - Each round but the first waits for a report: light there and back.
//! - A report on round `k` has a claim before each gap. Gaps begin where a missing segment follows one that is there:
//!   `N·p^k·(1 − p^k)` of them. A claim takes four octets at least, but for the few that begin within 16 kB. It leaves at the
//!   rate back. A long report is several segments, so what it asks for may leave while the rest of it is still coming: of
//!   report and data the longer counts.
//! - The last bit takes `d`.
//!
//! `T ≥ d + N·t + Σ_{k≥2} [ P(round k)·2d + max(report k−1, data k) ]`
//!
//! This is the least *mean* time that any protocol of reports and retransmissions can reach when it asks once a block. It
//! counts nothing for a checkpoint or a report that is itself lost, for headers of reports, for acknowledgments. A mean of a few
//! blocks strays from its expectation, so it may lie below by three of its own standard errors, and without errors not at all.
#![allow(missing_docs)]

use std::fmt::Write;

use bytes::Bytes;
use farlink_channel_models::{Errors, LightTime, Rate};
use farlink_engine::ltp::{BUNDLE_PROTOCOL, Config, Engine, Notice, PathInfo, PeerConfig};
use farlink_link::{Channel, ChannelConfig, Contacts, Damaged};
use farlink_record::ChannelId;
use farlink_units::{BitRate, Duration, Instant};

const BLOCK: u64 = 1_000_000;
const SEGMENT: u64 = 1360;
const RATE_BPS: u64 = 1_000_000;
/// Blocks in a cell with errors; without errors they are all the same.
const BLOCKS: u64 = 24;
/// The least share of the bound that a cell may reach. The least is that of a short link with a slow way back: a lost checkpoint or
/// report costs a timer, which leaves the peer room for two of the longest frames at 1 kbit/s.
const LEAST_SHARE: f64 = 0.6;

#[derive(Clone, Copy)]
struct Cell {
    light_time: Duration,
    ber: f64,
    ratio: u64,
}

impl Cell {
    fn engine(&self, id: u64, peer: u64, rates: [u64; 2], seed: u64) -> Engine {
        let mut engine = Engine::new(Config::new(id, seed));
        engine.add_peer(peer, PeerConfig { segment_size: SEGMENT as usize, ..PeerConfig::default() });
        let path = PathInfo {
            light_time_out: self.light_time,
            light_time_back: self.light_time,
            rate_out_bps: rates[0],
            rate_back_bps: rates[1],
            overhead_bits: 0,
        };
        engine.set_path(peer, path);
        engine
    }

    fn channel(&self, id: u16, rate_bps: u64, seed: u64) -> Channel {
        Channel::new(ChannelConfig {
            id: ChannelId(id),
            rate: Rate::constant(BitRate::from_bps(rate_bps).unwrap()),
            overhead_bits: 0,
            contacts: Contacts::Always,
            light_time: LightTime::Constant(self.light_time),
            errors: Errors::independent(self.ber, seed),
            damaged: Damaged::Drop,
            radio: None,
            queue_bits: 1 << 40,
            seed: 1,
        })
    }

    /// Seconds until a block is whole at the receiver.
    fn one_block(&self, seed: u64) -> f64 {
        let back = RATE_BPS / self.ratio;
        let mut engines =
            [self.engine(1, 2, [RATE_BPS, back], 2 * seed), self.engine(2, 1, [back, RATE_BPS], 2 * seed + 1)];
        let mut channels = [self.channel(0, RATE_BPS, 1000 + 2 * seed), self.channel(1, back, 1001 + 2 * seed)];
        let data = Bytes::from(vec![0x55; BLOCK as usize]);
        engines[0].send(2, BUNDLE_PROTOCOL, data.into(), BLOCK).unwrap();
        let mut now = Instant::ZERO;
        loop {
            for (place, peer) in [2, 1].into_iter().enumerate() {
                while let Some(notice) = engines[place].poll_notice() {
                    assert!(!matches!(
                        notice,
                        Notice::TransmissionCancelled { .. } | Notice::ReceptionCancelled { .. }
                    ));
                    if matches!(notice, Notice::RedPart { .. }) {
                        return now.as_secs_f64();
                    }
                }
                while channels[place].busy_until() <= now {
                    let Some(frame) = engines[place].poll_transmit(now, peer, usize::MAX) else { break };
                    channels[place].offer(now, frame, |_| ());
                }
            }
            let dues = channels.iter().filter_map(Channel::next_due);
            let idle = channels.iter().map(Channel::busy_until).filter(|busy| *busy > now);
            let timeouts = engines.iter().filter_map(Engine::poll_timeout);
            now = dues.chain(idle).chain(timeouts).min().expect("something is under way").max(now);
            for (place, from) in [1, 2].into_iter().enumerate() {
                while let Some(arrival) = channels[place].take_due(now) {
                    if arrival.delivered() {
                        engines[1 - place].handle_frame(now, from, &arrival.content);
                    }
                }
                engines[place].handle_timeout(now);
            }
        }
    }

    /// Mean seconds for a block, and the standard error of that mean.
    fn measure(&self) -> (f64, f64) {
        let blocks = if self.ber == 0.0 { 1 } else { BLOCKS };
        let times: Vec<f64> = (0..blocks).map(|seed| self.one_block(seed)).collect();
        let mean = times.iter().sum::<f64>() / blocks as f64;
        let squares: f64 = times.iter().map(|t| (t - mean) * (t - mean)).sum();
        let error = if blocks > 1 { (squares / (blocks - 1) as f64 / blocks as f64).sqrt() } else { 0.0 };
        (mean, error)
    }

    /// The least mean time that theory allows, in seconds.
    fn bound(&self) -> f64 {
        // Every full data segment has a header of 11 octets at least: one each for control, engine ID, extensions count,
        // service and offset, four for the session number, two for the length.
        let payload = (SEGMENT - 11) as f64;
        let count = BLOCK as f64 / payload;
        let bits = SEGMENT as f64 * 8.0;
        let segment = bits / RATE_BPS as f64;
        let p = -(bits * (-self.ber).ln_1p()).exp_m1();
        let light = self.light_time.as_secs_f64();
        let mut time = light + count * segment;
        let mut missing = p;
        while count * missing > 1e-9 {
            let needed = -(count * (-missing).ln_1p()).exp_m1();
            let claims = count * missing * (1.0 - missing);
            let report = claims * 4.0 * 8.0 / (RATE_BPS / self.ratio) as f64;
            time += needed * 2.0 * light + report.max(count * missing * segment);
            missing *= p;
        }
        time
    }
}

#[test]
fn goodput_stays_below_what_theory_allows_and_not_far_below() {
    let mut table = String::new();
    writeln!(table, "light time   BER   rates   measured      bound   share").unwrap();
    let mut wrong = Vec::new();
    for light_time in [Duration::from_millis(100), Duration::from_secs(10), Duration::from_secs(1200)] {
        for ber in [0.0, 1e-7, 1e-6, 1e-5] {
            for ratio in [1, 100, 1000] {
                let cell = Cell { light_time, ber, ratio };
                let ((mean, error), bound) = (cell.measure(), cell.bound());
                let kbps = |secs: f64| BLOCK as f64 * 8.0 / secs / 1000.0;
                let share = bound / mean;
                writeln!(
                    table,
                    "{:>10} {ber:>5e} {:>7} {:>10.3} {:>10.3} {:>6.1}%",
                    light_time.to_string(),
                    format!("{ratio}:1"),
                    kbps(mean),
                    kbps(bound),
                    100.0 * share
                )
                .unwrap();
                if mean < bound - 3.0 * error || share < LEAST_SHARE {
                    wrong.push(format!("{light_time}, {ber}, {ratio}:1: {mean} s ± {error} s, bound {bound} s"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}\n{table}");
    insta::assert_snapshot!(table);
}
