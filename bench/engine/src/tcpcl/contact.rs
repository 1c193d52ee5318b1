//! What is negotiated before transfers can begin: sections 4.2 to 4.8.

use farlink_units::Instant;
use farlink_wire::bpv7::Eid;
use farlink_wire::tcpcl::{
    ContactFlags, ContactHeader, ItemFlags, ItemList, Message, RejectReason, SessInit, TermFlags, TermReason, VERSION,
};

use super::{
    Authentication, Cause, End, Established, Event, MessageType, NodeIdPolicy, Phase, Role, Session, TlsPeer, TlsPolicy,
};

/// Whether an endpoint ID is the administrative endpoint of a node, so that it is a node ID (RFC 9171 section 4.2.5.2).
fn is_node_id(eid: &Eid) -> bool {
    match eid {
        Eid::None => false,
        Eid::Ipn { service, .. } => *service == 0,
        Eid::Dtn(ssp) => ssp
            .strip_prefix("//")
            .and_then(|rest| rest.split_once('/'))
            .is_some_and(|(node, demux)| !node.is_empty() && demux.is_empty()),
    }
}

/// Compares a node ID with the NODE-IDs of a certificate (sections 4.4.1 and 4.4.4).
fn authenticate(node_id: Option<&Eid>, bundle_eids: &[String]) -> Authentication {
    let mut claims = bundle_eids.iter().filter_map(|uri| uri.parse::<Eid>().ok()).filter(is_node_id).peekable();
    let (Some(node_id), Some(_)) = (node_id, claims.peek()) else { return Authentication::Absent };
    if claims.any(|claim| claim == *node_id) { Authentication::Success } else { Authentication::Failure }
}

impl Session {
    pub(super) fn contact_header(&self) -> ContactHeader {
        let flags = match self.config.tls {
            TlsPolicy::Forbid => ContactFlags::NONE,
            TlsPolicy::Allow | TlsPolicy::Require => ContactFlags::CAN_TLS,
        };
        ContactHeader { version: VERSION, flags }
    }

    pub(super) fn on_contact_header(&mut self, now: Instant, theirs: ContactHeader) {
        if self.role == Role::Passive {
            self.send_contact_header();
        }
        if theirs.version != VERSION {
            // An older peer that was called cannot read version 4; section 4.3 has the caller just close.
            if self.role == Role::Passive || theirs.version > VERSION {
                self.send_term(TermReason::VersionMismatch, TermFlags::NONE);
            }
            return self.end(End::Version { theirs: theirs.version });
        }
        let can_tls = |header: ContactHeader| header.flags.contains(ContactFlags::CAN_TLS);
        let tls = can_tls(theirs) && can_tls(self.contact_header());
        if tls {
            self.enter(now, Phase::Tls);
            self.events.push_back(Event::StartTls);
            return;
        }
        self.enter(now, Phase::Init);
        if self.config.tls == TlsPolicy::Require {
            self.begin_ending(now, TermReason::ContactFailure, Cause::TlsRequired);
        } else {
            self.begin_init();
        }
    }

    /// The TLS handshake that [`Event::StartTls`] asked for is done.
    pub fn tls_established(&mut self, now: Instant, peer: TlsPeer) {
        if self.phase != Phase::Tls {
            return;
        }
        self.last_received = now;
        self.enter(now, Phase::Init);
        let network = peer.network;
        self.tls = Some(peer);
        let unproven = network == Authentication::Absent && self.config.require_network_id;
        if unproven || network == Authentication::Failure {
            self.begin_ending(now, TermReason::ContactFailure, Cause::NetworkId);
        } else {
            self.begin_init();
        }
    }

    /// The active side speaks first (figures 8 and 9).
    fn begin_init(&mut self) {
        if self.role == Role::Active {
            self.send_sess_init();
        }
    }

    fn send_sess_init(&mut self) {
        let node_id = self.config.node_id.as_ref().map(Eid::to_string).unwrap_or_default();
        self.output.message(&Message::SessInit(SessInit {
            keepalive_s: self.config.keepalive_s,
            segment_mru: self.config.segment_mru,
            transfer_mru: self.config.transfer_mru.min(self.config.receive_limit),
            node_id: node_id.as_bytes(),
            items: ItemList::EMPTY,
        }));
    }

    pub(super) fn on_sess_init(&mut self, now: Instant, init: &SessInit<'_>) {
        if self.established.is_some() {
            return self.reject(RejectReason::Unexpected, MessageType::SESS_INIT);
        }
        // It crossed our SESS_TERM.
        if self.is_ending() {
            return;
        }
        match self.negotiate(init) {
            Ok(established) => {
                if self.role == Role::Passive {
                    self.send_sess_init();
                }
                self.established = Some(established.clone());
                self.enter(now, Phase::Established);
                self.events.push_back(Event::Established(established));
            }
            Err(cause) => self.begin_ending(now, TermReason::ContactFailure, cause),
        }
    }

    fn negotiate(&self, init: &SessInit<'_>) -> Result<Established, Cause> {
        for item in init.items.items() {
            let item = item.map_err(Cause::ExtensionItems)?;
            if item.flags.contains(ItemFlags::CRITICAL) {
                return Err(Cause::CriticalExtension { item_type: item.item_type });
            }
        }
        let peer = self.peer_node_id(init.node_id)?;
        let bundle_eids = self.tls.as_ref().map(|tls| tls.bundle_eids.as_slice()).unwrap_or_default();
        let authentication = authenticate(peer.as_ref(), bundle_eids);
        let required = self.config.node_id_policy == NodeIdPolicy::RequireNodeId;
        if authentication == Authentication::Failure || (required && authentication == Authentication::Absent) {
            let claimed = peer.as_ref().map_or_else(|| "nothing".to_owned(), Eid::to_string);
            return Err(Cause::NodeIdNotAuthenticated { claimed });
        }
        if init.segment_mru == 0 {
            return Err(Cause::SegmentMru);
        }
        Ok(Established {
            peer,
            authenticated: authentication == Authentication::Success,
            tls: self.tls.is_some(),
            keepalive_s: init.keepalive_s.min(self.config.keepalive_s),
            segment_mtu: init.segment_mru,
            transfer_mtu: init.transfer_mru,
        })
    }

    fn peer_node_id(&self, octets: &[u8]) -> Result<Option<Eid>, Cause> {
        let expected = self.config.expected_peer.as_ref();
        if octets.is_empty() {
            let acceptable = self.config.anonymous_peer && expected.is_none();
            return if acceptable { Ok(None) } else { Err(Cause::Anonymous) };
        }
        let parsed = std::str::from_utf8(octets).ok().and_then(|uri| uri.parse().ok()).filter(is_node_id);
        let Some(found) = parsed else {
            // What is shown of it is bounded: the peer may send 65,535 octets.
            let text = String::from_utf8_lossy(&octets[..octets.len().min(80)]).into_owned();
            return Err(Cause::NodeIdSyntax { text });
        };
        match expected.filter(|expected| **expected != found) {
            Some(expected) => Err(Cause::OtherPeer { found: found.to_string(), expected: expected.to_string() }),
            None => Ok(Some(found)),
        }
    }
}
