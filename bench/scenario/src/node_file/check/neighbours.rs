//! The neighbours and the convergence layers to them.

use std::net::SocketAddr;
use std::path::Path;

use farlink_units::{Duration, Size};
use farlink_wire::bpv7::Eid;

use super::tls::{self, Parts};
use super::{ltp, one_only};
use crate::located::{At, Keyed, Text};
use crate::node_file::entries::{NeighbourEntry, TcpEntry, TcpclEntry, UdpEntry};
use crate::node_file::model::{Layer, Listener, Neighbour, TcpclNeighbour};
use crate::node_file::values::{Address, NodeEid};
use crate::notes::Notes;
use crate::problem::Position;

const DEFAULT_KEEPALIVE: Duration = Duration::from_secs(15);
const DEFAULT_SEGMENT: Size = Size::from_bytes(64 << 10);
const SEGMENT_SIZES: std::ops::RangeInclusive<u64> = 1 << 10..=1 << 30;

/// What a neighbour needs to know of the rest of the file, as far as it could be read.
pub(super) struct Surroundings<'a> {
    pub node: Option<&'a Eid>,
    pub engine: Option<u64>,
    pub listeners: Option<&'a [Listener]>,
    pub folder: &'a Path,
}

impl Surroundings<'_> {
    fn lacks(&self, listener: impl FnMut(&Listener) -> bool) -> bool {
        self.listeners.is_some_and(|listeners| !listeners.iter().any(listener))
    }
}

pub(super) fn check(
    entries: &Keyed<NodeEid, NeighbourEntry>,
    around: &Surroundings<'_>,
    notes: &mut Notes,
) -> Option<Vec<Neighbour>> {
    let mut neighbours: Vec<Option<Neighbour>> = Vec::new();
    let mut seen: Vec<Eid> = Vec::new();
    let mut engines: Vec<(u64, String)> = around.engine.map(|own| (own, "this node".to_owned())).into_iter().collect();
    for (key, entry) in &entries.0 {
        let node = notes.read(key).map(|id| id.0);
        if let Some(node) = &node {
            if Some(node) == around.node {
                let message = format!("`{node}` is this node itself");
                notes.error(key.position, message, "remove it, or name another node");
            } else if seen.contains(node) {
                notes.error(key.position, format!("the neighbour `{node}` stands twice"), "keep one of the two");
            }
            seen.push(node.clone());
        }
        let layer = layer(key.position, entry, node.as_ref(), around, notes);
        if let (Some(node), Some(Layer::Ltp(ltp)), false) = (&node, &layer, node.as_ref() == around.node) {
            if let Some((_, other)) = engines.iter().find(|(known, _)| *known == ltp.engine) {
                let position = entry.ltp.as_ref().and_then(|at| at.value.engine.as_ref()).map(|text| text.position);
                let message = format!("the LTP engine {} is already that of {other}", ltp.engine);
                notes.error(
                    position.unwrap_or(key.position),
                    message,
                    "give each node the engine ID that it really has",
                );
            }
            engines.push((ltp.engine, format!("`{node}`")));
        }
        neighbours.push(node.zip(layer).map(|(node, layer)| Neighbour { node, layer }));
    }
    neighbours.into_iter().collect()
}

fn layer(
    position: Position,
    entry: &NeighbourEntry,
    node: Option<&Eid>,
    around: &Surroundings<'_>,
    notes: &mut Notes,
) -> Option<Layer> {
    let words = [
        ("ltp", entry.ltp.as_ref().map(|at| at.position)),
        ("tcpcl", entry.tcpcl.as_ref().map(|at| at.position)),
        ("stcp", entry.stcp.as_ref().map(|at| at.position)),
        ("mtcp", entry.mtcp.as_ref().map(|at| at.position)),
        ("udp", entry.udp.as_ref().map(|at| at.position)),
    ];
    one_only(position, &words, "nothing says how to reach this neighbour", notes)?;
    if let Some(entry) = &entry.ltp {
        if around.lacks(|listener| matches!(listener, Listener::Ltp(_))) {
            let message = "LTP needs answers, but this node does not listen for LTP";
            notes.error(entry.position, message, "add `- { ltp: \"udp:1113\" }` to `listen`");
        }
        return ltp::check(entry, node, around.folder, notes).map(Layer::Ltp);
    }
    if let Some(entry) = &entry.tcpcl {
        return tcpcl(entry, around, notes).map(Layer::Tcpcl);
    }
    if let Some(At { value: TcpEntry { to }, position }) = &entry.stcp {
        return Some(Layer::Stcp { to: need_destination(to, *position, "to: \"tcp:127.0.0.1:4557\"", notes)? });
    }
    if let Some(At { value: TcpEntry { to }, position }) = &entry.mtcp {
        return Some(Layer::Mtcp { to: need_destination(to, *position, "to: \"tcp:127.0.0.1:16162\"", notes)? });
    }
    let At { value: UdpEntry { to, rate }, position } = entry.udp.as_ref()?;
    let to = need_destination(to, *position, "to: \"udp:127.0.0.1:4556\"", notes);
    let rate = notes.read_opt(rate);
    Some(Layer::Udp { to: to?, rate: rate? })
}

fn tcpcl(
    At { value: entry, position }: &At<TcpclEntry>,
    around: &Surroundings<'_>,
    notes: &mut Notes,
) -> Option<TcpclNeighbour> {
    let to = match &entry.to {
        Some(text) => destination(text, notes).map(Some),
        None => {
            if around.lacks(|listener| matches!(listener, Listener::Tcpcl { .. })) {
                let message = "without `to` this neighbour must connect to us, but this node does not listen for TCPCL";
                notes.error(*position, message, "add `to`, or `- { tcpcl: \"tcp:4556\" }` to `listen`");
            }
            Some(None)
        }
    };
    let keepalive = notes.read_or(&entry.keepalive, DEFAULT_KEEPALIVE);
    let seconds = keepalive.and_then(|keepalive| {
        let nanos = keepalive.as_nanos();
        let seconds = u16::try_from(nanos / 1_000_000_000).ok().filter(|_| nanos % 1_000_000_000 == 0);
        if let (None, Some(text)) = (seconds, &entry.keepalive) {
            let message = format!("a keepalive interval of {keepalive} is not possible");
            notes.error(text.position, message, "whole seconds from 0 s to 65535 s");
        }
        seconds
    });
    let segment_size = notes.read_or(&entry.segment_size, DEFAULT_SEGMENT);
    if let (Some(size), Some(text)) = (segment_size, &entry.segment_size)
        && !SEGMENT_SIZES.contains(&size.bytes())
    {
        notes.error(text.position, format!("segments of {size} are out of range"), "from 1 KiB to 1 GiB");
    }
    let tls = entry.tls.as_ref().map(|At { value: tls, position }| {
        let parts = Parts {
            position: *position,
            certificate: &tls.certificate,
            key: &tls.key,
            trust: &tls.trust,
            name: &tls.name,
            require: &tls.require,
        };
        tls::check(&parts, false, around.folder, notes)
    });
    Some(TcpclNeighbour {
        to: to?,
        keepalive_s: seconds?,
        segment_size: segment_size?,
        tls: match tls {
            Some(tls) => Some(tls?),
            None => None,
        },
    })
}

pub(super) fn need_destination<T: Clone>(
    text: &Option<Text<Address<T>>>,
    owner: Position,
    example: &str,
    notes: &mut Notes,
) -> Option<SocketAddr> {
    notes.need(text, owner, example).and_then(|text| destination(text, notes))
}

fn destination<T: Clone>(text: &Text<Address<T>>, notes: &mut Notes) -> Option<SocketAddr> {
    let address = notes.read(text)?.0;
    if address.port() == 0 {
        notes.error(text.position, "nothing can be sent to port 0", "write the port at which the neighbour listens");
        return None;
    }
    if address.ip().is_unspecified() {
        let message = format!("nothing can be sent to {}: it stands for every address of a machine", address.ip());
        notes.error(text.position, message, "write the address of the neighbour");
        return None;
    }
    Some(address)
}
