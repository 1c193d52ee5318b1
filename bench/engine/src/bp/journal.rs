//! What outlives the process: changes as they happen, and the way back after a restart.

use bytes::Bytes;
use farlink_units::Instant;
use farlink_wire::bpv7::{Bundle, Eid};

use super::api::instant_of_dtn;
use super::store::name_bytes;
use super::{Agent, BundleId, Change, Notice, Snapshot};

impl Agent {
    /// The next change that must outlive the process, in the order in which they came about. Empty unless
    /// [`Config::journal`](super::Config::journal) is set.
    pub fn poll_change(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    pub(super) fn change(&mut self, change: impl FnOnce() -> Change) {
        if self.config.journal {
            self.changes.push_back(change());
        }
    }

    /// Takes up what a store has kept, before anything else happens to this agent but registrations and routes. Bundles
    /// that have expired meanwhile are deleted, with reports; application data whose delivery was not confirmed is
    /// delivered; the rest is forwarded.
    ///
    /// A record that is no bundle, which only a damaged store can hold, is dropped with a
    /// [`Notice::Unintelligible`] from this node itself.
    pub fn restore(&mut self, now: Instant, snapshot: Snapshot) {
        let zero = self.config.dtn_time_at_zero_ms;
        if let Some(created) = snapshot.created {
            self.last_creation = self.last_creation.max(created);
        }
        for (id, until_ms) in snapshot.remembered {
            self.remember_quietly(id, instant_of_dtn(zero, until_ms));
        }
        let mut restored = Vec::with_capacity(snapshot.bundles.len());
        for (handle, record) in snapshot.bundles {
            self.next_handle = self.next_handle.max(handle.0.saturating_add(1));
            let length = record.bundle.len();
            let bytes: Bytes = record.bundle.slice(0, usize::try_from(length).unwrap_or(usize::MAX));
            match Bundle::parse(&bytes) {
                Ok(bundle) => {
                    let arrived = instant_of_dtn(zero, record.arrived_ms);
                    let stored = self.stored_of(arrived, &bundle, (&bytes, bytes.len()));
                    let (id, until) = (stored.id(), stored.expiry.at);
                    self.keep(handle, stored);
                    restored.push(handle);
                    // The process may have ended between keeping and remembering it.
                    if id.source != Eid::None && !self.is_here(&id.source) && !self.seen.contains_key(&id) {
                        self.remember(id, until);
                    }
                }
                Err(error) => {
                    let (from, reason) = (self.config.node_id.clone(), format!("in the store: {error}"));
                    self.notices.push_back(Notice::Unintelligible { from, bytes: length, reason });
                    self.change(|| Change::Remove { handle });
                }
            }
        }
        self.handle_timeout(now);
        for handle in restored {
            if self.store.contains_key(&handle) {
                self.dispatch(now, handle);
            }
        }
    }

    /// Has a bundle that comes again dropped, for as long as it could come (§5.5).
    pub(super) fn remember(&mut self, id: BundleId, until: Instant) {
        let until_ms = self.dtn_time_ms(until).saturating_add(1);
        self.change(|| Change::Remember { id: id.clone(), until_ms });
        self.remember_quietly(id, until);
    }

    /// The same without a note for after a restart.
    pub(super) fn remember_quietly(&mut self, id: BundleId, until: Instant) {
        match self.seen.insert(id.clone(), until) {
            Some(before) => drop(self.forgetting.remove(&(before, id.clone()))),
            None => self.seen_places += places(&id),
        }
        self.forgetting.insert((until, id));
        while self.seen_places > self.config.memory_limit && !self.forgetting.is_empty() {
            self.forget_first();
        }
    }

    pub(super) fn forget_first(&mut self) {
        if let Some((_, id)) = self.forgetting.pop_first() {
            self.seen.remove(&id);
            self.seen_places = self.seen_places.saturating_sub(places(&id));
            self.change(|| Change::Forget { id });
        }
    }
}

/// How many places a remembered bundle takes up: a long name counts as several.
fn places(id: &BundleId) -> usize {
    1 + name_bytes(&id.source) / 64
}
