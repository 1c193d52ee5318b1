//! The live view of the emulator.

use std::io;
use std::sync::atomic::AtomicBool;

use farlink_dashboards::instrument::notices::Notices;
use farlink_dashboards::instrument::{self, Facts};
use farlink_record::control::{Control, ControlledBy};
use farlink_record::{ChannelId, Header};
use farlink_run::emulation::Emulation;
use farlink_scenario::Tolerance;
use farlink_units::Instant;

/// What the view is told beforehand.
pub fn facts(header: &Header, until: Option<Instant>, tolerance: Option<Tolerance>) -> Facts {
    Facts {
        name: header.scenario.clone(),
        until,
        tolerated_p99: tolerance.and_then(|tolerance| tolerance.p99),
        tolerated_max: tolerance.and_then(|tolerance| tolerance.max),
    }
}

/// Shows the emulator until the user leaves or `leave` is set.
///
/// # Errors
/// Whatever the terminal reports.
pub fn watch(facts: Facts, notices: &Notices, emulation: &Emulation, leave: &AtomicBool) -> io::Result<()> {
    let look = || emulation.snapshot().map_err(|error| error.to_string());
    let mut obey = |channel: Option<ChannelId>, control: &Control| {
        emulation.control(channel, control, ControlledBy::View).map_err(|error| error.to_string())
    };
    instrument::run(facts, notices, look, &mut obey, leave)
}
