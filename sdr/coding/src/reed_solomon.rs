//! The Reed–Solomon codes (255,223) and (255,239) (CCSDS 131.0-B clause 4), with virtual fill and interleaving.
//!
//! [`ReedSolomon`] is the code of one code word, [`Interleaved`] that of a code block of 1, 2, 3, 4, 5 or 8 of them.
//!
//! The field is that of x^8 + x^7 + x^2 + x + 1, the roots of the generator polynomial α^(11 j) for j of 128 - E to 127 + E. On the link
//! symbols are in the dual basis of Berlekamp (clause 4.3.9); the [conventional](Basis::Conventional) one is used by some older radios.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod decoder;
mod field;
mod interleaved;
mod kernel;

use field::{FROM_DUAL, TO_DUAL, gamma, product};
pub use interleaved::{Depth, DepthError, FailedBlock, Interleaved};
use kernel::Engine;

/// Which of the two codes: how many symbols of a code word it can correct.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// E = 16: (255,223), 32 symbols of parity.
    E16,
    /// E = 8: (255,239), 16 symbols of parity.
    E8,
}

impl Code {
    /// Symbols of parity in a code word: 2 E.
    pub const fn parity(self) -> usize {
        match self {
            Code::E16 => 32,
            Code::E8 => 16,
        }
    }

    /// Symbols of data in a code word without virtual fill: 223 or 239.
    pub const fn data(self) -> usize {
        255 - self.parity()
    }
}

/// How the eight bits of a symbol stand for an element of the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Basis {
    /// Berlekamp's dual basis, which the standard asks for.
    Dual,
    /// Coefficients of α^7 to 1.
    Conventional,
}

/// What was asked of a code does not fit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UseError {
    /// Virtual fill that leaves no data.
    #[error("a virtual fill of {fill} symbols: the code has {data} symbols of data, and at least one must be left")]
    Fill {
        /// Symbols of fill asked for.
        fill: usize,
        /// Symbols of data in a code word.
        data: usize,
    },
    /// A slice of the wrong length.
    #[error("{found} octets where this code has {expected}")]
    Length {
        /// Octets that were given.
        found: usize,
        /// Octets that there must be.
        expected: usize,
    },
    /// An erasure that is not in the block.
    #[error("an erasure at symbol {place} of a block of {length}")]
    Erasure {
        /// Where it was said to be, from 0.
        place: usize,
        /// Symbols in a block, without the virtual fill.
        length: usize,
    },
}

/// Why a code word was not corrected. Its symbols are as they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// There is no code word within reach: more errors and erasures than the code can correct.
    #[error("more symbols are wrong than the code can correct")]
    Uncorrectable,
    /// What was given does not fit the code.
    #[error(transparent)]
    Use(#[from] UseError),
}

/// One Reed–Solomon code: of E, basis and virtual fill.
#[derive(Debug, Clone, Copy)]
pub struct ReedSolomon {
    code: Code,
    basis: Basis,
    fill: usize,
    engine: Engine,
}

impl ReedSolomon {
    /// The code in the dual basis, without virtual fill.
    pub fn new(code: Code) -> Self {
        ReedSolomon { code, basis: Basis::Dual, fill: 0, engine: Engine::fastest() }
    }

    /// The same code without vector instructions. It gives the same answers.
    pub fn portable(self) -> Self {
        ReedSolomon { engine: Engine::Portable, ..self }
    }

    /// The code in another basis.
    pub fn with_basis(self, basis: Basis) -> Self {
        ReedSolomon { basis, ..self }
    }

    /// The code shortened by so many symbols, zeros that stand before the data and are not sent (clause 4.3.7).
    ///
    /// # Errors
    /// If no data are left.
    pub fn with_fill(self, fill: usize) -> Result<Self, UseError> {
        let data = self.code.data();
        if fill >= data {
            return Err(UseError::Fill { fill, data });
        }
        Ok(ReedSolomon { fill, ..self })
    }

    /// Symbols of data: 223 or 239 less the virtual fill.
    pub fn data_len(&self) -> usize {
        self.code.data() - self.fill
    }

    /// Symbols of parity: 32 or 16.
    pub fn parity_len(&self) -> usize {
        self.code.parity()
    }

    /// Symbols that are sent: data and parity.
    pub fn block_len(&self) -> usize {
        255 - self.fill
    }

    /// Computes the parity of these data.
    ///
    /// # Errors
    /// If either has not the length it should have.
    pub fn encode(&self, data: &[u8], parity: &mut [u8]) -> Result<(), UseError> {
        expect(data.len(), self.data_len())?;
        expect(parity.len(), self.parity_len())?;
        self.encode_symbols(data.iter().copied(), |at, symbol| parity[at] = symbol);
        Ok(())
    }

    /// The same for symbols that come from anywhere.
    fn encode_symbols(&self, data: impl Iterator<Item = u8>, mut put: impl FnMut(usize, u8)) {
        let (mut high, mut low) = (0u128, 0u128);
        match self.code {
            Code::E16 => {
                for symbol in data {
                    let (first, second) = FEEDBACK_E16[usize::from(self.inward(symbol) ^ (high >> 120) as u8)];
                    high = (high << 8 | low >> 120) ^ first;
                    low = low << 8 ^ second;
                }
            }
            Code::E8 => {
                for symbol in data {
                    high = high << 8 ^ FEEDBACK_E8[usize::from(self.inward(symbol) ^ (high >> 120) as u8)];
                }
            }
        }
        let symbols = high.to_be_bytes().into_iter().chain(low.to_be_bytes());
        symbols.take(self.parity_len()).enumerate().for_each(|(at, symbol)| put(at, self.outward(symbol)));
    }

    /// Corrects a block of data and parity in place; gives how many symbols that changed.
    ///
    /// # Errors
    /// If it cannot be corrected, or has not the length it should have. It is then left as it was.
    pub fn decode(&self, block: &mut [u8]) -> Result<usize, DecodeError> {
        self.decode_with_erasures(block, &[])
    }

    /// Corrects a block of which some symbols are known to be worthless: e errors and f erasures if 2 e + f is at most 32, or 16.
    ///
    /// Erasures are places in the block, from 0; naming one twice changes nothing. Gives how many symbols changed.
    ///
    /// # Errors
    /// If it cannot be corrected, or what was given does not fit the code. It is then left as it was.
    pub fn decode_with_erasures(&self, block: &mut [u8], erasures: &[usize]) -> Result<usize, DecodeError> {
        let length = self.block_len();
        expect(block.len(), length)?;
        let begin = 256 - length;
        let mut erased = [0u8; 32];
        let mut count = 0;
        for place in erasures {
            if *place >= length {
                return Err(UseError::Erasure { place: *place, length }.into());
            }
            let place = (begin + place) as u8;
            if !erased[..count].contains(&place) {
                if count == self.parity_len() {
                    return Err(DecodeError::Uncorrectable);
                }
                erased[count] = place;
                count += 1;
            }
        }
        let mut word = [0; 256];
        match self.basis {
            Basis::Conventional => word[begin..].copy_from_slice(block),
            Basis::Dual => {
                word[begin..]
                    .iter_mut()
                    .zip(&*block)
                    .for_each(|(symbol, dual)| *symbol = FROM_DUAL[usize::from(*dual)]);
            }
        }
        let found = decoder::corrections(self.engine, &word, self.parity_len(), begin, &erased[..count]);
        let found = found.ok_or(DecodeError::Uncorrectable)?;
        let mut changed = 0;
        for (place, value) in found.places[..found.count].iter().zip(found.values) {
            block[usize::from(*place) - begin] ^= self.outward(value);
            changed += usize::from(value != 0);
        }
        Ok(changed)
    }

    fn inward(&self, symbol: u8) -> u8 {
        match self.basis {
            Basis::Dual => FROM_DUAL[usize::from(symbol)],
            Basis::Conventional => symbol,
        }
    }

    fn outward(&self, symbol: u8) -> u8 {
        match self.basis {
            Basis::Dual => TO_DUAL[usize::from(symbol)],
            Basis::Conventional => symbol,
        }
    }
}

fn expect(found: usize, expected: usize) -> Result<(), UseError> {
    if found == expected { Ok(()) } else { Err(UseError::Length { found, expected }) }
}

/// The product of (x - γ^j) for j of 128 - E to 127 + E, without the leading one, the highest power first.
const fn generator<const PARITY: usize>() -> [u8; PARITY] {
    let mut polynomial = [0; PARITY];
    let mut degree = 0;
    // What stands at `PARITY - 1` is the constant; the leading one is implied at `PARITY - 1 - degree`.
    while degree < PARITY {
        let root = gamma(128 - PARITY / 2 + degree);
        let mut next = [0; PARITY];
        let mut power = 0;
        while power <= degree {
            let here = if power == degree { 1 } else { polynomial[PARITY - 1 - power] };
            next[PARITY - 1 - power] ^= product(here, root);
            if power < degree {
                next[PARITY - 2 - power] ^= here;
            }
            power += 1;
        }
        polynomial = next;
        degree += 1;
    }
    polynomial
}

/// What the feedback of an encoder adds to its registers, for each symbol fed back.
static FEEDBACK_E16: [(u128, u128); 256] = {
    let polynomial = generator::<32>();
    let mut all = [(0, 0); 256];
    let mut value = 0;
    while value < 256 {
        let mut at = 0;
        while at < 16 {
            all[value].0 = all[value].0 << 8 | product(polynomial[at], value as u8) as u128;
            all[value].1 = all[value].1 << 8 | product(polynomial[at + 16], value as u8) as u128;
            at += 1;
        }
        value += 1;
    }
    all
};

static FEEDBACK_E8: [u128; 256] = {
    let polynomial = generator::<16>();
    let mut all = [0; 256];
    let mut value = 0;
    while value < 256 {
        let mut at = 0;
        while at < 16 {
            all[value] = all[value] << 8 | product(polynomial[at], value as u8) as u128;
            at += 1;
        }
        value += 1;
    }
    all
};
