//! Rewrites of LTP segments.
//!
//! A rewrite names segments, by what they are and whether they come for the first time, and what becomes of them. Everything
//! counts from the start of the node.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use farlink_units::{Duration, Instant};
use serde::Deserialize;

use super::{Frame, Mutated, Mutation};
use crate::medium::Door;
use crate::segment::{Body, Raw, code, is_keep_alive, segments};

/// A rewrite: which segments, and what becomes of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rewrite {
    /// Of what the node sends.
    #[serde(default)]
    sends: Option<Kind>,
    /// Of what the node hears.
    #[serde(default)]
    hears: Option<Kind>,
    /// Only segments that have (`true`) or have not (`false`) gone by before, octet by octet.
    #[serde(default)]
    again: Option<bool>,
    /// Only checkpoints that answer a report, or only those that do not.
    #[serde(default)]
    follow_up: Option<bool>,
    /// Only reports that answer no checkpoint, or only those that do.
    #[serde(default)]
    asynchronous: Option<bool>,
    /// Only segments with data that have gone by before in other segments.
    #[serde(default)]
    resent: Option<bool>,
    /// Only sessions of which other segments have gone by before, or only those of which none have.
    #[serde(default)]
    known: Option<bool>,
    /// Only cancel segments of this reason.
    #[serde(default)]
    reason: Option<u8>,
    /// Only segments with so many trailer extensions.
    #[serde(default)]
    trailers: Option<usize>,
    /// Only from this one of each session on, counted from 1 among those that fit.
    #[serde(default = "one")]
    from: u32,
    /// Only so many of each session.
    #[serde(default = "any_number")]
    count: u32,
    /// What goes on is a copy, behind the segment as it is.
    #[serde(default)]
    copy: bool,
    /// By how much it is delayed. Only for what the node sends.
    #[serde(default)]
    later_ms: i64,
    /// It is lost.
    #[serde(default)]
    drop: bool,
    /// Fields that are changed.
    #[serde(default)]
    set: Fields,
    /// What becomes of the claims of a report.
    #[serde(default)]
    claims: Option<Claims>,
    /// The first octet becomes this one.
    #[serde(default)]
    first_octet: Option<u8>,
    /// So many zero octets go behind it.
    #[serde(default)]
    pad: usize,
    /// Octets that go behind it, in hexadecimal digits.
    #[serde(default)]
    append: String,
    /// Octets that go between the length and the data of a data segment, in hexadecimal digits.
    #[serde(default)]
    stuff: String,
    /// A bit of the last octet is changed.
    #[serde(default)]
    flip_last: bool,
    /// A header extension of this tag, with an empty value, is added.
    #[serde(default)]
    extend: Option<u8>,
    /// Header extensions are taken away, save the first so many.
    #[serde(default)]
    keep_headers: Option<usize>,
    /// The datagram holds it twice.
    #[serde(default)]
    double: bool,
    /// A report that contradicts itself is made to claim its whole scope.
    #[serde(default)]
    mend: bool,
    /// The node answers with this.
    #[serde(default)]
    answer: Option<Answer>,
    /// The node sends so many keep-alives from now on, and how far apart.
    #[serde(default)]
    keep_alives: Option<(u32, i64)>,
    /// The node ends.
    #[serde(default)]
    crash: bool,
    /// The node hears nothing any more.
    #[serde(default)]
    deaf: bool,
    /// So often each block is handed to the application.
    #[serde(default = "one")]
    deliveries: u32,
}

const fn one() -> u32 {
    1
}

const fn any_number() -> u32 {
    u32::MAX
}

/// What segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    /// Every one that can be read.
    Any,
    /// Data of either colour.
    Data,
    /// Red data without a checkpoint.
    Red,
    /// Red data with a checkpoint.
    Checkpoint,
    /// A checkpoint that ends nothing.
    Discretionary,
    /// The end of a red part, with green data behind it.
    EndOfRedPart,
    /// The end of a red block.
    EndOfBlock,
    /// Green data.
    Green,
    /// The end of a green part.
    GreenEnd,
    Report,
    ReportAck,
    /// A cancellation of either side.
    Cancel,
    CancelBySender,
    CancelByReceiver,
    /// An acknowledgment of either.
    CancelAck,
    CancelAckToSender,
    CancelAckToReceiver,
    /// Of a type that is not defined.
    Undefined,
    /// Of another version than 0.
    OtherVersion,
    /// With header or trailer extensions.
    Extended,
    /// What a strict reader refuses.
    Malformed,
    KeepAlive,
}

/// Fields of a segment, and how each changes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Fields {
    version: Option<Change>,
    code: Option<Change>,
    originator: Option<Change>,
    number: Option<Change>,
    service: Option<Change>,
    offset: Option<Change>,
    /// The serial number of a checkpoint, or the one that a report cites.
    checkpoint: Option<Change>,
    /// The serial number of a report, or the one that a checkpoint or an acknowledgment cites.
    report: Option<Change>,
    upper: Option<Change>,
    lower: Option<Change>,
    reason: Option<Change>,
}

/// How a field changes: a number sets it, `+n`, `-n`, `%n` and `&n` compute.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "Written")]
enum Change {
    Set(u64),
    Add(u64),
    Subtract(u64),
    Modulo(u64),
    And(u64),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u64),
    Text(String),
}

impl TryFrom<Written> for Change {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let text = match written {
            Written::Number(number) => return Ok(Change::Set(number)),
            Written::Text(text) => text,
        };
        let number = || text[1..].parse().map_err(|error| format!("{text}: {error}"));
        match text.chars().next() {
            Some('+') => Ok(Change::Add(number()?)),
            Some('-') => Ok(Change::Subtract(number()?)),
            Some('%') => Ok(Change::Modulo(number()?)),
            Some('&') => Ok(Change::And(number()?)),
            _ => Err(format!("{text}: neither a number nor +n, -n, %n or &n")),
        }
    }
}

impl Change {
    fn of(self, value: u64) -> u64 {
        match self {
            Change::Set(number) => number,
            Change::Add(number) => value.wrapping_add(number),
            Change::Subtract(number) => value.wrapping_sub(number),
            Change::Modulo(number) => value % number.max(1),
            Change::And(number) => value & number,
        }
    }
}

/// What becomes of claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Claims {
    /// There are none.
    None,
    /// One claim from the first octet to the last.
    Filled,
    /// The first is cut in two that touch.
    Split,
    /// The last is an octet longer.
    Longer,
    /// The last is an octet shorter.
    Shorter,
    /// The first begins 50 octets later.
    Later,
    /// An empty one follows.
    Empty,
    /// They count from the start of the block.
    Absolute,
    /// The report begins at zero and claims nothing more.
    FromZero,
}

/// An answer of the node in the session of what it hears.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Answer {
    /// The type.
    code: u8,
    /// The reason of a cancel segment, and the serial numbers of a report.
    #[serde(default = "one")]
    value: u32,
}

/// Applies a rewrite.
pub(super) struct Rewriter {
    rewrite: Rewrite,
    counts: BTreeMap<(u64, u64), u32>,
    gone: BTreeSet<Vec<u8>>,
    known: BTreeSet<(u64, u64)>,
    /// How far the data of each session went.
    ends: BTreeMap<(u64, u64), u64>,
    deaf: bool,
}

impl Rewriter {
    pub(super) fn new(rewrite: Rewrite) -> Self {
        Rewriter {
            rewrite,
            counts: BTreeMap::new(),
            gone: BTreeSet::new(),
            known: BTreeSet::new(),
            ends: BTreeMap::new(),
            deaf: false,
        }
    }

    /// Whether the rewrite is about this datagram. The node sends one segment in each.
    fn fits(&mut self, kind: Kind, octets: &[u8]) -> bool {
        let raw = Raw::parse(octets).ok().map(|(raw, _)| raw).filter(|_| !is_keep_alive(octets));
        let session = raw.as_ref().map(Raw::session).or_else(|| session_of(octets)).unwrap_or_default();
        let again = !self.gone.insert(octets.to_vec());
        let known = !self.known.insert(session);
        let range = raw.as_ref().and_then(Raw::range);
        let end = self.ends.entry(session).or_default();
        let resent = !again && range.as_ref().is_some_and(|range| range.end <= *end);
        *end = (*end).max(range.map_or(0, |range| range.end));
        let wanted = &self.rewrite;
        let is = |wish: Option<bool>, what: bool| wish.is_none_or(|wish| wish == what);
        let checkpoint = raw.as_ref().and_then(Raw::checkpoint);
        let reported = raw.as_ref().and_then(|raw| match raw.body {
            Body::Report { checkpoint, .. } => Some(checkpoint == 0),
            _ => None,
        });
        let reason = raw.as_ref().and_then(|raw| match raw.body {
            Body::Cancel(reason) => Some(reason),
            _ => None,
        });
        let fits = is_kind(kind, octets, raw.as_ref())
            && is(wanted.again, again)
            && is(wanted.known, known)
            && is(wanted.resent, resent)
            && is(wanted.follow_up, checkpoint.is_some_and(|(_, report)| report != 0))
            && is(wanted.asynchronous, reported.unwrap_or(false))
            && wanted.reason.is_none_or(|wish| reason == Some(wish))
            && wanted.trailers.is_none_or(|wish| raw.as_ref().is_some_and(|raw| raw.trailer.len() == wish));
        if !fits {
            return false;
        }
        let count = self.counts.entry(session).or_default();
        *count += 1;
        *count >= wanted.from && *count - wanted.from < wanted.count
    }

    /// What becomes of a datagram.
    fn rewritten(&self, octets: &[u8]) -> Vec<u8> {
        let rewrite = &self.rewrite;
        let mut out = octets.to_vec();
        if let Ok((mut raw, length)) = Raw::parse(octets) {
            let before = raw.clone();
            rewrite.set.change(&mut raw);
            if let Some(claims) = rewrite.claims {
                claims.change(&mut raw);
            }
            if rewrite.mend {
                mend(&mut raw);
            }
            if let Some(tag) = rewrite.extend {
                raw.header.push((tag, Vec::new()));
            }
            if let Some(keep) = rewrite.keep_headers {
                raw.header.truncate(keep);
            }
            if raw != before {
                out = [raw.emit().as_slice(), &octets[length..]].concat();
            }
            if !rewrite.stuff.is_empty() {
                let at = out.len() - raw.data().len();
                let stuff = from_hex(&rewrite.stuff);
                out.splice(at..at, stuff);
            }
        }
        if let (Some(first), Some(octet)) = (rewrite.first_octet, out.first_mut()) {
            *octet = first;
        }
        if let (true, Some(octet)) = (rewrite.flip_last, out.last_mut()) {
            *octet ^= 1;
        }
        out.extend(vec![0; rewrite.pad]);
        out.extend(from_hex(&rewrite.append));
        if rewrite.double {
            out = out.repeat(2);
        }
        out
    }

    fn apply(&mut self, now: Instant, kind: Option<Kind>, frame: Frame, sends: bool) -> Mutated {
        let about_ltp = matches!(frame.door, Door::Ltp | Door::SecondLtp);
        if self.deaf && !sends {
            return Mutated::default();
        }
        let Some(kind) = kind.filter(|_| about_ltp) else { return frame.into() };
        if !self.fits(kind, &frame.octets) {
            return frame.into();
        }
        let rewrite = &self.rewrite;
        let mut outcome = Mutated { ends: rewrite.crash, ..Mutated::default() };
        self.deaf |= rewrite.deaf;
        if let Some(answer) = &rewrite.answer {
            let octets = answer.to(&frame.octets);
            outcome.later.extend(octets.map(|octets| (now, Frame { door: frame.door, octets })));
        }
        let (count, apart) = rewrite.keep_alives.unwrap_or_default();
        for place in 1..=i64::from(count) {
            let at = now + Duration::from_millis(apart * place);
            outcome.later.push((at, Frame { door: frame.door, octets: Bytes::from_static(&[0; 4]) }));
        }
        let changed = Frame { door: frame.door, octets: self.rewritten(&frame.octets).into() };
        if rewrite.copy {
            outcome.now.push(frame);
        }
        if rewrite.drop || rewrite.deaf || rewrite.crash {
            return outcome;
        }
        match rewrite.later_ms {
            0 => outcome.now.push(changed),
            ms => outcome.later.push((now + Duration::from_millis(ms), changed)),
        }
        outcome
    }
}

impl Mutation for Rewriter {
    fn sends(&mut self, now: Instant, frame: Frame) -> Mutated {
        self.apply(now, self.rewrite.sends, frame, true)
    }

    fn hears(&mut self, now: Instant, frame: Frame) -> Mutated {
        self.apply(now, self.rewrite.hears, frame, false)
    }

    fn delivers(&mut self, _payload: &[u8]) -> usize {
        self.rewrite.deliveries as usize
    }
}

fn is_kind(kind: Kind, octets: &[u8], raw: Option<&Raw>) -> bool {
    let code = raw.map(|raw| raw.code);
    let other_version = octets.first().is_some_and(|first| first >> 4 != 0);
    match kind {
        Kind::OtherVersion => other_version,
        Kind::Malformed => {
            !is_keep_alive(octets) && (segments(octets).iter().any(Result::is_err) || is_refused(octets))
        }
        Kind::KeepAlive => is_keep_alive(octets),
        _ if other_version => false,
        Kind::Any => raw.is_some(),
        Kind::Data => raw.is_some_and(Raw::is_data),
        Kind::Red => code == Some(code::RED),
        Kind::Checkpoint => raw.is_some_and(|raw| raw.checkpoint().is_some()),
        Kind::Discretionary => code == Some(code::CHECKPOINT),
        Kind::EndOfRedPart => code == Some(code::EORP),
        Kind::EndOfBlock => code == Some(code::EOB),
        Kind::Green => matches!(code, Some(code::GREEN | code::GREEN_EOB)),
        Kind::GreenEnd => code == Some(code::GREEN_EOB),
        Kind::Report => code == Some(code::RS),
        Kind::ReportAck => code == Some(code::RA),
        Kind::Cancel => matches!(code, Some(code::CS | code::CR)),
        Kind::CancelBySender => code == Some(code::CS),
        Kind::CancelByReceiver => code == Some(code::CR),
        Kind::CancelAck => matches!(code, Some(code::CAS | code::CAR)),
        Kind::CancelAckToSender => code == Some(code::CAS),
        Kind::CancelAckToReceiver => code == Some(code::CAR),
        Kind::Undefined => raw.is_some_and(|raw| matches!(raw.body, Body::Undefined(_))),
        Kind::Extended => raw.is_some_and(|raw| !raw.header.is_empty() || !raw.trailer.is_empty()),
    }
}

/// What can be told apart and yet is forbidden.
fn is_refused(octets: &[u8]) -> bool {
    farlink_wire::ltp::segments(octets).any(|segment| segment.is_err())
}

/// The session that a datagram names, where no more of it can be read.
fn session_of(octets: &[u8]) -> Option<(u64, u64)> {
    let (originator, first) = farlink_wire::sdnv::decode(octets.get(1..)?).ok()?;
    let (number, _) = farlink_wire::sdnv::decode(octets.get(1 + first..)?).ok()?;
    Some((originator, number))
}

impl Fields {
    fn change(&self, raw: &mut Raw) {
        let set = |change: Option<Change>, field: &mut u64| {
            if let Some(change) = change {
                *field = change.of(*field);
            }
        };
        let octet = |change: Option<Change>, field: &mut u8| {
            if let Some(change) = change {
                *field = change.of(u64::from(*field)) as u8;
            }
        };
        octet(self.version, &mut raw.version);
        octet(self.code, &mut raw.code);
        set(self.originator, &mut raw.originator);
        set(self.number, &mut raw.number);
        let code = raw.code;
        match &mut raw.body {
            Body::Data { service, offset, checkpoint, .. } => {
                set(self.service, service);
                set(self.offset, offset);
                *checkpoint = match code {
                    code::CHECKPOINT | code::EORP | code::EOB => Some(checkpoint.unwrap_or((1, 0))),
                    _ => None,
                };
                if let Some((serial, report)) = checkpoint {
                    set(self.checkpoint, serial);
                    set(self.report, report);
                }
            }
            Body::Report { serial, checkpoint, upper, lower, .. } => {
                set(self.report, serial);
                set(self.checkpoint, checkpoint);
                set(self.upper, upper);
                set(self.lower, lower);
            }
            Body::ReportAck(serial) => set(self.report, serial),
            Body::Cancel(reason) => octet(self.reason, reason),
            Body::CancelAck | Body::Undefined(_) => {}
        }
    }
}

impl Claims {
    fn change(self, raw: &mut Raw) {
        let Body::Report { lower, claims, .. } = &mut raw.body else { return };
        let (Some(&(first, length)), Some(&(last, last_length))) = (claims.first(), claims.last()) else { return };
        let last_place = claims.len() - 1;
        match self {
            Claims::None => claims.clear(),
            Claims::Filled => *claims = vec![(first, last + last_length - first)],
            Claims::Split if length > 1 => {
                claims[0].1 = length / 2;
                claims.insert(1, (first + length / 2, length - length / 2));
            }
            Claims::Longer => claims[last_place].1 += 1,
            Claims::Shorter if last_length > 1 => claims[last_place].1 -= 1,
            Claims::Later if length > 50 => claims[0] = (first + 50, length - 50),
            Claims::Empty => claims.push((last + last_length + 1, 0)),
            Claims::Absolute => claims.iter_mut().for_each(|claim| claim.0 += *lower),
            Claims::FromZero => {
                claims.iter_mut().for_each(|claim| claim.0 += *lower);
                *lower = 0;
            }
            Claims::Split | Claims::Shorter | Claims::Later => {}
        }
    }
}

/// Makes a report claim all of its scope, and its scope reach as far as its claims.
fn mend(raw: &mut Raw) {
    let Body::Report { upper, lower, claims, .. } = &mut raw.body else { return };
    let end = claims.iter().map(|(offset, length)| offset.saturating_add(*length)).max().unwrap_or(0);
    (*lower, *upper) = (0, end.max(*upper).max(*lower));
    *claims = vec![(0, *upper)];
}

impl Answer {
    /// The answer to a datagram, if a session can be read in it.
    fn to(self, octets: &[u8]) -> Option<Bytes> {
        let session = session_of(octets)?;
        let value = u64::from(self.value);
        let end = Raw::parse(octets).ok().and_then(|(raw, _)| raw.range()).map_or(100, |range| range.end);
        let body = match self.code {
            code::RS => Body::Report { serial: value, checkpoint: value, upper: end, lower: 0, claims: vec![(0, end)] },
            code::RA => Body::ReportAck(value),
            code::CS | code::CR => Body::Cancel(self.value as u8),
            _ => Body::CancelAck,
        };
        Some(Raw::new(self.code, session, body).emit().into())
    }
}

fn from_hex(digits: &str) -> Vec<u8> {
    let octet = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..digits.len()).step_by(2).filter_map(octet).collect()
}
