//! The worker: becomes the mail user, then saves messages into the user's mailboxes.
//!
//! Rights: the mail user's ids and directories, no capability.
//! State:  none. A message that was not acknowledged is still with its sender.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use broker::worker::{self, Bounds, Outcome, Prepare, Serve, Work};
use config::{Facts, Snapshot, expand};
use delivery::{Message, Plan, Report};
use ipc::deliver::{Delivery, Failure};
use ipc::worker::Identity;
use mailbox::{MailStore, MailboxName, NamespaceInfo};
use serde::Deserialize;
use service::journal::{Clean, id};
use storage::{MailUser, Shared, Storage};

/// What the service is called in settings and log lines.
const SERVICE: &str = "lmtp";

/// Runs a worker to its end.
pub fn run() -> ExitCode {
    worker::run("deliver", || {
        let snapshot = Snapshot::load("deliver").map_err(|error| error.to_string())?;
        let bounds = Bounds {
            address_space: snapshot.limits().vsz_limit,
        };
        Ok((Preparation { snapshot }, bounds))
    })
}

/// What a worker reads of the configuration.
struct Settings {
    log: LogSettings,
    delivery: delivery::Settings,
    storage: storage::Settings,
}

#[derive(Deserialize)]
struct LogSettings {
    /// Before every log line of a delivery.
    mail_log_prefix: String,
}

impl Settings {
    fn of(snapshot: &Snapshot, identity: &Identity) -> Result<Self, String> {
        let facts = Facts::of_protocol(SERVICE);
        let told = |error: config::Error| error.to_string();
        let overrides = broker::overrides(snapshot, identity).map_err(told)?;
        Ok(Self {
            log: snapshot
                .settings_of_user(&facts, &overrides)
                .map_err(told)?,
            delivery: snapshot
                .settings_of_user(&facts, &overrides)
                .map_err(told)?,
            storage: snapshot
                .settings_of_user(&facts, &overrides)
                .map_err(told)?,
        })
    }
}

/// The configuration, and nobody to serve yet.
struct Preparation {
    snapshot: Snapshot,
}

impl Prepare for Preparation {
    type Server = User;

    fn directories(&self, identity: &Identity) -> Result<Vec<PathBuf>, String> {
        let settings = Settings::of(&self.snapshot, identity)?.storage;
        let shared = Shared::new(sys::fs::Fs::real());
        let storage = Storage::open(&shared, &mail_user(identity), &settings);
        let mail = storage.map_err(|error| error.to_string())?.directories();
        for directory in &mail {
            worker::make_directory(directory)?;
        }
        let home = identity.home.as_ref().map(PathBuf::from);
        Ok(home.into_iter().chain(mail).collect())
    }

    fn open(self, identity: Identity) -> Result<User, String> {
        let settings = Settings::of(&self.snapshot, &identity)?;
        Ok(User {
            settings,
            shared: Shared::new(sys::fs::Fs::real()),
            identity,
        })
    }
}

fn mail_user(identity: &Identity) -> MailUser {
    MailUser {
        name: identity.user.to_string(),
        home: identity.home.clone(),
        variables: vec![("service".to_owned(), SERVICE.to_owned())],
    }
}

/// One user's mail.
struct User {
    settings: Settings,
    shared: Arc<Shared>,
    identity: Identity,
}

impl Serve for User {
    fn serve(&self, work: Work) -> Outcome {
        let outcome = self.deliver(work);
        // No bytes mean the same as a failure.
        Outcome::Done(postcard::to_stdvec(&outcome).unwrap_or_default())
    }
}

impl User {
    fn deliver(&self, work: Work) -> Result<(), Failure> {
        let delivery: Delivery = postcard::from_bytes(&work.content).map_err(|error| {
            tracing::error!("deliver: Error: BUG: not a delivery: {error}");
            Failure::Unavailable
        })?;
        let outcome = self.save(&delivery, work.fds);
        outcome.unwrap_or_else(|reason| {
            self.log_failure(&delivery, &reason);
            Err(Failure::Unavailable)
        })
    }

    fn save(&self, delivery: &Delivery, fds: Vec<OwnedFd>) -> Result<Result<(), Failure>, String> {
        let file = fds
            .into_iter()
            .next()
            .ok_or("BUG: a delivery without a message")?;
        let message = Message::new(delivery.prepend.clone(), file)
            .map_err(|error| format!("the message: {error}"))?
            .sent_by(&delivery.sender);
        let storage = Storage::open(
            &self.shared,
            &mail_user(&self.identity),
            &self.settings.storage,
        );
        let mut storage = storage.map_err(|error| error.to_string())?;
        let inbox = inbox_namespace(&storage.namespaces());
        let plan = Plan::by_address(
            delivery.detail.as_deref(),
            inbox.as_ref(),
            &self.settings.delivery,
        );
        let report = delivery::deliver(&mut storage, &message, &plan, &self.settings.delivery);
        self.log(delivery, &message, &report);
        storage.autoexpunge();
        Ok(report.result().map_err(failure))
    }

    fn log(&self, delivery: &Delivery, message: &Message, report: &Report) {
        let prefix = self.prefix(delivery);
        let lines = report.log_lines(message, &delivery.sender, &self.settings.delivery);
        for (attempt, line) in report.attempts.iter().zip(lines) {
            let (user, session) = (self.identity.user.as_str(), delivery.session.as_str());
            let (mailbox, line) = (Clean(attempt.mailbox.as_str()), Clean(&line));
            match attempt.result {
                Ok(()) => tracing::info!(
                    message_id = id::DELIVERED,
                    culver_user = user,
                    culver_session = session,
                    culver_mailbox = %mailbox,
                    "{prefix}{line}"
                ),
                // Anybody may write to a mailbox that does not exist; INBOX has the mail, all is well.
                Err(_) if report.result().is_ok() => tracing::info!(
                    culver_user = user,
                    culver_session = session,
                    culver_mailbox = %mailbox,
                    "{prefix}{line}"
                ),
                Err(_) => tracing::error!(
                    message_id = id::DELIVERY_FAILED,
                    culver_user = user,
                    culver_session = session,
                    culver_mailbox = %mailbox,
                    "{prefix}Error: {line}"
                ),
            }
        }
        for warning in &report.warnings {
            tracing::warn!(
                culver_user = self.identity.user.as_str(),
                culver_session = delivery.session.as_str(),
                "{prefix}Warning: {}",
                Clean(warning)
            );
        }
    }

    fn log_failure(&self, delivery: &Delivery, reason: &str) {
        tracing::error!(
            message_id = id::DELIVERY_FAILED,
            culver_user = self.identity.user.as_str(),
            culver_session = delivery.session.as_str(),
            "{}Error: {}",
            self.prefix(delivery),
            Clean(reason)
        );
    }

    /// `mail_log_prefix`, `lmtp(user)<pid><session>: ` unless set otherwise.
    fn prefix(&self, delivery: &Delivery) -> String {
        let user = self.identity.user.as_str();
        let lookup = |name: &str| match name {
            "service" => Some(SERVICE.to_owned()),
            "session" => Some(delivery.session.to_string()),
            _ => expand::of_user(user, name),
        };
        let expanded = expand::expand(&self.settings.log.mail_log_prefix, &lookup);
        let prefix =
            expanded.unwrap_or_else(|_| format!("{SERVICE}({user})<{}>: ", delivery.session));
        Clean(&prefix).to_string()
    }
}

/// The namespace in which details are mailboxes: the one that INBOX belongs to.
fn inbox_namespace(all: &[NamespaceInfo]) -> Option<NamespaceInfo> {
    let has_inbox = |namespace: &&NamespaceInfo| {
        let first = namespace
            .prefix
            .split(namespace.separator)
            .next()
            .unwrap_or_default();
        first.is_empty() || first.eq_ignore_ascii_case(MailboxName::INBOX)
    };
    all.iter().find(has_inbox).or(all.first()).cloned()
}

fn failure(failure: delivery::Failure) -> Failure {
    match failure {
        delivery::Failure::DiskFull => Failure::DiskFull,
        delivery::Failure::OverQuota => Failure::OverQuota,
        delivery::Failure::Internal => Failure::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::Path;

    use broker::Stop;
    use ipc::{SessionId, Username};

    use super::*;

    fn user(home: &Path, more: &str) -> User {
        let text = format!("mail_location = maildir:~/Maildir\n{more}\n");
        let config = config::parse_text(Path::new("culver.conf"), &text);
        let snapshot = config.snapshot("deliver", &config::NoNames).unwrap();
        let identity = Identity {
            user: Username::try_from("demo".to_owned()).unwrap(),
            uid: 1000,
            gid: 1000,
            groups: Vec::new(),
            chroot: None,
            home: Some(home.to_str().unwrap().to_owned()),
            mail: None,
            fields: Vec::new(),
        };
        let preparation = Preparation { snapshot };
        assert_eq!(
            preparation.directories(&identity).unwrap(),
            [home.to_owned(), home.join("Maildir")]
        );
        preparation.open(identity).unwrap()
    }

    fn delivery(detail: Option<&str>) -> Delivery {
        Delivery {
            user: "demo".to_owned(),
            detail: detail.map(str::to_owned),
            sender: "a@b".to_owned(),
            recipient: "demo".to_owned(),
            session: SessionId::try_from("x".to_owned()).unwrap(),
            prepend: "Return-Path: <a@b>\r\n".to_owned(),
        }
    }

    fn work(content: Vec<u8>, message: Option<&[u8]>) -> Work {
        let fds = message.map(|message| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(message).unwrap();
            file.into()
        });
        let session = SessionId::try_from("x".to_owned()).unwrap();
        Work {
            session,
            content,
            fds: fds.into_iter().collect(),
            stop: Stop::new().unwrap(),
        }
    }

    fn serve(user: &User, detail: Option<&str>) -> Result<(), Failure> {
        let content = postcard::to_stdvec(&delivery(detail)).unwrap();
        let outcome = user.serve(work(content, Some(b"Subject: x\r\n\r\ny\r\n")));
        let Outcome::Done(told) = outcome else {
            panic!("{outcome:?}");
        };
        postcard::from_bytes(&told).unwrap()
    }

    fn mails(directory: &Path) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(directory.join("new")) else {
            return Vec::new();
        };
        entries
            .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
            .collect()
    }

    #[test]
    fn a_message_is_in_the_mailbox_when_it_is_acknowledged() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(serve(&user(home.path(), ""), Some("work")), Ok(()));
        assert_eq!(
            mails(&home.path().join("Maildir")),
            ["Return-Path: <a@b>\nSubject: x\n\ny\n"]
        );
    }

    #[test]
    fn a_detail_is_a_mailbox_or_nothing() {
        let home = tempfile::tempdir().unwrap();
        let user = user(
            home.path(),
            "lmtp_save_to_detail_mailbox = yes\nlda_mailbox_autocreate = yes",
        );
        for detail in ["work", "../../bob", "INBOX/../x", "", "/etc", "a\0b"] {
            assert_eq!(serve(&user, Some(detail)), Ok(()), "{detail:?}");
        }
        assert_eq!(mails(&home.path().join("Maildir/.work")).len(), 1);
        assert_eq!(mails(&home.path().join("Maildir")).len(), 5);
    }

    #[test]
    fn what_is_too_much_goes_behind_a_delivery() {
        let home = tempfile::tempdir().unwrap();
        let limit = "mailbox INBOX {\n autoexpunge_max_mails = 2\n }";
        let user = user(
            home.path(),
            &format!("namespace inbox {{\n inbox = yes\n {limit}\n}}"),
        );
        for _ in 0..4 {
            assert_eq!(serve(&user, None), Ok(()));
        }
        assert_eq!(mails(&home.path().join("Maildir")).len(), 2);
    }

    #[test]
    fn what_is_no_delivery_harms_nobody() {
        let home = tempfile::tempdir().unwrap();
        let user = user(home.path(), "");
        let good = postcard::to_stdvec(&delivery(None)).unwrap();
        for (content, message) in [
            (Vec::new(), Some(&b"x"[..])),
            (vec![0xff; 100], Some(b"x")),
            (good, None),
        ] {
            let outcome: Result<(), Failure> = match user.serve(work(content, message)) {
                Outcome::Done(told) => postcard::from_bytes(&told).unwrap(),
                other => panic!("{other:?}"),
            };
            assert_eq!(outcome, Err(Failure::Unavailable));
        }
        assert_eq!(mails(&home.path().join("Maildir")).len(), 0);
    }

    #[test]
    fn the_namespace_of_inbox() {
        let namespace = |prefix: &str| NamespaceInfo {
            prefix: prefix.to_owned(),
            separator: '/',
            kind: mailbox::NamespaceKind::Personal,
        };
        let all = [namespace("Archive/"), namespace("INBOX/")];
        assert_eq!(inbox_namespace(&all), Some(namespace("INBOX/")));
        assert_eq!(inbox_namespace(&all[..1]), Some(namespace("Archive/")));
        assert_eq!(inbox_namespace(&[]), None);
    }
}
