//! Rewrites of bundles in datagrams.
//!
//! An item of a bundle is named by a path: `primary/lifetime`, `10/data/1` (the hop count: element 1 of the data of the block
//! of type 10), `payload/data/1/0` (the statuses of a report), `*/flags` (of every extension block). Values are CBOR in
//! hexadecimal. CRCs are computed anew unless the rewrite is about them.

use bytes::Bytes;
use farlink_units::{Duration, Instant};
use serde::Deserialize;

use super::{Frame, Mutated, Mutation};
use crate::bundle::{Block, Crc, Draft, Emitted, Width, block_type, cbor, flags};
use crate::medium::Door;

/// A rewrite.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {
    /// Of what the node sends, or of what it hears.
    way: Way,
    /// Which bundles; all of them without this.
    #[serde(default, rename = "of")]
    which: Box<Which>,
    /// What becomes of them, in order.
    #[serde(rename = "do")]
    deeds: Vec<Deed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Way {
    Sent,
    Heard,
}

/// All that is told must fit.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Which {
    /// Of the node itself: reports, or others.
    #[serde(default)]
    kind: Option<Kind>,
    /// The n-th that fits otherwise, from 1.
    #[serde(default)]
    nth: Option<u32>,
    /// Every n-th that fits otherwise.
    #[serde(default)]
    every: Option<u32>,
    /// With a block of this type.
    #[serde(default)]
    block: Option<u64>,
    /// With all of these flags.
    #[serde(default)]
    flags: Option<u64>,
    /// With none of these flags.
    #[serde(default)]
    without_flags: Option<u64>,
    /// With a payload of at least so many octets.
    #[serde(default)]
    payload: Option<usize>,
    /// With a payload of at most so many octets.
    #[serde(default)]
    payload_below: Option<usize>,
    /// For this endpoint, as an item.
    #[serde(default)]
    to: Option<String>,
    /// Of this source, as an item.
    #[serde(default)]
    from: Option<String>,
    /// With this lifetime or a longer one, in milliseconds.
    #[serde(default)]
    lifetime: Option<u64>,
    /// With this creation time.
    #[serde(default)]
    created: Option<u64>,
    /// Only what conforms, or only what does not.
    #[serde(default)]
    sound: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    /// A status report.
    Report,
    /// Application data of the node.
    Own,
    /// Anything else.
    Other,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Deed {
    /// It is lost.
    Drop,
    /// It goes twice.
    Repeat,
    /// It goes later, by so many seconds. Only for what is sent.
    Delay(f64),
    /// The node sends it back as it came, along with the next bundle that it sends, and hears nothing of it.
    Bounce,
    /// The same, and every CRC that is wrong is made right.
    BounceRepaired,
    /// The same, once a bundle has been sent since.
    BounceLater,
    /// The node is no more.
    Crash,
    /// Every CRC of what is heard is made right.
    Trust,
    /// An item becomes another.
    Set(String, String),
    /// A number grows, or falls.
    Add(String, i64),
    /// An item is left out, and the array is shorter.
    Remove(String),
    /// An item is put before the one that is named, and the array is longer.
    Insert(String, String),
    /// Flags are set.
    Raise(String, u64),
    /// Flags are cleared.
    Clear(String, u64),
    /// Two items change places: the second is the one after the first.
    Swap(String),
    /// An octet of a byte string is flipped: which.
    Flip(String, usize),
    /// Blocks of this type are left out.
    RemoveBlock(u64),
    /// The first block of this type is there twice, the second with this number.
    RepeatBlock(u64, u64),
    /// A block is put first: type, number, flags, data.
    AddBlock(u64, u64, u64, String),
    /// The payload block is moved to the front.
    PayloadFirst,
    /// The block of this type has no CRC, its type says so, and nothing else changes; 0 for the primary block.
    WithoutCrc(u64),
    /// The CRC of the block of this type is wrong; 0 for the primary block.
    WrongCrc(u64),
    /// The CRC of the block of this type is that of another kind than its type says; 0 for the primary block.
    OtherCrc(u64),
    /// Octets are put at the end.
    Append(String),
    /// It is there twice in one datagram.
    Double,
    /// The last octet is left out.
    Cut,
    /// The outer array has a definite length.
    Definite,
    /// The payload is cut to so many octets.
    Shorten(usize),
    /// What is sent is, for whatever is left of it, cut in two fragments.
    Halve,
}

/// Applies a rewrite.
pub(super) struct Rewriter {
    rewrite: Rewrite,
    /// How many have fitted.
    met: u32,
    /// What goes out with the next bundle, and after how many others.
    bounced: Vec<(u32, Frame)>,
}

impl Rewriter {
    pub(super) fn new(rewrite: Rewrite) -> Self {
        Rewriter { rewrite, met: 0, bounced: Vec::new() }
    }

    fn is_meant(&mut self, octets: &[u8], way: Way) -> bool {
        if way != self.rewrite.way || !fits(&self.rewrite.which, octets) {
            return false;
        }
        self.met += 1;
        let which = &self.rewrite.which;
        which.nth.is_none_or(|nth| nth == self.met) && which.every.is_none_or(|every| self.met.is_multiple_of(every))
    }

    fn apply(&mut self, now: Instant, frame: Frame) -> Mutated {
        let mut octets = frame.octets.to_vec();
        let mut copies = 1;
        let mut later = None;
        for deed in &self.rewrite.deeds {
            match deed {
                Deed::Drop => copies = 0,
                Deed::Repeat => copies = 2,
                Deed::Delay(seconds) => later = Some(now + Duration::from_secs_f64(*seconds)),
                Deed::Bounce | Deed::BounceRepaired | Deed::BounceLater => {
                    copies = 0;
                    let back = match deed {
                        Deed::BounceRepaired => Draft::of(&octets).map_or(octets.clone(), |draft| draft.encode()),
                        _ => octets.clone(),
                    };
                    let wait = u32::from(matches!(deed, Deed::BounceLater));
                    self.bounced.push((wait, Frame { door: frame.door, octets: Bytes::from(back) }));
                }
                Deed::Crash => return Mutated { ends: true, ..Mutated::default() },
                Deed::Append(hex) => octets.extend(from_hex(hex)),
                Deed::Double => octets = octets.repeat(2),
                Deed::Cut => drop(octets.pop()),
                Deed::Halve => {
                    if let Some([first, second]) = halves(&octets) {
                        let frames = [first, second].map(|half| Frame { door: frame.door, octets: half.into() });
                        return Mutated { now: frames.into(), ..Mutated::default() };
                    }
                }
                other => octets = change(other, octets),
            }
        }
        let frame = Frame { door: frame.door, octets: octets.into() };
        match later {
            Some(at) => Mutated { later: vec![(at, frame)], ..Mutated::default() },
            None => Mutated { now: vec![frame; copies], ..Mutated::default() },
        }
    }
}

impl Mutation for Rewriter {
    fn sends(&mut self, now: Instant, frame: Frame) -> Mutated {
        if frame.door != Door::Udp {
            return frame.into();
        }
        let meant = self.is_meant(&frame.octets, Way::Sent);
        let mut outcome = if meant { self.apply(now, frame) } else { frame.into() };
        for (wait, bounced) in std::mem::take(&mut self.bounced) {
            match wait {
                0 => outcome.now.push(bounced),
                _ => self.bounced.push((wait - 1, bounced)),
            }
        }
        outcome
    }

    fn hears(&mut self, now: Instant, frame: Frame) -> Mutated {
        if frame.door == Door::Udp && self.is_meant(&frame.octets, Way::Heard) {
            return self.apply(now, frame);
        }
        frame.into()
    }
}

fn from_hex(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair.iter().fold(0, |sum, digit| sum << 4 | digit)).collect()
}

fn fits(which: &Which, octets: &[u8]) -> bool {
    if which.sound.is_some_and(|sound| crate::bundle::rules::conforms(octets).is_ok() != sound) {
        return false;
    }
    let asks_nothing = which.kind.is_none()
        && which.block.is_none()
        && which.flags.is_none()
        && which.without_flags.is_none()
        && which.payload.is_none()
        && which.payload_below.is_none()
        && which.to.is_none()
        && which.from.is_none()
        && which.lifetime.is_none()
        && which.created.is_none();
    if asks_nothing {
        return true;
    }
    let Some(bundle) = Emitted::read(octets) else { return false };
    // The built-in node is ipn:2.
    let own = bundle.head.source.starts_with(&[0x82, 0x02, 0x82, crate::builtin::NODE as u8]);
    let record = bundle.head.flags & flags::RECORD != 0;
    let kind = match (own, record) {
        (true, true) => Kind::Report,
        (true, false) => Kind::Own,
        (false, _) => Kind::Other,
    };
    which.kind.is_none_or(|wanted| wanted == kind)
        && which.block.is_none_or(|code| bundle.block(code).is_some())
        && which.flags.is_none_or(|flags| bundle.head.flags & flags == flags)
        && which.without_flags.is_none_or(|flags| bundle.head.flags & flags == 0)
        && which.payload.is_none_or(|least| bundle.payload().len() >= least)
        && which.payload_below.is_none_or(|most| bundle.payload().len() <= most)
        && which.to.as_ref().is_none_or(|to| bundle.head.destination == from_hex(to))
        && which.from.as_ref().is_none_or(|from| bundle.head.source == from_hex(from))
        && which.lifetime.is_none_or(|least| bundle.head.lifetime >= least)
        && which.created.is_none_or(|time| bundle.head.created.0 == time)
}

/// What a deed makes of a bundle; the octets as they are if it is none.
fn change(deed: &Deed, octets: Vec<u8>) -> Vec<u8> {
    let Some(mut draft) = Draft::of(&octets) else { return octets };
    match deed {
        Deed::Set(path, hex) => edit(&mut draft, path, &|_| Some(from_hex(hex))),
        Deed::Add(path, by) => edit(&mut draft, path, &|item| {
            let value = cbor::whole(item).ok()?.unsigned()?;
            Some(cbor::uint(value.saturating_add_signed(*by)))
        }),
        Deed::Raise(path, bits) => {
            edit(&mut draft, path, &|item| Some(cbor::uint(cbor::whole(item).ok()?.unsigned()? | bits)))
        }
        Deed::Clear(path, bits) => {
            edit(&mut draft, path, &|item| Some(cbor::uint(cbor::whole(item).ok()?.unsigned()? & !bits)));
        }
        Deed::Flip(path, place) => edit(&mut draft, path, &|item| {
            let mut content = cbor::whole(item).ok()?.bytes(item)?.to_vec();
            *content.get_mut(*place)? ^= 1;
            Some(cbor::bytes(&content))
        }),
        Deed::Remove(path) => array(&mut draft, path, false, &|items, place| drop(items.remove(place))),
        Deed::Insert(path, hex) => array(&mut draft, path, true, &|items, place| items.insert(place, from_hex(hex))),
        Deed::Swap(path) => array(&mut draft, path, false, &|items, place| {
            if place + 1 < items.len() {
                items.swap(place, place + 1);
            }
        }),
        Deed::RemoveBlock(code) => draft.blocks.retain(|block| block.block_type() != Some(*code)),
        Deed::RepeatBlock(code, number) => {
            if let Some(block) = draft.blocks.iter().find(|block| block.block_type() == Some(*code)) {
                let again = block.clone().item(1, cbor::uint(*number));
                draft.blocks.insert(0, again);
            }
        }
        Deed::AddBlock(code, number, flags, hex) => {
            draft.blocks.insert(0, Block::new(*code, *number, *flags, &from_hex(hex)));
        }
        Deed::PayloadFirst => {
            if let Some(payload) = draft.blocks.pop() {
                draft.blocks.insert(0, payload);
            }
        }
        Deed::WithoutCrc(code) => on_block(&mut draft, *code, |block, place| {
            block.items[place] = cbor::uint(0);
            block.crc = Crc::Absent;
        }),
        Deed::WrongCrc(code) => on_block(&mut draft, *code, |block, _| {
            if let Crc::Right(width) = block.crc {
                block.crc = Crc::Wrong(width);
            }
        }),
        Deed::OtherCrc(code) => on_block(&mut draft, *code, |block, _| {
            block.crc = match block.crc {
                Crc::Right(Width::Sixteen) => Crc::Right(Width::ThirtyTwo),
                _ => Crc::Right(Width::Sixteen),
            };
        }),
        Deed::Definite => {
            draft.before = cbor::head(4, 1 + draft.blocks.len() as u64);
            draft.after.clear();
        }
        Deed::Shorten(length) => {
            let payload = draft.payload_octets();
            draft = draft.payload(&payload[..payload.len().min(*length)]);
        }
        // A draft computes its CRCs anew.
        Deed::Trust => {}
        Deed::Drop
        | Deed::Repeat
        | Deed::Delay(_)
        | Deed::Bounce
        | Deed::BounceRepaired
        | Deed::BounceLater
        | Deed::Crash
        | Deed::Append(_)
        | Deed::Double
        | Deed::Cut
        | Deed::Halve => {}
    }
    draft.encode()
}

fn on_block(draft: &mut Draft, code: u64, change: impl Fn(&mut Block, usize)) {
    match code {
        0 => change(&mut draft.primary, 2),
        _ => {
            draft.blocks.iter_mut().filter(|block| block.block_type() == Some(code)).for_each(|block| change(block, 3))
        }
    }
}

/// Names of the items of a block.
fn place_of(name: &str, primary: bool) -> Option<usize> {
    let names: &[&str] = match primary {
        true => &[
            "version",
            "flags",
            "crc-type",
            "destination",
            "source",
            "report-to",
            "created",
            "lifetime",
            "offset",
            "total",
        ],
        false => &["type", "number", "flags", "crc-type", "data"],
    };
    names.iter().position(|known| *known == name).or_else(|| name.parse().ok())
}

/// The blocks that the first part of a path names, and the places that the rest does.
fn resolve<'d>(draft: &'d mut Draft, path: &str) -> (Vec<&'d mut Block>, Vec<usize>) {
    let mut parts = path.split('/');
    let first = parts.next().unwrap_or_default();
    let primary = first == "primary";
    let places = parts.filter_map(|part| place_of(part, primary)).collect();
    let blocks = match first {
        "primary" => vec![&mut draft.primary],
        "payload" => draft.blocks.last_mut().into_iter().collect(),
        "*" => draft.blocks.iter_mut().filter(|block| block.block_type() != Some(block_type::PAYLOAD)).collect(),
        code => {
            let code = code.parse().ok();
            draft.blocks.iter_mut().filter(|block| block.block_type() == code).collect()
        }
    };
    (blocks, places)
}

/// Changes the item at a path.
fn edit(draft: &mut Draft, path: &str, change: &dyn Fn(&[u8]) -> Option<Vec<u8>>) {
    let (blocks, places) = resolve(draft, path);
    let Some((first, within)) = places.split_first() else { return };
    for block in blocks {
        if let Some(item) = block.items.get_mut(*first)
            && let Some(changed) = descend(item, within, change)
        {
            *item = changed;
        }
    }
}

/// Changes the array that holds the item at a path.
fn array(draft: &mut Draft, path: &str, inserts: bool, change: &dyn Fn(&mut Vec<Vec<u8>>, usize)) {
    let (blocks, places) = resolve(draft, path);
    let Some((last, above)) = places.split_last() else { return };
    // Reports without a time or without an extent have no such item.
    let change = |items: &mut Vec<Vec<u8>>, place: usize| {
        if place < items.len() || (inserts && place == items.len()) {
            change(items, place);
        }
    };
    for block in blocks {
        match above.split_first() {
            None => change(&mut block.items, *last),
            Some((first, within)) => {
                let changed = block.items.get(*first).and_then(|item| {
                    descend(item, within, &|item| {
                        let mut items = elements(item)?;
                        change(&mut items, *last);
                        Some(cbor::array(&items))
                    })
                });
                if let Some(changed) = changed {
                    block.items[*first] = changed;
                }
            }
        }
    }
}

fn elements(item: &[u8]) -> Option<Vec<Vec<u8>>> {
    Some(cbor::whole(item).ok()?.array()?.iter().map(|element| element.octets(item).to_vec()).collect())
}

/// Changes what is within an item: an element of an array, or of the array that a byte string holds.
fn descend(item: &[u8], places: &[usize], change: &dyn Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let Some((first, rest)) = places.split_first() else { return change(item) };
    let read = cbor::whole(item).ok()?;
    if let Some(content) = read.bytes(item) {
        return Some(cbor::bytes(&descend(content, places, change)?));
    }
    let mut items = elements(item)?;
    let changed = descend(items.get(*first)?, rest, change)?;
    items[*first] = changed;
    Some(cbor::array(&items))
}

/// Two fragments that make a bundle up.
fn halves(octets: &[u8]) -> Option<[Vec<u8>; 2]> {
    let draft = Draft::of(octets)?;
    let payload = draft.payload_octets();
    let half = payload.len() / 2;
    let total = payload.len() as u64;
    let first = draft.clone().payload(&payload[..half]).fragment(0, total);
    let second = draft.payload(&payload[half..]).fragment(half as u64, total);
    Some([first.encode(), second.encode()])
}

#[cfg(test)]
mod tests {
    use farlink_wire::bpv7::Eid;

    use super::*;
    use crate::bundle::content;

    fn bundle() -> Draft {
        Draft::new(&Eid::ipn(5, 1), &Eid::ipn(2, 1), &Eid::None, (1, 2), b"data").with(Block::new(
            block_type::HOP_COUNT,
            2,
            0,
            &content::hops(30, 4),
        ))
    }

    fn after(deed: Deed) -> Emitted {
        Emitted::read(&change(&deed, bundle().encode())).unwrap()
    }

    #[test]
    fn paths_lead_to_items_and_into_the_data_of_blocks() {
        assert_eq!(after(Deed::Add("10/data/1".into(), 2)).hops(), Some((30, 6)));
        assert_eq!(after(Deed::Set("primary/lifetime".into(), "05".into())).head.lifetime, 5);
        assert_eq!(after(Deed::Add("primary/created/1".into(), 40)).head.created, (1, 42));
        assert_eq!(after(Deed::Raise("*/flags".into(), 0x12)).block(10).map(|b| b.flags), Some(0x12));
        let whole = after(Deed::Flip("payload/data".into(), 0));
        assert_eq!((whole.payload(), whole.crcs_are_right()), (&b"eata"[..], true));
        assert!(!after(Deed::WrongCrc(0)).crcs_are_right());
    }

    #[test]
    fn halves_make_up_the_whole() {
        let halves = halves(&bundle().encode()).unwrap().map(|half| Emitted::read(&half).unwrap());
        assert_eq!(halves.each_ref().map(|half| half.head.fragment), [Some((0, 4)), Some((2, 4))]);
        assert_eq!(halves.each_ref().map(Emitted::payload).concat(), b"data");
    }
}
