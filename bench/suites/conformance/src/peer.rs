//! The neighbour that a case plays: it sends whole bundles to the node and takes what comes back, whatever carries them.

use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::Eid;
use rand::Rng as _;

use crate::bundle::{Draft, Emitted, Report, cbor, eid, flags, rules, timestamp};
use crate::carrier::Carrier;
use crate::catalogue::Grade;
use crate::medium::{Door, Happening, Order};
use crate::outcome::Finding;
use crate::profile::{BundleProfile, Originate};
use crate::tester::Tester;

/// Length of the payload of the base bundle.
const BASE_PAYLOAD: usize = 100;
/// So many octets of a payload are taken for its mark.
const MARK: usize = 16;

/// The neighbour. What has come and was not asked for waits, in order, until a case asks for it.
pub struct Peer<'t, 'a> {
    /// The tester beneath.
    pub tester: &'t mut Tester<'a>,
    /// What is known of the node's bundle agent.
    pub node: &'a BundleProfile,
    carrier: Carrier,
    waiting: Vec<Came>,
    sequence: u64,
    /// Whether the way from the node is closed.
    closed: bool,
}

/// Something that has come to the neighbour.
#[derive(Clone, Debug)]
pub struct Came {
    /// When.
    pub at: Instant,
    /// What.
    pub what: What,
}

/// What has come.
#[derive(Clone, Debug)]
pub enum What {
    /// A bundle, or what the carrier took for one, and its parts if they can be told apart.
    Bundle(Vec<u8>, Option<Emitted>),
    /// Data that the node has handed to an application.
    Delivered(Option<Eid>, Vec<u8>),
}

/// A bundle that was sent to the node.
#[derive(Clone, Debug)]
pub struct Sent {
    /// When it left.
    pub at: Instant,
    /// As it left.
    pub octets: Vec<u8>,
    /// The primary block as it left.
    pub primary: Vec<u8>,
    /// Its source, as an item.
    pub source: Vec<u8>,
    /// Its creation timestamp.
    pub created: (u64, u64),
    /// Its payload.
    pub payload: Vec<u8>,
}

impl Sent {
    /// Whether a bundle has its source and creation timestamp: it is this one, forwarded, or a fragment of it.
    pub fn names(&self, bundle: &Emitted) -> bool {
        bundle.head.source == self.source && bundle.head.created == self.created
    }

    /// Whether octets hold its creation timestamp or the beginning of its payload: it is this one, whatever became of it.
    pub fn is_in(&self, octets: &[u8]) -> bool {
        let holds = |mark: &[u8]| holds(octets, mark);
        holds(&timestamp(self.created)) || (self.payload.len() >= MARK && holds(&self.payload[..MARK]))
    }
}

impl<'t, 'a> Peer<'t, 'a> {
    /// A neighbour over the carrier of the node's profile.
    ///
    /// # Errors
    /// The node has no bundle agent, or the profile does not describe its carrier.
    pub fn new(tester: &'t mut Tester<'a>) -> Result<Self, Finding> {
        let door = tester.bundles()?.carrier;
        Peer::over(tester, door)
    }

    /// A neighbour over a door.
    ///
    /// # Errors
    /// As [`Peer::new`].
    pub fn over(tester: &'t mut Tester<'a>, door: Door) -> Result<Self, Finding> {
        let node = tester.bundles()?;
        let carrier = Carrier::new(tester, door)?;
        // Numbers that no other case of the run has.
        let sequence = u64::from(tester.rng.next_u32()) << 16 | 0x1_0000_0000_0000;
        Ok(Peer { tester, node, carrier, waiting: Vec::new(), sequence, closed: false })
    }

    /// Whether the node offers something.
    pub fn offers(&self, need: &str) -> bool {
        self.tester.profile().offers(need)
    }

    /// Longest bundle that can be sent to the node, in octets.
    pub fn longest(&self) -> usize {
        Carrier::longest(self.tester.profile(), self.node.carrier)
    }

    /// DTN time now, in milliseconds.
    pub fn dtn_time(&self) -> u64 {
        self.dtn_time_at(self.tester.now())
    }

    /// DTN time at an instant, in milliseconds.
    pub fn dtn_time_at(&self, at: Instant) -> u64 {
        self.node.dtn_time_at_zero_ms.saturating_add_signed(at.as_nanos().div_euclid(1_000_000))
    }

    /// A sequence number that no other bundle has.
    pub fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// Octets at random.
    pub fn random(&mut self, length: usize) -> Vec<u8> {
        let mut octets = vec![0; length];
        self.tester.rng.fill_bytes(&mut octets);
        octets
    }

    /// The base bundle of the catalogue, with a creation timestamp of its own.
    pub fn bundle(&mut self) -> Draft {
        let payload = self.random(BASE_PAYLOAD);
        let created = (self.dtn_time(), self.next_sequence());
        Draft::new(&self.node.forward, &self.node.tester, &self.node.report_to, created, &payload)
    }

    /// The base bundle for an application at the node.
    pub fn local_bundle(&mut self) -> Draft {
        let local = self.node.local.clone();
        self.bundle().to(&local)
    }

    /// An endpoint of the tester that no other bundle has for source.
    pub fn new_source(&mut self) -> Eid {
        let number = self.next_sequence();
        // Service numbers from 2^32 on are none that every node has to take (RFC 9758).
        let service = (number >> 16 ^ number) & 0xFFFF_FFFF | 0x1_0000;
        match &self.node.tester {
            Eid::Dtn(name) => Eid::Dtn(format!("{name}{number}")),
            Eid::Ipn { node, .. } => Eid::ipn(*node, service),
            Eid::None => Eid::ipn(4242, service),
        }
    }

    /// Sends a bundle.
    ///
    /// # Errors
    /// The carrier does not come about, or the node ends.
    pub fn send(&mut self, draft: &Draft) -> Result<Sent, Finding> {
        let octets = draft.encode();
        self.send_octets(&octets)?;
        let created = cbor::whole(&draft.primary.items[6]).ok();
        let created = created.as_ref().and_then(cbor::Item::array).and_then(|numbers| match numbers {
            [time, sequence, ..] => time.unsigned().zip(sequence.unsigned()),
            _ => None,
        });
        Ok(Sent {
            at: self.tester.now(),
            octets,
            primary: draft.primary.encode(),
            source: draft.primary.items[4].clone(),
            created: created.unwrap_or((u64::MAX, self.sequence)),
            payload: draft.payload_octets(),
        })
    }

    /// Sends what is to be taken for a bundle.
    ///
    /// # Errors
    /// As [`Peer::send`].
    pub fn send_octets(&mut self, octets: &[u8]) -> Result<(), Finding> {
        self.carrier.send(self.tester, octets)?;
        self.take_early();
        Ok(())
    }

    /// Until when what is sent at `at` must have come back.
    pub fn due(&self, at: Instant) -> Instant {
        at + self.tester.profile().round_trip + self.node.forwarding + self.tester.profile().response
    }

    /// Until when a report on what is sent at `at` must have come.
    pub fn report_due(&self, at: Instant) -> Instant {
        at + self.tester.profile().round_trip + self.node.reporting + self.tester.profile().response
    }

    /// The first that has come for which `take` has an answer; the others go on waiting. `None` when `until` has come.
    ///
    /// # Errors
    /// The node ends meanwhile, or breaks the carrier's rules.
    pub fn wait_for<T>(&mut self, until: Instant, take: impl Fn(&Came) -> Option<T>) -> Result<Option<T>, Finding> {
        loop {
            let found = self.waiting.iter().enumerate().find_map(|(place, came)| Some((place, take(came)?)));
            if let Some((place, taken)) = found {
                self.waiting.remove(place);
                return Ok(Some(taken));
            }
            if !self.step(until)? {
                return Ok(None);
            }
        }
    }

    /// Lets time pass until `until`, answering what the carrier must answer.
    ///
    /// # Errors
    /// As [`Peer::wait_for`].
    pub fn rest_until(&mut self, until: Instant) -> Result<(), Finding> {
        while self.step(until)? {}
        Ok(())
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// As [`Peer::wait_for`].
    pub fn rest(&mut self, time: Duration) -> Result<(), Finding> {
        self.rest_until(self.tester.now() + time)
    }

    /// What has come and was not asked for. It goes on waiting.
    pub fn waiting(&self) -> &[Came] {
        &self.waiting
    }

    /// Takes what comes next, or acts on the carrier's next timer. `false` when `until` has come.
    fn step(&mut self, until: Instant) -> Result<bool, Finding> {
        let timer = self.carrier.due().filter(|due| *due <= until);
        let wake = timer.unwrap_or(until).max(self.tester.now());
        let Some(arrival) = self.tester.wait_for(wake, |arrival| Some(arrival.clone()))? else {
            if timer.is_none() {
                return Ok(false);
            }
            self.carrier.wake(self.tester)?;
            self.take_early();
            return Ok(true);
        };
        if let Happening::Delivered { destination, payload } = &arrival.what {
            let what = What::Delivered(destination.clone(), payload.clone());
            self.waiting.push(Came { at: arrival.at, what });
            return Ok(true);
        }
        for octets in self.carrier.take(self.tester, &arrival)? {
            self.took(arrival.at, octets);
        }
        self.take_early();
        Ok(true)
    }

    fn take_early(&mut self) {
        let now = self.tester.now();
        for octets in self.carrier.early() {
            self.took(now, octets);
        }
    }

    fn took(&mut self, at: Instant, octets: Vec<u8>) {
        self.tester.took_bundle(at, &octets);
        let emitted = Emitted::read(&octets);
        self.waiting.push(Came { at, what: What::Bundle(octets, emitted) });
    }

    /// The bundle as it comes back, or one of its fragments, at the latest at `until`.
    ///
    /// # Errors
    /// As [`Peer::wait_for`].
    pub fn forwarded_until(&mut self, sent: &Sent, until: Instant) -> Result<Option<(Instant, Emitted)>, Finding> {
        self.wait_for(until, |came| match &came.what {
            What::Bundle(_, Some(bundle)) if sent.names(bundle) => Some((came.at, bundle.clone())),
            _ => None,
        })
    }

    /// The bundle as it comes back in time.
    ///
    /// # Errors
    /// It does not, or the node ends.
    pub fn forwarded(&mut self, sent: &Sent) -> Result<Emitted, Finding> {
        let until = self.due(sent.at.max(self.tester.now()));
        match self.forwarded_until(sent, until)? {
            Some((_, bundle)) => Ok(bundle),
            None => {
                Err(Finding::silence("the bundle comes back", self.instead(sent).unwrap_or("it did not".to_owned())))
            }
        }
    }

    /// What came in place of a bundle that was to come back.
    fn instead(&self, sent: &Sent) -> Option<String> {
        let of_it = self.waiting.iter().find_map(|came| match &came.what {
            What::Bundle(octets, bundle) if sent.is_in(octets) => Some(bundle.as_ref()),
            _ => None,
        });
        Some(match of_it? {
            Some(bundle) if bundle.is_record() => match Report::read(bundle) {
                Ok(report) => report.told(),
                Err(why) => format!("a report that cannot be read: {why}"),
            },
            Some(_) => "a bundle with part of its octets".to_owned(),
            None => "octets that are no bundle".to_owned(),
        })
    }

    /// Sends a bundle and takes it back.
    ///
    /// # Errors
    /// As [`Peer::send`] and [`Peer::forwarded`].
    pub fn pass(&mut self, draft: &Draft) -> Result<(Sent, Emitted), Finding> {
        let sent = self.send(draft)?;
        let bundle = self.forwarded(&sent)?;
        Ok((sent, bundle))
    }

    /// Whether the node still does what it did: the catalogue's ALIVE.
    ///
    /// # Errors
    /// The base bundle does not come back.
    pub fn alive(&mut self) -> Result<(), Finding> {
        let base = self.bundle();
        let sent = self.send(&base)?;
        self.forwarded(&sent).map(drop).map_err(|mut finding| {
            finding.expected = "a good bundle comes back".to_owned();
            finding
        })
    }

    /// Waits until nothing that was sent up to now can come back any more, the node being alive.
    ///
    /// # Errors
    /// The node is not alive.
    pub fn settle(&mut self) -> Result<(), Finding> {
        let until = self.due(self.tester.now());
        self.alive()?;
        self.rest_until(until)
    }

    /// What has come back of a bundle, the node's reports apart.
    pub fn came_back(&self, sent: &Sent) -> Option<(&[u8], Option<&Emitted>)> {
        self.waiting.iter().find_map(|came| match &came.what {
            What::Bundle(octets, bundle) => {
                let about = bundle.as_ref().is_some_and(|b| b.is_record() && !sent.names(b));
                (!about && sent.is_in(octets)).then_some((octets.as_slice(), bundle.as_ref()))
            }
            What::Delivered(..) => None,
        })
    }

    /// Nothing of a bundle has come back, nor was it delivered. To be asked after [`Peer::settle`].
    ///
    /// # Errors
    /// Something has.
    pub fn was_dropped(&self, sent: &Sent, why: &str) -> Result<(), Finding> {
        let expected = format!("the bundle is deleted: {why}");
        if self.came_back(sent).is_some() {
            return Err(Finding::deviation(expected, "it came back"));
        }
        match self.was_delivered(&sent.payload) {
            true => Err(Finding::deviation(expected, "it was delivered")),
            false => Ok(()),
        }
    }

    /// Nothing of a malformed bundle has come back but what was made a conforming bundle of (section 4.1), nor was it
    /// delivered. To be asked after [`Peer::settle`]. Returns whether it was repaired.
    ///
    /// # Errors
    /// Something else has.
    pub fn was_dropped_or_repaired(&self, sent: &Sent, why: &str) -> Result<bool, Finding> {
        let expected = format!("the malformed bundle is deleted, or repaired: {why}");
        if let Some((octets, _)) = self.came_back(sent) {
            return match rules::conforms(octets) {
                Err(broken) => Err(Finding::deviation(expected, format!("it came back, and {broken}"))),
                // To be passed on as it is, it would have to conform.
                Ok(()) if octets == sent.octets => Err(Finding::deviation(expected, "it came back as it was")),
                Ok(()) => Ok(true),
            };
        }
        match self.was_delivered(&sent.payload) {
            true => Err(Finding::deviation(expected, "it was delivered")),
            false => Ok(false),
        }
    }

    /// Whether data has been delivered that waits to be asked for.
    pub fn was_delivered(&self, payload: &[u8]) -> bool {
        payload.len() >= MARK
            && self.waiting.iter().any(|came| matches!(&came.what, What::Delivered(_, data) if data == payload))
    }

    /// Delivery of this data, at the latest at `until`.
    ///
    /// # Errors
    /// The node ends meanwhile.
    pub fn delivered(&mut self, payload: &[u8], until: Instant) -> Result<Option<Instant>, Finding> {
        self.wait_for(until, |came| match &came.what {
            What::Delivered(_, data) if data == payload => Some(came.at),
            _ => None,
        })
    }

    /// The first report on a bundle for which `take` has an answer, at the latest at `until`.
    ///
    /// # Errors
    /// One cannot be read, or the node ends.
    pub fn report_until<T>(
        &mut self,
        sent: &Sent,
        until: Instant,
        take: impl Fn(&Report) -> Option<T>,
    ) -> Result<Option<(Instant, Emitted, T)>, Finding> {
        let found = self.wait_for(until, |came| {
            let What::Bundle(_, Some(bundle)) = &came.what else { return None };
            if !bundle.is_record() || sent.names(bundle) {
                return None;
            }
            match Report::read(bundle) {
                Ok(report) if report.source == sent.source && report.created == sent.created => {
                    take(&report).map(|taken| Ok((came.at, bundle.clone(), taken)))
                }
                Ok(_) => None,
                Err(why) => sent.is_in(bundle.payload()).then_some(Err(why)),
            }
        })?;
        match found {
            Some(Ok(found)) => Ok(Some(found)),
            Some(Err(why)) => Err(Finding::deviation("a status report as section 6.1.1 has it", why)),
            None => Ok(None),
        }
    }

    /// A report on a bundle that says `what`, in time. All reports are only recommended (sections 5.4 to 5.10), so that none
    /// counts as a warning at most.
    ///
    /// # Errors
    /// There is none, or the node ends.
    pub fn report(
        &mut self,
        sent: &Sent,
        what: &str,
        is_it: impl Fn(&Report) -> bool,
    ) -> Result<(Emitted, Report), Finding> {
        let until = self.report_due(sent.at.max(self.tester.now()));
        match self.report_until(sent, until, |report| is_it(report).then(|| report.clone()))? {
            Some((_, bundle, report)) => Ok((bundle, report)),
            None => {
                let instead = self.instead(sent).unwrap_or("there is none".to_owned());
                Err(Finding::silence(format!("a status report: {what}"), instead).at_most(Grade::Warn))
            }
        }
    }

    /// The reports on a bundle that have come and were not asked for.
    pub fn reports_on(&self, sent: &Sent) -> Vec<Report> {
        let of = |came: &Came| match &came.what {
            What::Bundle(_, Some(bundle)) if bundle.is_record() && !sent.names(bundle) => {
                Report::read(bundle).ok().filter(|r| r.source == sent.source && r.created == sent.created)
            }
            _ => None,
        };
        self.waiting.iter().filter_map(of).collect()
    }

    /// Has the node send application data of its own to the tester.
    ///
    /// # Errors
    /// It cannot be told to, or the node ends.
    pub fn originate(&mut self, length: usize, flags: u64, anonymous: bool) -> Result<Vec<u8>, Finding> {
        if self.tester.profile().originate != Originate::Ordered {
            return Err(Finding::unsupported("the node cannot be told to send bundles of its own"));
        }
        let payload = self.random(length);
        self.tester.order(&Order::Originate {
            door: self.node.carrier,
            payload: payload.clone(),
            lifetime: Duration::from_secs(3600),
            flags,
            anonymous,
        })?;
        Ok(payload)
    }

    /// The bundle with application data of the node.
    ///
    /// # Errors
    /// It does not come in time, or the node ends.
    pub fn own(&mut self, payload: &[u8]) -> Result<(Instant, Emitted), Finding> {
        let until = self.due(self.tester.now());
        let found = self.wait_for(until, |came| match &came.what {
            What::Bundle(_, Some(bundle)) if bundle.payload() == payload => Some((came.at, bundle.clone())),
            _ => None,
        })?;
        found.ok_or_else(|| Finding::silence("the bundle that the node was told to send", "it did not come"))
    }

    /// Makes the node send a bundle of its own and, if it reports, a status report.
    ///
    /// # Errors
    /// Neither can be had, or one that is due does not come.
    pub fn own_traffic(&mut self) -> Result<Vec<(Instant, Emitted)>, Finding> {
        let mut own = Vec::new();
        if self.tester.profile().originate == Originate::Ordered {
            let payload = self.originate(BASE_PAYLOAD, 0, false)?;
            own.push(self.own(&payload)?);
        }
        if self.offers("sr") {
            let base = self.bundle().flags(flags::RECEPTION | flags::FORWARDING | flags::TIME);
            let sent = self.send(&base)?;
            let until = self.report_due(sent.at);
            if let Some((at, bundle, ())) = self.report_until(&sent, until, |_| Some(()))? {
                own.push((at, bundle));
            }
            self.forwarded(&sent)?;
        }
        match own.is_empty() {
            true => Err(Finding::unsupported("the node can be made to send no bundle of its own")),
            false => Ok(own),
        }
    }

    /// Closes the way from the node to the tester, or opens it.
    ///
    /// # Errors
    /// The profile gives no way.
    pub fn set_route(&mut self, open: bool) -> Result<(), Finding> {
        self.tester.order(&Order::Route { door: self.node.carrier, open })?;
        self.closed = !open;
        Ok(())
    }
}

impl Drop for Peer<'_, '_> {
    fn drop(&mut self) {
        if self.closed {
            // Whatever came of the case, the next one finds the way open, as far as that can be had.
            let _ = self.set_route(true);
        }
        self.carrier.close(self.tester);
    }
}

/// Whether octets hold others.
pub fn holds(octets: &[u8], mark: &[u8]) -> bool {
    mark.len() <= octets.len() && octets.windows(mark.len()).any(|window| window == mark)
}

/// Whether a bundle comes from the node itself: its source is an endpoint of the node.
pub fn is_own(bundle: &Emitted, node: &BundleProfile) -> bool {
    is_of_node(&bundle.head.source, &node.node)
}

/// Whether an endpoint ID, as an item, is one of a node.
pub fn is_of_node(item: &[u8], node: &Eid) -> bool {
    match node {
        Eid::Ipn { node, .. } => {
            let Ok(read) = cbor::whole(item) else { return false };
            let Some([scheme, numbers]) = read.array() else { return false };
            let numbers: Vec<u64> = numbers.array().unwrap_or(&[]).iter().filter_map(cbor::Item::unsigned).collect();
            let found = match numbers[..] {
                [node, _] => Some(node),
                // RFC 9758: allocator, node, service.
                [allocator, node, _] => Some(allocator << 32 | node),
                _ => None,
            };
            scheme.unsigned() == Some(2) && found == Some(*node)
        }
        Eid::Dtn(name) => {
            let wanted = eid(&Eid::Dtn(name.clone()));
            let Ok(read) = cbor::whole(item) else { return false };
            let Some([scheme, part]) = read.array() else { return false };
            let (cbor::Value::Text(text), Some(1)) = (&part.value, scheme.unsigned()) else { return wanted == item };
            String::from_utf8_lossy(&item[text.clone()]).starts_with(name.as_str())
        }
        Eid::None => false,
    }
}
