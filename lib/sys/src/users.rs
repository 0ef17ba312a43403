//! Users and groups of the system, through NSS: whatever nsswitch.conf names, files, LDAP or sssd, answers. May block.
//!
//! Behind the feature `users`: NSS loads libraries at run time, which statically linked services cannot.

use std::ffi::{CStr, CString, c_char, c_int};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

/// First size of the buffer for one entry; doubled on `ERANGE` up to [`MAX_ENTRY`].
const FIRST_ENTRY: usize = 1024;
/// Beyond this an entry is hostile or broken.
const MAX_ENTRY: usize = 1024 * 1024;
/// Linux knows no process with more (`NGROUPS_MAX`).
const MAX_GROUPS: usize = 65_536;

/// One line of passwd(5), from wherever NSS found it.
#[derive(Clone, PartialEq, Eq)]
pub struct SystemUser {
    /// Login name, as the database spells it.
    pub name: String,
    /// `x` or `*` where the hash is kept elsewhere.
    pub password: Zeroizing<String>,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Home directory.
    pub home: PathBuf,
}

/// The user of this name; `None`: there is no such user.
///
/// # Errors
/// The database could not be asked; this says nothing about the user.
pub fn by_name(name: &str) -> io::Result<Option<SystemUser>> {
    let Ok(name) = CString::new(name) else {
        return Ok(None);
    };
    lookup(|entry, buffer, found| {
        // SAFETY: `name` ends in NUL; `entry` and `found` are valid for writing; the buffer's length is its own.
        unsafe {
            libc::getpwnam_r(
                name.as_ptr(),
                entry,
                buffer.as_mut_ptr(),
                buffer.len(),
                found,
            )
        }
    })
}

/// The user of this id; `None`: there is no such user.
///
/// # Errors
/// As [`by_name`].
pub fn by_uid(uid: u32) -> io::Result<Option<SystemUser>> {
    lookup(|entry, buffer, found| {
        // SAFETY: `entry` and `found` are valid for writing; the buffer's length is its own.
        unsafe { libc::getpwuid_r(uid, entry, buffer.as_mut_ptr(), buffer.len(), found) }
    })
}

/// All users that NSS can list. Directories often list none.
///
/// # Errors
/// As [`by_name`]; users before the failure are lost.
pub fn all() -> io::Result<Vec<SystemUser>> {
    // The list has one position for the whole process.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _position = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: takes no arguments; nobody else in this process moves the position meanwhile.
    unsafe { libc::setpwent() };
    let mut users = Vec::new();
    let listed = loop {
        let next = lookup(|entry, buffer, found| {
            // SAFETY: `entry` and `found` are valid for writing; the buffer's length is its own.
            unsafe { libc::getpwent_r(entry, buffer.as_mut_ptr(), buffer.len(), found) }
        });
        match next {
            Ok(Some(user)) => users.push(user),
            Ok(None) => break Ok(users),
            Err(error) => break Err(error),
        }
    };
    // SAFETY: as setpwent.
    unsafe { libc::endpwent() };
    listed
}

/// The id of the group of this name; `None`: there is no such group.
///
/// # Errors
/// As [`by_name`].
pub fn group_id(name: &str) -> io::Result<Option<u32>> {
    let Ok(name) = CString::new(name) else {
        return Ok(None);
    };
    // SAFETY: a group of numbers and pointers may be all zero; it is only read after the call filled it.
    let mut entry: libc::group = unsafe { std::mem::zeroed() };
    let mut found = std::ptr::null_mut();
    with_buffer(|buffer| {
        // SAFETY: `name` ends in NUL; `entry` and `found` are valid for writing; the buffer's length is its own.
        unsafe {
            libc::getgrnam_r(
                name.as_ptr(),
                &raw mut entry,
                buffer.as_mut_ptr(),
                buffer.len(),
                &raw mut found,
            )
        }
    })?;
    Ok((!found.is_null()).then_some(entry.gr_gid))
}

/// All groups of the user `name`, with `primary` first, as login(1) would set them.
///
/// # Errors
/// The name has a NUL inside, or the user is in more groups than a process can have.
pub fn groups_of(name: &str, primary: u32) -> io::Result<Vec<u32>> {
    let name = CString::new(name).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut groups: Vec<libc::gid_t> = vec![0; 64];
    loop {
        let room = groups.len();
        let mut count = c_int::try_from(room).map_err(io::Error::other)?;
        // SAFETY: `name` ends in NUL; `groups` has room for `count` ids, and `count` is valid for writing.
        let result = unsafe {
            libc::getgrouplist(name.as_ptr(), primary, groups.as_mut_ptr(), &raw mut count)
        };
        let count = usize::try_from(count).unwrap_or(0);
        if result >= 0 {
            groups.truncate(count);
            return Ok(groups);
        }
        if room >= MAX_GROUPS {
            return Err(io::Error::other("user is in too many groups"));
        }
        groups.resize(count.max(room * 2).min(MAX_GROUPS), 0);
    }
}

/// Runs one of the getpw*_r calls and copies what it found.
fn lookup(
    mut call: impl FnMut(*mut libc::passwd, &mut [c_char], *mut *mut libc::passwd) -> c_int,
) -> io::Result<Option<SystemUser>> {
    // SAFETY: a passwd of numbers and pointers may be all zero; it is only read after the call filled it.
    let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
    let mut found = std::ptr::null_mut();
    // The entry's strings lie in the buffer, which must live until they are copied.
    let _buffer = with_buffer(|buffer| call(&raw mut entry, buffer, &raw mut found))?;
    if found.is_null() {
        return Ok(None);
    }
    // SAFETY: the call succeeded and found an entry: its strings are NUL-terminated inside of the buffer.
    let (name, password, home) = unsafe {
        (
            c_str(entry.pw_name),
            c_str(entry.pw_passwd),
            c_str(entry.pw_dir),
        )
    };
    let text = |value: &CStr| value.to_str().map(str::to_owned).map_err(io::Error::other);
    Ok(Some(SystemUser {
        name: text(name)?,
        password: Zeroizing::new(text(password)?),
        uid: entry.pw_uid,
        gid: entry.pw_gid,
        home: Path::new(std::ffi::OsStr::from_bytes(home.to_bytes())).to_path_buf(),
    }))
}

/// A string of an entry; NULL, which some NSS modules leave, is the empty one.
///
/// # Safety
/// `value` is NULL or points to a NUL-terminated string that lives for `'a`.
unsafe fn c_str<'a>(value: *const c_char) -> &'a CStr {
    if value.is_null() {
        return c"";
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(value) }
}

/// Repeats `call` with a growing buffer until the entry fits, and hands the buffer over.
fn with_buffer(mut call: impl FnMut(&mut [c_char]) -> c_int) -> io::Result<Zeroizing<Vec<c_char>>> {
    let mut size = FIRST_ENTRY;
    loop {
        let mut buffer = Zeroizing::new(vec![0; size]);
        match call(&mut buffer) {
            0 => return Ok(buffer),
            libc::EINTR => {}
            libc::ERANGE if size < MAX_ENTRY => size *= 2,
            // getpwnam(3), "ERRORS": these may mean "not found", and `found` stays NULL. The others listed
            // there are failures here: a mail must wait rather than bounce when a directory is out of order.
            libc::ENOENT | libc::ESRCH => return Ok(buffer),
            errno => return Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known_by_name_and_number() {
        let root = by_name("root").unwrap().unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert!(by_uid(0).unwrap().is_some_and(|user| user.name == "root"));
        assert_eq!(group_id("root").unwrap(), Some(0));
        assert_eq!(groups_of("root", 0).unwrap().first(), Some(&0));
    }

    #[test]
    fn the_list_has_root() {
        assert!(all().unwrap().iter().any(|user| user.name == "root"));
    }

    #[test]
    fn strangers_are_none_not_errors() {
        for name in ["no-such-user", "", "a\0b", "x:y"] {
            assert!(by_name(name).unwrap().is_none(), "{name:?}");
            assert!(group_id(name).unwrap().is_none(), "{name:?}");
        }
        assert!(by_uid(3_999_999_999).unwrap().is_none());
    }
}
