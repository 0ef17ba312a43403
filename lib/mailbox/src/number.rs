//! Numbers that cannot be mixed up.

use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty, $plain:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($inner);

        impl $name {
            /// 1
            pub const MIN: Self = Self(<$inner>::MIN);
            /// The largest one.
            pub const MAX: Self = Self(<$inner>::MAX);

            /// `None` for 0, which is no such number.
            #[must_use]
            pub const fn new(number: $plain) -> Option<Self> {
                match <$inner>::new(number) {
                    Some(number) => Some(Self(number)),
                    None => None,
                }
            }

            /// The number, at least 1.
            #[must_use]
            pub const fn get(self) -> $plain {
                self.0.get()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// Names a message in its mailbox for good, as long as the uidvalidity stays.
    /// RFC 3501 §2.3.1.1.
    Uid(NonZeroU32, u32)
}
number! {
    /// Position of a message in a session's view, from 1. RFC 3501 §2.3.1.2.
    Seq(NonZeroU32, u32)
}
number! {
    /// Changes when the UIDs of a mailbox start over. RFC 3501 §2.3.1.1.
    UidValidity(NonZeroU32, u32)
}
number! {
    /// Modification sequence. RFC 7162 §3.1; at most 2^63-1 on the wire.
    ModSeq(NonZeroU64, u64)
}
