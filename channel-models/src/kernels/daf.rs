//! Looks a binary kernel through before it is trusted: SPK and PCK files are double precision array files (NAIF, "DAF Required
//! Reading", "SPK Required Reading", "PCK Required Reading").
//!
//! What the reader behind takes for granted is proved here: that the chain of summary records ends, that every segment lies within
//! the file, that its directory fits its length, that its times cover what its summary promises, and that every number is finite.

use std::collections::BTreeMap;

use super::KernelError;

const RECORD: usize = 1024;
/// Words of a summary: two times and six integers (five and a gap in a PCK file).
const SUMMARY: usize = 40;
/// Seconds by which the times of a segment may miss those of its summary, for rounding.
const SLACK_S: f64 = 1e-3;
/// The widest window that Hermite and Lagrange interpolation can use.
const WIDEST_WINDOW: f64 = 32.0;
/// More segments than any kernel has.
const MOST_SEGMENTS: usize = 10_000;
/// A million years in seconds: no kernel reaches there.
const LONGEST_S: f64 = 3.2e13;

/// What a binary kernel holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Positions.
    Spk,
    /// Orientations.
    Pck,
}

/// A segment that has been looked through. Times are TDB seconds since J2000.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Segment {
    /// The NAIF ID of the body, in a PCK file of the body-fixed frame.
    pub(super) target: i32,
    /// The NAIF ID of the body from which positions count, in a PCK file of the inertial frame.
    pub(super) center: i32,
    pub(super) start: f64,
    pub(super) end: f64,
}

/// What kind of binary kernel the octets are, if any.
pub(super) fn content(bytes: &[u8]) -> Option<Content> {
    match bytes.get(..8)? {
        b"DAF/SPK " => Some(Content::Spk),
        b"DAF/PCK " => Some(Content::Pck),
        _ => None,
    }
}

/// Looks the file through and returns its segments. What lies behind the last summary of a record, which means nothing, is set to
/// zero, and the summaries of a target whose segments overlap are turned round: SPICE takes the last that fits, the reader the first.
pub(super) fn look_through(kernel: &str, bytes: &mut [u8], content: Content) -> Result<Vec<Segment>, KernelError> {
    let damaged = |what: String| KernelError::Damaged { kernel: kernel.to_owned(), what };
    if bytes.len() < 2 * RECORD {
        return Err(damaged(format!("it has {} octets, fewer than the first two records", bytes.len())));
    }
    match &bytes[88..96] {
        b"LTL-IEEE" => {}
        b"BIG-IEEE" => {
            return Err(KernelError::Unsupported {
                kernel: kernel.to_owned(),
                what: "big-endian numbers (`bingo` or `spkmerge` of the SPICE toolkit turns them round)".to_owned(),
            });
        }
        other => return Err(damaged(format!("octets 88 to 95 are `{}`, not `LTL-IEEE`", other.escape_ascii()))),
    }
    let (doubles, integers) = (integer(bytes, 8), integer(bytes, 12));
    let wanted = if content == Content::Spk { 6 } else { 5 };
    if (doubles, integers) != (2, wanted) {
        return Err(damaged(format!(
            "its summaries have {doubles} doubles and {integers} integers, not 2 and {wanted}"
        )));
    }

    let mut segments = Vec::new();
    let mut summaries = Vec::new();
    let mut words = 0;
    let mut next = f64::from(integer(bytes, 76));
    let records = bytes.len() / RECORD;
    for _ in 0..records {
        let at = record_offset(next, bytes.len())
            .ok_or_else(|| damaged(format!("a summary record is said to be record {next} of {records}")))?;
        let count = double(bytes, at + 16);
        if !(0.0..=25.0).contains(&count) || count.fract() != 0.0 {
            return Err(damaged(format!(
                "the summary record at octet {at} is said to hold {count} summaries, not 0 to 25"
            )));
        }
        let end = at + 24 + count as usize * SUMMARY;
        for summary in (at + 24..end).step_by(SUMMARY) {
            let (segment, length) = segment(bytes, summary, content)
                .map_err(|what| damaged(format!("the segment of the summary at octet {summary}: {what}")))?;
            words += length;
            // Otherwise a small file could keep one busy for ever with one segment under many names.
            if words > bytes.len() / 8 || segments.len() == MOST_SEGMENTS {
                return Err(damaged("its segments overlap, or are more than 10000".to_owned()));
            }
            segments.push(segment);
            summaries.push(summary);
        }
        bytes[end..at + RECORD].fill(0);
        next = double(bytes, at);
        if next == 0.0 {
            if segments.is_empty() {
                return Err(damaged("it has no segments".to_owned()));
            }
            later_first(bytes, &segments, &summaries);
            return Ok(segments);
        }
    }
    Err(damaged("its summary records go round in a circle".to_owned()))
}

/// Turns the summaries of each target round whose segments are not in order and apart.
fn later_first(bytes: &mut [u8], segments: &[Segment], summaries: &[usize]) {
    let mut of_target: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
    for (k, segment) in segments.iter().enumerate() {
        of_target.entry(segment.target).or_default().push(k);
    }
    for own in of_target.values().filter(|own| own.windows(2).any(|w| segments[w[0]].end > segments[w[1]].start)) {
        for (&a, &b) in own.iter().zip(own.iter().rev()).take(own.len() / 2) {
            let (a, b) = (summaries[a], summaries[b]);
            for k in 0..SUMMARY {
                bytes.swap(a + k, b + k);
            }
        }
    }
}

/// Where a record (counted from 1) begins, if it can be a summary record followed by its name record.
fn record_offset(number: f64, length: usize) -> Option<usize> {
    if !(2.0..=(length / RECORD) as f64).contains(&number) || number.fract() != 0.0 {
        return None;
    }
    let at = (number as usize - 1) * RECORD;
    (at + 2 * RECORD <= length).then_some(at)
}

fn integer(bytes: &[u8], at: usize) -> i32 {
    i32::from_le_bytes(bytes[at..at + 4].try_into().expect("four octets"))
}

fn double(bytes: &[u8], at: usize) -> f64 {
    f64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight octets"))
}

/// The segment of the summary at `at`, and how many words it has.
fn segment(bytes: &[u8], at: usize, content: Content) -> Result<(Segment, usize), String> {
    let [start, end] = [double(bytes, at), double(bytes, at + 8)];
    let word = |k: usize| integer(bytes, at + 16 + 4 * k);
    if !(start.abs() < LONGEST_S && end.abs() < LONGEST_S && start < end) {
        return Err(format!("it runs from {start} to {end} seconds"));
    }
    let (target, center) = (word(0), word(1));
    let (frame, kind, first, last) = match content {
        Content::Spk => (word(2), word(3), word(4), word(5)),
        Content::Pck => (word(1), word(2), word(3), word(4)),
    };
    // 1 is J2000, which SPICE takes for ICRF; 17 is the ecliptic of J2000.
    if frame != 1 && !(content == Content::Pck && frame == 17) {
        return Err(format!("its frame is {frame}; only 1 (J2000) can be read"));
    }
    if target == center && content == Content::Spk {
        return Err(format!("it places {target} from itself"));
    }
    let words = usize::try_from(first)
        .ok()
        .zip(usize::try_from(last).ok())
        .filter(|(first, last)| 0 < *first && first <= last && *last <= bytes.len() / 8)
        .ok_or_else(|| format!("it is said to lie in words {first} to {last} of {}", bytes.len() / 8))?;
    let data = Words(&bytes[(words.0 - 1) * 8..words.1 * 8]);
    if let Some(k) = (0..data.len()).find(|k| !data.get(*k).is_finite()) {
        return Err(format!("word {} is {}", words.0 + k, data.get(k)));
    }
    let covered = match (content, kind) {
        (_, 2) => data.chebyshev(3),
        (Content::Spk, 3) => data.chebyshev(6),
        (Content::Spk, 8 | 12) => data.even_states(),
        (Content::Spk, 9 | 13) => data.uneven_states(),
        _ => Err(format!("its type is {kind}; 2, 3, 8, 9, 12 and 13 of an SPK file and 2 of a PCK file can be read")),
    }?;
    if start < covered.0 - SLACK_S || end > covered.1 + SLACK_S {
        return Err(format!(
            "it should run from {start} to {end} seconds, but its data run from {} to {}",
            covered.0, covered.1
        ));
    }
    Ok((Segment { target, center, start, end }, data.len()))
}

/// The numbers of a segment.
struct Words<'a>(&'a [u8]);

impl Words<'_> {
    fn len(&self) -> usize {
        self.0.len() / 8
    }

    fn get(&self, k: usize) -> f64 {
        double(self.0, 8 * k)
    }

    /// The last `N` words.
    fn tail<const N: usize>(&self) -> Result<[f64; N], String> {
        let from = self.len().checked_sub(N).ok_or_else(|| format!("it has {} words", self.len()))?;
        Ok(std::array::from_fn(|k| self.get(from + k)))
    }

    /// A number of words or records from the file.
    fn count(&self, value: f64, what: &str) -> Result<usize, String> {
        if value.fract() != 0.0 || !(1.0..=self.len() as f64).contains(&value) {
            return Err(format!("{what} is {value}, in {} words", self.len()));
        }
        Ok(value as usize)
    }

    fn expect_length(&self, wanted: usize) -> Result<(), String> {
        if self.len() == wanted { Ok(()) } else { Err(format!("it has {} words where {wanted} belong", self.len())) }
    }

    /// Types 2 and 3: records of equal length, each with its middle, its radius and `components` polynomials.
    fn chebyshev(&self, components: usize) -> Result<(f64, f64), String> {
        let [begin, length, size, count] = self.tail()?;
        let (size, count) =
            (self.count(size, "the size of its records")?, self.count(count, "the number of its records")?);
        if size < 2 + components || !(size - 2).is_multiple_of(components) {
            return Err(format!("records of {size} words do not hold {components} polynomials"));
        }
        self.expect_length(size * count + 4)?;
        if length <= 0.0 {
            return Err(format!("its records are {length} seconds long"));
        }
        for k in 0..count {
            let (middle, radius) = (self.get(k * size), self.get(k * size + 1));
            let wanted = begin + (k as f64 + 0.5) * length;
            if (middle - wanted).abs() > SLACK_S || (radius - length / 2.0).abs() > SLACK_S {
                return Err(format!("record {k} is {middle} ± {radius} seconds, not {wanted} ± {}", length / 2.0));
            }
        }
        Ok((begin, begin + length * count as f64))
    }

    /// Types 8 and 12: states in equal steps.
    fn even_states(&self) -> Result<(f64, f64), String> {
        let [begin, step, window, count] = self.tail()?;
        let count = self.count(count, "the number of its states")?;
        self.expect_length(6 * count + 4)?;
        self.window(window, count)?;
        if step < SLACK_S {
            return Err(format!("its states are {step} seconds apart"));
        }
        Ok((begin, begin + step * (count - 1) as f64))
    }

    /// Types 9 and 13: states with an epoch each, and every hundredth epoch once more.
    fn uneven_states(&self) -> Result<(f64, f64), String> {
        let [window, count] = self.tail()?;
        let count = self.count(count, "the number of its states")?;
        let directory = (count - 1) / 100;
        self.expect_length(7 * count + directory + 2)?;
        self.window(window, count)?;
        let epoch = |k: usize| self.get(6 * count + k);
        if let Some(k) = (1..count).find(|k| epoch(*k) - epoch(*k - 1) < SLACK_S) {
            return Err(format!("state {k} is at {} seconds, after {}", epoch(k), epoch(k - 1)));
        }
        if let Some(k) = (0..directory).find(|k| self.get(7 * count + *k) != epoch(100 * (*k + 1) - 1)) {
            return Err(format!("entry {k} of its directory is not the epoch of state {}", 100 * (k + 1) - 1));
        }
        Ok((epoch(0), epoch(count - 1)))
    }

    /// How many states are taken together: the file has one less, the degree of a Lagrange polynomial.
    fn window(&self, less_one: f64, states: usize) -> Result<(), String> {
        let window = less_one + 1.0;
        if window.fract() != 0.0 || !(2.0..=WIDEST_WINDOW).contains(&window) || window > states as f64 {
            return Err(format!("it takes {window} of {states} states together, not 2 to {WIDEST_WINDOW}"));
        }
        Ok(())
    }
}
