//! CCSDS transfer frames and the packets in them: what a space link carries below bundles and LTP segments.
//!
//! ```text
//!   bundle or LTP segment
//!   └─ encapsulation packet   Encapsulation   133.1-B: a protocol ID and a length; or SpacePacket, 133.0-B
//!      └─ packet zone         Packer          packets one behind another, cut to the length of the zone
//!         └─ transfer frame   TmFrame         132.0-B, telemetry; AosFrame, 732.0-B, both directions
//! ```
//!
//! [`TcFrame`] (232.0-B) carries commands and has no fixed length. The frames themselves are judged by themselves; that some are
//! missing between two is told by [`Extractor`], which puts the packets together again.
//!
//! What no frame says about itself is agreed beforehand, with the mission's managed parameters: whether there is a frame error control
//! field, an operational control field in AOS frames, an insert zone. It is given to `parse`. Frame header error control of AOS frames and the
//! security header (355.0-B) are not dealt with.
//!
//! ```
//! use farlink_wire::ccsds::{Encapsulation, Extractor, Packer, Protocol, TmFrame};
//!
//! let mut packet = Vec::new();
//! Encapsulation::new(Protocol::LTP, b"a segment").emit(&mut packet).unwrap();
//! let mut packer = Packer::new(64);
//! packer.push(&packet)?;
//! let zone = packer.zone(true).unwrap();
//! let mut octets = Vec::new();
//! TmFrame { spacecraft: 42, first_header: zone.first_header, data: &zone.data, ..TmFrame::default() }.emit(true, &mut octets);
//!
//! let frame = TmFrame::parse(&octets, true)?;
//! let mut extractor = Extractor::new(256, 4096);
//! let mut packets = Vec::new();
//! extractor.take(frame.virtual_count.into(), frame.first_header, frame.data, |packet| packets.push(packet.to_vec()));
//! assert_eq!(packets, [packet]);
//! # Ok::<(), farlink_wire::ccsds::CcsdsError>(())
//! ```

mod aos;
mod error;
mod packet;
mod tc;
mod tm;
mod zone;

use crc::{CRC_16_IBM_3740, Crc, Table};

pub use aos::{Agreed, AosFrame};
pub use error::CcsdsError;
pub use packet::{Encapsulation, Grouping, Protocol, SpacePacket, packet_length};
pub use tc::TcFrame;
pub use tm::TmFrame;
pub use zone::{Extractor, Packer, Taken, Zone};

static FECF: Crc<u16, Table<16>> = Crc::<u16, Table<16>>::new(&CRC_16_IBM_3740);

/// The frame error control field of a frame's octets before it: x^16 + x^12 + x^5 + 1 from all ones (132.0-B-3 section 4.1.6,
/// 732.0-B-4 section 4.1.6, 232.0-B-4 section 4.1.4).
pub fn frame_error_control(octets: &[u8]) -> u16 {
    FECF.checksum(octets)
}

/// Where the first packet of a frame begins (132.0-B-3 section 4.1.2.7.6, 732.0-B-4 section 4.1.4.2.3): 11 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum FirstHeader {
    /// At this octet of the packet zone, from 0.
    At(u16),
    /// No packet begins in this frame.
    #[default]
    NoStart,
    /// The frame has idle data only.
    OnlyIdle,
}

impl FirstHeader {
    /// The field. Places beyond 2045 cannot be written and lose their upper bits.
    pub const fn code(self) -> u16 {
        match self {
            FirstHeader::At(at) => at & 0x7FF,
            FirstHeader::NoStart => 0x7FF,
            FirstHeader::OnlyIdle => 0x7FE,
        }
    }

    /// What the lower 11 bits of the field say.
    pub const fn from_code(code: u16) -> Self {
        match code & 0x7FF {
            0x7FF => FirstHeader::NoStart,
            0x7FE => FirstHeader::OnlyIdle,
            at => FirstHeader::At(at),
        }
    }
}

/// Takes the frame error control field off, once it is right.
fn check_fecf<'a>(octets: &'a [u8], clause: &'static str) -> Result<&'a [u8], CcsdsError> {
    let at = octets.len().saturating_sub(2);
    let Some((before, field)) = octets.split_last_chunk::<2>() else {
        let left = octets.len();
        return Err(CcsdsError::Truncated { at: 0, field: "frame error control field", needed: 2, left, clause });
    };
    let (carried, computed) = (u16::from_be_bytes(*field), frame_error_control(before));
    if carried == computed { Ok(before) } else { Err(CcsdsError::ErrorControl { at, carried, computed, clause }) }
}

/// Takes `N` octets off the front.
fn take<'a, const N: usize>(
    rest: &mut &'a [u8],
    at: usize,
    field: &'static str,
    clause: &'static str,
) -> Result<&'a [u8; N], CcsdsError> {
    let left = rest.len();
    let (head, tail) =
        rest.split_first_chunk::<N>().ok_or(CcsdsError::Truncated { at, field, needed: N, left, clause })?;
    *rest = tail;
    Ok(head)
}

/// Takes the operational control field off the end.
fn take_ocf<'a>(rest: &mut &'a [u8], at: usize, clause: &'static str) -> Result<[u8; 4], CcsdsError> {
    let left = rest.len();
    let short = CcsdsError::Truncated { at, field: "operational control field", needed: 4, left, clause };
    let (before, ocf): (&'a [u8], _) = rest.split_last_chunk::<4>().ok_or(short)?;
    *rest = before;
    Ok(*ocf)
}

/// A pointer that leaves the zone points nowhere.
fn check_pointer(at: usize, first_header: FirstHeader, zone: usize, clause: &'static str) -> Result<(), CcsdsError> {
    match first_header {
        FirstHeader::At(pointer) if usize::from(pointer) >= zone => {
            Err(CcsdsError::FirstHeader { at, pointer, zone, clause })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_control_is_the_one_of_the_catalogues() {
        assert_eq!(frame_error_control(b"123456789"), 0x29B1);
        assert_eq!(frame_error_control(&[]), 0xFFFF);
    }

    #[test]
    fn pointers_round_trip() {
        for code in 0..0x800 {
            assert_eq!(FirstHeader::from_code(code).code(), code);
        }
    }
}
