//! Samples to rows.

use std::fmt;
use std::sync::Arc;

use num_complex::Complex32;
use rustfft::{Fft, FftPlanner};

use super::{Config, ConfigError, Row, Scale};

/// Makes rows of samples as they come.
///
/// It holds one segment of samples and one row, whatever is given to it. A sample that is not a finite number counts as 0, and
/// is counted.
pub struct Spectrum {
    config: Config,
    fft: Arc<dyn Fft<f32>>,
    weights: Vec<f32>,
    /// What makes a squared bin of the transform a power in the unit of the scale.
    factor: f64,
    segment: Vec<Complex32>,
    work: Vec<Complex32>,
    scratch: Vec<Complex32>,
    sums: Vec<f64>,
    summed: usize,
    /// The number of the first sample in the segment, and of the first in the row.
    segment_start: u64,
    row_start: u64,
    /// The device's time at a sample, if it was told.
    time: Option<(u64, i64)>,
    invalid: u64,
}

impl fmt::Debug for Spectrum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spectrum")
            .field("config", &self.config)
            .field("at", &self.segment_start)
            .finish_non_exhaustive()
    }
}

impl Spectrum {
    /// A spectrum that begins with the next sample, which is number 0.
    ///
    /// # Errors
    /// It cannot be made so.
    pub fn new(config: Config) -> Result<Spectrum, ConfigError> {
        config.check()?;
        let weights = config.window.weights(config.size);
        let (sum, squares) = weights.iter().fold((0.0, 0.0), |(sum, squares), w| (sum + w, squares + w * w));
        let factor = match config.scale {
            Scale::Dbfs => 1.0 / (sum * sum),
            Scale::DbmPerHz { full_scale_dbm } => 10f64.powf(full_scale_dbm / 10.0) / (squares * config.sample_rate_hz),
        };
        let fft = FftPlanner::new().plan_fft_forward(config.size);
        Ok(Spectrum {
            config,
            weights: weights.into_iter().map(|weight| weight as f32).collect(),
            factor,
            segment: Vec::with_capacity(config.size),
            work: vec![Complex32::default(); config.size],
            scratch: vec![Complex32::default(); fft.get_inplace_scratch_len()],
            fft,
            sums: vec![0.0; config.size],
            summed: 0,
            segment_start: 0,
            row_start: 0,
            time: None,
            invalid: 0,
        })
    }

    /// How it is made.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How many samples were not finite numbers.
    pub fn invalid(&self) -> u64 {
        self.invalid
    }

    /// Takes samples that follow on, the first of them at the device's time in nanoseconds if it is known, and gives each row
    /// that is full.
    pub fn push(&mut self, samples: &[Complex32], at_ns: Option<i64>, row: &mut dyn FnMut(Row)) {
        if let Some(at_ns) = at_ns {
            self.time = Some((self.segment_start + self.segment.len() as u64, at_ns));
        }
        let mut rest = samples;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(self.config.size - self.segment.len()));
            rest = later;
            let invalid = &mut self.invalid;
            self.segment.extend(now.iter().map(|sample| match sample.is_finite() {
                true => *sample,
                false => {
                    *invalid += 1;
                    Complex32::default()
                }
            }));
            if self.segment.len() == self.config.size {
                self.transform();
                if self.summed == self.config.average {
                    row(self.row());
                }
            }
        }
    }

    /// Forgets what is not yet a row, as the next sample does not follow on: `missing` were lost before it.
    pub fn skip(&mut self, missing: u64) {
        self.segment_start = self.segment_start.saturating_add(self.segment.len() as u64).saturating_add(missing);
        self.segment.clear();
        self.sums.fill(0.0);
        self.summed = 0;
        self.time = None;
    }

    fn transform(&mut self) {
        for ((to, from), weight) in self.work.iter_mut().zip(&self.segment).zip(&self.weights) {
            *to = from * weight;
        }
        self.fft.process_with_scratch(&mut self.work, &mut self.scratch);
        if self.summed == 0 {
            self.row_start = self.segment_start;
        }
        // Squared as f64: the largest sample of f32 squared would be infinite.
        let square = |bin: &Complex32| f64::from(bin.re).powi(2) + f64::from(bin.im).powi(2);
        self.sums.iter_mut().zip(&self.work).for_each(|(sum, bin)| *sum += square(bin));
        self.summed += 1;
        let step = self.config.step();
        self.segment.drain(..step);
        self.segment_start += step as u64;
    }

    fn row(&mut self) -> Row {
        let size = self.config.size;
        let factor = self.factor / self.summed as f64;
        let lowest = size - size / 2;
        let level = |number: usize| (10.0 * (self.sums[(lowest + number) % size] * factor).log10()) as f32;
        // Nothing at all is as low as a number can say, and not a number that no screen can draw.
        let levels = (0..size).map(|number| level(number).max(Row::FLOOR_DB)).collect();
        let at_ns = self.time.map(|(number, at_ns)| {
            let samples = self.row_start as f64 - number as f64;
            at_ns.saturating_add((samples / self.config.sample_rate_hz * 1e9).round() as i64)
        });
        // Of the last segment, the part that is not taken again has gone, and the rest is still there.
        let end = self.segment_start - self.config.step() as u64 + size as u64;
        let row = Row {
            config: self.config,
            first_sample: self.row_start,
            samples: end - self.row_start,
            at_ns,
            segments: self.summed,
            levels,
        };
        self.sums.fill(0.0);
        self.summed = 0;
        row
    }
}
