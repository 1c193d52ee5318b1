//! Bundle status reports (RFC 9171 §6.1.1, §6.2).

use farlink_units::Instant;
use farlink_wire::bpv7::{
    AdministrativeRecord, BundleFlags, CrcType, Eid, FragmentExtent, PrimaryBlock, ReasonCode, StatusItem, StatusReport,
};

use super::Agent;
use crate::class::Class;

/// A report lives as long as the bundle that it is about, and no less than a day: it may well tell of one that lived for
/// seconds, to a node that is hours of light time away.
const SHORTEST_LIFETIME_MS: u64 = 86_400_000;

/// What a status report asserts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Received,
    Forwarded,
    Delivered,
    Deleted,
}

impl Agent {
    /// Generates a status report on a bundle, destined for its report-to endpoint. A full store deletes it at once.
    pub(super) fn report(
        &mut self,
        now: Instant,
        about: &PrimaryBlock,
        payload_length: u64,
        event: Event,
        reason: ReasonCode,
    ) {
        if !self.config.status_reports {
            return;
        }
        // §4.2.3 forbids administrative records to ask for reports; one that does all the same must not start an endless
        // exchange. Nor may anonymous bundles: nobody could tell which of them a report is about.
        if about.flags.contains(BundleFlags::IS_ADMIN_RECORD)
            || about.source == Eid::None
            || about.report_to == Eid::None
        {
            return;
        }
        // §4.2.6: zero says that the time is not known.
        let time_ms = about
            .flags
            .contains(BundleFlags::STATUS_TIME_REQUESTED)
            .then(|| if self.config.has_clock { self.dtn_time_ms(now) } else { 0 });
        let item = |e: Event| if e == event { StatusItem { asserted: true, time_ms } } else { StatusItem::default() };
        let record = AdministrativeRecord::StatusReport(StatusReport {
            received: item(Event::Received),
            forwarded: item(Event::Forwarded),
            delivered: item(Event::Delivered),
            deleted: item(Event::Deleted),
            further: Vec::new(),
            reason,
            source: about.source.clone(),
            creation: about.creation,
            fragment: about.fragment.map(|f| FragmentExtent { offset: f.offset, length: payload_length }),
        });
        let primary = PrimaryBlock {
            flags: BundleFlags::IS_ADMIN_RECORD,
            crc: CrcType::Crc32c,
            destination: about.report_to.clone(),
            source: self.node_id().clone(),
            report_to: Eid::None,
            creation: self.creation_timestamp(now),
            lifetime_ms: about.lifetime_ms.max(SHORTEST_LIFETIME_MS),
            fragment: None,
        };
        self.originate(now, primary, Class::Normal, record.emit().into());
    }
}
