//! What is written for readers: file heads, the journal catalog, ARCHITECTURE.md.

use std::collections::BTreeMap;
use std::path::Path;

use crate::Violation;
use crate::source::Source;

/// Lines of ARCHITECTURE.md.
const ARCHITECTURE: usize = 150;

/// Every file begins with what it does.
#[must_use]
pub fn head(source: &Source) -> Vec<Violation> {
    let first = source
        .text
        .lines()
        .find(|line| !line.is_empty() && !line.starts_with("#!/"))
        .unwrap_or_default();
    if first.starts_with("//! ") {
        return Vec::new();
    }
    vec![Violation::new(
        &source.path,
        1,
        "does not begin with a `//!` line that says what it does",
    )]
}

/// The file head of a service answers who calls it, with which rights, and what a restart forgets.
#[must_use]
pub fn service_head(source: &Source) -> Vec<Violation> {
    let head: Vec<&str> = source
        .text
        .lines()
        .take_while(|line| line.starts_with("//!"))
        .collect();
    let missing = ["Socket", "Callers", "Rights", "State"]
        .into_iter()
        .filter(|word| {
            !head.iter().any(|line| {
                let line = line.trim_start_matches("//!").trim_start();
                line.starts_with(word) && line.contains(':')
            })
        });
    missing
        .map(|word| Violation::new(&source.path, 1, format!("no {word}: line in the file head")))
        .collect()
}

/// ARCHITECTURE.md: short, and with invariants.
#[must_use]
pub fn architecture(path: &Path, text: &str) -> Vec<Violation> {
    let lines = text.lines().count();
    let mut violations = Vec::new();
    if lines > ARCHITECTURE {
        violations.push(Violation::new(
            path,
            0,
            format!("{lines} lines, at most {ARCHITECTURE}"),
        ));
    }
    if !text.contains("*Invariant:*") {
        violations.push(Violation::new(path, 0, "no *Invariant:* line"));
    }
    violations
}

/// Names of events in `journal.rs` and entries of the catalog are the same, and no id stands twice.
#[must_use]
pub fn catalog(journal: (&Path, &str), catalog: (&Path, &str)) -> Vec<Violation> {
    let ids = by_id(journal.1, |line| {
        let rest = line.trim().strip_prefix("pub const ")?;
        rest.split('"').nth(1)
    });
    let entries = by_id(catalog.1, |line| line.strip_prefix("-- "));
    let mut violations = Vec::new();
    let mut compare = |(path, these): (&Path, &BTreeMap<String, Vec<usize>>),
                       others: &BTreeMap<String, Vec<usize>>,
                       where_else: &str| {
        for (id, lines) in these {
            let line = lines.first().copied().unwrap_or_default();
            if lines.len() > 1 {
                violations.push(Violation::new(
                    path,
                    line,
                    format!("{id} stands {} times", lines.len()),
                ));
            }
            if !others.contains_key(id) {
                violations.push(Violation::new(
                    path,
                    line,
                    format!("{id} is not in {where_else}"),
                ));
            }
        }
    };
    compare((journal.0, &ids), &entries, "the catalog");
    compare((catalog.0, &entries), &ids, "journal.rs");
    violations
}

fn by_id<'a>(
    text: &'a str,
    id: impl Fn(&'a str) -> Option<&'a str>,
) -> BTreeMap<String, Vec<usize>> {
    let mut found: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(id) = id(line)
            && id.len() == 32
            && id.bytes().all(|byte| byte.is_ascii_hexdigit())
        {
            found.entry(id.to_owned()).or_default().push(index + 1);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        assert_eq!(
            head(&Source::parse("lib/x/src/a.rs", "//! What.\nfn f() {}")).len(),
            0
        );
        assert_eq!(head(&Source::parse("lib/x/src/a.rs", "fn f() {}")).len(), 1);
        let service = "//! x: does.\n//!\n//! Socket: a\n//! Callers: b\n//! Rights: none\n//! State: none\nfn f() {}";
        assert_eq!(
            service_head(&Source::parse("bins/x/src/main.rs", service)).len(),
            0
        );
        assert_eq!(
            service_head(&Source::parse("bins/x/src/main.rs", "//! x: does.")).len(),
            4
        );
    }

    #[test]
    fn catalog_and_names_are_compared_both_ways() {
        let (a, b) = (
            "0ab5af59ec55f626681e5c3724264129",
            "4fae86e4b49bc15ed6b837f1744b8a5b",
        );
        let names = format!("    pub const LOGIN: &str = \"{a}\";\n");
        let path = Path::new("p");
        assert_eq!(
            catalog((path, &names), (path, &format!("-- {a}\nSubject: x\n"))).len(),
            0
        );
        assert_eq!(
            catalog((path, &names), (path, &format!("-- {b}\nSubject: x\n"))).len(),
            2
        );
        assert_eq!(
            catalog((path, &names), (path, &format!("-- {a}\n\n-- {a}\n"))).len(),
            1
        );
    }

    #[test]
    fn architecture_is_short() {
        assert_eq!(architecture(Path::new("A"), "*Invariant:* no.\n").len(), 0);
        assert_eq!(architecture(Path::new("A"), &"x\n".repeat(151)).len(), 2);
    }
}
