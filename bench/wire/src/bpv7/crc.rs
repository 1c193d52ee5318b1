use crc::{CRC_16_IBM_SDLC, CRC_32_ISCSI, Crc, Table};

use super::BundleError;
use super::cbor::{self, Reader};

/// Which CRC a block carries (section 4.2.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum CrcType {
    /// 0: none.
    #[default]
    None,
    /// 1: the X-25 CRC-16.
    Crc16,
    /// 2: CRC-32C (Castagnoli).
    Crc32c,
}

// Sixteen lanes read sixteen octets a step; a bundle's payload passes through here twice on its way.
static CRC16: Crc<u16, Table<16>> = Crc::<u16, Table<16>>::new(&CRC_16_IBM_SDLC);
static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

impl CrcType {
    /// The type code.
    pub const fn code(self) -> u64 {
        match self {
            CrcType::None => 0,
            CrcType::Crc16 => 1,
            CrcType::Crc32c => 2,
        }
    }

    /// The type for a code; section 4.2.1 knows no others than 0, 1 and 2.
    pub const fn from_code(code: u64) -> Option<Self> {
        match code {
            0 => Some(CrcType::None),
            1 => Some(CrcType::Crc16),
            2 => Some(CrcType::Crc32c),
            _ => None,
        }
    }

    /// The CRC of a block, given the block's octets up to where the CRC's value begins (section 4.2.2). 0 without a CRC.
    pub fn of_block(self, before_value: &[u8]) -> u32 {
        self.checksum([before_value, &[], &[]])
    }

    /// Octets of the CRC's value.
    pub(super) const fn len(self) -> usize {
        match self {
            CrcType::None => 0,
            CrcType::Crc16 => 2,
            CrcType::Crc32c => 4,
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, BundleError> {
        let at = reader.at;
        let found = reader.unsigned("CRC type")?;
        CrcType::from_code(found).ok_or(BundleError::CrcType { at, found })
    }

    /// Reads the CRC field that ends the block which began at `start`, and compares.
    pub(super) fn verify(self, reader: &mut Reader<'_>, start: usize, block: u64) -> Result<(), BundleError> {
        if self == CrcType::None {
            return Ok(());
        }
        let at = reader.at;
        let value = reader.byte_string("CRC")?;
        if value.len() != self.len() {
            return Err(BundleError::CrcLength { at, expected: self.len(), found: value.len() });
        }
        let carried = value.iter().fold(0, |sum, &octet| sum << 8 | u32::from(octet));
        let computed = self.checksum([&reader.bytes[start..reader.at - value.len()], &[], &[]]);
        if carried == computed { Ok(()) } else { Err(BundleError::CrcMismatch { at, block, carried, computed }) }
    }

    /// Appends the CRC field of a block whose octets are `before`, then `out` from `start` on.
    pub(super) fn put(self, before: [&[u8]; 2], out: &mut Vec<u8>, start: usize) {
        if self == CrcType::None {
            return;
        }
        cbor::put_head(out, cbor::Major::Bytes, self.len() as u64);
        let value = self.checksum([before[0], before[1], &out[start..]]).to_be_bytes();
        out.extend_from_slice(&value[4 - self.len()..]);
    }

    /// CRC over `parts` and the CRC field's own octets, which count as zero (section 4.3.1).
    fn checksum(self, parts: [&[u8]; 3]) -> u32 {
        let zeros: &[u8] = &[0; 4][..self.len()];
        let parts = parts.into_iter().chain([zeros]);
        match self {
            CrcType::None => 0,
            CrcType::Crc16 => {
                let mut digest = CRC16.digest();
                parts.for_each(|part| digest.update(part));
                u32::from(digest.finalize())
            }
            CrcType::Crc32c => {
                let mut digest = CRC32C.digest();
                parts.for_each(|part| digest.update(part));
                digest.finalize()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_algorithms_are_the_ones_of_section_4_2_1() {
        // The check values of the CRC catalogues; for CRC-32C also RFC 7143 appendix A.4, whose octets are in
        // transmission order: 32 zeros give AA 36 91 8A.
        assert_eq!(CRC16.checksum(b"123456789"), 0x906E);
        assert_eq!(CRC32C.checksum(b"123456789"), 0xE306_9283);
        assert_eq!(CRC32C.checksum(&[0; 32]), 0x8A91_36AA);
    }
}
