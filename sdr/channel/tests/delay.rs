//! Delay, Doppler and what is under way: against formulas, against the geometry, and over a disk.

use std::f64::consts::TAU;

use farlink_channel_models::{Body, Geometry, Orbit, Place, SPEED_OF_LIGHT_KM_S, Site, Visibility};
use farlink_iq_channel::delay::{Delay, DelayConfig, LEAST_DELAY_SAMPLES};
use farlink_iq_channel::law::{DelayKnot, DelayLaw};
use farlink_iq_channel::ring::{CHUNK_BYTES, CHUNK_SAMPLES, Ring, RingConfig, RingError, SpillConfig};
use farlink_units::{Duration, Instant};
use hifitime::Epoch;
use num_complex::{Complex32, Complex64};
use rustfft::FftPlanner;

fn config(law: DelayLaw, carrier_hz: f64) -> DelayConfig {
    DelayConfig { law, carrier_hz, clock_ppm: 0.0, ring: RingConfig::default() }
}

fn narrow(z: Complex64) -> Complex32 {
    Complex32::new(z.re as f32, z.im as f32)
}

fn wide(z: Complex32) -> Complex64 {
    Complex64::new(f64::from(z.re), f64::from(z.im))
}

fn cis(turns: f64) -> Complex64 {
    Complex64::cis((turns - turns.floor()) * TAU)
}

/// Sends a tone at `frequency` of the rate, and gives the worst error against the formula in dB, once it has arrived.
fn worst_error_db(law: DelayLaw, delay_s: impl Fn(f64) -> f64, carrier_hz: f64, clock_ppm: f64, frequency: f64) -> f64 {
    const RATE: f64 = 1e6;
    let config = DelayConfig { clock_ppm, ..config(law, carrier_hz) };
    let mut delay = Delay::new(&config, RATE).unwrap();
    let tone: Vec<Complex32> = (0..300_000).map(|n| narrow(cis(frequency * f64::from(n)))).collect();
    let mut out = Vec::new();
    for block in tone.chunks(7777) {
        delay.process(block, &mut out).unwrap();
    }
    assert_eq!(out.len(), (300_000.0 * (1.0 + clock_ppm * 1e-6)) as usize);
    let arrived = 30_000;
    let worst = (arrived..out.len()).map(|n| {
        let t = n as f64 / (RATE * (1.0 + clock_ppm * 1e-6));
        let d = delay_s(t);
        (wide(out[n]) - cis(frequency * (t - d) * RATE) * cis(-carrier_hz * d)).norm()
    });
    assert!(out[..2000].iter().all(|z| z.norm() < 2e-3), "silence before the light arrives");
    20.0 * worst.fold(0.0, f64::max).log10()
}

#[test]
fn what_comes_out_is_the_input_a_delay_ago_turned_by_the_carrier() {
    let polynomial = |c: &[f64]| DelayLaw::Polynomial { coefficients: c.to_vec(), duration_s: 10.0 };
    for frequency in [0.4, 0.1, -0.37] {
        let constant = worst_error_db(DelayLaw::Constant(0.012_345_678_9), |_| 0.012_345_678_9, 8.4e9, 0.0, frequency);
        let approaching = [0.01, -2.5e-5, 3e-7];
        let law = |c: [f64; 3]| move |t: f64| c[0] + c[1] * t + c[2] * t * t;
        let low_orbit = worst_error_db(polynomial(&approaching), law(approaching), 8.4e9, 0.0, frequency);
        // So fast that each sample is by itself.
        let fast = [0.01, 0.01, 0.02];
        let fast = worst_error_db(polynomial(&fast), law(fast), 1e5, 0.0, frequency * 0.9);
        let clocks = worst_error_db(polynomial(&approaching), law(approaching), 8.4e9, 87.0, frequency * 0.99);
        let slow = worst_error_db(polynomial(&approaching), law(approaching), 8.4e9, -3001.5, frequency * 0.99);
        println!("{frequency}: {constant:.1} {low_orbit:.1} {fast:.1} {clocks:.1} {slow:.1} dB");
        assert!([constant, low_orbit, fast, clocks, slow].iter().all(|db| *db < -60.0));
    }
}

/// The frequency of the strongest line in units of the rate, between bins by the parabola through the logarithms under a Hann window.
fn strongest(samples: &[Complex32]) -> f64 {
    let n = samples.len();
    let window = |k: usize| 0.5 - 0.5 * (TAU * k as f64 / n as f64).cos();
    let mut bins: Vec<Complex64> = samples.iter().enumerate().map(|(k, z)| wide(*z) * window(k)).collect();
    FftPlanner::new().plan_fft_forward(n).process(&mut bins);
    let power = |k: usize| bins[k % n].norm().ln();
    let peak = (0..n).max_by(|a, b| power(*a).total_cmp(&power(*b))).unwrap();
    let (a, b, c) = (power(peak + n - 1), power(peak), power(peak + 1));
    let bin = peak as f64 + 0.5 * (a - c) / (a - 2.0 * b + c);
    (bin / n as f64 + 0.5).rem_euclid(1.0) - 0.5
}

#[test]
fn ends_that_approach_are_heard_higher() {
    let law = DelayLaw::Polynomial { coefficients: vec![0.002, -1e-5], duration_s: 10.0 };
    let mut delay = Delay::new(&config(law, 8.4e9), 1e6).unwrap();
    let mut out = Vec::new();
    delay.process(&[Complex32::new(1.0, 0.0); 70_000], &mut out).unwrap();
    assert!((strongest(&out[4464..]) * 1e6 - 84_000.0).abs() < 1.0);
}

fn low_orbit() -> (Geometry, Place, Place) {
    let orbiter = Place::Orbit(Orbit {
        body: Body::Earth,
        semi_major_axis_km: 6878.0,
        eccentricity: 0.001,
        inclination_deg: 97.4,
        ascending_node_deg: 40.0,
        argument_of_periapsis_deg: 0.0,
        mean_anomaly_deg: 0.0,
    });
    let site = Place::Site(Site { body: Body::Earth, latitude_deg: 67.9, longitude_deg: 21.1, altitude_km: 0.4 });
    (Geometry::new(Epoch::from_gregorian_utc_at_midnight(2031, 3, 1)), orbiter, site)
}

#[test]
fn a_low_pass_has_the_doppler_and_the_delay_of_its_geometry() {
    const RATE: f64 = 1e6;
    const CARRIER_HZ: f64 = 8.2e9;
    let (geometry, orbiter, site) = low_orbit();
    let rules = Visibility { elevation_mask_deg: 10.0, ..Visibility::default() };
    let day = Instant::ZERO + Duration::from_secs(86_400);
    let contacts = geometry.contacts(&orbiter, &site, &rules, Instant::ZERO, day);
    let pass = contacts.iter().max_by_key(|c| c.duration()).unwrap();
    assert!(pass.duration() > Duration::from_secs(200));
    let mut fastest = 0f64;
    for share in [0.02, 0.3, 0.5, 0.8, 0.97] {
        let start = pass.start + Duration::from_secs_f64(pass.duration().as_secs_f64() * share);
        let law = |end_s| {
            let end = start + Duration::from_secs_f64(end_s);
            DelayLaw::of_places(&geometry, &orbiter, &site, start, end, Duration::from_secs(1)).unwrap()
        };
        // Sends a tone of 0 Hz, and a sum of waves that can be told at any time between samples.
        let mut tone = Delay::new(&config(law(1.0), CARRIER_HZ), RATE).unwrap();
        let mut waves = Delay::new(&config(law(1.0), 0.0), RATE).unwrap();
        let phases = |t: f64| {
            (1..=16).map(move |k| (f64::from(k) * 0.0187, TAU * (f64::from(k) * 0.0187 * t + 0.37 * f64::from(k * k))))
        };
        let wave = |t: f64| phases(t).map(|(_, phase)| phase.cos()).sum::<f64>() / 4.0;
        let slope = |t: f64| phases(t).map(|(frequency, phase)| -TAU * frequency * phase.sin()).sum::<f64>() / 4.0;
        let count = 60_000;
        let (mut turned, mut shifted) = (Vec::new(), Vec::new());
        tone.process(&vec![Complex32::new(1.0, 0.0); count], &mut turned).unwrap();
        let sent: Vec<Complex32> = (0..count).map(|n| Complex32::new(wave(n as f64) as f32, 0.0)).collect();
        waves.process(&sent, &mut shifted).unwrap();

        // What the geometry says of light that arrives in the middle of the last 8192 samples.
        let middle = start + Duration::from_secs_f64((count - 4096) as f64 / RATE);
        let mut emitted = middle;
        for _ in 0..4 {
            emitted = middle - geometry.light_time(&orbiter, &site, emitted).unwrap();
        }
        let sight = geometry.sight(&orbiter, &site, &rules, emitted).unwrap();
        let rate = sight.range_rate_km_s / SPEED_OF_LIGHT_KM_S;
        let doppler_hz = -CARRIER_HZ * rate / (1.0 + rate);
        let measured_hz = strongest(&turned[count - 8192..]) * RATE;
        // The line sweeps through up to 30 Hz meanwhile, evenly; a bin is 122 Hz wide, and the parabola is off by 2 % of one.
        assert!((measured_hz - doppler_hz).abs() < 4.0, "{measured_hz} Hz, by the geometry {doppler_hz} Hz");
        fastest = fastest.max(doppler_hz.abs());

        // By how much the delay would have to differ for the waves to fit best: one step of least squares, as it is next to nothing.
        let delay_samples = sight.range_km / SPEED_OF_LIGHT_KM_S * RATE;
        let per_sample = rate / (1.0 + rate);
        let (mut of_slope, mut of_error) = (0.0, 0.0);
        for n in (count - 8192..count).step_by(4) {
            let t = n as f64 - (delay_samples + per_sample * (n as f64 - (count - 4096) as f64));
            of_slope += slope(t) * slope(t);
            of_error += slope(t) * (f64::from(shifted[n].re) - wave(t));
        }
        let off = -of_error / of_slope;
        assert!(off.abs() < 2e-3, "{off} samples off the {delay_samples} of the geometry");
    }
    assert!(fastest > 100_000.0, "the pass is a fast one: {fastest} Hz");
}

#[test]
fn long_light_time_goes_through_the_disk_and_comes_back_as_it_was() {
    const RATE: f64 = 5e4;
    let folder = tempfile::tempdir().unwrap();
    let spill = SpillConfig { directory: folder.path().into(), limit_bytes: 60 << 20 };
    let memory_bytes = 4 << 20;
    let law = DelayLaw::Constant(120.0);
    let ring = RingConfig { memory_bytes, spill: Some(spill) };
    let mut delay = Delay::new(&DelayConfig { ring, ..config(law, 0.0) }, RATE).unwrap();
    let sent = |n: i64| if n < 0 { Complex32::ZERO } else { Complex32::new((n % 1021) as f32, (n / 1021) as f32) };
    let (mut out, mut received) = (Vec::new(), 0i64);
    for block in 0..200 {
        let input: Vec<Complex32> = (block * 50_000..(block + 1) * 50_000).map(sent).collect();
        out.clear();
        delay.process(&input, &mut out).unwrap();
        for z in &out {
            // A delay of whole samples gives each as it was, but for the rounding of the filter.
            assert!((*z - sent(received - 6_000_000)).norm() < 0.05, "sample {received}: {z}");
            received += 1;
        }
    }
    let counts = delay.ring_counts();
    assert_eq!((counts.taken, counts.refused, received), (10_000_000, 0, 10_000_000));
    assert!(counts.most_memory_bytes <= memory_bytes && counts.most_file_bytes > 40 << 20, "{counts:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the file has no name");
}

#[test]
fn a_full_ring_refuses_and_counts() {
    let block = vec![Complex32::new(1.0, 2.0); CHUNK_SAMPLES];
    let folder = tempfile::tempdir().unwrap();
    let spill = SpillConfig { directory: folder.path().into(), limit_bytes: 3 * CHUNK_BYTES + 5 };
    for (spill, chunks) in [(None, 2), (Some(spill), 5)] {
        let mut ring = Ring::new(&RingConfig { memory_bytes: 5 * CHUNK_BYTES, spill }).unwrap();
        assert_eq!(ring.capacity(), chunks * CHUNK_SAMPLES as u64);
        for _ in 0..chunks {
            ring.push(&block).unwrap();
        }
        assert!(matches!(ring.push(&block[..7]), Err(RingError::Full { refused: 7, .. })));
        assert_eq!(ring.counts().refused, 7);
        let mut out = [Complex32::ZERO; 10];
        ring.read(0, &mut out).unwrap();
        assert!(out.iter().all(|z| *z == block[0]));
        ring.release(7);
        ring.push(&block[..7]).unwrap();
        assert!(matches!(ring.read(6, &mut out), Err(RingError::NotHeld { from: 7, .. })));
        assert!(matches!(ring.read(ring.capacity(), &mut out), Err(RingError::NotHeld { .. })));
        assert!(matches!(ring.read(u64::MAX, &mut out), Err(RingError::NotHeld { .. })));
        assert!(ring.counts().most_memory_bytes <= 5 * CHUNK_BYTES);
    }
}

#[test]
fn a_ring_that_cannot_be_had_says_what_to_do() {
    let spill = |directory: &str, limit_bytes| Some(SpillConfig { directory: directory.into(), limit_bytes });
    for (memory_bytes, spill, says) in [
        (1000, None, "memory_bytes is 1000"),
        (64 << 20, spill("/nowhere/at/all", 1 << 20), "/nowhere/at/all"),
        (64 << 20, spill("/proc", 1 << 20), "no file can be made"),
        (64 << 20, spill("/tmp", u64::MAX), "bytes are free"),
    ] {
        let error = Ring::new(&RingConfig { memory_bytes, spill }).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    // Twenty minutes at a million samples a second do not fit in memory as it is by default.
    let error = Delay::new(&config(DelayLaw::Constant(1200.0), 8.4e9), 1e6).unwrap_err().to_string();
    assert!(error.contains("raise memory_bytes or spill.limit_bytes by"), "{error}");
}

#[test]
fn a_delay_that_cannot_be_is_refused_by_name() {
    let knot = |at_s, delay_s, rate| DelayKnot { at_s, delay_s, rate };
    let good = || DelayLaw::Constant(0.01);
    for (law, carrier_hz, clock_ppm, rate_hz, says) in [
        (good(), f64::NAN, 0.0, 1e6, "delay.carrier_hz"),
        (good(), -1.0, 0.0, 1e6, "delay.carrier_hz"),
        (good(), 0.0, f64::INFINITY, 1e6, "delay.clock_ppm"),
        (good(), 0.0, 0.0, -1e6, "rate_hz"),
        (good(), 0.0, 0.0, f64::NAN, "rate_hz"),
        (DelayLaw::Constant(1e-6), 0.0, 0.0, 1e6, "which are 13 samples"),
        (
            DelayLaw::Knots(vec![knot(0.0, 1.0, 0.0), knot(0.5, 0.2, -0.9)]),
            0.0,
            0.0,
            1e3,
            "nothing is faster than light",
        ),
    ] {
        let config = DelayConfig { clock_ppm, ..config(law, carrier_hz) };
        let error = Delay::new(&config, rate_hz).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    assert_eq!(LEAST_DELAY_SAMPLES, 13);
}
