//! What is under way: samples in the order in which they were sent, bounded in memory, the rest on disk.
//!
//! Samples lie in chunks. Those that are wanted next stay in memory; one that fills while memory is spent goes to a file without a name,
//! of which nothing is left when the process ends. The caller waits for the file, since it is told no time that could pass meanwhile.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use num_complex::Complex32;

/// Samples in a chunk.
pub const CHUNK_SAMPLES: usize = 1 << 16;

/// Bytes of a chunk.
pub const CHUNK_BYTES: u64 = (CHUNK_SAMPLES * size_of::<Complex32>()) as u64;

/// Chunks that are in memory whatever lies on disk: the one that fills, and the two in which a reader may stand.
const WORKING_CHUNKS: u64 = 3;

/// How much a ring may hold, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingConfig {
    /// Most bytes of samples in memory; 2 MiB at least. Memory is taken as samples come.
    pub memory_bytes: u64,
    /// Where the rest goes. Without it, memory is all there is.
    pub spill: Option<SpillConfig>,
}

impl Default for RingConfig {
    /// 64 MiB of memory: eight million samples.
    fn default() -> Self {
        RingConfig { memory_bytes: 64 << 20, spill: None }
    }
}

/// A folder on a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpillConfig {
    /// The folder in which the file is made.
    pub directory: PathBuf,
    /// Most bytes of the file. That much must be free at the start.
    pub limit_bytes: u64,
}

/// Why a ring cannot be had, or does not take samples.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// Less memory than it works with.
    #[error("memory_bytes is {asked}: give it at least {least}")]
    MemoryTooSmall {
        /// How much was asked for.
        asked: u64,
        /// How much it takes at least.
        least: u64,
    },
    /// What is under way is more than it may hold.
    #[error(
        "{needed} samples are under way at most, and it holds {holds}: raise memory_bytes or spill.limit_bytes by \
         {missing_bytes} bytes, or lower the sample rate"
    )]
    TooSmall {
        /// Samples that are under way at the longest delay.
        needed: u64,
        /// Samples that there is room for.
        holds: u64,
        /// What it lacks.
        missing_bytes: u64,
    },
    /// The disk has less space than the file may take.
    #[error("spill.directory {}: {free} bytes are free, and spill.limit_bytes is {asked}: make room or name a folder on another disk", directory.display())]
    DiskTooSmall {
        /// The folder.
        directory: PathBuf,
        /// Bytes that are free.
        free: u64,
        /// Bytes that were asked for.
        asked: u64,
    },
    /// No file can be made.
    #[error("spill.directory {}: no file can be made here: {source}; name a folder that this user may write to", directory.display())]
    NoFile {
        /// The folder.
        directory: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Memory and disk are spent. Nothing of what was offered was taken.
    #[error("the ring is full: {held} samples are under way, and {refused} were refused")]
    Full {
        /// Samples that it holds.
        held: u64,
        /// Samples that were offered and not taken.
        refused: u64,
    },
    /// The file failed while in use.
    #[error("the file of the ring failed in {what} {bytes} bytes: {source}; the samples of this channel are lost")]
    File {
        /// `reading` or `writing`.
        what: &'static str,
        /// How many bytes.
        bytes: u64,
        /// Why.
        source: io::Error,
    },
    /// Samples were asked for that have not been put in or have been released.
    #[error("samples {first} to {end} were asked for, and {from} to {head} are held")]
    NotHeld {
        /// The first that was asked for.
        first: u64,
        /// The one after the last.
        end: u64,
        /// The first that is held.
        from: u64,
        /// The one after the last that is held.
        head: u64,
    },
}

/// What a ring has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingCounts {
    /// Samples that it took.
    pub taken: u64,
    /// Samples that it refused, since it was full.
    pub refused: u64,
    /// Bytes that went to the file.
    pub spilled_bytes: u64,
    /// Most bytes of samples that were in memory at one time.
    pub most_memory_bytes: u64,
    /// Most bytes of the file that were in use at one time.
    pub most_file_bytes: u64,
}

#[derive(Debug)]
enum Chunk {
    Memory(Vec<Complex32>),
    Disk(u64),
}

#[derive(Debug)]
struct Disk {
    file: File,
    slots: u64,
    /// Slots that were used and are free again.
    free: Vec<u64>,
    /// Slots from here on were never used.
    untouched: u64,
    in_use: u64,
}

/// Samples, numbered from 0 as they were put in.
#[derive(Debug)]
pub struct Ring {
    chunks: VecDeque<Chunk>,
    /// Number of the first sample of the first chunk.
    base: u64,
    head: u64,
    released: u64,
    in_memory: u64,
    most_in_memory: u64,
    disk: Option<Disk>,
    counts: RingCounts,
}

impl Ring {
    /// An empty ring.
    ///
    /// # Errors
    /// Too little memory, or a folder that has no room or takes no file.
    pub fn new(config: &RingConfig) -> Result<Self, RingError> {
        let least = (WORKING_CHUNKS + 1) * CHUNK_BYTES;
        if config.memory_bytes < least {
            return Err(RingError::MemoryTooSmall { asked: config.memory_bytes, least });
        }
        let disk = config.spill.as_ref().map(open).transpose()?;
        Ok(Ring {
            chunks: VecDeque::new(),
            base: 0,
            head: 0,
            released: 0,
            in_memory: 0,
            most_in_memory: config.memory_bytes / CHUNK_BYTES,
            disk,
            counts: RingCounts::default(),
        })
    }

    /// Samples that it holds at least, wherever in its chunks they begin.
    pub fn capacity(&self) -> u64 {
        let disk = self.disk.as_ref().map_or(0, |disk| disk.slots);
        (self.most_in_memory - WORKING_CHUNKS).saturating_add(disk).saturating_mul(CHUNK_SAMPLES as u64)
    }

    /// Refuses a ring that does not hold so many samples.
    ///
    /// # Errors
    /// It holds fewer.
    pub fn require(&self, needed: u64) -> Result<(), RingError> {
        let holds = self.capacity();
        if needed <= holds {
            return Ok(());
        }
        let missing_bytes = (needed - holds).div_ceil(CHUNK_SAMPLES as u64).saturating_mul(CHUNK_BYTES);
        Err(RingError::TooSmall { needed, holds, missing_bytes })
    }

    /// What it has done so far.
    pub fn counts(&self) -> RingCounts {
        self.counts
    }

    /// Samples that were put in and not released.
    pub fn held(&self) -> u64 {
        self.head - self.released
    }

    /// Puts samples in: all of them or, with an error, none.
    ///
    /// # Errors
    /// It is full, or its file fails.
    pub fn push(&mut self, mut samples: &[Complex32]) -> Result<(), RingError> {
        let room = self.capacity().saturating_sub(self.held());
        if samples.len() as u64 > room {
            self.counts.refused += samples.len() as u64;
            return Err(RingError::Full { held: self.held(), refused: samples.len() as u64 });
        }
        while !samples.is_empty() {
            let used = (self.head % CHUNK_SAMPLES as u64) as usize;
            if used == 0 {
                self.spill_last()?;
                self.chunks.push_back(Chunk::Memory(Vec::with_capacity(CHUNK_SAMPLES)));
                self.count_in();
            }
            let (now, later) = samples.split_at(samples.len().min(CHUNK_SAMPLES - used));
            // The last chunk is in memory for as long as it fills.
            if let Some(Chunk::Memory(chunk)) = self.chunks.back_mut() {
                chunk.extend_from_slice(now);
            }
            self.head += now.len() as u64;
            self.counts.taken += now.len() as u64;
            samples = later;
        }
        Ok(())
    }

    /// Copies samples out, beginning with number `first`. They stay until they are released.
    ///
    /// # Errors
    /// They have not been put in or have been released, or the file fails.
    pub fn read(&mut self, first: u64, out: &mut [Complex32]) -> Result<(), RingError> {
        let end = first.saturating_add(out.len() as u64);
        if first < self.released || end > self.head {
            return Err(RingError::NotHeld { first, end, from: self.released, head: self.head });
        }
        let (mut at, mut out) = (first, out);
        while !out.is_empty() {
            let index = ((at - self.base) / CHUNK_SAMPLES as u64) as usize;
            let within = ((at - self.base) % CHUNK_SAMPLES as u64) as usize;
            self.fetch(index)?;
            let Some(Chunk::Memory(chunk)) = self.chunks.get(index) else { break };
            let (now, later) = out.split_at_mut(out.len().min(CHUNK_SAMPLES - within));
            now.copy_from_slice(&chunk[within..within + now.len()]);
            at += now.len() as u64;
            out = later;
        }
        Ok(())
    }

    /// Lets go of all samples before number `before`.
    pub fn release(&mut self, before: u64) {
        self.released = self.released.max(before.min(self.head));
        while self.released - self.base >= CHUNK_SAMPLES as u64 {
            match self.chunks.pop_front() {
                Some(Chunk::Memory(_)) => self.in_memory -= 1,
                Some(Chunk::Disk(slot)) => self.free(slot),
                None => {}
            }
            self.base += CHUNK_SAMPLES as u64;
        }
    }

    /// Writes the chunk that has filled to the file, if memory is spent.
    fn spill_last(&mut self) -> Result<(), RingError> {
        // Two chunks may have to be read back while the new one fills.
        if self.in_memory + WORKING_CHUNKS <= self.most_in_memory {
            return Ok(());
        }
        let (Some(disk), Some(last)) = (&mut self.disk, self.chunks.back_mut()) else { return Ok(()) };
        let Chunk::Memory(samples) = last else { return Ok(()) };
        let slot = match disk.free.pop() {
            Some(slot) => slot,
            None if disk.untouched < disk.slots => {
                disk.untouched += 1;
                disk.untouched - 1
            }
            // What the reader took out of the file is in memory now.
            None => return Ok(()),
        };
        let bytes: &[u8] = pulp::bytemuck::cast_slice(samples);
        if let Err(source) = disk.file.write_all_at(bytes, slot * CHUNK_BYTES) {
            disk.free.push(slot);
            return Err(RingError::File { what: "writing", bytes: CHUNK_BYTES, source });
        }
        disk.in_use += 1;
        self.counts.spilled_bytes += CHUNK_BYTES;
        self.counts.most_file_bytes = self.counts.most_file_bytes.max(disk.in_use * CHUNK_BYTES);
        *last = Chunk::Disk(slot);
        self.in_memory -= 1;
        Ok(())
    }

    /// Brings a chunk back to memory.
    fn fetch(&mut self, index: usize) -> Result<(), RingError> {
        let (Some(disk), Some(chunk)) = (&self.disk, self.chunks.get_mut(index)) else { return Ok(()) };
        let Chunk::Disk(slot) = *chunk else { return Ok(()) };
        let mut samples = vec![Complex32::ZERO; CHUNK_SAMPLES];
        let bytes: &mut [u8] = pulp::bytemuck::cast_slice_mut(&mut samples);
        disk.file.read_exact_at(bytes, slot * CHUNK_BYTES).map_err(|source| RingError::File {
            what: "reading",
            bytes: CHUNK_BYTES,
            source,
        })?;
        *chunk = Chunk::Memory(samples);
        self.free(slot);
        self.count_in();
        Ok(())
    }

    fn free(&mut self, slot: u64) {
        if let Some(disk) = &mut self.disk {
            disk.free.push(slot);
            disk.in_use -= 1;
        }
    }

    fn count_in(&mut self) {
        self.in_memory += 1;
        self.counts.most_memory_bytes = self.counts.most_memory_bytes.max(self.in_memory * CHUNK_BYTES);
    }
}

fn open(config: &SpillConfig) -> Result<Disk, RingError> {
    let directory = &config.directory;
    let no_file = |source| RingError::NoFile { directory: directory.clone(), source };
    let file = tempfile::tempfile_in(directory).map_err(no_file)?;
    let space = rustix::fs::statvfs(directory).map_err(|error| no_file(error.into()))?;
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    if free < config.limit_bytes {
        return Err(RingError::DiskTooSmall { directory: directory.clone(), free, asked: config.limit_bytes });
    }
    Ok(Disk { file, slots: config.limit_bytes / CHUNK_BYTES, free: Vec::new(), untouched: 0, in_use: 0 })
}
