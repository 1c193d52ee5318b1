//! Every case.

pub mod bpv7;
pub mod contacts;
pub mod framing;
pub mod ltp;
pub mod tcpclv4;

use crate::case::{Case, Suite};
use crate::outcome::Finding;
use crate::tester::Tester;

/// Every case, in the order of the suites.
pub fn all() -> Vec<Case> {
    [ltp::CASES, bpv7::CASES, tcpclv4::CASES, framing::CASES, contacts::CASES].concat().concat()
}

/// Whether the node still does what every node of the suite does.
///
/// # Errors
/// It does not.
pub fn alive(suite: Suite, tester: &mut Tester<'_>) -> Result<(), Finding> {
    match suite {
        Suite::Ltp => ltp::alive(tester),
        Suite::Bpv7 => bpv7::alive(tester),
        Suite::Tcpclv4 => tcpclv4::alive(tester),
        Suite::Framing => framing::alive(tester),
        Suite::Contacts => contacts::alive(tester),
    }
}
