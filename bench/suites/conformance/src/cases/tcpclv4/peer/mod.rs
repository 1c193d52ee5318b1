//! One connection as a case sees it: contact header, messages, end; and the usual things that a peer does.

mod roles;
mod tls;
mod transfers;

use farlink_units::{Duration, Instant};

pub(super) use roles::{Role, active, in_both_roles, in_one_role, passive, usual_role};
pub(crate) use transfers::bundle_with;
pub(super) use transfers::{Transfer, bundle, sending_time};

use super::message::{END, Init, MAGIC, Message, REPLY, START, contact_header, sess_term, term, xfer_ack};
use crate::medium::{Door, Happening, Order, Stream};
use crate::outcome::Finding;
use crate::secure::Secure;
use crate::tester::Tester;

/// The longest pause before a node connects again, by RFC 9174 section 4.1, and a tenth of it.
const LONGEST_PAUSE: Duration = Duration::from_secs(66);

/// How often the tester shows at least that it is there in a session without other traffic.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// How the node closed a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    Finished,
    Reset,
}

/// One connection.
pub(super) struct Peer {
    pub stream: Stream,
    pub role: Role,
    /// The node's contact header.
    pub header: Option<[u8; 6]>,
    /// The node's SESS_INIT.
    pub init: Option<Init>,
    /// Every message of the node, with its instant.
    pub log: Vec<(Instant, Message)>,
    pub closed: Option<(Instant, Closed)>,
    /// Whether segments of the node are acknowledged at once.
    pub acknowledges: bool,
    /// After which time without anything else KEEPALIVE is sent while the tester waits.
    pub keeps_alive: Option<Duration>,
    /// The transfers of the node that are complete.
    pub transfers: Vec<Transfer>,
    arriving: Option<Transfer>,
    /// Transfers of the node that the tester has refused.
    refused: Vec<u64>,
    inbox: Vec<u8>,
    tls: Option<Box<Secure>>,
    last_sent: Instant,
    next_id: u64,
}

/// What the tester tells of itself, where a case does not say otherwise.
pub(super) fn usual_init(t: &Tester<'_>) -> Result<Init, Finding> {
    Ok(Init {
        keepalive_s: 30,
        segment_mru: 1 << 16,
        transfer_mru: 1 << 24,
        node_id: t.tcpcl()?.tester.to_string().into_bytes(),
        items: Vec::new(),
    })
}

impl Peer {
    /// A connection without anything on it.
    pub(super) fn connect(t: &mut Tester<'_>, role: Role) -> Result<Peer, Finding> {
        let stream = match role {
            Role::Passive => t.connect(Door::Tcpcl)?,
            Role::Active => accept(t)?,
        };
        Ok(Peer {
            stream,
            role,
            header: None,
            init: None,
            log: Vec::new(),
            closed: None,
            acknowledges: true,
            keeps_alive: None,
            transfers: Vec::new(),
            arriving: None,
            refused: Vec::new(),
            inbox: Vec::new(),
            tls: None,
            last_sent: t.now(),
            next_id: 0,
        })
    }

    /// A connection on which contact headers have been exchanged.
    pub(super) fn contact(t: &mut Tester<'_>, role: Role, flags: u8) -> Result<Peer, Finding> {
        let mut peer = Peer::connect(t, role)?;
        if role == Role::Passive {
            peer.write(t, &contact_header(4, flags))?;
        }
        peer.expect_header(t)?;
        if role == Role::Active {
            peer.write(t, &contact_header(4, flags))?;
        }
        Ok(peer)
    }

    /// A session.
    pub(super) fn session(t: &mut Tester<'_>, role: Role) -> Result<Peer, Finding> {
        let init = usual_init(t)?;
        Peer::session_with(t, role, init)
    }

    /// A session with terms of the case.
    pub(super) fn session_with(t: &mut Tester<'_>, role: Role, init: Init) -> Result<Peer, Finding> {
        let mut peer = Peer::contact(t, role, 0)?;
        peer.exchange_init(t, init)?;
        Ok(peer)
    }

    /// Exchanges SESS_INIT. The side that connected speaks first.
    pub(super) fn exchange_init(&mut self, t: &mut Tester<'_>, init: Init) -> Result<(), Finding> {
        if self.role == Role::Active {
            self.expect_init(t)?;
        }
        let half = Duration::from_millis(i64::from(init.keepalive_s) * 500);
        self.keeps_alive = (init.keepalive_s > 0).then_some(half.min(KEEPALIVE));
        self.write(t, &Message::Init(init).octets())?;
        if self.role == Role::Passive {
            self.expect_init(t)?;
        } else if t.tcpcl()?.on_demand {
            // The bundle for which the node has connected is no part of the case, and holds up those after it.
            let until = t.now() + sending_time(t);
            while self.transfers.is_empty() && self.next(t, until)?.is_some() {}
            self.transfers.clear();
        }
        Ok(())
    }

    pub(super) fn expect_init(&mut self, t: &mut Tester<'_>) -> Result<Init, Finding> {
        self.expect(t, "SESS_INIT", |message| match message {
            Message::Init(init) => Some(init.clone()),
            _ => None,
        })
    }

    pub(super) fn write(&mut self, t: &mut Tester<'_>, octets: &[u8]) -> Result<(), Finding> {
        self.last_sent = t.now();
        match &mut self.tls {
            None => t.write(self.stream, octets),
            Some(tls) => {
                let sealed = tls.write(octets);
                t.write(self.stream, &sealed)
            }
        }
    }

    fn arrived(&mut self, t: &mut Tester<'_>, octets: &[u8]) -> Result<(), Finding> {
        let Some(tls) = &mut self.tls else {
            self.inbox.extend_from_slice(octets);
            return Ok(());
        };
        let data = tls.read(octets);
        let answer = tls.take_output();
        self.inbox.extend_from_slice(&data);
        if answer.is_empty() { Ok(()) } else { t.write(self.stream, &answer) }
    }

    /// The node's contact header, whatever it says, if it comes in time.
    pub(super) fn read_header(&mut self, t: &mut Tester<'_>, until: Instant) -> Result<Option<[u8; 6]>, Finding> {
        while self.header.is_none() {
            if let Some((header, rest)) = self.inbox.split_first_chunk::<6>() {
                self.header = Some(*header);
                self.inbox = rest.to_vec();
            } else if !self.pull(t, until)? {
                return Ok(None);
            }
        }
        Ok(self.header)
    }

    /// The node's contact header, of version 4.
    pub(super) fn expect_header(&mut self, t: &mut Tester<'_>) -> Result<[u8; 6], Finding> {
        let until = t.now() + t.profile().answer_time();
        let expected = "a contact header of version 4";
        match self.read_header(t, until)? {
            Some(header) if header.starts_with(&MAGIC) => Ok(header),
            Some(header) => Err(Finding::deviation(expected, format!("octets {header:02x?}"))),
            None => Err(self.silence(expected)),
        }
    }

    fn silence(&self, expected: &str) -> Finding {
        match self.closed {
            Some(_) => Finding::deviation(expected, "the node closed the connection"),
            None => Finding::silence(expected, "nothing of the kind came in time"),
        }
    }

    /// Takes what comes next on this connection. `false` when `until` has come, or nothing can come any more.
    fn pull(&mut self, t: &mut Tester<'_>, until: Instant) -> Result<bool, Finding> {
        if self.closed.is_some() {
            return Ok(false);
        }
        loop {
            let due = self.keeps_alive.map(|after| self.last_sent + after).filter(|due| *due < until);
            let stream = self.stream;
            let came = t.wait_for(due.map_or(until, |due| due.max(t.now())), |arrival| match &arrival.what {
                Happening::Octets { stream: on, octets } if *on == stream => Some((arrival.at, Ok(octets.clone()))),
                Happening::Finished { stream: on } if *on == stream => Some((arrival.at, Err(Closed::Finished))),
                Happening::Reset { stream: on } if *on == stream => Some((arrival.at, Err(Closed::Reset))),
                _ => None,
            })?;
            match came {
                Some((_, Ok(octets))) => self.arrived(t, &octets)?,
                Some((at, Err(how))) => self.closed = Some((at, how)),
                None if due.is_some() => {
                    self.write(t, &Message::Keepalive.octets())?;
                    continue;
                }
                None => return Ok(false),
            }
            return Ok(true);
        }
    }

    /// The next message of the node. `None` when `until` has come, or nothing can come any more.
    pub(super) fn next(&mut self, t: &mut Tester<'_>, until: Instant) -> Result<Option<Message>, Finding> {
        if self.header.is_none() && self.read_header(t, until)?.is_none() {
            return Ok(None);
        }
        loop {
            let read = Message::read(&self.inbox)
                .map_err(|why| Finding::deviation("a stream of TCPCL messages without residue", why))?;
            if let Some((message, length)) = read {
                self.inbox.drain(..length);
                self.log.push((t.now(), message.clone()));
                self.take(t, &message)?;
                return Ok(Some(message));
            }
            if !self.pull(t, until)? {
                return Ok(None);
            }
        }
    }

    /// Does what every peer does with a message.
    fn take(&mut self, t: &mut Tester<'_>, message: &Message) -> Result<(), Finding> {
        match message {
            Message::Init(init) => self.init = Some(init.clone()),
            Message::Segment { flags, id, items, data } => {
                let expected = "segments of one transfer after the other, START on the first only";
                let starts = flags & START != 0;
                // What was refused need not come to its end.
                if starts && self.arriving.as_ref().is_some_and(|arriving| self.refused.contains(&arriving.id)) {
                    self.arriving = None;
                }
                let fits = self.arriving.as_ref().map_or(starts, |arriving| arriving.id == *id && !starts);
                if !fits {
                    return Err(Finding::deviation(expected, message.told()));
                }
                let mut arriving = self.arriving.take().unwrap_or_else(|| Transfer {
                    id: *id,
                    segments: Vec::new(),
                    items: items.clone().unwrap_or_default(),
                    data: Vec::new(),
                });
                arriving.segments.push((*flags, data.len()));
                arriving.data.extend_from_slice(data);
                let length = arriving.data.len() as u64;
                match flags & END != 0 {
                    true => self.transfers.push(arriving),
                    false => self.arriving = Some(arriving),
                }
                if self.acknowledges && !self.refused.contains(id) {
                    self.write(t, &xfer_ack(flags & (START | END), *id, length))?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The first message for which `take` has an answer. `None` when `until` has come, or nothing can come any more.
    pub(super) fn seek<T>(
        &mut self,
        t: &mut Tester<'_>,
        until: Instant,
        mut take: impl FnMut(&Message) -> Option<T>,
    ) -> Result<Option<T>, Finding> {
        while let Some(message) = self.next(t, until)? {
            if let Some(taken) = take(&message) {
                return Ok(Some(taken));
            }
        }
        Ok(None)
    }

    /// The same within the time for an answer, and its absence is a finding.
    pub(super) fn expect<T>(
        &mut self,
        t: &mut Tester<'_>,
        expected: &str,
        mut take: impl FnMut(&Message) -> Option<T>,
    ) -> Result<T, Finding> {
        let mut until = t.now() + t.profile().answer_time();
        while let Some(message) = self.next(t, until)? {
            if let Some(taken) = take(&message) {
                return Ok(taken);
            }
            // An answer waits behind what the node is sending.
            if matches!(message, Message::Segment { .. }) {
                until = t.now() + t.profile().answer_time();
            }
        }
        Err(self.silence(expected))
    }

    /// This very message within the time for an answer.
    pub(super) fn expect_message(&mut self, t: &mut Tester<'_>, wanted: &[u8]) -> Result<(), Finding> {
        let told = Message::read(wanted).ok().flatten().map(|(message, _)| message.told()).unwrap_or_default();
        self.expect(t, &told, |message| (message.octets() == wanted).then_some(()))
            .map_err(|finding| self.with_last(finding))
    }

    /// Says which message came last, where another one was expected.
    fn with_last(&self, mut finding: Finding) -> Finding {
        let last = self.log.iter().rev().find(|(_, message)| !matches!(message, Message::Keepalive | Message::Init(_)));
        if let Some((_, message)) = last {
            finding.actual = format!("{}; the last message was {}", finding.actual, message.told());
        }
        finding
    }

    /// Reads on until then, or until the node closes.
    pub(super) fn read_until(&mut self, t: &mut Tester<'_>, until: Instant) -> Result<(), Finding> {
        while self.next(t, until)?.is_some() {}
        Ok(())
    }

    /// How the node closed the connection, if it does so by then, whatever octets come before that.
    pub(super) fn closes_by(&mut self, t: &mut Tester<'_>, until: Instant) -> Result<Option<Closed>, Finding> {
        while self.pull(t, until)? {}
        Ok(self.closed.map(|(_, how)| how))
    }

    /// What has come after the contact header and was not read as messages.
    pub(super) fn unread(&self) -> &[u8] {
        match self.header {
            Some(_) => &self.inbox,
            None if self.inbox.starts_with(b"dtn!") => self.inbox.get(6..).unwrap_or_default(),
            None => &self.inbox,
        }
    }

    /// How the node closed the connection, if it does so within this time. Messages before that are read.
    pub(super) fn closes(&mut self, t: &mut Tester<'_>, within: Duration) -> Result<Option<Closed>, Finding> {
        let until = t.now() + within;
        self.read_until(t, until)?;
        Ok(self.closed.map(|(_, how)| how))
    }

    /// That the node closes the connection within this time.
    pub(super) fn expect_closed(&mut self, t: &mut Tester<'_>, within: Duration) -> Result<Closed, Finding> {
        let expected = "the node closes the connection";
        self.closes(t, within)?.ok_or_else(|| Finding::silence(expected, "it is open"))
    }

    /// That the node closes in the time that it has after a message (`T_ack + T_close`), octets of no protocol included.
    pub(super) fn expect_closed_soon(&mut self, t: &mut Tester<'_>) -> Result<Closed, Finding> {
        let within = t.profile().answer_time() + t.tcpcl()?.close_timeout;
        self.expect_closed(t, within)
    }

    /// The messages so far of which `take` makes something.
    pub(super) fn told<T>(&self, take: impl FnMut(&Message) -> Option<T>) -> Vec<T> {
        self.log.iter().map(|(_, message)| message).filter_map(take).collect()
    }

    /// Ends the session in order.
    pub(super) fn terminate(&mut self, t: &mut Tester<'_>) -> Result<(), Finding> {
        self.keeps_alive = None;
        self.write(t, &sess_term(0, term::UNKNOWN))?;
        let expected = "SESS_TERM with REPLY";
        self.expect(t, expected, |m| matches!(m, Message::Term { flags, .. } if flags & REPLY != 0).then_some(()))?;
        t.finish(self.stream);
        self.expect_closed_soon(t).map(drop)
    }

    /// Drops the connection, since the case is over with it.
    pub(super) fn drop(&mut self, t: &mut Tester<'_>) {
        if self.closed.is_none() {
            t.reset(self.stream);
        }
    }
}

/// Waits for a connection of the node.
pub(super) fn accept(t: &mut Tester<'_>) -> Result<Stream, Finding> {
    t.set_listening(Door::Tcpcl, true);
    if t.tcpcl()?.on_demand {
        let (payload, lifetime) = (vec![0; 10], Duration::from_secs(60));
        t.order(&Order::Originate { door: Door::Tcpcl, payload, lifetime, flags: 0, anonymous: false })?;
    }
    let until = t.now() + LONGEST_PAUSE + t.profile().answer_time();
    let stream = t.accept(Door::Tcpcl, until)?;
    t.set_listening(Door::Tcpcl, false);
    stream.ok_or_else(|| Finding::inconclusive("a connection that the node opens", "none came in time"))
}

/// That the node still takes a session and a bundle. How it ends a session is for the cases on section 6: one that is still busy with
/// what a case had it send, and closes without a word, lives.
pub(super) fn live(t: &mut Tester<'_>) -> Result<(), Finding> {
    let role = usual_role(t)?;
    let mut peer = match &t.tcpcl()?.tls {
        Some(tls) if tls.require => super::tls::session(t, role)?,
        _ => Peer::session(t, role)?,
    };
    peer.deliver(t)?;
    match peer.terminate(t) {
        // The connection of a node that has crashed closes before its process is gone.
        Err(_) if peer.closed.is_some() => t.rest(t.profile().answer_time()),
        ended => ended,
    }
}
