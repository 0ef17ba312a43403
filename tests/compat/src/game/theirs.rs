//! Dovecot as a player.

use testkit::{Dovecot, Imap};

use super::{Dice, Names, Op, Side, Tier};
use crate::picture::Mailbox;
use crate::theirs;

/// An IMAP session, which is replaced now and then.
pub struct Theirs<'d> {
    dovecot: &'d Dovecot,
    user: String,
    imap: Imap,
}

impl<'d> Theirs<'d> {
    #[must_use]
    pub fn new(dovecot: &'d Dovecot, user: &str) -> Self {
        Self {
            dovecot,
            user: user.to_owned(),
            imap: theirs::login(dovecot, user),
        }
    }

    /// Another session, or not.
    pub fn start_over(&mut self, dice: &mut Dice) {
        if dice.roll(10) == 0 {
            self.log_in_again();
        }
    }

    /// Another session: one looks for other people's mailboxes only once.
    pub fn log_in_again(&mut self) {
        self.imap = theirs::login(self.dovecot, &self.user);
    }

    /// The session itself.
    pub fn imap(&mut self) -> &mut Imap {
        &mut self.imap
    }

    /// Leaves the mailbox: it is about to be deleted, renamed or repaired.
    pub fn unselect(&mut self) {
        self.imap.ok("EXAMINE INBOX");
        self.imap.ok("UNSELECT");
    }

    /// `doveadm COMMAND -u USER ARGUMENTS`
    pub fn doveadm(&self, command: &str, arguments: &str) -> String {
        let user = &self.user;
        self.dovecot
            .run(&format!("doveadm {command} -u {user} {arguments}"))
    }

    fn append(&mut self, to: &str, (text, flags, seconds): (&str, &[&str], i64)) {
        let date = jiff::Timestamp::from_second(seconds).unwrap();
        let date = date.strftime("%d-%b-%Y %H:%M:%S +0000");
        let options = format!("({}) \"{date}\" ", flags.join(" "));
        let appended = self.imap.append(&quoted(to), &options, text.as_bytes());
        assert!(appended.is_ok(), "{appended:?}");
    }

    fn in_mailbox(&mut self, at: &str, command: &str) {
        self.imap.ok(&format!("SELECT {}", quoted(at)));
        self.imap.ok(command);
    }
}

impl Side for Theirs<'_> {
    fn perform(&mut self, op: &Op) {
        match op {
            Op::Append {
                to,
                text,
                flags,
                seconds,
            } => self.append(to, (text, flags, *seconds)),
            Op::Store {
                at,
                uids,
                how,
                flags,
            } => {
                let (uids, how, flags) = (list(uids), how.trim(), flags.join(" "));
                self.in_mailbox(at, &format!("UID STORE {uids} {how}FLAGS ({flags})"));
            }
            Op::Copy { at, uids, to } => {
                self.in_mailbox(at, &format!("UID COPY {} {}", list(uids), quoted(to)));
            }
            Op::Move { at, uids, to } => {
                self.in_mailbox(at, &format!("UID MOVE {} {}", list(uids), quoted(to)));
            }
            Op::Expunge { at } => self.in_mailbox(at, "EXPUNGE"),
            Op::Purge => {
                self.doveadm("purge", "");
            }
            Op::AltMove { at, uids, tier } => {
                let back = match tier {
                    Tier::Primary => "-r",
                    Tier::Alt => "",
                };
                let uids = list(uids);
                self.doveadm("altmove", &format!("{back} mailbox '{at}' uid {uids}"));
            }
            Op::Create(one) => {
                self.imap.command(&format!("CREATE {}", quoted(one)));
            }
            Op::Delete(one) => {
                self.unselect();
                self.imap.command(&format!("DELETE {}", quoted(one)));
            }
            Op::Rename(one, other) => {
                self.unselect();
                let (one, other) = (quoted(one), quoted(other));
                self.imap.command(&format!("RENAME {one} {other}"));
            }
            Op::Subscribe(one) => {
                self.imap.ok(&format!("SUBSCRIBE {}", quoted(one)));
            }
            Op::Unsubscribe(one) => {
                self.imap.ok(&format!("UNSUBSCRIBE {}", quoted(one)));
            }
        }
    }

    fn picture(&mut self, mailbox: &str) -> Mailbox {
        theirs::mailbox(&mut self.imap, mailbox)
    }

    fn names(&mut self) -> Names {
        let (list, subscribed) = theirs::names(&mut self.imap);
        Names::new(list, subscribed)
    }
}

/// A mailbox name as IMAP has it.
fn quoted(mailbox: &str) -> String {
    format!("\"{}\"", storage::mutf7::encode(mailbox))
}

fn list(uids: &[u32]) -> String {
    let uids: Vec<String> = uids.iter().map(ToString::to_string).collect();
    uids.join(",")
}
