//! The same files printed by Dovecot 2.3.19.1's doveconf and by ours (dovecot-2.3.19.1/make).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The one default that differs.
const GREETINGS: [&str; 2] = ["Dovecot (Debian) ready.", "Culver ready."];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dovecot-2.3.19.1")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(fixtures().join(name)).unwrap()
}

fn doveconf(conf: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_doveconf"))
        .arg("-c")
        .arg(conf)
        .args(words)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec())
        .unwrap()
        .replace(GREETINGS[1], GREETINGS[0])
}

#[test]
fn what_differs_from_the_defaults() {
    let mut files = 0;
    for entry in std::fs::read_dir(fixtures()).unwrap() {
        let expected = entry.unwrap().path();
        if expected
            .extension()
            .is_none_or(|extension| extension != "n")
        {
            continue;
        }
        let conf = expected.with_extension("conf");
        let output = doveconf(&conf, &["-n"]);
        assert!(
            output.status.success(),
            "{}: {}",
            conf.display(),
            text(&output.stderr)
        );
        let lines: Vec<_> = text(&output.stdout)
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(str::to_owned)
            .collect();
        let expected: Vec<_> = std::fs::read_to_string(&expected)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect();
        assert_eq!(lines, expected, "{}", conf.display());
        files += 1;
    }
    assert_eq!(files, 6);
}

#[test]
fn settings_by_name_and_by_filter() {
    let answers = read("queries.answers");
    let mut questions = 0;
    for exchange in answers.split_terminator("> ").skip(1) {
        let (query, expected) = exchange.split_once('\n').unwrap();
        let words: Vec<_> = query.split(' ').collect();
        let output = doveconf(&fixtures().join(format!("{}.conf", words[0])), &words[1..]);
        assert_eq!(
            text(&output.stdout),
            expected,
            "{query}: {}",
            text(&output.stderr)
        );
        questions += 1;
    }
    assert!(questions > 15);
}

#[test]
fn what_dovecot_refuses_is_refused_for_its_reason_in_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let conf = folder.path().join("error.conf");
    for (case, reason) in read("errors").lines().zip(read("errors.reasons").lines()) {
        std::fs::write(&conf, case.replace("\\n", "\n") + "\n").unwrap();
        let output = doveconf(&conf, &["-n"]);
        assert_eq!(output.status.code(), Some(89), "{case}");
        assert!(output.stdout.is_empty(), "{case}");
        let (place, reason) = reason.split_once(": ").unwrap();
        let line = place.rsplit_once(' ').unwrap().1;
        let first = text(&output.stderr);
        let expected = format!("doveconf: Error: {}:{line}: {reason}", conf.display());
        assert!(first.starts_with(&expected), "{case}\n{expected}\n{first}");
    }
}

#[test]
fn all_defaults_are_dovecots() {
    let conf = fixtures().join("empty.conf");
    let ours = text(&doveconf(&conf, &["-a"]).stdout);
    let ours = ours.lines().filter(|line| !line.starts_with('#'));
    // The one service that Dovecot doesn't have.
    let mut is_ours = false;
    let ours = ours.filter(|line| {
        let before = is_ours;
        is_ours = *line == "service deliver {" || (is_ours && *line != "}");
        !is_ours && !before
    });
    assert_eq!(ours.collect::<Vec<_>>().join("\n") + "\n", read("empty.a"));
}

#[test]
fn every_setting_says_what_it_does_here() {
    let folder = tempfile::tempdir().unwrap();
    let conf = folder.path().join("x.conf");
    let explain = |lines: &[&str]| {
        std::fs::write(&conf, lines.join("\n") + "\n").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_doveconf"));
        let output = command.arg("--explain").arg(&conf).output().unwrap();
        let lines = text(&output.stdout).replace(&format!("{}:", conf.display()), "");
        (output.status.code(), lines)
    };
    let harmless = ["mail_debug = yes", "log_path = /var/log/x", "ssl_dh = </dh"];
    let (code, told) = explain(&harmless);
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.starts_with("1: works: mail_debug\n2: no meaning here: log_path: "),
        "{told}"
    );
    let missed = [
        "protocol imap {",
        "  mail_plugins = acl",
        "}",
        "plugin {",
        "  acl = vfile",
        "}",
        "service pop3 {",
        "  process_limit = 1",
        "}",
        "nonsense = 1",
    ];
    let (code, told) = explain(&missed);
    assert_eq!(code, Some(89), "{told}");
    for expected in [
        "2: not yet: protocol imap { mail_plugins }: ",
        "5: not yet: plugin { acl }: access control lists",
        "7: not yet: service pop3: ",
        "10: error: Unknown setting: nonsense",
    ] {
        assert!(told.contains(expected), "{expected}\n{told}");
    }
}

#[test]
fn every_problem_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let conf = folder.path().join("bad.conf");
    std::fs::create_dir(folder.path().join("d")).unwrap();
    std::fs::write(
        folder.path().join("d/inner.conf"),
        "nonsense = 1\nservice imap {\n",
    )
    .unwrap();
    let lines = [
        "mail_debgu = yes",
        "!include d/*.conf",
        "mail_debug = perhaps",
        "passdb {",
        "}",
        "!include none",
        "ssl_key = </nonexistent",
    ];
    std::fs::write(&conf, lines.join("\n")).unwrap();
    let errors = text(&doveconf(&conf, &["compile", "--directory", "/nonexistent"]).stderr);
    for expected in [
        "bad.conf:1: Unknown setting: mail_debgu (did you mean mail_debug?)",
        "d/inner.conf:1: Unknown setting: nonsense",
        "d/inner.conf:2: Missing '}'",
        "bad.conf:3: Invalid boolean value: perhaps",
        "bad.conf:4: passdb is missing driver",
        "bad.conf:6: !include none: No matches",
        "bad.conf:7: ssl_key: Can't open file /nonexistent",
        "7 errors; the old configuration stays in use",
    ] {
        assert!(errors.contains(expected), "{expected}\n{errors}");
    }
}
