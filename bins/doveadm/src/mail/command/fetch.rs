//! `fetch`: what mails are, and what is in them.

mod field;
mod header;
mod preview;
mod reader;
mod utf8;

use mailbox::{Access, Error, Flags, Mail, MailDate, Mailbox, Seq, Uid};

use self::field::{Fact, Field};
use self::reader::{Reader, Trouble};
use crate::cli::mail;
use crate::failure::{EX_TEMPFAIL, Failure};
use crate::mail::action::Action;
use crate::mail::query::Query;
use crate::mail::session::{Found, Session, Stop};
use crate::output::{Column, Formatter};

pub struct Fetch {
    query: Query,
    fields: Vec<Field>,
    names: Vec<String>,
}

impl Fetch {
    pub fn new(args: &mail::Fetch) -> Result<Self, Failure> {
        let names: Vec<String> = args
            .fields
            .split_whitespace()
            .map(str::to_ascii_lowercase)
            .collect();
        Ok(Self {
            fields: names
                .iter()
                .map(|name| Field::parse(name))
                .collect::<Result<_, _>>()?,
            query: Query::parse(&args.query)?,
            names,
        })
    }

    fn wants(&self, fact: Fact) -> bool {
        self.fields.contains(&Field::Fact(fact))
    }
}

/// What the store knows of a mail without its bytes.
struct Facts {
    mailbox: String,
    mailbox_guid: String,
    seq: Seq,
    uid: Uid,
    flags: String,
    modseq: String,
    size: u64,
    received: Option<MailDate>,
    saved: Option<MailDate>,
    guid: String,
    backend: Backend,
}

/// What only some formats know.
#[derive(Default)]
struct Backend {
    pop3_uidl: String,
    pop3_order: String,
    refcount: String,
    storage_id: String,
}

impl Fetch {
    fn mail(
        &self,
        session: &mut Session<'_>,
        found: &mut Found,
        seq: Seq,
        uid: Uid,
        guid: &str,
    ) -> Result<(), Stop> {
        let Found { name, view, .. } = found;
        let mut facts = Facts {
            mailbox: name.to_string(),
            mailbox_guid: guid.to_owned(),
            seq,
            uid,
            flags: flags(&**view, seq),
            modseq: view
                .modseq(seq)
                .map_or_else(|| "1".to_owned(), |modseq| modseq.to_string()),
            size: 0,
            received: None,
            saved: None,
            guid: String::new(),
            backend: Backend::default(),
        };
        let opened = view.mail(seq).and_then(|mut mail| {
            self.learn(&mut facts, &mut *mail)?;
            Ok(mail)
        });
        let mut mail = match opened {
            Ok(mail) => mail,
            Err(Error::Expunged) => return Ok(()),
            Err(error) => {
                let what = format!("fetch failed for box={} uid={uid}", facts.mailbox);
                session.fail(&what, &error);
                return Ok(());
            }
        };
        let mut reader = Reader::new(&mut *mail);
        for (field, name) in self.fields.iter().zip(&self.names) {
            let trouble = match field.print(session, &facts, &mut reader) {
                Ok(()) => continue,
                Err(Trouble::Output(stop)) => return Err(stop),
                Err(trouble) => trouble,
            };
            let what = format!("fetch({name}) failed for box={} uid={uid}", facts.mailbox);
            match trouble {
                Trouble::Store(error) => session.fail(&what, &error),
                Trouble::Read(error) | Trouble::Output(error) => {
                    session.complain(&format!("{what}: {error}"));
                    session.fail_with(EX_TEMPFAIL);
                }
            }
            // The row stays a row.
            session.rows.value(b"")?;
        }
        Ok(())
    }

    fn learn(&self, facts: &mut Facts, mail: &mut dyn Mail) -> Result<(), Error> {
        if self.wants(Fact::SizeVirtual) {
            facts.size = mail.size()?;
        }
        if self.wants(Fact::Received) || self.wants(Fact::ReceivedUnix) {
            facts.received = Some(mail.internal_date()?);
        }
        if self.wants(Fact::Saved) || self.wants(Fact::SavedUnix) {
            facts.saved = mail.save_date()?;
        }
        if self.wants(Fact::Guid) {
            facts.guid = mail.guid()?;
        }
        if self.fields.iter().any(Field::asks_backend) {
            let backend = mail.backend()?;
            facts.backend = Backend {
                pop3_uidl: backend.pop3_uidl.unwrap_or_default(),
                pop3_order: backend
                    .pop3_order
                    .map_or_else(String::new, |order| order.to_string()),
                refcount: backend
                    .refcount
                    .map_or_else(String::new, |count| count.to_string()),
                storage_id: backend.storage_id.unwrap_or_default(),
            };
        }
        Ok(())
    }
}

/// `\Seen keyword`
fn flags(view: &dyn Mailbox, seq: Seq) -> String {
    let state = view.flags(seq).unwrap_or_default();
    let flags = Flags::NAMES
        .iter()
        .filter(|(flag, _)| state.flags.contains(*flag))
        .map(|(_, name)| *name);
    let known = view.keywords();
    let keywords = state
        .keywords
        .iter()
        .filter_map(|number| known.get(number).map(mailbox::Keyword::as_str));
    flags.chain(keywords).collect::<Vec<_>>().join(" ")
}

impl Action for Fetch {
    fn prints(&self) -> Option<(Formatter, Vec<Column>)> {
        let columns = self.names.iter().map(|name| Column::named(name)).collect();
        Some((Formatter::Pager, columns))
    }

    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        for name in session.scope(&self.query) {
            let Some(mut found) = session.find(&name, &self.query, Access::ReadOnly) else {
                continue;
            };
            let guid = match self.wants(Fact::MailboxGuid) {
                true => session.guid(&name).unwrap_or_default(),
                false => String::new(),
            };
            let mails = std::mem::take(&mut found.mails);
            session.progress.begin("fetching", mails.len() as u64);
            for (seq, uid) in mails {
                session.progress.step();
                self.mail(session, &mut found, seq, uid, &guid)?;
            }
            session.progress.end();
        }
        Ok(())
    }
}
