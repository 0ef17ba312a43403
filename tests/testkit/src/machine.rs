//! A booted Debian with systemd, in namespaces: see `tests/machine/machine`.

use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, setsockopt, socket, sockopt,
};

use crate::{Dovecot, checkout, package};

/// What a machine is booted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tree {
    /// Debian with mail clients and Postfix.
    Machine,
    /// The same with Debian's Dovecot.
    Dovecot,
}

/// A running machine. It ends with this value, and at the latest with this process.
#[derive(Debug)]
pub struct Machine {
    name: String,
    pid: u32,
    /// Stops the machine when its standard input ends: also after a panic or a kill of this process.
    keeper: Child,
}

impl Machine {
    /// The machine of this process with Culver installed as a package and started. Booted once; for
    /// tests that leave it as they found it, apart from users of their own.
    pub fn culver() -> &'static Machine {
        static MACHINE: OnceLock<Machine> = OnceLock::new();
        MACHINE.get_or_init(Machine::with_culver)
    }

    /// A machine of one's own with Culver installed and started.
    #[must_use]
    pub fn with_culver() -> Machine {
        let machine = Machine::boot(Tree::Machine);
        machine.install(&package());
        machine
    }

    /// The machine of this process with the server under test: Culver, or Dovecot if the environment says
    /// `UNDER_TEST=dovecot`. Booted once.
    ///
    /// # Panics
    /// `UNDER_TEST` names another server.
    pub fn under_test() -> &'static Machine {
        static DOVECOT: OnceLock<Machine> = OnceLock::new();
        match std::env::var("UNDER_TEST").as_deref() {
            Err(_) | Ok("culver") => Machine::culver(),
            Ok("dovecot") => DOVECOT.get_or_init(|| Dovecot::boot("").into_machine()),
            Ok(other) => panic!("UNDER_TEST={other}: culver or dovecot"),
        }
    }

    /// Boots a machine of its own, with nothing of ours in it.
    #[must_use]
    pub fn boot(tree: Tree) -> Machine {
        Machine::boot_with(tree, None)
    }

    /// Boots a machine in which the host's directory `share` is `/srv/share`: two machines can have one store.
    #[must_use]
    pub fn boot_sharing(tree: Tree, share: &Path) -> Machine {
        Machine::boot_with(tree, Some(share))
    }

    fn boot_with(tree: Tree, share: Option<&Path>) -> Machine {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test-{}-{count}", std::process::id());
        let tree = match tree {
            Tree::Machine => "machine",
            Tree::Dovecot => "dovecot",
        };
        let mut boot = script();
        boot.args(["boot", &name, tree]).args(share);
        let status = boot.status().expect("tests/machine/machine runs");
        assert!(
            status.success(),
            "no machine: tests need root on Linux with cgroup2, see its message above"
        );
        let keeper = script()
            .args(["hold", &name])
            .stdin(Stdio::piped())
            // Out of reach of Ctrl-C, after which it has its work to do.
            .process_group(0)
            .spawn()
            .expect("tests/machine/machine runs");
        let pid = output(script().args(["pid", &name]));
        let pid = stdout(&pid)
            .trim()
            .parse()
            .expect("machine pid prints a number");
        Machine { name, pid, keeper }
    }

    /// Installs a Debian package file; panics with dpkg's words if it fails.
    pub fn install(&self, deb: &Path) {
        let bytes = fs::read(deb).expect("the package is readable");
        self.write_file("/root/package.deb", &bytes);
        self.run("DEBIAN_FRONTEND=noninteractive dpkg --install /root/package.deb && rm /root/package.deb");
    }

    /// Runs a command as root in the machine.
    pub fn enter<S: AsRef<str>>(&self, command: &[S]) -> Output {
        self.enter_with(command, b"")
    }

    /// The same with bytes on its standard input.
    pub fn enter_with<S: AsRef<str>>(&self, command: &[S], input: &[u8]) -> Output {
        let mut child = self
            .command(command)
            .spawn()
            .expect("tests/machine/machine runs");
        let mut stdin = child.stdin.take().expect("piped");
        std::thread::scope(|scope| {
            // A child that ends without reading all of it is its own affair.
            scope.spawn(move || stdin.write_all(input).ok());
            child.wait_with_output().expect("waiting for a child")
        })
    }

    /// A command to spawn in the machine, all three standard streams piped.
    #[must_use]
    pub fn command<S: AsRef<str>>(&self, command: &[S]) -> Command {
        let mut enter = script();
        enter
            .args(["enter", &self.name])
            .args(command.iter().map(AsRef::as_ref));
        enter
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        enter
    }

    /// Runs a shell script in the machine and returns its output; panics if it fails or takes five minutes.
    pub fn run(&self, shell: &str) -> String {
        let output = self.enter(&[
            "timeout",
            "--kill-after=5",
            "300",
            "bash",
            "-euo",
            "pipefail",
            "-c",
            shell,
        ]);
        assert!(
            output.status.success(),
            "{}: {shell}\n{}{}",
            output.status,
            stdout(&output),
            String::from_utf8_lossy(&output.stderr)
        );
        stdout(&output)
    }

    /// Where a file of the machine is on the host.
    #[must_use]
    pub fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{inside}", self.pid))
    }

    /// Writes a file (0644, root) and the directories above it. An existing file keeps owner and mode.
    pub fn write_file(&self, inside: &str, bytes: &[u8]) {
        let path = self.path(inside);
        let parent = path.parent().expect("an absolute path");
        fs::create_dir_all(parent).expect("a directory in the machine");
        fs::write(&path, bytes).unwrap_or_else(|error| panic!("{inside}: {error}"));
    }

    /// Reads a file of the machine.
    pub fn read_file(&self, inside: &str) -> Vec<u8> {
        fs::read(self.path(inside)).unwrap_or_else(|error| panic!("{inside}: {error}"))
    }

    /// Adds a user of the system with home `/home/NAME`.
    pub fn add_user(&self, name: &str, password: &str) {
        self.run(&format!("useradd --create-home --shell /bin/sh {name}"));
        let chpasswd = self.enter_with(&["chpasswd"], format!("{name}:{password}\n").as_bytes());
        assert!(chpasswd.status.success(), "{chpasswd:?}");
    }

    /// Replaces `/etc/culver/culver.conf` and reloads; panics with doveconf's words if it is refused.
    pub fn configure(&self, text: &str) {
        self.write_file("/etc/culver/culver.conf", text.as_bytes());
        self.run("systemctl reload culver || { journalctl -u culver -n 20 --no-pager; exit 1; }");
    }

    /// PID 1 of the machine as the host sees it.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Where the host has the machine's control group: systemd's groups are below it, and in `enter` is
    /// whatever [`Machine::enter`] runs.
    ///
    /// # Panics
    /// The host has no unified hierarchy.
    #[must_use]
    pub fn control_group(&self) -> PathBuf {
        let mounts = fs::read_to_string("/proc/mounts").expect("mounts");
        let at = mounts.lines().find_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (at, kind) = (words.next()?, words.next()?);
            (kind == "cgroup2").then(|| PathBuf::from(at))
        });
        at.expect("a unified hierarchy")
            .join(format!("culver-{}", self.name))
    }

    /// Runs `work` in a thread whose sockets are made in the machine's network.
    pub fn in_network<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let network = File::open(format!("/proc/{}/ns/net", self.pid)).expect("the machine runs");
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(&network, CloneFlags::CLONE_NEWNET).expect("entering its network as root");
                work()
            });
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Connects to a port on the machine's 127.0.0.1. Reads and writes time out after a minute.
    #[must_use]
    pub fn connect(&self, port: u16) -> TcpStream {
        self.connect_from(Ipv4Addr::LOCALHOST, port)
    }

    /// The same from a loopback address of one's own, so that penalties of one test spare the others.
    #[must_use]
    pub fn connect_from(&self, source: Ipv4Addr, port: u16) -> TcpStream {
        self.try_connect(source, port)
            .unwrap_or_else(|error| panic!("connecting from {source} to port {port}: {error}"))
    }

    /// The same; an error tells whether the connection was refused.
    ///
    /// # Errors
    /// The connection was refused or timed out.
    pub fn try_connect(&self, source: Ipv4Addr, port: u16) -> std::io::Result<TcpStream> {
        self.in_network(|| {
            let fd = socket(
                AddressFamily::Inet,
                SockType::Stream,
                SockFlag::SOCK_CLOEXEC,
                None,
            )?;
            if source != Ipv4Addr::LOCALHOST {
                setsockopt(&fd, sockopt::ReuseAddr, &true)?;
                bind(
                    fd.as_raw_fd(),
                    &SockaddrIn::from(SocketAddrV4::new(source, 0)),
                )?;
            }
            let target = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
            connect(fd.as_raw_fd(), &SockaddrIn::from(target))?;
            let stream = TcpStream::from(fd);
            stream.set_read_timeout(Some(Duration::from_secs(60)))?;
            stream.set_write_timeout(Some(Duration::from_secs(60)))?;
            Ok(stream)
        })
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let ended = self.keeper.wait();
        // A second panic while unwinding would hide the first.
        if !std::thread::panicking() {
            assert!(
                ended.is_ok_and(|status| status.success()),
                "machine {} did not stop",
                self.name
            );
        }
    }
}

fn script() -> Command {
    Command::new(checkout().join("tests/machine/machine"))
}

fn output(command: &mut Command) -> Output {
    let output = command.output().expect("tests/machine/machine runs");
    assert!(output.status.success(), "{output:?}");
    output
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
