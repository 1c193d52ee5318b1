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
//! ```

mod contact;
mod light_time;
mod node;
mod plan;
mod steps;
mod validate;

pub use contact::{Contact, Rate};
pub use light_time::{LightTime, Piece};
pub use node::NodeId;
pub use plan::ContactPlan;
pub use steps::Steps;
pub use validate::{Finding, Problem, Severity};
