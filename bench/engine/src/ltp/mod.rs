//! The LTP engine: RFC 5326, sections 4, 6 and 7.
//!
//! # Order of calls
//! One [`Engine`] speaks for one engine ID with any number of peers ([`Engine::add_peer`]).
//! - Its owner tells it what happens: [`Engine::send`] and [`Engine::cancel`] for the client service,
//!   [`Engine::handle_frame`] for what the link delivers, [`Engine::handle_cue`] and [`Engine::set_path`] for the
//!   link state cues and distances that §5 demands of the operating environment, [`Engine::handle_timeout`] when
//!   [`Engine::poll_timeout`] is due.
//! - After each of these the owner asks what follows: [`Engine::poll_transmit`] whenever the link to a peer can take a
//!   segment, [`Engine::poll_notice`] until it is empty.
//!
//! A segment counts as sent when `poll_transmit` hands it over; that call is the link state cue of its de-queuing, so timers
//! start there. An owner whose link is closed simply does not call it (§6.1, §6.4).
//!
//! # Where the text leaves room
//! - The red part is signified (§6.9) as soon as it is whole, even if the segment that completes it is no checkpoint; the
//!   state diagram of §8.2 allows that and the client gets its data no later than by §6.9.
//! - A receiving session stays open until its red part is whole *and* its reports are acknowledged. §6.14 taken alone would
//!   close it at any moment without a running report timer, and forget data that it has claimed.
//! - A gap that one report leaves and another has already filled is not sent again.
//! - A checkpoint whose report neither completes the block nor leaves a gap keeps its timer, so that a session never waits
//!   for ever; §6.13 deletes it.
//! - A scope that would be empty, or would hold no claim, is widened to begin at zero, which §6.11 allows; the checkpoint is
//!   answered instead of being sent again and again.
//! - A receiving session in which nothing happens for as long as a peer can go on trying is closed. A closed session is
//!   remembered for as long, so that a peer may use its number again later.

mod api;
mod block;
mod closed;
mod receiving;
mod sending;
#[cfg(test)]
mod tests;
mod timer;

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use farlink_units::{Duration, Instant};
use farlink_wire::ltp::{CancelReason, Content, Data, DataKind, Party, Segment, SessionId, segments};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub use api::{BUNDLE_PROTOCOL, Cause, Config, Cue, Discarded, Notice, PathInfo, PeerConfig, SendError};
pub use block::Block;
use closed::Closed;
use receiving::Receiving;
use sending::Sending;
use timer::{Answer, Awaited, Path, Timers};

#[derive(Debug)]
struct Peer {
    config: PeerConfig,
    path: PathInfo,
    transmits: bool,
    /// Internal operations traffic (§6.11, §6.13, §6.17): goes before data.
    control: VecDeque<Control>,
    /// Data to be sent again.
    again: VecDeque<Again>,
    /// Sessions whose initial transmission is not complete.
    fresh: VecDeque<SessionId>,
    receiving_sessions: usize,
}

impl Peer {
    /// Bits take their time both ways: the timers count from the last bit, and the answer may find the peer in the middle
    /// of a frame.
    fn path(&self) -> Path {
        let frame_bits = self.config.segment_size as u64 * 8 + self.path.overhead_bits;
        let frame_back = match self.path.rate_back_bps {
            0 => Duration::ZERO,
            rate => Duration::of_bits(frame_bits, rate),
        };
        Path {
            light_time_out: self.path.light_time_out,
            light_time_back: self.path.light_time_back,
            margin: self.config.response_margin + frame_back,
        }
    }

    /// When the last bit of a segment leaves whose first bit leaves now.
    fn last_bit(&self, now: Instant, length: usize) -> Instant {
        match self.path.rate_out_bps {
            0 => now,
            rate => now + Duration::of_bits(length as u64 * 8 + self.path.overhead_bits, rate),
        }
    }

    /// How long the peer can go on trying to get something through: every retransmission, each after its timer.
    fn patience(&self) -> Duration {
        let path = self.path();
        let round = path.light_time_out + path.light_time_back + path.margin + path.margin;
        round.saturating_mul(i64::from(self.config.retransmission_limit) + 2)
    }

    fn queue_control(&mut self, control: Control) -> bool {
        let room = self.control.len() < MAX_CONTROL;
        if room {
            self.control.push_back(control);
        }
        room
    }
}

/// Most control segments that wait for one peer. A peer that asks for more while nothing can be sent to it asks again later.
const MAX_CONTROL: usize = 1 << 16;

#[derive(Clone, Copy, Debug)]
enum Control {
    Report { session: SessionId, report_serial: u64 },
    ReportAck { session: SessionId, report_serial: u64 },
    Cancel { session: SessionId },
    CancelAck { session: SessionId, by: Party },
}

/// A range of a block to be sent again; `checkpoint` is the serial number that its last segment carries.
#[derive(Clone, Debug)]
struct Again {
    session: SessionId,
    range: std::ops::Range<u64>,
    checkpoint: Option<u64>,
    /// A checkpoint that repeats itself is the same segment as before (§3.2.1), so it may not be cut to fit.
    uncut: bool,
}

/// What came of an attempt to send something again.
enum Resent {
    Segment(Bytes),
    /// The first entry of the queue was void and is gone.
    Void,
    /// The first entry needs more room than there is now.
    NoRoom,
}

#[derive(Debug)]
struct Cancelling {
    peer: u64,
    by: Party,
    reason: CancelReason,
    times_sent: u32,
}

/// An LTP engine. See the [module](self) for the order of calls.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    rng: ChaCha8Rng,
    peers: BTreeMap<u64, Peer>,
    sending: HashMap<SessionId, Sending>,
    receiving: HashMap<SessionId, Receiving>,
    cancelling: BTreeMap<SessionId, Cancelling>,
    closed: Closed,
    timers: Timers,
    notices: VecDeque<Notice>,
    discarded: Discarded,
    received_bytes: u64,
}

impl Engine {
    /// An engine without peers.
    pub fn new(config: Config) -> Self {
        Engine {
            rng: ChaCha8Rng::seed_from_u64(config.seed),
            config,
            peers: BTreeMap::new(),
            sending: HashMap::new(),
            receiving: HashMap::new(),
            cancelling: BTreeMap::new(),
            closed: Closed::default(),
            timers: Timers::default(),
            notices: VecDeque::new(),
            discarded: Discarded::default(),
            received_bytes: 0,
        }
    }

    /// Makes a peer known, or gives a known one another configuration. A new one is taken to transmit, without any light
    /// time, until a cue says otherwise.
    pub fn add_peer(&mut self, engine_id: u64, config: PeerConfig) {
        let config = PeerConfig { segment_size: config.segment_size.max(PeerConfig::MIN_SEGMENT_SIZE), ..config };
        let peer = self.peers.entry(engine_id).or_insert_with(|| Peer {
            config,
            path: PathInfo::default(),
            transmits: true,
            control: VecDeque::new(),
            again: VecDeque::new(),
            fresh: VecDeque::new(),
            receiving_sessions: 0,
        });
        peer.config = config;
    }

    /// Tells what the path to a peer is now (§5).
    pub fn set_path(&mut self, peer: u64, path: PathInfo) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.path = path;
        }
    }

    /// Tells that a peer starts or stops transmitting towards this engine (§6.5, §6.6).
    pub fn handle_cue(&mut self, now: Instant, peer: u64, cue: Cue) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        state.transmits = cue == Cue::PeerStarts;
        let path = state.path();
        match cue {
            Cue::PeerStarts => {
                self.timers.peer_starts(now, peer, path);
                // A peer that could not transmit has not been idle.
                for receiving in self.receiving.values_mut().filter(|r| r.peer == peer) {
                    receiving.last_heard = now;
                }
            }
            Cue::PeerStops => self.timers.peer_stops(now, peer),
        }
    }

    /// A transmission request (§4.1): sends `block`, the first `red_length` bytes of it reliably.
    ///
    /// # Errors
    /// An unknown peer, an empty block, a red part longer than the block.
    pub fn send(
        &mut self,
        peer: u64,
        client_service: u64,
        block: Block,
        red_length: u64,
    ) -> Result<SessionId, SendError> {
        let state = self.peers.get_mut(&peer).ok_or(SendError::UnknownPeer(peer))?;
        if block.is_empty() {
            return Err(SendError::EmptyBlock);
        }
        if red_length > block.len() {
            return Err(SendError::RedPartTooLong { red: red_length, block: block.len() });
        }
        let session = loop {
            // 32 bits: ION refuses longer session numbers.
            let number = u64::from(self.rng.next_u32());
            let session = SessionId { originator: self.config.engine_id, number };
            let known = self.sending.contains_key(&session)
                || self.cancelling.contains_key(&session)
                || self.closed.contains(&session);
            if number != 0 && !known {
                break session;
            }
        };
        let first_checkpoint = first_serial(&mut self.rng);
        state.fresh.push_back(session);
        self.sending.insert(session, Sending::new(peer, client_service, block, red_length, first_checkpoint));
        Ok(session)
    }

    /// A cancellation request of the client service (§4.2), as sender or as receiver.
    pub fn cancel(&mut self, now: Instant, session: SessionId) {
        self.cancel_locally(now, session, CancelReason::UserCancelled);
    }

    /// Takes a frame that the link has delivered. It holds an integral number of segments (§5); what follows a malformed one
    /// is dropped with it. `from` is the peer that the link couples to, for answers to sessions that nobody knows.
    pub fn handle_frame(&mut self, now: Instant, from: u64, frame: &Bytes) {
        self.closed.forget_until(now);
        for segment in segments(frame) {
            match segment {
                Ok(segment) => self.handle_segment(now, from, &segment, frame),
                Err(_) => self.discarded.malformed += 1,
            }
        }
    }

    fn handle_segment(&mut self, now: Instant, from: u64, segment: &Segment<'_>, frame: &Bytes) {
        let session = segment.session;
        let ours = session.originator == self.config.engine_id;
        let from_originator = matches!(
            segment.content,
            Content::Data(_)
                | Content::ReportAck { .. }
                | Content::Cancel { by: Party::Sender, .. }
                | Content::CancelAck { by: Party::Receiver }
        );
        // Only the originator of a session sends these, and only its counterpart the others; one's own segments coming
        // back are nobody's.
        if from_originator == ours {
            self.discarded.unknown_session += 1;
            return;
        }
        let peer = if from_originator { session.originator } else { from };
        if !self.peers.contains_key(&peer) {
            self.discarded.unknown_peer += 1;
            return;
        }
        match &segment.content {
            Content::Data(data) => self.handle_data(now, peer, session, data, frame),
            Content::Report(report) => self.handle_report(now, peer, session, report),
            Content::ReportAck { report_serial } => self.handle_report_ack(now, session, *report_serial),
            Content::Cancel { by, reason } => self.handle_cancel(now, peer, session, *by, *reason),
            Content::CancelAck { .. } => self.handle_cancel_ack(now, session),
        }
    }

    /// The next segment for a peer, of at most `room` bytes, or `None` if there is none that fits. Calling this means that
    /// the segment leaves now.
    pub fn poll_transmit(&mut self, now: Instant, peer: u64, room: usize) -> Option<Bytes> {
        loop {
            let state = self.peers.get_mut(&peer)?;
            let limit = room.min(state.config.segment_size);
            if let Some(control) = state.control.front().copied() {
                match self.control_segment(&control) {
                    // A report is never longer than the segment size, so this waits for a roomier moment at most.
                    Some(segment) if segment.len() > room => return None,
                    Some(segment) => {
                        self.peers.get_mut(&peer)?.control.pop_front();
                        self.control_sent(now, peer, &control, segment.len());
                        return Some(segment.into());
                    }
                    None => {
                        self.peers.get_mut(&peer)?.control.pop_front();
                        continue;
                    }
                }
            }
            if limit < PeerConfig::MIN_SEGMENT_SIZE {
                return None;
            }
            if !state.again.is_empty() {
                match self.retransmit_segment(now, peer, limit) {
                    Some(Resent::Segment(segment)) => return Some(segment),
                    Some(Resent::Void) => continue,
                    Some(Resent::NoRoom) | None => return None,
                }
            }
            let session = *state.fresh.front()?;
            match self.fresh_segment(now, peer, session, limit) {
                Some(segment) => return Some(segment),
                None => {
                    self.peers.get_mut(&peer)?.fresh.pop_front();
                }
            }
        }
    }

    /// Whether a block for this peer has not yet been sent once, so that a further one would have to wait.
    pub fn has_unsent_blocks(&self, peer: u64) -> bool {
        self.peers.get(&peer).is_some_and(|p| !p.fresh.is_empty() || !p.again.is_empty())
    }

    /// When [`Engine::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Acts on every timer that has run out by now (§6.7, §6.8, §6.16).
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((awaited, peer)) = self.timers.pop_expired(now) {
            match awaited.answer {
                Answer::Report { checkpoint_serial } => {
                    self.checkpoint_timeout(now, peer, awaited.session, checkpoint_serial);
                }
                Answer::ReportAck { report_serial } => self.report_timeout(now, peer, awaited.session, report_serial),
                Answer::CancelAck => self.cancel_timeout(now, peer, awaited.session),
                Answer::Activity => self.activity_timeout(now, peer, awaited.session),
            }
        }
    }

    /// The next notice, in the order in which things happened.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// Sessions that are open here, as sender, as receiver, and being cancelled.
    pub fn open_sessions(&self) -> (usize, usize, usize) {
        (self.sending.len(), self.receiving.len(), self.cancelling.len())
    }

    /// What came in and was not used.
    pub fn discarded(&self) -> Discarded {
        self.discarded
    }

    fn control_segment(&self, control: &Control) -> Option<Vec<u8>> {
        let (session, content) = match *control {
            Control::Report { session, report_serial } => {
                let report = self.receiving.get(&session)?.report(report_serial)?;
                (session, Content::Report(report.clone()))
            }
            Control::ReportAck { session, report_serial } => (session, Content::ReportAck { report_serial }),
            Control::Cancel { session } => {
                let cancelling = self.cancelling.get(&session)?;
                (session, Content::Cancel { by: cancelling.by, reason: cancelling.reason })
            }
            Control::CancelAck { session, by } => (session, Content::CancelAck { by }),
        };
        let mut bytes = Vec::new();
        Segment::new(session, content).emit(&mut bytes);
        Some(bytes)
    }

    fn control_sent(&mut self, now: Instant, peer: u64, control: &Control, length: usize) {
        let (session, answer) = match *control {
            Control::Report { session, report_serial } => {
                if let Some(receiving) = self.receiving.get_mut(&session) {
                    receiving.report_sent(report_serial);
                }
                (session, Answer::ReportAck { report_serial })
            }
            Control::Cancel { session } => (session, Answer::CancelAck),
            Control::ReportAck { .. } | Control::CancelAck { .. } => return,
        };
        self.start_timer(now, peer, Awaited { session, answer }, length);
    }

    /// Starts a timer for a segment of this length, the first bit of which leaves now.
    fn start_timer(&mut self, now: Instant, peer: u64, awaited: Awaited, length: usize) {
        if let Some(state) = self.peers.get(&peer) {
            self.timers.start(state.last_bit(now, length), peer, awaited, state.path(), state.transmits);
        }
    }

    fn queue_control(&mut self, peer: u64, control: Control) {
        if let Some(state) = self.peers.get_mut(&peer)
            && !state.queue_control(control)
        {
            self.discarded.over_limit += 1;
        }
    }

    /// Remembers that a session is over, for as long as its peer can go on trying.
    fn remember_closed(&mut self, now: Instant, peer: u64, session: SessionId) {
        let patience = self.peers.get(&peer).map_or(Duration::ZERO, Peer::patience);
        self.closed.remember(session, now + patience);
    }

    /// Ends a session from this side: Cancel Session (§6.19), a Cx segment, a notice to the client.
    fn cancel_locally(&mut self, now: Instant, session: SessionId, reason: CancelReason) {
        if let Some(sending) = self.remove_sending(now, session) {
            self.notices.push_back(Notice::TransmissionCancelled {
                session,
                peer: sending.peer,
                reason,
                locally: true,
            });
            // §4.2: if no segment has left, the peer cannot know of the session.
            if sending.has_begun() {
                self.start_cancel(session, sending.peer, Party::Sender, reason);
            }
        } else if let Some(receiving) = self.remove_receiving(session) {
            let peer = receiving.peer;
            self.notices.push_back(Notice::ReceptionCancelled { session, peer, reason, locally: true });
            self.start_cancel(session, peer, Party::Receiver, reason);
            if !self.cancelling.contains_key(&session) {
                self.remember_closed(now, peer, session);
            }
        }
    }

    fn start_cancel(&mut self, session: SessionId, peer: u64, by: Party, reason: CancelReason) {
        if self.cancelling.len() >= self.config.max_receiving_sessions {
            self.discarded.over_limit += 1;
            return;
        }
        self.cancelling.insert(session, Cancelling { peer, by, reason, times_sent: 1 });
        self.queue_control(peer, Control::Cancel { session });
    }

    /// Acknowledge Cancellation (§6.17).
    fn handle_cancel(&mut self, now: Instant, peer: u64, session: SessionId, by: Party, reason: CancelReason) {
        self.queue_control(peer, Control::CancelAck { session, by });
        match by {
            Party::Sender => {
                if self.remove_receiving(session).is_some() {
                    self.notices.push_back(Notice::ReceptionCancelled { session, peer, reason, locally: false });
                } else if self.cancelling.remove(&session).is_some() {
                    // Both sides gave up at once: there is nobody left to acknowledge ours.
                    self.timers.stop_session(session);
                } else {
                    self.discarded.unknown_session += 1;
                }
                self.remember_closed(now, peer, session);
            }
            Party::Receiver => {
                if let Some(sending) = self.remove_sending(now, session) {
                    let peer = sending.peer;
                    self.notices.push_back(Notice::TransmissionCancelled { session, peer, reason, locally: false });
                } else {
                    self.discarded.unknown_session += 1;
                }
            }
        }
    }

    /// Stop Cancel Timer (§6.18).
    fn handle_cancel_ack(&mut self, now: Instant, session: SessionId) {
        if let Some(cancelling) = self.cancelling.remove(&session) {
            self.timers.stop_session(session);
            self.remember_closed(now, cancelling.peer, session);
        } else {
            self.discarded.unknown_session += 1;
        }
    }

    /// Retransmit Cancellation Segment (§6.16).
    fn cancel_timeout(&mut self, now: Instant, peer: u64, session: SessionId) {
        let limit = self.retransmission_limit(peer);
        let Some(cancelling) = self.cancelling.get_mut(&session) else { return };
        if cancelling.times_sent > limit {
            self.cancelling.remove(&session);
            self.remember_closed(now, peer, session);
            return;
        }
        cancelling.times_sent += 1;
        self.queue_control(peer, Control::Cancel { session });
        self.notices.push_back(Notice::Retransmitted { session, peer, bytes: 0, cause: Cause::CancelTimer });
    }

    fn retransmission_limit(&self, peer: u64) -> u32 {
        self.peers.get(&peer).map_or(0, |p| p.config.retransmission_limit)
    }

    fn problem_limit(&self, peer: u64) -> u32 {
        self.peers.get(&peer).map_or(0, |p| p.config.problem_limit)
    }
}

/// Serial numbers begin at random (§3.2.1, §3.2.2), not at zero, and stay short as SDNVs: 14 bits leave room to count up
/// within two or three bytes.
fn first_serial(rng: &mut ChaCha8Rng) -> u64 {
    u64::from(rng.next_u32() % 0x3fff) + 1
}

/// Encodes a data segment.
fn data_segment(session: SessionId, kind: DataKind, client_service: u64, offset: u64, data: &[u8]) -> Bytes {
    let segment = Segment::new(session, Content::Data(Data { kind, client_service, offset, data }));
    let mut bytes = Vec::with_capacity(segment.encoded_len());
    segment.emit(&mut bytes);
    bytes.into()
}
