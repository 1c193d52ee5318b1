//! `farlink conform`

mod expected;
mod keep;
mod nodes;
mod print;

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use clap::Args;
use farlink_conformance::results::Results;
use farlink_conformance::run::Options;
use farlink_conformance::select::select;
use farlink_conformance::{Case, cases};
use farlink_units::Duration;
use hifitime::Epoch;

use self::expected::Expected;
use self::keep::Folder;
use self::nodes::Attached;
use super::Format;
use crate::{Ending, bench_failed, interrupt};

/// Judge whether nodes speak LTP, the Bundle Protocol and the convergence layers as the documents say.
///
/// Without a node it judges the built-in one, under a virtual clock. Each case stands for one requirement, by whose id, section, level,
/// role, tag or suite it is selected.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    farlink conform                                   the built-in node, everything\n  \
    farlink conform ltp                               one suite\n  \
    farlink conform LTP-6.11 MUST --list              what would be judged\n  \
    farlink conform ltp --node fixtures/nodes/farlink.yaml --strict\n  \
    farlink conform --node fixtures/nodes/hardy.yaml --node fixtures/nodes/dtn7.yaml --out runs/two\n  \
    farlink conform ltp --target udp:127.0.0.1:1113 --listen udp:127.0.0.1:1114 --peer-engine 2 --engine 3\n\n\
    Exit codes: 0 nothing failed, 1 something failed, 2 the bench could not do its part, as when something is inconclusive \
    or nothing was judged at all.")]
pub struct ConformArguments {
    /// Suites (ltp, bpv7, tcpclv4, framing, contacts), ids or their beginnings (LTP-6.11), sections (\"5326 §6.11\"), levels (MUST),
    /// roles or tags. Several words select what any of them names.
    #[arg(value_name = "SELECT")]
    select: Vec<String>,
    /// The file that describes a node; may be given more than once.
    #[arg(long, value_name = "FILE")]
    node: Vec<PathBuf>,
    #[command(flatten)]
    attached: Attached,
    /// Print the cases instead of running them.
    #[arg(long)]
    list: bool,
    /// Count what is only recommended.
    #[arg(long)]
    strict: bool,
    /// Run each case this often.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    repeat: u32,
    /// Run cases side by side: nodes that are started for it, each with ports of its own, and the built-in one. [default: the
    /// processors of the host for the built-in node, 1 for others]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Seed of the tester's random draws.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// By how much the bench's own timing may be off before what failed is inconclusive, as in `200 ms`.
    #[arg(long, value_name = "TIME", default_value = "200 ms")]
    tolerance: Duration,
    /// Folder for results, captures and the page [default: runs/conform-TIME].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Compare with these outcomes instead of judging by the requirements alone: exit 1 if any has changed.
    #[arg(long, value_name = "FILE")]
    expected: Option<PathBuf>,
    /// Write the outcomes to a file for --expected. What is explained there already stays explained.
    #[arg(long, value_name = "FILE")]
    save_expected: Option<PathBuf>,
    /// Do not tell of each case of a described node on standard error as it ends.
    #[arg(long)]
    quiet: bool,
    /// How to print the results; `json` prints them alone.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn conform(arguments: &ConformArguments) -> Ending {
    let cases = match select(&cases::all(), &arguments.select) {
        Ok(cases) => cases,
        Err(error) => return bench_failed(error),
    };
    if arguments.list {
        print::list(&cases, arguments.format);
        return Ending::Met;
    }
    match judge(arguments, &cases) {
        Ok(ending) => ending,
        Err(why) => bench_failed(why),
    }
}

fn judge(arguments: &ConformArguments, cases: &[Case]) -> Result<Ending, String> {
    let expected = arguments.expected.as_deref().map(Expected::load).transpose()?;
    let nodes = nodes::nodes(&arguments.node, &arguments.attached)?;
    let stop = interrupt::stop_flag().map_err(|error| format!("cannot watch for Ctrl-C: {error}"))?;
    let folder = Folder::create(arguments.out.clone())?;
    let options = Options { seed: arguments.seed, repeat: arguments.repeat, timing_tolerance: arguments.tolerance };
    let text = arguments.format == Format::Text;
    let mut results = Results {
        farlink: env!("CARGO_PKG_VERSION").to_owned(),
        started: now(),
        host: keep::host(),
        seed: arguments.seed,
        strict: arguments.strict,
        catalogue_sha256: keep::catalogue_sha256(),
        selected: arguments.select.clone(),
        nodes: Vec::new(),
    };
    for node in nodes {
        if text {
            say!("{}: {} cases", node.name(), cases.len() * arguments.repeat as usize);
        }
        let judged = nodes::judge(node, cases, options, arguments.jobs, arguments.quiet, &folder, &stop)?;
        if text {
            print::node(&judged, arguments.strict);
        }
        results.nodes.push(judged);
        folder.write(&results)?;
    }
    if let Some(path) = &arguments.save_expected {
        Expected::save(path, &results)?;
    }
    match arguments.format {
        Format::Json => match serde_json::to_string_pretty(&results) {
            Ok(json) => say!("{json}"),
            Err(error) => return Err(format!("the results cannot be written as JSON: {error}")),
        },
        Format::Text => print::end(&results, folder.path()),
    }
    if stop.load(Ordering::Relaxed) {
        return Err("interrupted; what was judged until then is kept".to_owned());
    }
    Ok(match expected {
        Some(expected) => {
            let changes = expected.changes(&results);
            changes.iter().for_each(|change| complain!("{change}"));
            if text {
                say!(
                    "{} outcomes as expected, {} changed",
                    expected.len() - changes.len().min(expected.len()),
                    changes.len()
                );
            }
            if changes.is_empty() { Ending::Met } else { Ending::NotMet }
        }
        None => match results.exit_code() {
            0 => Ending::Met,
            1 => Ending::NotMet,
            _ => Ending::BenchFailed,
        },
    })
}

/// The time, in ISO 8601 UTC.
fn now() -> String {
    Epoch::now().map(|now| now.to_string()).unwrap_or_default()
}
