//! One direction of a link: its rate and its errors.

use farlink_channel_models::errors::{Bursts, Code, Erasures, ErrorModel, Fading, Trace};
use farlink_channel_models::{Rate, RateError};
use farlink_units::{BitRate, Decibels, Duration, Instant, Ratio};

use super::{Notes, Run, radio, waveform};
use crate::file::{
    BurstsEntry, ChannelEntry, CodingEntry, ErasuresEntry, ErrorsEntry, FollowingEntry, RateEntry, RateStepEntry,
    ScintillationEntry,
};
use crate::files::Folder;
use crate::located::{At, Text};
use crate::mixed::Mixed;
use crate::model::{Channel, Coding, Depth, RateSource, Scintillation};
use crate::problem::Position;
use crate::values::{Count, Number, RateOrNone};
use crate::words::{Choice, CodeName};

/// The most that two antennas can disagree: above it, inverting the bits would do better.
pub(super) const WORST_BER: f64 = 0.5;
/// Lengths of bursts and gaps.
const LONGEST_RUN: f64 = 1e18;
/// Between the lags of interplanetary scintillation and far beyond.
const CORRELATION_TIMES: std::ops::RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(3600);

/// What a channel needs to know of the rest of the file.
pub(super) struct Known<'a> {
    pub run: Run,
    pub folder: &'a Folder<'a>,
    /// Whether its ends have places that it follows.
    pub geometry: bool,
    /// Whether it is seen at an elevation: one of those places is a site.
    pub elevation: bool,
}

/// The channel of `entry` between two nodes.
pub(super) fn check(
    entry: &At<ChannelEntry>,
    (from, to): (usize, usize),
    known: &Known<'_>,
    notes: &mut Notes,
) -> Option<Channel> {
    let At { value: entry, position } = entry;
    let rate = notes
        .need(&entry.rate, *position, "rate: 256 kbit/s")
        .and_then(|rate| self::rate(rate, entry.radio.is_some(), known.run, notes));
    let ber = self::ber(entry, notes);
    let errors = match &entry.errors {
        Some(errors) => self::errors(errors, entry.radio.is_some(), known, notes),
        None => Some((Vec::new(), None)),
    };
    let code = errors.as_ref().and_then(|(_, coding)| coding.as_ref()).map(|coding| coding.code);
    let radio = match &entry.radio {
        Some(radio) => Some(radio::check(radio, code, known.elevation, notes)?),
        None => None,
    };
    let (errors, coding) = errors?;
    let waveform = match entry.radio.as_ref().and_then(|radio| radio.value.waveform.as_ref()) {
        Some(entry) => Some(waveform::check(entry, coding.as_ref(), rate.as_ref(), notes)?),
        None => None,
    };
    Some(Channel { from, to, rate: rate?, ber: ber?, errors, coding, radio, waveform })
}

fn ber(entry: &ChannelEntry, notes: &mut Notes) -> Option<Ratio> {
    let ber = notes.read_or(&entry.ber, Ratio::default())?;
    if let (true, Some(text)) = (ber.get() > WORST_BER, &entry.ber) {
        let message = format!("a bit error ratio of {} is impossible", ber.get());
        notes.error(text.position, message, "0.5 is noise already: write a ratio from 0 to 0.5");
        return None;
    }
    Some(ber)
}

fn rate(At { value, position }: &At<RateEntry>, radio: bool, run: Run, notes: &mut Notes) -> Option<RateSource> {
    match value {
        Mixed::Scalar(read) => {
            let RateOrNone(rate) = notes.result(read, *position)?;
            Some(RateSource::Given(rate.map_or_else(Rate::silent, Rate::constant)))
        }
        Mixed::List(steps) => steps_of(steps, *position, run, notes).map(RateSource::Given),
        Mixed::Mapping(following) => self::following(following, *position, radio, notes),
    }
}

fn steps_of(steps: &[At<RateStepEntry>], position: Position, run: Run, notes: &mut Notes) -> Option<Rate> {
    let mut read = Vec::new();
    for At { value: step, position } in steps {
        let at = notes.need_read(&step.at, *position, "at: 0 s");
        let rate = notes.need_read(&step.rate, *position, "rate: 256 kbit/s");
        read.push((|| Some((at?.instant(run.epoch?), rate?.0)))());
    }
    let read = read.into_iter().collect::<Option<Vec<_>>>()?;
    let first = read.first().map(|(at, _)| *at);
    match Rate::steps(read) {
        Ok(_) if first.is_some_and(|at| at > Instant::ZERO) => {
            let help = "begin the list with `{ at: 0 s, rate: none }`, or with the rate that holds from the epoch on";
            notes.error(steps[0].position, "nothing says what the rate is before this step", help);
            None
        }
        Ok(rate) => {
            if rate.at(Instant::ZERO).is_none() && rate.changes().iter().all(|(_, rate)| rate.is_none()) {
                notes.warning(
                    position,
                    "this rate is `none` from beginning to end",
                    "write `rate: none`, or add a rate",
                );
            }
            Some(rate)
        }
        Err(RateError::Empty) => {
            notes.error(position, "a rate of no steps", "write a rate as in `256 kbit/s`, or at least one step");
            None
        }
        Err(RateError::Order { index, at, before }) => {
            let message = format!("this step is at {at}, not after the {before} of the one above it");
            notes.error(steps[index].position, message, "list the steps in the order of time");
            None
        }
    }
}

fn following(entry: &FollowingEntry, position: Position, radio: bool, notes: &mut Notes) -> Option<RateSource> {
    let of: Vec<Option<BitRate>> = entry.highest_of.iter().map(|rate| notes.read(rate)).collect();
    let margin = notes.read_opt(&entry.margin).map(|margin| margin.map_or(0.0, Decibels::db));
    if of.is_empty() {
        notes.error(position, "the key `highest_of` is missing", "add `highest_of: [256 kbit/s, 1 Mbit/s]`");
        return None;
    }
    if !radio {
        let help = "add `radio: { frequency: …, eirp: …, gain_over_temperature: …, required_eb_n0: … }` to the channel";
        notes.error(position, "a rate cannot follow a link budget that is not there", help);
        return None;
    }
    Some(RateSource::Highest { of: of.into_iter().collect::<Option<_>>()?, margin_db: margin? })
}

fn errors(
    At { value: entry, position }: &At<ErrorsEntry>,
    radio: bool,
    known: &Known<'_>,
    notes: &mut Notes,
) -> Option<(Vec<ErrorModel>, Option<Coding>)> {
    let mut models = Vec::new();
    if let Some(entry) = &entry.bursts {
        models.push(bursts(entry, notes).map(ErrorModel::Bursts));
    }
    if let Some(entry) = &entry.erasures {
        models.push(erasures(entry, notes).map(ErrorModel::Erasures));
    }
    if let Some(path) = &entry.trace {
        models.push(known.folder.read(path, notes, Trace::parse).map(ErrorModel::Recorded));
    }
    let coding = entry.coding.as_ref().map(|entry| coding(entry, radio, known.geometry, notes));
    if models.is_empty() && coding.is_none() {
        let help = "write `bursts`, `erasures`, `coding` or `trace` in it, or remove it";
        notes.error(*position, "no error is named here", help);
        return None;
    }
    let coding = match coding {
        Some(coding) => Some(coding?),
        None => None,
    };
    Some((models.into_iter().collect::<Option<_>>()?, coding))
}

fn bursts(At { value: entry, position }: &At<BurstsEntry>, notes: &mut Notes) -> Option<Bursts> {
    let burst = length(&entry.mean_burst_bits, *position, "mean_burst_bits: 400", notes);
    let gap = length(&entry.mean_gap_bits, *position, "mean_gap_bits: 1e7", notes);
    let in_burst = notes.read_opt(&entry.ber_in_burst).map(|ber| ber.map_or(WORST_BER, Ratio::get));
    let in_gap = notes.read_or(&entry.ber_in_gap, Ratio::default()).map(Ratio::get);
    Some(Bursts { mean_burst_bits: burst?, mean_gap_bits: gap?, ber_in_burst: in_burst?, ber_in_gap: in_gap? })
}

/// A mean length, which is at least 1.
fn length(text: &Option<Text<Number>>, owner: Position, example: &str, notes: &mut Notes) -> Option<f64> {
    let Number(length) = notes.need_read(text, owner, example)?;
    if (1.0..=LONGEST_RUN).contains(&length) {
        return Some(length);
    }
    let position = text.as_ref().map_or(owner, |text| text.position);
    notes.error(position, format!("no mean length is {length}"), "it is from 1 to 1e18");
    None
}

fn erasures(At { value: entry, position }: &At<ErasuresEntry>, notes: &mut Notes) -> Option<Erasures> {
    match (&entry.probability, entry.mean_burst_frames.is_some() || entry.mean_gap_frames.is_some()) {
        (Some(text), false) => {
            notes.read(text).map(|probability| Erasures::Independent { probability: probability.get() })
        }
        (Some(text), true) => {
            let help = "keep one of the two: what follows from the mean lengths is the probability";
            notes.error(text.position, "a `probability` and mean lengths exclude each other", help);
            None
        }
        (None, false) => {
            let help = "write `probability: 0.01`, or `mean_burst_frames: 4` and `mean_gap_frames: 1000`";
            notes.error(*position, "nothing says how frames are lost", help);
            None
        }
        (None, true) => {
            let burst = length(&entry.mean_burst_frames, *position, "mean_burst_frames: 4", notes);
            let gap = length(&entry.mean_gap_frames, *position, "mean_gap_frames: 1000", notes);
            Some(Erasures::Bursts { mean_burst_frames: burst?, mean_gap_frames: gap? })
        }
    }
}

fn coding(
    At { value: entry, position }: &At<CodingEntry>,
    radio: bool,
    geometry: bool,
    notes: &mut Notes,
) -> Option<Coding> {
    let name = notes.need_read(&entry.code, *position, "code: concatenated");
    let interleaving = interleaving(entry, notes);
    let eb_n0_db = notes.read_opt(&entry.eb_n0).map(|eb_n0| eb_n0.map(Decibels::db));
    if entry.eb_n0.is_none() && !radio {
        let help = "write `eb_n0: 3 dB`, or give the channel a `radio` from which it follows";
        notes.error(*position, "nothing says how well the signal arrives", help);
        return None;
    }
    let scintillation = match &entry.scintillation {
        Some(entry) => Some(scintillation(entry, geometry, notes)?),
        None => None,
    };
    let interleaving = interleaving?;
    let code = match name?.0 {
        CodeName::Uncoded => Code::Uncoded,
        CodeName::Convolutional => Code::Convolutional,
        CodeName::ReedSolomon => Code::ReedSolomon { interleaving },
        CodeName::Concatenated => Code::Concatenated { interleaving },
        CodeName::Ldpc1024 => Code::Ldpc1024,
        CodeName::Ldpc4096 => Code::Ldpc4096,
        CodeName::Turbo1784 => Code::Turbo1784,
    };
    if let (Some(text), false) =
        (&entry.interleaving, matches!(code, Code::ReedSolomon { .. } | Code::Concatenated { .. }))
    {
        notes.error(
            text.position,
            "this code interleaves nothing",
            "remove `interleaving`, or take a Reed–Solomon code",
        );
    }
    Some(Coding { code, eb_n0_db: eb_n0_db?, scintillation })
}

/// Words that are interleaved: CCSDS 131.0-B allows 1, 2, 3, 4, 5 and 8.
fn interleaving(entry: &CodingEntry, notes: &mut Notes) -> Option<u8> {
    let Count(words) = notes.read_or(&entry.interleaving, Count(5))?;
    if let (false, Some(text)) = ((1..=8).contains(&words), &entry.interleaving) {
        notes.error(text.position, format!("{words} words cannot be interleaved"), "from 1 to 8");
        return None;
    }
    u8::try_from(words).ok()
}

fn scintillation(
    At { value: entry, position }: &At<ScintillationEntry>,
    geometry: bool,
    notes: &mut Notes,
) -> Option<Scintillation> {
    let depth = match (&entry.band, &entry.index) {
        (Some(band), None) if !geometry => {
            let help =
                "give the link `visibility` instead of a distance, or write `index: 0.3` here for a constant depth";
            notes.error(band.position, "without the places of both ends nobody knows where the Sun stands", help);
            None
        }
        (Some(band), None) => notes.read(band).map(|band| Depth::Sun(band.0)),
        (None, Some(index)) => notes.read(index).map(|index| Depth::Index(index.get())),
        (None, None) => {
            notes.error(*position, "nothing says how deep the signal fades", "write `band: x`, or `index: 0.3`");
            None
        }
        (Some(_), Some(index)) => {
            let help = "keep `band` to follow the Sun, or `index` for a constant depth";
            notes.error(index.position, "`index` and `band` exclude each other", help);
            None
        }
    };
    let fading = notes.read_or(&entry.fading, Choice(Fading::Rician));
    let correlation_time = notes.read_or(&entry.correlation_time, Duration::from_millis(200));
    if let (Some(time), Some(text)) = (correlation_time, &entry.correlation_time)
        && !CORRELATION_TIMES.contains(&time)
    {
        notes.error(text.position, format!("a correlation time of {time} is out of range"), "from 1 ms to 1 h");
        return None;
    }
    Some(Scintillation { depth: depth?, fading: fading?.0, correlation_time: correlation_time? })
}
