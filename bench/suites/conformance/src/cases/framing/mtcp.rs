//! The Minimal TCP Convergence Layer: each bundle is a CBOR byte string.

use super::stream::{self, Layer};
use crate::case::{Case, Suite};
use crate::medium::Door;
use crate::outcome::Finding;
use crate::tester::Tester;

/// The cases.
pub const CASES: &[Case] = &[
    Case::new("MTCP-FRAME-01", Suite::Framing, &["mtcp", "sender"], sends),
    Case::new("MTCP-FRAME-02", Suite::Framing, &["mtcp", "sender"], sends_several),
    Case::new("MTCP-FRAME-03", Suite::Framing, &["mtcp", "receiver"], receives),
    Case::new("MTCP-FRAME-04", Suite::Framing, &["mtcp", "receiver"], receives_in_pieces),
    Case::new("MTCP-FRAME-05", Suite::Framing, &["mtcp", "receiver"], receives_at_once),
    Case::new("MTCP-FRAME-06", Suite::Framing, &["mtcp", "receiver"], passes_over_nothing),
    Case::new("MTCP-FRAME-07", Suite::Framing, &["mtcp", "receiver", "hostile"], bears_an_absurd_length),
    Case::new("MTCP-FRAME-08", Suite::Framing, &["mtcp", "receiver", "hostile"], bears_a_cut),
    Case::new("MTCP-FRAME-09", Suite::Framing, &["mtcp", "receiver", "hostile"], bears_garbage),
    Case::new("MTCP-FRAME-10", Suite::Framing, &["mtcp", "receiver"], receives_long_heads),
    Case::new("MTCP-FRAME-11", Suite::Framing, &["mtcp", "receiver", "hostile"], bears_indefinite_length),
    Case::new("MTCP-FRAME-12", Suite::Framing, &["mtcp", "receiver", "hostile"], other_items_end_it),
    Case::new("MTCP-CONN-01", Suite::Framing, &["mtcp", "receiver"], is_quiet),
];

/// The layer.
pub(super) const MTCP: Layer = Layer { door: Door::Mtcp, head, read };

/// The shortest head (RFC 8949 section 3).
fn head(length: u64) -> Vec<u8> {
    match length {
        0..24 => vec![0x40 | length as u8],
        24..0x100 => vec![0x58, length as u8],
        0x100..0x1_0000 => [&[0x59][..], &(length as u16).to_be_bytes()].concat(),
        0x1_0000..0x1_0000_0000 => [&[0x5A][..], &(length as u32).to_be_bytes()].concat(),
        _ => long_head(length),
    }
}

/// The longest head.
fn long_head(length: u64) -> Vec<u8> {
    [&[0x5B][..], &length.to_be_bytes()].concat()
}

fn read(octets: &[u8]) -> Result<Option<(usize, u64)>, String> {
    let Some(&first) = octets.first() else { return Ok(None) };
    let width = match first {
        0x40..=0x57 => return Ok(Some((1, (first - 0x40).into()))),
        0x58..=0x5B => 1 << (first - 0x58),
        other => return Err(format!("an octet {other:#04x} where the head of a byte string must stand")),
    };
    let length = octets.get(1..1 + width);
    Ok(length.map(|length| (1 + width, length.iter().fold(0, |sum, octet| sum << 8 | u64::from(*octet)))))
}

fn sends(t: &mut Tester<'_>) -> Result<(), Finding> {
    stream::sends(t, MTCP, &[300])
}

fn sends_several(t: &mut Tester<'_>) -> Result<(), Finding> {
    stream::sends(t, MTCP, &[10, 300, 70_000])
}

fn receives(t: &mut Tester<'_>) -> Result<(), Finding> {
    stream::receives(t, MTCP)
}

fn receives_in_pieces(t: &mut Tester<'_>) -> Result<(), Finding> {
    stream::receives_in_pieces(t, MTCP)
}

fn receives_at_once(t: &mut Tester<'_>) -> Result<(), Finding> {
    stream::receives_at_once(t, MTCP)
}

fn passes_over_nothing(t: &mut Tester<'_>) -> Result<(), Finding> {
    stream::passes_over_nothing(t, MTCP)
}

fn bears_an_absurd_length(t: &mut Tester<'_>) -> Result<(), Finding> {
    // Waiting for it is right too.
    stream::bears(t, MTCP, &[long_head(1 << 62), vec![0x9F, 0x88]].concat(), false)
}

fn bears_a_cut(t: &mut Tester<'_>) -> Result<(), Finding> {
    stream::bears_a_cut(t, MTCP)
}

fn bears_garbage(t: &mut Tester<'_>) -> Result<(), Finding> {
    stream::bears(t, MTCP, &MTCP.frame(b"this is no bundle at all"), false)
}

fn is_quiet(t: &mut Tester<'_>) -> Result<(), Finding> {
    stream::is_quiet(t, MTCP)
}

fn receives_long_heads(t: &mut Tester<'_>) -> Result<(), Finding> {
    let (bundle, payload) = stream::bundle(t, 100)?;
    MTCP.takes(t, &[long_head(bundle.len() as u64), bundle].concat(), &[payload])
}

fn bears_indefinite_length(t: &mut Tester<'_>) -> Result<(), Finding> {
    let (bundle, _) = stream::bundle(t, 100)?;
    stream::bears(t, MTCP, &[vec![0x5F], MTCP.frame(&bundle), vec![0xFF]].concat(), false)
}

fn other_items_end_it(t: &mut Tester<'_>) -> Result<(), Finding> {
    let (bundle, _) = stream::bundle(t, 100)?;
    for first in [0x83, 0x00, 0x5C] {
        stream::bears(t, MTCP, &[vec![first], bundle.clone()].concat(), true)?;
    }
    Ok(())
}
