//! The emulator: channels between nodes, and the loop that drives them.
//!
//! - [`Channel`] is one direction of a link: it serialises what a node writes at its data rate, asks the models for contact,
//!   light time and errors at that instant, keeps the frame for one light time and tells what became of it and how long each
//!   part of its way took. While it runs it obeys [`Channel::control`]: rate, errors, light time, contacts and faults by hand.
//! - [`Bench`] couples [`Node`]s with channels and takes one event after the other, in order of time.
//! - [`clock`] says how fast: [`clock::Clock::Virtual`] jumps from event to event, [`clock::Clock::wall`] sleeps in between.
//! - [`realtime`] puts channels between real ports.
//!
//! Neither the channel nor the loop knows which clock drives it.

mod agenda;
mod bench;
mod channel;
pub mod clock;
mod contacts;
pub mod realtime;
pub mod store;

pub use bench::{Bench, Node};
pub use channel::{
    Arrival, Channel, ChannelConfig, Contacts, ControlError, Damaged, EidPattern, MAX_COPIES, MAX_FAULTS,
    MAX_FRAME_BYTES, MAX_HELD, MAX_LIGHT_TIME, MAX_SESSIONS, Radio, check,
};
pub use store::DelayStore;
