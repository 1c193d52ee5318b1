//! A block as it waits to be sent.

use bytes::Bytes;

/// Bytes in several pieces that are sent as one.
///
/// A bundle is a short head, a payload that usually belongs to a file in memory already, and a short tail; keeping the
/// pieces apart spares a copy of every payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    pieces: Vec<Bytes>,
    len: u64,
}

impl Block {
    /// A block of these pieces, in order.
    pub fn new(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        let pieces: Vec<Bytes> = pieces.into_iter().filter(|p| !p.is_empty()).collect();
        let len = pieces.iter().map(|p| p.len() as u64).sum();
        Block { pieces, len }
    }

    /// Adds the bytes of another block at the end.
    pub fn append(&mut self, other: Block) {
        self.pieces.extend(other.pieces);
        self.len += other.len;
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes, piece by piece; none is empty.
    pub fn pieces(&self) -> &[Bytes] {
        &self.pieces
    }

    /// The `len` bytes from `offset`, without a copy where they lie within one piece.
    ///
    /// # Panics
    /// If they reach past the end of the block.
    pub fn slice(&self, offset: u64, len: usize) -> Bytes {
        assert!(offset + len as u64 <= self.len, "slice past the end of the block");
        let mut skip = offset;
        for (index, piece) in self.pieces.iter().enumerate() {
            let piece_len = piece.len() as u64;
            if skip >= piece_len {
                skip -= piece_len;
                continue;
            }
            let from = skip as usize;
            if from + len <= piece.len() {
                return piece.slice(from..from + len);
            }
            let mut joined = Vec::with_capacity(len);
            joined.extend_from_slice(&piece[from..]);
            for next in &self.pieces[index + 1..] {
                let take = next.len().min(len - joined.len());
                joined.extend_from_slice(&next[..take]);
            }
            return joined.into();
        }
        Bytes::new()
    }
}

impl From<Bytes> for Block {
    fn from(bytes: Bytes) -> Self {
        Block::new([bytes])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slice_is_that_of_the_joined_bytes() {
        let whole = b"head and payload and tail";
        let block = Block::new([&whole[..5], &[][..], &whole[5..17], &whole[17..]].map(Bytes::copy_from_slice));
        assert_eq!(block.len(), whole.len() as u64);
        for from in 0..=whole.len() {
            for to in from..=whole.len() {
                assert_eq!(block.slice(from as u64, to - from), whole[from..to]);
            }
        }
    }
}
