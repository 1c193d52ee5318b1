//! Captures of two ends that speak over datagrams and streams, seen from one of them.
//!
//! The tester is `198.18.0.1`, the node under test `198.18.0.2`. Streams are TCP segments with headers made up so that Wireshark puts
//! them together: a handshake, every octet in order, and how the connection ended.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use farlink_units::Instant;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness};

use super::packet::{IP_HEADER, TCP_HEADER, Tcp, datagram, segment};
use super::{LONGEST_FRAME, io_error};

/// The tester's address.
pub const TESTER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
/// The address of the node under test.
pub const NODE: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);

/// The tester's ports of streams count up from here.
const FIRST_STREAM_PORT: u16 = 49_152;
const LONGEST_SEGMENT: usize = 65_535 - IP_HEADER - TCP_HEADER;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// Which end sent something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The tester.
    Tester,
    /// The node under test.
    Node,
}

#[derive(Clone, Copy, Debug)]
struct StreamState {
    port: u16,
    /// Next sequence numbers of tester and node.
    next: [u32; 2],
}

/// Writes such a capture.
pub struct ConversationWriter<W: Write> {
    out: PcapNgWriter<W>,
    epoch_unix_nanos: i64,
    streams: BTreeMap<u32, StreamState>,
    packet: Vec<u8>,
    identification: u16,
}

impl<W: Write> ConversationWriter<W> {
    /// Begins a capture. `epoch_unix_nanos` is the tester's instant zero in nanoseconds since 1970-01-01 00:00 UTC, not negative.
    ///
    /// # Errors
    /// Whatever the writer reports.
    pub fn new(inner: W, comment: &str, farlink: &str, epoch_unix_nanos: i64) -> io::Result<Self> {
        let section = SectionHeaderBlock {
            endianness: Endianness::Little,
            options: vec![
                SectionHeaderOption::Comment(comment.to_owned().into()),
                SectionHeaderOption::UserApplication(format!("Farlink {farlink}").into()),
            ],
            ..Default::default()
        };
        let mut out = PcapNgWriter::with_section_header(inner, section).map_err(io_error)?;
        let interface = InterfaceDescriptionBlock {
            linktype: DataLink::RAW,
            snaplen: 0,
            options: vec![
                InterfaceDescriptionOption::IfName("tester".into()),
                InterfaceDescriptionOption::IfTsResol(9),
            ],
        };
        out.write_pcapng_block(interface).map_err(io_error)?;
        Ok(ConversationWriter {
            out,
            epoch_unix_nanos,
            streams: BTreeMap::new(),
            packet: Vec::new(),
            identification: 0,
        })
    }

    /// A datagram; both ends have the same port.
    ///
    /// # Errors
    /// Whatever the writer reports.
    pub fn datagram(&mut self, at: Instant, sender: Sender, port: u16, octets: &[u8]) -> io::Result<()> {
        let kept = &octets[..octets.len().min(LONGEST_FRAME)];
        let [from, to] = ends(sender, port, port);
        self.identification = self.identification.wrapping_add(1);
        self.packet.clear();
        datagram(&mut self.packet, from, to, self.identification, kept);
        self.write(at, (kept.len() < octets.len()).then(|| format!("a datagram of {} octets, cut", octets.len())))
    }

    /// A connection is opened. `port` is the node's, whoever opens it.
    ///
    /// # Errors
    /// Whatever the writer reports.
    pub fn open(&mut self, at: Instant, sender: Sender, stream: u32, port: u16) -> io::Result<()> {
        // Both ends may tell of it; the first does.
        if self.streams.contains_key(&stream) {
            return Ok(());
        }
        self.streams.insert(stream, StreamState { port, next: [0, 0] });
        let other = match sender {
            Sender::Tester => Sender::Node,
            Sender::Node => Sender::Tester,
        };
        self.segment(at, sender, stream, SYN, &[])?;
        self.segment(at, other, stream, SYN | ACK, &[])?;
        self.segment(at, sender, stream, ACK, &[])
    }

    /// Octets on a connection.
    ///
    /// # Errors
    /// Whatever the writer reports.
    pub fn octets(&mut self, at: Instant, sender: Sender, stream: u32, octets: &[u8]) -> io::Result<()> {
        octets.chunks(LONGEST_SEGMENT).try_for_each(|part| self.segment(at, sender, stream, PSH | ACK, part))
    }

    /// One end closes its direction in order.
    ///
    /// # Errors
    /// Whatever the writer reports.
    pub fn finish(&mut self, at: Instant, sender: Sender, stream: u32) -> io::Result<()> {
        self.segment(at, sender, stream, FIN | ACK, &[])
    }

    /// One end resets the connection.
    ///
    /// # Errors
    /// Whatever the writer reports.
    pub fn reset(&mut self, at: Instant, sender: Sender, stream: u32) -> io::Result<()> {
        self.segment(at, sender, stream, RST, &[])
    }

    /// Ends the capture.
    ///
    /// # Errors
    /// Whatever the writer reports.
    pub fn close(mut self) -> io::Result<()> {
        self.out.get_mut().flush()
    }

    fn segment(&mut self, at: Instant, sender: Sender, stream: u32, flags: u8, octets: &[u8]) -> io::Result<()> {
        // What was refused before it stood has no state.
        let state = self.streams.entry(stream).or_insert(StreamState { port: 0, next: [0, 0] });
        let (mine, other) = match sender {
            Sender::Tester => (0, 1),
            Sender::Node => (1, 0),
        };
        let tcp = Tcp { sequence: state.next[mine], acknowledged: state.next[other], flags };
        let counted = u32::from(flags & (SYN | FIN) != 0) + octets.len() as u32;
        state.next[mine] = state.next[mine].wrapping_add(counted);
        let [from, to] = ends(sender, FIRST_STREAM_PORT.wrapping_add(stream as u16), state.port);
        self.packet.clear();
        segment(&mut self.packet, from, to, tcp, octets);
        self.write(at, None)
    }

    fn write(&mut self, at: Instant, comment: Option<String>) -> io::Result<()> {
        let nanos = self.epoch_unix_nanos.saturating_add(at.as_nanos());
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)),
            original_len: self.packet.len() as u32,
            data: Cow::Borrowed(&self.packet),
            options: comment.into_iter().map(|text| EnhancedPacketOption::Comment(text.into())).collect(),
        };
        self.out.write_pcapng_block(block).map(drop).map_err(io_error)
    }
}

fn ends(sender: Sender, tester: u16, node: u16) -> [SocketAddrV4; 2] {
    let (tester, node) = (SocketAddrV4::new(TESTER, tester), SocketAddrV4::new(NODE, node));
    match sender {
        Sender::Tester => [tester, node],
        Sender::Node => [node, tester],
    }
}
