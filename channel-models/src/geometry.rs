//! Positions, light time and elevation.

use std::f64::consts::TAU;
use std::fmt;

use farlink_units::{Duration, Instant};
use hifitime::Epoch;

use crate::body::Body;
use crate::ephemeris::Ephemeris;
use crate::path::{Located, Path};
use crate::place::{NoPosition, Place, Site};
use crate::rotation::Rotation;
use crate::timescale::Clock;
use crate::vector::{Axes, Vector, fraction};

/// The speed of light in km/s (exact).
pub const SPEED_OF_LIGHT_KM_S: f64 = 299_792.458;

/// The solar system as it is during one run, from an epoch on which [`Instant::ZERO`] stands.
///
/// All answers are pure functions of the arguments: what is kept between calls (polynomial pieces of the ephemerides) never
/// shows, whatever the order of the calls and the number of threads. The first call in a new stretch of eight days samples the
/// series, one to three milliseconds per body; later ones take well under a microsecond.
///
/// Places that rest on an ephemeris have positions only within its span. Outside it they are refused with a [`NoPosition`], and
/// no contact lies there: nothing is extrapolated.
///
/// Space is flat and light travels straight: the Sun's gravity delays light by up to 0.12 ms between Earth and Mars near
/// conjunction, and that is left out. Times outside 1708 … 2292 stand still at that edge.
pub struct Geometry {
    epoch: Epoch,
    clock: Clock,
    ephemeris: Ephemeris,
    rotation: Rotation,
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
    ///
    /// # Errors
    /// An ephemeris that does not reach `at`.
    pub fn position_km(&self, place: &Place, at: Instant) -> Result<[f64; 3], NoPosition> {
        let path = Path::new(place);
        self.position(&path, at).map(|p| p.0).ok_or_else(|| self.no_position(&path, at))
    }

    /// How fast `place` moves at `at`: km/s against the barycentre of the solar system, on ICRF axes.
    ///
    /// # Errors
    /// An ephemeris that does not reach `at`.
    pub fn velocity_km_s(&self, place: &Place, at: Instant) -> Result<[f64; 3], NoPosition> {
        let path = Path::new(place);
        self.locate(&path, at).map(|l| self.velocity(&l, at).0).ok_or_else(|| self.no_position(&path, at))
    }

    /// How long light that leaves `from` at `emitted` is under way to `to`: the solution of
    /// |to(emitted + lt) − from(emitted)| = c lt, to the nanosecond.
    ///
    /// # Errors
    /// An ephemeris that does not reach the instant of emission, or that of arrival.
    pub fn light_time(&self, from: &Place, to: &Place, emitted: Instant) -> Result<Duration, NoPosition> {
        let (from, to) = (Path::new(from), Path::new(to));
        let start = self.position(&from, emitted).ok_or_else(|| self.no_position(&from, emitted))?;
        let (seconds, ()) =
            self.solve(start, &to, emitted, 1e-4, |at| self.position(&to, at).map(|there| (there, ())))?;
        Ok(Duration::from_secs_f64(seconds))
    }

    /// How far above the geodetic horizon of `site` an antenna sees the light that comes in at `received` and left `source_km`
    /// (barycentric, ICRF axes), in degrees, −90 … 90.
    ///
    /// `source_km` is where the source was when the light left: [`Geometry::position_km`] one light time earlier. The site's
    /// own motion is taken in (aberration, up to 0.006° for the Earth), refraction (up to 0.09° at 10°) and the bending of
    /// light by gravity (0.0005° at the Sun's limb) are not.
    pub fn elevation_deg(&self, site: &Site, source_km: [f64; 3], received: Instant) -> f64 {
        -self.climb_deg(site, received, |position| position - Vector(source_km))
    }

    /// How far above the geodetic horizon of `site` an antenna must point at `emitted` for its light to get to
    /// `destination_km` (barycentric, ICRF axes), in degrees, −90 … 90.
    ///
    /// `destination_km` is where the destination is when the light arrives: [`Geometry::position_km`] one light time later.
    /// What is taken in and what is not is as in [`Geometry::elevation_deg`].
    pub fn aim_elevation_deg(&self, site: &Site, destination_km: [f64; 3], emitted: Instant) -> f64 {
        self.climb_deg(site, emitted, |position| Vector(destination_km) - position)
    }

    /// The angle in degrees at which light leaves the horizon of a site, for a way that is told from the site's position.
    fn climb_deg(&self, site: &Site, at: Instant, way: impl FnOnce(Vector) -> Vector) -> f64 {
        let place = Place::Site(site.clone());
        // A site has a position and a horizon at every instant.
        let Some(here) = self.locate(&Path::new(&place), at) else { return f64::NAN };
        let Some(horizon) = here.horizon else { return f64::NAN };
        let seen = seen_direction(way(here.position), self.velocity(&here, at));
        horizon.axes.z.dot(seen).clamp(-1.0, 1.0).asin().to_degrees()
    }

    pub(crate) fn center(&self, body: Body, at: Instant) -> Vector {
        self.ephemeris.position_km(body, self.clock.tdb_ns(at))
    }

    /// How fast the centre of a body moves, in km/s against the barycentre.
    pub(crate) fn center_velocity(&self, body: Body, at: Instant) -> Vector {
        // Over two minutes the difference is off by the third derivative, below 1e-8 km/s for every planet and the Moon.
        const HALF: Duration = Duration::from_secs(60);
        (self.center(body, at + HALF) - self.center(body, at - HALF)) * (0.5 / HALF.as_secs_f64())
    }

    /// The velocity in km/s against the barycentre of what was located at `at`.
    pub(crate) fn velocity(&self, located: &Located, at: Instant) -> Vector {
        self.center_velocity(located.center, at) + located.relative_velocity
    }

    pub(crate) fn pole(&self, body: Body, at: Instant) -> Vector {
        self.rotation.pole(body, self.clock.tdb_ns(at))
    }

    /// The axes that turn with a body.
    pub(crate) fn body_axes(&self, body: Body, at: Instant) -> Axes {
        self.rotation.axes(body, self.clock.tdb_ns(at), || self.clock.earth_rotation_angle(at))
    }

    /// The axes of SGP4: true equator and mean equinox of date (TEME).
    ///
    /// In them the Earth is turned by the Greenwich mean sidereal time of 1982 (Aoki et al.; Vallado et al. 2006, AIAA
    /// 2006-6753, appendix C). From the terrestrial origin, where the Earth rotation angle leads, that time leads back to TEME.
    pub(crate) fn teme_axes(&self, at: Instant) -> Axes {
        let tdb = self.clock.tdb_ns(at);
        let days = self.clock.tt_ns(at) as f64 / 86_400e9;
        self.rotation.axes(Body::Earth, tdb, || rotation_ahead_of_sidereal_time(days))
    }

    pub(crate) fn tt_ns(&self, at: Instant) -> i64 {
        self.clock.tt_ns(at)
    }

    #[cfg(feature = "spice")]
    pub(crate) fn tdb_ns(&self, at: Instant) -> i64 {
        self.clock.tdb_ns(at)
    }

    /// The instant that is `tt_ns` nanoseconds after J2000.
    pub(crate) fn instant_at(&self, tt_ns: i64) -> Instant {
        Instant::from_nanos(tt_ns.saturating_sub(self.clock.tt_ns(Instant::ZERO)))
    }

    /// The light time in seconds from `start`, left at `emitted`, to `to`; and `to` as the light arrives, up to `slack` seconds
    /// off (at most 1e-4). The light time itself is good to a tenth of a nanosecond either way.
    pub(crate) fn travel(
        &self,
        start: Vector,
        to: &Path,
        emitted: Instant,
        slack: f64,
    ) -> Result<(f64, Located), NoPosition> {
        self.solve(start, to, emitted, slack, |at| self.locate(to, at).map(|there| (there.position, there)))
    }

    /// As [`Geometry::travel`], with what `locate` finds beside the position of `to`.
    fn solve<T>(
        &self,
        start: Vector,
        to: &Path,
        emitted: Instant,
        slack: f64,
        locate: impl Fn(Instant) -> Option<(Vector, T)>,
    ) -> Result<(f64, T), NoPosition> {
        // Whether an instant is covered, and the nearest that is: a guess may lie outside an ephemeris that holds the answer.
        let covered = |at: Instant| {
            let tt = self.tt_ns(at);
            let near = to.nearest(tt);
            if near == tt { (true, at) } else { (false, self.instant_at(near)) }
        };
        // From the centre, which costs less than the place and is right to a tenth of a second.
        let mut guess = (self.center(to.body(), emitted) - start).length() / SPEED_OF_LIGHT_KM_S;
        let mut last: Option<(f64, f64)> = None;
        // Every round takes the error times v/c, 1e-4, and the secant another such factor; the bound only stops nonsense.
        let mut rounds = 0;
        loop {
            rounds += 1;
            let at = emitted + Duration::from_secs_f64(guess);
            let (position, there) = locate(covered(at).1).ok_or_else(|| self.no_position(to, at))?;
            let rest = (position - start).length() / SPEED_OF_LIGHT_KM_S - guess;
            let step = match last {
                Some((old_guess, old_rest)) if old_rest != rest => rest * (guess - old_guess) / (old_rest - rest),
                _ => rest,
            };
            // After a plain step an error of v/c times the step is left; after a secant, nothing.
            let enough = if last.is_some() { slack } else { slack.min(1e-7) };
            last = Some((guess, rest));
            guess += step;
            if step.abs() < enough || !step.is_finite() || rounds == 20 {
                let arrival = emitted + Duration::from_secs_f64(guess);
                return if covered(arrival).0 { Ok((guess, there)) } else { Err(self.no_position(to, arrival)) };
            }
        }
    }
}

/// How far the Earth rotation angle is ahead of the Greenwich mean sidereal time of 1982, in radians, `days` after J2000.
///
/// Both run with UT1, and the difference by three turns in a thousand years, so that UT1 need not be told from TT here.
fn rotation_ahead_of_sidereal_time(days: f64) -> f64 {
    let t = days / 36_525.0;
    let sidereal_s = 67_310.548_41 + t * (8_640_184.812_866 + t * (0.093_104 - t * 6.2e-6));
    TAU * fraction(0.779_057_273_264_0 + 0.002_737_811_911_354_48 * days - sidereal_s / 86_400.0)
}

/// The direction of light that goes along `way` (of any length) for one who moves at `velocity` km/s.
pub(crate) fn seen_direction(way: Vector, velocity: Vector) -> Vector {
    (way * (1.0 / way.length())).seen_at(velocity * (1.0 / SPEED_OF_LIGHT_KM_S))
}

impl fmt::Debug for Geometry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Geometry").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}
