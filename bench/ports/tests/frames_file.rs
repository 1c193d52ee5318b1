//! Files of frames: played in time, written so that other programs read them.

mod coupling;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration as StdDuration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use coupling::{Link, Side, until};
use farlink_inspect::capture::CaptureFile;
use farlink_ports::frames_file::{FileError, FilePort};
use farlink_ports::stream::StreamPort;
use farlink_ports::{Notice, Timebase};
use farlink_units::{Duration, Instant};
use pcap_file::DataLink;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use proptest::prelude::*;
use tempfile::TempDir;

fn open(text: &str) -> Result<Side, FileError> {
    let base = Timebase::start();
    FilePort::open(text.parse().unwrap(), &base).map(|port| Side::new(port, base))
}

fn ready(text: &str) -> Side {
    open(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refusal(text: &str) -> FileError {
    open(text).err().unwrap_or_else(|| panic!("{text} was opened"))
}

/// A capture with Ethernet and IP frames: time stamp in microseconds, interface, content, octets left out.
fn capture(path: &Path, packets: &[(u64, u32, &[u8], u32)]) {
    let mut out = PcapNgWriter::new(File::create(path).unwrap()).unwrap();
    for linktype in [DataLink::ETHERNET, DataLink::RAW] {
        let options = vec![InterfaceDescriptionOption::IfTsResol(6)];
        out.write_pcapng_block(InterfaceDescriptionBlock { linktype, snaplen: 0, options }).unwrap();
    }
    for (micros, interface_id, data, cut) in packets {
        out.write_pcapng_block(EnhancedPacketBlock {
            interface_id: *interface_id,
            // The writer takes the number as it is, in the units of the interface.
            timestamp: StdDuration::from_nanos(1_700_000_000_000_000 + micros),
            original_len: data.len() as u32 + cut,
            data: (*data).into(),
            options: Vec::new(),
        })
        .unwrap();
    }
}

/// Number, Unix time in nanoseconds, link type and content of each packet.
fn packets(path: &Path) -> Vec<(i128, u32, Bytes)> {
    let mut file = CaptureFile::open(File::open(path).unwrap()).unwrap();
    let mut packets = Vec::new();
    while let Some(packet) = file.next_packet().unwrap() {
        assert_eq!(packet.original_length as usize, packet.data.len());
        packets.push((packet.unix_ns.unwrap(), packet.link_type, Bytes::copy_from_slice(packet.data)));
    }
    packets
}

fn folder() -> (TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.pcapng"), folder.path().join("out.pcapng"));
    (folder, input, output)
}

#[test]
fn frames_come_whole_and_when_the_capture_says() {
    let (_folder, input, _) = folder();
    capture(
        &input,
        &[
            (1_000, 0, b"an Ethernet frame", 0),
            (21_000, 1, b"an IP packet", 0),
            (20_900, 0, b"of another interface, and before its turn", 0),
            (61_003, 0, b"", 0),
            (61_003, 0, b"cut", 100),
            (80_000, 1, b"the last", 0),
        ],
    );
    let mut side = ready(&format!("file:in={}", input.display()));
    assert!(!side.port.is_exhausted());
    until(&mut side, "all are played", |side| side.port.is_exhausted());
    let contents: [&[u8]; 5] =
        [b"an Ethernet frame", b"an IP packet", b"of another interface, and before its turn", b"", b"the last"];
    assert_eq!(side.contents(), contents);
    let first = side.frames[0].at;
    let after: Vec<i64> = side.frames.iter().map(|frame| (frame.at - first).as_nanos() / 1000).collect();
    assert_eq!(after, [0, 20_000, 20_000, 60_003, 79_000]);
    assert!(side.base.now() >= first + Duration::from_millis(79), "nothing comes before its time");
    let [Notice::Up { .. }, Notice::Unreadable { bytes: 3, detail }] = &side.notices[..] else {
        panic!("{:?}", side.notices)
    };
    assert!(detail.contains("packet 5") && detail.contains("kept 3 of 103 octets"), "{detail}");
    assert_eq!(side.port.wake_at(), None);
}

#[test]
fn without_pace_frames_come_when_they_are_asked_for() {
    let (_folder, input, output) = folder();
    let frames: Vec<Vec<u8>> = (0..1000u32).map(|i| i.to_be_bytes().to_vec()).collect();
    let spread: Vec<(u64, u32, &[u8], u32)> =
        frames.iter().zip(0..).map(|(frame, i)| (i * 3_600_000_000, 0, &frame[..], 0)).collect();
    capture(&input, &spread);
    let mut link = Link::new(
        ready(&format!("file:in={},pace=none", input.display())),
        ready(&format!("file:out={},linktype=ethernet", output.display())),
    );
    link.until("all are copied", |link| link.a.port.is_exhausted() && link.b.queue.is_empty());
    drop(link);
    let copied = packets(&output);
    assert_eq!(copied.iter().map(|(_, _, content)| content.clone()).collect::<Vec<_>>(), frames);
    assert!(copied.iter().all(|(_, link_type, _)| *link_type == 1));
}

#[test]
fn what_is_sent_is_in_the_file_after_a_second_with_its_time() {
    let (_folder, _, output) = folder();
    let mut side = ready(&format!("file:out={}", output.display()));
    assert!(side.port.is_exhausted());
    assert!(packets(&output).is_empty(), "a file without frames is a capture already");
    let unix = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i128;
    let before = unix();
    for frame in [&b"one"[..], b"", b"three"] {
        side.send(Bytes::from_static(frame));
    }
    until(&mut side, "all are taken", |side| side.queue.is_empty());
    let after = unix();
    let due = side.port.wake_at().unwrap();
    assert!(due <= side.base.now() + Duration::from_secs(1));
    until(&mut side, "they are written", |side| side.port.wake_at().is_none());
    let written = packets(&output);
    assert_eq!(written.iter().map(|(_, _, content)| &content[..]).collect::<Vec<_>>(), [&b"one"[..], b"", b"three"]);
    // The wall clock may be slewed a little meanwhile.
    let margin = 50_000_000;
    assert!(
        written
            .iter()
            .all(|(at, link_type, _)| { *link_type == 147 && (before - margin..=after + margin).contains(at) })
    );

    side.send(vec![7; 262_145]);
    side.send("to the end");
    until(&mut side, "it is taken", |side| side.queue.is_empty());
    assert!(side.refused[0].contains("262145 octets is longer than the 262144"), "{:?}", side.refused);
    drop(side);
    assert_eq!(packets(&output).last().unwrap().2, "to the end", "what is held back is written at the end");
}

#[test]
fn tshark_reads_what_is_written() {
    let (_folder, _, output) = folder();
    let mut side = ready(&format!("file:out={},linktype=ethernet", output.display()));
    let ping = b"\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\x01\x88\xb5just a frame of local use";
    side.send(Bytes::from_static(ping));
    side.send(Bytes::from_static(b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x88\xb6."));
    until(&mut side, "all are taken", |side| side.queue.is_empty());
    drop(side);
    let tshark = Command::new("tshark")
        .args(["-r", output.to_str().unwrap(), "-T", "fields", "-e", "frame.time_epoch", "-e", "frame.len"])
        .args(["-e", "eth.src"])
        .output()
        .expect("tshark is needed for this test: install the package `tshark`");
    let told = String::from_utf8(tshark.stdout).unwrap();
    let times: Vec<i128> = packets(&output).iter().map(|(at, ..)| *at).collect();
    let time = |at: i128| format!("{}.{:09}", at / 1_000_000_000, at % 1_000_000_000);
    let expected =
        format!("{}\t{}\t02:00:00:00:00:01\n{}\t15\t02:00:00:00:00:02\n", time(times[0]), ping.len(), time(times[1]));
    assert_eq!(told, expected, "{}", String::from_utf8_lossy(&tshark.stderr));
}

#[test]
fn a_file_is_played_into_a_stream_and_written_from_it() {
    let (_folder, input, output) = folder();
    let bundles: Vec<Vec<u8>> = (1..200usize).map(|length| vec![length as u8; 50 * length]).collect();
    let listed: Vec<(u64, u32, &[u8], u32)> = bundles.iter().map(|bundle| (0, 0, &bundle[..], 0)).collect();
    capture(&input, &listed);
    let base = Timebase::start();
    let listening = StreamPort::open("tcp:0,framing=mtcp".parse().unwrap(), &base).unwrap();
    let to = format!("tcp:{},connect,framing=mtcp", listening.address());
    let calling = Side::new(StreamPort::open(to.parse().unwrap(), &base).unwrap(), base);
    let mut sending = Link::new(ready(&format!("file:in={}", input.display())), calling);
    let mut receiving = Link::new(Side::new(listening, base), ready(&format!("file:out={}", output.display())));
    let deadline = std::time::Instant::now() + coupling::PATIENCE;
    while packets(&output).len() < bundles.len() {
        assert!(std::time::Instant::now() < deadline);
        sending.turn();
        receiving.turn();
    }
    assert_eq!(packets(&output).into_iter().map(|(_, _, content)| content).collect::<Vec<_>>(), bundles);
    // The file that is played takes nothing, and says so.
    receiving.a.send("back");
    until(&mut receiving.a, "it is sent", |side| side.queue.is_empty());
    sending.until("it is refused", |link| !link.a.refused.is_empty());
    assert!(sending.a.refused[0].contains("give it `out=`"));
}

#[test]
fn files_that_cannot_be_used_are_named_with_a_remedy() {
    let (folder, input, output) = folder();
    let path = input.display();
    let missing = refusal(&format!("file:in={path}"));
    assert!(matches!(missing, FileError::Missing { .. }), "{missing}");
    fs::write(&input, "no capture at all").unwrap();
    let text = refusal(&format!("file:in={path}")).to_string();
    assert!(text.starts_with(&format!("{path}: is no capture")) && text.contains("tshark -w"), "{text}");
    fs::write(&input, "").unwrap();
    assert!(matches!(refusal(&format!("file:in={path}")), FileError::Capture { .. }));
    let directory = refusal(&format!("file:in={}", folder.path().display()));
    assert!(directory.to_string().contains("is a directory, not a file"), "{directory}");
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for key in ["in", "out"] {
        let refused = refusal(&format!("file:{key}={}", pipe.display()));
        assert!(matches!(refused, FileError::NotAFile { .. }), "{refused}");
    }

    let nowhere = refusal(&format!("file:out={}/nowhere/out.pcapng", folder.path().display()));
    assert!(matches!(nowhere, FileError::NoDirectory { .. }), "{nowhere}");
    assert!(matches!(refusal(&format!("file:out={}", folder.path().display())), FileError::NotAFile { .. }));
    let full = refusal("file:out=/dev/full");
    assert!(full.to_string().contains("the disk is full (`df` shows what is left)"), "{full}");

    capture(&input, &[(0, 0, b"precious", 0)]);
    fs::hard_link(&input, &output).unwrap();
    let same = refusal(&format!("file:in={path},out={}", output.display()));
    assert!(matches!(same, FileError::Same { .. }), "{same}");
    assert_eq!(packets(&input)[0].2, "precious", "it is not overwritten");
}

/// A file system that is soon full.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k", "farlink-test"])
            .arg(folder.path())
            .output()
            .expect("`mount` is needed for this test");
        let why = String::from_utf8_lossy(&mounted.stderr);
        assert!(mounted.status.success(), "this test mounts a small tmpfs, for which it must be root: {why}");
        SmallDisk(folder)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_told_and_nothing_that_was_taken_is_lost() {
    let disk = SmallDisk::new();
    let (output, ballast) = (disk.0.path().join("out.pcapng"), disk.0.path().join("ballast"));
    let mut side = ready(&format!("file:out={}", output.display()));
    fs::write(&ballast, vec![0; 100_000]).unwrap();
    for i in 0..400u32 {
        side.send(i.to_be_bytes().repeat(250));
    }
    until(&mut side, "it is full", |side| side.downs() == 1 && side.queue.is_empty());
    let Some(Notice::Down { detail, lost_frames: 0 }) = side.notices.last() else { panic!("{:?}", side.notices) };
    assert!(detail.contains("the disk is full") && detail.contains("are held until then"), "{detail}");
    assert!(side.undeliverable > 0);
    fs::remove_file(&ballast).unwrap();
    until(&mut side, "it goes on", |side| side.ups() == 2);
    side.send("at last");
    until(&mut side, "it is taken", |side| side.queue.is_empty());
    let lost = side.undeliverable;
    drop(side);
    let written = packets(&output);
    let (last, others) = written.split_last().unwrap();
    assert_eq!((others.len(), &last.2[..]), (400 - lost, &b"at last"[..]));
    for ((_, _, content), i) in others.iter().zip(0u32..) {
        assert_eq!(content[..], i.to_be_bytes().repeat(250)[..]);
    }
}

#[test]
fn a_capture_that_breaks_off_is_played_up_to_there() {
    let (_folder, input, _) = folder();
    capture(&input, &[(0, 0, b"first", 0), (0, 0, b"second", 0)]);
    let whole = fs::read(&input).unwrap();
    let text = format!("file:in={},pace=none", input.display());
    for length in 0..whole.len() {
        fs::write(&input, &whole[..length]).unwrap();
        let Ok(mut side) = open(&text) else { continue };
        until(&mut side, "it ends", |side| side.port.is_exhausted());
        let contents = side.contents();
        assert!(contents.len() < 2 && contents.iter().all(|content| content == "first"));
        let unreadable = side.told(|notice| {
            matches!(notice, Notice::Unreadable { detail, .. }
            if detail.contains(input.to_str().unwrap()) && detail.contains("ends in the middle of packet"))
        });
        // Behind a whole block the file may end.
        assert!(unreadable == 1 || contents.is_empty() || length == whole.len() - 40, "{length}: {:?}", side.notices);
    }
    // A block that claims to be huge.
    let mut huge = whole.clone();
    let second = whole.len() - 40;
    assert_eq!(whole[second..second + 4], 6u32.to_ne_bytes());
    huge[second + 4..second + 8].copy_from_slice(&0xFFFF_FFF0u32.to_ne_bytes());
    fs::write(&input, &huge).unwrap();
    let mut side = ready(&text);
    until(&mut side, "it ends", |side| side.port.is_exhausted());
    assert_eq!(side.contents(), ["first"]);
    assert!(format!("{:?}", side.notices).contains("claims a length of 4294967280 octets"), "{:?}", side.notices);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_capture_is_believed(places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)) {
        let (_folder, input, _) = folder();
        capture(&input, &[(0, 0, b"first", 0), (10, 1, b"second", 3), (20, 0, b"third", 0)]);
        let mut octets = fs::read(&input).unwrap();
        for (place, octet) in places {
            let place = place.index(octets.len());
            octets[place] = octet;
        }
        fs::write(&input, &octets).unwrap();
        if let Ok(mut side) = open(&format!("file:in={},pace=none", input.display())) {
            until(&mut side, "it ends", |side| side.port.is_exhausted());
            prop_assert!(side.octets().len() <= octets.len());
            prop_assert!(side.frames.iter().all(|frame| frame.at >= Instant::ZERO));
        }
    }
}
