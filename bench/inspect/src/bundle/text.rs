use super::{BlockView, BundleView, Content, CrcView, FlagsView, Octets, PrimaryView};
use crate::tree::Tree;
use crate::{hex, time};

impl BundleView {
    /// The bundle as a tree under `heading`.
    pub fn tree(&self, heading: &str) -> Tree {
        let mut tree = Tree::new(heading);
        if let Some(primary) = &self.primary {
            tree.branch(primary.tree());
        }
        for block in &self.blocks {
            tree.branch(block.tree());
        }
        if self.blocks_left_out > 0 {
            tree.branch(Tree::new(format!("and {} more blocks", self.blocks_left_out)));
        }
        for problem in &self.problems {
            let mut branch =
                Tree::new(format!("PROBLEM at octet {} ({:#x}): {}", problem.octet, problem.octet, problem.message));
            branch.verbatim(problem.excerpt.iter().cloned());
            tree.branch(branch);
        }
        for lapse in &self.lapses {
            tree.branch(Tree::new(format!("LAPSE: {lapse}")));
        }
        tree
    }

    /// `valid`, `valid, 1 lapse` or `INVALID`.
    pub fn verdict(&self) -> String {
        match (self.valid, self.lapses.len()) {
            (false, _) => "INVALID".to_owned(),
            (true, 0) => "valid".to_owned(),
            (true, 1) => "valid, 1 lapse".to_owned(),
            (true, n) => format!("valid, {n} lapses"),
        }
    }
}

fn place(octets: Option<Octets>) -> String {
    octets.map_or_else(String::new, |Octets(from, to)| format!("octets {from}..{to}"))
}

/// `0x24004: must-not-fragment, report-delivery`.
fn flags_text(flags: &FlagsView, width: usize) -> String {
    let mut names: Vec<String> = flags.names.iter().map(ToString::to_string).collect();
    if flags.unassigned != 0 {
        names.push(format!("unassigned bits {:#x}", flags.unassigned));
    }
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    format!("{:#0width$x}: {names}", flags.value)
}

fn crc_text(crc: &CrcView) -> String {
    let carried = crc.carried.as_deref().unwrap_or("cut off");
    match (crc.code, crc.right, &crc.computed) {
        (0, ..) => "none".to_owned(),
        (_, Some(true), _) => format!("{} 0x{carried}, right", crc.name),
        (_, Some(false), Some(computed)) => format!("{} 0x{carried}, WRONG: its octets give 0x{computed}", crc.name),
        (1 | 2, ..) => format!("{} {carried}, not compared", crc.name),
        (code, ..) => format!("type {code}, which is not defined"),
    }
}

impl PrimaryView {
    fn tree(&self) -> Tree {
        let mut tree = Tree::new(format!("primary block, {}", place(self.octets)));
        let mut number = |name, value: Option<u64>| {
            if let Some(value) = value {
                tree.field(name, value.to_string());
            }
        };
        number("version", self.version);
        if let Some(flags) = &self.flags {
            tree.field("flags", flags_text(flags, 8));
        }
        if let Some(crc) = &self.crc {
            tree.field("CRC", crc_text(crc));
        }
        for (name, eid) in
            [("destination", &self.destination), ("source", &self.source), ("report-to", &self.report_to)]
        {
            if let Some(eid) = eid {
                tree.field(name, eid);
            }
        }
        if let Some(creation) = &self.creation {
            let when = match creation.dtn_ms {
                0 => "by a node without a clock (DTN 0 ms)".to_owned(),
                ms => format!("{} (DTN {ms} ms)", time::dtn_text(ms)),
            };
            tree.field("created", format!("{when}, sequence {}", creation.sequence));
        }
        if let Some(lifetime) = self.lifetime_ms {
            tree.field("lifetime", format!("{lifetime} ms ({})", time::span_text(lifetime)));
            match self.creation.as_ref() {
                Some(creation) if creation.dtn_ms != 0 => {
                    let end = i128::from(creation.dtn_ms) + i128::from(lifetime);
                    tree.field("expires", time::dtn_text_wide(end));
                }
                Some(_) => {
                    tree.field("expires", "when its age reaches its lifetime");
                }
                None => {}
            }
        }
        if let Some(fragment) = self.fragment {
            tree.field("fragment", format!("from {} of a unit of {} octets", fragment.offset, fragment.total_length));
        }
        tree
    }
}

impl BlockView {
    fn tree(&self) -> Tree {
        let named = match (self.block_type, self.number) {
            (Some(code), Some(number)) => format!("{} block, type {code}, number {number}", self.name),
            (Some(code), None) => format!("{} block, type {code}", self.name),
            _ => self.name.to_owned(),
        };
        let mut tree = Tree::new(format!("{named}, {}", place(self.octets)));
        if let Some(flags) = &self.flags {
            tree.field("flags", flags_text(flags, 4));
        }
        if let Some(crc) = &self.crc {
            tree.field("CRC", crc_text(crc));
        }
        if let Some(content) = &self.content {
            content.add_to(&mut tree);
        }
        // What has been read in full need not be shown again.
        let told = !matches!(self.content, None | Some(Content::Unreadable | Content::Record { .. }));
        if let Some(data) = self.data.as_ref().filter(|_| !told) {
            let Octets(from, to) = data.octets;
            let present = to - from;
            let name = if self.block_type == Some(1) { "payload" } else { "data" };
            let length = match present as u64 == data.length {
                true => format!("{present} octets"),
                false => format!("{} octets declared, {present} there", data.length),
            };
            let bytes: Vec<u8> = octets_of(&data.first);
            let cut = if bytes.len() < present && !bytes.is_empty() {
                format!(", the first {} are", bytes.len())
            } else {
                String::new()
            };
            tree.field(name, format!("{length} at {from}..{to}{cut}"));
            tree.verbatim(hex::dump(&bytes, 0));
        }
        tree
    }
}

/// The octets of hex digits that this crate wrote.
fn octets_of(digits: &str) -> Vec<u8> {
    digits
        .as_bytes()
        .chunks(2)
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

impl Content {
    fn add_to(&self, tree: &mut Tree) {
        match self {
            Content::PreviousNode { eid } => tree.field("node", eid),
            Content::BundleAge { age_ms } => tree.field("age", format!("{age_ms} ms ({})", time::span_text(*age_ms))),
            Content::HopCount { limit, count } => {
                let over = if count > limit { ", beyond the limit" } else { "" };
                tree.field("hops", format!("{count} of at most {limit}{over}"))
            }
            Content::Security { targets, context, flags, source } => {
                let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
                tree.field("targets", format!("blocks {}", targets.join(", ")));
                tree.field("context", format!("{context} ({}), flags {flags:#x}", context_name(*context)));
                tree.field("source", source)
            }
            Content::StatusReport(report) => {
                for status in &report.asserted {
                    let when = status.dtn_ms.map_or_else(
                        || "without a time".to_owned(),
                        |ms| format!("{} (DTN {ms} ms)", time::dtn_text(ms)),
                    );
                    tree.field("status report", format!("{}: {when}", status.status));
                }
                if report.asserted.is_empty() {
                    tree.field("status report", "asserts nothing");
                }
                tree.field("reason", format!("{}: {}", report.reason_code, report.reason));
                let created = match report.creation.dtn_ms {
                    0 => "without a clock".to_owned(),
                    ms => format!("{} (DTN {ms} ms)", time::dtn_text(ms)),
                };
                let about = format!("{}, created {created}, sequence {}", report.source, report.creation.sequence);
                tree.field("about", about);
                match (report.fragment_offset, report.fragment_length) {
                    (Some(offset), Some(length)) => tree.field("fragment", format!("{length} octets from {offset}")),
                    _ => tree,
                }
            }
            Content::Record { record_type } => {
                tree.field("record", format!("administrative record of type {record_type}"))
            }
            Content::Unreadable => tree.field("content", "cannot be read; see the problem below"),
        };
    }
}

/// Security contexts of RFC 9173 section 5.1.
fn context_name(context: u64) -> &'static str {
    match context {
        1 => "BIB-HMAC-SHA2",
        2 => "BCB-AES-GCM",
        _ => "not known here",
    }
}
