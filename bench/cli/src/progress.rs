//! Progress lines: what a person wants to know of a run without the live view.

use std::collections::HashMap;

use farlink_record::{BundleNotice, ChannelId, Event, Header, LtpNotice, NodeId, Stamped, TrafficId};
use farlink_units::{BitRate, Duration, Size};

/// Turns events into lines. Most events give none.
#[derive(Debug)]
pub struct Progress {
    header: Header,
    /// Bytes of each traffic item that each node holds or has delivered.
    at_node: HashMap<(TrafficId, NodeId), u64>,
}

impl Progress {
    pub fn new(header: Header) -> Self {
        Progress { header, at_node: HashMap::new() }
    }

    /// What the run is, before it begins.
    pub fn title(&self) -> String {
        let header = &self.header;
        let duration: Duration = header.duration.into();
        format!("{}: {} from {}, clock {}, seed {}", header.scenario, duration, header.epoch, header.clock, header.seed)
    }

    fn node(&self, node: NodeId) -> &str {
        &self.header.nodes[usize::from(node.0)].name
    }

    fn traffic(&self, traffic: TrafficId) -> &str {
        &self.header.traffic[usize::from(traffic.0)].name
    }

    fn channel(&self, channel: ChannelId) -> &str {
        &self.header.channels[usize::from(channel.0)].name
    }

    /// The line for an event, if it deserves one.
    pub fn line(&mut self, stamped: &Stamped) -> Option<String> {
        let text = match &stamped.event {
            Event::ContactOpened { channel, until, light_time } => {
                let info = &self.header.channels[usize::from(channel.0)];
                let rate = BitRate::from_bps(info.rate_bps_at(stamped.at)).map(|r| r.to_string()).unwrap_or_default();
                let light_time: Duration = (*light_time).into();
                let until =
                    if *until < farlink_units::Instant::MAX { format!("until {until}") } else { "for good".into() };
                format!("{} opens {until}: {rate}, light time {light_time}", self.channel(*channel))
            }
            Event::ContactClosed { channel } => format!("{} closes", self.channel(*channel)),
            Event::Controlled { channel, control, by } => {
                let channel = channel.map_or("all channels", |channel| self.channel(channel));
                format!("{channel}: {control} (by {})", by.as_str())
            }
            Event::Bundle { node, traffic: Some(traffic), bytes, notice, .. } => {
                return self.bundle(stamped, *node, *traffic, *bytes, notice);
            }
            Event::Ltp { node, peer, notice: LtpNotice::Cancelled { reason, locally }, session } => {
                let who = if *locally { "gives up" } else { "is told to give up" };
                format!(
                    "{} {who} session {}:{} with {}: {reason}",
                    self.node(*node),
                    session.originator,
                    session.number,
                    self.node(*peer)
                )
            }
            Event::Arrived { traffic, bytes, intact, .. } => {
                let verdict = if *intact { "SHA-256 as sent" } else { "BUT NOT WHAT WAS SENT" };
                format!("{}: arrived, {}, {verdict}", self.traffic(*traffic), Size::from_bytes(*bytes))
            }
            Event::Ended { interrupted: true } => "interrupted".to_string(),
            Event::Ended { interrupted: false } => "end of the scenario".to_string(),
            _ => return None,
        };
        Some(format!("{}  {text}", stamped.at))
    }

    fn bundle(
        &mut self,
        stamped: &Stamped,
        node: NodeId,
        traffic: TrafficId,
        bytes: u64,
        notice: &BundleNotice,
    ) -> Option<String> {
        let total = self.header.traffic[usize::from(traffic.0)].bytes;
        let text = match notice {
            BundleNotice::Created | BundleNotice::Received { .. } => {
                let held = self.at_node.entry((traffic, node)).or_default();
                let before = *held;
                *held += bytes;
                let whole = before < total && *held >= total;
                let verb = if matches!(notice, BundleNotice::Created) { "given to" } else { "whole at" };
                whole.then(|| {
                    format!("{}: {} {verb} {}", self.traffic(traffic), Size::from_bytes(total), self.node(node))
                })?
            }
            BundleNotice::Reported { status } => {
                format!("{}: report back at {}: {}", self.traffic(traffic), self.node(node), status.join(", "))
            }
            BundleNotice::Deleted { reason } | BundleNotice::Refused { reason } => {
                format!("{}: a bundle is lost at {}: {reason}", self.traffic(traffic), self.node(node))
            }
            _ => return None,
        };
        Some(format!("{}  {text}", stamped.at))
    }
}
