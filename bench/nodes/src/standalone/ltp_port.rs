//! LTP over one UDP port (RFC 7122).

use std::net::{SocketAddr, UdpSocket};

use bytes::Bytes;
use farlink_engine::pacing::Pacer;
use farlink_link::Node;
use farlink_ports::udp::batch::{BatchOptions, BatchPort, Frame};
use farlink_ports::udp::{UdpAddress, UdpPort};
use farlink_units::{BitRate, Instant};

use super::setup::{LtpRoute, LtpSetup, RunError, StartError};
use crate::builtin::BuiltinNode;

/// Frames that leave in one go, before a look at what has come in.
const BURST: usize = 128;

/// Batches that are taken in one go, before a look at what is to be answered.
const BATCHES: usize = 16;

/// Bytes that IPv4 and UDP add to a frame; they count against the rate.
const IP_UDP_HEADER: u64 = 28;

#[derive(Debug)]
struct Route {
    told: LtpRoute,
    pacer: Option<Pacer>,
    /// Frames that the system has not taken yet.
    waiting: Vec<Bytes>,
}

#[derive(Debug)]
pub(super) struct LtpPort {
    port: BatchPort,
    routes: Vec<Route>,
    frames: Vec<Frame>,
    /// Whether something may wait in the socket.
    pub(super) has_more: bool,
}

impl LtpPort {
    pub(super) fn open(setup: LtpSetup) -> Result<Self, StartError> {
        let port = BatchPort::new(UdpPort::open(setup.listen)?, BatchOptions::default())?;
        let route = |told: LtpRoute| Route { told, pacer: told.rate.map(pacer), waiting: Vec::with_capacity(BURST) };
        let routes = setup.routes.into_iter().map(route).collect();
        Ok(LtpPort { port, routes, frames: Vec::new(), has_more: true })
    }

    pub(super) fn socket(&self) -> &UdpSocket {
        self.port.socket()
    }

    pub(super) fn address(&self) -> Option<UdpAddress> {
        self.port.socket().local_addr().ok().map(UdpAddress)
    }

    fn failed(&self, source: std::io::Error) -> RunError {
        RunError::Port { port: self.address().map_or_else(String::new, |a| a.to_string()), source }
    }

    /// Sends what may leave; returns when to look again.
    pub(super) fn send(&mut self, now: Instant, node: &mut BuiltinNode) -> Result<Instant, RunError> {
        let mut next = Instant::MAX;
        for route in &mut self.routes {
            while route.waiting.len() < BURST {
                if let Some(pacer) = route.pacer.filter(|p| p.room(now) == 0) {
                    next = next.min(pacer.ready_at(1));
                    break;
                }
                let Some(frame) = node.poll_transmit(now, route.told.channel) else { break };
                if let Some(pacer) = &mut route.pacer {
                    pacer.sent(now, frame.len() as u64 + IP_UDP_HEADER);
                }
                route.waiting.push(frame);
            }
            if route.waiting.len() >= BURST {
                next = now;
            }
            if !route.waiting.is_empty() {
                match self.port.send_batch(route.told.to, &route.waiting) {
                    Ok(sent) => drop(route.waiting.drain(..sent)),
                    Err(source) => {
                        let port = route.told.to.to_string();
                        return Err(RunError::Port { port: format!("sending to udp:{port}"), source });
                    }
                }
                if !route.waiting.is_empty() {
                    // The socket's buffer is full; it drains in microseconds.
                    next = now;
                }
            }
        }
        Ok(next)
    }

    /// Takes what has come in.
    pub(super) fn receive(&mut self, now: Instant, node: &mut BuiltinNode) -> Result<(), RunError> {
        for _ in 0..BATCHES {
            if !self.has_more {
                break;
            }
            let taken = self.port.receive_batch(&mut self.frames).map_err(|source| self.failed(source))?;
            self.has_more = taken > 0;
            for frame in self.frames.drain(..) {
                let by_address = channel_of(&self.routes, frame.from);
                if let Some(channel) = node.channel_of(&frame.content, by_address) {
                    node.handle_frame(now, channel, frame.content);
                }
            }
        }
        Ok(())
    }
}

/// What a late turn may make up for is as much as leaves in a twentieth of a second, within what sockets hold.
pub(super) fn pacer(rate: BitRate) -> Pacer {
    Pacer::new(rate, (rate.bps() / 160).clamp(1 << 16, 1 << 20))
}

/// The channel towards whom is at this address.
fn channel_of(routes: &[Route], from: SocketAddr) -> Option<farlink_record::ChannelId> {
    routes.iter().find(|r| r.told.to == from).map(|r| r.told.channel)
}
