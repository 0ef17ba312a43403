//! `doveadm pw`: makes and verifies password hashes.

use auth_db::password::{self, Stored};
use zeroize::Zeroizing;

use crate::cli::Pw;
use crate::failure::Failure;
use crate::{output, terminal};

/// Lists, verifies or makes.
pub fn run(pw: &Pw) -> Result<(), Failure> {
    if pw.list {
        output::put(&format!(
            "{}\n",
            password::names().collect::<Vec<_>>().join(" ")
        ));
        return Ok(());
    }
    let plain = plain(pw)?;
    match &pw.test {
        Some(hash) => verify(pw, hash, &plain),
        None => make(pw, &plain),
    }
}

fn plain(pw: &Pw) -> Result<Zeroizing<String>, Failure> {
    if let Some(password) = &pw.password {
        return Ok(Zeroizing::new(password.clone()));
    }
    if pw.test.is_some() {
        return terminal::password("Enter password to verify: ");
    }
    let first = terminal::password("Enter new password: ")?;
    let second = terminal::password("Retype new password: ")?;
    if *first != *second {
        return Err(Failure::Temporary("passwords don't match!".to_owned()));
    }
    Ok(first)
}

fn verify(pw: &Pw, hash: &str, plain: &str) -> Result<(), Failure> {
    check(pw, hash, plain)?;
    output::put(&format!("{hash} (verified)\n"));
    Ok(())
}

fn check(pw: &Pw, hash: &str, plain: &str) -> Result<(), Failure> {
    let failed = |error: password::Error| Failure::Temporary(error.to_string());
    let stored = Stored::parse(hash, &pw.scheme).map_err(failed)?;
    match stored.verify(plain.as_bytes(), &pw.user).map_err(failed)? {
        true => Ok(()),
        false => Err(Failure::Temporary(
            "reverse password verification check failed: Password mismatch".to_owned(),
        )),
    }
}

fn make(pw: &Pw, plain: &str) -> Result<(), Failure> {
    let made = password::generate(&pw.scheme, plain.as_bytes(), &pw.user, pw.rounds);
    let hash = made.map_err(|error| Failure::Temporary(error.to_string()))?;
    if pw.verify {
        return verify(pw, &hash, plain);
    }
    output::put(&format!("{hash}\n"));
    Ok(())
}
