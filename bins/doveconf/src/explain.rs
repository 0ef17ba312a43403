//! `doveconf --explain FILE`: what every line of a configuration does here.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::bail;
use config::table::Status;
use config::{Config, Effect, Severity};

/// Prints the effect of every assignment and every problem, by place. Fails when something else would
/// happen than under Dovecot: an error, or what is not there yet.
pub fn run(path: &Path) -> anyhow::Result<()> {
    let config = config::parse_file(path);
    let effects = config.effects();
    let (text, errors) = explained(&config, &effects);
    // Whoever closed the pipe has read enough.
    let _ = io::stdout().write_all(text.as_bytes());
    let missed = effects.iter().filter(|effect| effect.is_missed()).count();
    if errors > 0 || missed > 0 {
        bail!(
            "{}: {errors} errors, {missed} settings that change nothing here",
            path.display()
        );
    }
    Ok(())
}

/// The lines, and how many of them are errors.
fn explained(config: &Config, effects: &[Effect]) -> (String, usize) {
    let whole = config.check();
    let problems = config.problems().iter().chain(whole.iter());
    let mut lines: Vec<_> = problems
        .map(|problem| (&problem.at, word(problem.severity), problem.text.clone()))
        .collect();
    let errors = lines.iter().filter(|(_, word, _)| *word == ERROR).count();
    let told = |effect: &&Effect| !(effect.differs && matches!(effect.status, Status::Refused(_)));
    lines.extend(effects.iter().filter(told).map(line));
    lines.sort_by_key(|(at, ..)| (at.file().to_owned(), at.line()));
    let mut text = String::new();
    for (at, word, what) in lines {
        // Writing to a String doesn't fail.
        let _ = writeln!(text, "{at}: {word}: {what}");
    }
    (text, errors)
}

const ERROR: &str = "error";

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => ERROR,
        Severity::Warning => "warning",
    }
}

fn line(effect: &Effect) -> (&config::Location, &'static str, String) {
    let name = &effect.name;
    let (word, what) = match effect.status {
        Status::Works => ("works", name.clone()),
        Status::NoMeaning(why) => ("no meaning here", format!("{name}: {why}")),
        Status::NotYet(what) => ("not yet", format!("{name}: {what}")),
        Status::Refused(why) => ("refused", format!("{name}: {why}")),
    };
    let note = if effect.differs || effect.status == Status::Works {
        ""
    } else {
        " (and what it asks for is the default)"
    };
    (&effect.at, word, what + note)
}
