use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::fragments::{Fragments, Key};
use super::{Ends, Packet};

const TCP: u8 = 6;
const UDP: u8 = 17;
const FRAGMENT: u8 = 44;

/// Most pairs of transport and port that are counted.
const MAX_PORTS: usize = 64;

/// Which protocol a payload came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// A datagram.
    Udp,
    /// A part of a stream.
    Tcp {
        /// Sequence number of the first octet.
        sequence: u32,
        /// The stream begins here: the octets are numbered from `sequence` + 1.
        syn: bool,
    },
}

/// What a packet brought.
#[derive(Clone, Debug)]
pub struct Payload<'a> {
    /// Who to whom.
    pub ends: Ends,
    /// How.
    pub transport: Transport,
    /// The octets.
    pub octets: Cow<'a, [u8]>,
}

/// What a capture holds, as far as it was read.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Packets.
    pub packets: u64,
    /// UDP datagrams and TCP segments among them.
    pub payloads: u64,
    /// Packets of IP that are damaged, or of another protocol than UDP and TCP.
    pub others: u64,
    /// Packets of link types that are not supported, by link type.
    pub unsupported_links: BTreeMap<u32, u64>,
    /// Packets with a payload that the capture has only in part: how many, and the first one's number, octets kept, and
    /// octets it had.
    pub cut: Option<(u64, u64, usize, u32)>,
    /// Payloads to each UDP (`true`) or TCP port, for the first that were seen.
    pub ports: BTreeMap<(bool, u16), u64>,
}

impl Totals {
    /// What a person should know of how the capture could be read. Empty if there is nothing.
    pub fn notes(&self, incomplete_fragments: u64) -> Vec<String> {
        let mut notes = Vec::new();
        for (link_type, packets) in &self.unsupported_links {
            notes.push(format!(
                "{packets} packets of link type {link_type}{} are not read; supported: Ethernet (1), NULL (0), LOOP (108), \
                 raw IP (101, 228, 229), Linux cooked (113, 276)",
                link_name(*link_type)
            ));
        }
        if let Some((packets, number, kept, original)) = self.cut {
            notes.push(format!(
                "{packets} packets are cut by the snap length, the first one packet {number} with {kept} of {original} \
                 octets; they are not read: capture again without it (tcpdump -s 0, dumpcap without -s)"
            ));
        }
        if incomplete_fragments > 0 {
            notes
                .push(format!("{incomplete_fragments} IP datagrams are not read: not all of their fragments are here"));
        }
        notes
    }
}

fn link_name(link_type: u32) -> &'static str {
    match link_type {
        9 => " (PPP)",
        105 => " (IEEE 802.11)",
        127 => " (IEEE 802.11 radiotap)",
        147..=162 => " (private use)",
        189 | 220 => " (USB)",
        227 => " (CAN)",
        _ => "",
    }
}

/// Takes packets apart down to what UDP and TCP carry.
#[derive(Default)]
pub struct Network {
    totals: Totals,
    fragments: Fragments,
}

impl Network {
    /// What a packet carries, if it completes a UDP datagram or a TCP segment.
    pub fn payload<'a>(&mut self, packet: &Packet<'a>) -> Option<Payload<'a>> {
        self.totals.packets += 1;
        let Some(at) = link_header(packet) else {
            if is_supported(packet.link_type) {
                self.totals.others += 1;
            } else {
                *self.totals.unsupported_links.entry(packet.link_type).or_default() += 1;
            }
            return None;
        };
        let ip = &packet.data[at..];
        let cut = packet.data.len() < packet.original_length as usize;
        let payload = match ip.first().map(|first| first >> 4) {
            Some(4) => self.ipv4(ip, cut),
            Some(6) => self.ipv6(ip, cut),
            _ => Outcome::Other,
        };
        match payload {
            Outcome::Payload(payload) => {
                self.totals.payloads += 1;
                let key = (payload.transport == Transport::Udp, payload.ends.destination.port());
                if self.totals.ports.contains_key(&key) || self.totals.ports.len() < MAX_PORTS {
                    *self.totals.ports.entry(key).or_default() += 1;
                }
                Some(payload)
            }
            Outcome::Waiting => None,
            Outcome::Cut => {
                let first = (0, packet.number, packet.data.len(), packet.original_length);
                self.totals.cut.get_or_insert(first).0 += 1;
                None
            }
            Outcome::Other => {
                self.totals.others += 1;
                None
            }
        }
    }

    /// What was seen so far.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// IP datagrams of which fragments are missing so far.
    pub fn incomplete_fragments(&self) -> u64 {
        self.fragments.incomplete()
    }

    fn ipv4<'a>(&mut self, ip: &'a [u8], cut: bool) -> Outcome<'a> {
        let missing = if cut { Outcome::Cut } else { Outcome::Other };
        let Some(header) = ip.first_chunk::<20>() else { return missing };
        let header_length = usize::from(header[0] & 0x0F) * 4;
        // A length of zero is what segmentation offload leaves.
        let total = match usize::from(u16::from_be_bytes([header[2], header[3]])) {
            0 => ip.len(),
            total => total,
        };
        let Some(data) = ip.get(header_length.max(20)..total) else { return missing };
        let ends = (
            IpAddr::from(Ipv4Addr::new(header[12], header[13], header[14], header[15])),
            IpAddr::from(Ipv4Addr::new(header[16], header[17], header[18], header[19])),
        );
        let fragment = u16::from_be_bytes([header[6], header[7]]);
        let (more, offset) = (fragment & 0x2000 != 0, usize::from(fragment & 0x1FFF) * 8);
        let identification = u32::from(u16::from_be_bytes([header[4], header[5]]));
        self.fragment(ends, header[9], identification, offset, more, data)
    }

    fn ipv6<'a>(&mut self, ip: &'a [u8], cut: bool) -> Outcome<'a> {
        let missing = if cut { Outcome::Cut } else { Outcome::Other };
        let Some(header) = ip.first_chunk::<40>() else { return missing };
        let address = |at: usize| {
            let mut octets = [0; 16];
            octets.copy_from_slice(&header[at..at + 16]);
            IpAddr::from(Ipv6Addr::from(octets))
        };
        let ends = (address(8), address(24));
        let length = match usize::from(u16::from_be_bytes([header[4], header[5]])) {
            0 => ip.len() - 40,
            length => length,
        };
        let Some(mut data) = ip.get(40..40 + length) else { return missing };
        let mut next = header[6];
        loop {
            match next {
                // Hop-by-hop and destination options, routing: a length in eights beyond the first eight octets.
                0 | 43 | 60 => {
                    let Some(&[following, length]) = data.first_chunk::<2>() else { return Outcome::Other };
                    let Some(rest) = data.get(8 + usize::from(length) * 8..) else { return Outcome::Other };
                    (next, data) = (following, rest);
                }
                FRAGMENT => {
                    let Some(&[following, _, high, low, a, b, c, d]) = data.first_chunk::<8>() else {
                        return Outcome::Other;
                    };
                    let field = u16::from_be_bytes([high, low]);
                    let identification = u32::from_be_bytes([a, b, c, d]);
                    let (offset, more) = (usize::from(field & 0xFFF8), field & 1 != 0);
                    return self.fragment(ends, following, identification, offset, more, &data[8..]);
                }
                protocol => return transport(ends, protocol, Cow::Borrowed(data)),
            }
        }
    }

    fn fragment<'a>(
        &mut self,
        ends: (IpAddr, IpAddr),
        protocol: u8,
        identification: u32,
        offset: usize,
        more: bool,
        data: &'a [u8],
    ) -> Outcome<'a> {
        if offset == 0 && !more {
            return transport(ends, protocol, Cow::Borrowed(data));
        }
        let key = Key { source: ends.0, destination: ends.1, identification, protocol };
        match self.fragments.add(key, offset, more, data) {
            Some(whole) => transport(ends, protocol, Cow::Owned(whole)),
            None => Outcome::Waiting,
        }
    }
}

enum Outcome<'a> {
    Payload(Payload<'a>),
    /// A fragment that does not complete its datagram.
    Waiting,
    /// The snap length has cut it.
    Cut,
    Other,
}

fn transport<'a>((source, destination): (IpAddr, IpAddr), protocol: u8, data: Cow<'a, [u8]>) -> Outcome<'a> {
    let Some(&[a, b, c, d]) = data.first_chunk::<4>() else { return Outcome::Other };
    let ends = Ends::new(source, destination, (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])));
    let (transport, range) = match protocol {
        UDP if data.len() >= 8 => {
            let length = match usize::from(u16::from_be_bytes([data[4], data[5]])) {
                0 => data.len(),
                length => length,
            };
            (Transport::Udp, 8..length)
        }
        TCP if data.len() >= 20 => {
            let sequence = u32::from_be_bytes([data[4], data[5], data[6], data[7]]);
            let header = usize::from(data[12] >> 4) * 4;
            (Transport::Tcp { sequence, syn: data[13] & 0x02 != 0 }, header.max(20)..data.len())
        }
        _ => return Outcome::Other,
    };
    if range.end > data.len() || range.start > range.end {
        return Outcome::Other;
    }
    let octets = match data {
        Cow::Borrowed(data) => Cow::Borrowed(&data[range]),
        Cow::Owned(mut data) => {
            data.truncate(range.end);
            data.drain(..range.start);
            Cow::Owned(data)
        }
    };
    Outcome::Payload(Payload { ends, transport, octets })
}

fn is_supported(link_type: u32) -> bool {
    matches!(link_type, 0 | 1 | 12 | 14 | 101 | 108 | 113 | 228 | 229 | 276)
}

/// Where the IP packet begins, or `None` if there is none.
fn link_header(packet: &Packet<'_>) -> Option<usize> {
    let data = packet.data;
    let u16_at = |at: usize| data.get(at..at + 2).map(|octets| u16::from_be_bytes([octets[0], octets[1]]));
    let ethertype = |mut at: usize| loop {
        match u16_at(at)? {
            0x0800 | 0x86DD => return Some(at + 2),
            // VLAN tags (IEEE 802.1Q, 802.1ad, and what was in use before).
            0x8100 | 0x88A8 | 0x9100 => at += 4,
            _ => return None,
        }
    };
    match packet.link_type {
        1 => ethertype(12),
        12 | 14 | 101 | 228 | 229 => Some(0),
        // An address family of the capturing host, in its byte order or in the network's. Which number is IPv6 differs
        // between systems, so the IP version decides.
        0 | 108 if data.len() > 4 => Some(4),
        113 => ethertype(14),
        276 => match u16_at(0)? {
            0x0800 | 0x86DD => Some(20),
            _ => None,
        },
        _ => None,
    }
}
