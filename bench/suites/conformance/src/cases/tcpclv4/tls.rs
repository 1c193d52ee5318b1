//! TLS: RFC 9174 sections 4.2 to 4.4.

use std::net::{IpAddr, Ipv4Addr};

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, Error};

use super::message::{Init, Message, REPLY, kind, sess_term, term};
use super::peer::{Peer, Role, active, in_both_roles, passive, usual_init};
use crate::case::{Case, Suite};
use crate::certificates::{Authority, Leaf, Names, bundle_security};
use crate::medium::Order;
use crate::outcome::Finding;
use crate::profile::TlsProfile;
use crate::secure::{Identity, Secure, anybody};
use crate::tester::Tester;

/// The cases.
pub const CASES: &[Case] = &[
    Case::new("TCPCL-4.2-02", Suite::Tcpclv4, &["tls", "contact"], can_tls_is_set),
    Case::new("TCPCL-4.3-09", Suite::Tcpclv4, &["tls", "contact"], no_tls_is_refused),
    Case::new("TCPCL-4.3-10", Suite::Tcpclv4, &["tls", "contact"], handshake_follows_the_contact),
    Case::new("TCPCL-4.4-01", Suite::Tcpclv4, &["tls", "ending"], tls_lasts_as_long_as_the_connection),
    Case::new("TCPCL-4.4-02", Suite::Tcpclv4, &["tls", "ending"], closure_alert_comes_first),
    Case::new("TCPCL-4.4-04", Suite::Tcpclv4, &["tls", "certificates"], empty_subject_is_accepted),
    Case::new("TCPCL-4.4-08", Suite::Tcpclv4, &["tls", "certificates"], no_key_identifiers_are_needed),
    Case::new("TCPCL-4.4-09", Suite::Tcpclv4, &["tls", "certificates"], other_bundle_eids_are_ignored),
    Case::new("TCPCL-4.4.3-01", Suite::Tcpclv4, &["tls", "certificates"], passive_shows_a_certificate),
    Case::new("TCPCL-4.4.3-02", Suite::Tcpclv4, &["tls", "certificates"], passive_asks_for_a_certificate),
    Case::new("TCPCL-4.4.3-03", Suite::Tcpclv4, &["tls", "certificates"], active_shows_a_certificate),
    Case::new("TCPCL-4.4.3-04", Suite::Tcpclv4, &["tls"], server_name_is_the_host),
    Case::new("TCPCL-4.4.3-05", Suite::Tcpclv4, &["tls"], who_connects_is_client),
    Case::new("TCPCL-4.4.3-06", Suite::Tcpclv4, &["tls", "hostile", "timers"], failed_handshake_ends_it),
    Case::new("TCPCL-4.4.3-07", Suite::Tcpclv4, &["tls", "init"], active_sends_init_after_tls),
    Case::new("TCPCL-4.4.4-03", Suite::Tcpclv4, &["tls", "certificates"], other_address_is_refused),
    Case::new("TCPCL-4.4.4-04", Suite::Tcpclv4, &["tls", "certificates"], other_node_id_is_refused),
];

pub(super) fn profile<'a>(t: &Tester<'a>) -> Result<&'a TlsProfile, Finding> {
    t.tcpcl()?.tls.as_ref().ok_or_else(|| Finding::unsupported("the description names no certificate of the tester"))
}

pub(super) fn usual_identity(t: &Tester<'_>) -> Result<Identity, Finding> {
    let tls = profile(t)?;
    Identity::pem(&tls.certificate, &tls.key).map_err(unusable)
}

fn unusable(why: String) -> Finding {
    Finding::bench_error(format!("what the tester is to show in TLS: {why}"))
}

/// The authority that the node trusts.
pub(super) fn authority(t: &Tester<'_>) -> Result<Authority, Finding> {
    let Some((certificate, key)) = &profile(t)?.authority else {
        return Err(Finding::unsupported("the description names no authority for certificates of the tester"));
    };
    Authority::open(certificate, key).map_err(Finding::bench_error)
}

/// A certificate of the authority that the node trusts.
fn issue(t: &Tester<'_>, names: &Names<'_>) -> Result<Leaf, Finding> {
    Ok(authority(t)?.issue(names))
}

/// The tester's side of TLS in a connection in which the node has this role: who connects is the client.
fn testers_side(role: Role, identity: &Identity) -> Result<Secure, Finding> {
    let host = ServerName::from(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)));
    let secure = match role {
        Role::Passive => Secure::client(identity, anybody(), host),
        Role::Active => Secure::server(identity, anybody()),
    };
    secure.map_err(|error| unusable(error.to_string()))
}

/// How an attempt with a certificate came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Established,
    /// The handshake failed, or the connection was closed.
    Failed(Option<AlertDescription>),
    /// SESS_TERM with this reason.
    Refused(u8),
}

/// Contact headers that agree on TLS, and the tester's side of it.
fn contact(t: &mut Tester<'_>, role: Role, identity: &Identity) -> Result<Peer, Finding> {
    let mut peer = Peer::contact(t, role, 1)?;
    let header = peer.expect_header(t)?;
    if header[5] & 1 == 0 {
        peer.drop(t);
        return Err(Finding::deviation("a contact header with CAN_TLS", format!("flags {:#04x}", header[5])));
    }
    peer.begin_tls(t, testers_side(role, identity)?)?;
    Ok(peer)
}

/// A connection on which the handshake is done.
pub(super) fn secured(t: &mut Tester<'_>, role: Role, identity: &Identity) -> Result<Peer, Finding> {
    let mut peer = contact(t, role, identity)?;
    match peer.handshake(t)? {
        true => Ok(peer),
        false => Err(Finding::deviation("a TLS handshake", peer.tls_told())),
    }
}

/// A session over TLS with the tester's usual certificate.
pub(super) fn session(t: &mut Tester<'_>, role: Role) -> Result<Peer, Finding> {
    let identity = usual_identity(t)?;
    let mut peer = secured(t, role, &identity)?;
    let init = usual_init(t)?;
    peer.exchange_init(t, init)?;
    Ok(peer)
}

pub(super) fn attempt(t: &mut Tester<'_>, role: Role, leaf: &Leaf, node_id: Option<&str>) -> Result<Attempt, Finding> {
    let mut peer = contact(t, role, &Identity::leaf(leaf).map_err(unusable)?)?;
    let mut outcome = Attempt::Failed(None);
    let mut done = peer.handshake(t)?;
    if done && role == Role::Passive {
        // A server sees the certificate last. What is written before its alert has come would meet a closed connection.
        let until = t.now() + t.profile().answer_time();
        done = !peer.tls_fails_by(t, until)?;
    }
    if done {
        let usual = usual_init(t)?;
        let node_id = node_id.map_or(usual.node_id.clone(), |text| text.as_bytes().to_vec());
        // As the peer that connects this comes before that of the node; otherwise who waits sees what the node makes of it.
        peer.write(t, &Message::Init(Init { node_id, ..usual }).octets())?;
        let until = t.now() + t.profile().answer_time();
        let mut inits = false;
        while let Some(message) = peer.next(t, until)? {
            match message {
                Message::Init(_) => inits = true,
                Message::Term { reason, .. } => {
                    outcome = Attempt::Refused(reason);
                    break;
                }
                _ => {}
            }
        }
        if outcome == Attempt::Failed(None) && inits && peer.tls_error().is_none() && peer.closed.is_none() {
            peer.deliver(t)?;
            outcome = Attempt::Established;
        }
    }
    if let (Attempt::Failed(alert), Some(Error::AlertReceived(told))) = (&mut outcome, peer.tls_error()) {
        *alert = Some(*told);
    }
    if outcome == Attempt::Failed(None) && peer.closed.is_none() {
        peer.expect_closed_soon(t)?;
    }
    peer.drop(t);
    Ok(outcome)
}

fn can_tls_is_set(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        for flags in [1, 0] {
            let mut peer = Peer::contact(t, role, flags)?;
            let header = peer.expect_header(t)?;
            peer.drop(t);
            if header[5] & 1 == 0 {
                return Err(Finding::deviation("a contact header with CAN_TLS", format!("flags {:#04x}", header[5])));
            }
        }
        Ok(())
    })
}

fn no_tls_is_refused(t: &mut Tester<'_>) -> Result<(), Finding> {
    if !profile(t)?.require {
        return Err(Finding::unsupported("the node does not require TLS"));
    }
    in_both_roles(t, |t, role| {
        let mut peer = Peer::contact(t, role, 0)?;
        peer.expect_message(t, &sess_term(0, term::CONTACT_FAILURE))?;
        if peer.closed.is_none() {
            peer.write(t, &sess_term(REPLY, term::CONTACT_FAILURE))?;
        }
        peer.expect_closed_soon(t).map(drop)
    })
}

fn handshake_follows_the_contact(t: &mut Tester<'_>) -> Result<(), Finding> {
    let identity = usual_identity(t)?;
    in_both_roles(t, |t, role| {
        // A TCPCL message in the clear would fail the handshake.
        let mut peer = secured(t, role, &identity)?;
        peer.drop(t);
        Ok(())
    })
}

fn tls_lasts_as_long_as_the_connection(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = session(t, role)?;
        peer.deliver(t)?;
        peer.keeps_alive = None;
        peer.end_tls(t)?;
        t.write(peer.stream, &[kind::KEEPALIVE])?;
        let until = t.now() + t.profile().answer_time() + t.tcpcl()?.close_timeout;
        match peer.closes_by(t, until)? {
            Some(_) => Ok(()),
            None => Err(Finding::silence("the end of TLS ends the connection", "it is open")),
        }
    })
}

fn closure_alert_comes_first(t: &mut Tester<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let mut peer = session(t, role)?;
        t.order(&Order::Terminate)?;
        let reason = peer.expect(t, "SESS_TERM, since the node was told to end", |m| match m {
            Message::Term { reason, .. } => Some(*reason),
            _ => None,
        })?;
        peer.keeps_alive = None;
        peer.write(t, &sess_term(REPLY, reason))?;
        peer.expect_closed_soon(t)?;
        match peer.tls_ended() {
            true => Ok(()),
            false => Err(Finding::warning("a closure alert before FIN", "none")),
        }
    })
}

/// That a certificate leads to a session.
pub(super) fn is_accepted(t: &mut Tester<'_>, names: &Names<'_>) -> Result<(), Finding> {
    in_both_roles(t, |t, role| {
        let leaf = issue(t, names)?;
        match attempt(t, role, &leaf, None)? {
            Attempt::Established => Ok(()),
            other => Err(Finding::deviation("an established session", format!("{other:?}"))),
        }
    })
}

/// The names of a certificate that the node accepts.
pub(super) fn right<'a>(node_id: &'a [&'a str], host: &'a [&'a str]) -> Names<'a> {
    Names { bundle_eids: node_id, dns: host, purposes: vec![bundle_security()], ..Names::default() }
}

pub(super) fn tester_id(t: &Tester<'_>) -> Result<String, Finding> {
    Ok(t.tcpcl()?.tester.to_string())
}

fn empty_subject_is_accepted(t: &mut Tester<'_>) -> Result<(), Finding> {
    let (id, host) = (tester_id(t)?, profile(t)?.name.clone());
    is_accepted(t, &right(&[&id], host.as_deref().as_slice()))
}

fn no_key_identifiers_are_needed(t: &mut Tester<'_>) -> Result<(), Finding> {
    // What is issued has neither that of its subject nor that of the authority.
    empty_subject_is_accepted(t)
}

/// An endpoint of the tester that is no node ID.
fn endpoint_of(node_id: &str) -> String {
    match node_id.strip_suffix(".0") {
        Some(node) => format!("{node}.5"),
        None => format!("{node_id}five"),
    }
}

fn other_bundle_eids_are_ignored(t: &mut Tester<'_>) -> Result<(), Finding> {
    let id = tester_id(t)?;
    let other = endpoint_of(&id);
    is_accepted(t, &right(&[&other, &id], &[]))?;
    in_both_roles(t, |t, role| {
        let leaf = issue(t, &right(&[&other], &[]))?;
        match attempt(t, role, &leaf, None)? {
            Attempt::Refused(term::CONTACT_FAILURE) => Ok(()),
            outcome => {
                let expected = "SESS_TERM with Contact Failure, since the certificate names no node ID";
                Err(Finding::deviation(expected, format!("{outcome:?}")))
            }
        }
    })
}

fn passive_shows_a_certificate(t: &mut Tester<'_>) -> Result<(), Finding> {
    let role = passive(t)?;
    shows_a_certificate(t, role)
}

fn active_shows_a_certificate(t: &mut Tester<'_>) -> Result<(), Finding> {
    let role = active(t)?;
    shows_a_certificate(t, role)
}

fn shows_a_certificate(t: &mut Tester<'_>, role: Role) -> Result<(), Finding> {
    let identity = usual_identity(t)?;
    let mut peer = secured(t, role, &identity)?;
    let shown = peer.certificates().len();
    peer.drop(t);
    match shown {
        0 => Err(Finding::deviation("a certificate of the node", "none")),
        _ => Ok(()),
    }
}

fn passive_asks_for_a_certificate(t: &mut Tester<'_>) -> Result<(), Finding> {
    let role = passive(t)?;
    let identity = usual_identity(t)?;
    let mut peer = secured(t, role, &identity)?;
    let asked = peer.was_asked();
    peer.drop(t);
    match asked {
        true => Ok(()),
        false => Err(Finding::deviation("a request for the tester's certificate", "none")),
    }
}

fn server_name_is_the_host(t: &mut Tester<'_>) -> Result<(), Finding> {
    let role = active(t)?;
    let host = profile(t)?.name.clone();
    let identity = usual_identity(t)?;
    let mut peer = secured(t, role, &identity)?;
    let told = peer.server_name();
    peer.drop(t);
    match told == host {
        true => Ok(()),
        false => Err(Finding::warning(format!("server_name {host:?}"), format!("{told:?}"))),
    }
}

fn who_connects_is_client(t: &mut Tester<'_>) -> Result<(), Finding> {
    handshake_follows_the_contact(t)
}

fn failed_handshake_ends_it(t: &mut Tester<'_>) -> Result<(), Finding> {
    let role = passive(t)?;
    // A ClientHello of TLS 1.0 with one cipher suite and no extensions.
    let mut hello = vec![0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 1];
    hello.extend_from_slice(&[7; 32]);
    hello.extend_from_slice(&[0, 0, 2, 0, 0x2F, 1, 0]);
    for octets in [b"this is no TLS at all, nor TCPCL".to_vec(), hello, Vec::new()] {
        let mut peer = Peer::contact(t, role, 1)?;
        let mut within = t.profile().answer_time() + t.tcpcl()?.close_timeout;
        match octets.is_empty() {
            // The time for the handshake is taken for that of SESS_INIT.
            true => within += t.tcpcl()?.init_timeout,
            false => peer.write(t, &octets)?,
        }
        let until = t.now() + within;
        if peer.closes_by(t, until)?.is_none() {
            peer.drop(t);
            return Err(Finding::silence("the connection is closed, since TLS failed", "it is open"));
        }
        if peer.unread().first() == Some(&kind::SESS_TERM) {
            return Err(Finding::deviation("an end without SESS_TERM", "SESS_TERM in the clear"));
        }
    }
    Ok(())
}

fn active_sends_init_after_tls(t: &mut Tester<'_>) -> Result<(), Finding> {
    let role = active(t)?;
    let identity = usual_identity(t)?;
    let mut peer = secured(t, role, &identity)?;
    peer.expect_init(t)?;
    peer.drop(t);
    Ok(())
}

fn other_address_is_refused(t: &mut Tester<'_>) -> Result<(), Finding> {
    let id = tester_id(t)?;
    in_both_roles(t, |t, role| {
        let addresses = [Ipv4Addr::new(198, 51, 100, 77)];
        let leaf = issue(t, &Names { addresses: &addresses, ..right(&[&id], &[]) })?;
        match attempt(t, role, &leaf, None)? {
            Attempt::Refused(term::CONTACT_FAILURE) | Attempt::Failed(_) => Ok(()),
            other => {
                let expected = "SESS_TERM with Contact Failure, since the certificate is of another address";
                Err(Finding::deviation(expected, format!("{other:?}")))
            }
        }
    })
}

fn other_node_id_is_refused(t: &mut Tester<'_>) -> Result<(), Finding> {
    let id = tester_id(t)?;
    in_both_roles(t, |t, role| {
        let leaf = issue(t, &right(&[&id], &[]))?;
        match attempt(t, role, &leaf, Some("ipn:9999.0"))? {
            Attempt::Refused(term::CONTACT_FAILURE) => Ok(()),
            other => {
                let expected = "SESS_TERM with Contact Failure, since the certificate is of another node";
                Err(Finding::deviation(expected, format!("{other:?}")))
            }
        }
    })
}
