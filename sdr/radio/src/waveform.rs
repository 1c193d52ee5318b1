//! What both ends of a radio link agree on.

use farlink_coding::convolutional::Rate;
use farlink_coding::ldpc;
use farlink_coding::marker::Marker;
use farlink_coding::randomiser::Randomiser;
use farlink_coding::reed_solomon::{Code, Depth, Interleaved, ReedSolomon};
use farlink_modem::{ConfigError, Modulation, Signal};
use serde::Serialize;

/// Longest transfer frame of the codes that leave it open, in octets (732.0-B-4 section 4.1.1: what 16 bits of length can say).
pub const LONGEST_FRAME_OCTETS: usize = 65_536;
/// Shortest transfer frame of the codes that leave it open, in octets: headers, error control and some data.
pub const SHORTEST_FRAME_OCTETS: usize = 16;

/// The code between transfer frames and channel symbols (131.0-B).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case", tag = "code")]
pub enum Coding {
    /// None: marker and frame as they are.
    Uncoded {
        /// Octets of a transfer frame.
        frame_octets: usize,
    },
    /// Convolutional, K = 7.
    Convolutional {
        /// 1/2 to 7/8.
        #[serde(with = "as_text::convolutional")]
        rate: Rate,
        /// Octets of a transfer frame.
        frame_octets: usize,
    },
    /// Reed–Solomon, dual basis, no virtual fill.
    ReedSolomon {
        /// E, how many symbols of a code word can be corrected: 16 is (255,223), 8 is (255,239).
        corrects: u8,
        /// Code words in a block: 1, 2, 3, 4, 5 or 8.
        depth: u8,
    },
    /// Reed–Solomon inside the convolutional code.
    Concatenated {
        /// As of [`Coding::ReedSolomon`].
        corrects: u8,
        /// As of [`Coding::ReedSolomon`].
        depth: u8,
        /// Of the convolutional code.
        #[serde(with = "as_text::convolutional")]
        rate: Rate,
    },
    /// LDPC, AR4JA; a transfer frame is one information block.
    Ldpc {
        /// 1/2, 2/3 or 4/5.
        #[serde(with = "as_text::ldpc_rate")]
        rate: ldpc::Rate,
        /// Information bits: 1024, 4096 or 16384.
        #[serde(with = "as_text::ldpc_length")]
        length: ldpc::Length,
    },
}

impl Coding {
    /// The Reed–Solomon code in it, if there is one.
    ///
    /// # Errors
    /// E or a depth that the standard does not have.
    pub fn reed_solomon(&self) -> Result<Option<Interleaved>, WaveformError> {
        let (Coding::ReedSolomon { corrects, depth } | Coding::Concatenated { corrects, depth, .. }) = *self else {
            return Ok(None);
        };
        let code = match corrects {
            16 => Code::E16,
            8 => Code::E8,
            found => return Err(WaveformError::Corrects { found }),
        };
        let depth = Depth::try_from(usize::from(depth)).map_err(|_| WaveformError::Depth { found: depth })?;
        Ok(Some(Interleaved::new(ReedSolomon::new(code), depth)))
    }

    /// The rate of the convolutional code in it, if there is one.
    pub fn convolutional(&self) -> Option<Rate> {
        match *self {
            Coding::Convolutional { rate, .. } | Coding::Concatenated { rate, .. } => Some(rate),
            _ => None,
        }
    }

    /// The LDPC code, if it is one.
    pub fn ldpc(&self) -> Option<ldpc::Code> {
        match *self {
            Coding::Ldpc { rate, length } => Some(ldpc::Code::Ar4ja(rate, length)),
            _ => None,
        }
    }

    /// The marker before each block (131.0-B-5 section 9.3).
    pub fn marker(&self) -> Marker {
        if self.ldpc().is_some() { Marker::LDPC } else { Marker::STANDARD }
    }
}

/// Everything that a transmitter and a receiver have to agree on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Waveform {
    /// How bits are put on the carrier.
    #[serde(with = "as_text::modulation")]
    pub modulation: Modulation,
    /// Roll-off of the root-raised-cosine pulse, 0.1 to 1. Not used by GMSK and by residual carriers.
    pub roll_off: f64,
    /// Symbols a second.
    pub symbol_rate_hz: f64,
    /// Samples of one symbol: at least 2, and 8 times the subcarrier's cycles of a residual carrier; need not be whole.
    pub samples_per_symbol: f64,
    /// The code.
    pub coding: Coding,
    /// The sequence that is added to frames; `None` sends them as they are, and then it is for the frames to have transitions.
    #[serde(with = "as_text::randomiser")]
    pub randomiser: Option<Randomiser>,
    /// Whether the last two octets of each transfer frame are its frame error control field. Who makes the frames puts it there; the receiver checks it.
    pub frame_error_control: bool,
}

/// A field that cannot be, with what would do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WaveformError {
    /// The signal cannot be made.
    #[error(transparent)]
    Signal(#[from] ConfigError),
    /// A number of samples that is none.
    #[error("`samples_per_symbol` is {0}: give a number from 2 to 4096")]
    SamplesPerSymbol(f64),
    /// A Reed–Solomon code that there is not.
    #[error("`coding.corrects` is {found}: give 16, for (255,223), or 8, for (255,239)")]
    Corrects {
        /// What it was.
        found: u8,
    },
    /// An interleaving that there is not.
    #[error("`coding.depth` is {found}: give 1, 2, 3, 4, 5 or 8")]
    Depth {
        /// What it was.
        found: u8,
    },
    /// A frame of no use.
    #[error("`coding.frame_octets` is {found}: give {SHORTEST_FRAME_OCTETS} to {LONGEST_FRAME_OCTETS} octets")]
    FrameOctets {
        /// What it was.
        found: usize,
    },
}

impl Waveform {
    /// BPSK of this symbol rate with roll-off 0.5, two samples a symbol, the randomiser of telemetry and frame error control.
    pub fn new(coding: Coding, symbol_rate_hz: f64) -> Self {
        Waveform {
            modulation: Modulation::Bpsk,
            roll_off: 0.5,
            symbol_rate_hz,
            samples_per_symbol: 2.0,
            coding,
            randomiser: Some(Randomiser::Tm),
            frame_error_control: true,
        }
    }

    /// Refuses what cannot be.
    ///
    /// # Errors
    /// The field that is wrong, by name, and what would do.
    pub fn validate(&self) -> Result<(), WaveformError> {
        let sps = self.samples_per_symbol;
        if !(2.0 - 1e-9..=4096.0).contains(&sps) {
            return Err(WaveformError::SamplesPerSymbol(sps));
        }
        self.signal().validate()?;
        self.coding.reed_solomon()?;
        if let Coding::Uncoded { frame_octets: found } | Coding::Convolutional { frame_octets: found, .. } = self.coding
            && !(SHORTEST_FRAME_OCTETS..=LONGEST_FRAME_OCTETS).contains(&found)
        {
            return Err(WaveformError::FrameOctets { found });
        }
        Ok(())
    }

    /// What the modem has to know.
    pub fn signal(&self) -> Signal {
        Signal {
            modulation: self.modulation,
            roll_off: self.roll_off,
            symbol_rate_hz: self.symbol_rate_hz,
            sample_rate_hz: self.sample_rate_hz(),
        }
    }

    /// Samples a second.
    pub fn sample_rate_hz(&self) -> f64 {
        self.symbol_rate_hz * self.samples_per_symbol
    }

    /// Octets of a transfer frame.
    pub fn frame_octets(&self) -> usize {
        match self.coding {
            Coding::Uncoded { frame_octets } | Coding::Convolutional { frame_octets, .. } => frame_octets,
            Coding::ReedSolomon { corrects, depth } | Coding::Concatenated { corrects, depth, .. } => {
                (255 - 2 * usize::from(corrects)) * usize::from(depth)
            }
            Coding::Ldpc { .. } => self.coding.ldpc().map_or(0, ldpc::Code::information_octets),
        }
    }

    /// Octets of what the frame becomes before the convolutional code: itself, a block or a code word.
    pub fn block_octets(&self) -> usize {
        match self.coding {
            Coding::Uncoded { frame_octets } | Coding::Convolutional { frame_octets, .. } => frame_octets,
            Coding::ReedSolomon { depth, .. } | Coding::Concatenated { depth, .. } => 255 * usize::from(depth),
            Coding::Ldpc { .. } => self.coding.ldpc().map_or(0, ldpc::Code::codeword_octets),
        }
    }

    /// Bits of a marker with its block: the channel access data unit, before the convolutional code.
    pub fn unit_bits(&self) -> usize {
        self.coding.marker().bits() + 8 * self.block_octets()
    }

    /// k/n of the code: bits of a transfer frame for each channel bit. The marker is not counted.
    pub fn code_rate(&self) -> f64 {
        let inner = self.coding.convolutional().map_or(1.0, Rate::ratio);
        inner * self.frame_octets() as f64 / self.block_octets() as f64
    }

    /// Channel bits of a frame with its marker. Not always whole with a punctured code: then the mean.
    pub fn channel_bits_per_frame(&self) -> f64 {
        self.unit_bits() as f64 / self.coding.convolutional().map_or(1.0, Rate::ratio)
    }

    /// Symbols of a frame with its marker, or their mean.
    pub fn symbols_per_frame(&self) -> f64 {
        self.channel_bits_per_frame() / f64::from(self.modulation.bits_per_symbol())
    }

    /// Seconds that a frame takes.
    pub fn frame_duration_s(&self) -> f64 {
        self.symbols_per_frame() / self.symbol_rate_hz
    }

    /// Bits of transfer frames a second, with marker and code taken off.
    pub fn frame_rate_bps(&self) -> f64 {
        8.0 * self.frame_octets() as f64 / self.frame_duration_s()
    }

    /// The same waveform at the symbol rate that carries this many bits of transfer frames a second.
    #[must_use]
    pub fn at_frame_rate_bps(mut self, bits_per_second: f64) -> Self {
        self.symbol_rate_hz = bits_per_second * self.symbols_per_frame() / (8.0 * self.frame_octets() as f64);
        self
    }

    /// Es/N0 of a symbol in dB at this Eb/N0 in dB, where Eb is the energy of a bit of a transfer frame and the marker, as an overhead, is not counted.
    /// So it is the Eb/N0 of theory and of `farlink-channel-models`.
    pub fn es_n0_db(&self, eb_n0_db: f64) -> f64 {
        eb_n0_db + to_db(self.code_rate() * f64::from(self.modulation.bits_per_symbol()))
    }

    /// The reverse of [`es_n0_db`](Self::es_n0_db).
    pub fn eb_n0_db(&self, es_n0_db: f64) -> f64 {
        es_n0_db - to_db(self.code_rate() * f64::from(self.modulation.bits_per_symbol()))
    }

    /// N0 as `farlink-iq-channel` takes it, the variance of a complex sample, for a signal of mean power 1 at this Eb/N0 in dB.
    pub fn n0(&self, eb_n0_db: f64) -> f64 {
        self.samples_per_symbol / from_db(self.es_n0_db(eb_n0_db))
    }

    /// Eb/N0 in dB from C/N0 in dBHz: power over noise density, as a link budget has it. The energy of the markers is taken off.
    pub fn eb_n0_db_of_c_n0(&self, c_n0_dbhz: f64) -> f64 {
        self.eb_n0_db(c_n0_dbhz - to_db(self.symbol_rate_hz))
    }
}

fn to_db(ratio: f64) -> f64 {
    10.0 * ratio.log10()
}

pub(crate) fn from_db(db: f64) -> f64 {
    10f64.powf(db / 10.0)
}

/// Types of other crates as people write them.
mod as_text {
    macro_rules! text {
        ($name:ident, $type:ty, $value:ident => $text:expr) => {
            pub mod $name {
                #[allow(unused_imports, reason = "not every text needs them")]
                use super::super::*;
                pub fn serialize<S: serde::Serializer>($value: &$type, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(&$text)
                }
            }
        };
    }
    text!(convolutional, Rate, rate => rate);
    text!(ldpc_rate, ldpc::Rate, rate => match rate {
        ldpc::Rate::Half => "1/2",
        ldpc::Rate::TwoThirds => "2/3",
        ldpc::Rate::FourFifths => "4/5",
    });
    text!(ldpc_length, ldpc::Length, length => match length {
        ldpc::Length::K1024 => "1024",
        ldpc::Length::K4096 => "4096",
        ldpc::Length::K16384 => "16384",
    });
    text!(randomiser, Option<Randomiser>, randomiser => match randomiser {
        None => "none",
        Some(Randomiser::Tm) => "tm",
        Some(Randomiser::TmLong) => "tm-long",
        Some(Randomiser::Tc) => "tc",
    });
    text!(modulation, Modulation, modulation => name(modulation));
}

/// A modulation as people write it.
pub fn name(modulation: &Modulation) -> String {
    match modulation {
        Modulation::Bpsk => "bpsk".into(),
        Modulation::Qpsk => "qpsk".into(),
        Modulation::Oqpsk => "oqpsk".into(),
        Modulation::Psk8 => "8psk".into(),
        Modulation::Gmsk { bandwidth_time } => format!("gmsk, BT {bandwidth_time}"),
        Modulation::ResidualCarrier { index_rad, subcarrier } => {
            let shape = match subcarrier.shape {
                farlink_modem::SubcarrierShape::Sine => "sine",
                farlink_modem::SubcarrierShape::Square => "square",
            };
            format!("residual carrier, {index_rad} rad, {shape} of {} cycles a symbol", subcarrier.cycles_per_symbol)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waveform(coding: Coding) -> Waveform {
        Waveform::new(coding, 1e6)
    }

    #[test]
    fn lengths_and_rates_are_those_of_the_codes() {
        let concatenated = waveform(Coding::Concatenated { corrects: 16, depth: 5, rate: Rate::Half });
        assert_eq!((concatenated.frame_octets(), concatenated.block_octets()), (1115, 1275));
        assert_eq!(concatenated.symbols_per_frame(), 2.0 * 8.0 * 1279.0);
        assert!((concatenated.code_rate() - 223.0 / 510.0).abs() < 1e-15);
        let ldpc = waveform(Coding::Ldpc { rate: ldpc::Rate::TwoThirds, length: ldpc::Length::K4096 });
        assert_eq!((ldpc.frame_octets(), ldpc.unit_bits()), (512, 64 + 6144));
        let punctured = waveform(Coding::Convolutional { rate: Rate::SevenEighths, frame_octets: 100 });
        assert!((punctured.symbols_per_frame() - 832.0 * 8.0 / 7.0).abs() < 1e-9);
        for coding in [concatenated.coding, ldpc.coding, punctured.coding] {
            waveform(coding).validate().unwrap();
        }
    }

    #[test]
    fn energies_are_those_of_bits_of_frames() {
        // Rate 1/2 halves the energy of a symbol, two bits a symbol double it.
        let mut half = waveform(Coding::Ldpc { rate: ldpc::Rate::Half, length: ldpc::Length::K1024 });
        assert!((half.es_n0_db(3.0) - (3.0 - 3.0103)).abs() < 1e-4);
        half.modulation = Modulation::Qpsk;
        assert!((half.es_n0_db(3.0) - 3.0).abs() < 1e-9);
        assert!((half.eb_n0_db(half.es_n0_db(1.7)) - 1.7).abs() < 1e-12);
        // Es is two samples of power 1.
        assert!((half.n0(0.0) - 2.0).abs() < 1e-9);
        // 60 dBHz at 1 Msymbol/s is Es/N0 of 0 dB.
        assert!((half.eb_n0_db_of_c_n0(60.0)).abs() < 1e-9);
        let faster = half.at_frame_rate_bps(2e6);
        assert!((faster.frame_rate_bps() - 2e6).abs() < 1e-6);
    }

    #[test]
    fn what_cannot_be_is_named() {
        let refused = |waveform: Waveform| waveform.validate().unwrap_err().to_string();
        let good = waveform(Coding::Uncoded { frame_octets: 100 });
        assert!(refused(Waveform { samples_per_symbol: f64::NAN, ..good }).contains("`samples_per_symbol` is NaN"));
        assert!(refused(Waveform { samples_per_symbol: 1.5, ..good }).contains("`samples_per_symbol` is 1.5"));
        assert!(refused(Waveform { symbol_rate_hz: -1.0, ..good }).contains("`symbol_rate_hz`"));
        assert!(refused(Waveform { roll_off: 3.0, ..good }).contains("`roll_off`"));
        for frame_octets in [0, 15, 65_537] {
            let text = refused(waveform(Coding::Uncoded { frame_octets }));
            assert!(text.contains(&format!("`coding.frame_octets` is {frame_octets}")), "{text}");
        }
        let text = refused(waveform(Coding::ReedSolomon { corrects: 7, depth: 5 }));
        assert!(text.contains("`coding.corrects` is 7"), "{text}");
        let text = refused(waveform(Coding::Concatenated { corrects: 8, depth: 6, rate: Rate::Half }));
        assert!(text.contains("`coding.depth` is 6"), "{text}");
    }

    #[test]
    fn a_waveform_is_written_as_people_say_it() {
        let waveform = waveform(Coding::Concatenated { corrects: 16, depth: 5, rate: Rate::ThreeQuarters });
        let text = serde_json::to_string(&waveform).unwrap();
        assert!(text.contains(r#""modulation":"bpsk""#), "{text}");
        assert!(text.contains(r#""coding":{"code":"concatenated","corrects":16,"depth":5,"rate":"3/4"}"#), "{text}");
        assert!(text.contains(r#""randomiser":"tm""#), "{text}");
    }
}
