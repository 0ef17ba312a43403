//! A bar on standard error while something takes long, if a person may be waiting there.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::{Deserialize, Serialize};

/// Work that is done sooner shows nothing.
const PATIENCE: Duration = Duration::from_millis(500);

/// Is there a place for it?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// Standard error is a terminal that nothing else is printed to.
    Free,
    /// Rows would be mixed with it, or nobody looks.
    Taken,
}

impl Place {
    /// For a command that prints rows or does not.
    pub fn of(prints: Option<&std::io::Stdout>) -> Self {
        let shared = prints.is_some_and(IsTerminal::is_terminal);
        match io::stderr().is_terminal() && !shared {
            true => Self::Free,
            false => Self::Taken,
        }
    }
}

/// How far the current piece of work has come.
pub struct Progress {
    place: Place,
    bar: ProgressBar,
    /// Nothing is shown yet.
    waiting_since: Option<Instant>,
}

impl Progress {
    pub fn new(place: Place) -> Self {
        Self {
            place,
            bar: ProgressBar::hidden(),
            waiting_since: None,
        }
    }

    /// Work of so many steps begins.
    pub fn begin(&mut self, what: &'static str, steps: u64) {
        self.end();
        if self.place == Place::Free {
            self.bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::hidden());
            let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}");
            self.bar
                .set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            self.bar.set_message(what);
            self.waiting_since = Some(Instant::now());
        }
    }

    /// One step is done.
    pub fn step(&mut self) {
        if self.place == Place::Taken {
            return;
        }
        if let Some(began) = self.waiting_since
            && began.elapsed() > PATIENCE
        {
            self.waiting_since = None;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.inc(1);
    }

    /// The work is done.
    pub fn end(&mut self) {
        self.bar.finish_and_clear();
    }

    /// Prints a line that the bar must not run into.
    pub fn aside(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }
}
