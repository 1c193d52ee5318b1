//! The radio of a channel.

use farlink_units::{Angle, Decibels, Frequency, GainOverTemperature, Length, Power, Ratio, Size, Temperature};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::located::{At, Named, Text};
use crate::mixed::Mixed;
use crate::values::{FrequencyOffset, Number};
use crate::words::{Choice, ModulationName, Through};

/// The radio of a channel. Losses are written as numbers above zero.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RadioEntry {
    /// The carrier frequency.
    #[schemars(required)]
    pub frequency: Option<Text<Frequency>>,
    /// What the transmitter radiates towards the receiver in all; or give `power` and `transmit_antenna`.
    pub eirp: Option<Text<Power>>,
    /// Output of the amplifier.
    pub power: Option<Text<Power>>,
    /// Loss between amplifier and antenna. Default 0 dB.
    pub circuit_loss: Option<Text<Decibels>>,
    /// The antenna that transmits.
    pub transmit_antenna: Option<At<RadioAntennaEntry>>,
    /// How well the transmitting antenna points. Default exactly.
    pub transmit_pointing: Option<At<PointingEntry>>,
    /// Attenuation by clear air, or a list of it by elevation. Default none. Lists need `visibility` and a site at an end.
    pub atmosphere: Option<At<Mixed<Decibels, LossAt>>>,
    /// Attenuation by rain and clouds, or a list of it by elevation. Default none.
    pub rain: Option<At<Mixed<Decibels, LossAt>>>,
    /// Loss by different polarisations. Default 0 dB.
    pub polarisation_loss: Option<Text<Decibels>>,
    /// Other losses between the antennas or in the receiver, by name.
    #[serde(default)]
    pub other_losses: Named<Text<Decibels>>,
    /// How well the receiving antenna points. Default exactly.
    pub receive_pointing: Option<At<PointingEntry>>,
    /// The figure of merit G/T of the receiver, or a list of it by elevation; or give `receive_antenna` and
    /// `noise_temperature`.
    pub gain_over_temperature: Option<At<Mixed<GainOverTemperature, FigureAt>>>,
    /// The antenna that receives.
    pub receive_antenna: Option<At<RadioAntennaEntry>>,
    /// System noise temperature, or a list of it by elevation.
    pub noise_temperature: Option<At<Mixed<Temperature, NoiseAt>>>,
    /// What demodulation and synchronisation cost. Default 0 dB.
    pub implementation_loss: Option<Text<Decibels>>,
    /// Eb/N0 that the decoder needs. Default what the code under `errors` needs for 1e-6.
    pub required_eb_n0: Option<Text<Decibels>>,
    /// How the signal is made. With it frames go through transfer frames and the samples of a modem.
    pub waveform: Option<At<WaveformEntry>>,
}

/// How a signal is made of frames: they become packets, the packets transfer frames (AOS), and those, with the code under `errors`, symbols.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaveformEntry {
    /// What transfer frames go through: `samples`, or the `model` of how often the code fails, which is faster and knows nothing of the
    /// receiver. Default `samples`.
    pub through: Option<Text<Choice<Through>>>,
    /// The modulation.
    #[schemars(required)]
    pub modulation: Option<Text<Choice<ModulationName>>>,
    /// Roll-off of the root-raised-cosine pulse, 0.1 to 1. Default 0.5.
    pub roll_off: Option<Text<Number>>,
    /// Samples of a symbol, 2 to 64; need not be whole. Default 2.
    pub samples_per_symbol: Option<Text<Number>>,
    /// Length of a transfer frame, 32 B to 2048 B, where the code leaves it open. Default 1115 B.
    pub frame: Option<Text<Size>>,
    /// How far the receiver's oscillator is above the carrier, -1 MHz to 1 MHz. Default 0 Hz. Doppler comes on top, from the light time.
    pub frequency_offset: Option<Text<FrequencyOffset>>,
}

/// An antenna: its gain, or the dish that it is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RadioAntennaEntry {
    /// The gain towards the other end.
    pub gain: Option<Text<Decibels>>,
    /// The diameter of a dish.
    pub diameter: Option<Text<Length>>,
    /// The aperture efficiency of a dish. Default 0.6.
    pub efficiency: Option<Text<Ratio>>,
}

/// How an antenna points: a loss, or an offset from the axis of a beam.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PointingEntry {
    /// A known loss.
    pub loss: Option<Text<Decibels>>,
    /// Angle off the axis.
    pub offset: Option<Text<Angle>>,
    /// Full width of the beam at half power.
    pub beamwidth: Option<Text<Angle>>,
}

/// A loss at an elevation.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LossAt {
    /// The elevation that this row is for.
    #[schemars(required)]
    pub elevation: Option<Text<Angle>>,
    /// The loss at that elevation.
    #[schemars(required)]
    pub loss: Option<Text<Decibels>>,
}

/// A figure of merit at an elevation.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FigureAt {
    /// The elevation that this row is for.
    #[schemars(required)]
    pub elevation: Option<Text<Angle>>,
    /// G/T at that elevation.
    #[schemars(required)]
    pub gain_over_temperature: Option<Text<GainOverTemperature>>,
}

/// A noise temperature at an elevation.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoiseAt {
    /// The elevation that this row is for.
    #[schemars(required)]
    pub elevation: Option<Text<Angle>>,
    /// The noise temperature there.
    #[schemars(required)]
    pub temperature: Option<Text<Temperature>>,
}

/// A row of a table by elevation.
pub(crate) trait AtElevation<T> {
    /// How the figure is written.
    const EXAMPLE: &'static str;
    /// The elevation and the figure.
    fn parts(&self) -> (&Option<Text<Angle>>, &Option<Text<T>>);
}

impl AtElevation<Decibels> for LossAt {
    const EXAMPLE: &'static str = "loss: 0.5 dB";
    fn parts(&self) -> (&Option<Text<Angle>>, &Option<Text<Decibels>>) {
        (&self.elevation, &self.loss)
    }
}

impl AtElevation<GainOverTemperature> for FigureAt {
    const EXAMPLE: &'static str = "gain_over_temperature: 53 dB/K";
    fn parts(&self) -> (&Option<Text<Angle>>, &Option<Text<GainOverTemperature>>) {
        (&self.elevation, &self.gain_over_temperature)
    }
}

impl AtElevation<Temperature> for NoiseAt {
    const EXAMPLE: &'static str = "temperature: 30 K";
    fn parts(&self) -> (&Option<Text<Angle>>, &Option<Text<Temperature>>) {
        (&self.elevation, &self.temperature)
    }
}
