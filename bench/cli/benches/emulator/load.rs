//! The load: datagrams sent at a steady rate, and received.
//!
//! One thread sends for all flows, one receives. The sender wakes at a fixed beat, sends what is due since then in one call, and
//! tells how late it was itself: with `sendmmsg`, each datagram by itself as most programs send, or with segmentation offload,
//! which costs the sender and whoever can receive such runs much less. The receiver takes many at once (`recvmmsg`, receive
//! offload), with the kernel's stamp of each.

use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, sendmmsg, sendmsg, setsockopt, sockopt};
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};

use crate::measure::{Spread, now_ns, wall_ahead_ns};

/// The sender's beat: it wakes no more often than this, and sends what has become due.
const BEAT_NS: i64 = 100_000;

/// A sender that is this late leaves out what it should have sent rather than send it all at once; the time left out is told.
const GIVE_UP_NS: i64 = 2_000_000;

/// Most datagrams of one flow in one call.
const BURST: usize = 64;

/// Most bytes in one call with segmentation offload: the longest that UDP over IPv4 carries.
const LONGEST: usize = 65_507;

/// What the system is asked to keep at a receiver, its own overhead included.
const RECEIVE_BUFFER: usize = 64 << 20;

/// Buffers of one receive call, and their size: the longest run of datagrams that the kernel joins.
const BUFFERS: usize = 32;
const BUFFER: usize = 1 << 16;

/// After the last datagram is due, the receiver waits for stragglers until none has come for so long …
const QUIET_NS: i64 = 400_000_000;
/// … but no longer than this.
const STRAGGLERS_NS: i64 = 5_000_000_000;

/// Flow, sequence number, time of sending, check of these.
pub const HEADER: usize = 24;

fn check(header: &[u8]) -> u32 {
    // FNV-1a: enough to tell a header that bit errors have hit.
    header.iter().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

fn write_header(datagram: &mut [u8], flow: u32, sequence: u64, at_ns: i64) {
    datagram[0..4].copy_from_slice(&flow.to_le_bytes());
    datagram[4..12].copy_from_slice(&sequence.to_le_bytes());
    datagram[12..20].copy_from_slice(&at_ns.to_le_bytes());
    let sum = check(&datagram[..20]);
    datagram[20..24].copy_from_slice(&sum.to_le_bytes());
}

/// Flow, sequence number and time of sending; `None` if it is not what [`write_header`] wrote.
pub fn read_header(datagram: &[u8]) -> Option<(u32, u64, i64)> {
    let header = datagram.get(..HEADER)?;
    let word = |from: usize| header[from..from + 4].try_into().map(u32::from_le_bytes).ok();
    let long = |from: usize| header[from..from + 8].try_into().map(u64::from_le_bytes).ok();
    (word(20)? == check(&header[..20])).then_some(())?;
    Some((word(0)?, long(4)?, long(12)? as i64))
}

/// What every datagram holds behind its header.
pub fn filler(at: usize) -> u8 {
    (at as u8).wrapping_mul(167).wrapping_add(13)
}

/// From where to where, how often.
pub struct Flow {
    pub from: UdpSocket,
    pub to: SocketAddrV4,
    pub rate: u64,
}

/// What is sent, and how long.
pub struct Load {
    pub flows: Vec<Flow>,
    /// Bytes of each datagram.
    pub size: usize,
    pub span: Duration,
    /// What the receiver expects between sending and arrival; it waits for the last of the datagrams so much longer.
    pub delay: Duration,
    /// How datagrams that are due at the same time are handed to the system.
    pub sending: Sending,
    /// The receiver lets so much time pass before it looks again, so that it takes many at once. The kernel's stamps do not
    /// mind; what the receiver reads late is late.
    pub rest: Duration,
}

/// How datagrams that are due at the same time are handed to the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sending {
    /// Each by itself, many in a call.
    #[default]
    Single,
    /// As one buffer that the system cuts (GSO).
    Offloaded,
}

/// What the sender keeps from one call to the next.
struct Hands {
    sending: Sending,
    headers: MultiHeaders<SockaddrIn>,
}

impl Hands {
    /// Sends the datagrams in order and returns how many the system took.
    fn send(&mut self, flow: &Flow, datagrams: &[Vec<u8>]) -> Result<usize, Errno> {
        let (fd, to) = (flow.from.as_raw_fd(), SockaddrIn::from(flow.to));
        if self.sending == Sending::Offloaded && datagrams.len() > 1 {
            let most = (LONGEST / datagrams[0].len()).max(1);
            let run = &datagrams[..datagrams.len().min(most)];
            let gathered: Vec<IoSlice<'_>> = run.iter().map(|d| IoSlice::new(d)).collect();
            let length = run[0].len() as u16;
            let cut = [ControlMessage::UdpGsoSegments(&length)];
            return sendmsg(fd, &gathered, &cut, MsgFlags::empty(), Some(&to)).map(|_| run.len());
        }
        let slices: Vec<[IoSlice<'_>; 1]> = datagrams.iter().map(|d| [IoSlice::new(d)]).collect();
        let to = vec![Some(to); datagrams.len()];
        Ok(sendmmsg(fd, &mut self.headers, &slices, to, [], MsgFlags::empty())?.count())
    }
}

/// What the sender tells of itself.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// Datagrams of each flow that the system took.
    pub datagrams: Vec<u64>,
    /// How long it took in all, in seconds.
    pub seconds: f64,
    /// How much later than its schedule it sent, in nanoseconds.
    pub lateness: Spread,
    /// How much of its schedule it left out since it was late, over all flows, in seconds of one flow.
    pub left_out_s: f64,
}

impl Sent {
    pub fn total(&self) -> u64 {
        self.datagrams.iter().sum()
    }

    /// Datagrams a second as they really were sent.
    pub fn rate(&self) -> f64 {
        self.total() as f64 / self.seconds
    }
}

/// A datagram that has come in. Times are of the monotonic clock.
pub struct Arrival<'a> {
    /// When the kernel had it.
    pub stamped_ns: i64,
    /// When the receiver had read it.
    pub read_ns: i64,
    pub content: &'a [u8],
}

/// A socket on loopback with room for a long burst.
pub fn socket(port: u16) -> Result<UdpSocket, String> {
    let socket = UdpSocket::bind(("127.0.0.1", port)).map_err(|error| format!("UDP port {port}: {error}"))?;
    socket.set_nonblocking(true).map_err(|error| error.to_string())?;
    // Without the privilege to force it, the most that everybody gets.
    if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
        setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER).map_err(|error| error.to_string())?;
    }
    Ok(socket)
}

/// Where a socket of this bench is.
pub fn address(socket: &UdpSocket) -> SocketAddrV4 {
    match socket.local_addr() {
        Ok(SocketAddr::V4(address)) => address,
        _ => panic!("a socket of this bench is bound on IPv4 loopback"),
    }
}

/// Sends the load and hands each datagram that comes in at the `receivers` to `take`, until all have come or are not to come.
pub fn run(load: &Load, receivers: &[UdpSocket], mut take: impl FnMut(&Arrival<'_>) + Send) -> Result<Sent, String> {
    let progress = Progress::default();
    thread::scope(|scope| {
        let receiver = scope.spawn(|| receive(receivers, load, &progress, &mut take));
        let sent = send(load, &progress);
        if sent.is_err() {
            progress.abandoned.store(true, Ordering::Relaxed);
        }
        receiver.join().map_err(|_| "the receiver panicked".to_string())??;
        sent
    })
}

/// What the receiver knows of the sender.
#[derive(Default)]
struct Progress {
    /// 0 until the sender has sent everything.
    done_ns: AtomicI64,
    total: AtomicU64,
    abandoned: AtomicBool,
}

fn send(load: &Load, progress: &Progress) -> Result<Sent, String> {
    struct State {
        next: i64,
        period: f64,
        /// Of the schedule: datagrams sent or left out.
        scheduled: u64,
        sent: u64,
        begin: i64,
    }
    // Sleeps end when they should rather than when it suits the system.
    nix::sys::prctl::set_timerslack(1).map_err(|error| error.to_string())?;
    let begin = now_ns() + 10_000_000;
    let end = begin + load.span.as_nanos() as i64;
    let count = load.flows.len() as i64;
    let mut states: Vec<State> = load
        .flows
        .iter()
        .enumerate()
        .map(|(index, flow)| {
            let period = 1e9 / flow.rate as f64;
            // Flows take turns, so that they do not all send at one instant.
            let begin = begin + (period as i64) * index as i64 / count;
            State { next: begin, period, scheduled: 0, sent: 0, begin }
        })
        .collect();
    let mut datagrams = vec![vec![0u8; load.size]; BURST];
    for datagram in &mut datagrams {
        datagram.iter_mut().enumerate().for_each(|(at, byte)| *byte = filler(at));
    }
    let mut hands = Hands { sending: load.sending, headers: MultiHeaders::preallocate(BURST, None) };
    let expected: u64 = load.flows.iter().map(|f| f.rate).sum::<u64>() * load.span.as_secs().max(1);
    let mut lateness = Vec::with_capacity(expected.min(1 << 23) as usize);
    let mut left_out_s = 0.0;
    let mut beat = begin;
    loop {
        sleep_until(beat);
        for (index, (flow, state)) in load.flows.iter().zip(&mut states).enumerate() {
            loop {
                let now = now_ns();
                if state.next > now || state.next >= end {
                    break;
                }
                if now - state.next > GIVE_UP_NS {
                    let skipped = ((now - state.next) as f64 / state.period) as u64;
                    state.scheduled += skipped;
                    left_out_s += skipped as f64 * state.period / 1e9;
                    state.next = state.begin + (state.scheduled as f64 * state.period) as i64;
                    continue;
                }
                let due = ((now - state.next) as f64 / state.period) as usize + 1;
                let due = due.min(BURST);
                let stamp = now_ns();
                for (datagram, sequence) in datagrams.iter_mut().zip(state.sent..).take(due) {
                    write_header(datagram, index as u32, sequence, stamp);
                }
                let taken = match hands.send(flow, &datagrams[..due]) {
                    Ok(taken) => taken,
                    // The system has no room now, or tells that nobody listened to an earlier one.
                    Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::ECONNREFUSED | Errno::EINTR) => 0,
                    Err(error) => return Err(format!("cannot send to {}: {error}", flow.to)),
                };
                for offset in 0..taken {
                    if lateness.len() < lateness.capacity() {
                        lateness.push(stamp - state.next - (offset as f64 * state.period) as i64);
                    }
                }
                state.sent += taken as u64;
                state.scheduled += taken as u64;
                state.next = state.begin + (state.scheduled as f64 * state.period) as i64;
                if taken < due {
                    break;
                }
            }
        }
        let next = states.iter().map(|s| s.next).min().unwrap_or(end);
        if next >= end || progress.abandoned.load(Ordering::Relaxed) {
            break;
        }
        beat = next.max(beat + BEAT_NS);
    }
    let seconds = (now_ns() - begin) as f64 / 1e9;
    let sent: Vec<u64> = states.iter().map(|s| s.sent).collect();
    progress.total.store(sent.iter().sum(), Ordering::Relaxed);
    progress.done_ns.store(now_ns(), Ordering::Release);
    Ok(Sent { datagrams: sent, seconds, lateness: Spread::of(&mut lateness), left_out_s })
}

fn sleep_until(at_ns: i64) {
    if let Ok(span) = u64::try_from(at_ns - now_ns()) {
        thread::sleep(Duration::from_nanos(span));
    }
}

fn receive(
    sockets: &[UdpSocket],
    load: &Load,
    progress: &Progress,
    take: &mut (impl FnMut(&Arrival<'_>) + Send),
) -> Result<(), String> {
    let states: Result<Vec<_>, _> = sockets.iter().map(|s| UdpSocketState::new(UdpSockRef::from(s))).collect();
    let states = states.map_err(|error| format!("the receiver's socket: {error}"))?;
    let mut buffers = vec![vec![0u8; BUFFER]; BUFFERS];
    let (mut received, mut last) = (0, now_ns());
    while !progress.abandoned.load(Ordering::Relaxed) {
        let mut watched: Vec<PollFd<'_>> = sockets.iter().map(|s| PollFd::new(s.as_fd(), PollFlags::POLLIN)).collect();
        match poll(&mut watched, PollTimeout::from(50u8)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(format!("the receiver cannot wait: {error}")),
        }
        let ready: Vec<bool> = watched.iter().map(|w| w.any().unwrap_or(false)).collect();
        let mut more = false;
        for ((socket, state), _) in sockets.iter().zip(&states).zip(ready).filter(|(_, ready)| *ready) {
            let mut metas = [RecvMeta::default(); BUFFERS];
            let count = read(socket, state, &mut buffers, &mut metas)?;
            let (read_ns, ahead) = (now_ns(), wall_ahead_ns());
            for (meta, buffer) in metas.iter().zip(&buffers).take(count) {
                let Some(stamp) = meta.timestamp else {
                    return Err("the system does not stamp what arrives (SO_TIMESTAMPNS)".into());
                };
                let stamped_ns = stamp.as_nanos() as i64 - ahead;
                for content in buffer[..meta.len].chunks(meta.stride.max(1)) {
                    received += 1;
                    last = read_ns;
                    take(&Arrival { stamped_ns, read_ns, content });
                }
            }
            more |= count == BUFFERS;
        }
        let done = progress.done_ns.load(Ordering::Acquire);
        if done > 0 {
            let (now, due) = (now_ns(), done + load.delay.as_nanos() as i64);
            let all = received >= progress.total.load(Ordering::Relaxed);
            if all || now - last.max(due) > QUIET_NS || now > due + STRAGGLERS_NS {
                break;
            }
        }
        if !more && !load.rest.is_zero() {
            thread::sleep(load.rest);
        }
    }
    Ok(())
}

/// How many buffers the system has filled.
fn read(
    socket: &UdpSocket,
    state: &UdpSocketState,
    buffers: &mut [Vec<u8>],
    metas: &mut [RecvMeta],
) -> Result<usize, String> {
    let mut slices: Vec<IoSliceMut<'_>> = buffers.iter_mut().map(|b| IoSliceMut::new(b)).collect();
    match state.recv(UdpSockRef::from(socket), &mut slices, metas) {
        Ok(count) => Ok(count),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionRefused => Ok(0),
            _ => Err(format!("the receiver cannot read: {error}")),
        },
    }
}
