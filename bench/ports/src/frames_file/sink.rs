//! The capture that is written.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::{Duration as StdDuration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use farlink_inspect::capture::MAX_PACKET;
use farlink_units::{Duration, Instant};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness, PcapError};

use super::{FileError, LinkType};
use crate::Timebase;
use crate::port::{Notice, Sent, Stopped};

/// What is held back is written when it is so much, in octets.
const ENOUGH: usize = 1 << 16;

/// What is held back is written after this time, and what could not be written is tried again.
const HELD_BACK: Duration = Duration::from_secs(1);

pub(super) struct Sink {
    path: PathBuf,
    file: File,
    /// Puts blocks into memory, from where they go to the file.
    blocks: PcapNgWriter<Vec<u8>>,
    /// When what is held back is to be written.
    due: Option<Instant>,
    /// Frames that are held back.
    held: usize,
    failed: bool,
    /// Unix time of instant zero. Taken once, so that a stepped wall clock does not disorder the capture.
    epoch: StdDuration,
}

impl Sink {
    pub(super) fn open(path: &Path, link_type: LinkType, base: &Timebase) -> Result<Self, FileError> {
        let writing = |error| FileError::writing(path, error);
        if fs::metadata(path).is_ok_and(|there| there.file_type().is_fifo() || there.file_type().is_socket()) {
            return Err(FileError::NotAFile { path: path.to_owned(), what: "a pipe or a socket" });
        }
        let file = File::create(path).map_err(writing)?;
        let blocks = head(link_type).map_err(|error| writing(io_error(error)))?;
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let epoch = unix.saturating_sub((base.now() - Instant::ZERO).to_std());
        let mut sink = Sink { path: path.to_owned(), file, blocks, due: None, held: 0, failed: false, epoch };
        sink.write().map_err(writing)?;
        Ok(sink)
    }

    /// Writes what is held back; what has been written is held no more, also if it was only a part.
    fn write(&mut self) -> io::Result<()> {
        let held = self.blocks.get_mut();
        let (mut written, mut outcome) = (0, Ok(()));
        while written < held.len() && outcome.is_ok() {
            match self.file.write(&held[written..]) {
                Ok(0) => outcome = Err(ErrorKind::WriteZero.into()),
                Ok(more) => written += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => outcome = Err(error),
            }
        }
        held.drain(..written);
        outcome
    }

    /// Writes what is held back, and tells if that fails or works again.
    fn flush(&mut self, now: Instant, notices: &mut VecDeque<Notice>) {
        match self.write() {
            Ok(()) => {
                (self.due, self.held) = (None, 0);
                if std::mem::take(&mut self.failed) {
                    let detail = format!("{} is written again, without a gap", self.path.display());
                    notices.push_back(Notice::Up { detail });
                }
            }
            Err(error) => {
                self.due = Some(now + HELD_BACK);
                if !std::mem::replace(&mut self.failed, true) {
                    let error = FileError::writing(&self.path, error);
                    let detail = format!("{error}; {} frames are held until then", self.held);
                    notices.push_back(Notice::Down { detail, lost_frames: 0 });
                }
            }
        }
    }

    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.due
    }

    /// Writes what is held back, if it is time.
    pub(super) fn receive(&mut self, now: Instant, notices: &mut VecDeque<Notice>) {
        if self.due.is_some_and(|due| now >= due) {
            self.flush(now, notices);
        }
    }

    pub(super) fn send(&mut self, frames: &[Bytes], now: Instant, notices: &mut VecDeque<Notice>) -> Sent {
        let timestamp = self.epoch + (now - Instant::ZERO).to_std();
        for (taken, frame) in frames.iter().enumerate() {
            if self.failed {
                return Sent { taken, stopped: Some(Stopped::Down) };
            }
            if frame.len() > MAX_PACKET {
                let why =
                    format!("a frame of {} octets is longer than the {MAX_PACKET} that captures hold", frame.len());
                return Sent { taken, stopped: Some(Stopped::Refused(why)) };
            }
            let block = EnhancedPacketBlock {
                interface_id: 0,
                timestamp,
                original_len: frame.len() as u32,
                data: Cow::Borrowed(frame),
                options: Vec::new(),
            };
            if let Err(error) = self.blocks.write_pcapng_block(block) {
                let why = format!("{}: {}", self.path.display(), io_error(error));
                return Sent { taken, stopped: Some(Stopped::Refused(why)) };
            }
            self.held += 1;
            self.due.get_or_insert(now + HELD_BACK);
            if self.blocks.get_ref().len() >= ENOUGH {
                self.flush(now, notices);
            }
        }
        Sent::all(frames.len())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // There is no one left to tell. A disk that is full has been told.
        let _ = self.write();
    }
}

/// The blocks with which the file begins.
fn head(link_type: LinkType) -> Result<PcapNgWriter<Vec<u8>>, PcapError> {
    // Little-endian on every host, so that the same frames give the same bytes.
    let section = SectionHeaderBlock {
        endianness: Endianness::Little,
        options: vec![SectionHeaderOption::UserApplication(format!("Farlink {}", env!("CARGO_PKG_VERSION")).into())],
        ..Default::default()
    };
    let mut blocks = PcapNgWriter::with_section_header(Vec::new(), section)?;
    blocks.write_pcapng_block(InterfaceDescriptionBlock {
        linktype: DataLink::from(u32::from(link_type.0)),
        snaplen: 0,
        options: vec![InterfaceDescriptionOption::IfTsResol(9)],
    })?;
    Ok(blocks)
}

fn io_error(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::new(ErrorKind::InvalidInput, other.to_string()),
    }
}
