use std::fmt;

macro_rules! reasons {
    ($(#[$meta:meta])* $name:ident, $other:literal { $($(#[$reason_meta:meta])* $reason:ident = $code:literal, $text:literal;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name {
            $($(#[$reason_meta])* $reason,)*
            /// Any other code.
            Other(u8),
        }

        impl $name {
            /// The reason-code octet.
            pub const fn code(self) -> u8 {
                match self {
                    $($name::$reason => $code,)*
                    $name::Other(code) => code,
                }
            }

            #[doc = concat!("The reason for an octet; codes without a name become [`", stringify!($name), "::Other`].")]
            pub const fn from_code(code: u8) -> Self {
                match code {
                    $($code => $name::$reason,)*
                    code => $name::Other(code),
                }
            }
        }

        /// The name in the RFC.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $($name::$reason => f.write_str($text),)*
                    $name::Other(code) => write!(f, $other, code),
                }
            }
        }
    };
}

reasons! {
    /// Why a transfer is refused (section 5.2.4, table 6). Unknown codes are to be treated as Unknown.
    RefuseReason, "reason {:#04x}" {
        /// 0x00: not known or not told.
        Unknown = 0x00, "Unknown";
        /// 0x01: the receiver has the whole bundle already.
        Completed = 0x01, "Completed";
        /// 0x02: the receiver's resources are exhausted; the sender should send fragments.
        NoResources = 0x02, "No Resources";
        /// 0x03: the bundle must be sent again from its start.
        Retransmit = 0x03, "Retransmit";
        /// 0x04: something is wrong with the bundle or its extension items; the same again would not help.
        NotAcceptable = 0x04, "Not Acceptable";
        /// 0x05: the transfer extension items could not be processed.
        ExtensionFailure = 0x05, "Extension Failure";
        /// 0x06: the receiver is ending the session; another session may serve.
        SessionTerminating = 0x06, "Session Terminating";
    }
}

reasons! {
    /// Why a session ends (section 6.1, table 9). Unknown codes are to be treated as Unknown.
    TermReason, "reason {:#04x}" {
        /// 0x00: no reason is available.
        Unknown = 0x00, "Unknown";
        /// 0x01: nothing came for too long.
        IdleTimeout = 0x01, "Idle timeout";
        /// 0x02: the version of the peer's contact header is not spoken here.
        VersionMismatch = 0x02, "Version mismatch";
        /// 0x03: too busy for this session.
        Busy = 0x03, "Busy";
        /// 0x04: a contact header or a SESS_INIT is not understood or not acceptable.
        ContactFailure = 0x04, "Contact Failure";
        /// 0x05: a limit was reached.
        ResourceExhaustion = 0x05, "Resource Exhaustion";
    }
}

reasons! {
    /// Why a message is rejected (section 5.1.2, table 4).
    RejectReason, "reason {:#04x}" {
        /// 0x01: the type is not known.
        TypeUnknown = 0x01, "Message Type Unknown";
        /// 0x02: the contents cannot be complied with.
        Unsupported = 0x02, "Message Unsupported";
        /// 0x03: the message is not expected in this state of the session.
        Unexpected = 0x03, "Message Unexpected";
    }
}
