//! `farlink sdr record`

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration as StdDuration, Instant};

use clap::Args;
use farlink_sdr_devices::file::{Recorded, SampleFormat};
use farlink_sdr_devices::sigmf::About;
use farlink_sdr_devices::{Device, DeviceError, Direction};
use farlink_units::Duration;
use num_complex::Complex32;
use serde_json::json;

use super::Done;
use super::place::{Place, Samples, Tuning, by_name, create_file, open_receiver};
use super::words::{self, hertz};
use crate::Ending;
use crate::commands::Format;
use crate::interrupt::stop_flag;

/// How long is waited at once, so that Ctrl-C is seen.
const LOOK: StdDuration = StdDuration::from_millis(100);
/// How long a device may give nothing.
pub const PATIENCE: StdDuration = StdDuration::from_secs(30);
/// Samples that are taken at once.
const CHUNK: usize = 1 << 15;

/// Record what a device receives, or copy a recording into another format.
///
/// A recording is SigMF 1.x: what was lost stands in it as annotations, and gaps as captures. A name that ends with `.cf32` or
/// `.ci16` makes a file of nothing but samples, which has no place for either.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    farlink sdr record driver=farlink,link=moon,end=b heard --for 10s\n  \
    farlink sdr record driver=rtlsdr,serial=00000001 pass --rate 1MHz --frequency 137.1MHz --gain 40dB --samples ci16\n  \
    farlink sdr record heard heard.ci16\n\n\
    Exit codes: 0 recorded without a loss, 1 samples were lost and nothing can be concluded, 2 it could not be done.")]
pub struct RecordArguments {
    /// What receives: `driver=…`, as `farlink sdr devices` lists them, or a file.
    #[arg(value_name = "DEVICE|FILE")]
    from: Place,
    /// The recording to make, by its name without an ending; no file is overwritten.
    #[arg(value_name = "OUT")]
    to: PathBuf,
    #[command(flatten)]
    tuning: Tuning,
    /// How long to record. Without it and --count, until Ctrl-C or the end of the file.
    #[arg(long = "for", value_name = "DURATION", conflicts_with = "count")]
    length: Option<Duration>,
    /// How many samples to record.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// How samples stand in the recording; cf32 unless its name says otherwise.
    #[arg(long, value_enum)]
    samples: Option<Samples>,
    /// The file that is read is nothing but samples, in this format.
    #[arg(long, value_enum)]
    raw: Option<Samples>,
    /// What it is, for whoever finds it.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Whose it is.
    #[arg(long, value_name = "TEXT")]
    author: Option<String>,
    /// How to print what it came to.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn record(arguments: &RecordArguments) -> Done {
    let stop = stop_flag().map_err(|error| format!("cannot mind Ctrl-C: {error}"))?;
    let receiver = open_receiver(&arguments.from, &arguments.tuning, arguments.raw)?;
    let (settings, name) = (receiver.settings, receiver.device.name());
    let wanted = match (arguments.count, arguments.length) {
        (Some(count), _) => Some(count),
        (None, Some(length)) => {
            let count = (length.as_secs_f64() * settings.sample_rate_hz).round();
            if count < 1.0 {
                return Err(format!(
                    "--for {length} is not a sample at {}: record for longer",
                    hertz(settings.sample_rate_hz)
                ));
            }
            Some(count as u64)
        }
        (None, None) => None,
    };
    let about = About {
        description: arguments.description.clone(),
        author: arguments.author.clone(),
        hw: Some(name.clone()),
        began: receiver.began,
    };
    let sink = create_file(&arguments.to, arguments.samples, about)?;
    let path = sink.path().to_owned();
    if arguments.format == Format::Text {
        say!("{name}: {}", words::settings(&settings));
    }
    let mut device = Recorded::new(receiver.device, Some(sink), None);
    let clips = by_name(&path) == Some(SampleFormat::Ci16Le) || arguments.samples == Some(Samples::Ci16);
    let ended = run(&mut device, wanted, clips, &|| stop.load(Ordering::Relaxed));
    let losses = device.losses();
    let stopped = device.run(Direction::Receive, false);
    // What was recorded until then is kept, whatever has failed.
    device.finish().map_err(|error| error.to_string())?;
    let Taken { count, clipped, interrupted } = ended?;
    if let Err(error) = stopped {
        complain!("the receiver could not be stopped: {error}");
    }
    let inconclusive = losses.inconclusive();
    let seconds = count as f64 / settings.sample_rate_hz;
    match arguments.format {
        Format::Json => say!(
            "{:#}",
            json!({
                "device": name,
                "recording": path,
                "samples": count,
                "seconds": seconds,
                "settings": settings,
                "losses": words::losses(&losses),
                "clipped": clipped,
                "inconclusive": inconclusive,
            })
        ),
        Format::Text => say!("{}: {count} samples, {seconds:.6} s", path.display()),
    }
    if clipped > 0 {
        complain!(
            "{clipped} samples were beyond full scale and were clipped: lower the gain, or record with --samples cf32"
        );
    }
    if let Some(why) = inconclusive {
        complain!("inconclusive: {why}");
        return Ok(Ending::NotMet);
    }
    if interrupted && let Some(wanted) = wanted {
        return Err(format!("interrupted after {count} of {wanted} samples"));
    }
    Ok(Ending::Met)
}

struct Taken {
    count: u64,
    clipped: u64,
    interrupted: bool,
}

fn run(device: &mut dyn Device, wanted: Option<u64>, clips: bool, stop: &dyn Fn() -> bool) -> Result<Taken, String> {
    device.run(Direction::Receive, true).map_err(|error| error.to_string())?;
    let mut buffer = vec![Complex32::default(); CHUNK];
    let mut taken = Taken { count: 0, clipped: 0, interrupted: false };
    let mut heard = Instant::now();
    loop {
        let most = wanted.map_or(CHUNK, |wanted| usize::try_from(wanted - taken.count).unwrap_or(CHUNK).min(CHUNK));
        if most == 0 {
            return Ok(taken);
        }
        if stop() {
            taken.interrupted = true;
            return Ok(taken);
        }
        match device.receive(&mut buffer[..most], LOOK) {
            Ok(received) if received.count > 0 => {
                taken.count += received.count as u64;
                if clips {
                    let beyond = |sample: &&Complex32| !(sample.re.abs() <= 1.0 && sample.im.abs() <= 1.0);
                    taken.clipped += buffer[..received.count].iter().filter(beyond).count() as u64;
                }
                heard = Instant::now();
            }
            Ok(_) if heard.elapsed() > PATIENCE => {
                return Err(format!("{}: no samples came for {PATIENCE:?}, after {}", device.name(), taken.count));
            }
            Ok(_) => {}
            Err(DeviceError::Ended { .. }) => {
                return match wanted {
                    Some(wanted) => {
                        Err(format!("{}: it ended after {} of {wanted} samples", device.name(), taken.count))
                    }
                    None => Ok(taken),
                };
            }
            Err(error) => return Err(format!("{error}, after {} samples", taken.count)),
        }
    }
}
