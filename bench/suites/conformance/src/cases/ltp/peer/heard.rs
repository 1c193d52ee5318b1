//! Segments of the node, as a case looks at them.

use farlink_engine::ranges::RangeSet;
use farlink_units::Instant;

use super::Id;
use crate::medium::Door;
use crate::segment::{Body, Raw};

/// A segment of the node.
#[derive(Clone, Debug)]
pub(in crate::cases) struct Heard {
    pub(in crate::cases) at: Instant,
    pub(in crate::cases) door: Door,
    pub(in crate::cases) segment: Raw,
}

impl Heard {
    pub(in crate::cases) fn session(&self) -> Id {
        self.segment.session()
    }

    pub(in crate::cases) fn code(&self) -> u8 {
        self.segment.code
    }

    /// Whether it is a segment of this type in this session.
    pub(in crate::cases) fn is(&self, code: u8, session: Id) -> bool {
        self.segment.code == code && self.session() == session
    }

    /// The reason of a cancel segment.
    pub(in crate::cases) fn reason(&self) -> Option<u8> {
        match self.segment.body {
            Body::Cancel(reason) => Some(reason),
            _ => None,
        }
    }

    /// The report that a report segment carries.
    pub(in crate::cases) fn report(&self) -> Option<Rs> {
        match &self.segment.body {
            Body::Report { serial, checkpoint, upper, lower, claims } => Some(Rs {
                at: self.at,
                serial: *serial,
                checkpoint: *checkpoint,
                upper: *upper,
                lower: *lower,
                claims: claims.clone(),
            }),
            _ => None,
        }
    }
}

/// A report segment of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cases) struct Rs {
    pub(in crate::cases) at: Instant,
    pub(in crate::cases) serial: u64,
    pub(in crate::cases) checkpoint: u64,
    pub(in crate::cases) upper: u64,
    pub(in crate::cases) lower: u64,
    /// Offset from the lower bound, and length.
    pub(in crate::cases) claims: Vec<(u64, u64)>,
}

impl Rs {
    /// What is claimed, by place in the block.
    pub(in crate::cases) fn claimed(&self) -> RangeSet {
        let mut all = RangeSet::new();
        for (offset, length) in &self.claims {
            let start = self.lower.saturating_add(*offset);
            all.insert(start..start.saturating_add(*length));
        }
        all
    }

    /// Whether exactly the red data from 0 to `end` is claimed in one piece.
    pub(in crate::cases) fn is_whole(&self, end: u64) -> bool {
        self.lower == 0 && self.upper == end && self.claims == [(0, end)]
    }

    /// The same report, whenever it came.
    pub(in crate::cases) fn same(&self, other: &Rs) -> bool {
        Rs { at: self.at, ..other.clone() } == *self
    }

    pub(in crate::cases) fn tell(&self) -> String {
        let claims: Vec<String> = self.claims.iter().take(12).map(|(o, l)| format!("({o},{l})")).collect();
        let Rs { serial, checkpoint, upper, lower, .. } = self;
        format!("RS({serial}, cp {checkpoint}, upper {upper}, lower {lower}, [{}])", claims.join(","))
    }
}
