//! Soft symbols into bits.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod portable;

use super::Rate;

/// Bits by which decisions lag behind the symbols before they are taken: 27 constraint lengths, at which no rate was seen to lose anything
/// against maximum likelihood (`tests/error_rates.rs`).
pub const DEPTH: usize = 192;

/// Bits that are decided at a time, unless [`Viterbi::with_segment`] says otherwise.
pub const SEGMENT: usize = 1024;

/// Steps between two shifts of the path metrics towards zero. A step adds 256 at most, so that 16 bits never overflow.
const BATCH: usize = 64;

/// A path metric that no state reaches by itself: two states differ by 12 symbols of 128 at most.
const IMPOSSIBLE: i16 = -8192;

/// Correlations of a pair of soft symbols with the four pairs of bits 00, 01, 10, 11.
type Branches = [i16; 4];

/// What the encoder's register holds where the symbols end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Not known: the likeliest state is taken. The last bits are then less sure than the others.
    Unknown,
    /// Six zero bits were encoded last: a tail.
    Zero,
    /// These were the last six bits, the newest in the least significant place ([`Encoder::state`](super::Encoder::state)); of greater
    /// values the lower six bits count.
    State(u8),
}

/// How well the symbols fit the bits that were decided. It tells a synchronised decoder from one that is not, and a good link from a poor one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quality {
    /// Sizes of all soft symbols, summed.
    pub confidence: u64,
    /// Sizes of the soft symbols whose sign contradicts the likeliest path, summed.
    pub contradicted: u64,
}

impl Quality {
    /// The share of the confidence that was contradicted: 0 without errors. `None` without symbols, or with erasures only.
    pub fn disagreement(&self) -> Option<f64> {
        (self.confidence > 0).then(|| self.contradicted as f64 / self.confidence as f64)
    }
}

/// A length of a segment that [`Viterbi::with_segment`] refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a segment of {0} bits: it must be a multiple of 64 from 64 to 65536")]
pub struct SegmentError(pub usize);

/// How the paths are extended.
#[derive(Debug, Clone, Copy)]
enum Engine {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3),
}

impl Engine {
    fn fastest() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            return Engine::Avx2(simd);
        }
        Engine::Portable
    }

    fn extend(self, metrics: &mut [i16; 64], branches: &[Branches], decisions: &mut [u64]) {
        match self {
            Engine::Portable => portable::extend(metrics, branches, decisions),
            #[cfg(target_arch = "x86_64")]
            Engine::Avx2(simd) => avx2::extend(simd, metrics, branches, decisions),
        }
    }

    /// Runs this with all instructions of the engine at the compiler's disposal.
    #[inline(always)]
    fn run<R>(self, work: impl FnOnce() -> R) -> R {
        match self {
            Engine::Portable => work(),
            #[cfg(target_arch = "x86_64")]
            Engine::Avx2(simd) => simd.vectorize(work),
        }
    }
}

/// The soft-decision decoder, for a stream or for a block.
///
/// It takes channel symbols of any [`Rate`] as they are received, in pieces of any length, puts erasures where the puncturing left symbols out, and keeps its state
/// between calls. The same symbols give the same bits however they are cut. Path metrics keep all eight bits of the soft symbols, so their scale is
/// free, and no symbol, however extreme, saturates anything.
///
/// Bits come in segments ([`SEGMENT`]), each traced back from the likeliest state [`DEPTH`] bits behind its end; [`finish`](Self::finish)
/// gives the rest. Where two paths are equally likely, the one from the lower state wins.
#[derive(Debug, Clone)]
pub struct Viterbi {
    rate: Rate,
    engine: Engine,
    segment: usize,
    start: Option<u8>,
    metrics: [i16; 64],
    /// For each step since the first bit not yet given, the better predecessor of each state: 1 if it had the oldest bit set.
    decisions: Vec<u64>,
    /// The likeliest state at the end of the first of two segments that are traced together.
    likeliest: Option<u8>,
    /// Where in the pattern of the puncturing the next symbol is.
    place: usize,
    first: Option<i8>,
    confidence: u64,
    growth: i64,
}

impl Viterbi {
    /// A decoder that knows nothing of the bits before.
    pub fn new(rate: Rate) -> Self {
        Self::with_engine(rate, Engine::fastest())
    }

    /// The same without vector instructions. It gives the same answers.
    pub fn portable(rate: Rate) -> Self {
        Self::with_engine(rate, Engine::Portable)
    }

    fn with_engine(rate: Rate, engine: Engine) -> Self {
        Viterbi {
            rate,
            engine,
            segment: SEGMENT,
            start: None,
            metrics: [0; 64],
            decisions: Vec::new(),
            likeliest: None,
            place: 0,
            first: None,
            confidence: 0,
            growth: 0,
        }
    }

    /// Bits decided at a time: fewer mean less delay (two segments and [`DEPTH`]) and more work.
    ///
    /// # Errors
    /// If it isn't a multiple of 64 from 64 to 65536.
    pub fn with_segment(mut self, bits: usize) -> Result<Self, SegmentError> {
        if bits == 0 || !bits.is_multiple_of(64) || bits > 65_536 {
            return Err(SegmentError(bits));
        }
        self.segment = bits;
        Ok(self)
    }

    /// Says that the encoder's last six bits before the first symbol are known: zero for an encoder that has just begun.
    pub fn starting_at(mut self, state: u8) -> Self {
        self.start = Some(state & 0x3f);
        self.restart();
        self
    }

    /// The rate decoded.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Decodes more soft symbols and appends the bits that are settled, packed. They come in whole octets.
    pub fn decode(&mut self, symbols: &[i8], octets: &mut Vec<u8>) {
        let mut branches = [[0; 4]; BATCH];
        let mut filled = 0;
        let mut symbols = symbols;
        while !symbols.is_empty() {
            // Batches end where segments may, counted from the first bit still held.
            let room = BATCH - self.decisions.len() % BATCH;
            symbols = self.gather(symbols, &mut branches[..room], &mut filled);
            if filled > 0 {
                self.extend(&branches[..std::mem::take(&mut filled)], octets);
            }
        }
    }

    /// Decodes what is still held and appends it, the last octet filled up with zeros; tells how many bits that were. The decoder is then as new.
    ///
    /// A symbol without its partner counts as if the partner had been erased.
    pub fn finish(&mut self, end: End, octets: &mut Vec<u8>) -> usize {
        if self.first.is_some() {
            self.decode(&[0], octets);
        }
        let mut state = match end {
            End::Unknown => likeliest(&self.metrics),
            End::Zero => 0,
            End::State(state) => state & 0x3f,
        };
        let count = self.decisions.len();
        let begin = octets.len();
        octets.resize(begin + count.div_ceil(8), 0);
        for (at, word) in self.decisions.iter().enumerate().rev() {
            octets[begin + at / 8] |= (state & 1) << (7 - at % 8);
            state = ((word >> state & 1) << 5) as u8 | (state >> 1);
        }
        self.restart();
        count
    }

    /// Decodes one block whose first and last states are what [`starting_at`](Self::starting_at) and `end` say; gives the bits, packed, and
    /// how many they are. What the decoder held from before is forgotten.
    pub fn decode_block(&mut self, symbols: &[i8], end: End) -> (Vec<u8>, usize) {
        self.restart();
        let mut octets = Vec::with_capacity(symbols.len() / 8 + 2);
        self.decode(symbols, &mut octets);
        let settled = octets.len() * 8;
        let count = self.finish(end, &mut octets);
        (octets, settled + count)
    }

    /// How well the symbols fitted since the last call of this.
    pub fn take_quality(&mut self) -> Quality {
        let confidence = std::mem::take(&mut self.confidence);
        let growth = std::mem::take(&mut self.growth);
        // The best metric grows by what agrees and shrinks by what contradicts.
        let contradicted = ((confidence as i64 - growth) / 2).max(0) as u64;
        Quality { confidence, contradicted }
    }

    fn restart(&mut self) {
        self.metrics = match self.start {
            None => [0; 64],
            Some(state) => {
                let mut metrics = [IMPOSSIBLE; 64];
                metrics[usize::from(state)] = 0;
                metrics
            }
        };
        self.decisions.clear();
        self.likeliest = None;
        self.place = 0;
        self.first = None;
    }

    /// Takes symbols until they fill `branches` or end; `filled` counts the branches. Gives the symbols left over.
    fn gather<'a>(&mut self, symbols: &'a [i8], branches: &mut [Branches], filled: &mut usize) -> &'a [i8] {
        if self.rate == Rate::Half && self.first.is_none() {
            let count = branches.len().min(symbols.len() / 2);
            if count > 0 {
                let (now, rest) = symbols.split_at(count * 2);
                let confidence = self.engine.run(
                    #[inline(always)]
                    || correlate_inverted(now, &mut branches[..count]),
                );
                self.confidence += u64::from(confidence);
                *filled = count;
                return rest;
            }
        }
        let pattern = self.rate.pattern();
        for (taken, symbol) in symbols.iter().enumerate() {
            if *filled == branches.len() {
                return &symbols[taken..];
            }
            self.confidence += u64::from(symbol.unsigned_abs());
            self.take(*symbol, branches, filled);
            self.place = (self.place + 1) % pattern.len();
            while !pattern[self.place] {
                self.take(0, branches, filled);
                self.place += 1;
                if self.place == pattern.len() {
                    self.place = 0;
                }
            }
        }
        &[]
    }

    fn take(&mut self, symbol: i8, branches: &mut [Branches], filled: &mut usize) {
        match self.first.take() {
            None => self.first = Some(symbol),
            Some(first) => {
                let second = i16::from(symbol);
                let second = if self.rate.inverts_second() { -second } else { second };
                branches[*filled] = correlate(i16::from(first), second);
                *filled += 1;
            }
        }
    }

    fn extend(&mut self, branches: &[Branches], octets: &mut Vec<u8>) {
        let begin = self.decisions.len();
        self.decisions.resize(begin + branches.len(), 0);
        self.engine.extend(&mut self.metrics, branches, &mut self.decisions[begin..]);
        let best = self.metrics.iter().copied().fold(i16::MIN, i16::max);
        self.growth += i64::from(best);
        self.metrics.iter_mut().for_each(|metric| *metric -= best);
        let held = self.decisions.len();
        if held == self.segment + DEPTH {
            self.likeliest = Some(likeliest(&self.metrics));
        } else if held == 2 * self.segment + DEPTH {
            let ends = [self.likeliest.take().unwrap_or_default(), likeliest(&self.metrics)];
            self.engine.run(
                #[inline(always)]
                || trace(&self.decisions, self.segment, ends, octets),
            );
            self.decisions.copy_within(2 * self.segment.., 0);
            self.decisions.truncate(DEPTH);
        }
    }
}

/// Correlations of pairs whose second symbol is sent inverted; gives the sum of all symbols' sizes.
#[inline(always)]
fn correlate_inverted(symbols: &[i8], branches: &mut [Branches]) -> u16 {
    for (branch, pair) in branches.iter_mut().zip(symbols.chunks_exact(2)) {
        *branch = correlate(i16::from(pair[0]), -i16::from(pair[1]));
    }
    // At most 128 for each of the 128 symbols of a batch.
    symbols.iter().map(|symbol| u16::from(symbol.unsigned_abs())).sum()
}

#[inline(always)]
fn correlate(first: i16, second: i16) -> Branches {
    [first + second, first - second, second - first, -first - second]
}

fn likeliest(metrics: &[i16; 64]) -> u8 {
    let best = metrics.iter().copied().fold(i16::MIN, i16::max);
    metrics.iter().position(|metric| *metric == best).unwrap_or(0) as u8
}

/// Traces two segments back at once, each from its state [`DEPTH`] steps behind its end: two chains of dependent steps take the time of one.
#[inline(always)]
fn trace(decisions: &[u64], segment: usize, ends: [u8; 2], octets: &mut Vec<u8>) {
    // A state's oldest bit went in six steps before, so bits are read off the decisions six steps behind them.
    let (first, second) = (&decisions[6..segment + DEPTH], &decisions[segment + 6..2 * segment + DEPTH]);
    let mut states = ends.map(u64::from);
    for (one, two) in first[segment..].iter().zip(&second[segment..]).rev() {
        states = [back(*one, states[0]).0, back(*two, states[1]).0];
    }
    let begin = octets.len();
    octets.resize(begin + 2 * segment / 8, 0);
    let (early, late) = octets[begin..].split_at_mut(segment / 8);
    let words = first[..segment].chunks_exact(64).zip(second[..segment].chunks_exact(64));
    let places = early.chunks_exact_mut(8).zip(late.chunks_exact_mut(8));
    for ((one, two), (early, late)) in words.zip(places).rev() {
        let mut bits = [0u64; 2];
        for (one, two) in one.iter().zip(two).rev() {
            let (state, bit) = back(*one, states[0]);
            (states[0], bits[0]) = (state, bits[0] << 1 | bit);
            let (state, bit) = back(*two, states[1]);
            (states[1], bits[1]) = (state, bits[1] << 1 | bit);
        }
        early.copy_from_slice(&bits[0].reverse_bits().to_be_bytes());
        late.copy_from_slice(&bits[1].reverse_bits().to_be_bytes());
    }
}

/// The state before, and its oldest bit.
#[inline(always)]
fn back(word: u64, state: u64) -> (u64, u64) {
    let oldest = word >> (state & 63) & 1;
    (oldest << 5 | state >> 1, oldest)
}
