//! `farlink sdr emulate`

mod links;

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration as StdDuration, Instant};

use clap::Args;
use farlink_emulated_link::{End, EndStatus, Losses, Server, Status, default_folder};
use farlink_units::{BitRate, Decibels, Duration, Frequency, Size};
use serde_json::{Value, json};

use self::links::{DirectionEntry, LinkEntry, LinksFile, PaceEntry};
use super::Done;
use super::words::hertz;
use crate::Ending;
use crate::commands::Format;
use crate::commands::emulate::Both;
use crate::interrupt::stop_flag;

/// How often it is looked whether to end.
const LOOK: StdDuration = StdDuration::from_millis(20);

/// Serve emulated radio links, whose ends other programs use as radios.
///
/// What is transmitted at one end is received at the other, later and with what is between them. Each end is a device for
/// `farlink sdr`, and with the module of sdr/soapy-module for any program that knows SoapySDR. Where a quantity may differ
/// between the two directions, write both with a comma: from a to b, from b to a.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    farlink sdr emulate moon --delay 1.28s --noise=-20dB\n  \
    farlink sdr emulate pass --delay 5ms --range-rate=-6.5 --range-rate-for 10min --frequency 437MHz --rate 200kHz\n  \
    farlink sdr emulate --links fixtures/links/moon.yaml --for 60s\n\n\
    Exit codes: 0 nothing was lost, 1 samples were lost at an end and nothing can be concluded, 2 a link could not be served or \
    failed.")]
pub struct EmulateArguments {
    /// What the link is called.
    #[arg(value_name = "NAME", required_unless_present = "links", conflicts_with = "links")]
    name: Option<String>,
    /// A file of links, in place of a name and flags; `farlink schema links` has its shape.
    #[arg(long, value_name = "FILE")]
    links: Option<PathBuf>,
    /// What moves the link's time: a clock, as in a radio, or the programs at its ends.
    #[arg(long, value_enum, conflicts_with = "links")]
    pace: Option<PaceEntry>,
    /// Sample rate of both ends until they set another.
    #[arg(long, value_name = "FREQUENCY", conflicts_with = "links")]
    rate: Option<Frequency>,
    /// The sample rates that the ends may set.
    #[arg(long, value_name = "LOW..HIGH", conflicts_with = "links")]
    rate_range: Option<super::permission::Band>,
    /// What the ends are tuned to until they set another frequency, and the carrier of the Doppler.
    #[arg(long, value_name = "FREQUENCY", conflicts_with = "links")]
    frequency: Option<Frequency>,
    /// One-way light time.
    #[arg(long, value_name = "DURATION", conflicts_with = "links")]
    delay: Option<Both<Duration>>,
    /// By how many km the ends move apart in a second; below 0 they approach. Doppler follows.
    #[arg(long, value_name = "KM/S", allow_hyphen_values = true, requires = "delay", conflicts_with = "links")]
    range_rate: Option<Both<f64>>,
    /// How long they do so; after that the delay stays.
    #[arg(long, value_name = "DURATION", requires = "range_rate", conflicts_with = "links")]
    range_rate_for: Option<Both<Duration>>,
    /// Power of the receiver's noise in the whole band, against full scale.
    #[arg(long, value_name = "LEVEL", allow_hyphen_values = true, conflicts_with_all = ["links", "eb_n0"])]
    noise: Option<Both<Decibels>>,
    /// Eb/N0 of a signal at full scale, in place of --noise.
    #[arg(long, value_name = "RATIO", allow_hyphen_values = true, requires = "bit_rate", conflicts_with = "links")]
    eb_n0: Option<Both<Decibels>>,
    /// Rate of information bits, for --eb-n0.
    #[arg(long, value_name = "RATE", requires = "eb_n0", conflicts_with = "links")]
    bit_rate: Option<Both<BitRate>>,
    /// Seed of all that is random.
    #[arg(long, conflicts_with = "links")]
    seed: Option<u64>,
    /// Samples that an end keeps for a reader, and of a writer.
    #[arg(long, value_name = "NUMBER", conflicts_with = "links")]
    buffer: Option<usize>,
    /// At the wall's pace: how long a burst without a time waits for more of it to come.
    #[arg(long, value_name = "DURATION", conflicts_with = "links")]
    lead: Option<Duration>,
    /// Memory for what is under way, in each direction.
    #[arg(long, value_name = "SIZE", conflicts_with = "links")]
    memory: Option<Size>,
    /// Folder for what is under way beyond that.
    #[arg(long, value_name = "DIR", conflicts_with = "links")]
    spill: Option<PathBuf>,
    /// Where the sockets of the links are; by default where the other commands and SoapySDR look for them.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Stop after this time. Without it, Ctrl-C stops.
    #[arg(long = "for", value_name = "DURATION")]
    for_: Option<Duration>,
    /// How often to print how the links are.
    #[arg(long, value_name = "DURATION", default_value = "1 s")]
    every: Duration,
    /// How to print it; JSON is a line each time.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The shape of a file of links.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(LinksFile)
}

impl EmulateArguments {
    fn entries(&self) -> Result<Vec<(String, LinkEntry)>, String> {
        if let Some(path) = &self.links {
            return Ok(links::read(path)?.links.into_iter().collect());
        }
        let usual = LinkEntry::default();
        let hz = |hz: f64| Frequency::from_hz(hz).ok_or_else(|| format!("{hz} Hz is no sample rate"));
        let rate = self.rate.unwrap_or(usual.rate);
        let rate_range = match self.rate_range {
            Some(band) => [hz(band.0[0])?, hz(band.0[1])?],
            None => usual.rate_range,
        };
        let entry = LinkEntry {
            pace: self.pace.unwrap_or(usual.pace),
            rate,
            rate_range,
            frequency: self.frequency.unwrap_or(usual.frequency),
            buffer: self.buffer.unwrap_or(usual.buffer),
            lead: self.lead.unwrap_or(usual.lead),
            seed: self.seed.unwrap_or(usual.seed),
            memory: self.memory.unwrap_or(usual.memory),
            spill: self.spill.clone(),
            both: None,
            forward: Some(self.direction(true)),
            return_: Some(self.direction(false)),
        };
        Ok(vec![(self.name.clone().unwrap_or_default(), entry)])
    }

    fn direction(&self, forward: bool) -> DirectionEntry {
        fn of<T: Copy>(both: &Option<Both<T>>, forward: bool) -> Option<T> {
            both.as_ref().map(|both| if forward { both.forward } else { both.return_ })
        }
        DirectionEntry {
            delay: of(&self.delay, forward),
            range_rate_km_s: of(&self.range_rate, forward),
            range_rate_for: of(&self.range_rate_for, forward),
            noise: of(&self.noise, forward),
            eb_n0: of(&self.eb_n0, forward),
            bit_rate: of(&self.bit_rate, forward),
            ..DirectionEntry::default()
        }
    }
}

pub fn emulate(arguments: &EmulateArguments) -> Done {
    let stop = stop_flag().map_err(|error| format!("cannot mind Ctrl-C: {error}"))?;
    if arguments.every.to_std() < StdDuration::from_millis(10) {
        return Err(format!("--every {} is too often: give 10 ms or more", arguments.every));
    }
    let folder = arguments.folder.clone().unwrap_or_else(default_folder);
    let mut links = Vec::new();
    for (name, entry) in arguments.entries()? {
        let about = |error: String| format!("link {name}: {error}");
        let config = entry.config().map_err(about)?;
        let server = Server::start(&folder, &name, config).map_err(|error| about(error.to_string()))?;
        links.push((name, server));
    }
    for (name, server) in &links {
        opening(name, &server.status(), &folder, arguments.format);
    }
    let began = Instant::now();
    let until = arguments.for_.map(Duration::to_std);
    let mut told = StdDuration::ZERO;
    while !stop.load(Ordering::Relaxed) && until.is_none_or(|until| began.elapsed() < until) {
        thread::sleep(LOOK.min(until.map_or(LOOK, |until| until.saturating_sub(began.elapsed()))));
        if began.elapsed() >= told + arguments.every.to_std() {
            told += arguments.every.to_std();
            links.iter().for_each(|(name, server)| print(name, "status", &server.status(), arguments.format));
        }
        if links.iter().any(|(_, server)| server.status().failed.is_some()) {
            break;
        }
    }
    let ends: Vec<(String, Status)> = links.iter().map(|(name, server)| (name.clone(), server.status())).collect();
    drop(links);
    ends.iter().for_each(|(name, status)| print(name, "end", status, arguments.format));
    if let Some((name, why)) = ends.iter().find_map(|(name, status)| Some((name, status.failed.as_ref()?))) {
        return Err(format!("link {name} carries nothing any more: {why}"));
    }
    let lost = ends.iter().any(|(_, status)| status.ends.iter().any(|end| end.lost_in_all != Losses::default()));
    if lost {
        complain!(
            "inconclusive: samples were lost at an end; lower the sample rate, or let the links go at the pace of samples"
        );
        return Ok(Ending::NotMet);
    }
    Ok(Ending::Met)
}

fn opening(name: &str, status: &Status, folder: &std::path::Path, format: Format) {
    let device = |end: End| format!("driver=farlink,link={name},end={end}");
    let settings = status.ends[0].settings;
    match format {
        Format::Json => say!(
            "{}",
            json!({
                "kind": "serving",
                "link": name,
                "folder": folder,
                "devices": End::BOTH.map(device),
                "rate_hz": settings.rate_hz,
                "frequency_hz": settings.transmit_hz,
            })
        ),
        Format::Text => {
            let [a, b] = End::BOTH.map(device);
            let (rate, frequency) = (hertz(settings.rate_hz), hertz(settings.transmit_hz));
            say!("{a} and {b}: {rate} sample rate, {frequency}, in {}", folder.display());
        }
    }
}

fn print(name: &str, kind: &str, status: &Status, format: Format) {
    let end_as_json = |end: &EndStatus| {
        json!({
            "open": end.open,
            "settings": end.settings,
            "overflows": end.lost_in_all.overflows,
            "underflows": end.lost_in_all.underflows,
            "late": end.lost_in_all.late,
        })
    };
    if format == Format::Json {
        let [a, b] = [end_as_json(&status.ends[0]), end_as_json(&status.ends[1])];
        let failed = status.failed.as_ref().map_or(Value::Null, |why| json!(why));
        say!(
            "{}",
            json!({
                "kind": kind,
                "link": name,
                "time_ns": status.now_ns,
                "most_behind_ns": status.most_behind_ns,
                "a": a,
                "b": b,
                "failed": failed,
            })
        );
        return;
    }
    let end = |end: &EndStatus| {
        let state = if end.open { format!("open at {}", hertz(end.settings.rate_hz)) } else { "free".to_owned() };
        let lost = end.lost_in_all;
        let lost = match lost == Losses::default() {
            true => "nothing lost".to_owned(),
            false => format!("{} overflows, {} underflows, {} late", lost.overflows, lost.underflows, lost.late),
        };
        format!("{state}, {lost}")
    };
    let what = if kind == "end" { "ended at" } else { "at" };
    say!(
        "{name}: {what} {:.3} s, behind {:.1} ms at most; a: {}; b: {}",
        status.now_ns as f64 / 1e9,
        status.most_behind_ns as f64 / 1e6,
        end(&status.ends[0]),
        end(&status.ends[1]),
    );
}
