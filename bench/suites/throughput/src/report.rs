//! The page of a sweep.

use std::collections::BTreeMap;

use farlink_record::report::{
    Axis, Bar, Cell, Gantt, GanttRow, Html, Ladder, LinePlot, Mark, Page, PlotPoint, Rung, Scale, Series, Table, Tone,
    cdf,
};
use farlink_record::results::Verdict;

use crate::baseline::{ALPHA, Comparison, LEAST_EFFECT};
use crate::outcome::{Outcome, PointResult};
use crate::trace::Trace;

/// Most lines in a plot: more cannot be told apart.
const LINES: usize = 6;
/// Most plots of one kind.
const PLOTS: usize = 8;

/// The page, as a file of its own. Its figures are those of the outcome: cells hold them to the last digit, as `data-value`.
/// `way` leads from the folder of the page to that of the results, as in a link and with a slash at its end; it is empty for a
/// page among the results.
pub fn page(outcome: &Outcome, way: &str) -> String {
    let mut page = Page::new(&outcome.title).lead(lead(outcome));
    if let Some(comparison) = &outcome.comparison {
        page = page.section("Comparison", compared(comparison));
    }
    let plots = plots(outcome);
    if plots != Html::default() {
        page = page.section("Measured and bound", plots);
    }
    let delays = delays(outcome);
    if delays != Html::default() {
        page = page.section("Delay of bundles", delays);
    }
    page = page.section("Figures", figures(outcome, way));
    if let Some((point, trace)) = example(outcome) {
        page = page.section("One run from inside", inside(point, trace));
    }
    page.section("How to read it", reading(outcome)).section("Provenance", provenance(outcome)).render()
}

fn lead(outcome: &Outcome) -> Html {
    let counts = Verdict::ALL.iter().filter_map(|verdict| {
        let count = outcome.points.iter().filter(|point| point.verdict == *verdict).count();
        (count > 0).then(|| format!("{count} {}", verdict.as_str()))
    });
    let counts: Vec<String> = counts.collect();
    let text = format!(
        "Sweep {}, {} points, {} repetitions each, seed {}: {}.",
        outcome.sweep,
        outcome.points.len(),
        outcome.repeat,
        outcome.seed,
        counts.join(", ")
    );
    let mut lead = Html::paragraph(&text);
    let shares: Vec<f64> = outcome.points.iter().filter_map(|p| p.headline.as_ref()).map(|h| h.share).collect();
    if let (Some(least), Some(most)) =
        (shares.iter().copied().reduce(f64::min), shares.iter().copied().reduce(f64::max))
    {
        lead.push(Html::paragraph(&format!(
            "Measured over bound: from {:.1} % to {:.1} % of what theory allows.",
            100.0 * least,
            100.0 * most
        )));
        let above = outcome.points.iter().filter_map(|p| p.headline.as_ref()).filter(|h| h.share > 1.0 + 1e-6);
        let strays: Vec<f64> = above.map(|h| (h.share - 1.0) / h.share_error).collect();
        if let Some(farthest) = strays.iter().copied().reduce(f64::max) {
            lead.push(Html::paragraph(&format!(
                "The bound is of a mean, from which few repetitions stray: {} of {} means lie above theirs, none by more than {farthest:.1} of \
                 its standard errors.{}",
                strays.len(),
                shares.len(),
                if outcome.kind == "ltp" { " No single run was faster than its own losses allowed." } else { "" }
            )));
        }
    }
    lead
}

/// A figure as people read it, by the unit in its name.
pub fn shown(name: &str, value: f64) -> String {
    let digits = |value: f64| -> String {
        let size = value.abs();
        let decimals = if size >= 1000.0 || size == 0.0 {
            0
        } else if size >= 100.0 {
            1
        } else if size >= 1.0 {
            2
        } else {
            4
        };
        format!("{value:.decimals$}")
    };
    let scaled = |steps: &[(f64, &str)]| {
        let step = steps.iter().rev().find(|(factor, _)| value.abs() >= *factor).unwrap_or(&steps[0]);
        format!("{} {}", digits(value / step.0), step.1)
    };
    if name.ends_with("_bps") {
        scaled(&[(1.0, "bit/s"), (1e3, "kbit/s"), (1e6, "Mbit/s"), (1e9, "Gbit/s")])
    } else if name.ends_with("_s") {
        scaled(&[(1e-6, "µs"), (1e-3, "ms"), (1.0, "s")])
    } else if name.ends_with("_bytes") {
        scaled(&[(1.0, "B"), (1e3, "kB"), (1e6, "MB"), (1e9, "GB")])
    } else {
        digits(value)
    }
}

/// What is told of a figure: `goodput_bps` as `goodput`.
fn told(name: &str) -> String {
    let name = ["_bps", "_bytes", "_s"].iter().find_map(|unit| name.strip_suffix(unit)).unwrap_or(name);
    name.replace('_', " ")
}

/// The figures that have columns of their own, in this order, where a sweep has them.
const COLUMNS: [&str; 18] = [
    "goodput_bps",
    "completion_s",
    "tcp_goodput_bps",
    "ltp_goodput_bps",
    "tcp_reno_bound_bps",
    "tcp_retransmissions",
    "retransmissions",
    "frames_per_message",
    "delay_p50_s",
    "delay_p99_s",
    "segments_again",
    "sessions_max",
    "stored_max_bytes",
    "bits_per_bit",
    "sender_processor_s",
    "sender_memory_max_bytes",
    "receiver_processor_s",
    "receiver_memory_max_bytes",
];

fn figures(outcome: &Outcome, way: &str) -> Html {
    let has = |name: &&str| outcome.points.iter().any(|point| point.figures.contains_key(*name));
    let present: Vec<&str> = COLUMNS.into_iter().filter(has).collect();
    let captured = outcome.points.iter().any(|point| point.capture.is_some());
    let mut columns: Vec<String> = outcome.varied.iter().map(|name| format!("{}#", name.replace('_', " "))).collect();
    if columns.is_empty() {
        columns.push("point".to_owned());
    }
    columns.push("verdict".to_owned());
    columns.extend(["measured/bound#", "bound#"].map(str::to_owned));
    columns.extend(present.iter().map(|name| format!("{}#", told(name))));
    if captured {
        columns.push("capture".to_owned());
    }
    let names: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut table =
        Table::new("Means of all repetitions; ± is half of the 95 % confidence interval (Student's t).", &names);
    for point in &outcome.points {
        let mut cells: Vec<Cell> = outcome.varied.iter().map(|name| Cell::text(&point.parameters[name].text)).collect();
        if cells.is_empty() {
            cells.push(Cell::text(&point.id));
        }
        let mut verdict = Html::verdict(point.verdict.as_str());
        if !point.message.is_empty() {
            verdict.push(Html::text(&format!(" {}", point.message)));
        }
        cells.push(Cell::html(verdict));
        match &point.headline {
            Some(headline) => {
                cells.push(Cell::number(headline.share, &format!("{:.1} %", 100.0 * headline.share)));
                cells.push(Cell::number(headline.bound, &shown(&headline.figure, headline.bound)));
            }
            None => cells.extend([Cell::text("–"), Cell::text("–")]),
        }
        for name in &present {
            cells.push(match point.figures.get(*name) {
                None => Cell::text("–"),
                Some(summary) => {
                    let half = summary.half_interval.filter(|half| *half > 0.0);
                    let spread = half.map_or(String::new(), |half| format!(" ± {}", shown(name, half)));
                    Cell::number(summary.mean, &format!("{}{spread}", shown(name, summary.mean)))
                }
            });
        }
        if captured {
            let link = point.capture.as_ref().map(|path| Html::link(&format!("{way}{path}"), "pcapng"));
            cells.push(Cell::html(link.unwrap_or_default()));
        }
        table.row(&point.id, cells);
    }
    table.render()
}

/// A parameter with its unit.
fn axis_label(name: &str) -> String {
    match name {
        "light_time" => "one-way light time, s".to_owned(),
        "ber" => "bit error ratio".to_owned(),
        "asymmetry" => "rate out over rate back".to_owned(),
        "segment" | "bundle" | "block" | "amount" => format!("{name}, octets"),
        "load" => "offered load, part of the link's capacity".to_owned(),
        "sessions" => "most sessions at once".to_owned(),
        other => other.replace('_', " "),
    }
}

fn figure_label(name: &str) -> String {
    let unit = [("_bps", ", bit/s"), ("_bytes", ", octets"), ("_s", ", s")];
    let unit = unit.iter().find(|(suffix, _)| name.ends_with(suffix)).map_or("", |(_, unit)| unit);
    format!("{}{unit}", told(name))
}

/// For each parameter along which a line can be drawn: what was measured and its bound, one line for each value of the parameter that
/// tells most beside it. All others stand at their first value, which the title says.
fn plots(outcome: &Outcome) -> Html {
    let along = outcome.varied.iter().filter(|name| {
        // "No limit" has no place on an axis.
        outcome.points.iter().filter(|point| point.parameters[*name].number.is_some()).count() > 1
    });
    let plots = along.take(PLOTS).filter_map(|name| plot(outcome, name));
    let plots: Vec<Html> = plots.collect();
    if plots.is_empty() { Html::default() } else { Html::beside(plots) }
}

fn plot(outcome: &Outcome, along: &str) -> Option<Html> {
    let (x, lines) = lines(outcome, along);
    let figure = outcome.points.iter().find_map(|point| point.headline.as_ref())?.figure.clone();
    // A rate is easier to see than a time; both have the same share of the bound.
    let as_rate =
        figure == "completion_s" && outcome.points.iter().any(|point| point.figures.contains_key("goodput_bps"));
    let figure = if as_rate { "goodput_bps".to_owned() } else { figure };
    let mut series = Vec::new();
    for (group, (name, points)) in lines.iter().enumerate() {
        let mut measured = Vec::new();
        let mut bound = Vec::new();
        for point in points {
            let (Some(x), Some(headline)) = (point.parameters[along].number, &point.headline) else { continue };
            let Some(summary) = point.figures.get(&figure) else { continue };
            measured.push(PlotPoint { x, y: summary.mean, error: summary.half_interval.unwrap_or(0.0) });
            let amount = point.parameters.get("amount").and_then(|amount| amount.number);
            let allowed = amount.filter(|_| as_rate).map_or(headline.bound, |bytes| bytes * 8.0 / headline.bound);
            bound.push(PlotPoint { x, y: allowed, error: 0.0 });
        }
        if measured.is_empty() {
            continue;
        }
        series.push(Series { name: name.clone(), group, mark: Mark::Measured, points: measured });
        series.push(Series { name: format!("{name}, bound"), group, mark: Mark::Bound, points: bound });
        let beside = |figure: &str| -> Vec<PlotPoint> {
            let pick = |point: &&PointResult| {
                let summary = point.figures.get(figure)?;
                let x = point.parameters[along].number?;
                Some(PlotPoint { x, y: summary.mean, error: summary.half_interval.unwrap_or(0.0) })
            };
            points.iter().filter_map(pick).collect()
        };
        let ltp = beside("ltp_goodput_bps");
        if !ltp.is_empty() {
            series.push(Series { name: format!("{name}, LTP"), group: group + 3, mark: Mark::Measured, points: ltp });
        }
    }
    if !series.iter().any(|series| series.points.len() > 1) {
        return None;
    }
    let wide = |values: &[f64]| {
        let above: Vec<f64> = values.iter().copied().filter(|v| *v > 0.0).collect();
        let (low, high) = (above.iter().copied().reduce(f64::min), above.iter().copied().reduce(f64::max));
        low.zip(high).is_some_and(|(low, high)| high / low >= 8.0)
    };
    let values = |pick: fn(&PlotPoint) -> f64| series.iter().flat_map(|s| &s.points).map(pick).collect::<Vec<f64>>();
    let scale = |values: Vec<f64>| if wide(&values) { Scale::Logarithmic } else { Scale::Linear };
    let x_axis = Axis::new(&axis_label(along), scale(values(|p| p.x)));
    let y_scale = scale(values(|p| p.y));
    let y_axis = match y_scale {
        Scale::Linear => Axis::from_to(&figure_label(&figure), y_scale, 0.0, 0.0),
        Scale::Logarithmic => Axis::new(&figure_label(&figure), y_scale),
    };
    let fixed = if x.is_empty() { String::new() } else { format!(" ({})", x.join(", ")) };
    let title = format!("{} by {}{fixed}", told(&figure), along.replace('_', " "));
    Some(LinePlot { title, x: x_axis, y: y_axis, series }.render())
}

/// The points along a parameter, in lines by the value of one other parameter; and what the rest stand at.
fn lines<'a>(outcome: &'a Outcome, along: &str) -> (Vec<String>, Vec<(String, Vec<&'a PointResult>)>) {
    let others: Vec<&String> = outcome.varied.iter().filter(|name| *name != along).collect();
    // Errors and light time tell most.
    let by = ["retransmission", "ber", "light_time"].iter().find_map(|name| others.iter().find(|other| other == &name));
    let by = by.or(others.first()).copied();
    let mut fixed = BTreeMap::new();
    let mut words = Vec::new();
    for name in others.iter().filter(|name| Some(**name) != by) {
        // The last of each list: no limit on sessions, the longest segment. Rates that are far from each other hide the rest.
        let pick = |point: &PointResult| point.parameters[*name].text.clone();
        let value =
            if *name == "asymmetry" { outcome.points.first().map(pick) } else { outcome.points.last().map(pick) };
        let value = value.unwrap_or_default();
        words.push(format!("{} {value}", name.replace('_', " ")));
        fixed.insert((*name).clone(), value);
    }
    let mut lines: Vec<(String, Vec<&PointResult>)> = Vec::new();
    for point in &outcome.points {
        if fixed.iter().any(|(name, value)| point.parameters[name].text != *value) {
            continue;
        }
        let name = by.map_or("measured".to_owned(), |by| {
            let text = &point.parameters[by].text;
            if point.parameters[by].number.is_some() {
                format!("{} {text}", by.replace('_', " "))
            } else {
                text.clone()
            }
        });
        match lines.iter().position(|(known, _)| *known == name) {
            Some(place) => lines[place].1.push(point),
            None if lines.len() < LINES => lines.push((name, vec![point])),
            None => {}
        }
    }
    (words, lines)
}

fn delays(outcome: &Outcome) -> Html {
    let along =
        ["ber", "load", "light_time"].into_iter().find(|name| outcome.varied.iter().any(|varied| varied == name));
    let Some(along) = along else { return Html::default() };
    let (fixed, lines) = lines(outcome, along);
    let plots = lines.iter().take(PLOTS).filter_map(|(name, points)| {
        let samples = points.iter().filter(|point| !point.delay_quantiles_s.is_empty());
        let samples: Vec<(String, Vec<f64>)> = samples
            .take(LINES)
            .map(|point| {
                let name = format!("{} {}", along.replace('_', " "), point.parameters[along].text);
                (name, point.delay_quantiles_s.clone())
            })
            .collect();
        if samples.is_empty() {
            return None;
        }
        let words: Vec<String> = fixed.iter().cloned().chain((name != "measured").then(|| name.clone())).collect();
        let title = format!("delay of bundles ({})", words.join(", "));
        Some(cdf(&title, Axis::new("seconds from the offer to the delivery", Scale::Linear), &samples).render())
    });
    let plots: Vec<Html> = plots.collect();
    if plots.is_empty() { Html::default() } else { Html::beside(plots) }
}

/// The run that shows most: the one with the most frames lost that fit the picture.
fn example(outcome: &Outcome) -> Option<(&PointResult, &Trace)> {
    let traces = outcome.points.iter().filter_map(|point| Some((point, point.trace.as_ref()?)));
    let lost = |trace: &Trace| trace.frames.iter().filter(|frame| frame.lost).count().min(4);
    // Of those that show as much, one that ended within the picture, and of these the first.
    traces.rev().max_by_key(|(_, trace)| {
        let ended = trace.sessions.first().is_some_and(|session| session.to_s.is_some());
        (lost(trace), ended, std::cmp::Reverse(trace.frames.len()))
    })
}

fn inside(point: &PointResult, trace: &Trace) -> Html {
    let mut html = Html::paragraph(&format!("The first repetition of {}.", point.id));
    let last = trace.sessions.iter().map(|session| session.to_s.unwrap_or(session.from_s));
    let end = last.chain(trace.frames.iter().filter_map(|frame| frame.arrived_s)).fold(0.0, f64::max);
    let contact = |name: &str| GanttRow {
        name: name.to_owned(),
        bars: vec![Bar { from: 0.0, to: end, tone: Tone::Offered, told: "open throughout".to_owned() }],
    };
    let sessions = trace.sessions.iter().map(|session| {
        let to = session.to_s.unwrap_or(end);
        let told = session.to_s.map_or("still open when everything had arrived".to_owned(), |to| {
            format!("{:.3} s to {to:.3} s", session.from_s)
        });
        GanttRow {
            name: format!("session {}", session.number),
            bars: vec![Bar { from: session.from_s, to, tone: Tone::Used, told }],
        }
    });
    let rows = [contact("contact, out"), contact("contact, back")].into_iter().chain(sessions).collect();
    html.push(Gantt { title: "Contacts and sessions".to_owned(), axis: "seconds".to_owned(), rows }.render());
    let rungs = trace.frames.iter().map(|frame| Rung {
        left_s: frame.left_s,
        arrived_s: frame.arrived_s.unwrap_or(f64::INFINITY),
        onwards: frame.out,
        lost: frame.lost,
        label: frame.label.clone(),
    });
    let ladder = Ladder {
        title: "The first session, frame by frame".to_owned(),
        left: "sender".to_owned(),
        right: "receiver".to_owned(),
        rungs: rungs.collect(),
    };
    html.push(ladder.render());
    html
}

fn compared(comparison: &Comparison) -> Html {
    let worse = comparison.regressions().count();
    let mut html = Html::paragraph(&format!(
        "Beside {} (Farlink {}): {worse} of {} figures are worse. Welch's t-test, two-sided, corrected by Holm for all of them; what \
         counts is p < {ALPHA} and a change of more than {:.0} %.",
        comparison.baseline,
        comparison.farlink,
        comparison.tests,
        100.0 * LEAST_EFFECT
    ));
    let columns = ["point", "figure", "before#", "now#", "change#", "p (Welch, Holm)#", "p (Mann–Whitney)#", "finding"];
    let mut table = Table::new("", &columns);
    for row in &comparison.rows {
        let cells = vec![
            Cell::text(&row.point),
            Cell::text(&told(&row.figure)),
            Cell::number(row.before, &shown(&row.figure, row.before)),
            Cell::number(row.now, &shown(&row.figure, row.now)),
            Cell::number(row.change, &format!("{:+.1} %", 100.0 * row.change)),
            Cell::number(row.p, &format!("{:.2e}", row.p)),
            Cell::number(row.p_ranks, &format!("{:.2e}", row.p_ranks)),
            Cell::html(Html::verdict(row.finding.as_str())),
        ];
        table.row(&format!("{} {}", row.point, row.figure), cells);
    }
    html.push(table.render());
    for line in &comparison.not_compared {
        html.push(Html::paragraph(&format!("Not compared: {line}.")));
    }
    html
}

fn reading(outcome: &Outcome) -> Html {
    let mut lines = vec![
        "Measured over bound is the headline: 100 % is the best that theory allows on average. The bound is the highest of several floors \
         (link rate less overhead and expected repetition; the expected rounds of light time; the session limit), each below the mean of \
         any protocol that asks for what is missing and sends it again. A mean of few runs may stray above it by its own spread, not more.",
    ];
    match outcome.kind.as_str() {
        "hops" => lines = vec![
            "Retransmissions of a message: end to end those of its source, hop by hop those of all hops together. The bound is what the founding \
             documents expect: draft-irtf-ipnrg-arch-01 (2002), section 2.1.1, Packet Loss and Errors. With a loss of 0.3 on each hop that is 3, 34 and \
             about 1200 end to end over 4, 10 and 20 hops, and 2, 5 and 9 hop by hop. It is an expectation, so half of all means lie on either side.",
        ],
        "tcp" => lines.push(
            "TCP is the system's own, over an emulated Ethernet between two network namespaces; LTP is the built-in node under the virtual clock over the same \
             rate, light time and errors. The Reno bound is what congestion avoidance sustains with independent losses (Mathis and others, 1997).",
        ),
        "processes" => lines.push(
            "Completion counts from the start of the sender's process to the end of the receiver's, which takes a few milliseconds by itself. Processor time and \
             memory are the system's own count (/proc). Runs whose frames left the emulator later than tolerated count for nothing.",
        ),
        _ => lines.push(
            "Each single run is also held against what its own losses allowed; nothing can be faster, and a run that seems so is refused as a bench error. Bits per bit are the \
             bits sent in both directions for each bit of application data: what retransmission and overhead cost in energy.",
        ),
    }
    lines.into_iter().map(Html::paragraph).collect()
}

fn provenance(outcome: &Outcome) -> Html {
    let mut table = Table::new("", &["what", "value"]);
    let own =
        [("Farlink", outcome.farlink.clone()), ("sweep", outcome.sweep.clone()), ("seed", outcome.seed.to_string())];
    let own = own.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    for (name, value) in own.chain(outcome.provenance.clone()) {
        table.row(&name, vec![Cell::text(&name), Cell::text(&value)]);
    }
    table.render()
}
