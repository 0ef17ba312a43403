//! The disk is full at random moments, of blocks or of inodes: clear refusals, and nothing that was
//! acknowledged suffers. When there is space again, everything works again.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crash::check::Rules;
use crash::stage::USER;
use crash::{Dice, FORMATS, Report, Stage, TIDYING, play, rounds};
use testkit::Machine;

/// Where the mail lies.
const AT: &str = crash::volume::AT;

/// A small file system; `ext4` counts what metadata take, `tmpfs` fails at exactly its size.
fn make(machine: &Machine, system: &str) {
    match system {
        "tmpfs" => {
            machine.run(&format!(
                "mkdir {AT}; mount -t tmpfs -o size=24m,nr_inodes=20k crash {AT}"
            ));
        }
        _ => {
            let _ = crash::Volume::make(machine, system, 24);
        }
    }
}

/// Takes all space but some kB, or all inodes but some; by root, whose reserve is taken, too.
fn fill(machine: &Machine, dice: &mut Dice) {
    let left = dice.roll(200);
    let filler = match dice.roll(4) {
        0 => format!(
            "mkdir {AT}/filler; cd {AT}/filler; n=$(df --output=iavail . | tail -1)
             seq $((n > {left} ? n - {left} : 0)) | xargs --no-run-if-empty touch 2>/tmp/why || grep -q 'No space' /tmp/why"
        ),
        _ => format!(
            "n=$(df --output=avail -k {AT} | tail -1)
             head --bytes=$((n > {left} ? n - {left} : 0))K /dev/zero >{AT}/filler 2>/tmp/why || grep -q 'No space' /tmp/why"
        ),
    };
    machine.run(&filler);
}

/// Room that nobody else may have, by which the stage is tidied: purging copies before it removes.
/// Who still reads a file that was removed keeps its blocks for a moment; what keeps them for good is shown.
fn keep_room(machine: &Machine) {
    machine.run(&format!(
        "for try in $(seq 100); do
            head --bytes=4M /dev/zero >{AT}/room 2>/dev/null && exit
            sleep 0.1
         done
         {{ df {AT}; df -i {AT}; find {AT} -size +64k -ls; }} >&2
         exit 1"
    ));
}

fn full(number: usize, system: &str) {
    let format = FORMATS[number];
    let what = format!("{}, {system}", format.name);
    let mut dice = Dice::of_environment(&format!("full disks, {what}"));
    let stage = Stage::set(format, "", |machine| make(machine, system));
    let mut report = Report::default();
    // Each refusal is an error in the journal: more than it can take, which nobody waits for.
    let refusals = [
        "No space left on device",
        "no storage space",
        "log records were lost",
    ];
    let excused = [&TIDYING[..], &refusals].concat();
    keep_room(&stage.machine);
    for _ in 0..rounds(3, 25) {
        play(&stage, &mut dice, |dice| {
            std::thread::sleep(dice.moment(5, 500));
            stage.may_refuse.store(true, Ordering::SeqCst);
            let before = stage.ledger().refusals;
            fill(&stage.machine, dice);
            // Until somebody has met it; who needs little may never do.
            let begun = Instant::now();
            while stage.ledger().refusals == before && begun.elapsed() < Duration::from_secs(10) {
                std::thread::sleep(Duration::from_millis(10));
            }
            std::thread::sleep(dice.moment(5, 500));
            stage.machine.run(&format!("rm -rf {AT}/filler"));
        });
        stage.may_refuse.store(false, Ordering::SeqCst);
        // What an administrator does about a disk that is full of mail: the judge expunges, mdbox is purged.
        stage.machine.run(&format!("rm {AT}/room"));
        stage.judge(&Rules::strict(), &mut report, &excused);
        stage.machine.run(&format!("doveadm purge -u {USER}"));
        keep_room(&stage.machine);
    }
    let refusals = stage.ledger().refusals;
    println!("crash: {what}: {refusals} requests were refused");
    assert!(refusals > 0, "the disk was never full");
    report.print("full disks", &what);
}

fn both(number: usize) {
    full(number, "tmpfs");
    full(number, "ext4");
}

#[test]
fn maildir() {
    both(0);
}

#[test]
fn sdbox() {
    both(1);
}

#[test]
fn mdbox() {
    both(2);
}

#[test]
fn mbox() {
    both(3);
}
