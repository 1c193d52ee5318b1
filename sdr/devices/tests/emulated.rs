//! The ends of a served link as devices, without SoapySDR.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use farlink_emulated_link::{DelayAndNoise, LinkConfig, Pace, Server};
use farlink_sdr_devices::emulated::{EmulatedError, served};
use farlink_sdr_devices::{Burst, Device, DeviceError, Direction, EmulatedDevice, Losses, Settings};
use num_complex::Complex32;

const RX: Direction = Direction::Receive;
const TX: Direction = Direction::Transmit;
const PATIENCE: Duration = Duration::from_secs(50);

struct Place {
    _folder: tempfile::TempDir,
    links: PathBuf,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    Place { links: folder.path().join("links"), _folder: folder }
}

fn serve(links: &Path, name: &str, pace: Pace) -> Server {
    let medium = Arc::new(|_, _| Ok(Box::new(DelayAndNoise::new(100, 0.0, 0)?) as _));
    Server::start(links, name, LinkConfig { pace, buffer_samples: 4096, ..LinkConfig::new(medium) }).unwrap()
}

fn open(links: &Path, arguments: &str) -> Result<EmulatedDevice, EmulatedError> {
    EmulatedDevice::open_in(links, &arguments.parse().unwrap())
}

fn ramp(count: usize) -> Vec<Complex32> {
    (1..=count).map(|n| Complex32::new(n as f32, 0.5 - n as f32)).collect()
}

#[test]
fn a_timed_burst_goes_from_end_to_end_and_settings_are_read_back() {
    let place = place();
    let _server = serve(&place.links, "moon", Pace::Samples);
    let mut a = open(&place.links, "driver=farlink,link=moon,end=a").unwrap();
    let mut b = open(&place.links, "driver=farlink,serial=moon-b").unwrap();
    assert_eq!(
        (a.name(), b.name()),
        ("driver=farlink,link=moon,end=a".into(), "driver=farlink,link=moon,end=b".into())
    );
    assert_eq!(served(&place.links).iter().map(|end| end.in_use()).collect::<Vec<_>>(), [true, true]);
    let wanted = Settings { sample_rate_hz: 2e6, frequency_hz: 8.4e9, gain_db: -6.0, bandwidth_hz: None };
    assert_eq!(a.set(TX, &wanted).unwrap(), wanted);
    assert_eq!(a.settings(RX).unwrap(), Settings { frequency_hz: 2.2e9, gain_db: 0.0, ..wanted });
    assert_eq!(a.set_gain_db(TX, 0.0).unwrap(), 0.0);
    assert_eq!(a.gain_range_db(TX).unwrap(), -120.0..=120.0);
    b.set(RX, &Settings { gain_db: 0.0, ..wanted }).unwrap();
    for (wrong, words) in [
        (
            Settings { sample_rate_hz: 1.0, ..wanted },
            "set its sample rate to 1 Hz: the sample rate is 1: give a number",
        ),
        (Settings { sample_rate_hz: f64::NAN, ..wanted }, "a sample rate of NaN Hz"),
        (Settings { frequency_hz: -1.0, ..wanted }, "set its frequency to -1 Hz"),
        (Settings { gain_db: 121.0, ..wanted }, "set its gain to 121 dB"),
    ] {
        let error = a.set(TX, &wrong).unwrap_err();
        assert!(matches!(error, DeviceError::Refused { .. }) && error.to_string().contains(words), "{error}");
    }
    assert!(matches!(a.transmit(&ramp(1), Burst::default(), PATIENCE), Err(DeviceError::NotRunning { .. })));
    assert!(matches!(b.receive(&mut ramp(1), PATIENCE), Err(DeviceError::NotRunning { .. })));
    a.set(TX, &Settings { gain_db: 0.0, ..wanted }).unwrap();
    for (device, direction) in [(&mut a, TX), (&mut b, RX)] {
        device.run(direction, true).unwrap();
        device.run(direction, true).unwrap();
        assert!(device.runs(direction));
    }
    // 50 µs are 100 samples.
    assert_eq!(a.transmit(&ramp(1000), Burst { at_ns: Some(50_000), ends: true }, PATIENCE).unwrap(), 1000);
    let (mut got, mut buffer) = (Vec::new(), [Complex32::ZERO; 700]);
    while got.len() < 1400 {
        let received = b.receive(&mut buffer, PATIENCE).unwrap();
        assert_eq!(received.at_ns, Some(got.len() as i64 * 500));
        got.extend_from_slice(&buffer[..received.count]);
    }
    assert_eq!(got[200..1200], ramp(1000));
    assert!(a.time_ns().unwrap() >= 700_000);
    a.transmit(&ramp(10), Burst { at_ns: Some(0), ends: true }, PATIENCE).unwrap();
    assert_eq!(a.losses(), Losses { late: 1, ..Losses::default() });
    assert!(a.losses().inconclusive().is_some() && a.tells_losses(TX));
    a.run(TX, false).unwrap();
    assert!(!a.runs(TX));
}

#[test]
fn what_an_end_loses_at_the_pace_of_the_wall_is_counted() {
    let place = place();
    let _server = serve(&place.links, "moon", Pace::Wall);
    let mut a = open(&place.links, "driver=farlink,end=a").unwrap();
    a.run(RX, true).unwrap();
    a.run(TX, true).unwrap();
    // A burst without an end.
    a.transmit(&ramp(10), Burst::default(), PATIENCE).unwrap();
    thread::sleep(Duration::from_millis(50));
    let mut buffer = [Complex32::ZERO; 4096];
    while a.losses().overflows == 0 {
        a.receive(&mut buffer, PATIENCE).unwrap();
    }
    assert!(a.receive(&mut buffer, PATIENCE).unwrap().count > 0, "and on it goes");
    a.time_ns();
    assert_eq!(a.losses().underflows, 1);
}

#[test]
fn exactly_one_end_is_taken_and_one_that_is_gone_is_lost() {
    let place = place();
    let error = open(&place.links, "driver=farlink").unwrap_err().to_string();
    assert!(error.contains("fits `driver=farlink`; there is none: serve a link with `farlink sdr emulate`"), "{error}");
    let server = serve(&place.links, "moon", Pace::Samples);
    let error = open(&place.links, "driver=farlink,link=moon").unwrap_err().to_string();
    assert_eq!(
        error,
        "2 ends of emulated links fit `driver=farlink,link=moon`; say which:\n  driver=farlink,link=moon,end=a\n  \
         driver=farlink,link=moon,end=b"
    );
    let error = open(&place.links, "driver=farlink,link=mars").unwrap_err();
    assert!(matches!(&error, EmulatedError::NoMatch { there, .. } if there.len() == 2), "{error}");
    let mut a = open(&place.links, "driver=farlink,end=a").unwrap();
    let error = open(&place.links, "driver=farlink,end=a").unwrap_err().to_string();
    assert!(error.contains("end a is in use by another program"), "{error}");
    let error = DeviceError::from(open(&place.links, "driver=farlink,end=c").unwrap_err()).to_string();
    assert!(error.starts_with("driver=farlink: cannot be opened: no end of an emulated link in"), "{error}");
    a.run(RX, true).unwrap();
    drop(server);
    assert!(matches!(a.receive(&mut [Complex32::ZERO; 8], PATIENCE), Err(DeviceError::Lost { .. })));
    assert!(matches!(a.settings(TX), Err(DeviceError::Lost { .. })));
    assert_eq!(a.time_ns(), None);
}
