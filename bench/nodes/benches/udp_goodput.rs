//! Goodput of LTP over UDP between two processes on loopback.
//!
//! `cargo bench -p farlink-nodes --bench udp_goodput` starts a sender and a receiver as processes of their own, each with an
//! engine over a port as a node has them, sends 1 GB (1e9 bytes) of red data in segments of at most 1360 bytes, LTP header
//! included, and prints a table; `bench/BENCHMARKS.md` keeps the figures. Arguments after `--`:
//!
//! - `--rate 4.0`: Gbit/s at which segments may leave, IP and UDP headers included
//! - `--unclaimed 16`: MB that may be sent before a report claims them; 0 for no limit
//! - `--offload 1`: 0 for one datagram a piece to and from the kernel
//! - `--bytes 1000000000`, `--block 16000000`, `--in-flight 2`: one case instead of the usual ones
//! - `--runs 5`
//!
//! The clock runs from the first segment until the sender has been told that the last block has arrived and has acknowledged
//! that report. The hash of what is sent is computed before; that of what arrives, block by block as it is delivered, so for
//! all blocks but the last within the time measured. Memory is each process's peak of resident memory (`VmHWM`).
#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use farlink_engine::ltp::{BUNDLE_PROTOCOL, Block, Config, Engine, Notice, PeerConfig};
use farlink_nodes::ltp_udp::{LtpOverUdp, Route, UdpLinkService};
use farlink_ports::udp::batch::{BatchOptions, BatchPort};
use farlink_ports::udp::{UdpAddress, UdpPort};
use farlink_units::{BitRate, Duration};
use nix::sys::resource::{UsageWho, getrusage};
use sha2::{Digest, Sha256};

const SENDER: u64 = 1;
const RECEIVER: u64 = 2;
const PATIENCE: Duration = Duration::from_millis(50);
const BURST: u64 = 2 << 20;

#[derive(Clone, Copy)]
struct Plan {
    bytes: u64,
    block: u64,
    in_flight: u64,
    rate_bps: u64,
    /// 0 for no limit.
    unclaimed: u64,
    offload: bool,
}

impl Plan {
    fn blocks(&self) -> u64 {
        self.bytes.div_ceil(self.block)
    }

    /// A block's bytes: they do not compress and are the same every time.
    fn content(&self, index: u64) -> Vec<u8> {
        let length = self.block.min(self.bytes - index * self.block) as usize;
        let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(index + 1);
        let mut bytes = vec![0; length];
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        let (chunks, rest) = bytes.as_chunks_mut::<8>();
        chunks.iter_mut().for_each(|chunk| *chunk = next());
        rest.copy_from_slice(&next()[..rest.len()]);
        bytes
    }
}

/// What a process tells at its end, as `name=value` words on one line.
type Told = BTreeMap<String, String>;

fn tell(words: &[(&str, String)]) {
    let words: Vec<String> = words.iter().map(|(name, value)| format!("{name}={value}")).collect();
    println!("{}", words.join(" "));
    let _ = io::stdout().flush();
}

fn read(reader: &mut impl BufRead) -> Told {
    let mut line = String::new();
    reader.read_line(&mut line).expect("the other process can be read");
    line.split_whitespace().filter_map(|w| w.split_once('=')).map(|(n, v)| (n.into(), v.into())).collect()
}

fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("the system tells of this process");
    let kib = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).and_then(|l| l.split_whitespace().next());
    kib.and_then(|k| k.parse::<u64>().ok()).expect("the system tells the peak memory") * 1024
}

fn cpu_seconds() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the system tells the time used");
    let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

/// Opens a port, tells where it is, is told where the other is, and puts an engine over it.
fn meet(engine: u64, peer: u64, plan: &Plan) -> LtpOverUdp {
    let port = UdpPort::open(UdpAddress((Ipv4Addr::LOCALHOST, 0).into())).expect("a port can be opened");
    let own = port.local_address().expect("the port has an address").0.port();
    let options =
        BatchOptions { segmentation_offload: plan.offload, receive_offload: plan.offload, ..BatchOptions::default() };
    let port = BatchPort::new(port, options).expect("the port can be batched");
    let granted = port.receive_buffer().expect("the kernel tells what it granted");
    tell(&[("port", own.to_string()), ("buffer", granted.to_string())]);
    let told = read(&mut io::stdin().lock());
    let to: SocketAddr = (Ipv4Addr::LOCALHOST, told["port"].parse().expect("a port number")).into();
    let limit = (plan.unclaimed > 0).then_some(plan.unclaimed);
    let rate = BitRate::from_bps(plan.rate_bps).expect("a rate above zero");
    let config = PeerConfig {
        segment_size: 1360,
        response_margin: Duration::from_millis(500),
        checkpoint_every: limit.map(|limit| limit / 8),
        unclaimed_limit: limit,
        ..PeerConfig::default()
    };
    let route = Route { peer, config, to, rate, burst_bytes: BURST };
    let engine = Engine::new(Config { receive_limit: 2 << 30, ..Config::new(engine, engine) });
    LtpOverUdp::new(UdpLinkService::new(engine, [route]), port)
}

fn send(plan: &Plan) {
    let mut hash = Sha256::new();
    for index in 0..plan.blocks() {
        hash.update(plan.content(index));
    }
    let mut next_content = Some(plan.content(0));
    let mut ltp = meet(SENDER, RECEIVER, plan);
    let (cpu, begun) = (cpu_seconds(), std::time::Instant::now());
    let (mut next, mut done, mut again) = (0, 0, 0);
    while done < plan.blocks() || ltp.service().is_blocked() || ltp.service().engine().open_sessions() != (0, 0, 0) {
        while next < plan.blocks() && next - done < plan.in_flight {
            let content = next_content.take().unwrap_or_else(|| plan.content(next));
            let block = Block::from(Bytes::from(content));
            let red = block.len();
            ltp.service().engine().send(RECEIVER, BUNDLE_PROTOCOL, block, red).expect("the peer is known");
            next += 1;
        }
        ltp.turn(PATIENCE).expect("the port works");
        while let Some(notice) = ltp.service().engine().poll_notice() {
            match notice {
                Notice::TransmissionCompleted { .. } => done += 1,
                Notice::Retransmitted { bytes, .. } => again += bytes,
                Notice::TransmissionCancelled { reason, .. } => panic!("cancelled: {}", reason.mnemonic()),
                _ => {}
            }
        }
    }
    // The acknowledgment of the last report is queued by now; it leaves with this turn.
    ltp.turn(Duration::ZERO).expect("the port works");
    let took = begun.elapsed().as_secs_f64();
    tell(&[
        ("seconds", took.to_string()),
        ("again", again.to_string()),
        ("segments", ltp.service().passed().segments_out.to_string()),
        ("cpu", (cpu_seconds() - cpu).to_string()),
        ("memory", peak_memory().to_string()),
        ("hash", hex(&hash.finalize())),
    ]);
}

fn receive(plan: &Plan) {
    let mut ltp = meet(RECEIVER, SENDER, plan);
    let cpu = cpu_seconds();
    let (mut hash, mut bytes, mut delivered) = (Sha256::new(), 0, 0);
    let mut early = BTreeMap::new();
    // Blocks may be completed out of order after a loss. Their sessions tell no order, so their first bytes do.
    let starts: BTreeMap<Vec<u8>, u64> = (0..plan.blocks())
        .map(|index| (Plan { bytes: plan.bytes.min(index * plan.block + 8), ..*plan }.content(index), index))
        .collect();
    while delivered < plan.blocks() || ltp.service().engine().open_sessions() != (0, 0, 0) {
        ltp.turn(PATIENCE).expect("the port works");
        while let Some(notice) = ltp.service().engine().poll_notice() {
            match notice {
                Notice::RedPart { data, .. } => {
                    let index = *starts.get(&data[..data.len().min(8)]).expect("a block that was sent");
                    early.insert(index, data);
                }
                Notice::ReceptionCancelled { reason, .. } => panic!("cancelled: {}", reason.mnemonic()),
                _ => {}
            }
        }
        // The report leaves before the client service takes its time over the block.
        if early.contains_key(&delivered) {
            ltp.turn(Duration::ZERO).expect("the port works");
        }
        while let Some(data) = early.remove(&delivered) {
            hash.update(&data);
            bytes += data.len();
            delivered += 1;
        }
    }
    tell(&[
        ("bytes", bytes.to_string()),
        ("segments", ltp.service().passed().frames_in.to_string()),
        ("cpu", (cpu_seconds() - cpu).to_string()),
        ("memory", peak_memory().to_string()),
        ("hash", hex(&hash.finalize())),
    ]);
}

struct Outcome {
    gbps: f64,
    again: f64,
    sender: (f64, f64),
    receiver: (f64, f64),
    buffer: f64,
}

/// Kills a process that is still there when the bench gives up.
struct Owned(Child);

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(plan: &Plan) -> Outcome {
    let start = |role: &str| {
        let Plan { bytes, block, in_flight, rate_bps, unclaimed, offload } = *plan;
        let numbers = [bytes, block, in_flight, rate_bps, unclaimed, offload.into()].map(|n| n.to_string());
        let program = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new(program);
        command.arg(role).args(numbers).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Owned(command.spawn().expect("a process can be started"));
        let (input, output) = (child.0.stdin.take(), child.0.stdout.take());
        (child, input.expect("piped"), BufReader::new(output.expect("piped")))
    };
    let (receiver, mut to_receiver, mut from_receiver) = start("receive");
    let (sender, mut to_sender, mut from_sender) = start("send");
    let (at_receiver, at_sender) = (read(&mut from_receiver), read(&mut from_sender));
    writeln!(to_receiver, "port={}", at_sender["port"]).expect("the receiver listens");
    writeln!(to_sender, "port={}", at_receiver["port"]).expect("the sender listens");
    let (sent, received) = (read(&mut from_sender), read(&mut from_receiver));
    drop((sender, receiver));
    let number = |told: &Told, name: &str| told.get(name).and_then(|v| v.parse::<f64>().ok()).expect("a number");
    assert_eq!(number(&received, "bytes") as u64, plan.bytes, "not all has arrived");
    assert_eq!(sent["hash"], received["hash"], "what arrived is not what was sent");
    Outcome {
        gbps: plan.bytes as f64 * 8.0 / number(&sent, "seconds") / 1e9,
        again: number(&sent, "again") / plan.bytes as f64 * 100.0,
        sender: (number(&sent, "cpu"), number(&sent, "memory") / 1e6),
        receiver: (number(&received, "cpu"), number(&received, "memory") / 1e6),
        buffer: number(&at_receiver, "buffer") / 1e6,
    }
}

fn median(outcomes: &[Outcome], of: impl Fn(&Outcome) -> f64) -> f64 {
    let mut values: Vec<f64> = outcomes.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` asks for a look, not for figures.
    if arguments.iter().any(|a| a == "--test") {
        return;
    }
    if let Some((role, numbers)) = arguments.split_first().filter(|(role, _)| *role == "send" || *role == "receive") {
        let numbers: Vec<u64> = numbers.iter().map(|n| n.parse().expect("a number")).collect();
        let [bytes, block, in_flight, rate_bps, unclaimed, offload] = numbers[..] else { panic!("six numbers") };
        let plan = Plan { bytes, block, in_flight, rate_bps, unclaimed, offload: offload != 0 };
        return if role == "send" { send(&plan) } else { receive(&plan) };
    }
    let option = |name: &str| {
        let at = arguments.iter().position(|a| a == name)?;
        Some(arguments.get(at + 1)?.parse::<f64>().unwrap_or_else(|_| panic!("{name} takes a number")))
    };
    let runs = option("--runs").unwrap_or(5.0) as usize;
    let rate_bps = (option("--rate").unwrap_or(4.0) * 1e9) as u64;
    let unclaimed = (option("--unclaimed").unwrap_or(16.0) * 1e6) as u64;
    let offload = option("--offload").unwrap_or(1.0) != 0.0;
    let bytes = option("--bytes").unwrap_or(1e9) as u64;
    let cases = match option("--block") {
        Some(block) => vec![(block as u64, option("--in-flight").unwrap_or(1.0) as u64)],
        None => vec![(bytes, 1), (bytes.div_ceil(64), 2)],
    };
    println!(
        "| blocks | Gbit/s: min | median | max | sent again | sender: CPU, peak memory | receiver: CPU, peak memory |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut buffer = 0.0;
    for (block, in_flight) in cases {
        let plan = Plan { bytes, block, in_flight, rate_bps, unclaimed, offload };
        let outcomes: Vec<Outcome> = (0..runs.max(1)).map(|_| run(&plan)).collect();
        let of = |of: fn(&Outcome) -> f64| median(&outcomes, of);
        buffer = of(|o| o.buffer);
        println!(
            "| {} × {:.1} MB, {} in flight | {:.2} | {:.2} | {:.2} | {:.3} % | {:.2} s, {:.0} MB | {:.2} s, {:.0} MB |",
            plan.blocks(),
            block as f64 / 1e6,
            in_flight,
            outcomes.iter().map(|o| o.gbps).fold(f64::INFINITY, f64::min),
            of(|o| o.gbps),
            outcomes.iter().map(|o| o.gbps).fold(0.0, f64::max),
            of(|o| o.again),
            of(|o| o.sender.0),
            of(|o| o.sender.1),
            of(|o| o.receiver.0),
            of(|o| o.receiver.1),
        );
    }
    println!();
    println!(
        "{runs} runs each, medians; at most {:.1} Gbit/s let out; receive buffer granted by the kernel {buffer:.0} MB.",
        rate_bps as f64 / 1e9
    );
}
