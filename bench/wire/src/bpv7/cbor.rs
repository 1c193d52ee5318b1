//! The few CBOR items that bundles are made of, in the core deterministic encoding that section 4.1 demands.
//!
//! A general CBOR library accepts a head in any width and forgets which it was. Here the width is judged, and every
//! refusal knows its field and octet.

use super::BundleError;

/// CBOR major types (RFC 8949 section 3.1), in the three high bits of an item's first octet.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Major {
    Unsigned = 0,
    Negative = 1,
    Bytes = 2,
    Text = 3,
    Array = 4,
    Map = 5,
    Tag = 6,
    Simple = 7,
}

impl Major {
    fn of(first: u8) -> Self {
        match first >> 5 {
            0 => Major::Unsigned,
            1 => Major::Negative,
            2 => Major::Bytes,
            3 => Major::Text,
            4 => Major::Array,
            5 => Major::Map,
            6 => Major::Tag,
            _ => Major::Simple,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Major::Unsigned => "an unsigned integer",
            Major::Negative => "a negative integer",
            Major::Bytes => "a byte string",
            Major::Text => "a text string",
            Major::Array => "an array",
            Major::Map => "a map",
            Major::Tag => "a tag",
            Major::Simple => "a simple value",
        }
    }
}

/// First octet of the array that a bundle is.
pub(super) const INDEFINITE_ARRAY: u8 = 0x9F;
/// The stop code that ends it.
pub(super) const BREAK: u8 = 0xFF;

const INDEFINITE: u8 = 31;
const FALSE: u8 = 0xF4;
const TRUE: u8 = 0xF5;

/// Nesting that [`Reader::skip_item`] follows. Administrative records need five.
const MAX_DEPTH: usize = 16;

/// Octets of the shortest head that carries `argument`.
pub(super) const fn head_len(argument: u64) -> usize {
    match argument {
        0..=23 => 1,
        24..=0xFF => 2,
        0x100..=0xFFFF => 3,
        0x1_0000..=0xFFFF_FFFF => 5,
        _ => 9,
    }
}

pub(super) fn put_head(out: &mut Vec<u8>, major: Major, argument: u64) {
    let major = (major as u8) << 5;
    let be = argument.to_be_bytes();
    match head_len(argument) {
        1 => out.push(major | be[7]),
        2 => out.extend_from_slice(&[major | 24, be[7]]),
        3 => out.extend_from_slice(&[major | 25, be[6], be[7]]),
        5 => out.extend_from_slice(&[major | 26, be[4], be[5], be[6], be[7]]),
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&be);
        }
    }
}

pub(super) fn put_unsigned(out: &mut Vec<u8>, value: u64) {
    put_head(out, Major::Unsigned, value);
}

pub(super) fn put_array(out: &mut Vec<u8>, elements: u64) {
    put_head(out, Major::Array, elements);
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_head(out, Major::Text, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

pub(super) fn put_bool(out: &mut Vec<u8>, value: bool) {
    out.push(if value { TRUE } else { FALSE });
}

/// Reads items one after the other. Errors name the `field` which the caller was after.
pub(super) struct Reader<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, at: 0 }
    }

    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub fn unsigned(&mut self, field: &'static str) -> Result<u64, BundleError> {
        self.head_of(Major::Unsigned, field)
    }

    pub fn array(&mut self, field: &'static str) -> Result<u64, BundleError> {
        self.head_of(Major::Array, field)
    }

    /// An array that must have `expected` elements.
    pub fn array_of(&mut self, expected: u64, field: &'static str) -> Result<(), BundleError> {
        let at = self.at;
        match self.array(field)? {
            found if found == expected => Ok(()),
            found => Err(BundleError::ElementCount { at, field, expected, found }),
        }
    }

    pub fn byte_string(&mut self, field: &'static str) -> Result<&'a [u8], BundleError> {
        let len = self.head_of(Major::Bytes, field)?;
        self.take(len, field)
    }

    pub fn text(&mut self, field: &'static str) -> Result<&'a str, BundleError> {
        let at = self.at;
        let len = self.head_of(Major::Text, field)?;
        std::str::from_utf8(self.take(len, field)?).map_err(|_| BundleError::NotUtf8 { at, field })
    }

    pub fn boolean(&mut self, field: &'static str) -> Result<bool, BundleError> {
        let found = match self.peek() {
            Some(octet @ (FALSE | TRUE)) => {
                self.at += 1;
                return Ok(octet == TRUE);
            }
            Some(octet) => Major::of(octet).name(),
            None => return Err(BundleError::Truncated { at: self.at, field, missing: 1 }),
        };
        Err(BundleError::WrongType { at: self.at, field, expected: "a Boolean", found })
    }

    /// Refuses whatever follows the last item.
    pub fn finish(&self) -> Result<(), BundleError> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            octets => Err(BundleError::TrailingOctets { at: self.at, octets }),
        }
    }

    /// Passes over one well-formed item of any type and gives its octets. Its width is not judged: what a record of an
    /// unknown type contains is for its own document to say.
    pub fn skip_item(&mut self, field: &'static str) -> Result<&'a [u8], BundleError> {
        let start = self.at;
        // Items still to come at each level of nesting. Bounded, so hostile nesting costs neither stack nor heap.
        let mut pending = [0u64; MAX_DEPTH];
        let mut depth = 0;
        pending[0] = 1;
        loop {
            while pending[depth] == 0 {
                if depth == 0 {
                    return Ok(&self.bytes[start..self.at]);
                }
                depth -= 1;
            }
            pending[depth] -= 1;
            let at = self.at;
            let (major, argument, _) = self.head(field)?;
            let children = match major {
                Major::Bytes => self.take(argument, field).map(|_| 0)?,
                Major::Text => {
                    let text = self.take(argument, field)?;
                    std::str::from_utf8(text).map(|_| 0).map_err(|_| BundleError::NotUtf8 { at, field })?
                }
                Major::Array => argument,
                Major::Map => argument.saturating_mul(2),
                Major::Tag => 1,
                Major::Unsigned | Major::Negative | Major::Simple => 0,
            };
            if children > 0 {
                depth += 1;
                *pending.get_mut(depth).ok_or(BundleError::TooDeep { at, field })? = children;
            }
        }
    }

    fn take(&mut self, len: u64, field: &'static str) -> Result<&'a [u8], BundleError> {
        let left = self.bytes.len() - self.at;
        if len > left as u64 {
            return Err(BundleError::Truncated { at: self.at, field, missing: len - left as u64 });
        }
        let taken = &self.bytes[self.at..][..len as usize];
        self.at += taken.len();
        Ok(taken)
    }

    #[inline]
    fn head_of(&mut self, expected: Major, field: &'static str) -> Result<u64, BundleError> {
        let at = self.at;
        if let Some(first) = self.peek() {
            let major = Major::of(first);
            if major != expected {
                let found = if first == BREAK { "a break" } else { major.name() };
                return Err(BundleError::WrongType { at, field, expected: expected.name(), found });
            }
        }
        match self.head(field)? {
            (_, argument, true) => Ok(argument),
            (_, _, false) => Err(BundleError::NotShortest { at, field }),
        }
    }

    /// Major type, argument, and whether the head is as short as it can be.
    #[inline]
    fn head(&mut self, field: &'static str) -> Result<(Major, u64, bool), BundleError> {
        let at = self.at;
        let first = self.peek().ok_or(BundleError::Truncated { at, field, missing: 1 })?;
        self.at += 1;
        let major = Major::of(first);
        let width = match first & 0x1F {
            argument @ 0..=23 => return Ok((major, u64::from(argument), true)),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            INDEFINITE if first == BREAK => {
                return Err(BundleError::WrongType { at, field, expected: "an item", found: "a break" });
            }
            INDEFINITE => return Err(BundleError::IndefiniteLength { at, field }),
            _ => return Err(BundleError::ReservedHead { at, field, octet: first }),
        };
        let argument = self.take(width, field)?.iter().fold(0, |sum, &octet| sum << 8 | u64::from(octet));
        if major == Major::Simple && width == 1 && argument < 32 {
            return Err(BundleError::ReservedHead { at, field, octet: first });
        }
        // Floats share the simple values' major type, and their width is their own.
        let shortest = major == Major::Simple || head_len(argument) == 1 + width as usize;
        Ok((major, argument, shortest))
    }
}
