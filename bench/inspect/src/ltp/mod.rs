//! What an LTP segment says, and what a session comes to.
//!
//! # JSON
//! [`SegmentView`] and [`SessionView`] are written with the names of their fields; these names and their meaning stay.
//! Ranges are `[from, to)`: of octets of the datagram in `octets`, of octets of the block elsewhere.

mod block;
mod ladder;
mod sessions;
mod text;

use farlink_wire::ltp::{Content, Extension, LtpError, Party, Segment};
use farlink_wire::sdnv;
use serde::Serialize;

pub use block::MAX_HELD;
pub use ladder::rung;
pub use sessions::{Arrived, Found, MAX_SESSIONS, Sessions};
pub use text::{outcome_text, segment_line};

use crate::bundle::{Octets, Problem};
use crate::hex;

/// Most claims, gaps and other lists that a view holds; further ones are only counted.
pub const MAX_LISTED: usize = 256;

/// A segment as far as it could be read.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SegmentView {
    /// Where it stands in its datagram.
    pub octets: Option<Octets>,
    /// Segment type code, 0 to 15.
    pub type_code: Option<u8>,
    /// The type's name.
    pub name: &'static str,
    /// Engine ID of the block's sender.
    pub originator: Option<u64>,
    /// Session number.
    pub number: Option<u64>,
    /// Extensions before the content.
    pub header_extensions: Vec<ExtensionView>,
    /// Extensions after it.
    pub trailer_extensions: Vec<ExtensionView>,
    /// Data segments only.
    pub data: Option<DataView>,
    /// Report segments only.
    pub report: Option<ReportView>,
    /// Report-acknowledgment segments only: the report's serial number.
    pub acknowledged_report: Option<u64>,
    /// Cancel segments only.
    pub cancel: Option<CancelView>,
    /// Why it is no segment.
    pub problem: Option<Problem>,
}

/// An extension (RFC 5326 section 3.1.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExtensionView {
    /// Its tag.
    pub tag: u8,
    /// The tag's name (RFC 5327).
    pub name: &'static str,
    /// Hex digits of the value.
    pub value: String,
}

/// A data segment's content (RFC 5326 section 3.2.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DataView {
    /// `red` or `green`.
    pub colour: &'static str,
    /// 1 is the Bundle Protocol.
    pub client_service: u64,
    /// First octet of the block.
    pub offset: u64,
    /// Octet of the block after the last.
    pub end: u64,
    /// Checkpoint serial number, if it is a checkpoint.
    pub checkpoint: Option<u64>,
    /// Serial number of the report to which the checkpoint answers; `null` if it answers none.
    pub answers_report: Option<u64>,
    /// The red part ends with it.
    pub ends_red_part: bool,
    /// The block ends with it.
    pub ends_block: bool,
    /// Hex digits of the data's first octets, at most [`SHOWN`].
    pub first: String,
}

/// How many of the data's first octets are shown.
pub const SHOWN: usize = 16;

/// A report segment's content (RFC 5326 section 3.2.2), with offsets counted from the block's start, not from the lower
/// bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReportView {
    /// Report serial number.
    pub serial: u64,
    /// Serial number of the checkpoint that asked; `null` if none did.
    pub checkpoint: Option<u64>,
    /// What it reports on.
    pub scope: (u64, u64),
    /// What has arrived, at most [`MAX_LISTED`].
    pub claims: Vec<(u64, u64)>,
    /// Number of claims.
    pub claim_count: usize,
    /// What has not, at most [`MAX_LISTED`] + 1.
    pub gaps: Vec<(u64, u64)>,
}

/// A cancel segment or its acknowledgment (RFC 5326 section 3.2.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CancelView {
    /// Who cancels the session: `sender` or `receiver` of the block.
    pub by: &'static str,
    /// Whether this is only the acknowledgment.
    pub acknowledgment: bool,
    /// Reason code of a cancel segment.
    pub reason_code: Option<u8>,
    /// Its mnemonic.
    pub reason: Option<&'static str>,
}

impl SegmentView {
    /// Describes a segment that stands at `octets` of its datagram.
    pub fn new(segment: &Segment<'_>, octets: Octets) -> Self {
        let mut view = SegmentView {
            octets: Some(octets),
            type_code: Some(segment.type_code()),
            name: type_name(segment.type_code()),
            originator: Some(segment.session.originator),
            number: Some(segment.session.number),
            header_extensions: segment.header_extensions.iter().map(ExtensionView::new).collect(),
            trailer_extensions: segment.trailer_extensions.iter().map(ExtensionView::new).collect(),
            ..SegmentView::default()
        };
        match &segment.content {
            Content::Data(data) => {
                let checkpoint = data.kind.checkpoint();
                view.data = Some(DataView {
                    colour: if data.kind.colour() == farlink_wire::ltp::Colour::Red { "red" } else { "green" },
                    client_service: data.client_service,
                    offset: data.offset,
                    end: data.end(),
                    checkpoint: checkpoint.map(|c| c.serial),
                    answers_report: checkpoint.map(|c| c.report_serial).filter(|&serial| serial != 0),
                    ends_red_part: data.kind.is_end_of_red_part(),
                    ends_block: data.kind.is_end_of_block(),
                    first: hex::digits(&data.data[..data.data.len().min(SHOWN)]),
                });
            }
            Content::Report(report) => view.report = Some(ReportView::new(report)),
            Content::ReportAck { report_serial } => view.acknowledged_report = Some(*report_serial),
            Content::Cancel { by, reason } => {
                view.cancel = Some(CancelView {
                    by: party_name(*by),
                    acknowledgment: false,
                    reason_code: Some(reason.code()),
                    reason: Some(reason.mnemonic()),
                });
            }
            Content::CancelAck { by } => {
                view.cancel =
                    Some(CancelView { by: party_name(*by), acknowledgment: true, reason_code: None, reason: None });
            }
        }
        view
    }

    /// What can be read of a segment that begins at `start` of a datagram and was refused. The error counts octets from
    /// the datagram's start.
    pub fn refused(datagram: &[u8], start: usize, error: &LtpError) -> Self {
        let text = error.to_string();
        let message = text.strip_prefix(&format!("octet {}: ", error.at())).unwrap_or(&text).to_owned();
        let octet = error.at();
        let problem = Problem { octet, message, excerpt: hex::excerpt(datagram, octet..octet + 1) };
        let mut view = SegmentView {
            octets: Some(Octets(start, datagram.len())),
            name: "not a segment",
            problem: Some(problem),
            ..SegmentView::default()
        };
        let bytes = &datagram[start..];
        if let Some(control) = bytes.first().filter(|control| *control >> 4 == 0) {
            view.type_code = Some(control & 0x0F);
            view.name = type_name(control & 0x0F);
            if let Ok((originator, octets)) = sdnv::decode(&bytes[1..]) {
                view.originator = Some(originator);
                view.number = sdnv::decode(&bytes[1 + octets..]).ok().map(|(number, _)| number);
            }
        }
        view
    }

    /// The segments of a datagram; after one that is refused, nothing says where the next would begin.
    pub fn all(datagram: &[u8]) -> Vec<SegmentView> {
        let mut views = Vec::new();
        let mut start = 0;
        for segment in farlink_wire::ltp::segments(datagram) {
            match segment {
                Ok(segment) => {
                    let end = Segment::parse(&datagram[start..]).map_or(datagram.len(), |(_, octets)| start + octets);
                    views.push(SegmentView::new(&segment, Octets(start, end)));
                    start = end;
                }
                Err(error) => views.push(SegmentView::refused(datagram, start, &error)),
            }
        }
        views
    }
}

impl ReportView {
    fn new(report: &farlink_wire::ltp::Report) -> Self {
        let mut claims = Vec::new();
        let mut gaps = Vec::new();
        let mut at = report.lower_bound;
        for claim in report.claims.iter().take(MAX_LISTED) {
            let from = report.lower_bound + claim.offset;
            if from > at {
                gaps.push((at, from));
            }
            at = from + claim.length;
            claims.push((from, at));
        }
        if at < report.upper_bound && report.claims.len() <= MAX_LISTED {
            gaps.push((at, report.upper_bound));
        }
        ReportView {
            serial: report.report_serial,
            checkpoint: (report.checkpoint_serial != 0).then_some(report.checkpoint_serial),
            scope: (report.lower_bound, report.upper_bound),
            claims,
            claim_count: report.claims.len(),
            gaps,
        }
    }
}

impl ExtensionView {
    fn new(extension: &Extension<'_>) -> Self {
        let name = match extension.tag {
            0x00 => "authentication",
            0x01 => "cookie",
            0xC0..=0xFF => "private",
            _ => "unassigned",
        };
        ExtensionView { tag: extension.tag, name, value: hex::digits(extension.value) }
    }
}

fn party_name(party: Party) -> &'static str {
    match party {
        Party::Sender => "sender",
        Party::Receiver => "receiver",
    }
}

/// Who sends segments of a type.
pub fn sent_by(segment: &Segment<'_>) -> Party {
    match &segment.content {
        Content::Data(_) | Content::ReportAck { .. } => Party::Sender,
        Content::Report(_) => Party::Receiver,
        Content::Cancel { by, .. } => *by,
        Content::CancelAck { by: Party::Sender } => Party::Receiver,
        Content::CancelAck { by: Party::Receiver } => Party::Sender,
    }
}

/// Names of the types of RFC 5326 section 3.1.2.
fn type_name(code: u8) -> &'static str {
    match code {
        0 => "red data",
        1 => "red data, checkpoint",
        2 => "red data, checkpoint, end of red part",
        3 => "red data, checkpoint, end of red part, end of block",
        4 => "green data",
        7 => "green data, end of block",
        8 => "report",
        9 => "report acknowledgment",
        12 => "cancel by the block sender",
        13 => "cancel acknowledgment to the block sender",
        14 => "cancel by the block receiver",
        15 => "cancel acknowledgment to the block receiver",
        _ => "undefined type",
    }
}

/// What a session came to, as far as the capture shows it.
///
/// A capture near the receiver lacks what was lost before it: octets that were sent again then look new. They are counted
/// in `gap_octets`, since they lie below what had already been seen; so do segments that overtook each other.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SessionView {
    /// Engine ID of the block's sender.
    pub originator: u64,
    /// Session number.
    pub number: u64,
    /// Time of its first segment, RFC 3339.
    pub first: Option<String>,
    /// Time of its last segment, RFC 3339.
    pub last: Option<String>,
    /// Nanoseconds between the two.
    pub duration_ns: Option<u64>,
    /// First packet of it.
    pub first_packet: u64,
    /// Last packet of it.
    pub last_packet: u64,
    /// `address → address` of datagrams from the block's sender, at most 8.
    pub paths_forward: Vec<String>,
    /// The same for datagrams from its receiver.
    pub paths_back: Vec<String>,
    /// Client service of the data.
    pub client_service: Option<u64>,
    /// Octets of the block, if its end was seen.
    pub block_length: Option<u64>,
    /// Octets of the red part, if its end was seen.
    pub red_length: Option<u64>,
    /// Segments from either side.
    pub segments: u64,
    /// Data segments.
    pub data_segments: u64,
    /// Octets in data segments, all told.
    pub data_octets: u64,
    /// Octets of the block that were seen.
    pub seen_octets: u64,
    /// Octets that were seen before.
    pub repeated_octets: u64,
    /// New octets below the highest that had been seen.
    pub gap_octets: u64,
    /// Serial numbers of checkpoints in the order they were first seen, at most [`MAX_LISTED`].
    pub checkpoints: Vec<u64>,
    /// Checkpoint segments, repeated ones too.
    pub checkpoint_segments: u64,
    /// Serial numbers of reports, likewise.
    pub reports: Vec<u64>,
    /// Report segments, repeated ones too.
    pub report_segments: u64,
    /// Serial numbers of reports that were acknowledged, likewise.
    pub acknowledged_reports: Vec<u64>,
    /// Gaps within the claims of reports, at most [`MAX_LISTED`].
    pub gaps_reported: Vec<(u64, u64)>,
    /// How it ended.
    pub outcome: Outcome,
    /// Octets of the block that are missing from the capture, at most [`MAX_LISTED`] ranges; up to the block's end, or the
    /// highest octet seen.
    pub missing: Vec<(u64, u64)>,
    /// The bundles inside, in words, at most [`MAX_LISTED`].
    pub bundles: Vec<String>,
    /// Why there are none, or not all.
    pub bundle_note: Option<String>,
}

/// How a session ended. In JSON, `how` tells which.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Outcome {
    /// The receiver has claimed every octet of the red part.
    Completed {
        /// When the last claim was seen, RFC 3339.
        at: Option<String>,
        /// The block has octets beyond the red part, of which nobody reports.
        has_green: bool,
    },
    /// The end of an all-green block was seen; nobody reports whether it arrived.
    GreenSent,
    /// A party gave up.
    Cancelled {
        /// `sender` or `receiver` of the block.
        by: String,
        /// Reason code, unless only the acknowledgment was seen.
        reason_code: Option<u8>,
        /// Its mnemonic.
        reason: Option<String>,
        /// Whether an acknowledgment was seen.
        acknowledged: bool,
        /// Whether the receiver has claimed the whole red part all the same, before or after.
        claimed_in_full: bool,
    },
    /// Neither when the capture ended.
    #[default]
    Open,
}
