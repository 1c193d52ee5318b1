//! Links whose frames go through samples: the same nodes, over modem, code and the samples of a channel.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use farlink_record::LossCause;
use farlink_record::results::{ChannelResult, Results};
use farlink_run::{ClockKind, RunFolder, Steering, prepare};
use farlink_scenario::{Overrides, load};

const SENDS: &str = "frequency: 8.4 GHz, eirp: 40 dBW, gain_over_temperature: 30 dB/K";

/// A scenario of two nodes whose forward channel is told; what it needs besides stands in `more`.
fn pair(forward: &str, more: &str) -> String {
    format!(
        "scenario: pair\nepoch: 2026-12-15T00:00:00Z\nduration: 1 h\nseed: 7\n\
         nodes:\n  probe: {{ eid: \"ipn:10.0\" }}\n  ground: {{ eid: \"ipn:20.0\" }}\n\
         links:\n  radio:\n    forward: {{ from: probe, to: ground, {forward} }}\n    \
         return: {{ from: ground, to: probe, rate: 64 kbit/s }}\n    light_time: 100 ms\n{more}\
         traffic:\n  image: {{ from: probe, to: ground, file: image }}\n"
    )
}

fn run(text: &str, bytes: usize) -> Results {
    let folder = tempfile::tempdir().unwrap();
    let image: Vec<u8> = (0..bytes).map(|n| (n * n / 7) as u8).collect();
    std::fs::write(folder.path().join("image"), image).unwrap();
    let path = folder.path().join("scenario.yaml");
    std::fs::write(&path, text).unwrap();
    let scenario = load(&path, &Overrides::default()).unwrap_or_else(|error| panic!("{error:?}"));
    drive(&scenario, folder.path())
}

fn drive(scenario: &farlink_scenario::Scenario, folder: &Path) -> Results {
    let out = RunFolder::create(&folder.join("run")).unwrap();
    let prepared = prepare(scenario, ClockKind::Virtual).unwrap();
    let finished = prepared.run(&out, &AtomicBool::new(false), Steering::none(), &mut |_| ()).unwrap();
    assert!(finished.error.is_none());
    finished.results
}

fn forward(results: &Results) -> &ChannelResult {
    results.channels.iter().find(|channel| channel.name == "probe→ground").unwrap()
}

#[test]
fn look() {
    for (code, db, frame) in [
        ("concatenated", 2.2, ""),
        ("concatenated", 2.4, ""),
        ("convolutional", 3.5, ", frame: 256 B"),
        ("reed-solomon", 6.3, ""),
        ("uncoded", 9.4, ", frame: 256 B"),
        ("ldpc-1024", 1.5, ""),
        ("ldpc-4096", 1.1, ""),
    ] {
        for through in ["model", "samples"] {
            let waveform = format!("waveform: {{ through: {through}, modulation: bpsk {frame} }}, ");
            let channel = format!(
                "rate: 256 kbit/s, radio: {{ {SENDS}, {waveform} required_eb_n0: 2 dB }}, \
                 errors: {{ coding: {{ code: {code}, eb_n0: {db} dB }} }}"
            );
            let begun = std::time::Instant::now();
            let results = run(&pair(&channel, ""), 500_000);
            let channel = forward(&results);
            let lost: Vec<_> = channel.lost.iter().map(|(cause, tally)| (*cause, tally.frames)).collect();
            println!(
                "{code} {db} {through}: sent {:?} lost {lost:?} intact {} exit {} in {:?}",
                channel.sent,
                results.traffic[0].intact,
                results.exit_code(),
                begun.elapsed()
            );
            let _ = LossCause::NotDecoded;
        }
    }
}
