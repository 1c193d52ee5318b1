//! SPICE kernels: positions and orientations from files of NASA's NAIF, for missions that have them.
//!
//! Binary kernels are evaluated by the crate `anise`. What it takes for granted is proved before it gets a file (`daf`), so that a
//! damaged one is an error. Text kernels are read here.

mod bodies;
mod constants;
mod coverage;
mod daf;
mod frames;
mod path;
mod text;

use std::collections::BTreeMap;
use std::fmt;

use anise::almanac::Almanac;
use anise::prelude::Frame;
use bytes::BytesMut;
use hifitime::Epoch;
use thiserror::Error;

use crate::body::Body;
use crate::vector::{Axes, Vector};
pub(crate) use bodies::KernelBodies;
pub(crate) use constants::Orientation;
use coverage::Spans;
use daf::{Content, Segment};
pub use path::KernelPath;

/// The barycentre of the solar system.
const BARYCENTRE: i32 = 0;
/// The longest chain of segments from a body to the barycentre.
const LONGEST_CHAIN: usize = 8;
/// The ID of the J2000 orientation.
const J2000: i32 = 1;

/// Why kernels cannot be used.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum KernelError {
    /// The file is no kernel that can be read.
    #[error("{kernel} is not a SPICE kernel: it begins with `{begins}`, not with `DAF/SPK`, `DAF/PCK` or `KPL/`")]
    NotAKernel {
        /// The file.
        kernel: String,
        /// Its first octets.
        begins: String,
    },
    /// The file is a kernel of a kind that cannot be read.
    #[error("{kernel} has {what}, which cannot be read")]
    Unsupported {
        /// The file.
        kernel: String,
        /// What it has.
        what: String,
    },
    /// The file contradicts itself or ends too early.
    #[error("{kernel} is damaged, or no kernel that can be read: {what}; fetch it again")]
    Damaged {
        /// The file.
        kernel: String,
        /// What is wrong, and where.
        what: String,
    },
    /// A line of a text kernel cannot be understood.
    #[error("{kernel}, line {line}: {what}")]
    Text {
        /// The file.
        kernel: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// The kernels do not place a body from the barycentre of the solar system.
    #[error("the kernels do not say where {target} is: {why}")]
    NotCovered {
        /// The NAIF ID of the body or spacecraft.
        target: i32,
        /// What is missing.
        why: String,
    },
}

/// SPICE kernels that have been read: SPK files (segments of types 2, 3, 8, 9, 12, 13), PCK files (binary of type 2, text) and LSK
/// files.
///
/// As in SPICE, what was given later takes precedence, between files and within one.
pub struct Kernels {
    almanac: Almanac,
    /// When each body or spacecraft is placed from the barycentre: TDB seconds after J2000, in order and apart.
    covered: BTreeMap<i32, Spans>,
    /// What places something, without its data.
    positions: Vec<Segment>,
    /// When each body-fixed frame of a binary PCK is given.
    frames: BTreeMap<i32, Spans>,
    orientations: [Option<Orientation>; Body::COUNT],
    leap_seconds: Option<Vec<(f64, f64)>>,
}

impl Kernels {
    /// Reads kernels, each a name for messages and the file's octets.
    ///
    /// # Errors
    /// A file that is no kernel, cannot be read or is damaged.
    pub fn new<N: Into<String>>(files: impl IntoIterator<Item = (N, Vec<u8>)>) -> Result<Self, KernelError> {
        let mut almanac = Almanac::default();
        let mut variables = text::Variables::default();
        let (mut positions, mut frames) = (Vec::<Segment>::new(), Vec::<Segment>::new());
        for (number, (name, mut bytes)) in files.into_iter().enumerate() {
            let name = name.into();
            match daf::content(&bytes) {
                Some(content) => {
                    let segments = daf::look_through(&name, &mut bytes, content)?;
                    almanac = load(almanac, &name, number, content, &bytes)?;
                    if content == Content::Spk { &mut positions } else { &mut frames }.extend(segments);
                }
                None if bytes.starts_with(b"KPL/") => {
                    let text = std::str::from_utf8(&bytes).map_err(|e| {
                        let line = 1 + bytes[..e.valid_up_to()].iter().filter(|b| **b == b'\n').count();
                        KernelError::Text { kernel: name.clone(), line, what: "is not UTF-8".to_owned() }
                    })?;
                    variables.read(&name, text)?;
                }
                None => {
                    let begins = bytes[..bytes.len().min(8)].escape_ascii().to_string();
                    return Err(KernelError::NotAKernel { kernel: name, begins });
                }
            }
        }
        let mut orientations = [const { None }; Body::COUNT];
        for body in Body::ALL {
            orientations[body as usize] = constants::orientation(&variables, body)?;
        }
        Ok(Kernels {
            almanac,
            covered: coverage::to_the_barycentre(&positions),
            positions,
            frames: coverage::of_targets(&frames),
            orientations,
            leap_seconds: constants::leap_seconds(&variables)?,
        })
    }

    /// The NAIF IDs of all that the kernels place from the barycentre of the solar system.
    pub fn targets(&self) -> impl Iterator<Item = i32> {
        self.covered.keys().copied()
    }

    /// The bodies that the kernels place at any time.
    pub fn bodies(&self) -> impl Iterator<Item = Body> {
        Body::ALL.into_iter().filter(|body| self.id_of(*body).is_some())
    }

    /// When the kernels place `target`: the first and last instant of each span, in TDB seconds after J2000.
    pub fn spans(&self, target: i32) -> &[[f64; 2]] {
        self.covered.get(&target).map_or(&[], Vec::as_slice)
    }

    /// Where `target` (a NAIF ID) is `tdb_s` seconds after J2000 TDB: km from the barycentre of the solar system on the axes of the
    /// kernels, J2000, which SPICE takes for ICRF.
    ///
    /// # Errors
    /// No segments place it, or none do at that time.
    pub fn position_km(&self, target: i32, tdb_s: f64) -> Result<[f64; 3], KernelError> {
        Ok(self.towards(target, BARYCENTRE, tdb_s)?.0.0)
    }

    /// Where `target` is seen from `center` (two NAIF IDs), in km on ICRF axes.
    fn relative_km(&self, target: i32, center: i32, tdb_s: f64) -> Result<Vector, KernelError> {
        match self.towards(target, center, tdb_s)? {
            (position, reached) if reached == center => Ok(position),
            (position, _) => Ok(position - self.towards(center, BARYCENTRE, tdb_s)?.0),
        }
    }

    /// Where `target` is seen from `center`, or from the barycentre where the chain of segments does not pass `center`; and
    /// which of the two it is.
    fn towards(&self, target: i32, center: i32, tdb_s: f64) -> Result<(Vector, i32), KernelError> {
        if !self.spans(target).iter().any(|[start, end]| (*start..=*end).contains(&tdb_s)) {
            return Err(self.not_covered(target, tdb_s));
        }
        if target == center {
            return Ok((Vector([0.0; 3]), center));
        }
        let at = Epoch::from_et_seconds(tdb_s);
        let mut frame = Frame::new(target, J2000);
        let mut position = Vector([0.0; 3]);
        for _ in 0..LONGEST_CHAIN {
            let state = self
                .almanac
                .translate_to_parent(frame, at)
                .map_err(|e| KernelError::NotCovered { target, why: e.to_string() })?;
            position = position + Vector([state.radius_km.x, state.radius_km.y, state.radius_km.z]);
            frame = state.frame;
            if [center, BARYCENTRE].contains(&frame.ephemeris_id) {
                return Ok((position, frame.ephemeris_id));
            }
        }
        Err(KernelError::NotCovered { target, why: format!("its chain of segments is longer than {LONGEST_CHAIN}") })
    }

    fn not_covered(&self, target: i32, tdb_s: f64) -> KernelError {
        let day = |s: f64| match s.is_finite() {
            true => Epoch::from_tdb_seconds(s).to_gregorian_str(hifitime::TimeScale::TDB),
            false => format!("{s} s"),
        };
        let why = match self.spans(target) {
            [] => {
                let known: Vec<String> = self.targets().map(|id| id.to_string()).collect();
                format!(
                    "no segments lead from it to the barycentre of the solar system; they do from {}",
                    known.join(", ")
                )
            }
            spans => {
                let spans: Vec<String> = spans.iter().map(|[a, b]| format!("{} to {}", day(*a), day(*b))).collect();
                format!("not at {}, but from {}", day(tdb_s), spans.join(" and from "))
            }
        };
        KernelError::NotCovered { target, why }
    }

    /// The NAIF ID under which the kernels have `body`: its own, or that of its system's barycentre, which for Mercury and Venus is
    /// the same and for Mars within 20 cm.
    pub(crate) fn id_of(&self, body: Body) -> Option<i32> {
        let own = constants::naif_id(body);
        let system = own / 100;
        match body {
            Body::Sun | Body::Earth | Body::Moon => Some(own),
            _ if !self.spans(own).is_empty() => Some(own),
            _ => Some(system),
        }
        .filter(|id| !self.spans(*id).is_empty())
    }

    /// An error unless `body` is placed all the time from `start` to `end` (TDB seconds after J2000).
    pub(crate) fn require(&self, body: Body, start: f64, end: f64) -> Result<(), KernelError> {
        let Some(id) = self.id_of(body) else { return Err(self.not_covered(constants::naif_id(body), start)) };
        if self.spans(id).iter().any(|span| span[0] <= start && end <= span[1]) {
            return Ok(());
        }
        let missing = if self.position_km(id, start).is_ok() { end } else { start };
        Err(self.not_covered(id, missing))
    }

    /// The orientation of `body` from a text PCK.
    pub(crate) fn orientation(&self, body: Body) -> Option<&Orientation> {
        // The IAU's Earth of a text kernel is coarse: precession alone, off by a hundredth of a degree and more.
        if body == Body::Earth { None } else { self.orientations[body as usize].as_ref() }
    }

    /// The body-fixed axes from a binary PCK, if it has those of `body` at that time.
    pub(crate) fn axes(&self, body: Body, tdb_s: f64) -> Option<Axes> {
        let frame = frames::of(body).iter().find(|frame| {
            self.frames.get(&frame.id).is_some_and(|spans| spans.iter().any(|[a, b]| (*a..=*b).contains(&tdb_s)))
        })?;
        let source = Frame::new(constants::naif_id(body), frame.id);
        let turned = self.almanac.rotation_to_parent(source, Epoch::from_et_seconds(tdb_s)).ok()?;
        let row = |k: usize| Vector([turned.rot_mat[(k, 0)], turned.rot_mat[(k, 1)], turned.rot_mat[(k, 2)]]);
        let own = Axes { x: row(0), y: row(1), z: row(2) };
        Some(frame.maps(if turned.from == J2000 { own } else { frames::from_ecliptic(own) }))
    }

    /// How many seconds TAI − UTC is more than hifitime has it at `at`, by the LSK; only a UTC epoch depends on it.
    pub(crate) fn leap_second_correction(&self, at: Epoch) -> f64 {
        if at.time_scale != hifitime::TimeScale::UTC {
            return 0.0;
        }
        let utc_days = at.to_jde_utc_days() - 2_451_545.0;
        let step =
            self.leap_seconds.as_deref().unwrap_or_default().iter().rev().find(|(day, _)| *day <= utc_days + 1e-9);
        step.map_or(0.0, |(_, seconds)| seconds - at.leap_seconds(true).unwrap_or(0.0))
    }
}

impl PartialEq for Kernels {
    /// Whether they are the same, not others with the same content.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl fmt::Debug for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernels").field("covered", &self.covered).finish_non_exhaustive()
    }
}

fn load(almanac: Almanac, name: &str, number: usize, content: Content, bytes: &[u8]) -> Result<Almanac, KernelError> {
    use anise::naif::{BPC, SPK};
    // The number keeps the order and sets apart what has one name.
    let alias = Some(format!("{number} {name}"));
    let damaged = |e: anise::naif::daf::DAFError| KernelError::Damaged { kernel: name.to_owned(), what: e.to_string() };
    let bytes = BytesMut::from(bytes);
    Ok(match content {
        Content::Spk => almanac.with_spk_as(SPK::parse(bytes).map_err(damaged)?, alias),
        Content::Pck => almanac.with_bpc_as(BPC::parse(bytes).map_err(damaged)?, alias),
    })
}
