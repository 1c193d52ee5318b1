//! What a node has sent, taken apart.

use super::cbor::{self, Item};
use super::draft::{Width, numbers};
use super::{block_type, flags};

/// A bundle that a node has sent. What its blocks claim is not judged; [`rules`](super::rules) does that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emitted {
    /// The whole.
    pub octets: Vec<u8>,
    /// The primary block.
    pub head: Head,
    /// The others, in their order.
    pub blocks: Vec<EmittedBlock>,
}

/// A primary block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The whole.
    pub octets: Vec<u8>,
    /// Bundle processing control flags.
    pub flags: u64,
    /// CRC type code.
    pub crc_type: u64,
    /// Destination, as an item.
    pub destination: Vec<u8>,
    /// Source, as an item.
    pub source: Vec<u8>,
    /// Report-to endpoint, as an item.
    pub report_to: Vec<u8>,
    /// Creation time in milliseconds, and sequence number.
    pub created: (u64, u64),
    /// Lifetime in milliseconds.
    pub lifetime: u64,
    /// Offset and total length.
    pub fragment: Option<(u64, u64)>,
    /// Whether its CRC is right, if it has one.
    pub crc_is_right: Option<bool>,
}

/// A canonical block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmittedBlock {
    /// The whole.
    pub octets: Vec<u8>,
    /// Type code.
    pub block_type: u64,
    /// Number.
    pub number: u64,
    /// Block processing control flags.
    pub flags: u64,
    /// CRC type code.
    pub crc_type: u64,
    /// Block-type-specific data: the content of the byte string.
    pub data: Vec<u8>,
    /// Whether its CRC is right, if it has one.
    pub crc_is_right: Option<bool>,
}

impl Emitted {
    /// Takes octets apart. `None` if they are no bundle, or one of which not even the fields can be told apart.
    pub fn read(octets: &[u8]) -> Option<Emitted> {
        let outer = cbor::whole(octets).ok()?;
        let (first, others) = outer.array()?.split_first()?;
        let head = Head::read(octets, first)?;
        let blocks = others.iter().map(|item| EmittedBlock::read(octets, item)).collect::<Option<Vec<_>>>()?;
        Some(Emitted { octets: octets.to_vec(), head, blocks })
    }

    /// The first block of a type.
    pub fn block(&self, block_type: u64) -> Option<&EmittedBlock> {
        self.blocks.iter().find(|block| block.block_type == block_type)
    }

    /// How many blocks of a type there are.
    pub fn count(&self, block_type: u64) -> usize {
        self.blocks.iter().filter(|block| block.block_type == block_type).count()
    }

    /// The payload.
    pub fn payload(&self) -> &[u8] {
        self.block(block_type::PAYLOAD).map_or(&[], |block| &block.data)
    }

    /// Whether the flags say that the payload is an administrative record.
    pub fn is_record(&self) -> bool {
        self.head.flags & flags::RECORD != 0
    }

    /// Its Bundle Age, in milliseconds.
    pub fn age(&self) -> Option<u64> {
        cbor::whole(&self.block(block_type::BUNDLE_AGE)?.data).ok()?.unsigned()
    }

    /// Hop limit and count.
    pub fn hops(&self) -> Option<(u64, u64)> {
        match numbers(&cbor::whole(&self.block(block_type::HOP_COUNT)?.data).ok()?)?[..] {
            [limit, count] => Some((limit, count)),
            _ => None,
        }
    }

    /// Whether every CRC is right.
    pub fn crcs_are_right(&self) -> bool {
        let of_blocks = self.blocks.iter().map(|block| block.crc_is_right);
        of_blocks.chain([self.head.crc_is_right]).all(|right| right != Some(false))
    }
}

impl Head {
    fn read(octets: &[u8], item: &Item) -> Option<Head> {
        let fields = item.array()?;
        let flags = fields.get(1)?.unsigned()?;
        let crc_type = fields.get(2)?.unsigned()?;
        let raw = |place: usize| fields.get(place).map(|field| field.octets(octets).to_vec());
        let fragment = match flags & super::flags::FRAGMENT {
            0 => None,
            _ => Some((fields.get(8)?.unsigned()?, fields.get(9)?.unsigned()?)),
        };
        let [time, sequence] = numbers(fields.get(6)?)?[..] else { return None };
        Some(Head {
            octets: item.octets(octets).to_vec(),
            flags,
            crc_type,
            destination: raw(3)?,
            source: raw(4)?,
            report_to: raw(5)?,
            created: (time, sequence),
            lifetime: fields.get(7)?.unsigned()?,
            fragment,
            crc_is_right: crc_is_right(octets, item, crc_type),
        })
    }
}

impl EmittedBlock {
    fn read(octets: &[u8], item: &Item) -> Option<EmittedBlock> {
        let fields = item.array()?;
        let crc_type = fields.get(3)?.unsigned()?;
        Some(EmittedBlock {
            octets: item.octets(octets).to_vec(),
            block_type: fields.first()?.unsigned()?,
            number: fields.get(1)?.unsigned()?,
            flags: fields.get(2)?.unsigned()?,
            crc_type,
            data: fields.get(4)?.bytes(octets)?.to_vec(),
            crc_is_right: crc_is_right(octets, item, crc_type),
        })
    }
}

/// Whether the last item of a block is the CRC that its type demands; `None` if its type is 0.
pub(super) fn crc_is_right(octets: &[u8], block: &Item, crc_type: u64) -> Option<bool> {
    if crc_type == 0 {
        return None;
    }
    let right = Width::of(crc_type).zip(block.array().and_then(<[Item]>::last)).is_some_and(|(width, last)| {
        last.bytes(octets).is_some_and(|value| {
            let before = &octets[block.range.start..last.range.end - value.len()];
            *value == width.over(before)[..]
        })
    });
    Some(right)
}
