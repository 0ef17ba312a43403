//! What projects publish is read unchanged, to the last setting (tests/compat compares it with Dovecot's reading).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed test is a panic"
)]

use std::path::Path;

use config::{Problems, Severity, parse_file};

#[test]
fn projects_configurations_have_no_errors() {
    let projects = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/config");
    let mut read = 0;
    for project in std::fs::read_dir(projects).unwrap() {
        let config = parse_file(&project.unwrap().path().join("dovecot.conf"));
        none_of(config.problems());
        none_of(&config.check());
        assert!(config.assigned("protocols").is_some());
        read += 1;
    }
    assert!(read >= 9);
}

fn none_of(problems: &Problems) {
    let errors: Vec<_> = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .map(ToString::to_string)
        .collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}
