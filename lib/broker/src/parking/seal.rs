//! What a parked session needs to come back, in a record that imap-hibernate can neither make nor change.
//!
//! HMAC-SHA-256 over all of it, with a key that only managers know. The record names the very socket (`SO_COOKIE`) and one
//! slot and nonce of the ledger, which are good for one return.

use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use ipc::hibernate::Slot;
use ipc::worker::{Identity, Rest};
use ipc::{Error, SessionId};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::ledger::{Key, Nonce};

/// Bytes of the code in front of the record.
const CODE: usize = 32;

/// Who comes back, and as what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ticket {
    pub slot: Slot,
    pub nonce: Nonce,
    /// Of the client's socket.
    pub cookie: u64,
    pub session: SessionId,
    pub remote: IpAddr,
    pub identity: Identity,
    pub rest: Rest,
}

/// As a record.
///
/// # Errors
/// [`Error::Malformed`], never in practice.
pub(crate) fn seal(key: &Key, ticket: &Ticket) -> Result<Vec<u8>, Error> {
    let content = postcard::to_stdvec(ticket).map_err(|error| Error::Malformed {
        expected: "Ticket",
        reason: error.to_string(),
    })?;
    let mut record = code(key, &content).finalize().into_bytes().to_vec();
    record.extend_from_slice(&content);
    Ok(record)
}

/// From a record; `None`: it is not one of ours.
pub(crate) fn open(key: &Key, record: &[u8]) -> Option<Ticket> {
    let (said, content) = record.split_at_checked(CODE)?;
    code(key, content).verify_slice(said).ok()?;
    match postcard::take_from_bytes(content) {
        Ok((ticket, [])) => Some(ticket),
        _ => None,
    }
}

fn code(key: &Key, content: &[u8]) -> Hmac<Sha256> {
    // No other record of ours is sealed with this key; a later one must not pass for this.
    let mut code = <Hmac<Sha256> as KeyInit>::new(&(*key).into());
    code.update(b"culver-parked 1\n");
    code.update(content);
    code
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipc::Username;
    use ipc::facts::{Facts, Protocol, Transport};

    fn ticket() -> Ticket {
        let session = SessionId::try_from("s".to_owned()).unwrap();
        Ticket {
            slot: Slot(3),
            nonce: [7; 16],
            cookie: 99,
            session: session.clone(),
            remote: [192, 0, 2, 1].into(),
            identity: Identity {
                user: Username::try_from("ann".to_owned()).unwrap(),
                uid: 1000,
                gid: 1000,
                groups: vec![8],
                chroot: None,
                home: Some("/home/ann".to_owned()),
                mail: None,
                fields: vec![("quota_rule".to_owned(), "*:storage=1G".to_owned())],
            },
            rest: Rest {
                facts: Facts {
                    protocol: Protocol::Imap,
                    session,
                    local: ([127, 0, 0, 1], 143).into(),
                    remote: ([192, 0, 2, 1], 50_000).into(),
                    transport: Transport::Plain,
                },
                state: vec![1, 2, 3],
            },
        }
    }

    #[test]
    fn a_record_is_opened_by_its_key_alone() {
        let record = seal(&[1; 64], &ticket()).unwrap();
        assert_eq!(open(&[1; 64], &record), Some(ticket()));
        assert_eq!(open(&[2; 64], &record), None);
    }

    #[test]
    fn every_change_and_every_cut_is_seen() {
        let record = seal(&[1; 64], &ticket()).unwrap();
        for at in 0..record.len() {
            for bit in 0..8 {
                let mut changed = record.clone();
                changed[at] ^= 1 << bit;
                assert_eq!(open(&[1; 64], &changed), None, "bit {bit} of byte {at}");
            }
            assert_eq!(open(&[1; 64], &record[..at]), None, "cut at {at}");
        }
        assert_eq!(open(&[1; 64], &[record.as_slice(), b"x"].concat()), None);
    }
}
