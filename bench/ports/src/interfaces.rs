//! The machine's network interfaces: which there are, whether they carry, and word of changes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use pnet_datalink::NetworkInterface;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType};

/// The multicast group of rtnetlink(7) that is told of interfaces made, changed and removed (`RTMGRP_LINK`).
const LINK_GROUP: u32 = 1;

/// The longest name that Linux gives an interface, in bytes (`IFNAMSIZ` without the terminator).
const LONGEST_NAME: usize = 15;

/// Whether an interface can have such a name. A colon is for aliases, a comma ends the name in a port's text.
pub(crate) fn is_name(name: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | ':' | ',' | '%');
    (1..=LONGEST_NAME).contains(&name.len()) && !matches!(name, "." | "..") && !name.contains(odd)
}

/// What is known of an interface.
#[derive(Clone, Debug)]
pub(crate) enum State {
    /// There is none of this name.
    Absent,
    /// It is there and does not carry. Why, in words.
    Idle(NetworkInterface, &'static str),
    /// It is up and has a carrier.
    Carries(NetworkInterface),
}

/// How the interface of a name is now.
pub(crate) fn state(name: &str) -> State {
    match pnet_datalink::interfaces().into_iter().find(|interface| interface.name == name) {
        // An index of 0 says that it went while the list was made.
        None => State::Absent,
        Some(interface) if interface.index == 0 => State::Absent,
        Some(interface) if !interface.is_up() => State::Idle(interface, "is set down"),
        Some(interface) if !interface.is_lower_up() => {
            State::Idle(interface, "has no carrier: unplugged, or its other end is down")
        }
        Some(interface) => State::Carries(interface),
    }
}

/// The names of the interfaces that are there, for a message.
pub(crate) fn names() -> String {
    let names: Vec<String> = pnet_datalink::interfaces().into_iter().map(|interface| interface.name).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Tells when any interface was made, changed or removed. What has become of one is then asked of [`state`].
#[derive(Debug)]
pub(crate) struct Changes {
    socket: OwnedFd,
}

impl Changes {
    pub(crate) fn watch() -> io::Result<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        // The protocol 0 of netlink is its routing part.
        let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, LINK_GROUP))?;
        Ok(Changes { socket })
    }

    /// Whether there was a change since this was last asked.
    pub(crate) fn take(&self) -> bool {
        let mut changed = false;
        let mut scrap = [0; 4096];
        loop {
            match rustix::net::recv(&self.socket, &mut scrap[..], RecvFlags::DONTWAIT) {
                Ok(_) => changed = true,
                Err(rustix::io::Errno::INTR) => {}
                // More changes than the socket keeps.
                Err(rustix::io::Errno::NOBUFS) => changed = true,
                Err(_) => return changed,
            }
        }
    }
}

impl AsFd for Changes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
