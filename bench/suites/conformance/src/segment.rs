//! LTP segments read without judgement: whatever their octets say, as far as they can be told apart.
//!
//! The parser of the wire crate refuses what RFC 5326 forbids, and so could not tell what a node has done wrong.

use farlink_wire::sdnv;

/// A segment as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Raw {
    /// The high nibble of the first octet.
    pub(crate) version: u8,
    /// The segment type code.
    pub(crate) code: u8,
    pub(crate) originator: u64,
    pub(crate) number: u64,
    /// Header extensions: tag and value.
    pub(crate) header: Vec<(u8, Vec<u8>)>,
    /// Trailer extensions: tag and value.
    pub(crate) trailer: Vec<(u8, Vec<u8>)>,
    pub(crate) body: Body,
}

/// What a segment carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// Codes 0 to 4 and 7; `checkpoint` holds checkpoint and report serial number.
    Data { service: u64, offset: u64, checkpoint: Option<(u64, u64)>, data: Vec<u8> },
    /// Code 8; claims are offset and length.
    Report { serial: u64, checkpoint: u64, upper: u64, lower: u64, claims: Vec<(u64, u64)> },
    /// Code 9: the report serial number.
    ReportAck(u64),
    /// Codes 12 and 14: the reason.
    Cancel(u8),
    /// Codes 13 and 15.
    CancelAck,
    /// Codes 5, 6, 10 and 11: the rest of the datagram.
    Undefined(Vec<u8>),
}

/// Segment type codes.
pub(crate) mod code {
    pub(crate) const RED: u8 = 0;
    pub(crate) const CHECKPOINT: u8 = 1;
    pub(crate) const EORP: u8 = 2;
    pub(crate) const EOB: u8 = 3;
    pub(crate) const GREEN: u8 = 4;
    pub(crate) const GREEN_EOB: u8 = 7;
    pub(crate) const RS: u8 = 8;
    pub(crate) const RA: u8 = 9;
    pub(crate) const CS: u8 = 12;
    pub(crate) const CAS: u8 = 13;
    pub(crate) const CR: u8 = 14;
    pub(crate) const CAR: u8 = 15;
}

impl Raw {
    pub(crate) fn new(code: u8, (originator, number): (u64, u64), body: Body) -> Self {
        Raw { version: 0, code, originator, number, header: Vec::new(), trailer: Vec::new(), body }
    }

    /// Originator and session number.
    pub(crate) fn session(&self) -> (u64, u64) {
        (self.originator, self.number)
    }

    pub(crate) fn is_data(&self) -> bool {
        matches!(self.body, Body::Data { .. })
    }

    /// Checkpoint and report serial number of a data segment that has them.
    pub(crate) fn checkpoint(&self) -> Option<(u64, u64)> {
        match self.body {
            Body::Data { checkpoint, .. } => checkpoint,
            _ => None,
        }
    }

    /// Start and end of the data of a data segment.
    pub(crate) fn range(&self) -> Option<std::ops::Range<u64>> {
        match &self.body {
            Body::Data { offset, data, .. } => Some(*offset..offset.saturating_add(data.len() as u64)),
            _ => None,
        }
    }

    /// The data of a data segment.
    pub(crate) fn data(&self) -> &[u8] {
        match &self.body {
            Body::Data { data, .. } => data,
            _ => &[],
        }
    }

    /// What the segment is, in a few words.
    pub(crate) fn tell(&self) -> String {
        let what = match &self.body {
            Body::Data { offset, checkpoint: None, data, .. } => {
                format!("DS(type {}; {offset},{})", self.code, data.len())
            }
            Body::Data { offset, checkpoint: Some((serial, report)), data, .. } => {
                format!("DS(type {}; {offset},{}; cp {serial},{report})", self.code, data.len())
            }
            Body::Report { serial, checkpoint, upper, lower, claims } => {
                let shown: Vec<String> = claims.iter().take(8).map(|(o, l)| format!("({o},{l})")).collect();
                let more = if claims.len() > 8 { format!(" and {} more", claims.len() - 8) } else { String::new() };
                format!("RS({serial}, cp {checkpoint}, {upper}, {lower}, [{}{more}])", shown.join(","))
            }
            Body::ReportAck(serial) => format!("RA({serial})"),
            Body::Cancel(reason) => {
                format!("{}(reason {reason:#04x})", if self.code == code::CS { "CS" } else { "CR" })
            }
            Body::CancelAck => if self.code == code::CAS { "CAS" } else { "CAR" }.to_owned(),
            Body::Undefined(_) => format!("a segment of the undefined type {}", self.code),
        };
        format!("{what} in session ({}, {})", self.originator, self.number)
    }

    /// The octets.
    pub(crate) fn emit(&self) -> Vec<u8> {
        let mut out = vec![self.version << 4 | self.code & 0x0f];
        sdnv::encode(self.originator, &mut out);
        sdnv::encode(self.number, &mut out);
        out.push((self.header.len() << 4) as u8 | self.trailer.len() as u8 & 0x0f);
        put_extensions(&self.header, &mut out);
        match &self.body {
            Body::Data { service, offset, checkpoint, data } => {
                for number in [*service, *offset, data.len() as u64] {
                    sdnv::encode(number, &mut out);
                }
                if let Some((serial, report)) = checkpoint {
                    sdnv::encode(*serial, &mut out);
                    sdnv::encode(*report, &mut out);
                }
                out.extend_from_slice(data);
            }
            Body::Report { serial, checkpoint, upper, lower, claims } => {
                for number in [*serial, *checkpoint, *upper, *lower, claims.len() as u64] {
                    sdnv::encode(number, &mut out);
                }
                for (offset, length) in claims {
                    sdnv::encode(*offset, &mut out);
                    sdnv::encode(*length, &mut out);
                }
            }
            Body::ReportAck(serial) => sdnv::encode(*serial, &mut out),
            Body::Cancel(reason) => out.push(*reason),
            Body::CancelAck => {}
            Body::Undefined(octets) => out.extend_from_slice(octets),
        }
        put_extensions(&self.trailer, &mut out);
        out
    }

    /// Reads one segment from the front: the segment and the octets it took.
    ///
    /// # Errors
    /// It is cut off, or a number has more than 64 bits: what, in words.
    pub(crate) fn parse(octets: &[u8]) -> Result<(Raw, usize), String> {
        let mut reader = Reader { octets, at: 0 };
        let raw = reader.segment()?;
        Ok((raw, reader.at))
    }
}

/// The segments of a datagram, up to the first that cannot be read.
pub(crate) fn segments(datagram: &[u8]) -> Vec<Result<Raw, String>> {
    let mut all = Vec::new();
    let mut at = 0;
    while at < datagram.len() {
        match Raw::parse(&datagram[at..]) {
            Ok((raw, length)) => {
                at += length;
                all.push(Ok(raw));
            }
            Err(why) => {
                all.push(Err(format!("octet {at} and on: {why}")));
                break;
            }
        }
    }
    all
}

/// A datagram that RFC 7122 section 3.4 makes a keep-alive.
pub(crate) fn is_keep_alive(datagram: &[u8]) -> bool {
    datagram == [0, 0, 0, 0]
}

fn put_extensions(extensions: &[(u8, Vec<u8>)], out: &mut Vec<u8>) {
    for (tag, value) in extensions {
        out.push(*tag);
        sdnv::encode(value.len() as u64, out);
        out.extend_from_slice(value);
    }
}

struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn octet(&mut self, what: &str) -> Result<u8, String> {
        let octet = *self.octets.get(self.at).ok_or_else(|| format!("ends before the {what}"))?;
        self.at += 1;
        Ok(octet)
    }

    fn number(&mut self, what: &str) -> Result<u64, String> {
        let (value, length) = sdnv::decode(&self.octets[self.at..]).map_err(|error| format!("{what}: {error}"))?;
        self.at += length;
        Ok(value)
    }

    fn take(&mut self, length: u64, what: &str) -> Result<Vec<u8>, String> {
        let left = self.octets.len() - self.at;
        if length > left as u64 {
            return Err(format!("{what} of {length} octets, and {left} are left"));
        }
        let taken = self.octets[self.at..][..length as usize].to_vec();
        self.at += taken.len();
        Ok(taken)
    }

    fn extensions(&mut self, count: u8) -> Result<Vec<(u8, Vec<u8>)>, String> {
        (0..count)
            .map(|_| {
                let tag = self.octet("tag of an extension")?;
                let length = self.number("length of an extension")?;
                Ok((tag, self.take(length, "an extension")?))
            })
            .collect()
    }

    fn segment(&mut self) -> Result<Raw, String> {
        let control = self.octet("control byte")?;
        let (version, code) = (control >> 4, control & 0x0f);
        let originator = self.number("session originator")?;
        let number = self.number("session number")?;
        let counts = self.octet("extensions octet")?;
        let header = self.extensions(counts >> 4)?;
        let body = match code {
            0..=4 | 7 => {
                let service = self.number("client service ID")?;
                let offset = self.number("offset")?;
                let length = self.number("length")?;
                let checkpoint = match code {
                    1..=3 => Some((self.number("checkpoint serial number")?, self.number("report serial number")?)),
                    _ => None,
                };
                Body::Data { service, offset, checkpoint, data: self.take(length, "client service data")? }
            }
            8 => {
                let serial = self.number("report serial number")?;
                let checkpoint = self.number("checkpoint serial number")?;
                let upper = self.number("upper bound")?;
                let lower = self.number("lower bound")?;
                let count = self.number("reception claim count")?;
                if count > (self.octets.len() - self.at) as u64 / 2 {
                    return Err(format!("{count} reception claims in {} octets", self.octets.len() - self.at));
                }
                let claim = |_| Ok((self.number("claim offset")?, self.number("claim length")?));
                let claims = (0..count).map(claim).collect::<Result<_, String>>()?;
                Body::Report { serial, checkpoint, upper, lower, claims }
            }
            9 => Body::ReportAck(self.number("report serial number")?),
            12 | 14 => Body::Cancel(self.octet("reason-code")?),
            13 | 15 => Body::CancelAck,
            _ => Body::Undefined(self.take((self.octets.len() - self.at) as u64, "content")?),
        };
        let trailer = self.extensions(counts & 0x0f)?;
        Ok(Raw { version, code, originator, number, header, trailer, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_wire_crate_writes_is_read_and_written_again() {
        use farlink_wire::ltp::{Checkpoint, Claim, Content, Data, DataKind, Report, Segment, SessionId};
        let session = SessionId { originator: 300, number: 0x4234 };
        let kind = DataKind::RedEndOfBlock(Checkpoint { serial: 9, report_serial: 5 });
        let data = Data { kind, client_service: 1, offset: 700, data: b"abc" };
        let claims = vec![Claim { offset: 0, length: 5 }, Claim { offset: 9, length: 1 }];
        let report = Report { report_serial: 4, checkpoint_serial: 9, upper_bound: 10, lower_bound: 0, claims };
        let contents = [Content::Data(data), Content::Report(report), Content::ReportAck { report_serial: 777 }];
        for content in contents {
            let mut octets = Vec::new();
            Segment::new(session, content).emit(&mut octets);
            let (raw, length) = Raw::parse(&octets).unwrap();
            assert_eq!((raw.emit(), length), (octets.clone(), octets.len()));
            assert_eq!(raw.session(), (300, 0x4234));
        }
    }

    #[test]
    fn what_is_forbidden_is_read_too() {
        let body = Body::Report { serial: 0, checkpoint: 0, upper: 5, lower: 9, claims: vec![(7, 0), (3, 99)] };
        let raw = Raw::new(code::RS, (1, 2), body);
        assert_eq!(segments(&raw.emit()), [Ok(raw)]);
        assert_eq!(segments(&[0x13, 1, 2]).len(), 1, "cut off");
        assert!(segments(&[]).is_empty());
    }
}
