use super::{CcsdsError, check_fecf, frame_error_control, take};

/// A telecommand transfer frame (232.0-B-4 section 4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TcFrame<'a> {
    /// Whether the acceptance check of the sequence number is passed by: type B.
    pub bypass: bool,
    /// Whether the data are a control command to the receiving end itself.
    pub control: bool,
    /// Spacecraft ID, 10 bits.
    pub spacecraft: u16,
    /// Virtual channel, 6 bits.
    pub virtual_channel: u8,
    /// Frame sequence number.
    pub sequence: u8,
    /// The data field, with its segment header if there is one: 1 to 1019 octets, 2 less with error control.
    pub data: &'a [u8],
}

/// A frame has at most 1024 octets: its length field has 10 bits.
const MOST: usize = 1024;
const HEADER: &str = "232.0-B-4 section 4.1.2";
const LENGTH: &str = "232.0-B-4 section 4.1.2.7";
const FECF: &str = "232.0-B-4 section 4.1.4";

impl<'a> TcFrame<'a> {
    /// Reads a frame at the start of `octets`, which may go on with fill or another frame; and its length.
    ///
    /// # Errors
    /// See [`CcsdsError`].
    pub fn parse(octets: &'a [u8], error_control: bool) -> Result<(Self, usize), CcsdsError> {
        let mut rest = octets;
        let [a, b, c, d, sequence] = *take::<5>(&mut rest, 0, "primary header", HEADER)?;
        let version = a >> 6;
        if version != 0 {
            let (what, expected) = ("telecommand frames", 0);
            return Err(CcsdsError::Version { at: 0, what, found: version, expected, clause: HEADER });
        }
        let (bypass, control) = (a >> 5 & 1 == 1, a >> 4 & 1 == 1);
        if control && !bypass {
            let (field, rule) = ("bypass flag", "control commands have it set");
            return Err(CcsdsError::Forbidden { at: 0, field, found: 0, rule, clause: "232.0-B-4 section 4.1.2.3" });
        }
        let length = usize::from(u16::from_be_bytes([c, d]) & 0x3FF) + 1;
        let least = 6 + 2 * usize::from(error_control);
        if length < least || length > octets.len() {
            let has = if length < least { least } else { octets.len() } as u64;
            return Err(CcsdsError::Length { at: 2, what: "frame", announced: length as u64, has, clause: LENGTH });
        }
        let whole = &octets[..length];
        let before = if error_control { check_fecf(whole, FECF)? } else { whole };
        let frame = TcFrame {
            bypass,
            control,
            spacecraft: u16::from_be_bytes([a, b]) & 0x3FF,
            virtual_channel: c >> 2,
            sequence,
            data: &before[5..],
        };
        Ok((frame, length))
    }

    /// Appends the frame's octets. Values beyond their fields lose their upper bits.
    ///
    /// # Errors
    /// [`CcsdsError::TooLarge`] if the data do not fit in a frame.
    pub fn emit(&self, error_control: bool, out: &mut Vec<u8>) -> Result<(), CcsdsError> {
        let around = 5 + 2 * usize::from(error_control);
        let length = self.data.len() + around;
        if length > MOST {
            let (found, most) = (self.data.len() as u64, (MOST - around) as u64);
            return Err(CcsdsError::TooLarge { field: "data field", found, most, clause: LENGTH });
        }
        let start = out.len();
        let first = u16::from(self.bypass) << 13 | u16::from(self.control) << 12 | self.spacecraft & 0x3FF;
        out.extend_from_slice(&first.to_be_bytes());
        let second = u16::from(self.virtual_channel & 0x3F) << 10 | (length - 1) as u16;
        out.extend_from_slice(&second.to_be_bytes());
        out.push(self.sequence);
        out.extend_from_slice(self.data);
        if error_control {
            let field = frame_error_control(&out[start..]);
            out.extend_from_slice(&field.to_be_bytes());
        }
        Ok(())
    }
}
