//! A line made of two pseudo-terminals by socat, and ports driven as their owner drives them.
#![allow(dead_code)]

use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use farlink_ports::framing::{Decoded, Decoder, Fcs, Framing, Marker};
use farlink_ports::{Notice, Port, Received, Stopped, Timebase};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};

/// Longest that a test waits for something on this machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A program that runs `socat` between two addresses, and is ended with the test.
pub struct Socat(Child);

impl Socat {
    pub fn between(a: &str, b: &str) -> Self {
        let started = Command::new("socat").args([a, b]).stdin(Stdio::null()).spawn();
        Socat(started.unwrap_or_else(|error| panic!("this test needs socat (`apt-get install socat`): {error}")))
    }

    /// Two pseudo-terminals at these paths, what is written to one of which is read from the other.
    pub fn line(a: &Path, b: &Path) -> Self {
        let end = |path: &Path| format!("pty,rawer,link={}", path.display());
        let socat = Socat::between(&end(a), &end(b));
        // The link is followed, so that one which another socat has left behind does not count.
        wait_for("socat to make its pseudo-terminals", || a.exists() && b.exists());
        socat
    }

    /// Ends it, as pulling the cable does.
    pub fn unplug(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let (Ok(None), Some(pid)) = (self.0.try_wait(), Pid::from_raw(self.0.id() as i32)) {
            kill_process(pid, Signal::TERM).unwrap();
        }
        self.0.wait().unwrap();
    }
}

impl Drop for Socat {
    fn drop(&mut self) {
        self.end();
    }
}

pub fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A folder with places for two ends.
pub fn ends() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    (folder, a, b)
}

/// The framings that carry frames of any length.
pub const ANY_LENGTH: [Framing; 6] = [
    Framing::Slip,
    Framing::Cobs,
    Framing::Kiss { port: 0 },
    Framing::Kiss { port: 12 },
    Framing::Hdlc { fcs: Fcs::Bits16 },
    Framing::Hdlc { fcs: Fcs::Bits32 },
];

pub fn ccsds(length: u16) -> Framing {
    Framing::Ccsds { length, marker: Marker::default() }
}

/// A frame whose every byte depends on its number and place, with all values of a byte in it.
pub fn frame(number: usize, length: usize) -> Bytes {
    (0..length).map(|place| (number * 31 + place * 7 + place / 256) as u8).collect()
}

/// A port and all that it has given.
#[derive(Debug)]
pub struct Owner<P> {
    pub port: P,
    base: Timebase,
    pub frames: Vec<Received>,
    pub notices: Vec<Notice>,
}

impl<P: Port> Owner<P> {
    pub fn new(port: P, base: Timebase) -> Self {
        Owner { port, base, frames: Vec::new(), notices: Vec::new() }
    }

    /// Polls what the port names, then takes what it has.
    pub fn turn(&mut self, patience: Duration) {
        let mut watched: Vec<(BorrowedFd<'_>, PollFlags)> = Vec::new();
        self.port.interest(&mut |interest| {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, interest.readable);
            flags.set(PollFlags::OUT, interest.writable);
            watched.push((interest.fd, flags));
        });
        let mut fds: Vec<PollFd<'_>> =
            watched.iter().map(|(fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
        poll(&mut fds, Some(&Timespec::try_from(patience).unwrap())).unwrap();
        drop(fds);
        self.port.receive(&self.base, &mut self.frames).unwrap();
        self.notices.extend(std::iter::from_fn(|| self.port.poll_notice()));
    }

    /// Turns until the condition holds. Only what the port itself makes pollable ends a wait early.
    #[track_caller]
    pub fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !holds(self) {
            let frames = self.frames.len();
            assert!(start.elapsed() < PATIENCE, "waited in vain for {what}: {frames} frames, {:?}", self.notices);
            self.turn(Duration::from_millis(500));
        }
    }

    /// Turns until a notice satisfies the condition; the notices so far are forgotten.
    #[track_caller]
    pub fn notices_until(&mut self, what: &str, wanted: impl Fn(&Notice) -> bool) -> Vec<Notice> {
        self.until(what, |owner| owner.notices.iter().any(&wanted));
        std::mem::take(&mut self.notices)
    }

    /// Sends them all, waiting for room where there is none.
    #[track_caller]
    pub fn send_all(&mut self, frames: &[Bytes]) {
        let start = Instant::now();
        let mut rest = frames;
        loop {
            let sent = self.port.send(rest);
            rest = &rest[sent.taken..];
            match sent.stopped {
                None => return,
                Some(Stopped::Busy) => self.turn(PATIENCE),
                other => panic!("{other:?}"),
            }
            assert!(start.elapsed() < PATIENCE, "{} of {} frames were not taken", rest.len(), frames.len());
        }
    }

    pub fn contents(&self) -> Vec<Bytes> {
        self.frames.iter().map(|frame| frame.content.clone()).collect()
    }

    pub fn unreadable_bytes(&self) -> u64 {
        let bytes = |notice: &Notice| if let Notice::Unreadable { bytes, .. } = notice { *bytes } else { 0 };
        self.notices.iter().map(bytes).sum()
    }
}

pub fn is_up(notice: &Notice) -> bool {
    matches!(notice, Notice::Up { .. })
}

pub fn is_down(notice: &Notice) -> bool {
    matches!(notice, Notice::Down { .. })
}

/// Sends frames of these lengths both ways at once, and checks that they arrive, in order, and nothing else.
#[track_caller]
pub fn both_ways<A: Port, B: Port>(a: &mut Owner<A>, b: &mut Owner<B>, lengths: &[usize]) {
    let frames: Vec<Bytes> = lengths.iter().enumerate().map(|(number, length)| frame(number, *length)).collect();
    a.frames.clear();
    b.frames.clear();
    fn part<P: Port>(owner: &mut Owner<P>, frames: &[Bytes]) {
        let start = Instant::now();
        let mut rest = frames;
        while !rest.is_empty() || owner.frames.len() < frames.len() {
            let sent = owner.port.send(rest);
            assert!(matches!(sent.stopped, None | Some(Stopped::Busy)), "{:?} {:?}", sent.stopped, owner.notices);
            rest = &rest[sent.taken..];
            owner.turn(Duration::from_millis(500));
            assert!(start.elapsed() < PATIENCE, "{} to send, {} here", rest.len(), owner.frames.len());
        }
        assert_eq!(owner.frames.len(), frames.len());
        for (number, (received, sent)) in owner.frames.iter().zip(frames).enumerate() {
            assert!(received.content == *sent, "frame {number}: {} bytes for {}", received.content.len(), sent.len());
        }
        assert!(owner.frames.is_sorted_by_key(|frame| frame.at));
    }
    thread::scope(|scope| {
        let far = thread::Builder::new().name("far side".to_owned());
        let far = far.spawn_scoped(scope, || part(b, &frames)).unwrap();
        part(a, &frames);
        far.join().unwrap();
    });
    for notices in [&a.notices, &b.notices] {
        assert!(!notices.iter().any(|notice| matches!(notice, Notice::Unreadable { .. })), "{notices:?}");
    }
}

/// Frames as they lie on the stream.
pub fn encoded(framing: Framing, frames: &[Bytes]) -> Vec<u8> {
    let mut stream = framing.opening().to_vec();
    for frame in frames {
        framing.encode(frame, &mut stream).unwrap();
    }
    stream
}

/// The frames in a stream.
pub fn decoded(decoder: &mut Decoder, stream: &[u8]) -> Vec<Bytes> {
    let mut frames = Vec::new();
    decoder.decode(stream, &mut |found| match found {
        Decoded::Frame(frame) => frames.push(frame),
        Decoded::LeftOut { .. } => panic!("{found:?}"),
    });
    frames
}

/// Memory that this process has in use, in bytes.
pub fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = pages.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * rustix::param::page_size() as u64
}
