use super::*;

/// Why reading stops before the end of a unit.
enum Stop {
    /// So many octets from its start are needed.
    More(u64),
    /// It is none.
    Wrong(TcpclError),
}

/// Reads a unit and tells which octets it took.
fn prefix<'a, T>(
    input: &'a [u8],
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Stop>,
) -> Result<Prefix<T>, TcpclError> {
    let mut reader = Reader { input, at: 0 };
    match read(&mut reader) {
        Ok(unit) => Ok(Prefix::Whole { unit, length: reader.at }),
        Err(Stop::More(at_least)) => Ok(Prefix::Incomplete { at_least }),
        Err(Stop::Wrong(error)) => Err(error),
    }
}

struct Reader<'a> {
    input: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: u64) -> Result<&'a [u8], Stop> {
        // A length of 64 bits can reach beyond the end of the numbers; nothing so long is ever there.
        let taken = usize::try_from(length)
            .ok()
            .and_then(|length| self.at.checked_add(length))
            .and_then(|end| self.input.get(self.at..end));
        let octets = taken.ok_or(Stop::More((self.at as u64).saturating_add(length)))?;
        self.at += octets.len();
        Ok(octets)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let octets = self.take(N as u64)?;
        octets.try_into().map_err(|_| Stop::More(u64::MAX))
    }

    fn u8(&mut self) -> Result<u8, Stop> {
        self.array::<1>().map(|[octet]| octet)
    }

    fn u16(&mut self) -> Result<u16, Stop> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, Stop> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, Stop> {
        self.array().map(u64::from_be_bytes)
    }

    fn items(&mut self) -> Result<ItemList<'a>, Stop> {
        let length = self.u32()?;
        self.take(length.into()).map(ItemList)
    }

    fn contact_header(&mut self) -> Result<ContactHeader, Stop> {
        // A peer of another protocol may never send six octets: the first wrong one tells.
        for (at, (&expected, &found)) in ContactHeader::MAGIC.iter().zip(self.input).enumerate() {
            if expected != found {
                return Err(Stop::Wrong(TcpclError::Magic { at, expected, found }));
            }
        }
        let [_, _, _, _, version, flags] = self.array::<{ ContactHeader::LENGTH }>()?;
        Ok(ContactHeader { version, flags: ContactFlags(flags) })
    }

    fn head(&mut self) -> Result<Head<'a>, Stop> {
        let message = match MessageType(self.u8()?) {
            MessageType::XFER_SEGMENT => {
                let (flags, transfer_id) = (SegmentFlags(self.u8()?), self.u64()?);
                let items = if flags.contains(SegmentFlags::START) { Some(self.items()?) } else { None };
                return Ok(Head::Segment(SegmentHead { flags, transfer_id, items, data_length: self.u64()? }));
            }
            MessageType::XFER_ACK => Message::Ack(XferAck {
                flags: SegmentFlags(self.u8()?),
                transfer_id: self.u64()?,
                acknowledged_length: self.u64()?,
            }),
            MessageType::XFER_REFUSE => {
                Message::Refuse(XferRefuse { reason: RefuseReason::from_code(self.u8()?), transfer_id: self.u64()? })
            }
            MessageType::KEEPALIVE => Message::Keepalive,
            MessageType::SESS_TERM => {
                Message::SessTerm(SessTerm { flags: TermFlags(self.u8()?), reason: TermReason::from_code(self.u8()?) })
            }
            MessageType::MSG_REJECT => Message::Reject(MsgReject {
                reason: RejectReason::from_code(self.u8()?),
                rejected: MessageType(self.u8()?),
            }),
            MessageType::SESS_INIT => {
                let (keepalive_s, segment_mru, transfer_mru) = (self.u16()?, self.u64()?, self.u64()?);
                let node_id_length = self.u16()?;
                let node_id = self.take(node_id_length.into())?;
                Message::SessInit(SessInit { keepalive_s, segment_mru, transfer_mru, node_id, items: self.items()? })
            }
            MessageType(code) => return Err(Stop::Wrong(TcpclError::UnknownType { code })),
        };
        Ok(Head::Message(message))
    }
}

impl ContactHeader {
    /// Reads the contact header that `input` begins with. Any version and any flags will do.
    ///
    /// # Errors
    /// The octets so far are not those of "dtn!".
    pub fn parse(input: &[u8]) -> Result<Prefix<Self>, TcpclError> {
        prefix(input, Reader::contact_header)
    }
}

impl<'a> Message<'a> {
    /// Reads the message that `input` begins with; the data of a segment are borrowed.
    ///
    /// # Errors
    /// Its type is unknown.
    pub fn parse(input: &'a [u8]) -> Result<Prefix<Self>, TcpclError> {
        prefix(input, |reader| match reader.head()? {
            Head::Message(message) => Ok(message),
            Head::Segment(SegmentHead { flags, transfer_id, items, data_length }) => {
                Ok(Message::Segment(XferSegment { flags, transfer_id, items, data: reader.take(data_length)? }))
            }
        })
    }

    /// Reads the message that `input` begins with, a segment up to its data only.
    ///
    /// # Errors
    /// Its type is unknown.
    pub fn parse_head(input: &'a [u8]) -> Result<Prefix<Head<'a>>, TcpclError> {
        prefix(input, Reader::head)
    }
}
