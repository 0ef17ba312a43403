//! static: the same fields for everybody, as passdb (`password=…` or `nopassword=y`) and as userdb (`uid= gid= home=`).

use config::expand::{self, Template};
use zeroize::Zeroizing;

use super::{Answer, Record};
use crate::context::Context;
use crate::fields::FieldTemplates;

/// Scheme of a password without `{SCHEME}`.
const DEFAULT_SCHEME: &str = "PLAIN";

/// passdb static.
#[derive(Debug)]
pub(crate) struct StaticPass {
    password: Option<Template>,
    fields: FieldTemplates,
}

impl StaticPass {
    /// Reads `args`.
    pub(crate) fn new(args: &str) -> Result<Self, expand::Error> {
        let mut fields = FieldTemplates::parse(args)?;
        Ok(Self {
            password: fields.take("password"),
            fields,
        })
    }

    /// Everybody's record.
    pub(crate) fn password(&self, context: &Context<'_>) -> Answer<Record> {
        let password = self
            .password
            .as_ref()
            .map(|password| context.expand(password));
        Answer::Found(Record {
            password: Zeroizing::new(password.unwrap_or_default()),
            default_scheme: DEFAULT_SCHEME.to_owned(),
            fields: self.fields.expand(context),
        })
    }
}

/// userdb static.
#[derive(Debug)]
pub(crate) struct StaticUser {
    fields: FieldTemplates,
    /// Without it, a user must be known to some passdb.
    pub(crate) existence: Existence,
}

/// Who exists for userdb static.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existence {
    /// `allow_all_users=yes`.
    Everybody,
    /// Whoever has logged in, or is in a passdb.
    InPassdb,
}

impl StaticUser {
    /// Reads `args`.
    pub(crate) fn new(args: &str) -> Result<Self, expand::Error> {
        let words: Vec<&str> = args.split_ascii_whitespace().collect();
        let everybody = words
            .iter()
            .any(|word| matches!(*word, "allow_all_users=yes" | "allow_all_users"));
        let kept: Vec<&str> = words
            .into_iter()
            .filter(|word| !word.starts_with("allow_all_users"))
            .collect();
        let existence = if everybody {
            Existence::Everybody
        } else {
            Existence::InPassdb
        };
        Ok(Self {
            fields: FieldTemplates::parse(&kept.join(" "))?,
            existence,
        })
    }

    /// Everybody's fields.
    pub(crate) fn user(&self, context: &Context<'_>) -> Vec<(String, String)> {
        self.fields.expand(context)
    }
}
