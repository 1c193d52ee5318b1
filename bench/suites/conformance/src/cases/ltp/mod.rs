//! LTP (RFC 5326, RFC 5327), and LTP over UDP (RFC 7122).

/// A case that plays an LTP engine.
macro_rules! case {
    ($id:literal, [$($tag:literal),*], $judge:path) => {
        $crate::case::Case::new($id, $crate::case::Suite::Ltp, &[$($tag),*], |tester| {
            $crate::cases::ltp::peer::conduct(tester, $judge)
        })
    };
}

mod block;
mod cancelling;
mod contact;
mod format;
mod hostile;
pub(in crate::cases) mod peer;
mod receiver;
mod reported;
mod reports;
mod security;
mod sender;
mod udp;
mod watch;

use crate::case::Case;
use crate::outcome::Finding;
use crate::tester::Tester;

/// The cases of this suite.
pub const CASES: &[&[Case]] = &[
    format::CASES,
    sender::CASES,
    reported::CASES,
    reports::CASES,
    receiver::CASES,
    cancelling::CASES,
    contact::CASES,
    hostile::CASES,
    security::CASES,
    udp::CASES,
];

/// Whether the node still does what every node of this suite does: it reports a fresh block of one segment.
///
/// # Errors
/// It does not.
pub fn alive(tester: &mut Tester<'_>) -> Result<(), Finding> {
    let mut us = peer::Peer::new(tester)?;
    let room = us.t_ack() + us.t_ack();
    us.in_contact(room)?;
    us.sentinel()
}
