//! Replay of a recorded trace.

use farlink_units::{Duration, Instant};
use thiserror::Error;

use super::{Airtime, Passage};

/// What was recorded of a channel, to happen again. A text file holds one; see [`Trace::parse`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace(Entries);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entries {
    /// Bits of the stream that flip.
    Bits {
        /// Their positions, from 0, rising.
        positions: Vec<u64>,
        /// After how many bits of the stream the trace begins again; never, if `None`.
        period: Option<u64>,
    },
    /// Frames that are lost.
    Frames {
        /// Their numbers, from 0, rising.
        numbers: Vec<u64>,
        /// After how many frames the trace begins again; never, if `None`.
        period: Option<u64>,
    },
    /// Stretches of time in which every frame is lost of which a bit leaves then.
    Losses {
        /// From when to when, in order and without overlap.
        intervals: Vec<(Instant, Instant)>,
    },
}

/// Why a file is no trace. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TraceError {
    /// The first line that is not empty does not say what follows.
    #[error(
        "line {line}: a trace begins with `# bits`, `# frames` or `# losses`; the first two may go on with \
         `repeat <count>`"
    )]
    NoHeader {
        /// Which line.
        line: usize,
    },
    /// A line is not UTF-8.
    #[error("line {line}: not UTF-8 text")]
    NotText {
        /// Which line.
        line: usize,
    },
    /// A line is not what the header announces.
    #[error("line {line}: `{text}` is not {expected}")]
    NotAnEntry {
        /// Which line.
        line: usize,
        /// What it says, cut at 40 characters.
        text: String,
        /// What belongs there, in words.
        expected: &'static str,
    },
    /// An entry does not follow the one before it.
    #[error("line {line}: {what} do not rise: sort the file and drop what stands twice or overlaps")]
    Order {
        /// Which line.
        line: usize,
        /// What the entries are.
        what: &'static str,
    },
    /// An entry lies beyond the end of what is repeated.
    #[error("line {line}: {position} is not within the {period} that the first line says are repeated")]
    BeyondPeriod {
        /// Which line.
        line: usize,
        /// The entry.
        position: u64,
        /// The length of what is repeated.
        period: u64,
    },
}

const POSITION: &str = "a whole number from 0 to 18446744073709551615";
const INTERVAL: &str =
    "an interval: write when it begins and ends, in seconds since the start of the run, as in `12.5 13.25`";
const REPEAT: &str = "a header: write `repeat` and a count above 0 after `bits` or `frames`";

impl Trace {
    /// Reads a trace.
    ///
    /// The first line says what follows: `# bits` for positions in the stream of bits, `# frames` for numbers of frames, both
    /// from 0 and one a line, or `# losses` for the beginning and the end of stretches of time in seconds since the start of
    /// the run, two a line. `# bits repeat 1000000` begins again after a million bits; so does `# frames repeat 1000`. Empty
    /// lines and further lines that begin with `#` say nothing. Entries rise.
    ///
    /// ```
    /// use farlink_channel_models::errors::Trace;
    ///
    /// assert!(Trace::parse(b"# losses\n# seconds since the start\n0.5 1\n7 7.125\n").is_ok());
    /// assert_eq!(Trace::parse(b"# bits\n12\n7\n").unwrap_err().to_string().split(':').next(), Some("line 3"));
    /// ```
    ///
    /// # Errors
    /// Anything else, with the line.
    pub fn parse(file: &[u8]) -> Result<Trace, TraceError> {
        let mut trace: Option<Entries> = None;
        for (line, bytes) in (1..).zip(file.split(|byte| *byte == b'\n')) {
            let text = std::str::from_utf8(bytes).map_err(|_| TraceError::NotText { line })?.trim();
            match &mut trace {
                _ if text.is_empty() => {}
                None => trace = Some(header(line, text)?),
                Some(_) if text.starts_with('#') => {}
                Some(trace) => trace.entry(line, text)?,
            }
        }
        trace.map(Trace).ok_or(TraceError::NoHeader { line: 1 })
    }
}

impl Entries {
    fn entry(&mut self, line: usize, text: &str) -> Result<(), TraceError> {
        match self {
            Entries::Bits { positions, period } => push_position(positions, *period, line, text, "positions of bits"),
            Entries::Frames { numbers, period } => push_position(numbers, *period, line, text, "numbers of frames"),
            Entries::Losses { intervals } => {
                let not_an_interval = || not_an_entry(line, text, INTERVAL);
                let (start, end) = text.split_once(char::is_whitespace).ok_or_else(not_an_interval)?;
                let start = instant(start).ok_or_else(not_an_interval)?;
                let end = instant(end.trim_start()).ok_or_else(not_an_interval)?;
                if end <= start || intervals.last().is_some_and(|(_, last)| start < *last) {
                    return Err(TraceError::Order { line, what: "intervals" });
                }
                intervals.push((start, end));
                Ok(())
            }
        }
    }
}

fn header(line: usize, text: &str) -> Result<Entries, TraceError> {
    let mut words = text.strip_prefix('#').ok_or(TraceError::NoHeader { line })?.split_whitespace();
    let what = words.next();
    let period = match (words.next(), words.next(), words.next()) {
        (None, ..) => None,
        (Some("repeat"), Some(count), None) if what != Some("losses") => {
            Some(count.parse().ok().filter(|count| *count > 0).ok_or_else(|| not_an_entry(line, text, REPEAT))?)
        }
        _ => return Err(not_an_entry(line, text, REPEAT)),
    };
    match what {
        Some("bits") => Ok(Entries::Bits { positions: Vec::new(), period }),
        Some("frames") => Ok(Entries::Frames { numbers: Vec::new(), period }),
        Some("losses") => Ok(Entries::Losses { intervals: Vec::new() }),
        _ => Err(TraceError::NoHeader { line }),
    }
}

fn not_an_entry(line: usize, text: &str, expected: &'static str) -> TraceError {
    TraceError::NotAnEntry { line, text: text.chars().take(40).collect(), expected }
}

fn push_position(
    list: &mut Vec<u64>,
    period: Option<u64>,
    line: usize,
    text: &str,
    what: &'static str,
) -> Result<(), TraceError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let position = text.parse().ok().filter(|_| digits).ok_or_else(|| not_an_entry(line, text, POSITION))?;
    if list.last().is_some_and(|last| position <= *last) {
        return Err(TraceError::Order { line, what });
    }
    if let Some(period) = period.filter(|period| position >= *period) {
        return Err(TraceError::BeyondPeriod { line, position, period });
    }
    list.push(position);
    Ok(())
}

/// Seconds as a decimal, to the nanosecond; digits further down are dropped.
fn instant(text: &str) -> Option<Instant> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let nanos =
        fraction.bytes().chain(std::iter::repeat(b'0')).take(9).fold(0, |n, digit| n * 10 + i64::from(digit - b'0'));
    let seconds: i64 = whole.parse().ok()?;
    Some(Instant::from_nanos(seconds.checked_mul(1_000_000_000)?.checked_add(nanos)?))
}

/// A list of positions that is gone through once or again and again.
#[derive(Clone, Debug)]
pub(super) struct Positions {
    list: Vec<u64>,
    period: Option<u64>,
    /// The next of the list.
    next: usize,
    /// How much of the period has gone by.
    at: u64,
}

impl Positions {
    fn new(list: Vec<u64>, period: Option<u64>) -> Self {
        Positions { list, period, next: 0, at: 0 }
    }

    /// Takes the next `count`, and says which of them are on the list.
    fn take(&mut self, count: u64, mut hit: impl FnMut(u64)) {
        let mut taken = 0;
        while taken < count {
            let end = self.period.map_or(u64::MAX, |period| period - self.at).min(count - taken);
            while let Some(position) = self.list.get(self.next).map(|position| position - self.at).filter(|p| *p < end)
            {
                hit(taken + position);
                self.next += 1;
            }
            taken += end;
            self.at = self.at.saturating_add(end);
            if self.period == Some(self.at) {
                (self.at, self.next) = (0, 0);
                if self.list.is_empty() {
                    return;
                }
            }
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Replay {
    Bits(Positions),
    Frames(Positions),
    Losses(Vec<(Instant, Instant)>),
}

impl Replay {
    pub(super) fn new(trace: Trace) -> Self {
        match trace.0 {
            Entries::Bits { positions, period } => Replay::Bits(Positions::new(positions, period)),
            Entries::Frames { numbers, period } => Replay::Frames(Positions::new(numbers, period)),
            Entries::Losses { intervals } => Replay::Losses(intervals),
        }
    }

    pub(super) fn strike(&mut self, frame: &Airtime, flips: &mut Vec<u64>) -> Passage {
        let mut erased = false;
        match self {
            Replay::Bits(positions) => positions.take(frame.bits, |position| flips.push(position)),
            Replay::Frames(numbers) => numbers.take(1, |_| erased = true),
            Replay::Losses(intervals) => {
                let next = intervals.partition_point(|(_, end)| *end <= frame.start);
                let last = frame.end.max(frame.start + Duration::from_nanos(1));
                erased = intervals.get(next).is_some_and(|(start, _)| *start < last);
            }
        }
        if erased { Passage::Erased } else { Passage::Carried }
    }
}
