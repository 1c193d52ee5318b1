/// Why octets are not a transfer frame or a packet. `at` counts octets from the start of the input.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CcsdsError {
    /// The input ends before the field does.
    #[error("octet {at}: {field} needs {needed} octets, but {left} are left ({clause})")]
    Truncated {
        /// Where.
        at: usize,
        /// The field that is cut off.
        field: &'static str,
        /// Octets that the field needs.
        needed: usize,
        /// Octets that there are.
        left: usize,
        /// Where the field is defined.
        clause: &'static str,
    },
    /// Another kind of frame or packet.
    #[error("octet {at}: version {found:#b}, but {what} have {expected:#b} ({clause})")]
    Version {
        /// Where.
        at: usize,
        /// What was looked for.
        what: &'static str,
        /// The version number.
        found: u8,
        /// The one they have.
        expected: u8,
        /// Where it is defined.
        clause: &'static str,
    },
    /// The frame has errors.
    #[error("octet {at}: frame error control {carried:#06x}, computed {computed:#06x} ({clause})")]
    ErrorControl {
        /// Where the field is.
        at: usize,
        /// What the frame carries.
        carried: u16,
        /// What its octets come to.
        computed: u16,
        /// Where it is defined.
        clause: &'static str,
    },
    /// The first header pointer leaves the packet zone.
    #[error("octet {at}: first header pointer {pointer}, but the packet zone has {zone} octets ({clause})")]
    FirstHeader {
        /// Where the pointer is.
        at: usize,
        /// The pointer.
        pointer: u16,
        /// Octets of the zone.
        zone: usize,
        /// Where it is defined.
        clause: &'static str,
    },
    /// The length field disagrees with what there is, or cannot be.
    #[error("octet {at}: {what} length {announced}, but {has} octets are there ({clause})")]
    Length {
        /// Where the field is.
        at: usize,
        /// Of what.
        what: &'static str,
        /// Octets that the field says.
        announced: u64,
        /// Octets that there are, or have to be.
        has: u64,
        /// Where it is defined.
        clause: &'static str,
    },
    /// A field has a value that the book forbids.
    #[error("octet {at}: {field} is {found}: {rule} ({clause})")]
    Forbidden {
        /// Where.
        at: usize,
        /// The field.
        field: &'static str,
        /// Its value.
        found: u32,
        /// What is allowed.
        rule: &'static str,
        /// Where it is defined.
        clause: &'static str,
    },
    /// A value does not fit in its field.
    #[error("{field} of {found}: at most {most} can be written ({clause})")]
    TooLarge {
        /// The field.
        field: &'static str,
        /// What was to be written.
        found: u64,
        /// What can be.
        most: u64,
        /// Where it is defined.
        clause: &'static str,
    },
}
