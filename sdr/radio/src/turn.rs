//! What a receiver cannot know of its phase, and how soft symbols are turned back.

use farlink_modem::Modulation;

/// One of the ways in which soft symbols may have come out of a receiver (see the table at [`farlink_modem::Receiver`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// As they were sent, or all inverted, which a marker tells.
    None,
    /// QPSK, a quarter: (a, b) came as (b̄, a).
    Quarter,
    /// The symbols of even places (first), of odd places (second), counted from the run's first, are inverted.
    Alternate(bool, bool),
    /// 8PSK, by so many eighths of a circle.
    Eighths(u8),
}

/// Bits of 8PSK, the first the highest, around the circle.
const CIRCLE: [u8; 8] = [0b000, 0b001, 0b011, 0b010, 0b110, 0b111, 0b101, 0b100];

impl Turn {
    /// All turns of a modulation. With `but_inverted`, the ones that are others inverted are left out.
    pub fn all(modulation: &Modulation, but_inverted: bool) -> Vec<Turn> {
        match modulation {
            Modulation::Bpsk | Modulation::ResidualCarrier { .. } => vec![Turn::None],
            Modulation::Qpsk => vec![Turn::None, Turn::Quarter],
            Modulation::Oqpsk | Modulation::Gmsk { .. } => {
                let mut turns = vec![Turn::None, Turn::Alternate(false, true)];
                if !but_inverted {
                    turns.extend([Turn::Alternate(true, true), Turn::Alternate(true, false)]);
                }
                turns
            }
            // Half a circle leaves the third bit of the three as it is, so none is another one inverted.
            Modulation::Psk8 => (0..8).map(Turn::Eighths).collect(),
        }
    }

    /// Turns soft symbols back, which begin at the first of a symbol.
    pub fn undo(self, soft: &mut [i8]) {
        match self {
            Turn::None | Turn::Alternate(false, false) | Turn::Eighths(0) => {}
            Turn::Quarter => soft.chunks_exact_mut(2).for_each(|p| (p[0], p[1]) = (p[1], p[0].saturating_neg())),
            Turn::Alternate(even, odd) => {
                let from = usize::from(!even);
                let step = if even && odd { 1 } else { 2 };
                soft.iter_mut().skip(from).step_by(step).for_each(|s| *s = s.saturating_neg());
            }
            Turn::Eighths(eighths) => soft.chunks_exact_mut(3).for_each(|symbol| turn_back(symbol, eighths)),
        }
    }
}

/// The three soft symbols of a point that was turned by so many eighths: each point's likelihood is made of the three, moves to the point that it
/// was sent as, and each bit takes the likeliest points. By quarters this is exact; by odd eighths it is what is left of the likelihoods
/// of eight points in three numbers.
fn turn_back(symbol: &mut [i8], eighths: u8) {
    let mut likelihood = [0i32; 8];
    for place in 0..8 {
        let bits = CIRCLE[place];
        let sum =
            (0..3).map(|at| if bits << at & 4 == 0 { i32::from(symbol[at]) } else { -i32::from(symbol[at]) }).sum();
        likelihood[usize::from(CIRCLE[(place + 8 - usize::from(eighths)) % 8])] = sum;
    }
    for (at, soft) in symbol.iter_mut().enumerate() {
        let best = |one: bool| {
            let of = (0..8).filter(|bits| (bits << at & 4 != 0) == one).map(|bits| likelihood[bits]).max();
            of.unwrap_or(0)
        };
        *soft = ((best(false) - best(true)) / 2).clamp(-127, 127) as i8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out of a receiver whose phase is wrong by so many eighths, without noise.
    fn turned(bits: &[u8], eighths: usize) -> Vec<i8> {
        let place = CIRCLE.iter().position(|c| *c == bits[0] << 2 | bits[1] << 1 | bits[2]).unwrap();
        let came = CIRCLE[(place + eighths) % 8];
        (0..3).map(|at| if came << at & 4 == 0 { 40 } else { -40 }).collect()
    }

    #[test]
    fn every_turn_of_eight_points_is_undone() {
        for value in 0..8u8 {
            let bits = [value >> 2, value >> 1 & 1, value & 1];
            for eighths in 0..8 {
                let mut soft = turned(&bits, eighths);
                Turn::Eighths(eighths as u8).undo(&mut soft);
                let hard: Vec<u8> = soft.iter().map(|s| u8::from(*s < 0)).collect();
                assert_eq!(hard, bits, "{eighths} eighths: {soft:?}");
            }
        }
    }

    #[test]
    fn no_turn_changes_nothing_and_alternate_turns_invert_their_places() {
        let soft = [1, -2, 3, -4, 5, -6];
        let undone = |turn: Turn| {
            let mut copy = soft;
            turn.undo(&mut copy);
            copy
        };
        assert_eq!(undone(Turn::None), soft);
        assert_eq!(undone(Turn::Eighths(0)), soft);
        assert_eq!(undone(Turn::Alternate(false, true)), [1, 2, 3, 4, 5, 6]);
        assert_eq!(undone(Turn::Alternate(true, false)), [-1, -2, -3, -4, -5, -6]);
        assert_eq!(undone(Turn::Alternate(true, true)), soft.map(|s| -s));
        assert_eq!(undone(Turn::Quarter), [-2, -1, -4, -3, -6, -5]);
    }
}
