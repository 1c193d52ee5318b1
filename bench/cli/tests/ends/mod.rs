//! The far ends of an emulator's ports, of every kind: what another box, or a program, does there.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use farlink_record::results::{Case, Results, Verdict};
use pcap_file::DataLink;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::pcapng::{Block, PcapNgReader, PcapNgWriter};
use pnet_datalink::{Channel, Config, DataLinkSender};

use crate::common::process::wait_for;

/// The kinds of ports, some with another framing or another side of the connection.
pub const KINDS: [&str; 9] = ["udp4", "udp6", "tcp", "tcp-connect", "file", "pty", "serial", "eth", "tap"];

/// TUN is not among [`KINDS`]: it takes nothing but IP packets, which all of them carry.
pub const TUN: &str = "tun";

/// Does not make the terminal that is opened that of the process (`O_NOCTTY` of open(2)).
const NO_CONTROLLING_TERMINAL: i32 = 0o400;

const SLIP_END: u8 = 0xC0;
const SLIP_ESCAPE: u8 = 0xDB;

/// A frame that every kind of port carries: an IPv4 packet to an address that nobody has, and at the same time an Ethernet frame
/// with the EtherType 0x88B5, which is for local experiments (IEEE 802), as the first half of its source address says.
pub fn frame(side: u8, number: u32) -> Vec<u8> {
    let mut frame = vec![0x45, 0, 0, 100, 0, 0, 0, 0, 64, 253, 0, 0, 0x88, 0xB5, 0, 1, 240, 0, 0, 1];
    let sum: u32 = frame.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let sum = !((sum & 0xFFFF) + (sum >> 16)) as u16;
    frame[10..12].copy_from_slice(&sum.to_be_bytes());
    frame.extend(b"farlink");
    frame.push(side);
    frame.extend(number.to_be_bytes());
    frame.resize(100, SLIP_END);
    frame
}

/// The side and the number of a frame, if it is one of ours, whole.
pub fn number(content: &[u8]) -> Option<(u8, u32)> {
    let number = u32::from_be_bytes(content.get(28..32)?.try_into().ok()?);
    (content == frame(content[27], number)).then_some((content[27], number))
}

type Seen = Arc<Mutex<Vec<Vec<u8>>>>;

enum Line {
    Udp(UdpSocket, String),
    Listens(u16, Option<TcpStream>),
    Accepts(TcpListener, Option<TcpStream>),
    File { played: PathBuf, written: PathBuf },
    Terminal(PathBuf, Option<File>, Option<Child>),
    Interface(String, Option<Box<dyn DataLinkSender>>),
}

/// The far end of one port.
pub struct FarEnd {
    /// What the emulator is told.
    pub text: String,
    /// Which frames it gives.
    side: u8,
    line: Line,
    seen: Seen,
    /// An interface to remove.
    made: Option<String>,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A name for an interface that no other test has.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}{}x{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// Runs a command that has to succeed.
pub fn run(command: &[&str]) -> String {
    let output = Command::new(command[0]).args(&command[1..]).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("`{}`: {error}", command[0]));
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "`{}`: {text}(this test needs root and network namespaces)", command.join(" "));
    text
}

/// Fails if anything is wrong but the machine's own time, which a busy machine cannot help.
pub fn assert_sound(results: &Results) {
    assert!(results.channels.iter().all(|channel| channel.balanced), "{:#?}", results.channels);
    let wrong = |case: &&Case| {
        let slow = case.suite == "timing" && case.verdict == Verdict::Inconclusive;
        case.verdict != Verdict::Pass && !slow
    };
    assert_eq!(results.cases.iter().filter(wrong).collect::<Vec<_>>(), Vec::<&Case>::new());
}

impl FarEnd {
    /// Prepares the far end of a port of this kind, in this folder.
    pub fn new(kind: &str, side: u8, folder: &Path) -> Self {
        let path = |name: &str| folder.join(format!("{name}-{}", char::from(side)));
        let mut made = None;
        let udp = |host: &str| {
            let [ours, theirs] = [(); 2].map(|()| UdpSocket::bind(format!("{host}:0")).expect("a port is free"));
            let to = theirs.local_addr().expect("it is bound");
            let text = format!("udp:{to},to={}", ours.local_addr().expect("it is bound"));
            (text, Line::Udp(ours, to.to_string()))
        };
        let (text, line) = match kind {
            "udp4" => udp("127.0.0.1"),
            "udp6" => udp("[::1]"),
            "tcp" => {
                let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port is free");
                (format!("tcp:{},framing=stcp", free.port()), Line::Listens(free.port(), None))
            }
            "tcp-connect" => {
                let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
                let to = listener.local_addr().expect("it is bound");
                (format!("tcp:{to},connect,framing=stcp"), Line::Accepts(listener, None))
            }
            "file" => {
                let (played, written) = (path("played.pcapng"), path("written.pcapng"));
                write_capture(&played, side);
                (format!("file:in={},out={}", played.display(), written.display()), Line::File { played, written })
            }
            "pty" => {
                let place = path("pty");
                (format!("pty:{},framing=slip", place.display()), Line::Terminal(place, None, None))
            }
            "serial" => {
                let (theirs, ours) = (path("line"), path("line-end"));
                let socat = socat(&theirs, &ours);
                let text = format!("serial:{},baud=115200,framing=slip", theirs.display());
                (text, Line::Terminal(ours, None, Some(socat)))
            }
            "eth" => {
                let (theirs, ours) = (unique("fe"), unique("ff"));
                run(&["ip", "link", "add", &theirs, "type", "veth", "peer", "name", &ours]);
                for end in [&theirs, &ours] {
                    run(&["ip", "link", "set", end, "addrgenmode", "none"]);
                    run(&["ip", "link", "set", end, "up"]);
                }
                made = Some(theirs.clone());
                (format!("eth:{theirs}"), Line::Interface(ours, None))
            }
            "tap" | "tun" => {
                let name = unique("ft");
                (format!("{kind}:{name}"), Line::Interface(name, None))
            }
            kind => panic!("no far end for {kind}"),
        };
        FarEnd { text, side, line, seen: Seen::default(), made }
    }

    /// Connects to the emulator, which carries by now.
    pub fn connect(&mut self) {
        let seen = Arc::clone(&self.seen);
        match &mut self.line {
            Line::Udp(socket, _) => {
                let socket = socket.try_clone().expect("a handle");
                socket.set_read_timeout(Some(Duration::from_secs(90))).expect("it can be set");
                thread::spawn(move || {
                    let mut buffer = [0; 2000];
                    while let Ok(length) = socket.recv(&mut buffer) {
                        push(&seen, &buffer[..length]);
                    }
                });
            }
            Line::Listens(port, stream) => {
                let connected = wait_for("a connection", || TcpStream::connect(("127.0.0.1", *port)).ok());
                read_bundles(connected.try_clone().expect("a handle"), seen);
                *stream = Some(connected);
            }
            Line::Accepts(listener, stream) => {
                listener.set_nonblocking(true).expect("it can be set");
                let (connected, _) = wait_for("a connection", || listener.accept().ok());
                connected.set_nonblocking(false).expect("it can be set");
                read_bundles(connected.try_clone().expect("a handle"), seen);
                *stream = Some(connected);
            }
            Line::File { .. } => {}
            Line::Terminal(path, terminal, _) => {
                let mut open = OpenOptions::new();
                open.read(true).write(true).custom_flags(NO_CONTROLLING_TERMINAL);
                let opened = wait_for("the terminal", || open.open(&*path).ok());
                read_slip(opened.try_clone().expect("a handle"), seen);
                *terminal = Some(opened);
            }
            Line::Interface(name, sender) => {
                let interface = wait_for("the interface to carry", || {
                    let all = pnet_datalink::interfaces().into_iter();
                    all.filter(|interface| interface.is_up()).find(|interface| interface.name == *name)
                });
                let config = Config { read_timeout: Some(Duration::from_secs(1)), ..Config::default() };
                let channel = pnet_datalink::channel(&interface, config).expect("this test needs root");
                let Channel::Ethernet(sends, mut receives) = channel else { panic!("no channel to {name}") };
                let seen = Arc::downgrade(&seen);
                thread::spawn(move || {
                    while let Some(seen) = seen.upgrade() {
                        if let Ok(content) = receives.next() {
                            push(&seen, content);
                        }
                    }
                });
                *sender = Some(sends);
            }
        }
    }

    /// Sends a frame; a file has them all from the beginning.
    pub fn send(&mut self, count: u32) {
        let content = frame(self.side, count);
        match &mut self.line {
            Line::Udp(socket, to) => drop(socket.send_to(&content, &*to).expect("it can be sent")),
            Line::Listens(_, Some(stream)) | Line::Accepts(_, Some(stream)) => {
                let length = (content.len() as u32).to_be_bytes();
                stream.write_all(&[&length[..], &content].concat()).expect("it can be sent");
            }
            Line::Terminal(_, Some(terminal), _) => terminal.write_all(&slip(&content)).expect("it can be sent"),
            Line::Interface(_, Some(sender)) => {
                sender.send_to(&content, None).expect("there is a buffer").expect("it can be sent");
            }
            Line::File { played, .. } => assert!(played.exists()),
            _ => panic!("not connected"),
        }
    }

    /// The sides and numbers of the frames that have come here, in their order.
    pub fn numbers(&self) -> Vec<(u8, u32)> {
        if let Line::File { written, .. } = &self.line {
            return read_capture(written).iter().filter_map(|content| number(content)).collect();
        }
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().filter_map(|content| number(content)).collect()
    }
}

impl Drop for FarEnd {
    fn drop(&mut self) {
        if let Line::Terminal(_, _, Some(socat)) = &mut self.line {
            let _ = socat.kill();
            let _ = socat.wait();
        }
        if let Some(interface) = &self.made {
            let _ = Command::new("ip").args(["link", "del", interface]).status();
        }
    }
}

/// Joins two pseudo-terminals.
pub fn socat(a: &Path, b: &Path) -> Child {
    let end = |path: &Path| format!("pty,rawer,link={}", path.display());
    let child = Command::new("socat").args([end(a), end(b)]).stdin(Stdio::null()).spawn();
    let child = child.unwrap_or_else(|error| panic!("this test needs socat (Debian: socat): {error}"));
    wait_for("the pseudo-terminals of socat", || (a.exists() && b.exists()).then_some(()));
    child
}

fn push(seen: &Seen, content: &[u8]) {
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(content.to_vec());
}

fn read_bundles(mut stream: TcpStream, seen: Seen) {
    thread::spawn(move || {
        let mut length = [0; 4];
        while stream.read_exact(&mut length).is_ok() {
            let mut content = vec![0; u32::from_be_bytes(length) as usize];
            if stream.read_exact(&mut content).is_err() {
                return;
            }
            push(&seen, &content);
        }
    });
}

/// A frame as RFC 1055 lays it on a line.
pub fn slip(content: &[u8]) -> Vec<u8> {
    let mut octets = vec![SLIP_END];
    for octet in content {
        match *octet {
            SLIP_END => octets.extend([SLIP_ESCAPE, 0xDC]),
            SLIP_ESCAPE => octets.extend([SLIP_ESCAPE, 0xDD]),
            octet => octets.push(octet),
        }
    }
    octets.push(SLIP_END);
    octets
}

fn read_slip(mut terminal: File, seen: Seen) {
    thread::spawn(move || {
        let (mut content, mut escaped, mut buffer) = (Vec::new(), false, [0; 1000]);
        while let Ok(length @ 1..) = terminal.read(&mut buffer) {
            for octet in &buffer[..length] {
                match (escaped, *octet) {
                    (false, SLIP_END) => push(&seen, &std::mem::take(&mut content)),
                    (false, SLIP_ESCAPE) => escaped = true,
                    (false, octet) => content.push(octet),
                    (true, octet) => {
                        content.push(if octet == 0xDC { SLIP_END } else { SLIP_ESCAPE });
                        escaped = false;
                    }
                }
            }
        }
    });
}

/// A capture with a frame each 100 ms, for a minute.
fn write_capture(path: &Path, side: u8) {
    let mut out = PcapNgWriter::new(File::create(path).expect("the capture can be written")).expect("a capture");
    // The writer counts in nanoseconds whatever the block says, so the block must say so.
    let options = vec![InterfaceDescriptionOption::IfTsResol(9)];
    let interface = InterfaceDescriptionBlock { linktype: DataLink::USER0, snaplen: 0, options };
    out.write_pcapng_block(interface).expect("the capture can be written");
    for count in 0..600 {
        let data = frame(side, count);
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: Duration::from_millis(100) * count,
            original_len: data.len() as u32,
            data: Cow::Owned(data),
            options: Vec::new(),
        };
        out.write_pcapng_block(block).expect("the capture can be written");
    }
}

/// What a capture holds up to now; its last block may not be whole.
pub fn read_capture(path: &Path) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let Some(mut reader) = File::open(path).ok().and_then(|file| PcapNgReader::new(file).ok()) else { return frames };
    while let Some(Ok(block)) = reader.next_block() {
        if let Block::EnhancedPacket(packet) = block {
            frames.push(packet.data.into_owned());
        }
    }
    frames
}
