//! Dotlocks: `<file>.lock`, made with `O_EXCL`, as Dovecot makes them. FORMATS.md §6.9.
//!
//! Content: `<pid>:<host>`, and after a NUL, where Dovecot's comparison of the host stops,
//! `<start time>:<boot id>` of the owner. So a lock whose owner is dead is broken at once even
//! where its pid was given to somebody else since. The inode says the same (`user.culver`): a power cut
//! leaves names without content, but no names without inodes. Without these, a lock is stale when pid and
//! host say that its owner is dead, when it names nobody and is older than this boot, or when neither it
//! nor the locked file changed for [`STALE`].
//!
//! Threads of one process exclude each other here too (`O_EXCL`), but wait by polling: a mutex
//! around it is quicker.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Fs, FsError, FsFile, FsResult, How, Stat, found};

mod owner;

use owner::Owner;
pub use owner::{BOOT_ID_VARIABLE, host_name, know_oneself};

/// A lock that does not change for so long belongs to nobody (FORMATS.md §4.2).
pub const STALE: Duration = Duration::from_secs(120);

/// An owner writes its name right after it made the file: one that stays empty died in between.
const STALE_EMPTY: Duration = Duration::from_secs(2);

/// A dotlock that we hold; given back on drop, with an error on [`Dotlock::unlock`].
#[derive(Debug)]
pub struct Dotlock {
    fs: Fs,
    path: PathBuf,
    /// `None` once it was given back.
    held: Option<Stat>,
    /// While it is open, no other file gets its inode number.
    _file: FsFile,
}

/// How long somebody waits for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For one that somebody alive works under.
    pub timeout: Duration,
    /// For one under which nothing changes.
    pub stale: Duration,
}

/// Why a dotlock was not had.
#[derive(Debug, thiserror::Error)]
pub enum DotlockError {
    /// Somebody alive held it for the whole time.
    #[error("{} is locked by {owner}", path.display())]
    Timeout {
        /// The lock file.
        path: PathBuf,
        /// Its content, controls replaced.
        owner: String,
    },
    /// The lock file could not be made.
    #[error(transparent)]
    Fs(#[from] FsError),
}

impl Dotlock {
    /// Takes `<target>.lock`, waiting up to `timeout`.
    ///
    /// # Errors
    /// [`DotlockError::Timeout`] if a living owner keeps it; the failed call otherwise.
    pub fn acquire(fs: &Fs, target: &Path, timeout: Duration) -> Result<Self, DotlockError> {
        let stale = STALE;
        Self::acquire_with(fs, target, Patience { timeout, stale })
    }

    /// The same for locks that are stale after another time (`mbox_dotlock_change_timeout`).
    ///
    /// # Errors
    /// As [`Dotlock::acquire`].
    pub fn acquire_with(fs: &Fs, target: &Path, patience: Patience) -> Result<Self, DotlockError> {
        let path = lock_path(target);
        let started = Instant::now();
        let timeout = patience.timeout;
        let mut watch = Watch {
            stale: patience.stale,
            ..Watch::default()
        };
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some((file, held)) = create(fs, &path)? {
                return Ok(Self {
                    fs: fs.clone(),
                    path,
                    held: Some(held),
                    _file: file,
                });
            }
            if watch.is_stale(fs, &path, target)? {
                fs.unlink_if_exists(&path)?;
                continue;
            }
            if started.elapsed() >= timeout {
                return Err(DotlockError::Timeout {
                    owner: watch.owner(),
                    path,
                });
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// Is the file still ours? `false` if somebody took it for stale while we slept.
    ///
    /// # Errors
    /// The failed `stat`.
    pub fn is_held(&self) -> FsResult<bool> {
        let Some(held) = &self.held else {
            return Ok(false);
        };
        let now = self.fs.stat_opt(&self.path)?;
        Ok(now.is_some_and(|now| same_file(&now, held)))
    }

    /// Gives the lock back.
    ///
    /// # Errors
    /// The failed call; the lock is then released by the rules for stale locks.
    pub fn unlock(mut self) -> FsResult<()> {
        self.release()
    }

    fn release(&mut self) -> FsResult<()> {
        // Once more before everybody waits for a lock that nobody holds.
        let ours = self.is_held().or_else(|_| self.is_held());
        self.held = None;
        if !ours? {
            return Ok(());
        }
        let removed = self.fs.unlink_if_exists(&self.path);
        removed.or_else(|_| self.fs.unlink_if_exists(&self.path))
    }
}

impl Drop for Dotlock {
    fn drop(&mut self) {
        // A lock that cannot be removed is broken by the next one who finds our process gone.
        let _ = self.release();
    }
}

fn lock_path(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

fn same_file(a: &Stat, b: &Stat) -> bool {
    a.ino == b.ino && a.dev == b.dev
}

/// Makes the lock file; `None` if it is there.
fn create(fs: &Fs, path: &Path) -> FsResult<Option<(FsFile, Stat)>> {
    let Some(file) = create_empty(fs, path)? else {
        return Ok(None);
    };
    // A lock without its owner's name is worse than none.
    match file.append(&owner::own_name()).and_then(|()| file.stat()) {
        Ok(held) => Ok(Some((file, held))),
        Err(error) => {
            let _ = fs.unlink(path);
            Err(error)
        }
    }
}

fn create_empty(fs: &Fs, path: &Path) -> FsResult<Option<FsFile>> {
    match fs.open(path, How::CreateNew, 0o600) {
        Ok(file) => {
            owner::mark(&file, &owner::own_name());
            Ok(Some(file))
        }
        Err(error) if error.is_exists() => Ok(None),
        Err(error) => Err(error),
    }
}

/// What one waiter has seen of somebody else's lock.
#[derive(Default)]
struct Watch {
    seen: Option<(Stat, Option<Stat>)>,
    since: Option<Instant>,
    content: Vec<u8>,
    /// See [`Patience`].
    stale: Duration,
}

impl Watch {
    /// May the lock be broken?
    fn is_stale(&mut self, fs: &Fs, path: &Path, target: &Path) -> FsResult<bool> {
        let Some(lock) = fs.stat_opt(path)? else {
            return Ok(false);
        };
        let now = (lock, fs.stat_opt(target)?);
        let changed = self.seen != Some(now);
        if changed {
            self.seen = Some(now);
            self.since = Some(Instant::now());
        }
        self.content = match found(owner::told_by(fs, path))? {
            Some(content) => content,
            None => return Ok(false),
        };
        let unchanged = self.since.map_or(Duration::ZERO, |since| since.elapsed());
        let stale = match Owner::parse(&self.content) {
            Some(owner) if owner.is_dead() => true,
            // Alive, but stuck. The wall clock has no say here: it may have jumped.
            Some(owner) if owner.host == host_name() => unchanged >= self.stale,
            None if owner::is_of_another_boot(&lock) => true,
            None if self.content.is_empty() && unchanged >= STALE_EMPTY => true,
            _ => {
                let is_old = |stat: &Stat| is_older(stat, self.stale);
                unchanged >= self.stale || (is_old(&lock) && now.1.as_ref().is_none_or(is_old))
            }
        };
        // Only the very file that was judged: another waiter may have replaced it meanwhile.
        Ok(stale && fs.stat_opt(path)?.is_some_and(|again| again == lock))
    }

    fn owner(&self) -> String {
        let name = self.content.split(|&b| b == 0).next().unwrap_or_default();
        String::from_utf8_lossy(name).escape_debug().to_string()
    }
}

/// Runs a new file through `<target>.lock`, where the lock file is itself the new content
/// (subscriptions, keywords; FORMATS.md §4.3, §6.3): made with `O_EXCL`, written, synced, renamed.
///
/// `read_and_change` runs while the lock is held and returns the new content, or `None` to leave
/// the file as it is.
///
/// # Errors
/// As [`Dotlock::acquire`], or what `read_and_change` returned.
pub fn replace<E>(
    fs: &Fs,
    target: &Path,
    timeout: Duration,
    read_and_change: impl FnOnce() -> Result<Option<Vec<u8>>, E>,
) -> Result<(), E>
where
    E: From<DotlockError> + From<FsError>,
{
    let path = lock_path(target);
    let file = acquire_empty(fs, &path, timeout)?;
    let written = read_and_change().and_then(|content| {
        let Some(content) = content else {
            return Ok(false);
        };
        file.append(&content)?;
        file.sync_data()?;
        fs.rename(&path, target)?;
        Ok(true)
    });
    match written {
        Ok(true) => Ok(()),
        Ok(false) => Ok(fs.unlink_if_exists(&path)?),
        Err(error) => {
            let _ = fs.unlink(&path);
            Err(error)
        }
    }
}

fn acquire_empty(fs: &Fs, path: &Path, timeout: Duration) -> Result<FsFile, DotlockError> {
    let started = Instant::now();
    let mut watch = ContentWatch::default();
    loop {
        if let Some(file) = create_empty(fs, path)? {
            return Ok(file);
        }
        if watch.is_stale(fs, path)? {
            fs.unlink_if_exists(path)?;
            continue;
        }
        if started.elapsed() >= timeout {
            return Err(DotlockError::Timeout {
                path: path.to_owned(),
                owner: "an unknown process".into(),
            });
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// As [`Watch`], for locks whose content is not their owner. They are held for milliseconds, so
/// one of others that does not change for some seconds was left behind by a killed process.
#[derive(Default)]
struct ContentWatch {
    seen: Option<Stat>,
    since: Option<Instant>,
}

impl ContentWatch {
    fn is_stale(&mut self, fs: &Fs, path: &Path) -> FsResult<bool> {
        let Some(lock) = fs.stat_opt(path)? else {
            return Ok(false);
        };
        if self.seen != Some(lock) {
            self.seen = Some(lock);
            self.since = Some(Instant::now());
        }
        let is_dead = match found(owner::marked(fs, path))? {
            Some(mark) => Owner::parse(&mark)
                .map_or(owner::is_of_another_boot(&lock), |owner| owner.is_dead()),
            None => return Ok(false),
        };
        let watched = self
            .since
            .is_some_and(|since| since.elapsed() >= STALE_CONTENT);
        let stale = is_dead || watched || is_old(&lock);
        Ok(stale && fs.stat_opt(path)? == Some(lock))
    }
}

/// See [`ContentWatch`].
const STALE_CONTENT: Duration = Duration::from_secs(10);

/// Neither content nor inode changed for [`STALE`], by the wall clock.
fn is_old(stat: &Stat) -> bool {
    is_older(stat, STALE)
}

fn is_older(stat: &Stat, than: Duration) -> bool {
    let changed = stat.ctime.sec.max(stat.mtime.sec);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.is_ok_and(|now| {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        now.saturating_sub(changed) >= than.as_secs().cast_signed()
    })
}

impl From<DotlockError> for io::Error {
    fn from(error: DotlockError) -> Self {
        match error {
            DotlockError::Fs(error) => error.source,
            DotlockError::Timeout { .. } => io::ErrorKind::TimedOut.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(30);

    fn target() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("dovecot-uidlist");
        (dir, target)
    }

    fn lock_of(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let (dir, target) = target();
        std::fs::write(lock_path(&target), content).unwrap();
        (dir, target)
    }

    fn dead_pid() -> u32 {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        child.id()
    }

    #[test]
    fn excludes_and_gives_back() {
        let (_dir, target) = target();
        let lock = Dotlock::acquire(&Fs::real(), &target, SHORT).unwrap();
        let second = Dotlock::acquire(&Fs::real(), &target, SHORT);
        assert!(matches!(second, Err(DotlockError::Timeout { .. })));
        lock.unlock().unwrap();
        drop(Dotlock::acquire(&Fs::real(), &target, SHORT).unwrap());
        assert!(!lock_path(&target).exists());
    }

    #[test]
    fn breaks_the_lock_of_a_dead_process_at_once() {
        let host = String::from_utf8_lossy(host_name());
        let (_dir, target) = lock_of(format!("{}:{host}", dead_pid()).as_bytes());
        Dotlock::acquire(&Fs::real(), &target, Duration::ZERO).unwrap();
    }

    #[test]
    fn breaks_the_lock_of_a_reused_pid_at_once() {
        let host = String::from_utf8_lossy(host_name());
        let own = std::process::id();
        let (_dir, target) = lock_of(format!("{own}:{host}\0001:another-boot").as_bytes());
        Dotlock::acquire(&Fs::real(), &target, Duration::ZERO).unwrap();
    }

    /// After a power cut: the name is there, what was written is not.
    #[test]
    fn breaks_the_empty_lock_of_the_dead_at_once() {
        let host = String::from_utf8_lossy(host_name());
        let own = std::process::id();
        for dead in [
            format!("{}:{host}", dead_pid()),
            format!("{own}:{host}\0001:another-boot"),
        ] {
            let (_dir, target) = lock_of(b"");
            let lock = Fs::real()
                .open(&lock_path(&target), How::Append, 0)
                .unwrap();
            owner::mark(&lock, dead.as_bytes());
            Dotlock::acquire(&Fs::real(), &target, Duration::ZERO).unwrap();
            let lock = Fs::real()
                .open(&lock_path(&target), How::CreateNew, 0o600)
                .unwrap();
            owner::mark(&lock, dead.as_bytes());
            replace::<DotlockError>(&Fs::real(), &target, Duration::ZERO, || Ok(None)).unwrap();
        }
    }

    #[test]
    fn an_empty_lock_of_the_living_is_respected() {
        let (_dir, target) = target();
        let lock = Dotlock::acquire(&Fs::real(), &target, SHORT).unwrap();
        lock._file.truncate(0).unwrap();
        let second = Dotlock::acquire(&Fs::real(), &target, STALE_EMPTY * 2);
        assert!(matches!(second, Err(DotlockError::Timeout { .. })));
    }

    #[test]
    fn respects_the_living_and_other_hosts() {
        let host = String::from_utf8_lossy(host_name());
        let own = std::process::id();
        for content in [format!("{own}:{host}"), format!("{}:elsewhere", dead_pid())] {
            let (_dir, target) = lock_of(content.as_bytes());
            let result = Dotlock::acquire(&Fs::real(), &target, SHORT);
            assert!(
                matches!(result, Err(DotlockError::Timeout { .. })),
                "{content}"
            );
        }
    }

    #[test]
    fn what_is_stale_is_a_matter_of_patience() {
        let (_dir, target) = lock_of(b"");
        let lock = lock_path(&target);
        std::fs::write(&lock, format!("{}:elsewhere", std::process::id())).unwrap();
        let stale = Duration::from_millis(1);
        let patience = Patience {
            timeout: Duration::from_secs(60),
            stale,
        };
        Dotlock::acquire_with(&Fs::real(), &target, patience).unwrap();
    }

    #[test]
    fn a_lock_taken_over_is_not_removed_by_its_former_owner() {
        let (_dir, target) = target();
        let lock = Dotlock::acquire(&Fs::real(), &target, SHORT).unwrap();
        std::fs::remove_file(lock_path(&target)).unwrap();
        std::fs::write(lock_path(&target), "1:somebody").unwrap();
        assert!(!lock.is_held().unwrap());
        drop(lock);
        assert!(lock_path(&target).exists());
    }

    #[test]
    fn replace_is_whole_or_nothing() {
        let (_dir, target) = target();
        let fs = Fs::real();
        replace::<DotlockError>(&fs, &target, SHORT, || Ok(Some(b"one".to_vec()))).unwrap();
        replace::<DotlockError>(&fs, &target, SHORT, || Ok(None)).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"one");
        assert!(!lock_path(&target).exists());
    }
}
