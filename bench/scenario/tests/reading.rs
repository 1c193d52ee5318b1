//! Files that are no scenario at all: what the parser says, in the words of the bench.

mod support;

use std::time::{Duration, Instant};

use farlink_scenario::{MAX_FILE_BYTES, Overrides, load, parse};
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use support::{Refusal as No, SOUND, edited, read, refuse};

#[test]
fn broken_yaml_is_refused_where_it_breaks() {
    refuse(&[
        No("text: \"a picture\"", "text: ^\"a picture", &["not YAML", "quote"]),
        No("seed: 7", "seed: ^7\n\tx: 1", &["not YAML", "tab"]),
        No("text: \"a picture\"", "text: ^*image", &["no anchor for this alias", "in quotes"]),
        No("seed: 7", "seed: !secret ^7", &["tag `!secret` means nothing here"]),
        No("places:\n", "places: ^[]\nnodos:\n", &["keys with values must stand here"]),
    ]);
    for (text, line, column, words) in [
        ("", 1, 1, "the file has no content"),
        ("# only a comment\n\n", 1, 1, "the file has no content"),
        ("5\n", 1, 1, "keys with values must stand here"),
        ("- scenario: demo\n", 1, 1, "keys with values must stand here"),
    ] {
        let error = read(text).unwrap_err();
        let problem = &error.problems()[0];
        let position = problem.position.unwrap();
        assert_eq!((position.line, position.column), (line, column), "{text:?}: {error}");
        assert!(problem.message.contains(words), "{text:?}: {error}");
    }
    let two = format!("{SOUND}---\n{SOUND}");
    let error = read(&two).unwrap_err();
    assert!(format!("{error:#}").contains("a file holds one scenario"), "{error:#}");
}

#[test]
fn a_key_without_a_value_is_not_taken_for_a_default() {
    let contacts = "[{ start: 600 s, end: 1200 s }, { start: 2 h, end: 3 h }]";
    refuse(&[
        No("seed: 7", "seed^:", &["no value stands here", "write one, or remove the key"]),
        No("seed: 7", "seed: ^~", &["no value stands here"]),
        No("seed: 7", "seed: ^null", &["no value stands here"]),
        No("elevation_mask: 10 deg", "elevation_mask^:", &["no value stands here"]),
        No("occulted_by: [mars]", "occulted_by: [mars, ^~]", &["no value stands here"]),
    ]);
    // All of them at once, before anything else is said.
    let error = read(&edited("seed: 7", "seed: ~\ndescription: ~").replace("24 h", "24")).unwrap_err();
    assert_eq!(error.problems().len(), 2, "{error}");
    let error = read(&edited(contacts, "")).unwrap_err();
    assert!(error.to_string().contains("no value stands here"), "{error}");
}

#[test]
fn anchors_may_spare_repetition() {
    let text = edited("visibility: { elevation_mask: 10 deg, occulted_by: [mars] }", "light_time: *delay")
        .replace("light_time: 5 ms", "light_time: &delay 5 ms");
    assert!(read(&text).is_ok());
    // What is wrong is told where it is written, not where it is used.
    let error = read(&text.replace("&delay 5 ms", "&delay 5")).unwrap_err();
    assert!(error.problems().iter().all(|problem| problem.position.unwrap().line == 16), "{error}");
}

#[test]
fn a_billion_laughs_end_quickly() {
    let mut bomb = String::from("a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n");
    for level in 1..=9 {
        let previous = format!("*a{}", level - 1);
        bomb += &format!("a{level}: &a{level} [{}]\n", vec![previous; 10].join(", "));
    }
    let in_a_list = format!("occulted_by: {}", "[".repeat(5000));
    let start = Instant::now();
    for text in [
        bomb.clone(),
        format!("{SOUND}{bomb}"),
        edited("occulted_by: [mars]", &in_a_list),
        edited("seed: 7", &format!("seed: {}", "{a: ".repeat(5000))),
        edited("seed: 7", &format!("description: {}", "*x ".repeat(5000))),
        "&a ".repeat(100_000),
        "? ".repeat(100_000),
        "- ".repeat(100_000),
        // Aliases where a list is allowed, so that the parser does follow them.
        laughing_contacts(),
    ] {
        assert!(read(&text).is_err());
    }
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

/// A sound file but for contacts that stand for far more than they take to write.
fn laughing_contacts() -> String {
    let contact = "{ start: 0 s, end: 1 s }";
    let aliases = vec!["*c"; 100_000].join(", ");
    edited("[{ start: 600 s, end: 1200 s }, { start: 2 h, end: 3 h }]", &format!("[&c {contact}, {aliases}]"))
}

#[test]
fn no_cut_of_a_file_makes_it_panic() {
    for end in 0..SOUND.len() {
        check_positions(&SOUND[..end]);
    }
    for at in 0..SOUND.len() {
        check_positions(&format!("{}{}", &SOUND[..at], &SOUND[at + 1..]));
        check_positions(&format!("{}é{}", &SOUND[..at], &SOUND[at..]));
    }
}

/// Whatever is said about `text` points into it, and can be shown.
fn check_positions(text: &str) {
    let Err(error) = read(text) else { return };
    for position in error.problems().iter().filter_map(|problem| problem.position) {
        let end = position.offset + position.length;
        assert!(text.get(position.offset..end).is_some(), "{position:?} is outside {text:?}");
        assert!(position.line >= 1 && position.column >= 1, "{position:?}");
    }
}

#[test]
fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let says = |name: &str, bytes: Option<&[u8]>| {
        let path = folder.path().join(name);
        if let Some(bytes) = bytes {
            std::fs::write(&path, bytes).unwrap();
        }
        let error = load(&path, &Overrides::default()).unwrap_err();
        error.to_string().replace(&path.display().to_string(), name)
    };
    assert_eq!(says("gone.yaml", None), "gone.yaml: the file does not exist");
    assert_eq!(says(".", None), ".: this is a directory, not a scenario file");
    assert_eq!(says("odd.yaml", Some(b"scenario: demo\nseed: \xff\n")), "odd.yaml:2:7: this is not UTF-8");
    assert!(
        says("wide.yaml", Some(&SOUND.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>())).contains(":")
    );
    let large = vec![b'#'; MAX_FILE_BYTES as usize + 1];
    assert!(says("large.yaml", Some(&large)).contains("larger than 1 MiB"));
    assert!(parse("x.yaml".as_ref(), std::str::from_utf8(&large).unwrap()).is_err());

    let with_mark = format!("\u{feff}{SOUND}");
    assert!(read(&with_mark).is_ok(), "a byte order mark is no mistake");
    assert!(read(&SOUND.replace('\n', "\r\n")).is_ok(), "nor are the line ends of Windows");
}

#[test]
fn a_report_shows_the_line_and_what_would_be_right() {
    let text = edited("to: orbiter, rate: 2 Mbit/s", "to: orbitr, rate: 2");
    let error = parse("demo.yaml".as_ref(), &text).unwrap_err();
    let mut shown = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(100);
    handler.render_report(&mut shown, &error as &dyn Diagnostic).unwrap();
    let expected = "  × demo.yaml:14:34: there is no node `orbitr`
  │ demo.yaml:14:48: `2` has no unit: write a data rate as in `256 kbit/s` (units: bit/s, kbit/s,
  │ Mbit/s, Gbit/s, B/s, kB/s, MB/s)
    ╭─[demo.yaml:14:34]
 13 │   near:
 14 │     forward: { from: lander, to: orbitr, rate: 2, ber: 1e-6 }
    ·                                  ───┬──        ─
    ·                                     ╰── did you mean `orbiter`?
 15 │     return: { from: orbiter, to: lander, rate: 128 kbit/s, ber: 1e-7 }
    ╰────
";
    assert_eq!(shown.trim_end(), expected.trim_end(), "\n{shown}");
}
