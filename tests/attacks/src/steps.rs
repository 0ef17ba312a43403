//! Does what an entry of the catalog says, and judges what came of it.

use std::time::{Duration, Instant};

use regex::bytes::Regex;
use serde_json::Value;

use crate::catalog::{Attack, bytes};
use crate::{Site, Wire, messages};

/// How the client's bytes are cut into packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// As the catalog has them.
    Whole,
    /// Each in a packet of its own.
    Bytes,
    /// All up to here first, then the rest.
    At(usize),
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// What the server said on the last connection, behind its greeting.
    pub said: Vec<u8>,
    /// The server ended it.
    pub closed: bool,
    /// Until the answer was there, or the end.
    pub took: Duration,
}

/// Longest wait for anything that the catalog does not limit.
const PATIENCE: Duration = Duration::from_secs(75);
/// Who is silent for so long has nothing more to say.
const SILENCE: Duration = Duration::from_millis(300);

/// Does it.
///
/// # Errors
/// The server did not do something that the steps wait for.
pub fn run(attack: &Attack, site: &Site, cut: Cut) -> Result<Outcome, String> {
    let mut run = Run {
        attack,
        site,
        cut,
        sent: 0,
        wire: connect(attack, site),
        greeting: 0,
        mark: 0,
    };
    let started = Instant::now();
    for step in &attack.steps {
        run.step(step)?;
    }
    run.answer(started);
    let said = run
        .wire
        .received
        .get(run.greeting..)
        .unwrap_or_default()
        .to_vec();
    Ok(Outcome {
        said,
        closed: run.wire.closed,
        took: started.elapsed(),
    })
}

/// How many bytes the client sends in all; `None` where that is too much to cut.
#[must_use]
pub fn size(attack: &Attack) -> Option<usize> {
    let mut size = 0;
    for step in &attack.steps {
        if step.get("rep").is_some() || step.get("loop").is_some() || step.get("msg").is_some() {
            return None;
        }
        size += step["send"].as_str().map_or(0, |text| bytes(text).len());
    }
    Some(size)
}

/// Is the outcome what the catalog expects? `None` if so.
///
/// # Panics
/// A pattern of the catalog is none.
#[must_use]
pub fn judge(expect: &Value, outcome: &Outcome) -> Option<String> {
    let said = String::from_utf8_lossy(&outcome.said);
    let shown: String = said.chars().take(600).collect();
    if let Some(pattern) = expect["reply"].as_str()
        && !find(pattern, &outcome.said)
    {
        return Some(format!("no {pattern:?} in {shown:?}"));
    }
    if let Some(pattern) = expect["not_reply"].as_str()
        && find(pattern, &outcome.said)
    {
        return Some(format!("{pattern:?} in {shown:?}"));
    }
    if expect["close"] == true && !outcome.closed {
        return Some(format!("still open after {:?}: {shown:?}", outcome.took));
    }
    let limit = expect["max_s"].as_u64().map(Duration::from_secs);
    limit
        .filter(|limit| outcome.took > *limit + SILENCE)
        .map(|limit| format!("took {:?}, at most {limit:?}", outcome.took))
}

fn find(pattern: &str, said: &[u8]) -> bool {
    Regex::new(&format!("(?m){pattern}"))
        .expect("a pattern")
        .is_match(said)
}

fn connect(attack: &Attack, site: &Site) -> Wire {
    let tls = attack
        .steps
        .first()
        .is_some_and(|step| step.get("tls").is_some() || step.get("loop").is_some());
    let port = match attack.proto.as_str() {
        "lmtp" => 24,
        _ if tls => 993,
        _ => 143,
    };
    Wire::connect(&site.machine, Site::address(), port)
}

struct Run<'a> {
    attack: &'a Attack,
    site: &'a Site,
    cut: Cut,
    /// Bytes that went out.
    sent: usize,
    wire: Wire,
    /// Where the greeting ends in what came.
    greeting: usize,
    /// Up to where `recv` has read.
    mark: usize,
}

impl Run<'_> {
    fn step(&mut self, step: &Value) -> Result<(), String> {
        if let Some(pattern) = step["recv"].as_str() {
            return self.receive(pattern);
        } else if let Some(text) = step["send"].as_str() {
            self.send(&bytes(text));
        } else if let Some(rep) = step["rep"].as_array() {
            self.repeat(rep);
        } else if step["tls"] == true {
            self.tls(step);
        } else if let Some([count, steps]) = step["loop"].as_array().map(Vec::as_slice) {
            return self.repeat_steps(count, steps);
        } else if step["reconnect"] == true {
            self.wire.silence(SILENCE);
            self.reconnect();
        } else if step["rst"] == true {
            self.wire.silence(SILENCE);
            let wire = std::mem::replace(&mut self.wire, connect(self.attack, self.site));
            wire.reset();
        } else if let Some(message) = step["msg"].as_str() {
            self.message(message);
        } else {
            return Err(format!("{step}: a step that is not known"));
        }
        Ok(())
    }

    fn reconnect(&mut self) {
        self.wire = connect(self.attack, self.site);
        (self.greeting, self.mark) = (0, 0);
        if self
            .attack
            .steps
            .first()
            .is_some_and(|step| step.get("recv").is_some())
        {
            self.wire.wait(Instant::now() + PATIENCE, |received| {
                received.ends_with(b"\r\n")
            });
            self.greeting = self.wire.received.len();
            self.mark = self.greeting;
        }
    }

    fn receive(&mut self, pattern: &str) -> Result<(), String> {
        let regex = Regex::new(&format!("(?m){pattern}")).expect("a pattern");
        let mark = self.mark;
        let came = self
            .wire
            .wait(Instant::now() + Duration::from_secs(20), |received| {
                let new = received.get(mark..).unwrap_or_default();
                regex.is_match(new) && new.ends_with(b"\n")
            });
        if !came {
            let said = String::from_utf8_lossy(&self.wire.received);
            return Err(format!("{pattern:?} did not come, but {said:?}"));
        }
        if self.mark == 0 {
            self.greeting = self.wire.received.len();
        }
        self.mark = self.wire.received.len();
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) {
        let deadline = Instant::now() + PATIENCE;
        match self.cut {
            Cut::Bytes => {
                for byte in bytes.chunks(1) {
                    self.wire.send(byte, deadline);
                }
            }
            Cut::At(at) if self.sent < at && at < self.sent + bytes.len() => {
                let (first, rest) = bytes.split_at(at - self.sent);
                self.wire.send(first, deadline);
                // So that the server reads it by itself; nothing depends on whether it does.
                self.wire.silence(Duration::from_millis(3));
                self.wire.send(rest, deadline);
            }
            _ => {
                self.wire.send(bytes, deadline);
            }
        }
        self.sent += bytes.len();
    }

    fn repeat(&mut self, rep: &[Value]) {
        let item = bytes(rep.first().and_then(Value::as_str).unwrap_or_default());
        let mut left = number(rep.get(1));
        let deadline = Instant::now() + PATIENCE;
        while left > 0 {
            let count = left.min(65536 / item.len().max(1));
            if !self.wire.send(&item.repeat(count), deadline) {
                return;
            }
            left -= count;
        }
    }

    /// After STARTTLS only if the server wants it; at once where there was no STARTTLS.
    fn tls(&mut self, step: &Value) {
        let asked = self.sent > 0;
        if asked {
            let agreed = Regex::new("(?m)^(a OK|220) ").expect("a pattern");
            let mark = self.mark;
            let limit = Instant::now() + Duration::from_secs(3);
            let wanted = self.wire.wait(limit, |received| {
                agreed.is_match(received.get(mark..).unwrap_or_default())
            });
            if !wanted {
                return;
            }
        }
        self.mark = self.wire.received.len();
        let name = if step["sni"] == "rand" {
            format!("x{}.example.org", fastrand())
        } else {
            "culver.test".to_owned()
        };
        self.wire.handshake(&name, Instant::now() + PATIENCE);
    }

    fn repeat_steps(&mut self, count: &Value, steps: &Value) -> Result<(), String> {
        let steps = steps.as_array().map(Vec::as_slice).unwrap_or_default();
        let anew = steps.first().is_some_and(|step| step.get("tls").is_some());
        for round in 0..number(Some(count)) {
            for step in steps {
                match step["send"].as_str() {
                    Some(text) => self.send(&bytes(&text.replace("%d", &round.to_string()))),
                    None => self.step(step)?,
                }
            }
            if anew {
                self.reconnect();
                self.sent = 0;
            }
        }
        Ok(())
    }

    fn message(&mut self, message: &str) {
        if let Some(depth) = message.strip_prefix("mime_nest:multipart:") {
            let depth = depth.parse().expect("a depth");
            self.site
                .deliver("alice", &messages::nested_multipart(depth));
        }
    }

    /// Waits for what the catalog expects.
    fn answer(&mut self, started: Instant) {
        let expect = &self.attack.expect;
        let limit = expect["max_s"]
            .as_u64()
            .map_or(PATIENCE, Duration::from_secs);
        let deadline = started + limit;
        let greeting = self.greeting;
        if let Some(pattern) = expect["reply"].as_str() {
            self.wire.wait(deadline, |received| {
                find(pattern, received.get(greeting..).unwrap_or_default())
            });
        }
        if expect["close"] == true {
            self.wire.wait(deadline, |_| false);
        }
        self.wire.silence(SILENCE);
    }
}

fn number(value: Option<&Value>) -> usize {
    value
        .and_then(Value::as_u64)
        .and_then(|number| usize::try_from(number).ok())
        .unwrap_or_default()
}

/// Names that the server did not see before; nothing is secret here.
fn fastrand() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn outcome(said: &str) -> Outcome {
        Outcome {
            said: said.as_bytes().to_vec(),
            closed: false,
            took: Duration::from_secs(1),
        }
    }

    #[test]
    fn judgements() {
        let wrong = |expect: Value, said: &str| judge(&expect, &outcome(said)).is_some();
        assert!(!wrong(json!({"reply": "b OK"}), "a OK\r\nb OK done\r\n"));
        assert!(wrong(json!({"reply": "b OK"}), "b NO\r\n"));
        assert!(wrong(json!({"not_reply": "^\\+ "}), "a OK\r\n+ go\r\n"));
        assert!(!wrong(json!({"not_reply": "^\\+ "}), "a OK + go\r\n"));
        assert!(wrong(json!({"close": true}), ""));
        assert!(!wrong(json!({"max_s": 3}), ""));
        assert!(!wrong(json!({"note": "anything"}), "x"));
    }
}
