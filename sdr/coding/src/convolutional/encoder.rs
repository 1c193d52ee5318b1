//! Bits into channel symbols.

use super::{G1, G2, Rate};

/// The convolutional encoder. It keeps its register and its place in the puncturing between calls, so a stream may come in pieces.
///
/// It begins with a register of zeros.
#[derive(Debug, Clone)]
pub struct Encoder {
    rate: Rate,
    /// The last six bits, the newest in the least significant place.
    register: u8,
    /// Where in the pattern of the puncturing the next symbol is.
    place: usize,
    /// Symbols that do not fill an octet yet, and how many.
    partial: u8,
    filled: u32,
}

impl Encoder {
    /// An encoder at this rate, its register zero.
    pub fn new(rate: Rate) -> Self {
        Encoder { rate, register: 0, place: 0, partial: 0, filled: 0 }
    }

    /// The last six bits encoded, the newest in the least significant place: the state in which a [`Viterbi`](super::Viterbi) ends.
    pub fn state(&self) -> u8 {
        self.register
    }

    /// Encodes packed octets, most significant bit first, and appends the channel symbols as single bits (0 or 1).
    pub fn encode(&mut self, octets: &[u8], symbols: &mut Vec<u8>) {
        symbols.reserve(octets.len() * 16);
        for octet in octets {
            let pairs = self.step(*octet, 8);
            self.puncture(pairs, 16, |bit| symbols.push(bit));
        }
    }

    /// Encodes single bits (0 or 1; of other values only the least significant bit counts) and appends the symbols as single bits.
    pub fn encode_bits(&mut self, bits: &[u8], symbols: &mut Vec<u8>) {
        symbols.reserve(bits.len() * 2);
        for bit in bits {
            let pair = self.step(bit & 1, 1);
            self.puncture(pair, 2, |bit| symbols.push(bit));
        }
    }

    /// Encodes packed octets and appends packed symbols. Symbols that do not fill an octet wait for the next call or [`flush`](Self::flush).
    pub fn encode_packed(&mut self, octets: &[u8], packed: &mut Vec<u8>) {
        packed.reserve(octets.len() * 2 + 1);
        if self.rate == Rate::Half && self.filled == 0 {
            for octet in octets {
                let pairs = self.step(*octet, 8);
                packed.extend_from_slice(&pairs.to_be_bytes());
            }
            return;
        }
        for octet in octets {
            let pairs = self.step(*octet, 8);
            let (mut partial, mut filled) = (self.partial, self.filled);
            self.puncture(pairs, 16, |bit| {
                partial = partial << 1 | bit;
                filled += 1;
                if filled == 8 {
                    packed.push(partial);
                    (partial, filled) = (0, 0);
                }
            });
            (self.partial, self.filled) = (partial, filled);
        }
    }

    /// Appends the symbols that [`encode_packed`](Self::encode_packed) holds back, with zeros behind them, and tells how many there are (0 to 7).
    pub fn flush(&mut self, packed: &mut Vec<u8>) -> u32 {
        let filled = std::mem::take(&mut self.filled);
        if filled > 0 {
            packed.push(self.partial << (8 - filled));
        }
        self.partial = 0;
        filled
    }

    /// The pairs of symbols of so many bits (at most 8), as the lower bits of a word, the earliest the most significant.
    fn step(&mut self, bits: u8, count: u32) -> u16 {
        let window = u32::from(self.register) << count | u32::from(bits);
        self.register = (window & 0x3f) as u8;
        let first = by(G1, window);
        let second = by(G2, window) ^ if self.rate.inverts_second() { u32::MAX } else { 0 };
        let pairs = spread(first as u8) << 1 | spread(second as u8);
        if count == 8 { pairs } else { pairs & ((1 << (2 * count)) - 1) }
    }

    fn puncture(&mut self, pairs: u16, count: u32, mut sent: impl FnMut(u8)) {
        let pattern = self.rate.pattern();
        for at in (0..count).rev() {
            if pattern[self.place] {
                sent((pairs >> at & 1) as u8);
            }
            self.place += 1;
            if self.place == pattern.len() {
                self.place = 0;
            }
        }
    }
}

/// What a generator makes of each bit of the window with the six before it.
fn by(generator: u32, window: u32) -> u32 {
    (0..7).filter(|delay| generator >> delay & 1 == 1).fold(0, |sum, delay| sum ^ window >> delay)
}

/// An octet with a zero before each bit.
fn spread(octet: u8) -> u16 {
    let mut bits = u16::from(octet);
    bits = (bits | bits << 4) & 0x0f0f;
    bits = (bits | bits << 2) & 0x3333;
    (bits | bits << 1) & 0x5555
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(bits: &[u8]) -> Vec<u8> {
        bits.chunks(8).map(|octet| octet.iter().enumerate().fold(0, |sum, (at, bit)| sum | bit << (7 - at))).collect()
    }

    /// The shift register of CCSDS 131.0-B figure 3-1, stage by stage.
    fn register(bits: &[u8], rate: Rate) -> Vec<u8> {
        let (g1, g2) = ([1, 1, 1, 1, 0, 0, 1], [1, 0, 1, 1, 0, 1, 1]);
        let mut stages = [0u8; 7];
        let mut all = Vec::new();
        for bit in bits {
            stages.rotate_right(1);
            stages[0] = *bit;
            let sum = |taps: [u8; 7]| stages.iter().zip(taps).fold(0, |sum, (stage, tap)| sum ^ stage & tap);
            all.push(sum(g1));
            all.push(sum(g2) ^ u8::from(rate == Rate::Half));
        }
        all.into_iter()
            .zip(rate.pattern().iter().cycle())
            .filter(|(_, sent)| **sent)
            .map(|(symbol, _)| symbol)
            .collect()
    }

    fn bits(octets: &[u8]) -> Vec<u8> {
        octets.iter().flat_map(|octet| (0..8).rev().map(move |at| octet >> at & 1)).collect()
    }

    #[test]
    fn symbols_are_those_of_the_shift_register_however_they_are_fed() {
        let data: Vec<u8> = (0..200u32).map(|at| (at * at * 31 + at * 7) as u8).collect();
        for rate in Rate::ALL {
            let expected = register(&bits(&data), rate);
            let mut whole = Vec::new();
            Encoder::new(rate).encode(&data, &mut whole);
            assert_eq!(whole, expected, "{rate}");

            let mut single = Vec::new();
            let mut encoder = Encoder::new(rate);
            for bit in bits(&data) {
                encoder.encode_bits(&[bit], &mut single);
            }
            assert_eq!(single, expected, "{rate}");

            let mut packed = Vec::new();
            let mut encoder = Encoder::new(rate);
            for piece in data.chunks(3) {
                encoder.encode_packed(piece, &mut packed);
            }
            encoder.flush(&mut packed);
            assert_eq!(packed, pack(&expected), "{rate}");
            assert_eq!(encoder.state(), data[data.len() - 1] & 0x3f);
        }
    }

    #[test]
    fn flush_tells_how_many_symbols_it_gave() {
        let mut encoder = Encoder::new(Rate::ThreeQuarters);
        let mut packed = Vec::new();
        encoder.encode_packed(&[0xa5], &mut packed);
        // Eight bits are two periods of four symbols and two bits of a third, of which three symbols are sent.
        assert_eq!((packed.len(), encoder.flush(&mut packed), packed.len()), (1, 3, 2));
        assert_eq!(encoder.flush(&mut packed), 0);
    }
}
