//! How the delay of a link runs with time.

use farlink_channel_models::{Geometry, LightTime, NoPosition, Place, SPEED_OF_LIGHT_KM_S, Visibility};
use farlink_units::{Duration, Instant};

use crate::error::{ConfigError, within};

/// Most coefficients of a polynomial.
pub const MOST_COEFFICIENTS: usize = 8;

/// Longest delay, in seconds: twelve days of light.
pub const LONGEST_DELAY_S: f64 = 1e6;

/// The delay d(t) of what arrives at time t, in seconds after the first sample of the output.
///
/// It changes by less than a second a second: what is sent first arrives first, and a source never outruns its light.
#[derive(Clone, Debug, PartialEq)]
pub enum DelayLaw {
    /// The same throughout, in seconds.
    Constant(f64),
    /// d(t) = c₀ + c₁ t + c₂ t² …
    Polynomial {
        /// The coefficients from c₀ on, in s, 1, 1/s …; from 1 to [`MOST_COEFFICIENTS`].
        coefficients: Vec<f64>,
        /// For how long they hold, in seconds from 0. After that the delay stays as it is then.
        duration_s: f64,
    },
    /// Cubic pieces between knots; level before the first and after the last. The delay and its rate are continuous.
    Knots(Vec<DelayKnot>),
}

/// What the delay is at one time of arrival.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DelayKnot {
    /// The time of arrival in seconds after the first sample of the output; may be below 0.
    pub at_s: f64,
    /// The delay in seconds.
    pub delay_s: f64,
    /// By how many seconds the delay grows for what arrives a second later. The carrier is shifted by −`rate` times itself.
    pub rate: f64,
}

impl DelayLaw {
    /// The delay between two places for what arrives from `start`, the time of the first sample, to `end`; knots every `step` of
    /// the time of emission.
    ///
    /// Delay and rate are those of [`Geometry::sight`]. Between knots a cubic leaves an error of the fourth derivative times
    /// `step`⁴/384: for a low orbit overhead and 1 s about 1e-14 s.
    ///
    /// # Errors
    /// An ephemeris that does not reach an instant.
    ///
    /// # Panics
    /// If `step` is not above zero.
    pub fn of_places(
        geometry: &Geometry,
        from: &Place,
        to: &Place,
        start: Instant,
        end: Instant,
        step: Duration,
    ) -> Result<Self, NoPosition> {
        assert!(step > Duration::ZERO, "a step is above zero, not {step}");
        let rules = Visibility::default();
        let mut knots = Vec::new();
        let mut emitted = start - geometry.light_time(from, to, start)? - step;
        loop {
            let sight = geometry.sight(from, to, &rules, emitted)?;
            let delay_s = sight.range_km / SPEED_OF_LIGHT_KM_S;
            // Against the time of emission, and then against that of arrival.
            let rate = sight.range_rate_km_s / SPEED_OF_LIGHT_KM_S;
            let at_s = (emitted - start).as_secs_f64() + delay_s;
            knots.push(DelayKnot { at_s, delay_s, rate: rate / (1.0 + rate) });
            if at_s > (end - start).as_secs_f64() {
                return Ok(DelayLaw::Knots(knots));
            }
            emitted += step;
        }
    }

    /// The delay that a channel of packets has, for what arrives from `start` to `end`; knots every `step` of the time of emission.
    ///
    /// Between places this is [`DelayLaw::of_places`]. A table gives nanoseconds, of which rates are made over two steps: they are off
    /// by up to a nanosecond over two steps, which at 8 GHz and steps of 10 s is 0.4 Hz.
    ///
    /// # Errors
    /// An ephemeris that does not reach an instant.
    ///
    /// # Panics
    /// If `step` is not above zero.
    pub fn of_light_time(
        light_time: &LightTime,
        start: Instant,
        end: Instant,
        step: Duration,
    ) -> Result<Self, NoPosition> {
        assert!(step > Duration::ZERO, "a step is above zero, not {step}");
        match light_time {
            LightTime::Constant(delay) => Ok(DelayLaw::Constant(delay.as_secs_f64())),
            LightTime::Geometric { geometry, from, to } => Self::of_places(geometry, from, to, start, end, step),
            LightTime::Table(_) => {
                let mut emitted = start - light_time.at(start) - step;
                let mut knots = Vec::new();
                loop {
                    let [before, at, after] = [emitted - step, emitted, emitted + step].map(|e| light_time.at(e));
                    let rate = (after - before).as_secs_f64() / (2.0 * step.as_secs_f64());
                    let at_s = (emitted + at - start).as_secs_f64();
                    knots.push(DelayKnot { at_s, delay_s: at.as_secs_f64(), rate: rate / (1.0 + rate) });
                    if at_s > (end - start).as_secs_f64() {
                        return Ok(DelayLaw::Knots(knots));
                    }
                    emitted += step;
                }
            }
        }
    }
}

/// A polynomial that holds for a time, around a base that is kept apart from it.
///
/// The base may be minutes and what is added to it microseconds: apart, neither takes digits from the other.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub start_s: f64,
    pub end_s: f64,
    pub base_s: f64,
    /// Of the time since `start_s`, from the first power on.
    coefficients: [f64; MOST_COEFFICIENTS - 1],
    degree: usize,
}

/// What a delay is at one time, less its base.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Motion {
    pub delay_s: f64,
    pub rate: f64,
    pub acceleration: f64,
}

impl Piece {
    fn level(start_s: f64, end_s: f64, base_s: f64) -> Self {
        Piece { start_s, end_s, base_s, coefficients: [0.0; MOST_COEFFICIENTS - 1], degree: 0 }
    }

    /// What the polynomial is so many seconds after the start of the piece.
    #[inline(always)]
    pub fn motion(&self, since_start_s: f64) -> Motion {
        let (mut delay_s, mut rate, mut half) = (0.0, 0.0, 0.0);
        for power in (0..self.degree).rev() {
            half = half * since_start_s + rate;
            rate = rate * since_start_s + delay_s;
            delay_s = delay_s * since_start_s + self.coefficients[power];
        }
        // The sum above lacks a factor of the time.
        half = half * since_start_s + rate;
        rate = rate * since_start_s + delay_s;
        delay_s *= since_start_s;
        Motion { delay_s, rate, acceleration: 2.0 * half }
    }

    /// Bounds on the delay and on its rate over the piece, from the coefficients of Bernstein.
    fn bounds(&self) -> ((f64, f64), (f64, f64)) {
        let span = self.end_s - self.start_s;
        let power = |k: usize| {
            if k == 0 { self.base_s } else { self.coefficients[k - 1] * span.powi(k as i32) }
        };
        if self.degree == 0 {
            return ((self.base_s, self.base_s), (0.0, 0.0));
        }
        let delays: Vec<f64> = (0..=self.degree).map(power).collect();
        let rates: Vec<f64> = (1..=self.degree).map(|k| power(k) * k as f64 / span).collect();
        (hull(&delays), hull(&rates))
    }
}

/// The least and the greatest Bernstein coefficient on 0 … 1 of a polynomial: it lies between them.
fn hull(powers: &[f64]) -> (f64, f64) {
    let degree = powers.len() - 1;
    let binomial = |n: usize, k: usize| (0..k).fold(1.0, |b, i| b * (n - i) as f64 / (i + 1) as f64);
    (0..=degree).map(|j| (0..=j).map(|i| binomial(j, i) / binomial(degree, i) * powers[i]).sum::<f64>()).fold(
        (f64::INFINITY, f64::NEG_INFINITY),
        |(least, most), b| {
            // Not min and max, which would pass over what is no number.
            (if b >= least { least } else { b }, if b <= most { most } else { b })
        },
    )
}

/// A law as pieces that cover all time from 0 on.
#[derive(Clone, Debug)]
pub(crate) struct Pieces {
    pub pieces: Vec<Piece>,
    pub least_s: f64,
    pub most_s: f64,
}

impl Pieces {
    /// Refuses what is no delay.
    pub fn new(law: &DelayLaw) -> Result<Self, ConfigError> {
        let delay = |field: &str, value: f64| within(field, value, 0.0..=LONGEST_DELAY_S, "from 0 to 1e6, in seconds");
        let pieces = match law {
            DelayLaw::Constant(delay_s) => {
                vec![Piece::level(0.0, f64::INFINITY, delay("delay.law", *delay_s)?)]
            }
            DelayLaw::Polynomial { coefficients, duration_s } => polynomial(coefficients, *duration_s)?,
            DelayLaw::Knots(knots) => between_knots(knots)?,
        };
        let (mut least_s, mut most_s) = (f64::INFINITY, 0.0f64);
        for (index, piece) in pieces.iter().enumerate() {
            let ((least, most), (slowest, fastest)) = piece.bounds();
            let field = format!("delay.law, from {} s on", piece.start_s);
            delay(&field, least)?;
            delay(&field, most)?;
            for rate in [slowest, fastest] {
                let words =
                    "above -1 and below 1 as the rate of the delay, in seconds a second: nothing is faster than light";
                // A bound of 1 that is touched but not reached would stop time at one end.
                within(
                    &format!("the rate of delay.law, from {} s on (piece {index})", piece.start_s),
                    rate,
                    -0.999_999..=0.999_999,
                    words,
                )?;
            }
            least_s = least_s.min(least);
            most_s = most_s.max(most);
        }
        Ok(Pieces { pieces, least_s, most_s })
    }
}

fn polynomial(coefficients: &[f64], duration_s: f64) -> Result<Vec<Piece>, ConfigError> {
    if coefficients.is_empty() || coefficients.len() > MOST_COEFFICIENTS {
        let wrong = format!("{} coefficients: give from 1 to {MOST_COEFFICIENTS}", coefficients.len());
        return Err(ConfigError::List { field: "delay.law.coefficients".into(), wrong });
    }
    for (index, c) in coefficients.iter().enumerate() {
        within(&format!("delay.law.coefficients[{index}]"), *c, -1e30..=1e30, "that is finite")?;
    }
    within("delay.law.duration_s", duration_s, 1e-9..=1e12, "from 1e-9 to 1e12, in seconds")?;
    let mut piece = Piece::level(0.0, duration_s, coefficients[0]);
    piece.degree = coefficients.len() - 1;
    piece.coefficients[..piece.degree].copy_from_slice(&coefficients[1..]);
    let last = coefficients[0] + piece.motion(duration_s).delay_s;
    Ok(vec![piece, Piece::level(duration_s, f64::INFINITY, last)])
}

fn between_knots(knots: &[DelayKnot]) -> Result<Vec<Piece>, ConfigError> {
    let field = || "delay.law.knots".to_string();
    let (Some(first), Some(last)) = (knots.first(), knots.last()) else {
        return Err(ConfigError::List { field: field(), wrong: "no knot: give at least one".into() });
    };
    for (index, knot) in knots.iter().enumerate() {
        within(&format!("delay.law.knots[{index}].at_s"), knot.at_s, -1e12..=1e12, "from -1e12 to 1e12, in seconds")?;
        within(
            &format!("delay.law.knots[{index}].delay_s"),
            knot.delay_s,
            0.0..=LONGEST_DELAY_S,
            "from 0 to 1e6, in seconds",
        )?;
        within(
            &format!("delay.law.knots[{index}].rate"),
            knot.rate,
            -0.999_999..=0.999_999,
            "above -1 and below 1, in seconds a second",
        )?;
    }
    if let Some(index) = (1..knots.len()).find(|&i| knots[i].at_s - knots[i - 1].at_s < 1e-9) {
        let wrong = format!(
            "knot {index} at {} s is not a nanosecond after the one before: sort them and drop what stands twice",
            knots[index].at_s
        );
        return Err(ConfigError::List { field: field(), wrong });
    }
    let mut pieces = vec![Piece::level(f64::NEG_INFINITY, first.at_s, first.delay_s)];
    for (a, b) in knots.iter().zip(&knots[1..]) {
        let span = b.at_s - a.at_s;
        let mean = (b.delay_s - a.delay_s) / span;
        let mut piece = Piece::level(a.at_s, b.at_s, a.delay_s);
        // The cubic of Hermite.
        piece.degree = 3;
        piece.coefficients[0] = a.rate;
        piece.coefficients[1] = (3.0 * mean - 2.0 * a.rate - b.rate) / span;
        piece.coefficients[2] = (a.rate + b.rate - 2.0 * mean) / (span * span);
        pieces.push(piece);
    }
    pieces.push(Piece::level(last.at_s, f64::INFINITY, last.delay_s));
    Ok(pieces)
}

/// A product as a whole number and a fraction from 0 to 1, the fraction to 1e-16 however large the whole is (up to 2⁵³).
pub(crate) fn product(a: f64, b: f64) -> (i64, f64) {
    let high = a * b;
    let low = a.mul_add(b, -high);
    let whole = high.floor();
    let fraction = (high - whole) + low;
    let carry = fraction.floor();
    (whole as i64 + carry as i64, fraction - carry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_polynomial_and_its_derivatives() {
        let law = DelayLaw::Polynomial { coefficients: vec![0.25, 1e-3, -2e-4, 3e-5], duration_s: 10.0 };
        let pieces = Pieces::new(&law).unwrap();
        let motion = pieces.pieces[0].motion(4.0);
        assert!((motion.delay_s - (4e-3 - 16.0 * 2e-4 + 64.0 * 3e-5)).abs() < 1e-17);
        assert!((motion.rate - (1e-3 - 8.0 * 2e-4 + 48.0 * 3e-5)).abs() < 1e-17);
        assert!((motion.acceleration - (-4e-4 + 24.0 * 3e-5)).abs() < 1e-17);
        assert!((pieces.pieces[1].base_s - (0.25 + 0.01 - 0.02 + 0.03)).abs() < 1e-15);
    }

    #[test]
    fn pieces_meet_in_value_and_rate() {
        let knots = [(-1.0, 0.003, -2e-5), (2.0, 0.002_95, -1e-5), (7.0, 0.002_97, 2e-5)];
        let knots = knots.map(|(at_s, delay_s, rate)| DelayKnot { at_s, delay_s, rate });
        let pieces = Pieces::new(&DelayLaw::Knots(knots.to_vec())).unwrap().pieces;
        assert_eq!(pieces.len(), 4);
        for (piece, knot) in pieces[1..3].iter().zip(&knots[1..]) {
            let end = piece.motion(piece.end_s - piece.start_s);
            assert!((piece.base_s + end.delay_s - knot.delay_s).abs() < 1e-18 && (end.rate - knot.rate).abs() < 1e-18);
        }
    }

    #[test]
    fn the_fraction_of_a_large_product_keeps_its_digits() {
        // 8.4e9 Hz × 1234.567 s, by integers: both are whole numbers of 2⁻⁴² and 1.
        let delay = 1234.567f64;
        let units = (delay * 2f64.powi(42)) as u128;
        assert_eq!(units as f64 / 2f64.powi(42), delay);
        let exact = 8_400_000_123u128 * units;
        let (whole, fraction) = product(8_400_000_123.0, delay);
        assert_eq!(whole as u128, exact >> 42);
        let rest = (exact & ((1 << 42) - 1)) as f64 / 2f64.powi(42);
        assert!((fraction - rest).abs() < 1e-15, "{fraction} {rest}");
        assert_eq!(product(-1.5, 1.0), (-2, 0.5));
    }

    #[test]
    fn what_is_no_delay_is_refused() {
        let knot = |at_s, delay_s, rate| DelayKnot { at_s, delay_s, rate };
        let polynomial = |c: &[f64], duration_s| DelayLaw::Polynomial { coefficients: c.to_vec(), duration_s };
        for (law, says) in [
            (DelayLaw::Constant(-1e-3), "delay.law"),
            (DelayLaw::Constant(f64::NAN), "delay.law is NaN"),
            (DelayLaw::Constant(f64::INFINITY), "1e6"),
            (polynomial(&[], 1.0), "coefficients"),
            (polynomial(&[0.0; 9], 1.0), "from 1 to 8"),
            (polynomial(&[1.0, f64::NAN], 1.0), "coefficients[1]"),
            (polynomial(&[1.0, 1e-5], f64::INFINITY), "duration_s"),
            // Falls below nothing after 10 s.
            (polynomial(&[1e-4, -1e-5], 20.0), "from 0 s on"),
            (polynomial(&[5.0, -1.0], 2.0), "rate"),
            (polynomial(&[5.0, 1.5], 2.0), "nothing is faster than light"),
            // Fast in its middle only.
            (polynomial(&[5.0, 0.0, 3.0, -2.0], 1.0), "rate"),
            (DelayLaw::Knots(vec![]), "no knot"),
            (DelayLaw::Knots(vec![knot(0.0, 1.0, 0.0), knot(0.0, 1.0, 0.0)]), "knot 1"),
            (DelayLaw::Knots(vec![knot(f64::NAN, 1.0, 0.0)]), "knots[0].at_s"),
            (DelayLaw::Knots(vec![knot(0.0, 1.0, 1.0)]), "knots[0].rate"),
            (DelayLaw::Knots(vec![knot(0.0, 1.0, 0.0), knot(1.0, 3.0, 0.0)]), "rate"),
            (polynomial(&[1e300, 1e300, 1e300], 1e12), "finite"),
        ] {
            let error = Pieces::new(&law).expect_err(&format!("{law:?}")).to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
