//! The whole service in one process: fake login processes and managers talk to it over socket pairs.

mod exchanges;
mod handoff;
mod load;
mod pam;

use std::collections::VecDeque;
use std::path::Path;
use std::rc::Rc;

use auth_db::Settings;
use ipc::auth_master::{self, ClientInfo, MailUser, Refusal};
use ipc::facts::{Facts, Protocol, Transport};
use ipc::login_auth::{Failure, Reply, Request};
use ipc::{AsyncChannel, Secret, SessionId, Token, VERSION};
use service::{Callers, Door};
use sys::seqpacket;
use tokio::task::{JoinHandle, LocalSet, spawn_local};

use crate::serve::Refused;
use crate::shared::{Live, Shared};
use crate::{login, master, serve};

/// Cookie of the socket that all tests hand over.
pub const COOKIE: u64 = 4711;

const CONFIG: &str = "\
auth_mechanisms = plain login
auth_verbose = yes
passdb {
  driver = passwd-file
  args = scheme=PLAIN DIR/users
}
userdb {
  driver = passwd-file
  args = DIR/users
}
";

const USERS: &str = "\
alice:{PLAIN}alicepw:1001:1001::/home/alice::userdb_quota_rule=*:storage=1G
bob:{PLAIN}bobpw:1002:1002::/home/bob
nick:{PLAIN}nickpw:1003:1003::/home/nick::nologin
quick:{PLAIN}quickpw:1004:1004::/home/quick::nodelay
ghost:{PLAIN}ghostpw
";

/// A running service.
pub struct Site {
    pub shared: Rc<Shared>,
    pub dir: tempfile::TempDir,
}

/// Our own uid: what the kernel says of both ends of a socket pair.
pub fn own_uid() -> u32 {
    rustix::process::getuid().as_raw()
}

pub fn settings(config: &str, dir: &Path) -> Settings {
    let config = config.replace("DIR", dir.to_str().unwrap());
    let config = config::parse_text(Path::new("culver.conf"), &config);
    let snapshot = config.snapshot("auth", &config::NoNames).unwrap();
    snapshot.settings(&config::Facts::default()).unwrap()
}

impl Site {
    pub fn new() -> Self {
        Self::with("", "")
    }

    /// With more settings and more lines in the password file.
    pub fn with(config: &str, users: &str) -> Self {
        Self::of(&format!("{config}{CONFIG}"), users)
    }

    /// With a configuration of its own.
    pub fn of(config: &str, users: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("users"), format!("{USERS}{users}")).unwrap();
        let callers = Callers::new(|_| Some(own_uid()));
        let live = Live::new(&settings(config, dir.path()), callers).unwrap();
        let shared = Rc::new(Shared::with_workers(live, dir.path().join("auth-worker")));
        Self { shared, dir }
    }

    /// A login process that has said hello.
    pub async fn login(&self) -> Login {
        // Files are read by threads, which time that stands still does not wait for.
        serve::preload(&self.shared).await;
        let (ours, theirs) = seqpacket::pair().unwrap();
        let served = spawn_local(login::serve(
            Rc::clone(&self.shared),
            AsyncChannel::new(theirs).unwrap(),
        ));
        let login = Login {
            channel: AsyncChannel::new(ours).unwrap(),
            served,
            last_id: 0,
            early: VecDeque::new(),
        };
        login
            .channel
            .send(&Request::Hello { version: VERSION }, &[])
            .await
            .unwrap();
        let hello = login.channel.recv().await.unwrap().0;
        assert!(
            matches!(hello, Reply::Hello { version: VERSION, ref mechs } if mechs.contains(&"PLAIN".to_owned()))
        );
        login
    }

    /// A manager, or another caller, that has said hello.
    pub async fn caller(&self, door: Door) -> Caller {
        let (ours, theirs) = seqpacket::pair().unwrap();
        let served = spawn_local(master::serve(
            Rc::clone(&self.shared),
            AsyncChannel::new(theirs).unwrap(),
            door,
        ));
        let caller = Caller {
            channel: AsyncChannel::new(ours).unwrap(),
            served,
        };
        caller
            .tell(&auth_master::Request::Hello { version: VERSION })
            .await;
        assert!(matches!(
            caller.hear().await,
            auth_master::Reply::Hello { version: VERSION }
        ));
        caller
    }
}

/// A fake login process.
pub struct Login {
    pub channel: AsyncChannel,
    pub served: JoinHandle<Result<(), Refused>>,
    last_id: u32,
    early: VecDeque<Reply>,
}

impl Login {
    /// Begins an exchange; the id.
    pub async fn start(&mut self, mech: &str, facts: &Facts, initial: Option<&[u8]>) -> u32 {
        self.last_id += 1;
        let initial = initial.map(|bytes| Secret::new(bytes.to_vec()));
        let (id, mech, facts) = (self.last_id, mech.to_owned(), facts.clone());
        self.tell(&Request::Start {
            id,
            mech,
            facts,
            cookie: COOKIE,
            initial,
        })
        .await;
        id
    }

    pub async fn tell(&self, request: &Request) {
        self.channel.send(request, &[]).await.unwrap();
    }

    /// The next reply to this exchange.
    pub async fn hear(&mut self, id: u32) -> Reply {
        if let Some(at) = self.early.iter().position(|reply| id_of(reply) == id) {
            return self.early.remove(at).unwrap();
        }
        loop {
            let reply = self.channel.recv::<Reply>().await.unwrap().0;
            if id_of(&reply) == id {
                return reply;
            }
            self.early.push_back(reply);
        }
    }

    /// Replies to other exchanges that came meanwhile.
    pub fn others(&self) -> usize {
        self.early.len()
    }

    /// PLAIN, in one go.
    pub async fn plain(&mut self, user: &str, password: &str) -> Reply {
        self.plain_as(&facts(), user, password).await
    }

    pub async fn plain_as(&mut self, facts: &Facts, user: &str, password: &str) -> Reply {
        let id = self
            .start(
                "PLAIN",
                facts,
                Some(format!("\0{user}\0{password}").as_bytes()),
            )
            .await;
        self.hear(id).await
    }

    /// PLAIN that succeeds.
    pub async fn token(&mut self, user: &str, password: &str) -> Token {
        match self.plain(user, password).await {
            Reply::Success { token, .. } => token,
            other => panic!("{other:?}"),
        }
    }
}

fn id_of(reply: &Reply) -> u32 {
    match reply {
        Reply::Hello { .. } => 0,
        Reply::Challenge { id, .. } | Reply::Success { id, .. } | Reply::Failure { id, .. } => *id,
    }
}

/// A fake manager, lmtp or doveadm.
pub struct Caller {
    pub channel: AsyncChannel,
    pub served: JoinHandle<Result<(), Refused>>,
}

impl Caller {
    pub async fn tell(&self, request: &auth_master::Request) {
        self.channel.send(request, &[]).await.unwrap();
    }

    pub async fn hear(&self) -> auth_master::Reply {
        self.channel.recv().await.unwrap().0
    }

    pub async fn ask(&self, request: auth_master::Request) -> Result<MailUser, Refusal> {
        self.tell(&request).await;
        match self.hear().await {
            auth_master::Reply::User { user, .. } => Ok(user),
            auth_master::Reply::Refused { why, .. } => Err(why),
            other => panic!("{other:?}"),
        }
    }

    /// Redeems a token for the client of [`facts`].
    pub async fn redeem(&self, token: &Token) -> Result<MailUser, Refusal> {
        self.ask(redeem(token)).await
    }

    pub async fn lookup(&self, user: &str) -> Result<MailUser, Refusal> {
        self.ask(auth_master::Request::Lookup {
            id: 2,
            client: ClientInfo::of(Protocol::Lmtp),
            user: user.to_owned(),
        })
        .await
    }
}

/// An honest redemption.
pub fn redeem(token: &Token) -> auth_master::Request {
    auth_master::Request::Redeem {
        id: 1,
        token: token.clone(),
        cookie: COOKIE,
        facts: facts(),
        login_pid: i32::try_from(std::process::id()).unwrap(),
    }
}

/// The connection of the client of all tests.
pub fn facts() -> Facts {
    Facts {
        protocol: Protocol::Imap,
        session: SessionId::try_from("SESS".to_owned()).unwrap(),
        local: "192.0.2.1:993".parse().unwrap(),
        remote: "192.0.2.2:40000".parse().unwrap(),
        transport: Transport::Tls,
    }
}

/// The reason of a failure.
pub fn failure(reply: &Reply) -> Failure {
    match reply {
        Reply::Failure { reason, .. } => *reason,
        other => panic!("{other:?}"),
    }
}

/// Runs a test as the service runs: one thread, shared without locks.
pub async fn local(test: impl Future<Output = ()>) {
    LocalSet::new().run_until(test).await;
}
