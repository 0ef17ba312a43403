//! The client's connection: bytes in and out with deadlines, and the commands in them.
//!
//! The descriptor is non-blocking and every wait is a poll(2), so that a client that neither sends nor reads holds nothing
//! but its own thread, and that thread can always be told to stop.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use broker::{Stop, StopReason};
use imap_proto::{Decoder, Event, Limits, Messages};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SendFlags, Shutdown, send, shutdown};

use super::EndReason;

/// Bytes both ways over a socket.
pub trait Stream: Read + AsFd {}

impl<T: Read + AsFd> Stream for T {}

/// Half an hour without a command ends a session. RFC 3501 §5.4.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// A client that reads nothing for so long has gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// A client that stops in the middle of a message for so long has gone.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// Output waits for so many bytes, or for the end of the input.
const OUTPUT: usize = 16 << 10;
/// How much is read at once while commands are awaited.
const INPUT: usize = 4 << 10;
/// A client that is silent for so long may stay so: free memory goes back to the system.
const QUIET: Duration = Duration::from_secs(1);
/// How much is read at once of a message.
const UPLOAD: usize = 64 << 10;

/// What ended a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// The client sent something.
    Input,
    /// The other descriptor is readable.
    Other,
    /// Nothing happened in time.
    Timeout,
}

/// One connected client.
pub struct Client<'a> {
    stream: Box<dyn Stream + 'a>,
    stop: &'a Stop,
    decoder: Decoder,
    /// Received and not taken yet, from `taken` on.
    input: Vec<u8>,
    taken: usize,
    output: Vec<u8>,
    received: u64,
    sent: u64,
    output_is: Output,
    sending: SendFlags,
}

/// May another line follow what was sent?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    Whole,
    /// A write was given up in the middle: BYE would become part of a literal.
    Torn,
}

impl<'a> Client<'a> {
    /// Takes over a connection on which `unread` was received already.
    pub fn new(stream: impl Stream + 'a, stop: &'a Stop, unread: Vec<u8>) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(stream.as_fd(), true)?;
        Ok(Self {
            stream: Box::new(stream),
            stop,
            decoder: Decoder::new(Limits::session(64 << 10), Messages::Streamed),
            received: unread.len() as u64,
            input: unread,
            taken: 0,
            output: Vec::new(),
            sent: 0,
            output_is: Output::Whole,
            sending: SendFlags::NOSIGNAL,
        })
    }

    /// Takes over a connection whose bytes were counted before.
    pub fn again(
        stream: impl Stream + 'a,
        stop: &'a Stop,
        (received, sent): (u64, u64),
    ) -> io::Result<Self> {
        let mut client = Self::new(stream, stop, Vec::new())?;
        client.received = received;
        client.sent = sent;
        Ok(client)
    }

    /// Sets the longest command, bytes. Before the first one.
    pub fn limit_commands(&mut self, line: usize) {
        self.decoder = Decoder::new(Limits::session(line), Messages::Streamed);
    }

    /// Bytes received and sent.
    pub fn traffic(&self) -> (u64, u64) {
        (self.received, self.sent)
    }

    /// Has it sent bytes that are no line yet?
    pub fn is_amid_a_line(&self) -> bool {
        !self.unread().is_empty() || self.decoder.is_partial()
    }

    /// The connection, for whoever goes on with it.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        self.stream.as_fd().try_clone_to_owned()
    }

    /// The next command, or what the decoder has to say instead; never [`Event::Incomplete`].
    pub fn next_event(&mut self) -> Result<Event, EndReason> {
        self.decode(Decoder::feed)
    }

    /// The rest of the line behind a message; empty, unless another one of the same APPEND follows (RFC 3502).
    pub fn end_of_append(&mut self) -> Result<Vec<u8>, EndReason> {
        match self.decode(Decoder::feed_line)? {
            Event::Command(line) => Ok(line.into_bytes()),
            _ => Err(EndReason::Desynchronised),
        }
    }

    /// Feeds what is there; `None`: the line has not ended yet.
    pub fn try_line(&mut self) -> Option<Event> {
        let unread = self.input.get(self.taken..).unwrap_or_default();
        let (taken, event) = self.decoder.feed_line(unread);
        self.taken += taken;
        (event != Event::Incomplete).then_some(event)
    }

    /// Appends to the output, and sends whenever enough has come together.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), EndReason> {
        while !bytes.is_empty() {
            let room = OUTPUT.saturating_sub(self.output.len());
            let (now, later) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
            self.output.extend_from_slice(now);
            bytes = later;
            if self.output.len() >= OUTPUT {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Appends what `write` appends.
    pub fn write_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), EndReason> {
        write(&mut self.output);
        if self.output.len() > OUTPUT {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Appends a line and its end.
    pub fn line(&mut self, line: &str) -> Result<(), EndReason> {
        self.write(line.as_bytes())?;
        self.write(b"\r\n")
    }

    /// Sends all output, the last of this connection: it may wait in the kernel for [`Self::part`], and goes out with the end.
    pub fn flush_last(&mut self) -> Result<(), EndReason> {
        self.sending |= SendFlags::MORE;
        self.flush()
    }

    /// Sends all output.
    pub fn flush(&mut self) -> Result<(), EndReason> {
        let output = std::mem::take(&mut self.output);
        let result = self.send(&output);
        self.output = output;
        self.output.clear();
        result
    }

    /// Sends the last words, as far as the client takes them without waiting, and that they were the last.
    pub fn part(&mut self, last_line: Option<&str>) {
        if self.output_is == Output::Torn {
            return;
        }
        if let Some(line) = last_line {
            self.output.extend_from_slice(b"* BYE ");
            self.output.extend_from_slice(line.as_bytes());
            self.output.extend_from_slice(b"\r\n");
        }
        // The client may be gone: nothing to do about it.
        if !self.output.is_empty()
            && let Ok(count) = send(&self.stream, &self.output, self.sending | SendFlags::MORE)
        {
            self.sent += count as u64;
        }
        let _ = shutdown(&self.stream, Shutdown::Write);
    }

    /// Waits for the client, for `other`, or for the end of `timeout`. Sends all output first and gives memory back.
    pub fn wait(
        &mut self,
        other: Option<BorrowedFd<'_>>,
        timeout: Duration,
    ) -> Result<Wake, EndReason> {
        self.flush()?;
        self.rest();
        let mut waits = vec![
            PollFd::new(&self.stream, PollFlags::IN),
            PollFd::new(self.stop, PollFlags::IN),
        ];
        if let Some(other) = &other {
            waits.push(PollFd::new(other, PollFlags::IN));
        }
        let until = Instant::now() + timeout;
        let mut ready = poll_until(&mut waits, until.min(Instant::now() + QUIET))?;
        if !ready && timeout > QUIET {
            sys::process::trim_heap();
            ready = poll_until(&mut waits, until)?;
        }
        let is_ready = |index: usize| waits.get(index).is_some_and(|fd| !fd.revents().is_empty());
        let (input, other) = (is_ready(0), is_ready(2));
        if let Some(reason) = self.stop.reason() {
            return Err(EndReason::Stopped(reason));
        }
        match (ready, input, other) {
            (false, ..) => Ok(Wake::Timeout),
            (true, _, true) if !input => Ok(Wake::Other),
            _ => self.receive(INPUT).map(|_| Wake::Input),
        }
    }

    /// Fails once an administrator has ended the session; for loops that may take long without a word to the client.
    pub fn check_kicked(&self) -> Result<(), EndReason> {
        match self.stop.reason() {
            Some(StopReason::Kicked) => Err(EndReason::Stopped(StopReason::Kicked)),
            _ => Ok(()),
        }
    }

    /// Received bytes that nobody has taken yet.
    fn unread(&self) -> &[u8] {
        self.input.get(self.taken..).unwrap_or_default()
    }

    fn decode(
        &mut self,
        feed: fn(&mut Decoder, &[u8]) -> (usize, Event),
    ) -> Result<Event, EndReason> {
        loop {
            if !self.unread().is_empty() {
                let unread = self.input.get(self.taken..).unwrap_or_default();
                let (taken, event) = feed(&mut self.decoder, unread);
                self.taken += taken;
                if event != Event::Incomplete {
                    return Ok(event);
                }
            }
            if self.wait(None, IDLE_TIMEOUT)? == Wake::Timeout {
                return Err(EndReason::Inactive);
            }
        }
    }

    /// Reads up to `most` of what has arrived; 0: nothing has.
    fn receive(&mut self, most: usize) -> Result<usize, EndReason> {
        let unread = self.unread().len();
        self.input.drain(..self.taken);
        self.taken = 0;
        self.input.resize(unread + most, 0);
        let room = self.input.get_mut(unread..).unwrap_or_default();
        let result = read_some(&mut *self.stream, room);
        self.input.truncate(unread + *result.as_ref().unwrap_or(&0));
        match result {
            Ok(0) => Err(EndReason::Closed),
            Ok(count) => {
                self.received += count as u64;
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) if is_hangup(&error) => Err(EndReason::Closed),
            Err(error) => Err(EndReason::Connection(error)),
        }
    }

    /// Writes everything, waiting where the client is slow.
    fn send(&mut self, bytes: &[u8]) -> Result<(), EndReason> {
        let result = self.send_all(bytes);
        if result.is_err() {
            self.output_is = Output::Torn;
        }
        result
    }

    fn send_all(&mut self, mut bytes: &[u8]) -> Result<(), EndReason> {
        while !bytes.is_empty() {
            self.check_kicked()?;
            match send(&self.stream, bytes, self.sending).map_err(io::Error::from) {
                Ok(count) => {
                    self.sent += count as u64;
                    bytes = bytes.get(count..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait_for_room()?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_hangup(&error) => return Err(EndReason::Closed),
                Err(error) => return Err(EndReason::Connection(error)),
            }
        }
        Ok(())
    }

    fn wait_for_room(&mut self) -> Result<(), EndReason> {
        let mut waits = vec![PollFd::new(&self.stream, PollFlags::OUT)];
        // A draining service lets a FETCH come to its end; its event would only make this a busy loop.
        if self.stop.reason().is_none() {
            waits.push(PollFd::new(self.stop, PollFlags::IN));
        }
        match poll_until(&mut waits, Instant::now() + WRITE_TIMEOUT)? {
            true => Ok(()),
            false => Err(EndReason::WriteTimeout),
        }
    }

    /// Gives memory back before what may be a long wait.
    fn rest(&mut self) {
        if self.unread().is_empty() {
            self.input = Vec::new();
            self.taken = 0;
        }
        self.output = Vec::new();
    }
}

/// The bytes of a message as the client sends them, `left` of them.
pub struct Upload<'c, 'a> {
    client: &'c mut Client<'a>,
    left: u64,
    /// Why the bytes stopped coming; the `io::Error` that `read` returned cannot hold it.
    broken: Option<EndReason>,
}

impl<'c, 'a> Upload<'c, 'a> {
    /// `size` bytes of `client`, who has been told to send them, or does so anyway.
    pub fn new(client: &'c mut Client<'a>, size: u64) -> Self {
        Self {
            client,
            left: size,
            broken: None,
        }
    }

    /// Reads and forgets what is left.
    pub fn discard(mut self) -> Result<(), EndReason> {
        while self.left > 0 && self.broken.is_none() {
            let available = self.fill().unwrap_or(0);
            self.consume(available);
        }
        self.finish()
    }

    /// Fails if the session has ended while the bytes were read.
    pub fn finish(self) -> Result<(), EndReason> {
        self.broken.map_or(Ok(()), Err)
    }

    /// Waits until there are bytes; how many of ours.
    fn fill(&mut self) -> io::Result<usize> {
        if self.client.unread().is_empty()
            && let Err(reason) = self.client.wait_for_upload()
        {
            self.broken = Some(reason);
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let available = self.client.unread().len();
        Ok(usize::try_from(self.left).map_or(available, |left| left.min(available)))
    }

    fn consume(&mut self, count: usize) {
        self.client.taken += count;
        self.left = self.left.saturating_sub(count as u64);
    }
}

impl Read for Upload<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let available = self.fill()?;
        let mut bytes = self.client.unread().get(..available).unwrap_or_default();
        let count = bytes.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl Client<'_> {
    /// Waits for more of a message. A draining service lets it come to its end.
    fn wait_for_upload(&mut self) -> Result<(), EndReason> {
        self.flush()?;
        let until = Instant::now() + UPLOAD_TIMEOUT;
        while self.receive(UPLOAD)? == 0 {
            self.check_kicked()?;
            let mut waits = vec![PollFd::new(&self.stream, PollFlags::IN)];
            if self.stop.reason().is_none() {
                waits.push(PollFd::new(self.stop, PollFlags::IN));
            }
            if !poll_until(&mut waits, until)? {
                return Err(EndReason::Inactive);
            }
        }
        Ok(())
    }
}

/// Waits for one of the descriptors; `false`: the time is over.
fn poll_until(waits: &mut [PollFd<'_>], until: Instant) -> Result<bool, EndReason> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).ok();
        match poll(waits, timeout.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(EndReason::Connection(error.into())),
        }
    }
}

fn read_some(stream: &mut dyn Stream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn is_hangup(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
    )
}
