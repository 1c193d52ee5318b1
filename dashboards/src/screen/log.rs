//! The last events, in plain words.

use farlink_record::{BundleNotice, Event, LtpNotice, RetransmitReason, Session, TrafficId};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::model::{LogItem, LogLine, Model};
use crate::screen::notices;
use crate::screen::style::{BAD, DIM, GOOD, HEADING, PLAIN, WARNING};
use crate::screen::words::{self, Clock};

/// Draws a heading and the last lines, the newest at the bottom.
pub fn draw(frame: &mut Frame, area: Rect, model: &Model, clock: Clock) {
    if area.height == 0 {
        return;
    }
    let mut heading = vec![Span::styled(" Events", HEADING)];
    if model.retransmissions() > 0 {
        let times = words::count(model.retransmissions());
        heading.push(Span::styled(format!("  LTP sent something again {times} times"), DIM));
    }
    frame.render_widget(Line::from(heading), Rect { height: 1, ..area });
    let room = usize::from(area.height - 1);
    let skip = model.log().len().saturating_sub(room);
    for (at, line) in model.log().skip(skip).enumerate() {
        let (text, style) = describe(model, line, clock);
        let time = format!(" {}  ", clock.write(line.at));
        let width = usize::from(area.width).saturating_sub(time.chars().count() + 1);
        let spans = vec![Span::styled(time, DIM), Span::styled(words::fit(&text, width), style)];
        frame.render_widget(Line::from(spans), Rect { y: area.y + 1 + at as u16, height: 1, ..area });
    }
}

/// How often something happened, and the sizes together.
#[derive(Clone, Copy)]
struct Tally {
    times: u64,
    bytes: u64,
}

fn describe(model: &Model, line: &LogLine, clock: Clock) -> (String, Style) {
    match &line.what {
        LogItem::Losses { channel, cause, frames } => {
            let noun = if *frames == 1 { "frame" } else { "frames" };
            let name = model.channel_name(*channel);
            (format!("{name} lost {} {noun}: {}", words::count(*frames), cause.as_str()), BAD)
        }
        LogItem::Events { event, times, bytes } => {
            describe_event(model, event, Tally { times: *times, bytes: *bytes }, clock)
        }
    }
}

fn describe_event(model: &Model, event: &Event, tally: Tally, clock: Clock) -> (String, Style) {
    match event {
        Event::ContactOpened { .. }
        | Event::ContactClosed { .. }
        | Event::Controlled { .. }
        | Event::Port { .. }
        | Event::Disturbed { .. } => {
            notices::describe(event, |channel| model.channel_name(channel), clock).unwrap_or_default()
        }
        Event::Ltp { node, peer, session, notice } => {
            let (node, peer) = (model.node_name(*node), model.node_name(*peer));
            describe_ltp(node, peer, *session, notice, tally)
        }
        Event::Bundle { node, bundle, traffic, notice, .. } => {
            let what = name_bundles(model, *traffic, bundle, tally);
            describe_bundle(model, model.node_name(*node), &what, notice)
        }
        Event::Arrived { traffic, bytes, intact, .. } => {
            let info = model.header().traffic.get(usize::from(traffic.0));
            let (name, to) = info.map_or(("?", "?"), |info| (&info.name, model.node_name(info.to)));
            let bytes = words::bytes(*bytes);
            match intact {
                true => (format!("{name} has arrived whole and intact at {to}, {bytes}"), GOOD),
                false => (format!("{name} has arrived at {to}, {bytes}, but is NOT what was sent"), BAD),
            }
        }
        Event::Ended { interrupted: false } => ("the run has ended".to_owned(), PLAIN),
        Event::Ended { interrupted: true } => ("the run was interrupted".to_owned(), BAD),
        Event::FrameStruck { channel, action, .. } => {
            (format!("{}: a fault strikes: {action} a frame", model.channel_name(*channel)), WARNING)
        }
        // Told by the table of channels, too many for a log.
        Event::LightTime { channel, .. }
        | Event::FrameSent { channel, .. }
        | Event::FrameDelivered { channel, .. }
        | Event::FrameLost { channel, .. }
        | Event::FrameCopied { channel, .. } => (model.channel_name(*channel).to_owned(), DIM),
    }
}

/// Bundles by what they carry; one that carries nothing of the traffic by its own name.
fn name_bundles(model: &Model, traffic: Option<TrafficId>, bundle: &str, tally: Tally) -> String {
    let bytes = words::bytes(tally.bytes);
    let times = words::count(tally.times);
    let info = traffic.and_then(|id| model.header().traffic.get(usize::from(id.0)));
    match (info, tally.times) {
        (Some(info), 1) => format!("{bytes} of {}", info.name),
        (Some(info), _) => format!("{bytes} of {} in {times} bundles", info.name),
        (None, 1) => format!("bundle {bundle}, {bytes}"),
        (None, _) => format!("{times} bundles, {bytes}"),
    }
}

fn describe_ltp(node: &str, peer: &str, session: Session, notice: &LtpNotice, tally: Tally) -> (String, Style) {
    let once = tally.times == 1;
    let (times, bytes) = (words::count(tally.times), words::bytes(tally.bytes));
    let sessions = match once {
        true => format!("session {}/{}", session.originator, session.number),
        false => format!("{times} sessions"),
    };
    match notice {
        LtpNotice::BlockStarted { .. } => {
            let blocks = if once { format!("a block of {bytes}") } else { format!("blocks of {bytes} in all") };
            (format!("{node} starts {sessions} to {peer}: {blocks}"), PLAIN)
        }
        LtpNotice::BlockAcknowledged => (format!("{node} knows that {peer} has all of {sessions}"), PLAIN),
        LtpNotice::RedPartReceived { .. } => (format!("{node} has all of {sessions} from {peer}, {bytes}"), PLAIN),
        LtpNotice::Retransmitted { reason, .. } => {
            let why = match reason {
                RetransmitReason::Gap => "a report showed a gap",
                RetransmitReason::CheckpointTimer => "no report came",
                RetransmitReason::ReportTimer => "its report was not acknowledged",
                RetransmitReason::RepeatedCheckpoint => "a checkpoint came again",
                RetransmitReason::CancelTimer => "its cancellation was not acknowledged",
            };
            let what = match tally.bytes {
                0 => "again".to_owned(),
                _ => format!("{bytes} again"),
            };
            // One session may send again more than once.
            let how_often = if once { format!("in {sessions}") } else { format!("in {times} turns") };
            (format!("{node} sends {what} to {peer} {how_often}: {why}"), WARNING)
        }
        LtpNotice::Cancelled { reason, locally } => {
            let who = if *locally { node } else { peer };
            (format!("{node}: {sessions} with {peer} cancelled by {who}: {reason}"), BAD)
        }
    }
}

fn describe_bundle(model: &Model, node: &str, what: &str, notice: &BundleNotice) -> (String, Style) {
    match notice {
        BundleNotice::Created => (format!("{node} sends {what}"), PLAIN),
        BundleNotice::Received { from } => (format!("{node} has {what} from {}", model.node_name(*from)), PLAIN),
        BundleNotice::Forwarded { to } => {
            (format!("{node} has passed {what} on to {} and lets go of it", model.node_name(*to)), PLAIN)
        }
        BundleNotice::Delivered => (format!("{node} hands {what} to the application"), GOOD),
        BundleNotice::Duplicate => (format!("{node} got {what} once more and dropped it"), WARNING),
        BundleNotice::Deleted { reason } => (format!("{node} deleted {what}: {reason}"), BAD),
        BundleNotice::Refused { reason } => (format!("{node} refused {what}: {reason}"), BAD),
        BundleNotice::Reported { status } => {
            (format!("{node} got a status report about {what}: {}", status.join(", ")), GOOD)
        }
    }
}
