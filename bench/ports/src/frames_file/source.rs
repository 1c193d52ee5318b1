//! The capture that is played.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use farlink_inspect::capture::{CaptureError, CaptureFile};
use farlink_units::{Duration, Instant};

use super::{FileError, Pace};
use crate::port::{Notice, Received};

/// Most frames that are given in one turn.
const TURN: usize = 256;

struct Frame {
    /// After the first one.
    due: Duration,
    content: Bytes,
}

pub(super) struct Source {
    path: PathBuf,
    capture: CaptureFile<BufReader<File>>,
    pace: Pace,
    /// The time stamp of the first frame, in nanoseconds of Unix time.
    first: Option<i128>,
    /// When the first frame was due.
    start: Option<Instant>,
    /// The next frame; `None` when there is no more.
    next: Option<Frame>,
    latest: Duration,
}

impl Source {
    pub(super) fn open(path: &Path, pace: Pace, notices: &mut VecDeque<Notice>) -> Result<Self, FileError> {
        let reading = |error| FileError::reading(path, error);
        // Asked before it is opened: to open a pipe would mean to wait for who writes to it.
        let kind = fs::metadata(path).map_err(reading)?.file_type();
        if !kind.is_file() {
            let what = if kind.is_dir() { "a directory" } else { "a pipe or a device" };
            return Err(FileError::NotAFile { path: path.to_owned(), what });
        }
        let unusable = |source| FileError::Capture { path: path.to_owned(), source };
        let capture = CaptureFile::open(BufReader::with_capacity(1 << 16, File::open(path).map_err(reading)?));
        let mut source = Source {
            path: path.to_owned(),
            capture: capture.map_err(unusable)?,
            pace,
            first: None,
            start: None,
            next: None,
            latest: Duration::ZERO,
        };
        source.advance(notices).map_err(unusable)?;
        Ok(source)
    }

    /// Reads the next whole frame.
    fn advance(&mut self, notices: &mut VecDeque<Notice>) -> Result<(), CaptureError> {
        self.next = None;
        while let Some(packet) = self.capture.next_packet()? {
            // A packet without a time stamp comes with the one before it.
            if let Some(unix) = packet.unix_ns {
                let nanos = unix - *self.first.get_or_insert(unix);
                let due = Duration::from_nanos(i64::try_from(nanos).unwrap_or(if nanos < 0 { 0 } else { i64::MAX }));
                // Captures of several interfaces are not quite in order; what is played is.
                self.latest = self.latest.max(due);
            }
            let kept = packet.data.len();
            if (kept as u64) < u64::from(packet.original_length) {
                let (path, number, whole) = (self.path.display(), packet.number, packet.original_length);
                let detail = format!(
                    "{path}: of packet {number} the capture kept {kept} of {whole} octets; capture with a longer snap length"
                );
                notices.push_back(Notice::Unreadable { detail, bytes: kept as u64 });
                continue;
            }
            self.next = Some(Frame { due: self.latest, content: Bytes::copy_from_slice(packet.data) });
            break;
        }
        Ok(())
    }

    fn at(&self, frame: &Frame) -> Option<Instant> {
        let since_zero = self.start? - Instant::ZERO;
        Some(Instant::from_nanos(since_zero.as_nanos().saturating_add(frame.due.as_nanos())))
    }

    /// When the next frame is due.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let next = self.next.as_ref()?;
        match self.pace {
            Pace::Capture => Some(self.at(next).unwrap_or(Instant::ZERO)),
            Pace::None => Some(Instant::ZERO),
        }
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.next.is_none()
    }

    /// Gives the frames that are due.
    pub(super) fn receive(&mut self, now: Instant, frames: &mut Vec<Received>, notices: &mut VecDeque<Notice>) {
        self.start.get_or_insert(now);
        for _ in 0..TURN {
            let Some(at) = self.next.as_ref().and_then(|next| self.at(next)) else { return };
            let at = match self.pace {
                Pace::Capture if at > now => return,
                Pace::Capture => at,
                Pace::None => now,
            };
            frames.extend(self.next.take().map(|frame| Received { at, content: frame.content }));
            if let Err(error) = self.advance(notices) {
                let detail = format!("{}: {error}; the frames before it were given", self.path.display());
                notices.push_back(Notice::Unreadable { detail, bytes: 0 });
                return;
            }
        }
    }
}
