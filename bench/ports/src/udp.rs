//! UDP: one datagram is one frame.
//!
//! A [`UdpPort`] takes and gives one frame a call. Where frames come by the hundred thousand a second, [`batch`] carries
//! many in one call of the system.

pub mod batch;
mod port;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::str::FromStr;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use thiserror::Error;

pub use port::{FORM, UdpLinkConfig, UdpLinkPort};

/// The largest datagram that UDP over IPv4 carries.
pub const MAX_DATAGRAM: usize = 65_507;

/// How much the kernel is asked to keep for a socket, so that a burst does not overflow it while the bench is busy.
const SOCKET_BUFFER: usize = 8 << 20;

/// Where a UDP port is: `udp:1113`, `udp:127.0.0.1:1113`, `udp:[::1]:1113`.
///
/// Without an address it is on loopback: a test bench does not listen to the network unless it is told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UdpAddress(pub SocketAddr);

/// Why an address was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` is not a UDP address: write `udp:1113`, `udp:127.0.0.1:1113` or `udp:[::1]:1113`")]
pub struct AddressError {
    text: String,
}

/// Reads an address with or without a host; without one it is on loopback.
fn socket_address(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| text.parse::<u16>().ok().map(|port| (Ipv4Addr::LOCALHOST, port).into()))
}

impl FromStr for UdpAddress {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        text.strip_prefix("udp:")
            .and_then(socket_address)
            .map(UdpAddress)
            .ok_or_else(|| AddressError { text: text.to_owned() })
    }
}

impl fmt::Display for UdpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "udp:{}", self.0)
    }
}

/// From where to where one direction of an emulated link carries: `udp:5001=127.0.0.1:5002`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpRoute {
    /// Where frames come in.
    pub from: UdpAddress,
    /// Where they leave for.
    pub to: SocketAddr,
}

/// Why a route was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{text}` is not a route: write where frames come in, `=`, and where they leave for, as in `udp:5001=127.0.0.1:5002`"
)]
pub struct RouteError {
    text: String,
}

impl FromStr for UdpRoute {
    type Err = RouteError;
    fn from_str(text: &str) -> Result<Self, RouteError> {
        let read = || {
            let (from, to) = text.split_once('=')?;
            // Port 0 lets the system choose where to listen; nothing can be sent to it.
            let to = socket_address(to.strip_prefix("udp:").unwrap_or(to)).filter(|to| to.port() > 0)?;
            Some(UdpRoute { from: from.parse().ok()?, to })
        };
        read().ok_or_else(|| RouteError { text: text.to_owned() })
    }
}

/// Why a port could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Somebody else has it.
    #[error("port {address} is in use by another program: choose another, or stop that one (`ss -ulpn` names it)")]
    InUse {
        /// Which.
        address: UdpAddress,
    },
    /// This user may not have it.
    #[error("no permission to open {address}: ports below 1024 need a privilege; choose a higher one")]
    Permission {
        /// Which.
        address: UdpAddress,
    },
    /// The address is none of this machine's.
    #[error("{address} is no address of this machine: `ip address` lists them")]
    NoSuchAddress {
        /// Which.
        address: UdpAddress,
    },
    /// Anything else.
    #[error("could not open {address}: {source}")]
    Other {
        /// Which.
        address: UdpAddress,
        /// What the system says.
        source: io::Error,
    },
}

/// An open UDP port.
#[derive(Debug)]
pub struct UdpPort {
    socket: UdpSocket,
}

impl UdpPort {
    /// Opens a port.
    ///
    /// # Errors
    /// The port is in use, not permitted, not of this machine, or the system refuses it otherwise.
    pub fn open(address: UdpAddress) -> Result<Self, OpenError> {
        let open = || -> io::Result<UdpSocket> {
            let socket = Socket::new(Domain::for_address(address.0), Type::DGRAM, Some(Protocol::UDP))?;
            // The kernel grants less than was asked where its limit is lower; that is no error.
            socket.set_recv_buffer_size(SOCKET_BUFFER)?;
            socket.set_send_buffer_size(SOCKET_BUFFER)?;
            socket.bind(&SockAddr::from(address.0))?;
            Ok(socket.into())
        };
        match open() {
            Ok(socket) => Ok(UdpPort { socket }),
            Err(source) => Err(match source.kind() {
                io::ErrorKind::AddrInUse => OpenError::InUse { address },
                io::ErrorKind::PermissionDenied => OpenError::Permission { address },
                io::ErrorKind::AddrNotAvailable => OpenError::NoSuchAddress { address },
                _ => OpenError::Other { address, source },
            }),
        }
    }

    /// The address that the port has, with the number that the system chose if 0 was asked for.
    ///
    /// # Errors
    /// The system does not say.
    pub fn local_address(&self) -> io::Result<UdpAddress> {
        self.socket.local_addr().map(UdpAddress)
    }

    /// The socket itself, for an event loop that waits on it.
    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Waits at most `patience` for a frame. `None` if none came.
    ///
    /// # Errors
    /// The system refuses. A refusal by the *other* side (an ICMP "port unreachable" for something sent earlier) is no
    /// error of this port.
    pub fn receive(&self, buffer: &mut [u8], patience: Duration) -> io::Result<Option<usize>> {
        // A read timeout of zero would mean to wait for ever.
        self.socket.set_read_timeout(Some(patience.max(Duration::from_micros(1))))?;
        match self.socket.recv_from(buffer) {
            Ok((length, _)) => Ok(Some(length)),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock
                | io::ErrorKind::TimedOut
                | io::ErrorKind::Interrupted
                | io::ErrorKind::ConnectionRefused => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// Sends a frame. `false` if nobody listens there, which for datagrams is the far side's affair.
    ///
    /// # Errors
    /// The system refuses.
    pub fn send(&self, frame: &[u8], to: SocketAddr) -> io::Result<bool> {
        match self.socket.send_to(frame, to) {
            Ok(_) => Ok(true),
            // The refusal of an earlier datagram is reported by the next call, which has sent nothing: try once more.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                Ok(self.socket.send_to(frame, to).is_ok())
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_on_loopback_unless_told_otherwise() {
        assert_eq!("udp:1113".parse::<UdpAddress>().unwrap().to_string(), "udp:127.0.0.1:1113");
        assert_eq!("udp:0.0.0.0:1113".parse::<UdpAddress>().unwrap().to_string(), "udp:0.0.0.0:1113");
        assert_eq!("udp:[::1]:1113".parse::<UdpAddress>().unwrap().to_string(), "udp:[::1]:1113");
        let route = "udp:5001=127.0.0.1:5002".parse::<UdpRoute>().unwrap();
        assert_eq!(
            (route.from.to_string().as_str(), route.to.to_string().as_str()),
            ("udp:127.0.0.1:5001", "127.0.0.1:5002")
        );
        for wrong in ["", "1113", "udp:", "udp:host", "tcp:1113", "udp:70000"] {
            assert!(wrong.parse::<UdpAddress>().unwrap_err().to_string().contains("udp:127.0.0.1:1113"), "{wrong}");
        }
        for wrong in ["udp:5001", "udp:5001=", "5001=127.0.0.1:5002", "udp:5001=somewhere", "udp:5001=127.0.0.1:0"] {
            assert!(wrong.parse::<UdpRoute>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_port_in_use_is_named() {
        let first = UdpPort::open("udp:0".parse().unwrap()).unwrap();
        let taken = first.local_address().unwrap();
        let error = UdpPort::open(taken).unwrap_err();
        assert!(matches!(error, OpenError::InUse { .. }), "{error}");
        assert!(error.to_string().contains(&taken.to_string()));
        let elsewhere = UdpPort::open("udp:192.0.2.1:0".parse().unwrap()).unwrap_err();
        assert!(matches!(elsewhere, OpenError::NoSuchAddress { .. }), "{elsewhere}");
    }

    #[test]
    fn frames_pass_whole_and_nobody_listening_is_no_error() {
        let patience = Duration::from_secs(5);
        let (a, b) =
            (UdpPort::open("udp:0".parse().unwrap()).unwrap(), UdpPort::open("udp:0".parse().unwrap()).unwrap());
        let (a_at, b_at) = (a.local_address().unwrap().0, b.local_address().unwrap().0);
        let mut buffer = vec![0; MAX_DATAGRAM];
        for length in [1, 1400, MAX_DATAGRAM] {
            assert!(a.send(&vec![7; length], b_at).unwrap());
            assert_eq!(b.receive(&mut buffer, patience).unwrap(), Some(length));
        }
        drop(a);
        for _ in 0..3 {
            b.send(b"gone", a_at).unwrap();
        }
        assert_eq!(b.receive(&mut buffer, Duration::from_millis(1)).unwrap(), None);
    }
}
