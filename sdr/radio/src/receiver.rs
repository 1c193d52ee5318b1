//! Samples to transfer frames.

use std::collections::VecDeque;

use farlink_coding::marker::Lock;
use farlink_modem::{self as modem, EventKind, Modulation, Output, ReceiverConfig};
use num_complex::Complex32;

use crate::codec::{Decoder, Received};
use crate::deframe::{Block, Deframer, READING};
use crate::waveform::{Waveform, WaveformError};

/// What only the receiver decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReceiverSettings {
    /// The carrier is looked for from minus this to plus this, Hz; `None` is ±20 kHz or as much as fits in the sample rate.
    pub max_offset_hz: Option<f64>,
    /// Fastest change of the offset that the search allows for, Hz/s.
    pub max_rate_hz_s: f64,
    /// One-sided noise bandwidth of the carrier loop over the symbol rate; `None` is what suits the modulation.
    pub carrier_bandwidth: Option<f64>,
    /// The same of the symbol clock's loop.
    pub timing_bandwidth: Option<f64>,
    /// Iterations after which the LDPC decoder gives up.
    pub ldpc_iterations: u32,
}

impl Default for ReceiverSettings {
    /// ±20 kHz, 5 kHz/s, and 100 iterations.
    fn default() -> Self {
        ReceiverSettings {
            max_offset_hz: None,
            max_rate_hz_s: 5e3,
            carrier_bandwidth: None,
            timing_bandwidth: None,
            ldpc_iterations: 100,
        }
    }
}

impl ReceiverSettings {
    fn modem(&self, waveform: &Waveform) -> ReceiverConfig {
        let usual = ReceiverConfig::new(waveform.signal());
        ReceiverConfig {
            max_offset_hz: self.max_offset_hz.unwrap_or(usual.max_offset_hz),
            max_rate_hz_s: self.max_rate_hz_s,
            carrier_bandwidth: self.carrier_bandwidth.unwrap_or(usual.carrier_bandwidth),
            timing_bandwidth: self.timing_bandwidth.unwrap_or(usual.timing_bandwidth),
            ..usual
        }
    }
}

/// What a receiver knows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Status {
    /// Carrier, symbol clock and signal strength.
    pub modem: modem::Status,
    /// Frames.
    pub frames: Lock,
    /// Frames that came out so far.
    pub received: u64,
    /// Of those, how many the code or the frame error control refused.
    pub refused: u64,
}

/// Finds a signal in samples, and frames in the signal, from cold.
///
/// It does not ask for the time and holds no more than some frames; what comes out does not depend on how the samples are cut in pieces.
#[derive(Debug)]
pub struct Receiver {
    modem: modem::Receiver,
    deframer: Deframer,
    decoder: Decoder,
    output: Output,
    /// Soft symbols before those in `output`.
    passed: u64,
    blocks: Vec<Block>,
    frames: VecDeque<Received>,
    received: u64,
    refused: u64,
}

impl Receiver {
    /// A receiver that has heard nothing yet.
    ///
    /// # Errors
    /// A field that cannot be, by name.
    pub fn new(waveform: &Waveform, settings: &ReceiverSettings) -> Result<Self, WaveformError> {
        waveform.validate()?;
        Ok(Receiver {
            modem: modem::Receiver::new(&settings.modem(waveform))?,
            deframer: Deframer::new(waveform),
            decoder: Decoder::new(waveform, settings.ldpc_iterations)?,
            output: Output::default(),
            passed: 0,
            blocks: Vec::new(),
            frames: VecDeque::new(),
            received: 0,
            refused: 0,
        })
    }

    /// Takes samples. Frames then wait to be [polled](Self::poll).
    pub fn process(&mut self, samples: &[Complex32]) {
        self.modem.process(samples, &mut self.output);
        self.digest();
    }

    /// No more samples come: gives what can still be had. The receiver is of no use for what follows; take a new one.
    pub fn finish(&mut self) {
        self.modem.finish(&mut self.output);
        self.digest();
        self.deframer.end(&mut self.blocks);
        self.decode();
    }

    /// The next frame, in order.
    pub fn poll(&mut self) -> Option<Received> {
        self.frames.pop_front()
    }

    /// What it knows.
    pub fn status(&self) -> Status {
        let (received, refused) = (self.received, self.refused);
        Status { modem: self.modem.status(), frames: self.deframer.lock(), received, refused }
    }

    fn digest(&mut self) {
        let output = std::mem::take(&mut self.output);
        let mut soft = &output.soft[..];
        for event in &output.events {
            let (before, after) = soft.split_at(((event.soft_symbols - self.passed) as usize).min(soft.len()));
            self.take(before);
            soft = after;
            match event.kind {
                EventKind::Acquired => self.deframer.begin(&mut self.blocks),
                EventKind::SlipSuspected => self.deframer.doubt(),
                EventKind::Lost => self.deframer.end(&mut self.blocks),
            }
        }
        self.take(soft);
        self.decode();
        self.output = output;
        self.output.soft.clear();
        self.output.events.clear();
    }

    fn take(&mut self, soft: &[i8]) {
        self.passed += soft.len() as u64;
        self.deframer.take(soft, &mut self.blocks);
    }

    fn decode(&mut self) {
        for (soft, place) in self.blocks.drain(..) {
            let frame = self.decoder.decode(soft, place);
            self.received += 1;
            self.refused += u64::from(!frame.accepted());
            self.frames.push_back(frame);
        }
    }
}

/// Symbols after the end of a frame until a receiver has either put it out or never will: at most, whatever it has to find anew meanwhile.
///
/// It is the longest window of the modem's search twice (a signal that begins within a window is found in the next one, and demodulated from its
/// beginning), what its filters and loops hold, and what is collected, decoded and found behind them.
pub fn latency_symbols(waveform: &Waveform) -> f64 {
    let window = match waveform.modulation {
        Modulation::Bpsk => 4096.0,
        Modulation::Qpsk | Modulation::Oqpsk => 8192.0,
        Modulation::Psk8 | Modulation::Gmsk { .. } => 16_384.0,
        Modulation::ResidualCarrier { .. } => 2048.0,
    };
    let bits = f64::from(waveform.modulation.bits_per_symbol());
    // Pieces; with a convolutional code the reading, and two segments with their depth in the decoder, in channel bits.
    let held = match waveform.coding.convolutional() {
        None => 1536.0,
        Some(rate) => READING as f64 + 1536.0 + (2.0 * 1024.0 + 192.0 + 8.0) / rate.ratio(),
    };
    2.0 * window + 2048.0 + held / bits
}
