//! Keepalives and time limits.

use super::*;

#[test]
fn who_connects_and_stays_silent_is_closed_without_a_word() {
    for octets in [&b""[..], b"dtn"] {
        let mut against = Against::new(Role::Passive, Config::new(MARS));
        assert_eq!(against.session.poll_timeout(), Some(at(30)));
        against.wait_until(at(29));
        against.say(octets);
        assert_eq!(against.events(), []);
        against.wait_until(at(30));
        assert_eq!(against.events(), [Event::Ended(End::ContactTimeout(secs(30)))]);
        assert_eq!(against.hear(), Vec::<String>::new());
    }
}

#[test]
fn a_peer_that_never_sends_sess_init_is_given_up() {
    let mut against = Against::new(Role::Active, Config::new(EARTH));
    against.say(b"dtn!\x04\x00");
    let init = sess_init(b"ipn:2.0");
    against.now = at(29);
    against.say(&init[..20]);
    against.hear();
    against.wait_until(at(30));
    assert_eq!(against.hear(), ["SESS_TERM Idle timeout"]);
    assert_eq!(
        against.events(),
        [Event::Ending { reason: TermReason::IdleTimeout, cause: Cause::InitTimeout(secs(30)) }]
    );
    against.wait_until(at(35));
    assert_eq!(against.events(), [Event::Ended(End::CloseTimeout(secs(5)))]);
}

#[test]
fn keepalives_keep_an_idle_session() {
    let mut pair = Pair::established_with(|earth, _| earth.keepalive_s = 2);
    pair.run_until(at(20));
    let count = |arrow: &str| pair.ladder.iter().filter(|line| **line == format!("{arrow} KEEPALIVE")).count();
    assert_eq!((count("earth→mars"), count("mars→earth")), (10, 10), "{:#?}", pair.ladder);
    assert_eq!(pair.ladder.len(), 20);
    assert_eq!(pair.events, []);
}

#[test]
fn other_messages_stand_for_a_keepalive() {
    let mut pair = Pair::established_with(|earth, _| earth.keepalive_s = 2);
    for second in 1..20 {
        pair.earth.send(1, bundle(10).into()).unwrap();
        pair.run_until(at(second));
    }
    assert!(!pair.ladder.iter().any(|line| line.contains("KEEPALIVE")), "{:#?}", pair.ladder);
}

#[test]
fn a_keepalive_does_not_go_into_a_segment() {
    let mut against = Against::opened();
    against.session.send(1, bundle(1000).into()).unwrap();
    let octets = against.session.poll_transmit(at(0), 500).unwrap();
    against.tap.hear(&octets);
    against.say(&[4]);
    against.wait_until(at(40));
    assert_eq!(against.hear(), ["XFER_SEGMENT 0 START END 1000"]);
    assert_eq!(against.session.poll_timeout(), Some(at(60)), "silence comes before the next keepalive");
}

#[test]
fn an_interval_of_zero_turns_keepalives_off() {
    let mut pair = Pair::established_with(|_, mars| mars.keepalive_s = 0);
    assert_eq!((pair.earth.poll_timeout(), pair.mars.poll_timeout()), (None, None));
    pair.run_until(at(100_000));
    assert_eq!(pair.ladder, Vec::<String>::new());
    pair.earth.send(1, bundle(10).into()).unwrap();
    pair.run();
    assert!(pair.of("earth").contains(&Event::Acknowledged { tag: 1 }));
}

#[test]
fn a_silent_peer_gets_sess_term_after_twice_the_interval_and_is_then_closed() {
    let mut against = Against::opened();
    against.session.send(1, bundle(10).into()).unwrap();
    against.hear();
    against.wait_until(at(59));
    assert_eq!(against.hear(), ["KEEPALIVE"]);
    against.wait_until(at(60));
    assert_eq!(against.hear(), ["SESS_TERM Idle timeout"]);
    assert_eq!(against.events(), [Event::Ending { reason: TermReason::IdleTimeout, cause: Cause::Silence(secs(60)) }]);
    assert_eq!(against.session.poll_timeout(), Some(at(65)));
    against.wait_until(at(65));
    assert_eq!(against.events(), [Event::Failed { tag: 1, acknowledged: 0 }, Event::Ended(End::CloseTimeout(secs(5)))]);
}

#[test]
fn a_long_segment_that_still_arrives_is_no_silence() {
    let mut against = Against::opened();
    let octets = segment(SE, 0, &[7; 10]);
    for (second, octet) in octets.iter().enumerate() {
        against.wait_until(at(50 * second as i64));
        against.say(&[*octet]);
        against.hear();
    }
    assert!(matches!(against.events()[..], [Event::Received { .. }]));
}

#[test]
fn a_session_that_only_keeps_alive_can_be_shut_down() {
    let mut pair = Pair::established_with(|earth, _| earth.idle_shutdown = Some(secs(100)));
    pair.now = at(40);
    pair.earth.send(1, bundle(10).into()).unwrap();
    pair.run_until(at(139));
    assert!(!pair.earth.is_over());
    pair.run_until(at(140));
    assert_eq!(
        pair.ladder[pair.ladder.len() - 2..],
        ["earth→mars SESS_TERM Idle timeout", "mars→earth SESS_TERM reply Idle timeout"]
    );
    assert!(
        pair.of("earth").contains(&Event::Ending { reason: TermReason::IdleTimeout, cause: Cause::Idle(secs(100)) })
    );
}

#[test]
fn a_transfer_that_is_never_acknowledged_ends_the_session() {
    let mut against = Against::opened();
    against.session.send(3, bundle(10).into()).unwrap();
    against.hear();
    for second in (20..300).step_by(20) {
        against.wait_until(at(second));
        against.say(&[4]);
        against.hear();
    }
    assert_eq!(against.events(), []);
    against.wait_until(at(300));
    assert_eq!(against.hear(), ["SESS_TERM Unknown"]);
    against.wait_until(at(305));
    assert_eq!(
        against.events(),
        [
            Event::Ending { reason: TermReason::Unknown, cause: Cause::Stalled(secs(300)) },
            Event::Failed { tag: 3, acknowledged: 0 },
            Event::Ended(End::CloseTimeout(secs(5)))
        ]
    );
}
