//! CBOR (RFC 8949) as far as bundles need it: a reader that keeps how each item was written, and writers of single items.

use std::ops::Range;

/// Nesting that [`read`] follows. A bundle needs six levels.
const MAX_DEPTH: usize = 24;

/// What an item is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Major type 0.
    Unsigned(u64),
    /// Major type 1; the value is -1 less this.
    Negative(u64),
    /// Major type 2 of definite length: where the content is.
    Bytes(Range<usize>),
    /// Major type 3 of definite length: where the content is.
    Text(Range<usize>),
    /// Major types 2 and 3 of indefinite length.
    Chunks,
    /// Major type 4.
    Array(Vec<Item>),
    /// Major type 5, keys and values in turn.
    Map(Vec<Item>),
    /// Major type 6, and what is tagged.
    Tag(u64, Box<Item>),
    /// Major type 7: `false`, `true`.
    Bool(bool),
    /// Major type 7: anything else.
    Simple,
}

/// One item, and how it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Where it stands.
    pub range: Range<usize>,
    /// What it is.
    pub value: Value,
    /// Whether its head is the shortest for its value.
    pub shortest: bool,
    /// Whether its length is told beforehand.
    pub definite: bool,
}

impl Item {
    /// The value of an unsigned integer.
    pub fn unsigned(&self) -> Option<u64> {
        match self.value {
            Value::Unsigned(value) => Some(value),
            _ => None,
        }
    }

    /// The elements of an array.
    pub fn array(&self) -> Option<&[Item]> {
        match &self.value {
            Value::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// The content of a byte string of definite length.
    pub fn bytes<'a>(&self, octets: &'a [u8]) -> Option<&'a [u8]> {
        match &self.value {
            Value::Bytes(content) => octets.get(content.clone()),
            _ => None,
        }
    }

    /// Its octets.
    pub fn octets<'a>(&self, octets: &'a [u8]) -> &'a [u8] {
        &octets[self.range.clone()]
    }

    /// Whether it and all in it is deterministically encoded (RFC 8949 section 4.2): shortest heads, definite lengths.
    pub fn is_deterministic(&self) -> bool {
        let within = match &self.value {
            Value::Array(items) | Value::Map(items) => items.iter().all(Item::is_deterministic),
            Value::Tag(_, item) => item.is_deterministic(),
            _ => true,
        };
        self.shortest && self.definite && within
    }
}

/// The item that is the whole of `octets`.
///
/// # Errors
/// It is not well-formed, or something follows it.
pub fn whole(octets: &[u8]) -> Result<Item, String> {
    let item = read(octets, 0)?;
    match octets.len() - item.range.end {
        0 => Ok(item),
        rest => Err(format!("{rest} octets follow the CBOR item")),
    }
}

/// The item at `at`.
///
/// # Errors
/// It is not well-formed.
pub fn read(octets: &[u8], at: usize) -> Result<Item, String> {
    nested(octets, at, 0)
}

fn nested(octets: &[u8], start: usize, depth: usize) -> Result<Item, String> {
    if depth > MAX_DEPTH {
        return Err(format!("items nested more than {MAX_DEPTH} deep at octet {start}"));
    }
    let cut = || format!("the octets end within the item at octet {start}");
    let first = *octets.get(start).ok_or_else(cut)?;
    let (major, information) = (first >> 5, first & 0x1F);
    let (argument, mut at) = match information {
        0..=23 => (u64::from(information), start + 1),
        24..=27 => {
            let end = start + 1 + (1 << (information - 24));
            let wide = octets.get(start + 1..end).ok_or_else(cut)?;
            (wide.iter().fold(0, |sum, octet| sum << 8 | u64::from(*octet)), end)
        }
        31 if (2..=5).contains(&major) => (0, start + 1),
        _ => return Err(format!("{first:#04x} at octet {start} begins no CBOR item")),
    };
    let definite = information != 31;
    let shortest = match information {
        24 => argument >= 24,
        25 => argument > 0xFF,
        26 => argument > 0xFFFF,
        27 => argument > 0xFFFF_FFFF,
        _ => true,
    };
    let value = match major {
        0 => Value::Unsigned(argument),
        1 => Value::Negative(argument),
        2 | 3 if definite => {
            let end = usize::try_from(argument).ok().and_then(|length| at.checked_add(length));
            let content = at..end.filter(|end| *end <= octets.len()).ok_or_else(cut)?;
            at = content.end;
            match major {
                2 => Value::Bytes(content),
                _ => match std::str::from_utf8(&octets[content.clone()]) {
                    Ok(_) => Value::Text(content),
                    Err(_) => return Err(format!("the text at octet {start} is not UTF-8")),
                },
            }
        }
        2 | 3 => {
            while *octets.get(at).ok_or_else(cut)? != 0xFF {
                let chunk = nested(octets, at, depth + 1)?;
                let fits = matches!((&chunk.value, major), (Value::Bytes(_), 2) | (Value::Text(_), 3));
                if !fits {
                    return Err(format!("a chunk at octet {at} is not of the string's type"));
                }
                at = chunk.range.end;
            }
            at += 1;
            Value::Chunks
        }
        4 | 5 => {
            let mut items = Vec::new();
            let count = if major == 4 { argument } else { argument.saturating_mul(2) };
            loop {
                let next = octets.get(at).copied();
                if definite && items.len() as u64 == count {
                    break;
                }
                if !definite && next == Some(0xFF) {
                    at += 1;
                    break;
                }
                let item = nested(octets, at, depth + 1)?;
                at = item.range.end;
                items.push(item);
            }
            if major == 4 { Value::Array(items) } else { Value::Map(items) }
        }
        6 => {
            let item = nested(octets, at, depth + 1)?;
            at = item.range.end;
            Value::Tag(argument, Box::new(item))
        }
        _ => match first {
            0xF4 => Value::Bool(false),
            0xF5 => Value::Bool(true),
            _ => Value::Simple,
        },
    };
    Ok(Item { range: start..at, value, shortest, definite })
}

/// The shortest head of a major type with an argument.
pub fn head(major: u8, argument: u64) -> Vec<u8> {
    let (information, octets) = match argument {
        0..=23 => return vec![major << 5 | argument as u8],
        24..=0xFF => (24, 1),
        0x100..=0xFFFF => (25, 2),
        0x1_0000..=0xFFFF_FFFF => (26, 4),
        _ => (27, 8),
    };
    let mut out = vec![major << 5 | information];
    out.extend(&argument.to_be_bytes()[8 - octets..]);
    out
}

/// An unsigned integer.
pub fn uint(value: u64) -> Vec<u8> {
    head(0, value)
}

/// A byte string.
pub fn bytes(content: &[u8]) -> Vec<u8> {
    [head(2, content.len() as u64), content.to_vec()].concat()
}

/// A text string.
pub fn text(content: &str) -> Vec<u8> {
    [head(3, content.len() as u64), content.as_bytes().to_vec()].concat()
}

/// An array of items that are written already.
pub fn array(items: &[Vec<u8>]) -> Vec<u8> {
    let mut out = head(4, items.len() as u64);
    out.extend(items.iter().flatten());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_read_as_they_are_written() {
        let octets = [0x9F, 0x18, 0x02, 0x43, 1, 2, 3, 0x5F, 0x41, 9, 0xFF, 0x82, 0x20, 0xF5, 0xFF];
        let item = whole(&octets).unwrap();
        assert!(!item.definite && item.shortest);
        let elements = item.array().unwrap();
        assert_eq!(elements.len(), 4);
        assert_eq!((elements[0].unsigned(), elements[0].shortest), (Some(2), false));
        assert_eq!(elements[1].bytes(&octets), Some(&[1, 2, 3][..]));
        assert_eq!(elements[2].value, Value::Chunks);
        let inner = elements[3].array().unwrap();
        assert_eq!((&inner[0].value, &inner[1].value), (&Value::Negative(0), &Value::Bool(true)));
        assert!(inner[1].is_deterministic() && !item.is_deterministic());
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for octets in [
            &[][..],
            &[0x82, 1],
            &[0x43, 1, 2],
            &[0xFF],
            &[0x1C],
            &[0x1F],
            &[0x9F, 1],
            &[0x5F, 0x61, 0x61, 0xFF],
            &[0x61, 0xFF],
            &[0x5B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0],
            &[0x9B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0],
            &[0x00, 0x00],
        ] {
            assert!(whole(octets).is_err(), "{octets:x?}");
        }
        assert!(whole(&[0x81; 10_000]).is_err(), "nested too deeply");
    }
}
