//! Where a plan comes from: a scenario, or a file in one of the formats.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use clap::Args;
use farlink_contact_plan::formats::{self, Format, MAX_BYTES, ReadOptions};
use farlink_contact_plan::{ContactPlan, NodeId, Severity};
use farlink_run::contact_plan;
use farlink_scenario::{Overrides, load, parse_utc};
use farlink_units::{Duration, Instant};
use hifitime::Epoch;

use crate::{Ending, bench_failed};

/// What must be told to read some formats.
#[derive(Debug, Args)]
pub struct Reading {
    /// The format of the input, if its name and content do not tell: scenario, ion, hdtn, hardy, tvg-util, farlink, oem, tle, omm, spk.
    #[arg(long, value_name = "FORMAT")]
    pub from: Option<Source>,
    /// What second 0 of a plan with relative times is, and the start of a plan from trajectories.
    #[arg(long, value_name = "UTC", value_parser = parse_utc)]
    pub epoch: Option<Epoch>,
    /// The node whose contacts a hardy file tells, as in `ipn:20.0`.
    #[arg(long, value_name = "NODE")]
    pub of: Option<String>,
    /// How long a plan is: until when recurring contacts are written out, and trajectories followed.
    #[arg(long = "for", value_name = "DURATION")]
    pub length: Option<Duration>,
    /// The region of an ION file to read, if it has several.
    #[arg(long, value_name = "NUMBER")]
    pub region: Option<u64>,
}

/// What an input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Scenario,
    Plan(Format),
    Trajectory(Trajectory),
}

/// A file that says where something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trajectory {
    Oem,
    Tle,
    Omm,
    Spk,
}

impl std::str::FromStr for Source {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "scenario" => Source::Scenario,
            "oem" => Source::Trajectory(Trajectory::Oem),
            "tle" => Source::Trajectory(Trajectory::Tle),
            "omm" => Source::Trajectory(Trajectory::Omm),
            "spk" => Source::Trajectory(Trajectory::Spk),
            other => Source::Plan(other.parse().map_err(|error: formats::UnknownFormat| {
                format!("{error}; and to read from, scenario, oem, tle, omm, spk")
            })?),
        })
    }
}

/// Why a command about plans could not do its part.
pub enum Failure {
    /// It has been said, with the lines of the file.
    Said,
    Message(String),
}

impl Failure {
    pub fn ending(self) -> Ending {
        match self {
            Failure::Said => Ending::BenchFailed,
            Failure::Message(message) => bench_failed(message),
        }
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Failure::Message(message)
    }
}

/// What the file at `path` is.
///
/// # Errors
/// Its name and content do not tell.
pub fn source(path: &Path, bytes: &[u8], reading: &Reading) -> Result<Source, Failure> {
    if let Some(source) = reading.from {
        return Ok(source);
    }
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    let named = match extension.as_deref() {
        Some("yaml" | "yml") => Some(Source::Scenario),
        Some("oem") => Some(Source::Trajectory(Trajectory::Oem)),
        Some("tle") => Some(Source::Trajectory(Trajectory::Tle)),
        Some("omm") => Some(Source::Trajectory(Trajectory::Omm)),
        Some("bsp") => Some(Source::Trajectory(Trajectory::Spk)),
        _ => None,
    };
    let guessed = named.or_else(|| Format::guess(bytes).map(Source::Plan));
    guessed.ok_or_else(|| {
        let formats = "scenario, ion, hdtn, hardy, tvg-util, farlink, oem, tle, omm or spk";
        Failure::Message(format!(
            "{}: neither name nor content tells what this is: add `--from` with {formats}",
            path.display()
        ))
    })
}

/// The bytes of a file, not more than a plan may have.
///
/// # Errors
/// It cannot be read, or is too large.
pub fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let mut bytes = Vec::new();
    let mut file = File::open(path).map_err(unreadable)?.take(MAX_BYTES as u64 + 1);
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > MAX_BYTES {
        return Err(format!("{} is larger than {MAX_BYTES} bytes: give a shorter plan", path.display()).into());
    }
    Ok(bytes)
}

/// The plan in the file at `path`; what looks odd in it is said.
///
/// # Errors
/// Everything that keeps it from being read.
pub fn read(path: &Path, reading: &Reading) -> Result<ContactPlan, Failure> {
    let bytes = bytes(path)?;
    match source(path, &bytes, reading)? {
        Source::Scenario => scenario(path),
        Source::Plan(format) => plan(path, format, &bytes, reading),
        Source::Trajectory(_) => {
            let help = "write `farlink plan convert` with the `--site`s that see it";
            Err(format!("{}: a trajectory alone is no plan: {help}", path.display()).into())
        }
    }
}

fn scenario(path: &Path) -> Result<ContactPlan, Failure> {
    let scenario = load(path, &Overrides::default()).map_err(|error| {
        complain!("{:?}", miette::Report::new(error));
        Failure::Said
    })?;
    if let Some(warnings) = scenario.warnings() {
        complain!("{:?}", miette::Report::new(warnings));
    }
    Ok(contact_plan(&scenario).map_err(|error| format!("{}: {error}", path.display()))?)
}

fn plan(path: &Path, format: Format, bytes: &[u8], reading: &Reading) -> Result<ContactPlan, Failure> {
    let options = ReadOptions {
        epoch: reading.epoch,
        local: reading.of.as_deref().map(NodeId::new),
        horizon: reading.length.map(|length| Instant::ZERO + length),
        region: reading.region,
    };
    let import = formats::read(format, bytes, &options).map_err(|error| format!("{}: {error}", path.display()))?;
    for warning in &import.warnings {
        complain!("warning: {}: {warning}", path.display());
    }
    Ok(import.plan)
}

/// Says what is wrong with a plan or looks odd; returns whether it is sound.
pub fn complain_of(plan: &ContactPlan) -> bool {
    let mut sound = true;
    for finding in plan.validate() {
        match finding.severity() {
            Severity::Info => complain!("note: {finding}"),
            Severity::Warning => complain!("warning: {finding}"),
            Severity::Error => {
                sound = false;
                complain!("error: {finding}");
            }
        }
    }
    sound
}
