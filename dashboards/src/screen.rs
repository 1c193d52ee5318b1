//! Draws a model and a playback. Pure: the same state always makes the same screen.
//!
//! Every section has a part that says what to show (its rows, as plain values) and a part that draws it, and gets the room
//! that `layout` gives it.

mod channels;
mod contacts;
mod layout;
mod log;
pub(crate) mod notices;
pub(crate) mod overlay;
mod path;
pub(crate) mod style;
mod title;
mod traffic;
pub(crate) mod words;

use ratatui::Frame;

use crate::model::Model;
use crate::playback::Playback;

/// The narrowest window in which the view can be read.
pub const MIN_WIDTH: u16 = 60;
/// The lowest window in which the view can be read.
pub const MIN_HEIGHT: u16 = 15;

/// Draws the whole screen.
pub fn draw(frame: &mut Frame, model: &Model, playback: &Playback) {
    let area = frame.area();
    if area.width < MIN_WIDTH || area.height < MIN_HEIGHT {
        overlay::too_small(frame, area);
        return;
    }
    let clock = words::Clock::for_duration(model.header().duration.into());
    let rows = path::rows(model, area.width);
    let areas = layout::split(
        area,
        layout::Wants { path: path::height(&rows), channels: model.channels().len(), traffic: model.traffic().len() },
    );
    title::draw(frame, areas.title, model, playback, clock);
    title::draw_progress(frame, areas.progress, model, playback, clock);
    path::draw(frame, areas.path, &rows);
    channels::draw(frame, areas.channels, model, playback, clock);
    contacts::draw(frame, areas.contacts, model, playback, clock);
    traffic::draw(frame, areas.traffic, model, clock);
    log::draw(frame, areas.log, model, clock);
    title::draw_footer(frame, areas.footer, model, playback, clock);
    if playback.help() {
        overlay::help(frame, area);
    }
}
