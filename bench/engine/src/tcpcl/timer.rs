//! What happens when nothing happens.

use farlink_units::{Duration, Instant};
use farlink_wire::tcpcl::{Message, TermReason};

use super::{Cause, End, Phase, Session};

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Contact,
    Tls,
    Init,
    Keepalive,
    Silence(Duration),
    Idle(Duration),
    Stalled,
    Close,
}

impl Session {
    /// When [`Session::handle_timeout`] is to be called next, if nothing else happens before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next_due().map(|(at, _)| at)
    }

    /// The time of [`Session::poll_timeout`] has come. Calling it earlier does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        // Each turn removes or postpones what was due.
        while let Some((_, due)) = self.next_due().filter(|(at, _)| *at <= now) {
            match due {
                Due::Contact => self.end(End::ContactTimeout(self.config.contact_timeout)),
                Due::Tls => self.end(End::TlsTimeout(self.config.tls_timeout)),
                Due::Close => self.end(End::CloseTimeout(self.config.close_timeout)),
                Due::Keepalive => self.output.message(&Message::Keepalive),
                Due::Init => {
                    let cause = Cause::InitTimeout(self.config.init_timeout);
                    self.begin_ending(now, TermReason::IdleTimeout, cause);
                }
                Due::Silence(after) => self.begin_ending(now, TermReason::IdleTimeout, Cause::Silence(after)),
                Due::Idle(after) => self.begin_ending(now, TermReason::IdleTimeout, Cause::Idle(after)),
                Due::Stalled => {
                    let cause = Cause::Stalled(self.config.ack_timeout);
                    self.begin_ending(now, TermReason::Unknown, cause);
                }
            }
        }
    }

    fn next_due(&self) -> Option<(Instant, Due)> {
        let mut due = [None; 4];
        match self.phase {
            Phase::Over => {}
            Phase::Contact => due[0] = Some((self.since + self.config.contact_timeout, Due::Contact)),
            Phase::Tls => due[0] = Some((self.since + self.config.tls_timeout, Due::Tls)),
            Phase::Init | Phase::Established => {
                if self.is_ending() {
                    due[0] = Some((self.ending_progress + self.config.close_timeout, Due::Close));
                } else if self.established.is_none() {
                    due[0] = Some((self.since + self.config.init_timeout, Due::Init));
                } else {
                    if let Some(after) = self.config.idle_shutdown {
                        due[0] = Some((self.activity + after, Due::Idle(after)));
                    }
                    if self.sending.in_progress() {
                        due[1] = Some((self.sending.progress + self.config.ack_timeout, Due::Stalled));
                    }
                }
                let keepalive_s = self.established.as_ref().map_or(0, |established| established.keepalive_s);
                if keepalive_s > 0 {
                    let interval = Duration::from_secs(keepalive_s.into());
                    // What waits to be sent will itself show the peer that somebody is there.
                    if self.output.is_empty() {
                        due[2] = Some((self.last_sent + interval, Due::Keepalive));
                    }
                    if !self.is_ending() {
                        let after = self.config.idle_timeout.unwrap_or(interval.saturating_mul(2));
                        due[3] = Some((self.last_received + after, Due::Silence(after)));
                    }
                }
            }
        }
        due.into_iter().flatten().min_by_key(|(at, _)| *at)
    }
}
