//! Files of packets: pcap and pcapng.
//!
//! This is not left to a crate: the kept ones refuse packets that a snap length has cut, which are the ones that a person
//! wants explained, and leave the time resolution of an interface to the caller.

use std::io::{ErrorKind, Read};

use super::{CaptureError, MAX_PACKET};
use crate::hex;

/// Most interfaces of one section.
const MAX_INTERFACES: usize = 65_536;

const SECTION: u32 = 0x0A0D_0D0A;
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// A packet as captured.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Which packet of the file, from 1.
    pub number: u64,
    /// Nanoseconds since 1970-01-01 UTC, if the file says.
    pub unix_ns: Option<i128>,
    /// Link type, a number of the registry at tcpdump.org.
    pub link_type: u32,
    /// Octets that it had on the wire.
    pub original_length: u32,
    /// Octets that were kept.
    pub data: &'a [u8],
}

/// A capture being read. What has been read is not kept.
pub struct CaptureFile<R> {
    input: R,
    /// Octets read so far.
    at: u64,
    packets: u64,
    big_endian: bool,
    kind: Kind,
    buffer: Vec<u8>,
}

enum Kind {
    Pcap { nanos: bool, link_type: u32 },
    PcapNg { interfaces: Vec<Interface> },
}

#[derive(Clone, Copy)]
struct Interface {
    link_type: u32,
    snap_length: u32,
    /// Units to a second, and seconds to add.
    resolution: Resolution,
    offset_s: i64,
}

#[derive(Clone, Copy)]
enum Resolution {
    Decimal(u32),
    Binary(u32),
}

impl Resolution {
    fn nanos(self, units: u64) -> i128 {
        let units = i128::from(units);
        match self {
            Resolution::Decimal(digits @ 0..=9) => units * 10i128.pow(9 - digits),
            Resolution::Decimal(digits) => units / 10i128.pow((digits - 9).min(30)),
            Resolution::Binary(bits) => (units * 1_000_000_000) >> bits.min(100),
        }
    }
}

/// Whether a file that begins so is a capture.
pub(crate) fn is_capture(first: &[u8]) -> bool {
    let Some(magic) = first.first_chunk::<4>() else { return false };
    let magic = u32::from_be_bytes(*magic);
    magic == SECTION || pcap_kind(magic).is_some()
}

/// Byte order (whether big) and resolution (whether nanoseconds) of a pcap file.
fn pcap_kind(magic: u32) -> Option<(bool, bool)> {
    match magic {
        0xA1B2_C3D4 => Some((true, false)),
        0xD4C3_B2A1 => Some((false, false)),
        0xA1B2_3C4D => Some((true, true)),
        0x4D3C_B2A1 => Some((false, true)),
        _ => None,
    }
}

impl<R: Read> CaptureFile<R> {
    /// Begins to read a capture.
    ///
    /// # Errors
    /// Something that is no capture, or that ends within its first header.
    pub fn open(mut input: R) -> Result<Self, CaptureError> {
        let mut magic = [0; 4];
        let got = fill(&mut input, &mut magic)?;
        let number = u32::from_be_bytes(magic);
        let not_a_capture = || CaptureError::NotACapture { found: hex::digits(&magic[..got]) };
        let mut file = CaptureFile {
            input,
            at: 4,
            packets: 0,
            big_endian: false,
            kind: Kind::PcapNg { interfaces: Vec::new() },
            buffer: Vec::new(),
        };
        if got < 4 {
            return Err(not_a_capture());
        }
        if number == SECTION {
            file.section(0)?;
            return Ok(file);
        }
        let (big_endian, nanos) = pcap_kind(number).ok_or_else(not_a_capture)?;
        file.big_endian = big_endian;
        file.read(20, 0)?;
        // The high bits of this field may tell the length of a frame check sequence.
        let link_type = file.u32(16) & 0x0FFF_FFFF;
        file.kind = Kind::Pcap { nanos, link_type };
        Ok(file)
    }

    /// The next packet, or `None` at the end.
    ///
    /// # Errors
    /// See [`CaptureError`]; nothing more can be read after one.
    pub fn next_packet(&mut self) -> Result<Option<Packet<'_>>, CaptureError> {
        match self.kind {
            Kind::Pcap { nanos, link_type } => self.pcap_packet(nanos, link_type),
            Kind::PcapNg { .. } => self.block(),
        }
    }

    fn pcap_packet(&mut self, nanos: bool, link_type: u32) -> Result<Option<Packet<'_>>, CaptureError> {
        let start = self.at;
        if !self.read_or_end(16, start)? {
            return Ok(None);
        }
        let (seconds, fraction, kept, original_length) = (self.u32(0), self.u32(4), self.u32(8), self.u32(12));
        if kept as usize > MAX_PACKET {
            return Err(damaged(start, format!("packet {} claims {kept} octets", self.packets + 1)));
        }
        self.read(kept as usize, start)?;
        self.packets += 1;
        let fraction = i128::from(fraction) * if nanos { 1 } else { 1000 };
        Ok(Some(Packet {
            number: self.packets,
            unix_ns: Some(i128::from(seconds) * 1_000_000_000 + fraction),
            link_type,
            original_length,
            data: &self.buffer,
        }))
    }

    fn block(&mut self) -> Result<Option<Packet<'_>>, CaptureError> {
        loop {
            let start = self.at;
            if !self.read_or_end(4, start)? {
                return Ok(None);
            }
            // The same in either byte order.
            if self.buffer[..4] == SECTION.to_be_bytes() {
                self.section(start)?;
                continue;
            }
            let block_type = self.u32(0);
            self.read(4, start)?;
            let length = self.u32(0);
            self.body(length, start)?;
            match block_type {
                INTERFACE => self.interface(start)?,
                ENHANCED_PACKET | OLD_PACKET | SIMPLE_PACKET => {
                    self.packets += 1;
                    return self.packet(block_type, start).map(Some);
                }
                _ => {}
            }
        }
    }

    /// A section header, of which the type has been read.
    fn section(&mut self, start: u64) -> Result<(), CaptureError> {
        self.read(8, start)?;
        self.big_endian = match self.buffer[4..8] {
            [0x1A, 0x2B, 0x3C, 0x4D] => true,
            [0x4D, 0x3C, 0x2B, 0x1A] => false,
            _ => return Err(damaged(start, "a section header without its byte-order magic".to_owned())),
        };
        let length = self.u32(0);
        // The byte-order magic is a part of the body.
        self.body(length.wrapping_sub(4), start)?;
        self.kind = Kind::PcapNg { interfaces: Vec::new() };
        Ok(())
    }

    /// Reads the body of a block whose type and length have been read, and drops the length that ends it.
    fn body(&mut self, length: u32, start: u64) -> Result<(), CaptureError> {
        // Options of a packet may be long, but not without end.
        if length < 12 || !length.is_multiple_of(4) || length as usize > 4 * MAX_PACKET {
            return Err(damaged(start, format!("a block claims a length of {length} octets")));
        }
        self.read(length as usize - 8, start)?;
        self.buffer.truncate(length as usize - 12);
        Ok(())
    }

    fn interface(&mut self, start: u64) -> Result<(), CaptureError> {
        if self.buffer.len() < 8 {
            return Err(damaged(start, "an interface description is too short".to_owned()));
        }
        let mut interface = Interface {
            link_type: u32::from(self.u16(0)),
            snap_length: self.u32(4),
            resolution: Resolution::Decimal(6),
            offset_s: 0,
        };
        let mut at = 8;
        while at + 4 <= self.buffer.len() {
            let (code, length) = (self.u16(at), usize::from(self.u16(at + 2)));
            let value = at + 4;
            if code == 0 || value + length > self.buffer.len() {
                break;
            }
            match (code, length) {
                (9, 1) => {
                    let octet = self.buffer[value];
                    let exponent = u32::from(octet & 0x7F);
                    interface.resolution =
                        if octet & 0x80 == 0 { Resolution::Decimal(exponent) } else { Resolution::Binary(exponent) };
                }
                (14, 8) => {
                    let (first, second) = (u64::from(self.u32(value)), u64::from(self.u32(value + 4)));
                    let offset = if self.big_endian { first << 32 | second } else { second << 32 | first };
                    interface.offset_s = offset as i64;
                }
                _ => {}
            }
            at = value + length.next_multiple_of(4);
        }
        if let Kind::PcapNg { interfaces } = &mut self.kind {
            if interfaces.len() == MAX_INTERFACES {
                return Err(damaged(start, format!("more than {MAX_INTERFACES} interfaces")));
            }
            interfaces.push(interface);
        }
        Ok(())
    }

    fn packet(&self, block_type: u32, start: u64) -> Result<Packet<'_>, CaptureError> {
        let number = self.packets;
        let header = if block_type == SIMPLE_PACKET { 4 } else { 20 };
        let too_short = || damaged(start, format!("packet {number} is shorter than its header says"));
        if self.buffer.len() < header {
            return Err(too_short());
        }
        let index = match block_type {
            ENHANCED_PACKET => self.u32(0),
            OLD_PACKET => u32::from(self.u16(0)),
            _ => 0,
        };
        let interface = match &self.kind {
            Kind::PcapNg { interfaces } => interfaces.get(index as usize),
            Kind::Pcap { .. } => None,
        };
        let interface = interface.ok_or_else(|| {
            damaged(start, format!("packet {number} is of interface {index}, which is not described"))
        })?;
        let (unix_ns, kept, original_length) = if block_type == SIMPLE_PACKET {
            let original = self.u32(0);
            let snap = if interface.snap_length == 0 { u32::MAX } else { interface.snap_length };
            (None, original.min(snap).min((self.buffer.len() - header) as u32), original)
        } else {
            let units = u64::from(self.u32(4)) << 32 | u64::from(self.u32(8));
            let nanos = interface.resolution.nanos(units) + i128::from(interface.offset_s) * 1_000_000_000;
            (Some(nanos), self.u32(12), self.u32(16))
        };
        let data = self.buffer.get(header..header.saturating_add(kept as usize)).ok_or_else(too_short)?;
        Ok(Packet { number, unix_ns, link_type: interface.link_type, original_length, data })
    }

    /// Reads exactly `length` octets into the buffer, or tells that the file ends before.
    fn read(&mut self, length: usize, start: u64) -> Result<(), CaptureError> {
        if self.read_or_end(length, start)? || length == 0 { Ok(()) } else { Err(self.cut_off(start)) }
    }

    /// As [`read`](Self::read), but the end of the file before the first octet is `false`.
    fn read_or_end(&mut self, length: usize, start: u64) -> Result<bool, CaptureError> {
        self.buffer.resize(length, 0);
        let got = fill(&mut self.input, &mut self.buffer)?;
        self.at += got as u64;
        match got {
            0 => Ok(false),
            _ if got == length => Ok(true),
            _ => Err(self.cut_off(start)),
        }
    }

    fn cut_off(&self, at: u64) -> CaptureError {
        CaptureError::CutOff { at, packet: self.packets + 1 }
    }

    fn u32(&self, at: usize) -> u32 {
        let octets = self.buffer[at..].first_chunk().copied().unwrap_or_default();
        if self.big_endian { u32::from_be_bytes(octets) } else { u32::from_le_bytes(octets) }
    }

    fn u16(&self, at: usize) -> u16 {
        let octets = self.buffer[at..].first_chunk().copied().unwrap_or_default();
        if self.big_endian { u16::from_be_bytes(octets) } else { u16::from_le_bytes(octets) }
    }
}

fn damaged(at: u64, what: String) -> CaptureError {
    CaptureError::Damaged { at, what }
}

/// Reads until the buffer is full or the input ends; tells how much came.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> Result<usize, std::io::Error> {
    let mut got = 0;
    while got < buffer.len() {
        match input.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}
