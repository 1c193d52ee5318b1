//! An exchange as a ladder, for people.

use std::collections::BTreeMap;

use farlink_inspect::bundle::BundleView;
use farlink_inspect::ltp::{SegmentView, segment_line};
use farlink_units::{Duration, Instant};

use super::tcpcl::Reading;
use super::{By, Deed, Exchange, Step};
use crate::medium::{Door, Stream};

/// Octets of what is not understood that are shown.
const SHOWN: usize = 24;
/// Steps that are shown of a long exchange, from its start and from its end.
const STEPS: [usize; 2] = [60, 60];

impl Exchange {
    /// One line a step: the time since the first, who sent it, and what it was.
    pub fn ladder(&self) -> Vec<String> {
        let Some(first) = self.steps.first() else { return Vec::new() };
        let origin = first.at;
        let [head, tail] = STEPS;
        let left_out = self.steps.len().saturating_sub(head + tail);
        let mut lines = Vec::new();
        let mut readings = BTreeMap::new();
        for (place, step) in self.steps.iter().enumerate() {
            if place == head && left_out > 0 {
                lines.push(format!("{:>10}  … {left_out} steps are left out; the capture has them", ""));
            }
            // Of what is left out too: a message may end in it, or begin.
            let line = rung(origin, step, &mut readings);
            if place < head || place >= head + left_out {
                lines.push(line);
            }
        }
        lines
    }
}

/// How far each direction of each connection has been read.
type Readings = BTreeMap<(Stream, bool), Reading>;

fn rung(origin: Instant, step: &Step, readings: &mut Readings) -> String {
    let time = seconds(step.at - origin);
    let arrow = match step.by {
        By::Tester => "tester ──▶ node",
        By::Node => "tester ◀── node",
    };
    let what = match &step.deed {
        Deed::Datagram(door, octets) => format!("{}: {}", door.as_str(), in_words(*door, octets)),
        Deed::Opened(stream) => format!("{}: opens the connection", name(*stream)),
        Deed::Octets(stream, octets) if stream.door == Door::Tcpcl => {
            let reading = readings.entry((*stream, step.by == By::Node)).or_default();
            format!("{}: {}", name(*stream), reading.in_words(octets))
        }
        Deed::Octets(stream, octets) => format!("{}: {}", name(*stream), hex(octets)),
        Deed::Finished(stream) => format!("{}: closes its side", name(*stream)),
        Deed::Reset(stream) => format!("{}: resets the connection", name(*stream)),
        Deed::Delivered(data) => format!("delivers {} octets to its application", data.len()),
        Deed::Note(text) => return format!("{time:>10}  {text}"),
    };
    format!("{time:>10}  {arrow}  {what}")
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

fn name(stream: Stream) -> String {
    format!("{} {}", stream.door.as_str(), stream.number)
}

/// A datagram in words, as far as its octets mean something at this door.
fn in_words(door: Door, octets: &[u8]) -> String {
    if octets.is_empty() {
        return "an empty datagram".to_owned();
    }
    match door {
        Door::Ltp | Door::SecondLtp => {
            let lines: Vec<String> = SegmentView::all(octets)
                .iter()
                .map(|view| match view.problem {
                    None => format!("{} {}", session(view), segment_line(view)),
                    Some(_) => format!("{} ({})", segment_line(view), hex(octets)),
                })
                .collect();
            lines.join("; ")
        }
        Door::Udp => BundleView::read(octets, 0).title(),
        Door::Tcpcl | Door::Stcp | Door::Mtcp => hex(octets),
    }
}

fn session(view: &SegmentView) -> String {
    let number = |number: Option<u64>| number.map_or("?".to_owned(), |number| number.to_string());
    format!("{}:{}", number(view.originator), number(view.number))
}

/// The first octets in hex, and how many there are.
pub(super) fn hex(octets: &[u8]) -> String {
    let shown: Vec<String> = octets.iter().take(SHOWN).map(|octet| format!("{octet:02x}")).collect();
    match octets.len() {
        0..=SHOWN => shown.join(" "),
        all => format!("{} … ({all} octets)", shown.join(" ")),
    }
}
