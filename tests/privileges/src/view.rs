//! What processes see of the file system and of the network.

use std::fs;
use std::path::{Path, PathBuf};

use crate::process::Process;
use crate::table::loaded;

fn process(service: &str) -> Process {
    let mut all = Process::all(loaded()).into_iter();
    all.find(|process| process.service == service && process.main)
        .expect("it runs")
}

/// Every path below a process's root, but not what lies in `/proc` where there is one.
fn tree(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::from("/")];
    while let Some(directory) = open.pop() {
        let inside = root.join(directory.strip_prefix("/").expect("absolute"));
        for entry in fs::read_dir(&inside).expect("as root every directory is readable") {
            let entry = entry.expect("a directory entry");
            let path = directory.join(entry.file_name());
            if entry.file_type().expect("its type").is_dir() {
                open.push(path);
            } else {
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

/// The file system of a login process: its binary, its snapshot among those of others that it cannot read, and sockets.
#[test]
fn a_login_process_sees_its_binary_and_sockets_only() {
    let login = process("imap-login");
    let root = loaded().path(&format!("/proc/{}/root", login.pid));
    for path in tree(&root) {
        let allowed = path == "/usr/libexec/culver/imap-login"
            || path.starts_with("/run/culver/config/")
            || path.starts_with("/run/culver/login/")
            || path.starts_with("/run/systemd/");
        assert!(allowed, "imap-login sees {path}");
    }
    let writable: Vec<_> = login
        .mounts
        .iter()
        .filter(|mount| mount.writable && mount.kind != "proc")
        .collect();
    assert!(writable.is_empty(), "{writable:#?}");
    // Not only the mode of the directory: nothing but its own snapshot opens.
    let uid = login.id("Uid");
    for entry in fs::read_dir(root.join("run/culver/config")).expect("snapshots") {
        let entry = entry.expect("a directory entry");
        let owner = std::os::unix::fs::MetadataExt::uid(&entry.metadata().expect("metadata"));
        assert_eq!(owner == uid, entry.file_name() == "imap-login", "{entry:?}");
    }
}

/// No service has a network of its own: what it speaks over was handed to it.
#[test]
fn no_process_has_a_network_but_through_what_it_inherited() {
    let machine = loaded();
    let host = fs::read_link(machine.path("/proc/1/ns/net")).expect("a namespace");
    for process in Process::all(machine) {
        let own = fs::read_link(machine.path(&format!("/proc/{}/ns/net", process.pid)))
            .expect("a namespace");
        assert_ne!(own, host, "{} is in the machine's network", process.service);
    }
}

/// The system's own directories are read-only for everybody, and a worker can write to its user's mail only.
#[test]
fn nobody_writes_to_the_system() {
    for process in Process::all(loaded()) {
        let writable = |path: &str| {
            let mounts = process
                .mounts
                .iter()
                .filter(|mount| path.starts_with(&mount.point));
            mounts
                .max_by_key(|mount| mount.point.len())
                .is_some_and(|mount| mount.writable)
        };
        for path in ["/usr/bin/x", "/etc/x", "/boot/x"] {
            assert!(
                !writable(path),
                "{} can write {path}: {:#?}",
                process.service,
                process.mounts
            );
        }
    }
}
