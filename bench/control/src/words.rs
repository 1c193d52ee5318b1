//! Controls as people write them.
//!
//! ```
//! use farlink_control::words;
//!
//! let control = words::parse("drop 2 report --skip 1 --each-session")?;
//! assert_eq!(control.to_string(), "drop the next 2 report segments, after sparing 1, in each session");
//! assert_eq!(words::write(&control), "drop 2 report --skip 1 --each-session");
//! # Ok::<(), words::WordsError>(())
//! ```

use std::fmt::Write;

use clap::{Args, Parser, Subcommand, ValueEnum};
use farlink_link::{ControlError, check};
use farlink_record::control::{Control, Fault, FaultAction, ForcedContact, FrameMatch, LtpKind, Restorable};
use farlink_units::{BitRate, Duration};
use thiserror::Error;

/// What can be said, as the command line takes it.
#[derive(Clone, Debug, PartialEq, Subcommand)]
pub enum Order {
    /// Send at another data rate from now on: `rate 256kbit/s`; `rate none` is silence.
    Rate {
        /// The rate, as in `256kbit/s`, or `none`.
        #[arg(required = true, value_name = "RATE")]
        rate: Vec<String>,
    },
    /// Flip bits with this probability from now on, in place of all that went wrong before: `ber 1e-5`.
    Ber {
        /// Bit error ratio, 0 to 0.5.
        #[arg(value_name = "RATIO")]
        ratio: f64,
    },
    /// Let what leaves from now on be under way for so long: `delay 4s`.
    Delay {
        /// One-way light time.
        #[arg(required = true, value_name = "TIME")]
        light_time: Vec<String>,
    },
    /// Open or close the contact, whatever the plan says; `contact planned` goes back to it.
    Contact {
        /// Which.
        #[arg(value_enum)]
        state: ContactWord,
    },
    /// Let frames not arrive: `drop`, `drop 2 report --skip 1 --each-session`, `drop all --source ipn:10.0`.
    Drop {
        /// Which frames.
        #[command(flatten)]
        frames: FrameWords,
    },
    /// Flip bits of frames, whatever the check of the link says: `damage 3 checkpoint --bits 8`.
    Damage {
        /// Which frames.
        #[command(flatten)]
        frames: FrameWords,
        /// How many bits of each, at places drawn from the seed.
        #[arg(long, default_value_t = 1, value_name = "N")]
        bits: u32,
    },
    /// Let copies arrive right after frames: `duplicate report --copies 2`.
    Duplicate {
        /// Which frames.
        #[command(flatten)]
        frames: FrameWords,
        /// How many copies of each, 1 to 1000.
        #[arg(long, default_value_t = 1, value_name = "N")]
        copies: u32,
    },
    /// Let frames arrive after others that left later: `reorder 1 data --after 3`.
    Reorder {
        /// Which frames.
        #[command(flatten)]
        frames: FrameWords,
        /// After how many others; a second late if fewer come.
        #[arg(long, default_value_t = 1, value_name = "N")]
        after: u32,
    },
    /// Let only the first bytes of frames arrive: `truncate 1 data --bytes 20`.
    Truncate {
        /// Which frames.
        #[command(flatten)]
        frames: FrameWords,
        /// How many bytes of each.
        #[arg(long, default_value_t = 1, value_name = "N")]
        bytes: u32,
    },
    /// Go back to what the scenario or the command line said: `restore rate`, `restore all`.
    Restore {
        /// What of it.
        #[arg(value_enum, default_value = "all")]
        what: RestoreWord,
    },
    /// Let bench time stand still, for all channels: what is under way stays where it is.
    Pause,
    /// Let bench time go on.
    Resume,
}

/// Which frames a fault is for.
#[derive(Args, Clone, Debug, Default, PartialEq)]
pub struct FrameWords {
    /// How many (a number, or `all`; 1 if it is left out), and of which kinds of LTP segment (data, red, green, checkpoint,
    /// report, report-ack, cancel, cancel-ack; any frame if there is none).
    #[arg(value_name = "COUNT|KIND")]
    what: Vec<String>,
    /// Spare so many of those that match first.
    #[arg(long, default_value_t = 0, value_name = "N")]
    skip: u64,
    /// Count anew in every LTP session.
    #[arg(long)]
    each_session: bool,
    /// Only frames that carry the start of a bundle from here: `ipn:10.1`, or `ipn:10.0` for all of the node.
    #[arg(long, value_name = "EID")]
    source: Option<String>,
    /// Only frames that carry the start of a bundle to here.
    #[arg(long, value_name = "EID")]
    destination: Option<String>,
}

/// What a contact shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ContactWord {
    /// Carries.
    Open,
    /// Does not.
    Closed,
    /// As the plan says.
    Planned,
}

/// What shall be as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "the words are what they mean")]
pub enum RestoreWord {
    Rate,
    Errors,
    Delay,
    Contact,
    Faults,
    All,
}

/// Why words are no control. The message tells the right form.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum WordsError {
    /// There are none, or what they say is not known.
    #[error("{0}")]
    Form(String),
    /// A rate that is none.
    #[error("{0}; or `rate none` for silence")]
    Rate(String),
    /// A light time that is none.
    #[error("{0}")]
    Delay(String),
    /// A word where a count or a kind of segment belongs.
    #[error(
        "`{word}` is neither a count nor a kind of LTP segment: write as in `drop 2 report`, with a number or `all` first, and \
         kinds of {KINDS}"
    )]
    Frame {
        /// What was written.
        word: String,
    },
    /// No channel can do that.
    #[error(transparent)]
    Control(#[from] ControlError),
}

const KINDS: &str = "data, red, green, checkpoint, report, report-ack, cancel, cancel-ack";
const LTP_KINDS: [LtpKind; 8] = [
    LtpKind::Data,
    LtpKind::Red,
    LtpKind::Green,
    LtpKind::Checkpoint,
    LtpKind::Report,
    LtpKind::ReportAck,
    LtpKind::Cancel,
    LtpKind::CancelAck,
];

impl Order {
    /// The control that this says.
    ///
    /// # Errors
    /// A word is wrong, or no channel can do it.
    pub fn control(&self) -> Result<Control, WordsError> {
        let fault = |action, frames: &FrameWords| frames.fault(action).map(Control::Fault);
        let control = match self {
            Order::Rate { rate } => Control::Rate { bps: rate_bps(&rate.join(" "))? },
            Order::Ber { ratio } => Control::Ber { ber: *ratio },
            Order::Delay { light_time } => {
                let light_time: Duration =
                    light_time.join(" ").parse().map_err(|error| WordsError::Delay(format!("{error}")))?;
                Control::Delay { light_time: light_time.into() }
            }
            Order::Contact { state: ContactWord::Open } => Control::Contact { state: ForcedContact::Open },
            Order::Contact { state: ContactWord::Closed } => Control::Contact { state: ForcedContact::Closed },
            Order::Contact { state: ContactWord::Planned } => Control::Restore { what: Restorable::Contact },
            Order::Drop { frames } => fault(FaultAction::Drop, frames)?,
            Order::Damage { frames, bits } => fault(FaultAction::Damage { bits: *bits }, frames)?,
            Order::Duplicate { frames, copies } => fault(FaultAction::Duplicate { copies: *copies }, frames)?,
            Order::Reorder { frames, after } => fault(FaultAction::Reorder { after: *after }, frames)?,
            Order::Truncate { frames, bytes } => fault(FaultAction::Truncate { bytes: *bytes }, frames)?,
            Order::Restore { what } => Control::Restore { what: (*what).into() },
            Order::Pause => Control::Pause,
            Order::Resume => Control::Resume,
        };
        check(&control)?;
        Ok(control)
    }
}

impl FrameWords {
    fn fault(&self, action: FaultAction) -> Result<Fault, WordsError> {
        let (count, kinds) = match self.what.split_first() {
            Some((first, rest)) if first == "all" => (None, rest),
            Some((first, rest)) if first.starts_with(|c: char| c.is_ascii_digit()) => {
                (Some(first.parse().map_err(|_| WordsError::Frame { word: first.clone() })?), rest)
            }
            _ => (Some(1), &self.what[..]),
        };
        let kind = |word: &String| {
            let kind = LTP_KINDS.into_iter().find(|kind| kind.as_str() == word);
            kind.ok_or_else(|| WordsError::Frame { word: word.clone() })
        };
        let only = FrameMatch {
            ltp: kinds.iter().map(kind).collect::<Result<_, _>>()?,
            source: self.source.clone(),
            destination: self.destination.clone(),
        };
        Ok(Fault { action, only, skip: self.skip, count, each_session: self.each_session })
    }
}

impl From<RestoreWord> for Restorable {
    fn from(word: RestoreWord) -> Self {
        match word {
            RestoreWord::Rate => Restorable::Rate,
            RestoreWord::Errors => Restorable::Errors,
            RestoreWord::Delay => Restorable::Delay,
            RestoreWord::Contact => Restorable::Contact,
            RestoreWord::Faults => Restorable::Faults,
            RestoreWord::All => Restorable::All,
        }
    }
}

fn rate_bps(text: &str) -> Result<Option<u64>, WordsError> {
    if text == "none" {
        return Ok(None);
    }
    let rate: BitRate = text.parse().map_err(|error| WordsError::Rate(format!("{error}")))?;
    Ok(Some(rate.bps()))
}

/// The command line without its first word.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true, disable_help_subcommand = true)]
struct Line {
    #[command(subcommand)]
    order: Order,
}

/// Reads a control as a person writes it.
///
/// # Errors
/// The words are no control, or no channel can do it; the message tells the right form.
pub fn parse(text: &str) -> Result<Control, WordsError> {
    let words = text.split_whitespace();
    let line = Line::try_parse_from(words).map_err(|error| form(text, &error))?;
    line.order.control()
}

/// The gist of what the command line's reader has to say, on one line.
fn form(text: &str, error: &clap::Error) -> WordsError {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    const ALL: &str = "rate, ber, delay, contact, drop, damage, duplicate, reorder, truncate, restore, pause or resume";
    let first = text.split_whitespace().next().unwrap_or_default();
    let known = Example::of(first);
    WordsError::Form(match (error.kind(), known) {
        (_, None) if first.is_empty() => format!("nothing is said: write {ALL}, as in `rate 256kbit/s`"),
        (_, None) => format!("`{first}` is no control: write {ALL}, as in `rate 256kbit/s`"),
        (ErrorKind::UnknownArgument, Some(example)) => {
            let unknown = match error.get(ContextKind::InvalidArg) {
                Some(ContextValue::String(word)) => word.as_str(),
                _ => text,
            };
            format!("`{first}` knows no `{unknown}`: write as in `{example}`")
        }
        (_, Some(example)) => format!("`{text}` is not said so: write as in `{example}`"),
    })
}

struct Example;

impl Example {
    /// A right form of what begins with a word.
    fn of(word: &str) -> Option<&'static str> {
        Some(match word {
            "rate" => "rate 256kbit/s` or `rate none",
            "ber" => "ber 1e-5",
            "delay" => "delay 4s",
            "contact" => "contact open`, `contact closed` or `contact planned",
            "drop" => "drop 2 report --skip 1 --each-session",
            "damage" => "damage 3 checkpoint --bits 8",
            "duplicate" => "duplicate report --copies 2",
            "reorder" => "reorder 1 data --after 3",
            "truncate" => "truncate 1 data --bytes 20",
            "restore" => "restore all`, or of rate, errors, delay, contact and faults one, as in `restore rate",
            "pause" => "pause",
            "resume" => "resume",
            _ => return None,
        })
    }
}

/// A control in words that [`parse`] reads as the same control.
pub fn write(control: &Control) -> String {
    match control {
        Control::Rate { bps: None } => "rate none".into(),
        Control::Rate { bps: Some(bps) } => format!("rate {bps}bit/s"),
        Control::Ber { ber } => format!("ber {ber:e}"),
        Control::Delay { light_time } => format!("delay {}ns", light_time.0),
        Control::Contact { state: ForcedContact::Open } => "contact open".into(),
        Control::Contact { state: ForcedContact::Closed } => "contact closed".into(),
        Control::Fault(fault) => write_fault(fault),
        Control::Restore { what } => format!("restore {}", what.as_str()),
        Control::Pause => "pause".into(),
        Control::Resume => "resume".into(),
    }
}

fn write_fault(fault: &Fault) -> String {
    let Fault { action, only, skip, count, each_session } = fault;
    let (verb, option) = match action {
        FaultAction::Drop => ("drop", None),
        FaultAction::Damage { bits } => ("damage", Some(("bits", bits))),
        FaultAction::Duplicate { copies } => ("duplicate", Some(("copies", copies))),
        FaultAction::Reorder { after } => ("reorder", Some(("after", after))),
        FaultAction::Truncate { bytes } => ("truncate", Some(("bytes", bytes))),
    };
    let mut text = match count {
        Some(count) => format!("{verb} {count}"),
        None => format!("{verb} all"),
    };
    for kind in &only.ltp {
        // Writing to a String cannot fail.
        let _ = write!(text, " {}", kind.as_str());
    }
    if *skip > 0 {
        let _ = write!(text, " --skip {skip}");
    }
    if *each_session {
        text.push_str(" --each-session");
    }
    for (name, eid) in [("source", &only.source), ("destination", &only.destination)] {
        if let Some(eid) = eid {
            let _ = write!(text, " --{name} {eid}");
        }
    }
    if let Some((name, amount)) = option {
        let _ = write!(text, " --{name} {amount}");
    }
    text
}

#[cfg(test)]
mod tests {
    use farlink_record::DurationNanos;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_people_write_is_read() {
        let fault = |action, ltp: &[LtpKind], skip, count, each_session| {
            let only = FrameMatch { ltp: ltp.to_vec(), ..FrameMatch::default() };
            Control::Fault(Fault { action, only, skip, count, each_session })
        };
        let read = [
            ("rate 256kbit/s", Control::Rate { bps: Some(256_000) }),
            ("rate 256 kbit/s", Control::Rate { bps: Some(256_000) }),
            ("rate none", Control::Rate { bps: None }),
            ("ber 1e-5", Control::Ber { ber: 1e-5 }),
            ("  delay   4s ", Control::Delay { light_time: DurationNanos(4_000_000_000) }),
            ("delay 1.5 min", Control::Delay { light_time: DurationNanos(90_000_000_000) }),
            ("contact open", Control::Contact { state: ForcedContact::Open }),
            ("contact closed", Control::Contact { state: ForcedContact::Closed }),
            ("contact planned", Control::Restore { what: Restorable::Contact }),
            ("drop", fault(FaultAction::Drop, &[], 0, Some(1), false)),
            ("drop 2 report --skip 1 --each-session", fault(FaultAction::Drop, &[LtpKind::Report], 1, Some(2), true)),
            (
                "damage all red green",
                fault(FaultAction::Damage { bits: 1 }, &[LtpKind::Red, LtpKind::Green], 0, None, false),
            ),
            ("duplicate --copies 3", fault(FaultAction::Duplicate { copies: 3 }, &[], 0, Some(1), false)),
            (
                "reorder checkpoint --after 2",
                fault(FaultAction::Reorder { after: 2 }, &[LtpKind::Checkpoint], 0, Some(1), false),
            ),
            ("truncate 5 --bytes 20", fault(FaultAction::Truncate { bytes: 20 }, &[], 0, Some(5), false)),
            ("restore", Control::Restore { what: Restorable::All }),
            ("restore faults", Control::Restore { what: Restorable::Faults }),
            ("pause", Control::Pause),
            ("resume", Control::Resume),
        ];
        for (text, control) in read {
            assert_eq!(parse(text).unwrap_or_else(|error| panic!("{text}: {error}")), control, "{text}");
        }
        let Control::Fault(fault) = parse("drop all --source ipn:10.* --destination dtn://mars/").unwrap() else {
            panic!("no fault")
        };
        assert_eq!(
            (fault.only.source.as_deref(), fault.only.destination.as_deref()),
            (Some("ipn:10.*"), Some("dtn://mars/"))
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_the_right_form() {
        let wrong = [
            ("", "nothing is said: write rate, ber,"),
            ("sneeze", "`sneeze` is no control: write rate, ber, delay"),
            ("rate", "`rate` is not said so: write as in `rate 256kbit/s` or `rate none`"),
            ("rate fast", "as in"),
            ("rate 256", "`rate none` for silence"),
            ("rate 0bit/s", "bit/s"),
            ("ber often", "write as in `ber 1e-5`"),
            ("ber 0.7", "from 0 to 0.5, as in `ber 1e-5`"),
            ("delay 4", "as in"),
            ("delay 900 d", "from 0 to 366 days"),
            ("contact ajar", "write as in `contact open`, `contact closed` or `contact planned`"),
            ("drop two", "`two` is neither a count nor a kind of LTP segment: write as in `drop 2 report`"),
            ("drop report 2", "`2` is neither"),
            ("drop 99999999999999999999", "neither a count"),
            ("drop 0", "count is at least 1"),
            ("drop --skipp 1", "`drop` knows no `--skipp`: write as in `drop 2 report --skip 1 --each-session`"),
            ("drop --source mars", "stand for all of a node's endpoints"),
            ("duplicate --copies 9999", "at most 1000"),
            ("restore order", "write as in `restore all`"),
            ("pause now", "knows no `now`: write as in `pause`"),
        ];
        for (text, says) in wrong {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains('\n'), "{text}: {error}");
        }
    }

    fn any_control() -> impl Strategy<Value = Control> {
        let action = prop_oneof![
            Just(FaultAction::Drop),
            (1..=u32::MAX).prop_map(|bits| FaultAction::Damage { bits }),
            (1..=1000u32).prop_map(|copies| FaultAction::Duplicate { copies }),
            (1..=u32::MAX).prop_map(|after| FaultAction::Reorder { after }),
            (1..=u32::MAX).prop_map(|bytes| FaultAction::Truncate { bytes }),
        ];
        let kinds = proptest::collection::vec(proptest::sample::select(LTP_KINDS.to_vec()), 0..3);
        let eid =
            proptest::option::of((0..u64::MAX, 0..9u64).prop_map(|(node, service)| format!("ipn:{node}.{service}")));
        let fault = (action, kinds, eid.clone(), eid, any::<u64>(), proptest::option::of(1..u64::MAX), any::<bool>())
            .prop_map(|(action, ltp, source, destination, skip, count, each_session)| {
                Control::Fault(Fault {
                    action,
                    only: FrameMatch { ltp, source, destination },
                    skip,
                    count,
                    each_session,
                })
            });
        let restorable = [
            Restorable::Rate,
            Restorable::Errors,
            Restorable::Delay,
            Restorable::Contact,
            Restorable::Faults,
            Restorable::All,
        ];
        prop_oneof![
            proptest::option::of(1..=1_000_000_000_000u64).prop_map(|bps| Control::Rate { bps }),
            (0.0..=0.5f64).prop_map(|ber| Control::Ber { ber }),
            (0..=366 * 86_400_000_000_000i64).prop_map(|ns| Control::Delay { light_time: DurationNanos(ns) }),
            proptest::sample::select(vec![ForcedContact::Open, ForcedContact::Closed])
                .prop_map(|state| Control::Contact { state }),
            fault,
            proptest::sample::select(restorable.to_vec()).prop_map(|what| Control::Restore { what }),
            Just(Control::Pause),
            Just(Control::Resume),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(control in any_control()) {
            prop_assert_eq!(parse(&write(&control)).unwrap(), control);
        }

        #[test]
        fn whatever_is_written_does_no_harm(text in "(rate|drop|ber|delay|contact|damage|restore)? ?[ a-z0-9:./-]{0,40}") {
            let _ = parse(&text);
        }
    }
}
