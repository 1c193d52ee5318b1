//! The time line: when each channel is open across the whole scenario, and where the playhead stands.

use farlink_record::ContactInfo;
use farlink_units::{Duration, Instant};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::Model;
use crate::playback::Playback;
use crate::screen::channels::{name_width, visible};
use crate::screen::style::{DIM, GOOD, HEADING, PLAIN, PLAYHEAD};
use crate::screen::words::{self, Clock};

/// How much of a cell's time a channel is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    Closed,
    /// For a part of it: contacts shorter than a cell stay visible.
    Partly,
    Open,
}

/// The cells of one channel.
fn cells(contacts: &[ContactInfo], duration: Duration, width: usize) -> Vec<Cell> {
    let edge = |at: usize| (i128::from(duration.as_nanos()) * at as i128 / width.max(1) as i128) as i64;
    let mut open = vec![0_i64; width];
    let total = duration.as_nanos().max(1);
    for contact in contacts {
        let (start, end) = (contact.start.as_nanos().max(0), contact.end.as_nanos().min(total));
        if start >= end {
            continue;
        }
        let cell_of = |at: i64| (i128::from(at) * width as i128 / i128::from(total)) as usize;
        let first = cell_of(start);
        let last = cell_of(end - 1).min(width.saturating_sub(1));
        for (at, cell) in open.iter_mut().enumerate().take(last + 1).skip(first) {
            // A contact that touches a cell by less than a nanosecond still counts.
            *cell += (end.min(edge(at + 1)) - start.max(edge(at))).max(1);
        }
    }
    let cell = |(at, open): (usize, i64)| match open {
        0 => Cell::Closed,
        open if open >= edge(at + 1) - edge(at) => Cell::Open,
        _ => Cell::Partly,
    };
    open.into_iter().enumerate().map(cell).collect()
}

/// Draws a scale and as many channels as there is room for.
pub fn draw(frame: &mut Frame, area: Rect, model: &Model, playback: &Playback, clock: Clock) {
    if area.height == 0 {
        return;
    }
    let duration = Duration::from(model.header().duration);
    let names = name_width(model, area.width);
    let width = usize::from(area.width).saturating_sub(names + 3);
    if width == 0 {
        return;
    }
    let part = model.now().as_secs_f64() / duration.as_secs_f64().max(1e-9);
    let playhead = ((part.clamp(0.0, 1.0) * width as f64) as usize).min(width - 1);

    let title = Span::styled(format!(" {:<names$} ", words::fit("Contacts", names)), HEADING);
    let mut heading = vec![title];
    heading.extend(scale(duration, width, playhead, clock));
    frame.render_widget(Line::from(heading), Rect { height: 1, ..area });

    let (range, _) = visible(model, playback, area.height - 1);
    for (line, index) in range.enumerate() {
        let info = &model.header().channels[index];
        let mut spans = vec![Span::raw(format!(" {:<names$} ", words::fit(&info.name, names)))];
        for (at, cell) in cells(&info.contacts, duration, width).into_iter().enumerate() {
            let style = match cell {
                Cell::Closed => DIM,
                _ if at <= playhead => GOOD,
                _ => PLAIN,
            };
            spans.push(match cell {
                _ if at == playhead => Span::styled("┃", PLAYHEAD),
                Cell::Closed => Span::styled("·", style),
                Cell::Partly => Span::styled("╍", style),
                Cell::Open => Span::styled("━", style),
            });
        }
        frame.render_widget(Line::from(spans), Rect { y: area.y + 1 + line as u16, height: 1, ..area });
    }
}

/// The times of the cells beneath, with the playhead among them. A time that it would cross out is left out.
fn scale<'a>(duration: Duration, width: usize, playhead: usize, clock: Clock) -> Vec<Span<'a>> {
    let mut line = vec![' '; width];
    let label_width = clock.write(Instant::ZERO + duration).chars().count();
    // The last label ends where the line does, and stands close to the one before it.
    let quarters = if width >= 4 * (2 * label_width + 1) { 4 } else { 2 };
    for quarter in 0..=quarters {
        let at = Instant::from_nanos((i128::from(duration.as_nanos()) * quarter as i128 / quarters as i128) as i64);
        let label = clock.write(at);
        let length = label.chars().count();
        let start = (width * quarter / quarters).min(width.saturating_sub(length));
        if (start..start + length).contains(&playhead) {
            continue;
        }
        for (cell, letter) in line[start..].iter_mut().zip(label.chars()) {
            *cell = letter;
        }
    }
    let text = |cells: &[char]| Span::styled(cells.iter().collect::<String>(), DIM);
    vec![text(&line[..playhead]), Span::styled("▼", PLAYHEAD), text(&line[playhead + 1..])]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(contacts: &[(i64, i64)], duration: i64, width: usize) -> String {
        let contacts: Vec<ContactInfo> = contacts
            .iter()
            .map(|&(start, end)| ContactInfo { start: Instant::from_nanos(start), end: Instant::from_nanos(end) })
            .collect();
        let letter = |cell| match cell {
            Cell::Closed => '.',
            Cell::Partly => '-',
            Cell::Open => '=',
        };
        cells(&contacts, Duration::from_nanos(duration), width).into_iter().map(letter).collect()
    }

    #[test]
    fn contacts_fill_the_cells_that_they_cover() {
        assert_eq!(line(&[(0, 100)], 100, 10), "==========");
        assert_eq!(line(&[(20, 50)], 100, 10), "..===.....");
        assert_eq!(line(&[(25, 50)], 100, 10), "..-==.....");
        assert_eq!(line(&[(0, 5), (5, 10)], 100, 10), "=.........", "two that meet make one");
    }

    #[test]
    fn a_contact_shorter_than_a_cell_is_not_lost() {
        assert_eq!(line(&[(500, 501)], 1000, 10), ".....-....");
        assert_eq!(line(&[(999, 1000)], 1000, 10), ".........-");
    }

    #[test]
    fn contacts_beyond_the_scenario_stay_outside() {
        assert_eq!(line(&[(-50, 10), (90, 500), (200, 300)], 100, 10), "=........=");
        assert_eq!(line(&[(5, 5)], 100, 10), "..........");
        assert_eq!(line(&[(0, 1)], 0, 4).len(), 4);
    }
}
