//! false-keeper: pretends to be imap-hibernate, inside a machine where that does not run. Reads commands, a line each, and
//! answers each with a line.
//!
//! ```text
//! greet [LIE]      takes the manager's connection and lists who is held; LIE `changed`: with a changed record
//!                  → what the manager lets go of
//! hold             waits for a client → its number
//! wake N [LIE]     gives client N back → what the manager does about it. LIE: `changed` record, `cut` record, record of
//!                  `another` client, `socket` of another client, a `file`, or `nothing`
//! forget N         lists that client no more
//! ```
//! Socket:  /run/culver/imap-hibernate/imap-hibernate
//! Callers: tests/parked.rs
//! Rights:  root's, to make the socket
//! State:   none

use std::io::{self, BufRead, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use ipc::hibernate::{Reply, Request, Slot};
use ipc::{Channel, VERSION};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketType, accept, bind, listen, socket, sockopt,
};

const SOCKET: &str = "/run/culver/imap-hibernate/imap-hibernate";
/// The manager answers a lie at once.
const PATIENCE: Duration = Duration::from_secs(20);

type Answer = Result<String, Box<dyn std::error::Error>>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = Path::new(SOCKET);
    std::fs::remove_file(path).ok();
    let listener = socket(AddressFamily::UNIX, SocketType::SEQPACKET, None)?;
    bind(&listener, &SocketAddrUnix::new(path)?)?;
    listen(&listener, 8)?;
    std::process::Command::new("chmod")
        .args(["666", SOCKET])
        .status()?;
    let mut keeper = Keeper {
        listener,
        manager: None,
        clients: Vec::new(),
    };
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        let answer = keeper.obey(&line);
        let answer = answer.unwrap_or_else(|error| format!("error {error}"));
        println!("{}", answer.replace('\n', " "));
        io::stdout().flush().ok();
    }
    Ok(())
}

struct Keeper {
    listener: OwnedFd,
    manager: Option<Channel>,
    clients: Vec<Client>,
}

struct Client {
    slot: Slot,
    sealed: Vec<u8>,
    fd: OwnedFd,
    is_listed: bool,
}

impl Keeper {
    fn obey(&mut self, line: &str) -> Answer {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["greet"] => self.greet(""),
            ["greet", lie] => self.greet(lie),
            ["hold"] => self.hold(),
            ["wake", number] => self.wake(number.parse()?, ""),
            ["wake", number, lie] => self.wake(number.parse()?, lie),
            ["forget", number] => {
                let number: usize = number.parse()?;
                if let Some(client) = self.clients.get_mut(number) {
                    client.is_listed = false;
                }
                Ok("forgotten".to_owned())
            }
            _ => Err(format!("no command: {line}").into()),
        }
    }

    fn say(&self, reply: &Reply, fds: &[BorrowedFd<'_>]) -> Result<(), ipc::Error> {
        match &self.manager {
            Some(manager) => manager.send(reply, fds),
            None => Err(ipc::Error::Closed),
        }
    }

    fn hear(&self) -> Result<(Request, Vec<OwnedFd>), ipc::Error> {
        match &self.manager {
            Some(manager) => manager.recv(),
            None => Err(ipc::Error::Closed),
        }
    }

    fn greet(&mut self, lie: &str) -> Answer {
        let socket = accept(&self.listener)?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE))?;
        self.manager = Some(Channel::new(socket));
        self.hear()?;
        let (version, pid) = (VERSION, std::process::id());
        self.say(&Reply::Hello { version, pid }, &[])?;
        for client in self.clients.iter().filter(|client| client.is_listed) {
            let mut sealed = client.sealed.clone();
            if lie == "changed" {
                flip(&mut sealed);
            }
            let slot = client.slot;
            self.say(&Reply::Holds { slot, sealed }, &[])?;
        }
        self.say(&Reply::HoldsAll, &[])?;
        let mut released = 0;
        loop {
            match self.hear()?.0 {
                Request::Release { .. } => released += 1,
                Request::Serve => return Ok(format!("released {released}")),
                other => return Ok(format!("{other:?}")),
            }
        }
    }

    fn hold(&mut self) -> Answer {
        let (Request::Hold { slot, parked }, mut fds) = self.hear()? else {
            return Err("something else".into());
        };
        self.say(&Reply::Held { slot }, &[])?;
        self.clients.push(Client {
            slot,
            sealed: parked.sealed,
            fd: fds.swap_remove(0),
            is_listed: true,
        });
        Ok((self.clients.len() - 1).to_string())
    }

    fn wake(&mut self, number: usize, lie: &str) -> Answer {
        let client = self.clients.get(number).ok_or("no such client")?;
        let another = self.clients.iter().find(|other| other.slot != client.slot);
        let (slot, sent) = (client.slot, 0);
        let mut sealed = client.sealed.clone();
        match lie {
            "changed" => flip(&mut sealed),
            "cut" => drop(sealed.pop()),
            "another" => sealed.clone_from(&another.ok_or("nobody else")?.sealed),
            _ => {}
        }
        let file = std::fs::File::open("/dev/null")?;
        let fd = match lie {
            "socket" => Some(another.ok_or("nobody else")?.fd.as_fd()),
            "file" => Some(file.as_fd()),
            "nothing" => None,
            _ => Some(client.fd.as_fd()),
        };
        let fds: Vec<_> = fd.into_iter().collect();
        let woken = Reply::Woken { slot, sealed, sent };
        self.say(&woken, &fds)?;
        Ok(match self.hear() {
            Ok((Request::Release { .. }, _)) => "taken".to_owned(),
            Ok((other, _)) => format!("{other:?}"),
            Err(ipc::Error::Closed) => "closed".to_owned(),
            Err(error) => error.to_string(),
        })
    }
}

/// One bit, in the middle: of whom, or of what.
fn flip(sealed: &mut [u8]) {
    let middle = sealed.len() / 2;
    if let Some(byte) = sealed.get_mut(middle) {
        *byte ^= 1;
    }
}
