//! A serial line at 3 Mbaud: between two pseudo-terminals, framed by SLIP (RFC 1055).

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use serde_json::{Value, json};

use crate::Options;
use crate::load::filler;
use crate::measure::{Spread, grouped, now_ns, us};
use crate::process::{Process, Scratch};
use crate::programs::NO_LIMIT;

/// Eight bits, a start and a stop bit at 3 Mbaud.
const BYTES_PER_S: u64 = 300_000;
const FRAME: usize = 1000;
const DELAY: Duration = Duration::from_secs(1);
const SPAN: Duration = Duration::from_secs(10);
/// The writer's beat; a line would give its bytes one by one.
const BEAT: Duration = Duration::from_millis(1);
const STRAGGLERS: Duration = Duration::from_secs(3);

const END: u8 = 0xc0;
const ESCAPE: u8 = 0xdb;
const ESCAPED_END: u8 = 0xdc;
const ESCAPED_ESCAPE: u8 = 0xdd;

/// A frame with its number, and every value of a byte in it, so that some need escaping.
fn frame(sequence: u64) -> Vec<u8> {
    let mut frame: Vec<u8> = (0..FRAME).map(|at| filler(at).wrapping_add(sequence as u8)).collect();
    frame[..8].copy_from_slice(&sequence.to_le_bytes());
    frame
}

fn escaped(frame: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(frame.len() + 16);
    for byte in frame {
        match *byte {
            END => line.extend([ESCAPE, ESCAPED_END]),
            ESCAPE => line.extend([ESCAPE, ESCAPED_ESCAPE]),
            byte => line.push(byte),
        }
    }
    line.push(END);
    line
}

#[derive(Default)]
struct Unescape {
    frame: Vec<u8>,
    escape: bool,
}

impl Unescape {
    /// A whole frame, if this byte ends one.
    fn take(&mut self, byte: u8) -> Option<Vec<u8>> {
        match (std::mem::take(&mut self.escape), byte) {
            (_, END) if self.frame.is_empty() => {}
            (_, END) => return Some(std::mem::take(&mut self.frame)),
            (false, ESCAPE) => self.escape = true,
            (true, ESCAPED_END) => self.frame.push(END),
            (true, ESCAPED_ESCAPE) => self.frame.push(ESCAPE),
            (_, byte) => self.frame.push(byte),
        }
        None
    }
}

fn open(path: &Path) -> Result<File, String> {
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags((OFlag::O_NOCTTY | OFlag::O_NONBLOCK).bits())
        .open(path)
        .map_err(|error| told(&error))?;
    let mut settings = tcgetattr(&file).map_err(|error| told(&error))?;
    cfmakeraw(&mut settings);
    tcsetattr(&file, SetArg::TCSANOW, &settings).map_err(|error| told(&error))?;
    Ok(file)
}

fn wait(file: &File, what: PollFlags) {
    let _ = poll(&mut [PollFd::new(file.as_fd(), what)], PollTimeout::from(20u8));
}

/// One direction, as the writer and the reader know it.
#[derive(Default)]
struct Direction {
    /// When the last byte of each frame was written, by its number.
    written: Mutex<Vec<i64>>,
    /// 0 until everything is written.
    done_ns: AtomicI64,
}

struct Written {
    bytes: u64,
    seconds: f64,
    /// Most bytes that were due and that the terminal did not take.
    behind: usize,
}

fn write(mut file: &File, direction: &Direction) -> Result<Written, String> {
    let begin = now_ns();
    let mut line: Vec<u8> = Vec::new();
    let mut ends = Vec::new();
    let (mut due, mut sequence, mut taken, mut behind) = (0, 0, 0, 0);
    loop {
        let now = now_ns();
        let over = now - begin >= SPAN.as_nanos() as i64;
        // What the line would have carried by now. The last frame goes out whole.
        if !over {
            due = ((now - begin) as f64 / 1e9 * BYTES_PER_S as f64) as usize;
        }
        while line.len() < due {
            line.extend(escaped(&frame(sequence)));
            ends.push(line.len());
            sequence += 1;
        }
        let until = if over { line.len() } else { due };
        while taken < until {
            match file.write(&line[taken..until]) {
                Ok(count) => taken += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("writing to the terminal: {error}")),
            }
        }
        let now = now_ns();
        {
            let mut written = direction.written.lock().expect("nobody panics with it");
            while ends.get(written.len()).is_some_and(|end| *end <= taken) {
                written.push(now);
            }
        }
        behind = behind.max(until - taken);
        if over && taken == line.len() {
            direction.done_ns.store(now, Ordering::Release);
            return Ok(Written { bytes: taken as u64, seconds: (now - begin) as f64 / 1e9, behind });
        }
        if now - begin > (SPAN + STRAGGLERS).as_nanos() as i64 {
            return Err(format!("the terminal took {taken} bytes of {}, and no more", line.len()));
        }
        if taken < until {
            wait(file, PollFlags::POLLOUT);
        } else {
            thread::sleep(BEAT);
        }
    }
}

#[derive(Default)]
struct Line {
    bytes: u64,
    /// From the first byte to the last.
    seconds: f64,
    whole: u64,
    damaged: u64,
    errors: Vec<i64>,
}

fn read(mut file: &File, direction: &Direction) -> Result<Line, String> {
    let mut result = Line::default();
    let (mut unescape, mut buffer, mut first) = (Unescape::default(), vec![0; 1 << 16], None);
    let give_up = now_ns() + (SPAN + DELAY + 2 * STRAGGLERS).as_nanos() as i64;
    loop {
        wait(file, PollFlags::POLLIN);
        match file.read(&mut buffer) {
            Ok(count) => {
                let now = now_ns();
                let since = *first.get_or_insert(now);
                result.bytes += count as u64;
                result.seconds = (now - since) as f64 / 1e9;
                for byte in &buffer[..count] {
                    let Some(content) = unescape.take(*byte) else { continue };
                    let sequence =
                        content.get(..8).and_then(|s| s.try_into().ok()).map_or(u64::MAX, u64::from_le_bytes);
                    if content != frame(sequence) {
                        result.damaged += 1;
                        continue;
                    }
                    result.whole += 1;
                    let written = direction.written.lock().expect("nobody panics with it");
                    // Without any delay it may be here before the writer has come to note when it was written.
                    let at = usize::try_from(sequence).ok().and_then(|sequence| written.get(sequence));
                    result.errors.extend(at.map(|at| now - at - DELAY.as_nanos() as i64));
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(format!("reading from the terminal: {error}")),
        }
        let done = direction.done_ns.load(Ordering::Acquire);
        let all = done > 0 && result.whole >= direction.written.lock().expect("nobody panics with it").len() as u64;
        let late = done > 0 && now_ns() - done > (DELAY + STRAGGLERS).as_nanos() as i64;
        if all || late || now_ns() > give_up {
            return Ok(result);
        }
    }
}

pub fn measure(options: &Options) -> Result<Value, String> {
    println!(
        "Frames of {FRAME} bytes, framed by SLIP, both ways between two pseudo-terminals; {} bytes a second offered each way (3 Mbaud, \
         8N1), {} s, 1 s delay.\n",
        grouped(BYTES_PER_S),
        SPAN.as_secs()
    );
    let folder = Scratch::new("serial")?;
    let paths = [folder.path().join("a"), folder.path().join("b")];
    let mut command = Command::new(&options.emulator);
    command.arg("emulate").args(paths.each_ref().map(|path| format!("pty:{},framing=slip", path.display())));
    command.args(["--delay", "1s", "--rate", NO_LIMIT, "--format", "json"]);
    let mut process = Process::start("emulate", command, || paths.iter().all(|path| path.exists()))?;
    let (a, b) = (open(&paths[0])?, open(&paths[1])?);
    // The emulator sees that somebody has opened them.
    thread::sleep(Duration::from_millis(500));
    let (forward, back) = (Direction::default(), Direction::default());
    let cpu = process.cpu_seconds();
    let outcomes = thread::scope(|scope| {
        let ways = [(&a, &b, &forward), (&b, &a, &back)];
        let running = ways.map(|(from, to, direction)| {
            (scope.spawn(move || write(from, direction)), scope.spawn(move || read(to, direction)))
        });
        running.map(|(writer, reader)| -> Result<_, String> {
            let (written, read) = (writer.join(), reader.join());
            let panicked = |_| "a thread of the bench panicked".to_string();
            Ok((written.map_err(panicked)??, read.map_err(panicked)??))
        })
    });
    process.check()?;
    let cores = (process.cpu_seconds() - cpu) / (SPAN + DELAY).as_secs_f64();
    println!(
        "| | written, bytes a second | most not taken | frames | lost | damaged | read, bytes a second | delay error: p50 | p99 | max | its cores |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    let mut all = serde_json::Map::new();
    let (mut lost_in_all, mut slowest) = (0, f64::INFINITY);
    for ((name, direction), outcome) in [("forward", &forward), ("return", &back)].into_iter().zip(outcomes) {
        let (written, mut read) = outcome?;
        let frames = direction.written.lock().expect("nobody panics with it").len() as u64;
        let lost = frames.saturating_sub(read.whole);
        let errors = Spread::of(&mut read.errors);
        let (offered, came) = (written.bytes as f64 / written.seconds, read.bytes as f64 / read.seconds);
        lost_in_all += lost;
        slowest = slowest.min(came);
        println!(
            "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {cores:.2} |",
            grouped(offered as u64),
            written.behind,
            grouped(frames),
            lost,
            read.damaged,
            grouped(came as u64),
            us(errors.p50),
            us(errors.p99),
            us(errors.max)
        );
        all.insert(
            name.into(),
            json!({
                "written_bytes_per_s": offered, "most_bytes_not_taken": written.behind, "frames": frames, "lost": lost,
                "damaged": read.damaged, "read_bytes_per_s": came, "delay_error": errors.json_ns(),
            }),
        );
    }
    process.stop()?;
    let met = |met: bool| if met { "met" } else { "missed" };
    // Both ends of what was read are a frame's; a hundredth is theirs.
    println!(
        "\nfarlink emulate: {lost_in_all} lost (goal: none: {}), {} bytes a second each way (goal: full rate: {})",
        met(lost_in_all == 0),
        grouped(slowest as u64),
        met(slowest >= 0.99 * BYTES_PER_S as f64)
    );
    all.insert("cores".into(), json!(cores));
    all.insert("goal".into(), json!({ "lost": 0, "bytes_per_s": BYTES_PER_S }));
    Ok(all.into())
}
