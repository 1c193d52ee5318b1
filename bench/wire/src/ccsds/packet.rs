use super::CcsdsError;

/// What is in an encapsulation packet (133.1-B-3 section 4.1.2.3; the numbers are in SANA's registry "Encapsulation Protocol Identifier"), 3 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Protocol(pub u8);

impl Protocol {
    /// Nothing: fill.
    pub const IDLE: Protocol = Protocol(0b000);
    /// LTP segments.
    pub const LTP: Protocol = Protocol(0b001);
    /// Internet protocols, with an extension header.
    pub const IPE: Protocol = Protocol(0b010);
    /// CFDP.
    pub const CFDP: Protocol = Protocol(0b011);
    /// Bundles.
    pub const BUNDLE: Protocol = Protocol(0b100);
    /// What the extension field says.
    pub const EXTENDED: Protocol = Protocol(0b110);
    /// What the mission agreed.
    pub const MISSION: Protocol = Protocol(0b111);
}

/// An encapsulation packet (133.1-B-3 section 4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Encapsulation<'a> {
    /// What is in it.
    pub protocol: Protocol,
    /// Octets of the length field: 0, 1, 2 or 4. With 0 the packet is one idle octet.
    pub length_octets: u8,
    /// User-defined field, 4 bits; not in packets whose length field is shorter than 2.
    pub user_defined: u8,
    /// Protocol ID extension, 4 bits, where there is a user-defined field.
    pub extension: u8,
    /// CCSDS-defined field, 16 bits; only with a length field of 4.
    pub ccsds_defined: u16,
    /// The data unit.
    pub data: &'a [u8],
}

const ENCAPSULATION: &str = "133.1-B-3 section 4.1.2";
const ENCAPSULATION_LENGTH: &str = "133.1-B-3 section 4.1.2.8";
const SPACE: &str = "133.0-B-2 section 4.1.3";
const SPACE_LENGTH: &str = "133.0-B-2 section 4.1.3.5";
const ENCAPSULATION_VERSION: u8 = 0b111;

impl<'a> Encapsulation<'a> {
    /// A packet with the shortest header that its length allows.
    pub fn new(protocol: Protocol, data: &'a [u8]) -> Self {
        let length_octets = match data.len() {
            0 if protocol == Protocol::IDLE => 0,
            _ if protocol == Protocol::EXTENDED && data.len() <= 0xFFFF - 4 => 2,
            _ if protocol == Protocol::EXTENDED => 4,
            0..=253 => 1,
            254..=65531 => 2,
            _ => 4,
        };
        Encapsulation { protocol, length_octets, user_defined: 0, extension: 0, ccsds_defined: 0, data }
    }

    /// Reads a packet at the start of `octets`, and its length.
    ///
    /// # Errors
    /// See [`CcsdsError`].
    pub fn parse(octets: &'a [u8]) -> Result<(Self, usize), CcsdsError> {
        let Some(&first) = octets.first() else {
            let field = "packet header";
            return Err(CcsdsError::Truncated { at: 0, field, needed: 1, left: 0, clause: ENCAPSULATION });
        };
        if first >> 5 != ENCAPSULATION_VERSION {
            let (what, found, expected) = ("encapsulation packets", first >> 5, ENCAPSULATION_VERSION);
            return Err(CcsdsError::Version { at: 0, what, found, expected, clause: ENCAPSULATION });
        }
        let protocol = Protocol(first >> 2 & 7);
        let header = header_octets(first);
        if header == 1 && protocol != Protocol::IDLE {
            let (field, found, rule) = ("length of length", 0, "only idle packets have no length field");
            return Err(CcsdsError::Forbidden { at: 0, field, found, rule, clause: ENCAPSULATION });
        }
        if protocol == Protocol::EXTENDED && header < 4 {
            let (field, found, rule) =
                ("length of length", 1, "the protocol extension takes a header of 4 or 8 octets");
            return Err(CcsdsError::Forbidden { at: 0, field, found, rule, clause: ENCAPSULATION });
        }
        let Some(length) = packet_length(octets)? else {
            let (field, needed, left) = ("packet header", header, octets.len());
            return Err(CcsdsError::Truncated { at: 0, field, needed, left, clause: ENCAPSULATION });
        };
        let announced = length;
        let has = octets.len() as u64;
        let whole = usize::try_from(length).ok().and_then(|length| octets.get(..length));
        let at = header.min(4) / 2;
        let too_long = CcsdsError::Length { at, what: "packet", announced, has, clause: ENCAPSULATION_LENGTH };
        let whole = whole.ok_or(too_long)?;
        let second = if header >= 4 { whole[1] } else { 0 };
        let packet = Encapsulation {
            protocol,
            length_octets: [0, 1, 2, 4][usize::from(first & 3)],
            user_defined: second >> 4,
            extension: second & 0x0F,
            ccsds_defined: if header == 8 { u16::from_be_bytes([whole[2], whole[3]]) } else { 0 },
            data: &whole[header..],
        };
        Ok((packet, whole.len()))
    }

    /// Appends the packet's octets. Values beyond their fields lose their upper bits.
    ///
    /// # Errors
    /// [`CcsdsError::TooLarge`] if the length does not fit in the length field.
    pub fn emit(&self, out: &mut Vec<u8>) -> Result<(), CcsdsError> {
        let (code, header, most) = match self.length_octets {
            0 => (0, 1, 1),
            1 => (1, 2, 0xFF),
            2 | 3 => (2, 4, 0xFFFF),
            _ => (3, 8, 0xFFFF_FFFF),
        };
        let length = self.data.len() as u64 + header;
        if length > most {
            let (found, most) = (self.data.len() as u64, most - header);
            return Err(CcsdsError::TooLarge { field: "data unit", found, most, clause: ENCAPSULATION_LENGTH });
        }
        out.push(ENCAPSULATION_VERSION << 5 | (self.protocol.0 & 7) << 2 | code);
        let second = self.user_defined << 4 | self.extension & 0x0F;
        match code {
            0 => {}
            1 => out.push(length as u8),
            2 => {
                out.push(second);
                out.extend_from_slice(&(length as u16).to_be_bytes());
            }
            _ => {
                out.push(second);
                out.extend_from_slice(&self.ccsds_defined.to_be_bytes());
                out.extend_from_slice(&(length as u32).to_be_bytes());
            }
        }
        out.extend_from_slice(self.data);
        Ok(())
    }

    /// Appends an idle packet of `length` octets, header included: what fills a zone. Its data alternate, so that symbols change.
    pub fn emit_idle(length: usize, out: &mut Vec<u8>) {
        let header = match length {
            0 => return,
            1 => 1,
            2..=255 => 2,
            256..=0xFFFF => 4,
            _ => 8,
        };
        let length_octets = [0, 0, 1, 0, 2, 0, 0, 0, 4][header];
        let data = vec![0x55; length - header];
        let idle = Encapsulation { length_octets, data: &data, ..Encapsulation::new(Protocol::IDLE, &[]) };
        idle.emit(out).expect("the length field was chosen for it");
    }
}

/// Octets of the header that begins so.
fn header_octets(first: u8) -> usize {
    [1, 2, 4, 8][usize::from(first & 3)]
}

/// How a space packet is part of a larger unit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Grouping {
    /// Neither the first nor the last part.
    Continuation,
    /// The first part.
    First,
    /// The last part.
    Last,
    /// All of it.
    #[default]
    Unsegmented,
}

/// A space packet (133.0-B-2 section 4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SpacePacket<'a> {
    /// Telecommand instead of telemetry.
    pub telecommand: bool,
    /// Whether the data begin with a secondary header.
    pub secondary_header: bool,
    /// Application process, 11 bits; 2047 is idle.
    pub application: u16,
    /// Whether it is all of a unit.
    pub grouping: Grouping,
    /// Sequence count or packet name, 14 bits.
    pub count: u16,
    /// Packet data field: 1 to 65536 octets.
    pub data: &'a [u8],
}

impl<'a> SpacePacket<'a> {
    /// The application of idle packets.
    pub const IDLE: u16 = 0x7FF;

    /// Reads a packet at the start of `octets`, and its length.
    ///
    /// # Errors
    /// See [`CcsdsError`].
    pub fn parse(octets: &'a [u8]) -> Result<(Self, usize), CcsdsError> {
        let mut rest = octets;
        let [a, b, c, d, e, f] = *super::take::<6>(&mut rest, 0, "primary header", SPACE)?;
        if a >> 5 != 0 {
            let (what, found, expected) = ("space packets", a >> 5, 0);
            return Err(CcsdsError::Version { at: 0, what, found, expected, clause: SPACE });
        }
        let length = usize::from(u16::from_be_bytes([e, f])) + 1;
        let (announced, has) = (length as u64, rest.len() as u64);
        let too_long = CcsdsError::Length { at: 4, what: "packet data", announced, has, clause: SPACE_LENGTH };
        let data = rest.get(..length).ok_or(too_long)?;
        let sequence = u16::from_be_bytes([c, d]);
        let packet = SpacePacket {
            telecommand: a >> 4 & 1 == 1,
            secondary_header: a >> 3 & 1 == 1,
            application: u16::from_be_bytes([a, b]) & 0x7FF,
            grouping: [Grouping::Continuation, Grouping::First, Grouping::Last, Grouping::Unsegmented]
                [usize::from(sequence >> 14)],
            count: sequence & 0x3FFF,
            data,
        };
        Ok((packet, 6 + length))
    }

    /// Appends the packet's octets. Values beyond their fields lose their upper bits.
    ///
    /// # Errors
    /// [`CcsdsError::TooLarge`] with more than 65536 octets of data, and [`CcsdsError::Forbidden`] with none.
    pub fn emit(&self, out: &mut Vec<u8>) -> Result<(), CcsdsError> {
        let found = self.data.len() as u64;
        let Some(last) = found.checked_sub(1) else {
            let (field, rule) = ("packet data length", "a packet has one octet at least");
            return Err(CcsdsError::Forbidden { at: 4, field, found: 0, rule, clause: SPACE_LENGTH });
        };
        let length = u16::try_from(last);
        let length = length.map_err(|_| CcsdsError::TooLarge {
            field: "packet data",
            found,
            most: 65536,
            clause: SPACE_LENGTH,
        })?;
        let first =
            u16::from(self.telecommand) << 12 | u16::from(self.secondary_header) << 11 | self.application & 0x7FF;
        let second = (self.grouping as u16) << 14 | self.count & 0x3FFF;
        for field in [first, second, length] {
            out.extend_from_slice(&field.to_be_bytes());
        }
        out.extend_from_slice(self.data);
        Ok(())
    }
}

/// Octets of the packet that begins here, header included, or `None` if its header is cut off.
///
/// # Errors
/// [`CcsdsError::Version`] for what is neither an encapsulation packet nor a space packet, and [`CcsdsError::Length`] for a
/// length that is less than the header's.
pub fn packet_length(octets: &[u8]) -> Result<Option<u64>, CcsdsError> {
    let Some(&first) = octets.first() else { return Ok(None) };
    match first >> 5 {
        0 => {
            let length = octets.get(4..6).map(|field| u16::from_be_bytes([field[0], field[1]]));
            Ok(length.map(|length| u64::from(length) + 7))
        }
        ENCAPSULATION_VERSION => {
            let header = header_octets(first);
            let Some(header_octets) = octets.get(..header) else { return Ok(None) };
            let field = match header {
                1 => return Ok(Some(1)),
                2 | 4 => &header_octets[header / 2..],
                _ => &header_octets[4..],
            };
            let length = field.iter().fold(0, |length, &octet| length << 8 | u64::from(octet));
            if length < header as u64 {
                let (at, has) = (header.min(8) / 2, header as u64);
                let (what, clause) = ("packet", ENCAPSULATION_LENGTH);
                return Err(CcsdsError::Length { at, what, announced: length, has, clause });
            }
            Ok(Some(length))
        }
        found => {
            let (what, expected) = ("packets in frames", ENCAPSULATION_VERSION);
            Err(CcsdsError::Version { at: 0, what, found, expected, clause: ENCAPSULATION })
        }
    }
}

/// Whether a whole packet is fill.
pub(super) fn is_idle(packet: &[u8]) -> bool {
    match packet[0] >> 5 {
        0 => u16::from_be_bytes([packet[0], packet[1]]) & 0x7FF == SpacePacket::IDLE,
        _ => packet[0] >> 2 & 7 == Protocol::IDLE.0,
    }
}
