use super::cbor::Reader;
use super::{BlockFlags, Bundle, BundleFlags, CanonicalBlock, CrcType, Eid, block_type};

/// Block Integrity Block (RFC 9172 section 11.1).
const BLOCK_INTEGRITY: u64 = 11;
/// Block Confidentiality Block (RFC 9172 section 11.1).
const BLOCK_CONFIDENTIALITY: u64 = 12;

/// A rule that a readable bundle breaks. The rules bind whoever made the bundle; what a receiver does with it is its
/// own choice, so [`Bundle::parse`] does not refuse it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Lapse {
    /// Section 4.3.1: without a CRC the primary block must be the target of a Block Integrity Block.
    #[error("the primary block has neither a CRC nor an integrity block (RFC 9171 section 4.3.1)")]
    PrimaryUnprotected,
    /// Section 4.2.3: a bundle with an administrative record must request no status reports.
    #[error("an administrative record requests status reports (RFC 9171 section 4.2.3)")]
    RecordRequestsReports,
    /// Section 4.2.3: an anonymous bundle must request no status reports.
    #[error("an anonymous bundle requests status reports (RFC 9171 section 4.2.3)")]
    AnonymousRequestsReports,
    /// Section 4.2.3: an anonymous bundle must not be fragmented.
    #[error("an anonymous bundle may be fragmented (RFC 9171 section 4.2.3)")]
    AnonymousFragmentable,
    /// Section 4.2.4: no block of an administrative record or of an anonymous bundle asks for a report.
    #[error("block {number} asks for a report though nobody may be told (RFC 9171 section 4.2.4)")]
    BlockRequestsReport {
        /// The block number.
        number: u64,
    },
    /// Sections 4.4.1 to 4.4.3: at most one Previous Node, Bundle Age and Hop Count block.
    #[error("more than one block of type {block_type} (RFC 9171 section 4.4)")]
    Repeated {
        /// The block type code.
        block_type: u64,
    },
    /// Section 4.4.2: a bundle with creation time zero must have a Bundle Age block.
    #[error("creation time zero without a bundle age (RFC 9171 section 4.4.2)")]
    NoAge,
    /// Section 4.3.1: a fragment's payload is a part of the unit, so it ends within it.
    #[error("the fragment ends beyond its application data unit (RFC 9171 section 4.3.1)")]
    FragmentBeyondUnit,
    /// Section 5.8: only a bundle whose flags do not forbid it may be fragmented.
    #[error("a fragment of a bundle that must not be fragmented (RFC 9171 section 5.8)")]
    FragmentedAgainstFlag,
}

impl Bundle<'_> {
    /// The rules of sections 4.2 to 4.4 which this bundle breaks although it can be read.
    pub fn lapses(&self) -> Vec<Lapse> {
        let mut lapses = Vec::new();
        let flags = self.primary.flags;
        let is_record = flags.contains(BundleFlags::IS_ADMIN_RECORD);
        let is_anonymous = self.primary.source == Eid::None;
        let requests_reports = flags.intersects(BundleFlags::ALL_REPORTS);
        if self.primary.crc == CrcType::None && !self.primary_is_integrity_target() {
            lapses.push(Lapse::PrimaryUnprotected);
        }
        if is_record && requests_reports {
            lapses.push(Lapse::RecordRequestsReports);
        }
        if is_anonymous && requests_reports {
            lapses.push(Lapse::AnonymousRequestsReports);
        }
        if is_anonymous && !flags.contains(BundleFlags::MUST_NOT_FRAGMENT) {
            lapses.push(Lapse::AnonymousFragmentable);
        }
        if is_record || is_anonymous {
            let asking = self.blocks.iter().filter(|block| block.flags.contains(BlockFlags::REPORT_IF_UNPROCESSABLE));
            lapses.extend(asking.map(|block| Lapse::BlockRequestsReport { number: block.number }));
        }
        for block_type in [block_type::PREVIOUS_NODE, block_type::BUNDLE_AGE, block_type::HOP_COUNT] {
            if self.blocks.iter().filter(|block| block.block_type == block_type).count() > 1 {
                lapses.push(Lapse::Repeated { block_type });
            }
        }
        if self.primary.creation.time_ms == 0 && self.extension(block_type::BUNDLE_AGE).is_none() {
            lapses.push(Lapse::NoAge);
        }
        if let Some(fragment) = self.primary.fragment {
            let end = fragment.offset.checked_add(self.payload().len() as u64);
            if end.is_none_or(|end| end > fragment.total_length) {
                lapses.push(Lapse::FragmentBeyondUnit);
            }
            if flags.contains(BundleFlags::MUST_NOT_FRAGMENT) {
                lapses.push(Lapse::FragmentedAgainstFlag);
            }
        }
        lapses
    }

    /// Whether an integrity block names the primary block among its targets. One that is encrypted may, so it counts.
    fn primary_is_integrity_target(&self) -> bool {
        let blocks_of = |block_type| self.blocks.iter().filter(move |block| block.block_type == block_type);
        blocks_of(BLOCK_INTEGRITY).any(|integrity| {
            targets(integrity, 0) || blocks_of(BLOCK_CONFIDENTIALITY).any(|hiding| targets(hiding, integrity.number))
        })
    }
}

/// Whether a security block's targets, the first item of its data (RFC 9172 section 3.6), include a block number.
fn targets(security: &CanonicalBlock<'_>, number: u64) -> bool {
    let mut reader = Reader::new(&security.data);
    let count = reader.array("security targets").unwrap_or(0);
    (0..count).map_while(|_| reader.unsigned("security target").ok()).any(|target| target == number)
}
