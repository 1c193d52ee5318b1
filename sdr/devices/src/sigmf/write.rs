//! Writing a recording.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use num_complex::Complex32;
use sha2::{Digest, Sha512};

use super::meta::{Annotation, Capture, Global, Meta};
use super::read::hexadecimal;
use super::{VERSION, files};
use crate::device::Settings;
use crate::file::{RawWriter, RecordingError, SampleFormat, Sink, io_error, nanoseconds};

/// The most captures, and the most annotations, that a recording gets.
const MOST: usize = 100_000;

/// What is said of a recording besides its samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct About {
    /// What it is.
    pub description: Option<String>,
    /// Whose it is.
    pub author: Option<String>,
    /// Which radio it is made with.
    pub hw: Option<String>,
    /// When its first sample is, in UTC.
    pub began: Option<SystemTime>,
}

/// Writes a recording.
///
/// A gap in time, which is a capture of its own with its `core:global_index`, is seen when the time of a sample is more than a
/// sample off what those before it make it. The metadata stand beside the data from the first sample on, so that a recording
/// that is cut off can be read; the digest comes with [`Sink::finish`].
#[derive(Debug)]
pub struct SigmfWriter {
    meta_path: PathBuf,
    raw: RawWriter,
    meta: Meta,
    began: Option<SystemTime>,
    hash: Sha512,
    settings: Option<Settings>,
    /// The device's time at global index 0, once there is a sample.
    zero_ns: Option<i64>,
    /// How many samples are missing before the next.
    missing: u64,
    finished: bool,
}

impl SigmfWriter {
    /// Makes a recording, by its name without an ending or with either.
    ///
    /// # Errors
    /// One of its files exists already or cannot be made.
    pub fn create(path: &Path, format: SampleFormat, about: About) -> Result<SigmfWriter, RecordingError> {
        let (meta_path, data_path) = files(path);
        // Also so that two recordings do not get the same name.
        File::options().write(true).create_new(true).open(&meta_path).map_err(io_error(&meta_path, "make it"))?;
        let raw = RawWriter::create(&data_path, format).inspect_err(|_| {
            let _ = fs::remove_file(&meta_path);
        })?;
        let global = Global {
            datatype: format.name().to_owned(),
            version: VERSION.to_owned(),
            description: about.description,
            author: about.author,
            hw: about.hw,
            recorder: Some(concat!("farlink ", env!("CARGO_PKG_VERSION")).to_owned()),
            ..Global::default()
        };
        Ok(SigmfWriter {
            meta_path,
            raw,
            meta: Meta { global, ..Meta::default() },
            began: about.began,
            hash: Sha512::new(),
            settings: None,
            zero_ns: None,
            missing: 0,
            finished: false,
        })
    }

    /// Says something of samples that were written.
    ///
    /// # Errors
    /// There are too many annotations already.
    pub fn annotate(&mut self, annotation: Annotation) -> Result<(), RecordingError> {
        if self.meta.annotations.len() >= MOST {
            return Err(self.unfit(format!("it has {MOST} annotations already; begin another recording")));
        }
        let place = self.meta.annotations.partition_point(|other| other.sample_start <= annotation.sample_start);
        self.meta.annotations.insert(place, annotation);
        Ok(())
    }

    fn unfit(&self, why: impl Into<String>) -> RecordingError {
        RecordingError::Unfit { path: self.meta_path.clone(), why: why.into() }
    }

    /// Begins a capture at the next sample.
    fn capture(&mut self, settings: &Settings) -> Result<(), RecordingError> {
        let sample_start = self.raw.count();
        let index = sample_start.saturating_add(self.missing);
        let since = Duration::from_nanos(nanoseconds(index, settings.sample_rate_hz).unsigned_abs());
        let datetime = self.began.and_then(|began| began.checked_add(since));
        let capture = Capture {
            sample_start,
            frequency_hz: Some(settings.frequency_hz),
            datetime: datetime.map(|time| humantime::format_rfc3339_nanos(time).to_string()),
            global_index: Some(index),
            header_bytes: None,
        };
        // What changed twice before any sample came changed once.
        if self.meta.captures.last().is_some_and(|last| last.sample_start == sample_start) {
            self.meta.captures.pop();
        }
        if self.meta.captures.len() >= MOST {
            return Err(self.unfit(format!("it has {MOST} captures already; begin another recording")));
        }
        self.meta.captures.push(capture);
        Ok(())
    }

    /// Looks whether samples are missing before the next, whose time is this.
    fn mind_gap(&mut self, at_ns: i64, settings: &Settings) -> Result<(), RecordingError> {
        let rate = settings.sample_rate_hz;
        let zero_ns = *self.zero_ns.get_or_insert(at_ns);
        let next = self.raw.count().saturating_add(self.missing);
        let expected_ns = zero_ns.saturating_add(nanoseconds(next, rate));
        let off_ns = at_ns.saturating_sub(expected_ns);
        let sample_ns = 1e9 / rate;
        if off_ns as f64 > sample_ns + 1.0 {
            self.missing = self.missing.saturating_add((off_ns as f64 / sample_ns).round() as u64);
            self.capture(settings)?;
        } else if (off_ns as f64) < -(sample_ns + 1.0) {
            // No number can go back: the samples follow on, and it is said.
            self.zero_ns = Some(zero_ns.saturating_add(off_ns));
            self.note("time jumps back")?;
        }
        Ok(())
    }

    fn write_meta(&self) -> Result<(), RecordingError> {
        let beside = self.meta_path.with_added_extension("part");
        let mut text = serde_json::to_vec_pretty(&self.meta).map_err(|error| self.unfit(error.to_string()))?;
        text.push(b'\n');
        let written = File::create(&beside).and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_all()
        });
        written.map_err(io_error(&beside, "write it"))?;
        fs::rename(&beside, &self.meta_path).map_err(io_error(&self.meta_path, "put it in its place"))
    }
}

impl Sink for SigmfWriter {
    fn path(&self) -> &Path {
        &self.meta_path
    }

    fn tune(&mut self, settings: &Settings) -> Result<(), RecordingError> {
        if let Some(fault) = settings.fault() {
            return Err(self.unfit(fault));
        }
        self.raw.tune(settings)?;
        let retuned = self.settings.is_none_or(|had| had.frequency_hz != settings.frequency_hz);
        self.settings = Some(*settings);
        self.meta.global.sample_rate_hz = Some(settings.sample_rate_hz);
        if retuned && self.raw.count() > 0 {
            self.capture(settings)?;
        }
        Ok(())
    }

    fn write(&mut self, samples: &[Complex32], at_ns: Option<i64>) -> Result<(), RecordingError> {
        let Some(settings) = self.settings else {
            return Err(self.unfit("neither its sample rate nor its frequency are known; tune it first"));
        };
        if self.finished {
            return Err(self.unfit("it is finished; begin another"));
        }
        if let Some(at_ns) = at_ns {
            self.mind_gap(at_ns, &settings)?;
        }
        if self.raw.count() == 0 {
            self.capture(&settings)?;
            self.write_meta()?;
        }
        let hash = &mut self.hash;
        self.raw.write_and(samples, &mut |octets| hash.update(octets))
    }

    fn note(&mut self, label: &str) -> Result<(), RecordingError> {
        let (sample_start, label) = (self.raw.count(), Some(label.to_owned()));
        self.annotate(Annotation { sample_start, sample_count: Some(0), label, ..Annotation::default() })
    }

    fn finish(&mut self) -> Result<(), RecordingError> {
        if self.finished {
            return Ok(());
        }
        self.raw.finish()?;
        if self.raw.clipped() > 0 {
            self.annotate(Annotation {
                sample_start: 0,
                sample_count: Some(self.raw.count()),
                label: Some("clipped".to_owned()),
                comment: Some(format!("{} samples were beyond full scale", self.raw.clipped())),
                ..Annotation::default()
            })?;
        }
        self.meta.global.sha512 = Some(hexadecimal(&self.hash.clone().finalize()));
        self.write_meta()?;
        self.finished = true;
        Ok(())
    }
}
