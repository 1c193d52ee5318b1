/// Why octets are neither a unit of the protocol nor the beginning of one. `at` counts octets from the start of the unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TcpclError {
    /// Section 4.2: a contact header begins with "dtn!".
    #[error(
        "octet {at}: {found:#04x} where a contact header has {expected:#04x} of its \"dtn!\" (RFC 9174 section 4.2)"
    )]
    Magic {
        /// Where the first wrong octet is.
        at: usize,
        /// The octet of the magic string there.
        expected: u8,
        /// The octet that is there.
        found: u8,
    },
    /// Section 4.5: no such message type is defined, so where the next message begins is unknown.
    #[error("message type {code:#04x} is unknown (RFC 9174 section 4.5)")]
    UnknownType {
        /// The type octet.
        code: u8,
    },
}

/// Why a list of extension items disagrees with its length (sections 4.6 and 5.2.2). `at` counts from the start of the list.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ItemError {
    /// Sections 4.8 and 5.2.5: flags, type and length take five octets.
    #[error("octet {at}: an extension item begins, but only {left} of the 5 octets of its head are left in the list")]
    Head {
        /// Where the item begins.
        at: usize,
        /// Octets left in the list.
        left: usize,
    },
    /// Sections 4.8 and 5.2.5: the value is longer than what is left of the list.
    #[error(
        "octet {at}: an extension item of type {item_type:#06x} claims {claimed} octets, but {left} are left in the list"
    )]
    Value {
        /// Where the value begins.
        at: usize,
        /// The type of the item.
        item_type: u16,
        /// Its length field.
        claimed: u16,
        /// Octets left in the list.
        left: usize,
    },
    /// Section 5.2.5.1: a transfer length is 64 bits.
    #[error("a Transfer Length item has a value of {length} octets; RFC 9174 section 5.2.5.1 gives it 8")]
    TransferLength {
        /// Octets of its value.
        length: usize,
    },
}
