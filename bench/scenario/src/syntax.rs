//! From text to the shape of the file, and what the parser has to say in the words of this crate.

use serde::de::DeserializeOwned;
use serde_yaml::{Error, MergeKeyPolicy, NonFiniteFloatPolicy, Options};

use crate::empty::Anything;
use crate::located::At;
use crate::names::{nearest, one_of};
use crate::problem::{Position, Problem, START};

/// What a file describes, for the messages about it.
pub(crate) struct Kind {
    /// "scenario".
    pub noun: &'static str,
    /// How such a file begins.
    pub begin: &'static str,
}

/// Reads the shape. The parser stops at the first thing that does not fit it.
pub(crate) fn read<File: DeserializeOwned>(text: &str, kind: &Kind) -> Result<File, Vec<Problem>> {
    if text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#')) {
        return Err(vec![Problem::at(START, "the file has no content").help(format!("begin with `{}`", kind.begin))]);
    }
    let file = serde_yaml::from_str_with_options(text, options()).map_err(|error| vec![problem(text, kind, &error)])?;
    let values: At<Anything> =
        serde_yaml::from_str_with_options(text, options()).map_err(|error| vec![problem(text, kind, &error)])?;
    let mut empty = Vec::new();
    values.collect(&mut empty);
    if empty.is_empty() {
        return Ok(file);
    }
    let told = |position| Problem::at(position, NO_VALUE).help(FILL_IT);
    Err(empty.into_iter().map(told).collect())
}

const NO_VALUE: &str = "no value stands here";
const FILL_IT: &str = "write one, or remove the key";

/// Limits far above any such file and far below what could keep the bench busy: a few hundred bytes of nested aliases can
/// stand for more values than there is memory.
fn options() -> Options {
    serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_depth: 32,
            max_nodes: 200_000,
            max_aliases: 1000,
            max_anchors: 1000,
        },
        alias_limits: serde_yaml::alias_limits! {
            max_total_replayed_events: 200_000,
            max_replay_stack_depth: 8,
        },
        merge_keys: MergeKeyPolicy::Merge,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

fn problem(text: &str, kind: &Kind, error: &Error) -> Problem {
    let position = error.location().map(Position::from);
    let at = |message: String| Problem { position, message, help: None };
    match error.without_snippet() {
        Error::AliasError { error, .. } => problem(text, kind, error),
        Error::Eof { .. } => at("the file ends too early".to_owned()),
        Error::MultipleDocuments { .. } => at("a second document begins here".to_owned())
            .help(format!("a file holds one {}: split it at `---`", kind.noun)),
        Error::SerdeUnknownField { field, expected, .. } => {
            let help = match nearest(field, expected.iter().copied()) {
                Some(key) => format!("did you mean `{key}`?"),
                None => format!("the keys here are {}", one_of(expected.iter().copied())),
            };
            at(format!("unknown key `{field}`")).help(help).covering(text, field)
        }
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            at(format!("the key `{key}` stands twice")).help("rename or remove one of the two").covering(text, key)
        }
        Error::DuplicateMappingKey { key: None, .. } => at("a key stands twice".to_owned()),
        Error::Unexpected { expected: "mapping start", .. } => {
            at("keys with values must stand here".to_owned()).help("write `key: value` lines, or `{ key: value, … }`")
        }
        Error::Unexpected { expected: "sequence start", .. } => {
            at("a list must stand here".to_owned()).help("write `[ …, … ]`")
        }
        Error::Unexpected { expected: "string scalar", .. } => {
            at("a single value must stand here, not a list or a mapping".to_owned())
        }
        Error::NullIntoString { .. } => at(NO_VALUE.to_owned()).help(FILL_IT),
        Error::SerdeInvalidType { expected, .. } => at(format!("this must be {expected}")),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. } => {
            at("the file is nested too deeply or stands for too many values".to_owned())
                .help("write the values out instead of using anchors and aliases")
        }
        Error::UnknownAnchor { .. } => {
            at("there is no anchor for this alias".to_owned()).help("put a text that begins with `*` in quotes")
        }
        Error::UnsupportedTag { tag, .. } => at(format!("the tag `{tag}` means nothing here")).help("remove it"),
        other => {
            let full = other.to_string();
            let place = position.map(|p| format!(" at line {}, column {}", p.line, p.column)).unwrap_or_default();
            at(format!("this is not YAML: {}", full.strip_suffix(&place).unwrap_or(&full)))
        }
    }
}

impl Problem {
    /// Widens the position over `word`, if that is what stands there.
    fn covering(mut self, text: &str, word: &str) -> Self {
        if let Some(position) = &mut self.position
            && text.get(position.offset..).is_some_and(|rest| rest.starts_with(word))
        {
            position.length = word.len();
        }
        self
    }
}
