//! The bytes of one client: read, cut into commands and messages, answered.

use std::io;
use std::path::Path;
use std::time::Duration;

use smtp_proto::{DataDecoder, DataStep, Enhanced, Line, LineDecoder, Reply};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::session::{Next, Session};
use crate::spool::Spool;

/// Longest command line, bytes.
const MAX_LINE: usize = 64 * 1024;
/// Bytes that are read at a time; what a client sends ahead of its replies waits in the kernel.
const INPUT: usize = 16 * 1024;
/// Replies that are collected for one write, bytes.
const OUTPUT: usize = 8 * 1024;
/// Longest silence of a client. RFC 5321 §4.5.3.2.7.
const IDLE: Duration = Duration::from_secs(5 * 60);
/// Longest wait for a client to take the last reply.
const FAREWELL: Duration = Duration::from_secs(5);

/// Why a connection ended, for the log.
pub type Reason = &'static str;

const CLIENT_CLOSED: Reason = "Remote closed connection";
const CLIENT_LOST: Reason = "Connection lost";
const INACTIVE: Reason = "Disconnected for inactivity";
const SHUTTING_DOWN: Reason = "Shutting down";

/// One client.
pub struct Connection<S> {
    stream: S,
    session: Session,
    /// Becomes true when the service wants to end.
    draining: watch::Receiver<bool>,
    lines: LineDecoder,
    input: Vec<u8>,
    /// Bytes of `input` that are used up.
    used: usize,
    output: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Takes a client over.
    pub fn new(stream: S, session: Session, draining: watch::Receiver<bool>) -> Self {
        Self {
            stream,
            session,
            draining,
            lines: LineDecoder::new(MAX_LINE),
            input: Vec::new(),
            used: 0,
            output: Vec::new(),
        }
    }

    /// Serves the client to its end. Returns why it ended and what the session was doing then.
    pub async fn serve(mut self) -> (Reason, &'static str) {
        self.reply(&self.session.greeting());
        let reason = match self.commands().await {
            Ok(reason) | Err(reason) => reason,
        };
        let state = self.session.state();
        // The client may be gone already.
        let _ = timeout(FAREWELL, self.farewell()).await;
        (reason, state)
    }

    async fn commands(&mut self) -> Result<Reason, Reason> {
        loop {
            while let Some(line) = self.next_line() {
                let (reply, next) = self.session.execute(line).await;
                self.reply(&reply);
                match next {
                    Next::Command => {}
                    Next::Message => self.message().await?,
                    Next::Close(reason) => return Ok(reason),
                }
                if self.output.len() > OUTPUT {
                    self.flush().await?;
                }
            }
            self.flush().await?;
            self.wait_for_commands().await?;
        }
    }

    fn next_line(&mut self) -> Option<Line> {
        // A line that was too long, and told already, ends without telling: the next one may follow.
        while self.used < self.input.len() {
            let step = self
                .lines
                .decode(self.input.get(self.used..).unwrap_or_default());
            self.used = self.used.saturating_add(step.consumed);
            if step.line.is_some() {
                return step.line;
            }
        }
        None
    }

    /// Waits for input; when the service wants to end, only for what belongs to a message under way.
    async fn wait_for_commands(&mut self) -> Result<(), Reason> {
        if self.session.in_transaction() {
            return self.read().await;
        }
        let mut draining = self.draining.clone();
        tokio::select! {
            biased;
            _ = draining.wait_for(|draining| *draining) => {
                self.reply(&Reply::new(421, Enhanced(4, 3, 2), SHUTTING_DOWN));
                Err(SHUTTING_DOWN)
            }
            read = self.read() => read,
        }
    }

    /// Receives the message and passes the replies on.
    async fn message(&mut self) -> Result<(), Reason> {
        self.flush().await?;
        let mut spool = Spool::new(Path::new(&self.session.settings().mail_temp_dir));
        let mut decoder = DataDecoder::new();
        let mut text = Vec::with_capacity(INPUT + 1);
        while !decoder.is_done() {
            if self.used >= self.input.len() {
                self.read().await?;
            }
            text.clear();
            let input = self.input.get(self.used..).unwrap_or_default();
            self.used = match decoder.decode(input, &mut text) {
                DataStep::More => self.input.len(),
                DataStep::End { consumed } => self.used.saturating_add(consumed),
            };
            spool.append(&text).await;
        }
        drop(text);
        let mut replies = self.session.message(spool.finish().await);
        while let Some(reply) = replies.recv().await {
            self.reply(&reply);
            if replies.is_empty() {
                self.flush().await?;
            }
        }
        Ok(())
    }

    fn reply(&mut self, reply: &Reply) {
        self.output.extend_from_slice(reply.to_string().as_bytes());
    }

    /// Replaces the used-up input by more.
    async fn read(&mut self) -> Result<(), Reason> {
        self.input.clear();
        self.used = 0;
        self.input.reserve_exact(INPUT);
        let limited = (&mut self.stream).take(u64::try_from(INPUT).unwrap_or(u64::MAX));
        match timeout(IDLE, read_some(limited, &mut self.input)).await {
            Err(_) => {
                self.reply(&Reply::new(
                    421,
                    Enhanced(4, 4, 2),
                    "Disconnected for inactivity",
                ));
                Err(INACTIVE)
            }
            Ok(Ok(0)) => Err(CLIENT_CLOSED),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(CLIENT_LOST),
        }
    }

    async fn flush(&mut self) -> Result<(), Reason> {
        let written = timeout(IDLE, self.stream.write_all(&self.output)).await;
        self.output.clear();
        match written {
            Err(_) => Err(INACTIVE),
            Ok(Err(_)) => Err(CLIENT_LOST),
            Ok(Ok(())) => Ok(()),
        }
    }

    /// Sends what is left and lets the client read it: closing with unread input would reset the
    /// connection and could take the last reply along.
    async fn farewell(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.output).await?;
        self.stream.shutdown().await?;
        let mut rest = (&mut self.stream).take(1024 * 1024);
        tokio::io::copy(&mut rest, &mut tokio::io::sink())
            .await
            .map(|_| ())
    }
}

async fn read_some(mut stream: impl AsyncRead + Unpin, input: &mut Vec<u8>) -> io::Result<usize> {
    stream.read_buf(input).await
}
