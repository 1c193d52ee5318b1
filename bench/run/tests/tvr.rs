//! The use cases of Time-Variant Routing (RFC 9657): the scenarios have the topology of its figures at t1, t2 and t3.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use farlink_channel_models::Interval;
use farlink_contact_plan::NodeId;
use farlink_engine::routing::{Contact, ContactPlan, Request, Route};
use farlink_engine::schedule::Window;
use farlink_run::contact_plan;
use farlink_scenario::{Overrides, Scenario, load};
use farlink_units::{Duration, Instant};
use farlink_wire::bpv7::Eid;

/// A pair of nodes that are linked, in the order of their names.
type Pair = (String, String);

fn pair(one: &str, other: &str) -> Pair {
    (one.min(other).to_owned(), one.max(other).to_owned())
}

fn pairs<const N: usize>(of: [(&str, &str); N]) -> BTreeSet<Pair> {
    of.into_iter().map(|(one, other)| pair(one, other)).collect()
}

fn minutes(value: f64) -> Instant {
    Instant::from_secs_f64(60.0 * value)
}

fn hours(value: f64) -> Instant {
    minutes(60.0 * value)
}

fn during(start: f64, end: f64) -> Interval {
    Interval { start: hours(start), end: hours(end) }
}

/// A scenario and when its links carry.
struct Network {
    scenario: Scenario,
    contacts: Vec<(Pair, Vec<Interval>)>,
}

impl Network {
    fn load(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/scenarios").join(name);
        let scenario = load(&path, &Overrides::default()).unwrap_or_else(|error| panic!("{error:#}"));
        let plan = contact_plan(&scenario).unwrap();
        let node = |index: usize| &scenario.nodes[index];
        let contacts = scenario.links.iter().map(|link| {
            let (from, to) = (node(link.forward.from), node(link.forward.to));
            let (sender, receiver) = (NodeId::ipn(from.node_number), NodeId::ipn(to.node_number));
            let intervals = plan.between(&sender, &receiver).map(|c| Interval { start: c.start, end: c.end });
            (pair(&from.name, &to.name), intervals.collect())
        });
        let contacts = contacts.collect();
        Network { scenario, contacts }
    }

    /// Which nodes are linked at an instant.
    fn topology(&self, at: Instant) -> BTreeSet<Pair> {
        self.contacts
            .iter()
            .filter(|(_, when)| when.iter().any(|c| c.contains(at)))
            .map(|(pair, _)| pair.clone())
            .collect()
    }

    fn between(&self, one: &str, other: &str) -> &[Interval] {
        let wanted = pair(one, other);
        self.contacts.iter().find(|(pair, _)| *pair == wanted).map_or(&[], |(_, intervals)| intervals)
    }

    /// The way that contact-graph routing finds from node to node, as names, with the instants at which it leaves each hop.
    fn way(&self, from: &str, to: &str, at: Instant) -> Vec<(String, Instant)> {
        let eid = |name: &str| Eid::ipn(self.scenario.nodes[self.scenario.node(name).unwrap()].node_number, 0);
        let contact = |from: &str, to: &str, interval: &Interval| {
            let light_time = vec![(interval.start, Duration::from_millis(5))];
            let window = Window { start: interval.start, end: interval.end, rate_bps: 1_000_000, light_time };
            Contact::new(eid(from), eid(to), window)
        };
        let both_ways = self.contacts.iter().flat_map(|((one, other), intervals)| {
            intervals.iter().flat_map(move |interval| [contact(one, other, interval), contact(other, one, interval)])
        });
        let plan = ContactPlan::of(both_ways.collect()).unwrap();
        let route: Route = plan.route(at, &eid(from), &Request::new(eid(to), 1000)).unwrap();
        let name = |node: &Eid| self.scenario.nodes.iter().find(|n| Eid::ipn(n.node_number, 0) == *node).unwrap();
        route.hops.iter().map(|hop| (name(&hop.to).name.clone(), hop.departs)).collect()
    }

    /// The names alone.
    fn hops(&self, from: &str, to: &str, at: Instant) -> Vec<String> {
        self.way(from, to, at).into_iter().map(|(name, _)| name).collect()
    }
}

/// The hours in which each node is powered, or cheap: a figure read column by column.
type Hours = BTreeMap<&'static str, Vec<Interval>>;

/// When a thing holds at two nodes together.
fn together(hours: &Hours, one: &str, other: &str) -> Vec<Interval> {
    let overlap = |a: &Interval, b: &Interval| Interval { start: a.start.max(b.start), end: a.end.min(b.end) };
    let all = hours[one].iter().flat_map(|a| hours[other].iter().map(move |b| overlap(a, b)));
    all.filter(|both| both.start < both.end).collect()
}

#[test]
fn radios_that_follow_their_power() {
    // Figure 1: above the threshold from where the curve crosses it upwards to where it crosses it down.
    let powered: Hours = BTreeMap::from([
        ("node-1", vec![during(2.0, 7.0), during(13.0, 16.0)]),
        ("node-2", vec![during(2.0, 12.0)]),
        ("node-3", vec![during(9.0, 14.0)]),
    ]);
    let [t1, t2, t3] = [4.5, 10.5, 16.5].map(hours);
    let network = Network::load("tvr-power.yaml");
    for (one, other) in [("node-1", "node-2"), ("node-2", "node-3")] {
        assert_eq!(network.between(one, other), together(&powered, one, other), "{one} {other}");
    }
    // Figure 2.
    assert_eq!(network.topology(t1), pairs([("node-1", "node-2")]));
    assert_eq!(network.topology(t2), pairs([("node-2", "node-3")]));
    assert_eq!(network.topology(t3), pairs([]));

    // The way that this leaves: over node 2, which waits for node 3 to wake up.
    let way = network.way("node-1", "node-3", t1);
    assert_eq!(way, [("node-2".to_owned(), t1), ("node-3".to_owned(), hours(9.0))]);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cost {
    Low,
    High,
}

#[test]
fn tariffs_by_the_hour() {
    // Figure 3.
    let cheap: Hours = BTreeMap::from([
        ("node-1", vec![during(0.0, 8.0)]),
        ("node-2", vec![during(3.0, 20.0)]),
        ("node-3", vec![during(14.0, 20.0)]),
    ]);
    let [t1, t2, t3] = [5.0, 11.0, 17.0].map(hours);
    let cost = |one, other, at| {
        if together(&cheap, one, other).iter().any(|c| c.contains(at)) { Cost::Low } else { Cost::High }
    };
    // Figure 4: the costs of both links at t1, t2, t3.
    let first = [t1, t2, t3].map(|at| cost("node-1", "node-2", at));
    let second = [t1, t2, t3].map(|at| cost("node-2", "node-3", at));
    assert_eq!(first, [Cost::Low, Cost::High, Cost::High]);
    assert_eq!(second, [Cost::High, Cost::High, Cost::Low]);

    // The scenario has the cheap hours for contacts, and with them figure 5.
    let network = Network::load("tvr-tariff.yaml");
    for (one, other) in [("node-1", "node-2"), ("node-2", "node-3")] {
        assert_eq!(network.between(one, other), together(&cheap, one, other), "{one} {other}");
    }
    assert_eq!(network.topology(t1), pairs([("node-1", "node-2")]));
    assert_eq!(network.topology(t2), pairs([]));
    assert_eq!(network.topology(t3), pairs([("node-2", "node-3")]));
    let way = network.way("node-1", "node-3", t1);
    assert_eq!(way, [("node-2".to_owned(), t1), ("node-3".to_owned(), hours(14.0))]);
    assert!(way[1].1 < t3);
}

#[test]
fn a_string_of_three_satellites_over_one_station() {
    let network = Network::load("tvr-satellites.yaml");
    let [t1, t2, t3] = [5.0, 11.7, 18.3].map(minutes);
    // Figure 6: neighbours on the orbit are always in contact.
    let whole = [Interval { start: Instant::ZERO, end: Instant::ZERO + network.scenario.duration }];
    assert_eq!(network.between("n1", "n2"), whole);
    assert_eq!(network.between("n2", "n3"), whole);
    // Figure 7: each has one pass, n3 first, and between the passes the station sees nobody.
    let passes = ["n3", "n2", "n1"].map(|satellite| {
        let [pass] = network.between(satellite, "ground") else { panic!("{satellite} has one pass") };
        println!("{satellite} {} to {}", pass.start, pass.end);
        *pass
    });
    for (pass, at) in passes.iter().zip([t1, t2, t3]) {
        assert!(pass.contains(at), "{pass:?} {at}");
        assert!((200.0..300.0).contains(&pass.duration().as_secs_f64()), "{pass:?}");
    }
    assert!(passes[0].end < passes[1].start && passes[1].end < passes[2].start);
    // Figure 8 draws the satellites that matter at each time: at t1 it leaves n1 out, of which the text says that it is linked.
    let drawn = |at, nodes: &[&str]| -> BTreeSet<Pair> {
        let shown = |(one, other): &Pair| nodes.contains(&one.as_str()) && nodes.contains(&other.as_str());
        network.topology(at).into_iter().filter(shown).collect()
    };
    assert_eq!(drawn(t1, &["n2", "n3", "ground"]), pairs([("n2", "n3"), ("n3", "ground")]));
    assert_eq!(network.topology(t1), pairs([("n1", "n2"), ("n2", "n3"), ("n3", "ground")]));
    assert_eq!(network.topology(t2), pairs([("n1", "n2"), ("n2", "n3"), ("n2", "ground")]));
    assert_eq!(network.topology(t3), pairs([("n1", "n2"), ("n2", "n3"), ("n1", "ground")]));
    // A message on n3 for the ground: directly at t1, over n2 at t2, over n2 and n1 at t3.
    assert_eq!(network.hops("n3", "ground", t1), ["ground"]);
    assert_eq!(network.hops("n3", "ground", t2), ["n2", "ground"]);
    assert_eq!(network.hops("n3", "ground", t3), ["n2", "n1", "ground"]);
}
