//! Reading a recording.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use num_complex::Complex32;
use sha2::{Digest, Sha512};

use super::files;
use super::meta::{Capture, Fault, Meta};
use crate::device::Received;
use crate::file::{RawReader, RecordingError, Source, io_error, nanoseconds};

/// The longest metadata file that is read, in octets.
const LONGEST: u64 = 32 * 1024 * 1024;

/// Whether the data file is held to its digest before it is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// All of it is read first. A recording without a digest is taken as it is.
    Digest,
    /// It is not.
    None,
}

/// Plays a recording.
///
/// Its time is that of its samples: 0 at the first capture. Between captures it jumps as their `core:global_index` or, without
/// one, their `core:datetime` says.
#[derive(Debug)]
pub struct SigmfReader {
    meta_path: PathBuf,
    raw: RawReader,
    meta: Meta,
    /// For each capture: its first sample in the file, and its time in nanoseconds. The first begins the file.
    runs: Vec<(u64, i64)>,
    at: usize,
}

impl SigmfReader {
    /// Opens a recording by its name, or by either of its files.
    ///
    /// # Errors
    /// A file cannot be read; the metadata are not as the specification wants them, or are of what is not read here; the data
    /// are not those of the digest.
    pub fn open(path: &Path, check: Check) -> Result<SigmfReader, RecordingError> {
        let (meta_path, data_path) = files(path);
        let fault = |fault| match fault {
            Fault::Malformed(why) => RecordingError::Malformed { path: meta_path.clone(), why },
            Fault::Unsupported(why) => RecordingError::Unsupported { path: meta_path.clone(), why },
        };
        let mut text = Vec::new();
        let file = File::open(&meta_path).map_err(io_error(&meta_path, "open it"))?;
        file.take(LONGEST + 1).read_to_end(&mut text).map_err(io_error(&meta_path, "read it"))?;
        if text.len() as u64 > LONGEST {
            return Err(fault(Fault::Unsupported(format!("it is longer than {LONGEST} octets"))));
        }
        let meta: Meta = serde_json::from_slice(&text)
            .map_err(|error| fault(Fault::Malformed(format!("not the metadata of a recording: {error}"))))?;
        let (format, rate) = meta.playable().map_err(fault)?;
        let first = meta.captures.first().and_then(|capture| capture.frequency_hz);
        let raw = RawReader::open(&data_path, format, rate, first)?;
        meta.check(raw.count()).map_err(fault)?;
        if check == Check::Digest
            && let Some(expected) = &meta.global.sha512
        {
            let found = digest(&data_path)?;
            if !found.eq_ignore_ascii_case(expected) {
                let why = format!(
                    "its SHA-512 is {found}, and core:sha512 in {} says {expected}: it was altered or cut off",
                    meta_path.display()
                );
                return Err(RecordingError::Malformed { path: data_path, why });
            }
        }
        let runs = runs(&meta, rate);
        Ok(SigmfReader { meta_path, raw, meta, runs, at: 0 })
    }

    /// What the recording says of itself.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// How many samples it has.
    pub fn count(&self) -> u64 {
        self.raw.count()
    }

    /// When its first capture began, if it says so.
    pub fn began(&self) -> Option<SystemTime> {
        self.meta.captures.first().and_then(when)
    }
}

fn when(capture: &Capture) -> Option<SystemTime> {
    capture.datetime.as_deref().and_then(|text| humantime::parse_rfc3339(text).ok())
}

/// Nanoseconds from one time to another, as far as they fit.
fn between(from: SystemTime, to: SystemTime) -> i64 {
    let fits = |nanos: u128| i64::try_from(nanos).unwrap_or(i64::MAX);
    match to.duration_since(from) {
        Ok(later) => fits(later.as_nanos()),
        Err(earlier) => -fits(earlier.duration().as_nanos()),
    }
}

fn runs(meta: &Meta, rate: f64) -> Vec<(u64, i64)> {
    let offset = meta.global.offset.unwrap_or(0);
    let first = meta.captures.first();
    let began = first.and_then(when);
    let first_index = first.and_then(|capture| capture.global_index);
    let mut runs: Vec<(u64, i64)> = meta
        .captures
        .iter()
        .map(|capture| {
            let start = capture.sample_start - offset;
            let at = match (capture.global_index, first_index, when(capture), began) {
                (Some(index), Some(first), ..) if index >= first => nanoseconds(index - first, rate),
                // Without one at the first capture, the first sample is meant to have the number 0.
                (Some(index), None, ..) => nanoseconds(index, rate),
                (_, _, Some(then), Some(began)) => between(began, then),
                _ => nanoseconds(start, rate),
            };
            (start, at)
        })
        .collect();
    // Samples before the first capture, of which nothing is said.
    if runs.first().is_none_or(|(start, _)| *start > 0) {
        let at = runs.first().map_or(0, |(start, at)| at.saturating_sub(nanoseconds(*start, rate)));
        runs.insert(0, (0, at));
    }
    runs
}

fn digest(path: &Path) -> Result<String, RecordingError> {
    let mut file = File::open(path).map_err(io_error(path, "open it"))?;
    let (mut hash, mut octets) = (Sha512::new(), vec![0; 256 * 1024]);
    loop {
        let count = file.read(&mut octets).map_err(io_error(path, "read it"))?;
        if count == 0 {
            return Ok(hexadecimal(&hash.finalize()));
        }
        hash.update(&octets[..count]);
    }
}

/// Octets as hexadecimal digits.
pub(super) fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

impl Source for SigmfReader {
    fn path(&self) -> &Path {
        &self.meta_path
    }

    fn sample_rate_hz(&self) -> f64 {
        self.raw.sample_rate_hz()
    }

    fn frequency_hz(&self) -> Option<f64> {
        let position = self.raw.position() + self.meta.global.offset.unwrap_or(0);
        let capture = self.meta.captures.iter().take_while(|capture| capture.sample_start <= position).last();
        capture.and_then(|capture| capture.frequency_hz)
    }

    fn read(&mut self, samples: &mut [Complex32]) -> Result<Received, RecordingError> {
        let position = self.raw.position();
        while self.runs.get(self.at + 1).is_some_and(|(start, _)| *start <= position) {
            self.at += 1;
        }
        let (start, at) = self.runs[self.at];
        let room = self.runs.get(self.at + 1).map_or(u64::MAX, |(next, _)| next - position);
        let most = usize::try_from(room).unwrap_or(usize::MAX).min(samples.len());
        let count = self.raw.read(&mut samples[..most])?.count;
        let at_ns = at.saturating_add(nanoseconds(position - start, self.raw.sample_rate_hz()));
        Ok(Received { count, at_ns: Some(at_ns) })
    }
}
