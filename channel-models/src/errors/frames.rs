//! Frames that do not arrive.

use super::bursts::Sojourns;
use super::skip::{Draws, Skip};
use super::{ErrorModelError, Passage, within};

/// How whole frames are lost, counted in frames whatever their length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Erasures {
    /// Each frame with this probability, from 0 to 1, whatever becomes of the others.
    Independent {
        /// The probability.
        probability: f64,
    },
    /// All frames of a burst, none between bursts. Bursts and gaps last for a geometric number of frames.
    Bursts {
        /// Mean number of frames in a burst, at least 1.
        mean_burst_frames: f64,
        /// Mean number of frames between bursts, at least 1.
        mean_gap_frames: f64,
    },
}

#[derive(Clone, Debug)]
pub(super) enum FrameErasures {
    Independent(Skip),
    Bursts(Sojourns),
}

impl FrameErasures {
    pub(super) fn new(erasures: &Erasures, draws: Draws) -> Result<Self, ErrorModelError> {
        Ok(match *erasures {
            Erasures::Independent { probability } => {
                within("the probability of an erasure", probability, 0.0..=1.0, "from 0 to 1")?;
                FrameErasures::Independent(Skip::new(probability, draws))
            }
            Erasures::Bursts { mean_burst_frames, mean_gap_frames } => {
                let range = "a number of frames from 1 to 1e18";
                within("the mean length of a burst", mean_burst_frames, 1.0..=1e18, range)?;
                within("the mean length of a gap", mean_gap_frames, 1.0..=1e18, range)?;
                FrameErasures::Bursts(Sojourns::new(mean_burst_frames, mean_gap_frames, draws))
            }
        })
    }

    pub(super) fn strike(&mut self) -> Passage {
        let mut erased = false;
        match self {
            FrameErasures::Independent(skip) => skip.take(1, |_| erased = true),
            FrameErasures::Bursts(sojourns) => sojourns.take(1, |in_burst, _, _| erased = in_burst),
        }
        if erased { Passage::Erased } else { Passage::Carried }
    }
}
