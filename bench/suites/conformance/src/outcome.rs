//! How a case came out.

use serde::{Deserialize, Serialize};

use crate::catalogue::Grade;

/// How a case came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// What is required was seen.
    Pass,
    /// Something was seen that is worth writing down, and counts for nothing.
    Inform,
    /// Something recommended is not done.
    Warn,
    /// Something else than what is required was seen.
    Fail,
    /// What is required did not come in time.
    Timeout,
    /// The node ended.
    Crash,
    /// The node runs and no longer answers what it answered before.
    Hang,
    /// What was seen decides nothing, as when the bench's own timing was off.
    Inconclusive,
    /// The node says that it cannot do this.
    Unsupported,
    /// Not tried, for a reason that is given.
    Skipped,
    /// The bench could not do its part.
    BenchError,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Outcome; 11] = [
        Outcome::Pass,
        Outcome::Inform,
        Outcome::Warn,
        Outcome::Fail,
        Outcome::Timeout,
        Outcome::Crash,
        Outcome::Hang,
        Outcome::Inconclusive,
        Outcome::Unsupported,
        Outcome::Skipped,
        Outcome::BenchError,
    ];

    /// As results write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Pass => "pass",
            Outcome::Inform => "inform",
            Outcome::Warn => "warn",
            Outcome::Fail => "fail",
            Outcome::Timeout => "timeout",
            Outcome::Crash => "crash",
            Outcome::Hang => "hang",
            Outcome::Inconclusive => "inconclusive",
            Outcome::Unsupported => "unsupported",
            Outcome::Skipped => "skipped",
            Outcome::BenchError => "bench-error",
        }
    }

    /// Whether the node has failed the case. `strict` counts what is only recommended.
    pub const fn is_failure(self, strict: bool) -> bool {
        match self {
            Outcome::Fail | Outcome::Timeout | Outcome::Crash | Outcome::Hang => true,
            Outcome::Warn => strict,
            _ => false,
        }
    }

    /// Whether the case says that the node does what is required. `strict` counts what is only recommended.
    pub const fn is_met(self, strict: bool) -> bool {
        match self {
            Outcome::Pass | Outcome::Inform => true,
            Outcome::Warn => !strict,
            _ => false,
        }
    }
}

/// Why a case did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of finding.
    pub kind: Kind,
    /// What was expected.
    pub expected: String,
    /// What was seen instead; for what was not tried, why.
    pub actual: String,
}

/// What kind of finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something else was seen. The grade is at most this; the catalogue's may be lighter.
    Deviation(Grade),
    /// Nothing was seen in time.
    Silence,
    /// The node ended.
    Ended,
    /// What was seen decides nothing.
    Inconclusive,
    /// The node, or its description, does not offer what the case needs.
    Unsupported,
    /// The bench could not do its part.
    BenchError,
}

impl Finding {
    /// Something else was seen than what is required.
    pub fn deviation(expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Finding { kind: Kind::Deviation(Grade::Fail), expected: expected.into(), actual: actual.into() }
    }

    /// Something was not as recommended.
    pub fn warning(expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Finding { kind: Kind::Deviation(Grade::Warn), expected: expected.into(), actual: actual.into() }
    }

    /// Something is worth writing down.
    pub fn remark(expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Finding { kind: Kind::Deviation(Grade::Inform), expected: expected.into(), actual: actual.into() }
    }

    /// What was expected did not come in time.
    pub fn silence(expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Finding { kind: Kind::Silence, expected: expected.into(), actual: actual.into() }
    }

    /// What was seen decides nothing.
    pub fn inconclusive(expected: impl Into<String>, why: impl Into<String>) -> Self {
        Finding { kind: Kind::Inconclusive, expected: expected.into(), actual: why.into() }
    }

    /// The node cannot do what the case needs.
    pub fn unsupported(why: impl Into<String>) -> Self {
        Finding { kind: Kind::Unsupported, expected: String::new(), actual: why.into() }
    }

    /// The bench cannot do what the case needs.
    pub fn bench_error(why: impl Into<String>) -> Self {
        Finding { kind: Kind::BenchError, expected: String::new(), actual: why.into() }
    }

    /// The same, counting at most this much.
    #[must_use]
    pub fn at_most(mut self, grade: Grade) -> Self {
        match self.kind {
            Kind::Deviation(told) => self.kind = Kind::Deviation(told.min(grade)),
            Kind::Silence if grade < Grade::Fail => self.kind = Kind::Deviation(grade),
            _ => {}
        }
        self
    }

    /// Whether it is a deviation that counts less than a failure.
    pub fn is_light(&self) -> bool {
        matches!(self.kind, Kind::Deviation(told) if told < Grade::Fail)
    }

    /// How a case comes out that ends with this, where a deviation counts at most `worst`.
    pub fn outcome(&self, worst: Grade) -> Outcome {
        match (self.kind, worst) {
            (Kind::Deviation(told), _) => match told.min(worst) {
                Grade::Inform => Outcome::Inform,
                Grade::Warn => Outcome::Warn,
                Grade::Fail => Outcome::Fail,
            },
            (Kind::Silence, Grade::Fail) => Outcome::Timeout,
            (Kind::Silence, Grade::Warn) => Outcome::Warn,
            (Kind::Silence, Grade::Inform) => Outcome::Inform,
            (Kind::Ended, _) => Outcome::Crash,
            (Kind::Inconclusive, _) => Outcome::Inconclusive,
            (Kind::Unsupported, _) => Outcome::Unsupported,
            (Kind::BenchError, _) => Outcome::BenchError,
        }
    }
}
