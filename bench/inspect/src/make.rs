//! Bundles to order, also deliberately wrong ones.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use farlink_wire::bpv7::{Bundle, CrcType, HopCount, block_type};

use crate::bundle::layout;
use crate::cbor;

/// One way to make a sound bundle wrong. Each breaks the rule it names and, where octets change, leaves the CRCs right
/// unless the CRC is what is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// A bit of the primary block's CRC is flipped.
    Crc,
    /// A bit of the payload block's CRC is flipped.
    PayloadCrc,
    /// The payload block's CRC has one octet less.
    CrcLength,
    /// The primary block's CRC type is 3.
    CrcType,
    /// The version is 6.
    Version,
    /// The primary block announces one element too many.
    ElementCount,
    /// The destination is of URI scheme 3.
    Scheme,
    /// The lifetime is written wider than it needs to be.
    LongInteger,
    /// There is no payload block.
    MissingPayload,
    /// A block of unknown type follows the payload.
    PayloadNotLast,
    /// The payload block's number is 2.
    PayloadNumber,
    /// Two blocks have the same number.
    DuplicateNumber,
    /// The bundle is an array of definite length.
    DefiniteArray,
    /// The payload is a byte string of indefinite length.
    IndefiniteData,
    /// A hop count block has the limit 0.
    HopLimit,
    /// The break that ends the bundle is missing.
    NoBreak,
    /// The bundle is cut off in its payload block.
    CutOff,
    /// An octet follows the bundle.
    Trailing,
}

impl Break {
    /// All of them.
    pub const ALL: [Break; 18] = [
        Break::Crc,
        Break::PayloadCrc,
        Break::CrcLength,
        Break::CrcType,
        Break::Version,
        Break::ElementCount,
        Break::Scheme,
        Break::LongInteger,
        Break::MissingPayload,
        Break::PayloadNotLast,
        Break::PayloadNumber,
        Break::DuplicateNumber,
        Break::DefiniteArray,
        Break::IndefiniteData,
        Break::HopLimit,
        Break::NoBreak,
        Break::CutOff,
        Break::Trailing,
    ];

    /// Its name, what it does, and the section it breaks.
    pub const fn described(self) -> (&'static str, &'static str) {
        match self {
            Break::Crc => ("crc", "a bit of the primary block's CRC is flipped (RFC 9171 section 4.2.2)"),
            Break::PayloadCrc => {
                ("payload-crc", "a bit of the payload block's CRC is flipped (RFC 9171 section 4.2.2)")
            }
            Break::CrcLength => ("crc-length", "the payload block's CRC is an octet short (RFC 9171 section 4.2.2)"),
            Break::CrcType => ("crc-type", "the primary block's CRC type is 3 (RFC 9171 section 4.2.1)"),
            Break::Version => ("version", "the version is 6 (RFC 9171 section 4.3.1)"),
            Break::ElementCount => {
                ("element-count", "the primary block announces an element too many (RFC 9171 section 4.3.1)")
            }
            Break::Scheme => ("scheme", "the destination is of URI scheme 3 (RFC 9171 section 9.6)"),
            Break::LongInteger => ("long-integer", "the lifetime is wider than it needs to be (RFC 9171 section 4.1)"),
            Break::MissingPayload => ("missing-payload", "no payload block (RFC 9171 section 4.1)"),
            Break::PayloadNotLast => ("payload-not-last", "a block after the payload block (RFC 9171 section 4.1)"),
            Break::PayloadNumber => ("payload-number", "the payload block has number 2 (RFC 9171 section 4.1)"),
            Break::DuplicateNumber => ("duplicate-number", "two blocks have the same number (RFC 9171 section 4.1)"),
            Break::DefiniteArray => ("definite-array", "an array of definite length (RFC 9171 section 4.1)"),
            Break::IndefiniteData => {
                ("indefinite-data", "the payload is a byte string of indefinite length (RFC 9171 section 4.3.2)")
            }
            Break::HopLimit => ("hop-limit", "a hop count block with the limit 0 (RFC 9171 section 4.4.3)"),
            Break::NoBreak => ("no-break", "the break at the end is missing (RFC 9171 section 4.1)"),
            Break::CutOff => ("cut-off", "the octets end in the payload block (RFC 9171 section 4.1)"),
            Break::Trailing => ("trailing", "an octet follows the bundle (RFC 9171 section 4.1)"),
        }
    }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.described().0)
    }
}

impl FromStr for Break {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Break::ALL.into_iter().find(|way| way.described().0 == text).ok_or_else(|| {
            let names: Vec<_> = Break::ALL.iter().map(ToString::to_string).collect();
            format!("`{text}` is no way to break a bundle: {}", names.join(", "))
        })
    }
}

/// The octets of a bundle that is wrong in one way.
///
/// # Errors
/// What the bundle must have for that, in words for people.
pub fn broken(mut bundle: Bundle<'static>, way: Break) -> Result<Vec<u8>, String> {
    let needs = |what: &str| Err(format!("--break {way} needs {what}"));
    let free = bundle.blocks.iter().map(|block| block.number).max().unwrap_or(1).max(1).saturating_add(1);
    let has_crc = |crc: CrcType| crc != CrcType::None;
    let Some(payload) = bundle.blocks.last().filter(|block| block.block_type == block_type::PAYLOAD).cloned() else {
        return needs("a payload block");
    };
    match way {
        Break::Crc if !has_crc(bundle.primary.crc) => return needs("a CRC: --crc 16 or 32c"),
        Break::PayloadCrc | Break::CrcLength if !has_crc(payload.crc) => return needs("a CRC: --crc 16 or 32c"),
        Break::MissingPayload => {
            bundle.blocks.pop();
        }
        Break::PayloadNotLast | Break::DuplicateNumber => {
            let mut further = payload;
            (further.block_type, further.number, further.data) = (200, free, b"out of place"[..].into());
            match way {
                Break::PayloadNotLast => bundle.blocks.push(further),
                _ => {
                    let last = bundle.blocks.len() - 1;
                    bundle.blocks.splice(last..last, [further.clone(), further]);
                }
            }
        }
        Break::PayloadNumber => {
            if let Some(last) = bundle.blocks.last_mut() {
                last.number = free.max(2);
            }
        }
        Break::HopLimit => {
            bundle.blocks.retain(|block| block.block_type != block_type::HOP_COUNT);
            let mut hops = payload;
            (hops.block_type, hops.number) = (block_type::HOP_COUNT, free);
            hops.data = HopCount { limit: 0, count: 0 }.emit().into();
            bundle.blocks.insert(0, hops);
        }
        _ => {}
    }
    let octets = bundle.emit();
    Ok(match way {
        Break::Crc => patched(&octets, 0, |block, elements| {
            let last = elements[elements.len() - 1].end - 1;
            block[last] ^= 1;
        }),
        Break::PayloadCrc => patched(&octets, bundle.blocks.len(), |block, elements| {
            let last = elements[elements.len() - 1].end - 1;
            block[last] ^= 1;
        }),
        Break::CrcLength => patched(&octets, bundle.blocks.len(), |block, elements| {
            let field = elements[elements.len() - 1].start;
            block[field] -= 1;
            block.pop();
        }),
        Break::CrcType => patched(&octets, 0, |block, elements| block[elements[2].start] = 3),
        Break::Version => patched(&octets, 0, |block, elements| {
            block[elements[0].start] = 6;
            renew(block, bundle.primary.crc);
        }),
        Break::ElementCount => patched(&octets, 0, |block, _| {
            block[0] += 1;
            renew(block, bundle.primary.crc);
        }),
        Break::Scheme => patched(&octets, 0, |block, elements| {
            // After the head of the array of two.
            block[elements[3].start + 1] = 3;
            renew(block, bundle.primary.crc);
        }),
        Break::LongInteger => patched(&octets, 0, |block, elements| {
            let mut wide = vec![0x1B];
            wide.extend(bundle.primary.lifetime_ms.to_be_bytes());
            if elements[7].len() == wide.len() {
                return;
            }
            block.splice(elements[7].clone(), wide);
            renew(block, bundle.primary.crc);
        }),
        Break::IndefiniteData => patched(&octets, bundle.blocks.len(), |block, elements| {
            let mut chunked = vec![0x5F];
            chunked.extend(&block[elements[4].clone()]);
            chunked.push(0xFF);
            block.splice(elements[4].clone(), chunked);
            renew(block, payload_crc(&bundle));
        }),
        Break::DefiniteArray => {
            let mut definite = Vec::with_capacity(octets.len() + 8);
            cbor::put_head(&mut definite, 4, bundle.blocks.len() as u64 + 1);
            definite.extend(&octets[1..octets.len() - 1]);
            definite
        }
        Break::NoBreak => octets[..octets.len() - 1].to_vec(),
        // Within the block's head if the payload is empty.
        Break::CutOff => octets[..octets.len() - 2 - payload_crc(&bundle).code() as usize * 2].to_vec(),
        Break::Trailing => [&octets[..], &[0]].concat(),
        Break::MissingPayload
        | Break::PayloadNotLast
        | Break::PayloadNumber
        | Break::DuplicateNumber
        | Break::HopLimit => octets,
    })
}

fn payload_crc(bundle: &Bundle<'_>) -> CrcType {
    bundle.blocks.last().map_or(CrcType::None, |block| block.crc)
}

/// Changes one block; `change` is given its octets and where its elements stand in them.
fn patched(octets: &[u8], index: usize, change: impl FnOnce(&mut Vec<u8>, &[Range<usize>])) -> Vec<u8> {
    let layout = layout(octets);
    let Some(place) = layout.blocks.get(index) else { return octets.to_vec() };
    let Range { start, end } = place.octets.clone();
    let elements: Vec<_> = place.elements.iter().map(|element| element.start - start..element.end - start).collect();
    let mut block = octets[start..end].to_vec();
    change(&mut block, &elements);
    [&octets[..start], &block, &octets[end..]].concat()
}

/// Computes the CRC at the end of a block again.
fn renew(block: &mut [u8], crc: CrcType) {
    let length = match crc {
        CrcType::None => return,
        CrcType::Crc16 => 2,
        CrcType::Crc32c => 4,
    };
    let at = block.len() - length;
    let value = crc.of_block(&block[..at]).to_be_bytes();
    block[at..].copy_from_slice(&value[4 - length..]);
}

#[cfg(test)]
mod tests {
    use farlink_wire::bpv7::*;

    use super::*;
    use crate::bundle::BundleView;

    fn sound(crc: CrcType, payload: &'static [u8]) -> Bundle<'static> {
        Bundle {
            primary: PrimaryBlock {
                flags: BundleFlags::default(),
                crc,
                destination: Eid::ipn(2, 1),
                source: Eid::ipn(1, 1),
                report_to: Eid::None,
                creation: CreationTimestamp { time_ms: 850_633_565_123, sequence: 4 },
                lifetime_ms: 3_600_000,
                fragment: None,
            },
            blocks: vec![CanonicalBlock {
                block_type: block_type::PAYLOAD,
                number: 1,
                flags: BlockFlags::default(),
                crc,
                data: payload.into(),
            }],
        }
    }

    /// What the parser says of each way, and for those that it takes, what the view says.
    #[test]
    fn every_way_breaks_what_it_names() {
        for crc in [CrcType::Crc16, CrcType::Crc32c, CrcType::None] {
            for way in Break::ALL {
                let octets = match broken(sound(crc, b"hello, Mars"), way) {
                    Ok(octets) => octets,
                    Err(message) => {
                        assert!(crc == CrcType::None && message.contains("--crc"), "{message}");
                        continue;
                    }
                };
                let error = Bundle::parse(&octets);
                let right = match way {
                    Break::Crc => matches!(error, Err(BundleError::CrcMismatch { block: 0, .. })),
                    Break::PayloadCrc => matches!(error, Err(BundleError::CrcMismatch { block: 1, .. })),
                    Break::CrcLength => matches!(error, Err(BundleError::CrcLength { .. })),
                    Break::CrcType => matches!(error, Err(BundleError::CrcType { found: 3, .. })),
                    Break::Version => matches!(error, Err(BundleError::Version { found: 6, .. })),
                    Break::ElementCount => matches!(error, Err(BundleError::ElementCount { at: 1, .. })),
                    Break::Scheme => matches!(error, Err(BundleError::UnknownScheme { scheme: 3, .. })),
                    Break::LongInteger => matches!(error, Err(BundleError::NotShortest { field: "lifetime", .. })),
                    Break::MissingPayload => matches!(error, Err(BundleError::NoPayload { .. })),
                    Break::PayloadNotLast => matches!(error, Err(BundleError::PayloadNotLast { .. })),
                    Break::PayloadNumber => matches!(error, Err(BundleError::PayloadNumber { number: 2, .. })),
                    Break::DuplicateNumber => matches!(error, Err(BundleError::BlockNumberTaken { number: 2, .. })),
                    Break::DefiniteArray => matches!(error, Err(BundleError::NotABundle { found: 0x82 })),
                    Break::IndefiniteData => matches!(error, Err(BundleError::IndefiniteLength { .. })),
                    Break::NoBreak | Break::CutOff => matches!(error, Err(BundleError::Truncated { .. })),
                    Break::Trailing => matches!(error, Err(BundleError::TrailingOctets { octets: 1, .. })),
                    Break::HopLimit => error.is_ok() && !BundleView::read(&octets, 0).valid,
                };
                assert!(right, "{way} with {crc:?}: {error:?}");
                let view = BundleView::read(&octets, 0);
                assert_eq!(view.valid, way == Break::Trailing, "{way}: {view:#?}");
                let wrong = [Break::Crc, Break::PayloadCrc, Break::CrcLength, Break::CutOff];
                if !wrong.contains(&way) {
                    let crcs = view
                        .blocks
                        .iter()
                        .filter_map(|b| b.crc.as_ref())
                        .chain(view.primary.iter().filter_map(|p| p.crc.as_ref()));
                    assert!(crcs.into_iter().all(|crc| crc.right != Some(false)), "{way}: {view:#?}");
                }
            }
        }
    }

    #[test]
    fn an_empty_payload_can_be_broken_too() {
        for way in Break::ALL {
            let octets = broken(sound(CrcType::Crc32c, b""), way).unwrap();
            assert_eq!(BundleView::read(&octets, 0).valid, way == Break::Trailing, "{way}");
        }
    }
}
