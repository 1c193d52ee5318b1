use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;

use super::MAX_FRAME;
use crate::text::{Form, Key, Parts, PortTextError};

/// The longest frame of a raw stream, in octets, unless told otherwise: what fits a datagram on most networks.
pub const DEFAULT_CHUNK: usize = 1400;

/// Who opens the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamRole {
    /// The peer. The port listens.
    Listen,
    /// The port.
    Connect,
}

/// How a stream is cut into frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamFraming {
    /// Wherever reads end, but after this many octets at the latest (from 1 to [`MAX_FRAME`]).
    Raw {
        /// The longest frame, in octets.
        chunk: usize,
    },
    /// A length of four octets before each bundle.
    Stcp,
    /// Each bundle in a CBOR byte string.
    Mtcp,
}

/// A TCP port of the emulator: `tcp:4556`, `tcp:127.0.0.1:4556,connect`, `tcp:[::1]:4556,framing=stcp`.
///
/// Without an address it is on loopback: a test bench does not listen to the network unless it is told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamConfig {
    /// Where to listen (port 0: the system chooses), or what to connect to.
    pub address: SocketAddr,
    /// Which of them.
    pub role: StreamRole,
    /// How the stream is cut into frames.
    pub framing: StreamFraming,
}

pub(crate) const FORM: Form = Form {
    kind: "tcp",
    place: Some("a port number or an address with one, such as 4556, 127.0.0.1:4556 or [::1]:4556"),
    keys: &[
        Key::flag("connect"),
        Key::value("framing", "raw, stcp or mtcp"),
        Key::value("chunk", "the longest frame of a raw stream, from 1 to 65535 octets"),
    ],
    example: "tcp:127.0.0.1:4556,connect,framing=stcp",
};

impl FromStr for StreamConfig {
    type Err = PortTextError;
    fn from_str(text: &str) -> Result<Self, PortTextError> {
        let parts = Parts::read(text, &FORM)?;
        let address: SocketAddr = parts.place(|place| {
            place.parse().ok().or_else(|| place.parse::<u16>().ok().map(|port| (Ipv4Addr::LOCALHOST, port).into()))
        })?;
        let role = if parts.flag("connect") { StreamRole::Connect } else { StreamRole::Listen };
        if role == StreamRole::Connect && address.port() == 0 {
            return Err(parts.refuse("nothing can be connected to port 0"));
        }
        let chunk = parts.value("chunk", |text| text.parse().ok().filter(|chunk| (1..=MAX_FRAME).contains(chunk)))?;
        let raw = StreamFraming::Raw { chunk: chunk.unwrap_or(DEFAULT_CHUNK) };
        let choices = [("raw", raw), ("stcp", StreamFraming::Stcp), ("mtcp", StreamFraming::Mtcp)];
        let framing = parts.choice("framing", &choices)?.unwrap_or(raw);
        if chunk.is_some() && framing != raw {
            return Err(parts.refuse("`chunk=` is for `framing=raw`; the other framings tell where a frame ends"));
        }
        Ok(StreamConfig { address, role, framing })
    }
}

impl fmt::Display for StreamConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tcp:{}", self.address)?;
        if self.role == StreamRole::Connect {
            write!(f, ",connect")?;
        }
        match self.framing {
            StreamFraming::Raw { chunk: DEFAULT_CHUNK } => Ok(()),
            StreamFraming::Raw { chunk } => write!(f, ",chunk={chunk}"),
            StreamFraming::Stcp => write!(f, ",framing=stcp"),
            StreamFraming::Mtcp => write!(f, ",framing=mtcp"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        for (text, whole) in [
            ("tcp:4556", "tcp:127.0.0.1:4556"),
            ("tcp:0", "tcp:127.0.0.1:0"),
            ("tcp:[::1]:4556,framing=raw", "tcp:[::1]:4556"),
            ("tcp:0.0.0.0:1,framing=mtcp", "tcp:0.0.0.0:1,framing=mtcp"),
            ("tcp:4556,framing=stcp,connect", "tcp:127.0.0.1:4556,connect,framing=stcp"),
            ("tcp:10.0.0.1:4556,connect,chunk=65535", "tcp:10.0.0.1:4556,connect,chunk=65535"),
        ] {
            let config: StreamConfig = text.parse().unwrap();
            assert_eq!(config.to_string(), whole);
            assert_eq!(whole.parse::<StreamConfig>().unwrap(), config);
        }
        for (wrong, why) in [
            ("udp:1", "no kind of port (tcp)"),
            ("tcp:", "does not say where: a port number"),
            ("tcp:host:1", "`host:1` is not a port number or an address"),
            ("tcp:70000", "`70000` is not"),
            ("tcp:0,connect", "port 0"),
            ("tcp:1,framing=slip", "it is raw, stcp or mtcp"),
            ("tcp:1,chunk=0", "from 1 to 65535 octets"),
            ("tcp:1,chunk=65536", "from 1 to 65535 octets"),
            ("tcp:1,framing=stcp,chunk=9", "is for `framing=raw`"),
            ("tcp:1,baud=9", "`baud` is no key of `tcp` (it has connect, framing=, chunk=)"),
        ] {
            let error = wrong.parse::<StreamConfig>().unwrap_err().to_string();
            assert!(error.contains(why) && error.ends_with("`tcp:127.0.0.1:4556,connect,framing=stcp`"), "{error}");
        }
    }
}
