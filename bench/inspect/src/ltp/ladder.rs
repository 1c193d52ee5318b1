use farlink_wire::ltp::Party;

use super::{SegmentView, segment_line};
use crate::tree::wrap;

/// Columns of the line of what is said on a rung.
const ROOM: usize = 66;

/// A rung of a session's ladder: when, which packet, and what went which way. The block's sender stands at the left.
pub fn rung(view: &SegmentView, sent_by: Party, since_first_ns: Option<i128>, packet: u64) -> Vec<String> {
    let when = since_first_ns.map_or_else(
        || "?".to_owned(),
        |ns| {
            let micros = ns.div_euclid(1000);
            format!("{}.{:06}", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000))
        },
    );
    let text = wrap(&segment_line(view), ROOM);
    let mut lines = Vec::new();
    for (n, part) in text.iter().enumerate() {
        let fill = |used: usize| "─".repeat(ROOM.saturating_sub(used) + 1);
        let arrow = match (sent_by, n) {
            (Party::Sender, 0) => format!("│─ {part} {}▶│", fill(part.chars().count())),
            (Party::Receiver, 0) => format!("│◀─ {part} {}│", fill(part.chars().count())),
            (Party::Sender, _) => format!("│  {part:ROOM$}   │"),
            (Party::Receiver, _) => format!("│   {part:ROOM$}  │"),
        };
        lines.push(match n {
            0 => format!("{when:>14} {packet:>7}  {arrow}"),
            _ => format!("{:>14} {:>7}  {arrow}", "", ""),
        });
    }
    lines
}
