//! `farlink ltp inspect`

use std::io::Read;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use farlink_inspect::bundle::Octets;
use farlink_inspect::input::{self, Kind};
use farlink_inspect::ltp::{Arrived, SegmentView, rung, segment_line, sent_by};
use farlink_inspect::survey::{self, LTP_PORT, Options, Sight};
use farlink_inspect::time;
use farlink_wire::ltp::SessionId;
use serde_json::json;

use crate::commands::Format;
use crate::commands::bundle::source::{ended, kind_of, open, worse};
use crate::{Ending, bench_failed};

/// What an input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LtpInput {
    /// The octets of one datagram.
    Datagram,
    /// One datagram as hex digits, in any grouping, or a dump by xxd, hexdump -C, od or tshark -x.
    Hex,
    /// One datagram as base64.
    Base64,
    /// A pcap or pcapng file.
    Pcap,
}

impl From<LtpInput> for Kind {
    fn from(input: LtpInput) -> Self {
        match input {
            LtpInput::Datagram => Kind::Raw,
            LtpInput::Hex => Kind::Hex,
            LtpInput::Base64 => Kind::Base64,
            LtpInput::Pcap => Kind::Capture,
        }
    }
}

/// Show what LTP segments say, and what came of the sessions in a capture.
///
/// Of a capture, a summary of each session; with --segments every segment in a line before, with --session the ladder of
/// one session. Of a datagram, every field. Ranges are half-open, FROM..TO, and count octets of the block.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    farlink ltp inspect run/capture.pcapng\n  \
    farlink ltp inspect capture.pcapng --ltp-port 1113,1115 --session 10:4711\n  \
    echo '09 0a a4 67 00 07' | farlink ltp inspect\n  \
    tcpdump -w - udp port 1113 | farlink ltp inspect --segments -\n\n\
    A capture near the receiver lacks what was lost before it, so `sent again` tells two numbers: octets that were seen \
    before, and octets that fill gaps.\n\n\
    Exit codes: 0 all was read, 1 something on a port of LTP is no segment, or a bundle inside is not valid, 2 an input could \
    not be read or holds no LTP.")]
pub struct InspectArguments {
    /// Files to read; `-` is standard input.
    #[arg(value_name = "FILE", default_value = "-")]
    files: Vec<PathBuf>,
    /// What the input is, if its content does not tell rightly.
    #[arg(long, value_enum)]
    from: Option<LtpInput>,
    /// UDP ports to which LTP segments go.
    #[arg(long, value_name = "PORT", default_values_t = [LTP_PORT], value_delimiter = ',')]
    ltp_port: Vec<u16>,
    /// Print the ladder of this session: each segment with its time and direction.
    #[arg(long, value_name = "ORIGINATOR:NUMBER", value_parser = Session::from_str)]
    session: Option<Session>,
    /// Print every segment of a capture.
    #[arg(long)]
    segments: bool,
    /// How to print what was found; JSON is one object a line.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug)]
struct Session(SessionId);

impl FromStr for Session {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split_once(':')
            .and_then(|(originator, number)| {
                Some(Session(SessionId { originator: originator.parse().ok()?, number: number.parse().ok()? }))
            })
            .ok_or_else(|| format!("`{text}` is no session: write originator and number as in `10:4711`"))
    }
}

pub fn inspect(arguments: &InspectArguments) -> Ending {
    let mut worst = Ending::Met;
    for file in &arguments.files {
        let (name, input) = match open(file) {
            Ok(opened) => opened,
            Err(message) => {
                worst = bench_failed(message);
                continue;
            }
        };
        let ending = match kind_of(input, arguments.from.map(Kind::from), |_| false) {
            Err(error) => bench_failed(format_args!("{name}: cannot be read: {error}")),
            Ok((Kind::Capture, input)) => capture(arguments, &name, input),
            Ok((kind, input)) => match input::octets(kind, input) {
                Ok(octets) => datagram(arguments, &name, &octets),
                Err(error) => bench_failed(format_args!("{name} {error}")),
            },
        };
        worst = worse(worst, ending);
    }
    worst
}

fn datagram(arguments: &InspectArguments, name: &str, octets: &[u8]) -> Ending {
    let mut ending = Ending::Met;
    for (n, view) in SegmentView::all(octets).iter().enumerate() {
        if view.problem.is_some() {
            ending = Ending::NotMet;
        }
        if arguments.format == Format::Json {
            say!(
                "{}",
                json!({"kind": "segment", "input": name, "packet": null, "time": null, "path": null, "segment": view})
            );
            continue;
        }
        if n > 0 {
            say!();
        }
        let what = if view.problem.is_some() { "not a segment" } else { "segment" };
        for line in view.tree(&format!("{what} {}, {} of {name}", n + 1, view.place())).render() {
            say!("{line}");
        }
    }
    ending
}

fn capture(arguments: &InspectArguments, name: &str, input: impl Read) -> Ending {
    let mut printer = Printer { arguments, name, ending: Ending::Met, first: None, rungs: 0, sessions: 0 };
    let options = Options { ltp_ports: arguments.ltp_port.clone(), shown: 0 };
    let surveyed = survey::survey(input, &options, &mut |sight| printer.sight(sight));
    let (found, rungs) = (printer.ending, printer.rungs);
    let ending =
        ended(name, surveyed, |summary| (summary.segments == 0).then_some("LTP segments"), &arguments.ltp_port);
    match arguments.session {
        Some(Session(session)) if rungs == 0 && ending != Ending::BenchFailed => bench_failed(format_args!(
            "{name}: no segment of session {session}; without --session all sessions are listed"
        )),
        _ => worse(ending, found),
    }
}

struct Printer<'a> {
    arguments: &'a InspectArguments,
    name: &'a str,
    ending: Ending,
    /// When the first rung of the ladder was.
    first: Option<i128>,
    rungs: u64,
    sessions: u64,
}

impl Printer<'_> {
    fn sight(&mut self, sight: Sight<'_>) {
        let wanted = |session: SessionId| self.arguments.session.is_none_or(|wanted| wanted.0 == session);
        match sight {
            Sight::Segment { segment, octets, arrived } => {
                if wanted(segment.session) && (self.arguments.session.is_some() || self.arguments.segments) {
                    let view = SegmentView::new(segment, Octets(octets.0, octets.1));
                    match (self.arguments.format, self.arguments.session) {
                        (Format::Json, _) => self.segment_json(&view, arrived),
                        (Format::Text, Some(_)) => self.rung(&view, sent_by(segment), arrived),
                        (Format::Text, None) => {
                            self.segment_text(&format!("{} {}", segment.session, segment_line(&view)), arrived);
                        }
                    }
                    self.rungs += 1;
                }
            }
            Sight::Refused { datagram, start, error, arrived } => {
                self.ending = Ending::NotMet;
                let view = SegmentView::refused(datagram, start, error);
                if self.arguments.format == Format::Json {
                    self.segment_json(&view, arrived);
                } else if self.arguments.session.is_none() {
                    let text = format!("datagram of {} octets: {}", datagram.len(), segment_line(&view));
                    self.segment_text(&text, arrived);
                }
            }
            Sight::Bundle(_, view) => {
                if !view.valid {
                    self.ending = Ending::NotMet;
                }
            }
            Sight::Session(view) => {
                if !wanted(SessionId { originator: view.originator, number: view.number }) {
                    return;
                }
                if self.arguments.format == Format::Json {
                    say!("{}", json!({"kind": "session", "input": self.name, "session": view}));
                    return;
                }
                if self.sessions > 0 || self.rungs > 0 {
                    say!();
                }
                self.sessions += 1;
                for line in view.tree().render() {
                    say!("{line}");
                }
            }
            Sight::Note(note) if self.arguments.format == Format::Json => {
                say!("{}", json!({"kind": "note", "input": self.name, "message": note}));
            }
            Sight::Note(note) => complain!("note: {}: {note}", self.name),
        }
    }

    fn rung(&mut self, view: &SegmentView, by: farlink_wire::ltp::Party, arrived: Arrived) {
        if self.rungs == 0 {
            self.first = arrived.unix_ns;
            let session = self.arguments.session.map_or_else(String::new, |session| session.0.to_string());
            let when = arrived.unix_ns.map_or_else(|| "an unknown time".to_owned(), time::unix_text);
            say!("ladder of session {session} from {when}");
            say!("{:>14} {:>7}  block sender at the left, its receiver at the right", "seconds", "packet");
        }
        let since = arrived.unix_ns.zip(self.first).map(|(now, first)| now - first);
        for line in rung(view, by, since, arrived.packet) {
            say!("{line}");
        }
    }

    fn segment_text(&self, text: &str, arrived: Arrived) {
        let when = arrived.unix_ns.map_or_else(|| "?".to_owned(), time::unix_text);
        say!("{when} packet {} {}: {text}", arrived.packet, arrived.ends);
    }

    fn segment_json(&self, view: &SegmentView, arrived: Arrived) {
        say!(
            "{}",
            json!({
                "kind": "segment", "input": self.name, "packet": arrived.packet,
                "time": arrived.unix_ns.map(time::unix_rfc3339), "path": arrived.ends.to_string(), "segment": view,
            })
        );
    }
}
