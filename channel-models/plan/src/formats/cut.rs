//! Cutting contacts into stretches over which a format can tell one value.

use farlink_units::{Duration, Instant, Ratio};

use super::{Loss, Rounding};
use crate::calendar::{at_s, ceil_s, floor_s, seconds};
use crate::{Contact, LightTime, Piece, Rate};

const NANOS: i64 = 1_000_000_000;

/// A stretch of a contact with one value for everything.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Flat {
    pub start: Instant,
    pub end: Instant,
    pub rate: Rate,
    pub bit_error_rate: Option<Ratio>,
    pub light_time: Option<Duration>,
}

/// Cuts a contact where a rate changes, where bit errors do (if they are written), and where one light time would be wrong by more
/// than `tolerance`.
pub(super) fn flat(contact: &Contact, tolerance: Duration, bit_errors: bool) -> Vec<Flat> {
    let mut cuts: Vec<Instant> = contact.rate.changes.iter().map(|(at, _)| *at).collect();
    if let Some(steps) = contact.bit_error_rate.as_ref().filter(|_| bit_errors) {
        cuts.extend(steps.changes.iter().map(|(at, _)| *at));
    }
    let light = light_spans(contact, tolerance);
    cuts.extend(light.iter().map(|span| span.0));
    cuts.push(contact.start);
    cuts.retain(|at| (contact.start..contact.end).contains(at));
    cuts.sort_unstable();
    cuts.dedup();

    let ends = cuts.iter().skip(1).copied().chain([contact.end]);
    let mut light = light.into_iter().peekable();
    let mut stretches = Vec::with_capacity(cuts.len());
    for (start, end) in cuts.iter().copied().zip(ends) {
        while light.next_if(|span| span.1 <= start).is_some() {}
        let light_time = light.peek().and_then(|span| span.2);
        let bit_error_rate = contact.bit_error_rate.as_ref().filter(|_| bit_errors).map(|steps| *steps.at(start));
        stretches.push(Flat { start, end, rate: *contact.rate.at(start), bit_error_rate, light_time });
    }
    stretches
}

/// Spans that cover the contact, with a light time that is right within the tolerance.
fn light_spans(contact: &Contact, tolerance: Duration) -> Vec<(Instant, Instant, Option<Duration>)> {
    // A nanosecond more would make no sense: light times are counted in them.
    let room = tolerance.max(Duration::from_nanos(1)).saturating_mul(2);
    let mut open = Open { room, spans: Vec::new(), now: None };
    let mut known = contact.start;
    for piece in contact.light_time.within(contact.start, contact.end).pieces() {
        if known < piece.start {
            open.close(known);
            open.spans.push((known, piece.start, None));
        }
        if piece.first == piece.last {
            // One value already: told as it is, however near the next one.
            open.close(piece.start);
            open.spans.push((piece.start, piece.end, Some(piece.first)));
        } else {
            open.take(*piece);
        }
        known = piece.end;
    }
    open.close(known);
    if known < contact.end {
        open.spans.push((known, contact.end, None));
    }
    open.spans
}

/// Collects pieces for as long as one value stands for all of them.
struct Open {
    room: Duration,
    spans: Vec<(Instant, Instant, Option<Duration>)>,
    /// Since when, the least and the greatest value.
    now: Option<(Instant, Duration, Duration)>,
}

impl Open {
    fn take(&mut self, piece: Piece) {
        let mut at = piece.start;
        loop {
            let value = piece.at(at);
            let (since, least, most) = self.now.unwrap_or((at, value, value));
            let fits = |value: Duration| value.max(most) - value.min(least) <= self.room;
            if !fits(value) {
                self.close(at);
                continue;
            }
            // A value is wanted that holds for the whole of a short end rather than for none of it.
            let until = last_that(at, piece.end, |t| fits(piece.at(t)));
            let last = piece.at(until);
            self.now = Some((since, least.min(value).min(last), most.max(value).max(last)));
            if until >= piece.end {
                return;
            }
            at = if until > at { until } else { at + Duration::from_nanos(1) };
            self.close(at);
        }
    }

    fn close(&mut self, at: Instant) {
        if let Some((since, least, most)) = self.now.take()
            && since < at
        {
            let middle = least + Duration::from_nanos((most - least).as_nanos() / 2);
            self.spans.push((since, at, Some(middle)));
        }
    }
}

/// The last instant of `from` … `to` for which `holds`, which does for the first ones and not for those after.
fn last_that(from: Instant, to: Instant, holds: impl Fn(Instant) -> bool) -> Instant {
    if holds(to) {
        return to;
    }
    let (mut yes, mut no) = (i128::from(from.as_nanos()), i128::from(to.as_nanos()));
    while no - yes > 1 {
        let middle = (yes + no) / 2;
        *(if holds(Instant::from_nanos(middle as i64)) { &mut yes } else { &mut no }) = middle;
    }
    Instant::from_nanos(yes as i64)
}

/// A stretch of whole seconds with a light time of whole seconds, if it is known there.
pub(super) type Seconds = (i64, i64, Option<u64>);

/// Light time by whole seconds from `start_s` to `end_s`. A second counts by its beginning, or, rounded up, by its worst.
pub(super) fn by_seconds(light: &LightTime, start_s: i64, end_s: i64, rounding: Rounding) -> Vec<Seconds> {
    let mut spans: Vec<Seconds> = Vec::new();
    let mut at = start_s;
    while at < end_s {
        let value = second(light, at, rounding);
        // As far as the piece goes in whole seconds, it rises or falls all the way.
        let whole = match light.pieces().get(first_piece(light, at)) {
            Some(piece) if value.is_some() && ceil_s(piece.start) <= at => floor_s(piece.end).clamp(at + 1, end_s),
            Some(piece) if value.is_none() => floor_s(piece.start).clamp(at + 1, end_s),
            Some(_) => at + 1,
            None => end_s,
        };
        let (mut same, mut other) = (at, whole);
        if second(light, whole - 1, rounding) == value {
            same = whole - 1;
        } else {
            other -= 1;
        }
        while other - same > 1 {
            let middle = same + (other - same) / 2;
            *(if second(light, middle, rounding) == value { &mut same } else { &mut other }) = middle;
        }
        match spans.last_mut() {
            Some(before) if before.2 == value => before.1 = same + 1,
            _ => spans.push((at, same + 1, value)),
        }
        at = same + 1;
    }
    spans
}

/// The first piece that is not over at the start of a second.
fn first_piece(light: &LightTime, second: i64) -> usize {
    let at = at_s(second).unwrap_or(Instant::MAX);
    light.pieces().partition_point(|piece| piece.end <= at)
}

fn second(light: &LightTime, second: i64, rounding: Rounding) -> Option<u64> {
    let start = at_s(second).unwrap_or(Instant::MAX);
    let end = start + Duration::from_secs(1);
    let pieces = light.pieces()[first_piece(light, second)..].iter().map_while(|piece| piece.within(start, end));
    let nanos = match rounding {
        Rounding::Nearest => pieces.map(|piece| piece.first).next()?.as_nanos().saturating_add(NANOS / 2),
        Rounding::Up => pieces.map(|piece| piece.first.max(piece.last)).max()?.as_nanos().saturating_add(NANOS - 1),
    };
    Some(nanos.max(0) as u64 / NANOS as u64)
}

/// A contact's times in whole seconds: none that is outside of it.
pub(super) fn whole_seconds(contact: &Contact) -> (i64, i64) {
    let end = if contact.end == Instant::MAX { super::NEVER_S } else { floor_s(contact.end) };
    (ceil_s(contact.start), end)
}

/// Says that the light time of a contact is written as something else, if it is.
pub(super) fn light_time_loss(contact: &Contact, written: &[(Instant, Instant, Option<Duration>)]) -> Option<Loss> {
    let piece = |span: &(Instant, Instant, Option<Duration>)| span.2.map(|d| Piece::constant(span.0, span.1, d));
    let mut told = LightTime::new(written.iter().filter_map(piece).collect());
    told.tidy();
    if told == contact.light_time {
        return None;
    }
    Some(Loss::of(contact, "light time", describe(&contact.light_time), describe(&told)))
}

/// `480 s`, `480.25 s to 481 s in 12 pieces`, `unknown`.
pub(super) fn describe(light: &LightTime) -> String {
    let (Some(least), Some(most)) = (light.min(), light.max()) else { return "unknown".to_owned() };
    let pieces = light.pieces().len();
    let (least, most) = (seconds(least.as_nanos()), seconds(most.as_nanos()));
    match (least == most, pieces) {
        (true, 1) => format!("{least} s"),
        (true, _) => format!("{least} s in {pieces} pieces"),
        (false, 1) => format!("{least} s to {most} s, linear"),
        (false, _) => format!("{least} s to {most} s in {pieces} pieces"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NodeId, Steps};

    fn s(secs: f64) -> Instant {
        Instant::from_secs_f64(secs)
    }

    fn contact(light_time: LightTime) -> Contact {
        let mut contact = Contact::new(NodeId::ipn(1), NodeId::ipn(2), s(0.0), s(100.0));
        contact.light_time = light_time;
        contact
    }

    fn rising() -> LightTime {
        LightTime::sampled(&[
            (s(0.0), Duration::from_secs(10)),
            (s(50.0), Duration::from_secs(12)),
            (s(100.0), Duration::from_secs(13)),
        ])
    }

    #[test]
    fn one_value_stays_within_the_tolerance() {
        for tolerance in [1_000_000_000, 500_000_000, 30_000_000] {
            let tolerance = Duration::from_nanos(tolerance);
            let stretches = flat(&contact(rising()), tolerance, false);
            assert_eq!((stretches[0].start, stretches.last().unwrap().end), (s(0.0), s(100.0)));
            assert!(stretches.windows(2).all(|pair| pair[0].end == pair[1].start));
            for tenth in 0..1000 {
                let at = s(f64::from(tenth) / 10.0);
                let stretch = stretches.iter().find(|f| f.start <= at && at < f.end).unwrap();
                let off = stretch.light_time.unwrap() - rising().at(at).unwrap();
                assert!(off.as_nanos().abs() <= tolerance.as_nanos(), "{off} at {at}");
            }
            let least = 3_000_000_000 / (2 * tolerance.as_nanos());
            assert!((stretches.len() as i64 - least).abs() <= 2, "{} stretches for {least}", stretches.len());
        }
    }

    #[test]
    fn rates_and_gaps_are_cut_exactly() {
        let mut contact = contact(LightTime::constant(s(10.5), s(90.0), Duration::from_secs(1)));
        contact.rate = Steps { first: Rate::Limited(1), changes: vec![(s(50.0), Rate::Limited(2))] };
        let told: Vec<_> =
            flat(&contact, Duration::ZERO, true).iter().map(|f| (f.start, f.light_time.is_some(), f.rate)).collect();
        let (slow, fast) = (Rate::Limited(1), Rate::Limited(2));
        assert_eq!(told, [(s(0.0), false, slow), (s(10.5), true, slow), (s(50.0), true, fast), (s(90.0), false, fast)]);
    }

    #[test]
    fn whole_seconds_are_within_half_a_second() {
        let spans = by_seconds(&rising(), 0, 100, Rounding::Nearest);
        assert_eq!(spans, [(0, 13, Some(10)), (13, 38, Some(11)), (38, 75, Some(12)), (75, 100, Some(13))]);
        // 10.5 s at 12.5: the second that begins at 12 counts as 10.48.
        let up = by_seconds(&rising(), 0, 100, Rounding::Up);
        assert_eq!(up, [(0, 25, Some(11)), (25, 50, Some(12)), (50, 100, Some(13))]);
        for (start, end, value) in up {
            assert!(
                (start..end)
                    .all(|t| rising().at(s(t as f64 + 0.999)).unwrap() <= Duration::from_secs(value.unwrap() as i64))
            );
        }
    }

    #[test]
    fn gaps_and_steps_show_in_seconds() {
        let piece = |a, b, d| Piece::constant(s(a), s(b), Duration::from_secs(d));
        let light = LightTime::new(vec![piece(2.5, 4.25, 1), piece(4.25, 8.0, 7), piece(20.0, 1e6, 9)]);
        let spans = by_seconds(&light, 0, 30, Rounding::Nearest);
        assert_eq!(spans, [(0, 2, None), (2, 5, Some(1)), (5, 8, Some(7)), (8, 20, None), (20, 30, Some(9))]);
        assert_eq!(by_seconds(&LightTime::UNKNOWN, -5, 5, Rounding::Nearest), [(-5, 5, None)]);
        assert!(by_seconds(&light, 5, 5, Rounding::Nearest).is_empty());
    }
}
