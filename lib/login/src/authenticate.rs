//! One SASL exchange between a client and auth.

use ipc::login_auth::{Failure, Reply, Request};
use ipc::{Error, Secret, Token, Username};

use crate::Client;

/// A running exchange. Dropped before its end, as with a client that went away, auth is told to forget it.
pub struct Exchange {
    /// `None`: over.
    inner: Option<ipc::Exchange<Request, Reply>>,
}

/// What auth wants next.
#[derive(Debug)]
pub enum Step {
    /// Pass it to the client, base64-encoded.
    Challenge(Vec<u8>),
    /// The client is who it says.
    Success {
        /// For log lines only.
        user: Username,
        /// For [`Client::hand_off`].
        token: Token,
    },
    /// The client is not let in.
    Failure(Failure),
}

impl Client {
    /// Begins to authenticate.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] when auth cannot be reached, or no socket can be made for the hand-off.
    pub async fn authenticate(
        &mut self,
        mech: &str,
        initial: Option<Secret>,
    ) -> Result<(Exchange, Step), Failure> {
        self.attempt_begins(mech);
        let begun = match self.begin(mech, initial.clone()).await {
            // Auth was restarted: to ask twice harms nobody, and its successor takes the question.
            Err(Error::Closed) => self.begin(mech, initial).await,
            begun => begun,
        };
        let (mut exchange, reply) = begun.map_err(|error| self.unavailable(&error))?;
        let step = exchange.take(reply, self)?;
        Ok((exchange, step))
    }

    async fn begin(
        &mut self,
        mech: &str,
        initial: Option<Secret>,
    ) -> Result<(Exchange, Reply), Error> {
        let cookie = self.handoff_cookie().map_err(|source| Error::Syscall {
            call: "socketpair",
            source,
        })?;
        let inner = self.shared().auth.clone().begin().await?;
        let start = Request::Start {
            id: inner.id(),
            mech: mech.to_owned(),
            facts: self.facts().clone(),
            cookie,
            initial,
        };
        let mut exchange = Exchange { inner: Some(inner) };
        let reply = exchange.ask(&start).await?;
        Ok((exchange, reply))
    }

    fn unavailable(&self, error: &dyn std::fmt::Display) -> Failure {
        self.log_trouble("auth", error);
        Failure::Unavailable
    }
}

impl Exchange {
    /// Passes the client's answer to a challenge on.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] when auth went away.
    pub async fn answer(&mut self, response: Secret, client: &mut Client) -> Result<Step, Failure> {
        let Some(id) = self.inner.as_ref().map(ipc::Exchange::id) else {
            return Err(client.unavailable(&"BUG: an answer after the end"));
        };
        let reply = self.ask(&Request::Continue { id, response }).await;
        let reply = reply.map_err(|error| client.unavailable(&error))?;
        self.take(reply, client)
    }

    async fn ask(&mut self, message: &Request) -> Result<Reply, Error> {
        let inner = self.inner.as_mut().ok_or(Error::Closed)?;
        inner.send(message, &[]).await?;
        inner.next().await
    }

    fn take(&mut self, reply: Reply, client: &mut Client) -> Result<Step, Failure> {
        match reply {
            Reply::Challenge { data, .. } => Ok(Step::Challenge(data)),
            Reply::Success { user, token, .. } => {
                self.inner = None;
                client.attempt_succeeded(&user);
                Ok(Step::Success { user, token })
            }
            Reply::Failure { user, reason, .. } => {
                self.inner = None;
                client.attempt_failed(user);
                Ok(Step::Failure(reason))
            }
            Reply::Hello { .. } => Err(client.unavailable(&"BUG: a greeting amid an exchange")),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            let id = inner.id();
            inner.abandon(Request::Cancel { id });
        }
    }
}
