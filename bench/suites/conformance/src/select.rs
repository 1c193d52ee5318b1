//! Choosing cases by suite, id, section, level, tag and role.

use thiserror::Error;

use crate::case::{Case, Suite};
use crate::catalogue::Level;

/// Words that no case answers to. Selecting nothing is an error, so that a typing mistake never looks like success.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{word:?} selects nothing: give a suite ({suites}), an id or its beginning (LTP-6.11), a section (\"5326 §6.11\"), a \
         level (MUST, SHOULD, …) or a tag; `farlink conform --list` shows all"
)]
pub struct NothingSelected {
    /// The word.
    pub word: String,
    suites: String,
}

/// The cases that one of the words names, in their order; all without a word.
///
/// # Errors
/// A word that names none.
pub fn select(all: &[Case], words: &[String]) -> Result<Vec<Case>, NothingSelected> {
    for word in words {
        if !all.iter().any(|case| answers_to(case, word)) {
            let suites = Suite::ALL.map(Suite::as_str).join(", ");
            return Err(NothingSelected { word: word.clone(), suites });
        }
    }
    let chosen = |case: &&Case| words.is_empty() || words.iter().any(|word| answers_to(case, word));
    Ok(all.iter().filter(chosen).copied().collect())
}

fn answers_to(case: &Case, word: &str) -> bool {
    let requirement = case.requirement();
    if Suite::ALL.iter().any(|suite| suite.as_str() == word) {
        // A tag of the same name in another suite is not meant.
        return case.suite.as_str() == word;
    }
    is_id_or_beginning(case.id, word)
        || requirement.section == word
        || requirement.section.split(" §").nth(1).is_some_and(|section| format!("§{section}") == word)
        || Level::ALL.iter().any(|level| level.as_str() == word && requirement.level == *level)
        || requirement.role == word
        || case.tags.contains(&word)
}

/// `LTP-6.11` and `LTP-6.11-02` name LTP-6.11-02; `LTP-6.1` does not.
fn is_id_or_beginning(id: &str, word: &str) -> bool {
    id == word || id.strip_prefix(word).is_some_and(|rest| rest.starts_with('-'))
}
