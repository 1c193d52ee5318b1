//! What a tracker is built of and never changes: filters, bandwidths, and what follows from the pulse.

use crate::bank::Bank;
use crate::config::Modulation;
use crate::pulse::Pulse;

/// What a strobe is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detector {
    /// One amplitude, on I.
    Bpsk,
    /// One amplitude, on I and Q in turn.
    Staggered,
    /// One amplitude, in quadrature with a carrier that stays.
    Carrier,
    /// An amplitude on each axis.
    Qpsk,
    /// A phase.
    Psk8,
}

impl Detector {
    pub(crate) fn of(modulation: &Modulation) -> Self {
        match modulation {
            Modulation::Bpsk => Self::Bpsk,
            Modulation::Qpsk => Self::Qpsk,
            Modulation::Psk8 => Self::Psk8,
            Modulation::Oqpsk | Modulation::Gmsk { .. } => Self::Staggered,
            Modulation::ResidualCarrier { .. } => Self::Carrier,
        }
    }

    /// The carrier loop's bandwidth, one-sided, a strobe, that follows an orbiter where the code behind still decodes, and takes over from acquisition.
    pub(crate) fn bandwidth(self) -> f64 {
        match self {
            Self::Bpsk => 2e-3,
            Self::Carrier => 4e-3,
            Self::Qpsk => 1e-3,
            Self::Psk8 | Self::Staggered => 5e-4,
        }
    }
}

/// What never changes while a receiver lives.
#[derive(Debug, Clone)]
pub(crate) struct Design {
    pub(crate) detector: Detector,
    pub(crate) sps: f64,
    /// Matched filter, its slope, and for residual carriers the filter that sees the carrier.
    pub(crate) matched: Bank,
    pub(crate) slope: Bank,
    pub(crate) carrier: Option<Bank>,
    /// How the slope grows with the timing error, a strobe.
    pub(crate) curvature: f64,
    /// Loop bandwidths, one-sided, a strobe.
    pub(crate) carrier_bandwidth: f64,
    /// What the carrier's begins with. What noise puts into a wide loop's rate is too much for a narrow one, so it is no wider than acquisition's errors need.
    pub(crate) first_bandwidth: f64,
    pub(crate) timing_bandwidth: f64,
    /// The symbol clock's period is off by this share at most.
    pub(crate) max_drift: f64,
    /// Where axes take turns: what the strobes before and after leave on the other axis, of the strobe's own amplitude, and the power of what
    /// is left when these two are taken out.
    pub(crate) crosstalk: f32,
    pub(crate) leftover: f64,
    /// Samples before and after an instant that all filters need.
    pub(crate) margin: usize,
}

impl Design {
    pub(crate) fn new(
        detector: Detector,
        pulse: &Pulse,
        sps: f64,
        carrier_bandwidth: f64,
        timing_bandwidth: f64,
        max_drift: f64,
    ) -> Self {
        let receive = pulse.receive();
        // Where a pulse has corners, its slope is taken over a part of their distance.
        let step = match pulse {
            Pulse::Subcarrier { cycles, .. } => 1.0 / (8.0 * cycles),
            _ => 0.05,
        };
        let slope = |u: f64| (receive.at(u - step) - receive.at(u + step)) / (2.0 * step);
        let slope_tap = |u: f64| (receive.tap(u - step, 1.0 / sps) - receive.tap(u + step, 1.0 / sps)) / (2.0 * step);
        let half = (receive.half_span() + step) * sps + 1.0;
        let matched = Bank::new(half, |x| receive.tap(x / sps, 1.0 / sps) / sps);
        let slope_bank = Bank::new(half, |x| slope_tap(x / sps) / sps);
        let carrier = (detector == Detector::Carrier)
            .then(|| Bank::new(half, |x| if (-0.5..0.5).contains(&(x / sps)) { 1.0 / sps } else { 0.0 }));
        let grid = 1.0 / 512.0;
        let span = receive.half_span() + 1.0;
        let answer = |lag: f64| {
            (0..(2.0 * span / grid) as usize)
                .map(|i| (i as f64 + 0.5) * grid - span)
                .map(|u| pulse.at(u) * slope(u - lag))
                .sum::<f64>()
                * grid
        };
        let curvature = -(answer(step) - answer(-step)) / (2.0 * step);
        let other_axis = |lag: f64| {
            (0..(2.0 * span / grid) as usize)
                .map(|i| (i as f64 + 0.5) * grid - span)
                .map(|u| pulse.at(u + lag) * receive.at(u))
                .sum::<f64>()
                * grid
        };
        let (crosstalk, leftover) = if detector == Detector::Staggered {
            let own = other_axis(0.0);
            (
                (other_axis(1.0) / own) as f32,
                (1..16).map(|k| 2.0 * (other_axis(f64::from(2 * k + 1)) / own).powi(2)).sum(),
            )
        } else {
            (0.0, 0.0)
        };
        let margin = matched.margin();
        Self {
            detector,
            sps,
            matched,
            slope: slope_bank,
            carrier,
            curvature,
            carrier_bandwidth,
            first_bandwidth: carrier_bandwidth.max(detector.bandwidth()),
            timing_bandwidth,
            max_drift,
            crosstalk,
            leftover,
            margin,
        }
    }
}
