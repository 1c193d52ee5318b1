//! Running cases against a target.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use farlink_units::Duration;

use crate::case::{Case, Suite};
use crate::catalogue::Grade;
use crate::exchange::Exchange;
use crate::medium::Medium;
use crate::outcome::{Finding, Kind, Outcome};
use crate::profile::Profile;
use crate::tester::Tester;

/// How often a case is tried again that the bench's own timing has spoiled.
const TRIES_AGAIN: u32 = 2;

/// A node that cases can be run against.
pub trait Target {
    /// The configurations in which the node can be started, the usual one first. A case runs in the first that offers what it
    /// needs.
    fn profiles(&self) -> &[Profile];

    /// Has the node ready for a case in a configuration: the one that runs already, or one started anew. A simulated node draws its
    /// own random numbers from `seed`. The profile of the configuration may change by it, as where a clock is part of it.
    ///
    /// # Errors
    /// It cannot be started; why, and how to mend it.
    fn start(&mut self, configuration: usize, seed: u64) -> Result<(), String>;

    /// The node that is ready; `None` before the first [`Target::start`] and after [`Target::stop`].
    fn medium(&mut self) -> Option<&mut dyn Medium>;

    /// Whether each case gets a node of its own, so that no case can be disturbed by the one before.
    fn is_fresh(&self) -> bool;

    /// Whether the node can be started anew after it has ended or hangs.
    fn can_restart(&self) -> bool;

    /// Ends the node, so that the next [`Target::start`] begins anew.
    fn stop(&mut self);
}

/// What is known of the health of a node before any case has touched it.
///
/// A node that does not do by itself what is asked after each case would seem to hang after every one.
#[derive(Clone, Debug, Default)]
pub struct Health(BTreeMap<Suite, Option<Finding>>);

impl Health {
    /// Looks at a node before the first case of a suite.
    ///
    /// # Errors
    /// The node has ended meanwhile.
    fn look(&mut self, suite: Suite, tester: &mut Tester<'_>) -> Result<(), Finding> {
        if self.0.contains_key(&suite) {
            return Ok(());
        }
        let alive = crate::cases::alive(suite, tester);
        tester.release();
        match alive {
            Err(ended) if ended.kind == Kind::Ended => Err(ended),
            outcome => {
                self.0.insert(suite, outcome.err());
                Ok(())
            }
        }
    }

    /// Why the node is not asked after the cases of a suite.
    fn unfit(&self, suite: Suite) -> Option<&Finding> {
        self.0.get(&suite)?.as_ref()
    }
}

/// How cases are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Seed of the tester's random draws; each case draws from its own stream.
    pub seed: u64,
    /// How often each case is run.
    pub repeat: u32,
    /// By how much the bench's own timing may be off before a verdict that depends on time is inconclusive.
    pub timing_tolerance: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options { seed: 1, repeat: 1, timing_tolerance: Duration::from_millis(200) }
    }
}

/// What became of one case.
#[derive(Clone, Debug)]
pub struct CaseRun {
    /// The case.
    pub case: Case,
    /// How it came out.
    pub outcome: Outcome,
    /// What was expected; empty for what passed.
    pub expected: String,
    /// What was seen; for what was not tried, why.
    pub actual: String,
    /// Remarks.
    pub notes: Vec<String>,
    /// What went to and fro.
    pub exchange: Exchange,
    /// The place of the configuration among [`Target::profiles`]; `None` if no node was there.
    pub configuration: Option<usize>,
    /// Which repetition, from 0.
    pub repetition: u32,
    /// By how much the bench's own timing was off at most.
    pub timing_error: Duration,
}

/// Runs cases one after the other, and tells of each as it ends. Requirements on everything that a node emits are judged over
/// all exchanges, so their outcome may change until the end; what is returned is what counts.
pub fn run(
    cases: &[Case],
    target: &mut dyn Target,
    options: Options,
    mut told: impl FnMut(&CaseRun),
    stop: impl Fn() -> bool,
) -> Vec<CaseRun> {
    let mut runs: Vec<CaseRun> = Vec::new();
    let mut gone: Option<String> = None;
    let mut health = Health::default();
    for repetition in 0..options.repeat.max(1) {
        for case in cases {
            if stop() {
                let why = "the run was interrupted";
                runs.push(not_tried(*case, repetition, Outcome::Inconclusive, why));
                continue;
            }
            let run = match &gone {
                Some(why) => not_tried(*case, repetition, Outcome::Inconclusive, why),
                None => judge(*case, target, options, repetition, &mut health),
            };
            if matches!(run.outcome, Outcome::Crash | Outcome::Hang) {
                target.stop();
                if !target.can_restart() {
                    gone = Some(format!(
                        "the node did not survive {}, and its description does not say how to start it",
                        case.id
                    ));
                }
            }
            told(&run);
            runs.push(run);
        }
    }
    watch(&mut runs, target.profiles());
    runs
}

/// A case that was not tried, and why.
pub fn not_tried(case: Case, repetition: u32, outcome: Outcome, why: &str) -> CaseRun {
    CaseRun {
        case,
        outcome,
        expected: String::new(),
        actual: why.to_owned(),
        notes: Vec::new(),
        exchange: Exchange::default(),
        configuration: None,
        repetition,
        timing_error: Duration::ZERO,
    }
}

/// The configuration for a case, or what is missing.
fn configuration(case: &Case, profiles: &[Profile]) -> Result<usize, String> {
    let offers = |profile: &Profile| case.all_needs().all(|need| profile.offers(need)) && speaks(profile, case.suite);
    profiles.iter().position(offers).ok_or_else(|| {
        let Some(usual) = profiles.first() else { return "no node is described".to_owned() };
        let missing: Vec<&str> = case.all_needs().filter(|need| !usual.offers(need)).collect();
        match missing.is_empty() {
            true => format!("the node's description has no {} section", case.suite),
            false => format!("the node does not offer {}", missing.join(", ")),
        }
    })
}

fn speaks(profile: &Profile, suite: Suite) -> bool {
    match suite {
        Suite::Ltp => profile.ltp.is_some(),
        Suite::Bpv7 => profile.bundles.is_some(),
        Suite::Tcpclv4 => profile.tcpcl.is_some(),
        Suite::Framing | Suite::Contacts => true,
    }
}

/// The seed of one case: another for each case and repetition, and the same whatever else is selected.
fn seed_of(case: &Case, seed: u64, repetition: u32) -> u64 {
    // FNV-1a.
    let octets = case.id.bytes().chain(seed.to_be_bytes()).chain(repetition.to_be_bytes());
    octets.fold(0xcbf2_9ce4_8422_2325, |hash, octet| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3))
}

/// Runs one case, and asks whether the node is still alive. What the bench's own timing has spoiled is tried again.
pub fn judge(case: Case, target: &mut dyn Target, options: Options, repetition: u32, health: &mut Health) -> CaseRun {
    let mut spoiled = 0;
    loop {
        let mut run = once(case, target, options, repetition, health);
        let late = run.timing_error > options.timing_tolerance;
        if run.outcome == Outcome::Inconclusive && late && spoiled < TRIES_AGAIN {
            spoiled += 1;
            continue;
        }
        if spoiled > 0 {
            run.notes.push(format!("tried {} times: the bench's own timing was off before", spoiled + 1));
        }
        return run;
    }
}

fn once(case: Case, target: &mut dyn Target, options: Options, repetition: u32, health: &mut Health) -> CaseRun {
    let place = match configuration(&case, target.profiles()) {
        Ok(place) => place,
        Err(why) => return not_tried(case, repetition, Outcome::Skipped, &why),
    };
    let seed = seed_of(&case, options.seed, repetition);
    if let Err(why) = target.start(place, seed) {
        return not_tried(case, repetition, Outcome::BenchError, &why);
    }
    let profile = target.profiles()[place].clone();
    let fresh = target.is_fresh();
    let Some(medium) = target.medium() else {
        return not_tried(case, repetition, Outcome::BenchError, "the node was started and is not there");
    };
    // Other numbers than those of the case: a bundle of the same name would be taken for a duplicate.
    if !fresh && let Err(ended) = health.look(case.suite, &mut Tester::new(medium, &profile, !seed)) {
        let why = format!("before the case began: {}", ended.actual);
        return CaseRun { expected: ended.expected, ..not_tried(case, repetition, Outcome::Crash, &why) };
    }
    let _ = medium.timing_error();
    let mut tester = Tester::new(medium, &profile, seed);
    // A panic in here is the built-in node's, which runs in this process; it counts as a crash of the node.
    let judged = catch_unwind(AssertUnwindSafe(|| (case.judge)(&mut tester)));
    let panicked = judged.is_err();
    let mut finding = judged.unwrap_or_else(|_| {
        let kind = Kind::Ended;
        Err(Finding { kind, expected: "a node that goes on".to_owned(), actual: "it panicked".to_owned() })
    });
    let mut hangs = None;
    tester.release();
    if let Some(why) = health.unfit(case.suite) {
        let Finding { expected, actual, .. } = why;
        tester.note(format!(
            "the node was not asked whether it is alive: before any case it did not give {expected}: {actual}"
        ));
        if finding.is_err()
            && !panicked
            && tester.ended().is_none()
            && let Some(ended) = ends(&mut tester, profile.answer_time())
        {
            finding = Err(ended);
        }
    } else if !panicked && tester.ended().is_none() {
        let alive = catch_unwind(AssertUnwindSafe(|| crate::cases::alive(case.suite, &mut tester)));
        match alive {
            Ok(Ok(())) => {}
            Ok(Err(why)) if why.kind == Kind::Ended => finding = Err(why),
            // A command may fail because the node that it speaks to is gone.
            Ok(Err(why)) if why.kind == Kind::BenchError => match ends(&mut tester, profile.answer_time()) {
                Some(ended) => finding = Err(ended),
                None => tester.note(format!("whether the node is still alive was not asked: {}", why.actual)),
            },
            Ok(Err(why)) if why.kind == Kind::Unsupported => {
                tester.note(format!("whether the node is still alive was not asked: {}", why.actual));
            }
            Ok(Err(why)) => match ends(&mut tester, profile.answer_time()) {
                Some(ended) => finding = Err(ended),
                None => hangs = Some(why),
            },
            Err(_) => {
                let kind = Kind::Ended;
                finding =
                    Err(Finding { kind, expected: "a node that goes on".to_owned(), actual: "it panicked".to_owned() });
            }
        }
    }
    tester.release();
    let (exchange, mut notes) = tester.into_parts();
    if !exchange.is_whole() {
        notes.push("the exchange was too long to be kept whole".to_owned());
    }
    let timing_error = medium.timing_error();
    let worst = case.requirement().verdict;
    let (mut outcome, mut expected, mut actual) = match &finding {
        Ok(()) => (Outcome::Pass, String::new(), String::new()),
        Err(finding) => (finding.outcome(worst), finding.expected.clone(), finding.actual.clone()),
    };
    if let Some(why) = hangs {
        outcome = Outcome::Hang;
        expected = format!("after the case, {}", why.expected);
        actual = match actual.is_empty() {
            true => why.actual,
            false => format!("{}; and before, {actual}", why.actual),
        };
    }
    // A node that has ended has ended, however late that was seen.
    if timing_error > options.timing_tolerance && outcome.is_failure(true) && outcome != Outcome::Crash {
        actual = format!("the bench itself was late by {timing_error}, so this decides nothing: {actual}");
        outcome = Outcome::Inconclusive;
    }
    CaseRun { case, outcome, expected, actual, notes, exchange, configuration: Some(place), repetition, timing_error }
}

/// Waits a little for the end of a node that seems to be in trouble. Its connections close before its process is gone, and a node that
/// has ended would otherwise be taken for one that hangs, or for one that the next cases cannot reach.
fn ends(tester: &mut Tester<'_>, time: Duration) -> Option<Finding> {
    let until = tester.now() + time;
    tester.wait_for(until, |_| None::<()>).err().filter(|why| why.kind == Kind::Ended)
}

/// Asks the cases that watch about every exchange of a run. A case that was tried and watches takes the worst that is found.
pub fn watch(runs: &mut [CaseRun], profiles: &[Profile]) {
    for place in 0..runs.len() {
        let Some(judge) = runs[place].case.watch else { continue };
        if runs[place].outcome == Outcome::Skipped {
            continue;
        }
        let worst: Grade = runs[place].case.requirement().verdict;
        let found = runs.iter().enumerate().find_map(|(other, run)| {
            let finding = judge(&run.exchange, profiles.get(run.configuration?)?).err()?;
            Some((other, finding))
        });
        let Some((other, finding)) = found else { continue };
        let outcome = finding.outcome(worst);
        if outcome <= runs[place].outcome || runs[place].outcome.is_failure(false) {
            continue;
        }
        let seen_in = (other != place).then(|| (runs[other].case.id, runs[other].exchange.clone()));
        let run = &mut runs[place];
        run.outcome = outcome;
        run.expected = finding.expected;
        run.actual = finding.actual;
        if let Some((id, exchange)) = seen_in {
            run.notes.push(format!("seen in the exchange of {id}, which is shown"));
            run.exchange = exchange;
        }
    }
}
