//! How bundles go to the node and come from it: whatever carries them, a case sends and takes whole bundles.
//!
//! A carrier plays the well-behaved side of its convergence layer: it acknowledges what comes, keeps sessions alive and ends
//! them. Its state lives as long as one [`Peer`](crate::peer::Peer), so that each case begins anew.

mod ltp;
mod streams;
mod tcpcl;

use farlink_units::Instant;
use farlink_wire::udpcl;
use rand::Rng as _;

use crate::bundle::cbor;
use crate::medium::{Arrival, Door, Happening};
use crate::outcome::Finding;
use crate::profile::Profile;
use crate::tester::Tester;

/// Longest bundle that is taken from a node over a stream, in octets.
const LONGEST_TAKEN: u64 = 64 << 20;

/// One convergence layer, and its state.
pub enum Carrier {
    /// One bundle to a datagram (RFC 7122 section 3.2).
    Datagrams,
    /// One bundle or several to a red block.
    Ltp(Box<ltp::Blocks>),
    /// Bundles one after the other in streams, each way its own: STCP and MTCP.
    Streams(streams::Streams),
    /// Transfers of TCPCL sessions.
    Tcpcl(tcpcl::Sessions),
}

impl Carrier {
    /// The carrier over a door.
    ///
    /// # Errors
    /// The profile does not describe the layers below.
    pub fn new(tester: &mut Tester<'_>, door: Door) -> Result<Carrier, Finding> {
        Ok(match door {
            Door::Udp => Carrier::Datagrams,
            Door::Ltp | Door::SecondLtp => {
                let seed = tester.rng.next_u64();
                Carrier::Ltp(Box::new(ltp::Blocks::new(tester, door, seed)?))
            }
            Door::Stcp | Door::Mtcp => Carrier::Streams(streams::Streams::new(door)),
            Door::Tcpcl => Carrier::Tcpcl(tcpcl::Sessions::new(tester)?),
        })
    }

    /// Longest bundle that goes over a door in one piece, in octets.
    pub fn longest(profile: &Profile, door: Door) -> usize {
        let told = profile.bundles.as_ref().map_or(usize::MAX, |bundles| bundles.longest_taken);
        match door {
            Door::Udp => told.min(udpcl::MAX_BUNDLE),
            _ => told,
        }
    }

    /// Sends a bundle, or what is to be taken for one. Where a session is needed and not there, it is opened and waited for.
    ///
    /// # Errors
    /// The layer does not come about, or the node ends.
    pub fn send(&mut self, tester: &mut Tester<'_>, bundle: &[u8]) -> Result<(), Finding> {
        match self {
            Carrier::Datagrams => tester.send(Door::Udp, bundle),
            Carrier::Ltp(blocks) => blocks.send(tester, bundle),
            Carrier::Streams(streams) => streams.send(tester, bundle),
            Carrier::Tcpcl(sessions) => sessions.send(tester, bundle),
        }
    }

    /// Takes something that has come from the node: the bundles that are whole with it.
    ///
    /// # Errors
    /// What came breaks the layer so that no bundle can be told.
    pub fn take(&mut self, tester: &mut Tester<'_>, arrival: &Arrival) -> Result<Vec<Vec<u8>>, Finding> {
        match (self, &arrival.what) {
            (Carrier::Datagrams, Happening::Datagram { door: Door::Udp, octets }) => Ok(match octets[..] {
                // A keep-alive (RFC 7122 section 3.4).
                [0, 0, 0, 0] => Vec::new(),
                _ => vec![octets.clone()],
            }),
            (Carrier::Datagrams, _) => Ok(Vec::new()),
            (Carrier::Ltp(blocks), what) => blocks.take(tester, what),
            (Carrier::Streams(streams), what) => streams.take(what),
            (Carrier::Tcpcl(sessions), what) => sessions.take(tester, what),
        }
    }

    /// Bundles that came while the carrier waited for something of its own.
    pub fn early(&mut self) -> Vec<Vec<u8>> {
        match self {
            Carrier::Tcpcl(sessions) => sessions.early(),
            _ => Vec::new(),
        }
    }

    /// When [`Carrier::wake`] is due.
    pub fn due(&self) -> Option<Instant> {
        match self {
            Carrier::Datagrams | Carrier::Streams(_) => None,
            Carrier::Ltp(blocks) => blocks.due(),
            Carrier::Tcpcl(sessions) => sessions.due(),
        }
    }

    /// Acts on timers that have run out.
    ///
    /// # Errors
    /// The port refuses.
    pub fn wake(&mut self, tester: &mut Tester<'_>) -> Result<(), Finding> {
        match self {
            Carrier::Datagrams | Carrier::Streams(_) => Ok(()),
            Carrier::Ltp(blocks) => blocks.wake(tester),
            Carrier::Tcpcl(sessions) => sessions.wake(tester),
        }
    }

    /// Ends sessions and closes connections.
    pub fn close(&mut self, tester: &mut Tester<'_>) {
        match self {
            Carrier::Datagrams | Carrier::Ltp(_) => {}
            Carrier::Streams(streams) => streams.close(tester),
            Carrier::Tcpcl(sessions) => sessions.close(tester),
        }
    }
}

/// The bundles that stand one after the other. What is no CBOR item is one piece to the end.
fn split(mut octets: &[u8]) -> Vec<Vec<u8>> {
    let mut bundles = Vec::new();
    while !octets.is_empty() {
        let end = cbor::read(octets, 0).map_or(octets.len(), |item| item.range.end);
        bundles.push(octets[..end].to_vec());
        octets = &octets[end..];
    }
    bundles
}
