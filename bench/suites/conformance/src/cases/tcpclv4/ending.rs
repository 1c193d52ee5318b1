//! The end of sessions: RFC 9174 sections 6.1 and 7.10.

use farlink_units::Duration;

use super::message::{END, Message, REPLY, START, contact_header, kind, refuse, segment, sess_term, term};
use super::peer::{Peer, Role, bundle, in_both_roles, in_one_role, live, sending_time, usual_init};
use super::receiving::in_pieces;
use crate::case::{Case, Suite};
use crate::exchange::{By, Deed, Exchange, Step};
use crate::medium::{Door, Order};
use crate::outcome::Finding;
use crate::profile::Profile;
use crate::tester::Tester;

/// The cases.
pub const CASES: &[Case] = &[
    Case::new("TCPCL-6.1-01", Suite::Tcpclv4, &["ending"], first_term_is_no_reply),
    Case::new("TCPCL-6.1-02", Suite::Tcpclv4, &["ending"], reply_repeats_the_reason),
    Case::new("TCPCL-6.1-03", Suite::Tcpclv4, &["ending", "hostile"], one_term_is_enough),
    Case::new("TCPCL-6.1-04", Suite::Tcpclv4, &["ending", "sender"], no_transfer_begins_after_term),
    Case::new("TCPCL-6.1-05", Suite::Tcpclv4, &["ending", "receiver"], transfer_may_be_completed),
    Case::new("TCPCL-6.1-06", Suite::Tcpclv4, &["ending", "receiver"], new_transfer_is_refused),
    Case::new("TCPCL-6.1-07", Suite::Tcpclv4, &["ending"], unknown_reason_is_repeated),
    Case::new("TCPCL-6.1-08", Suite::Tcpclv4, &["ending"], reserved_flags_are_clear).watching(watch_flags),
    Case::new("TCPCL-6.1-09", Suite::Tcpclv4, &["ending"], reserved_flags_are_ignored),
    Case::new("TCPCL-6.1-10", Suite::Tcpclv4, &["ending", "contact"], term_never_comes_first),
    Case::new("TCPCL-6.1-11", Suite::Tcpclv4, &["ending", "sender"], term_is_between_messages),
    Case::new("TCPCL-6.1-12", Suite::Tcpclv4, &["ending"], clean_end_has_a_term),
    Case::new("TCPCL-6.1-13", Suite::Tcpclv4, &["ending", "receiver"], segments_are_acknowledged_before_the_end),
    Case::new("TCPCL-6.1-14", Suite::Tcpclv4, &["ending", "timers"], connection_is_closed_in_time),
    Case::new("TCPCL-7-01", Suite::Tcpclv4, &["hostile"], stalled_connections_do_not_block),
];

/// SESS_TERM of the node.
fn term_of(m: &Message) -> Option<(u8, u8)> {
    match m {
        Message::Term { flags, reason } => Some((*flags, *reason)),
        _ => None,
    }
}

/// Makes the node end its sessions, and returns its SESS_TERM.
fn node_terminates(t: &mut Tester<'_>, peer: &mut Peer) -> Result<(u8, u8), Finding> {
    t.order(&Order::Terminate)?;
    peer.expect(t, "SESS_TERM, since the node was told to end", term_of)
}

fn first_term_is_no_reply(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let expected = "SESS_TERM with flags 0x00";
        // The end that the tester can bring about anywhere: a keepalive interval, and silence.
        let mut peer = if t.profile().offers("local-terminate") {
            let mut peer = Peer::session(t, role)?;
            t.order(&Order::Terminate)?;
            peer.keeps_alive = None;
            peer
        } else {
            let init = super::message::Init { keepalive_s: 2, ..usual_init(t)? };
            let mut peer = Peer::session_with(t, role, init)?;
            peer.keeps_alive = None;
            peer
        };
        let idle = t.tcpcl()?.idle_timeout.unwrap_or(Duration::from_secs(4));
        let until = t.now() + idle + t.profile().answer_time();
        let told = peer.seek(t, until, term_of)?;
        let Some((flags, reason)) = told else { return Err(Finding::silence(expected, "no SESS_TERM")) };
        if flags != 0 {
            return Err(Finding::deviation(expected, format!("{flags:#04x}")));
        }
        if peer.closed.is_none() {
            peer.write(t, &sess_term(REPLY, reason))?;
            peer.expect_closed_soon(t)?;
        }
        Ok(())
    })
}

/// That SESS_TERM with these flags is answered with those.
fn replies(t: &mut Tester<'_>, role: Role, flags: u8, reason: u8, answers: &[u8]) -> Result<(), Finding> {
    let mut peer = Peer::session(t, role)?;
    peer.keeps_alive = None;
    peer.write(t, &sess_term(flags, reason))?;
    let expected = format!("SESS_TERM with flags {:#04x} and reason {reason:#04x}", answers[0]);
    let (flags, told) = peer.expect(t, &expected, term_of)?;
    if !answers.contains(&flags) || told != reason {
        return Err(Finding::deviation(expected, Message::Term { flags, reason: told }.told()));
    }
    t.finish(peer.stream);
    peer.expect_closed_soon(t).map(drop)
}

fn reply_repeats_the_reason(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        for reason in [term::UNKNOWN, term::IDLE_TIMEOUT, term::BUSY, term::RESOURCE_EXHAUSTION] {
            replies(t, role, 0, reason, &[REPLY])?;
        }
        Ok(())
    })
}

fn one_term_is_enough(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        if t.profile().offers("local-terminate") {
            let mut peer = Peer::session(t, role)?;
            peer.keeps_alive = None;
            node_terminates(t, &mut peer)?;
            peer.write(t, &sess_term(0, term::UNKNOWN))?;
            t.finish(peer.stream);
            peer.expect_closed_soon(t)?;
            let count = peer.told(term_of).len();
            if count > 1 {
                return Err(Finding::deviation("one SESS_TERM of the node", format!("{count}")));
            }
        }
        let mut peer = Peer::session(t, role)?;
        peer.keeps_alive = None;
        peer.write(t, &sess_term(REPLY, term::UNKNOWN))?;
        let until = t.now() + t.profile().answer_time();
        peer.read_until(t, until)?;
        let told = peer.told(term_of);
        peer.drop(t);
        // Who has not sent one is to answer any SESS_TERM, as section 6.1 has it.
        match told.len() {
            0 | 1 => Ok(()),
            count => Err(Finding::deviation("one SESS_TERM of the node", format!("{count}"))),
        }
    })
}

fn no_transfer_begins_after_term(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let init = super::message::Init { segment_mru: 1000, ..usual_init(t)? };
        let mut peer = Peer::session_with(t, role, init)?;
        peer.keeps_alive = None;
        for _ in 0..3 {
            peer.trigger(t, 100_000)?;
        }
        let until = t.now() + sending_time(t);
        let begun = peer.seek(t, until, |m| matches!(m, Message::Segment { .. }).then_some(()))?;
        if begun.is_none() {
            return Err(Finding::silence("segments of a transfer", "none"));
        }
        peer.write(t, &sess_term(0, term::UNKNOWN))?;
        let within = sending_time(t) + t.tcpcl()?.close_timeout;
        let until = t.now() + within;
        let mut ended = false;
        while let Some(message) = peer.next(t, until)? {
            match message {
                Message::Term { .. } => ended = true,
                Message::Segment { flags, id, .. } if ended && flags & START != 0 => {
                    let expected = "no transfer begins after SESS_TERM";
                    return Err(Finding::deviation(expected, format!("transfer {id} begins")));
                }
                _ => {}
            }
        }
        peer.drop(t);
        match ended || peer.closed.is_some() {
            true => Ok(()),
            false => Err(Finding::silence("SESS_TERM with REPLY", "none")),
        }
    })
}

fn transfer_may_be_completed(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        peer.keeps_alive = None;
        let data = bundle(t, 400)?;
        let half = data.len() / 2;
        peer.write(t, &segment(START, 0, &[], &data[..half]))?;
        peer.write(t, &sess_term(0, term::UNKNOWN))?;
        peer.write(t, &segment(END, 0, &[], &data[half..]))?;
        peer.closes(t, t.profile().answer_time() + t.tcpcl()?.close_timeout)?;
        let taken = peer.has_taken(0, data.len());
        t.note(format!("the transfer was {}completed", if taken { "" } else { "not " }));
        peer.drop(t);
        live(t)
    })
}

fn new_transfer_is_refused(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        peer.keeps_alive = None;
        // A transfer of the node that is not acknowledged keeps the connection open.
        peer.acknowledges = false;
        peer.triggered(t, 300)?;
        let data = bundle(t, 100)?;
        peer.write(t, &sess_term(0, term::UNKNOWN))?;
        peer.expect(t, "SESS_TERM with REPLY", term_of)?;
        peer.write(t, &segment(START | END, 9, &[], &data))?;
        let expected = "XFER_REFUSE of transfer 9 with reason Session Terminating";
        let told = peer.expect(t, expected, |m| match m {
            Message::Refuse { id: 9, .. } | Message::Ack { id: 9, .. } => Some(m.clone()),
            _ => None,
        });
        let closed = peer.closed.is_some();
        peer.drop(t);
        match told {
            Ok(Message::Refuse { reason: refuse::SESSION_TERMINATING, .. }) => Ok(()),
            Ok(other) => Err(Finding::deviation(expected, other.told())),
            Err(_) if closed => {
                t.note("the node closed the connection at once, so nothing was to be refused");
                Ok(())
            }
            Err(finding) => Err(finding),
        }
    })
}

fn unknown_reason_is_repeated(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| replies(t, role, 0, 0xEE, &[REPLY]))
}

fn reserved_flags_are_clear(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        peer.terminate(t)?;
        match peer.told(term_of).iter().find(|(flags, _)| *flags > REPLY) {
            Some((flags, _)) => Err(Finding::deviation("SESS_TERM flags 0 or 1", format!("{flags:#04x}"))),
            None => Ok(()),
        }
    })
}

/// The SESS_TERM on every connection of an exchange.
fn watch_flags(exchange: &Exchange, _profile: &Profile) -> Result<(), Finding> {
    for (stream, octets) in exchange.streams() {
        if stream.door != Door::Tcpcl || !octets.starts_with(&contact_header(4, 0)) {
            continue;
        }
        let mut rest = &octets[6..];
        // A stream that does not parse is for other cases.
        while let Ok(Some((message, length))) = Message::read(rest) {
            rest = &rest[length..];
            // Section 6.1 has the reply repeat all but REPLY.
            let repeats = |flags: u8| {
                let heard = |step: &Step| match &step.deed {
                    Deed::Octets(on, octets) if *on == stream && step.by == By::Tester => match octets[..] {
                        [kind::SESS_TERM, of, _] => of | REPLY == flags,
                        _ => false,
                    },
                    _ => false,
                };
                exchange.steps.iter().any(heard)
            };
            if let Some((flags, _)) = term_of(&message).filter(|(flags, _)| *flags > REPLY && !repeats(*flags)) {
                return Err(Finding::deviation("SESS_TERM flags 0 or 1", format!("{flags:#04x}")));
            }
        }
    }
    Ok(())
}

fn reserved_flags_are_ignored(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| replies(t, role, 0xFE, term::UNKNOWN, &[REPLY, 0xFF]))
}

fn term_never_comes_first(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        if role == Role::Active {
            return Err(Finding::unsupported("the node does not listen for TCPCL"));
        }
        let mut all = Vec::new();
        for octets in [contact_header(4, 0), contact_header(9, 0)] {
            let mut peer = Peer::connect(t, role)?;
            peer.write(t, &octets)?;
            all.push(peer);
        }
        for _ in 0..40 {
            let Ok(mut peer) = Peer::connect(t, role) else { break };
            peer.write(t, &contact_header(4, 0))?;
            all.push(peer);
        }
        let mut found = Ok(());
        for mut peer in all {
            let until = t.now() + t.profile().answer_time();
            let header = peer.read_header(t, until)?;
            if let Some(header) = header.filter(|header| !header.starts_with(b"dtn!")) {
                found = Err(Finding::deviation("a contact header before anything else", format!("{header:02x?}")));
            }
            if header.is_none() && !peer.unread().is_empty() {
                found = Err(Finding::deviation("a contact header before anything else", "other octets"));
            }
            peer.drop(t);
        }
        found
    })
}

fn term_is_between_messages(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        peer.keeps_alive = None;
        peer.trigger(t, 5_000_000)?;
        let until = t.now() + sending_time(t);
        let begun = peer.seek(t, until, |m| matches!(m, Message::Segment { .. }).then_some(()))?;
        if begun.is_none() {
            return Err(Finding::silence("segments of a transfer", "none"));
        }
        t.set_reading(peer.stream, false);
        peer.write(t, &sess_term(0, term::UNKNOWN))?;
        t.rest(t.profile().answer_time().saturating_mul(2))?;
        t.set_reading(peer.stream, true);
        // An octet out of place is found by whoever reads on. The rest need not come: an unclean end is allowed.
        loop {
            let until = t.now() + t.profile().answer_time() + t.tcpcl()?.close_timeout;
            if peer.next(t, until)?.is_none() {
                break;
            }
        }
        // Nor may the part of a message that is left begin in the midst of another.
        let rest = peer.unread();
        if rest.len() >= 22 && rest[10..14] == [0; 4] || rest.len() >= 18 && rest[1] & START == 0 {
            let at = if rest[1] & START == 0 { 10 } else { 14 };
            let length = rest[at..at + 8].iter().fold(0u64, |sum, octet| sum << 8 | u64::from(*octet));
            if length > 1 << 16 {
                let expected = "the connection ends between messages, or inside a segment";
                return Err(Finding::deviation(expected, format!("the last segment would have {length} octets")));
            }
        }
        let told = peer.told(term_of).len();
        let closed = peer.closed.is_some();
        peer.drop(t);
        match told > 0 || closed {
            true => Ok(()),
            false => Err(Finding::silence("SESS_TERM, or the end of the connection", "neither")),
        }
    })
}

fn clean_end_has_a_term(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        let expected = "SESS_TERM before the end of the connection";
        match node_terminates(t, &mut peer) {
            Ok((_, reason)) => {
                peer.keeps_alive = None;
                peer.write(t, &sess_term(REPLY, reason))?;
                peer.expect_closed_soon(t).map(drop)
            }
            Err(_) if peer.closed.is_some() => Err(Finding::warning(expected, "the connection is just closed")),
            Err(finding) => Err(finding),
        }
    })
}

fn segments_are_acknowledged_before_the_end(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        peer.keeps_alive = None;
        let data = bundle(t, 700)?;
        let pieces = in_pieces(&data, 0, &[], &[100; 5]);
        peer.write(t, &pieces[..5].concat())?;
        peer.write(t, &sess_term(0, term::UNKNOWN))?;
        peer.closes(t, t.profile().answer_time() + t.tcpcl()?.close_timeout)?;
        peer.drop(t);
        let acks = peer.told(|m| matches!(m, Message::Ack { id: 0, .. }).then_some(())).len();
        match acks >= 5 {
            true => Ok(()),
            false => Err(Finding::warning("XFER_ACK of five segments before the end", format!("{acks}"))),
        }
    })
}

fn connection_is_closed_in_time(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        peer.keeps_alive = None;
        peer.write(t, &sess_term(0, term::UNKNOWN))?;
        peer.expect(t, "SESS_TERM with REPLY", term_of)?;
        let within = t.tcpcl()?.close_timeout + t.profile().answer_time();
        if peer.closes(t, within)?.is_none() {
            // Which side closes first is open.
            t.finish(peer.stream);
            peer.expect_closed_soon(t)?;
        }
        Ok(())
    })
}

fn stalled_connections_do_not_block(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        if role == Role::Active {
            return Err(Finding::unsupported("the node does not listen for TCPCL"));
        }
        let init = Message::Init(usual_init(t)?).octets();
        let stalls = [Vec::new(), contact_header(4, 0).to_vec(), [&contact_header(4, 0)[..], &init[..12]].concat()];
        let mut all: Vec<Peer> = Vec::new();
        for number in 0..100 {
            let Ok(mut peer) = Peer::connect(t, role) else { break };
            let octets = &stalls[number % 3];
            if !octets.is_empty() {
                peer.write(t, octets)?;
            }
            all.push(peer);
        }
        let begin = t.now();
        let mut lives = live(t);
        if lives.is_err() {
            t.rest(t.tcpcl()?.contact_timeout)?;
            lives = live(t);
        }
        let took = t.now() - begin;
        all.iter_mut().filter(|peer| peer.closed.is_none()).for_each(|peer| peer.drop(t));
        lives?;
        let within = t.profile().answer_time().saturating_mul(10) + t.tcpcl()?.contact_timeout;
        match took <= within {
            true => Ok(()),
            false => Err(Finding::warning(format!("a session within {within}"), format!("{took}"))),
        }
    })
}
