//! From the shape of a node file to [`NodeSettings`]: checks values, and notes every problem on the way.

mod contacts;
mod endpoints;
mod listeners;
mod ltp;
mod neighbours;
mod tls;

use std::path::{Path, PathBuf};

use farlink_engine::routing::{StaticRoute, StaticRoutes};
use farlink_units::{Duration, Size};
use farlink_wire::bpv7::Eid;

use super::entries::{NodeFile, StorageEntry};
use super::model::{NodeSettings, Storage};
use super::values::{Flag, Route};
use crate::files::can_be_read;
use crate::located::{At, Text};
use crate::model::SourceText;
use crate::notes::Notes;
use crate::problem::{FileError, Position, START};

/// The smallest bundle, and so the least that a node must be able to keep.
const MIN_STORAGE: Size = Size::from_bytes(1 << 10);
const DEFAULT_STORAGE: Size = Size::from_bytes(1 << 30);
/// Light takes less than a day to the farthest spacecraft; ten are a mistake.
const MAX_DELAY: Duration = Duration::from_secs(10 * 86_400);

/// Makes settings of `file`. Paths in it are relative to `folder`.
pub(super) fn check(file: &NodeFile, source: SourceText, folder: &Path) -> Result<NodeSettings, FileError> {
    let mut notes = Notes::default();
    match settings(file, &source, folder, &mut notes) {
        Some(mut settings) if notes.errors.is_empty() => {
            settings.warnings = notes.warnings;
            Ok(settings)
        }
        _ => Err(FileError::new(&source, notes.errors)),
    }
}

fn settings(file: &NodeFile, source: &SourceText, folder: &Path, notes: &mut Notes) -> Option<NodeSettings> {
    let node = notes.need_read(&file.node, START, "node: ipn:10.0").map(|id| id.0);
    let engine = notes.read_opt(&file.engine);
    let clock = flag(&file.clock, true, notes);
    let storage = storage(file.storage.as_ref(), folder, notes);
    let status_reports = flag(&file.status_reports, false, notes);
    let hop_limit = hop_limit(file, notes);
    let seed = notes.read_opt(&file.seed).map(|seed| seed.map(|count| count.0));
    let opportunistic = flag(&file.opportunistic, true, notes);

    let endpoints = endpoints::check(&file.endpoints, node.as_ref(), folder, notes);
    let listeners = listeners::check(&file.listen, folder, notes);
    let own_engine = engine.and_then(|engine| match engine {
        Some(engine) => Some(engine.0),
        None => node.as_ref().and_then(Eid::node),
    });
    let surroundings =
        neighbours::Surroundings { node: node.as_ref(), engine: own_engine, listeners: listeners.as_deref(), folder };
    let neighbours = neighbours::check(&file.neighbours, &surroundings, notes);
    if file.listen.is_empty() && file.neighbours.0.is_empty() {
        let help = "add `listen:` with `- { tcpcl: \"tcp:4556\" }`, or `neighbours:`";
        notes.error(START, "this node neither listens nor has neighbours, so it can exchange no bundle", help);
    }
    if let (None, Some(node), Some(at)) = (&file.engine, &node, &file.node)
        && node.node().is_none()
        && speaks_ltp(file)
    {
        let message = format!("`{node}` speaks LTP, but has no number to be the ID of its LTP engine");
        notes.error(at.position, message, "add `engine: 10`, with a number of its own");
    }

    let known: Vec<&Eid> = file.neighbours.0.iter().filter_map(|(id, _)| Some(&id.read.as_ref().ok()?.0)).collect();
    // Of a neighbour whose ID cannot be read nothing more needs to be said.
    let known = (known.len() == file.neighbours.0.len()).then_some(&known[..]);
    let routes = routes(&file.routes, node.as_ref(), known, opportunistic, notes);
    let contacts = contacts::check(file.contacts.as_ref(), node.as_ref(), known, clock, notes);

    Some(NodeSettings {
        node: node?,
        engine: own_engine,
        clock: clock?,
        storage: storage?,
        status_reports: status_reports?,
        hop_limit: hop_limit?,
        seed: seed?,
        endpoints: endpoints?,
        listeners: listeners?,
        neighbours: neighbours?,
        routes: routes?,
        contacts: contacts?,
        opportunistic: opportunistic?,
        source: source.clone(),
        warnings: Vec::new(),
    })
}

fn speaks_ltp(file: &NodeFile) -> bool {
    file.listen.iter().any(|entry| entry.value.ltp.is_some())
        || file.neighbours.0.iter().any(|(_, entry)| entry.ltp.is_some())
}

fn storage(entry: Option<&At<StorageEntry>>, folder: &Path, notes: &mut Notes) -> Option<Storage> {
    let Some(At { value: entry, .. }) = entry else { return Some(Storage { limit: DEFAULT_STORAGE, folder: None }) };
    let limit = notes.read_or(&entry.limit, DEFAULT_STORAGE);
    if let (Some(limit), Some(text)) = (limit, &entry.limit)
        && limit < MIN_STORAGE
    {
        notes.error(text.position, format!("{limit} of storage holds no bundle"), "give it at least 1 KiB");
    }
    let path = match &entry.folder {
        Some(name) => Some(path(name, folder, notes)?),
        None => None,
    };
    if let (Some(path), Some(name)) = (&path, &entry.folder)
        && path.exists()
        && !path.is_dir()
    {
        notes.error(name.position, format!("{} is not a directory", path.display()), "name one, or one to be made");
    }
    Some(Storage { limit: limit?, folder: path })
}

fn hop_limit(file: &NodeFile, notes: &mut Notes) -> Option<Option<u8>> {
    let Some(text) = &file.hop_limit else { return Some(None) };
    let limit = notes.read(text)?.0;
    let fits = u8::try_from(limit).ok().filter(|limit| *limit > 0);
    if fits.is_none() {
        notes.error(text.position, format!("a hop limit of {limit} is out of range"), "from 1 to 255");
    }
    fits.map(Some)
}

/// `known` are the neighbours, if all of them could be read.
fn routes(
    entries: &[Text<Route>],
    node: Option<&Eid>,
    known: Option<&[&Eid]>,
    opportunistic: Option<bool>,
    notes: &mut Notes,
) -> Option<Vec<StaticRoute>> {
    let mut table = StaticRoutes::new();
    let mut routes = Some(Vec::new());
    for text in entries {
        let Some(Route(route)) = notes.read(text) else {
            routes = None;
            continue;
        };
        let via = &route.via;
        if Some(via) == node {
            let help = "name a neighbour: bundles for this node need no route";
            notes.error(text.position, format!("the next hop `{via}` is this node itself"), help);
        } else if let (Some(known), Some(opportunistic)) = (known, opportunistic)
            && !known.contains(&via)
        {
            let message = format!("the next hop `{via}` is no neighbour");
            if opportunistic {
                let help = "add it to `neighbours`, or bundles wait until it connects";
                notes.warning(text.position, message, help);
            } else {
                let help = "add it to `neighbours`: without `opportunistic`, no other node can connect";
                notes.error(text.position, message, help);
            }
        }
        match table.add(route.clone()) {
            Ok(None) => {}
            Ok(Some(_)) => {
                let message = format!("`{}` is already routed via `{via}`", route.to);
                notes.error(text.position, message, "keep one of the two");
            }
            Err(error) => notes.error(text.position, error.to_string(), "leave some out"),
        }
        if let Some(routes) = &mut routes {
            routes.push(route);
        }
    }
    routes
}

fn flag(text: &Option<Text<Flag>>, default: bool, notes: &mut Notes) -> Option<bool> {
    notes.read_or(text, Flag(default)).map(|flag| flag.0)
}

/// A path that the node will use, whatever is there now.
fn path(name: &At<String>, folder: &Path, notes: &mut Notes) -> Option<PathBuf> {
    let help = "write where it is, from the folder of this file on";
    if name.value.is_empty() {
        notes.error(name.position, "the path is empty", help);
        return None;
    }
    if name.value.contains('\0') {
        notes.error(name.position, "a path cannot contain a zero", help);
        return None;
    }
    Some(folder.join(&name.value))
}

/// The path of a file that must be there. `what` it is begins the message.
fn readable(name: &At<String>, what: &str, folder: &Path, notes: &mut Notes) -> Option<PathBuf> {
    let path = path(name, folder, notes)?;
    match can_be_read(&path) {
        Ok(()) => Some(path),
        Err(reason) => {
            let help = "the path starts at the folder of this file";
            notes.error(name.position, format!("the {what} {} {reason}", path.display()), help);
            None
        }
    }
}

/// A duration that is not absurd. None is negative.
fn delay(text: &Option<Text<Duration>>, default: Duration, what: &str, notes: &mut Notes) -> Option<Duration> {
    let delay = notes.read_or(text, default)?;
    if let Some(text) = text
        && delay > MAX_DELAY
    {
        notes.error(text.position, format!("a {what} of {delay} is out of range"), "at most 10 d");
        return None;
    }
    Some(delay)
}

/// Which of the `words` stands there, by its index: there must be one. Without any, the message about `owner` is `none`.
fn one_only(owner: Position, words: &[(&str, Option<Position>)], none: &str, notes: &mut Notes) -> Option<usize> {
    let mut there = words.iter().enumerate().filter_map(|(index, (word, at))| Some((index, *word, (*at)?)));
    let Some((index, first, _)) = there.next() else {
        let names = crate::names::one_of(words.iter().map(|(word, _)| *word));
        notes.error(owner, none.to_owned(), format!("add one of {names}"));
        return None;
    };
    if let Some((_, second, position)) = there.next() {
        let message = format!("`{second}` and `{first}` exclude each other");
        notes.error(position, message, "keep one of the two");
        return None;
    }
    Some(index)
}
