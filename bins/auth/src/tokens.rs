//! One-time tokens: a login process gets one for a client that has proved who it is; a manager redeems it once.
//!
//! A token is worth something only together with everything it was issued for: the login process, the client's
//! connection as both saw it, and the very socket that is handed over.
//!
//! Only hashes of tokens are kept and looked up by: neither memory nor the time of a compare tells one.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use auth_db::Accepted;
use ipc::Token;
use ipc::auth_master::Refusal;
use ipc::facts::Facts;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

/// How long a token is good.
pub const LIFETIME: Duration = Duration::from_secs(30);
/// How long an expired token is still told from one that never was.
const MEMORY: Duration = Duration::from_secs(90);
/// Most tokens of one login process that were not redeemed.
pub const MAX_PER_CONNECTION: usize = 10_000;

/// What a token is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Process id of the login process, as the kernel told it.
    pub login_pid: i32,
    /// `SO_COOKIE` of the socket to be handed over.
    pub cookie: u64,
    /// The client's connection: service, session, addresses, TLS.
    pub facts: Facts,
}

#[derive(Debug)]
struct Issued {
    accepted: Accepted,
    binding: Binding,
    /// The connection of the login process.
    connection: u64,
    at: Instant,
}

/// All tokens that were issued and not redeemed.
#[derive(Debug, Default)]
pub struct Tokens {
    issued: HashMap<[u8; 32], Issued>,
    by_connection: HashMap<u64, usize>,
}

impl Tokens {
    /// A new token. `None`: the login process has too many.
    ///
    /// # Errors
    /// The kernel has no randomness for us.
    pub fn issue(
        &mut self,
        connection: u64,
        binding: Binding,
        accepted: Accepted,
        now: Instant,
    ) -> io::Result<Option<Token>> {
        let count = self.by_connection.entry(connection).or_default();
        if *count >= MAX_PER_CONNECTION {
            return Ok(None);
        }
        let token = Token::random()?;
        *count += 1;
        self.issued.insert(
            digest(&token),
            Issued {
                accepted,
                binding,
                connection,
                at: now,
            },
        );
        Ok(Some(token))
    }

    /// Who was it issued for? Whatever the answer, the token is worth nothing afterwards.
    ///
    /// # Errors
    /// [`Refusal`] says what is wrong with it.
    pub fn redeem(
        &mut self,
        token: &Token,
        claimed: &Binding,
        now: Instant,
    ) -> Result<Accepted, Refusal> {
        let issued = self
            .issued
            .remove(&digest(token))
            .ok_or(Refusal::UnknownToken)?;
        self.uncount(issued.connection);
        if now.saturating_duration_since(issued.at) >= LIFETIME {
            return Err(Refusal::ExpiredToken);
        }
        if issued.binding != *claimed {
            return Err(Refusal::ForeignToken);
        }
        Ok(issued.accepted)
    }

    /// A login process is gone: its tokens are worth nothing.
    pub fn forget(&mut self, connection: u64) {
        if self.by_connection.remove(&connection).is_some() {
            self.issued
                .retain(|_, issued| issued.connection != connection);
        }
    }

    /// Forgets tokens that have long expired.
    pub fn sweep(&mut self, now: Instant) {
        let Self {
            issued,
            by_connection,
        } = self;
        issued.retain(|_, issued| {
            let keep = now.saturating_duration_since(issued.at) < MEMORY;
            if !keep && let Some(count) = by_connection.get_mut(&issued.connection) {
                *count -= 1;
            }
            keep
        });
    }

    /// Tokens that may still be redeemed.
    pub fn outstanding(&self, now: Instant) -> usize {
        self.issued
            .values()
            .filter(|issued| now.saturating_duration_since(issued.at) < LIFETIME)
            .count()
    }

    fn uncount(&mut self, connection: u64) {
        if let Some(count) = self.by_connection.get_mut(&connection) {
            *count -= 1;
        }
    }
}

fn digest(token: &Token) -> [u8; 32] {
    Sha256::digest(token.expose()).into()
}
