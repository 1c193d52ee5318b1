//! Lines of files that others have written.

use thiserror::Error;

/// The longest line that is read, in bytes; those of the formats have a few hundred.
const LONGEST_LINE: usize = 4096;

/// Why a file is no text of lines.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TextError {
    /// Octets that are not UTF-8.
    #[error("line {line} is not UTF-8 text: is this the right file?")]
    NotUtf8 {
        /// The line, from 1.
        line: usize,
    },
    /// A line that no such file has.
    #[error("line {line} has {length} bytes, of {LONGEST_LINE} at most: is this the right file?")]
    TooLong {
        /// The line, from 1.
        line: usize,
        /// Its length in bytes.
        length: usize,
    },
}

/// The lines that hold something, each with its number from 1, without space at either end.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = Result<(usize, &str), TextError>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.split(|b| *b == b'\n').enumerate().filter_map(|(index, raw)| {
        let line = index + 1;
        if raw.len() > LONGEST_LINE {
            return Some(Err(TextError::TooLong { line, length: raw.len() }));
        }
        match str::from_utf8(raw) {
            Err(_) => Some(Err(TextError::NotUtf8 { line })),
            Ok(text) => Some(text.trim()).filter(|text| !text.is_empty()).map(|text| Ok((line, text))),
        }
    })
}

/// The beginning of a text, short enough for a message.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 60;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    text.chars().take(MOST).chain(['…']).collect()
}

/// A finite decimal number. Rust also reads `inf` and `nan`, which no file means.
pub(crate) fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_numbers() {
        let found: Vec<_> = lines(b"\xef\xbb\xbfone\r\n\n  two \n").map(Result::unwrap).collect();
        assert_eq!(found, [(1, "one"), (3, "two")]);
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_line() {
        assert_eq!(lines(b"a\n\xff\xfe\n").nth(1), Some(Err(TextError::NotUtf8 { line: 2 })));
        let long = [b"a\nb\n".to_vec(), vec![b'x'; 5000]].concat();
        assert_eq!(lines(&long).nth(2), Some(Err(TextError::TooLong { line: 3, length: 5000 })));
    }
}
