//! Reception, dispatch, forwarding and delivery (RFC 9171 §5.3–§5.7, §5.10).

use std::collections::BTreeSet;

use bytes::Bytes;
use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::{
    AdministrativeRecord, BlockFlags, Bundle, BundleAge, BundleFlags, CanonicalBlock, Eid, Extension, PrimaryBlock,
    ReasonCode, block_type,
};

use super::report::Event;
use super::store::Expiry;
use super::{Agent, BundleId, Expiring, Handle, Notice, Reassembly, Stored, bundle_id};

impl Agent {
    /// Bundle Reception (§5.6) of what a convergence layer has brought from neighbour `from`: one bundle, or several one
    /// after the other, as some stacks put them into an LTP block. What follows something that is no bundle is dropped with
    /// it.
    pub fn receive(&mut self, now: Instant, from: u64, bytes: &Bytes) {
        let mut rest = bytes.clone();
        while !rest.is_empty() {
            match Bundle::parse_prefix(&rest) {
                Ok((bundle, length)) => {
                    self.receive_bundle(now, from, &bundle, &rest);
                    rest = rest.slice(length..);
                }
                Err(error) => {
                    let reason = error.to_string();
                    self.notices.push_back(Notice::Unintelligible { from, bytes: rest.len() as u64, reason });
                    return;
                }
            }
        }
    }

    fn receive_bundle(&mut self, now: Instant, from: u64, bundle: &Bundle<'_>, bytes: &Bytes) {
        // A parsed bundle ends with its payload block (§4.1).
        let Some((payload_block, extensions)) = bundle.blocks.split_last() else { return };
        let primary = bundle.primary.clone();
        let payload = bytes.slice_ref(bundle.payload());
        let length = payload.len() as u64;
        let id = bundle_id(&primary, length);
        if self.seen.contains(&id) {
            self.notices.push_back(Notice::Duplicate { id, bytes: length });
            return;
        }
        self.notices.push_back(Notice::Received { id: id.clone(), bytes: length, from });
        if primary.flags.contains(BundleFlags::REPORT_RECEPTION) {
            self.report(now, &primary, length, Event::Received, ReasonCode::NoAdditionalInformation);
        }
        if is_malformed(bundle) {
            self.delete(now, &primary, length, ReasonCode::BlockUnintelligible);
            return;
        }
        let unprocessable = |flag| extensions.iter().any(|b| !is_known(b) && b.flags.contains(flag));
        if unprocessable(BlockFlags::REPORT_IF_UNPROCESSABLE) {
            // One report says it: it does not name the block.
            self.report(now, &primary, length, Event::Received, ReasonCode::BlockUnsupported);
        }
        let kept = extensions.iter().filter(|b| is_known(b) || !b.flags.contains(BlockFlags::DISCARD_IF_UNPROCESSABLE));
        let expiry = self.expiry(now, &primary, age_ms(bundle));
        let stored = Stored {
            primary,
            extensions: kept.cloned().map(CanonicalBlock::into_owned).collect(),
            payload,
            payload_flags: payload_block.flags,
            payload_crc: payload_block.crc,
            arrived: now,
            expiry,
            next_hop: 0,
            in_transit: false,
            failed_attempts: 0,
        };
        let refusal = if unprocessable(BlockFlags::DELETE_BUNDLE_IF_UNPROCESSABLE) {
            Some(ReasonCode::BlockUnsupported)
        } else if expiry.at <= now {
            Some(expiry.reason)
        } else if stored.footprint() > self.free_bytes() {
            Some(ReasonCode::DepletedStorage)
        } else {
            None
        };
        if let Some(reason) = refusal {
            self.delete(now, &stored.primary, length, reason);
            return;
        }
        self.remember(id, expiry);
        self.dispatch(now, stored);
    }

    /// Bundle Dispatching (§5.3).
    pub(super) fn dispatch(&mut self, now: Instant, mut stored: Stored) {
        let destination = &stored.primary.destination;
        if destination.node() == Some(self.config.node) {
            self.deliver_locally(now, stored);
            return;
        }
        let length = stored.payload_length();
        let Some(next_hop) = self.next_hop(destination) else {
            self.delete(now, &stored.primary, length, ReasonCode::NoKnownRoute);
            return;
        };
        if stored.hops().is_some_and(|hops| hops.count >= hops.limit) {
            self.delete(now, &stored.primary, length, ReasonCode::HopLimitExceeded);
            return;
        }
        stored.next_hop = next_hop;
        let handle = Handle(self.next_handle);
        self.next_handle += 1;
        self.stored_bytes += stored.footprint();
        self.expiries.insert((stored.expiry.at, Expiring::Stored(handle)));
        self.store.insert(handle, stored);
        self.queues.entry(next_hop).or_default().push_back(handle);
    }

    /// Local Bundle Delivery (§5.7), with reassembly (§5.9).
    fn deliver_locally(&mut self, now: Instant, stored: Stored) {
        let bytes = stored.payload_length();
        let id = stored.id().whole();
        let Some(fragment) = stored.primary.fragment else {
            // Fragments of it that have come on another way are of no more use.
            self.end_reassembly(&id);
            self.deliver(now, stored.primary, vec![stored.payload]);
            return;
        };
        if self.seen.contains(&id) {
            // The whole has been delivered; this fragment overlaps what made it up.
            self.notices.push_back(Notice::Duplicate { id: stored.id(), bytes });
            return;
        }
        let reassembly = self.reassemblies.entry(id.clone()).or_insert_with(|| {
            let begun = Reassembly::new(&stored.primary, fragment, stored.expiry);
            self.stored_bytes += begun.footprint();
            self.expiries.insert((stored.expiry.at, Expiring::Reassembly(id.clone())));
            begun
        });
        if !reassembly.agrees_with(fragment) {
            self.delete(now, &stored.primary, bytes, ReasonCode::BlockUnintelligible);
            return;
        }
        self.stored_bytes -= reassembly.footprint();
        reassembly.add(fragment, &stored.payload);
        self.stored_bytes += reassembly.footprint();
        if !reassembly.is_whole() {
            return;
        }
        if let Some(reassembly) = self.end_reassembly(&id) {
            self.remember(id, reassembly.expiry());
            let (primary, payload) = reassembly.finish();
            self.deliver(now, primary, payload);
        }
    }

    fn deliver(&mut self, now: Instant, primary: PrimaryBlock, payload: Vec<Bytes>) {
        let length: u64 = payload.iter().map(|p| p.len() as u64).sum();
        let service = match primary.destination {
            Eid::Ipn { service, .. } => service,
            _ => return self.delete(now, &primary, length, ReasonCode::DestinationUnavailable),
        };
        if primary.flags.contains(BundleFlags::IS_ADMIN_RECORD) && service == 0 {
            self.handle_record(now, &primary, &payload.concat());
            return;
        }
        if !self.services.contains(&service) {
            self.delete(now, &primary, length, ReasonCode::DestinationUnavailable);
            return;
        }
        let id = bundle_id(&primary, length);
        let destination = primary.destination.clone();
        self.notices.push_back(Notice::Delivered { id, destination, payload });
        if primary.flags.contains(BundleFlags::REPORT_DELIVERY) {
            self.report(now, &primary, length, Event::Delivered, ReasonCode::NoAdditionalInformation);
        }
    }

    fn handle_record(&mut self, now: Instant, primary: &PrimaryBlock, payload: &[u8]) {
        match AdministrativeRecord::parse(payload) {
            Ok(AdministrativeRecord::StatusReport(report)) => {
                self.notices.push_back(Notice::Reported { by: primary.source.clone(), report });
            }
            Ok(AdministrativeRecord::Unknown { .. }) | Err(_) => {
                self.delete(now, primary, payload.len() as u64, ReasonCode::BlockUnintelligible);
            }
        }
    }

    /// Bundle Deletion (§5.10) of a bundle that is no longer in the store.
    pub(super) fn delete(&mut self, now: Instant, primary: &PrimaryBlock, length: u64, reason: ReasonCode) {
        let id = bundle_id(primary, length);
        self.notices.push_back(Notice::Deleted { id, bytes: length, reason });
        if primary.flags.contains(BundleFlags::REPORT_DELETION) {
            self.report(now, primary, length, Event::Deleted, reason);
        }
    }

    /// When a bundle expires (§5.5): by its creation time, or by its age where the source had no clock.
    pub(super) fn expiry(&self, now: Instant, primary: &PrimaryBlock, age_ms: u64) -> Expiry {
        let millis = |ms: u64| Duration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
        let lifetime = millis(primary.lifetime_ms);
        let end_of_life = match primary.creation.time_ms {
            // An age beyond the lifetime ends before now.
            0 => now - millis(age_ms) + lifetime,
            created => {
                let zero = self.config.dtn_time_at_zero_ms;
                let since_zero = i64::try_from(i128::from(created) - i128::from(zero)).unwrap_or(i64::MAX);
                Instant::ZERO + Duration::from_millis(since_zero) + lifetime
            }
        };
        Expiry::new(now, end_of_life)
    }

    /// Has a bundle that comes again dropped. Anonymous bundles cannot be told from one another (§4.2.3), so none is a
    /// duplicate.
    fn remember(&mut self, id: BundleId, expiry: Expiry) {
        if id.source != Eid::None {
            self.expiries.insert((expiry.at, Expiring::Seen(id.clone())));
            self.seen.insert(id);
        }
    }
}

/// Whether this agent can process an extension block: the types that every node must know (§4.4).
fn is_known(block: &CanonicalBlock<'_>) -> bool {
    matches!(block.block_type, block_type::PREVIOUS_NODE | block_type::BUNDLE_AGE | block_type::HOP_COUNT)
}

/// Whether a bundle that can be read breaks a rule without which it cannot be handled (§5.6 step 3).
fn is_malformed(bundle: &Bundle<'_>) -> bool {
    // §4.2.3: without a source nothing says which fragments belong together.
    let anonymous_fragment = bundle.primary.fragment.is_some() && bundle.primary.source == Eid::None;
    // §4.3.1: a fragment is an extent of its application data unit.
    let beyond_unit = bundle.primary.fragment.is_some_and(|fragment| {
        let end = fragment.offset.checked_add(bundle.payload().len() as u64);
        end.is_none_or(|end| end > fragment.total_length)
    });
    // §4.4.1 to §4.4.3: at most one block of each type.
    let mut types = BTreeSet::new();
    let unreadable_or_repeated =
        bundle.blocks.iter().filter(|b| is_known(b)).any(|b| Extension::of(b).is_err() || !types.insert(b.block_type));
    anonymous_fragment || beyond_unit || unreadable_or_repeated
}

fn age_ms(bundle: &Bundle<'_>) -> u64 {
    let block = bundle.extension(block_type::BUNDLE_AGE);
    block.and_then(|b| BundleAge::parse(&b.data).ok()).map_or(0, |age| age.0)
}
