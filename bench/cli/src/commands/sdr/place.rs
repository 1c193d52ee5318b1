//! Where samples come from and go to: radios, ends of emulated links, and files.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;

use clap::{Args, ValueEnum};
use farlink_sdr_devices::emulated::{DRIVER, EmulatedDevice};
use farlink_sdr_devices::file::{RawReader, RawWriter, SampleFormat, Sink, Source};
use farlink_sdr_devices::safety::Guarded;
use farlink_sdr_devices::sigmf::{About, Check, SigmfReader, SigmfWriter};
use farlink_sdr_devices::soapy::Arguments;
use farlink_sdr_devices::{Device, DeviceError, Direction, FileDevice, Monotonic, Settings};
use farlink_units::{Decibels, Frequency};

/// Arguments that pin a device.
#[derive(Clone, Debug)]
pub struct Driver(pub Arguments);

impl FromStr for Driver {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Driver).map_err(|error: farlink_sdr_devices::soapy::SoapyError| error.to_string())
    }
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Driver {
    /// Whether it is an end of an emulated link, opened without SoapySDR: nothing of what it transmits leaves the computer.
    pub fn is_emulated(&self) -> bool {
        self.0.get("driver") == Some(DRIVER)
    }
}

/// A device in words: the arguments of a driver, or a file.
#[derive(Clone, Debug)]
pub enum Place {
    Driver(Driver),
    File(PathBuf),
}

impl FromStr for Place {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        // `./a=b` is how a file of such a name is written.
        if text.contains('=') && !text.contains('/') {
            text.parse().map(Place::Driver)
        } else {
            Ok(Place::File(text.into()))
        }
    }
}

/// How samples stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Samples {
    /// Two floating-point numbers of 32 bits, full scale 1.
    Cf32,
    /// Two integers of 16 bits, full scale 32768.
    Ci16,
}

impl From<Samples> for SampleFormat {
    fn from(samples: Samples) -> SampleFormat {
        match samples {
            Samples::Cf32 => SampleFormat::Cf32Le,
            Samples::Ci16 => SampleFormat::Ci16Le,
        }
    }
}

/// What a device is set to. What is not given stays as the device has it.
#[derive(Debug, Args)]
pub struct Tuning {
    /// Samples a second, as a frequency: `1 MHz`. A file of nothing but samples needs it.
    #[arg(long, value_name = "FREQUENCY")]
    pub rate: Option<Frequency>,
    /// What to tune to: `2.2 GHz`.
    #[arg(long, value_name = "FREQUENCY")]
    pub frequency: Option<Frequency>,
    /// Overall gain on the device's own scale: `20 dB`.
    #[arg(long, value_name = "GAIN", allow_hyphen_values = true)]
    pub gain: Option<Decibels>,
    /// Width of the analogue filter.
    #[arg(long, value_name = "FREQUENCY")]
    pub bandwidth: Option<Frequency>,
}

impl Tuning {
    /// Sets one direction of a device and tells what it then says it is set to.
    pub fn set(&self, device: &mut dyn Device, direction: Direction, usual: Settings) -> Result<Settings, DeviceError> {
        let Tuning { rate, frequency, gain, bandwidth } = self;
        let wanted = Settings {
            sample_rate_hz: rate.map_or(usual.sample_rate_hz, Frequency::hz),
            frequency_hz: frequency.map_or(usual.frequency_hz, Frequency::hz),
            gain_db: gain.map_or(usual.gain_db, Decibels::db),
            bandwidth_hz: bandwidth.map_or(usual.bandwidth_hz, |bandwidth| Some(bandwidth.hz())),
        };
        device.set(direction, &wanted)
    }
}

/// A device that receives.
pub struct Receiver {
    pub device: Box<dyn Device>,
    /// When its first sample is, if it is one of now, or a recording that says so.
    pub began: Option<SystemTime>,
    pub settings: Settings,
}

/// Opens what receives, and tunes it.
pub fn open_receiver(place: &Place, tuning: &Tuning, raw: Option<Samples>) -> Result<Receiver, String> {
    let (mut device, began): (Box<dyn Device>, _) = match place {
        Place::Driver(driver) => {
            if raw.is_some() {
                return Err("--raw is for files of nothing but samples, and this is a device".to_owned());
            }
            let device = open_driver(driver).map_err(|error| error.to_string())?;
            // A transmitter that somebody left on the air is silenced by whoever takes the radio.
            let guarded =
                Guarded::new(device, None, Arc::new(Monotonic::default())).map_err(|error| error.to_string())?;
            (Box::new(guarded), Some(SystemTime::now()))
        }
        Place::File(path) => {
            if tuning.gain.is_some() || tuning.bandwidth.is_some() {
                return Err(format!(
                    "{}: a file has neither gain nor filter: leave --gain and --bandwidth out",
                    path.display()
                ));
            }
            let (source, began) = open_file(path, tuning, raw)?;
            (Box::new(FileDevice::new(Some(source), None)), began)
        }
    };
    let settings = device.settings(Direction::Receive).map_err(|error| error.to_string())?;
    let settings = tuning.set(device.as_mut(), Direction::Receive, settings).map_err(|error| error.to_string())?;
    Ok(Receiver { device, began, settings })
}

/// Whether a file is a recording with metadata, by its name or by what is beside it.
fn is_sigmf(path: &Path) -> bool {
    let name = path.to_string_lossy();
    name.ends_with(".sigmf-meta")
        || name.ends_with(".sigmf-data")
        || PathBuf::from(format!("{name}.sigmf-meta")).exists()
}

/// The format that the ending of a file's name tells.
pub fn by_name(path: &Path) -> Option<SampleFormat> {
    match path.extension()?.to_str()? {
        "cf32" | "fc32" | "cfile" => Some(SampleFormat::Cf32Le),
        "ci16" | "sc16" | "cs16" => Some(SampleFormat::Ci16Le),
        _ => None,
    }
}

/// Opens a file for reading: a recording, or nothing but samples. Also tells when its first sample was, if it says.
pub fn open_file(
    path: &Path,
    tuning: &Tuning,
    raw: Option<Samples>,
) -> Result<(Box<dyn Source>, Option<SystemTime>), String> {
    if raw.is_none() && is_sigmf(path) {
        if tuning.rate.is_some() {
            return Err(format!("{}: a recording has its own sample rate: leave --rate out", path.display()));
        }
        let reader = SigmfReader::open(path, Check::Digest).map_err(|error| error.to_string())?;
        let began = reader.began();
        return Ok((Box::new(reader), began));
    }
    let Some(format) = raw.map(SampleFormat::from).or_else(|| by_name(path)) else {
        let why = if path.exists() {
            "it is no SigMF recording; if it is nothing but samples, say which with --raw cf32 or --raw ci16, and --rate"
        } else {
            "there is neither this file nor a SigMF recording of this name"
        };
        return Err(format!("{}: {why}", path.display()));
    };
    let Some(rate) = tuning.rate else {
        return Err(format!("{}: a file of nothing but samples does not tell its rate: give --rate", path.display()));
    };
    let frequency_hz = tuning.frequency.map(Frequency::hz);
    let reader = RawReader::open(path, format, rate.hz(), frequency_hz).map_err(|error| error.to_string())?;
    Ok((Box::new(reader), None))
}

/// Makes a file: one of nothing but samples if its name says so, else a recording.
pub fn create_file(path: &Path, samples: Option<Samples>, about: About) -> Result<Box<dyn Sink>, String> {
    let made: Result<Box<dyn Sink>, _> = match by_name(path) {
        Some(format) => {
            if samples.is_some_and(|samples| SampleFormat::from(samples) != format) {
                return Err(format!(
                    "{}: its name says {}, and --samples another format",
                    path.display(),
                    format.name()
                ));
            }
            RawWriter::create(path, format).map(|writer| Box::new(writer) as _)
        }
        None => {
            let format = samples.map_or(SampleFormat::Cf32Le, SampleFormat::from);
            SigmfWriter::create(path, format, about).map(|writer| Box::new(writer) as _)
        }
    };
    made.map_err(|error| error.to_string())
}

/// Opens the device of these arguments.
pub fn open_driver(driver: &Driver) -> Result<Box<dyn Device>, DeviceError> {
    if driver.is_emulated() {
        return Ok(Box::new(EmulatedDevice::open(&driver.0)?));
    }
    open_radio(driver)
}

#[cfg(feature = "soapy")]
fn open_radio(driver: &Driver) -> Result<Box<dyn Device>, DeviceError> {
    Ok(Box::new(farlink_sdr_devices::soapy::SoapyDevice::open(&driver.to_string(), 0)?))
}

/// How to get a build with SoapySDR.
#[cfg(not(feature = "soapy"))]
pub const WITHOUT_SOAPY: &str = "this farlink was built without SoapySDR: `sudo apt-get install libsoapysdr-dev`, and build it with \
                                 `cargo build --release --features soapy`";

#[cfg(not(feature = "soapy"))]
fn open_radio(driver: &Driver) -> Result<Box<dyn Device>, DeviceError> {
    let (device, what) = (driver.to_string(), "be opened".to_owned());
    Err(DeviceError::Refused { device, what, why: WITHOUT_SOAPY.to_owned() })
}
