//! The octets that the documents themselves give, from `fixtures/golden/rfc`.

use farlink_wire::bpv7::*;
use farlink_wire::{ltp, sdnv};

/// The lines of a file of vectors without comments and empty ones.
fn lines(name: &str) -> Vec<String> {
    let path = format!("{}/../../fixtures/golden/rfc/{name}.hex", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

#[track_caller]
fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u32> = digits.trim().chars().map(|c| c.to_digit(16).expect("a hexadecimal digit")).collect();
    assert!(digits.len().is_multiple_of(2), "half an octet");
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

#[test]
fn self_delimiting_numeric_values() {
    let lines = lines("sdnv");
    assert_eq!(lines.len(), 6);
    for line in lines {
        let mut columns = line.split_whitespace();
        let octets = hex(columns.next().unwrap());
        let value = u64::from_str_radix(columns.next().unwrap().trim_start_matches("0x"), 16).unwrap();
        assert_eq!(sdnv::decode(&octets), Ok((value, octets.len())), "{line}");
        let mut emitted = Vec::new();
        sdnv::encode(value, &mut emitted);
        assert_eq!(emitted, octets, "{line}");
    }
}

#[test]
fn the_authentication_header_of_rfc_5327() {
    // The example begins at the extensions count, which also announces a trailer that it leaves out.
    let header = hex(&lines("rfc5327").concat());
    let auth_val = [0xA5; 10];
    let octets = [&[0x0D, 10, 20], &header[..], &[0x00, 10], &auth_val].concat();
    let (segment, len) = ltp::Segment::parse(&octets).unwrap();
    assert_eq!(len, octets.len());
    assert_eq!(segment.header_extensions, [ltp::Extension { tag: 0, value: &[0x00, 0x24] }]);
    assert_eq!(segment.trailer_extensions, [ltp::Extension { tag: 0, value: &auth_val }]);
    assert_eq!(segment.content, ltp::Content::CancelAck { by: ltp::Party::Sender });
    let mut emitted = Vec::new();
    segment.emit(&mut emitted);
    assert_eq!(emitted, octets);
}

/// One vector of RFC 9173.
struct Vector {
    section: String,
    kind: String,
    octets: Vec<u8>,
}

fn rfc_9173() -> Vec<Vector> {
    let mut vectors: Vec<Vector> = Vec::new();
    for line in lines("rfc9173") {
        match line.strip_prefix("    ") {
            Some(digits) => vectors.last_mut().unwrap().octets.extend(hex(digits)),
            None => {
                let (section, kind) = line.split_once(' ').unwrap();
                vectors.push(Vector { section: section.into(), kind: kind.into(), octets: Vec::new() });
            }
        }
    }
    vectors
}

fn of<'a>(vectors: &'a [Vector], section: &str, kind: &str) -> &'a [u8] {
    let found = vectors.iter().find(|vector| vector.section == section && vector.kind == kind);
    &found.unwrap_or_else(|| panic!("no {kind} in {section}")).octets
}

/// The example to which a section belongs: `A.1` of `A.1.3.2`.
fn example(vector: &Vector) -> &str {
    &vector.section[..3]
}

#[test]
fn every_bundle_of_rfc_9173_is_read_and_written_again() {
    let vectors = rfc_9173();
    assert_eq!(vectors.len(), 30);
    let primary = PrimaryBlock {
        flags: BundleFlags(0),
        crc: CrcType::None,
        destination: Eid::ipn(1, 2),
        source: Eid::ipn(2, 1),
        report_to: Eid::ipn(2, 1),
        creation: CreationTimestamp { time_ms: 0, sequence: 40 },
        lifetime_ms: 1_000_000,
        fragment: None,
    };
    // Type and number of each block, and what the example lacks: the originals wait for their security blocks, and most
    // have creation time 0 without a bundle age. The integrity block of A.4 is encrypted, so it may cover the primary
    // block.
    type TypesAndNumbers = &'static [(u64, u64)];
    let expected: [(&str, TypesAndNumbers, &[Lapse]); 8] = [
        ("A.1.1.3", &[(1, 1)], &[Lapse::PrimaryUnprotected, Lapse::NoAge]),
        ("A.1.4", &[(11, 2), (1, 1)], &[Lapse::PrimaryUnprotected, Lapse::NoAge]),
        ("A.2.1.3", &[(1, 1)], &[Lapse::PrimaryUnprotected, Lapse::NoAge]),
        ("A.2.4", &[(12, 2), (1, 1)], &[Lapse::PrimaryUnprotected, Lapse::NoAge]),
        ("A.3.1.4", &[(7, 2), (1, 1)], &[Lapse::PrimaryUnprotected]),
        ("A.3.5", &[(11, 3), (12, 4), (7, 2), (1, 1)], &[]),
        ("A.4.1.3", &[(1, 1)], &[Lapse::PrimaryUnprotected, Lapse::NoAge]),
        ("A.4.5", &[(11, 3), (12, 2), (1, 1)], &[Lapse::NoAge]),
    ];
    assert_eq!(vectors.iter().filter(|vector| vector.kind == "bundle").count(), expected.len());
    for (section, blocks, lapses) in expected {
        let octets = of(&vectors, section, "bundle");
        let bundle = Bundle::parse(octets).unwrap_or_else(|error| panic!("{section}: {error}"));
        assert_eq!(bundle.primary, primary, "{section}");
        let found: Vec<_> = bundle.blocks.iter().map(|block| (block.block_type, block.number)).collect();
        assert_eq!(found, blocks, "{section}");
        assert_eq!(bundle.lapses(), lapses, "{section}");
        assert_eq!(bundle.payload().len(), 35, "{section}");
        if let Some(age) = bundle.extension(block_type::BUNDLE_AGE) {
            assert_eq!(Extension::of(age), Ok(Extension::BundleAge(BundleAge(300))), "{section}");
        }
        if section.len() > 5 {
            assert_eq!(bundle.payload(), of(&vectors, "A.1.1.2", "payload"), "{section}: not yet encrypted");
        }
        assert_eq!(bundle.emit(), octets, "{section}");
        let (head, tail) = bundle.emit_around_payload();
        assert_eq!([&head, bundle.payload(), &tail].concat(), octets, "{section}: around the payload");
        for len in 0..octets.len() {
            assert!(Bundle::parse(&octets[..len]).is_err(), "{section}: taken though cut to {len} octets");
        }
    }
}

#[test]
fn every_block_of_rfc_9173_is_read_and_written_again() {
    let vectors = rfc_9173();
    let primary = of(&vectors, "A.1.1.1", "primary");
    let payload = of(&vectors, "A.1.1.2", "block");
    let bundle_of = |blocks: &[&[u8]]| [&[0x9F], blocks.concat().as_slice(), &[0xFF]].concat();
    let mut checked = 0;
    for vector in vectors.iter().filter(|vector| vector.kind == "primary") {
        let octets = bundle_of(&[&vector.octets, payload]);
        assert_eq!(Bundle::parse(&octets).unwrap().emit(), octets, "{}", vector.section);
        checked += 1;
    }
    for vector in vectors.iter().filter(|vector| vector.kind == "block") {
        let is_payload = vector.octets[1] == 1;
        let blocks: &[&[u8]] =
            if is_payload { &[primary, &vector.octets] } else { &[primary, &vector.octets, payload] };
        let octets = bundle_of(blocks);
        let bundle = Bundle::parse(&octets).unwrap_or_else(|error| panic!("{}: {error}", vector.section));
        assert_eq!(bundle.emit(), octets, "{}", vector.section);
        // The security blocks' data are given by themselves, in the section before.
        let data = vectors.iter().take_while(|other| other.section != vector.section).last();
        let data = data.filter(|other| other.kind == "data" && example(other) == example(vector));
        let is_security = matches!(bundle.blocks[0].block_type, 11 | 12);
        assert_eq!(data.is_some(), is_security, "{}", vector.section);
        if let Some(data) = data {
            assert_eq!(&bundle.blocks[0].data[..], data.octets, "{}", vector.section);
        }
        checked += 1;
    }
    assert_eq!(checked, 4 + 5 + 6, "primary blocks, payloads and ages, security blocks");
    // The original bundles are their blocks in a row.
    for (section, blocks) in
        [("A.1.1.3", vec![primary, payload]), ("A.3.1.4", vec![primary, of(&vectors, "A.3.1.2", "block"), payload])]
    {
        assert_eq!(of(&vectors, section, "bundle"), bundle_of(&blocks), "{section}");
    }
}

#[test]
fn the_cbor_examples_of_rfc_8949() {
    let lines = lines("rfc8949");
    assert_eq!(lines.len(), 81);
    let (mut numbers, mut indefinite) = (0, 0);
    for line in lines {
        let (digits, notation) = line.split_once(' ').unwrap();
        let item = hex(digits);
        // Bundle ages are unsigned integers and nothing else. A bignum (tag 2) is none.
        let age = notation.parse::<u64>().ok();
        assert_eq!(BundleAge::parse(&item).ok(), age.map(BundleAge), "{line}");
        if let Some(age) = age {
            assert_eq!(BundleAge(age).emit(), item, "{line}");
            numbers += 1;
        }
        // A record of an unknown type may hold any item of definite length, and keeps it.
        let octets = [&[0x82, 0x18, 99], &item[..]].concat();
        let record = AdministrativeRecord::parse(&octets);
        if notation.contains("_ ") {
            assert!(matches!(record, Err(BundleError::IndefiniteLength { .. })), "{line}: {record:?}");
            indefinite += 1;
        } else {
            let record = record.unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(record, AdministrativeRecord::Unknown { record_type: 99, content: item }, "{line}");
            assert_eq!(record.emit(), octets, "{line}");
        }
    }
    assert_eq!((numbers, indefinite), (11, 11));
}
