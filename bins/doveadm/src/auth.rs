//! `doveadm auth`: would this password do?

use ipc::auth_master::{Refusal, Reply, Request};
use ipc::{Secret, VERSION};

use crate::cli::Login;
use crate::connection::{Connection, ID};
use crate::failure::Failure;
use crate::output;
use crate::settings::Settings;
use crate::{terminal, user};

/// Asks passdb.
pub fn test(login: &Login) -> Result<(), Failure> {
    let auth = open(login)?;
    passdb(&auth, login).map(|_| ())
}

/// Asks passdb, then userdb.
pub fn login(login: &Login) -> Result<(), Failure> {
    let auth = open(login)?;
    let name = passdb(&auth, login)?;
    let found = user::lookup(&auth, &user::client(&login.info)?, &name)?;
    output::put(&format!("userdb extra fields:\n  {}\n", found.name));
    for (name, value) in user::fields(&found, &Settings::default()) {
        output::put(&format!("  {name}={value}\n"));
    }
    Ok(())
}

fn open(login: &Login) -> Result<Connection, Failure> {
    Connection::open::<_, Reply>("auth", &login.auth, &Request::Hello { version: VERSION })
}

/// The user's name as auth has it.
fn passdb(auth: &Connection, login: &Login) -> Result<String, Failure> {
    let client = user::client(&login.info)?;
    let password = match &login.password {
        Some(password) => password.clone(),
        None => terminal::password("Password: ")?.to_string(),
    };
    auth.tell(&Request::Authenticate {
        id: ID,
        client,
        user: login.user.clone(),
        password: Secret::new(password.into_bytes()),
    })?;
    match auth.hear()? {
        Reply::Authenticated { user, fields, .. } => {
            output::put(&format!(
                "passdb: {} auth succeeded\nextra fields:\n  user={user}\n",
                login.user
            ));
            fields
                .iter()
                .for_each(|(name, value)| output::put(&format!("  {name}={value}\n")));
            Ok(user.to_string())
        }
        Reply::Refused {
            why: Refusal::Unavailable,
            ..
        } => Err(auth.failed(format!(
            "passdb: {} auth failed: temporary failure",
            login.user
        ))),
        Reply::Refused { .. } => {
            output::put(&format!(
                "passdb: {0} auth failed\nextra fields:\n  user={0}\n",
                login.user
            ));
            Err(Failure::WrongPassword)
        }
        _ => Err(auth.failed("unexpected reply")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verdict_has_its_exit_code() {
        let login = Login {
            auth: "".into(),
            info: Vec::new(),
            user: "jo".to_owned(),
            password: Some("secret".to_owned()),
        };
        let ask = |reply: Reply| {
            let auth = crate::connection::tests::service(move |_: Request| reply.clone());
            passdb(&auth, &login)
        };
        let refused = |why| ask(Reply::Refused { id: ID, why }).unwrap_err().code();
        assert_eq!(
            (refused(Refusal::Credentials), refused(Refusal::Unavailable)),
            (77, 75)
        );
        let user = "jo@example.org".to_owned().try_into().unwrap();
        assert_eq!(
            ask(Reply::Authenticated {
                id: ID,
                user,
                fields: Vec::new()
            })
            .unwrap(),
            "jo@example.org"
        );
    }
}
