//! Ports of any kind, from their text.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::Timebase;
use crate::ethernet::{self, EthernetConfig, EthernetPort};
use crate::frames_file::{self, FileConfig, FileError, FilePort};
use crate::port::Port;
use crate::pty::{self, PtyConfig, PtyError, PtyPort};
use crate::serial::{self, SerialConfig, SerialError, SerialPort};
use crate::stream::{self, StreamConfig, StreamPort};
use crate::tap::{self, TapConfig, TapPort};
use crate::tcp::ListenError;
use crate::text::{self, Form, PortTextError, Problem};
use crate::udp::{self, UdpLinkConfig, UdpLinkPort};

/// Makes the list of kinds: what each is called here, how it is written (in one or more ways), how it is read, opened, and why
/// it cannot be.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident: $($form:path)|+, $config:ty => $port:ty, $error:ty;)+) => {
        /// A port of any kind, as it is written on the command line.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum PortConfig {
            $($(#[$doc])* $kind($config),)+
        }

        /// Why a port could not be opened.
        #[derive(Debug, Error)]
        pub enum OpenError {
            $(
                $(#[$doc])*
                #[error(transparent)]
                $kind(#[from] $error),
            )+
        }

        /// How each kind is written.
        const FORMS: &[&Form] = &[$($(&$form),+),+];

        impl PortConfig {
            /// Opens the port.
            ///
            /// # Errors
            /// What is in use, not permitted or not there, and how to mend it.
            pub fn open(&self, base: &Timebase) -> Result<Box<dyn Port>, OpenError> {
                match self {
                    $(PortConfig::$kind(config) => Ok(Box::new(<$port>::open(config.clone(), base)?)),)+
                }
            }
        }

        impl FromStr for PortConfig {
            type Err = PortTextError;
            fn from_str(text: &str) -> Result<Self, PortTextError> {
                let kind = text::kind(text);
                $(if [$($form.kind),+].into_iter().any(|word| kind == Some(word)) {
                    return text.parse().map(PortConfig::$kind);
                })+
                Err(no_kind(text))
            }
        }

        impl fmt::Display for PortConfig {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(PortConfig::$kind(config) => config.fmt(f),)+
                }
            }
        }
    };
}

kinds! {
    /// A file of frames.
    File: frames_file::FORM, FileConfig => FilePort, FileError;
    /// Datagrams.
    Udp: udp::FORM, UdpLinkConfig => UdpLinkPort, udp::OpenError;
    /// A TCP stream.
    Stream: stream::FORM, StreamConfig => StreamPort, ListenError;
    /// A serial line.
    Serial: serial::FORM, SerialConfig => SerialPort, SerialError;
    /// A pseudo-terminal, as a serial line for programs.
    Pty: pty::FORM, PtyConfig => PtyPort, PtyError;
    /// An Ethernet interface.
    Ethernet: ethernet::FORM, EthernetConfig => EthernetPort, ethernet::OpenError;
    /// An interface that the port makes.
    Tap: tap::TAP_FORM | tap::TUN_FORM, TapConfig => TapPort, tap::OpenError;
}

/// Text of no known kind.
fn no_kind(text: &str) -> PortTextError {
    let kinds = FORMS.iter().map(|form| form.kind).collect::<Vec<_>>().join(", ");
    PortTextError { text: text.to_owned(), problem: Problem::Kind { kinds }, example: FORMS[0].example }
}

/// How a port of each kind is written, for help texts.
pub fn forms() -> impl Iterator<Item = &'static Form> {
    FORMS.iter().copied()
}

/// How a port of each kind is written: an example for each.
pub fn examples() -> impl Iterator<Item = &'static str> {
    FORMS.iter().map(|form| form.example)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_by_its_kind() {
        for text in [
            "tcp:127.0.0.1:4556,connect,framing=stcp",
            "file:in=a.pcapng,out=b.pcapng",
            "serial:/dev/ttyS0,baud=9600,framing=kiss,port=3,parity=even",
            "pty:/tmp/modem,framing=ccsds,length=223",
            "eth:eth0,vlan=7",
            "tap:sat0,mtu=1280",
            "tun:sat0,address=10.0.0.1/24",
        ] {
            let config: PortConfig = text.parse().unwrap();
            assert_eq!(config.to_string(), text);
        }
        assert!(matches!("tcp:0".parse().unwrap(), PortConfig::Stream(_)));
        assert!("tcp:x".parse::<PortConfig>().unwrap_err().to_string().contains("`x` is not a port number"));
        for wrong in ["", "tcp", "4556", "usb:1"] {
            let error = wrong.parse::<PortConfig>().unwrap_err().to_string();
            assert!(
                error.contains("no kind of port (file, udp, tcp, serial, pty, eth, tap, tun)")
                    && error.contains("write it as in `file:"),
                "{error}"
            );
        }
        for example in examples() {
            example.parse::<PortConfig>().unwrap();
        }
    }

    #[test]
    fn what_is_read_can_be_opened() {
        let base = Timebase::start();
        let port = "tcp:0".parse::<PortConfig>().unwrap().open(&base).unwrap();
        let name = port.name();
        let taken = name.parse::<PortConfig>().unwrap().open(&base).unwrap_err();
        assert!(matches!(taken, OpenError::Stream(ListenError::InUse { .. })), "{taken}");
        let missing =
            "serial:/nowhere/tty,baud=9600,framing=slip".parse::<PortConfig>().unwrap().open(&base).unwrap_err();
        assert!(matches!(missing, OpenError::Serial(SerialError::NoSuchDevice { .. })), "{missing}");
        let missing = "file:in=/nowhere/frames.pcapng".parse::<PortConfig>().unwrap().open(&base).unwrap_err();
        assert!(missing.to_string().contains("/nowhere/frames.pcapng"), "{missing}");
    }
}
