//! What is refused at the top of a node file, in its endpoints, routes and contacts.

mod node_support;
mod support;

use node_support::{Refusal as No, edited, folder, read, refuse, warn};

#[test]
fn the_head() {
    refuse(&[
        No("node: ipn:10.0\nclock: true", "^clock: true", &["key `node` is missing", "add `node: ipn:10.0`"]),
        No("clock: true", "clock: ^yes", &["`yes` is neither yes nor no", "`true` or `false`"]),
        No("clock: true", "clock: ^1", &["write `true` or `false`"]),
        No("status_reports: true", "status_reports: ^[true]", &["a single value must stand here"]),
        No("hop_limit: 32", "hop_limit: ^0", &["hop limit of 0 is out of range", "from 1 to 255"]),
        No("hop_limit: 32", "hop_limit: ^256", &["from 1 to 255"]),
        No("hop_limit: 32", "hop_limit: ^3 hops", &["not a whole number"]),
        No("seed: 7", "seed: ^-7", &["not a whole number"]),
        No("seed: 7", "engine: ^x", &["not a whole number"]),
        No("limit: 1 GiB", "limit: ^1", &["`1` has no unit"]),
        No("limit: 1 GiB", "limit: ^1023 B", &["of storage holds no bundle", "at least 1 KiB"]),
        No("folder: store", "folder: ^''", &["the path is empty"]),
        No("folder: store", "folder: ^key.pem", &["key.pem is not a directory"]),
        No("opportunistic: true", "opportunistic: ^maybe", &["neither yes nor no"]),
    ]);
}

/// The ID of the node: everything else in the file depends on it, so these are short.
#[test]
fn node_ids() {
    for (id, words) in [
        ("ipn:10.1", "`ipn:10.1` is an endpoint of a node, not a node; the ID of the node is `ipn:10.0`"),
        ("dtn://lander/inbox", "the ID of the node is `dtn://lander/`"),
        ("dtn:none", "`dtn:none` is an endpoint of no one node"),
        ("dtn://lander/~group", "is an endpoint of no one node"),
        ("dtn:///", "`dtn:///` has no node name"),
        ("ipn:0.0", "no node has the number 0"),
        ("ipn:4294967295.0", "stands for \"this node\""),
        ("lander", "`lander` is no endpoint ID of the `ipn` or the `dtn` scheme; write it as in `ipn:10.0`"),
        ("ipn:10", "is no endpoint ID"),
    ] {
        let error = read(&format!("node: {id}\nlisten: [{{ stcp: 'tcp:1' }}]\n")).unwrap_err();
        assert_eq!(error.problems().len(), 1, "{error}");
        assert!(format!("{error:#}").contains(words), "{id}: {error:#}");
        assert!(error.to_string().contains("node.yaml:1:7: "), "{error}");
    }
    assert!(read("node: ipn:977000.10.0\nlisten: [{ stcp: 'tcp:1' }]\n").is_ok(), "an allocator of RFC 9758");
}

#[test]
fn endpoints() {
    refuse(&[
        No("ipn:10.1:", "^ipn:11.1:", &["`ipn:11.1` is no endpoint of `ipn:10.0`", "as in `ipn:10.1`"]),
        No("ipn:10.1:", "^dtn://lander/a:", &["is no endpoint of `ipn:10.0`"]),
        No("ipn:10.1:", "^ipn:10.0:", &["administrative endpoint", "a service number above 0"]),
        No("ipn:10.1:", "^dtn://lander/:", &["administrative endpoint", "a name after the last `/`"]),
        No("ipn:10.1:", "^inbox:", &["`inbox` is no endpoint ID"]),
        No("ipn:10.2:", "^ipn:0.10.1:", &["the endpoint `ipn:0.10.1` stands twice"]),
        No(
            "{ directory: inbox }",
            "^{}",
            &["names nothing to deliver to", "`directory`, `file`, `program` or `socket`"],
        ),
        No("{ directory: inbox }", "{ directory: inbox, file: ^x }", &["`file` and `directory` exclude each other"]),
        No("directory: inbox", "directory: ^''", &["the path is empty"]),
        No("directory: inbox", "directory: ^key.pem", &["key.pem is not a directory", "or write `file:`"]),
        No("file: latest.bin", "file: ^.", &["is a directory", "or write `directory:`"]),
        No("file: latest.bin", "file: ^\"a\\0b\"", &["cannot contain a zero"]),
        No("file: latest.bin", "program: ^[]", &["no program in this list", "`[./handle, --flag]`"]),
        No("file: latest.bin", "program: ^./handle", &["a list must stand here"]),
        No("file: latest.bin", "program: [^'']", &["the path is empty"]),
        No("file: latest.bin", "program: [cat, ^\"\\0\"]", &["an argument cannot contain a zero"]),
        No(
            "deliver: { socket: run/app.sock }",
            "deliver: ^{ file: latest.bin }",
            &["already what `ipn:10.2` delivers to"],
        ),
        No(
            "ipn:10.5: { state: passive, on_failure: abandon }",
            "^ipn:10.5: {}",
            &["needs something to deliver to", "`state: passive`"],
        ),
        No("state: passive", "state: ^active", &["needs something to deliver to"]),
        No("state: passive", "state: ^pasive", &["there is no state `pasive`", "did you mean `passive`?"]),
        No("on_failure: abandon", "on_failure: ^drop", &["no delivery failure action `drop`", "`defer` or `abandon`"]),
    ]);
    warn(&[No(
        "{ deliver: { file: latest.bin } }",
        "{ deliver: { file: latest.bin }, state: ^passive }",
        &["never gets any"],
    )]);
    let long = edited("run/app.sock", &"s".repeat(108));
    assert!(read(&long).unwrap_err().to_string().contains("longer than the 107 bytes"));
}

#[test]
fn a_node_file_of_a_dtn_node_has_its_own_examples() {
    let error = read("node: dtn://lander/\nlisten: [{ stcp: 'tcp:1' }]\nendpoints: { ipn:1.1: { state: passive } }\n");
    assert!(format!("{:#}", error.unwrap_err()).contains("as in `dtn://lander/inbox`"));
}

#[test]
fn routes() {
    let route = "- ipn:30.* via ipn:30.0";
    refuse(&[
        No(route, "- ^ipn:30.* through ipn:30.0", &["is no route", "`ipn:30.* via ipn:20.0`"]),
        No(route, "- ^ipn:x.* via ipn:30.0", &["is no pattern"]),
        No(route, "- ^ipn:30.* via dtn:none", &["dtn:none is no node"]),
        No(route, "- ^ipn:30.* via ipn:30.0 metric x", &["\"x\" is no metric"]),
        No(route, "- ^ipn:30.* via ipn:10.0", &["`ipn:10.0` is this node itself"]),
        No(
            route,
            "- ipn:30.* via ipn:30.0\n  - ^ipn:30.* via ipn:30.0 metric 3",
            &["`ipn:30.*` is already routed via `ipn:30.0`"],
        ),
        No(route, "- ^[ipn:30.0]", &["a single value must stand here"]),
    ]);
    warn(&[No(route, "- ^ipn:30.* via ipn:31.0", &["the next hop `ipn:31.0` is no neighbour", "until it connects"])]);
    let closed = edited("via ipn:30.0", "via ipn:31.0").replace("opportunistic: true", "opportunistic: false");
    let error = read(&closed).unwrap_err().to_string();
    assert!(error.ends_with(":27:5: the next hop `ipn:31.0` is no neighbour"), "{error}");
}

#[test]
fn contacts() {
    let third = "{ from: ipn:20.0, to: ipn:60.0, start: 5 s }";
    refuse(&[
        No(third, "^{ to: ipn:60.0, start: 5 s }", &["key `from` is missing"]),
        No(third, "^{ from: ipn:20.0, start: 5 s }", &["key `to` is missing"]),
        No(third, "^{ from: ipn:20.0, to: ipn:60.0 }", &["key `start` is missing", "`start: 0 s`"]),
        No(third, "{ from: ^ipn:20.1, to: ipn:60.0, start: 5 s }", &["not a node"]),
        No(third, "{ from: ipn:20.0, to: ^ipn:20.0, start: 5 s }", &["a contact from `ipn:20.0` to itself"]),
        No(third, "{ from: ipn:20.0, to: ipn:60.0, start: ^5 }", &["`5` has no unit"]),
        No(third, "{ from: ipn:20.0, to: ipn:60.0, start: ^-5 s }", &["`-5 s` is out of range"]),
        No(third, "{ from: ipn:20.0, to: ipn:60.0, start: ^2026-12-15T00:00:00 }", &["does not end in `Z`"]),
        No("end: 600 s", "end: ^0 s", &["ends at 0 ns, but starts at 0 ns", "ends after it starts"]),
        No("end: 2026-12-15T01:00:00Z", "end: ^2026-12-14T01:00:00Z", &["ends at 2026-12-14T01:00:00"]),
        No("end: 600 s", "end: ^2026-12-15T01:00:00Z", &["only one of start and end is a calendar time"]),
        No("light_time: 4 s", "light_time: ^-4 s", &["`-4 s` is out of range"]),
        No("confidence: 0.9", "confidence: ^0", &["confidence 0 never takes place"]),
        No("confidence: 0.9", "confidence: ^1.1", &["out of range"]),
        No("confidence: 0.9", "confidence: ^90 %", &["90 %"]),
        No("rate: 256 kbit/s, light_time: 4 s", "rate: ^0 bit/s, light_time: 4 s", &["data rate"]),
        No(
            third,
            "{ from: ipn:10.0, to: ipn:20.0, start: ^599 s }",
            &["from `ipn:10.0` to `ipn:20.0` overlaps with the one in line 30"],
        ),
        No(
            third,
            "{ from: ipn:10.0, to: ipn:20.0, start: ^2026-12-15T00:30:00Z, end: 2026-12-15T00:40:00Z }",
            &["overlaps with the one in line 31"],
        ),
    ]);
    warn(&[No(
        third,
        "{ from: ipn:10.0, to: ^ipn:60.0, start: 5 s }",
        &["contact to `ipn:60.0`, which is no neighbour"],
    )]);
    // One that follows at once, the other direction, and one before: nothing of that overlaps.
    for sound in [
        "{ from: ipn:10.0, to: ipn:20.0, start: 600 s }",
        "{ from: ipn:20.0, to: ipn:10.0, start: 0 s }",
        "{ from: ipn:10.0, to: ipn:20.0, start: 2026-12-14T00:00:00Z, end: 2026-12-15T00:00:00Z }",
    ] {
        let settings = read(&edited(third, sound)).unwrap_or_else(|error| panic!("{error:#}"));
        assert!(settings.warnings().is_none());
    }
    // A long one hides none of those that follow it.
    let text =
        format!("[{third}, {}, {}]", third.replace("5 s", "6 s, end: 7 s"), third.replace("5 s", "8 s, end: 9 s"));
    let error = read(&format!("node: ipn:10.0\nlisten: [{{ stcp: 'tcp:1' }}]\ncontacts: {text}\n")).unwrap_err();
    assert_eq!(error.problems().len(), 2, "{error}");

    let without_clock = edited("clock: true", "clock: false");
    let error = read(&without_clock).unwrap_err();
    assert_eq!(error.problems().len(), 2, "{error}");
    assert!(error.to_string().contains(":31:44: without a clock this node cannot tell when this is"), "{error}");

    let none = read("node: ipn:10.0\nlisten: [{ stcp: 'tcp:1' }]\ncontacts: []\n").unwrap();
    assert!(none.warnings().unwrap().to_string().contains(":3:11: this contact plan has no contact"));
}

#[test]
fn every_problem_is_told_at_once_and_in_order() {
    let text = edited("hop_limit: 32", "hop_limit: 0")
        .replace("state: passive", "state: pasive")
        .replace("tcp:4557", "tcp:x")
        .replace("light_time: 2 s", "light_time: 2")
        .replace("via ipn:30.0", "vai ipn:30.0")
        .replace("confidence: 0.9", "confidence: 2");
    let error = read(&text).unwrap_err();
    let lines: Vec<usize> = error.problems().iter().map(|problem| problem.position.unwrap().line).collect();
    assert_eq!(lines, [5, 12, 16, 20, 27, 30], "{error}");
    assert!(error.to_string().starts_with(&folder().display().to_string()));
}
