//! Framings on octet streams: the published examples, any frames cut anywhere, and streams that are no good.
#![allow(missing_docs)]

use bytes::Bytes;
use farlink_ports::framing::{Decoded, Decoder, EncodeError, Fcs, Framing, MAX_FRAME_BYTES, Marker, Unreadable};
use farlink_ports::pty::PtyConfig;
use farlink_ports::text::PortTextError;
use proptest::prelude::*;

const HDLC_32: Framing = Framing::Hdlc { fcs: Fcs::Bits32 };
const HDLC_16: Framing = Framing::Hdlc { fcs: Fcs::Bits16 };

fn ccsds(length: u16) -> Framing {
    Framing::Ccsds { length, marker: Marker::default() }
}

/// Every framing, of which the last carries frames of this length only.
fn framings(length: u16) -> [Framing; 7] {
    [
        Framing::Slip,
        Framing::Cobs,
        Framing::Kiss { port: 0 },
        Framing::Kiss { port: 12 },
        HDLC_16,
        HDLC_32,
        ccsds(length),
    ]
}

fn encoded(framing: Framing, frames: &[&[u8]]) -> Vec<u8> {
    let mut stream = framing.opening().to_vec();
    for frame in frames {
        framing.encode(frame, &mut stream).unwrap();
    }
    stream
}

fn decoded(framing: Framing, stream: &[u8]) -> Vec<Decoded> {
    let mut found = Vec::new();
    Decoder::new(framing).decode(stream, &mut |decoded| found.push(decoded));
    found
}

fn frame(content: &[u8]) -> Decoded {
    Decoded::Frame(Bytes::copy_from_slice(content))
}

fn left_out(why: Unreadable, octets: u64) -> Decoded {
    Decoded::LeftOut { why, octets }
}

/// A framing as a port's text has it.
fn read(text: &str) -> Result<Framing, PortTextError> {
    format!("pty:/tmp/modem,framing={text}").parse().map(|config: PtyConfig| config.framing)
}

/// A stream is what encoding the content gives, and decoding it gives the content.
fn is_both_ways(framing: &str, content: &[u8], stream: &[u8]) {
    let framing = read(framing).unwrap();
    let mut out = Vec::new();
    framing.encode(content, &mut out).unwrap();
    assert_eq!(out, stream, "{framing}");
    assert_eq!(decoded(framing, stream), [frame(content)], "{framing}");
}

#[test]
fn slip_is_as_rfc_1055_says() {
    is_both_ways("slip", &[1, 2, 3], &[0xC0, 1, 2, 3, 0xC0]);
    // END is 300 octal, ESC 333, and behind an ESC they are 334 and 335.
    is_both_ways("slip", &[0o300, 0o333], &[0o300, 0o333, 0o334, 0o333, 0o335, 0o300]);
    is_both_ways("slip", &[0o334, 0o335], &[0o300, 0o334, 0o335, 0o300]);
}

#[test]
fn cobs_is_as_the_paper_says() {
    // The IPv4 header of its figures.
    let header = [0x45, 0, 0, 0x2C, 0x4C, 0x79, 0, 0, 0x40, 6, 0x4F, 0x37];
    is_both_ways("cobs", &header, &[2, 0x45, 1, 4, 0x2C, 0x4C, 0x79, 1, 5, 0x40, 6, 0x4F, 0x37, 0]);
    is_both_ways("cobs", &[0], &[1, 1, 0]);
    is_both_ways("cobs", &[0, 0], &[1, 1, 1, 0]);
    is_both_ways("cobs", &[0x11, 0x22, 0, 0x33], &[3, 0x11, 0x22, 2, 0x33, 0]);
    is_both_ways("cobs", &[0x11, 0, 0, 0], &[2, 0x11, 1, 1, 1, 0]);
    // Runs of 254 and 255 octets without a zero, where the code no longer stands for one.
    let run: Vec<u8> = (1..=255).collect();
    is_both_ways("cobs", &run[..254], &[&[255], &run[..254], &[0]].concat());
    is_both_ways("cobs", &run, &[&[255], &run[..254], &[2, 255, 0]].concat());
    is_both_ways("cobs", &[&run[..254], &[0]].concat(), &[&[255], &run[..254], &[1, 1, 0]].concat());
    // Some encoders end such a run with one more code; it adds nothing.
    assert_eq!(decoded(Framing::Cobs, &[&[255], &run[..254], &[1, 0]].concat()), [frame(&run[..254])]);
}

#[test]
fn kiss_is_as_its_paper_says() {
    // "TEST" on port 0 and "Hello" on port 5, then the two octets that are escaped.
    is_both_ways("kiss", b"TEST", &[0xC0, 0, 0x54, 0x45, 0x53, 0x54, 0xC0]);
    is_both_ways("kiss,port=5", b"Hello", &[0xC0, 0x50, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0xC0]);
    is_both_ways("kiss", &[0xC0, 0xDB], &[0xC0, 0, 0xDB, 0xDC, 0xDB, 0xDD, 0xC0]);
    // The type octet of port 12 is itself the delimiter.
    is_both_ways("kiss,port=12", &[7], &[0xC0, 0xDB, 0xDC, 7, 0xC0]);

    let stream = [0xC0, 0x01, 0x32, 0xC0, 0x10, 1, 2, 0xC0, 0xFF, 0xC0, 0xC0, 0x00, 0xC0, 0x00, 9, 0xC0];
    let expected = [
        left_out(Unreadable::Command { command: 1 }, 2),
        left_out(Unreadable::OtherPort { port: 1 }, 3),
        left_out(Unreadable::Command { command: 15 }, 1),
        left_out(Unreadable::Empty, 1),
        frame(&[9]),
    ];
    assert_eq!(decoded(Framing::Kiss { port: 0 }, &stream), expected);
}

#[test]
fn hdlc_is_as_rfc_1662_says() {
    // The check values of the two sequences: 0x906E and 0xCBF43926, least significant octet first (sections C.2 and C.3).
    is_both_ways("hdlc", b"123456789", &[&[0x7E], &b"123456789"[..], &[0x6E, 0x90, 0x7E]].concat());
    is_both_ways("hdlc,fcs=32", b"123456789", &[&[0x7E], &b"123456789"[..], &[0x26, 0x39, 0xF4, 0xCB, 0x7E]].concat());
    // The examples of section 4.2: 7E is 7D 5E, 7D is 7D 5D, 11 (XON) may be 7D 31.
    let mut stream = Vec::new();
    HDLC_16.encode(&[0x7E, 0x7D, 0x11, 0x03], &mut stream).unwrap();
    assert_eq!(stream[..8], [0x7E, 0x7D, 0x5E, 0x7D, 0x5D, 0x7D, 0x31, 0x03]);
    // Any octet may come escaped (section 4.2), and one flag may end a frame and begin the next (section 3.1).
    let escaped = [&[0x7E, 0x7D, 0x11], &b"23456789"[..], &[0x6E, 0x90, 0x7E]].concat();
    let shared = [&escaped[..], b"123456789", &[0x6E, 0x90, 0x7E]].concat();
    assert_eq!(decoded(HDLC_16, &shared), [frame(b"123456789"), frame(b"123456789")]);
    // Section 4.3: an escape before the flag aborts the frame, and what is too short is invalid.
    let broken = [0x7E, 1, 2, 3, 0x7D, 0x7E, 5, 0x7E, 0x7E, 0, 0, 0x7E, 1, 2, 3, 0x7E];
    let expected = [
        left_out(Unreadable::Aborted, 4),
        left_out(Unreadable::TooShort, 1),
        left_out(Unreadable::Empty, 2),
        left_out(Unreadable::WrongCheck, 3),
    ];
    assert_eq!(decoded(HDLC_16, &broken), expected);
}

#[test]
fn ccsds_frames_stand_behind_the_marker_of_131_0_b() {
    is_both_ways("ccsds,length=3", &[1, 2, 3], &[0x1A, 0xCF, 0xFC, 0x1D, 1, 2, 3]);
    let long = [0x03, 0x47, 0x76, 0xC7, 0x27, 0x28, 0x95, 0xB0, 9];
    is_both_ways("ccsds,length=1,asm=034776C7272895B0", &[9], &long);
    // The marker may stand in a frame, and half a marker before one.
    let marker = [0x1A, 0xCF, 0xFC, 0x1D];
    is_both_ways("ccsds,length=4", &marker, &[marker, marker].concat());
    let stream = [&[5, 0x1A, 0xCF, 0x1A], &marker[..], &[7], &marker, &[8], &[1, 2], &marker, &[9]].concat();
    let expected =
        [left_out(Unreadable::NoMarker, 4), frame(&[7]), frame(&[8]), left_out(Unreadable::NoMarker, 2), frame(&[9])];
    assert_eq!(decoded(ccsds(1), &stream), expected);
}

#[test]
fn a_frame_that_cannot_go_is_refused_and_leaves_nothing_on_the_stream() {
    for framing in framings(100) {
        let mut stream = Vec::new();
        assert_eq!(framing.encode(&[], &mut stream), Err(EncodeError::Empty));
        let length = MAX_FRAME_BYTES + 1;
        assert_eq!(framing.encode(&vec![1; length], &mut stream), Err(EncodeError::TooLong { length }));
        assert!(stream.is_empty());
    }
    let error = ccsds(100).check(99).unwrap_err();
    assert_eq!(error, EncodeError::OtherLength { length: 99, expected: 100 });
    assert!(error.to_string().contains("length=99"), "{error}");
}

#[test]
fn the_longest_frame_passes_and_one_octet_more_does_not() {
    // The content with the most escapes, that with none, and that with the longest runs.
    for octet in [0, 0xC0, 0x7E, 1] {
        for framing in framings(u16::MAX) {
            let longest = vec![octet; MAX_FRAME_BYTES];
            assert_eq!(decoded(framing, &encoded(framing, &[&longest])), [frame(&longest)], "{framing} {octet}");
        }
    }
    // A frame that no encoder here makes: the delimiter of a correct one is taken off, and an octet put in its place.
    for (framing, delimiter) in [(Framing::Slip, 0xC0), (Framing::Kiss { port: 0 }, 0xC0), (Framing::Cobs, 0)] {
        let mut stream = encoded(framing, &[&vec![1; MAX_FRAME_BYTES]]);
        let end = stream.len() - 1;
        stream.splice(end.., [1, 1, 1, delimiter]);
        framing.encode(&[5], &mut stream).unwrap();
        let found = decoded(framing, &stream);
        let left: u64 = found.iter().map(|d| if let Decoded::LeftOut { octets, .. } = d { *octets } else { 0 }).sum();
        assert!(left > MAX_FRAME_BYTES as u64, "{framing}: {left}");
        assert!(matches!(found[0], Decoded::LeftOut { why: Unreadable::TooLong | Unreadable::BrokenCode, .. }));
        assert_eq!(found.last(), Some(&frame(&[5])), "{framing}");
    }
}

#[test]
fn what_is_broken_is_told_and_the_next_frame_is_found() {
    let slip = [0xC0, 1, 0xDB, 2, 3, 0xC0, 0xC0, 4, 0xDB, 0xC0, 5, 0xC0];
    let expected = [left_out(Unreadable::BrokenEscape, 4), left_out(Unreadable::BrokenEscape, 2), frame(&[5])];
    assert_eq!(decoded(Framing::Slip, &slip), expected);
    // A code past the end, a frame of nothing, zeros in a row.
    let cobs = [0, 0, 9, 1, 2, 0, 1, 0, 0, 0, 2, 5, 0];
    let expected = [left_out(Unreadable::BrokenCode, 3), left_out(Unreadable::Empty, 1), frame(&[5])];
    assert_eq!(decoded(Framing::Cobs, &cobs), expected);
}

#[test]
fn a_stream_that_ends_takes_its_last_words_with_it() {
    for framing in framings(3) {
        let stream = encoded(framing, &[&[1, 2, 3]]);
        let mut decoder = Decoder::new(framing);
        let mut found = Vec::new();
        decoder.decode(&stream[..stream.len() - 1], &mut |decoded| found.push(decoded));
        decoder.end(&mut |decoded| found.push(decoded));
        let [Decoded::LeftOut { why: Unreadable::CutOff, octets }] = found[..] else { panic!("{framing}: {found:?}") };
        assert!((octets as usize) < stream.len() && octets >= 3, "{framing}: {octets}");
        decoder.decode(&stream, &mut |decoded| found.push(decoded));
        decoder.end(&mut |decoded| found.push(decoded));
        assert_eq!(found[1..], [frame(&[1, 2, 3])], "{framing}");
    }
}

#[test]
fn noise_without_end_is_told_as_it_comes() {
    // Octets that are no delimiter of any framing here, and no beginning of a marker.
    let noise = vec![0x55; 10_000];
    for framing in framings(100) {
        let mut decoder = Decoder::new(framing);
        let mut told = 0;
        let mut longest_wait: u64 = 0;
        for round in 1..=100_u64 {
            decoder.decode(&noise, &mut |decoded| match decoded {
                Decoded::LeftOut { octets, .. } => told += octets,
                Decoded::Frame(_) => panic!("{framing}: a frame of noise"),
            });
            longest_wait = longest_wait.max(round * 10_000 - told);
        }
        assert!(longest_wait < 90_000, "{framing}: {longest_wait} octets were kept quiet");
        decoder.end(&mut |decoded| {
            if let Decoded::LeftOut { octets, .. } = decoded {
                told += octets;
            }
        });
        assert_eq!(told, 1_000_000, "{framing}");
    }
}

#[test]
fn framings_are_read_and_written() {
    for (text, framing) in [
        ("slip", Framing::Slip),
        ("cobs", Framing::Cobs),
        ("kiss", Framing::Kiss { port: 0 }),
        ("kiss,port=15", Framing::Kiss { port: 15 }),
        ("hdlc", HDLC_16),
        ("hdlc,fcs=32", HDLC_32),
        ("ccsds,length=1115", ccsds(1115)),
        ("ccsds,length=65535,asm=0badcafe", Framing::Ccsds { length: 65_535, marker: Marker::short(0x0BAD_CAFE) }),
    ] {
        assert_eq!(read(text), Ok(framing));
        assert_eq!(framing.to_string(), text);
    }
    for (wrong, says) in [
        ("", "`framing` has no value: it is slip, cobs, kiss, hdlc or ccsds"),
        ("ppp", "`framing=ppp` cannot be: it is slip, cobs"),
        ("slip,", "`` is no key of `pty` (it has framing=, port=, fcs=, length=, asm=)"),
        ("slip=3", "`framing=slip=3` cannot be"),
        ("slip,fcs=16", "`fcs=` belongs to `framing=hdlc`, and `framing=slip` has no such key"),
        ("kiss,asm=1acffc1d", "`asm=` belongs to `framing=ccsds`"),
        ("kiss,port=16", "from 0 to 15"),
        ("kiss,port=-1", "from 0 to 15"),
        ("hdlc,fcs=8", "16 or 32"),
        ("ccsds", "one length: add it in bytes without the marker, as in `framing=ccsds,length=1115`"),
        ("ccsds,length=0", "1 to 65535"),
        ("ccsds,length=65536", "1 to 65535"),
        ("ccsds,length=10,length=20", "`length` stands in it twice"),
        ("ccsds,length=10,asm=1acf", "8 or 16"),
        ("ccsds,length=10,asm=+1acffc1", "8 or 16"),
    ] {
        let error = read(wrong).unwrap_err().to_string();
        assert!(error.contains(says), "{wrong}: {error}");
    }
}

/// Octets in which delimiters, escapes and markers are frequent.
fn octets(most: usize) -> impl Strategy<Value = Vec<u8>> {
    let awkward = prop::sample::select(vec![
        0, 1, 0xFF, 0xC0, 0xDB, 0xDC, 0xDD, 0x7E, 0x7D, 0x5E, 0x11, 0x13, 0x1A, 0xCF, 0xFC, 0x1D,
    ]);
    prop::collection::vec(prop_oneof![awkward, any::<u8>()], 1..most)
}

/// Decodes a stream that comes in pieces of these lengths, over and over.
fn in_pieces(framing: Framing, stream: &[u8], pieces: &[usize]) -> Vec<Decoded> {
    let mut decoder = Decoder::new(framing);
    let mut found = Vec::new();
    let mut rest = stream;
    for piece in pieces.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at((*piece).min(rest.len()));
        decoder.decode(now, &mut |decoded| found.push(decoded));
        rest = later;
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_frames_come_through_however_the_stream_is_cut(
        frames in prop::collection::vec(octets(700), 1..8), pieces in prop::collection::vec(1usize..200, 1..10),
        which in 0usize..7,
    ) {
        let framing = framings(64)[which];
        let frames: Vec<Vec<u8>> = match framing {
            Framing::Ccsds { length, .. } => {
                frames.into_iter().map(|mut f| { f.resize(length.into(), 0x1A); f }).collect()
            }
            _ => frames,
        };
        let slices: Vec<&[u8]> = frames.iter().map(|frame| &frame[..]).collect();
        let found = in_pieces(framing, &encoded(framing, &slices), &pieces);
        let expected: Vec<Decoded> = frames.iter().map(|content| frame(content)).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn noise_costs_no_more_than_what_it_touches(
        before in octets(300), between in octets(300), content in octets(500), which in 0usize..6,
    ) {
        let framing = framings(64)[which];
        // Noise, then what a sender writes first, a frame; noise, and three frames. Behind noise a frame with no
        // delimiter before it goes with the noise, and so does one that its end makes out of it; the ones after that
        // stand.
        let one = encoded(framing, &[&content]);
        let three = { let mut s = Vec::new(); for _ in 0..3 { framing.encode(&content, &mut s).unwrap(); } s };
        let stream = [&before[..], &one, &between, &three].concat();
        let found = decoded(framing, &stream);
        let good = found.iter().filter(|d| **d == frame(&content)).count();
        prop_assert!(good >= 3, "{}: {found:?}", framing);
        prop_assert_eq!(found.last(), Some(&frame(&content)));
        if matches!(framing, Framing::Hdlc { fcs: Fcs::Bits32 }) {
            let frames = found.iter().filter(|d| matches!(d, Decoded::Frame(_))).count();
            prop_assert_eq!(frames, good, "the check lets no noise pass");
        }
    }

    #[test]
    fn any_octets_are_taken_told_the_same_however_cut_and_never_more_than_they_are(
        stream in octets(4000), pieces in prop::collection::vec(1usize..50, 1..10), which in 0usize..7,
    ) {
        let framing = framings(64)[which];
        let found = decoded(framing, &stream);
        prop_assert_eq!(&found, &in_pieces(framing, &stream, &pieces));
        let told: u64 = found
            .iter()
            .map(|d| match d {
                Decoded::Frame(content) => content.len() as u64,
                Decoded::LeftOut { octets, .. } => { assert!(*octets > 0); *octets }
            })
            .sum();
        prop_assert!(told <= stream.len() as u64);
    }

    #[test]
    fn a_damaged_octet_is_found_by_the_check(content in octets(300), at in any::<prop::sample::Index>(), flip in 1u8..=255) {
        for framing in [HDLC_16, HDLC_32] {
            let mut stream = encoded(framing, &[&content]);
            let at = at.index(stream.len());
            stream[at] ^= flip;
            // Behind it another, whose flags bring the decoder back.
            framing.encode(&[1, 2, 3], &mut stream).unwrap();
            let found = decoded(framing, &stream);
            prop_assert_eq!(found.last(), Some(&frame(&[1, 2, 3])));
            // An octet that becomes a flag cuts the frame in two; a part passes a 16-bit check once in 65,536 times, and
            // escapes that the other side need not have made may stand for the same content.
            for decoded in &found[..found.len() - 1] {
                if let (Decoded::Frame(other), Framing::Hdlc { fcs: Fcs::Bits32 }) = (decoded, framing) {
                    prop_assert_eq!(other, &content);
                }
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(slip|cobs|kiss|hdlc|ccsds)?[a-z0-9,=]{0,30}") {
        if let Ok(framing) = read(&text) {
            prop_assert_eq!(read(&framing.to_string()), Ok(framing));
        }
    }
}
