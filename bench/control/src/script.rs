//! What is to be said, and when.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use farlink_record::control::Control;
use farlink_record::recording::{RecordingError, RecordingReader};
use farlink_record::{ChannelId, Event, Header};
use farlink_units::{Duration, Instant};
use serde::Deserialize;
use serde_yaml::Spanned;
use thiserror::Error;

use crate::protocol::channel_named;
use crate::words::{self, WordsError};

/// Longest script written by hand, in bytes. Recordings have no limit.
const MAX_BYTES: u64 = 1 << 24;

/// A control with the instant at which it is to be said.
#[derive(Clone, Debug, PartialEq)]
pub struct Timed {
    /// When, since the start of the run.
    pub at: Instant,
    /// To which channel; `None` is all of them.
    pub channel: Option<ChannelId>,
    /// What.
    pub control: Control,
}

/// What is to be said to an emulator, in the order of time.
///
/// # Forms
/// The recording of a run: what was said in that is said again. Or a list by hand, in YAML or as JSON lines:
///
/// ```yaml
/// - { at: 12s, channel: forward, do: drop 2 report --skip 1 --each-session }
/// - { at: 1 min, do: rate none }   # to all channels
/// ```
/// ```json
/// {"at":"12s","channel":"forward","do":"contact closed"}
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    path: PathBuf,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
struct Step {
    line: u64,
    at: Instant,
    channel: Option<String>,
    control: Control,
}

/// Why a file is no script for this emulator. The message names file, line and remedy.
#[derive(Debug, Error)]
pub enum ScriptError {
    /// It cannot be read.
    #[error("{}: cannot read the script: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is too long for what a person wrote.
    #[error("{}: more than {MAX_BYTES} bytes, and no recording: give a list of controls, or a recording.jsonl", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// It is a recording that cannot be read.
    #[error("{}: {source}", path.display())]
    Recording {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its line.
        source: RecordingError,
    },
    /// It is no list of controls.
    #[error("{}:{line}: {reason}; write each control as in `{{ at: 12s, channel: forward, do: drop 2 report }}`", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// An instant that is none.
    #[error("{}:{line}: {reason}; `at` is the time since the start of the run, not negative, as in `at: 12s`", path.display())]
    At {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// Words that are no control.
    #[error("{}:{line}: {source}", path.display())]
    Words {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong, and what would be right.
        source: Box<WordsError>,
    },
    /// A channel that is not there.
    #[error("{}:{line}: there is no channel `{channel}` here: write one of `{}`, or leave it out for all", path.display(), known.join("`, `"))]
    Channel {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What it names.
        channel: String,
        /// The channels that there are.
        known: Vec<String>,
    },
    /// It says nothing.
    #[error("{}: nothing is said in it: a script has at least one control, as in `- {{ at: 12s, do: rate none }}`", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// A control as a person writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<T> {
    at: T,
    #[serde(default = "none")]
    channel: Option<String>,
    #[serde(rename = "do")]
    words: T,
}

fn none() -> Option<String> {
    None
}

impl Script {
    /// Reads a script: a recording, YAML, or JSON lines, told apart by what is in the file.
    ///
    /// # Errors
    /// See [`ScriptError`].
    pub fn load(path: &Path) -> Result<Self, ScriptError> {
        let failed = |source| ScriptError::Io { path: path.to_owned(), source };
        let mut input = BufReader::new(File::open(path).map_err(failed)?);
        let begins = input.fill_buf().map_err(failed)?;
        let mut steps = if is_recording(begins) {
            of_recording(path, input)?
        } else {
            let mut text = String::new();
            let read = input.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
            if read as u64 > MAX_BYTES {
                return Err(ScriptError::TooLong { path: path.to_owned() });
            }
            by_hand(path, &text)?
        };
        if steps.is_empty() {
            return Err(ScriptError::Empty { path: path.to_owned() });
        }
        // Of those at one instant, what stands first is said first.
        steps.sort_by_key(|step| step.at);
        Ok(Script { path: path.to_owned(), steps })
    }

    /// What it says to channels of these names, in the order of their numbers.
    ///
    /// # Errors
    /// It names another channel.
    pub fn resolve(&self, channels: &[String]) -> Result<Vec<Timed>, ScriptError> {
        let resolve = |step: &Step| {
            let channel = step.channel.as_ref().map(|name| {
                channel_named(channels, name).ok_or_else(|| ScriptError::Channel {
                    path: self.path.clone(),
                    line: step.line,
                    channel: name.clone(),
                    known: channels.to_vec(),
                })
            });
            Ok(Timed { at: step.at, channel: channel.transpose()?, control: step.control.clone() })
        };
        self.steps.iter().map(resolve).collect()
    }
}

/// Whether a file that begins so is a recording.
fn is_recording(begins: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&begins[..begins.len().min(200)]);
    head.starts_with('{') && head.contains("\"format\"") && head.contains(Header::FORMAT)
}

fn of_recording(path: &Path, input: impl BufRead) -> Result<Vec<Step>, ScriptError> {
    let failed = |source| ScriptError::Recording { path: path.to_owned(), source };
    let (header, mut reader) = RecordingReader::open(input).map_err(failed)?;
    let mut steps = Vec::new();
    while let Some(stamped) = reader.next() {
        let stamped = match stamped {
            Ok(stamped) => stamped,
            // A run that was killed said what it said until then.
            Err(RecordingError::CutShort { .. }) => break,
            Err(error) => return Err(failed(error)),
        };
        if let Event::Controlled { channel, control, .. } = stamped.event {
            // The reader has made sure that the header has it.
            let channel =
                channel.and_then(|ChannelId(id)| header.channels.get(usize::from(id))).map(|c| c.name.clone());
            steps.push(Step { line: reader.line(), at: stamped.at, channel, control });
        }
    }
    Ok(steps)
}

fn by_hand(path: &Path, text: &str) -> Result<Vec<Step>, ScriptError> {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    if first.is_some_and(|line| line.starts_with('{')) { json_lines(path, text) } else { yaml(path, text) }
}

fn json_lines(path: &Path, text: &str) -> Result<Vec<Step>, ScriptError> {
    let lines = text.lines().zip(1u64..).filter(|(line, _)| !line.trim().is_empty() && !line.trim().starts_with('#'));
    lines
        .map(|(text, line)| {
            let form = |reason: String| ScriptError::Form { path: path.to_owned(), line, reason };
            // The line that the parser tells is that of its text, which has but one.
            let gist = |error: serde_json::Error| {
                let told = error.to_string();
                told.split(" at line ").next().unwrap_or_default().to_owned()
            };
            let written: Written<String> = serde_json::from_str(text).map_err(|error| form(gist(error)))?;
            step(path, line, (&written.at, line), written.channel, (&written.words, line))
        })
        .collect()
}

fn yaml(path: &Path, text: &str) -> Result<Vec<Step>, ScriptError> {
    let written: Option<Vec<Written<Spanned<String>>>> = serde_yaml::from_str(text).map_err(|error| {
        let line = error.location().map_or(1, |location| location.line());
        let reason = error.without_snippet().to_string().lines().next().unwrap_or_default().to_owned();
        ScriptError::Form { path: path.to_owned(), line, reason }
    })?;
    let line = |text: &Spanned<String>| text.referenced.line();
    let step_of = |written: Written<Spanned<String>>| {
        let (at, words) =
            ((written.at.value.as_str(), line(&written.at)), (written.words.value.as_str(), line(&written.words)));
        step(path, at.1, at, written.channel, words)
    };
    written.unwrap_or_default().into_iter().map(step_of).collect()
}

/// A control of which parts stand in lines.
fn step(
    path: &Path,
    line: u64,
    (at, at_line): (&str, u64),
    channel: Option<String>,
    (words, words_line): (&str, u64),
) -> Result<Step, ScriptError> {
    let wrong = |reason: String| ScriptError::At { path: path.to_owned(), line: at_line, reason };
    let since_start: Duration =
        if at == "0" { Duration::ZERO } else { at.parse().map_err(|error| wrong(format!("{error}")))? };
    if since_start.is_negative() {
        return Err(wrong(format!("`{at}` is before the start of the run")));
    }
    let control = words::parse(words).map_err(|source| ScriptError::Words {
        path: path.to_owned(),
        line: words_line,
        source: Box::new(source),
    })?;
    Ok(Step { line, at: Instant::ZERO + since_start, channel, control })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use farlink_record::control::{ControlledBy, ForcedContact, Restorable};
    use farlink_record::recording::RecordingWriter;
    use farlink_record::{ChannelInfo, DurationNanos, NodeId, NodeInfo, Stamped};

    use super::*;

    fn names() -> Vec<String> {
        vec!["forward".into(), "return".into()]
    }

    fn load(text: &[u8]) -> Result<Vec<Timed>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("script");
        fs::write(&path, text).unwrap();
        let script = Script::load(&path).and_then(|script| script.resolve(&names()));
        script.map_err(|error| error.to_string().replace(&path.display().to_string(), "script"))
    }

    fn timed(secs: i64, channel: Option<u16>, control: Control) -> Timed {
        Timed { at: Instant::ZERO + Duration::from_secs(secs), channel: channel.map(ChannelId), control }
    }

    #[test]
    fn a_list_is_read_in_the_order_of_time() {
        let expected = vec![
            timed(0, None, Control::Rate { bps: None }),
            timed(12, Some(1), Control::Contact { state: ForcedContact::Closed }),
            timed(12, Some(1), Control::Restore { what: Restorable::Contact }),
            timed(60, Some(0), Control::Delay { light_time: DurationNanos(4_000_000_000) }),
        ];
        let yaml = "# What was tried\n- { at: 1 min, channel: forward, do: delay 4s }\n\
            - at: 12s\n  channel: return\n  do: contact closed\n- { at: 12 s, channel: return, do: contact planned }\n\
            - { at: 0s, do: rate none }\n";
        assert_eq!(load(yaml.as_bytes()).unwrap(), expected);
        let json = "{\"at\":\"1 min\",\"channel\":\"forward\",\"do\":\"delay 4s\"}\n\n\
            {\"at\":\"12s\",\"channel\":\"return\",\"do\":\"contact closed\"}\n\
            {\"at\":\"12s\",\"channel\":\"return\",\"do\":\"restore contact\"}\n{\"at\":\"0\",\"do\":\"rate none\"}\n";
        assert_eq!(load(json.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn what_was_said_in_a_run_is_said_again() {
        let channel = |name: &str| ChannelInfo {
            name: name.into(),
            link: "link".into(),
            from: NodeId(0),
            to: NodeId(0),
            rate_bps: 1,
            rates: Vec::new(),
            ber: 0.0,
            contacts: Vec::new(),
        };
        // The channels are in another order there.
        let header = Header {
            format: Header::FORMAT.into(),
            version: Header::VERSION,
            farlink: "0".into(),
            scenario: "s".into(),
            scenario_sha256: String::new(),
            seed: 0,
            epoch: "2031-01-01T00:00:00Z".into(),
            duration: DurationNanos(0),
            clock: "wall".into(),
            nodes: vec![NodeInfo { name: "a".into(), eid: "ipn:1.0".into() }],
            channels: vec![channel("return"), channel("forward")],
            traffic: Vec::new(),
        };
        let mut bytes = Vec::new();
        let mut writer = RecordingWriter::new(&mut bytes, &header).unwrap();
        let rate = Control::Rate { bps: Some(9) };
        for (nanos, event) in [
            (3, Event::ContactClosed { channel: ChannelId(0) }),
            (5, Event::Controlled { channel: Some(ChannelId(0)), control: rate.clone(), by: ControlledBy::Socket }),
            (5, Event::Controlled { channel: None, control: Control::Pause, by: ControlledBy::View }),
        ] {
            writer.event(&Stamped { at: Instant::from_nanos(nanos), event }).unwrap();
        }
        writer.finish().unwrap();
        let at = Instant::from_nanos(5);
        let expected = vec![
            Timed { at, channel: Some(ChannelId(1)), control: rate },
            Timed { at, channel: None, control: Control::Pause },
        ];
        assert_eq!(load(&bytes).unwrap(), expected);
        // Of a run that was killed while it wrote.
        bytes.extend(b"{\"t\":9,\"eve");
        assert_eq!(load(&bytes).unwrap(), expected);
        bytes.extend(b"\n");
        let error = load(&bytes).unwrap_err();
        assert!(error.starts_with("script: line 5: not an event"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_told_with_file_and_line_and_remedy() {
        let wrong = [
            ("", "script: nothing is said in it: a script has at least one control"),
            ("# nothing\n", "script: nothing is said in it"),
            ("- { at: 1s, do: rate none }\n- { at: soon, do: rate none }\n", "script:2: `soon` is not a duration"),
            ("- { at: -1s, do: rate none }\n", "script:1: "),
            ("- at: 1s\n  do: sneeze\n", "script:2: `sneeze` is no control: write rate, ber, delay"),
            (
                "- at: 1s\n  channel: backward\n  do: pause\n",
                "script:1: there is no channel `backward` here: write one of `forward`, `return`",
            ),
            ("- { at: 1s, say: pause }\n", "script:1: "),
            ("- { at: 1s }\n", "script:1: "),
            ("at: 1s\ndo: pause\n", "write each control as in `{ at: 12s, channel: forward, do: drop 2 report }`"),
            ("hello", "write each control as in"),
            ("- [", "script:1: "),
            ("{\"at\":\"1s\",\"do\":\"pause\"}\n{\"at\":\"1s\"}\n", "script:2: missing field `do`"),
            ("{\"at\":\"1s\",\"do\":\"drop two\"}\n", "script:1: `two` is neither a count"),
            ("{\"at\":1,\"do\":\"pause\"}\n", "script:1: invalid type"),
            ("{\"format\":\"farlink-recording\",\"version\":3}\n", "script: line 1: not a Farlink recording"),
        ];
        for (text, says) in wrong {
            let error = load(text.as_bytes()).expect_err(text);
            assert!(error.contains(says), "{text}: {error}");
        }
        let error = load(&[0xff, 0xfe]).unwrap_err();
        assert!(error.starts_with("script: cannot read the script"), "{error}");
        let error = Script::load(Path::new("/nowhere/script")).unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/script: cannot read the script"), "{error}");
    }
}
