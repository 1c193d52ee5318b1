//! `farlink emulate`

use std::str::FromStr;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant as StdInstant;

use clap::{Args, ValueEnum};
use farlink_channel_models::{Errors, LightTime, Rate};
use farlink_link::coupling::{Direction, DirectionReport};
use farlink_link::{Channel, ChannelConfig, Contacts, Damaged};
use farlink_ports::udp::{UdpPort, UdpRoute};
use farlink_record::results::{DelayPart, DelayResult};
use farlink_record::{ChannelId, LossCause};
use farlink_units::{BitRate, Duration, Ratio, Size};
use serde_json::json;

use super::Format;
use crate::{Ending, bench_failed, interrupt};

/// Couple two programs over UDP with the link they will have in flight, in real time.
///
/// What comes in at the first port of a route leaves for the second, after serialisation at the rate and one delay. Where a
/// quantity may differ between the two directions, write both with a comma: forward,return.
#[derive(Debug, Args)]
#[command(after_help = "Example: four light-seconds, 128:1, errors both ways\n  \
    farlink emulate --forward udp:5001=127.0.0.1:5002 --return udp:5003=127.0.0.1:5004 \\\n    \
    --delay 4s --rate 256kbit/s,2kbit/s --ber 1e-6")]
pub struct EmulateArguments {
    /// The forward direction: where frames come in, `=`, where they leave for.
    #[arg(long, value_name = "ROUTE")]
    forward: UdpRoute,
    /// The return direction. Without it the link has one direction only.
    #[arg(long = "return", value_name = "ROUTE")]
    return_: Option<UdpRoute>,
    /// One-way light time, with its unit: `4s`, or `4s,5s`.
    #[arg(long, value_name = "DURATION")]
    delay: Both<Duration>,
    /// Data rate, with its unit: `256kbit/s`, or `256kbit/s,2kbit/s`.
    #[arg(long, value_name = "RATE")]
    rate: Both<BitRate>,
    /// Bit error ratio, 0 to 1: `1e-6`, or `1e-6,1e-7`.
    #[arg(long, value_name = "RATIO", default_value = "0")]
    ber: Both<Ratio>,
    /// What becomes of a frame with flipped bits.
    #[arg(long, value_enum, default_value_t = DamagedFrames::Drop)]
    damaged: DamagedFrames,
    /// Bytes that the link layer adds to each frame: they take time and can be damaged.
    #[arg(long, value_name = "SIZE", default_value = "0 B")]
    overhead: Size,
    /// How much may wait for the transmitter.
    #[arg(long, value_name = "SIZE", default_value = "1 MiB")]
    queue: Size,
    /// Seed of the bit errors.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Stop after this time. Without it, Ctrl-C stops.
    #[arg(long = "for", value_name = "DURATION")]
    for_: Option<Duration>,
    /// How to print what it came to.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DamagedFrames {
    /// A link-layer check finds the damage and drops the frame.
    Drop,
    /// There is no check: the frame is delivered as it is.
    Deliver,
}

/// A quantity for both directions, or one for each.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Both<T> {
    forward: T,
    return_: T,
}

impl<T: FromStr + Copy> FromStr for Both<T> {
    type Err = T::Err;
    fn from_str(text: &str) -> Result<Self, T::Err> {
        let (forward, return_) = text.split_once(',').unwrap_or((text, text));
        Ok(Both { forward: forward.parse()?, return_: return_.parse()? })
    }
}

pub fn emulate(arguments: &EmulateArguments) -> Ending {
    let stop = match interrupt::stop_flag() {
        Ok(stop) => stop,
        Err(error) => return bench_failed(format_args!("cannot watch for Ctrl-C: {error}")),
    };
    let mut wanted =
        vec![("forward", arguments.forward, arguments.delay.forward, arguments.rate.forward, arguments.ber.forward)];
    if let Some(route) = arguments.return_ {
        wanted.push(("return", route, arguments.delay.return_, arguments.rate.return_, arguments.ber.return_));
    }
    let mut opened = Vec::new();
    for (name, route, delay, rate, ber) in wanted {
        match UdpPort::open(route.from) {
            Ok(port) => opened.push((name, port, route, delay, rate, ber)),
            Err(error) => return bench_failed(format_args!("--{name}: {error}")),
        }
    }
    let origin = StdInstant::now();
    let mut directions = Vec::new();
    for (index, (name, port, route, delay, rate, ber)) in opened.into_iter().enumerate() {
        let channel = Channel::new(ChannelConfig {
            id: ChannelId(index as u16),
            rate: Rate::constant(rate),
            overhead_bits: arguments.overhead.bytes() * 8,
            contacts: Contacts::Always,
            light_time: LightTime::Constant(delay),
            errors: Errors::independent(ber.get(), arguments.seed.wrapping_add(index as u64)),
            damaged: match arguments.damaged {
                DamagedFrames::Drop => Damaged::Drop,
                DamagedFrames::Deliver => Damaged::Deliver,
            },
            queue_bits: arguments.queue.bytes().saturating_mul(8),
            seed: arguments.seed.wrapping_add(index as u64),
        });
        if arguments.format == Format::Text {
            // With the number that the system chose, if it was to choose one.
            let from = port.local_address().unwrap_or(route.from);
            say!("{name}: {from} → {}, {rate}, light time {delay}, bit error ratio {:e}", route.to, ber.get());
        }
        match Direction::start(channel, port, route.to, origin, &stop) {
            Ok(direction) => directions.push((name, direction)),
            Err(error) => return bench_failed(format_args!("cannot start a thread: {error}")),
        }
    }
    let until = arguments.for_.map(|span| origin + span.to_std());
    while !stop.load(Ordering::Relaxed) && until.is_none_or(|until| StdInstant::now() < until) {
        if directions.iter().any(|(_, d)| d.report().failure.is_some()) {
            break;
        }
        thread::sleep(std::time::Duration::from_millis(20));
    }
    stop.store(true, Ordering::Relaxed);
    let reports: Vec<_> = directions.into_iter().map(|(name, direction)| (name, direction.finish())).collect();
    print(&reports, arguments.format);
    for (name, report) in &reports {
        if let Some(failure) = &report.failure {
            return bench_failed(format_args!("{name}: the port failed: {failure}"));
        }
        if !balanced(report) {
            return bench_failed(format_args!("{name}: the counts do not add up, so nothing above can be trusted"));
        }
    }
    Ending::Met
}

/// What the events say is under way must be what the channel's own store holds.
fn balanced(report: &DirectionReport) -> bool {
    report.counters.balanced() && report.counters.in_flight() == report.in_flight
}

fn print(reports: &[(&str, DirectionReport)], format: Format) {
    if format == Format::Json {
        let directions: serde_json::Map<_, _> = reports
            .iter()
            .map(|(name, r)| {
                let value = json!({
                    "sent": r.counters.sent,
                    "delivered": r.counters.delivered,
                    "delivered_damaged": r.counters.delivered_damaged,
                    "lost": r.counters.lost,
                    "in_flight": r.in_flight,
                    "delays": DelayResult::new(&r.counters.delays),
                    "balanced": balanced(r),
                    "lateness": r.lateness,
                });
                ((*name).to_string(), value)
            })
            .collect();
        say!("{:#}", serde_json::Value::Object(directions));
        return;
    }
    for (name, r) in reports {
        let lost = |cause| r.counters.lost.get(&cause).map_or(0, |t| t.frames);
        let late = |ns: u64| Duration::from_nanos(i64::try_from(ns).unwrap_or(i64::MAX));
        let rare = [LossCause::NoContact, LossCause::NoRate, LossCause::Erased].into_iter();
        let rare = rare.filter(|cause| lost(*cause) > 0).map(|cause| format!(" + {} {}", lost(cause), cause.as_str()));
        say!(
            "{name}: {} frames in = {} delivered + {} lost to bit errors + {} to a full queue + {} of bad length{} + {} in flight",
            r.counters.sent.frames,
            r.counters.delivered.frames,
            lost(LossCause::BitErrors),
            lost(LossCause::QueueFull),
            lost(LossCause::BadLength),
            rare.collect::<String>(),
            r.in_flight.frames
        );
        if let Some(d) = DelayResult::new(&r.counters.delays) {
            let mean = |part: DelayPart| Duration::from_nanos(part.mean_ns);
            say!(
                "{name}: {} queueing + {} serialisation + {} light time (means)",
                mean(d.queueing),
                mean(d.serialisation),
                mean(d.propagation)
            );
        }
        if r.lateness.samples > 0 {
            say!(
                "{name}: late by {} (median), {} (99 %), {} (worst)",
                late(r.lateness.p50_ns),
                late(r.lateness.p99_ns),
                late(r.lateness.max_ns)
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_serves_both_directions_and_a_comma_parts_two() {
        let both: Both<Duration> = "4s".parse().unwrap();
        assert_eq!((both.forward, both.return_), (Duration::from_secs(4), Duration::from_secs(4)));
        let both: Both<BitRate> = "256kbit/s,2kbit/s".parse().unwrap();
        assert_eq!((both.forward.bps(), both.return_.bps()), (256_000, 2000));
        assert!("4s,".parse::<Both<Duration>>().is_err());
        assert!("4".parse::<Both<Duration>>().unwrap_err().to_string().contains("no unit"));
    }
}
