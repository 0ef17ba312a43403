//! An LMTP client for tests. RFC 2033.

use std::io;

use crate::Stream;

/// A connection to an LMTP server, past its greeting and LHLO.
#[derive(Debug)]
pub struct Lmtp {
    stream: Stream,
    /// The lines of the reply to LHLO.
    pub capabilities: Vec<String>,
}

impl Lmtp {
    /// Reads the greeting and says LHLO.
    ///
    /// # Panics
    /// The server refuses either.
    pub fn connect(stream: impl Into<Stream>) -> Lmtp {
        Lmtp::try_connect(stream).unwrap_or_else(|error| panic!("LHLO: {error}"))
    }

    /// The same; what goes wrong is an error.
    ///
    /// # Errors
    /// The server refuses either, closed the connection, or said nothing for a minute.
    pub fn try_connect(stream: impl Into<Stream>) -> io::Result<Lmtp> {
        let mut lmtp = Lmtp {
            stream: stream.into(),
            capabilities: Vec::new(),
        };
        let greeting = lmtp.try_reply()?;
        if !greeting.starts_with("220") {
            return Err(io::Error::other(greeting));
        }
        let reply = lmtp.try_command("LHLO client.test")?;
        if !reply.starts_with("250") {
            return Err(io::Error::other(reply));
        }
        lmtp.capabilities = reply.lines().map(str::to_owned).collect();
        Ok(lmtp)
    }

    /// One transaction. `message` has CRLF line ends; dots are stuffed here. The reply to each recipient in
    /// their order: that of RCPT where it was refused, else that after DATA; to all that of MAIL or DATA
    /// where those were refused.
    pub fn deliver(&mut self, from: &str, recipients: &[&str], message: &[u8]) -> Vec<String> {
        self.try_deliver(from, recipients, message)
            .unwrap_or_else(|error| panic!("a reply: {error}"))
    }

    /// The same; the end of the connection is an error.
    ///
    /// # Errors
    /// The server closed the connection or said nothing for a minute.
    pub fn try_deliver(
        &mut self,
        from: &str,
        recipients: &[&str],
        message: &[u8],
    ) -> io::Result<Vec<String>> {
        let reply = self.try_command(&format!("MAIL FROM:<{from}>"))?;
        if !reply.starts_with("250") {
            return Ok(vec![reply; recipients.len()]);
        }
        let mut replies = Vec::new();
        for recipient in recipients {
            replies.push(self.try_command(&format!("RCPT TO:<{recipient}>"))?);
        }
        if replies.iter().all(|reply| !reply.starts_with('2')) {
            self.try_command("RSET")?;
            return Ok(replies);
        }
        let go = self.try_command("DATA")?;
        if !go.starts_with("354") {
            return Ok(vec![go; recipients.len()]);
        }
        self.stream.send(&stuffed(message))?;
        for reply in replies.iter_mut().filter(|reply| reply.starts_with('2')) {
            *reply = self.try_reply()?;
        }
        Ok(replies)
    }

    /// The same, and every recipient must have got it.
    pub fn delivered(&mut self, recipients: &[&str], message: &[u8]) {
        let replies = self.deliver("sender@example.org", recipients, message);
        assert!(
            replies.iter().all(|reply| reply.starts_with("250")),
            "{replies:?}"
        );
    }

    /// Says a line and reads its reply.
    pub fn command(&mut self, line: &str) -> String {
        self.try_command(line)
            .unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    fn try_command(&mut self, line: &str) -> io::Result<String> {
        self.stream.send(format!("{line}\r\n").as_bytes())?;
        self.try_reply()
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    /// The server closed the connection.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.send(bytes).expect("sending");
    }

    /// Reads one reply, all its lines.
    ///
    /// # Panics
    /// The server closed the connection.
    pub fn reply(&mut self) -> String {
        self.try_reply().expect("a reply")
    }

    fn try_reply(&mut self) -> io::Result<String> {
        let mut reply = String::new();
        loop {
            let line = self.stream.line()?;
            let line = String::from_utf8_lossy(&line).into_owned();
            let last = line.as_bytes().get(3) != Some(&b'-');
            reply.push_str(&line);
            if last {
                return Ok(reply);
            }
            reply.push('\n');
        }
    }

    /// The connection underneath.
    pub fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// The same, for good.
    #[must_use]
    pub fn into_stream(self) -> Stream {
        self.stream
    }
}

/// DATA as it goes over the wire: dots doubled at line starts, `CRLF.CRLF` at the end. RFC 5321 §4.5.2.
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(message.len() + 8);
    let mut line_start = true;
    for &byte in message {
        if line_start && byte == b'.' {
            wire.push(b'.');
        }
        wire.push(byte);
        line_start = byte == b'\n' && wire.ends_with(b"\r\n");
    }
    if !line_start {
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b".\r\n");
    wire
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_at_line_starts_are_doubled() {
        assert_eq!(stuffed(b".a\r\nb.\r\n."), b"..a\r\nb.\r\n..\r\n.\r\n");
        assert_eq!(stuffed(b""), b".\r\n");
        assert_eq!(stuffed(b"a\n.b\r\n"), b"a\n.b\r\n.\r\n");
    }
}
