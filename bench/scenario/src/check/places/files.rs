//! Places that files tell: satellites by their elements, trajectories by their positions.

use std::fmt::Display;

use farlink_channel_models::{EphemerisTable, Place, Satellite};

use crate::check::Notes;
use crate::check::kernels::KernelFiles;
use crate::file::{SatelliteEntry, TrajectoryEntry};
use crate::files::Folder;
use crate::located::At;
use crate::names::one_of;
use crate::problem::Position;

/// As many names are told of those that a file holds.
const NAMES_TOLD: usize = 12;

pub(super) fn satellite(
    At { value: entry, position }: &At<SatelliteEntry>,
    folder: &Folder<'_>,
    notes: &mut Notes,
) -> Option<Place> {
    let satellites = match (&entry.tle, &entry.omm) {
        (Some(path), None) => folder.read(path, notes, |bytes| Satellite::all_from_tle(bytes))?,
        (None, Some(path)) => folder.read(path, notes, omm)?,
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
    one(satellites, Satellite::name, is, &entry.object, *position, notes).map(Place::Satellite)
}

/// Elements in JSON begin with a bracket; no KVN does.
fn omm(bytes: &[u8]) -> Result<Vec<Satellite>, Box<dyn Display>> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if matches!(first, Some(b'[' | b'{')) {
        Satellite::all_from_omm_json(bytes).map_err(|error| Box::new(error) as Box<dyn Display>)
    } else {
        Satellite::from_omm_kvn(bytes).map(|one| vec![one]).map_err(|error| Box::new(error) as Box<dyn Display>)
    }
}

pub(super) fn trajectory(
    At { value: entry, position }: &At<TrajectoryEntry>,
    folder: &Folder<'_>,
    kernels: &KernelFiles,
    notes: &mut Notes,
) -> Option<Place> {
    match (&entry.oem, &entry.spk) {
        (Some(path), None) => {
            let tables = folder.read(path, notes, |bytes| EphemerisTable::all_from_oem(bytes))?;
            let is = |table: &EphemerisTable, object: &str| table.name() == object;
            one(tables, EphemerisTable::name, is, &entry.object, *position, notes).map(Place::Table)
        }
        (None, Some(path)) => kernels.trajectory(path, &entry.object, notes),
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
