use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::ranges::Ranges;

/// Most datagrams that wait for fragments at a time.
pub const MAX_FRAGMENTED: usize = 1024;

/// Longest datagram, which is what the offset field can tell.
const MAX_LENGTH: usize = 65_535 + 8;

/// Which datagram a fragment belongs to (RFC 791 section 2.3, RFC 8200 section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub identification: u32,
    pub protocol: u8,
}

struct Waiting {
    /// Order of arrival of the first fragment, to give up the oldest.
    since: u64,
    octets: Vec<u8>,
    have: Ranges,
    length: Option<usize>,
}

/// Puts fragments of IP datagrams together.
#[derive(Default)]
pub struct Fragments {
    waiting: BTreeMap<Key, Waiting>,
    arrivals: u64,
    /// Datagrams that were given up for newer ones.
    pub given_up: u64,
}

impl Fragments {
    /// Adds a fragment; returns the datagram's payload once it is whole.
    pub fn add(&mut self, key: Key, offset: usize, more: bool, data: &[u8]) -> Option<Vec<u8>> {
        self.arrivals += 1;
        let end = offset + data.len();
        if end > MAX_LENGTH {
            return None;
        }
        if !self.waiting.contains_key(&key) && self.waiting.len() == MAX_FRAGMENTED {
            let oldest = self.waiting.iter().min_by_key(|(_, waiting)| waiting.since).map(|(key, _)| *key);
            oldest.map(|key| self.waiting.remove(&key));
            self.given_up += 1;
        }
        let since = self.arrivals;
        let waiting = self.waiting.entry(key).or_insert_with(|| Waiting {
            since,
            octets: Vec::new(),
            have: Ranges::default(),
            length: None,
        });
        if waiting.octets.len() < end {
            waiting.octets.resize(end, 0);
        }
        waiting.octets[offset..end].copy_from_slice(data);
        if !more {
            waiting.length = Some(end);
        }
        waiting.have.insert(offset as u64..end as u64);
        if waiting.length.is_some_and(|length| waiting.have.prefix() >= length as u64) {
            let mut whole = self.waiting.remove(&key)?;
            whole.octets.truncate(whole.length?);
            return Some(whole.octets);
        }
        None
    }

    /// Datagrams whose fragments have not all been seen.
    pub fn incomplete(&self) -> u64 {
        self.waiting.len() as u64 + self.given_up
    }
}
