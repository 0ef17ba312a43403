//! A manager of sessions: takes clients from login, asks auth whose they are, routes them to workers.
//!
//! Identity comes from auth alone. What login says of a client is compared with what the kernel
//! says of the descriptor, and with what auth was told.

mod callers;
mod descriptor;
mod record;
mod rests;
mod settings;

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use config::{PerConnection, Snapshot};
use ipc::auth_master::{self, MailUser};
use ipc::facts::{Facts, Protocol};
use ipc::handoff::{MAX_UNREAD, Refusal};
use ipc::worker::{Begin, ClientSession, Identity};
use ipc::{AsyncListener, Client, SessionId, Token, VERSION, anvil};
use service::journal::id;
use service::{Control, Rights, Service, Signal, Started};
use sys::inherited::Inherited;
use sys::peer::{self, Peer};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

use self::descriptor::is_what_it_seems;
use self::settings::Settings;
use crate::census::Census;
use crate::gate::Gate;
use crate::handle::Ended;
use crate::parking::{self, Parking};
use crate::{Limits, Manager, SubmitError, identify};

/// Where managers reach auth.
const AUTH_SOCKET: &str = "/run/culver/auth/master";
/// Unidentified workers that are ready in any case: a login should not wait for a new process.
const SPARE: usize = 2;
/// Longest time that auth may take to redeem a token: the token's own.
const AUTH_PATIENCE: Duration = Duration::from_secs(30);
/// How long hand-offs that are under way may take when the service ends.
const GATE_PATIENCE: Duration = Duration::from_secs(5);
/// How often the status line is brought up to date, and anvil found again after its restart.
const STATUS_PERIOD: Duration = Duration::from_secs(2);

/// What differs between the managers of protocols.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// What its clients speak.
    pub protocol: Protocol,
    /// Name of the hand-off socket.
    pub socket: &'static str,
}

/// Runs a manager of sessions from start to end.
///
/// # Errors
/// It cannot start; the reason is for the administrator.
pub fn run_sessions(mut service: Service<Started>, spec: Spec) -> anyhow::Result<()> {
    let name = service.name();
    let listener = service.take_listener(spec.socket)?;
    let stored = service.take_stored();
    let snapshot = Snapshot::load(name)?;
    let service = service.confine(&Rights::Manager)?;
    service.serve(async move |control| {
        let (workers, parked): (Vec<_>, Vec<_>) = stored
            .into_iter()
            .partition(|stored| stored.name == "worker");
        let parked = parked
            .into_iter()
            .find(|stored| stored.name == parking::STORED);
        let (sessions, ended, unasked, mut events) = Sessions::new(name, spec, snapshot, parked)?;
        sessions.resume(workers, &mut events).await;
        sessions.manager.run();
        if let Some(resting) = sessions.manager.resting() {
            tokio::task::spawn_local(Rc::clone(&sessions).move_rests(resting, events));
        }
        sessions
            .serve(AsyncListener::new(listener)?, control, ended, unasked)
            .await
    })
}

struct Sessions {
    name: &'static str,
    spec: Spec,
    settings: PerConnection<Settings, config::Error>,
    manager: Manager,
    parking: Rc<Parking>,
    auth: Client<auth_master::Request, auth_master::Reply>,
    census: Census,
    gate: Rc<Gate>,
}

type New = (
    Rc<Sessions>,
    UnboundedReceiver<Ended>,
    UnboundedReceiver<anvil::Reply>,
    UnboundedReceiver<parking::Event>,
);

impl Sessions {
    fn new(
        name: &'static str,
        spec: Spec,
        snapshot: Snapshot,
        parked: Option<Inherited>,
    ) -> anyhow::Result<New> {
        let (manager, ended) = Manager::new(name, Limits::of(snapshot.limits(), SPARE));
        let (parking, events) = Parking::open(name, manager.clone(), parked)?;
        let hello = || vec![auth_master::Request::Hello { version: VERSION }];
        let (auth, _) = Client::new(PathBuf::from(AUTH_SOCKET), hello);
        let (census, unasked) = Census::new(name, spec.protocol);
        let settings = PerConnection::new(snapshot, Settings::read);
        settings.get(&config::Facts::of_protocol(spec.protocol.name()))?;
        Ok((
            Rc::new(Self {
                name,
                spec,
                settings,
                manager,
                parking,
                auth,
                census,
                gate: Rc::default(),
            }),
            ended,
            unasked,
            events,
        ))
    }

    /// Takes over workers of an earlier manager, with their sessions, and those that it had parked.
    async fn resume(
        &self,
        workers: Vec<Inherited>,
        events: &mut UnboundedReceiver<parking::Event>,
    ) {
        let workers = workers.into_iter().map(|stored| stored.fd).collect();
        for job in self.manager.resume(workers).await {
            let Ok(client) = ClientSession::decode(&job.content) else {
                continue;
            };
            self.census.resume(anvil::Session {
                session: job.session,
                user: job.user,
                protocol: self.spec.protocol,
                remote: client.facts.remote.ip(),
                worker_pid: job.worker_pid,
            });
        }
        self.parking.connect().await;
        self.count_parked(events);
        self.census.connect().await;
    }

    async fn serve(
        self: Rc<Self>,
        listener: AsyncListener,
        mut control: Control,
        ended: UnboundedReceiver<Ended>,
        mut unasked: UnboundedReceiver<anvil::Reply>,
    ) -> anyhow::Result<()> {
        control.ready();
        // Beside this loop: it waits for nobody but the kernel and systemd.
        tokio::task::spawn_local(Rc::clone(&self).count(ended));
        let census = Rc::clone(&self);
        tokio::task::spawn_local(async move {
            loop {
                census.census.flush().await;
            }
        });
        let mut ticks = tokio::time::interval(STATUS_PERIOD);
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok(channel) => Rc::clone(&self).greet(channel),
                    Err(error) => {
                        tracing::warn!(message_id = id::LIMIT_REACHED, "{}: Warning: {error}", self.name);
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(reply) = unasked.recv() => if let anvil::Reply::EndSession { session } = reply {
                    self.kick(&session);
                },
                signal = control.next() => match signal {
                    Signal::Reload => control.reloaded(&self.reload()),
                    Signal::Drain => break,
                },
                _ = ticks.tick() => {
                    let (sessions, workers) = self.manager.load();
                    let parked = self.parking.len();
                    control.status(&format!("{sessions} sessions in {workers} workers, {parked} parked"));
                }
            }
        }
        drop(listener);
        // A client that cannot be placed so soon is told so by the end of this process.
        let _ = timeout(GATE_PATIENCE, self.gate.close()).await;
        self.parking.drain().await;
        self.manager.drain().await;
        Ok(())
    }

    fn kick(&self, session: &SessionId) {
        if !self.manager.kick(session) {
            self.parking.kick(session);
        }
    }

    /// Tells anvil who has left, and finds it again after its restart: it forgets, after 10 s, who does not come back.
    async fn count(self: Rc<Self>, mut ended: UnboundedReceiver<Ended>) {
        let mut ticks = tokio::time::interval(STATUS_PERIOD);
        loop {
            tokio::select! {
                Some(ended) = ended.recv() => self.census.leave(&ended.session),
                _ = ticks.tick() => {
                    self.census.connect().await;
                    self.parking.connect().await;
                }
            }
        }
    }

    fn reload(&self) -> anyhow::Result<()> {
        let snapshot = Snapshot::load(self.name)?;
        let limits = Limits::of(snapshot.limits(), SPARE);
        self.settings.replace(
            snapshot,
            &config::Facts::of_protocol(self.spec.protocol.name()),
        )?;
        self.manager.reload(limits);
        Ok(())
    }

    /// The whole way of one client to its worker.
    async fn place(&self, handoff: Handoff, token: Token, client: OwnedFd) -> Result<u32, Refusal> {
        if !is_what_it_seems(&client, &handoff.facts) {
            self.log_refused(&handoff, "the descriptor is not that client's");
            return Err(Refusal::BadToken);
        }
        if handoff.session.1.len() > MAX_UNREAD {
            self.log_refused(&handoff, "no login process reads so far ahead");
            return Err(Refusal::BadToken);
        }
        let user = self.redeem(&handoff, token, &client).await?;
        let facts = &handoff.facts;
        let conditions = config::Facts {
            protocol: self.spec.protocol.name(),
            local_ip: Some(facts.local.ip()),
            remote_ip: Some(facts.remote.ip()),
            local_name: None,
        };
        let settings = Settings::of_user(&self.settings, &conditions, &user);
        let settings = settings.map_err(|error| self.misconfigured(&handoff, &user, &error))?;
        let identity = identify(&user, &settings.identity)
            .map_err(|error| self.misconfigured(&handoff, &user, &error))?;
        let limit = settings.mail_max_userip_connections;
        match self.begin(&handoff, &identity, limit, &client).await {
            // The user's worker ended at this very moment; the client has seen nothing of it.
            Err(Unplaced::Worker(error)) if error.is_loss() => {
                self.begin(&handoff, &identity, limit, &client).await
            }
            done => done,
        }
        .map_err(|unplaced| match unplaced {
            Unplaced::Limit => {
                self.log_limit(&handoff, &user, limit);
                Refusal::TooManyConnections
            }
            Unplaced::Worker(error) => self.no_worker(&handoff, &user, &error),
        })
    }

    /// Gives the client to the user's worker; its process id.
    async fn begin(
        &self,
        handoff: &Handoff,
        identity: &Identity,
        limit: u32,
        client: &OwnedFd,
    ) -> Result<u32, Unplaced> {
        let facts = &handoff.facts;
        let session = &facts.session;
        // Names are for one session, wherever it is.
        if self.parking.has(session) {
            return Err(SubmitError::Duplicate.into());
        }
        let reserved = self.manager.reserve(identity, session).await?;
        let worker_pid = reserved.worker_pid();
        let counted = anvil::Session {
            session: session.clone(),
            user: identity.user.clone(),
            protocol: self.spec.protocol,
            remote: facts.remote.ip(),
            worker_pid,
        };
        if !self.census.enter(counted, limit).await {
            return Err(Unplaced::Limit);
        }
        let (tag, unread) = handoff.session.clone();
        let job = ClientSession {
            facts: facts.clone(),
            begin: Begin::LoggedIn { tag, unread },
        };
        let begun = match job.encode() {
            Ok(content) => reserved.begin(content, &[client.as_fd()]).await.map(|_| ()),
            Err(error) => Err(error.into()),
        };
        if begun.is_err() {
            self.census.leave(session);
        }
        Ok(begun.map(|()| worker_pid)?)
    }

    /// Asks auth whose token it is.
    async fn redeem(
        &self,
        handoff: &Handoff,
        token: Token,
        client: &OwnedFd,
    ) -> Result<MailUser, Refusal> {
        let Ok(cookie) = peer::socket_cookie(client) else {
            return Err(Refusal::Unavailable);
        };
        let ask = |id| auth_master::Request::Redeem {
            id,
            token,
            cookie,
            facts: handoff.facts.clone(),
            login_pid: handoff.peer.pid,
        };
        let unavailable = |what: &str| {
            self.log_refused(handoff, what);
            Err(Refusal::Unavailable)
        };
        match timeout(AUTH_PATIENCE, self.auth.call(ask, &[])).await {
            Ok(Ok(auth_master::Reply::User { user, .. })) => Ok(user),
            Ok(Ok(auth_master::Reply::Refused { why, .. })) => Err(self.not_redeemed(handoff, why)),
            Ok(Ok(_)) => unavailable("auth gave an answer of another kind"),
            Ok(Err(error)) => unavailable(&format!("auth: {error}")),
            Err(_) => unavailable("auth does not answer"),
        }
    }
}

/// Why a client was not placed.
enum Unplaced {
    /// `mail_max_userip_connections`.
    Limit,
    Worker(SubmitError),
}

impl From<SubmitError> for Unplaced {
    fn from(error: SubmitError) -> Self {
        Self::Worker(error)
    }
}

/// One hand-off on its way.
struct Handoff {
    id: u32,
    facts: Facts,
    /// Tag and unread input.
    session: (String, Vec<u8>),
    peer: Peer,
    /// One of [`MOST_PENDING`].
    _place: OwnedSemaphorePermit,
}
