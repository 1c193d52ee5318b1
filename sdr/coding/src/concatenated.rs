//! The concatenated code (CCSDS 131.0-B clauses 3 and 4 together): transfer frames into channel symbols and soft symbols into frames.
//!
//! Outer Reed–Solomon code, interleaved; randomiser, if wanted; sync marker before the code block; inner convolutional code over all of it.
//! The decoder wants a stream that begins with a marker: finding one in a stream that begins anywhere is frame synchronisation's part.

use crate::convolutional::{self, End, Quality, Rate, Viterbi};
use crate::reed_solomon::{FailedBlock, Interleaved, UseError};

/// What stands between the two codes, the same at both ends.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The Reed–Solomon code and its interleaving.
    pub outer: Interleaved,
    /// Adds the pseudo-random sequence to a code block (clause 10): doing it twice undoes it. `None` sends it as it is.
    pub randomise: Option<fn(&mut [u8])>,
    /// What is sent before each code block: the attached sync marker (clause 9), 1ACFFC1D.
    pub marker: Vec<u8>,
    /// The rate of the convolutional code.
    pub inner: Rate,
}

impl Layout {
    /// Octets of a marker with its code block: the channel access data unit.
    pub fn unit_len(&self) -> usize {
        self.marker.len() + self.outer.block_len()
    }
}

/// Frames into channel symbols, without a gap between them.
#[derive(Debug, Clone)]
pub struct Encoder {
    layout: Layout,
    inner: convolutional::Encoder,
    unit: Vec<u8>,
}

impl Encoder {
    /// An encoder that has sent nothing yet.
    pub fn new(layout: Layout) -> Self {
        let inner = convolutional::Encoder::new(layout.inner);
        Encoder { layout, inner, unit: Vec::new() }
    }

    /// Appends the channel symbols of this frame, as single bits.
    ///
    /// # Errors
    /// If the frame has not the length of the outer code's data. Nothing is sent then.
    pub fn encode(&mut self, frame: &[u8], symbols: &mut Vec<u8>) -> Result<(), UseError> {
        self.unit.clear();
        self.unit.extend_from_slice(&self.layout.marker);
        self.layout.outer.encode(frame, &mut self.unit)?;
        if let Some(randomise) = self.layout.randomise {
            randomise(&mut self.unit[self.layout.marker.len()..]);
        }
        self.inner.encode(&self.unit, symbols);
        Ok(())
    }
}

/// A frame as it came out of the decoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The data of the code block; where `corrected` is an error, with wrong symbols among them.
    pub frame: Vec<u8>,
    /// Symbols that the outer code corrected, or why it could not.
    pub corrected: Result<usize, FailedBlock>,
    /// Bits of the marker before it that were wrong.
    pub marker_errors: u32,
}

/// Soft symbols into frames. The first symbol must be the first of a marker.
#[derive(Debug, Clone)]
pub struct Decoder {
    layout: Layout,
    inner: Viterbi,
    octets: Vec<u8>,
}

impl Decoder {
    /// A decoder that has received nothing yet.
    pub fn new(layout: Layout) -> Self {
        let inner = Viterbi::new(layout.inner);
        Decoder { layout, inner, octets: Vec::new() }
    }

    /// Takes more soft symbols; gives the frames that are complete.
    pub fn decode(&mut self, symbols: &[i8]) -> Vec<Received> {
        self.inner.decode(symbols, &mut self.octets);
        self.frames()
    }

    /// Gives what is complete when no more symbols will come, and begins anew.
    pub fn finish(&mut self, end: End) -> Vec<Received> {
        self.inner.finish(end, &mut self.octets);
        let frames = self.frames();
        self.octets.clear();
        frames
    }

    /// How well the symbols fitted the inner code since the last call of this.
    pub fn take_quality(&mut self) -> Quality {
        self.inner.take_quality()
    }

    fn frames(&mut self) -> Vec<Received> {
        let length = self.layout.unit_len();
        let whole = self.octets.len() / length * length;
        let frames = self.octets[..whole].chunks_exact_mut(length).map(|unit| {
            let (marker, block) = unit.split_at_mut(self.layout.marker.len());
            let wrong = marker.iter().zip(&self.layout.marker).map(|(one, other)| (one ^ other).count_ones());
            let marker_errors = wrong.sum();
            if let Some(randomise) = self.layout.randomise {
                randomise(block);
            }
            let corrected = self.layout.outer.decode(block);
            Received { frame: block[..self.layout.outer.data_len()].to_vec(), corrected, marker_errors }
        });
        let frames = frames.collect();
        self.octets.drain(..whole);
        frames
    }
}
