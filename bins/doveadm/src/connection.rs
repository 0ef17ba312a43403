//! Questions to a service and the answers to them.

use std::path::Path;

use ipc::{Channel, Error, Reply};
use serde::Serialize;

use crate::failure::Failure;

/// The id of the one request that is under way.
pub const ID: u32 = 1;

/// A connection to a service, greeted.
pub struct Connection {
    channel: Channel,
    service: &'static str,
}

impl Connection {
    /// Connects and says hello.
    pub fn open<Q: Serialize, R: Reply>(
        service: &'static str,
        path: &Path,
        hello: &Q,
    ) -> Result<Self, Failure> {
        let channel = Channel::connect(path).map_err(|error| {
            Failure::Temporary(format!("{service}: {}: {error}", path.display()))
        })?;
        Self::over::<Q, R>(service, channel, hello)
    }

    /// Says hello on a connection that is there.
    pub fn over<Q: Serialize, R: Reply>(
        service: &'static str,
        channel: Channel,
        hello: &Q,
    ) -> Result<Self, Failure> {
        let connection = Self { channel, service };
        connection.tell(hello)?;
        let version = connection.hear::<R>()?.version();
        let version = version.ok_or_else(|| connection.failed("no greeting"))?;
        Error::check_version(version).map_err(|error| connection.failed(error))?;
        Ok(connection)
    }

    /// Sends a request.
    pub fn tell<Q: Serialize>(&self, request: &Q) -> Result<(), Failure> {
        self.channel
            .send(request, &[])
            .map_err(|error| self.failed(error))
    }

    /// Waits for a reply.
    pub fn hear<R: Reply>(&self) -> Result<R, Failure> {
        let (reply, _) = self
            .channel
            .recv::<R>()
            .map_err(|error| self.failed(error))?;
        Ok(reply)
    }

    /// The service broke its promises or went away.
    pub fn failed(&self, why: impl std::fmt::Display) -> Failure {
        Failure::Temporary(format!("{}: {why}", self.service))
    }
}

#[cfg(test)]
pub mod tests {
    use serde::de::DeserializeOwned;

    use super::*;

    /// A connection to a service that answers each request with what `answer` says.
    pub fn service<Q, R>(answer: impl Fn(Q) -> R + Send + 'static) -> Connection
    where
        Q: DeserializeOwned,
        R: Serialize,
    {
        let (ours, theirs) = sys::seqpacket::pair().unwrap();
        std::thread::spawn(move || {
            let theirs = Channel::new(theirs);
            while let Ok((request, _)) = theirs.recv::<Q>() {
                theirs.send(&answer(request), &[]).unwrap();
            }
        });
        Connection {
            channel: Channel::new(ours),
            service: "test",
        }
    }

    #[test]
    fn a_service_of_another_version_is_refused() {
        use ipc::anvil::{Reply, Request, Role};
        let hello = Request::Hello {
            version: ipc::VERSION,
            role: Role::Admin,
        };
        let (ours, theirs) = sys::seqpacket::pair().unwrap();
        let theirs = Channel::new(theirs);
        theirs
            .send(
                &Reply::Hello {
                    version: ipc::VERSION + 1,
                },
                &[],
            )
            .unwrap();
        let error = Connection::over::<_, Reply>("anvil", Channel::new(ours), &hello)
            .err()
            .unwrap();
        assert_eq!(error.code(), 75);
    }
}
