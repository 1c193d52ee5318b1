//! What the engine and the agent tell, as events of the recording and as work for the owner.

use farlink_engine::bp::{self, BundleId};
use farlink_record::{BundleNotice, Event, NodeId};
use farlink_units::Instant;
use farlink_wire::bpv7::Eid;

use super::{BuiltinNode, Delivery, Reported};

impl BuiltinNode {
    /// Passes on what the engine and the agent have to tell.
    pub(super) fn collect(&mut self, now: Instant) {
        loop {
            if let Some(notice) = self.engine.poll_notice() {
                self.ltp_notice(now, notice);
            } else if let Some(notice) = self.agent.poll_notice() {
                // A bundle that the agent has given up may take a session with it, which is then told in turn.
                self.bundle_notice(now, notice);
            } else {
                return;
            }
        }
    }

    fn bundle_notice(&mut self, now: Instant, notice: bp::Notice) {
        let (id, bytes, told) = match notice {
            bp::Notice::Created { id, bytes } => (id, bytes, BundleNotice::Created),
            bp::Notice::Received { id, bytes, from } => match self.place_of(&from) {
                Some(from) => (id, bytes, BundleNotice::Received { from }),
                None => return,
            },
            bp::Notice::Duplicate { id, bytes } => (id, bytes, BundleNotice::Duplicate),
            bp::Notice::Refused { id, bytes, cause, .. } => {
                (id, bytes, BundleNotice::Refused { reason: cause.to_string() })
            }
            bp::Notice::Forwarded { id, bytes, to } => match self.place_of(&to) {
                Some(to) => (id, bytes, BundleNotice::Forwarded { to }),
                None => return,
            },
            bp::Notice::Delivery { handle, id, destination, payload } => {
                self.deliveries.push_back(Delivery { handle, id, destination, payload });
                if !self.confirms_deliveries {
                    self.agent.delivered(now, handle);
                }
                return;
            }
            bp::Notice::Delivered { id, bytes } => (id, bytes, BundleNotice::Delivered),
            bp::Notice::Deleted { id, bytes, reason } => {
                (id, bytes, BundleNotice::Deleted { reason: reason.as_str().to_string() })
            }
            bp::Notice::Abandoned { handle } => return self.abandon(now, handle),
            bp::Notice::Unintelligible { bytes, reason, .. } => return self.refused(bytes, reason),
            bp::Notice::Reported { by, report } => {
                let id = BundleId {
                    source: report.source.clone(),
                    creation: report.creation,
                    extent: report.fragment.map(|f| (f.offset, f.length)),
                };
                let assertions = [
                    ("received", report.received),
                    ("forwarded", report.forwarded),
                    ("delivered", report.delivered),
                    ("deleted", report.deleted),
                ];
                let status: Vec<String> =
                    assertions.iter().filter(|(_, item)| item.asserted).map(|(name, _)| (*name).to_string()).collect();
                self.reports.push_back(Reported { by, id: id.clone(), status: status.clone(), report });
                (id, 0, BundleNotice::Reported { status })
            }
        };
        let traffic = self.traffic_of(&id);
        self.events.push_back(Event::Bundle { node: self.id, bundle: id.to_string(), traffic, bytes, notice: told });
    }

    pub(super) fn place_of(&self, node: &Eid) -> Option<NodeId> {
        let by_ltp = self.peers.iter().find(|p| p.neighbour.node == *node).map(|p| p.neighbour.id);
        by_ltp.or_else(|| self.others.iter().find(|(_, other)| other == node).map(|(id, _)| *id))
    }
}
