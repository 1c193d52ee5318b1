//! How late frames left, and why.

use farlink_record::instrument::{LateCause, Lateness};
use farlink_record::results::Timing;
use farlink_units::Duration;
use hdrhistogram::Histogram;

/// Gathers how late things happened.
#[derive(Clone, Debug)]
pub struct LatenessMeter(Histogram<u64>);

impl Default for LatenessMeter {
    fn default() -> Self {
        LatenessMeter(Histogram::new(3).expect("three significant digits are within the histogram's range"))
    }
}

impl LatenessMeter {
    /// Adds one.
    pub fn record(&mut self, late: Duration) {
        self.0.saturating_record(u64::try_from(late.as_nanos()).unwrap_or(0));
    }

    /// What they come to.
    pub fn read(&self) -> Timing {
        let at = |quantile| self.0.value_at_quantile(quantile);
        Timing { p50_ns: at(0.5), p99_ns: at(0.99), p999_ns: at(0.999), max_ns: self.0.max(), samples: self.0.len() }
    }
}

/// Why frames were late, counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Causes([(u64, u64); Lateness::ALL.len()]);

impl Causes {
    /// Notes the cause of a frame that was late enough to ask.
    pub(super) fn note(&mut self, cause: Lateness, late: Duration) {
        let (frames, max_ns) = &mut self.0[cause as usize];
        *frames += 1;
        *max_ns = (*max_ns).max(u64::try_from(late.as_nanos()).unwrap_or(0));
    }

    /// Those that struck.
    pub(super) fn read(&self) -> Vec<LateCause> {
        let all = Lateness::ALL.into_iter().map(|cause| (cause, self.0[cause as usize]));
        all.filter(|(_, (frames, _))| *frames > 0)
            .map(|(cause, (frames, max_ns))| LateCause { cause, frames, max_ns })
            .collect()
    }
}
