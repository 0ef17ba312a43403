//! `doveconf compile`: one snapshot per service, all of them or none.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use config::table::{self, Status};
use config::{Config, Effect, Error, Names, Severity, Snapshot};
use service::journal::{Clean, id};

use crate::names::Host;

/// Compiles; the old snapshots stay when anything fails.
pub fn run(path: &Path, directory: &Path) -> anyhow::Result<()> {
    let config = config::parse_file(path);
    tell(&config);
    match config.compile(&Host) {
        Ok(snapshots) => write_all(directory, &snapshots, &|user| owner(user)),
        Err(Error::Configuration(problems)) => {
            let errors: Vec<_> = problems
                .iter()
                .filter(|problem| problem.severity == Severity::Error)
                .collect();
            for error in &errors {
                eprintln!("doveconf: Error: {error}");
            }
            record(
                errors.len(),
                &errors
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join("; "),
            );
            bail!(
                "{}: {} errors; the old configuration stays in use",
                path.display(),
                errors.len()
            )
        }
        Err(error) => Err(error.into()),
    }
}

/// Warnings do not stop anything.
fn tell(config: &Config) {
    let whole = config.check();
    let warnings = config
        .problems()
        .iter()
        .chain(whole.iter())
        .filter(|problem| problem.severity == Severity::Warning);
    for warning in warnings {
        eprintln!("doveconf: Warning: {warning}");
    }
    let silent = |effect: &&Effect| effect.differs && effect.status != Status::Works;
    for effect in config.effects().iter().filter(silent) {
        eprintln!("doveconf: Warning: {}: {effect}", effect.at);
    }
}

/// One record with its catalog entry, when systemd runs us; a person has read it on the terminal.
fn record(count: usize, errors: &str) {
    if std::env::var_os("INVOCATION_ID").is_some() {
        service::journal::open("doveconf");
        tracing::error!(
            message_id = id::CONFIG_BROKEN,
            "doveconf: Error: {count} errors in the configuration: {}",
            Clean(errors)
        );
    }
}

/// The uid that a snapshot is given to; as root only.
fn owner(user: &str) -> anyhow::Result<Option<u32>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let uid = Host.user(user);
    uid.map(Some)
        .with_context(|| format!("there is no user {user}: run systemd-sysusers"))
}

/// Writes every snapshot beside its place, then puts all of them there.
fn write_all(
    directory: &Path,
    snapshots: &[Snapshot],
    owner: &dyn Fn(&str) -> anyhow::Result<Option<u32>>,
) -> anyhow::Result<()> {
    if !directory.exists() {
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(directory);
        made.with_context(|| format!("mkdir({})", directory.display()))?;
    }
    let mut pending = Pending::default();
    for snapshot in snapshots {
        let user = table::SERVICES
            .iter()
            .find(|(name, ..)| *name == snapshot.service())
            .map_or("root", |(_, user, _)| user);
        let new = directory.join(format!(".{}.new", snapshot.service()));
        write(&new, &snapshot.to_bytes()?, owner(user)?)
            .with_context(|| new.display().to_string())?;
        pending
            .files
            .push((new, directory.join(snapshot.service())));
    }
    pending.put_in_place()
}

fn write(path: &Path, bytes: &[u8], owner: Option<u32>) -> std::io::Result<()> {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.set_permissions(fs::Permissions::from_mode(0o400))?;
    match owner {
        Some(uid) => fchown(&file, Some(uid), None),
        None => Ok(()),
    }
}

/// Snapshots that wait for the others.
#[derive(Default)]
struct Pending {
    files: Vec<(PathBuf, PathBuf)>,
}

impl Pending {
    fn put_in_place(&self) -> anyhow::Result<()> {
        for (new, place) in &self.files {
            fs::rename(new, place).with_context(|| format!("rename({})", place.display()))?;
        }
        Ok(())
    }
}

/// What was not put in place goes away.
impl Drop for Pending {
    fn drop(&mut self) {
        for (new, _) in &self.files {
            // Gone already when it was renamed.
            let _ = fs::remove_file(new);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshots(text: &str) -> Vec<Snapshot> {
        config::parse_text(Path::new("culver.conf"), text)
            .compile(&config::NoNames)
            .unwrap()
    }

    #[test]
    fn services_load_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("config");
        write_all(
            &directory,
            &snapshots("imap_idle_notify_interval = 5 mins\n"),
            &|_| Ok(None),
        )
        .unwrap();
        for (service, ..) in table::SERVICES {
            let snapshot = Snapshot::load_from(&directory, service).unwrap();
            assert_eq!(snapshot.service(), *service);
            let mode = fs::metadata(directory.join(service))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o7777, 0o400);
        }
        assert_eq!(
            fs::read_dir(&directory).unwrap().count(),
            table::SERVICES.len()
        );
    }

    #[test]
    fn a_broken_configuration_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let conf = folder.path().join("culver.conf");
        write_all(folder.path(), &snapshots(""), &|_| Ok(None)).unwrap();
        let before = fs::read(folder.path().join("imap")).unwrap();
        fs::write(&conf, "mail_debug = perhaps\nnonsense = 1\n").unwrap();
        let error = run(&conf, folder.path()).unwrap_err();
        assert!(error.to_string().contains("2 errors"), "{error}");
        assert_eq!(fs::read(folder.path().join("imap")).unwrap(), before);
    }

    #[test]
    fn an_owner_that_is_missing_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let missing = |user: &str| match user {
            "culver-lmtp" => bail!("missing"),
            _ => Ok(None),
        };
        assert!(write_all(folder.path(), &snapshots(""), &missing).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
