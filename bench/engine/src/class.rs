//! The class of service of a bundle.

use std::fmt;
use std::str::FromStr;

/// How urgent a bundle is. RFC 9171 has no class of service; these are the three of RFC 5050 §4.2 and of the DTN
/// architecture draft of 2002 (section 4.3), which contact plans and convergence layers still tell apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Least effort: goes when nothing else waits.
    Bulk,
    /// Before bulk.
    #[default]
    Normal,
    /// Before everything else.
    Expedited,
}

impl Class {
    /// All classes, the least urgent first.
    pub const ALL: [Class; 3] = [Class::Bulk, Class::Normal, Class::Expedited];

    /// 0, 1 or 2: the class-of-service number of RFC 5050 and of the quality-of-service block.
    pub const fn number(self) -> u64 {
        match self {
            Class::Bulk => 0,
            Class::Normal => 1,
            Class::Expedited => 2,
        }
    }

    /// The class of a number; what is above 2 has no meaning.
    pub fn from_number(number: u64) -> Option<Self> {
        Class::ALL.into_iter().find(|class| class.number() == number)
    }
}

/// `bulk`, `normal` or `expedited`.
impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Class::Bulk => "bulk",
            Class::Normal => "normal",
            Class::Expedited => "expedited",
        })
    }
}

/// The text names no class of service.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("\"{0}\" is no class of service: write bulk, normal or expedited")]
pub struct ClassError(pub String);

impl FromStr for Class {
    type Err = ClassError;

    fn from_str(text: &str) -> Result<Self, ClassError> {
        Class::ALL.into_iter().find(|class| class.to_string() == text).ok_or_else(|| ClassError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_ordered_and_read_as_they_are_written() {
        assert!(Class::Bulk < Class::Normal && Class::Normal < Class::Expedited);
        for class in Class::ALL {
            assert_eq!(class.to_string().parse(), Ok(class));
            assert_eq!(Class::from_number(class.number()), Some(class));
        }
    }

    #[test]
    fn another_word_is_refused_with_the_words_that_fit() {
        let refused = "urgent".parse::<Class>().unwrap_err();
        assert_eq!(refused.to_string(), "\"urgent\" is no class of service: write bulk, normal or expedited");
    }
}
