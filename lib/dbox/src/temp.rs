//! Files in the making: `.temp.<sec>.P<pid>Q<n>M<usec>.<host>`, as Dovecot names them, and what killed
//! writers left of them. FORMATS.md §2.5, §6.8.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sys::fs::{EntryKind, Fs, FsFile, FsResult, How, join};

/// All temporary names begin so.
pub const PREFIX: &[u8] = b".temp.";

/// Nobody writes a message for so long.
const ABANDONED: Duration = Duration::from_hours(36);

/// A new file that nobody else has, open for writing.
///
/// # Errors
/// It cannot be made.
pub fn create(fs: &Fs, dir: &Path, mode: u32) -> FsResult<FsFile> {
    loop {
        match fs.open(&name(dir), How::CreateNew, mode) {
            Err(error) if error.is_exists() => {}
            other => return other,
        }
    }
}

/// A name that nobody else makes: pid and host tell processes apart, a number threads.
#[must_use]
pub fn name(dir: &Path) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = since_1970();
    let (pid, host) = (std::process::id(), host());
    dir.join(format!(
        ".temp.{}.P{pid}Q{count}M{}.{host}",
        now.as_secs(),
        now.subsec_micros()
    ))
}

/// The host's name as it can stand in a file name.
fn host() -> String {
    let host = String::from_utf8_lossy(sys::fs::dotlock::host_name());
    let plain = |c: char| if c == '/' || c.is_control() { '_' } else { c };
    host.chars().map(plain).collect()
}

/// Seconds since 1970, for R, C and names.
#[must_use]
pub fn now() -> u32 {
    u32::try_from(since_1970().as_secs()).unwrap_or(u32::MAX)
}

fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// Removes temporary files older than 36 hours.
///
/// # Errors
/// The directory cannot be read; what cannot be removed stays.
pub fn clean(fs: &Fs, dir: &Path) -> FsResult<()> {
    let mut names = Vec::new();
    fs.read_dir(dir, &mut |name, kind| {
        if name.starts_with(PREFIX) && kind != EntryKind::Directory {
            names.push(name.to_vec());
        }
    })?;
    let oldest = i64::from(now()) - i64::try_from(ABANDONED.as_secs()).unwrap_or(i64::MAX);
    for name in names {
        let path = join(dir, &name);
        let stat = fs.lstat(&path);
        // A hard link in the making has an old mtime, but its ctime is new.
        if stat.is_ok_and(|stat| stat.mtime.sec < oldest && stat.ctime.sec < oldest) {
            fs.unlink_if_exists(&path)?;
        }
    }
    Ok(())
}
