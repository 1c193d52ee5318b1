//! The Simple TCP Convergence Layer, as stacks speak it: four octets of length before each bundle.

use super::stream::{self, Layer};
use crate::case::{Case, Suite};
use crate::medium::Door;
use crate::outcome::Finding;
use crate::tester::Tester;

/// The cases.
pub const CASES: &[Case] = &[
    Case::new("STCP-FRAME-01", Suite::Framing, &["stcp", "sender"], sends),
    Case::new("STCP-FRAME-02", Suite::Framing, &["stcp", "sender"], sends_several),
    Case::new("STCP-FRAME-03", Suite::Framing, &["stcp", "receiver"], receives),
    Case::new("STCP-FRAME-04", Suite::Framing, &["stcp", "receiver"], receives_in_pieces),
    Case::new("STCP-FRAME-05", Suite::Framing, &["stcp", "receiver"], receives_at_once),
    Case::new("STCP-FRAME-06", Suite::Framing, &["stcp", "receiver"], passes_over_nothing),
    Case::new("STCP-FRAME-07", Suite::Framing, &["stcp", "receiver", "hostile"], bears_an_absurd_length),
    Case::new("STCP-FRAME-08", Suite::Framing, &["stcp", "receiver", "hostile"], bears_a_cut),
    Case::new("STCP-FRAME-09", Suite::Framing, &["stcp", "receiver", "hostile"], bears_garbage),
    Case::new("STCP-CONN-01", Suite::Framing, &["stcp", "receiver"], is_quiet),
];

/// The layer.
pub(super) const STCP: Layer = Layer { door: Door::Stcp, head, read };

fn head(length: u64) -> Vec<u8> {
    (length as u32).to_be_bytes().to_vec()
}

fn read(octets: &[u8]) -> Result<Option<(usize, u64)>, String> {
    Ok(octets.first_chunk::<4>().map(|head| (4, u32::from_be_bytes(*head).into())))
}

fn sends(t: &mut Tester<'_>) -> Result<(), Finding> {
    stream::sends(t, STCP, &[300])
}

fn sends_several(t: &mut Tester<'_>) -> Result<(), Finding> {
    stream::sends(t, STCP, &[10, 300, 70_000])
}

fn receives(t: &mut Tester<'_>) -> Result<(), Finding> {
    stream::receives(t, STCP)
}

fn receives_in_pieces(t: &mut Tester<'_>) -> Result<(), Finding> {
    stream::receives_in_pieces(t, STCP)
}

fn receives_at_once(t: &mut Tester<'_>) -> Result<(), Finding> {
    stream::receives_at_once(t, STCP)
}

fn passes_over_nothing(t: &mut Tester<'_>) -> Result<(), Finding> {
    stream::passes_over_nothing(t, STCP)
}

fn bears_an_absurd_length(t: &mut Tester<'_>) -> Result<(), Finding> {
    // Room for it could be there, so waiting is right too.
    stream::bears(t, STCP, &[0xFF, 0xFF, 0xFF, 0xFF, 0x9F, 0x88], false)
}

fn bears_a_cut(t: &mut Tester<'_>) -> Result<(), Finding> {
    stream::bears_a_cut(t, STCP)
}

fn bears_garbage(t: &mut Tester<'_>) -> Result<(), Finding> {
    stream::bears(t, STCP, &STCP.frame(b"this is no bundle at all"), false)
}

fn is_quiet(t: &mut Tester<'_>) -> Result<(), Finding> {
    stream::is_quiet(t, STCP)
}
