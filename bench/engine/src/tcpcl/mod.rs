//! A TCPCLv4 session (RFC 9174), from the contact header to the last octet.
//!
//! # Order of calls
//! A [`Session`] is one side of one TCP connection that is already there. Its owner holds the connection.
//! - [`Session::new`] once the connection is up.
//! - [`Session::handle_bytes`] for what arrives, [`Session::handle_closed`] when the connection is closed or lost,
//!   [`Session::handle_timeout`] when [`Session::poll_timeout`] is due, [`Session::send`] for a bundle.
//! - After each of these [`Session::poll_event`] until it is empty, then [`Session::poll_transmit`] while the connection has
//!   room, and again whenever it has. Its octets go out in order and none may be dropped.
//! - [`Event::StartTls`]: write out what `poll_transmit` has, wrap the connection in TLS, give the TLS layer the octets that
//!   `handle_bytes` did not consume, then [`Session::tls_established`]. If the handshake fails, close the connection and call
//!   `handle_closed`.
//! - [`Event::Received`]: store the bundle, then [`Session::accept`]; or [`Session::refuse`]. The acknowledgment that
//!   completes a transfer never leaves before that, so what the peer forgets is stored here. A decision that takes long
//!   holds up all later answers.
//! - While [`Session::wants_input`] is false do not read from the connection: the peer is not reading its answers.
//! - [`Session::terminate`] to end in order. [`Event::Ended`] is always the last event; each tag given to `send` has come
//!   back by then. Write out what `poll_transmit` has and close the connection. [`Reconnect`] tells when to try again.
//!
//! # Where the text leaves room
//! - A transfer is sent while earlier ones wait for their acknowledgments; segments are never held back for them.
//! - Answers leave in the order of the segments that they answer.
//! - Flags of an acknowledgment are a copy of all eight of the segment (§5.2.3), reserved bits too, although §5.2.3 also asks
//!   for these to be 0.
//! - A bundle longer than the transfer MRU, or than there is room for, is refused with No Resources: fragments would help.
//!   A segment longer than the segment MRU gets MSG_REJECT with Message Unsupported, and its transfer is refused.
//! - A transfer that begins while another is incomplete breaks that off; it is refused with Retransmit.
//! - An extension list that disagrees with its length, or a second Transfer Length, is an Extension Failure.
//! - A contact header of a higher version than ours, as answer to ours, ends the session like one that the peer opened with.
//! - A peer that forbids TLS where it is only allowed here gets a session in the clear, and so does one that offers TLS where
//!   it is forbidden here: the logical AND of §4.3 is false, which is acceptable.
//! - Octets of a message that is still arriving count as activity of the peer for the idle timeout.
//! - SESS_TERM with REPLY that answers nothing is rejected as unexpected. A second SESS_TERM is ignored.

mod api;
mod contact;
mod output;
mod receiving;
mod reconnect;
mod sending;
#[cfg(test)]
mod tests;
mod timer;

use std::collections::VecDeque;

use bytes::Bytes;
use farlink_units::Instant;
use farlink_wire::tcpcl::{
    ContactHeader, Head, Message, MessageType, MsgReject, Prefix, RejectReason, SessTerm, TermFlags, TermReason,
};

pub use api::{
    Authentication, Cause, Config, End, Established, Event, NodeIdPolicy, NotWaiting, Role, SendError, TlsPeer,
    TlsPolicy,
};
use output::Output;
use receiving::Receiving;
pub use reconnect::Reconnect;
use sending::Sending;

/// Octets of answers that may wait for the connection before [`Session::wants_input`] asks for a pause.
const OUTPUT_PAUSE: usize = 1 << 18;

/// Octets of answers that may wait before the session is given up.
const OUTPUT_LIMIT: usize = 1 << 20;

/// Octets that all of a message can take besides its extension items and its data.
const LONGEST_HEAD: u64 = 1 << 17;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waiting for the peer's contact header.
    Contact,
    /// The owner makes a TLS handshake.
    Tls,
    /// Messages pass, but the peer's SESS_INIT has not been accepted.
    Init,
    Established,
    Over,
}

/// One side of a session.
#[derive(Debug)]
pub struct Session {
    role: Role,
    config: Config,
    phase: Phase,
    /// When the phase began.
    since: Instant,
    tls: Option<TlsPeer>,
    established: Option<Established>,
    /// The reason in our SESS_TERM.
    term_sent: Option<TermReason>,
    term_received: bool,
    /// The beginning of a contact header or message, without data of segments.
    inbox: Vec<u8>,
    receiving: Receiving,
    sending: Sending,
    output: Output,
    events: VecDeque<Event>,
    last_received: Instant,
    last_sent: Instant,
    /// When anything but KEEPALIVE was last received or sent.
    activity: Instant,
    /// Since the session is ending: when a transfer last advanced.
    ending_progress: Instant,
}

impl Session {
    /// A session on a connection that has just come up.
    pub fn new(role: Role, config: Config, now: Instant) -> Self {
        let mut session = Session {
            role,
            config,
            phase: Phase::Contact,
            since: now,
            tls: None,
            established: None,
            term_sent: None,
            term_received: false,
            inbox: Vec::new(),
            receiving: Receiving::default(),
            sending: Sending::new(),
            output: Output::default(),
            events: VecDeque::new(),
            last_received: now,
            last_sent: now,
            activity: now,
            ending_progress: now,
        };
        if role == Role::Active {
            session.send_contact_header();
        }
        session
    }

    /// What the session is about, once it is established.
    pub fn established(&self) -> Option<&Established> {
        self.established.as_ref()
    }

    /// Whether SESS_TERM has been sent or received: no transfer can begin.
    pub fn is_ending(&self) -> bool {
        self.term_sent.is_some()
    }

    /// Whether [`Event::Ended`] has been told, or is about to be.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Transfers that are queued or not yet settled by the peer.
    pub fn queued(&self) -> usize {
        self.sending.len()
    }

    /// Whether the connection should be read from.
    pub fn wants_input(&self) -> bool {
        self.output.waiting() + self.receiving.waiting() < OUTPUT_PAUSE
    }

    /// What has happened, oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// At most `room` octets for the connection. `None` if there is nothing to send, or no room.
    ///
    /// A segment is made up only when this is called between two messages, so acknowledgments never wait for more than one
    /// segment, and nothing is copied until there is room for it.
    pub fn poll_transmit(&mut self, now: Instant, room: usize) -> Option<Bytes> {
        if room == 0 {
            return None;
        }
        if self.output.is_between_messages() {
            self.output.release_control();
            if self.output.is_between_messages() && self.phase == Phase::Established {
                self.begin_segment(now);
                // All transfer IDs may be used up, and then SESS_TERM is there instead.
                self.output.release_control();
            }
        }
        let piece = self.output.take(room)?;
        self.last_sent = now;
        if self.sending.segment_leaves() {
            self.sending.progress = now;
            self.ending_progress = now;
        }
        if self.output.is_between_messages() {
            self.sending.segment_left();
        }
        Some(piece)
    }

    /// Octets have arrived. Returns how many were consumed: all, unless the session waits for TLS, to which the rest belongs.
    #[must_use = "octets that are not consumed belong to TLS"]
    pub fn handle_bytes(&mut self, now: Instant, input: &[u8]) -> usize {
        if !input.is_empty() {
            self.last_received = now;
        }
        let mut rest = input;
        while !rest.is_empty() {
            match self.phase {
                Phase::Over => return input.len(),
                Phase::Tls => break,
                Phase::Contact => self.read_contact_header(now, &mut rest),
                Phase::Init | Phase::Established => self.read_message(now, &mut rest),
            }
            let waiting = self.output.waiting() + self.receiving.waiting();
            if waiting > OUTPUT_LIMIT {
                self.end(End::OutputLimit { waiting });
            }
        }
        self.end_if_done();
        input.len() - rest.len()
    }

    /// The connection was closed by the peer or lost.
    pub fn handle_closed(&mut self, _now: Instant) {
        self.end(End::Closed);
    }

    /// Ends the session in order: transfers that have begun are completed, those that wait come back as failed
    /// (section 6.1). Before messages can be exchanged there is nothing to put in order, so the session is just over.
    pub fn terminate(&mut self, now: Instant, reason: TermReason) {
        match self.phase {
            Phase::Contact | Phase::Tls => self.end(End::Aborted),
            Phase::Init | Phase::Established => self.begin_ending(now, reason, Cause::Owner),
            Phase::Over => {}
        }
        self.end_if_done();
    }

    /// Breaks the session off: SESS_TERM if one can be sent, and the end without waiting for anything (section 6.1, "unclean
    /// termination").
    pub fn abort(&mut self, now: Instant, reason: TermReason) {
        self.terminate(now, reason);
        self.end(End::Aborted);
    }

    fn read_message(&mut self, now: Instant, rest: &mut &[u8]) {
        if self.receiving.in_segment() {
            let taken = self.on_segment_data(now, rest);
            *rest = &rest[taken..];
            return;
        }
        if self.inbox.is_empty() {
            match Message::parse_head(rest) {
                Ok(Prefix::Whole { unit, length }) => {
                    *rest = &rest[length..];
                    self.on_head(now, unit);
                }
                Ok(Prefix::Incomplete { at_least }) => {
                    if self.fits(at_least) {
                        self.inbox.extend_from_slice(rest);
                    }
                    *rest = &[];
                }
                Err(_) => self.on_unknown_type(MessageType(rest[0])),
            }
            return;
        }
        let mut inbox = std::mem::take(&mut self.inbox);
        // A message never takes more than it asks for, so what follows it stays in `rest`.
        while let Ok(Prefix::Incomplete { at_least }) = Message::parse_head(&inbox) {
            if !self.fits(at_least) {
                return;
            }
            let missing = usize::try_from(at_least).unwrap_or(usize::MAX) - inbox.len();
            let (mine, others) = rest.split_at(missing.min(rest.len()));
            if mine.is_empty() {
                self.inbox = inbox;
                return;
            }
            inbox.extend_from_slice(mine);
            *rest = others;
        }
        if let Ok(Prefix::Whole { unit, .. }) = Message::parse_head(&inbox) {
            self.on_head(now, unit);
        }
    }

    /// Whether a message up to its data may be so long. If not, the session is over, since its end cannot be found.
    fn fits(&mut self, at_least: u64) -> bool {
        let limit = self.config.max_extension_octets;
        let fits = at_least <= limit.saturating_add(LONGEST_HEAD);
        if !fits {
            let reason =
                if self.established.is_some() { TermReason::ResourceExhaustion } else { TermReason::ContactFailure };
            self.send_term(reason, TermFlags::NONE);
            self.end(End::ExtensionLimit { limit });
        }
        fits
    }

    fn on_unknown_type(&mut self, code: MessageType) {
        self.reject(RejectReason::TypeUnknown, code);
        self.end(End::UnknownMessage(code));
    }

    fn on_head(&mut self, now: Instant, head: Head<'_>) {
        let message = match head {
            Head::Segment(segment) => return self.on_segment(now, segment),
            Head::Message(message) => message,
        };
        if message != Message::Keepalive {
            self.activity = now;
        }
        match message {
            Message::SessInit(init) => self.on_sess_init(now, &init),
            Message::SessTerm(term) => self.on_sess_term(now, term),
            Message::Reject(reject) => self.events.push_back(Event::Rejected(reject)),
            // The peer cannot know yet that the session is established, but these do no harm while it is ending.
            _ if self.established.is_none() => {
                if !self.is_ending() {
                    self.reject(RejectReason::Unexpected, message.message_type());
                }
            }
            Message::Ack(ack) => self.on_ack(now, ack),
            Message::Refuse(refuse) => self.on_refuse(now, refuse),
            Message::Keepalive | Message::Segment(_) => {}
        }
    }

    fn reject(&mut self, reason: RejectReason, rejected: MessageType) {
        self.output.message(&Message::Reject(MsgReject { reason, rejected }));
    }

    fn on_sess_term(&mut self, now: Instant, term: SessTerm) {
        let is_reply = term.flags.contains(TermFlags::REPLY);
        if self.term_sent.is_none() {
            if is_reply {
                return self.reject(RejectReason::Unexpected, MessageType::SESS_TERM);
            }
            self.term_received = true;
            self.send_term(term.reason, TermFlags::REPLY);
            self.enter_ending(now, term.reason, Cause::Peer);
        }
        self.term_received = true;
    }

    fn send_term(&mut self, reason: TermReason, flags: TermFlags) {
        if self.term_sent.is_none() {
            self.term_sent = Some(reason);
            self.output.message(&Message::SessTerm(SessTerm { flags, reason }));
        }
    }

    /// Sends SESS_TERM, unless it has been sent.
    fn begin_ending(&mut self, now: Instant, reason: TermReason, cause: Cause) {
        if self.term_sent.is_none() {
            self.send_term(reason, TermFlags::NONE);
            self.enter_ending(now, reason, cause);
        }
    }

    fn enter_ending(&mut self, now: Instant, reason: TermReason, cause: Cause) {
        self.ending_progress = now;
        self.events.push_back(Event::Ending { reason, cause });
        self.events.extend(self.sending.fail(true));
    }

    /// A session that is ending is over once both sides know and all transfers that had begun are settled.
    fn end_if_done(&mut self) {
        if let Some(reason) = self.term_sent.filter(|_| self.term_received)
            && !self.sending.in_progress()
            && !self.receiving.in_progress()
        {
            self.end(End::Clean(reason));
        }
    }

    fn end(&mut self, end: End) {
        if self.phase == Phase::Over {
            return;
        }
        self.phase = Phase::Over;
        self.inbox = Vec::new();
        self.events.extend(self.sending.fail(false));
        self.events.extend(self.receiving.fail());
        self.events.push_back(Event::Ended(end));
    }

    fn enter(&mut self, now: Instant, phase: Phase) {
        self.phase = phase;
        self.since = now;
    }

    fn send_contact_header(&mut self) {
        let header = self.contact_header();
        self.output.octets(&header.octets());
    }

    fn read_contact_header(&mut self, now: Instant, rest: &mut &[u8]) {
        let missing = ContactHeader::LENGTH - self.inbox.len();
        let (mine, others) = rest.split_at(missing.min(rest.len()));
        self.inbox.extend_from_slice(mine);
        *rest = others;
        match ContactHeader::parse(&self.inbox) {
            Ok(Prefix::Incomplete { .. }) => {}
            Ok(Prefix::Whole { unit, .. }) => {
                self.inbox.clear();
                self.on_contact_header(now, unit);
            }
            Err(error) => self.end(End::NoContactHeader(error)),
        }
    }
}
