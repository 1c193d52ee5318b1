//! The shape of the scenario file, as serde reads it. The documentation of each field is what editors show for it.
//!
//! Keys that must stand are optional here and `required` only in the schema, so that `check` can name every one that is
//! missing instead of the first.

mod channel;
mod link;
mod place;
mod radio;

use farlink_units::{Duration, Size};
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use self::channel::*;
pub(crate) use self::link::*;
pub(crate) use self::place::*;
pub(crate) use self::radio::*;
use crate::located::{At, Named, Text};
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
    /// SPICE kernels (SPK, PCK, LSK): files whose paths are relative to the folder of the scenario. Bodies are where these say,
    /// turned as these say, and UTC has the leap seconds of these; what they do not hold comes from the built-in series. What
    /// a later file says takes precedence. Only in a build with the feature `spice`.
    #[serde(default)]
    pub kernels: Vec<At<String>>,
    /// Where nodes are: needed for links that follow the geometry.
    #[serde(default)]
    pub places: Named<PlaceEntry>,
    /// How late the bench may be in real time. Beyond that its verdicts are inconclusive. Default: lateness is told, not judged.
    pub timing: Option<At<TimingEntry>>,
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

/// How late the bench may be in real time, of what it has to do at an instant.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimingEntry {
    /// For 99 of 100 things to do, as in `200 us`. Default no limit.
    pub p99: Option<Text<Duration>>,
    /// For each of them, as in `5 ms`. Default no limit.
    pub max: Option<Text<Duration>>,
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
