//! The endpoints of the node and what their data goes to.

use std::path::{Path, PathBuf};

use farlink_engine::bp::{FailureAction, Registration};
use farlink_wire::bpv7::Eid;

use super::{one_only, path};
use crate::located::{At, Keyed};
use crate::node_file::entries::{DeliverEntry, EndpointEntry};
use crate::node_file::model::{Deliver, Endpoint};
use crate::node_file::values::{EndpointEid, State};
use crate::notes::Notes;
use crate::problem::Position;
use crate::words::Choice;

/// `sun_path` of the system has 108 bytes with the zero at its end.
const MAX_SOCKET_PATH: usize = 107;

pub(super) fn check(
    entries: &Keyed<EndpointEid, EndpointEntry>,
    node: Option<&Eid>,
    folder: &Path,
    notes: &mut Notes,
) -> Option<Vec<Endpoint>> {
    let mut endpoints: Vec<Option<Endpoint>> = Vec::new();
    let mut seen: Vec<Eid> = Vec::new();
    let mut taken: Vec<(PathBuf, String)> = Vec::new();
    for (key, entry) in &entries.0 {
        let eid = notes.read(key).map(|eid| eid.0);
        if let Some(eid) = &eid {
            own(eid, key.position, node, &seen, notes);
            seen.push(eid.clone());
        }
        let deliver = entry.deliver.as_ref().map(|entry| deliver(entry, folder, notes));
        if let (Some(At { position, .. }), Some(Some(Deliver::File(path) | Deliver::Socket(path)))) =
            (&entry.deliver, &deliver)
        {
            let name = eid.as_ref().map_or_else(String::new, Eid::to_string);
            if let Some((_, other)) = taken.iter().find(|(known, _)| known == path) {
                let message = format!("{} is already what `{other}` delivers to", path.display());
                notes.error(*position, message, "give each endpoint one of its own");
            }
            taken.push((path.clone(), name));
        }
        let registration = registration(key.position, entry, deliver.as_ref().and_then(Option::as_ref), notes);
        endpoints.push((|| {
            Some(Endpoint {
                eid: eid?,
                registration: registration?,
                deliver: match deliver {
                    Some(deliver) => Some(deliver?),
                    None => None,
                },
            })
        })());
    }
    endpoints.into_iter().collect()
}

fn own(eid: &Eid, position: Position, node: Option<&Eid>, seen: &[Eid], notes: &mut Notes) {
    if let Some(node) = node
        && eid.node_id().as_ref() != Some(node)
    {
        let example = match node {
            Eid::Ipn { node, .. } => format!("ipn:{node}.1"),
            _ => format!("{node}inbox"),
        };
        let message = format!("`{eid}` is no endpoint of `{node}`");
        notes.error(position, message, format!("the endpoints of this node are written as in `{example}`"));
    }
    // The parser of YAML knows keys that are the same, but not that two spellings mean one endpoint.
    if seen.contains(eid) {
        notes.error(position, format!("the endpoint `{eid}` stands twice"), "keep one of the two");
    }
}

fn registration(
    position: Position,
    entry: &EndpointEntry,
    deliver: Option<&Deliver>,
    notes: &mut Notes,
) -> Option<Registration> {
    let state = notes.read_opt(&entry.state);
    let on_failure = notes.read_or(&entry.on_failure, Choice(FailureAction::Defer));
    let active = match state?.map(|choice| choice.0) {
        Some(State::Passive) => {
            if let (Some(Deliver::Directory(_) | Deliver::File(_) | Deliver::Program { .. }), Some(text)) =
                (deliver, &entry.state)
            {
                let message = "data waits at a passive endpoint, so what `deliver` names never gets any";
                notes.warning(text.position, message, "remove `deliver` or `state`");
            }
            false
        }
        Some(State::Active) | None => {
            if entry.deliver.is_none() {
                let at = entry.state.as_ref().map_or(position, |text| text.position);
                let message = "an active endpoint needs something to deliver to";
                notes.error(at, message, "add `deliver: { directory: inbox }`, or write `state: passive`");
            }
            true
        }
    };
    Some(Registration { active, on_failure: on_failure?.0 })
}

fn deliver(At { value: entry, position }: &At<DeliverEntry>, folder: &Path, notes: &mut Notes) -> Option<Deliver> {
    let at = |name: &Option<At<String>>| name.as_ref().map(|name| name.position);
    let words = [
        ("directory", at(&entry.directory)),
        ("file", at(&entry.file)),
        ("program", entry.program.as_ref().map(|program| program.position)),
        ("socket", at(&entry.socket)),
    ];
    one_only(*position, &words, "this names nothing to deliver to", notes)?;
    if let Some(name) = &entry.directory {
        let path = path(name, folder, notes)?;
        if path.exists() && !path.is_dir() {
            let message = format!("{} is not a directory", path.display());
            notes.error(name.position, message, "name one, or one to be made; or write `file:`");
        }
        return Some(Deliver::Directory(path));
    }
    if let Some(name) = &entry.file {
        let path = path(name, folder, notes)?;
        if path.is_dir() {
            let message = format!("{} is a directory", path.display());
            notes.error(name.position, message, "name a file, or write `directory:`");
        }
        return Some(Deliver::File(path));
    }
    if let Some(name) = &entry.socket {
        let path = path(name, folder, notes)?;
        if path.as_os_str().len() > MAX_SOCKET_PATH {
            let message = format!("{} is longer than the {MAX_SOCKET_PATH} bytes of a socket's path", path.display());
            notes.error(name.position, message, "put it into a folder with a shorter path");
        }
        return Some(Deliver::Socket(path));
    }
    program(entry.program.as_ref()?, folder, notes)
}

fn program(At { value: words, position }: &At<Vec<At<String>>>, folder: &Path, notes: &mut Notes) -> Option<Deliver> {
    let Some((name, arguments)) = words.split_first() else {
        notes.error(
            *position,
            "there is no program in this list",
            "write the program first, as in `[./handle, --flag]`",
        );
        return None;
    };
    let given = path(name, folder, notes)?;
    if let Some(odd) = arguments.iter().find(|argument| argument.value.contains('\0')) {
        notes.error(odd.position, "an argument cannot contain a zero", "remove it");
    }
    // As in a shell: a name alone is looked up.
    let program = if name.value.contains('/') { given } else { PathBuf::from(&name.value) };
    Some(Deliver::Program { program, arguments: arguments.iter().map(|argument| argument.value.clone()).collect() })
}
