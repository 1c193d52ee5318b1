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

/// How urgent a bundle is. No RFC has this block: version 7 of the protocol has dropped the class of service that version 6
/// had in its primary block. The shape, an array of four unsigned integers, is what ION puts on the wire under block type
/// 193, as the captures in the fixtures show.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct QualityOfService {
    /// Flags without a meaning here.
    pub flags: u64,
    /// 0 bulk, 1 normal, 2 expedited. Emitting does not judge it.
    pub class: u64,
    /// Order among expedited bundles, 0 to 254.
    pub ordinal: u64,
    /// A label of the application's.
    pub label: u64,
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

impl QualityOfService {
    /// Reads block-type-specific data.
    ///
    /// # Errors
    /// If they are anything but an array of four unsigned integers.
    pub fn parse(data: &[u8]) -> Result<Self, BundleError> {
        whole(data, |reader| {
            reader.array_of(4, "quality of service block")?;
            Ok(QualityOfService {
                flags: reader.unsigned("quality of service flags")?,
                class: reader.unsigned("class of service")?,
                ordinal: reader.unsigned("ordinal")?,
                label: reader.unsigned("data label")?,
            })
        })
    }

    /// The block-type-specific data.
    pub fn emit(&self) -> Vec<u8> {
        let mut out = Vec::new();
        cbor::put_array(&mut out, 4);
        [self.flags, self.class, self.ordinal, self.label].into_iter().for_each(|n| cbor::put_unsigned(&mut out, n));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quality_of_service_block_is_read_and_written_as_ion_sends_it() {
        let sent = [0x84, 0, 1, 0, 0];
        let read = QualityOfService::parse(&sent).unwrap();
        assert_eq!(read, QualityOfService { flags: 0, class: 1, ordinal: 0, label: 0 });
        assert_eq!(read.emit(), sent);
        assert!(QualityOfService::parse(&[0x83, 0, 1, 0]).is_err());
        assert!(QualityOfService::parse(&[0x84, 0, 1, 0, 0, 0]).is_err());
    }
}
