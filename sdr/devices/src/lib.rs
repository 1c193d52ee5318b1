//! Radios: what transmits and receives samples, guarded, recorded and looked at.
//!
//! A [`Device`] is one radio with a transmitter, a receiver or both. What is wanted of it is read back from it, and what it
//! loses is counted: a run in which samples were lost gives no verdict ([`Losses::inconclusive`]).
//!
//! - [`safety`] decides what may be transmitted, and silences what gets out of control.
//! - [`keeper`] does so when the program has been killed.
//! - [`sigmf`] recordings, and files of nothing but samples, are played and recorded by a [`FileDevice`], or beside any device
//!   by [`file::Recorded`]; [`TestDevice`] writes down what it is told.
//! - [`spectrum`] shows what is in the samples.
//! - [`EmulatedDevice`] is an end of an emulated link that another process serves.
//! - With the feature `soapy`, [`soapy`] opens real radios through SoapySDR.

mod clock;
mod device;
pub mod emulated;
pub mod file;
pub mod keeper;
pub mod safety;
pub mod sigmf;
pub mod soapy;
pub mod spectrum;
mod test_device;

pub use clock::{Clock, ManualClock, Monotonic};
pub use device::{Burst, Device, DeviceError, Direction, Losses, Received, Settings};
pub use emulated::EmulatedDevice;
pub use file::FileDevice;
pub use test_device::{Faults, Journal, Request, TestDevice, Told};
