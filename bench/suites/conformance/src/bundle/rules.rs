//! Rules for the octets of every bundle that a node sends (RFC 9171 sections 4.1 to 4.4).

use std::collections::BTreeSet;

use super::cbor::{self, Item, Value};
use super::emitted::crc_is_right;
use super::{block_type, flags};

/// A rule. The error says how it is broken.
pub type Rule = fn(&[u8]) -> Result<(), String>;

/// Every rule on the form of a bundle.
const FORM: &[Rule] = &[
    outer,
    block_shapes,
    payload_is_last,
    numbers_are_unique,
    crc_types,
    crc_presence,
    primary_elements,
    canonical_elements,
    data_is_definite,
    endpoints,
    content,
    at_most_one_each,
];

/// Whether a bundle keeps every rule.
///
/// # Errors
/// The first that it breaks.
pub fn conforms(octets: &[u8]) -> Result<(), String> {
    is_formed(octets)?;
    crcs_are_right(octets)
}

/// Whether a bundle keeps every rule, except that its CRCs may be wrong.
///
/// # Errors
/// The first that it breaks.
pub fn is_formed(octets: &[u8]) -> Result<(), String> {
    FORM.iter().try_for_each(|rule| rule(octets))
}

/// §4.1: one indefinite-length array closed by a break, and nothing after it.
pub fn outer(octets: &[u8]) -> Result<(), String> {
    if octets.first() != Some(&0x9F) {
        return Err(format!("the bundle begins with {:02x?}, not with 9f", octets.first()));
    }
    if octets.last() != Some(&0xFF) {
        return Err("the bundle does not end with ff".to_owned());
    }
    cbor::whole(octets).map(drop)
}

/// The blocks as items; nothing if the bundle is not well-formed, which [`outer`] tells.
fn blocks(octets: &[u8]) -> Vec<Item> {
    match cbor::whole(octets).map(|outer| outer.value) {
        Ok(Value::Array(blocks)) => blocks,
        _ => Vec::new(),
    }
}

fn elements(block: &Item) -> &[Item] {
    block.array().unwrap_or(&[])
}

fn unsigned(block: &Item, place: usize) -> Option<u64> {
    elements(block).get(place)?.unsigned()
}

fn canonical(octets: &[u8]) -> Vec<Item> {
    let mut blocks = blocks(octets);
    if !blocks.is_empty() {
        blocks.remove(0);
    }
    blocks
}

/// §4.1: a primary block of 8 to 11 elements and version 7, then blocks of 5 or 6.
pub fn block_shapes(octets: &[u8]) -> Result<(), String> {
    let blocks = blocks(octets);
    let Some(primary) = blocks.first() else { return Err("the bundle has no block".to_owned()) };
    let count = elements(primary).len();
    if !(8..=11).contains(&count) || unsigned(primary, 0) != Some(7) {
        return Err(format!("the first item has {count} elements and version {:?}", unsigned(primary, 0)));
    }
    match blocks[1..].iter().map(|block| elements(block).len()).find(|count| !matches!(count, 5 | 6)) {
        Some(count) => Err(format!("a block has {count} elements")),
        None => Ok(()),
    }
}

/// §4.1: exactly one payload block, in last place, with number 1.
pub fn payload_is_last(octets: &[u8]) -> Result<(), String> {
    let blocks = canonical(octets);
    let Some((last, others)) = blocks.split_last() else { return Err("no block follows the primary one".to_owned()) };
    if unsigned(last, 0) != Some(block_type::PAYLOAD) || unsigned(last, 1) != Some(1) {
        return Err(format!("the last block has type {:?} and number {:?}", unsigned(last, 0), unsigned(last, 1)));
    }
    match others.iter().any(|block| unsigned(block, 0) == Some(block_type::PAYLOAD)) {
        true => Err("there is a further payload block".to_owned()),
        false => Ok(()),
    }
}

/// §4.1: block numbers are unique, and 0 is the primary block's.
pub fn numbers_are_unique(octets: &[u8]) -> Result<(), String> {
    let mut seen = BTreeSet::from([0]);
    for block in canonical(octets) {
        let number = unsigned(&block, 1).ok_or("a block number is no unsigned integer")?;
        if !seen.insert(number) {
            return Err(format!("block number {number} is taken"));
        }
    }
    Ok(())
}

fn crc_type_place(place: usize) -> usize {
    if place == 0 { 2 } else { 3 }
}

/// §4.2.1: CRC types are the unsigned integers 0, 1 and 2.
pub fn crc_types(octets: &[u8]) -> Result<(), String> {
    for (place, block) in blocks(octets).iter().enumerate() {
        let found = unsigned(block, crc_type_place(place));
        if !matches!(found, Some(0..=2)) {
            return Err(format!("item {place} has CRC type {found:?}"));
        }
    }
    Ok(())
}

/// §4.2.2: a CRC exactly if the CRC type is not 0, as a byte string of 2 or 4 octets.
pub fn crc_presence(octets: &[u8]) -> Result<(), String> {
    for (place, block) in blocks(octets).iter().enumerate() {
        let crc_type = unsigned(block, crc_type_place(place)).unwrap_or(0);
        let count = elements(block).len();
        let without = match (place, unsigned(block, 1).unwrap_or(0) & flags::FRAGMENT) {
            (0, 0) => 8,
            (0, _) => 10,
            _ => 5,
        };
        if count != without + usize::from(crc_type != 0) {
            return Err(format!("item {place} has {count} elements and CRC type {crc_type}"));
        }
        let value = elements(block).last().and_then(|item| item.bytes(octets)).map(<[u8]>::len);
        let expected = [None, Some(2), Some(4)].get(crc_type as usize).copied().flatten();
        if crc_type != 0 && value != expected {
            return Err(format!("item {place} has CRC type {crc_type} and a value of {value:?} octets"));
        }
    }
    Ok(())
}

/// §4.3.1: 8, 9, 10 or 11 elements, as fragment flag and CRC demand, of the right types in the fixed order.
pub fn primary_elements(octets: &[u8]) -> Result<(), String> {
    let blocks = blocks(octets);
    let Some(primary) = blocks.first() else { return Ok(()) };
    let fields = elements(primary);
    let is_fragment = unsigned(primary, 1).unwrap_or(0) & flags::FRAGMENT != 0;
    let has_crc = unsigned(primary, 2).unwrap_or(0) != 0;
    let expected = 8 + 2 * usize::from(is_fragment) + usize::from(has_crc);
    if fields.len() != expected {
        return Err(format!("the primary block has {} elements, where {expected} are due", fields.len()));
    }
    let integers = [0, 1, 2, 7].into_iter().chain(if is_fragment { 8..10 } else { 0..0 });
    for place in integers {
        if unsigned(primary, place).is_none() {
            return Err(format!("element {place} of the primary block is no unsigned integer"));
        }
    }
    let arrays = [(3, 2), (4, 2), (5, 2), (6, 2)];
    match arrays.iter().find(|(place, count)| elements(&fields[*place]).len() != *count) {
        Some((place, _)) => Err(format!("element {place} of the primary block is no array of two")),
        None => Ok(()),
    }
}

/// §4.3.2: 5 or 6 elements in the fixed order, the first four unsigned integers.
pub fn canonical_elements(octets: &[u8]) -> Result<(), String> {
    for block in canonical(octets) {
        let has_crc = unsigned(&block, 3).unwrap_or(0) != 0;
        let count = elements(&block).len();
        if count != 5 + usize::from(has_crc) || (0..4).any(|place| unsigned(&block, place).is_none()) {
            return Err(format!("a block of type {:?} has {count} elements", unsigned(&block, 0)));
        }
    }
    Ok(())
}

/// §4.3.2: block-type-specific data is a byte string of definite length.
pub fn data_is_definite(octets: &[u8]) -> Result<(), String> {
    for block in canonical(octets) {
        if elements(&block).get(4).and_then(|data| data.bytes(octets)).is_none() {
            return Err(format!("data of a block of type {:?} is no definite byte string", unsigned(&block, 0)));
        }
    }
    Ok(())
}

/// §4.3.1: offset and total length are there exactly if the flags say that the bundle is a fragment, and its payload lies
/// within the whole.
pub fn fragment_fields(octets: &[u8]) -> Result<(), String> {
    primary_elements(octets)?;
    let blocks = blocks(octets);
    let Some(primary) = blocks.first() else { return Ok(()) };
    if unsigned(primary, 1).unwrap_or(0) & flags::FRAGMENT == 0 {
        return Ok(());
    }
    let payload = blocks.last().and_then(|block| elements(block).get(4)?.bytes(octets)).map_or(0, <[u8]>::len) as u64;
    let (offset, total) = (unsigned(primary, 8).unwrap_or(0), unsigned(primary, 9).unwrap_or(0));
    match offset.checked_add(payload) {
        Some(end) if end <= total => Ok(()),
        _ => Err(format!("a fragment with {payload} octets from {offset} on is of {total} octets")),
    }
}

/// §4.2.5.1: endpoint IDs of the primary block are arrays of scheme code and scheme-specific part.
pub fn endpoints(octets: &[u8]) -> Result<(), String> {
    let blocks = blocks(octets);
    let Some(primary) = blocks.first() else { return Ok(()) };
    elements(primary).iter().skip(3).take(3).try_for_each(|item| endpoint(octets, item))
}

/// §4.2.5.1: one endpoint ID. RFC 9758 lets an ipn EID have three numbers.
pub fn endpoint(octets: &[u8], item: &Item) -> Result<(), String> {
    let shown = || format!("{:02x?} is no endpoint ID", item.octets(octets));
    let [scheme, part] = elements(item) else { return Err(shown()) };
    let right = match (scheme.unsigned(), &part.value) {
        (Some(1), Value::Unsigned(0)) => true,
        (Some(1), Value::Text(text)) => {
            let text = String::from_utf8_lossy(&octets[text.clone()]);
            text.strip_prefix("//").is_some_and(|rest| rest.contains('/'))
        }
        (Some(2), Value::Array(numbers)) => {
            matches!(numbers.len(), 2 | 3) && numbers.iter().all(|number| number.unsigned().is_some())
        }
        // What other schemes make of their part is theirs to say.
        (Some(scheme), _) => scheme > 2,
        (None, _) => false,
    };
    if right { Ok(()) } else { Err(shown()) }
}

/// §4.2.8: the content of Previous Node, Bundle Age and Hop Count blocks is what their sections prescribe.
pub fn content(octets: &[u8]) -> Result<(), String> {
    for block in canonical(octets) {
        let (Some(code), Some(data)) = (unsigned(&block, 0), elements(&block).get(4).and_then(|d| d.bytes(octets)))
        else {
            continue;
        };
        if !matches!(code, block_type::PREVIOUS_NODE | block_type::BUNDLE_AGE | block_type::HOP_COUNT) {
            continue;
        }
        let wrong = |why: &str| format!("a block of type {code} has the content {data:02x?}: {why}");
        let item = cbor::whole(data).map_err(|why| wrong(&why))?;
        match code {
            block_type::PREVIOUS_NODE => endpoint(data, &item).map_err(|why| wrong(&why))?,
            block_type::BUNDLE_AGE if item.unsigned().is_none() => return Err(wrong("no unsigned integer")),
            block_type::HOP_COUNT => match super::draft::numbers(&item).as_deref() {
                Some([1..=255, _]) => {}
                _ => return Err(wrong("not a limit of 1 to 255 and a count")),
            },
            _ => {}
        }
    }
    Ok(())
}

/// §4.4.1 to §4.4.3: at most one block of each of the three types.
pub fn at_most_one_each(octets: &[u8]) -> Result<(), String> {
    let blocks = canonical(octets);
    for code in [block_type::PREVIOUS_NODE, block_type::BUNDLE_AGE, block_type::HOP_COUNT] {
        let count = blocks.iter().filter(|block| unsigned(block, 0) == Some(code)).count();
        if count > 1 {
            return Err(format!("there are {count} blocks of type {code}"));
        }
    }
    Ok(())
}

/// Every CRC that is there is right.
pub fn crcs_are_right(octets: &[u8]) -> Result<(), String> {
    for (place, block) in blocks(octets).iter().enumerate() {
        let crc_type = unsigned(block, crc_type_place(place)).unwrap_or(0);
        if crc_is_right(octets, block, crc_type) == Some(false) {
            return Err(format!("the CRC of item {place} is wrong"));
        }
    }
    Ok(())
}

/// §4.1: what the node has created is deterministically encoded. The outer array is not.
///
/// # Errors
/// `(true, …)` for a head that is not the shortest, `(false, …)` for an inner item of indefinite length, which §4.1 does not
/// prohibit.
pub fn deterministic(octets: &[u8]) -> Result<(), (bool, String)> {
    for (place, block) in blocks(octets).iter().enumerate() {
        walk(block, place)?;
        let code = unsigned(block, 0);
        let is_record = place > 0 && code == Some(block_type::PAYLOAD) && {
            let primary = &blocks(octets)[0];
            unsigned(primary, 1).unwrap_or(0) & flags::RECORD != 0
        };
        let standard = place > 0
            && matches!(code, Some(block_type::PREVIOUS_NODE | block_type::BUNDLE_AGE | block_type::HOP_COUNT));
        if (is_record || standard)
            && let Some(data) = elements(block).get(4).and_then(|data| data.bytes(octets))
            && let Ok(item) = cbor::whole(data)
        {
            walk(&item, place)?;
        }
    }
    Ok(())
}

fn walk(item: &Item, place: usize) -> Result<(), (bool, String)> {
    if !item.shortest {
        return Err((true, format!("item {place} of the bundle has a head that is longer than it need be")));
    }
    if !item.definite {
        return Err((false, format!("item {place} of the bundle has an inner item of indefinite length")));
    }
    match &item.value {
        Value::Array(items) | Value::Map(items) => items.iter().try_for_each(|inner| walk(inner, place)),
        Value::Tag(_, inner) => walk(inner, place),
        _ => Ok(()),
    }
}
