//! Radios through SoapySDR, as far as its null device goes, which has no channel.

#![cfg(feature = "soapy")]

use std::time::Duration;

use farlink_sdr_devices::soapy::{SoapyDevice, SoapyError, found};
use farlink_sdr_devices::{Burst, Device, DeviceError, Direction, Settings};
use num_complex::Complex32;

#[test]
fn a_device_that_is_not_there_is_told_with_a_remedy() {
    let error = SoapyDevice::open("driver=nobody-has-this", 0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no device matches `driver=nobody-has-this`; is it plugged in and free, and is the SoapySDR module of its driver \
         installed? `SoapySDRUtil --find` lists what is there"
    );
    assert!(matches!(SoapyDevice::open("serial=1", 0), Err(SoapyError::NoDriver { .. })));
    assert!(matches!(SoapyDevice::open("driver=audio", 0), Err(SoapyError::SoundCard { .. })));
    assert!(!found().unwrap().iter().any(|device| device.to_string().contains("audio")));
}

#[test]
fn the_null_device_opens_and_has_neither_direction() {
    let mut device = SoapyDevice::open("driver=null,type=null", 0).unwrap();
    assert_eq!(device.name(), "driver=null,type=null channel 0");
    assert_eq!(device.time_ns(), None);
    let settings = Settings { sample_rate_hz: 1e6, frequency_hz: 1e9, gain_db: 0.0, bandwidth_hz: None };
    let mut samples = [Complex32::default(); 8];
    for direction in [Direction::Receive, Direction::Transmit] {
        assert!(!device.has(direction) && !device.runs(direction));
        let errors = [
            device.set(direction, &settings).unwrap_err(),
            device.settings(direction).unwrap_err(),
            device.gain_range_db(direction).unwrap_err(),
            device.set_gain_db(direction, 0.0).unwrap_err(),
            device.run(direction, true).unwrap_err(),
            device.set_antenna(direction, "A").unwrap_err(),
            match direction {
                Direction::Receive => device.receive(&mut samples, Duration::ZERO).unwrap_err(),
                Direction::Transmit => device.transmit(&samples, Burst::default(), Duration::ZERO).unwrap_err(),
            },
        ];
        let expected = DeviceError::NoDirection { device: device.name(), direction };
        assert!(errors.iter().all(|error| *error == expected), "{errors:?}");
    }
}
