//! What the physics of a channel makes of a whole run: silence, rates that change, signals that fade, frames that are lost.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use farlink_channel_models::{Geometry, Place, Visibility};
use farlink_contact_plan::{Contact, ContactPlan, NodeId, Rate};
use farlink_record::results::{ChannelResult, Results, Verdict};
use farlink_record::{Event, LossCause, Stamped};
use farlink_run::{ClockKind, RunFolder, Steering, contact_plan, prepare};
use farlink_scenario::{Overrides, Scenario, load};
use farlink_units::{Duration, Instant};

/// A scenario of two nodes, 100 ms apart, whose channels are told.
fn pair(forward: &str, back: &str, duration: &str) -> String {
    format!(
        "scenario: pair\nepoch: 2026-12-15T00:00:00Z\nduration: {duration}\n\
         nodes:\n  probe: {{ eid: \"ipn:10.0\" }}\n  ground: {{ eid: \"ipn:20.0\" }}\n\
         links:\n  radio:\n    forward: {{ from: probe, to: ground, {forward} }}\n    \
         return: {{ from: ground, to: probe, {back} }}\n    light_time: 100 ms\n\
         traffic:\n  image: {{ from: probe, to: ground, file: image }}\n"
    )
}

/// What a run has to tell.
struct Told {
    results: Results,
    events: Vec<Stamped>,
}

impl Told {
    fn channel(&self, name: &str) -> &ChannelResult {
        self.results.channels.iter().find(|channel| channel.name == name).expect("a channel of that name")
    }

    fn lost(&self, name: &str) -> BTreeMap<LossCause, u64> {
        self.channel(name).lost.iter().map(|(cause, tally)| (*cause, tally.frames)).collect()
    }

    /// When the frames of a channel were lost for a cause.
    fn losses(&self, of: u16, why: LossCause) -> Vec<Instant> {
        let lost = |stamped: &Stamped| match stamped.event {
            Event::FrameLost { channel, cause, .. } if channel.0 == of && cause == why => Some(stamped.at),
            _ => None,
        };
        self.events.iter().filter_map(lost).collect()
    }

    fn arrived(&self) -> Instant {
        let item = &self.results.traffic[0];
        assert!(item.intact, "{item:?}");
        Instant::from_nanos(item.arrived_ns.expect("it arrived"))
    }

    fn passes(&self) -> &Self {
        assert_eq!(self.results.exit_code(), 0, "{:#?}", self.results.cases);
        self
    }
}

fn drive(scenario: &Scenario, folder: &Path) -> Told {
    let run = RunFolder::create(&folder.join("run")).unwrap();
    let mut events = Vec::new();
    let prepared = prepare(scenario, ClockKind::Virtual).unwrap();
    let mut observe = |stamped: &Stamped| events.push(stamped.clone());
    let finished = prepared.run(&run, &AtomicBool::new(false), Steering::none(), &mut observe).unwrap();
    assert!(finished.error.is_none());
    Told { results: finished.results, events }
}

/// Runs a scenario that sends `bytes` bytes as `image`.
fn run(text: &str, bytes: usize) -> Told {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("image"), image(bytes)).unwrap();
    let path = folder.path().join("pair.yaml");
    std::fs::write(&path, text).unwrap();
    let scenario = load(&path, &Overrides::default()).unwrap_or_else(|error| panic!("{error:#}"));
    drive(&scenario, folder.path())
}

fn image(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at * 31 % 251) as u8).collect()
}

fn read(text: &str) -> Scenario {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("image"), image(10)).unwrap();
    farlink_scenario::parse(&folder.path().join("pair.yaml"), text).unwrap_or_else(|error| panic!("{error:#}"))
}

fn fixture(name: &str) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/scenarios").join(name);
    let scenario = load(&path, &Overrides::default()).unwrap_or_else(|error| panic!("{error:#}"));
    assert!(scenario.warnings().is_none());
    scenario
}

fn secs(value: f64) -> Instant {
    Instant::from_secs_f64(value)
}

/// The rates of the contacts in one direction: each step with its start.
fn steps(plan: &ContactPlan, from: u64, to: u64) -> Vec<Vec<(Instant, u64)>> {
    let (from, to) = (NodeId::ipn(from), NodeId::ipn(to));
    let steps = |contact: &Contact| {
        let spans = contact.rate.spans(contact.start, contact.end);
        spans.into_iter().map(|(start, _, rate)| (start, rate.bps().expect("a limit"))).collect()
    };
    plan.between(&from, &to).map(steps).collect()
}

#[test]
fn data_arrives_without_a_way_back() {
    let told = run(&pair("rate: 1 Mbit/s", "rate: none", "10 min"), 300_000);
    told.arrived();
    assert!(told.channel("probe→ground").delivered.frames > 200);
    assert_eq!(told.channel("ground→probe").delivered.frames, 0);
    let plan = contact_plan(&read(&pair("rate: 1 Mbit/s", "rate: none", "10 min"))).unwrap();
    assert_eq!((steps(&plan, 10, 20).len(), steps(&plan, 20, 10).len()), (1, 0));
}

#[test]
fn a_rate_steps_within_a_contact() {
    // 100 kB are 800 kbit and some headers: 10 s at 32 kbit/s leave 480 kbit for the second rate, which is 5 s at 96 kbit/s.
    let steps_to = |second: &str| format!("rate: [{{ at: 0 s, rate: 32 kbit/s }}, {{ at: 10 s, rate: {second} }}]");
    let at = |second: &str| run(&pair(&steps_to(second), "rate: 9600 bit/s", "10 min"), 100_000).passes().arrived();
    let (level, faster) = (at("32 kbit/s"), at("96 kbit/s"));
    assert!((secs(25.0)..secs(27.0)).contains(&level), "{level}");
    assert!((secs(15.0)..secs(16.0)).contains(&faster), "{faster}");
    // Silence for a minute, and then on.
    let pause = "rate: [{ at: 0 s, rate: 32 kbit/s }, { at: 10 s, rate: none }, { at: 70 s, rate: 96 kbit/s }]";
    let paused = run(&pair(pause, "rate: 9600 bit/s", "10 min"), 100_000).passes().arrived();
    assert!((secs(75.0)..secs(90.0)).contains(&paused), "{paused}");
}

#[test]
fn a_thousand_to_one() {
    let told = run(&pair("rate: 2 Mbit/s, ber: 1e-7", "rate: 2 kbit/s", "10 min"), 2_000_000);
    // 16 Mbit take 8 s; what is lost once more is little.
    let arrived = told.passes().arrived();
    assert!((secs(8.0)..secs(30.0)).contains(&arrived), "{arrived}");
    let back = told.channel("ground→probe");
    assert!(back.lost.is_empty() && back.sent.bits < 20_000, "{back:?}");
}

#[test]
fn bursts_and_erasures_are_counted_under_their_causes() {
    // A burst every 2 Mbit, and one frame in fifty that does not arrive.
    let errors = "rate: 1 Mbit/s, errors: { bursts: { mean_burst_bits: 500, mean_gap_bits: 2e6 }, \
                  erasures: { probability: 0.02 } }";
    let told = run(&pair(errors, "rate: 64 kbit/s", "30 min"), 2_000_000);
    told.passes();
    let lost = told.lost("probe→ground");
    let frames = told.channel("probe→ground").sent.frames;
    let (erased, bits) = (lost[&LossCause::Erased], lost[&LossCause::BitErrors]);
    // 1,500 frames of 1,360 B: 31 and 8, each with its spread.
    assert!((frames / 100..frames / 25).contains(&erased), "{erased} of {frames} erased");
    assert!((2..30).contains(&bits), "{bits} of {frames} damaged");
    assert_eq!(lost.len(), 2, "{lost:?}");
    assert!(told.lost("ground→probe").is_empty());
}

#[test]
fn a_trace_loses_the_same_frames_again() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    std::fs::write(&trace, "# frames\n3\n4\n10\n").unwrap();
    let forward = format!("rate: 1 Mbit/s, errors: {{ trace: {} }}", trace.display());
    let told = run(&pair(&forward, "rate: 64 kbit/s", "10 min"), 100_000);
    let lost = |stamped: &Stamped| match stamped.event {
        Event::FrameLost { channel, frame, cause: LossCause::Erased, .. } => Some((channel.0, frame)),
        _ => None,
    };
    let lost: Vec<_> = told.passes().events.iter().filter_map(lost).collect();
    assert_eq!(lost, [(0, 3), (0, 4), (0, 10)]);
}

#[test]
fn a_code_holds_above_its_threshold_and_not_below() {
    let coded = |eb_n0: &str| {
        let forward = format!("rate: 1 Mbit/s, errors: {{ coding: {{ code: concatenated, eb_n0: {eb_n0} }} }}");
        run(&pair(&forward, "rate: 64 kbit/s", "60 s"), 500_000)
    };
    let high = coded("4 dB");
    assert!(high.passes().lost("probe→ground").is_empty());
    // One decibel: next to every frame is damaged, and the image does not get through.
    let low = coded("1 dB");
    let channel = low.channel("probe→ground");
    let lost = channel.lost[&LossCause::BitErrors].frames;
    assert!(lost * 10 > channel.sent.frames * 9, "{lost} of {}", channel.sent.frames);
    assert_ne!(low.results.exit_code(), 0);
    assert!(low.results.cases.iter().all(|case| case.verdict != Verdict::Pass || !case.id.contains("image")));
}

#[test]
fn the_plan_of_a_fixed_link_is_what_the_file_says() {
    let forward =
        "rate: [{ at: 0 s, rate: 32 kbit/s }, { at: 300 s, rate: none }, { at: 400 s, rate: 1 Mbit/s }], ber: 1e-6";
    let contacts = "light_time: 100 ms\n    contacts: [{ start: 0 s, end: 200 s }, { start: 250 s, end: 500 s }]";
    let text = pair(forward, "rate: 2 kbit/s", "10 min").replace("light_time: 100 ms", contacts);
    let plan = contact_plan(&read(&text)).unwrap();
    let [there, back] = [(10, 20), (20, 10)].map(|(from, to)| {
        let (from, to) = (NodeId::ipn(from), NodeId::ipn(to));
        plan.between(&from, &to).cloned().collect::<Vec<_>>()
    });
    let told = |contacts: &[Contact]| -> Vec<_> {
        let light_time = |c: &Contact| (c.light_time.min(), c.light_time.max());
        let each = |c: &Contact| (c.start, c.end, c.rate.first, c.rate.changes.len(), light_time(c));
        contacts.iter().map(each).collect()
    };
    let far = Some(Duration::from_millis(100));
    let kbit = |kbit: u64| Rate::Limited(kbit * 1000);
    // The silence in the middle of the second contact divides it.
    assert_eq!(
        told(&there),
        [
            (secs(0.0), secs(200.0), kbit(32), 0, (far, far)),
            (secs(250.0), secs(300.0), kbit(32), 0, (far, far)),
            (secs(400.0), secs(500.0), kbit(1000), 0, (far, far)),
        ]
    );
    assert_eq!(
        told(&back),
        [(secs(0.0), secs(200.0), kbit(2), 0, (far, far)), (secs(250.0), secs(500.0), kbit(2), 0, (far, far))]
    );
    let ber = |contact: &Contact| contact.bit_error_rate.as_ref().map(|ber| ber.first.get());
    assert!(there.iter().all(|c| ber(c) == Some(1e-6)) && back.iter().all(|c| ber(c) == Some(0.0)));
    assert_eq!(plan.epoch, Some(read(&text).epoch));
}

#[test]
fn the_rate_follows_the_range_of_a_table() {
    // 10,000 km and ten times as far: 20 dB, of which each rate takes ten. C/N0 at 10,000 km is 10 dBW + 0 dB/K + 228.60 dB
    // − 190.95 dB = 47.65 dB·Hz, so that 1 kbit/s arrives with 17.65 dB, 10 kbit/s with 7.65 dB.
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("ranges.csv");
    std::fs::write(&table, "0,10000\n600,100000\n").unwrap();
    let forward = "rate: { highest_of: [1 kbit/s, 10 kbit/s], margin: 1 dB }, radio: { frequency: 8.4 GHz, eirp: 10 dBW, \
                   gain_over_temperature: 0 dB/K, required_eb_n0: 5 dB }";
    let text = pair(forward, "rate: 1 kbit/s", "10 min")
        .replace("light_time: 100 ms", &format!("range_table: {}", table.display()));
    let plan = contact_plan(&read(&text)).unwrap();
    let [contact] = &steps(&plan, 10, 20)[..] else { panic!("one contact") };
    // 10 kbit/s hold for 1.65 dB, which is 1.209 times the range: from 10,000 km at 150 km/s for 13.9 s.
    let [(_, first), (until, second)] = contact[..] else { panic!("two rates: {contact:?}") };
    assert_eq!((first, second), (10_000, 1000));
    assert!((secs(13.0)..secs(15.0)).contains(&until), "{until}");
    // 1 kbit/s holds for 11.65 dB, which is 3.82 times the range: after that there is silence.
    let end = plan.between(&NodeId::ipn(10), &NodeId::ipn(20)).next().unwrap().end;
    assert!((secs(186.0)..secs(190.0)).contains(&end), "{end}");
}

#[test]
fn a_link_is_closed_where_its_table_tells_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("ranges.csv");
    std::fs::write(&table, "100,300000\n300,600000\n").unwrap();
    let contacts = "contacts: [{ start: 0 s, end: 50 s }, { start: 60 s, end: 200 s }, { start: 250 s, end: 400 s }]";
    let table = format!("range_table: {}\n    {contacts}", table.display());
    let text = pair("rate: 1 Mbit/s", "rate: 1 kbit/s", "10 min").replace("light_time: 100 ms", &table);
    let plan = contact_plan(&read(&text)).unwrap();
    let (from, to) = (NodeId::ipn(10), NodeId::ipn(20));
    let open: Vec<_> = plan.between(&from, &to).map(|contact| (contact.start, contact.end)).collect();
    assert_eq!(open, [(secs(100.0), secs(200.0)), (secs(250.0), secs(300.0))]);
}

#[test]
fn a_pass_in_low_orbit_is_climbed_and_descended() {
    let scenario = fixture("leo-pass.yaml");
    let plan = contact_plan(&scenario).unwrap();
    let passes = steps(&plan, 10, 20);
    assert!(passes.len() >= 2, "{passes:?}");
    for pass in &passes {
        let rates: Vec<u64> = pass.iter().map(|(_, bps)| *bps).collect();
        let top = rates.iter().position(|bps| bps == rates.iter().max().unwrap()).unwrap();
        assert!(rates[..=top].is_sorted_by(|a, b| a < b), "{pass:?}");
        assert!(rates[top..].is_sorted_by(|a, b| a > b), "{pass:?}");
    }
    // The high pass steps up and down again.
    let high = passes.iter().max_by_key(|pass| pass.len()).unwrap();
    assert!(high.len() >= 5, "{high:?}");
    let folder = tempfile::tempdir().unwrap();
    drive(&scenario, folder.path()).passes().arrived();
}

#[test]
fn the_lunar_pass_meets_what_it_expects() {
    let scenario = fixture("lunar-pass.yaml");
    let plan = contact_plan(&scenario).unwrap();
    let (surface, downlink) = (steps(&plan, 10, 20), steps(&plan, 20, 30));
    assert!(surface.len() >= 3 && downlink.len() >= 3);
    // The Moon is highest in the second contact; in the last it sinks, and the rate with it.
    let rates: Vec<Vec<u64>> = downlink.iter().map(|contact| contact.iter().map(|(_, bps)| *bps).collect()).collect();
    assert_eq!(rates[1], [512_000]);
    assert_eq!(rates.last().unwrap()[..], [512_000, 256_000], "{downlink:?}");
    let folder = tempfile::tempdir().unwrap();
    let told = drive(&scenario, folder.path());
    told.passes().arrived();
    assert!(told.results.channels.iter().all(|channel| channel.balanced));
}

#[test]
fn the_air_is_that_of_the_earth_whoever_transmits() {
    // An air that lets nothing through below 30 degrees. The other end is a site, too, over which the Earth stands high.
    let air = "atmosphere: [{ elevation: 30 deg, loss: 60 dB }, { elevation: 30.001 deg, loss: 0 dB }]";
    let channel = format!(
        "rate: {{ highest_of: [1 kbit/s] }}, radio: {{ frequency: 8.4 GHz, eirp: 60 dBW, gain_over_temperature: 0 dB/K, \
         required_eb_n0: 5 dB, {air} }}"
    );
    let places = "places:\n  moon: { site: { body: moon, latitude: 0 deg, longitude: 0 deg } }\n  \
                  earth: { site: { body: earth, latitude: 40 deg, longitude: -4 deg } }\nnodes:";
    let text = pair(&channel, &channel, "24 h")
        .replace("light_time: 100 ms", "visibility: {}")
        .replace("probe: { eid: \"ipn:10.0\" }", "probe: { eid: \"ipn:10.0\", at: moon }")
        .replace("ground: { eid: \"ipn:20.0\" }", "ground: { eid: \"ipn:20.0\", at: earth }")
        .replace("nodes:", places);
    let scenario = read(&text);
    let plan = contact_plan(&scenario).unwrap();
    let geometry = Geometry::new(scenario.epoch);
    let place = |node: usize| scenario.nodes[node].place.clone().unwrap();
    for (from, to) in [(0, 1), (1, 0)] {
        let [from_id, to_id] = [from, to].map(|node: usize| NodeId::ipn(scenario.nodes[node].node_number));
        let [contact] = &plan.between(&from_id, &to_id).collect::<Vec<_>>()[..] else { panic!("one contact") };
        for at in [contact.start, contact.end] {
            let sight = geometry.sight(&place(from), &place(to), &Visibility::default(), at).unwrap();
            let elevation = if from == 1 { sight.transmitter.elevation_deg } else { sight.receiver.elevation_deg };
            let elevation = elevation.unwrap();
            // A minute between samples is a fifth of a degree.
            assert!((elevation - 30.0).abs() < 0.2, "{from} → {to}: {elevation} at {at}");
        }
    }
}

/// The Moon six days after it was new, as seen from the Earth, and a limit of degradation that it leaves after ten minutes.
fn near_the_sun(node: &str) -> String {
    let scenario = read(&pair("rate: 1 bit/s", "rate: 1 bit/s", "20 min"));
    let geometry = Geometry::new(scenario.epoch);
    let [earth, moon] = [farlink_channel_models::Body::Earth, farlink_channel_models::Body::Moon].map(Place::Center);
    let sight = geometry.sight(&moon, &earth, &Visibility::default(), secs(600.0)).unwrap();
    let limit = if node == "ground" { sight.receiver.sun_angle_deg } else { sight.transmitter.sun_angle_deg };
    let limit = limit.unwrap();
    let conjunction = format!("{{ degraded_below: {limit:.6} deg, degraded_ber: 1e-4 }}");
    let visibility = format!("visibility: {{ antennas: {{ {node}: {{ conjunction: {conjunction} }} }} }}");
    pair("rate: 64 kbit/s", "rate: 64 kbit/s", "20 min")
        .replace("light_time: 100 ms", &visibility)
        .replace("probe: { eid: \"ipn:10.0\" }", "probe: { eid: \"ipn:10.0\", at: moon }")
        .replace("ground: { eid: \"ipn:20.0\" }", "ground: { eid: \"ipn:20.0\", at: earth }")
        .replace("nodes:", "places: { moon: { body: moon }, earth: { body: earth } }\nnodes:")
        + "  late: { from: probe, to: ground, file: image, at: 11 min }\n  \
           up: { from: ground, to: probe, file: image }\n  late-up: { from: ground, to: probe, file: image, at: 11 min }\n"
}

#[test]
fn the_sun_degrades_a_link_in_both_directions_and_then_no_longer() {
    // In the sky of the ground the Moon moves away from the Sun; in that of the Moon the Earth comes nearer to it.
    for (node, begins, ends) in [("ground", 0.0, 600.0), ("probe", 600.0, 1200.0)] {
        let told = run(&near_the_sun(node), 200_000);
        for channel in [0, 1] {
            let lost = told.losses(channel, LossCause::BitErrors);
            assert!(lost.len() > 50, "{node}, channel {channel}: {} lost", lost.len());
            // Light takes 1.3 s, and a loss is told when the frame would have arrived.
            let within = secs(begins)..=secs(ends + 3.0);
            assert!(lost.iter().all(|at| within.contains(at)), "{node}, channel {channel}: {lost:?}");
        }
        // Two thirds of the long frames of the time are lost, none of the other: of every image one comes at each time.
        let intact = told.results.traffic.iter().filter(|item| item.intact).count();
        assert!(intact >= 2, "{node}: {:#?}", told.results.traffic);
    }
}
