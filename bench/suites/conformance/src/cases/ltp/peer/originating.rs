//! Sessions that the tester originates: its data, and the reports of the node.

use std::ops::Range;

use farlink_units::Duration;

use super::super::block::{self, Block};
use super::{Heard, OurState, Ours, Peer, Rs, Verdict};
use crate::medium::Door;
use crate::outcome::Finding;
use crate::segment::{Body, Raw, code};

impl Peer<'_, '_> {
    /// From 2^21 on, so that a number never equals a short one; 30 bits suit every engine.
    pub(super) fn session_number(&mut self) -> u64 {
        0x20_0000 + self.fresh_number() % 0x3fc0_0000
    }

    /// Opens a session with a fresh number for a block of this length.
    pub(in crate::cases) fn open(&mut self, length: usize) -> Ours {
        let number = self.session_number();
        self.open_as(number, length)
    }

    /// Opens the session of this number.
    pub(in crate::cases) fn open_as(&mut self, number: u64, length: usize) -> Ours {
        let block = block::block(self.t, length);
        self.register(self.node.tester, number, Door::Ltp, block)
    }

    /// Opens a session of another engine of the tester.
    pub(in crate::cases) fn open_for(&mut self, originator: u64, number: u64, door: Door, length: usize) -> Ours {
        let block = block::block(self.t, length);
        self.register(originator, number, door, block)
    }

    pub(super) fn register(&mut self, originator: u64, number: u64, door: Door, block: Block) -> Ours {
        let id = (originator, number);
        self.ours.insert(id, OurState { block, ..OurState::default() });
        self.doors.insert(id, door);
        Ours { id, door }
    }

    /// What the block of a session hands to its application.
    pub(in crate::cases) fn payload(&self, s: Ours) -> Vec<u8> {
        self.ours.get(&s.id).map(|state| state.block.payload.clone()).unwrap_or_default()
    }

    pub(super) fn content(&self, s: Ours, range: Range<u64>) -> Vec<u8> {
        let block = self.ours.get(&s.id).map_or(&[][..], |state| &state.block.octets);
        let octet = |at: u64| {
            let there = usize::try_from(at).ok().and_then(|at| block.get(at));
            there.copied().unwrap_or(at as u8)
        };
        (0..range.end - range.start).map(|at| octet(range.start.wrapping_add(at))).collect()
    }

    /// A data segment of a session, with the data that its block has there.
    pub(in crate::cases) fn ds(&self, s: Ours, code: u8, range: Range<u64>, checkpoint: Option<(u64, u64)>) -> Raw {
        let data = self.content(s, range.clone());
        let body = Body::Data { service: self.node.service, offset: range.start, checkpoint, data };
        Raw::new(code, s.id, body)
    }

    /// Sends red data without a checkpoint.
    pub(in crate::cases) fn red(&mut self, s: Ours, range: Range<u64>) -> Verdict {
        let segment = self.ds(s, code::RED, range, None);
        self.send(s.door, &segment)
    }

    /// Sends green data.
    pub(in crate::cases) fn green(&mut self, s: Ours, code: u8, range: Range<u64>) -> Verdict {
        let segment = self.ds(s, code, range, None);
        self.send(s.door, &segment)
    }

    /// Sends a checkpoint that answers no report.
    pub(in crate::cases) fn checkpoint(&mut self, s: Ours, code: u8, range: Range<u64>, serial: u64) -> Verdict {
        self.checkpoint_for(s, code, range, serial, 0)
    }

    /// Sends a checkpoint that answers a report.
    pub(in crate::cases) fn checkpoint_for(
        &mut self,
        s: Ours,
        code: u8,
        range: Range<u64>,
        serial: u64,
        report_serial: u64,
    ) -> Verdict {
        let segment = self.ds(s, code, range, Some((serial, report_serial)));
        self.send(s.door, &segment)
    }

    /// Acknowledges a report.
    pub(in crate::cases) fn ack(&mut self, s: Ours, serial: u64) -> Verdict {
        self.send(s.door, &Raw::new(code::RA, s.id, Body::ReportAck(serial)))
    }

    /// Cancels a session as its sender.
    pub(in crate::cases) fn cancel(&mut self, s: Ours, reason: u8) -> Verdict {
        self.send(s.door, &Raw::new(code::CS, s.id, Body::Cancel(reason)))
    }

    /// Acknowledges a cancellation by the node as receiver.
    pub(in crate::cases) fn car(&mut self, s: Ours) -> Verdict {
        self.send(s.door, &Raw::new(code::CAR, s.id, Body::CancelAck))
    }

    /// The first report that cites a checkpoint. It is not acknowledged.
    pub(in crate::cases) fn report(&mut self, s: Ours, checkpoint: u64) -> Result<Rs, Finding> {
        let what = format!("a report for checkpoint {checkpoint} in session ({}, {})", s.id.0, s.id.1);
        let within = self.t_ack();
        self.expect(what, within, |heard| {
            heard.report().filter(|rs| heard.session() == s.id && rs.checkpoint == checkpoint)
        })
    }

    /// The same, acknowledged.
    pub(in crate::cases) fn reported(&mut self, s: Ours, checkpoint: u64) -> Result<Rs, Finding> {
        let rs = self.report(s, checkpoint)?;
        self.ack(s, rs.serial)?;
        Ok(rs)
    }

    /// All report segments, in order of arrival, that cite a checkpoint until its report reaches `upper`, each acknowledged.
    pub(in crate::cases) fn whole_report(&mut self, s: Ours, checkpoint: u64, upper: u64) -> Result<Vec<Rs>, Finding> {
        let mut all = vec![self.reported(s, checkpoint)?];
        let until = self.now() + self.t_ack();
        while all.iter().all(|rs| rs.upper < upper) {
            let more = self.find(until, |heard| {
                heard.report().filter(|rs| heard.session() == s.id && rs.checkpoint == checkpoint)
            })?;
            let Some(rs) = more else { break };
            self.ack(s, rs.serial)?;
            if all.iter().all(|other| other.serial != rs.serial) {
                all.push(rs);
            }
        }
        Ok(all)
    }

    /// A cancel segment of the node as receiver.
    pub(in crate::cases) fn expect_cr(&mut self, s: Ours, reason: u8, within: Duration) -> Result<Heard, Finding> {
        let what = format!("CR with reason {reason:#04x} in session ({}, {})", s.id.0, s.id.1);
        let heard = self.expect(what.clone(), within, |heard| heard.is(code::CR, s.id).then(|| heard.clone()))?;
        match heard.reason() == Some(reason) {
            true => Ok(heard),
            false => Err(Finding::deviation(what, heard.segment.tell())),
        }
    }

    /// An acknowledgment of a cancel segment that the tester has sent.
    pub(in crate::cases) fn expect_cas(&mut self, s: Ours) -> Verdict {
        let within = self.t_ack();
        self.expect(format!("CAS in session ({}, {})", s.id.0, s.id.1), within, |heard| {
            heard.is(code::CAS, s.id).then_some(())
        })
    }

    /// A fresh session of one segment, which the node must report and does at once. What it would have answered to anything
    /// before has come by then.
    pub(in crate::cases) fn sentinel(&mut self) -> Verdict {
        let s = self.open(100);
        let serial = self.serial();
        self.checkpoint(s, code::EOB, 0..100, serial)?;
        let what = "a report of a fresh block of one segment";
        let within = self.t_ack();
        let wanted = |heard: &Heard| heard.report().filter(|rs| heard.session() == s.id && rs.checkpoint == serial);
        let first = self.find(self.now() + within, wanted)?;
        let rs = match first {
            Some(rs) => rs,
            None => {
                // A datagram may be lost.
                self.checkpoint(s, code::EOB, 0..100, serial)?;
                let within = within + self.node.report_timer;
                self.expect(what, within, wanted)?
            }
        };
        self.ack(s, rs.serial)?;
        if !rs.is_whole(100) {
            return Err(Finding::deviation(format!("{what}, which claims all of it"), rs.tell()));
        }
        // What the node defers, and what comes in the same instant.
        self.pause(self.node.defer)
    }
}
