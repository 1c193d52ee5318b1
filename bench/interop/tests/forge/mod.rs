//! Bundles that are in order, and bundles that are not, from a seed.

use farlink_wire::bpv7::*;

use crate::support::Random;

/// A bundle against which nothing can be said, and which every implementation can express.
pub fn plain(random: &mut Random) -> Bundle<'static> {
    let crc = [CrcType::Crc16, CrcType::Crc32c][random.below(2) as usize];
    let eid = |random: &mut Random| match random.below(3) {
        0 => Eid::Dtn(["//n/", "//node/app", "//mars.dtn/cam/7"][random.below(3) as usize].into()),
        _ => Eid::ipn(
            1 + (random.next() as u32 >> random.below(32)) as u64 / 2,
            (random.next() as u32 >> random.below(32)).into(),
        ),
    };
    let payload = random.octets(40);
    let time_ms = random.below(2) * random.number();
    let fragment = (random.below(4) == 0)
        .then(|| Fragment { offset: random.below(1000), total_length: 1000 + payload.len() as u64 });
    let asks = [BundleFlags(0), BundleFlags::REPORT_DELIVERY, BundleFlags::ALL_REPORTS][random.below(3) as usize];
    let primary = PrimaryBlock {
        flags: asks | BundleFlags(u64::from(fragment.is_some())) | BundleFlags(0x60 * random.below(2)),
        crc,
        destination: eid(random),
        source: eid(random),
        report_to: if random.below(4) == 0 { Eid::None } else { eid(random) },
        creation: CreationTimestamp { time_ms, sequence: random.number() },
        lifetime_ms: random.number() >> 11,
        fragment,
    };
    let mut blocks = Vec::new();
    let mut add = |random: &mut Random, block_type, data: Vec<u8>| {
        let flags = [BlockFlags(0), BlockFlags::MUST_REPLICATE, BlockFlags::REPORT_IF_UNPROCESSABLE];
        let number = blocks.len() as u64 + 2;
        let flags = flags[random.below(3) as usize];
        blocks.push(CanonicalBlock { block_type, number, flags, crc, data: data.into() });
    };
    if random.below(2) == 0 {
        let node = PreviousNode(Eid::ipn(1 + random.below(1 << 30), 0));
        add(random, block_type::PREVIOUS_NODE, node.emit());
    }
    if time_ms == 0 {
        let age = BundleAge(random.number() >> 11);
        add(random, block_type::BUNDLE_AGE, age.emit());
    }
    if random.below(2) == 0 {
        let hops = HopCount { limit: 1 + random.below(255), count: random.below(256) };
        add(random, block_type::HOP_COUNT, hops.emit());
    }
    if random.below(2) == 0 {
        // A type for private use.
        let (block_type, data) = (200 + random.below(50), random.octets(20));
        add(random, block_type, data);
    }
    let flags = BlockFlags(random.below(2) * BlockFlags::DELETE_BUNDLE_IF_UNPROCESSABLE.0);
    blocks.push(CanonicalBlock { block_type: block_type::PAYLOAD, number: 1, flags, crc, data: payload.into() });
    Bundle { primary, blocks }
}

/// So that what is changed is not noticed by a CRC.
pub fn without_crcs(mut bundle: Bundle<'static>) -> Bundle<'static> {
    bundle.primary.crc = CrcType::None;
    bundle.blocks.iter_mut().for_each(|block| block.crc = CrcType::None);
    bundle
}

/// A plain bundle with one rule broken, written by our own `emit`, which judges nothing.
pub fn broken(random: &mut Random) -> Vec<u8> {
    let mut bundle = plain(random);
    let last = bundle.blocks.len() - 1;
    let extra = |block_type, number, data: Vec<u8>| CanonicalBlock {
        block_type,
        number,
        flags: BlockFlags(0),
        crc: CrcType::Crc16,
        data: data.into(),
    };
    match random.below(25) {
        0 => bundle.blocks[last].number = random.below(4),
        1 => bundle.blocks.insert(0, extra(222, random.below(4), vec![1])),
        2 => drop(bundle.blocks.pop()),
        3 => bundle.blocks.rotate_right(1),
        4 => bundle.blocks.push(extra(block_type::PAYLOAD, random.below(9), vec![2])),
        5 => bundle.blocks.insert(0, extra(block_type::HOP_COUNT, 9, HopCount { limit: 0, count: 0 }.emit())),
        6 => bundle.blocks.insert(0, extra(block_type::HOP_COUNT, 9, HopCount { limit: 256, count: 300 }.emit())),
        7 => bundle.blocks.insert(0, extra(block_type::BUNDLE_AGE, 9, vec![0x20])),
        8 => bundle.blocks.insert(0, extra(block_type::BUNDLE_AGE, 9, vec![5])),
        9 => {
            let node = [Eid::None, Eid::ipn_with_allocator(977_000, 100, 0)][random.below(2) as usize].clone();
            bundle.blocks.insert(0, extra(block_type::PREVIOUS_NODE, 9, PreviousNode(node).emit()));
        }
        10 => bundle.primary.flags.0 ^= 1,
        11 => bundle.primary.fragment = Some(Fragment { offset: 7, total_length: 5 }),
        12 => {
            bundle.primary.flags |= BundleFlags::IS_FRAGMENT;
            bundle.primary.fragment = Some(Fragment { offset: random.below(2000), total_length: 1000 });
        }
        13 => bundle.primary.source = Eid::None,
        14 => bundle.primary.flags |= BundleFlags::IS_ADMIN_RECORD,
        15 => bundle.primary.flags.0 |= 1 << random.below(64),
        16 => bundle.blocks[last].flags.0 |= 1 << random.below(64),
        17 => bundle.primary.crc = CrcType::None,
        18 => bundle.primary.creation.time_ms = 0,
        19 => bundle.primary.destination = Eid::ipn_with_allocator(random.below(3) as u32, 10, 1),
        20 => bundle.primary.report_to = Eid::ipn(random.below(2) << 33, random.below(2) << 33),
        21 => bundle.primary.lifetime_ms = random.number(),
        22 => {
            bundle.primary.destination =
                Eid::Dtn(["none", "//n", "//n%/a", "/n/a", ""][random.below(5) as usize].into())
        }
        23 => bundle.blocks.insert(0, extra(0, 9, vec![1])),
        _ => bundle.blocks[0].flags |= BlockFlags::DELETE_BUNDLE_IF_UNPROCESSABLE,
    }
    bundle.emit()
}

/// Another spelling of a bundle without CRCs: one of its CBOR heads is longer than needed, announces an indefinite length,
/// has a tag before it, or is another head altogether.
pub fn respelled(random: &mut Random) -> Vec<u8> {
    let mut octets = without_crcs(plain(random)).emit();
    let heads = heads(&octets);
    let head = &heads[random.below(heads.len() as u64) as usize];
    let (major, argument) = (octets[head.at] & 0xE0, head.argument);
    let content = octets[head.at + head.len..head.end].to_vec();
    let be = argument.to_be_bytes();
    let replacement = match random.below(6) {
        0 => [&[major | 24], &be[7..]].concat(),
        1 => [&[major | 26], &be[4..]].concat(),
        2 => [&[major | 27], &be[..]].concat(),
        // Indefinite: an array as it is, a string in one chunk. A number cannot be.
        3 => {
            let chunk = octets[head.at..head.end].to_vec();
            let content = if major == 0x80 { &content } else { &chunk };
            octets.splice(head.at..head.end, [&[major | 31], &content[..], &[0xFF]].concat());
            return octets;
        }
        4 => [&[0xC0 | random.below(30) as u8], &octets[head.at..head.at + head.len]].concat(),
        _ => vec![random.next() as u8],
    };
    octets.splice(head.at..head.at + head.len, replacement);
    octets
}

struct Head {
    at: usize,
    len: usize,
    argument: u64,
    /// Where the item ends, with everything in it.
    end: usize,
}

/// The heads within a bundle, the outer array's excepted.
fn heads(octets: &[u8]) -> Vec<Head> {
    let mut heads = Vec::new();
    let mut at = 1;
    while octets[at] != 0xFF {
        at = item(octets, at, &mut heads);
    }
    heads
}

/// Notes the item at a place and those in it; gives the place after it.
fn item(octets: &[u8], at: usize, heads: &mut Vec<Head>) -> usize {
    let len = match octets[at] & 0x1F {
        0..24 => 1,
        24 => 2,
        25 => 3,
        26 => 5,
        _ => 9,
    };
    let inline = u64::from(octets[at] & 0x1F);
    let wide = octets[at + 1..at + len].iter().fold(0, |sum, &octet| sum << 8 | u64::from(octet));
    let argument = if len == 1 { inline } else { wide };
    let index = heads.len();
    heads.push(Head { at, len, argument, end: 0 });
    let mut end = at + len;
    match octets[at] >> 5 {
        2 | 3 => end += argument as usize,
        4 => {
            for _ in 0..argument {
                end = item(octets, end, heads);
            }
        }
        _ => {}
    }
    heads[index].end = end;
    end
}
