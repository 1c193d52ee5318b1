//! Places: sites that exist and orbits that can be flown.

mod files;

use farlink_units::{Angle, Length, Ratio};

use farlink_channel_models::{Body, HorizonTable, Orbit, Place, Site};

use super::kernels::KernelFiles;
use super::{Notes, Run};
use crate::file::{HorizonPoint, NodeEntry, OrbitEntry, PlaceEntry, SiteEntry};
use crate::files::Folder;
use crate::located::{At, Named, Text};
use crate::model::NamedPlace;
use crate::names::one_of;
use crate::problem::Position;

/// Above this a site floats in space: it should be an orbit.
const HIGHEST_SITE_KM: f64 = 100.0;
/// Below this it is underground, on any body.
const LOWEST_SITE_KM: f64 = -20.0;

/// Where something is, and the height of the land about it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spot {
    pub place: Place,
    pub horizon: Option<HorizonTable>,
}

impl From<Place> for Spot {
    fn from(place: Place) -> Self {
        Spot { place, horizon: None }
    }
}

/// The places by name; `None` for one that is wrong.
pub(super) struct Places<'a>(Vec<(&'a At<String>, Option<Spot>)>);

impl Places<'_> {
    /// The place that `name` means: `None` if there is none, `Some(None)` if it is wrong itself.
    pub(super) fn find(&self, name: &At<String>, notes: &mut Notes) -> Option<Option<Place>> {
        let names: Vec<&str> = self.0.iter().map(|(name, _)| name.value.as_str()).collect();
        notes.reference(name, "place", &names).map(|index| self.0[index].1.clone().map(|spot| spot.place))
    }

    /// The place of that name.
    pub(super) fn get(&self, name: &str) -> Option<Spot> {
        self.0.iter().find(|(known, _)| known.value == name)?.1.clone()
    }

    /// All of them; `None` if one is wrong.
    pub(super) fn all(&self) -> Option<Vec<NamedPlace>> {
        let named = |(name, spot): &(&At<String>, Option<Spot>)| {
            let Spot { place, horizon } = spot.clone()?;
            Some(NamedPlace { name: name.value.clone(), place, horizon })
        };
        self.0.iter().map(named).collect()
    }

    pub(super) fn note_unused(&self, nodes: &Named<NodeEntry>, notes: &mut Notes) {
        for (name, _) in &self.0 {
            let used = |node: &NodeEntry| node.at.as_ref().is_some_and(|at| at.value == name.value);
            if !nodes.0.iter().any(|(_, node)| used(node)) {
                let message = format!("no node is at `{}`", name.value);
                notes.warning(name.position, message, "remove it, or give a node this place with `at`");
            }
        }
    }
}

/// What a place needs to know of the rest of the file.
pub(super) struct Known<'a> {
    pub folder: &'a Folder<'a>,
    pub kernels: &'a KernelFiles,
    pub run: Run,
}

pub(super) fn check<'a>(entries: &'a Named<PlaceEntry>, known: &Known<'_>, notes: &mut Notes) -> Places<'a> {
    let mut places = Vec::new();
    for (name, entry) in &entries.0 {
        notes.name(name);
        places.push((name, place(name, entry, known, notes)));
    }
    Places(places)
}

fn place(name: &At<String>, entry: &PlaceEntry, known: &Known<'_>, notes: &mut Notes) -> Option<Spot> {
    let kinds = [
        ("body", entry.body.as_ref().map(|body| body.position)),
        ("site", entry.site.as_ref().map(|site| site.position)),
        ("orbit", entry.orbit.as_ref().map(|orbit| orbit.position)),
        ("satellite", entry.satellite.as_ref().map(|satellite| satellite.position)),
        ("trajectory", entry.trajectory.as_ref().map(|trajectory| trajectory.position)),
    ];
    let given: Vec<(&str, Position)> = kinds.iter().filter_map(|(kind, at)| Some((*kind, (*at)?))).collect();
    match given[..] {
        [] => {
            let message = format!("nothing says where `{}` is", name.value);
            let words = one_of(kinds.iter().map(|(kind, _)| *kind));
            notes.error(name.position, message, format!("write {words} in it, as in `body: moon`"));
            return None;
        }
        [_] => {}
        [(first, _), (second, position), ..] => {
            let message = format!("`{}` has both `{first}` and `{second}`", name.value);
            notes.error(position, message, "keep one of the two");
            return None;
        }
    }
    match entry {
        PlaceEntry { body: Some(body), .. } => notes.read(body).map(|body| Place::Center(body.0).into()),
        PlaceEntry { site: Some(entry), .. } => site(entry, notes),
        PlaceEntry { orbit: Some(entry), .. } => orbit(entry, notes).map(Spot::from),
        PlaceEntry { satellite: Some(entry), .. } => files::satellite(entry, known, notes).map(Spot::from),
        PlaceEntry { trajectory: Some(entry), .. } => files::trajectory(entry, known, notes).map(Spot::from),
        _ => None,
    }
}

fn site(At { value: entry, position }: &At<SiteEntry>, notes: &mut Notes) -> Option<Spot> {
    let body = notes.need_read(&entry.body, *position, "body: mars");
    let latitude = notes.need_read(&entry.latitude, *position, "latitude: 35.4 deg");
    let latitude = in_range(latitude, &entry.latitude, -90.0, 90.0, "latitude", notes);
    let longitude = notes.need_read(&entry.longitude, *position, "longitude: -116.9 deg");
    let altitude_km = notes.read_opt(&entry.altitude).map(|length| length.map_or(0.0, Length::km));
    if let (Some(km), Some(text)) = (altitude_km, &entry.altitude)
        && !(LOWEST_SITE_KM..=HIGHEST_SITE_KM).contains(&km)
    {
        let help = format!("a site is {LOWEST_SITE_KM} km to {HIGHEST_SITE_KM} km high: higher up, give an `orbit`");
        notes.error(text.position, format!("no site is {km} km high"), help);
    }
    let horizon = if entry.horizon.is_empty() { Some(None) } else { horizon(&entry.horizon, notes).map(Some) };
    let site =
        Site { body: body?.0, latitude_deg: latitude?, longitude_deg: longitude?.deg(), altitude_km: altitude_km? };
    Some(Spot { place: Place::Site(site), horizon: horizon? })
}

fn horizon(points: &[At<HorizonPoint>], notes: &mut Notes) -> Option<HorizonTable> {
    let read = points.iter().map(|At { value: point, position }| {
        let azimuth = notes.need_read(&point.azimuth, *position, "azimuth: 90 deg");
        let elevation = notes.need_read(&point.elevation, *position, "elevation: 5 deg");
        Some((azimuth?.deg(), elevation?.deg()))
    });
    // All are read before any is missed, so that every wrong one is told.
    let read: Vec<_> = read.collect();
    match HorizonTable::new(read.into_iter().collect::<Option<_>>()?) {
        Ok(table) => Some(table),
        Err(error) => {
            let help =
                "list the points in the order of azimuth, 0 deg to 360 deg, with elevations of -90 deg to 85 deg";
            notes.error(points[0].position, format!("these points are no horizon: {error}"), help);
            None
        }
    }
}

fn orbit(At { value: entry, position }: &At<OrbitEntry>, notes: &mut Notes) -> Option<Place> {
    let body = notes.need_read(&entry.body, *position, "body: mars").map(|body| body.0);
    let axis = notes.need_read(&entry.semi_major_axis, *position, "semi_major_axis: 3796 km").map(Length::km);
    let eccentricity = notes.read_opt(&entry.eccentricity).map(|ratio| ratio.map_or(0.0, Ratio::get));
    let inclination = notes.need_read(&entry.inclination, *position, "inclination: 75 deg");
    let inclination = in_range(inclination, &entry.inclination, 0.0, 180.0, "inclination", notes);
    let mut angle = |text: &Option<Text<Angle>>| notes.read_opt(text).map(|angle| angle.map_or(0.0, Angle::deg));
    let ascending_node_deg = angle(&entry.ascending_node);
    let argument_of_periapsis_deg = angle(&entry.argument_of_periapsis);
    let mean_anomaly_deg = angle(&entry.mean_anomaly);

    if let (Some(eccentricity), Some(text)) = (eccentricity, &entry.eccentricity)
        && eccentricity >= 1.0
    {
        notes.error(
            text.position,
            format!("with eccentricity {eccentricity} this is no orbit"),
            "it is at least 0 and below 1",
        );
        return None;
    }
    if let (Some(body), Some(axis), Some(text)) = (body, axis, &entry.semi_major_axis) {
        above_ground(text.position, body, axis, eccentricity?, notes)?;
    }
    Some(Place::Orbit(Orbit {
        body: body?,
        semi_major_axis_km: axis?,
        eccentricity: eccentricity?,
        inclination_deg: inclination?,
        ascending_node_deg: ascending_node_deg?,
        argument_of_periapsis_deg: argument_of_periapsis_deg?,
        mean_anomaly_deg: mean_anomaly_deg?,
    }))
}

fn above_ground(position: Position, body: Body, axis_km: f64, eccentricity: f64, notes: &mut Notes) -> Option<()> {
    let radius_km = body.equatorial_radius_km();
    if axis_km <= 0.0 {
        notes.error(position, format!("a semi-major axis of {axis_km} km is no orbit"), "it is above 0 km");
        return None;
    }
    let periapsis_km = axis_km * (1.0 - eccentricity);
    if periapsis_km <= radius_km {
        let (name, lowest) = (body.name(), (periapsis_km * 10.0).round() / 10.0);
        let message =
            format!("the orbit comes down to {lowest} km from the centre of {name}, whose radius is {radius_km} km");
        let help = if axis_km < radius_km {
            format!("count from the centre: {axis_km} km above ground is {} km", radius_km + axis_km)
        } else {
            "give it a longer axis or a smaller eccentricity".to_owned()
        };
        notes.error(position, message, help);
        return None;
    }
    Some(())
}

fn in_range(
    angle: Option<Angle>,
    text: &Option<Text<Angle>>,
    low: f64,
    high: f64,
    kind: &str,
    notes: &mut Notes,
) -> Option<f64> {
    let (deg, text) = (angle?.deg(), text.as_ref()?);
    if (low..=high).contains(&deg) {
        return Some(deg);
    }
    notes.error(text.position, format!("no {kind} is {deg} deg"), format!("it is from {low} deg to {high} deg"));
    None
}
