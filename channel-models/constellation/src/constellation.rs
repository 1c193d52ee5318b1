//! Several shells, and satellites by all three indices.

use farlink_channel_models::Orbit;
use thiserror::Error;

use crate::neighbours::Relation;
use crate::shell::{NoSuchSlot, Shell, Slot};

/// Which satellite of a constellation (draft-lhan-satellite-semantic-addressing-01, section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SatelliteIndex {
    /// Which shell, counted from the lowest.
    pub shell: u8,
    /// Which plane of the shell, and which satellite of the plane.
    pub slot: Slot,
}

/// Shells of one constellation, the lowest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Constellation {
    shells: Vec<Shell>,
}

/// Why shells make no constellation.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ConstellationError {
    /// An index of eight bits does not count them.
    #[error("there are {0} shells: a constellation has from 1 to 256")]
    Count(usize),
    /// The shells are not in the order in which they are counted.
    #[error("shell {index} is lower than the one before it: put the lowest first")]
    Order {
        /// The index of the lower one.
        index: usize,
    },
    /// The shells circle different bodies.
    #[error("shell {index} circles another body than the one before it")]
    Body {
        /// The index of the first that does.
        index: usize,
    },
}

/// A satellite that the constellation does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoSuchSatellite {
    /// The shell is beyond the last.
    #[error("there is no shell {index}: the constellation has {count}, counted from 0")]
    Shell {
        /// The index that was asked for.
        index: u8,
        /// How many there are.
        count: usize,
    },
    /// The shell has no such plane or satellite.
    #[error(transparent)]
    Slot(#[from] NoSuchSlot),
}

impl Constellation {
    /// Takes shells, the lowest first.
    ///
    /// # Errors
    /// None or too many shells, another order, or several bodies.
    pub fn new(shells: Vec<Shell>) -> Result<Self, ConstellationError> {
        if !(1..=256).contains(&shells.len()) {
            return Err(ConstellationError::Count(shells.len()));
        }
        for (before, pair) in shells.windows(2).enumerate() {
            let (low, high) = (pair[0].walker(), pair[1].walker());
            if low.body != high.body {
                return Err(ConstellationError::Body { index: before + 1 });
            }
            if low.altitude_km > high.altitude_km {
                return Err(ConstellationError::Order { index: before + 1 });
            }
        }
        Ok(Constellation { shells })
    }

    /// The shells, the lowest first.
    pub fn shells(&self) -> &[Shell] {
        &self.shells
    }

    /// All satellites, shell by shell and plane by plane.
    pub fn satellites(&self) -> impl Iterator<Item = SatelliteIndex> + '_ {
        let of_shell = |(index, shell): (usize, &Shell)| {
            shell.slots().map(move |slot| SatelliteIndex { shell: index as u8, slot })
        };
        self.shells.iter().enumerate().flat_map(of_shell)
    }

    /// The orbit of a satellite.
    ///
    /// # Errors
    /// A satellite that the constellation does not have.
    pub fn orbit(&self, satellite: SatelliteIndex) -> Result<Orbit, NoSuchSatellite> {
        Ok(self.shell(satellite.shell)?.orbit(satellite.slot)?)
    }

    /// How two satellites stand to one another, from their indices alone.
    ///
    /// # Errors
    /// A satellite that the constellation does not have.
    pub fn relation(&self, one: SatelliteIndex, other: SatelliteIndex) -> Result<Relation, NoSuchSatellite> {
        let (shell, other_shell) = (self.shell(one.shell)?, self.shell(other.shell)?);
        if one.shell == other.shell {
            return Ok(shell.relation(one.slot, other.slot)?);
        }
        shell.check(one.slot)?;
        other_shell.check(other.slot)?;
        Ok(Relation::OtherShell)
    }

    fn shell(&self, index: u8) -> Result<&Shell, NoSuchSatellite> {
        let missing = NoSuchSatellite::Shell { index, count: self.shells.len() };
        self.shells.get(usize::from(index)).ok_or(missing)
    }
}
