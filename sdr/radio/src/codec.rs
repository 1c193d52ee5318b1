//! Transfer frames to channel bits, and blocks that were found back to transfer frames.

use farlink_coding::convolutional;
use farlink_coding::ldpc::{self, LdpcError};
use farlink_coding::marker::Lock;
use farlink_coding::reed_solomon::{FailedBlock, Interleaved};
use farlink_wire::ccsds::frame_error_control;

use crate::waveform::{Waveform, WaveformError};

/// Octets that are encoded behind the last frame, so that the decoder's last decisions on the frame are as sure as the others.
pub(crate) const TAIL: [u8; 4] = [0x55; 4];

/// Octets that are encoded before the first frame, so that its marker is not among the symbols with which a receiver begins.
const LEAD: [u8; 32] = [0x55; 32];

/// A frame of another length than the waveform's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a transfer frame of {found} octets, where this waveform has {expected}")]
pub struct FrameLength {
    /// Octets it had.
    pub found: usize,
    /// Octets it should have.
    pub expected: usize,
}

/// Frames to channel bits: outer code, randomiser, marker, inner code. There is no gap between frames.
#[derive(Debug, Clone)]
pub struct Encoder {
    waveform: Waveform,
    outer: Option<Interleaved>,
    ldpc: Option<ldpc::Encoder>,
    inner: Option<convolutional::Encoder>,
    random: Vec<u8>,
    unit: Vec<u8>,
}

impl Encoder {
    /// An encoder that has sent nothing yet.
    ///
    /// # Errors
    /// A waveform that cannot be.
    pub fn new(waveform: &Waveform) -> Result<Self, WaveformError> {
        waveform.validate()?;
        Ok(Encoder {
            waveform: *waveform,
            outer: waveform.coding.reed_solomon()?,
            ldpc: waveform.coding.ldpc().map(ldpc::Encoder::new),
            inner: waveform.coding.convolutional().map(convolutional::Encoder::new),
            random: random_octets(waveform),
            unit: Vec::new(),
        })
    }

    /// Appends the channel bits of a frame with its marker, one an octet.
    ///
    /// # Errors
    /// A frame of another length.
    pub fn encode(&mut self, frame: &[u8], bits: &mut Vec<u8>) -> Result<(), FrameLength> {
        let expected = self.waveform.frame_octets();
        let wrong = FrameLength { found: frame.len(), expected };
        if frame.len() != expected {
            return Err(wrong);
        }
        let marker = self.waveform.coding.marker().octets();
        self.unit.clear();
        self.unit.extend_from_slice(marker);
        match (&self.outer, &self.ldpc) {
            (Some(outer), _) => outer.encode(frame, &mut self.unit).map_err(|_| wrong)?,
            (None, Some(ldpc)) => self.unit.extend(ldpc.encode(frame).map_err(|_| wrong)?),
            (None, None) => self.unit.extend_from_slice(frame),
        }
        self.unit[marker.len()..].iter_mut().zip(&self.random).for_each(|(octet, random)| *octet ^= random);
        append(&mut self.inner, &self.unit, bits);
        Ok(())
    }

    /// Begins a transmission: appends some bits that are no frame, of which a receiver may miss the first. It can be left out.
    pub fn begin(&mut self, bits: &mut Vec<u8>) {
        append(&mut self.inner, &LEAD, bits);
    }

    /// Ends the transmission: appends what the decoder needs behind the last frame. The encoder then begins anew.
    pub fn finish(&mut self, bits: &mut Vec<u8>) {
        append(&mut self.inner, &TAIL, bits);
        self.inner = self.waveform.coding.convolutional().map(convolutional::Encoder::new);
    }
}

fn append(inner: &mut Option<convolutional::Encoder>, octets: &[u8], bits: &mut Vec<u8>) {
    match inner {
        Some(inner) => inner.encode(octets, bits),
        None => bits.extend(octets.iter().flat_map(|octet| (0..8).map(move |at| octet >> (7 - at) & 1))),
    }
}

/// What the randomiser adds to a block.
fn random_octets(waveform: &Waveform) -> Vec<u8> {
    let mut random = vec![0; waveform.block_octets()];
    if let Some(randomiser) = waveform.randomiser {
        randomiser.apply(&mut random);
    }
    random
}

/// What the code made of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Correction {
    /// There is no block code to tell.
    Unchecked,
    /// So many symbols of eight bits were corrected.
    Symbols(usize),
    /// A code word after so many iterations.
    Iterations(u32),
    /// So many of the code words could not be corrected, and are as they were received.
    Failed {
        /// Code words that failed.
        words: usize,
        /// Code words of the block.
        of: usize,
    },
}

/// A transfer frame as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Its octets, frame error control included; with errors if it was not corrected.
    pub octets: Vec<u8>,
    /// What the code made of it.
    pub correction: Correction,
    /// Whether its frame error control field is right; `None` if the waveform has none.
    pub error_control: Option<bool>,
    /// Wrong bits of the marker before it, after the convolutional decoder if there is one.
    pub marker_errors: u32,
    /// Whether its marker was found, or it was taken because it was due.
    pub lock: Lock,
    /// Which run of lock of the receiver it came in, from 1.
    pub run: u64,
    /// The channel bit of the run, from 0, at which the frame begins behind its marker. Exact but for the rounding of punctured codes.
    pub at: u64,
}

impl Received {
    /// Whether nothing speaks against it: neither the code nor the frame error control. Without either, everything passes.
    pub fn accepted(&self) -> bool {
        !matches!(self.correction, Correction::Failed { .. }) && self.error_control != Some(false)
    }
}

/// Where a block was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub marker_errors: u32,
    pub lock: Lock,
    pub run: u64,
    pub at: u64,
}

/// Blocks to frames.
#[derive(Debug, Clone)]
pub(crate) struct Decoder {
    waveform: Waveform,
    outer: Option<Interleaved>,
    ldpc: Option<ldpc::Decoder>,
    random: Vec<u8>,
}

impl Decoder {
    pub fn new(waveform: &Waveform, ldpc_iterations: u32) -> Result<Self, WaveformError> {
        Ok(Decoder {
            waveform: *waveform,
            outer: waveform.coding.reed_solomon()?,
            ldpc: waveform.coding.ldpc().map(|code| ldpc::Decoder::new(code, ldpc_iterations)),
            random: random_octets(waveform),
        })
    }

    /// The frame of the soft symbols of a block.
    pub fn decode(&mut self, mut soft: Vec<i8>, place: Place) -> Received {
        if let Some(ldpc) = &mut self.ldpc {
            for (soft, random) in soft.chunks_mut(8).zip(&self.random) {
                let flips = soft.iter_mut().enumerate().filter(|(at, _)| random << at & 0x80 != 0);
                flips.for_each(|(_, soft)| *soft = soft.saturating_neg());
            }
            let mut octets = vec![0; self.waveform.frame_octets()];
            let correction = match ldpc.decode(&soft, &mut octets) {
                Ok(decoded) => Correction::Iterations(decoded.iterations),
                Err(LdpcError::NoCodeword { .. } | LdpcError::Size { .. }) => Correction::Failed { words: 1, of: 1 },
            };
            return self.frame(octets, correction, place);
        }
        let mut octets: Vec<u8> =
            soft.chunks(8).map(|bits| bits.iter().fold(0, |octet, soft| octet << 1 | u8::from(*soft < 0))).collect();
        octets.iter_mut().zip(&self.random).for_each(|(octet, random)| *octet ^= random);
        let Some(outer) = &self.outer else { return self.frame(octets, Correction::Unchecked, place) };
        let words = self.waveform.block_octets() / 255;
        let correction = match outer.decode(&mut octets) {
            Ok(symbols) => Correction::Symbols(symbols),
            Err(FailedBlock::Uncorrectable { failed, of, .. }) => Correction::Failed { words: failed, of },
            Err(FailedBlock::Use(_)) => Correction::Failed { words, of: words },
        };
        octets.truncate(self.waveform.frame_octets());
        self.frame(octets, correction, place)
    }

    fn frame(&self, octets: Vec<u8>, correction: Correction, place: Place) -> Received {
        let error_control = self.waveform.frame_error_control.then(|| {
            octets
                .split_last_chunk::<2>()
                .is_some_and(|(before, field)| frame_error_control(before) == u16::from_be_bytes(*field))
        });
        let Place { marker_errors, lock, run, at } = place;
        Received { octets, correction, error_control, marker_errors, lock, run, at }
    }
}
