//! Segments of the Licklider Transmission Protocol (RFC 5326 section 3).
//!
//! A block of client data goes out in data segments, red (to be repeated until it arrives) or green (sent once). Some
//! red segments are checkpoints, which ask for a report; a [`Report`] claims what has arrived between its bounds; a
//! report acknowledgment stops the report's retransmission; either side may cancel.
//!
//! | code | [`Content`] | direction |
//! |---|---|---|
//! | 0 | red data | block sender to receiver |
//! | 1, 2, 3 | red data and checkpoint; 2 and 3 end the red part, 3 ends the block | sender to receiver |
//! | 4, 7 | green data; 7 ends the block | sender to receiver |
//! | 8 | report segment | receiver to sender |
//! | 9 | report-acknowledgment segment | sender to receiver |
//! | 12, 13 | cancellation by the block sender, and its acknowledgment | sender to receiver, and back |
//! | 14, 15 | cancellation by the block receiver, and its acknowledgment | receiver to sender, and back |
//!
//! Codes 5, 6, 10 and 11 are undefined and refused. The flag walk-through of section 3.1.1 swaps cancellations and
//! their acknowledgments; the tables of sections 3.1.2 and 3.1.3 are what stacks speak, and what is followed here.
//!
//! Extensions that are not known here keep their tag and octets, so that they survive a round trip. Those of RFC 5327,
//! authentication and cookies, are in [`security`].

mod emit;
mod error;
mod parse;
pub mod security;

use std::fmt;

pub use error::LtpError;
pub use parse::{segments, segments_with_octets};

/// Names a session among all between two engines: who sends the block, and that engine's number for it (section 3.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionId {
    /// Engine ID of the block sender.
    pub originator: u64,
    /// The number which the block sender chose.
    pub number: u64,
}

/// "10:4711": originator, then number.
impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.originator, self.number)
    }
}

/// One LTP segment: header, content, trailer (section 3).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Segment<'a> {
    /// The session it belongs to. It names the block sender, whoever sends this segment.
    pub session: SessionId,
    /// Extensions between header and content, at most 15 (section 3.1.4).
    pub header_extensions: Vec<Extension<'a>>,
    /// Extensions after the content, at most 15 (section 3.3).
    pub trailer_extensions: Vec<Extension<'a>>,
    /// What the segment type code announces.
    pub content: Content<'a>,
}

/// A tag and an uninterpreted value (section 3.1.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Extension<'a> {
    /// 0x00 authentication and 0x01 cookie (RFC 5327); 0xC0 to 0xFF are private.
    pub tag: u8,
    /// The octets of the value.
    pub value: &'a [u8],
}

/// What a segment carries (section 3.2).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Content<'a> {
    /// Codes 0 to 4 and 7 (section 3.2.1).
    Data(Data<'a>),
    /// Code 8 (section 3.2.2).
    Report(Report),
    /// Code 9 (section 3.2.3).
    ReportAck {
        /// Serial number of the report being acknowledged.
        report_serial: u64,
    },
    /// Codes 12 and 14 (section 3.2.4).
    Cancel {
        /// Who cancels.
        by: Party,
        /// Why.
        reason: CancelReason,
    },
    /// Codes 13 and 15 (section 3.2.4).
    CancelAck {
        /// Who cancelled; the other party sends this.
        by: Party,
    },
}

/// An end of a session, seen from the block.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Party {
    /// The block sender, whose engine is the session's originator.
    Sender,
    /// The block receiver.
    Receiver,
}

/// A data segment's content (section 3.2.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Data<'a> {
    /// Colour, and what the segment ends or asks for.
    pub kind: DataKind,
    /// The upper-level service to deliver to. The Bundle Protocol is 1.
    pub client_service: u64,
    /// Octets of the block before this segment's first.
    pub offset: u64,
    /// The client service data. It may be empty: section 3.2.1 gives the length no minimum.
    pub data: &'a [u8],
}

impl Data<'_> {
    /// Offset of the octet after the last one; for an end of red part or of block, the size of that (section 3.1.3).
    /// Saturates, which a parsed segment never needs.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.data.len() as u64)
    }
}

/// The six defined data segment types (section 3.1.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DataKind {
    /// Code 0: red data, nothing else.
    Red,
    /// Code 1: a checkpoint that ends nothing.
    RedCheckpoint(Checkpoint),
    /// Code 2: a checkpoint that ends the red part; green data follow.
    RedEndOfRedPart(Checkpoint),
    /// Code 3: a checkpoint that ends the red part and with it the block.
    RedEndOfBlock(Checkpoint),
    /// Code 4: green data, nothing else.
    Green,
    /// Code 7: green data that end the block.
    GreenEndOfBlock,
}

impl DataKind {
    /// Whether lost data will be repeated.
    pub fn colour(&self) -> Colour {
        match self {
            DataKind::Green | DataKind::GreenEndOfBlock => Colour::Green,
            _ => Colour::Red,
        }
    }

    /// The serial numbers, if the segment is a checkpoint (class CP of section 3.1.3).
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        match *self {
            DataKind::RedCheckpoint(c) | DataKind::RedEndOfRedPart(c) | DataKind::RedEndOfBlock(c) => Some(c),
            DataKind::Red | DataKind::Green | DataKind::GreenEndOfBlock => None,
        }
    }

    /// Class EORP of section 3.1.3: the red part is as long as this segment's offset plus its length.
    pub fn is_end_of_red_part(&self) -> bool {
        matches!(self, DataKind::RedEndOfRedPart(_) | DataKind::RedEndOfBlock(_))
    }

    /// Class EOB of section 3.1.3: the block is as long as this segment's offset plus its length.
    pub fn is_end_of_block(&self) -> bool {
        matches!(self, DataKind::RedEndOfBlock(_) | DataKind::GreenEndOfBlock)
    }
}

/// Red data are repeated until they arrive; green data are sent once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Colour {
    /// Reliable.
    Red,
    /// Unreliable.
    Green,
}

/// The serial numbers of a checkpoint (section 3.2.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Checkpoint {
    /// Names this checkpoint in its session. Never zero.
    pub serial: u64,
    /// The report to which the segment answers; zero if it answers none.
    pub report_serial: u64,
}

/// A report segment's content (section 3.2.2).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Report {
    /// Names this report in its session. Never zero.
    pub report_serial: u64,
    /// The checkpoint that asked for it; zero if the report is asynchronous.
    pub checkpoint_serial: u64,
    /// Block offset at which the scope ends (exclusive).
    pub upper_bound: u64,
    /// Block offset at which the scope begins. Claims count from here.
    pub lower_bound: u64,
    /// What has arrived: at least one claim, in ascending order, with a gap between any two.
    pub claims: Vec<Claim>,
}

/// Contiguous data that have arrived (section 3.2.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Claim {
    /// Octets between the report's lower bound and the first one claimed.
    pub offset: u64,
    /// Octets claimed, at least one.
    pub length: u64,
}

/// Why a session was cancelled (section 3.2.4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CancelReason {
    /// 0, USR_CNCLD: the client service cancelled.
    UserCancelled,
    /// 1, UNREACH: nobody serves that client service.
    Unreachable,
    /// 2, RLEXC: too many retransmissions.
    RetransmissionLimit,
    /// 3, MISCOLORED: red data beyond green data, or green before red.
    Miscoloured,
    /// 4, SYS_CNCLD: a system error.
    SystemError,
    /// 5, RXMTCYCEXC: too many retransmission cycles.
    RetransmissionCycles,
    /// 6 to 255, reserved.
    Other(u8),
}

impl CancelReason {
    /// The reason-code octet.
    pub const fn code(self) -> u8 {
        match self {
            CancelReason::UserCancelled => 0,
            CancelReason::Unreachable => 1,
            CancelReason::RetransmissionLimit => 2,
            CancelReason::Miscoloured => 3,
            CancelReason::SystemError => 4,
            CancelReason::RetransmissionCycles => 5,
            CancelReason::Other(code) => code,
        }
    }

    /// The reason for an octet; reserved codes become [`CancelReason::Other`].
    pub const fn from_code(code: u8) -> Self {
        match code {
            0 => CancelReason::UserCancelled,
            1 => CancelReason::Unreachable,
            2 => CancelReason::RetransmissionLimit,
            3 => CancelReason::Miscoloured,
            4 => CancelReason::SystemError,
            5 => CancelReason::RetransmissionCycles,
            code => CancelReason::Other(code),
        }
    }

    /// The mnemonic of section 3.2.4; "RESERVED" for the rest.
    pub const fn mnemonic(self) -> &'static str {
        match self {
            CancelReason::UserCancelled => "USR_CNCLD",
            CancelReason::Unreachable => "UNREACH",
            CancelReason::RetransmissionLimit => "RLEXC",
            CancelReason::Miscoloured => "MISCOLORED",
            CancelReason::SystemError => "SYS_CNCLD",
            CancelReason::RetransmissionCycles => "RXMTCYCEXC",
            CancelReason::Other(_) => "RESERVED",
        }
    }
}

impl<'a> Segment<'a> {
    /// A segment without extensions.
    pub fn new(session: SessionId, content: Content<'a>) -> Self {
        Segment { session, header_extensions: Vec::new(), trailer_extensions: Vec::new(), content }
    }

    /// The four segment type flags as a number (section 3.1.2).
    pub fn type_code(&self) -> u8 {
        match &self.content {
            Content::Data(data) => match data.kind {
                DataKind::Red => 0,
                DataKind::RedCheckpoint(_) => 1,
                DataKind::RedEndOfRedPart(_) => 2,
                DataKind::RedEndOfBlock(_) => 3,
                DataKind::Green => 4,
                DataKind::GreenEndOfBlock => 7,
            },
            Content::Report(_) => 8,
            Content::ReportAck { .. } => 9,
            Content::Cancel { by: Party::Sender, .. } => 12,
            Content::CancelAck { by: Party::Sender } => 13,
            Content::Cancel { by: Party::Receiver, .. } => 14,
            Content::CancelAck { by: Party::Receiver } => 15,
        }
    }
}
