//! Files that are broken, huge or meant to harm are errors with a line, in bounded time and memory, and never a panic.

use farlink_contact_plan::NodeId;
use farlink_contact_plan::formats::{
    Format, MAX_BYTES, ReadError, ReadOptions, ReadProblem, WriteError, WriteOptions, read, write,
};
use farlink_units::{Duration, Instant};
use hifitime::Epoch;

fn options() -> ReadOptions {
    ReadOptions {
        epoch: Some(Epoch::from_gregorian_utc(2026, 3, 27, 0, 0, 0, 0)),
        local: Some(NodeId::ipn(1)),
        horizon: Some(Instant::ZERO + Duration::from_secs(3 * 86_400)),
        region: None,
    }
}

fn error(format: Format, bytes: &[u8]) -> ReadError {
    match read(format, bytes, &options()) {
        Err(error) => error,
        Ok(import) => {
            panic!("{format} takes {:?}: {import:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(200)]))
        }
    }
}

/// The message for the third of three lines, or for the second of a JSON document.
fn message(format: Format, line: &str) -> String {
    let text = match format {
        Format::Ion | Format::Hardy => format!("# first\n\n{line}\n"),
        Format::Hdtn => format!("{{\"contacts\": [\n\n{line}]}}"),
        Format::TvgUtil => {
            format!(
                "{{\"vertices\": {{}}, \"contact_type\": \"Contact_v2\", \"edges\": [{{\"contacts\": [\n\n{line}]}}]}}"
            )
        }
        Format::Native => {
            format!("{{\"format\": \"farlink-contact-plan\", \"version\": 1, \"contacts\": [\n\n{line}]}}")
        }
    };
    let error = error(format, text.as_bytes());
    assert_eq!(error.line, 3, "{format}: {error}\n{text}");
    error.to_string()
}

#[test]
fn a_bad_line_of_ion_is_named() {
    let ion = |line: &str| message(Format::Ion, line);
    assert!(ion("a contact +0 +10 1 2").contains("write it as in `a contact +0 +3600 2 3 125000`"));
    assert!(ion("a contact +0 +10 1 2 1000 1 1").contains("is not right here"));
    assert!(ion("a contact +10 +10 1 2 1000").contains("not after its start"));
    assert!(ion("a contact +0 +-10 1 2 1000").contains("is not a time"));
    assert!(ion("a contact +0 +10 0 2 1000").contains("the node number `0` is not a whole number above 0"));
    assert!(ion("a contact +0 +10 -1 2 1000").contains("node number"));
    assert!(ion("a contact +0 +10 1 2 -1000").contains("the rate `-1000`"));
    assert!(ion("a contact +0 +10 1 2 0").contains("the rate `0`"));
    assert!(ion("a contact +0 +10 1 2 NaN").contains("the rate `NaN`"));
    assert!(ion("a contact +0 +10 1 2 1e6").contains("the rate `1e6`"));
    assert!(ion("a contact +0 +10 1 2 4294967296").contains("below 2^32"));
    assert!(ion("a contact +0 +0100 1 2 1000").contains("octal"));
    assert!(ion("a contact +0 +10 1 2 1000 1.5").contains("from 0 to 1"));
    assert!(ion("a contact +0 +10 1 2 1000 NaN").contains("from 0 to 1"));
    assert!(ion("a contact +0 +99999999999999999999 1 2 1000").contains("is not a time"));
    assert!(ion("a contact +0 +9223372036854775807 1 2 1000").contains("out of reach"));
    assert!(ion("a contact 2026/03/27-00:00:00 9999/01/01-00:00:00 1 2 1000").contains("out of reach"));
    assert!(ion("a contact 2026/02/30-00:00:00 2026/03/01-00:00:00 1 2 1000").contains("out of reach"));
    assert!(ion("a range +0 +10 1 2 -1").contains("the range `-1`"));
    assert!(ion("a range +0 +10 1 2 4294967296").contains("below 2^32"));
    assert!(ion("@ yesterday").contains("is not a time"));
    assert!(ion("^ 0").contains("region"));
    assert!(ion("a kontact +0 +10 1 2 1000").contains("is not right here"));
    assert!(ion("q").contains("is not right here"));
    let relative = ReadOptions { epoch: None, ..options() };
    let mixed = b"a contact +0 +10 1 2 1000\na contact 2026/03/27-00:00:00 2026/03/28-00:00:00 1 2 1000";
    assert!(matches!(read(Format::Ion, mixed, &relative).unwrap_err().problem, ReadProblem::MixedTimes { .. }));
}

#[test]
fn a_bad_contact_of_hdtn_is_named() {
    let hdtn = |fields: &str| message(Format::Hdtn, &format!("{{{fields}}}"));
    let rest = "\"source\": 1, \"dest\": 2, \"startTime\": 0, \"endTime\": 10";
    assert!(hdtn(&format!("{rest}, \"owlt\": 1.3")).contains("floating point `1.3`, expected a whole number"));
    assert!(hdtn(&format!("{rest}, \"owlt\": -1")).contains("`owlt` is -1, which is negative"));
    assert!(hdtn(&format!("{rest}, \"owlt\": \"1\"")).contains("expected a whole number"));
    assert!(hdtn(&format!("{rest}, \"owlt\": NaN")).contains("expected value"));
    assert!(hdtn(&format!("{rest}, \"owlt\": 1e999")).contains("number out of range"));
    assert!(hdtn(&format!("{rest}, \"owlt\": 99999999999")).contains("out of reach"));
    assert!(hdtn(&format!("{rest}, \"rateBitsPerSec\": 18446744073709551615")).contains("too large"));
    assert!(hdtn(&format!("{rest}, \"rate\": 9000000000000")).contains("too large"));
    assert!(hdtn(&format!("{rest}, \"dest\": 3")).contains("`dest` stands here twice"));
    assert!(hdtn("\"source\": 1, \"dest\": 2, \"startTime\": 0").contains("missing field `endTime`"));
    assert!(hdtn("\"source\": 0, \"dest\": 2, \"startTime\": 0, \"endTime\": 1").contains("is no node"));
    assert!(hdtn("\"source\": 1, \"dest\": 2, \"startTime\": 5, \"endTime\": 5").contains("not after its start"));
    let milliseconds = hdtn("\"source\": 1, \"dest\": 2, \"startTime\": 1797292800000, \"endTime\": 1797292860000");
    assert!(milliseconds.contains("milliseconds"), "{milliseconds}");
    assert!(error(Format::Hdtn, b"{}").to_string().contains("missing field `contacts`"));
    assert_eq!(error(Format::Hdtn, b"").line, 1);
}

#[test]
fn a_bad_line_of_hardy_is_named() {
    let hardy = |line: &str| message(Format::Hardy, line);
    let via = |fields: &str| hardy(&format!("ipn:2.*.* via ipn:2.1.0 {fields}"));
    assert!(hardy("ipn:2.*.*").contains("is not right here"));
    assert!(hardy("ipn:2.*.* reflect").contains("is not right here"));
    assert!(hardy("station via ipn:2.1.0").contains("EID pattern"));
    assert!(hardy("ipn:2.*.* via station").contains("next hop"));
    assert!(via("start").contains("followed by a value"));
    assert!(via("start 2026-03-27").contains("is not a time"));
    assert!(via("start 9999-03-27T00:00:00Z").contains("between 1900 and 2199"));
    assert!(via("start 2026-03-27T09:00:00Z end 2026-03-27T08:00:00Z").contains("not after its start"));
    assert!(via("priority 1 priority 2").contains("told once"));
    assert!(via("speed 9").contains("one of priority"));
    assert!(via("bandwidth 1.5M").contains("rate in bit/s"));
    assert!(via("bandwidth 99999999999999T").contains("rate in bit/s"));
    assert!(via("bandwidth NaN").contains("rate in bit/s"));
    assert!(via("delay -4m").contains("duration as in"));
    assert!(via("delay 2h").contains("71 minutes"));
    assert!(via("delay 999999999999y").contains("duration as in"));
    assert!(via("duration 5m").contains("without a `cron`"));
    assert!(via("cron \"@daily\"").contains("without a `duration`"));
    assert!(via("cron \"@daily\" duration 0s").contains("longer than nothing"));
    assert!(via("cron @daily duration 5m").contains("in quotes"));
    assert!(via("cron \"61 * * * *\" duration 5m").contains("cron pattern"));
    assert!(via("cron \"0 8 * * *").contains("is not right here"));
    assert!(via("until 2026-04-01T00:00:00Z").contains("without a `cron`"));
    assert!(via("cron \"@daily\" duration 5m start 2026-03-27T09:00:00Z").contains("beside cron"));

    let line = b"ipn:2.*.* via ipn:2.1.0 cron \"@daily\" duration 5m";
    let problem = |options: ReadOptions| read(Format::Hardy, line, &options).unwrap_err().problem;
    assert_eq!(problem(ReadOptions { local: None, ..options() }), ReadProblem::NoLocalNode);
    assert_eq!(problem(ReadOptions { horizon: None, ..options() }), ReadProblem::NoHorizon);
    assert_eq!(problem(ReadOptions { epoch: None, ..options() }), ReadProblem::NoEpoch);
}

#[test]
fn a_bad_contact_of_dtn_tvg_util_is_named() {
    let tvg = |line: &str| message(Format::TvgUtil, line);
    let parts = |parts: &str| tvg(&format!("[\"a\", \"b\", 0, 600, {parts}]"));
    assert!(tvg("[\"a\"]").contains("invalid length 1"));
    assert!(tvg("[\"a\", \"b\", 600, 0, [[0, 1, 0, 0]]]").contains("not after its start"));
    assert!(tvg("[\"a\", \"b\", -1, 600, [[0, 1, 0, 0]]]").contains("out of reach"));
    assert!(tvg("[\"a\", \"b\", 1e11, 1e12, [[0, 1, 0, 0]]]").contains("out of reach"));
    assert!(tvg("[\"a\", \"b\", 0, Infinity, [[0, 1, 0, 0]]]").contains("expected value"));
    assert!(parts("[]").contains("has no rate"));
    assert!(parts("[[0, NaN, 0, 0]]").contains("expected value"));
    assert!(parts("[[0, -1, 0, 0]]").contains("bit rate -1"));
    assert!(parts("[[0, 1e300, 0, 0]]").contains("bit rate"));
    assert!(parts("[[0, 1, 2, 0]]").contains("bit error rate 2"));
    assert!(parts("[[0, 1, 0, -1]]").contains("delay -1"));
    assert!(parts("[[0, 1, 0, 1e300]]").contains("delay"));
    assert!(parts("[[5, 1, 0, 0]]").contains("from 5 only"));
    assert!(parts("[[0, 1, 0, 0], [9, 1, 0, 0], [8, 1, 0, 0]]").contains("stand after"));
    assert!(parts("[[0, 1, 0]]").contains("no contact type"));
    assert!(parts(&format!("[{}[0, 1, 0, 0]]", "[0, 1, 0, 0], ".repeat(65_536))).contains("no more than 65536 values"));
    let kind = |kind: &str| {
        let text = format!(
            "{{\"edges\": [{{\"contacts\": [[\"a\", \"b\", 0, 600, [[0, 8, 0, 0]]]]}}], \"contact_type\": \"{kind}\"}}"
        );
        error(Format::TvgUtil, text.as_bytes()).to_string()
    };
    assert!(kind("Pass").contains("`Pass` is no contact type"));
    assert!(kind("PredictedContact_v2").contains("does not have the parts"));
}

#[test]
fn a_bad_contact_of_our_own_is_named() {
    let native = |fields: &str| message(Format::Native, &format!("{{\"from\": \"a\", \"to\": \"b\", {fields}}}"));
    let times = "\"start\": \"0 s\", \"end\": \"10 s\"";
    assert!(native("\"start\": 0, \"end\": \"10 s\"").contains("invalid type: integer `0`"));
    assert!(native("\"start\": \"0\", \"end\": \"10 s\"").contains("has no unit"));
    assert!(native("\"start\": \"0 s\"").contains("missing field `end`"));
    assert!(native(&format!("{times}, \"speed\": 1")).contains("unknown field `speed`"));
    assert!(native(&format!("{times}, \"rate\": \"8 bits\"")).contains("is not a unit"));
    assert!(native(&format!("{times}, \"rate\": []")).contains("at least one value"));
    assert!(native(&format!("{times}, \"light_time\": \"-4 s\"")).contains("out of range"));
    assert!(native(&format!("{times}, \"confidence\": 1.5")).contains("out of range"));
    assert!(native(&format!("{times}, \"confidence\": NaN")).contains("expected value"));
    let whole = |text: &str| error(Format::Native, text.as_bytes()).to_string();
    assert!(whole("{\"format\": \"other\"}").contains("the format is not"));
    assert!(whole("{\"format\": \"farlink-contact-plan\", \"version\": 2}").contains("version 2 is not known"));
    assert!(
        whole("{\"format\": \"farlink-contact-plan\", \"version\": 1, \"epoch\": \"9999-01-01T00:00:00Z\"}")
            .contains("is no time")
    );
}

#[test]
fn text_that_is_none_has_a_line() {
    for format in Format::ALL {
        let found = error(format, b"# first\n# second\n\xff\xfe");
        assert_eq!((found.line, found.problem), (3, ReadProblem::NotUtf8));
        let deep = "[".repeat(200_000);
        assert!(read(format, deep.as_bytes(), &options()).is_err());
        assert!(read(format, format!("{{\"contacts\": {deep}").as_bytes(), &options()).is_err());
        assert!(
            read(format, format!("{{\"edges\": [{{\"contacts\": [[\"a\", \"b\", 0, 1, {deep}").as_bytes(), &options())
                .is_err()
        );
    }
    let large = vec![b'#'; MAX_BYTES + 1];
    assert_eq!(error(Format::Ion, &large).problem, ReadProblem::TooLarge { bytes: MAX_BYTES + 1 });
}

#[test]
fn marks_and_line_ends_of_other_systems_are_taken() {
    let text = "\u{feff}a contact +0 +10 1 2 1000\r\na range +0 +10 1 2 5\r\n";
    assert_eq!(read(Format::Ion, text.as_bytes(), &ReadOptions::default()).unwrap().plan.contacts.len(), 1);
    let text = "\u{feff}{\"contacts\":\r\n[]}\r\n";
    assert!(read(Format::Hdtn, text.as_bytes(), &ReadOptions::default()).unwrap().plan.contacts.is_empty());
    let text = "\u{feff}ipn:0.2.* via ipn:0.2.0\r\n";
    assert_eq!(read(Format::Hardy, text.as_bytes(), &options()).unwrap().plan.contacts.len(), 1);
}

/// Contacts of one pair with as many ranges, in the order that is worst for a list: were anything quadratic here, it would not end.
#[test]
fn a_million_lines_are_read() {
    let mut text = String::new();
    for n in (0..500_000).rev() {
        let (start, end) = (n * 10, n * 10 + 9);
        text.push_str(&format!("a contact +{start} +{end} 1 2 1000\na range +{start} +{end} 1 2 5\n"));
    }
    let options = ReadOptions { epoch: None, ..options() };
    let plan = read(Format::Ion, text.as_bytes(), &options).unwrap().plan;
    assert_eq!(plan.contacts.len(), 500_000);
    assert!(plan.contacts.iter().all(|c| c.light_time.max() == Some(Duration::from_secs(5))));
}

#[test]
fn what_recurs_without_bound_is_refused() {
    let far = ReadOptions { horizon: Some(Instant::MAX), ..options() };
    let second = b"ipn:2.*.* via ipn:2.1.0 cron \"* * * * * *\" duration 1s";
    let problem = |text: &[u8], options: &ReadOptions| read(Format::Hardy, text, options).unwrap_err().problem;
    let year = ReadOptions { horizon: Some(Instant::ZERO + Duration::from_secs(365 * 86_400)), ..options() };
    assert_eq!(problem(second, &year), ReadProblem::TooMany);
    assert!(matches!(problem(second, &far), ReadProblem::TimeOutOfReach { .. }));
    // A day that never comes costs its days, and no more of them than there may be.
    let never = "ipn:2.*.* via ipn:2.1.0 cron \"0 0 30 2 *\" duration 1s\n".repeat(100_000);
    assert_eq!(problem(never.as_bytes(), &year), ReadProblem::TooMany);
}

/// A light time that grows for three centuries would be cut into as many seconds.
#[test]
fn light_times_without_bound_are_refused() {
    let text = b"{\"format\": \"farlink-contact-plan\", \"version\": 1, \"epoch\": \"2026-03-27T00:00:00Z\", \"contacts\": [{\"from\": \"ipn:1.0\", \
        \"to\": \"ipn:2.0\", \"start\": \"0 s\", \"end\": \"5e9 s\", \"light_time\": [[\"0 s\", \"5e9 s\", \"0 s\", \"9e9 s\"]]}]}";
    let plan = read(Format::Native, text, &options()).unwrap().plan;
    for format in Format::ALL {
        let local = Some(NodeId::ipn(1));
        let written = write(format, &plan, &WriteOptions { local, ..WriteOptions::default() });
        match format {
            Format::Native => assert_eq!(written.unwrap().losses, []),
            _ => assert!(matches!(written, Err(WriteError::TooMany { .. })), "{format}: {written:?}"),
        }
    }
}

/// A generator of its own, so that the mutations are the same for ever.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

const WORDS: [&str; 24] = [
    "NaN",
    "-1",
    "1e999",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "0",
    "9999",
    "+",
    "\"",
    "{",
    "[",
    "]",
    "null",
    "1.5",
    "\n",
    "\u{feff}",
    "via",
    "cron",
    "*",
    "/",
    "2038/01/18-00:00:00",
    "0.000000001",
    "\r\n",
];

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes[at] = random.below(256) as u8,
            1 => bytes[at] ^= 1 << random.below(7),
            2 => drop(bytes.drain(at..(at + random.below(20)).min(bytes.len()))),
            3 => {
                let word = WORDS[random.below(WORDS.len())];
                bytes.splice(at..at, word.bytes());
            }
            4 => {
                let end = (at + 1 + random.below(12)).min(bytes.len());
                let word = WORDS[random.below(WORDS.len())];
                bytes.splice(at..end, word.bytes());
            }
            _ => {
                let end = (at + random.below(200)).min(bytes.len());
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
        }
        if bytes.is_empty() {
            bytes.push(b'a');
        }
    }
}

/// Whatever a mutated file is read as can be checked, written in every format, and read again.
#[test]
fn mutated_files_never_panic() {
    let folder = format!("{}/../../fixtures/contact-plans", env!("CARGO_MANIFEST_DIR"));
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let files: Vec<Vec<u8>> =
        names.iter().filter(|n| !n.ends_with("README.md")).map(|n| std::fs::read(n).unwrap()).collect();
    let (mut random, mut taken) = (Random(0x5eed), 0);
    for round in 0..100_000 {
        let file = &files[round % files.len()];
        let format = Format::guess(file).unwrap();
        let mut bytes = file.clone();
        mutate(&mut bytes, &mut random);
        let Ok(import) = read(format, &bytes, &options()) else { continue };
        taken += 1;
        // One in sixteen goes all the way.
        if round % 16 == 0 {
            let target = Format::ALL[random.below(Format::ALL.len())];
            let local = import.plan.contacts.first().map(|c| c.from.clone());
            let Ok(export) = write(target, &import.plan, &WriteOptions { local, ..WriteOptions::default() }) else {
                continue;
            };
            let again = read(target, export.text.as_bytes(), &ReadOptions { epoch: None, ..options() });
            assert!(again.is_ok(), "{target}: {:?}\n{}", again.unwrap_err(), export.text);
        }
    }
    assert!(taken > 10_000, "only {taken} were still readable");
}
