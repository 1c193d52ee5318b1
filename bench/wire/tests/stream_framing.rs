//! Bundles in the octet streams of STCP and MTCP, however the streams are cut.

use farlink_wire::{mtcp, stcp};
use proptest::collection::vec;
use proptest::prelude::*;

const LIMIT: u64 = 1000;

fn stcp_in_pieces(stream: &[u8], piece: usize) -> (Vec<Vec<u8>>, Option<stcp::StcpError>, bool) {
    let mut deframer = stcp::Deframer::new(LIMIT);
    let mut bundles = Vec::new();
    for mut input in stream.chunks(piece) {
        loop {
            match deframer.read(&mut input) {
                Ok(Some(bundle)) => bundles.push(bundle),
                Ok(None) => break,
                Err(error) => return (bundles, Some(error), false),
            }
        }
        assert!(input.is_empty());
    }
    (bundles, None, deframer.is_between_bundles())
}

fn mtcp_in_pieces(stream: &[u8], piece: usize) -> (Vec<Vec<u8>>, Option<mtcp::MtcpError>, bool) {
    let mut deframer = mtcp::Deframer::new(LIMIT);
    let mut bundles = Vec::new();
    for mut input in stream.chunks(piece) {
        loop {
            match deframer.read(&mut input) {
                Ok(Some(bundle)) => bundles.push(bundle),
                Ok(None) => break,
                Err(error) => return (bundles, Some(error), false),
            }
        }
        assert!(input.is_empty());
    }
    (bundles, None, deframer.is_between_bundles())
}

#[test]
fn stcp_has_four_octets_of_length_and_an_empty_bundle_keeps_the_connection() {
    let stream = b"\0\0\0\x03one\0\0\0\0\0\0\0\x03two";
    for piece in 1..=stream.len() {
        let (bundles, error, between) = stcp_in_pieces(stream, piece);
        assert_eq!((bundles, error, between), (vec![b"one".to_vec(), b"two".to_vec()], None, true));
    }
    assert_eq!(stcp::preamble(0x0102_0304), Some([1, 2, 3, 4]));
    assert_eq!(stcp::preamble(1 << 32), None);
    assert!(!stcp_in_pieces(&stream[..2], 1).2);
    assert!(!stcp_in_pieces(&stream[..5], 1).2);
}

#[test]
fn a_bundle_beyond_the_limit_ends_the_stream() {
    assert_eq!(stcp_in_pieces(&1000u32.to_be_bytes(), 4).1, None);
    let stream = b"\0\0\0\x01a\xff\xff\xff\xffbcdef";
    let (bundles, error, _) = stcp_in_pieces(stream, 3);
    assert_eq!(bundles, [b"a"]);
    assert_eq!(error, Some(stcp::StcpError::TooLong { length: u32::MAX, limit: LIMIT }));

    let mut deframer = stcp::Deframer::new(LIMIT);
    let first = deframer.read(&mut &[0xFF; 10][..]).unwrap_err();
    assert_eq!(deframer.read(&mut &b"\0\0\0\x01a"[..]), Err(first), "there is no way back");

    let (_, error, _) = mtcp_in_pieces(b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff", 2);
    assert_eq!(error, Some(mtcp::MtcpError::TooLong { length: u64::MAX, limit: LIMIT }));
    let mut deframer = mtcp::Deframer::new(LIMIT);
    let first = deframer.read(&mut &b"\x59\x03\xe9"[..]).unwrap_err();
    assert_eq!(first, mtcp::MtcpError::TooLong { length: 1001, limit: LIMIT });
    assert_eq!(deframer.read(&mut &b"\x41a"[..]), Err(first), "there is no way back");
    assert!(first.to_string().contains("1001 octets"));
}

#[test]
fn a_bundle_beyond_the_limit_can_be_passed_over() {
    let long = vec![b'x'; LIMIT as usize + 1];
    let stcp_stream = [b"\0\0\0\x01a\0\0\x03\xe9", &long[..], b"\0\0\0\x01b"].concat();
    let mtcp_stream = [b"\x41a\x59\x03\xe9", &long[..], b"\x41b"].concat();
    for piece in [1, 2, 7, 500, 2000] {
        let (mut stcp, mut mtcp) = (stcp::Deframer::new(LIMIT), mtcp::Deframer::new(LIMIT));
        let (mut bundles, mut refused) = ([Vec::new(), Vec::new()], [0, 0]);
        // Where nothing is wrong it does nothing.
        stcp.pass_over();
        mtcp.pass_over();
        for mut input in stcp_stream.chunks(piece) {
            loop {
                match stcp.read(&mut input) {
                    Ok(Some(bundle)) => bundles[0].push(bundle),
                    Ok(None) => break,
                    Err(_) => {
                        refused[0] += 1;
                        stcp.pass_over();
                        assert!(!stcp.is_between_bundles());
                    }
                }
            }
        }
        for mut input in mtcp_stream.chunks(piece) {
            loop {
                match mtcp.read(&mut input) {
                    Ok(Some(bundle)) => bundles[1].push(bundle),
                    Ok(None) => break,
                    Err(_) => {
                        refused[1] += 1;
                        mtcp.pass_over();
                        assert!(!mtcp.is_between_bundles());
                    }
                }
            }
        }
        assert_eq!(bundles, [[b"a", b"b"], [b"a", b"b"]], "{piece}");
        assert_eq!((refused, stcp.is_between_bundles(), mtcp.is_between_bundles()), ([1, 1], true, true));
    }
    let mut damaged = mtcp::Deframer::new(LIMIT);
    let error = damaged.read(&mut &b"\x01"[..]).unwrap_err();
    damaged.pass_over();
    assert_eq!(damaged.read(&mut &b"\x41a"[..]), Err(error), "there is nothing to pass over");
}

#[test]
fn mtcp_takes_heads_of_any_size() {
    let heads: [&[u8]; 5] = [b"\x41", b"\x58\x01", b"\x59\0\x01", b"\x5a\0\0\0\x01", b"\x5b\0\0\0\0\0\0\0\x01"];
    for head in heads {
        let stream = [head, b"a\x40", head, b"b"].concat();
        for piece in 1..=stream.len() {
            let (bundles, error, between) = mtcp_in_pieces(&stream, piece);
            assert_eq!((bundles, error, between), (vec![b"a".to_vec(), b"b".to_vec()], None, true), "{head:?}");
        }
    }
    let shortest = |length| mtcp::head(length);
    assert_eq!(shortest(0), [0x40]);
    assert_eq!(shortest(23), [0x57]);
    assert_eq!(shortest(24), [0x58, 24]);
    assert_eq!(shortest(256), [0x59, 1, 0]);
    assert_eq!(shortest(1 << 16), [0x5A, 0, 1, 0, 0]);
    assert_eq!(shortest(1 << 32), [0x5B, 0, 0, 0, 1, 0, 0, 0, 0]);
}

#[test]
fn mtcp_refuses_what_is_no_byte_string_of_definite_length() {
    let refused = |octets: &[u8]| mtcp_in_pieces(octets, 1).1.unwrap();
    assert_eq!(refused(b"\x9f\x88"), mtcp::MtcpError::NoByteString { octet: 0x9F });
    assert_eq!(refused(b"\x5f\x41a\xff"), mtcp::MtcpError::Indefinite);
    for octet in 0x5C..=0x5E {
        assert_eq!(refused(&[octet]), mtcp::MtcpError::Reserved { octet });
    }
}

proptest! {
    #[test]
    fn what_was_framed_is_found_again(bundles in vec(vec(any::<u8>(), 1..300), 0..8), piece in 1usize..400) {
        let (mut with_lengths, mut as_strings) = (Vec::new(), Vec::new());
        for bundle in &bundles {
            with_lengths.extend_from_slice(&stcp::preamble(bundle.len()).unwrap());
            with_lengths.extend_from_slice(bundle);
            as_strings.extend_from_slice(&mtcp::head(bundle.len()));
            as_strings.extend_from_slice(bundle);
        }
        prop_assert_eq!(stcp_in_pieces(&with_lengths, piece), (bundles.clone(), None, true));
        prop_assert_eq!(mtcp_in_pieces(&as_strings, piece), (bundles, None, true));
    }

    #[test]
    fn any_octets_are_read_alike_however_they_are_cut(stream in vec(any::<u8>(), 0..200), piece in 1usize..50) {
        prop_assert_eq!(stcp_in_pieces(&stream, piece), stcp_in_pieces(&stream, 200));
        prop_assert_eq!(mtcp_in_pieces(&stream, piece), mtcp_in_pieces(&stream, 200));
    }
}
