//! What is refused in links.

mod support;

use farlink_channel_models::{Orbit, Place, Site};
use farlink_scenario::{DamagedFrames, Path};
use farlink_units::{Duration, Instant, Size};
use support::{Refusal as No, SOUND, edited, read, refuse, warn};

const NEAR: &str = "    light_time: 5 ms\n    contacts: [{ start: 600 s, end: 1200 s }, { start: 2 h, end: 3 h }]\n";
const CONTACTS: &str = "[{ start: 600 s, end: 1200 s }, { start: 2 h, end: 3 h }]";
const RETURN: &str = "return: { from: orbiter, to: lander, rate: 128 kbit/s, ber: 1e-7 }";
const VISIBILITY: &str = "visibility: { elevation_mask: 10 deg, occulted_by: [mars] }";

#[test]
fn a_sound_link_is_resolved() {
    let scenario = read(SOUND).unwrap();
    let [near, far] = &scenario.links[..] else { panic!("two links") };
    assert_eq!((near.forward.from, near.forward.to, near.forward.rate.bps()), (0, 1, 2_000_000));
    assert_eq!(near.forward.ber.get(), 1e-6);
    let back = near.return_;
    assert_eq!((back.from, back.to, back.rate.bps(), back.ber.get()), (1, 0, 128_000, 1e-7));
    let at = |secs| Instant::ZERO + Duration::from_secs(secs);
    let contacts = vec![(at(600), at(1200)), (at(7200), at(10_800))];
    assert_eq!(near.path, Path::Fixed { light_time: Duration::from_millis(5), contacts });
    assert_eq!(
        (near.damaged, near.frame_overhead, near.queue),
        (DamagedFrames::Drop, Size::from_bytes(0), Size::from_bytes(262_144))
    );
    assert_eq!((near.ltp.segment_size.bytes(), near.ltp.retransmission_limit), (1360, 20));
    assert_eq!(far.return_.rate.bps(), 2000);
    let Path::Geometry(rules) = &far.path else { panic!("geometry") };
    assert_eq!((rules.elevation_mask_deg, rules.occulters.len()), (10.0, 1));
    assert!(matches!(scenario.nodes[1].place, Some(Place::Orbit(Orbit { semi_major_axis_km: 3796.0, .. }))));
    assert!(matches!(scenario.nodes[2].place, Some(Place::Site(Site { altitude_km: 1.0, .. }))));
}

#[test]
fn ends() {
    refuse(&[
        No(
            "from: lander, to: orbiter, rate",
            "from: ^landr, to: orbiter, rate",
            &["no node `landr`", "did you mean `lander`?"],
        ),
        No(
            "from: lander, to: orbiter, rate",
            "from: lander, to: ^moon, rate",
            &["no node `moon`", "`lander`, `orbiter` or `station`"],
        ),
        No(
            "from: orbiter, to: station",
            "from: orbiter, to: ^orbiter",
            &["a link from `orbiter` to `orbiter`", "two different nodes"],
        ),
        No(
            RETURN,
            "return: { from: ^lander, to: orbiter, rate: 1 kbit/s }",
            &["does not lead back", "write `from: orbiter, to: lander`"],
        ),
        No(
            RETURN,
            "return: { from: ^orbiter, to: station, rate: 1 kbit/s }",
            &["the return channel of `near` does not lead back"],
        ),
        No(
            "  far:\n    forward: { from: orbiter, to: station, rate: 256 kbit/s }\n    return: { from: station, to: orbiter, rate: 2 kbit/s }",
            "  ^far:\n    forward: { from: orbiter, to: station, rate: 256 kbit/s }",
            &["`far` has no return channel", "add `return:"],
        ),
        No(RETURN, "return: ^{ to: lander, rate: 1 kbit/s }", &["`from` is missing"]),
        No(RETURN, "return: ^{ from: orbiter, to: lander }", &["`rate` is missing", "add `rate: 256 kbit/s`"]),
        No(RETURN, "^back: { from: orbiter, to: lander, rate: 1 kbit/s }", &["unknown key `back`"]),
        No("    forward: { from: orbiter,", "    forward: ^{", &["`from` is missing"]),
        No(
            "  far:\n    forward: { from: orbiter, to: station, rate: 256 kbit/s }",
            "  ^far:",
            &["`forward` is missing"],
        ),
        No(
            "traffic:\n",
            "  ^again:\n    forward: { from: orbiter, to: lander, rate: 1 bit/s }\n    return: { from: lander, to: orbiter, rate: 1 bit/s }\n    light_time: 1 s\ntraffic:\n",
            &["`near` already links `lander` and `orbiter`"],
        ),
    ]);
    let start = SOUND.find("links:").unwrap();
    let end = SOUND.find("traffic:").unwrap();
    let first = |links: &str| {
        let text = format!("{}{links}{}", &SOUND[..start], &SOUND[end..]);
        read(&text).unwrap_err().problems()[0].clone()
    };
    assert!(first("links: {}\n").message.contains("`links` is empty"));
    assert!(first("").message.contains("`links` is missing"));
}

#[test]
fn rates_and_errors() {
    refuse(&[
        No("rate: 2 Mbit/s", "rate: ^2", &["`2` has no unit", "write a data rate as in `256 kbit/s`", "Mbit/s"]),
        No("rate: 2 Mbit/s", "rate: ^2 Mbps", &["`Mbps` is not a unit of a data rate"]),
        No("rate: 2 Mbit/s", "rate: ^0 bit/s", &["out of range", "above 0"]),
        No("ber: 1e-6", "ber: ^0.51", &["0.51 is impossible", "from 0 to 0.5"]),
        No("ber: 1e-6", "ber: ^1e-6 bit", &["not a ratio"]),
        No("ber: 1e-6", "ber: ^-1e-6", &["out of range"]),
        No("ber: 1e-6", "ber: ^.nan", &["not a ratio"]),
    ]);
    refuse(&[No(
        "forward: { from: lander, to: orbiter, rate: 2 Mbit/s,",
        "forward: { from: lander, to: orbiter, rate^: ,",
        &["no value stands here"],
    )]);
}

#[test]
fn what_decides_on_contacts() {
    refuse(&[
        No(
            "  far:\n    forward: { from: orbiter, to: station, rate: 256 kbit/s }\n    return: { from: station, to: orbiter, rate: 2 kbit/s }\n    visibility: { elevation_mask: 10 deg, occulted_by: [mars] }",
            "  ^far:\n    forward: { from: orbiter, to: station, rate: 256 kbit/s }\n    return: { from: station, to: orbiter, rate: 2 kbit/s }",
            &["nothing says when `far` carries", "light_time: 10 min"],
        ),
        No(VISIBILITY, "visibility: {}\n    light_time: ^1 s", &["exclude each other", "keep `visibility`"]),
        No(
            VISIBILITY,
            "visibility: { occulted_by: [mars] }\n    contacts: ^always",
            &["`contacts` and `visibility` exclude each other"],
        ),
        No("elevation_mask: 10 deg", "elevation_mask: ^91 deg", &["no elevation is 91 deg"]),
        No("elevation_mask: 10 deg", "elevation_mask: ^10", &["`10` has no unit"]),
        No("elevation_mask: 10 deg", "^elevation: 10 deg", &["unknown key `elevation`"]),
        No("occulted_by: [mars]", "occulted_by: [mars, ^phobos]", &["there is no body `phobos`"]),
        No("occulted_by: [mars]", "occulted_by: ^mars", &["a list must stand here", "[ …, … ]"]),
        No("light_time: 5 ms", "light_time: ^5", &["`5` has no unit"]),
        No("light_time: 5 ms", "light_time: ^-5 ms", &["out of range"]),
        No("light_time: 5 ms", "^light-time: 5 ms", &["did you mean `light_time`?"]),
        No(
            NEAR,
            "    visibility: ^{ elevation_mask: 0 deg, occulted_by: [mars] }\n",
            &["follows geometry, but `lander` has no place", "give `lander` a place"],
        ),
    ]);
    let same_place = edited("\"ipn:20.0\", at: sky", "\"ipn:20.0\", at: ground").replace("  sky: {", "  moon: {");
    let error = read(&same_place).unwrap_err();
    assert!(error.to_string().contains("both ends are at the same place"), "{error}");
    warn(&[No(
        VISIBILITY,
        "visibility: ^{ elevation_mask: 10 deg }",
        &["one end circles Mars", "add `occulted_by: [mars]`"],
    )]);
}

#[test]
fn contacts() {
    refuse(&[
        No(CONTACTS, "^sometimes", &["`sometimes` is no list of contacts", "write `always`"]),
        No(CONTACTS, "^5", &["`5` is no list of contacts"]),
        No(CONTACTS, "^true", &["`true` is no list of contacts"]),
        No(CONTACTS, "^{ start: 0 s, end: 1 s }", &["this must be `always` or a list of contacts"]),
        No(CONTACTS, "^[]", &["carries nothing", "write `always`"]),
        No(CONTACTS, "[^5]", &["keys with values must stand here"]),
        No(CONTACTS, "[^{ start: 0 s }]", &["`end` is missing"]),
        No(CONTACTS, "[^{ end: 1 s }]", &["`start` is missing"]),
        No(CONTACTS, "[{ start: ^0, end: 1 s }]", &["`0` has no unit"]),
        No(CONTACTS, "[{ start: 0 s, end: 1 s, ^rate: 5 bit/s }]", &["unknown key `rate`", "`start` or `end`"]),
        No(CONTACTS, "[{ start: 10 s, end: ^10 s }]", &["ends at 00:00:10.000, but starts at 00:00:10.000"]),
        No(CONTACTS, "[{ start: 10 s, end: ^5 s }]", &["ends after it starts"]),
        No(
            CONTACTS,
            "[{ start: 0 s, end: 10 s }, { start: ^9 s, end: 20 s }]",
            &["lasts until 00:00:10.000", "make them one contact"],
        ),
        No(
            CONTACTS,
            "[{ start: 10 s, end: 20 s }, { start: ^1 s, end: 2 s }]",
            &["starts before the one above it", "order of time"],
        ),
        No(CONTACTS, "[{ start: ^2026-12-14T23:59:59Z, end: 1 h }]", &["before the epoch"]),
        No(CONTACTS, "[{ start: ^2026-12-15T00:00:00, end: 1 h }]", &["does not end in `Z`"]),
    ]);
    warn(&[
        No(CONTACTS, "[{ start: 1 h, end: ^25 h }]", &["the run ends at 1.00:00:00.000, within this contact"]),
        No(
            CONTACTS,
            "[{ start: 1 h, end: 2 h }, { start: ^25 h, end: 26 h }]",
            &["before this contact", "make the run longer"],
        ),
    ]);
    let at = |secs| Instant::ZERO + Duration::from_secs(secs);
    for (text, contacts) in [
        ("always", vec![(Instant::ZERO, Instant::MAX)]),
        ("[{ start: 2026-12-15T00:10:00Z, end: 20 min }]", vec![(at(600), at(1200))]),
        ("[{ start: 0 s, end: 10 s }, { start: 10 s, end: 20 s }]", vec![(at(0), at(10)), (at(10), at(20))]),
    ] {
        let scenario = read(&edited(CONTACTS, text)).unwrap();
        let Path::Fixed { contacts: read, .. } = &scenario.links[0].path else { panic!("fixed") };
        assert_eq!(*read, contacts, "{text}");
    }
    let scenario = read(&edited(&format!("    contacts: {CONTACTS}\n"), "")).unwrap();
    assert!(
        matches!(&scenario.links[0].path, Path::Fixed { contacts, .. } if contacts == &[(Instant::ZERO, Instant::MAX)])
    );
}

#[test]
fn frames_and_ltp() {
    let ltp = "ltp: { segment_size: 1360 B, response_margin: 2 s, retransmission_limit: 20 }";
    refuse(&[
        No(ltp, "damaged_frames: ^keep", &["no treatment of damaged frames `keep`", "`drop` or `deliver`"]),
        No(ltp, "damaged_frames: ^delivr", &["did you mean `deliver`?"]),
        No(ltp, "frame_overhead: ^10", &["`10` has no unit"]),
        No(ltp, "frame_overhead: ^100 KiB", &["too much", "at most 64 KiB"]),
        No(ltp, "queue: ^64", &["`64` has no unit"]),
        No(ltp, "queue: ^1 KiB", &["cannot hold a frame of 1.36 kB", "at least 1360 B"]),
        No(ltp, "frame_overhead: 10 B\n    queue: ^1360 B", &["at least 1370 B"]),
        No(
            "segment_size: 1360 B",
            "segment_size: ^127 B",
            &["segments of 127 B are out of range", "from 128 B to 65000 B"],
        ),
        No("segment_size: 1360 B", "segment_size: ^65001 B", &["out of range"]),
        No("segment_size: 1360 B", "^segment: 1360 B", &["unknown key `segment`", "`segment_size`"]),
        No("response_margin: 2 s", "response_margin: ^2", &["`2` has no unit"]),
        No(
            "retransmission_limit: 20",
            "retransmission_limit: ^0",
            &["a retransmission limit of 0 is out of range", "from 1 to 1000"],
        ),
        No("retransmission_limit: 20", "retransmission_limit: ^1001", &["out of range"]),
        No("retransmission_limit: 20", "retransmission_limit: ^20 times", &["not a whole number"]),
    ]);
    let text = edited(ltp, "damaged_frames: deliver\n    frame_overhead: 10 B\n    queue: 1370 B");
    let link = &read(&text).unwrap().links[0];
    assert_eq!((link.damaged, link.frame_overhead.bytes(), link.queue.bytes()), (DamagedFrames::Deliver, 10, 1370));
}
