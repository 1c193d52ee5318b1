//! All parts, one after the other.

use num_complex::Complex32;

use crate::delay::{Delay, DelayConfig};
use crate::error::{ConfigError, within};
use crate::fading::{Fading, FadingConfig, Scintillation, ScintillationConfig};
use crate::front_end::{FrontEnd, FrontEndConfig};
use crate::gate::Gate;
use crate::interference::{Interference, InterferenceConfig};
use crate::multipath::{Echo, LATENCY_SAMPLES, Multipath};
use crate::noise::Noise;
use crate::oscillator::{Oscillator, OscillatorConfig};
use crate::ring::{RingCounts, RingError};
use crate::vector::Instructions;

/// Samples that go through all parts at a time: few enough to stay near the processor.
const CHUNK: usize = 2048;

/// Most interferers.
pub const MOST_INTERFERERS: usize = 64;

/// What a channel does. Parts that are None or empty do nothing and cost nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelConfig {
    /// Samples a second of the transmitter, from 1 to 1e11.
    pub rate_hz: f64,
    /// Where all that is random comes from.
    pub seed: u64,
    /// When it carries, in seconds of sending after the first sample; None is always. See [`Gate::new`].
    pub contacts_s: Option<Vec<(f64, f64)>>,
    /// Delay and Doppler, and the receiver's sample clock.
    pub delay: Option<DelayConfig>,
    /// Echoes. Without a delay to take it off, they make everything [`LATENCY_SAMPLES`] late.
    pub multipath: Vec<Echo>,
    /// Fading of the whole band.
    pub fading: Option<FadingConfig>,
    /// Scintillation near the Sun.
    pub scintillation: Option<ScintillationConfig>,
    /// Signals of others.
    pub interference: Vec<InterferenceConfig>,
    /// N0 of the receiver's noise: the variance of a complex sample of it. See [`n0_from_eb_n0`](crate::noise::n0_from_eb_n0).
    pub n0: Option<f64>,
    /// Oscillators.
    pub oscillator: Option<OscillatorConfig>,
    /// The receiver's front end.
    pub front_end: Option<FrontEndConfig>,
}

impl ChannelConfig {
    /// A channel that does nothing, at a sample rate.
    pub fn new(rate_hz: f64, seed: u64) -> Self {
        ChannelConfig {
            rate_hz,
            seed,
            contacts_s: None,
            delay: None,
            multipath: Vec::new(),
            fading: None,
            scintillation: None,
            interference: Vec::new(),
            n0: None,
            oscillator: None,
            front_end: None,
        }
    }
}

/// What a channel has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelCounts {
    /// Samples that were sent.
    pub sent: u64,
    /// Samples that came out.
    pub received: u64,
    /// Of those sent, how many fell outside a contact.
    pub blocked: u64,
    /// Values of I and of Q that were clipped.
    pub clipped: u64,
    /// What the ring did.
    pub ring: RingCounts,
}

/// One direction of a link, from the transmitter's samples to the receiver's.
///
/// The order is that in which a signal meets the parts: the **gate**, since a contact is a matter of when something is sent; **delay** with
/// Doppler, the way itself; **echoes**, **fading** and **scintillation**, which the media on the way add to it; **interference**, which
/// comes to the antenna by other ways and is not faded with the signal; **noise** of the receiver, which nothing before fades or
/// delays; the **oscillator**, which turns signal, interference and noise alike; the **front end**, whose imbalance, offset and
/// converter see all of it.
#[derive(Debug)]
pub struct Channel {
    gate: Option<Gate>,
    delay: Option<Delay>,
    multipath: Option<Multipath>,
    fading: Option<Fading>,
    scintillation: Option<Scintillation>,
    interference: Vec<Interference>,
    noise: Option<Noise>,
    oscillator: Option<Oscillator>,
    front_end: Option<FrontEnd>,
    sent: u64,
    received: u64,
    sending: Vec<Complex32>,
}

impl Channel {
    /// A channel at its first sample.
    ///
    /// # Errors
    /// A field that cannot be, by name.
    pub fn new(config: &ChannelConfig) -> Result<Self, ConfigError> {
        Self::with(config, Instructions::fastest())
    }

    /// The same by other instructions.
    ///
    /// # Errors
    /// A field that cannot be, by name.
    pub fn with(config: &ChannelConfig, instructions: Instructions) -> Result<Self, ConfigError> {
        let ChannelConfig { rate_hz, seed, .. } = *config;
        within("rate_hz", rate_hz, 1.0..=1e11, "from 1 to 1e11, in samples a second")?;
        if config.interference.len() > MOST_INTERFERERS {
            let wrong = format!("{} interferers: give at most {MOST_INTERFERERS}", config.interference.len());
            return Err(ConfigError::List { field: "interference".into(), wrong });
        }
        let echoes = !config.multipath.is_empty();
        let advance = if echoes { LATENCY_SAMPLES } else { 0 };
        let delay =
            |config: &DelayConfig| Ok::<_, ConfigError>(Delay::early(config, rate_hz, advance)?.with(instructions));
        Ok(Channel {
            gate: config.contacts_s.as_ref().map(|contacts| Gate::new(contacts, rate_hz)).transpose()?,
            delay: config.delay.as_ref().map(delay).transpose()?,
            multipath: echoes
                .then(|| Multipath::new(&config.multipath, rate_hz))
                .transpose()?
                .map(|m| m.with(instructions)),
            fading: config.fading.map(|fading| Fading::new(&fading, rate_hz, seed)).transpose()?,
            scintillation: config.scintillation.map(|s| Scintillation::new(&s, rate_hz, seed)).transpose()?,
            interference: (config.interference.iter().zip(0..))
                .map(|(interferer, which)| Interference::new(*interferer, rate_hz, seed, which))
                .collect::<Result<_, _>>()?,
            noise: config.n0.map(|n0| Noise::new(n0, seed)).transpose()?.map(|noise| noise.with(instructions)),
            oscillator: (config.oscillator.as_ref())
                .map(|oscillator| Oscillator::new(oscillator, rate_hz, seed))
                .transpose()?
                .map(|oscillator| oscillator.with(instructions)),
            front_end: config.front_end.map(|f| FrontEnd::new(&f)).transpose()?.map(|f| f.with(instructions)),
            sent: 0,
            received: 0,
            sending: Vec::new(),
        })
    }

    /// Takes the samples that are sent next, and appends those that are received meanwhile: as many, unless the receiver's sample clock is
    /// off. What comes out does not depend on how the samples are cut into blocks.
    ///
    /// # Errors
    /// The ring's file fails. The channel is of no use after that.
    pub fn process(&mut self, input: &[Complex32], output: &mut Vec<Complex32>) -> Result<(), RingError> {
        for part in input.chunks(CHUNK) {
            let at = output.len();
            self.send(part, output)?;
            self.receive(&mut output[at..]);
            self.sent += part.len() as u64;
            self.received += (output.len() - at) as u64;
        }
        Ok(())
    }

    fn send(&mut self, part: &[Complex32], output: &mut Vec<Complex32>) -> Result<(), RingError> {
        let part = match &mut self.gate {
            None => part,
            Some(gate) => {
                self.sending.clear();
                self.sending.extend_from_slice(part);
                gate.apply(&mut self.sending);
                &self.sending
            }
        };
        match &mut self.delay {
            None => output.extend_from_slice(part),
            Some(delay) => delay.process(part, output)?,
        }
        Ok(())
    }

    fn receive(&mut self, samples: &mut [Complex32]) {
        if let Some(multipath) = &mut self.multipath {
            multipath.apply(samples);
        }
        if let Some(fading) = &mut self.fading {
            fading.apply(samples);
        }
        if let Some(scintillation) = &mut self.scintillation {
            scintillation.apply(samples);
        }
        for interferer in &mut self.interference {
            interferer.add(samples);
        }
        if let Some(noise) = &mut self.noise {
            noise.add(samples);
        }
        if let Some(oscillator) = &mut self.oscillator {
            oscillator.apply(samples);
        }
        if let Some(front_end) = &mut self.front_end {
            front_end.apply(samples);
        }
    }

    /// How many samples before it was sent what arrives next by the direct way, to the nearest sample.
    pub fn delay_samples(&self) -> u64 {
        let latency = if self.multipath.is_some() { LATENCY_SAMPLES as u64 } else { 0 };
        // A delay takes the latency of the echoes off beforehand.
        self.delay.as_ref().map_or(latency, Delay::delay_samples)
    }

    /// What it has done so far.
    pub fn counts(&self) -> ChannelCounts {
        ChannelCounts {
            sent: self.sent,
            received: self.received,
            blocked: self.gate.as_ref().map_or(0, Gate::blocked),
            clipped: self.front_end.as_ref().map_or(0, FrontEnd::clipped),
            ring: self.delay.as_ref().map_or_else(RingCounts::default, Delay::ring_counts),
        }
    }
}
