//! Octets that nobody meant (§5.6).

use rand::Rng as _;

use crate::bundle::{Draft, rules};
use crate::case::{Case, Suite};
use crate::outcome::Finding;
use crate::peer::{Peer, What};
use crate::tester::Tester;

pub const CASES: &[Case] = &[Case::new("BP7-4.1-08", Suite::Bpv7, &["hostile"], mutations)];

/// Mutations of a bundle with its CRCs as they were.
const PLAIN: usize = 500;
/// Mutations with right CRCs.
const SOUND: usize = 200;
/// After so many the node is asked whether it is still there.
const BATCH: usize = 50;
/// Nesting of arrays.
const DEPTH: usize = 10_000;

fn mutations(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    for number in 0..PLAIN {
        let octets = peer.bundle().encode();
        let spoiled = mutated(&mut peer, octets, number);
        peer.send_octets(&spoiled)?;
        if number % BATCH == BATCH - 1 {
            nothing_wrong(&mut peer)?;
        }
    }
    for number in 0..SOUND {
        let mut draft = peer.bundle();
        spoil(&mut peer, &mut draft);
        peer.send_octets(&draft.encode())?;
        if number % BATCH == BATCH - 1 {
            nothing_wrong(&mut peer)?;
        }
    }
    peer.settle()?;
    nothing_wrong(&mut peer)
}

/// The node is alive, and what it has sent are bundles.
fn nothing_wrong(peer: &mut Peer<'_, '_>) -> Result<(), Finding> {
    peer.alive()?;
    for came in peer.waiting() {
        if let What::Bundle(octets, _) = &came.what {
            // That CRCs are checked at all is only recommended (§5.6 step 3).
            rules::is_formed(octets).map_err(|why| Finding::deviation("what is sent conforms", why))?;
        }
    }
    Ok(())
}

/// One octet changed, the end cut off, or a head that lies.
fn mutated(peer: &mut Peer<'_, '_>, mut octets: Vec<u8>, number: usize) -> Vec<u8> {
    let length = octets.len();
    let place = peer.tester.rng.next_u32() as usize % length;
    match number {
        // Truncation at every octet but the first.
        _ if number + 1 < length => octets.truncate(number + 1),
        _ => match number % 8 {
            0 => drop(octets.splice(place..place, [0x9A, 0xFF, 0xFF, 0xFF, 0xFF])),
            1 => drop(octets.splice(place..place, [0x5B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])),
            2 => drop(octets.splice(place..place, std::iter::repeat_n(0x81, DEPTH))),
            3 => octets[place] = octets[place] & 0xE0 | (28 + (number / 8 % 3) as u8),
            _ => octets[place] ^= 1 << (peer.tester.rng.next_u32() % 8),
        },
    }
    octets
}

/// One octet of an item of any block, under a right CRC. The creation timestamp stays, so that no two are one bundle.
fn spoil(peer: &mut Peer<'_, '_>, draft: &mut Draft) {
    let block = match peer.tester.rng.next_u32() % 2 {
        0 => &mut draft.primary,
        _ => draft.payload_block(),
    };
    let count = block.items.len();
    let item = match peer.tester.rng.next_u32() as usize % count {
        6 => 5,
        place => place,
    };
    if let Some(item) = block.items.get_mut(item) {
        let place = peer.tester.rng.next_u32() as usize % item.len();
        item[place] ^= 1 << (peer.tester.rng.next_u32() % 8);
    }
}
