//! When the contacts of a channel open and close, one edge after the other.

use farlink_channel_models::Interval;
use farlink_record::Event;
use farlink_units::{Duration, Instant};

use crate::channel::{Channel, Contacts};

/// How often the light time of an open channel is told.
const LIGHT_TIME_INTERVAL: Duration = Duration::from_secs(60);

/// The edges of a channel's planned contacts.
#[derive(Debug)]
pub(crate) struct Edges {
    /// The contact that opens or closes next.
    contact: usize,
    open: bool,
    edge: Option<Instant>,
    light_time: Option<Instant>,
}

impl Edges {
    pub(crate) fn new(contacts: &Contacts) -> Self {
        let edge = interval(contacts, 0).map(|interval| interval.start);
        Edges { contact: 0, open: false, edge, light_time: None }
    }

    /// When something is to be told.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.edge.into_iter().chain(self.light_time).min()
    }

    /// Passes what [`Edges::next`] told, and gives the event that tells of it.
    pub(crate) fn pass(&mut self, of: &Channel) -> Event {
        let channel = of.id();
        match (self.edge, self.light_time) {
            (edge, Some(at)) if edge.is_none_or(|edge| at < edge) => {
                self.light_time = Some(at + LIGHT_TIME_INTERVAL);
                Event::LightTime { channel, light_time: of.light_time(at).into() }
            }
            (Some(at), _) if !self.open => {
                self.open = true;
                let until = interval(of.contacts(), self.contact).map_or(Instant::MAX, |interval| interval.end);
                self.edge = Some(until).filter(|until| *until < Instant::MAX);
                self.light_time = Some(at + LIGHT_TIME_INTERVAL);
                Event::ContactOpened { channel, until, light_time: of.light_time(at).into() }
            }
            _ => {
                self.open = false;
                self.contact += 1;
                self.edge = interval(of.contacts(), self.contact).map(|interval| interval.start);
                self.light_time = None;
                Event::ContactClosed { channel }
            }
        }
    }
}

fn interval(contacts: &Contacts, index: usize) -> Option<Interval> {
    match contacts {
        Contacts::Always => (index == 0).then_some(Interval { start: Instant::ZERO, end: Instant::MAX }),
        Contacts::During(intervals) => intervals.get(index).copied(),
    }
}
