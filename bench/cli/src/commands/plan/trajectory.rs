//! Plans from trajectories: when sites see what a file says the way of.

use std::fmt::Display;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::thread;

use clap::Args;
use farlink_channel_models::{Body, EphemerisTable, Geometry, Pair, Place, Satellite, Site, Visibility};
use farlink_contact_plan::{Contact, ContactPlan, LightTime, NodeId, Rate, Steps};
use farlink_units::{Angle, BitRate, Duration, Instant, Length};

use super::input::{self, Failure, Reading, Trajectory};

/// How far the light time of a plan may be from that of the geometry: 3 km of way.
const TOLERANCE: Duration = Duration::from_nanos(10_000);
/// The lowest and the highest site, in km.
const SITE_HEIGHTS_KM: std::ops::RangeInclusive<f64> = -20.0..=100.0;

/// Who sees a trajectory, and how fast they then talk.
#[derive(Debug, Args)]
pub struct Sites {
    /// A node on the Earth for a plan from a trajectory: its EID or name, latitude and longitude in degrees, height; repeat it for more.
    #[arg(long = "site", value_name = "NODE=LATITUDE,LONGITUDE[,HEIGHT]", allow_hyphen_values = true)]
    sites: Vec<NamedSite>,
    /// The node that an object of the file is; by default the name that the file gives it.
    #[arg(long = "name", value_name = "OBJECT=NODE")]
    names: Vec<Rename>,
    /// The rate from each object to each site.
    #[arg(long, value_name = "RATE")]
    rate: Option<BitRate>,
    /// The rate back; by default the same.
    #[arg(long, value_name = "RATE")]
    return_rate: Option<BitRate>,
    /// Further SPICE kernels for a spacecraft in an SPK file, as the ephemeris of the planet that it circles.
    #[arg(long = "kernel", value_name = "FILE")]
    kernels: Vec<PathBuf>,
    /// How high above the horizon of a site an object must stand.
    #[arg(long, value_name = "ANGLE", default_value = "0deg", allow_hyphen_values = true)]
    elevation_mask: Angle,
}

#[derive(Clone, Debug)]
struct NamedSite {
    node: NodeId,
    site: Site,
}

impl FromStr for NamedSite {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = |why: &str| format!("`{text}` is no site: {why}; write it as in `ipn:30.0=67.9,21.1,0.4km`");
        let (node, rest) = text.split_once('=').ok_or_else(|| refuse("it has no `=`"))?;
        let parts: Vec<&str> = rest.split(',').map(str::trim).collect();
        let (latitude, longitude, height) = match parts[..] {
            [latitude, longitude] => (latitude, longitude, None),
            [latitude, longitude, height] => (latitude, longitude, Some(height)),
            _ => return Err(refuse("two angles and perhaps a height stand after the `=`")),
        };
        let degrees = |text: &str, limit: f64| {
            let number: Option<f64> = text.parse().ok().filter(|deg: &f64| deg.abs() <= limit);
            number.ok_or_else(|| refuse(&format!("`{text}` is no angle from -{limit} to {limit} degrees")))
        };
        let height: Option<Length> = height.map(str::parse).transpose().map_err(|error| refuse(&format!("{error}")))?;
        let altitude_km = height.map_or(0.0, Length::km);
        if !SITE_HEIGHTS_KM.contains(&altitude_km) {
            return Err(refuse("a site is -20 km to 100 km high"));
        }
        let site = Site {
            body: Body::Earth,
            latitude_deg: degrees(latitude, 90.0)?,
            longitude_deg: degrees(longitude, 360.0)?,
            altitude_km,
        };
        Ok(NamedSite { node: NodeId::new(node), site })
    }
}

#[derive(Clone, Debug)]
struct Rename {
    object: String,
    node: NodeId,
}

impl FromStr for Rename {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (object, node) = text
            .rsplit_once('=')
            .ok_or_else(|| format!("`{text}` names nothing: write it as in `'ISS (ZARYA)=ipn:20.0'`"))?;
        Ok(Rename { object: object.to_owned(), node: NodeId::new(node) })
    }
}

/// The plan between the objects of a file and the sites.
pub fn plan(
    path: &Path,
    kind: Trajectory,
    bytes: &[u8],
    reading: &Reading,
    sites: &Sites,
) -> Result<ContactPlan, Failure> {
    let kernels = sites.kernels.iter().map(|path| Ok((path.display().to_string(), input::bytes(path)?)));
    let kernels = kernels.collect::<Result<Vec<_>, Failure>>()?;
    let objects = objects(kind, bytes, kernels).map_err(|error| format!("{}: {error}", path.display()))?;
    if sites.sites.is_empty() {
        return Err("nobody sees the trajectory: add `--site ipn:30.0=67.9,21.1,0.4km`".to_owned().into());
    }
    for rename in &sites.names {
        if !objects.iter().any(|(name, _)| *name == rename.object) {
            let names: Vec<_> = objects.iter().take(12).map(|(name, _)| format!("`{name}`")).collect();
            let message = format!("{} holds no `{}`: it holds {}", path.display(), rename.object, names.join(", "));
            return Err(message.into());
        }
    }
    let (Some(epoch), Some(length), Some(rate)) = (reading.epoch, reading.length, sites.rate) else {
        let message = "a plan from a trajectory needs a time and a rate: add `--epoch 2026-11-22T00:00:00Z`, `--for 1d` and \
                       `--rate 2Mbit/s`";
        return Err(message.to_owned().into());
    };
    let end = Instant::ZERO + length;
    let geometry = Geometry::new(epoch);
    let rules = Visibility {
        elevation_mask_deg: sites.elevation_mask.deg(),
        occulters: vec![Body::Earth, Body::Moon],
        ..Visibility::default()
    };
    rules.check().map_err(|error| error.to_string())?;

    let ends: Vec<(NodeId, Place)> =
        sites.sites.iter().map(|site| (site.node.clone(), Place::Site(site.site.clone()))).collect();
    let named = |name: &String| {
        let rename = sites.names.iter().find(|rename| rename.object == *name);
        rename.map_or_else(|| NodeId::new(name), |rename| rename.node.clone())
    };
    let objects: Vec<(NodeId, Place)> = objects.iter().map(|(name, place)| (named(name), place.clone())).collect();
    let back = sites.return_rate.unwrap_or(rate);
    let channels: Vec<_> = objects
        .iter()
        .flat_map(|object| ends.iter().flat_map(move |site| [(object, site, rate), (site, object, back)]))
        .collect();
    let pairs: Vec<_> = channels.iter().map(|(from, to, _)| Pair { from: &from.1, to: &to.1, rules: &rules }).collect();
    let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let table = geometry.contact_table(&pairs, Instant::ZERO, end, threads);
    let mut contacts = Vec::new();
    for ((from, to, rate), found) in channels.iter().zip(table) {
        let light_time = |at| geometry.light_time(&from.1, &to.1, at).unwrap_or(Duration::ZERO);
        contacts.extend(found.contacts.iter().map(|interval| Contact {
            rate: Steps::constant(Rate::Limited(rate.bps())),
            light_time: LightTime::fit(interval.start, interval.end, TOLERANCE, light_time),
            ..Contact::new(from.0.clone(), to.0.clone(), interval.start, interval.end)
        }));
    }
    let mut plan = ContactPlan::new(Some(epoch), contacts);
    plan.nodes.extend(objects.iter().chain(&ends).map(|(node, _)| node.clone()));
    Ok(plan)
}

/// A file by its name.
type NamedFile = (String, Vec<u8>);

/// The objects that a file places, by the names that it gives them.
fn objects(kind: Trajectory, bytes: &[u8], kernels: Vec<NamedFile>) -> Result<Vec<(String, Place)>, String> {
    let told = |error: &dyn Display| error.to_string();
    let satellites = |all: Vec<Satellite>| {
        all.into_iter().map(|satellite| (satellite.name().to_owned(), Place::Satellite(satellite))).collect()
    };
    match kind {
        Trajectory::Oem => {
            let tables = EphemerisTable::all_from_oem(bytes).map_err(|error| told(&error))?;
            Ok(tables.into_iter().map(|table| (table.name().to_owned(), Place::Table(table))).collect())
        }
        Trajectory::Tle => Satellite::all_from_tle(bytes).map(satellites).map_err(|error| told(&error)),
        Trajectory::Spk => spacecraft(bytes, kernels),
        Trajectory::Omm => Satellite::all_from_omm(bytes).map(satellites).map_err(|error| told(&error)),
    }
}

/// The spacecraft in an SPK file, by their NAIF numbers, which are below zero.
#[cfg(feature = "spice")]
fn spacecraft(bytes: &[u8], kernels: Vec<NamedFile>) -> Result<Vec<(String, Place)>, String> {
    use std::sync::Arc;

    use farlink_channel_models::{KernelPath, Kernels};

    let files = kernels.into_iter().chain([("this file".to_owned(), bytes.to_vec())]);
    let kernels = Arc::new(Kernels::new(files).map_err(|error| error.to_string())?);
    let targets: Vec<i32> = kernels.targets().filter(|target| *target < 0).collect();
    let place = |target: i32| {
        let path = KernelPath::new(kernels.clone(), target).map_err(|error| error.to_string())?;
        Ok((target.to_string(), Place::Kernel(path)))
    };
    if targets.is_empty() {
        let help = "add the ephemeris of the planet that it circles with `--kernel de440.bsp`";
        return Err(format!("no spacecraft has a place in it: {help}"));
    }
    targets.into_iter().map(place).collect()
}

#[cfg(not(feature = "spice"))]
fn spacecraft(_: &[u8], _: Vec<NamedFile>) -> Result<Vec<(String, Place)>, String> {
    Err("this build reads no SPICE kernels: build with `--features spice`, or convert the trajectory to an OEM"
        .to_owned())
}
