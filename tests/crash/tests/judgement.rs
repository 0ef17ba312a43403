//! The judge itself: each kind of harm is found, and what a disaster may do is let pass.

use std::time::{Duration, Instant};

use crash::check::{Found, Rules, Seen};
use crash::ledger::{Claim, Flags};
use crash::{Dice, Ledger};

fn flags(names: &[&str]) -> Flags {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn seen(key: u32, names: &[&str]) -> Seen {
    Seen {
        key,
        flags: flags(names),
        intact: true,
    }
}

fn found(messages: &[(u32, Seen)]) -> Found {
    Found {
        validity: 7,
        next: 10,
        messages: messages.iter().cloned().collect(),
    }
}

fn judged(ledger: &mut Ledger, inbox: Found, other: Found) -> Vec<String> {
    ledger.settle(&[inbox, other], &Rules::strict())
}

/// One message of INBOX, UID 3, seen once.
fn ledger() -> (Ledger, Claim, u32) {
    let mut ledger = Ledger::default();
    let key = ledger.new_key(false);
    let id = ledger.appearing(key, 0, flags(&["\\Seen"]), None);
    ledger.arrived(id, Some(3));
    let inbox = found(&[(3, seen(key, &["\\Seen"]))]);
    assert_eq!(judged(&mut ledger, inbox, found(&[])), [""; 0]);
    let claim = ledger.claim(0, 1, &mut Dice::of(1)).remove(0);
    (ledger, claim, key)
}

#[test]
fn what_was_acknowledged_is_there_as_it_was() {
    let (_, _, key) = ledger();
    let whole = seen(key, &["\\Seen"]);
    let broken = Seen {
        intact: false,
        ..whole.clone()
    };
    let twice = [(3, whole.clone()), (4, whole.clone())];
    let other_validity = Found {
        validity: 8,
        ..found(&[(3, whole.clone())])
    };
    let next_fell = Found {
        next: 9,
        ..found(&[(3, whole.clone())])
    };
    for (inbox, word) in [
        (found(&[]), "is lost"),
        (found(&[(4, whole)]), "is lost"),
        (found(&[(3, broken)]), "wrong bytes"),
        (found(&[(3, seen(key, &[]))]), "has {}"),
        (found(&[(3, seen(key + 2, &["\\Seen"]))]), "was message"),
        (found(&twice), "a duplicate"),
        (other_validity, "UIDVALIDITY"),
        (next_fell, "UIDNEXT"),
    ] {
        let (mut ledger, _, _) = self::ledger();
        let wrong = judged(&mut ledger, inbox, found(&[])).join("\n");
        assert!(wrong.contains(word), "{word}: {wrong}");
    }
}

#[test]
fn what_was_only_asked_for_may_have_happened_or_not() {
    for after in [&["\\Seen"][..], &["\\Flagged"]] {
        let (mut ledger, claim, key) = ledger();
        ledger.asking(&claim, &flags(&["\\Flagged"]));
        let inbox = found(&[(3, seen(key, after))]);
        assert_eq!(judged(&mut ledger, inbox, found(&[])), [""; 0]);
    }
    let (mut ledger, claim, _) = ledger();
    ledger.leaving(&claim);
    assert_eq!(judged(&mut ledger, found(&[]), found(&[])), [""; 0]);
}

#[test]
fn what_nobody_was_told_of_may_lack_its_keywords() {
    let asked = ["\\Draft", "Work", "later"];
    let come = |seen: Seen| Found {
        next: 11,
        ..found(&[(10, seen)])
    };
    for (after, is_told, is_allowed) in [
        (&["\\Draft"][..], false, true),
        (&asked, false, true),
        (&["\\Draft"], true, false),
        (&["\\Draft", "Work"], false, false),
        (&["Work", "later"], false, false),
    ] {
        let (mut ledger, _, key) = ledger();
        let id = ledger.appearing(key, 1, flags(&asked), None);
        if is_told {
            ledger.arrived(id, Some(10));
        }
        let inbox = found(&[(3, seen(key, &["\\Seen"]))]);
        let other = come(seen(key, after));
        let wrong = judged(&mut ledger, inbox, other);
        assert_eq!(wrong.is_empty(), is_allowed, "{after:?}: {wrong:?}");
    }
    // The source of a MOVE may go only when all of it is there.
    for (is_source, is_allowed) in [(true, true), (false, false)] {
        let (mut ledger, claim, key) = ledger();
        ledger.appearing(key, 1, flags(&asked), Some(claim.id));
        ledger.leaving(&claim);
        let inbox = match is_source {
            true => found(&[(3, seen(key, &["\\Seen"]))]),
            false => found(&[]),
        };
        let other = come(seen(key, &["\\Draft"]));
        let wrong = judged(&mut ledger, inbox, other);
        assert_eq!(wrong.is_empty(), is_allowed, "{is_source}: {wrong:?}");
    }
}

#[test]
fn flags_may_be_as_old_as_the_rules_say() {
    for (window, is_allowed) in [(Duration::ZERO, false), (Duration::from_secs(60), true)] {
        let (mut ledger, claim, key) = ledger();
        ledger.asking(&claim, &flags(&["\\Flagged"]));
        ledger.stored(&claim);
        let rules = Rules {
            at: Instant::now(),
            window,
        };
        let inbox = found(&[(3, seen(key, &["\\Seen"]))]);
        let wrong = ledger.settle(&[inbox, found(&[])], &rules);
        assert_eq!(wrong.is_empty(), is_allowed, "{wrong:?}");
    }
}

#[test]
fn what_was_expunged_or_refused_stays_away() {
    let (mut ledger, claim, key) = ledger();
    ledger.gone(&claim);
    let inbox = found(&[(3, seen(key, &["\\Seen"]))]);
    let wrong = judged(&mut ledger, inbox, found(&[])).join("\n");
    assert!(wrong.contains("is back"), "{wrong}");

    let (mut ledger, _, key) = self::ledger();
    let refused = ledger.appearing(key, 1, Flags::new(), None);
    ledger.refused(refused);
    let inbox = found(&[(3, seen(key, &["\\Seen"]))]);
    let other = found(&[(1, seen(key, &[]))]);
    let wrong = judged(&mut ledger, inbox, other).join("\n");
    assert!(wrong.contains("refused"), "{wrong}");
}

#[test]
fn who_is_moved_is_here_or_there() {
    for (here, there, is_lost) in [
        (true, false, false),
        (false, true, false),
        (false, false, true),
    ] {
        let (mut ledger, claim, key) = ledger();
        ledger.appearing(key, 1, flags(&["\\Seen"]), Some(claim.id));
        ledger.leaving(&claim);
        let place = |uid: u32, is: bool| match is {
            true => found(&[(uid, seen(key, &["\\Seen"]))]),
            false => found(&[]),
        };
        let wrong = judged(&mut ledger, place(3, here), place(1, there)).join("\n");
        assert_eq!(wrong.contains("lost in a move"), is_lost, "{wrong}");
    }
}

/// Two moves of copies of one message that were broken off, the first before it did anything.
#[test]
fn copies_of_one_message_are_told_apart_by_their_flags() {
    let (mut ledger, claim, key) = ledger();
    ledger.appearing(key, 1, flags(&["\\Seen"]), Some(claim.id));
    ledger.leaving(&claim);
    ledger.appearing(key, 1, flags(&["\\Flagged"]), None);
    let inbox = found(&[(3, seen(key, &["\\Seen"]))]);
    let other = Found {
        next: 11,
        ..found(&[(10, seen(key, &["\\Flagged"]))])
    };
    assert_eq!(judged(&mut ledger, inbox, other), [""; 0]);
}
