//! `farlink geometry`

mod ends;

use std::borrow::Cow;
use std::path::PathBuf;

use clap::Args;
use farlink_channel_models::{Body, End, EndSight, Geometry, Obstacle, Place, Sight, Visibility};
use farlink_scenario::{Overrides, Scenario, load, parse_utc};
use farlink_units::{Angle, Duration, Frequency, Instant};
use hifitime::Epoch;

use super::table::{Cell, Column, Printer, TableFormat};
use crate::{Ending, bench_failed};

/// Say where two places are for each other: range, light time, range rate, Doppler, elevation, and what hides one from the other.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    farlink geometry mars earth --at 2031-04-12T06:00:00Z\n  \
    farlink geometry relay-orbit goldstone --scenario fixtures/scenarios/mars-relay.yaml \\\n      \
    --at 2026-12-15T06:00:00Z --for 1d --every 10min --format csv\n\n\
    Each line belongs to the instant at which light leaves FROM; elevations and angles are those of that light. A place of a \
    scenario is a name under `places` or `nodes`. If a link of the scenario joins the two, its rules of visibility hold, unless \
    flags say otherwise; without rules every body hides, and the horizon of a site is at 0 deg.")]
pub struct GeometryArguments {
    /// Who sends: a body, or a place or node of the scenario.
    from: String,
    /// Who receives.
    to: String,
    /// A scenario file that says where its places are.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// The first instant of emission; by default the epoch of the scenario.
    #[arg(long, value_name = "UTC", value_parser = parse_utc)]
    at: Option<Epoch>,
    /// How long to go on from there.
    #[arg(long = "for", value_name = "DURATION", requires = "every")]
    length: Option<Duration>,
    /// How far apart the instants are.
    #[arg(long, value_name = "DURATION", requires = "length")]
    every: Option<Duration>,
    /// The carrier frequency that Doppler is told for.
    #[arg(long, value_name = "FREQUENCY", default_value = "8.42 GHz")]
    frequency: Frequency,
    /// How high above the horizon of a site the other end must stand.
    #[arg(long, value_name = "ANGLE", allow_hyphen_values = true)]
    elevation_mask: Option<Angle>,
    /// The bodies that hide, separated by commas; `none` for none.
    #[arg(long, value_name = "BODIES")]
    occulted_by: Option<String>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: TableFormat,
}

const fn column(name: &'static str, width: usize) -> Column {
    Column { name: Cow::Borrowed(name), width }
}

const COLUMNS: [Column; 14] = [
    column("utc", 24),
    column("range_km", 17),
    column("light_time_s", 16),
    column("range_rate_km_s", 15),
    column("doppler_hz", 14),
    column("from_elevation_deg", 18),
    column("from_azimuth_deg", 16),
    column("to_elevation_deg", 16),
    column("to_azimuth_deg", 14),
    column("from_sun_angle_deg", 18),
    column("to_sun_angle_deg", 16),
    column("from_sunlit", 11),
    column("to_sunlit", 9),
    column("visible", 30),
];

pub fn geometry(arguments: &GeometryArguments) -> Ending {
    match lines(arguments) {
        Ok(()) => Ending::Met,
        Err(Failure::Said) => Ending::BenchFailed,
        Err(Failure::Message(message)) => bench_failed(message),
    }
}

/// Why nothing can be told.
enum Failure {
    /// The scenario is unsound, and that was said with its lines.
    Said,
    Message(String),
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Failure::Message(message)
    }
}

fn lines(arguments: &GeometryArguments) -> Result<(), Failure> {
    let scenario = match &arguments.scenario {
        Some(path) => Some(load(path, &Overrides::default()).map_err(|error| {
            complain!("{:?}", miette::Report::new(error));
            Failure::Said
        })?),
        None => None,
    };
    let scenario = scenario.as_ref();
    let (from, to) = (ends::find(&arguments.from, scenario)?, ends::find(&arguments.to, scenario)?);
    if from.place == to.place {
        return Err(format!("`{}` and `{}` are the same place", arguments.from, arguments.to).into());
    }
    let epoch = match (scenario, arguments.at) {
        // The elements of a scenario's orbits hold at its epoch.
        (Some(scenario), _) => scenario.epoch,
        (None, Some(at)) => at,
        (None, None) => return Err("no instant is given: add `--at 2031-04-12T06:00:00Z`".to_owned().into()),
    };
    let rules = rules(arguments, scenario, &from, &to)?;
    let instants = instants(arguments, epoch)?;
    let geometry = match scenario {
        Some(scenario) => farlink_run::geometry(scenario).map_err(|error| error.to_string())?,
        None => Geometry::new(epoch),
    };
    let shown: Vec<bool> =
        COLUMNS.iter().map(|c| arguments.format != TableFormat::Table || has(&c.name, &from, &to)).collect();
    let columns = only(&COLUMNS, &shown);
    let mut printer = Printer::start(arguments.format, &columns);
    for at in instants {
        let cells = match geometry.sight(&from.place, &to.place, &rules, at) {
            Ok(sight) => cells(utc(epoch, at), &sight, arguments.frequency, sunlit(&geometry, &from, &to, &sight)),
            Err(none) => unknown(utc(epoch, at), &none.to_string()),
        };
        printer.line(&only(&cells, &shown));
        if crate::output::is_closed() {
            break;
        }
    }
    printer.finish();
    Ok(())
}

/// Whether a column says anything for these ends: only a site has a horizon.
fn has(column: &str, from: &ends::Meant, to: &ends::Meant) -> bool {
    let site = |end: &ends::Meant| matches!(end.place, Place::Site(_));
    match column {
        "from_elevation_deg" | "from_azimuth_deg" => site(from),
        "to_elevation_deg" | "to_azimuth_deg" => site(to),
        _ => true,
    }
}

fn only<T: Clone>(of: &[T], shown: &[bool]) -> Vec<T> {
    of.iter().zip(shown).filter(|(_, shown)| **shown).map(|(one, _)| one.clone()).collect()
}

/// How much of the Sun each end sees, whatever the rules of the link: every body gives shade.
fn sunlit(geometry: &Geometry, from: &ends::Meant, to: &ends::Meant, sight: &Sight) -> [Option<f64>; 2] {
    [(from, sight.emitted), (to, sight.received)].map(|(end, at)| geometry.sunlit(&end.place, &Body::ALL, at).ok())
}

/// The instants of emission, counted from `epoch`.
fn instants(arguments: &GeometryArguments, epoch: Epoch) -> Result<impl Iterator<Item = Instant>, String> {
    let since = arguments.at.unwrap_or(epoch).to_tai_duration() - epoch.to_tai_duration();
    let nanos = i64::try_from(since.total_nanoseconds())
        .map_err(|_| format!("{epoch} is too far from the time that is asked for: at most 292 years"))?;
    let first = Instant::from_nanos(nanos);
    let last = first + arguments.length.unwrap_or(Duration::ZERO);
    let every = arguments.every.unwrap_or(Duration::MAX);
    if every <= Duration::ZERO {
        return Err("`--every` is 0 s: write how far apart the instants are, as in `10min`".to_owned());
    }
    let step = move |at: &Instant| Some(*at + every).filter(|next| *next > *at);
    Ok(std::iter::successors(Some(first), step).take_while(move |at| *at <= last))
}

/// The rules of the link between the two, or those of the flags.
fn rules(
    arguments: &GeometryArguments,
    scenario: Option<&Scenario>,
    from: &ends::Meant,
    to: &ends::Meant,
) -> Result<Visibility, String> {
    let of_link = scenario.and_then(|scenario| ends::link_rules(scenario, from, to));
    let mut rules = of_link.unwrap_or_else(|| {
        let mut rules = Visibility { occulters: Body::ALL.to_vec(), ..Visibility::default() };
        rules.transmitter.horizon.clone_from(&from.horizon);
        rules.receiver.horizon.clone_from(&to.horizon);
        rules
    });
    if let Some(mask) = arguments.elevation_mask {
        rules.elevation_mask_deg = mask.deg();
    }
    if let Some(bodies) = &arguments.occulted_by {
        let named = bodies.split(',').map(str::trim).filter(|name| *name != "none");
        rules.occulters = named.map(ends::body).collect::<Result<_, _>>()?;
    }
    rules.check().map_err(|error| error.to_string())?;
    Ok(rules)
}

/// A calendar time to the millisecond.
pub fn utc(epoch: Epoch, at: Instant) -> Cell {
    let utc = Epoch::from_tai_duration(
        epoch.to_tai_duration() + hifitime::Duration::from_total_nanoseconds(at.as_nanos().into()),
    );
    let (year, month, day, hour, minute, second, nanos) = utc.to_gregorian_utc();
    Cell::Text(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", nanos / 1_000_000))
}

fn cells(utc: Cell, sight: &Sight, carrier: Frequency, sunlit: [Option<f64>; 2]) -> Vec<Cell> {
    let [sunlit_from, sunlit_to] = sunlit.map(|share| share.map_or(Cell::Nothing, |share| Cell::Number(share, 3)));
    let degrees = |angle: Option<f64>| angle.map_or(Cell::Nothing, |deg| Cell::Number(deg, 4));
    let [azimuth_from, azimuth_to] =
        [&sight.transmitter, &sight.receiver].map(|end: &EndSight| degrees(end.azimuth_deg));
    vec![
        utc,
        Cell::Number(sight.range_km, 3),
        Cell::Number(sight.light_time.as_secs_f64(), 9),
        Cell::Number(sight.range_rate_km_s, 6),
        Cell::Number(sight.doppler_hz(carrier.hz()), 1),
        degrees(sight.transmitter.elevation_deg),
        azimuth_from,
        degrees(sight.receiver.elevation_deg),
        azimuth_to,
        degrees(sight.transmitter.sun_angle_deg),
        degrees(sight.receiver.sun_angle_deg),
        sunlit_from,
        sunlit_to,
        Cell::Text(visible(sight)),
    ]
}

/// A line for an instant at which an end has no position.
fn unknown(utc: Cell, why: &str) -> Vec<Cell> {
    let mut cells = vec![Cell::Nothing; COLUMNS.len()];
    cells[0] = utc;
    // A message may hold what would split the line.
    cells[COLUMNS.len() - 1] = Cell::Text(format!("unknown: {}", why.replace([',', '\n'], ";")));
    cells
}

fn visible(sight: &Sight) -> String {
    let end = |end: End| match end {
        End::Transmitter => "from",
        End::Receiver => "to",
    };
    match sight.hidden_by {
        None if sight.degraded => "yes but degraded by the Sun".to_owned(),
        None => "yes".to_owned(),
        Some(Obstacle::Horizon(at)) => format!("no: below the horizon of {}", end(at)),
        Some(Obstacle::Body(body)) => format!("no: hidden by {}", body.name().to_lowercase()),
        Some(Obstacle::Sun(at)) => format!("no: too near the Sun at {}", end(at)),
        Some(Obstacle::KeepOut(at, body)) => format!("no: {} keeps off {}", end(at), body.name().to_lowercase()),
        Some(Obstacle::Range) => "no: too far".to_owned(),
        Some(Obstacle::NoEphemeris(at)) => format!("no: {} has no position", end(at)),
        Some(_) => "no".to_owned(),
    }
}
