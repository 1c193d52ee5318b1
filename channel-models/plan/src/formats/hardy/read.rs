//! Reading routes as contacts.

use std::collections::{BTreeMap, BTreeSet};

use farlink_units::{Duration, Instant};
use hifitime::Epoch;

use super::super::error::quote;
use super::super::{Doubt, Import, MAX_CONTACTS, Place, ReadError, ReadOptions, ReadProblem, Warning};
use super::MAX_DELAY_US;
use super::cron::Cron;
use crate::calendar::{from_unix, instant, read_rfc3339, time, to_unix};
use crate::{Contact, ContactPlan, LightTime, NodeId, Rate, Steps};

const USAGE: &str =
    "ipn:2.*.* via ipn:2.1.0 start 2026-03-27T08:00:00Z end 2026-03-27T09:30:00Z bandwidth 256K delay 4m";
/// So many days of recurring lines are looked at in all: 200 lines over 292 years, or 40,000 over a year.
const MAX_DAYS: i64 = 20_000_000;

pub(in super::super) fn read(text: &str, options: &ReadOptions) -> Result<Import, ReadError> {
    let mut reader =
        Reader { line: 0, routes: Vec::new(), warnings: Vec::new(), routes_told: false, warned: BTreeSet::new() };
    for (index, line) in text.lines().enumerate() {
        reader.line = index + 1;
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            reader.read_line(line)?;
        }
    }
    reader.finish(options)
}

enum When {
    Window(Option<Epoch>, Option<Epoch>),
    Recurring { cron: Cron, duration: Duration, until: Option<Epoch> },
}

struct Route {
    line: usize,
    to: NodeId,
    when: When,
    rate: Rate,
    delay: Option<Duration>,
}

/// A window of a route.
#[derive(Clone, Copy)]
struct Window {
    start: Instant,
    end: Instant,
    rate: Rate,
    delay: Option<Duration>,
    line: usize,
}

struct Reader {
    line: usize,
    routes: Vec<Route>,
    warnings: Vec<Warning>,
    routes_told: bool,
    /// Lines of which an overlap was told: of a line that recurs, once is enough.
    warned: BTreeSet<usize>,
}

impl Reader {
    fn error(&self, problem: ReadProblem) -> ReadError {
        ReadError::at(self.line, problem)
    }

    fn value(&self, field: &'static str, text: &str, wanted: &'static str) -> ReadError {
        self.error(ReadProblem::Value { field, text: quote(text), wanted })
    }

    fn warn(&mut self, doubt: Doubt) {
        self.warnings.push(Warning { place: Place::Line(self.line), doubt });
    }

    fn read_line(&mut self, line: &str) -> Result<(), ReadError> {
        let usage = || ReadError::at(self.line, ReadProblem::Usage { text: quote(line), usage: USAGE });
        let words = words(line).ok_or_else(usage)?;
        let (pattern, action) = (*words.first().ok_or_else(usage)?, *words.get(1).ok_or_else(usage)?);
        if !["ipn:", "dtn:", "*"].iter().any(|start| pattern.starts_with(start)) {
            return Err(self.value("pattern", pattern, "an EID pattern as in `ipn:2.*.*` or `dtn://station/**`"));
        }
        if action.eq_ignore_ascii_case("drop") {
            let reason = words.get(2).is_some_and(|word| word.bytes().all(|b| b.is_ascii_digit()));
            self.fields(&words[2 + usize::from(reason)..])?;
            self.warn(Doubt::Drop);
            return Ok(());
        }
        let via = *words.get(2).filter(|_| action.eq_ignore_ascii_case("via")).ok_or_else(usage)?;
        let to = self.next_hop(via)?;
        let fields = self.fields(&words[3..])?;
        let exact = own_pattern(&to).as_deref() == Some(pattern);
        if (!exact || fields.priority) && !std::mem::replace(&mut self.routes_told, true) {
            self.warn(Doubt::Routes);
        }
        let (rate, delay) = (fields.rate.unwrap_or(Rate::Unlimited), fields.delay);
        let when = self.when(fields)?;
        self.routes.push(Route { line: self.line, to, when, rate, delay });
        Ok(())
    }

    fn next_hop(&self, text: &str) -> Result<NodeId, ReadError> {
        let node = NodeId::new(text);
        match node.number() {
            Some(number) if text.starts_with("ipn:") => Ok(NodeId::ipn(number)),
            _ if text.starts_with("dtn://") => Ok(node),
            _ => Err(self.value("next hop", text, "an EID as in `ipn:2.1.0` or `dtn://station/`")),
        }
    }

    fn fields(&mut self, words: &[&str]) -> Result<Fields, ReadError> {
        let mut fields = Fields::default();
        let mut seen = BTreeSet::new();
        for pair in words.chunks(2) {
            let name = pair[0].to_ascii_lowercase();
            let Some(value) = pair.get(1) else {
                return Err(self.value("field", pair[0], "followed by a value"));
            };
            match name.as_str() {
                "priority" => {
                    value.parse::<u32>().map_err(|_| self.value("priority", value, "a whole number"))?;
                    fields.priority = true;
                }
                "start" => fields.start = Some(self.calendar(value)?),
                "end" => fields.end = Some(self.calendar(value)?),
                "until" => fields.until = Some(self.calendar(value)?),
                "cron" => {
                    let wanted = "a cron pattern in quotes, as in `\"0 8 * * MON-FRI\"` or `\"@daily\"`";
                    let inner = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
                    let cron = inner.and_then(Cron::parse);
                    fields.cron = Some(cron.ok_or_else(|| self.value("cron pattern", value, wanted))?);
                }
                "duration" => {
                    let duration = self.duration("duration", value)?;
                    if duration == Duration::ZERO {
                        return Err(self.value("duration", value, "longer than nothing"));
                    }
                    fields.duration = Some(duration);
                }
                "bandwidth" => fields.rate = Some(self.bandwidth(value)?),
                "delay" => fields.delay = Some(self.delay(value)?),
                _ => {
                    let wanted = "one of priority, start, end, cron, duration, until, bandwidth, delay";
                    return Err(self.value("field", pair[0], wanted));
                }
            }
            if !seen.insert(name) {
                return Err(self.value("field", pair[0], "told once"));
            }
        }
        Ok(fields)
    }

    fn calendar(&mut self, text: &str) -> Result<Epoch, ReadError> {
        let time = read_rfc3339(text);
        let wanted = "a time between 1900 and 2199 as in `2026-03-27T08:00:00Z`";
        let (time, utc) = time.ok_or_else(|| self.value("time", text, wanted))?;
        if !utc {
            self.warn(Doubt::Offset { text: quote(text) });
        }
        Ok(time)
    }

    fn duration(&self, field: &'static str, text: &str) -> Result<Duration, ReadError> {
        let nanos = humantime::parse_duration(text).ok().and_then(|d| i64::try_from(d.as_nanos()).ok());
        nanos
            .map(Duration::from_nanos)
            .ok_or_else(|| self.value(field, text, "a duration as in `90m`, `4h30m` or `500ms`"))
    }

    fn bandwidth(&mut self, text: &str) -> Result<Rate, ReadError> {
        let wanted = "a rate in bit/s as in `256K`, `10Gbps` or `9600`";
        let upper = text.to_ascii_uppercase();
        let number = upper.strip_suffix("BPS").unwrap_or(&upper);
        let units = [('K', 1000), ('M', 1_000_000), ('G', 1_000_000_000), ('T', 1_000_000_000_000_u64)];
        let (number, unit) = units
            .into_iter()
            .find_map(|(name, unit)| number.strip_suffix(name).map(|n| (n, unit)))
            .unwrap_or((number, 1));
        let digits = number.bytes().all(|b| b.is_ascii_digit());
        let bps = number.parse::<u64>().ok().filter(|_| digits).and_then(|n| n.checked_mul(unit));
        let bps = bps.ok_or_else(|| self.value("bandwidth", text, wanted))?;
        if (1..1000).contains(&bps) {
            self.warn(Doubt::LowRate { rate: bps, unit: "bit/s", other: "kbit/s or Mbit/s (`K`, `M`)" });
        }
        Ok(Rate::Limited(bps))
    }

    fn delay(&mut self, text: &str) -> Result<Duration, ReadError> {
        let delay = self.duration("delay", text)?;
        let micros = delay.as_nanos() / 1000;
        if micros > MAX_DELAY_US {
            return Err(self.value("delay", text, "at most 71 minutes, which is what hardy keeps"));
        }
        if micros * 1000 != delay.as_nanos() {
            let read = format!("{micros} us");
            self.warn(Doubt::Fraction { field: "delay", text: quote(text), program: "hardy", read });
        }
        Ok(Duration::from_nanos(micros * 1000))
    }

    fn when(&self, fields: Fields) -> Result<When, ReadError> {
        let refuse = |text: &str, wanted| Err(self.value("schedule", text, wanted));
        let Fields { start, end, cron, duration, until, .. } = fields;
        let one = start.is_some() || end.is_some();
        match (cron, duration) {
            (Some(_), _) | (_, Some(_)) if one => refuse("start … end", "allowed beside cron and duration"),
            (Some(cron), Some(duration)) => Ok(When::Recurring { cron, duration, until }),
            (Some(_), None) => refuse("cron", "complete without a `duration`"),
            (None, Some(_)) => refuse("duration", "complete without a `cron` pattern"),
            (None, None) if until.is_some() => refuse("until", "complete without a `cron` pattern"),
            (None, None) => match (start, end) {
                (Some(start), Some(end)) if end <= start => {
                    let text = |epoch| time(Instant::ZERO, epoch).map_or_else(String::new, crate::calendar::rfc3339);
                    Err(self.error(ReadProblem::Empty { start: text(start), end: text(end) }))
                }
                _ => Ok(When::Window(start, end)),
            },
        }
    }

    fn finish(mut self, options: &ReadOptions) -> Result<Import, ReadError> {
        let Some(local) = &options.local else {
            let line = self.routes.first().map_or(1, |route| route.line);
            return Err(ReadError::at(line, ReadProblem::NoLocalNode));
        };
        let told = self.routes.iter().flat_map(|route| match route.when {
            When::Window(start, end) => start.or(end),
            When::Recurring { .. } => None,
        });
        let zero = options.epoch.or(told.min());
        let routes = std::mem::take(&mut self.routes);
        let mut windows: BTreeMap<NodeId, Vec<Window>> = BTreeMap::new();
        let (mut count, mut days) = (0, 0);
        for route in routes {
            self.line = route.line;
            let of = windows.entry(route.to.clone()).or_default();
            let before = of.len();
            self.windows(&route, zero, options.horizon, &mut days, of)?;
            count += of.len() - before;
            if count > MAX_CONTACTS {
                return Err(self.error(ReadProblem::TooMany));
            }
        }
        let mut plan = ContactPlan { epoch: zero, ..ContactPlan::default() };
        for (to, windows) in windows {
            if to == *local {
                plan.nodes.insert(to.clone());
                let doubt = Doubt::Loop { node: to.to_string() };
                self.warnings.extend(windows.first().map(|w| Warning { place: Place::Line(w.line), doubt }));
                continue;
            }
            let contact = |window: Window| {
                let mut contact = Contact::new(local.clone(), to.clone(), window.start, window.end);
                contact.rate = Steps::constant(window.rate);
                if let Some(delay) = window.delay {
                    contact.light_time = LightTime::constant(window.start, window.end, delay);
                }
                contact
            };
            plan.contacts.extend(self.apart(windows).into_iter().map(contact));
        }
        self.warnings.sort_by_key(|warning| warning.place);
        Ok(Import { plan, warnings: self.warnings })
    }

    /// Writes out when a route holds.
    fn windows(
        &self,
        route: &Route,
        zero: Option<Epoch>,
        horizon: Option<Instant>,
        days: &mut i64,
        windows: &mut Vec<Window>,
    ) -> Result<(), ReadError> {
        let Route { rate, delay, line, .. } = *route;
        let mut push = |start, end| windows.push(Window { start, end, rate, delay, line });
        let far = |epoch: Epoch| self.error(ReadProblem::TimeOutOfReach { text: epoch.to_string() });
        let at = |time: Epoch, zero| instant(time, zero).ok_or_else(|| far(time));
        let (cron, duration, until) = match route.when {
            When::Window(start, end) => {
                let start = start.zip(zero).map_or(Ok(Instant::ZERO), |(t, zero)| at(t, zero))?;
                let end = end.zip(zero).map_or(Ok(Instant::MAX), |(t, zero)| at(t, zero))?;
                // Without a start it holds from the beginning of the plan, unless it is over by then.
                if start < end {
                    push(start, end);
                }
                return Ok(());
            }
            When::Recurring { cron, duration, until } => (cron, duration, until),
        };
        let zero = zero.ok_or_else(|| self.error(ReadProblem::NoEpoch))?;
        let until = until.map(|until| at(until, zero)).transpose()?;
        let horizon = match (horizon, until) {
            (Some(horizon), Some(until)) => horizon.min(until),
            (Some(end), None) | (None, Some(end)) => end,
            (None, None) => return Err(self.error(ReadProblem::NoHorizon)),
        };
        let day = |at: Instant| time(at, zero).map(|fields| to_unix(fields).div_euclid(86_400));
        // What began before the plan may still last.
        let (Some(first), Some(last)) = (day(Instant::ZERO - duration), day(horizon)) else {
            return Err(self.error(ReadProblem::TimeOutOfReach { text: horizon.to_string() }));
        };
        *days += (last - first).max(0);
        if *days > MAX_DAYS {
            return Err(self.error(ReadProblem::TooMany));
        }
        let mut count = 0;
        for day in (first..=last).filter(|day| cron.on_day(*day)) {
            // Leap seconds come at the end of a day only.
            let Some(midnight) = from_unix(day * 86_400).and_then(|time| instant(time, zero)) else { continue };
            for second in cron.in_day() {
                let start = midnight + Duration::from_secs(second);
                if start >= horizon {
                    break;
                }
                let end = start + duration;
                if end > Instant::ZERO {
                    push(start.max(Instant::ZERO), end);
                    count += 1;
                }
                if count > MAX_CONTACTS {
                    return Err(self.error(ReadProblem::TooMany));
                }
            }
        }
        Ok(())
    }

    /// Puts windows to one next hop in order, so that none overlaps another: several routes to it are one contact.
    fn apart(&mut self, mut windows: Vec<Window>) -> Vec<Window> {
        windows.sort_by_key(|window| (window.start, window.line));
        let mut kept: Vec<Window> = Vec::with_capacity(windows.len());
        for mut window in windows {
            if let Some(last) = kept.last_mut().filter(|last| last.end > window.start) {
                if (last.rate, last.delay) == (window.rate, window.delay) {
                    last.end = last.end.max(window.end);
                    continue;
                }
                let first_time = self.warned.insert(window.line);
                let place = Place::Line(window.line);
                if window.end <= last.end {
                    let doubt = Doubt::Overlap { start: last.start.to_string(), end: last.end.to_string(), as_in: "" };
                    self.warnings.extend(first_time.then_some(Warning { place, doubt }));
                    continue;
                }
                window.start = last.end;
                let doubt = Doubt::Shortened { start: window.start.to_string() };
                self.warnings.extend(first_time.then_some(Warning { place, doubt }));
            }
            kept.push(window);
        }
        kept
    }
}

#[derive(Default)]
struct Fields {
    priority: bool,
    start: Option<Epoch>,
    end: Option<Epoch>,
    cron: Option<Cron>,
    duration: Option<Duration>,
    until: Option<Epoch>,
    rate: Option<Rate>,
    delay: Option<Duration>,
}

/// The words of a line; what stands in quotes is one, quotes and all.
fn words(line: &str) -> Option<Vec<&str>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let end = match rest.strip_prefix('"') {
            Some(inner) => inner.find('"')? + 2,
            None => rest.find(char::is_whitespace).unwrap_or(rest.len()),
        };
        let (word, after) = rest.split_at(end);
        words.push(word);
        rest = after.trim_start();
    }
    Some(words)
}

/// The pattern that stands for all endpoints of a node, and no other.
pub(super) fn own_pattern(node: &NodeId) -> Option<String> {
    match node.number() {
        Some(number) if node.as_str().starts_with("ipn:") => {
            Some(format!("ipn:{}.{}.*", number >> 32, number & 0xffff_ffff))
        }
        _ if node.as_str().starts_with("dtn://") => Some(format!("{}/**", node.as_str().trim_end_matches('/'))),
        _ => None,
    }
}
