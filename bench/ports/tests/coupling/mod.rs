//! Drives ports through the trait alone, as the emulator does, without any delay.
#![allow(dead_code)]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use farlink_ports::{Notice, Port, Received, Stopped, Timebase};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Longest that a test waits for something on this machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A port with what it gave and what it is to send.
pub struct Side {
    pub port: Box<dyn Port>,
    pub base: Timebase,
    pub frames: Vec<Received>,
    pub notices: Vec<Notice>,
    /// Frames to send, and ends of connections (`None`) between them.
    pub queue: VecDeque<Option<Bytes>>,
    pub refused: Vec<String>,
    pub undeliverable: usize,
    pub busy: usize,
}

impl Side {
    pub fn new(port: impl Port + 'static, base: Timebase) -> Self {
        Side {
            port: Box::new(port),
            base,
            frames: Vec::new(),
            notices: Vec::new(),
            queue: VecDeque::new(),
            refused: Vec::new(),
            undeliverable: 0,
            busy: 0,
        }
    }

    pub fn send(&mut self, frame: impl Into<Bytes>) {
        self.queue.push_back(Some(frame.into()));
    }

    pub fn contents(&self) -> Vec<Bytes> {
        self.frames.iter().map(|frame| frame.content.clone()).collect()
    }

    pub fn octets(&self) -> Vec<u8> {
        self.contents().concat()
    }

    pub fn told(&self, is: impl Fn(&Notice) -> bool) -> usize {
        self.notices.iter().filter(|notice| is(notice)).count()
    }

    pub fn ups(&self) -> usize {
        self.told(|notice| matches!(notice, Notice::Up { .. }))
    }

    pub fn downs(&self) -> usize {
        self.told(|notice| matches!(notice, Notice::Down { .. }))
    }

    pub fn ends(&self) -> usize {
        self.told(|notice| matches!(notice, Notice::Ended { .. }))
    }

    /// Receives, then tells, then sends what can be.
    fn step(&mut self) {
        self.port.receive(&self.base, &mut self.frames).unwrap();
        while let Some(notice) = self.port.poll_notice() {
            self.notices.push(notice);
        }
        loop {
            let run: Vec<Bytes> = self.queue.iter().take(64).map_while(Clone::clone).collect();
            if run.is_empty() {
                if self.queue.pop_front().is_none() {
                    return;
                }
                self.port.hang_up();
                continue;
            }
            let sent = self.port.send(&run);
            assert!(sent.taken <= run.len() && (sent.stopped.is_some() || sent.taken == run.len()));
            self.queue.drain(..sent.taken);
            match sent.stopped {
                None => {}
                Some(Stopped::Busy) => {
                    self.busy += 1;
                    return;
                }
                Some(Stopped::Refused(why)) => {
                    self.refused.push(why);
                    self.queue.pop_front();
                }
                Some(Stopped::Down) => {
                    self.undeliverable += 1;
                    self.queue.pop_front();
                }
            }
        }
    }
}

/// Polls some ports, for `longest` at most, then lets each take a step.
pub fn turn(sides: &mut [&mut Side], longest: Duration) {
    {
        let mut asked = Vec::new();
        let mut patience = longest;
        for side in sides.iter() {
            side.port.interest(&mut |interest| {
                let mut flags = PollFlags::empty();
                flags.set(PollFlags::IN, interest.readable);
                flags.set(PollFlags::OUT, interest.writable);
                asked.push(PollFd::from_borrowed_fd(interest.fd, flags));
            });
            if let Some(at) = side.port.wake_at() {
                patience = patience.min(at.saturating_since(side.base.now()).to_std());
            }
        }
        let patience = Timespec { tv_sec: 0, tv_nsec: patience.min(Duration::from_millis(999)).as_nanos() as i64 };
        poll(&mut asked, Some(&patience)).unwrap();
    }
    for side in sides {
        side.step();
    }
}

/// Drives one port until something is so.
pub fn until(side: &mut Side, what: &str, is: impl Fn(&Side) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is(side) {
        assert!(Instant::now() < deadline, "{what}: {:?}, notices {:?}", side.port, side.notices);
        turn(&mut [side], Duration::from_millis(20));
    }
}

/// Drives one port for a while.
pub fn run(side: &mut Side, time: Duration) {
    let deadline = Instant::now() + time;
    while Instant::now() < deadline {
        turn(&mut [side], Duration::from_millis(5));
    }
}

/// Carries what two ports give to each other, as the trait asks for.
pub struct Link {
    pub a: Side,
    pub b: Side,
    seen: [usize; 2],
}

impl Link {
    pub fn new(a: Side, b: Side) -> Self {
        Link { a, b, seen: [0; 2] }
    }

    pub fn turn(&mut self) {
        turn(&mut [&mut self.a, &mut self.b], Duration::from_millis(20));
        carry(&mut self.a, &mut self.b, &mut self.seen[0]);
        carry(&mut self.b, &mut self.a, &mut self.seen[1]);
    }

    pub fn until(&mut self, what: &str, is: impl Fn(&Link) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is(self) {
            let (a, b) = (&self.a, &self.b);
            assert!(Instant::now() < deadline, "{what}: {:?} {:?}, {:?} {:?}", a.port, a.notices, b.port, b.notices);
            self.turn();
        }
    }
}

fn carry(from: &mut Side, to: &mut Side, seen: &mut usize) {
    to.queue.extend(from.frames.drain(..).map(|frame| Some(frame.content)));
    for notice in &from.notices[*seen..] {
        if matches!(notice, Notice::Ended { .. }) {
            if to.port.hangs_up() {
                to.queue.push_back(None);
            } else {
                from.port.hang_up();
            }
        }
    }
    *seen = from.notices.len();
}
