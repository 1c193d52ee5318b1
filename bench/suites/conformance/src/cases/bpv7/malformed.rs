//! Bundles that a node must not take as they are (§4.1 to §4.3, §5.6 step 3).

use crate::bundle::{Block, Crc, Draft, Width, block_flags, block_type, cbor, content};
use crate::case::{Case, Suite};
use crate::outcome::Finding;
use crate::peer::{Peer, Sent};
use crate::tester::Tester;

pub const CASES: &[Case] = &[
    Case::new("BP7-4.1-06", Suite::Bpv7, &["hostile"], other_frames),
    Case::new("BP7-4.1-07", Suite::Bpv7, &["hostile"], wrong_blocks),
    Case::new("BP7-4.1-09", Suite::Bpv7, &["hostile"], long_integers),
    Case::new("BP7-4.2.1-03", Suite::Bpv7, &["hostile", "crc"], unknown_crc_types),
    Case::new("BP7-4.2.2-02", Suite::Bpv7, &["hostile", "crc"], crcs_against_their_type),
    Case::new("BP7-4.2.5-04", Suite::Bpv7, &["hostile", "names"], malformed_endpoints),
    Case::new("BP7-4.3.1-04", Suite::Bpv7, &["crc"], primary_without_crc),
    Case::new("BP7-4.3.1-06", Suite::Bpv7, &["hostile", "crc"], damaged_primary),
    Case::new("BP7-4.3.1-07", Suite::Bpv7, &["hostile"], malformed_primary),
    Case::new("BP7-4.3.1-08", Suite::Bpv7, &["hostile"], other_versions),
    Case::new("BP7-4.3.2-03", Suite::Bpv7, &["hostile"], malformed_blocks),
    Case::new("BP7-4.4.2-05", Suite::Bpv7, &["hostile", "extension blocks"], malformed_content),
    Case::new("BP7-5.6-02", Suite::Bpv7, &["hostile", "crc"], malformed_for_both),
    Case::new("BP7-5.6-04", Suite::Bpv7, &["hostile", "crc"], damaged_payload),
    Case::new("BP7-5.6-05", Suite::Bpv7, &["hostile", "crc"], damaged_extensions),
];

/// A way to spoil the base bundle, and what it is called.
type Spoiling = (&'static str, fn(Draft) -> Draft);

/// Sends a bundle for each way to spoil it.
fn send_each(peer: &mut Peer<'_, '_>, ways: &[Spoiling]) -> Result<Vec<(&'static str, Sent)>, Finding> {
    let mut sent = Vec::new();
    for (what, spoil) in ways {
        let draft = spoil(peer.bundle());
        sent.push((*what, peer.send(&draft)?));
    }
    Ok(sent)
}

/// None of them may go on as it is.
fn none_passes(tester: &mut Tester<'_>, ways: &[Spoiling]) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let sent = send_each(&mut peer, ways)?;
    peer.settle()?;
    for (what, sent) in &sent {
        if peer.was_dropped_or_repaired(sent, what)? {
            peer.tester.note(format!("the node repairs a bundle with {what}"));
        }
    }
    Ok(())
}

fn other_frames(tester: &mut Tester<'_>) -> Result<(), Finding> {
    none_passes(
        tester,
        &[
            ("an outer array of definite length", |mut draft| {
                draft.before = cbor::head(4, 1 + draft.blocks.len() as u64);
                draft.after.clear();
                draft
            }),
            ("the tag for self-described CBOR", |mut draft| {
                draft.before = [&[0xD9, 0xD9, 0xF7][..], &draft.before].concat();
                draft
            }),
            ("octets after the break", |mut draft| {
                draft.after.extend([0, 1, 2, 3]);
                draft
            }),
            ("no break", |mut draft| {
                draft.after.clear();
                draft
            }),
        ],
    )
}

fn wrong_blocks(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let ways: [Spoiling; 4] = [
        ("no payload block", |mut draft| {
            draft.blocks.clear();
            draft
        }),
        ("two payload blocks", |mut draft| {
            let second = draft.payload_block().clone().item(1, cbor::uint(2));
            draft.blocks.push(second);
            draft
        }),
        ("an extension block after the payload", |mut draft| {
            draft.blocks.push(Block::new(block_type::HOP_COUNT, 2, 0, &content::hops(30, 0)));
            draft
        }),
        ("two primary blocks", |mut draft| {
            draft.blocks.insert(0, draft.primary.clone());
            draft
        }),
    ];
    let sent = send_each(&mut peer, &ways)?;
    let whole = peer.bundle();
    let mut without_primary = whole.before.clone();
    without_primary.extend(whole.blocks.iter().flat_map(Block::encode));
    without_primary.push(0xFF);
    peer.send_octets(&without_primary)?;
    peer.send_octets(&[0x9F, 0xFF])?;
    peer.settle()?;
    for (place, (what, sent)) in sent.iter().enumerate() {
        if peer.was_dropped_or_repaired(sent, what)? {
            peer.tester.note(format!("the node repairs a bundle with {what}"));
            if matches!(place, 1 | 3) {
                return Err(Finding::warning(format!("a bundle with {what} is deleted"), "one of the two was chosen"));
            }
        }
    }
    let payload = whole.payload_octets();
    let came = peer.waiting().iter().any(|came| match &came.what {
        crate::peer::What::Bundle(octets, _) => octets.windows(payload.len()).any(|window| window == payload),
        crate::peer::What::Delivered(_, data) => *data == payload,
    });
    match came {
        true => Err(Finding::deviation("a bundle without primary block is deleted", "its payload went on")),
        false => Ok(()),
    }
}

fn long_integers(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let ways: [Spoiling; 3] = [
        ("a block number in two octets", |draft| {
            draft.with(Block::new(block_type::HOP_COUNT, 2, 0, &content::hops(30, 0)).item(1, vec![0x18, 0x02]))
        }),
        ("a lifetime in nine octets", |draft| {
            draft.item(7, [&[0x1B][..], &crate::bundle::BASE_LIFETIME_MS.to_be_bytes()].concat())
        }),
        ("a payload length in five octets", |mut draft| {
            let payload = draft.payload_octets();
            let long = [&[0x5A][..], &(payload.len() as u32).to_be_bytes(), &payload].concat();
            draft.payload_block().items[4] = long;
            draft
        }),
    ];
    let sent = send_each(&mut peer, &ways)?;
    peer.settle()?;
    for (what, sent) in &sent {
        let outcome = match peer.came_back(sent) {
            None => "deletes",
            Some((octets, _)) if crate::bundle::rules::deterministic(octets).is_ok() => "writes anew",
            Some(_) => "passes on",
        };
        peer.tester.note(format!("the node {outcome} a bundle with {what}"));
    }
    Ok(())
}

fn unknown_crc_types(tester: &mut Tester<'_>) -> Result<(), Finding> {
    fn with(place: usize, mut draft: Draft, crc_type: Vec<u8>, value: &[u8]) -> Draft {
        let block = if place == 0 { &mut draft.primary } else { draft.payload_block() };
        block.items[if place == 0 { 2 } else { 3 }] = crc_type;
        block.crc = Crc::Item(cbor::bytes(value));
        draft
    }
    none_passes(
        tester,
        &[
            ("CRC type 3 of two octets on the payload", |draft| with(1, draft, cbor::uint(3), &[0; 2])),
            ("CRC type 3 of four octets on the payload", |draft| with(1, draft, cbor::uint(3), &[0; 4])),
            ("CRC type 3 of eight octets on the payload", |draft| with(1, draft, cbor::uint(3), &[0; 8])),
            ("CRC type 3 of two octets on the primary block", |draft| with(0, draft, cbor::uint(3), &[0; 2])),
            ("CRC type 3 of four octets on the primary block", |draft| with(0, draft, cbor::uint(3), &[0; 4])),
            ("CRC type 3 of eight octets on the primary block", |draft| with(0, draft, cbor::uint(3), &[0; 8])),
            ("CRC type -1", |draft| with(1, draft, vec![0x20], &[0; 4])),
            ("a text for CRC type", |draft| with(1, draft, cbor::text("2"), &[0; 4])),
        ],
    )
}

fn crcs_against_their_type(tester: &mut Tester<'_>) -> Result<(), Finding> {
    fn told(mut draft: Draft, crc_type: u64, crc: Crc) -> Draft {
        let block = draft.payload_block();
        block.items[3] = cbor::uint(crc_type);
        block.crc = crc;
        draft
    }
    none_passes(
        tester,
        &[
            ("CRC type 0 and a CRC", |draft| told(draft, 0, Crc::Right(Width::ThirtyTwo))),
            ("CRC type 2 and no CRC", |draft| told(draft, 2, Crc::Absent)),
            ("CRC type 1 and four octets", |draft| told(draft, 1, Crc::Right(Width::ThirtyTwo))),
            ("CRC type 2 and two octets", |draft| told(draft, 2, Crc::Right(Width::Sixteen))),
            ("a CRC that is an unsigned integer", |mut draft| {
                let mut open = draft.payload_block().clone();
                open.crc = Crc::Item(Vec::new());
                let before = [open.encode(), vec![0x44]].concat();
                let value = u32::from_be_bytes(Width::ThirtyTwo.over(&before).try_into().unwrap_or([0; 4]));
                told(draft, 2, Crc::Item(cbor::uint(value.into())))
            }),
        ],
    )
}

fn malformed_endpoints(tester: &mut Tester<'_>) -> Result<(), Finding> {
    fn to(draft: Draft, destination: Vec<u8>) -> Draft {
        draft.item(3, destination)
    }
    fn pair(scheme: u64, part: Vec<u8>) -> Vec<u8> {
        cbor::array(&[cbor::uint(scheme), part])
    }
    none_passes(
        tester,
        &[
            ("a destination that is a text", |draft| to(draft, cbor::text("ipn:1.1"))),
            ("an ipn destination with a text", |draft| to(draft, pair(2, cbor::text("1.1")))),
            ("an ipn destination with one number", |draft| to(draft, pair(2, cbor::array(&[cbor::uint(1)])))),
            ("a dtn destination with the number 5", |draft| to(draft, pair(1, cbor::uint(5)))),
            ("a dtn destination with a byte string", |draft| to(draft, pair(1, cbor::bytes(&[0])))),
            ("a destination of scheme 0", |draft| to(draft, pair(0, cbor::uint(0)))),
            ("a destination of three elements", |draft| {
                let numbers = draft.primary.items[3][2..].to_vec();
                to(draft, cbor::array(&[cbor::uint(2), numbers, cbor::uint(0)]))
            }),
            ("a negative node number", |draft| to(draft, pair(2, cbor::array(&[vec![0x20], cbor::uint(1)])))),
        ],
    )
}

fn primary_without_crc(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let base = peer.bundle().primary_crc(Crc::Absent);
    let sent = peer.send(&base)?;
    peer.settle()?;
    let outcome = if peer.came_back(&sent).is_some() { "forwards" } else { "deletes" };
    peer.tester.note(format!("the node {outcome} a bundle whose primary block has no CRC"));
    Ok(())
}

/// A bundle that was damaged on the way must not go on as if it were sound; passing it on with its wrong CRC shows that the
/// node does not look, which it only should.
fn damage_is_kept_apart(peer: &Peer<'_, '_>, what: &str, sent: &Sent) -> Result<(), Finding> {
    let expected = format!("a bundle with {what} is deleted");
    if peer.was_delivered(&sent.payload) {
        return Err(Finding::deviation(expected, "it was delivered"));
    }
    let Some((octets, _)) = peer.came_back(sent) else { return Ok(()) };
    match crate::bundle::rules::crcs_are_right(octets) {
        Ok(()) => Err(Finding::deviation(expected, "it came back with a CRC that was computed anew")),
        Err(_) => Err(Finding::warning(expected, "it came back with the wrong CRC")),
    }
}

fn damage_shows(tester: &mut Tester<'_>, ways: &[Spoiling]) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let sent = send_each(&mut peer, ways)?;
    peer.settle()?;
    super::worst_of(sent.iter().filter_map(|(what, sent)| damage_is_kept_apart(&peer, what, sent).err()).collect())
}

fn damaged_primary(tester: &mut Tester<'_>) -> Result<(), Finding> {
    damage_shows(
        tester,
        &[
            ("a wrong CRC on the primary block", |draft| draft.primary_crc(Crc::Wrong(Width::ThirtyTwo))),
            ("another destination under the old CRC", |draft| {
                let old = draft.primary.encode();
                let value = old[old.len() - 4..].to_vec();
                let mut changed = draft;
                // The service number, the last octet of the destination, so that the way is the same.
                if let Some(last) = changed.primary.items[3].last_mut() {
                    *last ^= 1;
                }
                changed.primary.crc = Crc::Item(cbor::bytes(&value));
                changed
            }),
        ],
    )
}

fn damaged_payload(tester: &mut Tester<'_>) -> Result<(), Finding> {
    damage_shows(
        tester,
        &[
            ("a wrong CRC-32C on the payload", |draft| draft.payload_crc(Crc::Wrong(Width::ThirtyTwo))),
            ("a wrong CRC-16 on the payload", |draft| draft.payload_crc(Crc::Wrong(Width::Sixteen))),
        ],
    )
}

fn damaged_extensions(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let unknown = tester.bundles()?.unknown_blocks[0];
    let mut peer = Peer::new(tester)?;
    let wrong = || Crc::Wrong(Width::ThirtyTwo);
    let hops = Block::new(block_type::HOP_COUNT, 2, 0, &content::hops(30, 0)).crc(wrong());
    let other = Block::new(unknown, 2, block_flags::DISCARD, b"what others know").crc(wrong());
    let mut sent = Vec::new();
    for (what, block) in [("a wrong CRC on a Hop Count block", hops), ("a wrong CRC on an unknown block", other)] {
        let base = peer.bundle().with(block);
        sent.push((what, peer.send(&base)?));
    }
    peer.settle()?;
    // A node that does not check the CRC may write the Hop Count block anew, and may remove the unknown one, as it should.
    let each = |(what, sent): &(&str, Sent)| damage_is_kept_apart(&peer, what, sent);
    sent.iter().try_for_each(each).map_err(|finding| finding.at_most(crate::Grade::Warn))
}

fn malformed_primary(tester: &mut Tester<'_>) -> Result<(), Finding> {
    none_passes(
        tester,
        &[
            ("seven elements in the primary block", |mut draft| {
                draft.primary.items.remove(5);
                draft.primary_crc(Crc::Absent)
            }),
            ("twelve elements in the primary block", |draft| {
                let mut draft = draft.fragment(500, 2000);
                draft.primary.items.push(cbor::uint(0));
                draft
            }),
            ("the fragment flag and neither offset nor length", |draft| draft.flags(1)),
            ("offset and length without the fragment flag", |draft| draft.fragment(500, 2000).flags(0)),
            ("a text for lifetime", |draft| draft.item(7, cbor::text("3600000"))),
            ("a creation timestamp of three elements", |mut draft| {
                let inner = draft.primary.items[6][1..].to_vec();
                draft.primary.items[6] = [vec![0x83], inner, cbor::uint(0)].concat();
                draft
            }),
            ("negative flags", |draft| draft.item(1, vec![0x20])),
        ],
    )
}

fn other_versions(tester: &mut Tester<'_>) -> Result<(), Finding> {
    none_passes(
        tester,
        &[("version 6", |draft| draft.item(0, cbor::uint(6))), ("version 8", |draft| draft.item(0, cbor::uint(8)))],
    )?;
    // RFC 5050: version, flags, length of the block, four endpoint IDs of offset 0 in the dictionary, creation time and
    // number, lifetime, an empty dictionary; a payload block of 4 octets.
    let genuine =
        [0x06, 0x10, 0x0F, 0, 0, 0, 0, 0, 0, 0, 0, 0x83, 0x9A, 0x10, 0x01, 0x8E, 0x10, 0, 0x01, 0x08, 0x04, 1, 2, 3, 4];
    let mut peer = Peer::new(tester)?;
    peer.send_octets(&genuine)?;
    peer.settle()
}

fn malformed_blocks(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let strict: &[Spoiling] = &[
        ("a payload in an indefinite byte string", |mut draft| {
            let chunk = draft.payload_block().items[4].clone();
            draft.payload_block().items[4] = [vec![0x5F], chunk, vec![0xFF]].concat();
            draft
        }),
        ("a payload that is a text", |mut draft| {
            let letters: String = draft.payload_octets().iter().map(|octet| char::from(b'a' + octet % 26)).collect();
            draft.payload_block().items[4] = cbor::text(&letters);
            draft
        }),
        ("a payload block of four elements", |mut draft| {
            draft.payload_block().items.remove(2);
            draft.payload_crc_absent()
        }),
        ("a payload block of seven elements", |mut draft| {
            draft.payload_block().items.push(cbor::uint(0));
            draft
        }),
        ("a text for block type", |draft| draft.with(Block::new(0, 2, 0, b"x").item(0, cbor::text("hop count")))),
        ("an extension block with number 0", |draft| draft.with(hops_with_number(0))),
        ("a payload block with number 2", |mut draft| {
            draft.payload_block().items[1] = cbor::uint(2);
            draft
        }),
        ("an extension block with number 1", |draft| draft.with(hops_with_number(1))),
    ];
    none_passes(tester, strict)?;
    // §4.1 says "uniquely identifies" without a keyword.
    let twice: &[Spoiling] = &[("two blocks with number 2", |draft| {
        draft.with(hops_with_number(2)).with(Block::new(block_type::BUNDLE_AGE, 2, 0, &content::age(0)))
    })];
    none_passes(tester, twice).map_err(|finding| finding.at_most(crate::Grade::Warn))
}

fn hops_with_number(number: u64) -> Block {
    Block::new(block_type::HOP_COUNT, number, 0, &content::hops(30, 0))
}

impl Draft {
    /// A payload block without CRC, whatever its items are.
    fn payload_crc_absent(mut self) -> Draft {
        self.payload_block().crc = Crc::Absent;
        self
    }
}

fn malformed_content(tester: &mut Tester<'_>) -> Result<(), Finding> {
    fn with(draft: Draft, block_type: u64, data: &[u8]) -> Draft {
        draft.with(Block::new(block_type, 2, 0, data))
    }
    none_passes(
        tester,
        &[
            ("a Bundle Age that is a text", |draft| with(draft, 7, &cbor::text("1"))),
            ("a Bundle Age that is an array", |draft| with(draft, 7, &cbor::array(&[cbor::uint(1)]))),
            ("an empty Bundle Age", |draft| with(draft, 7, &[])),
            ("a Previous Node that is an integer", |draft| with(draft, 6, &cbor::uint(2))),
            ("a Hop Count of one element", |draft| with(draft, 10, &cbor::array(&[cbor::uint(30)]))),
            ("a Hop Count that is a text", |draft| with(draft, 10, &cbor::text("30"))),
            ("hop limit 0", |draft| with(draft, 10, &content::hops(0, 0))),
            ("hop limit 256", |draft| with(draft, 10, &content::hops(256, 0))),
        ],
    )
}

fn malformed_for_both(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let spoil = |mut draft: Draft| {
        draft.payload_block().items[3] = cbor::uint(7);
        draft
    };
    let mut sent = Vec::new();
    let remote = spoil(peer.bundle());
    sent.push(peer.send(&remote)?);
    let local = spoil(peer.local_bundle());
    sent.push(peer.send(&local)?);
    peer.settle()?;
    for sent in &sent {
        peer.was_dropped(sent, "its payload block has CRC type 7")?;
    }
    Ok(())
}
