//! How well the signal of a channel arrives, and which errors follow from that.

use farlink_channel_models::errors::{ErrorModel, ErrorModelError, Scintillation as Fade, scintillation_index};
use farlink_channel_models::radio::{Budget, BudgetError, Look};
use farlink_channel_models::{
    Body, End, Interval, LightTime, Place, Rate, SPEED_OF_LIGHT_KM_S, Series, SeriesError, Visibility,
};
use farlink_scenario::{Channel, Coding, Depth, Scintillation};
use farlink_units::{Duration, Instant, Ratio};
use thiserror::Error;

use crate::geometry::GeometryError;
use crate::radio::RadioPlan;

/// A contact is sampled this often at least, so that a short pass is followed as closely as a long one.
const SAMPLES_OF_A_CONTACT: i64 = 200;
/// In a minute a deep-space link hardly changes.
const LONGEST_STEP: Duration = Duration::from_secs(60);
const SHORTEST_STEP: Duration = Duration::from_millis(100);

/// Why the signal of a channel cannot be worked out.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum SignalError {
    /// There is no solar system to follow.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
    /// A term of the link budget is out of range.
    #[error("the link budget: {0}")]
    Budget(#[from] BudgetError),
    /// A number of an error process is out of range.
    #[error("the errors: {0}")]
    Errors(#[from] ErrorModelError),
    /// The radio of a channel cannot be.
    #[error("the waveform: {0}")]
    Radio(String),
    /// What was sampled along a contact is no series.
    #[error("the samples of a contact: {0}")]
    Samples(#[from] SeriesError),
}

/// Where a channel is while it carries.
pub(crate) struct Signal<'a> {
    pub(crate) contacts: &'a [Interval],
    pub(crate) light_time: &'a LightTime,
    /// What holds on a path that follows geometry.
    pub(crate) rules: Option<&'a Visibility>,
    pub(crate) end: Instant,
}

impl Signal<'_> {
    /// C/N0 in dB·Hz along the contacts.
    pub(crate) fn c_n0_db_hz(&self, budget: &Budget) -> Result<Series, SignalError> {
        self.sample(|at| Ok(budget.c_n0_db_hz(&self.look(at))?))
    }

    /// The error processes of the channel. The independent flips stand first, so that they draw the same numbers whatever
    /// else there is.
    pub(crate) fn errors(
        &self,
        channel: &Channel,
        budget: Option<(&Budget, &Series)>,
        rate: &Rate,
    ) -> Result<Vec<ErrorModel>, SignalError> {
        let mut models = vec![ErrorModel::Independent { ber: channel.ber.get() }];
        models.extend(channel.errors.iter().cloned());
        // What goes through samples needs no model of what decoding leaves.
        if let (Some(coding), None) = (&channel.coding, &channel.waveform) {
            models.push(self.coded(coding, budget, rate)?);
        }
        if models.len() > 1 && channel.ber.get() == 0.0 {
            models.remove(0);
        }
        Ok(models)
    }

    /// What the Sun adds as it comes near at the transmitter and at the receiver, each with the ratio that it adds there.
    pub(crate) fn degradations(&self, ber: [Ratio; 2]) -> Result<Vec<ErrorModel>, SignalError> {
        let (LightTime::Geometric { geometry, from, to }, Some(rules)) = (self.light_time, self.rules) else {
            return Ok(Vec::new());
        };
        let mut models = Vec::new();
        for (end, ber) in [End::Transmitter, End::Receiver].into_iter().zip(ber) {
            if ber.get() == 0.0 {
                continue;
            }
            let mut rules = rules.clone();
            match end {
                End::Transmitter => rules.receiver.sun = None,
                End::Receiver => rules.transmitter.sun = None,
            }
            let degraded = geometry.degraded(from, to, &rules, self.contacts);
            if !degraded.is_empty() {
                models.push(ErrorModel::Varying { log10_ber: within(&degraded, ber.get().log10())? });
            }
        }
        Ok(models)
    }

    /// What its frames go through, if that is samples.
    pub(crate) fn radio(
        &self,
        channel: &Channel,
        budget: Option<(&Budget, &Series)>,
        rate: &Rate,
    ) -> Result<Option<RadioPlan>, SignalError> {
        let (Some(waveform), Some(coding), Some(rate_bps), Some((budget, c_n0))) =
            (channel.waveform, &channel.coding, rate.at(Instant::ZERO), budget)
        else {
            return Ok(None);
        };
        let rate_bps = rate_bps.bps();
        let eb_n0_db = match coding.eb_n0_db {
            Some(db) => Series::constant(db),
            // The power of the budget is also that of headers and markers, which leave less for the bits of frames.
            None => {
                let for_overhead = waveform.signal.eb_n0_db_of_c_n0(0.0) + 10.0 * (rate_bps as f64).log10();
                budget.eb_n0_db(c_n0, rate)?.map(|db| db + for_overhead)?
            }
        };
        let (light_time, carrier_hz, end) = (self.light_time, budget.frequency_hz, self.end);
        let plan =
            RadioPlan::new(waveform, rate_bps, eb_n0_db, coding.code, self.contacts, light_time, carrier_hz, end);
        Ok(Some(plan.map_err(|error| SignalError::Radio(error.to_string()))?))
    }

    fn coded(
        &self,
        coding: &Coding,
        budget: Option<(&Budget, &Series)>,
        rate: &Rate,
    ) -> Result<ErrorModel, SignalError> {
        let eb_n0_db = match (coding.eb_n0_db, budget) {
            (Some(db), _) => Series::constant(db),
            (None, Some((budget, c_n0))) => budget.eb_n0_db(c_n0, rate)?,
            (None, None) => unreachable!("a code without Eb/N0 has a link budget"),
        };
        let scintillation = match &coding.scintillation {
            Some(scintillation) => Some(self.fade(scintillation)?),
            None => None,
        };
        Ok(ErrorModel::Coded { code: coding.code, eb_n0_db, scintillation })
    }

    fn fade(&self, scintillation: &Scintillation) -> Result<Fade, SignalError> {
        let index = match scintillation.depth {
            Depth::Index(m) => Series::constant(m),
            Depth::Sun(band) => self.sample(|at| Ok(scintillation_index(band, self.sun_angle_deg(at))?.min(1.0)))?,
        };
        Ok(Fade { index, fading: scintillation.fading, correlation_time: scintillation.correlation_time })
    }

    /// A function of time, sampled along the contacts; between contacts nobody asks for it.
    fn sample(&self, of: impl Fn(Instant) -> Result<f64, SignalError>) -> Result<Series, SignalError> {
        if let LightTime::Constant(_) = self.light_time {
            return Ok(Series::constant(of(Instant::ZERO)?));
        }
        let mut knots = Vec::new();
        for contact in self.contacts {
            let last = contact.end.min(self.end);
            let length = last.saturating_since(contact.start);
            let step = Duration::from_nanos(length.as_nanos() / SAMPLES_OF_A_CONTACT);
            let step = step.clamp(SHORTEST_STEP, LONGEST_STEP);
            let mut at = contact.start;
            while at < last {
                knots.push((at, of(at)?));
                at += step;
            }
            knots.push((last, of(last)?));
        }
        knots.dedup_by_key(|(at, _)| *at);
        if knots.is_empty() {
            knots.push((Instant::ZERO, of(Instant::ZERO)?));
        }
        Ok(Series::new(knots)?)
    }

    /// Range and elevation: at the end that is a site; of two, at the one on the Earth, whose air it passes, or else at the
    /// receiver. Straight up if neither is, when no table goes by it.
    pub(crate) fn look(&self, at: Instant) -> Look {
        let range_km = self.light_time.at(at).as_secs_f64() * SPEED_OF_LIGHT_KM_S;
        let elevation = match (self.light_time, self.rules) {
            (LightTime::Geometric { geometry, from, to }, Some(rules)) => {
                geometry.sight(from, to, rules, at).ok().and_then(|sight| {
                    let (here, there) = (sight.transmitter.elevation_deg, sight.receiver.elevation_deg);
                    if on_the_earth(from) && !on_the_earth(to) { here.or(there) } else { there.or(here) }
                })
            }
            _ => None,
        };
        Look { range_km, elevation_deg: elevation.unwrap_or(90.0) }
    }

    /// The angle between the Sun and the other end in the sky of the end on the Earth, for which the law of the index is made;
    /// of the receiver if no end or both are there. If the other end is on this side of the Sun, the ray ends before it comes
    /// as near to it as that angle says: then it is the angle of a ray that passes as near as the other end is. Opposite to the
    /// Sun at an instant for which an end has no position, when nothing is sent.
    fn sun_angle_deg(&self, at: Instant) -> f64 {
        const FAR_FROM_THE_SUN_DEG: f64 = 180.0;
        let (LightTime::Geometric { geometry, from, to }, Some(rules)) = (self.light_time, self.rules) else {
            unreachable!("the scenario's check lets only links that follow geometry ask for the Sun")
        };
        let Ok(sight) = geometry.sight(from, to, rules, at) else { return FAR_FROM_THE_SUN_DEG };
        let ends = [sight.transmitter.sun_angle_deg, sight.receiver.sun_angle_deg];
        let upwards = on_the_earth(from) && !on_the_earth(to);
        match if upwards { ends } else { [ends[1], ends[0]] } {
            [Some(here), Some(there)] if there > 90.0 => {
                // The law of sines gives the distance of the other end from the Sun over that of this one.
                (here.to_radians().sin() / there.to_radians().sin()).min(1.0).asin().to_degrees()
            }
            [Some(here), _] => here,
            [None, _] => FAR_FROM_THE_SUN_DEG,
        }
    }
}

/// At the Earth, or on it.
fn on_the_earth(place: &Place) -> bool {
    matches!(place, Place::Site(_) | Place::Center(_)) && place.body() == Body::Earth
}

/// A series that has `value` in the given intervals, and so little elsewhere that it never comes to pass.
fn within(intervals: &[Interval], value: f64) -> Result<Series, SeriesError> {
    const NEVER: f64 = -300.0;
    const EDGE: Duration = Duration::from_nanos(1);
    let mut knots: Vec<(Instant, f64)> = Vec::new();
    for interval in intervals {
        let before = interval.start - EDGE;
        // Intervals that touch leave no room between them.
        match knots.last().map(|(last, _)| *last >= before) {
            Some(true) => {
                knots.pop();
            }
            _ => knots.extend([(before, NEVER), (interval.start, value)]),
        }
        knots.extend([(interval.end, value), (interval.end + EDGE, NEVER)]);
    }
    Series::new(knots)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use farlink_channel_models::Geometry;

    use super::*;

    fn s(secs: i64) -> Instant {
        Instant::ZERO + Duration::from_secs(secs)
    }

    #[test]
    fn the_sun_stands_in_the_sky_of_the_earth_whoever_transmits() {
        let epoch = "2026-12-15T00:00:00 UTC".parse().unwrap();
        let geometry = Arc::new(Geometry::new(epoch));
        let [earth, mars] = [Body::Earth, Body::Mars].map(Place::Center);
        let rules = Visibility::default();
        let angle = |from: &Place, to: &Place| {
            let light_time = LightTime::Geometric { geometry: geometry.clone(), from: from.clone(), to: to.clone() };
            Signal { contacts: &[], light_time: &light_time, rules: Some(&rules), end: s(1) }.sun_angle_deg(s(0))
        };
        let (down, up) = (angle(&mars, &earth), angle(&earth, &mars));
        let at_mars = geometry.sight(&earth, &mars, &rules, s(0)).unwrap().receiver.sun_angle_deg.unwrap();
        // Two months before opposition: far from the Sun here, and within an angle of 41 deg of it there.
        assert!((down - up).abs() < 0.05, "{down} {up}");
        assert!(down > 100.0 && at_mars < 41.0, "{down} {at_mars}");
    }

    #[test]
    fn what_is_on_this_side_of_the_sun_is_not_seen_through_the_corona() {
        // Half a day before the new moon of 9 December 2026.
        let geometry = Arc::new(Geometry::new("2026-12-08T12:00:00 UTC".parse().unwrap()));
        let [earth, moon] = [Body::Earth, Body::Moon].map(Place::Center);
        let rules = Visibility::default();
        let in_the_sky = geometry.sight(&moon, &earth, &rules, s(0)).unwrap().receiver.sun_angle_deg.unwrap();
        let light_time = LightTime::Geometric { geometry, from: moon, to: earth };
        let angle =
            Signal { contacts: &[], light_time: &light_time, rules: Some(&rules), end: s(1) }.sun_angle_deg(s(0));
        assert!(in_the_sky < 10.0 && angle > 60.0, "{in_the_sky} {angle}");
    }

    #[test]
    fn a_value_holds_within_intervals_alone() {
        let interval = |start, end| Interval { start: s(start), end: s(end) };
        let series = within(&[interval(1, 2), interval(2, 3), interval(5, 6)], -4.0).unwrap();
        let at = |nanos| series.at(Instant::from_nanos(nanos));
        let second = 1_000_000_000;
        for inside in [second, 3 * second / 2, 2 * second, 3 * second, 5 * second, 6 * second] {
            assert_eq!(at(inside), -4.0, "{inside}");
        }
        for outside in [0, second - 1, 3 * second + 1, 4 * second, 5 * second - 1, 6 * second + 1, 9 * second] {
            assert_eq!(at(outside), -300.0, "{outside}");
        }
        assert!(within(&[], -4.0).is_err());
    }
}
