//! Places that files tell: satellites by their elements, trajectories by their positions.

use farlink_channel_models::{EphemerisTable, Place, Satellite};
use hifitime::{Epoch, TimeScale};

use super::Known;
use crate::check::{Notes, Run};
use crate::file::{SatelliteEntry, TrajectoryEntry};
use crate::located::At;
use crate::names::one_of;
use crate::problem::Position;

/// As many names are told of those that a file holds.
const NAMES_TOLD: usize = 12;
/// As many spans are told of those that a trajectory covers.
const SPANS_TOLD: usize = 3;

pub(super) fn satellite(
    At { value: entry, position }: &At<SatelliteEntry>,
    known: &Known<'_>,
    notes: &mut Notes,
) -> Option<Place> {
    let folder = known.folder;
    let satellites = match (&entry.tle, &entry.omm) {
        (Some(path), None) => folder.read(path, notes, |bytes| Satellite::all_from_tle(bytes))?,
        (None, Some(path)) => folder.read(path, notes, |bytes| Satellite::all_from_omm(bytes))?,
        (None, None) => {
            let help = "write `tle: satellites.tle`, or `omm: satellite.omm`";
            notes.error(*position, "nothing says what moves this satellite", help);
            return None;
        }
        (Some(_), Some(path)) => {
            notes.error(path.position, "`omm` and `tle` exclude each other", "keep one of the two");
            return None;
        }
    };
    let is = |satellite: &Satellite, object: &str| {
        satellite.name() == object || satellite.catalogue_number().is_some_and(|n| n.to_string() == object)
    };
    let satellite = one(satellites, Satellite::name, is, &entry.object, *position, notes)?;
    if !covered(&[satellite.span()], known.run) {
        let message = format!("the elements of `{}` are not useable for the whole run", satellite.name());
        let (first, last) = satellite.span();
        let help = format!("they are, from {} to {}: take elements nearer to the run", utc(first), utc(last));
        notes.warning(*position, message, help);
    }
    Some(Place::Satellite(satellite))
}

pub(super) fn trajectory(
    At { value: entry, position }: &At<TrajectoryEntry>,
    known: &Known<'_>,
    notes: &mut Notes,
) -> Option<Place> {
    match (&entry.oem, &entry.spk) {
        (Some(path), None) => {
            let tables = known.folder.read(path, notes, |bytes| EphemerisTable::all_from_oem(bytes))?;
            let is = |table: &EphemerisTable, object: &str| table.name() == object;
            let table = one(tables, EphemerisTable::name, is, &entry.object, *position, notes)?;
            let spans = table.spans();
            if !covered(&spans, known.run) {
                let message = format!("the trajectory of `{}` does not cover the whole run", table.name());
                let told: Vec<_> =
                    spans.iter().take(SPANS_TOLD).map(|(a, b)| format!("{} to {}", utc(*a), utc(*b))).collect();
                let more = if spans.len() > SPANS_TOLD { " and more" } else { "" };
                let help = format!("it has {}{more}: outside of that it is nowhere", told.join(", "));
                notes.warning(*position, message, help);
            }
            Some(Place::Table(table))
        }
        (None, Some(path)) => known.kernels.trajectory(path, &entry.object, notes),
        (None, None) => {
            notes.error(*position, "nothing says where this trajectory leads", "write `oem: probe.oem`");
            None
        }
        (Some(_), Some(path)) => {
            notes.error(path.position, "`spk` and `oem` exclude each other", "keep one of the two");
            None
        }
    }
}

/// Whether one of these spans holds the whole run, as far as that is known.
fn covered(spans: &[(Epoch, Epoch)], run: Run) -> bool {
    let (Some(start), Some(duration)) = (run.epoch, run.duration) else { return true };
    let end = start + hifitime::Duration::from_total_nanoseconds(duration.as_nanos().into());
    spans.iter().any(|(first, last)| *first <= start && end <= *last)
}

/// A time as scenarios write it.
fn utc(epoch: Epoch) -> String {
    epoch.to_time_scale(TimeScale::UTC).to_isoformat() + "Z"
}

/// The one that is meant among those that a file holds.
fn one<T: Clone>(
    all: Vec<T>,
    name: impl Fn(&T) -> &str,
    is: impl Fn(&T, &str) -> bool,
    object: &Option<At<String>>,
    position: Position,
    notes: &mut Notes,
) -> Option<T> {
    let told = || {
        let names = one_of(all.iter().take(NAMES_TOLD).map(&name));
        let more = all.len().saturating_sub(NAMES_TOLD);
        if more == 0 { names } else { format!("{names}, and {more} others") }
    };
    if all.is_empty() {
        notes.error(position, "the file holds no object at all", "is this the right file?");
        return None;
    }
    match object {
        Some(object) => {
            let found = all.iter().find(|one| is(one, &object.value)).cloned();
            if found.is_none() {
                let message = format!("the file holds no `{}`", object.value);
                notes.error(object.position, message, format!("it holds {}", told()));
            }
            found
        }
        None if all.len() == 1 => all.into_iter().next(),
        None => {
            let message = format!("the file holds {} objects", all.len());
            notes.error(position, message, format!("say which is meant with `object`: {}", told()));
            None
        }
    }
}
