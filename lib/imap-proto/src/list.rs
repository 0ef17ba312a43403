//! LIST's and LSUB's arguments. RFC 3501 §6.3.8, and what RFC 6154 §2 takes of RFC 5258.

use std::borrow::Cow;

use crate::args::{Args, SyntaxError};

/// What to list, and what to tell about it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct List<'a> {
    /// Only mailboxes that have these.
    pub select: Vec<Selection>,
    /// What patterns are relative to.
    pub reference: Cow<'a, [u8]>,
    /// Patterns with `*` and `%`; at least one.
    pub patterns: Vec<Cow<'a, [u8]>>,
    /// What else to tell; `None` for the plain LIST of RFC 3501.
    pub returns: Option<Vec<Return>>,
}

/// A selection option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// `SPECIAL-USE`: mailboxes that have a special use.
    SpecialUse,
    /// `SUBSCRIBED`: subscribed names, whether they exist or not.
    Subscribed,
    /// `RECURSIVEMATCH`: and the parents of what matches.
    RecursiveMatch,
    /// `REMOTE`: and mailboxes on other servers. There are none.
    Remote,
}

/// A return option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Return {
    /// `SPECIAL-USE`
    SpecialUse,
    /// `SUBSCRIBED`
    Subscribed,
    /// `CHILDREN`
    Children,
}

impl<'a> List<'a> {
    /// Takes everything behind the word LIST.
    pub fn take(args: &mut Args<'a>) -> Result<Self, SyntaxError> {
        args.space()?;
        let mut list = Self::default();
        if args.peek() == Some(b'(') {
            list.select = args.list(Selection::take)?;
            args.space()?;
        }
        list.reference = args.astring()?;
        args.space()?;
        list.patterns = patterns(args)?;
        if !args.is_empty() {
            args.space()?;
            list.returns = Some(returns(args)?);
        }
        args.end()?;
        list.check()
    }

    /// Takes everything behind the word LSUB: no options.
    pub fn take_lsub(args: &mut Args<'a>) -> Result<Self, SyntaxError> {
        args.space()?;
        let reference = args.astring()?;
        args.space()?;
        let patterns = vec![args.astring()?];
        args.end()?;
        Ok(Self {
            reference,
            patterns,
            ..Self::default()
        })
    }

    /// RFC 5258 §3: RECURSIVEMATCH says how to select, not what.
    fn check(self) -> Result<Self, SyntaxError> {
        let recursive = self.select.contains(&Selection::RecursiveMatch);
        let selects = self
            .select
            .iter()
            .any(|option| matches!(option, Selection::Subscribed | Selection::SpecialUse));
        if recursive && !selects {
            return Err(SyntaxError::new(
                "RECURSIVEMATCH must not be the only selection option.",
            ));
        }
        Ok(self)
    }
}

impl Selection {
    fn take(args: &mut Args<'_>) -> Result<Self, SyntaxError> {
        match args.atom()?.to_ascii_uppercase().as_slice() {
            b"SPECIAL-USE" => Ok(Self::SpecialUse),
            b"SUBSCRIBED" => Ok(Self::Subscribed),
            b"RECURSIVEMATCH" => Ok(Self::RecursiveMatch),
            b"REMOTE" => Ok(Self::Remote),
            _ => Err(SyntaxError::new("Unknown select options.")),
        }
    }
}

impl Return {
    fn take(args: &mut Args<'_>) -> Result<Self, SyntaxError> {
        match args.atom()?.to_ascii_uppercase().as_slice() {
            b"SPECIAL-USE" => Ok(Self::SpecialUse),
            b"SUBSCRIBED" => Ok(Self::Subscribed),
            b"CHILDREN" => Ok(Self::Children),
            _ => Err(SyntaxError::new("Unknown return options.")),
        }
    }
}

fn returns(args: &mut Args<'_>) -> Result<Vec<Return>, SyntaxError> {
    const EXTRA: SyntaxError = SyntaxError::new("Extra arguments.");
    if !args.take_word("RETURN") {
        return Err(EXTRA);
    }
    args.space().map_err(|_| EXTRA)?;
    args.list(Return::take)
}

fn patterns<'a>(args: &mut Args<'a>) -> Result<Vec<Cow<'a, [u8]>>, SyntaxError> {
    if args.peek() != Some(b'(') {
        return Ok(vec![args.astring()?]);
    }
    let patterns = args.list(Args::astring)?;
    if patterns.is_empty() {
        return Err(SyntaxError::ARGUMENTS);
    }
    Ok(patterns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Result<List<'_>, SyntaxError> {
        List::take(&mut Args::new(text.as_bytes()))
    }

    #[test]
    fn plain_and_extended() {
        let plain = list(" \"\" *").unwrap();
        assert_eq!(
            (plain.reference.as_ref(), plain.patterns.len()),
            (b"".as_slice(), 1)
        );
        assert_eq!(plain.returns, None);
        let special = list(" (SPECIAL-USE) \"\" %").unwrap();
        assert_eq!(special.select, [Selection::SpecialUse]);
        let returned = list(" \"\" (a b) RETURN (SPECIAL-USE CHILDREN)").unwrap();
        assert_eq!(returned.patterns.len(), 2);
        assert_eq!(
            returned.returns,
            Some(vec![Return::SpecialUse, Return::Children])
        );
    }

    #[test]
    fn wrong_arguments() {
        for wrong in [
            "",
            " ",
            " \"\"",
            " \"\" ",
            " \"\" * x",
            " (X) \"\" *",
            " \"\" () ",
            " \"\" * RETURN",
            " \"\" * RETURN (X)",
            " (RECURSIVEMATCH) \"\" *",
        ] {
            assert!(list(wrong).is_err(), "{wrong}");
        }
        assert!(List::take_lsub(&mut Args::new(b" \"\" (a b)")).is_err());
        assert!(List::take_lsub(&mut Args::new(b" \"\" a*")).is_ok());
    }
}
