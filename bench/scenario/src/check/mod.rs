//! From the shape of the file to a [`Scenario`]: resolves names, checks values, and notes every problem on the way.
//!
//! A check that fails notes its problem and goes on with `None` for the value, so that one run finds all there is to find.

mod channel;
mod kernels;
mod links;
mod places;
mod radio;
mod traffic;
mod waveform;

use std::path::Path;

use farlink_units::{Duration, Size};
use hifitime::Epoch;

use crate::file::{File, NodeEntry, TimingEntry};
use crate::files::Folder;
use crate::located::{At, Named, Text};
use crate::model::{Node, Scenario, SourceText, Tolerance};
use crate::notes::Notes;
use crate::problem::{Problem, START, ScenarioError};
use crate::read::Overrides;

/// Longer runs are mistakes, or wait for someone who needs them.
const MAX_DURATION: Duration = Duration::from_secs(3653 * 86_400);

/// The smallest bundle, and so the least that a node must be able to keep.
const MIN_BUNDLE: Size = Size::from_bytes(1 << 10);

/// Makes a scenario of `file`. Paths in it are relative to `folder`.
pub(crate) fn check(
    file: &File,
    source: SourceText,
    folder: &Path,
    overrides: &Overrides,
) -> Result<Scenario, ScenarioError> {
    let mut notes = Notes::default();
    match scenario(file, &source, folder, overrides, &mut notes) {
        Some(mut scenario) if notes.errors.is_empty() => {
            scenario.warnings = notes.warnings;
            Ok(scenario)
        }
        _ => Err(ScenarioError::new(&source, notes.errors)),
    }
}

fn scenario(
    file: &File,
    source: &SourceText,
    folder: &Path,
    overrides: &Overrides,
    notes: &mut Notes,
) -> Option<Scenario> {
    let name = notes.need(&file.scenario, START, "scenario: my-scenario");
    if let Some(name) = name {
        notes.name(name);
    }
    let seed = notes.read_or(&file.seed, crate::values::Count(1)).map(|seed| overrides.seed.unwrap_or(seed.0));
    let epoch = notes.need_read(&file.epoch, START, "epoch: 2026-12-15T00:00:00Z").map(|utc| utc.0);
    let duration = duration(file, overrides, notes);
    let run = Run { epoch, duration };

    let folder = Folder(folder);
    let kernels = kernels::check(file, &folder, notes);
    let places = places::check(&file.places, &places::Known { folder: &folder, kernels: &kernels, run }, notes);
    let tolerance = file.timing.as_ref().map(|timing| tolerance(timing, notes));
    let no_nodes = Named::default();
    let entries = notes.need_entries(&file.nodes, "nodes", "a node: `lander: { eid: \"ipn:10.0\" }`");
    let entries = entries.unwrap_or(&no_nodes);
    let node_names: Vec<&str> = entries.0.iter().map(|(name, _)| name.value.as_str()).collect();
    let nodes = nodes(entries, &places, notes);

    let example = "a link: `downlink: { forward: { from: …, to: …, rate: 1 Mbit/s }, light_time: 10 min }`";
    let links = notes.need_entries(&file.links, "links", example);
    let links = links.map(|links| links::check(links, entries, &node_names, &places, &folder, run, notes));
    let no_traffic = Named::default();
    let example = "what is sent: `image: { from: …, to: …, file: … }`";
    let traffic = match &file.traffic {
        None => Some(&no_traffic),
        given => notes.need_entries(given, "traffic", example),
    };
    let routes = traffic::Routes::over(links.as_deref());
    let traffic = traffic.and_then(|traffic| {
        let setting = traffic::Setting {
            node_names: &node_names,
            routes: &routes,
            folder: folder.0,
            payload: overrides.payload.as_deref(),
            run,
        };
        traffic::check(traffic, &file.expect, &setting, notes)
    });

    Some(Scenario {
        name: name?.value.clone(),
        description: file.description.clone().unwrap_or_default(),
        seed: seed?,
        epoch: epoch?,
        duration: duration?,
        #[cfg(feature = "spice")]
        kernels: kernels.of_bodies(),
        places: places.all()?,
        tolerance: match tolerance {
            Some(tolerance) => Some(tolerance?),
            None => None,
        },
        nodes: nodes?,
        links: links?.into_iter().collect::<Option<_>>()?,
        traffic: traffic?,
        source: source.clone(),
        warnings: Vec::new(),
    })
}

fn duration(file: &File, overrides: &Overrides, notes: &mut Notes) -> Option<Duration> {
    let written = notes.need_read(&file.duration, START, "duration: 24 h");
    let fits = |duration: Duration| duration > Duration::ZERO && duration <= MAX_DURATION;
    let help = "a run lasts longer than 0 s and at most 10 years";
    match (overrides.duration, &file.duration, written) {
        (Some(duration), ..) if !fits(duration) => {
            notes.errors.push(Problem::of_file(format!("the duration {duration} is out of range")).help(help));
            None
        }
        (Some(duration), ..) => Some(duration),
        (None, Some(text), Some(duration)) if !fits(duration) => {
            notes.error(text.position, format!("the duration {duration} is out of range"), help);
            None
        }
        (None, _, duration) => duration,
    }
}

fn tolerance(entry: &At<TimingEntry>, notes: &mut Notes) -> Option<Tolerance> {
    let At { value: TimingEntry { p99, max }, position } = entry;
    let mut read = |text: &Option<Text<Duration>>| {
        let text = text.as_ref()?;
        let span = notes.read(text)?;
        if span == Duration::ZERO {
            notes.error(text.position, "nothing is late by 0 s at most", "give a tolerance above 0 s, as in `200 us`");
        }
        Some(span)
    };
    let (most, longest) = (read(p99), read(max));
    if p99.is_none() && max.is_none() {
        notes.error(*position, "`timing` says nothing", "add `p99: 200 us`, or `max: 5 ms`, or leave it out");
    }
    if let (Some(most), Some(longest), Some(text)) = (most, longest, max)
        && longest < most
    {
        let message = format!("`max` of {longest} is below `p99` of {most}");
        notes.error(text.position, message, "what holds for each holds for 99 of 100: raise `max` or leave `p99` out");
    }
    Some(Tolerance { p99: most, max: longest })
}

fn nodes(entries: &Named<NodeEntry>, places: &places::Places, notes: &mut Notes) -> Option<Vec<Node>> {
    let mut taken: Vec<(u64, &str)> = Vec::new();
    let mut nodes = Vec::new();
    for (name, entry) in &entries.0 {
        notes.name(name);
        let number = notes.need_read(&entry.eid, name.position, "eid: \"ipn:10.0\"").map(|id| id.0);
        if let (Some(number), Some(eid)) = (number, &entry.eid) {
            if let Some((_, other)) = taken.iter().find(|(taken, _)| *taken == number) {
                let message = format!("`ipn:{number}.0` is already the node ID of `{other}`");
                notes.error(eid.position, message, "give every node its own number");
            }
            taken.push((number, &name.value));
        }
        if let Some(kind) = &entry.kind {
            notes.read(kind);
        }
        let storage = notes.read_or(&entry.storage, Size::from_bytes(1 << 30));
        if let (Some(storage), Some(text)) = (storage, &entry.storage)
            && storage < MIN_BUNDLE
        {
            notes.error(text.position, format!("{storage} of storage holds no bundle"), "give it at least 1 KiB");
        }
        let place = entry.at.as_ref().map(|at| places.find(at, notes));
        nodes.push((|| {
            Some(Node {
                name: name.value.clone(),
                node_number: number?,
                place: match place {
                    Some(place) => Some(place??),
                    None => None,
                },
                storage: storage?,
            })
        })());
    }
    places.note_unused(entries, notes);
    nodes.into_iter().collect()
}

/// The frame of time of a run, as far as it could be read.
#[derive(Clone, Copy)]
struct Run {
    epoch: Option<Epoch>,
    duration: Option<Duration>,
}
