//! The channel beside GNU Radio's, in turns, by processor time: what one core does, however busy the machine is with others.
//!
//! `cargo bench -p farlink-iq-channel --bench beside_gnuradio`. The goal is five times GNU Radio's `channel_model`. Quote the medians; the ratio
//! says more than either side does. GNU Radio is Debian's `gnuradio`; where it is missing, the bench says so.
#![allow(missing_docs)]

use std::hint::black_box;
use std::process::Command;

use farlink_iq_channel::channel::{Channel, ChannelConfig};
use farlink_iq_channel::delay::DelayConfig;
use farlink_iq_channel::law::DelayLaw;
use farlink_iq_channel::noise::Noise;
use farlink_iq_channel::oscillator::OscillatorConfig;
use num_complex::Complex32;
use rustix::time::{ClockId, clock_gettime};

/// Samples of a run: some seconds of GNU Radio.
const SAMPLES: usize = 30_000_000;
const BLOCK: usize = 8192;
const TURNS: usize = 5;
/// Debian's, which has Debian's GNU Radio.
const PYTHON: &str = "/usr/bin/python3";

fn seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Msample/s of our channel.
fn ours(config: &ChannelConfig) -> f64 {
    let mut channel = Channel::new(config).expect("a channel");
    let input = vec![Complex32::new(1.0, 0.0); BLOCK];
    let mut out = Vec::with_capacity(2 * BLOCK);
    let begin = seconds();
    for _ in 0..SAMPLES / BLOCK {
        out.clear();
        channel.process(black_box(&input), &mut out).expect("samples");
        black_box(out.last());
    }
    (SAMPLES / BLOCK * BLOCK) as f64 / (seconds() - begin) / 1e6
}

/// Msample/s of our noise.
fn our_noise() -> f64 {
    let mut noise = Noise::new(0.01, 1).expect("noise");
    let mut samples = vec![Complex32::new(1.0, 0.0); BLOCK];
    let begin = seconds();
    for _ in 0..SAMPLES / BLOCK {
        noise.add(black_box(&mut samples));
    }
    (SAMPLES / BLOCK * BLOCK) as f64 / (seconds() - begin) / 1e6
}

/// Seconds of GNU Radio's, or why there are none.
fn theirs(case: &str) -> Result<f64, String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peer/channel_model.py");
    let output = Command::new(PYTHON).args(["-B", script, case, &SAMPLES.to_string()]).output();
    let output = output.map_err(|error| format!("{PYTHON}: {error}: apt-get install gnuradio"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_string());
    }
    let said = String::from_utf8_lossy(&output.stdout);
    said.trim().parse().map_err(|error| format!("`{}`: {error}", said.trim()))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    // `cargo test` with benches wants to know that they build, no more.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let rate_hz = 10e6;
    let config = ChannelConfig { n0: Some(0.01), ..ChannelConfig::new(rate_hz, 1) };
    // As a low orbiter: a carrier that is off by 193 kHz, and samples by 23 parts in a million; both change.
    let law = DelayLaw::Polynomial { coefficients: vec![0.004, -2.3e-5, 1e-10], duration_s: 100.0 };
    let delay = DelayConfig { law, carrier_hz: 8.4e9, clock_ppm: 0.0, ring: Default::default() };
    let doppler = ChannelConfig { delay: Some(delay), ..config.clone() };
    // As GNU Radio's model has it: an offset of the carrier that stays, and a clock that is off.
    let law = DelayLaw::Polynomial { coefficients: vec![0.004], duration_s: 100.0 };
    let delay = DelayConfig { law, carrier_hz: 0.0, clock_ppm: 10.0, ring: Default::default() };
    let oscillator = OscillatorConfig { offset_hz: 0.01 * rate_hz, ..OscillatorConfig::default() };
    let same = ChannelConfig { delay: Some(delay), oscillator: Some(oscillator), ..config };

    let (mut our_noises, mut dopplers, mut sames) = (Vec::new(), Vec::new(), Vec::new());
    let cases = ["noise", "pool", "channel", "nothing"];
    let mut columns = cases.map(|_| Vec::new());
    let mut missing = None;
    for _ in 0..TURNS {
        our_noises.push(our_noise());
        dopplers.push(ours(&doppler));
        sames.push(ours(&same));
        for (case, column) in cases.into_iter().zip(&mut columns) {
            if missing.is_none() {
                match theirs(case) {
                    Ok(seconds) => column.push(seconds),
                    Err(error) => missing = Some(error),
                }
            }
        }
    }
    let [noise, doppler, same] = [our_noises, dopplers, sames].map(median);
    println!("Msample/s of processor time, median of {TURNS}");
    println!("ours, noise alone: {noise:.1}");
    println!("ours, noise, Doppler and delay: {doppler:.1}");
    println!("ours, noise, and offset and clock as GNU Radio's: {same:.1}");
    if let Some(error) = missing {
        return println!("GNU Radio: not measured: {error}");
    }
    let [their_noise, pool, channel, nothing] = columns.map(|seconds| SAMPLES as f64 / median(seconds) / 1e6);
    println!("GNU Radio, a graph that does nothing: {nothing:.1}");
    println!("GNU Radio, noise_source added: {their_noise:.1}, ours {:.1} times that", noise / their_noise);
    println!("GNU Radio, fastnoise_source (a pool) added: {pool:.1}, ours {:.1} times that", noise / pool);
    println!(
        "GNU Radio, channel_model: {channel:.1}, ours with Doppler {:.1} times that, with the same {:.1} times",
        doppler / channel,
        same / channel
    );
}
