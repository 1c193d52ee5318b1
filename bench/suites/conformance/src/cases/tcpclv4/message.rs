//! The messages of TCPCL version 4 as they stand in RFC 9174, read strictly and written literally.
//!
//! This is not the codec of the built-in node: a mistake in that one must not hide here.

/// The magic string and version of a contact header (section 4.2).
pub(crate) const MAGIC: [u8; 5] = *b"dtn!\x04";

/// START of a segment (section 5.2.2).
pub(crate) const START: u8 = 2;
/// END of a segment.
pub(crate) const END: u8 = 1;
/// REPLY of SESS_TERM (section 6.1).
pub(crate) const REPLY: u8 = 1;
/// CRITICAL of an extension item (sections 4.8 and 5.2.5).
pub(crate) const CRITICAL: u8 = 1;
/// The Transfer Length item (section 5.2.5.1).
pub(crate) const TRANSFER_LENGTH: u16 = 1;
/// A type of extension item for private use, which nobody knows.
pub(crate) const PRIVATE_ITEM: u16 = 0x8001;

/// Reasons of XFER_REFUSE (table 6).
pub(crate) mod refuse {
    pub(crate) const COMPLETED: u8 = 1;
    pub(crate) const NO_RESOURCES: u8 = 2;
    pub(crate) const RETRANSMIT: u8 = 3;
    pub(crate) const NOT_ACCEPTABLE: u8 = 4;
    pub(crate) const EXTENSION_FAILURE: u8 = 5;
    pub(crate) const SESSION_TERMINATING: u8 = 6;
}

/// Reasons of SESS_TERM (table 9).
pub(crate) mod term {
    pub(crate) const UNKNOWN: u8 = 0;
    pub(crate) const IDLE_TIMEOUT: u8 = 1;
    pub(crate) const VERSION_MISMATCH: u8 = 2;
    pub(crate) const BUSY: u8 = 3;
    pub(crate) const CONTACT_FAILURE: u8 = 4;
    pub(crate) const RESOURCE_EXHAUSTION: u8 = 5;
}

/// Reasons of MSG_REJECT (table 4).
pub(crate) mod reject {
    pub(crate) const TYPE_UNKNOWN: u8 = 1;
    pub(crate) const UNEXPECTED: u8 = 3;
}

/// Message types (table 2).
pub(crate) mod kind {
    pub(crate) const XFER_SEGMENT: u8 = 1;
    pub(crate) const XFER_ACK: u8 = 2;
    pub(crate) const XFER_REFUSE: u8 = 3;
    pub(crate) const KEEPALIVE: u8 = 4;
    pub(crate) const SESS_TERM: u8 = 5;
    pub(crate) const MSG_REJECT: u8 = 6;
    pub(crate) const SESS_INIT: u8 = 7;

    /// As RFC 9174 names a type.
    pub(crate) const fn name(kind: u8) -> &'static str {
        match kind {
            XFER_SEGMENT => "XFER_SEGMENT",
            XFER_ACK => "XFER_ACK",
            XFER_REFUSE => "XFER_REFUSE",
            KEEPALIVE => "KEEPALIVE",
            SESS_TERM => "SESS_TERM",
            MSG_REJECT => "MSG_REJECT",
            SESS_INIT => "SESS_INIT",
            _ => "a message of unknown type",
        }
    }
}

/// Octets of a node ID that are told.
const LONGEST_TOLD: usize = 60;

/// A contact header.
pub(crate) const fn contact_header(version: u8, flags: u8) -> [u8; 6] {
    [b'd', b't', b'n', b'!', version, flags]
}

/// SESS_INIT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Init {
    pub keepalive_s: u16,
    pub segment_mru: u64,
    pub transfer_mru: u64,
    pub node_id: Vec<u8>,
    /// The extension list, without its length.
    pub items: Vec<u8>,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Segment {
        flags: u8,
        id: u64,
        /// The extension list, without its length; present with START only.
        items: Option<Vec<u8>>,
        data: Vec<u8>,
    },
    Ack {
        flags: u8,
        id: u64,
        length: u64,
    },
    Refuse {
        reason: u8,
        id: u64,
    },
    Keepalive,
    Term {
        flags: u8,
        reason: u8,
    },
    Reject {
        reason: u8,
        kind: u8,
    },
    Init(Init),
}

/// An extension item of a session or transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub flags: u8,
    pub item_type: u16,
    pub value: Vec<u8>,
}

impl Item {
    pub(crate) fn new(flags: u8, item_type: u16, value: &[u8]) -> Self {
        Item { flags, item_type, value: value.to_vec() }
    }

    /// A Transfer Length.
    pub(crate) fn transfer_length(length: u64) -> Self {
        Item::new(CRITICAL, TRANSFER_LENGTH, &length.to_be_bytes())
    }
}

/// Items as a list without its length.
pub(crate) fn items(all: &[Item]) -> Vec<u8> {
    let mut out = Vec::new();
    for item in all {
        out.push(item.flags);
        out.extend_from_slice(&item.item_type.to_be_bytes());
        out.extend_from_slice(&u16::try_from(item.value.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(&item.value);
    }
    out
}

/// The items of a list.
pub(crate) fn read_items(list: &[u8]) -> Result<Vec<Item>, String> {
    let mut all = Vec::new();
    let mut rest = list;
    while !rest.is_empty() {
        let (head, after) =
            rest.split_at_checked(5).ok_or_else(|| format!("{} stray octets end an extension list", rest.len()))?;
        let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
        let (value, after) = after
            .split_at_checked(length)
            .ok_or_else(|| format!("an extension item of {length} octets goes beyond its list"))?;
        all.push(Item::new(head[0], u16::from_be_bytes([head[1], head[2]]), value));
        rest = after;
    }
    Ok(all)
}

/// Reads the fields of a message in turn. `None` is for more octets.
struct Fields<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.octets.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|octets| octets[0])
    }

    fn unsigned(&mut self, length: usize) -> Option<u64> {
        self.take(length).map(|octets| octets.iter().fold(0, |sum, octet| sum << 8 | u64::from(*octet)))
    }

    fn list(&mut self, width: usize) -> Option<Vec<u8>> {
        let length = usize::try_from(self.unsigned(width)?).ok()?;
        self.take(length).map(<[u8]>::to_vec)
    }
}

impl Message {
    /// The type octet.
    pub(crate) fn kind(&self) -> u8 {
        match self {
            Message::Segment { .. } => kind::XFER_SEGMENT,
            Message::Ack { .. } => kind::XFER_ACK,
            Message::Refuse { .. } => kind::XFER_REFUSE,
            Message::Keepalive => kind::KEEPALIVE,
            Message::Term { .. } => kind::SESS_TERM,
            Message::Reject { .. } => kind::MSG_REJECT,
            Message::Init(_) => kind::SESS_INIT,
        }
    }

    /// The first message, and its length; `None` if it is not all there.
    ///
    /// # Errors
    /// There is no such message type.
    pub(crate) fn read(octets: &[u8]) -> Result<Option<(Message, usize)>, String> {
        let Some(&first) = octets.first() else { return Ok(None) };
        if !(kind::XFER_SEGMENT..=kind::SESS_INIT).contains(&first) {
            return Err(format!("an octet {first:#04x} where a message type of 1 to 7 must stand"));
        }
        let mut fields = Fields { octets, at: 1 };
        let message = Message::fields(first, &mut fields);
        Ok(message.map(|message| (message, fields.at)))
    }

    fn fields(first: u8, fields: &mut Fields<'_>) -> Option<Message> {
        Some(match first {
            kind::XFER_SEGMENT => {
                let flags = fields.u8()?;
                let id = fields.unsigned(8)?;
                let items = if flags & START != 0 { Some(fields.list(4)?) } else { None };
                Message::Segment { flags, id, items, data: fields.list(8)? }
            }
            kind::XFER_ACK => {
                Message::Ack { flags: fields.u8()?, id: fields.unsigned(8)?, length: fields.unsigned(8)? }
            }
            kind::XFER_REFUSE => Message::Refuse { reason: fields.u8()?, id: fields.unsigned(8)? },
            kind::KEEPALIVE => Message::Keepalive,
            kind::SESS_TERM => Message::Term { flags: fields.u8()?, reason: fields.u8()? },
            kind::MSG_REJECT => Message::Reject { reason: fields.u8()?, kind: fields.u8()? },
            _ => Message::Init(Init {
                keepalive_s: u16::try_from(fields.unsigned(2)?).ok()?,
                segment_mru: fields.unsigned(8)?,
                transfer_mru: fields.unsigned(8)?,
                node_id: fields.list(2)?,
                items: fields.list(4)?,
            }),
        })
    }

    /// As it goes over the wire.
    pub(crate) fn octets(&self) -> Vec<u8> {
        let mut out = vec![self.kind()];
        match self {
            Message::Segment { flags, id, items, data } => {
                out.push(*flags);
                out.extend_from_slice(&id.to_be_bytes());
                if let Some(items) = items {
                    out.extend_from_slice(&(items.len() as u32).to_be_bytes());
                    out.extend_from_slice(items);
                }
                out.extend_from_slice(&(data.len() as u64).to_be_bytes());
                out.extend_from_slice(data);
            }
            Message::Ack { flags, id, length } => {
                out.push(*flags);
                out.extend_from_slice(&id.to_be_bytes());
                out.extend_from_slice(&length.to_be_bytes());
            }
            Message::Refuse { reason, id } => {
                out.push(*reason);
                out.extend_from_slice(&id.to_be_bytes());
            }
            Message::Keepalive => {}
            Message::Term { flags, reason } => out.extend_from_slice(&[*flags, *reason]),
            Message::Reject { reason, kind } => out.extend_from_slice(&[*reason, *kind]),
            Message::Init(init) => {
                out.extend_from_slice(&init.keepalive_s.to_be_bytes());
                out.extend_from_slice(&init.segment_mru.to_be_bytes());
                out.extend_from_slice(&init.transfer_mru.to_be_bytes());
                out.extend_from_slice(&(init.node_id.len() as u16).to_be_bytes());
                out.extend_from_slice(&init.node_id);
                out.extend_from_slice(&(init.items.len() as u32).to_be_bytes());
                out.extend_from_slice(&init.items);
            }
        }
        out
    }

    /// As a person reads it.
    pub(crate) fn told(&self) -> String {
        match self {
            Message::Segment { flags, id, data, .. } => {
                format!("XFER_SEGMENT (flags {flags:#04x}, transfer {id}, {} octets)", data.len())
            }
            Message::Ack { flags, id, length } => {
                format!("XFER_ACK (flags {flags:#04x}, transfer {id}, length {length})")
            }
            Message::Refuse { reason, id } => format!("XFER_REFUSE (reason {reason:#04x}, transfer {id})"),
            Message::Keepalive => "KEEPALIVE".to_owned(),
            Message::Term { flags, reason } => format!("SESS_TERM (flags {flags:#04x}, reason {reason:#04x})"),
            Message::Reject { reason, kind } => format!("MSG_REJECT (reason {reason:#04x}, of type {kind:#04x})"),
            Message::Init(Init { keepalive_s, segment_mru, transfer_mru, node_id, items }) => {
                let node_id = String::from_utf8_lossy(&node_id[..node_id.len().min(LONGEST_TOLD)]);
                format!(
                    "SESS_INIT (keepalive {keepalive_s} s, segment MRU {segment_mru}, transfer MRU {transfer_mru}, node ID \
                     {node_id:?}, {} octets of extensions)",
                    items.len()
                )
            }
        }
    }
}

/// A segment.
pub(crate) fn segment(flags: u8, id: u64, list: &[Item], data: &[u8]) -> Vec<u8> {
    let items = (flags & START != 0).then(|| items(list));
    Message::Segment { flags, id, items, data: data.to_vec() }.octets()
}

/// SESS_TERM.
pub(crate) const fn sess_term(flags: u8, reason: u8) -> [u8; 3] {
    [kind::SESS_TERM, flags, reason]
}

/// MSG_REJECT.
pub(crate) const fn msg_reject(reason: u8, kind: u8) -> [u8; 3] {
    [kind::MSG_REJECT, reason, kind]
}

/// XFER_ACK.
pub(crate) fn xfer_ack(flags: u8, id: u64, length: u64) -> Vec<u8> {
    Message::Ack { flags, id, length }.octets()
}

/// XFER_REFUSE.
pub(crate) fn xfer_refuse(reason: u8, id: u64) -> Vec<u8> {
    Message::Refuse { reason, id }.octets()
}
