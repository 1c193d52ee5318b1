//! LTP over one UDP port (RFC 7122).

use std::net::{SocketAddr, UdpSocket};

use farlink_engine::pacing::Pacer;
use farlink_link::Node;
use farlink_ports::udp::batch::{BatchOptions, BatchPort, Frame};
use farlink_ports::udp::{UdpAddress, UdpPort};
use farlink_record::ChannelId;
use farlink_units::{BitRate, Instant};

use super::setup::{LtpRoute, LtpSetup, RunError, StartError};
use crate::builtin::BuiltinNode;
use crate::ltp_udp::Outbox;

/// Batches that leave, or are taken, in one go, before a look at the other direction.
const BATCHES: usize = 16;

#[derive(Debug)]
struct Route {
    channel: ChannelId,
    outbox: Outbox,
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
    /// Opens the port, with the segment size of each channel.
    pub(super) fn open(setup: LtpSetup, segment_size: impl Fn(ChannelId) -> usize) -> Result<Self, StartError> {
        let port = BatchPort::new(UdpPort::open(setup.listen)?, BatchOptions::default())?;
        let route = |told: LtpRoute| {
            let pace = told.rate.map(|rate| (rate, burst(rate)));
            Route { channel: told.channel, outbox: Outbox::new(told.to, pace, segment_size(told.channel)) }
        };
        let routes = setup.routes.into_iter().map(route).collect();
        Ok(LtpPort { port, routes, frames: Vec::new(), has_more: true })
    }

    /// Bytes that the kernel keeps of what has come in, its own overhead included.
    pub(super) fn receive_buffer(&self) -> Option<u64> {
        self.port.receive_buffer().ok().map(|bytes| bytes as u64)
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
        for Route { channel, outbox } in &mut self.routes {
            for _ in 0..BATCHES {
                outbox.fill(now, || node.poll_transmit(now, *channel));
                if let Err(source) = outbox.flush(|to, frames| self.port.send_batch(to, frames)) {
                    return Err(RunError::Port { port: format!("sending to udp:{}", outbox.to()), source });
                }
                if outbox.is_blocked() || outbox.ready_at().is_none_or(|at| at > now) {
                    break;
                }
            }
            // Where the socket's buffer is full it drains in microseconds.
            let ready = if outbox.is_blocked() { Some(now) } else { outbox.ready_at() };
            next = next.min(ready.unwrap_or(Instant::MAX));
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
fn burst(rate: BitRate) -> u64 {
    (rate.bps() / 160).clamp(1 << 16, 1 << 20)
}

pub(super) fn pacer(rate: BitRate) -> Pacer {
    Pacer::new(rate, burst(rate))
}

/// The channel towards whom is at this address.
fn channel_of(routes: &[Route], from: SocketAddr) -> Option<ChannelId> {
    routes.iter().find(|r| r.outbox.to() == from).map(|r| r.channel)
}
