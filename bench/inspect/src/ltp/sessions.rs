use std::collections::{BTreeMap, BTreeSet};

use farlink_wire::ltp::{Content, Data, Party, Report, Segment, SessionId};

use super::block::{Block, MAX_HELD};
use super::{MAX_LISTED, Outcome, SessionView, party_name, sent_by};
use crate::capture::Ends;
use crate::ranges::Ranges;
use crate::time;

/// Most sessions that are followed at a time. For a further one, the one that was silent the longest is given out as it
/// stands.
pub const MAX_SESSIONS: usize = 16_384;

/// Most different paths of one session that are listed.
const MAX_PATHS: usize = 8;

/// The client service that the Bundle Protocol has (RFC 7116 section 3.1).
const BUNDLE_PROTOCOL: u64 = 1;

/// When and where a segment was seen.
#[derive(Clone, Copy, Debug)]
pub struct Arrived {
    /// Packet of the capture, from 1.
    pub packet: u64,
    /// Nanoseconds since 1970.
    pub unix_ns: Option<i128>,
    /// Who to whom.
    pub ends: Ends,
}

/// What following sessions brings to light.
pub enum Found {
    /// A block, or what the capture has of it from its start, for the Bundle Protocol. Whole: given when its last octet was
    /// seen. Otherwise when the session is given up or the capture ends.
    Block {
        /// The session.
        session: SessionId,
        /// The segment that completed it.
        arrived: Arrived,
        /// The octets.
        octets: Vec<u8>,
        /// Whether these are all of the block.
        whole: bool,
    },
    /// A session that is not followed any more.
    Session(Box<SessionView>),
}

struct Session {
    view: SessionView,
    order: u64,
    last: u64,
    first_ns: Option<i128>,
    last_arrived: Arrived,
    block: Block,
    highest: u64,
    claimed: Ranges,
    checkpoints: BTreeSet<u64>,
    reports: BTreeSet<u64>,
    acknowledged: BTreeSet<u64>,
    forward: BTreeSet<Ends>,
    back: BTreeSet<Ends>,
    completed: Option<Option<i128>>,
    given_out: bool,
}

/// Sessions put together from the segments of a capture, in the order of the capture. A session is known by its originator
/// and number alone, wherever its segments are captured.
#[derive(Default)]
pub struct Sessions {
    open: BTreeMap<SessionId, Session>,
    started: u64,
    segments: u64,
    held: u64,
    without_blocks: bool,
}

impl Sessions {
    /// Without keeping blocks: no [`Found::Block`] is given.
    pub fn without_blocks() -> Self {
        Sessions { without_blocks: true, ..Sessions::default() }
    }

    /// Takes the next segment; what it brings to light is handed to `found`.
    pub fn segment(&mut self, segment: &Segment<'_>, arrived: Arrived, found: &mut dyn FnMut(Found)) {
        self.segments += 1;
        if !self.open.contains_key(&segment.session) && self.open.len() == MAX_SESSIONS {
            let silent = self.open.iter().min_by_key(|(_, session)| session.last).map(|(id, _)| *id);
            if let Some(session) = silent.and_then(|id| self.open.remove(&id)) {
                self.give_up(session, found);
            }
        }
        self.started += 1;
        let order = self.started;
        let session = self.open.entry(segment.session).or_insert_with(|| Session::new(segment.session, order, arrived));
        session.last = self.segments;
        session.note(segment, arrived);
        if let Content::Data(data) = &segment.content {
            let keep = !self.without_blocks && !session.given_out && data.client_service == BUNDLE_PROTOCOL;
            self.held += session.data(data, keep, MAX_HELD - self.held);
            if keep && session.is_whole() && !session.block.incomplete {
                session.given_out = true;
                let (octets, held) = session.block.take_prefix();
                self.held -= held;
                found(Found::Block { session: segment.session, arrived, octets, whole: true });
            }
        }
    }

    /// Adds a line on what is inside a session's block; whether the session is still followed.
    pub fn add_bundle(&mut self, session: SessionId, line: String) -> bool {
        let Some(session) = self.open.get_mut(&session) else { return false };
        if session.view.bundles.len() < MAX_LISTED {
            session.view.bundles.push(line);
        }
        true
    }

    /// Says why a session has no bundles to show.
    pub fn note_on_bundles(&mut self, session: SessionId, note: String) {
        if let Some(session) = self.open.get_mut(&session) {
            session.view.bundle_note.get_or_insert(note);
        }
    }

    /// The capture has ended: blocks that are not whole are handed to `found`. Sessions stay, to have notes added.
    pub fn end_blocks(&mut self, found: &mut dyn FnMut(Found)) {
        let mut sessions: Vec<_> = self.open.iter_mut().collect();
        sessions.sort_by_key(|(_, session)| session.order);
        for (id, session) in sessions {
            session.give_out_block(*id, &mut self.held, found);
        }
    }

    /// All sessions that are still followed are handed to `found`, in the order of their first segments.
    pub fn end(mut self, found: &mut dyn FnMut(Found)) {
        let mut sessions: Vec<_> = std::mem::take(&mut self.open).into_values().collect();
        sessions.sort_by_key(|session| session.order);
        for session in sessions {
            self.give_up(session, found);
        }
    }

    fn give_up(&mut self, mut session: Session, found: &mut dyn FnMut(Found)) {
        let id = SessionId { originator: session.view.originator, number: session.view.number };
        session.give_out_block(id, &mut self.held, found);
        found(Found::Session(Box::new(session.finish())));
    }
}

impl Session {
    fn new(id: SessionId, order: u64, arrived: Arrived) -> Self {
        Session {
            view: SessionView {
                originator: id.originator,
                number: id.number,
                first: arrived.unix_ns.map(time::unix_rfc3339),
                first_packet: arrived.packet,
                ..SessionView::default()
            },
            order,
            last: 0,
            first_ns: arrived.unix_ns,
            last_arrived: arrived,
            block: Block::default(),
            highest: 0,
            claimed: Ranges::default(),
            checkpoints: BTreeSet::new(),
            reports: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            forward: BTreeSet::new(),
            back: BTreeSet::new(),
            completed: None,
            given_out: false,
        }
    }

    fn note(&mut self, segment: &Segment<'_>, arrived: Arrived) {
        self.last_arrived = arrived;
        let view = &mut self.view;
        view.segments += 1;
        view.last_packet = arrived.packet;
        let paths = match sent_by(segment) {
            Party::Sender => &mut self.forward,
            Party::Receiver => &mut self.back,
        };
        if paths.len() < MAX_PATHS {
            paths.insert(arrived.ends);
        }
        match &segment.content {
            Content::Data(_) => {}
            Content::Report(report) => self.report(report, arrived),
            Content::ReportAck { report_serial } => {
                list(&mut self.acknowledged, &mut view.acknowledged_reports, *report_serial);
            }
            Content::Cancel { by, reason } => {
                let acknowledged = matches!(view.outcome, Outcome::Cancelled { acknowledged: true, .. });
                view.outcome = Outcome::Cancelled {
                    by: party_name(*by).to_owned(),
                    reason_code: Some(reason.code()),
                    reason: Some(reason.mnemonic().to_owned()),
                    acknowledged,
                    claimed_in_full: false,
                };
            }
            Content::CancelAck { by } => match &mut view.outcome {
                Outcome::Cancelled { acknowledged, .. } => *acknowledged = true,
                outcome => {
                    *outcome = Outcome::Cancelled {
                        by: party_name(*by).to_owned(),
                        reason_code: None,
                        reason: None,
                        acknowledged: true,
                        claimed_in_full: false,
                    };
                }
            },
        }
    }

    /// Takes a data segment; returns how many octets more are held.
    fn data(&mut self, data: &Data<'_>, keep: bool, room: u64) -> u64 {
        let view = &mut self.view;
        let length = data.data.len() as u64;
        view.data_segments += 1;
        view.data_octets += length;
        view.client_service.get_or_insert(data.client_service);
        let (new, held) = self.block.add(data.offset, data.data, keep, room);
        view.repeated_octets += length - new;
        if data.offset < self.highest {
            view.gap_octets += new;
        }
        self.highest = self.highest.max(data.end());
        if data.kind.is_end_of_red_part() {
            view.red_length = Some(data.end());
        }
        if data.kind.is_end_of_block() {
            view.block_length = Some(data.end());
        }
        if let Some(checkpoint) = data.kind.checkpoint() {
            view.checkpoint_segments += 1;
            list(&mut self.checkpoints, &mut view.checkpoints, checkpoint.serial);
        }
        held
    }

    fn report(&mut self, report: &Report, arrived: Arrived) {
        self.view.report_segments += 1;
        let is_new = list(&mut self.reports, &mut self.view.reports, report.report_serial);
        let mut at = report.lower_bound;
        let mut gaps = Vec::new();
        for claim in &report.claims {
            let from = report.lower_bound + claim.offset;
            if from > at {
                gaps.push((at, from));
            }
            at = from + claim.length;
            self.claimed.insert(from..at);
        }
        if at < report.upper_bound {
            gaps.push((at, report.upper_bound));
        }
        if is_new {
            let room = MAX_LISTED - self.view.gaps_reported.len();
            self.view.gaps_reported.extend(gaps.into_iter().take(room));
        }
        if self.completed.is_none()
            && let Some(red) = self.view.red_length
            && self.claimed.prefix() >= red
        {
            self.completed = Some(arrived.unix_ns);
        }
    }

    fn is_whole(&self) -> bool {
        self.view.block_length.is_some_and(|length| self.block.seen.prefix() >= length)
    }

    fn give_out_block(&mut self, session: SessionId, held: &mut u64, found: &mut dyn FnMut(Found)) {
        if self.given_out {
            return;
        }
        self.given_out = true;
        let (octets, released) = self.block.take_prefix();
        *held -= released;
        if self.view.client_service == Some(BUNDLE_PROTOCOL) && self.view.data_segments > 0 {
            found(Found::Block { session, arrived: self.last_arrived, octets, whole: false });
        }
    }

    fn finish(mut self) -> SessionView {
        let view = &mut self.view;
        view.last = self.last_arrived.unix_ns.map(time::unix_rfc3339);
        if let (Some(first), Some(last)) = (self.first_ns, self.last_arrived.unix_ns) {
            view.duration_ns = u64::try_from(last - first).ok();
        }
        view.paths_forward = self.forward.iter().map(ToString::to_string).collect();
        view.paths_back = self.back.iter().map(ToString::to_string).collect();
        view.seen_octets = self.block.seen.octets();
        let end = view.block_length.unwrap_or(self.highest).max(self.highest);
        let missing = self.block.seen.missing(0..end);
        view.missing = missing.into_iter().take(MAX_LISTED).map(|range| (range.start, range.end)).collect();
        if let Outcome::Cancelled { claimed_in_full, .. } = &mut view.outcome {
            *claimed_in_full = self.completed.is_some();
        }
        if view.outcome == Outcome::Open {
            view.outcome = match (self.completed, view.red_length, view.block_length) {
                (Some(at), red, block) => Outcome::Completed { at: at.map(time::unix_rfc3339), has_green: block > red },
                // A block that ends in a green segment and shows no checkpoint has no red part.
                (None, None, Some(_)) if view.checkpoint_segments == 0 && view.report_segments == 0 => {
                    Outcome::GreenSent
                }
                _ => Outcome::Open,
            };
        }
        self.view
    }
}

/// Notes a serial number; whether it is new.
fn list(known: &mut BTreeSet<u64>, listed: &mut Vec<u64>, serial: u64) -> bool {
    // More are not told from each other: what a capture can make this hold is bounded.
    if known.len() >= 64 * MAX_LISTED || !known.insert(serial) {
        return false;
    }
    if listed.len() < MAX_LISTED {
        listed.push(serial);
    }
    true
}
