//! What every channel does over the run: contacts, light time, rate, errors; and what the nodes know of it.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use farlink_channel_models::errors::ErrorModel;
use farlink_channel_models::{Geometry, Interval, LightTime, Rate, Visibility};
use farlink_engine::schedule::{Schedule, Window};
use farlink_scenario::{Channel, Distance, Path, RateSource, Scenario};
use farlink_units::{Duration, Instant};

use crate::geometry::geometry;
use crate::radio::RadioPlan;
use crate::signal::{Signal, SignalError};

/// How far apart the light times lie that a node knows in advance. Between them it interpolates; in low orbit the error of
/// that stays below 10 µs.
const KNOT_INTERVAL: Duration = Duration::from_secs(60);

/// One channel of the plan.
#[derive(Clone, Debug)]
pub(crate) struct ChannelPlan {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) link: usize,
    pub(crate) rate: Rate,
    /// Bit error ratio of the independent flips.
    pub(crate) ber: f64,
    pub(crate) errors: Vec<ErrorModel>,
    pub(crate) radio: Option<RadioPlan>,
    pub(crate) contacts: Vec<Interval>,
    pub(crate) light_time: LightTime,
}

impl ChannelPlan {
    /// What a node at either end knows of the channel.
    pub(crate) fn schedule(&self, end_of_run: Instant) -> Schedule {
        let spans = self.contacts.iter().flat_map(|contact| spans(&self.rate, contact));
        let windows = spans.map(|(span, rate_bps)| {
            let last = span.end.min(end_of_run);
            let mut light_time = Vec::new();
            let mut at = span.start;
            while at < last {
                light_time.push((at, self.light_time.at(at)));
                if matches!(self.light_time, LightTime::Constant(_)) {
                    break;
                }
                at += KNOT_INTERVAL;
            }
            light_time.push((last, self.light_time.at(last)));
            Window { start: span.start, end: span.end, rate_bps, light_time }
        });
        Schedule::new(windows.collect())
    }

    /// The highest rate there is in a contact, in bits per second; 0 on a silent channel.
    pub(crate) fn highest_rate_bps(&self) -> u64 {
        let spans = self.contacts.iter().flat_map(|contact| spans(&self.rate, contact));
        spans.map(|(_, bps)| bps).max().or_else(|| self.rate.at(Instant::ZERO).map(|rate| rate.bps())).unwrap_or(0)
    }
}

/// The parts of a contact in which there is a rate, each with what it is in bits per second.
pub(crate) fn spans(rate: &Rate, contact: &Interval) -> Vec<(Interval, u64)> {
    let mut spans = Vec::new();
    let mut start = contact.start;
    while start < contact.end {
        let end = rate.next_change(start).map_or(contact.end, |change| change.min(contact.end));
        if let Some(rate) = rate.at(start) {
            spans.push((Interval { start, end }, rate.bps()));
        }
        start = end;
    }
    spans
}

/// Plans every channel, as many at a time as there are processors: none depends on another, and the order of the result is that
/// of the scenario.
pub(crate) fn plan(scenario: &Scenario) -> Result<Vec<ChannelPlan>, SignalError> {
    let geometry = Arc::new(geometry(scenario)?);
    let end = Instant::ZERO + scenario.duration;
    let directions: Vec<_> = scenario
        .links
        .iter()
        .enumerate()
        .flat_map(|(index, link)| [(index, &link.forward), (index, &link.return_)])
        .collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(&(link, channel)) = directions.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push(((link, channel.from), plan_channel(scenario, link, channel, geometry.clone(), end)));
        }
        done
    };
    let mut planned = thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(directions.len());
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined =
            workers.into_iter().flat_map(|w| w.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        joined.collect::<Vec<_>>()
    });
    let place = |of: &(usize, usize)| (of.0, of.1 != scenario.links[of.0].forward.from);
    planned.sort_by_key(|(of, _)| place(of));
    planned.into_iter().map(|(_, plan)| plan).collect()
}

/// What a ray of the channel must meet, where its path follows geometry.
pub(crate) fn rules_of(scenario: &Scenario, link: usize, channel: &Channel) -> Option<Visibility> {
    let link = &scenario.links[link];
    match &link.path {
        Path::Fixed { .. } => None,
        // The rules are those of the forward channel.
        Path::Geometry(rules) if channel.from == link.forward.from => Some(rules.clone()),
        Path::Geometry(rules) => Some(rules.reversed()),
    }
}

pub(crate) fn plan_channel(
    scenario: &Scenario,
    link: usize,
    channel: &Channel,
    geometry: Arc<Geometry>,
    end: Instant,
) -> Result<ChannelPlan, SignalError> {
    let path = &scenario.links[link].path;
    let rules = rules_of(scenario, link, channel);
    let (contacts, light_time) = match path {
        Path::Fixed { distance, contacts } => {
            let (light_time, (first, last)) = match distance {
                Distance::LightTime(light_time) => {
                    (LightTime::Constant(*light_time), (Instant::from_nanos(i64::MIN), Instant::MAX))
                }
                // Where the table tells nothing there is no link, as where a trajectory ends.
                Distance::Table(table) => (LightTime::Table(table.clone()), table.span()),
            };
            let contacts =
                contacts.iter().map(|(start, end)| Interval { start: first.max(*start), end: last.min(*end) });
            (contacts.filter(|contact| contact.start < contact.end).collect(), light_time)
        }
        Path::Geometry(_) => {
            let at = |node: usize| scenario.nodes[node].place.clone();
            match (at(channel.from), at(channel.to), &rules) {
                (Some(from), Some(to), Some(rules)) => {
                    let contacts = geometry.contacts(&from, &to, rules, Instant::ZERO, end);
                    (contacts, LightTime::Geometric { geometry, from, to })
                }
                // The scenario's check lets no such link through.
                _ => unreachable!("a link that follows geometry has a place at both ends"),
            }
        }
    };
    let signal = Signal { contacts: &contacts, light_time: &light_time, rules: rules.as_ref(), end };
    let backwards = channel.from != scenario.links[link].forward.from;
    let [near, far] = scenario.links[link].degraded_ber;
    let degraded_ber = if backwards { [far, near] } else { [near, far] };
    let c_n0 = match &channel.radio {
        Some(budget) => Some((budget, signal.c_n0_db_hz(budget)?)),
        None => None,
    };
    let rate = match (&channel.rate, &c_n0) {
        (RateSource::Given(rate), _) => rate.clone(),
        (RateSource::Highest { of, margin_db }, Some((budget, c_n0))) => budget.rate_following(c_n0, of, *margin_db)?,
        (RateSource::Highest { .. }, None) => unreachable!("a rate that follows the link budget has one"),
    };
    let mut errors = signal.errors(channel, c_n0.as_ref().map(|(budget, c_n0)| (*budget, c_n0)), &rate)?;
    let radio = signal.radio(channel, c_n0.as_ref().map(|(budget, c_n0)| (*budget, c_n0)), &rate)?;
    errors.extend(signal.degradations(degraded_ber)?);
    Ok(ChannelPlan {
        from: channel.from,
        to: channel.to,
        link,
        rate,
        ber: channel.ber.get(),
        errors,
        radio,
        contacts,
        light_time,
    })
}
