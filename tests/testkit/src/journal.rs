//! What a machine's journal says.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Machine;

/// One record: field names to values.
#[derive(Debug, Clone)]
pub struct Record(Value);

impl Record {
    /// A field as text; empty where it is absent.
    #[must_use]
    pub fn field(&self, name: &str) -> String {
        match self.0.get(name) {
            Some(Value::String(text)) => text.clone(),
            // journalctl gives bytes that are not printable as an array of numbers.
            Some(Value::Array(numbers)) => {
                let bytes: Vec<u8> = numbers
                    .iter()
                    .filter_map(|n| u8::try_from(n.as_u64()?).ok())
                    .collect();
                String::from_utf8_lossy(&bytes).into_owned()
            }
            _ => String::new(),
        }
    }

    /// The text line.
    #[must_use]
    pub fn message(&self) -> String {
        self.field("MESSAGE")
    }

    /// Syslog priority: 3 is an error, 4 a warning, 6 normal.
    #[must_use]
    pub fn priority(&self) -> u8 {
        self.field("PRIORITY").parse().unwrap_or(6)
    }
}

impl Machine {
    /// Records that match journalctl's arguments, such as `-u culver-auth` or `CULVER_USER=ann`.
    pub fn journal(&self, matches: &[&str]) -> Vec<Record> {
        self.enter(&["journalctl", "--sync"]);
        let command: Vec<&str> = ["journalctl", "--all", "--output=json", "--no-pager"]
            .iter()
            .chain(matches)
            .copied()
            .collect();
        let output = self.enter(&command);
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8_lossy(&output.stdout);
        let records = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        records.map(Record).collect()
    }

    /// Waits until a line of the journal contains `part`, and returns it. Lines of before count.
    ///
    /// # Panics
    /// Half a minute passes without.
    pub fn await_journal(&self, part: &str) -> String {
        let limit = Duration::from_secs(30);
        let started = Instant::now();
        // `timeout` ends the pipe, and with it the loop.
        let seconds = limit.as_secs().to_string();
        let mut follow = self
            .command(&[
                "timeout",
                &seconds,
                "journalctl",
                "--follow",
                "--lines=all",
                "--output=cat",
            ])
            .spawn()
            .expect("journalctl runs");
        let lines = BufReader::new(follow.stdout.take().expect("piped"));
        let found = lines
            .lines()
            .map_while(Result::ok)
            .find(|line| line.contains(part));
        follow.kill().expect("ending journalctl");
        follow.wait().expect("waiting for journalctl");
        found.unwrap_or_else(|| panic!("no {part:?} in the journal within {:?}", started.elapsed()))
    }

    /// Panics with every record of our units that is an error or worse, and with every failed unit.
    pub fn assert_healthy(&self) {
        let failed = self.run("systemctl list-units --failed --plain --no-legend");
        assert_eq!(failed, "", "failed units");
        let errors: Vec<String> = self
            .journal(&["--priority=err"])
            .iter()
            .map(|record| {
                format!(
                    "{}: {}",
                    record.field("SYSLOG_IDENTIFIER"),
                    record.message()
                )
            })
            .collect();
        assert!(
            errors.is_empty(),
            "errors in the journal:\n{}",
            errors.join("\n")
        );
    }
}
