//! Bundles written out octet by octet from RFC 9171 section 4. The examples of the documents are in `rfc_vectors.rs`.

use farlink_wire::bpv7::*;

fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u32> = digits.chars().filter_map(|c| c.to_digit(16)).collect();
    assert!(digits.len().is_multiple_of(2), "half an octet");
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

#[track_caller]
fn golden(bundle: &Bundle<'_>, octets: &[u8]) {
    assert_eq!(bundle.emit(), octets, "emitting");
    assert_eq!(Bundle::parse(octets).as_ref(), Ok(bundle), "parsing");
    let (head, tail) = bundle.emit_around_payload();
    assert_eq!([&head, bundle.payload(), &tail].concat(), octets, "emitting around the payload");
    for len in 0..octets.len() {
        assert!(Bundle::parse(&octets[..len]).is_err(), "taken though cut to {len} octets");
    }
    let longer = [octets, &[0xFF]].concat();
    assert_eq!(Bundle::parse(&longer), Err(BundleError::TrailingOctets { at: octets.len(), octets: 1 }));
    assert_eq!(Bundle::parse_prefix(&longer).as_ref(), Ok(&(bundle.clone(), octets.len())));
}

/// The CRCs were computed bit by bit with another program.
#[test]
fn a_fragment_with_both_crcs() {
    let bundle = Bundle {
        primary: PrimaryBlock {
            flags: BundleFlags::IS_FRAGMENT,
            crc: CrcType::Crc32c,
            destination: Eid::Dtn("//earth/inbox".into()),
            source: Eid::Dtn("//mars/cam7".into()),
            report_to: Eid::None,
            creation: CreationTimestamp { time_ms: 848_001_807_360, sequence: 42 },
            lifetime_ms: 3_600_000,
            fragment: Some(Fragment { offset: 1024, total_length: 4096 }),
        },
        blocks: vec![
            CanonicalBlock {
                block_type: block_type::HOP_COUNT,
                number: 2,
                flags: BlockFlags::DISCARD_IF_UNPROCESSABLE,
                crc: CrcType::Crc16,
                data: HopCount { limit: 30, count: 3 }.emit().into(),
            },
            CanonicalBlock {
                block_type: block_type::PAYLOAD,
                number: 1,
                flags: BlockFlags(0),
                crc: CrcType::Crc32c,
                data: b"Hello".into(),
            },
        ],
    };
    let octets = [
        hex("9f 8b 07 01 02"), // 11 elements, version 7, a fragment, CRC-32C
        hex("82 01 6d"),
        b"//earth/inbox".to_vec(),
        hex("82 01 6b"),
        b"//mars/cam7".to_vec(),
        hex("82 01 00"),                     // dtn:none
        hex("82 1b 000000c570d8b400 18 2a"), // creation timestamp
        hex("1a 0036ee80"),                  // lifetime
        hex("19 0400 19 1000"),              // fragment offset, total length
        hex("44 584006b8"),                  // CRC
        hex("86 0a 02 10 01 44 82181e03"),   // hop count 3 of 30, number 2, discard, CRC-16
        hex("42 cae7"),                      //
        hex("86 01 01 00 02 45 48656c6c6f"), // payload
        hex("44 3f46e5e6 ff"),
    ]
    .concat();
    golden(&bundle, &octets);
    assert_eq!(bundle.lapses(), []);
    assert_eq!(bundle.clone().into_owned(), bundle);

    // Every block carries a CRC, so no change of a single bit or octet anywhere goes unnoticed.
    for at in 0..octets.len() {
        for change in [1, 2, 4, 8, 16, 32, 64, 128, 0xFF] {
            let mut damaged = octets.clone();
            damaged[at] ^= change;
            assert!(Bundle::parse(&damaged).is_err(), "octet {at} changed by {change:#x}");
        }
    }
    // Where the structure survives, it is the CRC that tells.
    let mut damaged = octets.clone();
    damaged[octets.len() - 7] ^= 1;
    let error =
        BundleError::CrcMismatch { at: octets.len() - 6, block: 1, carried: 0x3F46_E5E6, computed: 0xD076_8EFF };
    assert_eq!(Bundle::parse(&damaged), Err(error));
}

#[test]
fn extension_block_data() {
    let node = PreviousNode(Eid::ipn(3, 0));
    assert_eq!(node.emit(), hex("82 02 82 03 00"));
    assert_eq!(PreviousNode::parse(&hex("82 02 82 03 00")), Ok(node));
    for (age, octets) in [(0, "00"), (23, "17"), (24, "1818"), (256, "190100"), (1 << 16, "1a00010000")] {
        assert_eq!(BundleAge(age).emit(), hex(octets));
        assert_eq!(BundleAge::parse(&hex(octets)), Ok(BundleAge(age)));
    }
    let hops = HopCount { limit: 255, count: 24 };
    assert_eq!(hops.emit(), hex("82 18ff 1818"));
    assert_eq!(HopCount::parse(&hex("82 18ff 1818")), Ok(hops));
    assert_eq!(HopCount::parse(&hex("82 00 00")), Err(BundleError::HopLimit { at: 1, limit: 0 }));
    assert_eq!(HopCount::parse(&hex("82 190100 00")), Err(BundleError::HopLimit { at: 1, limit: 256 }));
    assert_eq!(BundleAge::parse(&hex("00 00")), Err(BundleError::TrailingOctets { at: 1, octets: 1 }));
    let negative = BundleError::WrongType {
        at: 0,
        field: "bundle age",
        expected: "an unsigned integer",
        found: "a negative integer",
    };
    assert_eq!(BundleAge::parse(&hex("20")), Err(negative));
}

fn report() -> StatusReport {
    StatusReport {
        received: StatusItem { asserted: true, time_ms: Some(1000) },
        forwarded: StatusItem::default(),
        delivered: StatusItem { asserted: true, time_ms: None },
        deleted: StatusItem::default(),
        further: vec![],
        reason: ReasonCode::LifetimeExpired,
        source: Eid::ipn(10, 1),
        creation: CreationTimestamp { time_ms: 5, sequence: 6 },
        fragment: None,
    }
}

#[test]
fn status_reports() {
    let whole = AdministrativeRecord::StatusReport(report());
    let items = "84 82f51903e8 81f4 81f5 81f4";
    let octets = hex(&format!("82 01 84 {items} 01 82 02 82 0a 01 82 05 06"));
    assert_eq!(whole.emit(), octets);
    assert_eq!(AdministrativeRecord::parse(&octets), Ok(whole.clone()));

    let extent = FragmentExtent { offset: 1024, length: 512 };
    let fragment = AdministrativeRecord::StatusReport(StatusReport { fragment: Some(extent), ..report() });
    let octets = hex(&format!("82 01 86 {items} 01 82 02 82 0a 01 82 05 06 190400 190200"));
    assert_eq!(fragment.emit(), octets);
    assert_eq!(AdministrativeRecord::parse(&octets), Ok(fragment));

    // "At least four elements": a fifth and a sixth assertion are kept as they are.
    let octets = hex("82 01 84 86 82f51903e8 81f4 81f5 81f4 81f5 82f507 01 82 02 82 0a 01 82 05 06");
    let further = [None, Some(7)].map(|time_ms| StatusItem { asserted: true, time_ms }).to_vec();
    let longer = AdministrativeRecord::StatusReport(StatusReport { further, ..report() });
    assert_eq!(longer.emit(), octets);
    assert_eq!(AdministrativeRecord::parse(&octets), Ok(longer));
    let hostile = hex("82 01 84 9bffffffffffffffff 81f4 81f4 81f4 81f4 81f4");
    assert!(matches!(AdministrativeRecord::parse(&hostile), Err(BundleError::Truncated { at: 22, .. })));
}

#[test]
fn status_report_rules() {
    let parse = |octets: &str| AdministrativeRecord::parse(&hex(octets)).map(|_| ());
    let rest = "01 82 02 82 0a 01 82 05 06";
    assert_eq!(parse(&format!("82 01 84 84 81f4 81f4 81f4 81f4 {rest}")), Ok(()));
    assert_eq!(
        parse(&format!("82 01 84 84 81f4 82f400 81f4 81f4 {rest}")),
        Err(BundleError::UnassertedTime { at: 6, field: "forwarding status" })
    );
    assert_eq!(
        parse(&format!("82 01 84 83 81f4 81f4 81f4 {rest}")),
        Err(BundleError::ElementCount { at: 3, field: "bundle status information", expected: 4, found: 3 })
    );
    assert_eq!(
        parse(&format!("82 01 85 84 81f4 81f4 81f4 81f4 {rest} 00")),
        Err(BundleError::ElementCount { at: 2, field: "bundle status report", expected: 6, found: 5 })
    );
    let not_boolean = BundleError::WrongType {
        at: 5,
        field: "reception status",
        expected: "a Boolean",
        found: "an unsigned integer",
    };
    assert_eq!(parse(&format!("82 01 84 84 8101 81f4 81f4 81f4 {rest}")), Err(not_boolean));
}

#[test]
fn records_of_other_types_keep_their_content() {
    // A map of text to a tagged array with a half-precision float, all well-formed.
    for content in ["00", "83010203", "a1 61 61 c1 82 f9 3c00 f6", "44 deadbeef", "80"] {
        let octets = [hex("82 05"), hex(content)].concat();
        let record = AdministrativeRecord::parse(&octets);
        assert_eq!(record, Ok(AdministrativeRecord::Unknown { record_type: 5, content: hex(content) }));
        assert_eq!(record.map(|record| record.emit()), Ok(octets));
    }
    for broken in ["", "ff", "8301", "1c", "f810", "61ff", "0000", "9bffffffffffffffff", "a1ff"] {
        assert!(AdministrativeRecord::parse(&[hex("82 05"), hex(broken)].concat()).is_err(), "{broken:?} was taken");
    }
    let deep = [hex("82 05"), vec![0x81; 100_000]].concat();
    assert!(matches!(AdministrativeRecord::parse(&deep), Err(BundleError::TooDeep { .. })));
}

#[test]
fn reason_codes_and_their_words() {
    for code in (0..=20).chain([254, 255, 256, u64::MAX]) {
        assert_eq!(ReasonCode::from_code(code).code(), code);
        assert_eq!(matches!(ReasonCode::from_code(code), ReasonCode::Other(_)), code > 16, "{code}");
    }
    assert_eq!(ReasonCode::from_code(9).as_str(), "hop limit exceeded");
    assert_eq!(ReasonCode::from_code(11), ReasonCode::BlockUnsupported);
}
