//! `doveconf mkcert`: a self-signed certificate, so that a fresh installation speaks TLS.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use config::{Config, Text};
use rcgen::{CertificateParams, DnType, KeyPair};

/// Where the example configuration looks.
const DIRECTORY: &str = "/etc/culver/tls";

/// Makes certificate and key unless both are there.
pub fn run(config: &Path, directory: Option<&Path>) -> anyhow::Result<()> {
    let (certificate, key) = match directory {
        Some(directory) => in_directory(directory),
        None => configured(&config::parse_file(config)),
    };
    match (certificate.exists(), key.exists()) {
        (true, true) => Ok(()),
        (true, false) => bail!(
            "{} is there, but its key {} is not",
            certificate.display(),
            key.display()
        ),
        (false, true) => bail!(
            "{} is there, but its certificate {} is not",
            key.display(),
            certificate.display()
        ),
        (false, false) => make(&certificate, &key),
    }
}

fn in_directory(directory: &Path) -> (PathBuf, PathBuf) {
    (directory.join("cert.pem"), directory.join("key.pem"))
}

fn configured(config: &Config) -> (PathBuf, PathBuf) {
    let file = |name| {
        config
            .assigned(name)
            .and_then(|assigned| match &assigned.text {
                Text::File(path) => Some(path.clone()),
                Text::Plain(_) => None,
            })
    };
    let (certificate, key) = in_directory(Path::new(DIRECTORY));
    (
        file("ssl_cert").unwrap_or(certificate),
        file("ssl_key").unwrap_or(key),
    )
}

fn make(certificate: &Path, key: &Path) -> anyhow::Result<()> {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let mut names = vec![name.clone()];
    if name != "localhost" {
        names.push("localhost".to_owned());
    }
    let pair = KeyPair::generate()?;
    let mut params = CertificateParams::new(names)?;
    params
        .distinguished_name
        .push(DnType::CommonName, name.as_str());
    params.distinguished_name.push(
        DnType::OrganizationName,
        "Culver: self-signed at the installation",
    );
    let signed = params.self_signed(&pair)?;
    write(key, pair.serialize_pem().as_bytes(), 0o600)?;
    write(certificate, signed.pem().as_bytes(), 0o644)?;
    eprintln!(
        "doveconf: Info: made a self-signed certificate for {name}: {}",
        certificate.display()
    );
    Ok(())
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let context = || path.display().to_string();
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).with_context(context)?;
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .with_context(context)?;
    file.write_all(bytes).with_context(context)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn made_once_and_never_again() {
        let folder = tempfile::tempdir().unwrap();
        let conf = folder.path().join("culver.conf");
        fs::write(&conf, "ssl_cert = <tls/c.pem\nssl_key = <tls/k.pem\n").unwrap();
        run(&conf, None).unwrap();
        let key = folder.path().join("tls/k.pem");
        assert_eq!(
            fs::metadata(&key).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let before = fs::read(&key).unwrap();
        run(&conf, None).unwrap();
        assert_eq!(fs::read(&key).unwrap(), before);
        fs::remove_file(&key).unwrap();
        assert!(run(&conf, None).is_err());
    }
}
