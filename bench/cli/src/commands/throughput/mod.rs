//! `farlink throughput`

mod print;

use std::collections::BTreeMap;
use std::io::{IsTerminal, stderr, stdout};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::Args;
use farlink_scenario::{Sweep, load_sweep};
use farlink_throughput::baseline::Baseline;
use farlink_throughput::{RunOptions, builtin, plan, quick, report, run};
use hifitime::Epoch;

use super::Format;
use crate::{Ending, bench_failed, interrupt};

/// How often progress is told.
const EVERY: Duration = Duration::from_millis(500);

/// Measure what two nodes get across a link, beside what theory allows.
///
/// SWEEP is the name of a sweep that comes with Farlink (`--list`) or a sweep file. Each of its points is measured several times and stands
/// beside its bound; measured/bound is the headline. Exit codes: 0 every point gave its figure and nothing is worse than the baseline; 1 a
/// point gave none, was skipped, or is worse; 2 the bench could not do its part.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    farlink throughput --list\n  \
    farlink throughput ltp --quick\n  \
    farlink throughput ltp --only ber=1e-5 --html ltp.html\n  \
    farlink throughput hops --out runs/hops\n  \
    farlink throughput ltp --save-baseline before.json    (then, later: --compare before.json)\n  \
    farlink throughput my-sweep.yaml --jobs 2 --format json")]
pub struct ThroughputArguments {
    /// The sweep: a name or a file.
    #[arg(required_unless_present = "list")]
    sweep: Option<String>,
    /// List the sweeps that come with Farlink; with a sweep, list its points.
    #[arg(long)]
    list: bool,
    /// Only points whose name contains this, such as `ber=1e-5`; of several, all must be contained.
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// Take the ends of each list only, three repetitions, and a quarter of what is sent: a look, not a measurement.
    #[arg(long)]
    quick: bool,
    /// Measure each point so often, instead of what the sweep says.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    repeat: Option<u32>,
    /// Seed of every random draw, instead of the sweep's.
    #[arg(long)]
    seed: Option<u64>,
    /// How many runs under the virtual clock go on at once [default: one a processor].
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Folder for the results, the page and a capture of each point's first run. It must not exist.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write the page to this file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Keep the samples in this file, to compare later ones with.
    #[arg(long, value_name = "FILE")]
    save_baseline: Option<PathBuf>,
    /// Compare with the samples in this file: what is significantly worse fails.
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// How to print the results.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn throughput(arguments: &ThroughputArguments) -> Ending {
    match measure(arguments) {
        Ok(ending) => ending,
        Err(problem) => bench_failed(problem),
    }
}

fn measure(arguments: &ThroughputArguments) -> Result<Ending, String> {
    let Some(name) = &arguments.sweep else {
        print::list();
        return Ok(Ending::Met);
    };
    let Some(mut sweep) = find(name)? else { return Ok(Ending::BenchFailed) };
    if arguments.quick {
        sweep = quick(&sweep);
    }
    sweep.repeat = arguments.repeat.unwrap_or(sweep.repeat);
    sweep.seed = arguments.seed.unwrap_or(sweep.seed);
    let planned = plan(&sweep).only(&arguments.only)?;
    if arguments.list {
        planned.points.iter().for_each(|point| say!("{}", point.id));
        return Ok(Ending::Met);
    }
    // What is wrong with these is better known now than after an hour.
    let baseline = arguments.compare.as_ref().map(|path| Baseline::load(path).map(|baseline| (path, baseline)));
    let baseline = baseline.transpose().map_err(|error| error.to_string())?;
    let captures = arguments.out.as_ref().map(|out| make_folder(out)).transpose()?;
    let stop = interrupt::stop_flag().map_err(|error| format!("cannot watch for Ctrl-C: {error}"))?;
    let options = RunOptions {
        jobs: arguments.jobs.map_or_else(processors, usize::from),
        farlink: std::env::current_exe().map_err(|error| format!("cannot find this program itself: {error}"))?,
        captures,
        provenance: provenance(),
    };
    let told = Mutex::new(Instant::now());
    let shows = arguments.format == Format::Text && stderr().is_terminal();
    let progress = |done: usize, all: usize, point: &str| {
        let Ok(mut told) = told.lock() else { return };
        if shows && (told.elapsed() > EVERY || done == all) {
            *told = Instant::now();
            eprint!("\r\x1b[K{done} of {all} runs: {point}");
            if done == all {
                eprint!("\r\x1b[K");
            }
        }
    };
    let mut outcome = run(&sweep, &planned, &options, &stop, &progress).map_err(|error| error.to_string())?;
    if let Some((path, baseline)) = &baseline {
        outcome.comparison = Some(baseline.compare(path, &outcome).map_err(|error| error.to_string())?);
    }
    let json = serde_json::to_string_pretty(&outcome).map_err(|error| error.to_string())?;
    if let Some(out) = &arguments.out {
        write(&out.join("results.json"), &format!("{json}\n"))?;
        write(&out.join("report.html"), &report::page(&outcome, ""))?;
    }
    if let Some(path) = &arguments.html {
        // Captures lie in the folder of the results, which the page need not lie in.
        let way = arguments.out.as_ref().map(|out| way(path, out)).transpose()?.unwrap_or_default();
        write(path, &report::page(&outcome, &way))?;
    }
    if let Some(path) = &arguments.save_baseline {
        Baseline::of(&outcome).save(path).map_err(|error| error.to_string())?;
    }
    match arguments.format {
        Format::Json => say!("{json}"),
        Format::Text => print::outcome(&outcome, stdout().is_terminal()),
    }
    Ok(match outcome.exit_code() {
        0 => Ending::Met,
        1 => Ending::NotMet,
        _ => Ending::BenchFailed,
    })
}

/// The sweep of that name; `None` if it is wrong, which has been told.
fn find(name: &str) -> Result<Option<Sweep>, String> {
    let found = match builtin::sweep(name) {
        Some(found) => found,
        None if Path::new(name).exists() || name.contains(['/', '.']) => load_sweep(Path::new(name)),
        None => {
            let names: Vec<&str> = builtin::SWEEPS.iter().map(|(name, _)| *name).collect();
            return Err(format!("there is no sweep `{name}`, and no such file; the sweeps are {}", names.join(", ")));
        }
    };
    match found {
        Ok(sweep) => Ok(Some(sweep)),
        Err(error) => {
            complain!("{:?}", miette::Report::new(error));
            Ok(None)
        }
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Makes the folder of the results, and in it that of the captures.
fn make_folder(out: &Path) -> Result<PathBuf, String> {
    if out.exists() {
        return Err(format!("{} exists already: name a folder that does not", out.display()));
    }
    let captures = out.join("captures");
    std::fs::create_dir_all(&captures).map_err(|error| format!("{}: {error}", captures.display()))?;
    Ok(captures)
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The way from the page at this path to a folder, as in a link, with a slash at its end.
fn way(page: &Path, folder: &Path) -> Result<String, String> {
    let beside = page.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let whole = |path: &Path| path.canonicalize().map_err(|error| format!("{}: {error}", path.display()));
    let (from, to) = (whole(beside)?, whole(folder)?);
    let common = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let mut way = "../".repeat(from.components().count() - common);
    for part in to.components().skip(common) {
        for octet in part.as_os_str().as_encoded_bytes() {
            match octet {
                // What stands for itself in a URI (RFC 3986 section 2.3).
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => way.push(char::from(*octet)),
                _ => way.push_str(&format!("%{octet:02X}")),
            }
        }
        way.push('/');
    }
    Ok(way)
}

/// Where and when this is measured.
fn provenance() -> BTreeMap<String, String> {
    let read = |path: &str| std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
    let model = read("/proc/cpuinfo")
        .lines()
        .find_map(|line| Some(line.strip_prefix("model name")?.split_once(": ")?.1.to_owned()));
    let mut words = std::env::args();
    words.next();
    let command: Vec<String> = std::iter::once("farlink".to_owned()).chain(words).collect();
    [
        ("command", command.join(" ")),
        ("measured", Epoch::now().map(|now| format!("{now}")).unwrap_or_default()),
        ("system", format!("Linux {}", read("/proc/sys/kernel/osrelease"))),
        ("processors", format!("{} × {}", processors(), model.unwrap_or_else(|| "unknown".to_owned()))),
        ("build", if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}
