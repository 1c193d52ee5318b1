//! One radio.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use num_complex::Complex32;
use soapysdr::{Args, ErrorCode, RxStream, TxStream};

use super::SoapyError;
use super::pin::{Arguments, names_sound_card};
use crate::device::{Burst, Device, DeviceError, Direction, Losses, Received, Settings};

/// How many reports of the transmitter are taken at once.
const REPORTS: usize = 64;
/// How long the last reports of the transmitter are waited for, before its stream is stopped.
const LAST_REPORTS: Duration = Duration::from_millis(50);

/// The radios that SoapySDR finds, without sound cards. Modules may look for them in the network, which takes seconds.
///
/// # Errors
/// SoapySDR does not work.
pub fn found() -> Result<Vec<Arguments>, SoapyError> {
    let mut found = enumerate(&Arguments::default())?;
    found.retain(|device| !device.is_sound_card());
    Ok(found)
}

/// The sound cards that SoapySDR finds, which are never taken.
///
/// # Errors
/// SoapySDR does not work.
pub fn sound_cards() -> Result<Vec<Arguments>, SoapyError> {
    let mut found = enumerate(&Arguments::default())?;
    found.retain(Arguments::is_sound_card);
    Ok(found)
}

fn enumerate(arguments: &Arguments) -> Result<Vec<Arguments>, SoapyError> {
    let found = soapysdr::enumerate(soapy_args(arguments)).map_err(|error| SoapyError::Failed {
        what: "look for",
        arguments: arguments.to_string(),
        why: error.to_string(),
    })?;
    let pairs = |device: &Args| device.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    Ok(found.iter().map(|device| Arguments(pairs(device))).collect())
}

fn soapy_args(arguments: &Arguments) -> Args {
    let mut args = Args::new();
    for (key, value) in &arguments.0 {
        args.set(key.as_str(), value.as_str());
    }
    args
}

fn way(direction: Direction) -> soapysdr::Direction {
    match direction {
        Direction::Receive => soapysdr::Direction::Rx,
        Direction::Transmit => soapysdr::Direction::Tx,
    }
}

fn microseconds(time: Duration) -> i64 {
    time.as_micros().try_into().unwrap_or(i64::MAX)
}

/// One channel of a radio.
///
/// SoapySDR has no question whether a stream runs: [`Device::runs`] is what activating and deactivating it came to. Likewise it
/// does not say whether received samples have a time; they count as having one where the radio has a clock.
pub struct SoapyDevice {
    device: soapysdr::Device,
    name: String,
    channel: usize,
    has: [bool; 2],
    clock: bool,
    receiver: Option<RxStream<Complex32>>,
    transmitter: Option<TxStream<Complex32>>,
    losses: Losses,
    tells_of_transmitter: bool,
}

impl fmt::Debug for SoapyDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoapyDevice").field("name", &self.name).field("channel", &self.channel).finish_non_exhaustive()
    }
}

impl SoapyDevice {
    /// Opens the one radio that arguments name, such as `driver=uhd,serial=30F1234`, and takes a channel of it, from 0.
    ///
    /// # Errors
    /// The arguments pin no device, none or several match, or it cannot be opened.
    pub fn open(arguments: &str, channel: usize) -> Result<SoapyDevice, SoapyError> {
        let asked: Arguments = arguments.parse()?;
        let picked = asked.pick(enumerate(&asked)?)?;
        let failed = |what| {
            let arguments = picked.to_string();
            move |error: soapysdr::Error| SoapyError::Failed { what, arguments, why: error.to_string() }
        };
        let device = soapysdr::Device::new(soapy_args(&picked)).map_err(failed("open"))?;
        // What is found under one name may open as another.
        if names_sound_card(&device.driver_key().map_err(failed("ask the driver of"))?) {
            return Err(SoapyError::SoundCard { arguments: picked.to_string() });
        }
        let mut has = [false; 2];
        for direction in [Direction::Receive, Direction::Transmit] {
            let count = device.num_channels(way(direction)).map_err(failed("count the channels of"))?;
            has[direction as usize] = channel < count;
        }
        Ok(SoapyDevice {
            clock: device.has_hardware_time(None).unwrap_or(false),
            name: format!("{picked} channel {channel}"),
            device,
            channel,
            has,
            receiver: None,
            transmitter: None,
            losses: Losses::default(),
            tells_of_transmitter: true,
        })
    }

    /// The antennas (connectors) that a direction can have.
    ///
    /// # Errors
    /// The device does not answer, or lacks the direction.
    pub fn antennas(&self, direction: Direction) -> Result<Vec<String>, DeviceError> {
        self.needs(direction)?;
        self.device.antennas(way(direction), self.channel).map_err(|error| self.refused("tell its antennas", &error))
    }

    /// Takes an antenna, and tells which one the device says it has.
    ///
    /// # Errors
    /// The device refuses, or lacks the direction or the antenna.
    pub fn set_antenna(&mut self, direction: Direction, name: &str) -> Result<String, DeviceError> {
        let known = self.antennas(direction)?;
        if !known.iter().any(|antenna| antenna == name) {
            return Err(DeviceError::Refused {
                device: self.name.clone(),
                what: format!("take the antenna {name:?}"),
                why: format!("it has {}", known.join(", ")),
            });
        }
        let (way, channel) = (way(direction), self.channel);
        let set = self.device.set_antenna(way, channel, name).and_then(|()| self.device.antenna(way, channel));
        set.map_err(|error| self.refused(&format!("take the antenna {name:?}"), &error))
    }

    fn needs(&self, direction: Direction) -> Result<(), DeviceError> {
        match self.has[direction as usize] {
            true => Ok(()),
            false => Err(DeviceError::NoDirection { device: self.name.clone(), direction }),
        }
    }

    fn refused(&self, what: &str, error: &soapysdr::Error) -> DeviceError {
        let (device, why) = (self.name.clone(), error.to_string());
        match error.code {
            ErrorCode::StreamError => DeviceError::Lost { device, why: format!("cannot {what}: {why}") },
            _ => DeviceError::Refused { device, what: what.to_owned(), why },
        }
    }

    /// Takes what the transmitter reports of late bursts and missing samples.
    fn take_reports(&mut self, timeout: Duration) -> Result<(), DeviceError> {
        let Some(stream) = &mut self.transmitter else { return Ok(()) };
        if !self.tells_of_transmitter || !stream.active() {
            return Ok(());
        }
        let mut wait = microseconds(timeout);
        for _ in 0..REPORTS {
            let report = stream.read_status(&mut 0, &mut 0, &mut 0, wait);
            wait = 0;
            match report {
                Ok(_) => {}
                Err(error) => match error.code {
                    ErrorCode::Timeout => return Ok(()),
                    ErrorCode::Underflow => self.losses.underflows += 1,
                    ErrorCode::TimeError => self.losses.late += 1,
                    ErrorCode::NotSupported => {
                        self.tells_of_transmitter = false;
                        return Ok(());
                    }
                    _ => return Err(self.refused("report how it transmits", &error)),
                },
            }
        }
        Ok(())
    }

    fn start(&mut self, direction: Direction) -> Result<(), DeviceError> {
        // Set up only now: some drivers want the rate first.
        let channels = [self.channel];
        let started = match direction {
            Direction::Receive => {
                let made = match self.receiver.take() {
                    Some(stream) => Ok(stream),
                    None => self.device.rx_stream(&channels),
                };
                made.and_then(|stream| {
                    let stream = self.receiver.insert(stream);
                    if stream.active() { Ok(()) } else { stream.activate(None) }
                })
            }
            Direction::Transmit => {
                let made = match self.transmitter.take() {
                    Some(stream) => Ok(stream),
                    None => self.device.tx_stream(&channels),
                };
                made.and_then(|stream| {
                    let stream = self.transmitter.insert(stream);
                    if stream.active() { Ok(()) } else { stream.activate(None) }
                })
            }
        };
        if started.is_err() {
            // Only closing it is sure to end what was half begun.
            match direction {
                Direction::Receive => self.receiver = None,
                Direction::Transmit => self.transmitter = None,
            }
        }
        started.map_err(|error| self.refused("start the stream", &error))?;
        self.take_reports(Duration::ZERO)
    }

    fn stop(&mut self, direction: Direction) -> Result<(), DeviceError> {
        // What it has to report must not keep it from being stopped.
        let reported = match direction {
            Direction::Receive => Ok(()),
            Direction::Transmit => self.take_reports(LAST_REPORTS),
        };
        let stopped = match direction {
            Direction::Receive => self.receiver.as_mut().filter(|stream| stream.active()).map(|s| s.deactivate(None)),
            Direction::Transmit => {
                self.transmitter.as_mut().filter(|stream| stream.active()).map(|stream| stream.deactivate(None))
            }
        };
        stopped.unwrap_or(Ok(())).map_err(|error| self.refused("stop the stream", &error))?;
        reported
    }
}

impl Device for SoapyDevice {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn has(&self, direction: Direction) -> bool {
        self.has[direction as usize]
    }

    /// The gain is set last, so that it never stands at a frequency that it is not for.
    fn set(&mut self, direction: Direction, wanted: &Settings) -> Result<Settings, DeviceError> {
        self.needs(direction)?;
        if let Some(why) = wanted.fault() {
            return Err(DeviceError::Refused { device: self.name.clone(), what: "be set".to_owned(), why });
        }
        let (way, channel, device) = (way(direction), self.channel, &self.device);
        let Settings { sample_rate_hz, frequency_hz, gain_db, bandwidth_hz } = *wanted;
        device
            .set_sample_rate(way, channel, sample_rate_hz)
            .map_err(|error| self.refused(&format!("set its rate to {sample_rate_hz} Hz"), &error))?;
        if let Some(bandwidth_hz) = bandwidth_hz {
            device
                .set_bandwidth(way, channel, bandwidth_hz)
                .map_err(|error| self.refused(&format!("set its bandwidth to {bandwidth_hz} Hz"), &error))?;
        }
        device
            .set_frequency(way, channel, frequency_hz, ())
            .map_err(|error| self.refused(&format!("tune to {frequency_hz} Hz"), &error))?;
        self.set_gain_db(direction, gain_db)?;
        self.settings(direction)
    }

    fn settings(&mut self, direction: Direction) -> Result<Settings, DeviceError> {
        self.needs(direction)?;
        let (way, channel, device) = (way(direction), self.channel, &self.device);
        let read = || {
            Ok(Settings {
                sample_rate_hz: device.sample_rate(way, channel)?,
                frequency_hz: device.frequency(way, channel)?,
                gain_db: device.gain(way, channel)?,
                // 0 is what a driver says that knows none.
                bandwidth_hz: Some(device.bandwidth(way, channel)?).filter(|bandwidth| *bandwidth > 0.0),
            })
        };
        read().map_err(|error| self.refused("tell its settings", &error))
    }

    fn gain_range_db(&mut self, direction: Direction) -> Result<RangeInclusive<f64>, DeviceError> {
        self.needs(direction)?;
        let range = self.device.gain_range(way(direction), self.channel);
        range.map(|range| range.minimum..=range.maximum).map_err(|error| self.refused("tell its gains", &error))
    }

    fn set_gain_db(&mut self, direction: Direction, gain_db: f64) -> Result<f64, DeviceError> {
        self.needs(direction)?;
        let (way, channel, device) = (way(direction), self.channel, &self.device);
        // An automatic gain would undo it.
        let automatic = device.has_gain_mode(way, channel).unwrap_or(false);
        let manual = if automatic { device.set_gain_mode(way, channel, false) } else { Ok(()) };
        let set = device.set_gain(way, channel, gain_db);
        manual.map_err(|error| self.refused("end its automatic gain", &error))?;
        set.map_err(|error| self.refused(&format!("set its gain to {gain_db} dB"), &error))?;
        device.gain(way, channel).map_err(|error| self.refused("tell its gain", &error))
    }

    fn run(&mut self, direction: Direction, runs: bool) -> Result<(), DeviceError> {
        self.needs(direction)?;
        if runs { self.start(direction) } else { self.stop(direction) }
    }

    fn runs(&self, direction: Direction) -> bool {
        match direction {
            Direction::Receive => self.receiver.as_ref().is_some_and(RxStream::active),
            Direction::Transmit => self.transmitter.as_ref().is_some_and(TxStream::active),
        }
    }

    fn receive(&mut self, samples: &mut [Complex32], timeout: Duration) -> Result<Received, DeviceError> {
        self.needs(Direction::Receive)?;
        let until = Instant::now() + timeout;
        loop {
            let Some(stream) = self.receiver.as_mut().filter(|stream| stream.active()) else {
                return Err(DeviceError::NotRunning { device: self.name.clone() });
            };
            let left = until.saturating_duration_since(Instant::now());
            match stream.read(&mut [samples], microseconds(left)) {
                Ok(count) => {
                    let at_ns = (self.clock && count > 0).then(|| stream.time_ns());
                    return Ok(Received { count, at_ns });
                }
                Err(error) => match error.code {
                    ErrorCode::Timeout => return Ok(Received::default()),
                    ErrorCode::Overflow => {
                        self.losses.overflows += 1;
                        if left.is_zero() {
                            return Ok(Received::default());
                        }
                    }
                    _ => return Err(self.refused("receive", &error)),
                },
            }
        }
    }

    /// A burst whose time has passed counts as taken, and as late: a device drops it, and giving it again would not help.
    fn transmit(&mut self, samples: &[Complex32], burst: Burst, timeout: Duration) -> Result<usize, DeviceError> {
        self.needs(Direction::Transmit)?;
        let Some(stream) = self.transmitter.as_mut().filter(|stream| stream.active()) else {
            return Err(DeviceError::NotRunning { device: self.name.clone() });
        };
        let taken = match stream.write(&[samples], burst.at_ns, burst.ends, microseconds(timeout)) {
            Ok(count) => count.min(samples.len()),
            Err(error) => match error.code {
                ErrorCode::Timeout => 0,
                ErrorCode::Underflow => {
                    self.losses.underflows += 1;
                    0
                }
                ErrorCode::TimeError => {
                    self.losses.late += 1;
                    samples.len()
                }
                _ => return Err(self.refused("transmit", &error)),
            },
        };
        self.take_reports(Duration::ZERO)?;
        Ok(taken)
    }

    fn time_ns(&mut self) -> Option<i64> {
        // Who waits for the end of a burst asks for nothing but the time. What fails here fails in the next call.
        let _ = self.take_reports(Duration::ZERO);
        if self.clock { self.device.get_hardware_time(None).ok() } else { None }
    }

    fn losses(&self) -> Losses {
        self.losses
    }

    fn tells_losses(&self, direction: Direction) -> bool {
        direction == Direction::Receive || self.tells_of_transmitter
    }
}
