//! The table of channels.

use farlink_record::counters::ChannelCounters;
use farlink_record::{ChannelId, LossCause};
use farlink_units::BitRate;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::model::Model;
use crate::playback::Playback;
use crate::screen::style::{BAD, BOLD, DIM, HEADING, OPEN, PLAIN, WARNING};
use crate::screen::words::{self, Clock};

/// A column: its heading, its width, and how early it is given up when the window is narrow (the highest first).
struct Column {
    heading: &'static str,
    width: usize,
    spare: u8,
    right: bool,
    cell: fn(&Row) -> (String, Style),
}

/// What a channel has to show.
struct Row<'a> {
    name: &'a str,
    open: bool,
    until: String,
    light_time: String,
    rate: String,
    counters: &'a ChannelCounters,
}

const fn left(heading: &'static str, width: usize, spare: u8, cell: fn(&Row) -> (String, Style)) -> Column {
    Column { heading, width, spare, right: false, cell }
}

const fn right(heading: &'static str, width: usize, spare: u8, cell: fn(&Row) -> (String, Style)) -> Column {
    Column { heading, width, spare, right: true, cell }
}

const STATE: Column = left("", 6, 0, |row| if row.open { ("open".into(), OPEN) } else { ("closed".into(), DIM) });
const UNTIL: Column = left("until", 8, 2, |row| (row.until.clone(), PLAIN));
const LIGHT_TIME: Column = right("light", 8, 3, |row| (row.light_time.clone(), PLAIN));
const RATE: Column = right("rate", 11, 5, |row| (row.rate.clone(), PLAIN));
const SENT: Column = right("sent", 5, 0, |row| (words::count(row.counters.sent.frames), PLAIN));
const DELIVERED: Column = right("deliv", 5, 0, |row| (words::count(row.counters.delivered.frames), PLAIN));
const IN_FLIGHT: Column = right("flying", 6, 1, |row| (words::count(row.counters.in_flight().frames), PLAIN));
const FLIPS: Column = right("flips", 5, 4, |row| {
    let flips = row.counters.flipped_bits;
    (words::count(flips), if flips > 0 { WARNING } else { DIM })
});

/// With a column for each cause of loss, where there is room for them all.
const WIDE: [Column; 12] = [
    STATE,
    UNTIL,
    LIGHT_TIME,
    RATE,
    SENT,
    DELIVERED,
    right("lost: no contact", 16, 0, |row| lost(row, LossCause::NoContact)),
    right("bits", 5, 0, |row| lost(row, LossCause::BitErrors)),
    right("queue", 5, 0, |row| lost(row, LossCause::QueueFull)),
    right("len.", 5, 0, |row| lost(row, LossCause::BadLength)),
    IN_FLIGHT,
    FLIPS,
];

/// Causes that most links never have: each gets a column once there is something in it.
const RARE: [(LossCause, Column); 3] = [
    (LossCause::NoRate, right("no rate", 7, 0, |row| lost(row, LossCause::NoRate))),
    (LossCause::Erased, right("erased", 6, 0, |row| lost(row, LossCause::Erased))),
    (LossCause::NotDecoded, right("radio", 5, 0, |row| lost(row, LossCause::NotDecoded))),
];

/// With the causes of loss in words.
const NARROW: [Column; 9] =
    [STATE, UNTIL, LIGHT_TIME, RATE, SENT, DELIVERED, left("lost", 13, 0, lost_in_words), IN_FLIGHT, FLIPS];

/// The columns that fit into a width, with those of the rare causes by which frames were lost. No loss goes untold: where a column for each
/// does not fit, causes are told in words.
fn columns(width: usize, rare: impl Iterator<Item = Column>) -> Vec<Column> {
    let total = |columns: &[Column]| columns.iter().map(|column| column.width + 1).sum::<usize>();
    let mut wide = Vec::from(WIDE);
    let before_in_flight = wide.len() - 2;
    wide.splice(before_in_flight..before_in_flight, rare);
    if total(&wide) <= width {
        return wide;
    }
    let mut columns = Vec::from(NARROW);
    while total(&columns) > width {
        let spare = columns.iter().enumerate().max_by_key(|(_, column)| column.spare);
        match spare {
            Some((at, column)) if column.spare > 0 => columns.remove(at),
            _ => break,
        };
    }
    columns
}

fn lost(row: &Row, cause: LossCause) -> (String, Style) {
    let frames = row.counters.lost.get(&cause).map_or(0, |tally| tally.frames);
    (words::count(frames), if frames > 0 { BAD } else { DIM })
}

/// `57: 45 contact`: all, and the cause that took most, if it did not take all.
fn lost_in_words(row: &Row) -> (String, Style) {
    let all = row.counters.lost_in_all().frames;
    let worst = row.counters.lost.iter().filter(|(_, tally)| tally.frames > 0).max_by_key(|(_, tally)| tally.frames);
    let Some((cause, tally)) = worst else { return ("0".into(), DIM) };
    let word = match cause {
        LossCause::NoContact => "contact",
        LossCause::BitErrors => "bits",
        LossCause::QueueFull => "queue",
        LossCause::BadLength => "length",
        LossCause::NoRate => "no rate",
        LossCause::Erased => "erased",
        LossCause::NotDecoded => "radio",
        LossCause::Fault => "fault",
        LossCause::StoreFull | LossCause::StoreSlow | LossCause::StoreFailed => "store",
        LossCause::PortDown | LossCause::PortRefused => "port",
    };
    let text = if tally.frames == all {
        format!("{} {word}", words::count(all))
    } else {
        format!("{}: {} {word}", words::count(all), words::count(tally.frames))
    };
    (text, BAD)
}

/// The width of the names of channels, here and in the time line.
pub fn name_width(model: &Model, window: u16) -> usize {
    let longest = model.header().channels.iter().map(|channel| channel.name.chars().count()).max().unwrap_or(0);
    longest.max("Channels".len()).min(usize::from(window) / 5 - 1)
}

/// Which channels are shown in so many lines, from which one on, and how many are left out.
pub fn visible(model: &Model, playback: &Playback, lines: u16) -> (std::ops::Range<usize>, usize) {
    let all = model.channels().len();
    let lines = usize::from(lines);
    let start = playback.scroll().min(all.saturating_sub(lines));
    let end = all.min(start + lines);
    (start..end, all - (end - start))
}

/// Draws a heading and as many channels as there is room for.
pub fn draw(frame: &mut Frame, area: Rect, model: &Model, playback: &Playback, clock: Clock) {
    if area.height == 0 {
        return;
    }
    let (range, hidden) = visible(model, playback, area.height - 1);
    let names = name_width(model, area.width);
    let occurs = |cause: &LossCause| model.channels().iter().any(|channel| channel.counters.lost.contains_key(cause));
    let rare = RARE.into_iter().filter(|(cause, _)| occurs(cause)).map(|(_, column)| column);
    let columns = columns(usize::from(area.width).saturating_sub(names + 1), rare);

    let title = if hidden > 0 { format!("Chan. +{hidden} ↕") } else { "Channels".to_owned() };
    let mut heading = vec![Span::styled(format!(" {}", cell(&title, names, false)), HEADING)];
    for column in &columns {
        heading.push(Span::styled(format!(" {}", cell(column.heading, column.width, column.right)), DIM));
    }
    frame.render_widget(Line::from(heading), Rect { height: 1, ..area });

    for (line, index) in range.enumerate() {
        let row = row(model, index, clock);
        let mut spans = vec![Span::styled(format!(" {}", cell(row.name, names, false)), BOLD)];
        for column in &columns {
            let (text, style) = (column.cell)(&row);
            spans.push(Span::styled(format!(" {}", cell(&text, column.width, column.right)), style));
        }
        frame.render_widget(Line::from(spans), Rect { y: area.y + 1 + line as u16, height: 1, ..area });
    }
}

fn row(model: &Model, index: usize, clock: Clock) -> Row<'_> {
    let (state, info) = (&model.channels()[index], &model.header().channels[index]);
    let until = state.open_until.or_else(|| model.next_opening(ChannelId(index as u16)));
    Row {
        name: &info.name,
        open: state.open_until.is_some(),
        until: until.map_or_else(|| "the end".to_owned(), |at| clock.write(at)),
        light_time: state.light_time.map_or_else(|| "–".to_owned(), words::light_time),
        rate: BitRate::from_bps(info.rate_bps_at(model.now())).map_or_else(|| "–".to_owned(), |rate| rate.to_string()),
        counters: &state.counters,
    }
}

fn cell(text: &str, width: usize, right: bool) -> String {
    let text = words::fit(text, width);
    if right { format!("{text:>width$}") } else { format!("{text:<width$}") }
}
