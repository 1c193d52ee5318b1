//! How STCP, MTCP and UDP frame bundles.

mod mtcp;
mod stcp;
mod stream;

use crate::case::Case;
use crate::outcome::Finding;
use crate::tester::Tester;

/// The cases of this suite.
pub const CASES: &[&[Case]] = &[stcp::CASES, mtcp::CASES];

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
    Ok(())
}
