//! What is wrong with a sweep file is told with its line.
#![allow(missing_docs)]

use std::path::Path;

use farlink_scenario::parse_sweep;

const SOUND: &str = "sweep: mine
title: What it shows
seed: 3
repeat: 5
ltp:
  light_time: [1 s, 10 s]
  ber: [0, 1e-6]
  rate: 1 Mbit/s
  asymmetry: [1, 10]
  segment: [1360 B]
  bundle: [64 KiB]
  block: [none, 1 MiB]
  sessions: [1, none]
  amount: 1 MB
";

fn refused(from: &str, to: &str) -> String {
    assert!(SOUND.contains(from), "{from}");
    let error = parse_sweep(Path::new("my.yaml"), &SOUND.replacen(from, to, 1)).unwrap_err();
    format!("{error:#}")
}

#[test]
fn the_sound_one_is_read() {
    let sweep = parse_sweep(Path::new("my.yaml"), SOUND).unwrap();
    assert_eq!((sweep.name.as_str(), sweep.seed, sweep.repeat), ("mine", 3, 5));
}

#[test]
fn each_mistake_is_told_where_it_stands() {
    let cases = [
        ("repeat: 5", "repeat: 0", "my.yaml:4:9: 0 repetitions are out of range; from 1 to 10000"),
        ("[1 s, 10 s]", "[1 s, 10]", "my.yaml:6:21: "),
        (
            "[1 s, 10 s]",
            "[1 s, 1000 ms]",
            "my.yaml:6:21: the value stands twice; remove one of the two: a point is measured once",
        ),
        ("[1 s, 10 s]", "[]", "my.yaml:6:15: the list is empty; write at least one value"),
        ("[0, 1e-6]", "[0, 0.5]", "my.yaml:7:12: a bit error ratio of 0.5 is out of range; from 0 to 0.01"),
        ("asymmetry: [1, 10]", "asymmetry: [1, 1e6, 0]", "my.yaml:9:23: an asymmetry of 0 is out of range"),
        ("[1360 B]", "[64 B]", "my.yaml:10:13: a segment of 64 B is out of range; from 128 B to 65507 B"),
        ("[1, none]", "[0, none]", "my.yaml:13:14: no session at all carries nothing"),
        ("segment", "segmant", "my.yaml:10:3: unknown key `segmant`; did you mean `segment`?"),
        ("  amount: 1 MB\n", "", "nothing says what is sent; add `amount: 1 MB`, or `load: [0.5]` with `span: 10 min`"),
        ("  amount: 1 MB", "  load: [0.5]", "the key `span` is missing; add `span: 10 min`"),
        (
            "  amount: 1 MB",
            "  amount: 1 MB\n  load: [0.5]",
            "both `amount` and `load` say what is sent; remove one of them",
        ),
        ("sweep: mine", "sweep: My Sweep", "my.yaml:1:8: the name `My Sweep` contains 'M'"),
        ("  rate: 1 Mbit/s\n", "", "the key `rate` is missing; add `rate: 1 Mbit/s`"),
    ];
    for (from, to, message) in cases {
        let told = refused(from, to);
        assert!(told.contains(message), "{to}: expected `{message}`, got `{told}`");
    }
}

#[test]
fn a_sweep_measures_one_thing() {
    let told = |text: &str| format!("{:#}", parse_sweep(Path::new("my.yaml"), text).unwrap_err());
    assert!(told("sweep: s\n").contains("nothing is measured; add one of `ltp:`, `hops:`, `tcp:` and `processes:`"));
    let both = "sweep: s\nhops: { hops: [4], frame_loss: [0.3], messages: 1 }\ntcp: { light_time: [1 s], rate: 1 Mbit/s, span: 2 s }";
    assert!(told(both).contains("my.yaml:3:6: a sweep measures one thing"), "{}", told(both));
    let none = "sweep: s\nprocesses: { light_time: [1 s], rate: 1 Mbit/s, amount: 1 kB, sender: [], receiver: [x] }";
    assert!(told(none).contains("my.yaml:2:71: the command is empty"), "{}", told(none));
    let tcp = |more: &str| told(&format!("sweep: s\ntcp: {{ light_time: [1 s], rate: 1 Mbit/s, span: 2 s, {more} }}"));
    let wrong = tcp("congestion_control: [cubic, 'Reno!']");
    assert!(
        wrong.contains("my.yaml:2:82: `Reno!` is no name of a congestion control; write it as Linux does"),
        "{wrong}"
    );
    assert!(tcp("congestion_control: [bbr, bbr]").contains("the value stands twice"));
    assert!(tcp("tolerance: 0 s").contains("nothing is late by 0 s at most; give a tolerance above 0 s"));
}
