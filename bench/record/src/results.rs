//! Results: what a run comes to, for people's scripts (JSON) and for build servers (JUnit).

mod junit;

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

pub use junit::write_junit;

use crate::LossCause;
use crate::counters::{DelayCounters, DelaySum, Tally};
use crate::instrument::Snapshot;

/// What a run comes to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// Version of Farlink that ran.
    pub farlink: String,
    /// Name of the scenario.
    pub scenario: String,
    /// Seed of every random draw.
    pub seed: u64,
    /// The UTC instant that time zero stands for, in ISO 8601.
    pub epoch: String,
    /// The clock that drove the run: `virtual`, `wall` or `wall:<speed>`.
    pub clock: String,
    /// Whether the run was stopped before the scenario's end.
    pub interrupted: bool,
    /// When the run ended, in nanoseconds since the epoch.
    pub ended_at_ns: i64,
    /// SHA-256 of the recording, in hex.
    pub recording_sha256: String,
    /// How many events the recording holds.
    pub recording_events: u64,
    /// Everything that was judged.
    pub cases: Vec<Case>,
    /// Every channel, in the order of the scenario.
    pub channels: Vec<ChannelResult>,
    /// Every item of the traffic, in the order of the scenario.
    pub traffic: Vec<TrafficResult>,
    /// How late the wall clock was; `None` with the virtual clock, which never is.
    pub timing: Option<Timing>,
    /// The state of the emulator at its end; `None` for a run without real ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emulator: Option<Snapshot>,
}

/// One thing judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Its id, unique within the suite.
    pub id: String,
    /// The suite it belongs to.
    pub suite: String,
    /// How it came out.
    pub verdict: Verdict,
    /// What was expected and what came; for a skipped case, why.
    pub message: String,
    /// When it was decided, in nanoseconds since the epoch.
    pub at_ns: Option<i64>,
}

/// How a case came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// What was expected came. The only verdict that counts as met.
    Pass,
    /// Something else came.
    Fail,
    /// What came decides nothing.
    Inconclusive,
    /// Nothing came in time.
    Timeout,
    /// The node under test says that it cannot do this.
    Unsupported,
    /// Not tried, for the reason that the message gives.
    Skipped,
    /// The bench itself could not do its part.
    BenchError,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Verdict; 7] = [
        Verdict::Pass,
        Verdict::Fail,
        Verdict::Inconclusive,
        Verdict::Timeout,
        Verdict::Unsupported,
        Verdict::Skipped,
        Verdict::BenchError,
    ];

    /// As JSON and JUnit write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Timeout => "timeout",
            Verdict::Unsupported => "unsupported",
            Verdict::Skipped => "skipped",
            Verdict::BenchError => "bench-error",
        }
    }

    /// Whether the expectation was met.
    pub const fn is_met(self) -> bool {
        matches!(self, Verdict::Pass)
    }
}

/// What one channel took in, delivered and lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelResult {
    /// Its name.
    pub name: String,
    /// The link that it belongs to.
    pub link: String,
    /// What the node gave it.
    pub sent: Tally,
    /// Copies of frames that faults made.
    #[serde(default)]
    pub copied: Tally,
    /// What reached the other node, damaged or not.
    pub delivered: Tally,
    /// The part of `delivered` in which bits were flipped.
    pub delivered_damaged: Tally,
    /// What was lost, by cause.
    pub lost: BTreeMap<LossCause, Tally>,
    /// What was still on its way when the run ended.
    pub in_flight: Tally,
    /// Where the time of what was delivered went; `None` if nothing was.
    #[serde(default)]
    pub delays: Option<DelayResult>,
    /// Whether sent = delivered + lost + in flight. If not, the bench has lost count and nothing else here can be trusted.
    pub balanced: bool,
}

/// Mean and longest of one part of the delay, over the delivered frames of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelayPart {
    /// The mean in nanoseconds, rounded down.
    pub mean_ns: i64,
    /// The longest in nanoseconds.
    pub max_ns: i64,
}

/// The parts of the delay of delivered frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelayResult {
    /// Waiting for the transmitter, until the first bit leaves.
    pub queueing: DelayPart,
    /// Length over data rate, until the last bit has left.
    pub serialisation: DelayPart,
    /// Light time, until the last bit arrives; through a radio, until the receiver has decoded it.
    pub propagation: DelayPart,
}

impl DelayResult {
    /// What delays come to; `None` if no frame told any.
    pub fn new(counters: &DelayCounters) -> Option<Self> {
        let part = |sum: &DelaySum| {
            let mean = sum.total_ns.checked_div(i128::from(counters.frames))?;
            Some(DelayPart { mean_ns: i64::try_from(mean).unwrap_or(i64::MAX), max_ns: sum.max_ns })
        };
        Some(DelayResult {
            queueing: part(&counters.queueing)?,
            serialisation: part(&counters.serialisation)?,
            propagation: part(&counters.propagation)?,
        })
    }
}

/// What became of one item of the traffic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficResult {
    /// Its name.
    pub name: String,
    /// Who sent.
    pub from: String,
    /// Who was to receive.
    pub to: String,
    /// Size of the application data in bytes.
    pub bytes: u64,
    /// SHA-256 of what was sent, in hex.
    pub sha256_sent: String,
    /// SHA-256 of what arrived, in hex; `None` if it did not.
    pub sha256_received: Option<String>,
    /// Whether it arrived as it was sent.
    pub intact: bool,
    /// When it was sent, in nanoseconds since the epoch.
    pub started_ns: i64,
    /// When the last byte had arrived, in nanoseconds since the epoch.
    pub arrived_ns: Option<i64>,
    /// Where what arrived was put, as a path relative to the run's folder.
    pub file: Option<String>,
    /// The status reports that came back, in words.
    pub reports: Vec<String>,
}

/// How late the wall clock driver acted, over all it had to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// Half of all acts were at most this late, in nanoseconds.
    pub p50_ns: u64,
    /// 99 of 100 were at most this late.
    pub p99_ns: u64,
    /// 999 of 1000 were at most this late.
    pub p999_ns: u64,
    /// The latest.
    pub max_ns: u64,
    /// How many were measured.
    pub samples: u64,
}

impl Results {
    /// What the program shall exit with.
    ///
    /// 0 if there is a case and every case passed; 2 if the bench could not do its part: a bench error, a run that was
    /// interrupted, a channel that has lost count; otherwise 1.
    pub fn exit_code(&self) -> u8 {
        let bench_failed = self.interrupted
            || self.cases.iter().any(|case| case.verdict == Verdict::BenchError)
            || self.channels.iter().any(|channel| !channel.balanced);
        if bench_failed {
            2
        } else if !self.cases.is_empty() && self.cases.iter().all(|case| case.verdict.is_met()) {
            0
        } else {
            1
        }
    }

    /// How many cases came out so.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.cases.iter().filter(|case| case.verdict == verdict).count()
    }
}

/// Writes the results as indented JSON with a line feed at the end.
///
/// # Errors
/// Whatever the writer reports.
pub fn write_json(results: &Results, mut out: impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut out, results)?;
    out.write_all(b"\n")?;
    out.flush()
}
