//! Transfers from the peer (section 5.2).

use std::collections::VecDeque;

use farlink_units::Instant;
use farlink_wire::tcpcl::{
    ItemFlags, ItemList, Message, RefuseReason, RejectReason, SegmentFlags, SegmentHead, XferAck, XferRefuse,
};

use super::{Event, MessageType, NotWaiting, Output, Session};

/// What a waiting transfer counts for at least, so that many small ones are bounded too.
const LEAST_HELD: u64 = 1 << 10;

/// Octets that an answer takes in the output at most.
const ANSWER: usize = 18;

/// The segment whose data are arriving.
#[derive(Debug)]
struct Segment {
    flags: SegmentFlags,
    missing: u64,
    /// Whether the data belong to the transfer, or are passed over.
    wanted: bool,
}

/// The transfer that is arriving.
#[derive(Debug)]
struct Transfer {
    id: u64,
    data: Vec<u8>,
    /// The value of its Transfer Length item.
    total: Option<u64>,
}

/// An answer, in the order of what it answers. One that waits holds up those after it: a refusal must not overtake the
/// acknowledgment of an earlier transfer (section 5.2.4), and some stacks expect the same of acknowledgments.
#[derive(Debug)]
enum Answer {
    Ack(XferAck),
    Refuse(XferRefuse),
    /// The owner has not decided on this last segment.
    Awaited(XferAck),
}

#[derive(Debug, Default)]
pub(super) struct Receiving {
    segment: Option<Segment>,
    transfer: Option<Transfer>,
    /// The last transfer that was refused while segments of it might still come.
    refused: Option<XferRefuse>,
    answers: VecDeque<Answer>,
    /// What the transfers that wait for a decision count for.
    held: u64,
}

impl Receiving {
    /// Whether the next octets are data of a segment.
    pub(super) fn in_segment(&self) -> bool {
        self.segment.is_some()
    }

    /// Whether a transfer has begun that is not settled.
    pub(super) fn in_progress(&self) -> bool {
        self.transfer.is_some() || !self.answers.is_empty()
    }

    /// Octets of answers that are held up.
    pub(super) fn waiting(&self) -> usize {
        self.answers.len() * ANSWER
    }

    /// Forgets the transfer that is arriving, and all that waits for a decision.
    pub(super) fn fail(&mut self) -> Option<Event> {
        self.answers.clear();
        self.held = 0;
        self.transfer.take().map(failed)
    }

    fn awaits(&self, id: u64) -> bool {
        self.answers.iter().any(|answer| matches!(answer, Answer::Awaited(ack) if ack.transfer_id == id))
    }

    /// Sends the answers up to the first that waits.
    fn release(&mut self, output: &mut Output) {
        while let Some(answer) = self.answers.front() {
            match answer {
                Answer::Ack(ack) => output.message(&Message::Ack(*ack)),
                Answer::Refuse(refuse) => output.message(&Message::Refuse(*refuse)),
                Answer::Awaited(_) => return,
            }
            self.answers.pop_front();
        }
    }
}

fn failed(transfer: Transfer) -> Event {
    Event::ReceptionFailed { transfer: transfer.id, received: transfer.data.len() as u64 }
}

impl Session {
    /// The bundle of a [`Event::Received`] is stored: its last segment is acknowledged.
    ///
    /// # Errors
    /// It does not wait for a decision.
    pub fn accept(&mut self, transfer: u64) -> Result<(), NotWaiting> {
        self.decide(transfer, Answer::Ack)
    }

    /// The bundle of a [`Event::Received`] is not wanted: the transfer is refused.
    ///
    /// # Errors
    /// It does not wait for a decision.
    pub fn refuse(&mut self, transfer: u64, reason: RefuseReason) -> Result<(), NotWaiting> {
        self.decide(transfer, |ack| Answer::Refuse(XferRefuse { reason, transfer_id: ack.transfer_id }))
    }

    fn decide(&mut self, transfer: u64, decision: impl FnOnce(XferAck) -> Answer) -> Result<(), NotWaiting> {
        let receiving = &mut self.receiving;
        let waiting = receiving.answers.iter_mut().find_map(|answer| match answer {
            Answer::Awaited(ack) if ack.transfer_id == transfer => Some((*ack, answer)),
            _ => None,
        });
        let (ack, answer) = waiting.ok_or(NotWaiting { transfer })?;
        *answer = decision(ack);
        receiving.held -= ack.acknowledged_length.max(LEAST_HELD);
        receiving.release(&mut self.output);
        self.end_if_done();
        Ok(())
    }

    /// A segment begins. Refusals go out before its data have arrived.
    pub(super) fn on_segment(&mut self, now: Instant, head: SegmentHead<'_>) {
        let wanted = self.admit(&head);
        self.receiving.segment = Some(Segment { flags: head.flags, missing: head.data_length, wanted });
        self.on_segment_data(now, &[]);
    }

    /// Whether the data of this segment are wanted. If not, the peer has been told.
    fn admit(&mut self, head: &SegmentHead<'_>) -> bool {
        let id = head.transfer_id;
        if self.established.is_none() {
            // A peer that is told to end the session may have sent it before.
            if !self.is_ending() {
                self.reject(RejectReason::Unexpected, MessageType::XFER_SEGMENT);
            }
            return false;
        }
        if head.flags.contains(SegmentFlags::START) {
            let broken_off = self.receiving.transfer.take();
            let same = broken_off.as_ref().is_some_and(|transfer| transfer.id == id) || self.receiving.awaits(id);
            if let Some(transfer) = broken_off {
                if !same {
                    self.refuse_transfer(transfer.id, RefuseReason::Retransmit);
                }
                self.events.push_back(failed(transfer));
            }
            if same {
                // The number is taken, so an answer to either transfer would be one to both.
                self.reject(RejectReason::Unexpected, MessageType::XFER_SEGMENT);
                return false;
            }
            if self.is_ending() {
                self.refuse_transfer(id, RefuseReason::SessionTerminating);
                return false;
            }
            match self.read_items(head.items.unwrap_or_default()) {
                Ok(total) => self.receiving.transfer = Some(Transfer { id, data: Vec::new(), total }),
                Err(reason) => {
                    self.refuse_transfer(id, reason);
                    return false;
                }
            }
        }
        let Some(transfer) = self.receiving.transfer.as_ref().filter(|transfer| transfer.id == id) else {
            match self.receiving.refused.filter(|refused| refused.transfer_id == id) {
                Some(refused) => self.refuse_transfer(id, refused.reason),
                None => self.reject(RejectReason::Unexpected, MessageType::XFER_SEGMENT),
            }
            return false;
        };
        let length = (transfer.data.len() as u64).saturating_add(head.data_length);
        let too_long_segment = head.data_length > self.config.segment_mru;
        let reason = if too_long_segment || transfer.total.is_some_and(|total| length > total) {
            Some(RefuseReason::NotAcceptable)
        } else {
            (!self.has_room(length)).then_some(RefuseReason::NoResources)
        };
        if let Some(reason) = reason {
            if too_long_segment {
                self.reject(RejectReason::Unsupported, MessageType::XFER_SEGMENT);
            }
            let broken_off = self.receiving.transfer.take().map(failed);
            self.events.extend(broken_off);
            self.refuse_transfer(id, reason);
        }
        reason.is_none()
    }

    /// Whether a transfer may become so long.
    fn has_room(&self, length: u64) -> bool {
        let (mru, limit) = (self.config.transfer_mru, self.config.receive_limit);
        length <= mru && self.receiving.held.saturating_add(length.max(LEAST_HELD)) <= limit.max(LEAST_HELD)
    }

    /// The announced length, if any, of a transfer that may begin.
    fn read_items(&self, list: ItemList<'_>) -> Result<Option<u64>, RefuseReason> {
        let mut total = None;
        for item in list.items() {
            let item = item.map_err(|_| RefuseReason::ExtensionFailure)?;
            match item.transfer_length() {
                Ok(Some(length)) if total.is_none() => total = Some(length),
                Ok(None) if !item.flags.contains(ItemFlags::CRITICAL) => {}
                _ => return Err(RefuseReason::ExtensionFailure),
            }
        }
        if total.is_some_and(|total| !self.has_room(total)) {
            return Err(RefuseReason::NoResources);
        }
        Ok(total)
    }

    /// Takes what belongs to the segment from `octets` and tells how many those are.
    pub(super) fn on_segment_data(&mut self, now: Instant, octets: &[u8]) -> usize {
        let receiving = &mut self.receiving;
        let Some(segment) = &mut receiving.segment else { return 0 };
        let mine = octets.len().min(usize::try_from(segment.missing).unwrap_or(usize::MAX));
        segment.missing -= mine as u64;
        if let Some(transfer) = receiving.transfer.as_mut().filter(|_| segment.wanted) {
            transfer.data.extend_from_slice(&octets[..mine]);
            if mine > 0 {
                self.ending_progress = now;
            }
        }
        self.activity = now;
        if segment.missing == 0 {
            let (flags, wanted) = (segment.flags, segment.wanted);
            receiving.segment = None;
            if wanted {
                self.on_segment_end(flags);
            }
        }
        mine
    }

    fn on_segment_end(&mut self, flags: SegmentFlags) {
        let Some(transfer) = &self.receiving.transfer else { return };
        let length = transfer.data.len() as u64;
        let ack = XferAck { flags, transfer_id: transfer.id, acknowledged_length: length };
        if !flags.contains(SegmentFlags::END) {
            self.answer(Answer::Ack(ack));
            return;
        }
        let sound = length > 0 && transfer.total.is_none_or(|total| total == length);
        let Some(transfer) = self.receiving.transfer.take() else { return };
        if !sound {
            self.refuse_transfer(transfer.id, RefuseReason::NotAcceptable);
            self.events.push_back(failed(transfer));
            return;
        }
        self.receiving.held += length.max(LEAST_HELD);
        self.answer(Answer::Awaited(ack));
        self.events.push_back(Event::Received { transfer: transfer.id, data: transfer.data.into() });
    }

    fn refuse_transfer(&mut self, transfer_id: u64, reason: RefuseReason) {
        let refuse = XferRefuse { reason, transfer_id };
        self.receiving.refused = Some(refuse);
        self.answer(Answer::Refuse(refuse));
    }

    fn answer(&mut self, answer: Answer) {
        self.receiving.answers.push_back(answer);
        self.receiving.release(&mut self.output);
    }
}
