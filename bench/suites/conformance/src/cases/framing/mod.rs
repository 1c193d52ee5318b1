//! How STCP, MTCP and UDP frame bundles.

use crate::case::Case;
use crate::outcome::Finding;
use crate::tester::Tester;

/// The cases of this suite.
pub const CASES: &[&[Case]] = &[];

/// Whether the node still does what every node of this suite does.
///
/// # Errors
/// It does not.
pub fn alive(_tester: &mut Tester<'_>) -> Result<(), Finding> {
    Ok(())
}
