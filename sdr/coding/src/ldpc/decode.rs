use super::LdpcError;
use super::code::{Code, Length, Matrix, Rate};
use super::lanes::{LANES, Lanes, Portable};

/// The largest size of a soft symbol inside the decoder.
const SOFT_LIMIT: u32 = 31;
/// The largest size of a message from a check: what several of them add up to still fits.
const MESSAGE_LIMIT: i8 = 42;
/// ln(1 + e^-x) for sizes x from 0 to 15, all in quarters, and the same again for the other half of a vector.
const CORRECTION: [i8; LANES] =
    [3, 2, 2, 2, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 3, 2, 2, 2, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0];

/// The mean size of log-likelihood ratios, in quarters, at the Es/N0 at which this code begins to work (a word in a hundred is lost). Soft symbols are
/// brought to it: their scale is then right where it matters. With less noise it is too small, which costs what is not needed there.
fn mean_size(code: Code) -> u32 {
    match code {
        Code::Tc128 => 19,
        Code::Tc512 => 16,
        Code::Ar4ja(Rate::Half, length) => of_length(length, [13, 12, 11]),
        Code::Ar4ja(Rate::TwoThirds, length) => of_length(length, [19, 17, 16]),
        Code::Ar4ja(Rate::FourFifths, length) => of_length(length, [26, 24, 22]),
    }
}

fn of_length(length: Length, values: [u32; 3]) -> u32 {
    match length {
        Length::K1024 => values[0],
        Length::K4096 => values[1],
        Length::K16384 => values[2],
    }
}

/// What a codeword took.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decoded {
    /// Iterations over all checks.
    pub iterations: u32,
}

/// A decoder of one code: layered belief propagation with messages of eight bits, in quarters of a neper.
///
/// A check tells the least sure of its bits what all the others tell together, and each of the others what all of them tell together: but for
/// rounding, the sum of products for the one and a little less than it for the others (Jones, Vallés, Smith and Villasenor,
/// "Approximate-min* constraint node updating for LDPC code decoding", MILCOM 2003).
///
/// The scale of the soft symbols does not matter, only their ratios: the decoder brings them to its own.
#[derive(Clone, Debug)]
pub struct Decoder {
    code: Code,
    max_iterations: u32,
    early_stop: bool,
    portable: bool,
    schedule: Schedule,
    state: State,
}

#[derive(Clone, Debug)]
struct Schedule {
    /// Rows and columns of a permutation.
    size: usize,
    /// Vectors that hold a permutation's rows.
    vectors: usize,
    /// Octets from one column to the next: each is held twice, so that a cyclic shift is one load.
    stride: usize,
    columns: usize,
    layers: Vec<Layer>,
}

/// One row of permutations.
#[derive(Clone, Debug)]
struct Layer {
    columns: Vec<usize>,
    shifts: Vec<usize>,
    /// How many at the end meet a column that the layer has met before.
    again: usize,
    /// Where its messages begin.
    messages: usize,
}

#[derive(Clone, Debug)]
struct State {
    /// What is believed of each bit, in two sets: a layer reads from one and writes to the other.
    beliefs: Vec<i8>,
    /// Of each column: which set is valid, and by how much it is rotated.
    places: Vec<(bool, usize)>,
    /// What each check last told each of its bits.
    messages: Vec<[i8; LANES]>,
    /// What changed for bits that a layer meets twice.
    changes: Vec<[i8; LANES]>,
}

impl Decoder {
    /// A decoder that gives up after `max_iterations`, and is content as soon as all checks are.
    pub fn new(code: Code, max_iterations: u32) -> Self {
        let matrix = Matrix::new(code);
        let size = matrix.size;
        let vectors = size.div_ceil(LANES);
        let mut messages = 0;
        let mut changes = 0;
        let layers = matrix.layers.iter().map(|edges| {
            let (mut first, mut again) = (Vec::new(), Vec::new());
            for edge in edges {
                let met = first.iter().any(|&(column, _)| column == edge.column);
                if met { &mut again } else { &mut first }.push((edge.column, edge.shift));
            }
            let start = messages;
            messages += edges.len() * vectors;
            changes = changes.max(again.len() * vectors);
            let (columns, shifts) = first.iter().chain(&again).copied().unzip();
            Layer { columns, shifts, again: again.len(), messages: start }
        });
        let layers: Vec<Layer> = layers.collect();
        let stride = 2 * vectors * LANES;
        let state = State {
            beliefs: vec![0; 2 * matrix.columns * stride],
            places: vec![(false, 0); matrix.columns],
            messages: vec![[0; LANES]; messages],
            changes: vec![[0; LANES]; changes],
        };
        let schedule = Schedule { size, vectors, stride, columns: matrix.columns, layers };
        Decoder { code, max_iterations, early_stop: true, portable: false, schedule, state }
    }

    /// All iterations, also once all checks are met: for measuring.
    #[must_use]
    pub fn without_early_stop(mut self) -> Self {
        self.early_stop = false;
        self
    }

    /// Without vector instructions, which changes no answer.
    #[must_use]
    pub fn portable(mut self) -> Self {
        self.portable = true;
        self
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Decodes the soft symbols of a codeword to its information bits, packed.
    ///
    /// Without a codeword, `information` holds the decisions at the end, which is the best guess there is.
    ///
    /// # Errors
    /// [`LdpcError::NoCodeword`] if checks are unmet after the last iteration or a bit is undecided, and
    /// the lengths of input or output if they are not those of the code.
    pub fn decode(&mut self, soft: &[i8], information: &mut [u8]) -> Result<Decoded, LdpcError> {
        LdpcError::check("soft symbols", self.code.codeword_bits(), soft.len())?;
        LdpcError::check("octets for the information bits", self.code.information_octets(), information.len())?;
        self.start(soft);
        let run = Run {
            schedule: &self.schedule,
            state: &mut self.state,
            max_iterations: self.max_iterations,
            early_stop: self.early_stop,
        };
        let (iterations, unmet) = run.dispatch(self.portable);
        self.decide(information);
        if unmet == 0 { Ok(Decoded { iterations }) } else { Err(LdpcError::NoCodeword { iterations, unmet }) }
    }

    /// Loads the soft symbols, of a mean size of [`mean_size`]; what was not sent is an erasure.
    fn start(&mut self, soft: &[i8]) {
        let Schedule { size, stride, columns, .. } = self.schedule;
        let State { beliefs, places, messages, .. } = &mut self.state;
        let sum: u64 = soft.iter().map(|s| u64::from(s.unsigned_abs())).sum();
        // In 1/65536; the numbers stay below 2^32, since the sum is at least the size of one symbol.
        let gain =
            (u64::from(mean_size(self.code)) * soft.len() as u64 * 65536).checked_div(sum).unwrap_or(0).min(MAX_GAIN)
                as u32;
        let scaled = |s: i8| {
            let size = ((u32::from(s.unsigned_abs()) * gain + 32768) >> 16).min(SOFT_LIMIT) as i8;
            if s < 0 { -size } else { size }
        };
        places.fill((false, 0));
        messages.fill([0; LANES]);
        for column in 0..columns {
            let held = &mut beliefs[column * stride..][..stride];
            match soft.get(column * size..(column + 1) * size) {
                Some(soft) => held[..size].iter_mut().zip(soft).for_each(|(held, &s)| *held = scaled(s)),
                None => held[..size].fill(0),
            }
            for at in size..stride {
                held[at] = held[at - size];
            }
        }
    }

    /// Packs the decisions on the information bits.
    fn decide(&self, information: &mut [u8]) {
        let Schedule { size, stride, columns, .. } = self.schedule;
        for (column, octets) in information.chunks_exact_mut(size / 8).enumerate() {
            let (set, rotated) = self.state.places[column];
            let held = &self.state.beliefs[(usize::from(set) * columns + column) * stride..][..stride];
            let held = &held[(size - rotated) % size..][..size];
            for (octet, held) in octets.iter_mut().zip(held.chunks_exact(8)) {
                *octet = held.iter().fold(0, |octet, &belief| octet << 1 | u8::from(belief < 0));
            }
        }
    }
}

/// Above it a soft symbol of 1 is at its limit already.
const MAX_GAIN: u64 = (SOFT_LIMIT as u64 + 1) * 65536;

struct Run<'a> {
    schedule: &'a Schedule,
    state: &'a mut State,
    max_iterations: u32,
    early_stop: bool,
}

#[cfg(target_arch = "x86_64")]
struct Vectors<'a>(pulp::x86::V3, Run<'a>);

#[cfg(target_arch = "x86_64")]
impl pulp::NullaryFnOnce for Vectors<'_> {
    type Output = (u32, u32);

    #[inline(always)]
    fn call(self) -> (u32, u32) {
        self.1.iterate(self.0)
    }
}

impl Run<'_> {
    fn dispatch(self, portable: bool) -> (u32, u32) {
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new().filter(|_| !portable) {
            return simd.vectorize(Vectors(simd, self));
        }
        let _ = portable;
        self.iterate(Portable)
    }

    /// Iterations made, and checks that are not met.
    #[inline(always)]
    fn iterate<S: Lanes>(mut self, simd: S) -> (u32, u32) {
        for iteration in 0..self.max_iterations {
            for index in 0..self.schedule.layers.len() {
                match self.schedule.layers[index].columns.len() {
                    3 => self.layer::<S, 3>(simd, index),
                    6 => self.layer::<S, 6>(simd, index),
                    8 => self.layer::<S, 8>(simd, index),
                    10 => self.layer::<S, 10>(simd, index),
                    _ => self.layer::<S, 18>(simd, index),
                }
            }
            if self.early_stop && self.unmet(simd) == 0 {
                return (iteration + 1, 0);
            }
        }
        (self.max_iterations, self.unmet(simd))
    }

    /// Brings the checks of one layer and their bits in line.
    #[inline(always)]
    fn layer<S: Lanes, const DEGREE: usize>(&mut self, simd: S, index: usize) {
        let Schedule { size, vectors, stride, columns, ref layers } = *self.schedule;
        let layer = &layers[index];
        let State { beliefs, places, messages, changes } = &mut *self.state;
        let columns_met: &[usize; DEGREE] = layer.columns.as_slice().try_into().expect("the layer has this degree");
        let shifts: &[usize; DEGREE] = layer.shifts.as_slice().try_into().expect("the layer has this degree");
        let messages = &mut messages[layer.messages..][..DEGREE * vectors];
        let once = DEGREE - layer.again;
        let correction = simd.load(&CORRECTION);

        let start = |set: bool, column: usize| (usize::from(set) * columns + column) * stride;
        let turn = |from: usize, to: usize| if to >= from { to - from } else { to + size - from };
        let (mut reads, mut writes) = ([0; DEGREE], [0; DEGREE]);
        for edge in 0..DEGREE {
            let column = columns_met[edge];
            let (set, rotated) = places[column];
            reads[edge] = start(set, column) + turn(rotated, shifts[edge]);
            writes[edge] = start(!set, column);
        }
        for edge in 0..once {
            let place = &mut places[columns_met[edge]];
            *place = (!place.0, shifts[edge]);
        }

        for vector in 0..vectors {
            let at = vector * LANES;
            let messages: &mut [[i8; LANES]; DEGREE] =
                (&mut messages[vector * DEGREE..][..DEGREE]).try_into().expect("as many as the degree");
            let mut known = [simd.splat(0); DEGREE];
            // The least size of all edges, and what all the others tell together.
            let mut least = simd.splat(MESSAGE_LIMIT);
            let mut others = least;
            let mut sign = simd.splat(0);
            for edge in 0..DEGREE {
                let belief = simd.load(lanes(beliefs, reads[edge] + at));
                let extrinsic = simd.sub(belief, simd.load(&messages[edge]));
                let size = simd.size(extrinsic);
                others = together(simd, correction, others, simd.max(least, size));
                least = simd.min(least, size);
                sign = simd.xor(sign, extrinsic);
                known[edge] = extrinsic;
            }
            let all = together(simd, correction, others, least);
            for edge in 0..DEGREE {
                let is_least = simd.same(simd.size(known[edge]), least);
                let strength = simd.choose(is_least, others, all);
                let told = simd.signed(strength, simd.xor(sign, known[edge]));
                if edge < once {
                    let belief = simd.add(known[edge], told);
                    // Twice, so that the next layer finds any rotation in one piece.
                    simd.store(belief, lanes_mut(beliefs, writes[edge] + at));
                    simd.store(belief, lanes_mut(beliefs, writes[edge] + size + at));
                } else {
                    let change = simd.sub(told, simd.load(&messages[edge]));
                    simd.store(change, &mut changes[(edge - once) * vectors + vector]);
                }
                simd.store(told, &mut messages[edge]);
            }
        }

        for edge in once..DEGREE {
            let column = columns_met[edge];
            let (set, rotated) = places[column];
            let read = start(set, column) + turn(rotated, shifts[edge]);
            let write = start(!set, column);
            for vector in 0..vectors {
                let at = vector * LANES;
                let change = simd.load(&changes[(edge - once) * vectors + vector]);
                let belief = simd.add(simd.load(lanes(beliefs, read + at)), change);
                simd.store(belief, lanes_mut(beliefs, write + at));
                simd.store(belief, lanes_mut(beliefs, write + size + at));
            }
            places[column] = (!set, shifts[edge]);
        }
    }

    /// Checks that are not met or have an undecided bit.
    #[inline(always)]
    fn unmet<S: Lanes>(&self, simd: S) -> u32 {
        let Schedule { size, vectors, stride, columns, ref layers } = *self.schedule;
        let State { beliefs, places, .. } = &*self.state;
        let zero = simd.splat(0);
        let mut unmet = 0;
        for layer in layers {
            for vector in 0..vectors {
                let (mut parity, mut undecided) = (zero, zero);
                for (&column, &shift) in layer.columns.iter().zip(&layer.shifts) {
                    let (set, rotated) = places[column];
                    let turn = if shift >= rotated { shift - rotated } else { shift + size - rotated };
                    let start = (usize::from(set) * columns + column) * stride;
                    let belief = simd.load(lanes(beliefs, start + turn + vector * LANES));
                    parity = simd.xor(parity, belief);
                    undecided = simd.or(undecided, simd.same(belief, zero));
                }
                unmet += simd.negative(simd.or(parity, undecided));
            }
        }
        // Permutations that are smaller than a vector are in it more than once.
        unmet * size as u32 / (vectors * LANES) as u32
    }
}

/// What two edges of these sizes tell a third together: min(a, b) + ln(1 + e^-(a+b)) - ln(1 + e^-|a-b|), which is exact but for its rounding.
#[inline(always)]
fn together<S: Lanes>(simd: S, correction: S::V, a: S::V, b: S::V) -> S::V {
    let (least, most) = (simd.min(a, b), simd.max(a, b));
    let end = simd.splat(15);
    let sum = simd.lookup(correction, simd.min(simd.add(a, b), end));
    let difference = simd.lookup(correction, simd.min(simd.sub(most, least), end));
    simd.max_signed(simd.add(simd.sub(least, difference), sum), simd.splat(0))
}

#[inline(always)]
fn lanes(from: &[i8], at: usize) -> &[i8; LANES] {
    from[at..at + LANES].try_into().expect("the slice has this length")
}

#[inline(always)]
fn lanes_mut(from: &mut [i8], at: usize) -> &mut [i8; LANES] {
    (&mut from[at..at + LANES]).try_into().expect("the slice has this length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_correction_is_the_logarithm_in_quarters() {
        for (at, value) in CORRECTION.iter().enumerate() {
            let size = (at % 16) as f64 / 4.0;
            assert_eq!(f64::from(*value), (4.0 * (-size).exp().ln_1p()).round(), "{size} neper");
        }
    }

    /// Against the product of hyperbolic tangents: no further from it than three roundings.
    #[test]
    fn two_edges_tell_a_third_what_sums_of_products_do() {
        for a in 0..=42i8 {
            for b in 0..=127i8 {
                let told = together(Portable, CORRECTION, [a; LANES], [b; LANES])[0];
                let half = |size: i8| (f64::from(size) / 8.0).tanh();
                let exact = 8.0 * (half(a) * half(b)).min(1.0 - 1e-16).atanh();
                assert!((f64::from(told) - exact).abs() < 1.5, "{a} and {b}: {told}, not {exact}");
            }
        }
    }
}
