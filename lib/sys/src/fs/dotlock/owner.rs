//! Whose a dotlock is, and whether he lives.

use std::ffi::CStr;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::super::{Fs, FsFile, FsResult, Stat};

/// The longest content that we look at, bytes.
const LONGEST: usize = 4096;

/// What a lock of ours has beside its content. It fits into an inode of ext4 (256 bytes).
const ATTRIBUTE: &CStr = c"user.culver";

/// Names the owner in the lock's inode. Where there are no attributes, the content has to do.
pub(super) fn mark(lock: &FsFile, name: &[u8]) {
    let _ = lock.set_attribute(ATTRIBUTE, name);
}

/// Who the inode says that a lock belongs to; empty if it does not.
pub(super) fn marked(fs: &Fs, path: &Path) -> FsResult<Vec<u8>> {
    Ok(fs.open_read(path)?.attribute(ATTRIBUTE, LONGEST))
}

/// Who a lock says that it belongs to: its content, or its inode where the content never came to the disk.
pub(super) fn told_by(fs: &Fs, path: &Path) -> FsResult<Vec<u8>> {
    let file = fs.open_read(path)?;
    let content = file.clone().read_all(LONGEST as u64)?;
    if Owner::parse(&content).is_some() {
        return Ok(content);
    }
    let mark = file.attribute(ATTRIBUTE, LONGEST);
    Ok(if mark.is_empty() { content } else { mark })
}

/// Did it last change before this host's kernel started? Nobody who lives made it then, unless on another host,
/// which is why it is asked of locks alone that name nobody. In a container the kernel may have started long
/// before: such a lock is waited for as others are. A clock that was set forward since the kernel started
/// makes a lock older by that much; but who leaves a lock without his name works under it for a moment.
pub(super) fn is_of_another_boot(lock: &Stat) -> bool {
    let clock = |id| Duration::try_from(clock_gettime(id)).unwrap_or_default();
    let started = clock(ClockId::Realtime).saturating_sub(clock(ClockId::Boottime));
    let changed = lock.ctime.max(lock.mtime);
    let changed = u64::try_from(changed.sec).map(|sec| Duration::new(sec, changed.nsec));
    changed.is_ok_and(|changed| changed < started)
}

/// Who a lock file says that it belongs to.
pub(super) struct Owner<'a> {
    pid: i32,
    pub(super) host: &'a [u8],
    /// Start time in clock ticks since boot, and boot id: only in locks of ours.
    incarnation: Option<&'a [u8]>,
}

impl<'a> Owner<'a> {
    pub(super) fn parse(content: &'a [u8]) -> Option<Self> {
        let mut halves = content.splitn(2, |&b| b == 0);
        let name = halves.next()?;
        let name = name.strip_suffix(b"\n").unwrap_or(name);
        let colon = name.iter().position(|&b| b == b':')?;
        let pid = std::str::from_utf8(name.get(..colon)?).ok()?.parse().ok()?;
        if pid <= 0 {
            return None;
        }
        Some(Self {
            pid,
            host: name.get(colon + 1..)?,
            incarnation: halves.next(),
        })
    }

    /// Surely dead: `false` where we cannot know.
    pub(super) fn is_dead(&self) -> bool {
        if self.host != host_name() {
            return false;
        }
        let Some(pid) = rustix::process::Pid::from_raw(self.pid) else {
            return false;
        };
        if rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH) {
            return true;
        }
        match (self.incarnation, incarnation(&self.pid.to_string())) {
            (Some(owner), Some(now)) => owner != now.as_bytes(),
            _ => false,
        }
    }
}

/// `<pid>:<host>`, and our incarnation.
pub(super) fn own_name() -> Vec<u8> {
    let mut content = format!("{}:", std::process::id()).into_bytes();
    content.extend_from_slice(host_name());
    if let Some(own) = own_incarnation() {
        content.push(0);
        content.extend_from_slice(own.as_bytes());
    }
    content
}

/// Reads what our locks say of us, while /proc can be read.
pub fn know_oneself() {
    let _ = (own_incarnation(), host_name());
}

fn own_incarnation() -> Option<&'static String> {
    static OWN: OnceLock<(u32, Option<String>)> = OnceLock::new();
    let (pid, own) = OWN.get_or_init(|| (std::process::id(), incarnation("self")));
    own.as_ref().filter(|_| *pid == std::process::id())
}

/// `<start time>:<boot id>` of a process; `None` where /proc does not show it.
fn incarnation(pid: &str) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command name, in parentheses, may hold anything: count from its end.
    let start = stat
        .get(stat.rfind(')')? + 1..)?
        .split_ascii_whitespace()
        .nth(19)?;
    Some(format!("{start}:{}", boot_id()?))
}

/// Set by units that hide the rest of /proc (`ProcSubset=pid`): systemd's `%b`.
pub const BOOT_ID_VARIABLE: &str = "CULVER_BOOT_ID";

/// The kernel's name for this boot, 32 hexadecimal digits.
fn boot_id() -> Option<&'static str> {
    static ID: OnceLock<Option<String>> = OnceLock::new();
    let told = || std::env::var(BOOT_ID_VARIABLE).ok();
    let read = || std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
    let id = ID.get_or_init(|| told().and_then(plain).or_else(|| read().and_then(plain)));
    id.as_deref()
}

/// With and without dashes it is the same; anything else is none.
fn plain(id: String) -> Option<String> {
    let digits: String = id.trim().chars().filter(|digit| *digit != '-').collect();
    (digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())).then_some(digits)
}

/// This host's name, as Dovecot writes it into locks and Maildir names.
#[must_use]
pub fn host_name() -> &'static [u8] {
    static NAME: OnceLock<Vec<u8>> = OnceLock::new();
    NAME.get_or_init(|| rustix::system::uname().nodename().to_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_the_kernel_is_of_another_boot() {
        let dir = tempfile::tempdir().unwrap();
        let fs = Fs::real();
        assert!(!is_of_another_boot(&fs.stat(dir.path()).unwrap()));
        assert!(is_of_another_boot(&Stat::default()));
    }

    #[test]
    fn owner_parses_what_anybody_may_have_written() {
        for bad in ["", ":", "x:h", "-1:h", "0:h", "99999999999:h", "12"] {
            assert!(Owner::parse(bad.as_bytes()).is_none(), "{bad}");
        }
        let owner = Owner::parse(b"12:vm\x0034:boot").unwrap();
        assert_eq!((owner.pid, owner.host), (12, &b"vm"[..]));
        assert_eq!(owner.incarnation, Some(&b"34:boot"[..]));
    }

    #[test]
    fn a_boot_has_one_name() {
        let dashed = "0f6d3a52-8a5e-4f0b-9c1d-2e3f4a5b6c7d\n".to_owned();
        let bare = "0f6d3a528a5e4f0b9c1d2e3f4a5b6c7d".to_owned();
        assert_eq!(plain(dashed), Some(bare.clone()));
        assert_eq!(plain(bare.clone()), Some(bare));
        assert_eq!(plain("%b".to_owned()), None);
        assert!(own_incarnation().is_some());
    }
}
