//! Sessions as a worker serves them: the real storage behind real sockets, all in one process.

use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::JoinHandle;

use broker::Stop;
use ipc::facts::{Protocol, Transport};
use ipc::{SessionId, Username};

use super::*;

/// A session's stack in a worker (`broker::worker`).
const STACK: usize = 1 << 20;

/// A user with `mails` messages in INBOX.
fn user(home: &Path, mails: usize) -> Arc<User> {
    user_with(home, mails, "")
}

/// The same with more settings.
fn user_with(home: &Path, mails: usize, more: &str) -> Arc<User> {
    let text = format!("mail_location = maildir:~/Maildir\n{more}\n");
    let config = config::parse_text(Path::new("culver.conf"), &text);
    let snapshot = config.snapshot("imap", &config::NoNames).unwrap();
    let identity = Identity {
        user: Username::try_from("demo".to_owned()).unwrap(),
        uid: 1000,
        gid: 1000,
        groups: Vec::new(),
        chroot: None,
        home: Some(home.to_str().unwrap().to_owned()),
        mail: None,
        fields: Vec::new(),
    };
    let maildir = home.join("Maildir");
    for part in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(maildir.join(part)).unwrap();
    }
    for number in 0..mails {
        let name = format!("cur/1500000000.M{number}P1.mx.example.org,S=20,W=22:2,S");
        std::fs::write(maildir.join(name), "Subject: x\n\nhello, you\n").unwrap();
    }
    Arc::new(Prepared { snapshot }.open(identity).unwrap())
}

/// The other end of a session.
struct Client {
    stream: BufReader<UnixStream>,
    session: JoinHandle<Outcome>,
}

impl Client {
    fn login(user: &Arc<User>) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let name = || SessionId::try_from("x".to_owned()).unwrap();
        let content = ClientSession {
            facts: Facts {
                protocol: Protocol::Imap,
                session: name(),
                local: "127.0.0.1:143".parse().unwrap(),
                remote: "127.0.0.1:50000".parse().unwrap(),
                transport: Transport::Plain,
            },
            begin: Begin::LoggedIn {
                tag: "in".to_owned(),
                unread: Vec::new(),
            },
        };
        let work = Work {
            session: name(),
            content: content.encode().unwrap(),
            fds: vec![theirs.into()],
            stop: Stop::new().unwrap(),
        };
        let user = Arc::clone(user);
        let builder = std::thread::Builder::new().stack_size(STACK);
        let session = builder.spawn(move || user.serve(work)).unwrap();
        let mut client = Self {
            // Small: what is measured is the other end.
            stream: BufReader::with_capacity(128, ours),
            session,
        };
        client.read_until("in OK");
        client
    }

    fn read_until(&mut self, prefix: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            assert!(self.stream.read_line(&mut line).unwrap() > 0, "{lines:?}");
            let last = line.starts_with(prefix);
            lines.push(line);
            if last {
                return lines;
            }
        }
    }

    fn send(&mut self, line: &str) {
        let stream = self.stream.get_mut();
        stream.write_all(line.as_bytes()).unwrap();
        stream.write_all(b"\r\n").unwrap();
    }

    fn command(&mut self, command: &str) -> Vec<String> {
        self.send(&format!("t {command}"));
        self.read_until("t OK")
    }

    fn logout(mut self) {
        self.command("LOGOUT");
        self.session.join().unwrap();
    }

    fn hang_up(self) {
        drop(self.stream);
        self.session.join().unwrap();
    }
}

/// Runs one test of this file in a process of its own, with the heap that workers have: what it
/// measures is the process. `true`: this is that process.
fn is_alone(test: &str) -> bool {
    const ALONE: &str = "CULVER_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(ALONE, "1")
        .env("MALLOC_ARENA_MAX", "1")
        .env("MALLOC_MMAP_THRESHOLD_", "65536")
        .env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    println!("{told}");
    false
}

/// KiB that only this process has.
fn private_dirty() -> u64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = rollup
        .lines()
        .find(|line| line.starts_with("Private_Dirty"));
    let number = line.unwrap().split_ascii_whitespace().nth(1);
    number.unwrap().parse().unwrap()
}

/// What each of many sessions costs, after `use_it`; bytes.
fn weight(use_it: impl Fn(&mut Client)) -> u64 {
    /// Whatever is made once is made by then.
    const FEW: u64 = 10;
    const MANY: u64 = 100;
    let home = tempfile::tempdir().unwrap();
    let user = user(home.path(), 100);
    let begin = |_| {
        let mut client = Client::login(&user);
        client.command("SELECT INBOX");
        client.command("UID FETCH 1:* (FLAGS RFC822.SIZE BODY.PEEK[])");
        use_it(&mut client);
        client
    };
    let few: Vec<Client> = (0..FEW).map(begin).collect();
    let before = private_dirty();
    let many: Vec<Client> = (0..MANY).map(begin).collect();
    let each = (private_dirty() - before) * 1024 / MANY;
    println!("{before} KiB with {FEW} sessions, then {each} bytes each");
    for client in few.into_iter().chain(many) {
        client.hang_up();
    }
    each
}

#[test]
fn a_quiet_session_is_small() {
    if is_alone("worker::tests::a_quiet_session_is_small") {
        assert!(weight(|_| {}) < 60_000);
    }
}

#[test]
fn a_session_in_idle_is_small() {
    let idle = |client: &mut Client| {
        client.send("i IDLE");
        client.read_until("+ idling");
    };
    if is_alone("worker::tests::a_session_in_idle_is_small") {
        assert!(weight(idle) < 60_000);
    }
}

#[test]
fn sessions_come_and_go() {
    let home = tempfile::tempdir().unwrap();
    let user = user(home.path(), 3);
    for _ in 0..3 {
        let mut client = Client::login(&user);
        assert!(
            client
                .command("SELECT INBOX")
                .contains(&"* 3 EXISTS\r\n".to_owned())
        );
        client.logout();
    }
}

/// One session of a user waits, another one changes something, and mail arrives.
#[test]
fn a_session_in_idle_hears_of_the_others() {
    let home = tempfile::tempdir().unwrap();
    let user = user(home.path(), 3);
    let (mut waiting, mut other) = (Client::login(&user), Client::login(&user));
    for client in [&mut waiting, &mut other] {
        client.command("SELECT INBOX");
    }
    waiting.send("i IDLE");
    waiting.read_until("+ idling");
    other.command("STORE 2 +FLAGS (\\Flagged)");
    waiting.read_until("* 2 FETCH (FLAGS (\\Flagged \\Seen");
    let message = home.path().join("Maildir/new/1600000000.M1P1.mta");
    std::fs::write(message, "x\n").unwrap();
    waiting.read_until("* 4 EXISTS");
    waiting.send("DONE");
    waiting.read_until("i OK");
    waiting.logout();
    other.logout();
}

#[test]
fn what_is_too_much_goes_when_a_client_has_gone() {
    let home = tempfile::tempdir().unwrap();
    let limit = "mailbox INBOX {\n autoexpunge_max_mails = 2\n }";
    let namespace = format!("namespace inbox {{\n inbox = yes\n {limit}\n}}");
    let user = user_with(home.path(), 5, &namespace);
    let mut first = Client::login(&user);
    assert!(
        first
            .command("SELECT INBOX")
            .contains(&"* 5 EXISTS\r\n".to_owned())
    );
    Client::login(&user).logout();
    let told = first.command("NOOP");
    let gone = told.iter().filter(|line| line.ends_with("EXPUNGE\r\n"));
    assert_eq!(gone.count(), 3, "{told:?}");
    first.hang_up();
}
