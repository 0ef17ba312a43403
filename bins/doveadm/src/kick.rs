//! `doveadm kick`: ends sessions.

use std::collections::BTreeSet;

use ipc::VERSION;
use ipc::anvil::{Reply, Request, Role};

use crate::cli::Kick;
use crate::connection::{Connection, ID};
use crate::failure::Failure;
use crate::output;
use crate::who::Mask;

/// Ends the sessions that match and says whose they were.
pub fn run(kick: &Kick) -> Result<(), Failure> {
    let mask = Mask::parse(&kick.masks)?;
    if kick.masks.is_empty() {
        return Err(Failure::Usage(
            "user and/or ip[/bits] must be specified.".to_owned(),
        ));
    }
    let hello = Request::Hello {
        version: VERSION,
        role: Role::Admin,
    };
    let anvil = Connection::open::<_, Reply>("anvil", &kick.anvil, &hello)?;
    let users = kicked(&anvil, mask)?;
    if users.is_empty() {
        return Err(Failure::Nobody("no users kicked"));
    }
    let names: Vec<_> = users.into_iter().collect();
    output::put(&format!(
        "kicked connections from the following users:\n{}\n",
        names.join(" ")
    ));
    Ok(())
}

fn kicked(anvil: &Connection, mask: Mask) -> Result<BTreeSet<String>, Failure> {
    let networks = mask
        .networks
        .into_iter()
        .map(|net| (net.network(), net.prefix_len()))
        .collect();
    anvil.tell(&Request::Kick {
        id: ID,
        user: mask.user.unwrap_or_else(|| "*".to_owned()),
        networks,
    })?;
    let mut users = BTreeSet::new();
    loop {
        match anvil.hear()? {
            Reply::Kicked { sessions, .. } if sessions.is_empty() => return Ok(users),
            Reply::Kicked { sessions, .. } => {
                users.extend(sessions.into_iter().map(|session| session.user.to_string()))
            }
            _ => return Err(anvil.failed("unexpected reply")),
        }
    }
}
