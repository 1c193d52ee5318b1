//! How the frames of a channel go through samples.

use std::ops::RangeInclusive;

use farlink_channel_models::errors::Code;
use farlink_coding::{convolutional, ldpc};
use farlink_modem::Modulation;
use farlink_radio::waveform::Coding;
use farlink_units::{Instant, Size};
use farlink_wire::ccsds::AosFrame;

use super::Notes;
use crate::file::WaveformEntry;
use crate::located::{At, Text};
use crate::model::{self, RateSource, Waveform};
use crate::values::{FrequencyOffset, Number};
use crate::words::{Choice, ModulationName, Through};

/// The shorter of the two of CCSDS 401.0-B, 2.4.17A, is more than the receiver bears.
const GMSK_BANDWIDTH_TIME: f64 = 0.5;
const USUAL_FRAME_OCTETS: u64 = 1115;
/// From headers and some data to as far as the pointer to the first packet reaches (732.0-B-4 section 4.1.4.2.2).
const FRAME_OCTETS: RangeInclusive<usize> = 32..=2048;
const ROLL_OFFS: RangeInclusive<f64> = 0.1..=1.0;
const SAMPLES_PER_SYMBOL: RangeInclusive<f64> = 2.0..=64.0;
/// Far beyond what an oscillator is off, or a satellite's Doppler.
const FARTHEST_OFFSET_HZ: f64 = 1e6;

/// The waveform of `entry` on a channel with this code and rate.
pub(super) fn check(
    At { value: entry, position }: &At<WaveformEntry>,
    coding: Option<&model::Coding>,
    rate: Option<&RateSource>,
    notes: &mut Notes,
) -> Option<Waveform> {
    let modulation = notes.need_read(&entry.modulation, *position, "modulation: bpsk");
    let roll_off = number(&entry.roll_off, 0.5, ROLL_OFFS, "roll-off", notes);
    let samples = number(&entry.samples_per_symbol, 2.0, SAMPLES_PER_SYMBOL, "number of samples of a symbol", notes);
    let through = notes.read_or(&entry.through, Choice(Through::Samples)).map(|through| through.0);
    let offset = self::offset(&entry.frequency_offset, notes);
    let coding = match coding {
        Some(coding) => self::coding(entry, *position, coding, notes),
        None => {
            let help = "add `errors: { coding: { code: concatenated } }` to the channel; `code: uncoded` is one, too";
            notes.error(*position, "nothing says which code the frames are in", help);
            None
        }
    };
    let rate_bps = match rate? {
        RateSource::Given(rate) if rate.changes().is_empty() => rate.at(Instant::ZERO).map(|rate| rate.bps()),
        _ => None,
    };
    if rate_bps.is_none() {
        let help = "write one rate, as in `rate: 256 kbit/s`, or remove the `waveform`";
        notes.error(*position, "a channel whose frames go through samples has one rate throughout", help);
    }
    let modulation = match modulation?.0 {
        ModulationName::Bpsk => Modulation::Bpsk,
        ModulationName::Qpsk => Modulation::Qpsk,
        ModulationName::Oqpsk => Modulation::Oqpsk,
        ModulationName::Psk8 => Modulation::Psk8,
        ModulationName::Gmsk => Modulation::Gmsk { bandwidth_time: GMSK_BANDWIDTH_TIME },
    };
    let signal = farlink_radio::waveform::Waveform {
        modulation,
        roll_off: roll_off?,
        samples_per_symbol: samples?,
        ..farlink_radio::waveform::Waveform::new(coding?, 1.0)
    };
    // Headers of transfer frames leave that much less room for packets.
    let around = AosFrame::default().overhead(signal.frame_error_control);
    let room = 1.0 - around as f64 / signal.frame_octets() as f64;
    let signal = signal.at_frame_rate_bps(rate_bps? as f64 / room);
    if let Err(error) = signal.validate() {
        notes.error(*position, error.to_string(), "change what the message names, or the rate of the channel");
        return None;
    }
    Some(Waveform { signal, frequency_offset_hz: offset?, through_samples: through? == Through::Samples })
}

fn number(
    text: &Option<Text<Number>>,
    usual: f64,
    range: RangeInclusive<f64>,
    what: &str,
    notes: &mut Notes,
) -> Option<f64> {
    let Number(number) = notes.read_or(text, Number(usual))?;
    if let (false, Some(text)) = (range.contains(&number), text) {
        let help = format!("it is from {} to {}", range.start(), range.end());
        notes.error(text.position, format!("no {what} is {number}"), help);
        return None;
    }
    Some(number)
}

fn offset(text: &Option<Text<FrequencyOffset>>, notes: &mut Notes) -> Option<f64> {
    let FrequencyOffset(hz) = notes.read_or(text, FrequencyOffset(0.0))?;
    if let (true, Some(text)) = (hz.abs() > FARTHEST_OFFSET_HZ, text) {
        notes.error(text.position, format!("{hz} Hz is too far off"), "it is from -1 MHz to 1 MHz");
        return None;
    }
    Some(hz)
}

fn coding(
    entry: &WaveformEntry,
    position: crate::problem::Position,
    coding: &model::Coding,
    notes: &mut Notes,
) -> Option<Coding> {
    if coding.scintillation.is_some() {
        let help = "remove `scintillation`, or remove the `waveform`";
        notes.error(position, "a signal that goes through samples does not scintillate yet", help);
        return None;
    }
    let of_blocks = |interleaving: u8, notes: &mut Notes| {
        if matches!(interleaving, 6 | 7) {
            let help = "CCSDS 131.0-B has 1, 2, 3, 4, 5 and 8: write one of them as `interleaving`";
            notes.error(position, format!("no code block has {interleaving} words"), help);
            return None;
        }
        Some(interleaving)
    };
    if let (Some(frame), false) = (&entry.frame, matches!(coding.code, Code::Uncoded | Code::Convolutional)) {
        let help = "remove `frame`: a transfer frame is as long as a code block has room for";
        notes.error(frame.position, "this code settles the length of a transfer frame", help);
        return None;
    }
    let frame = notes.read_or(&entry.frame, Size::from_bytes(USUAL_FRAME_OCTETS))?.bytes();
    let frame_octets = usize::try_from(frame).unwrap_or(usize::MAX);
    if let (false, Some(text)) = (FRAME_OCTETS.contains(&frame_octets), &entry.frame) {
        let help = format!("it is from {} B to {} B", FRAME_OCTETS.start(), FRAME_OCTETS.end());
        notes.error(text.position, format!("no transfer frame is {frame} bytes long"), help);
        return None;
    }
    let half = convolutional::Rate::Half;
    match coding.code {
        Code::Uncoded => Some(Coding::Uncoded { frame_octets }),
        Code::Convolutional => Some(Coding::Convolutional { rate: half, frame_octets }),
        Code::ReedSolomon { interleaving } => {
            Some(Coding::ReedSolomon { corrects: 16, depth: of_blocks(interleaving, notes)? })
        }
        Code::Concatenated { interleaving } => {
            Some(Coding::Concatenated { corrects: 16, depth: of_blocks(interleaving, notes)?, rate: half })
        }
        Code::Ldpc1024 => Some(Coding::Ldpc { rate: ldpc::Rate::Half, length: ldpc::Length::K1024 }),
        Code::Ldpc4096 => Some(Coding::Ldpc { rate: ldpc::Rate::Half, length: ldpc::Length::K4096 }),
        Code::Turbo1784 => {
            let help = "take another code, as `concatenated`, or remove the `waveform`";
            notes.error(position, "turbo codes cannot be decoded yet", help);
            None
        }
    }
}
