//! What an Ethernet port is to carry.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::layers::Layers;
use crate::interfaces::is_name;

/// The lowest EtherType; what is less is a length (IEEE 802.3, clause 3.2.6).
const LOWEST_ETHERTYPE: u16 = 0x0600;

/// An Ethernet interface, and which of its frames the port carries: `eth:eth0`, `eth:eth0,vlan=10`,
/// `eth:eth0,ethertype=0x0800`.
///
/// What a filter does not let through is left out on the way in ([`EthernetPort::left_out`](super::EthernetPort::left_out)
/// counts it) and refused on the way out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EthernetConfig {
    /// The name of the interface.
    pub interface: String,
    /// Only frames whose outer tag names this VLAN, 1 to 4094. They keep their tag.
    pub vlan: Option<u16>,
    /// Only frames whose content, after any VLAN tags, is of this EtherType, 0x0600 to 0xFFFF.
    pub ethertype: Option<u16>,
}

/// Why the text of a port was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{text}` is not an Ethernet port ({why}): write `eth:eth0`, and if only some frames are meant `,vlan=10` (1 to 4094) or \
     `,ethertype=0x0800` (0x0600 to 0xFFFF)"
)]
pub struct ConfigError {
    text: String,
    why: String,
}

impl EthernetConfig {
    /// Every frame of an interface.
    pub fn new(interface: impl Into<String>) -> Self {
        EthernetConfig { interface: interface.into(), vlan: None, ethertype: None }
    }

    /// Whether the port carries such a frame.
    pub(super) fn carries(&self, frame: &[u8]) -> bool {
        if self.vlan.is_none() && self.ethertype.is_none() {
            return true;
        }
        let Some(layers) = Layers::of(frame) else { return false };
        self.vlan.is_none_or(|vlan| layers.vlan == Some(vlan))
            && self.ethertype.is_none_or(|ethertype| layers.ethertype == ethertype)
    }

    fn read(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("eth:").ok_or("it does not begin with `eth:`")?;
        let mut parts = rest.split(',');
        let interface = parts.next().unwrap_or_default();
        if !is_name(interface) {
            return Err(format!("`{interface}` cannot be the name of an interface"));
        }
        let mut config = EthernetConfig::new(interface);
        for part in parts {
            let (key, value) = part.split_once('=').ok_or_else(|| format!("`{part}` has no `=`"))?;
            let (field, range) = match key {
                "vlan" => (&mut config.vlan, 1..=4094),
                "ethertype" => (&mut config.ethertype, LOWEST_ETHERTYPE..=u16::MAX),
                _ => return Err(format!("`{key}` is not known")),
            };
            let number = match value.strip_prefix("0x") {
                Some(digits) if !digits.starts_with('+') => u16::from_str_radix(digits, 16).ok(),
                _ => value.parse().ok(),
            };
            let number =
                number.filter(|number| range.contains(number)).ok_or_else(|| format!("`{part}` is out of range"))?;
            if field.replace(number).is_some() {
                return Err(format!("`{key}` comes twice"));
            }
        }
        Ok(config)
    }
}

impl FromStr for EthernetConfig {
    type Err = ConfigError;
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        EthernetConfig::read(text).map_err(|why| ConfigError { text: text.to_owned(), why })
    }
}

impl fmt::Display for EthernetConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "eth:{}", self.interface)?;
        if let Some(vlan) = self.vlan {
            write!(f, ",vlan={vlan}")?;
        }
        if let Some(ethertype) = self.ethertype {
            write!(f, ",ethertype={ethertype:#06x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_as_they_were_meant() {
        for text in
            ["eth:eth0", "eth:enp3s0f1,vlan=10", "eth:a,vlan=4094,ethertype=0x0800", "eth:br-0.7,ethertype=0x86dd"]
        {
            assert_eq!(text.parse::<EthernetConfig>().unwrap().to_string(), text);
        }
        assert_eq!("eth:x,ethertype=2048".parse::<EthernetConfig>().unwrap().ethertype, Some(0x0800));
    }

    #[test]
    fn what_is_wrong_is_named_with_the_right_form() {
        for (text, why) in [
            ("eth0", "begin with `eth:`"),
            ("eth:", "cannot be the name"),
            ("eth:a-name-of-sixteen", "cannot be the name"),
            ("eth:a b", "cannot be the name"),
            ("eth:../x", "cannot be the name"),
            ("eth:eth0,", "has no `=`"),
            ("eth:eth0,vlan=0", "`vlan=0` is out of range"),
            ("eth:eth0,vlan=4095", "out of range"),
            ("eth:eth0,vlan=1,vlan=2", "comes twice"),
            ("eth:eth0,ethertype=0x05ff", "out of range"),
            ("eth:eth0,ethertype=0x+800", "out of range"),
            ("eth:eth0,mtu=9000", "`mtu` is not known"),
        ] {
            let message = text.parse::<EthernetConfig>().unwrap_err().to_string();
            assert!(message.contains(why) && message.contains("write `eth:eth0`"), "{text}: {message}");
        }
    }

    #[test]
    fn filters_look_at_the_outer_tag_and_at_what_comes_after_all_tags() {
        let frame = |after: &[u8]| [&[0u8; 12], after, &[0; 46]].concat();
        let (plain, tagged) = (frame(&[8, 0]), frame(&[0x81, 0, 0xE0, 10, 8, 0]));
        let stacked = frame(&[0x88, 0xA8, 0, 20, 0x81, 0, 0, 10, 0x86, 0xDD]);
        let carries =
            |filter: &str, frame: &[u8]| format!("eth:x{filter}").parse::<EthernetConfig>().unwrap().carries(frame);
        for frame in [&plain[..], &tagged, &stacked, &[], &[0; 5]] {
            assert!(carries("", frame));
        }
        assert_eq!([&plain, &tagged, &stacked].map(|frame| carries(",vlan=10", frame)), [false, true, false]);
        assert_eq!([&plain, &tagged, &stacked].map(|frame| carries(",vlan=20", frame)), [false, false, true]);
        assert_eq!([&plain, &tagged, &stacked].map(|frame| carries(",ethertype=0x0800", frame)), [true, true, false]);
        assert!(carries(",vlan=20,ethertype=0x86dd", &stacked));
        assert!(!carries(",vlan=10", &tagged[..15]) && !carries(",ethertype=0x0800", &[]));
    }
}
