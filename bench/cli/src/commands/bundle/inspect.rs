//! `farlink bundle inspect`

use clap::Args;
use farlink_inspect::bundle::{BundleView, SHOWN};
use farlink_inspect::survey::Origin;
use serde_json::json;

use super::source::{Inputs, Seen, worse};
use crate::Ending;
use crate::commands::Format;

/// Show what bundles are made of, block by block, and where they are wrong.
///
/// Octet ranges are half-open, FROM..TO, counted from the first octet of the bundle. A bundle that cannot be parsed is shown
/// as far as it can be read, with the octet at which it is wrong.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    farlink bundle inspect bundle.bin\n  \
    echo 9f88070000820282010282028202018202820201820018281a000f424085010100005823526561647920746f2067656e6572617465206120\
    33322d62797465207061796c6f6164ff | farlink bundle inspect\n  \
    farlink bundle inspect run/capture.pcapng\n  \
    tcpdump -w - udp port 1113 | farlink bundle inspect --format json -\n\n\
    Hex may be grouped by white space, `,`, `:`, `;`, `-` or `_`, with 0x or \\x; `#` begins a comment; dumps by xxd, hexdump \
    -vC, od -A x -t x1 and tshark -x are read with their offsets.\n\n\
    Captures: LTP blocks are put together from their segments; IP fragments too. Link types: Ethernet with VLAN, Linux \
    cooked, raw IP, NULL and LOOP.\n\n\
    Exit codes: 0 every bundle is valid, 1 at least one is not, 2 an input could not be read or holds no bundle.")]
pub struct InspectArguments {
    #[command(flatten)]
    inputs: Inputs,
    /// How many octets of payloads and unknown blocks to show.
    #[arg(long, value_name = "OCTETS", default_value_t = SHOWN)]
    show: usize,
}

pub fn inspect(arguments: &InspectArguments) -> Ending {
    let mut number = 0u64;
    let mut found = Ending::Met;
    let read = arguments.inputs.read(arguments.show, &mut |input, seen| match (arguments.inputs.format, seen) {
        (Format::Text, Seen::Note(note)) => complain!("note: {input}: {note}"),
        (Format::Json, Seen::Note(note)) => say!("{}", json!({"kind": "note", "input": input, "message": note})),
        (format, Seen::Bundle(origin, view)) => {
            number += 1;
            if !view.valid {
                found = Ending::NotMet;
            }
            match format {
                Format::Text => print(number, input, &origin, &view),
                Format::Json => say!(
                    "{}",
                    json!({"kind": "bundle", "input": input, "index": number, "origin": origin, "bundle": view})
                ),
            }
        }
    });
    worse(read, found)
}

fn print(number: u64, input: &str, origin: &Origin, view: &BundleView) {
    if number > 1 {
        say!();
    }
    let mut tree = view.tree(&format!("bundle {number}, {}: {}", view.verdict(), view.title()));
    tree.field("in", place(input, origin, view));
    if let (Some(time), Some(packet), Some(path)) = (&origin.time, origin.packet, &origin.path) {
        tree.field("seen", format!("{time} in packet {packet}, {path}"));
    }
    for line in tree.render() {
        say!("{line}");
    }
}

/// `octets 0..69 of bundle.bin`, `octets 0..20100 of the block of LTP session 2:1 in capture.pcapng`.
pub fn place(input: &str, origin: &Origin, view: &BundleView) -> String {
    let octets = format!("octets {}..{}", origin.octet, origin.octet + view.length);
    match (&origin.session, origin.carrier) {
        (Some(session), _) => format!("{octets} of the block of LTP session {session} in {input}"),
        (None, Some(carrier)) => format!("{octets} of what {carrier} carried in {input}"),
        (None, None) => format!("{octets} of {input}"),
    }
}
