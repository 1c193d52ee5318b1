//! Tones in a row.

use super::{Row, Scale};

/// Something that stands out of the noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// The bin that is highest.
    pub bin: usize,
    /// Its frequency, in Hz, between the bins.
    pub frequency_hz: f64,
    /// Its power, in dBFS, or in dBm if the scale is dBm/Hz.
    pub power_db: f64,
}

impl Row {
    /// The highest peaks, the highest first: at most so many, each at least so far above the noise, in dB, and further from a
    /// higher one than the main lobe of the window is wide.
    ///
    /// The power of a peak is that in its main lobe, so that it is right wherever between two bins its tone is; its frequency
    /// is the centre of that power. Noise in the lobe counts in. Two tones within a lobe are one peak.
    pub fn peaks(&self, most: usize, above_noise_db: f32) -> Vec<Peak> {
        let bins = self.levels.len();
        let half = self.config.window.half_lobe();
        let least = self.noise_floor_db() + above_noise_db;
        let mut order: Vec<usize> = (0..bins).filter(|bin| self.levels[*bin] >= least && self.crest(*bin)).collect();
        order.sort_by(|a, b| self.levels[*b].total_cmp(&self.levels[*a]));
        let mut peaks = Vec::new();
        let mut taken = vec![false; bins];
        for bin in order {
            if peaks.len() >= most {
                break;
            }
            if !taken[bin] {
                let lobes = 2 * half as isize;
                (-lobes..=lobes).for_each(|offset| taken[self.beside(bin, offset)] = true);
                peaks.push(self.peak(bin));
            }
        }
        peaks
    }

    /// The bin `offset` bins further round the band, which is a circle: what leaves it above comes in below.
    fn beside(&self, bin: usize, offset: isize) -> usize {
        let bins = self.levels.len() as isize;
        (bin as isize + offset).rem_euclid(bins) as usize
    }

    /// Whether no bin beside this one is higher.
    fn crest(&self, bin: usize) -> bool {
        let level = self.levels[bin];
        level > self.levels[self.beside(bin, -1)] && level >= self.levels[self.beside(bin, 1)]
    }

    fn peak(&self, bin: usize) -> Peak {
        let half = self.config.window.half_lobe() as isize;
        let (mut sum, mut moment) = (0.0, 0.0);
        for offset in -half..=half {
            let power = 10f64.powf(f64::from(self.levels[self.beside(bin, offset)]) / 10.0);
            sum += power;
            moment += power * offset as f64;
        }
        // By Parseval's theorem a tone's bins add up to its power times what a bin takes in of noise.
        let power = match self.config.scale {
            Scale::Dbfs => sum / self.config.window.noise_bandwidth(),
            Scale::DbmPerHz { .. } => sum * self.config.bin_hz(),
        };
        Peak {
            bin,
            frequency_hz: self.frequency_hz(bin) + moment / sum * self.config.bin_hz(),
            power_db: 10.0 * power.log10(),
        }
    }
}
