//! What is refused in traffic, in expectations and of payloads.

mod support;

use std::path::{Path, PathBuf};

use farlink_scenario::{Content, Overrides, ScenarioError, load};
use farlink_units::Duration;
use support::{Refusal as No, SOUND, edited, read, refuse};

#[test]
fn a_sound_item_is_resolved() {
    let scenario = read(SOUND).unwrap();
    let item = &scenario.traffic[0];
    assert_eq!((item.name.as_str(), item.from, item.to), ("image", 0, 2));
    assert_eq!(item.content, Content::Text("a picture".to_owned()));
    assert_eq!((item.at, item.lifetime), (Duration::from_secs(3600), Duration::from_secs(86_400)));
    assert_eq!((item.bundle_size.bytes(), item.report_delivery), (65_536, false));
    assert_eq!(item.arrives_by, Some(Duration::from_secs(72_000)));

    let calendar = edited("at: 1 h", "at: 2026-12-15T01:00:00.5Z");
    assert_eq!(read(&calendar).unwrap().traffic[0].at, Duration::from_millis(3_600_500));
    let plain = edited(", at: 1 h, bundle_size: 64 KiB, lifetime: 24 h", "");
    let item = &read(&plain).unwrap().traffic[0];
    assert_eq!((item.at, item.lifetime), (Duration::ZERO, Duration::from_secs(86_400)));
    assert_eq!(item.bundle_size.bytes(), 65_536);
}

#[test]
fn ends_and_routes() {
    refuse(&[
        No(
            "from: lander, to: station",
            "from: ^lander2, to: station",
            &["no node `lander2`", "did you mean `lander`?"],
        ),
        No(
            "from: lander, to: station",
            "from: lander, to: ^earth",
            &["no node `earth`", "`lander`, `orbiter` or `station`"],
        ),
        No("from: lander, to: station", "from: lander, to: ^lander", &["`lander` sends to itself"]),
    ]);
    let apart = edited("from: lander, to: station", "from: lander, to: lone");
    let apart = apart.replace("nodes:\n", "nodes:\n  lone: { eid: \"ipn:40.0\" }\n");
    let error = read(&apart).unwrap_err();
    assert_eq!(error.problems().len(), 1, "{error}");
    let problem = &error.problems()[0];
    assert_eq!(problem.message, "no links lead from `lander` to `lone`");
    assert_eq!((problem.position.unwrap().line, problem.help.as_deref()), (25, Some("add a link")));
    let item =
        r#"image: { from: lander, to: station, text: "a picture", at: 1 h, bundle_size: 64 KiB, lifetime: 24 h }"#;
    refuse(&[
        No(item, "^image: { to: station, text: x }", &["`from` is missing"]),
        No(item, "^image: { from: lander, text: x }", &["`to` is missing"]),
        No(
            item,
            "image: { from: lander, to: orbiter, text: x, report: [^reception] }",
            &["`reception` is not available yet", "write `delivery`"],
        ),
        No(
            item,
            "image: { from: lander, to: orbiter, text: x, report: [^delivry] }",
            &["no report `delivry`", "did you mean `delivery`?"],
        ),
        No(item, "image: { from: lander, to: orbiter, text: x, report: ^delivery }", &["a list must stand here"]),
        No(item, "image: { from: lander, to: station, text: x, ^when: 1 h }", &["unknown key `when`"]),
        No(
            "  image: { from: lander",
            "  ^Text: { from: lander, to: station, text: x }\n  image: { from: lander",
            &["contains 'T'"],
        ),
    ]);
    let accepted = edited(item, "image: { from: lander, to: orbiter, text: x, report: [delivery] }");
    assert!(read(&accepted).unwrap().traffic[0].report_delivery);
    let start = SOUND.find("traffic:").unwrap();
    let with = |rest: &str| read(&format!("{}{rest}", &SOUND[..start]));
    assert!(with("traffic: {}\n").unwrap_err().problems()[0].message.contains("`traffic` is empty"));
    assert!(with("").unwrap().traffic.is_empty(), "what sends nothing can be planned");
}

#[test]
fn times_and_sizes() {
    refuse(&[
        No("at: 1 h", "at: ^1", &["`1` has no unit"]),
        No("at: 1 h", "at: ^24 h", &["after the end of the run, which lasts 1 d"]),
        No("at: 1 h", "at: ^2026-12-14T00:00:00Z", &["before the epoch"]),
        No("at: 1 h", "at: ^2026-12-14", &["does not end in `Z`"]),
        No(
            "bundle_size: 64 KiB",
            "bundle_size: ^1023 B",
            &["bundles of 1.02 kB are out of range", "from 1 KiB to 16 MiB"],
        ),
        No("bundle_size: 64 KiB", "bundle_size: ^17 MiB", &["out of range"]),
        No("bundle_size: 64 KiB", "bundle_size: ^64 kb", &["`kb` is not a unit of a size"]),
        No("lifetime: 24 h", "lifetime: ^0 s", &["a lifetime of 0 ns is dead at once"]),
        No("lifetime: 24 h", "lifetime: ^24", &["`24` has no unit"]),
        No("arrives_by: 20 h", "arrives_by: ^25 h", &["after the end of the run"]),
        No("arrives_by: 20 h", "arrives_by: ^1 h", &["not after 1 h, when it is sent", "count from the epoch"]),
        No("arrives_by: 20 h", "arrives_by: ^20", &["`20` has no unit"]),
        No("arrives_by: 20 h", "^arrives: 20 h", &["unknown key `arrives`"]),
        No(
            "  image: { arrives_by: 20 h }",
            "  ^imgae: { arrives_by: 20 h }",
            &["no traffic `imgae`", "did you mean `image`?"],
        ),
    ]);
}

#[test]
fn content() {
    let text = "image: { from: lander, to: station, text: \"a picture\"";
    refuse(&[
        No(text, "^image: { from: lander, to: station", &["`image` has nothing to send", "`file: PATH`"]),
        No(text, "image: { from: lander, to: station, file: Cargo.toml, text: ^x", &["exclude each other", "keep one"]),
        No(text, "image: { from: lander, to: station, text: ^\"\"", &["the text is empty"]),
        No(text, "image: { from: lander, to: station, file: ^src", &["/src is a directory"]),
        No(
            text,
            "image: { from: lander, to: station, file: ^gone.bin",
            &["does not exist", concat!(env!("CARGO_MANIFEST_DIR"), "/gone.bin"), "folder of the scenario"],
        ),
        No(text, "image: { from: lander, to: station, file: ^/dev/null", &["/dev/null is not a regular file"]),
    ]);
    let within_a_file = edited("text: \"a picture\"", "file: Cargo.toml/image");
    assert!(read(&within_a_file).unwrap_err().to_string().contains("cannot be read: "));
    let accepted = edited("text: \"a picture\"", "file: Cargo.toml");
    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    assert_eq!(read(&accepted).unwrap().traffic[0].content, Content::File(expected));
}

/// Loads [`SOUND`] with this traffic and payload, from a folder that holds the files `a`, `b` and the empty `nothing`.
fn with_payload(traffic: &str, payload: &str) -> Result<Vec<Content>, ScenarioError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [("a", "aa"), ("b", "bb"), ("nothing", "")] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let start = SOUND.find("traffic:").unwrap();
    let path = folder.path().join("demo.yaml");
    std::fs::write(&path, format!("{}traffic:\n{traffic}", &SOUND[..start])).unwrap();
    let payload = payload.replace("DIR", &folder.path().display().to_string());
    let overrides = Overrides { payload: Some(PathBuf::from(payload)), ..Overrides::default() };
    let traffic = load(&path, &overrides)?.traffic;
    Ok(traffic.into_iter().map(|item| item.content).collect())
}

#[test]
fn a_payload_replaces_a_file() {
    let file = |name: &str| format!("  {name}: {{ from: lander, to: station, file: a }}\n");
    let text = "  note: { from: lander, to: station, text: hello }\n";
    let names = |contents: Vec<Content>| -> Vec<String> {
        contents
            .iter()
            .map(|content| match content {
                Content::File(path) => path.file_name().unwrap().to_string_lossy().into_owned(),
                Content::Text(text) => text.clone(),
            })
            .collect()
    };
    let replaced = |traffic: &str, payload| with_payload(traffic, payload).map(names);
    assert_eq!(replaced(&format!("{}{text}", file("one")), "DIR/b").unwrap(), ["b", "hello"]);
    assert_eq!(replaced(&format!("{}{}", file("one"), file("two")), "two=DIR/b").unwrap(), ["a", "b"]);

    let refused = |traffic: &str, payload| format!("{:#}", with_payload(traffic, payload).unwrap_err());
    for (traffic, payload, words) in [
        (text.to_owned(), "DIR/b", "no traffic has a `file`"),
        (format!("{}{}", file("one"), file("two")), "DIR/b", "`one`, `two` have a `file`"),
        (format!("{}{text}", file("one")), "note=DIR/b", "`note` has no `file`"),
        (file("one"), "DIR/gone", "/gone does not exist; name another file"),
        (file("one"), "DIR", "is a directory"),
        (file("one"), "DIR/nothing", "/nothing is empty"),
        (format!("{}{}", file("one"), file("two")), "tow=DIR/b", "write NAME=PATH"),
    ] {
        let error = refused(&traffic, payload);
        assert!(error.contains(words), "{payload}: {error}");
    }
}
