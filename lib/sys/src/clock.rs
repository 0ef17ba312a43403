//! Points in time that processes of one boot can tell each other.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Milliseconds of `CLOCK_MONOTONIC` at this point; what is past counts as now.
#[must_use]
pub fn to_monotonic(point: Instant) -> u64 {
    let ahead = point.saturating_duration_since(Instant::now());
    millis(now().saturating_add(ahead))
}

/// The point that another process called so; what is past counts as now.
#[must_use]
pub fn from_monotonic(point: u64) -> Instant {
    let ahead = Duration::from_millis(point).saturating_sub(now());
    let here = Instant::now();
    // Centuries from now, if somebody says so.
    here.checked_add(ahead).unwrap_or(here)
}

fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::try_from(now).unwrap_or_default()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_in_time_is_the_same_for_whoever_is_told() {
        let point = Instant::now() + Duration::from_secs(100);
        let told = from_monotonic(to_monotonic(point));
        let differs = point.max(told) - point.min(told);
        assert!(differs < Duration::from_secs(1), "{differs:?}");
        assert!(from_monotonic(0) <= Instant::now());
        assert!(from_monotonic(u64::MAX) >= Instant::now() - Duration::from_secs(1));
    }
}
