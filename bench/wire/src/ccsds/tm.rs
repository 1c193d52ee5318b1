use super::{CcsdsError, FirstHeader, check_fecf, check_pointer, frame_error_control, take, take_ocf};

/// A telemetry transfer frame (132.0-B-3 section 4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TmFrame<'a> {
    /// Spacecraft ID, 10 bits.
    pub spacecraft: u16,
    /// Virtual channel, 3 bits.
    pub virtual_channel: u8,
    /// Counts the frames of the master channel, modulo 256.
    pub master_count: u8,
    /// Counts the frames of the virtual channel, modulo 256.
    pub virtual_count: u8,
    /// Data of the secondary header, without its identification octet: 1 to 63 octets.
    pub secondary_header: Option<&'a [u8]>,
    /// Whether the data field is an access service data unit instead of packets; what the pointer says is then not defined.
    pub access_data: bool,
    /// Packet order flag; 0 without access data.
    pub packet_order: bool,
    /// Segment length identifier, 2 bits: 3 without access data, which it is written as then.
    pub segment_length: u8,
    /// Where the first packet begins.
    pub first_header: FirstHeader,
    /// The data field.
    pub data: &'a [u8],
    /// Operational control field: the report on commands received.
    pub operational_control: Option<[u8; 4]>,
}

const HEADER: &str = "132.0-B-3 section 4.1.2";
const POINTER: &str = "132.0-B-3 section 4.1.2.7.6";
const SECONDARY: &str = "132.0-B-3 section 4.1.3";
const OCF: &str = "132.0-B-3 section 4.1.5";
const FECF: &str = "132.0-B-3 section 4.1.6";

impl<'a> TmFrame<'a> {
    /// Reads a frame, which is all of `octets`.
    ///
    /// # Errors
    /// See [`CcsdsError`].
    pub fn parse(octets: &'a [u8], error_control: bool) -> Result<Self, CcsdsError> {
        let octets = if error_control { check_fecf(octets, FECF)? } else { octets };
        let mut rest = octets;
        let [a, b, master_count, virtual_count, c, d] = *take::<6>(&mut rest, 0, "primary header", HEADER)?;
        let version = a >> 6;
        if version != 0 {
            let (what, expected) = ("telemetry frames", 0);
            return Err(CcsdsError::Version { at: 0, what, found: version, expected, clause: HEADER });
        }
        let identification = u16::from_be_bytes([a, b]);
        let status = u16::from_be_bytes([c, d]);
        let access_data = status >> 14 & 1 == 1;
        let segment_length = (status >> 11 & 3) as u8;
        if !access_data && segment_length != 3 {
            let (field, rule) = ("segment length identifier", "it is 3 with packets");
            let found = segment_length.into();
            return Err(CcsdsError::Forbidden { at: 4, field, found, rule, clause: "132.0-B-3 section 4.1.2.7.5" });
        }
        let secondary_header = match status >> 15 {
            0 => None,
            _ => Some(secondary_header(&mut rest)?),
        };
        let ocf_at = octets.len().saturating_sub(4);
        let operational_control = match identification & 1 {
            0 => None,
            _ => Some(take_ocf(&mut rest, ocf_at, OCF)?),
        };
        let first_header = FirstHeader::from_code(status);
        if !access_data {
            check_pointer(4, first_header, rest.len(), POINTER)?;
        }
        Ok(TmFrame {
            spacecraft: identification >> 4 & 0x3FF,
            virtual_channel: (identification >> 1 & 7) as u8,
            master_count,
            virtual_count,
            secondary_header,
            access_data,
            packet_order: status >> 13 & 1 == 1,
            segment_length,
            first_header,
            data: rest,
            operational_control,
        })
    }

    /// Appends the frame's octets. Nothing is judged: values beyond their fields lose their upper bits.
    pub fn emit(&self, error_control: bool, out: &mut Vec<u8>) {
        let start = out.len();
        let ocf = u16::from(self.operational_control.is_some());
        let identification = (self.spacecraft & 0x3FF) << 4 | u16::from(self.virtual_channel & 7) << 1 | ocf;
        out.extend_from_slice(&identification.to_be_bytes());
        out.extend_from_slice(&[self.master_count, self.virtual_count]);
        let segment_length = if self.access_data { self.segment_length & 3 } else { 3 };
        let status = u16::from(self.secondary_header.is_some()) << 15
            | u16::from(self.access_data) << 14
            | u16::from(self.packet_order) << 13
            | u16::from(segment_length) << 11
            | self.first_header.code();
        out.extend_from_slice(&status.to_be_bytes());
        if let Some(header) = self.secondary_header {
            // Version 0, and the whole header's length less one, which is that of its data.
            out.push(header.len() as u8 & 0x3F);
            out.extend_from_slice(header);
        }
        out.extend_from_slice(self.data);
        if let Some(ocf) = self.operational_control {
            out.extend_from_slice(&ocf);
        }
        if error_control {
            let field = frame_error_control(&out[start..]);
            out.extend_from_slice(&field.to_be_bytes());
        }
    }

    /// Octets of a frame around its data field.
    pub fn overhead(&self, error_control: bool) -> usize {
        6 + self.secondary_header.map_or(0, |header| 1 + header.len())
            + 4 * usize::from(self.operational_control.is_some())
            + 2 * usize::from(error_control)
    }
}

fn secondary_header<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], CcsdsError> {
    let [identification] = *take::<1>(rest, 6, "secondary header identification", SECONDARY)?;
    let (version, length) = (identification >> 6, usize::from(identification & 0x3F));
    if version != 0 {
        let (what, expected) = ("secondary headers", 0);
        return Err(CcsdsError::Version { at: 6, what, found: version, expected, clause: SECONDARY });
    }
    if length == 0 {
        let (field, rule) = ("secondary header length", "one octet of data is the least");
        return Err(CcsdsError::Forbidden { at: 6, field, found: 0, rule, clause: SECONDARY });
    }
    let left = rest.len();
    let short = CcsdsError::Truncated { at: 7, field: "secondary header", needed: length, left, clause: SECONDARY };
    let (header, after) = rest.split_at_checked(length).ok_or(short)?;
    *rest = after;
    Ok(header)
}
