//! Results: what a run exits with, and what build servers read.

use std::collections::BTreeMap;

use farlink_record::LossCause;
use farlink_record::counters::Tally;
use farlink_record::results::{Case, ChannelResult, Results, Timing, TrafficResult, Verdict, write_json, write_junit};
use quick_junit::{NonSuccessKind, Report, TestCaseStatus};

fn case(id: &str, suite: &str, verdict: Verdict) -> Case {
    let message = format!("expected <this> & \"that\"; got {} \u{1}\u{7}", verdict.as_str());
    Case { id: id.into(), suite: suite.into(), verdict, message, at_ns: Some(5) }
}

fn results(verdicts: &[Verdict]) -> Results {
    let tally = Tally { frames: 3, bits: 24 };
    Results {
        farlink: "0.1.0".into(),
        scenario: "lunar \"relay\" & co".into(),
        seed: u64::MAX,
        epoch: "2027-03-01T12:00:00Z".into(),
        clock: "virtual".into(),
        interrupted: false,
        ended_at_ns: 60,
        recording_sha256: "ab".repeat(32),
        recording_events: 12,
        cases: verdicts.iter().enumerate().map(|(i, v)| case(&format!("case-{i}"), "traffic", *v)).collect(),
        channels: vec![ChannelResult {
            name: "lander→orbiter".into(),
            link: "proximity".into(),
            sent: tally,
            copied: Tally::default(),
            delivered: Tally::default(),
            delivered_damaged: Tally::default(),
            lost: BTreeMap::from([(LossCause::NoContact, tally)]),
            in_flight: Tally::default(),
            delays: None,
            balanced: true,
        }],
        traffic: vec![TrafficResult {
            name: "photo".into(),
            from: "lander".into(),
            to: "orbiter".into(),
            bytes: 9,
            sha256_sent: "cd".repeat(32),
            sha256_received: None,
            intact: false,
            started_ns: 0,
            arrived_ns: None,
            file: None,
            reports: vec!["delivered".into()],
        }],
        timing: Some(Timing { p50_ns: 1, p99_ns: 2, p999_ns: 3, max_ns: 4, samples: 5 }),
        emulator: None,
    }
}

fn junit(results: &Results) -> Report {
    let mut xml = Vec::new();
    write_junit(results, &mut xml).unwrap();
    let report = Report::deserialize(&xml[..]).unwrap_or_else(|e| panic!("{e:?}\n{}", String::from_utf8_lossy(&xml)));
    // The counts that a build server shows must be those of the cases in it.
    for suite in &report.test_suites {
        let count = |wanted: fn(&TestCaseStatus) -> bool| suite.test_cases.iter().filter(|c| wanted(&c.status)).count();
        assert_eq!(suite.tests, suite.test_cases.len());
        let failures = count(|s| matches!(s, TestCaseStatus::NonSuccess { kind: NonSuccessKind::Failure, .. }));
        let errors = count(|s| matches!(s, TestCaseStatus::NonSuccess { kind: NonSuccessKind::Error, .. }));
        assert_eq!((suite.failures, suite.errors), (failures, errors));
    }
    assert_eq!(report.tests, report.test_suites.iter().map(|suite| suite.tests).sum::<usize>());
    assert_eq!(report.failures, report.test_suites.iter().map(|suite| suite.failures).sum::<usize>());
    assert_eq!(report.errors, report.test_suites.iter().map(|suite| suite.errors).sum::<usize>());
    report
}

#[test]
fn only_pass_exits_with_zero() {
    for verdict in Verdict::ALL {
        let expected = match verdict {
            Verdict::Pass => 0,
            Verdict::Fail | Verdict::Inconclusive | Verdict::Timeout | Verdict::Unsupported | Verdict::Skipped => 1,
            Verdict::BenchError => 2,
        };
        assert_eq!(results(&[verdict]).exit_code(), expected, "{verdict:?} alone");
        assert_eq!(results(&[Verdict::Pass, verdict, Verdict::Pass]).exit_code(), expected, "{verdict:?} among passes");
        assert_eq!(results(&[Verdict::Fail, verdict]).exit_code(), expected.max(1), "{verdict:?} after a failure");
        assert_eq!(verdict.is_met(), expected == 0);
    }
}

#[test]
fn nothing_judged_is_not_met_and_a_bench_that_failed_exits_with_two() {
    assert_eq!(results(&[]).exit_code(), 1);
    for verdicts in [&[Verdict::Pass][..], &[Verdict::Fail], &[]] {
        let interrupted = Results { interrupted: true, ..results(verdicts) };
        assert_eq!(interrupted.exit_code(), 2);
        let mut lost_count = results(verdicts);
        lost_count.channels[0].balanced = false;
        assert_eq!(lost_count.exit_code(), 2);
    }
}

#[test]
fn json_is_stable_and_comes_back() {
    let results = results(&Verdict::ALL);
    let mut json = Vec::new();
    write_json(&results, &mut json).unwrap();
    assert_eq!(serde_json::from_slice::<Results>(&json).unwrap(), results);
    let text = String::from_utf8(json).unwrap();
    assert!(text.ends_with("}\n"));
    for expected in ["\"verdict\": \"bench-error\"", "\"no-contact\": {", "\"arrived_ns\": null"] {
        assert!(text.contains(expected), "no `{expected}` in {text}");
    }
}

#[test]
fn junit_tells_every_verdict_apart() {
    let report = junit(&results(&Verdict::ALL));
    let [suite] = &report.test_suites[..] else { panic!("{report:?}") };
    for (case, verdict) in suite.test_cases.iter().zip(Verdict::ALL) {
        let property = |name: &str| case.properties.iter().find(|p| p.name.as_str() == name).map(|p| p.value.as_str());
        assert_eq!(property("farlink.verdict"), Some(verdict.as_str()));
        assert_eq!(property("farlink.at_ns"), Some("5"));
        let (kind, ty, message) = match &case.status {
            TestCaseStatus::Success { .. } => ("success", None, None),
            TestCaseStatus::NonSuccess { kind: NonSuccessKind::Failure, ty, message, .. } => {
                ("failure", ty.as_ref(), message.as_ref())
            }
            TestCaseStatus::NonSuccess { kind: NonSuccessKind::Error, ty, message, .. } => {
                ("error", ty.as_ref(), message.as_ref())
            }
            TestCaseStatus::Skipped { ty, message, .. } => ("skipped", ty.as_ref(), message.as_ref()),
        };
        let expected = match verdict {
            Verdict::Pass => "success",
            Verdict::Fail | Verdict::Inconclusive | Verdict::Timeout => "failure",
            Verdict::Unsupported | Verdict::Skipped => "skipped",
            Verdict::BenchError => "error",
        };
        assert_eq!(kind, expected, "{verdict:?}");
        if verdict != Verdict::Pass {
            assert_eq!(ty.map(|ty| ty.as_str()), Some(verdict.as_str()));
            let message = message.map_or("", |message| message.as_str());
            assert!(message.starts_with("expected <this> & \"that\"; got"), "{message}");
        }
    }
}

#[test]
fn junit_carries_where_it_comes_from() {
    let mut results = results(&[Verdict::Pass]);
    results.cases.push(case("ltp-1", "ltp", Verdict::Pass));
    results.cases.push(case("case-9", "traffic", Verdict::Pass));
    let report = junit(&results);
    assert_eq!(report.name.as_deref(), Some("farlink lunar \"relay\" & co"));
    let names: Vec<_> = report.test_suites.iter().map(|suite| (suite.name.as_str(), suite.tests)).collect();
    assert_eq!(names, [("traffic", 2), ("ltp", 1)]);
    for suite in &report.test_suites {
        let property = |name: &str| suite.properties.iter().find(|p| p.name.as_str() == name).map(|p| p.value.as_str());
        assert_eq!(property("farlink.version"), Some("0.1.0"));
        assert_eq!(property("farlink.seed"), Some("18446744073709551615"));
        assert_eq!(property("farlink.epoch"), Some("2027-03-01T12:00:00Z"));
        assert_eq!(property("farlink.recording.sha256"), Some("ab".repeat(32).as_str()));
    }
}

#[test]
fn junit_is_green_only_when_the_run_exits_with_zero() {
    let mut runs: Vec<Results> = Verdict::ALL.iter().map(|verdict| results(&[Verdict::Pass, *verdict])).collect();
    runs.push(results(&[]));
    runs.push(Results { interrupted: true, ..results(&[Verdict::Pass]) });
    let mut lost_count = results(&[Verdict::Pass]);
    lost_count.channels[0].balanced = false;
    runs.push(lost_count);
    for run in runs {
        let report = junit(&run);
        let skipped: usize = report.test_suites.iter().map(|suite| suite.skipped).sum();
        let green = report.failures + report.errors + skipped == 0;
        assert_eq!(green, run.exit_code() == 0, "{run:?}");
        assert!(report.tests > 0);
        assert_eq!(report.errors > 0, run.exit_code() == 2 || run.cases.is_empty(), "{run:?}");
    }
}
