//! Links of any shell, also of odd ones, against positions.

mod support;

use std::sync::OnceLock;

use farlink_channel_models::Geometry;
use farlink_constellation::{Link, LinkRules, Pattern, Pointing, Relation, Shell};
use farlink_units::{Duration, Instant};
use hifitime::Epoch;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use support::positions::Ends;
use support::walker;

fn geometry() -> &'static Geometry {
    static GEOMETRY: OnceLock<Geometry> = OnceLock::new();
    GEOMETRY.get_or_init(|| Geometry::new(Epoch::from_gregorian_utc_at_midnight(2026, 12, 15)))
}

fn shells() -> impl Strategy<Value = Shell> {
    let pattern = prop_oneof![Just(Pattern::Delta), Just(Pattern::Star)];
    let inclination = prop_oneof![Just(0.0), Just(90.0), Just(180.0), 1.0..179.0];
    let counts = (1..9_u16, 1..9_u16, 0..9_u16).prop_filter("two satellites", |(p, s, _)| p * s > 1);
    (pattern, 300.0..30_000.0, inclination, counts).prop_map(|(pattern, altitude, inclination, (p, s, f))| {
        Shell::new(walker(pattern, altitude, inclination, [p, s, f % p])).unwrap()
    })
}

fn rules() -> impl Strategy<Value = LinkRules> {
    let range = prop_oneof![Just(f64::INFINITY), 500.0..20_000.0];
    let latitude = prop_oneof![Just(90.0), 1.0..89.0];
    let pointing =
        prop_oneof![Just(Pointing::AllRound), Just(Pointing::OneTerminalPerSide { acquisition: Duration::ZERO })];
    (range, -100.0..300.0, latitude, pointing).prop_map(
        |(max_range_km, grazing_altitude_km, max_latitude_deg, pointing)| LinkRules {
            max_range_km,
            grazing_altitude_km,
            max_latitude_deg,
            pointing,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn contacts_are_those_that_the_rules_give(
        shell in shells(),
        rules in rules(),
        ends: [prop::sample::Index; 2],
        start_s in -1_000_000..1_000_000_i64,
    ) {
        let slots: Vec<_> = shell.slots().collect();
        // Two different ones: the second is so many slots after the first.
        let [first, further] = [ends[0].index(slots.len()), 1 + ends[1].index(slots.len() - 1)];
        let [from, to] = [slots[first], slots[(first + further) % slots.len()]];
        let link = Link { from, to, relation: shell.relation(from, to).unwrap() };
        let start = Instant::ZERO + Duration::from_secs(start_s);
        let contacts = shell.contacts(&link, &rules, start, start + Duration::from_secs(20_000)).unwrap();
        let positions = Ends::new(geometry(), &shell, &link);
        for i in 0..200 {
            let at = start + Duration::from_secs(100 * i);
            let inside = contacts.iter().any(|c| c.contains(at));
            // Where a rule is met to the last digit, as by satellites that keep their distance, either answer is right.
            let around = [-2, 0, 2].map(|ms| positions.carry(&rules, at + Duration::from_millis(ms)));
            let edge = contacts.iter().any(|c| [c.start, c.end].iter().any(|e| (at - *e).as_secs_f64().abs() < 0.002));
            prop_assert!(inside == around[1] || edge || around.contains(&inside), "{link:?} at {at}: {inside}");
        }
        prop_assert!(contacts.windows(2).all(|pair| pair[0].end <= pair[1].start));
        prop_assert!(contacts.iter().all(|c| c.start < c.end));
    }

    #[test]
    fn the_ends_of_time_are_reached_without_end(shell in shells(), rules in rules()) {
        let day = Duration::from_secs(86_400);
        let first = Instant::from_nanos(i64::MIN);
        for link in shell.links(farlink_constellation::Mesh::PlusGrid).iter().take(3) {
            for (start, end) in [(first, first + day), (Instant::MAX - day, Instant::MAX)] {
                let contacts = shell.contacts(link, &rules, start, end).unwrap();
                prop_assert!(contacts.iter().all(|c| start <= c.start && c.start < c.end && c.end <= end));
                prop_assert!(link.relation != Relation::SamePlane || contacts.len() <= 1);
            }
        }
    }
}
