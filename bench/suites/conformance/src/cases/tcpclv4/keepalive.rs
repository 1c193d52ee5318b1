//! Keepalive and idle timeout: RFC 9174 sections 5.1.1 and 6.2.

use farlink_units::{Duration, Instant};

use super::init::keepalive_tolerance;
use super::message::{Init, Message, term};
use super::peer::{Peer, Role, in_both_roles, in_one_role, usual_init};
use crate::case::{Case, Suite};
use crate::catalogue::Grade;
use crate::outcome::Finding;
use crate::tester::Tester;

/// The cases.
pub const CASES: &[Case] = &[
    Case::new("TCPCL-5.1.1-01", Suite::Tcpclv4, &["keepalive", "timers"], zero_means_none),
    Case::new("TCPCL-5.1.1-02", Suite::Tcpclv4, &["keepalive"], proposal_is_moderate),
    Case::new("TCPCL-5.1.1-03", Suite::Tcpclv4, &["keepalive", "timers"], keepalive_comes_in_time),
    Case::new("TCPCL-5.1.1-04", Suite::Tcpclv4, &["keepalive", "timers", "sender"], keepalive_is_a_lone_octet),
    Case::new("TCPCL-5.1.1-05", Suite::Tcpclv4, &["keepalive", "timers", "ending"], silence_ends_the_session),
    Case::new("TCPCL-5.1.1-06", Suite::Tcpclv4, &["keepalive", "timers", "ending"], silence_of_twice_the_interval),
    Case::new("TCPCL-5.1.1-07", Suite::Tcpclv4, &["keepalive", "timers"], keepalive_alone_is_enough),
    Case::new("TCPCL-6.2-01", Suite::Tcpclv4, &["keepalive", "timers", "ending"], idle_session_may_end),
];

/// How much earlier than it should be an idle timeout may be seen.
const EARLY: Duration = Duration::from_millis(500);

fn session(t: &mut Tester<'_>, role: Role, keepalive_s: u16) -> Result<Peer, Finding> {
    let init = Init { keepalive_s, ..usual_init(t)? };
    Peer::session_with(t, role, init)
}

/// The interval that was negotiated, which is that of the tester unless the node has proposed less.
fn negotiated(peer: &Peer, proposed_s: u16) -> u16 {
    peer.init.as_ref().map_or(proposed_s, |init| init.keepalive_s.min(proposed_s))
}

/// Shows for so many intervals that the tester is there, and expects the same of the node.
pub(super) fn gaps_stay_within(
    t: &mut Tester<'_>,
    peer: &mut Peer,
    proposed_s: u16,
    intervals: i64,
) -> Result<(), Finding> {
    let interval = Duration::from_secs(i64::from(negotiated(peer, proposed_s)));
    if interval == Duration::ZERO {
        return Err(Finding::unsupported("the node does not propose a keepalive interval"));
    }
    let until = t.now() + interval.saturating_mul(intervals);
    let longest = interval + keepalive_tolerance(t);
    let mut last = t.now();
    while last < until {
        let due = last + longest;
        let message = peer.next(t, due.min(until))?;
        let quiet_since = last;
        last = t.now();
        if message.is_none() && peer.closed.is_some() {
            return Err(Finding::deviation("KEEPALIVE", "the node closed the connection"));
        }
        if let Some(Message::Term { reason, .. }) = message {
            return Err(Finding::deviation("KEEPALIVE", format!("SESS_TERM with reason {reason:#04x}")));
        }
        if message.is_none() && last >= due {
            let expected = format!("a message at least every {interval}");
            return Err(Finding::silence(expected, format!("none for {}", last - quiet_since)));
        }
    }
    Ok(())
}

fn zero_means_none(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        let mut peer = session(t, role, 0)?;
        let own = peer.init.as_ref().map_or(0, |init| init.keepalive_s);
        let idle = Duration::from_secs((3 * i64::from(own)).clamp(1, 120));
        let until = t.now() + idle;
        peer.read_until(t, until)?;
        if !peer.told(|m| (*m == Message::Keepalive).then_some(())).is_empty() {
            return Err(Finding::deviation("no KEEPALIVE, since the interval is 0", "KEEPALIVE"));
        }
        let idles = peer.told(|m| matches!(m, Message::Term { reason: term::IDLE_TIMEOUT, .. }).then_some(()));
        if let (Some(()), Some(_)) = (idles.first(), t.tcpcl()?.idle_timeout) {
            return Ok(());
        }
        peer.deliver(t)?;
        peer.terminate(t)
    })
}

fn proposal_is_moderate(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        let told = peer.init.as_ref().map_or(0, |init| init.keepalive_s);
        peer.terminate(t)?;
        match told {
            0 | 30..=600 => Ok(()),
            other => Err(Finding::remark("a proposal of 30 to 600 s, or none", format!("{other} s"))),
        }
    })
}

fn keepalive_comes_in_time(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        for (keepalive_s, intervals) in [(2, 10), (5, 4)] {
            let mut peer = session(t, role, keepalive_s)?;
            gaps_stay_within(t, &mut peer, keepalive_s, intervals)?;
            peer.terminate(t)?;
        }
        Ok(())
    })
}

fn keepalive_is_a_lone_octet(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        let mut peer = session(t, role, 2)?;
        for _ in 0..5 {
            // An octet out of place is found by whoever reads on.
            peer.trigger(t, 1000)?;
            gaps_stay_within(t, &mut peer, 2, 1)?;
        }
        // Without data KEEPALIVE must come, and what follows it must be a message.
        gaps_stay_within(t, &mut peer, 2, 3)?;
        peer.deliver(t)?;
        peer.terminate(t)
    })
}

/// When a SESS_TERM came, its flags and its reason.
type Term = (Instant, u8, u8);

/// A session with an interval of 2 s in which the tester falls silent: when that was, when SESS_TERM came, and its reason.
fn falls_silent(t: &mut Tester<'_>, role: Role) -> Result<(Peer, Duration, Instant, Option<Term>), Finding> {
    let mut peer = session(t, role, 2)?;
    let interval = Duration::from_secs(i64::from(negotiated(&peer, 2)));
    if interval == Duration::ZERO {
        return Err(Finding::unsupported("the node does not propose a keepalive interval"));
    }
    peer.keeps_alive = None;
    peer.acknowledges = false;
    peer.write(t, &Message::Keepalive.octets())?;
    let begin = t.now();
    let longest = interval.saturating_mul(5) + Duration::from_secs(60);
    let term = peer.seek(t, begin + longest, |m| match m {
        Message::Term { flags, reason } => Some((*flags, *reason)),
        _ => None,
    })?;
    let at = t.now();
    Ok((peer, interval, begin, term.map(|(flags, reason)| (at, flags, reason))))
}

fn silence_ends_the_session(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let expected = "SESS_TERM with reason Idle timeout";
        let (mut peer, interval, begin, term) = falls_silent(t, role)?;
        let Some((at, flags, reason)) = term else {
            return Err(match peer.closed {
                Some(_) => Finding::deviation(expected, "the connection is just closed"),
                None => Finding::silence(expected, "the session goes on").at_most(Grade::Warn),
            });
        };
        if (flags, reason) != (0, term::IDLE_TIMEOUT) {
            let told = Message::Term { flags, reason }.told();
            return Err(Finding::deviation(expected, told));
        }
        if at - begin < interval {
            return Err(Finding::deviation(
                format!("{expected}, not before {interval}"),
                format!("after {}", at - begin),
            ));
        }
        let idle = t.tcpcl()?.idle_timeout.unwrap_or(interval.saturating_mul(2));
        if at - begin > idle + t.profile().answer_time() {
            return Err(Finding::warning(format!("{expected} after {idle}"), format!("after {}", at - begin)));
        }
        // The tester does not reply.
        peer.expect_closed_soon(t).map(drop)
    })
}

fn silence_of_twice_the_interval(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        let (mut peer, interval, begin, term) = falls_silent(t, role)?;
        peer.drop(t);
        let Some((at, ..)) = term else {
            return Err(Finding::inconclusive("SESS_TERM after twice the keepalive interval", "none came"));
        };
        let least = interval.saturating_mul(2);
        if at - begin + EARLY < least {
            return Err(Finding::warning(format!("SESS_TERM not before {least}"), format!("after {}", at - begin)));
        }
        Ok(())
    })
}

fn keepalive_alone_is_enough(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        lives_on_keepalive(t, role, Duration::from_millis(1750))?;
        // A little later than the interval, as it may come over a way that is not always as long. To bear that is recommended: the
        // idle time SHOULD be twice the interval.
        lives_on_keepalive(t, role, Duration::from_millis(2250)).map_err(|finding| finding.at_most(Grade::Warn))
    })
}

/// That a session of two seconds' keepalive interval goes on for five of them with nothing but KEEPALIVE.
fn lives_on_keepalive(t: &mut Tester<'_>, role: Role, every: Duration) -> Result<(), Finding> {
    let mut peer = session(t, role, 2)?;
    peer.keeps_alive = Some(every);
    let time = Duration::from_secs(10);
    let until = t.now() + time;
    peer.read_until(t, until)?;
    let declared = t.tcpcl()?.idle_timeout.is_some_and(|idle| idle <= time);
    if declared && !peer.told(|m| matches!(m, Message::Term { .. }).then_some(())).is_empty() {
        return Ok(());
    }
    peer.deliver(t)?;
    peer.terminate(t)
}

fn idle_session_may_end(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        let mut peer = session(t, role, 2)?;
        // Without a declared time two idle timeouts show at least that KEEPALIVE alone does not end it otherwise.
        let idle = t.tcpcl()?.idle_timeout.unwrap_or(Duration::from_secs(8)) + t.profile().answer_time();
        let until = t.now() + idle;
        let term = peer.seek(t, until, |m| match m {
            Message::Term { flags, reason } => Some((*flags, *reason)),
            _ => None,
        })?;
        match term {
            Some((0, term::IDLE_TIMEOUT)) => peer.drop(t),
            Some((flags, reason)) => {
                let told = Message::Term { flags, reason }.told();
                return Err(Finding::remark("SESS_TERM with reason Idle timeout, if any", told));
            }
            None if peer.closed.is_some() => {
                return Err(Finding::remark("SESS_TERM before the end", "the connection is closed"));
            }
            None => peer.terminate(t)?,
        }
        Ok(())
    })
}
