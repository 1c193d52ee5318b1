//! Two processes, coupled by the emulator over UDP.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use farlink_record::results::Verdict;

use super::{Emulator, Scratch, Watched};
use crate::bound::Floors;
use crate::pair::{Given, Pair};
use crate::plan::{ProcessPoint, path};
use crate::run::Repetition;

/// The floors for processes of which nobody knows how they cut what they send: a single block, and of that only what every LTP needs.
pub(crate) fn floors(pair: &Pair) -> Floors {
    let Given::Amount(amount) = pair.given else { unreachable!("processes are given an amount") };
    let mut floors = path(pair).floors(&[amount], amount);
    // It may ask for reports within a block, so that rounds overlap with what is sent for the first time.
    floors.last_block_s = 0.0;
    floors
}

pub(crate) fn run(point: &ProcessPoint, seed: u64, farlink: &Path, stop: &AtomicBool) -> Repetition {
    match attempt(point, seed, farlink, stop) {
        Ok(repetition) => repetition,
        Err((verdict, why)) => Repetition::refused(verdict, why),
    }
}

/// A port that nobody has. Somebody may take it before it is used; then the run fails and says so.
fn free_port() -> Result<u16, String> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
    socket.map(|address| address.port()).map_err(|error| format!("no UDP port is free: {error}"))
}

/// Octets that no compression makes shorter.
fn payload(bytes: u64, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut octets = Vec::with_capacity(bytes as usize + 8);
    while (octets.len() as u64) < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        octets.extend(state.to_le_bytes());
    }
    octets.truncate(bytes as usize);
    octets
}

fn attempt(
    point: &ProcessPoint,
    seed: u64,
    farlink: &Path,
    stop: &AtomicBool,
) -> Result<Repetition, (Verdict, String)> {
    let broken = |why: String| (Verdict::BenchError, why);
    let ProcessPoint { pair, sweep } = point;
    let scratch = Scratch::new(seed).map_err(|error| broken(format!("no folder for the run: {error}")))?;
    let (inbox, file) = (scratch.path().join("inbox"), scratch.path().join("payload"));
    let content = payload(sweep.amount.bytes(), seed);
    let made = std::fs::create_dir(&inbox).and_then(|()| std::fs::write(&file, &content));
    made.map_err(|error| broken(format!("no files for the run: {error}")))?;
    // The sender's own port and that of the emulator towards it, and likewise for the receiver.
    let mut ports = [0; 4];
    for port in &mut ports {
        *port = free_port().map_err(broken)?;
    }
    let [sender_port, out_port, receiver_port, back_port] = ports;
    let (out, back) = (pair.rate.bps(), pair.rate_back.bps());
    let words = [
        format!("--forward=udp:{out_port}=127.0.0.1:{receiver_port}"),
        format!("--return=udp:{back_port}=127.0.0.1:{sender_port}"),
        format!("--delay={}s", pair.light_time.as_secs_f64()),
        format!("--rate={out}bit/s,{back}bit/s"),
        format!("--ber={}", pair.ber),
        // A node that does not pace itself may hand over everything at once.
        "--queue=1GiB".to_owned(),
        format!("--seed={}", seed >> 1),
        format!("--tolerance={}s", sweep.tolerance.as_secs_f64()),
    ];
    let emulator = Emulator::start(farlink, &words, scratch.path()).map_err(broken)?;
    let fill = |words: &[String], port: u16, peer_port: u16, rate: u64| {
        let filled = words.iter().map(|word| {
            [
                ("{farlink}", farlink.display().to_string()),
                ("{payload}", file.display().to_string()),
                ("{inbox}", inbox.display().to_string()),
                ("{port}", port.to_string()),
                ("{peer_port}", peer_port.to_string()),
                ("{light_time_s}", pair.light_time.as_secs_f64().to_string()),
                ("{rate_bps}", rate.to_string()),
                ("{segment_bytes}", pair.segment_bytes.to_string()),
            ]
            .iter()
            .fold(word.clone(), |word, (name, value)| word.replace(name, value))
        });
        let filled: Vec<String> = filled.collect();
        let mut command = Command::new(&filled[0]);
        command.args(&filled[1..]).stdout(Stdio::null());
        command
    };
    let mut receiver =
        Watched::start(&mut fill(&sweep.receiver, receiver_port, back_port, back), "the receiver").map_err(broken)?;
    super::wait_until("a socket of the receiver", stop, || is_bound(receiver_port)).map_err(broken)?;
    let begun = Instant::now();
    let mut sender =
        Watched::start(&mut fill(&sweep.sender, sender_port, out_port, out), "the sender").map_err(broken)?;
    let deadline = sweep.deadline.to_std();
    let completed = loop {
        sender.look();
        if let Some(code) = receiver.ended() {
            break (code, begun.elapsed());
        }
        if begun.elapsed() > deadline || stop.load(std::sync::atomic::Ordering::Relaxed) {
            let what = format!("the receiver had not ended after {} s", deadline.as_secs_f64());
            return Err((Verdict::Timeout, what));
        }
        std::thread::sleep(super::EVERY);
    };
    let (code, completion) = completed;
    let results = emulator.finish()?;
    if code != 0 {
        return Err((Verdict::Fail, format!("the receiver ended with {code}")));
    }
    if !holds(&inbox, &content) {
        return Err((Verdict::Fail, "what was sent is not among what the receiver has, octet by octet".to_owned()));
    }
    let sent: u64 = results.channels.iter().map(|channel| channel.sent.bits).sum();
    let bits = content.len() as f64 * 8.0;
    let completion_s = completion.as_secs_f64();
    let figures = vec![
        ("completion_s", completion_s),
        ("goodput_bps", bits / completion_s),
        ("bits_per_bit", sent as f64 / bits),
        ("sender_processor_s", sender.processor_s),
        ("sender_memory_max_bytes", sender.memory_max_bytes as f64),
        ("receiver_processor_s", receiver.processor_s),
        ("receiver_memory_max_bytes", receiver.memory_max_bytes as f64),
        ("emulator_late_p99_s", results.timing.map_or(0.0, |timing| timing.p99_ns as f64 / 1e9)),
    ];
    Ok(Repetition { figures, ..Repetition::default() })
}

/// Whether a process has this UDP port, by the system's own table.
fn is_bound(port: u16) -> bool {
    let hex = format!(":{port:04X} ");
    ["/proc/net/udp", "/proc/net/udp6"].iter().any(|table| {
        let lines = std::fs::read_to_string(table).unwrap_or_default();
        lines
            .lines()
            .any(|line| line.split_once(": ").is_some_and(|(_, rest)| rest.find(&hex).is_some_and(|at| at < 40)))
    })
}

/// Whether a file of a folder has this content.
fn holds(folder: &Path, content: &[u8]) -> bool {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.into_iter().any(|entry| std::fs::read(entry.path()).is_ok_and(|octets| octets == content))
}
