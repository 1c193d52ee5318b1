//! The state of a run at one instant, made of the events up to then.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use farlink_record::counters::{ChannelCounters, channel_of};
use farlink_record::{
    BundleNotice, ChannelId, Event, Header, LossCause, LtpNotice, NodeId, Stamped, TrafficId, TrafficInfo,
};
use farlink_units::{Duration, Instant};

/// How many lines of the log are kept; more than the tallest screen shows.
const LOG_LINES: usize = 128;
/// How far back a loss looks for a line of its kind to be counted into, so that two lossy channels do not flood the log.
const LOG_LOOKBACK: usize = 6;

/// The state of a run at one instant.
#[derive(Clone, Debug)]
pub struct Model {
    header: Arc<Header>,
    now: Instant,
    channels: Vec<Channel>,
    traffic: Vec<Traffic>,
    log: VecDeque<LogLine>,
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

/// A line of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    /// When it happened; for losses, when the last one did.
    pub at: Instant,
    /// What happened.
    pub what: LogItem,
}

/// What a line of the log tells.
#[derive(Clone, Debug, PartialEq)]
pub enum LogItem {
    /// One event.
    Event(Event),
    /// Frames that a channel lost for one cause, counted together.
    Losses {
        /// Which channel.
        channel: ChannelId,
        /// Why.
        cause: LossCause,
        /// How many.
        frames: u64,
    },
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
            log: VecDeque::new(),
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
            if let Some(channel) = self.channels.get_mut(usize::from(index)) {
                channel.apply(&stamped.event);
                self.log_channel(stamped);
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
        self.push_log(stamped.at, LogItem::Event(stamped.event.clone()));
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

    fn log_channel(&mut self, stamped: &Stamped) {
        match stamped.event {
            Event::ContactOpened { .. } | Event::ContactClosed { .. } => {
                self.push_log(stamped.at, LogItem::Event(stamped.event.clone()));
            }
            Event::FrameLost { channel, cause, .. } => {
                let like = |line: &LogLine| matches!(line.what, LogItem::Losses { channel: c, cause: k, .. } if (c, k) == (channel, cause));
                let recent = self.log.len().saturating_sub(LOG_LOOKBACK);
                let frames = match (recent..self.log.len()).rev().find(|&at| like(&self.log[at])) {
                    Some(at) => match self.log.remove(at) {
                        Some(LogLine { what: LogItem::Losses { frames, .. }, .. }) => frames + 1,
                        _ => 1,
                    },
                    None => 1,
                };
                self.push_log(stamped.at, LogItem::Losses { channel, cause, frames });
            }
            _ => {}
        }
    }

    fn push_log(&mut self, at: Instant, what: LogItem) {
        if self.log.len() == LOG_LINES {
            self.log.pop_front();
        }
        self.log.push_back(LogLine { at, what });
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
        self.log.iter()
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
    fn apply(&mut self, event: &Event) {
        self.counters.apply(event);
        match *event {
            Event::ContactOpened { until, light_time, .. } => {
                self.open_until = Some(until);
                self.light_time = Some(light_time.into());
            }
            Event::ContactClosed { .. } => self.open_until = None,
            Event::LightTime { light_time, .. } => self.light_time = Some(light_time.into()),
            _ => {}
        }
    }
}
