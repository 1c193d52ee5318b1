//! What interface a port makes.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::interfaces::is_name;
use crate::text::{self, Form, Key, Parts, PortTextError};

/// What the frames of the interface are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TapKind {
    /// Ethernet frames (TAP).
    Ethernet,
    /// IP packets (TUN).
    Internet,
}

/// An interface for the programs of this machine, or a virtual machine, whose frames a port carries: `tap:sat0`,
/// `tap:sat0,mtu=9000`, `tun:sat0,address=10.0.0.1/24`.
///
/// The interface is made if there is none of the name, and then vanishes when the port is closed. One that is there (made with
/// `ip tuntap add`) stays.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TapConfig {
    /// What it carries.
    pub kind: TapKind,
    /// The name of the interface.
    pub name: String,
    /// The longest packet that the system sends over it, in bytes without the Ethernet header, 68 to 65521; as the system has
    /// it (1500) if none is given.
    pub mtu: Option<u16>,
    /// An address to give it, with the length of its prefix in bits. The system answers there.
    pub address: Option<(IpAddr, u8)>,
}

const NAME: Option<&str> = Some("the name of an interface, at most 15 bytes");

const KEYS: &[Key] = &[
    Key::value("mtu", "the longest packet, from 68 to 65521 bytes"),
    Key::value("address", "an IP address with the length of its prefix, such as 10.0.0.1/24"),
];

pub(crate) const TAP_FORM: Form = Form { kind: "tap", place: NAME, keys: KEYS, example: "tap:sat0,mtu=9000" };

pub(crate) const TUN_FORM: Form =
    Form { kind: "tun", place: NAME, keys: KEYS, example: "tun:sat0,address=10.0.0.1/24" };

/// The longest MTU whose frames, with their Ethernet header, are not longer than the emulator's longest, 65,535 bytes.
const LONGEST_MTU: u16 = 65_521;
/// The shortest that the system takes for an interface with IPv4 (RFC 791).
const SHORTEST_MTU: u16 = 68;

impl TapConfig {
    /// An interface with nothing but a name.
    pub fn new(kind: TapKind, name: impl Into<String>) -> Self {
        TapConfig { kind, name: name.into(), mtu: None, address: None }
    }
}

fn read_address(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    Some((address, prefix.parse().ok().filter(|prefix| *prefix <= longest)?))
}

impl FromStr for TapConfig {
    type Err = PortTextError;
    fn from_str(text: &str) -> Result<Self, PortTextError> {
        let (kind, form) = match text::kind(text) {
            Some("tun") => (TapKind::Internet, &TUN_FORM),
            _ => (TapKind::Ethernet, &TAP_FORM),
        };
        let parts = Parts::read(text, form)?;
        let name = parts.place(|name| is_name(name).then(|| name.to_owned()))?;
        let mtus = SHORTEST_MTU..=LONGEST_MTU;
        let mtu = parts.value("mtu", |text| text.parse().ok().filter(|mtu| mtus.contains(mtu)))?;
        let address = parts.value("address", read_address)?;
        Ok(TapConfig { kind, name, mtu, address })
    }
}

impl fmt::Display for TapConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            TapKind::Ethernet => "tap",
            TapKind::Internet => "tun",
        };
        write!(f, "{kind}:{}", self.name)?;
        if let Some(mtu) = self.mtu {
            write!(f, ",mtu={mtu}")?;
        }
        if let Some((address, prefix)) = self.address {
            write!(f, ",address={address}/{prefix}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_as_they_were_meant() {
        for text in [
            "tap:sat0",
            "tun:moon",
            "tap:sat0,mtu=9000",
            "tun:sat0,mtu=1280,address=2001:db8::1/64",
            "tap:a,address=10.0.0.1/24",
        ] {
            assert_eq!(text.parse::<TapConfig>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_the_right_form() {
        for (text, why) in [
            ("sat0", "no kind of port (tap)"),
            ("eth:sat0", "no kind of port (tap)"),
            ("tap:", "does not say where: the name of an interface"),
            ("tun:a-name-of-sixteen", "is not the name of an interface, at most 15 bytes"),
            ("tap:x%d", "is not the name"),
            ("tap:x,mtu=67", "from 68 to 65521 bytes"),
            ("tun:x,mtu=65522", "from 68 to 65521 bytes"),
            ("tap:x,mtu=1500,mtu=1500", "`mtu` stands in it twice"),
            ("tap:x,address=10.0.0.1", "an IP address with the length of its prefix, such as"),
            ("tap:x,address=10.0.0.1/33", "an IP address"),
            ("tun:x,address=moon/8", "an IP address"),
            ("tap:x,vlan=3", "`vlan` is no key of `tap` (it has mtu=, address=)"),
            ("tap:x,persist", "`persist` is no key"),
        ] {
            let right = if text.starts_with("tun") { "as in `tun:sat0,address=" } else { "as in `tap:sat0,mtu=" };
            let message = text.parse::<TapConfig>().unwrap_err().to_string();
            assert!(message.contains(why) && message.contains(right), "{text}: {message}");
        }
    }
}
