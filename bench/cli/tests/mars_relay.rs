//! The first scenario, whole, under the virtual clock.
#![allow(missing_docs)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use common::*;
use farlink_record::results::Verdict;
use farlink_record::{BundleNotice, Event, LossCause};
use farlink_units::{Duration, Instant};

#[test]
fn a_picture_crosses_from_mars_and_a_command_is_answered() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("run");
    let (code, stdout, stderr) = run_scenario(&fixture("scenarios/mars-relay.yaml"), &out, &[]);
    assert_eq!(code, 0, "{stdout}{stderr}");

    let results = results(&out);
    for id in ["image.arrives", "command.arrives", "command.delivery-report"] {
        assert_eq!(verdict(&results, id), Verdict::Pass, "{stdout}");
    }
    let delivered = fs::read(out.join("delivered/image-husband-hill.png")).unwrap();
    assert!(delivered == fs::read(fixture("payload/husband-hill.png")).unwrap(), "the picture is not what was sent");
    assert_eq!(fs::read_to_string(out.join("delivered/command.txt")).unwrap(), "Drive on to the next rock.");
    assert!(stdout.contains(&results.recording_sha256), "the summary names the hash of the recording");
    assert!(fs::read_to_string(out.join("junit.xml")).unwrap().contains("image.arrives"));
}

#[test]
fn the_recording_adds_up_channel_by_channel() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("run");
    run_scenario(&fixture("scenarios/mars-relay.yaml"), &out, &[]);
    let (header, events) = recording(&out);
    // Counted here from the events alone, frame by frame, without the bench's own counters.
    let mut under_way: BTreeMap<(u16, u64), u32> = BTreeMap::new();
    let mut sums = vec![[0u64; 3]; header.channels.len()];
    for stamped in &events {
        match stamped.event {
            Event::FrameSent { channel, frame, bytes, .. } => {
                sums[usize::from(channel.0)][0] += u64::from(bytes) * 8;
                assert_eq!(under_way.insert((channel.0, frame), bytes), None, "frame {frame} sent twice");
            }
            Event::FrameDelivered { channel, frame, bytes, .. } => {
                sums[usize::from(channel.0)][1] += u64::from(bytes) * 8;
                assert_eq!(under_way.remove(&(channel.0, frame)), Some(bytes));
            }
            Event::FrameLost { channel, frame, bytes, .. } => {
                sums[usize::from(channel.0)][2] += u64::from(bytes) * 8;
                assert_eq!(under_way.remove(&(channel.0, frame)), Some(bytes));
            }
            _ => {}
        }
    }
    assert!(under_way.is_empty(), "in flight at the end: {under_way:?}");
    let results = results(&out);
    for (channel, [sent, delivered, lost]) in results.channels.iter().zip(sums) {
        assert!(channel.balanced && sent > 0);
        assert_eq!((channel.sent.bits, channel.delivered.bits), (sent, delivered), "{}", channel.name);
        assert_eq!(channel.lost.values().map(|t| t.bits).sum::<u64>(), lost, "{}", channel.name);
        assert_eq!(sent, delivered + lost, "{}", channel.name);
    }
}

#[test]
fn nothing_is_sent_outside_a_contact_and_light_takes_its_time() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("run");
    run_scenario(&fixture("scenarios/mars-relay.yaml"), &out, &[]);
    let (header, events) = recording(&out);
    let down = header.channels.iter().position(|c| c.name == "orbiter→station").unwrap();
    let mut sent = BTreeMap::new();
    let mut light_times = Vec::new();
    for stamped in &events {
        match &stamped.event {
            Event::FrameSent { channel, frame, bytes, start } => {
                let info = &header.channels[usize::from(channel.0)];
                let inside = info.contacts.iter().any(|c| *start >= c.start && *start < c.end);
                assert!(inside, "{} sends at {start}, outside its contacts", info.name);
                sent.insert((channel.0, *frame), (*start, *bytes));
            }
            Event::FrameLost { cause, .. } => assert_eq!(*cause, LossCause::BitErrors, "at {}", stamped.at),
            Event::FrameDelivered { channel, frame, .. } if usize::from(channel.0) == down => {
                let (start, bytes) = sent[&(channel.0, *frame)];
                // The frame and 12 bytes of link layer at 256 kbit/s.
                let serialised = Duration::of_bits((u64::from(bytes) + 12) * 8, 256_000);
                light_times.push((stamped.at, stamped.at - start - serialised));
            }
            _ => {}
        }
    }
    // Skyfield 1.55 with DE421 gives 525.3616 s from the centre of Mars to Goldstone at reception 07:23 UTC; the orbiter is
    // at most 3815 km, or 12.7 ms, to either side of that centre.
    let near = |wanted: Instant| light_times.iter().min_by_key(|(at, _)| (*at - wanted).as_nanos().abs()).unwrap();
    let (at, light_time) = near(Instant::ZERO + "443 min".parse().unwrap());
    assert!((light_time.as_secs_f64() - 525.3616).abs() < 0.015, "{light_time} at {at}");
    let spread =
        light_times.iter().map(|(_, d)| *d).max().unwrap() - light_times.iter().map(|(_, d)| *d).min().unwrap();
    assert!(spread > Duration::from_millis(100), "light time moves by {spread} only");
}

#[test]
fn the_orbiter_stores_the_picture_until_it_sees_the_station() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("run");
    run_scenario(&fixture("scenarios/mars-relay.yaml"), &out, &[]);
    let (header, events) = recording(&out);
    let orbiter = header.nodes.iter().position(|n| n.name == "orbiter").unwrap() as u16;
    let bundles = |wanted: fn(&BundleNotice) -> bool| {
        let at_orbiter = events.iter().filter(move |s| {
            matches!(&s.event, Event::Bundle { node, traffic: Some(t), notice, .. } if node.0 == orbiter && t.0 == 0 && wanted(notice))
        });
        at_orbiter.map(|s| s.at).collect::<Vec<_>>()
    };
    let received = bundles(|n| matches!(n, BundleNotice::Received { .. }));
    let forwarded = bundles(|n| matches!(n, BundleNotice::Forwarded { .. }));
    assert_eq!(received.len(), 32, "2,045,101 bytes in bundles of 64 KiB");
    assert_eq!(forwarded.len(), received.len());
    assert!(*forwarded.iter().min().unwrap() - *received.iter().max().unwrap() > "6 h".parse().unwrap());
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_one_processor_and_on_all() {
    let temp = tempfile::tempdir().unwrap();
    let scenario = fixture("scenarios/mars-relay.yaml");
    let read = |name: &str| fs::read(temp.path().join(name).join("recording.jsonl")).unwrap();
    run_scenario(&scenario, &temp.path().join("first"), &[]);
    run_scenario(&scenario, &temp.path().join("second"), &[]);
    let pinned = temp.path().join("pinned");
    let (code, ..) = finish(
        Command::new("taskset").args(["-c", "0", FARLINK, "run", "--headless", "--out"]).arg(&pinned).arg(&scenario),
    );
    assert_eq!(code, 0);
    run_scenario(&scenario, &temp.path().join("other"), &["--seed", "2"]);
    assert!(read("first") == read("second"), "twice the same seed, and the recordings differ");
    assert!(read("first") == read("pinned"), "the number of processors shows in the recording");
    assert!(read("first") != read("other"), "another seed, and the recordings are the same");
    let capture = |name: &str| fs::read(temp.path().join(name).join("capture.pcapng")).unwrap();
    assert!(capture("first") == capture("second"), "the captures differ");
}

#[test]
fn any_file_can_be_the_payload() {
    let temp = tempfile::tempdir().unwrap();
    let payload = temp.path().join("Any file, ünïcode.bin");
    fs::write(&payload, (0..300_001u32).map(|i| (u64::from(i).pow(2) >> 7) as u8).collect::<Vec<_>>()).unwrap();
    let out = temp.path().join("run");
    let scenario = fixture("scenarios/mars-relay.yaml");
    let (code, stdout, stderr) = run_scenario(&scenario, &out, &["--payload", payload.to_str().unwrap()]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let arrived = fs::read(out.join("delivered/image-Any file, ünïcode.bin")).unwrap();
    assert!(arrived == fs::read(&payload).unwrap());
}

#[test]
fn damage_that_the_link_lets_through_is_found_by_the_bundle_and_the_run_fails() {
    let temp = tempfile::tempdir().unwrap();
    let scenario = changed("scenarios/mars-relay.yaml", temp.path(), |text| {
        assert!(text.contains("damaged_frames: drop"));
        text.replace("damaged_frames: drop", "damaged_frames: deliver")
    });
    let out = temp.path().join("run");
    let (code, stdout, stderr) = run_scenario(&scenario, &out, &[]);
    assert_eq!(code, 1, "{stdout}{stderr}");
    let results = results(&out);
    assert_eq!(verdict(&results, "image.arrives"), Verdict::Fail);
    let down = results.channels.iter().find(|c| c.name == "lander→orbiter").unwrap();
    assert!(down.delivered_damaged.frames > 0 && down.lost.is_empty(), "{down:?}");
    let (_, events) = recording(&out);
    let refused = events.iter().any(|s| matches!(&s.event, Event::Bundle { notice: BundleNotice::Refused { .. }, .. }));
    assert!(refused, "no bundle was refused for its checksum");
}

#[test]
fn what_does_not_come_in_time_fails_and_says_what_was_expected() {
    let temp = tempfile::tempdir().unwrap();
    let scenario =
        changed("scenarios/mars-relay.yaml", temp.path(), |text| text.replace("arrives_by: 12 h", "arrives_by: 7 h"));
    let (code, stdout, _) = run_scenario(&scenario, &temp.path().join("run"), &[]);
    assert_eq!(code, 1, "{stdout}");
    assert!(stdout.contains("expected: whole by 07:00:00.000; actual: whole at 07:2"), "{stdout}");
}

#[test]
fn json_is_printed_alone() {
    let temp = tempfile::tempdir().unwrap();
    let scenario = fixture("scenarios/mars-relay.yaml");
    let (code, stdout, _) = run_scenario(&scenario, &temp.path().join("run"), &["--format", "json"]);
    assert_eq!(code, 0);
    let printed: serde_json::Value = serde_json::from_str(&stdout).expect("nothing but JSON on standard output");
    assert_eq!(printed["scenario"], "mars-relay");
}
