//! Nothing is radiated that is not permitted, and silence follows whatever goes wrong: seen by a device that writes down what
//! it is told.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use farlink_sdr_devices::safety::{Duty, Guarded, Limits, Permit, Rules, SafetyError, Silence, State};
use farlink_sdr_devices::{
    Burst, Device, DeviceError, Direction, Faults, FileDevice, Journal, ManualClock, Request, Settings, TestDevice,
};
use num_complex::Complex32;

const TX: Direction = Direction::Transmit;
const WAIT: Duration = Duration::from_millis(10);
/// As long as a test may take at all.
const LONG: Duration = Duration::from_secs(50);
const DOWN: Request = Request::SetGain { direction: TX, gain_db: 0.0 };
const STOP: Request = Request::Run { direction: TX, runs: false };
const SILENCE: Option<Silence> = Some(Silence { gain_db: 0.0, lowest_db: 0.0 });

fn rules() -> Rules {
    Rules {
        permit: Permit::Conducted { attenuation_db: 60.0 },
        limits: Limits {
            frequency_hz: Some([430e6, 440e6]),
            gain_db: 30.0,
            occupied_hz: None,
            duty: Duty { share: 0.5, window_s: 1.0 },
        },
        dead_man_s: 1.0,
    }
}

fn wanted() -> Settings {
    Settings { sample_rate_hz: 1e6, frequency_hz: 435e6, gain_db: 20.0, bandwidth_hz: None }
}

struct Bench {
    device: Guarded,
    journal: Journal,
    clock: ManualClock,
}

fn guard(rules: Option<Rules>, faults: Faults) -> Bench {
    let clock = ManualClock::default();
    let inner = TestDevice::new().clocked(Arc::new(clock.clone())).with_faults(faults);
    let journal = inner.journal();
    let device = Guarded::new(Box::new(inner), rules, Arc::new(clock.clone())).unwrap();
    Bench { device, journal, clock }
}

/// A device on the air.
fn on_air(faults: Faults) -> Bench {
    let mut bench = guard(Some(rules()), faults);
    bench.device.set(TX, &wanted()).unwrap();
    bench.device.run(TX, true).unwrap();
    bench
}

fn send(device: &mut dyn Device, count: usize) -> Result<usize, DeviceError> {
    device.transmit(&vec![Complex32::new(0.5, 0.0); count], Burst::default(), WAIT)
}

/// That it was silenced after all that went out, and heard nothing more but its end.
fn silent_at_last(journal: &Journal) {
    let mut requests = journal.requests();
    if requests.last() == Some(&Request::Closed) {
        requests.pop();
    }
    assert!(requests.ends_with(&[DOWN, STOP]), "{requests:?}");
}

#[test]
fn a_device_that_is_taken_over_is_silenced_first() {
    let bench = guard(None, Faults::default());
    assert_eq!(bench.journal.requests(), [DOWN, STOP]);
    assert_eq!(bench.device.state(), State::Guarded);
}

#[test]
fn without_a_permit_nothing_but_receiving_is_done() {
    let Bench { mut device, journal, .. } = guard(None, Faults::default());
    let errors = [
        device.set(TX, &wanted()).unwrap_err(),
        device.set_gain_db(TX, 1.0).unwrap_err(),
        device.run(TX, true).unwrap_err(),
        send(&mut device, 1).unwrap_err(),
    ];
    assert_eq!(journal.requests(), [DOWN, STOP], "the device hears of none of them");
    for error in errors {
        let text = error.to_string();
        let remedy =
            "no permit is given; say that the path is conducted and its attenuation, or name a licence and its band";
        assert!(text.ends_with(remedy), "{text}");
    }
    device.set(Direction::Receive, &wanted()).unwrap();
    device.run(Direction::Receive, true).unwrap();
    assert_eq!(device.receive(&mut [Complex32::default(); 4], WAIT).unwrap().count, 0);
}

#[test]
fn limits_hold_before_the_device_hears_of_it() {
    let Bench { mut device, journal, .. } = guard(Some(rules()), Faults::default());
    let before = journal.requests();
    for wrong in [
        Settings { frequency_hz: 440e6, ..wanted() },
        Settings { frequency_hz: f64::NAN, ..wanted() },
        Settings { gain_db: 30.1, ..wanted() },
        Settings { gain_db: f64::INFINITY, ..wanted() },
        Settings { sample_rate_hz: 0.0, ..wanted() },
        Settings { sample_rate_hz: 10.1e6, ..wanted() },
    ] {
        assert!(matches!(device.set(TX, &wrong), Err(DeviceError::Forbidden { .. })), "{wrong:?}");
    }
    // Not set, it is as it was found: at full gain, perhaps.
    let error = device.run(TX, true).unwrap_err().to_string();
    assert_eq!(error, "test device: must not start the transmitter: its frequency and gain are not set; set it first");
    assert!(matches!(send(&mut device, 1), Err(DeviceError::Forbidden { .. })));
    assert_eq!(journal.requests(), before);

    device.set(TX, &wanted()).unwrap();
    device.run(TX, true).unwrap();
    assert!(matches!(device.set_gain_db(TX, 31.0), Err(DeviceError::Forbidden { .. })));
    assert_eq!(device.set_gain_db(TX, 30.0).unwrap(), 30.0);
    assert_eq!(send(&mut device, 100).unwrap(), 100);
    let nan = [Complex32::new(0.0, 0.0), Complex32::new(f32::NAN, 0.0)];
    let error = device.transmit(&nan, Burst::default(), WAIT).unwrap_err().to_string();
    assert_eq!(error, "test device: must not transmit: sample 1 is not a finite number");
    assert_eq!(device.state(), State::Guarded, "what is refused changes nothing");
}

#[test]
fn duty_is_limited_within_the_window() {
    let Bench { mut device, journal, clock } = on_air(Faults::default());
    let control = device.control();
    assert_eq!(send(&mut device, 500_000).unwrap(), 500_000);
    let error = send(&mut device, 1).unwrap_err().to_string();
    assert!(error.contains("the limit on duty is 50.000 %"), "{error}");
    let sent = journal.requests().len();
    for _ in 0..4 {
        clock.advance(Duration::from_millis(250));
        control.is_there();
        assert!(send(&mut device, 500_001).is_err());
    }
    assert_eq!(journal.requests().len(), sent);
    clock.advance(Duration::from_millis(500));
    control.is_there();
    assert_eq!(send(&mut device, 250_000).unwrap(), 250_000);
    // For later, by the device's own time.
    let burst = Burst { at_ns: Some(10_000_000_000), ends: true };
    device.transmit(&vec![Complex32::default(); 500_000], burst, WAIT).unwrap();
    assert!(send(&mut device, 1).is_err());
}

#[test]
fn closing_and_dropping_silence_it() {
    let Bench { device, journal, .. } = on_air(Faults::default());
    let watch = device.watch();
    device.close().unwrap();
    silent_at_last(&journal);
    assert_eq!(watch.state(), State::Silent { why: "it was closed".to_owned(), silence: SILENCE });

    let Bench { mut device, journal, .. } = on_air(Faults::default());
    send(&mut device, 10).unwrap();
    let watch = device.watch();
    drop(device);
    silent_at_last(&journal);
    assert_eq!(watch.state(), State::Silent { why: "its guard was dropped".to_owned(), silence: SILENCE });
}

#[test]
fn a_panic_silences_it_by_the_user_and_by_the_driver() {
    let Bench { mut device, journal, .. } = on_air(Faults::default());
    let watch = device.watch();
    let panicked = catch_unwind(AssertUnwindSafe(move || {
        send(&mut device, 10).unwrap();
        panic!("as a user's code may");
    }));
    assert!(panicked.is_err());
    silent_at_last(&journal);
    assert_eq!(watch.state(), State::Silent { why: "the program panicked".to_owned(), silence: SILENCE });

    let Bench { mut device, journal, .. } = on_air(Faults { panics_after: Some(5), ..Faults::default() });
    let watch = device.watch();
    assert!(catch_unwind(AssertUnwindSafe(move || send(&mut device, 10))).is_err());
    silent_at_last(&journal);
    assert!(matches!(watch.state(), State::Silent { .. }));
}

#[test]
fn settings_that_fail_half_way_leave_the_gain_at_its_lowest_and_the_transmitter_off() {
    let Bench { mut device, journal, .. } = guard(Some(rules()), Faults { fails_half_set: true, ..Faults::default() });
    let error = device.set(TX, &wanted()).unwrap_err().to_string();
    assert_eq!(error, "test device: cannot set its bandwidth: it has no filter");
    let set = Request::Set { direction: TX, wanted: wanted() };
    assert_eq!(journal.requests(), [DOWN, STOP, set, DOWN, STOP], "the gain had been set");
    assert_eq!(device.settings(TX).unwrap().gain_db, 0.0);
    assert_eq!(device.state(), State::Guarded, "it may be set otherwise");
    assert!(matches!(device.run(TX, true), Err(DeviceError::Forbidden { .. })));
    assert!(matches!(send(&mut device, 1), Err(DeviceError::Forbidden { .. })));
}

#[test]
fn a_start_that_fails_half_way_silences_it() {
    let faults = Faults { fails_half_started: true, ..Faults::default() };
    let Bench { mut device, journal, .. } = guard(Some(rules()), faults);
    device.set(TX, &wanted()).unwrap();
    let error = device.run(TX, true).unwrap_err().to_string();
    assert_eq!(error, "test device: cannot start the stream: its clock is not locked");
    silent_at_last(&journal);
    assert!(!device.runs(TX), "its stream ran");
    assert_eq!(device.state(), State::Silent { why: error, silence: SILENCE });
    assert!(matches!(device.run(TX, true), Err(DeviceError::Forbidden { .. })));
}

#[test]
fn an_error_on_the_air_silences_it() {
    let Bench { mut device, journal, .. } = on_air(Faults { fails_after: Some(5), ..Faults::default() });
    send(&mut device, 5).unwrap();
    assert!(matches!(send(&mut device, 5), Err(DeviceError::Refused { .. })));
    silent_at_last(&journal);
    let why = "test device: cannot transmit: it is broken".to_owned();
    assert_eq!(device.state(), State::Silent { why, silence: SILENCE });
    let error = send(&mut device, 5).unwrap_err().to_string();
    assert_eq!(error, "test device: must not transmit: it was silenced: test device: cannot transmit: it is broken");
    silent_at_last(&journal);
}

#[test]
fn a_device_that_sets_a_higher_gain_than_permitted_is_silenced() {
    let Bench { mut device, journal, .. } = guard(Some(rules()), Faults { gain_excess_db: 0.9, ..Faults::default() });
    device.set(TX, &Settings { gain_db: 29.0, ..wanted() }).unwrap();
    device.run(TX, true).unwrap();
    let error = device.set(TX, &Settings { gain_db: 29.5, ..wanted() }).unwrap_err().to_string();
    assert!(
        error.contains("it reads back otherwise than was asked: a gain of 30.4 dB is above the limit of 30 dB"),
        "{error}"
    );
    silent_at_last(&journal);
}

#[test]
fn a_receiver_that_takes_the_transmitter_out_of_its_band_silences_it() {
    let Bench { mut device, journal, .. } = on_air(Faults { one_oscillator: true, ..Faults::default() });
    device.set(Direction::Receive, &Settings { frequency_hz: 436e6, ..wanted() }).unwrap();
    assert_eq!(device.state(), State::Guarded);
    let error = device.set(Direction::Receive, &Settings { frequency_hz: 2.2e9, ..wanted() }).unwrap_err().to_string();
    assert!(
        error.contains("it reads back otherwise than was asked: 2199500000 to 2200500000 Hz are not within"),
        "{error}"
    );
    silent_at_last(&journal);
}

#[test]
fn lost_control_silences_it_without_any_call() {
    let Bench { mut device, journal, clock } = on_air(Faults::default());
    let (watch, control) = (device.watch(), device.control());
    for _ in 0..10 {
        clock.advance(Duration::from_millis(999));
        control.is_there();
        send(&mut device, 10).unwrap();
    }
    assert_eq!(watch.state(), State::Guarded);
    let before = journal.requests();
    clock.advance(Duration::from_secs(1));
    let why = "nobody has said for 1s that control is there".to_owned();
    assert_eq!(watch.wait(LONG), State::Silent { why, silence: SILENCE });
    assert_eq!(journal.requests()[before.len()..], [DOWN, STOP]);
    // Too late to say so.
    control.is_there();
    assert!(matches!(send(&mut device, 1), Err(DeviceError::Forbidden { .. })));
    assert!(matches!(device.run(TX, true), Err(DeviceError::Forbidden { .. })));
}

#[test]
fn lost_control_is_seen_by_the_next_call_before_the_timer_wakes() {
    let Bench { mut device, journal, clock } = on_air(Faults::default());
    clock.advance(Duration::from_secs(1));
    assert!(matches!(send(&mut device, 1), Err(DeviceError::Forbidden { .. })));
    silent_at_last(&journal);
}

#[test]
fn a_driver_that_hangs_is_told_of() {
    let hangs = Arc::new(AtomicBool::new(true));
    let Bench { mut device, clock, journal } = on_air(Faults { hangs: Arc::clone(&hangs), ..Faults::default() });
    let watch = device.watch();
    let sends = std::thread::spawn(move || {
        let sent = send(&mut device, 10);
        (device, sent)
    });
    while !journal.requests().iter().any(|request| matches!(request, Request::Transmit { .. })) {
        std::thread::sleep(Duration::from_millis(1));
    }
    clock.advance(Duration::from_secs(1));
    assert!(matches!(watch.wait(LONG), State::Stuck { .. }));
    hangs.store(false, Ordering::SeqCst);
    let (device, sent) = sends.join().unwrap();
    assert_eq!(sent.unwrap(), 10);
    drop(device);
    silent_at_last(&journal);
    assert!(matches!(watch.state(), State::Silent { .. }), "once the driver came back, it was silenced");
}

#[test]
fn a_driver_that_hangs_in_being_silenced_is_told_of() {
    let hangs = Arc::new(AtomicBool::new(false));
    let Bench { device, clock, journal } = on_air(Faults { hangs_at_gain: Arc::clone(&hangs), ..Faults::default() });
    let watch = device.watch();
    hangs.store(true, Ordering::SeqCst);
    clock.advance(Duration::from_secs(1));
    assert!(matches!(watch.wait(LONG), State::Stuck { .. }));
    hangs.store(false, Ordering::SeqCst);
    drop(device);
    silent_at_last(&journal);
}

#[test]
fn control_that_comes_back_while_the_device_is_waited_for_comes_too_late() {
    let hangs = Arc::new(AtomicBool::new(true));
    let Bench { mut device, clock, journal } = on_air(Faults { hangs: Arc::clone(&hangs), ..Faults::default() });
    let (watch, control) = (device.watch(), device.control());
    let sends = std::thread::spawn(move || {
        let sent = send(&mut device, 10);
        (device, sent)
    });
    while !journal.requests().iter().any(|request| matches!(request, Request::Transmit { .. })) {
        std::thread::sleep(Duration::from_millis(1));
    }
    clock.advance(Duration::from_secs(1));
    // Long enough for the timer to see that control is lost, and shorter than its patience with the driver.
    std::thread::sleep(Duration::from_millis(500));
    control.is_there();
    hangs.store(false, Ordering::SeqCst);
    assert!(matches!(watch.wait(LONG), State::Silent { .. }), "{:?}", watch.state());
    let (device, _) = sends.join().unwrap();
    silent_at_last(&journal);
    drop(device);
}

#[test]
fn a_loop_that_only_receives_does_not_keep_the_device_from_being_silenced() {
    let Bench { mut device, clock, journal } = on_air(Faults::default());
    let watch = device.watch();
    device.run(Direction::Receive, true).unwrap();
    clock.advance(Duration::from_secs(1));
    let mut samples = [Complex32::ZERO; 16];
    let _ = device.receive(&mut samples, Duration::from_millis(1));
    assert!(matches!(watch.state(), State::Silent { .. }), "{:?}", watch.state());
    silent_at_last(&journal);
}

#[test]
fn a_device_that_does_not_obey_is_told_of() {
    let stuck = Faults { gain_stuck: true, ..Faults::default() };
    let error = Guarded::new(Box::new(TestDevice::new().with_faults(stuck)), None, Arc::new(ManualClock::default()));
    let Err(SafetyError::Disobedience(error)) = error else { panic!("{error:?}") };
    assert_eq!(
        error.to_string(),
        "test device does not obey: its gain reads back as 60 dB after it was brought down to 0 dB; take its power or its \
         antenna away"
    );

    let Bench { device, journal, .. } = on_air(Faults { runs_on: true, ..Faults::default() });
    let watch = device.watch();
    let error = device.close().unwrap_err();
    assert_eq!(error.what, "its stream runs after it was stopped");
    let State::Disobeys { why, what } = watch.state() else { panic!("{:?}", watch.state()) };
    assert_eq!((why.as_str(), what), ("its guard was dropped", error.what));
    let tries = journal.requests().iter().filter(|request| **request == STOP).count();
    assert_eq!(tries, 1 + 3 + 3, "taken over, closed, dropped");

    // Refused once, asked again.
    let Bench { device, journal, .. } = on_air(Faults::default());
    drop(device);
    silent_at_last(&journal);
    let inner = TestDevice::new().with_faults(Faults { refuses_to_stop: 2, ..Faults::default() });
    let journal = inner.journal();
    drop(Guarded::new(Box::new(inner), Some(rules()), Arc::new(ManualClock::default())).unwrap());
    silent_at_last(&journal);
}

#[test]
fn rules_for_what_cannot_transmit_are_an_error() {
    let device = FileDevice::new(None, None);
    let error = Guarded::new(Box::new(device), Some(rules()), Arc::new(ManualClock::default())).unwrap_err();
    assert_eq!(error.to_string(), "file device that is closed cannot transmit");
    let error = Rules { dead_man_s: 0.0, ..rules() };
    let error = Guarded::new(Box::new(TestDevice::new()), Some(error), Arc::new(ManualClock::default())).unwrap_err();
    assert_eq!(error.to_string(), "dead_man_s: 0 s is not within 0.01 to 60 s");
}

#[test]
fn rules_are_read_from_text_and_what_is_unknown_is_refused() {
    let text = serde_json::to_string(&rules()).unwrap();
    assert_eq!(serde_json::from_str::<Rules>(&text).unwrap(), rules());
    assert!(text.contains(r#""permit":{"conducted":{"attenuation_db":60.0}}"#), "{text}");
    assert!(serde_json::from_str::<Rules>(&text.replace("gain_db", "gain")).is_err());
    assert!(serde_json::from_str::<Rules>(&text.replacen('{', r#"{"extra":1,"#, 1)).is_err());
}
