//! Bundles that the tester makes, sound or not.

use crc::{CRC_16_IBM_SDLC, CRC_32_ISCSI, Crc as Algorithm};
use farlink_wire::bpv7::{Eid, IpnForm};

use super::cbor::{self, Value};
use super::{block_type, flags};

static CRC16: Algorithm<u16> = Algorithm::<u16>::new(&CRC_16_IBM_SDLC);
static CRC32C: Algorithm<u32> = Algorithm::<u32>::new(&CRC_32_ISCSI);

/// Lifetime of the base bundle, in milliseconds.
pub const BASE_LIFETIME_MS: u64 = 3_600_000;

/// The kinds of CRC (RFC 9171 section 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// Type 1: CRC-16 X-25.
    Sixteen,
    /// Type 2: CRC-32C.
    ThirtyTwo,
}

impl Width {
    /// The CRC type code.
    pub const fn code(self) -> u64 {
        match self {
            Width::Sixteen => 1,
            Width::ThirtyTwo => 2,
        }
    }

    /// The kind with this code.
    pub const fn of(code: u64) -> Option<Width> {
        match code {
            1 => Some(Width::Sixteen),
            2 => Some(Width::ThirtyTwo),
            _ => None,
        }
    }

    /// The CRC over a block whose CRC value, at its end, counts as zero (RFC 9171 section 4.3.1).
    pub fn over(self, before_value: &[u8]) -> Vec<u8> {
        match self {
            Width::Sixteen => {
                let mut digest = CRC16.digest();
                digest.update(before_value);
                digest.update(&[0; 2]);
                digest.finalize().to_be_bytes().to_vec()
            }
            Width::ThirtyTwo => {
                let mut digest = CRC32C.digest();
                digest.update(before_value);
                digest.update(&[0; 4]);
                digest.finalize().to_be_bytes().to_vec()
            }
        }
    }

    const fn length(self) -> usize {
        match self {
            Width::Sixteen => 2,
            Width::ThirtyTwo => 4,
        }
    }
}

/// How a block ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Crc {
    /// Without a CRC.
    Absent,
    /// With the right one.
    Right(Width),
    /// With one of which a bit is wrong.
    Wrong(Width),
    /// With this item in its place.
    Item(Vec<u8>),
}

/// A block, as the items of its array. Primary: version, flags, CRC type, destination, source, report-to, creation
/// timestamp, lifetime, and of a fragment offset and total length. Others: type, number, flags, CRC type, data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Each written already; the CRC is not among them.
    pub items: Vec<Vec<u8>>,
    /// The CRC, which the item for the CRC type need not agree with.
    pub crc: Crc,
}

/// Where the CRC type stands in a primary block.
const PRIMARY_CRC_TYPE: usize = 2;
/// Where it stands in others.
const CRC_TYPE: usize = 3;

impl Block {
    /// A canonical block with a right CRC-32C.
    pub fn new(block_type: u64, number: u64, flags: u64, data: &[u8]) -> Self {
        let items = vec![
            cbor::uint(block_type),
            cbor::uint(number),
            cbor::uint(flags),
            cbor::uint(Width::ThirtyTwo.code()),
            cbor::bytes(data),
        ];
        Block { items, crc: Crc::Right(Width::ThirtyTwo) }
    }

    /// The same with another CRC, which the CRC type agrees with.
    #[must_use]
    pub fn crc(mut self, crc: Crc) -> Self {
        self.set_crc(CRC_TYPE, crc);
        self
    }

    fn set_crc(&mut self, place: usize, crc: Crc) {
        match crc {
            Crc::Absent => self.items[place] = cbor::uint(0),
            Crc::Right(width) | Crc::Wrong(width) => self.items[place] = cbor::uint(width.code()),
            Crc::Item(_) => {}
        }
        self.crc = crc;
    }

    /// The same with another item.
    #[must_use]
    pub fn item(mut self, place: usize, item: Vec<u8>) -> Self {
        self.items[place] = item;
        self
    }

    /// Its octets.
    pub fn encode(&self) -> Vec<u8> {
        let with_crc = usize::from(self.crc != Crc::Absent);
        let mut out = cbor::head(4, (self.items.len() + with_crc) as u64);
        out.extend(self.items.iter().flatten());
        match &self.crc {
            Crc::Absent => {}
            Crc::Item(item) => out.extend(item),
            Crc::Right(width) | Crc::Wrong(width) => {
                out.extend(cbor::head(2, width.length() as u64));
                let mut value = width.over(&out);
                if matches!(self.crc, Crc::Wrong(_)) {
                    value[0] ^= 0x10;
                }
                out.extend(value);
            }
        }
        out
    }

    /// The type of a canonical block.
    pub fn block_type(&self) -> Option<u64> {
        cbor::whole(self.items.first()?).ok()?.unsigned()
    }
}

/// A bundle to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What begins it: the head of the array.
    pub before: Vec<u8>,
    /// The primary block.
    pub primary: Block,
    /// The others, the payload last.
    pub blocks: Vec<Block>,
    /// What ends it: the break.
    pub after: Vec<u8>,
}

impl Draft {
    /// A bundle with a CRC-32C in each block.
    pub fn new(destination: &Eid, source: &Eid, report_to: &Eid, created: (u64, u64), payload: &[u8]) -> Self {
        let items = vec![
            cbor::uint(7),
            cbor::uint(0),
            cbor::uint(Width::ThirtyTwo.code()),
            eid(destination),
            eid(source),
            eid(report_to),
            timestamp(created),
            cbor::uint(BASE_LIFETIME_MS),
        ];
        Draft {
            before: vec![0x9F],
            primary: Block { items, crc: Crc::Right(Width::ThirtyTwo) },
            blocks: vec![Block::new(block_type::PAYLOAD, 1, 0, payload)],
            after: vec![0xFF],
        }
    }

    /// The bundle that octets are, to be written again with some difference. `None` if they are none.
    pub fn of(octets: &[u8]) -> Option<Draft> {
        let outer = cbor::whole(octets).ok()?;
        let mut blocks = outer.array()?.iter().enumerate().map(|(place, block)| {
            let mut items: Vec<Vec<u8>> = block.array()?.iter().map(|item| item.octets(octets).to_vec()).collect();
            let crc_type = if place == 0 { PRIMARY_CRC_TYPE } else { CRC_TYPE };
            let code = cbor::whole(items.get(crc_type)?).ok()?.unsigned()?;
            let crc = match Width::of(code) {
                Some(width) => items.pop().map(|_| Crc::Right(width))?,
                None => Crc::Absent,
            };
            Some(Block { items, crc })
        });
        let primary = blocks.next()??;
        Some(Draft { before: vec![0x9F], primary, blocks: blocks.collect::<Option<Vec<_>>>()?, after: vec![0xFF] })
    }

    /// Its octets.
    pub fn encode(&self) -> Vec<u8> {
        let blocks = self.blocks.iter().flat_map(Block::encode);
        self.before
            .iter()
            .copied()
            .chain(self.primary.encode())
            .chain(blocks)
            .chain(self.after.iter().copied())
            .collect()
    }

    /// With another item in the primary block.
    #[must_use]
    pub fn item(mut self, place: usize, item: Vec<u8>) -> Self {
        self.primary.items[place] = item;
        self
    }

    /// With other flags.
    #[must_use]
    pub fn flags(self, flags: u64) -> Self {
        self.item(1, cbor::uint(flags))
    }

    /// To another destination.
    #[must_use]
    pub fn to(self, destination: &Eid) -> Self {
        self.item(3, eid(destination))
    }

    /// From another source.
    #[must_use]
    pub fn from(self, source: &Eid) -> Self {
        self.item(4, eid(source))
    }

    /// With another report-to endpoint.
    #[must_use]
    pub fn report_to(self, report_to: &Eid) -> Self {
        self.item(5, eid(report_to))
    }

    /// Created at another time.
    #[must_use]
    pub fn created(self, time_ms: u64, sequence: u64) -> Self {
        self.item(6, timestamp((time_ms, sequence)))
    }

    /// With another lifetime, in milliseconds.
    #[must_use]
    pub fn lifetime(self, lifetime_ms: u64) -> Self {
        self.item(7, cbor::uint(lifetime_ms))
    }

    /// As a fragment with this offset, of data of this length. The flags say so too.
    #[must_use]
    pub fn fragment(mut self, offset: u64, total: u64) -> Self {
        let told = cbor::whole(&self.primary.items[1]).ok().and_then(|item| item.unsigned()).unwrap_or(0);
        self.primary.items.truncate(8);
        self.primary.items.extend([cbor::uint(offset), cbor::uint(total)]);
        self.flags(told | flags::FRAGMENT)
    }

    /// With another CRC on the primary block.
    #[must_use]
    pub fn primary_crc(mut self, crc: Crc) -> Self {
        self.primary.set_crc(PRIMARY_CRC_TYPE, crc);
        self
    }

    /// With another payload.
    #[must_use]
    pub fn payload(mut self, payload: &[u8]) -> Self {
        self.payload_block().items[4] = cbor::bytes(payload);
        self
    }

    /// With another CRC on the payload block.
    #[must_use]
    pub fn payload_crc(mut self, crc: Crc) -> Self {
        self.payload_block().set_crc(CRC_TYPE, crc);
        self
    }

    /// With one more extension block, right before the payload.
    #[must_use]
    pub fn with(mut self, block: Block) -> Self {
        let place = self.blocks.len().saturating_sub(1);
        self.blocks.insert(place, block);
        self
    }

    /// The payload block.
    ///
    /// # Panics
    /// If the bundle has none.
    pub fn payload_block(&mut self) -> &mut Block {
        self.blocks.last_mut().expect("a draft has a payload block")
    }

    /// The octets of its payload.
    pub fn payload_octets(&self) -> Vec<u8> {
        let data = self.blocks.last().and_then(|block| block.items.get(4));
        data.and_then(|data| cbor::whole(data).ok()?.bytes(data).map(<[u8]>::to_vec)).unwrap_or_default()
    }
}

/// An endpoint ID (RFC 9171 section 4.2.5.1).
pub fn eid(eid: &Eid) -> Vec<u8> {
    match eid {
        Eid::None => cbor::array(&[cbor::uint(1), cbor::uint(0)]),
        Eid::Dtn(part) => cbor::array(&[cbor::uint(1), cbor::text(part)]),
        Eid::Ipn { node, service, form } => {
            let numbers = match form {
                IpnForm::TwoNumbers => vec![*node, *service],
                IpnForm::ThreeNumbers => vec![node >> 32, node & u64::from(u32::MAX), *service],
            };
            let numbers: Vec<Vec<u8>> = numbers.into_iter().map(cbor::uint).collect();
            cbor::array(&[cbor::uint(2), cbor::array(&numbers)])
        }
    }
}

/// A creation timestamp (RFC 9171 section 4.2.7).
pub fn timestamp((time_ms, sequence): (u64, u64)) -> Vec<u8> {
    cbor::array(&[cbor::uint(time_ms), cbor::uint(sequence)])
}

/// Content of the extension blocks that every node knows (RFC 9171 section 4.4).
pub mod content {
    use farlink_wire::bpv7::Eid;

    use super::cbor;

    /// Of a Previous Node block that names a node which is neither the tester nor the node under test. A node may well refuse
    /// to send a bundle back to the one that it came from.
    pub fn previous_node() -> Vec<u8> {
        super::eid(&Eid::ipn(4242, 0))
    }

    /// Of a Bundle Age block, in milliseconds.
    pub fn age(age_ms: u64) -> Vec<u8> {
        cbor::uint(age_ms)
    }

    /// Of a Hop Count block.
    pub fn hops(limit: u64, count: u64) -> Vec<u8> {
        cbor::array(&[cbor::uint(limit), cbor::uint(count)])
    }
}

/// The unsigned integers of an array, if it is one.
pub(super) fn numbers(item: &cbor::Item) -> Option<Vec<u64>> {
    match &item.value {
        Value::Array(items) => items.iter().map(cbor::Item::unsigned).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_is_what_the_engine_reads_and_comes_back_as_it_was() {
        let draft =
            Draft::new(&Eid::ipn(5, 1), &Eid::Dtn("//tester/a".into()), &Eid::None, (820_000_000_000, 7), b"data")
                .flags(flags::RECEPTION)
                .with(Block::new(block_type::HOP_COUNT, 2, 0, &content::hops(30, 0)).crc(Crc::Right(Width::Sixteen)))
                .with(Block::new(251, 3, 1, b"x").crc(Crc::Absent))
                .fragment(500, 2000);
        let octets = draft.encode();
        let read = farlink_wire::bpv7::Bundle::parse(&octets).unwrap();
        assert_eq!(read.emit(), octets);
        assert_eq!(read.primary.fragment.map(|f| (f.offset, f.total_length)), Some((500, 2000)));
        assert_eq!(Draft::of(&octets), Some(draft.clone()));
        assert_eq!(draft.payload_octets(), b"data");
        let wrong = draft.payload_crc(Crc::Wrong(Width::ThirtyTwo)).encode();
        assert!(farlink_wire::bpv7::Bundle::parse(&wrong).is_err());
    }

    #[test]
    fn the_algorithms_are_those_of_section_4_2_1() {
        // Check values of the CRC catalogue.
        assert_eq!(CRC16.checksum(b"123456789"), 0x906E);
        assert_eq!(CRC32C.checksum(b"123456789"), 0xE306_9283);
    }
}
