//! What is written is read again, up to the losses that are listed.

use farlink_contact_plan::formats::{Format, ReadOptions, WriteOptions, read, write};
use farlink_contact_plan::{Contact, ContactPlan, LightTime, NodeId, Piece, Rate, Severity, Steps};
use farlink_units::{Duration, Instant, Ratio};
use hifitime::Epoch;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

const LOCAL: u64 = 1;

/// How plain a plan is: plain ones are such that most formats lose nothing.
#[derive(Clone, Copy, Debug)]
struct Style {
    /// The grid of times and light times, in nanoseconds.
    grid: i64,
    /// Rates are a multiple of so many bit/s.
    rate_grid: u64,
    changing: bool,
    chances: bool,
    /// Every contact leaves from the local node.
    local: bool,
}

fn style() -> impl Strategy<Value = Style> {
    let grid = prop_oneof![3 => Just(1_000_000_000), 1 => Just(1_000_000), 1 => Just(1)];
    let rate_grid = prop_oneof![3 => Just(8), 1 => Just(1)];
    (grid, rate_grid, prop::bool::weighted(0.4), prop::bool::weighted(0.4), any::<bool>())
        .prop_map(|(grid, rate_grid, changing, chances, local)| Style { grid, rate_grid, changing, chances, local })
}

/// Numbers that a contact is made of.
type Raw = ((u64, u64), i64, i64, (u64, u64), (i64, i64), (f64, f64), u8);

fn raw() -> impl Strategy<Value = Raw> {
    let nodes = (1..5_u64, 1..5_u64);
    let rates = (0..200_000_000_u64, 0..200_000_000_u64);
    let lights = (0..5000_i64, -10..10_i64);
    (nodes, prop_oneof![Just(1), 1..2000_i64], 1..3000_i64, rates, lights, (0.0..1.0, 0.001..1.0), any::<u8>())
}

fn plan(style: Style, epoch: bool, raw: Vec<Raw>) -> ContactPlan {
    let mut plan =
        ContactPlan { epoch: epoch.then(|| Epoch::from_gregorian_utc(2026, 12, 15, 0, 0, 0, 0)), ..Default::default() };
    // Contacts of a direction follow each other: each begins some time after the last one of its direction.
    let mut free = std::collections::BTreeMap::new();
    for (mut nodes, gap, length, rates, lights, chances, kind) in raw {
        if style.local {
            nodes.0 = LOCAL;
        }
        if nodes.0 == nodes.1 {
            plan.nodes.insert(NodeId::ipn(nodes.0));
            continue;
        }
        let fine = |n: i64| (n * 1_000_000_007) / style.grid * style.grid;
        let start = free.get(&nodes).copied().unwrap_or(Instant::ZERO) + Duration::from_nanos(fine(gap - 1));
        let end = start + Duration::from_nanos(fine(length).max(style.grid));
        // Some touch the one before.
        free.insert(nodes, end);
        let mut contact = Contact::new(NodeId::ipn(nodes.0), NodeId::ipn(nodes.1), start, end);
        fill(&mut contact, style, rates, lights, chances, kind);
        plan.contacts.push(contact);
    }
    plan.tidy();
    plan
}

fn fill(contact: &mut Contact, style: Style, rates: (u64, u64), lights: (i64, i64), chances: (f64, f64), kind: u8) {
    let rate = |bps: u64| Rate::Limited(bps / style.rate_grid * style.rate_grid + 8);
    let (start, end) = (contact.start, contact.end);
    let middle = start + Duration::from_nanos((end - start).as_nanos() / 2 / style.grid * style.grid);
    contact.rate = Steps::constant(if kind & 1 == 1 && style.changing { Rate::Unlimited } else { rate(rates.0) });
    let light = Duration::from_nanos(lights.0 * 1_000_003_000 / style.grid * style.grid);
    let later = (light + Duration::from_nanos(lights.1 * 700_000_000 / style.grid * style.grid)).max(Duration::ZERO);
    contact.light_time = LightTime::constant(start, end, light);
    if style.changing && middle > start {
        if kind & 2 == 2 {
            contact.rate.changes.push((middle, rate(rates.1)));
        }
        contact.light_time = match kind >> 2 & 3 {
            0 => LightTime::UNKNOWN,
            1 => LightTime::constant(middle, end, light),
            2 => LightTime::stepped(&[(start, light), (middle, later)], end),
            _ if (end - start) > (light - later) => {
                LightTime::new(vec![Piece { start, end, first: light, last: later }])
            }
            _ => contact.light_time.clone(),
        };
    }
    if style.chances {
        if kind & 16 == 16 {
            contact.bit_error_rate = Some(Steps::constant(Ratio::new(chances.0 * 0.4).unwrap()));
        }
        if kind & 32 == 32 {
            contact.confidence = Ratio::new(chances.1).unwrap();
        }
    }
}

fn any_plan() -> impl Strategy<Value = ContactPlan> {
    (style(), any::<bool>(), prop_oneof![prop::collection::vec(raw(), 0..4), prop::collection::vec(raw(), 4..12)])
        .prop_map(|(style, epoch, raw)| plan(style, epoch, raw))
}

fn options() -> (WriteOptions, ReadOptions) {
    let local = Some(NodeId::ipn(LOCAL));
    let write = WriteOptions { local: local.clone(), ..WriteOptions::default() };
    (write, ReadOptions { local, ..ReadOptions::default() })
}

/// Only contacts of the local node that hardy could write.
fn for_hardy(mut plan: ContactPlan) -> ContactPlan {
    plan.epoch.get_or_insert(Epoch::from_gregorian_utc(2026, 12, 15, 0, 0, 0, 0));
    plan
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn without_losses_a_plan_comes_back_whole(plan in any_plan()) {
        for format in Format::ALL {
            let plan = if format == Format::Hardy { for_hardy(plan.clone()) } else { plan.clone() };
            prop_assume!(plan.validate().iter().all(|f| f.severity() < Severity::Error));
            let (writing, reading) = options();
            let export = write(format, &plan, &writing).unwrap();
            let import = read(format, export.text.as_bytes(), &reading)
                .unwrap_or_else(|error| panic!("{format}: {error}\n{}", export.text));
            if export.losses.is_empty() {
                prop_assert_eq!(&import.plan, &plan, "{}:\n{}", format, export.text);
            } else {
                prop_assert!(import.plan != plan, "{}: {} is no loss:\n{}", format, export.losses[0], export.text);
            }
            prop_assert!(format != Format::Native || export.losses.is_empty());
        }
    }

    #[test]
    fn what_was_read_is_written_without_loss_and_read_the_same(plan in any_plan()) {
        for format in Format::ALL {
            let plan = if format == Format::Hardy { for_hardy(plan.clone()) } else { plan.clone() };
            prop_assume!(plan.is_sound());
            let (writing, reading) = options();
            // The first time, the format takes what it cannot carry; from then on nothing may be lost any more.
            let first = write(format, &plan, &writing).unwrap();
            let once = read(format, first.text.as_bytes(), &reading).unwrap().plan;
            let second = write(format, &once, &writing).unwrap();
            prop_assert!(second.losses.is_empty(), "{}: {}\n{}\n{}", format, second.losses[0], first.text, second.text);
            let twice = read(format, second.text.as_bytes(), &reading).unwrap().plan;
            prop_assert_eq!(&twice, &once, "{}:\n{}\n{}", format, first.text, second.text);
        }
    }
}

/// The properties above say something of a format only if plans with contacts get through it whole.
#[test]
fn every_format_carries_some_plans_whole() {
    let mut runner = TestRunner::deterministic();
    let plans: Vec<_> = (0..400).map(|_| any_plan().new_tree(&mut runner).unwrap().current()).collect();
    for format in Format::ALL {
        let whole = |plan: &&ContactPlan| {
            let plan = if format == Format::Hardy { for_hardy((*plan).clone()) } else { (*plan).clone() };
            !plan.contacts.is_empty()
                && plan.is_sound()
                && write(format, &plan, &options().0).is_ok_and(|export| export.losses.is_empty())
        };
        let count = plans.iter().filter(whole).count();
        println!("{format}: {count} of {} plans without loss", plans.len());
        assert!(count >= 5, "{format}: {count} of {}", plans.len());
    }
}
