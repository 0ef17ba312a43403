//! Times as people here read them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mailbox::MailDate;

/// `2007-04-13 00:00:00`, as the clock on the wall here showed.
pub fn local(unix: i64) -> String {
    let zone = MailDate::local(unix).offset_minutes;
    let shown = unix.saturating_add(i64::from(zone) * 60);
    Timestamp::from_second(shown).map_or_else(
        |_| unix.to_string(),
        |time| {
            time.to_zoned(TimeZone::UTC)
                .strftime("%Y-%m-%d %H:%M:%S")
                .to_string()
        },
    )
}
