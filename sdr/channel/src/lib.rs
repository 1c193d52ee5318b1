//! What space and two radios do to a signal: the channel at the level of complex baseband samples.
//!
//! No I/O but the ring that holds what is under way, no clock: time is the number of the sample. Samples are `Complex<f32>`.
