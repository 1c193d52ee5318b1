//! A sweep that has been checked.

use farlink_units::{BitRate, Duration, Size};

/// What is measured, and over which values.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    /// Its name.
    pub name: String,
    /// What it shows, in a sentence.
    pub title: String,
    /// Seed of every random draw.
    pub seed: u64,
    /// How often each point is measured, 1 to 10,000.
    pub repeat: u32,
    /// What is measured.
    pub kind: SweepKind,
}

/// What is measured.
#[derive(Clone, Debug, PartialEq)]
pub enum SweepKind {
    /// Bundles over LTP between two built-in nodes, under the virtual clock.
    Ltp(LtpSweep),
    /// Retransmission hop by hop against end to end, over chains of built-in nodes under the virtual clock.
    Hops(HopsSweep),
    /// TCP over the real-time emulator, beside LTP over the same channel.
    Tcp(TcpSweep),
    /// Two processes coupled by the real-time emulator.
    Processes(ProcessSweep),
}

/// The link between two nodes: every combination of these is a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// One-way light times.
    pub light_time: Vec<Duration>,
    /// Bit error ratios, of both directions.
    pub ber: Vec<f64>,
    /// Data rate from the sender to the receiver.
    pub rate: BitRate,
    /// Data rate out over data rate back, above zero.
    pub asymmetry: Vec<f64>,
}

/// What the sender is given.
#[derive(Clone, Debug, PartialEq)]
pub enum Workload {
    /// So many bytes of application data at once, in bundles; the last may be shorter.
    Amount(Size),
    /// Bundles that come one by one at random instants, for so long.
    Load {
        /// Application data offered, over what the link can carry of it without an error.
        shares: Vec<f64>,
        /// For how long bundles come.
        span: Duration,
    },
}

/// A sweep over LTP.
#[derive(Clone, Debug, PartialEq)]
pub struct LtpSweep {
    /// The link.
    pub link: Link,
    /// Longest LTP segments, header included.
    pub segment: Vec<Size>,
    /// Application data of a bundle.
    pub bundle: Vec<Size>,
    /// How many bytes of bundles are gathered into a block; `None` for a bundle to a block.
    pub block: Vec<Option<Size>>,
    /// Most export sessions that are open at once; `None` for no limit.
    pub sessions: Vec<Option<u64>>,
    /// What the sender is given.
    pub workload: Workload,
}

/// A sweep over chains of nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct HopsSweep {
    /// How many hops.
    pub hops: Vec<u64>,
    /// Which part of the frames that carry data is lost on each hop.
    pub frame_loss: Vec<f64>,
    /// How many messages of one frame each are sent.
    pub messages: u64,
}

/// A sweep of TCP, and of LTP beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct TcpSweep {
    /// The link. TCP needs a way back at the same rate or less.
    pub link: Link,
    /// For how long data is offered.
    pub span: Duration,
    /// Congestion controls, by the names that the kernel has for them.
    pub congestion_control: Vec<String>,
    /// How late 99 of 100 frames may leave the emulator for a run to count.
    pub tolerance: Duration,
}

/// A sweep over two processes.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessSweep {
    /// The link.
    pub link: Link,
    /// Longest LTP segments, as the commands are told.
    pub segment: Vec<Size>,
    /// Application data that is sent.
    pub amount: Size,
    /// The program that sends and its arguments, with placeholders.
    pub sender: Vec<String>,
    /// The program that receives, and ends when it has everything.
    pub receiver: Vec<String>,
    /// How late 99 of 100 frames may leave the emulator for a run to count.
    pub tolerance: Duration,
    /// When a run that has not ended is given up.
    pub deadline: Duration,
}
