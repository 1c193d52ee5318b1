//! The nodes and links as a path: `lander ══ 1.28 s ══▶ orbiter`, and the way back beneath.

use farlink_record::{ChannelId, Header, NodeId};
use farlink_units::BitRate;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::model::Model;
use crate::screen::style::{BOLD, DIM, HEADING, OPEN, PLAIN};
use crate::screen::words;

/// An arrow is never shorter, so that it can say at least whether it is open.
const ARROW_LEAST: usize = 12;
/// An arrow is never longer, so that a short path on a wide screen still reads as one.
const ARROW_MOST: usize = 52;

/// One line of nodes joined by links, and the line beneath with the way back.
#[derive(Clone, Debug)]
pub struct Row {
    there: Vec<(String, Style)>,
    back: Vec<(String, Style)>,
}

/// Two nodes and the channels between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Link {
    a: NodeId,
    b: NodeId,
    there: ChannelId,
    back: Option<ChannelId>,
}

impl Link {
    /// The link as seen from one end: the other end, the channel there and the channel back.
    fn seen_from(&self, end: NodeId) -> (NodeId, Option<ChannelId>, Option<ChannelId>) {
        if end == self.a { (self.b, Some(self.there), self.back) } else { (self.a, self.back, Some(self.there)) }
    }
}

/// The lines that the path takes, its heading included.
pub fn height(rows: &[Row]) -> u16 {
    if rows.is_empty() { 0 } else { 1 + u16::try_from(rows.len() * 2).unwrap_or(u16::MAX - 1) }
}

/// What there is to draw, in lines that fit the width.
pub fn rows(model: &Model, width: u16) -> Vec<Row> {
    let width = usize::from(width) - 2;
    let mut rows = Vec::new();
    for trail in trails(model.header()) {
        let mut hops: &[(Link, NodeId)] = &trail.hops;
        let mut start = trail.start;
        while !hops.is_empty() {
            let fit = how_many_fit(model, start, hops, width);
            let (now, later) = hops.split_at(fit);
            rows.push(row(model, start, now, width));
            start = now[fit - 1].1;
            hops = later;
        }
    }
    rows
}

/// Nodes in a line.
struct Trail {
    start: NodeId,
    hops: Vec<(Link, NodeId)>,
}

/// The links as few long lines: from a node with few links, along links that no line has yet, as far as it goes.
fn trails(header: &Header) -> Vec<Trail> {
    let mut links = links(header);
    let mut trails = Vec::new();
    while !links.is_empty() {
        let degree = |node: NodeId| links.iter().filter(|link| link.a == node || link.b == node).count();
        // The first of the ends of lines, or of all if the links run in a ring.
        let Some(start) = links.iter().flat_map(|link| [link.a, link.b]).min_by_key(|node| (degree(*node), *node))
        else {
            break;
        };
        let mut trail = Trail { start, hops: Vec::new() };
        let mut at = start;
        while let Some(index) = links.iter().position(|link| link.a == at || link.b == at) {
            let link = links.remove(index);
            at = link.seen_from(at).0;
            trail.hops.push((link, at));
        }
        trails.push(trail);
    }
    trails
}

fn links(header: &Header) -> Vec<Link> {
    let mut links: Vec<(&str, Link)> = Vec::new();
    for (index, channel) in header.channels.iter().enumerate() {
        let id = ChannelId(index as u16);
        let partner = links.iter_mut().find(|(name, link)| {
            *name == channel.link && link.back.is_none() && (link.b, link.a) == (channel.from, channel.to)
        });
        match partner {
            Some((_, link)) => link.back = Some(id),
            None => links.push((&channel.link, Link { a: channel.from, b: channel.to, there: id, back: None })),
        }
    }
    links.into_iter().map(|(_, link)| link).collect()
}

fn name_width(model: &Model, node: NodeId) -> usize {
    model.node_name(node).chars().count()
}

/// At least one, or nothing would ever be drawn.
fn how_many_fit(model: &Model, start: NodeId, hops: &[(Link, NodeId)], width: usize) -> usize {
    let mut used = name_width(model, start);
    let fit = hops.iter().take_while(|(_, node)| {
        used += 2 + ARROW_LEAST + name_width(model, *node);
        used <= width
    });
    fit.count().max(1)
}

fn row(model: &Model, start: NodeId, hops: &[(Link, NodeId)], width: usize) -> Row {
    let names: usize =
        name_width(model, start) + hops.iter().map(|(_, node)| 2 + name_width(model, *node)).sum::<usize>();
    let arrow = (width.saturating_sub(names) / hops.len()).clamp(ARROW_LEAST, ARROW_MOST);
    let mut row = Row { there: Vec::new(), back: Vec::new() };
    let name = |row: &mut Row, node: NodeId| {
        let text = model.node_name(node).to_owned();
        row.back.push((" ".repeat(text.chars().count()), PLAIN));
        row.there.push((text, BOLD));
    };
    name(&mut row, start);
    let mut at = start;
    for (link, node) in hops {
        let (_, there, back) = link.seen_from(at);
        for (line, channel, forwards) in [(&mut row.there, there, true), (&mut row.back, back, false)] {
            line.push((" ".to_owned(), PLAIN));
            line.push(match channel {
                Some(channel) => draw_arrow(model, channel, arrow, forwards),
                None => (" ".repeat(arrow), PLAIN),
            });
            line.push((" ".to_owned(), PLAIN));
        }
        name(&mut row, *node);
        at = *node;
    }
    row
}

/// An arrow with what is under way on it as dots, where it is: a burst is seen to leave, to travel and to arrive.
fn draw_arrow(model: &Model, channel: ChannelId, width: usize, forwards: bool) -> (String, Style) {
    let index = usize::from(channel.0);
    let (state, info) = (&model.channels()[index], &model.header().channels[index]);
    let open = state.open_until.is_some();
    let mut labels = Vec::new();
    let flying = state.counters.in_flight().frames;
    if open {
        let light = state.light_time.map_or_else(String::new, words::light_time);
        let rate = BitRate::from_bps(info.rate_bps_at(model.now()))
            .map_or_else(|| "no rate".to_owned(), |rate| rate.to_string());
        // Not how many are in flight: where there are a few at a time, the label would come and go with each.
        labels.push(format!(" {light} · {rate} "));
        labels.push(format!(" {light} "));
    } else {
        if flying > 0 {
            labels.push(format!(" closed · {} in flight ", words::count(flying)));
        }
        labels.push(" closed ".to_owned());
    }
    let shaft = if open { '═' } else { '┄' };
    // Two strokes on each side and the head.
    let label = labels.into_iter().find(|label| label.chars().count() + 5 <= width).unwrap_or_default();
    let strokes = width - 1;
    let label_width = label.chars().count();
    let before = (strokes - label_width) / 2;
    let part = |cell: usize| cell as f64 / strokes as f64;
    // Counted from the left; on the way back, the transmitter is on the right.
    let has_signal = |cell: usize| {
        let cell = if forwards { cell } else { strokes - 1 - cell };
        let light_time = state.light_time.unwrap_or_default();
        flying > 0 && state.flight.is_between(model.now(), light_time, part(cell), part(cell + 1))
    };
    let stroke = |cell| if has_signal(cell) { '●' } else { shaft };
    let left: String = (0..before).map(stroke).collect();
    let right: String = (before + label_width..strokes).map(stroke).collect();
    let text = if forwards { format!("{left}{label}{right}▶") } else { format!("◀{left}{label}{right}") };
    (text, if open { OPEN } else { DIM })
}

/// Draws as many rows as there is room for.
pub fn draw(frame: &mut Frame, area: Rect, rows: &[Row]) {
    if area.height == 0 {
        return;
    }
    let line = |spans: &[(String, Style)]| {
        let spans = spans.iter().map(|(text, style)| Span::styled(text.clone(), *style));
        Line::from_iter(std::iter::once(Span::raw(" ")).chain(spans))
    };
    let room = usize::from(area.height - 1) / 2;
    let hidden = rows.len().saturating_sub(room);
    let mut heading = vec![Span::styled(" Links", HEADING)];
    if hidden > 0 {
        heading.push(Span::styled(format!("  {hidden} more lines of links than fit"), DIM));
    }
    frame.render_widget(Line::from(heading), Rect { height: 1, ..area });
    for (at, row) in rows.iter().take(room).enumerate() {
        let y = area.y + 1 + 2 * at as u16;
        frame.render_widget(line(&row.there), Rect { y, height: 1, ..area });
        frame.render_widget(line(&row.back), Rect { y: y + 1, height: 1, ..area });
    }
}
