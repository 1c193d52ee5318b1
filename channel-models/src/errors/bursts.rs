//! Bursts of errors: the channel of Gilbert and Elliott.

use super::skip::{Draws, Skip, hazard};
use super::{ErrorModelError, within};

/// A channel with two states. Each lasts for a geometric number of bits; the bits in it flip independently.
///
/// (E. N. Gilbert, Bell System Technical Journal 39, 1960; E. O. Elliott, same, 42, 1963.) The mean bit error ratio is that of
/// both states, weighted with their mean lengths.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bursts {
    /// Mean length of a burst in bits, at least 1.
    pub mean_burst_bits: f64,
    /// Mean number of bits from the end of a burst to the start of the next, at least 1.
    pub mean_gap_bits: f64,
    /// Bit error ratio in a burst, from 0 to 1.
    pub ber_in_burst: f64,
    /// Bit error ratio between bursts, from 0 to 1.
    pub ber_in_gap: f64,
}

impl Bursts {
    /// The bit error ratio over all.
    pub fn mean_ber(&self) -> f64 {
        let errors = self.mean_burst_bits * self.ber_in_burst + self.mean_gap_bits * self.ber_in_gap;
        errors / (self.mean_burst_bits + self.mean_gap_bits)
    }
}

/// Two states that take turns, each for a geometric number of steps.
#[derive(Clone, Debug)]
pub(super) struct Sojourns {
    draws: Draws,
    burst_hazard: f64,
    gap_hazard: f64,
    in_burst: bool,
    /// Steps left in this state.
    left: u128,
}

impl Sojourns {
    /// Begins in either state as often as that state is met. Means are at least 1.
    pub(super) fn new(mean_burst: f64, mean_gap: f64, mut draws: Draws) -> Self {
        let in_burst = draws.happens(mean_burst / (mean_burst + mean_gap));
        let (burst_hazard, gap_hazard) = (hazard(1.0 / mean_burst), hazard(1.0 / mean_gap));
        let mut sojourns = Sojourns { draws, burst_hazard, gap_hazard, in_burst, left: 0 };
        sojourns.left = sojourns.length();
        sojourns
    }

    fn length(&mut self) -> u128 {
        let hazard = if self.in_burst { self.burst_hazard } else { self.gap_hazard };
        self.draws.failures(hazard).saturating_add(1)
    }

    /// Gives what is to come other mean lengths. What has begun is drawn anew from here: its law does not remember.
    fn set(&mut self, mean_burst: f64, mean_gap: f64) {
        let hazards = (hazard(1.0 / mean_burst), hazard(1.0 / mean_gap));
        let same = if self.in_burst { hazards.0 == self.burst_hazard } else { hazards.1 == self.gap_hazard };
        (self.burst_hazard, self.gap_hazard) = hazards;
        if !same {
            self.left = self.length();
        }
    }

    /// Takes the next `steps`: which state they are in, from which to which.
    pub(super) fn take(&mut self, steps: u64, mut stretch: impl FnMut(bool, u64, u64)) {
        let mut at = 0;
        while at < steps {
            let taken = self.left.min(u128::from(steps - at)) as u64;
            stretch(self.in_burst, at, at + taken);
            self.left -= u128::from(taken);
            at += taken;
            if self.left == 0 {
                self.in_burst = !self.in_burst;
                self.left = self.length();
            }
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct GilbertElliott {
    sojourns: Sojourns,
    burst: Skip,
    gap: Skip,
}

impl GilbertElliott {
    pub(super) fn new(bursts: &Bursts, mut draws: Draws) -> Result<Self, ErrorModelError> {
        let length = "a number of bits from 1 to 1e18";
        let ratio = "from 0 to 1";
        within("the mean length of a burst", bursts.mean_burst_bits, 1.0..=1e18, length)?;
        within("the mean length of a gap", bursts.mean_gap_bits, 1.0..=1e18, length)?;
        within("the bit error ratio in a burst", bursts.ber_in_burst, 0.0..=1.0, ratio)?;
        within("the bit error ratio in a gap", bursts.ber_in_gap, 0.0..=1.0, ratio)?;
        let burst = Skip::new(bursts.ber_in_burst, draws.split());
        let gap = Skip::new(bursts.ber_in_gap, draws.split());
        let sojourns = Sojourns::new(bursts.mean_burst_bits, bursts.mean_gap_bits, draws);
        Ok(GilbertElliott { sojourns, burst, gap })
    }

    /// In a gap without end, until it is set to something else.
    pub(super) fn to_be_set(mut draws: Draws) -> Self {
        let (burst, gap) = (Skip::new(0.0, draws.split()), Skip::new(0.0, draws.split()));
        GilbertElliott { sojourns: Sojourns::new(1.0, f64::INFINITY, draws), burst, gap }
    }

    /// Gives the bits to come other statistics.
    pub(super) fn set(&mut self, bursts: &Bursts) {
        self.sojourns.set(bursts.mean_burst_bits, bursts.mean_gap_bits);
        self.burst.set_probability(bursts.ber_in_burst);
        self.gap.set_probability(bursts.ber_in_gap);
    }

    /// Takes the bits from `from` to `to` of a frame.
    pub(super) fn take(&mut self, from: u64, to: u64, flips: &mut Vec<u64>) {
        let GilbertElliott { sojourns, burst, gap } = self;
        sojourns.take(to - from, |in_burst, start, end| {
            let skip = if in_burst { &mut *burst } else { &mut *gap };
            skip.take(end - start, |position| flips.push(from + start + position));
        });
    }
}
