//! Conditions on a way of light, and how long they are bound to hold.
//!
//! A [`Guard`] has a value in km that is continuous in time and negative where the condition fails. With bounds on the
//! motion it knows a span in which the value cannot change its sign, whatever happens in between: the search for contacts
//! steps from span to span, so that nothing between two steps can be missed.
//!
//! With p the rate of the value now, and a bound B on its second derivative during the next w seconds, the sign is kept at
//! least until |value| + p τ − B τ² / 2 is zero (p counted positive where the value grows away from zero). With a bound L on
//! its rate it is kept until |value| / L. Both are proofs, and the longer span counts. Near a simple zero the first one
//! converges on it like Newton's method, and from the safe side.
//!
//! Rates are worked out without aberration and without the change of the light time, each a part of v/c: 1e-4 for the planets,
//! 1.5e-3 for an orbit that grazes the Sun. They count as wrong by [`SLACK`] times the bound on the rate, and second derivatives
//! are taken greater by [`ROOM`].

use crate::vector::Vector;

/// How much the rate may be off, as a part of the bound on it.
const SLACK: f64 = 4e-3;
/// What the bounds on second derivatives are multiplied with.
const ROOM: f64 = 1.01;
/// The longest span that is looked ahead, in seconds.
const LONGEST_S: f64 = 10.0 * 86_400.0;

/// One condition on one way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guard {
    /// Negative where the condition fails, in km.
    pub(crate) value: f64,
    /// For how many seconds the sign is kept.
    pub(crate) safe_s: f64,
}

impl Guard {
    pub(crate) fn clear(&self) -> bool {
        self.value >= 0.0
    }

    /// The same condition, safe only as long as another one is.
    pub(crate) fn until(self, other: &Guard) -> Guard {
        Guard { safe_s: self.safe_s.min(other.safe_s), ..self }
    }

    /// `speed` bounds the rate and `bend` the second derivative, both during the next `window` seconds.
    fn new(value: f64, rate: f64, speed: f64, bend: f64, window: f64) -> Guard {
        let away = rate * value.signum() - SLACK * speed;
        let (value_abs, bend) = (value.abs(), bend * ROOM);
        let first = value_abs / speed;
        let second = (away + (away * away + 2.0 * bend * value_abs).sqrt()) / bend;
        Guard::known(value, f64::max(first, second).min(window).min(LONGEST_S))
    }

    /// A condition that keeps its sign for `safe_s` seconds. Where there is no number, as for places that coincide, it fails
    /// and nothing is safe.
    pub(crate) fn known(value: f64, safe_s: f64) -> Guard {
        Guard {
            value: if value.is_nan() { f64::NEG_INFINITY } else { value },
            safe_s: if safe_s.is_finite() { safe_s.max(0.0) } else { 0.0 },
        }
    }
}

/// How long until a motion at `speed` that speeds up by at most `acceleration` can have gone `distance`.
pub(crate) fn window(distance: f64, speed: f64, acceleration: f64) -> f64 {
    let root = (speed * speed + 2.0 * acceleration * distance).sqrt();
    // The same as (root − speed) / acceleration, and right where that is nothing.
    (2.0 * distance / (root + speed)).min(LONGEST_S)
}

/// The condition that a line points near enough to an axis, or far enough from it: the sign of the line's part along the axis
/// less `weight` times its length.
pub(crate) struct Cone {
    /// The value itself, aberration and all.
    pub(crate) value: f64,
    pub(crate) axis: Vector,
    pub(crate) axis_rate: Vector,
    /// Bounds on the first and second derivative of the axis.
    pub(crate) turn: f64,
    pub(crate) bend: f64,
    /// The cosine of the angle to the axis at which the value is zero.
    pub(crate) weight: f64,
}

impl Cone {
    /// Positive inside the cone. `line` in km changes by `rate`, and that by at most `acceleration`.
    pub(crate) fn inside(&self, line: Vector, rate: Vector, acceleration: f64) -> Guard {
        self.guard(line, rate, acceleration, f64::INFINITY, 1.0)
    }

    fn guard(&self, line: Vector, rate: Vector, acceleration: f64, most: f64, sense: f64) -> Guard {
        let (range, speed) = (line.length(), rate.length());
        let weight = self.weight.abs();
        let within = window(0.5 * range, speed, acceleration).min(most);
        let (near, far, fast) = (0.5 * range, 1.5 * range, speed + acceleration * within);
        let inside = self.axis_rate.dot(line) + self.axis.dot(rate) - self.weight * line.dot(rate) / range;
        Guard::new(
            self.value,
            inside * sense,
            self.turn * far + (1.0 + weight) * fast,
            self.bend * far + 2.0 * self.turn * fast + (1.0 + weight) * acceleration + weight * fast * fast / near,
            within,
        )
    }
}

/// The condition that `line` stays away from the direction of a body by more than the angle whose cosine is `weight`.
pub(crate) fn outside_cone(
    to_body: Vector,
    body_rate: Vector,
    body_acceleration: f64,
    weight: f64,
    line: Vector,
    rate: Vector,
    acceleration: f64,
) -> Guard {
    let (distance, speed) = (to_body.length(), body_rate.length());
    let within = window(0.5 * distance, speed, body_acceleration);
    let (near, fast) = (0.5 * distance, speed + body_acceleration * within);
    let axis = to_body * (1.0 / distance);
    let cone = Cone {
        value: weight * line.length() - axis.dot(line),
        axis,
        axis_rate: (body_rate - axis * axis.dot(body_rate)) * (1.0 / distance),
        turn: fast / near,
        bend: body_acceleration / near + 3.0 * (fast / near) * (fast / near),
        weight,
    };
    cone.guard(line, rate, acceleration, within, -1.0)
}

/// The condition that `line` is no longer than `most`, in km.
pub(crate) fn within_range(most: f64, line: Vector, rate: Vector, acceleration: f64) -> Guard {
    let (range, speed) = (line.length(), rate.length());
    let within = window(0.5 * range, speed, acceleration);
    let fast = speed + acceleration * within;
    let bend = acceleration + fast * fast / (0.5 * range);
    Guard::new(most - range, -line.dot(rate) / range, fast, bend, within)
}

/// The condition that `line` clears the land, `value` km above it, while it is no higher than `highest` (radians): land that
/// rises by `steepest` per azimuth, about a site that turns by `turn`.
pub(crate) fn along_land(
    value: f64,
    steepest: f64,
    highest: f64,
    turn: f64,
    line: Vector,
    rate: Vector,
    acceleration: f64,
) -> Guard {
    let (range, speed) = (line.length(), rate.length());
    let within = window(0.5 * range, speed, acceleration);
    let fast = speed + acceleration * within;
    // How fast the end of the line moves over the sky; an azimuth changes the faster the higher it is.
    let sky = turn * 1.5 * range + fast;
    Guard::new(value, 0.0, 2.0 * sky * (1.0 + SLACK) + steepest * sky / highest.cos(), f64::INFINITY, within)
}

/// A line and the body that it must pass: all against the body's centre and stretched so that the body is a sphere.
pub(crate) struct Segment {
    pub(crate) start: Vector,
    pub(crate) line: Vector,
    /// Where the line is nearest to the centre, 0 … 1.
    pub(crate) along: f64,
    pub(crate) start_rate: Vector,
    pub(crate) end_rate: Vector,
    /// Bounds on the accelerations of the two ends.
    pub(crate) start_bend: f64,
    pub(crate) end_bend: f64,
}

impl Segment {
    /// The condition that the line is farther from the centre than `radius`.
    ///
    /// The distance is that of the point q = start (1 − s) + end s with the s that makes it least, so its rate is that of q at
    /// fixed s. Its second derivative follows from that of the least value F of |q|²/2, which lies between
    /// q′² + q·q″ − (∂²/∂t∂s)² / l² and q′² + q·q″, with l the length of the line.
    pub(crate) fn clear_of(&self, radius: f64) -> Guard {
        let nearest = self.start + self.line * self.along;
        let end = self.start + self.line;
        let (distance, length) = (nearest.length(), self.line.length());
        let rate = nearest.dot(self.start_rate * (1.0 - self.along) + self.end_rate * self.along) / distance;

        let (start_speed, end_speed) = (self.start_rate.length(), self.end_rate.length());
        let bend = self.start_bend.max(self.end_bend);
        let swing = (self.end_rate - self.start_rate).length();
        let swing_bend = self.start_bend + self.end_bend;
        let within =
            window(0.5 * distance, start_speed.max(end_speed), bend).min(window(0.5 * length, swing, swing_bend));
        let fast = [start_speed + self.start_bend * within, end_speed + self.end_bend * within];
        // How much of the motion of each end the nearest point can share: as the nearest point is no farther from the centre
        // than either end, it is within twice an end's distance of that end.
        let (short, far) = (0.5 * length, 1.5 * distance);
        let share = |opposite: f64, speed: f64| (2.0 * (opposite + speed * within) / short).min(1.0);
        let parts = [share(end.length(), fast[1]), share(self.start.length(), fast[0])];
        let speed = (parts[0] * fast[0] + parts[1] * fast[1]).min(fast[0].max(fast[1]));
        let pull = (parts[0] * self.start_bend + parts[1] * self.end_bend).min(bend);
        let turning = speed + far * (swing + swing_bend * within) / short;
        let second = (turning * turning + speed * speed) / (0.5 * distance) + 3.0 * pull;
        Guard::new(distance - radius, rate, speed, second, within)
    }
}
