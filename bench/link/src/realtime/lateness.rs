//! How late frames left, and why.

use farlink_record::instrument::{LateCause, Lateness};
use farlink_record::results::Timing;
use farlink_units::Duration;
use hdrhistogram::Histogram;

/// The longest lateness that is told apart from longer ones: an hour.
const LONGEST_NS: u64 = 3_600_000_000_000;

/// Gathers how late things happened.
#[derive(Clone, Debug)]
pub struct LatenessMeter(Histogram<u64>);

impl Default for LatenessMeter {
    fn default() -> Self {
        // With bounds: one that grows by itself takes nothing beyond what it has when it is told to saturate.
        LatenessMeter(
            Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("the bounds are in order, and three digits fit"),
        )
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_is_read_as_it_was() {
        let mut meter = LatenessMeter::default();
        for us in 1..=1000 {
            meter.record(Duration::from_nanos(us * 1000));
        }
        meter.record(Duration::from_nanos(-5));
        meter.record(Duration::from_secs(90_000));
        let Timing { p50_ns, p99_ns, max_ns, samples, .. } = meter.read();
        let near = |read: u64, is: u64| read.abs_diff(is) <= is / 100;
        assert!(near(p50_ns, 500_000) && near(p99_ns, 991_000), "{p50_ns} {p99_ns}");
        assert!(near(max_ns, LONGEST_NS), "{max_ns}");
        assert_eq!(samples, 1002);
    }
}
