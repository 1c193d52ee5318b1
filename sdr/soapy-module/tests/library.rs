//! Both ends of a link opened through libSoapySDR.
//!
//! SoapySDR looks for modules once, where the environment tells it. So each test starts itself again with that environment.

mod common;

use std::fs::File;
use std::net::TcpListener;
use std::process::Child;
use std::time::Duration;

use common::{Place, said, started};
use farlink_emulated_link::{End, OpenEnd, Pace};
use num_complex::Complex;
use soapysdr::{Device, Direction, Error, ErrorCode, RxStream, StreamSample, TxStream};

type Sample = Complex<f32>;

/// Set within the process that uses SoapySDR: the arguments that name the driver.
const INSIDE: &str = "FARLINK_TEST_DEVICE";

const PATIENCE_US: i64 = 60_000_000;

/// The arguments of the driver, if this is the process that uses it.
fn inside() -> Option<String> {
    std::env::var(INSIDE).ok()
}

/// Starts a test again, with links and module where SoapySDR finds them.
fn again(place: &Place, test: &str, device: &str) {
    let mut command = place.command(std::env::current_exe().unwrap());
    let output = command.args(["--exact", test, "--nocapture"]).env(INSIDE, device).output().unwrap();
    let said = said(&output);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn open(driver: &str, end: &str) -> Device {
    Device::new(format!("{driver},link=moon,end={end}").as_str()).unwrap()
}

fn ramp(count: usize) -> Vec<Sample> {
    (1..=count).map(|n| Complex::new(n as f32, 0.5 - n as f32)).collect()
}

fn read<E: StreamSample + Copy + Default>(stream: &mut RxStream<E>, count: usize) -> (i64, Vec<E>) {
    let mut got = vec![E::default(); count];
    let (mut filled, mut first) = (0, None);
    while filled < count {
        let read = stream.read(&mut [&mut got[filled..]], PATIENCE_US).unwrap();
        first.get_or_insert(stream.time_ns());
        filled += read;
    }
    (first.unwrap_or_default(), got)
}

/// What the transmitter says has gone wrong, and when it was to be.
fn status(stream: &mut TxStream<Sample>) -> (ErrorCode, i64) {
    let (mut mask, mut flags, mut time_ns) = (0, 0, 0);
    let error: Error = stream.read_status(&mut mask, &mut flags, &mut time_ns, PATIENCE_US).unwrap_err();
    assert_eq!((mask, flags), (1, 4), "a time comes with it: {error}");
    (error.code, time_ns)
}

#[test]
fn a_timed_burst_arrives_a_delay_later_sample_for_sample() {
    let Some(driver) = inside() else {
        let place = Place::new();
        let _server = place.serve("moon", Pace::Samples, 100, 1 << 18);
        return again(&place, "a_timed_burst_arrives_a_delay_later_sample_for_sample", "driver=farlink");
    };
    assert_eq!(soapysdr::enumerate(driver.as_str()).unwrap().len(), 2);
    let (a, b) = (open(&driver, "a"), open(&driver, "b"));
    let (mut tx, mut rx) = (a.tx_stream::<Sample>(&[0]).unwrap(), b.rx_stream::<Sample>(&[0]).unwrap());
    tx.activate(None).unwrap();
    rx.activate(None).unwrap();
    let burst = ramp(20_000);
    tx.write_all(&[&burst], Some(50_000), true, PATIENCE_US).unwrap();
    let (first, got) = read(&mut rx, 25_000);
    assert_eq!(first, 0);
    assert!(got[..150].iter().chain(&got[20_150..]).all(|sample| *sample == Sample::default()));
    assert_eq!(got[150..20_150], burst);
    assert_eq!(a.get_hardware_time(None).unwrap(), 25_000_000);

    // Its time has passed.
    tx.write_all(&[&burst[..10]], Some(24_000_000), true, PATIENCE_US).unwrap();
    assert_eq!(status(&mut tx), (ErrorCode::TimeError, 24_000_000));
    assert_eq!(a.read_sensor("late").unwrap(), "1");

    // By another clock, which this end alone has set.
    a.set_hardware_time(None, 1_000_000_000).unwrap();
    assert_eq!(b.get_hardware_time(None).unwrap(), 25_000_000);
    tx.write_all(&[&burst[..10]], Some(1_000_020_000), true, PATIENCE_US).unwrap();
    let (first, got) = read(&mut rx, 200);
    assert_eq!(first, 25_000_000);
    assert_eq!(got[120..130], burst[..10]);

    // 16 bits, from a time on, and what has passed refused.
    rx.deactivate(None).unwrap();
    drop(rx);
    let mut rx = b.rx_stream::<Complex<i16>>(&[0]).unwrap();
    let half = [Complex::new(0.5, -0.5), Complex::new(2.0, -2.0)];
    tx.write_all(&[&half], Some(1_000_300_000), true, PATIENCE_US).unwrap();
    rx.activate(Some(25_390_000)).unwrap();
    let (first, got) = read(&mut rx, 20);
    assert_eq!(first, 25_390_000);
    assert_eq!(got[10..12], [Complex::new(16384, -16384), Complex::new(32767, -32768)]);
    rx.deactivate(None).unwrap();
    rx.activate(Some(0)).unwrap();
    let mut buffer = [Complex::new(0i16, 0); 10];
    assert_eq!(rx.read(&mut [&mut buffer], PATIENCE_US).unwrap_err().code, ErrorCode::TimeError);
}

#[test]
fn an_underflow_and_an_overflow_are_told() {
    let Some(driver) = inside() else {
        let place = Place::new();
        let _server = place.serve("moon", Pace::Wall, 100, 4096);
        return again(&place, "an_underflow_and_an_overflow_are_told", "driver=farlink");
    };
    let (a, b) = (open(&driver, "a"), open(&driver, "b"));
    let (mut tx, mut rx) = (a.tx_stream::<Sample>(&[0]).unwrap(), b.rx_stream::<Sample>(&[0]).unwrap());
    tx.activate(None).unwrap();
    tx.write_all(&[&ramp(100)], None, false, PATIENCE_US).unwrap();
    assert_eq!(status(&mut tx).0, ErrorCode::Underflow);
    assert_eq!(a.read_sensor("underflows").unwrap(), "1");
    rx.activate(None).unwrap();
    while b.read_sensor("overflows").unwrap() == "0" {
        std::thread::sleep(Duration::from_millis(2));
    }
    let mut buffer = [Sample::default(); 1000];
    let error = std::iter::from_fn(|| Some(rx.read(&mut [&mut buffer], PATIENCE_US))).find_map(Result::err).unwrap();
    assert_eq!(error.code, ErrorCode::Overflow);
    assert!(rx.read(&mut [&mut buffer], PATIENCE_US).unwrap() > 0, "and on it goes");
}

#[test]
fn settings_are_read_back_and_refusals_say_why() {
    let Some(driver) = inside() else {
        let place = Place::new();
        let _server = place.serve("moon", Pace::Samples, 100, 4096);
        let mars = place.serve("mars", Pace::Samples, 100, 4096);
        let _taken = OpenEnd::open(mars.path(), End::A).unwrap();
        return again(&place, "settings_are_read_back_and_refusals_say_why", "driver=farlink");
    };
    let (a, b) = (open(&driver, "a"), open(&driver, "b"));
    a.set_sample_rate(Direction::Tx, 0, 2e6).unwrap();
    a.set_frequency(Direction::Tx, 0, 8.4e9, ()).unwrap();
    a.set_gain(Direction::Tx, 0, -3.0).unwrap();
    a.set_gain_element(Direction::Rx, 0, "AMP", 6.0).unwrap();
    assert_eq!(a.sample_rate(Direction::Rx, 0).unwrap(), 2e6, "both directions have one");
    assert_eq!(a.frequency(Direction::Tx, 0).unwrap(), 8.4e9);
    assert_eq!(a.frequency(Direction::Rx, 0).unwrap(), 2.2e9);
    assert_eq!((a.gain(Direction::Tx, 0).unwrap(), a.gain(Direction::Rx, 0).unwrap()), (-3.0, 6.0));
    assert_eq!(a.antennas(Direction::Rx, 0).unwrap(), ["RX"]);
    assert_eq!(a.hardware_key().unwrap(), "moon-a");
    let mut tx = a.tx_stream::<Sample>(&[0]).unwrap();
    let mut rx = b.rx_stream::<Sample>(&[0]).unwrap();
    tx.activate(None).unwrap();
    for (refused, words) in [
        (a.set_sample_rate(Direction::Tx, 0, 1.0), "from 1000 to 64000000"),
        (a.set_sample_rate(Direction::Tx, 0, 3e6), "stop its streams"),
        (a.set_frequency(Direction::Tx, 0, -1.0, ()), "the frequency is -1"),
        (a.set_gain(Direction::Tx, 0, f64::NAN), "not a request"),
        (a.set_gain(Direction::Tx, 1, 0.0), "only channel 0"),
        (a.set_antenna(Direction::Tx, 0, "RX"), "there is `TX`"),
        (a.read_sensor("mood").map(drop), "no sensor `mood`"),
        (a.tx_stream::<Sample>(&[0]).map(drop), "close it before"),
        (a.rx_stream::<Complex<i8>>(&[0]).map(drop), "take CF32 or CS16"),
        (rx.activate(None), "set the same at both"),
        (Device::new(format!("{driver},link=venus").as_str()).map(drop), "`farlink sdr emulate`"),
        (Device::new(format!("{driver},link=mars,end=a").as_str()).map(drop), "in use by another program"),
    ] {
        let error = refused.expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
    }
    Device::new(format!("{driver},link=mars,end=b").as_str()).expect("the end that is free");
}

/// What lets a process on this machine talk to others, and nothing else.
fn bus(address: &str) -> String {
    format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>{address}</listen>
  <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>
"#
    )
}

/// Waits for what a process is to bring about, which it cannot once it has ended.
fn until(child: &mut Child, what: &str, there: impl Fn() -> bool) {
    while !there() {
        if let Some(status) = child.try_wait().unwrap() {
            panic!("{what} has ended: {status}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// SoapyRemote's server with a bus of its own: it ends where there is no system bus on which it could look for Avahi.
struct RemoteServer {
    server: Child,
    bus: Child,
    port: u16,
}

impl RemoteServer {
    fn start(place: &Place) -> Self {
        let (config, socket) = (place.links().with_file_name("bus.conf"), place.links().with_file_name("bus"));
        let address = format!("unix:path={}", socket.display());
        std::fs::write(&config, bus(&address)).unwrap();
        let mut bus = place.command("dbus-daemon");
        bus.arg("--nofork").arg("--config-file").arg(config);
        let mut bus = started(bus.spawn(), "dbus-daemon", "dbus-daemon");
        until(&mut bus, "dbus-daemon", || socket.exists());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = place.command("SoapySDRServer");
        server.arg(format!("--bind=127.0.0.1:{port}")).env("DBUS_SYSTEM_BUS_ADDRESS", address);
        let said = place.links().with_file_name("server.log");
        server.stdout(File::create(&said).unwrap());
        let mut server = started(server.spawn(), "SoapySDRServer", "soapyremote-server");
        // It takes connections before it serves them.
        until(&mut server, "SoapySDRServer", || std::fs::read_to_string(&said).unwrap().contains("Press Ctrl+C"));
        RemoteServer { server, bus, port }
    }
}

impl Drop for RemoteServer {
    fn drop(&mut self) {
        for child in [&mut self.server, &mut self.bus] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn a_burst_arrives_through_the_server_of_soapy_remote() {
    let Some(driver) = inside() else {
        let place = Place::new();
        // A second, so that the burst is under way when its receiver starts.
        let _server = place.serve("moon", Pace::Samples, 1_000_000, 1 << 18);
        let remote = RemoteServer::start(&place);
        let device = format!("driver=remote,remote=tcp://127.0.0.1:{},remote:driver=farlink", remote.port);
        return again(&place, "a_burst_arrives_through_the_server_of_soapy_remote", &device);
    };
    let find = |end: &str| {
        Device::new(format!("{driver},link=moon,end={end}").as_str())
            .unwrap_or_else(|error| panic!("{error}: `apt-get install soapysdr-module-remote` if there is no driver"))
    };
    let (a, b) = (find("a"), find("b"));
    assert_eq!(b.hardware_key().unwrap(), "moon-b");
    let mut tx = a.tx_stream_args::<Sample, _>(&[0], "remote:prot=tcp").unwrap();
    let mut rx = b.rx_stream_args::<Sample, _>(&[0], "remote:prot=tcp").unwrap();
    tx.activate(None).unwrap();
    let burst = ramp(20_000);
    tx.write_all(&[&burst], Some(50_000), true, PATIENCE_US).unwrap();
    // Nobody receives, so time goes to the end of what has been written.
    while a.get_hardware_time(None).unwrap() < 20_050_000 {
        std::thread::sleep(Duration::from_millis(1));
    }
    rx.activate(None).unwrap();
    let (first, got) = read(&mut rx, 1_010_000);
    assert_eq!(first, 20_050_000);
    let arrives = 1_000_050 - 20_050;
    assert!(got[..arrives].iter().all(|sample| *sample == Sample::default()));
    assert_eq!(got[arrives..arrives + 20_000], burst);
    tx.write_all(&[&burst[..10]], Some(0), true, PATIENCE_US).unwrap();
    let (mut mask, mut flags, mut time_ns) = (0, 0, 0);
    let late = tx.read_status(&mut mask, &mut flags, &mut time_ns, PATIENCE_US).unwrap_err();
    assert_eq!(late.code, ErrorCode::TimeError);
}
