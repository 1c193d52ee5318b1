//! Waveforms as they are given on the command line.

use clap::{Args, ValueEnum};
use farlink_coding::randomiser::Randomiser;
use farlink_coding::{convolutional, ldpc};
use farlink_modem::{Modulation, Subcarrier, SubcarrierShape};
use farlink_radio::waveform::{Coding, Waveform, WaveformError};
use farlink_units::{BitRate, Size};

/// What is on the air.
#[derive(Debug, Args)]
#[command(next_help_heading = "Waveform")]
pub struct WaveformArguments {
    /// The modulation
    #[arg(long, value_enum, default_value_t = ModulationName::Bpsk)]
    modulation: ModulationName,
    /// The code
    #[arg(long, value_enum, default_value_t = CodeName::Concatenated)]
    code: CodeName,
    /// Rate of the convolutional code, 1/2 to 7/8, or of the LDPC code, 1/2, 2/3 or 4/5
    #[arg(long, value_name = "RATE", default_value = "1/2")]
    code_rate: String,
    /// Code words in a Reed-Solomon block: 1, 2, 3, 4, 5 or 8
    #[arg(long, value_name = "WORDS", default_value_t = 5)]
    interleaving: u8,
    /// Symbols that a Reed-Solomon word corrects: 16, as (255,223), or 8, as (255,239)
    #[arg(long, value_name = "SYMBOLS", default_value_t = 16)]
    corrects: u8,
    /// Information bits of an LDPC word: 1024, 4096 or 16384
    #[arg(long, value_name = "BITS", default_value_t = 1024)]
    information: u32,
    /// Length of a transfer frame, where the code leaves it open
    #[arg(long, value_name = "SIZE", default_value = "1115 B")]
    frame: Size,
    /// Bits of transfer frames a second, code and marker taken off
    #[arg(long, value_name = "RATE", default_value = "1 Mbit/s")]
    rate: BitRate,
    /// Roll-off of the root-raised-cosine pulse, 0.1 to 1
    #[arg(long, value_name = "PART", default_value_t = 0.5)]
    roll_off: f64,
    /// Samples of a symbol, 2 or more; a residual carrier takes 16 for each cycle of its subcarrier
    #[arg(long, value_name = "SAMPLES")]
    samples_per_symbol: Option<f64>,
    /// Bandwidth of GMSK's filter times the time of a bit, 0.4 to 1
    #[arg(long, value_name = "PRODUCT", default_value_t = 0.5)]
    bandwidth_time: f64,
    /// Phase deviation of a residual carrier in radians, 0.1 to 1.5
    #[arg(long, value_name = "RADIANS", default_value_t = 1.0)]
    index: f64,
    /// Cycles of a residual carrier's subcarrier in a symbol, 1 to 32
    #[arg(long, value_name = "CYCLES", default_value_t = 2)]
    subcarrier: u32,
    /// Send frames without the pseudo-random sequence
    #[arg(long)]
    plain: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ModulationName {
    Bpsk,
    Qpsk,
    Oqpsk,
    #[value(name = "8psk")]
    Psk8,
    Gmsk,
    /// PCM/PSK/PM with a sine subcarrier
    ResidualCarrier,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CodeName {
    /// None
    Uncoded,
    /// K = 7, soft decisions
    Convolutional,
    /// On hard decisions
    ReedSolomon,
    /// Reed-Solomon around the convolutional code
    Concatenated,
    /// AR4JA
    Ldpc,
}

/// A rate of the convolutional code.
fn convolutional_rate(text: &str) -> Result<convolutional::Rate, String> {
    use convolutional::Rate::{FiveSixths, Half, SevenEighths, ThreeQuarters, TwoThirds};
    let known = [Half, TwoThirds, ThreeQuarters, FiveSixths, SevenEighths];
    known.into_iter().find(|rate| rate.to_string() == text).ok_or_else(|| {
        format!("the convolutional code has no rate `{text}`: give 1/2, 2/3, 3/4, 5/6 or 7/8 as --code-rate")
    })
}

fn ldpc_code(rate: &str, information: u32) -> Result<(ldpc::Rate, ldpc::Length), String> {
    let rate = match rate {
        "1/2" => ldpc::Rate::Half,
        "2/3" => ldpc::Rate::TwoThirds,
        "4/5" => ldpc::Rate::FourFifths,
        other => return Err(format!("the LDPC code has no rate `{other}`: give 1/2, 2/3 or 4/5 as --code-rate")),
    };
    let length = match information {
        1024 => ldpc::Length::K1024,
        4096 => ldpc::Length::K4096,
        16384 => ldpc::Length::K16384,
        other => return Err(format!("no LDPC word has {other} bits: give 1024, 4096 or 16384 as --information")),
    };
    Ok((rate, length))
}

impl WaveformArguments {
    /// The waveform that they stand for.
    pub fn waveform(&self) -> Result<Waveform, String> {
        let modulation = match self.modulation {
            ModulationName::Bpsk => Modulation::Bpsk,
            ModulationName::Qpsk => Modulation::Qpsk,
            ModulationName::Oqpsk => Modulation::Oqpsk,
            ModulationName::Psk8 => Modulation::Psk8,
            ModulationName::Gmsk => Modulation::Gmsk { bandwidth_time: self.bandwidth_time },
            ModulationName::ResidualCarrier => Modulation::ResidualCarrier {
                index_rad: self.index,
                subcarrier: Subcarrier { shape: SubcarrierShape::Sine, cycles_per_symbol: self.subcarrier },
            },
        };
        let frame_octets = usize::try_from(self.frame.bytes()).unwrap_or(usize::MAX);
        let (corrects, depth) = (self.corrects, self.interleaving);
        let coding = match self.code {
            CodeName::Uncoded => Coding::Uncoded { frame_octets },
            CodeName::Convolutional => {
                Coding::Convolutional { rate: convolutional_rate(&self.code_rate)?, frame_octets }
            }
            CodeName::ReedSolomon => Coding::ReedSolomon { corrects, depth },
            CodeName::Concatenated => {
                Coding::Concatenated { corrects, depth, rate: convolutional_rate(&self.code_rate)? }
            }
            CodeName::Ldpc => {
                let (rate, length) = ldpc_code(&self.code_rate, self.information)?;
                Coding::Ldpc { rate, length }
            }
        };
        let usual = match self.modulation {
            ModulationName::ResidualCarrier => 16.0 * f64::from(self.subcarrier),
            ModulationName::Gmsk => 4.0,
            _ => 2.0,
        };
        let waveform = Waveform {
            modulation,
            roll_off: self.roll_off,
            samples_per_symbol: self.samples_per_symbol.unwrap_or(usual),
            randomiser: (!self.plain).then_some(Randomiser::Tm),
            ..Waveform::new(coding, 1.0)
        };
        let waveform = waveform.at_frame_rate_bps(self.rate.bps() as f64);
        waveform.validate().map_err(|error| {
            let flag = match error {
                WaveformError::Depth { .. } => " as --interleaving",
                WaveformError::Corrects { .. } => " as --corrects",
                WaveformError::FrameOctets { .. } => " as --frame",
                _ => "",
            };
            format!("the waveform: {error}{flag}")
        })?;
        Ok(waveform)
    }
}

/// A waveform in a line.
pub fn told(waveform: &Waveform) -> String {
    let code = match waveform.coding {
        Coding::Uncoded { .. } => "uncoded".to_owned(),
        Coding::Convolutional { rate, .. } => format!("convolutional {rate}"),
        Coding::ReedSolomon { corrects, depth } => {
            format!("Reed-Solomon (255,{}), {depth} interleaved", 255 - 2 * u16::from(corrects))
        }
        Coding::Concatenated { corrects, depth, rate } => {
            format!(
                "Reed-Solomon (255,{}), {depth} interleaved, and convolutional {rate}",
                255 - 2 * u16::from(corrects)
            )
        }
        Coding::Ldpc { .. } => format!("LDPC ({}, {})", 8 * waveform.block_octets(), 8 * waveform.frame_octets()),
    };
    format!(
        "{}, {code}, frames of {} octets, {:.6} Msymbol/s, {} samples a symbol",
        farlink_radio::waveform::name(&waveform.modulation),
        waveform.frame_octets(),
        waveform.symbol_rate_hz / 1e6,
        waveform.samples_per_symbol
    )
}
