//! What a case speaks to.

mod node_tls;
mod simulated;
mod sockets;
mod streams;

use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::Eid;
use thiserror::Error;

pub use node_tls::{Careless, Flaw};
pub use simulated::{Simulated, SimulatedConfig};
pub use sockets::{Hooks, NoHooks, SocketDoor, Sockets};
pub use streams::{node_address, tester_address};

/// A way into the node under test, and out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Door {
    /// LTP segments in datagrams, the tester being the first engine that the node knows.
    Ltp,
    /// The same, the tester being the second engine that the node knows.
    SecondLtp,
    /// Bundles in datagrams (RFC 7122 section 3.2).
    Udp,
    /// TCPCL version 4, over streams.
    Tcpcl,
    /// STCP, over streams.
    Stcp,
    /// MTCP, over streams.
    Mtcp,
}

impl Door {
    /// As a person names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Door::Ltp => "ltp",
            Door::SecondLtp => "ltp-2",
            Door::Udp => "udp",
            Door::Tcpcl => "tcpcl",
            Door::Stcp => "stcp",
            Door::Mtcp => "mtcp",
        }
    }

    /// Whether frames go in datagrams.
    pub const fn is_datagrams(self) -> bool {
        matches!(self, Door::Ltp | Door::SecondLtp | Door::Udp)
    }
}

/// A connection between tester and node, whoever opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stream {
    /// What is spoken.
    pub door: Door,
    /// Its number in the exchange, counted from 0.
    pub number: u32,
}

/// Something that came from the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When it reached the tester.
    pub at: Instant,
    /// What.
    pub what: Happening,
}

/// What came from the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A datagram.
    Datagram {
        /// Over which door.
        door: Door,
        /// Its octets.
        octets: Vec<u8>,
    },
    /// A connection stands: one that the tester asked for, or one that the node has opened.
    Opened {
        /// Which.
        stream: Stream,
    },
    /// Octets on a connection.
    Octets {
        /// Which.
        stream: Stream,
        /// The octets.
        octets: Vec<u8>,
    },
    /// The node has closed its direction of a connection in order.
    Finished {
        /// Which.
        stream: Stream,
    },
    /// A connection was reset, or refused.
    Reset {
        /// Which.
        stream: Stream,
    },
    /// The node handed data to its application (what the catalogue calls the oracle).
    Delivered {
        /// The endpoint.
        destination: Option<Eid>,
        /// The data.
        payload: Vec<u8>,
    },
    /// The node is no more.
    Ended {
        /// As the system tells it.
        how: String,
    },
}

/// What the node is made to do, other than by what comes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// It sends a bundle to the tester over a door.
    Originate {
        /// Over which.
        door: Door,
        /// The application data unit.
        payload: Vec<u8>,
        /// How long the bundle is of use.
        lifetime: Duration,
        /// Bundle processing control flags that are asked for (RFC 9171 section 4.2.3).
        flags: u64,
        /// Whether the source is `dtn:none`.
        anonymous: bool,
    },
    /// Its client service cancels the LTP sessions that it is sending.
    CancelSending,
    /// Its client service cancels the LTP sessions that it is receiving.
    CancelReceiving,
    /// It ends its TCPCL sessions.
    Terminate,
    /// The way to the tester over a door is closed, or open again.
    Route {
        /// Which door.
        door: Door,
        /// Whether it is open.
        open: bool,
    },
    /// The application at the passive endpoint asks for what waits.
    Poll,
    /// The application cancels the transmission of the bundle that [`Order::Originate`] asked for last (RFC 9171 section 5.12).
    CancelBundle,
    /// It is ended in order and started again, with what it keeps over a restart.
    Restart,
}

/// Why something could not be done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unable {
    /// The node, or its description, does not offer it.
    #[error("{0}")]
    Unsupported(String),
    /// It was tried and the system refused.
    #[error("{0}")]
    Failed(String),
}

/// The node under test, at the end of its wires. The same cases run over a virtual clock and in real time.
pub trait Medium {
    /// The time at the tester.
    fn now(&self) -> Instant;

    /// Sends a datagram to the node. It leaves now.
    ///
    /// # Errors
    /// The node has no such door, or the port refuses.
    fn send(&mut self, door: Door, octets: &[u8]) -> Result<(), Unable>;

    /// Opens a connection to the node. [`Happening::Opened`] or [`Happening::Reset`] follows.
    ///
    /// # Errors
    /// The node does not listen there.
    fn connect(&mut self, door: Door) -> Result<Stream, Unable>;

    /// Writes octets to a connection. What is written to one that is closed is lost.
    ///
    /// # Errors
    /// The port refuses.
    fn write(&mut self, stream: Stream, octets: &[u8]) -> Result<(), Unable>;

    /// Closes the tester's direction of a connection in order.
    fn finish(&mut self, stream: Stream);

    /// Closes a connection at once, with a reset.
    fn reset(&mut self, stream: Stream);

    /// Whether what the node sends on a connection is read. Unread octets hold the node up.
    fn set_reading(&mut self, stream: Stream, reading: bool);

    /// Takes new connections of the node at a door, or refuses them, which it does at first. A connection that is refused is
    /// told by [`Happening::Reset`] of a stream that was never opened.
    fn set_listening(&mut self, door: Door, listening: bool);

    /// Resets every connection that still stands and tells which, so that no case finds what another has left: a node may use any
    /// of them for what it has to send. A simulated node is another one for each case.
    fn release(&mut self) -> Vec<Stream> {
        Vec::new()
    }

    /// What comes next, at the latest at `until`. Returns `None` when that instant has come.
    fn next(&mut self, until: Instant) -> Option<Arrival>;

    /// Makes the node do something.
    ///
    /// # Errors
    /// The description gives no way, or the way fails.
    fn order(&mut self, order: &Order) -> Result<(), Unable>;

    /// How late the bench itself was at most since this was last asked; zero under a virtual clock.
    fn timing_error(&mut self) -> Duration {
        Duration::ZERO
    }
}
