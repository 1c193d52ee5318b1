//! What the tables of the view have in common.

use std::ops::Range;

use ratatui::text::{Line, Span};

use crate::screen::style::{DIM, HEADING};

/// Which of `all` rows are shown in so many lines, so that those of `focus` are among them.
pub fn window(all: usize, room: usize, focus: Range<usize>) -> Range<usize> {
    let before = room.saturating_sub(focus.len()) / 2;
    let start = focus.start.saturating_sub(before).min(all.saturating_sub(room));
    start..(start + room).min(all)
}

/// The name of a section, and how much of it is shown if that is not all.
pub fn name(what: &str, shown: &Range<usize>, all: usize) -> String {
    match shown.len() == all {
        true => format!(" {what}"),
        false => format!(" {what} {}–{} of {all}", shown.start + 1, shown.end),
    }
}

/// A heading: the name in its column, and what stands over the other columns.
pub fn heading(name: &str, width: usize, columns: String) -> Line<'static> {
    Line::from(vec![Span::styled(format!("{name:<width$}"), HEADING), Span::styled(columns, DIM)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen_is_always_among_what_is_shown() {
        for all in 0..20 {
            for room in 1..20 {
                for at in 0..all {
                    let shown = window(all, room, at..at + 1);
                    assert!(shown.contains(&at), "{at} of {all} in {room}: {shown:?}");
                    assert_eq!(shown.len(), room.min(all));
                }
            }
        }
        assert_eq!(window(10, 2, 4..6), 4..6, "a channel and its second line");
    }
}
