//! One connection as a case sees it: contact header, messages, end; and the usual things that a peer does.

use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::{
    BlockFlags, Bundle, BundleFlags, CanonicalBlock, CrcType, CreationTimestamp, Eid, PrimaryBlock,
};
use rand::RngExt as _;

use super::message::{
    END, Init, MAGIC, Message, REPLY, START, contact_header, refuse, segment, sess_term, term, xfer_ack, xfer_refuse,
};
use crate::medium::{Door, Happening, Order, Stream};
use crate::outcome::Finding;
use crate::profile::Originate;
use crate::secure::Secure;
use crate::tester::Tester;

/// The longest pause before a node connects again, by RFC 9174 section 4.1, and a tenth of it.
const LONGEST_PAUSE: Duration = Duration::from_secs(66);

/// How often the tester shows at least that it is there in a session without other traffic.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// What the node is in a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The tester connects.
    Passive,
    /// The node connects.
    Active,
}

/// How the node closed a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    Finished,
    Reset,
}

/// A transfer of the node that is complete.
#[derive(Clone, Debug)]
pub(super) struct Transfer {
    pub id: u64,
    /// Flags and data length of each segment.
    pub segments: Vec<(u8, usize)>,
    /// The extension list of its first segment.
    pub items: Vec<u8>,
    pub data: Vec<u8>,
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

/// Judges in each role that the node has.
pub(super) fn in_both_roles(
    t: &mut Tester<'_>,
    mut judge: impl FnMut(&mut Tester<'_>, Role) -> Result<(), Finding>,
) -> Result<(), Finding> {
    for role in roles(t)? {
        judge(t, role).map_err(|finding| in_role(finding, role))?;
    }
    Ok(())
}

/// Judges in one role.
pub(super) fn in_one_role<T>(
    t: &mut Tester<'_>,
    judge: impl FnOnce(&mut Tester<'_>, Role) -> Result<T, Finding>,
) -> Result<T, Finding> {
    let role = usual_role(t)?;
    judge(t, role)
}

fn in_role(mut finding: Finding, role: Role) -> Finding {
    let told = match role {
        Role::Passive => "with the tester connecting",
        Role::Active => "with the node connecting",
    };
    if !finding.expected.is_empty() {
        finding.expected = format!("{told}, {}", finding.expected);
    }
    finding
}

fn roles(t: &Tester<'_>) -> Result<Vec<Role>, Finding> {
    let profile = t.tcpcl()?;
    let all = [(profile.listens, Role::Passive), (profile.connects, Role::Active)];
    Ok(all.into_iter().filter(|(has, _)| *has).map(|(_, role)| role).collect())
}

/// The role in which most is judged: passive if the node listens.
pub(super) fn usual_role(t: &Tester<'_>) -> Result<Role, Finding> {
    roles(t)?.first().copied().ok_or_else(|| Finding::unsupported("the node neither listens for TCPCL nor connects"))
}

/// That the node listens.
pub(super) fn passive(t: &Tester<'_>) -> Result<Role, Finding> {
    match t.tcpcl()?.listens {
        true => Ok(Role::Passive),
        false => Err(Finding::unsupported("the node does not listen for TCPCL")),
    }
}

/// That the node connects.
pub(super) fn active(t: &Tester<'_>) -> Result<Role, Finding> {
    match t.tcpcl()?.connects {
        true => Ok(Role::Active),
        false => Err(Finding::unsupported("the node does not connect by TCPCL")),
    }
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

/// A bundle for the node's own endpoint with so much payload. No two are the same.
pub(super) fn bundle(t: &mut Tester<'_>, payload: usize) -> Result<Vec<u8>, Finding> {
    let destination = t.bundles()?.local.clone();
    let mut data = vec![0; payload];
    t.rng.fill(&mut data[..]);
    bundle_with(t, destination, data)
}

/// A bundle for any endpoint with this payload.
pub(crate) fn bundle_with(t: &mut Tester<'_>, destination: Eid, payload: Vec<u8>) -> Result<Vec<u8>, Finding> {
    let at_zero = t.bundles()?.dtn_time_at_zero_ms;
    let source = t.profile().endpoint(Door::Tcpcl).cloned().unwrap_or(Eid::None);
    let since = u64::try_from((t.now() - Instant::ZERO).as_millis()).unwrap_or(0);
    let bundle = Bundle {
        primary: PrimaryBlock {
            flags: BundleFlags(0),
            crc: CrcType::Crc32c,
            destination,
            source,
            report_to: Eid::None,
            creation: CreationTimestamp { time_ms: at_zero + since, sequence: t.rng.random::<u32>().into() },
            lifetime_ms: 3_600_000,
            fragment: None,
        },
        blocks: vec![CanonicalBlock {
            block_type: 1,
            number: 1,
            flags: BlockFlags(0),
            crc: CrcType::Crc32c,
            data: payload.into(),
        }],
    };
    Ok(bundle.emit())
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

    /// Begins TLS. What has come after the contact header belongs to it.
    pub(super) fn begin_tls(&mut self, t: &mut Tester<'_>, tls: Secure) -> Result<(), Finding> {
        self.tls = Some(Box::new(tls));
        let early = std::mem::take(&mut self.inbox);
        self.arrived(t, &early)
    }

    /// Whether the handshake is done in time. It is not where it fails or the node closes.
    pub(super) fn handshake(&mut self, t: &mut Tester<'_>) -> Result<bool, Finding> {
        let until = t.now() + t.profile().answer_time() + t.profile().answer_time();
        while self.tls.as_ref().is_some_and(|tls| tls.is_handshaking() && tls.error.is_none()) {
            if !self.pull(t, until)? {
                break;
            }
        }
        Ok(self.tls.as_ref().is_some_and(|tls| !tls.is_handshaking() && tls.error.is_none()))
    }

    /// Whether TLS fails by then, or the node closes, although the handshake is done on this side.
    pub(super) fn tls_fails_by(&mut self, t: &mut Tester<'_>, until: Instant) -> Result<bool, Finding> {
        while self.tls_error().is_none() && self.pull(t, until)? {}
        Ok(self.tls_error().is_some() || self.closed.is_some())
    }

    /// Sends the closure alert of TLS.
    pub(super) fn end_tls(&mut self, t: &mut Tester<'_>) -> Result<(), Finding> {
        let alert = self.tls.as_mut().map(|tls| tls.close()).unwrap_or_default();
        t.write(self.stream, &alert)
    }

    /// Why TLS failed.
    pub(super) fn tls_error(&self) -> Option<&rustls::Error> {
        self.tls.as_ref()?.error.as_ref()
    }

    /// What became of TLS, for people.
    pub(super) fn tls_told(&self) -> String {
        match (self.tls_error(), self.closed) {
            (Some(error), _) => error.to_string(),
            (None, Some(_)) => "the node closed the connection".to_owned(),
            (None, None) => "it was not done in time".to_owned(),
        }
    }

    /// Whether the node has sent the closure alert of TLS.
    pub(super) fn tls_ended(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.ended)
    }

    /// The certificates that the node has shown.
    pub(super) fn certificates(&self) -> Vec<Vec<u8>> {
        self.tls.as_ref().map(|tls| tls.certificates()).unwrap_or_default()
    }

    /// Whether the node, as server, has asked for a certificate.
    pub(super) fn was_asked(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.was_asked())
    }

    /// The name that the node, as client, has sent.
    pub(super) fn server_name(&self) -> Option<String> {
        self.tls.as_ref()?.server_name()
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

    /// Refuses a transfer of the node.
    pub(super) fn refuse(&mut self, t: &mut Tester<'_>, reason: u8, id: u64) -> Result<(), Finding> {
        self.refused.push(id);
        self.write(t, &xfer_refuse(reason, id))
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

    /// Sends a bundle in one segment, and expects that it is taken.
    pub(super) fn deliver(&mut self, t: &mut Tester<'_>) -> Result<(), Finding> {
        let data = bundle(t, 100)?;
        let id = self.fresh_id();
        self.write(t, &segment(START | END, id, &[], &data))?;
        self.expect_taken(t, id, data.len())
    }

    /// A transfer ID that the tester has not used in this session.
    pub(super) fn fresh_id(&mut self) -> u64 {
        let id = 1_000_000 + self.next_id;
        self.next_id += 1;
        id
    }

    /// That the last segment of a transfer is acknowledged, or the bundle is known already. Which flags an acknowledgment of all
    /// octets bears is for the cases on section 5.2.3.
    pub(super) fn expect_taken(&mut self, t: &mut Tester<'_>, id: u64, length: usize) -> Result<(), Finding> {
        let expected = format!("XFER_ACK of all {length} octets of transfer {id}");
        let told = self.expect(t, &expected, |message| match message {
            Message::Ack { id: of, length: all, .. } if *of == id && *all == length as u64 => Some(Ok(*all)),
            Message::Ack { id: of, length: all, flags } if *of == id && *flags & END != 0 => Some(Ok(*all)),
            Message::Refuse { id: of, reason: refuse::COMPLETED } if *of == id => Some(Ok(length as u64)),
            Message::Refuse { id: of, .. } if *of == id => Some(Err(message.told())),
            _ => None,
        })?;
        match told {
            Ok(all) if all == length as u64 => Ok(()),
            Ok(all) => Err(Finding::deviation(expected, format!("{all} octets are acknowledged"))),
            Err(told) => Err(Finding::deviation(expected, told)),
        }
    }

    /// Whether an acknowledgment of the whole transfer has come so far.
    pub(super) fn has_taken(&self, id: u64) -> bool {
        self.log.iter().any(|(_, m)| matches!(m, Message::Ack { id: of, flags, .. } if *of == id && *flags & END != 0))
    }

    /// The messages so far of which `take` makes something.
    pub(super) fn told<T>(&self, take: impl FnMut(&Message) -> Option<T>) -> Vec<T> {
        self.log.iter().map(|(_, message)| message).filter_map(take).collect()
    }

    /// Makes the node send a bundle of about so many octets over this session. Returns how its payload begins.
    pub(super) fn trigger(&mut self, t: &mut Tester<'_>, octets: usize) -> Result<Vec<u8>, Finding> {
        let mut payload = vec![0; octets];
        t.rng.fill(&mut payload[..]);
        let beginning = payload[..octets.min(16)].to_vec();
        match t.profile().originate {
            Originate::Ordered => {
                let lifetime = Duration::from_secs(3600);
                t.order(&Order::Originate { door: Door::Tcpcl, payload, lifetime, flags: 0, anonymous: false })?;
            }
            Originate::Relayed => {
                let Some(destination) = t.profile().endpoint(Door::Tcpcl).cloned() else {
                    return Err(Finding::unsupported("the description names no endpoint of the tester behind TCPCL"));
                };
                let data = bundle_with(t, destination, payload)?;
                let id = self.fresh_id();
                self.write(t, &segment(START | END, id, &[], &data))?;
            }
            Originate::Passive => return Err(Finding::unsupported("there is no way to make the node send a bundle")),
        }
        Ok(beginning)
    }

    /// The node's next complete transfer, within this time.
    pub(super) fn transfer(&mut self, t: &mut Tester<'_>, within: Duration) -> Result<Transfer, Finding> {
        let (before, until) = (self.transfers.len(), t.now() + within);
        while self.transfers.len() == before {
            if self.next(t, until)?.is_none() {
                return Err(self.with_last(self.silence("a transfer of the node")));
            }
        }
        Ok(self.transfers[before].clone())
    }

    /// A bundle of about so many octets that the node is made to send. What it has sent before that is passed over.
    pub(super) fn triggered(&mut self, t: &mut Tester<'_>, octets: usize) -> Result<Transfer, Finding> {
        let beginning = self.trigger(t, octets)?;
        loop {
            let within = sending_time(t);
            let sent = self.transfer(t, within)?;
            if sent.data.windows(beginning.len()).any(|window| window == beginning) {
                return Ok(sent);
            }
            if !self.acknowledges {
                // Another bundle, such as one that was refused before: a node that sends one at a time waits for this.
                let mut length = 0;
                for (flags, octets) in &sent.segments {
                    length += *octets as u64;
                    self.write(t, &xfer_ack(flags & (START | END), sent.id, length))?;
                }
            }
        }
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

/// How long the node may take from having a bundle to its last segment at the tester.
pub(super) fn sending_time(t: &Tester<'_>) -> Duration {
    // The bundle comes to the node by another door, is taken and forwarded; what is long comes window by window.
    t.profile().answer_time() + t.profile().answer_time() + t.profile().round_trip
}

/// Waits for a connection of the node.
pub(super) fn accept(t: &mut Tester<'_>) -> Result<Stream, Finding> {
    t.set_listening(Door::Tcpcl, true);
    let until = t.now() + LONGEST_PAUSE + t.profile().answer_time();
    let stream = t.accept(Door::Tcpcl, until)?;
    t.set_listening(Door::Tcpcl, false);
    stream.ok_or_else(|| Finding::inconclusive("a connection that the node opens", "none came in time"))
}

/// That the node still takes a session and a bundle.
pub(super) fn live(t: &mut Tester<'_>) -> Result<(), Finding> {
    let role = usual_role(t)?;
    let mut peer = match &t.tcpcl()?.tls {
        Some(tls) if tls.require => super::tls::session(t, role)?,
        _ => Peer::session(t, role)?,
    };
    peer.deliver(t)?;
    peer.terminate(t)
}
