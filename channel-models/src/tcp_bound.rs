//! What TCP can reach at most on a path with losses.

use farlink_units::{Duration, Ratio, Size};

/// How losses come and how the receiver acknowledges: the constant C of [`tcp_throughput_bound_bps`].
///
/// Source: Mathis, Semke, Mahdavi, Ott, *The Macroscopic Behavior of the TCP Congestion Avoidance Algorithm*, ACM CCR 27(3),
/// 1997, table 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CongestionAvoidance {
    /// One loss after each 1/p packets, every packet acknowledged: C = √(3/2).
    PeriodicEveryPacket,
    /// One loss after each 1/p packets, every other packet acknowledged: C = √(3/4).
    PeriodicDelayed,
    /// Independent losses, every packet acknowledged: C = 1.31.
    RandomEveryPacket,
    /// Independent losses, every other packet acknowledged: C = 0.93.
    RandomDelayed,
}

impl CongestionAvoidance {
    /// The constant C; it has no unit.
    pub fn constant(self) -> f64 {
        match self {
            CongestionAvoidance::PeriodicEveryPacket => 1.5_f64.sqrt(),
            CongestionAvoidance::PeriodicDelayed => 0.75_f64.sqrt(),
            CongestionAvoidance::RandomEveryPacket => 1.31,
            CongestionAvoidance::RandomDelayed => 0.93,
        }
    }
}

/// The most that TCP in congestion avoidance sustains, in bits of segment data per second: (MSS/RTT) · C/√p.
///
/// It is a bound for long transfers on a path that has the capacity; slow start, timeouts and windows only lower it. Infinite
/// without loss or without distance. `round_trip` is not negative.
///
/// ```
/// use farlink_channel_models::{CongestionAvoidance, tcp_throughput_bound_bps};
/// use farlink_units::{Duration, Ratio, Size};
///
/// // Mars at its nearest, and one packet in 5,000 lost.
/// let (segment, round_trip) = (Size::from_bytes(1460), Duration::from_secs(480));
/// let loss = Ratio::new(1.0 / 5000.0).unwrap();
/// let bps = tcp_throughput_bound_bps(segment, round_trip, loss, CongestionAvoidance::RandomDelayed);
/// assert_eq!(bps.round(), 1600.0);
/// ```
pub fn tcp_throughput_bound_bps(
    segment: Size,
    round_trip: Duration,
    loss: Ratio,
    avoidance: CongestionAvoidance,
) -> f64 {
    let bits = 8.0 * segment.bytes() as f64;
    if bits == 0.0 { 0.0 } else { bits / round_trip.as_secs_f64() * avoidance.constant() / loss.get().sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_has_its_limits() {
        let bound = |bytes, secs, loss| {
            let (segment, loss) = (Size::from_bytes(bytes), Ratio::new(loss).unwrap());
            tcp_throughput_bound_bps(segment, Duration::from_secs(secs), loss, CongestionAvoidance::RandomEveryPacket)
        };
        assert_eq!(bound(1460, 480, 0.0), f64::INFINITY);
        assert_eq!(bound(1460, 0, 0.01), f64::INFINITY);
        assert_eq!(bound(0, 0, 0.0), 0.0);
        assert!((bound(1000, 10, 1.0) - 1048.0).abs() < 1e-9);
    }
}
