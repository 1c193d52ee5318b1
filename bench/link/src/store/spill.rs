//! The file in which chunks wait, and the two threads that write and read it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use farlink_units::Instant;
use rustix::fs::{Advice, FallocateFlags, fadvise, fallocate};

use super::chunk::Chunk;
use super::disk::{Disk, Medium};

/// How long the writer waits after a failure before it tries again.
const RETRY: Duration = Duration::from_millis(20);

/// How many chunks lie between the one that is written and the one whose pages the system is told to let go. Their writing was
/// begun when they were handed over, so that by then they are clean.
const CLEAN_AFTER: usize = 16;

/// Where stores put what does not fit in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpillConfig {
    /// A directory on a disk of this machine. The file in it has no name, so that nothing of it is left when the process ends, in
    /// whatever way; on a network file system a name may be left after a crash.
    pub directory: PathBuf,
    /// Most bytes that the file may take; `None` is what the disk has. That much must be free at the start.
    pub limit_bytes: Option<u64>,
    /// The file is made larger by so many bytes at a time. It keeps its size until the process ends.
    pub step_bytes: u64,
}

impl SpillConfig {
    /// As much of the disk of `directory` as it takes, in steps of 256 MiB.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        SpillConfig { directory: directory.into(), limit_bytes: None, step_bytes: 256 << 20 }
    }
}

/// Why there is no store such as was asked for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Less memory than it can do with.
    #[error("{asked} bytes of memory are too few for the delay store: give it at least {least}")]
    MemoryTooSmall {
        /// How much was asked for.
        asked: u64,
        /// How much it takes at least.
        least: u64,
    },
    /// The directory is not there.
    #[error("{}: there is no such directory to spill to: make it, or name another", directory.display())]
    Missing {
        /// Which.
        directory: PathBuf,
    },
    /// It is something else.
    #[error("{}: is no directory: name one to spill to", directory.display())]
    NoDirectory {
        /// What was named.
        directory: PathBuf,
    },
    /// No file can be made in it.
    #[error("{}: no file can be made here to spill to: {source}; give this user write access, or name another directory", directory.display())]
    NotWritable {
        /// Which directory.
        directory: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is less space than asked for.
    #[error("{}: {free} bytes are free, and {asked} are to be spilled to: make room, name a directory on another disk, or spill less", directory.display())]
    DiskTooSmall {
        /// Which directory.
        directory: PathBuf,
        /// Bytes that are free.
        free: u64,
        /// Bytes that were asked for.
        asked: u64,
    },
    /// The limit does not hold a single chunk.
    #[error("{asked} bytes of disk are too few to spill to: allow at least {least}")]
    LimitTooSmall {
        /// How much was allowed.
        asked: u64,
        /// How much it takes at least.
        least: u64,
    },
    /// The system has no thread left.
    #[error("no thread for the spill file: {0}; let this user have more processes (ulimit -u)")]
    Thread(io::Error),
}

/// The threads of a disk. They end when this is dropped.
#[derive(Debug)]
pub(super) struct Spill {
    pub disk: Arc<Disk>,
    pub directory: PathBuf,
    to_writer: Option<Sender<Arc<Chunk>>>,
    to_reader: Option<Sender<Arc<Chunk>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Spill {
    /// Makes the file and starts the threads.
    pub fn open(config: &SpillConfig, slot_bytes: usize) -> Result<Self, StoreError> {
        let directory = &config.directory;
        let file = create(directory)?;
        let disk = Disk::new(Box::new(SpillFile(file)), slot_bytes, config.step_bytes, config.limit_bytes);
        if disk.limit() == 0 {
            let asked = config.limit_bytes.unwrap_or(0);
            return Err(StoreError::LimitTooSmall { asked, least: disk.slot_bytes() });
        }
        let asked = config.limit_bytes.unwrap_or(config.step_bytes).max(disk.slot_bytes());
        let too_small = |free| StoreError::DiskTooSmall { directory: directory.clone(), free, asked };
        let not_writable = |source: io::Error| StoreError::NotWritable { directory: directory.clone(), source };
        let free = || {
            let space = rustix::fs::statvfs(directory).map_err(|error| not_writable(error.into()))?;
            Ok(space.f_bavail.saturating_mul(space.f_frsize))
        };
        match free()? {
            enough if enough >= asked => {}
            free => return Err(too_small(free)),
        }
        disk.prepare().map_err(|error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => too_small(free().unwrap_or(0)),
            _ => not_writable(error),
        })?;
        Self::start(Arc::new(disk), directory.clone())
    }

    /// Starts the threads of a disk.
    pub fn start(disk: Arc<Disk>, directory: PathBuf) -> Result<Self, StoreError> {
        let (to_writer, queue) = mpsc::channel();
        let mut spill = Spill { disk, directory, to_writer: Some(to_writer), to_reader: None, threads: Vec::new() };
        let disk = spill.disk.clone();
        spill.spawn("spill-writer", move || write_chunks(&disk, &queue))?;
        let (to_reader, queue) = mpsc::channel();
        spill.to_reader = Some(to_reader);
        let disk = spill.disk.clone();
        spill.spawn("spill-reader", move || read_chunks(&disk, &queue))?;
        Ok(spill)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
        let thread = thread::Builder::new().name(name.to_string()).spawn(work).map_err(StoreError::Thread)?;
        self.threads.push(thread);
        Ok(())
    }

    /// Hands a chunk to the writer. It does not wait.
    pub fn write(&self, chunk: Arc<Chunk>) {
        if let Some(writer) = &self.to_writer {
            // The thread lives as long as this sender.
            let _ = writer.send(chunk);
        }
    }

    /// Asks the reader for a chunk. It does not wait.
    pub fn read(&self, chunk: Arc<Chunk>) {
        if let Some(reader) = &self.to_reader {
            let _ = reader.send(chunk);
        }
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        self.disk.stop.store(true, Ordering::Relaxed);
        drop((self.to_writer.take(), self.to_reader.take()));
        for thread in self.threads.drain(..) {
            // A thread that panicked has told so itself.
            let _ = thread.join();
        }
    }
}

fn create(directory: &Path) -> Result<File, StoreError> {
    let named = || directory.to_path_buf();
    match std::fs::metadata(directory) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(StoreError::NoDirectory { directory: named() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StoreError::Missing { directory: named() });
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(StoreError::NoDirectory { directory: named() });
        }
        Err(source) => return Err(StoreError::NotWritable { directory: named(), source }),
    }
    // With O_TMPFILE where the file system has it, else unlinked at once.
    tempfile::tempfile_in(directory).map_err(|source| StoreError::NotWritable { directory: named(), source })
}

/// Writes what comes, in the order in which it comes.
fn write_chunks(disk: &Arc<Disk>, queue: &Receiver<Arc<Chunk>>) {
    let mut unclean = VecDeque::new();
    while let Ok(chunk) = queue.recv() {
        while !disk.stop.load(Ordering::Relaxed) {
            let Some(bytes) = chunk.start_writing() else { break };
            let written = disk.write(&bytes);
            drop(bytes);
            match written {
                Ok(extent) => {
                    disk.full.store(false, Ordering::Relaxed);
                    let range = extent.range();
                    chunk.written(extent);
                    disk.forget(range);
                    unclean.push_back(range);
                    if unclean.len() > CLEAN_AFTER
                        && let Some(range) = unclean.pop_front()
                    {
                        disk.forget(range);
                    }
                    break;
                }
                Err(error) => {
                    chunk.not_written();
                    disk.full.store(true, Ordering::Relaxed);
                    disk.counts.write_failures.fetch_add(1, Ordering::Relaxed);
                    disk.failed("writing", &error);
                    thread::sleep(RETRY);
                }
            }
        }
    }
}

/// A chunk that the reader has been asked for; the one that is due first is the greatest.
struct Asked(Arc<Chunk>);

impl Asked {
    fn due(&self) -> Reverse<Instant> {
        Reverse(self.0.span.first_due)
    }
}

impl PartialEq for Asked {
    fn eq(&self, other: &Self) -> bool {
        self.due() == other.due()
    }
}

impl Eq for Asked {}

impl PartialOrd for Asked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Asked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due().cmp(&other.due())
    }
}

/// Reads what it is asked for, what is due first before the rest.
fn read_chunks(disk: &Disk, queue: &Receiver<Arc<Chunk>>) {
    let mut asked = BinaryHeap::new();
    while !disk.stop.load(Ordering::Relaxed) {
        if asked.is_empty() {
            match queue.recv() {
                Ok(chunk) => asked.push(Asked(chunk)),
                Err(_) => return,
            }
        }
        asked.extend(queue.try_iter().map(Asked));
        let Some(Asked(chunk)) = asked.pop() else { continue };
        let Some((extent, mut buffer)) = chunk.start_reading() else { continue };
        match disk.read(&extent, &mut buffer.bytes[..extent.length]) {
            Ok(()) => {
                buffer.length = extent.length;
                drop(extent);
                chunk.read(Some(buffer.freeze()));
            }
            Err(error) => {
                extent.retire();
                disk.counts.read_failures.fetch_add(1, Ordering::Relaxed);
                disk.count_lost(chunk.span.tally);
                disk.failed("reading", &error);
                chunk.read(None);
            }
        }
    }
}

/// The real file.
#[derive(Debug)]
struct SpillFile(File);

impl Medium for SpillFile {
    fn reserve(&self, offset: u64, bytes: u64) -> io::Result<()> {
        match fallocate(&self.0, FallocateFlags::empty(), offset, bytes) {
            // The file system cannot: the file grows as it is written.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(()),
            done => Ok(done?),
        }
    }

    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn read(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(bytes, offset)
    }

    fn forget(&self, offset: u64, bytes: u64) {
        // Advice only: no harm is done if it is not taken.
        let _ = fadvise(&self.0, offset, std::num::NonZeroU64::new(bytes), Advice::DontNeed);
    }
}
