//! Bounded stores against the queue in memory, and on disks that are slow, full or broken as told.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant as Real};

use farlink_record::counters::Tally;
use farlink_record::{Delays, DurationNanos, LossCause};
use farlink_units::Instant;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::disk::{Disk, Medium};
use super::memory::Memory;
use super::spill::Spill;
use super::{DelayStore, StoreBudget};
use crate::channel::Arrival;

/// Longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(30);

/// A disk in memory that does as it is told.
#[derive(Debug, Default)]
struct Told {
    bytes: Mutex<Vec<u8>>,
    /// Bytes that it holds; 0 is without limit.
    size: AtomicU64,
    writes: Gate,
    reads: Gate,
    write_errors: AtomicBool,
    read_errors: AtomicBool,
    /// Flips a bit of what is read.
    damage: AtomicBool,
    /// Offsets in the order in which they were read.
    read: Mutex<Vec<u64>>,
}

/// What passes only when it is open.
#[derive(Debug, Default)]
struct Gate {
    shut: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn pass(&self) {
        let shut = self.shut.lock().unwrap();
        let (shut, _) = self.opened.wait_timeout_while(shut, DEADLINE, |shut| *shut).unwrap();
        assert!(!*shut, "the test has left the gate shut");
    }

    fn shut(&self) {
        *self.shut.lock().unwrap() = true;
    }

    fn open(&self) {
        *self.shut.lock().unwrap() = false;
        self.opened.notify_all();
    }
}

impl Medium for Arc<Told> {
    fn reserve(&self, offset: u64, bytes: u64) -> io::Result<()> {
        match self.size.load(Ordering::Relaxed) {
            size if size > 0 && offset + bytes > size => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }

    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.writes.pass();
        if self.write_errors.load(Ordering::Relaxed) {
            return Err(io::Error::other("a write error that was told"));
        }
        let (start, end) = (offset as usize, offset as usize + bytes.len());
        let mut disk = self.bytes.lock().unwrap();
        let length = disk.len().max(end);
        disk.resize(length, 0);
        disk[start..end].copy_from_slice(bytes);
        Ok(())
    }

    fn read(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.reads.pass();
        if self.read_errors.load(Ordering::Relaxed) {
            return Err(io::Error::other("a read error that was told"));
        }
        self.read.lock().unwrap().push(offset);
        let start = offset as usize;
        bytes.copy_from_slice(&self.bytes.lock().unwrap()[start..start + bytes.len()]);
        if self.damage.load(Ordering::Relaxed) {
            bytes[bytes.len() / 2] ^= 0x10;
        }
        Ok(())
    }

    fn forget(&self, _offset: u64, _bytes: u64) {}
}

fn budget(limit: usize, chunk: usize, disk: Option<&Arc<Told>>, disk_limit: Option<u64>) -> Arc<StoreBudget> {
    let memory = Arc::new(Memory::new(limit, chunk));
    let spill = disk.map(|told| {
        let disk = Arc::new(Disk::new(Box::new(told.clone()), chunk, 1, disk_limit));
        Spill::start(disk, PathBuf::from("told")).unwrap()
    });
    Arc::new(StoreBudget { memory, spill })
}

fn at(ms: u64) -> Instant {
    Instant::from_nanos(ms as i64 * 1_000_000)
}

/// The frame of a number, due in as many milliseconds; its content follows from the number.
fn frame(number: u64, length: usize) -> Arrival {
    let content: Vec<u8> = (0..length).map(|i| (number as usize * 31 + i) as u8).collect();
    Arrival {
        at: at(number),
        frame: number,
        bytes: length as u32 + 3,
        content: content.into(),
        flipped_bits: number as u32 % 3,
        lost: number.is_multiple_of(5).then_some(LossCause::BitErrors),
        delays: Delays { queueing: DurationNanos(number as i64), ..Delays::default() },
    }
}

/// Waits until something holds.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Real::now();
    while !holds() {
        assert!(start.elapsed() < DEADLINE, "{what}: not within {DEADLINE:?}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Takes the first frame that is due, and waits for the disk if it is there.
fn take(store: &mut DelayStore, now: Instant) -> Option<Arrival> {
    let mut taken = None;
    until("a frame comes back from the disk", || {
        taken = store.take_due(now);
        taken.is_some() || !store.waits_for_disk()
    });
    taken
}

/// Puts frames of 100 bytes in from `number` on until there is no room. Returns the number of the next, and why.
fn fill(store: &mut DelayStore, mut number: u64) -> (u64, LossCause) {
    loop {
        if let Err(cause) = store.room(100) {
            return (number, cause);
        }
        assert!(number < 100_000, "it is never full");
        store.push_back(frame(number, 100));
        number += 1;
    }
}

fn state(budget: &StoreBudget) -> farlink_record::instrument::SpillState {
    budget.state().spill.unwrap()
}

#[derive(Clone, Debug)]
enum Step {
    /// Offers a frame of so many bytes, due so much later than the last.
    Push(usize, u64),
    /// Takes so many frames of those that are due so long after the first.
    Take(usize, u64),
    /// Gives so many of the frames back that were taken last.
    PutBack(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0_usize..300, 0_u64..5).prop_map(|(bytes, later)| Step::Push(bytes, later)),
        2 => (1_usize..40, 0_u64..60).prop_map(|(frames, later)| Step::Take(frames, later)),
        1 => (1_usize..20).prop_map(Step::PutBack),
    ]
}

/// A store and the queue that it shall be like.
struct Pair {
    bounded: DelayStore,
    model: DelayStore,
    pushed: u64,
    due: u64,
    taken: Vec<Arrival>,
}

impl Pair {
    fn new(budget: &Arc<StoreBudget>) -> Self {
        let (bounded, model) = (DelayStore::bounded(budget), DelayStore::unbounded());
        Pair { bounded, model, pushed: 0, due: 0, taken: Vec::new() }
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Push(bytes, later) => {
                if self.bounded.room(bytes).is_err() {
                    return Ok(());
                }
                self.due += later;
                self.pushed += 1;
                let arrival = Arrival { at: at(self.due), ..frame(self.pushed, bytes) };
                self.bounded.push_back(arrival.clone());
                self.model.push_back(arrival);
            }
            Step::Take(frames, later) => {
                let Some(first) = self.model.first_due() else { return Ok(()) };
                let now = first + farlink_units::Duration::from_millis(later as i64);
                for _ in 0..frames {
                    let expected = self.model.take_due(now);
                    prop_assert_eq!(&take(&mut self.bounded, now), &expected);
                    let Some(arrival) = expected else { break };
                    self.taken.push(arrival);
                    self.alike()?;
                }
            }
            Step::PutBack(frames) => {
                for _ in 0..frames {
                    let Some(arrival) = self.taken.pop() else { break };
                    self.bounded.push_front(arrival.clone());
                    self.model.push_front(arrival);
                    self.alike()?;
                }
                // Frames that were taken before those cannot be put back any more.
                self.taken.clear();
            }
        }
        self.alike()
    }

    fn alike(&self) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.bounded.first_due(), self.model.first_due());
        prop_assert_eq!(self.bounded.last_due(), self.model.last_due());
        prop_assert_eq!(self.bounded.tally(), self.model.tally());
        Ok(())
    }

    fn drain(&mut self) -> Result<(), TestCaseError> {
        self.step(&Step::Take(usize::MAX, 1 << 40))?;
        prop_assert_eq!(self.bounded.tally(), Tally::default());
        prop_assert_eq!(self.bounded.first_due(), None);
        Ok(())
    }
}

#[test]
fn a_bounded_store_is_like_the_queue_in_memory() {
    let cases = (
        100_usize..1200,
        6_usize..60,
        prop::option::of(0_u64..40),
        prop::collection::vec((any_step(), any::<bool>()), 1..600),
    );
    let (read, late) = (AtomicU64::new(0), AtomicU64::new(0));
    let mut runner = TestRunner::new(ProptestConfig::with_cases(200));
    let done = runner.run(&cases, |(chunk, chunks, disk_slots, steps)| {
        let told = Arc::new(Told::default());
        let disk = disk_slots.map(|_| &told);
        let disk_limit = disk_slots.filter(|slots| *slots < 30).map(|slots| slots * 4096);
        let budget = budget(chunk * chunks, chunk, disk, disk_limit);
        let mut pairs = [Pair::new(&budget), Pair::new(&budget)];
        for (step, which) in &steps {
            pairs[usize::from(*which)].step(step)?;
        }
        for pair in &mut pairs {
            pair.drain()?;
        }
        drop(pairs);
        // The threads of the disk may be about to let go of a chunk.
        until("memory is given back", || budget.memory.used() == 0);
        if disk.is_some() {
            let state = state(&budget);
            prop_assert_eq!((state.on_disk_bytes, state.backlog_bytes, state.lost), (0, 0, Tally::default()));
            read.fetch_add(state.read_bytes, Ordering::Relaxed);
            late.fetch_add(state.late_reads, Ordering::Relaxed);
        }
        Ok(())
    });
    if let Err(failure) = done {
        panic!("{failure}");
    }
    let read = read.into_inner();
    // How much depends on how quick the disk is beside the test.
    assert!(read > 10_000, "hardly anything went over the disk: {read} bytes, and {late:?} chunks came late");
}

#[test]
fn without_a_disk_it_is_full_when_memory_is_spent_and_goes_on_when_there_is_some() {
    let budget = budget(64 << 10, 4096, None, None);
    let mut store = DelayStore::bounded(&budget);
    let (pushed, cause) = fill(&mut store, 0);
    assert_eq!(cause, LossCause::StoreFull);
    assert!((64 << 10) - 4096 < budget.memory.used() && budget.memory.used() <= 64 << 10, "{budget:?}");
    assert!(pushed >= (60 << 10) / 156, "{pushed} frames of 156 bytes");

    let taken: Vec<_> = (0..pushed / 2).map(|_| store.take_due(at(pushed)).unwrap()).collect();
    assert_eq!(store.room(100), Err(LossCause::StoreFull), "what was taken is still used");
    drop(taken);
    let (more, _) = fill(&mut store, pushed);
    assert!(more > pushed + pushed / 3, "{more} after {pushed}");
    for number in pushed / 2..more {
        assert_eq!(store.take_due(at(more)).unwrap(), frame(number, 100));
    }
    assert_eq!(store.take_due(at(more)), None);
}

#[test]
fn a_slow_disk_is_told_and_loses_nothing_that_was_accepted() {
    let told = Arc::new(Told::default());
    let budget = budget(64 << 10, 4096, Some(&told), None);
    let mut store = DelayStore::bounded(&budget);
    told.writes.shut();
    let (pushed, cause) = fill(&mut store, 0);
    assert_eq!(cause, LossCause::StoreSlow);
    assert!(budget.memory.used() <= 64 << 10, "{budget:?}");
    assert!(state(&budget).backlog_bytes > 16 << 10, "{:?}", state(&budget));
    assert!(!state(&budget).full);

    told.writes.open();
    until("there is room again", || store.room(100).is_ok());
    let mut next = pushed;
    while next < pushed * 20 {
        match store.room(100) {
            Ok(()) => {
                store.push_back(frame(next, 100));
                next += 1;
            }
            Err(cause) => {
                assert_eq!(cause, LossCause::StoreSlow);
                until("there is room again", || store.room(100).is_ok());
            }
        }
    }
    assert_eq!(store.tally().frames, next);
    assert!(budget.memory.peak() <= 64 << 10, "{budget:?}");
    until("all is written", || state(&budget).backlog_bytes == 0);
    for number in 0..next {
        assert_eq!(take(&mut store, at(next)), Some(frame(number, 100)));
    }
    assert_eq!(state(&budget).on_disk_bytes, 0);
    assert!(budget.memory.peak() <= 64 << 10, "{budget:?}");
}

#[test]
fn a_full_disk_is_told_and_used_again_when_it_has_room() {
    let told = Arc::new(Told::default());
    told.size.store(10 * 4096, Ordering::Relaxed);
    let budget = budget(64 << 10, 4096, Some(&told), None);
    let mut store = DelayStore::bounded(&budget);
    let mut pushed = 0;
    // The writer needs a moment to find out; until then what is told is that it is slow.
    until("the disk is full", || {
        let (next, cause) = fill(&mut store, pushed);
        pushed = next;
        cause == LossCause::StoreFull
    });
    let full = state(&budget);
    assert!(full.full && full.write_failures > 0 && full.last_error.is_some(), "{full:?}");
    assert_eq!(full.allocated_bytes, 10 * 4096);

    told.size.store(100 * 4096, Ordering::Relaxed);
    until("what waits is written", || state(&budget).backlog_bytes == 0);
    assert!(!state(&budget).full);
    let before = pushed;
    until("it is full again", || {
        let (next, cause) = fill(&mut store, pushed);
        pushed = next;
        cause == LossCause::StoreFull
    });
    assert!(pushed > before + 85 * 4096 / 156, "{pushed} after {before}");
    for number in 0..pushed {
        assert_eq!(take(&mut store, at(pushed)), Some(frame(number, 100)));
    }
    assert_eq!(take(&mut store, at(pushed)), None);
}

#[test]
fn room_is_for_what_waits_as_well() {
    let budget = budget(64 << 10, 4096, None, None);
    let store = DelayStore::bounded(&budget);
    assert_eq!(store.room(60 << 10), Ok(()));
    assert_eq!(store.room(70 << 10), Err(LossCause::StoreFull));
    assert_eq!(store.room(usize::MAX), Err(LossCause::StoreFull));
    assert_eq!(DelayStore::unbounded().room(usize::MAX), Ok(()));
}

/// A store with frames on disk, all of which has been written.
fn spilled(told: &Arc<Told>) -> (Arc<StoreBudget>, DelayStore, u64) {
    let budget = budget(64 << 10, 4096, Some(told), None);
    let mut store = DelayStore::bounded(&budget);
    let frames = 2000;
    for number in 0..frames {
        until("there is room", || store.room(100).is_ok());
        store.push_back(frame(number, 100));
    }
    until("all is written", || state(&budget).backlog_bytes == 0);
    assert!(state(&budget).on_disk_bytes > 100 << 10, "{:?}", state(&budget));
    (budget, store, frames)
}

#[test]
fn what_cannot_be_read_back_is_lost_frame_by_frame() {
    for damage in [false, true] {
        let told = Arc::new(Told::default());
        let (budget, mut store, frames) = spilled(&told);
        if damage { &told.damage } else { &told.read_errors }.store(true, Ordering::Relaxed);
        let (mut lost, mut intact) = (Tally::default(), 0);
        for number in 0..frames {
            let taken = take(&mut store, at(frames)).unwrap();
            let sent = frame(number, 100);
            // Frames of equal length without gaps: each is known although it is gone.
            assert_eq!((taken.at, taken.frame, taken.bytes), (sent.at, sent.frame, sent.bytes));
            if taken.lost == Some(LossCause::StoreFailed) {
                lost += Tally::frame(taken.bytes);
            } else {
                assert_eq!(taken, sent);
                intact += 1;
            }
        }
        assert_eq!(take(&mut store, at(frames)), None);
        assert_eq!(store.tally(), Tally::default());
        assert!(intact > 100 && lost.frames > 500, "{intact} {lost:?}");
        let state = state(&budget);
        assert_eq!((state.lost, state.on_disk_bytes), (lost, 0));
        assert!(state.read_failures > 10, "{state:?}");
        let error = state.last_error.unwrap();
        assert!(error.contains(if damage { "not what was written" } else { "a read error that was told" }), "{error}");
    }
}

#[test]
fn a_write_error_is_counted_and_the_chunk_goes_elsewhere() {
    let told = Arc::new(Told::default());
    let budget = budget(64 << 10, 4096, Some(&told), None);
    let mut store = DelayStore::bounded(&budget);
    told.write_errors.store(true, Ordering::Relaxed);
    let mut pushed = 0;
    until("a write fails", || {
        pushed = fill(&mut store, pushed).0;
        state(&budget).write_failures > 0
    });
    until("it is told", || store.room(100) == Err(LossCause::StoreFull));
    assert!(state(&budget).last_error.unwrap().contains("a write error that was told"));
    told.write_errors.store(false, Ordering::Relaxed);
    until("all is written", || state(&budget).backlog_bytes == 0);
    for number in 0..pushed {
        assert_eq!(take(&mut store, at(pushed)), Some(frame(number, 100)));
    }
    assert_eq!(state(&budget).lost, Tally::default());
}

#[test]
fn a_frame_that_the_disk_has_not_given_back_is_waited_for_and_counted() {
    let told = Arc::new(Told::default());
    let (budget, mut store, frames) = spilled(&told);
    told.reads.shut();
    let mut next = 0;
    while let Some(arrival) = store.take_due(at(frames)) {
        assert_eq!(arrival, frame(next, 100));
        next += 1;
    }
    assert!(next < frames && store.waits_for_disk());
    assert_eq!(store.first_due(), Some(at(next)), "it is known all the same");
    assert_eq!(store.take_due(at(next - 1)), None);
    assert!(!store.waits_for_disk(), "nothing is due");
    for _ in 0..3 {
        assert_eq!(store.take_due(at(frames)), None);
        assert!(store.waits_for_disk());
    }
    assert_eq!(state(&budget).late_reads, 1);
    // What is put back comes all the same.
    store.push_front(frame(next - 1, 100));
    assert_eq!(store.take_due(at(frames)), Some(frame(next - 1, 100)));
    told.reads.open();
    for number in next..frames {
        assert_eq!(take(&mut store, at(frames)), Some(frame(number, 100)));
    }
    assert!(!store.waits_for_disk());
}

#[test]
fn what_is_due_first_is_read_first() {
    let told = Arc::new(Told::default());
    let budget = budget(64 << 10, 4096, Some(&told), None);
    let mut stores: Vec<_> = (0..3).map(|_| DelayStore::bounded(&budget)).collect();
    // Written in turns: the chunks of the third store lie between those of the others, but are due long before.
    let sooner = |store: usize, number: u64| Arrival { at: at(number + [9000, 9000, 0][store]), ..frame(number, 100) };
    for number in 0..700 {
        for (which, store) in stores.iter_mut().enumerate() {
            until("there is room", || store.room(100).is_ok());
            store.push_back(sooner(which, number));
        }
    }
    until("all is written", || state(&budget).backlog_bytes == 0);
    let due = |offset: u64| {
        Instant::from_nanos(i64::from_le_bytes(*told.bytes.lock().unwrap()[offset as usize..].first_chunk().unwrap()))
    };
    told.read.lock().unwrap().clear();
    told.reads.shut();
    // All three come to what is on disk, the third last.
    for store in &mut stores {
        while store.take_due(at(100_000)).is_some() {}
        assert!(store.waits_for_disk());
    }
    told.reads.open();
    until("they are read", || told.read.lock().unwrap().len() >= 5);
    let order: Vec<_> = told.read.lock().unwrap().iter().map(|offset| due(*offset)).collect();
    // The reader was at one already when the gate was shut.
    let first_of_third = order[1..].iter().position(|due| *due < at(9000)).unwrap();
    assert_eq!(first_of_third, 0, "{order:?}");
}

#[test]
fn a_store_that_is_dropped_gives_back_all_that_it_had() {
    let told = Arc::new(Told::default());
    let (budget, mut store, frames) = spilled(&told);
    let mut other = DelayStore::bounded(&budget);
    let taken = store.take_due(at(frames)).unwrap();
    drop(store);
    until("its space is free", || state(&budget).on_disk_bytes == 0);
    assert_eq!(taken, frame(0, 100), "a frame outlives its store");
    drop(taken);
    until("its memory is free", || budget.memory.used() == 0);
    let allocated = state(&budget).allocated_bytes;
    for number in 0..frames {
        until("there is room", || other.room(100).is_ok());
        other.push_back(frame(number, 100));
    }
    until("all is written", || state(&budget).backlog_bytes == 0);
    assert_eq!(state(&budget).allocated_bytes, allocated, "the same space, again");
}

#[test]
fn frames_that_pass_at_once_take_no_more_than_one_chunk() {
    let budget = budget(64 << 10, 4096, None, None);
    let mut store = DelayStore::bounded(&budget);
    for number in 0..5000 {
        store.push_back(frame(number, 100));
        assert_eq!(store.take_due(at(number)), Some(frame(number, 100)));
    }
    assert_eq!(budget.memory.peak(), 4096);
    // One under way all the time: the chunk changes now and then.
    store.push_back(frame(0, 100));
    for number in 1..5000 {
        store.push_back(frame(number, 100));
        assert_eq!(store.take_due(at(number)), Some(frame(number - 1, 100)));
    }
    assert_eq!(budget.memory.peak(), 2 * 4096);
}

#[test]
fn empty_content_and_frames_longer_than_a_chunk_pass() {
    let told = Arc::new(Told::default());
    let budget = budget(64 << 10, 1024, Some(&told), None);
    let mut store = DelayStore::bounded(&budget);
    let lengths = [0, 3000, 1, 5000, 0, 900];
    for (number, length) in lengths.iter().enumerate() {
        let arrival = frame(number as u64, *length);
        store.push_back(Arrival { content: arrival.content.clone(), ..arrival });
    }
    for (number, length) in lengths.iter().enumerate() {
        assert_eq!(take(&mut store, at(99)), Some(frame(number as u64, *length)));
    }
}
