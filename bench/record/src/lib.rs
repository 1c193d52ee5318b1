//! Events, recordings and what is made of them.
//!
//! Everything that happens in a run is an [`Event`] with a time. From the stream of them come
//!
//! * the **recording** ([`recording`]): a JSON line for each event, and the SHA-256 by which two runs are compared;
//! * the **capture** ([`capture`]): what was delivered, as a pcapng file for Wireshark;
//! * the **counters** ([`counters`]): what each channel took in, delivered and lost;
//! * the **results** ([`results`]): the verdicts, as JSON and JUnit.
//!
//! [`report`] has what pages for people are made of.
//!
//! Nothing here looks at a clock or at the link: the same events always make the same bytes.

pub mod capture;
pub mod control;
pub mod counters;
pub mod event;
pub mod instrument;
pub mod recording;
pub mod report;
pub mod results;

pub use event::*;
