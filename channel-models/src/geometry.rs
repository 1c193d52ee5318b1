//! Positions, light time and elevation.

use std::fmt;

use farlink_units::{Duration, Instant};
use hifitime::Epoch;

use crate::body::Body;
use crate::ephemeris::Ephemeris;
use crate::place::{Place, Site};
use crate::rotation::Rotation;
use crate::timescale::Clock;
use crate::vector::Vector;

/// The speed of light in km/s (exact).
pub const SPEED_OF_LIGHT_KM_S: f64 = 299_792.458;

/// The solar system as it is during one run, from an epoch on which [`Instant::ZERO`] stands.
///
/// All answers are pure functions of the arguments: what is kept between calls (polynomial pieces of the ephemerides) never
/// shows, whatever the order of the calls and the number of threads. The first call in a new stretch of eight days samples the
/// series, one to three milliseconds per body; later ones take well under a microsecond.
///
/// Space is flat and light travels straight: the Sun's gravity delays light by up to 0.12 ms between Earth and Mars near
/// conjunction, and that is left out. Times outside 1708 … 2292 stand still at that edge.
pub struct Geometry {
    epoch: Epoch,
    clock: Clock,
    ephemeris: Ephemeris,
    rotation: Rotation,
}

/// A place at some instant: where it is and, for a site, which way is up.
#[derive(Clone, Copy)]
pub(crate) struct Located {
    pub(crate) position: Vector,
    pub(crate) up: Option<Vector>,
}

impl Geometry {
    /// A solar system in which `epoch` is what [`Instant::ZERO`] stands for. Instants count SI seconds from there, so a leap
    /// second inside the run is a second like any other.
    pub fn new(epoch: Epoch) -> Self {
        Geometry { epoch, clock: Clock::new(epoch), ephemeris: Ephemeris::new(), rotation: Rotation::new() }
    }

    /// A solar system whose bodies are where SPICE kernels say, and turned as these say where they have a PCK.
    ///
    /// `bodies` must be placed from `epoch` to `run` later. Where the kernels place a body they are used, also beyond `run`;
    /// other bodies, and times that they do not reach, come from the built-in series. If the kernels have leap seconds (LSK) and
    /// `epoch` is on the UTC scale, it is taken by these.
    ///
    /// # Errors
    /// A body of `bodies` that is not placed all the time.
    #[cfg(feature = "spice")]
    pub fn with_kernels(
        epoch: Epoch,
        kernels: std::sync::Arc<crate::kernels::Kernels>,
        bodies: &[Body],
        run: Duration,
    ) -> Result<Self, crate::kernels::KernelError> {
        let clock = Clock::new(epoch).later(kernels.leap_second_correction(epoch));
        let [start, end] = [Instant::ZERO, Instant::ZERO + run].map(|at| clock.tdb_ns(at) as f64 / 1e9);
        for body in bodies {
            kernels.require(*body, start, end)?;
        }
        let ephemeris = Ephemeris::with_kernels(crate::kernels::KernelBodies::new(kernels.clone()));
        Ok(Geometry { epoch, clock, ephemeris, rotation: Rotation::with_kernels(kernels) })
    }

    /// What [`Instant::ZERO`] stands for.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Where `place` is at `at`: km from the barycentre of the solar system, on ICRF axes.
    pub fn position_km(&self, place: &Place, at: Instant) -> [f64; 3] {
        self.locate(place, at).position.0
    }

    /// How long light that leaves `from` at `emitted` is under way to `to`: the solution of
    /// |to(emitted + lt) − from(emitted)| = c lt, to the nanosecond.
    pub fn light_time(&self, from: &Place, to: &Place, emitted: Instant) -> Duration {
        let (seconds, _) = self.travel(self.locate(from, emitted).position, to, emitted, 1e-4);
        Duration::from_secs_f64(seconds)
    }

    /// How far above the geodetic horizon of `site` an antenna sees the light that comes in at `received` and left `source_km`
    /// (barycentric, ICRF axes), in degrees, −90 … 90.
    ///
    /// `source_km` is where the source was when the light left: [`Geometry::position_km`] one light time earlier. The site's
    /// own motion is taken in (aberration, up to 0.006° for the Earth), refraction (up to 0.09° at 10°) and the bending of
    /// light by gravity (0.0005° at the Sun's limb) are not.
    pub fn elevation_deg(&self, site: &Site, source_km: [f64; 3], received: Instant) -> f64 {
        let (position, up) = self.locate_site(site, received);
        let way = position - Vector(source_km);
        (-self.climb(site, position, up, way, received)).asin().to_degrees()
    }

    /// How far above the geodetic horizon of `site` an antenna must point at `emitted` for its light to get to
    /// `destination_km` (barycentric, ICRF axes), in degrees, −90 … 90.
    ///
    /// `destination_km` is where the destination is when the light arrives: [`Geometry::position_km`] one light time later.
    /// What is taken in and what is not is as in [`Geometry::elevation_deg`].
    pub fn aim_elevation_deg(&self, site: &Site, destination_km: [f64; 3], emitted: Instant) -> f64 {
        let (position, up) = self.locate_site(site, emitted);
        let way = Vector(destination_km) - position;
        self.climb(site, position, up, way, emitted).asin().to_degrees()
    }

    /// The sine of the angle at which light that goes along `way` (barycentric, of any length) leaves the horizon of `site`,
    /// as measured there; negative for light that comes in from above. `position` and `up` are the site's at `at`.
    pub(crate) fn climb(&self, site: &Site, position: Vector, up: Vector, way: Vector, at: Instant) -> f64 {
        // A difference over a second takes in the body's rotation. It is off by half a second's acceleration: 2e-5 km/s on the
        // Earth, 1e-3 km/s on Jupiter, which turns a direction by 4e-9.
        const STEP_S: f64 = 1.0;
        let (later, _) = self.locate_site(site, at + Duration::from_secs_f64(STEP_S));
        let velocity = (later - position) * (1.0 / (STEP_S * SPEED_OF_LIGHT_KM_S));
        // `up` needs no such treatment: a horizon in motion is tilted by less than (v/c)², 1e-8 for the Earth.
        up.dot((way * (1.0 / way.length())).seen_at(velocity)).clamp(-1.0, 1.0)
    }

    pub(crate) fn center(&self, body: Body, at: Instant) -> Vector {
        self.ephemeris.position_km(body, self.clock.tdb_ns(at))
    }

    pub(crate) fn pole(&self, body: Body, at: Instant) -> Vector {
        self.rotation.pole(body, self.clock.tdb_ns(at))
    }

    fn locate_site(&self, site: &Site, at: Instant) -> (Vector, Vector) {
        let tdb = self.clock.tdb_ns(at);
        let axes = self.rotation.axes(site.body, tdb, || self.clock.earth_rotation_angle(at));
        let (position, up) = site.body_fixed();
        (self.ephemeris.position_km(site.body, tdb) + axes.outward(position), axes.outward(up))
    }

    pub(crate) fn locate(&self, place: &Place, at: Instant) -> Located {
        match place {
            Place::Center(body) => Located { position: self.center(*body, at), up: None },
            Place::Orbit(orbit) => Located { position: self.center(orbit.body, at) + orbit.relative_km(at), up: None },
            Place::Site(site) => {
                let (position, up) = self.locate_site(site, at);
                Located { position, up: Some(up) }
            }
        }
    }

    /// The light time in seconds from `start`, left at `emitted`, to `to`; and `to` as the light arrives, up to `slack` seconds
    /// off (at most 1e-4). The light time itself is good to a tenth of a nanosecond either way.
    pub(crate) fn travel(&self, start: Vector, to: &Place, emitted: Instant, slack: f64) -> (f64, Located) {
        // From the centre, which costs less than the place and is right to a tenth of a second.
        let mut guess = (self.center(to.body(), emitted) - start).length() / SPEED_OF_LIGHT_KM_S;
        let mut last: Option<(f64, f64)> = None;
        // Every round takes the error times v/c, 1e-4, and the secant another such factor; the bound only stops nonsense.
        for _ in 0..20 {
            let there = self.locate(to, emitted + Duration::from_secs_f64(guess));
            let rest = (there.position - start).length() / SPEED_OF_LIGHT_KM_S - guess;
            let step = match last {
                Some((old_guess, old_rest)) if old_rest != rest => rest * (guess - old_guess) / (old_rest - rest),
                _ => rest,
            };
            // After a plain step an error of v/c times the step is left; after a secant, nothing.
            let enough = if last.is_some() { slack } else { slack.min(1e-7) };
            last = Some((guess, rest));
            guess += step;
            if step.abs() < enough || !step.is_finite() {
                return (guess, there);
            }
        }
        (guess, self.locate(to, emitted + Duration::from_secs_f64(guess)))
    }
}

impl fmt::Debug for Geometry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Geometry").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}
