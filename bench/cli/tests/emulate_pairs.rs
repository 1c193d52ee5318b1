//! The emulator between every pair of kinds of ports. Needs root, `ip` and `socat`.
#![allow(missing_docs)]

mod common;
mod ends;

use std::path::Path;
use std::time::{Duration, Instant};

use common::process::{PATIENCE, Running};
use common::*;
use ends::{FarEnd, KINDS, TUN};

/// Couples two far ends and sends from both until each has frames of the other.
fn couples(kinds: [&str; 2], folder: &Path) {
    let [mut a, mut b] = [0, 1].map(|side| FarEnd::new(kinds[side], b"AB"[side], folder));
    let out = folder.join("out");
    let mut emulator = Running::start(
        farlink().args(["emulate", &a.text, &b.text, "--delay", "20ms", "--for", "90 s", "--out"]).arg(&out),
    );
    emulator.wait_for_text("forward: ");
    a.connect();
    b.connect();
    let deadline = Instant::now() + PATIENCE;
    let mut number = 0;
    while a.numbers().len() < 3 || b.numbers().len() < 3 {
        emulator.assert_running("it has carried");
        let (at_a, at_b) = (a.numbers().len(), b.numbers().len());
        assert!(Instant::now() < deadline, "{kinds:?}: {at_a} frames at A, {at_b} at B");
        a.send(number);
        b.send(number);
        number += 1;
        std::thread::sleep(Duration::from_millis(20));
    }
    emulator.signal("INT");
    let ended = emulator.wait();
    for (end, from) in [(&a, b'B'), (&b, b'A')] {
        let numbers = end.numbers();
        assert!(numbers.iter().all(|(side, _)| *side == from), "{kinds:?}: its own frames came back: {numbers:?}");
        assert!(numbers.is_sorted_by(|one, next| one < next), "{kinds:?}: {numbers:?} are not in order");
    }
    let results = results(&out);
    ends::assert_sound(&results);
    assert_eq!(ended.code, Some(i32::from(results.exit_code())), "{kinds:?}: {}{}", ended.stdout, ended.stderr);
    let delivered = |channel: usize| results.channels[channel].delivered.frames;
    assert!(delivered(0) >= 3 && delivered(1) >= 3, "{kinds:?}: {} and {}", delivered(0), delivered(1));
}

/// One kind with itself and all that come after it.
fn couples_with_later(kind: &str) {
    let all: Vec<&str> = KINDS.into_iter().chain([TUN]).collect();
    let from = all.iter().position(|known| *known == kind).expect("a kind");
    for other in &all[from..] {
        let temp = tempfile::tempdir().unwrap();
        couples([kind, other], temp.path());
    }
}

#[test]
fn datagrams_couple_with_all() {
    couples_with_later("udp4");
    couples_with_later("udp6");
}

#[test]
fn streams_couple_with_all() {
    couples_with_later("tcp");
    couples_with_later("tcp-connect");
}

#[test]
fn files_couple_with_all() {
    couples_with_later("file");
}

#[test]
fn lines_couple_with_all() {
    couples_with_later("pty");
    couples_with_later("serial");
}

#[test]
fn interfaces_couple_with_each_other() {
    couples_with_later("eth");
    couples_with_later("tap");
    couples_with_later("tun");
}
