//! What time it is: for dates of messages that came with none.

use std::time::{SystemTime, UNIX_EPOCH};

/// UNIX time, seconds.
pub fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs().cast_signed())
}
