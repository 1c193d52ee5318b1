//! When the contacts of a channel open and close, one edge after the other.

use farlink_record::Event;
use farlink_record::control::{Control, Restorable};
use farlink_units::{Duration, Instant};

use crate::channel::Channel;

/// How often the light time of an open channel is told.
const LIGHT_TIME_INTERVAL: Duration = Duration::from_secs(60);

/// The edges of a channel's contacts, as its owner passes them.
#[derive(Debug)]
pub(crate) struct Edges {
    /// The contact that opens or closes next.
    contact: usize,
    open: bool,
    edge: Option<Instant>,
    light_time: Option<Instant>,
}

impl Edges {
    /// Before the first contact. One that began long ago opens with the bench.
    pub(crate) fn new(of: &Channel) -> Self {
        let edge = of.contacts().intervals().first().map(|interval| interval.start.max(Instant::ZERO));
        Edges { contact: 0, open: false, edge, light_time: None }
    }

    /// When something is to be told.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.edge.into_iter().chain(self.light_time).min()
    }

    /// Passes what [`Edges::next`] told, and gives the event that tells of it.
    pub(crate) fn pass(&mut self, of: &Channel) -> Event {
        let channel = of.id();
        let interval = |contact: usize| of.contacts().intervals().get(contact);
        match (self.edge, self.light_time) {
            (edge, Some(at)) if edge.is_none_or(|edge| at < edge) => {
                self.light_time = Some(at + LIGHT_TIME_INTERVAL);
                Event::LightTime { channel, light_time: of.light_time(at).into() }
            }
            (Some(at), _) if !self.open => {
                self.open = true;
                let until = interval(self.contact).map_or(Instant::MAX, |interval| interval.end);
                self.edge = bounded(until);
                self.light_time = Some(at + LIGHT_TIME_INTERVAL);
                Event::ContactOpened { channel, until, light_time: of.light_time(at).into() }
            }
            _ => {
                self.open = false;
                self.contact += 1;
                self.edge = interval(self.contact).map(|interval| interval.start);
                self.light_time = None;
                Event::ContactClosed { channel }
            }
        }
    }

    /// Tells what a control, obeyed at `now`, has changed of contact and light time, and turns to the next edge that there is now.
    pub(crate) fn follow(&mut self, now: Instant, control: &Control, of: &Channel, mut emit: impl FnMut(Event)) {
        use Restorable::{All, Contact, Delay};
        let channel = of.id();
        let was_open = self.open;
        if matches!(control, Control::Contact { .. } | Control::Restore { what: Contact | All }) {
            let contacts = of.contacts();
            let open = contacts.open_at(now);
            self.contact = contacts.intervals().partition_point(|interval| interval.end <= now);
            self.open = open.is_some();
            match open {
                Some(open) if !was_open => {
                    emit(Event::ContactOpened { channel, until: open.end, light_time: of.light_time(now).into() });
                }
                None if was_open => emit(Event::ContactClosed { channel }),
                _ => {}
            }
            let next = contacts.intervals().get(self.contact);
            self.edge = next.and_then(|next| bounded(if self.open { next.end } else { next.start }));
            if self.open != was_open {
                self.light_time = self.open.then_some(now + LIGHT_TIME_INTERVAL);
            }
        }
        if matches!(control, Control::Delay { .. } | Control::Restore { what: Delay | All }) && was_open && self.open {
            emit(Event::LightTime { channel, light_time: of.light_time(now).into() });
            self.light_time = Some(now + LIGHT_TIME_INTERVAL);
        }
    }
}

fn bounded(at: Instant) -> Option<Instant> {
    Some(at).filter(|at| *at < Instant::MAX)
}
