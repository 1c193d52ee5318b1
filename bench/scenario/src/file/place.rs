//! Where nodes are.

use farlink_channel_models::Body;
use farlink_units::{Angle, Length, Ratio};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::located::{At, Text};
use crate::words::Choice;

/// A place: the centre of a `body`, a `site` on one, an `orbit` around one, an Earth `satellite` given by TLE or OMM, or a
/// `trajectory` given by a file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceEntry {
    /// The centre of this body.
    pub body: Option<Text<Choice<Body>>>,
    /// A fixed point on the surface of a body, or above it.
    pub site: Option<At<SiteEntry>>,
    /// An orbit around a body.
    pub orbit: Option<At<OrbitEntry>>,
    /// A satellite of the Earth, moved by SGP4.
    pub satellite: Option<At<SatelliteEntry>>,
    /// What a file of positions says.
    pub trajectory: Option<At<TrajectoryEntry>>,
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
    /// The height of the land all round: points of azimuth and elevation in the order of azimuth, with straight lines between.
    /// Default a level horizon.
    #[serde(default)]
    pub horizon: Vec<At<HorizonPoint>>,
}

/// How high the land stands in one direction.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HorizonPoint {
    /// The direction, from north through east: 0 deg to 360 deg.
    #[schemars(required)]
    pub azimuth: Option<Text<Angle>>,
    /// How high the land stands there.
    #[schemars(required)]
    pub elevation: Option<Text<Angle>>,
}

/// A satellite of the Earth, by a file of general perturbations elements.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SatelliteEntry {
    /// A file of two-line elements, with or without names; its path is relative to the folder of the scenario.
    pub tle: Option<At<String>>,
    /// A file of CCSDS orbit mean elements (OMM), in KVN or JSON.
    pub omm: Option<At<String>>,
    /// The name or catalogue number of the satellite, if the file holds several.
    pub object: Option<At<String>>,
}

/// A trajectory, by a file of positions. Outside of what the file covers, the place is nowhere and its links are closed.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrajectoryEntry {
    /// A CCSDS orbit ephemeris message (OEM, 502.0-B) in KVN; its path is relative to the folder of the scenario.
    pub oem: Option<At<String>>,
    /// A SPICE kernel of the type SPK, with segments that lead to the barycentre of the solar system, by way of those in
    /// `kernels` too. Where several files place one object, a later trajectory takes precedence, and `kernels` before all. Only
    /// in a build with the feature `spice`.
    pub spk: Option<At<String>>,
    /// The name of the object if an OEM holds several, or its NAIF number in an SPK.
    pub object: Option<At<String>>,
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
