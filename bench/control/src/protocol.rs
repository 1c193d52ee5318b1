//! What goes over the socket.

use farlink_record::ChannelId;
use farlink_record::control::Control;
use farlink_record::instrument::Snapshot;
use serde::{Deserialize, Serialize};

/// The version of the protocol that this crate speaks.
pub const VERSION: u32 = 1;

/// Longest line that is read, in bytes.
pub const MAX_LINE: usize = 1 << 16;

/// The channel that people call so: by its name, in which `->` may stand for `→`.
pub fn channel_named(channels: &[String], name: &str) -> Option<ChannelId> {
    let place = channels.iter().position(|channel| *channel == name || *channel == name.replace("->", "→"));
    place.and_then(|place| u16::try_from(place).ok()).map(ChannelId)
}

/// What is asked of an emulator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Ask {
    /// To do something.
    Control {
        /// What.
        control: Control,
    },
    /// To tell how things are.
    Snapshot,
}

/// A line of a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RequestLine {
    pub(crate) version: u32,
    /// Which channel, by name; all of them if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) channel: Option<String>,
    #[serde(flatten)]
    pub(crate) ask: Ask,
}

/// A line of the emulator.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct AnswerLine {
    pub(crate) version: u32,
    #[serde(flatten)]
    pub(crate) answer: Answer,
}

/// Which answer a line is, to be read before the rest: a reader that must look for that among the rest cannot keep sums of 128
/// bits, which snapshots have.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", tag = "answer")]
enum Which {
    Done,
    Refused { why: String },
    Snapshot,
}

/// Reads the answer in a line.
pub(crate) fn read_answer(line: &[u8]) -> serde_json::Result<Answer> {
    Ok(match serde_json::from_slice(line)? {
        Which::Done => Answer::Done,
        Which::Refused { why } => Answer::Refused { why },
        Which::Snapshot => Answer::Snapshot(serde_json::from_slice(line)?),
    })
}

/// Only the version of a line, to be read first.
#[derive(Deserialize)]
pub(crate) struct VersionOnly {
    pub(crate) version: u32,
}

/// What an emulator says to what it is asked.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// It has done it.
    Done,
    /// It has not; nothing has changed.
    Refused {
        /// Why not, in words, and how to mend it.
        why: String,
    },
    /// How things are.
    Snapshot(Box<Snapshot>),
}

#[cfg(test)]
mod tests {
    use farlink_units::Instant;

    use super::*;

    #[test]
    fn an_arrow_can_be_typed() {
        let channels = ["a→b".to_string(), "b→a".to_string(), "c->d".to_string()];
        assert_eq!(channel_named(&channels, "b->a"), Some(ChannelId(1)));
        assert_eq!(channel_named(&channels, "c->d"), Some(ChannelId(2)));
        assert_eq!(channel_named(&channels, "a"), None);
    }

    #[test]
    fn lines_are_flat_objects_and_come_back() {
        let line = RequestLine {
            version: VERSION,
            channel: Some("forward".into()),
            ask: Ask::Control { control: Control::Rate { bps: Some(256_000) } },
        };
        let text = serde_json::to_string(&line).unwrap();
        assert_eq!(text, r#"{"version":1,"channel":"forward","ask":"control","control":{"do":"rate","bps":256000}}"#);
        assert_eq!(serde_json::from_str::<RequestLine>(&text).unwrap(), line);
        let line = RequestLine { version: VERSION, channel: None, ask: Ask::Snapshot };
        let text = serde_json::to_string(&line).unwrap();
        assert_eq!(text, r#"{"version":1,"ask":"snapshot"}"#);
        assert_eq!(serde_json::from_str::<RequestLine>(&text).unwrap(), line);
        let snapshot = Snapshot { at: Instant::from_nanos(7), paused: true, ..Snapshot::default() };
        for answer in [Answer::Done, Answer::Refused { why: "no".into() }, Answer::Snapshot(Box::new(snapshot))] {
            let text = serde_json::to_string(&AnswerLine { version: VERSION, answer: answer.clone() }).unwrap();
            assert_eq!(read_answer(text.as_bytes()).unwrap(), answer, "{text}");
        }
    }
}
