//! Fake auth and deliver services behind real sockets, and clients that talk to a real connection.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use config::{Facts, Snapshot};
use ipc::auth_master::{MailUser, Refusal};
use ipc::deliver::{Delivery, Failure};
use ipc::{AsyncChannel, AsyncListener, SessionId, Username, auth_master, deliver};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::connection::{Connection, Reason};
use crate::deliveries::Deliveries;
use crate::session::Session;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::users::Users;

/// A configuration of a host with a name, and `more` of it.
pub fn snapshot(more: &str) -> Snapshot {
    let text = format!("hostname = host.example\n{more}\n");
    config::parse_text(Path::new("culver.conf"), &text)
        .snapshot("lmtp", &config::NoNames)
        .unwrap()
}

/// Settings of that configuration.
pub fn settings(more: &str) -> Settings {
    snapshot(more)
        .settings(&Facts::of_protocol("lmtp"))
        .unwrap()
}

/// What the fake deliver service has seen.
#[derive(Default)]
pub struct Mailboxes {
    /// Deliveries that succeeded, with the message as it would be on disk.
    pub delivered: Vec<(Delivery, String)>,
    /// Users with a delivery under way.
    busy: HashMap<String, u32>,
    /// Most deliveries under way at a time, for one user and for all.
    pub most: (u32, u32),
}

/// A host: services, and a place for their sockets.
pub struct Host {
    pub shared: Arc<Shared>,
    pub mailboxes: Arc<Mutex<Mailboxes>>,
    pub drain: watch::Sender<bool>,
    pub directory: tempfile::TempDir,
    services: Vec<JoinHandle<()>>,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.services.iter().for_each(JoinHandle::abort);
    }
}

impl Host {
    /// Users: everybody whose name begins with a lower-case letter but no `x`; auth fails for those with `temp`.
    /// Deliveries: `full`, `quota`, `broken`, `gone`, `vanish` fail as they are called.
    pub fn start(more: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (auth, deliver) = (
            directory.path().join("auth"),
            directory.path().join("deliver"),
        );
        let mailboxes = Arc::<Mutex<Mailboxes>>::default();
        let services = vec![
            tokio::spawn(serve_auth(listen(&auth))),
            tokio::spawn(serve_deliver(listen(&deliver), Arc::clone(&mailboxes))),
        ];
        let spool = format!("mail_temp_dir = {}\n{more}", directory.path().display());
        let shared = Shared::new(snapshot(&spool), Users::new(auth), Deliveries::new(deliver));
        Self {
            shared,
            mailboxes,
            drain: watch::channel(false).0,
            directory,
            services,
        }
    }

    /// A connected client that has not read the greeting.
    pub fn connect(&self) -> (DuplexStream, JoinHandle<(Reason, &'static str)>) {
        let (client, server) = tokio::io::duplex(1024 * 1024);
        let id = SessionId::try_from("session".to_owned()).unwrap();
        let settings = self.shared.settings(None, None).unwrap();
        let session = Session::new(Arc::clone(&self.shared), settings, id, None);
        (
            client,
            tokio::spawn(Connection::new(server, session, self.drain.subscribe()).serve()),
        )
    }

    /// Sends `pieces` one by one, then hangs up, and returns all that the server said after the greeting.
    pub async fn talk<'a>(&self, pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
        let (client, server) = self.connect();
        let (mut reader, mut writer) = tokio::io::split(client);
        let listening = tokio::spawn(async move {
            let mut all = String::new();
            reader.read_to_string(&mut all).await.unwrap();
            all
        });
        for piece in pieces {
            // The server may close first.
            let _ = writer.write_all(piece).await;
            tokio::task::yield_now().await;
        }
        let _ = writer.shutdown().await;
        server.await.unwrap();
        let all = listening.await.unwrap();
        all.strip_prefix("220 host.example Culver ready.\r\n")
            .unwrap()
            .to_owned()
    }

    /// Who got a message, and its text without the header lines of ours.
    pub fn delivered(&self) -> Vec<(String, String)> {
        let mailboxes = self.mailboxes.lock().unwrap();
        let text =
            |(delivery, text): &(Delivery, String)| (delivery.recipient.clone(), text.clone());
        mailboxes.delivered.iter().map(text).collect()
    }
}

fn listen(path: &Path) -> AsyncListener {
    let socket: OwnedFd =
        rustix::net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
    rustix::net::bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    rustix::net::listen(&socket, 16).unwrap();
    AsyncListener::new(socket).unwrap()
}

async fn serve_auth(listener: AsyncListener) {
    while let Ok(channel) = listener.accept().await {
        tokio::spawn(async move {
            while let Ok((request, _)) = channel.recv::<auth_master::Request>().await {
                let reply = match request {
                    auth_master::Request::Hello { version } => {
                        auth_master::Reply::Hello { version }
                    }
                    auth_master::Request::Lookup { id, user, .. } => look_up(id, &user),
                    _ => return,
                };
                channel.send(&reply, &[]).await.unwrap();
            }
        });
    }
}

fn look_up(id: u32, user: &str) -> auth_master::Reply {
    let refused = |why| auth_master::Reply::Refused { id, why };
    if user.contains("temp") {
        return refused(Refusal::Unavailable);
    }
    match Username::try_from(user.to_lowercase()) {
        Ok(name) if user.starts_with(|first: char| first.is_ascii_lowercase() && first != 'x') => {
            let user = MailUser {
                name,
                uid: None,
                gid: None,
                home: None,
                chroot: None,
                mail: None,
                groups: Vec::new(),
                fields: Vec::new(),
            };
            auth_master::Reply::User { id, user }
        }
        _ => refused(Refusal::UnknownUser),
    }
}

async fn serve_deliver(listener: AsyncListener, mailboxes: Arc<Mutex<Mailboxes>>) {
    while let Ok(channel) = listener.accept().await {
        let (channel, mailboxes) = (Arc::new(channel), Arc::clone(&mailboxes));
        tokio::spawn(async move {
            while let Ok((request, mut fds)) = channel.recv::<deliver::Request>().await {
                match request {
                    deliver::Request::Hello { version } => {
                        channel
                            .send(&deliver::Reply::Hello { version }, &[])
                            .await
                            .unwrap();
                    }
                    deliver::Request::Deliver { delivery, .. }
                        if delivery.user.starts_with("vanish") =>
                    {
                        return;
                    }
                    deliver::Request::Deliver { id, delivery } => {
                        let work =
                            deliver(Arc::clone(&channel), Arc::clone(&mailboxes), fds.remove(0));
                        tokio::spawn(work.run(id, delivery));
                    }
                }
            }
        });
    }
}

struct Work {
    channel: Arc<AsyncChannel>,
    mailboxes: Arc<Mutex<Mailboxes>>,
    message: OwnedFd,
}

fn deliver(channel: Arc<AsyncChannel>, mailboxes: Arc<Mutex<Mailboxes>>, message: OwnedFd) -> Work {
    Work {
        channel,
        mailboxes,
        message,
    }
}

impl Work {
    async fn run(self, id: u32, delivery: Delivery) {
        let user = delivery.user.to_lowercase();
        {
            let mut mailboxes = self.mailboxes.lock().unwrap();
            *mailboxes.busy.entry(user.clone()).or_default() += 1;
            mailboxes.most.0 = mailboxes.most.0.max(mailboxes.busy[&user]);
            mailboxes.most.1 = mailboxes.most.1.max(mailboxes.busy.values().sum());
        }
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let failure = match user.split('@').next().unwrap() {
            "full" => Some(Failure::DiskFull),
            "quota" => Some(Failure::OverQuota),
            "broken" => Some(Failure::Unavailable),
            "gone" => Some(Failure::UnknownUser),
            _ => None,
        };
        *self.mailboxes.lock().unwrap().busy.get_mut(&user).unwrap() -= 1;
        let reply = match failure {
            Some(why) => deliver::Reply::Failed { id, why },
            None => {
                let text = read(self.message);
                self.mailboxes
                    .lock()
                    .unwrap()
                    .delivered
                    .push((delivery, text));
                deliver::Reply::Delivered { id }
            }
        };
        self.channel.send(&reply, &[]).await.unwrap();
    }
}

fn read(message: OwnedFd) -> String {
    let file = File::from(message);
    let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}
