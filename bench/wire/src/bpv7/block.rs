use std::borrow::Cow;
use std::ops::{BitOr, BitOrAssign};

use super::cbor::{self, Reader};
use super::{BundleError, CrcType};

/// Block type codes of RFC 9171 (section 9.1).
pub mod block_type {
    /// The payload.
    pub const PAYLOAD: u64 = 1;
    /// Who forwarded the bundle to here (section 4.4.1).
    pub const PREVIOUS_NODE: u64 = 6;
    /// How old the bundle is (section 4.4.2).
    pub const BUNDLE_AGE: u64 = 7;
    /// How often it was forwarded, and may be (section 4.4.3).
    pub const HOP_COUNT: u64 = 10;
    /// The class that a bundle is forwarded in. From the range for private use; ION writes and reads it so.
    pub const QUALITY_OF_SERVICE: u64 = 193;
}

/// Block processing control flags (section 4.2.4). Bits without a name here survive parsing and emitting.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct BlockFlags(pub u64);

impl BlockFlags {
    /// Bit 0: the block must be replicated in every fragment.
    pub const MUST_REPLICATE: Self = Self(0x01);
    /// Bit 1: send a status report if the block can't be processed.
    pub const REPORT_IF_UNPROCESSABLE: Self = Self(0x02);
    /// Bit 2: delete the bundle if the block can't be processed.
    pub const DELETE_BUNDLE_IF_UNPROCESSABLE: Self = Self(0x04);
    /// Bit 4: discard the block if it can't be processed.
    pub const DISCARD_IF_UNPROCESSABLE: Self = Self(0x10);

    /// Whether all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for BlockFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for BlockFlags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// Any block but the primary one (section 4.3.2).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CanonicalBlock<'a> {
    /// What the data are: see [`block_type`].
    pub block_type: u64,
    /// Names the block in its bundle; 1 is the payload.
    pub number: u64,
    /// Block processing control flags.
    pub flags: BlockFlags,
    /// The block's own CRC.
    pub crc: CrcType,
    /// Block-type-specific data: the content of the byte string.
    pub data: Cow<'a, [u8]>,
}

impl<'a> CanonicalBlock<'a> {
    /// A copy that borrows nothing.
    pub fn into_owned(self) -> CanonicalBlock<'static> {
        CanonicalBlock {
            block_type: self.block_type,
            number: self.number,
            flags: self.flags,
            crc: self.crc,
            data: Cow::Owned(self.data.into_owned()),
        }
    }

    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, BundleError> {
        let start = reader.at;
        let found = reader.array("canonical block")?;
        let block_type = reader.unsigned("block type code")?;
        let number = reader.unsigned("block number")?;
        let flags = BlockFlags(reader.unsigned("block processing control flags")?);
        let crc = CrcType::read(reader)?;
        let expected = element_count(crc);
        if found != expected {
            return Err(BundleError::ElementCount { at: start, field: "canonical block", expected, found });
        }
        let data = Cow::Borrowed(reader.byte_string("block-type-specific data")?);
        crc.verify(reader, start, number)?;
        Ok(CanonicalBlock { block_type, number, flags, crc, data })
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        let start = out.len();
        self.put_header(out);
        out.extend_from_slice(&self.data);
        self.crc.put([&[]; 2], out, start);
    }

    /// Everything before the data themselves.
    pub(super) fn put_header(&self, out: &mut Vec<u8>) {
        cbor::put_array(out, element_count(self.crc));
        cbor::put_unsigned(out, self.block_type);
        cbor::put_unsigned(out, self.number);
        cbor::put_unsigned(out, self.flags.0);
        cbor::put_unsigned(out, self.crc.code());
        cbor::put_head(out, cbor::Major::Bytes, self.data.len() as u64);
    }
}

fn element_count(crc: CrcType) -> u64 {
    if crc == CrcType::None { 5 } else { 6 }
}
