//! What links are, as they stand in a file or are told by flags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use farlink_channel_models::SPEED_OF_LIGHT_KM_S;
use farlink_emulated_link::{ChannelMedium, End, LinkConfig, MediumError, Pace};
use farlink_iq_channel::channel::ChannelConfig;
use farlink_iq_channel::delay::DelayConfig;
use farlink_iq_channel::fading::{FadingConfig, Spectrum};
use farlink_iq_channel::front_end::{ConverterConfig, FrontEndConfig};
use farlink_iq_channel::law::DelayLaw;
use farlink_iq_channel::multipath::Echo;
use farlink_iq_channel::noise::n0_from_eb_n0;
use farlink_iq_channel::oscillator::OscillatorConfig;
use farlink_iq_channel::ring::{RingConfig, SpillConfig};
use farlink_units::{BitRate, Decibels, Duration, Frequency, Size};
use schemars::JsonSchema;
use serde::Deserialize;

/// Longest file of links, in bytes.
const LONGEST: u64 = 1 << 20;

/// A file of emulated links: what `farlink sdr emulate --links` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LinksFile {
    /// The links by their names.
    pub links: BTreeMap<String, LinkEntry>,
}

/// One link: two ends, `a` and `b`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LinkEntry {
    /// What moves its time: a clock, as in a radio, or the programs at its ends.
    pub pace: PaceEntry,
    /// Sample rate of both ends until they set another.
    pub rate: Frequency,
    /// Lowest and highest sample rate that the ends may set.
    pub rate_range: [Frequency; 2],
    /// What the ends are tuned to until they set another frequency, and the carrier of the Doppler.
    pub frequency: Frequency,
    /// Samples that an end keeps for a reader, and of a writer.
    pub buffer: usize,
    /// At the wall's pace: how long a burst without a time waits for more of it to come.
    pub lead: Duration,
    /// Where all that is random comes from.
    pub seed: u64,
    /// Memory for what is under way, in each direction.
    pub memory: Size,
    /// Folder for what is under way beyond that.
    pub spill: Option<PathBuf>,
    /// Both directions, if they are alike.
    pub both: Option<DirectionEntry>,
    /// From `a` to `b`.
    pub forward: Option<DirectionEntry>,
    /// From `b` to `a`.
    #[serde(rename = "return")]
    pub return_: Option<DirectionEntry>,
}

impl Default for LinkEntry {
    fn default() -> Self {
        let hz = |hz| Frequency::from_hz(hz).expect("it is above zero");
        LinkEntry {
            pace: PaceEntry::Wall,
            rate: hz(1e6),
            rate_range: [hz(1e3), hz(64e6)],
            frequency: hz(2.2e9),
            buffer: 1 << 18,
            lead: Duration::from_millis(10),
            seed: 1,
            memory: Size::from_bytes(256 << 20),
            spill: None,
            both: None,
            forward: None,
            return_: None,
        }
    }
}

/// What moves the time of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum PaceEntry {
    /// A clock, as in a radio.
    Wall,
    /// The programs at the ends: nothing is lost by chance.
    Samples,
}

/// What is between a transmitter and the receiver at the other end. What is not given is not there.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct DirectionEntry {
    /// One-way light time at the beginning.
    pub delay: Option<Duration>,
    /// By how many km the ends move apart in a second; below 0 they approach. Doppler of carrier and symbols follow.
    pub range_rate_km_s: Option<f64>,
    /// How long they do so; an hour unless given. After that the delay stays.
    pub range_rate_for: Option<Duration>,
    /// Power of the receiver's noise in the whole band, against full scale.
    pub noise: Option<Decibels>,
    /// Eb/N0 of a signal at full scale, in place of `noise`; needs `bit-rate`.
    pub eb_n0: Option<Decibels>,
    /// Rate of information bits, for `eb-n0`.
    pub bit_rate: Option<BitRate>,
    /// By how many Hz the receiver hears the signal too high.
    pub offset_hz: Option<f64>,
    /// By how many Hz a second that grows.
    pub drift_hz_per_s: Option<f64>,
    /// Width of the oscillators' line, in Hz: phase noise that walks at random.
    pub linewidth_hz: Option<f64>,
    /// Other ways beside the direct one.
    pub echoes: Vec<EchoEntry>,
    /// Fading of the whole band.
    pub fading: Option<FadingEntry>,
    /// The receiver's front end.
    pub front_end: Option<FrontEndEntry>,
}

/// A way that is longer than the direct one.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EchoEntry {
    /// By how much it is later.
    delay: Duration,
    /// Its gain against the direct way.
    gain: Decibels,
    /// Its phase against the direct way, in degrees.
    #[serde(default)]
    phase_deg: f64,
    /// Its Doppler against the direct way, in Hz.
    #[serde(default)]
    doppler_hz: f64,
}

/// Fading by scattered waves.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FadingEntry {
    /// Power of the steady part over that of the scattered part; without it there is no steady part (Rayleigh).
    k_factor: Option<Decibels>,
    /// Doppler spread of the scattered part, in Hz.
    spread_hz: f64,
}

/// A receiver's front end.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct FrontEndEntry {
    /// Gain of Q over that of I, in dB.
    imbalance_db: f64,
    /// By how many degrees Q is turned from a right angle to I.
    quadrature_error_deg: f64,
    /// What is added to I and to Q.
    dc: [f64; 2],
    /// Bits of the converter, which clips at full scale (1); without it there is none.
    bits: Option<u32>,
}

/// Reads a file of links.
pub fn read(path: &Path) -> Result<LinksFile, String> {
    use std::io::Read;
    let error = |error: std::io::Error| format!("{}: cannot read it: {error}", path.display());
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(error)?;
    file.take(LONGEST + 1).read_to_string(&mut text).map_err(error)?;
    if text.len() as u64 > LONGEST {
        return Err(format!("{}: it is longer than {LONGEST} bytes", path.display()));
    }
    let file: LinksFile = serde_yaml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    if file.links.is_empty() {
        return Err(format!(
            "{}: it has no links: write `links:` and below it a name and what the link is",
            path.display()
        ));
    }
    Ok(file)
}

impl LinkEntry {
    /// What is between the ends, from `a` and from `b`.
    fn directions(&self) -> Result<[DirectionEntry; 2], String> {
        match (&self.both, &self.forward, &self.return_) {
            (Some(both), None, None) => Ok([both.clone(), both.clone()]),
            (Some(_), _, _) => Err("`both` stands beside `forward` or `return`: give one of the two kinds".to_owned()),
            (None, forward, back) => Ok([forward.clone().unwrap_or_default(), back.clone().unwrap_or_default()]),
        }
    }

    /// The link that this describes. What cannot be shows when it is made.
    pub fn config(&self) -> Result<LinkConfig, String> {
        let directions = self.directions()?;
        for direction in &directions {
            direction.check()?;
        }
        let link = self.clone();
        let medium = ChannelMedium::maker(move |from, rate_hz| {
            let (direction, seed) = match from {
                End::A => (&directions[0], link.seed),
                // Of its own: the noise of the two directions has nothing in common.
                End::B => (&directions[1], link.seed ^ (1 << 63)),
            };
            link.channel(direction, seed, rate_hz).map_err(MediumError)
        });
        Ok(LinkConfig {
            pace: match self.pace {
                PaceEntry::Wall => Pace::Wall,
                PaceEntry::Samples => Pace::Samples,
            },
            rate_range_hz: self.rate_range.map(Frequency::hz),
            rate_hz: self.rate.hz(),
            frequency_hz: self.frequency.hz(),
            buffer_samples: self.buffer,
            lead_s: self.lead.as_secs_f64(),
            medium,
        })
    }

    fn channel(&self, direction: &DirectionEntry, seed: u64, rate_hz: f64) -> Result<ChannelConfig, String> {
        let mut channel = ChannelConfig::new(rate_hz, seed);
        channel.delay = direction.law().map(|law| self.delay(law, rate_hz));
        channel.n0 = direction.n0(rate_hz)?;
        let DirectionEntry { offset_hz, drift_hz_per_s, linewidth_hz, .. } = direction;
        if offset_hz.or(*drift_hz_per_s).or(*linewidth_hz).is_some() {
            channel.oscillator = Some(OscillatorConfig {
                offset_hz: offset_hz.unwrap_or(0.0),
                drift_hz_per_s: drift_hz_per_s.unwrap_or(0.0),
                linewidth_hz: linewidth_hz.unwrap_or(0.0),
                mask: None,
            });
        }
        let echo = |echo: &EchoEntry| Echo {
            delay_s: echo.delay.as_secs_f64(),
            gain_db: echo.gain.db(),
            phase_deg: echo.phase_deg,
            doppler_hz: echo.doppler_hz,
        };
        channel.multipath = direction.echoes.iter().map(echo).collect();
        channel.fading = direction.fading.map(|fading| FadingConfig {
            k_factor_db: fading.k_factor.map(Decibels::db),
            doppler_spread_hz: fading.spread_hz,
            spectrum: Spectrum::Gauss,
            line_of_sight_hz: 0.0,
        });
        channel.front_end = direction.front_end.map(|front_end| FrontEndConfig {
            imbalance_db: front_end.imbalance_db,
            quadrature_error_deg: front_end.quadrature_error_deg,
            dc: (front_end.dc[0], front_end.dc[1]),
            converter: front_end.bits.map(|bits| ConverterConfig { bits, full_scale: 1.0 }),
        });
        Ok(channel)
    }

    fn delay(&self, law: DelayLaw, rate_hz: f64) -> DelayConfig {
        let (most_s, carrier_hz) = match &law {
            // A phase that never changes is left out: a whole number of samples then arrives as it was sent, but for rounding.
            DelayLaw::Constant(delay_s) => (*delay_s, 0.0),
            DelayLaw::Polynomial { coefficients, duration_s } => {
                let last = coefficients[0] + coefficients.get(1).unwrap_or(&0.0) * duration_s;
                (coefficients[0].max(last), self.frequency.hz())
            }
            DelayLaw::Knots(_) => (0.0, self.frequency.hz()),
        };
        let needed = ((most_s * rate_hz) as u64).saturating_add(1 << 18).saturating_mul(8);
        let spill =
            self.spill.as_ref().map(|directory| SpillConfig { directory: directory.clone(), limit_bytes: needed });
        DelayConfig { law, carrier_hz, clock_ppm: 0.0, ring: RingConfig { memory_bytes: self.memory.bytes(), spill } }
    }
}

impl DirectionEntry {
    fn check(&self) -> Result<(), String> {
        if self.noise.is_some() && self.eb_n0.is_some() {
            return Err("noise is told twice, by its power and by Eb/N0: give one".to_owned());
        }
        if self.eb_n0.is_some() != self.bit_rate.is_some() {
            return Err("Eb/N0 and the bit rate go together: give both".to_owned());
        }
        if self.range_rate_for.is_some() && self.range_rate_km_s.is_none() {
            return Err("for how long the range changes is told, and not at which rate: give the range rate".to_owned());
        }
        let slower_than_light = |km_s: &f64| km_s.abs() < SPEED_OF_LIGHT_KM_S;
        if let Some(km_s) = self.range_rate_km_s.filter(|km_s| !slower_than_light(km_s)) {
            return Err(format!(
                "a range rate of {km_s} km/s, and nothing is faster than light: give less than {SPEED_OF_LIGHT_KM_S}"
            ));
        }
        if self.range_rate_km_s.is_some() && self.delay.is_none() {
            return Err("a range rate needs a delay from which it begins: give it".to_owned());
        }
        Ok(())
    }

    fn law(&self) -> Option<DelayLaw> {
        let delay_s = self.delay?.as_secs_f64();
        match self.range_rate_km_s {
            None if delay_s == 0.0 => None,
            None => Some(DelayLaw::Constant(delay_s)),
            Some(km_s) => {
                let duration_s = self.range_rate_for.unwrap_or(Duration::from_secs(3600)).as_secs_f64();
                // The rate counts against the time of arrival.
                let rate = km_s / SPEED_OF_LIGHT_KM_S;
                Some(DelayLaw::Polynomial { coefficients: vec![delay_s, rate / (1.0 + rate)], duration_s })
            }
        }
    }

    fn n0(&self, rate_hz: f64) -> Result<Option<f64>, String> {
        match (self.noise, self.eb_n0, self.bit_rate) {
            (Some(noise), _, _) => Ok(Some(10f64.powf(noise.db() / 10.0))),
            (None, Some(eb_n0), Some(bit_rate)) => {
                let samples_per_bit = rate_hz / bit_rate.bps() as f64;
                n0_from_eb_n0(eb_n0.db(), 1.0, samples_per_bit).map(Some).map_err(|error| error.to_string())
            }
            _ => Ok(None),
        }
    }
}
