//! The links of a scenario, to be carried between real ports.

use farlink_link::ChannelConfig;
use farlink_record::Header;
use farlink_scenario::{Scenario, Tolerance};
use farlink_units::Instant;

use crate::plan::plan;
use crate::prepare::{channel, header, unix_nanos};
use crate::run::ClockKind;
use crate::signal::SignalError;

/// What lies between the ports of a link of a scenario.
#[derive(Debug)]
pub struct LinkPhysics {
    /// The name of the link.
    pub name: String,
    /// From the node that transmits forward: its name and the channel.
    pub forward: (String, ChannelConfig),
    /// Back to it.
    pub return_: (String, ChannelConfig),
}

/// The physics of a scenario.
#[derive(Debug)]
pub struct Physics {
    /// What the recording begins with; its channels are those of the links, in their order.
    pub header: Header,
    /// Time zero in nanoseconds of Unix time.
    pub epoch_unix_nanos: i64,
    /// The links that were asked for, in that order.
    pub links: Vec<LinkPhysics>,
    /// How late the emulator may be.
    pub tolerance: Option<Tolerance>,
}

/// Why there is no such physics.
#[derive(Debug, thiserror::Error)]
pub enum PhysicsError {
    /// The scenario has no link of that name.
    #[error("the scenario has no link `{name}`; it has {known}")]
    NoLink {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A link is asked for twice.
    #[error("the link `{name}` is given ports twice")]
    Twice {
        /// Which.
        name: String,
    },
    /// The signal of a channel could not be worked out.
    #[error(transparent)]
    Signal(#[from] SignalError),
}

/// Works out contacts, light times, rates and errors of some links of a scenario. The ids of the channels are their places
/// among those of these links.
///
/// # Errors
/// There is no such link, or its signal cannot be worked out.
pub fn physics(scenario: &Scenario, names: &[String]) -> Result<Physics, PhysicsError> {
    let plans = plan(scenario)?;
    let end = Instant::ZERO + scenario.duration;
    let whole = header(scenario, ClockKind::Wall { speed: 1.0 }, &plans, &[], end);
    let mut links: Vec<LinkPhysics> = Vec::new();
    let mut channels = Vec::new();
    for name in names {
        if links.iter().any(|link| link.name == *name) {
            return Err(PhysicsError::Twice { name: name.clone() });
        }
        let of_link = |index: &usize| scenario.links[plans[*index].link].name == *name;
        let mut directions = (0..plans.len()).filter(of_link).map(|index| {
            let info = whole.channels[index].clone();
            let config = channel(scenario, channels.len(), &plans[index], &info.name)?;
            channels.push(info.clone());
            Ok::<_, SignalError>((info.name, config))
        });
        let (Some(forward), Some(return_)) = (directions.next(), directions.next()) else {
            let known: Vec<&str> = scenario.links.iter().map(|link| link.name.as_str()).collect();
            return Err(PhysicsError::NoLink { name: name.clone(), known: known.join(", ") });
        };
        links.push(LinkPhysics { name: name.clone(), forward: forward?, return_: return_? });
    }
    let header = Header { channels, ..whole };
    let epoch_unix_nanos = unix_nanos(scenario.epoch);
    Ok(Physics { header, epoch_unix_nanos, links, tolerance: scenario.tolerance })
}
