//! Spectra of tones and noise whose level is known.

use std::f64::consts::TAU;

use farlink_sdr_devices::spectrum::{Config, MaxHold, Row, Scale, Spectrum, Waterfall, Window};
use num_complex::Complex32;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn config() -> Config {
    Config {
        size: 1024,
        window: Window::BlackmanHarris,
        overlap: 0.5,
        average: 16,
        sample_rate_hz: 1e6,
        center_hz: 435e6,
        scale: Scale::Dbfs,
    }
}

/// A tone, its frequency off the centre in Hz at 1 Msample/s.
fn tone(count: usize, frequency_hz: f64, level_dbfs: f64) -> Vec<Complex32> {
    let amplitude = 10f64.powf(level_dbfs / 20.0);
    let sample = |number: usize| {
        let phase = TAU * frequency_hz * number as f64 / 1e6;
        Complex32::new((amplitude * phase.cos()) as f32, (amplitude * phase.sin()) as f32)
    };
    (0..count).map(sample).collect()
}

/// White noise of this power against full scale, by Box and Muller.
fn noise(count: usize, level_dbfs: f64, seed: u64) -> Vec<Complex32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let power = 10f64.powf(level_dbfs / 10.0);
    let mut sample = || {
        let uniform: f64 = 1.0 - random.random_range(0.0..1.0);
        let (radius, angle) = ((-power * uniform.ln()).sqrt(), random.random_range(0.0..TAU));
        Complex32::new((radius * angle.cos()) as f32, (radius * angle.sin()) as f32)
    };
    (0..count).map(|_| sample()).collect()
}

fn sum(one: &[Complex32], other: &[Complex32]) -> Vec<Complex32> {
    one.iter().zip(other).map(|(one, other)| one + other).collect()
}

fn rows(config: Config, samples: &[Complex32]) -> Vec<Row> {
    let mut rows = Vec::new();
    Spectrum::new(config).unwrap().push(samples, None, &mut |row| rows.push(row));
    rows
}

#[test]
fn the_level_of_a_tone_is_right_to_a_tenth_of_a_decibel_wherever_it_is() {
    let mut worst: (f64, f64) = (0.0, 0.0);
    for window in [Window::Hann, Window::BlackmanHarris] {
        for size in [256, 1000, 4096] {
            let config = Config { window, size, average: 4, ..config() };
            for tenth in 0..10 {
                for (place, level) in [(0.3, -3.0), (-0.25, -60.0), (0.0, 0.0), (-0.5, -20.0)] {
                    let off_hz = place * 1e6 + f64::from(tenth) * 0.1 * config.bin_hz();
                    let row = rows(config, &tone(size * 4, off_hz, level)).remove(0);
                    let peaks = row.peaks(1, 20.0);
                    assert_eq!(peaks.len(), 1, "{window:?} {size} {off_hz}: {peaks:?}");
                    let error_db = (peaks[0].power_db - level).abs();
                    let error_bins = ((peaks[0].frequency_hz - 435e6 - off_hz) / config.bin_hz()).abs();
                    worst = (worst.0.max(error_db), worst.1.max(error_bins));
                    assert!(error_db < 0.1, "{window:?} {size} {off_hz}: {} dB for {level}", peaks[0].power_db);
                    assert!(error_bins < 0.1, "{window:?} {size} {off_hz}: off by {error_bins} bins");
                }
            }
        }
    }
    println!("worst: {:.6} dB, {:.6} bins", worst.0, worst.1);
}

#[test]
fn a_tone_in_its_bin_stands_at_its_level() {
    let row = rows(config(), &tone(1024 * 20, 125e3, -10.0)).remove(0);
    let bin = 512 + 128;
    assert_eq!(row.frequency_hz(bin), 435.125e6);
    assert!((row.levels[bin] + 10.0).abs() < 0.001, "{}", row.levels[bin]);
    assert!(row.levels[bin + 10] < -10.0 - 92.0, "{}", row.levels[bin + 10]);
    assert_eq!((row.frequency_hz(0), row.frequency_hz(512)), (434.5e6, 435e6));
    // In dBm, with full scale at -30 dBm, and whatever the size is.
    for size in [256, 2048] {
        let config = Config { size, scale: Scale::DbmPerHz { full_scale_dbm: -30.0 }, ..config() };
        let peak = rows(config, &tone(size * 20, 125e3, -10.0)).remove(0).peaks(1, 20.0)[0];
        assert!((peak.power_db + 40.0).abs() < 0.01, "{}", peak.power_db);
        assert_eq!(config.scale.tone_unit(), "dBm");
    }
}

#[test]
fn the_noise_floor_is_right() {
    for (window, overlap, average) in
        [(Window::Hann, 0.5, 1), (Window::Hann, 0.5, 50), (Window::BlackmanHarris, 0.66, 50), (Window::Hann, 0.0, 2)]
    {
        for size in [512, 2048] {
            let base = Config { window, overlap, average, size, ..config() };
            let density = Config { scale: Scale::DbmPerHz { full_scale_dbm: -10.0 }, ..base };
            // -20 dBFS are -30 dBm, over 1 MHz.
            for (config, expected) in
                [(density, -30.0 - 60.0), (base, -20.0 + 10.0 * (config_bins(&base) / size as f64).log10())]
            {
                let rows = rows(config, &noise(size * 120, -20.0, 5));
                let linear =
                    |row: &Row| row.levels.iter().map(|level| 10f64.powf(f64::from(*level) / 10.0)).sum::<f64>();
                let mean = rows.iter().map(linear).sum::<f64>() / (rows.len() * size) as f64;
                let mean_db = 10.0 * mean.log10();
                assert!((mean_db - expected).abs() < 0.1, "{window:?} {size} mean {mean_db} for {expected}");
                let floor = rows.iter().map(|row| f64::from(row.noise_floor_db())).sum::<f64>() / rows.len() as f64;
                assert!((floor - expected).abs() < 0.25, "{window:?} {size} x{average} floor {floor} for {expected}");
            }
        }
    }
}

/// What a bin takes in of noise, in bins.
fn config_bins(config: &Config) -> f64 {
    config.noise_bandwidth_hz() / config.bin_hz()
}

#[test]
fn peaks_come_highest_first_and_weak_ones_beside_strong_ones_are_found() {
    let samples = sum(&sum(&tone(40_000, 100e3, -10.0), &tone(40_000, -333e3, -50.0)), &noise(40_000, -60.0, 1));
    let samples = sum(&samples, &tone(40_000, 115e3, -75.0));
    let row = rows(Config { average: 64, ..config() }, &samples).remove(0);
    let peaks = row.peaks(10, 10.0);
    let found: Vec<(i64, i64)> = peaks
        .iter()
        .map(|peak| (((peak.frequency_hz - 435e6) / 1e3).round() as i64, peak.power_db.round() as i64))
        .collect();
    assert_eq!(found[..2], [(100, -10), (-333, -50)], "{peaks:?}");
    assert!((115 - found[2].0).abs() <= 1 && found.len() == 3, "65 dB below, 15 kHz beside: {peaks:?}");
    assert_eq!(row.peaks(1, 10.0).len(), 1);
    assert!(row.peaks(0, 10.0).is_empty());
}

#[test]
fn samples_may_come_in_any_portions_and_rows_know_their_time() {
    let samples = noise(30_000, 0.0, 2);
    let config = Config { average: 3, ..config() };
    let whole = rows(config, &samples);
    let mut spectrum = Spectrum::new(config).unwrap();
    let (mut portions, mut given) = (Vec::new(), 0usize);
    for size in [1, 5000, 7, 0, 1023, 1024, 1025, 20_000].into_iter().chain([usize::MAX]) {
        let portion = &samples[given..samples.len().min(given.saturating_add(size))];
        let at_ns = 1_000_000_000 + given as i64 * 1000;
        spectrum.push(portion, Some(at_ns), &mut |row| portions.push(row));
        given += portion.len();
    }
    assert_eq!(portions.len(), whole.len());
    for (number, (one, other)) in whole.iter().zip(&portions).enumerate() {
        assert_eq!(one.levels, other.levels);
        assert_eq!(one.at_ns, None);
        // Three segments of 1024, each 512 after the one before.
        assert_eq!((other.first_sample, other.samples), (number as u64 * 1536, 2048));
        assert_eq!(other.at_ns, Some(1_000_000_000 + number as i64 * 1_536_000));
    }
}

#[test]
fn what_is_missing_is_not_drawn_as_if_it_followed_on() {
    let config = Config { average: 1, overlap: 0.0, ..config() };
    let mut spectrum = Spectrum::new(config).unwrap();
    let mut rows = Vec::new();
    spectrum.push(&tone(1000, 0.0, 0.0), Some(0), &mut |row| rows.push(row));
    spectrum.skip(500);
    spectrum.push(&tone(1024, 0.0, 0.0), None, &mut |row| rows.push(row));
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].first_sample, rows[0].at_ns), (1500, None));
}

#[test]
fn max_hold_keeps_what_came_and_the_waterfall_the_last_rows() {
    let config = Config { average: 4, ..config() };
    let samples = [tone(10_000, 125e3, -5.0), tone(10_000, -250e3, -15.0), noise(20_000, -40.0, 3)].concat();
    let (mut hold, mut waterfall) = (MaxHold::default(), Waterfall::new(5));
    let mut count = 0;
    Spectrum::new(config).unwrap().push(&samples, Some(0), &mut |row| {
        hold.push(&row);
        waterfall.push(row);
        count += 1;
    });
    let held = hold.row().unwrap();
    let found: Vec<i64> = held.peaks(2, 20.0).iter().map(|peak| (peak.frequency_hz - 435e6).round() as i64).collect();
    assert!((held.levels[512 + 128] + 5.0).abs() < 0.01 && (held.levels[512 - 256] + 15.0).abs() < 0.01);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(waterfall.rows().len(), 5);
    assert_eq!(waterfall.dropped(), count - 5);
    let times: Vec<i64> = waterfall.rows().map(|row| row.at_ns.unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    assert!(waterfall.rows().all(|row| row.peaks(1, 20.0).is_empty()), "the tones are long gone");
    hold.reset();
    assert_eq!(hold.row(), None);
    // Rows of another making are not mixed in.
    hold.push(waterfall.rows().next().unwrap());
    hold.push(&rows(Config { center_hz: 1.0, ..config }, &noise(20_000, -40.0, 3))[0]);
    assert_eq!(hold.row().unwrap().config.center_hz, 1.0);
}

#[test]
fn a_screen_of_any_width_shows_every_tone() {
    let row = rows(config(), &tone(1024 * 20, 125e3, -10.0)).remove(0);
    for width in [1, 7, 80, 1000, 1024, 4000] {
        let columns = row.columns(width);
        assert_eq!(columns.len(), width);
        let (place, highest) = columns.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
        assert!((highest + 10.0).abs() < 0.01);
        assert!((place as f64 / width as f64 - 0.625).abs() <= 1.0 / width.min(1024) as f64, "{place} of {width}");
    }
    assert!(row.columns(0).is_empty());
    assert_eq!(row.columns(usize::MAX).len(), 65_536);
}

#[test]
fn bad_samples_and_bad_configurations_are_told() {
    let mut samples = tone(1024 * 20, 125e3, -10.0);
    samples[3] = Complex32::new(f32::NAN, 0.0);
    samples[5000] = Complex32::new(0.0, f32::INFINITY);
    let mut spectrum = Spectrum::new(config()).unwrap();
    let mut rows = Vec::new();
    spectrum.push(&samples, None, &mut |row| rows.push(row));
    assert_eq!(spectrum.invalid(), 2);
    spectrum.push(&[Complex32::new(f32::MAX, f32::MAX); 20_000], None, &mut |row| rows.push(row));
    spectrum.push(&[Complex32::default(); 20_000], None, &mut |row| rows.push(row));
    assert!(rows.iter().all(|row| row.levels.iter().all(|level| !level.is_nan())));
    assert!(rows.last().unwrap().levels.iter().all(|level| *level == Row::FLOOR_DB));
    assert!(rows.last().unwrap().peaks(5, 10.0).is_empty());

    let said = |config: Config| Spectrum::new(config).unwrap_err().to_string();
    assert_eq!(said(Config { size: 15, ..config() }), "size is 15; it must be 16 to 1048576");
    assert_eq!(
        said(Config { size: usize::MAX, ..config() }),
        format!("size is {}; it must be 16 to 1048576", usize::MAX)
    );
    assert_eq!(said(Config { overlap: 1.0, ..config() }), "overlap is 1; it must be 0 to below 1");
    assert_eq!(said(Config { overlap: f64::NAN, ..config() }), "overlap is NaN; it must be 0 to below 1");
    assert_eq!(said(Config { average: 0, ..config() }), "average is 0; it must be 1 to 1000000");
    assert_eq!(said(Config { sample_rate_hz: 0.0, ..config() }), "sample_rate_hz is 0; it must be positive");
    assert_eq!(said(Config { center_hz: f64::INFINITY, ..config() }), "center_hz is inf; it must be finite");
    let scale = Scale::DbmPerHz { full_scale_dbm: f64::NAN };
    assert_eq!(said(Config { scale, ..config() }), "full_scale_dbm is NaN; it must be finite");
}
