//! One contact of a plan.

use std::fmt;

use farlink_units::{Instant, Ratio};

use crate::{LightTime, NodeId, Steps};

/// How fast a contact carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rate {
    /// So many bits per second. At 0 nothing is carried.
    Limited(u64),
    /// As fast as one likes, or nobody told.
    Unlimited,
}

impl Rate {
    /// Bits per second; `None` where nothing limits.
    pub const fn bps(self) -> Option<u64> {
        match self {
            Rate::Limited(bps) => Some(bps),
            Rate::Unlimited => None,
        }
    }
}

impl fmt::Display for Rate {
    /// `256 kbit/s`, or `unlimited`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rate::Unlimited => f.pad("unlimited"),
            Rate::Limited(bps) => match farlink_units::BitRate::from_bps(*bps) {
                Some(rate) => f.pad(&rate.to_string()),
                None => f.pad("0 bit/s"),
            },
        }
    }
}

/// A span of time in which one node can send to another. The way back is a contact of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Contact {
    /// Who sends.
    pub from: NodeId,
    /// Who receives.
    pub to: NodeId,
    /// When transmission can begin, at the sender.
    pub start: Instant,
    /// When the last bit must have left the sender. [`Instant::MAX`] stands for a contact that does not end.
    pub end: Instant,
    /// How fast, in bits per second.
    pub rate: Steps<Rate>,
    /// One-way light time by instant of emission.
    pub light_time: LightTime,
    /// Bit error ratio after decoding, if it is known.
    pub bit_error_rate: Option<Steps<Ratio>>,
    /// How likely the contact is to happen.
    pub confidence: Ratio,
}

impl Contact {
    /// A contact at an unlimited rate and unknown light time that is certain to happen.
    pub fn new(from: NodeId, to: NodeId, start: Instant, end: Instant) -> Self {
        Contact {
            from,
            to,
            start,
            end,
            rate: Steps::constant(Rate::Unlimited),
            light_time: LightTime::UNKNOWN,
            bit_error_rate: None,
            confidence: certain(),
        }
    }

    /// How many bits can be sent in all, rounded down; `None` where nothing limits.
    pub fn volume_bits(&self) -> Option<u64> {
        let mut nanobits: u128 = 0;
        for (from, to, rate) in self.rate.spans(self.start, self.end) {
            let nanos = (i128::from(to.as_nanos()) - i128::from(from.as_nanos())) as u128;
            nanobits = nanobits.saturating_add(nanos * u128::from(rate.bps()?));
        }
        Some(u64::try_from(nanobits / 1_000_000_000).unwrap_or(u64::MAX))
    }

    /// Brings what can be told in several ways into one form.
    pub(crate) fn tidy(&mut self) {
        self.rate.tidy(self.start);
        self.light_time.tidy();
        if let Some(rate) = &mut self.bit_error_rate {
            rate.tidy(self.start);
        }
    }
}

impl fmt::Display for Contact {
    /// `ipn:10.0 → ipn:20.0 from 00:00:00.000 to 00:10:00.000`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {} from {} to ", self.from, self.to, self.start)?;
        if self.end == Instant::MAX { f.write_str("ever") } else { self.end.fmt(f) }
    }
}

/// The confidence of a contact that is scheduled.
pub(crate) fn certain() -> Ratio {
    Ratio::new(1.0).expect("1 is a ratio")
}
