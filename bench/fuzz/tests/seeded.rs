//! The fuzz targets with some thousands of inputs from seeds, the same in each run: a target that fails at once is found
//! by the gate, not by the next who fuzzes.
#![allow(missing_docs)]

#[path = "../../wire/tests/support/mod.rs"]
#[allow(dead_code)]
mod support;

use support::{Random, arrivals, bundles, ccsds_frames, ccsds_zones, mutate, records, segment_seeds};

fn run(seed: u64, count: u64, target: fn(&[u8]), seeds: fn(&mut Random) -> Vec<Vec<u8>>) {
    let mut random = Random::new(seed);
    let mut inputs = Vec::new();
    for index in 0..count {
        if index % 64 == 0 {
            inputs = seeds(&mut random);
        }
        let input = mutate(&mut random, &inputs);
        if let Err(panic) = std::panic::catch_unwind(|| target(&input)) {
            let digits: String = input.iter().map(|octet| format!("{octet:02x}")).collect();
            eprintln!("input {index}: {digits}");
            std::panic::resume_unwind(panic);
        }
    }
}

fn noise(random: &mut Random) -> Vec<Vec<u8>> {
    (0..16).map(|_| random.octets(600)).collect()
}

#[test]
fn sdnv() {
    run(1, 20_000, farlink_fuzz::sdnv, noise);
}

#[test]
fn ltp_segment() {
    run(2, 20_000, farlink_fuzz::ltp_segment, segment_seeds);
}

#[test]
fn ltp_frame() {
    run(3, 5_000, farlink_fuzz::ltp_frame, segment_seeds);
}

#[test]
fn ltp_operations() {
    run(4, 2_000, farlink_fuzz::ltp_operations, noise);
}

#[test]
fn bundle() {
    run(5, 20_000, farlink_fuzz::bundle, bundles);
}

#[test]
fn record() {
    run(6, 20_000, farlink_fuzz::record, records);
}

#[test]
fn extension() {
    run(7, 20_000, farlink_fuzz::extension, noise);
}

#[test]
fn eid_text() {
    run(8, 20_000, farlink_fuzz::eid_text, |random| vec![random.eid().to_string().into_bytes()]);
}

#[test]
fn agent() {
    run(9, 5_000, farlink_fuzz::agent, arrivals);
}

#[test]
fn ccsds_frame() {
    run(10, 20_000, farlink_fuzz::ccsds_frame, ccsds_frames);
}

#[test]
fn ccsds_zone() {
    run(11, 10_000, farlink_fuzz::ccsds_zones, ccsds_zones);
}
