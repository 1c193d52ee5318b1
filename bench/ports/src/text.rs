//! How a port is written: `KIND:PLACE[,key=value]…`, read in one way for every kind.
//!
//! A kind describes itself by a [`Form`]; [`Parts::read`] then takes its text apart and refuses what the form does not have, and
//! the kind reads places and values through [`Parts`]. Every refusal shows a right way to write it.
//!
//! ```
//! use farlink_ports::text::{Form, Key, Parts};
//!
//! const FORM: Form = Form {
//!     kind: "lamp",
//!     place: Some("the number of a lamp"),
//!     keys: &[Key::value("colour", "red or green"), Key::flag("blinking")],
//!     example: "lamp:4,colour=red",
//! };
//! let parts = Parts::read("lamp:4,blinking", &FORM)?;
//! assert_eq!(parts.place(|place| place.parse::<u8>().ok())?, 4);
//! assert_eq!(parts.choice("colour", &[("red", 'r'), ("green", 'g')])?, None);
//! assert!(parts.flag("blinking"));
//! assert_eq!(
//!     Parts::read("lamp:4,size=3", &FORM).unwrap_err().to_string(),
//!     "port `lamp:4,size=3`: `size` is no key of `lamp` (it has colour=, blinking); write it as in `lamp:4,colour=red`"
//! );
//! # Ok::<(), farlink_ports::text::PortTextError>(())
//! ```
//!
//! A place or value has no comma in it.

use std::fmt;

use thiserror::Error;

/// How ports of one kind are written.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// The word before the first colon.
    pub kind: &'static str,
    /// What the place is, in words that go on from "is not": "a port number". `None`: there is none, and keys follow at once.
    pub place: Option<&'static str>,
    /// The keys that may follow, in any order, each once.
    pub keys: &'static [Key],
    /// A right one.
    pub example: &'static str,
}

/// A key of a [`Form`].
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What its value is, in words that go on from "it is": "a whole number above 0". `None`: it stands alone.
    pub value: Option<&'static str>,
}

impl Key {
    /// `name=…`, with what the value is in words.
    pub const fn value(name: &'static str, value: &'static str) -> Self {
        Key { name, value: Some(value) }
    }

    /// `name`, alone.
    pub const fn flag(name: &'static str) -> Self {
        Key { name, value: None }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, if self.value.is_some() { "=" } else { "" })
    }
}

/// Why a port's text was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("port `{text}`: {problem}; write it as in `{example}`")]
pub struct PortTextError {
    /// What was written.
    pub text: String,
    /// What is wrong with it.
    pub problem: Problem,
    /// A right one.
    pub example: &'static str,
}

/// What is wrong with a port's text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// It does not begin with a kind and a colon.
    #[error("it begins with no kind of port ({kinds})")]
    Kind {
        /// Those that there are.
        kinds: String,
    },
    /// Nothing where the place must stand.
    #[error("it does not say where: {wanted}")]
    NoPlace {
        /// What belongs there.
        wanted: &'static str,
    },
    /// A place that cannot be.
    #[error("`{place}` is not {wanted}")]
    Place {
        /// What stands there.
        place: String,
        /// What belongs there.
        wanted: &'static str,
    },
    /// A key that this kind does not have.
    #[error("`{key}` is no key of `{kind}` (it has {keys})")]
    UnknownKey {
        /// The key.
        key: String,
        /// The kind.
        kind: &'static str,
        /// The keys that it has.
        keys: String,
    },
    /// A key that comes twice.
    #[error("`{key}` stands in it twice")]
    Twice {
        /// The key.
        key: &'static str,
    },
    /// A key whose value is missing.
    #[error("`{key}` has no value: it is {wanted}")]
    NoValue {
        /// The key.
        key: &'static str,
        /// What belongs there.
        wanted: &'static str,
    },
    /// A value for a key that stands alone.
    #[error("`{key}` stands alone, without `={value}`")]
    NeedlessValue {
        /// The key.
        key: &'static str,
        /// What was given to it.
        value: String,
    },
    /// A value that cannot be.
    #[error("`{key}={value}` cannot be: it is {wanted}")]
    Value {
        /// The key.
        key: &'static str,
        /// What was given to it.
        value: String,
        /// What belongs there.
        wanted: &'static str,
    },
    /// A key without which this port means nothing.
    #[error("`{key}=` is missing: it is {wanted}")]
    Missing {
        /// The key.
        key: &'static str,
        /// What belongs there.
        wanted: &'static str,
    },
    /// Parts that do not go together; why, in words.
    #[error("{0}")]
    Together(String),
}

/// A port's text, taken apart. Its keys are those of its form, each at most once, with a value where one belongs.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    form: &'static Form,
    text: &'a str,
    place: &'a str,
    keys: Vec<(&'static Key, &'a str)>,
}

/// The kind of a port's text: what stands before the first colon.
pub fn kind(text: &str) -> Option<&str> {
    text.split_once(':').map(|(kind, _)| kind)
}

impl<'a> Parts<'a> {
    /// Takes a text apart.
    ///
    /// # Errors
    /// Another kind, no place, an unknown key, one that comes twice, lacks its value or has one too many.
    pub fn read(text: &'a str, form: &'static Form) -> Result<Self, PortTextError> {
        let refuse = |problem| Err(PortTextError { text: text.to_owned(), problem, example: form.example });
        let Some((_, rest)) = text.split_once(':').filter(|(kind, _)| *kind == form.kind) else {
            return refuse(Problem::Kind { kinds: form.kind.to_owned() });
        };
        let nothing = form.place.is_none() && rest.is_empty();
        let mut parts = rest.split(',').filter(|_| !nothing);
        let mut place = "";
        if let Some(wanted) = form.place {
            place = parts.next().unwrap_or_default();
            if place.is_empty() {
                return refuse(Problem::NoPlace { wanted });
            }
        }
        let mut keys: Vec<(&'static Key, &'a str)> = Vec::new();
        for part in parts {
            let (name, value) = part.split_once('=').map_or((part, None), |(name, value)| (name, Some(value)));
            let Some(key) = form.keys.iter().find(|key| key.name == name) else {
                let all: Vec<_> = form.keys.iter().map(Key::to_string).collect();
                let keys = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
                return refuse(Problem::UnknownKey { key: name.to_owned(), kind: form.kind, keys });
            };
            if keys.iter().any(|(known, _)| known.name == key.name) {
                return refuse(Problem::Twice { key: key.name });
            }
            match (key.value, value) {
                (Some(wanted), None | Some("")) => return refuse(Problem::NoValue { key: key.name, wanted }),
                (None, Some(value)) => {
                    return refuse(Problem::NeedlessValue { key: key.name, value: value.to_owned() });
                }
                (_, value) => keys.push((key, value.unwrap_or_default())),
            }
        }
        Ok(Parts { form, text, place, keys })
    }

    fn error(&self, problem: Problem) -> PortTextError {
        PortTextError { text: self.text.to_owned(), problem, example: self.form.example }
    }

    /// The place, as `read` makes it of the text; `None` refuses it.
    ///
    /// # Errors
    /// It was refused.
    pub fn place<T>(&self, read: impl FnOnce(&'a str) -> Option<T>) -> Result<T, PortTextError> {
        read(self.place).ok_or_else(|| {
            self.error(Problem::Place { place: self.place.to_owned(), wanted: self.form.place.unwrap_or("anything") })
        })
    }

    /// Whether a key is there, with a value or alone.
    pub fn flag(&self, name: &str) -> bool {
        self.keys.iter().any(|(key, _)| key.name == name)
    }

    /// The value of a key, as `read` makes it of the text, which `None` refuses; `None` if the key is not there.
    ///
    /// # Errors
    /// It was refused.
    pub fn value<T>(&self, name: &str, read: impl FnOnce(&'a str) -> Option<T>) -> Result<Option<T>, PortTextError> {
        debug_assert!(self.form.keys.iter().any(|key| key.name == name), "the form has no key `{name}`");
        let Some((key, value)) = self.keys.iter().find(|(key, _)| key.name == name) else { return Ok(None) };
        let wanted = key.value.unwrap_or_default();
        read(value)
            .map(Some)
            .ok_or_else(|| self.error(Problem::Value { key: key.name, value: (*value).into(), wanted }))
    }

    /// The value of a key that is one of some words.
    ///
    /// # Errors
    /// It is none of them.
    pub fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<Option<T>, PortTextError> {
        self.value(name, |text| choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice))
    }

    /// The value of a key that must be there.
    ///
    /// # Errors
    /// It is missing, or was refused.
    pub fn required<T>(&self, name: &str, read: impl FnOnce(&'a str) -> Option<T>) -> Result<T, PortTextError> {
        self.value(name, read)?.ok_or_else(|| {
            let key = self.form.keys.iter().find(|key| key.name == name);
            let (key, wanted) = key.map_or(("", ""), |key| (key.name, key.value.unwrap_or_default()));
            self.error(Problem::Missing { key, wanted })
        })
    }

    /// Refuses the text for a reason of its kind's own, in words.
    pub fn refuse(&self, why: impl Into<String>) -> PortTextError {
        self.error(Problem::Together(why.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: Form = Form {
        kind: "line",
        place: Some("the path of a device"),
        keys: &[
            Key::value("baud", "a whole number above 0"),
            Key::value("parity", "none, even or odd"),
            Key::flag("rtscts"),
        ],
        example: "line:/dev/ttyS0,baud=9600",
    };
    const KEYS_ONLY: Form =
        Form { kind: "pair", place: None, keys: &[Key::value("in", "a path")], example: "pair:in=a" };

    fn refusal(text: &str) -> String {
        let error = Parts::read(text, &FORM).unwrap_err().to_string();
        assert!(error.starts_with(&format!("port `{text}`: ")), "{error}");
        assert!(error.ends_with("; write it as in `line:/dev/ttyS0,baud=9600`"), "{error}");
        error
    }

    #[test]
    fn places_and_values_come_out_as_they_stand() {
        let parts = Parts::read("line:/dev/a:b=c,parity=odd,rtscts,baud=19200", &FORM).unwrap();
        assert_eq!(parts.place(Some).unwrap(), "/dev/a:b=c");
        assert_eq!(parts.value("baud", |text| text.parse::<u32>().ok()), Ok(Some(19200)));
        assert_eq!(parts.choice("parity", &[("even", 1), ("odd", 2)]), Ok(Some(2)));
        assert!(parts.flag("rtscts"));
        let bare = Parts::read("line:x", &FORM).unwrap();
        assert_eq!((bare.value("baud", Some), bare.flag("rtscts")), (Ok(None), false));
        assert_eq!(Parts::read("pair:in=a=b", &KEYS_ONLY).unwrap().required("in", Some), Ok("a=b"));
        assert_eq!(kind("tcp:[::1]:4556"), Some("tcp"));
    }

    #[test]
    fn each_refusal_says_what_would_have_been_right() {
        for wrong in ["", "line", "lane:x", "Line:x"] {
            assert!(refusal(wrong).contains("no kind of port (line)"), "{wrong}");
        }
        for wrong in ["line:", "line:,baud=1"] {
            assert!(refusal(wrong).contains("does not say where: the path of a device"), "{wrong}");
        }
        assert!(refusal("line:x,bud=1").contains("`bud` is no key of `line` (it has baud=, parity=, rtscts)"));
        assert!(refusal("line:x,").contains("`` is no key"));
        assert!(refusal("line:x,baud=1,baud=1").contains("`baud` stands in it twice"));
        for wrong in ["line:x,baud", "line:x,baud="] {
            assert!(refusal(wrong).contains("`baud` has no value: it is a whole number above 0"), "{wrong}");
        }
        assert!(refusal("line:x,rtscts=yes").contains("`rtscts` stands alone, without `=yes`"));

        let parts = Parts::read("line:x,baud=0,parity=maybe", &FORM).unwrap();
        let baud = parts.value("baud", |text| text.parse::<u32>().ok().filter(|baud| *baud > 0)).unwrap_err();
        assert!(baud.to_string().contains("`baud=0` cannot be: it is a whole number above 0"));
        let parity = parts.choice("parity", &[("none", 0), ("even", 1)]).unwrap_err();
        assert!(parity.to_string().contains("`parity=maybe` cannot be: it is none, even or odd"));
        assert!(parts.place(|_| None::<u8>).unwrap_err().to_string().contains("`x` is not the path of a device"));
        let missing = Parts::read("line:x", &FORM).unwrap().required("baud", Some).unwrap_err();
        assert!(missing.to_string().contains("`baud=` is missing: it is a whole number above 0"));
        assert!(parts.refuse("no such line").to_string().contains(": no such line; "));
        let empty = Parts::read("pair:", &KEYS_ONLY).unwrap().required("in", Some).unwrap_err();
        assert!(empty.to_string().contains("`in=` is missing: it is a path"));
    }
}
