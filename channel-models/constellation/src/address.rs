//! Addresses that say where a satellite belongs.
//!
//! Source: draft-lhan-satellite-semantic-addressing-01, section 5.4. Three formats carry the same indices:
//!
//! | format | bits, from the left |
//! |---|---|
//! | [`Ipv6SatelliteAddress`], figure 5 | subnet prefix 64, owner 8, shell 8, plane 8, satellite 8, interface 8, reserved 24 |
//! | [`MacSatelliteAddress`], figure 6 | OUI 24, shell 4, plane 8, satellite 8, interface 4 |
//! | [`ShortSatelliteAddress`], figure 7 | owner 8, shell 8, plane 8, satellite 8 |
//!
//! Decoding keeps every bit and cannot fail: whether an address that came from elsewhere *is* a satellite's cannot be seen
//! from it. Encoding fails where a field is narrower than its value.

use std::net::Ipv6Addr;

use thiserror::Error;

use crate::constellation::SatelliteIndex;
use crate::shell::Slot;

/// A value that its field does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the {field} {value} does not fit into the {format}: the most is {max}")]
pub struct FieldTooWide {
    /// The format.
    pub format: &'static str,
    /// The field of the format.
    pub field: &'static str,
    /// The value.
    pub value: u32,
    /// The greatest that fits.
    pub max: u32,
}

/// The address of one interface of a satellite in an IPv6 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ipv6SatelliteAddress {
    /// The subnet prefix, 64 bits.
    pub prefix: [u8; 8],
    /// The owner of the constellation.
    pub owner: u8,
    /// The satellite.
    pub satellite: SatelliteIndex,
    /// The interface of the satellite.
    pub interface: u8,
    /// 24 bits that the draft gives no meaning. Send 0.
    pub reserved: u32,
}

impl Ipv6SatelliteAddress {
    /// The address on the wire.
    ///
    /// # Errors
    /// More than 24 bits in `reserved`.
    pub fn encode(&self) -> Result<Ipv6Addr, FieldTooWide> {
        fits("IPv6 address", "reserved field", self.reserved, 24)?;
        let [_, r0, r1, r2] = self.reserved.to_be_bytes();
        let SatelliteIndex { shell, slot } = self.satellite;
        let identifier = [self.owner, shell, slot.plane, slot.satellite, self.interface, r0, r1, r2];
        Ok(Ipv6Addr::from_bits(
            u128::from(u64::from_be_bytes(self.prefix)) << 64 | u128::from(u64::from_be_bytes(identifier)),
        ))
    }

    /// What an address says.
    pub fn decode(address: Ipv6Addr) -> Self {
        let [p0, p1, p2, p3, p4, p5, p6, p7, owner, shell, plane, satellite, interface, r0, r1, r2] = address.octets();
        Ipv6SatelliteAddress {
            prefix: [p0, p1, p2, p3, p4, p5, p6, p7],
            owner,
            satellite: SatelliteIndex { shell, slot: Slot { plane, satellite } },
            interface,
            reserved: u32::from_be_bytes([0, r0, r1, r2]),
        }
    }
}

/// The address of one interface of a satellite on an Ethernet. It has no room for the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MacSatelliteAddress {
    /// The organizationally unique identifier.
    pub oui: [u8; 3],
    /// The satellite; its shell is from 0 to 15.
    pub satellite: SatelliteIndex,
    /// The interface of the satellite, 0 to 15.
    pub interface: u8,
}

impl MacSatelliteAddress {
    /// The address on the wire.
    ///
    /// # Errors
    /// A shell or an interface above 15.
    pub fn encode(&self) -> Result<[u8; 6], FieldTooWide> {
        let SatelliteIndex { shell, slot } = self.satellite;
        fits("MAC address", "shell", shell.into(), 4)?;
        fits("MAC address", "interface", self.interface.into(), 4)?;
        let specific = u32::from(shell) << 20
            | u32::from(slot.plane) << 12
            | u32::from(slot.satellite) << 4
            | u32::from(self.interface);
        let [_, s0, s1, s2] = specific.to_be_bytes();
        let [o0, o1, o2] = self.oui;
        Ok([o0, o1, o2, s0, s1, s2])
    }

    /// What an address says.
    pub fn decode([o0, o1, o2, s0, s1, s2]: [u8; 6]) -> Self {
        let specific = u32::from_be_bytes([0, s0, s1, s2]);
        MacSatelliteAddress {
            oui: [o0, o1, o2],
            satellite: SatelliteIndex {
                shell: (specific >> 20) as u8,
                slot: Slot { plane: (specific >> 12) as u8, satellite: (specific >> 4) as u8 },
            },
            interface: (specific & 0xf) as u8,
        }
    }
}

/// The address of a satellite in 32 bits. It has no room for an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShortSatelliteAddress {
    /// The owner of the constellation.
    pub owner: u8,
    /// The satellite.
    pub satellite: SatelliteIndex,
}

impl ShortSatelliteAddress {
    /// The address on the wire, the owner in the highest bits.
    pub fn encode(&self) -> u32 {
        let SatelliteIndex { shell, slot } = self.satellite;
        u32::from_be_bytes([self.owner, shell, slot.plane, slot.satellite])
    }

    /// What an address says.
    pub fn decode(address: u32) -> Self {
        let [owner, shell, plane, satellite] = address.to_be_bytes();
        ShortSatelliteAddress { owner, satellite: SatelliteIndex { shell, slot: Slot { plane, satellite } } }
    }
}

impl SatelliteIndex {
    /// Indices that came as wider numbers.
    ///
    /// # Errors
    /// One that eight bits do not hold, by name.
    pub fn new(shell: u32, plane: u32, satellite: u32) -> Result<Self, FieldTooWide> {
        let narrow = |field, value| fits("satellite index", field, value, 8).map(|()| value as u8);
        let (shell, plane) = (narrow("shell", shell)?, narrow("plane", plane)?);
        Ok(SatelliteIndex { shell, slot: Slot { plane, satellite: narrow("satellite", satellite)? } })
    }
}

fn fits(format: &'static str, field: &'static str, value: u32, bits: u32) -> Result<(), FieldTooWide> {
    let max = (1 << bits) - 1;
    if value <= max { Ok(()) } else { Err(FieldTooWide { format, field, value, max }) }
}
