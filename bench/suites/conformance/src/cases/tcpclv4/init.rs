//! SESS_INIT and what it negotiates: RFC 9174 sections 4.6 to 4.8.

use farlink_units::Duration;
use farlink_wire::bpv7::Bundle;

use super::message::{
    CRITICAL, Init, Item, Message, PRIVATE_ITEM, REPLY, items, kind, msg_reject, read_items, reject, sess_term, term,
};
use super::peer::{Peer, Role, active, in_both_roles, in_one_role, live, passive, sending_time, usual_init};
use crate::case::{Case, Suite};
use crate::outcome::{Finding, Kind};
use crate::tester::Tester;

/// The cases.
pub const CASES: &[Case] = &[
    Case::new("TCPCL-4.6-01", Suite::Tcpclv4, &["init"], init_is_well_formed),
    Case::new("TCPCL-4.6-02", Suite::Tcpclv4, &["init", "sender"], segment_mru_is_kept),
    Case::new("TCPCL-4.6-03", Suite::Tcpclv4, &["init", "sender"], transfer_mru_is_kept),
    Case::new("TCPCL-4.6-04", Suite::Tcpclv4, &["init"], no_node_id_is_acceptable),
    Case::new("TCPCL-4.6-05", Suite::Tcpclv4, &["init"], node_id_is_a_node_id),
    Case::new("TCPCL-4.6-06", Suite::Tcpclv4, &["init", "hostile"], bad_extension_list_fails),
    Case::new("TCPCL-4.6-07", Suite::Tcpclv4, &["init"], other_node_id),
    Case::new("TCPCL-4.6-08", Suite::Tcpclv4, &["init"], large_mrus_are_no_reason_to_refuse),
    Case::new("TCPCL-4.6-09", Suite::Tcpclv4, &["init", "hostile"], bears_bad_node_ids),
    Case::new("TCPCL-4.7-01", Suite::Tcpclv4, &["init"], unacceptable_mru),
    Case::new("TCPCL-4.7-02", Suite::Tcpclv4, &["init", "timers"], smaller_keepalive_counts),
    Case::new("TCPCL-4.7-03", Suite::Tcpclv4, &["init"], extreme_keepalive),
    Case::new("TCPCL-4.7-04", Suite::Tcpclv4, &["init", "sender"], parameters_do_not_change),
    Case::new("TCPCL-4.8-01", Suite::Tcpclv4, &["init", "extensions"], items_are_well_formed),
    Case::new("TCPCL-4.8-02", Suite::Tcpclv4, &["init", "extensions"], unknown_critical_item_ends_it),
    Case::new("TCPCL-4.8-03", Suite::Tcpclv4, &["init", "extensions"], unknown_items_are_skipped),
    Case::new("TCPCL-4.8-04", Suite::Tcpclv4, &["init", "extensions"], reserved_item_flags_are_ignored),
    Case::new("TCPCL-7-02", Suite::Tcpclv4, &["init", "hostile"], bears_dribbling_mrus),
];

fn is_term(message: &Message) -> Option<(u8, u8)> {
    match message {
        Message::Term { flags, reason } => Some((*flags, *reason)),
        _ => None,
    }
}

/// What follows a SESS_INIT of the case.
enum Outcome {
    /// SESS_TERM with this reason.
    Refused(u8),
    /// The connection was closed, or the message was rejected, without SESS_TERM.
    Dropped,
    /// The node has sent SESS_INIT and takes a bundle.
    Established,
}

/// Sends SESS_INIT, and tells what comes of it.
fn offer(t: &mut Tester<'_>, role: Role, init: Init) -> Result<(Outcome, Peer), Finding> {
    let mut peer = Peer::contact(t, role, 0)?;
    if role == Role::Active {
        peer.expect_init(t)?;
    }
    peer.write(t, &Message::Init(init).octets())?;
    let taken = peer.deliver(t);
    let refused = peer.told(is_term).first().copied();
    let rejected = peer.told(|m| matches!(m, Message::Reject { .. }).then_some(())).len();
    let outcome = match (refused, taken) {
        (Some((_, reason)), _) => Outcome::Refused(reason),
        (None, Err(finding)) if peer.closed.is_none() && rejected == 0 => {
            peer.drop(t);
            return Err(finding);
        }
        (None, Err(_)) => Outcome::Dropped,
        (None, Ok(())) => Outcome::Established,
    };
    Ok((outcome, peer))
}

/// Answers a SESS_TERM of the node, which then closes.
fn leave(t: &mut Tester<'_>, peer: &mut Peer, reason: u8) -> Result<(), Finding> {
    if peer.closed.is_none() {
        peer.write(t, &sess_term(REPLY, reason))?;
        peer.expect_closed_soon(t)?;
    }
    Ok(())
}

fn init_is_well_formed(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        let init = peer.init.clone().unwrap_or_else(|| unreachable!("the session stands"));
        read_items(&init.items).map_err(|why| Finding::deviation("a well-formed SESS_INIT", why))?;
        // What follows parses only if the lengths were right.
        peer.deliver(t)?;
        peer.terminate(t)
    })
}

/// That a transfer holds one bundle.
pub(super) fn is_bundle(data: &[u8]) -> Result<(), Finding> {
    match Bundle::parse(data) {
        Ok(_) => Ok(()),
        Err(why) => Err(Finding::deviation("exactly one bundle in the transfer", why.to_string())),
    }
}

fn segment_mru_is_kept(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        for segment_mru in [1000, 1] {
            let init = Init { segment_mru, ..usual_init(t)? };
            let mut peer = Peer::session_with(t, role, init)?;
            peer.trigger(t, if segment_mru == 1 { 500 } else { 5000 })?;
            let within = sending_time(t);
            let told = peer.transfer(t, within);
            let refuses = peer.told(is_term).iter().any(|(_, reason)| *reason == term::CONTACT_FAILURE);
            if segment_mru == 1 && refuses {
                peer.drop(t);
                continue;
            }
            let sizes = peer.told(|m| match m {
                Message::Segment { data, .. } => Some(data.len() as u64),
                _ => None,
            });
            if let Some(size) = sizes.iter().find(|size| **size > segment_mru) {
                let expected = format!("segments of {segment_mru} octets at most");
                return Err(Finding::deviation(expected, format!("one of {size}")));
            }
            is_bundle(&told?.data)?;
            peer.terminate(t)?;
        }
        Ok(())
    })
}

/// So many segments are enough to judge a transfer by. A node may never come to the end of one.
const ENOUGH_SEGMENTS: usize = 20_000;

/// That no transfer is longer than this, whatever the node does about a bundle that is. The session is over then.
fn keeps_within(t: &mut Tester<'_>, mut peer: Peer, transfer_mru: usize) -> Result<(), Finding> {
    let until = t.now() + sending_time(t);
    let mut segments = 0;
    while segments < ENOUGH_SEGMENTS
        && let Some(message) = peer.next(t, until)?
    {
        segments += usize::from(matches!(message, Message::Segment { .. }));
    }
    peer.drop(t);
    let mut totals: Vec<(u64, usize)> = Vec::new();
    for (id, length) in peer.told(|m| match m {
        Message::Segment { id, data, .. } => Some((*id, data.len())),
        _ => None,
    }) {
        match totals.iter_mut().find(|(other, _)| *other == id) {
            Some((_, total)) => *total += length,
            None => totals.push((id, length)),
        }
    }
    match totals.iter().find(|(_, total)| *total > transfer_mru) {
        Some((id, total)) => {
            let expected = format!("no transfer longer than {transfer_mru} octets");
            Err(Finding::deviation(expected, format!("transfer {id} of {total} octets or more")))
        }
        // That nothing was sent says something only of a node that sends otherwise.
        None if totals.is_empty() => sends_otherwise(t, peer.role),
        None => Ok(()),
    }
}

/// That the node sends what it is given in a session with usual terms.
fn sends_otherwise(t: &mut Tester<'_>, role: Role) -> Result<(), Finding> {
    let mut peer = Peer::session(t, role)?;
    let sent = peer.triggered(t, 300);
    peer.drop(t);
    match sent {
        Ok(_) => Ok(()),
        Err(finding) if finding.kind == Kind::Ended => Err(finding),
        Err(finding) => Err(Finding::inconclusive("a transfer of the node in a usual session", finding.actual)),
    }
}

fn transfer_mru_is_kept(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let init = Init { transfer_mru: 2000, ..usual_init(t)? };
        let mut peer = Peer::session_with(t, role, init)?;
        peer.trigger(t, 10_000)?;
        keeps_within(t, peer, 2000)
    })
}

fn no_node_id_is_acceptable(t: &mut Tester<'_>) -> Result<(), Finding> {
    let role = passive(t)?;
    let init = Init { node_id: Vec::new(), ..usual_init(t)? };
    let (outcome, mut peer) = offer(t, role, init)?;
    match outcome {
        Outcome::Established => peer.terminate(t),
        Outcome::Refused(reason) => leave(t, &mut peer, reason),
        Outcome::Dropped => {
            Err(Finding::warning("an established session, or SESS_TERM", "the connection is dropped without a word"))
        }
    }
}

fn node_id_is_a_node_id(t: &mut Tester<'_>) -> Result<(), Finding> {
    let declared = t.bundles()?.node.to_string();
    in_both_roles(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        let init = peer.init.clone().unwrap_or_else(|| unreachable!("the session stands"));
        peer.terminate(t)?;
        let told = String::from_utf8_lossy(&init.node_id).into_owned();
        if !init.node_id.is_empty() && told != declared {
            return Err(Finding::deviation(format!("node ID {declared}, or none"), told));
        }
        Ok(())
    })
}

/// An extension list whose item goes beyond it, and one with stray octets at its end.
pub(super) fn bad_lists() -> [Vec<u8>; 2] {
    let [type_high, type_low] = PRIVATE_ITEM.to_be_bytes();
    [vec![0, type_high, type_low, 0, 20, 1, 2, 3, 4, 5], vec![0, type_high, type_low, 0, 0, 1, 2]]
}

fn bad_extension_list_fails(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        for items in bad_lists() {
            let init = Init { items, ..usual_init(t)? };
            let (outcome, mut peer) = offer(t, role, init)?;
            peer.drop(t);
            if let Outcome::Established = outcome {
                let expected = "no session after a SESS_INIT whose extension list does not match its length";
                return Err(Finding::deviation(expected, "an established session"));
            }
        }
        live(t)
    })
}

fn other_node_id(t: &mut Tester<'_>) -> Result<(), Finding> {
    let role = active(t)?;
    let init = Init { node_id: b"ipn:8888.0".to_vec(), ..usual_init(t)? };
    let (outcome, mut peer) = offer(t, role, init)?;
    match outcome {
        Outcome::Refused(term::CONTACT_FAILURE) => leave(t, &mut peer, term::CONTACT_FAILURE),
        Outcome::Refused(reason) => {
            peer.drop(t);
            Err(Finding::remark("SESS_TERM with Contact Failure", format!("reason {reason:#04x}")))
        }
        Outcome::Dropped => Err(Finding::remark("SESS_TERM, or a session", "the connection is dropped")),
        Outcome::Established => {
            peer.trigger(t, 300)?;
            let within = sending_time(t);
            let sent = peer.transfer(t, within).is_ok();
            t.note(format!(
                "the session stands; a bundle for the expected node is {}sent",
                if sent { "" } else { "not " }
            ));
            peer.drop(t);
            Ok(())
        }
    }
}

fn large_mrus_are_no_reason_to_refuse(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let init = Init { segment_mru: 1 << 63, transfer_mru: u64::MAX, ..usual_init(t)? };
        let mut peer = Peer::session_with(t, role, init)?;
        peer.deliver(t)?;
        peer.terminate(t)
    })
}

fn bears_bad_node_ids(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        for node_id in [vec![0xFF, 0xFE, 0xFD], b"hello".to_vec(), vec![b'a'; 65535]] {
            let init = Init { node_id, ..usual_init(t)? };
            let (outcome, mut peer) = offer(t, role, init)?;
            match outcome {
                Outcome::Established => peer.drop(t),
                Outcome::Refused(reason) => leave(t, &mut peer, reason)?,
                Outcome::Dropped => {
                    // It does the node no harm, but leaves the peer without a reason.
                    let expected = "an established session, or SESS_TERM";
                    return Err(Finding::warning(expected, "the connection is dropped without a word"));
                }
            }
        }
        live(t)
    })
}

fn unacceptable_mru(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let usual = usual_init(t)?;
        for init in [Init { segment_mru: 0, ..usual.clone() }, Init { transfer_mru: 0, ..usual }] {
            let expected = "SESS_TERM with Contact Failure, or a session in which nothing is sent";
            let (outcome, mut peer) = offer(t, role, init)?;
            match outcome {
                Outcome::Refused(term::CONTACT_FAILURE) => leave(t, &mut peer, term::CONTACT_FAILURE)?,
                Outcome::Refused(reason) => {
                    return Err(Finding::deviation(expected, format!("SESS_TERM with reason {reason:#04x}")));
                }
                Outcome::Dropped => return Err(Finding::deviation(expected, "the connection is dropped")),
                Outcome::Established => {
                    peer.trigger(t, 300)?;
                    keeps_within(t, peer, 0)?;
                }
            }
        }
        Ok(())
    })
}

fn smaller_keepalive_counts(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let init = Init { keepalive_s: 2, ..usual_init(t)? };
        let mut peer = Peer::session_with(t, role, init)?;
        super::keepalive::gaps_stay_within(t, &mut peer, 2, 4)?;
        peer.terminate(t)
    })
}

fn extreme_keepalive(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        for keepalive_s in [1, u16::MAX] {
            let init = Init { keepalive_s, ..usual_init(t)? };
            let expected = "an established session, or SESS_TERM with Contact Failure";
            let (outcome, mut peer) = offer(t, role, init)?;
            match outcome {
                Outcome::Established => peer.terminate(t)?,
                Outcome::Refused(term::CONTACT_FAILURE) => leave(t, &mut peer, term::CONTACT_FAILURE)?,
                Outcome::Refused(reason) => {
                    return Err(Finding::deviation(expected, format!("SESS_TERM with reason {reason:#04x}")));
                }
                Outcome::Dropped => return Err(Finding::deviation(expected, "the connection is dropped")),
            }
        }
        Ok(())
    })
}

fn parameters_do_not_change(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let first = Init { segment_mru: 1000, ..usual_init(t)? };
        let mut peer = Peer::session_with(t, role, first.clone())?;
        peer.write(t, &Message::Init(Init { segment_mru: 100, ..first }).octets())?;
        peer.expect_message(t, &msg_reject(reject::UNEXPECTED, kind::SESS_INIT))?;
        if peer.closed.is_some() {
            return Ok(());
        }
        let sent = peer.triggered(t, 5000);
        if peer.closed.is_some() || !peer.told(is_term).is_empty() {
            return Ok(());
        }
        let longest = sent?.segments.iter().map(|(_, length)| *length).max().unwrap_or(0);
        if !(101..=1000).contains(&longest) {
            let expected = "segments by the first SESS_INIT, of 1000 octets";
            return Err(Finding::deviation(expected, format!("the longest has {longest} octets")));
        }
        peer.terminate(t)
    })
}

fn items_are_well_formed(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        let init = peer.init.clone().unwrap_or_else(|| unreachable!("the session stands"));
        let all = read_items(&init.items).map_err(|why| Finding::deviation("well-formed extension items", why))?;
        if let Some(item) = all.iter().find(|item| item.flags & !CRITICAL != 0) {
            return Err(Finding::deviation("extension item flags 0 or 1", format!("{:#04x}", item.flags)));
        }
        peer.terminate(t)
    })
}

fn unknown_critical_item_ends_it(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let list = items(&[Item::new(CRITICAL, PRIVATE_ITEM, &[0; 4])]);
        let init = Init { items: list, ..usual_init(t)? };
        let mut peer = Peer::contact(t, role, 0)?;
        if role == Role::Active {
            peer.expect_init(t)?;
        }
        peer.write(t, &Message::Init(init).octets())?;
        peer.expect_message(t, &sess_term(0, term::CONTACT_FAILURE))?;
        leave(t, &mut peer, term::CONTACT_FAILURE)
    })
}

/// A session with such items in the tester's SESS_INIT.
fn with_items(t: &mut Tester<'_>, list: &[Item]) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let init = Init { items: items(list), ..usual_init(t)? };
        let mut peer = Peer::session_with(t, role, init)?;
        peer.deliver(t)?;
        peer.terminate(t)
    })
}

fn unknown_items_are_skipped(t: &mut Tester<'_>) -> Result<(), Finding> {
    let all = [(0x8001, 0), (0x7FFF, 1), (0xFFFF, 1000)];
    with_items(t, &all.map(|(item_type, length)| Item::new(0, item_type, &vec![7; length])))
}

fn reserved_item_flags_are_ignored(t: &mut Tester<'_>) -> Result<(), Finding> {
    with_items(t, &[Item::new(0xFE, PRIVATE_ITEM, &[])])
}

fn bears_dribbling_mrus(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        let init = Init { segment_mru: 1, transfer_mru: 1, ..usual_init(t)? };
        let (outcome, mut peer) = offer(t, role, init)?;
        match outcome {
            Outcome::Established => {
                peer.trigger(t, 1000)?;
                keeps_within(t, peer, 1)?;
            }
            Outcome::Refused(term::CONTACT_FAILURE) => leave(t, &mut peer, term::CONTACT_FAILURE)?,
            Outcome::Refused(_) | Outcome::Dropped => {
                let expected = "SESS_TERM with Contact Failure, or a session";
                return Err(Finding::remark(expected, "another end"));
            }
        }
        live(t)
    })
}

/// How late a KEEPALIVE may be (TCPCL-5.1.1-03).
pub(super) fn keepalive_tolerance(t: &Tester<'_>) -> Duration {
    Duration::from_secs(1).max(t.profile().round_trip)
}
