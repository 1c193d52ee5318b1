//! Time-varying processes see a frame in pieces.

use farlink_units::Instant;

use super::Airtime;

/// Cuts a frame where the conditions change. `conditions` tells what holds at an instant and until when; `piece` is given
/// that, the first bit of the piece and the first bit after it. Every bit belongs to the instant at which it begins to leave.
pub(super) fn spans<T>(
    frame: &Airtime,
    mut conditions: impl FnMut(Instant) -> (T, Instant),
    mut piece: impl FnMut(T, u64, u64),
) {
    let nanos = |at: Instant| (i128::from(at.as_nanos()) - i128::from(frame.start.as_nanos())).max(0) as u128;
    let (bits, length) = (u128::from(frame.bits), nanos(frame.end));
    let mut bit = 0;
    while bit < frame.bits {
        let offset = u128::from(bit) * length / bits;
        let at = frame.start + farlink_units::Duration::from_nanos(i64::try_from(offset).unwrap_or(i64::MAX));
        let (holds, end) = conditions(at);
        // The first bit that begins no earlier than the end.
        let next = if end >= frame.end || length == 0 {
            frame.bits
        } else {
            let next = (nanos(end) * bits).div_ceil(length);
            u64::try_from(next).unwrap_or(frame.bits).clamp(bit + 1, frame.bits)
        };
        piece(holds, bit, next);
        bit = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_follow_the_conditions() {
        let at = Instant::from_nanos;
        let mut pieces = Vec::new();
        let frame = Airtime { start: at(100), end: at(200), bits: 10 };
        // What holds changes every 25 ns.
        let conditions = |t: Instant| (t.as_nanos() / 25, at((t.as_nanos() / 25 + 1) * 25));
        spans(&frame, conditions, |holds, from, to| pieces.push((holds, from, to)));
        // Bits begin at 100, 110, 120 | 130, 140 | 150, 160, 170 | 180, 190.
        assert_eq!(pieces, [(4, 0, 3), (5, 3, 5), (6, 5, 8), (7, 8, 10)]);
        pieces.clear();
        spans(&Airtime { end: at(100), ..frame }, conditions, |holds, from, to| pieces.push((holds, from, to)));
        assert_eq!(pieces, [(4, 0, 10)]);
        pieces.clear();
        spans(&Airtime { bits: 0, ..frame }, conditions, |holds, from, to| pieces.push((holds, from, to)));
        assert_eq!(pieces, []);
    }
}
