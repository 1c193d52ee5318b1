//! What is asked of everything that a node sends.

use farlink_units::Instant;

use super::peer::{Peer, Verdict};
use crate::exchange::Exchange;
use crate::medium::Door;
use crate::outcome::{Finding, Kind};
use crate::profile::Profile;
use crate::segment::{Body, Raw, code, is_keep_alive, segments};

/// The datagrams of the node with LTP segments, in both doors.
pub(super) fn datagrams(exchange: &Exchange) -> impl Iterator<Item = (Instant, &[u8])> {
    let both = exchange.datagrams(Door::Ltp).chain(exchange.datagrams(Door::SecondLtp));
    both.filter(|(_, octets)| !is_keep_alive(octets))
}

/// The segments of the node that can be read.
pub(super) fn each(exchange: &Exchange) -> impl Iterator<Item = Raw> {
    datagrams(exchange).flat_map(|(_, octets)| segments(octets)).flatten()
}

fn all(exchange: &Exchange, expected: &str, right: impl Fn(&Raw) -> bool) -> Verdict {
    match each(exchange).find(|segment| !right(segment)) {
        Some(wrong) => Err(Finding::deviation(expected, wrong.tell())),
        None => Ok(()),
    }
}

pub(super) fn numbers_end(exchange: &Exchange, _: &Profile) -> Verdict {
    for (_, octets) in datagrams(exchange) {
        for segment in segments(octets) {
            segment.map_err(|why| Finding::deviation("segments whose every field ends inside the datagram", why))?;
        }
    }
    Ok(())
}

pub(super) fn whole_segments(exchange: &Exchange, _: &Profile) -> Verdict {
    for (_, octets) in datagrams(exchange) {
        if octets.is_empty() {
            return Err(Finding::deviation("one or more whole segments in each datagram", "an empty datagram"));
        }
        for segment in segments(octets) {
            segment.map_err(|why| Finding::deviation("only whole segments in each datagram", why))?;
        }
    }
    Ok(())
}

pub(super) fn version_zero(exchange: &Exchange, _: &Profile) -> Verdict {
    match datagrams(exchange).find(|(_, octets)| octets.first().is_some_and(|first| first >> 4 != 0)) {
        Some((_, octets)) => {
            let actual = format!("a segment that begins with {:#04x}", octets[0]);
            Err(Finding::deviation("version 0 in every segment", actual))
        }
        None => Ok(()),
    }
}

pub(super) fn defined_types(exchange: &Exchange, _: &Profile) -> Verdict {
    all(exchange, "only the types 0 to 4, 7 to 9 and 12 to 15", |segment| !matches!(segment.body, Body::Undefined(_)))
}

pub(super) fn no_extensions(exchange: &Exchange, profile: &Profile) -> Verdict {
    let extended = profile.offers("ltp-cookie") || profile.ltp.as_ref().is_some_and(|ltp| ltp.authentication.is_some());
    if extended {
        return Ok(());
    }
    let plain = |segment: &Raw| segment.header.is_empty() && segment.trailer.is_empty();
    match each(exchange).find(|segment| !plain(segment)) {
        Some(segment) => {
            let (header, trailer) = (segment.header.len(), segment.trailer.len());
            let actual = format!("{header} header and {trailer} trailer extensions in {}", segment.tell());
            Err(Finding::deviation("the extensions octet 0x00 where no extension is configured", actual))
        }
        None => Ok(()),
    }
}

pub(super) fn checkpoints_not_zero(exchange: &Exchange, _: &Profile) -> Verdict {
    all(exchange, "a checkpoint serial number above 0", |segment| segment.checkpoint().is_none_or(|(cp, _)| cp > 0))
}

pub(super) fn reports_not_zero(exchange: &Exchange, _: &Profile) -> Verdict {
    all(exchange, "a report serial number above 0", |segment| !matches!(segment.body, Body::Report { serial: 0, .. }))
}

pub(super) fn reports_have_claims(exchange: &Exchange, _: &Profile) -> Verdict {
    let all: Vec<Raw> = each(exchange).filter(|segment| segment.code == code::RS).collect();
    for segment in &all {
        let Body::Report { claims, checkpoint, lower, upper, .. } = &segment.body else { continue };
        if !claims.is_empty() {
            continue;
        }
        let part_of_another = |other: &Raw| match &other.body {
            Body::Report { checkpoint: cited, lower: from, upper: to, .. } => {
                other.session() == segment.session() && cited == checkpoint && (from, to) != (lower, upper)
            }
            _ => false,
        };
        let expected = "at least one claim in every report segment";
        // A part of a report in several segments may have a scope in which nothing came.
        return Err(match all.iter().any(part_of_another) {
            true => Finding::remark(expected, segment.tell()),
            false => Finding::deviation(expected, segment.tell()),
        });
    }
    for (_, octets) in datagrams(exchange).filter(|(_, octets)| octets.first().is_some_and(|o| o & 0x0f == code::RS)) {
        for segment in segments(octets) {
            segment.map_err(|why| Finding::deviation("as many claims as the claim count says, and no more", why))?;
        }
    }
    Ok(())
}

pub(super) fn claims_within_scope(exchange: &Exchange, _: &Profile) -> Verdict {
    all(exchange, "claims of 1 octet up to the report's scope", |segment| match &segment.body {
        Body::Report { upper, lower, claims, .. } => {
            let scope = upper.saturating_sub(*lower);
            claims.iter().all(|(_, length)| *length >= 1 && *length <= scope)
        }
        _ => true,
    })
}

pub(super) fn claims_in_order(exchange: &Exchange, _: &Profile) -> Verdict {
    all(exchange, "each claim beyond the end of the one before", |segment| match &segment.body {
        Body::Report { claims, .. } => claims.windows(2).all(|two| two[1].0 > two[0].0.saturating_add(two[0].1)),
        _ => true,
    })
}

pub(super) fn claims_below_upper(exchange: &Exchange, _: &Profile) -> Verdict {
    all(exchange, "no claim beyond the upper bound", |segment| match &segment.body {
        Body::Report { upper, lower, claims, .. } => {
            claims.iter().all(|(offset, length)| lower.saturating_add(*offset).saturating_add(*length) <= *upper)
        }
        _ => true,
    })
}

pub(super) fn scope_not_empty(exchange: &Exchange, _: &Profile) -> Verdict {
    all(exchange, "a lower bound below the upper bound in every report", |segment| match &segment.body {
        Body::Report { upper, lower, .. } => lower < upper,
        _ => true,
    })
}

pub(super) fn reasons_assigned(exchange: &Exchange, _: &Profile) -> Verdict {
    all(exchange, "a reason of 0x00 to 0x05", |segment| !matches!(segment.body, Body::Cancel(6..)))?;
    for (_, octets) in datagrams(exchange) {
        let acknowledges = octets.first().is_some_and(|o| matches!(o & 0x0f, code::CAS | code::CAR));
        let parts = segments(octets);
        if acknowledges && (parts.len() != 1 || parts[0].is_err()) {
            let wrong = parts.iter().skip(1).find_map(|part| part.as_ref().err());
            if let Some(why) = wrong {
                let actual = format!("octets behind it: {why}");
                return Err(Finding::deviation("no content in an acknowledgment of a cancellation", actual));
            }
        }
    }
    Ok(())
}

pub(super) fn one_segment(exchange: &Exchange, _: &Profile) -> Verdict {
    match datagrams(exchange).map(|(_, octets)| segments(octets).len()).find(|count| *count > 1) {
        Some(count) => Err(Finding::deviation("exactly one segment in each datagram", format!("{count} segments"))),
        None => Ok(()),
    }
}

/// Room for an LTP segment in a datagram that needs no IP fragments on Ethernet.
pub(super) const LONGEST_PAYLOAD: usize = 1500 - 28;

pub(super) fn unfragmented(exchange: &Exchange, _: &Profile) -> Verdict {
    match datagrams(exchange).map(|(_, octets)| octets.len()).find(|length| *length > LONGEST_PAYLOAD) {
        Some(length) => {
            let expected = format!("at most {LONGEST_PAYLOAD} octets in a datagram, which is MTU - 28");
            Err(Finding::deviation(expected, format!("{length} octets")))
        }
        None => Ok(()),
    }
}

/// Has the node send a segment of nearly every type.
pub(super) fn traffic(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(300);
    let serial = us.serial();
    us.red(s, 0..100)?;
    us.checkpoint(s, code::EOB, 200..300, serial)?;
    let rs = us.reported(s, serial)?;
    us.checkpoint_for(s, code::CHECKPOINT, 100..200, serial + 1, rs.serial)?;
    us.reported(s, serial + 1)?;
    let cancelled = us.open(300);
    us.red(cancelled, 0..100)?;
    us.cancel(cancelled, 0)?;
    us.expect_cas(cancelled)?;
    let unknown = us.open(100);
    let mut segment = us.ds(unknown, code::EOB, 0..100, Some((serial, 0)));
    if let Body::Data { service, .. } = &mut segment.body {
        *service = us.node.unused_service;
    }
    us.send(unknown.door, &segment)?;
    us.expect_cr(unknown, 1, us.t_ack())?;
    us.car(unknown)?;
    let length = us.several();
    match us.trigger(length) {
        Ok(id) => us.complete(id).map(drop),
        // A node that only receives is judged by what it answers.
        Err(finding) if finding.kind == Kind::Unsupported => Ok(()),
        Err(finding) => Err(finding),
    }
}
