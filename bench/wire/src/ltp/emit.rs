use super::{Content, Extension, Segment};
use crate::sdnv;

/// The count of either kind of extension has four bits (section 3.1.4).
const MAX_EXTENSIONS: usize = 15;

impl Segment<'_> {
    /// Appends the segment's octets.
    ///
    /// Nothing is judged: a zero serial number or overlapping claims are written as they stand.
    ///
    /// # Panics
    /// With more than 15 header or 15 trailer extensions, which the segment format cannot express.
    pub fn emit(&self, out: &mut Vec<u8>) {
        self.emit_with(&[], &[], out);
    }

    /// As [`emit`](Self::emit), with further extensions at the end of header and trailer.
    #[inline]
    pub(super) fn emit_with(&self, header: &[Extension<'_>], trailer: &[Extension<'_>], out: &mut Vec<u8>) {
        let headers = self.header_extensions.len() + header.len();
        let trailers = self.trailer_extensions.len() + trailer.len();
        assert!(headers <= MAX_EXTENSIONS && trailers <= MAX_EXTENSIONS, "{headers} + {trailers} extensions");
        let further: usize = header.iter().chain(trailer).map(Extension::encoded_len).sum();
        out.reserve(self.encoded_len() + further);
        out.push(self.type_code());
        sdnv::encode(self.session.originator, out);
        sdnv::encode(self.session.number, out);
        out.push((headers << 4 | trailers) as u8);
        emit_extensions(&self.header_extensions, out);
        emit_extensions(header, out);
        match &self.content {
            Content::Cancel { reason, .. } => out.push(reason.code()),
            Content::Data(data) => {
                self.each_number(|number| sdnv::encode(number, out));
                out.extend_from_slice(data.data);
            }
            _ => self.each_number(|number| sdnv::encode(number, out)),
        }
        emit_extensions(&self.trailer_extensions, out);
        emit_extensions(trailer, out);
    }

    /// Octets that [`emit`](Self::emit) appends.
    pub fn encoded_len(&self) -> usize {
        let mut len = 2 + sdnv::encoded_len(self.session.originator) + sdnv::encoded_len(self.session.number);
        for extension in self.header_extensions.iter().chain(&self.trailer_extensions) {
            len += extension.encoded_len();
        }
        self.each_number(|number| len += sdnv::encoded_len(number));
        match &self.content {
            Content::Data(data) => len + data.data.len(),
            Content::Cancel { .. } => len + 1,
            _ => len,
        }
    }

    /// The numbers of the content in the order of section 3.2, so that length and octets cannot disagree.
    #[inline]
    fn each_number(&self, mut number: impl FnMut(u64)) {
        match &self.content {
            Content::Data(data) => {
                number(data.client_service);
                number(data.offset);
                number(data.data.len() as u64);
                if let Some(checkpoint) = data.kind.checkpoint() {
                    number(checkpoint.serial);
                    number(checkpoint.report_serial);
                }
            }
            Content::Report(report) => {
                number(report.report_serial);
                number(report.checkpoint_serial);
                number(report.upper_bound);
                number(report.lower_bound);
                number(report.claims.len() as u64);
                for claim in &report.claims {
                    number(claim.offset);
                    number(claim.length);
                }
            }
            Content::ReportAck { report_serial } => number(*report_serial),
            Content::Cancel { .. } | Content::CancelAck { .. } => {}
        }
    }
}

impl Extension<'_> {
    /// Octets that the extension takes in a segment: tag, length, value (section 3.1.4).
    pub fn encoded_len(&self) -> usize {
        1 + sdnv::encoded_len(self.value.len() as u64) + self.value.len()
    }
}

fn emit_extensions(extensions: &[Extension<'_>], out: &mut Vec<u8>) {
    for extension in extensions {
        out.push(extension.tag);
        sdnv::encode(extension.value.len() as u64, out);
        out.extend_from_slice(extension.value);
    }
}
