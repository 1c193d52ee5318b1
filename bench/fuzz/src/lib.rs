//! What a fuzzer calls with whatever octets it likes. Each function panics if the code under it breaks a promise.
//!
//! The functions need no fuzzer: `fuzz_targets/` hands them to libFuzzer (`bench/fuzz/run`), and the gate gives them
//! some thousands of inputs from seeds (`tests/seeded.rs`).

mod agent;
mod ccsds;
mod ltp;

use farlink_wire::bpv7::{
    AdministrativeRecord, Bundle, BundleAge, CanonicalBlock, Eid, Extension, HopCount, PreviousNode,
};
use farlink_wire::ltp::{Segment, segments};

pub use agent::agent;
pub use ccsds::{ccsds_frame, ccsds_zones};
pub use ltp::{ltp_frame, ltp_operations};

/// A number with the octets that a fuzzer has for it: what is read is written again in its shortest form.
pub fn sdnv(data: &[u8]) {
    let Ok((value, len)) = farlink_wire::sdnv::decode(data) else { return };
    let mut again = Vec::new();
    farlink_wire::sdnv::encode(value, &mut again);
    assert!(again.len() <= len);
    assert!(data[..len - again.len()].iter().all(|&octet| octet == 0x80), "only zero groups are left out");
    assert_eq!(farlink_wire::sdnv::decode(&again), Ok((value, again.len())));
}

/// LTP segments: what is read is written again, but for leading zero groups in its numbers.
pub fn ltp_segment(data: &[u8]) {
    for segment in segments(data).map_while(Result::ok) {
        let mut again = Vec::new();
        segment.emit(&mut again);
        assert_eq!(again.len(), segment.encoded_len());
        assert_eq!(Segment::parse(&again), Ok((segment, again.len())));
    }
    if let Ok((segment, len)) = Segment::parse(data) {
        let mut again = Vec::new();
        segment.emit(&mut again);
        assert!(again == data[..len] || again.len() < len && data[..len].contains(&0x80));
    }
}

/// A bundle: what is read is written again to the same octets.
pub fn bundle(data: &[u8]) {
    let Ok((bundle, len)) = Bundle::parse_prefix(data) else { return };
    assert_eq!(bundle.emit(), &data[..len]);
    let (head, tail) = bundle.emit_around_payload();
    assert_eq!([&head, bundle.payload(), &tail].concat(), &data[..len]);
    bundle.lapses();
    bundle.blocks.iter().for_each(block);
    record(bundle.payload());
    assert_eq!(bundle.clone().into_owned(), bundle);
}

/// An administrative record: what is read is written again to the same octets.
pub fn record(data: &[u8]) {
    if let Ok(record) = AdministrativeRecord::parse(data) {
        assert_eq!(record.emit(), data);
    }
}

/// The data of the extension blocks: what is read is written again to the same octets.
pub fn extension(data: &[u8]) {
    for block_type in [6, 7, 10] {
        let (flags, crc) = Default::default();
        block(&CanonicalBlock { block_type, number: 2, flags, crc, data: data.into() });
    }
}

fn block(block: &CanonicalBlock<'_>) {
    let emitted = match Extension::of(block) {
        Ok(Extension::PreviousNode(PreviousNode(node))) => PreviousNode(node).emit(),
        Ok(Extension::BundleAge(BundleAge(age))) => BundleAge(age).emit(),
        Ok(Extension::HopCount(HopCount { limit, count })) => HopCount { limit, count }.emit(),
        Ok(Extension::Unknown(_)) | Err(_) => return,
    };
    assert_eq!(emitted, block.data[..]);
}

/// The text of an endpoint ID: what is read is written again, but for leading zeros in its numbers.
pub fn eid_text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(eid) = text.parse::<Eid>() else { return };
    let again = eid.to_string();
    assert!(again == text || again.len() < text.len() && text.contains('0'));
    assert_eq!(again.parse::<Eid>().map(|eid| eid.to_string()), Ok(again));
}
