//! Where the node listens.

use std::net::SocketAddr;
use std::path::Path;

use super::one_only;
use super::tls::{self, Parts};
use crate::located::{At, Text};
use crate::node_file::entries::ListenEntry;
use crate::node_file::model::Listener;
use crate::node_file::values::Address;
use crate::notes::Notes;
use crate::problem::Position;

pub(super) fn check(entries: &[At<ListenEntry>], folder: &Path, notes: &mut Notes) -> Option<Vec<Listener>> {
    let mut listeners = Some(Vec::new());
    let mut taken: Vec<(bool, SocketAddr, usize)> = Vec::new();
    for entry in entries {
        let listener = listener(entry, folder, notes);
        if let Some((listener, position)) = &listener {
            let udp = matches!(listener, Listener::Ltp(_) | Listener::Udp(_));
            let address = listener.address();
            if let Some((.., line)) = taken.iter().find(|(other, known, _)| *other == udp && clash(*known, address)) {
                let transport = if udp { "UDP" } else { "TCP" };
                let message = format!("the {transport} port {} is already listened to in line {line}", address.port());
                notes.error(*position, message, "give each listener a port of its own");
            }
            taken.push((udp, address, position.line));
        }
        match (listener, &mut listeners) {
            (Some((listener, _)), Some(all)) => all.push(listener),
            _ => listeners = None,
        }
    }
    listeners
}

/// Whether only one of them can be opened. Port 0 is another port each time.
fn clash(a: SocketAddr, b: SocketAddr) -> bool {
    let anywhere = a.is_ipv4() == b.is_ipv4() && (a.ip().is_unspecified() || b.ip().is_unspecified());
    a.port() != 0 && a.port() == b.port() && (a.ip() == b.ip() || anywhere)
}

fn listener(
    At { value: entry, position }: &At<ListenEntry>,
    folder: &Path,
    notes: &mut Notes,
) -> Option<(Listener, Position)> {
    let words = [
        ("ltp", place(&entry.ltp)),
        ("tcpcl", place(&entry.tcpcl)),
        ("stcp", place(&entry.stcp)),
        ("mtcp", place(&entry.mtcp)),
        ("udp", place(&entry.udp)),
    ];
    let which = one_only(*position, &words, "this listens to nothing", notes);
    let tls = entry.tls.as_ref().map(|At { value: tls, position }| {
        let parts = Parts {
            position: *position,
            certificate: &tls.certificate,
            key: &tls.key,
            trust: &tls.trust,
            name: &None,
            require: &tls.require,
        };
        tls::check(&parts, true, folder, notes)
    });
    if let (Some(At { position, .. }), None, Some(_)) = (&entry.tls, &entry.tcpcl, which) {
        notes.error(*position, "only TCPCL can be secured by TLS", "remove `tls`");
    }
    let listener = match which? {
        0 => Listener::Ltp(address(&entry.ltp, notes)?),
        1 => Listener::Tcpcl {
            address: address(&entry.tcpcl, notes)?,
            tls: match tls {
                Some(tls) => Some(tls?),
                None => None,
            },
        },
        2 => Listener::Stcp(address(&entry.stcp, notes)?),
        3 => Listener::Mtcp(address(&entry.mtcp, notes)?),
        _ => Listener::Udp(address(&entry.udp, notes)?),
    };
    Some((listener, words[which?].1?))
}

fn place<T>(text: &Option<Text<T>>) -> Option<Position> {
    text.as_ref().map(|text| text.position)
}

fn address<T: Clone>(text: &Option<Text<Address<T>>>, notes: &mut Notes) -> Option<SocketAddr> {
    notes.read(text.as_ref()?).map(|address| address.0)
}
