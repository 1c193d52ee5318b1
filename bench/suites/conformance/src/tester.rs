//! The tester: what a case does with the medium, written down step by step.

use std::collections::BTreeSet;

use farlink_units::{Duration, Instant};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::exchange::{By, Deed, Exchange};
use crate::medium::{Arrival, Door, Happening, Medium, Order, Stream, Unable};
use crate::outcome::Finding;
use crate::profile::{BundleProfile, LtpProfile, Profile, TcpclProfile};

/// The peer that a case plays. Everything that goes to and fro is written down.
///
/// What has arrived and was not asked for waits, in order, until a case asks for it or [`Tester::forget`]s it.
pub struct Tester<'a> {
    medium: &'a mut dyn Medium,
    profile: &'a Profile,
    exchange: Exchange,
    waiting: Vec<Arrival>,
    notes: Vec<String>,
    ended: Option<String>,
    /// Doors at which the case has to do with connections.
    attended: BTreeSet<Door>,
    /// Random draws of the case. The seed stands in the results.
    pub rng: ChaCha8Rng,
}

impl<'a> Tester<'a> {
    /// A tester over a medium.
    pub fn new(medium: &'a mut dyn Medium, profile: &'a Profile, seed: u64) -> Self {
        Tester {
            medium,
            profile,
            exchange: Exchange::default(),
            waiting: Vec::new(),
            notes: Vec::new(),
            ended: None,
            attended: BTreeSet::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// What is known of the node.
    pub fn profile(&self) -> &'a Profile {
        self.profile
    }

    /// What is known of its LTP engine.
    ///
    /// # Errors
    /// It has none.
    pub fn ltp(&self) -> Result<&'a LtpProfile, Finding> {
        self.profile.ltp.as_ref().ok_or_else(|| Finding::unsupported("the node speaks no LTP"))
    }

    /// What is known of its bundle agent.
    ///
    /// # Errors
    /// It has none.
    pub fn bundles(&self) -> Result<&'a BundleProfile, Finding> {
        self.profile.bundles.as_ref().ok_or_else(|| Finding::unsupported("the node has no bundle agent"))
    }

    /// What is known of its TCP convergence layer.
    ///
    /// # Errors
    /// It has none.
    pub fn tcpcl(&self) -> Result<&'a TcpclProfile, Finding> {
        self.profile.tcpcl.as_ref().ok_or_else(|| Finding::unsupported("the node speaks no TCPCL"))
    }

    /// The time at the tester.
    pub fn now(&self) -> Instant {
        self.medium.now()
    }

    /// What has gone to and fro.
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// How the node ended, if it has.
    pub fn ended(&self) -> Option<&str> {
        self.ended.as_deref()
    }

    /// Writes something down that the results shall tell, whatever the outcome.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Writes down a bundle that has come from the node, whatever carried it.
    pub(crate) fn took_bundle(&mut self, at: Instant, octets: &[u8]) {
        self.exchange.bundles.push((at, octets.to_vec()));
    }

    /// Sends a datagram.
    ///
    /// # Errors
    /// The node has no such door.
    pub fn send(&mut self, door: Door, octets: &[u8]) -> Result<(), Finding> {
        self.exchange.push(self.medium.now(), By::Tester, Deed::Datagram(door, octets.to_vec()));
        self.medium.send(door, octets).map_err(unable)
    }

    /// Asks for a connection, and waits until it stands.
    ///
    /// # Errors
    /// The node refuses it or does not answer in time.
    pub fn connect(&mut self, door: Door) -> Result<Stream, Finding> {
        if let (Door::Tcpcl, Some(tcpcl)) = (door, &self.profile.tcpcl) {
            self.rest(tcpcl.pause)?;
        }
        self.attended.insert(door);
        let stream = self.medium.connect(door).map_err(unable)?;
        self.exchange.push(self.medium.now(), By::Tester, Deed::Opened(stream));
        let until = self.now() + self.profile.answer_time();
        let expected = format!("a connection for {}", door.as_str());
        let outcome = self.wait_for(until, |arrival| match &arrival.what {
            Happening::Opened { stream: opened } if *opened == stream => Some(true),
            Happening::Reset { stream: refused } if *refused == stream => Some(false),
            _ => None,
        })?;
        match outcome {
            Some(true) => Ok(stream),
            Some(false) => Err(Finding::deviation(expected, "it is refused")),
            None => Err(Finding::silence(expected, "no answer")),
        }
    }

    /// Waits for a connection that the node opens.
    ///
    /// # Errors
    /// The node ends meanwhile.
    pub fn accept(&mut self, door: Door, until: Instant) -> Result<Option<Stream>, Finding> {
        self.wait_for(until, |arrival| match &arrival.what {
            Happening::Opened { stream } if stream.door == door => Some(*stream),
            _ => None,
        })
    }

    /// Writes octets to a connection.
    ///
    /// # Errors
    /// The port refuses.
    pub fn write(&mut self, stream: Stream, octets: &[u8]) -> Result<(), Finding> {
        self.exchange.push(self.medium.now(), By::Tester, Deed::Octets(stream, octets.to_vec()));
        self.medium.write(stream, octets).map_err(unable)
    }

    /// Closes this direction of a connection in order.
    pub fn finish(&mut self, stream: Stream) {
        self.exchange.push(self.medium.now(), By::Tester, Deed::Finished(stream));
        self.medium.finish(stream);
    }

    /// Closes a connection with a reset.
    pub fn reset(&mut self, stream: Stream) {
        self.exchange.push(self.medium.now(), By::Tester, Deed::Reset(stream));
        self.medium.reset(stream);
    }

    /// Ends what is left open when a case is over.
    pub(crate) fn release(&mut self) {
        for stream in self.medium.release() {
            self.exchange.push(self.medium.now(), By::Tester, Deed::Reset(stream));
        }
        self.forget();
    }

    /// Whether what the node sends on a connection is read.
    pub fn set_reading(&mut self, stream: Stream, reading: bool) {
        self.medium.set_reading(stream, reading);
    }

    /// Takes or refuses connections of the node.
    pub fn set_listening(&mut self, door: Door, listening: bool) {
        self.attended.insert(door);
        self.medium.set_listening(door, listening);
    }

    /// Makes the node do something.
    ///
    /// # Errors
    /// The description gives no way, or the way fails.
    pub fn order(&mut self, order: &Order) -> Result<(), Finding> {
        let told = match order {
            Order::Originate { door, payload, .. } => {
                format!("the node is told to send {} octets over {}", payload.len(), door.as_str())
            }
            Order::CancelSending => "the node's client cancels what is being sent".to_owned(),
            Order::CancelReceiving => "the node's client cancels what is being received".to_owned(),
            Order::Terminate => "the node is told to end its sessions".to_owned(),
            Order::Route { door, open } => {
                format!("the way over {} is {}", door.as_str(), if *open { "opened" } else { "closed" })
            }
            Order::Poll => "the application asks for what waits".to_owned(),
            Order::CancelBundle => "the application cancels the bundle that it asked to be sent last".to_owned(),
            Order::Restart => "the node is ended and started again".to_owned(),
        };
        self.exchange.push(self.medium.now(), By::Tester, Deed::Note(told));
        self.medium.order(order).map_err(unable)
    }

    /// The first arrival for which `take` has an answer; those before it go on waiting. `None` when `until` has come. What
    /// has come before and was not asked for is looked at first.
    ///
    /// # Errors
    /// The node ends meanwhile.
    pub fn wait_for<T>(
        &mut self,
        until: Instant,
        mut take: impl FnMut(&Arrival) -> Option<T>,
    ) -> Result<Option<T>, Finding> {
        let found = self.waiting.iter().enumerate().find_map(|(place, arrival)| Some((place, take(arrival)?)));
        if let Some((place, taken)) = found {
            let arrival = self.waiting.remove(place);
            self.attend(&arrival);
            return Ok(Some(taken));
        }
        while let Some(arrival) = self.receive(until)? {
            if let Some(taken) = take(&arrival) {
                self.attend(&arrival);
                return Ok(Some(taken));
            }
            self.waiting.push(arrival);
        }
        Ok(None)
    }

    /// The case has taken an arrival: what happens at its door is of the case.
    fn attend(&mut self, arrival: &Arrival) {
        if let Happening::Opened { stream } | Happening::Reset { stream } = &arrival.what {
            self.attended.insert(stream.door);
        }
    }

    /// Lets time pass until `until`. What arrives goes on waiting.
    ///
    /// # Errors
    /// The node ends meanwhile.
    pub fn rest_until(&mut self, until: Instant) -> Result<(), Finding> {
        while let Some(arrival) = self.receive(until)? {
            self.waiting.push(arrival);
        }
        Ok(())
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// The node ends meanwhile.
    pub fn rest(&mut self, time: Duration) -> Result<(), Finding> {
        self.rest_until(self.now() + time)
    }

    /// What has arrived and was not asked for. It goes on waiting.
    pub fn waiting(&self) -> &[Arrival] {
        &self.waiting
    }

    /// Forgets what has arrived and was not asked for.
    pub fn forget(&mut self) {
        self.waiting.clear();
    }

    /// Data that the node hands to an application, at the latest at `until`.
    ///
    /// # Errors
    /// The node ends meanwhile.
    pub fn delivery(&mut self, until: Instant) -> Result<Option<Vec<u8>>, Finding> {
        self.wait_for(until, |arrival| match &arrival.what {
            Happening::Delivered { payload, .. } => Some(payload.clone()),
            _ => None,
        })
    }

    fn receive(&mut self, until: Instant) -> Result<Option<Arrival>, Finding> {
        let Some(arrival) = self.medium.next(until) else { return Ok(None) };
        self.exchange.arrived(&arrival);
        if let Happening::Ended { how } = arrival.what {
            let finding = Finding {
                kind: crate::outcome::Kind::Ended,
                expected: "a node that goes on".to_owned(),
                actual: how.clone(),
            };
            self.ended = Some(how);
            return Err(finding);
        }
        Ok(Some(arrival))
    }

    /// What is left of the tester when the case is over: the exchange, and what was written down. A node that tries to connect
    /// where the case awaits nobody has nothing to do with the case, and such attempts are left out.
    pub fn into_parts(mut self) -> (Exchange, Vec<String>) {
        self.exchange.forget_refused(&self.attended);
        (self.exchange, self.notes)
    }
}

fn unable(why: Unable) -> Finding {
    match why {
        Unable::Unsupported(why) => Finding::unsupported(why),
        Unable::Failed(why) => Finding::bench_error(why),
    }
}
