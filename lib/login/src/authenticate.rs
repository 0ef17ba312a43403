//! One SASL exchange between a client and auth.

use ipc::login_auth::{Failure, Reply, Request};
use ipc::{Secret, Token, Username};

use crate::Client;

/// A running exchange.
pub struct Exchange {
    inner: ipc::Exchange<Request, Reply>,
    ended: bool,
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
        let cookie = self
            .handoff_cookie()
            .map_err(|error| self.unavailable(&error))?;
        let auth = self.shared().auth.clone();
        let inner = auth
            .begin()
            .await
            .map_err(|error| self.unavailable(&error))?;
        let start = Request::Start {
            id: inner.id(),
            mech: mech.to_owned(),
            facts: self.facts().clone(),
            cookie,
            initial,
        };
        let mut exchange = Exchange {
            inner,
            ended: false,
        };
        self.attempt_begins(mech);
        let step = exchange.ask(&start, self).await?;
        Ok((exchange, step))
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
        let message = Request::Continue {
            id: self.inner.id(),
            response,
        };
        self.ask(&message, client).await
    }

    async fn ask(&mut self, message: &Request, client: &mut Client) -> Result<Step, Failure> {
        self.inner
            .send(message, &[])
            .await
            .map_err(|error| client.unavailable(&error))?;
        let reply = self
            .inner
            .next()
            .await
            .map_err(|error| client.unavailable(&error))?;
        match reply {
            Reply::Challenge { data, .. } => Ok(Step::Challenge(data)),
            Reply::Success { user, token, .. } => {
                self.ended = true;
                client.attempt_succeeded(&user);
                Ok(Step::Success { user, token })
            }
            Reply::Failure { user, reason, .. } => {
                self.ended = true;
                client.attempt_failed(user);
                Ok(Step::Failure(reason))
            }
            Reply::Hello { .. } => Err(client.unavailable(&"BUG: a greeting amid an exchange")),
        }
    }

    /// The client gave up.
    pub async fn cancel(self) {
        if !self.ended {
            // Auth went away: nothing is left to cancel.
            let _ = self
                .inner
                .send(
                    &Request::Cancel {
                        id: self.inner.id(),
                    },
                    &[],
                )
                .await;
        }
    }
}
