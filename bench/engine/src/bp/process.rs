//! Reception, dispatch, forwarding and delivery (RFC 9171 §5.3–§5.7, §5.10).

use bytes::Bytes;
use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::{
    AdministrativeRecord, BlockFlags, Bundle, BundleAge, BundleFlags, CanonicalBlock, CrcType, Eid, HopCount,
    PreviousNode, PrimaryBlock, ReasonCode, block_type,
};

use super::report::Event;
use super::{Agent, BundleId, Expiring, Handle, Notice, Reassembly, Stored, bundle_id};
use crate::ltp::Block;

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
        let primary = bundle.primary.clone();
        let payload = bytes.slice_ref(bundle.payload());
        let length = payload.len() as u64;
        let id = bundle_id(&primary, length);
        let mut extensions = Vec::new();
        let (mut hops, mut age, mut payload_crc) = (None, None, CrcType::None);
        let mut unsupported = None;
        for block in &bundle.blocks {
            match block.block_type {
                block_type::PAYLOAD => payload_crc = block.crc,
                block_type::PREVIOUS_NODE => {}
                block_type::HOP_COUNT => hops = HopCount::parse(&block.data).ok().map(|h| (h.limit, h.count)),
                block_type::BUNDLE_AGE => age = BundleAge::parse(&block.data).ok().map(|a| (a.0, now)),
                _ => {
                    if block.flags.contains(BlockFlags::REPORT_IF_UNPROCESSABLE) {
                        self.report(now, &primary, length, Event::Received, ReasonCode::BlockUnsupported);
                    }
                    if block.flags.contains(BlockFlags::DELETE_BUNDLE_IF_UNPROCESSABLE) {
                        unsupported = Some(ReasonCode::BlockUnsupported);
                    } else if !block.flags.contains(BlockFlags::DISCARD_IF_UNPROCESSABLE) {
                        extensions.push(owned(block));
                    }
                }
            }
        }
        let expires = self.expiry(now, &primary, age);
        if self.seen.contains_key(&id) {
            self.notices.push_back(Notice::Duplicate { id, bytes: length });
            return;
        }
        self.notices.push_back(Notice::Received { id: id.clone(), bytes: length, from });
        if primary.flags.contains(BundleFlags::REPORT_RECEPTION) {
            self.report(now, &primary, length, Event::Received, ReasonCode::NoAdditionalInformation);
        }
        let refusal = unsupported
            .or((expires <= now).then_some(ReasonCode::LifetimeExpired))
            .or((self.stored_bytes + length > self.config.storage_limit).then_some(ReasonCode::DepletedStorage));
        if let Some(reason) = refusal {
            self.delete(now, &primary, length, reason);
            return;
        }
        self.remember(id, expires);
        let stored =
            Stored { primary, extensions, payload, payload_crc, hops, age, next_hop: 0, expires, ours: false };
        self.dispatch(now, stored);
    }

    /// Bundle Dispatching (§5.3).
    pub(super) fn dispatch(&mut self, now: Instant, mut stored: Stored) {
        let destination = &stored.primary.destination;
        if destination.node() == Some(self.config.node) {
            self.deliver_locally(now, stored);
            return;
        }
        let length = stored.payload.len() as u64;
        let Some(next_hop) = self.next_hop(destination) else {
            self.delete(now, &stored.primary, length, ReasonCode::NoKnownRoute);
            return;
        };
        if let Some((limit, count)) = stored.hops {
            if count >= limit {
                self.delete(now, &stored.primary, length, ReasonCode::HopLimitExceeded);
                return;
            }
        }
        stored.next_hop = next_hop;
        let handle = Handle(self.next_handle);
        self.next_handle += 1;
        self.stored_bytes += length;
        self.expiries.insert((stored.expires, Expiring::Stored(handle)));
        self.store.insert(handle, stored);
        self.queues.entry(next_hop).or_default().push_back(handle);
    }

    /// Writes a stored bundle as it leaves now (§5.4 step 4, §4.4).
    pub(super) fn encode(&self, now: Instant, handle: Handle) -> Option<Block> {
        let stored = self.store.get(&handle)?;
        let mut blocks = Vec::new();
        // Block numbers are unique in a bundle and 1 is the payload's (§4.1); those of foreign blocks stay, so that
        // whatever refers to them still does.
        let taken = |blocks: &[CanonicalBlock<'_>], number: u64| {
            blocks.iter().chain(&stored.extensions).any(|b| b.number == number)
        };
        let mut add = |block_type: u64, data: Vec<u8>| {
            let number = (2..).find(|n| !taken(&blocks, *n)).unwrap_or(2);
            blocks.push(CanonicalBlock {
                block_type,
                number,
                flags: BlockFlags(0),
                crc: CrcType::Crc16,
                data: data.into(),
            });
        };
        if !stored.ours {
            add(block_type::PREVIOUS_NODE, PreviousNode(self.node_id()).emit());
        }
        if let Some((age_ms, since)) = stored.age {
            let here = u64::try_from(now.saturating_since(since).as_millis()).unwrap_or(0);
            add(block_type::BUNDLE_AGE, BundleAge(age_ms.saturating_add(here)).emit());
        }
        if let Some((limit, count)) = stored.hops {
            add(block_type::HOP_COUNT, HopCount { limit, count: count + 1 }.emit());
        }
        blocks.extend(stored.extensions.iter().cloned());
        blocks.push(CanonicalBlock {
            block_type: block_type::PAYLOAD,
            number: 1,
            flags: BlockFlags(0),
            crc: stored.payload_crc,
            data: (&stored.payload[..]).into(),
        });
        let (head, tail) = Bundle { primary: stored.primary.clone(), blocks }.emit_around_payload();
        Some(Block::new([head.into(), stored.payload.clone(), tail.into()]))
    }

    /// Local Bundle Delivery (§5.7), with reassembly (§5.9).
    fn deliver_locally(&mut self, now: Instant, stored: Stored) {
        let length = stored.payload.len() as u64;
        let Some(fragment) = stored.primary.fragment else {
            self.deliver(now, stored.primary, vec![stored.payload]);
            return;
        };
        let id = bundle_id(&stored.primary, length).whole();
        if self.seen.contains_key(&id) {
            // The whole has been delivered; this fragment overlaps what made it up.
            self.notices.push_back(Notice::Duplicate { id: bundle_id(&stored.primary, length), bytes: length });
            return;
        }
        let expires = stored.expires;
        let reassembly = self.reassemblies.entry(id.clone()).or_insert_with(|| {
            self.expiries.insert((expires, Expiring::Reassembly(id.clone())));
            Reassembly::new(stored.primary, expires)
        });
        let before = reassembly.held_bytes();
        if !reassembly.add(fragment, stored.payload) {
            // Two fragments disagree on the total length: at least one of them lies.
            let primary = reassembly.primary().clone();
            self.delete(now, &primary, length, ReasonCode::BlockUnintelligible);
            return;
        }
        self.stored_bytes += reassembly.held_bytes() - before;
        if !reassembly.is_whole() {
            return;
        }
        let expires = reassembly.expires();
        if let Some(reassembly) = self.reassemblies.remove(&id) {
            self.stored_bytes -= reassembly.held_bytes();
            self.expiries.remove(&(expires, Expiring::Reassembly(id.clone())));
            self.remember(id, expires);
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
    pub(super) fn expiry(&self, now: Instant, primary: &PrimaryBlock, age: Option<(u64, Instant)>) -> Instant {
        let millis = |ms: u64| Duration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
        match primary.creation.time_ms {
            0 => {
                let age = age.map_or(0, |(ms, _)| ms);
                now + millis(primary.lifetime_ms.saturating_sub(age))
            }
            created => {
                let zero = self.config.dtn_time_at_zero_ms;
                let since_zero = i64::try_from(i128::from(created) - i128::from(zero)).unwrap_or(i64::MAX);
                Instant::ZERO + Duration::from_millis(since_zero) + millis(primary.lifetime_ms)
            }
        }
    }

    fn remember(&mut self, id: BundleId, expires: Instant) {
        self.expiries.insert((expires, Expiring::Seen(id.clone())));
        self.seen.insert(id, expires);
    }
}

fn owned(block: &CanonicalBlock<'_>) -> CanonicalBlock<'static> {
    CanonicalBlock {
        block_type: block.block_type,
        number: block.number,
        flags: block.flags,
        crc: block.crc,
        data: block.data.clone().into_owned().into(),
    }
}
