//! The built-in node as a process of its own, with LTP over UDP (RFC 7122).

use std::io;
use std::net::SocketAddr;

use farlink_link::Node;
use farlink_ports::udp::{MAX_DATAGRAM, UdpPort};
use farlink_record::{ChannelId, Event};
use farlink_units::{BitRate, Duration, Instant};

use crate::builtin::BuiltinNode;

/// Longest wait without a look at what the owner wants.
const PATIENCE: Duration = Duration::from_millis(50);

/// How many frames may leave before a look at what has come in.
const BURST: usize = 32;

/// Bytes that IPv4 and UDP add to a frame; they count against the rate.
const IP_UDP_HEADER: usize = 28;

/// How frames reach one neighbour.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The channel that stands for it in the node.
    pub channel: ChannelId,
    /// Where its port is, or that of the emulator in between.
    pub to: SocketAddr,
    /// How fast frames may leave, IP and UDP headers included: LTP has no congestion control (RFC 7122 §3.3).
    pub rate: BitRate,
}

#[derive(Debug)]
struct Paced {
    route: Route,
    idle_at: Instant,
}

/// A built-in node on a UDP port, in real time.
#[derive(Debug)]
pub struct NodeOverUdp {
    node: BuiltinNode,
    port: UdpPort,
    neighbours: Vec<Paced>,
    incoming: ChannelId,
    origin: std::time::Instant,
    buffer: Vec<u8>,
}

impl NodeOverUdp {
    /// Puts a node on a port. What comes in belongs to the session that it names; what names none goes to `incoming`.
    pub fn new(node: BuiltinNode, port: UdpPort, routes: Vec<Route>, incoming: ChannelId) -> Self {
        let neighbours = routes.into_iter().map(|route| Paced { route, idle_at: Instant::ZERO }).collect();
        let buffer = vec![0; MAX_DATAGRAM];
        NodeOverUdp { node, port, neighbours, incoming, origin: std::time::Instant::now(), buffer }
    }

    /// The node.
    pub fn node(&mut self) -> &mut BuiltinNode {
        &mut self.node
    }

    /// Time since the node was put on its port.
    pub fn now(&self) -> Instant {
        Instant::ZERO + self.origin.elapsed().into()
    }

    /// Does what is due, waits a little for a frame, and takes it. Returns what the node has to tell.
    ///
    /// # Errors
    /// The port fails.
    pub fn turn(&mut self) -> io::Result<Vec<Event>> {
        let now = self.now();
        if self.node.poll_timeout().is_some_and(|at| at <= now) {
            self.node.handle_timeout(now);
        }
        let mut next = now + PATIENCE;
        for paced in &mut self.neighbours {
            let mut sent = 0;
            loop {
                if paced.idle_at > now {
                    next = next.min(paced.idle_at);
                    break;
                }
                if sent == BURST {
                    next = now;
                    break;
                }
                let Some(frame) = self.node.poll_transmit(now, paced.route.channel) else { break };
                self.port.send(&frame, paced.route.to)?;
                sent += 1;
                let bits = (frame.len() + IP_UDP_HEADER) as u64 * 8;
                // A late turn may be made up for, but not by more than one patience's worth of frames at once.
                paced.idle_at = paced.idle_at.max(now - PATIENCE) + paced.route.rate.time_for_bits(bits);
            }
        }
        if let Some(timeout) = self.node.poll_timeout() {
            next = next.min(timeout);
        }
        let wait = next.saturating_since(now);
        if let Some(length) = self.port.receive(&mut self.buffer, wait.to_std())? {
            let now = self.now();
            self.node.handle_frame(now, self.incoming, bytes::Bytes::copy_from_slice(&self.buffer[..length]));
        }
        Ok(std::iter::from_fn(|| self.node.poll_event()).collect())
    }
}
