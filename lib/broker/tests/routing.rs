//! A real manager and real workers: routing, confinement, crash containment, kick, drain.
//!
//! No test harness: this program is its own worker, as `imap` is. Needs root, to become other users.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed test is a panic"
)]

use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use broker::worker::{Bounds, Outcome, Prepare, Serve, Work};
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
        who_has_other_settings_has_another_worker().await;
        a_crash_ends_its_own_user_only().await;
        a_kick_ends_one_session().await;
        a_user_that_cannot_be_served_is_told().await;
        the_limit_is_kept_and_idle_workers_make_room().await;
        a_drain_ends_everything().await;
        a_killed_worker_in_the_pool_costs_no_job().await;
        a_name_is_one_jobs_name().await;
        a_worker_that_stands_still_holds_up_nobody_else().await;
        a_new_manager_does_not_wait_for_those_who_say_nothing().await;
    });
    println!("11 passed, 0 failed");
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
    fn serve(&self, mut work: Work) -> Outcome {
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
            b"list" => format!("{:?}", std::fs::read_dir("/proc").is_ok()),
            b"connect" => format!("{:?}", UnixStream::connect("/").map_err(|e| e.kind())),
            b"limit" => limit_parent(),
            b"crash" => std::process::abort(),
            b"panic" => panic!("as asked"),
            b"wait" => wait(&work.stop),
            _ => "what?".to_owned(),
        };
        let _ = client.write_all(answer.as_bytes());
        Outcome::Done(answer.into_bytes())
    }
}

/// Another process of the same user may be another user's worker; the parent stands for it.
fn limit_parent() -> String {
    let none = rustix::process::Rlimit {
        current: None,
        maximum: None,
    };
    let parent = rustix::process::getppid();
    let limited = rustix::process::prlimit(parent, rustix::process::Resource::Core, none);
    format!("{limited:?}")
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
    for forbidden in ["spy", "run", "list"] {
        assert_eq!(
            ask(&manager, &ann, forbidden).await,
            (pid, "false".to_owned()),
            "{forbidden}"
        );
    }
    for forbidden in ["call", "connect"] {
        assert_eq!(
            ask(&manager, &ann, forbidden).await.1,
            "Err(PermissionDenied)"
        );
    }
    // `EPERM` from the filter; the kernel would say the same of a parent that is root.
    assert!(
        ask(&manager, &ann, "limit").await.1.starts_with("Err"),
        "limits of another process"
    );
    assert_ne!(ask(&manager, &bob, "status").await.0, pid);
    manager.drain().await;
}

async fn who_has_other_settings_has_another_worker() {
    let _scratch = Scratch::new();
    let (manager, _ended) = Manager::new("routing", limits(10));
    manager.run();
    let ann = identity("ann", 5001);
    let field = ("quota_rule".to_owned(), "*:storage=1M".to_owned());
    let changed = Identity {
        fields: vec![field],
        ..identity("ann", 5001)
    };
    let (before, _) = ask(&manager, &ann, "status").await;
    let (after, _) = ask(&manager, &changed, "status").await;
    assert_ne!(before, after);
    assert_eq!(ask(&manager, &changed, "status").await.0, after);
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
    assert!(manager.kick(&waiting.session), "bob's session goes on");
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
    assert!(manager.kick(&one.session));
    assert_eq!(one.begun.done().await.unwrap(), b"Some(Kicked)");
    assert_eq!(manager.load().0, 1);
    assert!(!manager.kick(&SessionId::random().unwrap()));
    assert!(manager.kick(&two.session));
    assert_eq!(two.begun.done().await.unwrap(), b"Some(Kicked)");
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

fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Stops a worker, as its user may do. Given back on drop, so that a failed test leaves none behind.
struct Stopped(u32);

impl Stopped {
    fn new(pid: u32) -> Self {
        signal(pid, rustix::process::Signal::STOP);
        Self(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        signal(self.0, rustix::process::Signal::CONT);
    }
}

async fn a_killed_worker_in_the_pool_costs_no_job() {
    let _scratch = Scratch::new();
    let (manager, mut ended) = Manager::new("routing", limits(10));
    manager.run();
    let ann = identity("ann", 5001);
    for child in children() {
        signal(child, rustix::process::Signal::KILL);
    }
    // Dead, and the manager does not know yet.
    assert_eq!(ask(&manager, &ann, "spy").await.1, "false");
    manager.drain().await;
    let mut ends = 0;
    while ended.try_recv().is_ok() {
        ends += 1;
    }
    assert_eq!(ends, 1, "a place in the dead worker is no job that ended");
}

/// Our own child processes.
fn children() -> Vec<u32> {
    let path = format!("/proc/self/task/{}/children", std::process::id());
    let children = std::fs::read_to_string(path).unwrap();
    let numbers = children.split_whitespace().map(|pid| pid.parse().unwrap());
    numbers.collect()
}

async fn a_name_is_one_jobs_name() {
    let _scratch = Scratch::new();
    let (manager, _ended) = Manager::new("routing", limits(10));
    let one = begin(&manager, &identity("ann", 5001), "wait")
        .await
        .unwrap();
    for user in ["ann", "bob"] {
        let again = manager.reserve(&identity(user, 5002), &one.session).await;
        assert!(matches!(again, Err(SubmitError::Duplicate)), "{user}");
    }
    manager.drain().await;
    let late = manager
        .reserve(&identity("ann", 5001), &SessionId::random().unwrap())
        .await;
    assert!(matches!(late, Err(SubmitError::Ending)));
}

async fn a_worker_that_stands_still_holds_up_nobody_else() {
    let _scratch = Scratch::new();
    let (manager, _ended) = Manager::new("routing", limits(10));
    let (ann, bob) = (identity("ann", 5001), identity("bob", 5002));
    let still = begin(&manager, &ann, "wait").await.unwrap();
    let stopped = Stopped::new(still.worker_pid);
    // More than its channel holds, and a word on top of it.
    let (_client, theirs) = UnixStream::pair().unwrap();
    let stuck = loop {
        let session = SessionId::random().unwrap();
        let place = manager.reserve(&ann, &session).await.unwrap();
        let fds = [theirs.as_fd()];
        let begun = place.begin(vec![0; 60_000], &fds);
        match tokio::time::timeout(Duration::from_millis(200), begun).await {
            Ok(begun) => drop(begun.unwrap()),
            Err(_) => break still,
        }
    };
    assert!(manager.kick(&stuck.session));
    assert_eq!(ask(&manager, &bob, "spy").await.1, "false");
    drop(stopped);
    assert_eq!(stuck.begun.done().await.unwrap(), b"Some(Kicked)");
    drop((_client, theirs));
    manager.drain().await;
}

async fn a_new_manager_does_not_wait_for_those_who_say_nothing() {
    let _scratch = Scratch::new();
    let (ours, theirs) = sys::seqpacket::pair().unwrap();
    let (silent, _silent_worker) = sys::seqpacket::pair().unwrap();
    let (gone, _) = sys::seqpacket::pair().unwrap();
    let session = SessionId::random().unwrap();
    let job = session.clone();
    let worker = std::thread::spawn(move || report(&ipc::Channel::new(theirs), job));
    let (manager, mut ended) = Manager::new("routing", limits(10));
    let begun = std::time::Instant::now();
    let resumed = manager.resume(vec![silent, gone, ours]).await;
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(resumed.len(), 1);
    assert_eq!(
        (resumed[0].session.clone(), resumed[0].user.as_str()),
        (session.clone(), "ann")
    );
    assert_eq!(manager.load(), (1, 2));
    assert!(manager.kick(&session));
    assert_eq!(ended.recv().await.unwrap().session, session);
    worker.join().unwrap();
}

/// A worker of an earlier manager: tells what it has, and ends it when it is kicked.
fn report(channel: &ipc::Channel, session: SessionId) {
    use ipc::worker::{FromWorker, ToWorker};
    assert!(matches!(channel.recv().unwrap().0, ToWorker::Report));
    for jobs in [vec![(session.clone(), Vec::new())], Vec::new()] {
        let user = Some(Username::try_from("ann".to_owned()).unwrap());
        let pid = std::process::id();
        let running = FromWorker::Running { pid, user, jobs };
        channel.send(&running, &[]).unwrap();
    }
    assert!(matches!(channel.recv().unwrap().0, ToWorker::Kick { .. }));
    let content = Vec::new();
    channel
        .send(&FromWorker::Done { session, content }, &[])
        .unwrap();
}
