//! Brings notices to the view without ever holding up whoever has them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use farlink_record::{Event, Stamped};

/// How many notices may wait for the view, which looks some times a second.
const WAITING: usize = 4096;

/// Where notices are told.
#[derive(Clone, Debug)]
pub struct Teller {
    to: SyncSender<Stamped>,
    missed: Arc<AtomicU64>,
}

/// Where the view gets them.
#[derive(Debug)]
pub struct Notices {
    from: Receiver<Stamped>,
    missed: Arc<AtomicU64>,
}

/// A way for notices, and its two ends.
pub fn notices() -> (Teller, Notices) {
    let (to, from) = sync_channel(WAITING);
    let missed = Arc::new(AtomicU64::new(0));
    (Teller { to, missed: Arc::clone(&missed) }, Notices { from, missed })
}

impl Teller {
    /// Tells an event if it is a notice. One that finds no room is counted; where the view has gone nothing happens.
    pub fn tell(&self, stamped: &Stamped) {
        if is_notice(&stamped.event)
            && let Err(TrySendError::Full(_)) = self.to.try_send(stamped.clone())
        {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Notices {
    /// The notices that wait, and no more than may wait at once: this ends however fast others come.
    pub fn waiting(&self) -> impl Iterator<Item = Stamped> {
        self.from.try_iter().take(WAITING)
    }

    /// How many found no room.
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}

/// Whether an event is one of those that the view logs.
pub fn is_notice(event: &Event) -> bool {
    matches!(
        event,
        Event::ContactOpened { .. }
            | Event::ContactClosed { .. }
            | Event::Controlled { .. }
            | Event::Port { .. }
            | Event::Disturbed { .. }
    )
}
