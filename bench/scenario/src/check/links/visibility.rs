//! When two nodes see each other.

use farlink_channel_models::{Antenna, Body, KeepOut, Place, SunLimit, Visibility};
use farlink_units::{Angle, Length, Ratio};

use super::Setting;
use crate::check::Notes;
use crate::check::channel::WORST_BER;
use crate::check::places::Spot;
use crate::file::{AntennaEntry, ConjunctionEntry, KeepOutEntry, VisibilityEntry};
use crate::located::{At, Text};
use crate::problem::Position;

/// What a ray of the forward channel must meet.
pub(super) fn check(
    At { value: entry, position }: &At<VisibilityEntry>,
    ends: Option<(usize, usize)>,
    setting: &Setting<'_>,
    notes: &mut Notes,
) -> Option<Visibility> {
    let mask = notes.read_opt(&entry.elevation_mask).map(|angle| angle.map_or(0.0, Angle::deg));
    if let (Some(mask), Some(text)) = (mask, &entry.elevation_mask)
        && !(-90.0..=90.0).contains(&mask)
    {
        notes.error(text.position, format!("no elevation is {mask} deg"), "it is from -90 deg to 90 deg");
    }
    let bodies: Vec<Option<Body>> = entry.occulted_by.iter().map(|body| notes.read(body).map(|body| body.0)).collect();
    let occulted_by = bodies.into_iter().collect::<Option<Vec<_>>>();
    let spots = match ends {
        Some((from, to)) => [from, to].map(|node| place_of(node, *position, setting, notes)),
        None => [None, None],
    };
    if let ([Some(one), Some(other)], Some(occulted_by)) = (&spots, &occulted_by) {
        hidden_by_own_body(&one.place, &other.place, occulted_by, *position, notes);
        if one.place == other.place {
            let help = "a link that follows geometry needs two places";
            notes.error(*position, "both ends are at the same place", help);
        }
    }
    let max_range_km = max_range(entry, notes);
    let [transmitter, receiver] = antennas(entry, ends, spots, setting, notes);
    Some(Visibility {
        elevation_mask_deg: mask?,
        occulters: occulted_by?,
        transmitter: transmitter?,
        receiver: receiver?,
        max_range_km: max_range_km?,
    })
}

/// The place of a node at the end of a link that follows geometry.
fn place_of(node: usize, link: Position, setting: &Setting<'_>, notes: &mut Notes) -> Option<Spot> {
    let (name, entry) = &setting.nodes.0[node];
    match &entry.at {
        Some(place) => setting.places.get(&place.value),
        None => {
            let message = format!("this link follows geometry, but `{}` has no place", name.value);
            notes.error(link, message, format!("give `{}` a place: `at: PLACE`", name.value));
            None
        }
    }
}

fn max_range(entry: &VisibilityEntry, notes: &mut Notes) -> Option<Option<f64>> {
    let range = notes.read_opt(&entry.max_range)?.map(Length::km);
    if let (Some(km), Some(text)) = (range, &entry.max_range)
        && km <= 0.0
    {
        notes.error(text.position, format!("a link of at most {km} km reaches nowhere"), "it is above 0 km");
        return None;
    }
    Some(range)
}

/// The antennas of the node that transmits forward, and of the other.
fn antennas(
    entry: &VisibilityEntry,
    ends: Option<(usize, usize)>,
    spots: [Option<Spot>; 2],
    setting: &Setting<'_>,
    notes: &mut Notes,
) -> [Option<Antenna>; 2] {
    let mut antennas = spots.map(|spot| Some(Antenna { horizon: spot.and_then(|s| s.horizon), ..Antenna::default() }));
    for (name, entry) in &entry.antennas.0 {
        let read = antenna(entry, notes);
        let node = notes.reference(name, "node", setting.node_names);
        let (Some(node), Some((from, to))) = (node, ends) else { continue };
        let Some(end) = [from, to].iter().position(|end| *end == node) else {
            let message = format!("`{}` is at neither end of this link", name.value);
            let [from, to] = [from, to].map(|node| setting.node_names[node]);
            notes.error(name.position, message, format!("write `{from}` or `{to}`"));
            continue;
        };
        antennas[end] = match (antennas[end].take(), read) {
            (Some(antenna), Some((keep_out, sun))) => Some(Antenna { keep_out, sun, ..antenna }),
            _ => None,
        };
    }
    antennas
}

fn antenna(entry: &AntennaEntry, notes: &mut Notes) -> Option<(Vec<KeepOut>, Option<SunLimit>)> {
    let cones: Vec<_> = entry.keep_out.iter().map(|cone| keep_out(cone, notes)).collect();
    let sun = match &entry.conjunction {
        Some(limits) => Some(conjunction(limits, notes)?),
        None => None,
    };
    Some((cones.into_iter().collect::<Option<_>>()?, sun))
}

/// What the Sun adds to the errors as it comes near at the end that transmits forward, and at the other. What is wrong with
/// the names of the nodes [`check`] tells.
pub(super) fn degraded_ber(
    entry: &VisibilityEntry,
    (from, to): (usize, usize),
    setting: &Setting<'_>,
    notes: &mut Notes,
) -> Option<[Ratio; 2]> {
    let mut found = Some([Ratio::default(); 2]);
    for (name, entry) in &entry.antennas.0 {
        let Some(text) = entry.conjunction.as_ref().and_then(|limits| limits.value.degraded_ber.as_ref()) else {
            continue;
        };
        let end = [from, to].iter().position(|end| setting.node_names[*end] == name.value);
        match (degradation(text, notes), end, &mut found) {
            (Some(ber), Some(end), Some(bers)) => bers[end] = ber,
            (Some(_), ..) => {}
            (None, ..) => found = None,
        }
    }
    found
}

fn degradation(text: &Text<Ratio>, notes: &mut Notes) -> Option<Ratio> {
    let ber = notes.read(text)?;
    if ber.get() > 0.0 && ber.get() <= WORST_BER {
        return Some(ber);
    }
    let message = format!("a link with a bit error ratio of {} is not degraded", ber.get());
    notes.error(text.position, message, "the ratio is above 0 and at most 0.5");
    None
}

fn keep_out(At { value: entry, position }: &At<KeepOutEntry>, notes: &mut Notes) -> Option<KeepOut> {
    let body = notes.need_read(&entry.body, *position, "body: sun");
    let angle_deg = notes.need_read(&entry.angle, *position, "angle: 3 deg").map(Angle::deg)?;
    if let (false, Some(text)) = (0.0 < angle_deg && angle_deg < 180.0, &entry.angle) {
        let message = format!("no antenna keeps {angle_deg} deg away");
        notes.error(text.position, message, "the angle is above 0 deg and below 180 deg");
        return None;
    }
    Some(KeepOut { body: body?.0, angle_deg })
}

fn conjunction(At { value: entry, position }: &At<ConjunctionEntry>, notes: &mut Notes) -> Option<SunLimit> {
    let outage = notes.read_opt(&entry.outage_below).map(|angle| angle.map_or(0.0, Angle::deg));
    let degraded = notes.read_opt(&entry.degraded_below).map(|angle| angle.map(Angle::deg));
    let (outage, degraded) = (outage?, degraded?);
    let degraded = degraded.unwrap_or(outage);
    if entry.outage_below.is_none() && entry.degraded_below.is_none() {
        let help = "write `outage_below: 2 deg`, `degraded_below: 5 deg` or both";
        notes.error(*position, "nothing says what happens near the Sun", help);
        return None;
    }
    if let (Some(text), None) = (&entry.degraded_ber, &entry.degraded_below) {
        let help = "add `degraded_below: 5 deg`, the angle below which it holds";
        notes.error(text.position, "nothing says when `degraded_ber` holds", help);
        return None;
    }
    if !(0.0..=degraded).contains(&outage) || degraded >= 180.0 {
        let message = format!("a link that is out below {outage} deg cannot be degraded below {degraded} deg");
        notes.error(*position, message, "the link is degraded before it is out: 0 ≤ outage ≤ degraded < 180 deg");
        return None;
    }
    Some(SunLimit { degraded_below_deg: degraded, outage_below_deg: outage })
}

/// A body hides what circles it unless the file says so, or the other end stands on it and has a horizon.
fn hidden_by_own_body(one: &Place, other: &Place, occulted_by: &[Body], position: Position, notes: &mut Notes) {
    let mut told = None;
    for (orbit, far) in [(one, other), (other, one)] {
        let body = orbit.body();
        let has_horizon = matches!(far, Place::Site(_)) && far.body() == body;
        if matches!(orbit, Place::Orbit(_) | Place::Satellite(_))
            && !has_horizon
            && !occulted_by.contains(&body)
            && told != Some(body)
        {
            told = Some(body);
            let word = body.name().to_lowercase();
            let message = format!("one end circles {}, which does not block this link", body.name());
            notes.warning(
                position,
                message,
                format!("add `occulted_by: [{word}]`, or the link passes through {}", body.name()),
            );
        }
    }
}
