//! `farlink bundle`: what it shows, what it says of wrong input, and that its exit codes tell the truth.
#![allow(missing_docs)]

mod common;

use std::io::Write;
use std::process::Stdio;

use common::*;
use serde_json::Value;

const MAKE: [&str; 7] = ["bundle", "make", "--source", "ipn:1.1", "--destination", "ipn:2.1", "--creation"];

fn make(more: &[&str]) -> Vec<u8> {
    let out = farlink().args(MAKE).arg("2026-12-15T07:06:05.123Z").args(more).output().unwrap();
    assert!(out.status.success(), "{more:?}: {}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

fn piped(arguments: &[&str], input: &[u8]) -> (i32, String, String) {
    let mut command = farlink();
    let mut child =
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that refuses its arguments closes its input before.
    let _ = stdin.write_all(input);
    drop(stdin);
    let out = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (out.status.code().unwrap(), text(&out.stdout), text(&out.stderr))
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

fn tshark(capture: &str, arguments: &[&str]) -> Vec<String> {
    let mut command = std::process::Command::new("tshark");
    let (code, stdout, stderr) =
        finish(command.arg("-r").arg(fixture(&format!("captures/{capture}.pcapng"))).args(arguments));
    assert_eq!(code, 0, "{stderr}");
    stdout.lines().map(str::to_owned).collect()
}

#[test]
fn a_bundle_that_is_made_is_read_as_it_was_asked_for() {
    let made = make(&[
        "--report-to",
        "ipn:1.9",
        "--lifetime",
        "90 s",
        "--sequence",
        "4",
        "--flags",
        "report-delivery,status-time",
        "--crc",
        "16",
        "--payload-text",
        "hello, Mars",
        "--hop-limit",
        "30",
        "--age",
        "5 ms",
        "--previous-node",
        "ipn:7.0",
        "--block",
        "200:discard-if-unprocessable+replicate:cafe",
        "--fragment",
        "100/1000",
    ]);
    let (code, text, stderr) = piped(&["bundle", "inspect", "--format", "json"], &made);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let line = &json_lines(&text)[0];
    let (bundle, primary) = (&line["bundle"], &line["bundle"]["primary"]);
    assert_eq!(bundle["length"], made.len());
    assert_eq!(bundle["valid"], true);
    assert_eq!(primary["source"], "ipn:1.1");
    assert_eq!(primary["report_to"], "ipn:1.9");
    assert_eq!(primary["creation"]["dtn_ms"], 850_633_565_123u64);
    assert_eq!(primary["creation"]["utc"], "2026-12-15T07:06:05.123Z");
    assert_eq!(primary["creation"]["sequence"], 4);
    assert_eq!(primary["expires"], "2026-12-15T07:07:35.123Z");
    assert_eq!(primary["flags"]["names"], serde_json::json!(["fragment", "status-time", "report-delivery"]));
    assert_eq!(primary["fragment"], serde_json::json!({"offset": 100, "total_length": 1000}));
    assert_eq!(primary["crc"]["name"], "CRC-16");
    let blocks = bundle["blocks"].as_array().unwrap();
    let types: Vec<_> = blocks.iter().map(|b| (b["block_type"].as_u64(), b["number"].as_u64())).collect();
    let expected = [(6, 2), (7, 3), (10, 4), (200, 5), (1, 1)].map(|(t, n)| (Some(t), Some(n)));
    assert_eq!(types, expected);
    assert_eq!(blocks[0]["content"], serde_json::json!({"kind": "previous_node", "eid": "ipn:7.0"}));
    assert_eq!(blocks[1]["content"], serde_json::json!({"kind": "bundle_age", "age_ms": 5}));
    assert_eq!(blocks[2]["content"], serde_json::json!({"kind": "hop_count", "limit": 30, "count": 0}));
    assert_eq!(blocks[3]["flags"]["value"], 0x11);
    assert_eq!(blocks[4]["data"]["first"], "68656c6c6f2c204d617273");
    assert!(blocks.iter().all(|block| block["crc"]["right"] == true));
}

#[test]
fn the_same_bundle_is_read_from_octets_hex_dumps_and_base64() {
    let made = make(&["--payload-text", "hello"]);
    let hex: String = made.iter().map(|octet| format!("{octet:02x}")).collect();
    let dump: String = made
        .chunks(16)
        .enumerate()
        .map(|(n, row)| {
            let digits: Vec<_> = row.iter().map(|o| format!("{o:02x}")).collect();
            format!("{:08x}  {:48} |{}|\n", n * 16, digits.join(" "), ".".repeat(row.len()))
        })
        .collect();
    let run = |input: &[u8], more: &[&str]| {
        let (code, text, stderr) = piped(&[&["bundle", "inspect", "--format", "json"], more].concat(), input);
        assert_eq!(code, 0, "{stderr}");
        text
    };
    let raw = run(&made, &[]);
    assert_eq!(run(hex.as_bytes(), &[]), raw);
    assert_eq!(run(dump.as_bytes(), &[]), raw);
    assert_eq!(run(hex.as_bytes(), &["--from", "hex"]), raw);
    assert_eq!(make(&["--payload-text", "hello", "--hex"]), (hex + "\n").into_bytes());
    let two = [&made[..], &made].concat();
    assert_eq!(json_lines(&run(&two, &[])).len(), 2, "one after the other");
}

#[test]
fn every_way_to_break_a_bundle_is_refused_with_the_section_it_breaks() {
    let (_, help, _) = finish(farlink().args(["bundle", "make", "--help"]));
    let ways = "crc payload-crc crc-length crc-type version element-count scheme long-integer missing-payload \
                payload-not-last payload-number duplicate-number definite-array indefinite-data hop-limit no-break cut-off \
                trailing";
    for way in ways.split_whitespace() {
        let line = help
            .lines()
            .find(|line| line.trim_start().starts_with(&format!("{way} ")))
            .unwrap_or_else(|| panic!("{help}"));
        let section = line.split("section ").nth(1).unwrap().trim_end_matches(')');
        let made = make(&["--payload-text", "hello", "--break", way]);
        let (code, stdout, stderr) = piped(&["bundle", "validate"], &made);
        assert_eq!((code, stderr.as_str()), (1, ""), "{way}");
        let verdict = stdout.lines().last().unwrap();
        assert!(verdict.starts_with("INVALID"), "{way}: {stdout}");
        // Of elements, the message names the sections of all blocks together.
        let named = verdict.contains(section) || (way == "element-count" && verdict.contains("4.2, 4.3 and 6.1"));
        assert!(named, "{way} breaks {section}: {verdict}");
    }
}

#[test]
fn exit_codes_tell_valid_from_lapsed_from_wrong_from_nothing() {
    let valid = make(&["--payload-text", "x"]);
    let lapsed = make(&["--payload-text", "x", "--crc", "none"]);
    for (input, strict, code) in [(&valid, false, 0), (&valid, true, 0), (&lapsed, false, 0), (&lapsed, true, 1)] {
        let arguments: &[&str] = if strict { &["bundle", "validate", "--strict"] } else { &["bundle", "validate"] };
        assert_eq!(piped(arguments, input).0, code, "strict {strict}");
    }
    let (_, stdout, _) = piped(&["bundle", "validate"], &lapsed);
    assert!(stdout.contains("RFC 9171 section 4.3.1"), "{stdout}");
    assert_eq!(piped(&["bundle", "inspect"], &lapsed).0, 0);
    assert_eq!(piped(&["bundle", "inspect"], &valid[..20]).0, 1);
}

#[test]
fn what_cannot_be_read_is_told_with_what_to_do() {
    let (code, _, stderr) = piped(&["bundle", "inspect"], b"");
    assert_eq!((code, stderr.as_str()), (2, "error: standard input is empty\n"));
    let (code, _, stderr) = piped(&["bundle", "inspect"], b"9f 88 07 zz\n");
    assert_eq!(code, 2);
    assert!(stderr.contains("line 1, column 10: 'z' is no hex digit"), "{stderr}");
    let (code, _, stderr) = piped(&["bundle", "inspect"], &[0x1F, 0x8B, 8, 0]);
    assert_eq!(code, 2);
    assert!(stderr.contains("compressed with gzip") && stderr.contains("gunzip"), "{stderr}");
    let (code, _, stderr) = finish(farlink().args(["bundle", "inspect", "nowhere.bin"]));
    assert_eq!(code, 2);
    assert!(stderr.contains("nowhere.bin cannot be read"), "{stderr}");
    let dtn7 = fixture("captures/hdtn-ltp-lossy.pcapng");
    let (code, _, stderr) = finish(farlink().args(["bundle", "inspect", "--ltp-port", "9"]).arg(&dtn7));
    assert_eq!(code, 2);
    assert!(stderr.contains("no bundles in 631 packets") && stderr.contains("1113 (234)"), "{stderr}");
    for (flag, value, wanted) in [
        ("--creation", "yesterday", "2026-12-15T07:06:05Z"),
        ("--block", "1:0:00", "--payload"),
        ("--break", "nothing", "missing-payload"),
        ("--lifetime", "5", "has no unit"),
        ("--fragment", "5", "1000/20000"),
    ] {
        let (code, _, stderr) =
            finish(farlink().args(["bundle", "make", "--source", "ipn:1.1", "--destination", "ipn:2.1", flag, value]));
        assert_eq!(code, 2, "{flag}");
        assert!(stderr.contains(wanted), "{flag}: {stderr}");
    }
}

#[test]
fn bundles_of_a_capture_are_those_that_wireshark_finds() {
    let (code, stdout, stderr) =
        finish(farlink().args(["bundle", "inspect", "--format", "json"]).arg(fixture("captures/ion-ltp-lossy.pcapng")));
    assert_eq!(code, 0, "{stderr}");
    let found: Vec<_> = json_lines(&stdout).into_iter().filter(|line| line["kind"] == "bundle").collect();
    let sequences = |at_start: bool| {
        let at = found.iter().filter(|line| !at_start || line["origin"]["octet"] == 0);
        let mut sequences: Vec<_> =
            at.map(|line| line["bundle"]["primary"]["creation"]["sequence"].as_u64().unwrap()).collect();
        sequences.sort_unstable();
        sequences
    };
    assert_eq!(sequences(false), (0..13).collect::<Vec<_>>(), "every bundle that was sent");
    // Of several bundles in a block, Wireshark shows the first.
    let theirs = tshark(
        "ion-ltp-lossy",
        &["-Y", "bpv7 && udp.port == 1113", "-T", "fields", "-E", "aggregator=,", "-e", "bpv7.create_ts.seqno"],
    );
    let mut theirs: Vec<u64> = theirs.iter().flat_map(|l| l.split(',')).filter_map(|n| n.parse().ok()).collect();
    theirs.sort_unstable();
    theirs.dedup();
    assert_eq!(sequences(true), theirs);
    assert!(found.iter().all(|line| line["bundle"]["valid"] == true && line["origin"]["carrier"] == "LTP"));
}

#[test]
fn bundles_over_mtcp_and_tcpcl_are_read() {
    let (code, stdout, _) = finish(
        farlink().args(["bundle", "inspect", "--format", "json"]).arg(fixture("captures/dtn7-tcpcl-mtcp.pcapng")),
    );
    assert_eq!(code, 0);
    let lines = json_lines(&stdout);
    let bundles: Vec<_> = lines.iter().filter(|line| line["kind"] == "bundle").collect();
    let mut carriers: Vec<_> = bundles.iter().map(|bundle| bundle["origin"]["carrier"].as_str().unwrap()).collect();
    carriers.sort_unstable();
    assert_eq!(carriers, ["MTCP", "TCPCL"]);
    for bundle in bundles {
        assert_eq!(bundle["bundle"]["primary"]["destination"], "ipn:2.42");
        assert_eq!(bundle["bundle"]["lapses"].as_array().unwrap().len(), 1);
    }
    assert!(!lines.iter().any(|line| line["message"].as_str().is_some_and(|m| m.contains("TCPCL"))), "{stdout}");
}

fn shown(name: &str, input: &[u8]) {
    let (_, stdout, stderr) = piped(&["bundle", "inspect"], input);
    assert_eq!(stderr, "");
    for line in stdout.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    insta::assert_snapshot!(name, stdout);
}

#[test]
fn golden_bundles_are_shown_whole() {
    let vectors = std::fs::read_to_string(fixture("golden/rfc/rfc9173.hex")).unwrap();
    for (name, section) in [("a1-final", "A.1.4"), ("a3-original", "A.3.1.4"), ("a4-final", "A.4.5")] {
        let lines = vectors.lines().skip_while(|line| *line != format!("{section} bundle")).skip(1);
        let hex: String = lines.take_while(|line| line.starts_with(' ')).collect();
        shown(&format!("rfc9173-{name}"), hex.as_bytes());
    }
    // A delivery report: [1, [[[false], [false], [true, time], [false]], 0, ipn:1.1, [time, 4]]].
    let record = "8201848481f481f482f51b000000c60dacb40081f40082028201018 21b000000c60dac2bc304".replace(' ', "");
    let record: Vec<u8> =
        (0..record.len() / 2).map(|n| u8::from_str_radix(&record[2 * n..2 * n + 2], 16).unwrap()).collect();
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("record");
    std::fs::write(&path, record).unwrap();
    shown("status-report", &make(&["--flags", "admin-record", "--payload", path.to_str().unwrap()]));
    shown("broken-crc", &make(&["--payload-text", "hello, Mars", "--break", "crc"]));
    shown("cut-off", &make(&["--payload-text", "hello, Mars", "--break", "cut-off"]));
    shown("version-6", &make(&["--payload-text", "hello, Mars", "--break", "version"]));
}
