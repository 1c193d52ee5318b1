//! A channel and all that its events have told, for tests.
#![allow(dead_code, reason = "not every test needs all of it")]

use bytes::Bytes;
use farlink_channel_models::{Errors, LightTime, Rate};
use farlink_link::{Arrival, Channel, ChannelConfig, Contacts, ControlError, Damaged};
use farlink_record::control::{Control, Fault, FaultAction, FrameMatch};
use farlink_record::counters::ChannelCounters;
use farlink_record::{ChannelId, Event, LossCause};
use farlink_units::{BitRate, Duration, Instant};

pub fn ms(ms: i64) -> Instant {
    Instant::ZERO + Duration::from_millis(ms)
}

/// The next `count` frames after `skip`, of any kind.
pub fn fault(action: FaultAction, skip: u64, count: Option<u64>) -> Fault {
    Fault { action, only: FrameMatch::default(), skip, count, each_session: false }
}

pub struct Bed {
    pub channel: Channel,
    pub counters: ChannelCounters,
    pub losses: Vec<(u64, LossCause)>,
    pub struck: Vec<(u64, FaultAction)>,
    told: Vec<Event>,
}

impl Bed {
    /// 8 kbit/s, so that a byte takes a millisecond; four seconds of light time.
    pub fn new(change: impl FnOnce(&mut ChannelConfig)) -> Self {
        let mut config = ChannelConfig {
            id: ChannelId(0),
            rate: Rate::constant(BitRate::from_bps(8000).unwrap()),
            overhead_bits: 0,
            contacts: Contacts::Always,
            light_time: LightTime::Constant(Duration::from_secs(4)),
            errors: Errors::none(),
            damaged: Damaged::Drop,
            radio: None,
            queue_bits: 1 << 20,
            seed: 1,
        };
        change(&mut config);
        Bed {
            channel: Channel::new(config),
            counters: ChannelCounters::default(),
            losses: Vec::new(),
            struck: Vec::new(),
            told: Vec::new(),
        }
    }

    /// A channel that takes no time for its frames, a millisecond of light time.
    pub fn quick() -> Self {
        Bed::new(|c| {
            c.rate = Rate::constant(BitRate::from_bps(1_000_000_000_000).unwrap());
            c.light_time = LightTime::Constant(Duration::from_millis(1));
        })
    }

    pub fn offer(&mut self, now: Instant, bytes: usize) {
        self.offer_content(now, vec![0x55; bytes]);
    }

    pub fn offer_content(&mut self, now: Instant, content: impl Into<Bytes>) {
        let told = &mut self.told;
        self.channel.offer(now, content.into(), |event| told.push(event));
        self.count();
    }

    pub fn try_control(&mut self, now: Instant, control: &Control) -> Result<(), ControlError> {
        let told = &mut self.told;
        let done = self.channel.control(now, control, |event| told.push(event));
        self.count();
        done
    }

    pub fn control(&mut self, now: Instant, control: Control) {
        self.try_control(now, &control).unwrap_or_else(|error| panic!("{control}: {error}"));
    }

    pub fn fault(&mut self, now: Instant, fault: Fault) {
        self.control(now, Control::Fault(fault));
    }

    /// Takes what has arrived by `now`.
    pub fn take(&mut self, now: Instant) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        while let Some(arrival) = self.channel.take_due(now) {
            self.told.push(arrival.event(ChannelId(0)));
            self.count();
            arrivals.push(arrival);
        }
        arrivals
    }

    /// Takes all there is, as a driver does that wakes when the channel says.
    pub fn drain(&mut self) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        let mut before = None;
        while let Some(due) = self.channel.next_due() {
            let taken = self.take(due);
            assert!(!taken.is_empty() || before < Some(due), "the channel says {due} twice, and has nothing");
            before = Some(due);
            arrivals.extend(taken);
        }
        arrivals
    }

    /// The numbers of the frames that arrive, and when, in milliseconds.
    pub fn arrivals(&mut self) -> Vec<(u64, i64)> {
        self.drain().iter().filter(|a| a.delivered()).map(|a| (a.frame, a.at.as_nanos() / 1_000_000)).collect()
    }

    /// What was sent or copied is delivered, lost or in the channel's own store, at every moment.
    fn count(&mut self) {
        for event in std::mem::take(&mut self.told) {
            self.counters.apply(&event);
            match event {
                Event::FrameLost { frame, cause, .. } => self.losses.push((frame, cause)),
                Event::FrameStruck { frame, action, .. } => self.struck.push((frame, action)),
                _ => {}
            }
        }
        assert!(self.counters.balanced());
        assert_eq!(self.counters.in_flight(), self.channel.in_flight());
    }
}
