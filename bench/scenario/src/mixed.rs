//! Values that may be written in more than one shape: a scalar, a list, a mapping.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::located::{At, Wrong};

/// A scalar that is read as a `T`, a list of `E`, or a mapping of the shape `M`.
#[derive(Clone, Debug)]
pub(crate) enum Mixed<T, E, M = NoMapping> {
    Scalar(Result<T, Wrong>),
    List(Vec<At<E>>),
    Mapping(Box<M>),
}

/// Stands where a mapping would make no sense.
#[derive(Clone, Debug)]
pub(crate) enum NoMapping {}

impl<'de> Deserialize<'de> for NoMapping {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(de::Error::custom("a value or a list must stand here, not keys with values"))
    }
}

impl JsonSchema for NoMapping {
    fn schema_name() -> Cow<'static, str> {
        "NoMapping".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!(false)
    }
}

impl<'de, T, E, M> Deserialize<'de> for Mixed<T, E, M>
where
    T: FromStr,
    T::Err: Into<Wrong>,
    E: Deserialize<'de>,
    M: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shapes<T, E, M>(PhantomData<(T, E, M)>);
        impl<'de, T, E, M> Visitor<'de> for Shapes<T, E, M>
        where
            T: FromStr,
            T::Err: Into<Wrong>,
            E: Deserialize<'de>,
            M: Deserialize<'de>,
        {
            type Value = Mixed<T, E, M>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value or a list")
            }
            fn visit_str<Error: de::Error>(self, text: &str) -> Result<Self::Value, Error> {
                Ok(Mixed::Scalar(text.parse().map_err(Into::into)))
            }
            fn visit_bool<Error: de::Error>(self, word: bool) -> Result<Self::Value, Error> {
                self.visit_str(&word.to_string())
            }
            fn visit_u64<Error: de::Error>(self, number: u64) -> Result<Self::Value, Error> {
                self.visit_str(&number.to_string())
            }
            fn visit_i64<Error: de::Error>(self, number: i64) -> Result<Self::Value, Error> {
                self.visit_str(&number.to_string())
            }
            fn visit_f64<Error: de::Error>(self, number: f64) -> Result<Self::Value, Error> {
                self.visit_str(&number.to_string())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some(entry) = sequence.next_element()? {
                    list.push(entry);
                }
                Ok(Mixed::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                M::deserialize(MapAccessDeserializer::new(map)).map(|keys| Mixed::Mapping(Box::new(keys)))
            }
        }
        deserializer.deserialize_any(Shapes(PhantomData))
    }
}

impl<T: JsonSchema, E: JsonSchema, M: JsonSchema> JsonSchema for Mixed<T, E, M> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}Or{}Or{}", T::schema_name(), E::schema_name(), M::schema_name()).into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let list = json_schema!({ "type": "array", "minItems": 1, "items": generator.subschema_for::<E>() });
        let mut shapes = vec![T::json_schema(generator), list];
        let mapping = M::json_schema(generator);
        if mapping.as_bool() != Some(false) {
            shapes.push(generator.subschema_for::<M>());
        }
        json_schema!({ "anyOf": shapes })
    }
}
