//! Settings of older versions that Dovecot 2.3 still understands: each becomes what replaced it, with a warning.

use crate::parse::line::RawValue;

/// What counts instead of an obsolete assignment, and what the administrator should know.
#[derive(Debug, PartialEq, Eq)]
pub struct Replaced {
    /// None: nothing.
    pub by: Option<(&'static str, RawValue)>,
    /// One line.
    pub warning: String,
}

/// What counts instead of this global setting. None: it is not obsolete.
pub fn replaced(key: &str, value: &RawValue) -> Option<Replaced> {
    let text = match value {
        RawValue::Plain(text) | RawValue::Quoted(text) => text.as_str(),
        RawValue::File(_) => return None,
    };
    match key {
        "ssl_protocols" => Some(min_protocol(text)),
        "ssl_dh_parameters_length" | "ssl_parameters_regenerate" => Some(Replaced {
            by: None,
            warning: format!("Obsolete setting: {key} is no longer needed"),
        }),
        "ssl_cert_file" => Some(of_file(key, "ssl_cert", text)),
        "ssl_key_file" => Some(of_file(key, "ssl_key", text)),
        "ssl_ca_file" => Some(of_file(key, "ssl_ca", text)),
        "fsync_disable" => Some(fsync(text)),
        "protocols" => protocols(text),
        _ => None,
    }
}

/// The versions that `ssl_protocols` could name, oldest first.
const VERSIONS: [&str; 4] = ["SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2"];

/// `ssl_protocols = !SSLv3 !TLSv1`: the oldest version that is left. Versions that are named without `!` are
/// all there are.
fn min_protocol(text: &str) -> Replaced {
    let words = || text.split([' ', ',']).filter(|word| !word.is_empty());
    let version = |word: &'static str| words().any(|named| named == word);
    let refused = |word: &str| words().any(|named| named.strip_prefix('!') == Some(word));
    let only_named = words().any(|word| !word.starts_with('!'));
    let unknown = words().find(|word| !VERSIONS.contains(&word.trim_start_matches('!')));
    let oldest = VERSIONS
        .into_iter()
        .find(|word| !refused(word) && (!only_named || version(word)));
    let why = match (unknown, oldest) {
        (None, Some(oldest)) => {
            return Replaced {
                by: Some(("ssl_min_protocol", RawValue::Quoted(oldest.to_owned()))),
                warning: "Obsolete setting: ssl_protocols has been replaced by ssl_min_protocol"
                    .to_owned(),
            };
        }
        (Some(word), _) => format!("Unrecognized protocol '{}'", word.trim_start_matches('!')),
        (None, None) => "All protocols are disabled".to_owned(),
    };
    Replaced {
        by: None,
        warning: format!(
            "Could not find a minimum ssl_min_protocol setting from ssl_protocols = {text}: {why}"
        ),
    }
}

fn of_file(key: &str, name: &'static str, path: &str) -> Replaced {
    let value = match path {
        "" => RawValue::Plain(String::new()),
        path => RawValue::File(path.to_owned()),
    };
    Replaced {
        by: Some((name, value)),
        warning: format!("Obsolete setting: {key} has been replaced by {name} = <file"),
    }
}

fn fsync(text: &str) -> Replaced {
    let word = match text {
        "yes" => "never",
        _ => "optimized",
    };
    Replaced {
        by: Some(("mail_fsync", RawValue::Quoted(word.to_owned()))),
        warning: "Obsolete setting: fsync_disable has been renamed to mail_fsync".to_owned(),
    }
}

/// `imaps` and `pop3s` come with `imap` and `pop3`; `managesieve` is called `sieve`.
fn protocols(text: &str) -> Option<Replaced> {
    let obsolete = |word: &&str| matches!(*word, "imaps" | "pop3s" | "managesieve");
    let first = text.split(' ').find(obsolete)?;
    let words = text.split(' ').filter_map(|word| match word {
        "imaps" | "pop3s" => None,
        "managesieve" => Some("sieve"),
        word => Some(word),
    });
    let warning = match first {
        "managesieve" => "protocols=managesieve has been renamed to protocols=sieve".to_owned(),
        first => format!("'{first}' protocol is no longer necessary, remove it"),
    };
    Some(Replaced {
        by: Some((
            "protocols",
            RawValue::Plain(words.collect::<Vec<_>>().join(" ")),
        )),
        warning: format!("Obsolete setting: {warning}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(key: &str, text: &str) -> Option<(&'static str, RawValue)> {
        let value = RawValue::Plain(text.to_owned());
        replaced(key, &value).and_then(|replaced| replaced.by)
    }

    #[test]
    fn the_oldest_version_that_is_left() {
        for (text, oldest) in [
            ("!SSLv3", Some("TLSv1")),
            ("!SSLv3 !TLSv1 !TLSv1.1", Some("TLSv1.2")),
            ("TLSv1 TLSv1.2", Some("TLSv1")),
            ("TLSv1.2 !TLSv1.1", Some("TLSv1.2")),
            ("", Some("SSLv3")),
            ("!SSLv2 !SSLv3", None),
            ("TLSv1.3", None),
            ("!SSLv3 !TLSv1 !TLSv1.1 !TLSv1.2", None),
        ] {
            let expected =
                oldest.map(|word| ("ssl_min_protocol", RawValue::Quoted(word.to_owned())));
            assert_eq!(by("ssl_protocols", text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_obsolete_stays() {
        assert_eq!(by("protocols", "imap lmtp"), None);
        assert_eq!(
            by("protocols", "imap imaps managesieve"),
            Some(("protocols", RawValue::Plain("imap sieve".to_owned())))
        );
        let file = Some(("ssl_cert", RawValue::File("/x".to_owned())));
        assert_eq!(by("ssl_cert_file", "/x"), file);
        assert_eq!(by("ssl_cert", "/x"), None);
    }
}
