//! Bundle and block processing control flags (§4.2.3, §4.2.4).

use farlink_wire::bpv7::Eid;

use super::{every_own, own_traffic};
use crate::bundle::{Block, block_flags, cbor, eid, flags, timestamp};
use crate::case::{Case, Suite};
use crate::outcome::Finding;
use crate::peer::{Peer, Sent};
use crate::tester::Tester;

pub const CASES: &[Case] = &[
    Case::new("BP7-4.2.3-01", Suite::Bpv7, &["flags", "reports", "source"], own_traffic).watching(
        |exchange, profile| {
            every_own(exchange, profile, |bundle| match bundle.is_record() && bundle.head.flags & flags::REPORTS != 0 {
                true => Err(Finding::deviation(
                    "a bundle with an administrative record asks for no reports",
                    format!("its flags are {:#x}", bundle.head.flags),
                )),
                false => Ok(()),
            })
        },
    ),
    Case::new("BP7-4.2.3-02", Suite::Bpv7, &["flags", "source"], own_anonymous),
    Case::new("BP7-4.2.3-03", Suite::Bpv7, &["flags"], unknown_bundle_flags),
    Case::new("BP7-4.2.3-04", Suite::Bpv7, &["flags", "source"], own_traffic).watching(|exchange, profile| {
        every_own(exchange, profile, |bundle| match bundle.head.flags & !flags::DEFINED {
            0 => Ok(()),
            other => Err(Finding::warning("only flags that RFC 9171 defines", format!("{other:#x} besides"))),
        })
    }),
    Case::new("BP7-4.2.3-05", Suite::Bpv7, &["flags", "reports", "hostile"], record_that_asks),
    Case::new("BP7-4.2.3-06", Suite::Bpv7, &["flags", "reports", "hostile"], anonymous_that_asks),
    Case::new("BP7-4.2.3-07", Suite::Bpv7, &["flags"], anonymous),
    Case::new("BP7-4.2.4-01", Suite::Bpv7, &["flags"], unknown_block_flags),
    Case::new("BP7-4.2.4-02", Suite::Bpv7, &["flags", "reports", "source"], no_block_asks).watching(
        |exchange, profile| {
            every_own(exchange, profile, |bundle| {
                match bundle.is_record() && bundle.blocks.iter().any(|b| b.flags & block_flags::REPORT != 0) {
                    true => {
                        Err(Finding::deviation("no block of an administrative bundle asks for a report", "one does"))
                    }
                    false => Ok(()),
                }
            })
        },
    ),
    Case::new("BP7-4.2.4-03", Suite::Bpv7, &["flags", "source"], own_traffic).watching(|exchange, profile| {
        every_own(exchange, profile, |bundle| {
            match bundle.blocks.iter().find(|block| block.flags & !block_flags::DEFINED != 0) {
                None => Ok(()),
                Some(block) => Err(Finding::warning(
                    "only block flags that RFC 9171 defines",
                    format!("a block of type {} has {:#x}", block.block_type, block.flags),
                )),
            }
        })
    }),
];

/// The payload of a status report that says that another bundle was received.
pub(super) fn some_report(about: (u64, u64)) -> Vec<u8> {
    let status = |asserted: bool| vec![0x81, if asserted { 0xF5 } else { 0xF4 }];
    let statuses = cbor::array(&[status(true), status(false), status(false), status(false)]);
    let report = cbor::array(&[statuses, cbor::uint(0), eid(&Eid::ipn(4242, 1)), timestamp(about)]);
    cbor::array(&[cbor::uint(1), report])
}

/// No report on a bundle has come when it would have had to.
pub(super) fn no_report(peer: &mut Peer<'_, '_>, sent: &Sent, why: &str) -> Result<(), Finding> {
    let until = peer.report_due(sent.at);
    peer.rest_until(until)?;
    match peer.reports_on(sent).first() {
        Some(report) => Err(Finding::deviation(format!("no status report: {why}"), report.told())),
        None => Ok(()),
    }
}

fn own_anonymous(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let payload = peer.originate(100, 0, true)?;
    let (_, bundle) = peer.own(&payload)?;
    let head = &bundle.head;
    if head.source != eid(&Eid::None) {
        return Err(Finding::deviation("the source dtn:none", format!("{:02x?}", head.source)));
    }
    match head.flags & (flags::WHOLE | flags::REPORTS) {
        flags::WHOLE => Ok(()),
        _ => {
            Err(Finding::deviation("flags that forbid fragments and ask for no reports", format!("{:#x}", head.flags)))
        }
    }
}

fn unknown_bundle_flags(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    for flag in [0x20_0000, 1 << 40, 0x08, 0x80, 0x8_0000] {
        let base = peer.bundle().flags(flag);
        let (_, bundle) = peer.pass(&base)?;
        if bundle.head.flags & !flags::FRAGMENT != flag {
            let actual = format!("they are {:#x}", bundle.head.flags);
            return Err(Finding::deviation(format!("the flags stay {flag:#x}"), actual));
        }
    }
    Ok(())
}

fn record_that_asks(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let base = peer.bundle();
    let about = (peer.dtn_time(), 1);
    let base = base.flags(flags::RECORD | flags::REPORTS).payload(&some_report(about));
    let sent = peer.send(&base)?;
    peer.settle()?;
    let outcome = if peer.came_back(&sent).is_some() { "forwards" } else { "deletes" };
    peer.tester.note(format!("the node {outcome} an administrative bundle that asks for reports"));
    no_report(&mut peer, &sent, "the bundle holds an administrative record")
}

fn anonymous_that_asks(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    for (what, asked) in [("may be fragmented", 0), ("asks for reports", flags::WHOLE | flags::REPORTS)] {
        let base = peer.bundle().from(&Eid::None).flags(asked);
        let sent = peer.send(&base)?;
        peer.settle()?;
        let came = peer.came_back(&sent);
        let outcome = if came.is_some() { "forwards" } else { "deletes" };
        if came.is_some_and(|(_, bundle)| bundle.is_some_and(|bundle| bundle.head.fragment.is_some())) {
            return Err(Finding::deviation("an anonymous bundle is not fragmented", "a fragment came"));
        }
        peer.tester.note(format!("the node {outcome} an anonymous bundle that {what}"));
        no_report(&mut peer, &sent, "the bundle is anonymous")?;
    }
    Ok(())
}

fn anonymous(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let base = peer.bundle().from(&Eid::None).flags(flags::WHOLE);
    let (sent, bundle) = peer.pass(&base)?;
    if bundle.head.octets != sent.primary {
        return Err(Finding::deviation("the primary block stays as it is", "it was changed"));
    }
    if !peer.offers("oracle") {
        peer.tester.note("whether it is delivered was not asked: the node offers no oracle");
        return Ok(());
    }
    let local = peer.local_bundle().from(&Eid::None).flags(flags::WHOLE);
    let sent = peer.send(&local)?;
    let until = peer.due(sent.at);
    match peer.delivered(&sent.payload, until)? {
        Some(_) => Ok(()),
        None => Err(Finding::silence("an anonymous bundle is delivered", "it was not")),
    }
}

fn unknown_block_flags(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    let unknown = peer.node.unknown_blocks[0];
    let mut gone = None;
    for flag in [0x80, 0x08, 0x20, 1 << 40] {
        let base = peer.bundle().with(Block::new(unknown, 2, flag, b"what others know"));
        let (_, bundle) = peer.pass(&base)?;
        if bundle.block(unknown).is_none() {
            gone = Some(flag);
        }
    }
    let mut base = peer.bundle();
    base.payload_block().items[2] = cbor::uint(0x80);
    peer.pass(&base)?;
    match gone {
        // §4.4 lets every node remove extension blocks.
        Some(flag) => Err(Finding::warning(format!("a block with flags {flag:#x} stays"), "it was removed")),
        None => Ok(()),
    }
}

fn no_block_asks(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut peer = Peer::new(tester)?;
    if peer.offers("anonymous-send") {
        let payload = peer.originate(100, 0, true)?;
        let (_, bundle) = peer.own(&payload)?;
        if bundle.blocks.iter().any(|block| block.flags & block_flags::REPORT != 0) {
            return Err(Finding::deviation("no block of an anonymous bundle asks for a report", "one does"));
        }
        if !peer.offers("sr") {
            return Ok(());
        }
    }
    peer.own_traffic().map(drop)
}
