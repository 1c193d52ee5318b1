//! Files of the formats' own projects are read as those projects read them; what smells of a wrong unit is said; losses are listed.

use farlink_contact_plan::formats::{
    Doubt, Export, Format, Import, Place, ReadOptions, Rounding, WriteError, WriteOptions, read, write,
};
use farlink_contact_plan::{Contact, ContactPlan, LightTime, NodeId, Rate, Steps};
use farlink_units::{Duration, Instant, Ratio};
use hifitime::Epoch;

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../fixtures/contact-plans/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn s(secs: f64) -> Instant {
    Instant::from_secs_f64(secs)
}

fn import(format: Format, text: &str) -> Import {
    read(format, text.as_bytes(), &ReadOptions::default()).unwrap()
}

fn export(format: Format, plan: &ContactPlan) -> Export {
    write(format, plan, &WriteOptions { local: Some(NodeId::ipn(1)), ..WriteOptions::default() }).unwrap()
}

fn doubts(import: &Import) -> Vec<String> {
    import.warnings.iter().map(ToString::to_string).collect()
}

fn contact(from: u64, to: u64, start: f64, end: f64, bps: u64, light: f64) -> Contact {
    let mut contact = Contact::new(NodeId::ipn(from), NodeId::ipn(to), s(start), s(end));
    contact.rate = Steps::constant(Rate::Limited(bps));
    contact.light_time = LightTime::constant(s(start), s(end), Duration::from_secs_f64(light));
    contact
}

#[test]
fn the_examples_of_ions_manual() {
    let import = read(Format::Ion, &fixture("ion-manual.ionrc"), &ReadOptions::default()).unwrap();
    assert_eq!(import.warnings, []);
    let epoch = Epoch::from_gregorian_utc(2008, 10, 5, 11, 30, 0, 0);
    let mut expected = [contact(1, 2, 60.0, 7260.0, 80_000, 12.0), contact(2, 1, 60.0, 7260.0, 80_000, 12.0)];
    assert_eq!(import.plan, ContactPlan::new(Some(epoch), expected.to_vec()));

    // The range began a second late, so that a contact at the reference time has a second without.
    let early = "@ 2008/10/05-11:30:00\na range +1 2009/01/01-00:00:00 1 2 12\na contact +0 +100 1 2 10000";
    expected[0] = contact(1, 2, 0.0, 100.0, 80_000, 12.0);
    expected[0].light_time = LightTime::constant(s(1.0), s(100.0), Duration::from_secs(12));
    assert_eq!(self::import(Format::Ion, early).plan.contacts, expected[..1]);
}

#[test]
fn a_combined_file_of_ion_is_read_by_sections() {
    let import = read(Format::Ion, &fixture("ion-bench-ltp.rc"), &ReadOptions::default()).unwrap();
    assert_eq!(import.warnings, []);
    let rate = 200_000_000;
    assert_eq!(
        import.plan,
        ContactPlan::new(None, vec![contact(2, 3, 0.0, 420.0, rate, 1.0), contact(3, 2, 0.0, 600.0, rate, 1.0)])
    );
}

#[test]
fn the_plan_in_hdtns_readme() {
    let import = read(Format::Hdtn, &fixture("hdtn-readme.json"), &ReadOptions::default()).unwrap();
    assert_eq!(import.warnings, []);
    let to = |(from, to)| contact(from, to, 0.0, 2000.0, 1_000_000_000, 1.0);
    assert_eq!(import.plan, ContactPlan::new(None, [(102, 10), (10, 2), (101, 10), (10, 1)].map(to).to_vec()));
}

#[test]
fn the_lines_of_hardys_manual() {
    let epoch = Epoch::from_gregorian_utc(2026, 3, 27, 0, 0, 0, 0); // a Friday
    let options = ReadOptions {
        epoch: Some(epoch),
        local: Some(NodeId::ipn(1)),
        horizon: Some(s(4.0 * 86_400.0)),
        ..ReadOptions::default()
    };
    let import = read(Format::Hardy, &fixture("hardy-manual.contacts"), &options).unwrap();
    assert_eq!(
        doubts(&import),
        [
            "line 2: patterns and priorities are routes: of them the plan keeps the next hop only",
            "line 6: `drop` is a route and no contact, and is left out",
        ]
    );
    let to = |allocator: u64| NodeId::new(format!("ipn:{allocator}.1.0"));
    let local = NodeId::ipn(1);
    let times = |allocator: u64| -> Vec<(f64, f64)> {
        let hours = |at: Instant| at.as_secs_f64() / 3600.0;
        import.plan.between(&local, &to(allocator)).map(|c| (hours(c.start), hours(c.end))).collect()
    };
    assert_eq!(times(2), [(8.0, 9.5)]);
    // Friday and Monday, eight hours each.
    assert_eq!(times(5), [(9.0, 17.0), (81.0, 89.0)]);
    assert_eq!(times(8), [(8.0, 10.0), (32.0, 34.0), (56.0, 58.0), (80.0, 82.0)]);
    assert_eq!(times(4).len(), 4 * 24);
    let first = |to: NodeId| import.plan.between(&local, &to).next().unwrap().clone();
    let mars = first(to(2));
    assert_eq!(
        (*mars.rate.at(mars.start), mars.light_time.max()),
        (Rate::Limited(256_000), Some(Duration::from_secs(240)))
    );
    let always = first(to(3));
    assert_eq!(
        (always.start, always.end, always.rate.first),
        (Instant::ZERO, Instant::MAX, Rate::Limited(10_000_000_000))
    );
    assert!(import.plan.nodes.contains(&NodeId::new("dtn://gateway.example/")));
}

#[test]
fn graphs_that_dtn_tvg_util_wrote() {
    let named = |from: &str, to: &str, start, end, bps| {
        let mut contact = contact(1, 2, start, end, bps, 0.0);
        (contact.from, contact.to) = (NodeId::new(from), NodeId::new(to));
        contact
    };
    let read = |name| read(Format::TvgUtil, &fixture(name), &ReadOptions::default()).unwrap();
    let mut contacts = vec![
        named("lander", "orbiter", 0.0, 600.0, 256_000),
        named("orbiter", "station", 300.0, 4500.5, 2_000_000),
        named("orbiter", "station", 7200.0, 9000.0, 2_000_000),
    ];
    let mut predicted = contacts.clone();
    predicted[1].confidence = Ratio::new(0.8).unwrap();
    let import = read("dtn-tvg-util-predicted.json");
    assert_eq!((import.warnings, import.plan), (vec![], ContactPlan::new(None, predicted)));

    contacts.iter_mut().for_each(|c| c.bit_error_rate = Some(Steps::constant(Ratio::default())));
    let import = read("dtn-tvg-util-factual.json");
    assert_eq!((import.warnings, import.plan), (vec![], ContactPlan::new(None, contacts)));

    let changing = read("dtn-tvg-util-changing.json").plan;
    let ab = &changing.contacts[0];
    assert_eq!(ab.rate, Steps { first: Rate::Limited(1_000_000), changes: vec![(s(300.0), Rate::Limited(500_000))] });
    assert_eq!(ab.light_time.at(s(299.0)), Some(Duration::from_millis(1300)));
    assert_eq!(ab.light_time.at(s(300.0)), Some(Duration::from_millis(1350)));
    let ratio = |at| ab.bit_error_rate.as_ref().unwrap().at(s(at)).get();
    assert_eq!((ratio(0.0), ratio(300.0)), (1e-6, 1e-5));
}

#[test]
fn the_older_graphs_of_dtn_tvg_util() {
    let text = r#"{"vertices": {"a": ["b"]}, "contact_type": "PredictedContact", "edges": [{"vertices": ["a", "b"], "contacts":
        [["a", "b", 100, 200, [[0, 5000], [50, 8000]], 0.5, 1.25]]}]}"#;
    let import = import(Format::TvgUtil, text);
    assert_eq!(doubts(&import), ["contact 0: of 2 predictions the last one is kept"]);
    let contact = &import.plan.contacts[0];
    assert_eq!((contact.rate.first, contact.confidence.get()), (Rate::Limited(80), 0.5));
    assert_eq!(contact.light_time.max(), Some(Duration::from_millis(1250)));
    let text = text.replace("[[0, 5000], [50, 8000]], 0.5, 1.25", "9600, 1e-6, 1.25").replace("Predicted", "");
    let contact = &self::import(Format::TvgUtil, &text).plan.contacts[0];
    assert_eq!((contact.rate.first, contact.confidence.get()), (Rate::Limited(9600), 1.0));
}

#[test]
fn the_native_fixture_keeps_everything() {
    let import = read(Format::Native, &fixture("mars-relay.farlink.json"), &ReadOptions::default()).unwrap();
    assert!(import.plan.is_sound(), "{:?}", import.plan.validate());
    let written = export(Format::Native, &import.plan);
    assert_eq!(written.losses, []);
    assert_eq!(self::import(Format::Native, &written.text).plan, import.plan);
}

#[test]
fn wrong_units_in_ion_are_suspected() {
    let import = read(Format::Ion, &fixture("wrong-units.ionrc"), &ReadOptions::default()).unwrap();
    assert_eq!(
        doubts(&import),
        [
            "line 2: a rate of 256000 bytes/s is 2.048 Mbit/s: was it meant in bit/s? ION reads bytes per second",
            "line 3: a rate of 1000 bytes/s is 0.008 Mbit/s: was it meant in bit/s? ION reads bytes per second",
            "line 4: the range `1.3` has a fraction, which ION cuts off: it reads 1",
        ]
    );
    // The plan is what ION makes of it.
    assert_eq!(import.plan.contacts[0], contact(1, 2, 0.0, 3600.0, 2_048_000, 1.0));

    let doubts = |line: &str| self::doubts(&self::import(Format::Ion, line));
    assert!(doubts("a contact +0 +10 1 2 3")[0].contains("3 bytes/s is hardly a rate"));
    assert!(doubts("a contact +0 +10 1 2 1250000000")[0].contains("10000 Mbit/s"));
    assert!(doubts("a contact +0 +10 1 2 125000.5").iter().any(|d| d.contains("it reads 125000")));
    assert!(doubts("a contact +0 +10 1 2 125000\na range +0 +10 1 2 4000")[0].contains("milliseconds"));
    assert!(doubts("a contact +0 +600000000 1 2 125000")[0].contains("19 years from the start"));
    assert!(doubts("a contact +0 +10 1 2 125000\na contact +0 +10 2 1 125000").is_empty());
}

#[test]
fn wrong_units_elsewhere_are_suspected() {
    let hdtn = |fields: &str| {
        let text = format!("{{\"contacts\": [{{\"source\": 1, \"dest\": 2, \"startTime\": 0, {fields}}}]}}");
        doubts(&import(Format::Hdtn, &text))
    };
    assert!(hdtn("\"endTime\": 9, \"rateBitsPerSec\": 100, \"owlt\": 1")[0].contains("meant in Mbit/s"));
    assert!(hdtn("\"endTime\": 9, \"rateBitsPerSec\": 0, \"owlt\": 4000")[0].contains("milliseconds"));
    assert!(hdtn("\"endTime\": 9, \"rate\": 100, \"owlt\": 1")[0].contains("`rate` is in Mbit/s"));
    assert!(
        hdtn("\"endTime\": 9, \"rate\": 1, \"rateBitsPerSec\": 1000000, \"owlt\": 1")[0].contains("counts for nothing")
    );
    assert!(hdtn("\"endTime\": 2000000000, \"rateBitsPerSec\": 0, \"owlt\": 1")[0].contains("63 years"));
    assert!(hdtn("\"endTime\": 9, \"rateBitsPerSec\": 0")[0].contains("no `owlt`: HDTN takes 0"));
    assert!(hdtn("\"endTime\": 9, \"owlt\": 1")[0].contains("no `rateBitsPerSec`: HDTN takes no limit"));
    assert!(
        hdtn("\"endTime\": 9, \"rateBitsPerSec\": 0, \"owlt\": 1, \"finalDestination\": 3")[0]
            .contains("`finalDestination`")
    );

    let options = ReadOptions { local: Some(NodeId::ipn(1)), ..ReadOptions::default() };
    let hardy = |fields: &str| {
        let line = format!("ipn:0.2.* via ipn:0.2.0 {fields}");
        doubts(&read(Format::Hardy, line.as_bytes(), &options).unwrap())
    };
    assert!(hardy("bandwidth 256")[0].contains("kbit/s or Mbit/s"));
    assert!(hardy("delay 1500ns")[0].contains("it reads 1 us"));
    assert!(hardy("start 2026-03-27T08:00:00+05:30")[0].contains("not in UTC"));

    let tvg = |parts: &str| {
        let edge = format!("{{\"vertices\": [\"a\", \"b\"], \"contacts\": [[\"a\", \"b\", 0, 600, [[{parts}]]]]}}");
        doubts(&import(
            Format::TvgUtil,
            &format!("{{\"vertices\": {{}}, \"edges\": [{edge}], \"contact_type\": \"Contact_v2\"}}"),
        ))
    };
    assert!(tvg("0, 2, 0, 1")[0].contains("2 bit/s is hardly a rate"));
    assert!(tvg("0, 9600.5, 0, 1")[0].contains("it reads 9600"));
    assert!(tvg("0, 9600, 0, 5000")[0].contains("milliseconds"));
    assert!(tvg("0, 9600, 0, 1").is_empty());
}

#[test]
fn unix_times_of_hdtn_are_of_the_calendar() {
    let text = "{\"contacts\": [{\"source\": 1, \"dest\": 2, \"startTime\": 1797292800, \"endTime\": 1797292860, \
                \"rateBitsPerSec\": 8, \"owlt\": 1}]}";
    let import = import(Format::Hdtn, text);
    assert_eq!(import.warnings[0].doubt, Doubt::UnixTimes);
    assert_eq!(import.plan.epoch, Some(Epoch::from_gregorian_utc(2026, 12, 15, 0, 0, 0, 0)));
    assert_eq!((import.plan.contacts[0].start, import.plan.contacts[0].end), (s(0.0), s(60.0)));
}

#[test]
fn ion_commands_change_and_delete_what_was_added() {
    let text = "a contact +0 +10 1 2 1000\na contact +20 +30 1 2 1000\na contact +40 +50 1 2 1000\n\
                c contact +20 1 2 2000 0.5\nd contact +40 1 2\nd contact +99 1 2\n\
                a range +0 +10 1 2 3\na range +20 +30 1 2 4\nd range +0 1 2\na contact +0 +10 2 1 1000\nd contact * 2 1\n\
                a contact -1 -1 7 7 0\na contact 0 0 1 8 0\na contact +0 +5 3 3 1000";
    let import = import(Format::Ion, text);
    let mut changed = contact(1, 2, 20.0, 30.0, 16_000, 4.0);
    changed.confidence = Ratio::new(0.5).unwrap();
    let mut first = contact(1, 2, 0.0, 10.0, 8000, 0.0);
    first.light_time = LightTime::UNKNOWN;
    assert_eq!(import.plan.contacts, [first, changed]);
    let nodes: Vec<_> = import.plan.nodes.iter().map(NodeId::as_str).collect();
    assert_eq!(nodes, ["ipn:1.0", "ipn:2.0", "ipn:3.0", "ipn:7.0", "ipn:8.0"]);
    assert_eq!(
        doubts(&import),
        [
            "line 6: no such contact was added before: nothing happens",
            "line 12: a registration contact tells no time, and is left out",
            "line 13: a hypothetical contact tells no time, and is left out",
            "line 14: it leads from node 3 to itself, and is left out",
        ]
    );
}

#[test]
fn ion_ranges_hold_both_ways_from_the_lower_number_only() {
    let contacts = "a contact +0 +100 1 2 1000\na contact +0 +100 2 1 1000\n";
    let lights = |ranges: &str| {
        let import = import(Format::Ion, &format!("{contacts}{ranges}"));
        let light = |index: usize| import.plan.contacts[index].light_time.clone();
        (light(0), light(1), doubts(&import))
    };
    let all = |secs| LightTime::constant(s(0.0), s(100.0), Duration::from_secs(secs));
    assert_eq!(lights("a range +0 +100 1 2 5"), (all(5), all(5), vec![]));
    assert_eq!(lights("a range +0 +100 2 1 5"), (LightTime::UNKNOWN, all(5), vec![]));
    assert_eq!(lights("a range +0 +100 1 2 5\na range +0 +100 2 1 7"), (all(5), all(7), vec![]));
    // An override that begins later is refused by ION, and the file said to be odd.
    let (there, back, doubts) = lights("a range +0 +100 1 2 5\na range +50 +100 2 1 7");
    assert_eq!(there, all(5));
    assert_eq!(
        back,
        LightTime::stepped(&[(s(0.0), Duration::from_secs(5)), (s(50.0), Duration::from_secs(7))], s(100.0))
    );
    assert!(doubts[0].starts_with("line 4: the range overlaps one of the other direction"), "{doubts:?}");
    let (.., doubts) = lights("a range +0 +100 1 2 5\na range +0 +100 3 4 5\na range +200 +300 1 2 5");
    assert_eq!(
        doubts,
        [
            "line 4: the range from 3 to 4 belongs to no contact, and is left out",
            "line 5: the range from 1 to 2 belongs to no contact, and is left out",
        ]
    );
}

#[test]
fn regions_of_ion_are_separate_plans() {
    let text = "a contact +0 +10 1 2 1000\n^ 2\na contact +0 +10 1 3 1000";
    let region = |region| ReadOptions { region, ..ReadOptions::default() };
    let error = read(Format::Ion, text.as_bytes(), &region(None)).unwrap_err();
    assert_eq!(error.to_string(), "line 3: contacts of region 2 follow those of region 1: tell which region to read");
    let plan = read(Format::Ion, text.as_bytes(), &region(Some(2))).unwrap().plan;
    assert_eq!(plan.contacts[0].to, NodeId::ipn(3));
}

#[test]
fn contacts_of_ion_that_touch_or_overlap_are_told() {
    let import = import(Format::Ion, "a contact +0 +10 1 2 1000\na contact +10 +20 1 2 1000\na contact +5 +6 1 2 1000");
    assert_eq!(import.plan.contacts.len(), 2);
    assert_eq!(import.warnings[0].doubt, Doubt::Touching);
    assert!(matches!(import.warnings[1].doubt, Doubt::Overlap { .. }));
    assert_eq!(import.warnings[1].place, Place::Line(3));
}

#[test]
fn each_loss_of_an_ion_export_is_listed() {
    let mut uneven = contact(1, 2, 0.5, 100.25, 12_345, 5.75);
    uneven.bit_error_rate = Some(Steps::constant(Ratio::new(1e-6).unwrap()));
    uneven.rate.changes = vec![(s(50.0), Rate::Limited(4)), (s(60.0), Rate::Unlimited)];
    let export = export(Format::Ion, &ContactPlan::new(None, vec![uneven]));
    let losses: Vec<_> = export.losses.iter().map(|l| (l.field, l.was.as_str(), l.written.as_str())).collect();
    assert_eq!(
        losses,
        [
            ("start", "00:00:00.500", "1 s, within the contact"),
            ("end", "00:01:40.250", "100 s, within the contact"),
            ("rate", "12.345 kbit/s, 4 bit/s, unlimited", "a contact each, within whole seconds"),
            ("rate", "12.345 kbit/s", "1543 bytes/s"),
            ("rate", "4 bit/s", "nothing: ION has no rate below a byte per second"),
            ("rate", "unlimited", "4294967295 bytes/s"),
            ("bit error rate", "0.000001", "nothing"),
            ("light time", "5.75 s", "6 s"),
        ]
    );
    assert_eq!(export.text, "a contact +1 +50 1 2 1543\na contact +60 +100 1 2 4294967295\na range +1 +100 1 2 6\n");
}

#[test]
fn a_varying_light_time_becomes_ranges_within_half_a_second() {
    let mut contact = contact(1, 2, 0.0, 1000.0, 8000, 0.0);
    contact.light_time = LightTime::sampled(&[(s(0.0), Duration::from_secs(10)), (s(1000.0), Duration::from_secs(13))]);
    let plan = ContactPlan::new(None, vec![contact]);
    let ranges = |rounding| {
        let options = WriteOptions { rounding, ..WriteOptions::default() };
        let text = write(Format::Ion, &plan, &options).unwrap().text;
        text.lines().filter_map(|l| l.strip_prefix("a range ").map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(
        ranges(Rounding::Nearest),
        ["+0 +167 1 2 10", "+167 +500 1 2 11", "+500 +834 1 2 12", "+834 +1000 1 2 13"]
    );
    assert_eq!(ranges(Rounding::Up), ["+0 +333 1 2 11", "+333 +666 1 2 12", "+666 +1000 1 2 13"]);
}

#[test]
fn asymmetric_light_times_are_cut_alike_for_ion() {
    let mut there = contact(1, 2, 0.0, 100.0, 8000, 5.0);
    there.light_time =
        LightTime::stepped(&[(s(0.0), Duration::from_secs(5)), (s(40.0), Duration::from_secs(6))], s(100.0));
    let mut back = contact(2, 1, 0.0, 200.0, 8000, 5.0);
    back.light_time =
        LightTime::stepped(&[(s(0.0), Duration::from_secs(5)), (s(60.0), Duration::from_secs(9))], s(200.0));
    let plan = ContactPlan::new(None, vec![there, back]);
    let export = export(Format::Ion, &plan);
    let ranges: Vec<_> = export.text.lines().filter(|l| l.starts_with("a range")).collect();
    assert_eq!(
        ranges,
        [
            "a range +0 +40 1 2 5",
            "a range +40 +60 1 2 6",
            "a range +40 +60 2 1 5",
            "a range +60 +100 1 2 6",
            "a range +60 +100 2 1 9",
            "a range +100 +200 1 2 9",
        ]
    );
    assert_eq!(export.losses, []);
    let import = import(Format::Ion, &export.text);
    assert_eq!((import.plan, import.warnings), (plan, vec![]));
}

#[test]
fn contacts_that_touch_are_parted_for_ion() {
    let plan =
        ContactPlan::new(None, vec![contact(1, 2, 0.0, 10.0, 8000, 1.0), contact(1, 2, 10.0, 20.0, 16_000, 1.0)]);
    let export = export(Format::Ion, &plan);
    assert_eq!(export.text, "a contact +0 +9 1 2 1000\na contact +10 +20 1 2 2000\na range +0 +20 1 2 1\n");
    assert_eq!(export.losses.len(), 1);
    assert!(export.losses[0].written.contains("ION ignores a contact that touches another"));
}

#[test]
fn ion_times_can_be_of_the_calendar() {
    let epoch = Epoch::from_gregorian_utc(2026, 12, 15, 0, 0, 0, 0);
    let plan = ContactPlan::new(Some(epoch), vec![contact(1, 2, 0.0, 86_400.0, 8000, 1.0)]);
    let options = WriteOptions { calendar: true, ..WriteOptions::default() };
    let text = write(Format::Ion, &plan, &options).unwrap().text;
    assert!(text.contains("a contact 2026/12/15-00:00:00 2026/12/16-00:00:00 1 2 1000"), "{text}");
    assert_eq!(import(Format::Ion, &text).plan, plan);
    let late = ContactPlan::new(
        Some(Epoch::from_gregorian_utc(2037, 12, 31, 0, 0, 0, 0)),
        vec![contact(1, 2, 0.0, 1e7, 8, 1.0)],
    );
    let error = write(Format::Ion, &late, &options).unwrap_err();
    assert!(error.to_string().contains("ION's clock ends on 2038-01-18"), "{error}");
    let relative = ContactPlan::new(None, vec![]);
    assert_eq!(write(Format::Ion, &relative, &options), Err(WriteError::NoEpoch));
}

#[test]
fn each_loss_of_the_other_exports_is_listed() {
    let mut uneven = contact(1, 2, 0.5, 100.0, 12_345, 5.75);
    uneven.bit_error_rate = Some(Steps::constant(Ratio::new(1e-6).unwrap()));
    uneven.confidence = Ratio::new(0.5).unwrap();
    let mut plan = ContactPlan::new(Some(Epoch::from_gregorian_utc(2026, 1, 1, 0, 0, 0, 0)), vec![uneven]);
    plan.nodes.insert(NodeId::ipn(9));
    let fields = |format| export(format, &plan).losses.iter().map(|l| l.field).collect::<Vec<_>>();
    assert_eq!(fields(Format::Hdtn), ["epoch", "node", "confidence", "bit error rate", "start", "light time"]);
    assert_eq!(fields(Format::Hardy), ["confidence", "bit error rate", "node", "epoch"]);
    assert_eq!(fields(Format::TvgUtil), ["epoch", "bit error rate"]);
    assert_eq!(fields(Format::Ion), ["node", "start", "rate", "bit error rate", "light time"]);
    assert_eq!(fields(Format::Native), [""; 0]);
    let loss = &export(Format::Hdtn, &plan).losses[5];
    assert_eq!(loss.to_string(), "ipn:1.0 → ipn:2.0 from 00:00:00.500 to 00:01:40.000: light time 5.75 s became 6 s");
}

#[test]
fn what_a_format_cannot_say_is_an_error() {
    let plan = |contact: Contact| ContactPlan::new(None, vec![contact]);
    let named = |from: &str| {
        let mut contact = contact(1, 2, 0.0, 10.0, 8000, 1.0);
        contact.from = NodeId::new(from);
        plan(contact)
    };
    let options = WriteOptions { local: Some(NodeId::ipn(1)), ..WriteOptions::default() };
    let error = |format, plan: &ContactPlan| write(format, plan, &options).unwrap_err().to_string();
    assert!(error(Format::Ion, &named("lander")).contains("`lander` has none"));
    assert!(error(Format::Hdtn, &named("2")).contains("same number 2"));
    assert!(error(Format::Hdtn, &plan(contact(1, 2, -1.0, 10.0, 8000, 1.0))).contains("HDTN counts from the start"));
    assert!(error(Format::Ion, &plan(contact(1, 2, -1.0, 10.0, 8000, 1.0))).contains("cannot write its start"));
    assert!(error(Format::TvgUtil, &plan(contact(1, 2, -1.0, 10.0, 8000, 1.0))).contains("no times before 0"));
    assert_eq!(write(Format::Hardy, &plan(contact(1, 2, 0.0, 10.0, 8000, 1.0)), &options), Err(WriteError::NoEpoch));
    let nobody = WriteOptions::default();
    assert_eq!(write(Format::Hardy, &ContactPlan::default(), &nobody), Err(WriteError::NoLocalNode));
    let mut unnamed = plan(contact(1, 2, 0.0, 10.0, 8000, 1.0));
    unnamed.rename(|n| (*n == NodeId::ipn(2)).then(|| NodeId::new("station")));
    assert!(error(Format::Hardy, &unnamed).contains("`station` is none"));
    for format in Format::ALL {
        assert!(
            error(format, &plan(contact(1, 1, 0.0, 10.0, 8000, 1.0))).contains("from a node to itself"),
            "{format}"
        );
    }
}
