//! The last events, in plain words.

use farlink_record::{BundleNotice, Event, LtpNotice, RetransmitReason, Session, TrafficId};
use farlink_units::Duration;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::model::{LogItem, LogLine, Model};
use crate::screen::style::{BAD, DIM, GOOD, HEADING, OPEN, PLAIN, WARNING};
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

fn describe(model: &Model, line: &LogLine, clock: Clock) -> (String, Style) {
    match &line.what {
        LogItem::Losses { channel, cause, frames } => {
            let noun = if *frames == 1 { "frame" } else { "frames" };
            let name = model.channel_name(*channel);
            (format!("{name} lost {} {noun}: {}", words::count(*frames), cause.as_str()), BAD)
        }
        LogItem::Event(event) => describe_event(model, event, clock),
    }
}

fn describe_event(model: &Model, event: &Event, clock: Clock) -> (String, Style) {
    match event {
        Event::ContactOpened { channel, until, light_time } => {
            let light = words::light_time(Duration::from(*light_time));
            let (name, until) = (model.channel_name(*channel), clock.write(*until));
            (format!("{name} opens until {until}, light time {light}"), OPEN)
        }
        Event::ContactClosed { channel } => (format!("{} closes", model.channel_name(*channel)), WARNING),
        Event::Ltp { node, peer, session, notice } => {
            let (node, peer) = (model.node_name(*node), model.node_name(*peer));
            describe_ltp(node, peer, *session, notice)
        }
        Event::Bundle { node, bundle, traffic, bytes, notice } => {
            let what = name_bundle(model, *traffic, bundle, *bytes);
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
        // Told by the table of channels, too many for a log.
        Event::LightTime { channel, .. }
        | Event::FrameSent { channel, .. }
        | Event::FrameDelivered { channel, .. }
        | Event::FrameLost { channel, .. } => (model.channel_name(*channel).to_owned(), DIM),
    }
}

/// A bundle by what it carries, or by its own name if it carries nothing of the traffic.
fn name_bundle(model: &Model, traffic: Option<TrafficId>, bundle: &str, bytes: u64) -> String {
    let bytes = words::bytes(bytes);
    match traffic.and_then(|id| model.header().traffic.get(usize::from(id.0))) {
        Some(info) => format!("{bytes} of {}", info.name),
        None => format!("bundle {bundle}, {bytes}"),
    }
}

fn describe_ltp(node: &str, peer: &str, session: Session, notice: &LtpNotice) -> (String, Style) {
    let session = format!("session {}/{}", session.originator, session.number);
    match notice {
        LtpNotice::BlockStarted { bytes } => {
            (format!("{node} starts {session} to {peer}: a block of {}", words::bytes(*bytes)), PLAIN)
        }
        LtpNotice::BlockAcknowledged => (format!("{node} knows that {peer} has all of {session}"), PLAIN),
        LtpNotice::RedPartReceived { bytes } => {
            (format!("{node} has all of {session} from {peer}, {}", words::bytes(*bytes)), PLAIN)
        }
        LtpNotice::Retransmitted { bytes, reason } => {
            let why = match reason {
                RetransmitReason::Gap => "a report showed a gap",
                RetransmitReason::CheckpointTimer => "no report came",
                RetransmitReason::ReportTimer => "its report was not acknowledged",
                RetransmitReason::RepeatedCheckpoint => "a checkpoint came again",
                RetransmitReason::CancelTimer => "its cancellation was not acknowledged",
            };
            let what = match bytes {
                0 => "again".to_owned(),
                bytes => format!("{} again", words::bytes(*bytes)),
            };
            (format!("{node} sends {what} to {peer} in {session}: {why}"), WARNING)
        }
        LtpNotice::Cancelled { reason, locally } => {
            let who = if *locally { node } else { peer };
            (format!("{node}: {session} with {peer} cancelled by {who}: {reason}"), BAD)
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
