//! A SoapySDR driver, `driver=farlink`, that presents each end of each emulated link that runs as a device.
//!
//! Without the feature `module` there is only what needs neither C++ nor SoapySDR: how a device is found, opened and used.
//! With it the library is the module `libFarlinkSupport.so`, to be put where SoapySDR looks for modules. See the README beside this crate.

// The name of the file is what people know SoapySDR's modules by.
#![allow(non_snake_case)]

#[cfg(feature = "module")]
mod bridge;
mod device;

pub use device::{
    DRIVER, Device, DeviceError, END_BURST, HAS_TIME, MTU, NOT_SUPPORTED, OVERFLOW, STREAM_ERROR, Streamed, TIME_ERROR,
    TIMEOUT, UNDERFLOW, Words, find, matching,
};
