//! Neighbours that are reached by LTP.

use std::path::Path;

use farlink_units::{Duration, Size};
use farlink_wire::bpv7::Eid;

use super::neighbours::need_destination;
use super::{delay, readable};
use crate::located::{At, Text};
use crate::node_file::entries::{AggregateEntry, AuthenticationEntry, LtpEntry};
use crate::node_file::model::{Aggregation, LtpAuthentication, LtpCiphersuite, LtpNeighbour, SessionNumberWidth};
use crate::node_file::values::Width;
use crate::notes::Notes;
use crate::problem::Position;
use crate::values::Count;
use crate::words::Choice;

/// From the room for a header to what a UDP datagram carries over IPv4.
const SEGMENT_SIZES: std::ops::RangeInclusive<u64> = 128..=65_507;
const DEFAULT_SEGMENT: Size = Size::from_bytes(1400);
const DEFAULT_MARGIN: Duration = Duration::from_secs(2);
const RETRANSMISSIONS: std::ops::RangeInclusive<u64> = 1..=1000;
const DEFAULT_RETRANSMISSIONS: Count = Count(20);
const MIN_CHECKPOINT: Size = Size::from_bytes(1 << 10);
const BLOCK_SIZES: std::ops::RangeInclusive<u64> = 1..=1 << 30;
const MAX_WAIT: Duration = Duration::from_secs(3600);

pub(super) fn check(
    At { value: entry, position }: &At<LtpEntry>,
    node: Option<&Eid>,
    folder: &Path,
    notes: &mut Notes,
) -> Option<LtpNeighbour> {
    let to = need_destination(&entry.to, *position, "to: \"udp:127.0.0.1:1114\"", notes);
    let engine = engine(entry, *position, node, notes);
    let light_time = delay(&entry.light_time, Duration::ZERO, "light time", notes);
    let rate = notes.read_opt(&entry.rate);
    let response_margin = delay(&entry.response_margin, DEFAULT_MARGIN, "margin", notes);
    let segment_size = notes.read_or(&entry.segment_size, DEFAULT_SEGMENT);
    if let (Some(size), Some(text)) = (segment_size, &entry.segment_size)
        && !SEGMENT_SIZES.contains(&size.bytes())
    {
        notes.error(text.position, format!("segments of {size} are out of range"), "from 128 B to 65507 B");
    }
    let aggregate = entry.aggregate.as_ref().map(|entry| aggregation(entry, notes));
    let session_numbers = notes.read_or(&entry.session_numbers, Width(SessionNumberWidth::Bits32));
    let checkpoint_every = notes.read_opt(&entry.checkpoint_every);
    if let (Some(Some(size)), Some(text)) = (checkpoint_every, &entry.checkpoint_every)
        && size < MIN_CHECKPOINT
    {
        let message = format!("a checkpoint after every {size} is too much");
        notes.error(text.position, message, "after 1 KiB at the earliest");
    }
    let limit = notes.read_or(&entry.retransmission_limit, DEFAULT_RETRANSMISSIONS).map(|limit| limit.0);
    if let (Some(limit), Some(text)) = (limit, &entry.retransmission_limit)
        && !RETRANSMISSIONS.contains(&limit)
    {
        notes.error(text.position, format!("a retransmission limit of {limit} is out of range"), "from 1 to 1000");
    }
    let authentication = entry.authentication.as_ref().map(|entry| authentication(entry, folder, notes));
    Some(LtpNeighbour {
        to: to?,
        engine: engine?,
        light_time: light_time?,
        rate: rate?,
        response_margin: response_margin?,
        segment_size: segment_size?,
        aggregate: match aggregate {
            Some(aggregate) => Some(aggregate?),
            None => None,
        },
        session_numbers: session_numbers?.0,
        checkpoint_every: checkpoint_every?,
        retransmission_limit: u32::try_from(limit?).ok()?,
        authentication: match authentication {
            Some(authentication) => Some(authentication?),
            None => None,
        },
    })
}

fn engine(entry: &LtpEntry, position: Position, node: Option<&Eid>, notes: &mut Notes) -> Option<u64> {
    if let Some(text) = &entry.engine {
        return notes.read(text).map(|count| count.0);
    }
    let number = node?.node();
    if number.is_none() {
        let message = format!("`{}` has no number to be the ID of its LTP engine", node?);
        notes.error(position, message, "add `engine: 20`, with the engine ID that it has");
    }
    number
}

fn aggregation(At { value: entry, position }: &At<AggregateEntry>, notes: &mut Notes) -> Option<Aggregation> {
    let size = notes.need_read(&entry.size, *position, "size: 64 KiB");
    let time = notes.need_read(&entry.time, *position, "time: 100 ms");
    if let (Some(size), Some(text)) = (size, &entry.size)
        && !BLOCK_SIZES.contains(&size.bytes())
    {
        notes.error(text.position, format!("blocks of {size} are out of range"), "from 1 B to 1 GiB");
    }
    if let (Some(time), Some(text)) = (time, &entry.time)
        && !(time > Duration::ZERO && time <= MAX_WAIT)
    {
        notes.error(text.position, format!("a wait of {time} is out of range"), "longer than 0 s, at most 1 h");
    }
    Some(Aggregation { size: size?, time: time? })
}

fn authentication(
    At { value: entry, position }: &At<AuthenticationEntry>,
    folder: &Path,
    notes: &mut Notes,
) -> Option<LtpAuthentication> {
    let suite: Option<&Text<Choice<LtpCiphersuite>>> = notes.need(&entry.suite, *position, "suite: hmac-sha1-80");
    let suite = suite.and_then(|text| notes.read(text)).map(|choice| choice.0);
    let key_id = notes.read_opt(&entry.key_id).map(|id| id.map(|count| count.0));
    let key_file = entry.key_file.as_ref().map(|name| readable(name, "key", folder, notes));
    match (suite, &entry.key_file) {
        (Some(LtpCiphersuite::Null), Some(name)) => {
            let message = "the key of `null-key` stands in RFC 5327";
            notes.error(name.position, message, "remove `key_file`, or choose another `suite`");
        }
        (Some(LtpCiphersuite::HmacSha1_80 | LtpCiphersuite::RsaSha256), None) => {
            notes.need(&entry.key_file, *position, "key_file: key.bin");
        }
        _ => {}
    }
    Some(LtpAuthentication {
        suite: suite?,
        key_id: key_id?,
        key_file: match key_file {
            Some(path) => Some(path?),
            None => None,
        },
    })
}
