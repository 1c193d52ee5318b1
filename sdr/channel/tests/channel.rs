//! The parts one by one, by what they do to a signal, and all together.

use std::f64::consts::TAU;

use farlink_channel_models::errors::{Band, scintillation_index};
use farlink_iq_channel::channel::{Channel, ChannelConfig};
use farlink_iq_channel::delay::DelayConfig;
use farlink_iq_channel::fading::{Fading, FadingConfig, PowerLaw, Scintillation, ScintillationConfig, Spectrum};
use farlink_iq_channel::front_end::{ConverterConfig, FrontEnd, FrontEndConfig};
use farlink_iq_channel::interference::{Interference, InterferenceConfig};
use farlink_iq_channel::law::DelayLaw;
use farlink_iq_channel::multipath::{Echo, LATENCY_SAMPLES, Multipath};
use farlink_iq_channel::oscillator::{Oscillator, OscillatorConfig};
use farlink_iq_channel::phase_mask::PhaseMask;
use farlink_iq_channel::{ConfigError, Instructions};
use num_complex::{Complex32, Complex64};
use rustfft::FftPlanner;

const ONE: Complex32 = Complex32::new(1.0, 0.0);

fn cis(turns: f64) -> Complex32 {
    let z = Complex64::cis((turns - turns.floor()) * TAU);
    Complex32::new(z.re as f32, z.im as f32)
}

/// The part of a tone that turns so many times a sample, as an amplitude.
fn line(samples: &[Complex32], turns: f64) -> Complex64 {
    let sum: Complex64 = (samples.iter().enumerate())
        .map(|(n, z)| {
            Complex64::new(f64::from(z.re), f64::from(z.im)) * Complex64::cis(-TAU * (turns * n as f64).fract())
        })
        .sum();
    sum / samples.len() as f64
}

fn mean_power(samples: &[Complex32]) -> f64 {
    samples.iter().map(|z| f64::from(z.norm_sqr())).sum::<f64>() / samples.len() as f64
}

/// Everything at once.
fn all() -> ChannelConfig {
    let law = DelayLaw::Polynomial { coefficients: vec![0.0021, -2.3e-5, 1e-6], duration_s: 0.07 };
    ChannelConfig {
        contacts_s: Some(vec![(0.001, 0.03), (0.04, f64::INFINITY)]),
        delay: Some(DelayConfig { law, carrier_hz: 8.4e9, clock_ppm: 12.5, ring: Default::default() }),
        multipath: vec![Echo { delay_s: 3.3e-6, gain_db: -6.0, phase_deg: 40.0, doppler_hz: 120.0 }],
        fading: Some(FadingConfig {
            k_factor_db: Some(8.0),
            doppler_spread_hz: 300.0,
            spectrum: Spectrum::Clarke,
            line_of_sight_hz: 10.0,
        }),
        scintillation: Some(ScintillationConfig { index: 0.3, law: PowerLaw::LogNormal, coherence_s: 0.01 }),
        interference: vec![
            InterferenceConfig::Tone { frequency_hz: 1e5, power: 0.1 },
            InterferenceConfig::Sweep { from_hz: -4e5, to_hz: 4e5, period_s: 0.013, power: 0.1 },
            InterferenceConfig::Burst { power: 2.0, period_s: 0.007, duty: 0.2 },
        ],
        n0: Some(0.05),
        oscillator: Some(OscillatorConfig {
            offset_hz: 1234.5,
            drift_hz_per_s: 1e5,
            linewidth_hz: 20.0,
            mask: Some(PhaseMask(vec![(1e3, -90.0), (1e5, -110.0)])),
        }),
        front_end: Some(FrontEndConfig {
            imbalance_db: 0.5,
            quadrature_error_deg: 2.0,
            dc: (0.01, -0.02),
            converter: Some(ConverterConfig { bits: 8, full_scale: 2.0 }),
        }),
        ..ChannelConfig::new(1e6, 42)
    }
}

fn through(mut channel: Channel, blocks: impl Iterator<Item = usize>) -> (Vec<Complex32>, Channel) {
    let input: Vec<Complex32> = (0..100_000).map(|n| cis(0.0371 * f64::from(n))).collect();
    let (mut out, mut rest) = (Vec::new(), &input[..]);
    for length in blocks {
        let (now, later) = rest.split_at(length.min(rest.len()));
        channel.process(now, &mut out).unwrap();
        rest = later;
    }
    channel.process(rest, &mut out).unwrap();
    (out, channel)
}

#[test]
fn the_same_seed_gives_the_same_samples_whatever_the_blocks_and_the_instructions() {
    let (whole, channel) = through(Channel::new(&all()).unwrap(), std::iter::empty());
    let counts = channel.counts();
    assert_eq!((counts.sent, counts.received, counts.blocked), (100_000, 100_001, 11_000));
    assert_eq!(whole.len(), 100_001);
    assert!(counts.clipped > 100 && counts.ring.taken == 100_000, "{counts:?}");
    let mut state = 1u64;
    let odd = std::iter::from_fn(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Some((state >> 33) as usize % 5000)
    });
    let ones = std::iter::repeat_n(1, 5000).chain(std::iter::repeat(31));
    for blocks in [Box::new(odd.take(100)) as Box<dyn Iterator<Item = usize>>, Box::new(ones.take(8000))] {
        let (cut, channel) = through(Channel::new(&all()).unwrap(), blocks);
        assert_eq!(cut.iter().zip(&whole).position(|(a, b)| a != b), None);
        assert_eq!((cut.len(), channel.counts().clipped), (whole.len(), counts.clipped));
    }
    let (portable, _) = through(Channel::with(&all(), Instructions::portable()).unwrap(), std::iter::empty());
    assert_eq!(portable.iter().zip(&whole).position(|(a, b)| a != b), None);
    let (other, _) = through(Channel::new(&ChannelConfig { seed: 43, ..all() }).unwrap(), std::iter::empty());
    assert!(other != whole);
}

#[test]
fn a_channel_without_parts_passes_samples_as_they_are() {
    let (out, channel) = through(Channel::new(&ChannelConfig::new(1e6, 1)).unwrap(), [7, 4000].into_iter());
    assert!(out.iter().enumerate().all(|(n, z)| *z == cis(0.0371 * n as f64)));
    assert_eq!(channel.counts().received, 100_000);
}

#[test]
fn what_is_sent_in_a_contact_arrives_one_light_time_later_even_if_it_has_closed() {
    let ring = Default::default();
    let delay = DelayConfig { law: DelayLaw::Constant(0.025), carrier_hz: 0.0, clock_ppm: 0.0, ring };
    let config =
        ChannelConfig { contacts_s: Some(vec![(0.01, 0.02)]), delay: Some(delay), ..ChannelConfig::new(1e6, 1) };
    let (out, channel) = through(Channel::new(&config).unwrap(), std::iter::empty());
    // Half of the amplitude where the gate cut the tone, at 35 and 45 ms.
    let there: Vec<usize> = (0..out.len()).filter(|&n| out[n].norm() > 0.5).collect();
    assert_eq!((there[0], there[there.len() - 1], there.len()), (35_000, 44_999, 10_000));
    assert_eq!(channel.counts().blocked, 90_000);
}

#[test]
fn echoes_come_late_turned_and_weaker() {
    const RATE: f64 = 1e6;
    let echo = Echo { delay_s: 12.37e-6, gain_db: -3.0, phase_deg: 75.0, doppler_hz: 2000.0 };
    let mut multipath = Multipath::new(&[echo], RATE).unwrap();
    let frequency = 0.2103;
    let mut samples: Vec<Complex32> = (0..50_000).map(|n| cis(frequency * f64::from(n))).collect();
    for block in samples.chunks_mut(333) {
        multipath.apply(block);
    }
    let gain = 10f64.powf(-3.0 / 20.0) as f32;
    let worst = (100..samples.len()).map(|n| {
        let at = n as f64 - LATENCY_SAMPLES as f64;
        let direct = cis(frequency * at);
        let late = cis(frequency * (at - 12.37) + 75.0 / 360.0 + 2000.0 / RATE * n as f64) * gain;
        (samples[n] - direct - late).norm()
    });
    let worst = worst.fold(0.0, f32::max);
    assert!(worst < 1e-3, "{worst:e}");
}

/// The latency that echoes bring is taken off the delay.
#[test]
fn a_channel_with_echoes_is_no_later_than_its_delay() {
    let delay =
        DelayConfig { law: DelayLaw::Constant(1e-3), carrier_hz: 0.0, clock_ppm: 0.0, ring: Default::default() };
    let echo = Echo { delay_s: 5e-5, gain_db: -20.0, phase_deg: 0.0, doppler_hz: 0.0 };
    let config = ChannelConfig { delay: Some(delay), multipath: vec![echo], ..ChannelConfig::new(1e6, 1) };
    let mut input = vec![Complex32::ZERO; 5000];
    input[100] = ONE;
    let mut out = Vec::new();
    Channel::new(&config).unwrap().process(&input, &mut out).unwrap();
    assert!((out[1100] - ONE).norm() < 1e-3 && (out[1150] - ONE * 0.1).norm() < 1e-3 && out[1099].norm() < 1e-3);
}

#[test]
fn fading_has_the_k_factor_asked_for() {
    const RATE: f64 = 6400.0;
    for k_factor_db in [None, Some(3.0), Some(10.0)] {
        for spectrum in [Spectrum::Clarke, Spectrum::Gauss] {
            let config = FadingConfig { k_factor_db, doppler_spread_hz: 40.0, spectrum, line_of_sight_hz: 7.3 };
            let mut samples = vec![ONE; 2_000_000];
            Fading::new(&config, RATE, 3).unwrap().apply(&mut samples);
            let power = mean_power(&samples);
            let fourth = samples.iter().map(|z| f64::from(z.norm_sqr()).powi(2)).sum::<f64>() / samples.len() as f64;
            // K from the variance of the power (L. J. Greenstein and others, 1999).
            let steady = (2.0 - fourth / (power * power)).max(0.0).sqrt();
            let k = steady / (1.0 - steady);
            let asked = k_factor_db.map_or(0.0, |db: f64| 10f64.powf(db / 10.0));
            assert!((power - 1.0).abs() < 0.03, "{spectrum:?}: power {power}");
            // Without a steady part the moments leave the square root of their own error.
            let within = if asked == 0.0 { k < 0.25 } else { (10.0 * (k / asked).log10()).abs() < 0.4 };
            assert!(within, "{spectrum:?}: K is {k}, asked {asked}");
        }
    }
}

#[test]
fn scintillation_has_the_index_of_the_conjunction_and_its_coherence_time() {
    const RATE: f64 = 1000.0;
    for (law, angle) in [(PowerLaw::Rice, 1.5), (PowerLaw::LogNormal, 3.0)] {
        let index = scintillation_index(Band::X, angle).unwrap();
        let config = ScintillationConfig { index, law, coherence_s: 0.2 };
        let (mut sums, mut lagged, mut count) = ([0.0; 2], 0.0, 0.0);
        for seed in 0..8 {
            let mut samples = vec![ONE; 500_000];
            Scintillation::new(&config, RATE, seed).unwrap().apply(&mut samples);
            let powers: Vec<f64> = samples.iter().map(|z| f64::from(z.norm_sqr())).collect();
            sums = [sums[0] + powers.iter().sum::<f64>(), sums[1] + powers.iter().map(|p| p * p).sum::<f64>()];
            lagged += powers.iter().zip(&powers[200..]).map(|(a, b)| (a - 1.0) * (b - 1.0)).sum::<f64>();
            count += powers.len() as f64;
        }
        let (mean, deviation) = (sums[0] / count, (sums[1] / count - (sums[0] / count).powi(2)).sqrt());
        assert!((mean - 1.0).abs() < 0.03, "{law:?}: mean power {mean}");
        assert!((deviation / mean / index - 1.0).abs() < 0.05, "{law:?}: index {}, asked {index}", deviation / mean);
        let correlation = lagged / count / (deviation * deviation);
        // 1/e of the normal process beneath; its square adds to it in Rice's law.
        assert!((0.2..0.42).contains(&correlation), "{law:?}: correlation {correlation} after the coherence time");
    }
}

#[test]
fn oscillators_are_off_drift_and_walk_as_asked() {
    const RATE: f64 = 1e6;
    let config = OscillatorConfig { offset_hz: -12_345.6, drift_hz_per_s: 5e4, ..OscillatorConfig::default() };
    let mut samples = vec![ONE; 1_000_000];
    let mut oscillator = Oscillator::new(&config, RATE, 1).unwrap();
    for block in samples.chunks_mut(777) {
        oscillator.apply(block);
    }
    for n in (0..samples.len()).step_by(997) {
        let t = n as f64 / RATE;
        assert!((samples[n] - cis(-12_345.6 * t + 2.5e4 * t * t)).norm() < 1e-5, "sample {n}");
    }

    let config = OscillatorConfig { linewidth_hz: 30.0, ..OscillatorConfig::default() };
    let mut samples = vec![ONE; 4_000_000];
    Oscillator::new(&config, RATE, 1).unwrap().apply(&mut samples);
    for lag in [10usize, 100, 1000] {
        let steps: Vec<f64> = samples
            .chunks_exact(lag)
            .map(|c| c[0])
            .collect::<Vec<_>>()
            .windows(2)
            .map(|w| f64::from((w[1] * w[0].conj()).arg()))
            .collect();
        let variance = steps.iter().map(|s| s * s).sum::<f64>() / steps.len() as f64;
        let expected = TAU * 30.0 * lag as f64 / RATE;
        let half = 4.5 * expected * (2.0 / steps.len() as f64).sqrt();
        assert!((variance - expected).abs() < half, "lag {lag}: {variance:e}, expected {expected:e} ± {half:e}");
    }
}

#[test]
fn phase_noise_follows_its_mask() {
    const RATE: f64 = 1e6;
    const LENGTH: usize = 1 << 14;
    let mask = PhaseMask(vec![(1e3, -60.0), (1e4, -80.0), (1e5, -110.0), (4e5, -115.0)]);
    let config = OscillatorConfig { mask: Some(mask), ..OscillatorConfig::default() };
    let mut samples = vec![ONE; 200 * LENGTH];
    Oscillator::new(&config, RATE, 5).unwrap().apply(&mut samples);
    let fft = FftPlanner::new().plan_fft_forward(LENGTH);
    let window: Vec<f64> = (0..LENGTH).map(|k| 0.5 - 0.5 * (TAU * k as f64 / LENGTH as f64).cos()).collect();
    let norm: f64 = window.iter().map(|w| w * w).sum();
    let mut density = vec![0.0; LENGTH / 2];
    for part in samples.chunks_exact(LENGTH) {
        let mut bins: Vec<Complex64> =
            part.iter().zip(&window).map(|(z, w)| Complex64::new(f64::from(z.arg()) * w, 0.0)).collect();
        fft.process(&mut bins);
        for (sum, bin) in density.iter_mut().zip(&bins) {
            *sum += bin.norm_sqr() / norm / RATE / 200.0;
        }
    }
    for (offset_hz, dbc) in
        [(1e3, -60.0), (3.162e3, -70.0), (1e4, -80.0), (3.162e4, -95.0), (1e5, -110.0), (4e5, -115.0)]
    {
        let bin = (offset_hz / RATE * LENGTH as f64).round() as usize;
        let mean = density[bin - 3..=bin + 3].iter().sum::<f64>() / 7.0;
        let measured = 10.0 * mean.log10();
        // The fit leaves 1 dB, and 1400 periodograms 0.1 dB each.
        assert!((measured - dbc).abs() < 1.7, "{offset_hz} Hz: {measured:.1} dBc/Hz, asked {dbc}");
    }
}

#[test]
fn unequal_axes_leave_an_image_at_the_level_of_the_formula() {
    for (imbalance_db, quadrature_error_deg) in [(0.5f64, 0.0f64), (0.0, 3.0), (1.0, -5.0)] {
        let config = FrontEndConfig { imbalance_db, quadrature_error_deg, dc: (0.03, -0.04), converter: None };
        let mut samples: Vec<Complex32> = (0..100_000).map(|n| cis(0.1 * f64::from(n))).collect();
        FrontEnd::new(&config).unwrap().apply(&mut samples);
        let image_db = 20.0 * (line(&samples, -0.1).norm() / line(&samples, 0.1).norm()).log10();
        let (g, phi) = (10f64.powf(imbalance_db / 20.0), quadrature_error_deg.to_radians());
        let expected_db = 10.0 * ((1.0 + g * g - 2.0 * g * phi.cos()) / (1.0 + g * g + 2.0 * g * phi.cos())).log10();
        assert!((image_db - expected_db).abs() < 0.01, "{image_db} dB, by the formula {expected_db}");
        assert!((line(&samples, 0.0) - Complex64::new(0.03, -0.04)).norm() < 1e-6);
        assert!((mean_power(&samples) - 1.0 - 0.0025).abs() < 1e-3);
    }
}

#[test]
fn a_converter_has_six_decibels_a_bit() {
    let tone: Vec<Complex32> = (0..400_000).map(|n| cis(0.123_456_789 * f64::from(n)) * 0.999_9).collect();
    // Every value of an axis as often as any other: two rotations by irrational shares of a turn.
    let spread = |n: i32, share: f64| (2.0 * (f64::from(n) * share).fract() - 1.0) as f32 * 0.999_9;
    let even: Vec<Complex32> =
        (0..400_000).map(|n| Complex32::new(spread(n, 0.618_033_988_75), spread(n, 0.414_213_562_37))).collect();
    // The error is even within a step for the second whatever the bits, so that its power is a twelfth of a step squared; for a tone it is
    // where there are many levels.
    for (sent, excess_db, within_db, bits) in [
        (&tone, 1.76, 0.3, 8),
        (&tone, 1.76, 0.3, 12),
        (&tone, 1.76, 0.3, 14),
        (&even, 0.0, 0.1, 3),
        (&even, 0.0, 0.1, 4),
        (&even, 0.0, 0.1, 8),
    ] {
        let config =
            FrontEndConfig { converter: Some(ConverterConfig { bits, full_scale: 1.0 }), ..FrontEndConfig::default() };
        let mut front_end = FrontEnd::new(&config).unwrap();
        let mut samples = sent.clone();
        front_end.apply(&mut samples);
        let error: Vec<Complex32> = samples.iter().zip(sent).map(|(a, b)| a - b).collect();
        let ratio_db = 10.0 * (mean_power(sent) / mean_power(&error)).log10();
        assert!((ratio_db - (6.0206 * f64::from(bits) + excess_db)).abs() < within_db, "{bits} bits: {ratio_db} dB");
        assert_eq!(front_end.clipped(), 0);
    }
}

#[test]
fn what_is_beyond_full_scale_is_clipped_and_counted() {
    let config =
        FrontEndConfig { converter: Some(ConverterConfig { bits: 3, full_scale: 1.0 }), ..FrontEndConfig::default() };
    let mut front_end = FrontEnd::new(&config).unwrap();
    let mut samples =
        [(0.99, -1.0), (1.0, 0.0), (-1.001, 7.0), (f32::NAN, f32::NEG_INFINITY)].map(|(i, q)| Complex32::new(i, q));
    front_end.apply(&mut samples);
    let levels = samples.map(|z| (z.re, z.im));
    assert_eq!(levels, [(0.875, -0.875), (0.875, 0.125), (-0.875, 0.875), (-0.875, -0.875)]);
    assert_eq!(front_end.clipped(), 5);
}

#[test]
fn interferers_have_their_power_where_they_were_put() {
    const RATE: f64 = 1e6;
    let made = |config| {
        let mut samples = vec![Complex32::ZERO; 1_000_000];
        let mut interferer = Interference::new(config, RATE, 9, 0).unwrap();
        for block in samples.chunks_mut(1009) {
            interferer.add(block);
        }
        samples
    };
    let tone = made(InterferenceConfig::Tone { frequency_hz: -123_456.7, power: 0.25 });
    assert!((line(&tone, -0.123_456_7).norm() - 0.5).abs() < 1e-4 && (mean_power(&tone) - 0.25).abs() < 1e-6);

    let sweep = made(InterferenceConfig::Sweep { from_hz: -2e5, to_hz: 3e5, period_s: 0.1, power: 4.0 });
    for (at_s, expected_hz) in [(0.01, -1.5e5), (0.05, 5e4), (0.09, 2.5e5), (0.31, -1.5e5)] {
        let n = (at_s * RATE) as usize;
        let hz = f64::from((sweep[n + 1] * sweep[n].conj()).arg()) / TAU * RATE;
        assert!((hz - expected_hz).abs() < 20.0, "{hz} Hz at {at_s} s, expected {expected_hz}");
    }
    assert!((mean_power(&sweep) - 4.0).abs() < 1e-4);

    let burst = made(InterferenceConfig::Burst { power: 3.0, period_s: 0.01, duty: 0.3 });
    assert!(burst.iter().enumerate().all(|(n, z)| (n % 10_000 < 3000) == (*z != Complex32::ZERO)));
    assert!((mean_power(&burst) / 0.9 - 1.0).abs() < 0.01);
}

#[test]
fn a_channel_that_cannot_be_is_refused_by_the_name_of_the_field() {
    let refused = |change: &dyn Fn(&mut ChannelConfig), says: &str| {
        let mut config = all();
        change(&mut config);
        let error: ConfigError = Channel::new(&config).expect_err(says);
        assert!(error.to_string().contains(says), "{error} does not name {says}");
    };
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1e300] {
        refused(&|c| c.rate_hz = bad, "rate_hz");
        refused(&|c| c.n0 = Some(bad), "n0 is");
        refused(&|c| c.delay.as_mut().unwrap().carrier_hz = bad, "delay.carrier_hz");
        refused(&|c| c.delay.as_mut().unwrap().clock_ppm = bad, "delay.clock_ppm");
        refused(&|c| c.delay.as_mut().unwrap().law = DelayLaw::Constant(bad), "delay.law");
        refused(&|c| c.multipath[0].delay_s = bad, "multipath[0].delay_s");
        refused(&|c| c.multipath[0].gain_db = bad, "multipath[0].gain_db");
        refused(&|c| c.multipath[0].phase_deg = bad, "multipath[0].phase_deg");
        refused(&|c| c.multipath[0].doppler_hz = bad, "multipath[0].doppler_hz");
        refused(&|c| c.fading.as_mut().unwrap().k_factor_db = Some(bad), "fading.k_factor_db");
        refused(&|c| c.fading.as_mut().unwrap().doppler_spread_hz = bad, "fading.doppler_spread_hz");
        refused(&|c| c.fading.as_mut().unwrap().line_of_sight_hz = bad, "fading.line_of_sight_hz");
        refused(&|c| c.scintillation.as_mut().unwrap().index = bad, "scintillation.index");
        refused(&|c| c.scintillation.as_mut().unwrap().coherence_s = bad, "scintillation.coherence_s");
        refused(&|c| c.oscillator.as_mut().unwrap().offset_hz = bad, "oscillator.offset_hz");
        refused(&|c| c.oscillator.as_mut().unwrap().drift_hz_per_s = bad, "oscillator.drift_hz_per_s");
        refused(&|c| c.oscillator.as_mut().unwrap().linewidth_hz = bad, "oscillator.linewidth_hz");
        refused(&|c| c.oscillator.as_mut().unwrap().mask = Some(PhaseMask(vec![(bad, 0.0)])), "oscillator.mask[0]");
        refused(&|c| c.front_end.as_mut().unwrap().imbalance_db = bad, "front_end.imbalance_db");
        refused(&|c| c.front_end.as_mut().unwrap().quadrature_error_deg = bad, "front_end.quadrature_error_deg");
        refused(&|c| c.front_end.as_mut().unwrap().dc.1 = bad, "front_end.dc.1");
        let converter = ConverterConfig { bits: 8, full_scale: bad };
        refused(&|c| c.front_end.as_mut().unwrap().converter = Some(converter), "front_end.converter.full_scale");
        refused(
            &|c| c.interference[0] = InterferenceConfig::Tone { frequency_hz: bad, power: 1.0 },
            "interference[0].frequency_hz",
        );
        let sweep = InterferenceConfig::Sweep { from_hz: 0.0, to_hz: 1.0, period_s: bad, power: 1.0 };
        refused(&|c| c.interference[1] = sweep, "interference[1].period_s");
        refused(
            &|c| c.interference[2] = InterferenceConfig::Burst { power: 1.0, period_s: 1.0, duty: bad },
            "interference[2].duty",
        );
    }
    refused(&|c| c.contacts_s = Some(vec![(f64::NAN, 1.0)]), "contacts_s[0].start");
    refused(&|c| c.front_end.as_mut().unwrap().converter.as_mut().unwrap().bits = 0, "front_end.converter.bits");
    refused(&|c| c.multipath = vec![c.multipath[0]; 65], "multipath");
    refused(&|c| c.interference = vec![c.interference[0]; 65], "interference");
    // With echoes, twelve samples more are needed.
    refused(&|c| c.delay.as_mut().unwrap().law = DelayLaw::Constant(2e-5), "25 samples");
}
