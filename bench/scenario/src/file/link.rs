//! Links and when they carry.

use std::borrow::Cow;
use std::fmt;

use farlink_channel_models::Body;
use farlink_units::{Angle, Duration, Length, Ratio, Size};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use super::ChannelEntry;
use crate::located::{At, Named, Text};
use crate::model::DamagedFrames;
use crate::values::{Count, When};
use crate::words::Choice;

/// A link between two nodes. One of `visibility`, `light_time` and `range_table` says over what distance it carries.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkEntry {
    /// The first channel.
    #[schemars(required)]
    pub forward: Option<At<ChannelEntry>>,
    /// The channel back, over which LTP hears what has arrived.
    #[serde(rename = "return")]
    #[schemars(required)]
    pub return_: Option<At<ChannelEntry>>,
    /// Contacts and light time follow from the places of the two nodes.
    pub visibility: Option<At<VisibilityEntry>>,
    /// A constant one-way light time, as in `10 min`.
    pub light_time: Option<Text<Duration>>,
    /// A file with lines of seconds since the epoch and distance in km, as `600,384400`, from which the light time follows; its
    /// path is relative to the folder of the scenario. Outside of what the table covers the link is closed.
    pub range_table: Option<At<String>>,
    /// With `light_time` or `range_table`: when the link carries. Default `always`.
    pub contacts: Option<At<ContactsEntry>>,
    /// What the receiver does with a frame in which bits have flipped. Default `drop`, as a frame check would; `deliver`
    /// hands it to the node.
    pub damaged_frames: Option<Text<Choice<DamagedFrames>>>,
    /// Link-layer header and check around each segment: they take time on the link and can be hit by bit errors.
    /// Default 0 B.
    pub frame_overhead: Option<Text<Size>>,
    /// What the transmit queue of each channel holds. Default 256 KiB.
    pub queue: Option<Text<Size>>,
    /// Settings of LTP on this link.
    pub ltp: Option<LtpEntry>,
}

/// When two nodes see each other.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VisibilityEntry {
    /// How high above the horizon of a site the other end must stand. Default 0 deg.
    pub elevation_mask: Option<Text<Angle>>,
    /// The bodies that block the line of sight. Default none.
    #[serde(default)]
    pub occulted_by: Vec<Text<Choice<Body>>>,
    /// The greatest distance that the link bridges. Default no limit.
    pub max_range: Option<Text<Length>>,
    /// What else holds at the antenna of a node, by the name of the node.
    #[serde(default)]
    pub antennas: Named<AntennaEntry>,
}

/// What holds at the antenna of a node.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AntennaEntry {
    /// Bodies that the antenna must not point near.
    #[serde(default)]
    pub keep_out: Vec<At<KeepOutEntry>>,
    /// Solar conjunction: what happens as the other end comes near the Sun in the sky of this node.
    pub conjunction: Option<At<ConjunctionEntry>>,
}

/// A cone around a body into which an antenna must not point.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeepOutEntry {
    /// The body to keep away from.
    #[schemars(required)]
    pub body: Option<Text<Choice<Body>>>,
    /// The least angle between the other end and the centre of the body.
    #[schemars(required)]
    pub angle: Option<Text<Angle>>,
}

/// Limits of the angle between the other end and the centre of the Sun: the Sun–Earth–probe angle, at a node on the Earth.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConjunctionEntry {
    /// Below this angle the link counts as degraded. Default the angle of `outage_below`.
    pub degraded_below: Option<Text<Angle>>,
    /// Below this angle there is no link. Default 0 deg.
    pub outage_below: Option<Text<Angle>>,
    /// Bit error ratio that both channels have in addition while the link counts as degraded: above 0, up to 0.5. Default none.
    pub degraded_ber: Option<Text<Ratio>>,
}

/// When a link carries: the word `always`, or a list of contacts.
#[derive(Clone, Debug)]
pub(crate) enum ContactsEntry {
    Always,
    /// A word that is not `always`.
    Word(String),
    List(Vec<At<ContactEntry>>),
}

/// An interval in which the link carries.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContactEntry {
    /// When it starts: since the epoch, as in `600 s`, or in UTC.
    #[schemars(required)]
    pub start: Option<Text<When>>,
    /// When it ends.
    #[schemars(required)]
    pub end: Option<Text<When>>,
}

/// Settings of LTP on a link.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LtpEntry {
    /// The most bytes in one segment, its LTP header included. Default 1360 B.
    pub segment_size: Option<Text<Size>>,
    /// How much longer than twice the light time an answer may take, for queueing and processing at both ends (RFC 5326
    /// section 6.5). Default 2 s.
    pub response_margin: Option<Text<Duration>>,
    /// How often a checkpoint or report is retransmitted before the session is given up. Default 20.
    pub retransmission_limit: Option<Text<Count>>,
}

impl<'de> Deserialize<'de> for ContactsEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Contacts;
        impl<'de> Visitor<'de> for Contacts {
            type Value = ContactsEntry;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`always` or a list of contacts")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<ContactsEntry, E> {
                Ok(if text == "always" { ContactsEntry::Always } else { ContactsEntry::Word(text.to_owned()) })
            }
            fn visit_bool<E: de::Error>(self, word: bool) -> Result<ContactsEntry, E> {
                Ok(ContactsEntry::Word(word.to_string()))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<ContactsEntry, E> {
                Ok(ContactsEntry::Word(number.to_string()))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<ContactsEntry, E> {
                Ok(ContactsEntry::Word(number.to_string()))
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<ContactsEntry, E> {
                Ok(ContactsEntry::Word(number.to_string()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<ContactsEntry, A::Error> {
                let mut contacts = Vec::new();
                while let Some(contact) = sequence.next_element()? {
                    contacts.push(contact);
                }
                Ok(ContactsEntry::List(contacts))
            }
        }
        deserializer.deserialize_any(Contacts)
    }
}

impl JsonSchema for ContactsEntry {
    fn schema_name() -> Cow<'static, str> {
        "Contacts".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "const": "always" },
                { "type": "array", "minItems": 1, "items": generator.subschema_for::<ContactEntry>() },
            ],
        })
    }
}
