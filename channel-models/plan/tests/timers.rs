//! Settings of real stacks: never below the need, and each with what it was computed from.

use farlink_contact_plan::formats::{Format, ReadOptions, Rounding, WriteOptions, read, write};
use farlink_contact_plan::timers::{Assumptions, Needs, TimerError, builtin, hdtn, ion};
use farlink_contact_plan::{Contact, ContactPlan, LightTime, NodeId, Rate, Steps};
use farlink_units::{Duration, Instant, Ratio, Size};
use proptest::prelude::*;

fn contact(from: u64, to: u64, bps: u64, first_ms: i64, last_ms: i64) -> Contact {
    let (start, end) = (Instant::ZERO, Instant::ZERO + Duration::from_secs(36_000));
    let mut contact = Contact::new(NodeId::ipn(from), NodeId::ipn(to), start, end);
    contact.rate = Steps::constant(Rate::Limited(bps));
    contact.light_time =
        LightTime::sampled(&[(start, Duration::from_millis(first_ms)), (end, Duration::from_millis(last_ms))]);
    contact
}

fn needs(plan: &ContactPlan, assumed: &Assumptions) -> Needs {
    Needs::of(plan, &NodeId::ipn(20), &NodeId::ipn(30), assumed).unwrap()
}

fn mars() -> ContactPlan {
    ContactPlan::new(None, vec![contact(20, 30, 256_000, 525_000, 525_400), contact(30, 20, 2_000, 525_000, 525_400)])
}

#[test]
fn the_needs_of_a_mars_relay() {
    let needs = needs(&mars(), &Assumptions::default());
    assert_eq!((needs.segments, needs.out.light_time), (49, Duration::from_millis(525_400)));
    // 1424 bytes at 256 kbit/s, and twice that at 2 kbit/s.
    assert_eq!(
        (needs.segment_time, needs.answer_time),
        (Duration::from_nanos(44_500_000), Duration::from_millis(11_392))
    );
    // 2 × 525.4 s + 11.392 s + 2 × 2 s.
    assert_eq!(needs.response, Duration::from_millis(1_066_192));
    // 1 - (1 - 1e-6)^11392 = 1.13 %; squared over 49 segments leaves 99.4 % of the blocks whole.
    assert!((needs.segment_loss - 0.011327).abs() < 1e-6, "{}", needs.segment_loss);
    assert_eq!((needs.rounds, needs.tries), (2, 4));
    // 1066.192 s × 256 kbit/s are 489.0 blocks of 49 frames of 11392 bits: 490 and 1, twice.
    assert_eq!((needs.sessions, needs.sessions_back), ((489 + 1) * 2, (4 + 1) * 2));
}

#[test]
fn ion_is_told_in_ltprc() {
    let settings = ion(&needs(&mars(), &Assumptions::default())).unwrap();
    // 2 s + 11.392 s + 0.0445 s + 1 s + 1 s, and 1066 s of drift at 0.4 s in ten hours.
    assert_eq!(settings.value("queuing_latency"), Some("16"));
    assert_eq!(settings.value("m ownqtime"), Some("2"));
    assert_eq!(
        settings.text,
        "1 980\na span 30 980 10 1360 65536 3 'udplso HOST:PORT' 16\nm ownqtime 2\nm maxber 0.000001\n"
    );
    let table = settings.table();
    assert_eq!(table.lines().count(), 9);
    assert!(table.contains("max_export_sessions"), "{table}");
    assert!(
        table.contains("(⌈1066.192 s × 256 kbit/s / block of 65.54 kB⌉ + 1) × 2 rounds, for what is lost"),
        "{table}"
    );
}

#[test]
fn hdtn_is_told_in_json() {
    let settings = hdtn(&needs(&mars(), &Assumptions::default())).unwrap();
    let value = |name| settings.value(name).unwrap();
    assert_eq!(value("oneWayLightTimeMs"), "525400");
    // Half of 11.392 + 4 + 0.0445 + 0.04 s.
    assert_eq!(value("oneWayMarginTimeMs"), "7739");
    assert_eq!((value("ltpMaxRetriesPerSerialNumber"), value("maxNumberOfBundlesInPipeline")), ("5", "980"));
    // Both parts are JSON.
    for part in settings.text.split("Vector:\n").skip(1) {
        let json = &part[..part.rfind('}').unwrap() + 1];
        let value: serde_json::Value = serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}\n{json}"));
        assert_eq!((value["thisLtpEngineId"].as_u64(), value["remoteLtpEngineId"].as_u64()), (Some(20), Some(30)));
    }
}

#[test]
fn the_builtin_node_is_told_in_its_file() {
    let settings = builtin(&needs(&mars(), &Assumptions::default())).unwrap();
    assert_eq!(
        settings.text,
        "neighbours:\n  ipn:30.0:\n    ltp:\n      to: \"udp:HOST:PORT\"\n      light_time: 525.4 s\n      rate: 256000 bit/s\n      \
         response_margin: 13.392 s\n      segment_size: 1424 B\n      retransmission_limit: 20\n"
    );
}

#[test]
fn what_is_missing_is_named() {
    let of = |plan: &ContactPlan, assumed: &Assumptions| {
        Needs::of(plan, &NodeId::ipn(20), &NodeId::ipn(30), assumed).unwrap_err()
    };
    let with = |change: fn(&mut ContactPlan)| {
        let mut plan = mars();
        change(&mut plan);
        of(&plan, &Assumptions::default())
    };
    assert!(with(|p| p.contacts.clear()).to_string().contains("no contact leads from ipn:20.0 to ipn:30.0"));
    let silent = with(|p| p.contacts.retain(|c| c.from == NodeId::ipn(20)));
    assert!(silent.to_string().contains("only green parts can be sent"), "{silent}");
    assert!(matches!(with(|p| p.contacts[0].light_time = LightTime::UNKNOWN), TimerError::NoLightTime { .. }));
    assert!(matches!(with(|p| p.contacts[0].rate.first = Rate::Unlimited), TimerError::NoRate { .. }));
    assert!(matches!(with(|p| p.contacts[1].rate.first = Rate::Limited(0)), TimerError::Silent { .. }));
    let ratio = |r| Some(Steps::constant(Ratio::new(r).unwrap()));
    let mut noisy = mars();
    noisy.contacts[0].bit_error_rate = ratio(0.01);
    assert!(of(&noisy, &Assumptions::default()).to_string().contains("make it shorter"));
    let assumed = Assumptions::default();
    let wrong = [
        Assumptions { block: Size::from_bytes(0), ..assumed.clone() },
        Assumptions { segment: Size::from_bytes(0), ..assumed.clone() },
        Assumptions { segment: Size::from_bytes(70_000), ..assumed.clone() },
        Assumptions { overhead: Size::from_bytes(70_000), ..assumed.clone() },
        Assumptions { margin: Duration::from_secs(-1), ..assumed.clone() },
        Assumptions { bit_error_rate: f64::NAN, ..assumed.clone() },
    ];
    for assumed in wrong {
        assert!(matches!(of(&mars(), &assumed), TimerError::Assumption { .. }), "{assumed:?}");
    }
    let mut named = mars();
    named.rename(|n| (*n == NodeId::ipn(30)).then(|| NodeId::new("station")));
    let needs = Needs::of(&named, &NodeId::ipn(20), &NodeId::new("station"), &assumed).unwrap();
    assert!(
        matches!(ion(&needs), Err(TimerError::NoNumber { .. }))
            && matches!(hdtn(&needs), Err(TimerError::NoNumber { .. }))
    );
    let small = Assumptions { segment: Size::from_bytes(10), ..assumed };
    let needs = Needs::of(&mars(), &NodeId::ipn(20), &NodeId::ipn(30), &small).unwrap();
    assert!(matches!(builtin(&needs), Err(TimerError::Assumption { what: "segment", .. })));
}

/// The timer that ION would set with these settings at an instant, in seconds: `setTimer` of libltpP.c, in whole numbers as there.
fn ion_timer_s(plan: &ContactPlan, latency_s: i64, own_s: i64, at: Instant) -> i64 {
    let options = WriteOptions { rounding: Rounding::Nearest, ..WriteOptions::default() };
    let text = write(Format::Ion, plan, &options).unwrap().text;
    let read = read(Format::Ion, text.as_bytes(), &ReadOptions::default()).unwrap().plan;
    let range = |from, to| {
        let contacts = read.between(&from, &to).filter_map(|c| c.light_time.at(at)).next().unwrap();
        contacts.as_nanos() / 1_000_000_000
    };
    let (out, back) = (range(NodeId::ipn(20), NodeId::ipn(30)), range(NodeId::ipn(30), NodeId::ipn(20)));
    out + own_s / 2 + latency_s + back + own_s / 2
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_timer_is_shorter_than_the_need(
        rates in (8_u64..100_000_000, 8_u64..100_000_000),
        lights in (0..3_000_000_i64, -3_000..3_000_i64, 0..3_000_000_i64),
        sizes in (64..65_000_u64, 1..10_000_000_u64, 0..200_u64),
        margin_ms in 0..60_000_i64,
        at_s in 0..35_998_i64,
        ratio in 0.0..1e-6,
    ) {
        let last = (lights.0 + lights.1).max(0);
        let plan = ContactPlan::new(None, vec![
            contact(20, 30, rates.0, lights.0, last),
            contact(30, 20, rates.1, lights.2, (lights.2 + lights.1 / 2).max(0)),
        ]);
        let assumed = Assumptions {
            segment: Size::from_bytes(sizes.0),
            block: Size::from_bytes(sizes.1),
            overhead: Size::from_bytes(sizes.2),
            margin: Duration::from_millis(margin_ms),
            bit_error_rate: ratio,
        };
        let needs = needs(&plan, &assumed);

        // The largest of all times: HDTN and the built-in node have one timer for the whole plan.
        let number = |text: Option<&str>| text.unwrap().parse::<f64>().unwrap();
        let told = hdtn(&needs).unwrap();
        let timer = 2.0 * (number(told.value("oneWayLightTimeMs")) + number(told.value("oneWayMarginTimeMs"))) / 1000.0;
        let whole = needs.response + needs.segment_time;
        prop_assert!(timer >= whole.as_secs_f64(), "HDTN {timer} < {whole}");
        if let Ok(told) = builtin(&needs) {
            let timer = 2.0 * (number(told.value("light_time")) + number(told.value("response_margin")));
            prop_assert!(timer + 1e-9 >= needs.response.as_secs_f64(), "built-in {timer} < {}", needs.response);
        }

        // ION follows the light time, so that its timer must do at each instant; its clock may be a second ahead.
        let told = ion(&needs).unwrap();
        let at = Instant::ZERO + Duration::from_secs(at_s);
        let (latency, own) = (number(told.value("queuing_latency")) as i64, number(told.value("m ownqtime")) as i64);
        let timer = ion_timer_s(&plan, latency, own, at) as f64 - 1.0;
        let light = |from, to| plan.between(&from, &to).next().unwrap().light_time.at(at).unwrap().as_secs_f64();
        let both = light(NodeId::ipn(20), NodeId::ipn(30)) + light(NodeId::ipn(30), NodeId::ipn(20));
        // What the way back is longer by when the answer takes it.
        let both = both + (needs.back.drift * needs.response.as_secs_f64()).max(0.0);
        let rest = needs.response - needs.out.light_time - needs.back.light_time + needs.segment_time;
        prop_assert!(timer + 1e-6 >= both + rest.as_secs_f64(), "ION {timer} < {both} + {rest}");

        // A window holds what leaves during a response at the fastest rate, counted in whole blocks.
        let block_bits = (needs.segments * (sizes.0 + sizes.2) * 8) as f64;
        let leaves = needs.response.as_secs_f64() * rates.0 as f64 / block_bits;
        prop_assert!(needs.sessions as f64 + 1e-6 >= leaves + 1.0, "{} < {leaves}", needs.sessions);
    }
}
