//! Several code words in one block, symbol by symbol in turn (CCSDS 131.0-B clause 4.3.5).

use super::{DecodeError, ReedSolomon, UseError, expect};

/// How many code words share a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Depth(u8);

/// A depth that the standard does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an interleaving depth of {0}: it must be 1, 2, 3, 4, 5 or 8 (CCSDS 131.0-B clause 4.3.5)")]
pub struct DepthError(pub usize);

impl TryFrom<usize> for Depth {
    type Error = DepthError;

    fn try_from(depth: usize) -> Result<Self, DepthError> {
        if matches!(depth, 1..=5 | 8) { Ok(Depth(depth as u8)) } else { Err(DepthError(depth)) }
    }
}

impl From<Depth> for usize {
    fn from(depth: Depth) -> usize {
        usize::from(depth.0)
    }
}

/// A block some of whose code words could not be corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FailedBlock {
    /// These code words are as they were received; the others are corrected.
    #[error("{failed} of {of} code words have more wrong symbols than the code can correct")]
    Uncorrectable {
        /// Code words that failed.
        failed: usize,
        /// Code words in the block.
        of: usize,
        /// Symbols that were corrected in the others.
        corrected: usize,
    },
    /// What was given does not fit the code. The block is as it was.
    #[error(transparent)]
    Use(#[from] UseError),
}

/// A Reed–Solomon code, interleaved: symbol i of data or parity belongs to code word i modulo the depth.
#[derive(Debug, Clone, Copy)]
pub struct Interleaved {
    code: ReedSolomon,
    depth: usize,
}

impl Interleaved {
    /// The code at this depth. A virtual fill of q symbols a code word makes q times the depth a block.
    pub fn new(code: ReedSolomon, depth: Depth) -> Self {
        Interleaved { code, depth: depth.into() }
    }

    /// Octets of data in a block: the length of a transfer frame.
    pub fn data_len(&self) -> usize {
        self.code.data_len() * self.depth
    }

    /// Octets of a block: data and parity.
    pub fn block_len(&self) -> usize {
        self.code.block_len() * self.depth
    }

    /// Appends the block of these data.
    ///
    /// # Errors
    /// If they have not the length they should have; nothing is appended then.
    pub fn encode(&self, data: &[u8], block: &mut Vec<u8>) -> Result<(), UseError> {
        expect(data.len(), self.data_len())?;
        block.extend_from_slice(data);
        let begin = block.len();
        block.resize(begin + self.code.parity_len() * self.depth, 0);
        let parity = &mut block[begin..];
        for word in 0..self.depth {
            let symbols = data.iter().skip(word).step_by(self.depth).copied();
            self.code.encode_symbols(symbols, |at, symbol| parity[at * self.depth + word] = symbol);
        }
        Ok(())
    }

    /// Corrects a block in place; gives how many symbols that changed in all.
    ///
    /// # Errors
    /// If a code word cannot be corrected, or the block has not the length it should have.
    pub fn decode(&self, block: &mut [u8]) -> Result<usize, FailedBlock> {
        self.decode_with_erasures(block, &[])
    }

    /// The same with octets of the block that are known to be worthless, counted from 0.
    ///
    /// # Errors
    /// As [`decode`](Self::decode), and if an erasure is not in the block.
    pub fn decode_with_erasures(&self, block: &mut [u8], erasures: &[usize]) -> Result<usize, FailedBlock> {
        expect(block.len(), self.block_len())?;
        if let Some(place) = erasures.iter().find(|place| **place >= block.len()) {
            return Err(UseError::Erasure { place: *place, length: block.len() }.into());
        }
        let length = self.code.block_len();
        let mut buffer = [0; 255];
        let symbols = &mut buffer[..length];
        let mut places = Vec::new();
        let (mut corrected, mut failed) = (0, 0);
        for word in 0..self.depth {
            let turn = block.iter().skip(word).step_by(self.depth);
            symbols.iter_mut().zip(turn).for_each(|(symbol, octet)| *symbol = *octet);
            places.clear();
            places.extend(erasures.iter().filter(|place| **place % self.depth == word).map(|place| place / self.depth));
            match self.code.decode_with_erasures(symbols, &places) {
                Ok(0) => {}
                Ok(changed) => {
                    corrected += changed;
                    let turn = block.iter_mut().skip(word).step_by(self.depth);
                    turn.zip(&*symbols).for_each(|(octet, symbol)| *octet = *symbol);
                }
                Err(DecodeError::Uncorrectable) => failed += 1,
                Err(DecodeError::Use(error)) => return Err(error.into()),
            }
        }
        if failed > 0 {
            return Err(FailedBlock::Uncorrectable { failed, of: self.depth, corrected });
        }
        Ok(corrected)
    }
}
