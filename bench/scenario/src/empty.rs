//! Keys whose value was left out.
//!
//! To serde a value that is not there is as good as a key that is not there, and the key would silently take its default. In
//! this file nothing has such a meaning, so an empty value is a mistake: something was forgotten, or commented out.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::located::At;
use crate::problem::Position;

/// A value of any kind, of which only the empty ones matter.
pub(crate) enum Anything {
    Empty,
    Scalar,
    Several(Vec<At<Anything>>),
}

impl At<Anything> {
    /// Adds the positions of all empty values within.
    pub(crate) fn collect(&self, positions: &mut Vec<Position>) {
        match &self.value {
            Anything::Empty => positions.push(self.position),
            Anything::Scalar => {}
            Anything::Several(values) => values.iter().for_each(|value| value.collect(positions)),
        }
    }
}

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyKind;
        impl<'de> Visitor<'de> for AnyKind {
            type Value = Anything;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_unit<E>(self) -> Result<Anything, E> {
                Ok(Anything::Empty)
            }
            fn visit_none<E>(self) -> Result<Anything, E> {
                Ok(Anything::Empty)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Anything, E> {
                Ok(Anything::Scalar)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Anything, E> {
                Ok(Anything::Scalar)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Anything, E> {
                Ok(Anything::Scalar)
            }
            fn visit_i128<E>(self, _: i128) -> Result<Anything, E> {
                Ok(Anything::Scalar)
            }
            fn visit_u128<E>(self, _: u128) -> Result<Anything, E> {
                Ok(Anything::Scalar)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Anything, E> {
                Ok(Anything::Scalar)
            }
            fn visit_str<E>(self, _: &str) -> Result<Anything, E> {
                Ok(Anything::Scalar)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Anything, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = sequence.next_element()? {
                    values.push(value);
                }
                Ok(Anything::Several(values))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Anything, A::Error> {
                let mut values = Vec::new();
                while let Some((_, value)) = map.next_entry::<IgnoredAny, _>()? {
                    values.push(value);
                }
                Ok(Anything::Several(values))
            }
        }
        deserializer.deserialize_any(AnyKind)
    }
}
