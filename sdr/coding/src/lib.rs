//! CCSDS synchronisation and channel coding: transfer frames to channel symbols and back (131.0-B for telemetry, 231.0-B for commands).
//!
//! No I/O, no clock. Bits are `u8` of 0 or 1 where they are single, and octets with the most significant bit first where they are packed, as
//! the Blue Books number them. A soft symbol is an `i8`: its sign is the decision (positive for 0, as BPSK maps it), its size the confidence,
//! a log-likelihood ratio in steps that the decoder does not need to know. Zero is an erasure, which is what a punctured symbol is.

pub mod cltu;
pub mod concatenated;
pub mod convolutional;
pub mod ldpc;
pub mod marker;
pub mod randomiser;
pub mod reed_solomon;
