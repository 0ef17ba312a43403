//! `doveadm user`: what userdb and the settings make of a user.

use ipc::auth_master::{ClientInfo, MailUser, Refusal, Reply, Request};
use ipc::facts::Protocol;
use ipc::{SessionId, VERSION};

use crate::cli::{Arguments, User};
use crate::connection::{Connection, ID};
use crate::failure::Failure;
use crate::output::{self, Column, Formatter};
use crate::settings::{self, Settings};

const COLUMNS: [Column; 2] = [Column::new("field", "field"), Column::new("value", "value")];

/// Prints each user, or lists those that match.
pub fn run(arguments: &Arguments, user: &User) -> Result<(), Failure> {
    let client = client(&user.info)?;
    let auth =
        Connection::open::<_, Reply>("auth", &user.auth, &Request::Hello { version: VERSION })?;
    if user.users.iter().any(|name| name.contains(['*', '?'])) {
        return list(&auth, &user.users);
    }
    let settings = if user.userdb {
        Settings::default()
    } else {
        settings::load(arguments)?
    };
    let mut missing = None;
    let mut rows = Vec::new();
    for name in &user.users {
        match lookup(&auth, &client, name) {
            Ok(found) => rows.extend(
                fields(&found, &settings)
                    .into_iter()
                    .map(|field| (found.clone(), field)),
            ),
            Err(Failure::NoUser(name)) => {
                eprintln!("userdb lookup: user {name} doesn't exist");
                missing = Some(Failure::NoUserTold);
            }
            Err(other) => return Err(other),
        }
    }
    print(arguments, user, &rows)?;
    missing.map_or(Ok(()), Err)
}

type Row = (MailUser, (String, String));

fn print(arguments: &Arguments, user: &User, rows: &[Row]) -> Result<(), Failure> {
    if let Some(template) = &user.expand {
        return expand(template, rows);
    }
    if let Some(field) = &user.field {
        let values = rows.iter().filter(|(_, (name, _))| name == field);
        values.for_each(|(_, (_, value))| output::put(&format!("{value}\n")));
        return Ok(());
    }
    let rows: Vec<_> = rows
        .iter()
        .map(|(_, (name, value))| vec![name.clone(), value.clone()])
        .collect();
    output::print(
        arguments.formatter.unwrap_or(Formatter::Tab),
        &COLUMNS,
        &rows,
    );
    Ok(())
}

fn expand(template: &str, rows: &[Row]) -> Result<(), Failure> {
    let mut users: Vec<&MailUser> = Vec::new();
    for (user, _) in rows {
        if users.last().is_none_or(|last| last.name != user.name) {
            users.push(user);
        }
    }
    for user in users {
        let of_user = |name: &str| {
            rows.iter()
                .find(|(other, (field, _))| other.name == user.name && field == name)
                .map(|(_, (_, value))| value.clone())
        };
        let lookup = |name: &str| {
            of_user(name).or_else(|| config::expand::of_user(user.name.as_str(), name))
        };
        let text = config::expand::expand(template, &lookup)
            .map_err(|error| Failure::Usage(error.to_string()))?;
        output::put(&format!("{text}\n"));
    }
    Ok(())
}

/// What auth is told of a client: `-x service=imap`, `lip=`, `lport=`, `rip=`, `rport=`, `session=`. Other names are
/// taken as Dovecot takes them, and change nothing.
pub fn client(info: &[String]) -> Result<ClientInfo, Failure> {
    let mut client = ClientInfo::of(Protocol::Doveadm);
    for pair in info {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name {
            "service" => client.protocol = protocol(value)?,
            "lip" => client.local = Some(parsed(name, value)?),
            "rip" => client.remote = Some(parsed(name, value)?),
            "lport" => client.local_port = parsed(name, value)?,
            "rport" => client.remote_port = parsed(name, value)?,
            "session" => client.session = Some(parsed_session(value)?),
            _ => {}
        }
    }
    Ok(client)
}

fn parsed<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, Failure> {
    let wrong = |_| Failure::Usage(format!("-x {name}={value}: no such address or port"));
    value.parse().map_err(wrong)
}

fn parsed_session(value: &str) -> Result<SessionId, Failure> {
    SessionId::try_from(value.to_owned()).map_err(|error| Failure::Usage(format!("-x: {error}")))
}

fn protocol(service: &str) -> Result<Protocol, Failure> {
    let all = [
        Protocol::Imap,
        Protocol::Pop3,
        Protocol::Managesieve,
        Protocol::Lmtp,
        Protocol::Doveadm,
        Protocol::Smtp,
    ];
    all.into_iter()
        .find(|known| known.name() == service)
        .ok_or_else(|| Failure::Usage(format!("no service {service}")))
}

/// Asks userdb.
pub fn lookup(auth: &Connection, client: &ClientInfo, name: &str) -> Result<MailUser, Failure> {
    auth.tell(&Request::Lookup {
        id: ID,
        client: client.clone(),
        user: name.to_owned(),
    })?;
    match auth.hear()? {
        Reply::User { user, .. } => Ok(user),
        Reply::Refused {
            why: Refusal::UnknownUser,
            ..
        } => Err(Failure::NoUser(name.to_owned())),
        Reply::Refused { .. } => Err(auth.failed(format!(
            "userdb lookup of {name} failed: see the log of culver-auth"
        ))),
        _ => Err(auth.failed("unexpected reply")),
    }
}

fn list(auth: &Connection, masks: &[String]) -> Result<(), Failure> {
    let users = matching(auth, masks)?;
    users
        .iter()
        .for_each(|user| output::put(&format!("{user}\n")));
    Ok(())
}

/// All users whose names match one of the masks.
pub fn matching(auth: &Connection, masks: &[String]) -> Result<Vec<String>, Failure> {
    auth.tell(&Request::List { id: ID })?;
    let mut all = Vec::new();
    loop {
        match auth.hear()? {
            Reply::Users { users, .. } if users.is_empty() => return Ok(all),
            Reply::Users { users, .. } => {
                let matches = |name: &str| {
                    masks
                        .iter()
                        .any(|mask| config::wildcard_matches(mask.as_bytes(), name.as_bytes()))
                };
                let names = users.iter().map(ToString::to_string);
                all.extend(names.filter(|name| matches(name)));
            }
            Reply::Refused { .. } => return Err(auth.failed("the userdbs can't list their users")),
            _ => return Err(auth.failed("unexpected reply")),
        }
    }
}

/// What userdb says, else what the settings say, in Dovecot's order.
pub fn fields(user: &MailUser, settings: &Settings) -> Vec<(String, String)> {
    let expanded = |template: &str, home: &str| {
        let home = (!home.is_empty()).then(|| home.to_owned());
        let lookup = |name: &str| {
            if name == "home" {
                home.clone()
            } else {
                config::expand::of_user(user.name.as_str(), name)
            }
        };
        config::expand::expand(template, &lookup).unwrap_or_else(|_| template.to_owned())
    };
    let home = user
        .home
        .clone()
        .unwrap_or_else(|| expanded(&settings.mail_home, ""));
    let mail = user
        .mail
        .clone()
        .unwrap_or_else(|| expanded(&settings.mail_location, &home));
    let known = [
        (
            "uid",
            user.uid
                .or(settings.mail_uid.map(|uid| uid.0))
                .map(|uid| uid.to_string()),
        ),
        (
            "gid",
            user.gid
                .or(settings.mail_gid.map(|gid| gid.0))
                .map(|gid| gid.to_string()),
        ),
        ("home", Some(home)),
        ("chroot", user.chroot.clone()),
        ("mail", Some(mail)),
    ];
    let known = known.into_iter().filter_map(|(name, value)| {
        Some((name.to_owned(), value.filter(|value| !value.is_empty())?))
    });
    known.chain(user.fields.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jo() -> MailUser {
        MailUser {
            name: "jo@example.org".to_owned().try_into().unwrap(),
            uid: None,
            gid: Some(1000),
            home: None,
            chroot: None,
            mail: None,
            groups: Vec::new(),
            fields: vec![("quota_rule".to_owned(), "*:bytes=5".to_owned())],
        }
    }

    #[test]
    fn userdb_counts_over_the_settings() {
        let settings = Settings {
            mail_uid: Some(config::UserId(5000)),
            mail_gid: Some(config::GroupId(5000)),
            mail_home: "/var/vmail/%d/%n".to_owned(),
            mail_location: "maildir:%h/Maildir".to_owned(),
        };
        let lines: Vec<_> = fields(&jo(), &settings)
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let home = "/var/vmail/example.org/jo";
        let expected = [
            "uid=5000",
            "gid=1000",
            &format!("home={home}"),
            &format!("mail=maildir:{home}/Maildir"),
            "quota_rule=*:bytes=5",
        ];
        assert_eq!(lines, expected);
        assert_eq!(fields(&jo(), &Settings::default()).len(), 2);
    }

    #[test]
    fn each_refusal_has_its_exit_code() {
        let ask = |why| {
            let auth =
                crate::connection::tests::service(move |_: Request| Reply::Refused { id: ID, why });
            lookup(&auth, &ClientInfo::of(Protocol::Doveadm), "jo")
                .unwrap_err()
                .code()
        };
        assert_eq!(
            (ask(Refusal::UnknownUser), ask(Refusal::Unavailable)),
            (67, 75)
        );
        let auth =
            crate::connection::tests::service(|_: Request| Reply::User { id: ID, user: jo() });
        assert_eq!(
            lookup(&auth, &ClientInfo::of(Protocol::Doveadm), "jo").unwrap(),
            jo()
        );
    }

    #[test]
    fn auth_is_told_what_x_says() {
        let client = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            client(&words)
        };
        let told = [
            "service=imap",
            "lip=192.0.2.2",
            "lport=143",
            "rip=2001:db8::1",
            "rport=4000",
            "session=abc",
            "whatever=1",
            "debug",
        ];
        let expected = ClientInfo {
            protocol: Protocol::Imap,
            local: Some("192.0.2.2".parse().unwrap()),
            local_port: 143,
            remote: Some("2001:db8::1".parse().unwrap()),
            remote_port: 4000,
            session: Some("abc".to_owned().try_into().unwrap()),
        };
        assert_eq!(client(&told).unwrap(), expected);
        assert_eq!(client(&[]).unwrap(), ClientInfo::of(Protocol::Doveadm));
        for wrong in ["service=nope", "rip=nowhere", "lport=65536", "session="] {
            assert!(client(&[wrong]).is_err(), "{wrong}");
        }
    }
}
