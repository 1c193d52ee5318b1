//! Links: their ends, when they carry, and what they do to frames.

use farlink_channel_models::{Body, Place, Visibility};
use farlink_units::{Angle, Duration, Instant, Ratio, Size};

use super::places::Places;
use super::{Notes, Run};
use crate::file::{ChannelEntry, ContactsEntry, LinkEntry, LtpEntry, NodeEntry, VisibilityEntry};
use crate::located::{At, Named, Text};
use crate::model::{Channel, DamagedFrames, Link, LtpSettings, Path};
use crate::problem::Position;
use crate::values::Count;
use crate::words::Choice;

/// The most that two antennas can disagree: above it, inverting the bits would do better.
const WORST_BER: f64 = 0.5;
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
    run: Run,
}

/// Each link in the order of the file; `None` for one that is wrong.
pub(super) fn check(
    entries: &Named<LinkEntry>,
    nodes: &Named<NodeEntry>,
    node_names: &[&str],
    places: &Places<'_>,
    run: Run,
    notes: &mut Notes,
) -> Vec<Option<Link>> {
    let setting = Setting { nodes, node_names, places, run };
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
    let forward = entry.forward.as_ref().map(|channel| rate_and_ber(channel, notes));
    let back = entry.return_.as_ref().map(|channel| rate_and_ber(channel, notes));
    let path = path(name, entry, ends, setting, notes);
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
    let (from, to) = ends?;
    let (rate, ber) = forward??;
    let return_ = match back {
        Some(values) => {
            let (rate, ber) = values?;
            Channel { from: to, to: from, rate, ber }
        }
        None => {
            let message = format!("`{}` has no return channel, and one-way links are not available yet", name.value);
            let help = "add `return: { from: ..., to: ..., rate: ... }`: reports of what has arrived must come back";
            notes.error(name.position, message, help);
            return None;
        }
    };
    Some(Link {
        name: name.value.clone(),
        forward: Channel { from, to, rate, ber },
        return_,
        path: path?,
        damaged: damaged?.0,
        frame_overhead: frame_overhead?,
        queue: queue?,
        ltp: ltp?,
    })
}

fn rate_and_ber(channel: &At<ChannelEntry>, notes: &mut Notes) -> Option<(farlink_units::BitRate, Ratio)> {
    let entry = &channel.value;
    let rate = notes.need_read(&entry.rate, channel.position, "rate: 256 kbit/s");
    let ber = notes.read_or(&entry.ber, Ratio::default());
    if let (Some(ber), Some(text)) = (ber, &entry.ber)
        && ber.get() > WORST_BER
    {
        let message = format!("a bit error ratio of {} is impossible", ber.get());
        notes.error(text.position, message, "0.5 is noise already: write a ratio from 0 to 0.5");
    }
    Some((rate?, ber?))
}

fn path(
    name: &At<String>,
    entry: &LinkEntry,
    ends: Option<(usize, usize)>,
    setting: &Setting<'_>,
    notes: &mut Notes,
) -> Option<Path> {
    match (&entry.visibility, &entry.light_time) {
        (None, None) => {
            let message = format!("nothing says when `{}` carries", name.value);
            let help = "add `visibility: { … }` to follow the places of the nodes, or a constant `light_time: 10 min`";
            notes.error(name.position, message, help);
            None
        }
        (Some(_), Some(light_time)) => {
            notes.error(
                light_time.position,
                "`light_time` and `visibility` exclude each other",
                "keep `visibility` to follow the places of the nodes, or `light_time` for a constant",
            );
            None
        }
        (Some(visibility), None) => {
            if let Some(contacts) = &entry.contacts {
                let help =
                    "remove `contacts`: they follow from the places; or give a `light_time` instead of `visibility`";
                notes.error(contacts.position, "`contacts` and `visibility` exclude each other", help);
            }
            geometry(visibility, ends, setting, notes)
        }
        (None, Some(light_time)) => {
            let light_time = notes.read(light_time);
            let contacts = match &entry.contacts {
                None => Some(vec![(Instant::ZERO, Instant::MAX)]),
                Some(contacts) => self::contacts(contacts, setting.run, notes),
            };
            Some(Path::Fixed { light_time: light_time?, contacts: contacts? })
        }
    }
}

fn geometry(
    At { value: entry, position }: &At<VisibilityEntry>,
    ends: Option<(usize, usize)>,
    setting: &Setting<'_>,
    notes: &mut Notes,
) -> Option<Path> {
    let mask = notes.read_opt(&entry.elevation_mask).map(|angle| angle.map_or(0.0, Angle::deg));
    if let (Some(mask), Some(text)) = (mask, &entry.elevation_mask)
        && !(-90.0..=90.0).contains(&mask)
    {
        notes.error(text.position, format!("no elevation is {mask} deg"), "it is from -90 deg to 90 deg");
    }
    let bodies: Vec<Option<Body>> = entry.occulted_by.iter().map(|body| notes.read(body).map(|body| body.0)).collect();
    let occulted_by = bodies.into_iter().collect::<Option<Vec<_>>>();
    if let Some((from, to)) = ends {
        let places = [from, to].map(|node| place_of(node, *position, setting, notes));
        if let ([Some(one), Some(other)], Some(occulted_by)) = (&places, &occulted_by) {
            hidden_by_own_body(one, other, occulted_by, *position, notes);
            if one == other {
                notes.error(
                    *position,
                    "both ends are at the same place",
                    "a link that follows geometry needs two places",
                );
            }
        }
    }
    Some(Path::Geometry(Visibility { elevation_mask_deg: mask?, occulters: occulted_by?, ..Visibility::default() }))
}

/// The place of a node at the end of a link that follows geometry.
fn place_of(node: usize, link: Position, setting: &Setting<'_>, notes: &mut Notes) -> Option<Place> {
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

/// A body hides what circles it unless the file says so, or the other end stands on it and has a horizon.
fn hidden_by_own_body(one: &Place, other: &Place, occulted_by: &[Body], position: Position, notes: &mut Notes) {
    let mut told = None;
    for (orbit, far) in [(one, other), (other, one)] {
        let body = orbit.body();
        let has_horizon = matches!(far, Place::Site(_)) && far.body() == body;
        if matches!(orbit, Place::Orbit(_)) && !has_horizon && !occulted_by.contains(&body) && told != Some(body) {
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

fn contacts(entry: &At<ContactsEntry>, run: Run, notes: &mut Notes) -> Option<Vec<(Instant, Instant)>> {
    let entries = match &entry.value {
        ContactsEntry::Always => return Some(vec![(Instant::ZERO, Instant::MAX)]),
        ContactsEntry::Word(word) => {
            let help = "write `always`, or a list as in `[{ start: 0 s, end: 600 s }]`";
            notes.error(entry.position, format!("`{word}` is no list of contacts"), help);
            return None;
        }
        ContactsEntry::List(entries) => entries,
    };
    if entries.is_empty() {
        notes.error(
            entry.position,
            "a link without contacts carries nothing",
            "write `always`, or at least one contact",
        );
    }
    let mut contacts = Some(Vec::new());
    let mut last: Option<(Instant, Instant)> = None;
    for entry in entries {
        let contact = contact(entry, last, run, notes);
        last = contact.or(last);
        match (contact, &mut contacts) {
            (Some(contact), Some(all)) => all.push(contact),
            _ => contacts = None,
        }
    }
    contacts
}

fn contact(
    At { value: entry, position }: &At<crate::file::ContactEntry>,
    last: Option<(Instant, Instant)>,
    run: Run,
    notes: &mut Notes,
) -> Option<(Instant, Instant)> {
    let start = notes.need_read(&entry.start, *position, "start: 0 s");
    let end = notes.need_read(&entry.end, *position, "end: 600 s");
    let (start, end) = (start?.instant(run.epoch?), end?.instant(run.epoch?));
    let start_at = entry.start.as_ref().map_or(*position, |text| text.position);
    if start < Instant::ZERO {
        notes.error(
            start_at,
            "this contact starts before the epoch",
            "the run starts at the epoch: begin the contact there",
        );
    }
    if end <= start {
        let end_at = entry.end.as_ref().map_or(*position, |text| text.position);
        let message = format!("this contact ends at {end}, but starts at {start}");
        notes.error(end_at, message, "a contact ends after it starts");
        return None;
    }
    if let Some((last_start, last_end)) = last {
        if start < last_start {
            notes.error(
                start_at,
                "this contact starts before the one above it",
                "list the contacts in the order of time",
            );
        } else if start < last_end {
            let message = format!("this contact starts at {start}, but the one above it lasts until {last_end}");
            notes.error(start_at, message, "make them one contact, or start this one later");
        }
    }
    if let Some(duration) = run.duration {
        let over = Instant::ZERO + duration;
        if start >= over {
            notes.warning(
                start_at,
                format!("the run ends at {over}, before this contact"),
                "make the run longer, or remove it",
            );
        } else if end > over {
            let end_at = entry.end.as_ref().map_or(*position, |text| text.position);
            notes.warning(end_at, format!("the run ends at {over}, within this contact"), "the rest of it is not used");
        }
    }
    Some((start, end))
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
