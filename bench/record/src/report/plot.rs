//! Lines over two axes.

use std::fmt::Write;

use super::axis::{Laid, short};
use super::{Axis, Html, Scale, escape};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 46.0;
/// Colours that the page's style has.
const COLOURS: usize = 8;

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Marked points, joined: what was measured.
    Measured,
    /// A dashed line without marks: what it is held against.
    Bound,
    /// A plain line without marks: a distribution.
    Line,
}

/// A point of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlotPoint {
    /// Along.
    pub x: f64,
    /// Up.
    pub y: f64,
    /// How far the value may be off either way.
    pub error: f64,
}

/// A line.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its name in the legend; the same colour belongs to the same `group`.
    pub name: String,
    /// Which colour and mark it has, so that a bound looks like what it bounds.
    pub group: usize,
    /// How it is drawn.
    pub mark: Mark,
    /// Its points, in order.
    pub points: Vec<PlotPoint>,
}

/// Lines over two axes, with a legend.
#[derive(Clone, Debug, PartialEq)]
pub struct LinePlot {
    /// What it shows.
    pub title: String,
    /// Along.
    pub x: Axis,
    /// Up.
    pub y: Axis,
    /// The lines.
    pub series: Vec<Series>,
}

/// Distributions: which part of the values is at most so much. Each has its name and its values, in rising order.
pub fn cdf(title: &str, x: Axis, samples: &[(String, Vec<f64>)]) -> LinePlot {
    let series = samples.iter().enumerate().map(|(group, (name, values))| {
        let last = (values.len().max(2) - 1) as f64;
        let points = values.iter().enumerate();
        let points = points.map(|(at, x)| PlotPoint { x: *x, y: at as f64 / last, error: 0.0 }).collect();
        Series { name: name.clone(), group, mark: Mark::Line, points }
    });
    let series = series.collect();
    LinePlot {
        title: title.to_owned(),
        x,
        y: Axis::from_to("part that is at most so long", Scale::Linear, 0.0, 1.0),
        series,
    }
}

impl LinePlot {
    /// The plot.
    pub fn render(&self) -> Html {
        let all = || self.series.iter().flat_map(|series| &series.points);
        let x = Laid::new(&self.x, all().map(|p| p.x), LEFT + 8.0, WIDTH - RIGHT);
        // An error bar that ends below all values would make a logarithmic axis endless.
        let tops = all().flat_map(|p| [p.y, p.y + p.error]);
        let y = Laid::new(&self.y, tops, HEIGHT - BOTTOM, TOP);
        let mut svg = format!(
            "<figure><figcaption>{title}</figcaption>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\n",
            title = escape(&self.title)
        );
        for (at, text) in x.ticks() {
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{at:.1} {TOP}V{:.1}\"/><text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
                HEIGHT - BOTTOM,
                HEIGHT - BOTTOM + 16.0
            );
        }
        for (at, text) in y.ticks() {
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                at + 4.0
            );
        }
        let _ = writeln!(
            svg,
            "<path class=\"axis\" d=\"M{LEFT} {TOP}V{:.1}H{:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
             <text transform=\"translate(14 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            HEIGHT - BOTTOM,
            WIDTH - RIGHT,
            (LEFT + WIDTH - RIGHT) / 2.0,
            HEIGHT - 8.0,
            escape(&self.x.label),
            (TOP + HEIGHT - BOTTOM) / 2.0,
            escape(&self.y.label)
        );
        // Bounds below what was measured, so that no mark is hidden.
        for kind in [Mark::Bound, Mark::Line, Mark::Measured] {
            self.series.iter().filter(|series| series.mark == kind).for_each(|series| draw(&mut svg, series, &x, &y));
        }
        svg.push_str("</svg>\n<div class=\"legend\">");
        for series in &self.series {
            let mut key = String::new();
            let colour = series.group % COLOURS;
            let dash = dash(series);
            let _ = write!(key, "<path class=\"curve\" style=\"stroke:var(--s{colour})\"{dash} d=\"M0 6H34\"/>");
            if series.mark == Mark::Measured {
                mark(&mut key, series.group, 17.0, 6.0, "");
            }
            let _ = write!(
                svg,
                "<span><svg viewBox=\"0 0 34 12\" aria-hidden=\"true\">{key}</svg>{}</span>",
                escape(&series.name)
            );
        }
        svg.push_str("</div></figure>\n");
        Html::sound(svg)
    }
}

fn dash(series: &Series) -> &'static str {
    match (series.mark, series.group / COLOURS + series.group % 2) {
        (Mark::Bound, _) => " stroke-dasharray=\"3 4\"",
        (Mark::Line, 1) => " stroke-dasharray=\"9 3\"",
        (Mark::Line, 2) => " stroke-dasharray=\"9 3 2 3\"",
        _ => "",
    }
}

fn draw(svg: &mut String, series: &Series, x: &Laid, y: &Laid) {
    let colour = series.group % COLOURS;
    let mut path = String::new();
    for point in series.points.iter().filter(|p| p.x.is_finite() && p.y.is_finite()) {
        let command = if path.is_empty() { 'M' } else { 'L' };
        let _ = write!(path, "{command}{:.1} {:.1}", x.place(point.x), y.place(point.y));
    }
    let _ = writeln!(
        svg,
        "<path class=\"curve\" style=\"stroke:var(--s{colour})\"{} d=\"{path}\"><title>{}</title></path>",
        dash(series),
        escape(&series.name)
    );
    if series.mark != Mark::Measured {
        return;
    }
    for point in series.points.iter().filter(|p| p.x.is_finite() && p.y.is_finite()) {
        let (px, py) = (x.place(point.x), y.place(point.y));
        if point.error > 0.0 {
            // On a logarithmic axis what reaches below all values ends at the foot.
            let low = y.place(point.y - point.error).min(HEIGHT - BOTTOM);
            let high = y.place(point.y + point.error).max(TOP);
            let _ = writeln!(
                svg,
                "<path class=\"error\" style=\"stroke:var(--s{colour})\" d=\"M{px:.1} {low:.1}V{high:.1}M{:.1} {low:.1}h6M{:.1} {high:.1}h6\"/>",
                px - 3.0,
                px - 3.0
            );
        }
        let told = format!("{}: {} at {}", series.name, short(point.y), short(point.x));
        mark(svg, series.group, px, py, &told);
    }
}

/// A shape of its own for each colour, so that a copy without colours can be read.
fn mark(svg: &mut String, group: usize, x: f64, y: f64, title: &str) {
    let shape = match group % 6 {
        0 => "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
        1 => "m-4 -4h8v8h-8z",
        2 => "m0 -5l5 9h-10z",
        3 => "m0 -5l5 5l-5 5l-5 -5z",
        4 => "m0 5l5 -9h-10z",
        _ => "m-5 -2h3v-3h4v3h3v4h-3v3h-4v-3h-3z",
    };
    let title = if title.is_empty() { String::new() } else { format!("<title>{}</title>", escape(title)) };
    let _ =
        writeln!(svg, "<path style=\"fill:var(--s{})\" d=\"M{x:.1} {y:.1}{shape}\">{title}</path>", group % COLOURS);
}
