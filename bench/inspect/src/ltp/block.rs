use std::collections::BTreeMap;

use crate::ranges::Ranges;

/// Most octets of blocks that are held at a time, over all sessions. Beyond, no further octets are kept, and the blocks
/// concerned are not looked into.
pub const MAX_HELD: u64 = 1 << 30;

/// The octets of a block that have been seen, in the order of the block.
#[derive(Default)]
pub(super) struct Block {
    /// Which octets were seen, also when they are not held any more.
    pub seen: Ranges,
    chunks: BTreeMap<u64, Vec<u8>>,
    held: u64,
    /// The limit has kept octets out.
    pub incomplete: bool,
}

impl Block {
    /// Adds data. `room` is what may still be held. Returns how many octets are new and how many of them are held now.
    pub fn add(&mut self, offset: u64, data: &[u8], keep: bool, room: u64) -> (u64, u64) {
        let (mut new, mut held) = (0, 0);
        for range in self.seen.insert(offset..offset + data.len() as u64) {
            let length = range.end - range.start;
            new += length;
            if !keep {
                continue;
            }
            if length > room.saturating_sub(held) {
                self.incomplete = true;
                continue;
            }
            let from = (range.start - offset) as usize;
            self.chunks.insert(range.start, data[from..from + length as usize].to_vec());
            held += length;
        }
        self.held += held;
        (new, held)
    }

    /// The octets from the block's start to the first that is missing. They are not held any more; nor is the rest.
    pub fn take_prefix(&mut self) -> (Vec<u8>, u64) {
        let mut octets = Vec::new();
        for (offset, chunk) in std::mem::take(&mut self.chunks) {
            if offset != octets.len() as u64 {
                break;
            }
            octets.extend(chunk);
        }
        (octets, std::mem::take(&mut self.held))
    }
}
