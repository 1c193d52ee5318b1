//! What lasts from when to when.

use std::fmt::Write;

use super::axis::Laid;
use super::{Axis, Html, Scale, escape};

const WIDTH: f64 = 900.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 20.0;
const ROW: f64 = 18.0;
const BOTTOM: f64 = 44.0;

/// What kind of bar it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// A contact: something that is offered.
    Offered,
    /// A session: something that makes use of it.
    Used,
    /// Something that went wrong.
    Wrong,
}

/// A bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// Its start.
    pub from: f64,
    /// Its end, at or after the start.
    pub to: f64,
    /// What kind of bar it is.
    pub tone: Tone,
    /// What is told of it where one points at it.
    pub told: String,
}

/// A row of bars.
#[derive(Clone, Debug, PartialEq)]
pub struct GanttRow {
    /// Its name.
    pub name: String,
    /// Its bars.
    pub bars: Vec<Bar>,
}

/// Rows of bars over one axis of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Gantt {
    /// What it shows.
    pub title: String,
    /// What the axis shows, with its unit.
    pub axis: String,
    /// The rows, from above.
    pub rows: Vec<GanttRow>,
}

impl Gantt {
    /// The picture.
    pub fn render(&self) -> Html {
        let height = self.rows.len() as f64 * ROW + BOTTOM;
        let values = self.rows.iter().flat_map(|row| &row.bars).flat_map(|bar| [bar.from, bar.to]);
        let x = Laid::new(&Axis::new("", Scale::Linear), values, LEFT, WIDTH - RIGHT);
        let title = escape(&self.title);
        let mut svg = format!(
            "<figure><figcaption>{title}</figcaption>\n<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">\n"
        );
        let floor = height - BOTTOM;
        for (at, text) in x.ticks() {
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{at:.1} 0V{floor}\"/><text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
                floor + 16.0
            );
        }
        for (place, row) in self.rows.iter().enumerate() {
            let top = place as f64 * ROW;
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                top + ROW - 5.0,
                escape(&row.name)
            );
            for bar in &row.bars {
                let (from, to) = (x.place(bar.from), x.place(bar.to));
                let style = match bar.tone {
                    Tone::Offered => "fill:var(--line);stroke:var(--faint)",
                    Tone::Used => "fill:var(--s0)",
                    Tone::Wrong => "fill:none;stroke:var(--bad);stroke-width:2",
                };
                let _ = writeln!(
                    svg,
                    "<rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" style=\"{style}\"><title>{}</title></rect>",
                    top + 4.0,
                    (to - from).max(1.0),
                    ROW - 7.0,
                    escape(&bar.told)
                );
            }
        }
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text></svg></figure>",
            (LEFT + WIDTH - RIGHT) / 2.0,
            height - 8.0,
            escape(&self.axis)
        );
        Html::sound(svg)
    }
}
