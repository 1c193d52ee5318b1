//! Bundles before three implementations of RFC 9171: ours, hardy (crate hardy-bpv7) and dtn7 (crate bp7).
//!
//! What is in order, each reads as the others do. What is not, each judges; where a verdict differs from ours, one of
//! [`CLASSES`] says why, or the test fails. A class that explains nothing any more fails it too.

mod forge;
#[path = "../../wire/tests/support/mod.rs"]
#[allow(dead_code)]
mod support;
mod verdict;

use std::time::Duration;

use bp7::flags::BlockControlFlags;
use farlink_wire::bpv7::*;
use support::{Random, bundles, mutate};
use verdict::{Ours, Theirs, ours};

/// What another implementation may say that ours does not.
struct Class {
    /// Whose verdict.
    whose: &'static str,
    /// What it says: a part of its complaint, or one of [`TAKEN`] and [`NON_CANONICAL`].
    says: &'static str,
    /// The bundles that this class is about.
    about: fn(&Ours<'_>) -> bool,
    /// Why the verdicts differ, and which is the document's.
    because: &'static str,
}

const TAKEN: &str = "taken";
const NON_CANONICAL: &str = "taken as not canonical";

const fn hardy(says: &'static str, about: fn(&Ours<'_>) -> bool, because: &'static str) -> Class {
    Class { whose: "hardy", says, about, because }
}

const fn bp7(says: &'static str, about: fn(&Ours<'_>) -> bool, because: &'static str) -> Class {
    Class { whose: "bp7", says, about, because }
}

fn refused(ours: &Ours<'_>, kind: fn(&BundleError) -> bool) -> bool {
    matches!(ours, Ours::Refused(error) | Ours::BlockRefused(error) if kind(error))
}

fn lapsed(ours: &Ours<'_>, kind: fn(&Lapse) -> bool) -> bool {
    matches!(ours, Ours::Read(_, lapses) if lapses.iter().any(kind))
}

fn read(ours: &Ours<'_>, kind: fn(&Bundle<'_>) -> bool) -> bool {
    matches!(ours, Ours::Read(bundle, _) if kind(bundle))
}

/// All the EIDs of a bundle that could be read.
fn eids(bundle: &Bundle<'_>) -> Vec<Eid> {
    let primary = &bundle.primary;
    let mut eids = vec![primary.destination.clone(), primary.source.clone(), primary.report_to.clone()];
    eids.extend(bundle.blocks.iter().filter_map(|block| match Extension::of(block) {
        Ok(Extension::PreviousNode(PreviousNode(eid))) => Some(eid),
        _ => None,
    }));
    eids
}

fn has_eid(ours: &Ours<'_>, kind: fn(&Eid) -> bool) -> bool {
    matches!(ours, Ours::Read(bundle, _) if eids(bundle).iter().any(kind))
}

const CLASSES: &[Class] = &[
    hardy(
        NON_CANONICAL,
        |ours| refused(ours, |e| matches!(e, BundleError::NotShortest { .. } | BundleError::IndefiniteLength { .. })),
        "RFC 9171 section 4.1 demands the shortest form, and only allows indefinite lengths, which ours does not support. \
         hardy reads both, says so, and would rewrite them.",
    ),
    hardy(
        NON_CANONICAL,
        |ours| refused(ours, |e| matches!(e, BundleError::WrongType { .. } | BundleError::NotABundle { .. })),
        "A CBOR tag before an item. The CDDL of RFC 9171 appendix B has none; hardy reads on and would remove it.",
    ),
    hardy(
        NON_CANONICAL,
        |ours| {
            has_eid(ours, |eid| matches!(eid, Eid::Ipn { node, form: IpnForm::ThreeNumbers, .. } if node >> 32 == 0))
        },
        "RFC 9758 section 6.1.2 recommends two elements for the default allocator, and allows three. hardy would rewrite \
         them; ours keeps them, since a primary block's octets never change (RFC 9171 section 4.3.1).",
    ),
    hardy(
        NON_CANONICAL,
        |ours| has_eid(ours, |eid| eid.node() == Some(0)),
        "hardy takes every service of node 0 for the null endpoint (RFC 9758 knows ipn:0.0 as such), and would rewrite it as \
         dtn:none. Ours keeps what the primary block says.",
    ),
    hardy(
        "Invalid ipn service number",
        |ours| has_eid(ours, |eid| matches!(eid, Eid::Ipn { service, .. } if *service > u64::from(u32::MAX))),
        "RFC 9171 section 4.2.5.1.2 has any unsigned integer as service number; hardy keeps it to 32 bits.",
    ),
    hardy(
        "Invalid fragment information",
        |ours| lapsed(ours, |lapse| *lapse == Lapse::FragmentBeyondUnit),
        "A fragment ends within its unit (RFC 9171 section 4.3.1). Ours reads the bundle and notes the lapse.",
    ),
    hardy(
        "Invalid bundle or block flag combination",
        |ours| {
            lapsed(ours, |lapse| {
                matches!(
                    lapse,
                    Lapse::RecordRequestsReports
                        | Lapse::AnonymousRequestsReports
                        | Lapse::AnonymousFragmentable
                        | Lapse::FragmentedAgainstFlag
                        | Lapse::BlockRequestsReport { .. }
                )
            })
        },
        "RFC 9171 sections 4.2.3 and 4.2.4 bind whoever sets the flags. Ours reads the bundle and notes the lapse.",
    ),
    hardy(
        "Invalid bundle or block flag combination",
        |ours| read(ours, |bundle| bundle.primary.source.node() == Some(0)),
        "Node 0 is the null endpoint to hardy (RFC 9758), so the bundle is anonymous. RFC 9171 section 4.2.3 knows \
         dtn:none alone.",
    ),
    hardy(
        "Bundle has multiple",
        |ours| lapsed(ours, |lapse| matches!(lapse, Lapse::Repeated { .. })),
        "RFC 9171 section 4.4 allows one such block. Ours reads the bundle and notes the lapse.",
    ),
    hardy(
        "unsupported block type",
        |ours| {
            read(ours, |bundle| {
                let unknown = |b: &&CanonicalBlock<'_>| matches!(Extension::of(b), Ok(Extension::Unknown(2..)));
                let deletes = |b: &CanonicalBlock<'_>| b.flags.contains(BlockFlags::DELETE_BUNDLE_IF_UNPROCESSABLE);
                bundle.blocks.iter().filter(unknown).any(deletes)
            })
        },
        "The block asks that the bundle be deleted where it cannot be processed (RFC 9171 section 5.6 step 4). That is for \
         the bundle agent; hardy does it while it parses.",
    ),
    hardy(
        "BPSec",
        |ours| read(ours, |bundle| bundle.blocks.iter().any(|block| matches!(block.block_type, 11 | 12))),
        "A security block whose content RFC 9172 section 3.6 does not allow. Our wire code does not read the content.",
    ),
    hardy(
        "Primary block cannot be block number",
        |ours| read(ours, |bundle| bundle.extension(0).is_some()),
        "Block type 0 is reserved (RFC 9171 section 9.1). Ours takes it for a block of unknown type.",
    ),
    hardy(
        NON_CANONICAL,
        |ours| matches!(ours, Ours::BlockRefused(BundleError::TrailingOctets { .. })),
        "Octets after the one CBOR item that is an extension block's data (RFC 9171 section 4.4). hardy would drop them.",
    ),
    hardy(
        NON_CANONICAL,
        |ours| refused(ours, |error| matches!(error, BundleError::DtnSyntax { .. })),
        "dtn:none as a text: RFC 9171 section 4.2.5.1.1 has it as the number 0. hardy would rewrite it.",
    ),
    hardy(
        TAKEN,
        |ours| refused(ours, |error| matches!(error, BundleError::DtnSyntax { .. })),
        "The node-name of a dtn EID is a reg-name of RFC 3986 (RFC 9171 section 4.2.5.1.1), so `%` begins an escape of two \
         digits, and the demux is visible characters. hardy is laxer.",
    ),
    hardy(
        NON_CANONICAL,
        |ours| refused(ours, |error| matches!(error, BundleError::UnknownScheme { .. })),
        "An unknown scheme, of which the next class tells, in a bundle that hardy would rewrite for one of the reasons above.",
    ),
    hardy(
        TAKEN,
        |ours| refused(ours, |error| matches!(error, BundleError::UnknownScheme { .. })),
        "RFC 9171 section 4.2.5.1 leaves schemes other than dtn and ipn to later documents. hardy keeps such an EID as \
         octets; ours cannot tell where a node is that it names.",
    ),
    bp7(
        TAKEN,
        |ours| {
            refused(ours, |error| {
                matches!(
                    error,
                    BundleError::NotShortest { .. }
                        | BundleError::IndefiniteLength { .. }
                        | BundleError::WrongType { .. }
                        | BundleError::NotABundle { .. }
                        | BundleError::ReservedHead { .. }
                )
            })
        },
        "bp7 reads any CBOR: longer heads, indefinite lengths, tags, outer arrays of fixed length, other types for a number \
         array. RFC 9171 section 4.1 demands deterministic encoding, indefinite lengths excepted.",
    ),
    bp7(
        TAKEN,
        |ours| refused(ours, |error| matches!(error, BundleError::DtnSyntax { .. })),
        "bp7 asks of a dtn EID only that it begins with two slashes and has a node-name (RFC 9171 section 4.2.5.1.1).",
    ),
    bp7(
        TAKEN,
        |ours| refused(ours, |error| matches!(error, BundleError::HopLimit { .. })),
        "A hop limit is 1 to 255 (RFC 9171 section 4.4.3); bp7 takes 0.",
    ),
    bp7(
        "reserved bits",
        |ours| matches!(ours, Ours::Read(..)),
        "Bits that RFC 9171 sections 4.2.3 and 4.2.4 reserve or leave unassigned. A receiver is not told to refuse them.",
    ),
    bp7(
        "status report request flags",
        |ours| lapsed(ours, |lapse| matches!(lapse, Lapse::RecordRequestsReports | Lapse::AnonymousRequestsReports)),
        "RFC 9171 section 4.2.3 binds whoever sets the flags. Ours reads the bundle and notes the lapse.",
    ),
    bp7(
        "Transmit status report if block cannot be processed",
        |ours| lapsed(ours, |lapse| matches!(lapse, Lapse::BlockRequestsReport { .. })),
        "RFC 9171 section 4.2.4 binds whoever sets the flags. Ours reads the bundle and notes the lapse.",
    ),
    bp7(
        "can not be decoded",
        |ours| {
            read(ours, |bundle| {
                bundle.blocks.iter().any(|block| {
                    matches!(Extension::of(block), Ok(Extension::HopCount(HopCount { count: 256.., .. })))
                        || matches!(
                            Extension::of(block),
                            Ok(Extension::PreviousNode(PreviousNode(Eid::Ipn { form: IpnForm::ThreeNumbers, .. })))
                        )
                })
            })
        },
        "An extension block with a hop count above 255, or an ipn EID of three elements, both of which bp7 cannot hold.",
    ),
    bp7(
        "no Bundle Age block",
        |ours| lapsed(ours, |lapse| *lapse == Lapse::NoAge),
        "RFC 9171 section 4.4.2 binds the source. Ours reads the bundle and notes the lapse.",
    ),
    bp7(
        "must not occure multiple times",
        |ours| lapsed(ours, |lapse| matches!(lapse, Lapse::Repeated { .. })),
        "RFC 9171 section 4.4 allows one such block. Ours reads the bundle and notes the lapse.",
    ),
    bp7(
        "CRC check failed",
        |ours| has_eid(ours, |eid| matches!(eid, Eid::Ipn { node: 0, .. })),
        "bp7 takes every service of ipn node 0 for ipn:0.0, and computes the CRC of what it would write instead of what it \
         read.",
    ),
    bp7(
        "invalid value: integer",
        |ours| {
            read(ours, |bundle| {
                bundle.blocks.iter().any(|block| {
                    let hops = HopCount::parse(&block.data).is_ok_and(|hops| hops.count > 255);
                    block.flags.0 > 255 || block.block_type == block_type::HOP_COUNT && hops
                })
            })
        },
        "bp7 has 8 bits for block flags and for a hop count. RFC 9171 sections 4.2.4 and 4.4.3 have unsigned integers.",
    ),
    bp7(
        "TrailingData",
        |ours| has_eid(ours, |eid| matches!(eid, Eid::Ipn { form: IpnForm::ThreeNumbers, .. })),
        "bp7 does not know ipn EIDs of three elements (RFC 9758).",
    ),
];

/// Compares verdicts, and the content of what both take. Notes which classes were
/// needed, and what none explains.
fn compare(octets: &[u8], used: &mut [u32], unexplained: &mut Vec<String>) {
    let ours = ours(octets);
    for (whose, theirs) in [("hardy", verdict::hardy(octets)), ("bp7", verdict::bp7(octets))] {
        let complaints = match (&ours, &theirs) {
            (Ours::Read(bundle, _), Theirs::Taken) => {
                match whose {
                    "hardy" => same_as_hardy(bundle, octets),
                    // It takes every service of node 0 for the null endpoint.
                    _ if eids(bundle).iter().any(|eid| eid.node() == Some(0)) => {}
                    _ => same_as_bp7(octets),
                }
                continue;
            }
            (Ours::Refused(_) | Ours::BlockRefused(_), Theirs::Refused(_)) => continue,
            (_, Theirs::Refused(complaints)) => complaints.clone(),
            (_, Theirs::Taken) => vec![TAKEN.to_owned()],
            (_, Theirs::TakenAsNonCanonical) => vec![NON_CANONICAL.to_owned()],
        };
        for complaint in complaints {
            let explains = |class: &Class| {
                let says = if matches!(class.says, TAKEN | NON_CANONICAL) {
                    complaint == class.says
                } else {
                    complaint.contains(class.says)
                };
                class.whose == whose && says && (class.about)(&ours)
            };
            match CLASSES.iter().position(explains) {
                Some(class) => used[class] += 1,
                None => {
                    let digits: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
                    unexplained.push(format!("{whose} says \"{complaint}\", ours says {}: {digits}", ours.words()));
                }
            }
        }
    }
}

fn same_eid(theirs: &hardy_bpv7::eid::Eid, ours: &Eid) {
    let theirs = theirs.to_string();
    match ours {
        // hardy chooses for itself which characters to escape.
        Eid::Dtn(ssp) if ssp.bytes().any(|octet| !octet.is_ascii_alphanumeric() && !b"/-._~".contains(&octet)) => {
            assert!(theirs.starts_with("dtn://"), "{theirs} for dtn:{ssp}");
        }
        // The null endpoint as well (RFC 9758); hardy takes the two for one.
        Eid::Ipn { node: 0, service: 0, .. } => assert_eq!(theirs, "dtn:none"),
        // Node 2^32 - 1 is whoever reads it, which hardy writes as RFC 9758 does.
        _ => assert_eq!(theirs.replace('!', "4294967295").parse().as_ref(), Ok(ours)),
    }
}

fn same_as_hardy(bundle: &Bundle<'_>, octets: &[u8]) {
    let theirs = hardy_bpv7::bundle::ParsedBundle::parse(octets, hardy_bpv7::bpsec::no_keys).unwrap().bundle;
    let primary = &bundle.primary;
    same_eid(&theirs.destination, &primary.destination);
    same_eid(&theirs.id.source, &primary.source);
    same_eid(&theirs.report_to, &primary.report_to);
    let time = theirs.id.timestamp.creation_time().map_or(0, |time| time.millisecs());
    assert_eq!((time, theirs.id.timestamp.sequence_number()), (primary.creation.time_ms, primary.creation.sequence));
    assert_eq!(theirs.lifetime, Duration::from_millis(primary.lifetime_ms));
    let fragment = theirs.id.fragment_info.map(|f| Fragment { offset: f.offset, total_length: f.total_adu_length });
    assert_eq!(fragment, primary.fragment, "{bundle:?}");
    assert_eq!(theirs.blocks.len(), bundle.blocks.len() + 1, "the primary block is one of theirs");
    for block in &bundle.blocks {
        let their = &theirs.blocks[&block.number];
        assert_eq!(u64::from(their.block_type), block.block_type);
        assert_eq!(u64::from(&their.flags), block.flags.0);
        assert_eq!(octets[their.payload_range()], block.data[..]);
        match Extension::of(block).unwrap() {
            Extension::PreviousNode(PreviousNode(node)) => same_eid(theirs.previous_node.as_ref().unwrap(), &node),
            Extension::BundleAge(BundleAge(age)) => assert_eq!(theirs.age, Some(Duration::from_millis(age))),
            Extension::HopCount(hops) => {
                let their = theirs.hop_count.as_ref().unwrap();
                assert_eq!((their.limit, their.count), (hops.limit, hops.count));
            }
            Extension::Unknown(_) => {}
        }
    }
}

/// bp7 keeps no octets, so what it writes shows what it has understood.
fn same_as_bp7(octets: &[u8]) {
    assert_eq!(bp7::Bundle::try_from(octets).unwrap().to_cbor(), octets);
}

#[test]
fn all_three_read_our_bundles_alike() {
    let mut random = Random::new(1);
    for _ in 0..5_000 {
        let bundle = forge::plain(&mut random);
        let octets = bundle.emit();
        assert_eq!(verdict::hardy(&octets), Theirs::Taken, "{bundle:?}");
        assert_eq!(verdict::bp7(&octets), Theirs::Taken, "{bundle:?}");
        let mut unexplained = Vec::new();
        compare(&octets, &mut [0; CLASSES.len()], &mut unexplained);
        assert!(unexplained.is_empty(), "{unexplained:?}");
    }
}

#[test]
fn ours_reads_what_hardy_writes() {
    use hardy_bpv7::{block, builder::Builder, bundle, crc, creation_timestamp::CreationTimestamp, dtn_time, hop_info};
    let mut random = Random::new(2);
    for index in 0..2_000u64 {
        let (time_ms, sequence, payload) = (1 + (random.number() >> 1), random.number(), random.octets(300));
        let eids = ["ipn:10.1", "dtn://mars/cam", "ipn:4294967294.4294967295", "ipn:977000.100.7"];
        let [source, destination] = [index % 4, index / 4 % 4].map(|at| eids[at as usize]);
        let flags = bundle::Flags { delivery_report_requested: index % 2 == 0, ..Default::default() };
        let crc_type = if index % 3 == 0 { crc::CrcType::CRC16_X25 } else { crc::CrcType::CRC32_CASTAGNOLI };
        let builder = Builder::new(source.parse().unwrap(), destination.parse().unwrap())
            .with_flags(flags)
            .with_crc_type(crc_type)
            .with_lifetime(Duration::from_millis(index))
            .with_hop_count(&hop_info::HopInfo { limit: 1 + index % 255, count: index })
            .add_extension_block(block::Type::Unrecognised(200))
            .unwrap()
            .with_crc_type(crc_type)
            .build(b"extension".as_slice().into())
            .with_payload(payload.as_slice().into());
        let timestamp = CreationTimestamp::from_parts(Some(dtn_time::DtnTime::new(time_ms)), sequence);
        let (_, octets) = builder.build(timestamp).unwrap();
        let bundle = Bundle::parse(&octets).unwrap();
        assert_eq!(bundle.emit(), &octets[..]);
        assert_eq!(bundle.lapses(), []);
        assert_eq!((bundle.primary.source.to_string(), bundle.primary.destination.to_string()), {
            (source.to_owned(), destination.to_owned())
        });
        assert_eq!(bundle.primary.creation, farlink_wire::bpv7::CreationTimestamp { time_ms, sequence });
        assert_eq!(bundle.primary.lifetime_ms, index);
        assert_eq!(bundle.primary.flags.contains(BundleFlags::REPORT_DELIVERY), index % 2 == 0);
        assert_eq!(&bundle.extension(200).unwrap().data[..], b"extension");
        let hops = HopCount::parse(&bundle.extension(block_type::HOP_COUNT).unwrap().data).unwrap();
        assert_eq!(hops, HopCount { limit: 1 + index % 255, count: index });
        assert_eq!(bundle.payload(), payload);
        same_as_hardy(&bundle, &octets);
    }
}

#[test]
fn ours_reads_what_dtn7_writes() {
    let mut random = Random::new(3);
    for index in 0..2_000u64 {
        let (time_ms, sequence, payload) = (random.number(), random.number(), random.octets(300));
        let eids = ["ipn:10.1", "dtn://mars/cam", "ipn:4294967295.4294967295"];
        let [source, destination] = [index % 3, index / 3 % 3].map(|at| eids[at as usize]);
        let primary = bp7::primary::PrimaryBlockBuilder::default()
            .destination(destination.try_into().unwrap())
            .source(source.try_into().unwrap())
            .report_to("dtn:none".try_into().unwrap())
            .creation_timestamp(bp7::CreationTimestamp::with_time_and_seq(time_ms, sequence))
            .lifetime(Duration::from_millis(index))
            .build()
            .unwrap();
        let flags = || BlockControlFlags::BLOCK_REPLICATE;
        let blocks = vec![
            bp7::canonical::new_previous_node_block(4, flags(), "ipn:7.0".try_into().unwrap()),
            bp7::canonical::new_bundle_age_block(3, flags(), index * index),
            bp7::canonical::new_hop_count_block(2, flags(), 1 + (index % 255) as u8),
            bp7::canonical::new_payload_block(BlockControlFlags::empty(), payload.clone()),
        ];
        let mut theirs = bp7::Bundle::new(primary, blocks);
        theirs.set_crc([bp7::crc::CRC_16, bp7::crc::CRC_32][(index % 2) as usize]);
        let octets = theirs.to_cbor();
        let bundle = Bundle::parse(&octets).unwrap();
        assert_eq!(bundle.emit(), octets);
        assert_eq!(bundle.lapses(), []);
        assert_eq!(bundle.primary.source.to_string(), source);
        assert_eq!(bundle.primary.destination.to_string(), destination);
        assert_eq!(bundle.primary.report_to, Eid::None);
        assert_eq!(bundle.primary.creation, CreationTimestamp { time_ms, sequence });
        assert_eq!(bundle.primary.lifetime_ms, index);
        let extensions: Vec<_> = bundle.blocks.iter().map(|block| Extension::of(block).unwrap()).collect();
        let expected = [
            Extension::PreviousNode(PreviousNode(Eid::ipn(7, 0))),
            Extension::BundleAge(BundleAge(index * index)),
            Extension::HopCount(HopCount { limit: 1 + index % 255, count: 0 }),
            Extension::Unknown(1),
        ];
        assert!(expected.iter().all(|extension| extensions.contains(extension)), "{extensions:?}");
        assert_eq!(bundle.payload(), payload);
    }
}

#[test]
fn verdicts_differ_only_for_known_reasons() {
    let mut random = Random::new(4);
    let (mut used, mut unexplained) = ([0; CLASSES.len()], Vec::new());
    let mut seeds = Vec::new();
    for index in 0..60_000 {
        if index % 256 == 0 {
            seeds = bundles(&mut random);
            seeds.extend((0..32).map(|_| forge::without_crcs(forge::plain(&mut random)).emit()));
        }
        let octets = match index % 3 {
            0 => forge::broken(&mut random),
            1 => forge::respelled(&mut random),
            _ => mutate(&mut random, &seeds),
        };
        compare(&octets, &mut used, &mut unexplained);
    }
    assert!(unexplained.is_empty(), "{} unexplained verdicts:\n{}", unexplained.len(), unexplained.join("\n"));
    let stale = CLASSES.iter().zip(used).filter(|(_, used)| *used == 0);
    let stale: Vec<_> = stale.map(|(class, _)| (class.whose, class.says, class.because)).collect();
    assert_eq!(stale, [], "verdicts that nobody gives any more");
}
