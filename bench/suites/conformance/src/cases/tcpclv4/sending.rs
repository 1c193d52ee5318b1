//! Transfers of the node: RFC 9174 section 5.2.

use farlink_units::Duration;

use super::init::is_bundle;
use super::message::{
    CRITICAL, END, Init, Item, Message, START, TRANSFER_LENGTH, kind, read_items, refuse, reject, segment, xfer_ack,
    xfer_refuse,
};
use super::peer::{Peer, Role, Transfer, bundle, in_both_roles, in_one_role, live, sending_time, usual_init};
use crate::case::{Case, Suite};
use crate::outcome::Finding;
use crate::tester::Tester;

/// The cases.
pub const CASES: &[Case] = &[
    Case::new("TCPCL-3.2-01", Suite::Tcpclv4, &["sender", "receiver"], directions_interleave),
    Case::new("TCPCL-5.2-01", Suite::Tcpclv4, &["sender"], one_bundle_in_a_transfer),
    Case::new("TCPCL-5.2-02", Suite::Tcpclv4, &["sender"], transfers_do_not_interleave),
    Case::new("TCPCL-5.2.1-01", Suite::Tcpclv4, &["sender"], ids_are_not_used_again),
    Case::new("TCPCL-5.2.1-02", Suite::Tcpclv4, &["sender"], ids_count_up),
    Case::new("TCPCL-5.2.2-01", Suite::Tcpclv4, &["sender"], start_and_end_are_in_place),
    Case::new("TCPCL-5.2.2-02", Suite::Tcpclv4, &["sender"], single_segment_has_both),
    Case::new("TCPCL-5.2.2-03", Suite::Tcpclv4, &["sender"], reserved_flags_are_clear),
    Case::new("TCPCL-5.2.2-04", Suite::Tcpclv4, &["sender", "extensions"], list_on_start_only),
    Case::new("TCPCL-5.2.3-04", Suite::Tcpclv4, &["sender"], unknown_ack_flags_are_understood),
    Case::new("TCPCL-5.2.3-05", Suite::Tcpclv4, &["sender"], segments_are_pipelined),
    Case::new("TCPCL-5.2.4-03", Suite::Tcpclv4, &["sender", "refusal"], refused_transfer_stops),
    Case::new("TCPCL-5.2.4-06", Suite::Tcpclv4, &["sender", "refusal"], unknown_refusal_is_borne),
    Case::new("TCPCL-5.2.4-07", Suite::Tcpclv4, &["sender", "refusal", "timers"], reaction_follows_the_reason),
    Case::new("TCPCL-5.2.4-08", Suite::Tcpclv4, &["sender", "refusal", "hostile"], refusal_of_nothing),
    Case::new("TCPCL-5.2.5-01", Suite::Tcpclv4, &["sender", "extensions"], items_are_well_formed),
    Case::new("TCPCL-5.2.5-05", Suite::Tcpclv4, &["sender", "extensions"], one_transfer_length),
    Case::new("TCPCL-5.2.5-06", Suite::Tcpclv4, &["sender", "extensions"], single_segment_without_length),
];

/// A session in which segments have at most so many octets.
fn session(t: &mut Tester<'_>, role: Role, segment_mru: u64) -> Result<Peer, Finding> {
    let init = Init { segment_mru, ..usual_init(t)? };
    Peer::session_with(t, role, init)
}

/// A transfer in segments of 1000 octets, in each role.
fn in_segments(t: &mut Tester<'_>, judge: impl Fn(&Transfer) -> Result<(), Finding>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = session(t, role, 1000)?;
        let sent = peer.triggered(t, 3500)?;
        is_bundle(&sent.data)?;
        judge(&sent)?;
        peer.terminate(t)
    })
}

/// A transfer in one segment, in each role.
fn in_one_segment(t: &mut Tester<'_>, judge: impl Fn(&Transfer) -> Result<(), Finding>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = session(t, role, 65536)?;
        let sent = peer.triggered(t, 300)?;
        judge(&sent)?;
        peer.terminate(t)
    })
}

fn directions_interleave(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        let mut peer = session(t, role, 1000)?;
        let data = bundle(t, 950)?;
        let id = peer.fresh_id();
        peer.trigger(t, 50_000)?;
        let pieces: Vec<&[u8]> = data.chunks(data.len().div_ceil(10)).collect();
        for (place, piece) in pieces.iter().enumerate() {
            let flags = if place == 0 { START } else { 0 } | if place + 1 == pieces.len() { END } else { 0 };
            peer.write(t, &segment(flags, id, &[], piece))?;
            let until = t.now() + Duration::from_millis(50);
            peer.read_until(t, until)?;
        }
        let until = t.now() + sending_time(t);
        let before = peer.transfers.len();
        while !peer.has_taken(id, data.len()) || peer.transfers.is_empty() {
            if peer.next(t, until)?.is_none() {
                let told =
                    format!("{} transfers of the node, tester's taken: {}", before, peer.has_taken(id, data.len()));
                return Err(Finding::remark("both transfers are completed", told));
            }
        }
        peer.terminate(t)
    })
}

/// Takes three bundles in segments of at most so many octets, in both roles. Who reads finds a segment out of place.
fn three_bundles_come_whole(t: &mut Tester<'_>, segment_mru: u64, octets: usize) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = session(t, role, segment_mru)?;
        for _ in 0..3 {
            peer.trigger(t, octets)?;
        }
        for _ in 0..3 {
            let within = sending_time(t);
            peer.transfer(t, within)?;
        }
        for sent in &peer.transfers {
            is_bundle(&sent.data)?;
        }
        peer.terminate(t)
    })
}

fn one_bundle_in_a_transfer(t: &mut Tester<'_>) -> Result<(), Finding> {
    three_bundles_come_whole(t, 65536, 300)
}

fn transfers_do_not_interleave(t: &mut Tester<'_>) -> Result<(), Finding> {
    three_bundles_come_whole(t, 1000, 5000)
}

/// The IDs of many transfers in a session, with a refusal among them.
fn many_ids(t: &mut Tester<'_>) -> Result<Vec<u64>, Finding> {
    in_one_role(t, |t, role| {
        let mut peer = session(t, role, 65536)?;
        for _ in 0..50 {
            peer.trigger(t, 100)?;
        }
        while peer.transfers.len() < 50 {
            let within = sending_time(t);
            peer.transfer(t, within)?;
        }
        peer.acknowledges = false;
        let refused = peer.triggered(t, 100)?;
        peer.refuse(t, refuse::RETRANSMIT, refused.id)?;
        peer.acknowledges = true;
        // The bundle may be sent again or be given up; what comes has an ID of its own.
        let until = t.now() + sending_time(t);
        peer.read_until(t, until)?;
        peer.triggered(t, 100)?;
        let ids = peer.told(|m| match m {
            Message::Segment { flags, id, .. } if flags & START != 0 => Some(*id),
            _ => None,
        });
        peer.terminate(t)?;
        Ok(ids)
    })
}

fn ids_are_not_used_again(t: &mut Tester<'_>) -> Result<(), Finding> {
    let mut ids = many_ids(t)?;
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    match ids.len() == count {
        true => Ok(()),
        false => Err(Finding::deviation(format!("{count} different transfer IDs"), format!("{}", ids.len()))),
    }
}

fn ids_count_up(t: &mut Tester<'_>) -> Result<(), Finding> {
    let ids = many_ids(t)?;
    match ids.iter().copied().eq(0..ids.len() as u64) {
        true => Ok(()),
        false => Err(Finding::remark("transfer IDs 0, 1, 2, …", format!("{:?} …", &ids[..ids.len().min(5)]))),
    }
}

fn start_and_end_are_in_place(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_segments(t, |sent| {
        let flags: Vec<u8> = sent.segments.iter().map(|(flags, _)| flags & (START | END)).collect();
        let last = flags.len() - 1;
        let right = last > 0
            && flags.iter().enumerate().all(|(place, flags)| match place {
                0 => *flags == START,
                _ if place == last => *flags == END,
                _ => *flags == 0,
            });
        match right {
            true => Ok(()),
            false => Err(Finding::deviation("flags 02, 00, …, 01", format!("{flags:02x?}"))),
        }
    })
}

fn single_segment_has_both(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_segment(t, |sent| match sent.segments[..] {
        [(flags, _)] if flags & (START | END) == START | END => Ok(()),
        _ => Err(Finding::deviation("one segment with START and END", format!("{:02x?}", sent.segments))),
    })
}

fn reserved_flags_are_clear(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_segments(t, |sent| match sent.segments.iter().find(|(flags, _)| *flags > START | END) {
        Some((flags, _)) => Err(Finding::deviation("segment flags 0 to 3", format!("{flags:#04x}"))),
        None => Ok(()),
    })
}

fn list_on_start_only(t: &mut Tester<'_>) -> Result<(), Finding> {
    // A list elsewhere, or none where it must be, puts what follows out of place.
    in_segments(t, |_| Ok(()))
}

fn unknown_ack_flags_are_understood(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        let mut peer = session(t, role, 65536)?;
        peer.acknowledges = false;
        let sent = peer.triggered(t, 300)?;
        peer.write(t, &xfer_ack(0xF3, sent.id, sent.data.len() as u64))?;
        peer.acknowledges = true;
        let again = peer.triggered(t, 300);
        let until = t.now() + t.profile().answer_time();
        peer.read_until(t, until)?;
        if let Some(told) = peer.told(|m| matches!(m, Message::Reject { .. }).then(|| m.told())).first() {
            return Err(Finding::deviation("the acknowledgment is understood", told.clone()));
        }
        let again = again?;
        if peer.transfers.iter().filter(|other| other.data == sent.data).count() > 1 || again.data == sent.data {
            return Err(Finding::deviation("the transfer counts as done", "it is sent again"));
        }
        peer.terminate(t)
    })
}

fn segments_are_pipelined(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        let mut peer = session(t, role, 1000)?;
        peer.acknowledges = false;
        peer.trigger(t, 5000)?;
        let round_trip = t.profile().round_trip;
        let until = t.now() + sending_time(t) + round_trip + round_trip + Duration::from_secs(2);
        let mut count = 0;
        let segments = |m: &Message| matches!(m, Message::Segment { .. }).then_some(());
        while count < 2 && peer.seek(t, until, segments)?.is_some() {
            count += 1;
        }
        peer.drop(t);
        match count {
            0 => Err(Finding::silence("segments of a transfer", "none")),
            1 => Err(Finding::warning("more segments before the first XFER_ACK", "one")),
            _ => Ok(()),
        }
    })
}

fn refused_transfer_stops(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        let mut peer = session(t, role, 1000)?;
        peer.acknowledges = false;
        // More than what streams take that nobody reads, so that the refusal finds the transfer under way.
        peer.trigger(t, 8_000_000)?;
        let until = t.now() + sending_time(t);
        let first = peer.seek(t, until, |m| match m {
            Message::Segment { id, .. } => Some(*id),
            _ => None,
        })?;
        let id = first.ok_or_else(|| Finding::silence("the first segment of a transfer", "none"))?;
        t.set_reading(peer.stream, false);
        // Completed, so that the bundle is settled.
        peer.refuse(t, refuse::COMPLETED, id)?;
        t.rest(t.profile().answer_time().saturating_mul(2))?;
        t.set_reading(peer.stream, true);
        // What comes now was under way when the refusal came to the node.
        let drained = drain(t, &mut peer, id)?;
        if peer.transfers.iter().any(|sent| sent.id == id) {
            return Err(Finding::deviation("no more of a refused transfer", "all of it"));
        }
        t.note(format!("{drained} octets of the refused transfer came"));
        peer.acknowledges = true;
        // Who begins with anything else than START is found by who reads.
        let next = peer.triggered(t, 300)?;
        if next.id == id {
            return Err(Finding::deviation("a new transfer ID after a refusal", format!("{id} again")));
        }
        peer.drop(t);
        Ok(())
    })
}

/// Reads until for the time of an answer no segment of this transfer comes. Returns the octets of it so far.
fn drain(t: &mut Tester<'_>, peer: &mut Peer, id: u64) -> Result<usize, Finding> {
    loop {
        let until = t.now() + t.profile().answer_time();
        let more = peer.seek(t, until, |m| match m {
            Message::Segment { id: of, flags, .. } if *of == id => Some(flags & END != 0),
            _ => None,
        })?;
        if more != Some(false) {
            break;
        }
    }
    Ok(peer
        .told(|m| match m {
            Message::Segment { id: of, data, .. } if *of == id => Some(data.len()),
            _ => None,
        })
        .iter()
        .sum())
}

fn unknown_refusal_is_borne(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        for reason in [0x77, 0xF3] {
            let mut peer = session(t, role, 65536)?;
            peer.acknowledges = false;
            let sent = peer.triggered(t, 300)?;
            peer.refuse(t, reason, sent.id)?;
            peer.acknowledges = true;
            peer.deliver(t)?;
            if let Some(told) = peer.told(|m| matches!(m, Message::Reject { .. }).then(|| m.told())).first() {
                return Err(Finding::deviation("a refusal for an unknown reason is taken", told.clone()));
            }
            peer.terminate(t)?;
        }
        Ok(())
    })
}

fn reaction_follows_the_reason(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        let reasons = [refuse::NOT_ACCEPTABLE, refuse::NO_RESOURCES, refuse::COMPLETED, refuse::RETRANSMIT];
        for reason in reasons {
            let mut peer = session(t, role, 65536)?;
            peer.acknowledges = false;
            let sent = peer.triggered(t, 3000)?;
            peer.refuse(t, reason, sent.id)?;
            peer.acknowledges = true;
            // Only after Not Acceptable a repetition at any time would be wrong.
            let wait = match reason {
                refuse::NOT_ACCEPTABLE => Duration::from_secs(60),
                _ => sending_time(t),
            };
            let until = t.now() + wait;
            peer.read_until(t, until)?;
            let again = peer.transfers[1..].iter().filter(|other| other.data == sent.data).count();
            let others = peer.transfers.len() - 1 - again;
            peer.terminate(t)?;
            if reason == refuse::NOT_ACCEPTABLE && again > 0 {
                return Err(Finding::remark("no repetition after Not Acceptable", format!("{again} repetitions")));
            }
            t.note(format!("after refusal {reason:#04x}: sent again {again} times, {others} other transfers"));
        }
        Ok(())
    })
}

fn refusal_of_nothing(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        peer.write(t, &xfer_refuse(0, 999))?;
        // The bundle after it is the sentinel.
        peer.deliver(t)?;
        let wrong = peer.told(|m| match m {
            Message::Reject { reason: reject::UNEXPECTED, kind: kind::XFER_REFUSE } | Message::Keepalive => None,
            Message::Ack { .. } | Message::Init(_) | Message::Segment { .. } => None,
            other => Some(other.told()),
        });
        if let Some(told) = wrong.first() {
            let expected = "MSG_REJECT with reason Unexpected, or nothing";
            return Err(Finding::deviation(expected, told.clone()));
        }
        peer.terminate(t)?;
        live(t)
    })
}

fn list(sent: &Transfer) -> Result<Vec<Item>, Finding> {
    read_items(&sent.items).map_err(|why| Finding::deviation("well-formed extension items", why))
}

fn items_are_well_formed(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_segments(t, |sent| match list(sent)?.iter().find(|item| item.flags & !CRITICAL != 0) {
        Some(item) => Err(Finding::deviation("extension item flags 0 or 1", format!("{:#04x}", item.flags))),
        None => Ok(()),
    })
}

fn one_transfer_length(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_segments(t, |sent| {
        let all = list(sent)?;
        let lengths: Vec<&Item> = all.iter().filter(|item| item.item_type == TRANSFER_LENGTH).collect();
        match lengths[..] {
            [] => Ok(()),
            [item] if item.value == (sent.data.len() as u64).to_be_bytes() => Ok(()),
            [item] => {
                let expected = format!("a Transfer Length of {} octets", sent.data.len());
                Err(Finding::deviation(expected, format!("{:02x?}", item.value)))
            }
            _ => Err(Finding::deviation("one Transfer Length at most", format!("{}", lengths.len()))),
        }
    })
}

fn single_segment_without_length(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_segment(t, |sent| match list(sent)?.iter().any(|item| item.item_type == TRANSFER_LENGTH) {
        true => Err(Finding::warning("no Transfer Length in a single segment", "one")),
        false => Ok(()),
    })
}
