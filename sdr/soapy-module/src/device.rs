//! A device as SoapySDR has it, over an end of a served link.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

use farlink_emulated_link::{
    ClientError, End, EndSettings, Found, GAIN_RANGE_DB, HIGHEST_FREQUENCY_HZ, Half, OpenEnd, Pace, Reading, Trouble,
    default_folder,
};
use num_complex::Complex32;
use thiserror::Error;

/// What the driver is called in a device's arguments.
pub const DRIVER: &str = "farlink";

/// `SOAPY_SDR_END_BURST`: these are the last samples of a burst.
pub const END_BURST: i32 = 1 << 1;
/// `SOAPY_SDR_HAS_TIME`: the time is that of the first sample.
pub const HAS_TIME: i32 = 1 << 2;

/// `SOAPY_SDR_TIMEOUT`
pub const TIMEOUT: i32 = -1;
/// `SOAPY_SDR_STREAM_ERROR`
pub const STREAM_ERROR: i32 = -2;
/// `SOAPY_SDR_OVERFLOW`
pub const OVERFLOW: i32 = -4;
/// `SOAPY_SDR_NOT_SUPPORTED`
pub const NOT_SUPPORTED: i32 = -5;
/// `SOAPY_SDR_TIME_ERROR`
pub const TIME_ERROR: i32 = -6;
/// `SOAPY_SDR_UNDERFLOW`
pub const UNDERFLOW: i32 = -7;

/// Full scale of CS16: what 1 is in CF32.
const FULL_SCALE: f32 = 32768.0;

/// Why a device cannot be opened or does not do what it is told.
#[derive(Debug, Error)]
pub enum DeviceError {
    /// No link runs that the arguments fit.
    #[error(
        "no end of an emulated link in {} fits `{wanted}`; there is {there}: serve a link with `farlink sdr emulate`, or name its folder in \
         FARLINK_LINKS",
        folder.display()
    )]
    None {
        /// Where was looked.
        folder: PathBuf,
        /// For what.
        wanted: String,
        /// What is there.
        there: String,
    },
    /// The link says no, or is gone.
    #[error("{0}")]
    Link(#[from] ClientError),
    /// There is only one of them.
    #[error("an end has only channel 0, not {0}")]
    Channel(usize),
    /// A name that the device does not know.
    #[error("there is no {what} `{name}`: there is `{only}`")]
    Name {
        /// Of what.
        what: String,
        /// The name.
        name: String,
        /// What there is.
        only: String,
    },
    /// A stream that exists already.
    #[error("the device has this stream already: close it before another one is set up")]
    Stream,
    /// A format that is not offered.
    #[error("the stream format `{0}` is not offered: take CF32 or CS16")]
    Format(String),
}

/// Words that name a device, as pairs of key and value.
pub type Words = Vec<(String, String)>;

fn words_of(found: &Found, end: End) -> Words {
    let link = &found.description.name;
    [
        ("driver", DRIVER.into()),
        ("label", format!("Farlink emulated link {link}, end {end}")),
        ("link", link.clone()),
        ("end", end.to_string()),
        ("serial", format!("{link}-{end}")),
    ]
    .map(|(key, value)| (key.to_string(), value))
    .into()
}

/// Whether a device has all that is wanted of it. Keys that it does not know say nothing about it.
pub fn matching(device: &Words, wanted: &Words) -> bool {
    wanted.iter().all(|(key, value)| device.iter().all(|(known, has)| known != key || has == value))
}

fn devices(wanted: &Words) -> Vec<(Found, End, Words)> {
    let links = farlink_emulated_link::find(&default_folder());
    let each = links.into_iter().flat_map(|found| {
        End::BOTH.map(|end| {
            let words = words_of(&found, end);
            (found.clone(), end, words)
        })
    });
    each.filter(|(_, _, words)| matching(words, wanted)).collect()
}

/// The devices that fit what is wanted. An end that is in use is among them, since only opening it tells for sure.
pub fn find(wanted: &Words) -> Vec<Words> {
    devices(wanted).into_iter().map(|(_, _, words)| words).collect()
}

/// What came of reading, writing or waiting for an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Streamed {
    /// How many samples, or an error of SoapySDR, which is below 0.
    pub result: i32,
    /// [`HAS_TIME`] and [`END_BURST`].
    pub flags: i32,
    /// The device's time, in nanoseconds, if `flags` say so.
    pub time_ns: i64,
    /// What is to be logged, or nothing.
    pub message: String,
}

impl Streamed {
    fn error(result: i32) -> Self {
        Streamed { result, ..Streamed::default() }
    }

    fn timed(result: i32, time_ns: i64) -> Self {
        Streamed { result, flags: HAS_TIME, time_ns, ..Streamed::default() }
    }

    fn failed(error: &ClientError) -> Self {
        Streamed { result: STREAM_ERROR, message: error.to_string(), ..Streamed::default() }
    }
}

/// An end of a link, opened as a device. It may be used by several threads.
#[derive(Debug)]
pub struct Device {
    end: OpenEnd,
    /// The device's time less the link's, in nanoseconds.
    time_offset_ns: AtomicI64,
}

impl Device {
    /// Opens the first end that fits and is not in use.
    ///
    /// # Errors
    /// None fits, or those that do are in use.
    pub fn open(wanted: &Words) -> Result<Self, DeviceError> {
        let mut refused = None;
        for (found, end, _) in devices(wanted) {
            match OpenEnd::open(&found.path, end) {
                Ok(end) => return Ok(Device { end, time_offset_ns: AtomicI64::new(0) }),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        if let Some(error) = refused {
            return Err(error.into());
        }
        let show =
            |words: &Words| words.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",");
        let serials = |words: Words| words.into_iter().find(|(key, _)| key == "serial").map(|(_, serial)| serial);
        let there: Vec<String> = find(&Words::new()).into_iter().filter_map(serials).collect();
        let there = if there.is_empty() { "none".into() } else { format!("only serial={}", there.join(", serial=")) };
        Err(DeviceError::None { folder: default_folder(), wanted: show(wanted), there })
    }

    /// The link's name and the end's.
    pub fn serial(&self) -> String {
        format!("{}-{}", self.end.description().name, self.end.end())
    }

    /// What is to be known of the device.
    pub fn info(&self) -> Words {
        let about = self.end.description();
        let pace = match about.pace {
            Pace::Wall => "wall",
            Pace::Samples => "samples",
        };
        [
            ("link", about.name.clone()),
            ("end", self.end.end().to_string()),
            ("pace", pace.into()),
            ("buffer_samples", about.buffer_samples.to_string()),
            ("version", env!("CARGO_PKG_VERSION").into()),
        ]
        .map(|(key, value)| (key.to_string(), value))
        .into()
    }

    /// What the end is set to.
    ///
    /// # Errors
    /// The link is gone.
    pub fn settings(&self) -> Result<EndSettings, DeviceError> {
        Ok(self.end.settings()?)
    }

    /// Lowest and highest sample rate, in samples a second.
    pub fn rate_range_hz(&self) -> [f64; 2] {
        self.end.description().rate_range_hz
    }

    /// Sets the sample rate of both directions, in samples a second.
    ///
    /// # Errors
    /// The link refuses it, or is gone.
    pub fn set_rate(&self, hz: f64) -> Result<(), DeviceError> {
        Ok(self.end.set_rate(hz)?)
    }

    /// Tunes, in Hz.
    ///
    /// # Errors
    /// The link refuses it, or is gone.
    pub fn set_frequency(&self, half: Half, hz: f64) -> Result<(), DeviceError> {
        Ok(self.end.set_frequency(half, hz)?)
    }

    /// Lowest and highest frequency, in Hz.
    pub fn frequency_range_hz(&self) -> [f64; 2] {
        [0.0, HIGHEST_FREQUENCY_HZ]
    }

    /// Sets the gain, in dB.
    ///
    /// # Errors
    /// The link refuses it, or is gone.
    pub fn set_gain(&self, half: Half, db: f64) -> Result<(), DeviceError> {
        Ok(self.end.set_gain(half, db)?)
    }

    /// Lowest and highest gain, in dB.
    pub fn gain_range_db(&self) -> [f64; 2] {
        GAIN_RANGE_DB
    }

    /// How many overflows, underflows and late bursts there were since the device was opened.
    ///
    /// # Errors
    /// The link is gone, or there is no such sensor.
    pub fn sensor(&self, key: &str) -> Result<u64, DeviceError> {
        let losses = self.end.losses()?;
        match key {
            "overflows" => Ok(losses.overflows),
            "underflows" => Ok(losses.underflows),
            "late" => Ok(losses.late),
            _ => Err(DeviceError::Name {
                what: "sensor".into(),
                name: key.into(),
                only: "overflows`, `underflows` or `late".into(),
            }),
        }
    }

    /// The device's time, in nanoseconds.
    ///
    /// # Errors
    /// The link is gone.
    pub fn time_ns(&self) -> Result<i64, DeviceError> {
        Ok(self.to_device(self.end.now_ns()?))
    }

    /// Sets the device's time, for this device alone.
    ///
    /// # Errors
    /// The link is gone.
    pub fn set_time_ns(&self, time_ns: i64) -> Result<(), DeviceError> {
        self.time_offset_ns.store(time_ns.saturating_sub(self.end.now_ns()?), Ordering::Relaxed);
        Ok(())
    }

    fn to_device(&self, link_ns: i64) -> i64 {
        link_ns.saturating_add(self.time_offset_ns.load(Ordering::Relaxed))
    }

    fn to_link(&self, device_ns: i64) -> i64 {
        device_ns.saturating_sub(self.time_offset_ns.load(Ordering::Relaxed))
    }

    /// Starts a stream. A receiver starts at the time if the flags say so, and ends after `count` samples if that is not 0.
    ///
    /// # Errors
    /// The rates of the two ends differ, or the link is gone.
    pub fn activate(&self, half: Half, flags: i32, time_ns: i64, count: usize) -> Result<i32, DeviceError> {
        let at_ns = (flags & HAS_TIME != 0).then(|| self.to_link(time_ns));
        match half {
            // Its bursts have times, not the stream.
            Half::Transmitter if flags != 0 => return Ok(NOT_SUPPORTED),
            Half::Transmitter => self.end.start_transmitter()?,
            Half::Receiver => self.end.start_receiver(at_ns, (count > 0).then_some(count as u64))?,
        }
        Ok(0)
    }

    /// Stops a stream. What was not read or has not left is gone.
    ///
    /// # Errors
    /// The link is gone.
    pub fn deactivate(&self, half: Half, flags: i32) -> Result<i32, DeviceError> {
        if flags & HAS_TIME != 0 {
            return Ok(NOT_SUPPORTED);
        }
        self.end.stop(half)?;
        Ok(0)
    }

    fn read(&self, buffer: &mut [Complex32], timeout_us: i64) -> Streamed {
        if buffer.is_empty() {
            return Streamed::default();
        }
        match self.end.receive(buffer, timeout_of(timeout_us)) {
            Ok(Reading::Samples { at_ns, count, last }) => {
                let mut streamed = Streamed::timed(result_of(count), self.to_device(at_ns));
                streamed.flags |= if last { END_BURST } else { 0 };
                streamed
            }
            Ok(Reading::Overflow) => Streamed::error(OVERFLOW),
            Ok(Reading::Late) => Streamed::error(TIME_ERROR),
            Ok(Reading::Nothing) => Streamed::error(TIMEOUT),
            Ok(Reading::NotRunning) => {
                // A program that goes on reading would spin.
                thread::sleep(timeout_of(timeout_us).min(Duration::from_secs(1)));
                Streamed::error(TIMEOUT)
            }
            Err(error) => Streamed::failed(&error),
        }
    }

    /// Reads samples, real and imaginary parts in turn.
    pub fn read_cf32(&self, buffer: &mut [f32], timeout_us: i64) -> Streamed {
        let whole = buffer.len() / 2 * 2;
        self.read(bytemuck::cast_slice_mut(&mut buffer[..whole]), timeout_us)
    }

    /// Reads samples of 16 bits. What is beyond full scale is clipped.
    pub fn read_cs16(&self, buffer: &mut [i16], timeout_us: i64) -> Streamed {
        let mut samples = vec![Complex32::ZERO; (buffer.len() / 2).min(MTU)];
        let streamed = self.read(&mut samples, timeout_us);
        for (pair, sample) in buffer.chunks_exact_mut(2).zip(&samples[..streamed.result.max(0) as usize]) {
            pair.copy_from_slice(&[to_i16(sample.re), to_i16(sample.im)]);
        }
        streamed
    }

    fn write(&self, samples: &[Complex32], flags: i32, time_ns: i64, timeout_us: i64) -> Streamed {
        let at_ns = (flags & HAS_TIME != 0).then(|| self.to_link(time_ns));
        match self.end.transmit(samples, at_ns, flags & END_BURST != 0, timeout_of(timeout_us)) {
            Ok(0) if !samples.is_empty() => Streamed::error(TIMEOUT),
            Ok(count) => Streamed::error(result_of(count)),
            Err(error) => Streamed::failed(&error),
        }
    }

    /// Writes samples, real and imaginary parts in turn.
    pub fn write_cf32(&self, samples: &[f32], flags: i32, time_ns: i64, timeout_us: i64) -> Streamed {
        self.write(bytemuck::cast_slice(&samples[..samples.len() / 2 * 2]), flags, time_ns, timeout_us)
    }

    /// Writes samples of 16 bits.
    pub fn write_cs16(&self, samples: &[i16], flags: i32, time_ns: i64, timeout_us: i64) -> Streamed {
        let complex = |pair: &[i16]| Complex32::new(f32::from(pair[0]), f32::from(pair[1])) / FULL_SCALE;
        let samples: Vec<Complex32> = samples.chunks_exact(2).map(complex).collect();
        self.write(&samples, flags, time_ns, timeout_us)
    }

    /// Waits for an underflow or a late burst.
    pub fn event(&self, timeout_us: i64) -> Streamed {
        match self.end.trouble(timeout_of(timeout_us)) {
            Ok(Some(Trouble::Underflow { at_ns })) => Streamed::timed(UNDERFLOW, self.to_device(at_ns)),
            Ok(Some(Trouble::Late { at_ns })) => Streamed::timed(TIME_ERROR, self.to_device(at_ns)),
            Ok(None) => Streamed::error(TIMEOUT),
            Err(error) => Streamed::failed(&error),
        }
    }
}

/// Samples that are best read and written at once.
pub const MTU: usize = 8192;

fn timeout_of(timeout_us: i64) -> Duration {
    Duration::from_micros(u64::try_from(timeout_us).unwrap_or(0))
}

fn result_of(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn to_i16(value: f32) -> i16 {
    // The cast saturates.
    (value * FULL_SCALE).round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(pairs: &[(&str, &str)]) -> Words {
        pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[test]
    fn a_device_is_found_by_what_it_knows() {
        let device = words(&[("driver", "farlink"), ("link", "moon"), ("end", "a")]);
        for (wanted, fits) in [
            (words(&[]), true),
            (words(&[("link", "moon"), ("end", "a")]), true),
            (words(&[("end", "b")]), false),
            (words(&[("link", "moon"), ("end", "b")]), false),
            (words(&[("remote:timeout", "5")]), true),
        ] {
            assert_eq!(matching(&device, &wanted), fits, "{wanted:?}");
        }
    }

    #[test]
    fn sixteen_bits_are_clipped_at_full_scale() {
        for (value, expected) in [(0.0, 0), (0.5, 16384), (1.0, 32767), (-1.0, -32768), (9.0, 32767), (-9.0, -32768)] {
            assert_eq!(to_i16(value), expected, "{value}");
        }
        assert_eq!(to_i16(1.0 / 32768.0), 1);
    }
}
