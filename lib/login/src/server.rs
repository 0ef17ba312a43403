//! The event loop of a login process.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use config::Snapshot;
use ipc::facts::Protocol;
use service::journal::id;
use service::{Confined, Control, Rights, Service, Signal, Started};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::registry::Registry;
use crate::{Client, Ended, Error, Shared};

/// How long a client may take until it is logged in, everything included.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long relays may go on after SIGTERM, while workers say good-bye.
const RELAY_GRACE: Duration = Duration::from_secs(10);
/// How often the log is told that clients had to go.
const WARNING_PERIOD: Duration = Duration::from_secs(1);
/// Clients that are not logged in, at most, whatever descriptors allow.
const MOST_CLIENTS: usize = 20_000;
const _: () = assert!(MOST_CLIENTS < ipc::login_auth::MAX_EXCHANGES);

/// Listening sockets by what clients expect.
#[derive(Debug)]
pub struct Listeners {
    /// TLS only after STARTTLS.
    pub plain: Vec<OwnedFd>,
    /// TLS from the first byte.
    pub tls: Vec<OwnedFd>,
}

/// A protocol's own session before authentication.
pub type Session = for<'a> fn(&'a mut Client) -> Pin<Box<dyn Future<Output = Ended> + 'a>>;

/// Runs a login service from start to end.
///
/// # Errors
/// It cannot start; the reason is for the administrator.
pub fn run(
    service: Service<Started>,
    listeners: Listeners,
    protocol: Protocol,
    session: Session,
) -> Result<(), Error> {
    let name = service.name();
    let snapshot = Snapshot::load(name)?;
    let directory = std::env::var_os(config::DIRECTORY_VARIABLE);
    let directory = directory
        .as_deref()
        .map_or(Path::new(config::DIRECTORY), Path::new);
    let service: Service<Confined> = service.confine(&Rights::Read(&[directory]))?;
    service.serve(async move |control| {
        let shared = Shared::new(name, protocol, snapshot).await?;
        Server::new(shared, session).serve(listeners, control).await
    })
}

struct Server {
    shared: Rc<Shared>,
    session: Session,
    registry: RefCell<Registry>,
    relays: RefCell<usize>,
    /// Told when a relay has ended.
    fewer: tokio::sync::Notify,
    /// Clients that had to go since the log was told of it last.
    displaced: Cell<u64>,
    told: Cell<Option<Instant>>,
}

impl Server {
    fn new(shared: Rc<Shared>, session: Session) -> Rc<Self> {
        // Two descriptors for a client with TLS, some for ourselves.
        let descriptors = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let room = descriptors.map_or(MOST_CLIENTS, |n| {
            usize::try_from(n / 3).unwrap_or(MOST_CLIENTS)
        });
        Rc::new(Self {
            shared,
            session,
            registry: RefCell::new(Registry::new(room.min(MOST_CLIENTS))),
            relays: RefCell::new(0),
            fewer: tokio::sync::Notify::new(),
            displaced: Cell::new(0),
            told: Cell::new(None),
        })
    }

    async fn serve(
        self: Rc<Self>,
        listeners: Listeners,
        mut control: Control,
    ) -> Result<(), Error> {
        let mut accepting = Vec::new();
        for (sockets, greeting) in [(listeners.plain, First::Plain), (listeners.tls, First::Tls)] {
            for socket in sockets {
                let listener = std::net::TcpListener::from(socket);
                listener.set_nonblocking(true)?;
                let listener = TcpListener::from_std(listener)?;
                let server = Rc::clone(&self);
                accepting.push(tokio::task::spawn_local(server.accept(listener, greeting)));
            }
        }
        control.ready();
        while control.next().await == Signal::Reload {
            let outcome = Snapshot::load(self.shared.name)
                .map_err(Error::from)
                .and_then(|snapshot| self.shared.reload(snapshot));
            control.reloaded(&outcome);
        }
        accepting.iter().for_each(tokio::task::JoinHandle::abort);
        let _ = tokio::time::timeout(RELAY_GRACE, self.relays_end()).await;
        Ok(())
    }

    async fn relays_end(&self) {
        while *self.relays.borrow() > 0 {
            self.fewer.notified().await;
        }
    }

    async fn accept(self: Rc<Self>, listener: TcpListener, first: First) {
        loop {
            match listener.accept().await {
                Ok((stream, address)) => self.begin(stream, address.ip().to_canonical(), first),
                Err(error) if out_of_room(&error) => {
                    tracing::warn!(
                        message_id = id::LIMIT_REACHED,
                        "{}: Warning: accept() failed: {error}",
                        self.shared.name
                    );
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                // The client was gone before it was here.
                Err(_) => {}
            }
        }
    }

    fn begin(self: &Rc<Self>, stream: TcpStream, address: std::net::IpAddr, first: First) {
        let (number, displaced) = self.registry.borrow_mut().enter(address);
        if let Some(displaced) = displaced {
            displaced.abort();
            self.warn_of_displaced();
        }
        let server = Rc::clone(self);
        let task = tokio::task::spawn_local(async move {
            // Leaves also when it is displaced: the task is dropped, and this with it.
            let place = Place {
                server: Rc::clone(&server),
                number,
            };
            let handed_over = server.before_login(stream, first).await;
            drop(place);
            if let Some(client) = handed_over {
                *server.relays.borrow_mut() += 1;
                client.relay().await;
                *server.relays.borrow_mut() -= 1;
                server.fewer.notify_one();
            }
        });
        self.registry
            .borrow_mut()
            .set_task(number, task.abort_handle());
    }

    /// One line a second: a flood of clients must not become a flood of lines.
    fn warn_of_displaced(&self) {
        let count = self.displaced.get() + 1;
        let now = Instant::now();
        let told = self.told.get();
        if told.is_some_and(|told| now < told + WARNING_PERIOD) {
            self.displaced.set(count);
            return;
        }
        self.displaced.set(0);
        self.told.set(Some(now));
        tracing::warn!(
            message_id = id::LIMIT_REACHED,
            "{}: Warning: too many clients before login: {count} of the oldest were disconnected",
            self.shared.name
        );
    }

    /// Everything up to the hand-off. `Some`: handed over.
    async fn before_login(&self, stream: TcpStream, first: First) -> Option<Client> {
        let mut client = match Client::new(Rc::clone(&self.shared), stream) {
            Ok(client) => client,
            Err(error) => {
                tracing::warn!(
                    "{}: Warning: a client could not be served: {error}",
                    self.shared.name
                );
                return None;
            }
        };
        let session = self.session;
        let whole = async {
            if first == First::Tls
                && let Err(error) = client.start_tls().await
            {
                tracing::debug!("TLS handshake: {error}");
                return Ended::Disconnected("TLS handshaking failed");
            }
            session(&mut client).await
        };
        let ended = match tokio::time::timeout(DEADLINE, whole).await {
            Ok(ended) => ended,
            Err(_) => {
                client.say_inactive().await;
                Ended::Disconnected("Inactivity")
            }
        };
        client.log_end(&ended);
        match ended {
            Ended::HandedOver { .. } => Some(client),
            Ended::Disconnected(_) => {
                // A client that does not read its good-bye waits for nobody.
                let _ = tokio::time::timeout(Duration::from_secs(1), client.stream.close()).await;
                None
            }
        }
    }
}

/// What a client sends first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    Plain,
    Tls,
}

struct Place {
    server: Rc<Server>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.server.registry.borrow_mut().leave(self.number);
    }
}

/// Errors of accept(2) that waiting mends, and nothing else.
fn out_of_room(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
    )
}

impl Client {
    /// The deadline has passed; how to say so depends on the protocol.
    async fn say_inactive(&mut self) {
        let line: &[u8] = match self.facts().protocol {
            Protocol::Imap => b"* BYE Disconnected for inactivity.\r\n",
            Protocol::Pop3 => b"-ERR Disconnected for inactivity.\r\n",
            _ => b"BYE \"Disconnected for inactivity.\"\r\n",
        };
        // A client that does not read is not waited for.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.write(line)).await;
    }
}
