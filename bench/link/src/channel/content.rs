//! What is in a frame, as far as faults ask for it.

use std::str::FromStr;

use farlink_record::control::{FrameMatch, LtpKind};
use farlink_wire::bpv7::{Bundle, Eid, EidSyntaxError, PrimaryBlock};
use farlink_wire::ltp::{Colour, Content, Segment, SessionId, segments};

/// Which endpoints a fault is for: a node ID (`ipn:10.0`, `dtn://node/`) stands for all of the node's endpoints, and so does
/// `*` in place of the service (`ipn:10.*`, `dtn://node/*`); any other EID for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EidPattern {
    /// Every endpoint of the node with this ID.
    Node(Eid),
    /// This one.
    Endpoint(Eid),
}

impl EidPattern {
    /// Whether an endpoint is one of these.
    pub fn matches(&self, eid: &Eid) -> bool {
        match self {
            EidPattern::Node(node) => eid.node_id().as_ref() == Some(node),
            EidPattern::Endpoint(endpoint) => eid == endpoint,
        }
    }
}

impl FromStr for EidPattern {
    type Err = EidSyntaxError;

    fn from_str(text: &str) -> Result<Self, EidSyntaxError> {
        let all_of_node = match text.strip_suffix('*') {
            Some(ipn) if ipn.starts_with("ipn:") && ipn.ends_with('.') => Some(format!("{ipn}0")),
            Some(dtn) if dtn.starts_with("dtn://") && dtn.ends_with('/') && dtn.matches('/').count() == 3 => {
                Some(dtn.to_owned())
            }
            _ => None,
        };
        let eid: Eid = all_of_node.as_deref().unwrap_or(text).parse()?;
        Ok(if eid.node_id().as_ref() == Some(&eid) { EidPattern::Node(eid) } else { EidPattern::Endpoint(eid) })
    }
}

/// A [`FrameMatch`] whose patterns have been read.
#[derive(Clone, Debug)]
pub(super) struct Matcher {
    ltp: Vec<LtpKind>,
    source: Option<EidPattern>,
    destination: Option<EidPattern>,
    /// Frames that are no LTP never match.
    sessions_only: bool,
}

impl Matcher {
    pub(super) fn new(only: &FrameMatch, sessions_only: bool) -> Result<Self, EidSyntaxError> {
        let pattern = |text: &Option<String>| text.as_deref().map(str::parse).transpose();
        Ok(Matcher {
            ltp: only.ltp.clone(),
            source: pattern(&only.source)?,
            destination: pattern(&only.destination)?,
            sessions_only,
        })
    }

    /// Whether a frame matches. The sessions of the LTP segments by which it does are put
    /// into `sessions`, each once.
    pub(super) fn matches(&self, frame: &[u8], sessions: &mut Vec<SessionId>) -> bool {
        sessions.clear();
        let of_bundle = self.source.is_some() || self.destination.is_some();
        if self.ltp.is_empty() && !of_bundle && !self.sessions_only {
            return true;
        }
        let Some(unit) = unit_in(frame) else { return false };
        match unit {
            Unit::Bundle(primary) => self.ltp.is_empty() && !self.sessions_only && self.concerns(&primary),
            Unit::Ltp(segments) => {
                let mut any = false;
                for segment in segments {
                    if !self.ltp.is_empty() && !self.ltp.iter().any(|kind| is(*kind, &segment.content)) {
                        continue;
                    }
                    if of_bundle && !bundle_at_front(&segment.content).is_some_and(|primary| self.concerns(&primary)) {
                        continue;
                    }
                    any = true;
                    sessions.push(segment.session);
                }
                sessions.sort_unstable();
                sessions.dedup();
                any
            }
        }
    }

    fn concerns(&self, primary: &PrimaryBlock) -> bool {
        self.source.as_ref().is_none_or(|pattern| pattern.matches(&primary.source))
            && self.destination.as_ref().is_none_or(|pattern| pattern.matches(&primary.destination))
    }
}

/// What a frame turned out to be.
enum Unit<'a> {
    Ltp(Vec<Segment<'a>>),
    Bundle(PrimaryBlock),
}

/// The segments or the bundle in a frame: the frame itself, or in a UDP datagram if it is an IP packet or an Ethernet frame.
fn unit_in(frame: &[u8]) -> Option<Unit<'_>> {
    read_unit(frame)
        .or_else(|| read_unit(datagram_of_packet(frame)?))
        .or_else(|| read_unit(datagram_of_ethernet(frame)?))
}

fn read_unit(bytes: &[u8]) -> Option<Unit<'_>> {
    // An LTP segment begins with version 0, a bundle with the head of an indefinite array.
    match bytes.first()? {
        // All of it must be segments: nothing else tells them from what merely begins like one, such as an Ethernet address.
        0x00..=0x0f => segments(bytes).collect::<Result<_, _>>().ok().map(Unit::Ltp),
        _ => Bundle::parse_primary(bytes).ok().map(Unit::Bundle),
    }
}

fn is(kind: LtpKind, content: &Content<'_>) -> bool {
    match (kind, content) {
        (LtpKind::Data, Content::Data(_))
        | (LtpKind::Report, Content::Report(_))
        | (LtpKind::ReportAck, Content::ReportAck { .. })
        | (LtpKind::Cancel, Content::Cancel { .. })
        | (LtpKind::CancelAck, Content::CancelAck { .. }) => true,
        (LtpKind::Red, Content::Data(data)) => data.kind.colour() == Colour::Red,
        (LtpKind::Green, Content::Data(data)) => data.kind.colour() == Colour::Green,
        (LtpKind::Checkpoint, Content::Data(data)) => data.kind.checkpoint().is_some(),
        _ => false,
    }
}

fn bundle_at_front(content: &Content<'_>) -> Option<PrimaryBlock> {
    match content {
        Content::Data(data) if data.offset == 0 => Bundle::parse_primary(data.data).ok(),
        _ => None,
    }
}

const UDP: u8 = 17;

fn datagram_of_ethernet(frame: &[u8]) -> Option<&[u8]> {
    let mut rest = frame.get(12..)?;
    // VLAN tags, one in the other at most.
    for _ in 0..3 {
        let (ethertype, payload) = rest.split_first_chunk::<2>()?;
        match u16::from_be_bytes(*ethertype) {
            0x8100 | 0x88a8 => rest = payload.get(2..)?,
            0x0800 | 0x86dd => return datagram_of_packet(payload),
            _ => return None,
        }
    }
    None
}

/// The payload of the UDP datagram in an IP packet that is no fragment and, of IPv6, has no extension headers.
fn datagram_of_packet(packet: &[u8]) -> Option<&[u8]> {
    let length_at = |at: usize| packet.get(at..at + 2).map(|b| usize::from(u16::from_be_bytes([b[0], b[1]])));
    let udp = match packet.first()? >> 4 {
        4 => {
            let header = usize::from(packet[0] & 0x0f) * 4;
            let unfragmented = length_at(6)? & 0x3fff == 0;
            if header < 20 || !unfragmented || *packet.get(9)? != UDP {
                return None;
            }
            packet.get(header..length_at(2)?)?
        }
        6 if *packet.get(6)? == UDP => packet.get(40..40 + length_at(4)?)?,
        _ => return None,
    };
    let length = usize::from(u16::from_be_bytes([*udp.get(4)?, *udp.get(5)?]));
    udp.get(8..length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_a_node_or_for_one_endpoint() {
        let matches = |pattern: &str, eid: &str| pattern.parse::<EidPattern>().unwrap().matches(&eid.parse().unwrap());
        for pattern in ["ipn:10.0", "ipn:10.*", "ipn:0.10.*"] {
            assert!(matches(pattern, "ipn:10.1") && matches(pattern, "ipn:10.0"), "{pattern}");
            assert!(!matches(pattern, "ipn:11.1") && !matches(pattern, "dtn:none"), "{pattern}");
        }
        assert!(matches("ipn:10.1", "ipn:10.1") && !matches("ipn:10.1", "ipn:10.2"));
        assert!(matches("dtn://a/", "dtn://a/x/y") && matches("dtn://a/*", "dtn://a/x"));
        assert!(matches("dtn://a/x", "dtn://a/x") && !matches("dtn://a/x", "dtn://a/"));
        assert!(matches("dtn:none", "dtn:none"));
        for wrong in ["", "*", "ipn:*", "ipn:10", "ipn:10.1.*.2", "10.1"] {
            assert!(wrong.parse::<EidPattern>().is_err(), "{wrong}");
        }
    }
}
