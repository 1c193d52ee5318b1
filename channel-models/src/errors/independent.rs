//! Bits that flip on their own, with a probability that changes.

use farlink_units::Instant;

use super::coded::Conditions;
use super::skip::{Draws, Skip};
use super::spans::spans;
use super::{Airtime, codes};
use crate::series::Series;

/// How far the logarithm of a bit error ratio may move while it is held level: 5 % of the ratio.
const LOG10_RESOLUTION: f64 = 0.02;

#[derive(Clone, Debug)]
enum Source {
    Log10(Series),
    Uncoded(Conditions),
}

impl Source {
    /// What holds at an instant, as the logarithm of the ratio or as Eb/N0, and until when.
    fn at(&mut self, at: Instant) -> (f64, Instant) {
        match self {
            Source::Log10(series) => {
                let cell = series.cell(at, LOG10_RESOLUTION);
                (cell.value, cell.end)
            }
            Source::Uncoded(conditions) => conditions.at(at),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Varying {
    source: Source,
    /// What `skip` is set for: the ratio is worked out when that changes, not for every frame.
    set_for: f64,
    skip: Skip,
}

impl Varying {
    pub(super) fn log10(log10_ber: Series, draws: Draws) -> Self {
        Varying { source: Source::Log10(log10_ber), set_for: f64::NAN, skip: Skip::new(0.0, draws) }
    }

    pub(super) fn uncoded(conditions: Conditions, draws: Draws) -> Self {
        Varying { source: Source::Uncoded(conditions), set_for: f64::NAN, skip: Skip::new(0.0, draws) }
    }

    pub(super) fn strike(&mut self, frame: &Airtime, flips: &mut Vec<u64>) {
        let Varying { source, set_for, skip } = self;
        let ratio: fn(f64) -> f64 = match source {
            Source::Log10(_) => |log10| 10f64.powf(log10),
            Source::Uncoded(_) => codes::uncoded_ber,
        };
        spans(
            frame,
            |at| source.at(at),
            |level, from, to| {
                if level != *set_for {
                    *set_for = level;
                    skip.set_probability(ratio(level));
                }
                skip.take(to - from, |position| flips.push(from + position));
            },
        );
    }
}
