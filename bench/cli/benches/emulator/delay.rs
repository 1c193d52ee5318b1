//! How far off the delay is, above what bare loopback takes in the same run.

use std::time::Duration;

use serde_json::{Value, json};

use crate::Options;
use crate::measure::{Spread, grouped, us};
use crate::programs::{Direction, OneWay, Program, one_way};

const SIZE: usize = 1024;
const DELAY: Duration = Duration::from_secs(1);
const RUNS: usize = 3;

/// Upper limits of the delay error above bare loopback, in nanoseconds.
pub struct Goal {
    pub rate: u64,
    pub p50: Option<i64>,
    pub p99: i64,
}

pub fn measure(options: &Options, goal: &Goal) -> Result<Value, String> {
    println!(
        "Datagrams of {SIZE} bytes, {} a second, one way, 1 s delay, medians of {RUNS} runs of 5 s (peers: one). Delay error: \
         arrival − sending − 1 s.\n",
        grouped(goal.rate)
    );
    println!("| arrival | | p50 | p99 | p99.9 | max | above bare: p50 | p99 | max | lost |");
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let direction = Direction {
        rate: goal.rate,
        size: SIZE,
        span: Duration::from_secs(5),
        delay: DELAY,
        sending: options.sending,
        rest: Duration::ZERO,
    };
    let farlink = options.emulator();
    // By turns, so that a neighbour who comes or goes meets both alike.
    let (mut bare, mut through) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        bare.push(one_way(&Program::Bare, direction)?);
        through.push(one_way(&farlink, direction)?);
    }
    let mut all = serde_json::Map::new();
    all.insert(Program::Bare.name().into(), report(Program::Bare.name(), &bare, &bare));
    all.insert(farlink.name().into(), report(farlink.name(), &through, &bare));
    for peer in [Program::UdpDelaySim, Program::Owltsim] {
        let value = if peer.is_missing() {
            println!("| | {} | not installed |", peer.name());
            json!("not installed")
        } else {
            let outcome = one_way(&peer, direction)?;
            report(peer.name(), &[outcome], &bare)
        };
        all.insert(peer.name().into(), value);
    }
    println!();
    let of = |runs: &[OneWay], f: fn(&Spread) -> i64| f(&spread(runs, |o| &o.stamped));
    let above = |f: fn(&Spread) -> i64| of(&through, f) - of(&bare, f);
    let mut verdicts = vec![("p99", above(|s| s.p99), goal.p99)];
    verdicts.extend(goal.p50.map(|limit| ("p50", above(|s| s.p50), limit)));
    for (name, above, limit) in &verdicts {
        let met = if above <= limit { "met" } else { "missed" };
        println!("farlink emulate: {name} {} above bare loopback (goal: at most {}: {met})", us(*above), us(*limit));
    }
    let late = |runs: &[OneWay]| us(Spread::median(&runs.iter().map(|o| o.sent.lateness).collect::<Vec<_>>()).p99);
    for (p99, max) in through.iter().filter_map(|outcome| outcome.own_word) {
        println!("Its own word in one of the runs: 99 % at most {} late, the worst {}.", us(p99), us(max));
    }
    println!(
        "The sender was late by {} (p99) before bare loopback and {} before farlink.",
        late(&bare),
        late(&through)
    );
    all.insert("goal".into(), json!({ "p50_ns": goal.p50, "p99_ns": goal.p99 }));
    Ok(all.into())
}

/// One of the two delay errors of a run.
type Errors = fn(&OneWay) -> &Spread;

fn spread(runs: &[OneWay], of: Errors) -> Spread {
    Spread::median(&runs.iter().map(|o| *of(o)).collect::<Vec<_>>())
}

fn report(name: &str, runs: &[OneWay], bare: &[OneWay]) -> Value {
    let sent: u64 = runs.iter().map(|o| o.account.sent).sum();
    let lost: u64 = runs.iter().map(|o| o.account.lost()).sum();
    let mut all = serde_json::Map::new();
    let ways: [(&str, Errors); 2] = [("kernel's stamp", |o| &o.stamped), ("as read", |o| &o.read)];
    for (way, of) in ways {
        let (own, bare) = (spread(runs, of), spread(bare, of));
        println!(
            "| {way} | {name} | {} | {} | {} | {} | {} | {} | {} | {} of {} |",
            us(own.p50),
            us(own.p99),
            us(own.p999),
            us(own.max),
            us(own.p50 - bare.p50),
            us(own.p99 - bare.p99),
            us(own.max - bare.max),
            grouped(lost),
            grouped(sent),
        );
        all.insert(way.into(), own.json_ns());
    }
    all.insert("sent".into(), json!(sent));
    all.insert("lost".into(), json!(lost));
    all.insert("own_word_p99_and_max_ns".into(), json!(runs.iter().filter_map(|o| o.own_word).collect::<Vec<_>>()));
    all.insert("out_of_order".into(), json!(runs.iter().map(|o| o.account.out_of_order).sum::<u64>()));
    all.insert("cores".into(), json!(runs.iter().map(|o| o.cores).sum::<f64>() / runs.len() as f64));
    all.into()
}
