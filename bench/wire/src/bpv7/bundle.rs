use std::collections::BTreeSet;

use super::cbor::{BREAK, INDEFINITE_ARRAY, Reader};
use super::{BundleError, CanonicalBlock, PrimaryBlock, block_type};

/// Room for a primary block with three ipn EIDs, and for the header and CRC of any other block.
const PRIMARY_ROOM: usize = 128;
const BLOCK_ROOM: usize = 64;

/// A bundle (section 4.1).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Bundle<'a> {
    /// The first block.
    pub primary: PrimaryBlock,
    /// The others in the order of the wire. The payload block (type 1, number 1) is the last.
    pub blocks: Vec<CanonicalBlock<'a>>,
}

impl<'a> Bundle<'a> {
    /// Reads one bundle that is the whole input, and verifies its CRCs.
    ///
    /// # Errors
    /// Whatever sections 4.1 to 4.3 require for a bundle to be read without doubt; see [`BundleError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Bundle<'a>, BundleError> {
        let mut reader = Reader::new(bytes);
        let bundle = Bundle::read(&mut reader)?;
        reader.finish()?;
        Ok(bundle)
    }

    /// Reads one bundle from the front of `bytes`: the bundle, and the octets it took. For layers below that put
    /// several bundles in one unit, as LTP blocks may.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), but octets after the bundle are none.
    pub fn parse_prefix(bytes: &'a [u8]) -> Result<(Bundle<'a>, usize), BundleError> {
        let mut reader = Reader::new(bytes);
        let bundle = Bundle::read(&mut reader)?;
        Ok((bundle, reader.at))
    }

    /// Reads the primary block of the bundle at the front of `bytes`, of which the rest need not be there: for who looks into
    /// a part of a bundle.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), as far as the primary block goes.
    pub fn parse_primary(bytes: &[u8]) -> Result<PrimaryBlock, BundleError> {
        Bundle::read_primary(&mut Reader::new(bytes))
    }

    fn read_primary(reader: &mut Reader<'_>) -> Result<PrimaryBlock, BundleError> {
        match reader.peek() {
            Some(INDEFINITE_ARRAY) => reader.at += 1,
            Some(found) => return Err(BundleError::NotABundle { found }),
            None => return Err(BundleError::Truncated { at: 0, field: "bundle", missing: 1 }),
        }
        PrimaryBlock::read(reader)
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, BundleError> {
        let primary = Bundle::read_primary(reader)?;
        let mut blocks = Vec::new();
        let mut numbers = BlockNumbers::default();
        let mut payload_seen = false;
        while reader.peek() != Some(BREAK) {
            let at = reader.at;
            let block = CanonicalBlock::read(reader)?;
            if payload_seen {
                return Err(BundleError::PayloadNotLast { at });
            }
            payload_seen = block.block_type == block_type::PAYLOAD;
            if payload_seen != (block.number == 1) {
                return Err(BundleError::PayloadNumber { at, block_type: block.block_type, number: block.number });
            }
            if !numbers.insert(block.number) {
                return Err(BundleError::BlockNumberTaken { at, number: block.number });
            }
            blocks.push(block);
        }
        if !payload_seen {
            return Err(BundleError::NoPayload { at: reader.at });
        }
        reader.at += 1;
        Ok(Bundle { primary, blocks })
    }

    /// The bundle's octets. Nothing is judged; CRCs are computed.
    pub fn emit(&self) -> Vec<u8> {
        let room = PRIMARY_ROOM + self.blocks.iter().map(|block| BLOCK_ROOM + block.data.len()).sum::<usize>();
        let mut out = Vec::with_capacity(room);
        out.push(INDEFINITE_ARRAY);
        self.primary.put(&mut out);
        self.blocks.iter().for_each(|block| block.put(&mut out));
        out.push(BREAK);
        out
    }

    /// The octets before the payload and those after it: head, [`payload`](Self::payload) and tail in a row are what
    /// [`emit`](Self::emit) gives. A sender that can gather need not copy the payload.
    pub fn emit_around_payload(&self) -> (Vec<u8>, Vec<u8>) {
        let (payload, extensions) = match self.blocks.split_last() {
            Some((last, extensions)) if last.block_type == block_type::PAYLOAD => (Some(last), extensions),
            _ => (None, &self.blocks[..]),
        };
        let room =
            PRIMARY_ROOM + BLOCK_ROOM + extensions.iter().map(|block| BLOCK_ROOM + block.data.len()).sum::<usize>();
        let mut head = Vec::with_capacity(room);
        head.push(INDEFINITE_ARRAY);
        self.primary.put(&mut head);
        extensions.iter().for_each(|block| block.put(&mut head));
        let mut tail = Vec::new();
        if let Some(payload) = payload {
            let start = head.len();
            payload.put_header(&mut head);
            payload.crc.put([&head[start..], &payload.data], &mut tail, 0);
        }
        tail.push(BREAK);
        (head, tail)
    }

    /// The payload; empty if the last block is none, which a parsed bundle excludes.
    pub fn payload(&self) -> &[u8] {
        match self.blocks.last() {
            Some(last) if last.block_type == block_type::PAYLOAD => &last.data,
            _ => &[],
        }
    }

    /// The first block of a type.
    pub fn extension(&self, block_type: u64) -> Option<&CanonicalBlock<'a>> {
        self.blocks.iter().find(|block| block.block_type == block_type)
    }

    /// A copy that borrows nothing.
    pub fn into_owned(self) -> Bundle<'static> {
        Bundle { primary: self.primary, blocks: self.blocks.into_iter().map(CanonicalBlock::into_owned).collect() }
    }
}

/// The block numbers seen so far. Real bundles stay in the mask; the set keeps hostile ones from costing squared time.
struct BlockNumbers {
    below_64: u64,
    others: BTreeSet<u64>,
}

impl Default for BlockNumbers {
    /// 0 is the primary block's.
    fn default() -> Self {
        BlockNumbers { below_64: 1, others: BTreeSet::new() }
    }
}

impl BlockNumbers {
    /// Whether the number was still free.
    fn insert(&mut self, number: u64) -> bool {
        if number >= 64 {
            return self.others.insert(number);
        }
        let free = self.below_64 & 1 << number == 0;
        self.below_64 |= 1 << number;
        free
    }
}
