//! The LTP settings of real stacks, derived from a plan.
//!
//! What a pair of nodes needs follows from the longest light times both ways, the rates, the block and the segment: [`Needs`]. Each
//! stack then has its own way to be told: [`ion`], [`hdtn`], [`builtin`]. Every [`Setting`] says what it was computed from. Roundings
//! go to the safe side: no timer is shorter than the need, no window smaller.
//!
//! ```
//! use farlink_contact_plan::timers::{Assumptions, Needs, ion};
//! use farlink_contact_plan::{Contact, ContactPlan, LightTime, NodeId, Rate, Steps};
//! use farlink_units::{Duration, Instant};
//!
//! let (start, end) = (Instant::ZERO, Instant::ZERO + Duration::from_secs(3600));
//! let contact = |from, to, bps| {
//!     let mut contact = Contact::new(NodeId::ipn(from), NodeId::ipn(to), start, end);
//!     contact.rate = Steps::constant(Rate::Limited(bps));
//!     contact.light_time = LightTime::constant(start, end, Duration::from_secs(525));
//!     contact
//! };
//! let plan = ContactPlan::new(None, vec![contact(20, 30, 256_000), contact(30, 20, 2_000)]);
//!
//! let needs = Needs::of(&plan, &NodeId::ipn(20), &NodeId::ipn(30), &Assumptions::default())?;
//! let settings = ion(&needs)?;
//! println!("{}", settings.text); // lines for ltprc
//! println!("{}", settings.table());
//! # Ok::<(), farlink_contact_plan::timers::TimerError>(())
//! ```

mod builtin;
mod hdtn;
mod ion;
mod needs;

use std::fmt::Write;

pub use builtin::builtin;
pub use hdtn::hdtn;
pub use ion::ion;
pub use needs::{Assumptions, Direction, Needs};

use crate::NodeId;

/// One value, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name in the stack's configuration.
    pub name: &'static str,
    /// The value, as the configuration takes it.
    pub value: String,
    /// Its unit; empty for counts.
    pub unit: &'static str,
    /// What it was computed from, with the numbers.
    pub from: String,
}

/// The settings of one stack for one neighbour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Each setting.
    pub settings: Vec<Setting>,
    /// A piece of the stack's configuration that has them.
    pub text: String,
}

impl Settings {
    /// The value of a setting.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|s| s.name == name).map(|s| s.value.as_str())
    }

    /// A line a setting: name, value, unit, and what it was computed from.
    pub fn table(&self) -> String {
        let width = |of: fn(&Setting) -> usize| self.settings.iter().map(of).max().unwrap_or(0);
        let names = width(|s| s.name.chars().count());
        let values = width(|s| s.value.chars().count());
        let units = width(|s| s.unit.chars().count());
        let mut text = String::new();
        for Setting { name, value, unit, from } in &self.settings {
            let _ = writeln!(text, "{name:names$}  {value:>values$} {unit:units$}  {from}");
        }
        text
    }
}

/// Why settings cannot be derived.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimerError {
    /// No contact in a direction.
    #[error("no contact leads from {from} to {to}: LTP needs both directions{hint}")]
    NoContact {
        /// From which node.
        from: NodeId,
        /// To which node.
        to: NodeId,
        /// What could be done.
        hint: &'static str,
    },
    /// The light time is not known.
    #[error("the light time from {from} to {to} is not known: give the contacts one")]
    NoLightTime {
        /// From which node.
        from: NodeId,
        /// To which node.
        to: NodeId,
    },
    /// No rate limits, so that no window is large enough.
    #[error("no rate limits the contacts from {from} to {to}: give them one, since windows follow from it")]
    NoRate {
        /// From which node.
        from: NodeId,
        /// To which node.
        to: NodeId,
    },
    /// The contacts carry nothing.
    #[error("the rate from {from} to {to} is 0: nothing is carried")]
    Silent {
        /// From which node.
        from: NodeId,
        /// To which node.
        to: NodeId,
    },
    /// A node without a number.
    #[error("the stack knows node numbers only, and `{node}` has none: give the node an EID as in `ipn:20.0`")]
    NoNumber {
        /// The node.
        node: NodeId,
    },
    /// An assumption that cannot be.
    #[error("the {what} cannot be {value}: it is {range}")]
    Assumption {
        /// Which one.
        what: &'static str,
        /// Its value.
        value: String,
        /// What it can be.
        range: &'static str,
    },
    /// With such errors no segment arrives.
    #[error(
        "at a bit error rate of {ratio}, a segment of {segment} bytes gets through less than one time in a hundred: make it shorter"
    )]
    Hopeless {
        /// The bit error rate.
        ratio: String,
        /// The segment in bytes.
        segment: u64,
    },
}

fn setting(name: &'static str, value: impl ToString, unit: &'static str, from: String) -> Setting {
    Setting { name, value: value.to_string(), unit, from }
}
