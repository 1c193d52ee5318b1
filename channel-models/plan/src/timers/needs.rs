//! What a pair of nodes needs, whatever their stacks.

use farlink_units::{Duration, Size};

use super::TimerError;
use crate::calendar::seconds;
use crate::{Contact, ContactPlan, NodeId, Piece, Rate};

/// What a plan does not tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Assumptions {
    /// The red part of a block.
    pub block: Size,
    /// The data in a segment.
    pub segment: Size,
    /// What the layers below add to a segment: headers of LTP, UDP, IP, frames.
    pub overhead: Size,
    /// How long each end may take to answer, queues included.
    pub margin: Duration,
    /// The bit error rate, if the plan tells none.
    pub bit_error_rate: f64,
}

impl Default for Assumptions {
    /// Blocks of 64 KiB, segments of 1360 bytes with 64 bytes of overhead, 2 s to answer, 10⁻⁶ (as ION assumes).
    fn default() -> Self {
        Assumptions {
            block: Size::from_bytes(65_536),
            segment: Size::from_bytes(1360),
            overhead: Size::from_bytes(64),
            margin: Duration::from_secs(2),
            bit_error_rate: 1e-6,
        }
    }
}

/// What the contacts of one direction say.
#[derive(Clone, Debug, PartialEq)]
pub struct Direction {
    /// Who sends.
    pub from: NodeId,
    /// Who receives.
    pub to: NodeId,
    /// The longest light time.
    pub light_time: Duration,
    /// How fast it changes at most, in seconds per second.
    pub drift: f64,
    /// The lowest rate above 0, in bit/s.
    pub slowest_bps: u64,
    /// The highest rate, in bit/s.
    pub fastest_bps: u64,
    /// The highest bit error rate; `None` where the plan tells none.
    pub bit_error_rate: Option<f64>,
}

impl Direction {
    fn of(plan: &ContactPlan, from: &NodeId, to: &NodeId, hint: &'static str) -> Result<Self, TimerError> {
        let pair = || (from.clone(), to.clone());
        let contacts: Vec<&Contact> = plan.between(from, to).collect();
        if contacts.is_empty() {
            let (from, to) = pair();
            return Err(TimerError::NoContact { from, to, hint });
        }
        let light_time = contacts.iter().filter_map(|c| c.light_time.max()).max();
        let unknown = contacts.iter().any(|c| !c.light_time.gaps(c.start, c.end).is_empty());
        let light_time = light_time.filter(|_| !unknown).ok_or_else(|| {
            let (from, to) = pair();
            TimerError::NoLightTime { from, to }
        })?;
        let rates = || contacts.iter().flat_map(|c| c.rate.values());
        if rates().any(|rate| *rate == Rate::Unlimited) {
            let (from, to) = pair();
            return Err(TimerError::NoRate { from, to });
        }
        let above = || rates().filter_map(|rate| rate.bps()).filter(|bps| *bps > 0);
        let (Some(slowest_bps), Some(fastest_bps)) = (above().min(), above().max()) else {
            let (from, to) = pair();
            return Err(TimerError::Silent { from, to });
        };
        let ratios = contacts.iter().filter_map(|c| c.bit_error_rate.as_ref()).flat_map(|steps| steps.values());
        let bit_error_rate = ratios.map(|r| r.get()).reduce(f64::max);
        let pieces = contacts.iter().flat_map(|c| c.light_time.pieces());
        let slope = |p: &Piece| ((p.last - p.first).as_secs_f64() / (p.end - p.start).as_secs_f64()).abs();
        let drift = pieces.map(slope).filter(|slope| slope.is_finite()).fold(0.0, f64::max);
        Ok(Direction {
            from: from.clone(),
            to: to.clone(),
            light_time,
            drift,
            slowest_bps,
            fastest_bps,
            bit_error_rate,
        })
    }
}

/// What one node needs to send to another by LTP.
#[derive(Clone, Debug, PartialEq)]
pub struct Needs {
    /// The way out.
    pub out: Direction,
    /// The way back.
    pub back: Direction,
    /// What was assumed.
    pub assumed: Assumptions,
    /// Segments in a block.
    pub segments: u64,
    /// The probability that a segment is lost on the way out, with the largest bit error rate.
    pub segment_loss: f64,
    /// The same on the way back.
    pub report_loss: f64,
    /// How long a segment takes to be sent at the slowest rate.
    pub segment_time: Duration,
    /// How long an answer takes to be sent at the slowest rate back, behind a segment that is already on its way out: two segments.
    pub answer_time: Duration,
    /// How long a block takes to be sent at the slowest rate.
    pub block_time: Duration,
    /// From the last bit of a checkpoint to the last bit of the answer to it, at the longest: both light times, the answer's time, and
    /// the margin of both ends.
    pub response: Duration,
    /// How many times the segments of a block are sent until all have arrived, in 99 of 100 blocks.
    pub rounds: u32,
    /// How often a checkpoint and its answer must be tried for all but one in a million to get through.
    pub tries: u32,
    /// Blocks that are open at once, at the fastest rate: what leaves during a response and the block itself, in every round.
    pub sessions: u64,
    /// The same of the way back.
    pub sessions_back: u64,
}

impl Needs {
    /// What `local` needs to send to `peer`.
    ///
    /// # Errors
    /// The plan does not tell enough, or an assumption cannot be.
    pub fn of(plan: &ContactPlan, local: &NodeId, peer: &NodeId, assumed: &Assumptions) -> Result<Self, TimerError> {
        check(assumed)?;
        let out = Direction::of(plan, local, peer, "")?;
        let back = Direction::of(plan, peer, local, "; without reports only green parts can be sent")?;
        let frame_bits = (assumed.segment.bytes() + assumed.overhead.bytes()) * 8;
        let segments = assumed.block.bytes().div_ceil(assumed.segment.bytes());
        let loss = |direction: &Direction| {
            let ratio = direction.bit_error_rate.unwrap_or(assumed.bit_error_rate);
            // ln_1p keeps the small ratios that 1 - p would round away.
            let loss = -((-ratio).ln_1p() * frame_bits as f64).exp_m1();
            let hopeless = TimerError::Hopeless { ratio: ratio.to_string(), segment: assumed.segment.bytes() };
            if loss < 0.99 { Ok(loss) } else { Err(hopeless) }
        };
        let (segment_loss, report_loss) = (loss(&out)?, loss(&back)?);
        let segment_time = Duration::of_bits(frame_bits, out.slowest_bps);
        let answer_time = Duration::of_bits(2 * frame_bits, back.slowest_bps);
        let block_bits = segments * frame_bits;
        let response = out.light_time + back.light_time + answer_time + assumed.margin + assumed.margin;
        let rounds = rounds(segment_loss, segments);
        let tries = tries(segment_loss + report_loss - segment_loss * report_loss);
        let window = |bps: u64, rounds: u32| {
            // During the response this much leaves; the block that is being sent comes on top.
            let nanos = response.as_nanos().max(0) as u128;
            let during = (nanos * u128::from(bps)).div_ceil(u128::from(block_bits) * 1_000_000_000);
            u64::try_from((during + 1) * u128::from(rounds)).unwrap_or(u64::MAX)
        };
        let sessions = window(out.fastest_bps, rounds);
        let sessions_back = window(back.fastest_bps, self::rounds(report_loss, segments));
        let block_time = Duration::of_bits(block_bits, out.slowest_bps);
        let assumed = assumed.clone();
        Ok(Needs {
            out,
            back,
            assumed,
            segments,
            segment_loss,
            report_loss,
            segment_time,
            answer_time,
            block_time,
            response,
            rounds,
            tries,
            sessions,
            sessions_back,
        })
    }

    /// `525 s out + 525 s back + 2 × 2 s margin + 11.392 s for an answer behind a segment at 2 kbit/s`
    pub(super) fn response_from(&self) -> String {
        let s = |d: Duration| seconds(d.as_nanos());
        format!(
            "{} s out + {} s back + 2 × {} s margin + {} s for an answer behind a segment at {}",
            s(self.out.light_time),
            s(self.back.light_time),
            s(self.assumed.margin),
            s(self.answer_time),
            Rate::Limited(self.back.slowest_bps)
        )
    }

    /// How a window came about.
    pub(super) fn sessions_from(&self, direction: &Direction, rounds_of: f64) -> String {
        let rounds = rounds(rounds_of, self.segments);
        format!(
            "(⌈{} s × {} / block of {}⌉ + 1) × {rounds} {}",
            seconds(self.response.as_nanos()),
            Rate::Limited(direction.fastest_bps),
            self.assumed.block,
            if rounds == 1 { "round" } else { "rounds, for what is lost" }
        )
    }

    pub(super) fn number(node: &NodeId) -> Result<u64, TimerError> {
        node.number().ok_or_else(|| TimerError::NoNumber { node: node.clone() })
    }
}

fn check(assumed: &Assumptions) -> Result<(), TimerError> {
    let size = |what, size: Size, range, fits: bool| {
        if fits { Ok(()) } else { Err(TimerError::Assumption { what, value: size.to_string(), range }) }
    };
    let (block, segment) = (assumed.block, assumed.segment);
    size("block", block, "from 1 B to 1 TB", (1..=1_000_000_000_000).contains(&block.bytes()))?;
    size("segment", segment, "from 1 B to 65507 B", (1..=65_507).contains(&segment.bytes()))?;
    size("overhead", assumed.overhead, "at most 65507 B", assumed.overhead.bytes() <= 65_507)?;
    if assumed.margin.is_negative() || assumed.margin > Duration::from_secs(864_000) {
        let (value, range) = (assumed.margin.to_string(), "from 0 s to 10 d");
        return Err(TimerError::Assumption { what: "margin", value, range });
    }
    if !(0.0..0.5).contains(&assumed.bit_error_rate) {
        let (value, range) = (assumed.bit_error_rate.to_string(), "from 0 to below 0.5");
        return Err(TimerError::Assumption { what: "bit error rate", value, range });
    }
    Ok(())
}

/// The least k for which (1 - loss^k)^segments is at least 0.99.
fn rounds(loss: f64, segments: u64) -> u32 {
    let mut lost = loss;
    let mut rounds = 1;
    // Each round multiplies by at most 0.99, so that a few thousand are enough for any block.
    while ((-lost).ln_1p() * segments as f64).exp() < 0.99 {
        lost *= loss;
        rounds += 1;
    }
    rounds
}

/// The least k for which loss^k is at most a millionth.
pub(super) fn tries(loss: f64) -> u32 {
    let mut failed = loss;
    let mut tries = 1;
    while failed > 1e-6 {
        failed *= loss;
        tries += 1;
    }
    tries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_and_tries_follow_from_losses() {
        assert_eq!(rounds(0.0, 1000), 1);
        // 0.1 per segment, 100 segments: after 4 rounds 0.99 of the blocks are whole, (1 - 1e-4)^100 = 0.99005.
        assert_eq!(rounds(0.1, 100), 4);
        assert_eq!((tries(0.0), tries(0.001), tries(0.1), tries(0.5)), (1, 2, 7, 20));
        assert!(rounds(0.99, 1_000_000_000) < 5000);
    }
}
