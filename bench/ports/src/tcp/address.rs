use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

use thiserror::Error;

/// Where a stream is listened for or connected to: `tcp:4556`, `tcp:127.0.0.1:4556`, `tcp:[::1]:4556`.
///
/// Without an address it is on loopback: a test bench does not listen to the network unless it is told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TcpAddress(pub SocketAddr);

/// Why an address was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` is not a TCP address: write `tcp:4556`, `tcp:127.0.0.1:4556` or `tcp:[::1]:4556`")]
pub struct TcpAddressError {
    text: String,
}

impl FromStr for TcpAddress {
    type Err = TcpAddressError;
    fn from_str(text: &str) -> Result<Self, TcpAddressError> {
        let address = |rest: &str| {
            rest.parse().ok().or_else(|| rest.parse::<u16>().ok().map(|port| (Ipv4Addr::LOCALHOST, port).into()))
        };
        text.strip_prefix("tcp:")
            .and_then(address)
            .map(TcpAddress)
            .ok_or_else(|| TcpAddressError { text: text.to_owned() })
    }
}

impl fmt::Display for TcpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tcp:{}", self.0)
    }
}

/// Why an address cannot be listened to.
#[derive(Debug, Error)]
pub enum ListenError {
    /// Somebody else does.
    #[error("port {address} is in use by another program: choose another, or stop that one (`ss -tlpn` names it)")]
    InUse {
        /// Which.
        address: TcpAddress,
    },
    /// This user may not.
    #[error("no permission to listen to {address}: ports below 1024 need a privilege; choose a higher one")]
    Permission {
        /// Which.
        address: TcpAddress,
    },
    /// The address is none of this machine's.
    #[error("{address} is no address of this machine: `ip address` lists them")]
    NoSuchAddress {
        /// Which.
        address: TcpAddress,
    },
    /// Anything else.
    #[error("could not listen to {address}: {source}")]
    Other {
        /// Which.
        address: TcpAddress,
        /// What the system says.
        source: io::Error,
    },
}

impl ListenError {
    pub(crate) fn new(address: TcpAddress, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => ListenError::InUse { address },
            io::ErrorKind::PermissionDenied => ListenError::Permission { address },
            io::ErrorKind::AddrNotAvailable => ListenError::NoSuchAddress { address },
            _ => ListenError::Other { address, source },
        }
    }
}

/// Why a connection did not come up.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConnectError {
    /// Nobody listens there.
    #[error("{address} refused the connection: nobody listens there yet, or the port is another")]
    Refused {
        /// Where.
        address: TcpAddress,
    },
    /// No way there.
    #[error("{address} cannot be reached: {reason}; check the address and the route to it (`ip route get`)")]
    Unreachable {
        /// Where.
        address: TcpAddress,
        /// What the system says.
        reason: String,
    },
    /// No answer.
    #[error("{address} did not answer within {seconds} s: it is down, or a firewall drops the connection")]
    NoAnswer {
        /// Where.
        address: TcpAddress,
        /// How long was waited.
        seconds: u64,
    },
    /// Too many connections are open.
    #[error("no connection to {address}: {limit} connections are open already, which is the limit")]
    TooMany {
        /// Where.
        address: TcpAddress,
        /// The limit.
        limit: usize,
    },
    /// Anything else.
    #[error("could not connect to {address}: {reason}")]
    Other {
        /// Where.
        address: TcpAddress,
        /// What the system says.
        reason: String,
    },
}

impl ConnectError {
    pub(crate) fn new(address: SocketAddr, error: &io::Error, seconds: u64) -> Self {
        let address = TcpAddress(address);
        match error.kind() {
            io::ErrorKind::ConnectionRefused => ConnectError::Refused { address },
            io::ErrorKind::TimedOut => ConnectError::NoAnswer { address, seconds },
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                ConnectError::Unreachable { address, reason: error.to_string() }
            }
            _ => ConnectError::Other { address, reason: error.to_string() },
        }
    }
}
