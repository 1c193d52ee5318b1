//! Bits in, samples out.

use crate::config::{ConfigError, Modulation, Signal};
use crate::pulse::{Pulse, carrier_amplitude, gmsk_phase, gmsk_reach, subcarrier};
use num_complex::Complex;
use std::collections::VecDeque;
use std::f64::consts::FRAC_PI_2;

/// Phases of the pulse in a strobe that are tabled where the samples do not repeat from strobe to strobe; linear between them.
const PHASES: usize = 512;

/// Turns bits into samples of mean power 1. What has been pushed so far decides what comes out, however it was cut in pieces.
///
/// The first sample is at the middle of the first symbol's pulse less its half length (see [`Modulator::delay_symbols`]), so nothing is cut off.
/// Symbols that are not complete (a single bit of QPSK) wait for more bits.
#[derive(Debug)]
pub struct Modulator {
    modulation: Modulation,
    bits: Vec<u8>,
    shaper: Shaper,
    strobe: u64,
    /// GMSK: the bit before.
    before: u8,
}

impl Modulator {
    /// A modulator whose clock starts with the first bit.
    ///
    /// # Errors
    /// If a field of `signal` cannot be used.
    pub fn new(signal: &Signal) -> Result<Self, ConfigError> {
        signal.validate()?;
        let sps = signal.samples_per_symbol() / signal.modulation.strobes_per_symbol();
        let kind = match signal.modulation {
            Modulation::Gmsk { bandwidth_time } => {
                let reach = gmsk_reach(bandwidth_time) as f64;
                let phase = gmsk_phase(bandwidth_time);
                // A bit whose pulse is over has added its quarter turn; `Shaper` keeps the sum of those.
                Kind::Phase(Table::new(sps, reach / 2.0, move |u| FRAC_PI_2 * phase(u + reach / 2.0)))
            }
            Modulation::ResidualCarrier { index_rad, subcarrier: wave } => {
                let cycles = f64::from(wave.cycles_per_symbol);
                // The mean of a quadrature amplitude d·sin(m·s(t)) is that of its pulse; cos(m·s(t)) needs no bits.
                let deviation = move |u: f64| {
                    if (-0.5..0.5).contains(&u) { index_rad * subcarrier(wave.shape, cycles, u + 0.5) } else { 0.0 }
                };
                debug_assert!(carrier_amplitude(index_rad, wave.shape) > 0.0);
                Kind::Deviation(Box::new(Wave(Box::new(deviation))))
            }
            _ => {
                let pulse = Pulse::of(&signal.modulation, signal.roll_off);
                let half = pulse.half_span();
                Kind::Linear(Table::new(sps, half, move |u| pulse.at(u)))
            }
        };
        Ok(Self {
            modulation: signal.modulation,
            bits: Vec::new(),
            shaper: Shaper::new(kind, sps),
            strobe: 0,
            before: 0,
        })
    }

    /// How long after a modulator's first sample the middle of its first symbol is, in symbols.
    pub fn delay_symbols(&self) -> f64 {
        self.shaper.kind.half_span() / self.modulation.strobes_per_symbol()
    }

    /// Takes bits (the lowest bit of each octet) and appends the samples that they decide.
    pub fn modulate(&mut self, bits: &[u8], out: &mut Vec<Complex<f32>>) {
        for &bit in bits {
            self.push(bit & 1);
            if self.shaper.waiting.len() >= 256 {
                self.shaper.run(out);
            }
        }
        self.shaper.run(out);
    }

    /// Ends the transmission: appends the rest of the last pulses. What follows would begin anew, with a new modulator.
    pub fn finish(mut self, out: &mut Vec<Complex<f32>>) {
        self.shaper.run(out);
        self.shaper.end(out);
    }

    fn push(&mut self, bit: u8) {
        let sign = 1.0 - 2.0 * f32::from(bit);
        match self.modulation {
            Modulation::Bpsk | Modulation::ResidualCarrier { .. } => {
                self.shaper.waiting.push_back(Complex::new(sign, 0.0))
            }
            Modulation::Oqpsk => {
                let even = self.strobe.is_multiple_of(2);
                self.strobe += 1;
                self.shaper.waiting.push_back(if even { Complex::new(sign, 0.0) } else { Complex::new(0.0, sign) });
            }
            Modulation::Gmsk { .. } => {
                // a(k) = (-1)^k d(k) d(k-1) (401.0-B, figure 2.4.17A-1): then d(k) is on I for even k and on Q for odd.
                let flip = (self.strobe % 2) as u8;
                self.strobe += 1;
                let a = bit ^ self.before ^ flip;
                self.before = bit;
                self.shaper.waiting.push_back(Complex::new(1.0 - 2.0 * f32::from(a), 0.0));
            }
            Modulation::Qpsk => {
                self.bits.push(bit);
                if let [i, q] = self.bits[..] {
                    self.bits.clear();
                    let level = |b: u8| (1.0 - 2.0 * f32::from(b)) * std::f32::consts::FRAC_1_SQRT_2;
                    self.shaper.waiting.push_back(Complex::new(level(i), level(q)));
                }
            }
            Modulation::Psk8 => {
                self.bits.push(bit);
                if let [a, b, c] = self.bits[..] {
                    self.bits.clear();
                    self.shaper.waiting.push_back(PSK8[usize::from(a << 2 | b << 1 | c)]);
                }
            }
        }
    }
}

/// Where the Gray-mapped symbol of three bits, the first the highest, lies.
pub(crate) const PSK8: [Complex<f32>; 8] = {
    const H: f32 = std::f32::consts::FRAC_1_SQRT_2;
    [
        Complex::new(1.0, 0.0),
        Complex::new(H, H),
        Complex::new(-H, H),
        Complex::new(0.0, 1.0),
        Complex::new(H, -H),
        Complex::new(0.0, -1.0),
        Complex::new(-1.0, 0.0),
        Complex::new(-H, -H),
    ]
};

/// Values of a pulse for every place that a sample can have in a strobe.
#[derive(Debug)]
struct Table {
    /// Strobes before and after the middle, whole.
    reach: usize,
    half_span: f64,
    /// One row of `2 * reach` values for each place, and one more to end the last interval.
    rows: Vec<f32>,
    places: usize,
    exact: bool,
}

impl Table {
    fn new(sps: f64, half_span: f64, pulse: impl Fn(f64) -> f64) -> Self {
        let whole = sps.round();
        let exact = (sps - whole).abs() < 1e-9 && whole <= 4096.0;
        let places = if exact { whole as usize } else { PHASES };
        let reach = half_span.ceil() as usize;
        let mut rows = Vec::with_capacity((places + 1) * 2 * reach);
        for place in 0..=places {
            let frac = place as f64 / places as f64;
            // The sample lies `frac` after strobe 0; strobe j's pulse is then at frac - j.
            rows.extend((0..2 * reach).map(|i| pulse(frac + reach as f64 - 1.0 - i as f64) as f32));
        }
        Self { reach, half_span, rows, places, exact }
    }

    fn row(&self, place: usize) -> &[f32] {
        &self.rows[place * 2 * self.reach..][..2 * self.reach]
    }
}

struct Wave(Box<dyn Fn(f64) -> f64 + Send + Sync>);

impl std::fmt::Debug for Wave {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wave")
    }
}

#[derive(Debug)]
enum Kind {
    /// Amplitudes times a pulse, added up.
    Linear(Table),
    /// Phases added up; a bit's phase stays after its pulse.
    Phase(Table),
    /// A symbol's own phase, and nothing of its neighbours.
    Deviation(Box<Wave>),
}

impl Kind {
    fn half_span(&self) -> f64 {
        match self {
            Self::Linear(table) | Self::Phase(table) => table.half_span,
            Self::Deviation(_) => 0.5,
        }
    }
}

/// Lays pulses over each other at any ratio of samples to strobes.
#[derive(Debug)]
struct Shaper {
    kind: Kind,
    sps: f64,
    /// Strobes that still reach a sample to come, the oldest first; `reach` of silence come before the first.
    waiting: VecDeque<Complex<f32>>,
    /// Where the next sample lies after the strobe in the middle of the window, 0 to 1; for whole ratios its number instead.
    frac: f64,
    step: usize,
    /// Quarter turns of the bits that have left the window.
    quarters: i64,
    fresh: bool,
}

impl Shaper {
    fn new(kind: Kind, sps: f64) -> Self {
        let silent = match &kind {
            Kind::Linear(table) | Kind::Phase(table) => 2 * table.reach - 1,
            Kind::Deviation(_) => 0,
        };
        // GMSK's silence is a bit of no deviation, so its first bits ramp up from a steady carrier.
        let waiting = std::iter::repeat_n(Complex::new(0.0, 0.0), silent).collect();
        Self { kind, sps, waiting, frac: 0.0, step: 0, quarters: 0, fresh: true }
    }

    fn window(&self) -> usize {
        match &self.kind {
            Kind::Linear(table) | Kind::Phase(table) => 2 * table.reach,
            Kind::Deviation(_) => 1,
        }
    }

    fn run(&mut self, out: &mut Vec<Complex<f32>>) {
        let window = self.window();
        if self.fresh && self.waiting.len() >= window {
            self.fresh = false;
            // A pulse that does not fill whole strobes begins later in the first.
            let lead = match &self.kind {
                Kind::Linear(table) | Kind::Phase(table) => table.reach as f64 - table.half_span,
                Kind::Deviation(_) => 0.0,
            };
            (self.step, self.frac) = ((lead * self.sps).ceil() as usize, (lead * self.sps).ceil() / self.sps);
        }
        self.waiting.make_contiguous();
        let mut first = 0;
        while self.waiting.len() - first >= window {
            let strobes = &self.waiting.as_slices().0[first..first + window];
            // Places in this strobe, in samples, until the next begins.
            loop {
                let (place, more) = match &self.kind {
                    Kind::Linear(table) | Kind::Phase(table) if table.exact => {
                        (self.step as f64 / self.sps, self.step < table.places)
                    }
                    _ => (self.frac, self.frac < 1.0),
                };
                if !more {
                    break;
                }
                out.push(match &self.kind {
                    Kind::Linear(table) => table.mix(strobes, self.step, place),
                    Kind::Phase(table) => {
                        let turns = FRAC_PI_2 as f32 * (self.quarters.rem_euclid(4)) as f32;
                        let phase = turns + table.mix(strobes, self.step, place).re;
                        Complex::new(phase.cos(), phase.sin())
                    }
                    Kind::Deviation(wave) => {
                        let phase = f64::from(strobes[0].re) * wave.0(place - 0.5);
                        Complex::new(phase.cos() as f32, phase.sin() as f32)
                    }
                });
                self.step += 1;
                self.frac += 1.0 / self.sps;
            }
            self.step = 0;
            self.frac -= 1.0;
            self.quarters += match &self.kind {
                Kind::Phase(_) => i64::from(strobes[0].re as i8),
                _ => 0,
            };
            first += 1;
        }
        self.waiting.drain(..first);
    }

    fn end(&mut self, out: &mut Vec<Complex<f32>>) {
        let silent = self.window() - 1;
        self.waiting.extend(std::iter::repeat_n(Complex::new(0.0, 0.0), silent));
        self.run(out);
    }
}

impl Table {
    #[inline]
    fn mix(&self, strobes: &[Complex<f32>], step: usize, place: f64) -> Complex<f32> {
        let weigh = |row: &[f32]| row.iter().zip(strobes).fold(Complex::new(0.0, 0.0), |sum, (w, s)| sum + *s * *w);
        if self.exact {
            return weigh(self.row(step));
        }
        let x = place * self.places as f64;
        let i = (x as usize).min(self.places - 1);
        let (a, b) = (weigh(self.row(i)), weigh(self.row(i + 1)));
        a + (b - a) * (x - i as f64) as f32
    }
}
