//! Every rule over the whole checkout.

use std::path::Path;

use tidy::source::sources;
use tidy::{
    Violation, cargo, checkout, crates, documents, edges, manifests, none, read, sizes, units,
    words,
};

#[test]
fn edges_between_crates() {
    none("edges", edges::of_workspace(&cargo::workspace()));
}

#[test]
fn a_login_process_is_made_of_little() {
    let crates = cargo::tree("imap-login");
    let count = crates.len();
    let list: Vec<String> = crates.into_iter().collect();
    assert!(
        count < edges::LOGIN_CRATES,
        "imap-login is made of {count} crates, fewer than {} may be: {}",
        edges::LOGIN_CRATES,
        list.join(", ")
    );
}

#[test]
fn sizes_of_functions_files_and_crates() {
    let sources = sources();
    let mut violations: Vec<Violation> = sources.iter().flat_map(sizes::of_source).collect();
    violations.extend(sizes::of_crates(&sources));
    none("sizes", violations);
}

#[test]
fn words_that_code_may_not_say() {
    none(
        "words",
        sources().iter().flat_map(words::of_source).collect(),
    );
}

#[test]
fn files_say_what_they_do() {
    let sources = sources();
    let mut violations: Vec<Violation> = sources.iter().flat_map(documents::head).collect();
    let services = sources.iter().filter(|source| {
        source.path.starts_with("bins")
            && source.path.ends_with("src/main.rs")
            && checkout()
                .join(format!(
                    "units/culver-{}.service",
                    source.package().trim_start_matches("bins/")
                ))
                .exists()
    });
    violations.extend(services.flat_map(documents::service_head));
    none("heads", violations);
}

#[test]
fn units_sockets_and_binaries_fit() {
    none(
        "units",
        units::of_installed(&units::installed(), &sources()),
    );
}

#[test]
fn manifests_give_reasons() {
    let mut violations = manifests::of_root(Path::new("Cargo.toml"), &read("Cargo.toml"));
    for place in cargo::workspace().places.values() {
        let path = Path::new(place).join("Cargo.toml");
        violations.extend(manifests::of_member(&path, &read(&path.to_string_lossy())));
    }
    none("manifests", violations);
}

#[test]
fn crates_of_others_are_welcome() {
    let deny = crates::Deny::parse(&read("deny.toml"));
    assert!(
        !deny.banned.is_empty() && !deny.allowed.is_empty(),
        "deny.toml has lists"
    );
    none("crates", deny.check(&cargo::licenses()));
}

#[test]
fn events_are_explained() {
    let (names, entries) = ("lib/service/src/journal.rs", "units/culver.catalog");
    none(
        "catalog",
        documents::catalog(
            (Path::new(names), &read(names)),
            (Path::new(entries), &read(entries)),
        ),
    );
}

#[test]
fn the_architecture_is_told_in_short() {
    let path = "ARCHITECTURE.md";
    none(
        "architecture",
        documents::architecture(Path::new(path), &read(path)),
    );
}
