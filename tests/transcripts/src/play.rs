//! Says what clients say, and compares what the server says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use testkit::{Lmtp, Response, Stream};

use crate::data::unescape;
use crate::pattern::{self, Names};
use crate::script::{Expect, Script, Step, What};
use crate::server::{Server, User};

/// Panics at the first difference.
pub fn play(script: &Script, server: &Server) {
    let users = server.add_users();
    let [first, second] = &users;
    first.set_up(script);
    let mut play = Play {
        script,
        server,
        users: &users,
        connections: BTreeMap::new(),
        names: Names::new(),
        log: String::new(),
    };
    let plain = format!("\0{}\0{}", first.name, first.password);
    for (name, value) in [
        ("user", first.name.clone()),
        ("password", first.password.clone()),
        ("user2", second.name.clone()),
        ("password2", second.password.clone()),
        ("plain", BASE64_STANDARD.encode(plain)),
        ("user64", BASE64_STANDARD.encode(&first.name)),
        ("password64", BASE64_STANDARD.encode(&first.password)),
    ] {
        play.names.insert(name.to_owned(), value);
    }
    let mut steps = script.steps.as_slice();
    while let Some(step) = steps.first() {
        let count = match step.what {
            What::Expect(..) => play.listen(step.session, steps),
            _ => {
                play.speak(step);
                1
            }
        };
        steps = steps.get(count..).unwrap_or_default();
    }
}

struct Play<'a> {
    script: &'a Script,
    server: &'a Server,
    users: &'a [User<'a>; 2],
    connections: BTreeMap<u8, Stream>,
    names: Names,
    /// The conversation so far.
    log: String,
}

/// A line that the server should say.
#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    expect: Expect,
    text: &'a str,
}

impl Line<'_> {
    /// `...` and `* ...` stand for any number of lines.
    fn is_any(&self) -> bool {
        self.text == "..." || self.text == "* ..."
    }

    fn must_come(&self) -> bool {
        self.expect != Expect::May && !self.is_any()
    }
}

/// Lines that come in any order, as far as they did not come yet.
#[derive(Default)]
struct Group<'a> {
    open: Vec<Line<'a>>,
    /// EXPUNGE responses: a server may send them upwards or downwards.
    expunges: Vec<usize>,
    came: Vec<usize>,
}

impl<'a> Group<'a> {
    fn add(&mut self, line: Line<'a>) {
        match pattern::expunged(line.text) {
            Some(number) => self.expunges.push(number),
            None => self.open.push(line),
        }
    }

    /// What is wrong if nothing more comes.
    fn missing(&self) -> Option<String> {
        if let Some(line) = self.open.iter().find(|line| line.must_come()) {
            return Some(format!("did not come: {}", line.text));
        }
        let (want, got) = (
            pattern::taken_away(&self.expunges),
            pattern::taken_away(&self.came),
        );
        (want != got)
            .then(|| format!("expunged, by numbers of before: {got:?}, expected: {want:?}"))
    }
}

impl Play<'_> {
    fn fail(&self, line: usize, what: &str) -> ! {
        panic!(
            "{}:{line}: {what}\n\nWhat {} and the clients said:\n{}",
            self.script.name, self.server.name, self.log
        )
    }

    fn note(&mut self, who: char, session: u8, text: &str) {
        let session = if session == 1 {
            String::new()
        } else {
            session.to_string()
        };
        for line in text.trim_end_matches("\r\n").split("\r\n") {
            writeln!(self.log, "    {who}{session}: {line}").expect("writing to memory");
        }
    }

    fn user(&self, session: u8) -> &User<'_> {
        let [first, second] = self.users;
        if self.script.setup.second_user.contains(&session) {
            second
        } else {
            first
        }
    }

    fn is_lmtp(&self, session: u8) -> bool {
        session == 1 && self.script.name.starts_with("lmtp/")
    }

    fn stream(&mut self, session: u8) -> &mut Stream {
        if !self.connections.contains_key(&session) {
            let stream = self.connect(session);
            self.connections.insert(session, stream);
        }
        self.connections.get_mut(&session).expect("just inserted")
    }

    fn connect(&self, session: u8) -> Stream {
        let setup = &self.script.setup;
        let from = setup.from.as_deref().unwrap_or("127.0.0.1");
        let from: Ipv4Addr = from.parse().expect("an address after from:");
        let port = if self.is_lmtp(session) {
            24
        } else {
            setup.port.unwrap_or(143)
        };
        if setup.preauth {
            let stream: Stream = self.server.machine.connect_from(from, port).into();
            if port == 993 { stream.tls() } else { stream }
        } else if port == 24 {
            Lmtp::connect(self.server.machine.connect_from(from, port)).into_stream()
        } else {
            self.user(session).log_in(from, port).into_stream()
        }
    }

    fn speak(&mut self, step: &Step) {
        match &step.what {
            What::Say(text) => {
                let text = pattern::fill(text, &self.names);
                self.send(step, text.as_bytes());
            }
            What::Raw(text) => {
                let text = pattern::fill(text, &self.names);
                self.send(step, &unescape(&text));
            }
            What::Literal(bytes) => self.send(step, bytes),
            What::Tls => {
                let Some(stream) = self.connections.remove(&step.session) else {
                    self.fail(step.line, "this session did not begin");
                };
                self.connections.insert(step.session, stream.tls());
            }
            What::Close => {
                self.connections.remove(&step.session);
            }
            What::Deliver(file) => self.user(step.session).deliver(file),
            What::Wait(seconds) => std::thread::sleep(Duration::from_secs(*seconds)),
            What::Expect(..) => {}
        }
    }

    fn send(&mut self, step: &Step, bytes: &[u8]) {
        self.note('C', step.session, &String::from_utf8_lossy(bytes));
        if let Err(error) = self.stream(step.session).send(bytes) {
            self.fail(step.line, &format!("sending: {error}"));
        }
    }

    /// Takes all lines that stand together; how many there are.
    fn listen(&mut self, session: u8, steps: &[Step]) -> usize {
        let same = steps.iter().take_while(|step| step.session == session);
        let lines: Vec<Line<'_>> = same
            .map_while(|step| match &step.what {
                What::Expect(expect, text) => Some(Line {
                    number: step.line,
                    expect: *expect,
                    text,
                }),
                _ => None,
            })
            .collect();
        let mut group = Group::default();
        for line in &lines {
            if self.is_one_of_many(session, line.text) || line.is_any() {
                group.add(*line);
            } else {
                self.up_to(session, *line, std::mem::take(&mut group));
            }
        }
        while group.missing().is_some() {
            let number = lines.last().map_or(0, |line| line.number);
            let Some(said) = self.hear(session, number) else {
                self.fail(number, "the connection was closed");
            };
            self.take(&said, number, &mut group);
        }
        lines.len()
    }

    /// Does this line leave it open which comes next? Untagged responses, and lines of a reply but its last.
    fn is_one_of_many(&self, session: u8, text: &str) -> bool {
        if self.is_lmtp(session) {
            text.as_bytes().get(3) == Some(&b'-')
        } else {
            text.starts_with("* ")
        }
    }

    /// Up to the line that ends the group: a tagged response, a continuation request, the end.
    fn up_to(&mut self, session: u8, last: Line<'_>, mut group: Group<'_>) {
        loop {
            let said = self.hear(session, last.number);
            match said {
                None if last.text == "<closed>" => break,
                None => self.fail(last.number, &format!("closed, expected: {}", last.text)),
                Some(said) if self.is_one_of_many(session, &said.text) => {
                    self.take(&said, last.number, &mut group);
                }
                Some(said) if self.matches(last.text, &said) => break,
                Some(said) => {
                    let what = format!("expected: {}\n     got: {}", last.text, shown(&said));
                    self.fail(last.number, &what);
                }
            }
        }
        if let Some(what) = group.missing() {
            self.fail(last.number, &what);
        }
    }

    fn matches(&mut self, expected: &str, said: &Response) -> bool {
        pattern::response(expected, &said.text, &said.literals, &mut self.names)
    }

    /// Takes the line that this response is expected as.
    fn take(&mut self, said: &Response, line: usize, group: &mut Group<'_>) {
        if let Some(number) = pattern::expunged(&said.text)
            && group.came.len() < group.expunges.len()
        {
            group.came.push(number);
            return;
        }
        let mut in_turn = true;
        let found = group.open.iter().position(|line| {
            let may = line.expect != Expect::Next || std::mem::replace(&mut in_turn, false);
            may && !line.is_any() && self.matches(line.text, said)
        });
        if let Some(at) = found {
            group.open.remove(at);
        } else if !group.open.iter().any(Line::is_any) {
            let left: Vec<&str> = group.open.iter().map(|line| line.text).collect();
            let what = format!(
                "not expected: {}\n  still open: {}",
                shown(said),
                left.join("\n              ")
            );
            self.fail(line, &what);
        }
    }

    /// The next response; `None` at the end of the connection.
    fn hear(&mut self, session: u8, line: usize) -> Option<Response> {
        let lmtp = self.is_lmtp(session);
        let stream = self.stream(session);
        let heard = if lmtp {
            stream.line().map(|line| Response {
                text: String::from_utf8_lossy(&line).into_owned(),
                literals: Vec::new(),
            })
        } else {
            stream.response()
        };
        match heard {
            Ok(said) => {
                self.note('S', session, &shown(&said));
                Some(said)
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.note('S', session, "<closed>");
                None
            }
            Err(error) => self.fail(line, &format!("nothing came: {error}")),
        }
    }
}

/// As it would be written in a transcript.
fn shown(said: &Response) -> String {
    let mut text = said.text.clone();
    for literal in &said.literals {
        let quoted = format!("{:?}", String::from_utf8_lossy(literal));
        text = text.replacen(&format!("{{{}}}", literal.len()), &quoted, 1);
    }
    text
}
