//! Measures every point of a sweep.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use farlink_record::results::Verdict;
use farlink_scenario::{Sweep, SweepKind};
use thiserror::Error;

use crate::bound::Floors;
use crate::outcome::{Headline, Outcome, PointResult};
use crate::pair::{Given, Measured, quantiles};
use crate::plan::{Plan, Point, Task, capacity_bps, expected_retransmissions, floors};
use crate::real::{processes, tcp};
use crate::seed::derive;
use crate::stats::Summary;
use crate::trace::Trace;

/// How a sweep is run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// How many runs under the virtual clock go on at once. Runs in real time go one after the other in any case.
    pub jobs: usize,
    /// The command `farlink`, of which the emulator and the built-in nodes of runs in real time are started.
    pub farlink: PathBuf,
    /// The folder for captures of first repetitions, if they are wanted, which must be there.
    pub captures: Option<PathBuf>,
    /// What the outcome tells of where it was measured.
    pub provenance: BTreeMap<String, String>,
}

/// Why a sweep was not run to its end.
#[derive(Debug, Error)]
pub enum RunError {
    /// A file of it cannot be written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// Somebody stopped it.
    #[error("interrupted after {done} of {all} runs")]
    Interrupted {
        /// Runs that had ended.
        done: usize,
        /// Runs that there were to be.
        all: usize,
    },
}

/// What one repetition of a point gave.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repetition {
    /// Its figures, by name.
    pub figures: Vec<(&'static str, f64)>,
    /// The delays of its bundles in seconds.
    pub delays_s: Vec<f64>,
    pub trace: Option<Trace>,
    pub capture: Option<String>,
    /// Why it gives no figure.
    pub refused: Option<(Verdict, String)>,
}

impl Repetition {
    pub(crate) fn refused(verdict: Verdict, message: impl Into<String>) -> Self {
        Repetition { refused: Some((verdict, message.into())), ..Repetition::default() }
    }
}

/// Measures every point of a plan as often as its sweep says. `progress` is told after each run how many of how many have ended, and which
/// point the last was of. What comes under the virtual clock depends on the sweep alone, not on the number of jobs.
///
/// # Errors
/// A capture cannot be written, or `stop` was set.
pub fn run(
    sweep: &Sweep,
    planned: &Plan,
    options: &RunOptions,
    stop: &AtomicBool,
    progress: &(dyn Fn(usize, usize, &str) + Sync),
) -> Result<Outcome, RunError> {
    let points = &planned.points;
    let repeat = sweep.repeat as usize;
    let runs = points.len() * repeat;
    let in_real_time = matches!(sweep.kind, SweepKind::Tcp(_) | SweepKind::Processes(_));
    let jobs = if in_real_time { 1 } else { options.jobs.clamp(1, runs.max(1)) };
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results: Mutex<Vec<Option<Repetition>>> = Mutex::new((0..runs).map(|_| None).collect());
    let failure: Mutex<Option<RunError>> = Mutex::new(None);
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= runs || stop.load(Ordering::Relaxed) || locked(&failure).is_some() {
                return;
            }
            let (place, repetition) = (index / repeat, index % repeat);
            let point = &points[place];
            let seed = derive(sweep.seed, &format!("{} {} {repetition}", sweep.name, point.id));
            match once(point, place, repetition, seed, options, stop) {
                Ok(result) => {
                    locked(&results)[index] = Some(result);
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1, runs, &point.id);
                }
                Err(error) => *locked(&failure) = Some(error),
            }
        }
    };
    std::thread::scope(|scope| (0..jobs).for_each(|_| drop(scope.spawn(work))));
    if let Some(error) = locked(&failure).take() {
        return Err(error);
    }
    let mut results = std::mem::take(&mut *locked(&results)).into_iter();
    if stop.load(Ordering::Relaxed) {
        return Err(RunError::Interrupted { done: done.into_inner(), all: runs });
    }
    let points = points.iter().map(|point| {
        let repetitions: Vec<Repetition> = results.by_ref().take(repeat).flatten().collect();
        sum_up(point, repetitions)
    });
    Ok(Outcome {
        format: Outcome::FORMAT.to_owned(),
        farlink: env!("CARGO_PKG_VERSION").to_owned(),
        sweep: sweep.name.clone(),
        title: sweep.title.clone(),
        kind: match sweep.kind {
            SweepKind::Ltp(_) => "ltp",
            SweepKind::Hops(_) => "hops",
            SweepKind::Tcp(_) => "tcp",
            SweepKind::Processes(_) => "processes",
        }
        .to_owned(),
        seed: sweep.seed,
        repeat: sweep.repeat,
        provenance: options.provenance.clone(),
        varied: planned.varied.clone(),
        points: points.collect(),
        comparison: None,
    })
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn once(
    point: &Point,
    place: usize,
    repetition: usize,
    seed: u64,
    options: &RunOptions,
    stop: &AtomicBool,
) -> Result<Repetition, RunError> {
    let first = repetition == 0;
    match &point.task {
        Task::Pair(pair) => {
            let name = format!("point-{:04}.pcapng", place + 1);
            let capture = options.captures.as_ref().filter(|_| first).map(|folder| folder.join(&name));
            let (measured, trace) = pair.run(seed, first, capture.as_deref()).map_err(|source| RunError::File {
                path: capture.as_deref().unwrap_or(Path::new("")).display().to_string(),
                source,
            })?;
            let capture = capture.and_then(|path| {
                let folder = path.parent()?.file_name()?.to_string_lossy().into_owned();
                Some(format!("{folder}/{name}"))
            });
            Ok(Repetition { trace, capture, ..of_pair(measured, matches!(pair.given, Given::Load { .. })) })
        }
        Task::Chain(chain) => {
            let carried = chain.run(seed);
            if !carried.complete {
                return Ok(Repetition::refused(Verdict::BenchError, "not every message arrived"));
            }
            let figures = vec![("retransmissions", carried.retransmissions), ("frames_per_message", carried.frames)];
            Ok(Repetition { figures, ..Repetition::default() })
        }
        Task::Tcp(point) => Ok(tcp::run(point, seed, &options.farlink, stop)),
        Task::Processes(point) => Ok(processes::run(point, seed, &options.farlink, stop)),
    }
}

/// Nanoseconds are rounded on the way, and a frame may be a nanosecond shorter than the quotient.
const ROUNDING_S: f64 = 1e-6;

fn of_pair(measured: Measured, under_load: bool) -> Repetition {
    let Some(completion_s) = measured.completion_s else {
        let message = format!("not everything arrived; {} sessions were given up", measured.cancelled);
        return Repetition::refused(Verdict::Timeout, message);
    };
    if completion_s + ROUNDING_S < measured.floor_s {
        let message = format!(
            "it took {completion_s} s, and what was lost on the way allows no less than {} s: this was measured wrongly",
            measured.floor_s
        );
        return Repetition::refused(Verdict::BenchError, message);
    }
    let Some(goodput_bps) = measured.goodput_bps else {
        return Repetition::refused(Verdict::Inconclusive, "the goodput never became steady: let it last longer");
    };
    let mut figures = vec![
        ("goodput_bps", goodput_bps),
        ("floor_share", measured.floor_s / completion_s),
        ("segments", measured.segments as f64),
        ("segments_again", measured.segments_again as f64),
        ("sessions_max", measured.sessions_max as f64),
        ("stored_max_bytes", measured.stored_max_bytes as f64),
        ("bits_per_bit", measured.bits_per_bit()),
    ];
    if under_load {
        figures.push(("offered_bps", measured.offered_bps));
    } else {
        figures.push(("completion_s", completion_s));
    }
    let steady_delays = Summary::of(&measured.delays_s);
    if let Some(delays) = steady_delays {
        figures.extend([("delay_mean_s", delays.mean), ("delay_p50_s", delays.p50), ("delay_p99_s", delays.p99)]);
    }
    Repetition { figures, delays_s: measured.delays_s, ..Repetition::default() }
}

fn sum_up(point: &Point, repetitions: Vec<Repetition>) -> PointResult {
    let mut samples = BTreeMap::<String, Vec<f64>>::new();
    let mut delays = Vec::new();
    let mut refusals = Vec::new();
    let (mut trace, mut capture) = (None, None);
    let count = repetitions.len();
    for repetition in repetitions {
        trace = trace.or(repetition.trace);
        capture = capture.or(repetition.capture);
        if let Some(refused) = repetition.refused {
            refusals.push(refused);
            continue;
        }
        for (name, value) in repetition.figures {
            samples.entry(name.to_owned()).or_default().push(value);
        }
        delays.extend(repetition.delays_s);
    }
    // A figure that some repetitions lack would be of those that happened to have it.
    let counted = count - refusals.len();
    samples.retain(|_, values| values.len() == counted);
    let figures: BTreeMap<String, Summary> =
        samples.iter().filter_map(|(name, values)| Some((name.clone(), Summary::of(values)?))).collect();
    let (headline, floors) = headline(point, &figures);
    // The worst decides, and a point of which some repetitions gave nothing has no mean of all of them.
    let worst = [Verdict::BenchError, Verdict::Skipped, Verdict::Timeout, Verdict::Fail, Verdict::Inconclusive];
    let refused = worst.iter().find_map(|verdict| refusals.iter().find(|(v, _)| v == verdict));
    let (verdict, message) = match (refused, &headline) {
        (Some((verdict, why)), _) => (*verdict, format!("{} of {count} repetitions: {why}", refusals.len())),
        (None, Some(headline)) if headline.is_impossible() => (
            Verdict::BenchError,
            format!("{} is better than theory allows: {:.4} of the bound", headline.figure, headline.share),
        ),
        (None, Some(_)) => (Verdict::Pass, String::new()),
        (None, None) => (Verdict::BenchError, "nothing was measured".to_owned()),
    };
    PointResult {
        id: point.id.clone(),
        parameters: point.parameters.clone(),
        headline: headline.filter(|_| refusals.is_empty()),
        verdict,
        message,
        samples,
        figures,
        floors,
        delay_quantiles_s: quantiles(delays),
        trace,
        capture,
    }
}

/// What was measured beside what theory allows.
fn headline(point: &Point, figures: &BTreeMap<String, Summary>) -> (Option<Headline>, Option<Floors>) {
    match &point.task {
        Task::Pair(pair) => match pair.given {
            Given::Amount(amount) => {
                let floors = floors(pair, amount);
                let completion = figures.get("completion_s");
                let headline = completion
                    .map(|s| Headline::of_cost("completion_s", s, floors.time_s(), floors.deviation_s, floors.what()));
                (headline, Some(floors))
            }
            Given::Load { span, .. } => {
                let capacity = capacity_bps(pair);
                let offered = figures.get("offered_bps").map_or(f64::INFINITY, |s| s.mean);
                let (bound, because) = if offered < capacity {
                    (offered, "what is offered")
                } else {
                    (capacity, "link rate less overhead and repetition, and session limit")
                };
                // Bundles come by chance, and the warm-up takes half of them at most.
                let bundles = bound * span.as_secs_f64() / (pair.bundle_bytes as f64 * 8.0) / 2.0;
                let deviation = bound / bundles.max(1.0).sqrt();
                let goodput = figures.get("goodput_bps");
                (goodput.map(|s| Headline::of_yield("goodput_bps", s, bound, deviation, because)), None)
            }
        },
        Task::Chain(chain) => {
            let expected = expected_retransmissions(chain);
            let because = "draft-irtf-ipnrg-arch-01, section 2.1.1";
            // The sum of geometric variables: one for each hop of a message, or one for the message.
            let variables = if chain.hop_by_hop { chain.hops as f64 } else { 1.0 };
            let mean = expected / variables;
            let deviation = (variables * mean * (1.0 + mean) / chain.messages as f64).sqrt();
            let again = figures.get("retransmissions");
            (again.map(|s| Headline::of_cost("retransmissions", s, expected, deviation, because)), None)
        }
        Task::Tcp(point) => (tcp::headline(point, figures), None),
        Task::Processes(point) => {
            let floors = processes::floors(&point.pair);
            let headline = figures
                .get("completion_s")
                .map(|s| Headline::of_cost("completion_s", s, floors.time_s(), floors.deviation_s, floors.what()));
            (headline, Some(floors))
        }
    }
}
