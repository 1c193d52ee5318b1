//! JSON, with lines and columns in errors.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

use super::error::quote;
use super::{MAX_CONTACTS, ReadError, ReadProblem};

/// Reads a whole document.
pub(super) fn parse<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, ReadError> {
    serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let message = message.strip_suffix(&place).unwrap_or(&message);
        // An error in an empty document is of its first line.
        let (line, column) = (error.line().max(1), Some(error.column()).filter(|c| *c > 0));
        ReadError { line, column, problem: ReadProblem::Json(message.to_owned()) }
    })
}

/// A string, as JSON text.
pub(super) fn string(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned())
}

/// A whole number, where a program would silently read a fraction or text as 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole(pub i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Whole;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Whole, E> {
                Ok(Whole(number))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Whole, E> {
                i64::try_from(number).map(Whole).map_err(|_| E::custom(format_args!("`{number}` is too large")))
            }
        }
        deserializer.deserialize_any(Number)
    }
}

/// A key that stands twice.
pub(super) fn twice<E: de::Error>(key: &str) -> E {
    E::custom(format_args!("`{}` stands here twice", quote(key)))
}

/// Sets a field that may stand only once.
pub(super) fn once<T, E: de::Error>(slot: &mut Option<T>, key: &str, value: T) -> Result<(), E> {
    if slot.replace(value).is_some() { Err(twice(key)) } else { Ok(()) }
}

/// A list of contacts, with no more than a plan may have.
pub(super) struct Many<T>(pub Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
            type Value = Many<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of contacts")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Many<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    if items.len() == MAX_CONTACTS {
                        return Err(de::Error::custom(ReadProblem::TooMany));
                    }
                    items.push(item);
                }
                Ok(Many(items))
            }
        }
        deserializer.deserialize_seq(List(PhantomData))
    }
}
