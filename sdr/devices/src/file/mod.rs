//! Samples in files: played as a device that receives, recorded by one that transmits, or beside any other device.
//!
//! Nothing here waits: a file is read and written as fast as it is asked for, and time is the number of a sample.

mod device;
mod format;
mod raw;
mod recorded;

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::device::{Received, Settings};

pub use device::FileDevice;
pub use format::SampleFormat;
pub(crate) use raw::nanoseconds;
pub use raw::{RawReader, RawWriter};
pub use recorded::Recorded;

/// Where samples come from.
pub trait Source: Send {
    /// Which file.
    fn path(&self) -> &Path;

    /// Samples a second.
    fn sample_rate_hz(&self) -> f64;

    /// Centre frequency of the next sample, in Hz, if it is known.
    fn frequency_hz(&self) -> Option<f64>;

    /// Reads the next samples, all of them from one run without a gap, with the time of the first; a count of 0 is the end.
    ///
    /// # Errors
    /// The file cannot be read.
    fn read(&mut self, samples: &mut [num_complex::Complex32]) -> Result<Received, RecordingError>;
}

/// Where samples go.
pub trait Sink: Send {
    /// Which file.
    fn path(&self) -> &Path;

    /// What the samples from here on were sent or received with.
    ///
    /// # Errors
    /// The file cannot hold such a change: a sample rate stands for a whole recording.
    fn tune(&mut self, settings: &Settings) -> Result<(), RecordingError>;

    /// Writes samples, the first of them at a time of the device's, in nanoseconds; without one they follow on.
    ///
    /// # Errors
    /// The file cannot be written.
    fn write(&mut self, samples: &[num_complex::Complex32], at_ns: Option<i64>) -> Result<(), RecordingError>;

    /// Notes a word at the next sample, where the format can hold it.
    ///
    /// # Errors
    /// There are more notes than a recording may have.
    fn note(&mut self, label: &str) -> Result<(), RecordingError>;

    /// Writes what is still to be written. A recording without this lacks its end or its digest.
    ///
    /// # Errors
    /// The file cannot be written.
    fn finish(&mut self) -> Result<(), RecordingError>;
}

/// Why a recording cannot be read or written.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// The system refuses.
    #[error("{}: cannot {what}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("{}: {why}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and where.
        why: String,
    },
    /// The file is sound but holds what is not read here.
    #[error("{}: {why}", path.display())]
    Unsupported {
        /// Which file.
        path: PathBuf,
        /// What, and what is read instead.
        why: String,
    },
    /// The recording cannot hold this.
    #[error("{}: {why}", path.display())]
    Unfit {
        /// Which file.
        path: PathBuf,
        /// What, and how to mend it.
        why: String,
    },
}

/// What makes an I/O error one of a file.
pub(crate) fn io_error<'a>(path: &'a Path, what: &'static str) -> impl Fn(io::Error) -> RecordingError + 'a {
    move |source| RecordingError::Io { path: path.to_owned(), what, source }
}
