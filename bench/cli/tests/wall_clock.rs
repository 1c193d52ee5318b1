//! The same bench under the wall clock.
#![allow(missing_docs)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::*;

/// An hour of the long haul: six times its light time.
fn short_haul(folder: &Path) -> PathBuf {
    changed("scenarios/long-haul.yaml", folder, |text| {
        let text = text.replace("duration: 4 h", "duration: 1 h");
        assert!(text.contains("duration: 1 h"));
        text
    })
}

#[test]
fn the_wall_clock_sees_the_same_events_as_the_virtual_one_in_its_own_time() {
    let temp = tempfile::tempdir().unwrap();
    let payload = temp.path().join("payload.bin");
    fs::write(&payload, vec![0x42; 100_000]).unwrap();
    let scenario = short_haul(temp.path());
    let with = ["--payload", payload.to_str().unwrap()];
    let (jumped, walked) = (temp.path().join("virtual"), temp.path().join("wall"));
    let (code, stdout, stderr) = run_scenario(&scenario, &jumped, &with);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let begun = Instant::now();
    let (code, stdout, stderr) = run_scenario(&scenario, &walked, &[with[0], with[1], "--clock", "wall:1200"]);
    // An hour at twelve hundred times real time.
    assert!(begun.elapsed() >= Duration::from_millis(3000), "it took {:?} only", begun.elapsed());
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("the wall clock was late by"), "{stdout}");

    let (jumped_header, jumped_events) = recording(&jumped);
    let (walked_header, walked_events) = recording(&walked);
    assert_eq!((jumped_header.clock.as_str(), walked_header.clock.as_str()), ("virtual", "wall:1200"));
    assert!(jumped_events == walked_events, "the clock shows in the events");
    let timing = results(&walked).timing.expect("a wall clock measures how late it is");
    assert!(timing.samples > 100 && timing.p50_ns <= timing.p99_ns && timing.p99_ns <= timing.max_ns, "{timing:?}");
    assert_eq!(results(&jumped).timing, None);
}
