//! Octets for people.

use std::fmt::Write;
use std::ops::Range;

/// Octets to a line.
const WIDTH: usize = 16;

/// Lower-case hex digits without spaces.
pub fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// Lines such as `0010  52 65 61 64 79 20 74 6f  20 67 65 6e 65 72 61 74  |Ready to generat|`, the first offset being
/// `start`.
pub fn dump(bytes: &[u8], start: usize) -> Vec<String> {
    bytes
        .chunks(WIDTH)
        .enumerate()
        .map(|(n, chunk)| format!("{}  |{}|", row(start + n * WIDTH, chunk), ascii(chunk)))
        .collect()
}

/// The lines around the octets `marked` of `bytes`, with carets under the first line of them. Marks past the end point
/// to where the input ends.
pub fn excerpt(bytes: &[u8], marked: Range<usize>) -> Vec<String> {
    let at = marked.start.min(bytes.len());
    // The line that is marked and the one before it tell enough.
    let line = if at == bytes.len() && at > 0 && at.is_multiple_of(WIDTH) { at - WIDTH } else { at / WIDTH * WIDTH };
    let from = line.saturating_sub(WIDTH);
    let to = (line + 2 * WIDTH).min(bytes.len());
    let mut lines = Vec::new();
    for start in (from..to.max(from + 1)).step_by(WIDTH) {
        let chunk = &bytes[start.min(to)..(start + WIDTH).min(to)];
        lines.push(format!("{}  |{}|", row(start, chunk), ascii(chunk)));
        if start == line {
            let length = marked.len().clamp(1, (line + WIDTH).saturating_sub(at).max(1));
            let mut carets = " ".repeat(column(at - line));
            carets.push_str(&"^".repeat(column(at - line + length - 1) + 2 - column(at - line)));
            if at == bytes.len() {
                carets.push_str(" the input ends here");
            }
            lines.push(carets);
        }
    }
    lines
}

/// Where the digits of the octet `n` of a line begin.
fn column(n: usize) -> usize {
    6 + n * 3 + n / 8
}

fn row(offset: usize, chunk: &[u8]) -> String {
    let mut text = format!("{offset:04x} ");
    for n in 0..WIDTH {
        if n == 8 {
            text.push(' ');
        }
        match chunk.get(n) {
            Some(octet) => {
                let _ = write!(text, " {octet:02x}");
            }
            None => text.push_str("   "),
        }
    }
    text
}

fn ascii(chunk: &[u8]) -> String {
    chunk.iter().map(|&octet| if octet.is_ascii_graphic() || octet == b' ' { octet as char } else { '.' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_has_offset_octets_and_characters() {
        let lines = dump(b"Ready to generate", 0x10);
        assert_eq!(lines[0], "0010  52 65 61 64 79 20 74 6f  20 67 65 6e 65 72 61 74  |Ready to generat|");
        assert_eq!(lines[1], "0020  65                                                |e|");
    }

    #[test]
    fn carets_stand_under_the_octets_that_are_meant() {
        let bytes: Vec<u8> = (0..64).collect();
        for at in 0..64 {
            let lines = excerpt(&bytes, at..at + 1);
            let carets = lines.iter().position(|l| l.trim_start().starts_with('^')).unwrap();
            let column = lines[carets].find('^').unwrap();
            assert_eq!(lines[carets - 1][column..column + 2], format!("{at:02x}"), "{lines:#?}");
        }
        let lines = excerpt(&bytes, 7..9);
        assert_eq!(lines[1].trim(), "^^^^^^", "octets 7 and 8 are four characters apart: {lines:#?}");
        for length in [0, 1, 15, 16, 17, 32] {
            let lines = excerpt(&bytes[..length], length..length + 1);
            assert!(lines.iter().any(|l| l.ends_with("^^ the input ends here")), "{length}: {lines:#?}");
        }
    }
}
