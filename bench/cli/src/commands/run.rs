//! `farlink run`

use std::io::{IsTerminal, stdout};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::Args;
use farlink_control::{Script, Server, default_path};
use farlink_dashboards::{Outcome, Pace};
use farlink_record::{Event, Header, Stamped};
use farlink_run::{ClockKind, Finished, Prepared, RunError, RunFolder, Steering, prepare};
use farlink_scenario::{Overrides, Scenario, load};
use hifitime::Epoch;

use super::Format;
use crate::progress::Progress;
use crate::summary::print_summary;
use crate::{Ending, bench_failed, interrupt};

/// How long the live view takes to play a run of the virtual clock.
const PLAYBACK: Duration = Duration::from_secs(40);

/// Run a scenario: watch it live, keep a recording, judge what came of it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    farlink run fixtures/scenarios/mars-relay.yaml\n  \
    farlink run fixtures/scenarios/mars-relay.yaml --headless --payload picture.jpg --out runs/picture\n  \
    farlink run fixtures/scenarios/mars-relay.yaml --clock wall:600\n  \
    farlink run fixtures/scenarios/mars-relay.yaml --clock wall:600 --control    (then `farlink ctl snapshot`)\n  \
    farlink run fixtures/scenarios/mars-relay.yaml --script runs/before/recording.jsonl")]
pub struct RunArguments {
    /// The scenario file.
    scenario: PathBuf,
    /// Send this file instead of the scenario's own; NAME=PATH where the scenario sends several.
    #[arg(long, value_name = "PATH")]
    payload: Option<PathBuf>,
    /// Folder for the recording, the capture, the results and the delivered files [default: runs/SCENARIO-TIME].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// `virtual` jumps from event to event, `wall` runs in real time, `wall:600` six hundred times as fast.
    #[arg(long, default_value = "virtual", value_parser = parse_clock)]
    clock: ClockKind,
    /// Seed for every random draw, instead of the scenario's.
    #[arg(long)]
    seed: Option<u64>,
    /// Print progress lines instead of opening the live view. It is so anyway where the output is no terminal.
    #[arg(long)]
    headless: bool,
    /// Say what this script says, at its times: a list such as `- { at: 12s, channel: a->b, do: drop 2 report }`, or the
    /// recording of a run in which it was said by hand.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Listen for `farlink ctl`, at this socket or at a default one. Needs the wall clock: nobody is as quick as the other.
    #[arg(long, value_name = "PATH")]
    control: Option<Option<PathBuf>>,
    /// How to print the results; `json` prints them alone, without progress lines.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn parse_clock(text: &str) -> Result<ClockKind, String> {
    text.parse()
}

pub fn run(arguments: &RunArguments) -> Ending {
    let stop = match interrupt::stop_flag() {
        Ok(stop) => stop,
        Err(error) => return bench_failed(format_args!("cannot watch for Ctrl-C: {error}")),
    };
    let overrides = Overrides { payload: arguments.payload.clone(), seed: arguments.seed, ..Overrides::default() };
    let scenario = match load(&arguments.scenario, &overrides) {
        Ok(scenario) => scenario,
        Err(error) => {
            complain!("{:?}", miette::Report::new(error));
            return Ending::BenchFailed;
        }
    };
    if let Some(warnings) = scenario.warnings() {
        complain!("{:?}", miette::Report::new(warnings));
    }
    let prepared = match prepare(&scenario, arguments.clock) {
        Ok(prepared) => prepared,
        Err(error) => return bench_failed(error),
    };
    let steering = match steering(arguments, &prepared, &scenario.name) {
        Ok(steering) => steering,
        Err(problem) => return bench_failed(problem),
    };
    let folder = match RunFolder::create(&arguments.out.clone().unwrap_or_else(|| default_folder(&scenario))) {
        Ok(folder) => folder,
        Err(error) => return bench_failed(error),
    };
    let watched = !arguments.headless && arguments.format == Format::Text && stdout().is_terminal();
    let finished = if watched {
        run_watched(prepared, &folder, &stop, steering, arguments.clock)
    } else if arguments.format == Format::Json {
        prepared.run(&folder, &stop, steering, &mut |_| ())
    } else {
        let mut progress = Progress::new(prepared.header.clone());
        say!("{}", progress.title());
        if let Some(server) = &steering.server {
            say!("control: {}", server.path().display());
        }
        prepared.run(&folder, &stop, steering, &mut |stamped| {
            if let Some(line) = progress.line(stamped) {
                say!("{line}");
            }
        })
    };
    let Finished { results, error } = match finished {
        Ok(finished) => finished,
        Err(error) => return bench_failed(error),
    };
    match arguments.format {
        Format::Text => print_summary(&results, folder.path(), stdout().is_terminal()),
        Format::Json => match serde_json::to_string_pretty(&results) {
            Ok(text) => say!("{text}"),
            Err(error) => return bench_failed(error),
        },
    }
    if let Some(error) = error {
        return bench_failed(error);
    }
    if results.interrupted {
        let at = farlink_units::Instant::from_nanos(results.ended_at_ns);
        return bench_failed(format_args!(
            "interrupted at {at}, before the end of the scenario; what came about until then is kept in {}",
            folder.path().display()
        ));
    }
    match results.exit_code() {
        0 => Ending::Met,
        1 => Ending::NotMet,
        _ => Ending::BenchFailed,
    }
}

/// What the arguments say shall be said to the run, or what is wrong with them.
fn steering(arguments: &RunArguments, prepared: &Prepared, scenario: &str) -> Result<Steering, String> {
    let channels: Vec<String> = prepared.header.channels.iter().map(|channel| channel.name.clone()).collect();
    let script = match &arguments.script {
        Some(path) => {
            let script = Script::load(path).and_then(|script| script.resolve(&channels));
            script.map_err(|error| error.to_string())?
        }
        None => Vec::new(),
    };
    let server = match (&arguments.control, arguments.clock) {
        (None, _) => None,
        (Some(_), ClockKind::Virtual) => {
            return Err(
                "--control needs a clock that waits for people: add `--clock wall`, or use --script".to_string()
            );
        }
        (Some(path), ClockKind::Wall { .. }) => {
            let path = path.clone().unwrap_or_else(|| default_path(&format!("{scenario}-{}", std::process::id())));
            Some(Server::start(&path, channels).map_err(|error| error.to_string())?)
        }
    };
    Ok(Steering { script, server })
}

/// `runs/<scenario>-<UTC time>`, with a number if two runs begin in the same second.
fn default_folder(scenario: &Scenario) -> PathBuf {
    let now = Epoch::now().unwrap_or(scenario.epoch);
    let (year, month, day, hour, minute, second, _) = now.to_gregorian_utc();
    let name = format!("{}-{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z", scenario.name);
    let runs = PathBuf::from("runs");
    (1u32..)
        .map(|n| if n == 1 { runs.join(&name) } else { runs.join(format!("{name}-{n}")) })
        .find(|path| !path.exists())
        .unwrap_or_else(|| runs.join(&name))
}

/// Runs in a thread of its own while this one shows the live view.
fn run_watched(
    prepared: Prepared,
    folder: &RunFolder,
    stop: &Arc<AtomicBool>,
    steering: Steering,
    clock: ClockKind,
) -> Result<Finished, RunError> {
    let header: Header = prepared.header.clone();
    let pace = match clock {
        ClockKind::Virtual => Pace::Play { span: PLAYBACK },
        ClockKind::Wall { .. } => Pace::Follow,
    };
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        let runner = scope.spawn(|| {
            let mut sender = Some(sender);
            prepared.run(folder, stop, steering, &mut |stamped| {
                // A view that has been left is no reason to end the run.
                if sender.as_ref().is_some_and(|s| s.send(without_content(stamped)).is_err()) {
                    sender = None;
                }
            })
        });
        let shown = farlink_dashboards::run(&header, receiver, pace, stop);
        match shown {
            Ok(Outcome::Finished) => {}
            Ok(Outcome::Interrupted) => stop.store(true, Ordering::Relaxed),
            Err(error) => {
                complain!("error: the live view failed ({error}); the run goes on without it");
            }
        }
        runner.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// The view draws no bytes, so it need not keep them in memory.
fn without_content(stamped: &Stamped) -> Stamped {
    let mut stamped = stamped.clone();
    if let Event::FrameDelivered { content, .. } = &mut stamped.event {
        content.clear();
    }
    stamped
}
