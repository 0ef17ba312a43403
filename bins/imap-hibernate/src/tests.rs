//! A manager of a test, and clients that do what clients do.

use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use ipc::hibernate::{Farewell, Hold, Keepalive, Parked, Reply, Request, Slot};
use ipc::{AsyncChannel, SessionId, Username, VERSION};
use service::Callers;
use tokio::task::LocalSet;

use crate::manager;
use crate::serve::Shared;
use crate::shelf::Shelf;

/// A client with nothing to be done for it.
pub fn parked(session: &str) -> Parked {
    Parked {
        session: SessionId::try_from(session.to_owned()).unwrap(),
        user: Username::try_from("ann".to_owned()).unwrap(),
        remote: [192, 0, 2, 1].into(),
        hold: Hold {
            keepalive: None,
            ends_at: u64::MAX,
            stats: "in=1 out=2".to_owned(),
        },
        sealed: session.as_bytes().to_vec(),
    }
}

fn local(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, test);
}

fn shared() -> Rc<Shared> {
    let (shelf, found) = Shelf::open(Vec::new()).unwrap();
    let callers = Callers::new(|_| Some(rustix::process::geteuid().as_raw()));
    Shared::new(shelf, found, callers)
}

struct Manager(AsyncChannel);

impl Manager {
    /// Connected, and told what is held.
    async fn new(shared: &Rc<Shared>) -> (Self, Vec<(Slot, Vec<u8>)>) {
        let (ours, theirs) = sys::seqpacket::pair().unwrap();
        let theirs = AsyncChannel::new(theirs).unwrap();
        tokio::task::spawn_local(manager::serve(theirs, Rc::clone(shared)));
        let manager = Self(AsyncChannel::new(ours).unwrap());
        manager.say(Request::Hello { version: VERSION }).await;
        assert!(matches!(manager.hear().await, Reply::Hello { .. }));
        let mut held = Vec::new();
        loop {
            match manager.hear().await {
                Reply::Holds { slot, sealed } => held.push((slot, sealed)),
                Reply::HoldsAll => return (manager, held),
                other => panic!("{other:?}"),
            }
        }
    }

    /// The same, serving.
    async fn serving(shared: &Rc<Shared>) -> Self {
        let manager = Self::new(shared).await.0;
        manager.say(Request::Serve).await;
        manager
    }

    async fn say(&self, request: Request) {
        self.0.send(&request, &[]).await.unwrap();
    }

    async fn hear(&self) -> Reply {
        self.0.recv().await.unwrap().0
    }

    async fn hold(&self, slot: u32, parked: Parked) -> UnixStream {
        let (client, theirs) = UnixStream::pair().unwrap();
        let slot = Slot(slot);
        let hold = Request::Hold { slot, parked };
        self.0.send(&hold, &[theirs.as_fd()]).await.unwrap();
        assert!(matches!(self.hear().await, Reply::Held { .. }));
        client
    }

    async fn is_cut_off(&self) -> bool {
        self.0.recv::<Reply>().await.is_err()
    }
}

/// What the client reads, and whether that is all.
fn read(client: &mut UnixStream) -> (String, bool) {
    client.set_nonblocking(true).unwrap();
    let mut text = Vec::new();
    let ended = client.read_to_end(&mut text).is_ok();
    (String::from_utf8(text).unwrap(), ended)
}

/// Lets everybody do what there is to do.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[test]
fn what_a_client_says_is_left_for_the_worker() {
    local(async {
        let shared = shared();
        let manager = Manager::serving(&shared).await;
        let mut client = manager.hold(3, parked("x")).await;
        client.write_all(b"DONE\r\n").unwrap();
        let (woken, mut fds) = manager.0.recv::<Reply>().await.unwrap();
        let Reply::Woken { slot, sealed, sent } = woken else {
            panic!("{woken:?}")
        };
        assert_eq!((slot, sealed.as_slice(), sent), (Slot(3), &b"x"[..], 0));
        let mut worker = UnixStream::from(fds.pop().unwrap());
        manager.say(Request::Release { slot }).await;
        settle().await;
        let mut line = [0; 6];
        worker.read_exact(&mut line).unwrap();
        assert_eq!(&line, b"DONE\r\n");
        // Nobody else has it: its end is the client's.
        drop(worker);
        assert_eq!(read(&mut client), (String::new(), true));
        assert!(!shared.has(slot));
    });
}

#[test]
fn changes_of_the_mailbox_wake_and_time_does() {
    local(async {
        let shared = shared();
        let manager = Manager::serving(&shared).await;
        let (_client, theirs) = UnixStream::pair().unwrap();
        let (mut mailbox, watch) = UnixStream::pair().unwrap();
        let slot = Slot(0);
        let hold = Request::Hold {
            slot,
            parked: parked("x"),
        };
        manager
            .0
            .send(&hold, &[theirs.as_fd(), watch.as_fd()])
            .await
            .unwrap();
        assert!(matches!(manager.hear().await, Reply::Held { .. }));
        mailbox.write_all(b"!").unwrap();
        assert!(matches!(manager.hear().await, Reply::Woken { .. }));
        manager.say(Request::Release { slot }).await;
        let mut late = parked("late");
        late.hold.ends_at = 0;
        let _late = manager.hold(1, late).await;
        assert!(matches!(
            manager.hear().await,
            Reply::Woken { slot: Slot(1), .. }
        ));
    });
}

#[test]
fn a_client_hears_that_we_are_here_as_long_as_a_manager_is() {
    local(async {
        let shared = shared();
        let manager = Manager::serving(&shared).await;
        let mut talking = parked("x");
        talking.hold.keepalive = Some(Keepalive {
            interval: 20,
            next_at: 0,
        });
        let mut client = manager.hold(0, talking).await;
        let mut heard = String::new();
        while heard.len() < 34 {
            settle().await;
            heard += &read(&mut client).0;
        }
        assert!(heard.starts_with("* OK Still here\r\n* OK Still here\r\n"));
        drop(manager);
        settle().await;
        heard += &read(&mut client).0;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(read(&mut client).0, "", "somebody else may have it");
        let (manager, held) = Manager::new(&shared).await;
        assert_eq!(held, [(Slot(0), b"x".to_vec())]);
        manager.say(Request::Serve).await;
        let before = heard.len();
        while heard.len() == before {
            settle().await;
            heard += &read(&mut client).0;
        }
        client.write_all(b"DONE\r\n").unwrap();
        let Reply::Woken { sent, .. } = manager.hear().await else {
            panic!("something else")
        };
        heard += &read(&mut client).0;
        assert_eq!(sent, heard.len() as u64);
    });
}

#[test]
fn whoever_hangs_up_is_told_of_and_whoever_is_sent_away_hears_why() {
    local(async {
        let shared = shared();
        let manager = Manager::serving(&shared).await;
        drop(manager.hold(0, parked("gone")).await);
        assert!(matches!(
            manager.hear().await,
            Reply::Ended { slot: Slot(0) }
        ));
        let mut kicked = manager.hold(0, parked("kicked")).await;
        let (slot, why) = (Slot(0), Farewell::Kicked);
        manager.say(Request::End { slot, why }).await;
        assert!(matches!(
            manager.hear().await,
            Reply::Ended { slot: Slot(0) }
        ));
        let bye = "* BYE Disconnected by administrator.\r\n".to_owned();
        assert_eq!(read(&mut kicked), (bye, true));
    });
}

#[test]
fn a_manager_that_dies_with_a_client_in_its_hands_loses_nobody() {
    local(async {
        let shared = shared();
        let manager = Manager::serving(&shared).await;
        let mut client = manager.hold(0, parked("x")).await;
        client.write_all(b"DONE\r\n").unwrap();
        assert!(matches!(manager.hear().await, Reply::Woken { .. }));
        drop(manager);
        let (manager, held) = Manager::new(&shared).await;
        assert_eq!(held.len(), 1);
        manager.say(Request::Serve).await;
        assert!(matches!(manager.hear().await, Reply::Woken { .. }));
    });
}

#[test]
fn who_is_no_manager_or_breaks_a_rule_is_cut_off() {
    local(async {
        let (shelf, found) = Shelf::open(Vec::new()).unwrap();
        let stranger = Shared::new(shelf, found, Callers::new(|_| None));
        let (ours, theirs) = sys::seqpacket::pair().unwrap();
        let theirs = AsyncChannel::new(theirs).unwrap();
        tokio::task::spawn_local(manager::serve(theirs, stranger));
        let peer = Manager(AsyncChannel::new(ours).unwrap());
        peer.say(Request::Hello { version: VERSION }).await;
        assert!(peer.is_cut_off().await);

        let shared = shared();
        let hold = |slot| Request::Hold {
            slot: Slot(slot),
            parked: parked("x"),
        };
        let manager = Manager::serving(&shared).await;
        manager.say(hold(0)).await;
        assert!(manager.is_cut_off().await, "a client without a descriptor");
        let manager = Manager::serving(&shared).await;
        let file = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        manager.0.send(&hold(0), &[file.as_fd()]).await.unwrap();
        assert!(manager.is_cut_off().await, "a file");
        let manager = Manager::serving(&shared).await;
        let _client = manager.hold(0, parked("x")).await;
        let (_other, theirs) = UnixStream::pair().unwrap();
        manager.0.send(&hold(0), &[theirs.as_fd()]).await.unwrap();
        assert!(manager.is_cut_off().await, "a slot that is taken");
        let (first, _) = Manager::new(&shared).await;
        let (_second, held) = Manager::new(&shared).await;
        assert_eq!(held.len(), 1, "whoever was held is held");
        first.say(Request::Serve).await;
        assert!(first.is_cut_off().await, "one manager at a time");
    });
}
