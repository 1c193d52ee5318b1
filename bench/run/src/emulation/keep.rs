//! Keeps the events of an emulation in its run folder.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use farlink_record::capture::CaptureWriter;
use farlink_record::recording::{RecordingDigest, RecordingWriter};
use farlink_record::{Event, Header, Stamped};
use thiserror::Error;

use super::order::Order;
use crate::folder::{FolderError, RunFolder};

/// How long events are held back from the files, so that those of several drivers are in the order of time there: whoever looks into them
/// sees all up to twice this long ago.
const HELD_BACK: Duration = Duration::from_millis(200);

/// Why events could not be kept.
#[derive(Debug, Error)]
pub enum KeeperError {
    /// A file could not be written.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The system has no thread left.
    #[error("cannot start the thread that keeps events: {0}")]
    Thread(io::Error),
    /// The thread has failed.
    #[error("the thread that keeps events has failed")]
    Failed,
}

/// Writes the recording and the capture as events come.
#[derive(Debug)]
pub struct Keeper {
    thread: JoinHandle<Result<RecordingDigest, FolderError>>,
}

impl Keeper {
    /// Opens the files and begins to write. `epoch_unix_nanos` is time zero on the calendar.
    ///
    /// # Errors
    /// The files cannot be opened, or there is no thread.
    pub fn start(
        folder: &RunFolder,
        header: &Header,
        epoch_unix_nanos: i64,
        events: Receiver<Stamped>,
        mut observe: impl FnMut(&Stamped) + Send + 'static,
    ) -> Result<Self, KeeperError> {
        let (recording_path, capture_path) = (folder.recording(), folder.capture());
        let mut recording = RecordingWriter::new(folder.open(&recording_path)?, header)
            .and_then(|mut recording| recording.flush().map(|()| recording))
            .map_err(|source| FolderError::new(&recording_path, source))?;
        let mut capture = CaptureWriter::new(folder.open(&capture_path)?, header, epoch_unix_nanos)
            .map_err(|source| FolderError::new(&capture_path, source))?;
        let work = move || {
            let mut last = farlink_units::Instant::ZERO;
            let mut flushed = Instant::now();
            let mut order = Order::new(farlink_units::Duration::from_nanos(HELD_BACK.as_nanos() as i64));
            let mut keep = |stamped: Stamped, recording: &mut RecordingWriter<_>| {
                last = last.max(stamped.at);
                recording.event(&stamped).map_err(|source| FolderError::new(&recording_path, source))?;
                capture.event(&stamped).map_err(|source| FolderError::new(&capture_path, source))?;
                observe(&stamped);
                Ok::<(), FolderError>(())
            };
            loop {
                let next = events.recv_timeout(HELD_BACK);
                let told = next.as_ref().err().copied();
                if let Ok(stamped) = next {
                    order.take(stamped);
                }
                while let Some(stamped) = if told.is_some() { order.any() } else { order.due() } {
                    keep(stamped, &mut recording)?;
                }
                if flushed.elapsed() > HELD_BACK {
                    recording.flush().map_err(|source| FolderError::new(&recording_path, source))?;
                    flushed = Instant::now();
                }
                if told == Some(RecvTimeoutError::Disconnected) {
                    break;
                }
            }
            let ended = Stamped { at: last, event: Event::Ended { interrupted: false } };
            recording.event(&ended).map_err(|source| FolderError::new(&recording_path, source))?;
            capture.finish().map_err(|source| FolderError::new(&capture_path, source))?;
            recording.finish().map_err(|source| FolderError::new(&recording_path, source))
        };
        let thread = thread::Builder::new().name("keeper".to_owned()).spawn(work).map_err(KeeperError::Thread)?;
        Ok(Keeper { thread })
    }

    /// Whether it has stopped before the emulator: the disk is full, or the file went away.
    pub fn has_failed(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the last event, once the emulator has ended, and tells what the recording comes to.
    ///
    /// # Errors
    /// A file could not be written.
    pub fn finish(self) -> Result<RecordingDigest, KeeperError> {
        Ok(self.thread.join().map_err(|_| KeeperError::Failed)??)
    }
}
