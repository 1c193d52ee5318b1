//! Whatever we write we read back the same, and whatever we read cannot make us panic.

use farlink_wire::bpv7::*;
use farlink_wire::ltp::*;
use farlink_wire::sdnv;
use proptest::collection::vec;
use proptest::prelude::*;

/// All widths alike: a uniform u64 would hardly ever be short.
fn any_number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0..64u32).prop_map(|(number, shift)| number >> shift)
}

fn positive() -> impl Strategy<Value = u64> {
    any_number().prop_map(|number| number.max(1))
}

type ExtensionParts = Vec<(u8, Vec<u8>)>;

fn extensions() -> impl Strategy<Value = ExtensionParts> {
    prop_oneof![
        3 => Just(Vec::new()),
        1 => vec((any::<u8>(), vec(any::<u8>(), 0..200)), 0..=15),
    ]
}

fn borrowed(parts: &ExtensionParts) -> Vec<farlink_wire::ltp::Extension<'_>> {
    parts.iter().map(|(tag, value)| farlink_wire::ltp::Extension { tag: *tag, value }).collect()
}

/// Gaps and lengths, so that the claims keep the rules by construction.
fn report() -> impl Strategy<Value = Report> {
    let steps = vec((1u64..1 << 40, 1u64..1 << 40), 1..40);
    (positive(), any_number(), 0u64..1 << 50, 0u64..1 << 40, any::<bool>(), steps).prop_map(
        |(report_serial, checkpoint_serial, lower_bound, beyond, from_start, steps)| {
            let mut end = 0;
            let mut claims = Vec::new();
            for (index, (gap, length)) in steps.into_iter().enumerate() {
                let offset = if index == 0 && from_start { 0 } else { end + gap };
                claims.push(Claim { offset, length });
                end = offset + length;
            }
            Report { report_serial, checkpoint_serial, upper_bound: lower_bound + end + beyond, lower_bound, claims }
        },
    )
}

fn data_kind() -> impl Strategy<Value = DataKind> {
    (0..6, positive(), any_number()).prop_map(|(kind, serial, report_serial)| {
        let checkpoint = Checkpoint { serial, report_serial };
        match kind {
            0 => DataKind::Red,
            1 => DataKind::RedCheckpoint(checkpoint),
            2 => DataKind::RedEndOfRedPart(checkpoint),
            3 => DataKind::RedEndOfBlock(checkpoint),
            4 => DataKind::Green,
            _ => DataKind::GreenEndOfBlock,
        }
    })
}

fn content() -> impl Strategy<Value = Content<'static>> {
    let party = prop_oneof![Just(Party::Sender), Just(Party::Receiver)];
    prop_oneof![
        4 => (data_kind(), any_number(), any_number().prop_map(|offset| offset / 2)).prop_map(
            |(kind, client_service, offset)| Content::Data(Data { kind, client_service, offset, data: &[] })
        ),
        3 => report().prop_map(Content::Report),
        1 => positive().prop_map(|report_serial| Content::ReportAck { report_serial }),
        1 => (party.clone(), any::<u8>())
            .prop_map(|(by, code)| Content::Cancel { by, reason: CancelReason::from_code(code) }),
        1 => party.prop_map(|by| Content::CancelAck { by }),
    ]
}

fn eid() -> impl Strategy<Value = Eid> {
    prop_oneof![
        1 => Just(Eid::None),
        3 => (any_number(), any_number()).prop_map(|(node, service)| Eid::ipn(node, service)),
        1 => (any::<u32>(), 0..32u32, any_number())
            .prop_map(|(number, shift, service)| Eid::ipn_with_allocator(number >> shift, number, service)),
        2 => "//[a-zA-Z0-9._~!-]{0,40}/[!-~]{0,40}".prop_map(Eid::Dtn),
    ]
}

fn crc() -> impl Strategy<Value = CrcType> {
    prop_oneof![Just(CrcType::None), Just(CrcType::Crc16), Just(CrcType::Crc32c)]
}

fn creation() -> impl Strategy<Value = CreationTimestamp> {
    (any_number(), any_number()).prop_map(|(time_ms, sequence)| CreationTimestamp { time_ms, sequence })
}

prop_compose! {
    fn primary()(
        flags in any_number(), crc in crc(), destination in eid(), source in eid(), report_to in eid(),
        creation in creation(), lifetime_ms in any_number(), offset in any_number(), total_length in any_number(),
    ) -> PrimaryBlock {
        let flags = BundleFlags(flags);
        let is_fragment = flags.contains(BundleFlags::IS_FRAGMENT);
        let fragment = is_fragment.then_some(Fragment { offset, total_length });
        PrimaryBlock { flags, crc, destination, source, report_to, creation, lifetime_ms, fragment }
    }
}

prop_compose! {
    fn block(block_type: u64, number: u64, len: usize)(
        flags in any_number(), crc in crc(), data in vec(any::<u8>(), 0..len)
    ) -> CanonicalBlock<'static> {
        CanonicalBlock { block_type, number, flags: BlockFlags(flags), crc, data: data.into() }
    }
}

fn bundle() -> impl Strategy<Value = Bundle<'static>> {
    let types_and_numbers = proptest::collection::btree_map(
        any_number().prop_map(|number| number.max(2)),
        any_number().prop_map(|block_type| block_type.max(2)),
        0..6,
    );
    let blocks = types_and_numbers.prop_flat_map(|blocks| {
        blocks.into_iter().map(|(number, block_type)| block(block_type, number, 60)).collect::<Vec<_>>()
    });
    (primary(), blocks, block(block_type::PAYLOAD, 1, 3000)).prop_map(|(primary, mut blocks, payload)| {
        blocks.push(payload);
        Bundle { primary, blocks }
    })
}

fn record() -> impl Strategy<Value = AdministrativeRecord> {
    let item = || {
        (any::<bool>(), proptest::option::of(any_number()))
            .prop_map(|(asserted, time_ms)| StatusItem { asserted, time_ms: time_ms.filter(|_| asserted) })
    };
    let extent = (any_number(), any_number()).prop_map(|(offset, length)| FragmentExtent { offset, length });
    let items = ([item(), item(), item(), item()], vec(item(), 0..3));
    (items, any_number(), eid(), creation(), proptest::option::of(extent)).prop_map(
        |(([received, forwarded, delivered, deleted], further), reason, source, creation, fragment)| {
            let reason = ReasonCode::from_code(reason);
            AdministrativeRecord::StatusReport(StatusReport {
                received,
                forwarded,
                delivered,
                deleted,
                further,
                reason,
                source,
                creation,
                fragment,
            })
        },
    )
}

/// Overwritten, removed and inserted octets.
fn mutate(octets: &mut Vec<u8>, mutations: &[(u8, prop::sample::Index, u8)]) {
    for (what, place, octet) in mutations {
        let at = place.index(octets.len() + 1);
        match what {
            0 if at < octets.len() => octets[at] = *octet,
            1 if at < octets.len() => drop(octets.remove(at)),
            2 => octets.insert(at, *octet),
            _ => octets.truncate(at),
        }
    }
}

fn mutations() -> impl Strategy<Value = Vec<(u8, prop::sample::Index, u8)>> {
    vec((0..4u8, any::<prop::sample::Index>(), any::<u8>()), 1..6)
}

/// What is read from any octets is within them, and reads the same again once written. Numbers with leading zero groups
/// are written shorter (RFC 6256 section 2); all else is written as it was.
fn read_segments(octets: &[u8]) {
    let mut last_failed = false;
    for segment in segments(octets) {
        assert!(!last_failed, "reading went on after an error");
        let Ok(segment) = segment else {
            last_failed = true;
            continue;
        };
        let mut again = Vec::new();
        segment.emit(&mut again);
        assert!(again.len() <= octets.len());
        assert_eq!(Segment::parse(&again), Ok((segment, again.len())));
    }
}

fn read_bundle(octets: &[u8]) {
    let Ok((bundle, len)) = Bundle::parse_prefix(octets) else { return };
    bundle.lapses();
    bundle.blocks.iter().for_each(|block| drop(farlink_wire::bpv7::Extension::of(block)));
    drop(AdministrativeRecord::parse(bundle.payload()));
    assert_eq!(bundle.emit(), &octets[..len]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn numbers_round_trip(value in any_number(), rest in vec(any::<u8>(), 0..4)) {
        let mut octets = Vec::new();
        sdnv::encode(value, &mut octets);
        let len = octets.len();
        prop_assert_eq!(len, sdnv::encoded_len(value));
        octets.extend(rest);
        prop_assert_eq!(sdnv::decode(&octets), Ok((value, len)));
    }

    #[test]
    fn segments_round_trip(
        originator in any_number(), number in any_number(), headers in extensions(), trailers in extensions(),
        mut content in content(), data in vec(any::<u8>(), 0..1500),
    ) {
        if let Content::Data(content) = &mut content {
            content.data = &data;
        }
        let segment = Segment {
            session: SessionId { originator, number },
            header_extensions: borrowed(&headers),
            trailer_extensions: borrowed(&trailers),
            content,
        };
        let mut octets = Vec::new();
        segment.emit(&mut octets);
        prop_assert_eq!(octets.len(), segment.encoded_len());
        let len = octets.len();
        octets.push(0);
        prop_assert_eq!(Segment::parse(&octets), Ok((segment, len)));
    }

    #[test]
    fn bundles_round_trip(bundle in bundle()) {
        let octets = bundle.emit();
        let parsed = Bundle::parse(&octets);
        prop_assert_eq!(parsed.as_ref(), Ok(&bundle));
        let (head, tail) = bundle.emit_around_payload();
        prop_assert_eq!([&head, bundle.payload(), &tail].concat(), octets);
    }

    #[test]
    fn another_cbor_reader_understands_our_bundles(bundle in bundle()) {
        let octets = bundle.emit();
        let mut reader = minicbor::Decoder::new(&octets);
        prop_assert_eq!(reader.array().unwrap(), None);
        let crcs = u64::from(bundle.primary.crc != CrcType::None);
        let fragment = if bundle.primary.fragment.is_some() { 2 } else { 0 };
        prop_assert_eq!(reader.array().unwrap(), Some(8 + fragment + crcs));
        prop_assert_eq!(reader.u64().unwrap(), 7);
        prop_assert_eq!(reader.u64().unwrap(), bundle.primary.flags.0);
        for _ in 2..8 + fragment + crcs {
            reader.skip().unwrap();
        }
        for block in &bundle.blocks {
            let crcs = u64::from(block.crc != CrcType::None);
            prop_assert_eq!(reader.array().unwrap(), Some(5 + crcs));
            prop_assert_eq!(reader.u64().unwrap(), block.block_type);
            prop_assert_eq!(reader.u64().unwrap(), block.number);
            prop_assert_eq!(reader.u64().unwrap(), block.flags.0);
            prop_assert_eq!(reader.u64().unwrap(), block.crc.code());
            prop_assert_eq!(reader.bytes().unwrap(), &block.data[..]);
            if crcs > 0 {
                prop_assert_eq!(reader.bytes().unwrap().len(), if block.crc == CrcType::Crc16 { 2 } else { 4 });
            }
        }
        prop_assert_eq!(&octets[reader.position()..], &[0xFF]);
    }

    #[test]
    fn records_round_trip(record in record()) {
        prop_assert_eq!(AdministrativeRecord::parse(&record.emit()), Ok(record));
    }

    #[test]
    fn endpoint_ids_round_trip_as_text(eid in eid()) {
        let again: Eid = eid.to_string().parse().unwrap();
        prop_assert_eq!(again.to_string(), eid.to_string());
        prop_assert_eq!(again, eid);
    }

    #[test]
    fn a_changed_octet_of_a_bundle_with_crcs_is_noticed(
        mut bundle in bundle(), crc16 in any::<bool>(), place in any::<prop::sample::Index>(), change in 1..=255u8,
    ) {
        let crc = if crc16 { CrcType::Crc16 } else { CrcType::Crc32c };
        bundle.primary.crc = crc;
        bundle.blocks.iter_mut().for_each(|block| block.crc = crc);
        let mut octets = bundle.emit();
        let at = place.index(octets.len());
        octets[at] ^= change;
        prop_assert!(Bundle::parse(&octets).is_err(), "octet {at} changed by {change:#x}");
    }

    #[test]
    fn random_octets_never_panic(mut octets in vec(any::<u8>(), 0..200), code in 0..16u8) {
        read_segments(&octets);
        read_bundle(&octets);
        drop(AdministrativeRecord::parse(&octets));
        // Past the control byte, and past the outer array.
        if let Some(first) = octets.first_mut() {
            *first = code;
            read_segments(&octets);
            octets[0] = 0x9F;
            read_bundle(&octets);
        }
    }

    #[test]
    fn mutated_segments_never_panic(
        number in any_number(), content in content(), headers in extensions(), mutations in mutations(),
    ) {
        let session = SessionId { originator: 10, number };
        let mut segment = Segment::new(session, content);
        segment.header_extensions = borrowed(&headers);
        let mut octets = Vec::new();
        segment.emit(&mut octets);
        mutate(&mut octets, &mutations);
        read_segments(&octets);
    }

    #[test]
    fn mutated_bundles_never_panic(mut bundle in bundle(), with_crcs in any::<bool>(), mutations in mutations()) {
        // Without CRCs, so that mutations get past them into the structure.
        if !with_crcs {
            bundle.primary.crc = CrcType::None;
            bundle.blocks.iter_mut().for_each(|block| block.crc = CrcType::None);
        }
        let mut octets = bundle.emit();
        mutate(&mut octets, &mutations);
        read_bundle(&octets);
    }

    #[test]
    fn mutated_records_never_panic(record in record(), mutations in mutations()) {
        let mut octets = record.emit();
        mutate(&mut octets, &mutations);
        if let Ok(record) = AdministrativeRecord::parse(&octets) {
            prop_assert_eq!(record.emit(), octets);
        }
    }
}
