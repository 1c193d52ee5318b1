//! `farlink bundle validate`

use clap::Args;
use serde_json::json;

use super::inspect::place;
use super::source::{Inputs, Seen, worse};
use crate::Ending;
use crate::commands::Format;

/// Say of each bundle, in one line, whether it is valid and why not.
///
/// Valid: the built-in node takes it. Lapses are rules of RFC 9171 that bind whoever made the bundle; a receiver can read
/// it all the same.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    farlink bundle validate bundle.bin\n  \
    farlink bundle validate --strict run/capture.pcapng\n  \
    farlink bundle make --source ipn:1.1 --destination ipn:2.1 --payload-text hello --break crc | farlink bundle validate\n\n\
    Exit codes: 0 every bundle is valid, 1 at least one is not, or has a lapse under --strict, 2 an input could not be read \
    or holds no bundle.")]
pub struct ValidateArguments {
    #[command(flatten)]
    inputs: Inputs,
    /// Lapses count too.
    #[arg(long)]
    strict: bool,
}

pub fn validate(arguments: &ValidateArguments) -> Ending {
    let mut number = 0u64;
    let mut found = Ending::Met;
    let read = arguments.inputs.read(0, &mut |input, seen| match (arguments.inputs.format, seen) {
        (Format::Text, Seen::Note(note)) => complain!("note: {input}: {note}"),
        (Format::Json, Seen::Note(note)) => say!("{}", json!({"kind": "note", "input": input, "message": note})),
        (format, Seen::Bundle(origin, view)) => {
            number += 1;
            let met = view.valid && (view.lapses.is_empty() || !arguments.strict);
            if !met {
                found = Ending::NotMet;
            }
            if format == Format::Json {
                say!(
                    "{}",
                    json!({
                        "kind": "verdict", "input": input, "index": number, "origin": origin, "title": view.title(),
                        "valid": view.valid, "met": met, "problems": view.problems, "lapses": view.lapses,
                    })
                );
                return;
            }
            let reasons = view.problems.iter().map(|problem| format!("octet {}: {}", problem.octet, problem.message));
            let reasons: Vec<_> = reasons.chain(view.lapses.iter().map(|lapse| format!("lapse: {lapse}"))).collect();
            let word = match (view.valid, met) {
                (true, true) => "valid",
                (true, false) => "LAPSES",
                (false, _) => "INVALID",
            };
            let reasons = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) };
            say!("{word} bundle {number}, {}, {}{reasons}", place(input, &origin, &view), view.title());
        }
    });
    worse(read, found)
}
