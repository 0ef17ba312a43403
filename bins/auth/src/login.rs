//! A login process: relays SASL messages of clients, gets tokens for those who prove who they are.
//!
//! It is believed what it says of a client's connection, and nothing else: who the user is, is found out here.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use auth_db::{Accepted, Claim, Client, Level, Note, Reason, Rejected};
use ipc::facts::Facts;
use ipc::login_auth::{Failure, MAX_EXCHANGES, Reply, Request};
use ipc::{AsyncChannel, Error, Secret, Username, VERSION};
use sasl::{Credentials, Malformed, Mech, Step};
use service::Door;
use service::journal::id;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::log;
use crate::outside::For;
use crate::serve::Refused;
use crate::shared::{Live, Shared};
use crate::tokens::Binding;

/// A client may think so long about a challenge.
const CHALLENGE_LIFETIME: Duration = Duration::from_secs(150);
/// A login process that does not read its replies for so long is cut off.
const PATIENCE: Duration = Duration::from_secs(30);

/// One login process.
struct Login {
    shared: Rc<Shared>,
    channel: AsyncChannel,
    /// Number of the connection.
    number: u64,
    /// Told by the kernel.
    pid: i32,
    exchanges: RefCell<HashMap<u32, Exchange>>,
}

/// One client's exchange.
enum Exchange {
    /// The client has a challenge to answer.
    Challenged {
        server: sasl::Server,
        start: Rc<Start>,
        since: Instant,
    },
    /// Passdbs are asked, or the time to tell a failure has not come.
    Running { _task: AbortOnDrop },
}

/// How an exchange began.
struct Start {
    id: u32,
    facts: Facts,
    cookie: u64,
    client: Client,
    at: Instant,
}

/// What is not needed any more is not done: the task ends with its entry.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Serves a connection to its end. Everything that belongs to it ends with it.
pub async fn serve(shared: Rc<Shared>, channel: AsyncChannel) -> Result<(), Refused> {
    let peer = channel.peer()?;
    if !shared.live().callers.may(peer.uid, Door::AuthLogin) {
        return Err(Refused::Uid);
    }
    let (Request::Hello { version }, _) = channel.recv::<Request>().await? else {
        return Err(Refused::Unexpected("first message"));
    };
    Error::check_version(version)?;
    let number = shared.next_connection();
    let login = Rc::new(Login {
        shared,
        channel,
        number,
        pid: peer.pid,
        exchanges: RefCell::default(),
    });
    let result = login.run().await;
    login.exchanges.borrow_mut().clear();
    login.shared.tokens.borrow_mut().forget(number);
    result
}

impl Login {
    async fn run(self: &Rc<Self>) -> Result<(), Refused> {
        let mechs = self
            .shared
            .live()
            .mechs
            .iter()
            .map(|mech| mech.name().to_owned())
            .collect();
        self.send(&Reply::Hello {
            version: VERSION,
            mechs,
        })
        .await?;
        let mut sweep = tokio::time::interval(CHALLENGE_LIFETIME);
        loop {
            let request = tokio::select! {
                received = self.channel.recv::<Request>() => received?.0,
                now = sweep.tick() => {
                    self.forget_challenges(now);
                    continue;
                }
            };
            match request {
                Request::Start {
                    id,
                    mech,
                    facts,
                    cookie,
                    initial,
                } => {
                    let client = client(&facts, &mech);
                    let start = Start {
                        id,
                        facts,
                        cookie,
                        client,
                        at: Instant::now(),
                    };
                    self.start(start, &mech, initial.as_ref()).await?;
                }
                Request::Continue { id, response } => self.answer(id, &response).await?,
                Request::Cancel { id } => drop(self.exchanges.borrow_mut().remove(&id)),
                Request::Hello { .. } => return Err(Refused::Unexpected("second hello")),
            }
        }
    }

    async fn start(
        self: &Rc<Self>,
        start: Start,
        mech: &str,
        initial: Option<&Secret>,
    ) -> Result<(), Refused> {
        let (known, count) = {
            let exchanges = self.exchanges.borrow();
            (exchanges.contains_key(&start.id), exchanges.len())
        };
        if known {
            return Err(Refused::Unexpected("id of an exchange"));
        }
        if count >= MAX_EXCHANGES {
            return self.fail(start.id, None, Failure::Busy).await;
        }
        let offered = Mech::from_name(mech).filter(|mech| self.shared.live().mechs.contains(mech));
        let Some(mech) = offered else {
            return self.fail(start.id, None, Failure::UnknownMech).await;
        };
        let step = mech.begin(initial.map(Secret::expose));
        self.step(Rc::new(start), step).await
    }

    async fn answer(self: &Rc<Self>, id: u32, response: &Secret) -> Result<(), Refused> {
        let exchange = self.exchanges.borrow_mut().remove(&id);
        match exchange {
            Some(Exchange::Challenged { server, start, .. }) => {
                self.step(start, server.feed(response.expose())).await
            }
            Some(Exchange::Running { .. }) => Err(Refused::Unexpected("answer to no challenge")),
            // Its time was over.
            None => self.fail(id, None, Failure::Malformed).await,
        }
    }

    async fn step(
        self: &Rc<Self>,
        start: Rc<Start>,
        step: Result<Step, Malformed>,
    ) -> Result<(), Refused> {
        let id = start.id;
        let task = match step {
            Ok(Step::Challenge { prompt, next }) => {
                let exchange = Exchange::Challenged {
                    server: next,
                    start,
                    since: Instant::now(),
                };
                self.exchanges.borrow_mut().insert(id, exchange);
                return self
                    .send(&Reply::Challenge {
                        id,
                        data: prompt.to_vec(),
                    })
                    .await;
            }
            Ok(Step::Credentials(credentials)) => {
                tokio::task::spawn_local(Rc::clone(self).prove(start, credentials))
            }
            Err(malformed) => tokio::task::spawn_local(Rc::clone(self).refuse(start, malformed)),
        };
        let running = Exchange::Running {
            _task: AbortOnDrop(task.abort_handle()),
        };
        self.exchanges.borrow_mut().insert(id, running);
        Ok(())
    }

    /// Asks the passdbs and answers.
    async fn prove(self: Rc<Self>, start: Rc<Start>, credentials: Credentials) {
        let _running = self.shared.count();
        let live = self.shared.live();
        let outside = For {
            shared: &self.shared,
            client: &start.client,
        };
        let claim = Claim {
            authcid: &credentials.authcid,
            authzid: credentials.authzid.as_deref(),
            password: credentials.password.as_bytes(),
        };
        let reply = match live.db.authenticate(&start.client, claim, &outside).await {
            Ok(accepted) => self.accept(&start, accepted),
            Err(rejected) => self.reject(&start, &live, rejected).await,
        };
        self.finish(&reply).await;
    }

    /// Tells a client that it broke its mechanism's rules, as late as any failure.
    async fn refuse(self: Rc<Self>, start: Rc<Start>, malformed: Malformed) {
        let _running = self.shared.count();
        let live = self.shared.live();
        if live.verbose {
            let source = if start.client.mech == "LOGIN" {
                "login"
            } else {
                "plain"
            };
            let text = malformed.to_string();
            log::note(
                &start.client,
                &Note {
                    level: Level::Info,
                    source,
                    user: "?".to_owned(),
                    master: false,
                    text,
                },
            );
        }
        tokio::time::sleep_until(self.shared.delay.deadline(start.at, live.failure_delay)).await;
        self.finish(&Reply::Failure {
            id: start.id,
            user: None,
            reason: match malformed {
                // The message is no message of its mechanism.
                Malformed::Parts | Malformed::Nul => Failure::Malformed,
                // It is one, of somebody who cannot be.
                _ => Failure::Credentials,
            },
        })
        .await;
    }

    fn accept(&self, start: &Start, accepted: Accepted) -> Reply {
        let failure = |reason| Reply::Failure {
            id: start.id,
            user: Some(accepted.names.user.clone()),
            reason,
        };
        let Ok(user) = Username::try_from(accepted.names.user.clone()) else {
            return failure(Failure::Credentials);
        };
        let binding = Binding {
            login_pid: self.pid,
            cookie: start.cookie,
            facts: start.facts.clone(),
        };
        let token = self.shared.tokens.borrow_mut().issue(
            self.number,
            binding,
            accepted.clone(),
            Instant::now(),
        );
        match token {
            Ok(Some(token)) => Reply::Success {
                id: start.id,
                user,
                token,
            },
            Ok(None) => failure(Failure::Busy),
            Err(error) => {
                tracing::error!(
                    message_id = id::AUTH_UNAVAILABLE,
                    "auth: Error: no random bytes: {error}"
                );
                failure(Failure::Unavailable)
            }
        }
    }

    async fn reject(&self, start: &Start, live: &Live, rejected: Rejected) -> Reply {
        let reason = match rejected.reason {
            Reason::Credentials | Reason::LoginUser => Failure::Credentials,
            Reason::Disabled => Failure::Disabled,
            Reason::Expired => Failure::Expired,
            Reason::Unavailable => Failure::Unavailable,
        };
        // Whose fault it is not need not wait.
        if !rejected.nodelay && reason != Failure::Unavailable {
            tokio::time::sleep_until(self.shared.delay.deadline(start.at, live.failure_delay))
                .await;
        }
        Reply::Failure {
            id: start.id,
            user: Some(rejected.user),
            reason,
        }
    }

    /// The last word of an exchange. Its entry is this very task's handle: dropped after the reply is out.
    async fn finish(&self, reply: &Reply) {
        let (Reply::Challenge { id, .. } | Reply::Success { id, .. } | Reply::Failure { id, .. }) =
            reply
        else {
            return;
        };
        // A connection that cannot be written ends where it is read.
        let _ = self.send(reply).await;
        self.exchanges.borrow_mut().remove(id);
    }

    async fn fail(&self, id: u32, user: Option<String>, reason: Failure) -> Result<(), Refused> {
        self.send(&Reply::Failure { id, user, reason }).await
    }

    async fn send(&self, reply: &Reply) -> Result<(), Refused> {
        let sent = tokio::time::timeout(PATIENCE, self.channel.send(reply, &[])).await;
        Ok(sent.map_err(|_| Refused::Slow)??)
    }

    fn forget_challenges(&self, now: Instant) {
        self.exchanges
            .borrow_mut()
            .retain(|_, exchange| match exchange {
                Exchange::Challenged { since, .. } => {
                    now.saturating_duration_since(*since) < CHALLENGE_LIFETIME
                }
                Exchange::Running { .. } => true,
            });
    }
}

/// The client as databases see it.
fn client(facts: &Facts, mech: &str) -> Client {
    Client {
        service: facts.protocol.name().to_owned(),
        mech: mech.to_ascii_uppercase(),
        local: Some(facts.local),
        remote: Some(facts.remote),
        session: Some(facts.session.to_string()),
        secured: facts.is_secured(),
    }
}
