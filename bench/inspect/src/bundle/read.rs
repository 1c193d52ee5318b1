use std::ops::Range;

use farlink_wire::bpv7::{BlockFlags, Bundle, BundleError, BundleFlags, CrcType, PreviousNode, block_type};

use super::content::{CONFIDENTIALITY, Content, INTEGRITY};
use super::{
    BlockView, BundleView, CrcView, CreationView, DataView, FlagsView, FragmentView, MAX_BLOCKS, PrimaryView, Problem,
};
use crate::cbor::{self, Kind};
use crate::{hex, time};

/// A primary block of a fragment with a CRC has eleven elements; a few more are still worth a look.
const MAX_ELEMENTS: usize = 16;

/// Names of bundle processing control flags (RFC 9171 section 4.2.3).
pub(crate) const BUNDLE_FLAGS: [(&str, BundleFlags); 9] = [
    ("fragment", BundleFlags::IS_FRAGMENT),
    ("admin-record", BundleFlags::IS_ADMIN_RECORD),
    ("must-not-fragment", BundleFlags::MUST_NOT_FRAGMENT),
    ("ack-requested", BundleFlags::ACK_REQUESTED),
    ("status-time", BundleFlags::STATUS_TIME_REQUESTED),
    ("report-reception", BundleFlags::REPORT_RECEPTION),
    ("report-forwarding", BundleFlags::REPORT_FORWARDING),
    ("report-delivery", BundleFlags::REPORT_DELIVERY),
    ("report-deletion", BundleFlags::REPORT_DELETION),
];

/// Names of block processing control flags (RFC 9171 section 4.2.4).
pub(crate) const BLOCK_FLAGS: [(&str, BlockFlags); 4] = [
    ("replicate", BlockFlags::MUST_REPLICATE),
    ("report-if-unprocessable", BlockFlags::REPORT_IF_UNPROCESSABLE),
    ("delete-bundle-if-unprocessable", BlockFlags::DELETE_BUNDLE_IF_UNPROCESSABLE),
    ("discard-if-unprocessable", BlockFlags::DISCARD_IF_UNPROCESSABLE),
];

/// Where a block and its elements stand. The last element may be cut off.
pub(crate) struct BlockLayout {
    pub octets: Range<usize>,
    pub elements: Vec<Range<usize>>,
    pub complete: bool,
}

/// Where the blocks of what should be a bundle stand.
pub(crate) struct Layout {
    pub blocks: Vec<BlockLayout>,
    pub left_out: usize,
    /// Where the bundle ends, if it does.
    pub end: Option<usize>,
}

/// Finds the blocks of a bundle, whatever is wrong with them.
pub(crate) fn layout(bytes: &[u8]) -> Layout {
    let mut layout = Layout { blocks: Vec::new(), left_out: 0, end: None };
    let mut pending = match cbor::head(bytes, 0) {
        Some((Kind::Indefinite, 1)) if bytes[0] == 0x9F => None,
        Some((Kind::Array(blocks), _)) => Some(blocks),
        _ => return layout,
    };
    let Some((_, mut at)) = cbor::head(bytes, 0) else { return layout };
    loop {
        match (&mut pending, cbor::head(bytes, at)) {
            (Some(0), _) => layout.end = Some(at),
            (None, Some((Kind::Break, end))) => layout.end = Some(end),
            (left, Some(_)) => {
                if let Some(left) = left {
                    *left -= 1;
                }
                let block = block_layout(bytes, at);
                (at, pending) = (block.octets.end, if block.complete { pending } else { Some(0) });
                let complete = block.complete;
                match layout.blocks.len() <= MAX_BLOCKS {
                    true => layout.blocks.push(block),
                    false => layout.left_out += 1,
                }
                if complete {
                    continue;
                }
            }
            (_, None) => {}
        }
        return layout;
    }
}

fn block_layout(bytes: &[u8], start: usize) -> BlockLayout {
    let mut elements = Vec::new();
    if let Some((Kind::Array(count), mut at)) = cbor::head(bytes, start) {
        for _ in 0..count.min(MAX_ELEMENTS as u64) {
            match cbor::item_end(bytes, at) {
                Some(end) => elements.push(at..end),
                None => {
                    if at < bytes.len() {
                        elements.push(at..bytes.len());
                    }
                    return BlockLayout { octets: start..bytes.len(), elements, complete: false };
                }
            }
            at = elements.last().map_or(at, |element| element.end);
        }
    }
    match cbor::item_end(bytes, start) {
        Some(end) => BlockLayout { octets: start..end, elements, complete: true },
        None => BlockLayout { octets: start..bytes.len(), elements, complete: false },
    }
}

pub(super) fn read(bytes: &[u8], shown: usize) -> BundleView {
    let mut problems = Vec::new();
    let mut lapses = Vec::new();
    let layout = layout(bytes);
    let mut length = layout.end.unwrap_or(bytes.len());
    let mut ended = layout.end.is_some();
    match Bundle::parse_prefix(bytes) {
        Ok((bundle, octets)) => {
            (length, ended) = (octets, true);
            lapses.extend(bundle.lapses().iter().map(ToString::to_string));
        }
        Err(error) => problems.push(problem(bytes, 0, &error)),
    }
    let bytes = &bytes[..length];
    let mut blocks = layout.blocks.iter();
    let primary = blocks.next().map(|block| primary(bytes, block));
    let flags = primary.as_ref().and_then(|p| p.flags.as_ref()).map_or(0, |flags| flags.value);
    // A fragment has only a part of the record, which says nothing by itself.
    let is_record = BundleFlags(flags).contains(BundleFlags::IS_ADMIN_RECORD)
        && !BundleFlags(flags).contains(BundleFlags::IS_FRAGMENT);
    let encrypted = encrypted_blocks(bytes, &layout);
    let blocks: Vec<_> = blocks.map(|block| view(bytes, block, is_record, &encrypted, shown, &mut problems)).collect();
    // The parser stops at the first thing that is wrong; CRCs can still be told from each other.
    for (block, crc) in
        layout.blocks.iter().zip(primary.iter().map(|p| &p.crc).chain(blocks.iter().map(|block| &block.crc)))
    {
        if let Some(crc) = crc.as_ref().filter(|crc| crc.right == Some(false))
            && let Some(field) = block.elements.last()
            && !problems.iter().any(|problem| problem.octet == field.start)
        {
            let (carried, computed) = (crc.carried.as_deref().unwrap_or("?"), crc.computed.as_deref().unwrap_or("?"));
            problems.push(Problem {
                octet: field.start,
                message: format!(
                    "the block carries CRC 0x{carried}, but its octets give 0x{computed} (RFC 9171 section 4.2.2)"
                ),
                excerpt: hex::excerpt(bytes, field.clone()),
            });
        }
    }
    BundleView {
        length,
        valid: problems.is_empty(),
        ended,
        primary,
        blocks,
        blocks_left_out: layout.left_out,
        problems,
        lapses,
    }
}

/// What an error of the parser comes to for octets that begin at `start` of `bytes`.
pub(super) fn problem(bytes: &[u8], start: usize, error: &BundleError) -> Problem {
    let octet = start + error.at();
    let length = match error {
        BundleError::CrcMismatch { .. } => cbor::item_end(bytes, octet).map_or(1, |end| end - octet),
        _ => 1,
    };
    let text = error.to_string();
    let message = text.strip_prefix(&format!("octet {}: ", error.at())).unwrap_or(&text).to_owned();
    Problem { octet, message, excerpt: hex::excerpt(bytes, octet..octet + length) }
}

fn primary(bytes: &[u8], block: &BlockLayout) -> PrimaryView {
    let number = |n: usize| block.elements.get(n).and_then(|element| cbor::unsigned(bytes, element));
    // A previous node block's data are exactly one endpoint ID.
    let eid = |n: usize| {
        let element = block.elements.get(n)?;
        PreviousNode::parse(&bytes[element.clone()]).ok().map(|node| node.0.to_string())
    };
    let creation = block.elements.get(6).and_then(|element| {
        let parts = cbor::elements(bytes, element, 2)?;
        let [time, sequence] = &parts[..] else { return None };
        Some(CreationView::new(cbor::unsigned(bytes, time)?, cbor::unsigned(bytes, sequence)?))
    });
    let flags = number(1).map(|value| bundle_flags(BundleFlags(value)));
    let is_fragment = flags.as_ref().is_some_and(|flags| BundleFlags(flags.value).contains(BundleFlags::IS_FRAGMENT));
    let lifetime_ms = number(7);
    let expires = match (&creation, lifetime_ms) {
        (Some(creation), Some(lifetime)) if creation.dtn_ms != 0 => {
            Some(time::dtn_rfc3339(i128::from(creation.dtn_ms) + i128::from(lifetime)))
        }
        _ => None,
    };
    PrimaryView {
        octets: Some(block.octets.clone().into()),
        version: number(0),
        flags,
        crc: number(2).map(|code| crc(bytes, block, code, if is_fragment { 10 } else { 8 })),
        destination: eid(3),
        source: eid(4),
        report_to: eid(5),
        creation,
        lifetime_ms,
        expires,
        fragment: match (is_fragment, number(8), number(9)) {
            (true, Some(offset), Some(total_length)) => Some(FragmentView { offset, total_length }),
            _ => None,
        },
    }
}

fn view(
    bytes: &[u8],
    block: &BlockLayout,
    is_record: bool,
    encrypted: &[u64],
    shown: usize,
    problems: &mut Vec<Problem>,
) -> BlockView {
    let number = |n: usize| block.elements.get(n).and_then(|element| cbor::unsigned(bytes, element));
    let block_type = number(0);
    let octets = block.elements.get(4).and_then(|element| match cbor::head(bytes, element.start)? {
        (Kind::String(length), start) => Some((start..element.end, length)),
        _ => None,
    });
    let whole = |(octets, length): &(Range<usize>, u64)| octets.len() as u64 == *length;
    let mut content = None;
    if let (Some(block_type), Some(data)) = (block_type, octets.as_ref().filter(|data| whole(data)))
        && !number(1).is_some_and(|number| encrypted.contains(&number))
    {
        content = Content::of(block_type, &bytes[data.0.clone()], is_record).map(|read| {
            read.unwrap_or_else(|error| {
                problems.push(problem(bytes, data.0.start, &error));
                Content::Unreadable
            })
        });
    }
    BlockView {
        octets: Some(block.octets.clone().into()),
        block_type,
        name: block_type.map_or("a block without a type", block_name),
        number: number(1),
        flags: number(2).map(|value| block_flags(BlockFlags(value))),
        crc: number(3).map(|code| crc(bytes, block, code, 5)),
        data: octets.map(|(octets, length)| DataView {
            octets: octets.clone().into(),
            length,
            first: hex::digits(&bytes[octets.start..octets.end.min(octets.start.saturating_add(shown))]),
        }),
        content,
    }
}

/// Numbers of the blocks that a confidentiality block names as its targets, whose data are ciphertext (RFC 9172
/// section 3.8).
fn encrypted_blocks(bytes: &[u8], layout: &Layout) -> Vec<u64> {
    let mut numbers = Vec::new();
    for block in layout.blocks.iter().skip(1) {
        let of = |n: usize| block.elements.get(n);
        if of(0).and_then(|element| cbor::unsigned(bytes, element)) == Some(CONFIDENTIALITY)
            && let Some(data) = of(4)
            && let Some((Kind::String(_), start)) = cbor::head(bytes, data.start)
            && let Some(Ok(Content::Security { targets, .. })) =
                Content::of(CONFIDENTIALITY, &bytes[start..data.end], false)
        {
            numbers.extend(targets);
        }
    }
    numbers
}

fn crc(bytes: &[u8], block: &BlockLayout, code: u64, element: usize) -> CrcView {
    let name = match CrcType::from_code(code) {
        None => "undefined",
        Some(CrcType::None) => "none",
        Some(CrcType::Crc16) => "CRC-16",
        Some(CrcType::Crc32c) => "CRC-32C",
    };
    let mut view = CrcView { code, name, carried: None, computed: None, right: None };
    let (length, kind) = match CrcType::from_code(code) {
        Some(kind @ CrcType::Crc16) => (2, kind),
        Some(kind @ CrcType::Crc32c) => (4, kind),
        _ => return view,
    };
    let Some(field) = block.elements.get(element) else { return view };
    let Some((Kind::String(declared), start)) = cbor::head(bytes, field.start) else { return view };
    view.carried = Some(hex::digits(&bytes[start..field.end.min(start + 8)]));
    if declared == length && start + length as usize == field.end {
        let value = kind.of_block(&bytes[block.octets.start..start]).to_be_bytes();
        let computed = hex::digits(&value[4 - length as usize..]);
        view.right = Some(view.carried.as_ref() == Some(&computed));
        view.computed = Some(computed);
    }
    view
}

fn bundle_flags(flags: BundleFlags) -> FlagsView {
    let named: Vec<_> = BUNDLE_FLAGS.iter().filter(|(_, flag)| flags.contains(*flag)).collect();
    let unassigned = named.iter().fold(flags.0, |left, (_, flag)| left & !flag.0);
    FlagsView { value: flags.0, names: named.iter().map(|(name, _)| *name).collect(), unassigned }
}

fn block_flags(flags: BlockFlags) -> FlagsView {
    let named: Vec<_> = BLOCK_FLAGS.iter().filter(|(_, flag)| flags.contains(*flag)).collect();
    let unassigned = named.iter().fold(flags.0, |left, (_, flag)| left & !flag.0);
    FlagsView { value: flags.0, names: named.iter().map(|(name, _)| *name).collect(), unassigned }
}

/// Names of block types (RFC 9171 section 9.1, RFC 9172 section 11.1).
fn block_name(block_type: u64) -> &'static str {
    match block_type {
        block_type::PAYLOAD => "payload",
        block_type::PREVIOUS_NODE => "previous node",
        block_type::BUNDLE_AGE => "bundle age",
        block_type::HOP_COUNT => "hop count",
        INTEGRITY => "integrity",
        CONFIDENTIALITY => "confidentiality",
        192..=255 => "private or experimental",
        _ => "unknown",
    }
}
