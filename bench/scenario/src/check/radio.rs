//! The radio of a channel.

use farlink_channel_models::errors::Code;
use farlink_channel_models::radio::{Antenna, Budget, Pointing, Receiver, Table, TableError, Transmitter};
use farlink_units::{Angle, Decibels, GainOverTemperature, Length, Power, Ratio, Temperature};

use super::Notes;
use crate::file::{AtElevation, LossAt, PointingEntry, RadioAntennaEntry, RadioEntry};
use crate::located::{At, Text};
use crate::mixed::Mixed;
use crate::problem::Position;

/// The bit error ratio at which a decoder is taken to work, unless `required_eb_n0` says what it needs.
const SERVICE_BER: f64 = 1e-6;
const DEFAULT_EFFICIENCY: f64 = 0.6;

/// The budget of `entry`; `code` is that of the channel, and `elevation` whether one of its ends sees it at an elevation.
pub(super) fn check(
    At { value: entry, position }: &At<RadioEntry>,
    code: Option<Code>,
    elevation: bool,
    notes: &mut Notes,
) -> Option<Budget> {
    let frequency = notes.need_read(&entry.frequency, *position, "frequency: 8.42 GHz");
    let transmitter = transmitter(entry, *position, notes);
    let receiver = receiver(entry, *position, elevation, notes);
    let transmitter_pointing = pointing(&entry.transmit_pointing, notes);
    let receiver_pointing = pointing(&entry.receive_pointing, notes);
    let losses = |table: &Option<At<Mixed<Decibels, LossAt>>>, notes: &mut Notes| match table {
        Some(table) => losses_by_elevation(table, elevation, notes).map(Some),
        None => Some(None),
    };
    let atmosphere = losses(&entry.atmosphere, notes);
    let rain = losses(&entry.rain, notes);
    let polarisation = loss(&entry.polarisation_loss, notes);
    let mut others = Some(Vec::new());
    for (name, text) in &entry.other_losses.0 {
        match (not_negative(text, notes), &mut others) {
            (Some(db), Some(all)) => all.push((name.value.clone(), db)),
            _ => others = None,
        }
    }
    let implementation = loss(&entry.implementation_loss, notes);
    let required = required_eb_n0(entry, *position, code, notes);
    Some(Budget {
        frequency_hz: frequency?.hz(),
        transmitter: transmitter?,
        transmitter_pointing: transmitter_pointing?,
        atmosphere_db: atmosphere?,
        rain_db: rain?,
        polarisation_loss_db: polarisation?,
        other_losses_db: others?,
        receiver_pointing: receiver_pointing?,
        receiver: receiver?,
        implementation_loss_db: implementation?,
        required_eb_n0_db: required?,
    })
}

fn required_eb_n0(entry: &RadioEntry, position: Position, code: Option<Code>, notes: &mut Notes) -> Option<f64> {
    if let Some(text) = &entry.required_eb_n0 {
        return notes.read(text).map(Decibels::db);
    }
    let needed = code.and_then(|code| code.required_eb_n0_db(SERVICE_BER).ok());
    if needed.is_none() {
        let help = "add `required_eb_n0: 2.5 dB`, or a `coding` under `errors` from which it follows";
        notes.error(position, "nothing says what Eb/N0 the decoder needs", help);
    }
    needed
}

fn transmitter(entry: &RadioEntry, position: Position, notes: &mut Notes) -> Option<Transmitter> {
    match (&entry.eirp, &entry.power) {
        (Some(eirp), None) => {
            for (key, given) in [
                ("circuit_loss", entry.circuit_loss.as_ref().map(|text| text.position)),
                ("transmit_antenna", entry.transmit_antenna.as_ref().map(|at| at.position)),
            ] {
                if let Some(position) = given {
                    let help = "remove it, or give `power` instead of `eirp`";
                    notes.error(position, format!("`{key}` is part of the `eirp` already"), help);
                }
            }
            notes.read(eirp).map(|eirp| Transmitter::Eirp { dbw: eirp.dbw() })
        }
        (None, Some(power)) => {
            let power = notes.read(power);
            let circuit_loss = loss(&entry.circuit_loss, notes);
            let antenna = notes.need(&entry.transmit_antenna, position, "transmit_antenna: { gain: 46 dBi }");
            let antenna = antenna.and_then(|entry| self::antenna(entry, notes));
            let power_w = 10_f64.powf(power.map(Power::dbw)? / 10.0);
            Some(Transmitter::Amplifier { power_w, circuit_loss_db: circuit_loss?, antenna: antenna? })
        }
        (None, None) => {
            let help = "add `eirp: 70 dBW`, or `power: 20 W` and `transmit_antenna: { gain: 46 dBi }`";
            notes.error(position, "nothing says what is transmitted", help);
            None
        }
        (Some(_), Some(power)) => {
            notes.error(power.position, "`power` and `eirp` exclude each other", "keep one of the two");
            None
        }
    }
}

fn receiver(entry: &RadioEntry, position: Position, elevation: bool, notes: &mut Notes) -> Option<Receiver> {
    let temperature = entry.noise_temperature.as_ref();
    match (&entry.gain_over_temperature, entry.receive_antenna.is_some() || temperature.is_some()) {
        (Some(table), false) => {
            let db_per_k = elevation_table(table, GainOverTemperature::db_per_k, elevation, notes)?;
            Some(Receiver::FigureOfMerit { db_per_k })
        }
        (None, true) => {
            let antenna = notes.need(&entry.receive_antenna, position, "receive_antenna: { gain: 68 dBi }");
            let antenna = antenna.and_then(|entry| self::antenna(entry, notes));
            let table = notes.need(&entry.noise_temperature, position, "noise_temperature: 30 K")?;
            let noise_temperature_k = elevation_table(table, Temperature::kelvin, elevation, notes);
            Some(Receiver::System { antenna: antenna?, noise_temperature_k: noise_temperature_k? })
        }
        (None, false) => {
            let help = "add `gain_over_temperature: 53 dB/K`, or `receive_antenna: { gain: 68 dBi }` and \
                        `noise_temperature: 30 K`";
            notes.error(position, "nothing says how well is received", help);
            None
        }
        (Some(table), true) => {
            let help = "keep it, or `receive_antenna` and `noise_temperature`";
            notes.error(table.position, "`gain_over_temperature` is told already by antenna and noise", help);
            None
        }
    }
}

fn antenna(At { value: entry, position }: &At<RadioAntennaEntry>, notes: &mut Notes) -> Option<Antenna> {
    match (&entry.gain, &entry.diameter) {
        (Some(gain), None) => {
            if let Some(text) = &entry.efficiency {
                notes.error(text.position, "a gain holds the `efficiency` already", "remove it, or give a `diameter`");
            }
            notes.read(gain).map(|gain| Antenna::Gain { dbi: gain.db() })
        }
        (None, Some(diameter)) => {
            let position = diameter.position;
            let diameter_m = notes.read(diameter).map(Length::km)? * 1000.0;
            if diameter_m <= 0.0 {
                notes.error(position, format!("no dish is {diameter_m} m wide"), "it is wider than 0 m");
                return None;
            }
            let efficiency = notes.read_opt(&entry.efficiency)?.map_or(DEFAULT_EFFICIENCY, Ratio::get);
            if let (true, Some(text)) = (efficiency <= 0.0, &entry.efficiency) {
                notes.error(text.position, "a dish without efficiency receives nothing", "it is above 0 and at most 1");
                return None;
            }
            Some(Antenna::Dish { diameter_m, efficiency })
        }
        (None, None) => {
            notes.error(*position, "nothing says what antenna this is", "write `gain: 46 dBi`, or `diameter: 3 m`");
            None
        }
        (Some(_), Some(diameter)) => {
            notes.error(diameter.position, "`diameter` and `gain` exclude each other", "keep one of the two");
            None
        }
    }
}

fn pointing(entry: &Option<At<PointingEntry>>, notes: &mut Notes) -> Option<Pointing> {
    let Some(At { value: entry, position }) = entry else { return Some(Pointing::EXACT) };
    match (&entry.loss, &entry.offset, &entry.beamwidth) {
        (Some(text), None, None) => not_negative(text, notes).map(|db| Pointing::Loss { db }),
        (None, Some(offset), Some(width)) => {
            let offset_deg = notes.read(offset).map(Angle::deg);
            let width_position = width.position;
            let beamwidth_deg = notes.read(width).map(Angle::deg)?;
            if beamwidth_deg <= 0.0 {
                notes.error(width_position, format!("no beam is {beamwidth_deg} deg wide"), "it is wider than 0 deg");
                return None;
            }
            Some(Pointing::Offset { offset_deg: offset_deg?.abs(), beamwidth_deg })
        }
        _ => {
            let help = "write `loss: 0.2 dB`, or `offset: 0.01 deg` and `beamwidth: 0.1 deg`";
            notes.error(*position, "a pointing is a `loss`, or an `offset` in a `beamwidth`", help);
            None
        }
    }
}

/// A loss, 0 dB by default.
fn loss(text: &Option<Text<Decibels>>, notes: &mut Notes) -> Option<f64> {
    text.as_ref().map_or(Some(0.0), |text| not_negative(text, notes))
}

fn not_negative(text: &Text<Decibels>, notes: &mut Notes) -> Option<f64> {
    loss_of(notes.read(text)?.db(), text.position, notes)
}

fn loss_of(db: f64, position: Position, notes: &mut Notes) -> Option<f64> {
    if db >= 0.0 {
        return Some(db);
    }
    notes.error(position, format!("a loss of {db} dB is a gain"), "write losses as numbers above 0 dB");
    None
}

/// A loss, or a list of it by elevation.
fn losses_by_elevation(table: &At<Mixed<Decibels, LossAt>>, elevation: bool, notes: &mut Notes) -> Option<Table> {
    let losses = elevation_table(table, Decibels::db, elevation, notes)?;
    for (row, (_, db)) in losses.rows().iter().enumerate() {
        let position = match &table.value {
            Mixed::List(list) => list[row].position,
            _ => table.position,
        };
        loss_of(*db, position, notes)?;
    }
    Some(losses)
}

/// A value, or a list of it by elevation.
fn elevation_table<T: Copy, E: AtElevation<T>>(
    At { value: entry, position }: &At<Mixed<T, E>>,
    figure: impl Fn(T) -> f64,
    elevation: bool,
    notes: &mut Notes,
) -> Option<Table> {
    if let (Mixed::List(_), false) = (entry, elevation) {
        let help = "write one value, or give the link `visibility` and one of its ends a `site`";
        notes.error(*position, "nothing tells the elevation that this list goes by", help);
        return None;
    }
    let rows = match entry {
        Mixed::Scalar(read) => {
            let value = figure(notes.result(read, *position)?);
            vec![Some((90.0, value))]
        }
        Mixed::List(list) => list
            .iter()
            .map(|At { value, position }| {
                let (elevation, value) = value.parts();
                let elevation = notes.need_read(elevation, *position, "elevation: 10 deg");
                let value = notes.need_read(value, *position, E::EXAMPLE);
                Some((elevation?.deg(), figure(value?)))
            })
            .collect(),
        Mixed::Mapping(never) => match **never {},
    };
    let rows = rows.into_iter().collect::<Option<Vec<_>>>()?;
    match Table::new(rows) {
        Ok(table) => Some(table),
        Err(error) => {
            let row = match error {
                TableError::Empty => None,
                TableError::Order { row, .. } | TableError::OutOfRange { row, .. } => Some(row),
            };
            let at = match (entry, row) {
                (Mixed::List(list), Some(row)) => list[row].position,
                _ => *position,
            };
            let help = "list it in the order of rising elevations, from -90 deg to 90 deg";
            notes.error(at, format!("this is no table by elevation: {error}"), help);
            None
        }
    }
}
