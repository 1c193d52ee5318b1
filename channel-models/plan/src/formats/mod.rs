//! Contact plans as other programs write them.
//!
//! | format | program | units |
//! |---|---|---|
//! | [`Format::Ion`] | ION, `ionadmin` | whole seconds, bytes/s, whole light-seconds |
//! | [`Format::Hdtn`] | HDTN, contact plan | whole seconds, bit/s, whole light-seconds |
//! | [`Format::Hardy`] | hardy, `hardy-tvr` | RFC 3339 or cron, bit/s, microseconds |
//! | [`Format::TvgUtil`] | dtn-tvg-util | seconds, bit/s, seconds, bit error ratio or probability |
//! | [`Format::Native`] | Farlink | anything, with its unit |
//!
//! [`read`] returns the plan as the program would understand the file, and [warnings](Warning) where that may not be what was
//! meant. [`write()`] returns the text and every [`Loss`]: what the format could not carry. No losses means that reading the text
//! gives the same plan.

mod cut;
mod error;
mod hardy;
mod hdtn;
mod ion;
mod json;
mod native;
mod tvg;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use farlink_units::{Duration, Instant};
use hifitime::Epoch;

pub use error::{Doubt, Loss, Place, ReadError, ReadProblem, Warning, WriteError};

use crate::{Contact, ContactPlan, NodeId};

/// A file that is larger than this is refused, in bytes.
pub const MAX_BYTES: usize = 100_000_000;
/// A file with more contacts than this is refused, also after recurring ones are written out.
pub const MAX_CONTACTS: usize = 1 << 20;
/// How a time is written that never comes, in seconds: as far as instants reach.
pub(crate) const NEVER_S: i64 = i64::MAX / 1_000_000_000;

/// A format of contact plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `a contact` and `a range` commands of ION's `ionadmin` (ionrc).
    Ion,
    /// HDTN's contact plan (JSON).
    Hdtn,
    /// The contact plan of hardy's TVR agent.
    Hardy,
    /// A time-varying graph of dtn-tvg-util (JSON).
    TvgUtil,
    /// Farlink's own (JSON), which loses nothing.
    Native,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 5] = [Format::Ion, Format::Hdtn, Format::Hardy, Format::TvgUtil, Format::Native];

    /// The name by which a user asks for it.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Ion => "ion",
            Format::Hdtn => "hdtn",
            Format::Hardy => "hardy",
            Format::TvgUtil => "tvg-util",
            Format::Native => "farlink",
        }
    }

    /// The format that a file looks to be in, by what stands in it.
    pub fn guess(bytes: &[u8]) -> Option<Format> {
        let head = String::from_utf8_lossy(&bytes[..bytes.len().min(65_536)]);
        let has = |words: &[&str]| words.iter().any(|word| head.contains(word));
        if head.trim_start_matches('\u{feff}').trim_start().starts_with('{') {
            return match () {
                () if has(&["\"farlink-contact-plan\""]) => Some(Format::Native),
                () if has(&["\"contact_type\"", "\"vertices\"", "\"edges\""]) => Some(Format::TvgUtil),
                () if has(&["\"contacts\""]) => Some(Format::Hdtn),
                () => None,
            };
        }
        let mut lines = head.lines().map(|line| line.split_whitespace().take(2).collect::<Vec<_>>());
        lines.find_map(|words| match words[..] {
            ["a", "contact" | "range"] => Some(Format::Ion),
            [pattern, "via" | "drop"] if !pattern.starts_with('#') => Some(Format::Hardy),
            _ => None,
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no format of contact plans: there are ion, hdtn, hardy, tvg-util, farlink")]
pub struct UnknownFormat(pub String);

impl FromStr for Format {
    type Err = UnknownFormat;
    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        Format::ALL.into_iter().find(|f| f.name() == text).ok_or_else(|| UnknownFormat(text.to_owned()))
    }
}

/// What a reader must be told, since some formats leave it out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadOptions {
    /// The calendar time that is to be [`Instant::ZERO`]. Without, a plan with calendar times gets its first one.
    pub epoch: Option<Epoch>,
    /// The node whose contacts a hardy file tells.
    pub local: Option<NodeId>,
    /// Until when the recurring contacts of a hardy file are written out. They begin at [`Instant::ZERO`].
    pub horizon: Option<Instant>,
    /// The region of an ION file to read, if it has several.
    pub region: Option<u64>,
}

/// How light times are rounded where a format knows whole seconds only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest: never wrong by more than half a second.
    #[default]
    Nearest,
    /// Up: an answer is never expected too early, but by up to a second too late.
    Up,
}

/// What a writer is free to do.
#[derive(Clone, Debug, PartialEq)]
pub struct WriteOptions {
    /// The node whose contacts are written, where a format tells those of one node (hardy).
    pub local: Option<NodeId>,
    /// How whole light-seconds are rounded (ION, HDTN).
    pub rounding: Rounding,
    /// How far a light time that is written as one value may be from the true one, where the unit is finer (hardy, dtn-tvg-util).
    pub tolerance: Duration,
    /// Write calendar times where the format has both kinds (ION). Needs an epoch.
    pub calendar: bool,
}

impl Default for WriteOptions {
    /// Nearest seconds, light times within a millisecond, times relative.
    fn default() -> Self {
        WriteOptions { local: None, rounding: Rounding::Nearest, tolerance: Duration::from_millis(1), calendar: false }
    }
}

/// A plan that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    /// The plan, [tidy](ContactPlan::tidy).
    pub plan: ContactPlan,
    /// What may be other than it was meant, in the order of the file.
    pub warnings: Vec<Warning>,
}

/// A plan that was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    /// The file.
    pub text: String,
    /// What it could not carry. If there is nothing, reading the file gives the same plan again.
    pub losses: Vec<Loss>,
}

/// Reads a plan.
///
/// # Errors
/// What the format does not allow, with its line.
pub fn read(format: Format, bytes: &[u8], options: &ReadOptions) -> Result<Import, ReadError> {
    let text = error::text(bytes)?;
    let mut import = match format {
        Format::Ion => ion::read(text, options),
        Format::Hdtn => hdtn::read(text, options),
        Format::Hardy => hardy::read(text, options),
        Format::TvgUtil => tvg::read(text, options),
        Format::Native => native::read(text),
    }?;
    import.plan.tidy();
    Ok(import)
}

/// Writes a plan.
///
/// # Errors
/// The plan is not [sound](ContactPlan::is_sound), or the format has no way to say what is in it.
pub fn write(format: Format, plan: &ContactPlan, options: &WriteOptions) -> Result<Export, WriteError> {
    if let Some(finding) = plan.validate().into_iter().find(|f| f.severity() == crate::Severity::Error) {
        return Err(WriteError::Unsound(finding));
    }
    let mut plan = plan.clone();
    plan.tidy();
    check_stretches(format, &plan, options)?;
    match format {
        Format::Ion => ion::write(&plan, options),
        Format::Hdtn => hdtn::write(&plan, options),
        Format::Hardy => hardy::write(&plan, options),
        Format::TvgUtil => tvg::write(&plan, options),
        Format::Native => Ok(native::write(&plan)),
    }
}

/// Refuses what would become more lines than anybody reads: light times that vary without bound.
fn check_stretches(format: Format, plan: &ContactPlan, options: &WriteOptions) -> Result<(), WriteError> {
    let unit = match format {
        Format::Native => return Ok(()),
        Format::Ion | Format::Hdtn => Duration::from_secs(1),
        Format::Hardy | Format::TvgUtil => options.tolerance.max(Duration::from_nanos(1)).saturating_mul(2),
    };
    let mut count: i128 = 0;
    for contact in &plan.contacts {
        let change = |piece: &crate::Piece| i128::from((piece.last - piece.first).as_nanos()).abs();
        count += contact.light_time.pieces().iter().map(change).sum::<i128>() / i128::from(unit.as_nanos());
        if count > MAX_CONTACTS as i128 {
            return Err(WriteError::TooMany { contact: contact.to_string() });
        }
    }
    Ok(())
}

/// The node's number, for formats that know nothing else; its name is lost where it is not the usual one.
fn number(node: &NodeId, losses: &mut Vec<Loss>) -> Result<u64, WriteError> {
    let number = node.number().ok_or_else(|| WriteError::NoNumber { node: node.clone() })?;
    if NodeId::ipn(number) != *node && !losses.iter().any(|l| l.field == "name" && l.was == node.as_str()) {
        losses.push(Loss {
            contact: None,
            field: "name",
            was: node.to_string(),
            written: format!("the number {number}, which stands for {}", NodeId::ipn(number)),
        });
    }
    Ok(number)
}

/// The nodes' numbers, looked up once each.
fn numbers(plan: &ContactPlan, losses: &mut Vec<Loss>) -> Result<BTreeMap<NodeId, u64>, WriteError> {
    let mut numbers = BTreeMap::new();
    for node in &plan.nodes {
        numbers.insert(node.clone(), number(node, losses)?);
    }
    let mut seen = BTreeMap::new();
    for (node, number) in &numbers {
        if let Some(other) = seen.insert(number, node) {
            return Err(WriteError::SameNumber { node: node.clone(), other: other.clone(), number: *number });
        }
    }
    Ok(numbers)
}

/// Nodes that none of the contacts that are written has are lost where a format tells contacts only.
fn lost_nodes<'a>(plan: &ContactPlan, written: impl Iterator<Item = &'a Contact>, losses: &mut Vec<Loss>) {
    let met: BTreeSet<_> = written.flat_map(|contact| [&contact.from, &contact.to]).collect();
    for node in plan.nodes.iter().filter(|node| !met.contains(node)) {
        let (was, written) = (node.to_string(), "nothing: it has no contact that is written".to_owned());
        losses.push(Loss { contact: None, field: "node", was, written });
    }
}

/// The epoch is lost where a format counts from its reader's start.
fn lost_epoch(plan: &ContactPlan, losses: &mut Vec<Loss>) {
    if let Some(epoch) = plan.epoch {
        let was =
            crate::calendar::time(Instant::ZERO, epoch).map_or_else(|| epoch.to_string(), crate::calendar::rfc3339);
        losses.push(Loss { contact: None, field: "epoch", was, written: "nothing: times are relative".to_owned() });
    }
}

/// What formats without confidence and bit errors lose.
fn lost_chances(contact: &Contact, confidence: bool, bit_errors: bool, losses: &mut Vec<Loss>) {
    if confidence && contact.confidence.get() < 1.0 {
        losses.push(Loss::of(contact, "confidence", contact.confidence.get(), "nothing: taken as certain"));
    }
    if let (true, Some(steps)) = (bit_errors, &contact.bit_error_rate) {
        let rates: Vec<String> = steps.values().map(|r| r.get().to_string()).collect();
        losses.push(Loss::of(contact, "bit error rate", error::some_of(&rates), "nothing"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_name_and_by_content() {
        for format in Format::ALL {
            assert_eq!(format.name().parse(), Ok(format));
        }
        assert!("ionrc".parse::<Format>().unwrap_err().to_string().contains("tvg-util"));
        let guess = |text: &str| Format::guess(text.as_bytes());
        assert_eq!(guess("# x\n1 2 ''\na  contact +0 +1 1 2 3"), Some(Format::Ion));
        assert_eq!(guess("\u{feff} {\"contacts\": []}"), Some(Format::Hdtn));
        assert_eq!(guess("{\"edges\": [{\"contacts\": []}]}"), Some(Format::TvgUtil));
        assert_eq!(guess("# via drop\nipn:2.*.* via ipn:2.1.0"), Some(Format::Hardy));
        assert_eq!(guess("{\"format\": \"farlink-contact-plan\", \"contacts\": []}"), Some(Format::Native));
        assert_eq!((guess(""), guess("{}"), guess("\u{0}")), (None, None, None));
    }
}
