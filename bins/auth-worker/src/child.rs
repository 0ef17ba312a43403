//! A process that asks PAM for one connection of auth, one request after the other.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use ipc::worker_auth::{Reply, Request};
use ipc::{Channel, VERSION};
use rustix::event::{PollFd, PollFlags, poll};
use service::{Rights, Service, Started};

use crate::verdict;

/// The argument by which the binary knows that it is such a process.
pub const CHILD_ARGUMENT: &str = "worker";

/// Was this process started for a connection?
pub fn is_child() -> bool {
    std::env::args_os()
        .nth(1)
        .is_some_and(|argument| argument == CHILD_ARGUMENT)
}

/// Serves the connection at fd 0 until auth hangs up.
pub fn run(service: Service<Started>) -> Result<(), crate::Error> {
    // `ps` would say `exe`. A name is a courtesy: without it nothing is lost.
    let _ = rustix::thread::set_name(c"auth-worker");
    let socket = io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map_err(crate::Error::Channel)?;
    // The manager's event loop had it.
    sys::seqpacket::set_blocking(&socket).map_err(crate::Error::Channel)?;
    service.confine(&Rights::Files)?;
    end_when_hung_up(socket.try_clone().map_err(crate::Error::Channel)?);
    match serve(&Channel::new(socket)) {
        Err(ipc::Error::Closed) => Ok(()),
        other => Ok(other?),
    }
}

/// A module that hangs must not outlive the patience of auth.
fn end_when_hung_up(socket: OwnedFd) {
    std::thread::spawn(move || {
        let mut fds = [PollFd::new(&socket, PollFlags::empty())];
        loop {
            match poll(&mut fds, None) {
                Err(rustix::io::Errno::INTR) => {}
                _ => std::process::exit(0),
            }
        }
    });
}

/// Answers requests, the greeting first.
pub fn serve(channel: &Channel) -> Result<(), ipc::Error> {
    loop {
        let (request, _) = channel.recv::<Request>()?;
        let reply = match request {
            Request::Hello { version } => {
                ipc::Error::check_version(version)?;
                Reply::Hello { version: VERSION }
            }
            Request::Pam {
                service,
                user,
                password,
                remote,
                extras,
            } => Reply::Verdict(verdict::of(&verdict::Asked {
                service,
                user,
                password,
                remote,
                extras,
            })),
        };
        channel.send(&reply, &[])?;
    }
}

#[cfg(test)]
mod tests {
    use ipc::worker_auth::{Extras, Verdict};
    use ipc::{Secret, Username};

    use super::*;

    #[test]
    fn requests_are_answered_until_auth_hangs_up() {
        let (ours, theirs) = sys::seqpacket::pair().unwrap();
        let served = std::thread::spawn(move || serve(&Channel::new(theirs)));
        let auth = Channel::new(ours);
        auth.send(&Request::Hello { version: VERSION }, &[])
            .unwrap();
        assert!(matches!(
            auth.recv().unwrap().0,
            Reply::Hello { version: VERSION }
        ));
        for _ in 0..2 {
            let request = Request::Pam {
                service: "culver-test-no-such-service".to_owned(),
                user: Username::try_from("no-such-user".to_owned()).unwrap(),
                password: Secret::new(b"x".to_vec()),
                remote: None,
                extras: Extras::default(),
            };
            auth.send(&request, &[]).unwrap();
            let (Reply::Verdict(verdict), _) = auth.recv().unwrap() else {
                panic!()
            };
            assert!(!matches!(verdict, Verdict::Accepted { .. }));
        }
        drop(auth);
        assert!(matches!(served.join().unwrap(), Err(ipc::Error::Closed)));
    }

    #[test]
    fn another_version_is_refused() {
        let (ours, theirs) = sys::seqpacket::pair().unwrap();
        let auth = Channel::new(ours);
        auth.send(
            &Request::Hello {
                version: VERSION + 1,
            },
            &[],
        )
        .unwrap();
        assert!(matches!(
            serve(&Channel::new(theirs)),
            Err(ipc::Error::Version { .. })
        ));
    }
}
