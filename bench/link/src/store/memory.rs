//! The memory that the stores of a process share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Counts what is used, and keeps for use again what is no longer.
#[derive(Debug)]
pub(super) struct Memory {
    /// Most bytes that frames may take.
    pub limit: usize,
    /// Length of a chunk in bytes.
    pub chunk: usize,
    used: AtomicUsize,
    peak: AtomicUsize,
    stores: AtomicUsize,
    /// Chunks that nobody uses. There are never more of them than were once used at the same time.
    spare: Mutex<Vec<Box<[u8]>>>,
}

impl Memory {
    pub fn new(limit: usize, chunk: usize) -> Self {
        Memory {
            limit,
            chunk,
            used: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            stores: AtomicUsize::new(0),
            spare: Mutex::new(Vec::new()),
        }
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Most bytes that ever were in use.
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// How many stores share it.
    pub fn stores(&self) -> usize {
        self.stores.load(Ordering::Relaxed)
    }

    /// One store more.
    pub fn join(&self) {
        self.stores.fetch_add(1, Ordering::Relaxed);
    }

    /// One store less.
    pub fn leave(&self) {
        self.stores.fetch_sub(1, Ordering::Relaxed);
    }

    /// A buffer for a chunk, or for more than one if a frame is that long. It does not ask whether the budget allows it.
    pub fn buffer(self: &Arc<Self>, bytes: usize) -> Buffer {
        let size = bytes.max(self.chunk);
        let spare = if size == self.chunk { self.spare().pop() } else { None };
        let used = self.used.fetch_add(size, Ordering::Relaxed) + size;
        self.peak.fetch_max(used, Ordering::Relaxed);
        Buffer { bytes: spare.unwrap_or_else(|| vec![0; size].into()), length: 0, memory: self.clone() }
    }

    fn spare(&self) -> std::sync::MutexGuard<'_, Vec<Box<[u8]>>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Memory that counts as used until it is dropped.
#[derive(Debug)]
pub(super) struct Buffer {
    pub bytes: Box<[u8]>,
    /// How much of it is filled.
    pub length: usize,
    memory: Arc<Memory>,
}

impl Buffer {
    /// How many bytes more it takes.
    pub fn free(&self) -> usize {
        self.bytes.len() - self.length
    }

    /// What has been filled, to be shared.
    pub fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.memory.used.fetch_sub(bytes.len(), Ordering::Relaxed);
        if bytes.len() == self.memory.chunk {
            self.memory.spare().push(bytes);
        }
    }
}
