//! What an input is, and the octets in it.
//!
//! # Text
//! Hex digits may stand in any grouping, separated by white space, `,`, `:`, `;`, `-` or `_`, with `0x` or `\x` before
//! them; `#` begins a comment that ends with its line. Dumps are read too, as `xxd`, `hexdump -C`, `od -A x -t x1` and
//! `tshark -x` write them: a line that begins with the number of octets before it, in four or more hex digits, and goes on
//! with `:` or white space, is a line of a dump, and what follows its octets after `|`, `>` or two spaces is not read.
//! Text that is not hex throughout, and has no spaces within lines, is base64 (RFC 4648, either alphabet, padding optional, white space ignored).

use std::io::Read;

use thiserror::Error;

use crate::capture;

/// Longest input that is held in memory: everything but captures, which are read as they come.
pub const MAX_INPUT: u64 = 1 << 30;

/// What an input may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The octets themselves.
    Raw,
    /// Hex digits or a dump.
    Hex,
    /// Base64.
    Base64,
    /// pcap or pcapng.
    Capture,
}

/// Why an input holds no octets to look at.
#[derive(Debug, Error)]
pub enum InputError {
    /// The system refuses.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// Nothing at all.
    #[error("is empty")]
    Empty,
    /// Only white space and comments.
    #[error("has no hex digits, only white space or comments")]
    NoDigits,
    /// Compressed data.
    #[error("is compressed with {with}: decompress it first, as in `{how}`")]
    Compressed {
        /// By which program.
        with: &'static str,
        /// How to undo it.
        how: &'static str,
    },
    /// Neither hex nor base64, and not of octets that could be what is looked for.
    #[error(
        "line {line}, column {column}: {found:?} is no hex digit; raw octets, hex, base64, pcap and pcapng are read"
    )]
    NotHex {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What stands there.
        found: char,
    },
    /// A digit is left over.
    #[error("line {line}: an odd number of hex digits, so half an octet is missing or too much")]
    OddDigits {
        /// Line, from 1.
        line: usize,
    },
    /// `hexdump` leaves out lines that repeat.
    #[error("line {line}: `*` stands for lines that hexdump has left out: write the dump again with `hexdump -vC`")]
    Squeezed {
        /// Line, from 1.
        line: usize,
    },
    /// A character that base64 does not have, or a number of characters that it cannot have.
    #[error("is no base64: {0}")]
    NotBase64(String),
    /// More than [`MAX_INPUT`].
    #[error("has more than 1 GiB; only captures may be longer")]
    TooLong,
}

/// What the first octets of an input show it to be. `raw` tells whether octets can be the thing itself.
pub fn kind_of(first: &[u8], raw: impl FnOnce(&[u8]) -> bool) -> Kind {
    if capture::is_capture(first) {
        return Kind::Capture;
    }
    if raw(first) || first.iter().any(|&octet| !(octet.is_ascii_graphic() || octet.is_ascii_whitespace())) {
        return Kind::Raw;
    }
    let text = String::from_utf8_lossy(first);
    // The last line may be cut where what was looked at ends.
    let whole_lines = text.rfind('\n').map_or(&*text, |end| &text[..end]);
    match hex(whole_lines) {
        Ok(_) | Err(InputError::OddDigits { .. } | InputError::Squeezed { .. } | InputError::NoDigits) => Kind::Hex,
        Err(_) if is_base64(&text) => Kind::Base64,
        Err(_) => Kind::Hex,
    }
}

/// The octets of an input of a kind; of a capture, as of raw octets, the input itself.
///
/// # Errors
/// See [`InputError`].
pub fn octets(kind: Kind, mut input: impl Read) -> Result<Vec<u8>, InputError> {
    let mut bytes = Vec::new();
    input.by_ref().take(MAX_INPUT + 1).read_to_end(&mut bytes)?;
    if bytes.is_empty() {
        return Err(InputError::Empty);
    }
    if bytes.len() as u64 > MAX_INPUT {
        return Err(InputError::TooLong);
    }
    match kind {
        Kind::Raw | Kind::Capture => compressed(&bytes).map_or(Ok(bytes), Err),
        Kind::Hex => hex(&String::from_utf8_lossy(&bytes)),
        Kind::Base64 => base64(&bytes),
    }
}

fn compressed(bytes: &[u8]) -> Option<InputError> {
    let (with, how) = match bytes {
        [0x1F, 0x8B, ..] => ("gzip", "gunzip -c FILE | farlink … -"),
        [0x28, 0xB5, 0x2F, 0xFD, ..] => ("zstd", "zstdcat FILE | farlink … -"),
        [0xFD, b'7', b'z', b'X', b'Z', ..] => ("xz", "xzcat FILE | farlink … -"),
        [b'P', b'K', 3, 4, ..] => ("zip", "unzip -p FILE | farlink … -"),
        _ => return None,
    };
    Some(InputError::Compressed { with, how })
}

/// Reads hex digits or a dump.
///
/// # Errors
/// A character that does not belong there, or half an octet.
pub fn hex(text: &str) -> Result<Vec<u8>, InputError> {
    let mut octets = Vec::new();
    let mut half: Option<u8> = None;
    let mut is_dump = false;
    for (number, line) in text.lines().enumerate() {
        let line_number = number + 1;
        let line = line.split('#').next().unwrap_or_default();
        if is_dump && line.trim() == "*" {
            return Err(InputError::Squeezed { line: line_number });
        }
        let (skipped, digits) = match half.is_none().then(|| dump_line(line, octets.len(), is_dump)).flatten() {
            Some((skipped, digits)) => {
                is_dump = true;
                (skipped, digits)
            }
            None => (0, line),
        };
        let mut previous = ' ';
        for (column, character) in digits.char_indices() {
            let is_prefix = matches!((previous, character), ('0', 'x' | 'X') | ('\\', 'x' | 'X'));
            if is_prefix && previous == '0' {
                half = None;
            }
            let separates = character.is_whitespace() || matches!(character, ',' | ':' | ';' | '-' | '_' | '\\');
            match character.to_digit(16) {
                Some(digit) => match half.take() {
                    Some(high) => octets.push(high << 4 | digit as u8),
                    None => half = Some(digit as u8),
                },
                None if is_prefix || separates => {}
                None => {
                    let column = line[..skipped + column].chars().count() + 1;
                    return Err(InputError::NotHex { line: line_number, column, found: character });
                }
            }
            previous = character;
        }
        if is_dump && half.is_some() {
            return Err(InputError::OddDigits { line: line_number });
        }
    }
    match half {
        Some(_) => Err(InputError::OddDigits { line: text.lines().count() }),
        None if octets.is_empty() => Err(InputError::NoDigits),
        None => Ok(octets),
    }
}

/// The digits of a line of a dump and how many octets of the line stand before them.
fn dump_line(line: &str, octets_before: usize, is_dump: bool) -> Option<(usize, &str)> {
    let start = line.len() - line.trim_start().len();
    let length = line[start..].bytes().take_while(u8::is_ascii_hexdigit).count();
    let offset = u64::from_str_radix(line.get(start..start + length)?, 16).ok()?;
    let rest = &line[start + length..];
    // A last line with nothing but the length belongs to a dump only if lines before it do.
    let bare = rest.trim().is_empty();
    if length < 4 || offset != octets_before as u64 || (bare && !is_dump) {
        return None;
    }
    let digits_at = start + length + usize::from(rest.starts_with(':'));
    let digits = &line[digits_at..];
    if !bare && !rest.starts_with(':') && !rest.starts_with(char::is_whitespace) {
        return None;
    }
    let skipped = digits_at + (digits.len() - digits.trim_start().len());
    let digits = digits.trim_start();
    // `hexdump -C` has two spaces in the middle, but marks its characters; others have them before the characters.
    let end = digits.find(['|', '>']).or_else(|| digits.find("  ")).unwrap_or(digits.len());
    let digits = &digits[..end];
    // "0000 0000" may be two groups of plain digits as well: then it is no dump, unless groups are octets.
    let groups_are_octets = digits.split_whitespace().all(|group| group.len().is_multiple_of(2) && group.len() <= 8);
    (bare
        || (groups_are_octets
            && (is_dump
                || rest.starts_with(':')
                || line[start + length..].starts_with("  ")
                || digits.split_whitespace().all(|group| group.len() == 2))))
    .then_some((skipped, digits))
}

/// Whether a text can be base64. Spaces within a line speak for hex digits with a slip of the pen among them.
fn is_base64(text: &str) -> bool {
    let of_it = |octet: u8| base64_value(octet).is_some() || octet == b'=';
    text.lines().all(|line| line.trim().bytes().all(of_it))
}

fn base64_value(octet: u8) -> Option<u8> {
    match octet {
        b'A'..=b'Z' => Some(octet - b'A'),
        b'a'..=b'z' => Some(octet - b'a' + 26),
        b'0'..=b'9' => Some(octet - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// Reads base64 (RFC 4648 sections 4 and 5).
///
/// # Errors
/// A character of another kind, or a last group of one character.
pub fn base64(text: &[u8]) -> Result<Vec<u8>, InputError> {
    let mut octets = Vec::with_capacity(text.len() / 4 * 3);
    let (mut group, mut characters) = (0u32, 0);
    let mut ended = false;
    for (at, &octet) in text.iter().enumerate().filter(|(_, octet)| !octet.is_ascii_whitespace()) {
        if octet == b'=' {
            ended = true;
            continue;
        }
        let value = base64_value(octet).filter(|_| !ended).ok_or_else(|| {
            InputError::NotBase64(format!(
                "octet {at} is {:?}{}",
                octet as char,
                if ended { " after the padding" } else { "" }
            ))
        })?;
        group = group << 6 | u32::from(value);
        characters += 1;
        if characters == 4 {
            octets.extend(&group.to_be_bytes()[1..]);
            (group, characters) = (0, 0);
        }
    }
    match characters {
        0 => {}
        1 => return Err(InputError::NotBase64("one character is left over at its end".to_owned())),
        2 => octets.push((group >> 4) as u8),
        _ => octets.extend([(group >> 10) as u8, (group >> 2) as u8]),
    }
    if octets.is_empty() { Err(InputError::Empty) } else { Ok(octets) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_in_every_documented_form() {
        for text in [
            "9f88070061ff",
            "9F 88 07 00 61 FF\n",
            "0x9f, 0x88, 0x07, 0x00, 0x61, 0xff",
            "0x9f880700 0x61ff",
            "\\x9f\\x88\\x07\\x00\\x61\\xff",
            "9f:88:07:00:61:ff # a comment: 00",
            "9f8\n80\n70061ff",
            "00000000: 9f88 0700 61ff                           ....a.\n",
            "00000000  9f 88 07 00 61 ff                                 |....a.|\n00000006\n",
            "0000  9f 88 07 00 61 ff                                 ....a.\n",
            "0000 9f 88 07 00 61 ff\n",
            "000000 9f 88 07 00 61 ff\n000006\n",
            "0000: 9f88\n0002: 0700  ab\n0004: 61ff  ff\n",
        ] {
            assert_eq!(hex(text).unwrap(), [0x9f, 0x88, 7, 0, 0x61, 0xff], "{text}");
        }
        // Two groups that look like an offset but have as many digits as the others.
        assert_eq!(hex("0000 0001 0002").unwrap(), [0, 0, 0, 1, 0, 2]);
    }

    #[test]
    fn what_is_no_hex_is_told_with_its_place() {
        assert_eq!(
            hex("9f 8g").unwrap_err().to_string().split(';').next(),
            Some("line 1, column 5: 'g' is no hex digit")
        );
        assert!(matches!(hex("9f\n8"), Err(InputError::OddDigits { line: 2 })));
        assert!(matches!(hex("# nothing\n"), Err(InputError::NoDigits)));
        assert!(matches!(hex("00000000  9f 88\n*\n"), Err(InputError::Squeezed { line: 2 })));
    }

    #[test]
    fn base64_is_read_with_and_without_padding() {
        // RFC 4648 section 10.
        for (text, octets) in
            [("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg", "foob"), ("Zm 9v\nYmE=", "fooba")]
        {
            assert_eq!(base64(text.as_bytes()).unwrap(), octets.as_bytes(), "{text}");
        }
        assert_eq!(base64(b"-_8=").unwrap(), [0xfb, 0xff]);
        for text in ["Z", "Zg==Zg", "Zm9v!"] {
            assert!(base64(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn kinds_are_found_by_content() {
        let raw = |octets: &[u8]| octets.first() == Some(&0x9F);
        assert_eq!(kind_of(&[0x9F, 0x88], raw), Kind::Raw);
        assert_eq!(kind_of(b"9f 88 07", raw), Kind::Hex);
        assert_eq!(kind_of(b"n4gHAA==", raw), Kind::Base64);
        assert_eq!(kind_of(b"9f 88 0z", raw), Kind::Hex, "a slip of the pen");
        assert_eq!(kind_of(&[0x0A, 0x0D, 0x0D, 0x0A], raw), Kind::Capture);
        assert_eq!(kind_of(&[0xD4, 0xC3, 0xB2, 0xA1], raw), Kind::Capture);
        assert_eq!(kind_of(&[0x06, 0x81], raw), Kind::Raw);
        assert_eq!(kind_of(b"{\"json\": 1}", raw), Kind::Hex, "refused with the place");
    }
}
