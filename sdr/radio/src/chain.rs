//! One direction of a link: transmitter, channel of samples, receiver; and what became of each frame.

use std::collections::VecDeque;

use farlink_iq_channel::channel::{Channel, ChannelConfig, ChannelCounts};
use farlink_iq_channel::delay::DelayConfig;
use farlink_iq_channel::law::DelayLaw;
use farlink_iq_channel::ring::RingError;
use num_complex::Complex32;
use serde::Serialize;

use crate::codec::{FrameLength, Received};
use crate::idle::idle_frame;
use crate::receiver::{Receiver, ReceiverSettings, Status, latency_symbols};
use crate::transmitter::Transmitter;
use crate::waveform::{Waveform, WaveformError};

/// Outcomes that are remembered after they are decided.
const REMEMBERED: usize = 1 << 20;
/// Samples of silence that are sent at a time.
const SILENCE: usize = 4096;
/// Samples by which a channel's filters are late at most, its delay and echoes not counted.
const FILTERS: f64 = 256.0;
/// The largest and the smallest amplitude that Eb/N0 is reached with, against that of the channel's own Eb/N0, in dB.
const RANGE_DB: f64 = 100.0;

/// What a chain is made of.
#[derive(Debug, Clone)]
pub struct ChainConfig {
    /// What is on the air.
    pub waveform: Waveform,
    /// Eb/N0 in dB ([`Waveform::es_n0_db`]) of a signal of mean power 1. `None` is a channel without noise.
    pub eb_n0_db: Option<f64>,
    /// The channel: its sample rate has to be the waveform's, its N0 is replaced by what `eb_n0_db` comes to.
    pub channel: ChannelConfig,
    /// What only the receiver decides.
    pub receiver: ReceiverSettings,
    /// Idle frames that are sent before the first frame and the first one after each gap, while the receiver acquires. `None` is as many as it
    /// takes at most; 0 lets the receiver acquire on the frames themselves, of which the first may then be lost.
    pub lead_in_frames: Option<u32>,
}

impl ChainConfig {
    /// A channel with nothing but noise.
    pub fn new(waveform: Waveform, eb_n0_db: f64, seed: u64) -> Self {
        ChainConfig {
            waveform,
            eb_n0_db: Some(eb_n0_db),
            channel: ChannelConfig::new(waveform.sample_rate_hz(), seed),
            receiver: ReceiverSettings::default(),
            lead_in_frames: None,
        }
    }
}

/// Why there is no chain, or it cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// The waveform.
    #[error("waveform: {0}")]
    Waveform(#[from] WaveformError),
    /// The channel.
    #[error("channel: {0}")]
    Channel(#[from] farlink_iq_channel::ConfigError),
    /// The channel has another sample rate than the waveform.
    #[error("`channel.rate_hz` is {channel}, but the waveform has {waveform} samples a second: make them the same")]
    Rate {
        /// What the channel has.
        channel: f64,
        /// What it should have.
        waveform: f64,
    },
    /// An Eb/N0 that is none, or for a channel without noise.
    #[error("Eb/N0 of {0} dB: give a number within 100 dB of the channel's, and only to a channel that has one")]
    EbN0(f64),
    /// A frame.
    #[error(transparent)]
    Frame(#[from] FrameLength),
    /// What is under way cannot be held.
    #[error("channel: {0}")]
    Ring(#[from] RingError),
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum Outcome {
    /// It came out as it went in, and was accepted.
    Delivered,
    /// It was found, and refused by its code or its frame error control.
    Refused {
        /// Bits that were wrong; 0 if only the frame error control was wrong from the beginning.
        bit_errors: u32,
    },
    /// It was accepted, and is wrong: nothing that the waveform has could tell.
    Undetected {
        /// Bits that were wrong.
        bit_errors: u32,
    },
    /// No frame was found where it should have been.
    Missing,
}

/// A frame that is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// What [`Chain::push`] gave.
    pub index: u64,
    /// What became of it.
    pub outcome: Outcome,
    /// It, as it was received; `None` if it is missing.
    pub received: Option<Received>,
}

/// How many frames became what. Idle frames of the chain's own are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Pushed.
    pub pushed: u64,
    /// Delivered.
    pub delivered: u64,
    /// Refused.
    pub refused: u64,
    /// Accepted, but wrong.
    pub undetected: u64,
    /// Missing.
    pub missing: u64,
    /// Frames that came out and belong to none that was sent, or to one that was decided already.
    pub strange: u64,
}

/// A frame that was sent and is not decided.
#[derive(Debug)]
struct Sent {
    /// `None` for the chain's own.
    index: Option<u64>,
    octets: Vec<u8>,
    received: Option<(Outcome, Received)>,
    /// Symbols of the transmission until its end.
    end: f64,
}

/// One direction of a link, from frames to frames.
///
/// Frames are pushed one after the other, and there is no time between them: whoever has none to send pushes idle ones, or a
/// [`gap`](Self::gap). Each is decided within [`latency_frames`](Self::latency_frames) more.
#[derive(Debug)]
pub struct Chain {
    waveform: Waveform,
    settings: ReceiverSettings,
    lead_in: u32,
    eb_n0_db: Option<f64>,
    transmitter: Transmitter,
    channel: Channel,
    delay: Option<DelayConfig>,
    echo_s: f64,
    receiver: Option<Receiver>,
    sent: VecDeque<Sent>,
    /// Number of the first in `sent`, of all that were sent.
    first: u64,
    /// Which number the frame at a place of a run is.
    anchor: Option<Anchor>,
    decided: VecDeque<Decided>,
    outcomes: VecDeque<Option<Outcome>>,
    next_index: u64,
    first_outcome: u64,
    counts: Counts,
    idle_count: u32,
    symbols: f64,
    samples: Vec<Complex32>,
    arrived: Vec<Complex32>,
}

#[derive(Debug, Clone, Copy)]
struct Anchor {
    run: u64,
    at: u64,
    number: u64,
}

impl Chain {
    /// A chain on which nothing was sent.
    ///
    /// # Errors
    /// A field that cannot be, by name.
    pub fn new(config: &ChainConfig) -> Result<Self, ChainError> {
        let ChainConfig { waveform, eb_n0_db, receiver: settings, .. } = *config;
        let transmitter = Transmitter::new(&waveform)?;
        let receiver = Receiver::new(&waveform, &settings)?;
        let (channel, expected) = (config.channel.rate_hz, waveform.sample_rate_hz());
        if (channel / expected - 1.0).abs() > 1e-12 || !channel.is_finite() {
            return Err(ChainError::Rate { channel, waveform: expected });
        }
        let wrong = eb_n0_db.filter(|db| !(-RANGE_DB..=RANGE_DB).contains(db));
        if let Some(wrong) = wrong {
            return Err(ChainError::EbN0(wrong));
        }
        let mut channel = config.channel.clone();
        channel.n0 = eb_n0_db.map(|db| waveform.n0(db));
        let most = (2.0 * latency_symbols(&waveform) / waveform.symbols_per_frame()).ceil() as u32 + 1;
        Ok(Chain {
            waveform,
            settings,
            lead_in: config.lead_in_frames.unwrap_or(most),
            eb_n0_db,
            transmitter,
            delay: channel.delay.clone(),
            echo_s: channel.multipath.iter().map(|echo| echo.delay_s).fold(0.0, f64::max),
            channel: Channel::new(&channel)?,
            receiver: Some(receiver),
            sent: VecDeque::new(),
            first: 0,
            anchor: None,
            decided: VecDeque::new(),
            outcomes: VecDeque::new(),
            next_index: 0,
            first_outcome: 0,
            counts: Counts::default(),
            idle_count: 0,
            symbols: 0.0,
            samples: Vec::new(),
            arrived: Vec::new(),
        })
    }

    /// The waveform.
    pub fn waveform(&self) -> &Waveform {
        &self.waveform
    }

    /// The Eb/N0 in dB that the noise was made for; `None` without noise.
    pub fn base_eb_n0_db(&self) -> Option<f64> {
        self.eb_n0_db
    }

    /// Lets what is sent from here on arrive at this Eb/N0, in dB: the signal is made stronger or weaker, the noise stays as it is.
    ///
    /// # Errors
    /// It is no number or more than 100 dB from that of the channel, or the channel has no noise.
    pub fn set_eb_n0_db(&mut self, eb_n0_db: f64) -> Result<(), ChainError> {
        let refused = || ChainError::EbN0(eb_n0_db);
        let more = eb_n0_db - self.eb_n0_db.ok_or_else(refused)?;
        if !(-RANGE_DB..=RANGE_DB).contains(&more) {
            return Err(refused());
        }
        self.transmitter.set_amplitude(10f64.powf(more / 20.0) as f32);
        Ok(())
    }

    /// Sends a frame; gives its index, counted from 0.
    ///
    /// # Errors
    /// A frame of another length, and a ring that fails.
    pub fn push(&mut self, frame: &[u8]) -> Result<u64, ChainError> {
        let expected = self.waveform.frame_octets();
        if frame.len() != expected {
            return Err(FrameLength { found: frame.len(), expected }.into());
        }
        if self.sent.is_empty() && self.symbols == 0.0 {
            for _ in 0..self.lead_in {
                self.idle()?;
            }
        }
        let index = self.next_index;
        self.next_index += 1;
        self.counts.pushed += 1;
        self.outcomes.push_back(None);
        if self.outcomes.len() > REMEMBERED {
            self.outcomes.pop_front();
            self.first_outcome += 1;
        }
        self.send(Some(index), frame.to_vec())?;
        Ok(index)
    }

    /// Sends an idle frame of the chain's own.
    ///
    /// # Errors
    /// A ring that fails.
    pub fn idle(&mut self) -> Result<(), ChainError> {
        let frame = idle_frame(&self.waveform, 0, self.idle_count);
        self.idle_count = self.idle_count.wrapping_add(1);
        self.send(None, frame)
    }

    /// Sends idle frames until every frame is decided.
    ///
    /// # Errors
    /// A ring that fails.
    pub fn flush(&mut self) -> Result<(), ChainError> {
        while self.sent.iter().any(|sent| sent.index.is_some()) {
            self.idle()?;
        }
        Ok(())
    }

    /// Ends the transmission, and sends nothing for `silence_s` seconds, or for as long as what is under way needs to arrive. All frames are then decided.
    /// What is pushed next begins a new transmission, and a new receiver acquires it from cold.
    ///
    /// # Errors
    /// A ring that fails.
    pub fn gap(&mut self, silence_s: f64) -> Result<(), ChainError> {
        self.samples.clear();
        let mut samples = std::mem::take(&mut self.samples);
        self.transmitter.finish(&mut samples);
        self.pass(&samples)?;
        let rate = self.waveform.sample_rate_hz();
        let under_way = (self.flight_s() + self.echo_s) * rate + FILTERS;
        let mut left = under_way.max(silence_s * rate).ceil() as u64;
        samples.clear();
        samples.resize(SILENCE, Complex32::ZERO);
        while left > 0 {
            let now = left.min(SILENCE as u64);
            self.pass(&samples[..now as usize])?;
            left -= now;
        }
        self.samples = samples;
        if let Some(mut receiver) = self.receiver.take() {
            receiver.finish();
            while let Some(frame) = receiver.poll() {
                self.assign(frame);
            }
        }
        self.decide_first(self.sent.len());
        self.anchor = None;
        self.symbols = 0.0;
        Ok(())
    }

    /// What became of a frame; `None` if it is not decided, or so long ago that it is forgotten (a million frames).
    pub fn outcome(&self, index: u64) -> Option<Outcome> {
        let place = index.checked_sub(self.first_outcome)?;
        self.outcomes.get(usize::try_from(place).ok()?).copied().flatten()
    }

    /// The next frame that is decided, in the order of pushing. Who does not poll lets them pile up.
    pub fn poll(&mut self) -> Option<Decided> {
        self.decided.pop_front()
    }

    /// How many frames became what.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What the channel did.
    pub fn channel_counts(&self) -> ChannelCounts {
        self.channel.counts()
    }

    /// What the receiver knows; `None` after a gap.
    pub fn status(&self) -> Option<Status> {
        self.receiver.as_ref().map(Receiver::status)
    }

    /// Frames that may have to be pushed behind one, idle ones among them, until it is decided.
    pub fn latency_frames(&self) -> u64 {
        (self.latency() / self.waveform.symbols_per_frame()).ceil() as u64 + 2
    }

    /// Symbols after the end of a frame until it is decided.
    fn latency(&self) -> f64 {
        let flight = (self.flight_s() + self.echo_s) * self.waveform.symbol_rate_hz;
        latency_symbols(&self.waveform) + flight + FILTERS / self.waveform.samples_per_symbol
    }

    /// How long what is sent now is under way.
    fn flight_s(&self) -> f64 {
        let Some(delay) = &self.delay else { return 0.0 };
        let sent_s = self.channel.counts().sent as f64 / self.waveform.sample_rate_hz();
        // What arrives at t was sent at t - d(t); d changes by less than a second a second, so this comes to rest.
        let mut flight = delay_at(&delay.law, sent_s);
        for _ in 0..16 {
            flight = delay_at(&delay.law, sent_s + flight);
        }
        flight
    }

    fn send(&mut self, index: Option<u64>, octets: Vec<u8>) -> Result<(), ChainError> {
        let mut samples = std::mem::take(&mut self.samples);
        samples.clear();
        self.transmitter.send(&octets, &mut samples)?;
        self.symbols += self.waveform.symbols_per_frame();
        self.sent.push_back(Sent { index, octets, received: None, end: self.symbols });
        self.pass(&samples)?;
        self.samples = samples;
        let latest = self.symbols - self.latency() - self.waveform.symbols_per_frame();
        let due = self.sent.iter().take_while(|sent| sent.end < latest).count();
        self.decide_first(due);
        Ok(())
    }

    /// Lets samples through channel and receiver.
    fn pass(&mut self, samples: &[Complex32]) -> Result<(), ChainError> {
        self.arrived.clear();
        self.channel.process(samples, &mut self.arrived)?;
        let receiver = match &mut self.receiver {
            Some(receiver) => receiver,
            None => self.receiver.insert(Receiver::new(&self.waveform, &self.settings)?),
        };
        receiver.process(&self.arrived);
        let frames: Vec<Received> = std::iter::from_fn(|| receiver.poll()).collect();
        frames.into_iter().for_each(|frame| self.assign(frame));
        Ok(())
    }

    /// Finds out which frame it is that was received.
    fn assign(&mut self, frame: Received) {
        let Some(place) = self.place_of(&frame) else {
            self.counts.strange += 1;
            return;
        };
        let sent = &mut self.sent[place];
        let bit_errors: u32 = differences(&sent.octets, &frame.octets);
        let outcome = match (frame.accepted(), bit_errors) {
            (true, 0) => Outcome::Delivered,
            (true, _) => Outcome::Undetected { bit_errors },
            (false, _) => Outcome::Refused { bit_errors },
        };
        let number = self.first + place as u64;
        self.anchor = Some(Anchor { run: frame.run, at: frame.at, number });
        sent.received = Some((outcome, frame));
        // Frames come in order: what was not received before it never will be.
        self.decide_first(place + 1);
    }

    fn place_of(&self, frame: &Received) -> Option<usize> {
        let due = self.anchor.filter(|anchor| anchor.run == frame.run && frame.at > anchor.at).and_then(|anchor| {
            let frames = (frame.at - anchor.at) as f64 / self.waveform.channel_bits_per_frame();
            (anchor.number + frames.round() as u64).checked_sub(self.first)
        });
        let due = due.and_then(|due| usize::try_from(due).ok()).filter(|due| *due < self.sent.len());
        let same = |place: &usize| self.sent[*place].octets == frame.octets;
        if let Some(exact) = due.filter(same).or_else(|| (0..self.sent.len()).find(same)) {
            return Some(exact);
        }
        if let Some(due) = due {
            // Half of the bits are wrong where one frame is held against another.
            let wrong = differences(&self.sent[due].octets, &frame.octets);
            if u64::from(wrong) * 4 < frame.octets.len() as u64 * 8 {
                return Some(due);
            }
        }
        // The likest, if it is like nothing else.
        let mut likest: Vec<(u32, usize)> =
            (self.sent.iter().enumerate()).map(|(at, sent)| (differences(&sent.octets, &frame.octets), at)).collect();
        likest.sort_unstable();
        let &(least, place) = likest.first()?;
        let second = likest.get(1).map_or(u32::MAX, |second| second.0);
        let bits = frame.octets.len() as u64 * 8;
        (u64::from(least) * 4 < bits && u64::from(second) > 2 * u64::from(least) && second > 16).then_some(place)
    }

    /// Decides the first so many of those that are not.
    fn decide_first(&mut self, count: usize) {
        for sent in self.sent.drain(..count) {
            self.first += 1;
            let Some(index) = sent.index else { continue };
            let (outcome, received) = sent.received.map_or((Outcome::Missing, None), |(o, r)| (o, Some(r)));
            match outcome {
                Outcome::Delivered => self.counts.delivered += 1,
                Outcome::Refused { .. } => self.counts.refused += 1,
                Outcome::Undetected { .. } => self.counts.undetected += 1,
                Outcome::Missing => self.counts.missing += 1,
            }
            if let Some(place) = index.checked_sub(self.first_outcome)
                && let Some(remembered) = self.outcomes.get_mut(place as usize)
            {
                *remembered = Some(outcome);
            }
            self.decided.push_back(Decided { index, outcome, received });
        }
    }
}

fn differences(one: &[u8], other: &[u8]) -> u32 {
    one.iter().zip(other).map(|(one, other)| (one ^ other).count_ones()).sum()
}

/// The delay of what arrives at this time, s. Between knots, what is not more than it by the knots' own rates.
fn delay_at(law: &DelayLaw, at_s: f64) -> f64 {
    match law {
        DelayLaw::Constant(delay_s) => *delay_s,
        DelayLaw::Polynomial { coefficients, duration_s } => {
            let at = at_s.clamp(0.0, *duration_s);
            coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * at + coefficient)
        }
        DelayLaw::Knots(knots) => {
            let after = knots.partition_point(|knot| knot.at_s <= at_s);
            // A cubic may go beyond both of its ends; by no more than a second a second it cannot.
            let near = |at: usize| knots.get(at).map_or(0.0, |knot| knot.delay_s);
            near(after).max(near(after.saturating_sub(1)))
        }
    }
}
