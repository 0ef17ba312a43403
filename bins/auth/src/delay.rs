//! `auth_failure_delay`: when a failure is told. Counted from the question, so that the time a hash takes does not show
//! whether there was a user to hash for; in steps, so that many failures cost one wake-up.

use std::time::Duration;

use tokio::time::Instant;

/// Failures are told at multiples of this.
const STEP: Duration = Duration::from_millis(250);

/// The beat.
#[derive(Clone, Copy, Debug)]
pub struct Delay {
    origin: Instant,
}

impl Delay {
    /// Steps are counted from `origin`.
    pub fn new(origin: Instant) -> Self {
        Self { origin }
    }

    /// When to tell a failure of a question that came at `asked`.
    pub fn deadline(&self, asked: Instant, delay: Duration) -> Instant {
        if delay.is_zero() {
            return asked;
        }
        let exact = (asked + delay).saturating_duration_since(self.origin);
        let steps = exact.as_millis().div_ceil(STEP.as_millis());
        self.origin + STEP * u32::try_from(steps).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_wait_at_least_the_delay_and_meet_at_steps() {
        let origin = Instant::now();
        let delay = Delay::new(origin);
        let at = |millis| origin + Duration::from_millis(millis);
        let two = Duration::from_secs(2);
        assert_eq!(delay.deadline(at(0), two), at(2000));
        assert_eq!(delay.deadline(at(1), two), at(2250));
        assert_eq!(delay.deadline(at(250), two), at(2250));
        assert_eq!(delay.deadline(at(123), Duration::ZERO), at(123));
    }
}
