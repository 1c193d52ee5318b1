//! How STCP, MTCP and UDP frame bundles.

mod mtcp;
mod stcp;
mod stream;
mod udp;

use crate::case::Case;
use crate::medium::Door;
use crate::outcome::Finding;
use crate::peer::Peer;
use crate::tester::Tester;

/// The cases of this suite.
pub const CASES: &[&[Case]] = &[stcp::CASES, mtcp::CASES, udp::CASES];

/// Whether the node still does what every node of this suite does.
///
/// # Errors
/// It does not.
pub fn alive(tester: &mut Tester<'_>) -> Result<(), Finding> {
    for (need, layer) in [("stcp", stcp::STCP), ("mtcp", mtcp::MTCP)] {
        if tester.profile().offers(need) && tester.profile().offers("oracle") {
            stream::alive_over(tester, layer)?;
        }
    }
    match tester.profile().bundles.as_ref().map(|bundles| bundles.carrier) {
        Some(Door::Udp) => Peer::over(tester, Door::Udp)?.alive(),
        _ => Ok(()),
    }
}
