//! Rising rates, one way: how many datagrams a second without loss.

use std::time::Duration;

use serde_json::{Value, json};

use crate::Options;
use crate::measure::{grouped, us};
use crate::programs::{Direction, OneWay, Program, one_way};

const SIZE: usize = 1024;
const DELAY: Duration = Duration::from_secs(1);
const GOAL: u64 = 100_000;
/// Only counts are of interest, so the receiver may be sparing with the cores.
const REST: Duration = Duration::from_micros(200);
/// A sender that sends this share of what was asked has sent it: single wake-ups are late on any machine.
const FULL: f64 = 0.99;

const BARE: [u64; 3] = [50_000, 100_000, 200_000];
const LADDER: [u64; 8] = [10_000, 20_000, 50_000, 75_000, 100_000, 125_000, 150_000, 200_000];
const PEERS: [u64; 5] = [10_000, 20_000, 50_000, 75_000, 100_000];

pub fn measure(options: &Options) -> Result<Value, String> {
    println!(
        "Datagrams of {SIZE} bytes, one way, 1 s delay; bare loopback first, to see what the load itself loses.\n"
    );
    println!(
        "| | offered a second | sent a second | sent | lost | of it: in its socket | in the receiver's | its cores | sender late: p99 |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut all = serde_json::Map::new();
    let mut conclusions = Vec::new();
    let programs = [
        (Program::Bare, &BARE[..], 2),
        (options.emulator(), &LADDER[..], 5),
        (Program::UdpDelaySim, &PEERS[..], 3),
        (Program::Owltsim, &PEERS[..], 3),
    ];
    for (program, rates, seconds) in programs {
        if program.is_missing() {
            println!("| {} | not installed |", program.name());
            all.insert(program.name().into(), json!("not installed"));
            continue;
        }
        // As really sent: on a busy machine that is less than what was asked of the sender.
        let (mut steps, mut highest, mut losing, mut short) = (Vec::new(), 0.0_f64, 0, 0);
        for rate in rates {
            let outcome = one_way(
                &program,
                Direction {
                    rate: *rate,
                    size: SIZE,
                    span: Duration::from_secs(seconds),
                    delay: DELAY,
                    sending: options.sending,
                    rest: REST,
                },
            )?;
            print_row(program.name(), *rate, &outcome);
            steps.push(json_step(*rate, &outcome));
            short += u32::from(outcome.sent.rate() < FULL * *rate as f64);
            if outcome.account.lost() > 0 {
                losing += 1;
            } else if losing == 0 {
                highest = highest.max(outcome.sent.rate());
            }
            if losing == 2 {
                break;
            }
        }
        let goal = if matches!(program, Program::Farlink(..)) {
            let met = if highest >= FULL * GOAL as f64 { "met" } else { "missed" };
            format!(" (goal {}: {met})", grouped(GOAL))
        } else {
            String::new()
        };
        let load = if short > 0 {
            format!("; in {short} steps the sender could not send what was asked (--gso makes it cheaper)")
        } else {
            String::new()
        };
        conclusions.push(format!("{}: {} a second without loss{goal}{load}", program.name(), grouped(highest as u64)));
        all.insert(
            program.name().into(),
            json!({ "highest_per_s_without_loss": highest, "steps_not_fully_sent": short, "steps": steps }),
        );
    }
    println!();
    conclusions.iter().for_each(|line| println!("{line}"));
    all.insert("goal".into(), json!(GOAL));
    Ok(all.into())
}

fn print_row(name: &str, rate: u64, outcome: &OneWay) {
    println!(
        "| {name} | {} | {} | {} | {} ({:.3} %) | {} | {} | {:.2} | {} |",
        grouped(rate),
        grouped(outcome.sent.rate() as u64),
        grouped(outcome.account.sent),
        grouped(outcome.account.lost()),
        outcome.account.lost() as f64 / outcome.account.sent.max(1) as f64 * 100.0,
        grouped(outcome.dropped_before),
        grouped(outcome.dropped_after),
        outcome.cores,
        us(outcome.sent.lateness.p99),
    );
}

fn json_step(rate: u64, outcome: &OneWay) -> Value {
    json!({
        "offered_per_s": rate,
        "sent_per_s": outcome.sent.rate(),
        "sent": outcome.account.sent,
        "delivered": outcome.account.delivered,
        "lost": outcome.account.lost(),
        "duplicates": outcome.account.duplicates,
        "out_of_order": outcome.account.out_of_order,
        "dropped_in_its_socket": outcome.dropped_before,
        "dropped_in_receivers_socket": outcome.dropped_after,
        "cores": outcome.cores,
        "sender_lateness": outcome.sent.lateness.json_ns(),
        "sender_left_out_s": outcome.sent.left_out_s,
    })
}
