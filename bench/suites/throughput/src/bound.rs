//! What theory allows.
//!
//! # The link
//! Data leave at `R` bit/s and arrive one light time `d` after their last bit has left; the way back has `R'` bit/s. A bit is
//! wrong with probability `b`, so a frame of `L` bits is lost with `p = 1 − (1 − b)^L`.
//!
//! # Overhead
//! A data segment has 1 octet of version and type, the session's originator and number, 1 octet of extension counts, the client
//! service, the offset and the length (RFC 5326, section 3.1), each as short as an SDNV can be, but for the session number: 4
//! octets, since one that is drawn from 32 bits is shorter for one session in two thousand. The last of a block is a checkpoint and has
//! two serial numbers more, one octet each at least. So a block of `B` octets takes `N` segments with `W` bits in all, counted out segment by
//! segment. A bundle is as long as its sender encodes it.
//!
//! # Rounds
//! After `k` rounds a segment is still missing with probability `p^k`, so round `k` is needed with
//! `P(k) = 1 − Π_i (1 − p_i^(k−1))` over the segments `i`. The expected number of rounds is that of the maximum of `N` geometric
//! variables, `E = Σ_{k≥1} P(k)`.
//!
//! # Time for an amount
//! Four floors, each below the mean of any protocol that asks for what is missing, once a block, and sends it again; the highest counts.
//! 1. **Capacity.** All data leave through one transmitter, and a segment leaves `1/(1 − p)` times on average:
//!    `T ≥ d + Σ_i w_i / (1 − p_i) / R`.
//! 2. **Last block.** Its first round ends after everything has left once, and then come its own rounds one after the other. Round `k` waits for
//!    a report, light there and back, and for the longer of that report and of its own data, which may overlap:
//!    `T ≥ d + W/R + Σ_{k≥2} [P(k)·2d + max(q_k/R', Σ_i w_i p_i^(k−1)/R)]` over the segments of the last block. With gaps
//!    at `N p (1 − p)` places a report claims as many pieces, four octets each (`p` to the power `k − 1`).
//! 3. **Unluckiest segment.** Whichever block it is in, it takes all the rounds of the whole: `T ≥ d + t + Σ_{k≥2} P(k)·2d`.
//! 4. **Session limit.** With `S` sessions at once, `B − S` of the `B` blocks have ended before the last begins, and each has been open for
//!    its own data, light there and back, and a report: `T ≥ ⌈(B − S)/S⌉·(w/R + 2d + q/R') + w_last/R + d`. With one session they
//!    come one after the other, so the expected rounds of each count as well.
//!
//! # Goodput under load
//! No more than is offered, and no more than floor 1 lets through: `G ≤ min(offered, R·a/Σ_i w_i/(1 − p_i))` for `a` bits of application data. A session
//! limit lets through `S` blocks in the time of floor 4.
//!
//! These are floors of a *mean*: the mean of a few runs strays from its expectation. For a single run see [`crate::floor`].

use farlink_wire::sdnv;
use serde::{Deserialize, Serialize};

/// The link and the sizes that bounds are made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Path {
    /// One-way light time in seconds.
    pub light_time_s: f64,
    /// Bit error ratio.
    pub ber: f64,
    /// Data rate out in bit/s.
    pub rate_bps: f64,
    /// Data rate back in bit/s.
    pub rate_back_bps: f64,
    /// Longest segment in octets.
    pub segment_bytes: u64,
    /// Most sessions at once.
    pub sessions: Option<u64>,
}

/// The floors of a mean, as the [module](self) derives them, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Floors {
    /// All data through one transmitter.
    pub capacity_s: f64,
    /// Everything once, then the rounds of the last block.
    pub last_block_s: f64,
    /// The segment that needs most rounds.
    pub rounds_s: f64,
    /// Blocks that wait for a session.
    pub sessions_s: f64,
    /// By how much a single run may be expected to stray: standard deviations of the rounds, each light there and back, of the time that
    /// repetition takes to leave, and of that of claims.
    pub deviation_s: f64,
    /// The expected number of rounds until the last segment is there.
    pub expected_rounds: f64,
    /// Octets of application data over octets on the link, where nothing is lost.
    pub payload_share: f64,
}

impl Floors {
    /// The highest.
    pub fn time_s(&self) -> f64 {
        [self.capacity_s, self.last_block_s, self.rounds_s, self.sessions_s].into_iter().fold(0.0, f64::max)
    }

    /// Which one that is, in words.
    pub fn what(&self) -> &'static str {
        let floors = [
            (self.capacity_s, "link rate less overhead and repetition"),
            (self.last_block_s, "link rate, then the rounds of the last block"),
            (self.rounds_s, "rounds of light time"),
            (self.sessions_s, "session limit"),
        ];
        floors.into_iter().max_by(|a, b| a.0.total_cmp(&b.0)).map_or("", |floor| floor.1)
    }
}

const SESSION_NUMBER: u64 = 4;
/// Control octet, originator, session number, extension counts.
const HEADER: u64 = 1 + 1 + SESSION_NUMBER + 1;
const CLIENT_SERVICE: u64 = 1;
const SERIALS: u64 = 2;
/// A report with one claim: header, both serial numbers, both bounds, the count, offset and length, an octet each.
const REPORT: u64 = HEADER + 2 + 2 + 1 + 2;
const CLAIM: f64 = 4.0;

/// The lengths in octets of the segments of a block, headers included.
pub fn segments(block_bytes: u64, segment_bytes: u64) -> Vec<u64> {
    let mut lengths = Vec::new();
    let mut offset = 0;
    while offset < block_bytes {
        let left = block_bytes - offset;
        let header = HEADER
            + CLIENT_SERVICE
            + sdnv::encoded_len(offset) as u64
            + sdnv::encoded_len(left.min(segment_bytes)) as u64;
        let room = segment_bytes.saturating_sub(header).max(1);
        // The last needs room for its serial numbers; an octet is left for it if it has none otherwise.
        if left + SERIALS <= room {
            lengths.push(header + SERIALS + left);
            break;
        }
        let taken = room.min(left - 1).max(1);
        lengths.push(header + taken);
        offset += taken;
    }
    lengths
}

/// Segments of like length: how many, and octets of each.
fn groups(lengths: impl IntoIterator<Item = u64>) -> Vec<(f64, f64)> {
    let mut counts = std::collections::BTreeMap::<u64, u64>::new();
    lengths.into_iter().for_each(|length| *counts.entry(length).or_default() += 1);
    counts.into_iter().map(|(length, count)| (count as f64, length as f64 * 8.0)).collect()
}

/// Rounds beyond the first.
#[derive(Clone, Copy, Debug, Default)]
struct Further {
    /// How many are to be expected.
    rounds: f64,
    /// The mean of the square of their number.
    square: f64,
    /// How long their data and reports are to be expected to take.
    time_s: f64,
    /// The variance of the time that claims take, whose number strays as that of rare losses does.
    claims_variance: f64,
}

impl Path {
    /// The probability that a frame of so many bits is lost.
    pub fn loss(&self, bits: f64) -> f64 {
        -(bits * (-self.ber).ln_1p()).exp_m1()
    }

    /// The rounds of these segments beyond the first.
    fn further_rounds(&self, groups: &[(f64, f64)]) -> Further {
        let mut further = Further::default();
        for k in 1.. {
            // What is missing after k rounds.
            let mut log_none = 0.0;
            let (mut data_bits, mut claims, mut missing_all) = (0.0, 0.0, 0.0);
            for (count, bits) in groups {
                let missing = self.loss(*bits).powi(k);
                log_none += count * (-missing).ln_1p();
                data_bits += count * missing * bits;
                claims += count * missing * (1.0 - missing);
                missing_all += count * missing;
            }
            if missing_all < 1e-9 {
                break;
            }
            let needed = -log_none.exp_m1();
            further.rounds += needed;
            // E[K²] = Σ (2k − 1) P(K ≥ k).
            further.square += f64::from(2 * k - 1) * needed;
            let claim_s = CLAIM * 8.0 / self.rate_back_bps;
            further.claims_variance += claims * claim_s * claim_s;
            further.time_s += (claims * claim_s).max(data_bits / self.rate_bps);
        }
        further
    }

    /// The floors for blocks of these lengths in octets, with so many octets of application data in all.
    pub fn floors(&self, blocks: &[u64], application_bytes: u64) -> Floors {
        let per_block: Vec<Vec<u64>> = blocks.iter().map(|block| segments(*block, self.segment_bytes)).collect();
        let all = groups(per_block.iter().flatten().copied());
        let bits: f64 = all.iter().map(|(count, bits)| count * bits).sum();
        let repeated: f64 = all.iter().map(|(count, bits)| count * bits / (1.0 - self.loss(*bits))).sum();
        let (light, rate) = (self.light_time_s, self.rate_bps);
        let last = groups(per_block.last().into_iter().flatten().copied());
        let last_bits: f64 = last.iter().map(|(count, bits)| count * bits).sum();
        let further_last = self.further_rounds(&last);
        let further = self.further_rounds(&all);
        let shortest = all.iter().map(|(_, bits)| *bits).fold(f64::INFINITY, f64::min);
        let report = REPORT as f64 * 8.0 / self.rate_back_bps;
        // With one session the rounds of all blocks add up; otherwise those of one block, or of all together, decide.
        let spread = |further: &Further| (further.square - further.rounds * further.rounds).max(0.0);
        let rounds_variance: f64 = match self.sessions {
            Some(1) => per_block.iter().map(|l| spread(&self.further_rounds(&groups(l.iter().copied())))).sum(),
            _ => spread(&further).max(spread(&further_last)),
        };
        let rounds_deviation = rounds_variance.sqrt();
        let airtime_variance = all.iter().map(|(count, bits)| {
            let loss = self.loss(*bits);
            count * bits * bits * loss / ((1.0 - loss) * (1.0 - loss))
        });
        let airtime_deviation = airtime_variance.sum::<f64>().sqrt() / rate;
        let sessions_s = match self.sessions {
            Some(1) => {
                let before = per_block.iter().take(per_block.len().saturating_sub(1)).map(|lengths| {
                    let block = groups(lengths.iter().copied());
                    let further = self.further_rounds(&block);
                    let bits: f64 = block.iter().map(|(count, bits)| count * bits).sum();
                    bits / rate + 2.0 * light * (1.0 + further.rounds) + further.time_s + report
                });
                before.sum::<f64>() + light + last_bits / rate + further_last.rounds * 2.0 * light + further_last.time_s
            }
            Some(limit) => {
                let waiting = (blocks.len() as u64).saturating_sub(limit).div_ceil(limit) as f64;
                let least = per_block.iter().map(|l| l.iter().sum::<u64>()).min().unwrap_or(0) as f64 * 8.0;
                waiting * (least / rate + 2.0 * light + report) + last_bits / rate + light
            }
            None => 0.0,
        };
        Floors {
            capacity_s: light + repeated / rate,
            last_block_s: light + bits / rate + further_last.rounds * 2.0 * light + further_last.time_s,
            rounds_s: light + shortest / rate + further.rounds * 2.0 * light,
            sessions_s,
            deviation_s: 2.0 * light * rounds_deviation + airtime_deviation + further.claims_variance.sqrt(),
            expected_rounds: 1.0 + further.rounds,
            payload_share: application_bytes as f64 * 8.0 / bits,
        }
    }

    /// The most application data that blocks of this length, with so many octets of it in each, can bring across, in bit/s, however long it
    /// is offered.
    pub fn goodput_bps(&self, block_bytes: u64, application_bytes: u64) -> f64 {
        let block = groups(segments(block_bytes, self.segment_bytes));
        let airtime: f64 = block.iter().map(|(count, bits)| count * bits / (1.0 - self.loss(*bits))).sum::<f64>();
        let by_rate = application_bytes as f64 * 8.0 * self.rate_bps / airtime;
        let Some(limit) = self.sessions else { return by_rate };
        let bits: f64 = block.iter().map(|(count, bits)| count * bits).sum();
        let further = self.further_rounds(&block);
        let report = REPORT as f64 * 8.0 / self.rate_back_bps;
        let open = bits / self.rate_bps + 2.0 * self.light_time_s * (1.0 + further.rounds) + further.time_s + report;
        by_rate.min(limit as f64 * application_bytes as f64 * 8.0 / open)
    }
}

/// The expected number of transmissions until each of `count` segments has arrived, each of which is lost with probability `loss` each
/// time: `E[max]` of as many geometric variables.
pub fn expected_rounds(count: f64, loss: f64) -> f64 {
    let mut rounds = 1.0;
    let mut missing = loss;
    while count * missing > 1e-12 {
        rounds += -(count * (-missing).ln_1p()).exp_m1();
        missing *= loss;
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9 * b.abs().max(1.0), "{a} is not {b}");
    }

    #[test]
    fn rounds_are_the_mean_of_the_greatest_of_geometric_variables() {
        // One segment: 1/(1 - p). Two: 2/(1-p) - 1/(1-p²), by inclusion and exclusion.
        near(expected_rounds(1.0, 0.0), 1.0);
        near(expected_rounds(1.0, 0.5), 2.0);
        near(expected_rounds(2.0, 0.5), 4.0 - 4.0 / 3.0);
        near(expected_rounds(3.0, 0.25), 3.0 / 0.75 - 3.0 / (1.0 - 0.0625) + 1.0 / (1.0 - 0.015625));
    }

    #[test]
    fn a_block_is_cut_as_the_rfc_says() {
        // 7 octets of header, 1 of service, 1 of offset, 1 of length, 2 serial numbers.
        assert_eq!(segments(100, 1360), [112]);
        // 1360 - 11 of data, then an offset of two octets.
        assert_eq!(segments(2000, 1360), [1360, 651 + 7 + 1 + 2 + 2 + 2]);
        let lengths = segments(1_000_000, 1360);
        assert_eq!(lengths.len(), 743);
        assert!(lengths[..742].iter().all(|length| *length == 1360));
        // Just no room for the serial numbers: an octet goes alone.
        assert_eq!(segments(1349, 1360), [1359, 13 + 1]);
    }

    /// The variance of one geometric variable is p/(1 - p)².
    #[test]
    fn a_single_segment_strays_as_a_geometric_variable_does() {
        let path = Path { ber: 1e-4, ..path() };
        let bits = 1000.0 * 8.0;
        let (further, loss) = (path.further_rounds(&[(1.0, bits)]), path.loss(bits));
        assert!((further.rounds - loss / (1.0 - loss)).abs() < 1e-6, "{further:?}");
        let variance = further.square - further.rounds * further.rounds;
        assert!((variance - loss / ((1.0 - loss) * (1.0 - loss))).abs() < 1e-6, "{further:?}");
    }

    fn path() -> Path {
        Path { light_time_s: 10.0, ber: 0.0, rate_bps: 1e6, rate_back_bps: 1e4, segment_bytes: 1360, sessions: None }
    }

    #[test]
    fn without_errors_all_is_serialisation_and_one_light_time() {
        let floors = path().floors(&[1_000_000], 1_000_000);
        let bits = segments(1_000_000, 1360).iter().sum::<u64>() as f64 * 8.0;
        near(floors.time_s(), 10.0 + bits / 1e6);
        near(floors.expected_rounds, 1.0);
        near(floors.payload_share, 8e6 / bits);
        assert_eq!(path().floors(&[1000; 10], 10_000).sessions_s, 0.0);
    }

    #[test]
    fn a_session_limit_costs_a_round_trip_a_block() {
        let one = Path { sessions: Some(1), ..path() }.floors(&[1000; 10], 10_000).time_s();
        let five = Path { sessions: Some(5), ..path() }.floors(&[1000; 10], 10_000).time_s();
        assert!((190.0..192.0).contains(&one), "{one}");
        assert!((30.0..31.0).contains(&five), "{five}");
        let goodput = Path { sessions: Some(1), ..path() }.goodput_bps(1000, 1000);
        assert!((390.0..400.0).contains(&goodput), "{goodput}");
    }

    #[test]
    fn errors_cost_rounds_where_light_is_slow_and_repetition_where_it_is_not() {
        let far = Path { ber: 1e-5, ..path() }.floors(&[1_000_000], 1_000_000);
        assert!(far.expected_rounds > 3.0 && far.time_s() > 10.0 + 8.0 + 2.0 * 20.0, "{far:?}");
        assert_eq!(far.what(), "link rate, then the rounds of the last block");
        let near = Path { ber: 1e-5, light_time_s: 1e-3, ..path() }.floors(&[10_000; 100], 1_000_000);
        assert_eq!(near.what(), "link rate less overhead and repetition");
    }
}
