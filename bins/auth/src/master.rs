//! Managers, lmtp and doveadm: redeem tokens, look users up, try passwords.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use auth_db::{Claim, Client, Level, NoUser, Note, Reason, UserRecord};
use ipc::auth_master::{ClientInfo, MailUser, Refusal, Reply, Request};
use ipc::facts::Facts;
use ipc::{AsyncChannel, Error, Secret, Token, Username, VERSION};
use service::Door;
use service::journal::{Clean, id};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::log;
use crate::outside::For;
use crate::serve::Refused;
use crate::shared::Shared;
use crate::tokens::Binding;

/// Requests of one connection at once; more are read later.
const MAX_REQUESTS: usize = 1024;
/// Names in one record: each has at most 257 bytes, a record 64 KiB.
const BATCH: usize = 200;
/// A peer that does not read its replies for so long is cut off.
const PATIENCE: Duration = Duration::from_secs(30);

struct Peer {
    shared: Rc<Shared>,
    channel: AsyncChannel,
    /// Which socket it has connected to.
    door: Door,
    uid: u32,
    pid: i32,
}

/// Serves a connection to its end.
pub async fn serve(shared: Rc<Shared>, channel: AsyncChannel, door: Door) -> Result<(), Refused> {
    let who = channel.peer()?;
    if !shared.live().callers.may(who.uid, door) {
        return Err(Refused::Uid);
    }
    let (Request::Hello { version }, _) = channel.recv::<Request>().await? else {
        return Err(Refused::Unexpected("first message"));
    };
    Error::check_version(version)?;
    let peer = Rc::new(Peer {
        shared,
        channel,
        door,
        uid: who.uid,
        pid: who.pid,
    });
    peer.send(&Reply::Hello { version: VERSION }).await?;
    peer.run().await
}

impl Peer {
    async fn run(self: &Rc<Self>) -> Result<(), Refused> {
        let places = Arc::new(Semaphore::new(MAX_REQUESTS));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return Ok(());
            };
            let (request, _) = self.channel.recv::<Request>().await?;
            self.check(&request)?;
            let peer = Rc::clone(self);
            tokio::task::spawn_local(async move {
                let _running = peer.shared.count();
                // A connection that cannot be written ends where it is read.
                let _ = peer.answer(request).await;
                drop(place);
            });
        }
    }

    /// What may be asked at this door, and by whom.
    fn check(&self, request: &Request) -> Result<(), Refused> {
        let may = match request {
            Request::Hello { .. } => false,
            Request::Redeem { .. } => self.door == Door::AuthMaster,
            Request::Authenticate { .. } => {
                self.shared.live().callers.may(self.uid, Door::AuthTest)
            }
            Request::Lookup { .. } | Request::List { .. } => true,
        };
        if may {
            Ok(())
        } else {
            Err(Refused::Unexpected(
                "request at this socket, or from this user",
            ))
        }
    }

    async fn answer(&self, request: Request) -> Result<(), Refused> {
        let reply = match request {
            Request::Redeem {
                id,
                token,
                cookie,
                facts,
                login_pid,
            } => {
                let claimed = Binding {
                    login_pid,
                    cookie,
                    facts,
                };
                found(id, self.redeem(&token, &claimed).await)
            }
            Request::Lookup { id, client, user } => found(id, self.lookup(&client, &user).await),
            Request::Authenticate {
                id,
                client,
                user,
                password,
            } => self.authenticate(id, &client, &user, &password).await,
            Request::List { id } => return self.list(id).await,
            Request::Hello { .. } => return Ok(()),
        };
        self.send(&reply).await
    }

    async fn redeem(&self, token: &Token, claimed: &Binding) -> Result<MailUser, Refusal> {
        let redeemed = self
            .shared
            .tokens
            .borrow_mut()
            .redeem(token, claimed, Instant::now());
        let accepted = redeemed.inspect_err(|why| self.log_refused(&claimed.facts, *why))?;
        let facts = &claimed.facts;
        let client = Client {
            service: facts.protocol.name().to_owned(),
            mech: String::new(),
            local: Some(facts.local),
            remote: Some(facts.remote),
            session: Some(facts.session.to_string()),
            secured: facts.is_secured(),
        };
        let live = self.shared.live();
        let record = live
            .db
            .user_of(
                &client,
                &accepted,
                &For {
                    shared: &self.shared,
                    client: &client,
                },
            )
            .await;
        if record == Err(NoUser::Unknown) {
            let (source, user) = ("userdb", accepted.names.user);
            let text = "user not found from any userdbs".to_owned();
            log::note(
                &client,
                &Note {
                    level: Level::Error,
                    source,
                    user,
                    master: false,
                    text,
                },
            );
        }
        mail_user(record)
    }

    async fn lookup(&self, client: &ClientInfo, user: &str) -> Result<MailUser, Refusal> {
        let client = told(client);
        let live = self.shared.live();
        mail_user(
            live.db
                .user(
                    &client,
                    user,
                    &For {
                        shared: &self.shared,
                        client: &client,
                    },
                )
                .await,
        )
    }

    async fn authenticate(
        &self,
        id: u32,
        client: &ClientInfo,
        user: &str,
        password: &Secret,
    ) -> Reply {
        let client = Client {
            mech: "PLAIN".to_owned(),
            ..told(client)
        };
        let live = self.shared.live();
        let outside = For {
            shared: &self.shared,
            client: &client,
        };
        let refused = |why| Reply::Refused { id, why };
        if sasl::Password::new(password.expose()).is_err() {
            return refused(Refusal::Credentials);
        }
        let claim = Claim {
            authcid: user,
            authzid: None,
            password: password.expose(),
        };
        match live.db.authenticate(&client, claim, &outside).await {
            Ok(accepted) => match Username::try_from(accepted.names.user) {
                Ok(user) => Reply::Authenticated {
                    id,
                    user,
                    fields: accepted.fields.into_iter().collect(),
                },
                Err(_) => refused(Refusal::Credentials),
            },
            Err(rejected) if rejected.reason == Reason::Unavailable => {
                refused(Refusal::Unavailable)
            }
            Err(_) => refused(Refusal::Credentials),
        }
    }

    async fn list(&self, id: u32) -> Result<(), Refused> {
        let client = Client::default();
        let live = self.shared.live();
        let Ok(users) = live
            .db
            .users(&For {
                shared: &self.shared,
                client: &client,
            })
            .await
        else {
            return self
                .send(&Reply::Refused {
                    id,
                    why: Refusal::Unavailable,
                })
                .await;
        };
        let users: Vec<Username> = users
            .into_iter()
            .filter_map(|user| Username::try_from(user).ok())
            .collect();
        for batch in users.chunks(BATCH) {
            self.send(&Reply::Users {
                id,
                users: batch.to_vec(),
            })
            .await?;
        }
        self.send(&Reply::Users {
            id,
            users: Vec::new(),
        })
        .await
    }

    async fn send(&self, reply: &Reply) -> Result<(), Refused> {
        let sent = tokio::time::timeout(PATIENCE, self.channel.send(reply, &[])).await;
        Ok(sent.map_err(|_| Refused::Slow)??)
    }

    fn log_refused(&self, facts: &Facts, why: Refusal) {
        let what = match why {
            Refusal::UnknownToken => "was never issued, or was used before",
            Refusal::ExpiredToken => "has expired",
            _ => "was issued for another connection",
        };
        tracing::error!(
            message_id = id::HANDOFF_REFUSED,
            culver_session = facts.session.as_str(),
            culver_remote_ip = %facts.remote.ip(),
            "auth: Error: hand-off refused: the token that process {} of uid {} redeems {what} (rip={}, session=<{}>)",
            self.pid,
            self.uid,
            facts.remote.ip(),
            Clean(facts.session.as_str())
        );
    }
}

/// A client that nobody but the caller has seen.
fn told(client: &ClientInfo) -> Client {
    let address = |ip: Option<IpAddr>, port| ip.map(|ip| SocketAddr::new(ip, port));
    Client {
        service: client.protocol.name().to_owned(),
        mech: String::new(),
        local: address(client.local, client.local_port),
        remote: address(client.remote, client.remote_port),
        session: client.session.as_ref().map(ToString::to_string),
        secured: false,
    }
}

fn found(id: u32, user: Result<MailUser, Refusal>) -> Reply {
    match user {
        Ok(user) => Reply::User { id, user },
        Err(why) => Reply::Refused { id, why },
    }
}

fn mail_user(record: Result<UserRecord, NoUser>) -> Result<MailUser, Refusal> {
    let record = record.map_err(|why| match why {
        NoUser::Unknown => Refusal::UnknownUser,
        NoUser::Unavailable => Refusal::Unavailable,
    })?;
    Ok(MailUser {
        name: Username::try_from(record.name).map_err(|_| Refusal::UnknownUser)?,
        uid: record.uid,
        gid: record.gid,
        home: record.home,
        chroot: record.chroot,
        mail: record.mail,
        groups: record.groups,
        fields: record.fields,
    })
}
