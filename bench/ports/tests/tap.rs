//! TAP and TUN: interfaces that unmodified programs send over, whose other side is a port.
#![allow(missing_docs)]

#[path = "support/lab.rs"]
mod lab;

use std::process::Command;

use bytes::Bytes;
use farlink_ports::ethernet::{EthernetConfig, EthernetPort};
use farlink_ports::tap::{OpenError, TapConfig, TapKind, TapPort};
use farlink_ports::{Notice, Port, Stopped, Timebase};
use lab::{Cable, Namespace, PATIENCE, copy_file, iperf3, run, try_run, write_file};

fn open(namespace: &Namespace, text: &str) -> TapPort {
    let config: TapConfig = text.parse().unwrap();
    namespace.within(|| TapPort::open(config, &Timebase::start()).unwrap())
}

/// Two boxes with an interface of this kind in each, joined.
fn boxes(text: &str) -> (Namespace, Namespace, Cable) {
    let (a, b) = (Namespace::empty(), Namespace::empty());
    let ports = [(&a, 1), (&b, 2)].map(|(namespace, host)| {
        let port = open(namespace, text);
        namespace.address("box0", host);
        port
    });
    let [at_a, at_b] = ports;
    (a, b, Cable::plug(at_a, at_b))
}

#[test]
fn pings_pass_over_ipv4_and_ipv6() {
    for (kind, overhead) in [("tap", 14), ("tun", 0)] {
        let (a, b, cable) = boxes(&format!("{kind}:box0"));
        a.pings("10.77.0.2", &[]);
        b.pings("fd77::1", &["-s", "1452", "-M", "do"]);
        let told = cable.told();
        assert!(
            told.iter().all(|told| told.ups() == 1 && told.downs() == 0 && told.longest == 1500 + overhead),
            "{told:?}"
        );
    }
}

#[test]
fn the_mtu_is_as_told() {
    let (a, _b, cable) = boxes("tap:box0,mtu=9000");
    a.pings("10.77.0.2", &["-s", "8972", "-M", "do"]);
    assert_eq!(cable.told()[0].longest, 9014);
}

#[test]
fn an_address_is_given_if_told() {
    let (a, b) = (Namespace::empty(), Namespace::empty());
    let cable = Cable::plug(open(&a, "tun:box0,address=10.9.0.1/24"), open(&b, "tun:box0,address=10.9.0.2/24"));
    a.pings("10.9.0.2", &[]);
    drop(cable);
    let _cable = Cable::plug(open(&a, "tap:box0,address=fd99::1/64"), open(&b, "tap:box0,address=fd99::2/64"));
    a.pings("fd99::2", &[]);
}

#[test]
fn a_file_over_tcp_arrives_as_it_was() {
    for kind in ["tap", "tun"] {
        let (a, b, _cable) = boxes(&format!("{kind}:box0"));
        a.answers("10.77.0.2");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        write_file(&file, 10_000_000);
        copy_file(&a, &b, "10.77.0.2:4000".parse().unwrap(), &file);
        copy_file(&b, &a, "[fd77::1]:4000".parse().unwrap(), &file);
    }
}

#[test]
fn iperf3_runs() {
    let (a, b, cable) = boxes("tap:box0");
    a.answers("10.77.0.2");
    let (forward, back) = (iperf3(&a, &b, "10.77.0.2", 1, &[]), iperf3(&a, &b, "10.77.0.2", 1, &["-R"]));
    eprintln!("iperf3 over TAP: {forward:.3e} and {back:.3e} bit/s; {:?}", cable.told());
    assert!(forward > 1e6 && back > 1e6);
}

#[test]
fn a_tap_and_an_ethernet_interface_can_be_joined() {
    let (a, b) = (Namespace::empty(), Namespace::with_veth(2, 1500));
    let tap = open(&a, "tap:box0");
    a.address("box0", 1);
    let ethernet = EthernetPort::open(EthernetConfig::new(&b.end), &Timebase::start()).unwrap();
    let cable = Cable::plug(tap, ethernet);
    a.pings("10.77.0.2", &[]);
    b.pings("fd77::1", &[]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    write_file(&file, 10_000_000);
    copy_file(&a, &b, "10.77.0.2:4000".parse().unwrap(), &file);
    copy_file(&b, &a, "10.77.0.1:4000".parse().unwrap(), &file);
    assert!(cable.told().iter().all(|told| told.longest == 1514 && told.refused.is_empty()), "{:?}", cable.told());
}

#[test]
fn an_interface_may_be_moved_to_another_namespace() {
    let (a, b) = (Namespace::empty(), Namespace::empty());
    let name = format!("flt{}", std::process::id());
    let here = TapPort::open(TapConfig::new(TapKind::Ethernet, &name), &Timebase::start()).unwrap();
    let other = open(&b, "tap:box0");
    b.address("box0", 2);
    let cable = Cable::plug(here, other);
    run(&["ip", "link", "set", &name, "netns", &a.name]);
    a.address(&name, 1);
    a.pings("10.77.0.2", &[]);
    b.pings("fd77::1", &[]);
    // It is set down when it is moved, which may be seen or not; in the end it carries.
    let told = cable.told();
    assert!(!matches!(told[0].notices.last(), Some(Notice::Down { .. })), "{told:?}");
}

#[test]
fn what_was_made_vanishes_and_what_was_there_stays() {
    let name = format!("fls{}", std::process::id());
    let exists = || try_run(&["ip", "link", "show", &name]).status.success();
    let config = TapConfig::new(TapKind::Ethernet, &name);
    let port = TapPort::open(config.clone(), &Timebase::start()).unwrap();
    assert!(exists());
    let error = TapPort::open(config.clone(), &Timebase::start()).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }) && error.to_string().contains(&name), "{error}");
    drop(port);
    assert!(!exists());

    run(&["ip", "tuntap", "add", &name, "mode", "tap"]);
    let wrong = TapConfig { kind: TapKind::Internet, ..config.clone() };
    let outcome = std::panic::catch_unwind(|| {
        drop(TapPort::open(config, &Timebase::start()).unwrap());
        assert!(exists());
        let error = TapPort::open(wrong, &Timebase::start()).unwrap_err();
        assert!(matches!(error, OpenError::OtherKind { .. }) && error.to_string().contains("mode tun"), "{error}");
    });
    run(&["ip", "link", "del", &name]);
    outcome.unwrap();
}

#[test]
fn an_interface_that_goes_down_or_is_removed_carries_again() {
    // In the namespace of the test, where the port can see the interface.
    let name = format!("fld{}", std::process::id());
    let b = Namespace::empty();
    let here = TapPort::open(TapConfig::new(TapKind::Ethernet, &name), &Timebase::start()).unwrap();
    let cable = Cable::plug(here, open(&b, "tap:box0"));
    cable.wait("it is up", |told| told[0].ups() == 1);
    run(&["ip", "link", "set", &name, "down"]);
    cable.wait("down is told", |told| told[0].downs() == 1);
    run(&["ip", "link", "set", &name, "up"]);
    cable.wait("up is told", |told| told[0].ups() == 2);
    run(&["ip", "link", "del", &name]);
    cable.wait("down is told", |told| told[0].downs() == 2);
    // The port had made it, and makes it again.
    cable.wait("up is told", |told| told[0].ups() == 3);
    run(&["ip", "link", "set", &name, "addrgenmode", "none"]);
    run(&["ip", "address", "add", "10.77.200.1/24", "dev", &name]);
    b.run(&["ip", "address", "add", "10.77.200.2/24", "dev", "box0"]);
    b.pings("10.77.200.1", &[]);
    assert_eq!(cable.told()[1].downs(), 0);
}

#[test]
fn what_is_no_packet_is_refused_and_what_is_not_taken_is_counted() {
    let namespace = Namespace::empty();
    let base = Timebase::start();
    let mut tun = open(&namespace, "tun:box0");
    let mut tap = open(&namespace, "tap:box1");
    for (port, wrong) in [(&mut tun as &mut dyn Port, &[0u8; 40][..]), (&mut tap, &[0; 13])] {
        let sent = port.send(&[Bytes::copy_from_slice(wrong)]);
        assert!(
            sent.taken == 0 && matches!(&sent.stopped, Some(Stopped::Refused(why)) if why.contains("are no")),
            "{sent:?}"
        );
    }
    // Nobody reads while more is sent than the interface keeps.
    namespace.address("box0", 1);
    namespace.within(|| {
        let socket = std::net::UdpSocket::bind("10.77.0.1:0").unwrap();
        for _ in 0..12_000 {
            socket.send_to(&[1; 8], "10.77.0.2:9").unwrap();
        }
    });
    let (start, mut frames, mut dropped) = (std::time::Instant::now(), Vec::new(), 0);
    while frames.len() as u64 + dropped < 12_000 {
        assert!(start.elapsed() < PATIENCE, "{} received, {dropped} dropped", frames.len());
        tun.receive(&base, &mut frames).unwrap();
        while let Some(notice) = tun.poll_notice() {
            if let Notice::Overrun { frames } = notice {
                dropped += frames;
            }
        }
    }
    assert!(dropped > 0 && frames.len() >= 10_000, "{} received, {dropped} dropped", frames.len());
}

#[test]
fn without_the_right_to_make_interfaces_the_remedy_is_told() {
    // The same test program again, as nobody, runs only the part below.
    let program = std::env::current_exe().unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid", "65534", "--clear-groups", "--bounding-set", "-net_admin", "--inh-caps", "-all"])
        .arg(program)
        .args(["--ignored", "--exact", "as_nobody", "--nocapture"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
#[ignore = "runs as a part of the test before it"]
fn as_nobody() {
    let error = TapPort::open(TapConfig::new(TapKind::Ethernet, "nobody0"), &Timebase::start()).unwrap_err();
    assert!(matches!(error, OpenError::Permission { .. }) && error.to_string().contains("cap_net_admin"), "{error}");
}
