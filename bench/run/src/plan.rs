//! Contacts and light times of every channel, and what the nodes know of them.

use std::sync::Arc;
use std::thread;

use farlink_channel_models::{Geometry, Interval, LightTime};
use farlink_engine::schedule::{Schedule, Window};
use farlink_scenario::{Path, Scenario};
use farlink_units::{Duration, Instant};

/// How far apart the light times lie that a node knows in advance. Between them it interpolates; in low orbit the error of
/// that stays below 10 µs.
const KNOT_INTERVAL: Duration = Duration::from_secs(60);

/// One channel of the plan.
#[derive(Clone, Debug)]
pub(crate) struct ChannelPlan {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) link: usize,
    pub(crate) rate_bps: u64,
    pub(crate) ber: f64,
    pub(crate) contacts: Vec<Interval>,
    pub(crate) light_time: LightTime,
}

impl ChannelPlan {
    /// What a node at either end knows of the channel.
    pub(crate) fn schedule(&self, end_of_run: Instant) -> Schedule {
        let windows = self.contacts.iter().map(|contact| {
            let last = contact.end.min(end_of_run);
            let mut light_time = Vec::new();
            let mut at = contact.start;
            while at < last {
                light_time.push((at, self.light_time.at(at)));
                if matches!(self.light_time, LightTime::Constant(_)) {
                    break;
                }
                at += KNOT_INTERVAL;
            }
            light_time.push((last, self.light_time.at(last)));
            Window { start: contact.start, end: contact.end, rate_bps: self.rate_bps, light_time }
        });
        Schedule::new(windows.collect())
    }
}

/// Plans every channel, each in a thread of its own: none depends on another, and the order of the result is that of the
/// scenario.
pub(crate) fn plan(scenario: &Scenario) -> Vec<ChannelPlan> {
    let geometry = Arc::new(Geometry::new(scenario.epoch));
    let end = Instant::ZERO + scenario.duration;
    let directions: Vec<_> = scenario
        .links
        .iter()
        .enumerate()
        .flat_map(|(index, link)| [(index, link.forward), (index, link.return_)])
        .collect();
    thread::scope(|scope| {
        let planned: Vec<_> = directions
            .into_iter()
            .map(|(link, channel)| {
                let geometry = geometry.clone();
                scope.spawn(move || plan_channel(scenario, link, &channel, geometry, end))
            })
            .collect();
        planned.into_iter().map(|p| p.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

fn plan_channel(
    scenario: &Scenario,
    link: usize,
    channel: &farlink_scenario::Channel,
    geometry: Arc<Geometry>,
    end: Instant,
) -> ChannelPlan {
    let at = |node: usize| scenario.nodes[node].place.clone();
    let (contacts, light_time) = match &scenario.links[link].path {
        Path::Fixed { light_time, contacts } => {
            let contacts = contacts.iter().map(|(start, end)| Interval { start: *start, end: *end }).collect();
            (contacts, LightTime::Constant(*light_time))
        }
        Path::Geometry(rules) => match (at(channel.from), at(channel.to)) {
            (Some(from), Some(to)) => {
                let contacts = geometry.contacts(&from, &to, rules, Instant::ZERO, end);
                (contacts, LightTime::Geometric { geometry, from, to })
            }
            // The scenario's check lets no such link through.
            _ => unreachable!("a link that follows geometry has a place at both ends"),
        },
    };
    ChannelPlan {
        from: channel.from,
        to: channel.to,
        link,
        rate_bps: channel.rate.bps(),
        ber: channel.ber.get(),
        contacts,
        light_time,
    }
}
