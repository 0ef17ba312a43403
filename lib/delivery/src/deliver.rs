//! Carries out what was planned for a message.

use mailbox::{Error, MailStore, MailboxName, NewMail};

use crate::report::{Attempt, Report};
use crate::{Action, Message, Plan, Settings};

/// Does what `plan` says. If that leaves no copy, INBOX gets one: mail that a server took is not lost
/// because a mailbox has a strange name or a script fails.
pub fn deliver(
    store: &mut dyn MailStore,
    message: &Message,
    plan: &Plan,
    settings: &Settings,
) -> Report {
    let mut delivery = Delivery {
        store,
        message,
        settings,
        report: Report::default(),
    };
    for action in &plan.actions {
        delivery.perform(action);
    }
    if delivery.report.result().is_err() && !delivery.tried_inbox() {
        delivery.last_resort();
    }
    delivery.report
}

struct Delivery<'a> {
    store: &'a mut dyn MailStore,
    message: &'a Message,
    settings: &'a Settings,
    report: Report,
}

impl Delivery<'_> {
    fn perform(&mut self, action: &Action) {
        match action {
            Action::Save {
                mailbox,
                flags,
                keywords,
            } => {
                let mail = NewMail {
                    flags: *flags,
                    keywords: keywords.clone(),
                    ..self.new_mail()
                };
                self.attempt(mailbox, &mail);
            }
        }
    }

    fn last_resort(&mut self) {
        if let Ok(inbox) = MailboxName::new(MailboxName::INBOX) {
            self.attempt(&inbox, &self.new_mail());
        }
    }

    fn new_mail(&self) -> NewMail {
        NewMail {
            envelope_sender: self.message.sender().map(str::to_owned),
            ..NewMail::default()
        }
    }

    fn tried_inbox(&self) -> bool {
        self.report
            .attempts
            .iter()
            .any(|attempt| attempt.mailbox.is_inbox())
    }

    fn attempt(&mut self, mailbox: &MailboxName, mail: &NewMail) {
        let mut result = self.save(mailbox, mail);
        if matches!(result, Err(Error::NotFound { .. })) && self.may_create(mailbox) {
            result = self.create(mailbox).and_then(|()| self.save(mailbox, mail));
        }
        self.report.attempts.push(Attempt {
            mailbox: mailbox.clone(),
            result,
        });
    }

    fn save(&mut self, mailbox: &MailboxName, mail: &NewMail) -> Result<(), Error> {
        let mut save = self.store.begin_save(mailbox)?;
        save.save(mail, &mut self.message.reader())?;
        save.commit().map(|_| ())
    }

    /// Everybody has an INBOX, whether it was used before or not.
    fn may_create(&self, mailbox: &MailboxName) -> bool {
        mailbox.is_inbox() || self.settings.lda_mailbox_autocreate
    }

    fn create(&mut self, mailbox: &MailboxName) -> Result<(), Error> {
        match self.store.create(mailbox) {
            // Somebody else was faster.
            Err(Error::Exists { .. }) => return Ok(()),
            done => done?,
        }
        if self.settings.lda_mailbox_autosubscribe
            && !mailbox.is_inbox()
            && let Err(error) = self.store.subscribe(mailbox)
        {
            self.report
                .warnings
                .push(format!("Couldn't subscribe to {mailbox}: {error}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use mailbox::Flags;

    use super::*;
    use crate::message::tests::message;
    use crate::testing::Store;

    const WORK: &str = "work";

    fn plan(names: &[&str]) -> Plan {
        let save = |name: &&str| Action::Save {
            mailbox: MailboxName::new(name).unwrap(),
            flags: Flags::empty(),
            keywords: Vec::new(),
        };
        Plan {
            actions: names.iter().map(save).collect(),
        }
    }

    fn run(store: &mut Store, names: &[&str], settings: &Settings) -> Report {
        deliver(
            store,
            &message("A: b\r\n", b"\r\nx\r\n"),
            &plan(names),
            settings,
        )
    }

    #[test]
    fn inbox_without_a_plan() {
        let mut store = Store::with(&["INBOX"]);
        assert_eq!(run(&mut store, &[], &Settings::default()).result(), Ok(()));
        assert_eq!(store.mails("INBOX"), [b"A: b\r\n\r\nx\r\n"]);
    }

    #[test]
    fn who_sent_it_is_kept() {
        for names in [&[][..], &["INBOX"]] {
            let mut store = Store::with(&["INBOX"]);
            let message = message("", b"\r\nx\r\n").sent_by("a@b");
            deliver(&mut store, &message, &plan(names), &Settings::default());
            assert_eq!(store.senders, [Some("a@b".to_owned())]);
        }
    }

    #[test]
    fn inbox_is_made_when_it_is_missing() {
        let mut store = Store::with(&[]);
        assert_eq!(run(&mut store, &[], &Settings::default()).result(), Ok(()));
        assert_eq!(store.mails("INBOX").len(), 1);
    }

    #[test]
    fn a_missing_mailbox_means_inbox() {
        let mut store = Store::with(&["INBOX"]);
        let report = run(&mut store, &[WORK], &Settings::default());
        assert_eq!(report.result(), Ok(()));
        assert!(matches!(
            report.attempts[0].result,
            Err(Error::NotFound { .. })
        ));
        assert_eq!(store.mails("INBOX").len(), 1);
    }

    #[test]
    fn a_missing_mailbox_is_made_if_wanted() {
        let mut store = Store::with(&["INBOX"]);
        let create = Settings {
            lda_mailbox_autocreate: true,
            ..Settings::default()
        };
        run(&mut store, &[WORK], &create);
        assert_eq!(
            (store.mails(WORK).len(), store.mails("INBOX").len()),
            (1, 0)
        );
        assert_eq!(store.subscribed, Vec::<String>::new());

        let mut store = Store::with(&["INBOX"]);
        run(
            &mut store,
            &[WORK],
            &Settings {
                lda_mailbox_autosubscribe: true,
                ..create
            },
        );
        assert_eq!(store.subscribed, [WORK]);
    }

    #[test]
    fn one_copy_is_enough() {
        let mut store = Store::with(&["INBOX", WORK]);
        let report = run(&mut store, &[WORK, "missing"], &Settings::default());
        assert_eq!(report.result(), Ok(()));
        assert_eq!(
            (store.mails(WORK).len(), store.mails("INBOX").len()),
            (1, 0)
        );
    }

    #[test]
    fn a_full_disk_is_told_and_leaves_nothing() {
        let mut store = Store::with(&["INBOX", WORK]);
        store.full = true;
        let report = run(&mut store, &[WORK], &Settings::default());
        assert_eq!(report.result(), Err(crate::Failure::DiskFull));
        assert_eq!(report.attempts.len(), 2);
        assert_eq!(
            (store.mails(WORK).len(), store.mails("INBOX").len()),
            (0, 0)
        );
    }

    #[test]
    fn inbox_is_not_tried_twice() {
        let mut store = Store::with(&["INBOX"]);
        store.full = true;
        assert_eq!(
            run(&mut store, &["INBOX"], &Settings::default())
                .attempts
                .len(),
            1
        );
    }
}
