//! Messages between two parties, down a ladder of time.

use std::fmt::Write;

use super::axis::short;
use super::{Html, escape};

const WIDTH: f64 = 900.0;
const LEFT: f64 = 110.0;
const RIGHT: f64 = 790.0;
const TOP: f64 = 34.0;
/// The least distance between the beginnings of two messages, so that their labels can be read.
const STEP: f64 = 19.0;

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub struct Rung {
    /// When it left, in seconds.
    pub left_s: f64,
    /// When it arrived or would have, in seconds.
    pub arrived_s: f64,
    /// Whether it goes from the left to the right.
    pub onwards: bool,
    /// Whether it was lost.
    pub lost: bool,
    /// What it is.
    pub label: String,
}

/// Messages between two parties. Time runs down, in order but not to scale: what takes longer than a line is shortened, or hours of
/// light time would leave nothing to see of milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Ladder {
    /// What it shows.
    pub title: String,
    /// Who stands at the left.
    pub left: String,
    /// Who stands at the right.
    pub right: String,
    /// The messages.
    pub rungs: Vec<Rung>,
}

impl Ladder {
    /// The picture.
    pub fn render(&self) -> Html {
        // Departures get a line each; an arrival lies between the departures that it lies between in time.
        let mut departures: Vec<f64> = self.rungs.iter().map(|rung| rung.left_s).collect();
        departures.sort_by(f64::total_cmp);
        let mut order: Vec<usize> = (0..self.rungs.len()).collect();
        order.sort_by(|a, b| self.rungs[*a].left_s.total_cmp(&self.rungs[*b].left_s));
        let line = |place: usize| TOP + 16.0 + place as f64 * STEP;
        let arrival = |at: f64, own: usize| {
            let before = departures.partition_point(|left| *left <= at);
            line(before.saturating_sub(1).max(own)) + STEP * 0.6
        };
        let height = line(self.rungs.len()) + 12.0;
        let title = escape(&self.title);
        let mut svg = format!(
            "<figure><figcaption>{title}</figcaption>\n<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">\n\
             <text x=\"{LEFT}\" y=\"16\" text-anchor=\"middle\">{}</text><text x=\"{RIGHT}\" y=\"16\" text-anchor=\"middle\">{}</text>\
             <path class=\"axis\" d=\"M{LEFT} 24V{height}M{RIGHT} 24V{height}\"/>\n",
            escape(&self.left),
            escape(&self.right)
        );
        for (place, index) in order.into_iter().enumerate() {
            let rung = &self.rungs[index];
            let (from, to) = if rung.onwards { (LEFT, RIGHT) } else { (RIGHT, LEFT) };
            let (start, end) = (line(place), arrival(rung.arrived_s, place));
            let towards = if rung.onwards { 1.0 } else { -1.0 };
            // What is lost does not reach the other side.
            let reach = if rung.lost { 0.82 } else { 1.0 };
            let (tip_x, tip_y) = (from + (to - from) * reach, start + (end - start) * reach);
            let colour = match (rung.lost, rung.onwards) {
                (true, _) => "--bad",
                (false, true) => "--s0",
                (false, false) => "--s2",
            };
            let tip = if rung.lost {
                format!("M{:.1} {:.1}l8 8m0 -8l-8 8", tip_x - 4.0, tip_y - 4.0)
            } else {
                format!(
                    "M{:.1} {:.1}L{tip_x:.1} {tip_y:.1}L{:.1} {:.1}",
                    tip_x - 8.0 * towards,
                    tip_y - 4.0,
                    tip_x - 8.0 * towards,
                    tip_y + 4.0
                )
            };
            let (time_x, anchor) = if rung.onwards { (LEFT - 8.0, "end") } else { (RIGHT + 8.0, "start") };
            let text_x = from + towards * 10.0;
            let lost = if rung.lost { ", lost" } else { "" };
            let _ = writeln!(
                svg,
                "<path class=\"rung\" style=\"stroke:var({colour})\" d=\"M{from} {start:.1}L{tip_x:.1} {tip_y:.1}{tip}\"/>\
                 <text class=\"faint\" x=\"{time_x}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{} s</text>\
                 <text class=\"halo\" x=\"{text_x}\" y=\"{:.1}\" text-anchor=\"{}\">{}{lost}</text>",
                start + 4.0,
                short(rung.left_s),
                start - 2.0,
                if rung.onwards { "start" } else { "end" },
                escape(&rung.label)
            );
        }
        svg.push_str("</svg></figure>\n");
        Html::sound(svg)
    }
}
