//! `mailbox status`: numbers of mailboxes, or their sums.

use mailbox::{Access, Error, MailStore, MailboxName, Seq, Status as Numbers};

use crate::cli::mail::MailboxStatus;
use crate::failure::Failure;
use crate::mail::action::Action;
use crate::mail::session::{Session, Stop};
use crate::output::{Column, Formatter};

/// A number, in the order in which they are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    HighestModseq,
    Vsize,
    Guid,
    FirstSaved,
}

/// All, with their names.
const FIELDS: [(&str, Field); 9] = [
    ("messages", Field::Messages),
    ("recent", Field::Recent),
    ("uidnext", Field::UidNext),
    ("uidvalidity", Field::UidValidity),
    ("unseen", Field::Unseen),
    ("highestmodseq", Field::HighestModseq),
    ("vsize", Field::Vsize),
    ("guid", Field::Guid),
    ("firstsaved", Field::FirstSaved),
];

pub struct Status {
    masks: Vec<String>,
    fields: Vec<(&'static str, Field)>,
    total: bool,
}

impl Status {
    pub fn new(args: &MailboxStatus) -> Result<Self, Failure> {
        let wanted: Vec<&str> = args.fields.split_whitespace().collect();
        if wanted.is_empty() {
            return Err(Failure::Refused("No status fields".to_owned()));
        }
        for name in wanted.iter().filter(|name| **name != "all") {
            let known = FIELDS.iter().find(|(known, _)| known == name);
            let Some((_, field)) = known else {
                return Err(Failure::Refused(format!("Unknown status field: {name}")));
            };
            if args.total && !can_be_added(*field) {
                return Err(Failure::Refused(format!(
                    "Status field {name} can't be used with -t"
                )));
            }
        }
        let is_wanted = |(name, field): &(&'static str, Field)| {
            wanted.contains(name)
                || wanted.contains(&"all") && (!args.total || can_be_added(*field))
        };
        Ok(Self {
            masks: args.masks.clone(),
            fields: FIELDS.into_iter().filter(is_wanted).collect(),
            total: args.total,
        })
    }

    fn wants(&self, field: Field) -> bool {
        self.fields.iter().any(|(_, wanted)| *wanted == field)
    }

    /// Everything that is asked for of one mailbox.
    fn look(&self, session: &mut Session<'_>, name: &MailboxName) -> Result<Facts, Error> {
        let numbers = session.storage.status(name)?;
        let mut facts = Facts {
            vsize: 0,
            guid: String::new(),
            first_saved: None,
            numbers,
        };
        if self.wants(Field::Guid) {
            facts.guid = session.storage.guid(name)?.to_string();
        }
        if self.wants(Field::Vsize) || self.wants(Field::FirstSaved) {
            self.read(session, name, &mut facts)?;
        }
        Ok(facts)
    }

    /// What the mails themselves tell.
    fn read(
        &self,
        session: &mut Session<'_>,
        name: &MailboxName,
        facts: &mut Facts,
    ) -> Result<(), Error> {
        let mut view = session.storage.open(name, Access::ReadOnly)?;
        let last = if self.wants(Field::Vsize) {
            view.len()
        } else {
            view.len().min(1)
        };
        session.progress.begin("sizes", u64::from(last));
        for seq in (1..=last).filter_map(Seq::new) {
            session.progress.step();
            let mut mail = match view.mail(seq) {
                Ok(mail) => mail,
                Err(Error::Expunged) => continue,
                Err(error) => return Err(error),
            };
            if self.wants(Field::Vsize) {
                facts.vsize += mail.size()?;
            }
            if seq == Seq::MIN && self.wants(Field::FirstSaved) {
                facts.first_saved = mail.save_date()?.map(|date| date.seconds);
            }
        }
        session.progress.end();
        Ok(())
    }

    fn print(&self, session: &mut Session<'_>, facts: &Facts) -> Result<(), Stop> {
        for (_, field) in &self.fields {
            session.rows.value(facts.value(*field).as_bytes())?;
        }
        Ok(())
    }
}

fn can_be_added(field: Field) -> bool {
    matches!(
        field,
        Field::Messages | Field::Recent | Field::Unseen | Field::Vsize
    )
}

/// What is known of a mailbox.
struct Facts {
    numbers: Numbers,
    vsize: u64,
    guid: String,
    first_saved: Option<i64>,
}

impl Facts {
    fn value(&self, field: Field) -> String {
        let numbers = &self.numbers;
        match field {
            Field::Messages => numbers.messages.to_string(),
            Field::Recent => numbers.recent.to_string(),
            Field::UidNext => numbers.uid_next.to_string(),
            Field::UidValidity => numbers.uid_validity.to_string(),
            Field::Unseen => numbers.unseen.to_string(),
            // Where none are kept, all mails have the same.
            Field::HighestModseq => numbers
                .highest_modseq
                .map_or_else(|| "1".to_owned(), |modseq| modseq.to_string()),
            Field::Vsize => self.vsize.to_string(),
            Field::Guid => self.guid.clone(),
            Field::FirstSaved => self
                .first_saved
                .map_or_else(|| "never".to_owned(), |time| time.to_string()),
        }
    }

    fn add(&mut self, other: &Self) {
        let (sum, numbers) = (&mut self.numbers, &other.numbers);
        sum.messages = sum.messages.saturating_add(numbers.messages);
        sum.recent = sum.recent.saturating_add(numbers.recent);
        sum.unseen = sum.unseen.saturating_add(numbers.unseen);
        self.vsize = self.vsize.saturating_add(other.vsize);
    }

    fn nothing() -> Self {
        Self {
            numbers: Numbers {
                messages: 0,
                recent: 0,
                unseen: 0,
                uid_next: mailbox::Uid::MIN,
                uid_validity: mailbox::UidValidity::MIN,
                highest_modseq: None,
            },
            vsize: 0,
            guid: String::new(),
            first_saved: None,
        }
    }
}

impl Action for Status {
    fn prints(&self) -> Option<(Formatter, Vec<Column>)> {
        let name = (!self.total).then(|| Column::untitled("mailbox", "mailbox"));
        let fields = self.fields.iter().map(|(name, _)| Column::named(name));
        Some((Formatter::Flow, name.into_iter().chain(fields).collect()))
    }

    fn run(&self, session: &mut Session<'_>) -> Result<(), Stop> {
        let mut sum = Facts::nothing();
        for name in session.selectable(&self.masks) {
            match self.look(session, &name) {
                Ok(facts) if self.total => sum.add(&facts),
                Ok(facts) => {
                    session.rows.value(name.as_str().as_bytes())?;
                    self.print(session, &facts)?;
                }
                Err(error) => {
                    let what = format!("Mailbox {name}: Failed to lookup mailbox status");
                    session.fail(&what, &error);
                }
            }
        }
        match self.total {
            true => self.print(session, &sum),
            false => Ok(()),
        }
    }
}
