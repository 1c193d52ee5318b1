//! The capture, read back by Wireshark's own dissectors.
#![allow(missing_docs)]

mod common;

use std::path::Path;

use common::*;

fn tshark(capture: &Path, arguments: &[&str]) -> Vec<String> {
    let mut command = std::process::Command::new("tshark");
    // Wireshark leaves checksums unverified unless it is told to look.
    command.args(["-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]);
    let (code, stdout, stderr) = finish(command.arg("-r").arg(capture).args(arguments));
    assert_eq!(code, 0, "{stderr}");
    stdout.lines().map(str::to_owned).collect()
}

#[test]
fn wireshark_reads_ltp_and_bpv7_without_a_malformed_packet() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("run");
    run_scenario(&fixture("scenarios/mars-relay.yaml"), &out, &[]);
    let capture = out.join("capture.pcapng");

    // 0x800000 is the severity "error" of Wireshark's expert information.
    let wrong = "_ws.malformed || _ws.expert.severity >= 0x800000 || ltp.mal_reception_claim || udp.checksum.status != 1 || ip.checksum.status != 1";
    assert_eq!(tshark(&capture, &["-Y", wrong]), Vec::<String>::new());
    let delivered: u64 = results(&out).channels.iter().map(|c| c.delivered.frames).sum();
    let ltp = tshark(&capture, &["-Y", "ltp && udp.port == 1113"]);
    assert_eq!(ltp.len() as u64, delivered, "every frame delivered is an LTP packet");

    let bundles =
        tshark(&capture, &["-Y", "bpv7", "-T", "fields", "-e", "bpv7.primary.src_uri", "-e", "bpv7.primary.dst_uri"]);
    assert!(bundles.iter().any(|b| b.contains("ipn:10.1") && b.contains("ipn:30.1")), "{bundles:?}");
    let wrong_crc = tshark(&capture, &["-Y", "bpv7.block_failed_crc || bpv7.crc_status == 0"]);
    assert_eq!(wrong_crc, Vec::<String>::new());
    let reports = tshark(&capture, &["-Y", "bpv7.admin_rec"]);
    assert_eq!(reports.len(), 2, "the delivery report, on two links: {reports:?}");
}

#[test]
fn packets_carry_the_time_of_the_bench_and_the_names_of_the_channels() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("run");
    run_scenario(&fixture("scenarios/mars-relay.yaml"), &out, &[]);
    let fields =
        ["-T", "fields", "-e", "frame.time_epoch", "-e", "frame.interface_name", "-e", "ip.src", "-e", "ip.dst"];
    let packets = tshark(&out.join("capture.pcapng"), &fields);
    // 2026-12-15T00:00:00Z and the first pass, 17 minutes later.
    let first: Vec<_> = packets[0].split('\t').collect();
    let seconds: f64 = first[0].parse().unwrap();
    assert!((1_797_292_800.0 + 1000.0..1_797_292_800.0 + 1100.0).contains(&seconds), "{first:?}");
    assert_eq!(first[1..], ["lander→orbiter", "198.18.0.1", "198.18.0.2"]);
}
