//! What may be radiated, and silence when control is lost.
//!
//! A [`Guarded`] device transmits only under [`Rules`]: a [`Permit`] that says why it may, [`Limits`] on frequency, gain and
//! duty, and a dead-man timer. It is silenced, which is to say its gain is brought down to the lowest and its stream stopped,
//! and both are read back,
//!
//! - when it is taken over, as nobody knows how it was left;
//! - when it is closed or dropped, by a panic as well;
//! - when a transmission fails, or the device is set otherwise than permitted;
//! - when nobody has said for the time of the dead-man timer that control is there.
//!
//! After that it stays silent. A device that fails while it is set is made silent, too, since some of the settings may have
//! been made; it may then be set otherwise. What a process that is killed cannot do, a [keeper](crate::keeper) does.

mod duty;
mod guard;
mod rules;
mod silence;

use thiserror::Error;

pub use guard::{Control, Guarded, State, Watch};
pub use rules::{Duty, Limits, Permit, Rules, RulesError};
pub use silence::{Disobedience, Silence, silence};

use crate::device::DeviceError;

/// Why a device cannot be guarded.
#[derive(Debug, Error)]
pub enum SafetyError {
    /// The rules make no sense.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// The device cannot be silenced.
    #[error(transparent)]
    Disobedience(#[from] Disobedience),
    /// The device lacks what the rules are for.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The timer cannot run.
    #[error("cannot start the dead-man timer: {0}")]
    Thread(std::io::Error),
}
