//! The ladder itself.

use std::fmt;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::process::ExitCode;

use sys::inherited::{self, Inherited};
use tokio::runtime::LocalOptions;

use crate::rights::{self, Rights};
use crate::{Control, journal};

/// Why a service could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// systemd passed no socket of this name.
    #[error("no socket named {name}: is the socket unit with FileDescriptorName={name} running?")]
    NoSocket {
        /// The name.
        name: String,
    },
    /// The process has rights that it must not have, or cannot give one up.
    #[error("not confined: {0}")]
    Confinement(String),
    /// A system call failed.
    #[error("{call} failed: {source}")]
    Syscall {
        /// Which one.
        call: &'static str,
        /// What it said.
        source: io::Error,
    },
}

/// First step: everything may still be opened.
#[derive(Debug)]
pub struct Started(());

/// Second step: no more rights than the service works with.
#[derive(Debug)]
pub struct Confined(());

/// A service on its way up.
#[derive(Debug)]
pub struct Service<Step> {
    name: &'static str,
    inherited: Vec<Inherited>,
    step: PhantomData<Step>,
}

/// Runs a service: `run` climbs the ladder. An error is logged here, once.
pub fn start<E: fmt::Display>(
    name: &'static str,
    run: impl FnOnce(Service<Started>) -> Result<(), E>,
) -> ExitCode {
    journal::open(name);
    let service = match inherited::take() {
        Ok(inherited) => Service {
            name,
            inherited,
            step: PhantomData,
        },
        Err(error) => return failed(name, &error),
    };
    match run(service) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(name, &error),
    }
}

fn failed(name: &str, error: &dyn fmt::Display) -> ExitCode {
    tracing::error!(
        message_id = journal::id::SERVICE_FAILED,
        "{name}: Fatal: {error:#}"
    );
    ExitCode::FAILURE
}

impl Service<Started> {
    /// What the binary, the unit and the log call it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Takes the one listening socket of this name.
    ///
    /// # Errors
    /// [`Error::NoSocket`].
    pub fn take_listener(&mut self, name: &str) -> Result<OwnedFd, Error> {
        let at = self.inherited.iter().position(|i| i.name == name);
        at.map(|at| self.inherited.swap_remove(at).fd)
            .ok_or_else(|| Error::NoSocket {
                name: name.to_owned(),
            })
    }

    /// Takes all listening sockets of this name: one per address. May be none.
    pub fn take_listeners(&mut self, name: &str) -> Vec<OwnedFd> {
        let (taken, rest): (Vec<_>, Vec<_>) =
            self.inherited.drain(..).partition(|i| i.name == name);
        self.inherited = rest;
        taken.into_iter().map(|i| i.fd).collect()
    }

    /// Takes every descriptor that is left: what an earlier process of the service stored
    /// ([`crate::store`]).
    pub fn take_stored(&mut self) -> Vec<Inherited> {
        std::mem::take(&mut self.inherited)
    }

    /// Checks that the process has no more than `rights`, and locks the door behind it.
    ///
    /// # Errors
    /// [`Error::Confinement`] says what it has too much of.
    pub fn confine(self, rights: &Rights<'_>) -> Result<Service<Confined>, Error> {
        rights::confine(rights)?;
        Ok(Service {
            name: self.name,
            inherited: Vec::new(),
            step: PhantomData,
        })
    }
}

impl Service<Confined> {
    /// Runs the service's event loop, on this thread. `main` says when it is ready
    /// ([`Control::ready`]) and ends when the service has drained.
    ///
    /// # Errors
    /// What `main` says, or that no event loop could be made.
    pub fn serve<E: From<Error> + 'static, F: Future<Output = Result<(), E>> + 'static>(
        self,
        main: impl FnOnce(Control) -> F,
    ) -> Result<(), E> {
        // One thread runs everything: tasks may share what is not `Send` (`spawn_local`).
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
            .map_err(|source| Error::Syscall {
                call: "epoll_create",
                source,
            })?;
        let name = self.name;
        runtime.block_on(async move {
            // A task among the others. As the runtime's own future it would be asked whenever one of them wakes up.
            let main = tokio::task::spawn_local(main(Control::new(name)?));
            main.await
                .unwrap_or_else(|ended| std::panic::resume_unwind(ended.into_panic()))
        })
    }
}
