//! Rewrites of TCPCL messages.
//!
//! A rewrite picks contact headers, messages, or the begin and end of connections, in one direction, and says what becomes of
//! them: `{sends: ack, when: {flags: 1}, act: drop}`.

use std::collections::BTreeMap;

use bytes::Bytes;
use farlink_units::{Duration, Instant};
use serde::Deserialize;

use super::hex::Hex;
use super::{Flow, MutatedFlow, Mutation};
use crate::cases::tcpclv4::message::{END, Message, START, contact_header, kind, xfer_ack};
use crate::medium::{Door, Stream};

/// A rewrite.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {
    /// What the node sends; either this or `hears` is there.
    #[serde(default)]
    sends: Option<Kind>,
    /// What the node hears.
    #[serde(default)]
    hears: Option<Kind>,
    /// The values that fields must have.
    #[serde(default)]
    when: BTreeMap<Field, u64>,
    /// Whether `nth` and `from` count over all connections.
    #[serde(default)]
    across: bool,
    /// Which of its kind on a connection, counted from 0; every one without it.
    #[serde(default)]
    nth: Option<u32>,
    /// From which of its kind on a connection on.
    #[serde(default)]
    from: u32,
    /// What becomes of it.
    act: Act,
}

/// What a rewrite is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    /// A connection stands.
    Opened,
    ContactHeader,
    Init,
    Segment,
    Ack,
    Refuse,
    Keepalive,
    Term,
    Reject,
    /// Any message.
    Message,
    /// FIN or RST.
    End,
    /// Octets as they come, before they are put together.
    Piece,
    /// A segment whose data length cannot be true.
    Absurd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Field {
    Version,
    Flags,
    Id,
    /// The acknowledged length.
    Length,
    Reason,
    /// The type in MSG_REJECT.
    Type,
    Keepalive,
    SegmentMru,
    TransferMru,
    /// Octets of data; cannot be set.
    Data,
    /// Octets of the extension list; cannot be set.
    Items,
    /// Octets of the node ID; cannot be set.
    NodeId,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Act {
    Drop,
    /// It goes twice.
    Twice,
    /// The node ends.
    Crash,
    /// Nothing more is heard on this connection.
    Deaf,
    /// Nothing more is sent on this connection.
    Mute,
    /// FIN instead.
    Close,
    /// RST instead.
    Reset,
    /// These octets instead.
    Replace(Hex),
    /// These octets before it.
    Before(Hex),
    /// These octets after it.
    After(Hex),
    /// It is not heard; these octets go back.
    Answer(Hex),
    /// It is heard, and these octets go back after what the node answers.
    Add(Hex),
    /// A segment is not heard; its acknowledgment goes back.
    Acknowledge,
    /// Fields have other values.
    Set(BTreeMap<Field, u64>),
    /// Fields are greater by so much.
    Increase(BTreeMap<Field, u64>),
    /// Another extension list.
    Items(Hex),
    /// Another node ID.
    NodeId(String),
    /// So many milliseconds later.
    Delay(u32),
    /// After the next that is sent.
    Overtaken,
    /// These octets in the midst of it.
    Within(Hex),
    /// The data of a segment twice.
    Doubled,
}

/// What stands in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Unit {
    Header { version: u8, flags: u8 },
    Message(Message),
    Absurd(Vec<u8>),
    Other(Flow),
}

impl Unit {
    fn flow(self) -> Flow {
        match self {
            Unit::Header { version, flags } => Flow::Octets(Bytes::copy_from_slice(&contact_header(version, flags))),
            Unit::Message(message) => Flow::Octets(message.octets().into()),
            Unit::Absurd(octets) => Flow::Octets(octets.into()),
            Unit::Other(flow) => flow,
        }
    }

    fn is(&self, kind: Kind) -> bool {
        matches!(
            (self, kind),
            (Unit::Header { .. }, Kind::ContactHeader)
                | (Unit::Message(_), Kind::Message)
                | (Unit::Message(Message::Init(_)), Kind::Init)
                | (Unit::Message(Message::Segment { .. }), Kind::Segment)
                | (Unit::Message(Message::Ack { .. }), Kind::Ack)
                | (Unit::Message(Message::Refuse { .. }), Kind::Refuse)
                | (Unit::Message(Message::Keepalive), Kind::Keepalive)
                | (Unit::Message(Message::Term { .. }), Kind::Term)
                | (Unit::Message(Message::Reject { .. }), Kind::Reject)
                | (Unit::Other(Flow::Opened), Kind::Opened)
                | (Unit::Other(Flow::Octets(_)), Kind::Piece)
                | (Unit::Absurd(_), Kind::Absurd)
                | (Unit::Other(Flow::Finished | Flow::Reset), Kind::End)
        )
    }

    fn field(&self, field: Field) -> Option<u64> {
        Some(match (self, field) {
            (Unit::Header { version, .. }, Field::Version) => (*version).into(),
            (Unit::Header { flags, .. }, Field::Flags) => (*flags).into(),
            (Unit::Other(Flow::Octets(octets)), Field::Data) => octets.len() as u64,
            (Unit::Message(message), field) => match (message, field) {
                (
                    Message::Segment { flags, .. } | Message::Ack { flags, .. } | Message::Term { flags, .. },
                    Field::Flags,
                ) => (*flags).into(),
                (Message::Segment { id, .. } | Message::Ack { id, .. } | Message::Refuse { id, .. }, Field::Id) => *id,
                (Message::Segment { data, .. }, Field::Data) => data.len() as u64,
                (Message::Segment { items, .. }, Field::Items) => items.as_ref()?.len() as u64,
                (Message::Ack { length, .. }, Field::Length) => *length,
                (
                    Message::Refuse { reason, .. } | Message::Term { reason, .. } | Message::Reject { reason, .. },
                    Field::Reason,
                ) => (*reason).into(),
                (Message::Reject { kind, .. }, Field::Type) => (*kind).into(),
                (Message::Init(init), Field::Keepalive) => init.keepalive_s.into(),
                (Message::Init(init), Field::SegmentMru) => init.segment_mru,
                (Message::Init(init), Field::TransferMru) => init.transfer_mru,
                (Message::Init(init), Field::Items) => init.items.len() as u64,
                (Message::Init(init), Field::NodeId) => init.node_id.len() as u64,
                _ => return None,
            },
            _ => return None,
        })
    }

    fn set(&mut self, field: Field, value: u64) {
        let octet = value as u8;
        match (self, field) {
            (Unit::Header { version, .. }, Field::Version) => *version = octet,
            (Unit::Header { flags, .. }, Field::Flags) => *flags = octet,
            (Unit::Message(message), field) => match (message, field) {
                (
                    Message::Segment { flags, .. } | Message::Ack { flags, .. } | Message::Term { flags, .. },
                    Field::Flags,
                ) => *flags = octet,
                (Message::Segment { id, .. } | Message::Ack { id, .. } | Message::Refuse { id, .. }, Field::Id) => {
                    *id = value;
                }
                (Message::Ack { length, .. }, Field::Length) => *length = value,
                (
                    Message::Refuse { reason, .. } | Message::Term { reason, .. } | Message::Reject { reason, .. },
                    Field::Reason,
                ) => *reason = octet,
                (Message::Reject { kind, .. }, Field::Type) => *kind = octet,
                (Message::Init(init), Field::Keepalive) => init.keepalive_s = value as u16,
                (Message::Init(init), Field::SegmentMru) => init.segment_mru = value,
                (Message::Init(init), Field::TransferMru) => init.transfer_mru = value,
                _ => {}
            },
            _ => {}
        }
    }
}

/// One direction of one connection.
#[derive(Debug, Default)]
struct Reading {
    buffer: Vec<u8>,
    has_header: bool,
    /// Whether it does not parse any more.
    broken: bool,
    /// How many of the kind have passed.
    count: u32,
    silent: bool,
    held_back: Option<Flow>,
}

impl Reading {
    fn units(&mut self, flow: Flow) -> Vec<Unit> {
        let mut units = Vec::new();
        let Flow::Octets(octets) = flow else {
            if !self.buffer.is_empty() {
                units.push(Unit::Other(Flow::Octets(std::mem::take(&mut self.buffer).into())));
            }
            units.push(Unit::Other(flow));
            return units;
        };
        self.buffer.extend_from_slice(&octets);
        while !self.buffer.is_empty() && !self.broken {
            if !self.has_header {
                let Some((header, rest)) = self.buffer.split_first_chunk::<6>() else {
                    self.broken |= !b"dtn!\x04\x00".starts_with(&self.buffer);
                    break;
                };
                if !header.starts_with(b"dtn!") {
                    self.broken = true;
                    break;
                }
                units.push(Unit::Header { version: header[4], flags: header[5] });
                self.has_header = true;
                self.buffer = rest.to_vec();
                continue;
            }
            match Message::read(&self.buffer) {
                Ok(Some((message, length))) => {
                    self.buffer.drain(..length);
                    units.push(Unit::Message(message));
                }
                Ok(None) => {
                    if is_absurd(&self.buffer) {
                        self.broken = true;
                        units.push(Unit::Absurd(std::mem::take(&mut self.buffer)));
                    }
                    break;
                }
                Err(_) => self.broken = true,
            }
        }
        if self.broken && !self.buffer.is_empty() {
            units.push(Unit::Other(Flow::Octets(std::mem::take(&mut self.buffer).into())));
        }
        units
    }
}

/// Whether a segment with an empty extension list begins here that announces more data than there can be.
fn is_absurd(octets: &[u8]) -> bool {
    let length = octets.get(14..22).and_then(|length| length.try_into().ok()).map(u64::from_be_bytes);
    let starts =
        octets.starts_with(&[kind::XFER_SEGMENT, START]) || octets.starts_with(&[kind::XFER_SEGMENT, START | END]);
    starts && octets.get(10..14) == Some(&[0; 4]) && length.is_some_and(|it| it >> 40 != 0)
}

/// Applies a rewrite.
pub(super) struct Rewriter {
    rewrite: Rewrite,
    streams: BTreeMap<Stream, Reading>,
    count: u32,
}

impl Rewriter {
    pub(super) fn new(rewrite: Rewrite) -> Self {
        Rewriter { rewrite, streams: BTreeMap::new(), count: 0 }
    }

    fn pass(&mut self, now: Instant, stream: Stream, flow: Flow, kind: Option<Kind>) -> MutatedFlow {
        let Some(kind) = kind.filter(|_| stream.door == Door::Tcpcl) else { return flow.into() };
        let reading = self.streams.entry(stream).or_default();
        let mut out = MutatedFlow::default();
        let units = if kind == Kind::Piece { vec![Unit::Other(flow)] } else { reading.units(flow) };
        for unit in units {
            if reading.silent {
                continue;
            }
            let told = self.rewrite.when.iter().all(|(field, value)| unit.field(*field) == Some(*value));
            let mut mine = unit.is(kind) && told;
            if mine {
                let count = if self.rewrite.across { &mut self.count } else { &mut reading.count };
                let place = *count;
                *count += 1;
                mine = place >= self.rewrite.from && self.rewrite.nth.is_none_or(|nth| nth == place);
            }
            match mine {
                true => act(&self.rewrite.act, now, unit, reading, &mut out),
                false => out.now.push(unit.flow()),
            }
            if !mine {
                out.now.extend(reading.held_back.take());
            }
        }
        out
    }
}

fn octets(hex: &Hex) -> Flow {
    Flow::Octets(hex.0.clone().into())
}

fn act(act: &Act, now: Instant, mut unit: Unit, reading: &mut Reading, out: &mut MutatedFlow) {
    match act {
        Act::Drop => {}
        Act::Twice => out.now.extend([unit.clone().flow(), unit.flow()]),
        Act::Crash => out.ends = true,
        Act::Deaf | Act::Mute => reading.silent = true,
        Act::Close => out.now.push(Flow::Finished),
        Act::Reset => out.now.push(Flow::Reset),
        Act::Replace(hex) => out.now.push(octets(hex)),
        Act::Before(hex) => out.now.extend([octets(hex), unit.flow()]),
        Act::After(hex) => out.now.extend([unit.flow(), octets(hex)]),
        Act::Answer(hex) => out.back.push(octets(hex)),
        Act::Add(hex) => {
            out.now.push(unit.flow());
            out.back.push(octets(hex));
        }
        Act::Acknowledge => {
            if let Unit::Message(Message::Segment { flags, id, data, .. }) = unit {
                out.back.push(Flow::Octets(xfer_ack(flags, id, data.len() as u64).into()));
            }
        }
        Act::Set(fields) => {
            fields.iter().for_each(|(field, value)| unit.set(*field, *value));
            out.now.push(unit.flow());
        }
        Act::Increase(fields) => {
            for (field, by) in fields {
                let value = unit.field(*field).unwrap_or(0);
                unit.set(*field, value.wrapping_add(*by));
            }
            out.now.push(unit.flow());
        }
        Act::Items(hex) => {
            match &mut unit {
                Unit::Message(Message::Init(init)) => init.items = hex.0.clone(),
                Unit::Message(Message::Segment { items, .. }) => *items = Some(hex.0.clone()),
                _ => {}
            }
            out.now.push(unit.flow());
        }
        Act::NodeId(text) => {
            if let Unit::Message(Message::Init(init)) = &mut unit {
                init.node_id = text.clone().into_bytes();
            }
            out.now.push(unit.flow());
        }
        Act::Delay(milliseconds) => {
            out.later.push((now + Duration::from_millis((*milliseconds).into()), unit.flow()));
        }
        Act::Within(hex) => {
            if let Flow::Octets(all) = unit.flow() {
                let (before, after) = all.split_at(all.len() / 2);
                out.now.push(Flow::Octets([before, &hex.0, after].concat().into()));
            }
        }
        Act::Doubled => {
            if let Unit::Message(Message::Segment { data, .. }) = &mut unit {
                data.extend_from_within(..);
            }
            out.now.push(unit.flow());
        }
        Act::Overtaken => reading.held_back = Some(unit.flow()),
    }
}

impl Mutation for Rewriter {
    fn sends_on(&mut self, now: Instant, stream: Stream, flow: Flow) -> MutatedFlow {
        self.pass(now, stream, flow, self.rewrite.sends)
    }

    fn hears_on(&mut self, now: Instant, stream: Stream, flow: Flow) -> MutatedFlow {
        self.pass(now, stream, flow, self.rewrite.hears)
    }
}
