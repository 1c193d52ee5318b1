//! Circulants as polynomials over GF(2) modulo x^Z + 1, for Z a power of two.
//!
//! Modulo 2, x^Z + 1 is (x + 1)^Z: an element has an inverse exactly if its number of terms is odd, and elimination needs no more
//! than such pivots.

/// The ring for one Z. Bit i of an element, least significant first, is the coefficient of x^i.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    pub size: usize,
}

impl Ring {
    pub fn new(size: usize) -> Self {
        assert!(size.is_power_of_two(), "circulants of {size} rows");
        Ring { size }
    }

    pub fn zero(&self) -> Vec<u64> {
        vec![0; self.size.div_ceil(64)]
    }

    fn one(&self) -> Vec<u64> {
        let mut one = self.zero();
        one[0] = 1;
        one
    }

    /// to += x^shift from.
    pub fn add_shifted(&self, to: &mut [u64], from: &[u64], shift: usize) {
        let shift = shift % self.size;
        if self.size < 64 {
            let mask = (1 << self.size) - 1;
            to[0] ^= (from[0] << shift | from[0].checked_shr((self.size - shift) as u32).unwrap_or(0)) & mask;
            return;
        }
        let (words, bits) = (shift / 64, shift % 64);
        let (wrapped, straight) = from.split_at(from.len() - words);
        let mut below = wrapped.last().or(straight.last()).copied().unwrap_or(0);
        for (to, &from) in to.iter_mut().zip(straight.iter().chain(wrapped)) {
            *to ^= if bits == 0 { from } else { from << bits | below >> (64 - bits) };
            below = from;
        }
    }

    fn multiply(&self, a: &[u64], b: &[u64]) -> Vec<u64> {
        let mut product = self.zero();
        for shift in (0..self.size).filter(|&shift| a[shift / 64] >> (shift % 64) & 1 == 1) {
            self.add_shifted(&mut product, b, shift);
        }
        product
    }

    /// The square has the terms at twice the places.
    fn square(&self, a: &[u64]) -> Vec<u64> {
        let mut square = self.zero();
        for place in (0..self.size).filter(|&place| a[place / 64] >> (place % 64) & 1 == 1) {
            let to = 2 * place % self.size;
            square[to / 64] ^= 1 << (to % 64);
        }
        square
    }

    fn is_unit(a: &[u64]) -> bool {
        a.iter().fold(0, |sum, word| sum ^ word).count_ones() % 2 == 1
    }

    /// The inverse of a unit: its Z-th power is 1, so the (Z-1)-th is the inverse.
    fn invert(&self, a: &[u64]) -> Vec<u64> {
        let (mut inverse, mut power) = (self.one(), a.to_vec());
        for _ in 0..self.size.trailing_zeros() {
            inverse = self.multiply(&inverse, &power);
            power = self.square(&power);
        }
        inverse
    }
}

/// The inverse of a square matrix of `n` rows, row by row, or `None` if it has none.
pub(super) fn invert(ring: &Ring, matrix: &[Vec<u64>], n: usize) -> Option<Vec<Vec<u64>>> {
    let mut rows: Vec<Vec<Vec<u64>>> = (0..n)
        .map(|row| {
            let identity = (0..n).map(|column| if column == row { ring.one() } else { ring.zero() });
            matrix[row * n..][..n].iter().cloned().chain(identity).collect()
        })
        .collect();
    for pivot in 0..n {
        let found = (pivot..n).find(|&row| Ring::is_unit(&rows[row][pivot]))?;
        rows.swap(pivot, found);
        let inverse = ring.invert(&rows[pivot][pivot]);
        for element in &mut rows[pivot] {
            *element = ring.multiply(&inverse, element);
        }
        let by = rows[pivot].clone();
        for (index, row) in rows.iter_mut().enumerate().filter(|(index, _)| *index != pivot) {
            debug_assert_ne!(index, pivot);
            let factor = row[pivot].clone();
            for (element, by) in row.iter_mut().zip(&by) {
                let product = ring.multiply(&factor, by);
                element.iter_mut().zip(product).for_each(|(e, p)| *e ^= p);
            }
        }
    }
    Some(rows.into_iter().flat_map(|row| row.into_iter().skip(n)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverses_multiply_to_one() {
        for size in [16, 32, 64, 128, 2048] {
            let ring = Ring::new(size);
            let mut a = ring.zero();
            for term in [0, 3, size - 1, size / 2 + 1, 7] {
                a[term / 64] ^= 1 << (term % 64);
            }
            assert_eq!(ring.multiply(&a, &ring.invert(&a)), ring.one(), "modulo x^{size} + 1");
        }
    }

    #[test]
    fn a_matrix_without_a_unit_has_no_inverse() {
        let ring = Ring::new(16);
        let even = vec![0b11];
        assert_eq!(invert(&ring, std::slice::from_ref(&even), 1), None);
        assert_eq!(
            invert(&ring, &[vec![0], vec![1], vec![1], even.clone()], 2),
            Some(vec![even, vec![1], vec![1], vec![0]])
        );
    }
}
