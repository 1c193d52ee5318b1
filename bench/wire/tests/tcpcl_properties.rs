//! TCPCL messages come back as they were written, and no octets make the reader panic.

use farlink_wire::tcpcl::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// All that a message can borrow from.
#[derive(Debug)]
struct Parts {
    numbers: (u16, u64, u64),
    octets: Vec<u8>,
    items: Vec<(u8, u16, Vec<u8>)>,
    codes: (u8, u8),
}

fn parts() -> impl Strategy<Value = Parts> {
    let items = vec((any::<u8>(), any::<u16>(), vec(any::<u8>(), 0..40)), 0..5);
    (any::<(u16, u64, u64)>(), vec(any::<u8>(), 0..200), items, any::<(u8, u8)>())
        .prop_map(|(numbers, octets, items, codes)| Parts { numbers, octets, items, codes })
}

fn messages<'a>(parts: &'a Parts, list: &'a [u8]) -> [Message<'a>; 7] {
    let (small, id, length) = parts.numbers;
    let (flags, code) = parts.codes;
    let segment_flags = SegmentFlags(flags);
    let items = segment_flags.contains(SegmentFlags::START).then_some(ItemList(list));
    [
        Message::Segment(XferSegment { flags: segment_flags, transfer_id: id, items, data: &parts.octets }),
        Message::Ack(XferAck { flags: segment_flags, transfer_id: id, acknowledged_length: length }),
        Message::Refuse(XferRefuse { reason: RefuseReason::from_code(code), transfer_id: id }),
        Message::Keepalive,
        Message::SessTerm(SessTerm { flags: TermFlags(flags), reason: TermReason::from_code(code) }),
        Message::Reject(MsgReject { reason: RejectReason::from_code(code), rejected: MessageType(flags) }),
        Message::SessInit(SessInit {
            keepalive_s: small,
            segment_mru: id,
            transfer_mru: length,
            node_id: &parts.octets,
            items: ItemList(list),
        }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(parts in parts()) {
        let mut list = Vec::new();
        for (flags, item_type, value) in &parts.items {
            ExtensionItem { flags: ItemFlags(*flags), item_type: *item_type, value }.emit(&mut list);
        }
        let items: Vec<_> = ItemList(&list).items().collect::<Result<_, _>>().unwrap();
        let back: Vec<_> = items.iter().map(|item| (item.flags.0, item.item_type, item.value.to_vec())).collect();
        prop_assert_eq!(&back, &parts.items);

        // One after another in one stream, as they travel.
        let written = messages(&parts, &list);
        let mut stream = Vec::new();
        written.iter().for_each(|message| message.emit(&mut stream));
        let mut rest = stream.as_slice();
        for message in written {
            let Ok(Prefix::Whole { unit, length }) = Message::parse(rest) else { panic!("{message:?}") };
            prop_assert_eq!(unit, message);
            rest = &rest[length..];
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn any_octets_are_a_message_a_beginning_or_an_error(octets in vec(any::<u8>(), 0..100), first in 0u8..10) {
        let octets: Vec<u8> = std::iter::once(first).chain(octets).collect();
        match Message::parse(&octets) {
            Ok(Prefix::Whole { unit, length }) => {
                let mut out = Vec::new();
                unit.emit(&mut out);
                prop_assert_eq!(&out, &octets[..length]);
            }
            Ok(Prefix::Incomplete { at_least }) => prop_assert!(at_least > octets.len() as u64),
            Err(error) => prop_assert_eq!(error, TcpclError::UnknownType { code: first }),
        }
        ItemList(&octets).items().for_each(drop);
        let _ = ContactHeader::parse(&octets);
    }
}
