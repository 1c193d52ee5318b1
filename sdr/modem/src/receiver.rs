//! Samples in, soft symbols out.

use crate::acquire::{Acquisition, Plan, Search, Trace};
use crate::bank::{Bank, low_pass};
use crate::config::{ConfigError, Modulation, Signal, between};
use crate::lanes::Instructions;
use crate::pulse::{Pulse, data_amplitude};
use crate::theory::to_db;
use crate::tracker::{Design, Detector, Notice, Tracker};
use num_complex::Complex;
use pulp::{Simd, WithSimd};

/// Samples that are taken from the caller at a time, so that memory stays bounded.
const SLICE: usize = 16_384;
/// Samples larger than this are cut to it; a power of them still fits in an `f32`.
const LARGEST: f32 = 1e9;

/// What a receiver is told. [`ReceiverConfig::new`] has values for a low orbiter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReceiverConfig {
    /// What is to be received.
    pub signal: Signal,
    /// The carrier is looked for from minus this to plus this, in Hz. With it the signal must fit in the sample rate.
    pub max_offset_hz: f64,
    /// Fastest change of the offset that the search allows for, in Hz/s. Where it is more than (symbol rate / 128)², acquisition suffers.
    pub max_rate_hz_s: f64,
    /// One-sided noise bandwidth of the carrier loop over the symbol rate (OQPSK: over twice that), 1e-5 to 0.05. Where it is narrower than what
    /// [`ReceiverConfig::new`] has, it begins with that.
    pub carrier_bandwidth: f64,
    /// The same of the symbol clock's loop, 1e-6 to 0.01. It begins four times as wide.
    pub timing_bandwidth: f64,
    /// The far end's symbol clock is faster or slower by this much at most, parts per million of the symbol rate, 0 to 100: the loop looks no further,
    /// so that noise cannot carry it away. 100 is more than two crystals and the Doppler shift of a low orbiter come to.
    pub max_symbol_rate_offset_ppm: f64,
}

impl ReceiverConfig {
    /// ±20 kHz, or as much as fits in the sample rate, 5 kHz/s, and ±100 ppm of the symbol rate.
    pub fn new(signal: Signal) -> Self {
        let widest = (widest_offset_hz(&signal) * 0.999).max(0.0);
        let carrier_bandwidth = Detector::of(&signal.modulation).bandwidth();
        // A square subcarrier's corners make timing sharp, and an error of it dear.
        let timing_bandwidth =
            if matches!(signal.modulation, Modulation::ResidualCarrier { .. }) { 5e-5 } else { 2e-4 };
        Self {
            signal,
            max_offset_hz: widest.min(20e3),
            max_rate_hz_s: 5e3,
            carrier_bandwidth,
            timing_bandwidth,
            max_symbol_rate_offset_ppm: 100.0,
        }
    }
}

/// Half of what the signal occupies, Hz.
fn half_band_hz(signal: &Signal) -> f64 {
    signal.symbol_rate_hz
        * match signal.modulation {
            Modulation::Gmsk { .. } => 0.75,
            Modulation::ResidualCarrier { subcarrier, .. } => f64::from(subcarrier.cycles_per_symbol) + 2.0,
            _ => (1.0 + signal.roll_off) / 2.0,
        }
}

fn widest_offset_hz(signal: &Signal) -> f64 {
    (signal.sample_rate_hz / 2.0 - half_band_hz(signal)).min(20.0 * signal.symbol_rate_hz)
}

/// What a receiver knows of its signal. Without lock the figures are the last ones.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Status {
    /// A signal is followed and its loops have settled.
    pub locked: bool,
    /// Energy of a symbol over N0, all power of the signal counted (a residual carrier's, too), in dB. Mean over some 4000 symbols; not
    /// meaningful above 40 dB. `None` before the first lock.
    pub es_n0_db: Option<f64>,
    /// Offset of the carrier, Hz.
    pub carrier_offset_hz: f64,
    /// Its rate, Hz/s.
    pub carrier_rate_hz_s: f64,
    /// The far end's symbol clock is faster by this much, parts per million.
    pub symbol_rate_offset_ppm: f64,
    /// Signals found so far.
    pub acquisitions: u64,
    /// Signals lost again.
    pub losses: u64,
    /// Times at which the phase may have jumped between its stable points.
    pub suspected_slips: u64,
}

/// Something that ends or begins the continuity of the soft symbols.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event {
    /// Soft symbols that the receiver had put out before.
    pub soft_symbols: u64,
    /// The input sample, counted from 0, at which it was noticed: for [`EventKind::Acquired`] the middle of the first symbol.
    pub sample: f64,
    /// What it was.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A signal was found. The symbols from here on are one run, with one phase ambiguity.
    Acquired,
    /// The phase may have slipped within the last thousand symbols (8PSK, OQPSK and GMSK: two thousand): resolve the ambiguity anew.
    SlipSuspected,
    /// The signal is gone; the last some thousand symbols (8PSK, OQPSK and GMSK: ten thousand) may be noise. The search begins again.
    Lost,
}

/// What a receiver puts out. The caller empties it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Output {
    /// One soft symbol a bit, in the order of sending: positive for 0. It is the log-likelihood ratio times 8, rounded, saturated at ±127,
    /// with the noise that the receiver has measured.
    pub soft: Vec<i8>,
    /// What happened meanwhile, in order.
    pub events: Vec<Event>,
}

/// Finds a signal in samples and follows it.
///
/// While it has none, it searches one window after the other: 4096 symbols of BPSK, 8192 of QPSK, 16384 of 8PSK, OQPSK and GMSK, 2048 of a
/// residual carrier. What it then finds it demodulates from the beginning of the window. Output does not depend on how the samples are cut in
/// pieces, nor on the processor; it lags by some thousand samples. Samples that are not finite count as zero, and larger ones than 1e9 as 1e9.
///
/// # Phase
/// A suppressed carrier can be locked to in more ways than one; the frame's marker tells which.
///
/// | modulation | what may come out instead of the bits |
/// |---|---|
/// | BPSK | all inverted |
/// | QPSK | pairs (a, b) as (b̄, a), (ā, b̄) or (b, ā) |
/// | 8PSK | the eight turns by 45° of the Gray circle |
/// | OQPSK, GMSK | every first, every second or every bit inverted; the first soft symbol may be of either axis |
/// | residual carrier | nothing: the carrier has the phase |
#[derive(Debug)]
pub struct Receiver {
    signal: Signal,
    instructions: Instructions,
    front: Front,
    design: Design,
    acquisition: Acquisition,
    /// Interleaved samples at the working rate; the first is number `first`.
    raw: Vec<f32>,
    first: u64,
    /// Where the next search begins, while there is no tracker.
    search: u64,
    tracker: Option<Tracker>,
    status: Status,
    soft_symbols: u64,
}

impl Receiver {
    /// A receiver that has heard nothing yet, using the vector instructions that the processor has.
    ///
    /// # Errors
    /// If a field of `config` cannot be used.
    pub fn new(config: &ReceiverConfig) -> Result<Self, ConfigError> {
        Self::with(config, Instructions::fastest())
    }

    /// The same, with nothing but the instructions that every processor has: for comparison.
    ///
    /// # Errors
    /// If a field of `config` cannot be used.
    pub fn portable(config: &ReceiverConfig) -> Result<Self, ConfigError> {
        Self::with(config, Instructions::Portable)
    }

    fn with(config: &ReceiverConfig, instructions: Instructions) -> Result<Self, ConfigError> {
        let signal = config.signal;
        signal.validate()?;
        if let Modulation::Gmsk { bandwidth_time } = signal.modulation {
            between("modulation.bandwidth_time", bandwidth_time, 0.4, 1.0)?;
        }
        between("carrier_bandwidth", config.carrier_bandwidth, 1e-5, 0.05)?;
        between("timing_bandwidth", config.timing_bandwidth, 1e-6, 0.01)?;
        between("max_symbol_rate_offset_ppm", config.max_symbol_rate_offset_ppm, 0.0, 100.0)?;
        between("max_rate_hz_s", config.max_rate_hz_s, 0.0, 1e9)?;
        between("max_offset_hz", config.max_offset_hz, 0.0, f64::MAX)?;
        let most = widest_offset_hz(&signal);
        if config.max_offset_hz > most {
            return Err(ConfigError::OffsetTooWide { value: config.max_offset_hz, most });
        }
        let strobe_rate = signal.symbol_rate_hz * signal.modulation.strobes_per_symbol();
        let sps = signal.sample_rate_hz / strobe_rate;
        let half_band = half_band_hz(&signal) / strobe_rate;
        let max_offset = config.max_offset_hz / strobe_rate;
        let cycles = match signal.modulation {
            Modulation::ResidualCarrier { subcarrier, .. } => f64::from(subcarrier.cycles_per_symbol),
            _ => 0.0,
        };
        // Fewer samples do as long as the signal, wherever it is, keeps clear of the edges.
        let enough = if cycles > 0.0 {
            (32.0 * cycles).max(2.6 * max_offset)
        } else {
            (3.0 / signal.modulation.strobes_per_symbol()).max(2.6 * (half_band + max_offset))
        };
        let step = ((sps / enough).floor() as usize).max(1);
        let front = Front::new(step);
        let sps = sps / step as f64;
        let detector = Detector::of(&signal.modulation);
        let trace = match detector {
            Detector::Bpsk => Trace::Square,
            Detector::Staggered => Trace::StaggeredSquare,
            Detector::Qpsk => Trace::Power(4),
            Detector::Psk8 => Trace::Power(8),
            Detector::Carrier => Trace::Carrier,
        };
        let pulse = Pulse::of(&signal.modulation, signal.roll_off);
        let max_drift = config.max_symbol_rate_offset_ppm * 1e-6;
        let plan = Plan {
            trace,
            pulse: pulse.clone(),
            sps,
            max_offset,
            max_rate: config.max_rate_hz_s / (strobe_rate * strobe_rate),
            max_drift,
            half_band,
            timing_steps: (16.0 * cycles) as usize,
        };
        let design = Design::new(detector, &pulse, sps, config.carrier_bandwidth, config.timing_bandwidth, max_drift);
        debug_assert_eq!(signal.modulation.staggered(), detector == Detector::Staggered);
        Ok(Self {
            signal,
            instructions,
            front,
            design,
            acquisition: Acquisition::new(plan),
            raw: Vec::new(),
            first: 0,
            search: 0,
            tracker: None,
            status: Status::default(),
            soft_symbols: 0,
        })
    }

    /// Takes samples, and appends what they decide to `output`.
    pub fn process(&mut self, samples: &[Complex<f32>], output: &mut Output) {
        for slice in samples.chunks(SLICE) {
            self.front.take(self.instructions, slice, &mut self.raw);
            self.advance(false, output);
        }
    }

    /// Says that no more samples come: appends the symbols that waited for the end of their pulses. A search that has no full window is given up.
    pub fn finish(&mut self, output: &mut Output) {
        self.front.finish(self.instructions, &mut self.raw);
        self.raw.extend(std::iter::repeat_n(0.0, 2 * self.design.margin));
        self.advance(true, output);
    }

    /// What is known of the signal now.
    pub fn status(&self) -> Status {
        let Some(tracker) = &self.tracker else { return self.status };
        let rate = self.signal.sample_rate_hz / self.front.step as f64;
        let share = match self.signal.modulation {
            Modulation::ResidualCarrier { index_rad, subcarrier } => {
                data_amplitude(index_rad, subcarrier.shape).powi(2)
            }
            _ => 1.0,
        };
        let es_n0 = tracker.strobe_es_n0() * self.signal.modulation.strobes_per_symbol() / share;
        Status {
            locked: tracker.settled(),
            es_n0_db: Some(to_db(es_n0)),
            carrier_offset_hz: tracker.offset(&self.design) * rate,
            carrier_rate_hz_s: tracker.offset_rate(&self.design) * rate * rate,
            symbol_rate_offset_ppm: tracker.clock_offset() * 1e6,
            ..self.status
        }
    }

    fn advance(&mut self, last: bool, output: &mut Output) {
        self.instructions.run(Steps { receiver: self, last, output });
    }

    #[inline(always)]
    fn steps<S: Simd>(&mut self, simd: S, last: bool, output: &mut Output) {
        loop {
            if self.tracker.is_some() {
                if !self.follow(simd, last, output) {
                    break;
                }
            } else {
                let from = (2 * (self.search - self.first)) as usize;
                let window = 2 * self.acquisition.window();
                let Some(samples) = self.raw.get(from..from + window) else { break };
                match self.acquisition.search(simd, samples) {
                    Search::Found(found) => {
                        self.status.acquisitions += 1;
                        let tracker = Tracker::new(&found, self.search, self.design.sps);
                        self.tell(EventKind::Acquired, tracker.next_strobe(), output);
                        self.tracker = Some(tracker);
                        continue;
                    }
                    Search::From(sample) => self.search += sample.max(1) as u64,
                    Search::Nothing => self.search += self.acquisition.hop() as u64,
                }
                self.drop_before(self.search);
            }
        }
    }

    /// Lets the tracker run; says whether there is more to do.
    #[inline(always)]
    fn follow<S: Simd>(&mut self, simd: S, last: bool, output: &mut Output) -> bool {
        let Some(tracker) = &mut self.tracker else { return false };
        let from = (2 * (tracker.next_sample() - self.first)) as usize;
        let before = output.soft.len();
        tracker.run(simd, &self.design, &self.raw[from..], last, &mut output.soft);
        self.soft_symbols += (output.soft.len() - before) as u64;
        let (next, strobe) = (tracker.next_sample(), tracker.next_strobe());
        let Some(notice) = tracker.notice() else {
            self.drop_before(next);
            return false;
        };
        match notice {
            Notice::Slip => {
                self.status.suspected_slips += 1;
                self.tell(EventKind::SlipSuspected, strobe, output);
            }
            Notice::Lost => {
                self.status = self.status();
                self.status.locked = false;
                self.status.losses += 1;
                self.tracker = None;
                self.search = next;
                self.tell(EventKind::Lost, strobe, output);
            }
        }
        true
    }

    fn tell(&self, kind: EventKind, at: f64, output: &mut Output) {
        let sample = at * self.front.step as f64;
        output.events.push(Event { soft_symbols: self.soft_symbols, sample, kind });
    }

    fn drop_before(&mut self, sample: u64) {
        let gone = ((sample - self.first) as usize).min(self.raw.len() / 2);
        // Moving what stays costs as much as what stays is long.
        if 2 * gone > self.raw.len() / 2 {
            self.raw.drain(..2 * gone);
            self.first += gone as u64;
        }
    }
}

/// Makes samples harmless, and fewer where there are more than needed.
#[derive(Debug)]
struct Front {
    step: usize,
    filter: Option<Bank>,
    waiting: Vec<f32>,
    /// The next output's place in `waiting`, samples.
    next: usize,
}

impl Front {
    fn new(step: usize) -> Self {
        let filter = (step > 1).then(|| {
            let (half, shape) = low_pass(0.4 / step as f64, 0.6 / step as f64);
            Bank::new(half, shape)
        });
        let lead = filter.as_ref().map_or(0, Bank::margin);
        Self { step, filter, waiting: vec![0.0; 2 * lead], next: lead }
    }

    fn take(&mut self, instructions: Instructions, samples: &[Complex<f32>], out: &mut Vec<f32>) {
        instructions.run(Take { front: self, samples, out });
    }

    fn finish(&mut self, instructions: Instructions, out: &mut Vec<f32>) {
        let Some(filter) = &self.filter else { return };
        let tail = vec![Complex::new(0.0, 0.0); filter.margin()];
        self.take(instructions, &tail, out);
    }

    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S, out: &mut Vec<f32>) {
        let Some(filter) = &self.filter else { return };
        while self.next + filter.margin() < self.waiting.len() / 2 {
            out.extend_from_slice(&filter.at(simd, &self.waiting, self.next as f64));
            self.next += self.step;
        }
        let gone = self.next.saturating_sub(filter.margin()).min(self.waiting.len() / 2);
        self.waiting.drain(..2 * gone);
        self.next -= gone;
    }
}

/// What is compiled for the instructions that there are: searching and following.
struct Steps<'a> {
    receiver: &'a mut Receiver,
    last: bool,
    output: &'a mut Output,
}

impl WithSimd for Steps<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.receiver.steps(simd, self.last, self.output);
    }
}

/// And taking samples in.
struct Take<'a> {
    front: &'a mut Front,
    samples: &'a [Complex<f32>],
    out: &'a mut Vec<f32>,
}

impl WithSimd for Take<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let clean = if self.front.filter.is_some() { &mut self.front.waiting } else { &mut *self.out };
        let from = clean.len();
        clean.resize(from + 2 * self.samples.len(), 0.0);
        for (c, s) in clean[from..].as_chunks_mut::<2>().0.iter_mut().zip(self.samples) {
            *c = [harmless(s.re), harmless(s.im)];
        }
        self.front.run(simd, self.out);
    }
}

#[inline(always)]
fn harmless(x: f32) -> f32 {
    if x.is_finite() { x.clamp(-LARGEST, LARGEST) } else { 0.0 }
}
