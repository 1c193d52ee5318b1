//! Transfers to the node: RFC 9174 section 5.2.

use super::init::bad_lists;
use super::message::{CRITICAL, END, Item, Message, PRIVATE_ITEM, START, refuse, segment};
use super::peer::{Peer, Role, bundle, in_both_roles, in_one_role, live};
use crate::case::{Case, Suite};
use crate::medium::{Arrival, Happening};
use crate::outcome::Finding;
use crate::peer::holds;
use crate::tester::Tester;

/// Why refusals cannot be judged; that it should have refused is for TCPCL-5.2.5-02.
const NOT_REFUSED: &str = "the node takes a transfer with an unknown critical item, so that there is no refusal";

/// The cases.
pub const CASES: &[Case] = &[
    Case::new("TCPCL-5.2.1-03", Suite::Tcpclv4, &["receiver"], ids_need_not_relate),
    Case::new("TCPCL-5.2.1-04", Suite::Tcpclv4, &["receiver"], answers_carry_the_id),
    Case::new("TCPCL-5.2.2-05", Suite::Tcpclv4, &["receiver"], reserved_flags_are_ignored),
    Case::new("TCPCL-5.2.2-06", Suite::Tcpclv4, &["receiver", "extensions", "hostile"], bad_list_fails),
    Case::new("TCPCL-5.2.2-07", Suite::Tcpclv4, &["receiver", "hostile"], bears_absurd_lengths),
    Case::new("TCPCL-5.2.2-08", Suite::Tcpclv4, &["receiver", "hostile"], bears_empty_segments),
    Case::new("TCPCL-5.2.2-09", Suite::Tcpclv4, &["receiver"], two_sessions_at_once),
    Case::new("TCPCL-5.2.2-10", Suite::Tcpclv4, &["receiver", "hostile"], bundles_are_not_mixed_up),
    Case::new("TCPCL-5.2.3-01", Suite::Tcpclv4, &["receiver"], every_segment_is_acknowledged),
    Case::new("TCPCL-5.2.3-02", Suite::Tcpclv4, &["receiver"], acks_copy_the_flags),
    Case::new("TCPCL-5.2.3-03", Suite::Tcpclv4, &["receiver"], acks_count_the_transfer),
    Case::new("TCPCL-5.2.3-06", Suite::Tcpclv4, &["receiver", "hostile"], cut_transfer_is_no_bundle),
    Case::new("TCPCL-5.2.4-01", Suite::Tcpclv4, &["receiver", "refusal"], refusal_may_come),
    Case::new("TCPCL-5.2.4-02", Suite::Tcpclv4, &["receiver", "refusal"], refusal_names_the_transfer),
    Case::new("TCPCL-5.2.4-04", Suite::Tcpclv4, &["receiver", "refusal"], refusal_comes_after_earlier_acks),
    Case::new("TCPCL-5.2.4-05", Suite::Tcpclv4, &["receiver", "refusal"], further_segments_are_refused),
    Case::new("TCPCL-5.2.5-02", Suite::Tcpclv4, &["receiver", "extensions"], unknown_critical_item_is_refused),
    Case::new("TCPCL-5.2.5-03", Suite::Tcpclv4, &["receiver", "extensions"], unknown_items_are_skipped),
    Case::new("TCPCL-5.2.5-04", Suite::Tcpclv4, &["receiver", "extensions"], reserved_item_flags_are_ignored),
    Case::new("TCPCL-5.2.5-07", Suite::Tcpclv4, &["receiver", "extensions"], wrong_length_is_refused),
    Case::new("TCPCL-5.2.5-08", Suite::Tcpclv4, &["receiver", "extensions"], no_length_is_needed),
    Case::new("TCPCL-5.2.5-09", Suite::Tcpclv4, &["receiver", "extensions", "hostile"], length_beyond_the_mru),
];

/// An item that nobody knows and that must be known.
fn unknown_critical() -> Item {
    Item::new(CRITICAL, PRIVATE_ITEM, &[1, 2])
}

/// Data in segments of these sizes, the rest in a last one: the octets of each segment.
pub(super) fn in_pieces(data: &[u8], id: u64, list: &[Item], sizes: &[usize]) -> Vec<Vec<u8>> {
    let mut rest = data;
    let mut all = Vec::new();
    for (place, size) in sizes.iter().enumerate() {
        let (piece, after) = rest.split_at((*size).min(rest.len()));
        all.push(segment(if place == 0 { START } else { 0 }, id, list, piece));
        rest = after;
    }
    all.push(segment(END, id, list, rest));
    all
}

/// An XFER_ACK or XFER_REFUSE of a transfer.
fn answer(m: &Message, id: u64) -> Option<Message> {
    match m {
        Message::Ack { id: of, .. } | Message::Refuse { id: of, .. } if *of == id => Some(m.clone()),
        _ => None,
    }
}

fn ids_need_not_relate(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        peer.trigger(t, 300)?;
        for id in [u64::MAX, 0, 77, 5] {
            let data = bundle(t, 100)?;
            peer.write(t, &segment(START | END, id, &[], &data))?;
            peer.expect_taken(t, id, data.len())?;
        }
        peer.terminate(t)
    })
}

fn answers_carry_the_id(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        let data = bundle(t, 100)?;
        let id = 0x0102_0304_0506_0708;
        peer.write(t, &segment(START | END, id, &[], &data))?;
        let expected = format!("an answer that names transfer {id:#x}");
        let told = peer.expect(t, &expected, |m| match m {
            Message::Ack { id, .. } | Message::Refuse { id, .. } => Some(*id),
            _ => None,
        })?;
        if told != id {
            return Err(Finding::deviation(expected, format!("transfer {told:#x}")));
        }
        peer.terminate(t)
    })
}

fn reserved_flags_are_ignored(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        let data = bundle(t, 100)?;
        peer.write(t, &segment(0xFF, 0, &[], &data))?;
        peer.expect_taken(t, 0, data.len())?;
        let flags = peer.told(|m| match m {
            Message::Ack { id: 0, flags, .. } => Some(*flags),
            _ => None,
        });
        if let Some(flags) = flags.iter().find(|flags| *flags & (START | END) != START | END) {
            return Err(Finding::deviation("XFER_ACK with START and END", format!("flags {flags:#04x}")));
        }
        peer.terminate(t)
    })
}

/// That a transfer is not taken: refused, rejected, or the session ends. A bundle after it is the sentinel.
fn is_not_taken(t: &mut Tester<'_>, peer: &mut Peer, id: u64, length: usize, expected: &str) -> Result<(), Finding> {
    let reaction = peer.expect(t, expected, |m| match m {
        Message::Refuse { id: of, .. } if *of == id => Some(Ok(())),
        Message::Reject { .. } | Message::Term { .. } => Some(Ok(())),
        Message::Ack { id: of, flags, length: all } if *of == id && (flags & END != 0 || *all == length as u64) => {
            Some(Err(m.told()))
        }
        _ => None,
    });
    match reaction {
        Ok(Ok(())) => {}
        Ok(Err(told)) => return Err(Finding::deviation(expected, told)),
        Err(_) if peer.closed.is_some() => return Ok(()),
        Err(finding) => return Err(finding),
    }
    let until = t.now() + t.profile().answer_time();
    // That the sentinel itself is not taken any more is right where the session ends.
    let data = bundle(t, 100)?;
    let sentinel = peer.fresh_id();
    peer.write(t, &segment(START | END, sentinel, &[], &data))?;
    peer.seek(t, until, |m| answer(m, sentinel))?;
    match peer.has_taken(id, length) {
        true => Err(Finding::deviation(expected, "XFER_ACK of all of it")),
        false => Ok(()),
    }
}

fn bad_list_fails(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        for items in bad_lists() {
            let mut peer = Peer::session(t, role)?;
            let data = bundle(t, 100)?;
            let length = data.len();
            let message = Message::Segment { flags: START | END, id: 40, items: Some(items), data };
            peer.write(t, &message.octets())?;
            is_not_taken(
                t,
                &mut peer,
                40,
                length,
                "a transfer whose extension list does not match its length is not taken",
            )?;
            peer.drop(t);
        }
        live(t)
    })
}

fn bears_absurd_lengths(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        for length in [1u64 << 63, u64::MAX] {
            let mut peer = Peer::session(t, role)?;
            let mut octets = segment(START | END, 40, &[], &[]);
            octets.truncate(octets.len() - 8);
            octets.extend_from_slice(&length.to_be_bytes());
            octets.extend_from_slice(&[0; 100]);
            peer.write(t, &octets)?;
            peer.keeps_alive = None;
            let until = t.now() + t.profile().answer_time();
            peer.read_until(t, until)?;
            if peer.has_taken(40, usize::MAX) {
                return Err(Finding::deviation("a transfer that is not complete is not taken", "XFER_ACK with END"));
            }
            // The connection goes on standing there meanwhile.
            live(t)?;
            peer.drop(t);
        }
        Ok(())
    })
}

fn bears_empty_segments(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        let data = bundle(t, 100)?;
        let all = [segment(START, 0, &[], &[]), segment(0, 0, &[], &data), segment(END, 0, &[], &[])].concat();
        peer.write(t, &all)?;
        let mut acknowledged = 0;
        let told = peer.expect(t, "XFER_ACK, or a refusal", |m| match m {
            Message::Ack { id: 0, flags, .. } if flags & END == 0 && acknowledged < 2 => {
                acknowledged += 1;
                None
            }
            Message::Reject { .. } | Message::Term { .. } => Some(m.told()),
            other => answer(other, 0).map(|m| m.told()),
        });
        let lengths = peer.told(|m| match m {
            Message::Ack { id: 0, length, .. } => Some(*length),
            _ => None,
        });
        let closed = peer.closed.is_some();
        peer.drop(t);
        let wanted = [0, data.len() as u64, data.len() as u64];
        if peer.has_taken(0, data.len()) && lengths != wanted {
            return Err(Finding::remark(format!("lengths {wanted:?}"), format!("{lengths:?}")));
        }
        match told {
            Err(_) if closed => t.note("the node closes the connection on a segment without data"),
            told => drop(told?),
        }
        live(t)
    })
}

fn two_sessions_at_once(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        if role == Role::Active {
            return Err(Finding::unsupported("the node does not listen for TCPCL"));
        }
        let mut first = Peer::session(t, role)?;
        let mut second = match Peer::session(t, role) {
            Ok(second) => second,
            Err(finding) => {
                first.drop(t);
                return Err(Finding::remark("a second session, or SESS_TERM", finding.actual));
            }
        };
        let data = [bundle(t, 300)?, bundle(t, 300)?];
        let pieces = [in_pieces(&data[0], 0, &[], &[100, 100]), in_pieces(&data[1], 0, &[], &[100, 100])];
        for (one, other) in pieces[0].iter().zip(&pieces[1]) {
            first.write(t, one)?;
            second.write(t, other)?;
        }
        first.expect_taken(t, 0, data[0].len())?;
        second.expect_taken(t, 0, data[1].len())?;
        first.terminate(t)?;
        second.terminate(t)
    })
}

fn bundles_are_not_mixed_up(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        for second in [1, 5] {
            let mut peer = Peer::session(t, role)?;
            let (one, other) = (bundle(t, 400)?, bundle(t, 400)?);
            let half = one.len() / 2;
            let mut octets = segment(START, 0, &[], &one[..half]);
            match second {
                1 => {
                    octets.extend(segment(START, 1, &[], &other[..half]));
                    octets.extend(segment(END, 0, &[], &one[half..]));
                    octets.extend(segment(END, 1, &[], &other[half..]));
                }
                _ => octets.extend(segment(END, second, &[], &other[half..])),
            }
            peer.write(t, &octets)?;
            let until = t.now() + t.profile().answer_time();
            peer.read_until(t, until)?;
            // Taking one of the bundles whole is right where all of its data came under its own ID.
            let whole = [one.len() as u64, other.len() as u64];
            for id in [0, second] {
                // What was taken is more than either half, whatever flags say so.
                let taken = peer.told(|m| match m {
                    Message::Ack { id: of, flags, length }
                        if *of == id && (flags & END != 0 || *length > (one.len() - half) as u64) =>
                    {
                        Some(*length)
                    }
                    _ => None,
                });
                let possible = second == 1;
                if let Some(length) = taken.iter().find(|length| !possible || !whole.contains(length)) {
                    let expected = "no bundle made of parts of two transfers";
                    return Err(Finding::deviation(expected, format!("{length} octets of transfer {id} are taken")));
                }
            }
            peer.drop(t);
        }
        live(t)
    })
}

/// Four segments of 100, 200, 500 octets and the rest, one after the other: the answers to each.
fn four_segments(t: &mut Tester<'_>, peer: &mut Peer, id: u64) -> Result<(Vec<(u8, u64)>, usize), Finding> {
    let data = bundle(t, 1700)?;
    let mut acks = Vec::new();
    for piece in in_pieces(&data, id, &[], &[100, 200, 500]) {
        peer.write(t, &piece)?;
        match peer.expect(t, &format!("XFER_ACK of segment {}", acks.len() + 1), |m| answer(m, id))? {
            Message::Ack { flags, length, .. } => acks.push((flags & (START | END), length)),
            _ => break,
        }
    }
    Ok((acks, data.len()))
}

fn every_segment_is_acknowledged(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        four_segments(t, &mut peer, 0)?;
        peer.terminate(t)
    })
}

fn acks_copy_the_flags(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        let (acks, _) = four_segments(t, &mut peer, 0)?;
        let flags: Vec<u8> = acks.iter().map(|(flags, _)| *flags).collect();
        if !flags.iter().eq([START, 0, 0, END].iter().take(flags.len())) {
            return Err(Finding::deviation("XFER_ACK flags 02, 00, 00, 01", format!("{flags:02x?}")));
        }
        let data = bundle(t, 100)?;
        peer.write(t, &segment(START | END, 1, &[], &data))?;
        match peer.expect(t, "XFER_ACK", |m| answer(m, 1))? {
            Message::Ack { flags, .. } if flags & (START | END) != START | END => {
                Err(Finding::deviation("XFER_ACK flags 03", format!("{flags:#04x}")))
            }
            _ => peer.terminate(t),
        }
    })
}

fn acks_count_the_transfer(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        for id in 0..2 {
            let (acks, whole) = four_segments(t, &mut peer, id)?;
            let lengths: Vec<u64> = acks.iter().map(|(_, length)| *length).collect();
            let wanted = [100, 300, 800, whole as u64];
            if !lengths.iter().eq(wanted.iter().take(lengths.len())) {
                return Err(Finding::deviation(format!("lengths {wanted:?}"), format!("{lengths:?}")));
            }
        }
        peer.terminate(t)
    })
}

fn cut_transfer_is_no_bundle(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        let data = bundle(t, 400)?;
        let half = data.len() / 2;
        peer.write(t, &segment(START, 0, &[], &data[..half]))?;
        peer.expect(t, "XFER_ACK of the first half", |m| answer(m, 0))?;
        peer.keeps_alive = None;
        t.finish(peer.stream);
        peer.expect_closed_soon(t)?;
        let until = t.now() + t.profile().answer_time();
        // Data of earlier cases may still be handed over.
        let of_it = |arrival: &Arrival| match &arrival.what {
            Happening::Delivered { payload, .. } => holds(&data, &payload[..payload.len().min(16)]).then_some(()),
            _ => None,
        };
        if t.wait_for(until, of_it)?.is_some() {
            return Err(Finding::deviation("no delivery of half a bundle", "a delivery"));
        }
        let mut again = Peer::session(t, role)?;
        again.write(t, &segment(START | END, 0, &[], &data))?;
        let refused = again.expect(t, "XFER_ACK of the whole bundle", |m| answer(m, 0))?;
        if let Message::Refuse { reason, .. } = refused {
            let expected = "the whole bundle is taken, since half of it was none";
            return Err(Finding::deviation(expected, format!("refusal {reason:#04x}")));
        }
        let until = t.now() + t.profile().answer_time();
        if t.wait_for(until, of_it)?.is_none() {
            return Err(Finding::silence("delivery of the whole bundle", "none"));
        }
        again.terminate(t)
    })
}

fn refusal_may_come(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        let data = bundle(t, 100)?;
        // A bundle of another version, then one that the node has already.
        let mut other = data.clone();
        if let Some(version) = other.get_mut(2) {
            *version = 6;
        }
        for (id, octets) in [(0, &data), (1, &other), (2, &data)] {
            peer.write(t, &segment(START | END, id, &[], octets))?;
            let told = peer.expect(t, "XFER_ACK or XFER_REFUSE", |m| answer(m, id))?;
            t.note(told.told());
        }
        peer.terminate(t)
    })
}

fn refusal_names_the_transfer(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        let (taken, refused) = (bundle(t, 100)?, bundle(t, 100)?);
        peer.write(t, &segment(START | END, 40, &[], &taken))?;
        peer.write(t, &segment(START | END, 41, &[unknown_critical()], &refused))?;
        let told = peer.expect(t, "XFER_REFUSE of transfer 41", |m| match m {
            Message::Refuse { id, .. } => Some(Ok(*id)),
            Message::Ack { id: 41, .. } => Some(Err(Finding::unsupported(NOT_REFUSED))),
            _ => None,
        })??;
        if told != 41 {
            return Err(Finding::deviation("XFER_REFUSE of transfer 41", format!("of {told}")));
        }
        peer.terminate(t)
    })
}

fn refusal_comes_after_earlier_acks(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        let (taken, refused) = (bundle(t, 100)?, bundle(t, 100)?);
        let both = [segment(START | END, 0, &[], &taken), segment(START | END, 1, &[unknown_critical()], &refused)];
        peer.write(t, &both.concat())?;
        let refusal = |m: &Message| match m {
            Message::Refuse { id: 1, .. } => Some(Ok(())),
            Message::Ack { id: 1, .. } => Some(Err(Finding::unsupported(NOT_REFUSED))),
            _ => None,
        };
        peer.expect(t, "XFER_REFUSE of the second transfer", refusal)??;
        let settled = peer.told(|m| answer(m, 0));
        if settled.is_empty() {
            let expected = "an answer to the first transfer before the refusal of the second";
            return Err(Finding::deviation(expected, "the refusal comes first"));
        }
        peer.terminate(t)
    })
}

fn further_segments_are_refused(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        let data = bundle(t, 300)?;
        for (place, piece) in in_pieces(&data, 40, &[unknown_critical()], &[100, 100]).iter().enumerate() {
            peer.write(t, piece)?;
            let expected = format!("XFER_REFUSE for segment {}", place + 1);
            match peer.expect(t, &expected, |m| match m {
                Message::Reject { .. } => Some(m.clone()),
                other => answer(other, 40),
            })? {
                Message::Refuse { .. } => {}
                Message::Reject { .. } => return Err(Finding::warning(expected, "MSG_REJECT")),
                Message::Ack { .. } if place == 0 => return Err(Finding::unsupported(NOT_REFUSED)),
                other => return Err(Finding::deviation(expected, other.told())),
            }
        }
        peer.terminate(t)
    })
}

fn unknown_critical_item_is_refused(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        let data = bundle(t, 100)?;
        peer.write(t, &segment(START | END, 40, &[unknown_critical()], &data))?;
        let expected = "XFER_REFUSE of transfer 40 with reason Extension Failure";
        match peer.expect(t, expected, |m| answer(m, 40))? {
            Message::Refuse { reason: refuse::EXTENSION_FAILURE, .. } => {}
            other => return Err(Finding::deviation(expected, other.told())),
        }
        // The bundle after it is the sentinel.
        peer.deliver(t)?;
        match peer.has_taken(40, data.len()) {
            true => Err(Finding::deviation(expected, "XFER_ACK too")),
            false => peer.terminate(t),
        }
    })
}

/// That a bundle is taken with such items.
fn is_taken(t: &mut Tester<'_>, list: &[Item], sizes: &[usize]) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        let data = bundle(t, 500)?;
        let octets = match sizes {
            [] => segment(START | END, 0, list, &data),
            sizes => in_pieces(&data, 0, list, sizes).concat(),
        };
        peer.write(t, &octets)?;
        peer.expect_taken(t, 0, data.len())?;
        peer.terminate(t)
    })
}

fn unknown_items_are_skipped(t: &mut Tester<'_>) -> Result<(), Finding> {
    is_taken(t, &[Item::new(0, PRIVATE_ITEM, &[]), Item::new(0, 0x7FFF, &[7; 300])], &[])
}

fn reserved_item_flags_are_ignored(t: &mut Tester<'_>) -> Result<(), Finding> {
    is_taken(t, &[Item::new(0xFE, PRIVATE_ITEM, &[])], &[])
}

fn no_length_is_needed(t: &mut Tester<'_>) -> Result<(), Finding> {
    is_taken(t, &[], &[100, 100, 100, 100])
}

fn wrong_length_is_refused(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        for announced in [2000, 500] {
            let mut peer = Peer::session(t, role)?;
            let data = bundle(t, 900)?;
            let list = [Item::transfer_length(announced)];
            peer.write(t, &in_pieces(&data, 40, &list, &[450]).concat())?;
            let expected = format!("XFER_REFUSE with reason Not Acceptable, since {announced} octets were announced");
            let told = peer.expect(t, &expected, |m| match m {
                Message::Ack { id: 40, flags, length } if flags & END == 0 && *length < data.len() as u64 => None,
                other => answer(other, 40),
            })?;
            if told != (Message::Refuse { reason: refuse::NOT_ACCEPTABLE, id: 40 }) {
                return Err(Finding::deviation(expected, told.told()));
            }
            peer.drop(t);
        }
        Ok(())
    })
}

fn length_beyond_the_mru(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_one_role(t, |t, role| {
        let mut peer = Peer::session(t, role)?;
        let mru = peer.init.as_ref().map_or(0, |init| init.transfer_mru);
        peer.write(t, &segment(START, 40, &[Item::transfer_length(mru.saturating_add(1))], &[0x9F]))?;
        let told = peer.expect(t, "XFER_REFUSE, or XFER_ACK so far", |m| match m {
            Message::Term { .. } | Message::Reject { .. } => Some(m.clone()),
            other => answer(other, 40),
        });
        let closed = peer.closed.is_some();
        peer.drop(t);
        match told {
            Ok(_) => Ok(()),
            Err(_) if closed => Err(Finding::remark("XFER_REFUSE, or XFER_ACK so far", "the connection is closed")),
            Err(finding) => Err(finding),
        }
    })
}
