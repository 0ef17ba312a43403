//! `doveadm who`: who is logged in.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipc::VERSION;
use ipc::anvil::{Reply, Request, Role, Session};
use ipnet::IpNet;

use crate::cli::{Arguments, Who};
use crate::connection::{Connection, ID};
use crate::failure::Failure;
use crate::output::{self, Column, Formatter};

const GROUPED: [Column; 5] = [
    Column::new("username", "username"),
    Column::new("connections", "#"),
    Column::new("service", "proto"),
    Column::new("pids", "(pids)"),
    Column::new("ips", "(ips)"),
];
const SEPARATE: [Column; 4] = [
    Column::new("username", "username"),
    Column::new("service", "proto"),
    Column::new("pid", "pid"),
    Column::new("ip", "ip"),
];

/// Whom a command is about.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Mask {
    /// User name with `*` and `?`.
    pub user: Option<String>,
    /// Networks; none: any address.
    pub networks: Vec<IpNet>,
}

impl Mask {
    /// A network is a network, anything else a user.
    pub fn parse(words: &[String]) -> Result<Self, Failure> {
        let mut mask = Self::default();
        for word in words {
            let net = word
                .parse::<IpNet>()
                .or_else(|_| word.parse::<IpAddr>().map(IpNet::from));
            match net {
                Ok(net) => mask.networks.push(net.trunc()),
                Err(_) if mask.user.is_none() => mask.user = Some(word.clone()),
                Err(_) => return Err(Failure::Usage(format!("two users: {word} is no network"))),
            }
        }
        Ok(mask)
    }

    fn matches(&self, session: &Session) -> bool {
        let user = self.user.as_ref().is_none_or(|mask| {
            config::wildcard_matches(mask.as_bytes(), session.user.as_str().as_bytes())
        });
        let remote = session.remote.to_canonical();
        user && (self.networks.is_empty() || self.networks.iter().any(|net| net.contains(&remote)))
    }
}

/// Prints the sessions that match.
pub fn run(arguments: &Arguments, who: &Who) -> Result<(), Failure> {
    let mask = Mask::parse(&who.masks)?;
    let hello = Request::Hello {
        version: VERSION,
        role: Role::Admin,
    };
    let anvil = Connection::open::<_, Reply>("anvil", &who.anvil, &hello)?;
    let mut sessions = sessions(&anvil)?;
    sessions.retain(|session| mask.matches(session));
    let formatter = arguments.formatter.unwrap_or(Formatter::Table);
    if who.separate {
        output::print(formatter, &SEPARATE, &separate(sessions));
    } else {
        output::print(formatter, &GROUPED, &grouped(&sessions));
    }
    Ok(())
}

fn sessions(anvil: &Connection) -> Result<Vec<Session>, Failure> {
    anvil.tell(&Request::Who { id: ID })?;
    let mut all = Vec::new();
    loop {
        match anvil.hear()? {
            Reply::Sessions { sessions, .. } if sessions.is_empty() => return Ok(all),
            Reply::Sessions { sessions, .. } => all.extend(sessions),
            _ => return Err(anvil.failed("unexpected reply")),
        }
    }
}

fn separate(mut sessions: Vec<Session>) -> Vec<Vec<String>> {
    sessions
        .sort_by(|left, right| (&left.user, left.worker_pid).cmp(&(&right.user, right.worker_pid)));
    let row = |session: Session| {
        vec![
            session.user.to_string(),
            session.protocol.name().to_owned(),
            session.worker_pid.to_string(),
            session.remote.to_string(),
        ]
    };
    sessions.into_iter().map(row).collect()
}

/// What one user has of one protocol.
#[derive(Default)]
struct Group {
    count: usize,
    pids: BTreeSet<u32>,
    ips: BTreeSet<IpAddr>,
}

fn grouped(sessions: &[Session]) -> Vec<Vec<String>> {
    let mut groups: BTreeMap<(&str, &str), Group> = BTreeMap::new();
    for session in sessions {
        let group = groups
            .entry((session.user.as_str(), session.protocol.name()))
            .or_default();
        group.count = group.count.saturating_add(1);
        group.pids.insert(session.worker_pid);
        group.ips.insert(session.remote);
    }
    let row = |((user, protocol), group): ((&str, &str), Group)| {
        vec![
            user.to_owned(),
            group.count.to_string(),
            protocol.to_owned(),
            list(&group.pids),
            list(&group.ips),
        ]
    };
    groups.into_iter().map(row).collect()
}

/// `(1 2 3)`
fn list<T: ToString>(values: &BTreeSet<T>) -> String {
    format!(
        "({})",
        values
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    )
}

#[cfg(test)]
mod tests {
    use ipc::facts::Protocol;

    use super::*;

    fn session(user: &str, pid: u32, remote: &str) -> Session {
        Session {
            session: format!("s{pid}").try_into().unwrap(),
            user: user.to_owned().try_into().unwrap(),
            protocol: Protocol::Imap,
            remote: remote.parse().unwrap(),
            worker_pid: pid,
        }
    }

    #[test]
    fn sessions_are_grouped_as_dovecot_groups_them() {
        let all = [
            session("jo", 12, "192.0.2.1"),
            session("jo", 9, "192.0.2.1"),
            session("al", 7, "2001:db8::1"),
        ];
        assert_eq!(
            grouped(&all),
            [
                ["al", "1", "imap", "(7)", "(2001:db8::1)"],
                ["jo", "2", "imap", "(9 12)", "(192.0.2.1)"]
            ]
        );
        assert_eq!(separate(all.to_vec())[1], ["jo", "imap", "9", "192.0.2.1"]);
    }

    #[test]
    fn masks_are_users_networks_or_both() {
        let mask = |words: &[&str]| {
            Mask::parse(
                &words
                    .iter()
                    .map(|word| (*word).to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        let one = session("jo@example.org", 1, "::ffff:192.0.2.77");
        assert!(mask(&[]).unwrap().matches(&one));
        assert!(mask(&["jo@*", "192.0.2.0/24"]).unwrap().matches(&one));
        assert!(!mask(&["192.0.2.78"]).unwrap().matches(&one));
        assert!(!mask(&["al"]).unwrap().matches(&one));
        assert!(mask(&["jo", "al"]).is_err());
    }
}
