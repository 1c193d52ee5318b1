//! What is looked at once in a window of strobes: amplitude, noise, lock and slips.

use super::{Design, Detector, Notice, Tracker, WIDE_WINDOWS};
use std::f64::consts::TAU;

impl Tracker {
    /// A guess at the amplitude, from the first strobes.
    pub(super) fn first_gain(&mut self, count: usize) {
        let mean = |axes: &[[f32; _]; 2]| {
            axes.iter().flat_map(|axis| &axis[..count]).map(|x| f64::from(*x).powi(2)).sum::<f64>() / count as f64
        };
        let power = mean(&self.strobes.matched);
        let share = self.energy / (1.0 + self.energy);
        self.gain = (1.0 / (power * share).max(1e-30).sqrt()) as f32;
        let carrier = mean(&self.strobes.carrier);
        self.carrier_amplitude = (carrier / 2.0).max(1e-30).sqrt() * f64::from(self.gain);
    }

    /// At the end of a window: amplitude and noise (one step of expectation maximisation), lock, slips, and whether to set the mixer anew.
    pub(super) fn look(&mut self, design: &Design) {
        let mut sums = std::mem::take(&mut self.sums);
        let n = f64::from(sums.strobes);
        // The first windows count in full, so that a first guess is soon forgotten.
        let share = 1.0 / f64::from((self.windows + 1).min(16));
        let mean = &mut self.mean;
        mean.along += (sums.along / n - mean.along) * share;
        mean.power += (sums.power / n - mean.power) * share;
        mean.across += (sums.across / n - mean.across) * share;
        // Signal and noise: BPSK's other axis has noise alone; elsewhere the amplitude that is believed is one step of expectation maximisation.
        let (signal, noise) = match design.detector {
            Detector::Bpsk | Detector::Carrier => (mean.power - mean.across, 2.0 * mean.across),
            Detector::Staggered => (mean.along * mean.along, 2.0 * (mean.power - mean.along * mean.along)),
            Detector::Qpsk | Detector::Psk8 => (mean.along * mean.along, mean.power - mean.along * mean.along),
        };
        let signal = signal.max(1e-3 * mean.power).max(1e-12);
        self.energy = signal / noise.max(1e-4 * signal);
        let factor = (1.0 / signal.sqrt()).clamp(0.1, 10.0);
        let gain = (f64::from(self.gain) * factor).clamp(1e-12, 1e20);
        let factor = gain / f64::from(self.gain);
        self.gain = gain as f32;
        mean.along *= factor;
        mean.power *= factor * factor;
        mean.across *= factor * factor;
        self.carrier_amplitude *= factor;
        let sure = (sums.gain / n).clamp(0.02, 1.0);
        self.timing_gain += (sure - self.timing_gain) * share;
        // A belief turns with the phase, too, which flattens the detector where there is noise: d/dφ of Im(y b*) over all symbols.
        let flat = match design.detector {
            Detector::Bpsk | Detector::Carrier => sure,
            Detector::Staggered => {
                let neighbours = design.leftover + 2.0 * f64::from(design.crosstalk).powi(2);
                sure - 2.0 * self.energy * neighbours * (1.0 - sure)
            }
            Detector::Qpsk | Detector::Psk8 => sums.slope / n,
        };
        self.detector_gain += (flat.clamp(0.1, 1.0) - self.detector_gain) * share;
        if matches!(design.detector, Detector::Bpsk | Detector::Staggered) {
            (sums.aligned, sums.weight) = (sums.power - sums.across, sums.power + sums.across);
        }
        let lock = if design.detector == Detector::Carrier {
            let carrier = sums.aligned / n * factor;
            self.carrier_amplitude += (carrier.max(1e-3) - self.carrier_amplitude) * share;
            carrier / factor / (sums.weight / n).max(1e-12).sqrt()
        } else {
            sums.aligned / sums.weight.max(1e-12)
        };
        self.lock += (lock - self.lock) / f64::from((self.windows + 1).min(patience(design.detector)));
        self.windows = self.windows.saturating_add(1);
        let settled = self.windows.saturating_sub(3 * WIDE_WINDOWS).clamp(1, 64);
        self.mean_rate += (self.carrier.turn_rate - self.mean_rate) / f64::from(settled);
        self.judge(design, lock, n);
        if self.retune.is_none() && self.carrier.turn.abs() > TAU * 1e-3 {
            let step = self.carrier.turn / TAU / design.sps;
            self.retune = Some((self.next_sample(), step));
        }
    }

    /// Least lock that is still one, and in how many strobes a slip shows.
    fn judge(&mut self, design: &Design, lock: f64, n: f64) {
        let e = self.energy;
        let (least, slip_strobes) = match design.detector {
            Detector::Bpsk => (0.12, 256.0),
            Detector::Carrier => (0.12, 256.0),
            Detector::Qpsk => (0.08, 512.0),
            // It is 0.08 at an Es/N0 of 7 dB, 0.11 at 8 dB; over thirty windows noise makes 0.01 of nothing.
            Detector::Psk8 => (0.04, 1024.0),
            // What there should be at this energy, and a third of it.
            Detector::Staggered => {
                (((1.0 - design.leftover) * e / ((1.0 + design.leftover) * e + 1.0) / 3.0).max(0.05), 1024.0)
            }
        };
        self.slip_sums.0 += lock * n;
        self.slip_sums.1 += n;
        if self.windows > 2 * WIDE_WINDOWS && self.slip_sums.1 >= slip_strobes {
            let mean = self.slip_sums.0 / self.slip_sums.1;
            if mean < 0.0 && !self.slipping {
                self.slipping = true;
                self.note(Notice::Slip);
            } else if mean > self.lock / 2.0 {
                self.slipping = false;
            }
            self.slip_sums = (0.0, 0.0, 0);
        }
        let patience = patience(design.detector);
        // Noise of a matched filter, looked at twice a symbol, is like itself enough to seem in lock; but it has no amplitude.
        let faint = design.detector == Detector::Staggered && e < 0.3;
        if self.windows >= patience && (self.lock < least || faint) {
            self.note(Notice::Lost);
        }
    }
}

/// Windows over which lock is averaged, and after which it is judged for the first time.
fn patience(detector: Detector) -> u32 {
    if matches!(detector, Detector::Staggered | Detector::Psk8) { 32 } else { 8 }
}
