//! Countdown timers that stop while the peer cannot answer (RFC 5326 §6.2, §6.3, §6.5, §6.6, §6.15).

use std::collections::{BTreeMap, BTreeSet};

use farlink_units::{Duration, Instant};
use farlink_wire::ltp::SessionId;

/// What a timer waits to be answered. The session comes first, so that the timers of one session stand together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Awaited {
    pub(super) session: SessionId,
    pub(super) answer: Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answer {
    /// Any further segment of a session that this engine receives.
    Activity,
    /// An acknowledgment of our cancellation of the session.
    CancelAck,
    /// The rest of a green part.
    Green,
    /// A report for the checkpoint of this serial number.
    Report { checkpoint_serial: u64 },
    /// An acknowledgment of the report of this serial number.
    ReportAck { report_serial: u64 },
}

#[derive(Clone, Copy, Debug)]
struct Timer {
    peer: u64,
    /// When the peer is expected to present its answer for transmission: the "nominal remote engine acknowledge
    /// transmission time" of §6.5.
    nominal_answer: Instant,
    deadline: Instant,
    suspended: bool,
}

#[derive(Debug, Default)]
pub(super) struct Timers {
    timers: BTreeMap<Awaited, Timer>,
    running: BTreeSet<(Instant, Awaited)>,
}

impl Timers {
    /// Starts a timer for something whose last bit leaves at `sent`. It starts suspended if the peer is known not to
    /// transmit.
    ///
    /// The margin counts twice: once for what the peer does before it presents its answer, which is the "additional
    /// anticipated latency" of §6.5, and once for the answer's own time in the queue and on the air. Without the second, an
    /// answer that is presented the moment the peer may transmit again would always come too late.
    pub(super) fn start(&mut self, sent: Instant, peer: u64, awaited: Awaited, path: Path, peer_transmits: bool) {
        let nominal_answer = sent + path.light_time_out + path.margin;
        let deadline = nominal_answer + path.light_time_back + path.margin;
        self.insert(awaited, Timer { peer, nominal_answer, deadline, suspended: !peer_transmits });
    }

    /// Starts a timer that runs out after `span`, and stands still while the peer does not transmit.
    pub(super) fn start_span(
        &mut self,
        now: Instant,
        peer: u64,
        awaited: Awaited,
        span: Duration,
        peer_transmits: bool,
    ) {
        let deadline = now + span;
        self.insert(awaited, Timer { peer, nominal_answer: deadline, deadline, suspended: !peer_transmits });
    }

    fn insert(&mut self, awaited: Awaited, timer: Timer) {
        self.stop(&awaited);
        if !timer.suspended {
            self.running.insert((timer.deadline, awaited));
        }
        self.timers.insert(awaited, timer);
    }

    pub(super) fn stop(&mut self, awaited: &Awaited) -> bool {
        match self.timers.remove(awaited) {
            Some(timer) => {
                self.running.remove(&(timer.deadline, *awaited));
                true
            }
            None => false,
        }
    }

    /// Stops the timers of a session, save that of its green part, which may be waited for beyond the session's end.
    pub(super) fn stop_session(&mut self, session: SessionId) {
        let mut from = Awaited { session, answer: Answer::Activity };
        while let Some((awaited, _)) = self.timers.range(from..).next().filter(|(a, _)| a.session == session) {
            let awaited = *awaited;
            if awaited.answer == Answer::Green {
                from = Awaited { session, answer: Answer::Report { checkpoint_serial: 0 } };
            } else {
                self.stop(&awaited);
                from = awaited;
            }
        }
    }

    pub(super) fn peer_stops(&mut self, now: Instant, peer: u64) {
        for (awaited, timer) in self.timers.iter_mut().filter(|(_, t)| t.peer == peer && !t.suspended) {
            if timer.nominal_answer >= now {
                timer.suspended = true;
                self.running.remove(&(timer.deadline, *awaited));
            }
        }
    }

    /// Resumes timers (§6.6). `path` is the path as it is now: bodies move while a link is closed.
    pub(super) fn peer_starts(&mut self, now: Instant, peer: u64, path: Path) {
        for (awaited, timer) in self.timers.iter_mut().filter(|(_, t)| t.peer == peer && t.suspended) {
            let delay = now.saturating_since(timer.nominal_answer);
            // What the peer could not present before now counts as presented now, should it stop and start again.
            timer.nominal_answer += delay;
            let expected = timer.nominal_answer + path.light_time_back + path.margin;
            timer.deadline = (timer.deadline + delay).max(expected);
            timer.suspended = false;
            self.running.insert((timer.deadline, *awaited));
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.running.first().map(|(deadline, _)| *deadline)
    }

    pub(super) fn pop_expired(&mut self, now: Instant) -> Option<(Awaited, u64)> {
        let (deadline, awaited) = *self.running.first()?;
        if deadline > now {
            return None;
        }
        self.running.pop_first();
        let timer = self.timers.remove(&awaited)?;
        Some((awaited, timer.peer))
    }
}

/// The path to a peer and back, as the timers count it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Path {
    pub(super) light_time_out: Duration,
    pub(super) light_time_back: Duration,
    pub(super) margin: Duration,
}
