//! The way of a spacecraft in an SPK file.

use std::sync::Arc;

use super::{KernelError, Kernels};

/// A body or spacecraft that kernels place, by its NAIF ID (spacecraft have negative ones).
#[derive(Clone, Debug)]
pub struct KernelPath {
    kernels: Arc<Kernels>,
    target: i32,
}

impl KernelPath {
    /// The way of `target` in `kernels`.
    ///
    /// # Errors
    /// The kernels do not place it from the barycentre of the solar system at any time.
    pub fn new(kernels: Arc<Kernels>, target: i32) -> Result<Self, KernelError> {
        if kernels.spans(target).is_empty() {
            return Err(kernels.not_covered(target, 0.0));
        }
        Ok(KernelPath { kernels, target })
    }

    /// Its NAIF ID.
    pub fn target(&self) -> i32 {
        self.target
    }

    /// When it is placed: the first and last instant of each span, in TDB seconds after J2000.
    pub fn spans(&self) -> &[[f64; 2]] {
        self.kernels.spans(self.target)
    }

    /// Where it is `tdb_s` seconds after J2000 TDB: km from the barycentre of the solar system, on ICRF axes.
    ///
    /// # Errors
    /// The kernels do not place it at that time.
    pub fn position_km(&self, tdb_s: f64) -> Result<[f64; 3], KernelError> {
        self.kernels.position_km(self.target, tdb_s)
    }
}

impl PartialEq for KernelPath {
    /// The same target in the same kernels, not in others with the same content.
    fn eq(&self, other: &Self) -> bool {
        self.target == other.target && Arc::ptr_eq(&self.kernels, &other.kernels)
    }
}
