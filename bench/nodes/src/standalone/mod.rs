//! The built-in node as a process of its own, in real time: LTP over UDP, TCPCL, STCP, MTCP, bundles over UDP, a store on disk,
//! applications.
//!
//! One thread runs [`StandaloneNode::turn`] in a loop. Each turn takes what has come in, makes durable what the node must not
//! lose ([`BundleStore::apply`](crate::store::BundleStore::apply)), and only then acknowledges, delivers, answers and sends:
//! a process that is killed at any instant has told nobody of anything that it does not find again.
//!
//! A neighbour by LTP that is next to this node (light time of at most 10 ms) and has no `unclaimed_limit` gets one of half of what
//! the kernel keeps for this node's own port, since LTP has no flow control and UDP drops what a receiver has not taken in time;
//! blocks longer than an eighth of that, and 256 KiB, then have checkpoints on the way.

mod datagrams;
mod ltp_port;
mod near;
mod outbound;
mod sessions;
mod setup;
mod streams;

use std::collections::BTreeMap;
use std::sync::Arc;

use farlink_engine::bp::{BundleId, FailureAction, Handle, Registration, Transmission, TransmitError};
use farlink_engine::ltp::PeerConfig;
use farlink_link::Node;
use farlink_ports::tcp::{StreamEvent, StreamPorts};
use farlink_record::Event;
use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::Eid;

use crate::applications::{AppEvent, Applications, Limits, SendRequest, Target};
use crate::builtin::{BuiltinNode, Delivery, Reported};
use crate::store::BundleStore;
use datagrams::Datagrams;
use ltp_port::LtpPort;
pub use outbound::{FIRST_PAUSE, LONGEST_PAUSE};
pub use setup::{Link, LinkLayer, Listener, LtpRoute, LtpSetup, RunError, STRANGER, Secured, Setup, StartError};
pub use streams::{StreamLayers, Streams};

/// Longest wait without a look at what the owner wants.
const PATIENCE: Duration = Duration::from_millis(50);

/// The socket of LTP, and that of datagrams with bundles, in the poll.
const LTP_SOCKET: u64 = 0;
const DATAGRAM_SOCKET: u64 = 1;

/// DTN time begins at 2000-01-01T00:00:00Z (RFC 9171 §4.2.6).
const DTN_EPOCH_UNIX: std::time::Duration = std::time::Duration::from_secs(946_684_800);

/// Something that a person who runs a node wants to know.
#[expect(clippy::large_enum_variant, reason = "told one by one and dropped")]
#[derive(Clone, Debug)]
pub enum Told {
    /// What the node recorded.
    Event(Event),
    /// A line about ports, sessions and applications.
    Line(String),
    /// The data of a bundle was delivered to its application.
    Delivered {
        /// The bundle.
        id: BundleId,
        /// What was done with it.
        how: String,
    },
    /// A status report came back.
    Reported(Reported),
}

/// A built-in node on real ports, in real time.
#[derive(Debug)]
pub struct StandaloneNode {
    node: BuiltinNode,
    store: Option<BundleStore>,
    /// The store has failed: what waits for the disk never gets there, and must not be acted upon.
    store_failed: bool,
    applications: Option<ApplicationsHeld>,
    streams: StreamLayers<StreamPorts>,
    ltp: Option<LtpPort>,
    datagrams: Option<Datagrams>,
    /// Requests of applications that wait for the disk.
    to_answer: Vec<(SendRequest, Result<BundleId, TransmitError>)>,
    /// What becomes of data that an application could not take, by its endpoint.
    on_failure: BTreeMap<Eid, FailureAction>,
    /// What applications have been given.
    delivering: BTreeMap<Handle, BundleId>,
    told: Vec<Told>,
    events: Vec<StreamEvent>,
    origin: std::time::Instant,
}

struct ApplicationsHeld(Applications);

impl std::fmt::Debug for ApplicationsHeld {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Applications")
    }
}

impl StandaloneNode {
    /// Opens everything that the node needs, and takes up what its store holds.
    ///
    /// # Errors
    /// A port, the store or an application cannot be had; what and how to mend it is in the error.
    pub fn start(setup: Setup) -> Result<Self, StartError> {
        let Setup { node: mut config, ltp, listeners, links, opportunistic, store, applications } = setup;
        let origin = std::time::Instant::now();
        let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        config.agent.dtn_time_at_zero_ms = u64::try_from(unix.saturating_sub(DTN_EPOCH_UNIX).as_millis()).unwrap_or(0);
        config.agent.journal = store.is_some();
        config.confirms_deliveries = true;
        if store.is_some() {
            // A node that goes on after a restart must not use the session numbers of before: a peer would take its new blocks
            // for blocks that it has, and acknowledge what it never got.
            config.engine.seed ^= unix.as_nanos() as u64;
        }
        config.others.push((STRANGER, Eid::None));
        let mut on_failure = BTreeMap::new();
        for (endpoint, target) in &applications {
            // Active when its application is there. Until then what a folder, a file or a program takes waits in any case: they
            // are there in a moment, and what the store holds for them must not be given up meanwhile.
            let told = config.endpoints.iter().find(|(other, _)| other == endpoint).map(|(_, told)| told.on_failure);
            let told = told.unwrap_or(Registration::PASSIVE.on_failure);
            on_failure.insert(endpoint.clone(), told);
            let first = match target {
                Target::Socket(_) => Registration { active: false, on_failure: told },
                _ => Registration::PASSIVE,
            };
            config.endpoints.retain(|(other, _)| other != endpoint);
            config.endpoints.push((endpoint.clone(), first));
        }
        let longest_unit = config.agent.storage_limit;

        let store = store.map(|folder| BundleStore::open(&folder)).transpose()?;
        let mut ports = StreamPorts::new()?;
        let segment_size = |channel| {
            let neighbour = config.neighbours.iter().find(|n| n.outgoing == channel);
            neighbour.map_or(PeerConfig::default().segment_size, |n| n.ltp.segment_size)
        };
        let ltp = ltp.map(|ltp| LtpPort::open(ltp, segment_size)).transpose()?;
        if let Some(ltp) = &ltp {
            if let Some(buffer) = ltp.receive_buffer() {
                config.neighbours.iter_mut().for_each(|neighbour| near::limit_unclaimed(neighbour, buffer));
            }
            ports.register_udp(ltp.socket(), LTP_SOCKET)?;
        }
        let datagrams = Datagrams::open(&listeners, &links)?;
        if let Some(datagrams) = &datagrams {
            ports.register_udp(datagrams.socket(), DATAGRAM_SOCKET)?;
        }
        let waker = ports.waker();
        let wake = Arc::new(move || drop(waker.wake()));
        let limits = Limits { longest_unit, ..Limits::default() };
        let held = match applications.is_empty() {
            true => None,
            false => Some(ApplicationsHeld(Applications::open(applications, limits, wake)?)),
        };

        let mut node = BuiltinNode::new(config);
        for link in &links {
            if let LinkLayer::Udp { .. } = link.layer {
                node.set_longest_bundle(&link.node, farlink_ports::udp::MAX_DATAGRAM);
            }
        }
        let streams = StreamLayers::new(ports, listeners, links, opportunistic)?;
        let mut this = StandaloneNode {
            node,
            store,
            store_failed: false,
            applications: held,
            streams,
            ltp,
            datagrams,
            to_answer: Vec::new(),
            on_failure,
            delivering: BTreeMap::new(),
            told: Vec::new(),
            events: Vec::new(),
            origin,
        };
        if let Some(store) = &this.store {
            let kept = store.load()?;
            let now = this.now();
            let bundles = kept.snapshot.bundles.len();
            if bundles > 0 {
                this.told.push(Told::Line(format!("the store holds {bundles} bundles")));
            }
            this.node.restore(now, kept.snapshot, kept.receptions);
        }
        Ok(this)
    }

    /// The node.
    pub fn node(&mut self) -> &mut BuiltinNode {
        &mut self.node
    }

    /// Every address that is listened to, and the layer that does, as in `udp:127.0.0.1:1113 for ltp`.
    pub fn listening(&self) -> Vec<String> {
        let mut all = Vec::new();
        if let Some(ltp) = &self.ltp {
            all.extend(ltp.address().map(|address| format!("{address} for ltp")));
        }
        all.extend(self.streams.listening().map(|(address, layer)| format!("{address} for {layer}")));
        if let Some(datagrams) = &self.datagrams {
            all.extend(datagrams.address().map(|address| format!("{address} for bundles")));
        }
        all
    }

    /// Time since the node was started.
    pub fn now(&self) -> Instant {
        Instant::ZERO + self.origin.elapsed().into()
    }

    /// Sends application data; it is on the disk when this returns.
    ///
    /// # Errors
    /// The store fails, or, inside, the agent refuses.
    pub fn transmit(&mut self, transmission: Transmission) -> Result<Result<BundleId, TransmitError>, RunError> {
        let now = self.now();
        let outcome = self.node.transmit(now, transmission, None);
        self.commit()?;
        Ok(outcome)
    }

    /// Whether nothing is under way: no LTP session, no TCPCL transfer.
    pub fn is_quiet(&self) -> bool {
        self.node.open_sessions() == (0, 0, 0) && self.streams.is_quiet()
    }

    /// Ends TCPCL sessions in order. They are over when [`StandaloneNode::turn`] has gone on for a little.
    pub fn close(&mut self) {
        if self.store_failed {
            return;
        }
        let now = self.now();
        self.streams.close(now, &mut self.node);
    }

    /// Connections that are open.
    pub fn open_connections(&self) -> usize {
        self.streams.open_connections()
    }

    /// Does what is due, waits a little for something to happen, and takes it. Returns what there is to tell.
    ///
    /// # Errors
    /// The store or a port fails. After a failure of the store nothing leaves the node any more.
    pub fn turn(&mut self) -> Result<Vec<Told>, RunError> {
        if self.store_failed {
            // Before the timers of sessions, which would go on talking.
            self.commit()?;
        }
        let now = self.now();
        if self.node.poll_timeout().is_some_and(|at| at <= now) {
            self.node.handle_timeout(now);
        }
        self.streams.handle_timeout(now, &mut self.node);
        self.application_events(now);
        self.streams.dial(now, &mut self.node);
        self.commit()?;
        self.act_on_what_is_durable(now);
        let mut next = self.send(now)?.min(now + PATIENCE);
        // What sending has changed, an expired bundle say, is on the disk before it is acted upon.
        self.commit()?;
        for timeout in [self.node.poll_timeout(), self.streams.poll_timeout(self.now())].into_iter().flatten() {
            next = next.min(timeout);
        }
        if self.has_received_more() {
            next = now;
        }
        let mut events = std::mem::take(&mut self.events);
        let wait = next.saturating_since(self.now()).to_std();
        self.streams
            .streams()
            .poll(Some(wait), &mut events)
            .map_err(|source| RunError::Port { port: "the poll of all ports".to_owned(), source })?;
        let now = self.now();
        for event in events.drain(..) {
            self.stream_event(now, event);
        }
        self.events = events;
        self.receive_datagrams(now)?;
        self.told.extend(self.streams.take_lines().map(Told::Line));
        while let Some(event) = self.node.poll_event() {
            self.told.push(Told::Event(event));
        }
        while let Some(reported) = self.node.poll_report() {
            self.told.push(Told::Reported(reported));
        }
        Ok(std::mem::take(&mut self.told))
    }

    fn line(&mut self, line: impl Into<String>) {
        self.told.push(Told::Line(line.into()));
    }

    /// Makes durable what must be.
    fn commit(&mut self) -> Result<(), RunError> {
        let Some(store) = &self.store else { return Ok(()) };
        if self.store_failed {
            return Err(store.failed_before().into());
        }
        let changes: Vec<_> = std::iter::from_fn(|| self.node.poll_change()).collect();
        let receptions: Vec<_> = std::iter::from_fn(|| self.node.poll_reception_change()).collect();
        store.apply(&changes, &receptions).inspect_err(|_| self.store_failed = true)?;
        Ok(())
    }

    fn act_on_what_is_durable(&mut self, now: Instant) {
        self.streams.accept_transfers(now, &mut self.node);
        for (request, outcome) in std::mem::take(&mut self.to_answer) {
            match outcome {
                Ok(id) => request.reply(Ok(&id)),
                Err(error) => request.reply(Err(&error.to_string())),
            }
        }
        while let Some(delivery) = self.node.poll_delivery() {
            self.hand_over(now, delivery);
        }
    }

    fn hand_over(&mut self, now: Instant, delivery: Delivery) {
        match &mut self.applications {
            Some(ApplicationsHeld(applications)) => {
                self.delivering.insert(delivery.handle, delivery.id.clone());
                applications.deliver(delivery.handle, delivery);
            }
            None => self.node.delivery_failed(now, delivery.handle),
        }
    }

    fn application_events(&mut self, now: Instant) {
        while let Some(event) = self.applications.as_mut().and_then(|a| a.0.poll()) {
            match event {
                AppEvent::Connected { endpoint } => self.register(now, endpoint, true),
                AppEvent::Disconnected { endpoint } => self.register(now, endpoint, false),
                AppEvent::Delivered { handle, told } => {
                    self.node.delivered(now, handle);
                    if let Some(id) = self.delivering.remove(&handle) {
                        self.told.push(Told::Delivered { id, how: told });
                    }
                }
                AppEvent::Failed { handle, reason, .. } => {
                    self.node.delivery_failed(now, handle);
                    if let Some(id) = self.delivering.remove(&handle) {
                        self.line(format!("{id} could not be delivered and waits: {reason}"));
                    }
                }
                AppEvent::Send { request } => {
                    let outcome = self.node.transmit(now, request.transmission.clone(), None);
                    self.to_answer.push((request, outcome));
                }
            }
        }
    }

    fn register(&mut self, now: Instant, endpoint: Eid, active: bool) {
        let on_failure = self.on_failure.get(&endpoint).copied().unwrap_or(Registration::PASSIVE.on_failure);
        // It was registered when the node was made, so it is of this node.
        let _ = self.node.register(now, endpoint, Registration { active, on_failure });
    }

    /// Sends what can be sent; returns when to look again.
    fn send(&mut self, now: Instant) -> Result<Instant, RunError> {
        let mut next = Instant::MAX;
        if let Some(ltp) = &mut self.ltp {
            next = next.min(ltp.send(now, &mut self.node)?);
        }
        if let Some(datagrams) = &mut self.datagrams {
            next = next.min(datagrams.send(now, &mut self.node)?);
        }
        Ok(next.min(self.streams.send(now, &mut self.node)))
    }

    fn has_received_more(&self) -> bool {
        self.ltp.as_ref().is_some_and(|p| p.has_more) || self.datagrams.as_ref().is_some_and(|p| p.has_more)
    }

    fn receive_datagrams(&mut self, now: Instant) -> Result<(), RunError> {
        if let Some(ltp) = &mut self.ltp {
            ltp.receive(now, &mut self.node)?;
        }
        if let Some(datagrams) = &mut self.datagrams {
            datagrams.receive(now, &mut self.node)?;
        }
        Ok(())
    }

    fn stream_event(&mut self, now: Instant, event: StreamEvent) {
        match event {
            StreamEvent::Readable { socket: LTP_SOCKET } => {
                if let Some(ltp) = &mut self.ltp {
                    ltp.has_more = true;
                }
            }
            StreamEvent::Readable { .. } => {
                if let Some(datagrams) = &mut self.datagrams {
                    datagrams.has_more = true;
                }
            }
            StreamEvent::Woken => {}
            event => self.streams.handle_event(now, &mut self.node, event),
        }
    }
}
