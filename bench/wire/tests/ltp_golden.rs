//! Segments written out octet by octet from RFC 5326 section 3, and what that section forbids.

use farlink_wire::ltp::*;
use farlink_wire::sdnv::SdnvError;

const SESSION: SessionId = SessionId { originator: 10, number: 4711 };
const CHECKPOINT: Checkpoint = Checkpoint { serial: 0x1234, report_serial: 0 };

/// Control byte of type `code`, session 10:4711 (4711 = 0x24 * 128 + 0x67), no extensions.
fn header(code: u8) -> Vec<u8> {
    vec![code, 0x0A, 0xA4, 0x67, 0x00]
}

fn octets(code: u8, content: &[u8]) -> Vec<u8> {
    [&header(code), content].concat()
}

#[track_caller]
fn golden(segment: Segment<'_>, octets: &[u8]) {
    let mut emitted = Vec::new();
    segment.emit(&mut emitted);
    assert_eq!(emitted, octets, "emitting");
    assert_eq!(segment.encoded_len(), octets.len(), "length");
    assert_eq!(Segment::parse(octets), Ok((segment, octets.len())), "parsing");
    for len in 0..octets.len() {
        assert!(Segment::parse(&octets[..len]).is_err(), "taken though cut to {len} octets");
    }
}

fn data(kind: DataKind, offset: u64) -> Content<'static> {
    Content::Data(Data { kind, client_service: 1, offset, data: b"Mars" })
}

#[test]
fn data_segments() {
    // Client service 1, offset 300 (82 2C), length 4; checkpoints add serial 0x1234 (A4 34) and report serial 0.
    let plain = [&[0x01, 0x82, 0x2C, 0x04], b"Mars".as_slice()].concat();
    let checkpoint = [&[0x01, 0x82, 0x2C, 0x04, 0xA4, 0x34, 0x00], b"Mars".as_slice()].concat();
    let kinds = [
        (0, DataKind::Red, &plain),
        (1, DataKind::RedCheckpoint(CHECKPOINT), &checkpoint),
        (2, DataKind::RedEndOfRedPart(CHECKPOINT), &checkpoint),
        (3, DataKind::RedEndOfBlock(CHECKPOINT), &checkpoint),
        (4, DataKind::Green, &plain),
        (7, DataKind::GreenEndOfBlock, &plain),
    ];
    for (code, kind, content) in kinds {
        golden(Segment::new(SESSION, data(kind, 300)), &octets(code, content));
    }
}

#[test]
fn data_kinds_know_their_classes() {
    // Section 3.1.3, in the order of the codes: colour, CP, EORP, EOB.
    let expected = [
        (DataKind::Red, Colour::Red, None, false, false),
        (DataKind::RedCheckpoint(CHECKPOINT), Colour::Red, Some(CHECKPOINT), false, false),
        (DataKind::RedEndOfRedPart(CHECKPOINT), Colour::Red, Some(CHECKPOINT), true, false),
        (DataKind::RedEndOfBlock(CHECKPOINT), Colour::Red, Some(CHECKPOINT), true, true),
        (DataKind::Green, Colour::Green, None, false, false),
        (DataKind::GreenEndOfBlock, Colour::Green, None, false, true),
    ];
    for (kind, colour, checkpoint, end_of_red_part, end_of_block) in expected {
        assert_eq!(kind.colour(), colour, "{kind:?}");
        assert_eq!(kind.checkpoint(), checkpoint, "{kind:?}");
        assert_eq!(kind.is_end_of_red_part(), end_of_red_part, "{kind:?}");
        assert_eq!(kind.is_end_of_block(), end_of_block, "{kind:?}");
    }
}

#[test]
fn report_segment() {
    // The second example of section 3.2.2: scope 1000 to 6000, claims 0+2000 and 3000+500.
    let claims = vec![Claim { offset: 0, length: 2000 }, Claim { offset: 3000, length: 500 }];
    let report = Report { report_serial: 7, checkpoint_serial: 0x1234, upper_bound: 6000, lower_bound: 1000, claims };
    let content = [
        0x07, // report serial number
        0xA4, 0x34, // checkpoint serial number
        0xAE, 0x70, // upper bound 6000 = 46 * 128 + 112
        0x87, 0x68, // lower bound 1000 = 7 * 128 + 104
        0x02, // reception claim count
        0x00, 0x8F, 0x50, // offset 0, length 2000 = 15 * 128 + 80
        0x97, 0x38, 0x83, 0x74, // offset 3000 = 23 * 128 + 56, length 500 = 3 * 128 + 116
    ];
    golden(Segment::new(SESSION, Content::Report(report)), &octets(8, &content));
}

#[test]
fn report_acknowledgment() {
    golden(Segment::new(SESSION, Content::ReportAck { report_serial: 0xABC }), &octets(9, &[0x95, 0x3C]));
}

#[test]
fn session_management() {
    use CancelReason::*;
    let reasons = [
        (0, UserCancelled, "USR_CNCLD"),
        (1, Unreachable, "UNREACH"),
        (2, RetransmissionLimit, "RLEXC"),
        (3, Miscoloured, "MISCOLORED"),
        (4, SystemError, "SYS_CNCLD"),
        (5, RetransmissionCycles, "RXMTCYCEXC"),
        (6, Other(6), "RESERVED"),
        (0xFF, Other(0xFF), "RESERVED"),
    ];
    for (by, cancel, acknowledgment) in [(Party::Sender, 12, 13), (Party::Receiver, 14, 15)] {
        for (code, reason, mnemonic) in reasons {
            golden(Segment::new(SESSION, Content::Cancel { by, reason }), &octets(cancel, &[code]));
            assert_eq!(reason.mnemonic(), mnemonic);
        }
        golden(Segment::new(SESSION, Content::CancelAck { by }), &octets(acknowledgment, &[]));
    }
}

#[test]
fn header_and_trailer_extensions() {
    // Section 3.1.4 gives a CAx segment as the example: header extensions directly followed by trailer extensions.
    let mut segment = Segment::new(SESSION, Content::CancelAck { by: Party::Receiver });
    segment.header_extensions =
        vec![Extension { tag: 0x01, value: &[0xC0, 0x0C, 0x1E] }, Extension { tag: 0xC0, value: &[] }];
    segment.trailer_extensions = vec![Extension { tag: 0x00, value: &[0xAA] }];
    golden(segment, &[0x0F, 0x0A, 0xA4, 0x67, 0x21, 0x01, 0x03, 0xC0, 0x0C, 0x1E, 0xC0, 0x00, 0x00, 0x01, 0xAA]);

    // Around content.
    let mut segment = Segment::new(SESSION, Content::ReportAck { report_serial: 7 });
    segment.header_extensions = vec![Extension { tag: 0xC1, value: &[0x01] }];
    segment.trailer_extensions = vec![Extension { tag: 0xC2, value: &[0x02] }];
    golden(segment, &[0x09, 0x0A, 0xA4, 0x67, 0x11, 0xC1, 0x01, 0x01, 0x07, 0xC2, 0x01, 0x02]);
}

#[test]
fn fifteen_extensions_of_each_kind_fit_and_sixteen_do_not() {
    let mut segment = Segment::new(SESSION, Content::CancelAck { by: Party::Sender });
    segment.header_extensions = vec![Extension { tag: 0xC0, value: b"h" }; 15];
    segment.trailer_extensions = vec![Extension { tag: 0xC1, value: b"t" }; 15];
    let mut out = Vec::new();
    segment.emit(&mut out);
    assert_eq!(out[4], 0xFF);
    assert_eq!(Segment::parse(&out), Ok((segment.clone(), out.len())));

    segment.trailer_extensions.push(Extension { tag: 0xC1, value: b"t" });
    assert!(std::panic::catch_unwind(|| segment.emit(&mut Vec::new())).is_err());
}

#[test]
fn a_session_shows_as_originator_and_number() {
    assert_eq!(SESSION.to_string(), "10:4711");
}

#[test]
fn a_frame_holds_several_segments() {
    let frame = [octets(13, &[]), octets(9, &[0x05]), octets(0, &[0x01, 0x00, 0x01, 0xEE])].concat();
    let contents: Result<Vec<_>, _> = segments(&frame).map(|segment| segment.map(|segment| segment.content)).collect();
    let expected = vec![
        Content::CancelAck { by: Party::Sender },
        Content::ReportAck { report_serial: 5 },
        Content::Data(Data { kind: DataKind::Red, client_service: 1, offset: 0, data: &[0xEE] }),
    ];
    assert_eq!(contents, Ok(expected));
    assert_eq!(segments(&[]).count(), 0);
}

#[test]
fn a_frame_is_read_up_to_its_first_error() {
    let frame = [octets(13, &[]), vec![0x10], octets(13, &[])].concat();
    let read: Vec<_> = segments(&frame).collect();
    assert_eq!(read.len(), 2);
    assert!(read[0].is_ok());
    // The octet is counted from the start of the frame.
    assert_eq!(read[1], Err(LtpError::Version { at: 5, version: 1 }));
}

#[track_caller]
fn refused(octets: &[u8], error: LtpError) {
    assert_eq!(Segment::parse(octets), Err(error));
}

#[test]
fn header_rules() {
    for version in 1..=15 {
        refused(&octets(version << 4 | 13, &[]), LtpError::Version { at: 0, version });
    }
    for code in [5, 6, 10, 11] {
        refused(&octets(code, &[0; 20]), LtpError::UndefinedType { at: 0, code });
    }
    let overflow = SdnvError::Overflow { at: 9 };
    refused(
        &[&[0x0D, 0x0A][..], &[0xFF; 12]].concat(),
        LtpError::Number { at: 2, field: "session number", source: overflow },
    );
    refused(&[], LtpError::Truncated { at: 0, field: "control byte", needed: 1, left: 0 });
    refused(&[0x0D, 0x0A, 0x01], LtpError::Truncated { at: 3, field: "extensions count", needed: 1, left: 0 });
}

#[test]
fn extension_rules() {
    // A length of 2^28 - 1, and more extensions than there are octets for.
    let long = [&[0x0D, 0x0A, 0x01, 0x10, 0xC0, 0xFF, 0xFF, 0xFF, 0x7F][..], &[0; 10]].concat();
    refused(&long, LtpError::Truncated { at: 9, field: "header extension", needed: (1 << 28) - 1, left: 10 });
    let few = [0x0D, 0x0A, 0x01, 0x03, 0xC0, 0x00];
    refused(&few, LtpError::Truncated { at: 6, field: "trailer extension", needed: 1, left: 0 });
}

#[test]
fn data_rules() {
    let mut beyond = octets(0, &[0x01]);
    farlink_wire::sdnv::encode(u64::MAX, &mut beyond);
    beyond.extend([0x01, 0xEE]);
    refused(&beyond, LtpError::BeyondBlock { at: 6, offset: u64::MAX, length: 1 });
    let short = octets(0, &[0x01, 0x00, 0x05, b'M', b'a', b'r', b's']);
    refused(&short, LtpError::Truncated { at: 8, field: "client service data", needed: 5, left: 4 });
    for code in [1, 2, 3] {
        let zero = octets(code, &[0x01, 0x00, 0x00, 0x00, 0x05]);
        refused(&zero, LtpError::ZeroSerial { at: 8, field: "checkpoint serial number" });
    }
}

#[test]
fn empty_data_are_no_error() {
    let content = Content::Data(Data { kind: DataKind::GreenEndOfBlock, client_service: 1, offset: 5, data: &[] });
    golden(Segment::new(SESSION, content), &octets(7, &[0x01, 0x05, 0x00]));
}

#[test]
fn report_rules() {
    refused(&octets(9, &[0x00]), LtpError::ZeroSerial { at: 5, field: "report serial number" });
    // Report 0; then report 1 for checkpoint 2 with bounds and claims.
    refused(&octets(8, &[0, 2, 10, 0, 1, 0, 10]), LtpError::ZeroSerial { at: 5, field: "report serial number" });
    refused(&octets(8, &[1, 2, 10, 10, 1, 0, 1]), LtpError::Bounds { at: 7, lower: 10, upper: 10 });
    refused(&octets(8, &[1, 2, 10, 11, 1, 0, 1]), LtpError::Bounds { at: 7, lower: 11, upper: 10 });
    refused(&octets(8, &[1, 2, 10, 0, 0]), LtpError::NoClaims { at: 9 });
    refused(&octets(8, &[1, 2, 10, 0, 1, 0, 0]), LtpError::EmptyClaim { at: 10, index: 0 });
    // Overlapping, touching, falling.
    for (second, previous_end) in [(2, 3), (3, 3), (0, 3)] {
        refused(
            &octets(8, &[1, 2, 10, 0, 2, 0, 3, second, 1]),
            LtpError::ClaimOrder { at: 12, index: 1, offset: u64::from(second), previous_end },
        );
    }
    // One octet beyond the upper bound, also when only the lower bound makes it so.
    let beyond = |offset, length| LtpError::ClaimBeyondScope { at: 10, index: 0, offset, length, scope: 6 };
    refused(&octets(8, &[1, 2, 6, 0, 1, 0, 7]), beyond(0, 7));
    refused(&octets(8, &[1, 2, 10, 4, 1, 3, 4]), beyond(3, 4));
    assert!(Segment::parse(&octets(8, &[1, 2, 10, 4, 1, 3, 3])).is_ok());
    // An asynchronous report names no checkpoint.
    assert!(Segment::parse(&octets(8, &[1, 0, 10, 0, 1, 0, 10])).is_ok());
}

#[test]
fn claims_at_the_edge_of_64_bits() {
    let mut content = vec![1, 2];
    for number in [u64::MAX, 0, 1, u64::MAX, 1] {
        farlink_wire::sdnv::encode(number, &mut content);
    }
    let error = LtpError::ClaimBeyondScope { at: 19, index: 0, offset: u64::MAX, length: 1, scope: u64::MAX };
    refused(&octets(8, &content), error);
}

#[test]
fn a_hostile_claim_count_is_refused_before_anything_is_allocated() {
    let mut content = vec![1, 2, 10, 0];
    farlink_wire::sdnv::encode(u64::MAX, &mut content);
    content.extend([0, 1, 2, 1]);
    refused(&octets(8, &content), LtpError::ClaimCount { at: 9, count: u64::MAX, left: 4 });
}
