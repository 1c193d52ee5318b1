//! Rewrites of frames of STCP and MTCP.

use std::collections::BTreeMap;

use bytes::Bytes;
use farlink_units::Instant;
use serde::Deserialize;

use super::hex::Hex;
use super::{Flow, MutatedFlow, Mutation};
use crate::medium::{self, Stream};

/// A rewrite.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {
    /// The layer.
    door: Door,
    /// What the node sends; either this or `hears` is there.
    #[serde(default)]
    sends: Option<Kind>,
    /// What the node hears.
    #[serde(default)]
    hears: Option<Kind>,
    /// What becomes of it.
    act: Act,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Door {
    Stcp,
    Mtcp,
}

/// What a rewrite is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    /// A connection stands.
    Opened,
    /// A frame that is all there.
    Frame,
    /// One of more than 64 KiB.
    Long,
    /// One without a bundle.
    Empty,
    /// One that came together with one before it.
    Further,
    /// One whose content does not begin as a bundle does.
    Garbage,
    /// One whose head is longer than needed.
    LongHead,
    /// A head of more than 1 GiB.
    Absurd,
    /// A byte string of indefinite length.
    Indefinite,
    /// What begins no frame.
    Other,
    /// One octet that comes alone.
    Octet,
    /// The end of a connection inside a frame.
    Cut,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Act {
    Drop,
    /// The node ends.
    Crash,
    /// FIN instead.
    Close,
    /// These octets after it.
    After(Hex),
    /// These octets go back.
    Answer(Hex),
    /// The head of another layer or order of octets.
    WrongHead,
}

#[derive(Debug, Default)]
struct Reading {
    buffer: Vec<u8>,
    /// Whether no frame can be found any more.
    lost: bool,
}

/// Applies a rewrite.
pub(super) struct Rewriter {
    rewrite: Rewrite,
    streams: BTreeMap<Stream, Reading>,
}

/// A piece of a stream, and what it is.
struct Unit {
    flow: Flow,
    kinds: Vec<Kind>,
    head: usize,
}

/// Where the frame ends that begins here: octets of its head, and of the bundle. `Err` if none begins here.
fn frame(door: Door, octets: &[u8]) -> Result<Option<(usize, u64)>, ()> {
    let unsigned = |octets: &[u8]| octets.iter().fold(0, |sum: u64, octet| sum << 8 | u64::from(*octet));
    match (door, octets.first()) {
        (_, None) => Ok(None),
        (Door::Stcp, _) => Ok(octets.get(..4).map(|head| (4, unsigned(head)))),
        (Door::Mtcp, Some(&first @ 0x40..=0x57)) => Ok(Some((1, u64::from(first - 0x40)))),
        (Door::Mtcp, Some(&first @ 0x58..=0x5B)) => {
            let width = 1 << (first - 0x58);
            Ok(octets.get(1..1 + width).map(|length| (1 + width, unsigned(length))))
        }
        (Door::Mtcp, Some(_)) => Err(()),
    }
}

impl Reading {
    fn units(&mut self, door: Door, flow: Flow) -> Vec<Unit> {
        let mut units = Vec::new();
        let Flow::Octets(octets) = flow else {
            let kinds = match flow {
                Flow::Opened => vec![Kind::Opened],
                _ if self.buffer.is_empty() => Vec::new(),
                _ => vec![Kind::Cut],
            };
            if !self.buffer.is_empty() {
                let rest = Flow::Octets(std::mem::take(&mut self.buffer).into());
                units.push(Unit { flow: rest, kinds: Vec::new(), head: 0 });
            }
            units.push(Unit { flow, kinds, head: 0 });
            return units;
        };
        self.buffer.extend_from_slice(&octets);
        while !self.lost && !self.buffer.is_empty() {
            match frame(door, &self.buffer) {
                Ok(None) => break,
                Ok(Some((_, length))) if length > 1 << 30 => {
                    self.lost = true;
                    let flow = Flow::Octets(std::mem::take(&mut self.buffer).into());
                    units.push(Unit { flow, kinds: vec![Kind::Absurd], head: 0 });
                }
                Ok(Some((head, length))) => {
                    let end = head + length as usize;
                    if self.buffer.len() < end {
                        break;
                    }
                    let whole: Vec<u8> = self.buffer.drain(..end).collect();
                    let mut kinds = vec![Kind::Frame];
                    let told = [
                        (length > 1 << 16, Kind::Long),
                        (length == 0, Kind::Empty),
                        (!units.is_empty(), Kind::Further),
                        (length > 0 && whole[head] != 0x9F, Kind::Garbage),
                        (head == 9, Kind::LongHead),
                    ];
                    kinds.extend(told.into_iter().filter(|(is, _)| *is).map(|(_, kind)| kind));
                    units.push(Unit { flow: Flow::Octets(whole.into()), kinds, head });
                }
                Err(()) => {
                    self.lost = true;
                    let first = if self.buffer[0] == 0x5F { Kind::Indefinite } else { Kind::Other };
                    let flow = Flow::Octets(std::mem::take(&mut self.buffer).into());
                    units.push(Unit { flow, kinds: vec![first], head: 0 });
                }
            }
        }
        if self.lost && !self.buffer.is_empty() {
            let flow = Flow::Octets(std::mem::take(&mut self.buffer).into());
            units.push(Unit { flow, kinds: Vec::new(), head: 0 });
        }
        units
    }
}

impl Rewriter {
    pub(super) fn new(rewrite: Rewrite) -> Self {
        Rewriter { rewrite, streams: BTreeMap::new() }
    }

    fn pass(&mut self, stream: Stream, flow: Flow, kind: Option<Kind>) -> MutatedFlow {
        let door = self.rewrite.door;
        let mine = match door {
            Door::Stcp => medium::Door::Stcp,
            Door::Mtcp => medium::Door::Mtcp,
        };
        let Some(kind) = kind.filter(|_| stream.door == mine) else { return flow.into() };
        let mut out = MutatedFlow::default();
        let units = match (&flow, kind) {
            (Flow::Octets(octets), Kind::Octet) => {
                let kinds = if octets.len() == 1 { vec![Kind::Octet] } else { Vec::new() };
                vec![Unit { flow, kinds, head: 0 }]
            }
            _ => self.streams.entry(stream).or_default().units(door, flow),
        };
        for unit in units {
            match unit.kinds.contains(&kind) {
                true => act(&self.rewrite.act, door, unit, &mut out),
                false => out.now.push(unit.flow),
            }
        }
        out
    }
}

fn act(act: &Act, door: Door, unit: Unit, out: &mut MutatedFlow) {
    match act {
        Act::Drop => {}
        Act::Crash => out.ends = true,
        Act::Close => out.now.push(Flow::Finished),
        Act::After(hex) => out.now.extend([unit.flow, Flow::Octets(hex.0.clone().into())]),
        Act::Answer(hex) => {
            out.now.push(unit.flow);
            out.back.push(Flow::Octets(hex.0.clone().into()));
        }
        Act::WrongHead => {
            let Flow::Octets(octets) = &unit.flow else { return out.now.push(unit.flow) };
            let mut octets = octets.to_vec();
            match door {
                Door::Stcp => octets[..unit.head].reverse(),
                // Major type 3, a text string (RFC 8949 section 3.1).
                Door::Mtcp => octets[0] |= 0x20,
            }
            out.now.push(Flow::Octets(Bytes::from(octets)));
        }
    }
}

impl Mutation for Rewriter {
    fn sends_on(&mut self, _now: Instant, stream: Stream, flow: Flow) -> MutatedFlow {
        self.pass(stream, flow, self.rewrite.sends)
    }

    fn hears_on(&mut self, _now: Instant, stream: Stream, flow: Flow) -> MutatedFlow {
        self.pass(stream, flow, self.rewrite.hears)
    }
}
