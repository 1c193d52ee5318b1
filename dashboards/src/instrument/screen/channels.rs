//! The table of channels: a line each, and further ones for what is not as usual.

use farlink_record::LossCause;
use farlink_record::instrument::ChannelState;
use farlink_units::{BitRate, Duration};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{draw_lines, table};
use crate::instrument::InstrumentView;
use crate::instrument::model::Flow;
use crate::screen::style::{BAD, BOLD, DIM, OPEN, PLAIN, WARNING};
use crate::screen::words;

/// A line of the table: which channel it is of, and what it says.
pub struct Row {
    place: usize,
    line: Line<'static>,
}

/// What a column says of a channel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Rate,
    LightTime,
    FramesIn,
    BitsIn,
    FramesOut,
    BitsOut,
    Sent,
    Delivered,
    Lost,
    InFlight,
}

const STATE: usize = 6;
/// The columns with their widths, the one that is left out first where there is no room last.
const COLUMNS: [(Column, &str, usize); 10] = [
    (Column::Rate, "rate", 10),
    (Column::LightTime, "light", 8),
    (Column::FramesIn, "in/s", 5),
    (Column::Delivered, "deliv", 5),
    (Column::Lost, "lost", 5),
    (Column::InFlight, "flying", 6),
    (Column::Sent, "sent", 5),
    (Column::BitsIn, "bit/s", 5),
    (Column::FramesOut, "out/s", 5),
    (Column::BitsOut, "bit/s", 5),
];
/// In which order they stand.
const ORDER: [Column; 10] = [
    Column::Rate,
    Column::LightTime,
    Column::FramesIn,
    Column::BitsIn,
    Column::FramesOut,
    Column::BitsOut,
    Column::Sent,
    Column::Delivered,
    Column::Lost,
    Column::InFlight,
];

/// The columns that fit beside a name that gets at least `name` characters, and what the name gets.
fn columns(width: usize, name: usize) -> (Vec<(Column, &'static str, usize)>, usize) {
    let least = name.min(11);
    // The sign of choice, the name, the state, the last space.
    let mut room = width.saturating_sub(1 + least + 1 + STATE + 1);
    let mut fitting = Vec::new();
    for column in COLUMNS {
        if column.2 + 1 > room {
            break;
        }
        room -= column.2 + 1;
        fitting.push(column);
    }
    fitting.sort_by_key(|(column, ..)| ORDER.iter().position(|known| known == column));
    (fitting, (least + room).min(name))
}

/// The longest name.
fn name_width(view: &InstrumentView) -> usize {
    let channels = &view.model().snapshot().channels;
    channels.iter().map(|channel| channel.name.chars().count()).max().unwrap_or(0).max("Channels 10–16 of 16".len())
}

/// All lines of the table.
pub fn rows(view: &InstrumentView, width: usize) -> Vec<Row> {
    let (columns, name_width) = columns(width, name_width(view));
    let mut rows = Vec::new();
    for (place, channel) in view.model().snapshot().channels.iter().enumerate() {
        let chosen = view.all() || place == view.chosen();
        let (sign, style) = if chosen { ("▸", BOLD) } else { (" ", PLAIN) };
        let (state, state_style) = match channel.open {
            true => ("open", OPEN),
            false => ("closed", WARNING),
        };
        let name = words::fit(&channel.name, name_width);
        let mut spans = vec![
            Span::styled(format!("{sign}{name:<name_width$} "), style),
            Span::styled(format!("{state:<STATE$}"), state_style),
        ];
        let flow = view.model().flow(place);
        for (column, _, width) in &columns {
            let (text, style) = cell(*column, channel, flow);
            spans.push(Span::styled(format!(" {:>width$}", words::fit(&text, *width)), style));
        }
        rows.push(Row { place, line: Line::from(spans) });
        rows.extend(remarks(channel).into_iter().map(|(text, style)| {
            let text = words::fit(&format!("   {text}"), width);
            Row { place, line: Line::styled(text, style) }
        }));
    }
    rows
}

fn cell(column: Column, channel: &ChannelState, flow: Option<Flow>) -> (String, Style) {
    let counters = &channel.counters;
    let rate = |of: fn(Flow) -> f64| flow.map_or_else(|| "-".to_owned(), |flow| words::count(of(flow).round() as u64));
    match column {
        Column::Rate => match channel.rate_bps.map(BitRate::from_bps) {
            Some(Some(BitRate::UNLIMITED)) => ("no limit".to_owned(), DIM),
            Some(Some(rate)) => (short(rate), PLAIN),
            _ => ("silent".to_owned(), WARNING),
        },
        Column::LightTime => (words::light_time(Duration::from(channel.light_time)), PLAIN),
        Column::FramesIn => (rate(|flow| flow.frames_in), PLAIN),
        Column::BitsIn => (rate(|flow| flow.bits_in), PLAIN),
        Column::FramesOut => (rate(|flow| flow.frames_out), PLAIN),
        Column::BitsOut => (rate(|flow| flow.bits_out), PLAIN),
        Column::Sent => (words::count(counters.sent.frames), PLAIN),
        Column::Delivered => (words::count(counters.delivered.frames), PLAIN),
        Column::Lost => {
            let lost = counters.lost_in_all().frames;
            (words::count(lost), if lost > 0 { BAD } else { PLAIN })
        }
        Column::InFlight => (words::count(channel.in_flight.frames), PLAIN),
    }
}

/// A rate in at most ten characters.
fn short(rate: BitRate) -> String {
    let text = rate.to_string();
    match text.chars().count() {
        ..=10 => text,
        _ => format!("{}bit/s", words::count(rate.bps())),
    }
}

/// What is not as usual, a line for each kind: counts that do not add up; what is by hand, and faults; what was lost by cause,
/// damaged, copied.
fn remarks(channel: &ChannelState) -> Vec<(String, Style)> {
    let mut lines = Vec::new();
    if !channel.balanced {
        lines.push(("THE COUNTS DO NOT ADD UP: a defect of the emulator".to_owned(), BAD));
    }
    let mut ordered = Vec::new();
    if !channel.by_hand.is_empty() {
        let what: Vec<&str> = channel.by_hand.iter().map(|what| what.as_str()).collect();
        ordered.push(format!("by hand: {}", what.join(", ")));
    }
    if let Some(first) = channel.faults.first() {
        let more = match channel.faults.len() - 1 {
            0 => String::new(),
            more => format!("{more} more and "),
        };
        ordered.push(format!("waiting: {more}{first}"));
    }
    if !ordered.is_empty() {
        lines.push((ordered.join(" · "), WARNING));
    }
    let counters = &channel.counters;
    let lost = |cause| counters.lost.get(&cause).map_or(0, |tally| tally.frames);
    let causes: Vec<String> = LossCause::ALL
        .into_iter()
        .filter(|cause| lost(*cause) > 0)
        .map(|cause| format!("{} {}", words::count(lost(cause)), cause.as_str()))
        .collect();
    let mut came_to = Vec::new();
    if !causes.is_empty() {
        came_to.push(format!("lost: {}", causes.join(", ")));
    }
    if counters.delivered_damaged.frames > 0 {
        came_to.push(format!("{} delivered damaged", words::count(counters.delivered_damaged.frames)));
    }
    if counters.copied.frames > 0 {
        came_to.push(format!("{} copies made", words::count(counters.copied.frames)));
    }
    if !came_to.is_empty() {
        lines.push((came_to.join(" · "), DIM));
    }
    lines
}

/// Draws a heading and the lines, those of the chosen channel among them.
pub fn draw(frame: &mut Frame, area: Rect, view: &InstrumentView, rows: Vec<Row>) {
    if area.height == 0 {
        return;
    }
    let of_chosen = |row: &Row| row.place == view.chosen();
    let first = rows.iter().position(of_chosen).unwrap_or(0);
    let focus = first..first + rows.iter().filter(|row| of_chosen(row)).count();
    let shown = table::window(rows.len(), usize::from(area.height - 1), focus);
    let places = match (rows.get(shown.start), shown.end.checked_sub(1).and_then(|last| rows.get(last))) {
        (Some(first), Some(last)) => first.place..last.place + 1,
        _ => 0..0,
    };
    let (columns, name_width) = columns(usize::from(area.width), name_width(view));
    let over: String = columns.iter().map(|(_, name, width)| format!(" {name:>width$}")).collect();
    let name = words::fit(
        &table::name("Channels", &places, view.model().snapshot().channels.len()),
        1 + name_width + 1 + STATE,
    );
    let mut lines = vec![table::heading(&name, 1 + name_width + 1 + STATE, over)];
    lines.extend(rows.into_iter().skip(shown.start).take(shown.len()).map(|row| row.line));
    draw_lines(frame, area, lines);
}
