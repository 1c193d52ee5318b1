//! `farlink sdr play`

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration as StdDuration, Instant};

use clap::Args;
use farlink_emulated_link::Pace;
use farlink_sdr_devices::emulated::pace_of;
use farlink_sdr_devices::file::Source;
use farlink_sdr_devices::keeper::{Kept, KeptControl};
use farlink_sdr_devices::safety::{Rules, State};
use farlink_sdr_devices::{Burst, Device, DeviceError, Direction, Losses, Settings};
use farlink_units::Duration;
use num_complex::Complex32;
use serde_json::{Value, json};

use super::Done;
use super::permission::Permission;
use super::place::{Driver, Samples, Tuning, by_name, open_driver, open_file};
use super::words;
use crate::Ending;
use crate::commands::Format;
use crate::interrupt::stop_flag;

const TX: Direction = Direction::Transmit;
/// Samples that are given at once.
const CHUNK: usize = 1 << 14;
/// How long is waited at once, so that control is told of and Ctrl-C is seen.
const LOOK: StdDuration = StdDuration::from_millis(20);
/// How long a device's time may stand while samples are still to leave.
const PATIENCE: StdDuration = StdDuration::from_secs(30);
/// What a device without a clock may still have to send when it has taken the last sample.
const LAST: StdDuration = StdDuration::from_millis(500);

/// Transmit a recording.
///
/// A radio transmits only with a permission, held by a process of its own that silences it when this one is gone, stops or hangs.
/// An end of an emulated link radiates nothing and needs none; with one it is held to it like a radio, so that a command can be
/// tried there first. Gaps between the captures of a recording are kept by devices that have a clock.
///
/// At an emulated link's pace of samples, all is sent as one burst from now on, with a zero before and after it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    farlink sdr play heard driver=farlink,link=moon,end=a\n  \
    farlink sdr play beacon driver=uhd,serial=30F1234 --gain 20dB --conducted 60dB\n  \
    farlink sdr play beacon driver=uhd,serial=30F1234 --gain 20dB --frequency 435.5MHz \\\n      \
    --licence DL0XYZ --band 435MHz..438MHz --occupied 20kHz --duty 0.1 --duty-window 60s\n\n\
    Exit codes: 0 transmitted without a loss, 1 samples were lost and nothing can be concluded, 2 it could not be done, or the \
    device does not obey.")]
pub struct PlayArguments {
    /// A SigMF recording, or a file of nothing but samples.
    #[arg(value_name = "FILE")]
    from: PathBuf,
    /// What transmits: `driver=…`, as `farlink sdr devices` lists them.
    #[arg(value_name = "DEVICE")]
    to: Driver,
    #[command(flatten)]
    tuning: Tuning,
    /// The file is nothing but samples, in this format.
    #[arg(long, value_enum)]
    raw: Option<Samples>,
    /// How often to play it, one time after the other.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    repeat: u64,
    /// How long before the first sample leaves, on devices that have a clock.
    #[arg(long, value_name = "DURATION", default_value = "100 ms")]
    lead: Duration,
    #[command(flatten)]
    permission: Permission,
    /// How to print what it came to.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What transmits, and how it is told that control is there.
enum Transmitter {
    /// Held by another process, under rules.
    Kept(Box<Kept>, KeptControl),
    /// An end of an emulated link, which radiates nothing.
    Free(Box<dyn Device>),
}

impl Transmitter {
    fn open(driver: &Driver, rules: Option<&Rules>) -> Result<Transmitter, String> {
        match rules {
            Some(rules) => {
                let this = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
                let mut command = Command::new(this);
                // Its words go to the standard error, as this command's.
                command.args(["sdr", "keep", &driver.to_string()]).stdout(std::process::Stdio::null());
                let kept = Kept::start(command, Some(rules)).map_err(|error| error.to_string())?;
                let control = kept.control();
                Ok(Transmitter::Kept(Box::new(kept), control))
            }
            None if driver.is_emulated() => {
                Ok(Transmitter::Free(open_driver(driver).map_err(|error| error.to_string())?))
            }
            None => Err(format!(
                "{driver}: transmission is off: say that the path is conducted and what it attenuates (--conducted 60dB), or name a licence and \
                 its band (--licence NAME --band LOW..HIGH)"
            )),
        }
    }

    fn device(&mut self) -> &mut dyn Device {
        match self {
            Transmitter::Kept(kept, _) => kept.as_mut(),
            Transmitter::Free(device) => device.as_mut(),
        }
    }

    /// This command is in control: called from the loop that plays, and so not when that hangs or is stopped.
    fn in_control(&self) -> Result<(), DeviceError> {
        match self {
            Transmitter::Kept(_, control) => control.is_there(),
            Transmitter::Free(_) => Ok(()),
        }
    }

    /// Ends the transmission and tells what became of the device, what it lost, and whether it tells of that.
    fn close(self) -> (Result<Option<State>, String>, Losses, bool) {
        match self {
            Transmitter::Kept(kept, control) => {
                let closed = kept.close().map(Some).map_err(|error| error.to_string());
                (closed, control.losses(), control.tells_losses(TX))
            }
            Transmitter::Free(mut device) => {
                let stopped = device.run(TX, false).map_err(|error| error.to_string());
                (stopped.map(|()| None), device.losses(), device.tells_losses(TX))
            }
        }
    }
}

pub fn play(arguments: &PlayArguments) -> Done {
    let stop = stop_flag().map_err(|error| format!("cannot mind Ctrl-C: {error}"))?;
    let source = arguments.open()?;
    let gain_db = match (arguments.tuning.gain, arguments.to.is_emulated()) {
        (Some(gain), _) => gain.db(),
        (None, true) => 0.0,
        (None, false) => return Err("say how strongly to transmit: give --gain, on the device's own scale".to_owned()),
    };
    let frequency_hz = arguments.tuning.frequency.map(|frequency| frequency.hz()).or(source.frequency_hz());
    let Some(frequency_hz) = frequency_hz else {
        return Err(format!("{}: it does not say at which frequency: give --frequency", arguments.from.display()));
    };
    let rules = arguments.permission.rules(gain_db)?;
    let held = arguments.to.is_emulated() && pace_of(&arguments.to.0) == Some(Pace::Samples);
    let mut transmitter = Transmitter::open(&arguments.to, rules.as_ref())?;
    let usual = Settings { sample_rate_hz: source.sample_rate_hz(), frequency_hz, gain_db, bandwidth_hz: None };
    let name = transmitter.device().name();
    let stopped = || stop.load(Ordering::Relaxed);
    let mut player = Player::new(&stopped, held);
    let played = player.play(&mut transmitter, arguments, usual, source);
    // Whatever has failed, it is silenced, and that is told first. What it lost last shows when its stream has ended.
    let (closed, losses, tells) = transmitter.close();
    let unknown =
        |why: &str| format!("{name}: WHETHER IT IS SILENT IS NOT KNOWN: {why}; take its power or its antenna away");
    let silent = match &closed {
        Ok(Some(State::Silent { silence: Some(silence), .. })) => Some(*silence),
        Ok(Some(State::Disobeys { what, .. })) => {
            return Err(format!("{name} DOES NOT OBEY: {what}; take its power or its antenna away"));
        }
        Ok(Some(State::Stuck { why })) => return Err(unknown(why)),
        Err(why) if rules.is_some() => return Err(unknown(why)),
        _ => None,
    };
    let settings = played?;
    closed?;
    let inconclusive = losses.inconclusive();
    let seconds = player.sent as f64 / settings.sample_rate_hz;
    match arguments.format {
        Format::Json => say!(
            "{:#}",
            json!({
                "device": name,
                "file": arguments.from,
                "samples": player.sent,
                "seconds": seconds,
                "settings": settings,
                "rules": rules.as_ref().map_or(Value::Null, |rules| json!(rules)),
                "silent_at_db": silent.map(|silence| silence.gain_db),
                "losses": words::losses(&losses),
                "tells_losses": tells,
                "inconclusive": inconclusive,
            })
        ),
        Format::Text => {
            say!("{name}: {}", words::settings(&settings));
            say!("{} samples, {seconds:.6} s", player.sent);
            if let Some(silence) = silent {
                say!("silent again: gain {} dB and the stream stopped, as read back", silence.gain_db);
            }
        }
    }
    if !tells {
        complain!("{name} does not tell of samples that it lost: none counted does not mean that there were none");
    }
    if let Some(why) = inconclusive {
        complain!("inconclusive: {why}");
        return Ok(Ending::NotMet);
    }
    if player.interrupted {
        return Err(format!("interrupted after {} samples", player.sent));
    }
    Ok(Ending::Met)
}

impl PlayArguments {
    /// Opens the file. A recording tells its rate itself, and may be played at another.
    fn open(&self) -> Result<Box<dyn Source>, String> {
        let Tuning { rate, frequency, .. } = self.tuning;
        let is_raw = self.raw.is_some() || by_name(&self.from).is_some();
        let reading = Tuning { rate: rate.filter(|_| is_raw), frequency, gain: None, bandwidth: None };
        open_file(&self.from, &reading, self.raw).map(|(source, _)| source)
    }
}

/// A device may round what it is told. So far off, a recording is another signal, in another band than its limits are for.
const RATE_OFF: f64 = 1e-4;
/// Of the sample rate.
const FREQUENCY_OFF: f64 = 1e-2;

/// Refuses to play at another rate or frequency than was asked for.
fn as_wanted(got: &Settings, tuning: &Tuning, usual: &Settings) -> Result<(), String> {
    let rate_hz = tuning.rate.map_or(usual.sample_rate_hz, |rate| rate.hz());
    let frequency_hz = tuning.frequency.map_or(usual.frequency_hz, |frequency| frequency.hz());
    if (got.sample_rate_hz / rate_hz - 1.0).abs() > RATE_OFF {
        return Err(format!(
            "the device takes {} samples a second, not {rate_hz}: give a rate that it has, as --rate '{} Hz', and a recording of that rate",
            got.sample_rate_hz, got.sample_rate_hz
        ));
    }
    if (got.frequency_hz - frequency_hz).abs() > FREQUENCY_OFF * rate_hz {
        return Err(format!(
            "the device tunes to {} Hz, not {frequency_hz}: give a --frequency that it has",
            got.frequency_hz
        ));
    }
    Ok(())
}

/// Gives samples to a device as they come from a file.
struct Player<'a> {
    stop: &'a dyn Fn() -> bool,
    sent: u64,
    interrupted: bool,
    /// The device's time after what it was given, if it has a clock.
    end_ns: Option<i64>,
    /// When the next burst is to leave, if not right after what is before it.
    at_ns: Option<i64>,
    rate_hz: f64,
    /// The device's time stands while a burst is open, and would run away from a time that is asked for: all is one burst.
    held: bool,
}

impl<'a> Player<'a> {
    fn new(stop: &'a dyn Fn() -> bool, held: bool) -> Self {
        Player { stop, sent: 0, interrupted: false, end_ns: None, at_ns: None, rate_hz: 1.0, held }
    }

    /// Plays all of it and waits until the last sample has left. Tells what the device was set to.
    fn play(
        &mut self,
        transmitter: &mut Transmitter,
        arguments: &PlayArguments,
        usual: Settings,
        first: Box<dyn Source>,
    ) -> Result<Settings, String> {
        let failed = |error: DeviceError| error.to_string();
        let settings = arguments.tuning.set(transmitter.device(), TX, usual).map_err(failed)?;
        as_wanted(&settings, &arguments.tuning, &usual)?;
        self.rate_hz = settings.sample_rate_hz;
        transmitter.in_control().map_err(failed)?;
        transmitter.device().run(TX, true).map_err(failed)?;
        let began = Instant::now();
        if self.held {
            // A zero before and one after the samples: the time is then known to a sample, and the last that matters has left by it.
            self.give(transmitter, &[Complex32::ZERO], false)?;
            self.end_ns = transmitter.device().time_ns().map(|now| now.saturating_add(self.nanoseconds(1)));
        } else {
            self.at_ns = transmitter.device().time_ns().map(|now| now.saturating_add(arguments.lead.as_nanos()));
            self.end_ns = self.at_ns;
        }
        let mut first = Some(first);
        for time in 1..=arguments.repeat {
            let mut source = first.take().map_or_else(|| arguments.open(), Ok)?;
            self.pass(transmitter, source.as_mut(), time == arguments.repeat)?;
        }
        if self.held {
            let end_ns = self.end_ns;
            self.give(transmitter, &[Complex32::ZERO], true)?;
            self.end_ns = end_ns;
        }
        self.wait(transmitter, began)?;
        Ok(settings)
    }

    /// Plays the file once; `last` ends the burst with it.
    fn pass(&mut self, transmitter: &mut Transmitter, source: &mut dyn Source, last: bool) -> Result<(), String> {
        let mut waiting: Vec<Complex32> = Vec::new();
        let mut next = vec![Complex32::default(); CHUNK];
        // The time of the file at which the next sample is expected.
        let mut expected_ns: Option<f64> = None;
        loop {
            let got = source.read(&mut next).map_err(|error| error.to_string())?;
            if self.interrupted || (got.count == 0 && waiting.is_empty()) {
                return Ok(());
            }
            let missing_ns = match (got.at_ns, expected_ns) {
                (Some(at), Some(expected)) if got.count > 0 => at as f64 - expected,
                _ => 0.0,
            };
            let gap = missing_ns > 1.5e9 / source.sample_rate_hz();
            if !waiting.is_empty() {
                self.give(transmitter, &waiting, !self.held && (gap || (last && got.count == 0)))?;
                self.sent += waiting.len() as u64;
            }
            if got.count == 0 {
                return Ok(());
            }
            if gap {
                self.keep_gap(transmitter, (missing_ns / 1e9 * source.sample_rate_hz()).round() as u64)?;
            }
            let length_ns = got.count as f64 / source.sample_rate_hz() * 1e9;
            expected_ns = got.at_ns.map(|at| at as f64 + length_ns);
            waiting.clear();
            waiting.extend_from_slice(&next[..got.count]);
        }
    }

    /// How long samples take, in nanoseconds.
    fn nanoseconds(&self, count: u64) -> i64 {
        (count as f64 / self.rate_hz * 1e9).round() as i64
    }

    /// Leaves out so many samples. A device without a clock closes the gap.
    fn keep_gap(&mut self, transmitter: &mut Transmitter, mut missing: u64) -> Result<(), String> {
        if !self.held {
            let length_ns = self.nanoseconds(missing);
            self.end_ns = self.end_ns.map(|end| end.saturating_add(length_ns));
            self.at_ns = self.end_ns;
            return Ok(());
        }
        let zeros = vec![Complex32::ZERO; CHUNK];
        while missing > 0 && !self.interrupted {
            let count = missing.min(CHUNK as u64);
            self.give(transmitter, &zeros[..count as usize], false)?;
            missing -= count;
        }
        Ok(())
    }

    fn give(&mut self, transmitter: &mut Transmitter, samples: &[Complex32], ends: bool) -> Result<(), String> {
        let mut rest = samples;
        let mut moved = Instant::now();
        while !rest.is_empty() {
            if (self.stop)() {
                self.interrupted = true;
                return Ok(());
            }
            transmitter.in_control().map_err(|error| error.to_string())?;
            let burst = Burst { at_ns: self.at_ns, ends };
            let taken = transmitter.device().transmit(rest, burst, LOOK).map_err(|error| error.to_string())?;
            if taken > 0 {
                (self.at_ns, moved) = (None, Instant::now());
                rest = &rest[taken..];
            } else if moved.elapsed() > PATIENCE {
                return Err(stands(transmitter));
            }
        }
        let length_ns = self.nanoseconds(samples.len() as u64);
        self.end_ns = self.end_ns.map(|end| end.saturating_add(length_ns));
        Ok(())
    }

    /// Waits until the last sample has left: to stop a transmitter is to lose what it still has.
    fn wait(&mut self, transmitter: &mut Transmitter, began: Instant) -> Result<(), String> {
        let length = StdDuration::try_from_secs_f64(self.sent as f64 / self.rate_hz).unwrap_or(StdDuration::MAX);
        let (mut seen_ns, mut moved) = (None, Instant::now());
        loop {
            if self.interrupted || (self.stop)() {
                self.interrupted = true;
                return Ok(());
            }
            transmitter.in_control().map_err(|error| error.to_string())?;
            let now_ns = transmitter.device().time_ns();
            match (now_ns, self.end_ns) {
                (Some(now), Some(end)) if now >= end => return Ok(()),
                (Some(_), Some(_)) if now_ns != seen_ns => (seen_ns, moved) = (now_ns, Instant::now()),
                (Some(_), Some(_)) if moved.elapsed() > PATIENCE => return Err(stands(transmitter)),
                (Some(_), Some(_)) => {}
                _ if began.elapsed() >= length.saturating_add(LAST) => return Ok(()),
                _ => {}
            }
            thread::sleep(LOOK);
        }
    }
}

fn stands(transmitter: &mut Transmitter) -> String {
    let name = transmitter.device().name();
    format!(
        "{name}: it has sent nothing for {PATIENCE:?}, with samples still to leave: on an emulated link at the pace of samples, read the other end"
    )
}
