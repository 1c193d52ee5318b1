//! The link budget of a channel along its contacts, term by term.

use std::sync::Arc;

use farlink_channel_models::radio::Lines;
use farlink_scenario::Scenario;
use farlink_units::{BitRate, Duration, Instant};
use thiserror::Error;

use crate::geometry::geometry;
use crate::plan::{plan_channel, rules_of};
use crate::signal::{Signal, SignalError};

/// The budget at one instant of a contact.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetAt {
    /// When the bits leave.
    pub at: Instant,
    /// The data rate then.
    pub rate: BitRate,
    /// Every term, sum and note.
    pub lines: Lines,
}

/// Why a channel has no budget to show.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum LinkBudgetError {
    /// No link has that channel.
    #[error("no link leads from `{from}` to `{to}`: name two nodes that a link of the scenario joins")]
    NoChannel {
        /// The node that was to transmit.
        from: String,
        /// The node that was to receive.
        to: String,
    },
    /// The channel has no radio.
    #[error(
        "the channel from `{from}` to `{to}` has no radio: add `radio: {{ frequency: …, … }}` to it in the scenario"
    )]
    NoRadio {
        /// The node that transmits.
        from: String,
        /// The node that receives.
        to: String,
    },
    /// The channel could not be worked out.
    #[error(transparent)]
    Signal(#[from] SignalError),
}

/// The budget of the channel between two nodes, by their indices in the scenario: at the start and the end of each contact, and every
/// `every` in between (without it, at its quarters). Instants without a rate are left out.
///
/// # Errors
/// There is no such channel, it has no radio, or its signal cannot be worked out.
pub fn link_budget(
    scenario: &Scenario,
    from: usize,
    to: usize,
    every: Option<Duration>,
) -> Result<Vec<BudgetAt>, LinkBudgetError> {
    let names = || (scenario.nodes[from].name.clone(), scenario.nodes[to].name.clone());
    let channels = scenario.links.iter().enumerate().flat_map(|(i, link)| [(i, &link.forward), (i, &link.return_)]);
    let found = channels.into_iter().find(|(_, channel)| (channel.from, channel.to) == (from, to));
    let Some((link, channel)) = found else {
        let (from, to) = names();
        return Err(LinkBudgetError::NoChannel { from, to });
    };
    let Some(budget) = &channel.radio else {
        let (from, to) = names();
        return Err(LinkBudgetError::NoRadio { from, to });
    };
    let geometry = geometry(scenario).map_err(SignalError::from)?;
    let end = Instant::ZERO + scenario.duration;
    let plan = plan_channel(scenario, link, channel, Arc::new(geometry), end)?;
    let rules = rules_of(scenario, link, channel);
    let signal = Signal { contacts: &plan.contacts, light_time: &plan.light_time, rules: rules.as_ref(), end };
    let mut budgets = Vec::new();
    for contact in &plan.contacts {
        // The last instant inside: at the end itself there is no contact any more.
        let last = contact.end.min(end) - Duration::from_nanos(1);
        let length = last.saturating_since(contact.start).as_nanos();
        // Rounded up, so that the fourth step does not stop short of the end.
        let step = every.unwrap_or(Duration::from_nanos(length / 4 + 1)).max(Duration::from_nanos(1));
        let inside = std::iter::successors(Some(contact.start), |at| Some(*at + step)).take_while(|at| *at < last);
        for at in inside.chain([last]) {
            if let Some(rate) = plan.rate.at(at) {
                let lines = budget.at(&signal.look(at), rate).map_err(SignalError::from)?;
                budgets.push(BudgetAt { at, rate, lines });
            }
        }
    }
    Ok(budgets)
}
