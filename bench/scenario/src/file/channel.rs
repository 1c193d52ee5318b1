//! One direction of a link: its rate, its errors, its radio.

use farlink_channel_models::errors::{Band, Fading};
use farlink_units::{BitRate, Decibels, Duration, Ratio};
use schemars::JsonSchema;
use serde::Deserialize;

use super::RadioEntry;
use crate::located::{At, Text};
use crate::mixed::Mixed;
use crate::values::{Count, Number, RateOrNone, When};
use crate::words::{Choice, CodeName};

/// One direction of a link.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChannelEntry {
    /// The node that transmits.
    #[schemars(required)]
    pub from: Option<At<String>>,
    /// The node that receives.
    #[schemars(required)]
    pub to: Option<At<String>>,
    /// The data rate, as in `256 kbit/s`; `none` for a silent channel; a list of rates that hold from an instant on; or the
    /// highest of several that the link budget under `radio` holds.
    #[schemars(required)]
    pub rate: Option<At<RateEntry>>,
    /// Bit error ratio: the probability that a bit arrives flipped, 0 to 0.5. Default 0.
    pub ber: Option<Text<Ratio>>,
    /// Errors that are no independent flips.
    pub errors: Option<At<ErrorsEntry>>,
    /// The radio, from which the link budget follows.
    pub radio: Option<At<RadioEntry>>,
}

/// A rate, one that steps, or one that follows the link budget.
pub(crate) type RateEntry = Mixed<RateOrNone, RateStepEntry, FollowingEntry>;

/// A rate from an instant on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RateStepEntry {
    /// From when on: since the epoch, as in `600 s`, or in UTC. The first step is at the epoch or before it.
    #[schemars(required)]
    pub at: Option<Text<When>>,
    /// The rate from there on, or `none`.
    #[schemars(required)]
    pub rate: Option<Text<RateOrNone>>,
}

/// The highest rate that the link budget holds.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FollowingEntry {
    /// The rates to choose from.
    #[serde(default)]
    #[schemars(required)]
    pub highest_of: Vec<Text<BitRate>>,
    /// How far Eb/N0 must stay above what the decoder needs. Default 0 dB.
    pub margin: Option<Text<Decibels>>,
}

/// What goes wrong on a channel besides independent flips. Several together add up.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErrorsEntry {
    /// Bursts of errors: the channel of Gilbert and Elliott.
    pub bursts: Option<At<BurstsEntry>>,
    /// Frames that do not arrive at all.
    pub erasures: Option<At<ErasuresEntry>>,
    /// What is left after decoding.
    pub coding: Option<At<CodingEntry>>,
    /// A recorded trace that happens again: a file that begins with `# bits`, `# frames` or `# losses`; its path is relative to
    /// the folder of the scenario.
    pub trace: Option<At<String>>,
}

/// Two states that take turns: bursts with many errors, and gaps with few.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BurstsEntry {
    /// Mean length of a burst in bits, at least 1.
    #[schemars(required)]
    pub mean_burst_bits: Option<Text<Number>>,
    /// Mean length of a gap in bits, at least 1.
    #[schemars(required)]
    pub mean_gap_bits: Option<Text<Number>>,
    /// Bit error ratio in a burst. Default 0.5.
    pub ber_in_burst: Option<Text<Ratio>>,
    /// Bit error ratio in a gap. Default 0.
    pub ber_in_gap: Option<Text<Ratio>>,
}

/// Frames that are lost: each with a probability, or several in a row.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErasuresEntry {
    /// The probability that a frame is lost, whatever becomes of the others.
    pub probability: Option<Text<Ratio>>,
    /// Mean number of frames that are lost in a row, at least 1.
    pub mean_burst_frames: Option<Text<Number>>,
    /// Mean number of frames between, at least 1.
    pub mean_gap_frames: Option<Text<Number>>,
}

/// A code, and how well its signal arrives.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodingEntry {
    /// The code that protects the channel.
    #[schemars(required)]
    pub code: Option<Text<Choice<CodeName>>>,
    /// How many Reed–Solomon words are interleaved, 1 to 8. Default 5.
    pub interleaving: Option<Text<Count>>,
    /// Eb/N0 at the decoder. Default what the link budget under `radio` gives.
    pub eb_n0: Option<Text<Decibels>>,
    /// Fading of a signal that passes near the Sun.
    pub scintillation: Option<At<ScintillationEntry>>,
}

/// Amplitude scintillation by the solar corona. Its depth is given, or follows from the angle between the Sun and the other end
/// in the sky of the end on the Earth, or of the receiver if no end or both are there. What is on this side of the Sun
/// is not seen through the corona.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScintillationEntry {
    /// The band, from which the index follows by the Sun–Earth–probe angle. Only with `visibility`.
    pub band: Option<Text<Choice<Band>>>,
    /// A constant index m, 0 to 1, instead.
    pub index: Option<Text<Ratio>>,
    /// The law of the power. Default `rician`.
    pub fading: Option<Text<Choice<Fading>>>,
    /// The lag at which the correlation of the fluctuation has fallen to 1/e. Default 0.2 s.
    pub correlation_time: Option<Text<Duration>>,
}
