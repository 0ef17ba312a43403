//! Entries of the catalog that are done as they are written: whole, byte by byte, and cut in two.

use attacks::catalog::{Attack, PLANS, Plan, attacks};
use attacks::memory::Memory;
use attacks::steps::{Cut, Outcome, judge, run, size};
use attacks::{Honest, Site};

/// Growth that is allowed where the catalog says nothing.
const GROWTH_MB: u64 = 8;

#[test]
fn every_entry_that_is_written_out() {
    let mut site = Site::boot();
    let honest = Honest::start(&site);
    let mut failed = Vec::new();
    let written = |attack: &Attack| PLANS.contains(&(attack.id.as_str(), Plan::AsWritten));
    let only = std::env::var("ATTACK").ok();
    for attack in attacks().iter().filter(|attack| written(attack)) {
        if only.as_ref().is_some_and(|only| *only != attack.id) {
            continue;
        }
        let mut wrong = Vec::new();
        for cut in cuts(attack) {
            let result = once(attack, cut, &site, &honest);
            wrong.extend(result.err().map(|what| format!("{cut:?}: {what}")));
        }
        wrong.extend(site.calm(&honest).err());
        println!(
            "{} {}",
            attack.id,
            if wrong.is_empty() { "ok" } else { "FAILED" }
        );
        if !wrong.is_empty() {
            failed.push(format!("{}: {}", attack.id, wrong.join("\n    ")));
        }
    }
    for (id, plan) in PLANS {
        if let Plan::Later(why) = plan {
            println!("{id} not yet: {why}");
        }
    }
    assert!(
        failed.is_empty(),
        "{} attacks:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

/// Everything is tried whole; what is short enough also byte by byte and cut in two, with `CULVER_FULL` everywhere.
fn cuts(attack: &Attack) -> Vec<Cut> {
    let mut cuts = vec![Cut::Whole];
    let Some(size) = size(attack).filter(|size| *size > 1) else {
        return cuts;
    };
    cuts.push(Cut::Bytes);
    let every = if std::env::var_os("CULVER_FULL").is_some() {
        1
    } else {
        size.div_ceil(6)
    };
    cuts.extend((1..size).step_by(every).map(Cut::At));
    cuts
}

fn once(attack: &Attack, cut: Cut, site: &Site, honest: &Honest) -> Result<(), String> {
    prepare(attack, site);
    let mail = mail(attack, site);
    let memory = Memory::look(&site.machine);
    if cut == Cut::Whole {
        honest.attack_begins();
    }
    let outcome = run(attack, site, cut)?;
    if let Some(what) = judge(&attack.expect, &outcome)
        && !may_be_closed(attack, &outcome)
    {
        return Err(what);
    }
    let limit = attack.expect["max_rss_mb"].as_u64().unwrap_or(GROWTH_MB);
    let (unit, growth) = memory.most();
    if growth > limit * 1024 * 1024 {
        return Err(format!(
            "{unit} grew by {} KiB, at most {limit} MiB",
            growth / 1024
        ));
    }
    after(attack, site, &outcome, mail)
}

/// What alice has when it begins: one message; none where the attack brings the first.
fn prepare(attack: &Attack, site: &Site) {
    if attack.state == "auth" || attack.id == "IMAP-45" {
        site.empty("alice");
        if attack.id != "IMAP-69" {
            site.deliver("alice", b"Subject: hello\r\n\r\nHello.\r\n");
        }
    }
}

/// Messages of alice and bob, where it matters.
fn mail(attack: &Attack, site: &Site) -> Option<(u32, u32)> {
    (attack.proto == "lmtp").then(|| (site.messages("alice"), site.messages("bob")))
}

/// What follows STARTTLS in the clear may also end the connection.
fn may_be_closed(attack: &Attack, outcome: &Outcome) -> bool {
    ["IMAP-01", "IMAP-02"].contains(&attack.id.as_str()) && outcome.closed
}

/// What is not in the replies.
fn after(
    attack: &Attack,
    site: &Site,
    outcome: &Outcome,
    mail: Option<(u32, u32)>,
) -> Result<(), String> {
    let said = String::from_utf8_lossy(&outcome.said);
    if let Some((alice, bob)) = mail {
        let now = (site.messages("alice"), site.messages("bob"));
        let smuggled = [
            "LMTP-01", "LMTP-03", "LMTP-05", "LMTP-06", "LMTP-08", "LMTP-09",
        ];
        let expected = if smuggled.contains(&attack.id.as_str()) {
            (alice + 1, bob)
        } else {
            (alice, bob)
        };
        if now != expected {
            return Err(format!(
                "alice and bob have {now:?} messages, not {expected:?}: {said:?}"
            ));
        }
    }
    let times = |part: &str| said.matches(part).count();
    if attack.id == "IMAP-45" && (times("\r\nb OK") != 1 || times("\r\nc OK") != 1) {
        return Err(format!(
            "commands behind LOGIN are to be done once: {said:?}"
        ));
    }
    Ok(())
}
