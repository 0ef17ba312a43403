//! A real manager and real workers: routing, confinement, crash containment, kick, drain.
//!
//! No test harness: this program is its own worker, as `imap` is. Needs root, to become other users.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test is a panic")]

use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use broker::worker::{Bounds, Prepare, Serve, Work};
use broker::{Limits, Manager, Stop, SubmitError};
use ipc::worker::Identity;
use ipc::{SessionId, Username};

fn main() -> ExitCode {
    if broker::worker::is_worker() {
        return broker::worker::run("routing", || {
            Ok((
                Home,
                Bounds {
                    address_space: None,
                },
            ))
        });
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let tests = tokio::task::LocalSet::new();
    tests.block_on(&runtime, async {
        sessions_of_a_user_share_a_confined_worker().await;
        a_crash_ends_its_own_user_only().await;
        a_kick_ends_one_session().await;
        a_user_that_cannot_be_served_is_told().await;
        the_limit_is_kept_and_idle_workers_make_room().await;
        a_drain_ends_everything().await;
    });
    println!("6 passed, 0 failed");
    ExitCode::SUCCESS
}

struct Home;

impl Prepare for Home {
    type Server = Commands;

    fn directories(&self, identity: &Identity) -> Result<Vec<PathBuf>, String> {
        let home = PathBuf::from(identity.home.clone().ok_or("no home")?);
        broker::worker::make_directory(&home)?;
        Ok(vec![home])
    }

    fn open(self, _: Identity) -> Result<Commands, String> {
        Ok(Commands)
    }
}

/// Does what a client's bytes say, and says how it went.
struct Commands;

impl Serve for Commands {
    fn serve(&self, mut work: Work) -> Vec<u8> {
        let mut client = UnixStream::from(work.fds.remove(0));
        let mut command = [0; 64];
        let count = client.read(&mut command).unwrap();
        let answer = match &command[..count] {
            b"status" => std::fs::read_to_string("/proc/self/status").unwrap(),
            b"spy" => format!("{:?}", std::fs::read("/etc/hostname").is_ok()),
            b"run" => format!(
                "{:?}",
                std::process::Command::new("/bin/true").status().is_ok()
            ),
            b"call" => format!(
                "{:?}",
                std::net::TcpStream::connect("127.0.0.1:1").map_err(|e| e.kind())
            ),
            b"crash" => std::process::abort(),
            b"panic" => panic!("as asked"),
            b"wait" => wait(&work.stop),
            _ => "what?".to_owned(),
        };
        let _ = client.write_all(answer.as_bytes());
        answer.into_bytes()
    }
}

fn wait(stop: &Stop) -> String {
    let mut fds = [rustix::event::PollFd::new(
        stop,
        rustix::event::PollFlags::IN,
    )];
    rustix::event::poll(&mut fds, None).unwrap();
    format!("{:?}", stop.reason())
}

fn limits(process_limit: usize) -> Limits {
    Limits {
        client_limit: usize::MAX,
        process_limit,
        process_min_avail: 1,
        service_count: 0,
        idle_kill: Duration::from_secs(60),
    }
}

fn identity(user: &str, uid: u32) -> Identity {
    Identity {
        user: Username::try_from(user.to_owned()).unwrap(),
        uid,
        gid: uid,
        groups: vec![uid],
        chroot: None,
        home: Some(format!(
            "/tmp/culver-broker-test-{}/{user}",
            std::process::id()
        )),
        mail: None,
        fields: Vec::new(),
    }
}

/// The homes' parent, which users may write.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let path = PathBuf::from(format!("/tmp/culver-broker-test-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Running {
    client: UnixStream,
    session: SessionId,
    begun: broker::Begun,
    worker_pid: u32,
}

async fn begin(
    manager: &Manager,
    identity: &Identity,
    command: &str,
) -> Result<Running, SubmitError> {
    let session = SessionId::random().unwrap();
    let (mut client, theirs) = UnixStream::pair().unwrap();
    let reserved = manager.reserve(identity, &session).await?;
    let worker_pid = reserved.worker_pid();
    let begun = reserved.begin(Vec::new(), &[theirs.as_fd()]).await?;
    client.write_all(command.as_bytes()).unwrap();
    Ok(Running {
        client,
        session,
        begun,
        worker_pid,
    })
}

async fn ask(manager: &Manager, identity: &Identity, command: &str) -> (u32, String) {
    let running = begin(manager, identity, command).await.unwrap();
    let answer = running.begun.done().await.unwrap();
    (running.worker_pid, String::from_utf8(answer).unwrap())
}

fn line<'a>(status: &'a str, name: &str) -> Vec<&'a str> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap();
    line.split_whitespace().collect()
}

async fn sessions_of_a_user_share_a_confined_worker() {
    let _scratch = Scratch::new();
    let (manager, _ended) = Manager::new("routing", limits(10));
    manager.run();
    let (ann, bob) = (identity("ann", 5001), identity("bob", 5002));
    let (pid, status) = ask(&manager, &ann, "status").await;
    assert_eq!(line(&status, "Uid:"), ["5001"; 4]);
    assert_eq!(line(&status, "Gid:"), ["5001"; 4]);
    assert_eq!(line(&status, "Groups:"), ["5001"]);
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(line(&status, set), ["0000000000000000"], "{set}");
    }
    assert_eq!(line(&status, "NoNewPrivs:"), ["1"]);
    assert_eq!(line(&status, "Seccomp:"), ["2"]);
    for forbidden in ["spy", "run"] {
        assert_eq!(
            ask(&manager, &ann, forbidden).await,
            (pid, "false".to_owned()),
            "{forbidden}"
        );
    }
    assert_eq!(ask(&manager, &ann, "call").await.1, "Err(PermissionDenied)");
    assert_ne!(ask(&manager, &bob, "status").await.0, pid);
    manager.drain().await;
}

async fn a_crash_ends_its_own_user_only() {
    let _scratch = Scratch::new();
    let (manager, mut ended) = Manager::new("routing", limits(10));
    let (ann, bob) = (identity("ann", 5001), identity("bob", 5002));
    let waiting = begin(&manager, &bob, "wait").await.unwrap();
    // A panic ends its session, not the worker.
    let panicked = begin(&manager, &ann, "panic").await.unwrap();
    let pid = panicked.worker_pid;
    assert_eq!(panicked.begun.done().await.unwrap(), b"");
    assert_eq!(ask(&manager, &ann, "spy").await.0, pid);
    let crashing = begin(&manager, &ann, "crash").await.unwrap();
    let session = crashing.session.clone();
    assert!(matches!(
        crashing.begun.done().await,
        Err(SubmitError::Crashed)
    ));
    let lost = loop {
        let ended = ended.recv().await.unwrap();
        if ended.session == session {
            break ended;
        }
    };
    assert!(lost.content.is_none());
    assert_ne!(ask(&manager, &ann, "spy").await.0, pid);
    assert!(
        manager.kick(&waiting.session).await,
        "bob's session goes on"
    );
    assert_eq!(waiting.begun.done().await.unwrap(), b"Some(Kicked)");
    manager.drain().await;
}

async fn a_kick_ends_one_session() {
    let _scratch = Scratch::new();
    let (manager, _ended) = Manager::new("routing", limits(10));
    let ann = identity("ann", 5001);
    let (one, two) = (
        begin(&manager, &ann, "wait").await.unwrap(),
        begin(&manager, &ann, "wait").await.unwrap(),
    );
    assert!(manager.kick(&one.session).await);
    assert_eq!(one.begun.done().await.unwrap(), b"Some(Kicked)");
    assert_eq!(manager.load().0, 1);
    assert!(!manager.kick(&SessionId::random().unwrap()).await);
    assert!(manager.kick(&two.session).await);
    let mut rest = String::new();
    let mut client = two.client;
    client.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "Some(Kicked)");
    manager.drain().await;
}

async fn a_user_that_cannot_be_served_is_told() {
    let (manager, _ended) = Manager::new("routing", limits(10));
    let root = Identity {
        uid: 0,
        ..identity("root", 5003)
    };
    let homeless = Identity {
        home: None,
        ..identity("ann", 5001)
    };
    for (who, why) in [(root, "uid or gid 0"), (homeless, "no home")] {
        match begin(&manager, &who, "spy").await {
            Err(SubmitError::Worker(reason)) => assert!(reason.contains(why), "{reason}"),
            other => panic!("{:?}", other.map(|_| ())),
        }
    }
    manager.drain().await;
}

async fn the_limit_is_kept_and_idle_workers_make_room() {
    let _scratch = Scratch::new();
    let (manager, _ended) = Manager::new("routing", limits(2));
    let busy = begin(&manager, &identity("ann", 5001), "wait")
        .await
        .unwrap();
    ask(&manager, &identity("bob", 5002), "spy").await;
    // Bob's worker is idle and goes.
    let cyd = begin(&manager, &identity("cyd", 5003), "wait")
        .await
        .unwrap();
    let refused = begin(&manager, &identity("dan", 5004), "spy").await;
    assert!(
        matches!(refused, Err(SubmitError::Limit(2))),
        "{:?}",
        refused.map(|_| ())
    );
    drop((busy, cyd));
    manager.drain().await;
}

async fn a_drain_ends_everything() {
    let _scratch = Scratch::new();
    let (manager, _ended) = Manager::new("routing", limits(10));
    let waiting = begin(&manager, &identity("ann", 5001), "wait")
        .await
        .unwrap();
    manager.drain().await;
    assert_eq!(waiting.begun.done().await.unwrap(), b"Some(Drain)");
    assert_eq!(manager.load(), (0, 0));
}
