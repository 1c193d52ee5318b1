//! TCP connections and contact headers: RFC 9174 sections 4.1 to 4.3.

use farlink_units::{Duration, Instant};

use super::message::{Message, REPLY, contact_header, kind, sess_term, term};
use super::peer::{Closed, Peer, Role, active, in_both_roles, live, passive, usual_init, usual_role};
use crate::case::{Case, Suite};
use crate::medium::{Door, Happening, Order};
use crate::outcome::{Finding, Kind};
use crate::profile::Originate;
use crate::tester::Tester;

/// The cases.
pub const CASES: &[Case] = &[
    Case::new("TCPCL-4.1-01", Suite::Tcpclv4, &["contact", "timers"], attempts_pause),
    Case::new("TCPCL-4.1-02", Suite::Tcpclv4, &["contact", "timers"], pauses_grow),
    Case::new("TCPCL-4.1-03", Suite::Tcpclv4, &["contact", "timers"], pauses_end_at_a_minute),
    Case::new("TCPCL-4.1-04", Suite::Tcpclv4, &["contact"], active_speaks_first),
    Case::new("TCPCL-4.1-05", Suite::Tcpclv4, &["contact"], passive_waits),
    Case::new("TCPCL-4.1-06", Suite::Tcpclv4, &["contact"], passive_answers),
    Case::new("TCPCL-4.1-07", Suite::Tcpclv4, &["contact", "timers", "hostile"], contact_times_out),
    Case::new("TCPCL-4.1-08", Suite::Tcpclv4, &["contact", "timers"], contact_times_out_in_a_minute),
    Case::new("TCPCL-4.1-09", Suite::Tcpclv4, &["contact", "ending"], closes_by_fin),
    Case::new("TCPCL-4.1-10", Suite::Tcpclv4, &["contact", "hostile", "ending"], bears_an_abrupt_end),
    Case::new("TCPCL-4.2-01", Suite::Tcpclv4, &["contact"], header_is_well_formed),
    Case::new("TCPCL-4.2-03", Suite::Tcpclv4, &["contact"], reserved_flags_are_clear),
    Case::new("TCPCL-4.2-04", Suite::Tcpclv4, &["contact"], reserved_flags_are_ignored),
    Case::new("TCPCL-4.2-05", Suite::Tcpclv4, &["contact", "ending"], takes_a_refusal),
    Case::new("TCPCL-4.3-01", Suite::Tcpclv4, &["contact", "hostile"], other_magic_ends_it),
    Case::new("TCPCL-4.3-02", Suite::Tcpclv4, &["contact", "hostile"], bears_many_bad_headers),
    Case::new("TCPCL-4.3-03", Suite::Tcpclv4, &["contact"], highest_version_first),
    Case::new("TCPCL-4.3-04", Suite::Tcpclv4, &["contact"], lower_version_is_left),
    Case::new("TCPCL-4.3-05", Suite::Tcpclv4, &["contact"], version_mismatch_may_lead_lower),
    Case::new("TCPCL-4.3-06", Suite::Tcpclv4, &["contact"], other_version_is_refused),
    Case::new("TCPCL-4.3-07", Suite::Tcpclv4, &["contact"], lower_version_is_adopted_or_refused),
    Case::new("TCPCL-4.3-08", Suite::Tcpclv4, &["contact"], no_tls_unless_both_offer_it),
    Case::new("TCPCL-3.3-01", Suite::Tcpclv4, &["contact", "timers", "hostile"], init_times_out),
];

/// Attempts without any pause between them.
const NO_PAUSE: Duration = Duration::from_millis(10);
/// The least pause that the suite asks for.
const LEAST_PAUSE: Duration = Duration::from_millis(100);

/// The instants of the node's attempts to connect, all refused, until `enough` of them have been seen or time is up.
fn attempts(
    t: &mut Tester<'_>,
    within: Duration,
    enough: impl Fn(&[Instant]) -> bool,
) -> Result<Vec<Instant>, Finding> {
    active(t)?;
    t.set_listening(Door::Tcpcl, false);
    if t.profile().originate == Originate::Ordered || t.tcpcl()?.on_demand {
        t.order(&Order::Originate {
            door: Door::Tcpcl,
            payload: vec![0; 100],
            lifetime: Duration::from_secs(3600),
            flags: 0,
            anonymous: false,
        })?;
    }
    let until = t.now() + within;
    let mut all = Vec::new();
    while !enough(&all) {
        let attempt = t.wait_for(until, |arrival| match arrival.what {
            Happening::Reset { stream } if stream.door == Door::Tcpcl => Some(arrival.at),
            _ => None,
        })?;
        match attempt {
            Some(at) => all.push(at),
            None => break,
        }
    }
    if all.len() < 2 {
        return Err(Finding::inconclusive("attempts to connect", format!("{} in {within}", all.len())));
    }
    Ok(all)
}

fn intervals(attempts: &[Instant]) -> Vec<Duration> {
    attempts.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// The pauses between attempts: the node knows of each failure a round trip after its begin.
fn pauses(t: &Tester<'_>, attempts: &[Instant]) -> Vec<Duration> {
    let round_trip = t.profile().round_trip;
    intervals(attempts).into_iter().map(|interval| interval - round_trip.min(interval)).collect()
}

fn attempts_pause(t: &mut Tester<'_>) -> Result<(), Finding> {
    // Once it has paused for so long, no more than 120 attempts fit into two minutes.
    let paused = |all: &[Instant]| all.len() > 3 && intervals(all).last().is_some_and(|last| last.as_millis() >= 2000);
    let all = attempts(t, Duration::from_secs(120), |all| paused(all) || all.len() > 120)?;
    let pauses = pauses(t, &all);
    let expected = "pauses of at least 100 ms, and no more than 120 attempts in two minutes";
    let told: Vec<String> = pauses.iter().map(ToString::to_string).collect();
    let told = format!("{} attempts with pauses of {}", all.len(), told.join(", "));
    let shortest = pauses.iter().copied().min().unwrap_or(Duration::MAX);
    let whole: i64 = pauses.iter().map(|pause| pause.as_nanos()).sum();
    if whole < NO_PAUSE.as_nanos() * pauses.len() as i64 {
        return Err(Finding::deviation(expected, told));
    }
    if shortest < LEAST_PAUSE || all.len() > 120 {
        return Err(Finding::warning(expected, told));
    }
    t.note(told);
    Ok(())
}

fn pauses_grow(t: &mut Tester<'_>) -> Result<(), Finding> {
    let all = attempts(t, Duration::from_secs(120), |all| all.len() >= 4)?;
    let pauses = pauses(t, &all);
    let grows = pauses.windows(2).any(|pair| pair[1] > pair[0] + pair[0].min(LEAST_PAUSE));
    // A long pause may be a cap that was reached before the case began.
    if grows || pauses.iter().all(|pause| *pause >= Duration::from_secs(10)) {
        return Ok(());
    }
    let told: Vec<String> = pauses.iter().map(ToString::to_string).collect();
    Err(Finding::warning("pauses that grow", told.join(", ")))
}

fn pauses_end_at_a_minute(t: &mut Tester<'_>) -> Result<(), Finding> {
    let longest = Duration::from_secs(66) + t.profile().answer_time();
    // Pauses that have not grown for ten attempts go on as they are.
    let settled = |all: &[Instant]| {
        let pauses = intervals(all);
        let last = &pauses[pauses.len().saturating_sub(10)..];
        let (shortest, longest) = (last.iter().min(), last.iter().max());
        pauses.len() >= 20 && longest.zip(shortest).is_some_and(|(long, short)| *long < *short + LEAST_PAUSE)
    };
    let all = attempts(t, Duration::from_secs(240), settled)?;
    match intervals(&all).into_iter().max() {
        Some(pause) if pause > longest => Err(Finding::remark("pauses of a minute at most", format!("one of {pause}"))),
        _ => Ok(()),
    }
}

fn active_speaks_first(t: &mut Tester<'_>) -> Result<(), Finding> {
    let role = active(t)?;
    let mut peer = Peer::connect(t, role)?;
    peer.expect_header(t)?;
    peer.drop(t);
    Ok(())
}

fn passive_waits(t: &mut Tester<'_>) -> Result<(), Finding> {
    let role = passive(t)?;
    let mut peer = Peer::connect(t, role)?;
    let quiet = Duration::from_secs(5).min(t.tcpcl()?.contact_timeout).min(t.profile().answer_time().saturating_mul(2));
    let until = t.now() + quiet;
    let header = peer.read_header(t, until)?;
    if header.is_some() || !peer.unread().is_empty() {
        let expected = "no octet before the tester's contact header";
        return Err(Finding::deviation(expected, format!("{:02x?}", header.unwrap_or_default())));
    }
    // What is heard now is the sentinel: the port works.
    peer.write(t, &contact_header(4, 0))?;
    peer.expect_header(t)?;
    peer.drop(t);
    Ok(())
}

fn passive_answers(t: &mut Tester<'_>) -> Result<(), Finding> {
    let role = passive(t)?;
    Peer::contact(t, role, 0)?.drop(t);
    Ok(())
}

/// Connections on which the contact is never made: nothing sent, and half of a header. Each with the time of its begin.
fn without_contact(t: &mut Tester<'_>) -> Result<Vec<(Instant, Peer)>, Finding> {
    let mut all = Vec::new();
    if t.tcpcl()?.listens {
        for octets in [&b""[..], b"dtn"] {
            let mut peer = Peer::connect(t, Role::Passive)?;
            if !octets.is_empty() {
                peer.write(t, octets)?;
            }
            all.push((t.now(), peer));
        }
    }
    if t.tcpcl()?.connects {
        let peer = Peer::connect(t, Role::Active)?;
        all.push((t.now(), peer));
    }
    Ok(all)
}

fn contact_times_out(t: &mut Tester<'_>) -> Result<(), Finding> {
    let within = t.tcpcl()?.contact_timeout + t.profile().answer_time();
    for (begin, mut peer) in without_contact(t)? {
        if peer.closes_by(t, begin + within)?.is_none() {
            return Err(Finding::silence(format!("the connection is closed within {within}"), "it is open"));
        }
    }
    Ok(())
}

fn contact_times_out_in_a_minute(t: &mut Tester<'_>) -> Result<(), Finding> {
    let within = Duration::from_secs(60) + t.profile().answer_time();
    for (begin, mut peer) in without_contact(t)? {
        if peer.closes_by(t, begin + within)?.is_none() {
            peer.drop(t);
            return Err(Finding::warning("the connection is closed within a minute", "it is open"));
        }
    }
    Ok(())
}

fn closes_by_fin(t: &mut Tester<'_>) -> Result<(), Finding> {
    let by_fin = |how: Option<Closed>| match how {
        Some(Closed::Finished) => Ok(()),
        Some(Closed::Reset) => Err(Finding::deviation("FIN", "RST")),
        None => Err(Finding::silence("FIN", "the connection is open")),
    };
    in_both_roles(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        peer.deliver(t)?;
        peer.keeps_alive = None;
        peer.write(t, &sess_term(0, term::UNKNOWN))?;
        let within = t.profile().answer_time() + t.tcpcl()?.close_timeout;
        let told = |m: &Message| matches!(m, Message::Term { flags, .. } if flags & REPLY != 0).then_some(());
        peer.expect(t, "SESS_TERM with REPLY", told)?;
        let until = t.now() + within;
        let mut how = peer.closes_by(t, until)?;
        if how.is_none() {
            // Which side closes first is open.
            t.finish(peer.stream);
            let until = t.now() + within;
            how = peer.closes_by(t, until)?;
        }
        by_fin(how)
    })?;
    let within = t.tcpcl()?.contact_timeout + t.profile().answer_time();
    for (begin, mut peer) in without_contact(t)? {
        // That it closes at all is for TCPCL-4.1-07.
        if let Some(how) = peer.closes_by(t, begin + within)? {
            by_fin(Some(how))?;
        }
    }
    Ok(())
}

fn bears_an_abrupt_end(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let peer = Peer::session(t, role)?;
        t.reset(peer.stream);
        for octets in [&[][..], &[kind::XFER_SEGMENT, 3, 0, 0]] {
            let mut peer = Peer::session(t, role)?;
            peer.keeps_alive = None;
            if !octets.is_empty() {
                peer.write(t, octets)?;
            }
            t.finish(peer.stream);
            peer.expect_closed_soon(t)?;
        }
        live(t)
    })
}

fn header_is_well_formed(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        // The octets after the header are those of messages, or the session would not come about.
        let mut peer = Peer::session(t, role)?;
        peer.terminate(t)
    })
}

fn reserved_flags_are_clear(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        for flags in [0, 1] {
            let mut peer = Peer::contact(t, role, flags)?;
            let header = peer.expect_header(t)?;
            peer.drop(t);
            if header[5] > 1 {
                return Err(Finding::deviation("contact header flags 0x00 or 0x01", format!("{:#04x}", header[5])));
            }
        }
        Ok(())
    })
}

fn reserved_flags_are_ignored(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = Peer::contact(t, role, 0xFE)?;
        let init = usual_init(t)?;
        peer.exchange_init(t, init)?;
        peer.deliver(t)?;
        peer.terminate(t)
    })
}

fn takes_a_refusal(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = Peer::contact(t, role, 0)?;
        peer.write(t, &sess_term(0, term::BUSY))?;
        let told = |m: &Message| (m.octets() == sess_term(REPLY, term::BUSY)).then_some(());
        let replied = peer.expect(t, "SESS_TERM with REPLY and reason Busy", told);
        peer.closes(t, t.tcpcl()?.close_timeout + t.profile().round_trip)?;
        match (replied, peer.closed) {
            (Err(finding), Some(_)) if finding.kind != Kind::Ended => {
                Err(Finding::warning("SESS_TERM with REPLY and reason Busy", "the node just closes"))
            }
            (Ok(()), None) => Err(Finding::silence("the node closes the connection", "it is open")),
            (replied, _) => replied,
        }
    })
}

fn other_magic_ends_it(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        for octets in [&b"DTN!\x04\x00"[..], b"dtn?\x04\x00", b"GET / HTTP/1.1\r\n\r\n"] {
            let mut peer = Peer::connect(t, role)?;
            if role == Role::Active {
                peer.expect_header(t)?;
            }
            peer.write(t, octets)?;
            let within = t.profile().answer_time() + t.tcpcl()?.close_timeout;
            let begin = t.now();
            let expected = "the connection is closed at once";
            if peer.closes_by(t, begin + within)?.is_none() {
                let late = peer.closes_by(t, begin + within + t.tcpcl()?.contact_timeout)?;
                peer.drop(t);
                return Err(match late {
                    Some(_) => Finding::warning(expected, "it is closed when the time for a contact header is over"),
                    None => Finding::silence(expected, "it is open"),
                });
            }
            if peer.unread().first() == Some(&kind::SESS_TERM) {
                return Err(Finding::deviation("an end without SESS_TERM", "SESS_TERM"));
            }
        }
        live(t)
    })
}

fn bears_many_bad_headers(t: &mut Tester<'_>) -> Result<(), Finding> {
    let role = passive(t)?;
    for _ in 0..20 {
        let Ok(mut peer) = Peer::connect(t, role) else { break };
        peer.write(t, b"DTN!\x04\x00")?;
        peer.closes(t, t.profile().answer_time())?;
        peer.drop(t);
    }
    if live(t).is_ok() {
        return Ok(());
    }
    t.rest(t.tcpcl()?.contact_timeout)?;
    t.note("the node blocked the tester for a while after 20 bad contact headers");
    live(t)
}

fn highest_version_first(t: &mut Tester<'_>) -> Result<(), Finding> {
    let role = active(t)?;
    let mut peer = Peer::connect(t, role)?;
    let until = t.now() + t.profile().answer_time();
    let header = peer.read_header(t, until)?;
    peer.drop(t);
    match header {
        Some(header) if header[4] >= 4 => Ok(()),
        Some(header) => Err(Finding::deviation("version 4", format!("version {}", header[4]))),
        None => Err(Finding::silence("a contact header", "none")),
    }
}

fn lower_version_is_left(t: &mut Tester<'_>) -> Result<(), Finding> {
    let role = active(t)?;
    let mut peer = Peer::connect(t, role)?;
    peer.expect_header(t)?;
    peer.write(t, &contact_header(3, 0))?;
    let until = t.now() + t.profile().answer_time() + t.tcpcl()?.close_timeout;
    let closed = peer.closes_by(t, until)?;
    if peer.unread().first() == Some(&kind::SESS_INIT) {
        return Err(Finding::deviation("the connection is closed", "SESS_INIT"));
    }
    closed.map(drop).ok_or_else(|| Finding::silence("the connection is closed", "it is open"))
}

fn version_mismatch_may_lead_lower(t: &mut Tester<'_>) -> Result<(), Finding> {
    let role = active(t)?;
    let mut peer = Peer::contact(t, role, 0)?;
    peer.write(t, &sess_term(0, term::VERSION_MISMATCH))?;
    let told = |m: &Message| matches!(m, Message::Term { .. }).then_some(());
    let until = t.now() + t.profile().answer_time() + t.tcpcl()?.close_timeout;
    let replied = peer.seek(t, until, told)?;
    if replied.is_none() && peer.closed.is_none() {
        return Err(Finding::remark("SESS_TERM, or the end of the connection", "neither"));
    }
    peer.drop(t);
    let mut again = Peer::connect(t, role)?;
    let until = t.now() + t.profile().answer_time();
    if let Some(header) = again.read_header(t, until)? {
        t.note(format!("the next attempt is of version {}", header[4]));
    }
    again.drop(t);
    Ok(())
}

/// The node's contact header, and SESS_TERM with "Version mismatch" after it.
fn mismatch(t: &mut Tester<'_>, peer: &mut Peer) -> Result<(), Finding> {
    let until = t.now() + t.profile().answer_time();
    if peer.read_header(t, until)?.is_none() {
        return Err(Finding::silence("a contact header of the node", "none"));
    }
    peer.expect_message(t, &sess_term(0, term::VERSION_MISMATCH))?;
    if peer.closed.is_none() {
        peer.write(t, &sess_term(REPLY, term::VERSION_MISMATCH))?;
    }
    peer.expect_closed_soon(t).map(drop)
}

fn other_version_is_refused(t: &mut Tester<'_>) -> Result<(), Finding> {
    let role = passive(t)?;
    for version in [5, 255, 0] {
        let mut peer = Peer::connect(t, role)?;
        peer.write(t, &contact_header(version, 0))?;
        mismatch(t, &mut peer)?;
    }
    Ok(())
}

fn lower_version_is_adopted_or_refused(t: &mut Tester<'_>) -> Result<(), Finding> {
    let role = passive(t)?;
    let mut peer = Peer::connect(t, role)?;
    peer.write(t, &contact_header(3, 0))?;
    let until = t.now() + t.profile().answer_time();
    let header = peer.read_header(t, until)?;
    if header.is_some_and(|header| header[4] == 3) {
        peer.drop(t);
        return Ok(());
    }
    mismatch(t, &mut peer)
}

fn no_tls_unless_both_offer_it(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let flags = if t.profile().offers("tls") { 0 } else { 1 };
        let mut peer = Peer::contact(t, role, flags)?;
        let init = usual_init(t)?;
        peer.exchange_init(t, init)?;
        peer.deliver(t)?;
        peer.terminate(t)
    })
}

fn init_times_out(t: &mut Tester<'_>) -> Result<(), Finding> {
    let role = usual_role(t)?;
    let init = Message::Init(usual_init(t)?).octets();
    // Type, keepalive and both MRU.
    let beginning = &init[..19];
    let within = t.tcpcl()?.init_timeout + t.tcpcl()?.close_timeout + t.profile().answer_time();
    let mut waiting = Vec::new();
    let mut stalls = vec![beginning];
    // Who connects on demand does so once.
    if role == Role::Passive || !t.tcpcl()?.on_demand {
        stalls.push(&[]);
    }
    for octets in stalls {
        let mut peer = Peer::contact(t, role, 0)?;
        if !octets.is_empty() {
            peer.write(t, octets)?;
        }
        waiting.push((t.now(), peer));
    }
    for (begin, mut peer) in waiting {
        let expected = "SESS_TERM, or the end of the connection, since no SESS_INIT comes";
        let told = peer.seek(t, begin + within, |m| matches!(m, Message::Term { .. }).then_some(()))?;
        let closed = peer.closed.is_some();
        peer.drop(t);
        if told.is_none() && !closed {
            return Err(Finding::silence(expected, "neither"));
        }
    }
    Ok(())
}
