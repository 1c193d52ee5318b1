//! Which section gets which lines.

use ratatui::layout::Rect;

/// How much each section has to show.
#[derive(Clone, Copy, Debug)]
pub struct Wants {
    /// Lines of the path, its heading included.
    pub path: u16,
    /// How many channels there are.
    pub channels: usize,
    /// How many items of traffic there are.
    pub traffic: usize,
}

/// The lines of each section; a section without room has height 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Areas {
    pub title: Rect,
    pub progress: Rect,
    pub path: Rect,
    pub channels: Rect,
    pub contacts: Rect,
    pub traffic: Rect,
    pub log: Rect,
    pub footer: Rect,
}

const HEADING: u16 = 1;
/// What the log gets before others get more than the least.
const LOG_LEAST: u16 = 3;
/// What the log gets before others get everything they want.
const LOG_COMFORT: u16 = 8;

/// Divides the window. First every section gets its least, in order of importance; then they grow line by line in turn, the
/// log last; what is left over goes to the log.
pub fn split(area: Rect, wants: Wants) -> Areas {
    let lines = |n: usize| HEADING + u16::try_from(n).unwrap_or(u16::MAX - HEADING);
    let some = |n: usize, most: u16| if n == 0 { 0 } else { most.min(lines(n)) };
    let full = |n: usize| if n == 0 { 0 } else { lines(n) };
    // In order of importance: channels, traffic, path, log, contacts.
    let least =
        [some(wants.channels, 3), some(wants.traffic, 2), wants.path.min(3), LOG_LEAST, some(wants.channels, 3)];
    let most = [full(wants.channels), full(wants.traffic), wants.path, LOG_COMFORT, full(wants.channels)];

    let mut room = area.height.saturating_sub(3);
    let mut heights = [0_u16; 5];
    for (height, least) in heights.iter_mut().zip(least) {
        // Half a section would be a heading with nothing under it.
        if least <= room {
            *height = least;
            room -= least;
        }
    }
    while room > 0 {
        let before = room;
        for at in [2, 0, 1, 4, 3] {
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
    let [channels, traffic, path, log, contacts] = heights;

    let mut y = area.y;
    let mut take = |height: u16| {
        let rect = Rect::new(area.x, y, area.width, height);
        y += height;
        rect
    };
    Areas {
        title: take(1),
        progress: take(1),
        path: take(path),
        channels: take(channels),
        contacts: take(contacts),
        traffic: take(traffic),
        log: take(log),
        footer: Rect::new(area.x, area.bottom() - 1, area.width, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tall_window_has_room_for_everything() {
        let areas = split(Rect::new(0, 0, 120, 60), Wants { path: 3, channels: 4, traffic: 2 });
        assert_eq!(
            [areas.path.height, areas.channels.height, areas.contacts.height, areas.traffic.height],
            [3, 5, 5, 3]
        );
        assert_eq!(areas.log.height, 60 - 3 - 16);
        assert_eq!(areas.footer.y, 59);
    }

    #[test]
    fn no_window_is_overfilled() {
        for height in 15..80 {
            for channels in [0, 1, 4, 50] {
                for traffic in [0, 1, 30] {
                    for path in [0, 3, 12] {
                        let areas = split(Rect::new(0, 0, 80, height), Wants { path, channels, traffic });
                        assert!(areas.log.bottom() <= areas.footer.y, "{height} {channels} {traffic} {path}");
                        assert!(channels == 0 || areas.channels.height >= 2, "{height} {channels} {traffic} {path}");
                    }
                }
            }
        }
    }
}
