//! LTP over UDP by the batch (RFC 7122 §3.3): one engine, one port, any number of peers.
//!
//! [`UdpLinkService`] is the part without I/O. An event loop of any kind tells it the time and the frames that came
//! ([`handle_frames`](UdpLinkService::handle_frames), [`handle_timeout`](UdpLinkService::handle_timeout)), lets it send
//! ([`transmit`](UdpLinkService::transmit)) and asks when it is due ([`poll_timeout`](UdpLinkService::poll_timeout)).
//! [`LtpOverUdp`] is such a loop for a process that does nothing else.
//!
//! LTP controls its rate and nothing more (RFC 7122 §2), and UDP drops what a receiver has not taken in time. So each peer
//! has a rate at which segments leave, and [`PeerConfig::unclaimed_limit`] bounds what is under way: where that finds room in the
//! receiver's buffer ([`BatchOptions::receive_buffer`](farlink_ports::udp::batch::BatchOptions)), nothing is lost there.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use farlink_engine::ltp::{Engine, PeerConfig};
use farlink_engine::pacing::Pacer;
use farlink_ports::udp::batch::{BatchPort, Frame};
use farlink_units::{BitRate, Duration, Instant};
use farlink_wire::ltp::Segment;

/// Bytes that IPv4 and UDP add to a segment; they count against the rate.
pub const IP_UDP_HEADER: u64 = 28;

/// A datagram of four zero octets keeps state in the network alive and carries nothing (RFC 7122 §3.4).
const KEEP_ALIVE: [u8; 4] = [0; 4];

/// Most bytes that are taken from the engine before they are sent: what the kernel takes as one.
const BATCH: u64 = 1 << 16;

/// At slow rates segments leave one by one. At fast ones a loop that woke for each could not keep up, nor the receiver that it
/// wakes, so it sleeps this long at least if the burst makes up for it.
const SHORTEST_NAP: Duration = Duration::from_millis(1);

/// How segments reach one peer.
#[derive(Clone, Debug)]
pub struct Route {
    /// The peer's engine ID.
    pub peer: u64,
    /// How the engine treats it.
    pub config: PeerConfig,
    /// Where its port is, or that of the emulator in between.
    pub to: SocketAddr,
    /// How fast segments may leave, IP and UDP headers included.
    pub rate: BitRate,
    /// How many bytes may leave at once after a pause. At least a segment; more makes up for a loop that is held up now and
    /// then, and must find room in the receiver's buffer.
    pub burst_bytes: u64,
}

/// What has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Segments that left.
    pub segments_out: u64,
    /// Their bytes, without the headers of IP and UDP.
    pub bytes_out: u64,
    /// Datagrams that came, keep-alives not counted.
    pub frames_in: u64,
}

/// What leaves for one peer: taken from its source at a rate, and given to a port by the batch.
#[derive(Debug)]
pub(crate) struct Outbox {
    to: SocketAddr,
    /// `None` for as fast as the port takes it.
    pacer: Option<Pacer>,
    /// The longest segment that the source may hand over, with its headers.
    longest: u64,
    worthwhile: u64,
    /// Taken from the source and not yet by the port.
    segments: Vec<Bytes>,
    /// Whether the source may have more once the pacer gives room.
    held_back: bool,
}

impl Outbox {
    /// The pacer comes with its rate and burst.
    pub(crate) fn new(to: SocketAddr, pace: Option<(BitRate, u64)>, segment_size: usize) -> Self {
        let longest = segment_size.max(PeerConfig::MIN_SEGMENT_SIZE) as u64 + IP_UDP_HEADER;
        // How many bytes leave in the shortest nap: the least for which it is worth while to come back.
        let worthwhile = pace.map_or(longest, |(rate, burst_bytes)| {
            let nap = SHORTEST_NAP.as_nanos() as u128 * u128::from(rate.bps()) / 8_000_000_000;
            u64::try_from(nap).unwrap_or(u64::MAX).min(burst_bytes / 2).max(longest)
        });
        let pacer = pace.map(|(rate, burst_bytes)| Pacer::new(rate, burst_bytes));
        Outbox { to, pacer, longest, worthwhile, segments: Vec::new(), held_back: false }
    }

    /// Takes from the source what may leave now, at most a batch, unless the port has still to take what was taken before. At
    /// fast rates it takes a batch or nothing: a few segments at a time would keep the loop, and the receiver's, from ever
    /// sleeping.
    pub(crate) fn fill(&mut self, now: Instant, mut source: impl FnMut() -> Option<Bytes>) {
        if !self.segments.is_empty() {
            return;
        }
        self.held_back = true;
        let batch = BATCH.max(self.longest);
        let room = match &self.pacer {
            Some(pacer) if pacer.ready_at(self.worthwhile.min(BATCH)) > now => return,
            Some(pacer) => pacer.room(now).clamp(self.longest, batch),
            None => batch,
        };
        let mut taken = 0;
        while taken + self.longest <= room {
            let Some(segment) = source() else {
                self.held_back = false;
                break;
            };
            taken += segment.len() as u64 + IP_UDP_HEADER;
            self.segments.push(segment);
        }
        if let Some(pacer) = &mut self.pacer {
            pacer.sent(now, taken);
        }
    }

    /// Gives to a port what it takes, in order. Returns how many segments, and their bytes.
    ///
    /// # Errors
    /// What `send` returns. Nothing is lost: what it has not taken leaves next time.
    pub(crate) fn flush(
        &mut self,
        mut send: impl FnMut(SocketAddr, &[Bytes]) -> io::Result<usize>,
    ) -> io::Result<(usize, u64)> {
        if self.segments.is_empty() {
            return Ok((0, 0));
        }
        let sent = send(self.to, &self.segments)?.min(self.segments.len());
        Ok((sent, self.segments.drain(..sent).map(|s| s.len() as u64).sum()))
    }

    /// Where it leads.
    pub(crate) fn to(&self) -> SocketAddr {
        self.to
    }

    /// Whether segments wait for the port, which had no room for them.
    pub(crate) fn is_blocked(&self) -> bool {
        !self.segments.is_empty()
    }

    /// When it is worth while to come back, if the source may have more.
    pub(crate) fn ready_at(&self) -> Option<Instant> {
        self.held_back.then(|| self.pacer.map_or(Instant::ZERO, |pacer| pacer.ready_at(self.worthwhile)))
    }
}

/// An LTP engine with the paced ways to its peers, without I/O and without a clock.
#[derive(Debug)]
pub struct UdpLinkService {
    engine: Engine,
    outboxes: Vec<(u64, Outbox)>,
    passed: Passed,
}

impl UdpLinkService {
    /// Puts routes under an engine, and makes their peers known to it.
    pub fn new(mut engine: Engine, routes: impl IntoIterator<Item = Route>) -> Self {
        let outboxes = routes.into_iter().map(|route| {
            let outbox = Outbox::new(route.to, Some((route.rate, route.burst_bytes)), route.config.segment_size);
            engine.add_peer(route.peer, route.config);
            (route.peer, outbox)
        });
        let outboxes = outboxes.collect();
        UdpLinkService { engine, outboxes, passed: Passed::default() }
    }

    /// The engine, to send blocks and to take notices. Whoever gave it something to send calls
    /// [`transmit`](Self::transmit) then.
    pub fn engine(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// What has passed.
    pub fn passed(&self) -> Passed {
        self.passed
    }

    /// Takes the frames that came. Whom one is from is told by its session, else by its address, else it is the peer of the
    /// first route.
    pub fn handle_frames(&mut self, now: Instant, frames: impl IntoIterator<Item = Frame>) {
        for Frame { from, content, .. } in frames {
            if content[..] == KEEP_ALIVE {
                continue;
            }
            // An emulator in between answers from another port than it listens on.
            let session = Segment::parse(&content).ok().map(|(segment, _)| segment.session);
            let engine = session.and_then(|session| self.engine.peer_of(session));
            let by_session = self.outboxes.iter().find(|(peer, _)| Some(*peer) == engine);
            let by_address = || self.outboxes.iter().find(|(_, outbox)| outbox.to() == from);
            let Some(&(peer, _)) = by_session.or_else(by_address).or(self.outboxes.first()) else { continue };
            self.passed.frames_in += 1;
            self.engine.handle_frame(now, peer, &content);
        }
    }

    /// Lets leave what may leave now, at most a batch for each peer, through `send`, which takes segments in order and tells
    /// how many of them it has taken. Returns how many have left; there may be more.
    ///
    /// # Errors
    /// What `send` returns. Nothing is lost: what it has not taken leaves next time.
    pub fn transmit(
        &mut self,
        now: Instant,
        mut send: impl FnMut(SocketAddr, &[Bytes]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut left = 0;
        for (peer, outbox) in &mut self.outboxes {
            outbox.fill(now, || self.engine.poll_transmit(now, *peer, usize::MAX));
            let (segments, bytes) = outbox.flush(&mut send)?;
            self.passed.segments_out += segments as u64;
            self.passed.bytes_out += bytes;
            left += segments;
        }
        Ok(left)
    }

    /// Whether segments wait for the port, which had no room for them.
    pub fn is_blocked(&self) -> bool {
        self.outboxes.iter().any(|(_, outbox)| outbox.is_blocked())
    }

    /// When to come back: for [`handle_timeout`](Self::handle_timeout), or for [`transmit`](Self::transmit) because a pacer
    /// gives room again.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let paced = self.outboxes.iter().filter_map(|(_, outbox)| outbox.ready_at());
        paced.chain(self.engine.poll_timeout()).min()
    }

    /// Acts on every timer of the engine that has run out by now.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.engine.poll_timeout().is_some_and(|at| at <= now) {
            self.engine.handle_timeout(now);
        }
    }
}

/// A [`UdpLinkService`] on a port of its own, in real time.
#[derive(Debug)]
pub struct LtpOverUdp {
    service: UdpLinkService,
    port: BatchPort,
    origin: std::time::Instant,
    frames: Vec<Frame>,
}

/// How long to wait for a port that has no room.
const BLOCKED_NAP: Duration = Duration::from_millis(1);

impl LtpOverUdp {
    /// Puts a link service on a port.
    pub fn new(service: UdpLinkService, port: BatchPort) -> Self {
        LtpOverUdp { service, port, origin: std::time::Instant::now(), frames: Vec::new() }
    }

    /// The link service.
    pub fn service(&mut self) -> &mut UdpLinkService {
        &mut self.service
    }

    /// Time since it was put on its port.
    pub fn now(&self) -> Instant {
        Instant::ZERO + self.origin.elapsed().into()
    }

    /// Does what is due, sends and takes at most a batch, and waits at most `patience` if there was nothing of either.
    ///
    /// # Errors
    /// The port fails.
    pub fn turn(&mut self, patience: Duration) -> io::Result<()> {
        let now = self.now();
        self.service.handle_timeout(now);
        let port = &mut self.port;
        let sent = self.service.transmit(now, |to, segments| port.send_batch(to, segments))?;
        let received = self.port.receive_batch(&mut self.frames)?;
        if received > 0 {
            let now = self.now();
            self.service.handle_frames(now, self.frames.drain(..));
        }
        if sent + received == 0 {
            let due = self.service.poll_timeout().map_or(patience, |at| at.saturating_since(now));
            let nap = if self.service.is_blocked() { BLOCKED_NAP } else { due };
            self.port.wait(nap.min(patience).to_std())?;
        }
        Ok(())
    }
}
