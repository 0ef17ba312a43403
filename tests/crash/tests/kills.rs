//! Every process of ours is killed at a random moment, again and again.

use std::sync::atomic::Ordering;

use crash::check::Rules;
use crash::{Dice, FORMATS, Report, Stage, TIDYING, play, rounds};

fn kills(number: usize) {
    let format = FORMATS[number];
    let mut dice = Dice::of_environment(&format!("kills, {}", format.name));
    let stage = Stage::set(format, "", |_| {});
    let mut report = Report::default();
    for _ in 0..rounds(15, 250) {
        play(&stage, &mut dice, |dice| {
            std::thread::sleep(dice.moment(5, 900));
            stage.begun.store(true, Ordering::SeqCst);
            stage.kill();
        });
        stage.judge(&Rules::strict(), &mut report, &TIDYING);
    }
    report.print("rounds of kills", format.name);
}

#[test]
fn maildir() {
    kills(0);
}

#[test]
fn sdbox() {
    kills(1);
}

#[test]
fn mdbox() {
    kills(2);
}

#[test]
fn mbox() {
    kills(3);
}
