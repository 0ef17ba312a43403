//! Figures of a game, printed, and told to `./test`, which adds them up.

use std::io::Write;
use std::time::Duration;

/// How a game went.
#[derive(Debug, Default)]
pub struct Report {
    /// Disasters that were survived.
    pub rounds: usize,
    /// Changes that were acknowledged.
    pub acknowledged: u64,
    /// First SELECT and FETCH of a mailbox after each.
    pub looks: Vec<Duration>,
}

impl Report {
    /// Prints it; `what` was survived in `store`.
    pub fn print(&mut self, what: &str, store: &str) {
        self.looks.sort();
        let part = |percent: usize| {
            let at = (self.looks.len() * percent / 100).min(self.looks.len().saturating_sub(1));
            self.looks.get(at).copied().unwrap_or_default().as_millis()
        };
        println!(
            "crash: {store}: {} {what}, {} changes acknowledged, nothing lost; first look: median {} ms, 99% {} ms, longest {} ms",
            self.rounds,
            self.acknowledged,
            part(50),
            part(99),
            part(100)
        );
        tally(what, self.rounds);
    }
}

/// Adds to what `./test` prints at its end.
///
/// # Panics
/// The file that `CULVER_TALLY` names cannot be written.
pub fn tally(what: &str, count: usize) {
    if let Some(path) = std::env::var_os("CULVER_TALLY") {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options
            .append(true)
            .create(true)
            .open(path)
            .expect("the tally");
        writeln!(file, "{count}\t{what}").expect("the tally");
    }
}
