//! Reading ionrc.

use std::collections::BTreeMap;

use farlink_units::{Instant, Ratio};

use super::super::error::quote;
use super::super::{Doubt, Import, MAX_CONTACTS, Place, ReadError, ReadOptions, ReadProblem, Warning};
use super::{LAST, MAX_BYTES_PER_S};
use crate::calendar::{at_s, epoch, time, to_unix};

const CONTACT: &str = "a contact +0 +3600 2 3 125000";
const RANGE: &str = "a range +0 +3600 2 3 7";

pub(in super::super) fn read(text: &str, options: &ReadOptions) -> Result<Import, ReadError> {
    let mut reader = Reader::new(options);
    for (index, line) in text.lines().enumerate() {
        reader.line = index + 1;
        reader.read_line(line.trim())?;
    }
    reader.finish()
}

/// A time of a command: `None` is one that never comes.
pub(super) type Time = Option<i64>;

pub(super) struct Range {
    pub end: Time,
    pub owlt_s: u64,
    pub line: usize,
}

pub(super) struct Entry {
    pub end: Time,
    pub bytes_per_s: u64,
    pub confidence: Ratio,
    pub line: usize,
}

pub(super) struct Reader<'a> {
    pub options: &'a ReadOptions,
    pub line: usize,
    /// The program of the section; a file without sections is of `ionadmin` alone.
    other_program: bool,
    /// The reference time: whether it is of the calendar, and its seconds (of POSIX, or from the start of the program).
    reference: (bool, i64),
    /// Whether the times so far are of the calendar.
    pub calendar: Option<bool>,
    pub first_reference: Option<i64>,
    region: u64,
    region_read: Option<u64>,
    pub nodes: Vec<u64>,
    pub contacts: BTreeMap<(u64, u64), BTreeMap<i64, Entry>>,
    pub ranges: BTreeMap<(u64, u64), BTreeMap<i64, Range>>,
    count: usize,
    pub fractions: bool,
    pub warnings: Vec<Warning>,
}

impl<'a> Reader<'a> {
    fn new(options: &'a ReadOptions) -> Self {
        let zero = options.epoch.and_then(|zero| time(Instant::ZERO, zero)).map(to_unix);
        Reader {
            options,
            line: 0,
            other_program: false,
            // A program that is told when it starts knows what its relative times mean.
            reference: (zero.is_some(), zero.unwrap_or(0)),
            calendar: None,
            first_reference: None,
            region: 1,
            region_read: options.region,
            nodes: Vec::new(),
            contacts: BTreeMap::new(),
            ranges: BTreeMap::new(),
            count: 0,
            fractions: false,
            warnings: Vec::new(),
        }
    }

    fn read_line(&mut self, line: &str) -> Result<(), ReadError> {
        if let Some(section) = line.strip_prefix("## begin") {
            self.other_program = section.trim() != "ionadmin";
        } else if line.starts_with("## end") {
            self.other_program = false;
        }
        let words: Vec<&str> = line.split_whitespace().take(9).collect();
        let Some(command) = words.first().and_then(|word| word.chars().next()) else { return Ok(()) };
        if self.other_program {
            return Ok(());
        }
        // Like ION, by the first letter alone; what has no bearing on the plan is passed over.
        match (command, words.get(1).copied()) {
            ('@', Some(time)) => self.set_reference(time),
            ('^', Some(region)) => self.set_region(region),
            ('a', Some("contact")) => self.add_contact(&words, line),
            ('a', Some("range")) => self.add_range(&words, line),
            ('c', Some("contact")) => self.change_contact(&words, line),
            ('d', Some("contact")) => self.delete_contact(&words, line),
            ('d', Some("range")) => self.delete_range(&words, line),
            ('a' | 'c' | 'd' | '@' | '^', _) => Err(self.usage(line, CONTACT)),
            ('#' | '?' | 'h' | 'e' | 'v' | '1' | '!' | 'i' | 'l' | 'b' | 'm' | 'r' | 's' | 'x', _) => Ok(()),
            _ => Err(self.usage(line, CONTACT)),
        }
    }

    fn error(&self, problem: ReadProblem) -> ReadError {
        ReadError::at(self.line, problem)
    }

    fn usage(&self, line: &str, usage: &'static str) -> ReadError {
        self.error(ReadProblem::Usage { text: quote(line), usage })
    }

    fn value(&self, field: &'static str, text: &str, wanted: &'static str) -> ReadError {
        self.error(ReadProblem::Value { field, text: quote(text), wanted })
    }

    fn warn(&mut self, doubt: Doubt) {
        self.warnings.push(Warning { place: Place::Line(self.line), doubt });
    }

    fn set_reference(&mut self, text: &str) -> Result<(), ReadError> {
        if text == "0" {
            // The start of the program, or what the caller says it is.
            self.reference = Reader::new(self.options).reference;
            return Ok(());
        }
        self.reference = self.raw_time(text)?;
        if self.reference.0 {
            self.first_reference.get_or_insert(self.reference.1);
        }
        Ok(())
    }

    fn set_region(&mut self, text: &str) -> Result<(), ReadError> {
        self.region = self.number("region", text)?;
        Ok(())
    }

    /// Whether commands about contacts count in this region.
    fn in_region(&mut self) -> Result<bool, ReadError> {
        if self.options.region.is_some_and(|region| region != self.region) {
            return Ok(false);
        }
        let first = *self.region_read.get_or_insert(self.region);
        if first != self.region {
            return Err(self.error(ReadProblem::SeveralRegions { first, second: self.region }));
        }
        Ok(true)
    }

    /// Whether it is of the calendar, and its seconds.
    fn raw_time(&self, text: &str) -> Result<(bool, i64), ReadError> {
        let wanted = "a time as in `+3600` or `2026/12/15-00:00:00`";
        let out_of_reach = || self.error(ReadProblem::TimeOutOfReach { text: quote(text) });
        if let Some(offset) = text.strip_prefix('+') {
            let offset = self.whole("time", offset, wanted)?.0;
            let second = i64::try_from(offset).ok().and_then(|o| self.reference.1.checked_add(o));
            return second.map(|second| (self.reference.0, second)).ok_or_else(out_of_reach);
        }
        let fields = calendar_fields(text).ok_or_else(|| self.value("time", text, wanted))?;
        epoch(fields).ok_or_else(out_of_reach)?;
        Ok((true, to_unix(fields)))
    }

    fn time(&mut self, text: &str) -> Result<Time, ReadError> {
        let (calendar, second) = self.raw_time(text)?;
        if calendar && second >= to_unix(LAST) {
            return Ok(None);
        }
        if *self.calendar.get_or_insert(calendar) != calendar {
            return Err(self.error(ReadProblem::MixedTimes { text: quote(text) }));
        }
        let base = if calendar { self.options_zero().unwrap_or(second) } else { 0 };
        if at_s(second - base).is_none() {
            return Err(self.error(ReadProblem::TimeOutOfReach { text: quote(text) }));
        }
        const TEN_YEARS_S: i64 = 315_576_000;
        if text.starts_with('+') && second - self.reference.1 > TEN_YEARS_S {
            let seconds = (second - self.reference.1) as f64;
            self.warn(Doubt::FarTime { seconds, years: (seconds / 31_557_600.0).round() });
        }
        Ok(Some(second))
    }

    fn options_zero(&self) -> Option<i64> {
        self.options.epoch.and_then(|zero| time(Instant::ZERO, zero)).map(to_unix)
    }

    fn span(&mut self, words: &[&str]) -> Result<(i64, Time), ReadError> {
        let (start, end) = (self.time(words[2])?, self.time(words[3])?);
        match (start, end) {
            (Some(start), end) if end.is_none_or(|end| end > start) => Ok((start, end)),
            _ => Err(self.error(ReadProblem::Empty { start: quote(words[2]), end: quote(words[3]) })),
        }
    }

    /// A whole number as `strtol` reads it, and whether it had a fraction, which that cuts off.
    fn whole(&self, field: &'static str, text: &str, wanted: &'static str) -> Result<(u64, bool), ReadError> {
        let (whole, fraction) = text.split_once('.').map_or((text, None), |(w, f)| (w, Some(f)));
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !fraction.is_none_or(digits) {
            return Err(self.value(field, text, wanted));
        }
        if whole.len() > 1 && whole.starts_with('0') {
            return Err(self.value(field, text, "decimal: ION reads a number that begins with 0 as octal"));
        }
        let number = whole.parse().map_err(|_| self.value(field, text, wanted))?;
        Ok((number, fraction.is_some_and(|f| f.bytes().any(|b| b != b'0'))))
    }

    fn number(&self, field: &'static str, text: &str) -> Result<u64, ReadError> {
        let wanted = "a whole number above 0";
        let number =
            (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten();
        number.filter(|n| *n > 0).ok_or_else(|| self.value(field, text, wanted))
    }

    fn nodes(&self, from: &str, to: &str) -> Result<(u64, u64), ReadError> {
        Ok((self.number("node number", from)?, self.number("node number", to)?))
    }

    fn rate(&mut self, text: &str) -> Result<u64, ReadError> {
        let wanted = "a whole number of bytes per second, above 0 and below 2^32";
        let (rate, fraction) = self.whole("rate", text, wanted)?;
        if rate == 0 || rate > MAX_BYTES_PER_S {
            return Err(self.value("rate", text, wanted));
        }
        if fraction {
            self.warn(Doubt::Fraction { field: "rate", text: quote(text), program: "ION", read: rate.to_string() });
        }
        if rate < 8 {
            self.warn(Doubt::LowRate { rate, unit: "bytes/s", other: "kB/s or Mbit/s" });
        }
        if looks_like_bits(rate) {
            self.doubt_bits(rate);
        }
        Ok(rate)
    }

    pub(super) fn doubt_bits(&mut self, bytes_per_s: u64) {
        self.warn(Doubt::BytesOrBits { bytes_per_s, mbit_s: bytes_per_s as f64 * 8e-6 });
    }

    fn confidence(&self, text: Option<&&str>) -> Result<Ratio, ReadError> {
        let Some(text) = text else { return Ok(crate::contact::certain()) };
        let number = text.parse().ok().and_then(Ratio::new);
        number.ok_or_else(|| self.value("confidence", text, "a number from 0 to 1"))
    }

    fn add_contact(&mut self, words: &[&str], line: &str) -> Result<(), ReadError> {
        if !(7..=8).contains(&words.len()) {
            return Err(self.usage(line, CONTACT));
        }
        let nodes = self.nodes(words[4], words[5])?;
        if !self.in_region()? {
            return Ok(());
        }
        if words[2] == "-1" {
            self.nodes.push(nodes.0);
            self.warn(Doubt::NoTime { kind: "registration" });
            return Ok(());
        }
        if words[2] == "0" || words[3] == "0" {
            self.nodes.extend([nodes.0, nodes.1]);
            self.warn(Doubt::NoTime { kind: "hypothetical" });
            return Ok(());
        }
        let (start, end) = self.span(words)?;
        let bytes_per_s = self.rate(words[6])?;
        let confidence = self.confidence(words.get(7))?;
        if nodes.0 == nodes.1 {
            self.nodes.push(nodes.0);
            self.warn(Doubt::Loop { node: nodes.0.to_string() });
            return Ok(());
        }
        self.count()?;
        let entry = Entry { end, bytes_per_s, confidence, line: self.line };
        let contacts = self.contacts.entry(nodes).or_default();
        let never = i64::MAX;
        let before = contacts.range(..=start).next_back().map(|(s, e)| (*s, e.end));
        let after = contacts.range(start..).next().map(|(s, e)| (*s, e.end));
        let overlap = before.filter(|(_, e)| e.unwrap_or(never) > start);
        let overlap = overlap.or(after.filter(|(s, _)| end.unwrap_or(never) > *s));
        if let Some((start, end)) = overlap {
            let told = |time: Time| time.map_or_else(|| "never".to_owned(), |t| format!("second {t}"));
            let as_in = ", as ION does";
            self.warn(Doubt::Overlap { start: told(Some(start)), end: told(end), as_in });
            return Ok(());
        }
        let touches = before.is_some_and(|(_, e)| e == Some(start)) || after.is_some_and(|(s, _)| end == Some(s));
        contacts.insert(start, entry);
        if touches {
            self.warn(Doubt::Touching);
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), ReadError> {
        self.count += 1;
        if self.count > MAX_CONTACTS { Err(self.error(ReadProblem::TooMany)) } else { Ok(()) }
    }

    fn change_contact(&mut self, words: &[&str], line: &str) -> Result<(), ReadError> {
        if !(6..=7).contains(&words.len()) {
            return Err(self.usage(line, "c contact +0 2 3 125000"));
        }
        let nodes = self.nodes(words[3], words[4])?;
        let (start, bytes_per_s) = (self.time(words[2])?, self.rate(words[5])?);
        let confidence = words.get(6).map(|text| self.confidence(Some(text))).transpose()?;
        if !self.in_region()? {
            return Ok(());
        }
        let entry = self.contacts.get_mut(&nodes).and_then(|of| of.get_mut(&start?));
        match entry {
            Some(entry) => {
                entry.bytes_per_s = bytes_per_s;
                entry.confidence = confidence.unwrap_or(entry.confidence);
            }
            None => self.warn(Doubt::NothingThere { what: "contact" }),
        }
        Ok(())
    }

    fn delete_contact(&mut self, words: &[&str], line: &str) -> Result<(), ReadError> {
        let [_, _, start, from, to] = words else { return Err(self.usage(line, "d contact +0 2 3")) };
        let nodes = self.nodes(from, to)?;
        if !self.in_region()? {
            return Ok(());
        }
        let there = match *start {
            "*" => self.contacts.remove(&nodes).is_some(),
            "-1" | "0" => true,
            start => {
                let start = self.time(start)?;
                self.contacts.get_mut(&nodes).is_some_and(|of| start.and_then(|start| of.remove(&start)).is_some())
            }
        };
        if !there {
            self.warn(Doubt::NothingThere { what: "contact" });
        }
        Ok(())
    }

    fn add_range(&mut self, words: &[&str], line: &str) -> Result<(), ReadError> {
        // `ionadmin` lets an eighth word pass, which has a meaning for contacts only.
        if !(7..=8).contains(&words.len()) {
            return Err(self.usage(line, RANGE));
        }
        let nodes = self.nodes(words[4], words[5])?;
        let (start, end) = self.span(words)?;
        let wanted = "a whole number of light-seconds below 2^32";
        let (owlt_s, fraction) = self.whole("range", words[6], wanted)?;
        if owlt_s > u64::from(u32::MAX) {
            return Err(self.value("range", words[6], wanted));
        }
        if fraction {
            self.fractions = true;
            let read = owlt_s.to_string();
            self.warn(Doubt::Fraction { field: "range", text: quote(words[6]), program: "ION", read });
        }
        if owlt_s > 3600 {
            let hours = (owlt_s as f64 / 360.0).round() / 10.0;
            self.warn(Doubt::LongLightTime { seconds: owlt_s as f64, hours });
        }
        self.count()?;
        let ranges = self.ranges.entry(nodes).or_default();
        let never = i64::MAX;
        let before = ranges.range(..=start).next_back().map(|(s, r)| (*s, r.end));
        let after = ranges.range(start..).next().map(|(s, r)| (*s, r.end));
        let overlap = before.filter(|(_, e)| e.unwrap_or(never) > start);
        if overlap.or(after.filter(|(s, _)| end.unwrap_or(never) > *s)).is_some() {
            self.warn(Doubt::Overlap { start: words[2].to_owned(), end: words[3].to_owned(), as_in: ", as ION does" });
            return Ok(());
        }
        ranges.insert(start, Range { end, owlt_s, line: self.line });
        Ok(())
    }

    fn delete_range(&mut self, words: &[&str], line: &str) -> Result<(), ReadError> {
        let [_, _, start, from, to] = words else { return Err(self.usage(line, "d range +0 2 3")) };
        let (from, to) = self.nodes(from, to)?;
        // From a lower to a higher number, both directions are meant.
        let mut directions = vec![(from, to)];
        directions.extend((from < to).then_some((to, from)));
        let start = if *start == "*" { None } else { Some(self.time(start)?) };
        let mut there = false;
        for nodes in directions {
            there |= match start {
                None => self.ranges.remove(&nodes).is_some(),
                Some(start) => {
                    self.ranges.get_mut(&nodes).is_some_and(|of| start.and_then(|start| of.remove(&start)).is_some())
                }
            };
        }
        if !there {
            self.warn(Doubt::NothingThere { what: "range" });
        }
        Ok(())
    }
}

/// `yyyy/mm/dd-hh:mm:ss`; only the year needs all its digits.
fn calendar_fields(text: &str) -> Option<crate::calendar::Fields> {
    let (date, clock) = text.split_once('-')?;
    let number = |part: Option<&str>, most: usize| {
        let part = part.filter(|p| (1..=most).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()))?;
        part.parse::<u16>().ok()
    };
    let (mut date, mut clock) = (date.split('/'), clock.split(':'));
    let year = number(date.next(), 4)?.into();
    let two = |parts: &mut std::str::Split<char>| number(parts.next(), 2).map(|n| n as u8);
    let (month, day) = (two(&mut date)?, two(&mut date)?);
    let (hour, minute, second) = (two(&mut clock)?, two(&mut clock)?, two(&mut clock)?);
    (date.next().is_none() && clock.next().is_none()).then_some((year, month, day, hour, minute, second, 0))
}

/// Whether a number is more at home in bit/s: a rate of modems and space links, or more than 10 Gbit/s if it were bytes.
pub(super) fn looks_like_bits(rate: u64) -> bool {
    const LINES: [u64; 6] = [9600, 19_200, 38_400, 57_600, 115_200, 1_544_000];
    let powers_of_two_kbit =
        rate.is_multiple_of(1000) && (rate / 1000).is_power_of_two() && (8000..=2_048_000).contains(&rate);
    LINES.contains(&rate) || powers_of_two_kbit || rate >= 1_250_000_000
}
