//! From a stream to frames and back.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use farlink_units::Instant;
use farlink_wire::mtcp::{self, MtcpError};
use farlink_wire::stcp::{self, StcpError};

use super::{MAX_FRAME, StreamFraming};
use crate::port::{Notice, Received};

/// Bundles that are announced with more octets than this are no bundles: the stream is out of step, or its peer means harm.
const LONGEST_PASSED_OVER: u64 = u32::MAX as u64;

#[derive(Debug)]
enum Finder {
    Raw { chunk: usize },
    Stcp(stcp::Deframer),
    Mtcp(mtcp::Deframer),
}

/// Finds the frames in what comes from a stream.
#[derive(Debug)]
pub(super) struct Deframer {
    finder: Finder,
    /// Octets since the last frame was whole.
    pending: u64,
    /// Octets still to come of a bundle that is passed over, which has been told.
    over: u64,
}

/// What is in the way of a frame.
enum Hindrance {
    /// A bundle of this many octets, more than are taken.
    TooLong { length: u64, detail: String },
    /// The stream cannot be read on.
    OutOfStep(String),
}

impl From<StcpError> for Hindrance {
    fn from(StcpError::TooLong { length, limit }: StcpError) -> Self {
        too_long(length.into(), limit)
    }
}

impl From<MtcpError> for Hindrance {
    fn from(error: MtcpError) -> Self {
        match error {
            MtcpError::TooLong { length, limit } if length <= LONGEST_PASSED_OVER => too_long(length, limit),
            error => Hindrance::OutOfStep(error.to_string()),
        }
    }
}

fn too_long(length: u64, limit: u64) -> Hindrance {
    let detail =
        format!("a bundle of {length} octets is announced, but {limit} are the most that pass: it is left out");
    Hindrance::TooLong { length, detail }
}

impl Deframer {
    pub(super) fn new(framing: StreamFraming) -> Self {
        let limit = MAX_FRAME as u64;
        let finder = match framing {
            StreamFraming::Raw { chunk } => Finder::Raw { chunk },
            StreamFraming::Stcp => Finder::Stcp(stcp::Deframer::new(limit)),
            StreamFraming::Mtcp => Finder::Mtcp(mtcp::Deframer::new(limit)),
        };
        Deframer { finder, pending: 0, over: 0 }
    }

    /// Takes what was read at an instant. An error, in words, ends the stream.
    pub(super) fn read(
        &mut self,
        at: Instant,
        octets: &[u8],
        frames: &mut Vec<Received>,
        notices: &mut VecDeque<Notice>,
    ) -> Result<(), String> {
        if let Finder::Raw { chunk } = self.finder {
            let mut rest = Bytes::copy_from_slice(octets);
            while !rest.is_empty() {
                frames.push(Received { at, content: rest.split_to(chunk.min(rest.len())) });
            }
            return Ok(());
        }
        let mut input = octets;
        loop {
            let before = input.len();
            let found = self.next(&mut input);
            let consumed = (before - input.len()) as u64;
            let unwanted = consumed.min(self.over);
            self.over -= unwanted;
            self.pending += consumed - unwanted;
            match found {
                Ok(Some(bundle)) => {
                    self.pending = 0;
                    frames.push(Received { at, content: bundle.into() });
                }
                Ok(None) => return Ok(()),
                Err(Hindrance::TooLong { length, detail }) => {
                    (self.pending, self.over) = (0, length);
                    notices.push_back(Notice::Unreadable { detail, bytes: length });
                    self.pass_over();
                }
                Err(Hindrance::OutOfStep(detail)) => {
                    let bytes = self.pending + input.len() as u64;
                    self.pending = 0;
                    notices.push_back(Notice::Unreadable { detail: detail.clone(), bytes });
                    return Err(detail);
                }
            }
        }
    }

    fn next(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, Hindrance> {
        match &mut self.finder {
            Finder::Raw { .. } => Ok(None),
            Finder::Stcp(deframer) => Ok(deframer.read(input)?),
            Finder::Mtcp(deframer) => Ok(deframer.read(input)?),
        }
    }

    fn pass_over(&mut self) {
        match &mut self.finder {
            Finder::Raw { .. } => {}
            Finder::Stcp(deframer) => deframer.pass_over(),
            Finder::Mtcp(deframer) => deframer.pass_over(),
        }
    }

    /// The stream has ended: what it leaves behind of a bundle that has not come whole.
    pub(super) fn end(&mut self) -> Option<Notice> {
        let between = match &self.finder {
            Finder::Raw { .. } => true,
            Finder::Stcp(deframer) => deframer.is_between_bundles(),
            Finder::Mtcp(deframer) => deframer.is_between_bundles(),
        };
        let bytes = std::mem::take(&mut self.pending);
        if between || bytes == 0 {
            return None;
        }
        Some(Notice::Unreadable { detail: "the connection ended in the middle of a bundle".to_owned(), bytes })
    }
}

/// Octets that a frame of this length has in the stream, or why it can have none.
pub(super) fn length_in_stream(framing: StreamFraming, frame: usize) -> Result<usize, String> {
    if frame > MAX_FRAME {
        return Err(format!("a frame of {frame} octets is longer than the {MAX_FRAME} that pass"));
    }
    if frame == 0 {
        return Err(match framing {
            StreamFraming::Raw { .. } => "an empty frame leaves no trace in a stream".to_owned(),
            StreamFraming::Stcp | StreamFraming::Mtcp => {
                "an empty frame is no bundle: in the stream it would only keep the connection open".to_owned()
            }
        });
    }
    let head = match framing {
        StreamFraming::Raw { .. } => 0,
        StreamFraming::Stcp => 4,
        StreamFraming::Mtcp => mtcp::head(frame).len(),
    };
    Ok(head + frame)
}

/// Appends a frame, of a length that passes, as it is in the stream.
pub(super) fn emit(framing: StreamFraming, frame: &[u8], out: &mut BytesMut) {
    match framing {
        StreamFraming::Raw { .. } => {}
        StreamFraming::Stcp => out.extend_from_slice(&(frame.len() as u32).to_be_bytes()),
        StreamFraming::Mtcp => out.extend_from_slice(&mtcp::head(frame.len())),
    }
    out.extend_from_slice(frame);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    const FRAMED: [StreamFraming; 2] = [StreamFraming::Stcp, StreamFraming::Mtcp];

    fn read(framing: StreamFraming, pieces: &[&[u8]]) -> (Vec<Bytes>, Vec<Notice>, bool) {
        let mut deframer = Deframer::new(framing);
        let (mut frames, mut notices) = (Vec::new(), VecDeque::new());
        let failed = pieces.iter().any(|piece| deframer.read(Instant::ZERO, piece, &mut frames, &mut notices).is_err());
        notices.extend(deframer.end());
        (frames.into_iter().map(|frame| frame.content).collect(), notices.into(), failed)
    }

    /// A bundle in the stream, of any length.
    fn bundle(framing: StreamFraming, length: usize) -> Vec<u8> {
        let mut out = BytesMut::new();
        emit(framing, &vec![7; length], &mut out);
        out.to_vec()
    }

    #[test]
    fn a_bundle_that_is_too_long_is_told_and_passed_over() {
        for framing in FRAMED {
            let stream = [bundle(framing, 3), bundle(framing, MAX_FRAME + 1), bundle(framing, MAX_FRAME)].concat();
            for piece in [1, 1000, stream.len()] {
                let (frames, notices, failed) = read(framing, &stream.chunks(piece).collect::<Vec<_>>());
                assert_eq!(frames.iter().map(Bytes::len).collect::<Vec<_>>(), [3, MAX_FRAME]);
                let [Notice::Unreadable { bytes: 65_536, detail }] = &notices[..] else { panic!("{notices:?}") };
                assert!(detail.contains("65536 octets") && !failed, "{detail}");
            }
            // What is told already is not told again when the stream ends there, but what comes after it is.
            let begun = &stream[..stream.len() - MAX_FRAME - 100];
            assert_eq!(read(framing, &[begun]).1.len(), 1);
            let (_, notices, _) = read(framing, &[&stream[..stream.len() - 1]]);
            let [_, Notice::Unreadable { bytes, .. }] = &notices[..] else { panic!("{notices:?}") };
            assert_eq!(*bytes, bundle(framing, MAX_FRAME).len() as u64 - 1);
        }
    }

    #[test]
    fn a_stream_that_is_out_of_step_is_given_up() {
        for (stream, bytes) in [(&b"\x41a\x00bc"[..], 3), (b"\x41a\x5b\x00\x00\x00\x01\0\0\0\0x", 10)] {
            let (frames, notices, failed) = read(StreamFraming::Mtcp, &[stream]);
            assert!(failed && frames == [&b"a"[..]]);
            let [Notice::Unreadable { bytes: told, .. }] = &notices[..] else { panic!("{notices:?}") };
            assert_eq!(*told, bytes);
        }
    }

    proptest! {
        #[test]
        fn bundles_come_out_however_the_stream_is_cut(
            bundles in vec(vec(any::<u8>(), 1..300), 0..12),
            cuts in vec(1usize..200, 1..40),
            stcp in any::<bool>(),
        ) {
            let framing = FRAMED[usize::from(stcp)];
            let mut stream = BytesMut::new();
            for bundle in &bundles {
                emit(framing, bundle, &mut stream);
                prop_assert_eq!(length_in_stream(framing, bundle.len()).is_ok(), true);
            }
            let mut pieces = Vec::new();
            let mut rest = &stream[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at(rest.len().min(*cut));
                pieces.push(piece);
                rest = after;
            }
            let (frames, notices, failed) = read(framing, &pieces);
            prop_assert_eq!(frames, bundles);
            prop_assert!(notices.is_empty() && !failed);
        }

        #[test]
        fn nothing_that_comes_is_believed(pieces in vec(vec(any::<u8>(), 0..80), 0..20), which in 0usize..3) {
            let framing = [StreamFraming::Raw { chunk: 7 }, StreamFraming::Stcp, StreamFraming::Mtcp][which];
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let octets: usize = pieces.iter().map(|piece| piece.len()).sum();
            let (frames, _, _) = read(framing, &pieces);
            let given: usize = frames.iter().map(Bytes::len).sum();
            prop_assert!(given <= octets && frames.iter().all(|frame| !frame.is_empty()));
            prop_assert!(which > 0 || given == octets);
        }
    }
}
