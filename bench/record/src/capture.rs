//! Captures: what was delivered, as a pcapng file that Wireshark and tshark read.
//!
//! Each channel is an interface of that name. Each delivered frame is a UDP datagram from port 1113 to port 1113, which
//! Wireshark takes for LTP, between made-up addresses: node *i* has `198.18.0.(i+1)`, from the range that RFC 2544 keeps for
//! benchmarks. Time stamps have nanoseconds and are the instants of delivery. The identification field of the IP header
//! holds the low 16 bits of the frame's number in its channel.

pub mod conversation;
mod packet;

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use farlink_units::Instant;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness, PcapError};

use self::packet::{IP_HEADER, UDP_HEADER};
use crate::{Event, Header, NodeId, Stamped};

/// The registered port of LTP over UDP (RFC 5326 §10.1), on both ends.
pub const LTP_PORT: u16 = 1113;

/// The longest frame that a UDP datagram over IPv4 holds; of a longer one the capture keeps this much.
pub const LONGEST_FRAME: usize = 65_535 - IP_HEADER - UDP_HEADER;

/// Writes a capture.
pub struct CaptureWriter<W: Write> {
    out: PcapNgWriter<BufWriter<W>>,
    epoch_unix_nanos: i64,
    /// Source and destination of each channel.
    ends: Vec<(NodeId, NodeId)>,
    packet: Vec<u8>,
    packets: u64,
    cut: u64,
}

impl<W: Write> CaptureWriter<W> {
    /// Begins a capture. `epoch_unix_nanos` is the instant zero of the run in nanoseconds since 1970-01-01 00:00 UTC.
    ///
    /// # Errors
    /// Whatever the writer reports, and an epoch before 1970, which pcapng cannot tell.
    pub fn new(inner: W, header: &Header, epoch_unix_nanos: i64) -> io::Result<Self> {
        if epoch_unix_nanos < 0 {
            return Err(invalid("a capture cannot tell times before 1970".to_owned()));
        }
        // Little-endian on every host, so that the same run gives the same bytes.
        let section = SectionHeaderBlock {
            endianness: Endianness::Little,
            options: vec![
                SectionHeaderOption::Comment(format!("{}, seed {}", header.scenario, header.seed).into()),
                SectionHeaderOption::UserApplication(format!("Farlink {}", header.farlink).into()),
            ],
            ..Default::default()
        };
        let mut out =
            PcapNgWriter::with_section_header(BufWriter::with_capacity(1 << 16, inner), section).map_err(io_error)?;
        for channel in &header.channels {
            let interface = InterfaceDescriptionBlock {
                linktype: DataLink::RAW,
                snaplen: 0,
                options: vec![
                    InterfaceDescriptionOption::IfName(Cow::Borrowed(&channel.name)),
                    InterfaceDescriptionOption::IfDescription(format!("link {}", channel.link).into()),
                    InterfaceDescriptionOption::IfSpeed(channel.rate_bps),
                    InterfaceDescriptionOption::IfTsResol(9),
                ],
            };
            out.write_pcapng_block(interface).map_err(io_error)?;
        }
        let ends = header.channels.iter().map(|channel| (channel.from, channel.to)).collect();
        Ok(CaptureWriter { out, epoch_unix_nanos, ends, packet: Vec::new(), packets: 0, cut: 0 })
    }

    /// Writes the frame of a [`Event::FrameDelivered`]; other events are none of a capture's business.
    ///
    /// # Errors
    /// Whatever the writer reports; a channel that the header does not have; a time outside 1970 … 2554.
    pub fn event(&mut self, stamped: &Stamped) -> io::Result<()> {
        let Event::FrameDelivered { channel, frame, bytes, damaged_bits, ref content, .. } = stamped.event else {
            return Ok(());
        };
        let &(from, to) = self
            .ends
            .get(usize::from(channel.0))
            .ok_or_else(|| invalid(format!("the run has no channel {}", channel.0)))?;
        let kept = &content[..content.len().min(LONGEST_FRAME)];
        self.packet.clear();
        packet::datagram(&mut self.packet, at_ltp_port(from), at_ltp_port(to), frame as u16, kept);

        let mut comments = Vec::new();
        if damaged_bits > 0 {
            comments.push(format!("the channel flipped {damaged_bits} bits of this frame"));
        }
        let whole = content.len().max(bytes as usize);
        if kept.len() < whole {
            self.cut += 1;
            comments.push(format!("a frame of {whole} bytes, of which this capture holds {}", kept.len()));
        }
        let block = EnhancedPacketBlock {
            interface_id: u32::from(channel.0),
            timestamp: self.unix_time(stamped.at)?,
            original_len: u32::try_from(whole + IP_HEADER + UDP_HEADER).unwrap_or(u32::MAX),
            data: Cow::Borrowed(&self.packet),
            options: comments.into_iter().map(|text| EnhancedPacketOption::Comment(text.into())).collect(),
        };
        self.out.write_pcapng_block(block).map_err(io_error)?;
        self.packets += 1;
        Ok(())
    }

    /// How many frames were longer than a UDP datagram, or came without their whole content, and were cut.
    pub fn cut(&self) -> u64 {
        self.cut
    }

    /// Writes what is held back and tells how many packets the capture holds.
    ///
    /// # Errors
    /// Whatever the writer reports.
    pub fn finish(mut self) -> io::Result<u64> {
        self.out.get_mut().flush()?;
        Ok(self.packets)
    }

    fn unix_time(&self, at: Instant) -> io::Result<Duration> {
        let nanos = i128::from(self.epoch_unix_nanos) + i128::from(at.as_nanos());
        let nanos = u64::try_from(nanos).map_err(|_| invalid(format!("a capture cannot tell the time of {at}")))?;
        Ok(Duration::from_nanos(nanos))
    }
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

fn io_error(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => invalid(other.to_string()),
    }
}

/// The made-up address of a node.
pub fn address(node: NodeId) -> [u8; 4] {
    let host = u32::from(node.0) + 1;
    [198, 18 + (host >> 16) as u8, (host >> 8) as u8, host as u8]
}

fn at_ltp_port(node: NodeId) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from(address(node)), LTP_PORT)
}
