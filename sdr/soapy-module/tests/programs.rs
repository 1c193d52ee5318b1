//! Programs that know nothing of Farlink use the ends of a link.

mod common;

use std::io::Read;
use std::process::Stdio;

use common::{Place, said, started};
use farlink_emulated_link::Pace;

fn util(place: &Place, arguments: &[&str]) -> String {
    let output = place.command("SoapySDRUtil").args(arguments).output();
    let output = started(output, "SoapySDRUtil", "soapysdr-tools");
    said(&output)
}

#[test]
fn the_ends_are_found_and_probed() {
    let place = Place::new();
    let none = util(&place, &["--find=driver=farlink"]);
    assert!(none.contains("No devices found"), "{none}");
    let none = util(&place, &["--make=driver=farlink"]);
    assert!(none.contains("`farlink sdr emulate`"), "{none}");
    let _moon = place.serve("moon", Pace::Wall, 100, 4096);
    let _mars = place.serve("mars", Pace::Samples, 100, 4096);
    let found = util(&place, &["--find=driver=farlink"]);
    for serial in ["mars-a", "mars-b", "moon-a", "moon-b"] {
        assert!(found.contains(&format!("serial = {serial}")), "{found}");
    }
    let found = util(&place, &["--find=driver=farlink,link=mars,end=b"]);
    assert!(found.contains("serial = mars-b") && !found.contains("mars-a") && !found.contains("moon"), "{found}");
    let probed = util(&place, &["--probe=driver=farlink,link=mars,end=b"]);
    for line in [
        "driver=farlink",
        "hardware=mars-b",
        "pace=samples",
        "Timestamps: YES",
        "Sensors: overflows, underflows, late",
        "Full-duplex: YES",
        "Stream formats: CF32, CS16",
        "Native format: CF32 [full-scale=1]",
        "Antennas: RX",
        "AMP gain range: [-120, 120] dB",
        "RF freq range: [0, 1e+06] MHz",
        "Sample rates: [0.001, 64] MSps",
    ] {
        assert!(probed.contains(line), "{line}: {probed}");
    }
    let found = util(&place, &["--check=farlink"]);
    assert!(found.contains("PRESENT"), "{found}");
}

#[test]
fn the_rate_is_measured_in_both_directions() {
    let place = Place::new();
    let server = place.serve("moon", Pace::Wall, 100, 1 << 18);
    for direction in ["RX", "TX"] {
        let mut command = place.command("SoapySDRUtil");
        command.args(["--args=driver=farlink,end=a", "--rate=250e3", &format!("--direction={direction}")]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = started(child, "SoapySDRUtil", "soapysdr-tools");
        let mut out = child.stdout.take().unwrap();
        let (mut text, mut byte) = (String::new(), [0]);
        // It goes on until it is ended.
        while !text.contains("MBps") && out.read(&mut byte).unwrap() == 1 {
            text.push(byte[0].into());
        }
        let _ = child.kill();
        let _ = child.wait();
        let measured = text.rsplit_once(" Msps\t").and_then(|(before, _)| before.rsplit('\u{8}').next()?.parse().ok());
        assert!(measured.is_some_and(|rate: f64| rate > 0.0), "{direction}: {text}");
        assert_eq!(server.status().ends[0].settings.rate_hz, 250e3);
        while server.status().ends[0].open {
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_flowgraph_of_gnu_radio_hears_itself_over_the_link() {
    let place = Place::new();
    let _server = place.serve("moon", Pace::Samples, 5000, 1 << 16);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/flowgraph.py");
    // Debian's, which has Debian's GNU Radio.
    let output = place.command("/usr/bin/python3").arg(script).output();
    let output = started(output, "/usr/bin/python3", "gnuradio");
    assert!(output.status.success(), "{}", said(&output));
}
