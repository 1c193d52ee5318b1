//! More under way than fits the memory allowed.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Options;
use crate::measure::{grouped, us};
use crate::process::Scratch;
use crate::programs::{Direction, Program, one_way};

const SIZE: usize = 1024;
const RATE_BPS: u64 = 400_000_000;
const DELAY: Duration = Duration::from_secs(60);
/// Longer than the delay, so that for some seconds all of it is under way while frames come in and go out.
const SPAN: Duration = Duration::from_secs(75);
const GOAL_RESIDENT: u64 = 400_000_000;

pub fn measure(options: &Options) -> Result<Value, String> {
    let rate = RATE_BPS / 8 / SIZE as u64;
    let under_way = rate * SIZE as u64 * DELAY.as_secs();
    println!(
        "Datagrams of {SIZE} bytes at 400 Mbit/s ({} a second) for {} s, one way, {} s delay: {:.1} GB under way; 256 MiB in \
         memory, the rest on disk.\n",
        grouped(rate),
        SPAN.as_secs(),
        DELAY.as_secs(),
        under_way as f64 / 1e9
    );
    let folder = Scratch::new("spill")?;
    let more = ["--memory", "256MiB", "--spill", &folder.path().display().to_string()].map(String::from).to_vec();
    let program = Program::Farlink(options.emulator.clone(), more);
    let direction =
        Direction { rate, size: SIZE, span: SPAN, delay: DELAY, sending: options.sending, rest: Duration::ZERO };
    let outcome = one_way(&program, direction)?;
    let left = fs::read_dir(folder.path()).map_or(0, Iterator::count);
    println!(
        "| sent | a second | lost | of it: in its socket | in the receiver's | peak resident | its cores | arrival | p50 | p99 | p99.9 | max |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    for (way, spread) in [("kernel's stamp", outcome.stamped), ("as read", outcome.read)] {
        println!(
            "| {} | {} | {} | {} | {} | {:.0} MB | {:.2} | {way} | {} | {} | {} | {} |",
            grouped(outcome.account.sent),
            grouped(outcome.sent.rate() as u64),
            grouped(outcome.account.lost()),
            grouped(outcome.dropped_before),
            grouped(outcome.dropped_after),
            outcome.memory.peak as f64 / 1e6,
            outcome.cores,
            us(spread.p50),
            us(spread.p99),
            us(spread.p999),
            us(spread.max)
        );
    }
    let met = |met: bool| if met { "met" } else { "missed" };
    println!(
        "\nfarlink emulate: {} lost (goal: none: {}), {:.0} MB resident at most (goal: under {:.0} MB: {}); {left} files left behind.",
        grouped(outcome.account.lost()),
        met(outcome.account.lost() == 0 && outcome.account.sent > 0),
        outcome.memory.peak as f64 / 1e6,
        GOAL_RESIDENT as f64 / 1e6,
        met(outcome.memory.peak < GOAL_RESIDENT)
    );
    Ok(json!({
        "sent": outcome.account.sent,
        "sent_per_s": outcome.sent.rate(),
        "lost": outcome.account.lost(),
        "duplicates": outcome.account.duplicates,
        "out_of_order": outcome.account.out_of_order,
        "dropped_in_its_socket": outcome.dropped_before,
        "dropped_in_receivers_socket": outcome.dropped_after,
        "memory": outcome.memory.json(),
        "cores": outcome.cores,
        "kernel's stamp": outcome.stamped.json_ns(),
        "as read": outcome.read.json_ns(),
        "files_left": left,
        "sender_lateness": outcome.sent.lateness.json_ns(),
        "sender_left_out_s": outcome.sent.left_out_s,
        "goal": { "lost": 0, "resident_bytes": GOAL_RESIDENT },
    }))
}
