//! Names that an author chooses, and the words that are offered when one is misspelt.

/// The most characters in a name.
pub(crate) const MAX_NAME: usize = 64;

/// What [`check_name`] allows, for the schema.
pub(crate) const NAME_PATTERN: &str = "^[a-z0-9][a-z0-9-]*$";

/// Says what is wrong with a name; names become parts of file names.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() {
        Err("a name is empty".to_owned())
    } else if name.len() > MAX_NAME {
        Err(format!("the name `{}…` is longer than {MAX_NAME} characters", name.chars().take(20).collect::<String>()))
    } else if let Some(odd) = name.chars().find(|c| !fits(*c)) {
        Err(format!("the name `{name}` contains {odd:?}"))
    } else if name.starts_with('-') {
        Err(format!("the name `{name}` begins with `-`"))
    } else {
        Ok(())
    }
}

/// What [`check_name`] allows, in words.
pub(crate) const NAME_RULE: &str = "names are made of a-z, 0-9 and `-`, and begin with a letter or digit";

/// The one of `candidates` that `word` was probably meant to be.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (edits(&word.to_lowercase(), candidate), candidate))
        .filter(|(edits, candidate)| *edits <= 1 + candidate.chars().count() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The edit distance (optimal string alignment) of two words: insertions, deletions, replacements, swaps of neighbours.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before_last = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                let swapped: usize = before_last[j - 2];
                best = best.min(swapped + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// `a`, `b` or `c`.
pub(crate) fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => "nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_offered_if_it_is_near() {
        let nodes = ["lander", "orbiter", "station"];
        assert_eq!(nearest("orbitr", nodes), Some("orbiter"));
        assert_eq!(nearest("Lander", nodes), Some("lander"));
        assert_eq!(nearest("satation", nodes), Some("station"));
        assert_eq!(nearest("lnader", nodes), Some("lander"), "a swap is one edit");
        assert_eq!(nearest("moon", nodes), None);
        assert_eq!(nearest("", nodes), None);
        assert_eq!((edits("", "abc"), edits("abc", ""), edits("abc", "abc"), edits("ca", "abc")), (3, 3, 0, 3));
    }

    #[test]
    fn choices_read_like_a_sentence() {
        assert_eq!(one_of(["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(one_of(["a"]), "`a`");
    }
}
