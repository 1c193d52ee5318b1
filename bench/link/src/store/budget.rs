//! The memory and the disk that the stores of a process share.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::memory::Memory;
use super::spill::{Spill, SpillConfig, StoreError};
use crate::channel::MAX_FRAME_BYTES;
use farlink_record::instrument::{SpillState, StoreState};

/// Length of the longest chunk in bytes.
const LONGEST_CHUNK: u64 = 1 << 20;
/// Length of the shortest chunk in bytes: whole pages that hold any frame.
const SHORTEST_CHUNK: u64 = (super::frame::length(MAX_FRAME_BYTES) as u64).next_multiple_of(4096);
/// A budget has so many chunks, unless they would be too long or too short.
const CHUNKS: u64 = 256;

/// What the bounded stores of a process share: an amount of memory, and a file for what is beyond it.
///
/// It lives as long as the stores; then the file is gone, and its threads end. They have the scheduling of the thread that makes
/// the budget: make it before that thread is given real-time priority.
#[derive(Debug)]
pub struct StoreBudget {
    pub(super) memory: Arc<Memory>,
    pub(super) spill: Option<Spill>,
}

impl StoreBudget {
    /// What `farlink emulate` takes if it is not told otherwise: 256 MiB.
    pub const DEFAULT_MEMORY_BYTES: u64 = 256 << 20;
    /// The least memory that a budget can be made of: 4 MiB. Many directions want some MiB each.
    pub const LEAST_MEMORY_BYTES: u64 = 4 << 20;

    /// A budget of `memory_bytes` of memory, and of disk as `spill` says.
    ///
    /// What is counted is the memory of whole chunks, with some ten bytes for each frame. It may go over the limit by one chunk
    /// for each store, and by what waited in transmitters when the last room was spent.
    ///
    /// # Errors
    /// It is too little memory, or there is no such directory, or one in which no file can be made or no space is free.
    pub fn new(memory_bytes: u64, spill: Option<&SpillConfig>) -> Result<Arc<Self>, StoreError> {
        if memory_bytes < Self::LEAST_MEMORY_BYTES {
            return Err(StoreError::MemoryTooSmall { asked: memory_bytes, least: Self::LEAST_MEMORY_BYTES });
        }
        let chunk = (memory_bytes / CHUNKS).clamp(SHORTEST_CHUNK, LONGEST_CHUNK) as usize;
        let memory = Arc::new(Memory::new(usize::try_from(memory_bytes).unwrap_or(usize::MAX), chunk));
        let spill = spill.map(|config| Spill::open(config, chunk)).transpose()?;
        Ok(Arc::new(StoreBudget { memory, spill }))
    }

    /// How things stand.
    pub fn state(&self) -> StoreState {
        StoreState {
            memory_limit_bytes: self.memory.limit as u64,
            memory_bytes: self.memory.used() as u64,
            memory_peak_bytes: self.memory.peak() as u64,
            spill: self.spill.as_ref().map(spill_state),
        }
    }

    /// Memory that reading ahead may use and new frames may not: two chunks for each store, but no more than an eighth.
    pub(super) fn reserve(&self) -> usize {
        if self.spill.is_none() {
            return 0;
        }
        (2 * self.memory.chunk * self.memory.stores()).min(self.memory.limit / 8)
    }

    /// Up to how much use chunks stay in memory rather than go to disk: three eighths.
    pub(super) fn keep(&self) -> usize {
        self.memory.limit / 8 * 3
    }

    /// How much each store may read ahead: its part of a quarter.
    pub(super) fn window(&self) -> usize {
        self.memory.limit / 4 / self.memory.stores().max(1)
    }
}

fn spill_state(spill: &Spill) -> SpillState {
    let disk = &spill.disk;
    let counts = &disk.counts;
    SpillState {
        directory: spill.directory.clone(),
        on_disk_bytes: counts.on_disk.load(Ordering::Relaxed),
        allocated_bytes: disk.allocated(),
        backlog_bytes: counts.backlog.load(Ordering::Relaxed),
        written_bytes: counts.written.load(Ordering::Relaxed),
        read_bytes: counts.read.load(Ordering::Relaxed),
        slowest_write: farlink_units::Duration::from(disk.slowest_write()).into(),
        slowest_read: farlink_units::Duration::from(disk.slowest_read()).into(),
        full: disk.full.load(Ordering::Relaxed),
        write_failures: counts.write_failures.load(Ordering::Relaxed),
        read_failures: counts.read_failures.load(Ordering::Relaxed),
        lost: disk.lost(),
        late_reads: counts.late_reads.load(Ordering::Relaxed),
        last_error: disk.last_error(),
    }
}
