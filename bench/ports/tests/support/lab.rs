//! Network namespaces with a box in each, and a cable between two ports that knows of nothing but the trait.
#![allow(dead_code)]

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use farlink_ports::port::Interest;
use farlink_ports::{Notice, Port, Stopped, Timebase};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sha2::{Digest, Sha256};

/// Longest that a test waits for something on this machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a command and gives what it printed; one that fails, or that is not there, fails the test and says so.
pub fn run(command: &[&str]) -> String {
    let output = try_run(command);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "`{}`: {text}{error}(this test needs root and network namespaces)",
        command.join(" ")
    );
    text
}

pub fn try_run(command: &[&str]) -> Output {
    let output = Command::new(command[0]).args(&command[1..]).stdin(Stdio::null()).output();
    output.unwrap_or_else(|error| panic!("`{}`: {error} (Debian: iproute2, iputils-ping, iperf3)", command[0]))
}

/// A namespace with the interface of one box, `box0`, whose other end the test has.
pub struct Namespace {
    pub name: String,
    /// The test's end of a veth pair to the box, in the namespace of the test.
    pub end: String,
    number: u32,
}

static NUMBER: AtomicU32 = AtomicU32::new(1);

impl Namespace {
    /// An empty one.
    pub fn empty() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let id = std::process::id();
        let namespace = Namespace { name: format!("farlink-{id}-{number}"), end: format!("fl{id}n{number}"), number };
        run(&["ip", "netns", "add", &namespace.name]);
        namespace.run(&["ip", "link", "set", "lo", "up"]);
        namespace
    }

    /// One with a veth pair, up, the box's end with the addresses of its host number.
    pub fn with_veth(host: u8, mtu: u16) -> Self {
        let namespace = Namespace::empty();
        namespace.make_veth(host, mtu);
        namespace
    }

    pub fn make_veth(&self, host: u8, mtu: u16) {
        let mtu = mtu.to_string();
        let Namespace { name, end, .. } = self;
        run(&[
            "ip", "link", "add", end, "mtu", &mtu, "type", "veth", "peer", "name", "box0", "mtu", &mtu, "netns", name,
        ]);
        // The test's end is a plug: the machine itself is not to speak there.
        run(&["ip", "link", "set", end, "addrgenmode", "none"]);
        run(&["ip", "link", "set", end, "up"]);
        self.address("box0", host);
    }

    /// Gives an interface in the namespace the addresses of a host number, and sets it up.
    pub fn address(&self, interface: &str, host: u8) {
        self.run(&["ip", "link", "set", interface, "addrgenmode", "none"]);
        self.run(&["ip", "address", "add", &format!("10.77.0.{host}/24"), "dev", interface]);
        self.run(&["ip", "address", "add", &format!("fd77::{host}/64"), "dev", interface, "nodad"]);
        self.run(&["ip", "link", "set", interface, "up"]);
    }

    pub fn run(&self, command: &[&str]) -> String {
        run(&[&["ip", "netns", "exec", &self.name], command].concat())
    }

    pub fn try_run(&self, command: &[&str]) -> Output {
        try_run(&[&["ip", "netns", "exec", &self.name], command].concat())
    }

    /// Starts a program that is ended when it is dropped.
    pub fn start(&self, command: &[&str]) -> Running {
        let mut program = Command::new("ip");
        program.args(["netns", "exec", &self.name]).args(command);
        let child = program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Running { child }
    }

    /// Does something in a thread that is in the namespace.
    pub fn within<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/run/netns/{}", self.name)).unwrap();
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                nix::sched::setns(namespace, nix::sched::CloneFlags::CLONE_NEWNET).expect("this test needs root");
                act()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Pings until the first answer, then so many times more without a loss.
    pub fn pings(&self, to: &str, more: &[&str]) {
        self.answers(to);
        let text = self.run(&[&["ping", "-n", "-c", "5", "-i", "0.05", "-W", "5"], more, &[to]].concat());
        assert!(text.contains("5 received"), "{text}");
    }

    /// Waits until a ping is answered.
    pub fn answers(&self, to: &str) {
        let start = Instant::now();
        loop {
            let output = self.try_run(&["ping", "-n", "-c", "1", "-W", "1", to]);
            if output.status.success() {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "no answer: {}", String::from_utf8_lossy(&output.stdout));
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The pair goes at once with one of its ends; with the namespace it would go some time later.
        try_run(&["ip", "link", "del", &self.end]);
        try_run(&["ip", "netns", "del", &self.name]);
    }
}

/// A program that is ended when this is dropped.
pub struct Running {
    child: Child,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What happened at a port of a cable.
#[derive(Clone, Debug, Default)]
pub struct Told {
    pub notices: Vec<Notice>,
    pub frames_in: u64,
    pub refused: Vec<String>,
    /// Frames that had to be left because the port had no room for long.
    pub dropped: u64,
    pub longest: usize,
}

impl Told {
    pub fn ups(&self) -> usize {
        self.notices.iter().filter(|notice| matches!(notice, Notice::Up { .. })).count()
    }
    pub fn downs(&self) -> usize {
        self.notices.iter().filter(|notice| matches!(notice, Notice::Down { .. })).count()
    }
}

/// Two ports joined without any delay: a thread polls what they ask for, and moves frames from one to the other.
pub struct Cable {
    stop: Arc<AtomicBool>,
    told: Arc<Mutex<[Told; 2]>>,
    thread: Option<JoinHandle<()>>,
}

/// How many frames wait for a port that has no room.
const WAITING: usize = 50_000;

impl Cable {
    pub fn plug(a: impl Port + 'static, b: impl Port + 'static) -> Self {
        let (stop, told) = (Arc::new(AtomicBool::new(false)), Arc::<Mutex<[Told; 2]>>::default());
        let ends: [Box<dyn Port>; 2] = [Box::new(a), Box::new(b)];
        let thread = std::thread::spawn({
            let (stop, told) = (Arc::clone(&stop), Arc::clone(&told));
            move || carry(ends, &stop, &told)
        });
        Cable { stop, told, thread: Some(thread) }
    }

    pub fn told(&self) -> [Told; 2] {
        self.told.lock().unwrap().clone()
    }

    /// Waits until what was told is as expected.
    pub fn wait(&self, what: &str, is_so: impl Fn(&[Told; 2]) -> bool) -> [Told; 2] {
        let start = Instant::now();
        loop {
            let told = self.told();
            if is_so(&told) {
                return told;
            }
            assert!(start.elapsed() < PATIENCE, "{what}: {told:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let result = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            assert!(matches!(result, Some(Ok(()))), "the cable broke");
        }
    }
}

fn carry(mut ends: [Box<dyn Port>; 2], stop: &AtomicBool, told: &Mutex<[Told; 2]>) {
    let base = Timebase::start();
    let mut waiting: [Vec<Bytes>; 2] = Default::default();
    let mut frames = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        wait(&ends, &base);
        for from in 0..2 {
            let to = 1 - from;
            let before = base.now();
            ends[from].receive(&base, &mut frames).unwrap();
            let mut told = told.lock().unwrap();
            told[from].frames_in += frames.len() as u64;
            for frame in frames.drain(..) {
                assert!(frame.at <= base.now() && frame.at + farlink_units::Duration::from_secs(2) > before);
                told[from].longest = told[from].longest.max(frame.content.len());
                waiting[to].push(frame.content);
            }
            send(&mut *ends[to], &mut waiting[to], &mut told[to]);
            for end in 0..2 {
                while let Some(notice) = ends[end].poll_notice() {
                    told[end].notices.push(notice);
                }
            }
        }
    }
}

fn send(port: &mut dyn Port, waiting: &mut Vec<Bytes>, told: &mut Told) {
    let mut sent = 0;
    while sent < waiting.len() {
        let outcome = port.send(&waiting[sent..]);
        sent += outcome.taken;
        match outcome.stopped {
            None => break,
            Some(Stopped::Busy) => break,
            Some(Stopped::Refused(why)) => {
                sent += 1;
                told.refused.push(why);
            }
            Some(Stopped::Down) => {
                told.dropped += (waiting.len() - sent) as u64;
                sent = waiting.len();
            }
        }
    }
    waiting.drain(..sent);
    if waiting.len() > WAITING {
        told.dropped += (waiting.len() - WAITING) as u64;
        waiting.truncate(WAITING);
    }
}

fn wait(ends: &[Box<dyn Port>; 2], base: &Timebase) {
    let mut interests: Vec<Interest<'_>> = Vec::new();
    ends.iter().for_each(|end| end.interest(&mut |interest| interests.push(interest)));
    let mut fds: Vec<PollFd<'_>> = interests
        .iter()
        .map(|interest| {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::POLLIN, interest.readable);
            flags.set(PollFlags::POLLOUT, interest.writable);
            PollFd::new(interest.fd, flags)
        })
        .collect();
    let wake = ends
        .iter()
        .filter_map(|end| end.wake_at())
        .min()
        .map_or(50, |at| ((at - base.now()).as_nanos() / 1_000_000).clamp(0, 50));
    poll(&mut fds, PollTimeout::try_from(wake as i32).unwrap()).ok();
}

/// Copies a file over TCP from a box to the one at an address, and checks that it is the same there.
pub fn copy_file(from: &Namespace, to: &Namespace, at: SocketAddr, file: &Path) {
    let listener = to.within(|| TcpListener::bind(at).unwrap());
    let copy = file.with_extension("copy");
    std::thread::scope(|scope| {
        let receiver = scope.spawn(|| {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            std::io::copy(&mut stream, &mut File::create(&copy).unwrap()).unwrap();
        });
        let mut stream = from.within(|| TcpStream::connect_timeout(&at, PATIENCE).unwrap());
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        std::io::copy(&mut File::open(file).unwrap(), &mut stream).unwrap();
        drop(stream);
        receiver.join().unwrap();
    });
    assert_eq!(digest(file), digest(&copy), "the copy is another");
}

fn digest(file: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    File::open(file).unwrap().read_to_end(&mut bytes).unwrap();
    Sha256::digest(&bytes).to_vec()
}

/// A file of so many bytes that do not repeat.
pub fn write_file(path: &Path, length: usize) {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let bytes: Vec<u8> = (0..length)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .collect();
    File::create(path).unwrap().write_all(&bytes).unwrap();
}

/// Runs iperf3 for some seconds and gives what the receiver got, in bits per second.
pub fn iperf3(client: &Namespace, server: &Namespace, address: &str, seconds: u32, more: &[&str]) -> f64 {
    let _server = server.start(&["iperf3", "-s", "-B", address]);
    let start = Instant::now();
    loop {
        let seconds = seconds.to_string();
        let output = client.try_run(
            &[&["iperf3", "-c", address, "-t", &seconds, "--connect-timeout", "2000", "-f", "k"], more].concat(),
        );
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            let line = text.lines().rev().find(|line| line.contains("receiver")).unwrap_or_else(|| panic!("{text}"));
            let words: Vec<&str> = line.split_whitespace().collect();
            let unit = words.iter().position(|word| *word == "Kbits/sec").unwrap_or_else(|| panic!("{text}"));
            return words[unit - 1].parse::<f64>().unwrap() * 1000.0;
        }
        // The server may not listen yet.
        assert!(start.elapsed() < PATIENCE, "{text}{}", String::from_utf8_lossy(&output.stderr));
        std::thread::sleep(Duration::from_millis(50));
    }
}
