//! Wire and engine use no clock, socket, file, thread or process: of the standard library they name only what computes, and
//! their dependencies are ones that do no I/O either.
#![allow(missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What wire and engine may name of the standard library.
const ALLOWED_MODULES: &[&str] = &[
    "array",
    "borrow",
    "boxed",
    "cell",
    "cmp",
    "collections",
    "convert",
    "error",
    "fmt",
    "hash",
    "iter",
    "marker",
    "mem",
    "num",
    "ops",
    "option",
    "rc",
    "result",
    "slice",
    "str",
    "string",
    "vec",
];

/// What they may depend on: crates that compute.
const ALLOWED_DEPENDENCIES: &[&str] =
    &["farlink-units", "farlink-wire", "bytes", "crc", "hmac", "minicbor", "rand", "rand_chacha", "sha1", "thiserror"];

/// Ways around the paths of the standard library.
const FORBIDDEN_WORDS: &[&str] =
    &["unsafe", "extern crate", "include!", "asm!", "println!", "eprintln!", "print!", "dbg!"];

/// The modules of `std` that a source names, in `std::a::b`, in `use std::{a, b::c}` and in `use std::a as b`.
fn modules_of_std(source: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let code: String =
        source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join(" ");
    let mut rest = code.as_str();
    while let Some(at) = rest.find("std") {
        let before = rest[..at].chars().next_back();
        let after = rest[at + 3..].trim_start();
        rest = &rest[at + 3..];
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let Some(path) = after.strip_prefix("::").map(str::trim_start) else {
            // `use std as other` would open the whole of it under another name.
            if after.starts_with("as ") || after.starts_with(';') {
                found.insert("std itself".to_owned());
            }
            continue;
        };
        let ident = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        let Some(group) = path.strip_prefix('{') else {
            found.insert(if path.starts_with('*') { "*".to_owned() } else { ident(path) });
            continue;
        };
        let (mut depth, mut start) = (0, true);
        for (index, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = true,
                c if start && !c.is_whitespace() => {
                    found.insert(ident(&group[index..]));
                    start = false;
                }
                _ => {}
            }
        }
    }
    found
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn wire_and_engine_name_nothing_of_std_that_reaches_outside() {
    let bench = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for room in ["wire", "engine"] {
        let mut files = Vec::new();
        sources(&bench.join(room).join("src"), &mut files);
        assert!(files.len() > 5, "{room} has sources");
        for file in files {
            let source = fs::read_to_string(&file).unwrap();
            for module in modules_of_std(&source) {
                assert!(ALLOWED_MODULES.contains(&module.as_str()), "{}: std::{module}", file.display());
            }
            for word in FORBIDDEN_WORDS {
                let used = source.lines().any(|line| line.split("//").next().unwrap_or_default().contains(word));
                assert!(!used, "{}: {word}", file.display());
            }
        }
    }
}

#[test]
fn wire_and_engine_depend_on_nothing_that_does_io() {
    let bench = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for room in ["wire", "engine"] {
        let manifest = fs::read_to_string(bench.join(room).join("Cargo.toml")).unwrap();
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
        let names: Vec<_> =
            dependencies.lines().filter_map(|l| l.split(['.', '=', ' ']).next()).filter(|n| !n.is_empty()).collect();
        assert!(!names.is_empty());
        for name in names {
            assert!(ALLOWED_DEPENDENCIES.contains(&name), "{room} depends on {name}");
        }
    }
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let find = |source| modules_of_std(source).into_iter().collect::<Vec<_>>();
    assert_eq!(find("use std::net::UdpSocket;"), ["net"]);
    assert_eq!(find("use std::{fmt, time::{Duration, Instant}, thread};"), ["fmt", "thread", "time"]);
    assert_eq!(find("let t = ::std :: time::Instant::now();"), ["time"]);
    assert_eq!(find("use std as s;"), ["std itself"]);
    assert_eq!(find("use std::*;"), ["*"]);
    assert_eq!(find("// std::net in a comment\nlet standard = 1; my_std::net();"), Vec::<String>::new());
}
