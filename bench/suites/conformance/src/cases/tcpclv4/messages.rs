//! Messages as such: RFC 9174 sections 2.1, 4.5 and 5.1.2.

use farlink_units::Duration;

use super::message::{END, Message, START, contact_header, kind, msg_reject, reject, segment, xfer_ack};
use super::peer::{Peer, Role, bundle, in_both_roles, in_one_role, live, usual_init};
use crate::case::{Case, Suite};
use crate::outcome::Finding;
use crate::tester::Tester;

/// The cases.
pub const CASES: &[Case] = &[
    Case::new("TCPCL-2.1-01", Suite::Tcpclv4, &["messages", "sender", "receiver"], integers_are_big_endian),
    Case::new("TCPCL-4.5-01", Suite::Tcpclv4, &["messages", "receiver"], split_at_any_octet),
    Case::new("TCPCL-5.1.2-01", Suite::Tcpclv4, &["messages", "hostile"], unknown_type_is_rejected),
    Case::new("TCPCL-5.1.2-02", Suite::Tcpclv4, &["messages", "hostile"], reject_repeats_the_type),
    Case::new("TCPCL-5.1.2-03", Suite::Tcpclv4, &["messages", "hostile"], oversized_segment),
    Case::new("TCPCL-5.1.2-04", Suite::Tcpclv4, &["messages", "hostile"], unknown_ack_is_unexpected),
    Case::new("TCPCL-5.1.2-05", Suite::Tcpclv4, &["messages", "hostile"], second_init_is_unexpected),
    Case::new("TCPCL-5.1.2-06", Suite::Tcpclv4, &["messages", "hostile"], transfer_before_init_is_unexpected),
    Case::new("TCPCL-5.1.2-07", Suite::Tcpclv4, &["messages", "hostile", "receiver"], segment_without_start),
    Case::new("TCPCL-5.1.2-08", Suite::Tcpclv4, &["messages", "hostile"], bears_rejections),
];

fn integers_are_big_endian(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        let proposed = peer.init.as_ref().map(|init| init.keepalive_s);
        if let (Some(declared), Some(told)) = (t.tcpcl()?.keepalive_s, proposed)
            && declared != told
        {
            return Err(Finding::deviation(format!("keepalive {declared} s in SESS_INIT"), format!("{told} s")));
        }
        peer.deliver(t)?;
        let sent = peer.triggered(t, 3000)?;
        super::init::is_bundle(&sent.data)?;
        peer.terminate(t)
    })
}

fn split_at_any_octet(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let init = usual_init(t)?;
        for apart in [Some(Duration::from_millis(20)), None] {
            let data = bundle(t, 50)?;
            let all = [
                contact_header(4, 0).to_vec(),
                Message::Init(init.clone()).octets(),
                segment(START | END, 0, &[], &data),
            ]
            .concat();
            let mut peer = Peer::connect(t, role)?;
            match apart {
                Some(apart) => {
                    for octet in &all {
                        peer.write(t, &[*octet])?;
                        t.rest(apart)?;
                    }
                }
                None => peer.write(t, &all)?,
            }
            peer.expect_header(t)?;
            peer.expect_taken(t, 0, data.len())?;
            if peer.init.is_none() {
                return Err(Finding::deviation("SESS_INIT before anything else", "none"));
            }
            peer.terminate(t)?;
        }
        Ok(())
    })
}

/// MSG_REJECT of an unknown type, and the end of the connection.
fn unknown_type(t: &mut Tester<'_>, role: Role, code: u8) -> Result<(), Finding> {
    let mut peer = Peer::session(t, role)?;
    peer.keeps_alive = None;
    peer.write(t, &[code])?;
    peer.expect_message(t, &msg_reject(reject::TYPE_UNKNOWN, code))?;
    peer.expect_closed_soon(t).map(drop)
}

fn unknown_type_is_rejected(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        for code in [0x08, 0x00, 0x7F, 0xF0, 0xFF] {
            unknown_type(t, role, code)?;
        }
        Ok(())
    })?;
    in_both_roles(t, |t, role| unknown_type(t, role, 0x08))?;
    live(t)
}

fn reject_repeats_the_type(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        peer.keeps_alive = None;
        let init = Message::Init(usual_init(t)?).octets();
        let provoked =
            [(kind::XFER_ACK, xfer_ack(START | END, 12345, 10)), (kind::SESS_INIT, init), (0x77, vec![0x77])];
        for (code, octets) in provoked {
            peer.write(t, &octets)?;
            let rejected = |m: &Message| match m {
                Message::Reject { kind, .. } => Some(*kind),
                _ => None,
            };
            let until = t.now() + t.profile().answer_time();
            match peer.seek(t, until, rejected)? {
                Some(told) if told != code => {
                    let expected = format!("MSG_REJECT that names type {code:#04x}");
                    return Err(Finding::deviation(expected, format!("type {told:#04x}")));
                }
                Some(_) => {}
                // That none comes, or that the session ends, is for other cases.
                None if peer.closed.is_some() => break,
                None => {}
            }
        }
        peer.drop(t);
        Ok(())
    })
}

fn oversized_segment(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        let mru = peer.init.as_ref().map_or(u64::MAX, |init| init.segment_mru);
        if mru > 1 << 20 {
            peer.terminate(t)?;
            return Err(Finding::unsupported(format!("the node announces a segment MRU of {mru} octets")));
        }
        let data = vec![0; mru as usize + 1];
        peer.write(t, &segment(START, 40, &[], &data))?;
        let full = data.len() as u64;
        let answer = peer.expect(t, "MSG_REJECT with reason Unsupported", |m| match m {
            Message::Reject { .. } | Message::Refuse { id: 40, .. } | Message::Term { .. } => Some(Ok(())),
            Message::Ack { id: 40, length, .. } if *length >= full => Some(Err(m.told())),
            _ => None,
        });
        let closed = peer.closed.is_some();
        peer.drop(t);
        match answer {
            Ok(Err(told)) => Err(Finding::deviation("a segment beyond the MRU is not acknowledged", told)),
            Ok(Ok(())) => Ok(()),
            Err(_) if closed => Ok(()),
            Err(finding) => Err(finding),
        }
    })
}

fn unknown_ack_is_unexpected(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        peer.write(t, &xfer_ack(START | END, 12345, 10))?;
        peer.expect_message(t, &msg_reject(reject::UNEXPECTED, kind::XFER_ACK))?;
        peer.drop(t);
        Ok(())
    })
}

fn second_init_is_unexpected(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        let init = Message::Init(usual_init(t)?).octets();
        peer.write(t, &init)?;
        peer.expect_message(t, &msg_reject(reject::UNEXPECTED, kind::SESS_INIT))?;
        peer.drop(t);
        Ok(())
    })
}

fn transfer_before_init_is_unexpected(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let data = bundle(t, 100)?;
        let mut peer = Peer::contact(t, role, 0)?;
        peer.write(t, &segment(START | END, 0, &[], &data))?;
        let expected = "MSG_REJECT with reason Unexpected";
        let rejected = peer.expect_message(t, &msg_reject(reject::UNEXPECTED, kind::XFER_SEGMENT));
        let ended = peer.closed.is_some() || !peer.told(|m| matches!(m, Message::Term { .. }).then_some(())).is_empty();
        let taken = !peer.told(|m| matches!(m, Message::Ack { .. }).then_some(())).is_empty();
        peer.drop(t);
        match rejected {
            _ if taken => Err(Finding::deviation(expected, "XFER_ACK")),
            Err(_) if ended => Err(Finding::warning(expected, "the node ends the session")),
            rejected => rejected,
        }
    })
}

fn segment_without_start(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        let data = bundle(t, 100)?;
        for (flags, id) in [(END, 0), (0, 7)] {
            peer.write(t, &segment(flags, id, &[], &data))?;
            let expected = "MSG_REJECT with reason Unexpected, or XFER_REFUSE";
            let answer = peer.expect(t, expected, |m| match m {
                Message::Reject { reason: reject::UNEXPECTED, kind: kind::XFER_SEGMENT } => Some(true),
                Message::Refuse { id: of, .. } if *of == id => Some(true),
                Message::Ack { id: of, .. } if *of == id => Some(false),
                _ => None,
            })?;
            if !answer {
                return Err(Finding::deviation(expected, "XFER_ACK"));
            }
        }
        peer.drop(t);
        Ok(())
    })
}

fn bears_rejections(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        for (reason, code) in [(1, 9), (2, 1), (3, 4), (0xFF, 0)] {
            let mut peer = Peer::session(t, role)?;
            let before = peer.log.len();
            peer.write(t, &msg_reject(reason, code))?;
            let until = t.now() + t.profile().answer_time();
            peer.read_until(t, until)?;
            let answers = peer.log[before..].iter().filter(|(_, m)| *m != Message::Keepalive).count();
            peer.drop(t);
            if answers > 1 {
                return Err(Finding::remark("one answer to MSG_REJECT at most", format!("{answers}")));
            }
        }
        live(t)
    })
}
