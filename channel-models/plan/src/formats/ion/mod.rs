//! ION's `ionrc`: `a contact` and `a range` commands of `ionadmin`.
//!
//! After ionrc(5), and where that is silent, after what `ionadmin` of ION 4.1 does:
//! - times are `+seconds` from the reference time, which `@` sets and which otherwise is when `ionadmin` starts, or
//!   `yyyy/mm/dd-hh:mm:ss` in UTC; they end on 2038-01-18;
//! - rates are whole bytes per second up to 2³² − 1, and above 0; ranges are whole light-seconds. A fraction is cut off (`strtol`);
//! - a range from a lower to a higher node number holds in both directions, unless a range of the other direction that begins at the
//!   same time overrides it. From a higher to a lower number it holds in that direction alone;
//! - contacts of one direction may not overlap nor touch: of two, the second is ignored.

mod read;
mod resolve;
mod write;

pub(super) use read::read;
pub(super) use write::write;

/// Up to here ION's calendar goes (ionrc(5): before 19 January 2038). A contact that does not end is written to end then.
const LAST: crate::calendar::Fields = (2038, 1, 18, 0, 0, 0, 0);
/// The greatest rate in bytes per second: `ionadmin` keeps it in 32 bits.
const MAX_BYTES_PER_S: u64 = u32::MAX as u64;
