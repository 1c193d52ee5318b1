use super::{CcsdsError, FirstHeader, check_fecf, check_pointer, frame_error_control, take, take_ocf};

/// An AOS transfer frame with packets (732.0-B-4 section 4.1): its data field is a multiplexing protocol data unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AosFrame<'a> {
    /// Spacecraft ID, 8 bits.
    pub spacecraft: u8,
    /// Virtual channel, 6 bits; 63 has only idle data.
    pub virtual_channel: u8,
    /// Counts the frames of the virtual channel, 24 bits.
    pub count: u32,
    /// Whether the frame is a replay.
    pub replay: bool,
    /// Counts how often `count` has come round, 4 bits, if it is used.
    pub count_cycle: Option<u8>,
    /// The insert zone, of the length agreed.
    pub insert: &'a [u8],
    /// Where the first packet begins.
    pub first_header: FirstHeader,
    /// The packet zone.
    pub data: &'a [u8],
    /// Operational control field.
    pub operational_control: Option<[u8; 4]>,
}

/// What is agreed of the AOS frames of a channel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Agreed {
    /// Octets of the insert zone.
    pub insert: usize,
    /// Whether there is an operational control field.
    pub operational_control: bool,
    /// Whether there is a frame error control field.
    pub error_control: bool,
}

const HEADER: &str = "732.0-B-4 section 4.1.2";
const INSERT: &str = "732.0-B-4 section 4.1.3";
const MULTIPLEXING: &str = "732.0-B-4 section 4.1.4.2";
const OCF: &str = "732.0-B-4 section 4.1.5";
const FECF: &str = "732.0-B-4 section 4.1.6";

impl<'a> AosFrame<'a> {
    /// Reads a frame, which is all of `octets`. The spare bits of its headers are not looked at.
    ///
    /// # Errors
    /// See [`CcsdsError`].
    pub fn parse(octets: &'a [u8], agreed: Agreed) -> Result<Self, CcsdsError> {
        let octets = if agreed.error_control { check_fecf(octets, FECF)? } else { octets };
        let mut rest = octets;
        let [a, b, c, d, e, signalling] = *take::<6>(&mut rest, 0, "primary header", HEADER)?;
        let version = a >> 6;
        if version != 1 {
            return Err(CcsdsError::Version { at: 0, what: "AOS frames", found: version, expected: 1, clause: HEADER });
        }
        let identification = u16::from_be_bytes([a, b]);
        let (left, needed) = (rest.len(), agreed.insert);
        let short = CcsdsError::Truncated { at: 6, field: "insert zone", needed, left, clause: INSERT };
        let (insert, after) = rest.split_at_checked(agreed.insert).ok_or(short)?;
        rest = after;
        let ocf_at = octets.len().saturating_sub(4);
        let ocf = if agreed.operational_control { Some(take_ocf(&mut rest, ocf_at, OCF)?) } else { None };
        let pointer_at = 6 + agreed.insert;
        let pointer = *take::<2>(&mut rest, pointer_at, "first header pointer", MULTIPLEXING)?;
        let first_header = FirstHeader::from_code(u16::from_be_bytes(pointer));
        check_pointer(pointer_at, first_header, rest.len(), MULTIPLEXING)?;
        Ok(AosFrame {
            spacecraft: (identification >> 6) as u8,
            virtual_channel: (identification & 0x3F) as u8,
            count: u32::from_be_bytes([0, c, d, e]),
            replay: signalling >> 7 == 1,
            count_cycle: (signalling >> 6 & 1 == 1).then_some(signalling & 0x0F),
            insert,
            first_header,
            data: rest,
            operational_control: ocf,
        })
    }

    /// Appends the frame's octets. Nothing is judged: values beyond their fields lose their upper bits.
    pub fn emit(&self, error_control: bool, out: &mut Vec<u8>) {
        let start = out.len();
        let identification = 1 << 14 | u16::from(self.spacecraft) << 6 | u16::from(self.virtual_channel & 0x3F);
        out.extend_from_slice(&identification.to_be_bytes());
        out.extend_from_slice(&self.count.to_be_bytes()[1..]);
        let cycle = self.count_cycle.map_or(0, |cycle| 1 << 6 | cycle & 0x0F);
        out.push(u8::from(self.replay) << 7 | cycle);
        out.extend_from_slice(self.insert);
        out.extend_from_slice(&self.first_header.code().to_be_bytes());
        out.extend_from_slice(self.data);
        if let Some(ocf) = self.operational_control {
            out.extend_from_slice(&ocf);
        }
        if error_control {
            let field = frame_error_control(&out[start..]);
            out.extend_from_slice(&field.to_be_bytes());
        }
    }

    /// Octets of a frame around its packet zone.
    pub fn overhead(&self, error_control: bool) -> usize {
        8 + self.insert.len() + 4 * usize::from(self.operational_control.is_some()) + 2 * usize::from(error_control)
    }
}
