//! What is under test, and its peers.
//!
//! [`builtin::BuiltinNode`] is Farlink's own node: a bundle agent over an LTP engine, following a schedule of contacts. It
//! runs inside a bench, where channels carry its frames, and as a process of its own ([`standalone`]) over UDP and TCP. There it
//! has a [`store`] on disk, and [`applications`] that take what arrives.

pub mod applications;
pub mod builtin;
pub mod ltp_udp;
pub mod process;
pub mod standalone;
pub mod store;
