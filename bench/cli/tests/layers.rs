//! Node processes that exchange a file over each convergence layer, and what passed, read by Wireshark's own dissectors.
#![allow(missing_docs)]

mod common;
#[path = "../../ports/tests/support/mod.rs"]
mod support;

use std::fs;
use std::path::PathBuf;

use common::place::{Place, free_ports};
use common::process::wait_for;
use common::tap::{Capture, Tap, assert_sound, field, tshark};
use common::*;
use farlink_wire::bpv7::Bundle;
use farlink_wire::{mtcp, stcp};
use support::{Authority, Names, bundle_security};

const TCPCL_PORT: u16 = 4556;
const LTP_PORT: u16 = 1113;

/// A node that sends from service 1.
fn lander(listen: &str, neighbours: &str) -> String {
    format!(
        "node: ipn:10.0\nendpoints: {{ ipn:10.1: {{ state: passive }} }}\nlisten: [{listen}]\nneighbours:\n{neighbours}\n"
    )
}

/// A node that keeps what comes for service 1 in the folder `inbox`.
fn station(listen: &str, neighbours: &str) -> String {
    format!(
        "node: ipn:30.0\nstatus_reports: true\nendpoints: {{ ipn:30.1: {{ deliver: {{ directory: inbox }} }} }}\n\
         listen: [{listen}]\nneighbours:\n{neighbours}\n"
    )
}

/// Eight bundles that carry the file.
const PAYLOAD: usize = 150_000;

#[test]
fn tcpcl_carries_a_file_and_its_report() {
    let place = Place::new(PAYLOAD);
    let [near, far] = free_ports();
    let tap = Tap::tcp(far);
    let _station = place.node(
        "station",
        &station(
            &format!("{{ tcpcl: 'tcp:{far}' }}"),
            "  ipn:10.0: { tcpcl: { keepalive: 5 s, segment_size: 4 KiB } }",
        ),
        &[],
    );
    let listen = format!("{{ tcpcl: 'tcp:{near}' }}");
    let lander = lander(&listen, &format!("  ipn:30.0: {{ tcpcl: {{ to: 'tcp:{}' }} }}", tap.port));
    place.assert_delivered(place.sender("lander", &lander, "ipn:30.1"));

    let capture = place.path("capture.pcapng");
    tap.capture(&capture, TCPCL_PORT);
    assert_sound(&capture, &[]);
    let contacts = field(&capture, &[], "tcpcl.contact_hdr.version == 4", "tcp.srcport");
    assert_eq!(contacts.len(), 2, "each side sends one contact header");
    let transfers = field(&capture, &[], "tcpcl.v4.xfer_segment.data_len", "tcpcl.v4.xfer_segment.data_len");
    assert!(transfers.len() >= 9, "{transfers:?}");
    let bundles = tshark(&capture, &["-Y", "bpv7"]);
    assert!(!bundles.is_empty(), "Wireshark finds no bundle");
    let ends = field(&capture, &[], "tcpcl.v4.ses_term.reason", "tcpcl.v4.ses_term.reason");
    assert_eq!(ends.len(), 2, "the session ends in order: {ends:?}");
}

#[test]
fn tcpcl_secured_by_tls_carries_a_file_between_nodes_that_prove_their_ids() {
    let place = Place::new(PAYLOAD);
    let authority = Authority::new();
    fs::write(place.path("trust.pem"), &authority.pem).unwrap();
    for (name, id) in [("lander", "ipn:10.0"), ("station", "ipn:30.0"), ("other", "ipn:40.0")] {
        let names = Names { bundle_eids: &[id], purposes: vec![bundle_security()], ..Names::default() };
        let leaf = authority.leaf(&names);
        fs::write(place.path(&format!("{name}.pem")), leaf.certificate).unwrap();
        fs::write(place.path(&format!("{name}.key")), leaf.key).unwrap();
    }
    let tls = |name: &str| format!("tls: {{ certificate: {name}.pem, key: {name}.key, trust: trust.pem }}");
    let [near, far] = free_ports();
    let tap = Tap::tcp(far);
    let listen = format!("{{ tcpcl: 'tcp:{far}', {} }}", tls("station"));
    let mut station = place.node("station", &station(&listen, "  ipn:10.0: { tcpcl: {} }"), &[]);
    let listen = format!("{{ tcpcl: 'tcp:{near}', {} }}", tls("lander"));

    // The certificate of somebody else does not do.
    let neighbour = format!("  ipn:30.0: {{ tcpcl: {{ to: 'tcp:{}', {} }} }}", tap.port, tls("other"));
    let mut impostor = place.sender("impostor", &lander(&listen, &neighbour), "ipn:30.1");
    station.wait_for_text("ipn:10.0");
    impostor.wait_for_text("over");
    assert!(station.printed().find("received").is_none(), "{}", station.printed());
    impostor.signal("KILL");
    impostor.wait();

    let neighbour = format!("  ipn:30.0: {{ tcpcl: {{ to: 'tcp:{}', {} }} }}", tap.port, tls("lander"));
    let mut lander = place.sender("lander", &lander(&listen, &neighbour), "ipn:30.1");
    lander.wait_for_text("session with ipn:30.0, secured by TLS");
    place.assert_delivered(lander);

    // Nothing of the bundles is to be seen but their length.
    let passed: Vec<u8> = tap.passed().into_iter().flat_map(|p| p.octets).collect();
    let clear = &fs::read(&place.payload).unwrap()[1000..1032];
    assert!(passed.len() > PAYLOAD && !passed.windows(clear.len()).any(|w| w == clear), "the file passed in the clear");
    let capture = place.path("capture.pcapng");
    tap.capture(&capture, TCPCL_PORT);
    assert_sound(&capture, &[]);
    assert!(!tshark(&capture, &["-Y", "tls.handshake"]).is_empty(), "Wireshark finds no TLS after the contact headers");
}

/// Wireshark has no dissector for STCP and MTCP: it gets their bundles as datagrams.
fn assert_bundles_sound(place: &Place, taps: [&Tap; 2], bundles_of: impl Fn(&[u8]) -> Vec<Vec<u8>>) {
    let path = place.path("capture.pcapng");
    let mut capture = Capture::create(&path);
    let mut count = 0;
    for tap in taps {
        let octets: Vec<u8> = tap.passed().into_iter().filter(|p| p.onwards).flat_map(|p| p.octets).collect();
        for bundle in bundles_of(&octets) {
            Bundle::parse(&bundle).unwrap();
            capture.datagram(4556, &bundle);
            count += 1;
        }
    }
    drop(capture);
    assert_sound(&path, &[]);
    let found = tshark(&path, &["-Y", "bpv7.primary.version == 7"]);
    assert_eq!((found.len(), count), (9, 9), "eight fragments and a report");
}

fn one_way_streams(layer: &str) -> (Place, [Tap; 2]) {
    let place = Place::new(PAYLOAD);
    let [near, far] = free_ports();
    let (onwards, back) = (Tap::tcp(far), Tap::tcp(near));
    let neighbour = format!("  ipn:10.0: {{ {layer}: {{ to: 'tcp:{}' }} }}", back.port);
    let _station = place.node("station", &station(&format!("{{ {layer}: 'tcp:{far}' }}"), &neighbour), &[]);
    let neighbour = format!("  ipn:30.0: {{ {layer}: {{ to: 'tcp:{}' }} }}", onwards.port);
    let lander = lander(&format!("{{ {layer}: 'tcp:{near}' }}"), &neighbour);
    place.assert_delivered(place.sender("lander", &lander, "ipn:30.1"));
    (place, [onwards, back])
}

#[test]
fn stcp_carries_a_file_and_its_report() {
    let (place, [onwards, back]) = one_way_streams("stcp");
    assert_bundles_sound(&place, [&onwards, &back], |mut octets| {
        let mut deframer = stcp::Deframer::new(1 << 20);
        std::iter::from_fn(|| deframer.read(&mut octets).unwrap()).collect()
    });
}

#[test]
fn mtcp_carries_a_file_and_its_report() {
    let (place, [onwards, back]) = one_way_streams("mtcp");
    assert_bundles_sound(&place, [&onwards, &back], |mut octets| {
        let mut deframer = mtcp::Deframer::new(1 << 20);
        std::iter::from_fn(|| deframer.read(&mut octets).unwrap()).collect()
    });
}

#[test]
fn datagrams_carry_a_file_and_its_report() {
    let place = Place::new(PAYLOAD);
    let [near, far] = free_ports();
    let (onwards, back) = (Tap::udp(far), Tap::udp(near));
    let neighbour = format!("  ipn:10.0: {{ udp: {{ to: 'udp:{}', rate: 5 Mbit/s }} }}", back.port);
    let _station = place.node("station", &station(&format!("{{ udp: 'udp:{far}' }}"), &neighbour), &[]);
    let neighbour = format!("  ipn:30.0: {{ udp: {{ to: 'udp:{}', rate: 5 Mbit/s }} }}", onwards.port);
    let lander = lander(&format!("{{ udp: 'udp:{near}' }}"), &neighbour);
    place.assert_delivered(place.sender("lander", &lander, "ipn:30.1"));

    let capture = place.path("capture.pcapng");
    onwards.capture(&capture, 4556);
    assert_sound(&capture, &[]);
    let offsets = field(&capture, &[], "bpv7", "bpv7.primary.frag_offset");
    assert_eq!(offsets.len(), 8, "one bundle a datagram: {offsets:?}");
    back.capture(&capture, 4556);
    assert_sound(&capture, &[]);
    assert_eq!(tshark(&capture, &["-Y", "bpv7.admin_rec"]).len(), 1, "the report comes back");
}

fn ltp(port: u16) -> String {
    format!(
        "{{ ltp: {{ to: 'udp:{port}', light_time: 100 ms, rate: 5 Mbit/s, aggregate: {{ size: 64 KiB, time: 100 ms }} }} }}"
    )
}

fn assert_ltp_sound(place: &Place, tap: &Tap) -> PathBuf {
    let capture = place.path("ltp.pcapng");
    tap.capture(&capture, LTP_PORT);
    assert_sound(&capture, &[]);
    assert!(tshark(&capture, &["-Y", "ltp.mal_reception_claim"]).is_empty());
    assert_eq!(tshark(&capture, &["-Y", "ltp"]).len(), tap.passed().len(), "every datagram is LTP");
    capture
}

#[test]
fn ltp_with_aggregation_carries_a_file_and_its_report() {
    let place = Place::new(PAYLOAD);
    let [near, far] = free_ports();
    let (onwards, back) = (Tap::udp(far), Tap::udp(near));
    let neighbour = format!("  ipn:10.0: {}", ltp(back.port));
    let _station = place.node("station", &station(&format!("{{ ltp: 'udp:{far}' }}"), &neighbour), &[]);
    let neighbour = format!("  ipn:30.0: {}", ltp(onwards.port));
    let lander = lander(&format!("{{ ltp: 'udp:{near}' }}"), &neighbour);
    place.assert_delivered(place.sender("lander", &lander, "ipn:30.1"));

    assert_ltp_sound(&place, &back);
    let capture = assert_ltp_sound(&place, &onwards);
    let mut blocks = field(&capture, &[], "ltp.data.chkp", "ltp.session.number");
    blocks.sort();
    blocks.dedup();
    assert!(blocks.len() < 8, "eight bundles share blocks: {blocks:?}");
}

#[test]
fn a_relay_takes_bundles_by_ltp_and_passes_them_on_by_tcpcl() {
    let place = Place::new(PAYLOAD);
    let [lander_ltp, relay_ltp, relay_tcpcl, station_tcpcl] = free_ports();
    // What the fixtures say, with ports that are free here and no light time to wait for.
    let fixture = |name: &str, changes: &[(&str, String)]| {
        let text = fs::read_to_string(fixture(&format!("nodes/{name}.yaml"))).unwrap();
        changes.iter().fold(text, |text, (from, to)| {
            assert!(text.contains(from), "{name}.yaml has no `{from}`");
            text.replace(from, to)
        })
    };
    let nodes = place.path("nodes").display().to_string();
    fs::create_dir(&nodes).unwrap();
    let [stcp, udp] = free_ports();
    let tap = Tap::tcp(relay_tcpcl);
    let relay = fixture(
        "relay",
        &[
            ("../../target/nodes", nodes.clone()),
            ("udp:1114", format!("udp:{relay_ltp}")),
            ("udp:127.0.0.1:1113", format!("udp:127.0.0.1:{lander_ltp}")),
            ("tcp:4557", format!("tcp:{relay_tcpcl}")),
            ("tcp:4558", format!("tcp:{stcp}")),
            ("udp:4556", format!("udp:{udp}")),
            ("rate: 128 kbit/s", "rate: 2 Mbit/s".to_owned()),
            ("light_time: 4 s", "light_time: 200 ms".to_owned()),
        ],
    );
    let mut relay = place.node("relay", &relay, &[]);
    let lander = fixture(
        "lander",
        &[
            ("../../target/nodes", nodes),
            ("udp:1113", format!("udp:{lander_ltp}")),
            ("udp:127.0.0.1:1114", format!("udp:127.0.0.1:{relay_ltp}")),
            ("rate: 256 kbit/s", "rate: 2 Mbit/s".to_owned()),
            ("light_time: 4 s", "light_time: 200 ms".to_owned()),
        ],
    );
    let sender = place.sender("lander", &lander, "ipn:30.1");
    // The station is not up yet: the relay keeps the bundles.
    wait_for("the relay to have bundles on the disk", || {
        let kept = fs::read_dir(place.path("nodes/relay")).ok()?.count();
        (kept > 0).then_some(())
    });
    let listen = format!("{{ tcpcl: 'tcp:{station_tcpcl}' }}");
    let neighbour = format!("  ipn:20.0: {{ tcpcl: {{ to: 'tcp:{}' }} }}", tap.port);
    let routes = "routes: ['* via ipn:20.0']\n";
    let _station = place.node("station", &(station(&listen, &neighbour) + routes), &[]);
    relay.wait_for_text("session with ipn:30.0");
    place.assert_delivered(sender);

    let capture = place.path("capture.pcapng");
    tap.capture(&capture, TCPCL_PORT);
    assert_sound(&capture, &[]);
}

#[test]
fn a_neighbour_that_is_down_at_the_start_is_reached_when_it_comes_up() {
    for layer in ["tcpcl", "stcp", "mtcp"] {
        let place = Place::new(PAYLOAD);
        let [near, far] = free_ports();
        let neighbour = format!("  ipn:30.0: {{ {layer}: {{ to: 'tcp:{far}' }} }}");
        let lander = lander(&format!("{{ {layer}: 'tcp:{near}' }}"), &neighbour);
        let mut sender = place.sender("lander", &lander, "ipn:30.1");
        sender.wait_for_text("no connection to ipn:30.0");
        let neighbour = format!("  ipn:10.0: {{ {layer}: {{ to: 'tcp:{near}' }} }}");
        let _station = place.node("station", &station(&format!("{{ {layer}: 'tcp:{far}' }}"), &neighbour), &[]);
        place.assert_delivered(sender);
    }
}

#[test]
fn what_a_killed_peer_has_not_acknowledged_is_sent_again_to_the_next() {
    let place = Place::new(20_000_000);
    let [near, far] = free_ports();
    let tap = Tap::tcp(far);
    let description = station(&format!("{{ tcpcl: 'tcp:{far}' }}"), "  ipn:10.0: { tcpcl: {} }")
        + "storage: { folder: store, limit: 100 MiB }\n";
    let doomed = place.node("station", &description, &[]);
    let neighbour = format!("  ipn:30.0: {{ tcpcl: {{ to: 'tcp:{}', segment_size: 1 KiB }} }}", tap.port);
    let lander = lander(&format!("{{ tcpcl: 'tcp:{near}' }}"), &neighbour);
    let mut sender = place.sender("lander", &lander, "ipn:30.1");
    wait_for("a part of the file to have passed", || (tap.onward_octets() > 1_000_000).then_some(()));
    doomed.signal("KILL");
    assert_eq!(doomed.wait().signal, Some(9));
    sender.wait_for_text("session with ipn:30.0 over");
    let before = tap.onward_octets();
    assert!(before < 20_000_000, "the session was over before it was broken");
    let mut station = place.node("station", &description, &[]);
    station.wait_for_text("the store holds");
    place.assert_delivered(sender);
    // What the first station had acknowledged did not come again: at most what was under way, of four bundles.
    let again = tap.onward_octets().saturating_sub(20_000_000);
    assert!(again < 1_500_000, "{again} octets more than the file passed");
}

#[test]
fn a_line_that_breaks_in_the_middle_is_dialled_again_and_loses_nothing() {
    let place = Place::new(10_000_000);
    let [near, far] = free_ports();
    let tap = Tap::tcp(far);
    let listen = format!("{{ tcpcl: 'tcp:{far}' }}");
    let _station = place.node("station", &station(&listen, "  ipn:10.0: { tcpcl: {} }"), &[]);
    let neighbour = format!("  ipn:30.0: {{ tcpcl: {{ to: 'tcp:{}', segment_size: 1 KiB }} }}", tap.port);
    let lander = lander(&format!("{{ tcpcl: 'tcp:{near}' }}"), &neighbour);
    let sender = place.sender("lander", &lander, "ipn:30.1");
    wait_for("a part of the file to have passed", || (tap.onward_octets() > 500_000).then_some(()));
    tap.cut();
    place.assert_delivered(sender);
    let capture = place.path("capture.pcapng");
    tap.capture(&capture, TCPCL_PORT);
    let contacts = field(&capture, &[], "tcpcl.contact_hdr.version == 4", "tcp.srcport");
    assert_eq!(contacts.len(), 4, "two sessions, one after the other");
}

#[test]
fn who_is_no_neighbour_may_connect_if_the_node_takes_opportunities() {
    for opportunistic in [true, false] {
        let place = Place::new(PAYLOAD);
        let [near, far] = free_ports();
        let listen = format!("{{ tcpcl: 'tcp:{far}' }}");
        // The station knows nobody. That it can answer is since the lander is connected.
        let station = station(&listen, "  ipn:99.0: { tcpcl: {} }") + &format!("opportunistic: {opportunistic}\n");
        let mut station = place.node("station", &station, &[]);
        let neighbour = format!("  ipn:30.0: {{ tcpcl: {{ to: 'tcp:{far}' }} }}");
        let lander = lander(&format!("{{ tcpcl: 'tcp:{near}' }}"), &neighbour);
        let mut sender = place.sender("lander", &lander, "ipn:30.1");
        if opportunistic {
            place.assert_delivered(sender);
        } else {
            station.wait_for_text("ipn:10.0 is no neighbour of this node: the session is ended");
            sender.wait_for_text("session with ipn:30.0 over");
            let ended = {
                sender.signal("INT");
                sender.wait()
            };
            assert_ne!(ended.code, Some(0), "{}", ended.stdout);
            assert!(!station.printed().contains("received"), "{}", station.printed());
        }
    }
}

#[test]
fn nothing_leaves_outside_a_contact_of_the_plan() {
    let place = Place::new(PAYLOAD);
    let [near, far] = free_ports();
    let tap = Tap::tcp(far);
    let listen = format!("{{ tcpcl: 'tcp:{far}' }}");
    let _station = place.node("station", &station(&listen, "  ipn:10.0: { tcpcl: {} }"), &[]);
    let plan = "contacts:\n  - { from: ipn:10.0, to: ipn:30.0, start: 3 s, end: 1 h, rate: 10 Mbit/s, light_time: 0 s }\n  \
                - { from: ipn:30.0, to: ipn:10.0, start: 3 s, end: 1 h, rate: 10 Mbit/s, light_time: 0 s }\n";
    let neighbour = format!("  ipn:30.0: {{ tcpcl: {{ to: 'tcp:{}' }} }}", tap.port);
    let lander = lander(&format!("{{ tcpcl: 'tcp:{near}' }}"), &neighbour) + plan;
    let begun = std::time::Instant::now();
    let sender = place.sender("lander", &lander, "ipn:30.1");
    let first = wait_for("the first octet", || (tap.onward_octets() > 0).then(|| begun.elapsed()));
    assert!(first >= std::time::Duration::from_secs(3), "the first octet left after {first:?}");
    place.assert_delivered(sender);
}

#[test]
fn a_contact_that_does_not_happen_sends_bundles_the_other_way() {
    let place = Place::new(PAYLOAD);
    let [near, nobody, relay, far] = free_ports();
    let station =
        station(&format!("{{ mtcp: 'tcp:{far}' }}"), &format!("  ipn:10.0: {{ mtcp: {{ to: 'tcp:{near}' }} }}"));
    let _station = place.node("station", &station, &[]);
    let description = format!(
        "node: ipn:20.0\nlisten: [{{ mtcp: 'tcp:{relay}' }}]\nneighbours:\n  ipn:30.0: {{ mtcp: {{ to: 'tcp:{far}' }} }}\n"
    );
    let _relay = place.node("relay", &description, &[]);
    // The direct contact is there at once, and so better than the one by the relay; but nobody answers.
    let plan = "contacts:\n  - { from: ipn:10.0, to: ipn:30.0, start: 0 s, end: 1 h, rate: 10 Mbit/s, light_time: 0 s }\n  \
                - { from: ipn:10.0, to: ipn:20.0, start: 0 s, end: 1 h, rate: 10 Mbit/s, light_time: 1 s }\n  \
                - { from: ipn:20.0, to: ipn:30.0, start: 0 s, end: 1 h, rate: 10 Mbit/s, light_time: 1 s }\n";
    let neighbours =
        format!("  ipn:30.0: {{ tcpcl: {{ to: 'tcp:{nobody}' }} }}\n  ipn:20.0: {{ mtcp: {{ to: 'tcp:{relay}' }} }}");
    let lander = lander(&format!("{{ mtcp: 'tcp:{near}' }}"), &neighbours) + plan;
    let mut sender = place.sender("lander", &lander, "ipn:30.1");
    sender.wait_for_text("the contact with ipn:30.0 does not happen");
    place.assert_delivered(sender);
}
