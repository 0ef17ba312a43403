//! A manager and an imap-hibernate that does what it should, or something else.

use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use ipc::facts::{Facts, Protocol, Transport};
use ipc::hibernate::Reply;
use ipc::{AsyncChannel, AsyncListener, Username, VERSION};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::LocalSet;

use super::*;
use crate::Limits;

fn local(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, test);
}

fn listener(path: &Path) -> AsyncListener {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    listen(&socket, 8).unwrap();
    AsyncListener::new(socket).unwrap()
}

struct Site {
    directory: tempfile::TempDir,
    listener: AsyncListener,
    parking: Rc<Parking>,
    events: UnboundedReceiver<Event>,
}

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = listener(&directory.path().join("socket"));
        let (parking, events) = parking(&directory, Ledger::open(None).unwrap());
        Self {
            directory,
            listener,
            parking,
            events,
        }
    }

    /// Takes the manager's connection, with these sessions already there.
    async fn greet(&self, held: &[(Slot, Vec<u8>)]) -> (AsyncChannel, Vec<Slot>) {
        let keeper = self.listener.accept().await.unwrap();
        let hello: Request = keeper.recv().await.unwrap().0;
        assert!(matches!(hello, Request::Hello { .. }));
        let (version, pid) = (VERSION, 77);
        say(&keeper, Reply::Hello { version, pid }).await;
        for (slot, sealed) in held.iter().cloned() {
            say(&keeper, Reply::Holds { slot, sealed }).await;
        }
        say(&keeper, Reply::HoldsAll).await;
        let mut released = Vec::new();
        loop {
            match keeper.recv().await.unwrap().0 {
                Request::Release { slot } => released.push(slot),
                Request::Serve => return (keeper, released),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Parks a session; its slot, its record, and its client as imap-hibernate has it.
    async fn park(&self, keeper: &AsyncChannel, name: &str) -> (Slot, Vec<u8>, OwnedFd) {
        let (client, _) = UnixStream::pair().unwrap();
        let parking = Rc::clone(&self.parking);
        let held = tokio::task::spawn_local(hold(parking, name.to_owned(), client));
        let (request, mut fds) = keeper.recv::<Request>().await.unwrap();
        let Request::Hold { slot, parked } = request else {
            panic!("{request:?}")
        };
        assert_eq!(parked.user.as_str(), "ann");
        say(keeper, Reply::Held { slot }).await;
        held.await.unwrap().unwrap();
        (slot, parked.sealed, fds.remove(0))
    }
}

fn parking(
    directory: &tempfile::TempDir,
    ledger: Ledger,
) -> (Rc<Parking>, UnboundedReceiver<Event>) {
    let limits = Limits {
        client_limit: 1,
        process_limit: 1,
        process_min_avail: 0,
        service_count: 0,
        idle_kill: Duration::from_secs(60),
    };
    let (manager, _) = Manager::new("test", limits);
    Parking::at(directory.path().join("socket"), "test", manager, ledger)
}

async fn hold(parking: Rc<Parking>, name: String, client: UnixStream) -> Result<(), NotHeld> {
    let session = SessionId::try_from(name).unwrap();
    let identity = Identity {
        user: Username::try_from("ann".to_owned()).unwrap(),
        uid: 1000,
        gid: 1000,
        groups: Vec::new(),
        chroot: None,
        home: None,
        mail: None,
        fields: Vec::new(),
    };
    let facts = Facts {
        protocol: Protocol::Imap,
        session: session.clone(),
        local: ([127, 0, 0, 1], 143).into(),
        remote: ([192, 0, 2, 1], 1).into(),
        transport: Transport::Plain,
    };
    let leaving = Leaving {
        session: &session,
        identity: &identity,
        rest: Rest {
            facts,
            state: b"state".to_vec(),
        },
        hold: Hold {
            keepalive: None,
            ends_at: 0,
            stats: String::new(),
        },
        fds: &[client.into()],
    };
    parking.hold(leaving).await
}

async fn say(keeper: &AsyncChannel, reply: Reply) {
    keeper.send(&reply, &[]).await.unwrap();
}

async fn wake(keeper: &AsyncChannel, (slot, sealed): (Slot, Vec<u8>), client: &OwnedFd) {
    let woken = Reply::Woken {
        slot,
        sealed,
        sent: 5,
    };
    keeper.send(&woken, &[client.as_fd()]).await.unwrap();
}

#[test]
fn a_session_goes_and_comes_back_once() {
    local(async {
        let mut site = Site::new();
        let connecting = Rc::clone(&site.parking);
        tokio::task::spawn_local(async move { connecting.connection().await.map(drop) });
        let (keeper, _) = site.greet(&[]).await;
        let (slot, sealed, client) = site.park(&keeper, "one").await;
        assert!(site.parking.is_needed() && site.parking.len() == 1);
        wake(&keeper, (slot, sealed.clone()), &client).await;
        let Some(Event::Woken(woken)) = site.events.recv().await else {
            panic!("something else")
        };
        assert_eq!(woken.ticket.identity.user.as_str(), "ann");
        assert_eq!(
            (woken.ticket.rest.state.as_slice(), woken.sent),
            (&b"state"[..], 5)
        );
        // Somebody wants it to end just now: the worker that has it is told.
        assert!(site.parking.kick(&woken.ticket.session));
        assert!(site.parking.returned(&woken.ticket));
        assert!(matches!(
            keeper.recv().await.unwrap().0,
            Request::Release { .. }
        ));
        assert!(!site.parking.is_needed() && !site.parking.has(&woken.ticket.session));
        wake(&keeper, (slot, sealed), &client).await;
        assert!(keeper.recv::<Request>().await.is_err(), "cut off");
    });
}

#[test]
fn the_next_manager_finds_who_is_parked_and_believes_no_lie() {
    local(async {
        let site = Site::new();
        let connecting = Rc::clone(&site.parking);
        tokio::task::spawn_local(async move { connecting.connection().await.map(drop) });
        let (keeper, _) = site.greet(&[]).await;
        let (slot, sealed, _client) = site.park(&keeper, "one").await;
        let (other, mut changed, _client) = site.park(&keeper, "two").await;
        if let Some(byte) = changed.last_mut() {
            *byte ^= 1;
        }
        let stored = site.parking.ledger.borrow().stored();
        let (next, mut events) = parking(&site.directory, Ledger::open(Some(stored)).unwrap());
        tokio::task::spawn_local(async move { next.connect().await });
        let (_keeper, released) = site.greet(&[(slot, sealed), (other, changed)]).await;
        assert_eq!(released, [other]);
        let Some(Event::Found(ticket)) = events.recv().await else {
            panic!("something else")
        };
        assert_eq!(ticket.session.as_str(), "one");
    });
}

#[test]
fn who_is_not_held_stays_and_who_is_lost_is_told_of() {
    local(async {
        let mut site = Site::new();
        let connecting = Rc::clone(&site.parking);
        tokio::task::spawn_local(async move { connecting.connection().await.map(drop) });
        let (keeper, _) = site.greet(&[]).await;
        let (client, _other) = UnixStream::pair().unwrap();
        let parking = Rc::clone(&site.parking);
        let held = tokio::task::spawn_local(hold(parking, "no".to_owned(), client));
        let Request::Hold { slot, .. } = keeper.recv().await.unwrap().0 else {
            panic!("something else")
        };
        say(&keeper, Reply::NotHeld { slot }).await;
        assert!(matches!(held.await.unwrap(), Err(NotHeld::Refused)));
        assert!(!site.parking.is_needed());
        let (_, _, _client) = site.park(&keeper, "lost").await;
        drop(keeper);
        let (_keeper, _) = site.greet(&[]).await;
        let Some(Event::Lost(session)) = site.events.recv().await else {
            panic!("something else")
        };
        assert_eq!(session.as_str(), "lost");
        assert!(!site.parking.is_needed());
    });
}
