//! How many workers, and for how long.

use std::time::Duration;

use config::ServiceSettings;

/// How many workers there may be, and for how long. Dovecot's `service { }` settings.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Jobs that one worker serves at once (`client_limit`).
    pub client_limit: usize,
    /// Workers, the pool included (`process_limit`).
    pub process_limit: usize,
    /// Unidentified workers kept ready (`process_min_avail`).
    pub process_min_avail: usize,
    /// Jobs after which a worker takes no more (`service_count`); 0: no such limit.
    pub service_count: usize,
    /// How long a worker without jobs stays (`idle_kill`).
    pub idle_kill: Duration,
}

impl Limits {
    /// As the configuration has them; at least `ready` unidentified workers.
    ///
    /// Unless the administrator decides otherwise, a user's jobs share a worker, which stays: Dovecot's
    /// defaults, one client per process, are no decision.
    #[must_use]
    pub fn of(settings: &ServiceSettings, ready: usize) -> Self {
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let (client_limit, service_count) = match settings.says_who_shares {
            true => (
                number(settings.client_limit).max(1),
                number(settings.service_count),
            ),
            false => (usize::MAX, 0),
        };
        Self {
            client_limit,
            process_limit: number(settings.process_limit).max(1),
            process_min_avail: number(settings.process_min_avail).max(ready),
            service_count,
            idle_kill: settings
                .idle_kill
                .map_or(NEVER, Duration::from_secs)
                .min(NEVER),
        }
    }
}

/// `idle_kill` that means never.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
