use super::tables::{PHI, TC128, TC512, THETA};

/// The rates of the AR4JA codes (131.0-B-5 section 7.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Rate {
    /// 1/2.
    Half,
    /// 2/3.
    TwoThirds,
    /// 4/5.
    FourFifths,
}

/// The information block lengths of the AR4JA codes (131.0-B-5 table 7-2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Length {
    /// 1024 bits.
    K1024,
    /// 4096 bits.
    K4096,
    /// 16384 bits.
    K16384,
}

/// One of the LDPC codes of CCSDS.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Code {
    /// Telecommand, (128, 64): 231.0-B-4 section 4.
    Tc128,
    /// Telecommand, (512, 256): 231.0-B-4 section 4.
    Tc512,
    /// Telemetry, accumulate-repeat-4-jagged-accumulate: 131.0-B-5 section 7.4.
    Ar4ja(Rate, Length),
}

impl Code {
    /// All codes.
    pub const ALL: [Code; 11] = [
        Code::Tc128,
        Code::Tc512,
        Code::Ar4ja(Rate::Half, Length::K1024),
        Code::Ar4ja(Rate::Half, Length::K4096),
        Code::Ar4ja(Rate::Half, Length::K16384),
        Code::Ar4ja(Rate::TwoThirds, Length::K1024),
        Code::Ar4ja(Rate::TwoThirds, Length::K4096),
        Code::Ar4ja(Rate::TwoThirds, Length::K16384),
        Code::Ar4ja(Rate::FourFifths, Length::K1024),
        Code::Ar4ja(Rate::FourFifths, Length::K4096),
        Code::Ar4ja(Rate::FourFifths, Length::K16384),
    ];

    /// k: bits that go in.
    pub const fn information_bits(self) -> usize {
        match self {
            Code::Tc128 => 64,
            Code::Tc512 => 256,
            Code::Ar4ja(_, Length::K1024) => 1024,
            Code::Ar4ja(_, Length::K4096) => 4096,
            Code::Ar4ja(_, Length::K16384) => 16384,
        }
    }

    /// n: bits that are sent.
    pub const fn codeword_bits(self) -> usize {
        let k = self.information_bits();
        match self {
            Code::Tc128 | Code::Tc512 | Code::Ar4ja(Rate::Half, _) => 2 * k,
            Code::Ar4ja(Rate::TwoThirds, _) => k / 2 * 3,
            Code::Ar4ja(Rate::FourFifths, _) => k / 4 * 5,
        }
    }

    /// Octets that go in.
    pub const fn information_octets(self) -> usize {
        self.information_bits() / 8
    }

    /// Octets that are sent.
    pub const fn codeword_octets(self) -> usize {
        self.codeword_bits() / 8
    }

    /// Code rate, k/n.
    pub fn rate(self) -> f64 {
        self.information_bits() as f64 / self.codeword_bits() as f64
    }

    /// The parity checks: for each, the code bits that add up to zero. Bits from [`codeword_bits`](Self::codeword_bits)
    /// on are those of the AR4JA codes that are not sent.
    pub fn checks(self) -> Vec<Vec<usize>> {
        let matrix = Matrix::new(self);
        let z = matrix.size;
        let bit = |edge: &Edge, row: usize| edge.column * z + (row + edge.shift) % z;
        let rows = |layer: &Vec<Edge>| (0..z).map(|row| layer.iter().map(|e| bit(e, row)).collect()).collect();
        matrix.layers.iter().flat_map(|layer| -> Vec<Vec<usize>> { rows(layer) }).collect()
    }
}

/// A cyclic permutation in the parity-check matrix: check `r` of the layer meets bit `r + shift` of the column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub column: usize,
    pub shift: usize,
}

/// A parity-check matrix made of cyclic permutations of one size.
pub(super) struct Matrix {
    /// Rows and columns of each permutation; a power of two.
    pub size: usize,
    /// Columns of permutations, those that are not sent included: they are the last.
    pub columns: usize,
    /// Columns that are not sent.
    pub punctured: usize,
    /// Rows of permutations.
    pub layers: Vec<Vec<Edge>>,
}

/// The last four columns of all these codes are the ones that the others' parity follows from.
pub(super) const CORE: usize = 4;

impl Matrix {
    pub fn new(code: Code) -> Self {
        match code {
            Code::Tc128 => telecommand(16, &TC128),
            Code::Tc512 => telecommand(64, &TC512),
            Code::Ar4ja(rate, length) => ar4ja(rate, length),
        }
    }

    /// Columns of information bits: the first.
    pub fn information_columns(&self) -> usize {
        self.columns - self.layers.len()
    }
}

fn telecommand(size: usize, table: &[&[(usize, usize)]; 4]) -> Matrix {
    let edges = |row: &&[(usize, usize)]| row.iter().map(|&(column, shift)| Edge { column, shift }).collect();
    Matrix { size, columns: 8, punctured: 0, layers: table.iter().map(edges).collect() }
}

/// A sub-matrix of 131.0-B-5 section 7.4.2.3: its block column, and the numbers of the permutations that are added; 0 is the identity.
type Block = (usize, &'static [usize]);

const FIRST: [Block; 2] = [(2, &[0]), (4, &[0, 1])];
const SECOND: [Block; 4] = [(0, &[0]), (1, &[0]), (3, &[0]), (4, &[2, 3, 4])];
const THIRD: [Block; 4] = [(0, &[0]), (1, &[5, 6]), (3, &[7, 8]), (4, &[0])];
/// What rate 2/3 sets before rate 1/2, in the second and third row.
const TWO_THIRDS: [[Block; 2]; 2] = [[(0, &[9, 10, 11]), (1, &[0])], [(0, &[0]), (1, &[12, 13, 14])]];
/// What rate 4/5 sets before rate 2/3.
const FOUR_FIFTHS: [[Block; 4]; 2] = [
    [(0, &[21, 22, 23]), (1, &[0]), (2, &[15, 16, 17]), (3, &[0])],
    [(0, &[0]), (1, &[24, 25, 26]), (2, &[0]), (3, &[18, 19, 20])],
];

fn ar4ja(rate: Rate, length: Length) -> Matrix {
    // The sub-matrices have M rows, of which each fourth is cyclic by itself (table 7-2, section 7.4.2.4).
    let log_m = match (rate, length) {
        (Rate::Half, Length::K1024) => 9,
        (Rate::TwoThirds, Length::K1024) => 8,
        (Rate::FourFifths, Length::K1024) => 7,
        (Rate::Half, Length::K4096) => 11,
        (Rate::TwoThirds, Length::K4096) => 10,
        (Rate::FourFifths, Length::K4096) => 9,
        (Rate::Half, Length::K16384) => 13,
        (Rate::TwoThirds, Length::K16384) => 12,
        (Rate::FourFifths, Length::K16384) => 11,
    };
    let before: usize = match rate {
        Rate::Half => 0,
        Rate::TwoThirds => 2,
        Rate::FourFifths => 6,
    };
    let size = (1 << log_m) / 4;
    let layer = |blocks: &[Block], more: &[Block], most: &[Block], j: usize| {
        let mut edges = Vec::new();
        let parts = [(most, 0), (more, before.saturating_sub(2)), (blocks, before)];
        for (&(column, permutations), offset) in parts.iter().flat_map(|(part, at)| part.iter().map(move |b| (b, at))) {
            for &k in permutations {
                // pi_k(i) = M/4 ((theta_k + j) mod 4) + (phi_k(j, M) + i) mod M/4, for the j-th fourth of i.
                let (theta, phi) = if k == 0 { (0, 0) } else { (THETA[k - 1], PHI[j][k - 1][log_m - 7]) };
                edges.push(Edge { column: 4 * (column + offset) + (theta + j) % 4, shift: phi % size });
            }
        }
        edges
    };
    let mut layers = Vec::new();
    for row in 0..3 {
        for j in 0..4 {
            let more = if rate == Rate::Half || row == 0 { &[][..] } else { &TWO_THIRDS[row - 1][..] };
            let most = if rate != Rate::FourFifths || row == 0 { &[][..] } else { &FOUR_FIFTHS[row - 1][..] };
            let blocks = [&FIRST[..], &SECOND[..], &THIRD[..]][row];
            layers.push(layer(blocks, more, most, j));
        }
    }
    Matrix { size, columns: 4 * (5 + before), punctured: 4, layers }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sizes_are_those_of_the_books() {
        for code in Code::ALL {
            let matrix = Matrix::new(code);
            assert_eq!((matrix.columns - matrix.punctured) * matrix.size, code.codeword_bits(), "{code:?}");
            assert_eq!(matrix.information_columns() * matrix.size, code.information_bits(), "{code:?}");
            for layer in &matrix.layers {
                let mut columns: Vec<usize> = layer.iter().map(|edge| edge.column).collect();
                columns.sort_unstable();
                let twice = columns.windows(2).filter(|pair| pair[0] == pair[1]).count();
                let expected = usize::from(matches!(code, Code::Tc128 | Code::Tc512));
                assert_eq!(twice, expected, "{code:?}: columns that a layer meets twice");
            }
        }
    }
}
