//! The time-varying graphs of dtn-tvg-util.
//!
//! After `tvgutil.tvg` and `tvgutil.contact_plan` of version 0.1.6 (MIT licence). A graph holds contacts that happen (`Contact_v2`: with
//! a bit error rate) or that are predicted (`PredictedContact_v2`: with a probability, and perhaps several predictions). The forms
//! without `_v2` that came before are read too. All times and delays are in seconds, rates in bit/s, all of them doubles.

mod read;
mod write;

pub(super) use read::read;
pub(super) use write::write;
