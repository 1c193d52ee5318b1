//! What users get wrong: each is told where it stands, what is wrong and what would be right, and nothing is written.
#![allow(missing_docs)]

mod common;

use std::fs;
use std::path::Path;

use common::*;
use serde_json::Value;

/// The scenario that the mistakes are made in.
const MARS: &str = "scenarios/mars-relay.yaml";
const LONG: &str = "scenarios/long-haul.yaml";

/// Replaces `right` by `wrong` in a sound scenario, and expects both `run` and `check` to refuse it: at the line and
/// column of `at` within the wrong text, with the given words.
fn refused(from: &str, right: &str, wrong: &str, at: &str, words: &[&str]) {
    let temp = tempfile::tempdir().unwrap();
    let mut place = None;
    let scenario = changed(from, temp.path(), |text| text);
    let text = fs::read_to_string(&scenario).unwrap();
    assert_eq!(text.matches(right).count(), 1, "`{right}` must stand once in {from}");
    let text = text.replace(right, wrong);
    let offset = text.find(wrong).unwrap() + wrong.find(at).unwrap();
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let start = line.as_ptr() as usize - text.as_ptr() as usize;
        if (start..start + line.len()).contains(&offset) {
            place = Some((number, text[start..offset].chars().count() + 1));
        }
    }
    let (line, column) = place.expect("the wrong text is on a line");
    fs::write(&scenario, &text).unwrap();

    let where_ = format!("{}:{line}:{column}: ", scenario.display());
    // Into a folder that is named, and from a folder that would get `runs/`.
    let out = temp.path().join("run");
    let cwd = temp.path().join("cwd");
    fs::create_dir(&cwd).unwrap();
    let endings = [
        finish(farlink().arg("check").arg(&scenario).current_dir(&cwd)),
        finish(farlink().arg("run").arg(&scenario).arg("--headless").current_dir(&cwd)),
        finish(farlink().arg("run").arg(&scenario).arg("--headless").arg("--out").arg(&out).current_dir(&cwd)),
    ];
    for (code, stdout, stderr) in endings {
        assert_eq!(code, 2, "{stdout}{stderr}");
        assert!(stderr.contains(&where_), "expected `{where_}` in:\n{stderr}");
        for word in words {
            assert!(stderr.contains(word), "expected `{word}` in:\n{stderr}");
        }
        assert_eq!(stdout, "", "what is wrong belongs on standard error");
    }
    assert!(!out.exists(), "a run folder was made for a scenario that cannot run");
    assert_eq!(entries(&cwd), Vec::<String>::new(), "something was written for a scenario that cannot run");
}

fn entries(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

/// Expects a command line to be refused with all these words, before anything is done.
fn command_line_refused(arguments: &[&str], words: &[&str]) {
    let temp = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = finish(farlink().args(arguments).current_dir(temp.path()));
    assert_eq!(code, 2, "{arguments:?}: {stdout}{stderr}");
    for word in words {
        assert!(stderr.contains(word), "{arguments:?}: expected `{word}` in:\n{stderr}");
    }
    assert_eq!(entries(temp.path()), Vec::<String>::new(), "{arguments:?}");
}

fn mars() -> String {
    fixture(MARS).display().to_string()
}

// The scenario file.

#[test]
fn an_unknown_key_is_named_with_the_one_that_was_meant() {
    let right = "rate: 2 Mbit/s, ber: 1e-6";
    refused(MARS, right, "rate: 2 Mbit/s, bre: 1e-6", "bre", &["unknown key `bre`", "did you mean `ber`?"]);
}

#[test]
fn an_unknown_key_unlike_any_other_gets_the_list_of_keys() {
    refused(
        MARS,
        "bundle_size: 64 KiB",
        "weather: fine",
        "weather",
        &["unknown key `weather`", "bundle_size", "lifetime"],
    );
}

#[test]
fn a_quantity_without_a_unit_is_told_the_units_that_fit() {
    let no_unit = |right, wrong: &str, number: &str, units: &[&str]| {
        let message = format!("`{number}` has no unit");
        let words: Vec<&str> = units.iter().copied().chain([message.as_str()]).collect();
        refused(MARS, right, wrong, number, &words);
    };
    no_unit("duration: 24 h", "duration: 24", "24", &["units: ns, us, ms, s, min, h, d", "as in `4 s`"]);
    no_unit("rate: 256 kbit/s", "rate: 256", "256", &["bit/s, kbit/s, Mbit/s", "as in `256 kbit/s`"]);
    no_unit("bundle_size: 64 KiB", "bundle_size: 64", "64", &["KiB", "as in `64 KiB`"]);
    no_unit("semi_major_axis: 3796 km", "semi_major_axis: 3796", "3796", &["units: m, km", "as in `400 km`"]);
    no_unit("elevation_mask: 10 deg", "elevation_mask: 10", "10", &["deg"]);
    no_unit("arrives_by: 12 h", "arrives_by: 12", "12", &["units: ns, us, ms, s, min, h, d"]);
}

#[test]
fn a_unit_of_another_kind_is_told_the_units_that_fit() {
    refused(MARS, "duration: 24 h", "duration: 24 km", "24 km", &["`km` is not a unit of a duration", "min, h, d"]);
}

#[test]
fn an_unknown_node_is_named_with_the_one_that_was_meant() {
    let wrong = "{ from: landre, to: orbiter, rate: 2 Mbit/s";
    let words = ["there is no node `landre`", "did you mean `lander`?"];
    refused(MARS, "{ from: lander, to: orbiter, rate: 2 Mbit/s", wrong, "landre", &words);
}

#[test]
fn a_contact_that_ends_before_it_starts_is_told_so() {
    let wrong = "contacts: [{ start: 20 min, end: 10 min }]";
    let words = ["this contact ends at 00:10:00", "starts at 00:20:00", "a contact ends after it starts"];
    refused(LONG, "contacts: always", wrong, "10 min", &words);
}

#[test]
fn an_orbit_through_the_ground_is_told_from_where_to_count() {
    let words = ["comes down to 398 km", "whose radius is 3396", "count from the centre"];
    refused(MARS, "semi_major_axis: 3796 km", "semi_major_axis: 400 km", "400 km", &words);
}

#[test]
fn an_orbit_that_never_comes_back_is_told_so() {
    let words = ["with eccentricity 1 this is no orbit", "at least 0 and below 1"];
    refused(MARS, "eccentricity: 0.005", "eccentricity: 1.0", "1.0", &words);
}

#[test]
fn a_missing_payload_is_named_with_where_its_path_starts() {
    let temp = tempfile::tempdir().unwrap();
    let scenario = changed(LONG, temp.path(), |text| {
        let line = text.lines().find(|line| line.trim_start().starts_with("file: ")).unwrap().to_owned();
        text.replace(&line, "    file: pictures/nowhere.png")
    });
    let text = fs::read_to_string(&scenario).unwrap();
    let line = 1 + text.lines().position(|line| line.contains("nowhere.png")).unwrap();
    let out = temp.path().join("run");
    for (code, _, stderr) in [finish(farlink().arg("check").arg(&scenario)), run_scenario(&scenario, &out, &[])] {
        assert_eq!(code, 2, "{stderr}");
        let place = format!("{}:{line}:11: ", scenario.display());
        for word in [&place, "pictures/nowhere.png", "does not exist", "the path starts at the folder of the scenario"]
        {
            assert!(stderr.contains(word), "expected `{word}` in:\n{stderr}");
        }
    }
    assert!(!out.exists());
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let temp = tempfile::tempdir().unwrap();
    let scenario = changed(MARS, temp.path(), |text| {
        text.replace("duration: 24 h", "duration: 24").replace("arrives_by: 12 h", "arrives_by: soon")
    });
    let (code, _, stderr) = finish(farlink().arg("check").arg(&scenario));
    assert_eq!(code, 2);
    assert!(stderr.contains("`24` has no unit") && stderr.contains("soon"), "{stderr}");
}

#[test]
fn what_is_no_yaml_is_told_where_it_stops_being_so() {
    refused(MARS, "nodes:\n", "nodes: [\n", "[", &[]);
}

#[test]
fn a_message_keeps_its_place_on_one_line_however_long_the_path() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join(format!("{}/with space", "deep-".repeat(20)));
    fs::create_dir_all(&folder).unwrap();
    let scenario = changed(MARS, &folder, |text| text.replace("duration: 24 h", "duration: 24"));
    let (_, _, stderr) = finish(farlink().arg("check").arg(&scenario));
    let place = format!("{}:", scenario.display());
    let whole = stderr.lines().any(|l| l.contains(&place) && l.contains("`24` has no unit") && l.contains("min, h, d"));
    assert!(whole, "{stderr}");
}

#[test]
fn a_scenario_that_is_not_there_or_no_file_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().display().to_string();
    for command in ["run", "check"] {
        command_line_refused(&[command, "nowhere.yaml"], &["nowhere.yaml", "does not exist"]);
        command_line_refused(&[command, &folder], &[&folder, "directory"]);
        command_line_refused(&[command, "/dev/null"], &["/dev/null:1:1: the file has no content"]);
    }
}

#[test]
fn a_file_that_is_no_text_is_refused() {
    let picture = fixture("payload/husband-hill.png").display().to_string();
    command_line_refused(&["run", &picture], &["husband-hill.png"]);
}

// `run`.

#[test]
fn a_payload_that_is_not_there_is_named() {
    let words = ["nowhere.png", "does not exist", "name another file to send"];
    command_line_refused(&["run", &mars(), "--payload", "nowhere.png"], &words);
    command_line_refused(&["run", &mars(), "--payload", "image=nowhere.png"], &words);
    command_line_refused(&["run", &mars(), "--payload", "/"], &["/", "name another file to send"]);
}

#[test]
fn a_payload_needs_traffic_that_sends_a_file() {
    let temp = tempfile::tempdir().unwrap();
    let scenario = changed(LONG, temp.path(), |text| {
        let line = text.lines().find(|line| line.trim_start().starts_with("file: ")).unwrap().to_owned();
        text.replace(&line, "    text: Hello.")
    });
    let payload = fixture("payload/husband-hill.png").display().to_string();
    let scenario = scenario.display().to_string();
    let words = ["no traffic has a `file` that a payload could replace", "give one a `file`"];
    command_line_refused(&["run", &scenario, "--payload", &payload], &words);
    let named = format!("command={payload}");
    command_line_refused(&["run", &mars(), "--payload", &named], &["`command` has no `file`", "name one that has"]);
}

#[test]
fn a_folder_with_something_in_it_is_left_as_it_is() {
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join("precious"), "data").unwrap();
    let (code, _, stderr) = run_scenario(&fixture(MARS), temp.path(), &[]);
    assert_eq!(code, 2);
    let folder = temp.path().display().to_string();
    assert!(stderr.contains(&folder) && stderr.contains("not empty") && stderr.contains("--out"), "{stderr}");
    assert_eq!(entries(temp.path()), ["precious"]);
}

#[test]
fn a_run_folder_that_cannot_be_made_is_named() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("file");
    fs::write(&file, "data").unwrap();
    for out in [file.clone(), file.join("run")] {
        let (code, _, stderr) = run_scenario(&fixture(MARS), &out, &[]);
        assert_eq!(code, 2);
        assert!(stderr.contains(&out.display().to_string()) && stderr.contains("cannot write"), "{stderr}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "data");
}

#[test]
fn an_unknown_clock_is_told_the_clocks_there_are() {
    for clock in ["moon", "Virtual", "wall600", ""] {
        let clocks = ["`virtual`", "`wall`", "`wall:600`", "--clock"];
        command_line_refused(&["run", &mars(), "--clock", clock], &clocks);
    }
    for speed in ["wall:", "wall:0", "wall:-1", "wall:fast", "wall:NaN", "wall:inf"] {
        command_line_refused(&["run", &mars(), "--clock", speed], &["no speed", "0.001 to 1000000", "`wall:600`"]);
    }
}

#[test]
fn unknown_flags_and_commands_are_refused_everywhere() {
    let scenario = mars();
    for command in [vec!["run", &scenario], vec!["check", &scenario], vec!["schema"], vec!["node"], vec!["emulate"]] {
        let arguments: Vec<&str> = command.into_iter().chain(["--warp"]).collect();
        command_line_refused(&arguments, &["--warp", "Usage"]);
    }
    command_line_refused(&["lunch"], &["lunch", "Usage"]);
    command_line_refused(&["run", &scenario, "--headles"], &["--headless"]);
    command_line_refused(&["run"], &["<SCENARIO>"]);
    command_line_refused(&["run", &scenario, "--seed", "dice"], &["--seed", "dice"]);
    command_line_refused(&["run", &scenario, "--format", "xml"], &["xml", "text", "json"]);
}

// `check` and `schema`.

#[test]
fn sound_scenarios_pass_the_check() {
    for scenario in [MARS, LONG] {
        let (code, stdout, stderr) = finish(farlink().arg("check").arg(fixture(scenario)));
        assert_eq!(code, 0, "{stderr}");
        assert!(stdout.contains("sound"), "{stdout}");
        assert_eq!(stderr, "");
    }
}

#[test]
fn the_check_tells_programs_where_what_is_wrong() {
    let (code, stdout, _) = finish(farlink().args(["check", "--format", "json"]).arg(fixture(MARS)));
    let sound: Value = serde_json::from_str(&stdout).expect("nothing but JSON");
    assert_eq!((code, &sound["sound"], &sound["problems"]), (0, &Value::Bool(true), &Value::Array(vec![])));

    let temp = tempfile::tempdir().unwrap();
    let scenario = changed(MARS, temp.path(), |text| text.replace("duration: 24 h", "duration: 24"));
    let (code, stdout, stderr) = finish(farlink().args(["check", "--format", "json"]).arg(&scenario));
    assert_eq!((code, stderr.as_str()), (2, ""));
    let wrong: Value = serde_json::from_str(&stdout).expect("nothing but JSON");
    assert_eq!(wrong["sound"], Value::Bool(false));
    let text = fs::read_to_string(&scenario).unwrap();
    let line = 1 + text.lines().position(|line| line.starts_with("duration: 24")).unwrap();
    let problem = &wrong["problems"][0];
    assert_eq!((problem["line"].as_u64(), problem["column"].as_u64()), (Some(line as u64), Some(11)), "{stdout}");
    assert!(problem["message"].as_str().unwrap().contains("`24` has no unit"), "{stdout}");
}

#[test]
fn the_schema_is_json_and_knows_the_keys() {
    let (code, stdout, stderr) = finish(farlink().arg("schema"));
    assert_eq!((code, stderr.as_str()), (0, ""));
    let schema: Value = serde_json::from_str(&stdout).expect("nothing but JSON");
    for key in ["scenario", "seed", "epoch", "duration", "places", "nodes", "links", "traffic", "expect"] {
        assert!(schema["properties"].get(key).is_some(), "the schema does not know `{key}`");
    }
    for key in ["light_time", "contacts", "damaged_frames", "semi_major_axis", "arrives_by"] {
        assert!(stdout.contains(&format!("\"{key}\"")), "the schema does not know `{key}`");
    }
}

// `emulate`.

fn emulate_refused(change: (&str, &str), words: &[&str]) {
    let mut arguments = vec!["emulate"];
    let usual = [("--forward", "udp:0=127.0.0.1:9"), ("--delay", "4s"), ("--rate", "256kbit/s")];
    let others = usual.iter().filter(|(key, _)| *key != change.0);
    for (key, value) in others.chain([&change]) {
        arguments.extend([key, value]);
    }
    command_line_refused(&arguments, &[words, &[change.0]].concat());
}

#[test]
fn the_emulator_wants_a_unit_with_every_quantity() {
    let durations = "units: ns, us, ms, s, min, h, d";
    emulate_refused(("--delay", "4"), &["`4` has no unit", durations]);
    emulate_refused(("--delay", "4s,5"), &["`5` has no unit", durations]);
    emulate_refused(("--rate", "256"), &["`256` has no unit", "units: bit/s, kbit/s, Mbit/s"]);
    emulate_refused(("--rate", "256kbit/s,2"), &["`2` has no unit", "units: bit/s, kbit/s, Mbit/s"]);
    emulate_refused(("--for", "10"), &["`10` has no unit", durations]);
    emulate_refused(("--queue", "1000"), &["`1000` has no unit", "units: B, kB, MB"]);
    emulate_refused(("--overhead", "12"), &["`12` has no unit", "units: B, kB, MB"]);
}

#[test]
fn the_emulator_refuses_quantities_that_cannot_be() {
    emulate_refused(("--delay", "4 furlongs"), &["`furlongs` is not a unit of a duration"]);
    emulate_refused(("--delay", "4s,"), &["is not a duration", "as in `4 s`"]);
    emulate_refused(("--delay", "4s,5s,6s"), &["as in `4 s`"]);
    let negative = ["emulate", "--forward", "udp:0=127.0.0.1:9", "--rate", "1Mbit/s", "--delay=-4s"];
    command_line_refused(&negative, &["`-4s` is out of range", "a duration is between 0 and 292 years"]);
    emulate_refused(("--rate", "0 bit/s"), &["out of range", "above 0"]);
    emulate_refused(("--ber", "2"), &["2", "0"]);
    emulate_refused(("--damaged", "keep"), &["keep", "drop", "deliver"]);
}

#[test]
fn the_emulator_says_how_a_route_is_written() {
    for route in [
        "udp:5001",
        "5001=127.0.0.1:5002",
        "udp:5001=",
        "udp:5001=somewhere",
        "udp:70000=5002",
        "udp:5001=5002=5003",
        "udp:5001=127.0.0.1:0",
    ] {
        emulate_refused(("--forward", route), &["is not a route", "`udp:5001=127.0.0.1:5002`"]);
        emulate_refused(("--return", route), &["is not a route", "`udp:5001=127.0.0.1:5002`"]);
    }
    command_line_refused(&["emulate"], &["nothing to couple", "name the two ports of a link"]);
}

// `node`.

fn node_refused(more: &[&str], words: &[&str]) {
    let arguments = [&["node", "--eid", "ipn:10.0", "--ltp", "udp:0"], more].concat();
    command_line_refused(&arguments, words);
}

#[test]
fn the_node_wants_a_unit_with_every_quantity() {
    let durations = "units: ns, us, ms, s, min, h, d";
    let peer = |rest: &str, words: &[&str]| {
        node_refused(&["--peer", &format!("ipn:30.0=udp:5001,{rest}")], &[words, &["--peer"]].concat());
    };
    peer("light-time=2", &["light-time: `2` has no unit", durations]);
    peer("margin=2", &["margin: `2` has no unit", durations]);
    peer("rate=256", &["rate: `256` has no unit", "bit/s, kbit/s"]);
    peer("segment=1360", &["segment: `1360` has no unit", "B, kB"]);
    let sound = ["--peer", "ipn:30.0=udp:5001"];
    for (flag, value, units) in [
        ("--for", "10", durations),
        ("--lifetime", "10", durations),
        ("--bundle-size", "64", "B, kB"),
        ("--storage", "1", "B, kB"),
    ] {
        node_refused(&[&sound[..], &[flag, value]].concat(), &[flag, "has no unit", units]);
    }
}

#[test]
fn the_node_says_how_a_peer_is_written() {
    let as_in = "ipn:20.0=udp:127.0.0.1:1114";
    node_refused(&["--peer", "ipn:30.0"], &["`ipn:30.0` is no peer", as_in]);
    node_refused(&["--peer", "ipn:30.0=udp:5001,2s"], &["is no peer", as_in]);
    node_refused(&["--peer", "ipn:30.0=5001"], &["is no peer", as_in]);
    node_refused(&["--peer", "ipn:30.0=udp:station:5001"], &["is not a UDP address", "`udp:127.0.0.1:1113`"]);
    node_refused(&["--peer", "ipn:30.0=tcpcl:station:4556"], &["is not a TCP address"]);
    node_refused(&["--peer", "ipn:30.0=tcpcl:4556,light-time=2s"], &["`light-time` means nothing to `tcpcl`"]);
    node_refused(&["--peer", "dtn://rover/=udp:5001"], &["LTP needs an engine ID", "--config"]);
    node_refused(&["--peer", "ipn:10.0=tcpcl:4556"], &["ipn:10.0 is this node itself"]);
    node_refused(&["--peer", "ipn:30.0=udp:0"], &["nothing can be sent to udp:0", "port"]);
    node_refused(&["--peer", "ipn:30.1=udp:5001"], &["`ipn:30.1` is no node ID", "`ipn:30.0`"]);
    node_refused(&["--peer", "ipn:30.0=udp:5001,speed=2"], &["`speed`", "light-time, rate, margin, segment"]);
    node_refused(&["--peer", "ipn:30.0=udp:5001,segment=1B"], &["segment: 1 B is out of range"]);
    node_refused(&["--peer", "ipn:30.0=udp:5001", "--peer", "ipn:30.0=udp:5002"], &["ipn:30.0", "twice"]);
    node_refused(&[], &["--peer", "LTP knows its neighbours beforehand"]);
    node_refused(&["--peer", "ipn:30.0=udp:5001,retransmissions=0"], &["`0` is not from 1 to 1000"]);
    node_refused(&["--peer", "ipn:30.0=udp:5001,key=nowhere.key"], &["cannot read nowhere.key"]);
}

#[test]
fn the_node_says_how_its_own_name_and_port_are_written() {
    let rest = ["--peer", "ipn:30.0=udp:5001"];
    let with = |eid: &str, ltp: &str, words: &[&str]| {
        command_line_refused(&[&["node", "--eid", eid, "--ltp", ltp], &rest[..]].concat(), words);
    };
    with("dtn://node/", "udp:0", &["--eid", "no number for an LTP engine", "--config"]);
    for eid in ["10", "ipn:10", "ipn:10.1", "ipn:0.0", "dtn://node/app", ""] {
        with(eid, "udp:0", &["--eid", "is no node ID", "`ipn:30.0`"]);
    }
    for port in ["1113", "udp:", "udp:localhost:1113", "tcp:1113", "udp:70000"] {
        with("ipn:10.0", port, &["--ltp", "is not a UDP address", "`udp:1113`"]);
    }
}

#[test]
fn the_node_sends_only_what_is_there_and_only_to_somebody() {
    let peer = ["--peer", "ipn:30.0=udp:5001"];
    let file = fixture("payload/husband-hill.png").display().to_string();
    node_refused(&[&peer[..], &["--send", "nowhere.png", "--to", "ipn:30.1"]].concat(), &["--send", "nowhere.png"]);
    node_refused(&[&peer[..], &["--send", "/", "--to", "ipn:30.1"]].concat(), &["--send", "/"]);
    node_refused(&[&peer[..], &["--send", &file]].concat(), &["--to <EID>"]);
    node_refused(&[&peer[..], &["--to", "ipn:30.1"]].concat(), &["--send <FILE>"]);
    node_refused(&[&peer[..], &["--send", &file, "--to", "station"]].concat(), &["--to", "station"]);
    node_refused(&[&peer[..], &["--count", "1"]].concat(), &["--count", "--receive"]);
    let nobody = ["--send", &file, "--to", "ipn:40.1", "--contact", "ipn:10.0>ipn:20.0,end=60s"];
    node_refused(&[&peer[..], &nobody].concat(), &["no known route to ipn:40.1"]);
    node_refused(&[&peer[..], &["--send", &file, "--to", "ipn:30.1", "--class", "fast"]].concat(), &["fast", "normal"]);
}

#[test]
fn the_node_says_how_what_it_is_told_besides_is_written() {
    let peer = ["--peer", "ipn:30.0=udp:5001"];
    let with = |flags: &[&str], words: &[&str]| node_refused(&[&peer[..], flags].concat(), words);
    with(&["--contact", "ipn:10.0"], &["is no contact", "ipn:10.0>ipn:20.0,start=0s"]);
    with(&["--contact", "ipn:10.0>ipn:30.0,end=5"], &["end: ", "`5`"]);
    with(&["--contact", "ipn:10.0>ipn:30.0,start=9s,end=5s"], &["contacts: ", "ends at"]);
    with(&["--route", "ipn:30.* to ipn:20.0"], &["PATTERN via NODE"]);
    with(&["--deliver", "ipn:10.2=inbox"], &["write `ipn:30.1=directory:inbox`"]);
    with(&["--deliver", "ipn:11.2=file:x"], &["ipn:11.2 is no endpoint of ipn:10.0"]);
    with(&["--deliver", "ipn:10.2=hold", "--deliver", "ipn:10.2=hold"], &["ipn:10.2 is named twice"]);
    with(&["--hop-limit", "256"], &["256", "1..=255"]);
    with(&["--tls", "a.pem", "b.pem", "c.pem", "--tcpcl", "tcp:0"], &["could not read a.pem"]);
    with(&["--config", "node.yaml"], &["--config", "cannot be used with"]);
    command_line_refused(&["node", "--config", "nowhere.yaml"], &["nowhere.yaml", "does not exist"]);
}

// What is printed.

#[test]
fn a_reader_who_has_seen_enough_does_not_end_the_run() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("run");
    let mut command = farlink();
    command.arg("run").arg(fixture(MARS)).args(["--headless", "--clock", "wall:40000"]).arg("--out").arg(&out);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with("mars-relay"), "{first}");
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(!results(&out).interrupted);
}

#[test]
fn output_that_cannot_be_written_is_not_lost_in_silence() {
    for arguments in [vec!["schema".to_owned()], vec!["check".to_owned(), mars()]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full is there");
        let output = farlink().args(&arguments).stdout(full).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains("cannot write to standard output"), "{stderr}");
    }
}
