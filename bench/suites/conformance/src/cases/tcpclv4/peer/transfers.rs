//! Bundles in both directions: made, sent, taken, and how the node is made to send some.

use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::{
    BlockFlags, Bundle, BundleFlags, CanonicalBlock, CrcType, CreationTimestamp, Eid, PrimaryBlock,
};
use rand::RngExt as _;

use super::super::message::{END, Message, START, refuse, segment, xfer_ack, xfer_refuse};
use super::Peer;
use crate::medium::{Door, Order};
use crate::outcome::Finding;
use crate::profile::Originate;
use crate::tester::Tester;

/// A transfer of the node that is complete.
#[derive(Clone, Debug)]
pub(in crate::cases::tcpclv4) struct Transfer {
    pub id: u64,
    /// Flags and data length of each segment.
    pub segments: Vec<(u8, usize)>,
    /// The extension list of its first segment.
    pub items: Vec<u8>,
    pub data: Vec<u8>,
}

/// A bundle for the node's own endpoint with so much payload. No two are the same.
pub(in crate::cases::tcpclv4) fn bundle(t: &mut Tester<'_>, payload: usize) -> Result<Vec<u8>, Finding> {
    let destination = t.bundles()?.local.clone();
    let mut data = vec![0; payload];
    t.rng.fill(&mut data[..]);
    bundle_with(t, destination, data)
}

/// A bundle for any endpoint with this payload.
pub(crate) fn bundle_with(t: &mut Tester<'_>, destination: Eid, payload: Vec<u8>) -> Result<Vec<u8>, Finding> {
    let at_zero = t.bundles()?.dtn_time_at_zero_ms;
    let source = t.profile().endpoint(Door::Tcpcl).cloned().unwrap_or(Eid::None);
    let since = u64::try_from((t.now() - Instant::ZERO).as_millis()).unwrap_or(0);
    let bundle = Bundle {
        primary: PrimaryBlock {
            flags: BundleFlags(0),
            crc: CrcType::Crc32c,
            destination,
            source,
            report_to: Eid::None,
            creation: CreationTimestamp { time_ms: at_zero + since, sequence: t.rng.random::<u32>().into() },
            lifetime_ms: 3_600_000,
            fragment: None,
        },
        blocks: vec![CanonicalBlock {
            block_type: 1,
            number: 1,
            flags: BlockFlags(0),
            crc: CrcType::Crc32c,
            data: payload.into(),
        }],
    };
    Ok(bundle.emit())
}

/// How long the node may take from having a bundle to its last segment at the tester.
pub(in crate::cases::tcpclv4) fn sending_time(t: &Tester<'_>) -> Duration {
    // The bundle comes to the node by another door, is taken and forwarded; what is long comes window by window.
    t.profile().answer_time() + t.profile().answer_time() + t.profile().round_trip
}

impl Peer {
    /// Refuses a transfer of the node.
    pub(in crate::cases::tcpclv4) fn refuse(&mut self, t: &mut Tester<'_>, reason: u8, id: u64) -> Result<(), Finding> {
        self.refused.push(id);
        self.write(t, &xfer_refuse(reason, id))
    }

    /// Sends a bundle in one segment, and expects that it is taken.
    pub(in crate::cases::tcpclv4) fn deliver(&mut self, t: &mut Tester<'_>) -> Result<(), Finding> {
        let data = bundle(t, 100)?;
        let id = self.fresh_id();
        self.write(t, &segment(START | END, id, &[], &data))?;
        self.expect_taken(t, id, data.len())
    }

    /// A transfer ID that the tester has not used in this session.
    pub(in crate::cases::tcpclv4) fn fresh_id(&mut self) -> u64 {
        let id = 1_000_000 + self.next_id;
        self.next_id += 1;
        id
    }

    /// That the last segment of a transfer is acknowledged, or the bundle is known already. Which flags an acknowledgment of all
    /// octets bears is for the cases on section 5.2.3.
    pub(in crate::cases::tcpclv4) fn expect_taken(
        &mut self,
        t: &mut Tester<'_>,
        id: u64,
        length: usize,
    ) -> Result<(), Finding> {
        let expected = format!("XFER_ACK of all {length} octets of transfer {id}");
        let told = self.expect(t, &expected, |message| match message {
            Message::Ack { id: of, length: all, .. } if *of == id && *all == length as u64 => Some(Ok(*all)),
            Message::Ack { id: of, length: all, flags } if *of == id && *flags & END != 0 => Some(Ok(*all)),
            Message::Refuse { id: of, reason: refuse::COMPLETED } if *of == id => Some(Ok(length as u64)),
            Message::Refuse { id: of, .. } if *of == id => Some(Err(message.told())),
            _ => None,
        })?;
        match told {
            Ok(all) if all == length as u64 => Ok(()),
            Ok(all) => Err(Finding::deviation(expected, format!("{all} octets are acknowledged"))),
            Err(told) => Err(Finding::deviation(expected, told)),
        }
    }

    /// Whether an acknowledgment of a whole transfer of so many octets has come so far, whatever flags it bears.
    pub(in crate::cases::tcpclv4) fn has_taken(&self, id: u64, length: usize) -> bool {
        self.log.iter().any(|(_, m)| match m {
            Message::Ack { id: of, flags, length: all } => *of == id && (flags & END != 0 || *all == length as u64),
            _ => false,
        })
    }

    /// Makes the node send a bundle of about so many octets over this session. Returns how its payload begins.
    pub(in crate::cases::tcpclv4) fn trigger(&mut self, t: &mut Tester<'_>, octets: usize) -> Result<Vec<u8>, Finding> {
        let mut payload = vec![0; octets];
        t.rng.fill(&mut payload[..]);
        let beginning = payload[..octets.min(16)].to_vec();
        match t.profile().originate {
            Originate::Ordered => {
                let lifetime = Duration::from_secs(3600);
                t.order(&Order::Originate { door: Door::Tcpcl, payload, lifetime, flags: 0, anonymous: false })?;
            }
            Originate::Relayed => {
                let Some(destination) = t.profile().endpoint(Door::Tcpcl).cloned() else {
                    return Err(Finding::unsupported("the description names no endpoint of the tester behind TCPCL"));
                };
                let data = bundle_with(t, destination, payload)?;
                let id = self.fresh_id();
                self.write(t, &segment(START | END, id, &[], &data))?;
            }
            Originate::Passive => return Err(Finding::unsupported("there is no way to make the node send a bundle")),
        }
        Ok(beginning)
    }

    /// The node's next complete transfer, within this time.
    pub(in crate::cases::tcpclv4) fn transfer(
        &mut self,
        t: &mut Tester<'_>,
        within: Duration,
    ) -> Result<Transfer, Finding> {
        let (before, until) = (self.transfers.len(), t.now() + within);
        while self.transfers.len() == before {
            if self.next(t, until)?.is_none() {
                return Err(self.with_last(self.silence("a transfer of the node")));
            }
        }
        Ok(self.transfers[before].clone())
    }

    /// A bundle of about so many octets that the node is made to send. What it has sent before that is passed over.
    pub(in crate::cases::tcpclv4) fn triggered(
        &mut self,
        t: &mut Tester<'_>,
        octets: usize,
    ) -> Result<Transfer, Finding> {
        let beginning = self.trigger(t, octets)?;
        loop {
            let within = sending_time(t);
            let sent = self.transfer(t, within)?;
            if sent.data.windows(beginning.len()).any(|window| window == beginning) {
                return Ok(sent);
            }
            if !self.acknowledges {
                // Another bundle, such as one that was refused before: a node that sends one at a time waits for this.
                let mut length = 0;
                for (flags, octets) in &sent.segments {
                    length += *octets as u64;
                    self.write(t, &xfer_ack(flags & (START | END), sent.id, length))?;
                }
            }
        }
    }
}
