//! How many frames a second go through a delay store, and what 3 GB under way take of memory.
//!
//! ```text
//! cargo bench -p farlink-link --bench store [-- DIR [GIGABYTES]]
//! ```
//!
//! Frames of 1024 bytes, one direction, as quick as one thread can put them in and take them out again; where the disk is slower
//! than that, it is waited for. The last line is a process of its own, so that its memory is what the store takes: 400 Mbit/s
//! over 60 s are under way before the first frame is taken, and from then on one goes in for each that comes out.

use std::collections::VecDeque;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant as Real};

use bytes::Bytes;
use farlink_link::store::{SpillConfig, StoreBudget};
use farlink_link::{Arrival, DelayStore};
use farlink_record::Delays;
use farlink_record::instrument::StoreState;
use farlink_units::Instant;

const FRAME_BYTES: usize = 1024;
const MIB: u64 = 1 << 20;

fn frame(number: u64, content: &Bytes) -> Arrival {
    Arrival {
        at: Instant::from_nanos(number as i64 * 20_480),
        frame: number,
        bytes: FRAME_BYTES as u32,
        content: content.clone(),
        flipped_bits: 0,
        lost: None,
        delays: Delays::default(),
    }
}

/// What a pass has come to.
struct Pass {
    elapsed: Duration,
    frames: u64,
    /// How long the disk was waited for, with room and with frames.
    no_room: Duration,
    no_frame: Duration,
}

/// Sends `frames` through a store, `under_way` of them at a time.
fn pass(store: &mut DelayStore, frames: u64, under_way: u64) -> Pass {
    let content = Bytes::from(vec![0x55; FRAME_BYTES]);
    let start = Real::now();
    let (mut no_room, mut no_frame) = (Duration::ZERO, Duration::ZERO);
    let late = Instant::from_nanos(i64::MAX);
    for number in 0..frames + under_way {
        if number < frames {
            if store.room(FRAME_BYTES).is_err() {
                let since = Real::now();
                while store.room(FRAME_BYTES).is_err() {
                    std::thread::sleep(Duration::from_micros(50));
                }
                no_room += since.elapsed();
            }
            store.push_back(frame(number, &content));
        }
        if number >= under_way {
            let mut taken = store.take_due(late);
            if taken.is_none() {
                let since = Real::now();
                while taken.is_none() {
                    assert!(store.waits_for_disk(), "frame {} is missing", number - under_way);
                    std::thread::sleep(Duration::from_micros(50));
                    taken = store.take_due(late);
                }
                no_frame += since.elapsed();
            }
            let taken = black_box(taken).expect("there is one");
            assert!(taken.frame == number - under_way && taken.content.len() == FRAME_BYTES);
        }
    }
    Pass { elapsed: start.elapsed(), frames, no_room, no_frame }
}

fn tell(name: &str, pass: &Pass, state: Option<StoreState>) {
    let seconds = pass.elapsed.as_secs_f64();
    print!(
        "{name:44} {:10.0} frames/s {:7.0} ns/frame",
        pass.frames as f64 / seconds,
        seconds * 1e9 / pass.frames as f64
    );
    if let Some(StoreState { memory_peak_bytes, spill: Some(spill), .. }) = state {
        print!(
            "   memory {:4} MiB, written {:5} MiB, slowest write {:.1} ms and read {:.1} ms, waited {:.2} s for room and {:.2} s for frames",
            memory_peak_bytes / MIB,
            spill.written_bytes / MIB,
            spill.slowest_write.0 as f64 / 1e6,
            spill.slowest_read.0 as f64 / 1e6,
            pass.no_room.as_secs_f64(),
            pass.no_frame.as_secs_f64(),
        );
    }
    println!();
}

/// Bytes of a line of `/proc/self/status`.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).expect("the line");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

fn large(directory: &Path, gigabytes: u64) {
    let budget = StoreBudget::new(StoreBudget::DEFAULT_MEMORY_BYTES, Some(&SpillConfig::new(directory)));
    let budget = budget.unwrap_or_else(|error| panic!("{error}"));
    let mut store = DelayStore::bounded(&budget);
    let under_way = gigabytes * 1_000_000_000 / FRAME_BYTES as u64;
    let pass = pass(&mut store, under_way + under_way / 3, under_way);
    tell(&format!("{gigabytes} GB under way, 256 MiB, disk"), &pass, Some(budget.state()));
    println!(
        "{:44} {:10.0} Mbit/s; at most {} MiB resident",
        "",
        pass.frames as f64 * FRAME_BYTES as f64 * 8.0 / pass.elapsed.as_secs_f64() / 1e6,
        status("VmHWM") / MIB
    );
}

fn main() {
    let mut arguments: VecDeque<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let as_child = arguments.front().is_some_and(|first| first == "--large");
    if as_child {
        arguments.pop_front();
    }
    let directory = arguments.pop_front().map_or_else(std::env::temp_dir, PathBuf::from);
    let gigabytes = arguments.pop_front().map_or(3, |text| text.parse().expect("gigabytes"));
    if as_child {
        return large(&directory, gigabytes);
    }

    let new = |memory: u64, spill: Option<&SpillConfig>| {
        StoreBudget::new(memory, spill).unwrap_or_else(|error| panic!("{error}"))
    };
    for under_way in [1, 100, 100_000] {
        let name = |kind| format!("{kind}, {under_way} under way");
        tell(&name("queue in memory"), &pass(&mut DelayStore::unbounded(), 1_000_000, under_way), None);
        let budget = new(256 * MIB, None);
        tell(&name("bounded, no disk"), &pass(&mut DelayStore::bounded(&budget), 1_000_000, under_way), None);
    }
    let budget = new(64 * MIB, Some(&SpillConfig::new(&directory)));
    let spilling = pass(&mut DelayStore::bounded(&budget), 1_000_000, 200_000);
    tell("bounded, disk, 64 MiB, 200000 under way", &spilling, Some(budget.state()));
    drop(budget);

    let this = std::env::current_exe().expect("this program has a path");
    let child = std::process::Command::new(this).arg("--large").arg(directory).arg(gigabytes.to_string()).status();
    assert!(child.expect("it starts").success());
}
