//! The link budget.

use std::borrow::Cow;

use farlink_units::{BitRate, Duration, Instant};
use thiserror::Error;

use super::lines::Lines;
use super::table::Table;
use crate::geometry::SPEED_OF_LIGHT_KM_S;
use crate::rate::Rate;
use crate::series::{Series, SeriesError};

/// Boltzmann's constant in J/K (exact in the SI).
const BOLTZMANN: f64 = 1.380_649e-23;

/// Why a budget cannot be worked out.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum BudgetError {
    /// A number is not in its range.
    #[error("{what} is {value}: it is {range}")]
    OutOfRange {
        /// What it is, in words.
        what: &'static str,
        /// What was given.
        value: f64,
        /// What would be right, in words.
        range: &'static str,
    },
    /// What was worked out along a pass is no series.
    #[error("the samples of the pass: {0}")]
    Samples(#[from] SeriesError),
}

/// An antenna towards the other end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Antenna {
    /// One of known gain.
    Gain {
        /// Gain in dBi.
        dbi: f64,
    },
    /// A dish: gain = efficiency · (π · diameter / wavelength)².
    Dish {
        /// Diameter in metres.
        diameter_m: f64,
        /// Aperture efficiency, above 0 and at most 1.
        efficiency: f64,
    },
}

impl Antenna {
    /// Its gain in dBi at a frequency.
    ///
    /// # Errors
    /// A number out of range.
    pub fn gain_dbi(&self, frequency_hz: f64) -> Result<f64, BudgetError> {
        match *self {
            Antenna::Gain { dbi } => finite("an antenna's gain in dBi", dbi),
            Antenna::Dish { diameter_m, efficiency } => {
                let diameter = positive("the diameter of a dish in metres", diameter_m)?;
                let efficiency = positive("the efficiency of a dish", efficiency)?;
                if efficiency > 1.0 {
                    let what = "the efficiency of a dish";
                    return Err(BudgetError::OutOfRange { what, value: efficiency, range: "above 0 and at most 1" });
                }
                Ok(db(efficiency * (std::f64::consts::PI * diameter / wavelength_m(frequency_hz)).powi(2)))
            }
        }
    }
}

/// How well an antenna points at the other end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pointing {
    /// A known loss.
    Loss {
        /// In dB, not below zero.
        db: f64,
    },
    /// An offset from the axis of a beam: 12 dB · (offset / beamwidth)², good to about the half-power angle.
    Offset {
        /// Angle off the axis in degrees.
        offset_deg: f64,
        /// Full width of the beam at half power in degrees.
        beamwidth_deg: f64,
    },
}

impl Pointing {
    /// On the axis.
    pub const EXACT: Pointing = Pointing::Loss { db: 0.0 };

    fn loss_db(&self, what: &'static str) -> Result<f64, BudgetError> {
        match *self {
            Pointing::Loss { db } => loss(what, db),
            Pointing::Offset { offset_deg, beamwidth_deg } => {
                let width = positive("the width of a beam in degrees", beamwidth_deg)?;
                Ok(12.0 * (loss("the offset of an antenna in degrees", offset_deg)? / width).powi(2))
            }
        }
    }
}

/// What sends.
#[derive(Clone, Debug, PartialEq)]
pub enum Transmitter {
    /// Known as a whole.
    Eirp {
        /// EIRP in dBW.
        dbw: f64,
    },
    /// An amplifier and an antenna.
    Amplifier {
        /// Output power in watts.
        power_w: f64,
        /// Loss between amplifier and antenna in dB, not below zero.
        circuit_loss_db: f64,
        /// The antenna.
        antenna: Antenna,
    },
}

/// What receives.
#[derive(Clone, Debug, PartialEq)]
pub enum Receiver {
    /// Known as a whole.
    FigureOfMerit {
        /// G/T in dB/K over elevation.
        db_per_k: Table,
    },
    /// An antenna and the noise of the system, both told at the same place.
    System {
        /// The antenna.
        antenna: Antenna,
        /// System noise temperature in kelvin over elevation, all of it: receiver, sky, ground.
        noise_temperature_k: Table,
    },
}

/// Everything about a link that does not change along a pass. Losses are told as numbers above zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// Carrier frequency in hertz.
    pub frequency_hz: f64,
    /// What sends.
    pub transmitter: Transmitter,
    /// How the transmitting antenna points.
    pub transmitter_pointing: Pointing,
    /// Attenuation by clear air in dB over elevation.
    pub atmosphere_db: Option<Table>,
    /// Attenuation by rain and clouds in dB over elevation.
    pub rain_db: Option<Table>,
    /// Loss by different polarisations in dB.
    pub polarisation_loss_db: f64,
    /// Other losses between the antennas or in the receiver before C/N0, each with its name, in dB.
    pub other_losses_db: Vec<(String, f64)>,
    /// How the receiving antenna points.
    pub receiver_pointing: Pointing,
    /// What receives.
    pub receiver: Receiver,
    /// What demodulation and synchronisation cost, and the share of the power that the carrier takes, in dB.
    pub implementation_loss_db: f64,
    /// Eb/N0 that the decoder needs, in dB.
    pub required_eb_n0_db: f64,
}

/// Where the ends are as the bits leave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Distance between the ends in kilometres.
    pub range_km: f64,
    /// Elevation in degrees at the end on which tables depend.
    pub elevation_deg: f64,
}

impl Budget {
    /// Names of the sums in [`Lines`].
    pub const EIRP: &str = "EIRP";
    /// Carrier to noise density.
    pub const C_N0: &str = "C/N0";
    /// What the decoder gets.
    pub const EB_N0: &str = "Eb/N0 at the decoder";
    /// What is left over.
    pub const MARGIN: &str = "margin";

    /// Every term of the budget at a data rate.
    ///
    /// # Errors
    /// A number out of range.
    pub fn at(&self, look: &Look, rate: BitRate) -> Result<Lines, BudgetError> {
        let mut lines = Lines::default();
        self.to_c_n0(look, &mut lines)?;
        lines.note("data rate", rate.bps() as f64, "bit/s");
        lines.term("data rate", -db(rate.bps() as f64), "dB·Hz");
        lines.sum("Eb/N0 received", "dB");
        lines.term("implementation", -loss("an implementation loss in dB", self.implementation_loss_db)?, "dB");
        lines.sum(Self::EB_N0, "dB");
        lines.term("required Eb/N0", -finite("a required Eb/N0 in dB", self.required_eb_n0_db)?, "dB");
        lines.sum(Self::MARGIN, "dB");
        Ok(lines)
    }

    /// C/N0 in dB·Hz.
    ///
    /// # Errors
    /// A number out of range.
    pub fn c_n0_db_hz(&self, look: &Look) -> Result<f64, BudgetError> {
        self.to_c_n0(look, &mut Lines::default())
    }

    /// C/N0 in dB·Hz from `start` to `end`, sampled every `step`.
    ///
    /// # Errors
    /// A number out of range.
    ///
    /// # Panics
    /// If `step` is not above zero.
    pub fn along(
        &self,
        start: Instant,
        end: Instant,
        step: Duration,
        mut look: impl FnMut(Instant) -> Look,
    ) -> Result<Series, BudgetError> {
        let mut failure = None;
        let samples = Series::sample(start, end, step, |at| {
            self.c_n0_db_hz(&look(at)).unwrap_or_else(|error| {
                failure.get_or_insert(error);
                0.0
            })
        });
        failure.map_or_else(|| Ok(samples?), Err)
    }

    /// Eb/N0 at the decoder in dB, of which C/N0 and the rate at every instant are known. Where there is no rate it is that of
    /// the rate before.
    ///
    /// # Errors
    /// An implementation loss out of range.
    pub fn eb_n0_db(&self, c_n0_db_hz: &Series, rate: &Rate) -> Result<Series, BudgetError> {
        let implementation = loss("an implementation loss in dB", self.implementation_loss_db)?;
        let mut instants: Vec<Instant> = c_n0_db_hz.knots().iter().map(|(at, _)| *at).collect();
        // A jump is a line of a nanosecond.
        instants.extend(rate.changes().iter().flat_map(|(at, _)| [*at - Duration::from_nanos(1), *at]));
        instants.sort();
        instants.dedup();
        let mut last = rate.at(instants[0]).or_else(|| rate.changes().iter().find_map(|(_, rate)| *rate));
        let knots = instants.into_iter().map(|at| {
            last = rate.at(at).or(last);
            (at, c_n0_db_hz.at(at) - last.map_or(0.0, |rate| db(rate.bps() as f64)) - implementation)
        });
        Ok(Series::new(knots.collect())?)
    }

    /// The highest of `rates` at which the margin stays at `margin_db` or above, as C/N0 changes.
    ///
    /// # Errors
    /// A number out of range.
    pub fn rate_following(&self, c_n0_db_hz: &Series, rates: &[BitRate], margin_db: f64) -> Result<Rate, BudgetError> {
        let implementation = loss("an implementation loss in dB", self.implementation_loss_db)?;
        let required = finite("a required Eb/N0 in dB", self.required_eb_n0_db)?;
        let margin = finite("a margin in dB", margin_db)?;
        Ok(Rate::following(c_n0_db_hz, rates, required + implementation + margin))
    }

    fn to_c_n0(&self, look: &Look, lines: &mut Lines) -> Result<f64, BudgetError> {
        let frequency = positive("a carrier frequency in hertz", self.frequency_hz)?;
        match &self.transmitter {
            Transmitter::Eirp { dbw } => lines.term("EIRP of the transmitter", finite("an EIRP in dBW", *dbw)?, "dBW"),
            Transmitter::Amplifier { power_w, circuit_loss_db, antenna } => {
                lines.term("transmitter power", db(positive("a transmitter's power in watts", *power_w)?), "dBW");
                lines.term("transmitter circuit", -loss("a circuit loss in dB", *circuit_loss_db)?, "dB");
                lines.term("transmitting antenna", antenna.gain_dbi(frequency)?, "dBi");
            }
        }
        lines.sum(Self::EIRP, "dBW");
        let pointing = self.transmitter_pointing.loss_db("the pointing loss of the transmitter in dB")?;
        lines.term("transmitter pointing", -pointing, "dB");
        let range_km = positive("a range in kilometres", look.range_km)?;
        lines.note("range", range_km, "km");
        lines.term("free space", -free_space_loss_db(range_km, frequency), "dB");
        for (name, table) in [("atmosphere", &self.atmosphere_db), ("rain", &self.rain_db)] {
            if let Some(table) = table {
                lines.term(name, -loss("an attenuation in dB", table.at(look.elevation_deg))?, "dB");
            }
        }
        lines.term("polarisation", -loss("a polarisation loss in dB", self.polarisation_loss_db)?, "dB");
        for (name, db) in &self.other_losses_db {
            lines.term(Cow::Owned(name.clone()), -loss("a loss in dB", *db)?, "dB");
        }
        let pointing = self.receiver_pointing.loss_db("the pointing loss of the receiver in dB")?;
        lines.term("receiver pointing", -pointing, "dB");
        let elevation = finite("an elevation in degrees", look.elevation_deg)?;
        match &self.receiver {
            Receiver::FigureOfMerit { db_per_k } => lines.term("G/T", db_per_k.at(elevation), "dB/K"),
            Receiver::System { antenna, noise_temperature_k } => {
                lines.term("receiving antenna", antenna.gain_dbi(frequency)?, "dBi");
                let kelvin = positive("a noise temperature in kelvin", noise_temperature_k.at(elevation))?;
                lines.note("system noise temperature", kelvin, "K");
                lines.term("system noise temperature", -db(kelvin), "dB·K");
            }
        }
        lines.term("Boltzmann's constant", -db(BOLTZMANN), "dB·K·Hz/W");
        Ok(lines.sum(Self::C_N0, "dB·Hz"))
    }
}

/// 20 log₁₀(4π · range / wavelength), in dB.
pub fn free_space_loss_db(range_km: f64, frequency_hz: f64) -> f64 {
    2.0 * db(4.0 * std::f64::consts::PI * range_km * 1000.0 / wavelength_m(frequency_hz))
}

fn wavelength_m(frequency_hz: f64) -> f64 {
    SPEED_OF_LIGHT_KM_S * 1000.0 / frequency_hz
}

fn db(ratio: f64) -> f64 {
    10.0 * ratio.log10()
}

fn finite(what: &'static str, value: f64) -> Result<f64, BudgetError> {
    if value.is_finite() { Ok(value) } else { Err(BudgetError::OutOfRange { what, value, range: "a finite number" }) }
}

fn positive(what: &'static str, value: f64) -> Result<f64, BudgetError> {
    let fits = value.is_finite() && value > 0.0;
    if fits { Ok(value) } else { Err(BudgetError::OutOfRange { what, value, range: "above zero and finite" }) }
}

fn loss(what: &'static str, value: f64) -> Result<f64, BudgetError> {
    let fits = value.is_finite() && value >= 0.0;
    if fits { Ok(value) } else { Err(BudgetError::OutOfRange { what, value, range: "finite and not below zero" }) }
}
