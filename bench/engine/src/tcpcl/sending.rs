//! Transfers to the peer (section 5.2).

use std::collections::VecDeque;

use farlink_units::Instant;
use farlink_wire::tcpcl::{
    ExtensionItem, ItemFlags, ItemList, RejectReason, SegmentFlags, SegmentHead, TRANSFER_LENGTH, TermReason, XferAck,
    XferRefuse,
};

use super::{Cause, Event, MessageType, SendError, Session};
use crate::ltp::Block;

/// A transfer that is not settled.
#[derive(Debug)]
struct Transfer {
    tag: u64,
    /// Once it has begun.
    id: Option<u64>,
    block: Block,
    /// Octets in segments that have begun to leave.
    begun: u64,
    /// Octets in segments that have left whole.
    sent: u64,
    acknowledged: u64,
}

/// Transfers in the order in which they are sent. Those that have begun come first, the last of them may be incomplete.
#[derive(Debug, Default)]
pub(super) struct Sending {
    transfers: VecDeque<Transfer>,
    /// `None` once all are used.
    pub(super) next_id: Option<u64>,
    /// The segment that is leaving: its transfer, and where in that it ends.
    leaving: Option<(u64, u64)>,
    /// When an octet of a transfer was sent or acknowledged last.
    pub(super) progress: Instant,
}

impl Sending {
    pub(super) fn new() -> Self {
        Sending { next_id: Some(0), ..Sending::default() }
    }

    /// Whether a transfer has begun that is not settled.
    pub(super) fn in_progress(&self) -> bool {
        self.transfers.front().is_some_and(|transfer| transfer.id.is_some())
    }

    pub(super) fn len(&self) -> usize {
        self.transfers.len()
    }

    fn position(&self, id: u64) -> Option<usize> {
        self.transfers.iter().position(|transfer| transfer.id == Some(id))
    }

    /// Whether what leaves is a segment.
    pub(super) fn segment_leaves(&self) -> bool {
        self.leaving.is_some()
    }

    /// The segment that was leaving has left.
    pub(super) fn segment_left(&mut self) {
        if let Some((id, end)) = self.leaving.take()
            && let Some(index) = self.position(id)
        {
            self.transfers[index].sent = end;
        }
    }

    /// Takes out the transfers that fail: all, or those that have not begun.
    pub(super) fn fail(&mut self, only_waiting: bool) -> Vec<Event> {
        let kept =
            if only_waiting { self.transfers.iter().take_while(|transfer| transfer.id.is_some()).count() } else { 0 };
        self.transfers
            .drain(kept..)
            .map(|transfer| Event::Failed { tag: transfer.tag, acknowledged: transfer.acknowledged })
            .collect()
    }
}

impl Session {
    /// Queues a bundle. `tag` comes back in exactly one of [`Event::Acknowledged`], [`Event::Refused`] and
    /// [`Event::Failed`].
    ///
    /// # Errors
    /// It cannot be sent in this session, or not now.
    pub fn send(&mut self, tag: u64, bundle: Block) -> Result<(), SendError> {
        if self.is_ending() || self.is_over() {
            return Err(SendError::Ending);
        }
        let Some(established) = &self.established else { return Err(SendError::NotEstablished) };
        let (length, transfer_mtu, limit) = (bundle.len(), established.transfer_mtu, self.config.send_queue);
        if bundle.is_empty() {
            return Err(SendError::Empty);
        }
        if length > transfer_mtu {
            return Err(SendError::TooLong { length, transfer_mtu });
        }
        if self.sending.transfers.len() >= limit {
            return Err(SendError::QueueFull { limit });
        }
        self.sending.transfers.push_back(Transfer { tag, id: None, block: bundle, begun: 0, sent: 0, acknowledged: 0 });
        Ok(())
    }

    /// Puts the next segment in the output, if there is one.
    pub(super) fn begin_segment(&mut self, now: Instant) {
        let Some(established) = &self.established else { return };
        let longest = established.segment_mtu.min(self.config.max_segment).max(1);
        let sending = &mut self.sending;
        let Some(transfer) = sending.transfers.iter_mut().find(|transfer| transfer.begun < transfer.block.len()) else {
            return;
        };
        let id = match transfer.id.or(sending.next_id) {
            Some(id) => id,
            None => return self.begin_ending(now, TermReason::ResourceExhaustion, Cause::TransferIds),
        };
        let starts = transfer.id.is_none();
        if starts {
            transfer.id = Some(id);
            sending.next_id = id.checked_add(1);
        }
        let total = transfer.block.len();
        let data_length = longest.min(total - transfer.begun);
        let data = transfer.block.slice(transfer.begun, data_length as usize);
        transfer.begun += data_length;
        sending.leaving = Some((id, transfer.begun));

        let mut flags = SegmentFlags::NONE;
        let mut list = Vec::new();
        if transfer.begun == total {
            flags = flags | SegmentFlags::END;
        }
        if starts {
            flags = flags | SegmentFlags::START;
            // A single segment tells its length itself (section 5.2.5.1).
            if data_length < total {
                let value = &total.to_be_bytes();
                ExtensionItem { flags: ItemFlags::NONE, item_type: TRANSFER_LENGTH, value }.emit(&mut list);
            }
        }
        let items = starts.then_some(ItemList(&list));
        let mut head = Vec::with_capacity(32 + list.len());
        SegmentHead { flags, transfer_id: id, items, data_length }.emit(&mut head);
        self.output.begin_segment(head, data);
        self.activity = now;
    }

    pub(super) fn on_ack(&mut self, now: Instant, ack: XferAck) {
        let Some(index) = self.sending.position(ack.transfer_id) else {
            return self.reject(RejectReason::Unexpected, MessageType::XFER_ACK);
        };
        let transfer = &mut self.sending.transfers[index];
        let length = ack.acknowledged_length;
        let total = transfer.block.len();
        // Some stacks leave END out of the last acknowledgment, so the length alone decides; END too early is wrong.
        let ends_early = ack.flags.contains(SegmentFlags::END) && length < total;
        if !(transfer.acknowledged..=transfer.sent).contains(&length) || ends_early {
            return self.reject(RejectReason::Unexpected, MessageType::XFER_ACK);
        }
        if length > transfer.acknowledged {
            transfer.acknowledged = length;
            self.sending.progress = now;
            self.ending_progress = now;
        }
        if length == total {
            let tag = transfer.tag;
            self.sending.transfers.remove(index);
            self.events.push_back(Event::Acknowledged { tag });
        }
    }

    pub(super) fn on_refuse(&mut self, now: Instant, refuse: XferRefuse) {
        let XferRefuse { reason, transfer_id } = refuse;
        let Some(index) = self.sending.position(transfer_id) else {
            // Each segment that crosses a refusal is refused again, so a settled transfer may well be named.
            if self.sending.next_id.is_some_and(|next| transfer_id >= next) {
                self.reject(RejectReason::Unexpected, MessageType::XFER_REFUSE);
            }
            return;
        };
        if let Some(transfer) = self.sending.transfers.remove(index) {
            self.sending.progress = now;
            self.ending_progress = now;
            self.events.push_back(Event::Refused { tag: transfer.tag, reason, acknowledged: transfer.acknowledged });
        }
    }
}
