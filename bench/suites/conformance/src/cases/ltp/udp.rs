//! LTP over UDP (RFC 7122).

use farlink_units::{Duration, Instant};

use super::peer::{Peer, Verdict};
use super::reports::many_gaps;
use super::watch;
use crate::case::Case;
use crate::exchange::Exchange;
use crate::medium::Door;
use crate::outcome::Finding;
use crate::profile::Profile;
use crate::segment::{code, is_keep_alive};

pub(super) const CASES: &[Case] = &[
    case!("UDPCL-3.1.2-01", ["udp", "sender"], long_block_is_not_fragmented),
    case!("UDPCL-3.3-01", ["udp", "format"], watch::traffic).watching(watch::one_segment),
    case!("UDPCL-3.3-02", ["udp", "sender"], nothing_is_fragmented),
    case!("UDPCL-3.4-02", ["udp", "keep-alive"], keep_alives_are_discarded),
    case!("UDPCL-3.4-03", ["udp", "keep-alive"], idle_for_a_while).watching(keep_alives_are_four_zeros),
    case!("UDPCL-3.4-04", ["udp", "keep-alive", "timers"], keep_alives_are_seldom).watching(intervals_of_keep_alives),
    case!("UDPCL-5-01", ["udp", "hostile"], unknown_host).needing(&["second-engine"]),
];

/// The least interval between keep-alives (section 3.4), and how far the bench may be off.
const LEAST_INTERVAL: Duration = Duration::from_secs(15);
const TOLERANCE: Duration = Duration::from_millis(500);

fn long_block_is_not_fragmented(us: &mut Peer<'_, '_>) -> Verdict {
    let id = us.trigger(20_000)?;
    us.complete(id)?;
    watch::unfragmented(us.t.exchange(), us.t.profile())
}

fn nothing_is_fragmented(us: &mut Peer<'_, '_>) -> Verdict {
    let (s, serial, _) = many_gaps(us)?;
    us.whole_report(s, serial, 12_010)?;
    let id = us.trigger(20_000)?;
    us.complete(id)?;
    watch::unfragmented(us.t.exchange(), us.t.profile())
}

fn keep_alives_are_discarded(us: &mut Peer<'_, '_>) -> Verdict {
    let mark = us.mark();
    let s = us.open(1000);
    let serial = us.serial();
    for _ in 0..20 {
        us.octets(&[0; 4])?;
    }
    us.red(s, 0..500)?;
    us.octets(&[0; 4])?;
    us.checkpoint(s, code::EOB, 500..1000, serial)?;
    let rs = us.reported(s, serial)?;
    if !rs.is_whole(1000) {
        return Err(Finding::deviation("a report of 0..1000, as if there were no keep-alive", rs.tell()));
    }
    us.sentinel()?;
    us.must_not(mark, "nothing in answer to a keep-alive", |heard| heard.session() == (0, 0))
}

fn idle_for_a_while(us: &mut Peer<'_, '_>) -> Verdict {
    us.sentinel()?;
    us.pause(us.t_ack() + us.t_ack())
}

/// Datagrams that look like keep-alives are just that.
fn keep_alives_are_four_zeros(exchange: &Exchange, _: &Profile) -> Verdict {
    let zeros = |octets: &[u8]| octets.iter().all(|octet| *octet == 0);
    match exchange.datagrams(Door::Ltp).find(|(_, octets)| zeros(octets) && !is_keep_alive(octets)) {
        Some((_, octets)) => {
            let actual = format!("a datagram of {} zero octets", octets.len());
            Err(Finding::deviation("keep-alives of exactly four zero octets", actual))
        }
        None => Ok(()),
    }
}

fn instants(exchange: &Exchange) -> Vec<Instant> {
    exchange.datagrams(Door::Ltp).filter(|(_, octets)| is_keep_alive(octets)).map(|(at, _)| at).collect()
}

fn intervals_of_keep_alives(exchange: &Exchange, _: &Profile) -> Verdict {
    let least = instants(exchange).windows(2).map(|two| two[1] - two[0]).min();
    match least {
        Some(interval) if interval < LEAST_INTERVAL - TOLERANCE => {
            Err(Finding::deviation("keep-alives at least 15 s apart", format!("{interval} apart")))
        }
        _ => Ok(()),
    }
}

fn keep_alives_are_seldom(us: &mut Peer<'_, '_>) -> Verdict {
    us.sentinel()?;
    us.pause(LEAST_INTERVAL + TOLERANCE)?;
    if instants(us.t.exchange()).is_empty() {
        us.t.note("the node sends no keep-alive within 15 s of idleness");
        return Ok(());
    }
    us.pause(LEAST_INTERVAL)
}

fn unknown_host(us: &mut Peer<'_, '_>) -> Verdict {
    // The engine is known, but at another address.
    let number = us.open(100).id.1 + 1;
    let s = us.open_for(us.node.tester, number, Door::SecondLtp, 100);
    let serial = us.serial();
    let mark = us.mark();
    us.checkpoint(s, code::EOB, 0..100, serial)?;
    us.pause(us.t_ack())?;
    let answered = us.since(mark).iter().any(|heard| heard.session() == s.id);
    us.t.note(match answered {
        true => "a segment from an address that is not this engine's is processed",
        false => "a segment from an address that is not this engine's is ignored",
    });
    match answered {
        true => Err(Finding::remark("datagrams from unknown hosts filtered", "one was answered")),
        false => Ok(()),
    }
}
