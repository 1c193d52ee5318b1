//! Random numbers that are a function of a seed, a purpose and a place: nothing is carried from one sample to the next.

use crate::vector::{ln, sin_cos};

/// What random numbers are for. Parts with one seed are independent of each other, since each has its own purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Noise = 1,
    PhaseWalk = 2,
    PhaseMask = 3,
    Fading = 4,
    Scintillation = 5,
    Burst = 6,
}

/// A key of Threefry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key([u32; 4]);

impl Key {
    /// The key of a seed, a purpose, and one of several of that purpose.
    pub fn new(seed: u64, purpose: Purpose, which: u32) -> Self {
        Key([seed as u32, (seed >> 32) as u32, purpose as u32, which])
    }

    /// Four words that belong to a place.
    #[inline(always)]
    pub fn words(self, place: u64) -> [u32; 4] {
        threefry(self.0, [place as u32, (place >> 32) as u32, 0, 0])
    }

    /// Two independent normal numbers that belong to a place, and two more.
    #[inline(always)]
    pub fn normals(self, place: u64) -> [f32; 4] {
        let [a, b, c, d] = self.words(place);
        let ((w, x), (y, z)) = (normal_pair(a, b), normal_pair(c, d));
        [w, x, y, z]
    }

    /// A number from 0 to 1 that belongs to a place, neither of which it is.
    pub fn uniform(self, place: u64) -> f64 {
        let [low, high, ..] = self.words(place);
        let bits = (u64::from(high) << 32 | u64::from(low)) >> 11;
        (bits as f64 + 0.5) / (1u64 << 53) as f64
    }
}

/// Two independent normal numbers of mean 0 and variance 1 from two words (Box and Muller).
///
/// The first word has 31 bits of use, so that their common radius ends at 6.7; a chance of 2⁻³² lies beyond.
#[inline(always)]
pub(crate) fn normal_pair(radius: u32, angle: u32) -> (f32, f32) {
    let uniform = ((radius >> 1) as i32 as f32 + 0.5) * (1.0 / (1u32 << 31) as f32);
    let radius = (-2.0 * ln(uniform)).sqrt();
    let (sine, cosine) = sin_cos(angle);
    (radius * cosine, radius * sine)
}

/// Threefry-4x32 of 20 rounds (J. K. Salmon and others, "Parallel random numbers: as easy as 1, 2, 3", SC11).
///
/// Words have names, and rounds stand one after the other: a loop over an array would keep the compiler from doing eight places at once.
#[inline(always)]
fn threefry([k0, k1, k2, k3]: [u32; 4], [mut a, mut b, mut c, mut d]: [u32; 4]) -> [u32; 4] {
    let k4 = 0x1bd1_1bda ^ k0 ^ k1 ^ k2 ^ k3;
    macro_rules! inject {
        ($number:literal: $a:ident, $b:ident, $c:ident, $d:ident) => {
            a = a.wrapping_add($a);
            b = b.wrapping_add($b);
            c = c.wrapping_add($c);
            d = d.wrapping_add($d).wrapping_add($number);
        };
    }
    macro_rules! round {
        ($b:ident, $d:ident, $first:literal, $second:literal) => {
            a = a.wrapping_add($b);
            $b = $b.rotate_left($first) ^ a;
            c = c.wrapping_add($d);
            $d = $d.rotate_left($second) ^ c;
        };
    }
    macro_rules! four {
        ($e:literal, $f:literal; $g:literal, $h:literal; $i:literal, $j:literal; $k:literal, $l:literal) => {
            round!(b, d, $e, $f);
            round!(d, b, $g, $h);
            round!(b, d, $i, $j);
            round!(d, b, $k, $l);
        };
    }
    inject!(0: k0, k1, k2, k3);
    four!(10, 26; 11, 21; 13, 27; 23, 5);
    inject!(1: k1, k2, k3, k4);
    four!(6, 20; 17, 11; 25, 10; 18, 20);
    inject!(2: k2, k3, k4, k0);
    four!(10, 26; 11, 21; 13, 27; 23, 5);
    inject!(3: k3, k4, k0, k1);
    four!(6, 20; 17, 11; 25, 10; 18, 20);
    inject!(4: k4, k0, k1, k2);
    four!(10, 26; 11, 21; 13, 27; 23, 5);
    inject!(5: k0, k1, k2, k3);
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers that come with Random123.
    #[test]
    fn threefry_gives_the_published_words() {
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let more = [0xa409_3822, 0x299f_31d0, 0x082e_fa98, 0xec4e_6c89];
        for (key, counter, words) in [
            ([0; 4], [0; 4], [0x9c6c_a96a, 0xe17e_ae66, 0xfc10_ecd4, 0x5256_a7d8]),
            ([u32::MAX; 4], [u32::MAX; 4], [0x2a88_1696, 0x5701_2287, 0xf6c7_446e, 0xa16a_6732]),
            (more, pi, [0x59cd_1dbb, 0xb887_9579, 0x86b5_d00c, 0xac8b_6d84]),
        ] {
            assert_eq!(threefry(key, counter), words);
        }
    }

    #[test]
    fn seeds_and_purposes_are_independent() {
        let key = Key::new(7, Purpose::Noise, 0);
        assert_eq!(key.words(5), Key::new(7, Purpose::Noise, 0).words(5));
        for other in [Key::new(8, Purpose::Noise, 0), Key::new(7, Purpose::Fading, 0), Key::new(7, Purpose::Noise, 1)] {
            assert_ne!(key.words(5), other.words(5));
        }
        assert_ne!(key.words(5), key.words(5 + (1 << 32)));
    }

    #[test]
    fn the_extreme_words_give_finite_numbers() {
        for radius in [0, 1, 2, u32::MAX - 1, u32::MAX] {
            for angle in [0, 1 << 29, 1 << 30, u32::MAX] {
                let (x, y) = normal_pair(radius, angle);
                assert!(x.is_finite() && y.is_finite() && x.hypot(y) < 6.8, "{radius} {angle}: {x} {y}");
            }
        }
    }
}
