//! Two Ethernet ports joined to a cable between two boxes, each a network namespace: what unmodified programs do over it.
#![allow(missing_docs)]

#[path = "support/lab.rs"]
mod lab;
#[path = "support/vlan.rs"]
mod vlan;

use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use farlink_ports::ethernet::{EthernetConfig, EthernetPort, OpenError};
use farlink_ports::tap::{TapConfig, TapKind, TapPort};
use farlink_ports::{Notice, Port, Received, Stopped, Timebase};
use lab::{Cable, Namespace, PATIENCE, copy_file, iperf3, run, write_file};
use vlan::Tagged;

fn open(interface: &str) -> EthernetPort {
    EthernetPort::open(EthernetConfig::new(interface), &Timebase::start()).unwrap()
}

/// Two boxes with veth pairs, whose other ends are joined.
fn boxes(mtu: u16) -> (Namespace, Namespace, Cable) {
    let (a, b) = (Namespace::with_veth(1, mtu), Namespace::with_veth(2, mtu));
    let cable = Cable::plug(open(&a.end), open(&b.end));
    (a, b, cable)
}

#[test]
fn pings_pass_over_ipv4_and_ipv6_and_none_comes_twice() {
    let (a, b, cable) = boxes(1500);
    a.pings("10.77.0.2", &[]);
    a.pings("fd77::2", &[]);
    b.pings("10.77.0.1", &["-s", "1472", "-M", "do"]);
    b.pings("fd77::1", &["-s", "1452", "-M", "do"]);
    let [at_a, at_b] = cable.told();
    assert_eq!((at_a.ups(), at_b.ups(), at_a.notices.len(), at_b.notices.len()), (1, 1, 1, 1), "{at_a:?} {at_b:?}");
    // Each ping is one frame each way, besides a few of address resolution: nothing goes round in a loop.
    assert!((24..60).contains(&at_a.frames_in) && (24..60).contains(&at_b.frames_in), "{at_a:?} {at_b:?}");
}

/// Gives a box an interface whose frames leave `box0` with these tags. Returned is what makes it so.
fn vlan(namespace: &Namespace, name: &str, tags: &[u8], host: u8) -> Cable {
    namespace.within(|| {
        let base = Timebase::start();
        let inside = TapPort::open(TapConfig::new(TapKind::Ethernet, name), &base).unwrap();
        let id = tags[tags.len() - 1];
        namespace.run(&["ip", "address", "add", &format!("10.{id}.0.{host}/24"), "dev", name]);
        Cable::plug(inside, Tagged { port: open("box0"), tags: tags.to_vec() })
    })
}

const VLAN_10: [u8; 4] = [0x81, 0, 0, 10];
const VLAN_11: [u8; 4] = [0x81, 0, 0, 11];

#[test]
fn frames_of_a_vlan_keep_their_tags() {
    let (a, b, cable) = boxes(1500);
    let stacked = [0x88, 0xA8, 0x60, 20, 0x81, 0, 0, 30];
    let _vlans = [vlan(&a, "v", &VLAN_10, 1), vlan(&b, "v", &VLAN_10, 2)];
    let _stacked = [vlan(&a, "s", &stacked, 1), vlan(&b, "s", &stacked, 2)];
    a.pings("10.10.0.2", &["-s", "1472", "-M", "do"]);
    // The kernel gives room above the MTU for an 802.1Q tag, not for any other.
    a.pings("10.30.0.2", &["-s", "1464", "-M", "do"]);
    assert!(cable.told().iter().all(|told| told.longest == 1518), "{:?}", cable.told());
}

#[test]
fn a_filter_carries_only_its_vlan_both_ways() {
    let (a, b) = (Namespace::with_veth(1, 1500), Namespace::with_veth(2, 1500));
    let _vlans = [vlan(&a, "v", &VLAN_10, 1), vlan(&b, "v", &VLAN_10, 2)];
    let _others = [vlan(&a, "w", &VLAN_11, 1), vlan(&b, "w", &VLAN_11, 2)];
    let filtered = EthernetConfig { vlan: Some(10), ..EthernetConfig::new(&a.end) };
    let cable = Cable::plug(EthernetPort::open(filtered, &Timebase::start()).unwrap(), open(&b.end));
    a.pings("10.10.0.2", &[]);
    let lost =
        |from: &Namespace, to: &str| assert!(!from.try_run(&["ping", "-n", "-c", "1", "-W", "1", to]).status.success());
    for to in ["10.11.0.2", "10.77.0.2"] {
        lost(&a, to);
    }
    assert!(cable.told()[0].longest >= 46 && cable.told()[1].longest >= 46);
    let before = cable.told()[0].refused.len();
    lost(&b, "10.11.0.1");
    let told = cable.told();
    assert!(told[0].refused.len() > before && told[0].refused.iter().all(|why| why.contains("vlan=10")), "{told:?}");
}

#[test]
fn jumbo_frames_pass_and_a_shorter_mtu_refuses_them() {
    let (a, b, cable) = boxes(9000);
    a.pings("10.77.0.2", &["-s", "8972", "-M", "do"]);
    assert_eq!(cable.told()[0].longest, 9014);
    run(&["ip", "link", "set", &b.end, "mtu", "1500"]);
    assert!(!a.try_run(&["ping", "-n", "-c", "1", "-W", "1", "-s", "8972", "-M", "do", "10.77.0.2"]).status.success());
    let told = cable.wait("a frame is refused", |told| !told[1].refused.is_empty());
    assert!(told[1].refused[0].contains("9014 bytes") && told[1].refused[0].contains("MTU"), "{told:?}");
    // The frames after it go, and so does the other direction.
    b.pings("10.77.0.1", &[]);
}

#[test]
fn a_file_over_tcp_arrives_as_it_was_over_either_internet_protocol() {
    let (a, b, cable) = boxes(1500);
    a.answers("10.77.0.2");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    write_file(&file, 30_000_000);
    copy_file(&a, &b, "10.77.0.2:4000".parse().unwrap(), &file);
    copy_file(&b, &a, "[fd77::1]:4000".parse().unwrap(), &file);
    let told = cable.told();
    // The boxes leave segmentation and checksums to their interfaces; what passes is nevertheless as long as on a wire.
    assert!(told.iter().all(|told| told.longest == 1514), "{told:?}");
    assert!(told.iter().all(|told| told.notices.iter().all(|notice| matches!(notice, Notice::Up { .. }))), "{told:?}");
}

#[test]
fn iperf3_runs_over_tcp_and_udp() {
    let (a, b, cable) = boxes(1500);
    a.answers("10.77.0.2");
    let forward = iperf3(&a, &b, "10.77.0.2", 1, &[]);
    let back = iperf3(&a, &b, "10.77.0.2", 1, &["-R"]);
    let udp = iperf3(&a, &b, "10.77.0.2", 1, &["-u", "-b", "10M"]);
    eprintln!("iperf3: TCP {forward:.3e} and {back:.3e} bit/s, UDP {udp:.3e} bit/s; {:?}", cable.told());
    assert!(forward > 1e6 && back > 1e6 && udp > 1e6);
}

/// A measurement, not a check: `cargo test --release -p farlink-ports --test ethernet -- --ignored --nocapture`.
#[test]
#[ignore = "measures, and takes some seconds"]
fn throughput_of_iperf3() {
    for mtu in [1500, 9000] {
        let (a, b, cable) = boxes(mtu);
        a.answers("10.77.0.2");
        for more in [&[][..], &["-R"], &["-P", "4"], &["--bidir"]] {
            let (cpu, frames) = (cable.cpu(), cable.frames());
            let rate = iperf3(&a, &b, "10.77.0.2", 3, more);
            // What the cable's thread took of a core is less at the mercy of what else the machine does.
            let (cpu, frames) = (cable.cpu() - cpu, cable.frames() - frames);
            let per_frame = cpu.as_secs_f64() * 1e6 / frames as f64;
            println!(
                "MTU {mtu}, {more:?}: {:.2} Gbit/s; {per_frame:.2} µs of a core for each of {frames} frames",
                rate / 1e9
            );
        }
        println!("{:?}", cable.told());
    }
}

#[test]
fn a_link_that_goes_down_and_comes_up_is_told_and_carries_again() {
    let (a, b, cable) = boxes(1500);
    a.answers("10.77.0.2");
    // Set down on the port's side; then unplugged, which is the far end going down.
    for (times, down, up) in [(1, "test", "test"), (2, "box", "box")] {
        let set = |side: &str, state: &str| match side {
            "test" => drop(run(&["ip", "link", "set", &a.end, state])),
            _ => drop(a.run(&["ip", "link", "set", "box0", state])),
        };
        set(down, "down");
        let told = cable.wait("down is told", |told| told[0].downs() == times);
        assert_eq!(told[1].downs(), 0);
        set(up, "up");
        cable.wait("up is told", |told| told[0].ups() == times + 1);
        if times == 2 {
            // IPv6 addresses go with the link.
            a.try_run(&["ip", "address", "add", "fd77::1/64", "dev", "box0", "nodad"]);
        }
        a.pings("10.77.0.2", &[]);
        b.pings("fd77::1", &[]);
    }
}

#[test]
fn an_interface_that_is_removed_and_made_again_carries_again() {
    let (a, b, cable) = boxes(1500);
    a.answers("10.77.0.2");
    run(&["ip", "link", "del", &a.end]);
    let told = cable.wait("down is told", |told| told[0].downs() == 1);
    assert!(matches!(&told[0].notices[1], Notice::Down { detail, .. } if detail.contains("is gone")), "{told:?}");
    // What the other box says meanwhile is lost, and nothing else.
    assert!(!b.try_run(&["ping", "-n", "-c", "1", "-W", "1", "10.77.0.1"]).status.success());
    a.make_veth(1, 1500);
    cable.wait("up is told", |told| told[0].ups() >= 2);
    b.answers("10.77.0.1");
    a.pings("fd77::2", &[]);
    assert_eq!(cable.told()[1].downs(), 0);
}

#[test]
fn a_flood_one_way_leaves_the_other_way_going() {
    let (a, b, cable) = boxes(1500);
    a.answers("10.77.0.2");
    let _server = b.start(&["iperf3", "-s", "-B", "10.77.0.2"]);
    a.answers("10.77.0.2");
    let flood = ["iperf3", "-c", "10.77.0.2", "-u", "-b", "0", "-l", "64", "-t", "20", "--connect-timeout", "5000"];
    std::thread::sleep(Duration::from_millis(500));
    let before = cable.told()[0].frames_in;
    let _flood = a.start(&flood);
    cable.wait("the flood is on", |told| told[0].frames_in > before + 20_000);
    // IPv6 from the other side: its requests go against the flood. Answers share the flood's way, so some may be lost.
    let text = b.try_run(&["ping", "-n", "-c", "40", "-i", "0.05", "-W", "2", "fd77::1"]);
    let text = String::from_utf8_lossy(&text.stdout);
    let requests = a.run(&["cat", "/proc/net/snmp6"]);
    let came: u64 = requests
        .lines()
        .find_map(|line| line.strip_prefix("Icmp6InEchos"))
        .map(|count| count.trim().parse().unwrap())
        .unwrap();
    assert_eq!(came, 40, "{text} {:?}", cable.told());
}

/// Takes from a port until so many frames that the test knows are there.
fn take(port: &mut EthernetPort, base: &Timebase, count: usize, is_known: impl Fn(&Received) -> bool) -> Vec<Received> {
    let start = std::time::Instant::now();
    let (mut all, mut known) = (Vec::new(), Vec::new());
    while known.len() < count {
        assert!(start.elapsed() < PATIENCE, "only {} of {count} came", known.len());
        port.receive(base, &mut all).unwrap();
        known.extend(all.drain(..).filter(&is_known));
        std::thread::sleep(Duration::from_millis(1));
    }
    known
}

/// A frame of the experimental EtherType 0x88B5 with a content of so many bytes.
fn experimental(length: usize, fill: u8) -> Bytes {
    [&[2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8, 0x88, 0xB5][..], &vec![fill; length]].concat().into()
}

#[test]
fn frames_arrive_as_they_are_with_the_instant_of_their_arrival() {
    let namespace = Namespace::with_veth(1, 1500);
    let base = Timebase::start();
    let mut near = open(&namespace.end);
    let mut far = namespace.within(|| open("box0"));
    let frames: Vec<Bytes> =
        [0, 1, 46, 100, 1000, 1499, 1500].iter().map(|length| experimental(*length, *length as u8)).collect();
    // More than one call of the system moves.
    let many: Vec<Bytes> = frames.iter().cycle().take(300).cloned().collect();
    let before = base.now();
    let sent = far.send(&many);
    let after = base.now();
    assert_eq!((sent.taken, sent.stopped), (300, None));
    // The far port looks for its interface where it was opened; what matters here is the near one.
    std::thread::sleep(Duration::from_millis(50));
    let ours = |frame: &Received| frame.content.get(12..14) == Some(&[0x88, 0xB5]);
    let received = take(&mut near, &base, many.len(), ours);
    assert!(received.iter().map(|frame| &frame.content).eq(&many));
    for frame in &received {
        assert!(before <= frame.at && frame.at <= after, "{before} {} {after}", frame.at);
    }
    assert!(received.is_sorted_by_key(|frame| frame.at));

    for (wrong, why) in
        [(Bytes::new(), "0 bytes"), (experimental(0, 0).slice(..13), "13 bytes"), (experimental(1501, 0), "MTU")]
    {
        let sent = near.send(&[frames[1].clone(), wrong, frames[1].clone()]);
        assert_eq!(sent.taken, 1);
        assert!(matches!(&sent.stopped, Some(Stopped::Refused(text)) if text.contains(why)), "{sent:?}");
    }
}

#[test]
fn more_than_the_kernel_keeps_is_counted() {
    let namespace = Namespace::with_veth(1, 1500);
    let base = Timebase::start();
    let mut near = open(&namespace.end);
    let mut far = namespace.within(|| open("box0"));
    // A frame takes at least some hundred bytes of what the kernel keeps, 32 MiB here.
    let frames = vec![experimental(1000, 1); 1000];
    let mut sent = 0;
    for _ in 0..60 {
        sent += far.send(&frames).taken;
    }
    let start = std::time::Instant::now();
    let (mut received, mut dropped) = (Vec::new(), 0);
    // The count of what was dropped comes with the next frame after it.
    while received.iter().filter(|frame: &&Received| frame.content.len() == 1014).count() as u64 + dropped < sent as u64
    {
        assert!(start.elapsed() < PATIENCE, "{} received and {dropped} dropped of {sent}", received.len());
        near.receive(&base, &mut received).unwrap();
        while let Some(notice) = near.poll_notice() {
            if let Notice::Overrun { frames } = notice {
                dropped += frames;
            }
        }
        far.send(&[experimental(1, 2)]);
    }
    assert!(dropped > 0, "{sent} frames did not overflow what the kernel keeps");
}

#[test]
fn what_cannot_be_opened_is_named_with_a_remedy() {
    let base = Timebase::start();
    let error = EthernetPort::open(EthernetConfig::new("nosuch0"), &base).unwrap_err();
    assert!(matches!(error, OpenError::NoSuchInterface { .. }));
    assert!(error.to_string().contains("`nosuch0`") && error.to_string().contains("lo"), "{error}");

    let namespace = Namespace::empty();
    namespace.run(&["ip", "tuntap", "add", "t0", "mode", "tun"]);
    let error = namespace.within(|| EthernetPort::open(EthernetConfig::new("t0"), &base).unwrap_err());
    assert!(matches!(error, OpenError::NotEthernet { .. }) && error.to_string().contains("tun:"), "{error}");
}

#[test]
fn without_the_right_to_read_frames_the_remedy_is_told() {
    // The same test program again, as nobody, runs only the part below.
    let program = std::env::current_exe().unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid", "65534", "--clear-groups", "--bounding-set", "-net_raw", "--inh-caps", "-all"])
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
    let error = EthernetPort::open(EthernetConfig::new("lo"), &Timebase::start()).unwrap_err();
    assert!(matches!(error, OpenError::Permission { .. }) && error.to_string().contains("cap_net_raw"), "{error}");
}
