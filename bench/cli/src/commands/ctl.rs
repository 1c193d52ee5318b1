//! `farlink ctl`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use farlink_control::words::Order;
use farlink_control::{Answer, Ask, Client, channel_named, find};
use farlink_record::ChannelId;
use farlink_record::control::Control;
use farlink_record::instrument::Snapshot;
use farlink_units::{BitRate, Duration};
use serde_json::json;

use super::Format;
use crate::{Ending, bench_failed};

/// Tell a running emulator what to do, and see how it is.
///
/// It must have been started with `--control`, by the same user. What is said is kept in its recording.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    farlink ctl snapshot\n  \
    farlink ctl --direction forward rate 64kbit/s\n  \
    farlink ctl contact closed\n  \
    farlink ctl --direction return drop 1 report --skip 1 --each-session\n  \
    farlink ctl --socket emulator.sock restore all\n\n\
    The second example slows one direction down, the fourth drops the second report segment of every LTP session.\n\
    Exit codes: 0 it is done, 1 the emulator refused it, 2 it could not be asked.")]
pub struct CtlArguments {
    /// Socket of the emulator. Not needed where one emulator of yours listens at its default path.
    #[arg(long, value_name = "PATH", global = true)]
    socket: Option<PathBuf>,
    /// Only this channel, by the name that `snapshot` shows (`->` may stand for `→`) [default: all].
    #[arg(long, visible_alias = "channel", value_name = "NAME", global = true)]
    direction: Option<String>,
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t, global = true)]
    format: Format,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    #[command(flatten)]
    Order(Order),
    /// Show how things are: what each channel is, what is not as planned, what has passed.
    Snapshot,
}

pub fn ctl(arguments: &CtlArguments) -> Ending {
    let ask = match &arguments.what {
        What::Snapshot => Ask::Snapshot,
        What::Order(order) => match order.control() {
            Ok(control) => Ask::Control { control },
            Err(error) => return bench_failed(error),
        },
    };
    let socket = match arguments.socket.clone().map_or_else(find, Ok) {
        Ok(socket) => socket,
        Err(error) => return bench_failed(error),
    };
    let channel = arguments.direction.as_deref();
    let said = match &ask {
        Ask::Control { control } => Some(control.clone()),
        Ask::Snapshot => None,
    };
    let answer = match Client::connect(&socket).and_then(|mut client| client.ask(channel, ask)) {
        Ok(answer) => answer,
        Err(error) => return bench_failed(error),
    };
    match answer {
        Answer::Refused { why } => {
            if arguments.format == Format::Json {
                say!("{}", json!({ "done": false, "why": why }));
            }
            complain!("error: {why}");
            Ending::NotMet
        }
        Answer::Done => {
            print_done(said.as_ref(), channel, arguments.format);
            Ending::Met
        }
        Answer::Snapshot(snapshot) => print_snapshot(*snapshot, channel, arguments.format),
    }
}

fn print_done(said: Option<&Control>, channel: Option<&str>, format: Format) {
    match (format, said) {
        (Format::Json, _) => say!("{}", json!({ "done": true })),
        (Format::Text, Some(control)) => say!("{}: {control}", channel.unwrap_or("all channels")),
        (Format::Text, None) => say!("done"),
    }
}

fn print_snapshot(mut snapshot: Snapshot, channel: Option<&str>, format: Format) -> Ending {
    if let Some(name) = channel {
        let names: Vec<String> = snapshot.channels.iter().map(|channel| channel.name.clone()).collect();
        let wanted = channel_named(&names, name).map(|ChannelId(place)| names[usize::from(place)].clone());
        snapshot.channels.retain(|channel| Some(&channel.name) == wanted.as_ref());
    }
    if format == Format::Json {
        match serde_json::to_string_pretty(&snapshot) {
            Ok(text) => say!("{text}"),
            Err(error) => return bench_failed(error),
        }
        return Ending::Met;
    }
    say!("{}{}", snapshot.at, if snapshot.paused { ", paused" } else { "" });
    let width = snapshot.channels.iter().map(|c| c.name.chars().count()).max().unwrap_or(0).max(7);
    say!(
        "{:width$}  contact  {:>12}  {:>14}  {:>10}  {:>10}  {:>10}  {:>10}  by hand",
        "channel",
        "rate",
        "light time",
        "sent",
        "delivered",
        "lost",
        "in flight"
    );
    for channel in &snapshot.channels {
        let rate = channel.rate_bps.and_then(BitRate::from_bps).map_or("none".to_string(), |rate| rate.to_string());
        let light_time = Duration::from(channel.light_time).to_string();
        let by_hand: Vec<&str> = channel.by_hand.iter().map(|what| what.as_str()).collect();
        say!(
            "{:width$}  {:7}  {:>12}  {:>14}  {:>10}  {:>10}  {:>10}  {:>10}  {}",
            channel.name,
            if channel.open { "open" } else { "closed" },
            rate,
            light_time,
            channel.counters.went_in().frames,
            channel.counters.delivered.frames,
            channel.counters.lost_in_all().frames,
            channel.in_flight.frames,
            if by_hand.is_empty() { "nothing".to_string() } else { by_hand.join(", ") }
        );
        for fault in &channel.faults {
            say!("{:width$}  waits to {fault}", "");
        }
    }
    Ending::Met
}
