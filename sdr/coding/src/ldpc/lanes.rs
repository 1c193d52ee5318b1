//! Thirty-two soft values at a time.

/// How many values an instruction takes.
pub(super) const LANES: usize = 32;

/// The operations of the decoder on [`LANES`] values; every implementation gives the same answers.
pub(super) trait Lanes: Copy {
    type V: Copy;
    fn splat(self, value: i8) -> Self::V;
    fn load(self, from: &[i8; LANES]) -> Self::V;
    fn store(self, value: Self::V, to: &mut [i8; LANES]);
    /// Saturating.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// Saturating.
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// The size as an unsigned octet: that of -128 is 128.
    fn size(self, a: Self::V) -> Self::V;
    /// Of unsigned octets.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// Of unsigned octets.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    fn xor(self, a: Self::V, b: Self::V) -> Self::V;
    fn or(self, a: Self::V, b: Self::V) -> Self::V;
    /// `size`, negated where `by` is negative.
    fn signed(self, size: Self::V, by: Self::V) -> Self::V;
    /// -1 where both are the same, 0 elsewhere.
    fn same(self, a: Self::V, b: Self::V) -> Self::V;
    /// `yes` where the mask is -1, `no` where it is 0.
    fn choose(self, mask: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// The octets of the table, 16 and the same 16 again, at these places from 0 to 15.
    fn lookup(self, table: Self::V, places: Self::V) -> Self::V;
    fn max_signed(self, a: Self::V, b: Self::V) -> Self::V;
    /// How many values are negative.
    fn negative(self, a: Self::V) -> u32;
}

/// For every processor.
#[derive(Clone, Copy)]
pub(super) struct Portable;

#[inline(always)]
fn each(a: [i8; LANES], b: [i8; LANES], f: impl Fn(i8, i8) -> i8) -> [i8; LANES] {
    std::array::from_fn(|lane| f(a[lane], b[lane]))
}

impl Lanes for Portable {
    type V = [i8; LANES];

    #[inline(always)]
    fn splat(self, value: i8) -> Self::V {
        [value; LANES]
    }

    #[inline(always)]
    fn load(self, from: &[i8; LANES]) -> Self::V {
        *from
    }

    #[inline(always)]
    fn store(self, value: Self::V, to: &mut [i8; LANES]) {
        *to = value;
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        each(a, b, i8::saturating_add)
    }

    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        each(a, b, i8::saturating_sub)
    }

    #[inline(always)]
    fn size(self, a: Self::V) -> Self::V {
        a.map(i8::wrapping_abs)
    }

    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        each(a, b, |a, b| (a as u8).min(b as u8) as i8)
    }

    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        each(a, b, |a, b| (a as u8).max(b as u8) as i8)
    }

    #[inline(always)]
    fn xor(self, a: Self::V, b: Self::V) -> Self::V {
        each(a, b, |a, b| a ^ b)
    }

    #[inline(always)]
    fn or(self, a: Self::V, b: Self::V) -> Self::V {
        each(a, b, |a, b| a | b)
    }

    #[inline(always)]
    fn signed(self, size: Self::V, by: Self::V) -> Self::V {
        each(size, by, |size, by| (size ^ (by >> 7)).wrapping_sub(by >> 7))
    }

    #[inline(always)]
    fn same(self, a: Self::V, b: Self::V) -> Self::V {
        each(a, b, |a, b| -i8::from(a == b))
    }

    #[inline(always)]
    fn choose(self, mask: Self::V, yes: Self::V, no: Self::V) -> Self::V {
        std::array::from_fn(|lane| (yes[lane] & mask[lane]) | (no[lane] & !mask[lane]))
    }

    #[inline(always)]
    fn lookup(self, table: Self::V, places: Self::V) -> Self::V {
        places.map(|place| table[usize::from(place as u8 & 15)])
    }

    #[inline(always)]
    fn max_signed(self, a: Self::V, b: Self::V) -> Self::V {
        each(a, b, i8::max)
    }

    #[inline(always)]
    fn negative(self, a: Self::V) -> u32 {
        a.iter().map(|&a| u32::from(a < 0)).sum()
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    use pulp::cast;
    use pulp::x86::V3;
    use std::arch::x86_64::__m256i;

    use super::{LANES, Lanes};

    impl Lanes for V3 {
        type V = __m256i;

        #[inline(always)]
        fn splat(self, value: i8) -> __m256i {
            self.avx._mm256_set1_epi8(value)
        }

        #[inline(always)]
        fn load(self, from: &[i8; LANES]) -> __m256i {
            cast(*from)
        }

        #[inline(always)]
        fn store(self, value: __m256i, to: &mut [i8; LANES]) {
            *to = cast(value);
        }

        #[inline(always)]
        fn add(self, a: __m256i, b: __m256i) -> __m256i {
            self.avx2._mm256_adds_epi8(a, b)
        }

        #[inline(always)]
        fn sub(self, a: __m256i, b: __m256i) -> __m256i {
            self.avx2._mm256_subs_epi8(a, b)
        }

        #[inline(always)]
        fn size(self, a: __m256i) -> __m256i {
            self.avx2._mm256_abs_epi8(a)
        }

        #[inline(always)]
        fn min(self, a: __m256i, b: __m256i) -> __m256i {
            self.avx2._mm256_min_epu8(a, b)
        }

        #[inline(always)]
        fn max(self, a: __m256i, b: __m256i) -> __m256i {
            self.avx2._mm256_max_epu8(a, b)
        }

        #[inline(always)]
        fn xor(self, a: __m256i, b: __m256i) -> __m256i {
            self.avx2._mm256_xor_si256(a, b)
        }

        #[inline(always)]
        fn or(self, a: __m256i, b: __m256i) -> __m256i {
            self.avx2._mm256_or_si256(a, b)
        }

        #[inline(always)]
        fn signed(self, size: __m256i, by: __m256i) -> __m256i {
            // The instruction gives 0 for a sign of 0, so the sign is made odd.
            self.avx2._mm256_sign_epi8(size, self.or(by, self.splat(1)))
        }

        #[inline(always)]
        fn same(self, a: __m256i, b: __m256i) -> __m256i {
            self.avx2._mm256_cmpeq_epi8(a, b)
        }

        #[inline(always)]
        fn choose(self, mask: __m256i, yes: __m256i, no: __m256i) -> __m256i {
            self.avx2._mm256_blendv_epi8(no, yes, mask)
        }

        #[inline(always)]
        fn lookup(self, table: __m256i, places: __m256i) -> __m256i {
            self.avx2._mm256_shuffle_epi8(table, places)
        }

        #[inline(always)]
        fn max_signed(self, a: __m256i, b: __m256i) -> __m256i {
            self.avx2._mm256_max_epi8(a, b)
        }

        #[inline(always)]
        fn negative(self, a: __m256i) -> u32 {
            (self.avx2._mm256_movemask_epi8(a) as u32).count_ones()
        }
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    fn every_pair_agrees(simd: pulp::x86::V3) {
        for a in i8::MIN..=i8::MAX {
            for base in [-128i16, -96, -64, -32, 0, 32, 64, 96] {
                let (x, y) = ([a; LANES], std::array::from_fn(|lane| (base + lane as i16) as i8));
                let (vx, vy) = (simd.load(&x), simd.load(&y));
                let same = |name, value, expected: [i8; LANES]| {
                    let mut found = [0; LANES];
                    simd.store(value, &mut found);
                    assert_eq!(found, expected, "{name} of {a} and {base}..");
                };
                same("add", simd.add(vx, vy), Portable.add(x, y));
                same("sub", simd.sub(vx, vy), Portable.sub(x, y));
                same("size", simd.size(vy), Portable.size(y));
                same("min", simd.min(vx, vy), Portable.min(x, y));
                same("max", simd.max(vx, vy), Portable.max(x, y));
                same("xor", simd.xor(vx, vy), Portable.xor(x, y));
                same("or", simd.or(vx, vy), Portable.or(x, y));
                same("signed", simd.signed(vx, vy), Portable.signed(x, y));
                same("same", simd.same(vx, vy), Portable.same(x, y));
                let mask = simd.same(vx, vy);
                same("choose", simd.choose(mask, vx, vy), Portable.choose(Portable.same(x, y), x, y));
                same("max signed", simd.max_signed(vx, vy), Portable.max_signed(x, y));
                let table = std::array::from_fn(|at| a.wrapping_add((at % 16) as i8 * 7));
                let places = y.map(|y| y & 15);
                same("lookup", simd.lookup(simd.load(&table), simd.load(&places)), Portable.lookup(table, places));
                assert_eq!(simd.negative(vy), Portable.negative(y));
            }
        }
    }

    #[test]
    fn the_vector_instructions_answer_as_the_portable_path() {
        match pulp::x86::V3::try_new() {
            Some(simd) => every_pair_agrees(simd),
            None => eprintln!("skipped: this processor has no AVX2"),
        }
    }
}
