//! What interface a port makes.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

use crate::interfaces::is_name;

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

/// Why the text of a port was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{text}` is not a TAP or TUN port ({why}): write `tap:NAME` for Ethernet frames or `tun:NAME` for IP packets, and if wanted \
     `,mtu=9000` (68 to 65521) or `,address=10.0.0.1/24`"
)]
pub struct ConfigError {
    text: String,
    why: String,
}

/// The longest MTU whose frames, with their Ethernet header, are not longer than the emulator's longest, 65,535 bytes.
const LONGEST_MTU: u16 = 65_521;
/// The shortest that the system takes for an interface with IPv4 (RFC 791).
const SHORTEST_MTU: u16 = 68;

impl TapConfig {
    /// An interface with nothing but a name.
    pub fn new(kind: TapKind, name: impl Into<String>) -> Self {
        TapConfig { kind, name: name.into(), mtu: None, address: None }
    }

    fn read(text: &str) -> Result<Self, String> {
        let (kind, rest) = match text.split_once(':') {
            Some(("tap", rest)) => (TapKind::Ethernet, rest),
            Some(("tun", rest)) => (TapKind::Internet, rest),
            _ => return Err("it does not begin with `tap:` or `tun:`".to_owned()),
        };
        let mut parts = rest.split(',');
        let name = parts.next().unwrap_or_default();
        if !is_name(name) {
            return Err(format!("`{name}` cannot be the name of an interface"));
        }
        let mut config = TapConfig::new(kind, name);
        for part in parts {
            let (key, value) = part.split_once('=').ok_or_else(|| format!("`{part}` has no `=`"))?;
            let is_second = match key {
                "mtu" => {
                    let mtu = value.parse().ok().filter(|mtu| (SHORTEST_MTU..=LONGEST_MTU).contains(mtu));
                    config.mtu.replace(mtu.ok_or_else(|| format!("`{part}` is out of range"))?).is_some()
                }
                "address" => {
                    let address =
                        read_address(value).ok_or_else(|| format!("`{value}` is no address with a prefix"))?;
                    config.address.replace(address).is_some()
                }
                _ => return Err(format!("`{key}` is not known")),
            };
            if is_second {
                return Err(format!("`{key}` comes twice"));
            }
        }
        Ok(config)
    }
}

fn read_address(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    Some((address, prefix.parse().ok().filter(|prefix| *prefix <= longest)?))
}

impl FromStr for TapConfig {
    type Err = ConfigError;
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        TapConfig::read(text).map_err(|why| ConfigError { text: text.to_owned(), why })
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
            ("sat0", "begin with `tap:`"),
            ("eth:sat0", "begin with `tap:`"),
            ("tap:", "cannot be the name"),
            ("tun:a-name-of-sixteen", "cannot be the name"),
            ("tap:x%d", "cannot be the name"),
            ("tap:x,mtu=67", "out of range"),
            ("tap:x,mtu=65522", "out of range"),
            ("tap:x,mtu=1500,mtu=1500", "comes twice"),
            ("tap:x,address=10.0.0.1", "no address with a prefix"),
            ("tap:x,address=10.0.0.1/33", "no address with a prefix"),
            ("tap:x,address=moon/8", "no address with a prefix"),
            ("tap:x,vlan=3", "`vlan` is not known"),
            ("tap:x,persist", "has no `=`"),
        ] {
            let message = text.parse::<TapConfig>().unwrap_err().to_string();
            assert!(message.contains(why) && message.contains("write `tap:NAME`"), "{text}: {message}");
        }
    }
}
