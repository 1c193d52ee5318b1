//! A block as it waits to be sent.

use std::borrow::Cow;

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

    /// The `len` bytes from `offset`, borrowed where they lie within one piece.
    ///
    /// # Panics
    /// If they reach past the end of the block.
    pub fn read(&self, offset: u64, len: usize) -> Cow<'_, [u8]> {
        if let [piece] = self.pieces.as_slice() {
            return Cow::Borrowed(&piece[offset as usize..offset as usize + len]);
        }
        let (index, from) = self.place(offset, len);
        match self.pieces.get(index) {
            Some(piece) if from + len <= piece.len() => Cow::Borrowed(&piece[from..from + len]),
            Some(_) => Cow::Owned(self.joined(index, from, len)),
            None => Cow::Borrowed(&[]),
        }
    }

    /// The `len` bytes from `offset`, without a copy where they lie within one piece.
    ///
    /// # Panics
    /// If they reach past the end of the block.
    pub fn slice(&self, offset: u64, len: usize) -> Bytes {
        let (index, from) = self.place(offset, len);
        match self.pieces.get(index) {
            Some(piece) if from + len <= piece.len() => piece.slice(from..from + len),
            Some(_) => self.joined(index, from, len).into(),
            None => Bytes::new(),
        }
    }

    /// The piece in which `offset` lies, and where in it.
    fn place(&self, offset: u64, len: usize) -> (usize, usize) {
        assert!(offset + len as u64 <= self.len, "slice past the end of the block");
        let mut skip = offset;
        for (index, piece) in self.pieces.iter().enumerate() {
            match skip.checked_sub(piece.len() as u64) {
                Some(further) => skip = further,
                None => return (index, skip as usize),
            }
        }
        (self.pieces.len(), 0)
    }

    fn joined(&self, index: usize, from: usize, len: usize) -> Vec<u8> {
        let mut joined = Vec::with_capacity(len);
        joined.extend_from_slice(&self.pieces[index][from..]);
        for next in &self.pieces[index + 1..] {
            let take = next.len().min(len - joined.len());
            joined.extend_from_slice(&next[..take]);
        }
        joined
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
                assert_eq!(*block.read(from as u64, to - from), whole[from..to]);
            }
        }
    }
}
