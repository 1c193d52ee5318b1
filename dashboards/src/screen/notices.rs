//! Contacts, controls, ports and disturbances in words, as both views log them.

use farlink_record::{ChannelId, Event, PortNotice};
use farlink_units::{Duration, Instant};
use ratatui::style::Style;

use crate::screen::style::{BAD, OPEN, WARNING};
use crate::screen::words::{self, Clock};

/// What such an event says, and how it looks; `None` for any other. Channels go by the names that `name` gives.
pub fn describe<'a>(event: &Event, name: impl Fn(ChannelId) -> &'a str, clock: Clock) -> Option<(String, Style)> {
    Some(match event {
        Event::ContactOpened { channel, until, light_time } => {
            let (name, light) = (name(*channel), words::light_time(Duration::from(*light_time)));
            // A channel without contacts is open until the end of time.
            let until = if *until >= Instant::MAX { String::new() } else { format!(" until {}", clock.write(*until)) };
            (format!("{name} opens{until}, light time {light}"), OPEN)
        }
        Event::ContactClosed { channel } => (format!("{} closes", name(*channel)), WARNING),
        Event::Controlled { channel, control, by } => {
            let whom = channel.map_or_else(String::new, |channel| format!("{}: ", name(channel)));
            (format!("{whom}{control} (by {})", by.as_str()), WARNING)
        }
        Event::Port { port, what } => {
            let style = match what {
                PortNotice::Up { .. } => OPEN,
                PortNotice::Remark { .. } => WARNING,
                _ => BAD,
            };
            (format!("{port} {what}"), style)
        }
        Event::Disturbed { what, by } => (format!("{} ({})", what.as_str(), Duration::from(*by)), BAD),
        _ => return None,
    })
}
