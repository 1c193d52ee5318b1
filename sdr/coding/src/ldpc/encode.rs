use super::LdpcError;
use super::code::{CORE, Code, Matrix};
use super::ring::{self, Ring};

/// An encoder of one code: information bits to the codeword that begins with them.
///
/// It uses the parity-check matrix only. All parity bits but those of the last four columns of permutations follow from the others
/// by one check each; those four follow from a system of equations over the ring of circulants, solved once.
#[derive(Clone, Debug)]
pub struct Encoder {
    code: Code,
    ring: Ring,
    columns: usize,
    punctured: usize,
    layers: Vec<Vec<(usize, usize)>>,
    /// Layers that give a parity column outside the core, with that column and its shift.
    gives: Vec<(usize, usize, usize)>,
    /// Layers that are left for the core.
    left: Vec<usize>,
    /// Core bits from what is left, row by row.
    inverse: Vec<Vec<u64>>,
}

impl Encoder {
    /// An encoder.
    pub fn new(code: Code) -> Self {
        let matrix = Matrix::new(code);
        let information_columns = matrix.information_columns();
        let outside = information_columns..matrix.columns - CORE;
        let (mut gives, mut left) = (Vec::new(), Vec::new());
        let mut known: Vec<bool> = (0..matrix.columns).map(|column| !outside.contains(&column)).collect();
        for (index, layer) in matrix.layers.iter().enumerate() {
            let mut unknown = layer.iter().filter(|edge| !known[edge.column]);
            match (unknown.next().copied(), unknown.next()) {
                (Some(edge), None) => {
                    known[edge.column] = true;
                    gives.push((index, edge.column, edge.shift));
                }
                _ => left.push(index),
            }
        }
        let layers = matrix.layers.iter().map(|layer| layer.iter().map(|e| (e.column, e.shift)).collect()).collect();
        let ring = Ring::new(matrix.size);
        let (columns, punctured) = (matrix.columns, matrix.punctured);
        let mut encoder = Encoder { code, ring, columns, punctured, layers, gives, left, inverse: Vec::new() };
        // How the checks that are left answer to one bit of each core column: since all is cyclic, that is a circulant.
        let mut answers = vec![Vec::new(); CORE * CORE];
        for from in 0..CORE {
            let mut bits = encoder.no_bits();
            bits[encoder.columns - CORE + from][0] = 1;
            encoder.give(&mut bits);
            for (to, &layer) in encoder.left.iter().enumerate() {
                answers[to * CORE + from] = encoder.sum(layer, &bits);
            }
        }
        encoder.inverse =
            ring::invert(&encoder.ring, &answers, CORE).expect("the parity columns of the code are independent");
        encoder
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The codeword of packed information bits, packed.
    ///
    /// # Errors
    /// The number of octets is not that of the code.
    pub fn encode(&self, information: &[u8]) -> Result<Vec<u8>, LdpcError> {
        LdpcError::check("octets of information", self.code.information_octets(), information.len())?;
        let mut bits = self.no_bits();
        let octets = self.ring.size / 8;
        for (column, from) in bits.iter_mut().zip(information.chunks_exact(octets)) {
            for (at, octet) in from.iter().enumerate() {
                column[at / 8] |= u64::from(octet.reverse_bits()) << (at % 8 * 8);
            }
        }
        self.give(&mut bits);
        let rests: Vec<Vec<u64>> = self.left.iter().map(|&layer| self.sum(layer, &bits)).collect();
        for (from, rest) in rests.iter().enumerate() {
            for shift in terms(rest) {
                for to in 0..CORE {
                    let column = &mut bits[self.columns - CORE + to];
                    self.ring.add_shifted(column, &self.inverse[to * CORE + from], shift);
                }
            }
        }
        self.give(&mut bits);
        let mut codeword = Vec::with_capacity(self.code.codeword_octets());
        for column in &bits[..self.columns - self.punctured] {
            codeword.extend((0..octets).map(|at| ((column[at / 8] >> (at % 8 * 8)) as u8).reverse_bits()));
        }
        Ok(codeword)
    }

    fn no_bits(&self) -> Vec<Vec<u64>> {
        vec![self.ring.zero(); self.columns]
    }

    /// Sets the parity columns outside the core so that their checks are met.
    fn give(&self, bits: &mut [Vec<u64>]) {
        for &(layer, column, shift) in &self.gives {
            bits[column].fill(0);
            let sum = self.sum(layer, bits);
            self.ring.add_shifted(&mut bits[column], &sum, shift);
        }
    }

    /// The checks of a layer: bit r is the sum of the bits r + shift of its columns.
    fn sum(&self, layer: usize, bits: &[Vec<u64>]) -> Vec<u64> {
        let mut sum = self.ring.zero();
        for &(column, shift) in &self.layers[layer] {
            self.ring.add_shifted(&mut sum, &bits[column], self.ring.size - shift);
        }
        sum
    }
}

/// The places of the bits that are set.
fn terms(words: &[u64]) -> impl Iterator<Item = usize> + '_ {
    words.iter().enumerate().flat_map(|(at, &word)| {
        let mut left = word;
        std::iter::from_fn(move || {
            let place = (left != 0).then(|| at * 64 + left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(place)
        })
    })
}
