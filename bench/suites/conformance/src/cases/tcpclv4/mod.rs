//! TCPCL version 4 (RFC 9174).

mod certificates;
mod contact;
mod ending;
mod init;
mod keepalive;
pub(crate) mod message;
mod messages;
mod peer;
mod receiving;
mod sending;
mod tls;

pub(crate) use peer::bundle_with;

use crate::case::Case;
use crate::outcome::Finding;
use crate::tester::Tester;

/// The cases of this suite.
pub const CASES: &[&[Case]] = &[
    contact::CASES,
    init::CASES,
    keepalive::CASES,
    messages::CASES,
    sending::CASES,
    receiving::CASES,
    ending::CASES,
    tls::CASES,
    certificates::CASES,
];

/// Whether the node still takes a session and a bundle (the catalogue's LIVE).
///
/// # Errors
/// It does not.
pub fn alive(tester: &mut Tester<'_>) -> Result<(), Finding> {
    peer::live(tester)
}
