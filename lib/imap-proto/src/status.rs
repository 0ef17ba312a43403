//! What STATUS may be asked for. RFC 3501 §6.3.10.

use crate::args::{Args, SyntaxError};

/// One STATUS data item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusItem {
    /// `MESSAGES`
    Messages,
    /// `RECENT`
    Recent,
    /// `UIDNEXT`
    UidNext,
    /// `UIDVALIDITY`
    UidValidity,
    /// `UNSEEN`
    Unseen,
}

impl StatusItem {
    /// All of them, in the order in which Dovecot answers.
    pub const ALL: [Self; 5] = [
        Self::Messages,
        Self::Recent,
        Self::UidNext,
        Self::UidValidity,
        Self::Unseen,
    ];

    /// Its word on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Messages => "MESSAGES",
            Self::Recent => "RECENT",
            Self::UidNext => "UIDNEXT",
            Self::UidValidity => "UIDVALIDITY",
            Self::Unseen => "UNSEEN",
        }
    }

    fn take(args: &mut Args<'_>) -> Result<Self, SyntaxError> {
        let word = args.atom()?;
        let known = Self::ALL
            .into_iter()
            .find(|item| word.eq_ignore_ascii_case(item.name().as_bytes()));
        known.ok_or_else(|| SyntaxError::about("Invalid status item", word))
    }
}

/// Takes `(MESSAGES UNSEEN …)`, at least one.
pub fn items(args: &mut Args<'_>) -> Result<Vec<StatusItem>, SyntaxError> {
    let items = args.list(StatusItem::take)?;
    if items.is_empty() {
        return Err(SyntaxError::new("Empty status list."));
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_in_parentheses() {
        let asked = items(&mut Args::new(b"(uidnext MESSAGES)"));
        assert_eq!(asked, Ok(vec![StatusItem::UidNext, StatusItem::Messages]));
        for wrong in ["", "()", "MESSAGES", "(X)", "(MESSAGES"] {
            assert!(items(&mut Args::new(wrong.as_bytes())).is_err(), "{wrong}");
        }
    }
}
