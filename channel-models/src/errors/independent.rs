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
    fn at(&mut self, at: Instant) -> (f64, Instant) {
        match self {
            Source::Log10(series) => {
                let cell = series.cell(at, LOG10_RESOLUTION);
                (10f64.powf(cell.value), cell.end)
            }
            Source::Uncoded(conditions) => {
                let (eb_n0_db, end) = conditions.at(at);
                (codes::uncoded_ber(eb_n0_db), end)
            }
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Varying {
    source: Source,
    skip: Skip,
}

impl Varying {
    pub(super) fn log10(log10_ber: Series, draws: Draws) -> Self {
        Varying { source: Source::Log10(log10_ber), skip: Skip::new(0.0, draws) }
    }

    pub(super) fn uncoded(conditions: Conditions, draws: Draws) -> Self {
        Varying { source: Source::Uncoded(conditions), skip: Skip::new(0.0, draws) }
    }

    pub(super) fn strike(&mut self, frame: &Airtime, flips: &mut Vec<u64>) {
        let Varying { source, skip } = self;
        spans(
            frame,
            |at| source.at(at),
            |ber, from, to| {
                skip.set_probability(ber);
                skip.take(to - from, |position| flips.push(from + position));
            },
        );
    }
}
