//! Delay stores on real disks: full ones, such as cannot be used, processes that are killed, memory that is measured.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant as Real};

use bytes::Bytes;
use farlink_channel_models::{Errors, LightTime, Rate};
use farlink_link::store::{SpillConfig, StoreBudget, StoreError};
use farlink_link::{Arrival, Channel, ChannelConfig, Contacts, Damaged, DelayStore};
use farlink_record::counters::{ChannelCounters, Tally};
use farlink_record::instrument::SpillState;
use farlink_record::{ChannelId, Delays, LossCause};
use farlink_units::{BitRate, Instant};

const MIB: u64 = 1 << 20;
/// Longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// A memory file system of its own, that is gone with this.
struct Tmpfs {
    at: PathBuf,
    _directory: tempfile::TempDir,
}

impl Tmpfs {
    fn new(bytes: u64, options: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().join("disk");
        fs::create_dir(&at).unwrap();
        let options = format!("size={bytes}{options}");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&at).output().unwrap();
        assert!(
            mount.status.success(),
            "no tmpfs can be mounted, which takes root with CAP_SYS_ADMIN: {}",
            String::from_utf8_lossy(&mount.stderr)
        );
        Tmpfs { at, _directory: directory }
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: a test that failed may still have the file open.
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

fn at(number: u64) -> Instant {
    Instant::from_nanos(number as i64 * 1000)
}

/// The frame of a number; its content follows from the number.
fn frame(number: u64) -> Arrival {
    let mut content = vec![number as u8; 1000];
    content[..8].copy_from_slice(&number.to_le_bytes());
    Arrival {
        at: at(number),
        frame: number,
        bytes: 1000,
        content: content.into(),
        flipped_bits: 0,
        lost: None,
        delays: Delays::default(),
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Real::now();
    while !holds() {
        assert!(start.elapsed() < DEADLINE, "{what}: not within {DEADLINE:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn state(budget: &StoreBudget) -> SpillState {
    budget.state().spill.unwrap()
}

/// Puts a frame in, and waits until there is room if the disk is slow.
fn push(store: &mut DelayStore, number: u64) {
    until("there is room", || match store.room(1000) {
        Ok(()) => true,
        Err(LossCause::StoreSlow) => false,
        Err(cause) => panic!("{cause:?} at frame {number}"),
    });
    store.push_back(frame(number));
}

/// Takes every frame of `numbers`, and waits for the disk if need be.
fn drain(store: &mut DelayStore, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let mut taken = None;
        until("the disk gives it back", || {
            taken = store.take_due(at(u64::from(u32::MAX)));
            taken.is_some() || !store.waits_for_disk()
        });
        assert!(taken == Some(frame(number)), "frame {number} is not what it was: {taken:?}");
    }
}

/// Puts frames in until the disk is full and so is memory. Returns how many.
fn fill(store: &mut DelayStore, mut number: u64) -> u64 {
    until("it is full", || {
        loop {
            match store.room(1000) {
                Ok(()) => store.push_back(frame(number)),
                Err(cause) => return cause == LossCause::StoreFull,
            }
            number += 1;
        }
    });
    number
}

#[test]
fn a_disk_that_is_full_is_told_and_used_again_when_there_is_room() {
    let disk = Tmpfs::new(24 * MIB, "");
    let others = disk.at.join("others");
    fs::write(&others, vec![1; 12 * MIB as usize]).unwrap();
    let config = SpillConfig { step_bytes: 4 * MIB, ..SpillConfig::new(&disk.at) };
    let budget = StoreBudget::new(4 * MIB, Some(&config)).unwrap();
    let mut store = DelayStore::bounded(&budget);

    let first = fill(&mut store, 0);
    let full = state(&budget);
    assert!(full.full && full.write_failures > 0, "{full:?}");
    assert!(full.last_error.as_ref().unwrap().contains("No space left"), "{full:?}");
    assert!(full.allocated_bytes > 11 * MIB && full.allocated_bytes <= 12 * MIB, "{full:?}");
    assert!(first * 1056 > 14 * MIB, "{first} frames in 12 MiB of disk and 4 MiB of memory");
    assert_eq!(store.tally(), Tally { frames: first, bits: first * 8000 });

    // Room on the disk, since others leave it.
    fs::remove_file(&others).unwrap();
    until("what waits is written", || state(&budget).backlog_bytes == 0);
    assert!(!state(&budget).full);
    let second = fill(&mut store, first);
    assert!((second - first) * 1056 > 10 * MIB, "{first} and {second}");

    // Room in the store, since frames are taken.
    drain(&mut store, 0..second / 2);
    let third = fill(&mut store, second);
    // Chunks that are read ahead, or waited to be written, take their part.
    assert!(third > second, "{second} and {third}");
    drain(&mut store, second / 2..third);
    let end = state(&budget);
    assert_eq!((end.on_disk_bytes, end.lost), (0, Tally::default()));
    assert!(budget.state().memory_peak_bytes <= 4 * MIB + 70_000, "{:?}", budget.state());
}

#[test]
fn a_limit_on_the_disk_holds() {
    let directory = tempfile::tempdir().unwrap();
    let config = SpillConfig { limit_bytes: Some(8 * MIB), step_bytes: 3 * MIB, ..SpillConfig::new(directory.path()) };
    let budget = StoreBudget::new(4 * MIB, Some(&config)).unwrap();
    let mut store = DelayStore::bounded(&budget);
    let pushed = fill(&mut store, 0);
    let full = state(&budget);
    assert!(full.allocated_bytes > 7 * MIB && full.allocated_bytes <= 8 * MIB, "{full:?}");
    assert!(full.last_error.unwrap().contains("that the spill file may take are in use"));
    drain(&mut store, 0..pushed);
}

#[test]
fn a_directory_that_cannot_be_used_is_refused_with_the_remedy() {
    let refused = |config: &SpillConfig| StoreBudget::new(64 * MIB, Some(config)).unwrap_err();
    let holds = |error: &StoreError, parts: &[&str]| {
        let text = error.to_string();
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    };
    let directory = tempfile::tempdir().unwrap();

    let missing = directory.path().join("missing");
    let error = refused(&SpillConfig::new(&missing));
    assert!(matches!(error, StoreError::Missing { .. }), "{error:?}");
    holds(&error, &[missing.to_str().unwrap(), "make it"]);

    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    for named in [file.clone(), file.join("under")] {
        let error = refused(&SpillConfig::new(&named));
        assert!(matches!(error, StoreError::NoDirectory { .. }), "{error:?}");
        holds(&error, &[named.to_str().unwrap(), "is no directory"]);
    }

    let read_only = Tmpfs::new(64 * MIB, ",ro");
    let error = refused(&SpillConfig { step_bytes: MIB, ..SpillConfig::new(&read_only.at) });
    assert!(matches!(error, StoreError::NotWritable { .. }), "{error:?}");
    holds(&error, &["Read-only file system", "write access"]);

    let small = Tmpfs::new(8 * MIB, "");
    for config in [
        SpillConfig { limit_bytes: Some(9 * MIB), step_bytes: MIB, ..SpillConfig::new(&small.at) },
        SpillConfig { limit_bytes: None, step_bytes: 9 * MIB, ..SpillConfig::new(&small.at) },
    ] {
        let error = refused(&config);
        assert!(
            matches!(error, StoreError::DiskTooSmall { free, asked, .. } if free == 8 * MIB && asked == 9 * MIB),
            "{error:?}"
        );
        holds(&error, &["8388608 bytes are free", "make room"]);
    }
    StoreBudget::new(64 * MIB, Some(&SpillConfig { limit_bytes: Some(8 * MIB), ..SpillConfig::new(&small.at) }))
        .unwrap();

    let error = refused(&SpillConfig { limit_bytes: Some(1000), ..SpillConfig::new(directory.path()) });
    assert!(matches!(error, StoreError::LimitTooSmall { asked: 1000, .. }), "{error:?}");
    holds(&error, &["at least 262144"]);

    let error = StoreBudget::new(MIB, None).unwrap_err();
    assert!(matches!(error, StoreError::MemoryTooSmall { .. }), "{error:?}");
    holds(&error, &["1048576 bytes", "at least 4194304"]);
}

/// Bytes of a line of `/proc/self/status`.
fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// This program as another process, which runs one test that is ignored.
fn child(test: &str, directory: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", test, "--nocapture"]).env("FARLINK_TEST_SPILL", directory);
    command
}

fn spill_of_child() -> SpillConfig {
    let directory = std::env::var_os("FARLINK_TEST_SPILL").expect("the directory");
    SpillConfig { step_bytes: 64 * MIB, ..SpillConfig::new(directory) }
}

#[test]
#[ignore = "the process that `memory_stays_bounded_with_much_on_disk` starts"]
fn process_with_much_on_disk() {
    let before = status("VmRSS");
    let budget = StoreBudget::new(32 * MIB, Some(&spill_of_child())).unwrap();
    let mut stores = [DelayStore::bounded(&budget), DelayStore::bounded(&budget)];
    let frames = 150 * MIB / 1000;
    for number in 0..frames {
        for store in &mut stores {
            push(store, number);
        }
    }
    assert!(state(&budget).on_disk_bytes + state(&budget).backlog_bytes > 250 * MIB, "{:?}", state(&budget));
    for store in &mut stores {
        assert_eq!(store.tally().frames, frames);
        drain(store, 0..frames);
    }
    assert!(budget.state().memory_peak_bytes <= 34 * MIB, "{:?}", budget.state());
    println!("\ngrew by {}", status("VmHWM") - before);
}

#[test]
fn memory_stays_bounded_with_much_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let output = child("process_with_much_on_disk", directory.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let grown: u64 = text.lines().find_map(|line| line.strip_prefix("grew by ")).unwrap().parse().unwrap();
    // Of 300 MiB under way: the budget, a chunk for each direction, and what the threads and the allocator take.
    assert!(grown > 16 * MIB && grown < 42 * MIB, "{grown} bytes");
}

#[test]
#[ignore = "the process that `nothing_is_left_of_a_process_that_is_killed` starts"]
fn process_that_spills_until_killed() {
    let budget = StoreBudget::new(4 * MIB, Some(&spill_of_child())).unwrap();
    let mut store = DelayStore::bounded(&budget);
    let mut told = false;
    for number in 0.. {
        push(&mut store, number);
        // A window, so that it neither ends nor fills the disk.
        if number >= 20_000 {
            drain(&mut store, number - 20_000..number - 19_999);
        }
        if !told && state(&budget).on_disk_bytes > 8 * MIB {
            println!("\nspilling");
            told = true;
        }
    }
}

#[test]
fn nothing_is_left_of_a_process_that_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let mut child =
            child("process_that_spills_until_killed", directory.path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let spilling = lines.by_ref().any(|line| line.unwrap() == "spilling");
        let files: Vec<_> = fs::read_dir(format!("/proc/{}/fd", child.id()))
            .unwrap()
            .filter_map(|fd| fs::metadata(fd.unwrap().path()).ok())
            .filter(|file| file.is_file() && file.len() > 63 * MIB)
            .collect();
        let names = fs::read_dir(directory.path()).unwrap().count();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(spilling, "it ended before it was killed");
        assert_eq!(files.len(), 1, "it had its file open");
        assert_eq!(names, 0, "the file has no name");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}

/// A channel of 800 Mbit/s, so that a frame of 1000 bytes takes ten microseconds, with this store.
fn channel(store: DelayStore, light_time: farlink_units::Duration) -> Channel {
    let config = ChannelConfig {
        id: ChannelId(0),
        rate: Rate::constant(BitRate::from_bps(800_000_000).unwrap()),
        overhead_bits: 0,
        contacts: Contacts::Always,
        light_time: LightTime::Constant(light_time),
        seed: 1,
        errors: Errors::none(),
        damaged: Damaged::Drop,
        radio: None,
        queue_bits: 1 << 20,
    };
    Channel::with_store(config, store)
}

/// When the frame of a number is offered: as the one before it has left.
fn offered(number: u64) -> Instant {
    Instant::from_nanos(number as i64 * 10_000)
}

#[test]
fn a_channel_counts_what_its_store_has_no_room_for() {
    let budget = StoreBudget::new(4 * MIB, None).unwrap();
    let mut channel = channel(DelayStore::bounded(&budget), farlink_units::Duration::from_secs(4));
    let mut counters = ChannelCounters::default();
    for number in 0..10_000 {
        channel.offer(offered(number), frame(number).content, |event| counters.apply(&event));
        assert_eq!(channel.in_flight(), counters.in_flight());
    }
    let lost = counters.lost[&LossCause::StoreFull];
    assert_eq!(counters.lost.len(), 1);
    assert_eq!(counters.in_flight().frames + lost.frames, 10_000);
    assert!((3800..4000).contains(&counters.in_flight().frames), "{counters:?}: frames of 1056 bytes in 4 MiB");
    assert!(budget.state().memory_peak_bytes <= 4 * MIB, "{:?}", budget.state());

    // Those that were accepted come; then there is room again.
    let late = Instant::from_nanos(i64::MAX);
    while let Some(arrival) = channel.take_due(late) {
        counters.apply(&arrival.event(ChannelId(0)));
    }
    assert_eq!(counters.delivered.frames + lost.frames, 10_000);
    assert_eq!((counters.in_flight(), channel.in_flight()), (Tally::default(), Tally::default()));
    channel.offer(late, Bytes::from_static(b"again"), |event| counters.apply(&event));
    assert_eq!(counters.lost_in_all(), lost);
}

#[test]
fn a_channel_delivers_over_the_disk_what_it_was_given() {
    let directory = tempfile::tempdir().unwrap();
    let config = SpillConfig { step_bytes: 16 * MIB, ..SpillConfig::new(directory.path()) };
    let budget = StoreBudget::new(8 * MIB, Some(&config)).unwrap();
    let light_time = farlink_units::Duration::from_millis(400);
    let mut channel = channel(DelayStore::bounded(&budget), light_time);
    let mut counters = ChannelCounters::default();
    let (mut delivered, mut offers) = (0, 0);
    while delivered < 100_000 {
        let next = if offers < 100_000 { offered(offers) } else { Instant::from_nanos(i64::MAX) };
        while channel.next_due().is_some_and(|due| due <= next) {
            // Time stands still while the disk is slow: this is about what comes, not when.
            until("the disk is ready", || state(&budget).backlog_bytes < MIB);
            let mut taken = None;
            until("the disk gives it back", || {
                taken = channel.take_due(next);
                taken.is_some()
            });
            let arrival = taken.unwrap();
            assert!(arrival.content == frame(delivered).content, "frame {delivered}");
            assert_eq!(arrival.at, offered(delivered + 1) + light_time);
            counters.apply(&arrival.event(ChannelId(0)));
            delivered += 1;
        }
        if offers < 100_000 {
            until("the disk is ready", || state(&budget).backlog_bytes < MIB);
            channel.offer(next, frame(offers).content, |event| counters.apply(&event));
            offers += 1;
        }
    }
    assert_eq!((counters.delivered.frames, counters.lost_in_all()), (100_000, Tally::default()));
    assert_eq!(counters.in_flight(), Tally::default());
    assert!(state(&budget).read_bytes > 20 * MIB, "{:?}", state(&budget));
}
