//! `farlink sdr devices`

use clap::Args;
use farlink_emulated_link::{Pace, default_folder};
use farlink_sdr_devices::emulated::{ServedEnd, served};
use serde_json::{Value, json};

use super::Done;
use super::words::hertz;
use crate::Ending;
use crate::commands::Format;

/// List the radios that SoapySDR finds, and the ends of the emulated links that are served.
///
/// Sound cards are found by SoapySDR, too. They are named here so that nobody looks for them, and are never picked.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  farlink sdr devices --format json\n\n\
    The words before each device are what `record`, `play` and `spectrum` take.")]
pub struct DevicesArguments {
    /// How to print them.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What SoapySDR finds: devices, and sound cards.
struct Radios {
    found: Vec<String>,
    sound_cards: Vec<String>,
}

#[cfg(feature = "soapy")]
fn radios() -> Result<Radios, String> {
    use farlink_sdr_devices::soapy::{found, sound_cards};
    let texts = |devices: Vec<farlink_sdr_devices::soapy::Arguments>| {
        // The ends of emulated links are told of without SoapySDR.
        let others =
            devices.iter().filter(|device| device.get("driver") != Some(farlink_sdr_devices::emulated::DRIVER));
        others.map(ToString::to_string).collect()
    };
    let error = |error: farlink_sdr_devices::soapy::SoapyError| error.to_string();
    Ok(Radios { found: texts(found().map_err(error)?), sound_cards: texts(sound_cards().map_err(error)?) })
}

#[cfg(not(feature = "soapy"))]
fn radios() -> Result<Radios, String> {
    Err(super::place::WITHOUT_SOAPY.to_owned())
}

pub fn devices(arguments: &DevicesArguments) -> Done {
    let folder = default_folder();
    let ends = served(&folder);
    let radios = radios();
    if arguments.format == Format::Json {
        let (found, sound_cards, missing) = match &radios {
            Ok(Radios { found, sound_cards }) => (json!(found), json!(sound_cards), Value::Null),
            Err(missing) => (Value::Null, Value::Null, json!(missing)),
        };
        say!(
            "{:#}",
            json!({
                "emulated": ends.iter().map(end_as_json).collect::<Vec<_>>(),
                "folder": folder,
                "radios": found,
                "never_picked": sound_cards,
                "missing": missing,
            })
        );
        return Ok(Ending::Met);
    }
    say!("ENDS OF EMULATED LINKS in {}", folder.display());
    for end in &ends {
        let about = &end.link.description;
        let pace = if about.pace == Pace::Wall { "wall" } else { "samples" };
        let [low, high] = about.rate_range_hz.map(hertz);
        let state = if end.in_use() { "in use" } else { "free" };
        say!("{:<40} {state:<6}  pace {pace}, {low} to {high}", end.arguments());
    }
    if ends.is_empty() {
        say!("none; serve a link with `farlink sdr emulate`");
    }
    say!();
    say!("RADIOS");
    match radios {
        Err(missing) => say!("{missing}"),
        Ok(Radios { found, sound_cards }) => {
            found.iter().for_each(|device| say!("{device}"));
            if found.is_empty() {
                say!(
                    "none; is it plugged in, and the SoapySDR module of its driver installed? `farlink doctor` lists modules"
                );
            }
            sound_cards.iter().for_each(|card| say!("{card}: a sound card, which is never picked"));
        }
    }
    Ok(Ending::Met)
}

fn end_as_json(end: &ServedEnd) -> Value {
    let about = &end.link.description;
    json!({
        "device": end.arguments(),
        "link": about.name,
        "end": end.end,
        "in_use": end.in_use(),
        "pace": about.pace,
        "rate_range_hz": about.rate_range_hz,
    })
}
