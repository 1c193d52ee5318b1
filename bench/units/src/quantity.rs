//! Quantities as a person writes them: a decimal number and a unit.
//!
//! Numbers are read as exact decimals, not through floating point, so `0.1 s` is 100,000,000 ns and nothing else.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;

use crate::Duration;

/// Why a quantity was refused. Each message says what would have been right.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QuantityError {
    /// A number without a unit.
    #[error("`{text}` has no unit: write {} as in `{example}` (units: {units})", a(kind))]
    MissingUnit {
        /// What was written.
        text: String,
        /// What kind of quantity belongs here.
        kind: &'static str,
        /// A right one.
        example: &'static str,
        /// The units that fit.
        units: String,
    },
    /// A unit that does not belong to this kind of quantity.
    #[error("`{unit}` is not a unit of {}: write it as in `{example}` (units: {units})", a(kind))]
    UnknownUnit {
        /// The unit that was written.
        unit: String,
        /// What kind of quantity belongs here.
        kind: &'static str,
        /// A right one.
        example: &'static str,
        /// The units that fit.
        units: String,
    },
    /// No number where one must stand.
    #[error("`{text}` is not {}: write a number and a unit, as in `{example}`", a(kind))]
    NotANumber {
        /// What was written.
        text: String,
        /// What kind of quantity belongs here.
        kind: &'static str,
        /// A right one.
        example: &'static str,
    },
    /// A value that this quantity cannot have.
    #[error("`{text}` is out of range: {} is {range}", a(kind))]
    OutOfRange {
        /// What was written.
        text: String,
        /// What kind of quantity belongs here.
        kind: &'static str,
        /// The values it can have.
        range: &'static str,
    },
}

/// `a length`, `an angle`.
fn a(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {kind}")
}

/// A quantity that is read from text with a unit.
pub trait Quantity: Sized {
    /// What it is called in messages: "duration", "data rate".
    const KIND: &'static str;
    /// A right way to write one.
    const EXAMPLE: &'static str;
    /// The values it can have, in words.
    const RANGE: &'static str;
    /// The units that fit, each with how many base units it stands for, as numerator and power of ten.
    const UNITS: &'static [(&'static str, u64, i32)];

    /// Makes one of a decimal in base units, or `None` if that is out of range.
    fn from_base(value: Decimal) -> Option<Self>;

    /// Makes one of a decimal in `unit`, where that unit is no multiple of the base unit: `None` if it is one.
    fn from_unit(_value: Decimal, _unit: &str) -> Option<Option<Self>> {
        None
    }

    /// Reads one from text.
    ///
    /// # Errors
    /// A missing or unknown unit, no number, or a value out of range.
    fn parse(text: &str) -> Result<Self, QuantityError> {
        let text = text.trim();
        let not_a_number =
            || QuantityError::NotANumber { text: text.to_owned(), kind: Self::KIND, example: Self::EXAMPLE };
        let split = number_length(text);
        let number = Decimal::parse(&text[..split]).ok_or_else(not_a_number)?;
        let unit = text[split..].trim_start();
        if unit.is_empty() {
            return Err(QuantityError::MissingUnit {
                text: text.to_owned(),
                kind: Self::KIND,
                example: Self::EXAMPLE,
                units: unit_list::<Self>(),
            });
        }
        let Some(&(_, factor, power)) = Self::UNITS.iter().find(|(name, ..)| *name == unit) else {
            return Err(QuantityError::UnknownUnit {
                unit: unit.to_owned(),
                kind: Self::KIND,
                example: Self::EXAMPLE,
                units: unit_list::<Self>(),
            });
        };
        let read =
            Self::from_unit(number, unit).unwrap_or_else(|| number.scaled(factor, power).and_then(Self::from_base));
        read.ok_or_else(|| QuantityError::OutOfRange { text: text.to_owned(), kind: Self::KIND, range: Self::RANGE })
    }
}

fn unit_list<Q: Quantity>() -> String {
    Q::UNITS.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ")
}

/// How many bytes at the start of `text` look like a decimal number. An exponent counts only if digits follow, so that a
/// unit may begin with `e`.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |mut at: usize| {
        while at < bytes.len() && bytes[at].is_ascii_digit() {
            at += 1;
        }
        at
    };
    let mut at = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    at = digits(at);
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let end = digits(at + 1 + sign);
        if end > at + 1 + sign {
            at = end;
        }
    }
    at
}

/// An exact decimal: `mantissa` × 10^`exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    mantissa: i128,
    exponent: i32,
}

impl Decimal {
    /// Reads digits with an optional sign, point and exponent; `None` if it is no number or has more than 30 digits.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((n, e)) => (n, e.parse::<i32>().ok().filter(|e| e.abs() <= 1000)?),
            None => (text, 0),
        };
        let (negative, number) = match number.as_bytes().first()? {
            b'-' => (true, &number[1..]),
            b'+' => (false, &number[1..]),
            _ => (false, number),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = whole.len() + fraction.len();
        if digits == 0 || digits > 30 || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
            return None;
        }
        let mut mantissa: i128 = 0;
        for digit in whole.bytes().chain(fraction.bytes()) {
            mantissa = mantissa * 10 + i128::from(digit - b'0');
        }
        if negative {
            mantissa = -mantissa;
        }
        Some(Decimal { mantissa, exponent: exponent - fraction.len() as i32 })
    }

    fn scaled(self, factor: u64, power: i32) -> Option<Self> {
        Some(Decimal { mantissa: self.mantissa.checked_mul(i128::from(factor))?, exponent: self.exponent + power })
    }

    /// The nearest integer, halves away from zero; `None` if it does not fit.
    pub fn round(self) -> Option<i128> {
        if self.mantissa == 0 {
            return Some(0);
        }
        let power = 10_i128.checked_pow(self.exponent.unsigned_abs());
        if self.exponent >= 0 {
            return self.mantissa.checked_mul(power?);
        }
        // A divisor too large for 128 bits leaves less than a half.
        let Some(power) = power else { return Some(0) };
        let (quotient, rest) = (self.mantissa / power, self.mantissa % power);
        Some(if rest.abs() >= power - rest.abs() { quotient + self.mantissa.signum() } else { quotient })
    }

    /// The nearest floating-point number.
    pub fn to_f64(self) -> f64 {
        format!("{}e{}", self.mantissa, self.exponent).parse().unwrap_or(f64::NAN)
    }
}

/// A data rate in bits per second, above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BitRate(u64);

impl BitRate {
    /// The highest rate that can be written, 10^18 bit/s. A frame takes a nanosecond at it, so it stands for "no limit".
    pub const UNLIMITED: BitRate = BitRate(1_000_000_000_000_000_000);

    /// A rate of `bps` bits per second; `None` for zero.
    pub const fn from_bps(bps: u64) -> Option<Self> {
        if bps == 0 { None } else { Some(BitRate(bps)) }
    }

    /// Bits per second.
    pub const fn bps(self) -> u64 {
        self.0
    }

    /// How long `bits` take to leave the transmitter.
    pub fn time_for_bits(self, bits: u64) -> Duration {
        Duration::of_bits(bits, self.0)
    }
}

/// A quantity of data in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

impl Size {
    /// A size of `bytes` bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Size(bytes)
    }

    /// Bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// A length or height in kilometres.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Length(f64);

impl Length {
    /// Kilometres.
    pub const fn km(self) -> f64 {
        self.0
    }
}

/// An angle in degrees.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Angle(f64);

impl Angle {
    /// Degrees.
    pub const fn deg(self) -> f64 {
        self.0
    }
}

/// A ratio between 0 and 1, such as a bit error ratio; it has no unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Ratio(f64);

impl Ratio {
    /// The ratio as a number; `None` outside 0 … 1.
    pub fn new(value: f64) -> Option<Self> {
        (0.0..=1.0).contains(&value).then_some(Ratio(value))
    }

    /// The number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Quantity for Duration {
    const KIND: &'static str = "duration";
    const EXAMPLE: &'static str = "4 s";
    const RANGE: &'static str = "between 0 and 292 years";
    const UNITS: &'static [(&'static str, u64, i32)] =
        &[("ns", 1, 0), ("us", 1, 3), ("ms", 1, 6), ("s", 1, 9), ("min", 60, 9), ("h", 3600, 9), ("d", 86_400, 9)];
    fn from_base(value: Decimal) -> Option<Self> {
        i64::try_from(value.round()?).ok().filter(|n| *n >= 0).map(Duration::from_nanos)
    }
}

impl Quantity for BitRate {
    const KIND: &'static str = "data rate";
    const EXAMPLE: &'static str = "256 kbit/s";
    const RANGE: &'static str = "above 0 and at most 10^18 bit/s";
    const UNITS: &'static [(&'static str, u64, i32)] = &[
        ("bit/s", 1, 0),
        ("kbit/s", 1, 3),
        ("Mbit/s", 1, 6),
        ("Gbit/s", 1, 9),
        ("B/s", 8, 0),
        ("kB/s", 8, 3),
        ("MB/s", 8, 6),
    ];
    fn from_base(value: Decimal) -> Option<Self> {
        u64::try_from(value.round()?).ok().filter(|n| *n <= 1_000_000_000_000_000_000).and_then(BitRate::from_bps)
    }
}

impl Quantity for Size {
    const KIND: &'static str = "size";
    const EXAMPLE: &'static str = "64 KiB";
    const RANGE: &'static str = "a whole number of bytes from 0 to 2^63";
    const UNITS: &'static [(&'static str, u64, i32)] = &[
        ("B", 1, 0),
        ("kB", 1, 3),
        ("MB", 1, 6),
        ("GB", 1, 9),
        ("KiB", 1 << 10, 0),
        ("MiB", 1 << 20, 0),
        ("GiB", 1 << 30, 0),
    ];
    fn from_base(value: Decimal) -> Option<Self> {
        u64::try_from(value.round()?).ok().filter(|n| *n <= i64::MAX as u64).map(Size)
    }
}

impl Quantity for Length {
    const KIND: &'static str = "length";
    const EXAMPLE: &'static str = "400 km";
    const RANGE: &'static str = "a finite length";
    const UNITS: &'static [(&'static str, u64, i32)] = &[("m", 1, -3), ("km", 1, 0), ("au", 1_495_978_707, -1)];
    fn from_base(value: Decimal) -> Option<Self> {
        Some(value.to_f64()).filter(|v| v.is_finite()).map(Length)
    }
}

impl Quantity for Angle {
    const KIND: &'static str = "angle";
    const EXAMPLE: &'static str = "10 deg";
    const RANGE: &'static str = "from -360 deg to 360 deg";
    // The factor of rad is 180/π to 17 digits.
    const UNITS: &'static [(&'static str, u64, i32)] = &[("deg", 1, 0), ("rad", 57_295_779_513_082_320, -15)];
    fn from_base(value: Decimal) -> Option<Self> {
        Some(value.to_f64()).filter(|v| v.abs() <= 360.0).map(Angle)
    }
}

impl FromStr for Ratio {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let text = text.trim();
        let value = Decimal::parse(text).ok_or_else(|| QuantityError::NotANumber {
            text: text.to_owned(),
            kind: "ratio",
            example: "1e-6",
        })?;
        Ratio::new(value.to_f64()).ok_or_else(|| QuantityError::OutOfRange {
            text: text.to_owned(),
            kind: "ratio",
            range: "from 0 to 1, without a unit",
        })
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (divisor, unit) = match self.0 {
            1_000_000_000.. => (1e9, "Gbit/s"),
            1_000_000.. => (1e6, "Mbit/s"),
            1000.. => (1e3, "kbit/s"),
            _ => (1.0, "bit/s"),
        };
        write!(f, "{} {unit}", self.0 as f64 / divisor)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (divisor, unit) = match self.0 {
            1_000_000_000.. => (1e9, "GB"),
            1_000_000.. => (1e6, "MB"),
            1000.. => (1e3, "kB"),
            _ => return write!(f, "{} B", self.0),
        };
        write!(f, "{:.2} {unit}", self.0 as f64 / divisor)
    }
}

/// Reads a quantity where serde finds a string, or a bare number, which is refused with the units that fit.
pub(crate) fn deserialize<'de, Q: Quantity, D: Deserializer<'de>>(deserializer: D) -> Result<Q, D::Error> {
    struct Text<Q>(PhantomData<Q>);
    impl<Q: Quantity> Visitor<'_> for Text<Q> {
        type Value = Q;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a {} with a unit, as in `{}`", Q::KIND, Q::EXAMPLE)
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Q, E> {
            Q::parse(text).map_err(E::custom)
        }
        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Q, E> {
            self.visit_str(&number.to_string())
        }
        fn visit_i64<E: de::Error>(self, number: i64) -> Result<Q, E> {
            self.visit_str(&number.to_string())
        }
        fn visit_f64<E: de::Error>(self, number: f64) -> Result<Q, E> {
            self.visit_str(&number.to_string())
        }
    }
    deserializer.deserialize_any(Text(PhantomData))
}

/// What an editor is told of a quantity.
pub(crate) fn schema<Q: Quantity>() -> Schema {
    json_schema!({
        "type": "string",
        "description": format!("A {} with a unit: {}", Q::KIND, unit_list::<Q>()),
        "pattern": format!(
            "^[+-]?[0-9]*\\.?[0-9]*([eE][+-]?[0-9]+)? *({})$",
            Q::UNITS.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join("|")
        ),
        "examples": [Q::EXAMPLE],
    })
}

macro_rules! read_with_unit {
    ($($type:ty),*) => {$(
        impl std::str::FromStr for $type {
            type Err = $crate::QuantityError;
            fn from_str(text: &str) -> Result<Self, $crate::QuantityError> {
                <$type as $crate::Quantity>::parse(text)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::quantity::deserialize(deserializer)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $crate::quantity::schema::<$type>()
            }
        }
    )*};
}
pub(crate) use read_with_unit;

read_with_unit!(Duration, BitRate, Size, Length, Angle);

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = f64::deserialize(deserializer)?;
        Ratio::new(value).ok_or_else(|| {
            de::Error::custom(format!("`{value}` is out of range: a ratio is from 0 to 1, without a unit"))
        })
    }
}

impl JsonSchema for Ratio {
    fn schema_name() -> Cow<'static, str> {
        "Ratio".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "number", "minimum": 0, "maximum": 1, "examples": [1e-6]})
    }
}

impl Serialize for Duration {
    /// Whole nanoseconds, as recordings keep them.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.as_nanos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        assert_eq!("0.1 s".parse(), Ok(Duration::from_millis(100)));
        assert_eq!("1e3ms".parse(), Ok(Duration::from_secs(1)));
        assert_eq!("4s".parse(), Ok(Duration::from_secs(4)));
        assert_eq!("1.5 h".parse(), Ok(Duration::from_secs(5400)));
        assert_eq!("0.0000000001 s".parse(), Ok(Duration::ZERO));
        assert_eq!("256kbit/s".parse(), Ok(BitRate::from_bps(256_000).unwrap()));
        assert_eq!("1 kB/s".parse(), Ok(BitRate::from_bps(8000).unwrap()));
        assert_eq!("64 KiB".parse(), Ok(Size::from_bytes(65_536)));
        assert_eq!("400 m".parse::<Length>().unwrap().km(), 0.4);
        assert_eq!("1 au".parse::<Length>().unwrap().km(), 149_597_870.7);
        assert!(("3.141592653589793 rad".parse::<Angle>().unwrap().deg() - 180.0).abs() < 1e-12);
    }

    #[test]
    fn a_bare_number_names_the_units_that_fit() {
        let error = "256".parse::<BitRate>().unwrap_err().to_string();
        assert!(error.contains("`256` has no unit"), "{error}");
        assert!(error.contains("256 kbit/s") && error.contains("Mbit/s"), "{error}");
        assert!("4".parse::<Duration>().unwrap_err().to_string().contains("ms, s, min"));
    }

    #[test]
    fn wrong_units_and_values_are_refused() {
        assert!(matches!("4 kbit/s".parse::<Duration>(), Err(QuantityError::UnknownUnit { .. })));
        assert!(matches!("256 kbps".parse::<BitRate>(), Err(QuantityError::UnknownUnit { .. })));
        assert!(matches!("-4 s".parse::<Duration>(), Err(QuantityError::OutOfRange { .. })));
        assert!(matches!("0 bit/s".parse::<BitRate>(), Err(QuantityError::OutOfRange { .. })));
        assert!(matches!("1e40 d".parse::<Duration>(), Err(QuantityError::OutOfRange { .. })));
        assert!(matches!("1e999 s".parse::<Duration>(), Err(QuantityError::OutOfRange { .. })));
        for text in ["", "s", "fast", "-", ".", "1..2 s", "NaN s", "99999999999999999999999999999999 s"] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
        assert!("1.1".parse::<Ratio>().is_err() && "1e-6 s".parse::<Ratio>().is_err());
        assert_eq!("1e-6".parse::<Ratio>().unwrap().get(), 1e-6);
    }
}
