//! `farlink sdr spectrum`

use std::sync::atomic::Ordering;
use std::time::{Duration as StdDuration, Instant};

use clap::{Args, ValueEnum};
use farlink_sdr_devices::spectrum::{Config, MaxHold, Row, Scale, Spectrum, Window};
use farlink_sdr_devices::{Device, DeviceError, Direction};
use farlink_units::{Decibels, Duration, Ratio};
use num_complex::Complex32;
use serde_json::{Value, json};

use super::Done;
use super::place::{Place, Samples, Tuning, open_receiver};
use super::record::PATIENCE;
use super::words::{self, hertz};
use crate::Ending;
use crate::commands::Format;
use crate::interrupt::stop_flag;
use crate::output;

const LOOK: StdDuration = StdDuration::from_millis(100);
const CHUNK: usize = 1 << 14;
/// How low a level is drawn, below the highest.
const SHADES: [char; 8] = [' ', '.', ':', '-', '=', '+', '*', '#'];
/// Lines of a drawn spectrum.
const LINES: usize = 16;

/// Show the spectrum of what a device receives, or of a recording: a waterfall as it comes, and at the end the highest levels.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    farlink sdr spectrum driver=farlink,link=moon,end=b --every 100ms\n  \
    farlink sdr spectrum heard --size 4096 --rows 20 --format json\n\n\
    Levels are dBFS: a tone of amplitude 1 stands at 0. With --full-scale they are dBm/Hz. JSON is a line for each row, and one \
    for the highest levels at the end.\n\n\
    Exit codes: 0 shown without a loss, 1 samples were lost, 2 it could not be done.")]
pub struct SpectrumArguments {
    /// What receives: `driver=…`, as `farlink sdr devices` lists them, or a file.
    #[arg(value_name = "DEVICE|FILE")]
    from: Place,
    #[command(flatten)]
    tuning: Tuning,
    /// The file is nothing but samples, in this format.
    #[arg(long, value_enum)]
    raw: Option<Samples>,
    /// Bins of the transform.
    #[arg(long, value_name = "NUMBER", default_value_t = 1024)]
    size: usize,
    /// How much of a segment the next one takes again.
    #[arg(long, value_name = "RATIO", default_value = "0.5")]
    overlap: Ratio,
    /// By what segments are weighted.
    #[arg(long, value_enum, default_value_t = Weights::BlackmanHarris)]
    window: Weights,
    /// How long a row takes; as many segments as fit are averaged.
    #[arg(long, value_name = "DURATION", default_value = "100 ms", conflicts_with = "average")]
    every: Duration,
    /// How many segments make a row, in place of --every.
    #[arg(long, value_name = "NUMBER")]
    average: Option<usize>,
    /// How many rows. Without it and --for, until Ctrl-C or the end of the file.
    #[arg(long, value_name = "NUMBER", conflicts_with = "length", value_parser = clap::value_parser!(u64).range(1..))]
    rows: Option<u64>,
    /// How long, in time of the samples.
    #[arg(long = "for", value_name = "DURATION")]
    length: Option<Duration>,
    /// What full scale is in dBm: levels are then dBm/Hz.
    #[arg(long, value_name = "DBM", allow_hyphen_values = true)]
    full_scale: Option<f64>,
    /// How many peaks to tell of in each row.
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    peaks: usize,
    /// How far a peak stands above the noise at least.
    #[arg(long, value_name = "LEVEL", default_value = "10 dB")]
    above: Decibels,
    /// Columns of the waterfall and of the drawing; in JSON, levels of a row (0: every bin).
    #[arg(long, value_name = "NUMBER", default_value_t = 64)]
    columns: usize,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Weights {
    /// Side lobes that fall fast, and a narrow main lobe.
    Hann,
    /// Side lobes below -92 dB, and a main lobe twice as wide.
    BlackmanHarris,
}

impl SpectrumArguments {
    fn config(&self, sample_rate_hz: f64, center_hz: f64) -> Result<Config, String> {
        let mut config = Config {
            size: self.size,
            window: match self.window {
                Weights::Hann => Window::Hann,
                Weights::BlackmanHarris => Window::BlackmanHarris,
            },
            overlap: self.overlap.get(),
            average: self.average.unwrap_or(1),
            sample_rate_hz,
            center_hz,
            scale: self.full_scale.map_or(Scale::Dbfs, |full_scale_dbm| Scale::DbmPerHz { full_scale_dbm }),
        };
        config.check().map_err(|error| error.to_string())?;
        if self.average.is_none() {
            let segments =
                (self.every.as_secs_f64() * sample_rate_hz - config.size as f64) / config.step() as f64 + 1.0;
            config.average = (segments.floor() as usize).clamp(1, 1_000_000);
        }
        Ok(config)
    }
}

pub fn spectrum(arguments: &SpectrumArguments) -> Done {
    let stop = stop_flag().map_err(|error| format!("cannot mind Ctrl-C: {error}"))?;
    let mut receiver = open_receiver(&arguments.from, &arguments.tuning, arguments.raw)?;
    let settings = receiver.settings;
    let config = arguments.config(settings.sample_rate_hz, settings.frequency_hz)?;
    let mut spectrum = Spectrum::new(config).map_err(|error| error.to_string())?;
    if arguments.format == Format::Text {
        say!("{}: {}", receiver.device.name(), words::settings(&settings));
        say!(
            "{} bins of {}, {} segments a row, {}",
            config.size,
            hertz(config.bin_hz()),
            config.average,
            config.scale.unit()
        );
    }
    let most_samples = arguments.length.map(|length| (length.as_secs_f64() * settings.sample_rate_hz).round() as u64);
    let mut show = Show { arguments, rows: 0, held: MaxHold::default() };
    let device = receiver.device.as_mut();
    let shown =
        run(device, &mut spectrum, &mut show, most_samples, &|| stop.load(Ordering::Relaxed) || output::is_closed());
    let losses = device.losses();
    if let Err(error) = device.run(Direction::Receive, false) {
        complain!("the receiver could not be stopped: {error}");
    }
    shown?;
    if show.rows == 0 {
        let least = (config.average - 1) * config.step() + config.size;
        return Err(format!("too few samples for a row, which takes {least}: lower --size, --every or --average"));
    }
    show.end();
    if spectrum.invalid() > 0 {
        complain!("{} samples were not finite numbers and count as 0", spectrum.invalid());
    }
    if let Some(why) = losses.inconclusive() {
        complain!("inconclusive: {why}");
        return Ok(Ending::NotMet);
    }
    Ok(Ending::Met)
}

fn run(
    device: &mut dyn Device,
    spectrum: &mut Spectrum,
    show: &mut Show<'_>,
    most_samples: Option<u64>,
    stop: &dyn Fn() -> bool,
) -> Result<(), String> {
    device.run(Direction::Receive, true).map_err(|error| error.to_string())?;
    let rate_hz = spectrum.config().sample_rate_hz;
    let mut buffer = vec![Complex32::default(); CHUNK];
    let (mut taken, mut heard) = (0u64, Instant::now());
    let mut expected_ns: Option<f64> = None;
    loop {
        let left = most_samples.map_or(CHUNK as u64, |most| most.saturating_sub(taken));
        let done = show.arguments.rows.is_some_and(|rows| show.rows >= rows);
        if done || left == 0 || stop() {
            return Ok(());
        }
        let most = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let received = match device.receive(&mut buffer[..most], LOOK) {
            Ok(received) => received,
            Err(DeviceError::Ended { .. }) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        if received.count == 0 {
            if heard.elapsed() > PATIENCE {
                return Err(format!("{}: no samples came for {PATIENCE:?}", device.name()));
            }
            continue;
        }
        heard = Instant::now();
        taken += received.count as u64;
        // A row must not be made of samples with a gap between them.
        if let (Some(at), Some(expected)) = (received.at_ns, expected_ns) {
            let missing = (at as f64 - expected) * rate_hz / 1e9;
            if missing > 1.5 {
                spectrum.skip(missing.round() as u64);
            }
        }
        expected_ns = received.at_ns.map(|at| at as f64 + received.count as f64 / rate_hz * 1e9);
        spectrum.push(&buffer[..received.count], received.at_ns, &mut |row| show.row(&row));
    }
}

/// Rows as they are printed.
struct Show<'a> {
    arguments: &'a SpectrumArguments,
    rows: u64,
    held: MaxHold,
}

impl Show<'_> {
    fn row(&mut self, row: &Row) {
        if self.arguments.rows.is_some_and(|rows| self.rows >= rows) {
            return;
        }
        self.rows += 1;
        self.held.push(row);
        match self.arguments.format {
            Format::Json => say!("{}", self.as_json("row", row)),
            Format::Text => {
                let time_s = row.first_sample as f64 / row.config.sample_rate_hz;
                let floor = row.noise_floor_db();
                let peaks = row.peaks(self.arguments.peaks, self.arguments.above.db() as f32);
                let first = peaks.first().map(|peak| {
                    format!(
                        " peak {} {:.1} {}",
                        hertz_to(peak.frequency_hz),
                        peak.power_db,
                        row.config.scale.tone_unit()
                    )
                });
                let line = shaded(&row.columns(self.columns(row)), floor);
                say!("{time_s:>10.3} s |{line}| noise {floor:.1}{}", first.unwrap_or_default());
            }
        }
    }

    fn columns(&self, row: &Row) -> usize {
        if self.arguments.columns == 0 { row.levels.len() } else { self.arguments.columns }
    }

    fn as_json(&self, kind: &str, row: &Row) -> Value {
        let config = &row.config;
        let peaks: Vec<Value> = row
            .peaks(self.arguments.peaks, self.arguments.above.db() as f32)
            .iter()
            .map(|peak| json!({"frequency_hz": peak.frequency_hz, "power_db": peak.power_db}))
            .collect();
        json!({
            "kind": kind,
            "time_s": row.first_sample as f64 / config.sample_rate_hz,
            "at_ns": row.at_ns,
            "samples": row.samples,
            "segments": row.segments,
            "low_hz": config.center_hz - config.sample_rate_hz / 2.0,
            "high_hz": config.center_hz + config.sample_rate_hz / 2.0,
            "unit": config.scale.unit(),
            "peak_unit": config.scale.tone_unit(),
            "noise_floor_db": row.noise_floor_db(),
            "peaks": peaks,
            "levels_db": row.columns(self.columns(row)),
        })
    }

    /// The highest levels that each bin has had.
    fn end(&self) {
        let Some(row) = self.held.row() else { return };
        if self.arguments.format == Format::Json {
            say!("{}", self.as_json("max-hold", row));
            return;
        }
        say!();
        say!("highest of {} rows", self.rows);
        let columns = row.columns(self.columns(row));
        drawn(&columns).iter().for_each(|line| say!("{line}"));
        let (low, high) = (
            row.config.center_hz - row.config.sample_rate_hz / 2.0,
            row.config.center_hz + row.config.sample_rate_hz / 2.0,
        );
        say!("{:>9} {} to {}", "", hertz_to(low), hertz_to(high));
        for peak in row.peaks(self.arguments.peaks, self.arguments.above.db() as f32) {
            say!("peak {} at {:.1} {}", hertz_to(peak.frequency_hz), peak.power_db, row.config.scale.tone_unit());
        }
    }
}

/// A frequency to the hertz, which may be below zero where the middle is not known.
fn hertz_to(hz: f64) -> String {
    match hz.abs() {
        1e9.. => format!("{:.9} GHz", hz / 1e9),
        1e6.. => format!("{:.6} MHz", hz / 1e6),
        1e3.. => format!("{:.3} kHz", hz / 1e3),
        _ => format!("{hz:.0} Hz"),
    }
}

/// A line of a waterfall: the noise is blank, and each shade is 6 dB.
fn shaded(columns: &[f32], floor: f32) -> String {
    let shade =
        |level: &f32| SHADES[(((level - floor - 3.0) / 6.0).max(-1.0) + 1.0).min((SHADES.len() - 1) as f32) as usize];
    columns.iter().map(shade).collect()
}

/// Bars from the lowest level to the highest, with a scale at the left.
fn drawn(columns: &[f32]) -> Vec<String> {
    const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let top = columns.iter().copied().fold(Row::FLOOR_DB, f32::max);
    // What was silent all along does not flatten the rest.
    let bottom = columns.iter().copied().fold(top, f32::min).max(top - 120.0);
    let span = (top - bottom).max(1.0);
    let line = |number: usize| {
        let below = (LINES - 1 - number) as f32;
        let level = bottom + span * (below + 1.0) / LINES as f32;
        let bar = |column: &f32| {
            let eighths = ((column - bottom) / span * LINES as f32 - below) * 8.0;
            EIGHTHS[eighths.clamp(0.0, 8.0).round() as usize]
        };
        format!("{level:>8.1} |{}", columns.iter().map(bar).collect::<String>().trim_end())
    };
    (0..LINES).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waterfall_has_a_shade_for_each_six_decibels_above_the_noise() {
        assert_eq!(shaded(&[-90.0, -80.0, -73.0, -67.0, -60.0, 0.0, -400.0], -80.0), "  .:-# ");
    }

    #[test]
    fn bars_reach_as_high_as_their_level() {
        let lines = drawn(&[-40.0, 0.0, -20.0, -400.0]);
        assert_eq!(lines.len(), LINES);
        assert_eq!(lines[0], "     0.0 | █");
        assert_eq!(lines[LINES - 1], "  -112.5 |███");
        let height = |column: usize| lines.iter().filter(|line| line.chars().nth(10 + column) == Some('█')).count();
        assert_eq!([height(0), height(1), height(2)], [10, 16, 13]);
        assert_eq!(drawn(&[-400.0; 3]).len(), LINES);
    }
}
