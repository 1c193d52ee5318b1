//! Sessions that the node originates: how it is made to, its data, and the reports of the tester.

use farlink_engine::ranges::RangeSet;
use farlink_units::{Duration, Instant};

use super::super::block;
use super::{Heard, Id, Peer, Verdict, contains};
use crate::medium::{Door, Order};
use crate::outcome::Finding;
use crate::profile::Originate;
use crate::segment::{Body, Raw, code};

impl Peer<'_, '_> {
    /// Acknowledges a cancellation by the node as sender.
    pub(in crate::cases) fn cas(&mut self, id: Id) -> Verdict {
        self.send(Door::Ltp, &Raw::new(code::CAS, id, Body::CancelAck))
    }

    /// Makes the node send a block with a random payload, and waits for its first segment.
    pub(in crate::cases) fn begin(&mut self, length: usize) -> Result<Id, Finding> {
        let (id, _) = self.begin_known(length)?;
        Ok(id)
    }

    pub(super) fn begin_known(&mut self, length: usize) -> Result<(Id, Vec<u8>), Finding> {
        let payload = self.ask_for(length)?;
        let within = self.t_ack() + self.t_ack();
        let id = self.first_segment(within)?;
        Ok((id, payload))
    }

    /// Makes the node send a block of about this length. Returns the payload that its bundle has.
    pub(in crate::cases) fn ask_for(&mut self, length: usize) -> Result<Vec<u8>, Finding> {
        let payload = block::random(self.t, length.saturating_sub(80).max(40));
        self.wanted = Some(payload[..24].to_vec());
        self.found = None;
        match self.t.profile().originate {
            Originate::Ordered => {
                let order = Order::Originate {
                    door: Door::Ltp,
                    payload: payload.clone(),
                    lifetime: Duration::from_secs(3600),
                    flags: 0,
                    anonymous: false,
                };
                self.t.order(&order)?;
                Ok(payload)
            }
            Originate::Relayed => self.relay(length),
            Originate::Passive => Err(Finding::unsupported("nothing makes the node send a block over LTP")),
        }
    }

    /// Sends the node a bundle that it has to send back over LTP.
    pub(super) fn relay(&mut self, length: usize) -> Result<Vec<u8>, Finding> {
        let Some(relay) = &self.node.relay else {
            return Err(Finding::unsupported("no endpoint is described that the node reaches over LTP"));
        };
        let Some(block) = block::bundle_of(self.t, relay, length.max(140)) else {
            return Err(Finding::unsupported("the node has no bundle agent that would relay a bundle"));
        };
        let payload = block.payload.clone();
        self.wanted = Some(payload[..24].to_vec());
        let end = block.octets.len() as u64;
        let number = self.session_number();
        let s = self.register(self.node.tester, number, Door::Ltp, block);
        let step = 1000;
        let mut at = 0;
        while end - at > step {
            self.red(s, at..at + step)?;
            at += step;
        }
        let serial = self.serial();
        self.checkpoint(s, code::EOB, at..end, serial)?;
        self.reported(s, serial)?;
        Ok(payload)
    }

    /// The first segment of what the node was asked to send.
    pub(in crate::cases) fn first_segment(&mut self, within: Duration) -> Result<Id, Finding> {
        let until = self.now() + within;
        while self.found.is_none() {
            if self.reused {
                let expected = "a session of its own for every block of the node";
                return Err(Finding::deviation(expected, "a block came in the session of another one"));
            }
            if !self.receive(until)? {
                let what = "the first segment of the block that the node was made to send";
                let actual = format!("no segment with its data in {within}");
                return Err(match self.t.profile().originate {
                    // The way back is the bundle agent's, and no matter of LTP.
                    Originate::Relayed => Finding::inconclusive(
                        what,
                        format!(
                            "{actual}: it took the bundle whose way leads back, and did not send it; look at its routes"
                        ),
                    ),
                    _ => Finding::silence(what, actual),
                });
            }
        }
        self.found.ok_or_else(|| Finding::bench_error("no session was found"))
    }

    /// Makes the node send a block of about this length, and waits until it has sent all of it once.
    pub(in crate::cases) fn trigger(&mut self, length: usize) -> Result<Id, Finding> {
        let (id, payload) = self.begin_known(length)?;
        self.whole_block(id)?;
        let known = self.block(id)?;
        if !contains(&known, &payload) {
            let actual = format!("{} octets that do not contain it", known.len());
            return Err(Finding::deviation("a block with the data that the node was made to send", actual));
        }
        Ok(id)
    }

    /// Waits until the node has sent all of a block.
    pub(in crate::cases) fn whole_block(&mut self, id: Id) -> Verdict {
        let until = self.now() + self.t_ack() + self.t_ack();
        while self.block_end(id).is_none() {
            if !self.receive(until)? {
                return Err(Finding::silence("the segment that ends the block", self.tell_since(0)));
            }
        }
        Ok(())
    }

    /// A block long enough for several segments.
    pub(in crate::cases) fn several(&self) -> usize {
        8000.max((5 * self.node.segment_size).min(400_000))
    }

    /// The data segments of a session of the node, as they came.
    pub(in crate::cases) fn data_of(&self, id: Id) -> &[Heard] {
        self.theirs.get(&id).map_or(&[], |state| &state.data)
    }

    /// Where the node's block ends.
    pub(in crate::cases) fn block_end(&self, id: Id) -> Option<u64> {
        let ends = |heard: &&Heard| matches!(heard.code(), code::EOB | code::GREEN_EOB);
        self.data_of(id).iter().find(ends).and_then(|heard| heard.segment.range()).map(|range| range.end)
    }

    /// Where the red part of the node's block ends.
    pub(in crate::cases) fn red_end(&self, id: Id) -> Option<u64> {
        let ends = |heard: &&Heard| matches!(heard.code(), code::EOB | code::EORP);
        self.data_of(id).iter().find(ends).and_then(|heard| heard.segment.range()).map(|range| range.end)
    }

    /// The node's block, put together.
    pub(in crate::cases) fn block(&self, id: Id) -> Result<Vec<u8>, Finding> {
        let mut have = RangeSet::new();
        let mut octets = Vec::new();
        for heard in self.data_of(id) {
            let Some(range) = heard.segment.range() else { continue };
            if range.end > 1 << 24 {
                return Err(Finding::deviation("data within the block", heard.segment.tell()));
            }
            octets.resize(octets.len().max(range.end as usize), 0);
            octets[range.start as usize..range.end as usize].copy_from_slice(heard.segment.data());
            have.insert(range);
        }
        let end = self.block_end(id).unwrap_or(octets.len() as u64);
        let holes = have.gaps(0..end);
        match holes.is_empty() {
            true => Ok(octets),
            false => Err(Finding::deviation("every octet of the block", format!("{holes:?} was never sent"))),
        }
    }

    /// The checkpoints of a session of the node in the order in which they first came: serial number, report serial number
    /// and the segment.
    pub(in crate::cases) fn checkpoints(&self, id: Id) -> Vec<(u64, u64, &Heard)> {
        let mut all: Vec<(u64, u64, &Heard)> = Vec::new();
        for heard in self.data_of(id) {
            let Some((serial, report)) = heard.segment.checkpoint() else { continue };
            if all.iter().all(|(other, ..)| *other != serial) {
                all.push((serial, report, heard));
            }
        }
        all
    }

    /// The serial number of the newest checkpoint.
    pub(in crate::cases) fn last_checkpoint(&self, id: Id) -> Result<u64, Finding> {
        let last = self.checkpoints(id).last().map(|(serial, ..)| *serial);
        last.ok_or_else(|| Finding::deviation("a checkpoint in the block", "none came"))
    }

    /// Reports on a session of the node with a fresh serial number, which is returned. Claims count from the lower bound.
    pub(in crate::cases) fn rs(
        &mut self,
        id: Id,
        checkpoint: u64,
        upper: u64,
        lower: u64,
        claims: &[(u64, u64)],
    ) -> Result<u64, Finding> {
        let serial = self.theirs.get_mut(&id).map_or(1, |state| {
            state.next_report += 1;
            state.next_report
        });
        self.rs_again(id, serial, checkpoint, upper, lower, claims)?;
        Ok(serial)
    }

    /// Reports with a serial number that is given.
    pub(in crate::cases) fn rs_again(
        &mut self,
        id: Id,
        serial: u64,
        checkpoint: u64,
        upper: u64,
        lower: u64,
        claims: &[(u64, u64)],
    ) -> Verdict {
        let body = Body::Report { serial, checkpoint, upper, lower, claims: claims.to_vec() };
        self.send(Door::Ltp, &Raw::new(code::RS, id, body))
    }

    /// The acknowledgment of a report of the tester.
    pub(in crate::cases) fn expect_ra(&mut self, id: Id, serial: u64) -> Verdict {
        let within = self.t_ack();
        self.expect(format!("RA({serial}) in session ({}, {})", id.0, id.1), within, |heard| {
            (heard.is(code::RA, id) && heard.segment.body == Body::ReportAck(serial)).then_some(())
        })
    }

    /// Reports the whole red part of a session of the node in answer to its last checkpoint, and waits for the acknowledgment.
    pub(in crate::cases) fn complete(&mut self, id: Id) -> Result<u64, Finding> {
        let checkpoint = self.last_checkpoint(id)?;
        let end = self.red_end(id).ok_or_else(|| Finding::deviation("an end of the red part", "none came"))?;
        let serial = self.rs(id, checkpoint, end, 0, &[(0, end)])?;
        self.expect_ra(id, serial)?;
        Ok(serial)
    }

    /// Waits for a data segment of a session of the node that came after the first `known` ones.
    pub(in crate::cases) fn next_data(
        &mut self,
        id: Id,
        known: usize,
        until: Instant,
    ) -> Result<Option<Heard>, Finding> {
        while self.data_of(id).len() <= known {
            if !self.receive(until)? {
                return Ok(None);
            }
        }
        Ok(self.data_of(id).get(known).cloned())
    }

    /// The segments that the node sends again after the first `known` ones of a session, up to and with the next checkpoint
    /// that is new. Checkpoints that their timer repeats are left out.
    pub(in crate::cases) fn retransmission(&mut self, id: Id, known: usize) -> Result<Vec<Heard>, Finding> {
        let until = self.now() + self.t_ack();
        let mut at = known;
        let mut again = Vec::new();
        loop {
            let Some(heard) = self.next_data(id, at, until)? else {
                let actual = match again.len() {
                    0 => "no data came".to_owned(),
                    seen => format!("{seen} segments came, and no new checkpoint among them"),
                };
                return Err(Finding::silence("missing data sent again, with a checkpoint at the end", actual));
            };
            let serial = heard.segment.checkpoint().map(|(serial, _)| serial);
            let is_serial = |other: &Heard| other.segment.checkpoint().map(|(serial, _)| serial) == serial;
            if serial.is_none() || !self.data_of(id)[..at].iter().any(is_serial) {
                again.push(heard);
                if serial.is_some() {
                    return Ok(again);
                }
            }
            at += 1;
        }
    }
}
