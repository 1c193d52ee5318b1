//! Words from a fixed list: bodies, kinds of node, reports.

use std::borrow::Cow;
use std::str::FromStr;

use farlink_channel_models::Body;
use farlink_channel_models::errors::{Band, Fading};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::located::Wrong;
use crate::model::DamagedFrames;
use crate::names::{nearest, one_of};

/// A word from a fixed list.
pub(crate) trait Word: Copy + 'static {
    /// What the words are: "body".
    const KIND: &'static str;
    /// The words, each with what it stands for; an `Err` is a word that is known but cannot be used.
    const WORDS: &'static [(&'static str, Result<Self, &'static str>)];
}

/// Reads a [`Word`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice<T>(pub T);

impl<T: Word> Choice<T> {
    fn usable() -> impl Iterator<Item = &'static str> {
        T::WORDS.iter().filter(|(_, value)| value.is_ok()).map(|(word, _)| *word)
    }

    fn suggestion(text: &str) -> String {
        match nearest(text, Self::usable()) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("write {}", one_of(Self::usable())),
        }
    }
}

impl<T: Word> FromStr for Choice<T> {
    type Err = Wrong;
    fn from_str(text: &str) -> Result<Self, Wrong> {
        match T::WORDS.iter().find(|(word, _)| *word == text) {
            Some((_, Ok(value))) => Ok(Choice(*value)),
            Some((_, Err(why))) => {
                Err(Wrong::new(format!("the {} `{text}` is {why}", T::KIND), Self::suggestion(text)))
            }
            None => Err(Wrong::new(format!("there is no {} `{text}`", T::KIND), Self::suggestion(text))),
        }
    }
}

impl<T: Word> JsonSchema for Choice<T> {
    fn schema_name() -> Cow<'static, str> {
        T::KIND.into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "enum": Self::usable().collect::<Vec<_>>()})
    }
}

impl Word for Body {
    const KIND: &'static str = "body";
    const WORDS: &'static [(&'static str, Result<Self, &'static str>)] = &[
        ("sun", Ok(Body::Sun)),
        ("mercury", Ok(Body::Mercury)),
        ("venus", Ok(Body::Venus)),
        ("earth", Ok(Body::Earth)),
        ("moon", Ok(Body::Moon)),
        ("mars", Ok(Body::Mars)),
        ("jupiter", Ok(Body::Jupiter)),
        ("saturn", Ok(Body::Saturn)),
        ("uranus", Ok(Body::Uranus)),
        ("neptune", Ok(Body::Neptune)),
    ];
}

impl Word for DamagedFrames {
    const KIND: &'static str = "treatment of damaged frames";
    const WORDS: &'static [(&'static str, Result<Self, &'static str>)] =
        &[("drop", Ok(DamagedFrames::Drop)), ("deliver", Ok(DamagedFrames::Deliver))];
}

impl Word for Band {
    const KIND: &'static str = "band";
    const WORDS: &'static [(&'static str, Result<Self, &'static str>)] = &[("x", Ok(Band::X)), ("ka", Ok(Band::Ka))];
}

impl Word for Fading {
    const KIND: &'static str = "law of fading";
    const WORDS: &'static [(&'static str, Result<Self, &'static str>)] =
        &[("rician", Ok(Fading::Rician)), ("log-normal", Ok(Fading::LogNormal))];
}

/// A code, apart from its interleaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CodeName {
    Uncoded,
    Convolutional,
    ReedSolomon,
    Concatenated,
    Ldpc1024,
    Ldpc4096,
    Turbo1784,
}

impl Word for CodeName {
    const KIND: &'static str = "code";
    const WORDS: &'static [(&'static str, Result<Self, &'static str>)] = &[
        ("uncoded", Ok(CodeName::Uncoded)),
        ("convolutional", Ok(CodeName::Convolutional)),
        ("reed-solomon", Ok(CodeName::ReedSolomon)),
        ("concatenated", Ok(CodeName::Concatenated)),
        ("ldpc-1024", Ok(CodeName::Ldpc1024)),
        ("ldpc-4096", Ok(CodeName::Ldpc4096)),
        ("turbo-1784", Ok(CodeName::Turbo1784)),
    ];
}

/// A modulation, apart from its pulse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ModulationName {
    Bpsk,
    Qpsk,
    Oqpsk,
    Psk8,
    Gmsk,
}

impl Word for ModulationName {
    const KIND: &'static str = "modulation";
    const WORDS: &'static [(&'static str, Result<Self, &'static str>)] = &[
        ("bpsk", Ok(ModulationName::Bpsk)),
        ("qpsk", Ok(ModulationName::Qpsk)),
        ("oqpsk", Ok(ModulationName::Oqpsk)),
        ("8psk", Ok(ModulationName::Psk8)),
        ("gmsk", Ok(ModulationName::Gmsk)),
        ("residual-carrier", Err("not available in scenarios yet")),
    ];
}

/// What transfer frames go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Through {
    Samples,
    Model,
}

impl Word for Through {
    const KIND: &'static str = "way of transfer frames";
    const WORDS: &'static [(&'static str, Result<Self, &'static str>)] =
        &[("samples", Ok(Through::Samples)), ("model", Ok(Through::Model))];
}

/// What runs a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Builtin;

impl Word for Builtin {
    const KIND: &'static str = "kind of node";
    const WORDS: &'static [(&'static str, Result<Self, &'static str>)] =
        &[("builtin", Ok(Builtin)), ("process", Err("not available yet")), ("board", Err("not available yet"))];
}

/// A status report that bundles can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivery;

impl Word for Delivery {
    const KIND: &'static str = "report";
    const WORDS: &'static [(&'static str, Result<Self, &'static str>)] = &[
        ("delivery", Ok(Delivery)),
        ("reception", Err("not available yet")),
        ("forwarding", Err("not available yet")),
        ("deletion", Err("not available yet")),
    ];
}
