//! `farlink emulate`

mod arguments;
mod print;

use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration as StdDuration, SystemTime, UNIX_EPOCH};

use farlink_ports::Timebase;
use farlink_record::instrument::Snapshot;
use farlink_record::recording::RecordingDigest;
use farlink_record::results::Results;
use farlink_record::{ChannelInfo, DurationNanos, Header, NodeId, NodeInfo, Stamped};
use farlink_run::RunFolder;
use farlink_run::emulation::{Emulation, FrameEvents, Judged, Keeper, LinkPlan, Setup, Tolerance, judge};
use hifitime::Epoch;

use super::Format;
use crate::{Ending, bench_failed, interrupt};
use arguments::Recorded;

pub use arguments::EmulateArguments;

pub fn emulate(arguments: &EmulateArguments) -> Ending {
    let stop = match interrupt::stop_flag() {
        Ok(stop) => stop,
        Err(error) => return bench_failed(format_args!("cannot watch for Ctrl-C: {error}")),
    };
    let wanted = match arguments.wanted() {
        Ok(wanted) => wanted,
        Err(problem) => return bench_failed(problem),
    };
    let folder = match arguments.out.as_deref().map(RunFolder::create).transpose() {
        Ok(folder) => folder,
        Err(error) => return bench_failed(error),
    };
    let base = Timebase::start();
    let mut plans = Vec::new();
    let mut count = 0;
    for (index, link) in wanted.iter().enumerate() {
        let (a, b) = match link.a.open(&base).and_then(|a| Ok((a, link.b.open(&base)?))) {
            Ok(ports) => ports,
            Err(error) => return bench_failed(error),
        };
        let mut channel = |forward: bool| {
            let direction = if forward { "forward" } else { "return" };
            let name = if wanted.len() == 1 { direction.to_owned() } else { format!("{}.{direction}", index + 1) };
            count += 1;
            (name, arguments.channel(count - 1, forward))
        };
        let forward = Some(channel(true));
        let return_ = link.has_return.then(|| channel(false));
        plans.push(LinkPlan { a, b, forward, return_ });
    }
    let header = header(arguments, &plans);
    let setup = Setup {
        memory: arguments.memory,
        spill: arguments.spill.clone(),
        drivers: usize::from(arguments.drivers),
        events: folder.as_ref().map(|_| match arguments.record {
            Recorded::Frames => FrameEvents::Wanted,
            Recorded::Control => FrameEvents::Unwanted,
        }),
        realtime: arguments.realtime,
    };
    let (emulation, events) = match Emulation::start(plans, base, &setup) {
        Ok(started) => started,
        Err(error) => return bench_failed(error),
    };
    let keeper = match folder.as_ref().zip(events) {
        None => None,
        Some((folder, events)) => match Keeper::start(folder, &header, unix_nanos_now(), events, |_: &Stamped| ()) {
            Ok(keeper) => Some(keeper),
            Err(error) => return bench_failed(error),
        },
    };
    if arguments.format == Format::Text {
        match emulation.snapshot() {
            Ok(snapshot) => {
                for (channel, info) in snapshot.channels.iter().zip(&header.channels) {
                    say!("{}", print::opening(channel, info.ber));
                }
            }
            Err(error) => return bench_failed(error),
        }
        if arguments.realtime {
            for (thread, got) in emulation.got().iter().enumerate() {
                say!("thread {}: {got}", thread + 1);
            }
        }
    }
    let until = arguments.for_;
    while !stop.load(Ordering::Relaxed) && until.is_none_or(|until| emulation.elapsed() < until) {
        if emulation.has_ended() || keeper.as_ref().is_some_and(Keeper::has_failed) {
            break;
        }
        thread::sleep(StdDuration::from_millis(20));
    }
    let Some(snapshot) = emulation.finish() else {
        return bench_failed("a thread of the emulator has failed; what it came to is lost");
    };
    let digest = match keeper.map(Keeper::finish).transpose() {
        Ok(digest) => digest,
        Err(error) => return bench_failed(error),
    };
    conclude(arguments, &header, &snapshot, digest.as_ref(), folder.as_ref())
}

fn conclude(
    arguments: &EmulateArguments,
    header: &Header,
    snapshot: &Snapshot,
    digest: Option<&RecordingDigest>,
    folder: Option<&RunFolder>,
) -> Ending {
    let tolerance = arguments.tolerance.map(|p99| Tolerance { p99, max: None });
    let results = judge(&Judged { header, snapshot, tolerance, digest });
    match arguments.format {
        Format::Text => print::ending(&results, snapshot),
        Format::Json => match serde_json::to_string_pretty(&results) {
            Ok(text) => say!("{text}"),
            Err(error) => return bench_failed(error),
        },
    }
    if let Some(folder) = folder {
        if let Err(error) = folder.write_results(&results) {
            return bench_failed(error);
        }
        tell_folder(arguments, folder.path());
    }
    ending(&results)
}

fn tell_folder(arguments: &EmulateArguments, path: &Path) {
    if arguments.format == Format::Text {
        say!("kept in {}", path.display());
    }
}

fn ending(results: &Results) -> Ending {
    match results.exit_code() {
        0 => Ending::Met,
        1 => Ending::NotMet,
        _ => Ending::BenchFailed,
    }
}

fn unix_nanos_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// What the recording begins with: each end of a link is a node.
fn header(arguments: &EmulateArguments, plans: &[LinkPlan]) -> Header {
    let epoch = Epoch::now().map_or_else(|_| String::new(), |now| now.to_isoformat() + "Z");
    let mut nodes = Vec::new();
    let mut channels = Vec::new();
    for (index, plan) in plans.iter().enumerate() {
        let a = NodeId(nodes.len() as u16);
        let b = NodeId(a.0 + 1);
        for port in [&plan.a, &plan.b] {
            nodes.push(NodeInfo { name: port.name(), eid: String::new() });
        }
        let directions = [(&plan.forward, a, b, true), (&plan.return_, b, a, false)];
        for (planned, from, to, forward) in directions {
            let Some((name, config)) = planned else { continue };
            let ber = if forward { arguments.ber.forward } else { arguments.ber.return_ };
            channels.push(ChannelInfo {
                name: name.clone(),
                link: format!("link {}", index + 1),
                from,
                to,
                rate_bps: config.rate.at(farlink_units::Instant::ZERO).map_or(0, |rate| rate.bps()),
                rates: Vec::new(),
                ber: ber.get(),
                contacts: Vec::new(),
            });
        }
    }
    Header {
        format: Header::FORMAT.to_owned(),
        version: Header::VERSION,
        farlink: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: "emulate".to_owned(),
        scenario_sha256: String::new(),
        seed: arguments.seed,
        epoch,
        duration: DurationNanos(arguments.for_.map_or(i64::MAX, |span| span.as_nanos())),
        clock: "wall".to_owned(),
        nodes,
        channels,
        traffic: Vec::new(),
    }
}
