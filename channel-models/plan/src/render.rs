//! A plan as text for a terminal: a table, and a time line.
//!
//! Both are pure: they are told how wide they may be and return lines that are no wider, counted in characters.

use std::collections::BTreeMap;
use std::fmt::Write;

use farlink_units::{Duration, Instant};

use crate::calendar::{rfc3339, time};
use crate::{Contact, ContactPlan, NodeId};

/// The narrowest that a table or a time line gets.
const NARROWEST: usize = 40;

/// A line a contact: from, to, start, end, length, rate, light time, errors, confidence. Times are of the calendar if the plan has an
/// epoch. A table that would be wider than `width` characters leaves columns out, the last first; where that does not help, lines are
/// cut with `…`.
pub fn table(plan: &ContactPlan, width: usize) -> String {
    let width = width.max(NARROWEST);
    let mut rows = vec![HEADS.map(str::to_owned)];
    rows.extend(plan.contacts.iter().map(|contact| row(plan, contact)));
    let mut columns: Vec<usize> = (0..HEADS.len()).collect();
    // Columns that say nothing in any line.
    columns.retain(|column| *column < 6 || rows[1..].iter().any(|row| !row[*column].is_empty()));
    let widths: Vec<usize> =
        (0..HEADS.len()).map(|c| rows.iter().map(|row| row[c].chars().count()).max().unwrap_or(0)).collect();
    let total = |columns: &[usize]| columns.iter().map(|c| widths[*c] + 2).sum::<usize>() - 2;
    while columns.len() > 4 && total(&columns) > width {
        columns.pop();
    }
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for column in &columns {
            let (cell, width) = (&row[*column], widths[*column]);
            let _ = match RIGHT[*column] {
                true => write!(line, "{cell:>width$}  "),
                false => write!(line, "{cell:width$}  "),
            };
        }
        text.push_str(&cut(line.trim_end(), width));
        text.push('\n');
    }
    text
}

const HEADS: [&str; 9] = ["from", "to", "start", "end", "lasts", "rate", "light time", "bit errors", "confidence"];
const RIGHT: [bool; 9] = [false, false, false, false, true, true, true, true, true];

fn row(plan: &ContactPlan, contact: &Contact) -> [String; 9] {
    let lasts = if contact.end == Instant::MAX { String::new() } else { clock(contact.end - contact.start) };
    let ratios = contact.bit_error_rate.as_ref();
    let confidence = contact.confidence.get();
    [
        contact.from.to_string(),
        contact.to.to_string(),
        when(plan, contact.start),
        when(plan, contact.end),
        lasts,
        span(contact.rate.values().min(), contact.rate.values().max(), |rate| rate.to_string()),
        span(contact.light_time.min(), contact.light_time.max(), |d| short(*d)),
        ratios.map_or_else(String::new, |steps| {
            let values = || steps.values().map(|r| r.get());
            span(values().reduce(f64::min), values().reduce(f64::max), |r| format!("{r:e}"))
        }),
        if confidence < 1.0 { confidence.to_string() } else { String::new() },
    ]
}

/// `a`, or `a…b` where it changes.
fn span<T: PartialEq>(least: Option<T>, most: Option<T>, told: impl Fn(&T) -> String) -> String {
    match (least, most) {
        (Some(least), Some(most)) if least == most => told(&least),
        (Some(least), Some(most)) => format!("{}…{}", told(&least), told(&most)),
        _ => "?".to_owned(),
    }
}

/// A light time to four digits or so: `525.4 s`, `5.46 ms`.
fn short(light_time: Duration) -> String {
    let seconds = light_time.as_secs_f64();
    match seconds {
        0.0 => "0 s".to_owned(),
        s if s.abs() >= 1.0 => format!("{:.1} s", s),
        s if s.abs() >= 1e-3 => format!("{:.2} ms", s * 1e3),
        s => format!("{:.1} us", s * 1e6),
    }
}

/// `1.02:03:04`, to the second.
fn clock(duration: Duration) -> String {
    let text = (Instant::ZERO + duration).to_string();
    text.rsplit_once('.').map_or(text.clone(), |(whole, _)| whole.to_owned())
}

fn when(plan: &ContactPlan, at: Instant) -> String {
    if at == Instant::MAX {
        return "never".to_owned();
    }
    match plan.epoch.and_then(|zero| time(at, zero)) {
        // To the second: the table is to be read.
        Some(mut fields) => {
            fields.6 = 0;
            rfc3339(fields)
        }
        None => clock(at - Instant::ZERO),
    }
}

/// What a character of a time line stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    Closed,
    Partly,
    Open,
}

/// A row a direction over the whole plan, in `width` characters: `█` where there is a contact all the time that the character stands
/// for, `▒` where there is one for a part of it, `·` where there is none. The first line tells the times.
pub fn timeline(plan: &ContactPlan, width: usize) -> String {
    let width = width.max(NARROWEST);
    let Some((start, end)) = plan.span().filter(|(start, end)| start < end) else {
        return "no contacts that end\n".to_owned();
    };
    let mut directions: BTreeMap<(&NodeId, &NodeId), Vec<(Instant, Instant)>> = BTreeMap::new();
    for contact in &plan.contacts {
        directions.entry((&contact.from, &contact.to)).or_default().push((contact.start, contact.end));
    }
    let name = |(from, to): &(&NodeId, &NodeId)| format!("{from} → {to}");
    let longest = directions.keys().map(|nodes| name(nodes).chars().count()).max().unwrap_or(0);
    // Names take half of the line at most.
    let names = longest.min(width / 2 - 1);
    let cells = width - names - 1;

    let mut text = format!("{:names$} {}\n", "", axis(plan, start, end, cells));
    for (nodes, mut contacts) in directions {
        contacts.sort_unstable();
        let line: String = line(&contacts, start, end, cells).into_iter().map(glyph).collect();
        let _ = writeln!(text, "{:names$} {line}", cut(&name(&nodes), names));
    }
    text
}

fn glyph(cell: Cell) -> char {
    match cell {
        Cell::Closed => '·',
        Cell::Partly => '▒',
        Cell::Open => '█',
    }
}

fn axis(plan: &ContactPlan, start: Instant, end: Instant, cells: usize) -> String {
    let (first, last) = (when(plan, start), when(plan, end));
    let used = first.chars().count() + last.chars().count();
    if used + 1 > cells {
        return cut(&first, cells);
    }
    format!("{first}{}{last}", " ".repeat(cells - used))
}

/// How far each of `count` cells from `start` to `end` is filled by spans in order of time.
fn line(spans: &[(Instant, Instant)], start: Instant, end: Instant, count: usize) -> Vec<Cell> {
    let nanos = |at: Instant| i128::from(at.as_nanos());
    let edge = |cell: usize| nanos(start) + (nanos(end) - nanos(start)) * cell as i128 / count as i128;
    let mut first = 0;
    let cell = |cell: usize| {
        let (from, to) = (edge(cell), edge(cell + 1));
        while spans.get(first).is_some_and(|span| nanos(span.1) <= from) {
            first += 1;
        }
        // Spans may touch or overlap: what counts is how far they reach without a gap.
        let (mut reached, mut any) = (from, false);
        for span in spans[first..].iter().take_while(|span| nanos(span.0) < to) {
            any |= nanos(span.1) > from;
            if nanos(span.0) <= reached {
                reached = reached.max(nanos(span.1));
            }
        }
        match (any, reached >= to) {
            (false, _) => Cell::Closed,
            (true, false) => Cell::Partly,
            (true, true) => Cell::Open,
        }
    };
    (0..count).map(cell).collect()
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LightTime, Rate, Steps};
    use farlink_units::Ratio;

    fn s(secs: i64) -> Instant {
        Instant::from_nanos(secs * 1_000_000_000)
    }

    fn plan() -> ContactPlan {
        let contact = |from, to, start, end, bps| {
            let mut contact = Contact::new(NodeId::ipn(from), NodeId::ipn(to), s(start), s(end));
            contact.rate = Steps::constant(Rate::Limited(bps));
            contact.light_time = LightTime::sampled(&[
                (s(start), Duration::from_millis(525_062)),
                (s(end), Duration::from_millis(525_375)),
            ]);
            contact
        };
        let mut contacts = vec![
            contact(10, 20, 0, 600, 2_000_000),
            contact(10, 20, 1800, 3600, 2_000_000),
            contact(20, 10, 300, 3600, 8000),
        ];
        contacts[2].confidence = Ratio::new(0.8).unwrap();
        contacts[2].rate.changes = vec![(s(400), Rate::Unlimited)];
        ContactPlan::new(None, contacts)
    }

    #[test]
    fn a_table_has_a_line_a_contact() {
        let expected = "\
from      to        start     end          lasts              rate       light time  confidence
ipn:10.0  ipn:20.0  00:00:00  00:10:00  00:10:00          2 Mbit/s  525.1 s…525.4 s
ipn:20.0  ipn:10.0  00:05:00  01:00:00  00:55:00  8 kbit/s…unlimited  525.1 s…525.4 s         0.8
ipn:10.0  ipn:20.0  00:30:00  01:00:00  00:30:00          2 Mbit/s  525.1 s…525.4 s
";
        let squeeze =
            |text: &str| text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>();
        let wide = table(&plan(), 120);
        assert_eq!(squeeze(&wide), squeeze(expected));
        let columns: Vec<_> = wide.lines().map(|line| line.find("ipn:10.0").or(line.find("to")).is_some()).collect();
        assert_eq!(columns, [true; 4]);
        for width in [0, 40, 60, 80, 100] {
            let text = table(&plan(), width);
            assert!(text.lines().all(|line| line.chars().count() <= width.max(40)), "{width}:\n{text}");
            assert_eq!(text.lines().count(), 4);
        }
        assert!(!table(&plan(), 60).contains("confidence"));
    }

    #[test]
    fn a_plan_with_an_epoch_tells_the_calendar() {
        let mut plan = plan();
        plan.epoch = Some(hifitime::Epoch::from_gregorian_utc(2026, 12, 15, 0, 0, 0, 0));
        plan.contacts[0].end = Instant::MAX;
        let text = table(&plan, 160);
        assert!(text.contains("2026-12-15T00:00:00Z  never"), "{text}");
        assert!(timeline(&plan, 100).lines().next().unwrap().ends_with("2026-12-15T01:00:00Z"));
    }

    #[test]
    fn a_time_line_has_a_row_a_direction() {
        // 60 s a character: 80 of them, less 20 for the names.
        assert_eq!(
            timeline(&plan(), 80),
            "                    00:00:00                                            01:00:00\n\
             ipn:10.0 → ipn:20.0 ██████████····················██████████████████████████████\n\
             ipn:20.0 → ipn:10.0 ·····███████████████████████████████████████████████████████\n"
        );
        for width in [0, 41, 200] {
            assert!(timeline(&plan(), width).lines().all(|l| l.chars().count() <= width.max(40)), "{width}");
        }
        assert_eq!(timeline(&ContactPlan::default(), 80), "no contacts that end\n");
    }

    #[test]
    fn short_contacts_and_gaps_show() {
        let line = |spans: &[(i64, i64)]| -> String {
            let spans: Vec<_> = spans.iter().map(|(a, b)| (s(*a), s(*b))).collect();
            super::line(&spans, s(0), s(100), 10).into_iter().map(glyph).collect()
        };
        assert_eq!(line(&[(0, 100)]), "██████████");
        assert_eq!(line(&[(15, 16), (25, 35)]), "·▒▒▒······");
        assert_eq!(line(&[(0, 49), (50, 100)]), "████▒█████");
        assert_eq!(line(&[(0, 45), (45, 100)]), "██████████");
        assert_eq!(line(&[(-50, 5), (99, 500)]), "▒········▒");
    }
}
