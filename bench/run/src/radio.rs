//! Channels whose frames go through samples.
//!
//! Frames become encapsulation packets, packets the data of AOS transfer frames, and those go through [`Chain`]: coded, modulated, through
//! the samples of a channel, received from cold. Transfer frames follow each other without a pause from when the contact opens;
//! what begins to leave at an instant lies at that instant's place in them, and idle data lie in between. So a frame arrives when
//! the transfer frame that it ends in is decoded, and is lost with any of those that it touches. Idle transfer frames are made as samples
//! only where the receiver needs them: around what carries something, and to acquire before it.
//!
//! The same transfer frames can be struck by what is known of how often their code fails, instead of going through samples: for runs too
//! long for samples, and to hold the one against the other.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use farlink_channel_models::errors::{Airtime, Code, ErrorModel, Passage};
use farlink_channel_models::{Errors, Interval, LightTime, SPEED_OF_LIGHT_KM_S, Series, Visibility};
use farlink_iq_channel::delay::DelayConfig;
use farlink_iq_channel::law::{DelayKnot, DelayLaw};
use farlink_iq_channel::oscillator::OscillatorConfig;
use farlink_iq_channel::ring::RingConfig;
use farlink_link::{MAX_FRAME_BYTES, Radio};
use farlink_modem::ReceiverConfig;
use farlink_radio::chain::{Chain, ChainConfig, ChainError, Outcome};
use farlink_scenario::Waveform;
use farlink_units::{Duration, Instant};
use farlink_wire::ccsds::{Agreed, AosFrame, Encapsulation, Extractor, Packer, Protocol};

/// The range is sampled this often, or less often in contacts so long that there would be more knots than that.
const STEP: Duration = Duration::from_secs(1);
const MOST_KNOTS: i64 = 100_000;
/// By so much the delay may be less than at any knot: 0.14 km/s², as a low orbit overhead has it, make 60 ns in a second.
const BETWEEN_KNOTS_S: f64 = 1e-5;
/// What arrives is made of samples before and after it.
const AROUND_SAMPLES: f64 = 32.0;
/// How far Eb/N0 moves in a contact, in dB; a chain does not take more than 100.
const BEYOND_DB: f64 = 99.0;
/// The receiver's symbol clock follows so much.
const FASTEST: f64 = 1e-4;
/// Memory of what is under way: from this on as much as there is, up to that.
const MEMORY_BYTES: [u64; 2] = [64 << 20, 1 << 30];
/// A receiver looks this much further than the offset that there will be.
const SEARCHES_BEYOND: f64 = 1.1;
/// Counters of AOS frames have 24 bits.
const COUNTER: u32 = 1 << 24;
const VIRTUAL_CHANNEL: u8 = 1;
const AGREED: Agreed = Agreed { insert: 0, operational_control: false, error_control: true };

/// Why a channel cannot have a radio.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    /// The chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// What is known of the code.
    #[error("{0}")]
    Model(String),
    /// An end has no position in a contact.
    #[error(transparent)]
    NoPosition(farlink_channel_models::NoPosition),
    /// The symbol clock cannot follow.
    #[error(
        "the ends of a contact move at {km_s:.1} km/s against each other, and the receiver's symbol clock follows 30 km/s (100 ppm): \
         write `through: model`"
    )]
    TooFast {
        /// How fast.
        km_s: f64,
    },
    /// More is under way than memory holds.
    #[error(
        "the way changes by {by_s:.3} s of light in one contact, which is {mebibytes} MiB of samples, where 1024 are the most: shorten the \
         contact, lower the rate, or write `through: model`"
    )]
    TooLong {
        /// By how much.
        by_s: f64,
        /// What that comes to.
        mebibytes: u64,
    },
}

/// What a channel's radio is made of.
#[derive(Clone, Debug)]
pub(crate) struct RadioPlan {
    pub(crate) waveform: Waveform,
    pub(crate) carrier_hz: f64,
    /// The rate of the channel: what transfer frames have room for.
    pub(crate) rate_bps: u64,
    /// Eb/N0 of the bits of transfer frames, in dB.
    pub(crate) eb_n0_db: Series,
    /// The code, as far as it is known how often it fails.
    pub(crate) code: Code,
    /// The contacts that are planned, each with the Doppler in it.
    pub(crate) passes: Arc<[Pass]>,
    /// Transfer frames after one until it is decided.
    latency: u64,
    /// Idle ones before the first, while the receiver acquires.
    lead_in: u64,
}

/// A contact as the radio sees it.
#[derive(Clone, Debug)]
pub(crate) struct Pass {
    contact: Interval,
    /// How the delay changes from its least in the contact on, if it does; and how far and how fast the carrier moves with that.
    doppler: Option<(DelayLaw, f64, f64)>,
}

impl Pass {
    /// A contact in which nothing moves.
    fn still(contact: Interval) -> Self {
        Pass { contact, doppler: None }
    }

    /// What light time and carrier make of a contact, which ends with the run; `margin` holds for as long before and after it, and for as many
    /// samples around what arrives.
    fn new(
        contact: Interval,
        light_time: &LightTime,
        carrier_hz: f64,
        margin: Margin,
        end: Instant,
    ) -> Result<Self, PlanError> {
        let begins = begins(contact);
        let ends = contact.end.min(end);
        if matches!(light_time, LightTime::Constant(_)) || ends <= begins {
            return Ok(Pass::still(contact));
        }
        let step = STEP.max(Duration::from_nanos((ends - begins).as_nanos() / MOST_KNOTS));
        let mut knots = Vec::new();
        let mut emitted = begins;
        loop {
            let (delay_s, rate) = delay_and_rate(light_time, emitted, begins, ends, step)?;
            if rate.abs() > FASTEST {
                return Err(PlanError::TooFast { km_s: rate.abs() * SPEED_OF_LIGHT_KM_S });
            }
            // Against the time of emission, and then against that of arrival.
            let rate = rate / (1.0 + rate);
            knots.push(DelayKnot { at_s: (emitted - begins).as_secs_f64() + delay_s, delay_s, rate });
            if emitted >= ends {
                break;
            }
            emitted = (emitted + step).min(ends);
        }
        // The receiver acquires before the contact, and is done after it: there it moves on as at the edge.
        let on = |knot: &DelayKnot, by_s: f64| DelayKnot {
            at_s: knot.at_s + by_s,
            delay_s: knot.delay_s + knot.rate * by_s,
            rate: knot.rate,
        };
        let (first, last) = (on(&knots[0], -margin.around_s), on(&knots[knots.len() - 1], margin.around_s));
        knots.insert(0, first);
        knots.push(last);
        let least_s = knots.iter().map(|knot| knot.delay_s).fold(f64::INFINITY, f64::min);
        let least_s = least_s - BETWEEN_KNOTS_S - AROUND_SAMPLES / margin.sample_rate_hz;
        for knot in &mut knots {
            // Sent u after the first sample, it arrives u + delay - least after a time that no delay precedes.
            knot.at_s -= least_s;
            knot.delay_s -= least_s;
        }
        let offset_hz = knots.iter().map(|knot| (knot.rate * carrier_hz).abs()).fold(0.0, f64::max);
        let change = |pair: &[DelayKnot]| ((pair[1].rate - pair[0].rate) / (pair[1].at_s - pair[0].at_s)).abs();
        let rate_hz_s = knots.windows(2).map(|pair| change(pair) * carrier_hz).fold(0.0, f64::max);
        Ok(Pass { contact, doppler: Some((DelayLaw::Knots(knots), offset_hz, rate_hz_s)) })
    }

    /// The longest delay over the least of the contact, in seconds.
    fn longest_s(&self) -> f64 {
        match &self.doppler {
            Some((DelayLaw::Knots(knots), ..)) => knots.iter().map(|knot| knot.delay_s).fold(0.0, f64::max),
            _ => 0.0,
        }
    }

    /// The same pass for a contact that begins within it.
    fn from(&self, contact: Interval) -> Self {
        let later_s = (begins(contact) - begins(self.contact)).as_secs_f64();
        let mut pass = Pass { contact, ..self.clone() };
        if let Some((DelayLaw::Knots(knots), ..)) = &mut pass.doppler {
            knots.iter_mut().for_each(|knot| knot.at_s -= later_s);
        }
        pass
    }
}

/// How far beyond a contact a pass is known.
#[derive(Clone, Copy, Debug)]
struct Margin {
    around_s: f64,
    sample_rate_hz: f64,
}

/// The delay of what is sent at an instant, in seconds, and by how many seconds a second it grows; nothing is asked beyond the contact.
fn delay_and_rate(
    light_time: &LightTime,
    at: Instant,
    begins: Instant,
    ends: Instant,
    step: Duration,
) -> Result<(f64, f64), PlanError> {
    if let LightTime::Geometric { geometry, from, to } = light_time {
        let sight = geometry.sight(from, to, &Visibility::default(), at).map_err(PlanError::NoPosition)?;
        return Ok((sight.range_km / SPEED_OF_LIGHT_KM_S, sight.range_rate_km_s / SPEED_OF_LIGHT_KM_S));
    }
    let (before, after) = ((at - step).max(begins), (at + step).min(ends));
    let grows = (light_time.at(after) - light_time.at(before)).as_secs_f64() / (after - before).as_secs_f64();
    Ok((light_time.at(at).as_secs_f64(), grows))
}

/// When the first symbol of a contact leaves: a channel that has always been open begins at the epoch.
fn begins(contact: Interval) -> Instant {
    contact.start.max(Instant::ZERO)
}

impl RadioPlan {
    /// A radio, tried on each contact.
    ///
    /// # Errors
    /// What of it cannot be.
    #[expect(clippy::too_many_arguments, reason = "each is a part of the channel that stands elsewhere in the plan")]
    pub(crate) fn new(
        waveform: Waveform,
        rate_bps: u64,
        eb_n0_db: Series,
        code: Code,
        contacts: &[Interval],
        light_time: &LightTime,
        carrier_hz: f64,
        end: Instant,
    ) -> Result<Self, PlanError> {
        let mut plan =
            RadioPlan { waveform, carrier_hz, rate_bps, eb_n0_db, code, passes: Arc::new([]), latency: 0, lead_in: 0 };
        let model = Errors::new(&[plan.model()], 0).map_err(|error| PlanError::Model(error.to_string()));
        if !waveform.through_samples {
            model?;
        }
        // A contact that is forced open may have nothing planned.
        let (still, lead_in) = plan.chain(&Pass::still(Interval { start: Instant::ZERO, end }), 0, 0)?;
        (plan.latency, plan.lead_in) = (still.latency_frames(), lead_in);
        let signal = waveform.signal;
        let around_s = (plan.lead_in + plan.latency + 2) as f64 * signal.frame_duration_s() + 1.0;
        let margin = Margin { around_s, sample_rate_hz: signal.sample_rate_hz() };
        let passes: Result<Vec<Pass>, PlanError> =
            contacts.iter().map(|contact| Pass::new(*contact, light_time, carrier_hz, margin, end)).collect();
        plan.passes = passes?.into();
        let longest_s = plan.passes.iter().map(Pass::longest_s).fold(0.0, f64::max);
        if memory_bytes(longest_s, signal.sample_rate_hz()) > MEMORY_BYTES[1] {
            let mebibytes = memory_bytes(longest_s, signal.sample_rate_hz()) >> 20;
            return Err(PlanError::TooLong { by_s: longest_s, mebibytes });
        }
        for pass in plan.passes.iter() {
            plan.chain(pass, 0, 0)?;
        }
        // What is sent when the way is longest is decided that much later.
        plan.latency += (longest_s / signal.frame_duration_s()).ceil() as u64 + 1;
        Ok(plan)
    }

    /// How long after a bit has left what it was in is decided, at the latest.
    pub(crate) fn decides_in(&self) -> Duration {
        let seconds = (self.latency + 2) as f64 * self.waveform.signal.frame_duration_s();
        Duration::from_nanos((seconds * 1e9).min(i64::MAX as f64) as i64)
    }

    fn model(&self) -> ErrorModel {
        ErrorModel::Coded { code: self.code, eb_n0_db: self.eb_n0_db.clone(), scintillation: None }
    }

    /// The chain of a contact from a transfer frame on, and how many idle ones come before that for its receiver to acquire.
    fn chain(&self, pass: &Pass, first: u64, seed: u64) -> Result<(Chain, u64), ChainError> {
        let signal = self.waveform.signal;
        let eb_n0_db = self.eb_n0_db.at(begins(pass.contact));
        let mut config = ChainConfig::new(signal, eb_n0_db.clamp(-BEYOND_DB, BEYOND_DB), seed);
        let still = Chain::new(&config)?;
        // The loops settle in as long again as it takes to find the signal.
        let lead_in = 2 * still.latency_frames();
        config.lead_in_frames = Some(u32::try_from(lead_in).unwrap_or(u32::MAX));
        let mut offset_hz = self.waveform.frequency_offset_hz.abs();
        if let Some((law, doppler_hz, rate_hz_s)) = &pass.doppler {
            let mut law = law.clone();
            if let DelayLaw::Knots(knots) = &mut law {
                let before_s = (lead_in as f64 - first as f64) * signal.frame_duration_s();
                knots.iter_mut().for_each(|knot| knot.at_s += before_s);
            }
            let memory_bytes = memory_bytes(pass.longest_s(), signal.sample_rate_hz()).max(MEMORY_BYTES[0]);
            let ring = RingConfig { memory_bytes, spill: None };
            config.channel.delay = Some(DelayConfig { law, carrier_hz: self.carrier_hz, clock_ppm: 0.0, ring });
            config.receiver.max_rate_hz_s = config.receiver.max_rate_hz_s.min(10.0 + 2.0 * rate_hz_s);
            offset_hz += doppler_hz;
        }
        if self.waveform.frequency_offset_hz != 0.0 {
            let offset_hz = self.waveform.frequency_offset_hz;
            config.channel.oscillator =
                Some(OscillatorConfig { offset_hz, drift_hz_per_s: 0.0, linewidth_hz: 0.0, mask: None });
        }
        if offset_hz * SEARCHES_BEYOND > ReceiverConfig::new(signal.signal()).max_offset_hz {
            config.receiver.max_offset_hz = Some(offset_hz * SEARCHES_BEYOND);
        }
        Ok((Chain::new(&config)?, lead_in))
    }
}

/// The radios of a channel.
pub(crate) struct SampledRadio {
    plan: RadioPlan,
    seed: u64,
    zone: u64,
    /// Contacts in which frames have left, the last one at the end.
    sessions: VecDeque<Session>,
    begun: u64,
}

impl SampledRadio {
    pub(crate) fn new(plan: RadioPlan, seed: u64) -> Self {
        let zone = zone_octets(&plan.waveform.signal) as u64;
        SampledRadio { plan, seed, zone, sessions: VecDeque::new(), begun: 0 }
    }

    /// So many octets of packets have left by `at`, rounded up.
    fn octets_by(&self, begins: Instant, at: Instant) -> u64 {
        let nanos = at.saturating_since(begins).as_nanos().max(0) as u128;
        u64::try_from((nanos * u128::from(self.plan.rate_bps)).div_ceil(8_000_000_000)).unwrap_or(u64::MAX)
    }

    /// When so many transfer frames have left, rounded up.
    fn left_by(&self, begins: Instant, frames: u64) -> Instant {
        let nanos = u128::from(frames) * u128::from(self.zone) * 8_000_000_000;
        let nanos = nanos.div_ceil(u128::from(self.plan.rate_bps));
        begins + Duration::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }

    /// The radio in a contact, from a transfer frame on.
    fn begin(&mut self, contact: Interval, first: u64) -> Session {
        let planned = self
            .plan
            .passes
            .iter()
            .find(|pass| pass.contact.start <= contact.start && contact.start < pass.contact.end);
        // A contact that begins within one that was planned, since somebody has closed and opened it, moves as that.
        let pass = planned.map_or_else(|| Pass::still(contact), |pass| pass.from(contact));
        let seed = self.seed.wrapping_add(self.begun.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        self.begun += 1;
        // Both were tried when they were planned, and nothing in them depends on the system.
        let line = if self.plan.waveform.through_samples {
            let chain = self.plan.chain(&pass, first, seed);
            let (chain, _) = chain.unwrap_or_else(|error| panic!("the radio of a channel: {error}"));
            Line::Samples(Box::new(chain))
        } else {
            let errors = Errors::new(&[self.plan.model()], seed);
            let errors = errors.unwrap_or_else(|error| panic!("the errors of a radio: {error}"));
            Line::Model { errors: Box::new(errors), flips: Vec::new(), came: VecDeque::new() }
        };
        Session {
            begins: begins(contact),
            contact,
            line,
            packer: Packer::new(self.zone as usize),
            extractor: Extractor::new(COUNTER, MAX_FRAME_BYTES + 8),
            composed: first,
            frames: 0,
            waiting: VecDeque::new(),
            packed_to: 0,
            undecided: VecDeque::new(),
            told: VecDeque::new(),
            over: false,
        }
    }
}

/// Memory for samples that are under way for so long.
fn memory_bytes(delay_s: f64, sample_rate_hz: f64) -> u64 {
    // Of eight octets each, and some more that arrive late.
    (1.25 * delay_s * sample_rate_hz * 8.0) as u64 + (8 << 20)
}

/// Octets of packets in a transfer frame.
pub(crate) fn zone_octets(signal: &farlink_radio::waveform::Waveform) -> usize {
    signal.frame_octets() - AosFrame::default().overhead(signal.frame_error_control)
}

impl fmt::Debug for SampledRadio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SampledRadio").field("plan", &self.plan).field("sessions", &self.sessions.len()).finish()
    }
}

/// What transfer frames go through.
enum Line {
    Samples(Box<Chain>),
    /// What is known of how often the code fails; and of each frame, whether it came through.
    Model {
        errors: Box<Errors>,
        flips: Vec<u64>,
        came: VecDeque<Option<Vec<u8>>>,
    },
}

impl Line {
    /// Sends a transfer frame; `None` is an idle one.
    fn send(&mut self, airtime: Airtime, eb_n0_db: f64, frame: Option<Vec<u8>>) -> Result<(), ChainError> {
        match self {
            Line::Samples(chain) => {
                // From nothing to more than any receiver could tell: what lies beyond makes no difference.
                let base = chain.base_eb_n0_db().unwrap_or(eb_n0_db);
                chain.set_eb_n0_db(eb_n0_db.clamp(base - BEYOND_DB, base + BEYOND_DB))?;
                match frame {
                    Some(frame) => chain.push(&frame).map(drop),
                    None => chain.idle(),
                }
            }
            Line::Model { errors, flips, came } => {
                let struck = errors.strike(&airtime, flips) == Passage::Erased || !flips.is_empty();
                came.extend(frame.map(|frame| (!struck).then_some(frame)));
                Ok(())
            }
        }
    }

    /// Ends the transmission; all is decided then.
    fn end(&mut self) -> Result<(), ChainError> {
        match self {
            Line::Samples(chain) => chain.gap(0.0),
            Line::Model { .. } => Ok(()),
        }
    }

    /// The next transfer frame that is decided, idle ones left out: what the receiver accepted of it.
    fn poll(&mut self) -> Option<Option<Vec<u8>>> {
        match self {
            Line::Samples(chain) => {
                let decided = chain.poll()?;
                let accepted = matches!(decided.outcome, Outcome::Delivered | Outcome::Undetected { .. });
                Some(decided.received.filter(|_| accepted).map(|received| received.octets))
            }
            Line::Model { came, .. } => came.pop_front(),
        }
    }
}

/// One contact.
struct Session {
    begins: Instant,
    contact: Interval,
    line: Line,
    packer: Packer,
    extractor: Extractor,
    /// Transfer frames that have left.
    composed: u64,
    /// Of them, those with packets.
    frames: u32,
    /// Packets that no transfer frame has taken, each with the place of its first octet.
    waiting: VecDeque<(u64, Vec<u8>)>,
    /// The place behind the last packet.
    packed_to: u64,
    /// Numbers of the transfer frames with packets that are sent and not decided.
    undecided: VecDeque<u64>,
    told: VecDeque<Told>,
    /// The contact has ended.
    over: bool,
}

/// A frame of the channel.
struct Told {
    frame: u64,
    content: Bytes,
    /// The transfer frame that it ends in.
    last: u64,
    received: Option<Bytes>,
}

impl Session {
    fn tell(&mut self, frame: u64, place: u64, zone: u64, content: &Bytes) {
        let mut packet = Vec::with_capacity(content.len() + 8);
        let emitted = Encapsulation::new(protocol(content), content).emit(&mut packet);
        emitted.unwrap_or_else(|error| panic!("a frame fits in a packet: {error}"));
        // Times are rounded to nanoseconds and places to octets: packets stand behind each other all the same.
        let place = place.max(self.packed_to).max(self.composed * zone + self.packer.len() as u64);
        self.packed_to = place + packet.len() as u64;
        let last = (self.packed_to - 1) / zone;
        self.waiting.push_back((place, packet));
        self.told.push_back(Told { frame, content: content.clone(), last, received: None });
    }

    /// Sends the next transfer frame.
    fn compose(&mut self, zone: u64, airtime: Airtime, eb_n0_db: f64) -> Result<(), ChainError> {
        let end = (self.composed + 1) * zone;
        while self.waiting.front().is_some_and(|(place, _)| *place < end) {
            let Some((place, packet)) = self.waiting.pop_front() else { break };
            let idle = place.saturating_sub(self.composed * zone + self.packer.len() as u64);
            if idle > 0 {
                let mut fill = Vec::new();
                Encapsulation::emit_idle(idle as usize, &mut fill);
                self.push(&fill);
            }
            self.push(&packet);
        }
        let filled = if self.packer.is_empty() { None } else { self.packer.zone(true) };
        let frame = filled.map(|filled| {
            let frame = AosFrame {
                virtual_channel: VIRTUAL_CHANNEL,
                count: self.frames,
                first_header: filled.first_header,
                data: &filled.data,
                ..AosFrame::default()
            };
            let mut octets = Vec::new();
            frame.emit(AGREED.error_control, &mut octets);
            octets
        });
        if frame.is_some() {
            self.frames = (self.frames + 1) % COUNTER;
            self.undecided.push_back(self.composed);
        }
        self.line.send(airtime, eb_n0_db, frame)?;
        self.composed += 1;
        self.collect();
        Ok(())
    }

    fn push(&mut self, packet: &[u8]) {
        let pushed = self.packer.push(packet);
        pushed.unwrap_or_else(|error| panic!("what was made a packet is one: {error}"));
    }

    /// Ends the transmission; all is decided then.
    fn end(&mut self) -> Result<(), ChainError> {
        self.over = true;
        self.line.end()?;
        self.collect();
        Ok(())
    }

    /// Takes what the receiver has decided.
    fn collect(&mut self) {
        while let Some(accepted) = self.line.poll() {
            let Some(number) = self.undecided.pop_front() else { return };
            let Some(octets) = accepted else { continue };
            let Ok(frame) = AosFrame::parse(&octets, AGREED) else { continue };
            let mut packets = Vec::new();
            self.extractor.take(frame.count, frame.first_header, frame.data, |packet| packets.push(packet.to_vec()));
            let data = packets.iter().filter_map(|packet| Encapsulation::parse(packet).ok());
            for (packet, _) in data.filter(|(packet, _)| packet.protocol != Protocol::IDLE) {
                let ends_here = |told: &&mut Told| told.last == number && told.received.is_none();
                let same = self.told.iter_mut().filter(ends_here).find(|told| told.content == packet.data);
                let told = match same {
                    Some(told) => Some(told),
                    // What no check has found: it counts as wrong bits of the frame that it was.
                    None => self.told.iter_mut().filter(ends_here).find(|t| t.content.len() == packet.data.len()),
                };
                if let Some(told) = told {
                    told.received = Some(Bytes::copy_from_slice(packet.data));
                }
            }
        }
    }

    fn is_decided(&self, number: u64) -> bool {
        self.over || self.composed > number && self.undecided.front().is_none_or(|first| *first > number)
    }
}

/// What the packet of a frame is said to hold (SANA's registry of encapsulation protocols).
fn protocol(content: &[u8]) -> Protocol {
    match content.first() {
        // The version of LTP, in the upper four bits, is 0; a bundle is an indefinite array.
        Some(0x00..=0x0f) => Protocol::LTP,
        Some(0x9f) => Protocol::BUNDLE,
        _ => Protocol::MISSION,
    }
}

impl Radio for SampledRadio {
    fn overhead_bits(&self, bytes: usize) -> u64 {
        match bytes {
            0..=253 => 16,
            254..=65_531 => 32,
            _ => 64,
        }
    }

    fn known_at(&self, contact: Interval, end: Instant) -> Instant {
        let begins = begins(contact);
        // One more, for what is rounded.
        let last = self.octets_by(begins, end) / self.zone;
        self.left_by(begins, last + 1 + self.plan.latency).max(end)
    }

    fn transmit(&mut self, contact: Interval, frame: u64, airtime: Airtime, content: &Bytes) {
        let place = self.octets_by(begins(contact), airtime.start);
        let zone = self.zone;
        // What was idle for longer than it takes to acquire anew need not be made: nothing hangs on it.
        let idle = self.plan.lead_in + self.plan.latency;
        let follows = |session: &Session| {
            session.begins == begins(contact) && !session.over && place / zone <= session.packed_to / zone + idle
        };
        if !self.sessions.back().is_some_and(follows) {
            let session = self.begin(contact, place / zone);
            self.sessions.push_back(session);
        }
        if let Some(session) = self.sessions.back_mut() {
            session.contact = contact;
            session.tell(frame, place, zone, content);
        }
    }

    fn receive(&mut self, contact: Option<Interval>, frame: u64) -> Option<Bytes> {
        // Nobody asks for what left before.
        while self.sessions.len() > 1 && self.sessions[0].told.back().is_none_or(|last| last.frame < frame) {
            self.sessions.pop_front();
        }
        let zone = self.zone;
        let first = self.sessions.front_mut()?;
        while first.told.front().is_some_and(|told| told.frame < frame) {
            first.told.pop_front();
        }
        // Somebody may have closed or opened it since.
        if let Some(contact) = contact.filter(|contact| begins(*contact) == first.begins) {
            first.contact = contact;
        }
        let last = first.told.front().filter(|told| told.frame == frame)?.last;
        loop {
            let Session { begins, contact, composed, .. } = self.sessions.front()?;
            let (begins, contact, composed) = (*begins, *contact, *composed);
            let ends = self.left_by(begins, composed + 1);
            let eb_n0_db = self.plan.eb_n0_db.at(ends);
            let start = self.left_by(begins, composed);
            let airtime = Airtime { start, end: ends, bits: self.plan.waveform.signal.frame_octets() as u64 * 8 };
            let session = self.sessions.front_mut()?;
            if session.is_decided(last) {
                let told = session.told.pop_front()?;
                return told.received;
            }
            let sent = if ends > contact.end { session.end() } else { session.compose(zone, airtime, eb_n0_db) };
            // The ring of the channel is in memory, and what is under way was tried to fit.
            sent.unwrap_or_else(|error| panic!("the radio of a channel: {error}"));
        }
    }
}
