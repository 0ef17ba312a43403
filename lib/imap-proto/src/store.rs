//! STORE's data item: which flags, and what becomes of them. RFC 3501 §6.4.6.

use crate::args::{Args, SyntaxError};
use crate::flag::Flag;

/// What STORE does with its flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreMode {
    /// `FLAGS`: these and no others.
    Replace,
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
}

/// Does STORE want to be told the new flags?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreReply {
    /// Yes: untagged FETCH responses.
    Fetch,
    /// `.SILENT`: only what others changed.
    Silent,
}

/// STORE's arguments behind the set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// What to do.
    pub mode: StoreMode,
    /// What to answer.
    pub reply: StoreReply,
    /// With which flags.
    pub flags: Vec<Flag>,
}

impl Store {
    /// Takes `+FLAGS.SILENT (\Deleted)` and its like, to the end of the command.
    pub fn take(args: &mut Args<'_>) -> Result<Self, SyntaxError> {
        let word = args.atom()?.to_ascii_uppercase();
        let (mode, rest) = match word.as_slice() {
            [b'+', rest @ ..] => (StoreMode::Add, rest),
            [b'-', rest @ ..] => (StoreMode::Remove, rest),
            rest => (StoreMode::Replace, rest),
        };
        let reply = match rest {
            b"FLAGS" => StoreReply::Fetch,
            b"FLAGS.SILENT" => StoreReply::Silent,
            _ => return Err(SyntaxError::ARGUMENTS),
        };
        args.space()?;
        let flags = Flag::take_all(args)?;
        args.end()?;
        Ok(Self { mode, reply, flags })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flag::SystemFlag;

    #[test]
    fn modes_and_replies() {
        let flags = vec![Flag::System(SystemFlag::Deleted)];
        let store = |mode, reply| {
            Ok(Store {
                mode,
                reply,
                flags: flags.clone(),
            })
        };
        let take = |text: &str| Store::take(&mut Args::new(text.as_bytes()));
        assert_eq!(
            take("FLAGS (\\Deleted)"),
            store(StoreMode::Replace, StoreReply::Fetch)
        );
        assert_eq!(
            take("+flags \\Deleted"),
            store(StoreMode::Add, StoreReply::Fetch)
        );
        assert_eq!(
            take("-FLAGS.silent (\\deleted)"),
            store(StoreMode::Remove, StoreReply::Silent)
        );
        for wrong in [
            "",
            "FLAGS",
            "FLAGS ",
            "*FLAGS ()",
            "FLAGS.LOUD ()",
            "FLAGS () x",
            "+-FLAGS ()",
        ] {
            assert!(take(wrong).is_err(), "{wrong}");
        }
    }
}
