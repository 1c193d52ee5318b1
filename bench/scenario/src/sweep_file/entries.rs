//! The shape of the sweep file, as serde reads it. The documentation of each field is what editors show for it.

use farlink_units::{BitRate, Duration, Ratio, Size};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::located::{At, Text};
use crate::values::{Count, Number};

use super::check::{Algorithm, OrNone};

/// What a throughput suite measures, and over which values. Every combination of the values is a point.
///
/// Every quantity carries its unit: `256 kbit/s`, `4 s`, `64 KiB`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(title = "Farlink sweep")]
#[serde(deny_unknown_fields)]
pub(crate) struct SweepFile {
    /// The name of the sweep.
    #[schemars(required)]
    pub sweep: Option<At<String>>,
    /// What it shows, in a sentence.
    pub title: Option<At<String>>,
    /// Seed of every random draw. Default 1.
    pub seed: Option<Text<Count>>,
    /// How often each point is measured, each time with other errors. Default 10.
    pub repeat: Option<Text<Count>>,
    /// Measure bundles over LTP between two built-in nodes.
    pub ltp: Option<At<LtpEntry>>,
    /// Measure retransmission hop by hop against end to end.
    pub hops: Option<At<HopsEntry>>,
    /// Measure TCP over the real-time emulator, and LTP beside it. Needs root and iperf3.
    pub tcp: Option<At<TcpEntry>>,
    /// Measure two processes, coupled by the real-time emulator over UDP.
    pub processes: Option<At<ProcessEntry>>,
}

/// Bundles over LTP between two built-in nodes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LtpEntry {
    /// One-way light times, as in `[100 ms, 10 s]`.
    #[schemars(required)]
    pub light_time: Option<At<Vec<Text<Duration>>>>,
    /// Bit error ratios of both directions. Default `[0]`.
    pub ber: Option<At<Vec<Text<Ratio>>>>,
    /// Data rate from the sender to the receiver.
    #[schemars(required)]
    pub rate: Option<Text<BitRate>>,
    /// Data rate out over data rate back. Default `[1]`.
    pub asymmetry: Option<At<Vec<Text<Number>>>>,
    /// Longest LTP segments, header included. Default `[1360 B]`.
    pub segment: Option<At<Vec<Text<Size>>>>,
    /// Application data of a bundle. Default `[64 KiB]`.
    pub bundle: Option<At<Vec<Text<Size>>>>,
    /// How many bytes of bundles are gathered into an LTP block; `none` for a bundle to a block. Default `[none]`.
    pub block: Option<At<Vec<Text<OrNone<Size>>>>>,
    /// Most sessions that the sender has open at once; `none` for no limit. Default `[none]`.
    pub sessions: Option<At<Vec<Text<OrNone<Count>>>>>,
    /// Application data that the sender is given at once; this or `load`.
    pub amount: Option<Text<Size>>,
    /// Offered load: application data over what the link could carry of it without an error; this or `amount`.
    pub load: Option<At<Vec<Text<Number>>>>,
    /// For how long bundles come; with `load`.
    pub span: Option<Text<Duration>>,
}

/// Retransmission hop by hop against end to end.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HopsEntry {
    /// How many hops, as in `[4, 10, 20]`; each 1 to 30.
    #[schemars(required)]
    pub hops: Option<At<Vec<Text<Count>>>>,
    /// Which part of the frames with data is lost on each hop, 0 to 0.5.
    #[schemars(required)]
    pub frame_loss: Option<At<Vec<Text<Ratio>>>>,
    /// How many messages of a frame each are sent in a repetition.
    #[schemars(required)]
    pub messages: Option<Text<Count>>,
}

/// TCP over the real-time emulator.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TcpEntry {
    /// One-way light times.
    #[schemars(required)]
    pub light_time: Option<At<Vec<Text<Duration>>>>,
    /// Bit error ratios of both directions. Default `[0]`.
    pub ber: Option<At<Vec<Text<Ratio>>>>,
    /// Data rate of both directions.
    #[schemars(required)]
    pub rate: Option<Text<BitRate>>,
    /// For how long TCP is offered data, 1 s to 1 h.
    #[schemars(required)]
    pub span: Option<Text<Duration>>,
    /// Congestion controls by the names that the kernel has for them, as in `[reno, cubic, bbr]`. Default `[cubic]`.
    pub congestion_control: Option<At<Vec<Text<Algorithm>>>>,
    /// How late 99 of 100 frames may leave the emulator for a run to count. Default 5 ms.
    pub tolerance: Option<Text<Duration>>,
}

/// Two processes, coupled by the real-time emulator over UDP.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProcessEntry {
    /// One-way light times.
    #[schemars(required)]
    pub light_time: Option<At<Vec<Text<Duration>>>>,
    /// Bit error ratios of both directions. Default `[0]`.
    pub ber: Option<At<Vec<Text<Ratio>>>>,
    /// Data rate from the sender to the receiver.
    #[schemars(required)]
    pub rate: Option<Text<BitRate>>,
    /// Data rate out over data rate back. Default `[1]`.
    pub asymmetry: Option<At<Vec<Text<Number>>>>,
    /// Longest LTP segments, header included. Default `[1360 B]`.
    pub segment: Option<At<Vec<Text<Size>>>>,
    /// Application data that is sent.
    #[schemars(required)]
    pub amount: Option<Text<Size>>,
    /// The program that sends and its arguments. `{farlink}`, `{payload}`, `{port}` (its own), `{peer_port}` (where its peer is),
    /// `{light_time_s}`, `{rate_bps}` (towards the peer) and `{segment_bytes}` are filled in.
    #[schemars(required)]
    pub sender: Option<At<Vec<At<String>>>>,
    /// The program that receives, and ends when it has everything; `{inbox}` is its folder.
    #[schemars(required)]
    pub receiver: Option<At<Vec<At<String>>>>,
    /// How late 99 of 100 frames may leave the emulator for a run to count. Default 5 ms.
    pub tolerance: Option<Text<Duration>>,
    /// When a run that has not ended is given up. Default 60 s.
    pub deadline: Option<Text<Duration>>,
}
