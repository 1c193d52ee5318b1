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
//!
//! # Limits
//! A peer may be hostile or broken. What it can make this engine hold is bounded, and what one peer or one session uses up is
//! not taken from another, save for the total of [`Config::receive_limit`].
//!
//! | what | bound | beyond it |
//! |---|---|---|
//! | bytes held for reception: data, reports, green parts | [`Config::receive_limit`] in all, [`PeerConfig::receive_limit`] for a peer | the segment is not accepted, so not claimed |
//! | receiving sessions of a peer | [`Config::max_receiving_sessions`] | data of a further session is not accepted |
//! | cancelled receptions of a peer that wait for their acknowledgment | the same number | no further one is told of |
//! | green parts of a peer that are put together | the same number; each [`Config::max_green_part`] bytes and [`Config::green_patience`] | only the segments are told |
//! | zeros in the buffer of a red part, where data are missing | an eighth of the data that have come; not counted | the data wait beside it, 64 bytes more for each piece |
//! | separate ranges in a session | [`PeerConfig::max_ranges`] | a segment that begins a further one is not accepted |
//! | reports of a session | 16 384, and [`PeerConfig::problem_limit`] rounds | the session is cancelled with RLEXC |
//! | claims in a report segment | [`PeerConfig::segment_size`], [`PeerConfig::max_claims`] | a further segment (§6.11) |
//! | different reports that a sending session takes in | 65 536 | the session is cancelled with RLEXC |
//! | retransmission cycles of a sending session | [`PeerConfig::cycle_limit`] | the session is cancelled with RXMTCYCEXC |
//! | data queued to be sent again | each byte once | what is queued is not queued again |
//! | control segments that wait for a peer | 65 536, and 64 in a row while data waits | the peer asks again |
//! | sessions with a peer that are remembered as closed | 65 536 | the oldest is forgotten |
//! | cookies of a session | 2 of 64 octets | the segment is discarded |
//! | blocks on their way to a peer | [`PeerConfig::max_blocks`], [`PeerConfig::max_block_bytes`] | [`SendError::Full`] |
//! | notices | a frame makes a few for each of its segments | the owner polls them after each call |
//!
//! What is discarded is counted in [`Discarded`].
//!
//! # Security
//! RFC 5327, for each peer: [`PeerConfig::security`] and [`PeerConfig::cookies`]. Where its text leaves room:
//! - A segment is checked with the keys of the peer that it comes from. One without a right AuthVal is counted and dropped,
//!   and neither answered nor taken as a sign of life.
//! - A cookie is put in with the first segment of a session that this engine originates. A session that a peer originates gets
//!   one from this engine only as an extension of the peer's.
//! - The "acceptable delay" for segments without this engine's cookie is the time after which a timer would run out: light
//!   time there and back, and the peer's margin twice, from the first segment with the cookie on.
//! - Cookies do not outlast a session, but late segments of a closed session are still acknowledged (§6.13, §6.17). They carry
//!   the session's cookies as long as it is remembered as closed; afterwards those of the segment that is acknowledged, since
//!   whoever sent that demands them.
//!
//! Extensions with any other tag are skipped.
//!
//! # Claims and restarts
//! Reports are binding (§6.22). [`Notice::PartialClaim`] comes before the first report of a session that claims a part of an
//! incomplete red part can be polled, and [`Notice::RedPart`] before one that claims the whole. An owner that polls notices
//! before it polls for transmission, keeps what they say, and after a restart calls [`Engine::abandon_reception`] for each
//! session that is still open in its notes, never leaves a peer believing in data that is lost. A session can be struck off at
//! [`Notice::RedPart`] (the data is the owner's now), [`Notice::ReceptionCancelled`] or [`Notice::ReceptionClosed`].

mod aggregation;
mod api;
mod block;
mod cancelling;
mod closed;
mod cookies;
mod green;
mod hash;
mod notice;
mod output;
mod peer;
mod receiving;
mod red_part;
mod reports;
mod sending;
#[cfg(test)]
mod tests;
mod timer;

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use farlink_units::Instant;
use farlink_wire::ltp::security::AuthError;
use farlink_wire::ltp::{CancelReason, Content, Party, Segment, SessionId, segments_with_octets};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub use aggregation::{Aggregate, Aggregator};
pub use api::{
    Authentication, BUNDLE_PROTOCOL, Config, Cookies, Cue, Misbehaviour, PathInfo, PeerConfig, ReportError,
    ReportScope, SendError, SessionNumbers,
};
pub use block::Block;
use cancelling::Cancelling;
use cookies::{Jar, Jars, MAX_COOKIE, NotGood};
use green::Greens;
use hash::{Seeded, Sessions};
pub use notice::{Cause, Discarded, Notice};
use output::Output;
use peer::{Budget, CONTROL_BURST, Control, Echo, Peer};
use receiving::Receiving;
use sending::Sending;
use timer::{Answer, Awaited, Timers};

/// Most cookies that an engine puts in a session by itself, in octets.
const MAX_INITIAL_COOKIE: usize = 32;

/// How far into the queue of control segments a shorter one is looked for when the first does not fit.
const CONTROL_LOOKAHEAD: usize = 64;

/// An LTP engine. See the [module](self) for the order of calls.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    rng: ChaCha8Rng,
    peers: BTreeMap<u64, Peer>,
    sending: Sessions<Sending>,
    receiving: Sessions<Receiving>,
    cancelling: BTreeMap<SessionId, Cancelling>,
    green: Greens,
    jars: Jars,
    timers: Timers,
    notices: VecDeque<Notice>,
    discarded: Discarded,
    budget: Budget,
    output: Output,
    /// Sessions originated so far, where [`Misbehaviour::CountedSessions`] says that numbers are counted.
    counted: u64,
}

impl Engine {
    /// An engine without peers.
    pub fn new(config: Config) -> Self {
        // A stream of its own, so that the tables take no draws from the numbers that are seen outside.
        let mut hashes = ChaCha8Rng::seed_from_u64(config.seed);
        hashes.set_stream(1);
        let tables = Seeded::new([hashes.next_u64(), hashes.next_u64()]);
        Engine {
            rng: ChaCha8Rng::seed_from_u64(config.seed),
            budget: Budget { held: 0, limit: config.receive_limit },
            config,
            peers: BTreeMap::new(),
            sending: HashMap::with_hasher(tables),
            receiving: HashMap::with_hasher(tables),
            cancelling: BTreeMap::new(),
            green: HashMap::with_hasher(tables),
            jars: BTreeMap::new(),
            timers: Timers::default(),
            notices: VecDeque::new(),
            discarded: Discarded::default(),
            output: Output::default(),
            counted: 0,
        }
    }

    /// Makes a peer known, or gives a known one another configuration. A new one is taken to transmit, without any light
    /// time, until a cue says otherwise.
    pub fn add_peer(&mut self, engine_id: u64, mut config: PeerConfig) {
        config.segment_size = config.segment_size.max(config.least_segment_size());
        config.checkpoint_every = config.checkpoint_every.map(|bytes| bytes.max(1));
        match self.peers.get_mut(&engine_id) {
            Some(peer) => peer.config = config,
            None => {
                self.peers.insert(engine_id, Peer::new(config));
            }
        }
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

    /// The peer that a session is with, if it can be told: the originator of one that another engine originates, the receiver
    /// of one that is open here.
    pub fn peer_of(&self, session: SessionId) -> Option<u64> {
        if session.originator != self.config.engine_id {
            return Some(session.originator);
        }
        let sending = self.sending.get(&session).map(|s| s.peer);
        sending.or_else(|| self.cancelling.get(&session).map(|c| c.peer))
    }

    /// Takes a frame that the link has delivered. It holds an integral number of segments (§5); what follows a malformed one
    /// is dropped with it. `from` is the peer that the link couples to: a segment about a session with another is dropped.
    pub fn handle_frame(&mut self, now: Instant, from: u64, frame: &Bytes) {
        if let Some(state) = self.peers.get_mut(&from) {
            while let Some(session) = state.closed.forget_next(now) {
                self.jars.remove(&session);
            }
        }
        for segment in segments_with_octets(frame) {
            match segment {
                Ok((segment, octets)) => self.handle_segment(now, from, &segment, octets, frame),
                Err(_) => self.discarded.malformed += 1,
            }
        }
    }

    fn handle_segment(&mut self, now: Instant, from: u64, segment: &Segment<'_>, octets: &[u8], frame: &Bytes) {
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
        let Some(state) = self.peers.get(&peer) else {
            self.discarded.unknown_peer += 1;
            return;
        };
        if peer != from || self.belongs_to_another(peer, session) {
            self.discarded.wrong_peer += 1;
            return;
        }
        let checked = self.config.misbehaviour != Some(Misbehaviour::AnyAuthentication);
        if let Some(security) = state.config.security.as_ref().filter(|_| checked) {
            let right = match segment.authenticate(octets, std::slice::from_ref(&security.sign)) {
                Err(AuthError::Missing) => Err(AuthError::Missing),
                Err(first) => match segment.authenticate(octets, &security.also_accept) {
                    // A key that is named and whose value is wrong says more than one that is not named.
                    Err(AuthError::UnknownKey) => Err(first),
                    other => other,
                },
                right => right,
            };
            if let Err(error) = right {
                match error {
                    AuthError::Missing => self.discarded.unauthenticated += 1,
                    AuthError::UnknownKey => self.discarded.unknown_key += 1,
                    AuthError::Wrong => self.discarded.wrong_authentication += 1,
                }
                return;
            }
        }
        let has_cookies = !segment.header_extensions.is_empty() && state.config.cookies != Cookies::Ignore;
        let cookies: Vec<&[u8]> = if has_cookies { segment.cookies().collect() } else { Vec::new() };
        let room = if self.jars.is_empty() { 0 } else { self.cookie_room(peer) };
        let checked = self.config.misbehaviour != Some(Misbehaviour::AnyCookie);
        if let Some(jar) = self.jars.get_mut(&session).filter(|_| checked) {
            match jar.check(now, &cookies, room) {
                Ok(()) => {}
                Err(NotGood::Missing) => {
                    self.discarded.missing_cookie += 1;
                    return;
                }
                Err(NotGood::Wrong) => {
                    self.discarded.wrong_cookie += 1;
                    return;
                }
            }
        } else if checked && !cookies.is_empty() && !self.may_keep(peer, &cookies) {
            self.discarded.wrong_cookie += 1;
            return;
        }
        let echo = || cookies.iter().map(|c| c.to_vec()).collect();
        match &segment.content {
            Content::Data(data) => self.handle_data(now, peer, session, data, frame),
            Content::Report(report) => self.handle_report(now, peer, session, report, echo()),
            Content::ReportAck { report_serial } => self.handle_report_ack(now, session, *report_serial),
            Content::Cancel { by, reason } => self.handle_cancel(now, peer, session, *by, *reason, echo()),
            Content::CancelAck { by } => self.handle_cancel_ack(now, session, *by),
        }
        if !cookies.is_empty() && !self.jars.contains_key(&session) && self.knows(peer, session) {
            self.keep_cookies(now, peer, session, &cookies);
        }
    }

    /// Whether a session is with another peer than the one whose segment names it.
    fn belongs_to_another(&self, peer: u64, session: SessionId) -> bool {
        // A session that a peer originates is that peer's by its name.
        session.originator == self.config.engine_id
            && (self.sending.get(&session).is_some_and(|s| s.peer != peer)
                || self.cancelling.get(&session).is_some_and(|c| c.peer != peer))
    }

    fn knows(&self, peer: u64, session: SessionId) -> bool {
        self.receiving.contains_key(&session)
            || self.sending.contains_key(&session)
            || self.cancelling.contains_key(&session)
            || self.peers.get(&peer).is_some_and(|p| p.closed.contains(&session))
    }

    /// How many octets cookies may take in a segment to a peer.
    fn cookie_room(&self, peer: u64) -> usize {
        self.peers.get(&peer).map_or(0, |p| p.config.segment_size - p.config.least_segment_size())
    }

    /// Whether there is room in the peer's segments for a peer's first cookies.
    fn may_keep(&self, peer: u64, cookies: &[&[u8]]) -> bool {
        let total: usize = cookies.iter().map(|c| 2 + c.len()).sum();
        cookies.len() <= 2 && cookies.iter().all(|c| c.len() <= MAX_COOKIE) && total <= self.cookie_room(peer)
    }

    /// Keeps a peer's first cookies. Those of a session that the peer originates are extended, if so configured, as far as
    /// there is room.
    fn keep_cookies(&mut self, now: Instant, peer: u64, session: SessionId, cookies: &[&[u8]]) {
        let extend = match self.peers.get(&peer).map(|p| p.config.cookies) {
            Some(Cookies::Follow { extend } | Cookies::Initiate { extend, .. })
                if session.originator != self.config.engine_id =>
            {
                extend
            }
            _ => 0,
        };
        let total: usize = cookies.iter().map(|c| 2 + c.len()).sum();
        let longest = cookies.iter().map(|c| c.len()).max().unwrap_or(0);
        let room = (MAX_COOKIE - longest).min(self.cookie_room(peer) - total);
        let mut more = vec![0; extend.min(room)];
        self.rng.fill_bytes(&mut more);
        if let Some(jar) = Jar::theirs(now, cookies, &more) {
            self.jars.insert(session, jar);
        }
    }

    /// The cookie of a session that this engine originates.
    fn put_in_cookie(&mut self, peer: u64, session: SessionId) {
        let Some(config) = self.peers.get(&peer).map(|p| &p.config) else { return };
        if let Cookies::Initiate { length, .. } = config.cookies {
            let room = config.segment_size.saturating_sub(config.least_segment_size() + 2);
            let mut value = vec![0; length.clamp(1, MAX_INITIAL_COOKIE).min(room)];
            self.rng.fill_bytes(&mut value);
            if !value.is_empty() {
                self.jars.insert(session, Jar::ours(value));
            }
        }
    }

    /// The next segment for a peer, of at most `room` bytes, or `None` if there is none that fits. Calling this means that
    /// the segment leaves now.
    ///
    /// Control segments go first, the first of them that fits; after 64 in a row one data segment, if any waits.
    pub fn poll_transmit(&mut self, now: Instant, peer: u64, room: usize) -> Option<Bytes> {
        let state = self.peers.get_mut(&peer)?;
        if state.control.is_empty() {
            return if state.has_data() { self.transmit_data(now, peer, room) } else { None };
        }
        let data_first = state.control_streak >= CONTROL_BURST && state.has_data();
        if !data_first && let Some(segment) = self.transmit_control(now, peer, room) {
            return Some(segment);
        }
        if let Some(segment) = self.transmit_data(now, peer, room) {
            return Some(segment);
        }
        if data_first { self.transmit_control(now, peer, room) } else { None }
    }

    fn transmit_control(&mut self, now: Instant, peer: u64, room: usize) -> Option<Bytes> {
        let mut index = 0;
        while index < CONTROL_LOOKAHEAD {
            let control = self.peers.get(&peer)?.control.get(index)?.clone();
            match self.control_segment(now, peer, &control) {
                // A report may be as long as the segment size; a shorter segment need not wait for a roomier moment.
                Some(segment) if segment.len() > room => index += 1,
                segment => {
                    let state = self.peers.get_mut(&peer)?;
                    state.control.remove(index);
                    if let Some(segment) = segment {
                        state.control_streak += 1;
                        self.control_sent(now, peer, &control, segment.len());
                        return Some(segment);
                    }
                }
            }
        }
        None
    }

    fn transmit_data(&mut self, now: Instant, peer: u64, room: usize) -> Option<Bytes> {
        loop {
            let state = self.peers.get_mut(&peer)?;
            let limit = room.min(state.config.segment_size);
            let fixed = state.config.security.as_ref().map_or(0, |s| s.sign.overhead());
            if limit < PeerConfig::MIN_SEGMENT_SIZE + fixed {
                return None;
            }
            let (again, fresh) = (state.again.front().map(|a| a.session), state.fresh.front().copied());
            if again.is_none() && state.waits_for_claims() {
                return None;
            }
            let session = again.or(fresh)?;
            let cookies = if self.jars.is_empty() { 0 } else { self.jars.get(&session).map_or(0, Jar::overhead) };
            let roomy = room >= state.config.segment_size;
            if limit < PeerConfig::MIN_SEGMENT_SIZE + fixed + cookies {
                if !roomy {
                    return None;
                }
                // The owner has made segments too short for the session's cookies: it can never go on.
                self.cancel_locally(now, session, CancelReason::SystemError);
                continue;
            }
            let limit = limit - fixed - cookies;
            let segment = if again.is_some() {
                self.retransmit_segment(now, peer, limit, roomy)
            } else {
                self.fresh_segment(now, peer, session, limit)
            };
            let state = self.peers.get_mut(&peer)?;
            if segment.is_some() {
                state.control_streak = 0;
                return segment;
            }
            if again.is_some() {
                // Either all that was to be sent again is void, or its first needs more room.
                if !state.again.is_empty() {
                    return None;
                }
            } else {
                state.fresh.pop_front();
            }
        }
    }

    /// Whether a block for this peer has not yet been sent once, so that a further one would have to wait.
    pub fn has_unsent_blocks(&self, peer: u64) -> bool {
        self.peers.get(&peer).is_some_and(Peer::has_data)
    }

    /// Whether a further block for this peer would be taken as far as [`PeerConfig::max_blocks`] goes.
    pub fn takes_blocks(&self, peer: u64) -> bool {
        self.peers.get(&peer).is_some_and(|p| p.blocks < p.config.max_blocks)
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
                Answer::Green => self.green_timeout(now, peer, awaited.session),
            }
        }
    }

    /// The next notice, in the order in which things happened. Poll until there is none, before polling for transmission.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// The sessions that are open here as receiver of a block.
    pub fn receptions(&self) -> impl Iterator<Item = SessionId> + '_ {
        self.receiving.keys().copied()
    }

    /// Sessions that are open here, as sender, as receiver, and being cancelled.
    pub fn open_sessions(&self) -> (usize, usize, usize) {
        (self.sending.len(), self.receiving.len(), self.cancelling.len())
    }

    /// Bytes held for reception, as [`Config::receive_limit`] counts them.
    pub fn held_bytes(&self) -> u64 {
        self.budget.held
    }

    /// What came in and was not used.
    pub fn discarded(&self) -> Discarded {
        self.discarded
    }

    fn control_segment(&mut self, now: Instant, peer: u64, control: &Control) -> Option<Bytes> {
        let nothing = Echo::new();
        let (session, content, echo) = match control {
            Control::Report { session, report_serial } => {
                let report = self.receiving.get(session)?.report(*report_serial)?;
                (*session, Content::Report(report.clone()), &nothing)
            }
            Control::ReportAck { session, report_serial, echo } => {
                (*session, Content::ReportAck { report_serial: *report_serial }, echo)
            }
            Control::Cancel { session } => {
                let cancelling = self.cancelling.get(session)?;
                (*session, Content::Cancel { by: cancelling.by, reason: cancelling.reason }, &nothing)
            }
            Control::CancelAck { session, by, echo } => (*session, Content::CancelAck { by: *by }, echo),
        };
        Some(self.output.encode(now, &mut self.jars, self.peers.get(&peer), session, content, echo))
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

    /// Queues an answer to a peer. Where nothing can be sent to it there is no answer; where there is no room that is counted.
    fn queue_control(&mut self, peer: u64, control: Control) -> bool {
        let Some(state) = self.peers.get_mut(&peer) else { return false };
        let queued = state.queue_control(control);
        if !queued && !state.config.receive_only {
            self.discarded.over_limit += 1;
        }
        queued
    }

    /// Remembers that a session is over, for as long as its peer can go on trying.
    fn remember_closed(&mut self, now: Instant, peer: u64, session: SessionId) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        if let Some(forgotten) = state.closed.remember(session, now + state.patience()) {
            self.jars.remove(&forgotten);
        }
    }

    fn retransmission_limit(&self, peer: u64) -> u32 {
        self.peers.get(&peer).map_or(0, |p| p.config.retransmission_limit)
    }
}

/// Serial numbers begin at random (§3.2.1, §3.2.2), not at zero, and stay short as SDNVs: 14 bits leave room to count up
/// within two or three bytes.
fn first_serial(rng: &mut ChaCha8Rng) -> u64 {
    u64::from(rng.next_u32() % 0x3fff) + 1
}
