//! A file system of its own in a machine, which can lose power: nothing that it has not written by then is
//! written.

use std::process::Command;

use testkit::{Machine, checkout};

/// Where it is mounted.
pub const AT: &str = "/srv/store";
/// The directory that the machine shares with the host holds its image.
const IMAGE: &str = "/srv/share/image";

/// The file system on a loop device of the machine, which ends with it.
#[derive(Clone, Copy, Debug)]
pub struct Volume<'m> {
    machine: &'m Machine,
}

impl<'m> Volume<'m> {
    /// Makes and mounts it: `kind` is `ext4` or `xfs`, with so many MiB. The machine shares a directory.
    ///
    /// # Panics
    /// It cannot be made.
    #[must_use]
    pub fn make(machine: &'m Machine, kind: &str, megabytes: u64) -> Self {
        let need = Command::new(checkout().join("packaging/need"))
            .args(["xfsprogs", "e2fsprogs"])
            .status();
        assert!(need.expect("packaging/need runs").success());
        let image = machine.path(IMAGE);
        let file = std::fs::File::create(&image).expect("an image");
        file.set_len(megabytes << 20).expect("an image");
        let made = Command::new(format!("mkfs.{kind}"))
            .arg("-q")
            .arg(&image)
            .status();
        assert!(made.expect("mkfs runs").success(), "mkfs.{kind}");
        machine.run(&format!(
            "mkdir -p {AT}; mknod -m 600 /dev/loop-control c 10 237
             for n in {{0..63}}; do mknod -m 600 /dev/loop$n b 7 $n; done"
        ));
        let volume = Self::of(machine);
        volume.mount();
        volume
    }

    /// The one that was made.
    #[must_use]
    pub fn of(machine: &'m Machine) -> Self {
        Self { machine }
    }

    fn mount(&self) {
        self.machine.run(&format!("mount -o loop {IMAGE} {AT}"));
    }

    /// The power goes: `EXT4_IOC_SHUTDOWN` and `XFS_IOC_GOINGDOWN` are the same call, and what the journal
    /// has not on disk yet is not written any more.
    ///
    /// # Panics
    /// The kernel refuses.
    pub fn cut(&self) {
        let cut = Command::new("xfs_io")
            .args(["-x", "-c", "shutdown"])
            .arg(self.machine.path(AT))
            .status();
        assert!(cut.expect("xfs_io runs").success(), "the shutdown");
    }

    /// The power is back. Nobody may have a file open.
    ///
    /// # Panics
    /// It cannot be mounted again.
    pub fn restore(&self) {
        self.machine.run(&format!(
            "for n in {{1..100}}; do umount {AT} 2>/tmp/why && exit 0; sleep 0.05; done; cat /tmp/why; exit 1"
        ));
        self.mount();
    }
}
