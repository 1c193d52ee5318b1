//! Ten million hostile inputs to every parser, the same ones in each run. None makes a parser panic or allocate more than
//! its input justifies, and what is accepted is written again to the same octets.
//!
//! Where an assertion fails, the input is printed.

#[allow(dead_code)]
mod support;

use farlink_wire::bpv7::{
    AdministrativeRecord, Bundle, BundleAge, CanonicalBlock, Eid, Extension, HopCount, PreviousNode,
};
use farlink_wire::ltp::{Segment, segments};
use farlink_wire::sdnv;
use support::{Random, bundles, mutate, records, segment_seeds};

/// Inputs of each kind: ten million in all.
const NUMBERS: u64 = 1_000_000;
const RANDOM_SEGMENTS: u64 = 1_000_000;
const MUTATED_SEGMENTS: u64 = 2_000_000;
const RANDOM_BUNDLES: u64 = 1_000_000;
const MUTATED_BUNDLES: u64 = 2_000_000;
const RECORDS: u64 = 1_500_000;
const EXTENSIONS: u64 = 1_000_000;
const TEXTS: u64 = 500_000;

/// Octets that a parser or an emitter may hold for each octet of its input. The dearest is a status assertion: two octets
/// of input, 24 in memory, while a growing vector holds its old and its new storage.
const PER_OCTET: u64 = 48;
/// Octets that it may hold besides: rooms reserved for what is usual, the first steps of a vector.
const BESIDES: u64 = 1024;

/// Runs a parser or an emitter on an input, and asserts that it holds no more memory than the input justifies.
#[track_caller]
fn bounded<T>(input: &[u8], run: impl FnOnce() -> T) -> T {
    let mut result = None;
    let cost = allocation_counter::measure(|| result = Some(run())).bytes_max;
    let limit = PER_OCTET * input.len() as u64 + BESIDES;
    assert!(cost <= limit, "{cost} octets allocated for {} of input; at most {limit} are justified", input.len());
    result.expect("it ran")
}

/// Prints the input if the test panics while it is looked at.
struct Shown<'a>(&'a [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let digits: String = self.0.iter().map(|octet| format!("{octet:02x}")).collect();
            eprintln!("input: {digits}");
        }
    }
}

#[test]
fn the_inputs_are_ten_million() {
    let bundles = RANDOM_BUNDLES + MUTATED_BUNDLES + RECORDS + EXTENSIONS + TEXTS;
    assert_eq!(NUMBERS + RANDOM_SEGMENTS + MUTATED_SEGMENTS + bundles, 10_000_000);
}

/// At least so many of the inputs must be accepted, or the test would say little about what is.
#[track_caller]
fn enough(accepted: u64, of: u64, at_least_percent: u64) {
    assert!(accepted * 100 >= of * at_least_percent, "only {accepted} of {of} inputs were accepted");
}

fn check_segment(octets: &[u8]) -> bool {
    let shown = Shown(octets);
    let Ok((segment, len)) = bounded(octets, || Segment::parse(octets)) else { return false };
    let mut again = Vec::new();
    segment.emit(&mut again);
    assert_eq!(again.len(), segment.encoded_len());
    if again != octets[..len] {
        // A number with leading zero groups is written without them (RFC 6256 section 2). Nothing else may differ.
        assert!(again.len() < len && octets[..len].contains(&0x80), "written as {again:02x?}");
        assert_eq!(Segment::parse(&again), Ok((segment, again.len())));
    }
    drop(shown);
    true
}

fn check_frame(octets: &[u8]) {
    let _shown = Shown(octets);
    let mut ended = false;
    for segment in segments(octets) {
        assert!(!ended, "reading went on after an error");
        ended = segment.is_err();
    }
}

fn check_bundle(octets: &[u8]) -> bool {
    let _shown = Shown(octets);
    let Ok((bundle, len)) = bounded(octets, || Bundle::parse_prefix(octets)) else {
        assert!(Bundle::parse(octets).is_err());
        return false;
    };
    assert_eq!(Bundle::parse(octets).is_ok(), len == octets.len());
    assert_eq!(bounded(octets, || bundle.emit()), &octets[..len]);
    let (head, tail) = bundle.emit_around_payload();
    assert_eq!([&head, bundle.payload(), &tail].concat(), &octets[..len]);
    bounded(octets, || bundle.lapses());
    for block in &bundle.blocks {
        check_extension(block);
    }
    check_record(bundle.payload());
    true
}

fn check_extension(block: &CanonicalBlock<'_>) -> bool {
    let data = &block.data[..];
    let emitted = match bounded(data, || Extension::of(block)) {
        Ok(Extension::PreviousNode(node)) => node.emit(),
        Ok(Extension::BundleAge(age)) => age.emit(),
        Ok(Extension::HopCount(hops)) => hops.emit(),
        Ok(Extension::Unknown(_)) => return true,
        Err(_) => return false,
    };
    assert_eq!(emitted, data);
    true
}

fn check_record(octets: &[u8]) -> bool {
    let _shown = Shown(octets);
    let Ok(record) = bounded(octets, || AdministrativeRecord::parse(octets)) else { return false };
    assert_eq!(bounded(octets, || record.emit()), octets);
    true
}

#[test]
fn numbers() {
    let mut random = Random::new(1);
    let mut accepted = 0;
    for _ in 0..NUMBERS {
        let octets = random.octets(12);
        let _shown = Shown(&octets);
        let Ok((value, len)) = bounded(&octets, || sdnv::decode(&octets)) else { continue };
        let mut again = Vec::new();
        sdnv::encode(value, &mut again);
        assert!(octets[..len].ends_with(&again[1..]) && again.len() <= len);
        assert_eq!(sdnv::decode(&again), Ok((value, again.len())));
        // What the shortest form leaves out is leading groups of zeros.
        assert!(octets[..len - again.len()].iter().all(|&octet| octet == 0x80));
        accepted += 1;
    }
    enough(accepted, NUMBERS, 50);
}

#[test]
fn random_segments() {
    let mut random = Random::new(2);
    for index in 0..RANDOM_SEGMENTS {
        let mut octets = random.octets(48);
        // Every other one gets past the control byte.
        if let Some(first) = octets.first_mut().filter(|_| index % 2 == 0) {
            *first &= 0x0F;
        }
        check_segment(&octets);
        check_frame(&octets);
    }
}

#[test]
fn mutated_segments() {
    let mut random = Random::new(3);
    let mut accepted = 0;
    let mut seeds = Vec::new();
    for index in 0..MUTATED_SEGMENTS {
        if index % 1024 == 0 {
            seeds = segment_seeds(&mut random);
        }
        let octets = mutate(&mut random, &seeds);
        accepted += u64::from(check_segment(&octets));
        check_frame(&octets);
    }
    enough(accepted, MUTATED_SEGMENTS, 20);
}

#[test]
fn random_bundles() {
    let mut random = Random::new(4);
    for index in 0..RANDOM_BUNDLES {
        let mut octets = random.octets(64);
        // Most get past the first octets of a bundle without CRC.
        let start: &[u8] = match index % 4 {
            0 => &[],
            1 => &[0x9F],
            2 => &[0x9F, 0x88, 7, 0, 0],
            _ => &[0x9F, 0x88, 7, 0, 0, 0x82, 1, 0, 0x82, 2, 0x82, 1, 1, 0x82, 1, 0, 0x82, 0, 0, 0],
        };
        octets.splice(0..0, start.iter().copied());
        check_bundle(&octets);
    }
}

fn mutated_bundles(seed: u64, count: u64) {
    let mut random = Random::new(seed);
    let mut accepted = 0;
    let mut seeds = Vec::new();
    for index in 0..count {
        if index % 1024 == 0 {
            seeds = bundles(&mut random);
        }
        accepted += u64::from(check_bundle(&mutate(&mut random, &seeds)));
    }
    enough(accepted, count, 15);
}

// In two halves, so that a runner may take them side by side.

#[test]
fn mutated_bundles_first_half() {
    mutated_bundles(5, MUTATED_BUNDLES / 2);
}

#[test]
fn mutated_bundles_second_half() {
    mutated_bundles(6, MUTATED_BUNDLES / 2);
}

#[test]
fn mutated_records() {
    let mut random = Random::new(7);
    let mut accepted = 0;
    let mut seeds = Vec::new();
    for index in 0..RECORDS {
        if index % 1024 == 0 {
            seeds = records(&mut random);
        }
        accepted += u64::from(check_record(&mutate(&mut random, &seeds)));
    }
    enough(accepted, RECORDS, 15);
}

#[test]
fn extension_block_data() {
    let mut random = Random::new(8);
    let mut accepted = 0;
    for _ in 0..EXTENSIONS {
        let seed = match random.below(3) {
            0 => PreviousNode(random.eid()).emit(),
            1 => BundleAge(random.number()).emit(),
            _ => HopCount { limit: random.below(260), count: random.number() }.emit(),
        };
        let data = mutate(&mut random, &[seed]);
        let _shown = Shown(&data);
        for block_type in [6, 7, 10] {
            let block = CanonicalBlock {
                block_type,
                number: 2,
                flags: Default::default(),
                crc: Default::default(),
                data: data.as_slice().into(),
            };
            accepted += u64::from(check_extension(&block));
        }
    }
    enough(accepted, EXTENSIONS, 20);
}

#[test]
fn texts_of_endpoint_ids() {
    let mut random = Random::new(9);
    let mut accepted = 0;
    for _ in 0..TEXTS {
        let seeds = [random.eid().to_string().into_bytes(), b"ipn:4294967295.10.1".to_vec()];
        let octets = mutate(&mut random, &seeds);
        let text = String::from_utf8_lossy(&octets);
        let _shown = Shown(text.as_bytes());
        let Ok(eid) = bounded(text.as_bytes(), || text.parse::<Eid>()) else { continue };
        let again = eid.to_string();
        assert_eq!(again.parse::<Eid>().map(|eid| eid.to_string()), Ok(again.clone()));
        if again != text {
            // RFC 9171 section 4.2.5.1.2 lets a number begin with zeros.
            assert!(again.len() < text.len() && text.contains('0') && matches!(eid, Eid::Ipn { .. }), "{again}");
        }
        accepted += 1;
    }
    enough(accepted, TEXTS, 15);
}

/// Inputs that make a parser allocate as much as it can for their length.
#[test]
fn the_costliest_inputs_stay_within_the_bound() {
    const UNITS: usize = 5_000;
    let number = |number: usize| (number as u64 + 2).to_be_bytes();
    // The smallest block: 13 octets with a number of its own, of eight octets at most.
    let block = |index: usize| [&[0x85, 0x18, 0xC0, 0x1B], &number(index | 1 << 40)[..], &[0, 0, 0x40]].concat();
    let primary = [0x88, 7, 0, 0, 0x82, 1, 0, 0x82, 1, 0, 0x82, 1, 0, 0x82, 0, 0, 0];
    let blocks: Vec<u8> = (0..UNITS).flat_map(block).collect();
    let bundle = [&[0x9F], &primary[..], &blocks, &[0x85, 1, 1, 0, 0, 0x40, 0xFF]].concat();
    assert!(check_bundle(&bundle));
    // Blocks of seven octets, with the numbers of two octets that there are.
    let small: Vec<u8> = (24..=255).flat_map(|number| [0x85, 2, 0x18, number, 0, 0, 0x40]).collect();
    assert!(check_bundle(&[&[0x9F], &primary[..], &small, &[0x85, 1, 1, 0, 0, 0x40, 0xFF]].concat()));

    // Claims of one octet each, a gap between any two, offsets as short as can be.
    let mut report = vec![8, 1, 1, 0, 1, 1];
    sdnv::encode(1 << 40, &mut report);
    report.push(0);
    sdnv::encode(UNITS as u64, &mut report);
    for index in 0..UNITS as u64 {
        sdnv::encode(2 * index, &mut report);
        report.push(1);
    }
    assert!(check_segment(&report));
    // Extensions without values.
    assert!(check_segment(&[&[13, 1, 1, 0xFF], &[0; 60][..]].concat()));

    // Assertions without times.
    let items: Vec<u8> = (0..UNITS).flat_map(|_| [0x81, 0xF4]).collect();
    let head = [&[0x82, 1, 0x84, 0x9A], &(UNITS as u32).to_be_bytes()[..]].concat();
    assert!(!check_record(&[&head, &items[..], &[1, 0x82, 1, 0, 0x82, 0, 0]].concat()), "the head is not the shortest");
    let head = [&[0x82, 1, 0x84, 0x99], &(UNITS as u16).to_be_bytes()[..]].concat();
    assert!(check_record(&[&head, &items[..], &[1, 0x82, 1, 0, 0x82, 0, 0]].concat()));
}

#[test]
fn the_bound_can_be_broken() {
    let octets = [0; 100];
    let greedy = std::panic::catch_unwind(|| bounded(&octets, || vec![0u8; 100_000]));
    assert!(greedy.is_err(), "an allocation of 100 kB for 100 octets was let pass");
}
