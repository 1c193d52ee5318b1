//! The contact plan of hardy's TVR agent.
//!
//! After hardy's documentation (`docs/user-docs/configuration/tvr.md`) and example: a line a route, `PATTERN via EID` or
//! `PATTERN drop`, and fields in any order. It holds for ever, from `start` to `end` (RFC 3339), or recurs by `cron` for a `duration`
//! each time, `until` a time. `bandwidth` is in bit/s with K, M, G or T; `delay` is one-way and kept in 32 bits of microseconds.
//!
//! The file tells routes of the node that reads it, so that each becomes a contact from the local node to the next hop. The
//! pattern, the priority and `drop` are no part of a contact plan.

mod cron;
mod read;
mod write;

pub(super) use read::read;
pub(super) use write::write;

/// The longest delay: 2³² − 1 microseconds, 71 minutes.
const MAX_DELAY_US: i64 = u32::MAX as i64;
