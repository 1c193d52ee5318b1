//! One bundle a UDP datagram (RFC 7122 section 3.1.1).

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use bytes::Bytes;
use farlink_engine::bp::{Failure, Refusal};
use farlink_engine::pacing::Pacer;
use farlink_engine::schedule::Schedule;
use farlink_ports::udp::batch::{BatchOptions, BatchPort, Frame};
use farlink_ports::udp::{UdpAddress, UdpPort};
use farlink_units::Instant;
use farlink_wire::bpv7::Eid;

use super::ltp_port::pacer;
use super::setup::{Link, LinkLayer, Listener, RunError, StartError};
use crate::builtin::BuiltinNode;

/// Bundles that leave in one go.
const BURST: usize = 32;
/// Batches that are taken in one go.
const BATCHES: usize = 16;
/// Bytes that IPv4 and UDP add.
const IP_UDP_HEADER: u64 = 28;

#[derive(Debug)]
struct Route {
    node: Eid,
    to: SocketAddr,
    pacer: Option<Pacer>,
    open: Schedule,
}

#[derive(Debug)]
pub(super) struct Datagrams {
    port: BatchPort,
    routes: Vec<Route>,
    frames: Vec<Frame>,
    /// Whether something may wait in the socket.
    pub(super) has_more: bool,
}

impl Datagrams {
    /// The port, if anybody listens or sends so. One listens at most; a node that only sends does so from a port that the
    /// system chooses.
    pub(super) fn open(listeners: &[Listener], links: &[Link]) -> Result<Option<Self>, StartError> {
        let listen = listeners.iter().find_map(|l| match l {
            Listener::Udp(address) => Some(*address),
            _ => None,
        });
        let routes: Vec<Route> = links
            .iter()
            .filter_map(|link| match link.layer {
                LinkLayer::Udp { to, rate } => {
                    Some(Route { node: link.node.clone(), to, pacer: rate.map(pacer), open: link.open.clone() })
                }
                _ => None,
            })
            .collect();
        let address = match (listen, routes.first()) {
            (Some(address), _) => address,
            (None, Some(Route { to: SocketAddr::V6(_), .. })) => {
                UdpAddress(SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 0)))
            }
            (None, Some(_)) => UdpAddress(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))),
            (None, None) => return Ok(None),
        };
        let port = BatchPort::new(UdpPort::open(address)?, BatchOptions::default())?;
        Ok(Some(Datagrams { port, routes, frames: Vec::new(), has_more: true }))
    }

    pub(super) fn socket(&self) -> &UdpSocket {
        self.port.socket()
    }

    pub(super) fn address(&self) -> Option<UdpAddress> {
        self.port.socket().local_addr().ok().map(UdpAddress)
    }

    /// Sends what may leave; returns when to look again. A datagram that has left counts as forwarded: nothing will tell.
    pub(super) fn send(&mut self, now: Instant, node: &mut BuiltinNode) -> Result<Instant, RunError> {
        let mut next = Instant::MAX;
        for route in &mut self.routes {
            if route.open.open_at(now).is_none() {
                next = next.min(route.open.next_edge(now).unwrap_or(Instant::MAX));
                continue;
            }
            for _ in 0..BURST {
                if let Some(pacer) = route.pacer.filter(|p| p.room(now) == 0) {
                    next = next.min(pacer.ready_at(1));
                    break;
                }
                let Some(outgoing) = node.poll_forward(now, &route.node) else { break };
                let length = usize::try_from(outgoing.block.len()).unwrap_or(usize::MAX);
                let bundle: Bytes = outgoing.block.slice(0, length);
                match self.port.send_batch(route.to, std::slice::from_ref(&bundle)) {
                    Ok(1) => {
                        node.forwarded(now, outgoing.handle);
                        if let Some(pacer) = &mut route.pacer {
                            pacer.sent(now, length as u64 + IP_UDP_HEADER);
                        }
                    }
                    Ok(_) => {
                        node.forwarding_failed(now, outgoing.handle, Failure::Link);
                        next = now;
                        break;
                    }
                    Err(_) => node.forwarding_failed(now, outgoing.handle, Failure::NoResources),
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
            let taken = self.port.receive_batch(&mut self.frames).map_err(|source| RunError::Port {
                port: self.port.socket().local_addr().map(|a| UdpAddress(a).to_string()).unwrap_or_default(),
                source,
            })?;
            self.has_more = taken > 0;
            for frame in self.frames.drain(..) {
                let from = self.routes.iter().find(|r| r.to == frame.from).map_or(Eid::None, |r| r.node.clone());
                // Nobody can be told that a bundle found no room; the agent deletes it, and reports that.
                let _ = node.receive(now, &from, &frame.content, Refusal::Impossible);
            }
        }
        Ok(())
    }
}
