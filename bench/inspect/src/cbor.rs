//! CBOR items as they stand, sound or not: enough to show what a bundle that cannot be parsed is made of.
//!
//! Whether a bundle is right is for `farlink_wire` to say; nothing here judges.

use std::ops::Range;

/// Nesting that [`item_end`] follows.
const MAX_DEPTH: usize = 32;

/// What the first octets of an item say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Major type 0.
    Unsigned(u64),
    /// Major types 1 and 7, which bundles have no use for but in status reports.
    Other,
    /// Major types 2 and 3 with their length.
    String(u64),
    /// Major types 2 to 5 of indefinite length.
    Indefinite,
    /// Major type 4 with its number of elements.
    Array(u64),
    /// Major type 5 with its number of pairs.
    Map(u64),
    /// Major type 6.
    Tag,
    /// The stop code.
    Break,
}

/// What the item at `at` is, and where its head ends. `None` if the input ends before, or the head is not well-formed.
pub fn head(bytes: &[u8], at: usize) -> Option<(Kind, usize)> {
    let first = *bytes.get(at)?;
    let (argument, end) = match first & 0x1F {
        small @ 0..=23 => (u64::from(small), at + 1),
        wide @ 24..=27 => {
            let end = at + 1 + (1 << (wide - 24));
            (bytes.get(at + 1..end)?.iter().fold(0, |sum, &octet| sum << 8 | u64::from(octet)), end)
        }
        31 if first == 0xFF => return Some((Kind::Break, at + 1)),
        31 if (2..=5).contains(&(first >> 5)) => return Some((Kind::Indefinite, at + 1)),
        _ => return None,
    };
    let kind = match first >> 5 {
        0 => Kind::Unsigned(argument),
        2 | 3 => Kind::String(argument),
        4 => Kind::Array(argument),
        5 => Kind::Map(argument),
        6 => Kind::Tag,
        _ => Kind::Other,
    };
    Some((kind, end))
}

/// Where the whole item at `at` ends, or `None` if the input ends first, it is not well-formed, or nested too deeply.
pub fn item_end(bytes: &[u8], at: usize) -> Option<usize> {
    // Items still to come at each level; `None` until a break.
    let mut pending: Vec<Option<u64>> = vec![Some(1)];
    let mut at = at;
    loop {
        while pending.last() == Some(&Some(0)) {
            pending.pop();
        }
        let Some(level) = pending.last_mut() else { return Some(at) };
        let (kind, end) = head(bytes, at)?;
        match (kind, level) {
            (Kind::Break, None) => {
                pending.pop();
                at = end;
                continue;
            }
            (Kind::Break, Some(_)) => return None,
            (_, Some(count)) => *count -= 1,
            (_, None) => {}
        }
        at = end;
        match kind {
            Kind::String(length) => {
                at = at.checked_add(usize::try_from(length).ok()?).filter(|&end| end <= bytes.len())?;
            }
            Kind::Array(elements) => pending.push(Some(elements)),
            Kind::Map(pairs) => pending.push(Some(pairs.saturating_mul(2))),
            Kind::Tag => pending.push(Some(1)),
            Kind::Indefinite => pending.push(None),
            Kind::Unsigned(_) | Kind::Other | Kind::Break => {}
        }
        if pending.len() > MAX_DEPTH {
            return None;
        }
    }
}

/// The unsigned integer that is the whole of `range`, in whatever width.
pub fn unsigned(bytes: &[u8], range: &Range<usize>) -> Option<u64> {
    match head(bytes, range.start)? {
        (Kind::Unsigned(value), end) if end == range.end => Some(value),
        _ => None,
    }
}

/// The elements of the array that is the whole of `range`, at most `most` of them.
pub fn elements(bytes: &[u8], range: &Range<usize>, most: usize) -> Option<Vec<Range<usize>>> {
    let (Kind::Array(count), mut at) = head(bytes, range.start)? else { return None };
    let mut elements = Vec::new();
    for _ in 0..count.min(most as u64) {
        let end = item_end(&bytes[..range.end], at)?;
        elements.push(at..end);
        at = end;
    }
    Some(elements)
}

/// Appends the shortest head of a major type with an argument.
pub fn put_head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let major = major << 5;
    let be = argument.to_be_bytes();
    match argument {
        0..=23 => out.push(major | be[7]),
        24..=0xFF => out.extend([major | 24, be[7]]),
        0x100..=0xFFFF => out.extend([major | 25, be[6], be[7]]),
        0x1_0000..=0xFFFF_FFFF => {
            out.push(major | 26);
            out.extend(&be[4..]);
        }
        _ => {
            out.push(major | 27);
            out.extend(be);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_end_where_they_end() {
        for (bytes, end) in [
            (&[0x00u8][..], Some(1)),
            (&[0x82, 0x01, 0x82, 0x02, 0x03], Some(5)),
            (&[0x9F, 0x01, 0xFF, 0x00], Some(3)),
            (&[0x42, 1, 2, 3], Some(3)),
            (&[0xA1, 0x01, 0x02], Some(3)),
            (&[0xC1, 0x1A, 0, 0, 0, 1], Some(6)),
            (&[0x5F, 0x41, 1, 0xFF], Some(4)),
            (&[0x80], Some(1)),
            (&[], None),
            (&[0x82, 0x01], None),
            (&[0x43, 1, 2], None),
            (&[0xFF], None),
            (&[0x81, 0xFF], None),
            (&[0x1C], None),
            (&[0x5B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0], None),
        ] {
            assert_eq!(item_end(bytes, 0), end, "{bytes:x?}");
        }
        assert_eq!(item_end(&[0x81; 40], 0), None, "nested too deeply");
    }
}
