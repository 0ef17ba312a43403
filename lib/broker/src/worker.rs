//! The worker's side: become the user, then serve jobs, a thread each.
//!
//! Rights: until it is identified, those of its manager; afterwards the user's ids, no capability,
//! the user's directories by Landlock, a list of system calls by seccomp.
//! State: none of its own. A crash ends the user's sessions; what was acknowledged is on disk.

mod threads;

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use ipc::hibernate::Hold;
use ipc::worker::{FromWorker, Identity, Rest, ToWorker};
use ipc::{Channel, SessionId};
use rustix::process::{Resource, Rlimit, setrlimit};
use service::journal::{self, id};
use sys::confine::{self, Access};
use sys::privileges;

use crate::child::WORKER_ARGUMENT;
use crate::seccomp;
use crate::stop::Stop;
use crate::worker::threads::Threads;

/// What a service does before its worker has a user: its settings are loaded already.
pub trait Prepare {
    /// What serves the user.
    type Server: Serve;

    /// The directories that the user's mail needs, made if they are missing. Runs as the user, not
    /// yet confined to them.
    ///
    /// # Errors
    /// What the administrator should read.
    fn directories(&self, identity: &Identity) -> Result<Vec<PathBuf>, String>;

    /// Opens the user's mail, confined.
    ///
    /// # Errors
    /// What the administrator should read.
    fn open(self, identity: Identity) -> Result<Self::Server, String>;
}

/// Serves one user.
pub trait Serve: Send + Sync + 'static {
    /// Does one job in a thread of its own, to its end or until it rests.
    fn serve(&self, work: Work) -> Outcome;
}

/// What became of a job.
#[derive(Debug)]
pub enum Outcome {
    /// It is done; what the manager should know.
    Done(Vec<u8>),
    /// It is a session that goes on without a thread.
    Parked(Parked),
}

/// A session on its way out of the worker.
#[derive(Debug)]
pub struct Parked {
    /// What it needs to go on.
    pub rest: Rest,
    /// What is done for its client meanwhile.
    pub hold: Hold,
    /// The client's descriptor, and perhaps that of its mailbox.
    pub fds: Vec<OwnedFd>,
}

/// One job.
#[derive(Debug)]
pub struct Work {
    /// Names it.
    pub session: SessionId,
    /// What the service's own code understands.
    pub content: Vec<u8>,
    /// What came beside it.
    pub fds: Vec<OwnedFd>,
    /// Tells it to end.
    pub stop: Stop,
}

/// Did a manager start this process as its worker?
#[must_use]
pub fn is_worker() -> bool {
    std::env::args_os()
        .nth(1)
        .is_some_and(|argument| argument == WORKER_ARGUMENT)
}

/// Runs the worker to its end. `prepare` loads settings while the process may still read them.
pub fn run<P: Prepare>(
    name: &'static str,
    prepare: impl FnOnce() -> Result<(P, Bounds), String>,
) -> ExitCode {
    journal::open(name);
    sys::process::set_name(name);
    let channel = match rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3) {
        Ok(fd) => Arc::new(Channel::new(fd)),
        Err(error) => return fail(name, &format!("no channel to a manager: {error}")),
    };
    let outcome = prepare().and_then(|(prepare, bounds)| {
        bounds.apply()?;
        identified(&channel, prepare)
    });
    match outcome {
        Ok(Some(server)) => Threads::new(name, channel, server).serve(),
        // The manager had no use for it.
        Ok(None) => ExitCode::SUCCESS,
        Err(reason) => {
            // The manager logs it, with the client it concerns; without a manager it is ours to log.
            match channel.send(
                &FromWorker::Failed {
                    reason: reason.clone(),
                },
                &[],
            ) {
                Ok(()) => ExitCode::FAILURE,
                Err(_) => fail(name, &reason),
            }
        }
    }
}

fn fail(name: &str, reason: &str) -> ExitCode {
    tracing::error!(
        message_id = id::WORKER_FAILED,
        "{name}: Error: worker: {reason}"
    );
    ExitCode::FAILURE
}

/// What one worker may use.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Address space, bytes (`vsz_limit`); `None`: no limit.
    pub address_space: Option<u64>,
}

impl Bounds {
    fn apply(self) -> Result<(), String> {
        let Some(bytes) = self.address_space else {
            return Ok(());
        };
        let limit = Rlimit {
            current: Some(bytes),
            maximum: Some(bytes),
        };
        setrlimit(Resource::As, limit).map_err(|e| format!("setrlimit(vsz_limit) failed: {e}"))
    }
}

/// Waits for a user and becomes it. `None`: dismissed before there was one.
fn identified<P: Prepare>(channel: &Channel, prepare: P) -> Result<Option<P::Server>, String> {
    let identity = loop {
        match channel.recv::<ToWorker>() {
            Ok((ToWorker::Identify { identity }, _)) => break identity,
            Ok((ToWorker::Report, _)) => threads::report(channel, None, Vec::new()),
            Ok((ToWorker::Drain, _)) | Err(ipc::Error::Closed) => return Ok(None),
            Ok(_) => return Err("BUG: a job before an identity".to_owned()),
            Err(error) => return Err(format!("the manager's channel: {error}")),
        }
    };
    let failed = |what: &str, e: std::io::Error| format!("user {}: {what}: {e}", identity.user);
    become_user(&identity).map_err(|e| failed("dropping privileges", e))?;
    let directories = prepare.directories(&identity)?;
    restrict(&directories).map_err(|e| failed("confining", e))?;
    let user = identity.user.clone();
    let server = prepare
        .open(identity)
        .map_err(|reason| format!("user {user}: {reason}"))?;
    channel
        .send(&FromWorker::Identified, &[])
        .map_err(|e| e.to_string())?;
    USER.get_or_init(|| user);
    // Settings were read and paths were granted: half of the heap is free by now.
    sys::process::trim_heap();
    Ok(Some(server))
}

/// Whom this process serves, for reports to a manager that was restarted.
static USER: std::sync::OnceLock<ipc::Username> = std::sync::OnceLock::new();

fn become_user(identity: &Identity) -> std::io::Result<()> {
    privileges::empty_bounding_set()?;
    privileges::become_user(&privileges::Identity {
        uid: identity.uid,
        gid: identity.gid,
        groups: &identity.groups,
        chroot: identity.chroot.as_deref().map(Path::new),
    })?;
    privileges::drop_all_capabilities()?;
    privileges::set_no_new_privileges()?;
    privileges::set_undumpable()?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    Ok(())
}

/// Files that any mail program reads: the time zone.
const READABLE: [&str; 2] = ["/etc/localtime", "/usr/share/zoneinfo"];

/// What the kernel says of processes of this user, for locks that name their owner (`ProtectProc=invisible` in the
/// unit hides the others). No lists: a lock names a process.
const LOCK_OWNERS: &str = "/proc";

fn restrict(directories: &[PathBuf]) -> std::io::Result<()> {
    let readable = READABLE.iter().map(|path| (Path::new(path), Access::Read));
    let mut granted: Vec<_> = readable.collect();
    granted.push((Path::new(LOCK_OWNERS), Access::Look));
    granted.extend(
        directories
            .iter()
            .map(|path| (path.as_path(), Access::Write)),
    );
    confine::restrict_files(&granted)?;
    if let Some(home) = directories.first().filter(|home| home.is_dir()) {
        std::env::set_current_dir(home)?;
    }
    seccomp::allow_only_mail()
}

/// Makes a directory and those above it with mode 0700, as the user.
///
/// # Errors
/// What mkdir(2) says, with the path.
pub fn make_directory(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| format!("mkdir({}) failed: {error}", path.display()))
}
