//! Storage under disasters: six clients work on two mailboxes, something terrible happens, and afterwards
//! everything that was acknowledged must be there, once, under its UID.
//!
//! [`Stage`] is a machine with one format, [`play`] one round of work on it. The [`ledger`] knows what was
//! asked and what was answered; [`check`] compares it with what the server says afterwards.
//!
//! `CRASH_SEED=n` plays another game, `CRASH_ROUNDS=n` a game of another length; `./test --full` plays long
//! ones. What a failing round leaves is kept in `target/crash`.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed test is a panic"
)]

pub mod check;
pub mod clients;
pub mod dice;
pub mod ledger;
pub mod report;
pub mod stage;
pub mod volume;

pub use dice::Dice;
pub use ledger::Ledger;
pub use report::Report;
pub use stage::{FORMATS, Format, Stage, TIDYING};
pub use volume::Volume;

use std::sync::atomic::Ordering;

/// One round: the six clients work, `disaster` happens, clients stop. Each sees its own random numbers.
pub fn play(stage: &Stage, dice: &mut Dice, disaster: impl FnOnce(&mut Dice)) {
    let ready = clients::all(stage, dice);
    std::thread::scope(|scope| {
        let working: Vec<_> = ready.into_iter().map(|work| scope.spawn(work)).collect();
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| disaster(dice)));
        stage.stop.store(true, Ordering::SeqCst);
        for client in working {
            client
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
        if let Err(panic) = done {
            std::panic::resume_unwind(panic);
        }
    });
    stage.stop.store(false, Ordering::SeqCst);
}

/// How many rounds: what the environment says, else `long` under `./test --full`, else `short`.
#[must_use]
pub fn rounds(short: usize, long: usize) -> usize {
    let asked = std::env::var("CRASH_ROUNDS").ok().map(|text| text.parse());
    match (asked, std::env::var_os("CULVER_FULL")) {
        (Some(rounds), _) => rounds.expect("CRASH_ROUNDS is a number"),
        (None, Some(_)) => long,
        (None, None) => short,
    }
}
