//! What happens in a run, as the recording keeps it.
//!
//! The order of events is the order in which the bench took them; their times never run backwards. Nodes, channels and
//! traffic items are named by their place in the [`Header`], so that an event stays small.

use std::fmt;

use bytes::Bytes;
use farlink_units::{Duration, Instant};
use serde::{Deserialize, Serialize};

use crate::control::{Control, ControlledBy, FaultAction};

/// A node, by its place in [`Header::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u16);

/// A channel (one direction between two nodes), by its place in [`Header::channels`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChannelId(pub u16);

/// An item of the scenario's traffic, by its place in [`Header::traffic`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrafficId(pub u16);

/// The first line of a recording: what ran. It holds nothing that differs between two runs of the same input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Always [`Header::FORMAT`].
    pub format: String,
    /// Version of this event vocabulary.
    pub version: u32,
    /// Version of Farlink that recorded.
    pub farlink: String,
    /// Name of the scenario.
    pub scenario: String,
    /// SHA-256 of the scenario file, in hex.
    pub scenario_sha256: String,
    /// Seed of every random draw.
    pub seed: u64,
    /// The UTC instant that time zero stands for, in ISO 8601.
    pub epoch: String,
    /// How long the scenario lasts.
    #[serde(rename = "duration_ns")]
    pub duration: DurationNanos,
    /// The clock that drove the run: `virtual`, `wall` or `wall:<speed>`.
    pub clock: String,
    /// The nodes, in the order of the scenario.
    pub nodes: Vec<NodeInfo>,
    /// The channels, in the order of the scenario.
    pub channels: Vec<ChannelInfo>,
    /// The traffic, in the order of the scenario.
    pub traffic: Vec<TrafficInfo>,
}

impl Header {
    /// What [`Header::format`] says.
    pub const FORMAT: &str = "farlink-recording";
    /// The version that this crate writes. It reads this and [`Header::OLDEST`].
    pub const VERSION: u32 = 3;
    /// The oldest version that this crate reads: it does not tell the delays of frames, and knows fewer causes of loss. Version 2
    /// tells nothing of controls, ports and disturbances.
    pub const OLDEST: u32 = 1;
}

/// A duration that JSON holds as whole nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DurationNanos(pub i64);

impl From<Duration> for DurationNanos {
    fn from(duration: Duration) -> Self {
        DurationNanos(duration.as_nanos())
    }
}

impl From<DurationNanos> for Duration {
    fn from(nanos: DurationNanos) -> Self {
        Duration::from_nanos(nanos.0)
    }
}

/// A node of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// Its name in the scenario.
    pub name: String,
    /// Its node ID, such as `ipn:10.0`.
    pub eid: String,
}

/// A channel of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChannelInfo {
    /// `<from>→<to>`, unique within the run.
    pub name: String,
    /// The link that it belongs to.
    pub link: String,
    /// Who transmits.
    pub from: NodeId,
    /// Who receives.
    pub to: NodeId,
    /// Data rate in bits per second, the highest there is if it changes; 0 on a silent channel.
    pub rate_bps: u64,
    /// The rates from instants on, if it changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<RateInfo>,
    /// Bit error ratio.
    pub ber: f64,
    /// Every contact that the scenario gives this channel, as intervals at the transmitter.
    pub contacts: Vec<ContactInfo>,
}

/// A data rate from an instant on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateInfo {
    /// From when on.
    pub from: Instant,
    /// Bits per second; 0 is silence.
    pub bps: u64,
}

impl ChannelInfo {
    /// The data rate at an instant, in bits per second; 0 is silence.
    pub fn rate_bps_at(&self, at: Instant) -> u64 {
        match self.rates.partition_point(|rate| rate.from <= at).checked_sub(1) {
            Some(index) => self.rates[index].bps,
            None => self.rates.first().map_or(self.rate_bps, |rate| rate.bps),
        }
    }
}

/// An interval in which a channel carries.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContactInfo {
    /// First instant at which a bit may leave.
    pub start: Instant,
    /// Instant by which the last bit must have left.
    pub end: Instant,
}

/// Something that the scenario sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrafficInfo {
    /// Its name in the scenario.
    pub name: String,
    /// Who sends.
    pub from: NodeId,
    /// Who shall receive.
    pub to: NodeId,
    /// Size of the application data in bytes.
    pub bytes: u64,
}

/// An event and when it happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    /// Time since the epoch of the run.
    #[serde(rename = "t")]
    pub at: Instant,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Why a channel lost a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossCause {
    /// It was sent, wholly or in part, outside a contact.
    NoContact,
    /// The link-layer check found flipped bits.
    BitErrors,
    /// The transmit queue had no room.
    QueueFull,
    /// It was longer than the link carries, or empty.
    BadLength,
    /// The channel had no data rate when it was to be sent, or lost it before the last bit had left.
    NoRate,
    /// Nothing of it arrived, although it was sent in a contact.
    Erased,
    /// The receiver of a radio was not locked, or could not decode a block that it was in.
    NotDecoded,
    /// A fault that was ordered took it.
    Fault,
    /// The delay store had no room for it: its memory is spent, and there is no disk or the disk is full.
    StoreFull,
    /// The delay store's disk was too slow for it: its memory is spent on what is still to be written.
    StoreSlow,
    /// The delay store could not read it back from its disk.
    StoreFailed,
    /// The port that it was to leave by was not there.
    PortDown,
    /// The port that it was to leave by does not carry such a frame.
    PortRefused,
}

impl LossCause {
    /// Every cause, in the order in which tables show them.
    pub const ALL: [LossCause; 13] = [
        LossCause::NoContact,
        LossCause::NoRate,
        LossCause::BitErrors,
        LossCause::Erased,
        LossCause::NotDecoded,
        LossCause::QueueFull,
        LossCause::BadLength,
        LossCause::Fault,
        LossCause::StoreFull,
        LossCause::StoreSlow,
        LossCause::StoreFailed,
        LossCause::PortDown,
        LossCause::PortRefused,
    ];

    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            LossCause::NoContact => "no contact",
            LossCause::BitErrors => "bit errors",
            LossCause::QueueFull => "queue full",
            LossCause::BadLength => "bad length",
            LossCause::NoRate => "no rate",
            LossCause::Erased => "erased",
            LossCause::NotDecoded => "not decoded",
            LossCause::Fault => "fault",
            LossCause::StoreFull => "delay store full",
            LossCause::StoreSlow => "delay store too slow",
            LossCause::StoreFailed => "delay store failed",
            LossCause::PortDown => "port down",
            LossCause::PortRefused => "refused by the port",
        }
    }
}

/// Where the time of a frame went, from when a node gave it to the channel until its last bit arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delays {
    /// Until its first bit left: it waited for the transmitter.
    pub queueing: DurationNanos,
    /// Until its last bit had left: its length over the data rate.
    pub serialisation: DurationNanos,
    /// Until its last bit arrived: the light time.
    pub propagation: DurationNanos,
}

/// An LTP session, as its originator numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Session {
    /// Engine ID of the sender of the block.
    pub originator: u64,
    /// The session number.
    pub number: u64,
}

/// What an LTP engine tells of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum LtpNotice {
    /// A block was accepted for transmission.
    BlockStarted {
        /// Length of the block in bytes.
        bytes: u64,
    },
    /// The receiver has the whole red part; the sender has closed the session.
    BlockAcknowledged,
    /// The whole red part has been received.
    RedPartReceived {
        /// Its length in bytes.
        bytes: u64,
    },
    /// Segments were sent again, because a report left them out or a timer ran out.
    Retransmitted {
        /// Bytes of client data queued again.
        bytes: u64,
        /// Why.
        reason: RetransmitReason,
    },
    /// The session ended without success.
    Cancelled {
        /// The reason code of RFC 5326 §3.2.4, as its mnemonic.
        reason: String,
        /// Whether this engine, not its peer, gave up.
        locally: bool,
    },
}

/// Why LTP sent something again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetransmitReason {
    /// A report showed a gap.
    Gap,
    /// No report came in answer to a checkpoint.
    CheckpointTimer,
    /// No acknowledgment came in answer to a report.
    ReportTimer,
    /// A checkpoint that had been reported on came again.
    RepeatedCheckpoint,
    /// No acknowledgment came in answer to a cancellation.
    CancelTimer,
}

/// What a bundle agent tells of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum BundleNotice {
    /// An application sent it here.
    Created,
    /// It came from a neighbour and was taken into the store.
    Received {
        /// The neighbour.
        from: NodeId,
    },
    /// A neighbour has it, and the store let it go.
    Forwarded {
        /// The neighbour.
        to: NodeId,
    },
    /// It was handed to the application here.
    Delivered,
    /// It was here before and was dropped.
    Duplicate,
    /// It was deleted.
    Deleted {
        /// The status report reason of RFC 9171 §9.5, in words.
        reason: String,
    },
    /// What arrived was no bundle that this node could accept.
    Refused {
        /// Why, in words.
        reason: String,
    },
    /// A status report about it has come back to this node.
    Reported {
        /// The assertions of the report: `received`, `forwarded`, `delivered`, `deleted`.
        status: Vec<String>,
    },
}

/// What a port tells of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum PortNotice {
    /// It carries, for the first time or again.
    Up {
        /// With whom or over what, where that is known; empty otherwise.
        detail: String,
    },
    /// It does not carry: unplugged, closed, reset.
    Down {
        /// Why, in words.
        detail: String,
        /// How many frames that it had taken are known to be lost with that.
        #[serde(default)]
        lost_frames: u64,
    },
    /// The other side has closed its end of a connection.
    Ended {
        /// Why, in words.
        detail: String,
    },
    /// Something worth telling, while it carries as before.
    Remark {
        /// What, in words.
        detail: String,
    },
    /// What came in was no frame and was left out.
    Unreadable {
        /// Why, in words.
        detail: String,
        /// How many bytes were left out, as far as that is known.
        bytes: u64,
    },
    /// Frames came faster than they were taken, and the system dropped so many.
    Overrun {
        /// How many.
        frames: u64,
    },
    /// It does not carry a frame that it was given.
    Refused {
        /// Why, in words.
        detail: String,
    },
}

impl fmt::Display for PortNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PortNotice::Up { detail } if detail.is_empty() => f.write_str("up"),
            PortNotice::Up { detail } => write!(f, "up: {detail}"),
            PortNotice::Down { detail, .. } => write!(f, "down: {detail}"),
            PortNotice::Ended { detail } => write!(f, "ended: {detail}"),
            PortNotice::Remark { detail } => f.write_str(detail),
            PortNotice::Unreadable { detail, bytes } => write!(f, "left out {bytes} bytes: {detail}"),
            PortNotice::Overrun { frames } => write!(f, "overrun: the system dropped {frames} frames"),
            PortNotice::Refused { detail } => write!(f, "refused a frame: {detail}"),
        }
    }
}

/// What can be wrong with the time of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disturbance {
    /// The machine slept.
    Suspended,
    /// The wall clock was stepped. Light time does not depend on it, kernel time stamps do for a moment.
    WallClockStepped,
    /// The emulator did not get to run.
    Stalled,
}

impl Disturbance {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Disturbance::Suspended => "the machine slept",
            Disturbance::WallClockStepped => "the wall clock was stepped",
            Disturbance::Stalled => "the emulator did not get to run",
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A channel begins to carry.
    ContactOpened {
        /// Which.
        channel: ChannelId,
        /// When it will stop.
        until: Instant,
        /// One-way light time for a bit that leaves now.
        light_time: DurationNanos,
    },
    /// A channel stops carrying.
    ContactClosed {
        /// Which.
        channel: ChannelId,
    },
    /// The light time of an open channel now; told about once a minute.
    LightTime {
        /// Which.
        channel: ChannelId,
        /// One-way light time for a bit that leaves now.
        light_time: DurationNanos,
    },
    /// A node gave the channel a frame; its first bit leaves at `start`.
    FrameSent {
        /// Which.
        channel: ChannelId,
        /// Number of the frame in this channel, from 0.
        frame: u64,
        /// Its length in bytes, as the node wrote it.
        bytes: u32,
        /// When its first bit leaves.
        start: Instant,
    },
    /// A frame reached the other node.
    FrameDelivered {
        /// Which.
        channel: ChannelId,
        /// Number of the frame in this channel.
        frame: u64,
        /// Its length in bytes.
        bytes: u32,
        /// Bits that the channel flipped and the link let through.
        damaged_bits: u32,
        /// Where its time went; recordings of version 1 do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delays: Option<Delays>,
        /// The frame, for captures; recordings leave it out.
        #[serde(skip)]
        content: Bytes,
    },
    /// A frame did not reach the other node.
    FrameLost {
        /// Which.
        channel: ChannelId,
        /// Number of the frame in this channel.
        frame: u64,
        /// Its length in bytes.
        bytes: u32,
        /// Why.
        cause: LossCause,
    },
    /// A fault struck a frame; what becomes of the frame is told as of any other.
    FrameStruck {
        /// Which.
        channel: ChannelId,
        /// Number of the frame in this channel.
        frame: u64,
        /// What was done to it.
        action: FaultAction,
    },
    /// A fault made a copy of a frame; it is one more frame under way, that no node sent.
    FrameCopied {
        /// Which.
        channel: ChannelId,
        /// Number of the frame in this channel; the copy has the same.
        frame: u64,
        /// Its length in bytes.
        bytes: u32,
    },
    /// Somebody told the emulator to do something.
    Controlled {
        /// To which channel; `None` is all of them.
        channel: Option<ChannelId>,
        /// What.
        control: Control,
        /// Who.
        by: ControlledBy,
    },
    /// Something happened to a port.
    Port {
        /// The port, as its owner wrote it.
        port: String,
        /// What.
        #[serde(flatten)]
        what: PortNotice,
    },
    /// The time of the machine was not what it should be.
    Disturbed {
        /// How.
        what: Disturbance,
        /// By how much: the time that was missed, or the step, forwards or backwards.
        by: DurationNanos,
    },
    /// An LTP engine tells of a session.
    Ltp {
        /// Whose engine.
        node: NodeId,
        /// The other end.
        peer: NodeId,
        /// Which session.
        session: Session,
        /// What it tells.
        #[serde(flatten)]
        notice: LtpNotice,
    },
    /// A bundle agent tells of a bundle.
    Bundle {
        /// Whose agent.
        node: NodeId,
        /// `<source> <creation time in ms since 2000-01-01>-<sequence>`, and `+<offset>` for a fragment.
        bundle: String,
        /// The traffic item that it carries a part of, if any.
        traffic: Option<TrafficId>,
        /// Bytes of payload in it.
        bytes: u64,
        /// What it tells.
        #[serde(flatten)]
        notice: BundleNotice,
    },
    /// Application data arrived whole.
    Arrived {
        /// Which traffic item.
        traffic: TrafficId,
        /// Size in bytes.
        bytes: u64,
        /// SHA-256 of what arrived, in hex.
        sha256: String,
        /// Whether it is what was sent.
        intact: bool,
    },
    /// The run ended: always the last event.
    Ended {
        /// Whether it was stopped before the scenario's end.
        interrupted: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_flat_json_object_and_comes_back() {
        let stamped = Stamped {
            at: Instant::from_nanos(1_500_000_000),
            event: Event::Bundle {
                node: NodeId(1),
                bundle: "ipn:10.1 820000000000-0+65536".into(),
                traffic: Some(TrafficId(0)),
                bytes: 65_536,
                notice: BundleNotice::Received { from: NodeId(0) },
            },
        };
        let json = serde_json::to_string(&stamped).unwrap();
        assert_eq!(
            json,
            r#"{"t":1500000000,"event":"bundle","node":1,"bundle":"ipn:10.1 820000000000-0+65536","traffic":0,"bytes":65536,"what":"received","from":0}"#
        );
        assert_eq!(serde_json::from_str::<Stamped>(&json).unwrap(), stamped);
    }
}
