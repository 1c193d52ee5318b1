//! What a decoder leaves: bad blocks, or bursts.

use farlink_units::Instant;

use super::bursts::GilbertElliott;
use super::codes::{BlockCode, convolutional};
use super::fading::{Gain, Scintillation};
use super::skip::{Draws, Skip};
use super::spans::spans;
use super::{Airtime, ErrorModelError};
use crate::series::Series;

/// How far Eb/N0 may move while it is held level.
const EB_N0_RESOLUTION_DB: f64 = 0.02;

/// Eb/N0 as a function of time.
#[derive(Clone, Debug)]
pub(super) struct Conditions {
    eb_n0_db: Series,
    gain: Option<Box<Gain>>,
}

impl Conditions {
    pub(super) fn new(
        eb_n0_db: Series,
        scintillation: Option<Scintillation>,
        seed: u64,
    ) -> Result<Self, ErrorModelError> {
        let gain = scintillation.map(|s| Gain::new(s, seed).map(Box::new)).transpose()?;
        Ok(Conditions { eb_n0_db, gain })
    }

    /// Eb/N0 in dB, and until when it is held level.
    pub(super) fn at(&mut self, at: Instant) -> (f64, Instant) {
        let cell = self.eb_n0_db.cell(at, EB_N0_RESOLUTION_DB);
        match &mut self.gain {
            None => (cell.value, cell.end),
            Some(gain) => {
                let (fade_db, end) = gain.at(at);
                (cell.value + fade_db, cell.end.min(end))
            }
        }
    }
}

/// A block code: whole code words fail, and in them some of the bits are wrong.
///
/// The stream of bits is cut into blocks of `words` code words, which take turns symbol by symbol. Whether a word fails is
/// settled when its block begins, with the Eb/N0 of that instant.
#[derive(Clone, Debug)]
pub(super) struct Decoder {
    conditions: Conditions,
    blocks: Blocks,
}

#[derive(Clone, Debug)]
struct Blocks {
    code: BlockCode,
    /// Eb/N0 for which `failures` is set: curves are looked up when it changes, not for every frame.
    set_for_db: f64,
    /// Over code words.
    failures: Skip,
    /// Over the bits of bad blocks.
    wrong: Skip,
    /// How much of the current block has gone by.
    offset: u64,
    /// Which of the words of the current block have failed.
    failed: u64,
    /// Numbers of the words that failed in the stretch at hand.
    words: Vec<u64>,
}

impl Decoder {
    pub(super) fn new(code: BlockCode, conditions: Conditions, mut draws: Draws) -> Self {
        let wrong = Skip::new(0.0, draws.split());
        let failures = Skip::new(0.0, draws);
        let blocks = Blocks { code, set_for_db: f64::NAN, failures, wrong, offset: 0, failed: 0, words: Vec::new() };
        Decoder { conditions, blocks }
    }

    pub(super) fn strike(&mut self, frame: &Airtime, flips: &mut Vec<u64>) {
        let Decoder { conditions, blocks } = self;
        spans(frame, |at| conditions.at(at), |eb_n0_db, from, to| blocks.piece(eb_n0_db, from, to, flips));
    }
}

impl Blocks {
    /// The bits from `from` to `to` of a frame, of which blocks may begin with this Eb/N0.
    fn piece(&mut self, eb_n0_db: f64, from: u64, to: u64, flips: &mut Vec<u64>) {
        let block = self.code.block_bits();
        let mut at = from;
        if self.offset > 0 {
            let taken = (block - self.offset).min(to - at);
            self.damage(self.offset, taken, at, flips);
            self.offset = (self.offset + taken) % block;
            at += taken;
        }
        if at == to {
            return;
        }
        let words = self.code.words;
        let begun = (to - at).div_ceil(block);
        if eb_n0_db != self.set_for_db {
            self.set_for_db = eb_n0_db;
            self.failures.set_probability(self.code.word_error_rate(eb_n0_db));
        }
        let mut list = std::mem::take(&mut self.words);
        list.clear();
        self.failures.take(begun * words, |word| list.push(word));
        if !list.is_empty() {
            self.wrong.set_probability(self.code.share_of_wrong_bits(eb_n0_db));
        }
        self.failed = 0;
        for bad in list.chunk_by(|a, b| a / words == b / words) {
            let index = bad[0] / words;
            let start = at + index * block;
            self.failed = bad.iter().fold(0, |set, word| set | 1 << (word % words));
            self.damage(0, block.min(to - start), start, flips);
            if index + 1 < begun {
                self.failed = 0;
            }
        }
        self.words = list;
        self.offset = (to - at) % block;
    }

    /// Flips what is wrong in a part of the current block, which begins at `at` in the frame.
    fn damage(&mut self, offset: u64, bits: u64, at: u64, flips: &mut Vec<u64>) {
        if self.failed == 0 {
            return;
        }
        let Blocks { code, wrong, failed, .. } = self;
        wrong.take(bits, |position| {
            let word = (offset + position) / code.symbol_bits % code.words;
            if *failed >> word & 1 == 1 {
                flips.push(at + position);
            }
        });
    }
}

/// A decoder of a convolutional code: its errors come in bursts with clean stretches in between, whose mean follows Eb/N0.
#[derive(Clone, Debug)]
pub(super) struct BurstyDecoder {
    conditions: Conditions,
    bursts: GilbertElliott,
    /// Eb/N0 for which `bursts` is set.
    set_for_db: f64,
}

impl BurstyDecoder {
    pub(super) fn new(conditions: Conditions, draws: Draws) -> Self {
        let bursts = GilbertElliott::to_be_set(draws);
        BurstyDecoder { conditions, bursts, set_for_db: f64::NAN }
    }

    pub(super) fn strike(&mut self, frame: &Airtime, flips: &mut Vec<u64>) {
        let BurstyDecoder { conditions, bursts, set_for_db } = self;
        spans(
            frame,
            |at| conditions.at(at),
            |eb_n0_db, from, to| {
                if eb_n0_db != *set_for_db {
                    *set_for_db = eb_n0_db;
                    bursts.set(&convolutional::bursts(eb_n0_db));
                }
                bursts.take(from, to, flips);
            },
        );
    }
}
