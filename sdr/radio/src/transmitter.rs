//! Transfer frames to samples.

use farlink_modem::Modulator;
use num_complex::Complex32;

use crate::codec::{Encoder, FrameLength};
use crate::waveform::{Waveform, WaveformError};

/// Makes samples of transfer frames, without a gap between them; before the first are 256 bits that are no frame. The mean power is 1, unless [`set_amplitude`](Self::set_amplitude) says otherwise.
#[derive(Debug)]
pub struct Transmitter {
    waveform: Waveform,
    encoder: Encoder,
    /// `None` while nothing is sent.
    modulator: Option<Modulator>,
    bits: Vec<u8>,
    /// Bits since the transmission began.
    sent_bits: u64,
    amplitude: f32,
}

impl Transmitter {
    /// A transmitter that has sent nothing yet.
    ///
    /// # Errors
    /// A waveform that cannot be.
    pub fn new(waveform: &Waveform) -> Result<Self, WaveformError> {
        let encoder = Encoder::new(waveform)?;
        // So that it cannot fail later.
        Modulator::new(&waveform.signal())?;
        Ok(Transmitter {
            waveform: *waveform,
            encoder,
            modulator: None,
            bits: Vec::new(),
            sent_bits: 0,
            amplitude: 1.0,
        })
    }

    /// What the samples that come next are multiplied by.
    pub fn set_amplitude(&mut self, amplitude: f32) {
        self.amplitude = amplitude;
    }

    /// Appends the samples of a frame, but for those that the frame after it has a part in.
    ///
    /// # Errors
    /// A frame of another length.
    pub fn send(&mut self, frame: &[u8], samples: &mut Vec<Complex32>) -> Result<(), FrameLength> {
        self.bits.clear();
        let expected = self.waveform.frame_octets();
        if frame.len() != expected {
            return Err(FrameLength { found: frame.len(), expected });
        }
        if self.modulator.is_none() {
            self.encoder.begin(&mut self.bits);
        }
        self.encoder.encode(frame, &mut self.bits)?;
        self.modulate(samples);
        Ok(())
    }

    /// Ends the transmission: appends the rest of the last frame, and a tail that lets its last bits be decided. What is sent next begins a new one.
    pub fn finish(&mut self, samples: &mut Vec<Complex32>) {
        self.bits.clear();
        if self.modulator.is_none() {
            return;
        }
        self.encoder.finish(&mut self.bits);
        let group = u64::from(self.waveform.modulation.bits_per_symbol());
        let whole = (self.sent_bits + self.bits.len() as u64).next_multiple_of(group) - self.sent_bits;
        self.bits.resize(whole as usize, 0);
        self.modulate(samples);
        let from = samples.len();
        if let Some(modulator) = self.modulator.take() {
            modulator.finish(samples);
        }
        self.scale(&mut samples[from..]);
        self.sent_bits = 0;
    }

    fn modulate(&mut self, samples: &mut Vec<Complex32>) {
        let from = samples.len();
        let signal = self.waveform.signal();
        let modulator =
            self.modulator.get_or_insert_with(|| Modulator::new(&signal).expect("the waveform was found valid"));
        modulator.modulate(&self.bits, samples);
        self.sent_bits += self.bits.len() as u64;
        self.scale(&mut samples[from..]);
    }

    fn scale(&self, samples: &mut [Complex32]) {
        if self.amplitude != 1.0 {
            samples.iter_mut().for_each(|sample| *sample *= self.amplitude);
        }
    }
}
