use super::*;

impl ContactHeader {
    /// Its octets.
    pub fn octets(&self) -> [u8; ContactHeader::LENGTH] {
        let [d, t, n, mark] = ContactHeader::MAGIC;
        [d, t, n, mark, self.version, self.flags.0]
    }
}

impl Message<'_> {
    /// Appends the message.
    pub fn emit(&self, out: &mut Vec<u8>) {
        if let Message::Segment(segment) = self {
            segment.head().emit(out);
            out.extend_from_slice(segment.data);
            return;
        }
        out.push(self.message_type().0);
        match self {
            Message::Segment(_) | Message::Keepalive => {}
            Message::Ack(ack) => {
                out.push(ack.flags.0);
                out.extend_from_slice(&ack.transfer_id.to_be_bytes());
                out.extend_from_slice(&ack.acknowledged_length.to_be_bytes());
            }
            Message::Refuse(refuse) => {
                out.push(refuse.reason.code());
                out.extend_from_slice(&refuse.transfer_id.to_be_bytes());
            }
            Message::SessTerm(term) => out.extend_from_slice(&[term.flags.0, term.reason.code()]),
            Message::Reject(reject) => out.extend_from_slice(&[reject.reason.code(), reject.rejected.0]),
            Message::SessInit(init) => {
                out.extend_from_slice(&init.keepalive_s.to_be_bytes());
                out.extend_from_slice(&init.segment_mru.to_be_bytes());
                out.extend_from_slice(&init.transfer_mru.to_be_bytes());
                out.extend_from_slice(&(init.node_id.len() as u16).to_be_bytes());
                out.extend_from_slice(init.node_id);
                init.items.emit(out);
            }
        }
    }
}

impl SegmentHead<'_> {
    /// Appends an XFER_SEGMENT up to its data, whatever length they will really have.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.push(MessageType::XFER_SEGMENT.0);
        out.push(self.flags.0);
        out.extend_from_slice(&self.transfer_id.to_be_bytes());
        if let Some(items) = &self.items {
            items.emit(out);
        }
        out.extend_from_slice(&self.data_length.to_be_bytes());
    }
}

impl ItemList<'_> {
    fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.0.len() as u32).to_be_bytes());
        out.extend_from_slice(self.0);
    }
}
