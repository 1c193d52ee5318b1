//! GNU Radio and gr-satellites, run as a process: `gnu_radio.py` beside this file, which says what it can do.

use std::path::{Path, PathBuf};
use std::process::Command;

use num_complex::Complex32;

/// Debian's, which has Debian's GNU Radio.
const PYTHON: &str = "/usr/bin/python3";

/// A piece of work.
pub struct Job {
    pub work: &'static str,
    pub options: Vec<(&'static str, String)>,
    /// What goes in, as octets.
    pub input: Vec<u8>,
}

/// Does the work, all in one process, and gives the octets that come out of each piece.
pub fn run_all(jobs: &[Job]) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |kind: &str, number: usize| -> PathBuf { folder.path().join(format!("{kind}{number}")) };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer/gnu_radio.py");
    let mut command = Command::new(PYTHON);
    command.arg("-B").arg(script);
    for (number, job) in jobs.iter().enumerate() {
        std::fs::write(path("in", number), &job.input).expect("a file");
        if number > 0 {
            command.arg("then");
        }
        command.arg(job.work).arg("--input").arg(path("in", number)).arg("--output").arg(path("out", number));
        // With `=`, as some values begin with a dash.
        command.args(job.options.iter().map(|(name, value)| format!("--{name}={value}")));
    }
    let output = command.output().unwrap_or_else(|error| {
        panic!("{PYTHON}: {error}: install it with `apt-get install python3 gnuradio gr-satellites`")
    });
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).join("\n");
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    let read =
        |number| std::fs::read(path("out", number)).unwrap_or_else(|error| panic!("{command:?}: {error}\n{said}"));
    (0..jobs.len()).map(read).collect()
}

pub fn samples_to_octets(samples: &[Complex32]) -> Vec<u8> {
    samples.iter().flat_map(|sample| [sample.re.to_le_bytes(), sample.im.to_le_bytes()]).flatten().collect()
}

pub fn octets_to_samples(octets: &[u8]) -> Vec<Complex32> {
    let float = |octets: &[u8]| f32::from_le_bytes(octets.try_into().expect("four octets"));
    octets.chunks_exact(8).map(|sample| Complex32::new(float(&sample[..4]), float(&sample[4..]))).collect()
}
