//! Shells of satellites, by index.

use std::f64::consts::TAU;

use farlink_channel_models::{Body, Orbit};
use thiserror::Error;

/// The most planes, and satellites in a plane, that an index of eight bits counts.
pub const MAX_COUNT: u16 = 256;

/// How the planes of a shell are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// Over 360° of the equator. The last plane and the first are neighbours like any others.
    Delta,
    /// Over 180°. The descending half of the first plane comes after the ascending half of the last: between them lies the seam,
    /// across which satellites meet head-on.
    Star,
}

/// What a shell is made of: a Walker pattern i: T/P/F (Walker, RAE TR 70211, 1970) with T = P · `satellites_per_plane`.
#[derive(Clone, Debug, PartialEq)]
pub struct Walker {
    /// The body that the satellites circle.
    pub body: Body,
    /// Height in km above the body's equatorial radius, above 0 and at most 1e10.
    pub altitude_km: f64,
    /// Inclination to the equator in degrees, 0 … 180.
    pub inclination_deg: f64,
    /// How many planes there are, 1 … 256.
    pub planes: u16,
    /// How many satellites a plane has, 1 … 256.
    pub satellites_per_plane: u16,
    /// The phasing F, below `planes`: from plane to plane satellites are F · 360°/T further along.
    pub phasing: u16,
    /// How the planes are spread.
    pub pattern: Pattern,
    /// The ascending node of plane 0 at [`Instant::ZERO`](farlink_units::Instant::ZERO), in degrees.
    pub first_node_deg: f64,
    /// How far satellite 0 of plane 0 is past its ascending node at that instant, in degrees.
    pub first_argument_deg: f64,
}

/// Which satellite of a shell, counted from 0.
///
/// Planes are counted eastwards, by their ascending nodes; satellites in the direction of flight
/// (draft-lhan-satellite-semantic-addressing-01, section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// Which plane.
    pub plane: u8,
    /// Which satellite of the plane.
    pub satellite: u8,
}

/// Why a shell cannot be.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("`{field}` of the shell is {value}: it must be {range}")]
pub struct ShellError {
    /// The field of [`Walker`].
    pub field: &'static str,
    /// Its value.
    pub value: f64,
    /// What it can be, in words.
    pub range: &'static str,
}

/// A slot that the shell does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("there is no {field} {index}: the shell has {count}, counted from 0")]
pub struct NoSuchSlot {
    /// `plane` or `satellite`.
    pub field: &'static str,
    /// The index that was asked for.
    pub index: u8,
    /// How many there are.
    pub count: u16,
}

/// A shell of satellites on circular orbits of one height and inclination, evenly spread.
///
/// Satellites have the secular rates of J2, which are the same for all of them, so the pattern turns as a whole and keeps its
/// shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Shell {
    walker: Walker,
}

impl Shell {
    /// Checks what the shell is made of.
    ///
    /// # Errors
    /// A field that is out of range.
    pub fn new(walker: Walker) -> Result<Self, ShellError> {
        let within = |field, value: f64, ok: bool, range| {
            if ok && value.is_finite() { Ok(()) } else { Err(ShellError { field, value, range }) }
        };
        let count = |field, value: u16| within(field, value.into(), (1..=MAX_COUNT).contains(&value), "from 1 to 256");
        let w = &walker;
        let high = w.altitude_km > 0.0 && w.altitude_km <= 1e10;
        within("altitude_km", w.altitude_km, high, "above 0 and at most 1e10")?;
        let inclined = (0.0..=180.0).contains(&w.inclination_deg);
        within("inclination_deg", w.inclination_deg, inclined, "from 0 to 180")?;
        count("planes", w.planes)?;
        count("satellites_per_plane", w.satellites_per_plane)?;
        within("phasing", w.phasing.into(), w.phasing < w.planes, "below the number of planes")?;
        within("first_node_deg", w.first_node_deg, true, "finite")?;
        within("first_argument_deg", w.first_argument_deg, true, "finite")?;
        Ok(Shell { walker })
    }

    /// What the shell is made of.
    pub fn walker(&self) -> &Walker {
        &self.walker
    }

    /// The distance of the satellites from the centre of the body, in km.
    pub fn radius_km(&self) -> f64 {
        self.walker.body.equatorial_radius_km() + self.walker.altitude_km
    }

    /// All slots, plane by plane.
    pub fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        let (planes, satellites) = (self.walker.planes, self.walker.satellites_per_plane);
        (0..planes).flat_map(move |plane| (0..satellites).map(move |s| Slot { plane: plane as u8, satellite: s as u8 }))
    }

    /// Whether the shell has this slot.
    ///
    /// # Errors
    /// A plane or a satellite beyond the last.
    pub fn check(&self, slot: Slot) -> Result<(), NoSuchSlot> {
        let below = |field, index: u8, count: u16| {
            if u16::from(index) < count { Ok(()) } else { Err(NoSuchSlot { field, index, count }) }
        };
        below("plane", slot.plane, self.walker.planes)?;
        below("satellite", slot.satellite, self.walker.satellites_per_plane)
    }

    /// The orbit of the satellite in `slot`. Its argument of periapsis is 0, so the mean anomaly counts from the ascending node.
    ///
    /// # Errors
    /// A slot that the shell does not have.
    pub fn orbit(&self, slot: Slot) -> Result<Orbit, NoSuchSlot> {
        self.check(slot)?;
        Ok(Orbit {
            body: self.walker.body,
            semi_major_axis_km: self.radius_km(),
            eccentricity: 0.0,
            inclination_deg: self.walker.inclination_deg,
            ascending_node_deg: self.node(slot).to_degrees(),
            argument_of_periapsis_deg: 0.0,
            mean_anomaly_deg: self.argument(slot).to_degrees(),
        })
    }

    /// The ascending node in radians, at [`Instant::ZERO`](farlink_units::Instant::ZERO).
    pub(crate) fn node(&self, slot: Slot) -> f64 {
        let spread = match self.walker.pattern {
            Pattern::Delta => TAU,
            Pattern::Star => TAU / 2.0,
        };
        self.walker.first_node_deg.to_radians() + spread * f64::from(slot.plane) / f64::from(self.walker.planes)
    }

    /// How far past its ascending node a satellite is, in radians, at [`Instant::ZERO`](farlink_units::Instant::ZERO).
    pub(crate) fn argument(&self, slot: Slot) -> f64 {
        let w = &self.walker;
        // In steps of 1/T, so that the whole pattern is exact up to one rounding.
        let steps = u32::from(slot.satellite) * u32::from(w.planes) + u32::from(w.phasing) * u32::from(slot.plane);
        let total = u32::from(w.planes) * u32::from(w.satellites_per_plane);
        w.first_argument_deg.to_radians() + TAU * f64::from(steps) / f64::from(total)
    }

    /// How fast satellites go around, counted from the node, in radians per second.
    pub(crate) fn turn_rate(&self) -> f64 {
        let any = self.orbit(Slot { plane: 0, satellite: 0 }).expect("a shell has a first satellite");
        let rates = any.secular_rates();
        rates.mean_anomaly + rates.argument_of_periapsis
    }
}
