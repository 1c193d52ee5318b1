//! SigMF recordings: written, validated and read by the `sigmf` package of PyPI, and the other way round; and what is wrong
//! with one is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use farlink_sdr_devices::file::{Recorded, RecordingError, SampleFormat, Sink, Source};
use farlink_sdr_devices::sigmf::{About, Annotation, Check, Meta, SigmfReader, SigmfWriter};
use farlink_sdr_devices::{
    Burst, Device, DeviceError, Direction, Faults, FileDevice, Losses, ManualClock, Settings, TestDevice,
};
use num_complex::Complex32;

const WAIT: Duration = Duration::from_millis(10);
const REMEDY: &str = "run bench/check, which makes it, or by hand: python3 -m venv target/sigmf && \
                      target/sigmf/bin/pip install -r fixtures/golden/sigmf/requirements.txt";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs a program of the virtual environment, which must be there.
fn run(program: &str, arguments: &[&Path]) -> Result<String, String> {
    let path = root().join("target/sigmf/bin").join(program);
    let output = Command::new(&path).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}; {REMEDY}", path.display()));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap()),
        false => Err(said),
    }
}

fn script(name: &str) -> PathBuf {
    root().join("fixtures/golden/sigmf").join(name)
}

fn settings() -> Settings {
    Settings { sample_rate_hz: 1e6, frequency_hz: 2.2e9, gain_db: 10.0, bandwidth_hz: None }
}

fn ramp(count: usize) -> Vec<Complex32> {
    (0..count).map(|number| Complex32::new(number as f32 / 32768.0, -(number as f32) / 32768.0)).collect()
}

fn about() -> About {
    let began = UNIX_EPOCH.checked_add(Duration::new(1_800_000_000, 123_456_789));
    About { description: Some("a test".to_owned()), author: None, hw: Some("none".to_owned()), began }
}

/// All of a recording: runs of samples with the time and the frequency of the first.
fn play(reader: &mut SigmfReader) -> Vec<(i64, f64, Vec<Complex32>)> {
    let mut runs = Vec::new();
    let mut samples = vec![Complex32::default(); 5000];
    loop {
        let frequency = reader.frequency_hz().unwrap_or(f64::NAN);
        let received = reader.read(&mut samples).unwrap();
        if received.count == 0 {
            return runs;
        }
        runs.push((received.at_ns.unwrap(), frequency, samples[..received.count].to_vec()));
    }
}

/// A recording with a gap, another frequency, a word and, in integers, samples beyond full scale.
fn record(name: &Path, format: SampleFormat) {
    let mut writer = SigmfWriter::create(name, format, about()).unwrap();
    writer.tune(&settings()).unwrap();
    writer.write(&ramp(100), Some(5_000_000)).unwrap();
    // A nanosecond of rounding is no gap.
    writer.write(&ramp(100), Some(5_100_001)).unwrap();
    writer.note("overflow").unwrap();
    writer.write(&ramp(50), Some(5_400_000)).unwrap();
    writer.tune(&Settings { frequency_hz: 2.3e9, ..settings() }).unwrap();
    writer.write(&ramp(10), None).unwrap();
    writer.write(&[Complex32::new(1.5, 0.0)], None).unwrap();
    writer
        .annotate(Annotation {
            sample_start: 10,
            sample_count: Some(20),
            freq_lower_edge_hz: Some(2.19e9),
            freq_upper_edge_hz: Some(2.21e9),
            label: Some("burst".to_owned()),
            ..Annotation::default()
        })
        .unwrap();
    writer.finish().unwrap();
    writer.finish().unwrap();
    assert!(writer.write(&ramp(1), None).is_err());
}

#[test]
fn what_is_written_is_valid_and_read_alike_by_the_sigmf_package() {
    let folder = tempfile::tempdir().unwrap();
    for format in SampleFormat::ALL {
        let name = folder.path().join(format.name());
        record(&name, format);
        let meta_path = folder.path().join(format!("{}.sigmf-meta", format.name()));
        run("sigmf_validate", &[&meta_path]).unwrap();
        let text = run("python", &[Path::new("-B"), &script("read.py"), &meta_path]).unwrap();
        let theirs: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(theirs["global"]["core:datatype"], format.name());
        assert_eq!(theirs["global"]["core:sample_rate"], 1e6);
        let captures: Vec<_> = theirs["captures"].as_array().unwrap().iter().collect();
        let facts = |capture: &serde_json::Value| {
            ["core:sample_start", "core:global_index", "core:frequency"].map(|key| capture[key].as_f64().unwrap())
        };
        assert_eq!(
            captures.iter().map(|capture| facts(capture)).collect::<Vec<_>>(),
            [[0.0, 0.0, 2.2e9], [200.0, 400.0, 2.2e9], [250.0, 450.0, 2.3e9]]
        );
        assert_eq!(captures[0]["core:datetime"], "2027-01-15T08:00:00.123456789Z");
        assert_eq!(captures[1]["core:datetime"], "2027-01-15T08:00:00.123856789Z");
        let labels: Vec<_> =
            theirs["annotations"].as_array().unwrap().iter().map(|annotation| &annotation["core:label"]).collect();
        match format {
            SampleFormat::Cf32Le => assert_eq!(labels, ["burst", "overflow"]),
            SampleFormat::Ci16Le => assert_eq!(labels, ["clipped", "burst", "overflow"]),
        }

        let mut reader = SigmfReader::open(&name, Check::Digest).unwrap();
        assert_eq!(reader.count(), 261);
        assert_eq!(reader.began(), about().began);
        let runs = play(&mut reader);
        let heads: Vec<_> = runs.iter().map(|(at, frequency, samples)| (*at, *frequency, samples.len())).collect();
        assert_eq!(heads, [(0, 2.2e9, 200), (400_000, 2.2e9, 50), (450_000, 2.3e9, 11)]);
        let ours: Vec<Complex32> = runs.into_iter().flat_map(|(_, _, samples)| samples).collect();
        let theirs: Vec<[f32; 2]> = serde_json::from_value(theirs["samples"].clone()).unwrap();
        assert_eq!(ours, theirs.into_iter().map(|[re, im]| Complex32::new(re, im)).collect::<Vec<_>>());
        assert_eq!(ours[..100], ramp(100));
    }
}

#[test]
fn the_package_finds_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("a");
    record(&name, SampleFormat::Cf32Le);
    let (meta, data) = (folder.path().join("a.sigmf-meta"), folder.path().join("a.sigmf-data"));
    let text = fs::read_to_string(&meta).unwrap();
    fs::write(&meta, text.replace("\"core:sample_start\": 0", "\"core:sample_start\": -1")).unwrap();
    assert!(run("sigmf_validate", &[&meta]).is_err());
    fs::write(&meta, &text).unwrap();
    let mut octets = fs::read(&data).unwrap();
    octets[100] ^= 1;
    fs::write(&data, octets).unwrap();
    assert!(run("sigmf_validate", &[&meta]).is_err());

    let error = SigmfReader::open(&name, Check::Digest).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: its SHA-512 is ", data.display())), "{error}");
    assert!(error.ends_with("it was altered or cut off"), "{error}");
    assert_eq!(SigmfReader::open(&name, Check::None).unwrap().count(), 261);
}

#[test]
fn recordings_of_the_sigmf_package_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for format in SampleFormat::ALL {
        let name = folder.path().join(format!("theirs.{}", format.name()));
        run("python", &[Path::new("-B"), &script("write.py"), &name, Path::new(format.name())]).unwrap();
        for ending in ["", ".sigmf-meta", ".sigmf-data"] {
            let path = PathBuf::from(format!("{}{ending}", name.display()));
            let mut reader = SigmfReader::open(&path, Check::Digest).unwrap();
            assert_eq!(reader.sample_rate_hz(), 48_000.0);
            assert_eq!(reader.meta().global.description.as_deref(), Some("a ramp"));
            assert_eq!(reader.meta().annotations[0].label.as_deref(), Some("here"));
            let runs = play(&mut reader);
            let heads: Vec<_> = runs.iter().map(|(at, frequency, samples)| (*at, *frequency, samples.len())).collect();
            assert_eq!(heads, [(0, 435e6, 600), (10_000_000_000, 436e6, 400)], "{format:?}");
            for (number, sample) in runs.into_iter().flat_map(|(_, _, samples)| samples).enumerate() {
                let expected = Complex32::new(number as f32 / 1000.0, number as f32 / -2000.0);
                assert!((sample - expected).norm() <= 1.0 / 32768.0, "{number}: {sample}");
            }
        }
    }
}

#[test]
fn a_recording_that_was_cut_off_is_read_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("cut");
    let mut writer = SigmfWriter::create(&name, SampleFormat::Ci16Le, about()).unwrap();
    writer.tune(&settings()).unwrap();
    writer.write(&ramp(1234), None).unwrap();
    drop(writer);
    let reader = SigmfReader::open(&name, Check::Digest).unwrap();
    assert_eq!((reader.count(), &reader.meta().global.sha512), (1234, &None));
    let error = SigmfWriter::create(&name, SampleFormat::Ci16Le, about()).unwrap_err();
    assert!(matches!(error, RecordingError::Io { .. }), "nothing is written over: {error}");
}

#[test]
fn both_sides_of_a_device_are_recorded_with_what_it_loses_and_played_again() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["received", "transmitted"].map(|name| folder.path().join(name));
    let [received, transmitted] = names
        .each_ref()
        .map(|name| Box::new(SigmfWriter::create(name, SampleFormat::Cf32Le, about()).unwrap()) as Box<dyn Sink>);
    let clock = ManualClock::default();
    let losses = Losses { overflows: 1, underflows: 1, late: 0 };
    let mut inner =
        TestDevice::new().clocked(Arc::new(clock.clone())).with_faults(Faults { losses, ..Faults::default() });
    inner.feed(&ramp(150));
    let mut device = Recorded::new(inner, Some(received), Some(transmitted));
    for direction in [Direction::Receive, Direction::Transmit] {
        device.set(direction, &settings()).unwrap();
        device.run(direction, true).unwrap();
    }
    let mut samples = [Complex32::default(); 100];
    device.receive(&mut samples, WAIT).unwrap();
    clock.advance(Duration::from_micros(300));
    device.receive(&mut samples, WAIT).unwrap();
    device.transmit(&ramp(70), Burst { at_ns: Some(1_000_000), ends: true }, WAIT).unwrap();
    device.transmit(&ramp(70), Burst { at_ns: Some(2_000_000), ends: true }, WAIT).unwrap();
    assert!(device.losses().inconclusive().is_some());
    device.finish().unwrap();

    for (name, expected) in names.iter().zip([[(0, 100), (300_000, 50)], [(0, 70), (1_000_000, 70)]]) {
        run("sigmf_validate", &[Path::new(&format!("{}.sigmf-meta", name.display()))]).unwrap();
        let reader = SigmfReader::open(name, Check::Digest).unwrap();
        let label = if expected[0].1 == 100 { "overflow" } else { "underflow" };
        let labels: Vec<_> = reader.meta().annotations.iter().map(|a| (a.sample_start, a.label.clone())).collect();
        assert_eq!(labels, [(0, Some(label.to_owned())), (expected[0].1, Some(label.to_owned()))]);

        let mut device = FileDevice::new(Some(Box::new(reader)), None);
        assert_eq!(device.settings(Direction::Receive).unwrap().frequency_hz, 2.2e9);
        device.run(Direction::Receive, true).unwrap();
        let mut samples = [Complex32::default(); 500];
        for (at_ns, count) in expected {
            let received = device.receive(&mut samples, WAIT).unwrap();
            assert_eq!((received.at_ns, received.count as u64), (Some(at_ns), count));
        }
        assert!(matches!(device.receive(&mut samples, WAIT), Err(DeviceError::Ended { .. })));
    }
}

#[test]
fn time_that_jumps_back_is_noted_and_not_counted() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("back");
    let mut writer = SigmfWriter::create(&name, SampleFormat::Cf32Le, about()).unwrap();
    assert!(writer.write(&ramp(1), None).unwrap_err().to_string().ends_with("tune it first"));
    writer.tune(&settings()).unwrap();
    for at_ns in [i64::MAX - 1_000_000, 0, 100_000, i64::MIN, i64::MAX] {
        writer.write(&ramp(100), Some(at_ns)).unwrap();
    }
    writer.finish().unwrap();
    let reader = SigmfReader::open(&name, Check::Digest).unwrap();
    let labels: Vec<_> = reader.meta().annotations.iter().map(|annotation| annotation.sample_start).collect();
    assert_eq!(labels, [100, 300]);
    run("sigmf_validate", &[&folder.path().join("back.sigmf-meta")]).unwrap();
}

#[test]
fn metadata_that_are_hostile_or_not_read_here_are_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("bad");
    let meta_path = folder.path().join("bad.sigmf-meta");
    fs::write(folder.path().join("bad.sigmf-data"), [0; 80]).unwrap();
    let said = |text: &str| {
        fs::write(&meta_path, text).unwrap();
        let error = SigmfReader::open(&name, Check::Digest).unwrap_err().to_string();
        error.strip_prefix(&format!("{}: ", meta_path.display())).unwrap_or(&error).to_owned()
    };
    let good = concat!(
        r#"{"global": {"core:datatype": "cf32_le", "core:version": "1.0.0", "core:sample_rate": 1}, "#,
        r#""captures": [], "annotations": []}"#
    );
    fs::write(&meta_path, good).unwrap();
    assert_eq!(SigmfReader::open(&name, Check::Digest).unwrap().count(), 10);

    let global = |extra: &str| good.replacen("{\"core:datatype\"", &format!("{{{extra}, \"core:datatype\""), 1);
    let captures = |list: &str| good.replacen("\"captures\": []", &format!("\"captures\": [{list}]"), 1);
    for (text, why) in [
        (String::new(), "not the metadata of a recording: EOF while parsing a value at line 1 column 0"),
        ("[".repeat(100_000), "not the metadata of a recording: invalid type: sequence"),
        (good.replace("1.0.0", "2.0.0"), "core:version is \"2.0.0\"; read is 1.x"),
        (good.replace("cf32_le", "ru8"), "core:datatype is \"ru8\"; read are cf32_le and ci16_le"),
        (good.replace(": 1}", ": 0}"), "core:sample_rate is 0; it must be above 0 and at most 1e12"),
        (good.replace(": 1}", ": 1e999}"), "not the metadata of a recording: number out of range"),
        (good.replace(", \"core:sample_rate\": 1", ""), "there is no core:sample_rate; write it in"),
        (global("\"core:num_channels\": 2"), "core:num_channels is 2; read is one channel"),
        (global("\"core:num_channels\": -1"), "not the metadata of a recording: invalid value"),
        (global("\"core:metadata_only\": true"), "core:metadata_only says that it has no samples"),
        (global("\"core:dataset\": \"../../x\""), "it is a dataset that does not conform"),
        (global("\"core:trailing_bytes\": 4"), "it is a dataset that does not conform"),
        (captures(r#"{"core:sample_start": 0, "core:header_bytes": 1}"#), "it is a dataset that does not conform"),
        (
            global(r#""core:extensions": [{"name": "x", "version": "1", "optional": false}]"#),
            "core:extensions says that \"x\" must be known to read it",
        ),
        (
            global(&format!("\"core:offset\": {}", u64::MAX)),
            "core:offset is 18446744073709551615; it must be below 2^63",
        ),
        (
            captures(r#"{"core:sample_start": 11}"#),
            "captures[0] begins at sample 11, and the data file has samples 0 to 10",
        ),
        (
            captures(r#"{"core:sample_start": 5}, {"core:sample_start": 4}"#),
            "captures[1] begins at sample 4, before the one above it",
        ),
        (
            captures(r#"{"core:sample_start": 0, "core:global_index": 9223372036854775808}"#),
            "captures[0]: core:global_index is 9223372036854775808; it must be below 2^63",
        ),
        (
            captures(r#"{"core:sample_start": 0, "core:frequency": 2e12}"#),
            "captures[0]: core:frequency is 2000000000000; it must be within ±1e12",
        ),
        (
            captures(r#"{"core:sample_start": 0, "core:datetime": "yesterday"}"#),
            "captures[0]: core:datetime is \"yesterday\": ",
        ),
    ] {
        let text = said(&text);
        assert!(text.starts_with(why), "{text} is not {why}");
    }
    fs::remove_file(&meta_path).unwrap();
    let error = SigmfReader::open(&name, Check::Digest).unwrap_err().to_string();
    assert!(error.ends_with("cannot open it: No such file or directory (os error 2)"), "{error}");

    // Times as far apart as they can be written.
    let far = concat!(
        r#"{"core:sample_start": 2, "core:global_index": 9223372036854775807}, "#,
        r#"{"core:sample_start": 5, "core:datetime": "9999-12-31T23:59:59Z"}"#
    );
    fs::write(&meta_path, captures(far)).unwrap();
    let runs = play(&mut SigmfReader::open(&name, Check::None).unwrap());
    assert_eq!(runs.iter().map(|(_, _, samples)| samples.len()).collect::<Vec<_>>(), [2, 3, 5]);
    let parsed: Meta = serde_json::from_str(good).unwrap();
    assert!(parsed.captures.is_empty());
}
