//! `farlink sdr loopback`

use clap::{Args, ValueEnum};
use farlink_iq_channel::delay::DelayConfig;
use farlink_iq_channel::front_end::{ConverterConfig, FrontEndConfig};
use farlink_iq_channel::law::DelayLaw;
use farlink_iq_channel::oscillator::OscillatorConfig;
use farlink_iq_channel::ring::RingConfig;
use farlink_modem::ReceiverConfig;
use farlink_radio::chain::{Chain, ChainConfig, Outcome};
use farlink_units::Frequency;
use farlink_wire::ccsds::AosFrame;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::json;

use super::Done;
use super::waveform::{WaveformArguments, told};
use crate::Ending;

const SPEED_OF_LIGHT_KM_S: f64 = 299_792.458;
/// Most frames: days of work.
const MOST_FRAMES: u64 = 100_000_000;
/// At its first sample a law of delay has at least this many samples, of which what arrives is made.
const AROUND_SAMPLES: f64 = 64.0;

/// Send transfer frames through modulator, channel and receiver, and say what became of them.
///
/// The receiver begins from cold, with the signal's first sample. Frames before the first that it gives are told apart and are no failure.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    farlink sdr loopback --eb-n0 4\n  \
    farlink sdr loopback --modulation qpsk --code ldpc --eb-n0 3 --offset -15kHz --frames 5000\n  \
    farlink sdr loopback --frequency '2.2 GHz' --range-rate -7.5 --eb-n0 6 --rate '2 Mbit/s' --samples-per-symbol 4\n\n\
    Exit codes: 0 every frame after the first came out as it was sent, 1 one did not, 2 it could not be tried.")]
pub struct LoopbackArguments {
    /// Frames to send
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    frames: u64,
    /// Eb/N0 in dB; without it there is no noise
    #[arg(long, value_name = "DB", allow_negative_numbers = true)]
    eb_n0: Option<f64>,
    /// How far the carrier is off, as in 12kHz or -500Hz
    #[arg(long, value_name = "FREQUENCY", allow_hyphen_values = true, value_parser = offset, default_value = "0 Hz")]
    offset: f64,
    /// By how many Hz a second that grows
    #[arg(long, value_name = "HZ_PER_S", allow_negative_numbers = true, default_value_t = 0.0)]
    drift: f64,
    /// Width of the oscillator's line in Hz, by phase noise
    #[arg(long, value_name = "HZ", default_value_t = 0.0)]
    linewidth: f64,
    /// How fast the ends move apart, in km/s: carrier and symbols are shifted
    #[arg(long, value_name = "KM_PER_S", allow_negative_numbers = true, default_value_t = 0.0)]
    range_rate: f64,
    /// The carrier, for the Doppler shift
    #[arg(long, value_name = "FREQUENCY", default_value = "2.2 GHz")]
    frequency: Frequency,
    /// Bits of the receiver's converter, which clips four standard deviations from zero
    #[arg(long, value_name = "BITS")]
    converter: Option<u32>,
    /// Where chance comes from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    format: LoopbackFormat,
    #[command(flatten)]
    waveform: WaveformArguments,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum LoopbackFormat {
    /// Lines for people
    #[default]
    Text,
    /// An object
    Json,
}

/// A frequency of either sign.
fn offset(text: &str) -> Result<f64, String> {
    let (sign, size) = text.strip_prefix('-').map_or((1.0, text), |size| (-1.0, size));
    if size.trim() == "0" || size.trim() == "0 Hz" {
        return Ok(0.0);
    }
    size.parse::<Frequency>().map(|frequency| sign * frequency.hz()).map_err(|error| error.to_string())
}

impl LoopbackArguments {
    fn chain(&self) -> Result<ChainConfig, String> {
        let waveform = self.waveform.waveform()?;
        let mut config = ChainConfig::new(waveform, self.eb_n0.unwrap_or_default(), self.seed);
        config.eb_n0_db = self.eb_n0;
        config.lead_in_frames = Some(0);
        let sample_rate_hz = waveform.sample_rate_hz();
        if self.offset != 0.0 || self.drift != 0.0 || self.linewidth != 0.0 {
            let (offset_hz, drift_hz_per_s, linewidth_hz) = (self.offset, self.drift, self.linewidth);
            config.channel.oscillator = Some(OscillatorConfig { offset_hz, drift_hz_per_s, linewidth_hz, mask: None });
        }
        let frames_s = self.frames as f64 * waveform.frame_duration_s();
        let mut offset_hz = self.offset.abs() + (self.drift * frames_s).abs();
        if self.range_rate != 0.0 {
            let grows = self.range_rate / SPEED_OF_LIGHT_KM_S;
            let duration_s = 2.0 * frames_s + 10.0;
            // A delay that shrinks begins with what it will have lost.
            let least = AROUND_SAMPLES / sample_rate_hz + (-grows * duration_s).max(0.0);
            let law = DelayLaw::Polynomial { coefficients: vec![least, grows], duration_s };
            let ring = RingConfig::default();
            config.channel.delay = Some(DelayConfig { law, carrier_hz: self.frequency.hz(), clock_ppm: 0.0, ring });
            offset_hz += (grows * self.frequency.hz()).abs();
        }
        if let Some(bits) = self.converter {
            // Signal and noise together, of which each axis has half.
            let power = 1.0 + self.eb_n0.map_or(0.0, |db| waveform.n0(db));
            config.channel.front_end = Some(FrontEndConfig {
                imbalance_db: 0.0,
                quadrature_error_deg: 0.0,
                dc: (0.0, 0.0),
                converter: Some(ConverterConfig { bits, full_scale: 4.0 * (power / 2.0).sqrt() }),
            });
        }
        config.receiver.max_rate_hz_s = config.receiver.max_rate_hz_s.max(2.0 * self.drift.abs());
        if 1.1 * offset_hz > ReceiverConfig::new(waveform.signal()).max_offset_hz {
            config.receiver.max_offset_hz = Some(1.1 * offset_hz);
        }
        Ok(config)
    }
}

pub fn loopback(arguments: &LoopbackArguments) -> Done {
    if !(1..=MOST_FRAMES).contains(&arguments.frames) {
        return Err(format!("{} frames cannot be sent: give --frames from 1 to {MOST_FRAMES}", arguments.frames));
    }
    let config = arguments.chain()?;
    let waveform = config.waveform;
    let failed = |error: farlink_radio::chain::ChainError| error.to_string();
    let from_arguments = "--rate, --samples-per-symbol, --offset and --range-rate settle these";
    let mut chain = Chain::new(&config).map_err(|error| format!("{error} ({from_arguments})"))?;
    let mut draws = ChaCha8Rng::seed_from_u64(arguments.seed);
    let mut seen = Seen::default();
    let mut octets = Vec::new();
    let mut data = vec![0; waveform.frame_octets() - AosFrame::default().overhead(waveform.frame_error_control)];
    for number in 0..arguments.frames {
        draws.fill_bytes(&mut data);
        octets.clear();
        let frame = AosFrame { virtual_channel: 1, count: number as u32, data: &data, ..AosFrame::default() };
        frame.emit(waveform.frame_error_control, &mut octets);
        chain.push(&octets).map_err(failed)?;
        seen.take(&mut chain);
    }
    chain.flush().map_err(failed)?;
    seen.take(&mut chain);
    let status = chain.status().map(|status| status.modem);
    let ending = if seen.delivered > 0 && seen.failed() == 0 { Ending::Met } else { Ending::NotMet };
    let es_n0_db = status.and_then(|status| status.es_n0_db);
    let before_s = seen.before as f64 * waveform.frame_duration_s();
    match arguments.format {
        LoopbackFormat::Json => {
            let result = json!({
                "waveform": waveform,
                "seed": arguments.seed,
                "eb_n0_db": arguments.eb_n0,
                "frames": arguments.frames,
                "before_first": seen.before,
                "delivered": seen.delivered,
                "refused": seen.refused,
                "undetected": seen.undetected,
                "missing": seen.missing,
                "locked": status.is_some_and(|status| status.locked),
                "losses_of_lock": status.map(|status| status.losses),
                "measured_es_n0_db": es_n0_db,
                "expected_es_n0_db": arguments.eb_n0.map(|db| waveform.es_n0_db(db)),
                "measured_offset_hz": status.map(|status| status.carrier_offset_hz),
                "measured_symbol_rate_offset_ppm": status.map(|status| status.symbol_rate_offset_ppm),
            });
            say!("{result:#}");
        }
        LoopbackFormat::Text => {
            say!("{}; seed {}", told(&waveform), arguments.seed);
            say!(
                "{} frames sent: {} before the first that came out ({:.1} ms of signal), then {} delivered, {} refused, {} undetected, {} missing",
                arguments.frames,
                seen.before,
                1e3 * before_s,
                seen.delivered,
                seen.refused,
                seen.undetected,
                seen.missing
            );
            if let Some(status) = status {
                let db = |db: Option<f64>| db.map_or("unknown".to_owned(), |db| format!("{db:.1} dB"));
                let expected = arguments.eb_n0.map(|eb_n0| waveform.es_n0_db(eb_n0));
                say!(
                    "receiver {}, {} losses of lock; Es/N0 {} (sent with {}), carrier off by {:.1} Hz, symbol clock by {:.2} ppm",
                    if status.locked { "locked" } else { "not locked" },
                    status.losses,
                    db(es_n0_db),
                    expected.map_or("no noise".to_owned(), |expected| db(Some(expected))),
                    status.carrier_offset_hz,
                    status.symbol_rate_offset_ppm
                );
            }
        }
    }
    Ok(ending)
}

/// What came out so far.
#[derive(Debug, Default)]
struct Seen {
    /// Missing before the first that was found.
    before: u64,
    begun: bool,
    delivered: u64,
    refused: u64,
    undetected: u64,
    missing: u64,
}

impl Seen {
    fn take(&mut self, chain: &mut Chain) {
        while let Some(decided) = chain.poll() {
            self.begun |= decided.outcome != Outcome::Missing;
            match decided.outcome {
                Outcome::Missing if !self.begun => self.before += 1,
                Outcome::Missing => self.missing += 1,
                Outcome::Delivered => self.delivered += 1,
                Outcome::Refused { .. } => self.refused += 1,
                Outcome::Undetected { .. } => self.undetected += 1,
            }
        }
    }

    fn failed(&self) -> u64 {
        self.refused + self.undetected + self.missing
    }
}
