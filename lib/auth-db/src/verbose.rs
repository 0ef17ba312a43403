//! `auth_verbose_passwords`: whether a line about a wrong password shows what was typed.

use crate::passdb::More;
use crate::password::{Hash, to_hex};

/// How a typed password is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GivenPassword {
    form: Form,
    /// Most characters to show; 0: all.
    limit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    No,
    Plain,
    Sha1,
}

impl GivenPassword {
    /// Reads `no`, `plain`, `sha1`, with `:` and a number of characters where it is to be cut.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (form, limit) = text.split_once(':').unwrap_or((text, "0"));
        let form = match form {
            "no" => Some(Form::No),
            "plain" | "yes" => Some(Form::Plain),
            "sha1" => Some(Form::Sha1),
            _ => None,
        };
        match (form, limit.parse()) {
            (Some(form), Ok(limit)) => Ok(Self { form, limit }),
            _ => Err(format!(
                "auth_verbose_passwords: Invalid value '{text}': no, plain[:chars] or sha1[:chars]"
            )),
        }
    }

    /// The line, with what was typed if that is wanted, in Dovecot's words.
    pub(crate) fn append(self, text: &str, password: &[u8], more: More) -> String {
        let given = match self.form {
            Form::No => return text.to_owned(),
            Form::Plain => format!(
                "given password: {}",
                self.cut(&String::from_utf8_lossy(password))
            ),
            Form::Sha1 => format!(
                "SHA1 of given password: {}",
                self.cut(&to_hex(&Hash::Sha1.digest(&[password])))
            ),
        };
        let next = if more == More::Yes {
            " - trying the next passdb"
        } else {
            ""
        };
        format!("{text} ({given}){next}")
    }

    fn cut(self, text: &str) -> String {
        let limit = if self.limit == 0 {
            usize::MAX
        } else {
            self.limit
        };
        text.chars().take(limit).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_dovecots() {
        let line = |setting, more| {
            GivenPassword::parse(setting)
                .unwrap()
                .append("unknown user", b"no", more)
        };
        assert_eq!(line("no", More::Yes), "unknown user");
        assert_eq!(
            line("plain", More::Yes),
            "unknown user (given password: no) - trying the next passdb"
        );
        assert_eq!(
            line("plain:1", More::No),
            "unknown user (given password: n)"
        );
        assert_eq!(
            line("sha1:6", More::No),
            "unknown user (SHA1 of given password: fd1286)"
        );
        assert!(GivenPassword::parse("md5").is_err());
        assert!(GivenPassword::parse("plain:x").is_err());
    }
}
