//! The red part of a block while it arrives.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::receiving::PIECE_COST;

/// Below this many bytes the buffer grows to eight times its size, beyond it to twice: most blocks are short, and each growth
/// may copy. What nothing has been written to takes no memory from the system, only addresses.
const SHORT: usize = 1 << 20;

/// Red data, each put where it belongs in one buffer: a block that is whole is delivered without another copy of it, and none
/// of its data keeps the frame that it came in.
///
/// Where data are missing the buffer holds zeros. They are at most an eighth of what has come, so that a segment far beyond
/// the others cannot make the buffer grow; such data wait beside it.
#[derive(Debug, Default)]
pub(super) struct RedPart {
    buffer: Vec<u8>,
    /// Data that are too far beyond the others, by offset.
    ahead: BTreeMap<u64, Box<[u8]>>,
    bytes: u64,
}

impl RedPart {
    /// Adds data that were not here before.
    pub(super) fn insert(&mut self, offset: u64, data: &[u8]) {
        self.bytes += data.len() as u64;
        if !self.has_room(offset, data.len()) {
            self.ahead.insert(offset, data.into());
            return;
        }
        self.place(offset, data);
        let longest = self.longest();
        while let Some(first) = self.ahead.first_entry() {
            if offset_past(*first.key(), first.get().len()) > longest {
                break;
            }
            let (offset, data) = first.remove_entry();
            self.place(offset, &data);
        }
    }

    /// What it counts as when bytes held are counted: its bytes, and the cost of a piece for the buffer and for each that
    /// waits beside it.
    pub(super) fn cost(&self) -> u64 {
        let pieces = self.ahead.len() as u64 + u64::from(!self.buffer.is_empty());
        self.bytes + PIECE_COST * pieces
    }

    fn has_room(&self, offset: u64, length: usize) -> bool {
        offset_past(offset, length) <= self.longest()
    }

    /// How long the buffer may be.
    fn longest(&self) -> u64 {
        self.bytes + self.bytes / 8
    }

    fn place(&mut self, offset: u64, data: &[u8]) {
        let start = offset as usize;
        let end = start + data.len();
        if end > self.buffer.capacity() {
            let factor = if end < SHORT { 8 } else { 2 };
            let wanted = (self.buffer.capacity() * factor).max(end);
            self.buffer.reserve_exact(wanted - self.buffer.len());
        }
        if start >= self.buffer.len() {
            self.buffer.resize(start, 0);
            self.buffer.extend_from_slice(data);
            return;
        }
        if end > self.buffer.len() {
            self.buffer.resize(end, 0);
        }
        self.buffer[start..end].copy_from_slice(data);
    }

    /// The red part, which must be whole.
    pub(super) fn take(&mut self) -> Bytes {
        debug_assert!(self.ahead.is_empty() && self.buffer.len() as u64 == self.bytes, "the red part is not whole");
        let mut buffer = std::mem::take(self).buffer;
        // The allocator cuts the end off where it stands. The short end of a long buffer stays: an allocator that has handed out
        // such a buffer keeps its memory for the next, whose pages need not be fetched from the system again.
        if buffer.len() < SHORT || buffer.capacity() / 2 > buffer.len() {
            buffer.shrink_to_fit();
        }
        buffer.into()
    }
}

fn offset_past(offset: u64, length: usize) -> u64 {
    offset.saturating_add(length as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_segment_far_beyond_the_others_does_not_make_the_buffer_grow() {
        let mut red = RedPart::default();
        red.insert(1 << 60, b"far");
        red.insert(u64::MAX - 3, b"end");
        assert_eq!((red.buffer.capacity(), red.cost()), (0, 2 * (3 + PIECE_COST)));
        red.insert(0, b"start");
        assert_eq!(red.buffer, b"start");
        assert_eq!(red.cost(), 3 + 3 + 5 + 3 * PIECE_COST);
    }

    #[test]
    fn what_waits_beside_the_buffer_moves_into_it_in_time() {
        let mut red = RedPart::default();
        red.insert(10, &[2; 10]);
        red.insert(20, &[3; 10]);
        assert_eq!(red.cost(), 20 + 2 * PIECE_COST);
        red.insert(0, &[1; 10]);
        assert_eq!(red.cost(), 30 + PIECE_COST);
        assert_eq!(red.take(), [[1; 10], [2; 10], [3; 10]].concat());
    }

    proptest! {
        #[test]
        fn whatever_the_order_the_whole_is_the_same(lengths in prop::collection::vec(1usize..50, 1..60), seed in any::<u64>()) {
            let whole: Vec<u8> = (0..lengths.iter().sum::<usize>()).map(|place| (place * 7 + place / 256) as u8).collect();
            let mut at = 0;
            let mut pieces: Vec<(usize, usize)> = lengths.iter().map(|length| { at += length; (at - length, at) }).collect();
            pieces.sort_by_key(|(start, _)| (*start as u64 + 1).wrapping_mul(seed | 1));
            let (mut red, mut held) = (RedPart::default(), 0);
            for (start, end) in pieces {
                red.insert(start as u64, &whole[start..end]);
                held += end - start;
                prop_assert!(red.buffer.len() <= held + held / 8);
            }
            prop_assert_eq!(red.take(), whole);
        }
    }
}
