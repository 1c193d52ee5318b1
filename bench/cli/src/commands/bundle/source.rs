//! Where the commands that look inside get their octets from.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use farlink_inspect::bundle::BundleView;
use farlink_inspect::input::{self, Kind};
use farlink_inspect::survey::{self, Options, Origin, Sight, Summary};

use crate::commands::Format;
use crate::{Ending, bench_failed};

/// How much of an input is looked at to find out what it is.
const FIRST: u64 = 1 << 16;

/// What an input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BundleInput {
    /// Bundles, one after the other.
    Bundle,
    /// Hex digits, in any grouping, or a dump by xxd, hexdump -C, od or tshark -x.
    Hex,
    /// Base64.
    Base64,
    /// A pcap or pcapng file: bundles in LTP blocks, in UDP datagrams (port 4556), in MTCP and STCP streams.
    Pcap,
}

impl From<BundleInput> for Kind {
    fn from(input: BundleInput) -> Self {
        match input {
            BundleInput::Bundle => Kind::Raw,
            BundleInput::Hex => Kind::Hex,
            BundleInput::Base64 => Kind::Base64,
            BundleInput::Pcap => Kind::Capture,
        }
    }
}

/// The inputs of a command about bundles.
#[derive(Debug, Args)]
pub struct Inputs {
    /// Files to read; `-` is standard input.
    #[arg(value_name = "FILE", default_value = "-")]
    files: Vec<PathBuf>,
    /// What the input is, if its content does not tell rightly.
    #[arg(long, value_enum)]
    from: Option<BundleInput>,
    /// UDP ports to which LTP segments go.
    #[arg(long, value_name = "PORT", default_values_t = [survey::LTP_PORT], value_delimiter = ',')]
    ltp_port: Vec<u16>,
    /// How to print what was found; JSON is one object a line.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// What an input gives.
pub enum Seen {
    Bundle(Origin, Box<BundleView>),
    Note(String),
}

impl Inputs {
    /// Reads all inputs; what is found is handed to `each` with the input's name. The ending is what could not be read.
    pub fn read(&self, shown: usize, each: &mut dyn FnMut(&str, Seen)) -> Ending {
        let mut worst = Ending::Met;
        for file in &self.files {
            let (name, input) = match open(file) {
                Ok(opened) => opened,
                Err(message) => {
                    worst = bench_failed(message);
                    continue;
                }
            };
            let from = self.from.map(Kind::from);
            let (kind, input) = match kind_of(input, from, |first| matches!(first.first(), Some(0x80..=0x9F))) {
                Ok(known) => known,
                Err(error) => {
                    worst = bench_failed(format_args!("{name}: cannot be read: {error}"));
                    continue;
                }
            };
            let ending = match kind {
                Kind::Capture => self.capture(&name, input, shown, each),
                _ => octets(&name, kind, input, shown, each),
            };
            worst = worse(worst, ending);
        }
        worst
    }

    fn capture(&self, name: &str, input: impl Read, shown: usize, each: &mut dyn FnMut(&str, Seen)) -> Ending {
        let options = Options { ltp_ports: self.ltp_port.clone(), shown };
        let mut refused = 0u64;
        let surveyed = survey::survey(input, &options, &mut |sight| match sight {
            Sight::Bundle(origin, view) => each(name, Seen::Bundle(origin, view)),
            Sight::Note(note) => each(name, Seen::Note(note)),
            Sight::Refused { .. } => refused += 1,
            Sight::Segment { .. } | Sight::Session(_) => {}
        });
        if refused > 0 {
            let note =
                format!("{refused} datagrams on a port of LTP hold no segments; `farlink ltp inspect` shows them");
            each(name, Seen::Note(note));
        }
        ended(name, surveyed, |summary| (summary.bundles == 0).then_some("bundles"), &self.ltp_port)
    }
}

fn octets(name: &str, kind: Kind, input: impl Read, shown: usize, each: &mut dyn FnMut(&str, Seen)) -> Ending {
    match input::octets(kind, input) {
        Ok(octets) => {
            for (octet, view) in survey::bundles(&octets, shown) {
                each(name, Seen::Bundle(Origin { octet, ..Origin::default() }, Box::new(view)));
            }
            Ending::Met
        }
        Err(error) => bench_failed(format_args!("{name} {error}")),
    }
}

/// How reading a capture ended, which has to be told if it was not at its end, or held nothing of what was looked for.
pub fn ended(
    name: &str,
    surveyed: Result<Summary, Box<(Summary, farlink_inspect::capture::CaptureError)>>,
    nothing: impl Fn(&Summary) -> Option<&'static str>,
    ltp_ports: &[u16],
) -> Ending {
    let summary = match surveyed {
        Ok(summary) => summary,
        Err(failed) => {
            let (summary, error) = *failed;
            let before = match summary.totals.packets {
                0 => String::new(),
                packets => format!("; what the {packets} packets before hold has been shown"),
            };
            return bench_failed(format_args!("{name}: {error}{before}"));
        }
    };
    let Some(what) = nothing(&summary) else { return Ending::Met };
    let totals = &summary.totals;
    let ports = |udp: bool| {
        let ports: Vec<_> = totals.ports.iter().filter(|((is_udp, _), _)| *is_udp == udp).collect();
        let listed: Vec<_> = ports.iter().take(8).map(|((_, port), packets)| format!("{port} ({packets})")).collect();
        let more = if ports.len() > 8 { format!(" and {} more", ports.len() - 8) } else { String::new() };
        if listed.is_empty() { "none".to_owned() } else { listed.join(", ") + &more }
    };
    let looked: Vec<_> = ltp_ports.iter().map(ToString::to_string).collect();
    bench_failed(format_args!(
        "{name}: no {what} in {} packets; LTP was looked for in UDP datagrams to port {}. UDP ports with datagrams: {}; TCP \
         ports with segments: {}. If LTP goes to another port, name it with --ltp-port",
        totals.packets,
        looked.join(", "),
        ports(true),
        ports(false),
    ))
}

/// An input, and what it is called in messages.
pub fn open(file: &Path) -> Result<(String, Box<dyn Read>), String> {
    if file.as_os_str() == "-" {
        return Ok(("standard input".to_owned(), Box::new(io::stdin())));
    }
    let name = file.display().to_string();
    let hint = |error: &io::Error| match error.kind() {
        io::ErrorKind::NotFound => " (is the name right, seen from this folder?)",
        _ => "",
    };
    // A folder can be opened, and then not be read.
    if file.is_dir() {
        return Err(format!("{name} is a folder: name the files in it"));
    }
    match File::open(file) {
        Ok(opened) => Ok((name, Box::new(opened))),
        Err(error) => Err(format!("{name} cannot be read: {error}{}", hint(&error))),
    }
}

/// What an input is: `from`, or what its first octets show; and the input, still from its start.
pub fn kind_of(
    mut input: Box<dyn Read>,
    from: Option<Kind>,
    raw: impl FnOnce(&[u8]) -> bool,
) -> io::Result<(Kind, impl Read)> {
    let mut first = Vec::new();
    input.by_ref().take(FIRST).read_to_end(&mut first)?;
    let kind = from.unwrap_or_else(|| input::kind_of(&first, raw));
    // Packets are read in small pieces.
    Ok((kind, io::BufReader::with_capacity(1 << 18, Cursor::new(first).chain(input))))
}

/// The ending of two that says more of what went wrong.
pub fn worse(one: Ending, other: Ending) -> Ending {
    match (one, other) {
        (Ending::BenchFailed, _) | (_, Ending::BenchFailed) => Ending::BenchFailed,
        (Ending::NotMet, _) | (_, Ending::NotMet) => Ending::NotMet,
        _ => Ending::Met,
    }
}
