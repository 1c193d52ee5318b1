use std::ops::{BitOr, BitOrAssign};

use super::cbor::{self, Reader};
use super::{BundleError, CrcType, Eid};

const VERSION: u64 = 7;

/// Bundle processing control flags (section 4.2.3). Bits without a name here survive parsing and emitting.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct BundleFlags(pub u64);

impl BundleFlags {
    /// Bit 0: the bundle is a fragment. Goes with [`PrimaryBlock::fragment`].
    pub const IS_FRAGMENT: Self = Self(0x00_0001);
    /// Bit 1: the payload is an administrative record.
    pub const IS_ADMIN_RECORD: Self = Self(0x00_0002);
    /// Bit 2: the bundle must not be fragmented.
    pub const MUST_NOT_FRAGMENT: Self = Self(0x00_0004);
    /// Bit 5: acknowledgment by the application is requested.
    pub const ACK_REQUESTED: Self = Self(0x00_0020);
    /// Bit 6: status time is requested in reports.
    pub const STATUS_TIME_REQUESTED: Self = Self(0x00_0040);
    /// Bit 14: report the bundle's reception.
    pub const REPORT_RECEPTION: Self = Self(0x00_4000);
    /// Bit 16: report its forwarding.
    pub const REPORT_FORWARDING: Self = Self(0x01_0000);
    /// Bit 17: report its delivery.
    pub const REPORT_DELIVERY: Self = Self(0x02_0000);
    /// Bit 18: report its deletion.
    pub const REPORT_DELETION: Self = Self(0x04_0000);
    /// All four requests for a status report.
    pub const ALL_REPORTS: Self = Self(0x07_4000);

    /// Whether all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any bit of `other` is set.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for BundleFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for BundleFlags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// When a bundle was created (section 4.2.7). With the source it names one transmission request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CreationTimestamp {
    /// DTN time: milliseconds since 2000-01-01 UTC without leap seconds (section 4.2.6). 0: the source has no clock.
    pub time_ms: u64,
    /// Counter of the source node.
    pub sequence: u64,
}

impl CreationTimestamp {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, BundleError> {
        reader.array_of(2, "creation timestamp")?;
        Ok(CreationTimestamp {
            time_ms: reader.unsigned("bundle creation time")?,
            sequence: reader.unsigned("sequence number")?,
        })
    }

    pub(super) fn put(self, out: &mut Vec<u8>) {
        cbor::put_array(out, 2);
        cbor::put_unsigned(out, self.time_ms);
        cbor::put_unsigned(out, self.sequence);
    }
}

/// Which part of an application data unit a fragment's payload is (section 4.3.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Fragment {
    /// Octets of the unit before the payload.
    pub offset: u64,
    /// Octets of the whole unit.
    pub total_length: u64,
}

/// What is needed to forward a bundle (section 4.3.1). Its octets never change on the way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PrimaryBlock {
    /// Bundle processing control flags.
    pub flags: BundleFlags,
    /// The block's own CRC.
    pub crc: CrcType,
    /// Where to.
    pub destination: Eid,
    /// The node that created the bundle; [`Eid::None`] for an anonymous one.
    pub source: Eid,
    /// Where status reports go.
    pub report_to: Eid,
    /// When the bundle was created.
    pub creation: CreationTimestamp,
    /// Milliseconds from creation after which nobody needs the payload.
    pub lifetime_ms: u64,
    /// Present in fragments. Parsing ties it to [`BundleFlags::IS_FRAGMENT`]; emitting writes each as it stands.
    pub fragment: Option<Fragment>,
}

impl PrimaryBlock {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, BundleError> {
        let start = reader.at;
        let found = reader.array("primary block")?;
        let at = reader.at;
        let version = reader.unsigned("version")?;
        if version != VERSION {
            return Err(BundleError::Version { at, found: version });
        }
        let flags = BundleFlags(reader.unsigned("bundle processing control flags")?);
        let crc = CrcType::read(reader)?;
        let is_fragment = flags.contains(BundleFlags::IS_FRAGMENT);
        let expected = element_count(is_fragment, crc);
        if found != expected {
            return Err(BundleError::ElementCount { at: start, field: "primary block", expected, found });
        }
        let block = PrimaryBlock {
            flags,
            crc,
            destination: Eid::read(reader, "destination EID")?,
            source: Eid::read(reader, "source node ID")?,
            report_to: Eid::read(reader, "report-to EID")?,
            creation: CreationTimestamp::read(reader)?,
            lifetime_ms: reader.unsigned("lifetime")?,
            fragment: if is_fragment { Some(Fragment::read(reader)?) } else { None },
        };
        crc.verify(reader, start, 0)?;
        Ok(block)
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        let start = out.len();
        cbor::put_array(out, element_count(self.fragment.is_some(), self.crc));
        cbor::put_unsigned(out, VERSION);
        cbor::put_unsigned(out, self.flags.0);
        cbor::put_unsigned(out, self.crc.code());
        self.destination.put(out);
        self.source.put(out);
        self.report_to.put(out);
        self.creation.put(out);
        cbor::put_unsigned(out, self.lifetime_ms);
        if let Some(fragment) = self.fragment {
            cbor::put_unsigned(out, fragment.offset);
            cbor::put_unsigned(out, fragment.total_length);
        }
        self.crc.put([&[]; 2], out, start);
    }
}

impl Fragment {
    fn read(reader: &mut Reader<'_>) -> Result<Self, BundleError> {
        Ok(Fragment {
            offset: reader.unsigned("fragment offset")?,
            total_length: reader.unsigned("total application data unit length")?,
        })
    }
}

fn element_count(is_fragment: bool, crc: CrcType) -> u64 {
    8 + 2 * u64::from(is_fragment) + u64::from(crc != CrcType::None)
}
