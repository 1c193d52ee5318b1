//! What checks note on their way through a file: a check that fails says so here and goes on.

use crate::located::{At, Named, Text, Wrong};
use crate::names::{NAME_RULE, check_name, nearest, one_of};
use crate::problem::{Position, Problem, START};

/// What was found so far.
#[derive(Default)]
pub(crate) struct Notes {
    pub errors: Vec<Problem>,
    pub warnings: Vec<Problem>,
}

impl Notes {
    pub(crate) fn error(&mut self, position: Position, message: impl Into<String>, help: impl Into<String>) {
        self.errors.push(Problem::at(position, message).help(help));
    }

    pub(crate) fn warning(&mut self, position: Position, message: impl Into<String>, help: impl Into<String>) {
        self.warnings.push(Problem::at(position, message).help(help));
    }

    /// The value of a scalar.
    pub(crate) fn read<T: Clone>(&mut self, text: &Text<T>) -> Option<T> {
        self.result(&text.read, text.position)
    }

    /// What reading a scalar at `position` gave.
    pub(crate) fn result<T: Clone>(&mut self, read: &Result<T, Wrong>, position: Position) -> Option<T> {
        match read {
            Ok(value) => Some(value.clone()),
            Err(wrong) => {
                let problem = Problem::at(position, &wrong.message);
                self.errors.push(Problem { help: wrong.help.clone(), ..problem });
                None
            }
        }
    }

    /// The value of an optional scalar: `None` if it stands there and is wrong.
    pub(crate) fn read_opt<T: Clone>(&mut self, text: &Option<Text<T>>) -> Option<Option<T>> {
        text.as_ref().map_or(Some(None), |text| self.read(text).map(Some))
    }

    pub(crate) fn read_or<T: Clone>(&mut self, text: &Option<Text<T>>, default: T) -> Option<T> {
        self.read_opt(text).map(|value| value.unwrap_or(default))
    }

    /// A key that must stand under `owner`; `example` begins with it.
    pub(crate) fn need<'a, T>(&mut self, field: &'a Option<T>, owner: Position, example: &str) -> Option<&'a T> {
        if field.is_none() {
            let key = example.split(':').next().unwrap_or_default();
            self.error(owner, format!("the key `{key}` is missing"), format!("add `{example}`"));
        }
        field.as_ref()
    }

    pub(crate) fn need_read<T: Clone>(&mut self, field: &Option<Text<T>>, owner: Position, example: &str) -> Option<T> {
        self.need(field, owner, example).and_then(|text| self.read(text))
    }

    /// A mapping at the top of the file that must have an entry.
    pub(crate) fn need_entries<'a, T>(
        &mut self,
        field: &'a Option<At<Named<T>>>,
        key: &str,
        example: &str,
    ) -> Option<&'a Named<T>> {
        match field {
            None => {
                self.error(START, format!("the key `{key}` is missing"), format!("add `{key}:` with {example}"));
                None
            }
            Some(entries) if entries.value.0.is_empty() => {
                self.error(entries.position, format!("`{key}` is empty"), format!("add {example}"));
                None
            }
            Some(entries) => Some(&entries.value),
        }
    }

    pub(crate) fn name(&mut self, name: &At<String>) {
        if let Err(message) = check_name(&name.value) {
            self.error(name.position, message, NAME_RULE);
        }
    }

    /// The index of the `kind` that a name means.
    pub(crate) fn reference(&mut self, name: &At<String>, kind: &str, names: &[&str]) -> Option<usize> {
        let found = names.iter().position(|known| *known == name.value);
        if found.is_none() {
            let help = match nearest(&name.value, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if names.is_empty() => format!("the file has no {kind} at all"),
                None => format!("write {}", one_of(names.iter().copied())),
            };
            self.error(name.position, format!("there is no {kind} `{}`", name.value), help);
        }
        found
    }
}
