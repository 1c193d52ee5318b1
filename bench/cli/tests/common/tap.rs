//! A relay between two ports of a test that writes down what passes, for Wireshark, and can cut the line.
//!
//! Capturing on an interface needs privileges; this needs none.

use std::borrow::Cow;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use pcap_file::DataLink;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionBlock;

/// What passed: through which connection, whether from who opened it, and the octets.
#[derive(Clone, Debug)]
pub struct Passed {
    pub connection: usize,
    pub onwards: bool,
    pub octets: Vec<u8>,
}

/// The relay. It lives as long as the test.
#[derive(Clone)]
pub struct Tap {
    /// Where to send instead.
    pub port: u16,
    passed: Arc<Mutex<Vec<Passed>>>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    is_udp: bool,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tap {
    /// Passes on TCP connections. Who connects while nobody listens at `to` is hung up on.
    pub fn tcp(to: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let tap = Tap::new(listener.local_addr().expect("it is bound").port(), false);
        let (passed, open) = (Arc::clone(&tap.passed), Arc::clone(&tap.open));
        thread::spawn(move || {
            for (connection, near) in listener.incoming().enumerate() {
                let (Ok(near), Ok(far)) = (near, TcpStream::connect((Ipv4Addr::LOCALHOST, to))) else { continue };
                for (from, into, onwards) in [(&near, &far, true), (&far, &near, false)] {
                    let (from, into) = (from.try_clone().expect("a handle"), into.try_clone().expect("a handle"));
                    locked(&open).push(from.try_clone().expect("a handle"));
                    let passed = Arc::clone(&passed);
                    thread::spawn(move || pass(from, into, connection, onwards, &passed));
                }
            }
        });
        tap
    }

    /// Passes on datagrams, one way.
    pub fn udp(to: u16) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let tap = Tap::new(socket.local_addr().expect("it is bound").port(), true);
        let passed = Arc::clone(&tap.passed);
        thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(length) = socket.recv(&mut buffer) {
                let octets = buffer[..length].to_vec();
                locked(&passed).push(Passed { connection: 0, onwards: true, octets: octets.clone() });
                // Refused when nobody listens: lost, as datagrams are.
                let _ = socket.send_to(&octets, (Ipv4Addr::LOCALHOST, to));
            }
        });
        tap
    }

    fn new(port: u16, is_udp: bool) -> Self {
        Tap { port, passed: Arc::default(), open: Arc::default(), is_udp }
    }

    /// What has passed up to now.
    pub fn passed(&self) -> Vec<Passed> {
        locked(&self.passed).clone()
    }

    /// How many octets went from who opened connections.
    pub fn onward_octets(&self) -> usize {
        locked(&self.passed).iter().filter(|p| p.onwards).map(|p| p.octets.len()).sum()
    }

    /// Breaks every connection.
    pub fn cut(&self) {
        for stream in locked(&self.open).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// What has passed, with this as the port that was connected or sent to.
    pub fn capture(&self, path: &Path, port: u16) {
        let mut capture = Capture::create(path);
        match self.is_udp {
            true => self.passed().iter().for_each(|one| capture.datagram(port, &one.octets)),
            false => capture.streams(port, &self.passed()),
        }
    }
}

fn pass(mut from: TcpStream, mut into: TcpStream, connection: usize, onwards: bool, passed: &Mutex<Vec<Passed>>) {
    let mut buffer = [0; 16_384];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        locked(passed).push(Passed { connection, onwards, octets: buffer[..length].to_vec() });
        if into.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = into.shutdown(Shutdown::Write);
}

/// A capture of IPv4 packets between two made-up hosts.
pub struct Capture {
    out: PcapNgWriter<std::fs::File>,
    packets: u64,
}

/// The address of who opens connections, and of who listens.
pub const NEAR: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
pub const FAR: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);
const SYN: u8 = 2;
const ACK: u8 = 16;

impl Capture {
    pub fn create(path: &Path) -> Self {
        let file = std::fs::File::create(path).expect("the capture can be written");
        let mut out = PcapNgWriter::new(file).expect("the capture can be written");
        let interface = InterfaceDescriptionBlock { linktype: DataLink::RAW, snaplen: 0, options: Vec::new() };
        out.write_pcapng_block(interface).expect("the capture can be written");
        Capture { out, packets: 0 }
    }

    /// A datagram to a port.
    pub fn datagram(&mut self, port: u16, octets: &[u8]) {
        let length = 8 + octets.len() as u16;
        let mut udp = [&40_000u16.to_be_bytes()[..], &port.to_be_bytes(), &length.to_be_bytes(), &[0, 0]].concat();
        udp.extend(octets);
        // A checksum of zero: none was taken, as RFC 768 allows.
        self.packet(17, true, &udp);
    }

    /// Connections to a port, each from its first packet on.
    pub fn streams(&mut self, port: u16, passed: &[Passed]) {
        let mut next: Vec<Option<[u32; 2]>> = Vec::new();
        for one in passed {
            if next.len() <= one.connection {
                next.resize(one.connection + 1, None);
            }
            if next[one.connection].is_none() {
                self.segment(port, one.connection, true, SYN, [0, 0], &[]);
                self.segment(port, one.connection, false, SYN | ACK, [0, 1], &[]);
                self.segment(port, one.connection, true, ACK, [1, 1], &[]);
            }
            let [near, far] = next[one.connection].unwrap_or([1, 1]);
            let numbers = if one.onwards { [near, far] } else { [far, near] };
            self.segment(port, one.connection, one.onwards, ACK | 8, numbers, &one.octets);
            let length = one.octets.len() as u32;
            next[one.connection] = Some(if one.onwards { [near + length, far] } else { [near, far + length] });
        }
    }

    fn segment(&mut self, port: u16, connection: usize, onwards: bool, flags: u8, numbers: [u32; 2], octets: &[u8]) {
        let near = 40_000 + connection as u16;
        let (from, to) = if onwards { (near, port) } else { (port, near) };
        let mut tcp = [from.to_be_bytes(), to.to_be_bytes()].concat();
        numbers.iter().for_each(|number| tcp.extend(number.to_be_bytes()));
        tcp.extend([0x50, flags, 0xFF, 0xFF, 0, 0, 0, 0]);
        tcp.extend(octets);
        self.packet(6, onwards, &tcp);
    }

    fn packet(&mut self, protocol: u8, onwards: bool, content: &[u8]) {
        let length = 20 + content.len() as u16;
        let (from, to) = if onwards { (NEAR, FAR) } else { (FAR, NEAR) };
        let mut packet = vec![0x45, 0];
        packet.extend(length.to_be_bytes());
        packet.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
        packet.extend([from.octets(), to.octets()].concat());
        packet.extend(content);
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: Duration::from_millis(self.packets),
            original_len: u32::from(length),
            data: Cow::Owned(packet),
            options: Vec::new(),
        };
        self.out.write_pcapng_block(block).expect("the capture can be written");
        self.packets += 1;
    }
}

/// The packets of a capture that Wireshark's filter takes, as the lines of tshark.
pub fn tshark(capture: &Path, arguments: &[&str]) -> Vec<String> {
    let mut command = std::process::Command::new("tshark");
    let (code, stdout, stderr) = super::finish(command.arg("-r").arg(capture).args(arguments));
    assert_eq!(code, 0, "{stderr}");
    stdout.lines().map(str::to_owned).collect()
}

/// What Wireshark finds in a capture, one field.
pub fn field(capture: &Path, decode: &[&str], filter: &str, field: &str) -> Vec<String> {
    let lines = tshark(capture, &[decode, &["-Y", filter, "-T", "fields", "-e", field]].concat());
    // A packet may hold several messages.
    lines.iter().flat_map(|line| line.split(',')).map(str::to_owned).collect()
}

/// Fails if a dissector objects to anything.
pub fn assert_sound(capture: &Path, decode: &[&str]) {
    assert_eq!(objections(capture, decode), Vec::<String>::new());
}

/// What dissectors object to: source address, packet and message. 0x800000 is the severity "error" of Wireshark's expert information.
pub fn objections(capture: &Path, decode: &[&str]) -> Vec<String> {
    let wrong = "_ws.malformed || _ws.expert.severity >= 0x800000 || bpv7.block_failed_crc || bpv7.crc_status == 0";
    let columns = ["-Y", wrong, "-T", "fields", "-e", "ip.src", "-e", "_ws.col.Info", "-e", "_ws.expert.message"];
    tshark(capture, &[decode, &columns].concat())
}
