//! An emulated radio link: two ends that transmit and receive samples, joined by a channel for each direction.
//!
//! Time is the number of the sample. What an end transmits for sample n is what the other receives one delay later; an end that transmits
//! nothing sends zeros. The link can be served to other processes, which is how `sdr/soapy-module` shows each end as a device.
