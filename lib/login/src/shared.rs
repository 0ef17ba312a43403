//! What all clients of a login process share.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use config::{PerConnection, Snapshot};
use ipc::facts::{Facts, Protocol};
use ipc::{Client, VERSION, handoff, login_auth};
use service::journal::id;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_rustls::TlsAcceptor;

use crate::{Error, Settings, tls};

/// Where auth listens for login processes.
const AUTH_SOCKET: &str = "/run/culver/login/auth";
/// Where managers listen for login processes, one socket per protocol.
const HANDOFF_DIRECTORY: &str = "/run/culver/login";
/// How long a start may wait for auth.
const AUTH_PATIENCE: Duration = Duration::from_secs(20);

/// Settings and connections that all clients share.
pub struct Shared {
    pub(crate) name: &'static str,
    pub(crate) protocol: Protocol,
    settings: PerConnection<Compiled, Error>,
    mechs: RefCell<Vec<String>>,
    pub(crate) auth: Client<login_auth::Request, login_auth::Reply>,
    pub(crate) manager: Client<handoff::Request, handoff::Reply>,
}

/// Settings that count for some connections, with what is made of them.
pub(crate) struct Compiled {
    pub(crate) settings: Settings,
    pub(crate) tls: Option<TlsAcceptor>,
}

impl Shared {
    /// Connects to auth, whose mechanisms the greeting needs.
    ///
    /// # Errors
    /// Auth does not answer.
    pub(crate) async fn new(
        name: &'static str,
        protocol: Protocol,
        snapshot: Snapshot,
    ) -> Result<Rc<Self>, Error> {
        let hello = || vec![login_auth::Request::Hello { version: VERSION }];
        let (auth, mut unasked) = Client::new(AUTH_SOCKET.into(), hello);
        let hello = || vec![handoff::Request::Hello { version: VERSION }];
        let socket = Path::new(HANDOFF_DIRECTORY).join(protocol.name());
        let (manager, _) = Client::new(socket, hello);
        auth.connect().await?;
        let mechs = tokio::time::timeout(AUTH_PATIENCE, hello_of(&mut unasked)).await;
        let mechs = mechs.ok().flatten().ok_or(Error::AuthSilent)?;
        let shared = Rc::new(Self {
            name,
            protocol,
            settings: PerConnection::new(snapshot, compile),
            mechs: RefCell::new(mechs),
            auth,
            manager,
        });
        let keeper = Rc::downgrade(&shared);
        tokio::task::spawn_local(async move {
            // Auth may offer other mechanisms after a reload of its own.
            while let Some(mechs) = hello_of(&mut unasked).await {
                let Some(shared) = keeper.upgrade() else {
                    return;
                };
                shared.mechs.replace(mechs);
            }
        });
        Ok(shared)
    }

    /// SASL mechanisms that auth offers, in its order.
    #[must_use]
    pub fn mechs(&self) -> Vec<String> {
        self.mechs.borrow().clone()
    }

    /// Uses another snapshot for new connections.
    ///
    /// # Errors
    /// The certificate or another setting cannot be used; the old snapshot stays.
    pub(crate) fn reload(&self, snapshot: Snapshot) -> Result<(), Error> {
        self.settings
            .replace(snapshot, &config::Facts::of_protocol(self.protocol.name()))
    }

    /// What counts for this connection.
    pub(crate) fn settings_for(&self, facts: &Facts) -> Result<Arc<Compiled>, Error> {
        self.settings.get(&config::Facts {
            protocol: self.protocol.name(),
            local_ip: Some(facts.local.ip()),
            remote_ip: Some(facts.remote.ip()),
            local_name: None,
        })
    }
}

fn compile(snapshot: &Snapshot, conditions: &config::Facts<'_>) -> Result<Compiled, Error> {
    let settings: Settings = snapshot.settings(conditions)?;
    let wanted = settings.ssl != crate::TlsPolicy::No && !settings.ssl_cert.is_empty();
    let tls = if wanted {
        Some(tls::acceptor(&settings)?)
    } else {
        None
    };
    if settings.ssl != crate::TlsPolicy::No && tls.is_none() {
        tracing::warn!(
            message_id = id::TLS_MISCONFIGURED,
            "Warning: ssl={:?}, but there is no ssl_cert: TLS is not offered",
            settings.ssl
        );
    }
    Ok(Compiled { settings, tls })
}

async fn hello_of(unasked: &mut UnboundedReceiver<login_auth::Reply>) -> Option<Vec<String>> {
    loop {
        if let login_auth::Reply::Hello { mechs, .. } = unasked.recv().await? {
            return Some(mechs);
        }
    }
}
