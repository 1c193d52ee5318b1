use std::ops::BitOr;

macro_rules! flags {
    ($(#[$meta:meta])* $name:ident { $($(#[$flag_meta:meta])* $flag:ident = $bit:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(pub u8);

        impl $name {
            /// No bit.
            pub const NONE: Self = $name(0);
            $($(#[$flag_meta])* pub const $flag: Self = $name($bit);)*

            /// Whether all the bits of `other` are set.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// The defined bits alone.
            pub const fn defined(self) -> Self {
                $name(self.0 & (0 $(| $bit)*))
            }
        }

        impl BitOr for $name {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                $name(self.0 | other.0)
            }
        }
    };
}

flags! {
    /// Flags of a contact header (section 4.2, table 1). Reserved bits are sent as 0 and ignored.
    ContactFlags {
        /// The sender has enabled TLS.
        CAN_TLS = 0x01,
    }
}

flags! {
    /// Flags of XFER_SEGMENT and XFER_ACK (section 5.2.2, table 5). Reserved bits are sent as 0 and ignored.
    SegmentFlags {
        /// The last segment of its transfer.
        END = 0x01,
        /// The first segment of its transfer.
        START = 0x02,
    }
}

flags! {
    /// Flags of a session or transfer extension item (sections 4.8 and 5.2.5). Reserved bits are sent as 0 and ignored.
    ItemFlags {
        /// Who does not know the item may not ignore it.
        CRITICAL = 0x01,
    }
}

flags! {
    /// Flags of SESS_TERM (section 6.1, table 8). Reserved bits are sent as 0 and ignored.
    TermFlags {
        /// The message acknowledges an earlier SESS_TERM.
        REPLY = 0x01,
    }
}
