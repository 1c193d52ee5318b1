//! Steady load for long: does memory stay flat, does the delay stay where it is?

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Options;
use crate::ledger::Ledger;
use crate::links::Links;
use crate::load::{self, Load};
use crate::measure::{Spread, grouped, now_ns, slope, us};

const SIZE: usize = 1024;
const DELAY: Duration = Duration::from_secs(1);
const LINKS: usize = 2;
const RATE: u64 = 5000;
const BIT_ERRORS: f64 = 1e-6;
const MINUTE_NS: i64 = 60_000_000_000;
const SAMPLE: Duration = Duration::from_secs(10);
/// Memory counts from here on: until then the first frames are on their way and buffers grow to their size.
const SETTLED_S: f64 = 60.0;

struct Minute {
    /// Since the beginning, of its middle.
    at_s: f64,
    stamped: Spread,
    read: Spread,
}

pub fn measure(options: &Options) -> Result<Value, String> {
    println!(
        "{LINKS} links, both ways, datagrams of {SIZE} bytes, {} a second in each direction, 1 s delay, bit error ratio \
         {BIT_ERRORS:e}, damaged frames delivered, {} minutes.\n",
        grouped(RATE),
        options.soak_minutes
    );
    let links = Links::new(LINKS, true)?;
    let mut process = links.emulate(options, &["--ber", "1e-6", "--damaged", "deliver"])?;
    let span = Duration::from_secs(60 * options.soak_minutes);
    let load = Load {
        flows: links.flows(RATE)?,
        size: SIZE,
        span,
        delay: DELAY,
        sending: options.sending,
        rest: Duration::ZERO,
    };
    let mut ledger = Ledger::comparing(DELAY);
    let mut minutes: Vec<Minute> = Vec::new();
    let begin = now_ns();
    let over = AtomicBool::new(false);
    let memory = Mutex::new(Vec::new());
    let cpu = process.cpu_seconds();
    println!("| minute | delay error, kernel's stamp: mean | p50 | p99 | max | resident |");
    println!("|---|---|---|---|---|---|");
    let (watched, resident, done) = (&process, &memory, &over);
    let sent = thread::scope(|scope| {
        scope.spawn(move || {
            let mut next = 0.0;
            while !done.load(Ordering::Relaxed) {
                let at_s = (now_ns() - begin) as f64 / 1e9;
                if at_s >= next {
                    resident.lock().expect("nobody panics with it").push((at_s, watched.memory()));
                    next += SAMPLE.as_secs_f64();
                }
                thread::sleep(Duration::from_millis(100));
            }
        });
        let sent = load::run(&load, &links.ends, |arrival| {
            let minute = minutes.len() as i64;
            let Some(sent_ns) = ledger.take(arrival) else { return };
            // A minute's worth has come once something of the next has.
            if sent_ns - begin < (minute + 1) * MINUTE_NS {
                return;
            }
            let (stamped, read) = ledger.errors();
            let held = resident.lock().expect("nobody panics with it").last().map_or(0, |(_, m)| m.resident);
            println!(
                "| {} | {} | {} | {} | {} | {:.2} MB |",
                minute + 1,
                us(stamped.mean as i64),
                us(stamped.p50),
                us(stamped.p99),
                us(stamped.max),
                held as f64 / 1e6
            );
            minutes.push(Minute { at_s: (minute as f64 + 0.5) * 60.0, stamped, read });
        });
        done.store(true, Ordering::Relaxed);
        sent
    })?;
    process.check()?;
    let cores = (process.cpu_seconds() - cpu) / sent.seconds;
    let drops = links.drops();
    let (stamped, read) = ledger.errors();
    // What is left is a minute, too, if it is most of one.
    if stamped.count as u64 > RATE * 2 * LINKS as u64 * 30 {
        minutes.push(Minute { at_s: (minutes.len() as f64 + 0.5) * 60.0, stamped, read });
    }
    let account = ledger.account(&sent);
    let samples = memory.into_inner().expect("nobody panics with it");
    let settled: Vec<(f64, f64)> =
        samples.iter().filter(|(at, _)| *at >= SETTLED_S).map(|(at, m)| (*at, m.resident as f64)).collect();
    let growth = slope(&settled);
    let drift = |of: fn(&Minute) -> f64| slope(&minutes.iter().map(|m| (m.at_s, of(m))).collect::<Vec<_>>());
    // A busy machine delays the mean and the median, but hardly ever the least of a minute's.
    let (mean, middle, least) =
        (drift(|m| m.stamped.mean), drift(|m| m.stamped.p50 as f64), drift(|m| m.stamped.min as f64));
    let ends = (settled.first().map_or(0.0, |s| s.1), settled.last().map_or(0.0, |s| s.1));
    let ratio = ledger.wrong_bits as f64 / ledger.bits.max(1) as f64;
    println!(
        "\n{} sent, {} arrived whole in their header, {} with a damaged one, {} lost ({} in its sockets, {} in the bench's); bit \
         error ratio measured {ratio:.3e}; {cores:.2} cores.",
        grouped(account.sent),
        grouped(account.delivered),
        grouped(account.damaged),
        grouped(account.lost()),
        drops.0,
        drops.1
    );
    println!(
        "Resident: {:.2} MB after the first minute, {:.2} MB at the end; line through all samples between: {:+.1} kB an hour \
         ({:+.1} MB in 24 hours).",
        ends.0 / 1e6,
        ends.1 / 1e6,
        growth * 3600.0 / 1e3,
        growth * 86_400.0 / 1e6
    );
    println!(
        "Drift of the delay by the minute: {mean:+.2} ns/s of its mean, {middle:+.2} ns/s of its median, {least:+.2} ns/s of the least."
    );
    process.stop()?;
    Ok(json!({
        "minutes": options.soak_minutes,
        "sent": account.sent,
        "delivered": account.delivered,
        "header_damaged": account.damaged,
        "lost": account.lost(),
        "duplicates": account.duplicates,
        "out_of_order": account.out_of_order,
        "dropped_in_its_sockets": drops.0,
        "dropped_in_receivers_sockets": drops.1,
        "bit_error_ratio": ratio,
        "cores": cores,
        "resident_bytes_per_s": growth,
        "drift_of_mean_ns_per_s": mean,
        "drift_of_median_ns_per_s": middle,
        "drift_of_least_ns_per_s": least,
        "memory": samples.iter().map(|(at, m)| json!({ "at_s": at, "memory": m.json() })).collect::<Vec<_>>(),
        "by_minute": minutes.iter().map(|m| json!({
            "at_s": m.at_s, "kernel's stamp": m.stamped.json_ns(), "as read": m.read.json_ns(),
        })).collect::<Vec<_>>(),
    }))
}
