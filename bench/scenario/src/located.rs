//! Values that remember where in the file they stand.
//!
//! The parser can tell the location of a value only through its own `Spanned`, which describes no schema and gives up at the
//! first value it cannot read. [`Text`] keeps the words as they were written and what came of reading them, so that one pass
//! finds every bad value; [`Named`] keeps the entries of a mapping in the order of the file.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use farlink_units::QuantityError;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_yaml::Location;

use crate::names::{MAX_NAME, NAME_PATTERN};
use crate::problem::Position;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub value: T,
    pub position: Position,
}

/// A scalar: the text of the file, and what reading it as a `T` gave.
#[derive(Clone, Debug)]
pub(crate) struct Text<T> {
    pub read: Result<T, Wrong>,
    pub position: Position,
}

/// Why a text was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub message: String,
    /// What would be right, where the message does not say it already.
    pub help: Option<String>,
}

/// A mapping from names that the author chose to `T`, in the order of the file.
#[derive(Clone, Debug)]
pub(crate) struct Named<T>(pub Vec<(At<String>, T)>);

/// A mapping from texts that are read as a `K` to `T`, in the order of the file.
#[derive(Clone, Debug)]
pub(crate) struct Keyed<K, T>(pub Vec<(Text<K>, T)>);

impl Wrong {
    pub(crate) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Wrong { message: message.into(), help: Some(help.into()) }
    }
}

impl From<QuantityError> for Wrong {
    fn from(error: QuantityError) -> Self {
        Wrong { message: error.to_string(), help: None }
    }
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Named(Vec::new())
    }
}

impl<K, T> Default for Keyed<K, T> {
    fn default() -> Self {
        Keyed(Vec::new())
    }
}

impl From<Location> for Position {
    fn from(location: Location) -> Self {
        let span = location.span();
        Position {
            line: location.line() as usize,
            column: location.column() as usize,
            offset: span.byte_offset().unwrap_or(0) as usize,
            length: span.byte_len().unwrap_or(0) as usize,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(SPANNED, Marked(PhantomData))
    }
}

/// What asks the parser for a value with its locations.
///
/// The parser's own `Spanned` asks in the same way, but is made to read a `T` from buffers, too. That compiles each `T` three
/// times over for every level that it is nested in: minutes, in a file of six levels.
const SPANNED: &str = "__yaml_spanned";

/// Takes a value with its locations from the parser.
struct Marked<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Marked<T> {
    type Value = At<T>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<At<T>, D::Error> {
        deserializer.deserialize_any(self)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<At<T>, A::Error> {
        let (mut value, mut defined) = (None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "value" => value = Some(map.next_value()?),
                // Where the text is, even if an alias pulls it in elsewhere: that is the place to edit.
                "defined" => defined = Some(map.next_value::<Location>()?),
                "referenced" => {
                    map.next_value::<Location>()?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        match (value, defined) {
            (Some(value), Some(defined)) => Ok(At { value, position: defined.into() }),
            _ => Err(serde::de::Error::custom("the parser tells no location")),
        }
    }
}

impl<'de, T> Deserialize<'de> for Text<T>
where
    T: FromStr,
    T::Err: Into<Wrong>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As a string, so that a number comes exactly as it was written.
        let At { value, position } = At::<String>::deserialize(deserializer)?;
        Ok(Text { read: value.parse().map_err(Into::into), position })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        entries(deserializer, "a mapping from names").map(Named)
    }
}

impl<'de, K, T> Deserialize<'de> for Keyed<K, T>
where
    K: FromStr,
    K::Err: Into<Wrong>,
    T: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        entries(deserializer, "a mapping").map(Keyed)
    }
}

/// The entries of a mapping in the order of the file.
fn entries<'de, K, T, D>(deserializer: D, expected: &'static str) -> Result<Vec<(K, T)>, D::Error>
where
    K: Deserialize<'de>,
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    struct Entries<K, T>(&'static str, PhantomData<(K, T)>);
    impl<'de, K: Deserialize<'de>, T: Deserialize<'de>> Visitor<'de> for Entries<K, T> {
        type Value = Vec<(K, T)>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = map.next_entry()? {
                entries.push(entry);
            }
            Ok(entries)
        }
    }
    deserializer.deserialize_map(Entries(expected, PhantomData))
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: JsonSchema> JsonSchema for Text<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Named{}", T::schema_name()).into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "propertyNames": { "pattern": NAME_PATTERN, "maxLength": MAX_NAME },
            "additionalProperties": generator.subschema_for::<T>(),
        })
    }
}

impl<K: JsonSchema, T: JsonSchema> JsonSchema for Keyed<K, T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}To{}", K::schema_name(), T::schema_name()).into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "propertyNames": K::json_schema(generator),
            "additionalProperties": generator.subschema_for::<T>(),
        })
    }
}
