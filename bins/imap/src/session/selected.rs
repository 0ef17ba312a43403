//! The selected mailbox, and what the client has been told of it. RFC 3501 §5.2, §7.

use imap_proto::{SequenceSet, Span, SyntaxError, write};
use mailbox::{Access, Change, Expunges, FlagChange, FlagState, Flags, Mailbox, Seq, UidSet};

use super::expected::Expected;
use super::{Client, EndReason, Failure};

/// What numbers in a command mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Sequence numbers.
    Seq,
    /// UIDs: a `UID` command.
    Uid,
}

/// The selected mailbox.
pub struct Selected {
    /// The session's view of it.
    pub mailbox: Box<dyn Mailbox>,
    /// Keywords that FLAGS has announced.
    told_keywords: usize,
    /// The last RECENT.
    told_recent: u32,
    /// What need not be told when the next sync finds it.
    expected: Option<Expected>,
}

/// Did a sync remove mails from the view?
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Synced {
    /// So many.
    pub expunged: u64,
}

impl Selected {
    /// A mailbox that nothing has been said about yet.
    pub fn new(mailbox: Box<dyn Mailbox>) -> Self {
        Self {
            mailbox,
            told_keywords: 0,
            told_recent: 0,
            expected: None,
        }
    }

    /// One that was opened again: the client knows `keywords` of its keywords, and of so many recent mails.
    pub fn again(mailbox: Box<dyn Mailbox>, keywords: usize, recent: u32) -> Self {
        Self {
            mailbox,
            told_keywords: keywords,
            told_recent: recent,
            expected: None,
        }
    }

    /// The last RECENT.
    pub fn told_recent(&self) -> u32 {
        self.told_recent
    }

    /// May the session change it?
    pub fn is_writable(&self) -> bool {
        self.mailbox.access() == Access::ReadWrite
    }

    /// FLAGS and PERMANENTFLAGS. RFC 3501 §7.1, §7.2.6.
    pub fn tell_flags(&mut self, client: &mut Client<'_>) -> Result<(), EndReason> {
        let keywords = self.mailbox.keywords();
        let names: Vec<&str> = system_flags()
            .chain(keywords.iter().map(mailbox::Keyword::as_str))
            .collect();
        self.told_keywords = keywords.len();
        let permanent = match (self.is_writable(), self.mailbox.accepts_new_keywords()) {
            (false, _) => Vec::new(),
            (true, false) => names.clone(),
            (true, true) => [names.as_slice(), &["\\*"]].concat(),
        };
        let text = if self.is_writable() {
            "Flags permitted."
        } else {
            "Read-only mailbox."
        };
        client.write_with(|out| {
            out.extend_from_slice(b"* FLAGS ");
            write::flags(out, names);
            out.extend_from_slice(b"\r\n* OK [PERMANENTFLAGS ");
            write::flags(out, permanent);
            out.extend_from_slice(b"] ");
            out.extend_from_slice(text.as_bytes());
            out.extend_from_slice(b"\r\n");
        })
    }

    /// EXISTS and RECENT. RFC 3501 §7.3.
    pub fn tell_size(&mut self, client: &mut Client<'_>) -> Result<(), EndReason> {
        let status = self.mailbox.status();
        self.told_recent = status.recent;
        client.line(&format!(
            "* {} EXISTS\r\n* {} RECENT",
            self.mailbox.len(),
            status.recent
        ))
    }

    /// The client knows what this change will make of these mails: the next sync need not tell it. Before it is stored.
    pub fn expect(&mut self, seqs: &[Span], change: FlagChange) {
        self.expected = Some(Expected::new(&*self.mailbox, seqs, change));
    }

    /// Brings the view up to date and tells what changed, with UIDs where the command was a `UID` one.
    pub fn sync(
        &mut self,
        client: &mut Client<'_>,
        expunges: Expunges,
        by: By,
    ) -> Result<Synced, Failure> {
        let changes = match self.mailbox.sync(expunges) {
            Ok(changes) => changes,
            Err(mailbox::Error::NotFound { .. }) => return Err(EndReason::MailboxDeleted.into()),
            Err(error) => return Err(error.into()),
        };
        Ok(self.tell(client, &changes, by)?)
    }

    /// Tells what changed in the view, which is as it is after all of it.
    pub fn tell(
        &mut self,
        client: &mut Client<'_>,
        changes: &[Change],
        by: By,
    ) -> Result<Synced, EndReason> {
        let expected = self.expected.take();
        let mut synced = Synced::default();
        let grown = changes
            .iter()
            .any(|change| matches!(change, Change::Grown { .. }));
        if self.mailbox.keywords().len() > self.told_keywords {
            self.tell_flags(client)?;
        }
        self.tell_expunges(client, changes, &mut synced)?;
        self.tell_changed_flags(client, changes, expected.as_ref(), by)?;
        if grown {
            self.tell_size(client)?;
        } else if self.mailbox.status().recent != self.told_recent {
            self.told_recent = self.mailbox.status().recent;
            client.line(&format!("* {} RECENT", self.told_recent))?;
        }
        Ok(synced)
    }

    /// The mails of a set, as ascending spans of sequence numbers in the view.
    pub fn resolve(&self, set: &SequenceSet, by: By) -> Result<Vec<Span>, Failure> {
        let mails = self.mailbox.len();
        if by == By::Uid {
            return Ok(search::seqs_of_uids(&*self.mailbox, set));
        }
        match set.is_valid_for(mails) {
            true => Ok(set.resolve(mails)),
            false => Err(SyntaxError::new("Invalid messageset.").into()),
        }
    }

    /// The UIDs of mails in the view.
    pub fn uids(&self, seqs: &[Span]) -> UidSet {
        let uid = |seq| Seq::new(seq).and_then(|seq| self.mailbox.uid(seq));
        UidSet::from_ranges(
            seqs.iter()
                .filter_map(|span| Some((uid(span.first)?, uid(span.last)?))),
        )
    }

    /// Appends the flags of a mail, `(\Seen keyword)`.
    pub fn write_flags(&self, out: &mut Vec<u8>, state: &FlagState) {
        let system = Flags::NAMES
            .iter()
            .filter(|(flag, _)| state.flags.contains(*flag))
            .map(|(_, name)| *name);
        let keywords = state
            .keywords
            .iter()
            .filter_map(|index| self.mailbox.keywords().get(index));
        write::flags(out, system.chain(keywords.map(mailbox::Keyword::as_str)));
    }

    fn tell_expunges(
        &self,
        client: &mut Client<'_>,
        changes: &[Change],
        synced: &mut Synced,
    ) -> Result<(), EndReason> {
        for change in changes {
            if let Change::Expunged { seq, .. } = change {
                client.line(&format!("* {seq} EXPUNGE"))?;
                synced.expunged += 1;
            }
        }
        Ok(())
    }

    /// Their numbers are those after all changes: they are told behind the expunges.
    fn tell_changed_flags(
        &self,
        client: &mut Client<'_>,
        changes: &[Change],
        expected: Option<&Expected>,
        by: By,
    ) -> Result<(), EndReason> {
        for seq in flag_changes(changes) {
            let (Some(uid), Some(state)) = (self.mailbox.uid(seq), self.mailbox.flags(seq)) else {
                continue;
            };
            if expected.is_some_and(|expected| expected.is(uid, &state, self.mailbox.keywords())) {
                continue;
            }
            client.write_with(|out| {
                out.extend_from_slice(format!("* {seq} FETCH (").as_bytes());
                if by == By::Uid {
                    out.extend_from_slice(format!("UID {uid} ").as_bytes());
                }
                out.extend_from_slice(b"FLAGS ");
                self.write_flags(out, &state);
                out.extend_from_slice(b")\r\n");
            })?;
        }
        Ok(())
    }
}

/// The five that clients may set, by name.
fn system_flags<'a>() -> impl Iterator<Item = &'a str> {
    let changeable = |(flag, _): &&(Flags, &'static str)| Flags::CHANGEABLE.contains(*flag);
    Flags::NAMES
        .iter()
        .filter(changeable)
        .map(|(_, name)| *name)
}

/// Where the mails with new flags stand when all changes are done, ascending and once each.
fn flag_changes(changes: &[Change]) -> Vec<Seq> {
    let mut seqs: Vec<u32> = Vec::new();
    for change in changes {
        match change {
            Change::Flags { seq } => seqs.push(seq.get()),
            Change::Expunged { seq, .. } => {
                seqs.retain(|changed| *changed != seq.get());
                for changed in &mut seqs {
                    *changed -= u32::from(*changed > seq.get());
                }
            }
            Change::Grown { .. } => {}
        }
    }
    seqs.sort_unstable();
    seqs.dedup();
    seqs.into_iter().filter_map(Seq::new).collect()
}
