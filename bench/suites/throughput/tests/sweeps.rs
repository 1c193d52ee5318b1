//! Sweeps measured under the virtual clock: against their bounds, twice, and in parallel.
#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use farlink_record::results::Verdict;
use farlink_scenario::parse_sweep;
use farlink_throughput::baseline::{Baseline, BaselineError, Finding};
use farlink_throughput::{Outcome, RunOptions, builtin, plan, quick, report, run};

fn options(jobs: usize) -> RunOptions {
    RunOptions { jobs, farlink: PathBuf::from("farlink"), captures: None, provenance: BTreeMap::new() }
}

fn measure(text: &str) -> Outcome {
    measured(text, &options(2))
}

fn measured(text: &str, options: &RunOptions) -> Outcome {
    let sweep = parse_sweep(Path::new("sweep.yaml"), text).unwrap();
    run(&sweep, &plan(&sweep), options, &AtomicBool::new(false), &|_, _, _| ()).unwrap()
}

/// Over five orders of light time, errors, ratios, sizes and session limits: no run is faster than its own losses allow (the runner makes a bench
/// error of that), and no mean is better than its bound by more than chance.
#[test]
fn nothing_is_better_than_theory_allows() {
    let outcome = measure(
        "sweep: s\nrepeat: 4\nltp: { light_time: [1 ms, 1 s, 20 min], ber: [0, 1e-6, 1e-5, 3e-5], rate: 1 Mbit/s, \
         asymmetry: [1, 1000], segment: [512 B, 1360 B], bundle: [8 KiB, 100 kB], block: [none, 64 KiB], sessions: [1, 4, none], \
         amount: 100 kB }",
    );
    assert_eq!(outcome.points.len(), 3 * 4 * 2 * 2 * 2 * 2 * 3);
    for point in &outcome.points {
        assert_eq!(point.verdict, Verdict::Pass, "{}: {}", point.id, point.message);
        let headline = point.headline.as_ref().unwrap();
        assert!(!headline.is_impossible(), "{}: {headline:?}", point.id);
        let floor = &point.figures["floor_share"];
        assert!(floor.max <= 1.0 + 1e-6, "{}: {floor:?}", point.id);
        assert!(headline.share > 0.03, "{}: {headline:?}", point.id);
    }
    // What strays by chance evens out: over all points of one light time and error ratio the mean of measured over bound, which is 1 at
    // the least, is not below it by more than three of its standard errors.
    let mut groups = BTreeMap::<String, Vec<(f64, f64)>>::new();
    for point in &outcome.points {
        let headline = point.headline.as_ref().unwrap();
        let ratio = headline.measured / headline.bound;
        let group = groups.entry(format!("{} {}", point.parameters["light_time"].text, point.parameters["ber"].text));
        group.or_default().push((ratio, ratio * headline.share_error / headline.share));
    }
    assert_eq!(groups.len(), 12);
    for (name, ratios) in groups {
        let count = ratios.len() as f64;
        let mean = ratios.iter().map(|(ratio, _)| ratio).sum::<f64>() / count;
        let error = ratios.iter().map(|(_, error)| error * error).sum::<f64>().sqrt() / count;
        assert!(mean >= 1.0 - 3.0 * error - 1e-9, "{name}: measured over bound is {mean} ± {error}");
    }
}

#[test]
fn without_errors_the_bound_is_met_but_for_the_last_octets() {
    let outcome = measure("sweep: s\nrepeat: 2\nltp: { light_time: [1 ms, 10 s], rate: 1 Mbit/s, amount: 1 MB }");
    for point in &outcome.points {
        let headline = point.headline.as_ref().unwrap();
        assert!((0.99..=1.000_001).contains(&headline.share), "{}: {headline:?}", point.id);
        assert_eq!(point.figures["segments_again"].mean, 0.0);
    }
}

#[test]
fn a_session_limit_is_kept_and_its_bound_met() {
    let outcome = measure(
        "sweep: s\nrepeat: 2\nltp: { light_time: [1 s], rate: 1 Mbit/s, bundle: [8 KiB], sessions: [1, 4, none], amount: 200 kB }",
    );
    let limits: Vec<f64> = outcome.points.iter().map(|point| point.figures["sessions_max"].max).collect();
    assert_eq!(limits, [1.0, 4.0, 25.0]);
    for point in &outcome.points {
        assert!(point.headline.as_ref().unwrap().share > 0.95, "{point:?}");
    }
}

#[test]
fn under_load_goodput_is_what_is_offered_until_the_link_is_full() {
    let outcome = measure(
        "sweep: s\nrepeat: 4\nltp: { light_time: [100 ms], ber: [1e-6], rate: 200 kbit/s, bundle: [2 KiB], load: [0.3, 0.8, 1.5], span: 5 min }",
    );
    let share = |at: usize| outcome.points[at].headline.as_ref().unwrap().share;
    for (at, point) in outcome.points.iter().enumerate() {
        assert_eq!(point.verdict, Verdict::Pass, "{}: {}", point.id, point.message);
        assert!((0.9..1.05).contains(&share(at)), "{}: {:?}", point.id, point.headline);
    }
    assert!(outcome.points[0].figures["delay_p99_s"].mean < outcome.points[1].figures["delay_p99_s"].mean);
    assert!(!outcome.points[2].figures.contains_key("delay_p99_s"), "an overloaded link has no steady delay");
}

/// Section 2.1.1 of the draft: 3 and 34 retransmissions end to end, 2 and 5 hop by hop.
#[test]
fn the_founding_figures_are_measured() {
    let outcome = measure("sweep: s\nrepeat: 10\nhops: { hops: [4, 10], frame_loss: [0.3], messages: 40 }");
    let expected = [1.714_285_714, 4.285_714_286, 3.164_931_279, 34.401_241];
    for (point, expected) in outcome.points.iter().zip(expected) {
        assert_eq!(point.verdict, Verdict::Pass, "{}: {}", point.id, point.message);
        let headline = point.headline.as_ref().unwrap();
        assert!((headline.bound - expected).abs() < 1e-3 * expected, "{}: {headline:?}", point.id);
        let error = point.figures["retransmissions"].standard_error();
        assert!((headline.measured - expected).abs() < 4.0 * error, "{}: {headline:?}, error {error}", point.id);
    }
}

#[test]
fn the_same_seed_gives_the_same_outcome_on_however_many_cores_and_another_does_not() {
    let text = "sweep: s\nseed: 7\nrepeat: 3\nltp: { light_time: [1 s], ber: [1e-5], rate: 1 Mbit/s, bundle: [8 KiB], amount: 200 kB }";
    let (one, many) = (measured(text, &options(1)), measured(text, &options(4)));
    assert_eq!(one, many);
    assert_ne!(one.points[0].samples, measure(&text.replace("seed: 7", "seed: 8")).points[0].samples);
}

const LINK: &str = "sweep: s\nrepeat: 8\nltp: { light_time: [1 s], ber: [1e-6, 1e-5], rate: 1 Mbit/s, bundle: [8 KiB], amount: 500 kB }";

#[test]
fn a_baseline_holds_against_other_seeds_and_finds_a_slower_link() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("baseline.json");
    Baseline::of(&measure(LINK)).save(&path).unwrap();
    let baseline = Baseline::load(&path).unwrap();
    for seed in [2, 3, 4] {
        let outcome = measure(&LINK.replace("repeat: 8", &format!("repeat: 8\nseed: {seed}")));
        let comparison = baseline.compare(&path, &outcome).unwrap();
        assert!(comparison.is_met(), "{comparison:#?}");
    }
    // As if the node made use of half its rate.
    let slower = measure(&LINK.replace("1 Mbit/s", "500 kbit/s"));
    let comparison = baseline.compare(&path, &slower).unwrap();
    let worst: Vec<&str> = comparison.regressions().map(|row| row.figure.as_str()).collect();
    assert!(worst.contains(&"goodput_bps"), "{comparison:#?}");
    assert!(comparison.rows.iter().filter(|row| row.finding == Finding::Better).count() == 0, "{comparison:#?}");
    let outcome = Outcome { comparison: Some(comparison), ..slower };
    assert_eq!(outcome.exit_code(), 1);
}

#[test]
fn what_cannot_be_compared_is_told() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("baseline.json");
    let outcome = measure(LINK);
    let baseline = Baseline::of(&outcome);
    let other = Outcome { sweep: "another".to_owned(), ..outcome.clone() };
    assert!(matches!(baseline.compare(&path, &other), Err(BaselineError::OtherSweep { .. })));
    let mut elsewhere = baseline.clone();
    elsewhere.points.clear();
    assert!(matches!(elsewhere.compare(&path, &outcome), Err(BaselineError::NothingInCommon { .. })));
    let mut fewer = baseline.clone();
    fewer.points.pop_first();
    let comparison = fewer.compare(&path, &outcome).unwrap();
    assert_eq!((comparison.not_compared.len(), comparison.is_met()), (1, false));
    std::fs::write(&path, "{}").unwrap();
    assert!(matches!(Baseline::load(&path), Err(BaselineError::Content { .. })));
    assert!(matches!(Baseline::load(&temp.path().join("none")), Err(BaselineError::File { .. })));
}

#[test]
fn the_sweeps_that_come_with_farlink_are_sound_and_their_quick_forms_smaller() {
    for (name, _) in builtin::SWEEPS {
        let sweep = builtin::sweep(name).unwrap().unwrap();
        assert_eq!(sweep.name, name);
        let (all, few) = (plan(&sweep), plan(&quick(&sweep)));
        assert!(few.points.len() <= all.points.len() && quick(&sweep).repeat <= 3, "{name}");
        let mut ids: Vec<&str> = all.points.iter().map(|point| point.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all.points.len(), "{name}: two points of one name");
    }
    assert!(builtin::sweep("nothing").is_none());
}

#[test]
fn what_matches_nothing_is_an_error() {
    let sweep = builtin::sweep("ltp").unwrap().unwrap();
    let some = plan(&sweep).only(&["ber=1e-5".to_owned(), "light_time=10s".to_owned()]).unwrap();
    assert_eq!(some.points.len(), 9);
    assert!(plan(&sweep).only(&["ber=1e-9".to_owned()]).is_err());
    assert!(plan(&sweep).only(&["ber=1e".to_owned()]).is_err(), "half a value is none");
}

/// What people write into a file is shown as it stands, and is no markup.
#[test]
fn the_page_escapes_what_it_is_given() {
    let mut outcome = measure("sweep: s\nrepeat: 2\nltp: { light_time: [1 s], rate: 1 Mbit/s, amount: 10 kB }");
    outcome.title = "<script>alert(1)</script> & more".to_owned();
    let page = report::page(&outcome, "");
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; more"));
    for outside in ["http://", "https://", "url(", "@import", "<link rel=\"stylesheet"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_eq!(page, report::page(&outcome, ""), "the same input gives the same page");
}
