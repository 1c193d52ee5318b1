//! `farlink ltp inspect`: what it says of segments and sessions, compared with Wireshark, and of captures it cannot read.
#![allow(missing_docs)]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::*;
use serde_json::Value;

fn inspect(capture: &Path, more: &[&str]) -> (i32, Vec<Value>, String) {
    let (code, stdout, stderr) = finish(farlink().args(["ltp", "inspect", "--format", "json"]).args(more).arg(capture));
    (code, stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), stderr)
}

fn sessions(lines: &[Value]) -> Vec<&Value> {
    lines.iter().filter(|line| line["kind"] == "session").map(|line| &line["session"]).collect()
}

fn tshark(capture: &Path, arguments: &[&str]) -> Vec<String> {
    let mut command = std::process::Command::new("tshark");
    let (code, stdout, stderr) = finish(command.arg("-r").arg(capture).args(arguments));
    assert_eq!(code, 0, "{stderr}");
    stdout.lines().map(str::to_owned).collect()
}

#[test]
fn the_segments_are_those_that_wireshark_counts() {
    let capture = fixture("captures/ion-ltp-lossy.pcapng");
    let (_, lines, _) = inspect(&capture, &["--segments"]);
    let mut ours: BTreeMap<u64, usize> = BTreeMap::new();
    for line in lines.iter().filter(|line| line["kind"] == "segment" && line["segment"]["problem"].is_null()) {
        *ours.entry(line["segment"]["type_code"].as_u64().unwrap()).or_default() += 1;
    }
    let mut theirs: BTreeMap<u64, usize> = BTreeMap::new();
    for line in tshark(&capture, &["-Y", "ltp && udp.dstport == 1113", "-T", "fields", "-e", "ltp.type"]) {
        for code in line.split(',') {
            let code =
                code.strip_prefix("0x").map_or_else(|| code.parse().ok(), |hex| u64::from_str_radix(hex, 16).ok());
            *theirs.entry(code.unwrap()).or_default() += 1;
        }
    }
    // Wireshark does not take the cancel acknowledgment's four octets for LTP.
    theirs.insert(13, 1);
    assert_eq!(ours, theirs);
}

#[test]
fn sessions_of_ion_end_as_they_did() {
    let (code, lines, stderr) = inspect(&fixture("captures/ion-ltp-lossy.pcapng"), &[]);
    assert_eq!((code, stderr.as_str()), (1, ""), "ION's own wake-ups are no segments");
    let ends: Vec<_> = sessions(&lines)
        .iter()
        .map(|s| {
            (s["number"].as_u64().unwrap(), s["outcome"]["how"].as_str().unwrap(), s["block_length"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(
        ends,
        [(1, "completed", 100_475), (2, "cancelled", 100_395), (3, "completed", 40_158), (4, "open", 100_405)]
    );
    let cancelled = &sessions(&lines)[1]["outcome"];
    assert_eq!(
        (&cancelled["by"], &cancelled["reason"], &cancelled["acknowledged"], &cancelled["claimed_in_full"]),
        (&"sender".into(), &"RLEXC".into(), &true.into(), &true.into())
    );
    let bundles: usize = sessions(&lines).iter().map(|s| s["bundles"].as_array().unwrap().len()).sum();
    assert_eq!(bundles, 13);
    // What the capture lacks of the open session is what its receiver reports missing.
    assert_eq!(sessions(&lines)[3]["missing"], sessions(&lines)[3]["gaps_reported"]);
}

#[test]
fn a_session_of_hdtn_needs_both_ports_and_shows_as_a_ladder() {
    let capture = fixture("captures/hdtn-ltp-lossy.pcapng");
    let (_, lines, _) = inspect(&capture, &["--ltp-port", "1113,1115"]);
    let session = sessions(&lines)[0];
    assert_eq!((session["block_length"].as_u64(), session["report_segments"].as_u64()), (Some(300_000), Some(9)));
    assert_eq!(session["outcome"]["how"], "completed");
    let id = format!("10:{}", session["number"]);
    let (_, ladder, _) =
        finish(farlink().args(["ltp", "inspect", "--ltp-port", "1113,1115", "--session", &id]).arg(&capture));
    let rungs = |arrow: &str| ladder.lines().filter(|line| line.contains(arrow)).count();
    assert_eq!((rungs("─▶│"), rungs("│◀─")), (213 + 12 + 1 + 8, 9));
    assert!(ladder.lines().all(|line| line.chars().count() <= 100), "{ladder}");
    let (code, _, stderr) = finish(farlink().args(["ltp", "inspect", "--session", "1:1"]).arg(&capture));
    assert_eq!(code, 2);
    assert!(stderr.contains("no segment of session 1:1"), "{stderr}");
}

/// A report acknowledgment of session 10:4711 in a UDP datagram to port 1113.
fn udp() -> Vec<u8> {
    let segment = [0x09, 10, 0xA4, 0x67, 0x00, 7];
    [&[0x04, 0x59, 0x04, 0x59, 0, 8 + segment.len() as u8, 0, 0], &segment[..]].concat()
}

fn ipv4(identification: u8, fragment: u16, data: &[u8]) -> Vec<u8> {
    let [high, low] = fragment.to_be_bytes();
    let header =
        [0x45, 0, 0, 20 + data.len() as u8, 0, identification, high, low, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 2];
    [&header[..], data].concat()
}

fn ipv6(data: &[u8]) -> Vec<u8> {
    // Destination options before UDP, so that the chain of headers is followed.
    let options = [17, 0, 1, 4, 0, 0, 0, 0];
    let head = [0x60, 0, 0, 0, 0, 8 + data.len() as u8, 60, 64];
    [&head[..], &[0; 15], &[1], &[0; 15], &[1], &options, data].concat()
}

fn pcap(folder: &Path, link_type: u32, packets: &[Vec<u8>], cut: usize) -> PathBuf {
    let mut file = Vec::new();
    for word in [0xA1B2_C3D4u32, 0x0002_0004, 0, 0, 65_535, link_type] {
        file.extend(word.to_le_bytes());
    }
    file[4..8].copy_from_slice(&[2, 0, 4, 0]);
    for packet in packets {
        let kept = &packet[..packet.len() - cut];
        for word in [1_797_318_365, 250_000, kept.len() as u32, packet.len() as u32] {
            file.extend(word.to_le_bytes());
        }
        file.extend(kept);
    }
    let path = folder.join("capture.pcap");
    std::fs::write(&path, file).unwrap();
    path
}

#[test]
fn every_link_type_that_is_named_is_read() {
    let temp = tempfile::tempdir().unwrap();
    let (v4, v6) = (ipv4(1, 0, &udp()), ipv6(&udp()));
    let framed = |head: &[u8], ip: &[u8]| [head, ip].concat();
    let macs = [0; 12];
    let cases = [
        (1, framed(&[&macs[..], &[8, 0]].concat(), &v4)),
        (1, framed(&[&macs[..], &[0x88, 0xA8, 0, 1, 0x81, 0, 0, 2, 0x86, 0xDD]].concat(), &v6)),
        (0, framed(&[2, 0, 0, 0], &v4)),
        (108, framed(&[0, 0, 0, 24], &v6)),
        (101, v4.clone()),
        (101, v6.clone()),
        (228, v4.clone()),
        (229, v6.clone()),
        (113, framed(&[0, 0, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0], &v4)),
        (276, framed(&[8, 0, 0, 0, 0, 0, 0, 1, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0], &v4)),
    ];
    for (link_type, packet) in cases {
        let capture = pcap(temp.path(), link_type, &[packet], 0);
        let (code, lines, stderr) = inspect(&capture, &[]);
        assert_eq!(code, 0, "link type {link_type}: {stderr}");
        assert_eq!(sessions(&lines)[0]["number"], 4711);
        assert_eq!(sessions(&lines)[0]["first"], "2026-12-15T07:06:05.250000000Z");
        assert_eq!(tshark(&capture, &["-Y", "ltp", "-T", "fields", "-e", "ltp.session.number"]), ["4711"]);
    }
}

#[test]
fn fragments_are_put_together_in_any_order() {
    let temp = tempfile::tempdir().unwrap();
    let datagram = udp();
    let packets = [ipv4(9, 1, &datagram[8..]), ipv4(9, 0x2000, &datagram[..8])];
    for order in [[0, 1], [1, 0]] {
        let capture = pcap(temp.path(), 101, &order.map(|n: usize| packets[n].clone()), 0);
        let (code, lines, stderr) = inspect(&capture, &[]);
        assert_eq!((code, sessions(&lines).len()), (0, 1), "{stderr}");
    }
    let (code, lines, _) = inspect(&pcap(temp.path(), 101, &packets[..1], 0), &[]);
    assert_eq!(code, 2);
    assert!(lines[0]["message"].as_str().unwrap().contains("not all of their fragments are here"), "{lines:?}");
}

#[test]
fn captures_that_cannot_be_read_say_why() {
    let temp = tempfile::tempdir().unwrap();
    let packet = ipv4(1, 0, &udp());
    let (code, lines, stderr) = inspect(&pcap(temp.path(), 127, std::slice::from_ref(&packet), 0), &[]);
    assert_eq!(code, 2, "{stderr}");
    assert!(lines[0]["message"].as_str().unwrap().contains("link type 127 (IEEE 802.11 radiotap)"), "{lines:?}");
    let (code, lines, _) = inspect(&pcap(temp.path(), 101, std::slice::from_ref(&packet), 3), &[]);
    assert_eq!(code, 2);
    let note = lines[0]["message"].as_str().unwrap();
    assert!(note.contains("packet 1 with 31 of 34 octets") && note.contains("tcpdump -s 0"), "{note}");

    // Cut in the middle of the second packet: the first is shown all the same.
    let whole = pcap(temp.path(), 101, &[packet.clone(), packet], 0);
    let octets = std::fs::read(&whole).unwrap();
    std::fs::write(&whole, &octets[..octets.len() - 5]).unwrap();
    let (code, lines, stderr) = inspect(&whole, &[]);
    assert_eq!((code, sessions(&lines).len()), (2, 1));
    assert!(stderr.contains("octet 74: the capture ends in the middle of packet 2"), "{stderr}");
    let (code, _, stderr) = inspect(&fixture("captures/ion-ltp-lossy.pcapng"), &["--ltp-port", "7"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("5001 (282)") && stderr.contains("--ltp-port"), "{stderr}");
}
