use std::collections::VecDeque;

use super::packet::is_idle;
use super::{CcsdsError, Encapsulation, FirstHeader, packet_length};

/// What goes in the data field of one frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zone {
    /// Where the first packet begins.
    pub first_header: FirstHeader,
    /// As many octets as a zone has.
    pub data: Vec<u8>,
}

/// Cuts packets to zones of one length (132.0-B-3 section 4.2.2, 732.0-B-4 section 4.2.2).
///
/// It holds what is pushed until it is taken; who pushes looks at [`len`](Self::len).
#[derive(Clone, Debug)]
pub struct Packer {
    zone: usize,
    queue: VecDeque<u8>,
    /// Where packets begin, counted like `taken`.
    starts: VecDeque<u64>,
    /// Octets taken so far.
    taken: u64,
}

impl Packer {
    /// A packer for zones of so many octets.
    ///
    /// # Panics
    /// With none, or with more than 2046, beyond which the pointer does not reach.
    pub fn new(zone: usize) -> Self {
        assert!((1..=2046).contains(&zone), "a packet zone of {zone} octets");
        Packer { zone, queue: VecDeque::new(), starts: VecDeque::new(), taken: 0 }
    }

    /// Octets that wait.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether none wait.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Appends a packet: encapsulation or space, whole.
    ///
    /// # Errors
    /// [`CcsdsError::Version`] or [`CcsdsError::Length`] if it is not one, since the far end could not find its end.
    pub fn push(&mut self, packet: &[u8]) -> Result<(), CcsdsError> {
        let has = packet.len() as u64;
        let announced = packet_length(packet)?.unwrap_or(0);
        if announced != has {
            return Err(CcsdsError::Length {
                at: 0,
                what: "packet",
                announced,
                has,
                clause: "132.0-B-3 section 4.2.2",
            });
        }
        self.starts.push_back(self.taken + self.queue.len() as u64);
        self.queue.extend(packet);
        Ok(())
    }

    /// The next zone, or `None` if there is too little for one. With `fill`, an idle packet completes it; with nothing at all to send it
    /// has only idle data.
    pub fn zone(&mut self, fill: bool) -> Option<Zone> {
        if self.queue.len() < self.zone {
            if !fill {
                return None;
            }
            if self.queue.is_empty() {
                return Some(Zone { first_header: FirstHeader::OnlyIdle, data: vec![0x55; self.zone] });
            }
            let mut idle = Vec::new();
            Encapsulation::emit_idle(self.zone - self.queue.len(), &mut idle);
            self.starts.push_back(self.taken + self.queue.len() as u64);
            self.queue.extend(idle);
        }
        let end = self.taken + self.zone as u64;
        let first = self.starts.front().filter(|&&start| start < end);
        let first_header = first.map_or(FirstHeader::NoStart, |start| FirstHeader::At((start - self.taken) as u16));
        while self.starts.front().is_some_and(|&start| start < end) {
            self.starts.pop_front();
        }
        self.taken = end;
        Some(Zone { first_header, data: self.queue.drain(..self.zone).collect() })
    }
}

/// What came of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Taken {
    /// Frames that are missing before this one, by its count.
    pub lost_frames: u32,
    /// Packets that were begun and will not be whole, or that had no sense.
    pub broken: u32,
    /// Packets that are longer than is taken.
    pub too_long: u32,
    /// Idle packets.
    pub idle: u32,
}

/// Puts packets together from the zones of one virtual channel (132.0-B-3 section 4.3.2, 732.0-B-4 section 4.3.2).
///
/// It holds one packet, of the length agreed at most.
#[derive(Clone, Debug)]
pub struct Extractor {
    modulus: u32,
    max_packet: usize,
    expected: Option<u32>,
    /// The packet that is under way, if its start was seen.
    partial: Vec<u8>,
}

impl Extractor {
    /// An extractor for frames counted modulo `modulus` (256 for telemetry, 2^24 for AOS) and packets of at most `max_packet` octets.
    ///
    /// # Panics
    /// With a modulus of 0.
    pub fn new(modulus: u32, max_packet: usize) -> Self {
        assert!(modulus > 0, "frames counted modulo 0");
        Extractor { modulus, max_packet, expected: None, partial: Vec::new() }
    }

    /// Takes the next frame of the channel, and gives the packets that end in it. A repeated frame looks as if all but one of a
    /// round of the counter were lost, so a repeat is to be dropped before.
    pub fn take(&mut self, count: u32, first_header: FirstHeader, zone: &[u8], mut packet: impl FnMut(&[u8])) -> Taken {
        let mut taken = Taken::default();
        let count = count % self.modulus;
        if let Some(expected) = self.expected.replace((count + 1) % self.modulus) {
            taken.lost_frames = (count + self.modulus - expected) % self.modulus;
            if taken.lost_frames > 0 {
                self.give_up(&mut taken);
            }
        }
        let (before, after) = match first_header {
            FirstHeader::OnlyIdle => return taken,
            FirstHeader::NoStart => (zone, &[][..]),
            FirstHeader::At(at) => zone.split_at(usize::from(at).min(zone.len())),
        };
        if !self.partial.is_empty() {
            self.go_on(before, true, &mut taken, &mut packet);
            if first_header != FirstHeader::NoStart && !self.partial.is_empty() {
                // The next packet begins before this one ends.
                self.give_up(&mut taken);
            }
        }
        if !after.is_empty() {
            self.partial.clear();
            self.go_on(after, false, &mut taken, &mut packet);
        }
        taken
    }

    fn give_up(&mut self, taken: &mut Taken) {
        taken.broken += u32::from(!self.partial.is_empty());
        self.partial.clear();
    }

    /// Goes on with the packet under way, and with those behind it if it ends; with `one`, there are none.
    fn go_on(&mut self, mut octets: &[u8], one: bool, taken: &mut Taken, packet: &mut impl FnMut(&[u8])) {
        while !octets.is_empty() {
            // A header takes eight octets at most, and may itself be cut.
            let mut head = [0; 8];
            let known = self.partial.len().min(8);
            head[..known].copy_from_slice(&self.partial[..known]);
            let more = octets.len().min(8 - known);
            head[known..known + more].copy_from_slice(&octets[..more]);
            let length = match packet_length(&head[..known + more]) {
                Ok(length) => length,
                Err(_) => {
                    // Where the next packet begins only the next pointer tells.
                    taken.broken += 1;
                    self.partial.clear();
                    return;
                }
            };
            let Some(length) = length else {
                self.partial.extend_from_slice(octets);
                return;
            };
            if length > self.max_packet as u64 {
                taken.too_long += 1;
                self.partial.clear();
                return;
            }
            let missing = length as usize - self.partial.len();
            let Some((end, rest)) = octets.split_at_checked(missing) else {
                self.partial.extend_from_slice(octets);
                return;
            };
            octets = rest;
            let whole = if self.partial.is_empty() {
                end
            } else {
                self.partial.extend_from_slice(end);
                &self.partial[..]
            };
            if is_idle(whole) {
                taken.idle += 1;
            } else {
                packet(whole);
            }
            self.partial.clear();
            if one {
                // What is behind it should have had a pointer.
                taken.broken += u32::from(!octets.is_empty());
                return;
            }
        }
    }
}
