//! Both ends of a link as radios of `sdr/devices`, opened through libSoapySDR: what it does with real ones, without one.
//!
//! SoapySDR looks for modules once, where the environment tells it. So each test starts itself again with that environment.

#[expect(dead_code, reason = "it starts no programs")]
mod common;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use common::{Place, said};
use farlink_emulated_link::Pace;
use farlink_sdr_devices::safety::{Duty, Guarded, Limits, Permit, Rules, Silence, State};
use farlink_sdr_devices::soapy::{SoapyDevice, SoapyError, found};
use farlink_sdr_devices::{Burst, Device, DeviceError, Direction, Losses, Monotonic, Settings};
use num_complex::Complex32;

const INSIDE: &str = "FARLINK_TEST_RADIO";
const PATIENCE: Duration = Duration::from_secs(60);
const RX: Direction = Direction::Receive;
const TX: Direction = Direction::Transmit;

fn inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Starts a test again, with links and module where SoapySDR finds them.
fn again(place: &Place, test: &str) {
    let mut command = place.command(std::env::current_exe().unwrap());
    let output = command.args(["--exact", test, "--nocapture"]).env(INSIDE, "yes").output().unwrap();
    let said = said(&output);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn open(end: &str) -> SoapyDevice {
    SoapyDevice::open(&format!("driver=farlink,link=moon,end={end}"), 0).unwrap()
}

fn settings(frequency_hz: f64, gain_db: f64) -> Settings {
    Settings { sample_rate_hz: 1e6, frequency_hz, gain_db, bandwidth_hz: None }
}

fn ramp(count: usize) -> Vec<Complex32> {
    (1..=count).map(|n| Complex32::new(n as f32, 0.5 - n as f32)).collect()
}

fn read(device: &mut dyn Device, count: usize) -> (i64, Vec<Complex32>) {
    let (mut got, mut filled, mut first) = (vec![Complex32::ZERO; count], 0, None);
    while filled < count {
        let received = device.receive(&mut got[filled..], PATIENCE).unwrap();
        if received.count > 0 {
            first.get_or_insert(received.at_ns.expect("an emulated end has a clock"));
        }
        filled += received.count;
    }
    (first.unwrap_or_default(), got)
}

#[test]
fn a_timed_burst_goes_from_radio_to_radio_sample_for_sample() {
    if !inside() {
        let place = Place::new();
        let _server = place.serve("moon", Pace::Samples, 100, 1 << 18);
        return again(&place, "a_timed_burst_goes_from_radio_to_radio_sample_for_sample");
    }
    let named: Vec<String> = found().unwrap().iter().map(ToString::to_string).collect();
    for end in ["a", "b"] {
        let name = format!("driver=farlink,end={end},link=moon,serial=moon-{end}");
        assert!(named.contains(&name), "{named:?}");
    }
    let error = SoapyDevice::open("driver=farlink,link=moon", 0).unwrap_err();
    assert!(matches!(&error, SoapyError::Several { found, .. } if found.len() == 2), "{error}");
    let error = SoapyDevice::open("driver=farlink,link=mars", 0).unwrap_err();
    assert!(matches!(error, SoapyError::NoMatch { .. }), "{error}");

    let (mut a, mut b) = (open("a"), open("b"));
    assert!(a.has(TX) && a.has(RX) && !a.runs(TX));
    assert_eq!(a.gain_range_db(TX).unwrap(), -120.0..=120.0);
    // Its bandwidth is that of the rate, as it says.
    let set = a.set(TX, &settings(8.4e9, -6.0)).unwrap();
    assert_eq!(set, Settings { bandwidth_hz: set.bandwidth_hz, ..settings(8.4e9, -6.0) });
    assert_eq!(a.settings(TX).unwrap(), set);
    assert_eq!(a.set_gain_db(TX, 0.0).unwrap(), 0.0);
    b.set(RX, &settings(8.4e9, 0.0)).unwrap();
    let error = a.set(TX, &settings(-1.0, 0.0)).unwrap_err().to_string();
    assert!(error.contains("the frequency is -1"), "{error}");
    let error = a.set_antenna(TX, "RX").unwrap_err().to_string();
    assert!(error.contains("it has TX"), "{error}");

    assert!(matches!(a.transmit(&ramp(1), Burst::default(), PATIENCE), Err(DeviceError::NotRunning { .. })));
    a.run(TX, true).unwrap();
    b.run(RX, true).unwrap();
    assert!(a.runs(TX) && b.runs(RX));
    let burst = ramp(20_000);
    let timed = Burst { at_ns: Some(50_000), ends: true };
    assert_eq!(a.transmit(&burst, timed, PATIENCE).unwrap(), 20_000);
    let (first, got) = read(&mut b, 25_000);
    assert_eq!(first, 0);
    assert!(got[..150].iter().chain(&got[20_150..]).all(|sample| *sample == Complex32::ZERO));
    assert_eq!(got[150..20_150], burst);
    assert_eq!(a.time_ns(), Some(25_000_000));
    assert_eq!((a.losses(), b.losses()), (Losses::default(), Losses::default()));

    // Its time has passed: taken, dropped, and counted.
    assert_eq!(a.transmit(&burst[..10], Burst { at_ns: Some(24_000_000), ends: true }, PATIENCE).unwrap(), 10);
    a.run(TX, false).unwrap();
    assert!(!a.runs(TX) && a.tells_losses(TX));
    assert_eq!(a.losses(), Losses { late: 1, ..Losses::default() });
    assert!(a.losses().inconclusive().unwrap().contains("1 late burst"));
}

#[test]
fn what_the_radios_lose_is_counted() {
    if !inside() {
        let place = Place::new();
        let _server = place.serve("moon", Pace::Wall, 100, 4096);
        return again(&place, "what_the_radios_lose_is_counted");
    }
    let (mut a, mut b) = (open("a"), open("b"));
    a.run(TX, true).unwrap();
    // A burst that has no end runs out of samples.
    a.transmit(&ramp(100), Burst::default(), PATIENCE).unwrap();
    b.run(RX, true).unwrap();
    // More than an end keeps: 4 ms.
    thread::sleep(Duration::from_millis(100));
    read(&mut b, 10_000);
    assert!(b.losses().overflows >= 1);
    a.run(TX, false).unwrap();
    assert_eq!(a.losses(), Losses { underflows: 1, ..Losses::default() });
}

#[test]
fn a_guarded_radio_is_silenced_and_reads_back_so() {
    if !inside() {
        let place = Place::new();
        let server = place.serve("moon", Pace::Samples, 100, 1 << 18);
        again(&place, "a_guarded_radio_is_silenced_and_reads_back_so");
        // As the link has it, and not only the driver.
        assert_eq!(server.status().ends[0].settings.transmit_gain_db, -120.0);
        return;
    }
    let rules = Rules {
        permit: Permit::Conducted { attenuation_db: 60.0 },
        limits: Limits { frequency_hz: Some([8.3e9, 8.5e9]), gain_db: 0.0, occupied_hz: None, duty: Duty::ALWAYS },
        dead_man_s: 60.0,
    };
    let mut device = Guarded::new(Box::new(open("a")), Some(rules), Arc::new(Monotonic::default())).unwrap();
    assert_eq!(device.settings(TX).unwrap().gain_db, -120.0, "silenced when it was taken over");
    assert!(matches!(device.set(TX, &settings(8.6e9, 0.0)), Err(DeviceError::Forbidden { .. })));
    device.set(TX, &settings(8.4e9, -3.0)).unwrap();
    device.run(TX, true).unwrap();
    device.transmit(&ramp(1000), Burst { at_ns: None, ends: true }, PATIENCE).unwrap();
    assert_eq!(device.settings(TX).unwrap().gain_db, -3.0);
    let watch = device.watch();
    device.close().unwrap();
    let silence = Some(Silence { gain_db: -120.0, lowest_db: -120.0 });
    assert_eq!(watch.state(), State::Silent { why: "it was closed".to_owned(), silence });
}
