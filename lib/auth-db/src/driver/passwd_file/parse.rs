//! The grammar of password files: passwd(5)'s, stretched by Dovecot.

use std::collections::HashMap;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::fields::FieldTemplates;

/// A password file.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub entries: HashMap<String, Arc<Entry>>,
    /// Names in the file's order.
    pub order: Vec<String>,
    /// What is wrong with lines that were left out.
    pub problems: Vec<String>,
}

/// One user.
pub(super) struct Entry {
    /// `{SCHEME}data` or bare data.
    pub password: Zeroizing<String>,
    /// `None`: the line ends before uid; it is for passdbs only.
    pub user: Option<User>,
    /// Extra fields, not yet expanded.
    pub extra: FieldTemplates,
}

/// What a line says for userdb. Empty columns say nothing.
#[derive(Debug)]
pub(super) struct User {
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub home: Option<String>,
}

/// Reads a whole file. A line that is wrong harms no other.
pub(super) fn parse(bytes: &[u8]) -> Content {
    let mut content = Content::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // Neither a user nor a comment of ours: both are left out in silence, as Dovecot does.
        if matches!(line.first(), None | Some(b'#' | b':')) {
            continue;
        }
        match str::from_utf8(line)
            .map_err(|_| "a line is not UTF-8".to_owned())
            .and_then(entry)
        {
            Ok((name, entry)) => add(&mut content, name, entry),
            Err(problem) => content.problems.push(problem),
        }
    }
    content
}

fn add(content: &mut Content, name: String, entry: Entry) {
    if content.entries.contains_key(&name) {
        content
            .problems
            .push(format!("User {name} exists more than once"));
        return;
    }
    content.order.push(name.clone());
    content.entries.insert(name, Arc::new(entry));
}

/// One line.
fn entry(line: &str) -> Result<(String, Entry), String> {
    let mut columns = line.split(':');
    let name = columns.next().unwrap_or_default();
    let password = Zeroizing::new(password(columns.next().unwrap_or_default()));
    let mut user = None;
    let mut extra = FieldTemplates::default();
    if let Some(uid) = columns.next() {
        let uid = id(name, "UID", uid, |name| {
            Ok(sys::users::by_name(name)?.map(|user| user.uid))
        })?;
        let gid = columns.next().unwrap_or_default();
        let gid = id(name, "GID", gid, sys::users::group_id)?;
        let _gecos = columns.next();
        let home = columns
            .next()
            .filter(|home| !home.is_empty())
            .map(str::to_owned);
        let _shell = columns.next();
        user = Some(User { uid, gid, home });
        let rest = columns.collect::<Vec<_>>().join(":");
        extra = FieldTemplates::parse(&extra_fields(&rest))
            .map_err(|error| format!("User {name} has invalid extra fields: {error}"))?;
    }
    Ok((
        name.to_owned(),
        Entry {
            password,
            user,
            extra,
        },
    ))
}

/// Dovecot 0.99 left the eighth column empty and put the mail location into the ninth.
fn extra_fields(rest: &str) -> String {
    match rest.strip_prefix(':') {
        Some("") | None => rest.to_owned(),
        Some(mail) => format!("userdb_mail={mail}"),
    }
}

/// `password[type]` is how libpam-pwdfile writes some: 13 DES, 34 MD5, and 56 was once our DIGEST-MD5.
fn password(column: &str) -> String {
    let typed = column
        .strip_suffix(']')
        .and_then(|column| column.split_once('['));
    let Some((data, kind)) = typed.filter(|_| !column.starts_with('{')) else {
        return column.to_owned();
    };
    let scheme = match kind {
        "34" => "PLAIN-MD5",
        "56" => "DIGEST-MD5",
        _ => "CRYPT",
    };
    format!("{{{scheme}}}{data}")
}

/// A number, or a name that the system knows. 0 is nobody's: mail is never root's.
fn id(
    user: &str,
    what: &str,
    column: &str,
    by_name: impl FnOnce(&str) -> std::io::Result<Option<u32>>,
) -> Result<Option<u32>, String> {
    if column.is_empty() {
        return Ok(None);
    }
    let id = match column.parse::<u32>() {
        Ok(id) => Some(id),
        Err(_) => {
            by_name(column).map_err(|error| format!("User {user}: {what} '{column}': {error}"))?
        }
    };
    match id {
        Some(id) if id != 0 && id != u32::MAX => Ok(Some(id)),
        _ => Err(format!("User {user} has invalid {what} '{column}'")),
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Entry")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}
