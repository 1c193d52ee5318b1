//! What a bundle is made of, block by block and octet by octet, also when it cannot be parsed.
//!
//! # JSON
//! [`BundleView`] and what it holds are written with the names of their fields; these names and their meaning stay. Octet
//! ranges are `[from, to)`, counted from the first octet of the bundle. What could not be read is `null`. 64-bit numbers
//! are written as JSON numbers in full; a reader that keeps them as doubles loses digits above 2^53.

mod content;
mod read;
mod text;

use std::ops::Range;

use farlink_wire::bpv7::{BlockFlags, BundleFlags};
use serde::Serialize;

pub use content::{Content, ReportView, StatusView};
pub(crate) use read::layout;

/// Most blocks of one bundle that are described; further ones are only counted.
pub const MAX_BLOCKS: usize = 256;

/// How many of the payload's or an unknown block's first octets are shown unless told otherwise.
pub const SHOWN: usize = 64;

/// A bundle as far as it could be read.
#[derive(Clone, Debug, Serialize)]
pub struct BundleView {
    /// Octets that it takes; if it does not end, all that there are.
    pub length: usize,
    /// Whether RFC 9171 lets a node take it: `farlink_wire` parses it, CRCs are right, and the data of blocks of a known
    /// type and of an administrative record can be read. Lapses leave a bundle valid.
    pub valid: bool,
    /// Whether its end was found, so that another bundle may follow it.
    pub ended: bool,
    /// The primary block.
    pub primary: Option<PrimaryView>,
    /// The other blocks in the order of the wire, at most [`MAX_BLOCKS`].
    pub blocks: Vec<BlockView>,
    /// Blocks beyond [`MAX_BLOCKS`].
    pub blocks_left_out: usize,
    /// What makes it invalid.
    pub problems: Vec<Problem>,
    /// Rules that bound its creator and that it breaks although it can be read, each with its section.
    pub lapses: Vec<String>,
}

/// A place at which a bundle, a block or a segment is not what it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The octet, counted from the first of the unit.
    pub octet: usize,
    /// What is wrong, what was expected, and the section that says so.
    pub message: String,
    /// The octets around it, for people; carets mark the place.
    pub excerpt: Vec<String>,
}

/// A half-open range of octets; `[from, to]` in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Octets(pub usize, pub usize);

impl From<Range<usize>> for Octets {
    fn from(range: Range<usize>) -> Self {
        Octets(range.start, range.end)
    }
}

/// The primary block (RFC 9171 section 4.3.1).
#[derive(Clone, Debug, Default, Serialize)]
pub struct PrimaryView {
    /// Where it stands.
    pub octets: Option<Octets>,
    /// 7.
    pub version: Option<u64>,
    /// Bundle processing control flags.
    pub flags: Option<FlagsView>,
    /// Its CRC.
    pub crc: Option<CrcView>,
    /// URI.
    pub destination: Option<String>,
    /// URI.
    pub source: Option<String>,
    /// URI.
    pub report_to: Option<String>,
    /// When it was created.
    pub creation: Option<CreationView>,
    /// Milliseconds.
    pub lifetime_ms: Option<u64>,
    /// Creation time and lifetime together, in RFC 3339; `null` if the creation time is zero.
    pub expires: Option<String>,
    /// Of a fragment.
    pub fragment: Option<FragmentView>,
}

/// A creation timestamp (RFC 9171 section 4.2.7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CreationView {
    /// DTN time: milliseconds since 2000-01-01 UTC; 0 from a node without a clock.
    pub dtn_ms: u64,
    /// The same in RFC 3339; `null` for 0.
    pub utc: Option<String>,
    /// Sequence number.
    pub sequence: u64,
}

/// Which part of an application data unit the payload is.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FragmentView {
    /// Octets before it.
    pub offset: u64,
    /// Octets of the whole unit.
    pub total_length: u64,
}

/// Flags with their names.
#[derive(Clone, Debug, Serialize)]
pub struct FlagsView {
    /// The number on the wire.
    pub value: u64,
    /// Names of those that are set, as `farlink bundle make --flags` takes them.
    pub names: Vec<&'static str>,
    /// Bits that are set and have no name.
    pub unassigned: u64,
}

/// A block's CRC (RFC 9171 section 4.2.1 and 4.2.2).
#[derive(Clone, Debug, Serialize)]
pub struct CrcView {
    /// The type code: 0, 1 or 2, or what stands there instead.
    pub code: u64,
    /// `none`, `CRC-16`, `CRC-32C` or `undefined`.
    pub name: &'static str,
    /// Hex digits of the value in the block.
    pub carried: Option<String>,
    /// Hex digits of the value that the block's octets give.
    pub computed: Option<String>,
    /// Whether the two agree; `null` without a CRC, or if it could not be compared.
    pub right: Option<bool>,
}

/// Any block but the primary one (RFC 9171 section 4.3.2).
#[derive(Clone, Debug, Default, Serialize)]
pub struct BlockView {
    /// Where it stands.
    pub octets: Option<Octets>,
    /// Block type code.
    pub block_type: Option<u64>,
    /// The type's name.
    pub name: &'static str,
    /// Block number.
    pub number: Option<u64>,
    /// Block processing control flags.
    pub flags: Option<FlagsView>,
    /// Its CRC.
    pub crc: Option<CrcView>,
    /// Block-type-specific data.
    pub data: Option<DataView>,
    /// The data read as the type demands.
    pub content: Option<Content>,
}

/// Octets of a block's data.
#[derive(Clone, Debug, Serialize)]
pub struct DataView {
    /// Where they stand.
    pub octets: Octets,
    /// How many the block declares.
    pub length: u64,
    /// Hex digits of the first ones, at most as many as were asked for.
    pub first: String,
}

impl BundleView {
    /// Describes the bundle at the front of `bytes`, showing at most `shown` octets of a payload or an unknown block.
    pub fn read(bytes: &[u8], shown: usize) -> BundleView {
        read::read(bytes, shown)
    }

    /// `ipn:1.1 → ipn:2.1, created 2026-12-15 07:06:05.123 UTC, sequence 4`, with `?` for what could not be read.
    pub fn title(&self) -> String {
        let primary = self.primary.clone().unwrap_or_default();
        let or = |text: Option<String>| text.unwrap_or_else(|| "?".to_owned());
        let created = primary.creation.as_ref().map_or_else(
            || "created ?".to_owned(),
            |c| match c.dtn_ms {
                0 => format!("created without a clock, sequence {}", c.sequence),
                ms => format!("created {}, sequence {}", crate::time::dtn_text(ms), c.sequence),
            },
        );
        let fragment =
            primary.fragment.map_or_else(String::new, |f| format!(", fragment at {} of {}", f.offset, f.total_length));
        format!("{} → {}, {created}{fragment}", or(primary.source), or(primary.destination))
    }
}

/// The bundle processing control flag of a name in [`FlagsView::names`].
pub fn bundle_flag_named(name: &str) -> Option<BundleFlags> {
    read::BUNDLE_FLAGS.iter().find(|(known, _)| *known == name).map(|(_, flag)| *flag)
}

/// The block processing control flags of names joined by `+`.
pub fn block_flags_named(names: &str) -> Option<BlockFlags> {
    let named = |name: &str| read::BLOCK_FLAGS.iter().find(|(known, _)| *known == name).map(|(_, flag)| *flag);
    names.split('+').try_fold(BlockFlags::default(), |all, name| Some(all | named(name)?))
}
