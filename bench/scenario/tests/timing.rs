//! How late the bench may be: `timing` in the scenario.

mod support;

use farlink_scenario::Tolerance;
use farlink_units::Duration;
use support::{Refusal as No, SOUND, edited, read, refuse};

#[test]
fn a_tolerance_is_read_and_may_be_left_out() {
    let us = |us: i64| Some(Duration::from_nanos(us * 1000));
    for (timing, tolerance) in [
        ("timing: { p99: 200 us, max: 5 ms }", Tolerance { p99: us(200), max: us(5000) }),
        ("timing: { p99: 200 us }", Tolerance { p99: us(200), max: None }),
        ("timing: { max: 200 us }", Tolerance { p99: None, max: us(200) }),
    ] {
        let scenario = read(&edited("seed: 7", &format!("seed: 7\n{timing}"))).unwrap();
        assert_eq!(scenario.tolerance, Some(tolerance));
    }
    assert_eq!(read(SOUND).unwrap().tolerance, None);
}

#[test]
fn a_tolerance_that_cannot_be_is_refused() {
    let timing = |timing: &str, words: &[&str]| refuse(&[No("seed: 7", &format!("seed: 7\ntiming: {timing}"), words)]);
    timing("^{}", &["`timing` says nothing", "add `p99: 200 us`"]);
    timing("{ p99: ^200 }", &["`200` has no unit"]);
    timing("{ p99: ^0 s }", &["nothing is late by 0 s at most", "above 0 s"]);
    timing("{ p99: 1 ms, max: ^200 us }", &["`max` of 200 us is below `p99` of 1 ms"]);
    timing("{ ^p50: 1 ms }", &["unknown key `p50`", "`p99` or `max`"]);
}
