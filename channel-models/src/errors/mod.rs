//! Which bits and frames of a channel arrive wrong, or not at all.
//!
//! [`Errors`] is told when a frame leaves and how many bits it has, and answers which of them flip, or that the frame is
//! erased. What happens is said by [`ErrorModel`]s: one, or several at once. Equal models, seeds and frames give equal answers.
//!
//! The cost follows the errors, not the bits: every process draws how far it is to the next event and skips there. Processes on
//! bits see one stream that runs on from frame to frame, so how it is cut into frames makes no difference; a code keeps its
//! blocks in step with that stream. Processes on frames see frames.
//!
//! Where a probability changes with time it is held level in cells of time so short that it hardly moves in them (0.02 dB of
//! Eb/N0, 5 % of a bit error ratio, an eighth of the correlation time of a fade). Cells belong to the series, not to the
//! frames. Instants are those at which bits leave the transmitter; the bits of a frame are spread evenly between its first and
//! its last.

mod bursts;
mod coded;
pub mod codes;
mod fading;
mod frames;
mod independent;
mod skip;
mod spans;
mod trace;

use farlink_units::Instant;
use thiserror::Error;

use crate::series::Series;
use bursts::GilbertElliott;
use coded::{BurstyDecoder, Conditions, Decoder};
use frames::FrameErasures;
use independent::Varying;
use skip::{Draws, Skip};
use trace::Replay;

pub use bursts::Bursts;
pub use codes::Code;
pub use fading::{Band, Fading, Scintillation, scintillation_index};
pub use frames::Erasures;
pub use trace::{Trace, TraceError};

/// What a process does to a channel.
#[derive(Clone, Debug, PartialEq)]
pub enum ErrorModel {
    /// Every bit flips with this probability, from 0 to 1, whatever the others do.
    Independent {
        /// Bit error ratio.
        ber: f64,
    },
    /// As above, with a ratio that changes.
    Varying {
        /// Decimal logarithm of the bit error ratio, at most 0.
        log10_ber: Series,
    },
    /// Bursts of errors.
    Bursts(Bursts),
    /// What is left after decoding.
    Coded {
        /// The code.
        code: Code,
        /// Eb/N0 at the decoder in dB, for a bit of user data.
        eb_n0_db: Series,
        /// What makes the signal fade on top of that.
        scintillation: Option<Scintillation>,
    },
    /// Frames that do not arrive at all.
    Erasures(Erasures),
    /// What a recorded trace tells.
    Recorded(Trace),
}

/// Why a model cannot be used.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ErrorModelError {
    /// A number is not in its range.
    #[error("{what} is {value}: it is {range}")]
    OutOfRange {
        /// What it is, in words.
        what: &'static str,
        /// What was given.
        value: f64,
        /// What would be right, in words.
        range: &'static str,
    },
}

/// Refuses a number that is not in its range; no number is never in it.
fn within(
    what: &'static str,
    value: f64,
    range: impl std::ops::RangeBounds<f64>,
    words: &'static str,
) -> Result<f64, ErrorModelError> {
    if range.contains(&value) { Ok(value) } else { Err(ErrorModelError::OutOfRange { what, value, range: words }) }
}

/// A frame as it leaves the transmitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Airtime {
    /// When its first bit begins to leave.
    pub start: Instant,
    /// When its last bit has left.
    pub end: Instant,
    /// How many bits it has, with what the link layer adds.
    pub bits: u64,
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Passage {
    /// It arrives, with the flips that were told.
    Carried,
    /// Nothing of it arrives.
    Erased,
}

#[expect(clippy::large_enum_variant, reason = "the large one is the one that most channels have, and the fastest")]
#[derive(Clone, Debug)]
enum Process {
    Independent(Skip),
    Varying(Box<Varying>),
    Bursts(Box<GilbertElliott>),
    Blocks(Box<Decoder>),
    BurstyDecoder(Box<BurstyDecoder>),
    Frames(Box<FrameErasures>),
    Replay(Replay),
}

/// The errors of one channel.
#[derive(Clone, Debug)]
pub struct Errors {
    processes: Vec<Process>,
    /// What one process flips, where there are several.
    own: Vec<u64>,
}

impl Errors {
    /// No errors at all.
    pub fn none() -> Self {
        Errors { processes: Vec::new(), own: Vec::new() }
    }

    /// The errors that these models make together: a bit that two of them flip is right again.
    ///
    /// # Errors
    /// A number of a model is out of range.
    pub fn new(models: &[ErrorModel], seed: u64) -> Result<Self, ErrorModelError> {
        let processes = models
            .iter()
            .enumerate()
            // Models in one list draw different numbers; the first draws those of the seed itself.
            .map(|(index, model)| process(model, seed.wrapping_add((index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))))
            .collect::<Result<_, _>>()?;
        Ok(Errors { processes, own: Vec::new() })
    }

    /// Every bit flips with probability `ber`, whatever the others do.
    ///
    /// # Panics
    /// Unless `ber` is from 0 to 1.
    pub fn independent(ber: f64, seed: u64) -> Self {
        Errors::new(&[ErrorModel::Independent { ber }], seed).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Takes the next frame. Writes to `flips` which of its bits flip: positions from 0, rising; `flips` is emptied first.
    pub fn strike(&mut self, frame: &Airtime, flips: &mut Vec<u64>) -> Passage {
        flips.clear();
        if let [process] = &mut self.processes[..] {
            return process.strike(frame, flips);
        }
        let mut passage = Passage::Carried;
        for process in &mut self.processes {
            self.own.clear();
            if process.strike(frame, &mut self.own) == Passage::Erased {
                passage = Passage::Erased;
            }
            flips.append(&mut self.own);
        }
        flips.sort_unstable();
        drop_pairs(flips);
        passage
    }
}

/// Removes what stands twice, both times.
fn drop_pairs(sorted: &mut Vec<u64>) {
    let mut kept = 0;
    let mut at = 0;
    while at < sorted.len() {
        let run = sorted[at..].iter().take_while(|position| **position == sorted[at]).count();
        if run % 2 == 1 {
            sorted[kept] = sorted[at];
            kept += 1;
        }
        at += run;
    }
    sorted.truncate(kept);
}

fn process(model: &ErrorModel, seed: u64) -> Result<Process, ErrorModelError> {
    let draws = Draws::new(seed);
    Ok(match model {
        ErrorModel::Independent { ber } => {
            Process::Independent(Skip::new(within("a bit error ratio", *ber, 0.0..=1.0, "from 0 to 1")?, draws))
        }
        ErrorModel::Varying { log10_ber } => {
            for (_, value) in log10_ber.knots() {
                within("the logarithm of a bit error ratio", *value, ..=0.0, "at most 0")?;
            }
            Process::Varying(Box::new(Varying::log10(log10_ber.clone(), draws)))
        }
        ErrorModel::Bursts(bursts) => Process::Bursts(Box::new(GilbertElliott::new(bursts, draws)?)),
        ErrorModel::Coded { code, eb_n0_db, scintillation } => {
            let conditions = Conditions::new(eb_n0_db.clone(), scintillation.clone(), seed)?;
            code.check()?;
            match code {
                Code::Uncoded => Process::Varying(Box::new(Varying::uncoded(conditions, draws))),
                Code::Convolutional => Process::BurstyDecoder(Box::new(BurstyDecoder::new(conditions, draws))),
                block => Process::Blocks(Box::new(Decoder::new(block.block_code(), conditions, draws))),
            }
        }
        ErrorModel::Erasures(erasures) => Process::Frames(Box::new(FrameErasures::new(erasures, draws)?)),
        ErrorModel::Recorded(trace) => Process::Replay(Replay::new(trace.clone())),
    })
}

impl Process {
    #[inline]
    fn strike(&mut self, frame: &Airtime, flips: &mut Vec<u64>) -> Passage {
        match self {
            Process::Independent(skip) => skip.take(frame.bits, |position| flips.push(position)),
            Process::Varying(varying) => varying.strike(frame, flips),
            Process::Bursts(bursts) => bursts.take(0, frame.bits, flips),
            Process::Blocks(decoder) => decoder.strike(frame, flips),
            Process::BurstyDecoder(decoder) => decoder.strike(frame, flips),
            Process::Frames(frames) => return frames.strike(),
            Process::Replay(replay) => return replay.strike(frame, flips),
        }
        Passage::Carried
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_twice_goes() {
        let mut list = vec![1, 1, 2, 3, 3, 3, 4, 4, 4, 4, 9];
        drop_pairs(&mut list);
        assert_eq!(list, [2, 3, 9]);
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        for ber in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            let error = Errors::new(&[ErrorModel::Independent { ber }], 0).unwrap_err();
            assert!(error.to_string().starts_with("a bit error ratio is "), "{error}");
        }
        let model = ErrorModel::Varying { log10_ber: Series::constant(0.5) };
        assert!(Errors::new(&[model], 0).unwrap_err().to_string().contains("at most 0"));
    }
}
