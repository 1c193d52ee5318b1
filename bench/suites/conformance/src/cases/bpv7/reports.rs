//! Status reports (§5, §6).

use farlink_wire::bpv7::Eid;

use super::flags::{no_report, some_report};
use super::{every_own, own_traffic};
use crate::bundle::{Block, Crc, Draft, Emitted, Report, Width, block_flags, eid, flags, reason, rules};
use crate::case::{Case, Suite};
use crate::outcome::Finding;
use crate::peer::{Came, Peer, Sent, What, holds, is_of_node, is_own};
use crate::tester::Tester;

pub const CASES: &[Case] = &[
    Case::new("BP7-4.3.1-12", Suite::Bpv7, &["reports"], other_report_to),
    Case::new("BP7-5.1-01", Suite::Bpv7, &["reports"], off_by_default),
    Case::new("BP7-5.4-05", Suite::Bpv7, &["reports", "forwarder"], forwarding),
    Case::new("BP7-5.6-01", Suite::Bpv7, &["reports"], reception),
    Case::new("BP7-5.6-03", Suite::Bpv7, &["reports", "crc"], damage),
    Case::new("BP7-5.9-05", Suite::Bpv7, &["reports", "fragments"], of_a_fragment),
    Case::new("BP7-5.10-01", Suite::Bpv7, &["reports"], deletion),
    Case::new("BP7-5.12-01", Suite::Bpv7, &["reports", "source"], cancelled),
    Case::new("BP7-6.1-01", Suite::Bpv7, &["reports"], record_form).watching(|exchange, profile| {
        every_own(exchange, profile, |bundle| match bundle.is_record() {
            true => readable(bundle),
            false => Ok(()),
        })
    }),
    Case::new("BP7-6.1.1-01", Suite::Bpv7, &["reports", "fragments"], four_or_six),
    Case::new("BP7-6.1.1-02", Suite::Bpv7, &["reports"], events),
    Case::new("BP7-6.1.1-03", Suite::Bpv7, &["reports", "time"], status_times),
    Case::new("BP7-6.1.1-04", Suite::Bpv7, &["reports"], own_traffic).watching(|exchange, profile| {
        every_own(exchange, profile, |bundle| match bundle.is_record().then(|| Report::read(bundle)) {
            Some(Ok(report)) if report.reason > reason::LAST => {
                Err(Finding::deviation("a registered reason code", report.reason.to_string()))
            }
            Some(Err(why)) => Err(Finding::deviation("a status report", why)),
            _ => Ok(()),
        })
    }),
    Case::new("BP7-6.1.1-05", Suite::Bpv7, &["reports"], subject_source),
    Case::new("BP7-6.1.1-06", Suite::Bpv7, &["reports"], subject_timestamp),
    Case::new("BP7-6.1.1-07", Suite::Bpv7, &["reports", "fragments"], |tester| {
        let offset = subject_extent(tester)?.0;
        equal("fragment offset", 500, offset)
    }),
    Case::new("BP7-6.1.1-08", Suite::Bpv7, &["reports", "fragments"], |tester| {
        let length = subject_extent(tester)?.1;
        equal("payload length", 100, length)
    }),
    Case::new("BP7-6.1.1-09", Suite::Bpv7, &["reports"], where_to),
    Case::new("BP7-6.1.1-10", Suite::Bpv7, &["reports"], lifetime).needing(&["sr"]),
    Case::new("BP7-6.2-01", Suite::Bpv7, &["reports"], own_traffic).watching(|exchange, profile| {
        every_own(exchange, profile, |bundle| match bundle.is_record() {
            true => ordinary(bundle, profile.bundles.as_ref().map(|bundles| &bundles.node)),
            false => Ok(()),
        })
    }),
    Case::new("BP7-6.2-02", Suite::Bpv7, &["reports", "hostile"], no_report_on_reports),
];

fn readable(bundle: &Emitted) -> Result<(), Finding> {
    Report::read(bundle).map(drop).map_err(|why| Finding::deviation("a status report as section 6.1 has it", why))
}

fn ordinary(bundle: &Emitted, node: Option<&Eid>) -> Result<(), Finding> {
    let expected = "a report is a conforming bundle of the node";
    rules::conforms(&bundle.octets).map_err(|why| Finding::deviation(expected, why))?;
    let asks = bundle.head.flags & flags::REPORTS != 0;
    let bare = bundle.head.crc_type == 0 && bundle.block(crate::bundle::block_type::INTEGRITY).is_none();
    let foreign = node.is_some_and(|node| !is_of_node(&bundle.head.source, node));
    match (asks, bare, foreign) {
        (true, ..) => Err(Finding::deviation(expected, "it asks for reports itself")),
        (_, true, _) => Err(Finding::deviation(expected, "its primary block has no CRC")),
        (_, _, true) => Err(Finding::deviation(expected, "its source is another node")),
        _ => Ok(()),
    }
}

/// Sends a bundle and takes the first report on it, which names its source or its creation timestamp and of which nothing else
/// is judged.
fn any_report(peer: &mut Peer<'_, '_>, draft: Draft) -> Result<(Sent, Emitted, Report), Finding> {
    let source = peer.new_source();
    any_report_from(peer, draft.from(&source))
}

/// The same for a bundle from a source of its own.
fn any_report_from(peer: &mut Peer<'_, '_>, draft: Draft) -> Result<(Sent, Emitted, Report), Finding> {
    let sent = peer.send(&draft)?;
    let until = peer.report_due(sent.at);
    let node = peer.node;
    let found = peer.wait_for(until, |came: &Came| match &came.what {
        What::Bundle(_, Some(bundle)) if bundle.is_record() && is_own(bundle, node) => {
            let about = sent.is_in(bundle.payload()) || holds(bundle.payload(), &sent.source);
            about.then(|| bundle.clone())
        }
        _ => None,
    })?;
    // Reports are only recommended.
    let bundle = found.ok_or_else(|| Finding::warning("a status report", "there is none"))?;
    let report = Report::read(&bundle).map_err(|why| Finding::deviation("a status report", why))?;
    Ok((sent, bundle, report))
}

fn other_report_to(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let elsewhere = peer.node.other_report_to.clone();
    let base = peer.bundle().flags(flags::RECEPTION).report_to(&elsewhere);
    let sent = peer.send(&base)?;
    let (bundle, _) = peer.report(&sent, "received", Report::received)?;
    match bundle.head.destination == eid(&elsewhere) {
        true => Ok(()),
        false => {
            Err(Finding::deviation(format!("a report to {elsewhere}"), format!("{:02x?}", bundle.head.destination)))
        }
    }
}

fn off_by_default(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let remote = peer.bundle().flags(flags::REPORTS);
    let remote = peer.send(&remote)?;
    let local = peer.local_bundle().flags(flags::REPORTS);
    let local = peer.send(&local)?;
    peer.settle()?;
    for sent in [&remote, &local] {
        no_report(&mut peer, sent, "reporting is off by default")?;
    }
    Ok(())
}

/// A report that says something with reason 0. That there is one is only recommended; a wrong reason is not.
fn without_reason(
    tester: &mut Tester<'_>,
    asked: u64,
    what: &str,
    is_it: impl Fn(&Report) -> bool,
) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let base = peer.bundle().flags(asked);
    let sent = peer.send(&base)?;
    peer.forwarded(&sent)?;
    let (_, report) = peer.report(&sent, what, is_it)?;
    match report.reason {
        reason::NONE => Ok(()),
        other => Err(Finding::deviation("reason 0, no additional information", other.to_string())),
    }
}

fn forwarding(tester: &mut Tester<'_>) -> Result<(), Finding> {
    without_reason(tester, flags::FORWARDING, "forwarded", Report::forwarded)
}

fn reception(tester: &mut Tester<'_>) -> Result<(), Finding> {
    without_reason(tester, flags::RECEPTION, "received", Report::received)
}

fn damage(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let asked = flags::RECEPTION | flags::DELETION;
    let base = peer.bundle().flags(asked).payload_crc(Crc::Wrong(Width::ThirtyTwo));
    let sent = peer.send(&base)?;
    let (_, report) = peer.report(&sent, "deleted", Report::deleted)?;
    match report.reason {
        reason::UNINTELLIGIBLE => Ok(()),
        other => Err(Finding::warning("reason 8, block unintelligible", other.to_string())),
    }
}

/// A fragment that asks for reports.
fn asking_fragment(peer: &mut Peer<'_, '_>, asked: u64) -> Draft {
    peer.bundle().flags(asked).fragment(500, 2000)
}

fn of_a_fragment(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let base = asking_fragment(&mut peer, flags::RECEPTION | flags::FORWARDING);
    let (_, _, report) = any_report(&mut peer, base)?;
    match report.fragment {
        Some((500, 100)) => Ok(()),
        other => Err(Finding::deviation("offset 500 and length 100 in a report on a fragment", format!("{other:?}"))),
    }
}

fn deletion(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let unknown = peer.node.unknown_blocks[0];
    let base = peer.bundle().flags(flags::DELETION).with(Block::new(unknown, 2, block_flags::DELETE, b"x"));
    let sent = peer.send(&base)?;
    peer.report(&sent, "deleted", Report::deleted).map(drop)
}

fn cancelled(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    peer.set_route(false)?;
    let payload = peer.originate(100, flags::DELETION, false)?;
    peer.rest(peer.tester.profile().response)?;
    peer.tester.order(&crate::medium::Order::CancelBundle)?;
    peer.set_route(true)?;
    peer.settle()?;
    let went = |came: &Came| matches!(&came.what, What::Bundle(_, Some(bundle)) if bundle.payload() == payload);
    if peer.waiting().iter().any(went) {
        return Err(Finding::deviation("a cancelled transmission is deleted", "it was sent"));
    }
    let until = peer.report_due(peer.tester.now());
    let node = &peer.node.node;
    let found = peer.wait_for(until, |came| match &came.what {
        What::Bundle(_, Some(bundle)) if bundle.is_record() => {
            Report::read(bundle).ok().filter(|report| report.deleted() && is_of_node(&report.source, node))
        }
        _ => None,
    })?;
    match found {
        Some(report) if report.reason == reason::CANCELED => Ok(()),
        Some(report) => Err(Finding::deviation("reason 3, transmission canceled", report.told())),
        // §5.10 only recommends the report.
        None => Err(Finding::warning("a report of the deletion", "there is none")),
    }
}

fn record_form(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let base = peer.bundle().flags(flags::RECEPTION);
    let sent = peer.send(&base)?;
    peer.forwarded(&sent)?;
    let until = peer.report_due(sent.at);
    // What is no report by its flags is looked for by its payload.
    let node = peer.node;
    let found = peer.wait_for(until, |came| match &came.what {
        What::Bundle(_, Some(bundle)) if is_own(bundle, node) && sent.is_in(bundle.payload()) => Some(bundle.clone()),
        _ => None,
    })?;
    // Reports are only recommended.
    let bundle = found.ok_or_else(|| Finding::warning("a status report", "there is none"))?;
    match bundle.is_record() {
        true => readable(&bundle),
        false => Err(Finding::deviation("a report with the administrative flag", format!("{:#x}", bundle.head.flags))),
    }
}

fn four_or_six(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let whole = peer.bundle().flags(flags::RECEPTION);
    let part = asking_fragment(&mut peer, flags::RECEPTION);
    for (what, draft, expected) in [("a bundle", whole, 4), ("a fragment", part, 6)] {
        let (_, _, report) = any_report(&mut peer, draft)?;
        equal(&format!("number of elements in a report on {what}"), expected, report.elements as u64)?;
    }
    Ok(())
}

fn equal(what: &str, expected: u64, found: u64) -> Result<(), Finding> {
    match expected == found {
        true => Ok(()),
        false => Err(Finding::deviation(format!("{what} {expected}"), found.to_string())),
    }
}

/// Reports assert what has happened to a bundle, and nothing else.
fn events(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let unknown = peer.node.unknown_blocks[0];
    let to_go_on = peer.bundle().flags(flags::REPORTS);
    let to_stay = peer.local_bundle().flags(flags::REPORTS);
    let to_be_deleted = peer.bundle().flags(flags::REPORTS).with(Block::new(unknown, 2, block_flags::DELETE, b"x"));
    // Received, forwarded, delivered, deleted: what may be asserted of each.
    let cases = [
        ("a bundle that is forwarded", to_go_on, [true, true, false, false]),
        ("a bundle that is delivered", to_stay, [true, false, true, false]),
        ("a bundle that is deleted", to_be_deleted, [true, false, false, true]),
    ];
    for (what, draft, may) in cases {
        let sent = peer.send(&draft)?;
        peer.settle()?;
        let until = peer.report_due(sent.at);
        peer.rest_until(until)?;
        let unreadable = |came: &Came| match &came.what {
            What::Bundle(_, Some(bundle)) if bundle.is_record() && is_own(bundle, peer.node) => {
                Report::read(bundle).err()
            }
            _ => None,
        };
        if let Some(why) = peer.waiting().iter().find_map(unreadable) {
            return Err(Finding::deviation("a status report", why));
        }
        let reports = peer.reports_on(&sent);
        for report in &reports {
            let asserts = report.items.map(|item| item.asserted);
            let wrong = asserts.iter().zip(may).any(|(asserted, may)| *asserted && !may);
            if wrong || !asserts.contains(&true) {
                return Err(Finding::deviation(format!("a report on {what} says what happened"), report.told()));
            }
        }
        for (place, name) in ["received", "forwarded", "delivered", "deleted"].iter().enumerate() {
            if may[place] && !reports.iter().any(|report| report.items[place].asserted) {
                // Whether there is a report at all is judged elsewhere.
                peer.tester.note(format!("no report says that {what} was {name}"));
            }
        }
    }
    Ok(())
}

fn status_times(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let skew = peer.node.skew.as_millis().unsigned_abs();
    for asked in [flags::TIME, 0] {
        let base = peer.bundle().flags(flags::RECEPTION | flags::FORWARDING | asked);
        let (sent, _, report) = any_report(&mut peer, base)?;
        let earliest = peer.dtn_time_at(sent.at).saturating_sub(skew);
        let latest = peer.dtn_time().saturating_add(skew);
        for item in report.items {
            let due = item.asserted && asked != 0;
            match item.time_ms {
                None if !due => {}
                Some(0) if due && !peer.offers("clock") => {}
                Some(time) if due && (earliest..=latest).contains(&time) => {}
                Some(time) if due => {
                    let expected = format!("the time of the event, {earliest} to {latest}");
                    return Err(Finding::deviation(expected, time.to_string()));
                }
                Some(_) => {
                    return Err(Finding::deviation("a time only in what is asserted, and on demand", "there is one"));
                }
                None => return Err(Finding::deviation("a time in what is asserted", "there is none")),
            }
        }
    }
    Ok(())
}

/// Reports on bundles of sources of both schemes.
fn on_both_schemes(
    tester: &mut Tester<'_>,
    judge: impl Fn(&Sent, &Report) -> Result<(), Finding>,
) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let number = peer.new_source();
    let name = Eid::Dtn(format!("//tester/{}", peer.next_sequence()));
    for source in [number, name] {
        let draft = peer.bundle().flags(flags::RECEPTION).from(&source);
        let (sent, _, report) = any_report_from(&mut peer, draft)?;
        judge(&sent, &report)?;
    }
    Ok(())
}

fn subject_source(tester: &mut Tester<'_>) -> Result<(), Finding> {
    on_both_schemes(tester, |sent, report| match report.source == sent.source {
        true => Ok(()),
        false => {
            let expected = format!("the source {:02x?} of the subject", sent.source);
            Err(Finding::deviation(expected, format!("{:02x?}", report.source)))
        }
    })
}

fn subject_timestamp(tester: &mut Tester<'_>) -> Result<(), Finding> {
    on_both_schemes(tester, |sent, report| match report.created == sent.created {
        true => Ok(()),
        false => {
            let expected = format!("the creation timestamp {:?} of the subject", sent.created);
            Err(Finding::deviation(expected, format!("{:?}", report.created)))
        }
    })
}

/// Offset and length in a report on a fragment of 100 octets from 500 on.
fn subject_extent(tester: &mut Tester<'_>) -> Result<(u64, u64), Finding> {
    let mut peer = Peer::new(tester)?;
    let base = asking_fragment(&mut peer, flags::RECEPTION);
    let (_, _, report) = any_report(&mut peer, base)?;
    report.fragment.ok_or_else(|| Finding::deviation("six elements in a report on a fragment", "there are four"))
}

fn where_to(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let asked = flags::RECEPTION | flags::FORWARDING;
    let nowhere = peer.bundle().flags(asked).report_to(&Eid::None);
    let nowhere = peer.send(&nowhere)?;
    let report_to = peer.node.report_to.clone();
    let base = peer.bundle().flags(asked);
    let (_, bundle, _) = any_report(&mut peer, base)?;
    if bundle.head.destination != eid(&report_to) {
        let actual = format!("{:02x?}", bundle.head.destination);
        return Err(Finding::deviation(format!("a report to {report_to}"), actual));
    }
    no_report(&mut peer, &nowhere, "its report-to endpoint is dtn:none")
}

fn lifetime(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let base = peer.bundle().flags(flags::RECEPTION);
    let (_, bundle, _) = any_report(&mut peer, base)?;
    peer.tester.note(format!("a report lives for {} ms", bundle.head.lifetime));
    match bundle.head.lifetime {
        0 => Err(Finding::remark("a lifetime above 0", "it is 0")),
        _ => Ok(()),
    }
}

fn no_report_on_reports(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let about = (peer.dtn_time(), 1);
    let payload = some_report(about);
    let nowhere = peer.node.unroutable.clone();
    let remote = peer.bundle().flags(flags::RECORD).payload(&payload);
    let remote = peer.send(&remote)?;
    let lost = peer.bundle().to(&nowhere).flags(flags::RECORD).payload(&payload);
    let lost = peer.send(&lost)?;
    peer.settle()?;
    for sent in [&remote, &lost] {
        no_report(&mut peer, sent, "the bundle is a report itself")?;
    }
    Ok(())
}
