//! A folder with links that this test serves, and recordings.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use farlink_emulated_link::{DelayAndNoise, End, LinkConfig, OpenEnd, Pace, Reading, Server};
use farlink_sdr_devices::Settings;
use farlink_sdr_devices::file::{RawReader, SampleFormat, Sink, Source};
use farlink_sdr_devices::sigmf::{About, Check, SigmfReader, SigmfWriter};
use num_complex::Complex32;
use serde_json::Value;

use crate::common::{farlink, finish};

pub const PATIENCE: Duration = Duration::from_secs(60);
/// What the links of these tests delay by.
pub const DELAY: u64 = 100;

pub struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Self {
        Bench { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn links(&self) -> PathBuf {
        self.path("links")
    }

    /// A link of a Msample/s, without noise.
    pub fn serve(&self, name: &str, pace: Pace) -> Server {
        self.serve_with(name, |config| LinkConfig { pace, ..config })
    }

    pub fn serve_with(&self, name: &str, change: impl FnOnce(LinkConfig) -> LinkConfig) -> Server {
        self.serve_delayed(name, DELAY, change)
    }

    pub fn serve_delayed(&self, name: &str, delay: u64, change: impl FnOnce(LinkConfig) -> LinkConfig) -> Server {
        let medium = Arc::new(move |_, _| Ok(Box::new(DelayAndNoise::new(delay, 0.0, 0)?) as _));
        Server::start(&self.links(), name, change(LinkConfig::new(medium))).unwrap()
    }

    pub fn open(&self, server: &Server, end: End) -> OpenEnd {
        OpenEnd::open(server.path(), end).unwrap()
    }

    /// `farlink sdr …`, which finds the links, in the folder.
    pub fn sdr(&self, arguments: &[&str]) -> Command {
        let mut command = farlink();
        command.arg("sdr").args(arguments).env("FARLINK_LINKS", self.links()).current_dir(self.folder.path());
        command
    }

    /// That a command meets all that was expected; returns what it printed.
    pub fn met(&self, arguments: &[&str]) -> String {
        let (code, stdout, stderr) = finish(&mut self.sdr(arguments));
        assert_eq!(code, 0, "{arguments:?}: {stdout}{stderr}");
        stdout
    }

    pub fn met_as_json(&self, arguments: &[&str]) -> Value {
        let stdout = self.met(&[arguments, &["--format", "json"]].concat());
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"))
    }

    /// That a command cannot do its part, and says why in these words.
    pub fn failed(&self, arguments: &[&str], words: &[&str]) {
        let (code, stdout, stderr) = finish(&mut self.sdr(arguments));
        assert_eq!(code, 2, "{arguments:?}: {stdout}{stderr}");
        for words in words {
            assert!(stderr.contains(words), "{arguments:?}: no `{words}` in {stderr}");
        }
    }

    /// A recording of a Msample/s at 2.2 GHz.
    pub fn recording(&self, name: &str, samples: &[Complex32]) {
        let mut writer = self.writer(name);
        writer.write(samples, Some(0)).unwrap();
        writer.finish().unwrap();
    }

    pub fn writer(&self, name: &str) -> SigmfWriter {
        let mut writer = SigmfWriter::create(&self.path(name), SampleFormat::Cf32Le, About::default()).unwrap();
        writer.tune(&Settings { sample_rate_hz: 1e6, frequency_hz: 2.2e9, gain_db: 0.0, bandwidth_hz: None }).unwrap();
        writer
    }

    pub fn recorded(&self, name: &str) -> (SigmfReader, Vec<Complex32>) {
        let mut reader = SigmfReader::open(&self.path(name), Check::Digest).unwrap();
        let samples = all(&mut reader);
        (reader, samples)
    }

    pub fn raw(&self, name: &str, format: SampleFormat) -> Vec<Complex32> {
        all(&mut RawReader::open(&self.path(name), format, 1e6, None).unwrap())
    }
}

fn all(source: &mut dyn Source) -> Vec<Complex32> {
    let (mut samples, mut buffer) = (Vec::new(), vec![Complex32::ZERO; 4096]);
    loop {
        match source.read(&mut buffer).unwrap().count {
            0 => return samples,
            count => samples.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Samples that all differ, within full scale.
pub fn ramp(count: usize) -> Vec<Complex32> {
    (0..count).map(|n| Complex32::new((n % 8191 + 1) as f32 / 8192.0, -((n / 8191 + 1) as f32) / 8192.0)).collect()
}

/// A tone of this amplitude, at a frequency against the middle of a band of a MHz.
pub fn tone(count: usize, hz: f64, amplitude: f64) -> Vec<Complex32> {
    let turn = |n: usize| std::f64::consts::TAU * (hz * n as f64 / 1e6).fract();
    (0..count).map(|n| Complex32::new((amplitude * turn(n).cos()) as f32, (amplitude * turn(n).sin()) as f32)).collect()
}

/// What an end receives, so many samples of it.
pub fn read(end: &OpenEnd, count: usize) -> Vec<Complex32> {
    let mut got = vec![Complex32::ZERO; count];
    let mut filled = 0;
    while filled < count {
        match end.receive(&mut got[filled..], PATIENCE).unwrap() {
            Reading::Samples { count, .. } => filled += count,
            other => panic!("{other:?} after {filled} samples"),
        }
    }
    got
}

/// Where something is heard: from the first sample to the last that is not zero.
pub fn heard(samples: &[Complex32]) -> &[Complex32] {
    let first = samples.iter().position(|sample| *sample != Complex32::ZERO).expect("something is heard");
    let last = samples.iter().rposition(|sample| *sample != Complex32::ZERO).expect("something is heard");
    &samples[first..=last]
}

/// Whether there is such a file.
pub fn exists(path: &Path) -> bool {
    std::fs::exists(path).unwrap()
}
