//! The security extensions (RFC 5327).

use farlink_wire::ltp::security::{AUTH_VALUE_LEN, AUTHENTICATION, AuthKey, COOKIE};
use farlink_wire::ltp::{Segment, segments_with_octets};

use super::block::random;
use super::peer::{Ours, Peer, Verdict};
use super::reported::leave_gap;
use super::watch;
use crate::case::Case;
use crate::medium::Door;
use crate::outcome::Finding;
use crate::segment::{Body, Raw, code};

pub(super) const CASES: &[Case] = &[
    case!("LTPSEC-2.1-01", ["security", "authentication"], unsupported_authentication_is_ignored),
    case!("LTPSEC-2.1-02", ["security", "authentication", "sender"], first_segment_names_the_key),
    case!("LTPSEC-2.1-03", ["security", "authentication", "sender"], first_segment_names_the_key_again),
    case!("LTPSEC-2.1-04", ["security", "authentication"], authentication_values_are_right),
    case!("LTPSEC-2.1-05", ["security", "authentication"], one_right_value_is_enough),
    case!("LTPSEC-2.1-06", ["security", "authentication", "hostile"], wrong_value_has_no_effect),
    case!("LTPSEC-2.2-01", ["security", "cookies"], cookie_is_carried),
    case!("LTPSEC-2.2-02", ["security", "cookies", "hostile"], wrong_cookie_is_dropped),
    case!("LTPSEC-2.2-03", ["security", "cookies"], two_cookies),
];

/// A whole block of 100 octets in one segment.
fn whole(us: &mut Peer<'_, '_>) -> (Ours, u64, Raw) {
    let s = us.open(100);
    let serial = us.serial();
    let segment = us.ds(s, code::EOB, 0..100, Some((serial, 0)));
    (s, serial, segment)
}

/// A segment with both parts of the authentication extension.
fn authenticated(key: &AuthKey, segment: &Raw) -> Result<Vec<u8>, Finding> {
    let plain = segment.emit();
    let (parsed, _) =
        Segment::parse(&plain).map_err(|error| Finding::bench_error(format!("the tester's own segment: {error}")))?;
    let mut octets = Vec::new();
    key.emit(&parsed, &mut octets);
    Ok(octets)
}

fn expect_whole(us: &mut Peer<'_, '_>, s: Ours, serial: u64) -> Verdict {
    let rs = us.reported(s, serial)?;
    match rs.is_whole(100) {
        true => Ok(()),
        false => Err(Finding::deviation("a report of 0..100 that claims all of it", rs.tell())),
    }
}

fn unsupported_authentication_is_ignored(us: &mut Peer<'_, '_>) -> Verdict {
    let (s, serial, segment) = whole(us);
    let octets = authenticated(&AuthKey::null(), &segment)?;
    us.octets(&octets)?;
    expect_whole(us, s, serial)
}

/// The value of the header part of authentication, if a segment has it.
fn named_key(segment: &Raw) -> Option<&[u8]> {
    segment.header.iter().find(|(tag, _)| *tag == AUTHENTICATION).map(|(_, value)| value.as_slice())
}

fn first_segment_names_the_key(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.trigger(length)?;
    let unnamed = us.data_of(id).first().filter(|heard| named_key(&heard.segment).is_none_or(<[u8]>::is_empty));
    let unnamed = unnamed.map(|heard| heard.segment.tell());
    let without =
        us.data_of(id).iter().find(|heard| heard.segment.trailer.iter().all(|(tag, _)| *tag != AUTHENTICATION));
    let without = without.map(|heard| heard.segment.tell());
    us.complete(id)?;
    match (unnamed, without) {
        (None, None) => Ok(()),
        (Some(unnamed), _) => {
            Err(Finding::deviation("the LTP-auth header in the first segment", format!("none in {unnamed}")))
        }
        (_, Some(without)) => Err(Finding::deviation("an AuthVal in every segment", format!("none in {without}"))),
    }
}

fn first_segment_names_the_key_again(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.trigger(length)?;
    let first = us.data_of(id).first().and_then(|heard| heard.segment.range()).map_or(1, |range| range.end);
    let half = us.red_end(id).unwrap_or(0) / 2;
    let (_, known) = leave_gap(us, id, (0, first.min(half)))?;
    let again = us.retransmission(id, known)?;
    let unnamed = again.iter().find(|heard| {
        heard.segment.range().is_some_and(|range| range.start < first) && named_key(&heard.segment).is_none()
    });
    let unnamed = unnamed.map(|heard| heard.segment.tell());
    us.complete(id)?;
    match unnamed {
        None => Ok(()),
        Some(unnamed) => {
            let expected = "the LTP-auth header in the first data when they are sent again";
            Err(Finding::deviation(expected, format!("none in {unnamed}")))
        }
    }
}

fn authentication_values_are_right(us: &mut Peer<'_, '_>) -> Verdict {
    watch::traffic(us)?;
    let keys = [us.key()?.clone()];
    for (_, octets) in watch::datagrams(us.t.exchange()) {
        for segment in segments_with_octets(octets) {
            let Ok((segment, own)) = segment else { continue };
            if let Err(error) = segment.authenticate(own, &keys) {
                let actual = format!("{error} in a segment of type {}", segment.type_code());
                return Err(Finding::deviation("an AuthVal that the shared key makes", actual));
            }
        }
    }
    Ok(())
}

fn one_right_value_is_enough(us: &mut Peer<'_, '_>) -> Verdict {
    // The text does not say whether a value covers the values before it, so both ways are tried.
    let within = us.t_ack();
    let mut found = None;
    for covers in [false, true] {
        let (s, serial, mut segment) = whole(us);
        let wrong = random(us.t, AUTH_VALUE_LEN);
        let key = us.key()?.clone();
        let mut named = vec![key.suite().code()];
        named.extend_from_slice(key.key_id());
        segment.header.extend([(AUTHENTICATION, named.clone()), (AUTHENTICATION, named)]);
        segment.trailer.extend([(AUTHENTICATION, wrong.clone()), (AUTHENTICATION, vec![0; AUTH_VALUE_LEN])]);
        let mut octets = segment.emit();
        let value_at = octets.len() - AUTH_VALUE_LEN;
        let mut covered = octets[..value_at].to_vec();
        if !covers {
            let first_at = value_at - 2 - AUTH_VALUE_LEN;
            covered.drain(first_at..first_at + AUTH_VALUE_LEN);
        }
        octets[value_at..].copy_from_slice(&us.auth_value(&covered)?);
        us.octets(&octets)?;
        let until = us.now() + within;
        let rs =
            us.find(until, |heard| heard.report().filter(|rs| heard.session() == s.id && rs.checkpoint == serial))?;
        if let Some(rs) = rs {
            us.ack(s, rs.serial)?;
            found = Some(rs);
            break;
        }
    }
    match found {
        Some(_) => Ok(()),
        None => Err(Finding::silence("a report of a segment with one wrong and one right AuthVal", "no report")),
    }
}

fn wrong_value_has_no_effect(us: &mut Peer<'_, '_>) -> Verdict {
    let (s, _, segment) = whole(us);
    let mut octets = authenticated(us.key()?, &segment)?;
    if let Some(last) = octets.last_mut() {
        *last ^= 1;
    }
    let mark = us.mark();
    us.octets(&octets)?;
    us.sentinel()?;
    us.must_not(mark, "nothing in answer to a wrong AuthVal", |heard| heard.session() == s.id)
}

/// The cookies of a segment.
fn cookies(segment: &Raw) -> Vec<&[u8]> {
    segment.header.iter().filter(|(tag, _)| *tag == COOKIE).map(|(_, value)| value.as_slice()).collect()
}

/// Opens a session with a cookie by a first checkpoint. Returns the session, the checkpoint and the cookie that is good now.
fn with_cookie(us: &mut Peer<'_, '_>) -> Result<(Ours, u64, Vec<u8>), Finding> {
    let cookie = random(us.t, 8);
    let s = us.open(3000);
    let serial = us.serial();
    let mut segment = us.ds(s, code::CHECKPOINT, 0..500, Some((serial, 0)));
    segment.header.push((COOKIE, cookie.clone()));
    us.send(s.door, &segment)?;
    let good = cookie_of_report(us, s, serial, &cookie)?;
    Ok((s, serial, good))
}

/// The cookie of the report for a checkpoint, which it acknowledges. It begins with the one that is known.
fn cookie_of_report(us: &mut Peer<'_, '_>, s: Ours, serial: u64, known: &[u8]) -> Result<Vec<u8>, Finding> {
    let within = us.t_ack();
    let heard = us.expect(format!("a report for checkpoint {serial}"), within, |heard| {
        let wanted = heard.session() == s.id && heard.report().is_some_and(|rs| rs.checkpoint == serial);
        wanted.then(|| heard.clone())
    })?;
    let good = cookies(&heard.segment).into_iter().find(|cookie| cookie.starts_with(known)).map(<[u8]>::to_vec);
    let Some(good) = good else {
        let actual = format!("{:02x?} in {}", cookies(&heard.segment), heard.segment.tell());
        return Err(Finding::deviation(format!("a cookie that begins with {known:02x?}"), actual));
    };
    let report = heard.report().map_or(0, |rs| rs.serial);
    let mut ra = Raw::new(code::RA, s.id, Body::ReportAck(report));
    ra.header.push((COOKIE, good.clone()));
    us.send(s.door, &ra)?;
    Ok(good)
}

fn cookie_is_carried(us: &mut Peer<'_, '_>) -> Verdict {
    let (s, serial, good) = with_cookie(us)?;
    let mut segment = us.ds(s, code::CHECKPOINT, 500..1000, Some((serial + 1, 0)));
    segment.header.push((COOKIE, good.clone()));
    us.send(s.door, &segment)?;
    let good = cookie_of_report(us, s, serial + 1, &good)?;
    let mut cancel = Raw::new(code::CS, s.id, Body::Cancel(0));
    cancel.header.push((COOKIE, good.clone()));
    us.send(s.door, &cancel)?;
    let within = us.t_ack();
    let cas = us.expect("CAS", within, |heard| heard.is(code::CAS, s.id).then(|| heard.clone()))?;
    match cookies(&cas.segment).iter().any(|cookie| cookie.starts_with(&good)) {
        true => Ok(()),
        false => Err(Finding::deviation("the session's cookie in CAS", format!("{:02x?}", cookies(&cas.segment)))),
    }
}

fn wrong_cookie_is_dropped(us: &mut Peer<'_, '_>) -> Verdict {
    let (s, serial, good) = with_cookie(us)?;
    us.pause(us.t_ack())?;
    let mark = us.mark();
    let mut segment = us.ds(s, code::CHECKPOINT, 500..1000, Some((serial + 1, 0)));
    us.send(s.door, &segment)?;
    let mut wrong = good.clone();
    wrong[0] ^= 0x55;
    segment.header = vec![(COOKIE, wrong)];
    us.send(s.door, &segment)?;
    us.sentinel()?;
    us.must_not(mark, "nothing in answer to a segment without a good cookie", |heard| {
        heard.session() == s.id && heard.report().is_some_and(|rs| rs.checkpoint == serial + 1)
    })?;
    segment.header = vec![(COOKIE, good.clone())];
    us.send(s.door, &segment)?;
    let good = cookie_of_report(us, s, serial + 1, &good)?;
    let mut cancel = Raw::new(code::CS, s.id, Body::Cancel(0));
    cancel.header.push((COOKIE, good));
    us.send(s.door, &cancel)
}

fn two_cookies(us: &mut Peer<'_, '_>) -> Verdict {
    let length = us.several();
    let id = us.begin(length)?;
    let theirs = us.data_of(id).first().and_then(|heard| cookies(&heard.segment).first().map(|cookie| cookie.to_vec()));
    let Some(theirs) = theirs else {
        return Err(Finding::unsupported("the node puts no cookie in the sessions that it originates"));
    };
    let ours = random(us.t, 8);
    // As if it had left before the node's first segment came.
    let mut report = Raw::new(
        code::RS,
        id,
        Body::Report { serial: 0x1ffd, checkpoint: 0, upper: 500, lower: 0, claims: vec![(0, 500)] },
    );
    report.header.push((COOKIE, ours.clone()));
    us.send(Door::Ltp, &report)?;
    let within = us.t_ack();
    let ra = us.expect("RA to a report whose cookie has crossed the node's", within, |heard| {
        heard.is(code::RA, id).then(|| heard.clone())
    })?;
    let both = [&theirs, &ours].iter().all(|good| cookies(&ra.segment).iter().any(|cookie| cookie.starts_with(good)));
    us.whole_block(id)?;
    let (checkpoint, end) = (us.last_checkpoint(id)?, us.red_end(id).unwrap_or(0));
    let body = Body::Report { serial: 0x1ffe, checkpoint, upper: end, lower: 0, claims: vec![(0, end)] };
    let mut report = Raw::new(code::RS, id, body);
    report.header.extend([(COOKIE, theirs), (COOKIE, ours)]);
    us.send(Door::Ltp, &report)?;
    us.expect_ra(id, 0x1ffe)?;
    match both {
        true => Ok(()),
        false => {
            let actual = format!("{:02x?}", cookies(&ra.segment));
            Err(Finding::deviation("two cookies, one that begins with each side's", actual))
        }
    }
}
