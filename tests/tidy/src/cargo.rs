//! What cargo says about the workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::checkout;

/// The crates of the workspace, and who of them is linked with whom.
#[derive(Debug, Clone, Default)]
pub struct Workspace {
    /// Ours by name, with those of ours that each is linked with: normal dependencies, not those of tests.
    pub edges: BTreeMap<String, BTreeSet<String>>,
    /// Ours by name, with the directory of each, such as `lib/sys`.
    pub places: BTreeMap<String, String>,
}

/// Asks `cargo metadata`.
///
/// # Panics
/// It fails.
#[must_use]
pub fn workspace() -> Workspace {
    let text = cargo(&[
        "metadata",
        "--format-version=1",
        "--filter-platform=x86_64-unknown-linux-gnu",
    ]);
    let metadata: Value = serde_json::from_str(&text).expect("JSON of cargo metadata");
    let root = metadata["workspace_root"].as_str().expect("a root");
    let mut workspace = Workspace::default();
    for package in list(&metadata["packages"]) {
        let name = string(&package["name"]);
        let manifest = string(&package["manifest_path"]);
        if let Some(place) = manifest.strip_prefix(root)
            && package["source"].is_null()
        {
            let place = place.trim_matches('/').trim_end_matches("/Cargo.toml");
            workspace.places.insert(name, place.to_owned());
        }
    }
    for node in list(&metadata["resolve"]["nodes"]) {
        let from = name_of(&node["id"]);
        if !workspace.places.contains_key(&from) {
            continue;
        }
        let linked = list(&node["deps"]).iter().filter(|dependency| {
            list(&dependency["dep_kinds"])
                .iter()
                .any(|kind| kind["kind"].is_null())
        });
        let ours = linked
            .map(|dependency| name_of(&dependency["pkg"]))
            .filter(|name| workspace.places.contains_key(name))
            .collect();
        workspace.edges.insert(from, ours);
    }
    workspace
}

impl Workspace {
    /// Everything of ours that a crate is linked with, directly or not.
    #[must_use]
    pub fn linked(&self, name: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![name.to_owned()];
        while let Some(name) = open.pop() {
            for next in self.edges.get(&name).into_iter().flatten() {
                if found.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        found
    }
}

/// The crates that `cargo tree -p NAME --edges normal` shows, each once: what becomes part of the binary, procedural
/// macros included. The tools with which aws-lc-sys builds its C code (cc, cmake and their kin) are not.
///
/// # Panics
/// It fails.
#[must_use]
pub fn tree(name: &str) -> BTreeSet<String> {
    let text = cargo(&[
        "tree",
        "-p",
        name,
        "--edges=normal",
        "--prefix=none",
        "--format={p}",
    ]);
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.map(|line| before(line, " (").to_owned()).collect()
}

/// Crates of others that anything of ours is made of on this platform, with the license expression of each.
///
/// # Panics
/// cargo fails.
#[must_use]
pub fn licenses() -> BTreeMap<String, String> {
    // Not from `cargo metadata`: it also lists what no enabled feature wants.
    let text = cargo(&["tree", "--workspace", "--prefix=none", "--format={p}|{l}"]);
    let crates = text.lines().filter_map(|line| line.split_once('|'));
    crates
        .filter(|(package, _)| !package.contains(" (/"))
        .map(|(package, license)| {
            (
                before(package, " ").to_owned(),
                before(license, " (*)").to_owned(),
            )
        })
        .collect()
}

fn before<'a>(text: &'a str, end: &str) -> &'a str {
    text.split(end).next().unwrap_or(text)
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new("cargo")
        .args(arguments)
        .current_dir(checkout())
        .output()
        .expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("UTF-8 of cargo")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A package id is `path+file:///…/lib/sys#0.1.0`, `path+file:///…/lib/x#name@0.1.0` or `registry+…#name@1.0.0`.
fn name_of(id: &Value) -> String {
    let id = id.as_str().unwrap_or_default();
    let (place, version) = id.rsplit_once('#').unwrap_or((id, ""));
    match version.split_once('@') {
        Some((name, _)) => name.to_owned(),
        None => place.rsplit('/').next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_package_ids() {
        let name = |id: &str| name_of(&Value::from(id));
        assert_eq!(name("path+file:///a/lib/sys#0.1.0"), "sys");
        assert_eq!(name("path+file:///a/lib/x#y@0.1.0"), "y");
        assert_eq!(
            name("registry+https://example.org/index#serde@1.0.2"),
            "serde"
        );
    }

    #[test]
    fn linked_is_transitive() {
        let edge = |to: &[&str]| to.iter().map(|name| (*name).to_owned()).collect();
        let mut workspace = Workspace::default();
        workspace.edges.insert("a".into(), edge(&["b"]));
        workspace.edges.insert("b".into(), edge(&["c"]));
        workspace.edges.insert("c".into(), edge(&[]));
        assert_eq!(workspace.linked("a"), edge(&["b", "c"]));
    }

    #[test]
    fn cargo_knows_us() {
        let workspace = workspace();
        assert_eq!(workspace.places["tidy"], "tests/tidy");
        assert_eq!(licenses()["syn"], "MIT OR Apache-2.0");
        assert!(workspace.edges["ipc"].contains("sys"));
    }
}
