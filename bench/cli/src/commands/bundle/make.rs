//! `farlink bundle make`

use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use farlink_inspect::bundle::{block_flags_named, bundle_flag_named};
use farlink_inspect::make::{Break, broken};
use farlink_inspect::{hex, input, time};
use farlink_units::Duration;
use farlink_wire::bpv7::{
    BlockFlags, Bundle, BundleAge, BundleFlags, CanonicalBlock, CrcType, CreationTimestamp, Eid, Fragment, HopCount,
    PreviousNode, PrimaryBlock, block_type,
};

use crate::{Ending, bench_failed};

/// Make a bundle, also a deliberately wrong one.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  \
    farlink bundle make --source ipn:1.1 --destination ipn:2.1 --payload picture.jpg --out bundle.bin\n  \
    farlink bundle make --source ipn:1.1 --destination ipn:2.1 --payload-text hello --hop-limit 30 --hex\n  \
    farlink bundle make --source ipn:1.1 --destination ipn:2.1 --payload-text hello --creation 0 --age 0ms \\\n    \
    --block 200:0x10:cafe | farlink bundle inspect\n  \
    farlink bundle make --source ipn:1.1 --destination ipn:2.1 --payload-text hello --break crc | nc -u 127.0.0.1 4556",
    after_long_help = break_help()
)]
pub struct MakeArguments {
    /// The node that creates it; `dtn:none` for an anonymous bundle.
    #[arg(long, value_name = "EID")]
    source: Eid,
    /// Where to.
    #[arg(long, value_name = "EID")]
    destination: Eid,
    /// Where status reports go; by default to the source.
    #[arg(long, value_name = "EID")]
    report_to: Option<Eid>,
    /// How long it is of use, as in `1 h`; at least a millisecond apart from zero.
    #[arg(long, value_name = "DURATION", default_value = "1 h")]
    lifetime: Duration,
    /// When it was created: `now`, a time as in `2026-12-15T07:06:05Z`, or `0` for a node without a clock.
    #[arg(long, value_name = "TIME", default_value = "now", value_parser = parse_creation)]
    creation: Creation,
    /// Sequence number of the creation timestamp.
    #[arg(long, value_name = "N", default_value_t = 0)]
    sequence: u64,
    /// Bundle flags: fragment, admin-record, must-not-fragment, ack-requested, status-time, report-reception,
    /// report-forwarding, report-delivery, report-deletion, or a number.
    #[arg(long, value_name = "FLAG", value_delimiter = ',', value_parser = parse_flag)]
    flags: Vec<BundleFlags>,
    /// CRC of every block.
    #[arg(long, value_enum, default_value = "32c")]
    crc: Crc,
    /// The payload's file; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "payload_text")]
    payload: Option<PathBuf>,
    /// The payload as text. Without either option it is empty.
    #[arg(long, value_name = "TEXT")]
    payload_text: Option<String>,
    /// Add a hop count block with this limit and a count of zero.
    #[arg(long, value_name = "N")]
    hop_limit: Option<u64>,
    /// Add a bundle age block.
    #[arg(long, value_name = "DURATION")]
    age: Option<Duration>,
    /// Add a previous node block.
    #[arg(long, value_name = "EID")]
    previous_node: Option<Eid>,
    /// Add a block: type, flags (a number, or names joined by `+`: replicate, report-if-unprocessable,
    /// delete-bundle-if-unprocessable, discard-if-unprocessable), and its data in hex digits.
    #[arg(long = "block", value_name = "TYPE:FLAGS:HEX", value_parser = parse_block)]
    blocks: Vec<(u64, BlockFlags, Vec<u8>)>,
    /// Make it a fragment: the payload's offset, and the length of the whole application data unit.
    #[arg(long, value_name = "OFFSET/TOTAL", value_parser = parse_fragment)]
    fragment: Option<Fragment>,
    /// Break it in this way; `--help` lists the ways.
    #[arg(long = "break", value_name = "WAY")]
    way: Option<Break>,
    /// Where to write it; `-` is standard output.
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
    /// Write hex digits and a line feed instead of octets.
    #[arg(long)]
    hex: bool,
}

fn break_help() -> String {
    let ways = Break::ALL.map(|way| format!("  {:17} {}\n", way.described().0, way.described().1)).concat();
    format!(
        "Examples:\n  farlink bundle make --source ipn:1.1 --destination ipn:2.1 --payload picture.jpg --out bundle.bin\n  \
         farlink bundle make --source ipn:1.1 --destination ipn:2.1 --payload-text hello --break crc | \\\n    \
         farlink bundle inspect\n\n\
         Ways to break it. CRCs are right for the octets that are written, unless they are what is broken:\n{ways}\n\
         Lapses need no way of their own: --crc none, --creation 0 without --age, --source dtn:none, --flags \
         admin-record,report-delivery, a --fragment that ends beyond its unit.\n\n\
         Exit codes: 0 the bundle was written, 2 it could not be."
    )
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Crc {
    None,
    #[value(name = "16")]
    Crc16,
    #[value(name = "32c")]
    Crc32c,
}

#[derive(Clone, Copy, Debug)]
enum Creation {
    Now,
    Dtn(u64),
}

fn parse_creation(text: &str) -> Result<Creation, String> {
    match text {
        "now" => Ok(Creation::Now),
        "0" => Ok(Creation::Dtn(0)),
        _ => time::parse_rfc3339(text).map(Creation::Dtn).map_err(|error| format!("{error}, `now` or `0`")),
    }
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn parse_flag(text: &str) -> Result<BundleFlags, String> {
    bundle_flag_named(text)
        .or_else(|| number(text).map(BundleFlags))
        .ok_or_else(|| format!("`{text}` is no bundle flag"))
}

fn parse_block(text: &str) -> Result<(u64, BlockFlags, Vec<u8>), String> {
    let form = || format!("`{text}` is no block: write type, flags and data as in `200:0x10:cafe`");
    let mut parts = text.splitn(3, ':');
    let (block_type, flags, data) = match (parts.next(), parts.next(), parts.next()) {
        (Some(block_type), Some(flags), Some(data)) => (block_type, flags, data),
        _ => return Err(form()),
    };
    let block_type = number(block_type).ok_or_else(form)?;
    if block_type == block_type::PAYLOAD {
        return Err("type 1 is the payload: give it with --payload or --payload-text".to_owned());
    }
    let flags = match number(flags) {
        Some(flags) => BlockFlags(flags),
        None => block_flags_named(flags).ok_or_else(form)?,
    };
    let data =
        if data.is_empty() { Vec::new() } else { input::hex(data).map_err(|error| format!("{}: {error}", form()))? };
    Ok((block_type, flags, data))
}

fn parse_fragment(text: &str) -> Result<Fragment, String> {
    text.split_once('/')
        .and_then(|(offset, total)| Some(Fragment { offset: number(offset)?, total_length: number(total)? }))
        .ok_or_else(|| format!("`{text}` is no fragment: write offset and total length as in `1000/20000`"))
}

pub fn make(arguments: &MakeArguments) -> Ending {
    let payload = match (&arguments.payload, &arguments.payload_text) {
        (Some(file), _) => match read_payload(file) {
            Ok(payload) => payload,
            Err(error) => return bench_failed(format_args!("--payload: cannot read {}: {error}", file.display())),
        },
        (None, Some(text)) => text.clone().into_bytes(),
        (None, None) => Vec::new(),
    };
    let bundle = match bundle(arguments, payload) {
        Ok(bundle) => bundle,
        Err(message) => return bench_failed(message),
    };
    let octets = match arguments.way {
        None => {
            for lapse in bundle.lapses() {
                complain!("note: {lapse}");
            }
            bundle.emit()
        }
        Some(way) => match broken(bundle, way) {
            Ok(octets) => octets,
            Err(message) => return bench_failed(message),
        },
    };
    let octets = if arguments.hex { (hex::digits(&octets) + "\n").into_bytes() } else { octets };
    if arguments.out.as_os_str() != "-" {
        return match fs::write(&arguments.out, &octets) {
            Ok(()) => Ending::Met,
            Err(error) => bench_failed(format_args!("--out: cannot write {}: {error}", arguments.out.display())),
        };
    }
    if !arguments.hex && io::stdout().is_terminal() {
        return bench_failed("a terminal cannot show octets: use --hex, --out FILE, or a pipe");
    }
    let mut stdout = io::stdout();
    match stdout.write_all(&octets).and_then(|()| stdout.flush()) {
        Ok(()) => Ending::Met,
        Err(error) => bench_failed(format_args!("cannot write to standard output: {error}")),
    }
}

fn read_payload(file: &Path) -> io::Result<Vec<u8>> {
    if file.as_os_str() != "-" {
        return fs::read(file);
    }
    let mut payload = Vec::new();
    io::stdin().read_to_end(&mut payload)?;
    Ok(payload)
}

fn bundle(arguments: &MakeArguments, payload: Vec<u8>) -> Result<Bundle<'static>, String> {
    let crc = match arguments.crc {
        Crc::None => CrcType::None,
        Crc::Crc16 => CrcType::Crc16,
        Crc::Crc32c => CrcType::Crc32c,
    };
    let time_ms = match arguments.creation {
        Creation::Dtn(ms) => ms,
        Creation::Now => {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            match time::dtn_ms_of_unix(since.as_nanos() as i128) {
                0 => return Err("the clock of this host stands before 2000: name the time with --creation".to_owned()),
                ms => ms,
            }
        }
    };
    let milliseconds = |name: &str, duration: Duration| match duration.as_nanos() % 1_000_000 {
        0 => Ok(duration.as_millis() as u64),
        _ => Err(format!("{name}: {duration} is no whole number of milliseconds, in which bundles count")),
    };
    let mut flags = arguments.flags.iter().fold(BundleFlags::default(), |all, flag| all | *flag);
    if arguments.fragment.is_some() {
        flags |= BundleFlags::IS_FRAGMENT;
    }
    let mut extensions: Vec<(u64, BlockFlags, Vec<u8>)> = Vec::new();
    if let Some(node) = &arguments.previous_node {
        extensions.push((block_type::PREVIOUS_NODE, BlockFlags::default(), PreviousNode(node.clone()).emit()));
    }
    if let Some(age) = arguments.age {
        extensions.push((block_type::BUNDLE_AGE, BlockFlags::default(), BundleAge(milliseconds("--age", age)?).emit()));
    }
    if let Some(limit) = arguments.hop_limit {
        extensions.push((block_type::HOP_COUNT, BlockFlags::default(), HopCount { limit, count: 0 }.emit()));
    }
    extensions.extend(arguments.blocks.iter().cloned());
    let block =
        |block_type, number, flags, data: Vec<u8>| CanonicalBlock { block_type, number, flags, crc, data: data.into() };
    let mut blocks: Vec<_> = extensions
        .into_iter()
        .zip(2..)
        .map(|((block_type, flags, data), number)| block(block_type, number, flags, data))
        .collect();
    blocks.push(block(block_type::PAYLOAD, 1, BlockFlags::default(), payload));
    Ok(Bundle {
        primary: PrimaryBlock {
            flags,
            crc,
            destination: arguments.destination.clone(),
            source: arguments.source.clone(),
            report_to: arguments.report_to.clone().unwrap_or_else(|| arguments.source.clone()),
            creation: CreationTimestamp { time_ms, sequence: arguments.sequence },
            lifetime_ms: milliseconds("--lifetime", arguments.lifetime)?,
            fragment: arguments.fragment,
        },
        blocks,
    })
}
