//! Whole configurations, asked as a login process would. Expected lines are those of Debian's Dovecot 2.3.19.1 with the
//! same configuration (`doveadm auth test`, `doveadm user`).

mod master;
mod passdbs;
mod userdbs;

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;

/// A service without threads: everything is done at once.
#[derive(Default)]
pub(crate) struct Here {
    pub notes: RefCell<Vec<String>>,
    pub pam: Option<PamVerdict>,
    pub pam_questions: RefCell<Vec<PamQuestion>>,
    pub work: RefCell<Vec<Weight>>,
}

impl Outside for Here {
    async fn off_loop<T: Send + 'static>(
        &self,
        weight: Weight,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        self.work.borrow_mut().push(weight);
        Some(work())
    }

    async fn pam(&self, question: PamQuestion) -> PamVerdict {
        self.pam_questions.borrow_mut().push(question);
        self.pam
            .clone()
            .unwrap_or(PamVerdict::Failed("no PAM here".to_owned()))
    }

    fn note(&self, note: Note) {
        let master = if note.master { ",master" } else { "" };
        let level = match note.level {
            Level::Notice | Level::Info => "",
            Level::Error => "Error: ",
        };
        self.notes.borrow_mut().push(format!(
            "{level}{}({}{master}): {}",
            note.source, note.user, note.text
        ));
    }
}

impl Here {
    /// The lines since the last call.
    pub fn notes(&self) -> Vec<String> {
        self.notes.take()
    }
}

/// Runs what never waits.
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("something waits"),
    }
}

/// A directory with password files, and a configuration in which `DIR` is its path.
pub(crate) struct Site {
    pub dir: tempfile::TempDir,
    pub db: AuthDb,
    pub here: Here,
}

pub(crate) fn settings(text: &str) -> Settings {
    let config = config::parse_text(std::path::Path::new("culver.conf"), text);
    let snapshot = config.snapshot("auth", &config::NoNames).unwrap();
    snapshot
        .settings(&config::Facts::of_protocol("imap"))
        .unwrap()
}

impl Site {
    pub fn new(config: &str, files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(dir.path().join(name), content).unwrap();
        }
        let config = config.replace("DIR", dir.path().to_str().unwrap());
        let db = AuthDb::new(&settings(&config)).unwrap();
        Self {
            dir,
            db,
            here: Here::default(),
        }
    }

    pub fn login_from(
        &self,
        client: &Client,
        user: &str,
        password: &str,
    ) -> Result<Accepted, Rejected> {
        let claim = Claim {
            authcid: user,
            authzid: None,
            password: password.as_bytes(),
        };
        now(self.db.authenticate(client, claim, &self.here))
    }

    pub fn login(&self, user: &str, password: &str) -> Result<Accepted, Rejected> {
        self.login_from(&client(), user, password)
    }

    /// Who got in, or why not.
    pub fn outcome(&self, user: &str, password: &str) -> Result<String, Reason> {
        self.login(user, password)
            .map(|accepted| accepted.names.user)
            .map_err(|rejected| rejected.reason)
    }

    pub fn user(&self, user: &str) -> Result<UserRecord, NoUser> {
        now(self.db.user(
            &Client {
                service: "lmtp".to_owned(),
                ..Client::default()
            },
            user,
            &self.here,
        ))
    }
}

pub(crate) fn client() -> Client {
    Client {
        service: "imap".to_owned(),
        mech: "PLAIN".to_owned(),
        local: Some("127.0.0.2:143".parse().unwrap()),
        remote: Some("127.0.0.1:4711".parse().unwrap()),
        session: Some("SESS".to_owned()),
        secured: true,
    }
}
