//! Modulators and receivers: channel symbols to complex baseband samples and soft symbols back.
//!
//! No I/O, no clock: time is the number of the sample. Samples are `Complex<f32>` at a rate that both ends know; a modulator's mean power is 1.
//! Soft symbols are `i8` as in `farlink-coding`: positive for 0, zero for no knowledge.
