//! Contact headers, TLS and SESS_INIT.

use super::*;

/// What a passive session with this configuration says to these octets, and how it goes on.
fn answer(change: impl Fn(&mut Config), octets: &[u8]) -> (Vec<String>, Vec<Event>) {
    let mut config = Config::new(MARS);
    change(&mut config);
    let mut against = Against::new(Role::Passive, config);
    against.say(b"dtn!\x04\x00");
    against.say(octets);
    let heard = against.hear();
    (heard[1..].to_vec(), against.events())
}

fn cause(events: &[Event]) -> String {
    match events {
        [Event::Ending { reason: TermReason::ContactFailure, cause }] => cause.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_active_side_speaks_first_and_both_agree_on_the_parameters() {
    let mut pair = Pair::with(|earth, mars| {
        (earth.keepalive_s, mars.keepalive_s) = (60, 20);
        mars.segment_mru = 5000;
    });
    assert_eq!(pair.mars.poll_transmit(at(0), usize::MAX), None, "the passive side waits");
    pair.run();
    assert_eq!(
        pair.ladder,
        [
            "earth→mars contact header 4 flags 0",
            "mars→earth contact header 4 flags 0",
            "earth→mars SESS_INIT ipn:1.0 keepalive 60",
            "mars→earth SESS_INIT ipn:2.0 keepalive 20",
        ]
    );
    let (earth, mars) = (pair.earth.established().unwrap(), pair.mars.established().unwrap());
    assert_eq!((earth.peer.as_ref(), mars.peer.as_ref()), (Some(&MARS), Some(&EARTH)));
    assert_eq!((earth.keepalive_s, mars.keepalive_s), (20, 20));
    assert_eq!((earth.segment_mtu, mars.segment_mtu), (5000, 1 << 20));
    assert!(!earth.authenticated && !earth.tls);
}

#[test]
fn every_octet_may_come_alone() {
    let mut pair = Pair::new();
    pair.piece = 1;
    pair.run();
    pair.earth.send(7, bundle(300).into()).unwrap();
    pair.run();
    assert!(pair.events.contains(&("earth", Event::Acknowledged { tag: 7 })));
}

#[test]
fn something_else_than_a_contact_header_closes_without_a_word() {
    for octets in [&b"DTN!\x04\x00"[..], b"dtn?\x04\x00", b"GET / HTTP/1.1\r\n\r\n"] {
        let mut against = Against::new(Role::Passive, Config::new(MARS));
        against.say(octets);
        assert!(matches!(against.events()[..], [Event::Ended(End::NoContactHeader(_))]));
        assert_eq!(against.hear(), Vec::<String>::new());
        assert_eq!(against.session.poll_timeout(), None);
    }
}

#[test]
fn another_version_is_answered_with_version_mismatch() {
    for version in [0, 3, 5, 255] {
        let mut against = Against::new(Role::Passive, Config::new(MARS));
        against.say(&[b'd', b't', b'n', b'!', version, 0]);
        assert_eq!(against.hear(), ["contact header 4 flags 0", "SESS_TERM Version mismatch"]);
        assert_eq!(against.events(), [Event::Ended(End::Version { theirs: version })]);
        against.say(&[5, 1, 2]);
        assert_eq!(against.hear(), Vec::<String>::new());
    }
}

#[test]
fn a_caller_closes_when_the_answer_has_a_lower_version() {
    let mut against = Against::new(Role::Active, Config::new(EARTH));
    assert_eq!(against.hear(), ["contact header 4 flags 0"]);
    against.say(b"dtn!\x03\x00");
    assert_eq!(against.events(), [Event::Ended(End::Version { theirs: 3 })]);
    assert_eq!(against.hear(), Vec::<String>::new());
}

#[test]
fn reserved_bits_of_the_contact_header_are_ignored() {
    let mut against = Against::new(Role::Passive, Config::new(MARS));
    against.say(b"dtn!\x04\xfe");
    against.say(&sess_init(b"ipn:1.0"));
    assert_eq!(against.hear(), ["contact header 4 flags 0", "SESS_INIT ipn:2.0 keepalive 30"]);
}

#[test]
fn tls_is_used_only_if_both_offer_it() {
    use TlsPolicy::{Allow, Forbid, Require};
    let secured = |ours: TlsPolicy, theirs: TlsPolicy| {
        let mut pair = Pair::with(|earth, mars| (earth.tls, mars.tls) = (ours, theirs));
        pair.run();
        let asked = pair.events.iter().filter(|(_, event)| *event == Event::StartTls).count();
        (asked == 2, pair.earth.established().is_some())
    };
    assert_eq!(secured(Forbid, Allow), (false, true));
    assert_eq!(secured(Allow, Forbid), (false, true));
    assert_eq!(secured(Allow, Allow), (true, false));
    assert_eq!(secured(Require, Allow), (true, false));
    assert_eq!(secured(Require, Forbid), (false, false));
    assert_eq!(secured(Forbid, Require), (false, false));
}

#[test]
fn a_peer_without_tls_is_refused_where_tls_is_required() {
    let mut config = Config::new(MARS);
    config.tls = TlsPolicy::Require;
    let mut against = Against::new(Role::Passive, config);
    against.say(b"dtn!\x04\x00");
    assert_eq!(against.hear(), ["contact header 4 flags 1", "SESS_TERM Contact Failure"]);
    let events = against.events();
    assert_eq!(events, [Event::Ending { reason: TermReason::ContactFailure, cause: Cause::TlsRequired }]);
    // Its SESS_INIT has crossed ours; the session ends when it answers.
    against.say(&sess_init(b"ipn:1.0"));
    against.say(&[5, 1, 4]);
    assert_eq!(against.events(), [Event::Ended(End::Clean(TermReason::ContactFailure))]);
    assert_eq!(against.hear(), Vec::<String>::new());
}

/// A pair that has just been told to start TLS.
fn at_tls(change: impl Fn(&mut Config)) -> Pair {
    let mut pair = Pair::with(|earth, mars| {
        (earth.tls, mars.tls) = (TlsPolicy::Require, TlsPolicy::Require);
        change(mars);
    });
    pair.run();
    assert_eq!(pair.ladder, ["earth→mars contact header 4 flags 1", "mars→earth contact header 4 flags 1"]);
    assert_eq!(pair.events, [("earth", Event::StartTls), ("mars", Event::StartTls)]);
    pair.ladder.clear();
    pair.events.clear();
    pair
}

fn vouching(bundle_eids: &[&str]) -> TlsPeer {
    TlsPeer { bundle_eids: bundle_eids.iter().map(|uri| (*uri).to_owned()).collect(), ..TlsPeer::default() }
}

#[test]
fn messages_wait_for_the_end_of_the_handshake() {
    let mut pair = at_tls(|_| ());
    // What follows the contact header belongs to TLS.
    assert_eq!(pair.mars.handle_bytes(at(0), b"\x16\x03\x01 hello"), 0);
    pair.mars.tls_established(at(1), vouching(&["ipn:1.0"]));
    assert_eq!(pair.mars.poll_transmit(at(1), usize::MAX), None);
    pair.earth.tls_established(at(1), TlsPeer::default());
    pair.run();
    assert_eq!(pair.ladder, ["earth→mars SESS_INIT ipn:1.0 keepalive 30", "mars→earth SESS_INIT ipn:2.0 keepalive 30"]);
    let (earth, mars) = (pair.earth.established().unwrap(), pair.mars.established().unwrap());
    assert!(earth.tls && mars.tls);
    assert!(mars.authenticated && !earth.authenticated);
}

#[test]
fn a_handshake_that_fails_or_stalls_ends_without_sess_term() {
    let mut pair = at_tls(|_| ());
    pair.earth.handle_closed(at(1));
    assert_eq!(pair.earth.poll_event(), Some(Event::Ended(End::Closed)));
    pair.run_until(at(100));
    assert_eq!(pair.of("mars"), [Event::Ended(End::TlsTimeout(secs(30)))]);
    assert_eq!(pair.ladder, Vec::<String>::new());
}

#[test]
fn a_certificate_must_vouch_for_the_node_id() {
    let outcome = |policy: NodeIdPolicy, bundle_eids: &[&str]| {
        let mut pair = at_tls(|mars| mars.node_id_policy = policy);
        pair.earth.tls_established(at(0), TlsPeer::default());
        pair.mars.tls_established(at(0), vouching(bundle_eids));
        pair.run();
        match pair.mars.established() {
            Some(established) => Ok(established.authenticated),
            None => {
                assert!(pair.ladder.contains(&"mars→earth SESS_TERM Contact Failure".to_owned()), "{:?}", pair.ladder);
                assert_eq!(pair.of("mars").pop(), Some(Event::Ended(End::Clean(TermReason::ContactFailure))));
                Err(cause(&pair.of("mars")[..1]))
            }
        }
    };
    use NodeIdPolicy::{Opportunistic, RequireNodeId};
    assert_eq!(outcome(Opportunistic, &[]), Ok(false));
    assert_eq!(outcome(Opportunistic, &["ipn:1.0"]), Ok(true));
    // An entry that is no node ID counts for nothing (section 4.4.1).
    assert_eq!(outcome(Opportunistic, &["ipn:1.5", "nonsense"]), Ok(false));
    assert_eq!(outcome(RequireNodeId, &["ipn:1.5", "dtn://else/", "ipn:1.0"]), Ok(true));
    let refused = "the peer calls itself ipn:1.0, which its certificate does not vouch for (RFC 9174 section 4.4.4.3)";
    assert_eq!(outcome(Opportunistic, &["ipn:9.0"]), Err(refused.to_owned()));
    assert_eq!(outcome(RequireNodeId, &["ipn:1.5"]), Err(refused.to_owned()));
    assert_eq!(outcome(RequireNodeId, &[]), Err(refused.to_owned()));
}

#[test]
fn a_certificate_may_have_to_vouch_for_the_address() {
    let established = |required: bool, network: Authentication| {
        let mut pair = at_tls(|mars| mars.require_network_id = required);
        pair.earth.tls_established(at(0), TlsPeer::default());
        pair.mars.tls_established(at(0), TlsPeer { network, ..TlsPeer::default() });
        pair.run();
        pair.mars.established().is_some()
    };
    assert!(established(false, Authentication::Absent));
    assert!(!established(false, Authentication::Failure));
    assert!(!established(true, Authentication::Absent));
    assert!(established(true, Authentication::Success));
}

#[test]
fn unknown_session_extensions_are_skipped_unless_they_are_critical() {
    let skipped = [item(0, 0x8001, &[]), item(0xFE, 0x7FFF, &[1]), item(0, 0xFFFF, &[9; 1000])].concat();
    let (heard, _) = answer(|_| (), &sess_init_with(|init| init.items = ItemList(&skipped)));
    assert_eq!(heard, ["SESS_INIT ipn:2.0 keepalive 30"]);

    let critical = [item(0, 0x8001, &[]), item(1, 0x8002, &[1, 2, 3, 4])].concat();
    let (heard, events) = answer(|_| (), &sess_init_with(|init| init.items = ItemList(&critical)));
    assert_eq!(heard, ["SESS_TERM Contact Failure"]);
    assert!(cause(&events).contains("session extension 0x8002"), "{events:?}");
}

#[test]
fn a_list_of_items_must_agree_with_its_length() {
    for list in [&[0, 0x80, 1, 0, 20, 1, 2, 3, 4, 5][..], &[0, 0x80, 1, 0, 0, 9, 9]] {
        let (heard, events) = answer(|_| (), &sess_init_with(|init| init.items = ItemList(list)));
        assert_eq!(heard, ["SESS_TERM Contact Failure"]);
        assert!(cause(&events).contains("malformed"), "{events:?}");
    }
}

#[test]
fn the_peers_node_id_is_judged() {
    let text = |change: fn(&mut Config), node_id: &[u8]| cause(&answer(change, &sess_init(node_id)).1);
    for node_id in [&b"hello"[..], b"ipn:1.5", b"dtn:none", b"dtn://a/b", &[0xFF, 0xFE, 0xFD], &[b'a'; 65535]] {
        assert!(text(|_| (), node_id).contains("is no node ID"));
    }
    assert_eq!(
        text(|config| config.expected_peer = Some(Eid::ipn(7, 0)), b"ipn:1.0"),
        "the peer is ipn:1.0, but the session is meant for ipn:7.0"
    );
    assert!(text(|config| config.anonymous_peer = false, b"").contains("tells no node ID"));
    for node_id in [&b""[..], b"dtn://mars/", b"ipn:977000.5.0"] {
        assert_eq!(answer(|_| (), &sess_init(node_id)).0, ["SESS_INIT ipn:2.0 keepalive 30"]);
    }
}

#[test]
fn a_peer_that_takes_no_octet_is_refused_and_odd_limits_are_not() {
    let (heard, events) = answer(|_| (), &sess_init_with(|init| init.segment_mru = 0));
    assert_eq!(heard, ["SESS_TERM Contact Failure"]);
    assert!(cause(&events).contains("segments of 0 octets"));
    let (heard, _) =
        answer(|_| (), &sess_init_with(|init| (init.segment_mru, init.transfer_mru) = (1 << 63, u64::MAX)));
    assert_eq!(heard, ["SESS_INIT ipn:2.0 keepalive 30"]);
}

#[test]
fn messages_of_a_session_are_unexpected_before_it_is_established() {
    let mut against = Against::new(Role::Passive, Config::new(MARS));
    against.say(b"dtn!\x04\x00");
    against.say(&segment(SE, 0, b"a bundle"));
    against.say(&[4]);
    against.say(&sess_init(b"ipn:1.0"));
    assert_eq!(
        against.hear()[1..],
        [
            "MSG_REJECT Message Unexpected of type 1",
            "MSG_REJECT Message Unexpected of type 4",
            "SESS_INIT ipn:2.0 keepalive 30"
        ]
    );
    against.say(&sess_init_with(|init| init.segment_mru = 100));
    assert_eq!(against.hear(), ["MSG_REJECT Message Unexpected of type 7"]);
    assert_eq!(against.session.established().unwrap().segment_mtu, 1 << 16);
}
