//! TCP streams of MTCP and STCP, which put one bundle after the other.
//!
//! MTCP (draft-ietf-dtn-mtcpcl): each bundle is the content of a CBOR byte string. STCP (draft-burleigh-dtn-stcp as ION
//! and HDTN speak it): a 32-bit length in network byte order before each bundle. Which one a stream speaks is told by its
//! first octets; the first octet of a bundle of version 7 is 9F.

use std::collections::BTreeMap;

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
    /// TCPCL, which is not read.
    Tcpcl,
    Other,
}

#[derive(Default)]
struct Stream {
    protocol: Option<Protocol>,
    /// Sequence number of the octet after those in the buffer.
    next: Option<u32>,
    buffer: Vec<u8>,
    /// What arrived ahead of a gap, by distance from the stream's first octet that was seen.
    ahead: BTreeMap<u32, Vec<u8>>,
    ahead_octets: usize,
}

/// The streams of a capture.
#[derive(Default)]
pub(crate) struct Streams {
    streams: BTreeMap<Ends, Stream>,
    /// Streams that were found to be TCPCL.
    pub tcpcl: u64,
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
        if data.is_empty() || matches!(stream.protocol, Some(Protocol::Other | Protocol::Tcpcl)) {
            return Vec::new();
        }
        let start = if syn { sequence.wrapping_add(1) } else { sequence };
        stream.take(start, data);
        let bundles = stream.bundles();
        if stream.protocol == Some(Protocol::Tcpcl) {
            self.tcpcl += 1;
        }
        if stream.buffer.len() + stream.ahead_octets > MAX_STREAM_HELD {
            self.given_up += 1;
            *stream = Stream { protocol: Some(Protocol::Other), ..Stream::default() };
        }
        bundles
    }

    /// Streams of bundles that end within one, or wait for octets that the capture does not have.
    pub fn incomplete(&self) -> u64 {
        let reads = |stream: &&Stream| matches!(stream.protocol, Some(Protocol::Mtcp | Protocol::Stcp));
        self.streams
            .values()
            .filter(reads)
            .filter(|stream| !stream.buffer.is_empty() || !stream.ahead.is_empty())
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
            Some(Protocol::Other | Protocol::Tcpcl) => {
                (self.buffer, self.ahead, self.ahead_octets) = (Vec::new(), BTreeMap::new(), 0);
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
        return Some(Protocol::Tcpcl);
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
