use super::{
    CancelReason, Checkpoint, Claim, Content, Data, DataKind, Extension, LtpError, Party, Report, Segment, SessionId,
};
use crate::sdnv;

/// The segments of one frame of the layer below, such as a UDP datagram, which holds an integral number of them
/// (section 5). Stops after the first error, since nothing says where the next segment would begin.
pub fn segments(datagram: &[u8]) -> impl Iterator<Item = Result<Segment<'_>, LtpError>> {
    segments_with_octets(datagram).map(|segment| segment.map(|(segment, _)| segment))
}

/// As [`segments`], each with the octets that it was read from, which is what an authentication value covers (RFC 5327).
pub fn segments_with_octets(datagram: &[u8]) -> impl Iterator<Item = Result<(Segment<'_>, &[u8]), LtpError>> {
    let mut reader = Reader { bytes: datagram, at: 0 };
    std::iter::from_fn(move || {
        if reader.left() == 0 {
            return None;
        }
        let start = reader.at;
        let segment = reader.segment();
        if segment.is_err() {
            reader.at = datagram.len();
        }
        Some(segment.map(|segment| (segment, &datagram[start..reader.at])))
    })
}

impl<'a> Segment<'a> {
    /// Reads one segment from the front of `bytes`: the segment, and the octets it took.
    ///
    /// # Errors
    /// Everything section 3 forbids; see [`LtpError`].
    pub fn parse(bytes: &'a [u8]) -> Result<(Segment<'a>, usize), LtpError> {
        let mut reader = Reader { bytes, at: 0 };
        let segment = reader.segment()?;
        Ok((segment, reader.at))
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn octet(&mut self, field: &'static str) -> Result<u8, LtpError> {
        let &octet = self.bytes.get(self.at).ok_or(LtpError::Truncated { at: self.at, field, needed: 1, left: 0 })?;
        self.at += 1;
        Ok(octet)
    }

    #[inline]
    fn number(&mut self, field: &'static str) -> Result<u64, LtpError> {
        // Most numbers are of one octet.
        if let Some(&octet) = self.bytes.get(self.at)
            && octet < 0x80
        {
            self.at += 1;
            return Ok(u64::from(octet));
        }
        let (value, len) =
            sdnv::decode(&self.bytes[self.at..]).map_err(|source| LtpError::Number { at: self.at, field, source })?;
        self.at += len;
        Ok(value)
    }

    fn serial(&mut self, field: &'static str) -> Result<u64, LtpError> {
        let at = self.at;
        match self.number(field)? {
            0 => Err(LtpError::ZeroSerial { at, field }),
            serial => Ok(serial),
        }
    }

    fn octets(&mut self, needed: u64, field: &'static str) -> Result<&'a [u8], LtpError> {
        let left = self.left();
        if needed > left as u64 {
            return Err(LtpError::Truncated { at: self.at, field, needed, left });
        }
        let taken = &self.bytes[self.at..][..needed as usize];
        self.at += taken.len();
        Ok(taken)
    }

    fn segment(&mut self) -> Result<Segment<'a>, LtpError> {
        let at = self.at;
        let control = self.octet("control byte")?;
        let (version, code) = (control >> 4, control & 0x0F);
        if version != 0 {
            return Err(LtpError::Version { at, version });
        }
        if matches!(code, 5 | 6 | 10 | 11) {
            return Err(LtpError::UndefinedType { at, code });
        }
        let session =
            SessionId { originator: self.number("session originator")?, number: self.number("session number")? };
        let counts = self.octet("extensions count")?;
        let header_extensions = self.extensions(counts >> 4, "header extension")?;
        let content = match code {
            8 => Content::Report(self.report()?),
            9 => Content::ReportAck { report_serial: self.serial("report serial number")? },
            12 => Content::Cancel { by: Party::Sender, reason: self.reason()? },
            13 => Content::CancelAck { by: Party::Sender },
            14 => Content::Cancel { by: Party::Receiver, reason: self.reason()? },
            15 => Content::CancelAck { by: Party::Receiver },
            _ => Content::Data(self.data(code)?),
        };
        let trailer_extensions = self.extensions(counts & 0x0F, "trailer extension")?;
        Ok(Segment { session, header_extensions, trailer_extensions, content })
    }

    fn extensions(&mut self, count: u8, field: &'static str) -> Result<Vec<Extension<'a>>, LtpError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        (0..count)
            .map(|_| {
                let tag = self.octet(field)?;
                let len = self.number(field)?;
                Ok(Extension { tag, value: self.octets(len, field)? })
            })
            .collect()
    }

    fn reason(&mut self) -> Result<CancelReason, LtpError> {
        self.octet("reason-code").map(CancelReason::from_code)
    }

    fn data(&mut self, code: u8) -> Result<Data<'a>, LtpError> {
        let client_service = self.number("client service ID")?;
        let at = self.at;
        let offset = self.number("offset")?;
        let length = self.number("length")?;
        if offset.checked_add(length).is_none() {
            return Err(LtpError::BeyondBlock { at, offset, length });
        }
        let kind = match code {
            0 => DataKind::Red,
            1 => DataKind::RedCheckpoint(self.checkpoint()?),
            2 => DataKind::RedEndOfRedPart(self.checkpoint()?),
            3 => DataKind::RedEndOfBlock(self.checkpoint()?),
            4 => DataKind::Green,
            _ => DataKind::GreenEndOfBlock,
        };
        Ok(Data { kind, client_service, offset, data: self.octets(length, "client service data")? })
    }

    fn checkpoint(&mut self) -> Result<Checkpoint, LtpError> {
        Ok(Checkpoint {
            serial: self.serial("checkpoint serial number")?,
            report_serial: self.number("report serial number")?,
        })
    }

    fn report(&mut self) -> Result<Report, LtpError> {
        let report_serial = self.serial("report serial number")?;
        let checkpoint_serial = self.number("checkpoint serial number")?;
        let at = self.at;
        let upper_bound = self.number("upper bound")?;
        let lower_bound = self.number("lower bound")?;
        if lower_bound >= upper_bound {
            return Err(LtpError::Bounds { at, lower: lower_bound, upper: upper_bound });
        }
        let claims = self.claims(upper_bound - lower_bound)?;
        Ok(Report { report_serial, checkpoint_serial, upper_bound, lower_bound, claims })
    }

    fn claims(&mut self, scope: u64) -> Result<Vec<Claim>, LtpError> {
        let at = self.at;
        let count = self.number("reception claim count")?;
        if count == 0 {
            return Err(LtpError::NoClaims { at });
        }
        // Two octets is the least a claim takes: this bounds what a hostile count can make us allocate.
        if count > self.left() as u64 / 2 {
            return Err(LtpError::ClaimCount { at, count, left: self.left() });
        }
        let mut claims = Vec::with_capacity(count as usize);
        let mut previous_end = None;
        for index in 0..count {
            let at = self.at;
            let offset = self.number("reception claim offset")?;
            let length = self.number("reception claim length")?;
            if length == 0 {
                return Err(LtpError::EmptyClaim { at, index });
            }
            if let Some(previous_end) = previous_end.filter(|&end| offset <= end) {
                return Err(LtpError::ClaimOrder { at, index, offset, previous_end });
            }
            previous_end = offset.checked_add(length).filter(|&end| end <= scope);
            if previous_end.is_none() {
                return Err(LtpError::ClaimBeyondScope { at, index, offset, length, scope });
            }
            claims.push(Claim { offset, length });
        }
        Ok(claims)
    }
}
