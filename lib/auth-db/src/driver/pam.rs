//! pam: asks the system's PAM modules, through auth-worker.

use std::cell::RefCell;
use std::time::Instant;

use config::expand::Template;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::cache::{Cache, key};
use crate::context::{self, Context};
use crate::outside::{Outside, PamQuestion, PamRefusal, PamVerdict};

/// File in /etc/pam.d unless `args` name another.
const DEFAULT_SERVICE: &str = "culver";

/// One passdb of this driver.
pub(crate) struct Pam {
    service: Template,
    session: bool,
    setcred: bool,
    /// `cache_key=`; without it nothing is cached: PAM may decide by more than name and password.
    cache_key: Option<Template>,
    cache: RefCell<Cache<Proof>>,
    /// Of this process: what is cached proves nothing to anybody else.
    secret: Zeroizing<[u8; 64]>,
}

/// That a password was right: a keyed hash of it, and the name that PAM settled on.
#[derive(Clone)]
pub(crate) struct Proof {
    digest: [u8; 32],
    user: String,
}

impl Pam {
    /// Reads `[session=yes] [setcred=yes] [cache_key=…] [failure_show_msg=…] [max_requests=…] [service]`.
    pub(crate) fn new(args: &str, cache: Cache<Proof>) -> Result<Self, String> {
        let template = |text| context::template(text).map_err(|error| error.to_string());
        let mut secret = Zeroizing::new([0; 64]);
        sys::random::fill(&mut *secret).map_err(|error| format!("no random bytes: {error}"))?;
        let mut pam = Self {
            service: template(DEFAULT_SERVICE)?,
            session: false,
            setcred: false,
            cache_key: None,
            cache: RefCell::new(cache),
            secret,
        };
        for word in args.split_ascii_whitespace() {
            match word.split_once('=') {
                None if word == "-session" => pam.session = true,
                // Dovecot 1.x: the service is named like the protocol.
                None if word == "*" => pam.service = template("%s")?,
                None => pam.service = template(word)?,
                Some(("session", value)) => pam.session = value == "yes",
                Some(("setcred", value)) => pam.setcred = value == "yes",
                Some(("cache_key", value)) => {
                    pam.cache_key = Some(template(value.trim_end_matches('*'))?)
                }
                // Messages of modules go to the log; processes are ended when they idle.
                Some(("failure_show_msg" | "max_requests" | "blocking", _)) => {}
                Some((name, _)) => return Err(format!("pam: Unknown setting: {name}")),
            }
        }
        Ok(pam)
    }

    /// Asks. `password` is the client's.
    pub(crate) async fn ask(
        &self,
        context: &Context<'_>,
        password: &[u8],
        outside: &impl Outside,
    ) -> PamVerdict {
        let service = context.expand(&self.service);
        if service.is_empty() || service.contains('/') || service.starts_with('.') {
            return PamVerdict::Failed(format!("invalid service name '{service}'"));
        }
        let key = self.key(context, &service);
        let digest = self.digest(password);
        if let Some(key) = &key
            && let Some(verdict) = self.cached(key, &digest)
        {
            return verdict;
        }
        let verdict = outside.pam(self.question(service, context, password)).await;
        if let Some(key) = key {
            self.remember(key, digest, &verdict);
        }
        verdict
    }

    fn question(&self, service: String, context: &Context<'_>, password: &[u8]) -> PamQuestion {
        PamQuestion {
            service,
            user: context.names.user.clone(),
            password: Zeroizing::new(password.to_vec()),
            remote: context.client.remote_ip(),
            session: self.session,
            setcred: self.setcred,
        }
    }

    fn key(&self, context: &Context<'_>, service: &str) -> Option<Vec<u8>> {
        let client = context.client;
        let local = client
            .local_ip()
            .map(|ip| ip.to_string())
            .unwrap_or_default();
        let own = context.expand(self.cache_key.as_ref()?);
        Some(key(&[
            &context.names.user,
            &client.service,
            &local,
            service,
            &own,
        ]))
    }

    /// A wrong password is never cached: it may have become right. An unknown user is.
    fn cached(&self, key: &[u8], digest: &[u8; 32]) -> Option<PamVerdict> {
        match self.cache.borrow_mut().get(key, Instant::now())? {
            Some(proof) => bool::from(proof.digest.ct_eq(digest))
                .then_some(PamVerdict::Accepted { user: proof.user }),
            None => Some(PamVerdict::Refused {
                reason: PamRefusal::UnknownUser,
                text: "unknown user".to_owned(),
            }),
        }
    }

    fn remember(&self, key: Vec<u8>, digest: [u8; 32], verdict: &PamVerdict) {
        let mut cache = self.cache.borrow_mut();
        match verdict {
            PamVerdict::Accepted { user } => {
                cache.put(
                    key,
                    Some(Proof {
                        digest,
                        user: user.clone(),
                    }),
                    Instant::now(),
                );
            }
            PamVerdict::Refused {
                reason: PamRefusal::UnknownUser,
                ..
            } => cache.put(key, None, Instant::now()),
            // An account that was locked must not live on in the cache.
            PamVerdict::Refused {
                reason: PamRefusal::Disabled | PamRefusal::PasswordExpired,
                ..
            } => cache.remove(&key),
            PamVerdict::Refused {
                reason: PamRefusal::Mismatch,
                ..
            }
            | PamVerdict::Failed(_) => {}
        }
    }

    fn digest(&self, password: &[u8]) -> [u8; 32] {
        let mac = Hmac::<Sha256>::new(&(*self.secret).into());
        mac.chain_update(password).finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for Pam {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Pam")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}
