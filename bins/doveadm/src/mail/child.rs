//! A command runs for one user in a process of its own, which becomes that user before it touches mail.
//! Its standard output is a channel to the parent: the job comes in, rows go out.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::process::{Command, ExitCode, Stdio};

use ipc::Channel;
use ipc::worker::Identity;
use serde::{Deserialize, Serialize};
use sys::privileges;

use super::action::Action;
use super::open::{self, Settings};
use super::progress::Place;
use crate::cli::Arguments;
use crate::failure::{EX_TEMPFAIL, Failure};
use crate::output::Rows;

/// The argument by which a child knows what it is.
const ARGUMENT: &str = "--child";
/// What a child may see of the environment.
const ENVIRONMENT: [&str; 4] = ["CULVER_CONFIG_DIR", "TZ", "TERM", "COLUMNS"];
/// How much is sent at once, bytes.
const BATCH: usize = 32 << 10;
/// Longest value that a parent puts together, bytes.
const LONGEST: usize = 64 << 20;

/// What a child is to do.
#[derive(Debug, Serialize, Deserialize)]
pub struct Job {
    /// Whom to become.
    pub identity: Identity,
    /// Another user of the same uid, whose mail is read.
    pub other: Option<Identity>,
    /// May it show how far it has come?
    pub progress: Place,
}

/// A piece of output.
#[derive(Debug, Serialize, Deserialize)]
enum Output {
    /// The beginning of a value that is long, but to be printed as a whole.
    Part(Vec<u8>),
    Value(Vec<u8>),
    Piece(Vec<u8>),
    End,
}

/// Runs the command for one user. Returns the child's exit code.
pub fn run(job: &Job, input: Option<File>, rows: &mut dyn Rows) -> Result<u8, Failure> {
    let started = |error| Failure::Temporary(format!("starting a process failed: {error}"));
    let (ours, theirs) = sys::seqpacket::pair().map_err(started)?;
    let mut command = Command::new("/proc/self/exe");
    command.arg(ARGUMENT).args(std::env::args_os().skip(1));
    command.env_clear();
    for name in ENVIRONMENT {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .stdin(input.map_or_else(Stdio::null, Stdio::from))
        .stdout(Stdio::from(theirs));
    let mut child = command.spawn().map_err(started)?;
    drop(command);
    let channel = Channel::new(ours);
    let relayed = channel
        .send(job, &[])
        .map_err(|error| io::Error::other(error.to_string()))
        .and_then(|()| relay(&channel, rows));
    // A child that nobody listens to any more ends at its next row.
    drop(channel);
    let status = child.wait().map_err(started)?;
    relayed.map_err(|error| printing(&error))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.unwrap_or(EX_TEMPFAIL))
}

/// Rows could not be printed; whoever closed the pipe has read enough.
pub fn printing(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::Mail(0),
        _ => Failure::Temporary(error.to_string()),
    }
}

fn relay(channel: &Channel, rows: &mut dyn Rows) -> io::Result<()> {
    let mut parts = Vec::new();
    loop {
        let outputs = match channel.recv::<Vec<Output>>() {
            Ok((outputs, _)) => outputs,
            Err(ipc::Error::Closed) => return Ok(()),
            Err(error) => return Err(io::Error::other(error.to_string())),
        };
        for output in outputs {
            match output {
                Output::Part(part) => {
                    parts.extend(part);
                    if parts.len() > LONGEST {
                        return Err(io::ErrorKind::FileTooLarge.into());
                    }
                }
                Output::Value(rest) => {
                    parts.extend(rest);
                    rows.value(&std::mem::take(&mut parts))?;
                }
                Output::Piece(piece) => rows.piece(&piece)?,
                Output::End => rows.end()?,
            }
        }
    }
}

/// The child's side.
pub fn serve(arguments: &Arguments, action: &dyn Action) -> ExitCode {
    match try_serve(arguments, action) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => failure.tell(),
    }
}

fn try_serve(arguments: &Arguments, action: &dyn Action) -> Result<u8, Failure> {
    let lost = |error: &dyn std::fmt::Display| Failure::Temporary(format!("the parent: {error}"));
    let channel = io::stdout().as_fd().try_clone_to_owned();
    let channel = Channel::new(channel.map_err(|error| lost(&error))?);
    let (job, _) = channel.recv::<Job>().map_err(|error| lost(&error))?;
    let settings = Settings::load(arguments)?;
    let shared = open::shared();
    become_user(&job.identity)
        .map_err(|error| Failure::Temporary(format!("{}: {error}", job.identity.user)))?;
    let mut relayed = Relayed {
        channel: &channel,
        batch: Vec::new(),
        bytes: 0,
    };
    let mut session = open::session(&settings, &shared, &job, &mut relayed, action)?;
    if action.reads().is_some() {
        let input = io::stdin().as_fd().try_clone_to_owned();
        session.input = input.ok().map(File::from);
    }
    let stopped = action.run(&mut session);
    let code = session.exit();
    drop(session);
    match stopped.and_then(|()| relayed.flush()) {
        Ok(()) => Ok(code),
        // The parent knows why.
        Err(_) => Ok(EX_TEMPFAIL),
    }
}

/// Gives up all rights but the user's, for good.
fn become_user(identity: &Identity) -> io::Result<()> {
    if privileges::effective_uid() != 0 {
        return match privileges::effective_uid() == identity.uid && identity.chroot.is_none() {
            true => Ok(()),
            false => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "only root may work on the mail of others",
            )),
        };
    }
    privileges::empty_bounding_set()?;
    privileges::become_user(&privileges::Identity {
        uid: identity.uid,
        gid: identity.gid,
        groups: &identity.groups,
        chroot: identity.chroot.as_deref().map(std::path::Path::new),
    })?;
    privileges::drop_all_capabilities()?;
    privileges::set_no_new_privileges()
}

/// Rows on their way to the parent.
struct Relayed<'c> {
    channel: &'c Channel,
    batch: Vec<Output>,
    bytes: usize,
}

impl Relayed<'_> {
    fn put(&mut self, output: Output, bytes: usize) -> io::Result<()> {
        if self.bytes.saturating_add(bytes) > BATCH {
            self.flush()?;
        }
        // What surrounds a value in a record.
        self.bytes = self.bytes.saturating_add(bytes).saturating_add(8);
        self.batch.push(output);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        let sent = self.channel.send(&batch, &[]);
        sent.map_err(|error| io::Error::new(io::ErrorKind::BrokenPipe, error.to_string()))
    }
}

impl Rows for Relayed<'_> {
    fn value(&mut self, value: &[u8]) -> io::Result<()> {
        let mut rest = value;
        while rest.len() > BATCH {
            let (part, behind) = rest.split_at(BATCH);
            self.put(Output::Part(part.to_vec()), part.len())?;
            rest = behind;
        }
        self.put(Output::Value(rest.to_vec()), rest.len())
    }

    fn piece(&mut self, piece: &[u8]) -> io::Result<()> {
        for piece in piece.chunks(BATCH) {
            self.put(Output::Piece(piece.to_vec()), piece.len())?;
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.put(Output::End, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Printed(Vec<String>);

    impl Rows for Printed {
        fn value(&mut self, value: &[u8]) -> io::Result<()> {
            self.0.push(format!("value of {}", value.len()));
            Ok(())
        }

        fn piece(&mut self, piece: &[u8]) -> io::Result<()> {
            self.0.push(format!("piece of {}", piece.len()));
            Ok(())
        }

        fn end(&mut self) -> io::Result<()> {
            self.0.push("end".to_owned());
            Ok(())
        }
    }

    #[test]
    fn rows_reach_the_parent_as_they_were() {
        let (ours, theirs) = sys::seqpacket::pair().unwrap();
        let sender = std::thread::spawn(move || {
            let channel = Channel::new(theirs);
            let mut relayed = Relayed {
                channel: &channel,
                batch: Vec::new(),
                bytes: 0,
            };
            relayed.value(b"7").unwrap();
            relayed.value(&vec![b'x'; 3 * BATCH + 5]).unwrap();
            relayed.piece(&vec![b'y'; BATCH + 1]).unwrap();
            relayed.end().unwrap();
            relayed.flush().unwrap();
        });
        let mut printed = Printed::default();
        relay(&Channel::new(ours), &mut printed).unwrap();
        sender.join().unwrap();
        let expected = [
            "value of 1".to_owned(),
            format!("value of {}", 3 * BATCH + 5),
            format!("piece of {BATCH}"),
            "piece of 1".to_owned(),
            "end".to_owned(),
        ];
        assert_eq!(printed.0, expected);
    }

    #[test]
    fn a_parent_that_is_gone_is_noticed() {
        let (ours, theirs) = sys::seqpacket::pair().unwrap();
        drop(ours);
        let channel = Channel::new(theirs);
        let mut relayed = Relayed {
            channel: &channel,
            batch: vec![Output::End],
            bytes: 0,
        };
        assert_eq!(
            relayed.flush().unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
    }
}
