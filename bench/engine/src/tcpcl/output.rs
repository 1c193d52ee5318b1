//! The octets that leave.

use std::collections::VecDeque;

use bytes::Bytes;
use farlink_wire::tcpcl::Message;

/// What waits to be sent: the message that has begun, and whole messages that may go between segments.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// The rest of what cannot be interrupted.
    pieces: VecDeque<Bytes>,
    control: Vec<u8>,
}

impl Output {
    /// Queues a message other than a segment.
    pub(super) fn message(&mut self, message: &Message<'_>) {
        message.emit(&mut self.control);
    }

    pub(super) fn octets(&mut self, octets: &[u8]) {
        self.control.extend_from_slice(octets);
    }

    /// Octets of messages that have not begun to leave.
    pub(super) fn waiting(&self) -> usize {
        self.control.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.control.is_empty()
    }

    /// Whether nothing has begun to leave: the stream is between two messages.
    pub(super) fn is_between_messages(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Lets the queued messages begin to leave.
    pub(super) fn release_control(&mut self) {
        if !self.control.is_empty() {
            self.pieces.push_back(std::mem::take(&mut self.control).into());
        }
    }

    pub(super) fn begin_segment(&mut self, head: Vec<u8>, data: Bytes) {
        self.pieces.extend([Bytes::from(head), data]);
    }

    /// At most `room` octets of what has begun to leave.
    pub(super) fn take(&mut self, room: usize) -> Option<Bytes> {
        let piece = self.pieces.front_mut()?;
        if piece.len() > room {
            return Some(piece.split_to(room));
        }
        self.pieces.pop_front()
    }
}
