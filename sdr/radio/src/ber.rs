//! Error ratios over Eb/N0, counted: a curve of points with how sure they are, and theory beside them.
//!
//! The work is cut in blocks, each with a seed of its own that follows from the plan's, the point and the block's number. Blocks are counted in order up to
//! the one that meets a limit, so the number of threads changes nothing.

use std::thread;

use farlink_coding::convolutional::{End, Viterbi};
use farlink_coding::marker::Lock;
use farlink_iq_channel::channel::ChannelConfig;
use farlink_iq_channel::noise::Noise;
use farlink_modem::Modulation;
use farlink_wire::ccsds::frame_error_control;
use num_complex::Complex32;
use serde::Serialize;

use crate::chain::{Chain, ChainConfig, ChainError, Outcome};
use crate::codec::{Decoder, Encoder, Place, TAIL};
use crate::idle::fill;
use crate::limits::{Limits, clopper_pearson};
use crate::receiver::ReceiverSettings;
use crate::theory::{Theory, channel_bit_ratio, theory};
use crate::waveform::Waveform;

/// Most points of a curve.
pub const MOST_POINTS: usize = 1000;
/// Most threads.
pub const MOST_THREADS: usize = 256;
/// Channel bits of a block of the level of symbols and of samples.
const BLOCK_BITS: [f64; 2] = [2e5, 1e6];
/// Frames of a block, at least.
const BLOCK_FRAMES: [f64; 2] = [4.0, 40.0];
/// Soft symbols are log-likelihood ratios times this, as the modem's are.
const SOFT_PER_NEPER: f32 = 8.0;

/// How much of the radio is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// The code alone: channel bits as ±1 with Gaussian noise, of which the receiver knows strength, phase and where frames begin. BPSK, QPSK and OQPSK only.
    Symbols,
    /// All of it: modulator, channel and a receiver that begins from cold in each block.
    Samples,
}

/// What is to be counted.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What is on the air.
    pub waveform: Waveform,
    /// How much of the radio is in it.
    pub level: Level,
    /// The points, in dB.
    pub eb_n0_db: Vec<f64>,
    /// Where chance comes from.
    pub seed: u64,
    /// A point ends when so many frames were wrong or missing.
    pub frame_errors: u64,
    /// A point ends when so many bits of frames were sent.
    pub bits: u64,
    /// Of the limits, 0.5 to 0.999999: how probable it is, at least, that the true ratio is between them.
    pub confidence: f64,
    /// Threads, 1 to [`MOST_THREADS`].
    pub threads: usize,
    /// What only the receiver decides.
    pub receiver: ReceiverSettings,
    /// The channel at the level of samples, to which the noise is added; `None` is noise alone. Seed and N0 are replaced.
    pub channel: Option<ChannelConfig>,
}

impl Plan {
    /// 100 wrong frames or 10 million bits a point, limits of 95 %, one thread.
    pub fn new(waveform: Waveform, level: Level, eb_n0_db: Vec<f64>, seed: u64) -> Self {
        Plan {
            waveform,
            level,
            eb_n0_db,
            seed,
            frame_errors: 100,
            bits: 10_000_000,
            confidence: 0.95,
            threads: 1,
            receiver: ReceiverSettings::default(),
            channel: None,
        }
    }

    fn validate(&self) -> Result<(), BerError> {
        let wrong = |field: &'static str, found: String, expected: &'static str| {
            Err(BerError::Field { field, found, expected })
        };
        self.waveform.validate().map_err(ChainError::from)?;
        if self.eb_n0_db.is_empty() || self.eb_n0_db.len() > MOST_POINTS {
            return wrong("eb_n0_db", format!("{} points", self.eb_n0_db.len()), "1 to 1000 points");
        }
        if let Some(db) = self.eb_n0_db.iter().find(|db| !(-30.0..=60.0).contains(*db)) {
            return wrong("eb_n0_db", db.to_string(), "dB from -30 to 60");
        }
        if self.frame_errors == 0 {
            return wrong("frame_errors", "0".into(), "1 or more");
        }
        if self.bits == 0 {
            return wrong("bits", "0".into(), "1 or more");
        }
        if !(0.5..=0.999_999).contains(&self.confidence) {
            return wrong("confidence", self.confidence.to_string(), "a number from 0.5 to 0.999999");
        }
        if !(1..=MOST_THREADS).contains(&self.threads) {
            return wrong("threads", self.threads.to_string(), "1 to 256");
        }
        let antipodal = matches!(self.waveform.modulation, Modulation::Bpsk | Modulation::Qpsk | Modulation::Oqpsk);
        if self.level == Level::Symbols && !antipodal {
            let name = crate::waveform::name(&self.waveform.modulation);
            return wrong("level", format!("symbols, with {name}"), "samples, or BPSK, QPSK or OQPSK");
        }
        Ok(())
    }
}

/// Why nothing was counted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BerError {
    /// A field of the plan.
    #[error("`{field}` is {found}: give {expected}")]
    Field {
        /// Its name.
        field: &'static str,
        /// What it was.
        found: String,
        /// What would do.
        expected: &'static str,
    },
    /// The chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// Which limit ended a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// So many frames were wrong.
    FrameErrors,
    /// So many bits were sent.
    Bits,
}

/// One point of a curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// In dB.
    pub eb_n0_db: f64,
    /// Frames that were sent.
    pub frames_sent: u64,
    /// Of those, the ones before the receiver had found a first frame; they count for nothing else. Always 0 at the level of symbols.
    pub frames_before_lock: u64,
    /// Blocks, and those of them in which no frame was found at all.
    pub blocks: u64,
    /// See [`blocks`](Self::blocks).
    pub blocks_without_lock: u64,
    /// Frames that count.
    pub frames: u64,
    /// Of those, how many were not found.
    pub frames_missing: u64,
    /// How many were found, and refused.
    pub frames_refused: u64,
    /// How many were accepted, and wrong.
    pub frames_undetected: u64,
    /// Wrong frames for each frame that counts: missing, refused or undetected. `None` if none counts.
    pub frame_error_ratio: Option<f64>,
    /// Of [`frame_error_ratio`](Self::frame_error_ratio).
    pub frame_limits: Limits,
    /// Bits of the frames that were found.
    pub bits: u64,
    /// How many of them were wrong. A block that could not be corrected counts as it came out.
    pub bits_wrong: u64,
    /// `None` if none was found.
    pub bit_error_ratio: Option<f64>,
    /// Of [`bit_error_ratio`](Self::bit_error_ratio): as if frames, not bits, were wrong independently of each other, as far as the counts say so.
    pub bit_limits: Limits,
    /// Times at which the receiver lost the signal after it had it.
    pub losses_of_lock: u64,
    /// Which limit ended it.
    pub ended: Ended,
    /// What it should be.
    pub theory: Option<Theory>,
}

/// A curve, and what it was made with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Curve {
    /// Of this crate.
    pub version: &'static str,
    /// The waveform.
    pub waveform: Waveform,
    /// How much of the radio was in it.
    pub level: Level,
    /// Where chance came from.
    pub seed: u64,
    /// The limits of a point: wrong frames, bits sent.
    pub frame_errors: u64,
    /// See [`frame_errors`](Self::frame_errors).
    pub bits: u64,
    /// Of the limits.
    pub confidence: f64,
    /// The points, in the order of the plan.
    pub points: Vec<Point>,
}

/// What was counted in some blocks.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    sent: u64,
    before_lock: u64,
    blocks: u64,
    without_lock: u64,
    missing: u64,
    refused: u64,
    undetected: u64,
    right: u64,
    bits_wrong: u64,
    /// Of the wrong bits of each frame.
    squares: f64,
    losses: u64,
}

impl Tally {
    fn add(&mut self, other: &Tally) {
        let Tally { sent, before_lock, blocks, without_lock, missing, refused, undetected, right, bits_wrong, .. } =
            *other;
        self.sent += sent;
        self.before_lock += before_lock;
        self.blocks += blocks;
        self.without_lock += without_lock;
        self.missing += missing;
        self.refused += refused;
        self.undetected += undetected;
        self.right += right;
        self.bits_wrong += bits_wrong;
        self.squares += other.squares;
        self.losses += other.losses;
    }

    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Delivered => self.right += 1,
            Outcome::Missing => self.missing += 1,
            Outcome::Refused { bit_errors } => {
                self.refused += 1;
                self.wrong(bit_errors);
            }
            Outcome::Undetected { bit_errors } => {
                self.undetected += 1;
                self.wrong(bit_errors);
            }
        }
    }

    fn wrong(&mut self, bits: u32) {
        self.bits_wrong += u64::from(bits);
        self.squares += f64::from(bits).powi(2);
    }

    fn wrong_frames(&self) -> u64 {
        self.missing + self.refused + self.undetected
    }
}

/// Counts what the plan asks for. `progress` is told each point as it is done.
///
/// # Errors
/// A field of the plan that cannot be, by name, and what the chain refuses.
pub fn measure(plan: &Plan, mut progress: impl FnMut(&Point)) -> Result<Curve, BerError> {
    plan.validate()?;
    let mut points = Vec::with_capacity(plan.eb_n0_db.len());
    for (number, &eb_n0_db) in (0..).zip(&plan.eb_n0_db) {
        let point = point(plan, number, eb_n0_db)?;
        progress(&point);
        points.push(point);
    }
    Ok(Curve {
        version: env!("CARGO_PKG_VERSION"),
        waveform: plan.waveform,
        level: plan.level,
        seed: plan.seed,
        frame_errors: plan.frame_errors,
        bits: plan.bits,
        confidence: plan.confidence,
        points,
    })
}

fn point(plan: &Plan, number: u64, eb_n0_db: f64) -> Result<Point, BerError> {
    let frame_bits = 8 * plan.waveform.frame_octets() as u64;
    let mut total = Tally::default();
    let mut next = 0u64;
    loop {
        let blocks: Vec<u64> = (next..next + plan.threads as u64).collect();
        next += plan.threads as u64;
        let seed = |block: u64| mixed(plan.seed ^ mixed(number + 1) ^ mixed(block + 1).rotate_left(17));
        let tallies: Vec<Result<Tally, BerError>> = if let [block] = blocks[..] {
            vec![run(plan, eb_n0_db, seed(block))]
        } else {
            thread::scope(|scope| {
                let started: Vec<_> =
                    blocks.iter().map(|&block| scope.spawn(move || run(plan, eb_n0_db, seed(block)))).collect();
                let joined = started.into_iter().map(|handle| handle.join());
                joined.map(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
            })
        };
        for tally in tallies {
            total.add(&tally?);
            let errors = total.wrong_frames() >= plan.frame_errors;
            if errors || total.sent * frame_bits >= plan.bits {
                let ended = if errors { Ended::FrameErrors } else { Ended::Bits };
                return Ok(finished(plan, eb_n0_db, &total, ended));
            }
        }
    }
}

fn finished(plan: &Plan, eb_n0_db: f64, total: &Tally, ended: Ended) -> Point {
    let frame_bits = 8 * plan.waveform.frame_octets() as u64;
    let found = total.right + total.refused + total.undetected;
    let frames = found + total.missing;
    let wrong = total.wrong_frames();
    let bits = found * frame_bits;
    let frame_limits = clopper_pearson(wrong as f64, frames as f64, plan.confidence);
    let share = |part: u64, of: u64| (of > 0).then(|| part as f64 / of as f64);
    Point {
        eb_n0_db,
        frames_sent: total.sent,
        frames_before_lock: total.before_lock,
        blocks: total.blocks,
        blocks_without_lock: total.without_lock,
        frames,
        frames_missing: total.missing,
        frames_refused: total.refused,
        frames_undetected: total.undetected,
        frame_error_ratio: share(wrong, frames),
        frame_limits,
        bits,
        bits_wrong: total.bits_wrong,
        bit_error_ratio: share(total.bits_wrong, bits),
        bit_limits: bit_limits(total, found, frame_bits, plan.confidence),
        losses_of_lock: total.losses,
        ended,
        theory: theory(&plan.waveform, eb_n0_db),
    }
}

/// Wrong bits come together in frames. If the wrong bits of a frame vary more than those of independent bits would, by a factor, then so many times fewer bits
/// count (Kish's design effect).
fn bit_limits(total: &Tally, found: u64, frame_bits: u64, confidence: f64) -> Limits {
    let (frames, per_frame) = (found as f64, frame_bits as f64);
    if total.bits_wrong == 0 {
        // A frame that would have been wrong may have had half of its bits wrong.
        let frame = clopper_pearson(0.0, frames, confidence);
        return Limits { low: 0.0, high: frame.high / 2.0 };
    }
    let ratio = total.bits_wrong as f64 / (frames * per_frame);
    let mean = total.bits_wrong as f64 / frames;
    let variance = (total.squares / frames - mean * mean) * frames / (frames - 1.0).max(1.0);
    let independent = per_frame * ratio * (1.0 - ratio);
    let effect = if found > 1 && independent > 0.0 { (variance / independent).max(1.0) } else { per_frame };
    clopper_pearson(total.bits_wrong as f64 / effect, frames * per_frame / effect, confidence)
}

/// Frames of a block.
fn block_frames(plan: &Plan) -> u64 {
    let level = plan.level as usize;
    (BLOCK_BITS[level] / plan.waveform.channel_bits_per_frame()).ceil().max(BLOCK_FRAMES[level]) as u64
}

fn run(plan: &Plan, eb_n0_db: f64, seed: u64) -> Result<Tally, BerError> {
    match plan.level {
        Level::Symbols => symbols(plan, eb_n0_db, seed),
        Level::Samples => samples(plan, eb_n0_db, seed),
    }
}

/// A frame of octets that look like chance, with its frame error control.
fn frame(waveform: &Waveform, seed: u64) -> Vec<u8> {
    let mut octets = vec![0; waveform.frame_octets()];
    fill(seed, &mut octets);
    if waveform.frame_error_control
        && let Some((before, field)) = octets.split_last_chunk_mut::<2>()
    {
        *field = frame_error_control(before).to_be_bytes();
    }
    octets
}

fn samples(plan: &Plan, eb_n0_db: f64, seed: u64) -> Result<Tally, BerError> {
    let waveform = plan.waveform;
    let usual = ChainConfig::new(waveform, eb_n0_db, seed);
    let channel = plan.channel.clone().map_or(usual.channel.clone(), |channel| ChannelConfig { seed, ..channel });
    let config = ChainConfig { channel, receiver: plan.receiver, lead_in_frames: Some(0), ..usual };
    let mut chain = Chain::new(&config)?;
    let mut tally = Tally { blocks: 1, sent: block_frames(plan), ..Tally::default() };
    for number in 0..tally.sent {
        chain.push(&frame(&waveform, mixed(seed ^ mixed(number))))?;
    }
    tally.losses = chain.status().map_or(0, |status| status.modem.losses);
    chain.gap(0.0)?;
    let mut locked = false;
    while let Some(decided) = chain.poll() {
        locked |= decided.outcome != Outcome::Missing;
        if locked { tally.count(decided.outcome) } else { tally.before_lock += 1 }
    }
    tally.without_lock = u64::from(!locked);
    Ok(tally)
}

fn symbols(plan: &Plan, eb_n0_db: f64, seed: u64) -> Result<Tally, BerError> {
    let waveform = plan.waveform;
    let mut encoder = Encoder::new(&waveform).map_err(ChainError::from)?;
    let mut decoder = Decoder::new(&waveform, plan.receiver.ldpc_iterations).map_err(ChainError::from)?;
    let mut tally = Tally { blocks: 1, sent: block_frames(plan), ..Tally::default() };
    let mut bits = Vec::new();
    let frames: Vec<Vec<u8>> = (0..tally.sent).map(|number| frame(&waveform, mixed(seed ^ mixed(number)))).collect();
    for frame in &frames {
        encoder.encode(frame, &mut bits).map_err(ChainError::from)?;
    }
    encoder.finish(&mut bits);

    let es_n0 = channel_bit_ratio(&waveform, eb_n0_db);
    let level = |bit: &u8| 1.0 - 2.0 * f32::from(*bit);
    // Two bits a complex number: the noise of both axes is independent.
    let mut points: Vec<Complex32> =
        bits.chunks(2).map(|pair| Complex32::new(level(&pair[0]), pair.get(1).map_or(0.0, level))).collect();
    let mut noise = Noise::new(1.0 / es_n0, seed).map_err(ChainError::from)?;
    noise.add(&mut points);
    let scale = 4.0 * es_n0 as f32 * SOFT_PER_NEPER;
    let quantised = |value: f32| (value * scale).round().clamp(-127.0, 127.0) as i8;
    let mut soft: Vec<i8> = points.iter().flat_map(|point| [quantised(point.re), quantised(point.im)]).collect();
    soft.truncate(bits.len());

    if let Some(rate) = waveform.coding.convolutional() {
        let mut viterbi = Viterbi::new(rate).starting_at(0);
        let (octets, count) = viterbi.decode_block(&soft, End::State(TAIL[TAIL.len() - 1] & 0x3F));
        soft = octets
            .iter()
            .flat_map(|octet| (0..8).map(move |at| if octet << at & 0x80 == 0 { 1 } else { -1 }))
            .collect();
        soft.truncate(count);
    }
    let marker = waveform.coding.marker().bits();
    for (frame, unit) in frames.iter().zip(soft.chunks_exact(waveform.unit_bits())) {
        let place = Place { marker_errors: 0, lock: Lock::Locked, run: 1, at: 0 };
        let received = decoder.decode(unit[marker..].to_vec(), place);
        let wrong = frame.iter().zip(&received.octets).map(|(one, other)| (one ^ other).count_ones()).sum();
        tally.count(match (received.accepted(), wrong) {
            (true, 0) => Outcome::Delivered,
            (true, bit_errors) => Outcome::Undetected { bit_errors },
            (false, bit_errors) => Outcome::Refused { bit_errors },
        });
    }
    Ok(tally)
}

/// A number that looks like chance, of a number (SplitMix64's last steps).
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

impl Point {
    /// By how many dB this point is worse than theory, judged by its ratio of wrong frames: the Eb/N0 here less the one at which theory has the same ratio.
    /// `None` without wrong frames or theory. `low` and `high` are those of the limits of the ratio.
    pub fn loss_db(&self, waveform: &Waveform) -> Option<(f64, Limits)> {
        let at = |ratio: f64| Some(self.eb_n0_db - crate::theory::eb_n0_db_of_frame_errors(waveform, ratio)?);
        let ratio = self.frame_error_ratio.filter(|ratio| *ratio > 0.0)?;
        Some((at(ratio)?, Limits { low: at(self.frame_limits.low)?, high: at(self.frame_limits.high)? }))
    }
}
