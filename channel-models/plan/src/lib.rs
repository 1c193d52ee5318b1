//! Contact plans: who can send to whom, when, how fast and over what distance.
//!
//! A [`ContactPlan`] holds [`Contact`]s, each in one direction, with rates and light time as functions of time.
//! [`ContactPlan::validate`] finds what cannot be and what looks odd.
//!
//! ```
//! use farlink_contact_plan::{Contact, ContactPlan, LightTime, NodeId, Rate, Steps};
//! use farlink_units::{Duration, Instant};
//!
//! let (start, end) = (Instant::ZERO, Instant::ZERO + Duration::from_secs(600));
//! let mut contact = Contact::new(NodeId::ipn(10), NodeId::ipn(20), start, end);
//! contact.rate = Steps::constant(Rate::Limited(256_000));
//! contact.light_time = LightTime::constant(start, end, Duration::from_secs(4));
//!
//! let plan = ContactPlan::new(None, vec![contact]);
//! let findings = plan.validate();
//! assert_eq!(findings[0].to_string(), "contact 0, ipn:10.0 → ipn:20.0 from 00:00:00.000 to 00:10:00.000: \
//!     no contact leads back: LTP gets no reports");
//!
//! // For ION, and what that cannot carry: nothing here.
//! use farlink_contact_plan::formats::{Format, ReadOptions, WriteOptions, read, write};
//! let export = write(Format::Ion, &plan, &WriteOptions::default())?;
//! assert_eq!(export.text, "a contact +0 +600 10 20 32000\na range +0 +600 10 20 4\n");
//! assert!(export.losses.is_empty());
//!
//! // A plan whose rates were meant in bit/s is read as ION reads it, with a warning.
//! let import = read(Format::Ion, b"a contact +0 +600 10 20 256000", &ReadOptions::default())?;
//! assert!(import.warnings[0].to_string().ends_with("was it meant in bit/s? ION reads bytes per second"));
//!
//! println!("{}", farlink_contact_plan::render::timeline(&plan, 80));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The layers
//! - [`ContactPlan`], [`Contact`], [`LightTime`], [`Steps`], [`Rate`], [`NodeId`]: the plan, and [`Finding`]s in it. Light times from
//!   a geometry become pieces by [`LightTime::fit`].
//! - [`formats`]: the files of ION, HDTN, hardy, dtn-tvg-util, and our own.
//! - [`timers`]: LTP settings of ION, HDTN and the built-in node that follow from a plan.
//! - [`render`]: a table and a time line for the terminal.
//!
//! Times are told, never read off a clock; text comes in and goes out, and no file is opened here.

mod calendar;
mod contact;
pub mod formats;
mod light_time;
mod node;
mod plan;
pub mod render;
mod steps;
pub mod timers;
mod validate;

pub use contact::{Contact, Rate};
pub use light_time::{LightTime, Piece};
pub use node::NodeId;
pub use plan::ContactPlan;
pub use steps::Steps;
pub use validate::{Finding, Problem, Severity};
