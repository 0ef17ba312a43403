//! What time it is: ages of logs, days of appends, names of generations.

use std::time::{SystemTime, UNIX_EPOCH};

use mailbox::MailDate;

/// UNIX time as the formats have room for it: seconds, 32 bits, at least 1.
pub(crate) fn now() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u32::try_from(since.unwrap_or_default().as_secs())
        .unwrap_or(u32::MAX)
        .max(1)
}

/// When the local day of this point in time began.
pub(crate) fn midnight(now: u32) -> u32 {
    const DAY: i64 = 24 * 60 * 60;
    let offset = |at: i64| 60 * i64::from(MailDate::local(at).offset_minutes);
    let now = i64::from(now);
    let day = (now + offset(now)).div_euclid(DAY) * DAY;
    // The offset of that moment, not of now: clocks change during days.
    let began = day - offset(day - offset(now));
    u32::try_from(began).unwrap_or(0)
}
