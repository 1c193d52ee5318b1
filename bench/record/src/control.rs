//! What a person, or a script, tells a running emulator to do.
//!
//! These are data: the recording keeps them ([`Event::Controlled`](crate::Event::Controlled)), a script is a list of them, the
//! control socket carries them, and the channel obeys them.

use std::fmt;

use farlink_units::{BitRate, Duration};
use serde::{Deserialize, Serialize};

use crate::DurationNanos;

/// A thing to do to a channel, or to all of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Control {
    /// Another data rate from now on; `None` is silence.
    Rate {
        /// Bits per second, above zero.
        bps: Option<u64>,
    },
    /// Independent bit errors of this ratio from now on, in place of all that went wrong before.
    Ber {
        /// 0 to 0.5.
        ber: f64,
    },
    /// This one-way light time for what leaves from now on. What is under way is not touched, and nothing overtakes it.
    Delay {
        /// Not negative.
        light_time: DurationNanos,
    },
    /// The channel carries, or does not, whatever the plan says.
    Contact {
        /// Which.
        state: ForcedContact,
    },
    /// Something goes wrong with particular frames.
    Fault(Fault),
    /// Back to what the scenario or the command line said.
    Restore {
        /// What of it.
        what: Restorable,
    },
    /// Bench time stands still: what is under way stays where it is. Always for all channels.
    Pause,
    /// Bench time goes on.
    Resume,
}

/// A contact by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForcedContact {
    /// Carries.
    Open,
    /// Does not.
    Closed,
}

/// What can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restorable {
    /// The data rate.
    Rate,
    /// The errors.
    Errors,
    /// The light time.
    Delay,
    /// The contacts.
    Contact,
    /// Faults that have not struck out: they are forgotten.
    Faults,
    /// All of it.
    All,
}

/// A fault: what is done to which of the frames that a channel is given from now on.
///
/// Frames that do not match pass by, and so do those that are lost anyway: refused by the channel, or sent without contact or
/// rate. Of those that match, the first `skip` are spared and the next `count` struck; with `each_session`, that is so in every
/// LTP session by itself. A frame with segments of several sessions counts in each, and is struck if it is its turn in any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What is done to the frame.
    pub action: FaultAction,
    /// Which frames; all by default.
    #[serde(default, skip_serializing_if = "FrameMatch::is_any")]
    pub only: FrameMatch,
    /// How many of those that match are spared first.
    #[serde(default)]
    pub skip: u64,
    /// How many are struck after that, at least 1; `None` is all.
    #[serde(default = "one")]
    pub count: Option<u64>,
    /// Count anew in every LTP session. A frame that is no LTP segment never matches then.
    #[serde(default)]
    pub each_session: bool,
}

fn one() -> Option<u64> {
    Some(1)
}

/// What a fault does to a frame. Whatever it is, the frame takes its time at the transmitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum FaultAction {
    /// It does not arrive.
    Drop,
    /// So many of its bits, at places drawn from the seed, are flipped, and it arrives so whatever the link's check says.
    Damage {
        /// At least 1.
        bits: u32,
    },
    /// So many copies of it arrive right after it.
    Duplicate {
        /// 1 to 1000.
        copies: u32,
    },
    /// It arrives after so many frames that left after it; at most one second late if fewer come. A channel holds at most 256
    /// frames back; further ones pass by.
    Reorder {
        /// At least 1.
        after: u32,
    },
    /// Only its first bytes arrive; a frame that is no longer than that is not touched.
    Truncate {
        /// At least 1.
        bytes: u32,
    },
}

/// Which frames a fault is for: those for which all that is given here is true, of one LTP segment in the frame if it holds any.
///
/// What is looked at is the frame itself, or the payload of a UDP datagram in it if it is an IP packet or an Ethernet frame: LTP
/// segments and nothing else, or a bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FrameMatch {
    /// LTP segments of these kinds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ltp: Vec<LtpKind>,
    /// Frames that carry the start of a bundle from an EID that this pattern matches: a node ID such as `ipn:10.0` stands for
    /// every service of the node, `ipn:10.*` likewise, anything else for itself. The start of a bundle is the start of an LTP
    /// block or of the frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The same of the bundle's destination.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
}

impl FrameMatch {
    /// Whether every frame matches.
    pub fn is_any(&self) -> bool {
        *self == FrameMatch::default()
    }
}

/// Kinds of LTP segment (RFC 5326 §3.1.1), as a fault tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LtpKind {
    /// Any data segment.
    Data,
    /// Red-part data, checkpoint or not.
    Red,
    /// Green-part data.
    Green,
    /// Red-part data with a checkpoint.
    Checkpoint,
    /// Report.
    Report,
    /// Acknowledgment of a report.
    ReportAck,
    /// Cancellation by the sender or by the receiver.
    Cancel,
    /// Acknowledgment of a cancellation.
    CancelAck,
}

/// Who told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlledBy {
    /// A client of the control socket.
    Socket,
    /// The person at the terminal view.
    View,
    /// A script.
    Script,
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Control::Rate { bps: None } => f.write_str("rate none"),
            Control::Rate { bps: Some(bps) } => match BitRate::from_bps(*bps) {
                Some(rate) => write!(f, "rate {rate}"),
                None => write!(f, "rate {bps} bit/s"),
            },
            Control::Ber { ber } => write!(f, "bit error ratio {ber:e}"),
            Control::Delay { light_time } => write!(f, "light time {}", Duration::from(*light_time)),
            Control::Contact { state: ForcedContact::Open } => f.write_str("contact open"),
            Control::Contact { state: ForcedContact::Closed } => f.write_str("contact closed"),
            Control::Fault(fault) => fault.fmt(f),
            Control::Restore { what } => write!(f, "restore {}", what.as_str()),
            Control::Pause => f.write_str("pause"),
            Control::Resume => f.write_str("resume"),
        }
    }
}

impl Restorable {
    /// As users write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Restorable::Rate => "rate",
            Restorable::Errors => "errors",
            Restorable::Delay => "delay",
            Restorable::Contact => "contact",
            Restorable::Faults => "faults",
            Restorable::All => "all",
        }
    }
}

impl fmt::Display for FaultAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultAction::Drop => f.write_str("drop"),
            FaultAction::Damage { bits } => write!(f, "damage {bits} bits of"),
            FaultAction::Duplicate { copies } => write!(f, "make {copies} copies of"),
            FaultAction::Reorder { after } => write!(f, "put {after} frames before"),
            FaultAction::Truncate { bytes } => write!(f, "cut to {bytes} bytes"),
        }
    }
}

impl LtpKind {
    /// As users write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            LtpKind::Data => "data",
            LtpKind::Red => "red",
            LtpKind::Green => "green",
            LtpKind::Checkpoint => "checkpoint",
            LtpKind::Report => "report",
            LtpKind::ReportAck => "report-ack",
            LtpKind::Cancel => "cancel",
            LtpKind::CancelAck => "cancel-ack",
        }
    }
}

/// In words: `drop the next 2 report segments, after sparing 1, in each session`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.action)?;
        match self.count {
            Some(count) => write!(f, "the next {count}")?,
            None => f.write_str("all")?,
        }
        let kinds: Vec<&str> = self.only.ltp.iter().map(|kind| kind.as_str()).collect();
        match kinds.as_slice() {
            [] => f.write_str(" frames")?,
            kinds => write!(f, " {} segments", kinds.join(" or "))?,
        }
        if let Some(source) = &self.only.source {
            write!(f, " from {source}")?;
        }
        if let Some(destination) = &self.only.destination {
            write!(f, " to {destination}")?;
        }
        if self.skip > 0 {
            write!(f, ", after sparing {}", self.skip)?;
        }
        if self.each_session {
            f.write_str(", in each session")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_is_one_flat_object_and_comes_back() {
        let second_report = Control::Fault(Fault {
            action: FaultAction::Drop,
            only: FrameMatch { ltp: vec![LtpKind::Report], ..FrameMatch::default() },
            skip: 1,
            count: Some(1),
            each_session: true,
        });
        let text = serde_json::to_string(&second_report).unwrap();
        assert_eq!(
            text,
            r#"{"do":"fault","action":{"kind":"drop"},"only":{"ltp":["report"]},"skip":1,"count":1,"each_session":true}"#
        );
        assert_eq!(serde_json::from_str::<Control>(&text).unwrap(), second_report);
        assert_eq!(second_report.to_string(), "drop the next 1 report segments, after sparing 1, in each session");
        let delay = Control::Delay { light_time: DurationNanos(1_500_000_000) };
        let text = serde_json::to_string(&delay).unwrap();
        assert_eq!(text, r#"{"do":"delay","light_time":1500000000}"#);
        assert_eq!(serde_json::from_str::<Control>(&text).unwrap(), delay);
    }
}
