//! How segments are written and read (RFC 5326 sections 2, 3.1, 5 and 6).

use rand::Rng;

use super::peer::{Ours, Peer, Rs, Verdict};
use super::watch;
use crate::case::Case;
use crate::catalogue::Grade;
use crate::medium::Door;
use crate::outcome::{Finding, Kind};
use crate::segment::{Body, Raw, code};

pub(super) const CASES: &[Case] = &[
    case!("LTP-2-01", ["format", "sdnv"], watch::traffic).watching(watch::numbers_end),
    case!("LTP-2-02", ["format", "sdnv"], numbers_of_several_octets),
    case!("LTP-2-03", ["format", "sdnv"], numbers_with_leading_zeros),
    case!("LTP-2-04", ["format", "sdnv"], long_numbers),
    case!("LTP-3.1-01", ["format"], watch::traffic).watching(watch::version_zero),
    case!("LTP-3.1-03", ["format", "sessions"], sessions_keep_their_names),
    case!("LTP-3.1-04", ["format", "sessions"], sessions_are_kept_apart),
    case!("LTP-3.1.1-01", ["format", "checkpoints"], every_checkpoint_type_is_one),
    case!("LTP-3.1.1-02", ["format", "checkpoints"], plain_red_data_asks_for_nothing),
    case!("LTP-3.1.2-01", ["format"], watch::traffic).watching(watch::defined_types),
    case!("LTP-3.1.2-02", ["format", "hostile"], undefined_types),
    case!("LTP-3.1.3-01", ["format", "reports"], end_of_red_part),
    case!("LTP-3.1.4-01", ["format", "extensions"], watch::traffic).watching(watch::no_extensions),
    case!("LTP-3.1.4-02", ["format", "extensions"], header_extension_is_skipped),
    case!("LTP-3.1.4-03", ["format", "extensions"], trailer_extension_is_no_data),
    case!("LTP-3.1.4-04", ["format", "extensions"], most_extensions),
    case!("LTP-3.1.4-05", ["format", "extensions"], extensions_around_nothing),
    case!("LTP-3.1.4-06", ["format", "extensions", "hostile"], extension_past_the_end),
    case!("LTP-3.1.4-07", ["format", "extensions", "hostile"], more_extensions_than_there_are),
    case!("LTP-5-01", ["format"], watch::traffic).watching(watch::whole_segments),
    case!("LTP-5-02", ["format"], several_segments_in_a_datagram),
    case!("LTP-6-01", ["format", "hostile"], other_versions),
    case!("LTP-6-02", ["format", "hostile"], cut_off_segments),
    case!("LTP-6-03", ["format", "hostile", "sdnv"], endless_numbers),
    case!("LTP-6-04", ["format", "hostile"], random_datagrams),
    case!("LTP-6-05", ["format", "service"], red_data_for_no_service),
    case!("LTP-6-06", ["format", "service"], green_data_for_no_service),
];

/// A report that claims exactly 0 to `end` in one claim.
fn whole(rs: &Rs, end: u64) -> Verdict {
    match rs.is_whole(end) {
        true => Ok(()),
        false => Err(Finding::deviation(format!("a report of 0..{end} that claims all of it"), rs.tell())),
    }
}

fn numbers_of_several_octets(us: &mut Peer<'_, '_>) -> Verdict {
    // Of one, two and three octets.
    for (least, most) in [(1, 0x7f), (0x80, 0x3fff), (0x4000, 0x1f_ffff)] {
        let mut attempts = 3;
        let rs = loop {
            let number = least + us.fresh_number() % (most - least + 1);
            let s = us.open_as(number, 300);
            us.checkpoint(s, code::EOB, 0..300, 0x1234)?;
            attempts -= 1;
            match us.reported(s, 0x1234) {
                // There are few short numbers, and the node may remember a session of an earlier run by this one.
                Err(finding) if finding.kind == Kind::Silence && attempts > 0 => {}
                outcome => break outcome?,
            }
        };
        whole(&rs, 300)?;
    }
    Ok(())
}

fn numbers_with_leading_zeros(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(100);
    let plain = us.ds(s, code::EOB, 0..100, Some((5, 0))).emit();
    // Offset, length, checkpoint and report serial number stand in one octet each before the data.
    let numbers = plain.len() - 104;
    let mut octets = plain[..numbers].to_vec();
    octets.extend([0x80, 0x00, 100, 0x80, 0x80, 0x05, 0x00]);
    octets.extend(&plain[numbers + 4..]);
    us.octets(&octets)?;
    let expected = "checkpoint serial number 5 and offset 0, read from encodings with leading zero groups";
    match us.reported(s, 5) {
        Ok(rs) => whole(&rs, 100),
        Err(finding) if finding.kind == Kind::Silence => {
            Err(Finding::remark(expected, "the segment is discarded, as RFC 5326 leaves open"))
        }
        Err(finding) => Err(finding),
    }
}

fn long_numbers(us: &mut Peer<'_, '_>) -> Verdict {
    let number = (1 << 63) - 1 - us.fresh_number() % (1 << 24);
    let serial = us.serial();
    let s = us.open_as(number, 100);
    us.checkpoint(s, code::EOB, 0..100, serial)?;
    let long = (1 << 40) + us.serial();
    let other = us.open(100);
    us.checkpoint(other, code::EOB, 0..100, long)?;
    us.pause(us.t_ack())?;
    let expected = "the numbers as they were sent, or silence";
    let stray = us.foreign().iter().filter_map(|heard| Some((heard, heard.report()?)));
    if let Some((heard, _)) = stray.into_iter().find(|(_, rs)| rs.checkpoint == serial || rs.checkpoint == long) {
        return Err(Finding::deviation(expected, heard.segment.tell()));
    }
    for (s, serial) in [(s, serial), (other, long)] {
        if let Some(rs) = us.find(us.now(), |heard| heard.report().filter(|_| heard.session() == s.id))? {
            us.ack(s, rs.serial)?;
            if rs.checkpoint != serial || !rs.is_whole(100) {
                return Err(Finding::deviation(expected, rs.tell()));
            }
        }
    }
    us.sentinel()
}

fn sessions_keep_their_names(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(100);
    let serial = us.serial();
    us.checkpoint(s, code::EOB, 0..100, serial)?;
    us.reported(s, serial)?;
    let id = us.trigger(500)?;
    if id.0 != us.node.engine {
        let expected = format!("originator {} in what the node originates", us.node.engine);
        return Err(Finding::deviation(expected, format!("originator {}", id.0)));
    }
    us.complete(id).map(drop)
}

fn sessions_are_kept_apart(us: &mut Peer<'_, '_>) -> Verdict {
    let first = us.open(2000);
    let second = us.open_as(first.id.1 + 1, 2000);
    two_at_once(us, first, second)?;
    let Some(engine) = us.node.second_tester.filter(|_| us.t.profile().offers("second-engine")) else {
        us.t.note("sessions that differ only in the originator were not tried: there is no second engine");
        return Ok(());
    };
    let first = us.open(2000);
    let second = us.open_for(engine, first.id.1, Door::SecondLtp, 2000);
    two_at_once(us, first, second)
}

fn two_at_once(us: &mut Peer<'_, '_>, first: Ours, second: Ours) -> Verdict {
    let (one, two) = (us.serial(), us.serial() + 0x4000);
    us.red(first, 0..1000)?;
    us.red(second, 0..1000)?;
    us.checkpoint(first, code::EOB, 1000..2000, one)?;
    us.checkpoint(second, code::EOB, 1000..2000, two)?;
    for (s, serial) in [(first, one), (second, two)] {
        let rs = us.reported(s, serial)?;
        whole(&rs, 2000)?;
    }
    if us.t.profile().offers("oracle") {
        for s in [first, second] {
            let payload = us.payload(s);
            let until = us.now() + us.t_ack();
            if !payload.is_empty() && !us.delivered(&payload, until)? {
                let actual = format!("the block of session ({}, {}) was not delivered", s.id.0, s.id.1);
                return Err(Finding::deviation("both blocks delivered intact", actual));
            }
        }
    }
    Ok(())
}

fn every_checkpoint_type_is_one(us: &mut Peer<'_, '_>) -> Verdict {
    for kind in [code::CHECKPOINT, code::EORP, code::EOB] {
        let s = us.open(500);
        let serial = us.serial();
        us.checkpoint(s, kind, 0..500, serial)?;
        let rs = us.reported(s, serial)?;
        whole(&rs, 500)?;
    }
    Ok(())
}

fn plain_red_data_asks_for_nothing(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(1000);
    let mark = us.mark();
    us.red(s, 0..500)?;
    us.pause(us.t_ack())?;
    us.must_not(mark, "no report that cites a checkpoint", |heard| {
        heard.session() == s.id && heard.report().is_some_and(|rs| rs.checkpoint != 0)
    })?;
    us.must_not(mark, "no asynchronous report but of 0..500", |heard| {
        heard.session() == s.id && heard.report().is_some_and(|rs| !rs.is_whole(500))
    })
}

fn undefined_types(us: &mut Peer<'_, '_>) -> Verdict {
    let mark = us.mark();
    for kind in [5, 6, 10, 11] {
        let empty = us.open(100);
        us.send(empty.door, &Raw::new(kind, empty.id, Body::Undefined(vec![0; 20])))?;
        let s = us.open(100);
        let serial = us.serial();
        let mut octets = us.ds(s, code::EOB, 0..100, Some((serial, 0))).emit();
        octets[0] = kind;
        us.octets(&octets)?;
        us.sentinel()?;
        let green = matches!(kind, 5 | 6);
        us.must_not(mark, format!("nothing in answer to type {kind}, or at most CR to types 5 and 6"), |heard| {
            [empty.id, s.id].contains(&heard.session()) && !(green && heard.code() == code::CR)
        })?;
    }
    Ok(())
}

fn end_of_red_part(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(2000);
    let serial = us.serial();
    us.checkpoint(s, code::EORP, 1000..1500, serial)?;
    let first = us.reported(s, serial)?;
    let expected = "a report up to 1500 that claims 1000..1500";
    if first.upper != 1500 || !first.claimed().covers(&(1000..1500)) || first.claimed().len() != 500 {
        return Err(Finding::deviation(expected, first.tell()));
    }
    us.checkpoint_for(s, code::CHECKPOINT, 0..1000, serial + 1, first.serial)?;
    let second = us.reported(s, serial + 1)?;
    let mut claimed = first.claimed();
    for range in second.claimed().within(0..u64::MAX) {
        claimed.insert(range);
    }
    match claimed.covers(&(0..1500)) && claimed.end() == 1500 {
        true => Ok(()),
        false => Err(Finding::deviation("reports that together claim 0..1500", second.tell())),
    }
}

/// Sends a whole block of 100 octets in a segment with these extensions.
fn extended(
    us: &mut Peer<'_, '_>,
    header: &[(u8, Vec<u8>)],
    trailer: &[(u8, Vec<u8>)],
) -> Result<(Ours, u64), Finding> {
    let s = us.open(100);
    let serial = us.serial();
    let mut segment = us.ds(s, code::EOB, 0..100, Some((serial, 0)));
    segment.header.extend_from_slice(header);
    segment.trailer.extend_from_slice(trailer);
    us.send(s.door, &segment)?;
    Ok((s, serial))
}

/// A right report, or silence at most as a warning. Anything else is a failure.
fn report_or_discarded(us: &mut Peer<'_, '_>, s: Ours, serial: u64, what: &str) -> Verdict {
    let expected = format!("a report of 0..100 for a segment with {what}");
    match us.reported(s, serial) {
        Ok(rs) if rs.is_whole(100) => Ok(()),
        Ok(rs) => Err(Finding::deviation(expected, rs.tell())),
        Err(finding) if finding.kind == Kind::Silence => {
            us.sentinel()?;
            Err(Finding::warning(expected, finding.actual))
        }
        Err(finding) => Err(finding),
    }
}

fn header_extension_is_skipped(us: &mut Peer<'_, '_>) -> Verdict {
    let (s, serial) = extended(us, &[(0xc0, vec![0xaa, 0xbb, 0xcc])], &[])?;
    report_or_discarded(us, s, serial, "a header extension of an unknown tag")
}

fn trailer_extension_is_no_data(us: &mut Peer<'_, '_>) -> Verdict {
    let (s, serial) = extended(us, &[], &[(0xc1, vec![0x11, 0x22])])?;
    report_or_discarded(us, s, serial, "a trailer extension of an unknown tag")?;
    let payload = us.payload(s);
    let until = us.now() + us.t_ack();
    if us.t.profile().offers("oracle") && !payload.is_empty() && !us.delivered(&payload, until)? {
        return Err(Finding::deviation("the 100 octets of the block delivered", "they were not"));
    }
    Ok(())
}

fn most_extensions(us: &mut Peer<'_, '_>) -> Verdict {
    let fifteen: Vec<(u8, Vec<u8>)> = (0..15).map(|length| (0xc0, vec![0x55; length])).collect();
    let (s, serial) = extended(us, &fifteen, &fifteen)?;
    match us.reported(s, serial) {
        Ok(rs) => whole(&rs, 100)?,
        Err(finding) if finding.kind == Kind::Silence => us.t.note("a segment with 30 extensions is discarded"),
        Err(finding) => return Err(finding),
    }
    us.sentinel()
}

fn extensions_around_nothing(us: &mut Peer<'_, '_>) -> Verdict {
    let s = provoke_unreachable(us)?;
    us.expect_cr(s, 1, us.t_ack())?;
    let mut car = Raw::new(code::CAR, s.id, Body::CancelAck);
    car.header.push((0xc0, vec![0]));
    car.trailer.push((0xc0, vec![0]));
    us.send(s.door, &car)?;
    // What the node has sent before it can have the acknowledgment is no answer to it.
    us.pause(us.t_ack())?;
    let mark = us.mark();
    us.pause(us.node.cancel_timer + us.node.cancel_timer)?;
    us.must_not(mark, "no CR after CAR with header and trailer extensions", |heard| heard.is(code::CR, s.id))
}

/// Sends red data for a client service that does not exist.
pub(super) fn provoke_unreachable(us: &mut Peer<'_, '_>) -> Result<Ours, Finding> {
    let s = us.open(100);
    let serial = us.serial();
    let mut segment = us.ds(s, code::EOB, 0..100, Some((serial, 0)));
    if let Body::Data { service, .. } = &mut segment.body {
        *service = us.node.unused_service;
    }
    us.send(s.door, &segment)?;
    Ok(s)
}

fn extension_past_the_end(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(100);
    let serial = us.serial();
    let whole = us.ds(s, code::EOB, 0..100, Some((serial, 0))).emit();
    let after_counts = Raw::new(code::CAR, s.id, Body::CancelAck).emit().len();
    let mut octets = whole[..after_counts].to_vec();
    octets[after_counts - 1] = 0x10;
    octets.extend([0xc0, 0xff, 0xff, 0xff, 0x7f]);
    octets.extend([0; 10]);
    let mark = us.mark();
    us.octets(&octets)?;
    us.sentinel()?;
    us.must_not(mark, "nothing in answer to a header extension longer than the datagram", |heard| {
        heard.session() == s.id
    })?;
    let s = us.open(100);
    let mut octets = us.ds(s, code::EOB, 0..100, Some((serial, 0))).emit();
    octets[after_counts_of(s) - 1] = 0x01;
    octets.extend([0xc0, 0xff, 0xff, 0xff, 0x7f]);
    octets.extend([0; 10]);
    let mark = us.mark();
    us.octets(&octets)?;
    us.sentinel()?;
    let expected = "nothing in answer to a trailer extension longer than the datagram";
    us.must_not(mark, expected, |heard| heard.session() == s.id).map_err(|finding| finding.at_most(Grade::Warn))
}

/// Octets of a header without extensions.
fn after_counts_of(s: Ours) -> usize {
    Raw::new(code::CAR, s.id, Body::CancelAck).emit().len()
}

fn more_extensions_than_there_are(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(100);
    let mut octets = Raw::new(code::EOB, s.id, Body::CancelAck).emit();
    *octets.last_mut().expect("a header has octets") = 0x30;
    octets.extend([0xc0, 0x01, 0x00]);
    let mark = us.mark();
    us.octets(&octets)?;
    us.sentinel()?;
    us.must_not(mark, "nothing in answer to a segment with fewer extensions than it counts", |heard| {
        heard.session() == s.id
    })?;
    let s = us.open(100);
    let serial = us.serial();
    let mut octets = us.ds(s, code::EOB, 0..100, Some((serial, 0))).emit();
    octets[after_counts_of(s) - 1] = 0x0f;
    us.octets(&octets)?;
    us.sentinel()
}

fn several_segments_in_a_datagram(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(1000);
    let serial = us.serial();
    let mut octets = us.ds(s, code::RED, 0..500, None).emit();
    octets.extend(us.ds(s, code::EOB, 500..1000, Some((serial, 0))).emit());
    us.octets(&octets)?;
    match us.reported(s, serial) {
        Ok(rs) => whole(&rs, 1000),
        Err(finding) => Err(finding.at_most(Grade::Inform)),
    }
}

fn other_versions(us: &mut Peer<'_, '_>) -> Verdict {
    let mark = us.mark();
    let mut sessions = Vec::new();
    for version in [1, 7, 15] {
        let s = us.open(100);
        let serial = us.serial();
        let mut segment = us.ds(s, code::EOB, 0..100, Some((serial, 0)));
        segment.version = version;
        us.octets(&segment.emit())?;
        sessions.push(s.id);
    }
    us.sentinel()?;
    us.must_not(mark, "no answer to a segment of another version than 0", |heard| sessions.contains(&heard.session()))
}

fn cut_off_segments(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(100);
    let serial = us.serial();
    let data = us.ds(s, code::EOB, 0..100, Some((serial, 0))).emit();
    let mark = us.mark();
    for end in 1..data.len() {
        us.octets(&data[..end])?;
        if end % 32 == 0 {
            us.sentinel()?;
        }
    }
    us.sentinel()?;
    // A cut of the session number may name another session, so that no report at all may come but that of the sentinel.
    let short = |heard: &super::peer::Heard| heard.report().is_some_and(|rs| rs.checkpoint == serial);
    us.must_not(mark, "no report for a data segment that is cut off", |heard| heard.session() == s.id || short(heard))?;
    if let Some(heard) = us.foreign().iter().find(|heard| short(heard)) {
        return Err(Finding::deviation("no report for a data segment that is cut off", heard.segment.tell()));
    }
    cut_off_reports(us)?;
    for (kind, body) in [(code::RA, Body::ReportAck(serial)), (code::CAS, Body::CancelAck)] {
        let s = us.open(100);
        let octets = Raw::new(kind, s.id, body).emit();
        for end in 1..octets.len() {
            us.octets(&octets[..end])?;
        }
    }
    us.sentinel()?;
    // Cancel segments: what is cut off just before the reason may be acknowledged by a lenient node.
    let s = us.open(100);
    let mark = us.mark();
    for kind in [code::CS, code::CR] {
        let octets = Raw::new(kind, s.id, Body::Cancel(0)).emit();
        for end in 1..octets.len() {
            us.octets(&octets[..end])?;
        }
    }
    us.sentinel()?;
    let expected = "no acknowledgment of a cancel segment that is cut off";
    let answers = |heard: &super::peer::Heard| heard.session() == s.id;
    us.must_not(mark, expected, answers).map_err(|finding| finding.at_most(Grade::Warn))
}

/// Every strict prefix of a report on a live session of the node, where it can be made to open one.
fn cut_off_reports(us: &mut Peer<'_, '_>) -> Verdict {
    let id = match us.trigger(500) {
        Ok(id) => id,
        Err(finding) if finding.kind == Kind::Unsupported => return Ok(()),
        Err(finding) => return Err(finding),
    };
    let (checkpoint, end) = (us.last_checkpoint(id)?, us.block_end(id).unwrap_or(0));
    let body = Body::Report { serial: 0x2fff, checkpoint, upper: end, lower: 0, claims: vec![(0, end)] };
    let report = Raw::new(code::RS, id, body).emit();
    let mark = us.mark();
    for cut in 1..report.len() {
        us.octets(&report[..cut])?;
    }
    us.sentinel()?;
    us.must_not(mark, "no acknowledgment of a report that is cut off", |heard| heard.is(code::RA, id))?;
    us.complete(id).map(drop)
}

fn endless_numbers(us: &mut Peer<'_, '_>) -> Verdict {
    let mark = us.mark();
    let mut endless = vec![0x03];
    endless.extend([0xff; 1400]);
    us.octets(&endless)?;
    let mut endless = vec![0x03, 0x81];
    endless.extend([0x80; 20]);
    us.octets(&endless)?;
    us.sentinel()?;
    // Whatever an engine reads in them, it is none of the engines of the bench.
    let node = us.node;
    us.must_not(mark, "no answer to a number that does not end", |heard| {
        let originator = heard.segment.originator;
        ![node.engine, node.tester].contains(&originator) && Some(originator) != node.second_tester
    })
}

fn random_datagrams(us: &mut Peer<'_, '_>) -> Verdict {
    us.octets(&[])?;
    for count in 0..200 {
        let length = 1 + us.t.rng.next_u32() as usize % 1400;
        let mut octets = vec![0; length];
        us.t.rng.fill_bytes(&mut octets);
        us.octets(&octets)?;
        // Real nodes lose what comes faster than they read.
        if count % 20 == 19 {
            us.sentinel()?;
        }
    }
    Ok(())
}

fn red_data_for_no_service(us: &mut Peer<'_, '_>) -> Verdict {
    let mark = us.mark();
    let s = provoke_unreachable(us)?;
    us.expect_cr(s, 1, us.t_ack())?;
    us.car(s)?;
    us.must_not(mark, "no report of data for a client service that does not exist", |heard| heard.is(code::RS, s.id))
}

fn green_data_for_no_service(us: &mut Peer<'_, '_>) -> Verdict {
    let s = us.open(100);
    let mut segment = us.ds(s, code::GREEN_EOB, 0..100, None);
    if let Body::Data { service, .. } = &mut segment.body {
        *service = us.node.unused_service;
    }
    us.send(s.door, &segment)?;
    us.expect_cr(s, 1, us.t_ack())?;
    us.car(s)
}
