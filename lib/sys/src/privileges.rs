//! Giving privileges up, for good: identity, groups, root directory, capabilities.
//!
//! All of it belongs to the start of a process, before any thread: capabilities are per thread.

use std::io;
use std::path::Path;

use caps::CapSet;
use nix::unistd::{Gid, Uid};

/// Who a process becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity<'a> {
    /// User id; never 0.
    pub uid: u32,
    /// Primary group id; never 0.
    pub gid: u32,
    /// All supplementary groups.
    pub groups: &'a [u32],
    /// New root directory, entered before the ids change.
    pub chroot: Option<&'a Path>,
}

/// Becomes `identity` and checks that there is no way back.
///
/// # Errors
/// Uid or gid 0 is refused; otherwise what the failing system call says, named.
pub fn become_user(identity: &Identity<'_>) -> io::Result<()> {
    if identity.uid == 0 || identity.gid == 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "refusing to run as uid or gid 0",
        ));
    }
    if let Some(root) = identity.chroot {
        nix::unistd::chroot(root).map_err(|e| named("chroot", e))?;
        nix::unistd::chdir("/").map_err(|e| named("chdir", e))?;
    }
    let uid = Uid::from_raw(identity.uid);
    let gid = Gid::from_raw(identity.gid);
    let already = Uid::current() == uid && Gid::current() == gid;
    if !(already && same_groups(identity.groups)) {
        let groups: Vec<Gid> = identity.groups.iter().copied().map(Gid::from_raw).collect();
        nix::unistd::setgroups(&groups).map_err(|e| named("setgroups", e))?;
        nix::unistd::setresgid(gid, gid, gid).map_err(|e| named("setresgid", e))?;
        nix::unistd::setresuid(uid, uid, uid).map_err(|e| named("setresuid", e))?;
    }
    if Uid::effective() != uid || Gid::effective() != gid {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the identity did not change",
        ));
    }
    Ok(())
}

fn same_groups(wanted: &[u32]) -> bool {
    let mut wanted = wanted.to_vec();
    wanted.sort_unstable();
    wanted.dedup();
    let mut have: Vec<u32> = nix::unistd::getgroups()
        .map(|groups| groups.into_iter().map(Gid::as_raw).collect())
        .unwrap_or_default();
    have.sort_unstable();
    have.dedup();
    wanted == have
}

/// Empties the bounding set, so that nothing can be gained by executing a program. Before
/// [`become_user`], which may cost the `CAP_SETPCAP` that this needs.
///
/// # Errors
/// No `CAP_SETPCAP`, and the set is not empty already.
pub fn empty_bounding_set() -> io::Result<()> {
    if caps::read(None, CapSet::Bounding)
        .map_err(|e| capability("bounding", &e))?
        .is_empty()
    {
        return Ok(());
    }
    caps::clear(None, CapSet::Bounding).map_err(|e| capability("bounding", &e))
}

/// Empties every other capability set of the calling thread and checks it.
///
/// # Errors
/// A set that cannot be emptied, named.
pub fn drop_all_capabilities() -> io::Result<()> {
    for (set, name) in [
        (CapSet::Ambient, "ambient"),
        (CapSet::Effective, "effective"),
        (CapSet::Inheritable, "inheritable"),
        (CapSet::Permitted, "permitted"),
    ] {
        caps::clear(None, set).map_err(|e| capability(name, &e))?;
    }
    check_no_capabilities()
}

/// Fails unless the calling thread has no capability and none to gain.
///
/// # Errors
/// Says which set is not empty.
pub fn check_no_capabilities() -> io::Result<()> {
    for (set, name) in [
        (CapSet::Permitted, "permitted"),
        (CapSet::Effective, "effective"),
        (CapSet::Ambient, "ambient"),
    ] {
        if !caps::read(None, set)
            .map_err(|e| capability(name, &e))?
            .is_empty()
        {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("the {name} capability set is not empty"),
            ));
        }
    }
    Ok(())
}

/// What a manager needs to start workers as other users: change ids and root, and empty the
/// worker's bounding set.
const MANAGER: [caps::Capability; 4] = [
    caps::Capability::CAP_SETUID,
    caps::Capability::CAP_SETGID,
    caps::Capability::CAP_SETPCAP,
    caps::Capability::CAP_SYS_CHROOT,
];

/// Fails if the calling thread has a capability that a manager has no use for.
///
/// # Errors
/// Names the first one.
pub fn check_only_manager_capabilities() -> io::Result<()> {
    let have = caps::read(None, CapSet::Permitted).map_err(|e| capability("permitted", &e))?;
    match have.iter().find(|have| !MANAGER.contains(have)) {
        None => Ok(()),
        Some(extra) => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("a manager must not have {extra}"),
        )),
    }
}

/// No program that this process or its children execute can ever gain rights.
///
/// # Errors
/// What prctl(2) says.
pub fn set_no_new_privileges() -> io::Result<()> {
    Ok(rustix::thread::set_no_new_privs(true)?)
}

/// Nobody but root may read this process's memory or trace it.
///
/// # Errors
/// What prctl(2) says.
pub fn set_undumpable() -> io::Result<()> {
    Ok(rustix::process::set_dumpable_behavior(
        rustix::process::DumpableBehavior::NotDumpable,
    )?)
}

/// The effective user id.
#[must_use]
pub fn effective_uid() -> u32 {
    Uid::effective().as_raw()
}

fn named(call: &'static str, error: nix::Error) -> io::Error {
    let error = io::Error::from(error);
    io::Error::new(error.kind(), format!("{call} failed: {error}"))
}

fn capability(set: &str, error: &caps::errors::CapsError) -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("{set} capabilities: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_refused() {
        for (uid, gid) in [(0, 8), (8, 0), (0, 0)] {
            let identity = Identity {
                uid,
                gid,
                groups: &[],
                chroot: None,
            };
            assert!(become_user(&identity).is_err());
        }
    }
}
