//! Names that nobody else makes. FORMATS.md §4.1: `<sec>.M<usec>P<pid>.<host>`.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last time that this process gave out.
static LAST: Mutex<Duration> = Mutex::new(Duration::ZERO);

/// A new base name, without sizes. Unique among the threads of this process even when the clock
/// stands still or jumps back; among processes by their pids, among hosts by their names.
#[must_use]
pub fn base_name() -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let micros = Duration::from_micros(1);
    // After a jump back by less than a day we go on from the last name; then time has caught up, or
    // the clock was wrong before and names start anew, which the pid and O_EXCL still tell apart.
    let jumped = now + Duration::from_secs(86_400) < *last;
    *last = if jumped { now } else { now.max(*last + micros) };
    let time = *last;
    drop(last);
    let (host, pid) = (host(), std::process::id());
    format!("{}.M{}P{pid}.{host}", time.as_secs(), time.subsec_micros())
}

/// UNIX time.
pub(crate) fn seconds() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

/// The host's name as it can stand in a file name: `/` and `:` as `\057` and `\072`, and no comma,
/// which begins the sizes.
fn host() -> String {
    let mut host = String::new();
    for character in String::from_utf8_lossy(sys::fs::dotlock::host_name()).chars() {
        match character {
            '/' => host.push_str("\\057"),
            ':' => host.push_str("\\072"),
            ',' | ' ' => host.push('_'),
            other if other.is_control() => host.push('_'),
            other => host.push(other),
        }
    }
    host
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn threads_never_get_the_same_name() {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(|| (0..500).map(|_| super::base_name()).collect::<Vec<_>>())
            })
            .collect();
        let names: HashSet<String> = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        assert_eq!(names.len(), 2000);
        assert!(
            names
                .iter()
                .all(|name| crate::name::is_message(name.as_bytes()))
        );
    }
}
