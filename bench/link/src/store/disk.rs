//! The space on disk that the stores of a process share: one file, in slots of equal length.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use farlink_record::counters::Tally;

/// Slots begin at multiples of a page.
const PAGE_BYTES: u64 = 4096;

/// A file, as far as the disk needs one.
pub(super) trait Medium: fmt::Debug + Send + Sync {
    /// Makes sure that there is space for so many bytes from `offset` on.
    fn reserve(&self, offset: u64, bytes: u64) -> io::Result<()>;
    /// Writes all of `bytes`.
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Fills all of `bytes`.
    fn read(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
    /// Says that a range will not be touched soon, so that what the system keeps of it goes to the disk, and out of memory.
    fn forget(&self, offset: u64, bytes: u64);
}

/// Which slots are in use.
#[derive(Debug, Default)]
struct Space {
    /// Slots below `ready` that are free.
    free: BTreeSet<u64>,
    /// Slots for which there is space.
    ready: u64,
    /// The slot after the one that was given last.
    next: u64,
}

/// What the disk has come to.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub on_disk: AtomicU64,
    pub backlog: AtomicU64,
    pub written: AtomicU64,
    pub read: AtomicU64,
    slowest_write: AtomicU64,
    slowest_read: AtomicU64,
    pub write_failures: AtomicU64,
    pub read_failures: AtomicU64,
    pub late_reads: AtomicU64,
}

/// The file and what is known of it.
#[derive(Debug)]
pub(super) struct Disk {
    medium: Box<dyn Medium>,
    slot_bytes: u64,
    /// How many slots are made ready at a time.
    step: u64,
    /// Most slots that there may be.
    limit: u64,
    space: Mutex<Space>,
    pub counts: Counts,
    /// Whether the last chunk could not be written.
    pub full: AtomicBool,
    /// Whether the threads shall end.
    pub stop: AtomicBool,
    lost: Mutex<Tally>,
    last_error: Mutex<Option<String>>,
}

impl Disk {
    /// A disk whose slots hold `slot_bytes` each. It is made larger by `step_bytes` at a time, up to `limit_bytes`.
    pub fn new(medium: Box<dyn Medium>, slot_bytes: usize, step_bytes: u64, limit_bytes: Option<u64>) -> Self {
        let slot_bytes = (slot_bytes as u64).next_multiple_of(PAGE_BYTES);
        Disk {
            medium,
            slot_bytes,
            step: (step_bytes / slot_bytes).max(1),
            limit: limit_bytes.unwrap_or(i64::MAX as u64) / slot_bytes,
            space: Mutex::default(),
            counts: Counts::default(),
            full: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            lost: Mutex::default(),
            last_error: Mutex::default(),
        }
    }

    /// Writes a chunk to a free slot.
    ///
    /// # Errors
    /// There is no slot, or it cannot be written.
    pub fn write(self: &Arc<Self>, bytes: &[u8]) -> io::Result<Extent> {
        let extent = self.take_slot(bytes)?;
        let start = Instant::now();
        let written = self.medium.write(bytes, extent.offset());
        slowest(&self.counts.slowest_write, start.elapsed());
        match written {
            Ok(()) => {
                self.counts.written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                Ok(extent)
            }
            Err(error) => {
                // A slot that has no space now may have some later; one that has an error is not trusted again.
                if error.kind() != io::ErrorKind::StorageFull {
                    extent.retire();
                }
                Err(error)
            }
        }
    }

    /// Reads a chunk back.
    ///
    /// # Errors
    /// It cannot be read, or is not what was written.
    pub fn read(&self, extent: &Extent, to: &mut [u8]) -> io::Result<()> {
        let start = Instant::now();
        let read = self.medium.read(to, extent.offset());
        slowest(&self.counts.slowest_read, start.elapsed());
        read?;
        // The system may take back an error of writing only after the write has succeeded.
        if crc32fast::hash(to) != extent.checksum {
            let what = format!("{} bytes at offset {} are not what was written", to.len(), extent.offset());
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        self.counts.read.fetch_add(to.len() as u64, Ordering::Relaxed);
        self.medium.forget(extent.offset(), extent.length as u64);
        Ok(())
    }

    /// Says that an extent, by offset and length, will not be touched soon.
    pub fn forget(&self, (offset, length): (u64, u64)) {
        self.medium.forget(offset, length);
    }

    /// Makes the first step of space ready.
    ///
    /// # Errors
    /// There is none.
    pub fn prepare(&self) -> io::Result<()> {
        self.grow(&mut self.space())
    }

    /// Length of a slot in bytes.
    pub fn slot_bytes(&self) -> u64 {
        self.slot_bytes
    }

    /// Bytes for which there is space.
    pub fn allocated(&self) -> u64 {
        self.space().ready * self.slot_bytes
    }

    /// Most bytes for which there may be.
    pub fn limit(&self) -> u64 {
        self.limit * self.slot_bytes
    }

    pub fn slowest_write(&self) -> Duration {
        Duration::from_nanos(self.counts.slowest_write.load(Ordering::Relaxed))
    }

    pub fn slowest_read(&self) -> Duration {
        Duration::from_nanos(self.counts.slowest_read.load(Ordering::Relaxed))
    }

    /// Counts frames that could not be read back.
    pub fn count_lost(&self, tally: Tally) {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner) += tally;
    }

    /// Frames that could not be read back.
    pub fn lost(&self) -> Tally {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an error.
    pub fn failed(&self, doing: &str, error: &io::Error) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(format!("{doing}: {error}"));
    }

    /// The error that was noted last.
    pub fn last_error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts a chunk as waiting to be written until that is dropped.
    pub fn backlog(self: &Arc<Self>, bytes: usize) -> Backlog {
        self.counts.backlog.fetch_add(bytes as u64, Ordering::Relaxed);
        Backlog { disk: self.clone(), bytes: bytes as u64 }
    }

    fn space(&self) -> MutexGuard<'_, Space> {
        self.space.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_slot(self: &Arc<Self>, bytes: &[u8]) -> io::Result<Extent> {
        let checksum = crc32fast::hash(bytes);
        let mut space = self.space();
        if space.free.is_empty() {
            self.grow(&mut space)?;
        }
        // On from the last one, and round: what is written together lies together.
        let after = space.free.range(space.next..).next().or_else(|| space.free.first());
        let Some(slot) = after.copied() else { return Err(io::ErrorKind::StorageFull.into()) };
        space.free.remove(&slot);
        space.next = slot + 1;
        self.counts.on_disk.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(Extent { disk: self.clone(), slot, length: bytes.len(), checksum, usable: true })
    }

    fn grow(&self, space: &mut Space) -> io::Result<()> {
        let mut slots = self.step.min(self.limit.saturating_sub(space.ready));
        if slots == 0 {
            let what = format!("the {} bytes that the spill file may take are in use", self.limit());
            return Err(io::Error::new(io::ErrorKind::StorageFull, what));
        }
        loop {
            match self.medium.reserve(space.ready * self.slot_bytes, slots * self.slot_bytes) {
                Ok(()) => break,
                // The last of the disk is used as well.
                Err(error) if error.kind() == io::ErrorKind::StorageFull && slots > 1 => slots /= 2,
                Err(error) => return Err(error),
            }
        }
        space.free.extend(space.ready..space.ready + slots);
        space.ready += slots;
        Ok(())
    }
}

fn slowest(known: &AtomicU64, elapsed: Duration) {
    known.fetch_max(elapsed.as_nanos().min(u128::from(u64::MAX)) as u64, Ordering::Relaxed);
}

/// A chunk on disk. Its slot is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Extent {
    disk: Arc<Disk>,
    slot: u64,
    /// Length of the chunk in bytes.
    pub length: usize,
    checksum: u32,
    usable: bool,
}

impl Extent {
    fn offset(&self) -> u64 {
        self.slot * self.disk.slot_bytes
    }

    /// Its offset and length in the file.
    pub fn range(&self) -> (u64, u64) {
        (self.offset(), self.length as u64)
    }

    /// Gives it up, but lets nobody use its slot again.
    pub fn retire(mut self) {
        self.usable = false;
    }
}

impl Drop for Extent {
    fn drop(&mut self) {
        self.disk.counts.on_disk.fetch_sub(self.length as u64, Ordering::Relaxed);
        if self.usable {
            self.disk.space().free.insert(self.slot);
        }
    }
}

/// Bytes that wait to be written, until this is dropped.
#[derive(Debug)]
pub(super) struct Backlog {
    disk: Arc<Disk>,
    bytes: u64,
}

impl Drop for Backlog {
    fn drop(&mut self) {
        self.disk.counts.backlog.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
