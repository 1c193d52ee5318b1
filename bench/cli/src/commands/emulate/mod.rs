//! `farlink emulate`

mod arguments;
mod print;
mod watch;

use std::io::{IsTerminal, stdout};
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration as StdDuration, SystemTime, UNIX_EPOCH};

use farlink_control::{Script, Server, default_path};
use farlink_dashboards::instrument::notices::notices;
use farlink_link::realtime::OrderError;
use farlink_ports::{Port, PortConfig, Timebase};
use farlink_record::results::Results;
use farlink_record::{ChannelInfo, DurationNanos, Header, NodeId, NodeInfo, Stamped};
use farlink_run::RunFolder;
use farlink_run::emulation::{Emulation, FrameEvents, Judged, Keeper, LinkPlan, Physics, Setup, judge, physics};
use farlink_scenario::{Overrides, Tolerance, load};
use farlink_units::Instant;
use hifitime::Epoch;

use super::Format;
use crate::{Ending, bench_failed, interrupt};
use arguments::{Recorded, Wanted};

pub use arguments::{Both, EmulateArguments};

/// How often the command looks whether it shall end.
const LOOK_EVERY: StdDuration = StdDuration::from_millis(20);

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
    let from = Instant::ZERO + arguments.from.unwrap_or_default();
    let base = Timebase::starting_at(from);
    let Plan { links, header, epoch_unix_nanos, tolerance } = match plan(arguments, wanted, &base) {
        Ok(plan) => plan,
        Err(problem) => return bench_failed(problem),
    };
    let channels: Vec<String> = header.channels.iter().map(|channel| channel.name.clone()).collect();
    let script = match arguments.script.as_deref().map(|path| Script::load(path)?.resolve(&channels)).transpose() {
        Ok(script) => script.unwrap_or_default(),
        Err(error) => return bench_failed(error),
    };
    let server = arguments.control.as_ref().map(|path| {
        let path = path.clone().unwrap_or_else(|| default_path(&format!("emulate-{}", std::process::id())));
        Server::start(&path, channels.clone())
    });
    let server = match server.transpose() {
        Ok(server) => server,
        Err(error) => return bench_failed(error),
    };
    let watched = !arguments.headless && arguments.format == Format::Text && stdout().is_terminal();
    let setup = Setup {
        memory: arguments.memory,
        spill: arguments.spill.clone(),
        drivers: usize::from(arguments.drivers),
        events: match (&folder, arguments.record) {
            (Some(_), Recorded::Frames) => Some(FrameEvents::Wanted),
            (Some(_), Recorded::Control) => Some(FrameEvents::Unwanted),
            (None, _) => watched.then_some(FrameEvents::Unwanted),
        },
        script,
        spin: arguments.spin,
        realtime: arguments.realtime,
    };
    let (emulation, events) = match Emulation::start(links, base, &setup) {
        Ok(started) => started,
        Err(error) => return bench_failed(error),
    };
    let (teller, notices) = notices();
    let keeper = match (&folder, events) {
        (Some(folder), Some(events)) => {
            let tell = move |stamped: &Stamped| {
                if watched {
                    teller.tell(stamped)
                }
            };
            match Keeper::start(folder, &header, epoch_unix_nanos, events, tell) {
                Ok(keeper) => Some(keeper),
                Err(error) => return bench_failed(error),
            }
        }
        (_, events) => {
            // Ends with the emulator, that lets go of the other end.
            events.map(|events| thread::spawn(move || events.iter().for_each(|stamped| teller.tell(&stamped))));
            None
        }
    };
    if arguments.format == Format::Text
        && let Err(error) = open(arguments, &emulation, &header, server.as_ref())
    {
        return bench_failed(error);
    }
    let until = arguments.for_.map(|span| from + span);
    let goes_on = || {
        !stop.load(Ordering::Relaxed)
            && until.is_none_or(|until| emulation.now() < until)
            && !emulation.has_ended()
            && !keeper.as_ref().is_some_and(Keeper::has_failed)
    };
    let leave = AtomicBool::new(false);
    let shown = thread::scope(|scope| {
        let (emulation, leave) = (&emulation, &leave);
        let view = match watched {
            true => {
                let facts = watch::facts(&header, until, tolerance);
                Some(scope.spawn(move || watch::watch(facts, &notices, emulation, leave)))
            }
            false => None,
        };
        while goes_on() && !view.as_ref().is_some_and(ScopedJoinHandle::is_finished) {
            wait_and_answer(emulation, server.as_ref());
        }
        leave.store(true, Ordering::Relaxed);
        let shown = view.map_or(Ok(()), |view| view.join().unwrap_or_else(|panic| resume_unwind(panic)));
        if let Err(error) = &shown {
            complain!("error: the live view failed ({error}); the emulator goes on without it, Ctrl-C stops it");
        }
        shown
    });
    while shown.is_err() && goes_on() {
        wait_and_answer(&emulation, server.as_ref());
    }
    drop(server);
    let Some(snapshot) = emulation.finish() else {
        return bench_failed("a thread of the emulator has failed; what it came to is lost");
    };
    let digest = match keeper.map(Keeper::finish).transpose() {
        Ok(digest) => digest,
        Err(error) => return bench_failed(error),
    };
    let judged = Judged { header: &header, snapshot: &snapshot, tolerance, digest: digest.as_ref() };
    conclude(arguments, &judged, folder.as_ref())
}

/// Waits a moment, and answers who asks by the control socket meanwhile.
fn wait_and_answer(emulation: &Emulation, server: Option<&Server>) {
    match server {
        Some(server) => {
            if let Some(request) = server.wait(LOOK_EVERY) {
                emulation.answer(request);
            }
        }
        None => thread::sleep(LOOK_EVERY),
    }
}

/// Says what is carried, and what was got for it.
fn open(
    arguments: &EmulateArguments,
    emulation: &Emulation,
    header: &Header,
    server: Option<&Server>,
) -> Result<(), OrderError> {
    let snapshot = emulation.snapshot()?;
    for (channel, info) in snapshot.channels.iter().zip(&header.channels) {
        say!("{}", print::opening(channel, info.ber));
    }
    if arguments.realtime {
        for (thread, got) in emulation.got().iter().enumerate() {
            say!("thread {}: {got}", thread + 1);
        }
    }
    if let Some(server) = server {
        say!("control: {}", server.path().display());
    }
    Ok(())
}

/// What is to be carried.
struct Plan {
    links: Vec<LinkPlan>,
    header: Header,
    epoch_unix_nanos: i64,
    tolerance: Option<Tolerance>,
}

/// Opens the ports and works out what lies between them.
fn plan(arguments: &EmulateArguments, wanted: Vec<Wanted>, base: &Timebase) -> Result<Plan, String> {
    let mut tolerance = arguments.tolerance.map(|p99| Tolerance { p99: Some(p99), max: None });
    let named = wanted.iter().find_map(|link| link.name.as_deref());
    let mut links = Vec::new();
    let Some(path) = &arguments.scenario else {
        if let Some(name) = named {
            return Err(format!(
                "the link `{name}` has a name: give the --scenario that it is of, or leave the name out"
            ));
        }
        let (several, mut count) = (wanted.len() > 1, 0);
        for (index, link) in wanted.iter().enumerate() {
            let mut channel = |forward: bool| {
                let direction = if forward { "forward" } else { "return" };
                let name = if several { format!("{}.{direction}", index + 1) } else { direction.to_owned() };
                count += 1;
                (name, arguments.channel(count - 1, forward))
            };
            let forward = Some(channel(true));
            let return_ = link.has_return.then(|| channel(false));
            let flags = arguments.forward.as_ref().map(|_| ["--forward: ", "--return: "]);
            let [a, b] = open_ports(link, base, flags.unwrap_or_default())?;
            links.push(LinkPlan { a, b, forward, return_ });
        }
        let header = header(arguments, &links);
        return Ok(Plan { links, header, epoch_unix_nanos: unix_nanos_now(), tolerance });
    };
    let overrides = Overrides::default();
    let scenario = load(path, &overrides).map_err(|error| format!("{:?}", miette::Report::new(error)))?;
    let names = wanted.iter().map(|link| {
        link.name.clone().ok_or_else(|| {
            let known: Vec<&str> = scenario.links.iter().map(|link| link.name.as_str()).collect();
            format!(
                "--link {} <> {} does not say which link of the scenario it is ({}): write `NAME = PORT <> PORT`",
                link.a,
                link.b,
                known.join(", ")
            )
        })
    });
    let names: Vec<String> = names.collect::<Result<_, _>>()?;
    let Physics { header, epoch_unix_nanos, links: physics, tolerance: told } =
        physics(&scenario, &names).map_err(|error| error.to_string())?;
    tolerance = tolerance.or(told);
    for (link, physics) in wanted.iter().zip(physics) {
        let [a, b] = open_ports(link, base, [""; 2])?;
        links.push(LinkPlan { a, b, forward: Some(physics.forward), return_: Some(physics.return_) });
    }
    Ok(Plan { links, header, epoch_unix_nanos, tolerance })
}

/// Opens the ports of a link. What goes wrong is told behind what each was given by.
fn open_ports(link: &Wanted, base: &Timebase, by: [&str; 2]) -> Result<[Box<dyn Port>; 2], String> {
    let open = |config: &PortConfig, by: &str| config.open(base).map_err(|error| format!("{by}{error}"));
    Ok([open(&link.a, by[0])?, open(&link.b, by[1])?])
}

fn conclude(arguments: &EmulateArguments, judged: &Judged<'_>, folder: Option<&RunFolder>) -> Ending {
    let results = judge(judged);
    match arguments.format {
        Format::Text => print::ending(&results, judged.snapshot),
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
