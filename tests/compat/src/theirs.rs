//! Dovecot's answers, over IMAP.

use std::collections::{BTreeMap, BTreeSet};

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use testkit::{Dovecot, Imap};

use crate::ours::sha256;
use crate::picture::{Mailbox, Message, Picture, seconds, utf8};

/// Who owns the mail in tests.
pub const UID: u32 = 5999;

/// Any user with any password, mail in `/srv/share/USER`.
#[must_use]
pub fn settings(location: &str) -> String {
    format!(
        "
mail_location = {location}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid={UID} gid={UID} home=/srv/share/%u
}}
mail_max_userip_connections = 100
namespace inbox {{
  separator = /
  mailbox Drafts {{
    special_use = \\Drafts
  }}
  mailbox Sent {{
    special_use = \\Sent
  }}
  mailbox Trash {{
    special_use = \\Trash
  }}
}}
"
    )
}

/// Dovecot with the homes in `share`.
#[must_use]
pub fn boot(location: &str, share: &Path) -> Dovecot {
    boot_with(location, "", share)
}

/// The same with more settings.
#[must_use]
pub fn boot_with(location: &str, more: &str, share: &Path) -> Dovecot {
    let settings = settings(location) + more;
    let dovecot = Dovecot::boot_sharing(&settings, share);
    // PAM, which is asked first, knows none of our users; by default it takes two seconds to say so.
    dovecot.write_file(
        "/etc/pam.d/dovecot",
        b"auth requisite pam_deny.so nodelay\n",
    );
    dovecot
}

/// The home of a user in `share`, which everybody may enter.
pub fn make_home(share: &Path, user: &str) -> PathBuf {
    let home = share.join(user);
    std::fs::create_dir(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(UID), Some(UID)).unwrap();
    std::fs::set_permissions(share, Permissions::from_mode(0o755)).unwrap();
    home
}

/// Where list indexes are in the homes of tests.
pub const LIST_ROOTS: [&str; 6] = [
    "Maildir",
    "index",
    "sdbox",
    "mdbox",
    "mail/.imap",
    "index/.imap",
];

/// Takes Dovecot's list of names away; what ours did, it must find in spite of it.
pub fn forget_names(home: &Path) {
    for root in LIST_ROOTS {
        for file in [
            "dovecot.list.index",
            "dovecot.list.index.log",
            "dovecot.list.index.log.2",
        ] {
            let _ = std::fs::remove_file(home.join(root).join(file));
        }
    }
}

/// A session of `user`.
#[must_use]
pub fn login(dovecot: &Dovecot, user: &str) -> Imap {
    let mut imap = Imap::connect(dovecot.connect(143));
    imap.ok(&format!("LOGIN {user} any"));
    imap
}

/// Everything that Dovecot says. Looks with EXAMINE: changes nothing.
pub fn picture(imap: &mut Imap) -> Picture {
    let (list, subscribed) = names(imap);
    let selectable = list.iter().filter(|(_, attributes)| {
        !attributes.contains("\\Noselect") && !attributes.contains("\\NonExistent")
    });
    let names: Vec<String> = selectable.map(|(name, _)| name.clone()).collect();
    let mailboxes = names
        .iter()
        .map(|name| (name.clone(), mailbox(imap, name)))
        .collect();
    Picture {
        mailboxes,
        list,
        subscribed,
    }
}

/// What LIST says, attributes by name; what LSUB says.
pub fn names(imap: &mut Imap) -> (BTreeMap<String, BTreeSet<String>>, BTreeSet<String>) {
    let mut list = BTreeMap::new();
    for response in imap
        .ok("LIST \"\" \"*\" RETURN (SUBSCRIBED CHILDREN SPECIAL-USE)")
        .untagged
    {
        let (attributes, name) = list_line(&response.text, &response.literals);
        list.insert(utf8(&name), attributes);
    }
    let lsub = imap.ok("LSUB \"\" \"*\"").untagged;
    let subscribed = lsub
        .iter()
        .map(|line| utf8(&list_line(&line.text, &line.literals).1));
    (list, subscribed.collect())
}

/// One mailbox. Not by STATUS: Dovecot answers that from its list index, whose time stamps are whole
/// seconds, and so misses what others did within the second of its own last change.
pub fn mailbox(imap: &mut Imap, name: &str) -> Mailbox {
    let quoted = format!("\"{}\"", storage::mutf7::encode(name));
    let examined = imap.ok(&format!("EXAMINE {quoted}"));
    let code = |code: &str| {
        let number = number_after(&examined.find(code).text, code);
        u32::try_from(number).unwrap()
    };
    let flags = &examined.find("* FLAGS ").text;
    let known = inner(flags)
        .split(' ')
        .filter(|flag| !flag.starts_with('\\'));
    let mut mailbox = Mailbox {
        uid_validity: code("[UIDVALIDITY "),
        uid_next: code("[UIDNEXT "),
        unseen: 0,
        known_keywords: known
            .filter(|flag| !flag.is_empty())
            .map(str::to_owned)
            .collect(),
        highest_modseq: None,
        messages: Vec::new(),
    };
    let highest = "[HIGHESTMODSEQ ";
    let told = examined
        .untagged
        .iter()
        .find(|line| line.text.contains(highest));
    mailbox.highest_modseq = told.map(|line| number_after(&line.text, highest));
    let items = "(UID FLAGS INTERNALDATE RFC822.SIZE X-GUID MODSEQ BODY.PEEK[])";
    let fetched = imap.ok(&format!("UID FETCH 1:* {items}")).untagged;
    let fetched = fetched
        .iter()
        .filter(|response| response.text.contains(" FETCH (UID "));
    mailbox
        .messages
        .extend(fetched.map(|response| message(&response.text, &response.literals)));
    let unseen = mailbox
        .messages
        .iter()
        .filter(|message| !message.flags.contains("\\Seen"));
    mailbox.unseen = u32::try_from(unseen.count()).unwrap();
    mailbox
}

fn message(text: &str, literals: &[Vec<u8>]) -> Message {
    let flags = text.split_once("FLAGS ").unwrap().1;
    let (flags, keywords): (BTreeSet<_>, BTreeSet<_>) = inner(flags)
        .split(' ')
        .filter(|flag| !flag.is_empty() && *flag != "\\Recent")
        .map(str::to_owned)
        .partition(|flag| flag.starts_with('\\'));
    let date = text
        .split_once("INTERNALDATE \"")
        .unwrap()
        .1
        .split('"')
        .next()
        .unwrap();
    let guid = text
        .split_once("X-GUID ")
        .unwrap()
        .1
        .split([' ', ')'])
        .next()
        .unwrap();
    Message {
        uid: u32::try_from(number_after(text, "(UID ")).unwrap(),
        flags,
        keywords,
        internal_date: seconds(date),
        size: number_after(text, "RFC822.SIZE "),
        guid: guid.trim_matches('"').to_owned(),
        sha256: sha256(literals.last().map_or(&[], Vec::as_slice)),
        modseq: Some(number_after(text, "MODSEQ (")),
    }
}

/// Attributes and name of a LIST or LSUB response.
fn list_line(text: &str, literals: &[Vec<u8>]) -> (BTreeSet<String>, String) {
    let attributes = inner(text)
        .split(' ')
        .filter(|attribute| !attribute.is_empty());
    let attributes = attributes.map(str::to_owned).collect();
    let name = match literals.first() {
        Some(literal) => String::from_utf8(literal.clone()).unwrap(),
        None => {
            let after = text
                .split_once(") \"")
                .unwrap()
                .1
                .split_once("\" ")
                .unwrap()
                .1;
            after
                .trim_matches('"')
                .replace("\\\\", "\\")
                .replace("\\\"", "\"")
        }
    };
    (attributes, name)
}

/// What stands in the first parentheses.
fn inner(text: &str) -> &str {
    text.split_once('(').unwrap().1.split_once(')').unwrap().0
}

fn number_after(text: &str, before: &str) -> u64 {
    let after = text
        .split_once(before)
        .unwrap_or_else(|| panic!("{before} in {text}"))
        .1;
    let digits = after.split(|c: char| !c.is_ascii_digit()).next().unwrap();
    digits.parse().unwrap()
}
