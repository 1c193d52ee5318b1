//! TCP streams of TCPCL, and of MTCP and STCP, which put one bundle after the other.
//!
//! TCPCL version 4 (RFC 9174): a contact header and messages, of which XFER_SEGMENT carry bundles in parts. Behind a
//! handshake of TLS nothing can be read.
//!
//! MTCP (draft-ietf-dtn-mtcpcl): each bundle is the content of a CBOR byte string. STCP (draft-burleigh-dtn-stcp as ION
//! and HDTN speak it): a 32-bit length in network byte order before each bundle. Which one a stream speaks is told by its
//! first octets; the first octet of a bundle of version 7 is 9F.

use std::collections::BTreeMap;

use farlink_wire::tcpcl::{ContactHeader, Message, Prefix, SegmentFlags, VERSION};

use crate::capture::Ends;
use crate::cbor::{self, Kind};

/// Most streams that are followed at a time; further ones are not read.
pub const MAX_STREAMS: usize = 1024;

/// Most octets of one stream that are held: the longest bundle that is read, and what has overtaken a gap.
pub const MAX_STREAM_HELD: usize = 1 << 26;

/// What a stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Mtcp,
    Stcp,
    /// TCPCL, up to its contact header and after it.
    TcpclContact,
    Tcpcl,
    /// TCPCL that cannot be read on: secured by TLS, of another version, or wrong.
    TcpclDark,
    Other,
}

#[derive(Default)]
struct Stream {
    protocol: Option<Protocol>,
    /// Sequence number of the octet after those in the buffer.
    next: Option<u32>,
    buffer: Vec<u8>,
    /// The data of a TCPCL transfer up to now. Transfers of a stream do not mix (RFC 9174 section 5.2.2).
    transfer: Vec<u8>,
    /// What arrived ahead of a gap, by distance from the stream's first octet that was seen.
    ahead: BTreeMap<u32, Vec<u8>>,
    ahead_octets: usize,
}

/// The streams of a capture.
#[derive(Default)]
pub(crate) struct Streams {
    streams: BTreeMap<Ends, Stream>,
    /// Streams of TCPCL that could not be read, or not to their end.
    pub dark: u64,
    /// Streams that were not followed, or not to their end, because of a limit.
    pub given_up: u64,
}

/// A bundle of a stream: the name of its protocol and its octets.
pub(crate) type Carried = (&'static str, Vec<u8>);

impl Streams {
    /// Takes a segment and returns the bundles that it completes.
    pub fn segment(&mut self, ends: Ends, sequence: u32, syn: bool, data: &[u8]) -> Vec<Carried> {
        if !self.streams.contains_key(&ends) && self.streams.len() == MAX_STREAMS {
            self.given_up += 1;
            return Vec::new();
        }
        let stream = self.streams.entry(ends).or_default();
        if syn {
            *stream = Stream { next: Some(sequence.wrapping_add(1)), ..Stream::default() };
        }
        if data.is_empty() || matches!(stream.protocol, Some(Protocol::Other | Protocol::TcpclDark)) {
            return Vec::new();
        }
        let start = if syn { sequence.wrapping_add(1) } else { sequence };
        stream.take(start, data);
        let bundles = stream.bundles();
        if stream.protocol == Some(Protocol::TcpclDark) {
            self.dark += 1;
        }
        if stream.buffer.len() + stream.transfer.len() + stream.ahead_octets > MAX_STREAM_HELD {
            self.given_up += 1;
            *stream = Stream { protocol: Some(Protocol::Other), ..Stream::default() };
        }
        bundles
    }

    /// Streams of bundles that end within one, or wait for octets that the capture does not have.
    pub fn incomplete(&self) -> u64 {
        let reads =
            |stream: &&Stream| matches!(stream.protocol, Some(Protocol::Mtcp | Protocol::Stcp | Protocol::Tcpcl));
        self.streams
            .values()
            .filter(reads)
            .filter(|stream| !stream.buffer.is_empty() || !stream.transfer.is_empty() || !stream.ahead.is_empty())
            .count() as u64
    }
}

impl Stream {
    /// Adds octets in the order of the stream, whatever the order of their arrival.
    fn take(&mut self, start: u32, data: &[u8]) {
        let next = *self.next.get_or_insert(start);
        // Sequence numbers wrap; what is less than half the circle behind has been seen.
        let ahead = start.wrapping_sub(next);
        if ahead != 0 && ahead < 1 << 31 {
            if let Some(before) = self.ahead.insert(start, data.to_vec()) {
                self.ahead_octets -= before.len();
            }
            self.ahead_octets += data.len();
            return;
        }
        let seen = next.wrapping_sub(start) as usize;
        if let Some(new) = data.get(seen..) {
            self.buffer.extend(new);
            self.next = Some(next.wrapping_add(new.len() as u32));
        }
        // What had been ahead may follow now.
        while let Some(next) = self.next
            && let Some((&start, _)) = self.ahead.iter().find(|(start, _)| next.wrapping_sub(**start) < 1 << 31)
            && let Some(data) = self.ahead.remove(&start)
        {
            self.ahead_octets -= data.len();
            if let Some(new) = data.get(next.wrapping_sub(start) as usize..) {
                self.buffer.extend(new);
                self.next = Some(next.wrapping_add(new.len() as u32));
            }
        }
    }

    fn bundles(&mut self) -> Vec<Carried> {
        if self.protocol.is_none() {
            self.protocol = protocol_of(&self.buffer);
        }
        let (name, stcp) = match self.protocol {
            Some(Protocol::Mtcp) => ("MTCP", false),
            Some(Protocol::Stcp) => ("STCP", true),
            Some(Protocol::TcpclContact | Protocol::Tcpcl) => {
                let transfers = self.transfers();
                if self.protocol == Some(Protocol::TcpclDark) {
                    self.forget();
                }
                return transfers;
            }
            Some(Protocol::Other | Protocol::TcpclDark) => {
                self.forget();
                return Vec::new();
            }
            None => return Vec::new(),
        };
        let mut bundles = Vec::new();
        let mut at = 0;
        while let Some((length, start)) = framed(&self.buffer, at, stcp) {
            let Some(end) = usize::try_from(length).ok().and_then(|length| start.checked_add(length)) else { break };
            let Some(octets) = self.buffer.get(start..end) else { break };
            // STCP keeps connections alive with lengths of zero.
            if !octets.is_empty() {
                bundles.push((name, octets.to_vec()));
            }
            at = end;
        }
        self.buffer.drain(..at);
        bundles
    }
}

impl Stream {
    fn forget(&mut self) {
        (self.buffer, self.transfer, self.ahead, self.ahead_octets) = (Vec::new(), Vec::new(), BTreeMap::new(), 0);
    }

    /// The bundles of TCPCL transfers that end.
    fn transfers(&mut self) -> Vec<Carried> {
        /// The first octet of a record of the TLS handshake, which is no type of a TCPCL message.
        const TLS_HANDSHAKE: u8 = 22;
        let mut bundles = Vec::new();
        let mut at = 0;
        if self.protocol == Some(Protocol::TcpclContact) {
            match ContactHeader::parse(&self.buffer) {
                Ok(Prefix::Whole { unit, length }) if unit.version == VERSION => at = length,
                Ok(Prefix::Incomplete { .. }) => return bundles,
                Ok(Prefix::Whole { .. }) | Err(_) => {
                    self.protocol = Some(Protocol::TcpclDark);
                    return bundles;
                }
            }
            self.protocol = Some(Protocol::Tcpcl);
        }
        while let Some(&first) = self.buffer.get(at) {
            let parsed = (first != TLS_HANDSHAKE).then(|| Message::parse(&self.buffer[at..]));
            let length = match parsed {
                None | Some(Err(_)) => {
                    self.protocol = Some(Protocol::TcpclDark);
                    break;
                }
                Some(Ok(Prefix::Incomplete { .. })) => break,
                Some(Ok(Prefix::Whole { unit: Message::Segment(segment), length })) => {
                    // What came before a new start was refused, or given up.
                    if segment.flags.contains(SegmentFlags::START) {
                        self.transfer.clear();
                    }
                    self.transfer.extend_from_slice(segment.data);
                    if segment.flags.contains(SegmentFlags::END) && !self.transfer.is_empty() {
                        bundles.push(("TCPCL", std::mem::take(&mut self.transfer)));
                    }
                    length
                }
                Some(Ok(Prefix::Whole { length, .. })) => length,
            };
            at += length;
        }
        self.buffer.drain(..at);
        bundles
    }
}

/// Length and first octet of the bundle whose frame begins at `at`.
fn framed(buffer: &[u8], at: usize, stcp: bool) -> Option<(u64, usize)> {
    if stcp {
        let length = buffer.get(at..)?.first_chunk::<4>()?;
        return Some((u64::from(u32::from_be_bytes(*length)), at + 4));
    }
    match cbor::head(buffer, at)? {
        (Kind::String(length), start) => Some((length, start)),
        _ => None,
    }
}

/// What a stream with these first octets carries; `None` if there are too few of them.
fn protocol_of(first: &[u8]) -> Option<Protocol> {
    const BUNDLE: u8 = 0x9F;
    if first.starts_with(b"dtn!") {
        return Some(Protocol::TcpclContact);
    }
    if first.len() < 10 {
        return None;
    }
    if let Some((Kind::String(_), start)) = cbor::head(first, 0)
        && first[0] >> 5 == 2
        && first.get(start) == Some(&BUNDLE)
    {
        return Some(Protocol::Mtcp);
    }
    Some(if first[4] == BUNDLE { Protocol::Stcp } else { Protocol::Other })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends() -> Ends {
        let address = [127, 0, 0, 1].into();
        Ends::new(address, address, (1, 2))
    }

    /// A contact header and a bundle in two segments.
    fn tcpcl(bundle: &[u8]) -> Vec<u8> {
        use farlink_wire::tcpcl::{ContactFlags, ItemList, XferSegment};
        let mut stream = ContactHeader { version: VERSION, flags: ContactFlags::NONE }.octets().to_vec();
        Message::Keepalive.emit(&mut stream);
        let (first, last) = bundle.split_at(20);
        for (flags, items, data) in
            [(SegmentFlags::START, Some(ItemList::EMPTY), first), (SegmentFlags::END, None, last)]
        {
            Message::Segment(XferSegment { flags, transfer_id: 0, items, data }).emit(&mut stream);
        }
        stream
    }

    #[test]
    fn bundles_are_put_together_from_the_segments_of_tcpcl_wherever_packets_are_cut() {
        let bundle = [&[0x9F][..], &[7; 40], &[0xFF]].concat();
        let stream = [tcpcl(&bundle), tcpcl(&bundle)[ContactHeader::LENGTH..].to_vec()].concat();
        for length in 1..stream.len() {
            let mut streams = Streams::default();
            let mut found = Vec::new();
            for (n, piece) in stream.chunks(length).enumerate() {
                found.extend(streams.segment(ends(), 1 + (n * length) as u32, false, piece));
            }
            assert_eq!(found, [("TCPCL", bundle.clone()), ("TCPCL", bundle.clone())], "cut every {length} octets");
            assert_eq!((streams.incomplete(), streams.dark), (0, 0));
        }
    }

    #[test]
    fn tls_behind_a_contact_header_and_malformed_messages_are_counted_and_left() {
        for then in [&[22, 3, 1, 0, 9][..], &[0x55; 40]] {
            let mut streams = Streams::default();
            let stream = [&b"dtn!\x04\x01"[..], then].concat();
            assert!(streams.segment(ends(), 1, false, &stream).is_empty());
            assert!(streams.segment(ends(), 1 + stream.len() as u32, false, &tcpcl(&[0x9F; 30])).is_empty());
            assert_eq!((streams.incomplete(), streams.dark), (0, 1));
        }
    }

    #[test]
    fn octets_are_put_in_order_across_the_wrap_of_sequence_numbers() {
        let bundle = [&[0x9F][..], &[7; 40], &[0xFF]].concat();
        let stcp = [&42u32.to_be_bytes()[..], &bundle, &0u32.to_be_bytes(), &42u32.to_be_bytes(), &bundle].concat();
        let mtcp = [&[0x58, 42][..], &bundle, &[0x58, 42], &bundle].concat();
        for stream in [stcp, mtcp] {
            for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [2, 1, 0], [2, 0, 1]] {
                let first = u32::MAX - 20;
                let mut streams = Streams::default();
                assert!(streams.segment(ends(), first.wrapping_sub(1), true, &[]).is_empty());
                let cuts = [0, 15, 50, stream.len()];
                let mut found = Vec::new();
                for n in order {
                    let sequence = first.wrapping_add(cuts[n] as u32);
                    found.extend(streams.segment(ends(), sequence, false, &stream[cuts[n]..cuts[n + 1]]));
                    // Sent again, and overlapping what came before.
                    found.extend(streams.segment(ends(), sequence, false, &stream[cuts[n]..cuts[n + 1]]));
                }
                let octets: Vec<_> = found.into_iter().map(|(_, octets)| octets).collect();
                assert_eq!(octets, [bundle.clone(), bundle.clone()], "{order:?}");
                assert_eq!(streams.incomplete(), 0);
            }
        }
    }
}
