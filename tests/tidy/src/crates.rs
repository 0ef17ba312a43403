//! Crates of others: what deny.toml bans, and licenses that it allows. `cargo deny check` does the same and more,
//! where it is installed.

use std::collections::BTreeMap;
use std::path::Path;

use crate::Violation;

/// `deny.toml`, as far as it is obeyed here.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Deny {
    /// Names of crates that may not come in.
    pub banned: Vec<String>,
    /// SPDX ids.
    pub allowed: Vec<String>,
}

impl Deny {
    /// Reads the lists `deny` of `[bans]` and `allow` of `[licenses]`; one entry a line.
    #[must_use]
    pub fn parse(text: &str) -> Deny {
        let mut deny = Deny::default();
        let (mut section, mut key) = ("", "");
        for line in text.lines().map(str::trim) {
            if line.starts_with('[') && line.ends_with(']') {
                section = line.trim_matches(['[', ']']);
            } else if let Some((name, _)) = line.split_once('=')
                && !line.starts_with(['"', '{'])
            {
                key = name.trim();
            }
            let Some(value) = line.split('"').nth(1) else {
                continue;
            };
            match (section, key) {
                ("bans", "deny") => deny.banned.push(value.to_owned()),
                ("licenses", "allow") => deny.allowed.push(value.to_owned()),
                _ => {}
            }
        }
        deny
    }

    /// Crates by name, with their license expressions.
    #[must_use]
    pub fn check(&self, crates: &BTreeMap<String, String>) -> Vec<Violation> {
        let lock = Path::new("Cargo.lock");
        let mut violations = Vec::new();
        for (name, license) in crates {
            if self.banned.contains(name) {
                let what = format!("{name} is banned in deny.toml; see `cargo tree -i {name}`");
                violations.push(Violation::new(lock, 0, what));
            }
            if !self.allows(license) {
                let what =
                    format!("{name} has the license {license:?}, which deny.toml does not allow");
                violations.push(Violation::new(lock, 0, what));
            }
        }
        violations
    }

    /// Evaluates an SPDX expression; AND binds more tightly than OR.
    #[must_use]
    pub fn allows(&self, expression: &str) -> bool {
        let words = expression
            .replace('(', " ( ")
            .replace(')', " ) ")
            // As it was written before SPDX.
            .replace('/', " OR ");
        let mut words = words.split_whitespace().peekable();
        let allowed = self.any_of(&mut words);
        allowed && words.next().is_none()
    }

    fn any_of<'a>(&self, words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>) -> bool {
        let mut allowed = self.all_of(words);
        while words.next_if_eq(&"OR").is_some() {
            allowed |= self.all_of(words);
        }
        allowed
    }

    fn all_of<'a>(&self, words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>) -> bool {
        let mut allowed = self.one(words);
        while words.next_if_eq(&"AND").is_some() {
            allowed &= self.one(words);
        }
        allowed
    }

    fn one<'a>(&self, words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>) -> bool {
        match words.next() {
            Some("(") => {
                let allowed = self.any_of(words);
                allowed && words.next() == Some(")")
            }
            Some(id) => {
                let id = match words.next_if_eq(&"WITH") {
                    Some(_) => format!("{id} WITH {}", words.next().unwrap_or_default()),
                    None => id.to_owned(),
                };
                self.allowed.contains(&id)
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[bans]\nmultiple-versions = \"allow\"\ndeny = [\n    # Why.\n    { crate = \"ring\" },\n]\n\
        [licenses]\nallow = [\n    \"MIT\",\n    \"Apache-2.0\",\n    \"ISC\",\n]\n";

    #[test]
    fn lists_are_read() {
        let deny = Deny::parse(TEXT);
        assert_eq!(deny.banned, ["ring"]);
        assert_eq!(deny.allowed, ["MIT", "Apache-2.0", "ISC"]);
    }

    #[test]
    fn expressions() {
        let deny = Deny::parse(TEXT);
        for good in [
            "MIT",
            "GPL-3.0 OR MIT",
            "MIT/Apache-2.0",
            "ISC AND (Apache-2.0 OR OpenSSL)",
        ] {
            assert!(deny.allows(good), "{good}");
        }
        for bad in [
            "",
            "GPL-3.0",
            "MIT AND MPL-2.0",
            "Apache-2.0 WITH LLVM-exception",
            "(MIT",
            "MIT MIT",
        ] {
            assert!(!deny.allows(bad), "{bad}");
        }
    }

    #[test]
    fn banned_crates_are_found() {
        let crates = [("ring".to_owned(), "MIT".to_owned())].into();
        assert_eq!(Deny::parse(TEXT).check(&crates).len(), 1);
    }
}
