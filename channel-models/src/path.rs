//! Places made ready for many questions.

use farlink_units::Instant;

use crate::body::Body;
use crate::geometry::Geometry;
#[cfg(feature = "spice")]
use crate::kernels::KernelPath;
use crate::place::{
    EphemerisTable, FixedSite, Limits, Motion, MovingOrbit, NoPosition, Place, Satellite, TableFrame, carry, epoch_at,
};
use crate::vector::{Axes, Vector};

/// A place with what does not depend on time worked out.
pub(crate) enum Path<'a> {
    Center(Body),
    Site(FixedSite),
    Orbit(MovingOrbit),
    Satellite(&'a Satellite),
    Table(&'a EphemerisTable),
    #[cfg(feature = "spice")]
    Kernel(&'a KernelPath),
}

/// A place at some instant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Located {
    /// Against the barycentre of the solar system, in km on ICRF axes.
    pub(crate) position: Vector,
    /// What it moves with.
    pub(crate) center: Body,
    /// Against the centre of `center`, in km/s.
    pub(crate) relative_velocity: Vector,
    /// For a site: which way is east, north and up.
    pub(crate) horizon: Option<Horizon>,
}

/// The horizon of a site.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Horizon {
    /// East, north and up.
    pub(crate) axes: Axes,
    /// How `up` changes in a second.
    pub(crate) up_rate: Vector,
    /// How fast the body turns, in radians per second.
    pub(crate) turn: f64,
}

impl<'a> Path<'a> {
    pub(crate) fn new(place: &'a Place) -> Path<'a> {
        match place {
            Place::Center(body) => Path::Center(*body),
            Place::Site(site) => Path::Site(FixedSite::new(site)),
            Place::Orbit(orbit) => Path::Orbit(MovingOrbit::new(orbit)),
            Place::Satellite(satellite) => Path::Satellite(satellite),
            Place::Table(table) => Path::Table(table),
            #[cfg(feature = "spice")]
            Place::Kernel(path) => Path::Kernel(path),
        }
    }

    /// The body from whose centre a first guess of a light time is taken.
    pub(crate) fn body(&self) -> Body {
        match self {
            Path::Center(body) => *body,
            Path::Site(site) => site.body,
            Path::Orbit(orbit) => orbit.body,
            Path::Satellite(_) => Body::Earth,
            Path::Table(table) => table.body(),
            #[cfg(feature = "spice")]
            Path::Kernel(path) => path.body(),
        }
    }

    /// The body that never hides this place: that whose centre it is, or on which it stands.
    pub(crate) fn exempt(&self) -> Option<Body> {
        match self {
            Path::Center(body) => Some(*body),
            Path::Site(site) => Some(site.body),
            Path::Orbit(_) | Path::Satellite(_) | Path::Table(_) => None,
            #[cfg(feature = "spice")]
            Path::Kernel(path) => path.is_body().then(|| path.body()),
        }
    }

    /// Where the path has positions, TT nanoseconds since J2000; None is always.
    pub(crate) fn spans(&self) -> Option<Vec<(i64, i64)>> {
        match self {
            Path::Center(_) | Path::Site(_) | Path::Orbit(_) => None,
            Path::Satellite(satellite) => Some(vec![satellite.span_tt_ns()]),
            Path::Table(table) => Some(table.spans_tt_ns()),
            #[cfg(feature = "spice")]
            Path::Kernel(path) => Some(path.spans_tt_ns()),
        }
    }

    /// The nearest instant to `tt_ns` in the spans of the path: `tt_ns` itself if that is inside.
    pub(crate) fn nearest(&self, tt_ns: i64) -> i64 {
        match self {
            Path::Center(_) | Path::Site(_) | Path::Orbit(_) => tt_ns,
            Path::Satellite(satellite) => {
                let (first, last) = satellite.span_tt_ns();
                tt_ns.clamp(first, last)
            }
            Path::Table(table) => table.nearest(tt_ns),
            #[cfg(feature = "spice")]
            Path::Kernel(path) => path.nearest(tt_ns),
        }
    }

    /// Where bounds on the motion change, TT nanoseconds since J2000, in order, between `start` and `end`.
    pub(crate) fn seams(&self, start: i64, end: i64) -> Vec<i64> {
        match self {
            Path::Table(table) => table.seams(start, end),
            #[cfg(feature = "spice")]
            Path::Kernel(path) => path.seams(start, end),
            _ => Vec::new(),
        }
    }

    /// Bounds on the motion against its centre between two seams, TT nanoseconds since J2000.
    pub(crate) fn limits(&self, start: i64, end: i64) -> Limits {
        match self {
            Path::Center(_) => Limits { speed: 0.0, acceleration: 0.0 },
            Path::Site(site) => site.limits(),
            Path::Orbit(orbit) => orbit.limits(),
            Path::Satellite(satellite) => satellite.limits(),
            Path::Table(table) => table.limits(start, end),
            #[cfg(feature = "spice")]
            Path::Kernel(path) => path.limits(start, end),
        }
    }
}

impl Geometry {
    /// Where `path` is; None where it has no position.
    pub(crate) fn locate(&self, path: &Path, at: Instant) -> Option<Located> {
        let body = path.body();
        let about = |center: Body, motion: Motion, horizon: Option<Horizon>| Located {
            position: self.center(center, at) + motion.position,
            center,
            relative_velocity: motion.velocity,
            horizon,
        };
        Some(match path {
            Path::Center(_) => about(body, Motion::REST, None),
            Path::Orbit(orbit) => about(body, orbit.motion(at), None),
            Path::Site(site) => {
                let axes = self.body_axes(body, at);
                about(body, site.motion(&axes), Some(site.horizon(&axes)))
            }
            Path::Satellite(satellite) => {
                let tt = self.tt_ns(at);
                let (first, last) = satellite.span_tt_ns();
                if tt < first || last < tt {
                    return None;
                }
                let (position, velocity) = satellite.teme(tt).ok()?;
                let axes = self.teme_axes(at);
                about(Body::Earth, axes.carry(Motion { position: Vector(position), velocity: Vector(velocity) }), None)
            }
            Path::Table(table) => {
                let segment = table.segment(self.tt_ns(at))?;
                let motion = segment.motion(self.tt_ns(at));
                let motion = match segment.frame {
                    TableFrame::Inertial => motion,
                    TableFrame::Teme => self.teme_axes(at).carry(motion),
                    TableFrame::EarthFixed => carry(Body::Earth, &self.body_axes(Body::Earth, at), motion),
                };
                about(segment.center, motion, None)
            }
            #[cfg(feature = "spice")]
            Path::Kernel(path) => about(body, path.motion(self.kernel_time(path, at)?)?, None),
        })
    }

    /// Where `path` is, and no more: for the ends of a light time, of which millions are asked.
    pub(crate) fn position(&self, path: &Path, at: Instant) -> Option<Vector> {
        match path {
            Path::Center(body) => Some(self.center(*body, at)),
            Path::Orbit(orbit) => Some(self.center(orbit.body, at) + orbit.motion(at).position),
            Path::Site(site) => Some(self.center(site.body, at) + site.position(&self.body_axes(site.body, at))),
            Path::Satellite(_) | Path::Table(_) => self.locate(path, at).map(|located| located.position),
            #[cfg(feature = "spice")]
            Path::Kernel(kernel) => {
                let relative = kernel.relative(self.kernel_time(kernel, at)?)?;
                Some(self.center(kernel.body(), at) + relative)
            }
        }
    }

    /// TDB nanoseconds since J2000, where the kernels place the path.
    #[cfg(feature = "spice")]
    fn kernel_time(&self, path: &KernelPath, at: Instant) -> Option<i64> {
        let tt = self.tt_ns(at);
        (path.nearest(tt) == tt).then(|| self.tdb_ns(at))
    }

    /// Why `path` has no position at an instant at which [`Geometry::locate`] finds none.
    pub(crate) fn no_position(&self, path: &Path, at: Instant) -> NoPosition {
        let tt = self.tt_ns(at);
        let outside = |name: &str, spans: &[(i64, i64)]| NoPosition::OutsideSpan {
            name: name.to_owned(),
            at: epoch_at(tt),
            start: epoch_at(spans.first().map_or(tt, |s| s.0)),
            end: epoch_at(spans.last().map_or(tt, |s| s.1)),
        };
        match path {
            Path::Satellite(satellite) => match satellite.teme(tt) {
                Err(why) => NoPosition::NoOrbit { name: satellite.name().to_owned(), at: epoch_at(tt), why },
                Ok(_) => outside(satellite.name(), &[satellite.span_tt_ns()]),
            },
            Path::Table(table) => outside(table.name(), &table.spans_tt_ns()),
            #[cfg(feature = "spice")]
            Path::Kernel(path) => outside(&format!("NAIF ID {}", path.target()), &path.spans_tt_ns()),
            // These always have one.
            Path::Center(body) => outside(body.name(), &[]),
            Path::Site(site) => outside(site.body.name(), &[]),
            Path::Orbit(orbit) => outside(orbit.body.name(), &[]),
        }
    }
}
