//! Bundles in transfers of TCPCL sessions (RFC 9174).

use std::collections::BTreeMap;

use bytes::Bytes;
use farlink_engine::ltp::Block;
use farlink_engine::tcpcl::{Config, Event, Role, SendError, Session};
use farlink_units::{Duration, Instant};
use farlink_wire::tcpcl::TermReason;

use crate::medium::{Arrival, Door, Happening, Stream};
use crate::outcome::Finding;
use crate::tester::Tester;

/// Room that is given to one write, in octets.
const ROOM: usize = 1 << 20;

/// The sessions of a case: one that the tester has opened, and those that the node opens. Bundles go over whichever stands.
pub struct Sessions {
    config: Config,
    open: BTreeMap<Stream, Session>,
    /// Bundles that came while a session was waited for.
    early: Vec<Vec<u8>>,
}

impl Sessions {
    pub(super) fn new(tester: &Tester<'_>) -> Result<Self, Finding> {
        let bundles = tester.bundles()?;
        let defaults = Config::new(bundles.tester.clone());
        let config = Config {
            // Silence of the node is for the suite of TCPCL to judge.
            idle_timeout: Some(Duration::from_secs(86_400)),
            // Where the node fragments what does not fit, this is what it has to fit.
            transfer_mru: bundles.longest_bundle.map_or(defaults.transfer_mru, |longest| longest as u64),
            ..defaults
        };
        Ok(Sessions { config, open: BTreeMap::new(), early: Vec::new() })
    }

    pub(super) fn send(&mut self, tester: &mut Tester<'_>, bundle: &[u8]) -> Result<(), Finding> {
        let stream = self.established(tester)?;
        if let Some(session) = self.open.get_mut(&stream) {
            session.send(0, Block::new([Bytes::copy_from_slice(bundle)])).map_err(|error| match error {
                SendError::Empty => Finding::unsupported("TCPCL carries no empty bundle here"),
                SendError::TooLong { .. } => Finding::unsupported(error.to_string()),
                _ => Finding::bench_error(error.to_string()),
            })?;
        }
        self.pump(tester, stream).map(|bundles| self.early.extend(bundles))
    }

    /// A session over which bundles can go now.
    fn established(&mut self, tester: &mut Tester<'_>) -> Result<Stream, Finding> {
        if let Some(stream) = self.standing() {
            return Ok(stream);
        }
        let tcpcl = tester.tcpcl()?;
        if tcpcl.listens && self.open.is_empty() {
            let stream = tester.connect(Door::Tcpcl)?;
            self.begin(tester, stream, Role::Active)?;
        }
        // Connection, contact header and SESS_INIT take a round trip each.
        let patience = tester.profile().answer_time() + tcpcl.contact_timeout + tcpcl.init_timeout;
        let until = tester.now() + patience;
        loop {
            if let Some(stream) = self.standing() {
                return Ok(stream);
            }
            let wake = self.due().map_or(until, |due| due.min(until));
            let mine = |arrival: &Arrival| concerns_tcpcl(&arrival.what).then(|| arrival.clone());
            match tester.wait_for(wake, mine)? {
                Some(arrival) => {
                    let bundles = self.take(tester, &arrival.what)?;
                    self.early.extend(bundles);
                }
                None if tester.now() >= until => {
                    return Err(Finding::silence("a session of TCPCL", "none was established"));
                }
                None => self.wake(tester)?,
            }
        }
    }

    fn standing(&self) -> Option<Stream> {
        self.open.iter().find(|(_, s)| s.established().is_some() && !s.is_ending()).map(|(stream, _)| *stream)
    }

    fn begin(&mut self, tester: &mut Tester<'_>, stream: Stream, role: Role) -> Result<(), Finding> {
        self.open.insert(stream, Session::new(role, self.config.clone(), tester.now()));
        self.pump(tester, stream).map(|bundles| self.early.extend(bundles))
    }

    pub(super) fn take(&mut self, tester: &mut Tester<'_>, what: &Happening) -> Result<Vec<Vec<u8>>, Finding> {
        let mut bundles = Vec::new();
        match what {
            Happening::Opened { stream } if stream.door == Door::Tcpcl && !self.open.contains_key(stream) => {
                self.begin(tester, *stream, Role::Passive)?;
            }
            Happening::Octets { stream, octets } => {
                let now = tester.now();
                if let Some(session) = self.open.get_mut(stream) {
                    let _ = session.handle_bytes(now, octets);
                    bundles.extend(self.pump(tester, *stream)?);
                }
            }
            Happening::Finished { stream } | Happening::Reset { stream } => {
                if let Some(mut session) = self.open.remove(stream) {
                    session.handle_closed(tester.now());
                    tester.finish(*stream);
                }
            }
            _ => {}
        }
        Ok(bundles)
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.open.values().filter_map(Session::poll_timeout).min()
    }

    pub(super) fn wake(&mut self, tester: &mut Tester<'_>) -> Result<(), Finding> {
        let streams: Vec<Stream> = self.open.keys().copied().collect();
        for stream in streams {
            let now = tester.now();
            if let Some(session) = self.open.get_mut(&stream) {
                session.handle_timeout(now);
            }
            let bundles = self.pump(tester, stream)?;
            self.early.extend(bundles);
        }
        Ok(())
    }

    /// Bundles that came while something else was waited for.
    pub(super) fn early(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.early)
    }

    /// Writes what the session has to send, and takes what it tells. Every bundle is accepted.
    fn pump(&mut self, tester: &mut Tester<'_>, stream: Stream) -> Result<Vec<Vec<u8>>, Finding> {
        let mut bundles = Vec::new();
        let mut over = false;
        loop {
            let now = tester.now();
            let Some(session) = self.open.get_mut(&stream) else { return Ok(bundles) };
            while let Some(event) = session.poll_event() {
                match event {
                    Event::Received { transfer, data } => {
                        bundles.push(data.to_vec());
                        let _ = session.accept(transfer);
                    }
                    Event::Ended(_) => over = true,
                    _ => {}
                }
            }
            match session.poll_transmit(now, ROOM) {
                Some(octets) => tester.write(stream, &octets)?,
                None if over => {
                    self.open.remove(&stream);
                    tester.finish(stream);
                    return Ok(bundles);
                }
                None => return Ok(bundles),
            }
        }
    }

    pub(super) fn close(&mut self, tester: &mut Tester<'_>) {
        for (stream, mut session) in std::mem::take(&mut self.open) {
            session.abort(tester.now(), TermReason::Unknown);
            while let Some(octets) = session.poll_transmit(tester.now(), ROOM) {
                // The case is over: a port that refuses changes nothing.
                let _ = tester.write(stream, &octets);
            }
            tester.finish(stream);
        }
    }
}

fn concerns_tcpcl(what: &Happening) -> bool {
    match what {
        Happening::Opened { stream }
        | Happening::Octets { stream, .. }
        | Happening::Finished { stream }
        | Happening::Reset { stream } => stream.door == Door::Tcpcl,
        _ => false,
    }
}
