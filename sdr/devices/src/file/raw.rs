//! Samples and nothing else: what the file is must be known beforehand.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use num_complex::Complex32;

use super::{RecordingError, SampleFormat, Sink, Source, io_error};
use crate::device::{Received, Settings};

/// Samples that are converted at once.
const CHUNK: usize = 16 * 1024;

/// Reads a file of samples.
#[derive(Debug)]
pub struct RawReader {
    path: PathBuf,
    file: BufReader<File>,
    format: SampleFormat,
    sample_rate_hz: f64,
    frequency_hz: Option<f64>,
    count: u64,
    position: u64,
    octets: Vec<u8>,
}

impl RawReader {
    /// Opens a file of samples whose format, rate and centre frequency are known from elsewhere.
    ///
    /// # Errors
    /// The file cannot be read, is no ordinary file, or holds no whole number of samples; the rate is not positive.
    pub fn open(
        path: &Path,
        format: SampleFormat,
        sample_rate_hz: f64,
        frequency_hz: Option<f64>,
    ) -> Result<RawReader, RecordingError> {
        if !(sample_rate_hz.is_finite() && sample_rate_hz > 0.0) {
            let why = format!("its sample rate is said to be {sample_rate_hz} Hz; give a positive one");
            return Err(RecordingError::Unfit { path: path.to_owned(), why });
        }
        let file = File::open(path).map_err(io_error(path, "open it"))?;
        let metadata = file.metadata().map_err(io_error(path, "look at it"))?;
        if !metadata.is_file() {
            return Err(RecordingError::Malformed { path: path.to_owned(), why: "not an ordinary file".to_owned() });
        }
        let octets = format.sample_octets() as u64;
        if !metadata.len().is_multiple_of(octets) {
            let why = format!(
                "{} octets are no whole number of samples of {octets} octets ({}); is it another format, or cut off?",
                metadata.len(),
                format.name()
            );
            return Err(RecordingError::Malformed { path: path.to_owned(), why });
        }
        Ok(RawReader {
            path: path.to_owned(),
            file: BufReader::new(file),
            format,
            sample_rate_hz,
            frequency_hz,
            count: metadata.len() / octets,
            position: 0,
            octets: Vec::new(),
        })
    }

    /// How many samples the file held when it was opened.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The number of the next sample, from 0.
    pub fn position(&self) -> u64 {
        self.position
    }
}

impl Source for RawReader {
    fn path(&self) -> &Path {
        &self.path
    }

    fn sample_rate_hz(&self) -> f64 {
        self.sample_rate_hz
    }

    fn frequency_hz(&self) -> Option<f64> {
        self.frequency_hz
    }

    fn read(&mut self, samples: &mut [Complex32]) -> Result<Received, RecordingError> {
        let left = usize::try_from(self.count - self.position).unwrap_or(usize::MAX);
        let count = samples.len().min(CHUNK).min(left);
        self.octets.resize(count * self.format.sample_octets(), 0);
        self.file.read_exact(&mut self.octets).map_err(io_error(&self.path, "read it"))?;
        self.format.decode(&self.octets, &mut samples[..count]);
        let at_ns = Some(nanoseconds(self.position, self.sample_rate_hz));
        self.position += count as u64;
        Ok(Received { count, at_ns })
    }
}

/// When sample `number` is, in nanoseconds after sample 0.
pub(crate) fn nanoseconds(number: u64, sample_rate_hz: f64) -> i64 {
    // Whole seconds apart: a product in f64 would lose nanoseconds after a hundred days.
    let seconds = (number as f64 / sample_rate_hz).floor();
    let rest = number as f64 - seconds * sample_rate_hz;
    ((seconds as i64).saturating_mul(1_000_000_000)).saturating_add((rest / sample_rate_hz * 1e9).round() as i64)
}

/// Writes a file of samples.
#[derive(Debug)]
pub struct RawWriter {
    path: PathBuf,
    file: File,
    format: SampleFormat,
    settings: Option<Settings>,
    count: u64,
    clipped: u64,
    octets: Vec<u8>,
}

impl RawWriter {
    /// Makes a new file.
    ///
    /// # Errors
    /// The file exists already or cannot be made.
    pub fn create(path: &Path, format: SampleFormat) -> Result<RawWriter, RecordingError> {
        let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(io_error(path, "make it"))?;
        let (settings, octets) = (None, Vec::new());
        Ok(RawWriter { path: path.to_owned(), file, format, settings, count: 0, clipped: 0, octets })
    }

    /// How many samples were written.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many of them were beyond what the format holds.
    pub fn clipped(&self) -> u64 {
        self.clipped
    }

    /// Writes samples and hands their octets to another, which may be a digest.
    pub(crate) fn write_and(
        &mut self,
        samples: &[Complex32],
        also: &mut dyn FnMut(&[u8]),
    ) -> Result<(), RecordingError> {
        for chunk in samples.chunks(CHUNK) {
            self.octets.clear();
            self.clipped += self.format.encode(chunk, &mut self.octets);
            self.file.write_all(&self.octets).map_err(io_error(&self.path, "write it"))?;
            also(&self.octets);
            self.count += chunk.len() as u64;
        }
        Ok(())
    }
}

impl Sink for RawWriter {
    fn path(&self) -> &Path {
        &self.path
    }

    fn tune(&mut self, settings: &Settings) -> Result<(), RecordingError> {
        let same = self.settings.is_none_or(|had| had.sample_rate_hz == settings.sample_rate_hz);
        if self.count > 0 && !same {
            let why = "the sample rate cannot change within a recording; begin another".to_owned();
            return Err(RecordingError::Unfit { path: self.path.clone(), why });
        }
        self.settings = Some(*settings);
        Ok(())
    }

    /// Writes samples back to back: a file of nothing but samples has no place for a time.
    fn write(&mut self, samples: &[Complex32], _at_ns: Option<i64>) -> Result<(), RecordingError> {
        self.write_and(samples, &mut |_| ())
    }

    fn note(&mut self, _label: &str) -> Result<(), RecordingError> {
        Ok(())
    }

    fn finish(&mut self) -> Result<(), RecordingError> {
        self.file.sync_all().map_err(io_error(&self.path, "write it out"))
    }
}
