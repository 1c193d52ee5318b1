//! The octet stream of the TCP Convergence Layer, version 4 (RFC 9174).
//!
//! Each side begins with a [`ContactHeader`]. Then follow [`Message`]s, each with a one-octet type:
//!
//! | code | [`Message`] | section |
//! |---|---|---|
//! | 1 | XFER_SEGMENT: a part of a bundle | 5.2.2 |
//! | 2 | XFER_ACK: how much of a transfer has arrived | 5.2.3 |
//! | 3 | XFER_REFUSE: a transfer is not wanted | 5.2.4 |
//! | 4 | KEEPALIVE | 5.1.1 |
//! | 5 | SESS_TERM: a session ends, or the answer to that | 6.1 |
//! | 6 | MSG_REJECT: a message was not understood | 5.1.2 |
//! | 7 | SESS_INIT: the parameters of a session | 4.6 |
//!
//! A stream arrives in pieces of any size. So reading has three outcomes: a [`Prefix::Whole`] unit, a
//! [`Prefix::Incomplete`] one of which the next octets must be awaited, and a [`TcpclError`] that no further octet can mend.
//! A segment may be far larger than what its reader wants to hold: [`Message::parse_head`] reads it up to its data.
//!
//! Parsing judges only what decides where the next unit begins. Flags, reason codes and extension items keep whatever they
//! hold, since a receiver must ignore or answer what it does not know; [`ItemList::items`] tells whether a list of
//! extension items is in order. Emitting refuses nothing.
//!
//! ```
//! use farlink_wire::tcpcl::{Message, Prefix, XferAck, SegmentFlags};
//!
//! let ack = Message::Ack(XferAck { flags: SegmentFlags::END, transfer_id: 7, acknowledged_length: 1800 });
//! let mut stream = Vec::new();
//! ack.emit(&mut stream);
//! assert_eq!(stream, [2, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 7, 8]);
//! assert_eq!(Message::parse(&stream)?, Prefix::Whole { unit: ack, length: 18 });
//! assert_eq!(Message::parse(&stream[..5])?, Prefix::Incomplete { at_least: 10 });
//! # Ok::<(), farlink_wire::tcpcl::TcpclError>(())
//! ```

mod emit;
mod error;
mod flags;
mod items;
mod parse;
mod reason;

pub use error::{ItemError, TcpclError};
pub use flags::{ContactFlags, ItemFlags, SegmentFlags, TermFlags};
pub use items::{ExtensionItem, ItemList, TRANSFER_LENGTH};
pub use reason::{RefuseReason, RejectReason, TermReason};

/// The registered TCP port (section 8.1).
pub const PORT: u16 = 4556;

/// The version that this module speaks (section 4.2).
pub const VERSION: u8 = 4;

/// What a stream begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Prefix<T> {
    /// A whole unit.
    Whole {
        /// The unit.
        unit: T,
        /// The octets that it takes.
        length: usize,
    },
    /// The beginning of a unit.
    Incomplete {
        /// Octets from the start of the unit that must be there before another attempt can tell more. It can grow from
        /// attempt to attempt, and it is what the peer claims: check it against a limit before waiting for so many.
        at_least: u64,
    },
}

/// The first octets of each side (section 4.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ContactHeader {
    /// The protocol version; 4 for what this module speaks.
    pub version: u8,
    /// Whether the sender can use TLS, and reserved bits.
    pub flags: ContactFlags,
}

impl ContactHeader {
    /// The octets that every contact header begins with.
    pub const MAGIC: [u8; 4] = *b"dtn!";
    /// Its length in octets.
    pub const LENGTH: usize = 6;
}

/// The code of a message type (section 4.5), known or not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MessageType(pub u8);

impl MessageType {
    /// Section 5.2.2.
    pub const XFER_SEGMENT: Self = MessageType(1);
    /// Section 5.2.3.
    pub const XFER_ACK: Self = MessageType(2);
    /// Section 5.2.4.
    pub const XFER_REFUSE: Self = MessageType(3);
    /// Section 5.1.1.
    pub const KEEPALIVE: Self = MessageType(4);
    /// Section 6.1.
    pub const SESS_TERM: Self = MessageType(5);
    /// Section 5.1.2.
    pub const MSG_REJECT: Self = MessageType(6);
    /// Section 4.6.
    pub const SESS_INIT: Self = MessageType(7);
}

/// A message (section 4.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Message<'a> {
    /// A part of a bundle.
    Segment(XferSegment<'a>),
    /// Octets of a transfer are acknowledged.
    Ack(XferAck),
    /// A transfer is refused.
    Refuse(XferRefuse),
    /// The sender is still there.
    Keepalive,
    /// A session ends.
    SessTerm(SessTerm),
    /// A message is rejected.
    Reject(MsgReject),
    /// The sender's parameters of the session.
    SessInit(SessInit<'a>),
}

impl Message<'_> {
    /// The code of its type.
    pub const fn message_type(&self) -> MessageType {
        match self {
            Message::Segment(_) => MessageType::XFER_SEGMENT,
            Message::Ack(_) => MessageType::XFER_ACK,
            Message::Refuse(_) => MessageType::XFER_REFUSE,
            Message::Keepalive => MessageType::KEEPALIVE,
            Message::SessTerm(_) => MessageType::SESS_TERM,
            Message::Reject(_) => MessageType::MSG_REJECT,
            Message::SessInit(_) => MessageType::SESS_INIT,
        }
    }
}

/// A message, or of an XFER_SEGMENT what stands before its data.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Head<'a> {
    /// The data of the segment follow.
    Segment(SegmentHead<'a>),
    /// A whole message of any other type.
    Message(Message<'a>),
}

/// SESS_INIT (section 4.6).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SessInit<'a> {
    /// Proposed keepalive interval in seconds; 0 for none.
    pub keepalive_s: u16,
    /// Most octets of data in one segment that the sender takes.
    pub segment_mru: u64,
    /// Most octets in one transfer that the sender takes.
    pub transfer_mru: u64,
    /// The sender's node ID, which should be UTF-8; none if empty. Longer than 65,535 octets cannot be written: the length
    /// field then holds the low 16 bits.
    pub node_id: &'a [u8],
    /// Session extension items.
    pub items: ItemList<'a>,
}

/// XFER_SEGMENT (section 5.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct XferSegment<'a> {
    /// START, END and reserved bits.
    pub flags: SegmentFlags,
    /// Which transfer.
    pub transfer_id: u64,
    /// Transfer extension items; there if and only if START is set. `emit` writes what it finds.
    pub items: Option<ItemList<'a>>,
    /// The part of the bundle.
    pub data: &'a [u8],
}

impl<'a> XferSegment<'a> {
    /// What stands before the data.
    pub fn head(&self) -> SegmentHead<'a> {
        SegmentHead {
            flags: self.flags,
            transfer_id: self.transfer_id,
            items: self.items,
            data_length: self.data.len() as u64,
        }
    }
}

/// An XFER_SEGMENT up to its data (section 5.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SegmentHead<'a> {
    /// START, END and reserved bits.
    pub flags: SegmentFlags,
    /// Which transfer.
    pub transfer_id: u64,
    /// Transfer extension items; there if and only if START is set. `emit` writes what it finds.
    pub items: Option<ItemList<'a>>,
    /// How many octets of data follow.
    pub data_length: u64,
}

/// XFER_ACK (section 5.2.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct XferAck {
    /// The flags of the segment that is acknowledged.
    pub flags: SegmentFlags,
    /// Which transfer.
    pub transfer_id: u64,
    /// Octets of the transfer that have arrived, over all its segments so far.
    pub acknowledged_length: u64,
}

/// XFER_REFUSE (section 5.2.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct XferRefuse {
    /// Why.
    pub reason: RefuseReason,
    /// Which transfer.
    pub transfer_id: u64,
}

/// SESS_TERM (section 6.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SessTerm {
    /// Whether it answers a SESS_TERM, and reserved bits.
    pub flags: TermFlags,
    /// Why.
    pub reason: TermReason,
}

/// MSG_REJECT (section 5.1.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MsgReject {
    /// Why.
    pub reason: RejectReason,
    /// The type of the rejected message.
    pub rejected: MessageType,
}
