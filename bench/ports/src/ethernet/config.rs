//! What an Ethernet port is to carry.

use std::fmt;
use std::str::FromStr;

use super::layers::Layers;
use crate::interfaces::is_name;
use crate::text::{Form, Key, Parts, PortTextError};

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

pub(crate) const FORM: Form = Form {
    kind: "eth",
    place: Some("the name of an interface (at most 15 bytes, as `ip link` shows it)"),
    keys: &[
        Key::value("vlan", "the number of a VLAN, from 1 to 4094"),
        Key::value("ethertype", "an EtherType, from 0x0600 to 0xffff"),
    ],
    example: "eth:eth0,vlan=10,ethertype=0x0800",
};

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
}

impl FromStr for EthernetConfig {
    type Err = PortTextError;
    fn from_str(text: &str) -> Result<Self, PortTextError> {
        let parts = Parts::read(text, &FORM)?;
        let interface = parts.place(|name| is_name(name).then(|| name.to_owned()))?;
        let vlan = parts.value("vlan", |text| number(text).filter(|vlan| (1..=4094).contains(vlan)))?;
        let ethertype = parts.value("ethertype", |text| number(text).filter(|number| *number >= LOWEST_ETHERTYPE))?;
        Ok(EthernetConfig { interface, vlan, ethertype })
    }
}

/// A number, also one in hexadecimal digits behind `0x`.
fn number(text: &str) -> Option<u16> {
    match text.strip_prefix("0x") {
        // `from_str_radix` would take a sign.
        Some(digits) if !digits.starts_with('+') => u16::from_str_radix(digits, 16).ok(),
        _ => text.parse().ok(),
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
            ("eth0", "no kind of port (eth)"),
            ("eth:", "does not say where: the name of an interface"),
            ("eth:a-name-of-sixteen", "is not the name of an interface (at most 15 bytes"),
            ("eth:a b", "is not the name"),
            ("eth:../x", "is not the name"),
            ("eth:eth0,", "`` is no key of `eth` (it has vlan=, ethertype=)"),
            ("eth:eth0,vlan", "`vlan` has no value: it is the number of a VLAN, from 1 to 4094"),
            ("eth:eth0,vlan=0", "`vlan=0` cannot be: it is the number of a VLAN, from 1 to 4094"),
            ("eth:eth0,vlan=4095", "from 1 to 4094"),
            ("eth:eth0,vlan=1,vlan=2", "`vlan` stands in it twice"),
            ("eth:eth0,ethertype=0x05ff", "from 0x0600 to 0xffff"),
            ("eth:eth0,ethertype=0x+800", "from 0x0600 to 0xffff"),
            ("eth:eth0,mtu=9000", "`mtu` is no key"),
        ] {
            let message = text.parse::<EthernetConfig>().unwrap_err().to_string();
            assert!(message.contains(why) && message.contains("write it as in `eth:eth0,"), "{text}: {message}");
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
