//! The state of a running emulator: what its live view shows, what the control socket answers, what its report holds.

use std::path::PathBuf;

use farlink_units::Instant;
use serde::{Deserialize, Serialize};

use crate::control::{Fault, Restorable};
use crate::counters::{ChannelCounters, Tally};
use crate::results::Timing;
use crate::{Disturbance, DurationNanos, PortNotice};

/// An emulator at one instant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When, since the emulator's start.
    #[serde(rename = "at_ns")]
    pub at: Instant,
    /// Whether its time stands still.
    pub paused: bool,
    /// Every channel.
    pub channels: Vec<ChannelState>,
    /// Every port.
    pub ports: Vec<PortState>,
    /// What was wrong with the time of the machine.
    pub disturbances: Vec<DisturbanceState>,
    /// Where what is under way is kept, if that is bounded.
    pub store: Option<StoreState>,
    /// What a script said and could not be done, and why not.
    pub refused: Vec<String>,
    /// Events that the recording lacks because its disk could not follow.
    pub unrecorded: u64,
}

/// A channel at one instant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChannelState {
    /// Its name.
    pub name: String,
    /// The port at which frames come in.
    pub from: String,
    /// The port by which they leave.
    pub to: String,
    /// Whether it carries now.
    pub open: bool,
    /// Data rate now in bits per second; `None` is silence.
    pub rate_bps: Option<u64>,
    /// Light time of what leaves now.
    #[serde(rename = "light_time_ns")]
    pub light_time: DurationNanos,
    /// What it took in, delivered and lost.
    pub counters: ChannelCounters,
    /// What its own store holds.
    pub in_flight: Tally,
    /// Whether the two agree. If not, nothing that the emulator says can be trusted.
    pub balanced: bool,
    /// What of it is as somebody said, and not as planned.
    pub by_hand: Vec<Restorable>,
    /// The faults that may still strike.
    pub faults: Vec<Fault>,
    /// How late frames left, against the instant at which they were due.
    pub lateness: Timing,
    /// Why those that were later than [`LateCause::NOTED_NS`] were late.
    pub late_because: Vec<LateCause>,
}

/// Why frames were late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateCause {
    /// The cause.
    pub cause: Lateness,
    /// How many frames.
    pub frames: u64,
    /// The latest of them, in nanoseconds.
    pub max_ns: u64,
}

impl LateCause {
    /// Frames that are later than this have their cause noted.
    pub const NOTED_NS: u64 = 100_000;
}

/// What makes a frame late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lateness {
    /// The emulator slept and was woken late, or did not get the processor.
    Wakeup,
    /// The emulator was busy with other frames.
    Load,
    /// The port had no room.
    Port,
    /// The disk of the delay store was slow.
    Disk,
    /// It was due before it had been read from the port at which it came in: its delay is shorter than that takes.
    Arrival,
}

impl Lateness {
    /// Every cause, in the order in which they are told.
    pub const ALL: [Lateness; 5] =
        [Lateness::Wakeup, Lateness::Load, Lateness::Port, Lateness::Disk, Lateness::Arrival];

    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Lateness::Wakeup => "woken late",
            Lateness::Load => "load",
            Lateness::Port => "port busy",
            Lateness::Disk => "disk",
            Lateness::Arrival => "read after it was due",
        }
    }
}

/// How the stores of a process stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreState {
    /// Most memory that frames may take, in bytes.
    pub memory_limit_bytes: u64,
    /// Memory that they take, in bytes; frames that were taken out and are not dropped yet are part of it.
    pub memory_bytes: u64,
    /// Most memory that they ever took, in bytes.
    pub memory_peak_bytes: u64,
    /// How the disk stands, if there is one.
    pub spill: Option<SpillState>,
}

/// How the disk of the stores stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpillState {
    /// Where the file is.
    pub directory: PathBuf,
    /// What lies in it, in bytes.
    pub on_disk_bytes: u64,
    /// How long it is, in bytes.
    pub allocated_bytes: u64,
    /// What waits to be written to it, in bytes; part of the memory in use.
    pub backlog_bytes: u64,
    /// What was written in all, in bytes.
    pub written_bytes: u64,
    /// What was read back in all, in bytes.
    pub read_bytes: u64,
    /// The longest that it took to write a chunk.
    pub slowest_write: DurationNanos,
    /// The longest that it took to read a chunk.
    pub slowest_read: DurationNanos,
    /// Whether the disk is full or does not take what is written: the last chunk could not be, and is tried again.
    pub full: bool,
    /// How often a chunk could not be written; it was kept in memory and tried again.
    pub write_failures: u64,
    /// How many chunks could not be read back as they were written.
    pub read_failures: u64,
    /// The frames in those: lost, and given out as such.
    pub lost: Tally,
    /// How often a chunk had not been read back when its first frame was to be taken.
    pub late_reads: u64,
    /// The last thing that went wrong.
    pub last_error: Option<String>,
}

/// A port at one instant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortState {
    /// Its name.
    pub name: String,
    /// Whether it carries.
    pub up: bool,
    /// What it told last.
    pub last: Option<PortNotice>,
    /// How often it went down.
    pub downs: u64,
    /// How often something came in that was no frame.
    pub unreadable: u64,
    /// How many frames the system dropped before they were taken.
    pub overrun_frames: u64,
    /// How many frames that it had taken are known to be lost because it went down.
    #[serde(default)]
    pub lost_frames: u64,
    /// How many frames it did not carry.
    pub refused: u64,
    /// Why it is of no use any more, if so.
    pub failure: Option<String>,
}

/// What was wrong with the time of the machine, of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisturbanceState {
    /// The kind.
    pub what: Disturbance,
    /// How often.
    pub times: u64,
    /// The largest, in nanoseconds.
    #[serde(rename = "worst_ns")]
    pub worst: DurationNanos,
}
