//! The power goes at a random moment: what file systems had not written by then is not there afterwards.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crash::check::Rules;
use crash::{Dice, FORMATS, Report, Stage, TIDYING, Volume, play, rounds};

/// With `mail_fsync=optimized`, so much may be missing of flags.
const RECENT: Duration = Duration::from_secs(1);

fn cuts(number: usize, system: &str, fsync: &str) {
    let format = FORMATS[number];
    let what = format!("{}, {system}, mail_fsync={fsync}", format.name);
    let mut dice = Dice::of_environment(&format!("power cuts, {what}"));
    let settings = format!("mail_fsync = {fsync}");
    let stage = Stage::set(format, &settings, |machine| {
        let _ = Volume::make(machine, system, 320);
    });
    let volume = Volume::of(&stage.machine);
    let mut report = Report::default();
    // What the kernel says until the power is back; and what others tell as well is never synced.
    let excused = [
        &TIDYING[..],
        &[
            "Input/output error",
            "File exists",
            "Corrupted index cache file",
            "dovecot.list.index",
            "list index: it has lost something",
        ],
    ]
    .concat();
    // Each of the two settings has half of them.
    for _ in 0..rounds(2, 50) {
        let mut at = Instant::now();
        play(&stage, &mut dice, |dice| {
            std::thread::sleep(dice.moment(5, 900));
            stage.begun.store(true, Ordering::SeqCst);
            stage.dark.store(true, Ordering::SeqCst);
            at = Instant::now();
            volume.cut();
            stage.kill();
        });
        volume.restore();
        let window = match fsync {
            "always" => Duration::ZERO,
            _ => RECENT,
        };
        stage.judge(&Rules { at, window }, &mut report, &excused);
    }
    report.print("power cuts", &what);
}

fn on_both(number: usize) {
    for system in ["ext4", "xfs"] {
        for fsync in ["always", "optimized"] {
            cuts(number, system, fsync);
        }
    }
}

#[test]
fn maildir() {
    on_both(0);
}

#[test]
fn sdbox() {
    on_both(1);
}

#[test]
fn mdbox() {
    on_both(2);
}

#[test]
fn mbox() {
    on_both(3);
}
