//! Lengths and offsets that cannot be (RFC 5326 section 9.3).

use farlink_wire::sdnv;

use super::peer::{Heard, Ours, Peer, Verdict};
use crate::case::Case;
use crate::outcome::Finding;
use crate::segment::{Body, Raw, code};

pub(super) const CASES: &[Case] = &[
    case!("LTP-9.3-01", ["receiver", "hostile"], length_beyond_the_datagram),
    case!("LTP-9.3-02", ["receiver", "hostile"], offset_beyond_64_bits),
];

fn reports<'x>(us: &'x Peer<'_, '_>, mark: usize, s: Ours) -> impl Iterator<Item = &'x Heard> {
    us.since(mark).iter().filter(move |heard| heard.is(code::RS, s.id))
}

fn length_beyond_the_datagram(us: &mut Peer<'_, '_>) -> Verdict {
    let expected = "nothing in answer to a segment whose length is beyond the datagram";
    let s = us.open(100);
    let serial = us.serial();
    let mark = us.mark();
    let whole = us.ds(s, code::EOB, 0..5000, Some((serial, 0))).emit();
    us.octets(&whole[..whole.len() - 4900])?;
    us.sentinel()?;
    let claims: Vec<Heard> = reports(us, mark, s).cloned().collect();
    if let Some(heard) = claims.first() {
        return Err(Finding::deviation(expected, heard.segment.tell()));
    }
    let s = us.open(100);
    let mark = us.mark();
    let mut octets = Raw::new(code::EOB, s.id, Body::CancelAck).emit();
    for number in [us.node.service, 0, 1 << 62, serial, 0] {
        sdnv::encode(number, &mut octets);
    }
    octets.extend([0x55; 10]);
    us.octets(&octets)?;
    us.sentinel()?;
    us.must_not(mark, expected, |heard| heard.is(code::RS, s.id))
}

fn offset_beyond_64_bits(us: &mut Peer<'_, '_>) -> Verdict {
    for (kind, offset) in [(code::CHECKPOINT, u64::MAX - 9), (code::CHECKPOINT, 1 << 63), (code::EOB, (1 << 32) - 50)] {
        let s = us.open(100);
        let serial = us.serial();
        let body =
            Body::Data { service: us.node.service, offset, checkpoint: Some((serial, 0)), data: vec![0x55; 100] };
        let mark = us.mark();
        us.send(s.door, &Raw::new(kind, s.id, body))?;
        us.sentinel()?;
        us.pause(us.node.defer)?;
        let end = offset.checked_add(100);
        for heard in reports(us, mark, s) {
            let Some(rs) = heard.report() else { continue };
            let true_claim = |(at, length): &(u64, u64)| rs.lower.checked_add(*at) == Some(offset) && *length == 100;
            if Some(rs.upper) != end || rs.lower >= rs.upper || !rs.claims.iter().all(true_claim) {
                let expected = format!("no report of data at offset {offset}, or a true one");
                return Err(Finding::deviation(expected, rs.tell()));
            }
        }
    }
    Ok(())
}
