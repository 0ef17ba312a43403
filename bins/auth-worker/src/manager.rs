//! The manager: accepts connections of auth and gives each a process.

use std::os::fd::{AsFd as _, OwnedFd};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use config::{Facts, Snapshot};
use ipc::{AsyncChannel, AsyncListener};
use serde::Deserialize;
use service::journal::id;
use service::{Callers, Control, Door, Signal};
use tokio::process::Command;
use tokio::sync::Semaphore;

use crate::child::CHILD_ARGUMENT;

/// What of the configuration counts here.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who may ask.
    callers: Callers,
    /// Most processes at once.
    processes: usize,
}

impl Settings {
    /// Reads a snapshot.
    pub fn of(snapshot: &Snapshot) -> Result<Self, config::Error> {
        #[derive(Deserialize)]
        struct Read {
            auth_worker_max_count: u32,
        }
        let read: Read = snapshot.settings(&Facts::default())?;
        let processes = usize::try_from(read.auth_worker_max_count.max(1)).unwrap_or(usize::MAX);
        Ok(Self {
            callers: Callers::of(snapshot),
            processes: processes.min(Semaphore::MAX_PERMITS),
        })
    }
}

/// Serves until systemd says that it is enough.
pub async fn serve(
    mut control: Control,
    listener: OwnedFd,
    settings: Settings,
) -> Result<(), crate::Error> {
    let listener = AsyncListener::new(listener)?;
    let places = Arc::new(Semaphore::new(settings.processes));
    control.ready();
    control.status("Ready");
    loop {
        // More connections wait in the socket's queue.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return Ok(());
        };
        let accepted = tokio::select! {
            signal = control.next() => match signal {
                // Processes answer what they were asked; systemd ends those that do not.
                Signal::Drain => return Ok(()),
                Signal::Reload => {
                    control.reloaded(&Snapshot::load("auth-worker").and_then(|snapshot| Settings::of(&snapshot)).map(|_| ()));
                    continue;
                }
            },
            accepted = listener.accept() => accepted,
        };
        match accepted.map(|channel| start(&channel, &settings)) {
            Ok(Some(child)) => {
                tokio::task::spawn_local(async move {
                    watch(child).await;
                    drop(place);
                });
            }
            Ok(None) => {}
            Err(error) => {
                tracing::error!(
                    message_id = id::LIMIT_REACHED,
                    "auth-worker: Error: {error}"
                );
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// A process for a connection, if it is auth's.
fn start(channel: &AsyncChannel, settings: &Settings) -> Option<tokio::process::Child> {
    let peer = channel.peer().ok()?;
    if !settings.callers.may(peer.uid, Door::AuthWorker) {
        tracing::error!(
            message_id = id::PEER_REFUSED,
            "auth-worker: Error: refused process {} of uid {}: not auth",
            peer.pid,
            peer.uid
        );
        return None;
    }
    let socket = channel.as_fd().try_clone_to_owned();
    match socket.and_then(spawn) {
        Ok(child) => Some(child),
        Err(error) => {
            tracing::error!(
                message_id = id::LIMIT_REACHED,
                "auth-worker: Error: no process for a connection: {error}"
            );
            None
        }
    }
}

fn spawn(socket: OwnedFd) -> std::io::Result<tokio::process::Child> {
    Command::new("/proc/self/exe")
        .arg0(std::env::args_os().next().unwrap_or_default())
        .arg(CHILD_ARGUMENT)
        .env_clear()
        .stdin(Stdio::from(socket))
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
}

/// Waits for a process to end; it should when auth hangs up.
async fn watch(mut child: tokio::process::Child) {
    let pid = child.id().unwrap_or(0);
    match child.wait().await {
        Ok(status) if status.success() => {}
        Ok(status) => {
            tracing::error!(
                message_id = id::WORKER_CRASHED,
                "auth-worker: Error: process {pid} ended: {status}"
            );
        }
        Err(error) => {
            tracing::error!(
                message_id = id::WORKER_CRASHED,
                "auth-worker: Error: process {pid}: {error}"
            );
        }
    }
}
