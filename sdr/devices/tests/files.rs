//! Files played and recorded as devices, and a device that writes down what it is told.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use farlink_sdr_devices::file::{RawReader, RawWriter, Recorded, SampleFormat, Source};
use farlink_sdr_devices::{
    Burst, Device, DeviceError, Direction, Faults, FileDevice, Journal, Losses, ManualClock, Request, Settings,
    TestDevice,
};
use num_complex::Complex32;

const WAIT: Duration = Duration::from_millis(10);

fn settings() -> Settings {
    Settings { sample_rate_hz: 1e6, frequency_hz: 2.2e9, gain_db: 10.0, bandwidth_hz: None }
}

fn ramp(count: usize) -> Vec<Complex32> {
    (0..count).map(|number| Complex32::new(number as f32 / 65536.0, -(number as f32) / 131072.0)).collect()
}

/// All samples of a device's receiver, and the time of the first.
fn receive_all(device: &mut dyn Device) -> (Vec<Complex32>, Option<i64>) {
    let (mut all, mut first) = (Vec::new(), None);
    let mut samples = vec![Complex32::default(); 3000];
    loop {
        match device.receive(&mut samples, WAIT) {
            Ok(received) => {
                first = first.or(received.at_ns);
                all.extend(&samples[..received.count]);
            }
            Err(DeviceError::Ended { .. }) => return (all, first),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn what_is_transmitted_into_a_file_is_played_again() {
    let folder = tempfile::tempdir().unwrap();
    for format in SampleFormat::ALL {
        let path = folder.path().join(format.name());
        let mut device = FileDevice::new(None, Some(Box::new(RawWriter::create(&path, format).unwrap())));
        assert!(!device.has(Direction::Receive));
        assert!(matches!(device.run(Direction::Transmit, true), Err(DeviceError::Refused { .. })), "no rate yet");
        let set = device.set(Direction::Transmit, &settings()).unwrap();
        assert_eq!(set, Settings { gain_db: 0.0, ..settings() });
        assert!(matches!(device.transmit(&ramp(3), Burst::default(), WAIT), Err(DeviceError::NotRunning { .. })));
        device.run(Direction::Transmit, true).unwrap();
        assert_eq!(device.transmit(&ramp(40_000), Burst::default(), WAIT).unwrap(), 40_000);
        assert_eq!(device.time_ns(), Some(40_000_000));
        assert_eq!(device.losses(), Losses::default());
        device.transmit(&[], Burst { at_ns: Some(1), ends: true }, WAIT).unwrap();
        assert_eq!(device.losses(), Losses { late: 1, ..Losses::default() });
        let other = Settings { sample_rate_hz: 2e6, ..settings() };
        let error = device.set(Direction::Transmit, &other).unwrap_err().to_string();
        assert!(error.ends_with("the sample rate cannot change within a recording; begin another"), "{error}");
        device.finish().unwrap();

        let reader = RawReader::open(&path, format, 1e6, Some(2.2e9)).unwrap();
        assert_eq!(reader.count(), 40_000);
        let mut device = FileDevice::new(Some(Box::new(reader)), None);
        assert_eq!(device.set(Direction::Receive, &other).unwrap().sample_rate_hz, 1e6, "the file has its rate");
        device.run(Direction::Receive, true).unwrap();
        let (played, first) = receive_all(&mut device);
        assert_eq!(first, Some(0));
        assert_eq!(device.time_ns(), Some(40_000_000));
        let worst = played.iter().zip(ramp(40_000)).map(|(a, b)| (a - b).norm()).fold(0.0, f32::max);
        assert_eq!(played.len(), 40_000);
        assert!(
            worst <= if format == SampleFormat::Cf32Le { 0.0 } else { std::f32::consts::SQRT_2 / 65536.0 },
            "{worst}"
        );
    }
}

#[test]
fn raw_files_that_are_not_what_they_are_said_to_be_are_refused_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut");
    let name = path.display();
    let open = |rate| RawReader::open(&path, SampleFormat::Ci16Le, rate, None).map(|reader| reader.count());
    let said = |rate| open(rate).unwrap_err().to_string();
    assert_eq!(said(1.0), format!("{name}: cannot open it: No such file or directory (os error 2)"));
    fs::write(&path, [0; 10]).unwrap();
    assert_eq!(
        said(1.0),
        format!(
            "{name}: 10 octets are no whole number of samples of 4 octets (ci16_le); is it another format, or cut off?"
        )
    );
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(said(rate), format!("{name}: its sample rate is said to be {rate} Hz; give a positive one"));
    }
    let error = RawReader::open(folder.path(), SampleFormat::Ci16Le, 1.0, None).unwrap_err().to_string();
    assert!(error.ends_with("not an ordinary file"), "{error}");
    let error = RawWriter::create(&path, SampleFormat::Ci16Le).unwrap_err().to_string();
    assert_eq!(error, format!("{name}: cannot make it: File exists (os error 17)"));

    // A file that shrinks while it is read is an error, not an end.
    fs::write(&path, [0; 8 * 40_000]).unwrap();
    let mut reader = RawReader::open(&path, SampleFormat::Cf32Le, 1.0, None).unwrap();
    fs::write(&path, [0; 8]).unwrap();
    let error = reader.read(&mut [Complex32::default(); 100]).unwrap_err().to_string();
    assert_eq!(error, format!("{name}: cannot read it: failed to fill whole buffer"));
}

#[test]
fn the_test_device_writes_down_what_it_is_told_in_order_and_with_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("told");
    let clock = ManualClock::default();
    let mut device = TestDevice::new().clocked(Arc::new(clock.clone())).writing_to(&path).unwrap();
    let journal = device.journal();
    let tx = Direction::Transmit;
    assert!(device.transmit(&ramp(1), Burst::default(), WAIT).is_err());
    assert_eq!(device.set(tx, &Settings { gain_db: 99.0, ..settings() }).unwrap().gain_db, 60.0, "its most");
    clock.advance(Duration::from_micros(5));
    device.run(tx, true).unwrap();
    let late = Burst { at_ns: Some(4999), ends: true };
    assert_eq!(device.transmit(&ramp(7), late, WAIT).unwrap(), 7);
    assert_eq!(device.losses(), Losses { late: 1, ..Losses::default() });
    device.set_gain_db(tx, 0.0).unwrap();
    assert!(device.set(tx, &Settings { sample_rate_hz: 0.0, ..settings() }).is_err());
    drop(device);

    let told = journal.told();
    let requests = [
        (0, Request::Transmit { count: 1, burst: Burst::default() }, false),
        (0, Request::Set { direction: tx, wanted: Settings { gain_db: 99.0, ..settings() } }, true),
        (5000, Request::Run { direction: tx, runs: true }, true),
        (5000, Request::Transmit { count: 7, burst: late }, true),
        (5000, Request::SetGain { direction: tx, gain_db: 0.0 }, true),
        (5000, Request::Set { direction: tx, wanted: Settings { sample_rate_hz: 0.0, ..settings() } }, false),
        (5000, Request::Closed, true),
    ];
    assert_eq!(told.len(), requests.len());
    for (number, (entry, (at_ns, request, done))) in told.iter().zip(requests).enumerate() {
        assert_eq!((entry.number, entry.at_ns, entry.done), (number as u64, at_ns, done), "{entry:?}");
        assert_eq!(entry.request, request);
    }
    assert_eq!(Journal::read(&path).unwrap(), told);
    // A line that was cut off is no line.
    fs::write(&path, &fs::read(&path).unwrap()[..fs::metadata(&path).unwrap().len() as usize - 5]).unwrap();
    assert_eq!(Journal::read(&path).unwrap(), told[..6]);
}

#[test]
fn both_sides_of_a_device_are_recorded_as_they_pass() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["received", "transmitted"].map(|name| folder.path().join(name));
    let [received, transmitted] =
        paths.each_ref().map(|path| Box::new(RawWriter::create(path, SampleFormat::Cf32Le).unwrap()));
    let mut inner = TestDevice::new();
    inner.feed(&ramp(500));
    let mut device = Recorded::new(inner, Some(received), Some(transmitted));
    for direction in [Direction::Receive, Direction::Transmit] {
        device.set(direction, &settings()).unwrap();
        device.run(direction, true).unwrap();
    }
    let mut samples = [Complex32::default(); 300];
    assert_eq!(device.receive(&mut samples, WAIT).unwrap().count, 300);
    assert_eq!(device.receive(&mut samples, WAIT).unwrap().count, 200);
    device.transmit(&ramp(1000)[900..], Burst::default(), WAIT).unwrap();
    device.finish().unwrap();
    for (path, expected) in paths.iter().zip([&ramp(500)[..], &ramp(1000)[900..]]) {
        let reader = RawReader::open(path, SampleFormat::Cf32Le, 1e6, None).unwrap();
        let mut device = FileDevice::new(Some(Box::new(reader)), None);
        device.run(Direction::Receive, true).unwrap();
        assert_eq!(receive_all(&mut device).0, expected);
    }
}

#[test]
fn any_loss_makes_a_run_inconclusive() {
    assert_eq!(Losses::default().inconclusive(), None);
    let mut losses = Losses { overflows: 1, ..Losses::default() };
    assert_eq!(
        losses.inconclusive().unwrap(),
        "the device lost samples: 1 overflow of the receiver; lower the sample rate, or give it a processor of its own"
    );
    losses += Losses { overflows: u64::MAX, underflows: 2, late: 1 };
    let text = losses.inconclusive().unwrap();
    assert!(
        text.contains(
            ": 18446744073709551615 overflows of the receiver, 2 underflows of the transmitter, 1 late burst;"
        )
    );
    for one in [Losses { underflows: 1, ..Losses::default() }, Losses { late: 1, ..Losses::default() }] {
        assert!(one.inconclusive().is_some());
    }
    let faults = Faults { losses: Losses { underflows: 3, ..Losses::default() }, ..Faults::default() };
    let mut device = TestDevice::new().with_faults(faults);
    device.run(Direction::Transmit, true).unwrap();
    device.transmit(&ramp(1), Burst::default(), WAIT).unwrap();
    assert_eq!(device.losses().underflows, 3);
}
