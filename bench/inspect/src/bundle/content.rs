use farlink_wire::bpv7::{
    AdministrativeRecord, BundleAge, BundleError, HopCount, PreviousNode, StatusItem, StatusReport, block_type,
};
use serde::Serialize;

use super::CreationView;
use crate::{cbor, time};

/// Block types of RFC 9172 section 11.1.
pub(super) const INTEGRITY: u64 = 11;
pub(super) const CONFIDENTIALITY: u64 = 12;

/// Most targets of a security block that are listed.
const MAX_TARGETS: usize = 64;

/// A block's data as its type demands. In JSON, `kind` tells which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Content {
    /// Block type 6.
    PreviousNode {
        /// URI.
        eid: String,
    },
    /// Block type 7.
    BundleAge {
        /// Milliseconds.
        age_ms: u64,
    },
    /// Block type 10.
    HopCount {
        /// Hops the bundle may make.
        limit: u64,
        /// Hops it has made.
        count: u64,
    },
    /// Block types 11 and 12 (RFC 9172 section 3.6).
    Security {
        /// Block numbers.
        targets: Vec<u64>,
        /// Security context identifier.
        context: u64,
        /// Security context flags; bit 0: parameters are present.
        flags: u64,
        /// URI of the security source.
        source: String,
    },
    /// The payload is a status report.
    StatusReport(Box<ReportView>),
    /// The payload is another administrative record.
    Record {
        /// Record type code.
        record_type: u64,
    },
    /// The data cannot be read as the type demands.
    Unreadable,
}

/// A status report (RFC 9171 section 6.1.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReportView {
    /// What is asserted, in the order of the wire; statuses that are not are left out.
    pub asserted: Vec<StatusView>,
    /// Reason code.
    pub reason_code: u64,
    /// Its meaning.
    pub reason: &'static str,
    /// URI of the reported bundle's source.
    pub source: String,
    /// The reported bundle's creation timestamp.
    pub creation: CreationView,
    /// Offset of the reported fragment.
    pub fragment_offset: Option<u64>,
    /// Payload length of the reported fragment.
    pub fragment_length: Option<u64>,
}

/// One status that is asserted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatusView {
    /// `received`, `forwarded`, `delivered` or `deleted`.
    pub status: &'static str,
    /// When, as DTN time.
    pub dtn_ms: Option<u64>,
    /// The same in RFC 3339.
    pub utc: Option<String>,
}

impl CreationView {
    pub(super) fn new(dtn_ms: u64, sequence: u64) -> Self {
        let utc = (dtn_ms != 0).then(|| time::dtn_rfc3339(i128::from(dtn_ms)));
        CreationView { dtn_ms, utc, sequence }
    }
}

impl Content {
    /// Reads data of a type that is known; `None` for others.
    pub(super) fn of(block_type: u64, data: &[u8], is_record: bool) -> Option<Result<Content, BundleError>> {
        Some(match block_type {
            block_type::PREVIOUS_NODE => {
                PreviousNode::parse(data).map(|node| Content::PreviousNode { eid: node.0.to_string() })
            }
            block_type::BUNDLE_AGE => BundleAge::parse(data).map(|age| Content::BundleAge { age_ms: age.0 }),
            block_type::HOP_COUNT => {
                HopCount::parse(data).map(|hops| Content::HopCount { limit: hops.limit, count: hops.count })
            }
            block_type::PAYLOAD if is_record => AdministrativeRecord::parse(data).map(|record| match record {
                AdministrativeRecord::StatusReport(report) => Content::StatusReport(Box::new((&report).into())),
                AdministrativeRecord::Unknown { record_type, .. } => Content::Record { record_type },
            }),
            // An encrypted integrity block has ciphertext here, so what cannot be read is no fault.
            INTEGRITY | CONFIDENTIALITY => return security(data).map(Ok),
            _ => return None,
        })
    }
}

/// The abstract security block up to its source: a sequence of items without an array around them.
fn security(data: &[u8]) -> Option<Content> {
    let targets_end = cbor::item_end(data, 0)?;
    let targets = cbor::elements(data, &(0..targets_end), MAX_TARGETS)?;
    let context_end = cbor::item_end(data, targets_end)?;
    let flags_end = cbor::item_end(data, context_end)?;
    let source_end = cbor::item_end(data, flags_end)?;
    Some(Content::Security {
        targets: targets.iter().map(|target| cbor::unsigned(data, target)).collect::<Option<_>>()?,
        context: cbor::unsigned(data, &(targets_end..context_end))?,
        flags: cbor::unsigned(data, &(context_end..flags_end))?,
        source: PreviousNode::parse(&data[flags_end..source_end]).ok()?.0.to_string(),
    })
}

impl From<&StatusReport> for ReportView {
    fn from(report: &StatusReport) -> Self {
        let view = |status: &'static str, item: StatusItem| {
            item.asserted.then(|| StatusView {
                status,
                dtn_ms: item.time_ms,
                utc: item.time_ms.map(|ms| time::dtn_rfc3339(i128::from(ms))),
            })
        };
        let asserted = [
            view("received", report.received),
            view("forwarded", report.forwarded),
            view("delivered", report.delivered),
            view("deleted", report.deleted),
        ];
        ReportView {
            asserted: asserted.into_iter().flatten().collect(),
            reason_code: report.reason.code(),
            reason: report.reason.as_str(),
            source: report.source.to_string(),
            creation: CreationView::new(report.creation.time_ms, report.creation.sequence),
            fragment_offset: report.fragment.map(|extent| extent.offset),
            fragment_length: report.fragment.map(|extent| extent.length),
        }
    }
}
