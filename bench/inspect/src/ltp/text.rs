use super::{ExtensionView, Outcome, SegmentView, SessionView};
use crate::bundle::Octets;
use crate::hex;
use crate::tree::Tree;

use farlink_units::Duration;

/// Most ranges in one line of text.
const IN_A_LINE: usize = 8;

/// `0..1300, 2600..3900 and 4 more`.
fn ranges_text(ranges: &[(u64, u64)], all: usize) -> String {
    let mut text =
        ranges.iter().take(IN_A_LINE).map(|(from, to)| format!("{from}..{to}")).collect::<Vec<_>>().join(", ");
    if all > IN_A_LINE {
        text.push_str(&format!(" and {} more", all - IN_A_LINE));
    }
    text
}

/// A segment in one line, without its session.
pub fn segment_line(view: &SegmentView) -> String {
    if let Some(problem) = &view.problem {
        return format!("not a segment: octet {}: {}", problem.octet, problem.message);
    }
    let mut text = match (&view.data, &view.report, view.acknowledged_report, &view.cancel) {
        (Some(data), ..) => {
            let mut text = format!("{} {}..{}", data.colour, data.offset, data.end);
            if let Some(checkpoint) = data.checkpoint {
                text.push_str(&format!(", checkpoint {checkpoint}"));
            }
            if let Some(report) = data.answers_report {
                text.push_str(&format!(" after report {report}"));
            }
            match (data.ends_block, data.ends_red_part) {
                (true, _) => text.push_str(", end of block"),
                (false, true) => text.push_str(", end of red part"),
                _ => {}
            }
            text
        }
        (_, Some(report), ..) => {
            let asked = report.checkpoint.map_or("unasked".to_owned(), |serial| format!("checkpoint {serial}"));
            let gaps = match report.gaps.len() {
                0 => ", nothing missing".to_owned(),
                gaps => format!(", missing {}", ranges_text(&report.gaps, gaps)),
            };
            format!("report {} ({asked}) on {}..{}{gaps}", report.serial, report.scope.0, report.scope.1)
        }
        (_, _, Some(serial), _) => format!("acknowledges report {serial}"),
        (.., Some(cancel)) if cancel.acknowledgment => {
            format!("acknowledges the cancelling by the block {}", cancel.by)
        }
        (.., Some(cancel)) => {
            format!("the block {} cancels: {}", cancel.by, reason_text(cancel.reason_code, cancel.reason))
        }
        _ => view.name.to_owned(),
    };
    let extensions = view.header_extensions.len() + view.trailer_extensions.len();
    if extensions > 0 {
        text.push_str(&format!(", {extensions} extensions"));
    }
    text
}

fn reason_text(code: Option<u8>, mnemonic: Option<&str>) -> String {
    match (code, mnemonic) {
        (Some(code), Some(mnemonic)) => format!("{mnemonic} (reason {code})"),
        _ => "for a reason not seen".to_owned(),
    }
}

impl SegmentView {
    /// The segment as a tree under `heading`.
    pub fn tree(&self, heading: &str) -> Tree {
        let mut tree = Tree::new(heading);
        if let Some(code) = self.type_code {
            tree.field("type", format!("{code}: {}", self.name));
        }
        match (self.originator, self.number) {
            (Some(originator), Some(number)) => tree.field("session", format!("{originator}:{number}")),
            (Some(originator), None) => tree.field("session", format!("{originator}:?")),
            _ => &mut tree,
        };
        for extension in &self.header_extensions {
            tree.field("header ext.", extension.text());
        }
        if let Some(data) = &self.data {
            let service = if data.client_service == 1 { " (Bundle Protocol)" } else { "" };
            tree.field("client service", format!("{}{service}", data.client_service));
            tree.field("octets", format!("{}..{} of the block, {}", data.offset, data.end, data.colour));
            if let Some(checkpoint) = data.checkpoint {
                let answers = data
                    .answers_report
                    .map_or(", answers no report".to_owned(), |serial| format!(", answers report {serial}"));
                tree.field("checkpoint", format!("{checkpoint}{answers}"));
            }
            if data.ends_red_part {
                tree.field("red part", format!("ends here: {} octets", data.end));
            }
            if data.ends_block {
                tree.field("block", format!("ends here: {} octets", data.end));
            }
            let first: Vec<u8> = (0..data.first.len() / 2)
                .filter_map(|n| u8::from_str_radix(data.first.get(2 * n..2 * n + 2)?, 16).ok())
                .collect();
            tree.verbatim(hex::dump(&first, 0));
        }
        if let Some(report) = &self.report {
            tree.field("report", report.serial.to_string());
            let asked = report.checkpoint.map_or("none: nobody asked".to_owned(), |serial| serial.to_string());
            tree.field("checkpoint", asked);
            tree.field("scope", format!("{}..{} of the block", report.scope.0, report.scope.1));
            tree.field("claims", ranges_text(&report.claims, report.claim_count));
            let gaps = match report.gaps.len() {
                0 => "nothing".to_owned(),
                gaps => ranges_text(&report.gaps, gaps),
            };
            tree.field("missing", gaps);
        }
        if let Some(serial) = self.acknowledged_report {
            tree.field("report", serial.to_string());
        }
        if let Some(cancel) = self.cancel.as_ref().filter(|cancel| !cancel.acknowledgment) {
            tree.field("reason", reason_text(cancel.reason_code, cancel.reason));
        }
        for extension in &self.trailer_extensions {
            tree.field("trailer ext.", extension.text());
        }
        if let Some(problem) = &self.problem {
            let mut branch =
                Tree::new(format!("PROBLEM at octet {} ({:#x}): {}", problem.octet, problem.octet, problem.message));
            branch.verbatim(problem.excerpt.iter().cloned());
            tree.branch(branch);
        }
        tree
    }

    /// `octets 0..1359`.
    pub fn place(&self) -> String {
        self.octets.map_or_else(String::new, |Octets(from, to)| format!("octets {from}..{to}"))
    }
}

impl ExtensionView {
    fn text(&self) -> String {
        format!("tag {:#04x} ({}), {} octets: {}", self.tag, self.name, self.value.len() / 2, self.value)
    }
}

/// How a session ended, in words.
pub fn outcome_text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Completed { has_green: false, .. } => "completed: the receiver has claimed the whole block".to_owned(),
        Outcome::Completed { has_green: true, .. } => {
            "completed: the receiver has claimed the whole red part; of green octets nobody reports".to_owned()
        }
        Outcome::GreenSent => "all green: sent to its end, and nobody reports".to_owned(),
        Outcome::Cancelled { by, reason_code, reason, acknowledged, claimed_in_full } => {
            let acknowledged = if *acknowledged { "acknowledged" } else { "no acknowledgment seen" };
            let after = if *claimed_in_full { "; yet the receiver has claimed the whole red part" } else { "" };
            let reason = reason_text(*reason_code, reason.as_deref());
            format!("cancelled by the block {by}: {reason}, {acknowledged}{after}")
        }
        Outcome::Open => "open at the end of the capture".to_owned(),
    }
}

impl SessionView {
    /// The session as a tree.
    pub fn tree(&self) -> Tree {
        let or_unknown = |length: Option<u64>| length.map_or("unknown".to_owned(), |octets| format!("{octets} octets"));
        let mut tree =
            Tree::new(format!("session {}:{}, {}", self.originator, self.number, outcome_text(&self.outcome)));
        let duration = self.duration_ns.and_then(|ns| i64::try_from(ns).ok()).map(Duration::from_nanos);
        let first = self.first.as_deref().unwrap_or("at an unknown time");
        let took = duration.map_or(String::new(), |d| format!(", {d}"));
        tree.field("from", format!("{first}{took}, packets {}..={}", self.first_packet, self.last_packet));
        for path in &self.paths_forward {
            tree.field("forward", path);
        }
        for path in &self.paths_back {
            tree.field("back", path);
        }
        let service = match self.client_service {
            Some(1) => ", client service 1 (Bundle Protocol)".to_owned(),
            Some(other) => format!(", client service {other}"),
            None => String::new(),
        };
        tree.field(
            "block",
            format!("{}, red part {}{service}", or_unknown(self.block_length), or_unknown(self.red_length)),
        );
        tree.field(
            "data",
            format!(
                "{} segments, {} octets; {} different ones",
                self.data_segments, self.data_octets, self.seen_octets
            ),
        );
        let again = self.repeated_octets + self.gap_octets;
        if again > 0 {
            tree.field(
                "sent again",
                format!(
                    "{again} octets: {} seen before, {} that fill gaps (lost before this capture, or overtaken)",
                    self.repeated_octets, self.gap_octets
                ),
            );
        }
        if !self.missing.is_empty() {
            tree.field("never seen", ranges_text(&self.missing, self.missing.len()));
        }
        tree.field("checkpoints", serials(self.checkpoint_segments, &self.checkpoints));
        tree.field("reports", serials(self.report_segments, &self.reports));
        tree.field("acknowledged", serials(self.acknowledged_reports.len() as u64, &self.acknowledged_reports));
        if !self.gaps_reported.is_empty() {
            tree.field("gaps reported", ranges_text(&self.gaps_reported, self.gaps_reported.len()));
        }
        for bundle in &self.bundles {
            tree.field("bundle", bundle);
        }
        if let Some(note) = &self.bundle_note {
            tree.field("note", note);
        }
        tree
    }
}

/// `7 segments, serial numbers 5, 6, 7`.
fn serials(segments: u64, listed: &[u64]) -> String {
    if segments == 0 {
        return "none".to_owned();
    }
    let mut text: Vec<String> = listed.iter().take(2 * IN_A_LINE).map(ToString::to_string).collect();
    if listed.len() > 2 * IN_A_LINE {
        text.push(format!("and {} more", listed.len() - 2 * IN_A_LINE));
    }
    format!("{segments} segments, serial numbers {}", text.join(", "))
}
