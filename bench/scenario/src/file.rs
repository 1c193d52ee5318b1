//! The shape of the scenario file, as serde reads it. The documentation of each field is what editors show for it.
//!
//! Keys that must stand are optional here and `required` only in the schema, so that `check` can name every one that is
//! missing instead of the first.

use std::borrow::Cow;
use std::fmt;

use farlink_channel_models::Body;
use farlink_units::{Angle, BitRate, Duration, Length, Ratio, Size};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};

use crate::located::{At, Named, Text};
use crate::model::DamagedFrames;
use crate::names::{MAX_NAME, NAME_PATTERN};
use crate::values::{Count, NodeId, Utc, When};
use crate::words::{Builtin, Choice, Delivery};

/// A Farlink scenario: nodes, the links between them, what is sent and what is expected to arrive.
///
/// Every quantity carries its unit: `256 kbit/s`, `4 s`, `64 KiB`, `10 deg`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(title = "Farlink scenario")]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// The name of the scenario, made of a-z, 0-9 and `-`: recordings are named after it.
    #[schemars(required, extend("pattern" = NAME_PATTERN, "maxLength" = MAX_NAME))]
    pub scenario: Option<At<String>>,
    /// What the scenario is for, in a few words.
    pub description: Option<String>,
    /// What all randomness is derived from: the same file with the same seed gives the same run. Default 1.
    pub seed: Option<Text<Count>>,
    /// The calendar time at which the run starts, in UTC, as in `2026-12-15T00:00:00Z`.
    #[schemars(required)]
    pub epoch: Option<Text<Utc>>,
    /// How long the run lasts at most, as in `24 h`.
    #[schemars(required)]
    pub duration: Option<Text<Duration>>,
    /// Where nodes are: needed for links that follow the geometry.
    #[serde(default)]
    pub places: Named<PlaceEntry>,
    /// The nodes, by name.
    #[schemars(required)]
    pub nodes: Option<At<Named<NodeEntry>>>,
    /// The links between them, by name.
    #[schemars(required)]
    pub links: Option<At<Named<LinkEntry>>>,
    /// What is sent, by name. A scenario without can be planned, but not run.
    pub traffic: Option<At<Named<TrafficEntry>>>,
    /// What makes the run pass beyond the default, by the name of the traffic. By default all that is sent must arrive
    /// intact, and each delivery report that was asked for must come back, before the run ends.
    #[serde(default)]
    pub expect: Named<ExpectEntry>,
}

/// A place: a `site` on a body, an `orbit` around one, or the centre of a `body`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceEntry {
    /// The centre of this body.
    pub body: Option<Text<Choice<Body>>>,
    /// A fixed point on the surface of a body, or above it.
    pub site: Option<At<SiteEntry>>,
    /// An orbit around a body.
    pub orbit: Option<At<OrbitEntry>>,
}

/// A fixed point on a body.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SiteEntry {
    /// The body it stands on.
    #[schemars(required)]
    pub body: Option<Text<Choice<Body>>>,
    /// Latitude, north positive: -90 deg to 90 deg.
    #[schemars(required)]
    pub latitude: Option<Text<Angle>>,
    /// Longitude, east positive.
    #[schemars(required)]
    pub longitude: Option<Text<Angle>>,
    /// Height above the reference surface of the body. Default 0 km.
    pub altitude: Option<Text<Length>>,
}

/// An orbit, by its Keplerian elements at the epoch. They refer to the equator of the body at J2000; for the Earth, to the
/// axes of the ICRF.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrbitEntry {
    /// The body it goes around.
    #[schemars(required)]
    pub body: Option<Text<Choice<Body>>>,
    /// Half the long axis, from the centre of the body: its radius and the mean height.
    #[schemars(required)]
    pub semi_major_axis: Option<Text<Length>>,
    /// 0 for a circle, below 1. Default 0.
    pub eccentricity: Option<Text<Ratio>>,
    /// Tilt against the equator of the body: 0 deg to 180 deg; above 90 deg the orbit is retrograde.
    #[schemars(required)]
    pub inclination: Option<Text<Angle>>,
    /// Where the orbit crosses the equator northwards, counted eastwards from where the equator of the body crosses that of
    /// the ICRF northwards; for the Earth, its right ascension. Default 0 deg.
    pub ascending_node: Option<Text<Angle>>,
    /// Angle in the orbit from the ascending node to the lowest point. Default 0 deg.
    pub argument_of_periapsis: Option<Text<Angle>>,
    /// How far along the orbit the node is at the epoch, counted from the lowest point. Default 0 deg.
    pub mean_anomaly: Option<Text<Angle>>,
}

/// A node: an LTP engine and a bundle agent.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeEntry {
    /// Its node ID, as in `ipn:10.0`. The node number is its LTP engine number, too.
    #[schemars(required)]
    pub eid: Option<Text<NodeId>>,
    /// The name of its place.
    pub at: Option<At<String>>,
    /// What runs it. Default `builtin`, Farlink's own node.
    pub kind: Option<Text<Choice<Builtin>>>,
    /// How much bundle data it can keep. Default 1 GiB.
    pub storage: Option<Text<Size>>,
}

/// A link between two nodes. Either `visibility` or `light_time` says when it carries.
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
    /// With `light_time`: when the link carries. Default `always`.
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

/// One direction of a link.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChannelEntry {
    /// The node that transmits.
    #[schemars(required)]
    pub from: Option<At<String>>,
    /// The node that receives.
    #[schemars(required)]
    pub to: Option<At<String>>,
    /// The data rate, as in `256 kbit/s`.
    #[schemars(required)]
    pub rate: Option<Text<BitRate>>,
    /// Bit error ratio: the probability that a bit arrives flipped, 0 to 0.5. Default 0.
    pub ber: Option<Text<Ratio>>,
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

/// Something that is sent: a `file` or a `text`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrafficEntry {
    /// The node that sends.
    #[schemars(required)]
    pub from: Option<At<String>>,
    /// The node that it is for.
    #[schemars(required)]
    pub to: Option<At<String>>,
    /// The file whose bytes are sent; its path is relative to the folder of the scenario.
    pub file: Option<At<String>>,
    /// The text that is sent.
    pub text: Option<At<String>>,
    /// When: since the epoch, as in `1 h`, or in UTC. Default 0 s.
    pub at: Option<Text<When>>,
    /// The most payload bytes in one bundle: larger content is sent as several bundles. Default 64 KiB.
    pub bundle_size: Option<Text<Size>>,
    /// How long each bundle may live before it is deleted. Default 24 h.
    pub lifetime: Option<Text<Duration>>,
    /// The status reports that the bundles ask for. Default none.
    #[serde(default)]
    pub report: Vec<Text<Choice<Delivery>>>,
}

/// What is expected of a traffic item.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpectEntry {
    /// When all of it must have arrived: since the epoch, as in `20 h`, or in UTC. Default the end of the run.
    pub arrives_by: Option<Text<When>>,
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
