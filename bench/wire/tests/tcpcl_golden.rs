//! The TCP convergence layer's octets, written out by hand from the figures of RFC 9174.

use farlink_wire::tcpcl::*;

fn whole(message: Message<'_>, octets: &[u8]) {
    let mut out = Vec::new();
    message.emit(&mut out);
    assert_eq!(out, octets, "{message:?}");
    assert_eq!(Message::parse(octets), Ok(Prefix::Whole { unit: message, length: octets.len() }));
    // Every shorter piece is the beginning of it, and asks for no more than there will be.
    for cut in 0..octets.len() {
        let Ok(Prefix::Incomplete { at_least }) = Message::parse(&octets[..cut]) else {
            panic!("{:?} of {message:?}", &octets[..cut])
        };
        assert!((cut as u64 + 1..=octets.len() as u64).contains(&at_least), "{at_least} after {cut}");
    }
}

#[test]
fn a_contact_header_is_six_octets() {
    let header = ContactHeader { version: 4, flags: ContactFlags::CAN_TLS };
    assert_eq!(header.octets(), *b"dtn!\x04\x01");
    assert_eq!(ContactHeader::parse(b"dtn!\x04\x01rest"), Ok(Prefix::Whole { unit: header, length: 6 }));
    for cut in 0..6 {
        assert_eq!(ContactHeader::parse(&b"dtn!\x04\x01"[..cut]), Ok(Prefix::Incomplete { at_least: 6 }));
    }
    // Other versions and reserved bits are for the reader to judge.
    let odd = ContactHeader { version: 255, flags: ContactFlags(0xFE) };
    assert_eq!(ContactHeader::parse(&odd.octets()), Ok(Prefix::Whole { unit: odd, length: 6 }));
    assert_eq!(odd.flags.defined(), ContactFlags::NONE);
}

#[test]
fn the_first_wrong_octet_of_a_contact_header_is_told_at_once() {
    let refused = |octets: &[u8]| match ContactHeader::parse(octets) {
        Err(TcpclError::Magic { at, found, .. }) => (at, found),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(b"DTN!"), (0, b'D'));
    assert_eq!(refused(b"dtn?"), (3, b'?'));
    assert_eq!(refused(b"G"), (0, b'G'));
    let text = ContactHeader::parse(b"dx").unwrap_err().to_string();
    assert_eq!(text, "octet 1: 0x78 where a contact header has 0x74 of its \"dtn!\" (RFC 9174 section 4.2)");
}

#[test]
fn session_messages_are_as_in_the_figures() {
    // Figure 19, with one item as in figure 20.
    let items = ItemList(&[0x01, 0x80, 0x01, 0x00, 0x02, 0xAA, 0xBB]);
    whole(
        Message::SessInit(SessInit {
            keepalive_s: 30,
            segment_mru: 0x1_0000,
            transfer_mru: 0x0102_0304_0506_0708,
            node_id: b"ipn:10.0",
            items,
        }),
        b"\x07\x00\x1e\x00\x00\x00\x00\x00\x01\x00\x00\x01\x02\x03\x04\x05\x06\x07\x08\x00\x08ipn:10.0\x00\x00\x00\x07\
          \x01\x80\x01\x00\x02\xaa\xbb",
    );
    let read: Vec<_> = items.items().collect::<Result<_, _>>().unwrap();
    assert_eq!(read, [ExtensionItem { flags: ItemFlags::CRITICAL, item_type: 0x8001, value: &[0xAA, 0xBB] }]);
    let anonymous =
        SessInit { keepalive_s: 0, segment_mru: 0, transfer_mru: u64::MAX, node_id: b"", items: ItemList::EMPTY };
    whole(Message::SessInit(anonymous), b"\x07\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0");
    // Figures 21 and 27.
    whole(Message::Keepalive, &[4]);
    whole(Message::SessTerm(SessTerm { flags: TermFlags::REPLY, reason: TermReason::Busy }), &[5, 1, 3]);
    whole(Message::SessTerm(SessTerm { flags: TermFlags(0xFE), reason: TermReason::Other(0xEE) }), &[5, 0xFE, 0xEE]);
    whole(Message::Reject(MsgReject { reason: RejectReason::TypeUnknown, rejected: MessageType(0xF0) }), &[6, 1, 0xF0]);
}

#[test]
fn transfer_messages_are_as_in_the_figures() {
    let mut list = Vec::new();
    let length = 1800u64.to_be_bytes();
    ExtensionItem { flags: ItemFlags::NONE, item_type: TRANSFER_LENGTH, value: &length }.emit(&mut list);
    assert_eq!(list, [0, 0, 1, 0, 8, 0, 0, 0, 0, 0, 0, 7, 8]);
    let start = XferSegment { flags: SegmentFlags::START, transfer_id: 9, items: Some(ItemList(&list)), data: b"data" };
    let mut octets = vec![1, 2, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 13];
    octets.extend_from_slice(&list);
    octets.extend_from_slice(b"\0\0\0\0\0\0\0\x04data");
    whole(Message::Segment(start), &octets);
    // Without START there is no list.
    let end = XferSegment { flags: SegmentFlags::END, transfer_id: u64::MAX, items: None, data: b"!" };
    whole(Message::Segment(end), b"\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\x01!");
    // Reserved bits do not change what is there.
    let odd = XferSegment { flags: SegmentFlags(0xFF), transfer_id: 0, items: Some(ItemList::EMPTY), data: b"" };
    whole(Message::Segment(odd), &[1, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

    whole(
        Message::Ack(XferAck {
            flags: SegmentFlags::START | SegmentFlags::END,
            transfer_id: 1,
            acknowledged_length: 2,
        }),
        &[2, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2],
    );
    whole(
        Message::Refuse(XferRefuse { reason: RefuseReason::ExtensionFailure, transfer_id: 258 }),
        &[3, 5, 0, 0, 0, 0, 0, 0, 1, 2],
    );
}

#[test]
fn the_head_of_a_segment_is_read_before_its_data() {
    let head = SegmentHead { flags: SegmentFlags::NONE, transfer_id: 3, items: None, data_length: u64::MAX };
    let mut octets = Vec::new();
    head.emit(&mut octets);
    octets.extend_from_slice(b"only these");
    assert_eq!(Message::parse_head(&octets), Ok(Prefix::Whole { unit: Head::Segment(head), length: 18 }));
    assert_eq!(Message::parse(&octets), Ok(Prefix::Incomplete { at_least: u64::MAX }));
    let keepalive = Head::Message(Message::Keepalive);
    assert_eq!(Message::parse_head(&[4, 4]), Ok(Prefix::Whole { unit: keepalive, length: 1 }));
}

#[test]
fn every_code_is_kept_and_the_defined_ones_have_their_names() {
    for code in 0..=255 {
        assert_eq!(RefuseReason::from_code(code).code(), code);
        assert_eq!(TermReason::from_code(code).code(), code);
        assert_eq!(RejectReason::from_code(code).code(), code);
        let known = (1..=7).contains(&code);
        assert_eq!(Message::parse(&[code]) != Err(TcpclError::UnknownType { code }), known, "type {code}");
    }
    // Tables 6, 9 and 4 in order.
    let refuse = (0..8).map(|code| RefuseReason::from_code(code).to_string()).collect::<Vec<_>>().join(", ");
    assert_eq!(
        refuse,
        "Unknown, Completed, No Resources, Retransmit, Not Acceptable, Extension Failure, Session Terminating, reason 0x07"
    );
    let term = (0..7).map(|code| TermReason::from_code(code).to_string()).collect::<Vec<_>>().join(", ");
    assert_eq!(
        term,
        "Unknown, Idle timeout, Version mismatch, Busy, Contact Failure, Resource Exhaustion, reason 0x06"
    );
    let reject = (0..5).map(|code| RejectReason::from_code(code).to_string()).collect::<Vec<_>>().join(", ");
    assert_eq!(reject, "reason 0x00, Message Type Unknown, Message Unsupported, Message Unexpected, reason 0x04");
}

#[test]
fn a_list_that_disagrees_with_its_length_says_where() {
    // Ten octets with an item that claims 20 octets of value.
    let claims = ItemList(&[0, 0x80, 1, 0, 20, 1, 2, 3, 4, 5]);
    assert_eq!(
        claims.items().collect::<Vec<_>>(),
        [Err(ItemError::Value { at: 5, item_type: 0x8001, claimed: 20, left: 5 })]
    );
    // An item of five octets and two stray ones.
    let stray = ItemList(&[0, 0x80, 1, 0, 0, 9, 9]);
    let read: Vec<_> = stray.items().collect();
    assert_eq!(read.len(), 2);
    assert_eq!(read[1], Err(ItemError::Head { at: 5, left: 2 }));
    let short = ExtensionItem { flags: ItemFlags::NONE, item_type: TRANSFER_LENGTH, value: &[1, 2] };
    assert_eq!(short.transfer_length(), Err(ItemError::TransferLength { length: 2 }));
    let other = ExtensionItem { item_type: 2, ..short };
    assert_eq!(other.transfer_length(), Ok(None));
}
