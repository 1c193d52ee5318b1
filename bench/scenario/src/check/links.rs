//! Links: their ends, when they carry, and what they do to frames.

mod contacts;
mod visibility;

use farlink_channel_models::{Place, RangeTable};
use farlink_units::{Duration, Instant, Ratio, Size};

use super::places::Places;
use super::{Notes, Run, channel};
use crate::file::{ChannelEntry, LinkEntry, LtpEntry, NodeEntry};
use crate::files::Folder;
use crate::located::{At, Named, Text};
use crate::model::{Channel, DamagedFrames, Distance, Link, LtpSettings, Path};
use crate::problem::Position;
use crate::values::Count;
use crate::words::Choice;

const SEGMENT_SIZES: std::ops::RangeInclusive<u64> = 128..=65_000;
const DEFAULT_SEGMENT: Size = Size::from_bytes(1360);
const MAX_OVERHEAD: Size = Size::from_bytes(64 << 10);
const DEFAULT_QUEUE: Size = Size::from_bytes(256 << 10);
const MAX_RETRANSMISSIONS: u64 = 1000;

/// What a link needs to know of the rest of the file.
struct Setting<'a> {
    nodes: &'a Named<NodeEntry>,
    node_names: &'a [&'a str],
    places: &'a Places<'a>,
    folder: &'a Folder<'a>,
    run: Run,
}

impl Setting<'_> {
    /// Whether a node stands on a body; so does one whose place is wrong, lest that be told twice.
    fn is_site(&self, node: usize) -> bool {
        let place = self.nodes.0[node].1.at.as_ref();
        let spot = place.and_then(|name| self.places.get(&name.value));
        spot.is_none_or(|spot| matches!(spot.place, Place::Site(_)))
    }
}

/// Each link in the order of the file; `None` for one that is wrong.
pub(super) fn check(
    entries: &Named<LinkEntry>,
    nodes: &Named<NodeEntry>,
    node_names: &[&str],
    places: &Places<'_>,
    folder: &Folder<'_>,
    run: Run,
    notes: &mut Notes,
) -> Vec<Option<Link>> {
    let setting = Setting { nodes, node_names, places, folder, run };
    let mut joined: Vec<([usize; 2], &str)> = Vec::new();
    let mut links = Vec::new();
    for (name, entry) in &entries.0 {
        notes.name(name);
        let ends = ends(name, entry, &setting, notes);
        if let Some((from, to)) = ends {
            let mut pair = [from, to];
            pair.sort_unstable();
            if let Some((_, other)) = joined.iter().find(|(known, _)| *known == pair) {
                let [a, b] = pair.map(|node| node_names[node]);
                let message = format!("`{other}` already links `{a}` and `{b}`");
                notes.error(name.position, message, "keep one link for a pair of nodes");
            }
            joined.push((pair, &name.value));
        }
        links.push(link(name, entry, ends, &setting, notes));
    }
    links
}

/// The nodes at the ends of the forward channel, which is all that the rest of the link needs to know of the nodes.
fn ends(name: &At<String>, entry: &LinkEntry, setting: &Setting<'_>, notes: &mut Notes) -> Option<(usize, usize)> {
    let forward = notes.need(&entry.forward, name.position, "forward: { from: …, to: …, rate: 1 Mbit/s }");
    let forward = forward.and_then(|channel| channel_ends(channel, setting, notes));
    let back = entry.return_.as_ref().map(|channel| (channel, channel_ends(channel, setting, notes)));
    let forward = forward?;
    if let Some((channel, Some(back))) = back
        && (back.1, back.0) != forward
    {
        let (from, to) = (setting.node_names[forward.1], setting.node_names[forward.0]);
        let position = channel.value.from.as_ref().map_or(channel.position, |from| from.position);
        let message = format!("the return channel of `{}` does not lead back", name.value);
        notes.error(position, message, format!("write `from: {from}, to: {to}`"));
    }
    Some(forward)
}

fn channel_ends(channel: &At<ChannelEntry>, setting: &Setting<'_>, notes: &mut Notes) -> Option<(usize, usize)> {
    let At { value: entry, position } = channel;
    let mut end = |field, example| {
        let name: &At<String> = notes.need(field, *position, example)?;
        notes.reference(name, "node", setting.node_names)
    };
    let (from, to) = (end(&entry.from, "from: NODE"), end(&entry.to, "to: NODE"));
    let (from, to) = (from?, to?);
    if let (true, Some(name)) = (from == to, &entry.to) {
        notes.error(
            name.position,
            format!("a link from `{0}` to `{0}`", name.value),
            "a link joins two different nodes",
        );
        return None;
    }
    Some((from, to))
}

fn link(
    name: &At<String>,
    entry: &LinkEntry,
    ends: Option<(usize, usize)>,
    setting: &Setting<'_>,
    notes: &mut Notes,
) -> Option<Link> {
    let (from, to) = ends.unwrap_or_default();
    let known = channel::Known {
        run: setting.run,
        folder: setting.folder,
        geometry: entry.visibility.is_some(),
        elevation: entry.visibility.is_some()
            && ends.is_none_or(|(from, to)| setting.is_site(from) || setting.is_site(to)),
    };
    let mut channel =
        |entry: &Option<At<ChannelEntry>>, ends| entry.as_ref().map(|entry| channel::check(entry, ends, &known, notes));
    let forward = channel(&entry.forward, (from, to));
    let back = channel(&entry.return_, (to, from));
    if let (Some(Some(forward)), Some(Some(back))) = (&forward, &back) {
        silent_both_ways(name, forward, back, setting.run, notes);
    }
    let path = path(name, entry, ends, setting, notes);
    let degraded_ber = match (&entry.visibility, ends) {
        (Some(visibility), Some(ends)) => visibility::degraded_ber(&visibility.value, ends, setting, notes),
        _ => Some([Ratio::default(); 2]),
    };
    let damaged = notes.read_or(&entry.damaged_frames, Choice(DamagedFrames::Drop));
    let frame_overhead = notes.read_or(&entry.frame_overhead, Size::from_bytes(0));
    if let (Some(overhead), Some(text)) = (frame_overhead, &entry.frame_overhead)
        && overhead > MAX_OVERHEAD
    {
        notes.error(text.position, format!("{overhead} around each segment is too much"), "at most 64 KiB");
    }
    let default_ltp = LtpEntry::default();
    let ltp = ltp(entry.ltp.as_ref().unwrap_or(&default_ltp), notes);
    let queue = notes.read_or(&entry.queue, DEFAULT_QUEUE);
    if let (Some(queue), Some(overhead), Some(ltp)) = (queue, frame_overhead, ltp) {
        let frame = Size::from_bytes(ltp.segment_size.bytes() + overhead.bytes());
        if queue < frame {
            let position = entry.queue.as_ref().map_or(name.position, |text| text.position);
            let message = format!("a queue of {queue} cannot hold a frame of {frame}");
            notes.error(
                position,
                message,
                format!("it must hold a segment and its overhead: at least {} B", frame.bytes()),
            );
        }
    }
    let Some(return_) = back else {
        let message = format!("`{}` has no return channel", name.value);
        let help = "add `return: { from: ..., to: ..., rate: ... }` for the reports of what has arrived; `rate: none` if \
                    nothing comes back";
        notes.error(name.position, message, help);
        return None;
    };
    ends?;
    Some(Link {
        name: name.value.clone(),
        forward: forward??,
        return_: return_?,
        path: path?,
        degraded_ber: degraded_ber?,
        damaged: damaged?.0,
        frame_overhead: frame_overhead?,
        queue: queue?,
        ltp: ltp?,
    })
}

/// A link on which neither end ever has a rate is allowed, and surely a slip.
fn silent_both_ways(name: &At<String>, forward: &Channel, back: &Channel, run: Run, notes: &mut Notes) {
    let end = Instant::ZERO + run.duration.unwrap_or(Duration::ZERO);
    if [forward, back].iter().all(|channel| channel.rate.is_silent(end)) {
        let message = format!("`{}` carries nothing: neither of its channels has a rate", name.value);
        notes.warning(name.position, message, "give one of them a rate, or remove the link");
    }
}

fn path(
    name: &At<String>,
    entry: &LinkEntry,
    ends: Option<(usize, usize)>,
    setting: &Setting<'_>,
    notes: &mut Notes,
) -> Option<Path> {
    match (&entry.visibility, &entry.light_time, &entry.range_table) {
        (None, None, None) => {
            let message = format!("nothing says when `{}` carries", name.value);
            let help = "add `visibility: { … }` to follow the places of the nodes, or a constant `light_time: 10 min`";
            notes.error(name.position, message, help);
            None
        }
        (Some(_), Some(light_time), _) => {
            notes.error(
                light_time.position,
                "`light_time` and `visibility` exclude each other",
                "keep `visibility` to follow the places of the nodes, or `light_time` for a constant",
            );
            None
        }
        (Some(_), None, Some(table)) | (None, Some(_), Some(table)) => {
            let other = if entry.visibility.is_some() { "visibility" } else { "light_time" };
            notes.error(
                table.position,
                format!("`range_table` and `{other}` exclude each other"),
                "keep one of the two",
            );
            None
        }
        (Some(visibility), None, None) => {
            if let Some(contacts) = &entry.contacts {
                let help =
                    "remove `contacts`: they follow from the places; or give a `light_time` instead of `visibility`";
                notes.error(contacts.position, "`contacts` and `visibility` exclude each other", help);
            }
            visibility::check(visibility, ends, setting, notes).map(Path::Geometry)
        }
        (None, Some(light_time), None) => {
            let distance = notes.read(light_time).map(Distance::LightTime);
            fixed(entry, distance, setting, notes)
        }
        (None, None, Some(table)) => {
            let ranges = setting.folder.read(table, notes, |bytes| RangeTable::from_csv(bytes));
            let path = fixed(entry, ranges.map(Distance::Table), setting, notes)?;
            beyond_the_table(&path, table.position, setting.run, notes);
            Some(path)
        }
    }
}

/// A path whose contacts the file lists.
fn fixed(entry: &LinkEntry, distance: Option<Distance>, setting: &Setting<'_>, notes: &mut Notes) -> Option<Path> {
    let contacts = match &entry.contacts {
        None => Some(vec![(Instant::ZERO, Instant::MAX)]),
        Some(contacts) => contacts::check(contacts, setting.run, notes),
    };
    Some(Path::Fixed { distance: distance?, contacts: contacts? })
}

/// A contact at whose beginning or end the table of ranges tells nothing is allowed, and surely a slip.
fn beyond_the_table(path: &Path, position: Position, run: Run, notes: &mut Notes) {
    let (Path::Fixed { distance: Distance::Table(table), contacts }, Some(duration)) = (path, run.duration) else {
        return;
    };
    let end_of_run = Instant::ZERO + duration;
    let (first, last) = table.span();
    let outside = |(start, end): &(Instant, Instant)| *start < first || (*end).min(end_of_run) > last;
    if contacts.iter().any(|contact| contact.0 < end_of_run && outside(contact)) {
        let message =
            format!("this table goes from {first} to {last}, which is not all of the time that the link carries");
        let help = "outside of it the link is closed: add lines to the table, or give the link `contacts` within it";
        notes.warning(position, message, help);
    }
}

fn ltp(entry: &LtpEntry, notes: &mut Notes) -> Option<LtpSettings> {
    let segment_size = notes.read_or(&entry.segment_size, DEFAULT_SEGMENT);
    if let (Some(size), Some(text)) = (segment_size, &entry.segment_size)
        && !SEGMENT_SIZES.contains(&size.bytes())
    {
        notes.error(text.position, format!("segments of {size} are out of range"), "from 128 B to 65000 B");
        return None;
    }
    let response_margin = notes.read_or(&entry.response_margin, Duration::from_secs(2));
    let limit = notes.read_or(&entry.retransmission_limit, Count(20));
    in_limit(limit, &entry.retransmission_limit, notes);
    Some(LtpSettings {
        segment_size: segment_size?,
        response_margin: response_margin?,
        retransmission_limit: u32::try_from(limit?.0).ok()?,
    })
}

fn in_limit(limit: Option<Count>, text: &Option<Text<Count>>, notes: &mut Notes) {
    if let (Some(Count(limit)), Some(text)) = (limit, text)
        && !(1..=MAX_RETRANSMISSIONS).contains(&limit)
    {
        notes.error(text.position, format!("a retransmission limit of {limit} is out of range"), "from 1 to 1000");
    }
}
