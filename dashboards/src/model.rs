//! The state of a run at one instant, made of the events up to then.

mod flight;
mod log;

use std::collections::BTreeSet;
use std::sync::Arc;

use farlink_record::counters::{ChannelCounters, channel_of};
use farlink_record::{BundleNotice, ChannelId, Event, Header, LtpNotice, NodeId, Stamped, TrafficId, TrafficInfo};
use farlink_units::{Duration, Instant};

pub use flight::Flight;
use log::Log;
pub use log::{LogItem, LogLine};

/// The state of a run at one instant.
#[derive(Clone, Debug)]
pub struct Model {
    header: Arc<Header>,
    now: Instant,
    channels: Vec<Channel>,
    traffic: Vec<Traffic>,
    log: Log,
    end: Option<End>,
    retransmissions: u64,
}

/// What is known of a channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Channel {
    /// What it took in, delivered and lost.
    pub counters: ChannelCounters,
    /// If it is open, until when.
    pub open_until: Option<Instant>,
    /// The light time it was last told to have.
    pub light_time: Option<Duration>,
    /// Where along it the signals are.
    pub flight: Flight,
}

/// What is known of an item of the traffic.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traffic {
    /// How much of it each node holds or has held: the source first, then in the order in which nodes took part of it, the
    /// destination always last.
    pub stages: Vec<Stage>,
    /// Set once it has arrived whole.
    pub arrival: Option<Arrival>,
    /// What the status reports asserted that came back to the source.
    pub reports: BTreeSet<String>,
    /// Bundles of it that were deleted or refused somewhere.
    pub dropped: u64,
}

/// How much of an item one node holds or has held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The node.
    pub node: NodeId,
    /// Bytes of payload in the bundles that were created or received here.
    pub taken: u64,
    /// Bytes of payload in the bundles that were handed to the application here.
    pub delivered: u64,
}

impl Stage {
    /// Bytes of payload that have been here. A reassembled bundle is delivered without having been received as such.
    pub fn bytes(&self) -> u64 {
        self.taken.max(self.delivered)
    }
}

/// How an item arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When.
    pub at: Instant,
    /// Whether it is what was sent.
    pub intact: bool,
}

/// How far an item has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It has not been sent.
    Waiting,
    /// The source holds it, and no other node has any of it.
    Stored,
    /// Some of it is beyond the source.
    Crossing,
    /// It has arrived whole.
    Arrived(Arrival),
}

impl Traffic {
    /// How far it has come.
    pub fn progress(&self) -> Progress {
        if let Some(arrival) = self.arrival {
            return Progress::Arrived(arrival);
        }
        match self.stages.split_first() {
            Some((_, beyond)) if beyond.iter().any(|stage| stage.bytes() > 0) => Progress::Crossing,
            Some((source, _)) if source.bytes() > 0 => Progress::Stored,
            _ => Progress::Waiting,
        }
    }

    fn stage(&mut self, node: NodeId) -> &mut Stage {
        let at = match self.stages.iter().position(|stage| stage.node == node) {
            Some(at) => at,
            None => {
                let before_destination = self.stages.len().saturating_sub(1);
                self.stages.insert(before_destination, Stage { node, taken: 0, delivered: 0 });
                before_destination
            }
        };
        &mut self.stages[at]
    }
}

/// How the run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// When.
    pub at: Instant,
    /// Whether it was stopped before the scenario's end.
    pub interrupted: bool,
}

impl Model {
    /// The state before the first event.
    pub fn new(header: &Header) -> Self {
        Self::before(Arc::new(header.clone()))
    }

    fn before(header: Arc<Header>) -> Self {
        let ends = |item: &TrafficInfo| {
            let stage = |node| Stage { node, taken: 0, delivered: 0 };
            Traffic { stages: vec![stage(item.from), stage(item.to)], ..Traffic::default() }
        };
        Model {
            now: Instant::ZERO,
            channels: vec![Channel::default(); header.channels.len()],
            traffic: header.traffic.iter().map(ends).collect(),
            log: Log::default(),
            end: None,
            retransmissions: 0,
            header,
        }
    }

    /// Goes back to before the first event.
    pub fn reset(&mut self) {
        *self = Self::before(Arc::clone(&self.header));
    }

    /// Takes an event in. Events come in the order of the recording; what names something that the header lacks is left out.
    pub fn apply(&mut self, stamped: &Stamped) {
        self.advance_to(stamped.at);
        if let Some(ChannelId(index)) = channel_of(&stamped.event) {
            let index = usize::from(index);
            if let (Some(channel), Some(info)) = (self.channels.get_mut(index), self.header.channels.get(index)) {
                channel.apply(stamped, info.rate_bps_at(stamped.at));
                // The rest is told by the table of channels, and is too much for a log.
                if matches!(
                    stamped.event,
                    Event::ContactOpened { .. } | Event::ContactClosed { .. } | Event::FrameLost { .. }
                ) {
                    self.log.tell(stamped.at, &stamped.event);
                }
            }
            return;
        }
        match &stamped.event {
            Event::Ltp { notice, .. } => {
                if matches!(notice, LtpNotice::Retransmitted { .. }) {
                    self.retransmissions += 1;
                }
            }
            Event::Bundle { node, traffic: Some(traffic), bytes, notice, .. } => {
                self.apply_bundle(*node, *traffic, *bytes, notice);
            }
            Event::Arrived { traffic, intact, .. } => {
                if let Some(item) = self.traffic.get_mut(usize::from(traffic.0)) {
                    item.arrival = Some(Arrival { at: stamped.at, intact: *intact });
                }
            }
            Event::Ended { interrupted } => self.end = Some(End { at: stamped.at, interrupted: *interrupted }),
            _ => {}
        }
        self.log.tell(stamped.at, &stamped.event);
    }

    fn apply_bundle(&mut self, node: NodeId, traffic: TrafficId, bytes: u64, notice: &BundleNotice) {
        let Some(item) = self.traffic.get_mut(usize::from(traffic.0)) else { return };
        match notice {
            BundleNotice::Created | BundleNotice::Received { .. } => item.stage(node).taken += bytes,
            BundleNotice::Delivered => item.stage(node).delivered += bytes,
            BundleNotice::Deleted { .. } | BundleNotice::Refused { .. } => item.dropped += 1,
            BundleNotice::Reported { status } => item.reports.extend(status.iter().cloned()),
            BundleNotice::Forwarded { .. } | BundleNotice::Duplicate => {}
        }
    }

    /// Lets the clock go on without an event; it never goes back.
    pub fn advance_to(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// What ran.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The instant shown.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The channels, in the order of the header.
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// The traffic, in the order of the header.
    pub fn traffic(&self) -> &[Traffic] {
        &self.traffic
    }

    /// The last lines of the log, oldest first.
    pub fn log(&self) -> impl DoubleEndedIterator<Item = &LogLine> + ExactSizeIterator {
        self.log.lines()
    }

    /// Set once the run has ended.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// How often LTP had to send something again.
    pub fn retransmissions(&self) -> u64 {
        self.retransmissions
    }

    /// A node's name.
    pub fn node_name(&self, node: NodeId) -> &str {
        self.header.nodes.get(usize::from(node.0)).map_or("?", |node| &node.name)
    }

    /// A channel's name.
    pub fn channel_name(&self, channel: ChannelId) -> &str {
        self.header.channels.get(usize::from(channel.0)).map_or("?", |channel| &channel.name)
    }

    /// When a channel opens next, by the plan.
    pub fn next_opening(&self, channel: ChannelId) -> Option<Instant> {
        let contacts = &self.header.channels.get(usize::from(channel.0))?.contacts;
        contacts.iter().map(|contact| contact.start).filter(|start| *start >= self.now).min()
    }
}

impl Channel {
    fn apply(&mut self, stamped: &Stamped, rate_bps: u64) {
        self.counters.apply(&stamped.event);
        match stamped.event {
            Event::ContactOpened { until, light_time, .. } => {
                self.open_until = Some(until);
                self.light_time = Some(light_time.into());
            }
            Event::ContactClosed { .. } => self.open_until = None,
            Event::LightTime { light_time, .. } => self.light_time = Some(light_time.into()),
            Event::FrameSent { bytes, start, .. } => {
                // A channel that has never been open has no light time, and carries nothing either.
                if let Some(light_time) = self.light_time {
                    let end = start + Duration::of_bits(u64::from(bytes) * 8, rate_bps);
                    self.flight.sent(stamped.at, start, end, light_time);
                }
            }
            _ => {}
        }
    }
}
