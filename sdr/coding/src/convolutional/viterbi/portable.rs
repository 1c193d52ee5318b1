//! Extends the paths one butterfly after the other.

use super::Branches;
use crate::convolutional::{G1, G2};

/// Which of the four correlations belongs to the step from state b (the oldest bit zero) by a zero, for b of 0 to 31. Both generators see
/// the oldest and the newest bit, so either of them being one inverts both symbols.
pub(super) const BRANCH: [u8; 32] = {
    let mut branch = [0; 32];
    let mut state = 0;
    while state < 32 {
        let window = (state as u32) << 1;
        let first = (window & G1).count_ones() & 1;
        let second = (window & G2).count_ones() & 1;
        branch[state] = (first << 1 | second) as u8;
        state += 1;
    }
    branch
};

pub(super) fn extend(metrics: &mut [i16; 64], branches: &[Branches], decisions: &mut [u64]) {
    for (branches, decisions) in branches.iter().zip(decisions) {
        let before = *metrics;
        let mut word = 0;
        for (low, branch) in BRANCH.iter().enumerate() {
            let gain = branches[usize::from(*branch)];
            let (zero, one) = (before[low], before[low + 32]);
            let by_zero = [zero + gain, one - gain];
            let by_one = [zero - gain, one + gain];
            metrics[2 * low] = by_zero[0].max(by_zero[1]);
            metrics[2 * low + 1] = by_one[0].max(by_one[1]);
            let pair = u64::from(by_zero[1] > by_zero[0]) | u64::from(by_one[1] > by_one[0]) << 1;
            word |= pair << (2 * low);
        }
        *decisions = word;
    }
}
