//! Commands that work on users' mail: for whom, in which process, and where their rows go.

mod action;
mod child;
mod command;
mod open;
mod progress;
mod query;
mod session;
mod whom;

use std::fs::File;
use std::io::{self, Seek};
use std::process::ExitCode;

use ipc::worker::Identity;

use self::action::{Action, Input};
use self::child::Job;
use self::open::Settings;
use self::progress::Place;
use self::whom::{Userdb, Whom};
use crate::cli::Arguments;
use crate::failure::{EX_TEMPFAIL, Failure};
use crate::output::{Column, Printer, Rows};

/// Runs a command on mail; `None`: it is none.
pub fn run(arguments: &Arguments) -> Option<ExitCode> {
    let (action, users) = match command::of(&arguments.command)? {
        Ok(ready) => ready,
        Err(failure) => return Some(failure.tell()),
    };
    if arguments.child {
        return Some(child::serve(arguments, &*action));
    }
    let done = Whom::of(users).and_then(|whom| for_whom(arguments, &*action, &whom));
    Some(match done {
        Ok(code) => ExitCode::from(code),
        Err(failure) => failure.tell(),
    })
}

fn for_whom(arguments: &Arguments, action: &dyn Action, whom: &Whom) -> Result<u8, Failure> {
    let mut printer = printer(arguments, action, whom)?;
    let code = match whom {
        Whom::Caller => for_caller(arguments, action, &mut printer),
        Whom::One(name) => {
            let mut users = Users::open(arguments, action)?;
            users.run(name, &mut printer)
        }
        Whom::Many(selection) => {
            let mut users = Users::open(arguments, action)?;
            let names = users.userdb.select(selection)?;
            users.run_all(&names, &mut printer)
        }
    };
    // Rows that cannot be printed so are not printed half.
    if let Err(failure @ Failure::Temporary(_)) = code {
        return Err(failure);
    }
    let printed = match printer.0 {
        Some(printer) => printer.finish(),
        None => Ok(()),
    };
    let code = code?;
    printed.map_err(|error| child::printing(&error))?;
    Ok(code)
}

/// Prints rows, if the command has any.
struct Output(Option<Printer>);

impl Rows for Output {
    fn value(&mut self, value: &[u8]) -> io::Result<()> {
        self.0.as_mut().map_or(Ok(()), |to| to.value(value))
    }

    fn piece(&mut self, piece: &[u8]) -> io::Result<()> {
        self.0.as_mut().map_or(Ok(()), |to| to.piece(piece))
    }

    fn end(&mut self) -> io::Result<()> {
        self.0.as_mut().map_or(Ok(()), Rows::end)
    }
}

fn printer(arguments: &Arguments, action: &dyn Action, whom: &Whom) -> Result<Output, Failure> {
    let Some((formatter, mut columns)) = action.prints() else {
        return Ok(Output(None));
    };
    if matches!(whom, Whom::Many(_)) {
        columns.insert(0, Column::untitled("username", "Username"));
    }
    let printer = Printer::new(arguments.formatter.unwrap_or(formatter), columns);
    let printer = printer.map_err(|error| child::printing(&error))?;
    Ok(Output(Some(printer)))
}

fn place(action: &dyn Action) -> Place {
    Place::of(action.prints().map(|_| io::stdout()).as_ref())
}

/// In this process, with the caller's rights.
fn for_caller(
    arguments: &Arguments,
    action: &dyn Action,
    output: &mut Output,
) -> Result<u8, Failure> {
    let settings = Settings::load(arguments)?;
    let identity = whom::caller(&settings.identity()?)?;
    let job = Job {
        other: other(arguments, action, &settings, &identity)?,
        identity,
        progress: place(action),
    };
    let shared = open::shared();
    let input = input(action)?;
    let mut session = open::session(&settings, &shared, &job, output, action)?;
    session.input = input;
    let stopped = action.run(&mut session);
    let code = session.exit();
    stopped.map_err(|error| child::printing(&error))?;
    Ok(code)
}

/// Users of userdb, one process each.
struct Users<'a> {
    arguments: &'a Arguments,
    action: &'a dyn Action,
    settings: Settings,
    userdb: Userdb,
    input: Option<File>,
}

impl<'a> Users<'a> {
    fn open(arguments: &'a Arguments, action: &'a dyn Action) -> Result<Self, Failure> {
        Ok(Self {
            arguments,
            action,
            settings: Settings::load(arguments)?,
            userdb: Userdb::open(arguments)?,
            input: input(action)?,
        })
    }

    fn run(&mut self, name: &str, output: &mut Output) -> Result<u8, Failure> {
        let identity = match self.userdb.identity(name, &self.settings) {
            Err(Failure::NoUser(name)) => {
                return Err(Failure::UserMissing(name));
            }
            other => other?,
        };
        let job = Job {
            other: other(self.arguments, self.action, &self.settings, &identity)?,
            identity,
            progress: place(self.action),
        };
        let unreadable = |error| Failure::Temporary(format!("read(stdin) failed: {error}"));
        let input = self.input.as_ref().map(File::try_clone).transpose();
        child::run(&job, input.map_err(unreadable)?, output)
    }

    fn run_all(&mut self, names: &[String], output: &mut Output) -> Result<u8, Failure> {
        let mut first = 0;
        for name in names {
            if let Some(printer) = &mut output.0 {
                printer.stick(name);
            }
            let code = match self.run(name, output) {
                Ok(code) => code,
                Err(Failure::UserMissing(name)) => {
                    eprintln!("doveadm({name}): Info: User no longer exists, skipping");
                    0
                }
                Err(failure @ Failure::User(..)) => {
                    failure.tell();
                    EX_TEMPFAIL
                }
                Err(failure) => return Err(failure),
            };
            if first == 0 || code == EX_TEMPFAIL {
                first = code;
            }
        }
        Ok(first)
    }
}

/// The other user whose mail is read: possible where the same uid owns it.
fn other(
    arguments: &Arguments,
    action: &dyn Action,
    settings: &Settings,
    identity: &Identity,
) -> Result<Option<Identity>, Failure> {
    let Some(name) = action.other_user() else {
        return Ok(None);
    };
    let other = Userdb::open(arguments)?.identity(name, settings)?;
    if other.uid != identity.uid || other.chroot != identity.chroot {
        return Err(Failure::Refused(format!(
            "{} may not read the mail of {name}: it belongs to another uid",
            identity.user
        )));
    }
    Ok(Some(other))
}

/// What the command reads, from its beginning as often as there are users.
fn input(action: &dyn Action) -> Result<Option<File>, Failure> {
    let failed = |what: &str, error: &io::Error| Failure::Temporary(format!("{what}: {error}"));
    match action.reads() {
        None => Ok(None),
        Some(Input::File(path)) => {
            let what = format!("open({}) failed", path.display());
            let file = File::open(path).map_err(|error| failed(&what, &error))?;
            Ok(Some(file))
        }
        Some(Input::Standard) => {
            let spool = spool().map_err(|error| failed("open(/tmp) failed", &error))?;
            let mut spooled = &spool;
            io::copy(&mut io::stdin().lock(), &mut spooled)
                .and_then(|_| spooled.rewind())
                .map_err(|error| failed("read(stdin) failed", &error))?;
            Ok(Some(spool))
        }
    }
}

/// A file without a name: standard input can be read once only.
fn spool() -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = rustix::fs::open(std::env::temp_dir(), flags, Mode::RUSR | Mode::WUSR)?;
    Ok(File::from(file))
}
