//! Serves a link with a delay and noise until it is ended.
//!
//! ```text
//! cargo run -p farlink-emulated-link --example serve -- moon --delay-samples 1280000 --noise-power 0.01 --pace wall --rate 1e6
//! ```

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use farlink_emulated_link::{DelayAndNoise, End, LinkConfig, Pace, default_folder, serve};

const USAGE: &str = "usage: serve NAME [--delay-samples N] [--noise-power P] [--pace wall|samples] [--rate HZ]";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().filter(|name| !name.starts_with('-')).ok_or(USAGE)?;
    let (mut delay, mut noise, mut pace, mut rate_hz) = (0, 0.0, Pace::Wall, 1e6);
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?;
        match option.as_str() {
            "--delay-samples" => delay = value.parse()?,
            "--noise-power" => noise = value.parse()?,
            "--rate" => rate_hz = value.parse()?,
            "--pace" if value == "wall" => pace = Pace::Wall,
            "--pace" if value == "samples" => pace = Pace::Samples,
            _ => return Err(USAGE.into()),
        }
    }
    let medium = Arc::new(move |from, _| {
        let seed = if from == End::A { 1 } else { 2 };
        Ok(Box::new(DelayAndNoise::new(delay, noise, seed)?) as _)
    });
    let folder = default_folder();
    println!("{name} in {}: driver=farlink,link={name},end=a and end=b", folder.display());
    serve(&folder, &name, LinkConfig { pace, rate_hz, ..LinkConfig::new(medium) }, &AtomicBool::new(false))?;
    Ok(())
}
