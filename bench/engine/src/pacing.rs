//! Pacing: how much may leave now, so that a link, or a receiver behind it, keeps up.
//!
//! LTP leaves the control of congestion and flow to the layers around it (RFC 7122 §2): an engine hands out segments as
//! fast as it is asked. A [`Pacer`] says how fast to ask. It is a token bucket, told the time.

use farlink_units::{BitRate, Duration, Instant};

/// A token bucket: over any span of time, no more than the span at the rate, and one burst, may leave.
#[derive(Clone, Copy, Debug)]
pub struct Pacer {
    rate: BitRate,
    burst_bytes: u64,
    /// When the bucket is full again if nothing more leaves. All of its state is in this one number.
    full_at: Instant,
}

impl Pacer {
    /// A pacer whose bucket is full. `burst_bytes` is how much may leave at once after a pause; it makes up for a loop that
    /// looks only now and then, and must find room in the buffers on the way.
    pub fn new(rate: BitRate, burst_bytes: u64) -> Self {
        Pacer { rate, burst_bytes: burst_bytes.max(1), full_at: Instant::ZERO }
    }

    /// The rate.
    pub fn rate(&self) -> BitRate {
        self.rate
    }

    /// Changes the rate. What has left counts as the part of a burst that it was.
    pub fn set_rate(&mut self, now: Instant, rate: BitRate) {
        let owed = self.burst_bytes - self.room(now);
        self.rate = rate;
        self.full_at = now + self.time_for(owed);
    }

    /// How many bytes may leave now.
    pub fn room(&self, now: Instant) -> u64 {
        let until_full = self.full_at.saturating_since(now).as_nanos().max(0) as u128;
        let owed = (until_full * u128::from(self.rate.bps())).div_ceil(8_000_000_000);
        self.burst_bytes.saturating_sub(u64::try_from(owed).unwrap_or(u64::MAX))
    }

    /// When `bytes` may leave; at once if that is in the past. What is longer than a burst waits for a full bucket, and is
    /// then paid off.
    pub fn ready_at(&self, bytes: u64) -> Instant {
        let owed = self.burst_bytes - bytes.min(self.burst_bytes);
        // Rounded down, where [`Self::room`] rounds up: at this time there is room, and not a byte less of it.
        let nanos = u128::from(owed) * 8_000_000_000 / u128::from(self.rate.bps());
        self.full_at - Duration::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }

    /// Counts bytes that leave now, whether there was room for them or not.
    pub fn sent(&mut self, now: Instant, bytes: u64) {
        self.full_at = self.full_at.max(now) + self.time_for(bytes);
    }

    fn time_for(&self, bytes: u64) -> Duration {
        self.rate.time_for_bits(bytes.saturating_mul(8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MBIT: u64 = 1_000_000;

    fn at_micros(micros: i64) -> Instant {
        Instant::from_nanos(micros * 1000)
    }

    fn pacer(bps: u64, burst: u64) -> Pacer {
        Pacer::new(BitRate::from_bps(bps).unwrap(), burst)
    }

    #[test]
    fn a_burst_leaves_at_once_and_the_rest_at_the_rate() {
        // A byte a microsecond.
        let mut pacer = pacer(8 * MBIT, 1000);
        let now = at_micros(50);
        assert_eq!(pacer.room(now), 1000);
        assert!(pacer.ready_at(1000) <= now);
        pacer.sent(now, 1000);
        assert_eq!(pacer.room(now), 0);
        assert_eq!(pacer.ready_at(1), at_micros(51));
        assert_eq!(pacer.ready_at(300), at_micros(350));
        assert_eq!(pacer.room(at_micros(350)), 300);
        pacer.sent(at_micros(350), 300);
        assert_eq!(pacer.ready_at(1000), at_micros(1350));
    }

    #[test]
    fn a_pause_is_not_saved_up_beyond_one_burst() {
        let mut pacer = pacer(8 * MBIT, 1000);
        pacer.sent(at_micros(0), 1000);
        assert_eq!(pacer.room(at_micros(5_000_000)), 1000);
    }

    #[test]
    fn what_is_longer_than_a_burst_waits_for_a_full_bucket_and_is_paid_off() {
        let mut pacer = pacer(8 * MBIT, 1000);
        pacer.sent(at_micros(0), 400);
        assert_eq!(pacer.ready_at(1500), at_micros(400));
        pacer.sent(at_micros(400), 1500);
        assert_eq!(pacer.room(at_micros(400)), 0);
        assert_eq!(pacer.ready_at(1), at_micros(901));
    }

    #[test]
    fn another_rate_counts_from_now() {
        let mut pacer = pacer(8 * MBIT, 1000);
        pacer.sent(at_micros(0), 1000);
        pacer.set_rate(at_micros(500), BitRate::from_bps(80 * MBIT).unwrap());
        assert_eq!(pacer.rate().bps(), 80 * MBIT);
        assert_eq!(pacer.room(at_micros(500)), 500);
        assert_eq!(pacer.ready_at(1000), at_micros(550));
    }

    proptest! {
        /// Whoever asks before it sends never exceeds the rate and one burst, and never waits for nothing.
        #[test]
        fn no_span_carries_more_than_its_time_and_a_burst(
            (mantissa, exponent) in (10u64..100, 2u32..9), odd in 0u64..100, burst in 1500u64..20_000,
            frames in prop::collection::vec((1u64..1500, 0i64..200_000), 1..200),
        ) {
            // From a kilobit to ten gigabits a second, each decade as often: most buckets run empty.
            let bps = mantissa * 10u64.pow(exponent) + odd;
            let mut pacer = pacer(bps, burst);
            let (mut now, mut sent) = (Instant::ZERO, Vec::new());
            for (length, pause) in frames {
                now = pacer.ready_at(length).max(now);
                prop_assert!(pacer.room(now) >= length);
                pacer.sent(now, length);
                sent.push((now, length));
                now += Duration::from_nanos(pause);
            }
            for (index, (start, _)) in sent.iter().enumerate() {
                let mut bytes = 0u128;
                for (at, length) in &sent[index..] {
                    bytes += u128::from(*length);
                    let span = at.saturating_since(*start).as_nanos() as u128;
                    prop_assert!((bytes - u128::from(burst).min(bytes)) * 8_000_000_000 <= span * u128::from(bps));
                }
            }
        }
    }
}
