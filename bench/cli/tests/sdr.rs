//! `farlink sdr`: radios, recordings and emulated links at the level of samples, with real files, sockets and processes.
#![allow(missing_docs)]

mod common;

#[path = "sdr/bench.rs"]
mod bench;
#[path = "sdr/devices.rs"]
mod devices;
#[path = "sdr/emulate.rs"]
mod emulate;
#[path = "sdr/play.rs"]
mod play;
#[path = "sdr/record.rs"]
mod record;
#[path = "sdr/signal.rs"]
mod signal;
#[path = "sdr/spectrum.rs"]
mod spectrum;
