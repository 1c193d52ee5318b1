//! The points of a sweep.

use std::collections::BTreeMap;

use farlink_channel_models::{end_to_end_retransmissions, hop_by_hop_retransmissions};
use farlink_scenario::{HopsSweep, LtpSweep, ProcessSweep, Sweep, SweepKind, SweepLink, TcpSweep, Workload};
use farlink_units::{BitRate, Duration, Ratio, Size};

use crate::bound::{Floors, Path};
use crate::hops::Chain;
use crate::outcome::Value;
use crate::pair::{Given, Pair};

/// One point of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Every parameter that is varied, with its value.
    pub id: String,
    /// Every parameter.
    pub parameters: BTreeMap<String, Value>,
    /// What is to be done.
    pub task: Task,
}

/// What is to be done at a point.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// A pair of nodes under the virtual clock.
    Pair(Pair),
    /// A chain of nodes under the virtual clock.
    Chain(Chain),
    /// TCP over the real-time emulator, and LTP over the same channel.
    Tcp(TcpPoint),
    /// Two processes and the real-time emulator.
    Processes(ProcessPoint),
}

/// TCP over a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct TcpPoint {
    /// One-way light time.
    pub light_time: Duration,
    /// Bit error ratio.
    pub ber: f64,
    /// Data rate, both ways.
    pub rate: BitRate,
    /// For how long.
    pub span: Duration,
    /// Which congestion control TCP has, by the kernel's name.
    pub congestion_control: String,
    /// How late 99 of 100 frames may leave the emulator.
    pub tolerance: Duration,
}

/// Two processes over a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessPoint {
    /// The channel and the sizes.
    pub pair: Pair,
    /// The commands and how long they may take.
    pub sweep: ProcessSweep,
}

/// A sweep of every point of which only the ends of each list remain, at most three times each and with a quarter of what is sent: a look, not
/// a measurement.
pub fn quick(sweep: &Sweep) -> Sweep {
    fn ends<T: Clone>(values: &mut Vec<T>) {
        if values.len() > 2 {
            *values = vec![values[0].clone(), values[values.len() - 1].clone()];
        }
    }
    let quarter = |span: Duration| Duration::from_nanos(span.as_nanos() / 4);
    let ends_of_link = |link: &mut SweepLink| {
        ends(&mut link.light_time);
        ends(&mut link.ber);
        ends(&mut link.asymmetry);
    };
    let mut sweep = sweep.clone();
    sweep.repeat = sweep.repeat.min(3);
    match &mut sweep.kind {
        SweepKind::Ltp(ltp) => {
            ends_of_link(&mut ltp.link);
            ends(&mut ltp.segment);
            ends(&mut ltp.bundle);
            ends(&mut ltp.block);
            ends(&mut ltp.sessions);
            match &mut ltp.workload {
                Workload::Amount(amount) => *amount = Size::from_bytes(amount.bytes().div_ceil(4)),
                Workload::Load { shares, span } => {
                    ends(shares);
                    *span = quarter(*span);
                }
            }
        }
        SweepKind::Hops(hops) => {
            ends(&mut hops.hops);
            ends(&mut hops.frame_loss);
            hops.messages = hops.messages.div_ceil(4);
        }
        SweepKind::Tcp(tcp) => {
            ends_of_link(&mut tcp.link);
            ends(&mut tcp.congestion_control);
            tcp.span = quarter(tcp.span).max(Duration::from_secs(1));
        }
        SweepKind::Processes(processes) => {
            ends_of_link(&mut processes.link);
            ends(&mut processes.segment);
            processes.amount = Size::from_bytes(processes.amount.bytes().div_ceil(4));
        }
    }
    sweep
}

/// The points of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The names of the parameters that differ.
    pub varied: Vec<String>,
    /// The points, in the order of the sweep.
    pub points: Vec<Point>,
}

impl Plan {
    /// Only the points whose names contain each of these texts. A text is contained where it ends with a value: `ber=1e-5` is not in
    /// `ber=1e-51`.
    ///
    /// # Errors
    /// There is none. Measuring nothing would look like success.
    pub fn only(mut self, texts: &[String]) -> Result<Self, String> {
        let holds = |id: &str, text: &str| {
            id.match_indices(text).any(|(at, _)| id[at + text.len()..].chars().next().is_none_or(|next| next == ' '))
        };
        self.points.retain(|point| texts.iter().all(|text| holds(&point.id, text)));
        if self.points.is_empty() {
            return Err(format!("no point is called {}: `--list` tells their names", texts.join(" and ")));
        }
        Ok(self)
    }
}

/// Every point of a sweep.
pub fn plan(sweep: &Sweep) -> Plan {
    let points = match &sweep.kind {
        SweepKind::Ltp(ltp) => ltp_points(ltp),
        SweepKind::Hops(hops) => hops_points(hops),
        SweepKind::Tcp(tcp) => tcp_points(tcp),
        SweepKind::Processes(processes) => process_points(processes),
    };
    let varied: Vec<String> = points
        .first()
        .map(|(order, ..)| order.clone())
        .unwrap_or_default()
        .into_iter()
        .filter(|name| points.iter().any(|point| point.1[name] != points[0].1[name]))
        .collect();
    // A sweep of one point is called by all of its parameters.
    let named = |order: &[String]| if varied.is_empty() { order.to_vec() } else { varied.clone() };
    let points = points.into_iter().map(|(order, parameters, task)| {
        let words = named(&order).into_iter().map(|name| format!("{name}={}", parameters[&name].text.replace(' ', "")));
        Point { id: words.collect::<Vec<_>>().join(" "), parameters, task }
    });
    let points = points.collect();
    Plan { varied, points }
}

type Planned = (Vec<String>, BTreeMap<String, Value>, Task);

struct Parameters {
    order: Vec<String>,
    values: BTreeMap<String, Value>,
}

impl Parameters {
    fn new() -> Self {
        Parameters { order: Vec::new(), values: BTreeMap::new() }
    }

    fn with(mut self, name: &str, number: impl Into<Option<f64>>, text: impl ToString) -> Self {
        self.order.push(name.to_owned());
        self.values.insert(name.to_owned(), Value { number: number.into(), text: text.to_string() });
        self
    }

    fn light_time(self, light_time: Duration) -> Self {
        self.with("light_time", light_time.as_secs_f64(), light_time)
    }

    fn ber(self, ber: f64) -> Self {
        self.with("ber", ber, format_ratio(ber))
    }

    fn size(self, name: &str, size: Size) -> Self {
        self.with(name, size.bytes() as f64, format_size(size))
    }

    fn planned(self, task: Task) -> Planned {
        (self.order, self.values, task)
    }
}

/// A ratio as people write it: `0`, `1e-5`, `0.3`.
fn format_ratio(value: f64) -> String {
    if value == 0.0 || value >= 1e-3 { value.to_string() } else { format!("{value:e}") }
}

/// A size in full: two sizes have two names.
fn format_size(size: Size) -> String {
    let units = [("MiB", 1 << 20), ("MB", 1_000_000), ("KiB", 1 << 10), ("kB", 1000)];
    let unit = units.into_iter().find(|(_, unit)| size.bytes() > 0 && size.bytes().is_multiple_of(*unit));
    unit.map_or(format!("{} B", size.bytes()), |(name, unit)| format!("{} {name}", size.bytes() / unit))
}

/// The rate back for an asymmetry.
fn back(rate: BitRate, asymmetry: f64) -> BitRate {
    BitRate::from_bps((rate.bps() as f64 / asymmetry).round() as u64).unwrap_or(rate)
}

fn ltp_points(sweep: &LtpSweep) -> Vec<Planned> {
    let given: Vec<Option<f64>> = match &sweep.workload {
        Workload::Amount(_) => vec![None],
        Workload::Load { shares, .. } => shares.iter().copied().map(Some).collect(),
    };
    let mut points = Vec::new();
    let link = &sweep.link;
    for light_time in &link.light_time {
        for ber in &link.ber {
            for asymmetry in &link.asymmetry {
                for segment in &sweep.segment {
                    for bundle in &sweep.bundle {
                        for block in &sweep.block {
                            for sessions in &sweep.sessions {
                                for load in &given {
                                    let mut pair = Pair {
                                        light_time: *light_time,
                                        ber: *ber,
                                        rate: link.rate,
                                        rate_back: back(link.rate, *asymmetry),
                                        segment_bytes: segment.bytes(),
                                        bundle_bytes: bundle.bytes(),
                                        block_bytes: block.map(Size::bytes),
                                        sessions: *sessions,
                                        given: Given::Amount(0),
                                    };
                                    let mut parameters = Parameters::new()
                                        .light_time(*light_time)
                                        .ber(*ber)
                                        .with("asymmetry", *asymmetry, format!("{asymmetry}:1"))
                                        .size("segment", *segment)
                                        .size("bundle", *bundle)
                                        .with(
                                            "block",
                                            block.map(|b| b.bytes() as f64),
                                            block.map_or("a bundle".to_owned(), format_size),
                                        )
                                        .with(
                                            "sessions",
                                            sessions.map(|s| s as f64),
                                            sessions.map_or("no limit".to_owned(), |s| s.to_string()),
                                        )
                                        .with("rate", link.rate.bps() as f64, link.rate);
                                    match (&sweep.workload, load) {
                                        (Workload::Amount(amount), _) => {
                                            pair.given = Given::Amount(amount.bytes());
                                            parameters = parameters.size("amount", *amount);
                                        }
                                        (Workload::Load { span, .. }, load) => {
                                            let share = load.unwrap_or_default();
                                            let error_free = Pair { ber: 0.0, sessions: None, ..pair.clone() };
                                            let bps = share * capacity_bps(&error_free);
                                            pair.given = Given::Load { bps, span: *span };
                                            parameters = parameters.with("load", share, share).with(
                                                "span",
                                                span.as_secs_f64(),
                                                span,
                                            );
                                        }
                                    }
                                    points.push(parameters.planned(Task::Pair(pair)));
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    points
}

fn hops_points(sweep: &HopsSweep) -> Vec<Planned> {
    let mut points = Vec::new();
    for hop_by_hop in [true, false] {
        for frame_loss in &sweep.frame_loss {
            for hops in &sweep.hops {
                let chain = Chain { hops: *hops, frame_loss: *frame_loss, messages: sweep.messages, hop_by_hop };
                let again = if hop_by_hop { "hop by hop" } else { "end to end" };
                let parameters = Parameters::new()
                    .with("retransmission", None, again)
                    .with("frame_loss", *frame_loss, frame_loss)
                    .with("hops", *hops as f64, hops)
                    .with("messages", sweep.messages as f64, sweep.messages);
                points.push(parameters.planned(Task::Chain(chain)));
            }
        }
    }
    points
}

fn tcp_points(sweep: &TcpSweep) -> Vec<Planned> {
    let (link, span, tolerance) = (&sweep.link, sweep.span, sweep.tolerance);
    let mut points = Vec::new();
    for light_time in &link.light_time {
        for ber in &link.ber {
            for congestion_control in &sweep.congestion_control {
                let (light_time, ber, congestion_control) = (*light_time, *ber, congestion_control.clone());
                let parameters = Parameters::new()
                    .light_time(light_time)
                    .ber(ber)
                    .with("congestion_control", None, &congestion_control)
                    .with("rate", link.rate.bps() as f64, link.rate)
                    .with("span", span.as_secs_f64(), span);
                let point = TcpPoint { light_time, ber, rate: link.rate, span, congestion_control, tolerance };
                points.push(parameters.planned(Task::Tcp(point)));
            }
        }
    }
    points
}

fn process_points(sweep: &ProcessSweep) -> Vec<Planned> {
    let link = &sweep.link;
    let mut points = Vec::new();
    for light_time in &link.light_time {
        for ber in &link.ber {
            for asymmetry in &link.asymmetry {
                for segment in &sweep.segment {
                    let pair = Pair {
                        light_time: *light_time,
                        ber: *ber,
                        rate: link.rate,
                        rate_back: back(link.rate, *asymmetry),
                        segment_bytes: segment.bytes(),
                        bundle_bytes: sweep.amount.bytes(),
                        block_bytes: None,
                        sessions: None,
                        given: Given::Amount(sweep.amount.bytes()),
                    };
                    let parameters = Parameters::new()
                        .light_time(*light_time)
                        .ber(*ber)
                        .with("asymmetry", *asymmetry, format!("{asymmetry}:1"))
                        .size("segment", *segment)
                        .size("amount", sweep.amount)
                        .with("rate", link.rate.bps() as f64, link.rate);
                    let task = Task::Processes(ProcessPoint { pair, sweep: sweep.clone() });
                    points.push(parameters.planned(task));
                }
            }
        }
    }
    points
}

/// The way of a pair, as bounds take it.
pub fn path(pair: &Pair) -> Path {
    Path {
        light_time_s: pair.light_time.as_secs_f64(),
        ber: pair.ber,
        rate_bps: pair.rate.bps() as f64,
        rate_back_bps: pair.rate_back.bps() as f64,
        segment_bytes: pair.segment_bytes,
        sessions: pair.sessions,
    }
}

/// How many bundles of the usual size go into a block, and how long it then is.
fn usual_block(pair: &Pair) -> (u64, u64) {
    let bundle = Pair::encoded_bytes(pair.bundle_bytes);
    let count = pair.block_bytes.map_or(1, |block| (block / bundle).max(1));
    (count, count * bundle)
}

/// The most application data that a pair can bring across however long it is offered, in bit/s.
pub fn capacity_bps(pair: &Pair) -> f64 {
    let (bundles, block) = usual_block(pair);
    path(pair).goodput_bps(block, bundles * pair.bundle_bytes)
}

/// The floors for an amount, with its bundles gathered into blocks as the aggregator does.
pub fn floors(pair: &Pair, amount: u64) -> Floors {
    let mut blocks: Vec<u64> = Vec::new();
    let mut lengths = BTreeMap::<u64, u64>::new();
    for payload in pair.bundles(amount) {
        let bundle = *lengths.entry(payload).or_insert_with(|| Pair::encoded_bytes(payload));
        match (pair.block_bytes, blocks.last_mut()) {
            (Some(limit), Some(block)) if *block + bundle <= limit => *block += bundle,
            _ => blocks.push(bundle),
        }
    }
    path(pair).floors(&blocks, amount)
}

/// What the founding documents expect of a chain.
pub fn expected_retransmissions(chain: &Chain) -> f64 {
    let loss = Ratio::new(chain.frame_loss).unwrap_or_default();
    let hops = u32::try_from(chain.hops).unwrap_or(u32::MAX);
    if chain.hop_by_hop { hop_by_hop_retransmissions(loss, hops) } else { end_to_end_retransmissions(loss, hops) }
}
