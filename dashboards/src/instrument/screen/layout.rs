//! Which section gets which lines.

use ratatui::layout::Rect;

/// How many rows each section has to show, headings not counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wants {
    pub alerts: usize,
    pub ports: usize,
    pub channels: usize,
    pub lateness: usize,
    pub store: usize,
    pub footer: usize,
}

/// The lines of each section; a section without room has height 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Areas {
    pub title: Rect,
    pub alerts: Rect,
    pub ports: Rect,
    pub channels: Rect,
    pub lateness: Rect,
    pub store: Rect,
    pub log: Rect,
    pub footer: Rect,
}

const TITLE: u16 = 1;
const HEADING: u16 = 1;
/// What the log gets, heading included, before others get everything they want.
const LOG_COMFORT: u16 = 5;
/// The most lines of alerts.
const ALERTS: u16 = 3;

/// Divides the window. First every section gets its least, in order of importance; then they grow line by line in turn; what is
/// left over goes to the log.
pub fn split(area: Rect, wants: Wants) -> Areas {
    let lines = |n: usize| u16::try_from(n).unwrap_or(u16::MAX - HEADING);
    let table = |n: usize| if n == 0 { 0 } else { HEADING + lines(n) };
    let footer = lines(wants.footer).clamp(1, area.height.saturating_sub(TITLE).max(1));
    let alerts = lines(wants.alerts).min(ALERTS);
    let (channels, lateness, ports) = (table(wants.channels), table(wants.lateness), table(wants.ports));
    let store = lines(wants.store);
    // In order of importance: alerts, channels, lateness, log, ports, store.
    let least = [alerts.min(1), channels.min(3), lateness.min(3), 2, ports.min(3), store.min(1)];
    let most = [alerts, channels, lateness, LOG_COMFORT, ports, store];

    let mut room = area.height.saturating_sub(TITLE + footer);
    let mut heights = [0_u16; 6];
    for (height, least) in heights.iter_mut().zip(least) {
        // Half a section would be a heading with nothing under it.
        if least <= room {
            *height = least;
            room -= least;
        }
    }
    while room > 0 {
        let before = room;
        for at in [0, 5, 1, 4, 2, 3] {
            if room > 0 && heights[at] > 0 && heights[at] < most[at] {
                heights[at] += 1;
                room -= 1;
            }
        }
        if room == before {
            break;
        }
    }
    if heights[3] > 0 {
        heights[3] += room;
    }
    let [alerts, channels, lateness, log, ports, store] = heights;

    let mut y = area.y;
    let mut take = |height: u16| {
        let rect = Rect::new(area.x, y, area.width, height);
        y += height;
        rect
    };
    Areas {
        title: take(TITLE),
        alerts: take(alerts),
        ports: take(ports),
        channels: take(channels),
        lateness: take(lateness),
        store: take(store),
        log: take(log),
        footer: Rect::new(area.x, area.bottom().saturating_sub(footer), area.width, footer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_window_is_overfilled_and_channels_are_always_seen() {
        for height in 15..80 {
            for links in [1, 2, 8, 60] {
                for (alerts, footer, store) in [(0, 1, 0), (1, 2, 1), (9, 5, 2)] {
                    let wants =
                        Wants { alerts, ports: links * 2, channels: links * 4, lateness: links * 2, store, footer };
                    let areas = split(Rect::new(0, 0, 80, height), wants);
                    assert!(areas.log.bottom() <= areas.footer.y, "{height} {wants:?}");
                    assert_eq!(areas.footer.bottom(), height);
                    assert!(areas.channels.height >= 3 && areas.lateness.height >= 3, "{height} {wants:?}");
                    assert!(alerts == 0 || areas.alerts.height > 0, "{height} {wants:?}");
                }
            }
        }
    }

    #[test]
    fn one_link_fits_an_ordinary_window_whole() {
        let wants = Wants { alerts: 0, ports: 2, channels: 4, lateness: 2, store: 2, footer: 1 };
        let areas = split(Rect::new(0, 0, 80, 24), wants);
        assert_eq!([areas.ports.height, areas.channels.height, areas.lateness.height], [3, 5, 3]);
        assert_eq!((areas.store.height, areas.log.height), (2, 24 - 2 - 13));
    }
}
