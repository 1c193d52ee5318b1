//! One contact of a plan.

use std::fmt;

use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::Eid;

use super::node_id;
use crate::schedule::Window;

/// How many instants of light time a contact tells at most.
pub const MAX_LIGHT_TIMES: usize = 65_536;

/// Names a contact of a plan. The plan gives it out and never gives it out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContactId(pub(super) u64);

impl fmt::Display for ContactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "contact {}", self.0)
    }
}

/// An interval in which one node can send to another (CCSDS 734.3-B calls it a contact and the light times a range).
#[derive(Clone, Debug, PartialEq)]
pub struct Contact {
    /// Node ID of the sender. Of another endpoint, its node is meant.
    pub from: Eid,
    /// Node ID of the receiver.
    pub to: Eid,
    /// From when to when, how fast, how far. A rate of 0 does not limit.
    pub window: Window,
    /// How likely the contact is to happen: above 0, at most 1.
    pub confidence: f64,
}

impl Contact {
    /// A contact that is certain to happen.
    pub fn new(from: Eid, to: Eid, window: Window) -> Self {
        Contact { from, to, window, confidence: 1.0 }
    }

    /// Bytes that fit into the contact in all; [`u64::MAX`] where no rate limits it.
    pub fn capacity(&self) -> u64 {
        let Window { start, end, rate_bps, .. } = &self.window;
        volume(*start, *end, *rate_bps)
    }

    /// The contact with its node IDs in their one form, if nothing is wrong with it.
    pub(super) fn checked(mut self) -> Result<Self, ContactError> {
        self.from = node_id(&self.from).ok_or(ContactError::Null)?;
        self.to = node_id(&self.to).ok_or(ContactError::Null)?;
        if self.from == self.to {
            return Err(ContactError::Loop { node: self.from });
        }
        let Window { start, end, light_time, .. } = &self.window;
        if end <= start {
            return Err(ContactError::Empty { start: *start, end: *end });
        }
        // Also refuses what is no number.
        if !(self.confidence > 0.0 && self.confidence <= 1.0) {
            return Err(ContactError::Confidence { confidence: self.confidence });
        }
        check_light_time(light_time)?;
        Ok(self)
    }
}

/// Bytes that are sent from `start` to `end`.
pub(super) fn volume(start: Instant, end: Instant, rate_bps: u64) -> u64 {
    if rate_bps == 0 {
        return u64::MAX;
    }
    let nanos = (i128::from(end.as_nanos()) - i128::from(start.as_nanos())).max(0) as u128;
    // At most 2^64 times 2^64: it just fits.
    u64::try_from(nanos * u128::from(rate_bps) / 8_000_000_000).unwrap_or(u64::MAX)
}

/// The time that so many bytes take; none where no rate limits.
pub(super) fn time_for(bytes: u64, rate_bps: u64) -> Duration {
    if rate_bps == 0 {
        return Duration::ZERO;
    }
    let nanos = (u128::from(bytes) * 8_000_000_000).div_ceil(u128::from(rate_bps));
    Duration::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}

fn check_light_time(points: &[(Instant, Duration)]) -> Result<(), ContactError> {
    if points.is_empty() || points.len() > MAX_LIGHT_TIMES {
        return Err(ContactError::LightTimes { count: points.len() });
    }
    if let Some((at, light_time)) = points.iter().find(|(_, light_time)| light_time.is_negative()) {
        return Err(ContactError::NegativeLightTime { at: *at, light_time: *light_time });
    }
    for pair in points.windows(2) {
        let ((t0, d0), (t1, d1)) = (pair[0], pair[1]);
        if t1 <= t0 {
            return Err(ContactError::LightTimeOrder { at: t1 });
        }
        let passed = i128::from(t1.as_nanos()) - i128::from(t0.as_nanos());
        if i128::from(d0.as_nanos()) - i128::from(d1.as_nanos()) > passed {
            return Err(ContactError::Overtaking { from: t0, to: t1 });
        }
    }
    Ok(())
}

/// Arrival of a bit that leaves at `at`.
///
/// As [`Window::light_time_at`], but in whole numbers. What leaves later then never arrives earlier, which the search relies on:
/// the light time is rounded down, and falls no faster than time passes.
pub(super) fn arrival(points: &[(Instant, Duration)], at: Instant) -> Instant {
    let next = points.partition_point(|(t, _)| *t <= at);
    let light_time = match (next.checked_sub(1).and_then(|i| points.get(i)), points.get(next)) {
        (Some((t0, d0)), Some((t1, d1))) => {
            let nanos = |t: Instant| i128::from(t.as_nanos());
            let change = i128::from(d1.as_nanos()) - i128::from(d0.as_nanos());
            let moved = (change * (nanos(at) - nanos(*t0))).div_euclid(nanos(*t1) - nanos(*t0));
            *d0 + Duration::from_nanos(moved as i64)
        }
        (Some((_, d)), None) | (None, Some((_, d))) => *d,
        (None, None) => Duration::ZERO,
    };
    at + light_time
}

/// Why a contact cannot stand in a plan, or cannot be changed.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum ContactError {
    /// RFC 9171 §3.1: the null endpoint never has members.
    #[error("dtn:none is no node, so no contact begins or ends there")]
    Null,
    /// From a node to itself.
    #[error("the contact leads from {node} to itself")]
    Loop {
        /// The node.
        node: Eid,
    },
    /// It ends before it begins, or as it begins.
    #[error("the contact ends at {end}, which is not after its start at {start}")]
    Empty {
        /// Its start.
        start: Instant,
        /// Its end.
        end: Instant,
    },
    /// It overlaps another one from the same node to the same node.
    #[error("the contact from {from} to {to} that begins at {start} overlaps {other} of the same nodes")]
    Overlap {
        /// The sender.
        from: Eid,
        /// The receiver.
        to: Eid,
        /// Where it begins.
        start: Instant,
        /// The one that it overlaps.
        other: ContactId,
    },
    /// No light time at all, or more instants than are kept.
    #[error("the contact tells {count} light times; it needs one, and {MAX_LIGHT_TIMES} are the most")]
    LightTimes {
        /// How many there are.
        count: usize,
    },
    /// A light time that runs backwards.
    #[error("the light time at {at} is {light_time}; it cannot be negative")]
    NegativeLightTime {
        /// Where.
        at: Instant,
        /// The light time.
        light_time: Duration,
    },
    /// Light times that are not in order of time.
    #[error("the light time at {at} is not after the one before it; put them in order of time, one for each instant")]
    LightTimeOrder {
        /// The instant that is out of order.
        at: Instant,
    },
    /// What leaves later would arrive earlier, as if the distance shrank faster than light.
    #[error(
        "the light time falls faster than time passes from {from} to {to}, so what leaves later would arrive earlier"
    )]
    Overtaking {
        /// From when.
        from: Instant,
        /// To when.
        to: Instant,
    },
    /// Not above 0, or above 1.
    #[error("the confidence is {confidence}; it must be above 0 and at most 1")]
    Confidence {
        /// The confidence.
        confidence: f64,
    },
    /// The plan is full.
    #[error("a plan holds no more than {} contacts", super::MAX_CONTACTS)]
    Full,
    /// The plan has no such contact, or no longer.
    #[error("{0} is not in the plan")]
    Unknown(ContactId),
    /// An opportunistic contact has no end that could be moved.
    #[error("{0} is opportunistic: its end is told, not planned")]
    Opportunistic(ContactId),
}
