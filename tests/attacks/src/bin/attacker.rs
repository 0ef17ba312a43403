//! attacker: pretends to be one of our processes, inside a machine. Reads commands, a line each, and answers each
//! with a line.
//!
//! ```text
//! pair                          two ends of a connection; the first is to be handed over → its number
//! start PAIR MECH [HEX]         SASL exchange about it, with an initial response → reply of auth
//! continue HEX                  goes on with the last exchange
//! forget                        ends the connection to auth
//! handoff PAIR TOKEN [LIE]      hands it over → reply of the manager
//! talk PAIR TEXT                the client's side of the connection says a line → what came
//! flood COUNT                   exchanges that are begun and left → how many auth took up
//! redeem TOKEN PAIR             what a manager asks of auth about a token
//! hello PATH KIND               connects and greets as KIND → the reply, or how it was refused
//! count USER                    as a manager of POP3: counts a session with anvil
//! raw PATH HEX...               records, one after the other, to a socket → what came of the last
//! ```
//! Socket:  none
//! Callers: tests/handoff.rs
//! Rights:  those of whom it pretends to be
//! State:   none

use std::collections::HashMap;
use std::io::{self, BufRead, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use ipc::facts::{Facts, Protocol, Transport};
use ipc::{Channel, Secret, SessionId, Token, Username, VERSION};
use ipc::{anvil, auth_master, handoff, login_auth};

const AUTH: &str = "/run/culver/login/auth";
const MANAGER: &str = "/run/culver/login/imap";
const MASTER: &str = "/run/culver/auth/master";
const ANVIL: &str = "/run/culver/anvil/anvil";

type Answer = Result<String, Box<dyn std::error::Error>>;

fn main() {
    let mut attacker = Attacker::default();
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        let answer = attacker.obey(&line);
        let answer = answer.unwrap_or_else(|error| format!("error {error}"));
        println!("{}", answer.replace('\n', " "));
        io::stdout().flush().ok();
    }
}

#[derive(Default)]
struct Attacker {
    pairs: Vec<Pair>,
    auth: Option<Channel>,
    anvil: Option<Channel>,
    /// Numbers of requests.
    last: u32,
    /// Exchanges that began, by number.
    begun: HashMap<u32, usize>,
}

struct Pair {
    inner: UnixStream,
    outer: UnixStream,
    facts: Facts,
    cookie: u64,
}

impl Attacker {
    fn obey(&mut self, line: &str) -> Answer {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["pair"] => self.pair(),
            ["start", pair, mech] => self.start(pair, mech, None),
            ["start", pair, mech, initial] => self.start(pair, mech, Some(unhex(initial)?)),
            ["continue", response] => self.go_on(unhex(response)?),
            ["forget"] => {
                self.auth = None;
                Ok("forgotten".to_owned())
            }
            ["handoff", pair, token] => self.hand_off(pair, token, ""),
            ["handoff", pair, token, lie] => self.hand_off(pair, token, lie),
            ["talk", pair, text @ ..] => self.talk(pair, &text.join(" ")),
            ["flood", count] => self.flood(count.parse()?),
            ["redeem", token, pair] => self.redeem(token, pair),
            ["hello", path, kind] => hello(path, kind),
            ["count", user] => self.count(user),
            ["raw", path, records @ ..] => raw(path, records),
            _ => Err(format!("no command: {line}").into()),
        }
    }

    fn pair(&mut self) -> Answer {
        let (inner, outer) = UnixStream::pair()?;
        let cookie = sys::peer::socket_cookie(&inner)?;
        let facts = Facts {
            protocol: Protocol::Imap,
            session: SessionId::random()?,
            local: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 143),
            remote: SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 9, 9, 9)), 5555),
            // The inner end of a relay: no addresses of its own that could be compared.
            transport: Transport::Tls,
        };
        self.pairs.push(Pair {
            inner,
            outer,
            facts,
            cookie,
        });
        Ok((self.pairs.len() - 1).to_string())
    }

    fn at(&self, pair: &str) -> Result<&Pair, Box<dyn std::error::Error>> {
        let at: usize = pair.parse()?;
        self.pairs.get(at).ok_or_else(|| "no such pair".into())
    }

    fn auth(&mut self) -> Result<&Channel, Box<dyn std::error::Error>> {
        if self.auth.is_none() {
            let channel = Channel::connect(Path::new(AUTH))?;
            channel.send(&login_auth::Request::Hello { version: VERSION }, &[])?;
            channel.recv::<login_auth::Reply>()?;
            self.auth = Some(channel);
        }
        self.auth.as_ref().ok_or_else(|| "no connection".into())
    }

    fn start(&mut self, pair: &str, mech: &str, initial: Option<Vec<u8>>) -> Answer {
        self.last += 1;
        let id = self.last;
        let index: usize = pair.parse()?;
        let (facts, cookie) = (self.at(pair)?.facts.clone(), self.at(pair)?.cookie);
        self.begun.insert(id, index);
        let request = login_auth::Request::Start {
            id,
            mech: mech.to_owned(),
            facts,
            cookie,
            initial: initial.map(Secret::new),
        };
        self.ask(&request)
    }

    fn go_on(&mut self, response: Vec<u8>) -> Answer {
        let id = self.last;
        self.ask(&login_auth::Request::Continue {
            id,
            response: Secret::new(response),
        })
    }

    fn ask(&mut self, request: &login_auth::Request) -> Answer {
        let channel = self.auth()?;
        channel.send(request, &[])?;
        let (reply, _) = channel.recv::<login_auth::Reply>()?;
        Ok(match reply {
            login_auth::Reply::Success { user, token, .. } => {
                format!("success {user} {}", hex(token.expose()))
            }
            other => format!("{other:?}"),
        })
    }

    fn hand_off(&mut self, pair: &str, token: &str, lie: &str) -> Answer {
        let channel = Channel::connect(Path::new(MANAGER))?;
        channel.send(&handoff::Request::Hello { version: VERSION }, &[])?;
        channel.recv::<handoff::Reply>()?;
        let pair = self.at(pair)?;
        let mut facts = pair.facts.clone();
        match lie {
            "remote" => facts.remote.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            "session" => facts.session = SessionId::random()?,
            "transport" => facts.transport = Transport::Plain,
            "protocol" => facts.protocol = Protocol::Pop3,
            "port" => facts.local.set_port(993),
            _ => {}
        }
        let request = handoff::Request::Handoff {
            id: 1,
            token: postcard::from_bytes(&unhex(token)?)?,
            facts,
            tag: "x".to_owned(),
            unread: Vec::new(),
        };
        let file = std::fs::File::open("/proc/self/exe")?;
        let fds: Vec<BorrowedFd<'_>> = match lie {
            "nothing" => vec![],
            "two" => vec![pair.inner.as_fd(), pair.outer.as_fd()],
            "file" => vec![file.as_fd()],
            "outer" => vec![pair.outer.as_fd()],
            _ => vec![pair.inner.as_fd()],
        };
        channel.send(&request, &fds)?;
        let (reply, _) = channel.recv::<handoff::Reply>()?;
        Ok(format!("{reply:?}"))
    }

    fn talk(&mut self, pair: &str, text: &str) -> Answer {
        let mut stream = &self.at(pair)?.outer;
        stream.set_read_timeout(Some(Duration::from_millis(500)))?;
        if !text.is_empty() {
            stream.write_all(format!("{text}\r\n").as_bytes())?;
        }
        let mut came = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            match stream.read(&mut chunk) {
                Ok(0) => {
                    came.extend_from_slice(b"<closed>");
                    break;
                }
                Ok(count) => came.extend_from_slice(chunk.get(..count).unwrap_or_default()),
                Err(_) => break,
            }
        }
        Ok(String::from_utf8_lossy(&came).replace("\r\n", "|"))
    }

    fn flood(&mut self, count: u32) -> Answer {
        let pair = self.pair()?;
        let (facts, cookie) = (self.at(&pair)?.facts.clone(), self.at(&pair)?.cookie);
        let mut challenges = 0;
        for id in 1000..1000 + count {
            let request = login_auth::Request::Start {
                id,
                mech: "PLAIN".to_owned(),
                facts: facts.clone(),
                cookie,
                initial: None,
            };
            let channel = self.auth()?;
            channel.send(&request, &[])?;
            let (reply, _) = channel.recv::<login_auth::Reply>()?;
            challenges += u32::from(matches!(reply, login_auth::Reply::Challenge { .. }));
        }
        Ok(challenges.to_string())
    }

    fn redeem(&mut self, token: &str, pair: &str) -> Answer {
        let channel = Channel::connect(Path::new(MASTER))?;
        channel.send(&auth_master::Request::Hello { version: VERSION }, &[])?;
        channel.recv::<auth_master::Reply>()?;
        let pair = self.at(pair)?;
        let request = auth_master::Request::Redeem {
            id: 1,
            token: postcard::from_bytes::<Token>(&unhex(token)?)?,
            cookie: pair.cookie,
            facts: pair.facts.clone(),
            login_pid: i32::try_from(std::process::id())?,
        };
        channel.send(&request, &[])?;
        let (reply, _) = channel.recv::<auth_master::Reply>()?;
        Ok(format!("{reply:?}"))
    }

    fn count(&mut self, user: &str) -> Answer {
        if self.anvil.is_none() {
            let channel = Channel::connect(Path::new(ANVIL))?;
            let role = anvil::Role::Manager {
                protocol: Protocol::Imap,
            };
            channel.send(
                &anvil::Request::Hello {
                    version: VERSION,
                    role,
                },
                &[],
            )?;
            channel.recv::<anvil::Reply>()?;
            channel.send(&anvil::Request::Resumed, &[])?;
            self.anvil = Some(channel);
        }
        let session = anvil::Session {
            session: SessionId::random()?,
            user: Username::try_from(user.to_owned())?,
            protocol: Protocol::Imap,
            remote: IpAddr::V4(Ipv4Addr::new(127, 9, 9, 9)),
            worker_pid: 1,
        };
        let request = anvil::Request::Connect {
            id: 1,
            session,
            limit: 100,
        };
        let channel = self.anvil.as_ref().ok_or("no connection")?;
        channel.send(&request, &[])?;
        let (reply, _) = channel.recv::<anvil::Reply>()?;
        Ok(format!("{reply:?}"))
    }
}

/// The first record of each kind of conversation.
fn hello(path: &str, kind: &str) -> Answer {
    let admin = anvil::Role::Admin;
    let manager = anvil::Role::Manager {
        protocol: Protocol::Imap,
    };
    let anvil = |role| {
        postcard::to_stdvec(&anvil::Request::Hello {
            version: VERSION,
            role,
        })
    };
    let record = match kind {
        "admin" => anvil(admin)?,
        "manager" => anvil(manager)?,
        // All others are alike.
        _ => postcard::to_stdvec(&login_auth::Request::Hello { version: VERSION })?,
    };
    exchange(path, &[record])
}

fn raw(path: &str, records: &[&str]) -> Answer {
    let records: Result<Vec<Vec<u8>>, _> = records.iter().map(|record| unhex(record)).collect();
    exchange(path, &records?)
}

fn exchange(path: &str, records: &[Vec<u8>]) -> Answer {
    let socket = match sys::seqpacket::connect_to(Path::new(path)) {
        Ok(socket) => socket,
        Err(error) => return Ok(format!("refused: {error}")),
    };
    let mut last = "nothing".to_owned();
    for record in records {
        if let Err(error) = sys::seqpacket::send(socket.as_fd(), record, &[]) {
            return Ok(format!("closed: {error}"));
        }
        let mut buffer = vec![0; 65536];
        last = match sys::seqpacket::recv(socket.as_fd(), &mut buffer) {
            Ok(received) if received.len == 0 => return Ok("closed".to_owned()),
            Ok(received) => format!(
                "reply {}",
                hex(buffer.get(..received.len).unwrap_or_default())
            ),
            Err(error) => return Ok(format!("closed: {error}")),
        };
    }
    Ok(last)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    if text == "-" {
        return Ok(Vec::new());
    }
    let digits: Vec<char> = text.chars().collect();
    digits
        .chunks(2)
        .map(|pair| Ok(u8::from_str_radix(&pair.iter().collect::<String>(), 16)?))
        .collect()
}
