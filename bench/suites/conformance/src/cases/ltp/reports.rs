//! What the node reports of a block that it receives (RFC 5326 sections 3.2.2 and 6.11).

use farlink_engine::ranges::RangeSet;
use rand::seq::SliceRandom;

use super::peer::{Peer, Rs, Verdict};
use super::watch;
use crate::case::Case;
use crate::outcome::Finding;
use crate::segment::code;

pub(super) const CASES: &[Case] = &[
    case!("LTP-3.2.2-01", ["receiver", "reports"], first_report_is_random),
    case!("LTP-3.2.2-02", ["receiver", "reports"], reports_count_up),
    case!("LTP-3.2.2-03", ["receiver", "reports", "timers"], repeated_report_is_the_same),
    case!("LTP-3.2.2-04", ["receiver", "reports"], watch::traffic).watching(watch::reports_not_zero),
    case!("LTP-3.2.2-05", ["receiver", "reports"], reports_name_their_checkpoint),
    case!("LTP-3.2.2-06", ["receiver", "reports"], report_with_a_gap).watching(watch::claims_within_scope),
    case!("LTP-3.2.2-07", ["receiver", "reports"], claims_in_order).watching(watch::claims_in_order),
    case!("LTP-3.2.2-08", ["receiver", "reports"], claims_below_the_upper_bound).watching(watch::claims_below_upper),
    case!("LTP-3.2.2-09", ["receiver", "reports"], claims_count_from_the_lower_bound),
    case!("LTP-3.2.2-10", ["receiver", "reports"], watch::traffic).watching(watch::reports_have_claims),
    case!("LTP-3.2.2-11", ["receiver", "reports"], claims_are_what_came),
    case!("LTP-6.11-01", ["receiver", "reports"], checkpoint_is_answered),
    case!("LTP-6.11-02", ["receiver", "reports"], discretionary_checkpoints_are_answered),
    case!("LTP-6.11-03", ["receiver", "reports"], secondary_report),
    case!("LTP-6.11-04", ["receiver", "reports"], upper_bound),
    case!("LTP-6.11-05", ["receiver", "reports"], lower_bound_of_a_secondary_report),
    case!("LTP-6.11-06", ["receiver", "reports"], first_report_starts_at_zero),
    case!("LTP-6.11-07", ["receiver", "reports"], lower_bound_of_a_later_report),
    case!("LTP-6.11-08", ["receiver", "reports"], upper_bound_of_an_asynchronous_report),
    case!("LTP-6.11-09", ["receiver", "reports"], first_asynchronous_report),
    case!("LTP-6.11-10", ["receiver", "reports"], later_asynchronous_report),
    case!("LTP-6.11-11", ["receiver", "reports"], no_report_without_scope).watching(watch::scope_not_empty),
    case!("LTP-6.11-12", ["receiver", "reports"], split_report),
];

/// Whether these numbers can have been drawn at random: neither all the same, nor counted, nor all small.
pub(super) fn looks_random(what: &str, values: &[u64]) -> Verdict {
    let steps: Vec<i128> = values.windows(2).map(|two| i128::from(two[1]) - i128::from(two[0])).collect();
    let why = if values.windows(2).all(|two| two[0] == two[1]) {
        "all the same"
    } else if steps.windows(2).all(|two| two[0] == two[1]) {
        "counted"
    } else if values.iter().all(|value| (1..=20).contains(value)) {
        "all among 1..20"
    } else {
        return Ok(());
    };
    Err(Finding::deviation(format!("random {what}"), format!("{why}: {values:?}")))
}

/// A report claims exactly what was sent within its scope.
pub(super) fn truthful(rs: &Rs, sent: &RangeSet) -> Verdict {
    let claimed = rs.claimed();
    let expected: Vec<_> = sent.within(rs.lower..rs.upper).collect();
    match claimed.within(0..u64::MAX).eq(expected.iter().cloned()) {
        true => Ok(()),
        false => Err(Finding::deviation(format!("claims of exactly {expected:?}"), rs.tell())),
    }
}

pub(super) fn ranges<const N: usize>(all: [(u64, u64); N]) -> RangeSet {
    let mut set = RangeSet::new();
    for (offset, length) in all {
        set.insert(offset..offset + length);
    }
    set
}

fn first_report_is_random(us: &mut Peer<'_, '_>) -> Verdict {
    let mut serials = Vec::new();
    for _ in 0..20 {
        let s = us.open(100);
        let serial = us.serial();
        us.checkpoint(s, code::EOB, 0..100, serial)?;
        serials.push(us.reported(s, serial)?.serial);
    }
    looks_random("first report serial numbers", &serials)
}

fn reports_count_up(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(3000);
    let serial = us.serial();
    let mark = us.mark();
    for (place, offset) in [0, 1000, 2000].into_iter().enumerate() {
        let serial = serial + place as u64;
        us.checkpoint(s, code::CHECKPOINT, offset..offset + 500, serial)?;
        us.whole_report(s, serial, offset + 500)?;
    }
    let mut issued: Vec<u64> = Vec::new();
    for rs in us.since(mark).iter().filter(|heard| heard.session() == s.id).filter_map(|heard| heard.report()) {
        if !issued.contains(&rs.serial) {
            issued.push(rs.serial);
        }
    }
    match issued.windows(2).all(|two| two[1] == two[0].wrapping_add(1)) {
        true => Ok(()),
        false => Err(Finding::deviation("report serial numbers that count up by 1", format!("{issued:?}"))),
    }
}

/// The next report segment of a session, whatever it cites.
pub(super) fn next_report(
    us: &mut Peer<'_, '_>,
    s: super::peer::Ours,
    what: &str,
    within: farlink_units::Duration,
) -> Result<Rs, Finding> {
    us.expect(what, within, |heard| heard.report().filter(|_| heard.session() == s.id))
}

fn repeated_report_is_the_same(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(100);
    let serial = us.serial();
    us.checkpoint(s, code::EOB, 0..100, serial)?;
    let first = us.report(s, serial)?;
    let within = us.node.report_timer + us.slack();
    let second = next_report(us, s, "the report again, as it is not acknowledged", within)?;
    match second.same(&first) {
        true => Ok(()),
        false => Err(Finding::deviation(format!("{} again", first.tell()), second.tell())),
    }
}

fn reports_name_their_checkpoint(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(1000);
    let serial = us.serial();
    let mark = us.mark();
    us.checkpoint(s, code::CHECKPOINT, 0..500, serial)?;
    us.reported(s, serial)?;
    us.checkpoint(s, code::EOB, 500..1000, serial + 1)?;
    us.reported(s, serial + 1)?;
    us.must_not(mark, "reports that cite a checkpoint that was sent, or 0", |heard| {
        let sent = [0, serial, serial + 1];
        heard.session() == s.id && heard.report().is_some_and(|rs| !sent.contains(&rs.checkpoint))
    })
}

fn report_with_a_gap(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(1500);
    let serial = us.serial();
    us.red(s, 0..500)?;
    us.checkpoint(s, code::EOB, 1000..1500, serial)?;
    for rs in us.whole_report(s, serial, 1500)? {
        truthful(&rs, &ranges([(0, 500), (1000, 500)]))?;
    }
    Ok(())
}

fn claims_in_order(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(1800);
    let serial = us.serial();
    for offset in [900, 0, 300] {
        us.red(s, offset..offset + 300)?;
    }
    us.checkpoint(s, code::EOB, 1500..1800, serial)?;
    let all = us.whole_report(s, serial, 1800)?;
    let claims: Vec<(u64, u64)> =
        all.iter().flat_map(|rs| rs.claims.iter().map(|(offset, length)| (rs.lower + offset, *length))).collect();
    match claims == [(0, 600), (900, 300), (1500, 300)] {
        true => Ok(()),
        false => Err(Finding::deviation("the claims (0,600), (900,300) and (1500,300)", format!("{claims:?}"))),
    }
}

fn claims_below_the_upper_bound(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(4000);
    let serial = us.serial();
    for offset in [900, 0, 300] {
        us.red(s, offset..offset + 300)?;
    }
    us.checkpoint(s, code::CHECKPOINT, 1500..1800, serial)?;
    us.whole_report(s, serial, 1800)?;
    us.checkpoint(s, code::CHECKPOINT, 3000..3500, serial + 1)?;
    us.whole_report(s, serial + 1, 3500).map(drop)
}

fn claims_count_from_the_lower_bound(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(3000);
    let serial = us.serial();
    us.checkpoint(s, code::CHECKPOINT, 0..1000, serial)?;
    us.reported(s, serial)?;
    us.checkpoint(s, code::CHECKPOINT, 2000..3000, serial + 1)?;
    for rs in us.whole_report(s, serial + 1, 3000)? {
        truthful(&rs, &ranges([(0, 1000), (2000, 1000)]))?;
    }
    Ok(())
}

fn claims_are_what_came(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(10_000);
    let serial = us.serial();
    let mut offsets: Vec<u64> = (0..99).map(|place| place * 100).collect();
    offsets.shuffle(&mut us.t.rng);
    let mut sent = ranges([(9900, 100)]);
    for offset in offsets.into_iter().take(60) {
        us.red(s, offset..offset + 100)?;
        sent.insert(offset..offset + 100);
    }
    // What is still on its way when the checkpoint arrives would count as missing.
    us.pause(us.round_trip())?;
    us.checkpoint(s, code::EOB, 9900..10_000, serial)?;
    for rs in us.whole_report(s, serial, 10_000)? {
        truthful(&rs, &sent)?;
    }
    Ok(())
}

fn checkpoint_is_answered(us: &mut Peer<'_, '_>) -> Verdict {
    for length in [1, 100, 1200] {
        let s = us.open(length);
        let (serial, end) = (us.serial(), length as u64);
        us.checkpoint(s, code::EOB, 0..end, serial)?;
        let rs = us.reported(s, serial)?;
        if !rs.is_whole(end) {
            return Err(Finding::deviation(format!("a report of all {end} octets"), rs.tell()));
        }
    }
    Ok(())
}

fn discretionary_checkpoints_are_answered(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(1500);
    let serial = us.serial();
    let kinds = [(code::CHECKPOINT, 0), (code::CHECKPOINT, 500), (code::EOB, 1000)];
    for (place, (kind, offset)) in kinds.into_iter().enumerate() {
        us.checkpoint(s, kind, offset..offset + 500, serial + place as u64)?;
        us.reported(s, serial + place as u64)?;
    }
    Ok(())
}

fn secondary_report(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(1500);
    let serial = us.serial();
    us.red(s, 0..500)?;
    us.checkpoint(s, code::EOB, 1000..1500, serial)?;
    let first = us.whole_report(s, serial, 1500)?;
    let last = first.last().map_or(0, |rs| rs.serial);
    us.checkpoint_for(s, code::CHECKPOINT, 500..1000, serial + 1, last)?;
    let second = us.reported(s, serial + 1)?;
    let mut claimed = second.claimed();
    for range in first.iter().flat_map(|rs| rs.claimed().within(0..u64::MAX).collect::<Vec<_>>()) {
        claimed.insert(range);
    }
    match claimed.covers(&(0..1500)) {
        true => Ok(()),
        false => Err(Finding::deviation("reports that together claim 0..1500", second.tell())),
    }
}

fn upper_bound(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(3000);
    let serial = us.serial();
    us.red(s, 2000..2500)?;
    us.checkpoint(s, code::CHECKPOINT, 0..500, serial)?;
    let rs = us.reported(s, serial)?;
    match rs.upper {
        500 | 2500 => Ok(()),
        _ => Err(Finding::deviation("the upper bound 500, or 2500", rs.tell())),
    }
}

fn lower_bound_of_a_secondary_report(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(3000);
    let serial = us.serial();
    us.checkpoint(s, code::CHECKPOINT, 0..1000, serial)?;
    us.reported(s, serial)?;
    us.checkpoint(s, code::CHECKPOINT, 1500..2000, serial + 1)?;
    let second = us.reported(s, serial + 1)?;
    us.checkpoint_for(s, code::CHECKPOINT, 1000..1500, serial + 2, second.serial)?;
    let third = us.reported(s, serial + 2)?;
    match third.lower == second.lower || third.lower == 0 {
        true => Ok(()),
        false => Err(Finding::deviation(format!("the lower bound {} or 0", second.lower), third.tell())),
    }
}

fn first_report_starts_at_zero(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(2000);
    let serial = us.serial();
    us.checkpoint(s, code::CHECKPOINT, 1000..1500, serial)?;
    let rs = us.reported(s, serial)?;
    match rs.lower == 0 && rs.claims == [(1000, 500)] {
        true => Ok(()),
        false => Err(Finding::deviation("the lower bound 0 and the claim (1000,500)", rs.tell())),
    }
}

fn lower_bound_of_a_later_report(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(3000);
    let serial = us.serial();
    us.checkpoint(s, code::CHECKPOINT, 0..1000, serial)?;
    us.reported(s, serial)?;
    us.checkpoint(s, code::CHECKPOINT, 1000..2000, serial + 1)?;
    let rs = us.reported(s, serial + 1)?;
    match rs.lower {
        0 | 1000 => Ok(()),
        _ => Err(Finding::deviation("the lower bound 1000 or 0", rs.tell())),
    }
}

/// Asynchronous reports of a session that come within `T_ack`.
fn asynchronous(us: &mut Peer<'_, '_>, s: super::peer::Ours) -> Result<Vec<Rs>, Finding> {
    let mark = us.mark();
    us.pause(us.t_ack())?;
    let all: Vec<Rs> = us
        .since(mark)
        .iter()
        .filter(|heard| heard.session() == s.id)
        .filter_map(|heard| heard.report())
        .filter(|rs| rs.checkpoint == 0)
        .collect();
    if all.is_empty() {
        us.t.note("the node sends no asynchronous report here");
    }
    Ok(all)
}

fn upper_bound_of_an_asynchronous_report(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(1500);
    let serial = us.serial();
    us.checkpoint(s, code::EOB, 1000..1500, serial)?;
    us.reported(s, serial)?;
    us.red(s, 0..1000)?;
    for rs in asynchronous(us, s)? {
        if rs.upper != 1500 {
            return Err(Finding::deviation("an asynchronous report up to 1500", rs.tell()));
        }
    }
    Ok(())
}

fn first_asynchronous_report(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(2000);
    us.red(s, 1000..1500)?;
    match asynchronous(us, s)?.first() {
        Some(rs) if rs.lower != 0 => Err(Finding::deviation("the lower bound 0", rs.tell())),
        _ => Ok(()),
    }
}

fn later_asynchronous_report(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(2000);
    let serial = us.serial();
    us.checkpoint(s, code::CHECKPOINT, 0..500, serial)?;
    us.reported(s, serial)?;
    us.checkpoint(s, code::EOB, 1500..2000, serial + 1)?;
    us.reported(s, serial + 1)?;
    us.red(s, 500..1500)?;
    for rs in asynchronous(us, s)? {
        if rs.lower != 0 && rs.lower != 500 && rs.lower != 2000 {
            let expected = "the lower bound 0, or the upper bound of a primary report before";
            return Err(Finding::deviation(expected, rs.tell()));
        }
    }
    Ok(())
}

fn no_report_without_scope(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(2000);
    let serial = us.serial();
    us.checkpoint(s, code::CHECKPOINT, 1000..2000, serial)?;
    us.reported(s, serial)?;
    us.checkpoint(s, code::CHECKPOINT, 0..1000, serial + 1)?;
    let until = us.now() + us.t_ack();
    let report =
        us.find(until, |heard| heard.report().filter(|rs| heard.session() == s.id && rs.checkpoint == serial + 1))?;
    match report {
        Some(rs) if rs.lower >= rs.upper => {
            Err(Finding::deviation("no report, or one whose lower bound is below its upper bound", rs.tell()))
        }
        _ => Ok(()),
    }
}

/// Sends 600 separate pieces and a checkpoint behind them. Returns the session, the checkpoint, and what was sent.
pub(super) fn many_gaps(us: &mut Peer<'_, '_>) -> Result<(super::peer::Ours, u64, RangeSet), Finding> {
    let s = us.open(12_010);
    let serial = us.serial();
    let mut sent = RangeSet::new();
    for place in 0..600 {
        us.red(s, place * 20..place * 20 + 10)?;
        sent.insert(place * 20..place * 20 + 10);
        if place % 50 == 49 {
            // A real node reads no faster than this for certain.
            us.pause(farlink_units::Duration::from_millis(5))?;
        }
    }
    us.pause(us.round_trip())?;
    us.checkpoint(s, code::EOB, 12_000..12_010, serial)?;
    sent.insert(12_000..12_010);
    Ok((s, serial, sent))
}

fn split_report(us: &mut Peer<'_, '_>) -> Verdict {
    let (s, serial, sent) = many_gaps(us)?;
    let mut all = us.whole_report(s, serial, 12_010)?;
    all.sort_by_key(|rs| rs.lower);
    let bounds: Vec<(u64, u64)> = all.iter().map(|rs| (rs.lower, rs.upper)).collect();
    if bounds.first().is_none_or(|first| first.0 != 0) || bounds.last().is_none_or(|last| last.1 != 12_010) {
        return Err(Finding::deviation("report segments from 0 up to 12010", format!("scopes {bounds:?}")));
    }
    for rs in &all {
        truthful(rs, &sent)?;
    }
    match bounds.windows(2).all(|two| two[1].0 <= two[0].1) {
        true => Ok(()),
        false => Err(Finding::warning("report segments whose scopes leave no hole", format!("scopes {bounds:?}"))),
    }
}
