//! How STCP, MTCP and UDP frame bundles.

mod udp;

use crate::case::Case;
use crate::medium::Door;
use crate::outcome::Finding;
use crate::peer::Peer;
use crate::tester::Tester;

/// The cases of this suite.
pub const CASES: &[&[Case]] = &[udp::CASES];

/// Whether the node still does what every node of this suite does.
///
/// # Errors
/// It does not.
pub fn alive(tester: &mut Tester<'_>) -> Result<(), Finding> {
    match tester.profile().bundles.as_ref().map(|bundles| bundles.carrier) {
        Some(Door::Udp) => Peer::over(tester, Door::Udp)?.alive(),
        _ => Ok(()),
    }
}
