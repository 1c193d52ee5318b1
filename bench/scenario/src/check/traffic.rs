//! Traffic and what is expected of it.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use farlink_units::{Duration, Instant, Size};

use super::{MIN_BUNDLE, Notes, Run};
use crate::file::{ExpectEntry, TrafficEntry};
use crate::files::can_be_read;
use crate::located::{At, Named, Text};
use crate::model::{Content, Link, Traffic};
use crate::problem::Problem;
use crate::values::When;

const MAX_BUNDLE: Size = Size::from_bytes(16 << 20);
const DEFAULT_BUNDLE: Size = Size::from_bytes(64 << 10);
const DEFAULT_LIFETIME: Duration = Duration::from_secs(86_400);
/// Bundles tell their lifetime in milliseconds (RFC 9171, section 4.3.1).
const MIN_LIFETIME: Duration = Duration::from_millis(1);

/// What traffic needs to know of the rest of the file.
pub(super) struct Setting<'a> {
    pub node_names: &'a [&'a str],
    pub routes: &'a Routes,
    pub folder: &'a Path,
    pub payload: Option<&'a Path>,
    pub run: Run,
}

/// The channels there are, to tell whether a bundle can get from one node to another.
pub(super) struct Routes(Option<Vec<(usize, usize)>>);

impl Routes {
    /// Of links that may be wrong: then nothing can be said about routes.
    pub(super) fn over(links: Option<&[Option<Link>]>) -> Self {
        let links: Option<Vec<&Link>> = links.and_then(|links| links.iter().map(Option::as_ref).collect());
        Routes(links.map(|links| {
            let channels = links.into_iter().flat_map(|link| [&link.forward, &link.return_]);
            channels.map(|channel| (channel.from, channel.to)).collect()
        }))
    }

    fn lead(&self, from: usize, to: usize) -> bool {
        let Some(channels) = &self.0 else { return true };
        let mut reached = vec![from];
        let mut queue = VecDeque::from([from]);
        while let Some(node) = queue.pop_front() {
            for (_, next) in channels.iter().filter(|(start, _)| *start == node) {
                if !reached.contains(next) {
                    reached.push(*next);
                    queue.push_back(*next);
                }
            }
        }
        reached.contains(&to)
    }
}

pub(super) fn check(
    entries: &Named<TrafficEntry>,
    expect: &Named<ExpectEntry>,
    setting: &Setting<'_>,
    notes: &mut Notes,
) -> Option<Vec<Traffic>> {
    let names: Vec<&str> = entries.0.iter().map(|(name, _)| name.value.as_str()).collect();
    let payload = payload(entries, &names, setting, notes);
    let mut items: Vec<Option<Traffic>> = Vec::new();
    for (index, (name, entry)) in entries.0.iter().enumerate() {
        notes.name(name);
        let payload = payload.as_ref().filter(|(item, _)| *item == index).map(|(_, path)| path.as_path());
        items.push(item(name, entry, payload, setting, notes));
    }
    for (name, entry) in &expect.0 {
        let index = notes.reference(name, "traffic", &names);
        let start = index.and_then(|index| items[index].as_ref()).map(|item| item.at);
        let arrives_by = deadline(entry, start, setting.run, notes);
        if let Some(item) = index.and_then(|index| items[index].as_mut()) {
            item.arrives_by = arrives_by;
        }
    }
    items.into_iter().collect()
}

/// Which item the file from the command line is for, and its path.
fn payload(
    entries: &Named<TrafficEntry>,
    names: &[&str],
    setting: &Setting<'_>,
    notes: &mut Notes,
) -> Option<(usize, PathBuf)> {
    let given = setting.payload?;
    let with_file: Vec<usize> = (0..names.len()).filter(|index| entries.0[*index].1.file.is_some()).collect();
    let mut refuse = |message: String, help: &str| {
        notes.errors.push(Problem::of_file(message).help(help));
        None
    };
    if let Some((name, path)) = given.to_str().and_then(|text| text.split_once('='))
        && let Some(index) = names.iter().position(|known| *known == name)
    {
        if with_file.contains(&index) {
            return Some((index, PathBuf::from(path)));
        }
        return refuse(format!("the traffic `{name}` has no `file` that a payload could replace"), "name one that has");
    }
    match with_file[..] {
        [index] => Some((index, given.to_owned())),
        [] => refuse("no traffic has a `file` that a payload could replace".to_owned(), "give one a `file`"),
        _ => {
            let candidates: Vec<String> = with_file.iter().map(|index| format!("`{}`", names[*index])).collect();
            let message =
                format!("{} have a `file`: it is unclear which one the payload replaces", candidates.join(", "));
            refuse(message, "write NAME=PATH")
        }
    }
}

fn item(
    name: &At<String>,
    entry: &TrafficEntry,
    payload: Option<&Path>,
    setting: &Setting<'_>,
    notes: &mut Notes,
) -> Option<Traffic> {
    let mut end = |field, example| {
        let node: &At<String> = notes.need(field, name.position, example)?;
        Some((node, notes.reference(node, "node", setting.node_names)?))
    };
    let (from, to) = (end(&entry.from, "from: NODE"), end(&entry.to, "to: NODE"));
    let content = content(name, entry, payload, setting.folder, notes);
    let at = match &entry.at {
        Some(text) => start(text, setting.run, notes),
        None => Some(Duration::ZERO),
    };
    let bundle_size = notes.read_or(&entry.bundle_size, DEFAULT_BUNDLE);
    if let (Some(size), Some(text)) = (bundle_size, &entry.bundle_size)
        && !(MIN_BUNDLE..=MAX_BUNDLE).contains(&size)
    {
        notes.error(text.position, format!("bundles of {size} are out of range"), "from 1 KiB to 16 MiB");
    }
    let lifetime = notes.read_or(&entry.lifetime, DEFAULT_LIFETIME);
    if let (Some(lifetime), Some(text)) = (lifetime, &entry.lifetime)
        && lifetime < MIN_LIFETIME
    {
        notes.error(text.position, format!("a bundle with a lifetime of {lifetime} is dead at once"), "at least 1 ms");
    }
    let reports: Vec<_> = entry.report.iter().map(|report| notes.read(report)).collect();
    let ((_, from), (to_name, to)) = (from?, to?);
    if from == to {
        notes.error(to_name.position, format!("`{}` sends to itself", to_name.value), "name another node");
        return None;
    }
    let names = setting.node_names;
    if !setting.routes.lead(from, to) {
        let message = format!("no links lead from `{}` to `{}`", names[from], names[to]);
        notes.error(to_name.position, message, "add a link");
    }
    Some(Traffic {
        name: name.value.clone(),
        from,
        to,
        content: content?,
        at: at?,
        bundle_size: bundle_size?,
        lifetime: lifetime?,
        report_delivery: !reports.is_empty(),
        arrives_by: None,
    })
}

fn content(
    name: &At<String>,
    entry: &TrafficEntry,
    payload: Option<&Path>,
    folder: &Path,
    notes: &mut Notes,
) -> Option<Content> {
    match (&entry.file, &entry.text) {
        (None, None) => {
            let message = format!("`{}` has nothing to send", name.value);
            notes.error(name.position, message, "add `file: PATH` or `text: \"…\"`");
            None
        }
        (Some(_), Some(text)) => {
            notes.error(text.position, "`text` and `file` exclude each other", "keep one of the two");
            None
        }
        (None, Some(text)) if text.value.is_empty() => {
            notes.error(text.position, "the text is empty", "write what is to be sent");
            None
        }
        (None, Some(text)) => Some(Content::Text(text.value.clone())),
        (Some(file), None) => {
            let path = payload.map_or_else(|| folder.join(&file.value), Path::to_owned);
            if let Err(reason) = can_be_read(&path) {
                let message = format!("the file {} {reason}", path.display());
                let problem = match payload {
                    Some(_) => Problem::of_file(message).help("name another file to send"),
                    None => Problem::at(file.position, message).help("the path starts at the folder of the scenario"),
                };
                notes.errors.push(problem);
                return None;
            }
            Some(Content::File(path))
        }
    }
}

fn start(text: &Text<When>, run: Run, notes: &mut Notes) -> Option<Duration> {
    let at = notes.read(text)?.instant(run.epoch?);
    if at < Instant::ZERO {
        notes.error(text.position, "this is before the epoch", "the run starts at the epoch");
        return None;
    }
    let at = at - Instant::ZERO;
    if let Some(duration) = run.duration
        && at >= duration
    {
        notes.error(
            text.position,
            format!("this is after the end of the run, which lasts {duration}"),
            "send earlier, or make the run longer",
        );
        return None;
    }
    Some(at)
}

fn deadline(entry: &ExpectEntry, start: Option<Duration>, run: Run, notes: &mut Notes) -> Option<Duration> {
    let text = entry.arrives_by.as_ref()?;
    let by = notes.read(text)?.instant(run.epoch?) - Instant::ZERO;
    if let Some(duration) = run.duration
        && by > duration
    {
        notes.error(
            text.position,
            format!("this is after the end of the run, which lasts {duration}"),
            "expect it earlier, or make the run longer",
        );
    }
    if let Some(start) = start
        && by <= start
    {
        notes.error(
            text.position,
            format!("this is not after {start}, when it is sent"),
            "deadlines count from the epoch",
        );
    }
    Some(by)
}
