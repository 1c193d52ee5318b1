//! What RFC 9171 section 4 forbids, and which error says so; what it forbids only to a bundle's creator.

use farlink_wire::bpv7::*;

/// Destination ipn:1.2, source and report-to ipn:2.1, no CRC: 28 octets.
const PRIMARY: &str = "88 07 00 00 82028201 02 82028202 01 82028202 01 82001828 1a000f4240";
const PAYLOAD: &str = "85 01 01 00 00 41 aa";
/// Where the first canonical block begins.
const FIRST: usize = 1 + 28;

fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u32> = digits.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

fn parse(digits: &str) -> Result<(), BundleError> {
    Bundle::parse(&hex(digits)).map(|_| ())
}

/// A bundle with these blocks after a good primary block.
fn blocks(digits: &str) -> Result<(), BundleError> {
    parse(&format!("9f {PRIMARY} {digits} ff"))
}

/// A bundle with this primary block before a good payload.
fn primary(digits: &str) -> Result<(), BundleError> {
    parse(&format!("9f {digits} {PAYLOAD} ff"))
}

/// A bundle to this destination.
fn destination(digits: &str) -> Result<(), BundleError> {
    primary(&PRIMARY.replacen("82028201 02", digits, 1))
}

#[test]
fn the_base_of_these_cases_is_good() {
    assert_eq!(blocks(PAYLOAD), Ok(()));
    assert_eq!(primary(PRIMARY), Ok(()));
    assert_eq!(destination("82028201 02"), Ok(()));
}

#[test]
fn outer_array() {
    assert_eq!(parse(""), Err(BundleError::Truncated { at: 0, field: "bundle", missing: 1 }));
    // An array of fixed length, a CBOR tag, a bundle of version 6.
    assert_eq!(parse(&format!("82 {PRIMARY} {PAYLOAD}")), Err(BundleError::NotABundle { found: 0x82 }));
    assert_eq!(parse(&format!("d9d9f7 9f {PRIMARY} {PAYLOAD} ff")), Err(BundleError::NotABundle { found: 0xD9 }));
    assert_eq!(parse("06 00 00"), Err(BundleError::NotABundle { found: 6 }));
    let no_break = BundleError::Truncated { at: FIRST + 7, field: "canonical block", missing: 1 };
    assert_eq!(parse(&format!("9f {PRIMARY} {PAYLOAD}")), Err(no_break));
    let trailing = BundleError::TrailingOctets { at: FIRST + 8, octets: 2 };
    assert_eq!(parse(&format!("9f {PRIMARY} {PAYLOAD} ff 00 00")), Err(trailing));
}

#[test]
fn one_primary_block_and_it_is_first() {
    let wrong = |at, field, expected, found| Err(BundleError::WrongType { at, field, expected, found });
    assert_eq!(parse("9f ff"), wrong(1, "primary block", "an array", "a break"));
    assert_eq!(parse(&format!("9f {PAYLOAD} ff")), Err(BundleError::Version { at: 2, found: 1 }));
    // A second primary block reads as block type 7, number 0, until an EID stands where the data should.
    assert!(blocks(&format!("{PRIMARY} {PAYLOAD}")).is_err());
}

#[test]
fn one_payload_block_and_it_is_last() {
    let age = "85 07 02 00 00 41 0c";
    assert_eq!(blocks(""), Err(BundleError::NoPayload { at: FIRST }));
    assert_eq!(blocks(age), Err(BundleError::NoPayload { at: FIRST + 7 }));
    assert_eq!(blocks(&format!("{age} {PAYLOAD}")), Ok(()));
    assert_eq!(blocks(&format!("{PAYLOAD} {age}")), Err(BundleError::PayloadNotLast { at: FIRST + 7 }));
    assert_eq!(blocks(&format!("{PAYLOAD} {PAYLOAD}")), Err(BundleError::PayloadNotLast { at: FIRST + 7 }));
}

#[test]
fn block_numbers_are_unique() {
    let numbered = |block_type, number| Err(BundleError::PayloadNumber { at: FIRST, block_type, number });
    assert_eq!(blocks("85 01 02 00 00 41 aa"), numbered(1, 2));
    assert_eq!(blocks(&format!("85 07 01 00 00 41 0c {PAYLOAD}")), numbered(7, 1));
    let zero = BundleError::BlockNumberTaken { at: FIRST, number: 0 };
    assert_eq!(blocks(&format!("85 07 00 00 00 41 0c {PAYLOAD}")), Err(zero));
    for (number, digits) in [(2, "02"), (63, "183f"), (64, "1840"), (u64::MAX, "1bffffffffffffffff")] {
        let block = format!("85 18c0 {digits} 00 00 40");
        assert_eq!(blocks(&format!("{block} {PAYLOAD}")), Ok(()), "{number}");
        let taken = BundleError::BlockNumberTaken { at: FIRST + hex(&block).len(), number };
        assert_eq!(blocks(&format!("{block} {block} {PAYLOAD}")), Err(taken), "{number}");
    }
}

#[test]
fn primary_block_elements() {
    let count = |expected, found| Err(BundleError::ElementCount { at: 1, field: "primary block", expected, found });
    assert_eq!(primary(&PRIMARY.replacen("88", "89", 1)), count(8, 9));
    assert_eq!(primary(&PRIMARY.replacen("88 07 00", "88 07 01", 1)), count(10, 8));
    assert_eq!(primary(&PRIMARY.replacen("88 07 00 00", "88 07 00 01", 1)), count(9, 8));
    assert_eq!(primary(&PRIMARY.replacen("88 07 00 00", "88 07 01 02", 1)), count(11, 8));
    assert_eq!(primary(&PRIMARY.replacen("88 07", "88 08", 1)), Err(BundleError::Version { at: 2, found: 8 }));
    assert_eq!(
        primary(&PRIMARY.replacen("88", "9f", 1)),
        Err(BundleError::IndefiniteLength { at: 1, field: "primary block" })
    );
}

#[test]
fn canonical_block_elements() {
    let count =
        |expected, found| Err(BundleError::ElementCount { at: FIRST, field: "canonical block", expected, found });
    assert_eq!(blocks("86 01 01 00 00 41 aa"), count(5, 6));
    assert_eq!(blocks("85 01 01 00 01 41 aa"), count(6, 5));
    let indefinite = BundleError::IndefiniteLength { at: FIRST + 5, field: "block-type-specific data" };
    assert_eq!(blocks("85 01 01 00 00 5f 41 aa ff"), Err(indefinite));
    let text = BundleError::WrongType {
        at: FIRST + 5,
        field: "block-type-specific data",
        expected: "a byte string",
        found: "a text string",
    };
    assert_eq!(blocks("85 01 01 00 00 61 61"), Err(text));
    let long = BundleError::Truncated { at: FIRST + 14, field: "block-type-specific data", missing: u64::MAX - 2 };
    assert_eq!(blocks("85 01 01 00 00 5b ffffffffffffffff aa"), Err(long));
}

#[test]
fn crc_rules() {
    for (digits, found) in [("03", 3), ("1818", 24)] {
        let block = format!("86 01 01 00 {digits} 41 aa 41 00");
        assert_eq!(blocks(&block), Err(BundleError::CrcType { at: FIRST + 4, found }));
    }
    assert!(matches!(blocks("86 01 01 00 20 41 aa 42 0000"), Err(BundleError::WrongType { field: "CRC type", .. })));
    let length = |expected, found| Err(BundleError::CrcLength { at: FIRST + 7, expected, found });
    assert_eq!(blocks("86 01 01 00 01 41 aa 44 00000000"), length(2, 4));
    assert_eq!(blocks("86 01 01 00 02 41 aa 42 0000"), length(4, 2));
    assert!(matches!(blocks("86 01 01 00 01 41 aa 19 1234"), Err(BundleError::WrongType { field: "CRC", .. })));
    assert!(matches!(
        blocks("86 01 01 00 01 41 aa 42 0000"),
        Err(BundleError::CrcMismatch { block: 1, carried: 0, .. })
    ));
}

#[test]
fn only_the_shortest_form() {
    let at = |at, field| Err(BundleError::NotShortest { at, field });
    assert_eq!(blocks("85 01 1801 00 00 41 aa"), at(FIRST + 2, "block number"));
    assert_eq!(blocks("85 01 01 1900ff 00 41 aa"), at(FIRST + 3, "block processing control flags"));
    assert_eq!(blocks("85 01 01 00 00 5801 aa"), at(FIRST + 5, "block-type-specific data"));
    assert_eq!(blocks("9805 01 01 00 00 41 aa"), at(FIRST, "canonical block"));
    assert_eq!(primary(&PRIMARY.replacen("1a000f4240", "1b00000000000f4240", 1)), at(24, "lifetime"));
    assert_eq!(
        blocks("85 01 01 00 00 5c aa"),
        Err(BundleError::ReservedHead { at: FIRST + 5, field: "block-type-specific data", octet: 0x5C })
    );
}

#[test]
fn endpoint_ids() {
    const FIELD: &str = "destination EID";
    assert_eq!(destination("82 01 00"), Ok(()));
    assert_eq!(destination("82 01 66 2f2f6e2f617e"), Ok(())); // //n/a~
    let wrong = |at, expected, found| Err(BundleError::WrongType { at, field: FIELD, expected, found });
    assert_eq!(destination("67 69706e3a312e31"), wrong(5, "an array", "a text string")); // ipn:1.1
    assert_eq!(destination("82 02 63 312e31"), wrong(7, "an array", "a text string")); // 1.1
    assert_eq!(destination("82 01 41 00"), wrong(7, "a text string", "a byte string"));
    assert_eq!(destination("82 01 05"), wrong(7, "a text string", "an unsigned integer"));
    assert_eq!(destination("82 02 82 20 01"), wrong(8, "an unsigned integer", "a negative integer"));
    let count = |at, found| Err(BundleError::ElementCount { at, field: FIELD, expected: 2, found });
    assert_eq!(destination("83 02 82 01 02 00"), count(5, 3));
    assert_eq!(destination("82 02 81 01"), count(7, 1));
    assert_eq!(destination("82 02 84 01 02 03 04"), count(7, 4));
    let scheme = |scheme| Err(BundleError::UnknownScheme { at: 6, field: FIELD, scheme });
    assert_eq!(destination("82 00 00"), scheme(0));
    assert_eq!(destination("82 03 82 01 02"), scheme(3));
    assert_eq!(destination("82 1a00010000 61 78"), scheme(65536));
    let syntax = Err(BundleError::DtnSyntax { at: 7, field: FIELD });
    assert_eq!(destination("82 01 64 6e6f6e65"), syntax); // "none" as text
    assert_eq!(destination("82 01 63 2f2f6e"), syntax); // //n
    assert_eq!(destination("82 01 66 2f2f6e2f0a61"), syntax); // a line feed in the demux
    assert_eq!(destination("82 01 62 ff61"), Err(BundleError::NotUtf8 { at: 7, field: FIELD }));
}

#[test]
fn three_element_ipn_endpoint_ids_are_one_node_number_and_keep_their_form() {
    // Three elements in each of the three EIDs; allocator 0 is the default one.
    for (eid, number) in [("82 02 83 1a000ee868 1864 01", 977_000 << 32 | 100), ("82 02 83 00 1864 01", 100)] {
        let three = PRIMARY.replacen("82028201 02 82028202 01 82028202 01", &format!("{eid} {eid} {eid}"), 1);
        let octets = hex(&format!("9f {three} 85 06 02 00 00 {} {eid} {PAYLOAD} ff", head_of_bytes(&hex(eid))));
        let bundle = Bundle::parse(&octets).unwrap();
        let named = [&bundle.primary.destination, &bundle.primary.source, &bundle.primary.report_to];
        assert_eq!(named, [&Eid::ipn(number, 1); 3]);
        assert_eq!(bundle.primary.destination.node(), Some(number));
        assert_eq!(bundle.emit(), octets, "written again");
        assert_eq!(bundle.clone().into_owned().emit(), octets, "written again from a copy");
        let previous = PreviousNode::parse(&bundle.blocks[0].data).unwrap();
        assert_eq!(previous, PreviousNode(Eid::ipn(number, 1)));
        assert_eq!(previous.emit(), hex(eid));
    }
    let range = Err(BundleError::IpnRange { at: 7, field: "destination EID" });
    assert_eq!(destination("82 02 83 1b0000000100000000 01 01"), range);
    assert_eq!(destination("82 02 83 01 1b0000000100000000 01"), range);
}

/// The head of a byte string of less than 24 octets.
fn head_of_bytes(octets: &[u8]) -> String {
    format!("{:02x}", 0x40 + octets.len())
}

#[test]
fn unknown_flags_survive() {
    let flags = 0x8020_0088u64 | 1 << 40;
    let with_flags = PRIMARY.replacen("88 07 00", &format!("88 07 1b{flags:016x}"), 1);
    let octets = hex(&format!("9f {with_flags} 85 01 01 19ffe8 00 41 aa ff"));
    let bundle = Bundle::parse(&octets).unwrap();
    assert_eq!(bundle.primary.flags, BundleFlags(flags));
    assert_eq!(bundle.blocks[0].flags, BlockFlags(0xFFE8));
    assert_eq!(bundle.emit(), octets);
}

#[test]
fn lapses_of_the_creator() {
    let block = |block_type, number, flags| CanonicalBlock {
        block_type,
        number,
        flags,
        crc: CrcType::None,
        data: vec![0].into(),
    };
    let good = || Bundle {
        primary: PrimaryBlock {
            flags: BundleFlags(0),
            crc: CrcType::Crc16,
            destination: Eid::ipn(2, 1),
            source: Eid::ipn(1, 1),
            report_to: Eid::None,
            creation: CreationTimestamp { time_ms: 1, sequence: 0 },
            lifetime_ms: 1,
            fragment: None,
        },
        blocks: vec![block(block_type::PAYLOAD, 1, BlockFlags(0))],
    };
    let check = |change: &dyn Fn(&mut Bundle<'static>), expected: &[Lapse]| {
        let mut bundle = good();
        change(&mut bundle);
        assert_eq!(bundle.lapses(), expected);
        assert_eq!(Bundle::parse(&bundle.emit()).map(|_| ()), Ok(()), "a lapse does not hinder parsing");
    };
    let asking = BlockFlags::REPORT_IF_UNPROCESSABLE;
    check(&|_| {}, &[]);
    check(&|b| b.primary.crc = CrcType::None, &[Lapse::PrimaryUnprotected]);
    check(&|b| b.primary.flags = BundleFlags::IS_ADMIN_RECORD, &[]);
    for report in [
        BundleFlags::REPORT_RECEPTION,
        BundleFlags::REPORT_FORWARDING,
        BundleFlags::REPORT_DELIVERY,
        BundleFlags::REPORT_DELETION,
    ] {
        check(&|b| b.primary.flags = report, &[]);
        check(&|b| b.primary.flags = BundleFlags::IS_ADMIN_RECORD | report, &[Lapse::RecordRequestsReports]);
        check(
            &|b| {
                b.primary.source = Eid::None;
                b.primary.flags = BundleFlags::MUST_NOT_FRAGMENT | report;
            },
            &[Lapse::AnonymousRequestsReports],
        );
    }
    check(&|b| b.primary.source = Eid::None, &[Lapse::AnonymousFragmentable]);
    check(&|b| b.blocks[0].flags = asking, &[]);
    check(
        &|b| {
            b.primary.flags = BundleFlags::IS_ADMIN_RECORD;
            b.blocks.insert(0, block(200, 9, asking));
        },
        &[Lapse::BlockRequestsReport { number: 9 }],
    );
    for block_type in [block_type::PREVIOUS_NODE, block_type::BUNDLE_AGE, block_type::HOP_COUNT] {
        let twice = |b: &mut Bundle<'static>| {
            b.blocks.insert(0, block(block_type, 2, BlockFlags(0)));
            b.blocks.insert(0, block(block_type, 3, BlockFlags(0)));
        };
        check(&twice, &[Lapse::Repeated { block_type }]);
    }
    check(&|b| b.primary.creation.time_ms = 0, &[Lapse::NoAge]);
    for (offset, lapses) in [(9, &[][..]), (10, &[Lapse::FragmentBeyondUnit]), (u64::MAX, &[Lapse::FragmentBeyondUnit])]
    {
        let fragment = |b: &mut Bundle<'static>| {
            b.primary.flags = BundleFlags::IS_FRAGMENT;
            b.primary.fragment = Some(Fragment { offset, total_length: 10 });
        };
        check(&fragment, lapses);
    }
    let against_flag = |b: &mut Bundle<'static>| {
        b.primary.flags = BundleFlags::IS_FRAGMENT | BundleFlags::MUST_NOT_FRAGMENT;
        b.primary.fragment = Some(Fragment { offset: 0, total_length: 10 });
    };
    check(&against_flag, &[Lapse::FragmentedAgainstFlag]);
}
