//! Communications link transmission units: command frames for the uplink (231.0-B-4).
//!
//! A start sequence, code blocks, and a tail sequence that no code block can be. [`encode`] writes one; [`Receiver`] finds them in a stream
//! of soft symbols, inverted or not, and gives the octets of the code blocks up to the first that cannot be decoded. How much of that
//! is fill the frames themselves say, by their length field.
//!
//! ```
//! use farlink_coding::cltu::{Coding, Mode, Receiver, encode};
//!
//! let coding = Coding::Bch { mode: Mode::SingleErrorCorrection, randomised: true };
//! let cltu = encode(coding, b"go to safe mode");
//! let soft: Vec<i8> = cltu.iter().flat_map(|o| (0..8).rev().map(move |b| if o >> b & 1 == 0 { 9 } else { -9 })).collect();
//! let mut receiver = Receiver::new(coding, 100);
//! let received = receiver.read(&mut &soft[..]).unwrap();
//! assert!(received.octets.starts_with(b"go to safe mode"));
//! ```

mod bch;

pub use bch::{BLOCK as BCH_BLOCK, INFORMATION as BCH_INFORMATION, Mode, decode as bch_decode, parity as bch_parity};

use crate::ldpc::{self, Code};
use crate::marker::{Marker, signs};
use crate::randomiser::Randomiser;

/// The tail sequence of BCH-coded units (231.0-B-4 section 5).
pub const BCH_TAIL: [u8; 8] = [0xC5, 0xC5, 0xC5, 0xC5, 0xC5, 0xC5, 0xC5, 0x79];
/// The tail sequence of units coded with LDPC (128, 64), which may be left out; those of (512, 256) have none.
pub const LDPC_TAIL: [u8; 16] =
    [0x55, 0x55, 0x55, 0x56, 0xAA, 0xAA, 0xAA, 0xAA, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55];
/// Alternating bits fill the last code block; they begin with 0.
const FILL: u8 = 0x55;
/// Beyond this a command of (512, 256) or (128, 64) that does not converge will not.
const LDPC_ITERATIONS: u32 = 50;

/// How a unit is coded.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Coding {
    /// BCH (63, 56). The frames are randomised or not; the fill is not.
    Bch {
        /// What the receiver does about errors.
        mode: Mode,
        /// Whether the frames are randomised.
        randomised: bool,
    },
    /// LDPC (128, 64): each codeword is randomised by itself.
    Ldpc128 {
        /// Whether the tail sequence is sent.
        tail: bool,
    },
    /// LDPC (512, 256): each codeword is randomised by itself.
    Ldpc512,
}

impl Coding {
    fn start(self) -> Marker {
        match self {
            Coding::Bch { .. } => Marker::COMMAND,
            Coding::Ldpc128 { .. } | Coding::Ldpc512 => Marker::LDPC,
        }
    }

    /// Errors allowed in the start sequence: one with correction of single errors, none else with BCH (231.0-B-4 section 5);
    /// of the 64 bits for LDPC eleven, which chance meets once in 1e7 places, and then no codeword follows.
    fn start_errors(self) -> u32 {
        match self {
            Coding::Bch { mode: Mode::TripleErrorDetection, .. } => 0,
            Coding::Bch { mode: Mode::SingleErrorCorrection, .. } => 1,
            Coding::Ldpc128 { .. } | Coding::Ldpc512 => 11,
        }
    }

    fn code(self) -> Option<Code> {
        match self {
            Coding::Bch { .. } => None,
            Coding::Ldpc128 { .. } => Some(Code::Tc128),
            Coding::Ldpc512 => Some(Code::Tc512),
        }
    }

    /// Symbols of a code block.
    fn block_symbols(self) -> usize {
        self.code().map_or(8 * bch::BLOCK, Code::codeword_bits)
    }
}

/// The unit that carries these octets: one or more frames.
pub fn encode(coding: Coding, frames: &[u8]) -> Vec<u8> {
    let mut out = coding.start().octets().to_vec();
    match coding {
        Coding::Bch { randomised, .. } => {
            let mut octets = frames.to_vec();
            if randomised {
                Randomiser::Tc.apply(&mut octets);
            }
            for block in octets.chunks(bch::INFORMATION) {
                let mut information = [FILL; bch::INFORMATION];
                information[..block.len()].copy_from_slice(block);
                out.extend_from_slice(&information);
                out.push(bch::parity(&information));
            }
            out.extend_from_slice(&BCH_TAIL);
        }
        Coding::Ldpc128 { tail } => {
            encode_ldpc(Code::Tc128, frames, &mut out);
            if tail {
                out.extend_from_slice(&LDPC_TAIL);
            }
        }
        Coding::Ldpc512 => encode_ldpc(Code::Tc512, frames, &mut out),
    }
    out
}

fn encode_ldpc(code: Code, frames: &[u8], out: &mut Vec<u8>) {
    let encoder = ldpc::Encoder::new(code);
    for block in frames.chunks(code.information_octets()) {
        let mut information = vec![FILL; code.information_octets()];
        information[..block.len()].copy_from_slice(block);
        let mut codeword = encoder.encode(&information).expect("the block has the code's length");
        Randomiser::Tc.apply(&mut codeword);
        out.extend_from_slice(&codeword);
    }
}

/// Why a unit ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum End {
    /// By the tail sequence, with that many wrong bits; fewer than a quarter of it.
    Tail(u32),
    /// By a code block that could not be decoded and is not the tail.
    Undecodable,
    /// After as many code blocks as the receiver takes.
    TooLong,
    /// By the end of the stream.
    Stream,
}

/// A unit that was received.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Received {
    /// The octets of the code blocks, randomisation undone: frames, and the fill behind them.
    pub octets: Vec<u8>,
    /// Code blocks that were decoded.
    pub blocks: usize,
    /// Bits corrected with BCH. With LDPC, 0.
    pub corrected: u32,
    /// Whether the symbols came inverted.
    pub inverted: bool,
    /// Where the first code block is in the stream, in symbols.
    pub at: u64,
    /// Why it ended.
    pub end: End,
}

/// Finds units in a stream of soft symbols (231.0-B-4 section 5: it searches for a start sequence, decodes code blocks until one is
/// rejected, and searches again). It holds one unit of at most so many code blocks as it is told to take.
#[derive(Clone, Debug)]
pub struct Receiver {
    coding: Coding,
    max_blocks: usize,
    start: Vec<i8>,
    decoder: Option<ldpc::Decoder>,
    held: Vec<i8>,
    at: u64,
    unit: Option<Received>,
}

impl Receiver {
    /// A receiver that takes units of at most `max_blocks` code blocks.
    pub fn new(coding: Coding, max_blocks: usize) -> Self {
        let decoder = coding.code().map(|code| ldpc::Decoder::new(code, LDPC_ITERATIONS));
        Receiver { coding, max_blocks, start: coding.start().signs(), decoder, held: Vec::new(), at: 0, unit: None }
    }

    /// Takes symbols from the front of `input` up to the end of a unit, which it returns; `None` once `input` is used up.
    /// So it is to be called until it returns `None`.
    pub fn read(&mut self, input: &mut &[i8]) -> Option<Received> {
        loop {
            let Some(unit) = &mut self.unit else {
                self.search(input)?;
                continue;
            };
            if unit.blocks < self.max_blocks {
                let block = self.coding.block_symbols();
                let missing = block.saturating_sub(self.held.len());
                let (taken, rest) = input.split_at(missing.min(input.len()));
                self.held.extend_from_slice(taken);
                self.at += taken.len() as u64;
                *input = rest;
                if self.held.len() < block {
                    return None;
                }
                let decoded = decode_block(self.coding, self.decoder.as_mut(), &self.held[..block], unit);
                if let Some(corrected) = decoded {
                    unit.blocks += 1;
                    unit.corrected += corrected;
                    self.held.drain(..block);
                    continue;
                }
                unit.end = how_it_ended(self.coding, &self.held[..block], unit.inverted);
                if matches!(unit.end, End::Tail(_)) {
                    self.held.drain(..block);
                }
                // What is no tail may hold the next start sequence: it is searched again.
            }
            if let Some(unit) = self.close() {
                return Some(unit);
            }
        }
    }

    /// Ends the stream, and gives the unit that was under way. Codes without a tail sequence need the symbols of one more block, or
    /// this, to know that a unit is over. What comes next is another stream.
    pub fn finish(&mut self) -> Option<Received> {
        self.held.clear();
        self.unit.as_mut()?.end = End::Stream;
        self.close()
    }

    /// The unit, if it came to anything.
    fn close(&mut self) -> Option<Received> {
        let mut unit = self.unit.take()?;
        if matches!(self.coding, Coding::Bch { randomised: true, .. }) {
            Randomiser::Tc.apply(&mut unit.octets);
        }
        (unit.blocks > 0).then_some(unit)
    }

    /// Goes behind the next start sequence; `None` if the input ends before.
    fn search(&mut self, input: &mut &[i8]) -> Option<()> {
        let length = self.start.len();
        let mut from = 0;
        loop {
            if self.held.len() - from < length {
                self.held.drain(..from);
                from = 0;
                // In pieces, so that what is held stays small.
                let wanted = (4 * length).saturating_sub(self.held.len()).min(input.len());
                let (taken, rest) = input.split_at(wanted);
                self.held.extend_from_slice(taken);
                self.at += taken.len() as u64;
                *input = rest;
                if self.held.len() < length {
                    return None;
                }
            }
            let window = &self.held[from..from + length];
            let wrong = window.iter().zip(&self.start).filter(|(s, m)| (**s < 0) != (**m < 0)).count() as u32;
            let inverted = length as u32 - wrong <= self.coding.start_errors();
            // A stretch of erasures is no start sequence, whatever its signs.
            let sure = window.iter().filter(|&&s| s != 0).count() > length / 2;
            if sure && (inverted || wrong <= self.coding.start_errors()) {
                let rest = self.held.split_off(from + length);
                let at = self.at - rest.len() as u64;
                self.unit =
                    Some(Received { octets: Vec::new(), blocks: 0, corrected: 0, inverted, at, end: End::TooLong });
                self.held = rest;
                return Some(());
            }
            from += 1;
        }
    }
}

/// Appends the information of a code block to the unit; the bits corrected in it, or `None` if it cannot be decoded.
fn decode_block(coding: Coding, decoder: Option<&mut ldpc::Decoder>, soft: &[i8], unit: &mut Received) -> Option<u32> {
    match (coding, decoder) {
        (Coding::Bch { mode, .. }, _) => {
            let block = pack(soft, unit.inverted).try_into().ok()?;
            let (information, corrected) = bch::decode(&block, mode)?;
            unit.octets.extend_from_slice(&information);
            Some(corrected)
        }
        (_, None) => None,
        (_, Some(decoder)) => {
            let mut soft = soft.to_vec();
            if unit.inverted {
                soft.iter_mut().for_each(|s| *s = s.saturating_neg());
            }
            Randomiser::Tc.apply_soft(&mut soft);
            let from = unit.octets.len();
            unit.octets.resize(from + decoder.code().information_octets(), 0);
            let decoded = decoder.decode(&soft, &mut unit.octets[from..]);
            if decoded.is_err() {
                unit.octets.truncate(from);
            }
            decoded.is_ok().then_some(0)
        }
    }
}

fn how_it_ended(coding: Coding, soft: &[i8], inverted: bool) -> End {
    let tail: &[u8] = match coding {
        Coding::Bch { .. } => &BCH_TAIL,
        Coding::Ldpc128 { tail: true } => &LDPC_TAIL,
        Coding::Ldpc128 { tail: false } | Coding::Ldpc512 => return End::Undecodable,
    };
    let wrong = soft.iter().zip(signs(tail)).filter(|(s, m)| ((**s < 0) != inverted) != (*m < 0)).count();
    if wrong < 2 * tail.len() { End::Tail(wrong as u32) } else { End::Undecodable }
}

fn pack(soft: &[i8], inverted: bool) -> Vec<u8> {
    let bit = |octet: u8, s: &i8| octet << 1 | u8::from((*s < 0) != inverted);
    soft.chunks(8).map(|eight| eight.iter().fold(0, bit)).collect()
}
