use super::cbor::{self, Reader};
use super::{BundleError, CanonicalBlock, Eid, block_type};

/// The node that forwarded the bundle to here (section 4.4.1).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PreviousNode(pub Eid);

/// Milliseconds between a bundle's creation and its latest forwarding (section 4.4.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BundleAge(pub u64);

/// How often a bundle may be forwarded, and was (section 4.4.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct HopCount {
    /// 1 to 255. Emitting does not judge it.
    pub limit: u64,
    /// Hops so far.
    pub count: u64,
}

/// An extension block's data, read as its type demands.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Extension {
    /// Block type 6.
    PreviousNode(PreviousNode),
    /// Block type 7.
    BundleAge(BundleAge),
    /// Block type 10.
    HopCount(HopCount),
    /// Any other type, with the code.
    Unknown(u64),
}

impl Extension {
    /// Reads the data of a block of one of the three types that every node must know (section 4.4).
    ///
    /// # Errors
    /// As the `parse` of the block's type.
    pub fn of(block: &CanonicalBlock<'_>) -> Result<Self, BundleError> {
        Ok(match block.block_type {
            block_type::PREVIOUS_NODE => Extension::PreviousNode(PreviousNode::parse(&block.data)?),
            block_type::BUNDLE_AGE => Extension::BundleAge(BundleAge::parse(&block.data)?),
            block_type::HOP_COUNT => Extension::HopCount(HopCount::parse(&block.data)?),
            other => Extension::Unknown(other),
        })
    }
}

impl PreviousNode {
    /// Reads block-type-specific data.
    ///
    /// # Errors
    /// If they are anything but one endpoint ID.
    pub fn parse(data: &[u8]) -> Result<Self, BundleError> {
        whole(data, |reader| Eid::read(reader, "previous node ID").map(PreviousNode))
    }

    /// The block-type-specific data.
    pub fn emit(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.0.put(&mut out);
        out
    }
}

impl BundleAge {
    /// Reads block-type-specific data.
    ///
    /// # Errors
    /// If they are anything but one unsigned integer.
    pub fn parse(data: &[u8]) -> Result<Self, BundleError> {
        whole(data, |reader| reader.unsigned("bundle age").map(BundleAge))
    }

    /// The block-type-specific data.
    pub fn emit(&self) -> Vec<u8> {
        let mut out = Vec::new();
        cbor::put_unsigned(&mut out, self.0);
        out
    }
}

impl HopCount {
    /// Reads block-type-specific data.
    ///
    /// # Errors
    /// If they are anything but an array of two unsigned integers, or the limit is not in 1 to 255.
    pub fn parse(data: &[u8]) -> Result<Self, BundleError> {
        whole(data, |reader| {
            reader.array_of(2, "hop count block")?;
            let at = reader.at;
            let limit = reader.unsigned("hop limit")?;
            if !(1..=255).contains(&limit) {
                return Err(BundleError::HopLimit { at, limit });
            }
            Ok(HopCount { limit, count: reader.unsigned("hop count")? })
        })
    }

    /// The block-type-specific data.
    pub fn emit(&self) -> Vec<u8> {
        let mut out = Vec::new();
        cbor::put_array(&mut out, 2);
        cbor::put_unsigned(&mut out, self.limit);
        cbor::put_unsigned(&mut out, self.count);
        out
    }
}

fn whole<'a, T>(
    data: &'a [u8],
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, BundleError>,
) -> Result<T, BundleError> {
    let mut reader = Reader::new(data);
    let value = read(&mut reader)?;
    reader.finish()?;
    Ok(value)
}
