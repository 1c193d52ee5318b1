//! `farlink sdr ber`

use std::fs;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;

use clap::{Args, ValueEnum};
use farlink_radio::ber::{Curve, Ended, Level, MOST_THREADS, Plan, Point, measure};
use farlink_radio::theory::eb_n0_db_of_frame_errors;
use farlink_record::report::{Axis, Cell as HtmlCell, Html, LinePlot, Mark, Page, PlotPoint, Scale, Series, Table};

use super::Done;
use super::waveform::{WaveformArguments, told};
use crate::Ending;
use crate::commands::table::{Cell, Column, Printer, TableFormat};

/// Measure bit and frame errors against Eb/N0, beside theory, with confidence limits.
///
/// Eb is the energy of a bit of a transfer frame; the marker is not counted. At the level of samples each block begins with a receiver
/// that knows nothing, and frames before its first are counted apart.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    farlink sdr ber --from 1.8 --to 2.6 --step 0.2\n  \
    farlink sdr ber --code ldpc --level symbols --from 0.8 --to 1.6 --html ldpc.html\n  \
    farlink sdr ber --code uncoded --modulation qpsk --from 2 --to 10 --format csv\n  \
    farlink sdr ber --from 2.3 --to 2.3 --errors 400 --max-loss 0.3\n\n\
    Exit codes: 0, or 1 if --max-loss is surpassed, 2 if it could not be measured.")]
pub struct BerArguments {
    /// First Eb/N0, in dB
    #[arg(long, value_name = "DB", allow_negative_numbers = true)]
    from: f64,
    /// Last Eb/N0, in dB
    #[arg(long, value_name = "DB", allow_negative_numbers = true)]
    to: f64,
    /// From one point to the next, in dB
    #[arg(long, value_name = "DB", default_value_t = 0.5)]
    step: f64,
    /// How much of the radio is in it
    #[arg(long, value_enum, default_value_t = LevelName::Samples)]
    level: LevelName,
    /// A point ends when so many frames were wrong
    #[arg(long, value_name = "FRAMES", default_value_t = 100)]
    errors: u64,
    /// Or when so many bits of frames were sent
    #[arg(long, value_name = "BITS", default_value_t = 20_000_000)]
    bits: u64,
    /// Of the limits: how probable it is that the true ratio is between them
    #[arg(long, value_name = "PART", default_value_t = 0.95)]
    confidence: f64,
    /// Where chance comes from: the same seed, the same figures
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads; it makes no difference to the figures. Default as many as there are processors
    #[arg(long)]
    threads: Option<usize>,
    /// Fail if a point with wrong frames is surely worse than theory by more than this, in dB
    #[arg(long, value_name = "DB", allow_negative_numbers = true)]
    max_loss: Option<f64>,
    /// Write a page with the plot to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// How the points are printed
    #[arg(long, value_enum, default_value_t)]
    format: BerFormat,
    #[command(flatten)]
    waveform: WaveformArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LevelName {
    /// The code alone, on symbols with noise
    Symbols,
    /// Modulator, channel, and a receiver from cold
    Samples,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum BerFormat {
    /// Columns for people, and a plot
    #[default]
    Table,
    /// Comma-separated values
    Csv,
    /// All that is known of the curve
    Json,
}

/// Points of a curve: more take longer than anybody waits for.
const MOST_POINTS: f64 = 1000.0;

impl BerArguments {
    fn points(&self) -> Result<Vec<f64>, String> {
        let BerArguments { from, to, step, .. } = *self;
        if ![from, to, step].iter().all(|number| number.is_finite()) || step <= 0.0 || to < from {
            return Err(format!(
                "no points from {from} to {to} dB in steps of {step}: --to is not below --from, and --step above 0"
            ));
        }
        let count = ((to - from) / step + 1e-9).floor();
        if count >= MOST_POINTS {
            return Err(format!("{} points are too many: give at most {MOST_POINTS}, by a larger --step", count + 1.0));
        }
        // Whole multiples, so that 0.1 a hundred times is 10.
        Ok((0..=count as u32).map(|n| ((from + f64::from(n) * step) * 1e6).round() / 1e6).collect())
    }
}

pub fn ber(arguments: &BerArguments) -> Done {
    let waveform = arguments.waveform.waveform()?;
    let level = match arguments.level {
        LevelName::Symbols => Level::Symbols,
        LevelName::Samples => Level::Samples,
    };
    let available = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MOST_THREADS);
    if let Some(wrong) = arguments.max_loss.filter(|loss| !loss.is_finite()) {
        return Err(format!("--max-loss {wrong} is no limit: give one in dB, as in --max-loss 0.3"));
    }
    let plan = Plan {
        frame_errors: arguments.errors,
        bits: arguments.bits,
        confidence: arguments.confidence,
        threads: arguments.threads.unwrap_or(available),
        ..Plan::new(waveform, level, arguments.points()?, arguments.seed)
    };
    let columns = columns();
    let start = || match arguments.format {
        BerFormat::Json => None,
        BerFormat::Csv => Some(Printer::start(TableFormat::Csv, &columns)),
        BerFormat::Table => {
            say!("{}; seed {}, limits of {} %", told(&waveform), arguments.seed, 100.0 * arguments.confidence);
            say!();
            Some(Printer::start(TableFormat::Table, &columns))
        }
    };
    let mut printer = None;
    // A point may take minutes: each is told as it is done.
    let curve = measure(&plan, |point| {
        if let Some(printer) = printer.get_or_insert_with(start) {
            printer.line(&cells(point, &plan));
        }
    });
    let curve = curve.map_err(|error| error.to_string())?;
    if let Some(printer) = printer.flatten() {
        printer.finish();
    }
    match arguments.format {
        BerFormat::Json => say!("{}", serde_json::to_string_pretty(&curve).map_err(|error| error.to_string())?),
        BerFormat::Table => plot_lines(&curve).iter().for_each(|line| say!("{line}")),
        BerFormat::Csv => {}
    }
    if let Some(path) = &arguments.html {
        fs::write(path, page(&curve)).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    let Some(most) = arguments.max_loss else { return Ok(Ending::Met) };
    judge(&curve, most)
}

/// Whether no point is surely worse than theory by more than so many dB.
fn judge(curve: &Curve, most: f64) -> Done {
    let (mut judged, mut ending) = (0, Ending::Met);
    for point in &curve.points {
        let db = point.eb_n0_db;
        let Some(theory) = point.theory.as_ref().and_then(|theory| theory.frame_error_ratio) else { continue };
        if point.frames == 0 {
            // Where most frames would be right, a receiver that finds none is no question of decibels.
            if theory < 0.5 {
                judged += 1;
                complain!("at {db} dB the receiver found no frame, where theory loses {theory:.2e} of them");
                ending = Ending::NotMet;
            }
            continue;
        }
        if point.frame_error_ratio.is_none_or(|ratio| ratio == 0.0) {
            continue;
        }
        judged += 1;
        // Fewer wrong frames are a smaller loss: at the lower limit is the one that it has at least.
        let least = eb_n0_db_of_frame_errors(&curve.waveform, point.frame_limits.low).map(|theory| db - theory);
        if least.is_some_and(|least| least > most) {
            complain!(
                "at {db} dB the loss is surely above the {most} dB of --max-loss: at least {:.3} dB",
                least.unwrap_or_default()
            );
            ending = Ending::NotMet;
        }
    }
    if judged == 0 {
        return Err("no point has a wrong frame and theory beside it, so --max-loss says nothing: \
                    measure at a lower Eb/N0, or more --bits"
            .to_owned());
    }
    Ok(ending)
}

fn columns() -> Vec<Column> {
    let column = |name: &'static str, width| Column { name: name.into(), width };
    vec![
        column("eb_n0_db", 8),
        column("frames", 9),
        column("wrong", 6),
        column("fer", 9),
        column("fer_low", 9),
        column("fer_high", 9),
        column("fer_theory", 10),
        column("ber", 9),
        column("ber_low", 9),
        column("ber_high", 9),
        column("ber_theory", 10),
        column("loss_db", 7),
        column("unlocked", 8),
    ]
}

/// A ratio to three digits.
fn ratio(value: f64) -> Cell {
    Cell::Text(if value == 0.0 { "0".to_owned() } else { format!("{value:.2e}") })
}

fn cells(point: &Point, plan: &Plan) -> Vec<Cell> {
    let optional = |value: Option<f64>| value.map_or(Cell::Nothing, ratio);
    let theory = point.theory.as_ref();
    let count = |count: u64| Cell::Number(count as f64, 0);
    vec![
        Cell::Number(point.eb_n0_db, 2),
        count(point.frames),
        count(point.frames_missing + point.frames_refused + point.frames_undetected),
        optional(point.frame_error_ratio),
        ratio(point.frame_limits.low),
        ratio(point.frame_limits.high),
        optional(theory.and_then(|theory| theory.frame_error_ratio)),
        optional(point.bit_error_ratio),
        ratio(point.bit_limits.low),
        ratio(point.bit_limits.high),
        optional(theory.map(|theory| theory.bit_error_ratio)),
        point.loss_db(&plan.waveform).map_or(Cell::Nothing, |(loss, _)| Cell::Number(loss, 2)),
        count(point.losses_of_lock + point.blocks_without_lock),
    ]
}

/// Columns of the plot in a terminal.
const PLOT_WIDTH: usize = 60;

/// The frame error ratio, or the bit error ratio of what has no theory for frames, over Eb/N0: a line for each point, the ratio along it.
fn plot_lines(curve: &Curve) -> Vec<String> {
    let frames: Vec<_> = curve.points.iter().filter_map(|p| p.frame_error_ratio).filter(|r| *r > 0.0).collect();
    let Some(least) = frames.iter().copied().reduce(f64::min) else { return Vec::new() };
    let decades = (-least.log10()).ceil().max(1.0);
    let place = |ratio: f64| {
        let along = (ratio.log10() + decades) / decades * (PLOT_WIDTH - 1) as f64;
        (along.round().max(0.0) as usize).min(PLOT_WIDTH - 1)
    };
    let mut lines = vec![String::new(), format!("{:>8}  frame error ratio: o measured, - limits, + theory", "Eb/N0")];
    for point in &curve.points {
        let mut line = vec![' '; PLOT_WIDTH];
        if let Some(ratio) = point.frame_error_ratio.filter(|ratio| *ratio > 0.0) {
            let limits = place(point.frame_limits.low.max(1e-300))..=place(point.frame_limits.high);
            line[limits].fill('-');
            line[place(ratio)] = 'o';
        }
        if let Some(theory) = point.theory.as_ref().and_then(|theory| theory.frame_error_ratio).filter(|r| *r > 0.0)
            && theory.log10() >= -decades
        {
            let at = &mut line[place(theory)];
            *at = if *at == 'o' { '*' } else { '+' };
        }
        lines.push(format!("{:>8.2} |{}|", point.eb_n0_db, line.into_iter().collect::<String>()));
    }
    lines.push(format!("{:>8}  1e-{decades:<width$}1", "", width = PLOT_WIDTH - 4));
    lines
}

/// A page of its own, with plots and a table.
fn page(curve: &Curve) -> String {
    let points = |of: &dyn Fn(&Point) -> Option<(f64, f64)>| -> Vec<PlotPoint> {
        let point = |p: &Point| of(p).filter(|(y, _)| *y > 0.0).map(|(y, error)| PlotPoint { x: p.eb_n0_db, y, error });
        curve.points.iter().filter_map(point).collect()
    };
    let plot = |title: &str, measured: Vec<PlotPoint>, theory: Vec<PlotPoint>| {
        let series = |name: &str, mark, points| Series { name: name.to_owned(), group: 0, mark, points };
        LinePlot {
            title: title.to_owned(),
            x: Axis::new("Eb/N0 in dB", Scale::Linear),
            y: Axis::new("ratio", Scale::Logarithmic),
            series: vec![series("measured", Mark::Measured, measured), series("theory", Mark::Bound, theory)],
        }
        .render()
    };
    let frames = plot(
        "Frame error ratio",
        points(&|p| Some((p.frame_error_ratio?, p.frame_limits.high - p.frame_error_ratio?))),
        points(&|p| Some((p.theory.as_ref()?.frame_error_ratio?, 0.0))),
    );
    let bits = plot(
        "Bit error ratio",
        points(&|p| Some((p.bit_error_ratio?, p.bit_limits.high - p.bit_error_ratio?))),
        points(&|p| Some((p.theory.as_ref()?.bit_error_ratio, 0.0))),
    );
    let names = [
        "Eb/N0 in dB",
        "frames",
        "wrong",
        "frame errors",
        "limits",
        "theory",
        "bit errors",
        "limits",
        "theory",
        "loss in dB",
    ];
    let mut table = Table::new("Points", &names);
    for point in &curve.points {
        let number = |value: f64| HtmlCell::number(value, &format!("{value:.2e}"));
        let optional = |value: Option<f64>| value.map_or_else(|| HtmlCell::text("-"), number);
        let limits = |low: f64, high: f64| HtmlCell::text(&format!("{low:.2e} to {high:.2e}"));
        let count = |value: u64| HtmlCell::number(value as f64, &value.to_string());
        let theory = point.theory.as_ref();
        let wrong = point.frames_missing + point.frames_refused + point.frames_undetected;
        let cells = vec![
            HtmlCell::number(point.eb_n0_db, &format!("{:.2}", point.eb_n0_db)),
            count(point.frames),
            count(wrong),
            optional(point.frame_error_ratio),
            limits(point.frame_limits.low, point.frame_limits.high),
            optional(theory.and_then(|theory| theory.frame_error_ratio)),
            optional(point.bit_error_ratio),
            limits(point.bit_limits.low, point.bit_limits.high),
            optional(theory.map(|theory| theory.bit_error_ratio)),
            point
                .loss_db(&curve.waveform)
                .map_or_else(|| HtmlCell::text("-"), |(loss, _)| HtmlCell::number(loss, &format!("{loss:.2}"))),
        ];
        table.row(&format!("{:.2}", point.eb_n0_db), cells);
    }
    let level = match curve.level {
        Level::Symbols => "the code alone, on symbols with noise",
        Level::Samples => "modulator, channel of samples, and a receiver from cold",
    };
    let lead = Html::paragraph(&format!("{}. Measured: {level}.", told(&curve.waveform)));
    let ended = curve.points.iter().filter(|point| point.ended == Ended::Bits).count();
    let reading = Html::paragraph(&format!(
        "Limits hold with a confidence of {} %. A point ended with {} wrong frames, or after {} bits, as {ended} of {} did. The loss is the \
         Eb/N0 less that at which theory has as many wrong frames. Bars in the plots reach as far down as they reach up, to the upper limit.",
        100.0 * curve.confidence,
        curve.frame_errors,
        curve.bits,
        curve.points.len()
    ));
    let mut sources: Vec<&str> = curve.points.iter().filter_map(|p| p.theory.as_ref()).map(|t| t.source).collect();
    sources.dedup();
    let provenance = Html::paragraph(&format!(
        "farlink {}, seed {}. Theory: {}.",
        curve.version,
        curve.seed,
        if sources.is_empty() { "none is known for this waveform".to_owned() } else { sources.join("; ") }
    ));
    Page::new("Errors against Eb/N0")
        .lead(lead)
        .section("Curves", Html::beside([frames, bits]))
        .section("Figures", table.render())
        .section("How to read it", reading)
        .section("Provenance", provenance)
        .render()
}
