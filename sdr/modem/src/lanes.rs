//! Eight floats at a time, with the instructions that the processor has or with those that every one has.
//!
//! Every operation is one of IEEE 754 on each lane, and none are fused or reordered: both ways give the same bits.

use pulp::{Scalar256b, Simd, WithSimd};
use std::ops::{Add, Div, Mul, Sub};

/// Floats side by side.
pub(crate) const LANES: usize = 8;

/// Which instructions are used. The answers do not depend on it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Instructions {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3),
}

impl Instructions {
    /// The best that this processor has, as found by asking it.
    pub(crate) fn fastest() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            return Self::Avx2(simd);
        }
        Self::Portable
    }

    /// Runs work compiled for these instructions: what of it is `#[inline(always)]`.
    pub(crate) fn run<W: WithSimd>(self, work: W) -> W::Output {
        match self {
            Self::Portable => work.with_simd(Scalar256b),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(simd) => Simd::vectorize(simd, work),
        }
    }
}

/// Floats that are worked on side by side; `S` has to have [`LANES`] of them.
#[derive(Clone, Copy)]
pub(crate) struct Lanes<S: Simd> {
    simd: S,
    floats: S::f32s,
}

impl<S: Simd> Lanes<S> {
    #[inline(always)]
    pub(crate) fn all(simd: S, x: f32) -> Self {
        Self { simd, floats: simd.splat_f32s(x) }
    }

    #[inline(always)]
    pub(crate) fn of(simd: S, floats: [f32; LANES]) -> Self {
        Self { simd, floats: pulp::cast(floats) }
    }

    #[inline(always)]
    pub(crate) fn array(self) -> [f32; LANES] {
        pulp::cast(self.floats)
    }

    /// No less than `-most` and no more than `most`.
    #[inline(always)]
    pub(crate) fn within(self, most: f32) -> Self {
        let (simd, low, high) = (self.simd, self.simd.splat_f32s(-most), self.simd.splat_f32s(most));
        Self { simd, floats: simd.min_f32s(simd.max_f32s(self.floats, low), high) }
    }

    #[inline(always)]
    pub(crate) fn at_least(self, least: f32) -> Self {
        Self { simd: self.simd, floats: self.simd.max_f32s(self.floats, self.simd.splat_f32s(least)) }
    }

    #[inline(always)]
    pub(crate) fn times(self, x: f32) -> Self {
        self * Self::all(self.simd, x)
    }

    #[inline(always)]
    pub(crate) fn plus(self, x: f32) -> Self {
        self + Self::all(self.simd, x)
    }

    /// The lanes' sum.
    #[inline(always)]
    pub(crate) fn sum(self) -> f32 {
        let a = self.array();
        ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]))
    }

    /// The sums of even and of odd lanes.
    #[inline(always)]
    pub(crate) fn pairs(self) -> [f32; 2] {
        let a = self.array();
        [(a[0] + a[4]) + (a[2] + a[6]), (a[1] + a[5]) + (a[3] + a[7])]
    }
}

impl<S: Simd> Add for Lanes<S> {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self { simd: self.simd, floats: self.simd.add_f32s(self.floats, other.floats) }
    }
}

impl<S: Simd> Sub for Lanes<S> {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self { simd: self.simd, floats: self.simd.sub_f32s(self.floats, other.floats) }
    }
}

impl<S: Simd> Mul for Lanes<S> {
    type Output = Self;

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self { simd: self.simd, floats: self.simd.mul_f32s(self.floats, other.floats) }
    }
}

impl<S: Simd> Div for Lanes<S> {
    type Output = Self;

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        Self { simd: self.simd, floats: self.simd.div_f32s(self.floats, other.floats) }
    }
}

/// Complex numbers side by side.
#[derive(Clone, Copy)]
pub(crate) struct Complexes<S: Simd> {
    pub(crate) re: Lanes<S>,
    pub(crate) im: Lanes<S>,
}

impl<S: Simd> Complexes<S> {
    #[inline(always)]
    pub(crate) fn of(simd: S, re: [f32; LANES], im: [f32; LANES]) -> Self {
        Self { re: Lanes::of(simd, re), im: Lanes::of(simd, im) }
    }

    #[inline(always)]
    pub(crate) fn within(self, most: f32) -> Self {
        Self { re: self.re.within(most), im: self.im.within(most) }
    }

    #[inline(always)]
    pub(crate) fn power(self) -> Lanes<S> {
        self.re * self.re + self.im * self.im
    }
}

impl<S: Simd> Mul for Complexes<S> {
    type Output = Self;

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }
}
