//! The folder of a conformance run.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use farlink_conformance::page::page;
use farlink_conformance::results::{CaseResult, Results};
use farlink_conformance::run::CaseRun;
use farlink_record::results::write_junit;
use hifitime::Epoch;
use sha2::{Digest, Sha256};

/// The folder of a run.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes it; one that exists must be empty.
    pub fn create(told: Option<PathBuf>) -> Result<Self, String> {
        let path = told.unwrap_or_else(default_folder);
        let fail = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
        fs::create_dir_all(path.join("captures")).map_err(fail)?;
        let others = fs::read_dir(&path).map_err(fail)?.flatten().any(|entry| entry.file_name() != "captures");
        if others {
            let path = path.display();
            return Err(format!("{path} is not empty: choose another folder with --out, or remove it"));
        }
        Ok(Folder(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Keeps the exchange of a case, and makes its result.
    pub fn keep(&self, node: &str, run: &CaseRun, rerun: String, epoch_unix_nanos: i64) -> Result<CaseResult, String> {
        let capture = (!run.exchange.steps.is_empty()).then(|| {
            let again = if run.repetition == 0 { String::new() } else { format!("-{}", run.repetition + 1) };
            format!("captures/{}-{}{again}.pcapng", file_name(node), run.case.id)
        });
        if let Some(name) = &capture {
            let path = self.0.join(name);
            let requirement = &run.case.requirement().requirement;
            let comment = format!("{} {}: {requirement}", run.case.id, run.outcome.as_str());
            File::create(&path)
                .and_then(|file| {
                    let out = BufWriter::new(file);
                    run.exchange.write_capture(out, &comment, env!("CARGO_PKG_VERSION"), epoch_unix_nanos)
                })
                .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        }
        Ok(CaseResult::new(run, capture, Some(rerun)))
    }

    /// Writes the results, each file as a whole.
    pub fn write(&self, results: &Results) -> Result<(), String> {
        let json = serde_json::to_vec_pretty(results).map_err(|error| error.to_string())?;
        self.replace("results.json", &json)?;
        let mut junit = Vec::new();
        write_junit(&results.junit(), &mut junit).map_err(|error| error.to_string())?;
        self.replace("junit.xml", &junit)?;
        self.replace("report.html", page(results).as_bytes())
    }

    fn replace(&self, name: &str, content: &[u8]) -> Result<(), String> {
        let (path, fresh) = (self.0.join(name), self.0.join(format!(".{name}.part")));
        let written =
            File::create(&fresh).and_then(|mut file| file.write_all(content)).and_then(|()| fs::rename(&fresh, &path));
        written.map_err(|error| format!("cannot write {}: {error}", path.display()))
    }
}

fn default_folder() -> PathBuf {
    let (year, month, day, hour, minute, second, _) = Epoch::now().unwrap_or_default().to_gregorian_utc();
    let name = format!("conform-{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z");
    let runs = PathBuf::from("runs");
    (1u32..)
        .map(|n| if n == 1 { runs.join(&name) } else { runs.join(format!("{name}-{n}")) })
        .find(|path| !path.exists())
        .unwrap_or_else(|| runs.join(&name))
}

/// A name without what file names cannot have.
fn file_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' }).collect()
}

/// The host in a line.
pub fn host() -> String {
    let system = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        processors.lines().find_map(|line| line.strip_prefix("model name")).and_then(|rest| rest.split(':').nth(1));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("Linux {}, {}, {cores} cores", system.trim(), model.unwrap_or("unknown processor").trim())
}

/// SHA-256 over the requirements that are judged by.
pub fn catalogue_sha256() -> String {
    let mut hash = Sha256::new();
    for requirement in farlink_conformance::catalogue::requirements() {
        hash.update(format!("{requirement:?}\n"));
    }
    hex(&hash.finalize())
}

/// Octets in hex.
pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
