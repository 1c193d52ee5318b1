//! Recordings, written and read back; and files that are none.

mod common;

use std::io::{self, BufReader, Read, Write};

use common::{at, delivered, header};
use farlink_record::recording::{RecordingDigest, RecordingError, RecordingReader, RecordingWriter, hex};
use farlink_record::{
    BundleNotice, ChannelId, Delays, DurationNanos, Event, Header, LossCause, LtpNotice, NodeId, RetransmitReason,
    Session, Stamped, TrafficId,
};
use sha2::{Digest, Sha256};

/// One of every event and notice.
fn every_event() -> Vec<Event> {
    let (channel, node, peer) = (ChannelId(1), NodeId(0), NodeId(1));
    let session = Session { originator: u64::MAX, number: 3 };
    let ltp = |notice| Event::Ltp { node, peer, session, notice };
    let bundle = |notice| Event::Bundle { node, bundle: "ipn:10.1 7-0+5".into(), traffic: None, bytes: 9, notice };
    let reason = || "no \"route\"\n→ nowhere \u{0}".to_owned();
    let mut events = vec![
        Event::ContactOpened { channel, until: at(i64::MAX), light_time: DurationNanos(1) },
        Event::ContactClosed { channel },
        Event::LightTime { channel, light_time: DurationNanos(2) },
        Event::FrameSent { channel, frame: u64::MAX, bytes: u32::MAX, start: at(4) },
        delivered(0, 1, 7, 3, b"").event,
        Event::FrameDelivered {
            channel,
            frame: 8,
            bytes: 9,
            damaged_bits: 0,
            delays: Some(Delays {
                queueing: DurationNanos(0),
                serialisation: DurationNanos(1),
                propagation: DurationNanos(i64::MAX),
            }),
            content: Default::default(),
        },
        ltp(LtpNotice::BlockStarted { bytes: 5 }),
        ltp(LtpNotice::BlockAcknowledged),
        ltp(LtpNotice::RedPartReceived { bytes: 6 }),
        ltp(LtpNotice::Cancelled { reason: "USR_CNCLD".into(), locally: true }),
        bundle(BundleNotice::Created),
        bundle(BundleNotice::Received { from: peer }),
        bundle(BundleNotice::Forwarded { to: peer }),
        bundle(BundleNotice::Delivered),
        bundle(BundleNotice::Duplicate),
        bundle(BundleNotice::Deleted { reason: reason() }),
        bundle(BundleNotice::Refused { reason: reason() }),
        bundle(BundleNotice::Reported { status: vec!["received".into(), "delivered".into()] }),
        Event::Arrived { traffic: TrafficId(0), bytes: 1, sha256: "cd".repeat(32), intact: false },
    ];
    events.extend(LossCause::ALL.map(|cause| Event::FrameLost { channel, frame: 1, bytes: 0, cause }));
    let reasons = [
        RetransmitReason::Gap,
        RetransmitReason::CheckpointTimer,
        RetransmitReason::ReportTimer,
        RetransmitReason::CancelTimer,
    ];
    events.extend(reasons.map(|reason| ltp(LtpNotice::Retransmitted { bytes: 8, reason })));
    events.push(Event::Ended { interrupted: true });
    events
}

fn stamped(events: Vec<Event>) -> Vec<Stamped> {
    events.into_iter().enumerate().map(|(nanos, event)| Stamped { at: at(nanos as i64 / 2), event }).collect()
}

fn record(header: &Header, events: &[Stamped]) -> (Vec<u8>, RecordingDigest) {
    let mut bytes = Vec::new();
    let mut writer = RecordingWriter::new(&mut bytes, header).unwrap();
    events.iter().for_each(|event| writer.event(event).unwrap());
    let digest = writer.finish().unwrap();
    (bytes, digest)
}

fn read(bytes: &[u8]) -> Result<Vec<Stamped>, RecordingError> {
    RecordingReader::open(bytes)?.1.collect()
}

/// The error that a recording of these lines ends in.
fn error_of(lines: &[&str]) -> String {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    read(text.as_bytes()).expect_err(&text).to_string()
}

fn header_line() -> String {
    serde_json::to_string(&header()).unwrap()
}

#[test]
fn every_event_comes_back_from_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let events = stamped(every_event());
    let mut writer = RecordingWriter::new(file.reopen().unwrap(), &header()).unwrap();
    events.iter().for_each(|event| writer.event(event).unwrap());
    let digest = writer.finish().unwrap();

    let bytes = std::fs::read(file.path()).unwrap();
    assert_eq!(digest.sha256, hex(&Sha256::digest(&bytes)));
    assert_eq!((digest.events, digest.bytes), (events.len() as u64, bytes.len() as u64));
    assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), events.len() + 1, "one line for each");

    let (read_header, mut reader) = RecordingReader::open(BufReader::new(file.reopen().unwrap())).unwrap();
    assert_eq!(read_header, header());
    let read: Vec<Stamped> = reader.by_ref().map(Result::unwrap).collect();
    assert_eq!(read, events);
    assert!(reader.is_complete());
}

#[test]
fn the_same_events_make_the_same_bytes_and_others_do_not() {
    let events = stamped(every_event());
    let (bytes, digest) = record(&header(), &events);
    assert_eq!(record(&header(), &events), (bytes, digest.clone()));
    let mut later = events;
    later.last_mut().unwrap().at = at(1000);
    assert_ne!(record(&header(), &later).1.sha256, digest.sha256);
    // The content of frames is for captures.
    let frame = |content: &'static [u8]| [delivered(0, 0, 0, 0, content)];
    assert_eq!(record(&header(), &frame(b"abc")), record(&header(), &frame(b"xyz")));
}

/// Takes one byte at a time, and now and then none at all.
struct Stubborn(Vec<u8>, u32);

impl Write for Stubborn {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.1 += 1;
        if self.1.is_multiple_of(3) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        self.0.extend(&buffer[..1.min(buffer.len())]);
        Ok(1.min(buffer.len()))
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_digest_is_of_what_was_taken() {
    let mut out = Stubborn(Vec::new(), 0);
    let mut writer = RecordingWriter::new(&mut out, &header()).unwrap();
    stamped(every_event()).iter().for_each(|event| writer.event(event).unwrap());
    let digest = writer.finish().unwrap();
    assert_eq!(digest.sha256, hex(&Sha256::digest(&out.0)));
    assert_eq!(digest.bytes, out.0.len() as u64);
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "time ran backwards")]
fn a_writer_refuses_time_that_runs_backwards() {
    let mut writer = RecordingWriter::new(io::sink(), &header()).unwrap();
    for nanos in [5, 4] {
        let event = Event::ContactClosed { channel: ChannelId(0) };
        writer.event(&Stamped { at: at(nanos), event }).unwrap();
    }
}

#[test]
fn a_recording_cut_anywhere_gives_what_is_whole_and_says_where_it_is_cut() {
    let events = stamped(every_event());
    let (bytes, _) = record(&header(), &events);
    for length in 0..bytes.len() {
        let cut = &bytes[..length];
        let lines = cut.iter().filter(|byte| **byte == b'\n').count();
        let open = RecordingReader::open(cut);
        let mut reader = match (open, lines) {
            (Ok((_, reader)), _) => reader,
            (Err(RecordingError::Empty), 0) if length == 0 => continue,
            (Err(RecordingError::CutShort { line: 1, bytes }), 0) if bytes == length => continue,
            (Err(error), _) => panic!("{length} bytes, {lines} lines: {error}"),
        };
        let mut whole = 0;
        let end = loop {
            match reader.next() {
                Some(Ok(event)) => assert_eq!(event, events[whole]),
                end => break end,
            }
            whole += 1;
        };
        match end {
            // Cut between two lines, or of the last line nothing but its end.
            None => assert!(cut.ends_with(b"\n") || bytes[length] == b'\n', "{length}"),
            Some(Err(RecordingError::CutShort { line, .. })) => {
                assert_eq!((line, whole), (lines as u64 + 1, lines - 1), "{length}");
            }
            other => panic!("{length} bytes: {other:?}"),
        }
        assert!(reader.next().is_none(), "nothing after an error");
        assert_eq!(reader.is_complete(), whole == events.len(), "{length}");
    }
}

#[test]
fn what_is_no_recording_is_told_so() {
    assert!(matches!(read(b""), Err(RecordingError::Empty)));
    let not_a_recording = |bytes: &[u8]| {
        let error = read(bytes).expect_err("garbage");
        assert!(matches!(error, RecordingError::NotARecording { .. }), "{error}");
        error.to_string()
    };
    not_a_recording(b"\n");
    not_a_recording(b"\x0a\x0d\x0d\x0a\x1c\x00\x00\x00\n");
    not_a_recording(b"\xff\xfe\n");
    not_a_recording(b"[1, 2]\n");
    not_a_recording(b"null\n");
    not_a_recording(b"{\"format\":\"farlink-recording\",\"version\":1}\n");
    assert!(not_a_recording(b"{\"format\":\"other\",\"version\":1}\n").contains("`other`"));
    not_a_recording(format!("{}\n", "[".repeat(1 << 20)).as_bytes());

    let newer = header_line().replace("\"version\":3", "\"version\":4");
    assert_eq!(error_of(&[&newer]), "line 1: the recording has version 4, this program reads versions 1 to 3");
    let nowhere = header_line().replacen("\"from\":0", "\"from\":2", 1);
    assert_eq!(error_of(&[&nowhere]), "line 1: names node 2, but the header has 2");
}

#[test]
fn a_recording_of_the_first_version_is_still_read() {
    let old = header_line().replace("\"version\":3", "\"version\":1");
    let delivered = r#"{"t":5,"event":"frame-delivered","channel":0,"frame":3,"bytes":10,"damaged_bits":0}"#;
    let lost = r#"{"t":6,"event":"frame-lost","channel":0,"frame":4,"bytes":10,"cause":"bit-errors"}"#;
    let events = read(format!("{old}\n{delivered}\n{lost}\n").as_bytes()).unwrap();
    let mut counters = farlink_record::counters::ChannelCounters::default();
    events.iter().for_each(|stamped| counters.apply(&stamped.event));
    assert_eq!((counters.delivered.frames, counters.lost_in_all().frames, counters.delays.frames), (1, 1, 0));
}

#[test]
fn a_line_that_is_no_event_is_named() {
    let first = r#"{"t":5,"event":"contact-closed","channel":0}"#;
    let error = |line: &str| error_of(&[&header_line(), first, line]);
    for garbage in [
        "",
        "{}",
        "{\"t\":6",
        "null",
        r#"{"t":6,"event":"teleported","channel":0}"#,
        r#"{"t":6,"event":"contact-closed"}"#,
        r#"{"t":6,"event":"contact-closed","channel":-1}"#,
        r#"{"t":6,"event":"contact-closed","channel":65536}"#,
        r#"{"t":6.5,"event":"contact-closed","channel":0}"#,
        r#"{"t":6,"event":"contact-closed","channel":0} {}"#,
        r#"{"t":99999999999999999999,"event":"contact-closed","channel":0}"#,
    ] {
        assert!(error(garbage).starts_with("line 3: not an event: "), "{garbage}: {}", error(garbage));
    }
    assert_eq!(
        error(r#"{"t":4,"event":"contact-closed","channel":0}"#),
        "line 3: time runs backwards, from 00:00:00.000 to 00:00:00.000"
    );
    assert_eq!(
        error(r#"{"t":6,"event":"contact-closed","channel":2}"#),
        "line 3: names channel 2, but the header has 2"
    );
    assert_eq!(
        error(r#"{"t":6,"event":"bundle","node":0,"bundle":"","traffic":1,"bytes":0,"what":"created"}"#),
        "line 3: names traffic item 1, but the header has 1"
    );
    assert_eq!(
        error(r#"{"t":6,"event":"bundle","node":0,"bundle":"","traffic":null,"bytes":0,"what":"received","from":7}"#),
        "line 3: names node 7, but the header has 2"
    );
    let end = r#"{"t":6,"event":"ended","interrupted":false}"#;
    assert_eq!(error_of(&[&header_line(), end, end]), "line 3: follows the end of the run");
}

#[test]
fn an_endless_line_does_not_fill_the_memory() {
    let endless = header_line() + "\n";
    let input = BufReader::new(endless.as_bytes().chain(io::repeat(b'x')));
    let error = RecordingReader::open(input).unwrap().1.next().unwrap().unwrap_err();
    assert!(matches!(error, RecordingError::TooLong { line: 2, limit: 1_048_576 }), "{error}");
}

#[test]
fn an_input_that_fails_names_the_line() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let text = header_line() + "\n";
    let input = BufReader::new(text.as_bytes().chain(Broken));
    let error = RecordingReader::open(input).unwrap().1.next().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "line 2: cannot read: the disk is gone");
}
