//! What the C++ part calls. Numbers and words only: no pointer but to samples that C++ lends for the time of a call.

use farlink_emulated_link::Half;

use crate::device::{self, Device, DeviceError, MTU, Streamed, Words};

// What the macro makes of it to be called from C++.
#[allow(unsafe_code)]
#[cxx::bridge(namespace = "farlink")]
mod ffi {
    /// A key and its value.
    struct Word {
        key: String,
        value: String,
    }

    /// What names a device.
    struct Found {
        words: Vec<Word>,
    }

    /// A range.
    struct Span {
        lowest: f64,
        highest: f64,
    }

    /// What came of reading, writing or waiting.
    struct Outcome {
        result: i32,
        flags: i32,
        time_ns: i64,
        message: String,
    }

    extern "Rust" {
        type Device;

        fn find(wanted: Vec<Word>) -> Vec<Found>;
        fn open(wanted: Vec<Word>) -> Result<Box<Device>>;

        fn serial(self: &Device) -> String;
        fn rate_hz(self: &Device) -> Result<f64>;
        fn change_rate(self: &Device, hz: f64) -> Result<()>;
        fn frequency_hz(self: &Device, receives: bool) -> Result<f64>;
        fn tune(self: &Device, receives: bool, hz: f64) -> Result<()>;
        fn gain_db(self: &Device, receives: bool) -> Result<f64>;
        fn amplify(self: &Device, receives: bool, db: f64) -> Result<()>;
        fn read_sensor(self: &Device, key: &str) -> Result<u64>;
        fn hardware_time(self: &Device) -> Result<i64>;
        fn set_hardware_time(self: &Device, time_ns: i64) -> Result<()>;
        fn start(self: &Device, receives: bool, flags: i32, time_ns: i64, count: usize) -> Result<i32>;
        fn stop(self: &Device, receives: bool, flags: i32) -> Result<i32>;

        fn hardware_info(device: &Device) -> Vec<Word>;
        fn rate_range(device: &Device) -> Span;
        fn frequency_range(device: &Device) -> Span;
        fn gain_range(device: &Device) -> Span;
        fn mtu() -> usize;

        fn receive_cf32(device: &Device, buffer: &mut [f32], timeout_us: i64) -> Outcome;
        fn receive_cs16(device: &Device, buffer: &mut [i16], timeout_us: i64) -> Outcome;
        fn transmit_cf32(device: &Device, samples: &[f32], flags: i32, time_ns: i64, timeout_us: i64) -> Outcome;
        fn transmit_cs16(device: &Device, samples: &[i16], flags: i32, time_ns: i64, timeout_us: i64) -> Outcome;
        fn wait_for_event(device: &Device, timeout_us: i64) -> Outcome;

        fn only_channel(channel: usize) -> Result<()>;
        fn only_name(what: &str, name: &str, only: &str) -> Result<()>;
        fn stream_in_use() -> Result<()>;
        fn is_cs16(format: &str) -> Result<bool>;
    }
}

use ffi::{Found, Outcome, Span, Word};

fn words(pairs: Words) -> Vec<Word> {
    pairs.into_iter().map(|(key, value)| Word { key, value }).collect()
}

fn pairs(words: Vec<Word>) -> Words {
    words.into_iter().map(|word| (word.key, word.value)).collect()
}

fn half(receives: bool) -> Half {
    if receives { Half::Receiver } else { Half::Transmitter }
}

fn span([lowest, highest]: [f64; 2]) -> Span {
    Span { lowest, highest }
}

fn find(wanted: Vec<Word>) -> Vec<Found> {
    device::find(&pairs(wanted)).into_iter().map(|device| Found { words: words(device) }).collect()
}

fn open(wanted: Vec<Word>) -> Result<Box<Device>, DeviceError> {
    Device::open(&pairs(wanted)).map(Box::new)
}

impl Device {
    fn rate_hz(&self) -> Result<f64, DeviceError> {
        Ok(self.settings()?.rate_hz)
    }

    fn change_rate(&self, hz: f64) -> Result<(), DeviceError> {
        self.set_rate(hz)
    }

    fn frequency_hz(&self, receives: bool) -> Result<f64, DeviceError> {
        let settings = self.settings()?;
        Ok(if receives { settings.receive_hz } else { settings.transmit_hz })
    }

    fn tune(&self, receives: bool, hz: f64) -> Result<(), DeviceError> {
        self.set_frequency(half(receives), hz)
    }

    fn gain_db(&self, receives: bool) -> Result<f64, DeviceError> {
        let settings = self.settings()?;
        Ok(if receives { settings.receive_gain_db } else { settings.transmit_gain_db })
    }

    fn amplify(&self, receives: bool, db: f64) -> Result<(), DeviceError> {
        self.set_gain(half(receives), db)
    }

    fn read_sensor(&self, key: &str) -> Result<u64, DeviceError> {
        self.sensor(key)
    }

    fn hardware_time(&self) -> Result<i64, DeviceError> {
        self.time_ns()
    }

    fn set_hardware_time(&self, time_ns: i64) -> Result<(), DeviceError> {
        self.set_time_ns(time_ns)
    }

    fn start(&self, receives: bool, flags: i32, time_ns: i64, count: usize) -> Result<i32, DeviceError> {
        self.activate(half(receives), flags, time_ns, count)
    }

    fn stop(&self, receives: bool, flags: i32) -> Result<i32, DeviceError> {
        self.deactivate(half(receives), flags)
    }
}

fn hardware_info(device: &Device) -> Vec<Word> {
    words(device.info())
}

fn rate_range(device: &Device) -> Span {
    span(device.rate_range_hz())
}

fn frequency_range(device: &Device) -> Span {
    span(device.frequency_range_hz())
}

fn gain_range(device: &Device) -> Span {
    span(device.gain_range_db())
}

fn mtu() -> usize {
    MTU
}

impl From<Streamed> for Outcome {
    fn from(Streamed { result, flags, time_ns, message }: Streamed) -> Self {
        Outcome { result, flags, time_ns, message }
    }
}

fn receive_cf32(device: &Device, buffer: &mut [f32], timeout_us: i64) -> Outcome {
    device.read_cf32(buffer, timeout_us).into()
}

fn receive_cs16(device: &Device, buffer: &mut [i16], timeout_us: i64) -> Outcome {
    device.read_cs16(buffer, timeout_us).into()
}

fn transmit_cf32(device: &Device, samples: &[f32], flags: i32, time_ns: i64, timeout_us: i64) -> Outcome {
    device.write_cf32(samples, flags, time_ns, timeout_us).into()
}

fn transmit_cs16(device: &Device, samples: &[i16], flags: i32, time_ns: i64, timeout_us: i64) -> Outcome {
    device.write_cs16(samples, flags, time_ns, timeout_us).into()
}

fn wait_for_event(device: &Device, timeout_us: i64) -> Outcome {
    device.event(timeout_us).into()
}

fn only_channel(channel: usize) -> Result<(), DeviceError> {
    if channel == 0 { Ok(()) } else { Err(DeviceError::Channel(channel)) }
}

fn only_name(what: &str, name: &str, only: &str) -> Result<(), DeviceError> {
    if name == only {
        return Ok(());
    }
    Err(DeviceError::Name { what: what.into(), name: name.into(), only: only.into() })
}

fn stream_in_use() -> Result<(), DeviceError> {
    Err(DeviceError::Stream)
}

fn is_cs16(format: &str) -> Result<bool, DeviceError> {
    match format {
        "CF32" => Ok(false),
        "CS16" => Ok(true),
        _ => Err(DeviceError::Format(format.into())),
    }
}
