//! Low-density parity-check codes: AR4JA for telemetry (131.0-B-5 section 7.4) and the two short codes for commands (231.0-B-4 section 4).
//!
//! All are systematic and quasi-cyclic: the parity-check matrix is made of cyclic permutations, so that one instruction works on
//! as many checks as it has lanes. [`Encoder`] solves the same matrix; there is no generator matrix in the program.
//!
//! ```
//! use farlink_coding::ldpc::{Code, Decoder, Encoder};
//!
//! let codeword = Encoder::new(Code::Tc128).encode(b"farlink!")?;
//! let mut soft: Vec<i8> = codeword.iter().flat_map(|o| (0..8).rev().map(move |b| if o >> b & 1 == 0 { 40 } else { -40 })).collect();
//! soft[3] = -soft[3];
//! soft[77] = 0;
//! let mut information = [0; 8];
//! Decoder::new(Code::Tc128, 20).decode(&soft, &mut information)?;
//! assert_eq!(&information, b"farlink!");
//! # Ok::<(), farlink_coding::ldpc::LdpcError>(())
//! ```

mod code;
mod decode;
mod encode;
mod lanes;
mod ring;
mod tables;

pub use code::{Code, Length, Rate};
pub use decode::{Decoded, Decoder};
pub use encode::Encoder;

/// Why there is no codeword, or no information.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LdpcError {
    /// Input or output is not as long as the code has it.
    #[error("{what}: {found}, but the code has {expected}")]
    Size {
        /// What is counted.
        what: &'static str,
        /// As many as the code has.
        expected: usize,
        /// As many as there are.
        found: usize,
    },
    /// The decoder gave up: too many errors for this code.
    #[error("no codeword after {iterations} iterations: {unmet} parity checks are not met")]
    NoCodeword {
        /// Iterations made.
        iterations: u32,
        /// Checks that are not met or have an undecided bit.
        unmet: u32,
    },
}

impl LdpcError {
    fn check(what: &'static str, expected: usize, found: usize) -> Result<(), Self> {
        if found == expected { Ok(()) } else { Err(LdpcError::Size { what, expected, found }) }
    }
}
